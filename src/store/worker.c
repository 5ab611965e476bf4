#include "store/worker.h"

#include "base/thread.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <unistd.h>

void worker_init(struct worker *w, int fd, int nice, bool threaded)
{
    *w = (struct worker){.threaded = threaded, .nice = nice, .fd = fd};
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->wake, NULL);
}

/* The next job; waits for one. NULL: it is over. */
static struct worker_job *worker_next(struct worker *w)
{
    pthread_mutex_lock(&w->lock);
    while (!w->first && !worker_stopping(w))
        pthread_cond_wait(&w->wake, &w->lock);
    struct worker_job *job = worker_stopping(w) ? NULL : w->first;
    if (job)
        w->first = job->next;
    pthread_mutex_unlock(&w->lock);
    return job;
}

static void worker_run(struct worker *w, struct worker_job *job)
{
    job->run(job);
    __atomic_store_n(&job->busy, false, __ATOMIC_RELEASE);
    thread_wake(w->fd);
}

static void *worker_main(void *arg)
{
    struct worker *w = arg;
    if (w->nice) /* on Linux it is the thread's own */
        (void)setpriority(PRIO_PROCESS, 0, w->nice);
    struct worker_job *job;
    while ((job = worker_next(w)) != NULL)
        worker_run(w, job);
    return NULL;
}

int worker_give(struct worker *w, struct worker_job *job)
{
    if (w->threaded && !w->running) {
        int result = thread_start(&w->thread, worker_main, w);
        if (result)
            return result;
        w->running = true;
    }
    job->next = NULL;
    __atomic_store_n(&job->busy, true, __ATOMIC_RELEASE);
    if (!w->threaded) {
        worker_run(w, job);
        return 0;
    }
    pthread_mutex_lock(&w->lock);
    if (w->first)
        w->last->next = job;
    else
        w->first = job;
    w->last = job;
    pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&w->lock);
    return 0;
}

void worker_fini(struct worker *w)
{
    if (w->running) {
        pthread_mutex_lock(&w->lock);
        __atomic_store_n(&w->stop, true, __ATOMIC_RELAXED);
        pthread_cond_signal(&w->wake);
        pthread_mutex_unlock(&w->lock);
        pthread_join(w->thread, NULL);
    }
    for (struct worker_job *job = w->first; job; job = job->next)
        job->busy = false;
    w->first = NULL;
    w->running = w->threaded = false;
    w->fd = -1;
    pthread_cond_destroy(&w->wake);
    pthread_mutex_destroy(&w->lock);
}
