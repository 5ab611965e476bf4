/*
 * fuzz: what every fuzz target has.
 *
 * A target is one file with LLVMFuzzerTestOneInput. libFuzzer drives it (make fuzz); replay.c feeds it
 * the files of corpus/TARGET in the plain tests. What breaks a CHECK is a find, like a crash. The same
 * input must always do the same: time and randomness come from tests/sim/world.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include "base/buf.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

#define CHECK(condition)                                                                      \
    do {                                                                                      \
        if (!(condition)) {                                                                   \
            fprintf(stderr, "%s:%d: it is not so that %s\n", __FILE__, __LINE__, #condition); \
            abort();                                                                          \
        }                                                                                     \
    } while (0)

/* Takes the first byte off; 0 at the end. */
static inline uint8_t fuzz_byte(struct slice *in)
{
    uint8_t byte = in->n ? in->p[0] : 0;
    *in = slice_skip(*in, in->n > 0);
    return byte;
}

/* Takes n bytes off, or what is left. */
static inline struct slice fuzz_bytes(struct slice *in, size_t n)
{
    struct slice out = slice_of(in->p, n < in->n ? n : in->n);
    *in = slice_skip(*in, out.n);
    return out;
}

/* Whether inner lies in outer. */
static inline bool fuzz_within(struct slice inner, struct slice outer)
{
    return inner.n == 0 || (inner.p >= outer.p && inner.p + inner.n <= outer.p + outer.n);
}

#endif
