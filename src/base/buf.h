/*
 * buf: bytes that grow.
 *
 * A zeroed struct is an empty buffer; buf_free gives its memory back and leaves it empty again.
 * Running out of memory is remembered in `failed`: every further append is ignored, so a writer
 * appends without looking and asks once, at the end. buf_clear forgets contents and failure and
 * keeps the memory.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/slice.h"

struct buf {
    uint8_t *p;
    size_t n;   /* bytes used */
    size_t cap; /* bytes allocated */
    bool failed;
};

/* Room for n more bytes behind the contents, or NULL (and `failed`). The caller adds to n itself. */
uint8_t *buf_reserve(struct buf *b, size_t n);

void buf_append(struct buf *b, const void *p, size_t n);
void buf_free(struct buf *b);

/* Removes the first n bytes; n <= b->n. The rest moves down. */
void buf_drop(struct buf *b, size_t n);

/* The decimal digits of v. */
void buf_append_u64(struct buf *b, uint64_t v);

/* printf, of less than 1 KiB; what is longer has failed. */
__attribute__((format(printf, 2, 3))) void buf_printf(struct buf *b, const char *format, ...);

static inline void buf_append_slice(struct buf *b, struct slice s)
{
    buf_append(b, s.p, s.n);
}

/* Into room that buf_reserve has given: where the next byte goes. */
static inline uint8_t *buf_put(uint8_t *to, const void *p, size_t n)
{
    if (n)
        memcpy(to, p, n);
    return to + n;
}

#define buf_put_lit(to, literal) buf_put(to, "" literal, sizeof(literal) - 1)

/* The decimal digits of v, BUF_U64 bytes at most. */
#define BUF_U64 20
uint8_t *buf_put_u64(uint8_t *to, uint64_t v);

#define buf_append_lit(b, literal) buf_append(b, "" literal, sizeof(literal) - 1)

static inline void buf_clear(struct buf *b)
{
    b->n = 0;
    b->failed = false;
}

static inline struct slice buf_slice(const struct buf *b)
{
    return slice_of(b->p, b->n);
}

#endif
