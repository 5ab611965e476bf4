/*
 * worker: does jobs one after another on a thread of its own, or, without one, at once. What takes
 * long and nobody waits for is done here.
 */
#ifndef STORE_WORKER_H
#define STORE_WORKER_H

#include <pthread.h>
#include <stdbool.h>

/* Embedded in what the job is about; the owner's until it is given away, and again when it is done. */
struct worker_job {
    void (*run)(struct worker_job *job);
    struct worker_job *next;
    bool busy; /* given away and not yet done; atomic */
};

struct worker {
    bool threaded;
    int nice;     /* of the thread; 0: that of the process */
    bool running; /* the thread is started by the first job */
    int fd;       /* the owner's eventfd, which tells when a job is done */
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct worker_job *first, *last; /* under the lock */
    bool stop;                       /* atomic: whatever takes long is to end */
};

/* What somebody waits for has nice 0. */
void worker_init(struct worker *w, int fd, int nice, bool threaded);

/* Ends the job that is under way as soon as it looks at `stop`; those behind it are not done. What is
 * given to it from then on is done at once. */
void worker_fini(struct worker *w);

/* Gives a job away that is not busy: 0, or -errno if no thread could be started. */
__attribute__((warn_unused_result)) int worker_give(struct worker *w, struct worker_job *job);

static inline bool worker_is_busy(const struct worker_job *job)
{
    return __atomic_load_n(&job->busy, __ATOMIC_ACQUIRE);
}

static inline bool worker_stopping(const struct worker *w)
{
    return __atomic_load_n(&w->stop, __ATOMIC_RELAXED);
}

#endif
