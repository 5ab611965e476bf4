/*
 * simfile: one file of the simulated disk: what is durable, what was changed since, what reading
 * shows. The rules are those of simdisk.h.
 */
#ifndef SIM_SIMFILE_H
#define SIM_SIMFILE_H

#include "base/buf.h"
#include "rng.h"

struct simfile_change;

/* Zeroed: an empty file. */
struct simfile {
    struct buf durable, now;
    struct simfile_change *changes;
    size_t change_count, change_cap;
    bool gone; /* `now` shows what the disk may not have, and no change says so */
};

/* What a power cut leaves of the changes. */
enum simfile_loss {
    SIMFILE_LOSE_ALL,
    SIMFILE_LOSE_NONE,
    SIMFILE_LOSE_WHOLE, /* each is there or not */
    SIMFILE_LOSE_PARTS,
    SIMFILE_LOSSES
};

/* The array with room for one more. */
void *simfile_grow(void *array, size_t count, size_t *cap, size_t size);

void simfile_free(struct simfile *f);

/* n bytes at this offset, which are copied; or, if n is 0, a new size. */
void simfile_change(struct simfile *f, const void *p, size_t n, uint64_t at);
void simfile_sync(struct simfile *f);
void simfile_fail_sync(struct simfile *f, struct rng *rng);
void simfile_cut(struct simfile *f, struct rng *rng, enum simfile_loss loss);

/* Reading shows what is durable. */
void simfile_evict(struct simfile *f);

#endif
