/*
 * window: reads a file piece by piece, for whoever goes through it from its begin to its end.
 */
#ifndef STORE_WINDOW_H
#define STORE_WINDOW_H

#include "store/disk.h"

#include <stdint.h>

struct window {
    /* Set by the owner in a zeroed struct, or when it goes on to another file, with n = 0. */
    const struct disk *disk;
    int file;
    size_t least; /* bytes of one read, if no more are asked for */

    uint8_t *p; /* n bytes of the file from offset `at` on */
    uint64_t at;
    size_t n, cap;
};

/* n bytes of the file at this offset, valid until the next call: 0; -ENODATA, the file ends before
 * them; or another -errno. */
__attribute__((warn_unused_result)) int window_get(struct window *w, uint64_t at, size_t n,
                                                   const uint8_t **out);

void window_free(struct window *w);

#endif
