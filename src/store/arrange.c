#include "store/arrange.h"

#include "base/endian.h"
#include "store/index.h"
#include "store/window.h"

#include <errno.h>
#include <stdlib.h>

#define ARRANGE_SYNC (UINT64_C(8) << 20) /* bytes between syncs: a large one holds up others' */
#define ARRANGE_WRITE (1u << 20)         /* bytes of one write */
#define ARRANGE_SCAN (256u << 10) /* bytes of one read of a segment from its begin to its end */
#define ARRANGE_READ (32u << 10)  /* bytes of one read of an arranged one among others */
#define ARRANGE_RECORD 1024       /* bytes of one read of a record here and there */
#define ARRANGE_RUNS (4096u / SEGMENT_RUN * SEGMENT_RUN) /* bytes of one read of a list of runs */

/* A segment that is read. */
struct input {
    const struct segment *segment;
    uint64_t end;           /* offset behind its records */
    struct window window;   /* on its records */
    uint32_t (*last)[3];    /* raw, of each conversation: offsets of the newest message and of the
                               highest mark of each user; 0: none */
    struct window runs;     /* arranged: on its list; raw: on a mark */
    uint32_t run;           /* arranged: which run comes next, */
    uint32_t conversation;  /* whose it is, UINT32_MAX behind the last, */
    uint64_t begin, newest; /* and the offsets of its first and of its last record */
    uint64_t done;          /* bytes of its records that are copied, or marks that were looked at */
};

struct best_mark {
    uint32_t input;
    uint64_t at; /* offset; 0: none */
    uint64_t id, up_to;
};

struct arranging {
    const struct arrange *a;
    struct input inputs[ARRANGE_MAX];
    uint32_t input;   /* the one that is being read, */
    uint64_t at;      /* and where: for whoever asks about damage */
    uint32_t *chain;  /* offsets of the records of a run, newest first */
    size_t chain_cap; /* entries */

    struct segment out;
    struct buf gathered; /* its end, not written yet */
    uint64_t written;    /* bytes of it that are, */
    uint64_t synced;     /* and that were when it was synced last */
    struct buf runs;     /* its list */
    uint64_t newest;     /* offset of its last record; 0: none */
    bool leave;          /* the conversation whose turn it is goes into none */
};

/* ---- what is written --------------------------------------------------------------------- */

static int arrange_flush(struct arranging *w)
{
    const struct disk *disk = w->a->disk;
    if (worker_stopping(w->a->worker))
        return -ECANCELED;
    int result = disk->pwrite(disk->ctx, w->out.file, w->gathered.p, w->gathered.n, w->written);
    w->written += w->gathered.n;
    buf_clear(&w->gathered);
    if (!result && w->written - w->synced >= ARRANGE_SYNC) {
        w->synced = w->written;
        result = disk->sync(disk->ctx, w->out.file);
    }
    return result;
}

static int arrange_leave(struct arranging *w, const struct record *r)
{
    struct arrange_left *left = w->a->left;
    if (r->kind != RECORD_KIND_MESSAGE)
        return 0;
    left->messages++;
    if (r->key_length)
        buf_append(&left->keyed, &r->id, sizeof r->id);
    return left->keyed.failed ? -ENOMEM : 0;
}

/* The record gets its place in the new segment, behind the one before it in its run. */
static int arrange_put(struct arranging *w, struct record *r, const uint8_t *p, bool first)
{
    if (w->leave)
        return arrange_leave(w, r);
    int result = w->gathered.n + r->length > ARRANGE_WRITE ? arrange_flush(w) : 0;
    if (result)
        return result;
    uint8_t *to = buf_reserve(&w->gathered, r->length);
    if (!to)
        return -ENOMEM;
    uint64_t at = w->written + w->gathered.n, base = w->out.head.base;
    if (!first)
        r->prev = base + w->newest;
    r->back = 0; /* it was durable, as was all in front of it, before it was moved */
    memcpy(to + RECORD_HEAD, p + RECORD_HEAD, r->length - RECORD_HEAD);
    record_seal(r, to, base + at);
    w->gathered.n += r->length;
    w->newest = at;
    return 0;
}

static int arrange_end_run(struct arranging *w, uint32_t conversation)
{
    record_append_run(&w->runs, conversation, w->newest);
    w->out.head.runs++;
    return w->runs.failed ? -ENOMEM : 0;
}

/* The list of the runs, then the head, which was left out. */
static int arrange_end(struct arranging *w)
{
    const struct disk *disk = w->a->disk;
    uint8_t head[SEGMENT_HEAD];
    int result = arrange_flush(w);
    if (result)
        return result;
    record_append_check(&w->runs);
    if (w->runs.failed)
        return -ENOMEM;
    segment_head_write(&w->out.head, head);
    result = disk->pwrite(disk->ctx, w->out.file, w->runs.p, w->runs.n, w->written);
    if (!result)
        result = disk->pwrite(disk->ctx, w->out.file, head, sizeof head, 0);
    if (!result)
        result = disk->sync(disk->ctx, w->out.file);
    w->out.size = w->written + w->runs.n;
    return result;
}

/* ---- what is read ------------------------------------------------------------------------ */

/* The record at this offset; its check only where it is copied. */
static int arrange_record(struct arranging *w, uint32_t number, uint64_t at, bool whole,
                          struct record *r, const uint8_t **p)
{
    struct input *in = &w->inputs[number];
    w->input = number;
    w->at = at;
    if (in->end - at < RECORD_HEAD)
        return -EBADMSG;
    int result = window_get(&in->window, at, RECORD_HEAD, p);
    if (result)
        return result;
    if (!record_read(r, *p) || r->length > in->end - at ||
        (r->kind == RECORD_KIND_MESSAGE && r->conversation >= w->a->conversations))
        return -EBADMSG;
    if (!whole)
        return 0;
    result = window_get(&in->window, at, r->length, p);
    if (result)
        return result;
    return record_valid(r, *p, in->segment->head.base + at) ? 0 : -EBADMSG;
}

/* Whether the mark at this offset lies above the one that was noted. */
static int arrange_is_above(struct input *in, uint64_t at, uint64_t noted, bool *above)
{
    const uint8_t *p, *before;
    int result = noted ? window_get(&in->runs, noted, RECORD_MARK, &before) : 0;
    uint64_t least = noted && !result ? record_up_to(before) : 0;
    if (!result)
        result = window_get(&in->window, at, RECORD_MARK, &p);
    if (!result)
        *above = record_up_to(p) > least;
    return result;
}

/* Notes where the newest records of each conversation are. */
static int arrange_scan(struct arranging *w, uint32_t number)
{
    struct input *in = &w->inputs[number];
    struct record r = {0};
    const uint8_t *p;
    in->last = calloc(w->a->conversations, sizeof *in->last);
    if (!in->last)
        return -ENOMEM;
    in->window.least = ARRANGE_SCAN;
    in->runs.least = ARRANGE_RECORD;
    for (uint64_t at = SEGMENT_HEAD; at < in->end; at += r.length) {
        if (worker_stopping(w->a->worker))
            return -ECANCELED;
        int result = arrange_record(w, number, at, false, &r, &p);
        if (result)
            return result;
        if (r.kind == RECORD_KIND_MARK)
            in->done += r.length;
        if (r.conversation >= w->a->conversations)
            continue; /* a mark whose conversation has no message any more */
        bool newest = true;
        uint32_t *last = in->last[r.conversation];
        if (r.kind == RECORD_KIND_MARK) {
            last += 1 + (r.flags & RECORD_FROM_SECOND);
            result = arrange_is_above(in, at, *last, &newest);
        }
        if (result)
            return result;
        if (newest)
            *last = (uint32_t)at;
    }
    window_free(&in->window);
    in->window.least = ARRANGE_RECORD;
    return 0;
}

/* Moves on to the next run of an arranged segment. */
static int arrange_next_run(struct arranging *w, uint32_t number)
{
    struct input *in = &w->inputs[number];
    const uint8_t *p;
    w->input = number;
    in->conversation = UINT32_MAX;
    if (in->run == in->segment->head.runs)
        return 0;
    w->at = segment_runs_at(in->segment) + (uint64_t)in->run * SEGMENT_RUN;
    int result = window_get(&in->runs, w->at, SEGMENT_RUN, &p);
    if (result)
        return result;
    in->run++;
    in->conversation = le32_load(p);
    in->newest = le64_load(p + 4);
    return in->newest < in->begin || in->newest >= in->end ? -EBADMSG : 0;
}

static int arrange_open(struct arranging *w, uint32_t number)
{
    struct input *in = &w->inputs[number];
    const struct arrange *a = w->a;
    const struct segment *s = &a->inputs[number];
    uint64_t end = number + 1 < a->count ? a->inputs[number + 1].head.base : a->end;
    in->segment = s;
    in->window = (struct window){.disk = a->disk, .file = s->file, .least = ARRANGE_READ};
    in->runs = (struct window){.disk = a->disk, .file = s->file, .least = ARRANGE_RUNS};
    in->end = end - s->head.base;
    if (!s->head.end)
        return arrange_scan(w, number);
    in->end = segment_runs_at(s);
    in->begin = SEGMENT_HEAD;
    return arrange_next_run(w, number);
}

/* ---- from one to the other --------------------------------------------------------------- */

/* The records of a conversation in a raw segment, by their offsets, newest first. */
static int arrange_chain(struct arranging *w, uint32_t number, uint32_t conversation, size_t *count)
{
    const struct input *in = &w->inputs[number];
    uint64_t base = in->segment->head.base;
    struct record r;
    const uint8_t *p;
    *count = 0;
    for (uint64_t at = in->last[conversation][0]; at; at = r.prev < base ? 0 : r.prev - base) {
        if (*count == w->chain_cap) {
            size_t cap = w->chain_cap ? w->chain_cap * 2 : 1024;
            void *chain = reallocarray(w->chain, cap, sizeof *w->chain);
            if (!chain)
                return -ENOMEM;
            w->chain = chain;
            w->chain_cap = cap;
        }
        int result = arrange_record(w, number, at, false, &r, &p);
        if (result)
            return result;
        if (r.conversation != conversation || r.kind != RECORD_KIND_MESSAGE || r.prev >= base + at)
            return -EBADMSG;
        w->chain[(*count)++] = (uint32_t)at;
    }
    return 0;
}

/* Notes a mark if it is above the one that was noted. */
static int arrange_note_mark(struct arranging *w, uint32_t number, uint32_t conversation,
                             uint64_t at, struct best_mark best[2])
{
    struct record r = {0};
    const uint8_t *p;
    int result = arrange_record(w, number, at, true, &r, &p);
    if (result)
        return result;
    if (r.kind != RECORD_KIND_MARK || r.conversation != conversation)
        return -EBADMSG;
    struct best_mark *b = &best[r.flags & RECORD_FROM_SECOND];
    uint64_t up_to = record_up_to(p);
    if (up_to >= w->a->first_id && up_to > b->up_to)
        *b = (struct best_mark){number, at, r.id, up_to};
    return 0;
}

/* The marks that the input holds of this conversation; in a run they stand in front. */
static int arrange_find_marks(struct arranging *w, uint32_t number, uint32_t conversation,
                              struct best_mark best[2])
{
    struct input *in = &w->inputs[number];
    struct record r = {.kind = RECORD_KIND_MARK};
    const uint8_t *p;
    int result = 0;
    for (int i = 1; i < 3 && in->last && !result; i++)
        if (in->last[conversation][i])
            result = arrange_note_mark(w, number, conversation, in->last[conversation][i], best);
    while (!in->last && in->conversation == conversation && in->begin <= in->newest && !result) {
        result = arrange_record(w, number, in->begin, false, &r, &p);
        if (result || r.kind != RECORD_KIND_MARK)
            break;
        result = arrange_note_mark(w, number, conversation, in->begin, best);
        in->begin += r.length;
        in->done += r.length;
    }
    return result;
}

/* In the order of their ids. */
static int arrange_put_marks(struct arranging *w, const struct best_mark best[2])
{
    int first = best[0].at && (!best[1].at || best[0].id < best[1].id) ? 0 : 1, result = 0;
    for (int i = 0; i < 2 && !result; i++) {
        const struct best_mark *b = &best[i ? !first : first];
        struct record r = {0};
        const uint8_t *p;
        if (b->at)
            result = arrange_record(w, b->input, b->at, true, &r, &p);
        if (b->at && !result)
            result = arrange_put(w, &r, p, true);
    }
    return result;
}

/* The messages that the input holds of this conversation. *first: nothing of it was put yet. */
static int arrange_copy(struct arranging *w, uint32_t number, uint32_t conversation, bool *first)
{
    struct input *in = &w->inputs[number];
    struct record r = {0};
    const uint8_t *p;
    size_t count = 0;
    int result = 0;
    if (!in->segment->head.end) {
        result = arrange_chain(w, number, conversation, &count);
        for (size_t i = count; i-- > 0 && !result; *first = false) {
            result = arrange_record(w, number, w->chain[i], true, &r, &p);
            if (!result)
                result = arrange_put(w, &r, p, *first);
            in->done += r.length;
        }
        return result;
    }
    if (in->conversation != conversation)
        return 0;
    while (in->begin <= in->newest && !result) {
        result = arrange_record(w, number, in->begin, true, &r, &p);
        if (!result && (r.conversation != conversation || r.kind != RECORD_KIND_MESSAGE))
            result = -EBADMSG;
        if (result)
            return result;
        in->begin += r.length;
        in->done += r.length;
        result = arrange_put(w, &r, p, *first);
        *first = false;
    }
    return result ? result : arrange_next_run(w, number);
}

/* Runs of marks alone, behind those of all conversations that have messages, say nothing. */
static int arrange_pass_marks(struct arranging *w, uint32_t number)
{
    struct input *in = &w->inputs[number];
    struct best_mark ignored[2] = {{0}};
    int result = 0;
    while (!in->last && in->conversation != UINT32_MAX && !result) {
        result = arrange_find_marks(w, number, in->conversation, ignored);
        if (!result)
            result = in->begin <= in->newest ? -EBADMSG : arrange_next_run(w, number);
    }
    return result;
}

/* The inputs are about to go: what a chain or a list left out would be lost. */
static int arrange_check(struct arranging *w)
{
    for (w->input = 0; w->input < w->a->count; w->input++) {
        w->at = w->inputs[w->input].end;
        if (w->inputs[w->input].done != w->at - SEGMENT_HEAD)
            return -EBADMSG;
    }
    return 0;
}

/* Whether the input holds anything of what is to be left out: ARRANGE_NEEDLESS if not. */
static int arrange_is_needed(struct arranging *w)
{
    struct input *in = &w->inputs[0];
    const uint8_t *set = w->a->without;
    int result = 0;
    uint32_t c = 0;
    for (; in->last && c < w->a->conversations; c++)
        if (index_bit(set, c) && (in->last[c][0] || in->last[c][1] || in->last[c][2]))
            return 0;
    if (in->last)
        return ARRANGE_NEEDLESS;
    while (in->conversation < w->a->conversations && !index_bit(set, in->conversation) && !result)
        result = arrange_next_run(w, 0);
    if (!result && in->conversation >= w->a->conversations)
        result = ARRANGE_NEEDLESS;
    in->run = 0;
    return result ? result : arrange_next_run(w, 0);
}

static int arrange_all(struct arranging *w)
{
    const struct arrange *a = w->a;
    int result = 0;
    for (uint32_t i = 0; i < a->count && !result; i++)
        result = arrange_open(w, i);
    if (!result && a->without)
        result = arrange_is_needed(w);
    for (uint32_t c = 0; c < a->conversations && !result; c++) {
        bool first = true;
        struct best_mark best[2] = {{0}};
        w->leave = a->without && index_bit(a->without, c);
        for (uint32_t i = 0; i < a->count && !result; i++)
            result = arrange_find_marks(w, i, c, best);
        if (!result)
            result = arrange_put_marks(w, best);
        for (uint32_t i = 0; i < a->count && !result; i++)
            result = arrange_copy(w, i, c, &first);
        if (!result && (!first || best[0].at || best[1].at) && !w->leave)
            result = arrange_end_run(w, c);
    }
    for (uint32_t i = 0; i < a->count && !result; i++)
        result = arrange_pass_marks(w, i);
    if (!result)
        result = arrange_check(w);
    return result ? result : arrange_end(w);
}

/* The new segment takes the first one's name for good before the others lose theirs: what a crash
 * leaves of them is known by the places it stands for. */
static int arrange_replace(const struct arrange *a)
{
    const struct disk *disk = a->disk;
    char name[SEGMENT_NAME];
    segment_name(name, a->inputs[0].head.first_id);
    int result = disk->rename(disk->ctx, ARRANGE_NAME, name);
    if (result)
        return result;
    bool durable = disk->sync_dir(disk->ctx) == 0;
    for (uint32_t i = 1; i < a->count; i++)
        segment_leave(disk, a->inputs[i].head.first_id, durable, a->stayed);
    if (durable && a->count > 1)
        disk->sync_dir(disk->ctx);
    return 0;
}

int arrange_run(const struct arrange *a, struct segment *out, struct arrange_damage *damaged)
{
    const struct disk *disk = a->disk;
    static const uint8_t no_head[SEGMENT_HEAD];
    struct arranging w = {.a = a, .out = {.head = a->inputs[0].head}};
    w.out.head.end = a->end;
    w.out.head.runs = 0;
    disk->remove(disk->ctx, ARRANGE_NAME); /* of an earlier try */
    w.out.file = disk->open(disk->ctx, ARRANGE_NAME, 1);
    if (w.out.file < 0)
        return w.out.file;
    buf_append(&w.gathered, no_head, sizeof no_head);
    int result = w.gathered.failed ? -ENOMEM : arrange_all(&w);
    if (!result)
        result = arrange_replace(a);
    for (uint32_t i = 0; i < a->count; i++) {
        window_free(&w.inputs[i].window);
        window_free(&w.inputs[i].runs);
        free(w.inputs[i].last);
    }
    free(w.chain);
    buf_free(&w.gathered);
    buf_free(&w.runs);
    *out = w.out;
    *damaged = (struct arrange_damage){w.input, w.at};
    if (result == 0)
        return 0;
    disk->close(disk->ctx, w.out.file);
    disk->remove(disk->ctx, ARRANGE_NAME);
    disk->sync_dir(disk->ctx);
    return result == -ENODATA ? -EBADMSG : result;
}
