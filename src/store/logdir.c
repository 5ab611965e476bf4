#include "store/logdir.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define LOGDIR_TRIES 100 /* to open all files before one of them goes */

static int logdir_refused(struct logdir *d, const char *verb, const char *name, int error)
{
    d->verb = verb;
    snprintf(d->name, sizeof d->name, "%s", name);
    return error;
}

static void logdir_each_name(void *arg, const char *name)
{
    struct logdir *d = arg;
    struct segment segment = {.file = -1};
    enum segment_name_status status = segment_name_parse(name, &segment.head.first_id);
    if (status == SEGMENT_NAME_WRONG)
        d->stray(d->ctx, name);
    if (status != SEGMENT_NAME_OURS || d->failed)
        return;
    d->failed = segments_reserve(d->segments);
    if (!d->failed)
        segments_push(d->segments, &segment);
}

static int logdir_compare(const void *a, const void *b)
{
    const struct segment *x = a, *y = b;
    return (x->head.first_id > y->head.first_id) - (x->head.first_id < y->head.first_id);
}

static int logdir_list(struct logdir *d)
{
    struct segments *all = d->segments;
    int result = d->disk->list(d->disk->ctx, logdir_each_name, d);
    if (all->count)
        qsort(all->at, all->count, sizeof *all->at, logdir_compare);
    if (!result)
        result = d->failed;
    return result ? logdir_refused(d, "list", "", result) : 0;
}

/* Where the log begins. Without the file, at its first byte. */
static int logdir_read_begin(struct logdir *d)
{
    uint8_t p[LOG_BEGIN + 1];
    int file = d->disk->open(d->disk->ctx, LOG_BEGIN_NAME, 0);
    if (file == -ENOENT)
        return 0;
    int64_t got = file < 0 ? file : d->disk->pread(d->disk->ctx, file, p, sizeof p, 0);
    if (file >= 0)
        d->disk->close(d->disk->ctx, file);
    if (got < 0)
        return logdir_refused(d, "read", LOG_BEGIN_NAME, (int)got);
    if (got != LOG_BEGIN || !log_begin_read(&d->begin, p))
        d->begin_wrong = "this does not say where the log begins";
    else if (d->segments->count == 0)
        d->begin_wrong = "all segments behind it are missing";
    if (d->begin_wrong)
        d->begin = (struct log_begin){0};
    return 0;
}

/* Whether an arranged segment has taken its place, or it was dropped: a crash came in between. */
static bool logdir_is_left_over(const struct logdir *d, uint32_t i)
{
    const struct segment *s = &d->segments->at[i], *before = i ? s - 1 : NULL;
    uint64_t end = s->head.end ? s->head.end : s->head.base + s->size;
    if (d->begin.place && s->head.log == d->begin.log && end <= d->begin.place)
        return true;
    return before && before->head.log == s->head.log && s->head.base < before->head.end;
}

/* 0; -errno; or 1: it is gone. */
static int logdir_open_segment(struct logdir *d, uint32_t i, bool *left_over)
{
    struct segment *s = &d->segments->at[i];
    uint64_t first_id = s->head.first_id;
    char name[SEGMENT_NAME];
    uint8_t p[SEGMENT_HEAD];
    uint32_t version;
    segment_name(name, first_id);
    s->file = d->disk->open(d->disk->ctx, name, 0);
    if (s->file == -ENOENT)
        return 1;
    if (s->file < 0)
        return logdir_refused(d, "open", name, s->file);
    int64_t size = d->disk->size(d->disk->ctx, s->file);
    int64_t got = size < 0 ? size : d->disk->pread(d->disk->ctx, s->file, p, sizeof p, 0);
    if (got < 0)
        return logdir_refused(d, "read", name, (int)got);
    s->size = (uint64_t)size;
    bool whole = got == sizeof p && segment_head_read(&s->head, p, &version) == SEGMENT_HEAD_OK;
    *left_over = whole && logdir_is_left_over(d, i);
    if (!whole)
        s->head = (struct segment_head){0};
    s->head.first_id = first_id;
    return 0;
}

static int logdir_open_all(struct logdir *d)
{
    struct segments *all = d->segments;
    /* In this order: a server says that the log begins later before a segment is gone. */
    int result = logdir_list(d);
    if (!result)
        result = logdir_read_begin(d);
    for (uint32_t i = 0; i < all->count && !result;) {
        bool left_over = false;
        result = segments_reserve(&d->left_over);
        if (!result)
            result = logdir_open_segment(d, i, &left_over);
        if (left_over) {
            d->disk->close(d->disk->ctx, all->at[i].file);
            all->at[i].file = -1;
            segments_push(&d->left_over, &all->at[i]);
            segments_replace(all, i, 1, NULL);
        } else if (!result) {
            d->total += all->at[i++].size;
        }
    }
    return result;
}

int logdir_open(struct logdir *d)
{
    d->verb = "open";
    int result = logdir_open_all(d);
    for (int i = 0; result == 1 && i < LOGDIR_TRIES; i++) {
        segments_fini(d->segments, d->disk);
        logdir_fini(d);
        d->total = 0;
        d->begin = (struct log_begin){0};
        d->begin_wrong = NULL;
        result = logdir_open_all(d);
    }
    return result;
}

void logdir_fini(struct logdir *d)
{
    segments_fini(&d->left_over, d->disk);
}
