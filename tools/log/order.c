#include "order.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define ORDER_READ 4096 /* bytes of one read: the records lie here and there */

struct found {
    uint64_t id, at; /* offset */
};

static int order_compare(const void *a, const void *b)
{
    const struct found *x = a, *y = b;
    return (x->id > y->id) - (x->id < y->id);
}

static enum store_status order_segment(void *ctx, const struct segment_head *head)
{
    const struct order *o = ctx;
    return o->to->segment ? o->to->segment(o->to->ctx, head) : STORE_OK;
}

static enum store_status order_fault(void *ctx, const struct walk_fault *fault)
{
    const struct order *o = ctx;
    return o->to->fault ? o->to->fault(o->to->ctx, fault) : STORE_OK;
}

static void order_progress(void *ctx, uint64_t done, uint64_t total)
{
    const struct order *o = ctx;
    if (o->to->progress)
        o->to->progress(o->to->ctx, done, total);
}

static enum store_status order_lost_head(void *ctx, const struct walk *w, uint64_t *base)
{
    const struct order *o = ctx;
    return o->to->lost_head ? o->to->lost_head(o->to->ctx, w, base) : STORE_END;
}

static enum store_status order_record(void *ctx, const struct walk_record *record)
{
    struct order *o = ctx;
    if (!o->walk->segment.head.end)
        return o->to->record(o->to->ctx, record);
    struct found found = {record->head.id, record->place - o->walk->segment.head.base};
    buf_append(&o->found, &found, sizeof found);
    return o->found.failed ? walk_refused(o->walk, "read", o->walk->name, -ENOMEM) : STORE_OK;
}

/* The record at this offset, which has been there a moment ago. */
static enum store_status order_again(struct order *o, struct window *window, uint64_t at)
{
    struct walk_record out = {.place = o->walk->segment.head.base + at};
    struct store_message message;
    struct message_names room;
    size_t wrong_at;
    int result = window_get(window, at, RECORD_HEAD, &out.p);
    if (!result && !record_read(&out.head, out.p))
        result = -EIO;
    if (!result)
        result = window_get(window, at, out.head.length, &out.p);
    if (!result && !record_valid(&out.head, out.p, out.place))
        result = -EIO;
    if (result)
        return walk_refused(o->walk, "read", o->walk->name, result);
    if (out.head.kind == RECORD_KIND_MESSAGE) {
        if (message_read(&message, &room, record_json(&out.head, out.p), &wrong_at))
            return STORE_OK; /* that has been told */
        out.message = &message;
    }
    return o->to->record(o->to->ctx, &out);
}

static enum store_status order_runs(void *ctx, struct slice bytes)
{
    struct order *o = ctx;
    struct found *all = (struct found *)(void *)o->found.p;
    size_t count = o->found.n / sizeof *all;
    struct window window = {
        .disk = o->walk->disk, .file = o->walk->segment.file, .least = ORDER_READ};
    char what[64];
    enum store_status status = STORE_OK;
    if (count)
        qsort(all, count, sizeof *all, order_compare);
    for (size_t i = 0; i < count && !status; i++) {
        if (!i || all[i].id != all[i - 1].id) {
            status = order_again(o, &window, all[i].at);
            continue;
        }
        snprintf(what, sizeof what, "id %" PRIu64 " is there twice", all[i].id);
        status =
            order_fault(o, &(struct walk_fault){WALK_DAMAGE, o->walk->name, all[i].at, 0, what});
    }
    window_free(&window);
    buf_clear(&o->found);
    return status || !o->to->runs ? status : o->to->runs(o->to->ctx, bytes);
}

void order_init(struct order *o, struct walk *walk)
{
    *o = (struct order){.walk = walk,
                        .to = walk->handler,
                        .handler = {.segment = order_segment,
                                    .record = order_record,
                                    .runs = order_runs,
                                    .fault = order_fault,
                                    .lost_head = order_lost_head,
                                    .progress = order_progress,
                                    .ctx = o}};
    walk->handler = &o->handler;
}

void order_fini(struct order *o)
{
    buf_free(&o->found);
}
