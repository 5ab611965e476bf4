#include "store/prefetch.h"

#include "base/list.h"
#include "base/thread.h"

static const void *prefetch_owner(const struct prefetch_part *part)
{
    return __atomic_load_n(&part->owner, __ATOMIC_RELAXED);
}

static void prefetch_run(struct worker_job *job)
{
    struct prefetch_part *part = container_of(job, struct prefetch_part, job);
    const struct disk *disk = part->disk;
    uint8_t bytes[4096];
    if (part->n == 0)
        disk->close(disk->ctx, part->file);
    /* Whatever goes wrong here, the owner will meet it in its own reading. */
    for (uint64_t done = 0; prefetch_owner(part) && done < part->n; done += sizeof bytes)
        if (disk->pread(disk->ctx, part->file, bytes, sizeof bytes, part->at + done) <= 0)
            break;
    part->file = -1;
}

void prefetch_init(struct prefetch *p, const struct disk *disk, int fd)
{
    *p = (struct prefetch){.disk = disk};
    worker_init(&p->worker, fd, 0, true);
}

void prefetch_fini(struct prefetch *p)
{
    worker_fini(&p->worker);
    for (; p->first != p->next; p->first++) {
        const struct prefetch_part *part = &p->parts[p->first % PREFETCH_MAX];
        if (part->n == 0 && part->file >= 0)
            p->disk->close(p->disk->ctx, part->file);
    }
}

/* 0; 1: it is full; or -errno. */
static int prefetch_push(struct prefetch *p, const void *owner, int file, uint64_t at, uint32_t n)
{
    struct prefetch_part *part = &p->parts[p->next % PREFETCH_MAX];
    if (p->next - p->first == PREFETCH_MAX)
        return 1;
    *part = (struct prefetch_part){
        .job.run = prefetch_run, .disk = p->disk, .owner = owner, .file = file, .n = n, .at = at};
    int result = worker_give(&p->worker, &part->job);
    p->next += !result;
    return result;
}

int prefetch_ask(struct prefetch *p, const void *owner, int file, uint64_t at, size_t n)
{
    return prefetch_push(p, owner, file, at, n < PREFETCH_BYTES ? (uint32_t)n : PREFETCH_BYTES);
}

bool prefetch_close(struct prefetch *p, int file)
{
    if (p->worker.running)
        return prefetch_push(p, NULL, file, 0, 0) == 0;
    p->disk->close(p->disk->ctx, file);
    return true;
}

/* The part of this owner that is not done, or NULL. */
static struct prefetch_part *prefetch_find(struct prefetch *p, const void *owner)
{
    for (uint32_t i = p->first; i != p->next; i++) {
        struct prefetch_part *part = &p->parts[i % PREFETCH_MAX];
        if (part->owner == owner && worker_is_busy(&part->job))
            return part;
    }
    return NULL;
}

bool prefetch_pending(struct prefetch *p, const void *owner)
{
    return prefetch_find(p, owner);
}

void prefetch_cancel(struct prefetch *p, const void *owner)
{
    struct prefetch_part *part = prefetch_find(p, owner);
    if (part)
        __atomic_store_n(&part->owner, NULL, __ATOMIC_RELAXED);
}

void prefetch_yield(struct prefetch *p)
{
    p->yielded = true;
    thread_wake(p->worker.fd);
}

bool prefetch_take(struct prefetch *p)
{
    bool any = p->yielded;
    p->yielded = false;
    for (; p->first != p->next && !worker_is_busy(&p->parts[p->first % PREFETCH_MAX].job);
         p->first++)
        any = true;
    return any;
}
