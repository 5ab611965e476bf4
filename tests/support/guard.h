/*
 * guard: copies of bytes whose last one touches a page that must not be read, so that a parser
 * that looks one byte too far dies at once.
 */
#ifndef SUPPORT_GUARD_H
#define SUPPORT_GUARD_H

#include "base/slice.h"

struct guard {
    uint8_t *map; /* the readable pages, then the forbidden one */
    size_t room;  /* bytes of the readable pages */
    size_t total; /* bytes of the mapping */
};

/* Room for copies of up to n bytes. Aborts where the system has none. */
void guard_init(struct guard *g, size_t n);
void guard_fini(struct guard *g);

/* A copy of s, flush against the forbidden page; valid until the next call. s may lie in an
 * earlier copy. */
struct slice guard_copy(struct guard *g, struct slice s);

/* The last n bytes in front of the forbidden page, to write to. n <= the room asked for. */
uint8_t *guard_tail(struct guard *g, size_t n);

#endif
