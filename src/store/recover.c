/*
 * Reads the whole log when the store is opened. Nothing on the disk is changed before all of it
 * has been read and found whole, but for a torn end.
 */
#include "store/inside.h"

#include "base/random.h"
#include "store/walk.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#define RECOVER_WRITE (64u << 10) /* bytes of one write */

struct recovery {
    struct store *s;
    const struct disk *disk;
    struct store_error *error;
    struct walk walk;
};

/* Damage ends the recovery; a torn end is mended after all has been read. */
static enum store_status recover_fault(void *ctx, const struct walk_fault *fault)
{
    struct recovery *r = ctx;
    if (fault->kind == WALK_TORN)
        return STORE_OK;
    if (fault->kind == WALK_STRAY)
        snprintf(r->error->text, sizeof r->error->text, "%s: %s", fault->file, fault->what);
    else
        snprintf(r->error->text, sizeof r->error->text,
                 "%s is damaged at offset %" PRIu64 ": %s; nothing was changed; parley-log repair "
                 "DIR COPY saves what can be saved",
                 fault->file, fault->at, fault->what);
    return STORE_DAMAGED;
}

static enum store_status recover_refused_segment(struct recovery *r, const char *verb,
                                                 uint64_t first_id, int error)
{
    char name[SEGMENT_NAME];
    segment_name(name, first_id);
    return walk_refused(&r->walk, verb, name, error);
}

/* Removes what a crash left of the last write. */
static enum store_status recover_mend(struct recovery *r)
{
    struct segments *all = &r->s->segments;
    char name[SEGMENT_NAME];
    if (all->count)
        segment_name(name, segments_last(all)->head.first_id);
    if (r->walk.torn_head) {
        r->disk->close(r->disk->ctx, all->at[--all->count].file);
        int result = r->disk->remove(r->disk->ctx, name);
        if (!result)
            result = r->disk->sync_dir(r->disk->ctx);
        if (result)
            return walk_refused(&r->walk, "remove", name, result);
        log_write(r->s->options.log, LOG_WARN, "%s, begun and never used, is removed", name);
    }
    if (r->walk.torn_bytes) {
        const struct segment *last = segments_last(all);
        uint64_t size = r->s->end - last->head.base;
        int result = r->disk->truncate(r->disk->ctx, last->file, size);
        if (result)
            return walk_refused(&r->walk, "truncate", name, result);
        log_write(r->s->options.log, LOG_WARN,
                  "%" PRIu64 " bytes of an unfinished write are cut off %s at offset %" PRIu64,
                  r->walk.torn_bytes, name, size);
    }
    return STORE_OK;
}

static enum store_status recover_first_segment(struct recovery *r)
{
    struct segment first = {{r->s->end, r->s->next_id, 0}, -1};
    int result = random_bytes(&first.head.log, sizeof first.head.log);
    if (!result)
        result = segments_reserve(&r->s->segments);
    if (!result)
        result = segment_create(r->disk, &first);
    if (result)
        return recover_refused_segment(r, "create", first.head.first_id, result);
    segments_push(&r->s->segments, &first);
    r->s->end += SEGMENT_HEAD;
    return STORE_OK;
}

/* What was read may stand in the kernel's memory alone: the process was killed before a sync, or
 * one failed, and then the pages may be taken for written that are not. What was not known to be
 * durable is written once more, and from here on counts as durable. */
static enum store_status recover_harden(struct recovery *r)
{
    const struct segment *last = segments_last(&r->s->segments);
    uint64_t base = last->head.base, end = r->s->end - base;
    uint8_t p[RECOVER_WRITE];
    for (uint64_t at = r->walk.durable > base ? r->walk.durable - base : 0; at < end;) {
        size_t n = end - at < sizeof p ? (size_t)(end - at) : sizeof p;
        int64_t got = r->disk->pread(r->disk->ctx, last->file, p, n, at);
        if (got != (int64_t)n)
            return recover_refused_segment(r, "read", last->head.first_id,
                                           got < 0 ? (int)got : -EIO);
        int result = r->disk->pwrite(r->disk->ctx, last->file, p, n, at);
        if (result)
            return recover_refused_segment(r, "write", last->head.first_id, result);
        at += n;
    }
    int result = segment_sync(r->disk, last);
    return result ? recover_refused_segment(r, "sync", last->head.first_id, result) : STORE_OK;
}

/* What has been read becomes the store's. */
static void recover_keep(struct recovery *r)
{
    struct store *s = r->s;
    s->end = r->walk.end;
    s->next_id = r->walk.next_id;
    s->last_date = r->walk.last_date;
    s->messages = r->walk.messages;
    if (r->walk.last_flags & RECORD_UNSYNCED)
        s->next_id += RECORD_SKIP_IDS;
}

static enum store_status recover_all(struct recovery *r)
{
    enum store_status status = walk_open(&r->walk);
    if (!status)
        status = walk_run(&r->walk);
    if (status)
        return status;
    recover_keep(r);
    status = recover_mend(r);
    if (!status && r->s->segments.count == 0)
        status = recover_first_segment(r);
    return status ? status : recover_harden(r);
}

enum store_status recover_log(struct store *s, struct store_error *error)
{
    struct recovery r = {.s = s, .disk = s->options.disk, .error = error};
    const struct walk_handler handler = {.fault = recover_fault, .ctx = &r};
    r.walk = (struct walk){.disk = r.disk,
                           .handler = &handler,
                           .segments = &s->segments,
                           .index = &s->index,
                           .error = error};
    enum store_status status = recover_all(&r);
    walk_close(&r.walk);
    return status;
}
