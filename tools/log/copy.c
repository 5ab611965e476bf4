#include "copy.h"

#include "base/random.h"

#include <assert.h>
#include <errno.h>

#define COPY_WRITE (1u << 20) /* bytes that gather before they are written */

int copy_init(struct copy *c, const struct disk *disk, uint64_t segment_size)
{
    *c = (struct copy){
        .disk = disk,
        .segment_size = segment_size ? segment_size : STORE_SEGMENT_SIZE,
        .segment.file = -1,
        .next_id = 1,
    };
    int result = random_bytes(&c->segment.head.log, sizeof c->segment.head.log);
    int index = index_init(&c->index);
    return result ? result : index;
}

void copy_fini(struct copy *c)
{
    if (c->segment.file >= 0)
        c->disk->close(c->disk->ctx, c->segment.file);
    c->segment.file = -1;
    buf_free(&c->gathered);
    index_fini(&c->index);
}

static int copy_flush(struct copy *c)
{
    uint64_t at = c->end - c->gathered.n - c->segment.head.base;
    int result = c->gathered.n ? c->disk->pwrite(c->disk->ctx, c->segment.file, c->gathered.p,
                                                 c->gathered.n, at)
                               : 0;
    buf_clear(&c->gathered);
    return result;
}

static int copy_end_segment(struct copy *c)
{
    if (c->segment.file < 0)
        return 0;
    int result = copy_flush(c);
    if (!result)
        result = c->disk->sync(c->disk->ctx, c->segment.file);
    c->disk->close(c->disk->ctx, c->segment.file);
    c->segment.file = -1;
    return result;
}

int copy_segment(struct copy *c, const struct segment_head *head)
{
    int result = copy_end_segment(c);
    if (result)
        return result;
    struct segment next = {.head = *head, .file = -1};
    result = segment_create(c->disk, &next);
    if (result)
        return result;
    c->segment = next;
    c->end = head->base + SEGMENT_HEAD;
    return 0;
}

/* Room for n more bytes of the segment. */
static int copy_reserve(struct copy *c, size_t n, uint8_t **p)
{
    int result = c->gathered.n + n > COPY_WRITE ? copy_flush(c) : 0;
    if (result)
        return result;
    *p = buf_reserve(&c->gathered, n);
    if (!*p)
        return -ENOMEM;
    c->gathered.n += n;
    c->end += n;
    return 0;
}

int copy_bytes(struct copy *c, const void *p, size_t n)
{
    uint8_t *to;
    int result = copy_reserve(c, n, &to);
    if (!result)
        memcpy(to, p, n);
    return result;
}

static int copy_next_segment(struct copy *c)
{
    struct segment_head head = {
        .base = c->end, .first_id = c->next_id, .log = c->segment.head.log, .date = c->date};
    return copy_segment(c, &head);
}

/* Room for a record of that length, in the conversation of the two. */
static int copy_begin_record(struct copy *c, size_t length, struct slice a, struct slice b,
                             uint32_t *number, uint8_t **p)
{
    uint64_t used = c->end - c->segment.head.base;
    int result = 0;
    if (c->segment.file < 0 || (used > SEGMENT_HEAD && used + length > c->segment_size))
        result = copy_next_segment(c);
    if (!result)
        result = index_intern(&c->index, a, b, number);
    return result ? result : copy_reserve(c, length, p);
}

/* Its body stands already. */
static void copy_end_record(struct copy *c, const struct record *r, uint8_t *p)
{
    record_seal(r, p, c->end - r->length);
    c->next_id = r->id + 1;
    c->date = r->date > c->date ? r->date : c->date;
}

int copy_message(struct copy *c, const struct store_message *m, uint8_t flags, struct slice key)
{
    assert(m->id >= c->next_id);
    size_t length = RECORD_HEAD + m->json.n + key.n;
    uint32_t number = 0;
    uint8_t *p;
    int result = copy_begin_record(c, length, m->from, m->to, &number, &p);
    if (result)
        return result;
    struct record r = {
        .length = (uint32_t)length,
        .kind = RECORD_KIND_MESSAGE,
        .flags = (uint8_t)(flags | (slice_cmp(m->from, m->to) > 0 ? RECORD_FROM_SECOND : 0)),
        .key_length = (uint8_t)key.n,
        .conversation = number,
        .back = 0, /* only a finished copy is a log */
        .id = m->id,
        .date = m->date,
        .prev = c->index.conversations[number].last,
    };
    memcpy(p + RECORD_HEAD, m->json.p, m->json.n);
    if (key.n)
        memcpy(p + RECORD_HEAD + m->json.n, key.p, key.n);
    copy_end_record(c, &r, p);
    index_commit(&c->index, number, c->end - length, m->id);
    return 0;
}

int copy_mark(struct copy *c, const struct store_mark *m, uint8_t flags)
{
    assert(m->id >= c->next_id);
    uint32_t number = index_find(&c->index, m->reader, m->other);
    uint8_t *p;
    if (number == INDEX_NONE)
        return 0;
    int result = copy_begin_record(c, RECORD_MARK, m->reader, m->other, &number, &p);
    if (result)
        return result;
    struct record r = {
        .length = RECORD_MARK,
        .kind = RECORD_KIND_MARK,
        .flags = (uint8_t)(flags | (slice_cmp(m->reader, m->other) > 0 ? RECORD_FROM_SECOND : 0)),
        .conversation = number,
        .id = m->id,
        .date = c->date,
    };
    le64_store(p + RECORD_HEAD, m->up_to);
    copy_end_record(c, &r, p);
    return 0;
}

int copy_skip_ids(struct copy *c, uint64_t next_id)
{
    assert(next_id >= c->next_id);
    c->next_id = next_id;
    return copy_next_segment(c);
}

int copy_finish(struct copy *c)
{
    int result = c->segment.file < 0 ? copy_next_segment(c) : 0;
    if (!result)
        result = copy_end_segment(c);
    return result ? result : c->disk->sync_dir(c->disk->ctx);
}
