#include "store/inside.h"

#include "base/list.h"
#include "store/window.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define DAY_MS (INT64_C(24) * 60 * 60 * 1000)
#define UPKEEP_READ (256u << 10) /* bytes of one read */

/* ---- what is to be done ------------------------------------------------------------------ */

/* A clock that jumps ahead must not take the log with it: however late it is, no more goes with one tick than the
 * first segment and what is at most a day younger. A log may say any date. */
void upkeep_tick(struct store *s)
{
    struct upkeep *u = &s->upkeep;
    int64_t first = s->segments.at[s->segments.count > 1].head.date, most;
    int64_t date = s->now - s->options.retain_days * DAY_MS;
    if (__builtin_add_overflow(first > u->keeps ? first : u->keeps, DAY_MS, &most))
        most = date;
    u->keeps = date < most ? date : most;
    u->due = true;
    upkeep_step(s);
}

/* Whether the segment, and with it all in front of it, is not to be kept. */
static bool upkeep_is_over(const struct store *s, uint32_t i)
{
    uint64_t bytes = s->options.retain_bytes;
    return (bytes && s->end - s->segments.at[i].head.base > bytes) ||
           (s->options.retain_days && s->segments.at[i + 1].head.date < s->upkeep.keeps);
}

/* Arranged, and not the result of many. */
static bool upkeep_is_small(const struct store *s, uint32_t i)
{
    const struct segment *one = &s->segments.at[i];
    return one->head.end && !one->stuck &&
           one->head.end - one->head.base < ARRANGE_MAX / 2 * s->options.segment_size;
}

bool upkeep_has_room(const struct store *s, uint32_t first, uint32_t count)
{
    const struct disk *disk = s->options.disk;
    uint64_t bytes =
        segments_end(&s->segments, first + count - 1) - s->segments.at[first].head.base;
    return !disk->room || disk->room(disk->ctx) / 4 > bytes;
}

/* How many of the segments from *first on become one: those that are raw each by itself, as long as
 * they are in the page cache; then as many as may, at once. 0: none. */
static uint32_t upkeep_choose(const struct store *s, uint32_t *first)
{
    uint32_t sealed = s->segments.count - 1, adjoining = 0;
    for (uint32_t i = 0; i < sealed; i++) {
        const struct segment *one = &s->segments.at[i];
        *first = i;
        if (!one->head.end && !one->stuck)
            return 1;
    }
    for (uint32_t i = 0; i < sealed; i++) {
        adjoining = upkeep_is_small(s, i) ? adjoining + 1 : 0;
        *first = i + 1 - adjoining;
        if (adjoining == ARRANGE_MAX || (adjoining > 1 && i + 1 == sealed && s->compacting))
            return adjoining;
    }
    return 0;
}

/* ---- the worker's part ------------------------------------------------------------------- */

/* Counts the messages of a segment. What cannot be read is met as damage elsewhere. */
static int upkeep_count(struct upkeep *u, uint32_t i)
{
    const struct segment *one = &u->arrange.inputs[i];
    uint64_t next = i + 1 < u->arrange.count ? u->arrange.inputs[i + 1].head.base : u->arrange.end;
    uint64_t end = one->head.end ? segment_runs_at(one) : next - one->head.base;
    struct window window = {.disk = u->arrange.disk, .file = one->file, .least = UPKEEP_READ};
    struct record r = {0};
    int result = 0;
    for (uint64_t at = SEGMENT_HEAD; at < end && !result; at += r.length) {
        const uint8_t *p;
        if (worker_stopping(u->arrange.worker) || window_get(&window, at, RECORD_HEAD, &p) ||
            !record_read(&r, p) || r.conversation >= u->arrange.conversations)
            result = -EIO;
        else if (r.kind == RECORD_KIND_MESSAGE)
            u->gone[r.conversation][r.flags & RECORD_FROM_SECOND]++;
    }
    window_free(&window);
    return result;
}

/* Without it, what is unread is counted anew when it is asked for. */
static void upkeep_count_all(struct upkeep *u)
{
    u->gone = calloc((size_t)u->arrange.conversations + 1, sizeof *u->gone);
    int result = u->gone ? 0 : -ENOMEM;
    for (uint32_t i = 0; i < u->arrange.count && !result; i++)
        result = upkeep_count(u, i);
    if (result) {
        free(u->gone);
        u->gone = NULL;
    }
}

/* That the log begins later is durable before anything of it is gone. */
static int upkeep_drop(struct upkeep *u)
{
    const struct disk *disk = u->arrange.disk;
    upkeep_count_all(u);
    const struct log_begin begin = {u->arrange.inputs[0].head.log, u->arrange.end};
    uint8_t p[LOG_BEGIN];
    log_begin_write(&begin, p);
    int result = disk_write_file(disk, LOG_BEGIN_NAME, p, sizeof p);
    for (uint32_t i = 0; i < u->arrange.count && !result; i++)
        segment_leave(disk, u->arrange.inputs[i].head.first_id, true, &u->stayed);
    if (!result)
        disk->sync_dir(disk->ctx);
    return result;
}

static void upkeep_run(struct worker_job *job)
{
    struct upkeep *u = container_of(job, struct upkeep, job);
    u->result = u->kind == UPKEEP_DROP    ? upkeep_drop(u)
                : u->kind == UPKEEP_ERASE ? erase_run(container_of(u, struct store, upkeep))
                                          : arrange_run(&u->arrange, &u->out, &u->damaged);
}

void upkeep_give(struct store *s, enum upkeep_kind kind, uint32_t first, uint32_t count)
{
    struct upkeep *u = &s->upkeep;
    u->kind = kind;
    u->first = first;
    u->result = -ECANCELED;
    u->arrange = (struct arrange){.disk = s->options.disk,
                                  .worker = &s->worker,
                                  .count = count,
                                  .end = count ? segments_end(&s->segments, first + count - 1) : 0,
                                  .conversations = s->index.conversation_count,
                                  .first_id = store_first_id(s),
                                  .stayed = &u->stayed};
    if (kind == UPKEEP_REWRITE) {
        u->arrange.conversations = s->erase.note.count;
        u->arrange.without = s->erase.note.numbers;
        u->arrange.left = &s->erase.left;
    }
    memcpy(u->arrange.inputs, &s->segments.at[first], count * sizeof *u->arrange.inputs);
    u->job.run = upkeep_run;
    int result = worker_give(&s->worker, &u->job);
    if (result == 0)
        return;
    u->kind = UPKEEP_NOTHING;
    u->rests = s->segments.count;
    if (s->erase.state)
        erase_failed(s, result);
}

/* ---- the owner's part -------------------------------------------------------------------- */

static void upkeep_failed(struct store *s)
{
    struct upkeep *u = &s->upkeep;
    char name[SEGMENT_NAME];
    bool damaged = u->result == -EBADMSG;
    segment_name(name, u->arrange.inputs[damaged ? u->damaged.input : 0].head.first_id);
    if (damaged)
        log_write(s->options.log, LOG_ERROR,
                  "%s is damaged at offset %" PRIu64 ": it is left as it is; parley-log verify DIR "
                  "tells what is wrong, parley-log repair DIR COPY saves what can be saved",
                  name, u->damaged.at);
    else
        log_write(s->options.log, LOG_WARN, "cannot %s: %s",
                  u->kind == UPKEEP_DROP    ? "drop old segments"
                  : u->kind == UPKEEP_ERASE ? "note who is erased, or that it is done"
                                            : "arrange a segment",
                  strerror(-u->result));
    for (uint32_t i = 0; i < u->arrange.count && damaged; i++)
        s->segments.at[u->first + i].stuck = true;
    u->rests = damaged ? 0 : s->segments.count;
    if (damaged && u->kind == UPKEEP_REWRITE)
        erase_met_damage(s, name, u->damaged.at);
    else if (s->erase.state && !damaged)
        erase_failed(s, u->result);
}

void upkeep_forget_places(struct store *s)
{
    s->layout++;
    buf_clear(&s->scratch);
    memset(s->bookmarks, 0, sizeof s->bookmarks);
}

static void upkeep_take(struct store *s)
{
    struct upkeep *u = &s->upkeep;
    bool arranged = u->kind == UPKEEP_ARRANGE || u->kind == UPKEEP_REWRITE;
    bool erased = u->result >= 0 && (u->kind == UPKEEP_REWRITE || u->kind == UPKEEP_ERASE);
    if (u->result < 0) {
        upkeep_failed(s);
    } else if (!u->result && u->kind != UPKEEP_ERASE) {
        segments_replace(&s->segments, u->first, u->arrange.count, arranged ? &u->out : NULL);
        s->index.begin = s->segments.at[0].head.base;
        if (!arranged)
            index_drop(&s->index, u->arrange.first_id, store_first_id(s), u->gone,
                       u->arrange.conversations);
        upkeep_forget_places(s);
        u->to_close = u->arrange.count;
        u->rests = 0;
        if (!arranged)
            log_write(s->options.log, LOG_INFO,
                      "%" PRIu32 " old segments are dropped; the oldest message left has id "
                      "%" PRIu64 " or more",
                      u->arrange.count, store_first_id(s));
    }
    free(u->gone);
    u->gone = NULL;
    u->kind = UPKEEP_NOTHING;
    u->due = true;
    if (erased)
        erase_took(s);
}

bool upkeep_step(struct store *s)
{
    struct upkeep *u = &s->upkeep;
    if (u->kind && worker_is_busy(&u->job))
        return true;
    if (u->kind)
        upkeep_take(s);
    while (u->to_close) {
        if (!prefetch_close(&s->prefetch, u->arrange.inputs[u->to_close - 1].file))
            return true;
        u->to_close--;
    }
    uint32_t first = 0, count = 0;
    if (!u->due || u->rests == s->segments.count || s->failure)
        return false;
    u->due = false;
    while (count < ARRANGE_MAX && count + 1 < s->segments.count && upkeep_is_over(s, count))
        count++;
    if (count)
        upkeep_give(s, UPKEEP_DROP, 0, count);
    else if (s->erase.state)
        erase_step(s);
    else if (s->options.arrange && (count = upkeep_choose(s, &first)) != 0 &&
             upkeep_has_room(s, first, count))
        upkeep_give(s, UPKEEP_ARRANGE, first, count);
    return u->kind != UPKEEP_NOTHING;
}

void upkeep_fini(struct store *s)
{
    struct upkeep *u = &s->upkeep;
    if (u->kind && !u->result)
        upkeep_take(s);
    free(u->gone);
    buf_free(&u->stayed);
    u->kind = UPKEEP_NOTHING;
    while (u->to_close)
        s->options.disk->close(s->options.disk->ctx, u->arrange.inputs[--u->to_close].file);
}
