/*
 * storm: parts of storm-bench. A well-behaved pair beside a crowd of the other sort, on a real parleyd.
 */
#ifndef BENCH_STORM_H
#define BENCH_STORM_H

#include "score.h"

#include <stdbool.h>
#include <stdint.h>

struct storm {
    uint32_t idle, floods, slow;
    uint32_t memory; /* MiB: --max-memory of the server */
    double seconds;  /* of the storm; half of it before, alone */
};

/* One round, its data in that folder, which is new. */
void storm_round(const struct storm *o, const char *data, struct score *score);

/*
 * A mixed load for that many seconds, in cycles: connects and reconnects, sends, slow readers, and at the
 * end of each the clients are killed and the secret is read again. What the server's process has then, and
 * what the pair's messages took in between, may not grow. Prints a line for each cycle; whether nothing
 * drifted.
 */
bool storm_soak(double seconds, const char *data);

#endif
