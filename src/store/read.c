#include "store/inside.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

/* Records that are looked at in one turn of the loop, for all readers together: a millisecond or two. */
#define READ_STEPS 2048

/* The first read of a record: most end within it, and a second system call is saved. */
#define READ_FIRST 1024

static enum store_status read_failed(const struct store *s, const struct segment *segment,
                                     uint64_t place, const char *what)
{
    char name[SEGMENT_NAME];
    segment_name(name, segment->head.first_id);
    log_write(s->options.log, LOG_ERROR, "cannot read %s at offset %" PRIu64 ": %s", name,
              place - segment->head.base, what);
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

/* Makes the scratch buffer hold at least `need` bytes of the log from `place` on, `want` if there
 * are as many. */
static enum store_status read_bytes(struct store *s, struct store_read *read, uint64_t place,
                                    size_t need, size_t want)
{
    const struct segment *segment = segments_find(&s->segments, place);
    const struct disk *disk = s->options.disk;
    uint64_t at = place - segment->head.base;
    if (read->asked && prefetch_pending(&s->prefetch, read))
        return STORE_WAIT;
    buf_clear(&s->scratch);
    if (!buf_reserve(&s->scratch, want))
        return STORE_SYSTEM;
    if (read_must_wait(s, read, segment, at, need, want))
        return STORE_WAIT;
    if (s->scratch.n)
        return STORE_OK;
    int64_t got = disk->pread(disk->ctx, segment->file, s->scratch.p, want, at);
    if (got < 0)
        return read_failed(s, segment, place, strerror((int)-got));
    s->scratch.n = (size_t)got;
    return (size_t)got < need ? read_failed(s, segment, place, "the file is too short") : STORE_OK;
}

/* The head of a record that should belong to this conversation. The check over the whole record
 * is made when the message itself is read. */
static enum store_status read_head(struct store *s, struct store_read *read, struct record *r)
{
    uint64_t place = read->place;
    enum store_status status = read_bytes(s, read, place, RECORD_HEAD, RECORD_HEAD);
    if (status)
        return status;
    if (!record_read(r, s->scratch.p) || r->conversation != read->conversation || r->prev >= place)
        return read_failed(s, segments_find(&s->segments, place), place,
                           "this is no record of the conversation");
    return STORE_OK;
}

static enum store_status read_record(struct store *s, struct store_read *read, uint64_t place,
                                     struct record *r)
{
    enum store_status status = read_bytes(s, read, place, RECORD_HEAD, READ_FIRST);
    if (status)
        return status;
    bool head = record_read(r, s->scratch.p);
    if (head && r->length > s->scratch.n)
        status = read_bytes(s, read, place, r->length, r->length);
    if (status)
        return status;
    if (!head || !record_valid(r, s->scratch.p, place) ||
        !index_is_used(&s->index, r->conversation))
        return read_failed(s, segments_find(&s->segments, place), place,
                           "the record is damaged: its check does not match");
    return STORE_OK;
}

static void read_reverse(struct store_read *read)
{
    for (uint32_t i = 0, k = read->count; i + 1 < k; i++) {
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

enum store_status store_read_look(struct store *s, struct store_read *read)
{
    if (!read->place)
        return STORE_OK;
    while (read->place) {
        if (s->steps == READ_STEPS) {
            prefetch_yield(&s->prefetch);
            return STORE_WAIT;
        }
        s->steps++;
        struct record r;
        enum store_status status = read_head(s, read, &r);
        if (status)
            return status;
        size_t json = r.length - RECORD_HEAD - r.key_length;
        if (read->before == 0 || r.id < read->before) {
            read->more = read->count == read->limit || read->bytes + json > STORE_PAGE_BYTES;
            if (read->more) {
                *read_bookmark(s, read->conversation, read->oldest) =
                    (struct bookmark){read->conversation, read->oldest, read->place};
                break;
            }
            read->places[read->count++] = read->place;
            read->bytes += json;
            read->oldest = r.id;
        }
        read->place = r.prev;
    }
    read->place = 0;
    read_reverse(read);
    return STORE_OK;
}

enum store_status store_read_page(struct store *s, struct store_read *read, struct slice user,
                                  struct slice other, uint64_t before, uint32_t limit)
{
    *read = (struct store_read){.before = before,
                                .limit = limit < STORE_MAX_PAGE ? limit : STORE_MAX_PAGE,
                                .conversation = index_find(&s->index, user, other)};
    if (read->conversation == INDEX_NONE || limit == 0)
        return STORE_OK;
    read->places = calloc(read->limit, sizeof *read->places);
    if (!read->places)
        return STORE_SYSTEM;
    const struct bookmark *mark = read_bookmark(s, read->conversation, before);
    read->place = before && mark->before == before && mark->conversation == read->conversation
                      ? mark->place
                      : s->index.conversations[read->conversation].last;
    enum store_status status = store_read_look(s, read);
    if (status != STORE_OK && status != STORE_WAIT)
        store_read_end(read);
    return status;
}

enum store_status store_read_snippets(struct store *s, struct store_read *read, struct slice user)
{
    *read = (struct store_read){0};
    uint32_t number = index_find_user(&s->index, user);
    if (number == INDEX_NONE)
        return STORE_OK;
    uint32_t count = 0, head = s->index.users[number].head;
    for (uint32_t c = head; c != INDEX_NONE; c = index_next(&s->index, c, number))
        count++;
    if (count == 0)
        return STORE_OK;
    read->places = malloc(count * sizeof *read->places);
    if (!read->places)
        return STORE_SYSTEM;
    for (uint32_t c = head; c != INDEX_NONE; c = index_next(&s->index, c, number))
        read->places[read->count++] = s->index.conversations[c].last;
    return STORE_OK;
}

enum store_status store_read_next(struct store *s, struct store_read *read,
                                  struct store_message *out)
{
    if (read->next == read->count)
        return STORE_END;
    struct record r;
    enum store_status status = read_record(s, read, read->places[read->next], &r);
    if (status)
        return status;
    read->next++;
    store_message_of(s, &r, s->scratch.p, out);
    return STORE_OK;
}

void store_read_end(struct store_read *read)
{
    if (read->waits_in)
        prefetch_cancel(&read->waits_in->prefetch, read);
    free(read->places);
    *read = (struct store_read){0};
}

uint64_t store_newest(const struct store *s, struct slice user)
{
    uint32_t number = index_find_user(&s->index, user);
    if (number == INDEX_NONE || s->index.users[number].head == INDEX_NONE)
        return 0;
    return s->index.conversations[s->index.users[number].head].last_id;
}
