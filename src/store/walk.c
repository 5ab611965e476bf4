#include "store/walk.h"

#include "base/endian.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define WALK_READ (1u << 20) /* bytes of one read */

/* ---- saying what is wrong --------------------------------------------------------------- */

enum store_status walk_refused(const struct walk *w, const char *verb, const char *name, int error)
{
    snprintf(w->error->text, sizeof w->error->text, "cannot %s %s: %s", verb,
             *name ? name : "the data directory", strerror(-error));
    return disk_failed(error) ? STORE_IO : STORE_SYSTEM;
}

static enum store_status walk_tell_file(const struct walk *w, enum walk_kind kind, const char *file,
                                        uint64_t at, uint64_t bytes, const char *what)
{
    const struct walk_fault fault = {kind, file, at, bytes, what};
    return w->handler->fault ? w->handler->fault(w->handler->ctx, &fault) : STORE_OK;
}

static enum store_status walk_tell(const struct walk *w, enum walk_kind kind, uint64_t at,
                                   uint64_t bytes, const char *what)
{
    return walk_tell_file(w, kind, w->name, at, bytes, what);
}

__attribute__((format(printf, 4, 5))) static enum store_status
walk_damaged(const struct walk *w, uint64_t at, uint64_t bytes, const char *format, ...)
{
    char what[256];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    return walk_tell(w, WALK_DAMAGE, at, bytes, what);
}

/* ---- what was lost ---------------------------------------------------------------------- */

static enum store_status walk_lose(struct walk *w, uint64_t from, uint64_t to)
{
    const struct walk_range range = {from, to};
    buf_append(&w->lost, &range, sizeof range);
    return w->lost.failed ? walk_refused(w, "read", w->name, -ENOMEM) : STORE_OK;
}

static bool walk_is_lost(const struct walk *w, uint64_t place)
{
    const struct walk_range *all = (const struct walk_range *)(const void *)w->lost.p;
    for (size_t i = w->lost.n / sizeof *all; i-- > 0 && all[i].to > place;)
        if (all[i].from <= place)
            return true;
    return false;
}

/* ---- opening and closing ----------------------------------------------------------------- */

static void walk_stray(void *ctx, const char *name)
{
    struct walk *w = ctx;
    struct log_text text;
    if (!w->listing)
        w->listing = walk_tell_file(w, WALK_STRAY, log_safe(&text, slice_str(name)), 0, 0,
                                    "this is no segment of the log, whose names are 16 hexadecimal "
                                    "digits and .seg; move it away");
}

enum store_status walk_open(struct walk *w)
{
    w->next_id = 1;
    w->window = (struct window){.disk = w->disk, .least = WALK_READ};
    w->dir =
        (struct logdir){.disk = w->disk, .segments = w->segments, .stray = walk_stray, .ctx = w};
    int result = logdir_open(&w->dir);
    if (w->listing)
        return w->listing;
    if (result < 0)
        return walk_refused(w, w->dir.verb, w->dir.name, result);
    if (result) {
        snprintf(w->error->text, sizeof w->error->text, "the files change all the time; try again");
        return STORE_SYSTEM;
    }
    result = erased_load(&w->erased, w->disk);
    if (result == -EBADMSG) {
        snprintf(w->error->text, sizeof w->error->text,
                 "the file %s is damaged: it should say what is being erased; nothing was changed; "
                 "remove it to go on, and erase the user again",
                 ERASED_NAME);
        return STORE_DAMAGED;
    }
    if (result)
        return walk_refused(w, "read", ERASED_NAME, result);
    w->end = w->dir.begin.place;
    w->adrift = w->dir.begin_wrong;
    return w->adrift ? walk_tell_file(w, WALK_DAMAGE, LOG_BEGIN_NAME, 0, 0, w->dir.begin_wrong)
                     : STORE_OK;
}

void walk_close(struct walk *w)
{
    if (w->dir.disk)
        logdir_fini(&w->dir);
    erased_clear(&w->erased);
    buf_free(&w->lost);
    buf_free(&w->runs);
    window_free(&w->window);
}

/* ---- reading ---------------------------------------------------------------------------- */

static void walk_select(struct walk *w, uint32_t file)
{
    w->file = file;
    w->segment = w->segments->at[file];
    w->size = w->segment.size;
    segment_name(w->name, w->segment.head.first_id);
    w->window.file = w->segment.file;
    w->window.n = 0;
    w->zero_at = UINT64_MAX;
}

static bool walk_is_last(const struct walk *w)
{
    return w->file + 1 == w->segments->count;
}

/* Its server has taken back what it could not write whole. */
static enum store_status walk_shrunk(const struct walk *w)
{
    snprintf(w->error->text, sizeof w->error->text,
             "%s became shorter while it was read; try again", w->name);
    return STORE_IO;
}

/* n bytes of the file at this offset; the caller has seen that there are as many. */
static enum store_status walk_bytes(struct walk *w, uint64_t at, size_t n, const uint8_t **out)
{
    uint64_t read_at = w->window.at;
    int result = window_get(&w->window, at, n, out);
    if (result)
        return result == -ENODATA ? walk_shrunk(w) : walk_refused(w, "read", w->name, result);
    if (w->window.at != read_at && w->handler->progress)
        w->handler->progress(w->handler->ctx, w->done + at, w->dir.total);
    return STORE_OK;
}

/* The last file may end with prepared space, which is passed over; but a record may end with zeros,
 * those of its key. A server that goes on to the next segment cuts it off. */
static enum store_status walk_trim(struct walk *w)
{
    uint64_t used = w->size;
    const uint8_t *p;
    while (used > SEGMENT_HEAD) {
        size_t n = used - SEGMENT_HEAD < WALK_READ ? (size_t)(used - SEGMENT_HEAD) : WALK_READ;
        int result = window_get(&w->window, used - n, n, &p);
        if (result == -ENODATA) { /* the server has cut it off meanwhile */
            int64_t size = w->disk->size(w->disk->ctx, w->segment.file);
            if (size >= SEGMENT_HEAD && (uint64_t)size < w->size) {
                used = w->size = (uint64_t)size;
                continue;
            }
        }
        if (result)
            return walk_refused(w, "read", w->name, result);
        while (n && !p[n - 1])
            n--, used--;
        if (n)
            break;
    }
    if (w->size - used > UINT8_MAX)
        w->size = used + UINT8_MAX;
    w->zero_at = used;
    return STORE_OK;
}

/* The record at this offset: STORE_END if there is none. */
static enum store_status walk_record_at(struct walk *w, uint64_t at, struct record *record,
                                        const uint8_t **p)
{
    if (w->size - at < RECORD_HEAD || at >= w->zero_at)
        return STORE_END;
    enum store_status status = walk_bytes(w, at, RECORD_HEAD, p);
    if (status)
        return status;
    if (!record_read(record, *p) || record->length > w->size - at)
        return STORE_END;
    status = walk_bytes(w, at, record->length, p);
    if (status)
        return status;
    /* The conversation of the record behind it is what reading waits for longest. */
    if (w->window.n - (at - w->window.at) >= record->length + RECORD_HEAD)
        index_prefetch(w->index, le32_load(*p + record->length + 12));
    return record_valid(record, *p, w->segment.head.base + at) ? STORE_OK : STORE_END;
}

/* The next record, at *at or behind it: STORE_END, and *at is the end of the file, without one. */
static enum store_status walk_find(struct walk *w, uint64_t *at, struct record *record)
{
    const uint8_t *p;
    for (; *at < w->size; ++*at) {
        enum store_status status = walk_record_at(w, *at, record, &p);
        if (status != STORE_END)
            return status;
    }
    return STORE_END;
}

/* ---- the head of a segment -------------------------------------------------------------- */

/* All of the segment is passed over; where the next one begins, its head alone can say. */
static enum store_status walk_skip(struct walk *w, enum store_status told)
{
    w->adrift = true;
    return told ? told : STORE_END;
}

/* A newer format is not ours to read. But if the check is that of our own version, this is our own
 * with a damaged number. */
static enum store_status walk_newer(struct walk *w, uint8_t p[SEGMENT_HEAD], uint32_t version)
{
    uint32_t ours;
    le32_store(p + 8, RECORD_VERSION);
    bool damaged = segment_head_read(&w->segment.head, p, &ours) == SEGMENT_HEAD_OK;
    char what[128];
    snprintf(what, sizeof what, "its format is version %" PRIu32 ", and this program reads %d%s",
             version, RECORD_VERSION, damaged ? "; by its check, that was the version once" : "");
    if (damaged)
        return walk_tell(w, WALK_DAMAGE, 8, 0, what);
    return walk_skip(w, walk_tell(w, WALK_NEWER, 8, w->size, what));
}

/* STORE_END: nothing in this file can be read, or a crash left it unfinished. */
static enum store_status walk_head(struct walk *w)
{
    struct segment_head *head = &w->segment.head;
    uint8_t p[SEGMENT_HEAD] = {0};
    uint32_t version;
    size_t n = w->size < SEGMENT_HEAD ? (size_t)w->size : SEGMENT_HEAD;
    int64_t got = w->disk->pread(w->disk->ctx, w->segment.file, p, n, 0);
    if (got != (int64_t)n)
        return walk_refused(w, "read", w->name, got < 0 ? (int)got : -EIO);
    uint64_t named = head->first_id;
    enum segment_head_status found = segment_head_read(head, p, &version);
    enum store_status status;
    w->head_read = true;
    if (found == SEGMENT_HEAD_NEWER)
        return walk_newer(w, p, version);
    /* What is missing of a shorter one's check would be zero. */
    if (found == SEGMENT_HEAD_OK && w->size >= SEGMENT_HEAD) {
        if (head->first_id == named)
            return STORE_OK;
        return walk_damaged(w, 24, 0, "this is the segment of id %" PRIu64, head->first_id);
    }
    if (walk_is_last(w) && w->size <= SEGMENT_HEAD && segment_head_torn(p, (size_t)w->size)) {
        w->torn_head = true;
        w->durable = w->end; /* or it would not have been begun */
        status = walk_tell(w, WALK_TORN, 0, w->size, "it was begun and never used");
        return status ? status : STORE_END;
    }
    static const char what[] = "this is not the head of a segment of parley";
    *head = (struct segment_head){.first_id = named, .log = w->log};
    w->head_read = false;
    status =
        w->handler->lost_head ? w->handler->lost_head(w->handler->ctx, w, &head->base) : STORE_END;
    if (status == STORE_END)
        return walk_skip(w, walk_damaged(w, 0, w->size, what));
    return status ? status : walk_damaged(w, 0, 0, what);
}

/* Whether the segment goes on where the one before it ended. */
static enum store_status walk_join(struct walk *w)
{
    const struct segment_head *head = &w->segment.head;
    enum store_status status = STORE_OK;
    if (w->known && head->log != w->log)
        return walk_skip(w, walk_damaged(w, 32, w->size, "it is part of another log"));
    if (head->base < w->end || (head->base != w->end && !w->adrift))
        status = walk_damaged(w, 16, head->base < w->end ? w->size : head->base - w->end,
                              "it begins at place %" PRIu64 " and not at %" PRIu64
                              ", where the log before it ends: a segment is missing or cut short",
                              head->base, w->end);
    if (status)
        return status;
    if (head->base < w->end)
        return walk_skip(w, STORE_OK);
    if (head->base > w->end)
        status = walk_lose(w, w->end, head->base);
    if (!status && head->first_id < w->next_id)
        status = walk_damaged(w, 24, 0, "its ids do not follow those before it");
    if (status)
        return status;
    if (head->first_id > w->next_id)
        w->next_id = head->first_id;
    w->least_id = w->next_id;
    if (head->base && head->date > w->tip.date) /* of the first it is the clock's alone */
        w->tip.date = head->date;
    w->adrift = false;
    w->known |= w->head_read;
    w->log = head->log;
    w->durable = w->end;
    w->segments->at[w->file].head = *head;
    return w->handler->segment ? w->handler->segment(w->handler->ctx, head) : STORE_OK;
}

/* ---- a record --------------------------------------------------------------------------- */

/* A whole record that says what cannot be, and that has been told: it counts as lost. STORE_END. */
static enum store_status walk_drop(struct walk *w, uint64_t at, const struct record *record,
                                   enum store_status told)
{
    uint64_t place = w->segment.head.base + at;
    if (!told)
        told = walk_lose(w, place, place + record->length);
    return told ? told : STORE_END;
}

/* A number that is seen for the first time: its users stand in the message. */
static enum store_status walk_conversation(struct walk *w, uint64_t at, const struct record *record,
                                           const struct store_message *m)
{
    /* Every conversation has had a record, which bounds the numbers that damage can make up. */
    uint64_t most = w->segment.head.end ? w->segment.head.end : w->segment.head.base + at;
    int result = record->conversation > most / RECORD_HEAD
                     ? -ERANGE
                     : index_load_users(w->index, m->from, m->to, record->conversation);
    if (result == -ENOMEM)
        return walk_refused(w, "read", w->name, result);
    if (result)
        return walk_damaged(w, at, 0, "conversation %" PRIu32 " %s", record->conversation,
                            result == -ERANGE ? "cannot be: not so many were begun"
                                              : "is between users who have another");
    return STORE_OK;
}

/* What a thorough walk asks of a message, besides its form and its id. */
static enum store_status walk_compare_message(struct walk *w, uint64_t at,
                                              const struct record *record,
                                              const struct store_message *m)
{
    const struct conversation *c = &w->index->conversations[record->conversation];
    bool second = record->flags & RECORD_FROM_SECOND;
    if (m->date != record->date)
        return walk_damaged(w, at, 0, "its head says date %" PRId64 ", its message says %" PRId64,
                            record->date, m->date);
    if (!slice_eq(m->from, index_name(w->index, c->user[second])) ||
        !slice_eq(m->to, index_name(w->index, c->user[!second])))
        return walk_damaged(w, at, 0,
                            "its message is not between the users of conversation %" PRIu32,
                            record->conversation);
    return STORE_OK;
}

/* Who wrote it to whom. STORE_END: that cannot be told, or it is another message than the head says,
 * and the record is dropped. */
static enum store_status walk_read_message(struct walk *w, uint64_t at, const struct record *record,
                                           const uint8_t *p, struct store_message *message,
                                           struct message_names *room)
{
    size_t wrong_at;
    const char *wrong = message_read(message, room, record_json(record, p), &wrong_at);
    bool second = record->flags & RECORD_FROM_SECOND;
    if (!wrong && (slice_cmp(message->from, message->to) > 0) != second)
        wrong = "its flags must say which of the two users sent it";
    if (wrong)
        return walk_drop(w, at, record,
                         walk_damaged(w, at, record->length,
                                      "the message does not say who wrote it to whom: %s", wrong));
    if (w->thorough && message->id != record->id)
        return walk_drop(w, at, record,
                         walk_damaged(w, at, record->length,
                                      "its head says id %" PRIu64 ", its message says %" PRIu64,
                                      record->id, message->id));
    enum store_status status = index_is_used(w->index, record->conversation)
                                   ? STORE_OK
                                   : walk_conversation(w, at, record, message);
    return !status && w->thorough && index_is_used(w->index, record->conversation)
               ? walk_compare_message(w, at, record, message)
               : status;
}

/* The segment that a place lies in, of those that have been reached. */
static const struct segment *walk_segment_of(const struct walk *w, uint64_t place)
{
    const struct segments known = {w->segments->at, w->file + 1, 0};
    return segments_find(&known, place);
}

/* Whether the record says rightly which one is in front of it in its conversation. */
static bool walk_fits(const struct walk *w, const struct record *record, uint64_t last)
{
    uint64_t base = w->segment.head.base, prev = record->prev;
    if (w->before.length && w->before.conversation == record->conversation &&
        w->before.kind == RECORD_KIND_MESSAGE)
        return prev == base + w->before_at || walk_is_lost(w, prev);
    if (w->segment.head.end && prev && prev >= base)
        return walk_is_lost(w, prev);
    if (prev == last || (prev > last && walk_is_lost(w, prev)) ||
        (prev < w->dir.begin.place && last == 0))
        return true;
    /* Of an arranged segment it says no more than that it is there. */
    const struct segment *there = walk_segment_of(w, prev);
    return last && there && there->head.end && there == walk_segment_of(w, last);
}

/* The record takes its place in its conversation, if that is one. */
static enum store_status walk_link(struct walk *w, uint64_t at, const struct record *record)
{
    uint64_t place = w->segment.head.base + at;
    if (!index_is_used(w->index, record->conversation))
        return STORE_OK;
    uint64_t last = w->index->conversations[record->conversation].last;
    if (w->start && place < last) /* a checkpoint knows of newer ones */
        return STORE_OK;
    enum store_status status = STORE_OK;
    if (!(w->start && place == last) && !walk_fits(w, record, last))
        status = walk_damaged(w, at, 0,
                              "the message before it is said to be at place %" PRIu64 " and is at "
                              "%" PRIu64,
                              record->prev, last);
    if (place != last)
        index_count(w->index, record->conversation, record->flags & RECORD_FROM_SECOND, record->id);
    index_load_record(w->index, record->conversation, place, record->id);
    return status;
}

uint64_t walk_first_id(const struct walk *w)
{
    return w->segments->count ? w->segments->at[0].head.first_id : 0;
}

/* A mark takes its place in its conversation; in an arranged segment, once that is known. */
static void walk_mark(struct walk *w, const struct record *record, const uint8_t *p)
{
    uint64_t up_to = record_up_to(p);
    bool second = record->flags & RECORD_FROM_SECOND;
    w->marks++;
    if (up_to < walk_first_id(w))
        return;
    if (index_is_used(w->index, record->conversation))
        index_mark(w->index, record->conversation, second, up_to);
    else if (w->segment.head.end)
        w->held[second] = up_to;
}

static void walk_mark_held(struct walk *w, uint32_t conversation)
{
    for (int i = 0; i < 2; i++)
        if (w->held[i] && index_is_used(w->index, conversation))
            index_mark(w->index, conversation, i, w->held[i]);
    w->held[0] = w->held[1] = 0;
}

/* Ids rise from record to record; in an arranged segment, in each run, its marks and its messages each
 * for themselves, and the runs' numbers. */
static bool walk_is_in_order(const struct walk *w, const struct record *record)
{
    if (!w->segment.head.end)
        return record->id >= w->next_id;
    const struct record *before = &w->before;
    return record->id >= w->least_id &&
           (!before->length || record->conversation > before->conversation ||
            (record->conversation == before->conversation &&
             (record->kind == before->kind ? record->id > before->id
                                           : before->kind == RECORD_KIND_MARK)));
}

/* A thorough walk has read the message. */
static enum store_status walk_deliver(const struct walk *w, uint64_t at,
                                      const struct record *record, const uint8_t *p,
                                      const struct store_message *message)
{
    struct walk_record out = {*record, p, w->segment.head.base + at, NULL};
    if (w->thorough && record->kind == RECORD_KIND_MESSAGE)
        out.message = message;
    return w->handler->record ? w->handler->record(w->handler->ctx, &out) : STORE_OK;
}

static bool walk_passes(const struct walk *w, const struct record *record)
{
    return !w->unerased && erased_has(&w->erased, record->conversation);
}

/* Whether the record is taken, and is one of a conversation: STORE_END if not. */
static enum store_status walk_judge(struct walk *w, uint64_t at, const struct record *record,
                                    const uint8_t *p, struct store_message *message,
                                    struct message_names *room)
{
    if (!walk_is_in_order(w, record))
        return walk_drop(w, at, record,
                         walk_damaged(w, at, record->length, "id %" PRIu64 " comes after %" PRIu64,
                                      record->id,
                                      w->segment.head.end ? w->before.id : w->next_id - 1));
    if (record->kind == RECORD_KIND_MARK)
        return record_up_to(p) && record_up_to(p) < record->id
                   ? STORE_OK
                   : walk_drop(w, at, record,
                               walk_damaged(w, at, record->length,
                                            "mark %" PRIu64 " is for %" PRIu64 ", which is no "
                                            "message in front "
                                            "of it",
                                            record->id, record_up_to(p)));
    return (w->thorough || !index_is_used(w->index, record->conversation)) &&
                   !walk_passes(w, record)
               ? walk_read_message(w, at, record, p, message, room)
               : STORE_OK;
}

static enum store_status walk_take(struct walk *w, uint64_t at, const struct record *record,
                                   const uint8_t *p)
{
    uint64_t place = w->segment.head.base + at;
    struct store_message message;
    struct message_names room;
    enum store_status status = walk_judge(w, at, record, p, &message, &room);
    if (status)
        return status == STORE_END ? STORE_OK : status;
    if (w->before.length && w->before.conversation != record->conversation)
        w->held[0] = w->held[1] = 0;
    bool passes = walk_passes(w, record);
    if (record->kind == RECORD_KIND_MARK && !passes) {
        walk_mark(w, record, p);
    } else if (!passes) {
        walk_mark_held(w, record->conversation);
        status = walk_link(w, at, record);
        if (status)
            return status;
        w->tip.messages++;
        w->json_bytes += record->length - RECORD_HEAD - record->key_length;
    }
    w->tip.place = place;
    w->tip.check = le32_load(p);
    w->tip.flags = record->flags;
    w->durable = record_durable(record, place);
    if (record->id >= w->next_id)
        w->next_id = record->id + 1;
    if (record->date > w->tip.date)
        w->tip.date = record->date;
    if (w->segment.head.end) {
        w->before = *record;
        w->before_at = at;
    }
    return passes ? STORE_OK : walk_deliver(w, at, record, p, &message);
}

/* ---- a segment -------------------------------------------------------------------------- */

/* Whether what stands at `at` was durable once: a record behind it, at *found, was written when the
 * log was durable beyond it. Without one this is a write that was cut short: STORE_END. */
static enum store_status walk_was_durable(struct walk *w, uint64_t at, uint64_t *found,
                                          struct record *record)
{
    enum store_status status;
    for (*found = at + 1; (status = walk_find(w, found, record)) == STORE_OK;
         *found += record->length)
        if (record_durable(record, w->segment.head.base + *found) > w->segment.head.base + at)
            return STORE_OK;
    return status;
}

/* There is no record at `at`. What is there instead, and what should be. */
static enum store_status walk_describe(struct walk *w, uint64_t at, char *text, size_t size)
{
    struct record r;
    const uint8_t *p = NULL;
    if (w->size - at < RECORD_HEAD) {
        snprintf(text, size, "and the file ends %" PRIu64 " bytes behind its begin", w->size - at);
        return STORE_OK;
    }
    enum store_status status = walk_bytes(w, at, RECORD_HEAD, &p);
    if (status)
        return status;
    if (!record_read(&r, p))
        snprintf(text, size, "and what stands there is no head of one");
    else if (r.length > w->size - at)
        snprintf(text, size, "and of its %" PRIu32 " bytes the file has %" PRIu64, r.length,
                 w->size - at);
    else
        snprintf(text, size, "and its check does not match");
    return STORE_OK;
}

/* No record stands at *at, and the file goes on: tells so, and moves to the next one. */
static enum store_status walk_gap(struct walk *w, uint64_t *at)
{
    uint64_t from = *at, base = w->segment.head.base, proof = 0;
    struct record record = {0};
    char what[128];
    bool arranged = w->segment.head.end; /* durable before it had its name */
    bool last = walk_is_last(w) && !arranged;
    enum store_status status = last ? walk_was_durable(w, from, &proof, &record) : STORE_OK;
    if (status && status != STORE_END)
        return status;
    bool torn = status == STORE_END;
    uint64_t proof_id = record.id;
    *at = torn && !w->salvage ? w->size : from + 1;
    status = walk_find(w, at, &record);
    if (status && status != STORE_END)
        return status;
    status = walk_describe(w, from, what, sizeof what);
    if (!status && torn)
        status = walk_tell(w, WALK_TORN, from, *at - from, "a write was never finished");
    else if (!status && last)
        status = walk_damaged(w, from, *at - from,
                              "a record was expected, %s; message %" PRIu64 " at offset %" PRIu64
                              " was written after it",
                              what, proof_id, proof);
    else if (!status)
        status = walk_damaged(w, from, *at - from, "a record was expected, %s; %s", what,
                              arranged ? "an arranged segment is there as a whole"
                                       : "a later segment was begun after it");
    return status ? status : walk_lose(w, base + from, base + *at);
}

/* Whether the record that a checkpoint ends with is the one that stands there, and reading can begin
 * right behind it, or behind the head of a segment. */
static bool walk_start_fits(const struct walk *w, uint64_t first)
{
    const struct checkpoint_head *start = w->start;
    const struct segment *segment = walk_segment_of(w, start->tip.place);
    uint8_t p[8] = {0}; /* of a record: its check and its length */
    if (!start->tip.place)
        return start->place == first;
    /* The record has another place by now, or is gone; but a segment was begun behind it. */
    if (!segment || segment->head.end)
        return start->place == first && start->next_id == w->segment.head.first_id;
    return segment &&
           w->disk->pread(w->disk->ctx, segment->file, p, sizeof p,
                          start->tip.place - segment->head.base) == sizeof p &&
           le32_load(p) == start->tip.check &&
           (start->place == first || start->place == start->tip.place + le32_load(p + 4));
}

/* Where in this segment to begin: at its end while the checkpoint lies behind it. */
static enum store_status walk_start(struct walk *w, uint64_t *at)
{
    const struct checkpoint_head *start = w->start;
    uint64_t base = w->segment.head.base;
    uint64_t end = w->segment.head.end ? w->segment.head.end : base + w->size;
    bool last = walk_is_last(w);
    if (start->log != w->segment.head.log)
        return STORE_END;
    if (end <= start->place && !last) {
        *at = w->size;
        return STORE_OK;
    }
    /* One that was made when this segment was not begun yet ends where it begins. */
    uint64_t from = start->place == base ? base + SEGMENT_HEAD : start->place;
    if (end < from || from < base + SEGMENT_HEAD || w->segment.head.end ||
        !walk_start_fits(w, base + SEGMENT_HEAD))
        return STORE_END;
    w->begun = true;
    if (start->next_id > w->next_id) /* a segment begun since may be named after a higher one */
        w->next_id = start->next_id;
    w->tip = start->tip;
    w->durable = start->place;
    *at = from - base;
    return STORE_OK;
}

/* ---- an arranged segment ----------------------------------------------------------------- */

/* The list behind the records must be that of the runs that were met. */
static enum store_status walk_runs(struct walk *w, uint64_t at)
{
    const uint8_t *p;
    size_t n = (size_t)w->segment.head.runs * SEGMENT_RUN + SEGMENT_CHECK;
    record_append_check(&w->runs);
    if (w->runs.failed)
        return walk_refused(w, "read", w->name, -ENOMEM);
    enum store_status status = walk_bytes(w, at, n, &p);
    if (!status && (w->runs.n != n || memcmp(p, w->runs.p, n) != 0))
        status = walk_damaged(w, at, 0, "the list of its runs is not that of its records");
    if (!status && w->handler->runs)
        status = w->handler->runs(w->handler->ctx, buf_slice(&w->runs));
    return status;
}

static enum store_status walk_arranged(struct walk *w, uint64_t at)
{
    struct record record;
    const uint8_t *p;
    enum store_status status = STORE_OK;
    uint64_t list = (uint64_t)w->segment.head.runs * SEGMENT_RUN + SEGMENT_CHECK;
    if (w->size - SEGMENT_HEAD < list)
        return walk_skip(w, walk_damaged(w, 56, w->size, "it is too short for its runs"));
    uint64_t end = w->size - list;
    w->before.length = 0;
    w->held[0] = w->held[1] = 0;
    buf_clear(&w->runs);
    for (w->size = end; at < end && !status;) {
        const struct record before = w->before;
        uint64_t before_at = w->before_at;
        status = walk_record_at(w, at, &record, &p);
        if (status == STORE_END) {
            status = walk_gap(w, &at);
        } else if (!status) {
            status = walk_take(w, at, &record, p);
            if (before.length && before.conversation != w->before.conversation)
                record_append_run(&w->runs, before.conversation, before_at);
            at += record.length;
        }
    }
    if (w->before.length)
        record_append_run(&w->runs, w->before.conversation, w->before_at);
    w->before.length = 0;
    w->size = end + list;
    return status ? status : walk_runs(w, end);
}

/* ---- any segment ------------------------------------------------------------------------- */

static enum store_status walk_raw(struct walk *w, uint64_t at)
{
    struct record record;
    const uint8_t *p;
    bool last = walk_is_last(w);
    enum store_status status = last ? walk_trim(w) : STORE_OK;
    uint64_t whole = at;
    w->end = w->segment.head.base + at;
    while (at < w->size && !status) {
        status = walk_record_at(w, at, &record, &p);
        if (status == STORE_END && last && at >= w->zero_at) {
            w->size = at;
            status = STORE_OK;
        } else if (status == STORE_END) {
            status = walk_gap(w, &at);
        } else if (!status) {
            status = walk_take(w, at, &record, p);
            whole = at += record.length;
        }
    }
    w->torn_bytes = last ? w->size - whole : 0;
    w->end = w->segment.head.base + (last ? whole : w->size);
    return status;
}

static enum store_status walk_segment(struct walk *w)
{
    enum store_status status = walk_head(w);
    if (!status)
        status = walk_join(w);
    if (status)
        return status == STORE_END ? STORE_OK : status;
    uint64_t at = SEGMENT_HEAD;
    status = w->start && !w->begun ? walk_start(w, &at) : STORE_OK;
    if (status)
        return status;
    if (!w->segment.head.end)
        return walk_raw(w, at);
    if (at == SEGMENT_HEAD)
        status = walk_arranged(w, at);
    w->end = w->segment.head.end;
    if (w->next_id == w->segment.head.first_id) /* it held a record, which may have been left out */
        w->next_id++;
    return status == STORE_END ? STORE_OK : status;
}

enum store_status walk_run(struct walk *w)
{
    for (uint32_t i = 0; i < w->segments->count; i++) {
        walk_select(w, i);
        enum store_status status = walk_segment(w);
        if (status)
            return status;
        w->done += w->size;
    }
    return STORE_OK;
}
