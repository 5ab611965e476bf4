#include "store/prefetch.h"

#include "base/thread.h"

#include <unistd.h>

/* Takes the next part; waits for one. One that was cancelled has no owner. False: it is over. */
static bool prefetch_next(struct prefetch *p, struct prefetch_part *out)
{
    pthread_mutex_lock(&p->lock);
    while (!p->stop && p->count == 0)
        pthread_cond_wait(&p->wake, &p->lock);
    bool stop = p->stop;
    if (!stop) {
        *out = p->parts[p->first];
        p->first = (p->first + 1) % PREFETCH_MAX;
        p->count--;
        p->working = out->owner;
    }
    pthread_mutex_unlock(&p->lock);
    return !stop;
}

void prefetch_yield(struct prefetch *p)
{
    pthread_mutex_lock(&p->lock);
    p->done = true;
    pthread_mutex_unlock(&p->lock);
    ssize_t n = write(p->fd, &(uint64_t){1}, sizeof(uint64_t));
    (void)n;
}

static void *prefetch_main(void *arg)
{
    struct prefetch *p = arg;
    struct prefetch_part part = {0};
    uint8_t bytes[4096];
    while (prefetch_next(p, &part)) {
        /* Whatever goes wrong here, the owner will meet it in its own reading. */
        if (part.n == 0)
            p->disk->close(p->disk->ctx, part.file);
        for (uint32_t done = 0; part.owner && done < part.n; done += (uint32_t)sizeof bytes)
            if (p->disk->pread(p->disk->ctx, part.file, bytes, sizeof bytes, part.at + done) <= 0)
                break;
        pthread_mutex_lock(&p->lock);
        p->working = NULL;
        pthread_mutex_unlock(&p->lock);
        prefetch_yield(p);
    }
    return NULL;
}

void prefetch_init(struct prefetch *p, const struct disk *disk, int fd)
{
    *p = (struct prefetch){.disk = disk, .fd = fd};
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->wake, NULL);
}

void prefetch_fini(struct prefetch *p)
{
    if (p->running) {
        pthread_mutex_lock(&p->lock);
        p->stop = true;
        pthread_cond_signal(&p->wake);
        pthread_mutex_unlock(&p->lock);
        pthread_join(p->thread, NULL);
    }
    for (; p->count; p->count--, p->first = (p->first + 1) % PREFETCH_MAX)
        if (p->parts[p->first].n == 0)
            p->disk->close(p->disk->ctx, p->parts[p->first].file);
    pthread_cond_destroy(&p->wake);
    pthread_mutex_destroy(&p->lock);
}

/* False: it is full. */
static bool prefetch_push(struct prefetch *p, const struct prefetch_part *part)
{
    pthread_mutex_lock(&p->lock);
    bool room = p->count < PREFETCH_MAX;
    if (room) {
        p->parts[(p->first + p->count++) % PREFETCH_MAX] = *part;
        pthread_cond_signal(&p->wake);
    }
    pthread_mutex_unlock(&p->lock);
    return room;
}

int prefetch_ask(struct prefetch *p, const void *owner, int file, uint64_t at, size_t n)
{
    if (!p->running) {
        int result = thread_start(&p->thread, prefetch_main, p);
        if (result)
            return result;
        p->running = true;
    }
    uint32_t bytes = n < PREFETCH_BYTES ? (uint32_t)n : PREFETCH_BYTES;
    return !prefetch_push(p, &(struct prefetch_part){owner, file, bytes, at});
}

bool prefetch_close(struct prefetch *p, int file)
{
    if (p->running)
        return prefetch_push(p, &(struct prefetch_part){.file = file});
    p->disk->close(p->disk->ctx, file);
    return true;
}

bool prefetch_pending(struct prefetch *p, const void *owner)
{
    pthread_mutex_lock(&p->lock);
    bool found = p->working == owner;
    for (uint32_t i = 0; i < p->count && !found; i++)
        found = p->parts[(p->first + i) % PREFETCH_MAX].owner == owner;
    pthread_mutex_unlock(&p->lock);
    return found;
}

void prefetch_cancel(struct prefetch *p, const void *owner)
{
    pthread_mutex_lock(&p->lock);
    for (uint32_t i = 0; i < p->count; i++) {
        struct prefetch_part *part = &p->parts[(p->first + i) % PREFETCH_MAX];
        if (part->owner == owner)
            part->owner = NULL;
    }
    pthread_mutex_unlock(&p->lock);
}

bool prefetch_take(struct prefetch *p)
{
    pthread_mutex_lock(&p->lock);
    bool done = p->done;
    p->done = false;
    pthread_mutex_unlock(&p->lock);
    return done;
}
