/*
 * recent: the newest records of the log, in memory, so that a read of what was just written needs no system
 * call.
 *
 * Batches are added in the order of their places, each whole or, above `size`, not at all. Two blocks hold them:
 * when the newer one is full, or a batch does not begin where the one before it ended, the older one is forgotten
 * and begun anew. So of what was written since the start the last `size` bytes are mostly there, and twice as many
 * at most. What a place holds never changes until its segment is replaced, which is for the caller to know.
 */
#ifndef STORE_RECENT_H
#define STORE_RECENT_H

#include "base/slice.h"

struct recent {
    uint32_t size;     /* bytes of a block, below 1 GiB; 0: nothing is kept */
    uint8_t *bytes;    /* both blocks; NULL until the first batch, or for want of memory */
    uint32_t newer;    /* the block that is filled */
    uint64_t place[2]; /* of each one's first byte */
    uint32_t used[2];  /* bytes of it */
};

void recent_add(struct recent *r, uint64_t place, struct slice batch);

/* The bytes from that place on, as many as there are in one piece: `need` or more, or none. They stay until the
   next call of recent_add. */
struct slice recent_find(const struct recent *r, uint64_t place, size_t need);

void recent_fini(struct recent *r);

#endif
