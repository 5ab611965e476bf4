/*
 * Reads the whole log when the store is opened. Nothing on the disk is changed before all of it
 * has been read and found whole, but for a torn end.
 */
#include "store/inside.h"

#include "base/clock.h"
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
    struct walk_handler handler;
    int64_t told; /* when the last line of progress was written, monotonic ms */
    uint64_t told_done;
};

/* Damage ends the recovery; a torn end is mended after all has been read. */
static enum store_status recover_fault(void *ctx, const struct walk_fault *fault)
{
    struct recovery *r = ctx;
    if (fault->kind == WALK_TORN)
        return STORE_OK;
    if (fault->kind == WALK_STRAY)
        snprintf(r->error->text, sizeof r->error->text, "%s: %s", fault->file, fault->what);
    else if (fault->kind == WALK_NEWER)
        snprintf(r->error->text, sizeof r->error->text,
                 "%s: %s; nothing was changed; start the parley that wrote it, or a newer one",
                 fault->file, fault->what);
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
    /* The name of what makes them needless may be known to the kernel alone. */
    int named = r->walk.dir.left_over.count ? r->disk->sync_dir(r->disk->ctx) : 0;
    if (named)
        return walk_refused(&r->walk, "sync", "", named);
    for (uint32_t i = 0; i < r->walk.dir.left_over.count; i++) {
        segment_name(name, r->walk.dir.left_over.at[i].head.first_id);
        int result = r->disk->remove(r->disk->ctx, name);
        if (result)
            return walk_refused(&r->walk, "remove", name, result);
    }
    if (all->count)
        segment_name(name, segments_last(all)->head.first_id);
    /* Prepared space goes as well: what is begun anew is known. */
    const struct segment *last = all->count ? segments_last(all) : NULL;
    uint64_t size = last ? r->s->end - last->head.base : 0;
    if (!last || last->size == size)
        return STORE_OK;
    int result = r->disk->truncate(r->disk->ctx, last->file, size);
    if (result)
        return walk_refused(&r->walk, "truncate", name, result);
    if (r->walk.torn_bytes)
        log_write(r->s->options.log, LOG_WARN,
                  "%" PRIu64 " bytes of an unfinished write are cut off %s at offset %" PRIu64,
                  r->walk.torn_bytes, name, size);
    return STORE_OK;
}

/* The log is empty, or nothing may be appended to its last segment. */
static enum store_status recover_first_segment(struct recovery *r)
{
    struct segment first = {
        .head = {.base = r->s->end,
                 .first_id = r->s->next_id,
                 .log = r->walk.log,
                 .date = r->s->end ? r->s->last_date : clock_wall_ms(&clock_system)},
        .file = -1};
    int result = r->walk.known ? 0 : random_bytes(&first.head.log, sizeof first.head.log);
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
    s->committed_id = s->next_id - 1;
    s->tip = r->walk.tip;
    s->last_date = s->tip.date;
    if (s->tip.flags & RECORD_UNSYNCED)
        s->next_id += RECORD_SKIP_IDS;
}

/* ---- reading ---------------------------------------------------------------------------- */

/* A line a second, for whoever waits. */
static void recover_progress(void *ctx, uint64_t done, uint64_t total)
{
    struct recovery *r = ctx;
    int64_t now = clock_mono_ms(&clock_system);
    if (now - r->told < 1000 || total == 0)
        return;
    log_write(r->s->options.log, LOG_INFO,
              "reading the log: %" PRIu64 " %% of %" PRIu64 " MiB, %" PRIu64 " MiB/s",
              done * 100 / total, total >> 20,
              ((done - r->told_done) * 1000 / (uint64_t)(now - r->told)) >> 20);
    r->told = now;
    r->told_done = done;
}

/* What was sent with a key is remembered. */
static enum store_status recover_record(void *ctx, const struct walk_record *record)
{
    struct recovery *r = ctx;
    const struct record *head = &record->head;
    if (!head->key_length || !index_is_used(&r->s->index, head->conversation))
        return STORE_OK;
    const struct conversation *c = &r->s->index.conversations[head->conversation];
    struct slice json = record_json(head, record->p);
    const struct key key =
        keys_describe(index_name(&r->s->index, c->user[head->flags & RECORD_FROM_SECOND]),
                      slice_of(json.p + json.n, head->key_length), json, head->id, head->date);
    return keys_load(&r->s->keys, &key) ? walk_refused(&r->walk, "read", "", -ENOMEM) : STORE_OK;
}

static const struct walk_handler *recover_handler(struct recovery *r)
{
    r->handler = (struct walk_handler){
        .record = recover_record, .fault = recover_fault, .progress = recover_progress, .ctx = r};
    return &r->handler;
}

static enum store_status recover_walk(struct recovery *r, const struct checkpoint_head *start)
{
    r->told = clock_mono_ms(&clock_system);
    r->told_done = 0;
    r->walk = (struct walk){.disk = r->disk,
                            .handler = recover_handler(r),
                            .segments = &r->s->segments,
                            .index = &r->s->index,
                            .error = r->error,
                            .start = start};
    enum store_status status = walk_open(&r->walk);
    return status ? status : walk_run(&r->walk);
}

/* Everything that the checkpoint knows lies in front of its place, or was found by reading on, or passed
 * over. */
static bool recover_is_whole(const struct recovery *r, const struct checkpoint_head *head)
{
    const struct index *ix = &r->s->index;
    for (uint32_t i = 0; i < ix->conversation_count; i++)
        if (ix->conversations[i].last != ix->conversations[i].tail &&
            !erased_has(&r->walk.erased, i))
            return false;
    return r->walk.begun && head->reach <= r->walk.end;
}

static int recover_forget(struct recovery *r)
{
    walk_close(&r->walk);
    segments_fini(&r->s->segments, r->disk);
    r->s->segments = (struct segments){0};
    index_fini(&r->s->index);
    keys_fini(&r->s->keys);
    int result = index_init(&r->s->index);
    int keys = keys_init(&r->s->keys, r->s->options.max_keys);
    return result ? result : keys;
}

/* What was durable when a checkpoint was written cannot be a write that was never finished. */
static enum store_status recover_check_end(const struct recovery *r,
                                           const struct checkpoint_head *head)
{
    if ((r->walk.known && r->walk.log != head->log) || r->walk.end >= head->place)
        return STORE_OK;
    snprintf(r->error->text, sizeof r->error->text,
             "the log ends at place %" PRIu64 ", and was durable up to %" PRIu64
             " when the file checkpoint was written: its end is missing or damaged; nothing was "
             "changed; bring it back, or remove the checkpoint to go on without it",
             r->walk.end, head->place);
    return STORE_DAMAGED;
}

/* The log from its checkpoint on, or all of it. Whatever a checkpoint leads to that is not good is looked
 * at again without it: it costs time, never data. */
static enum store_status recover_read(struct recovery *r)
{
    struct checkpoint_head head;
    const char *why = checkpoint_load(r->disk, &r->s->index, &r->s->keys, &head);
    bool loaded = !why;
    if (loaded) {
        enum store_status status = recover_walk(r, &head);
        r->s->checkpointed = head.place;
        if (status == STORE_OK && recover_is_whole(r, &head)) {
            /* Of what was dropped since, nobody knows how much had been read. */
            if (head.begin != r->walk.dir.begin.place)
                index_drop(&r->s->index, 0, walk_first_id(&r->walk), NULL, 0);
            return STORE_OK;
        }
        why = "it does not fit the log";
    }
    if (*why)
        log_write(r->s->options.log, LOG_WARN,
                  "the checkpoint is not used: %s; the whole log is read", why);
    r->s->checkpointed = 0;
    if (recover_forget(r))
        return walk_refused(&r->walk, "read", "", -ENOMEM);
    enum store_status status = recover_walk(r, NULL);
    if (status == STORE_OK && loaded)
        status = recover_check_end(r, &head);
    if (status == STORE_OK && *why)
        checkpoint_remove(r->disk);
    return status;
}

enum store_status recover_log(struct store *s, struct store_error *error)
{
    struct recovery r = {.s = s, .disk = s->options.disk, .error = error, .walk.error = error};
    enum store_status status = recover_read(&r);
    s->index.begin = r.walk.dir.begin.place;
    s->erase.note = r.walk.erased;
    r.walk.erased = (struct erased){0};
    if (!status && (index_load_end(&s->index, s->erase.note.numbers, s->erase.note.count) ||
                    keys_load_end(&s->keys)))
        status = walk_refused(&r.walk, "read", "", -ENOMEM);
    if (!status) {
        recover_keep(&r);
        status = recover_mend(&r);
    }
    if (!status && (s->segments.count == 0 || segments_last(&s->segments)->head.end))
        status = recover_first_segment(&r);
    if (!status)
        status = recover_harden(&r);
    walk_close(&r.walk);
    return status;
}
