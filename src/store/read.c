#include "store/inside.h"

#include "base/endian.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

/* Records that are looked at in one turn of the loop, for all readers together: a millisecond or two. */
#define READ_STEPS 2048

/* A record is read with this much behind its begin: most end within it. */
#define READ_FIRST 1024

/* Records of a conversation that lie closer together than READ_NEAR are read READ_WINDOW bytes at a
 * time. */
#define READ_NEAR 4096
#define READ_WINDOW (32u << 10)

/* Bytes of a list of runs that are read at a time. */
#define READ_RUNS (256u * SEGMENT_RUN)

#define READ_STASH (64u << 10)

/* ---- bytes of the log -------------------------------------------------------------------- */

static enum store_status read_failed(const struct store *s, const struct segment *segment,
                                     uint64_t at, const char *what)
{
    char name[SEGMENT_NAME];
    segment_name(name, segment->head.first_id);
    log_write(s->options.log, LOG_ERROR, "cannot read %s at offset %" PRIu64 ": %s", name, at,
              what);
    return STORE_IO;
}

/* Reads what is in the page cache. True: the rest is asked for, and has to be waited for. False with
 * an empty scratch buffer: a plain read will tell; so it ends too where bringing it into the page cache
 * did not help, be it for an error of the disk. */
static bool read_must_wait(struct store *s, struct store_read *read, const struct segment *segment,
                           uint64_t at, size_t need, size_t want)
{
    const struct disk *disk = s->options.disk;
    if (!disk->pread_now)
        return false;
    int64_t got = disk->pread_now(disk->ctx, segment->file, s->scratch.p, want, at);
    if (got >= (int64_t)need) {
        s->scratch.n = (size_t)got;
        return false;
    }
    /* An error, or the end of the file, is met again by a plain read. */
    if (got != -EAGAIN && (got < 0 || disk->size(disk->ctx, segment->file) < (int64_t)(at + need)))
        return false;
    if (read->asked == segment->head.base + at + need)
        return false;
    int result = prefetch_ask(&s->prefetch, read, segment->file, at, want);
    read->waits_in = s;
    read->asked = result ? 0 : segment->head.base + at + need;
    return result >= 0;
}

static bool read_has(const struct store *s, const struct segment *segment, uint64_t at, size_t need)
{
    return s->scratch.n && s->scratch_base == segment->head.base && at >= s->scratch_at &&
           at + need <= s->scratch_at + s->scratch.n;
}

/*
 * At least `need` bytes of the segment's file from `at` on, valid until the next call. Unless they are in
 * memory, what is read for them begins up to `before` bytes in front, and is `want` bytes if there are as many.
 */
static enum store_status read_bytes(struct store *s, struct store_read *read,
                                    const struct segment *segment, uint64_t at, size_t need,
                                    size_t before, size_t want, struct slice *out)
{
    const struct disk *disk = s->options.disk;
    if (read->asked && prefetch_pending(&s->prefetch, read))
        return STORE_WAIT;
    /* In an arranged one no byte is where it was, and its list of runs lies where the next segment does. */
    if (!segment->head.end) {
        *out = recent_find(&s->recent, segment->head.base + at, need);
        if (out->n)
            return STORE_OK;
    }
    if (!read_has(s, segment, at, need)) {
        uint64_t from = at < before ? 0 : at - before;
        size_t least = (size_t)(at - from) + need;
        /* What is not committed yet may be written while it is read. */
        uint64_t end = s->end - segment->head.base;
        if (want < least)
            want = least;
        if (segment == segments_last(&s->segments) && from + want > end && from + least <= end)
            want = (size_t)(end - from);
        buf_clear(&s->scratch);
        if (!buf_reserve(&s->scratch, want))
            return STORE_SYSTEM;
        if (read_must_wait(s, read, segment, from, least, want))
            return STORE_WAIT;
        int64_t got = (int64_t)s->scratch.n;
        if (!got)
            got = disk->pread(disk->ctx, segment->file, s->scratch.p, want, from);
        if (got < 0)
            return read_failed(s, segment, at, strerror((int)-got));
        s->scratch.n = (size_t)got;
        s->scratch_base = segment->head.base;
        s->scratch_at = from;
        if ((size_t)got < least)
            return read_failed(s, segment, at, "the file is too short");
    }
    *out = slice_skip(buf_slice(&s->scratch), (size_t)(at - s->scratch_at));
    return STORE_OK;
}

/* ---- arranged segments ------------------------------------------------------------------- */

static uint32_t read_run(const uint8_t *runs, uint32_t i)
{
    return le32_load(runs + (size_t)i * SEGMENT_RUN);
}

/*
 * Finds a run in the list of an arranged segment, by its number: the numbers rise, and are mostly
 * dense, so that it is looked for where it would be if they were spread evenly; every second time in
 * the middle, lest they are not. *at is the offset of its last record; STORE_END: there is none.
 */
static enum store_status read_find_run(struct store *s, struct store_read *read,
                                       const struct segment *segment, uint32_t number, uint64_t *at)
{
    const uint32_t most = READ_RUNS / SEGMENT_RUN;
    uint32_t low = 0, high = segment->head.runs;             /* places in the list */
    uint64_t least = 0, limit = s->index.conversation_count; /* numbers in between */
    for (bool even = true; low < high; even = !even) {
        uint64_t guess = low + (high - low) / 2;
        if (even && limit > least && number >= least && number < limit)
            guess = low + (high - low) * (uint64_t)(number - least) / (limit - least);
        uint32_t first = guess < low + most / 2 ? low : (uint32_t)guess - most / 2;
        uint32_t count = high - first < most ? high - first : most;
        struct slice list;
        size_t bytes = (size_t)count * SEGMENT_RUN;
        enum store_status status =
            read_bytes(s, read, segment, segment_runs_at(segment) + (uint64_t)first * SEGMENT_RUN,
                       bytes, 0, bytes, &list);
        if (status)
            return status;
        const uint8_t *runs = list.p;
        if (read_run(runs, 0) > number) {
            high = first;
            limit = read_run(runs, 0);
        } else if (read_run(runs, count - 1) < number) {
            low = first + count;
            least = (uint64_t)read_run(runs, count - 1) + 1;
        } else {
            uint32_t a = 0, b = count;
            while (b - a > 1) {
                uint32_t middle = a + (b - a) / 2;
                if (read_run(runs, middle) <= number)
                    a = middle;
                else
                    b = middle;
            }
            *at = le64_load(runs + (size_t)a * SEGMENT_RUN + 4);
            return read_run(runs, a) == number ? STORE_OK : STORE_END;
        }
    }
    return STORE_END;
}

/* Turns a place into that of the record that is meant. It becomes 0 where the history ends. */
static enum store_status read_resolve(struct store *s, struct store_read *read, uint32_t number,
                                      uint64_t *place)
{
    const struct segment *segment = segments_find(&s->segments, *place);
    if (!segment || !*place || *place < s->index.begin) {
        *place = 0;
        return STORE_OK;
    }
    if (!segment->head.end)
        return STORE_OK;
    uint64_t at = 0;
    enum store_status status = read_find_run(s, read, segment, number, &at);
    if (status == STORE_END)
        return read_failed(s, segment, segment_runs_at(segment),
                           "a conversation is missing in the list of its runs");
    if (!status && at >= segment_runs_at(segment))
        return read_failed(s, segment, segment_runs_at(segment), "a run cannot be where it says");
    *place = status ? *place : segment->head.base + at;
    return status;
}

/* ---- records ----------------------------------------------------------------------------- */

/* The head of a record that should belong to this conversation, and what was read with it. The check
 * over the whole record is made when the message itself is read. */
static enum store_status read_head(struct store *s, struct store_read *read, struct record *r,
                                   struct slice *bytes)
{
    uint64_t place = read->place;
    const struct segment *segment = segments_find(&s->segments, place);
    uint64_t at = place - segment->head.base;
    bool near = segment->head.end || (read->step && read->step < READ_NEAR);
    size_t before = near ? READ_WINDOW : 0;
    enum store_status status =
        read_bytes(s, read, segment, at, RECORD_HEAD, before, before + READ_FIRST, bytes);
    if (status)
        return status;
    if (!record_read(r, bytes->p) || r->kind != RECORD_KIND_MESSAGE ||
        r->conversation != read->conversation || r->prev >= place)
        return read_failed(s, segment, at, "this is no record of the conversation");
    return STORE_OK;
}

/* Nothing else is ever shown, whatever the disk says. */
static bool read_is_asked_for(const struct store *s, const struct store_read *read,
                              uint32_t conversation)
{
    if (read->numbers)
        return conversation == read->numbers[read->next];
    if (!read->merge)
        return conversation == read->conversation;
    return index_is_used(&s->index, conversation) &&
           (s->index.conversations[conversation].user[0] == read->user ||
            s->index.conversations[conversation].user[1] == read->user);
}

static enum store_status read_record(struct store *s, struct store_read *read, uint64_t place,
                                     struct record *r, const uint8_t **p)
{
    const struct segment *segment = segments_find(&s->segments, place);
    uint64_t at = place - segment->head.base;
    size_t want =
        segment->head.end || (read->step && read->step < READ_NEAR) ? READ_WINDOW : READ_FIRST;
    struct slice bytes;
    enum store_status status = read_bytes(s, read, segment, at, RECORD_HEAD, 0, want, &bytes);
    bool head = !status && record_read(r, bytes.p);
    if (head && bytes.n < r->length)
        status = read_bytes(s, read, segment, at, r->length, 0, want, &bytes);
    if (status)
        return status;
    *p = bytes.p;
    if (!head || !record_valid(r, *p, place))
        return read_failed(s, segment, at, "the record is damaged: its check does not match");
    if (!read_is_asked_for(s, read, r->conversation))
        return read_failed(s, segment, at, "this is no record of the conversation");
    return STORE_OK;
}

/* ---- the stash --------------------------------------------------------------------------- */

/* It is filled from its end, since a page is looked up from its newest record back. */
static void stash_begin(struct store *s, struct store_read *read)
{
    if (!s->stash)
        s->stash = malloc(READ_STASH); /* without it, records are read twice */
    if (++s->stash_of == 0)
        s->stash_of = 1;
    s->stash_at = s->stash ? READ_STASH : 0;
    s->stash_next = 0;
    read->stash = s->stash_of;
}

static void stash_put(struct store *s, const struct store_read *read, const struct record *r,
                      struct slice bytes)
{
    bool all = read->next + s->stash_next + 1 == read->count; /* none is missing in between */
    if (read->stash != s->stash_of || !all || r->length > bytes.n || r->length > s->stash_at)
        return;
    s->stash_at -= r->length;
    memcpy(s->stash + s->stash_at, bytes.p, r->length);
    s->stash_next++;
}

/* The page is known: what was a count becomes the index of the oldest. */
static void stash_end(struct store *s, const struct store_read *read)
{
    if (read->stash == s->stash_of)
        s->stash_next = read->count - s->stash_next;
}

/* The record that is read next, if it is there. */
static const uint8_t *stash_take(struct store *s, const struct store_read *read, struct record *r)
{
    if (!read->stash || read->stash != s->stash_of || read->next != s->stash_next)
        return NULL;
    const uint8_t *p = s->stash + s->stash_at;
    uint64_t place = read->places[read->next];
    if (!record_read(r, p) || !record_valid(r, p, place))
        return NULL;
    s->stash_at += r->length;
    s->stash_next++;
    return p;
}

/* ---- several conversations as one -------------------------------------------------------- */

/* A record that was looked at, and is taken when no other conversation has a newer one. */
struct read_cursor {
    uint64_t id, place, prev;
    uint32_t conversation;
};

/* Each conversation has one cursor at most: it goes back from one record to the next when that has been
 * taken. Those with the newest messages are begun first, and the others when it is their turn. */
struct read_merge {
    uint64_t since, upto;                 /* ids: above the first, up to the second */
    uint32_t count, begun;                /* of the conversations */
    uint32_t heap_n;                      /* cursors: */
    struct read_cursor *heap;             /* the newest is the first */
    uint32_t numbers[STORE_MAX_PAGE + 1]; /* of the conversations, the most recent first */
};

static void merge_push(struct read_merge *m, struct read_cursor c)
{
    uint32_t i = m->heap_n++;
    for (; i && m->heap[(i - 1) / 2].id < c.id; i = (i - 1) / 2)
        m->heap[i] = m->heap[(i - 1) / 2];
    m->heap[i] = c;
}

static struct read_cursor merge_pop(struct read_merge *m)
{
    struct read_cursor top = m->heap[0], c = m->heap[--m->heap_n];
    uint32_t i = 0;
    for (uint32_t child = 1; child < m->heap_n; child = 2 * i + 1) {
        if (child + 1 < m->heap_n && m->heap[child + 1].id > m->heap[child].id)
            child++;
        if (m->heap[child].id < c.id)
            break;
        m->heap[i] = m->heap[child];
        i = child;
    }
    m->heap[i] = c;
    return top;
}

static struct read_merge *merge_new(const struct store *s, uint32_t user, uint64_t since,
                                    uint32_t limit)
{
    const struct conversation *all = s->index.conversations;
    uint32_t count = 0, head = s->index.users[user].head;
    /* One conversation more than messages, and it is known that there are more. */
    for (uint32_t c = head; c != INDEX_NONE && all[c].last_id > since && count <= limit; count++)
        c = index_next(&s->index, c, user);
    struct read_merge *m = malloc(sizeof *m);
    struct read_cursor *heap = calloc(count, sizeof *heap);
    if (!m || !heap) {
        free(m);
        free(heap);
        return NULL;
    }
    *m = (struct read_merge){
        .since = since, .upto = all[head].last_id, .count = count, .heap = heap};
    for (uint32_t i = 0, c = head; i < count; i++, c = index_next(&s->index, c, user))
        m->numbers[i] = c;
    return m;
}

static void merge_free(struct read_merge *m)
{
    if (m)
        free(m->heap);
    free(m);
}

/* ---- looking up -------------------------------------------------------------------------- */

static void read_reverse(struct store_read *read)
{
    for (uint32_t i = read->next, k = read->count; i + 1 < k; i++) {
        uint64_t place = read->places[i];
        read->places[i] = read->places[--k];
        read->places[k] = place;
    }
}

bool store_can_look(const struct store *s)
{
    return s->steps < READ_STEPS;
}

static struct bookmark *read_bookmark(struct store *s, uint32_t conversation, uint64_t before)
{
    return &s->bookmarks[(conversation * 31 + before) & (BOOKMARKS - 1)];
}

/* From the newest record of a conversation. */
static void read_begin_conversation(const struct store *s, struct store_read *read,
                                    uint32_t conversation)
{
    read->conversation = conversation;
    read->place = s->index.conversations[conversation].last;
    read->exact = false;
    read->step = 0;
}

/* From one record to the one in front of it. */
static void read_step(const struct store *s, struct store_read *read, uint64_t from, uint64_t prev)
{
    read->exact = prev >= segments_find(&s->segments, from)->head.base;
    read->step = from - prev;
    read->place = prev;
}

/* Takes records as long as it is known which one is the next: r is one more that is known, or NULL.
 * False: that was all; otherwise some other has to be looked at. */
static bool read_merge(const struct store *s, struct store_read *read, const struct record *r)
{
    struct read_merge *m = read->merge;
    if (r && r->id > m->since)
        merge_push(m, (struct read_cursor){r->id, read->place, r->prev, read->conversation});
    for (;;) {
        /* Messages that were committed meanwhile make a conversation begin too early, never too late. */
        const struct conversation *all = s->index.conversations;
        if (m->begun < m->count &&
            (!m->heap_n || all[m->numbers[m->begun]].last_id > m->heap[0].id)) {
            read_begin_conversation(s, read, m->numbers[m->begun++]);
            if (!read->place) /* it has been erased */
                continue;
            return true;
        }
        if (!m->heap_n)
            return false;
        struct read_cursor c = merge_pop(m);
        if (c.id <= m->upto && read->count == read->limit) {
            read->more |= !read->again;
            return false;
        }
        if (c.id <= m->upto) {
            read->places[read->count++] = c.place;
            read->oldest = c.id;
        }
        if (c.prev) {
            read->conversation = c.conversation;
            read_step(s, read, c.place, c.prev);
            return true;
        }
    }
}

/* Counts what the user of the snippets has not read of this conversation. */
static void read_begin_count(struct store *s, struct store_read *read, uint32_t number)
{
    const struct conversation *c = &s->index.conversations[number];
    bool second = index_is_second(c, read->user);
    read->conversation = number;
    read->place = c->last;
    read->exact = false;
    read->layout = s->layout;
    read->step = 0;
    read->above = c->mark[second];
    read->counted = 0;
    read->since = c->unread[second];
}

/* False: the record, and all in front of it, has been read. */
static bool read_count(const struct store *s, struct store_read *read, const struct record *r)
{
    const struct conversation *c = &s->index.conversations[read->conversation];
    if (r->id <= read->above)
        return false;
    if (c->user[r->flags & RECORD_FROM_SECOND] != read->user)
        read->counted++;
    return true;
}

static void read_begin_look(struct store *s, struct store_read *read)
{
    read->layout = s->layout;
    read->count = read->next;
    read->bytes = 0;
    if (read->merge) {
        read->merge->begun = read->merge->heap_n = 0;
        if (!read_merge(s, read, NULL))
            read->place = 0;
        return;
    }
    const struct bookmark *mark = read_bookmark(s, read->conversation, read->before);
    read_begin_conversation(s, read, read->conversation);
    read->exact = read->before && mark->before == read->before &&
                  mark->conversation == read->conversation && mark->place;
    if (read->exact)
        read->place = mark->place;
    stash_begin(s, read);
}

/* Takes the record into the page. False: the page ends behind it. */
static bool read_take(struct store *s, struct store_read *read, const struct record *r,
                      struct slice bytes)
{
    size_t json = r->length - RECORD_HEAD - r->key_length;
    if (read->before && r->id >= read->before)
        return true;
    if (r->id <= read->last)
        return false;
    if (read->count == read->limit || read->bytes + json > STORE_PAGE_BYTES) {
        if (!read->again)
            read->more = true;
        *read_bookmark(s, read->conversation, read->oldest) =
            (struct bookmark){read->conversation, read->oldest, read->place};
        return false;
    }
    if (read->count == 0)
        read->newest = r->id;
    read->places[read->count++] = read->place;
    read->bytes += json;
    read->oldest = r->id;
    stash_put(s, read, r, bytes);
    return true;
}

enum store_status store_read_look(struct store *s, struct store_read *read)
{
    if (!read->place)
        return STORE_OK;
    if (read->layout != s->layout && read->numbers)
        read_begin_count(s, read, read->conversation);
    else if (read->layout != s->layout)
        read_begin_look(s, read);
    for (bool more = true; more;) {
        struct record r = {0};
        struct slice bytes = {0};
        if (s->steps == READ_STEPS) {
            prefetch_yield(&s->prefetch);
            return STORE_WAIT;
        }
        s->steps++;
        enum store_status status =
            read->exact ? STORE_OK : read_resolve(s, read, read->conversation, &read->place);
        if (status)
            return status;
        read->exact = true;
        if (read->place)
            status = read_head(s, read, &r, &bytes);
        if (status)
            return status;
        if (read->merge) {
            more = read_merge(s, read, read->place ? &r : NULL);
        } else {
            more = read->place &&
                   (read->numbers ? read_count(s, read, &r) : read_take(s, read, &r, bytes)) &&
                   r.prev;
            if (more)
                read_step(s, read, read->place, r.prev);
        }
    }
    read->place = 0;
    if (read->numbers)
        return STORE_OK;
    read_reverse(read);
    stash_end(s, read);
    return STORE_OK;
}

static enum store_status read_look_first(struct store *s, struct store_read *read)
{
    read->places = calloc(read->limit, sizeof *read->places);
    enum store_status status = STORE_SYSTEM;
    if (read->places) {
        read_begin_look(s, read);
        status = store_read_look(s, read);
    }
    if (status != STORE_OK && status != STORE_WAIT)
        store_read_end(read);
    return status;
}

enum store_status store_read_page(struct store *s, struct store_read *read, struct slice user,
                                  struct slice other, uint64_t before, uint32_t limit)
{
    *read = (struct store_read){.before = before,
                                .limit = limit < STORE_MAX_PAGE ? limit : STORE_MAX_PAGE,
                                .conversation = index_find(&s->index, user, other)};
    if (read->conversation == INDEX_NONE || limit == 0)
        return STORE_OK;
    return read_look_first(s, read);
}

enum store_status store_read_since(struct store *s, struct store_read *read, struct slice user,
                                   uint64_t since, uint32_t limit)
{
    *read = (struct store_read){.limit = limit < STORE_MAX_PAGE ? limit : STORE_MAX_PAGE,
                                .more = since + 1 < s->segments.at[0].head.first_id};
    uint32_t number = index_find_user(&s->index, user);
    uint32_t head = number == INDEX_NONE ? INDEX_NONE : s->index.users[number].head;
    if (head == INDEX_NONE || s->index.conversations[head].last_id <= since || limit == 0)
        return STORE_OK;
    read->user = number;
    read->merge = merge_new(s, number, since, read->limit);
    if (!read->merge)
        return STORE_SYSTEM;
    read->more |= read->merge->count > limit; /* one may be erased while they are looked up */
    return read_look_first(s, read);
}

/* The segments have been replaced since: looks up once more what has not been read yet. Some of it may
 * have been dropped, or erased; a page, whose size is known to its reader, ends with that. */
static enum store_status read_look_again(struct store *s, struct store_read *read)
{
    if (!read->place && read->layout != s->layout) {
        read->before = read->newest + 1;
        read->limit = read->count;
        read->again = true;
        if (read->merge)
            read->merge->since = read->next ? read->last : read->oldest - 1;
        read_begin_look(s, read);
    }
    enum store_status status = store_read_look(s, read);
    if (status || !read->again || read->count == read->limit)
        return status;
    if (read->merge)
        return read->next < read->count ? STORE_OK : STORE_END;
    log_write(s->options.log, LOG_INFO, "messages that were being read are gone by now");
    return STORE_IO;
}

/* ---- snippets ---------------------------------------------------------------------------- */

enum store_status store_read_snippets(struct store *s, struct store_read *read, struct slice user)
{
    uint32_t number = index_find_user(&s->index, user);
    *read = (struct store_read){.user = number};
    if (number == INDEX_NONE)
        return STORE_OK;
    uint32_t count = 0, head = s->index.users[number].head;
    for (uint32_t c = head; c != INDEX_NONE; c = index_next(&s->index, c, number))
        count++;
    if (count == 0)
        return STORE_OK;
    read->numbers = reallocarray(NULL, count, sizeof *read->numbers);
    if (!read->numbers)
        return STORE_SYSTEM;
    for (uint32_t c = head; c != INDEX_NONE; c = index_next(&s->index, c, number))
        if (s->index.conversations[c].last >= s->index.begin)
            read->numbers[read->count++] = c;
    return STORE_OK;
}

/* The newest message of the next conversation, at the time of this call. One of which nothing is
 * left any more is passed over. */
static enum store_status read_snippet(struct store *s, struct store_read *read, uint64_t *place)
{
    while (read->next < read->count) {
        uint32_t number = read->numbers[read->next];
        *place = s->index.conversations[number].last;
        enum store_status status = read_resolve(s, read, number, place);
        if (status || *place)
            return status;
        read->count--;
        memmove(&read->numbers[read->next], &read->numbers[read->next + 1],
                (read->count - read->next) * sizeof *read->numbers);
    }
    return STORE_END;
}

/* Sees to it that the index knows how much of the next conversation the user has not read. He may read
 * on, and messages may come, while it is counted. */
static enum store_status read_unread(struct store *s, struct store_read *read)
{
    uint32_t number = read->numbers[read->next];
    struct conversation *c = &s->index.conversations[number];
    bool second = index_is_second(c, read->user);
    while (c->unread[second] & INDEX_UNCOUNTED) {
        if (!read->place || read->conversation != number || read->above != c->mark[second])
            read_begin_count(s, read, number);
        enum store_status status = store_read_look(s, read);
        if (status)
            return status;
        c->unread[second] = read->counted + (c->unread[second] - read->since);
    }
    read->place = 0;
    return STORE_OK;
}

/* How far both have read the conversation that was shown last. */
static void read_show_marks(const struct store *s, struct store_read *read)
{
    const struct conversation *c = &s->index.conversations[read->numbers[read->next - 1]];
    bool second = index_is_second(c, read->user), alone = c->user[0] == c->user[1];
    read->unread = c->unread[second];
    read->read_up_to = c->mark[alone ? second : !second];
    if (read->read_up_to < store_first_id(s))
        read->read_up_to = 0;
}

/* ---- both -------------------------------------------------------------------------------- */

enum store_status store_read_next(struct store *s, struct store_read *read,
                                  struct store_message *out)
{
    if (read->next == read->count && !read->place)
        return STORE_END;
    struct record r;
    uint64_t place = 0;
    enum store_status status = STORE_OK;
    if (!read->numbers)
        status = read_look_again(s, read);
    else /* in this order: those that are passed over need not be counted, the one behind them must be */
        status = read_snippet(s, read, &place);
    if (!status && read->numbers)
        status = read_unread(s, read);
    if (status)
        return status;
    const uint8_t *p = stash_take(s, read, &r);
    if (!p)
        status = read_record(s, read, read->numbers ? place : read->places[read->next], &r, &p);
    if (status)
        return status;
    read->next++;
    read->last = r.id;
    if (read->numbers)
        read_show_marks(s, read);
    store_message_of(s, &r, p, out);
    return STORE_OK;
}

void store_read_end(struct store_read *read)
{
    if (read->waits_in)
        prefetch_cancel(&read->waits_in->prefetch, read);
    free(read->places);
    free(read->numbers);
    merge_free(read->merge);
    *read = (struct store_read){0};
}

uint64_t store_newest(const struct store *s, struct slice user)
{
    uint32_t number = index_find_user(&s->index, user);
    if (number == INDEX_NONE || s->index.users[number].head == INDEX_NONE)
        return 0;
    const struct conversation *newest = &s->index.conversations[s->index.users[number].head];
    return newest->last < s->index.begin ? 0 : newest->last_id;
}

uint64_t store_count_conversations(const struct store *s, struct slice user)
{
    uint32_t number = index_find_user(&s->index, user);
    uint64_t count = 0;
    if (number != INDEX_NONE)
        for (uint32_t c = s->index.users[number].head; c != INDEX_NONE;
             c = index_next(&s->index, c, number))
            count += s->index.conversations[c].last >= s->index.begin;
    return count;
}

uint32_t store_user(const struct store *s, struct slice user)
{
    return index_find_user(&s->index, user);
}

bool store_has_conversation(const struct store *s, struct slice a, struct slice b)
{
    uint32_t number = index_find(&s->index, a, b);
    return number != INDEX_NONE && s->index.conversations[number].last;
}
