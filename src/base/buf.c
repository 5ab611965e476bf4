#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* The first allocation: a small answer fits, and malloc's own head is not the larger part of it. */
#define BUF_MIN 256

uint8_t *buf_reserve(struct buf *b, size_t n)
{
    if (b->failed)
        return NULL;
    if (b->p && n <= b->cap - b->n)
        return b->p + b->n;
    size_t need;
    if (__builtin_add_overflow(b->n, n, &need) || need > SIZE_MAX / 2) {
        b->failed = true;
        return NULL;
    }
    size_t cap = b->cap ? b->cap : BUF_MIN;
    while (cap < need)
        cap *= 2;
    uint8_t *p = realloc(b->p, cap);
    if (!p) {
        b->failed = true;
        return NULL;
    }
    b->p = p;
    b->cap = cap;
    return p + b->n;
}

void buf_append(struct buf *b, const void *p, size_t n)
{
    if (n == 0)
        return;
    uint8_t *to = buf_reserve(b, n);
    if (!to)
        return;
    memcpy(to, p, n);
    b->n += n;
}

void buf_free(struct buf *b)
{
    free(b->p);
    *b = (struct buf){0};
}

void buf_drop(struct buf *b, size_t n)
{
    b->n -= n;
    if (n && b->n)
        memmove(b->p, b->p + n, b->n);
}

uint8_t *buf_put_u64(uint8_t *to, uint64_t v)
{
    char digits[BUF_U64];
    size_t n = sizeof digits;
    do {
        digits[--n] = (char)('0' + v % 10);
        v /= 10;
    } while (v);
    return buf_put(to, digits + n, sizeof digits - n);
}

void buf_append_u64(struct buf *b, uint64_t v)
{
    uint8_t *to = buf_reserve(b, BUF_U64);
    if (to)
        b->n = (size_t)(buf_put_u64(to, v) - b->p);
}

void buf_printf(struct buf *b, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (n < 0 || (size_t)n >= sizeof text)
        b->failed = true;
    else
        buf_append(b, text, (size_t)n);
}
