/*
 * slice: a borrowed view of bytes.
 *
 * Points into memory of somebody else, is not terminated, and is never kept across a turn of the
 * loop. An empty slice may have any pointer, also NULL.
 */
#ifndef BASE_SLICE_H
#define BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct slice {
    const uint8_t *p;
    size_t n; /* bytes */
};

/* A string literal as a slice, without its terminator. */
#define SLICE(literal) ((struct slice){(const uint8_t *)("" literal), sizeof(literal) - 1})

/* For printf's "%.*s": the caller knows that the text is free of control characters. */
#define SLICE_FMT(s) (int)(s).n, (const char *)(s).p

static inline struct slice slice_of(const void *p, size_t n)
{
    return (struct slice){p, n};
}

static inline struct slice slice_str(const char *s)
{
    return slice_of(s, strlen(s));
}

static inline bool slice_eq(struct slice a, struct slice b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

/* Byte order, a prefix first: <0, 0, >0 like memcmp. */
static inline int slice_cmp(struct slice a, struct slice b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int order = n ? memcmp(a.p, b.p, n) : 0;
    return order ? order : (a.n > b.n) - (a.n < b.n);
}

/* The rest of s behind its first n bytes; n <= s.n. */
static inline struct slice slice_skip(struct slice s, size_t n)
{
    return slice_of(s.p + n, s.n - n);
}

#endif
