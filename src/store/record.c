#include "store/record.h"

#include "base/endian.h"
#include "codec/crc32c.h"

static const uint8_t magic[8] = {'p', 'a', 'r', 'l', 'e', 'y', '\r', '\n'};
static const uint8_t begin_magic[8] = {'p', 'a', 'r', 'l', 'e', 'y', 'b', 'g'};

bool record_read(struct record *r, const uint8_t *p)
{
    r->length = le32_load(p + 4);
    r->kind = p[8];
    r->flags = p[9];
    r->key_length = p[10];
    bool mark = r->kind == RECORD_KIND_MARK;
    if ((r->kind != RECORD_KIND_MESSAGE && !mark) ||
        r->flags > (RECORD_FROM_SECOND | RECORD_UNSYNCED) || p[11] || r->length > RECORD_MAX ||
        r->length <= (uint32_t)RECORD_HEAD + r->key_length ||
        (mark && (r->length != RECORD_MARK || r->key_length)))
        return false;
    r->conversation = le32_load(p + 12);
    r->back = le32_load(p + 16);
    r->id = le64_load(p + 20);
    r->date = (int64_t)le64_load(p + 28);
    r->prev = le64_load(p + 36);
    return r->id && r->id < RECORD_MAX_ID;
}

static uint32_t record_check(const uint8_t *p, uint32_t length, uint64_t place)
{
    uint8_t at[8];
    le64_store(at, place);
    return crc32c(crc32c(0, at, sizeof at), p + 4, length - 4);
}

bool record_valid(const struct record *r, const uint8_t *p, uint64_t place)
{
    return le32_load(p) == record_check(p, r->length, place);
}

void record_seal(const struct record *r, uint8_t *p, uint64_t place)
{
    le32_store(p + 4, r->length);
    p[8] = r->kind;
    p[9] = r->flags;
    p[10] = r->key_length;
    p[11] = 0;
    le32_store(p + 12, r->conversation);
    le32_store(p + 16, r->back);
    le64_store(p + 20, r->id);
    le64_store(p + 28, (uint64_t)r->date);
    le64_store(p + 36, r->prev);
    le32_store(p, record_check(p, r->length, place));
}

void record_append_check(struct buf *b)
{
    uint8_t check[SEGMENT_CHECK];
    le32_store(check, crc32c(0, b->p, b->n));
    buf_append(b, check, sizeof check);
}

bool record_has_check(const uint8_t *p, size_t n)
{
    return le32_load(p + n - SEGMENT_CHECK) == crc32c(0, p, n - SEGMENT_CHECK);
}

enum segment_head_status segment_head_read(struct segment_head *h, const uint8_t p[SEGMENT_HEAD],
                                           uint32_t *version)
{
    if (memcmp(p, magic, sizeof magic) != 0)
        return SEGMENT_HEAD_FOREIGN;
    /* Before the check: a newer head may be longer, and have its check elsewhere. */
    *version = le32_load(p + 8);
    if (*version > RECORD_VERSION)
        return SEGMENT_HEAD_NEWER;
    if (*version == 0 || le32_load(p + 12) != SEGMENT_HEAD || !record_has_check(p, SEGMENT_HEAD))
        return SEGMENT_HEAD_BROKEN;
    *h = (struct segment_head){.base = le64_load(p + 16),
                               .first_id = le64_load(p + 24),
                               .log = le64_load(p + 32),
                               .date = (int64_t)le64_load(p + 40),
                               .end = le64_load(p + 48),
                               .runs = le32_load(p + 56)};
    return h->end && h->end <= h->base ? SEGMENT_HEAD_BROKEN : SEGMENT_HEAD_OK;
}

void segment_head_write(const struct segment_head *h, uint8_t p[SEGMENT_HEAD])
{
    memset(p, 0, SEGMENT_HEAD);
    memcpy(p, magic, sizeof magic);
    le32_store(p + 8, RECORD_VERSION);
    le32_store(p + 12, SEGMENT_HEAD);
    le64_store(p + 16, h->base);
    le64_store(p + 24, h->first_id);
    le64_store(p + 32, h->log);
    le64_store(p + 40, (uint64_t)h->date);
    le64_store(p + 48, h->end);
    le32_store(p + 56, h->runs);
    le32_store(p + 60, crc32c(0, p, 60));
}

void record_append_run(struct buf *runs, uint32_t conversation, uint64_t last)
{
    uint8_t run[SEGMENT_RUN];
    le32_store(run, conversation);
    le64_store(run + 4, last);
    buf_append(runs, run, sizeof run);
}

bool log_begin_read(struct log_begin *b, const uint8_t p[LOG_BEGIN])
{
    *b = (struct log_begin){le64_load(p + 8), le64_load(p + 16)};
    return memcmp(p, begin_magic, sizeof begin_magic) == 0 && record_has_check(p, LOG_BEGIN);
}

void log_begin_write(const struct log_begin *b, uint8_t p[LOG_BEGIN])
{
    memcpy(p, begin_magic, sizeof begin_magic);
    le64_store(p + 8, b->log);
    le64_store(p + 16, b->place);
    le32_store(p + 24, crc32c(0, p, 24));
}

bool segment_head_torn(const uint8_t *p, size_t n)
{
    if (n > SEGMENT_HEAD)
        return false;
    for (size_t i = 0; i < n && i < sizeof magic; i++)
        if (p[i] && p[i] != magic[i])
            return false;
    return true;
}
