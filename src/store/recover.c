/*
 * Reads the whole log when the store is opened. Nothing on the disk is changed before all of it
 * has been read and found whole, but for a torn end.
 */
#include "store/inside.h"

#include "base/random.h"
#include "codec/json.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define RECOVER_READ (1u << 20) /* bytes of one read */

struct recovery {
    struct store *s;
    const struct disk *disk;
    struct store_error *error;

    uint64_t *names; /* first ids, as in the names of the files */
    size_t name_count, name_cap;
    enum store_status listing; /* of what the folder's listing met */

    bool torn_head;      /* the last file is a segment whose head was not finished */
    uint64_t torn_bytes; /* behind the last whole record */
    uint8_t last_flags;  /* of the last record */
    uint64_t durable;    /* the last record, or segment, was written when the log was, up to here */

    /* A window on the file that is read. */
    struct segment segment;
    uint64_t size;
    uint8_t *window;
    uint64_t window_at;
    size_t window_n, window_cap;
};

/* ---- saying what is wrong --------------------------------------------------------------- */

__attribute__((format(printf, 4, 5))) static enum store_status
recover_damaged(struct recovery *r, uint64_t first_id, uint64_t at, const char *format, ...)
{
    char what[256], name[SEGMENT_NAME];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    segment_name(name, first_id);
    snprintf(r->error->text, sizeof r->error->text,
             "%s is damaged at offset %" PRIu64 ": %s; nothing was changed; parley-log repair DIR "
             "COPY saves what can be saved",
             name, at, what);
    return STORE_DAMAGED;
}

/* The system refused to do something with a file, or, named "", with the folder. */
static enum store_status recover_refused(struct recovery *r, const char *verb, const char *name,
                                         int error)
{
    snprintf(r->error->text, sizeof r->error->text, "cannot %s %s: %s", verb,
             *name ? name : "the data directory", strerror(-error));
    return error == -EIO ? STORE_IO : STORE_SYSTEM;
}

static enum store_status recover_refused_segment(struct recovery *r, const char *verb,
                                                 uint64_t first_id, int error)
{
    char name[SEGMENT_NAME];
    segment_name(name, first_id);
    return recover_refused(r, verb, name, error);
}

/* ---- the files -------------------------------------------------------------------------- */

static void recover_each_name(void *arg, const char *name)
{
    struct recovery *r = arg;
    uint64_t first_id;
    enum segment_name_status status = segment_name_parse(name, &first_id);
    if (r->listing || status == SEGMENT_NAME_OTHER)
        return;
    if (status == SEGMENT_NAME_WRONG) {
        struct log_text text;
        snprintf(r->error->text, sizeof r->error->text,
                 "%s is no segment of this log, whose names are 16 hexadecimal digits and .seg; "
                 "move it away",
                 log_safe(&text, slice_str(name)));
        r->listing = STORE_DAMAGED;
        return;
    }
    if (r->name_count == r->name_cap) {
        size_t cap = r->name_cap ? r->name_cap * 2 : 64;
        uint64_t *names = realloc(r->names, cap * sizeof *names);
        if (!names) {
            r->listing = recover_refused(r, "list", "", -ENOMEM);
            return;
        }
        r->names = names;
        r->name_cap = cap;
    }
    r->names[r->name_count++] = first_id;
}

static int recover_compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static enum store_status recover_list(struct recovery *r)
{
    int result = r->disk->list(r->disk->ctx, recover_each_name, r);
    if (r->listing)
        return r->listing;
    if (result)
        return recover_refused(r, "list", "", result);
    if (r->name_count)
        qsort(r->names, r->name_count, sizeof *r->names, recover_compare);
    return STORE_OK;
}

/* ---- reading ---------------------------------------------------------------------------- */

/* n bytes of the file at this offset; the caller has seen that there are as many. */
static enum store_status recover_bytes(struct recovery *r, uint64_t at, size_t n,
                                       const uint8_t **out)
{
    if (at < r->window_at || at + n > r->window_at + r->window_n) {
        size_t want = n > RECOVER_READ ? n : RECOVER_READ;
        if (want > r->window_cap) {
            free(r->window);
            r->window_n = r->window_cap = 0;
            r->window = malloc(want);
            if (!r->window)
                return recover_refused_segment(r, "read", r->segment.head.first_id, -ENOMEM);
            r->window_cap = want;
        }
        int64_t got = r->disk->pread(r->disk->ctx, r->segment.file, r->window, want, at);
        r->window_at = at;
        r->window_n = got > 0 ? (size_t)got : 0;
        if (r->window_n < n)
            return recover_refused_segment(r, "read", r->segment.head.first_id,
                                           got < 0 ? (int)got : -EIO);
    }
    *out = r->window + (at - r->window_at);
    return STORE_OK;
}

/* The record at this offset: STORE_END if there is none. */
static enum store_status recover_record(struct recovery *r, uint64_t at, struct record *record,
                                        const uint8_t **p)
{
    if (r->size - at < RECORD_HEAD)
        return STORE_END;
    enum store_status status = recover_bytes(r, at, RECORD_HEAD, p);
    if (status)
        return status;
    if (!record_read(record, *p) || record->length > r->size - at)
        return STORE_END;
    status = recover_bytes(r, at, record->length, p);
    if (status)
        return status;
    return record_valid(record, *p, r->segment.head.base + at) ? STORE_OK : STORE_END;
}

/* ---- a segment -------------------------------------------------------------------------- */

static enum store_status recover_open(struct recovery *r, uint64_t first_id)
{
    struct segments *all = &r->s->segments;
    char name[SEGMENT_NAME];
    segment_name(name, first_id);
    if (segments_reserve(all))
        return recover_refused(r, "open", name, -ENOMEM);
    r->segment = (struct segment){{.first_id = first_id}, r->disk->open(r->disk->ctx, name, 0)};
    r->window_n = 0;
    if (r->segment.file < 0)
        return recover_refused(r, "open", name, r->segment.file);
    segments_push(all, &r->segment);
    int64_t size = r->disk->size(r->disk->ctx, r->segment.file);
    if (size < 0)
        return recover_refused(r, "read", name, (int)size);
    r->size = (uint64_t)size;
    r->durable = r->s->end;
    return STORE_OK;
}

/* STORE_END: a crash left it unfinished. */
static enum store_status recover_head(struct recovery *r, bool last)
{
    struct segment_head *head = &r->segment.head;
    uint64_t first_id = head->first_id;
    uint8_t p[SEGMENT_HEAD] = {0};
    size_t n = r->size < SEGMENT_HEAD ? (size_t)r->size : SEGMENT_HEAD;
    int64_t got = r->disk->pread(r->disk->ctx, r->segment.file, p, n, 0);
    if (got != (int64_t)n)
        return recover_refused_segment(r, "read", first_id, got < 0 ? (int)got : -EIO);
    uint32_t version;
    switch (segment_head_read(head, p, &version)) {
    case SEGMENT_HEAD_OK:
        if (head->first_id != first_id)
            return recover_damaged(r, first_id, 24, "this is the segment of id %" PRIu64,
                                   head->first_id);
        r->s->segments.at[r->s->segments.count - 1].head = *head;
        return STORE_OK;
    case SEGMENT_HEAD_NEWER:
        return recover_damaged(r, first_id, 8,
                               "its format is version %" PRIu32 ", and this program reads %d",
                               version, RECORD_VERSION);
    case SEGMENT_HEAD_FOREIGN:
    case SEGMENT_HEAD_BROKEN:
        break;
    }
    if (last && r->size <= SEGMENT_HEAD && segment_head_torn(p, n))
        return STORE_END;
    return recover_damaged(r, first_id, 0, "this is not the head of a segment of parley");
}

/* Whether the segment goes on where the one before it ended. */
static enum store_status recover_joins(struct recovery *r)
{
    const struct segment_head *head = &r->segment.head, *first = &r->s->segments.at[0].head;
    if (head->base != r->s->end)
        return recover_damaged(r, head->first_id, 16,
                               "it begins at place %" PRIu64 " and not at %" PRIu64
                               ", where the log before it ends: a segment is missing or cut short",
                               head->base, r->s->end);
    if (head->log != first->log)
        return recover_damaged(r, head->first_id, 32, "it is part of another log");
    if (head->first_id < r->s->next_id)
        return recover_damaged(r, head->first_id, 24, "its ids do not follow those before it");
    r->s->next_id = head->first_id;
    return STORE_OK;
}

/* The two users of a conversation, from its first message. */
static bool recover_users(const struct record *record, const uint8_t *p, uint8_t text[2][512],
                          struct slice user[2])
{
    struct json_reader reader;
    struct json_value name, value;
    user[0] = user[1] = slice_of(NULL, 0);
    if (!json_open_object(&reader, record_json(record, p)))
        return false;
    enum json_step step;
    while ((step = json_next_member(&reader, &name, &value)) == JSON_ITEM) {
        int i = json_string_eq(name, SLICE("from")) ? 0 : 1;
        if (i == 1 && !json_string_eq(name, SLICE("to")))
            continue;
        if (value.type != JSON_STRING || value.raw.n > 512)
            return false;
        ptrdiff_t n = json_string_decode(value, text[i]);
        if (n < 1 || n > STORE_MAX_USER)
            return false;
        user[i] = slice_of(text[i], (size_t)n);
    }
    bool second = record->flags & RECORD_FROM_SECOND;
    return step == JSON_END && user[0].n && user[1].n &&
           (slice_cmp(user[0], user[1]) > 0) == second;
}

/* A number that is seen for the first time: its users stand in the message. */
static enum store_status recover_conversation(struct recovery *r, uint64_t at,
                                              const struct record *record, const uint8_t *p)
{
    uint64_t file = r->segment.head.first_id;
    uint8_t text[2][512];
    struct slice user[2];
    uint32_t number;
    if (record->conversation != r->s->index.conversation_count)
        return recover_damaged(r, file, at, "conversation %" PRIu32 " came before number %" PRIu32,
                               record->conversation, r->s->index.conversation_count);
    if (!recover_users(record, p, text, user))
        return recover_damaged(r, file, at, "the message does not say who wrote it to whom");
    if (index_intern(&r->s->index, user[0], user[1], &number))
        return recover_refused_segment(r, "read", file, -ENOMEM);
    if (number != record->conversation)
        return recover_damaged(r, file, at,
                               "conversation %" PRIu32 " is between the users of number %" PRIu32,
                               record->conversation, number);
    return STORE_OK;
}

static enum store_status recover_take(struct recovery *r, uint64_t at, const struct record *record,
                                      const uint8_t *p)
{
    struct store *s = r->s;
    uint64_t file = r->segment.head.first_id;
    if (record->id < s->next_id)
        return recover_damaged(r, file, at, "id %" PRIu64 " comes after %" PRIu64, record->id,
                               s->next_id - 1);
    if (record->conversation >= s->index.conversation_count) {
        enum store_status status = recover_conversation(r, at, record, p);
        if (status)
            return status;
    }
    const struct conversation *c = &s->index.conversations[record->conversation];
    if (record->prev != c->last)
        return recover_damaged(r, file, at,
                               "the message before it is said to be at place %" PRIu64 " and is at "
                               "%" PRIu64,
                               record->prev, c->last);
    index_commit(&s->index, record->conversation, r->segment.head.base + at, record->id);
    r->durable = record_durable(record, r->segment.head.base + at);
    s->next_id = record->id + 1;
    if (record->date > s->last_date)
        s->last_date = record->date;
    s->messages++;
    r->last_flags = record->flags;
    return STORE_OK;
}

/* There is no record at `at`, and the file goes on. A record behind it that was written when the
 * log was durable beyond `at` shows damage; without one this is a write that was cut short. */
static enum store_status recover_tail(struct recovery *r, uint64_t at)
{
    struct record record;
    const uint8_t *p;
    for (uint64_t k = at + 1; k < r->size; k++) {
        enum store_status status = recover_record(r, k, &record, &p);
        if (status == STORE_END)
            continue;
        if (status)
            return status;
        if (record_durable(&record, r->segment.head.base + k) > r->segment.head.base + at)
            return recover_damaged(r, r->segment.head.first_id, at,
                                   "a record was expected, and its check does not match; message "
                                   "%" PRIu64 " at offset %" PRIu64 " was written after it",
                                   record.id, k);
        k += record.length - 1;
    }
    r->torn_bytes = r->size - at;
    return STORE_OK;
}

static enum store_status recover_segment(struct recovery *r, bool last)
{
    struct record record;
    const uint8_t *p;
    uint64_t at = SEGMENT_HEAD;
    enum store_status status;
    while ((status = recover_record(r, at, &record, &p)) == STORE_OK) {
        status = recover_take(r, at, &record, p);
        if (status)
            return status;
        at += record.length;
    }
    r->s->end = r->segment.head.base + at;
    if (status != STORE_END || at == r->size)
        return status == STORE_END ? STORE_OK : status;
    if (last)
        return recover_tail(r, at);
    return recover_damaged(r, r->segment.head.first_id, at,
                           "a record was expected, and its check does not match; "
                           "a later segment was begun after it");
}

/* ---- all of it -------------------------------------------------------------------------- */

static enum store_status recover_scan(struct recovery *r)
{
    for (size_t i = 0; i < r->name_count; i++) {
        bool last = i + 1 == r->name_count;
        enum store_status status = recover_open(r, r->names[i]);
        if (!status)
            status = recover_head(r, last);
        if (status == STORE_END) {
            r->torn_head = true;
            return STORE_OK;
        }
        if (!status)
            status = recover_joins(r);
        if (!status)
            status = recover_segment(r, last);
        if (status)
            return status;
    }
    return STORE_OK;
}

/* Removes what a crash left of the last write. */
static enum store_status recover_mend(struct recovery *r)
{
    struct segments *all = &r->s->segments;
    char name[SEGMENT_NAME];
    if (r->name_count)
        segment_name(name, r->names[r->name_count - 1]);
    if (r->torn_head) {
        r->disk->close(r->disk->ctx, all->at[--all->count].file);
        int result = r->disk->remove(r->disk->ctx, name);
        if (!result)
            result = r->disk->sync_dir(r->disk->ctx);
        if (result)
            return recover_refused(r, "remove", name, result);
        log_write(r->s->options.log, LOG_WARN, "%s, begun and never used, is removed", name);
    }
    if (r->torn_bytes) {
        const struct segment *last = segments_last(all);
        uint64_t size = r->s->end - last->head.base;
        int result = r->disk->truncate(r->disk->ctx, last->file, size);
        if (result)
            return recover_refused(r, "truncate", name, result);
        log_write(r->s->options.log, LOG_WARN,
                  "%" PRIu64 " bytes of an unfinished write are cut off %s at offset %" PRIu64,
                  r->torn_bytes, name, size);
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
    const uint8_t *p;
    r->segment = *last;
    r->window_n = 0;
    for (uint64_t at = r->durable > base ? r->durable - base : 0; at < end;) {
        size_t n = end - at < RECOVER_READ ? (size_t)(end - at) : RECOVER_READ;
        enum store_status status = recover_bytes(r, at, n, &p);
        if (status)
            return status;
        int result = r->disk->pwrite(r->disk->ctx, last->file, p, n, at);
        if (result)
            return recover_refused_segment(r, "write", last->head.first_id, result);
        at += n;
    }
    int result = segment_sync(r->disk, last);
    return result ? recover_refused_segment(r, "sync", last->head.first_id, result) : STORE_OK;
}

static enum store_status recover_all(struct recovery *r)
{
    r->s->next_id = 1;
    enum store_status status = recover_list(r);
    if (!status)
        status = recover_scan(r);
    if (!status)
        status = recover_mend(r);
    if (!status && r->s->segments.count == 0)
        status = recover_first_segment(r);
    if (status)
        return status;
    status = recover_harden(r);
    if (status)
        return status;
    if (r->last_flags & RECORD_UNSYNCED)
        r->s->next_id += RECOVER_SKIP_IDS;
    return STORE_OK;
}

enum store_status recover_log(struct store *s, struct store_error *error)
{
    struct recovery r = {.s = s, .disk = s->options.disk, .error = error};
    enum store_status status = recover_all(&r);
    free(r.names);
    free(r.window);
    return status;
}
