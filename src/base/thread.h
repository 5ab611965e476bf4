/*
 * thread: starts a thread that takes no signals, those are for whoever owns the loop; and wakes a loop.
 */
#ifndef BASE_THREAD_H
#define BASE_THREAD_H

#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <unistd.h>

/* 0 or -errno. */
__attribute__((warn_unused_result)) static inline int
thread_start(pthread_t *thread, void *(*run)(void *arg), void *arg)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int result = -pthread_create(thread, NULL, run, arg);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return result;
}

/* Makes an eventfd readable. Only a counter at its maximum could refuse, and that is readable already. */
static inline void thread_wake(int fd)
{
    ssize_t n = write(fd, &(uint64_t){1}, sizeof(uint64_t));
    (void)n;
}

#endif
