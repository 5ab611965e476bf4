#include "store/commit.h"

#include "base/clock.h"
#include "base/thread.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

/* Batches above this gain nothing from prepared space. */
#define COMMIT_SMALL (64u << 10)

/* Never written; were it const, the program's file would hold it. */
static uint8_t zeros[16 << 10];

/* Errors that may pass, after which the log stands as before. */
static bool commit_may_pass(int error)
{
    return error == -ENOSPC || error == -EDQUOT || error == -EFBIG || error == -EMFILE ||
           error == -ENFILE;
}

/* Ends all writing, for good. */
static int commit_fail(struct commit *c, int error)
{
    pthread_mutex_lock(&c->lock);
    c->failure = error;
    pthread_mutex_unlock(&c->lock);
    c->dirty = false;
    return error;
}

static int commit_sync(struct commit *c)
{
    int result = c->disk->sync(c->disk->ctx, c->segment.file);
    if (result)
        return commit_fail(c, result);
    pthread_mutex_lock(&c->lock);
    c->durable = c->end;
    pthread_mutex_unlock(&c->lock);
    c->dirty = false;
    return 0;
}

/* Takes back what is behind the end. */
static int commit_cut(struct commit *c)
{
    c->dirty = true;
    c->size = c->end;
    return c->disk->truncate(c->disk->ctx, c->segment.file, c->end - c->segment.head.base);
}

/* The old segment is durable before the new one exists, and that before anything stands in it. */
static int commit_rotate(struct commit *c, struct batch *b)
{
    int result = c->size > c->end ? commit_cut(c) : 0;
    if (result)
        return commit_fail(c, result);
    result = c->dirty ? commit_sync(c) : 0;
    if (result)
        return result;
    struct segment next = {.head = {.base = c->end,
                                    .first_id = b->first_id,
                                    .log = c->segment.head.log,
                                    .date = b->date},
                           .file = -1};
    result = segment_create(c->disk, &next);
    if (result)
        return commit_may_pass(result) ? result : commit_fail(c, result);
    b->opened = c->segment = next;
    c->end += SEGMENT_HEAD;
    c->size = c->end;
    c->flagged = false;
    result = segment_sync(c->disk, &next);
    return result ? commit_fail(c, result) : 0;
}

/* Cuts off what a failed write left, so that the log stands as before, on the disk too. */
static int commit_undo(struct commit *c, int error)
{
    if (!commit_may_pass(error))
        return commit_fail(c, error);
    int result = commit_cut(c);
    if (!result)
        result = commit_sync(c);
    return result ? commit_fail(c, result) : error;
}

/* What is refused must not come back with the next start. Nobody can promise that after a failed
 * sync, but cutting it off is the most that can be done. */
static int commit_sync_batch(struct commit *c, const struct batch *b)
{
    int result = commit_sync(c);
    if (result) {
        c->end -= b->records.n;
        (void)commit_cut(c);
        c->dirty = false;
    }
    return result;
}

/* Prepares the next piece behind a small batch. Where there is no room for it, there is none. */
static int commit_prepare(struct commit *c, const struct batch *b)
{
    uint64_t limit = c->segment.head.base + c->segment_size;
    if (c->end <= c->size)
        return 0;
    c->size = c->end;
    if (!c->prepare || b->records.n > COMMIT_SMALL || limit <= c->end)
        return 0;
    uint64_t until = limit - c->end < c->prepare ? limit : c->end + c->prepare;
    while (c->size < until) {
        size_t n = until - c->size < sizeof zeros ? (size_t)(until - c->size) : sizeof zeros;
        int result = c->disk->pwrite(c->disk->ctx, c->segment.file, zeros, n,
                                     c->size - c->segment.head.base);
        if (result)
            return commit_cut(c);
        c->size += n;
    }
    return 0;
}

static int commit_write(struct commit *c, struct batch *b)
{
    if (c->failure)
        return c->failure;
    int result = b->rotate ? commit_rotate(c, b) : 0;
    if (result || b->records.n == 0) /* it was to begin a segment alone */
        return result;
    result = c->disk->pwrite(c->disk->ctx, c->segment.file, b->records.p, b->records.n,
                             c->end - c->segment.head.base);
    if (result)
        return commit_undo(c, result);
    c->end += b->records.n;
    result = commit_prepare(c, b);
    if (result)
        return commit_fail(c, result);
    if (c->sync == STORE_SYNC_ALWAYS)
        return commit_sync_batch(c, b);
    /* The first batch of each segment is synced in every mode: should a power cut take all that follow, its flag
     * still tells that ids above it may have been seen. */
    if (!c->flagged) {
        c->flagged = true;
        return commit_sync_batch(c, b);
    }
    if (!c->dirty && c->sync == STORE_SYNC_TIMED)
        c->sync_due = clock_mono_ms(&clock_system) + c->sync_ms;
    c->dirty = true;
    return 0;
}

static void commit_sync_if_due(struct commit *c)
{
    if (!c->dirty || c->sync != STORE_SYNC_TIMED || clock_mono_ms(&clock_system) < c->sync_due)
        return;
    if (commit_sync(c))
        thread_wake(c->fd);
}

/* Whoever is woken finds the lock free. */
static void commit_run(struct commit *c)
{
    c->batch->opened.file = -1;
    c->batch->error = commit_write(c, c->batch);
    pthread_mutex_lock(&c->lock);
    c->state = COMMIT_DONE;
    pthread_mutex_unlock(&c->lock);
    pthread_cond_broadcast(&c->wake);
    thread_wake(c->fd);
}

/* Under the lock: until there is something to do, or a sync is due. */
static void commit_sleep(struct commit *c)
{
    if (!c->dirty || c->sync != STORE_SYNC_TIMED) {
        pthread_cond_wait(&c->wake, &c->lock);
        return;
    }
    struct timespec until = {(time_t)(c->sync_due / 1000), (long)(c->sync_due % 1000) * 1000000};
    pthread_cond_timedwait(&c->wake, &c->lock, &until);
}

static void *commit_main(void *arg)
{
    struct commit *c = arg;
    pthread_mutex_lock(&c->lock);
    while (!c->stop) {
        bool writing = c->state == COMMIT_WRITING;
        if (!writing)
            commit_sleep(c);
        pthread_mutex_unlock(&c->lock);
        if (writing)
            commit_run(c);
        commit_sync_if_due(c);
        pthread_mutex_lock(&c->lock);
    }
    pthread_mutex_unlock(&c->lock);
    return NULL;
}

static int commit_start(struct commit *c)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_mutex_init(&c->lock, NULL);
    pthread_cond_init(&c->wake, &attributes);
    pthread_condattr_destroy(&attributes);
    return c->threaded ? thread_start(&c->thread, commit_main, c) : 0;
}

int commit_init(struct commit *c, const struct store_options *options,
                const struct segment *segment, uint64_t end)
{
    *c = (struct commit){
        .disk = options->disk,
        .sync = options->sync,
        .sync_ms = options->sync_ms,
        .threaded = !options->inline_commit,
        .durable = end,
        .segment = *segment,
        .end = end,
        .size = end,
        .prepare = options->sync == STORE_SYNC_ALWAYS ? options->prepare : 0,
        .segment_size = options->segment_size,
    };
    c->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (c->fd < 0)
        return -errno;
    int result = commit_start(c);
    if (result)
        close(c->fd);
    return result;
}

int commit_fini(struct commit *c)
{
    if (c->threaded) {
        pthread_mutex_lock(&c->lock);
        c->stop = true;
        pthread_cond_broadcast(&c->wake);
        pthread_mutex_unlock(&c->lock);
        pthread_join(c->thread, NULL);
    }
    if (c->size > c->end && !c->failure)
        (void)commit_cut(c);
    if (c->dirty)
        (void)commit_sync(c);
    close(c->fd);
    pthread_cond_destroy(&c->wake);
    pthread_mutex_destroy(&c->lock);
    return c->failure;
}

bool commit_submit(struct commit *c, struct batch *batch)
{
    pthread_mutex_lock(&c->lock);
    bool idle = c->state == COMMIT_IDLE;
    if (idle) {
        c->batch = batch;
        c->state = COMMIT_WRITING;
    }
    pthread_mutex_unlock(&c->lock);
    if (idle && c->threaded) {
        pthread_cond_broadcast(&c->wake);
    } else if (idle) {
        commit_run(c);
        commit_sync_if_due(c);
    }
    return idle;
}

struct batch *commit_take(struct commit *c, int *failure)
{
    uint64_t count;
    ssize_t n = read(c->fd, &count, sizeof count);
    (void)n;
    pthread_mutex_lock(&c->lock);
    struct batch *batch = c->state == COMMIT_DONE ? c->batch : NULL;
    if (batch)
        c->state = COMMIT_TAKEN;
    if (c->state != COMMIT_WRITING)
        *failure = c->failure;
    pthread_mutex_unlock(&c->lock);
    return batch;
}

void commit_release(struct commit *c)
{
    pthread_mutex_lock(&c->lock);
    c->state = COMMIT_IDLE;
    pthread_mutex_unlock(&c->lock);
}

void commit_wait(struct commit *c)
{
    pthread_mutex_lock(&c->lock);
    while (c->state == COMMIT_WRITING)
        pthread_cond_wait(&c->wake, &c->lock);
    pthread_mutex_unlock(&c->lock);
}

uint64_t commit_durable(struct commit *c)
{
    pthread_mutex_lock(&c->lock);
    uint64_t durable = c->durable;
    pthread_mutex_unlock(&c->lock);
    return durable;
}
