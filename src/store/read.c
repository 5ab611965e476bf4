#include "store/inside.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

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

/* Makes the scratch buffer hold at least `need` bytes of the log from `place` on, `want` if there
 * are as many. */
static enum store_status read_bytes(struct store *s, uint64_t place, size_t need, size_t want)
{
    const struct segment *segment = segments_find(&s->segments, place);
    buf_clear(&s->scratch);
    if (!buf_reserve(&s->scratch, want))
        return STORE_SYSTEM;
    const struct disk *disk = s->options.disk;
    int64_t got =
        disk->pread(disk->ctx, segment->file, s->scratch.p, want, place - segment->head.base);
    if (got < 0)
        return read_failed(s, segment, place, strerror((int)-got));
    s->scratch.n = (size_t)got;
    return (size_t)got < need ? read_failed(s, segment, place, "the file is too short") : STORE_OK;
}

/* The head of a record that should belong to this conversation. The check over the whole record
 * is made when the message itself is read. */
static enum store_status read_head(struct store *s, uint64_t place, uint32_t conversation,
                                   struct record *r)
{
    enum store_status status = read_bytes(s, place, RECORD_HEAD, RECORD_HEAD);
    if (status)
        return status;
    if (!record_read(r, s->scratch.p) || r->conversation != conversation || r->prev >= place)
        return read_failed(s, segments_find(&s->segments, place), place,
                           "this is no record of the conversation");
    return STORE_OK;
}

static enum store_status read_record(struct store *s, uint64_t place, struct record *r)
{
    enum store_status status = read_bytes(s, place, RECORD_HEAD, READ_FIRST);
    if (status)
        return status;
    bool head = record_read(r, s->scratch.p);
    if (head && r->length > s->scratch.n)
        status = read_bytes(s, place, r->length, r->length);
    if (status)
        return status;
    if (!head || !record_valid(r, s->scratch.p, place) ||
        r->conversation >= s->index.conversation_count)
        return read_failed(s, segments_find(&s->segments, place), place,
                           "the record is damaged: its check does not match");
    return STORE_OK;
}

/* The places of a page, the newest first. */
static enum store_status read_collect(struct store *s, struct store_read *read, uint32_t number,
                                      uint64_t before, uint32_t limit)
{
    uint64_t place = s->index.conversations[number].last;
    while (place) {
        struct record r;
        enum store_status status = read_head(s, place, number, &r);
        if (status)
            return status;
        size_t json = r.length - RECORD_HEAD - r.key_length;
        if (before == 0 || r.id < before) {
            read->more = read->count == limit || read->bytes + json > STORE_PAGE_BYTES;
            if (read->more)
                return STORE_OK;
            read->places[read->count++] = place;
            read->bytes += json;
        }
        place = r.prev;
    }
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

enum store_status store_read_page(struct store *s, struct store_read *read, struct slice user,
                                  struct slice other, uint64_t before, uint32_t limit)
{
    *read = (struct store_read){0};
    uint32_t number = index_find(&s->index, user, other);
    if (number == INDEX_NONE || limit == 0)
        return STORE_OK;
    if (limit > STORE_MAX_PAGE)
        limit = STORE_MAX_PAGE;
    read->places = malloc(limit * sizeof *read->places);
    if (!read->places)
        return STORE_SYSTEM;
    enum store_status status = read_collect(s, read, number, before, limit);
    if (status)
        store_read_end(read);
    else
        read_reverse(read);
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
    enum store_status status = read_record(s, read->places[read->next], &r);
    if (status)
        return status;
    read->next++;
    store_message_of(s, &r, s->scratch.p, out);
    return STORE_OK;
}

void store_read_end(struct store_read *read)
{
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
