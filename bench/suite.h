/*
 * suite: what suite-bench measures of whom, and what it has found: shared by its parts.
 */
#ifndef BENCH_SUITE_H
#define BENCH_SUITE_H

#include "contender.h"
#include "score.h"

#include <stdint.h>

enum { P50, P90, P99 }; /* of the histogram's percentiles */

#define SUITE_CONTENDERS 13
#define SUITE_CELLS 17

extern struct contender suite_contenders[SUITE_CONTENDERS];

/* What is measured; the goals are ratios of throughput to the peer that has this text in its name, or
   with SUITE_OWN, of a percentile of the latency to that of write + fdatasync where a file grows. */
#define SUITE_OWN "" /* no peer can do it, or ought to */
struct suite_cell {
    const char *what;
    struct measure m;
    int sorts;
    bool large; /* not in a quick run */
    const char *peer;
    double goal;
    size_t percentile; /* with SUITE_OWN: the number of it */
};

extern const struct suite_cell suite_cells[SUITE_CELLS];

struct suite {
    struct contender_places places;
    bool quick, json;
    uint32_t rounds, idle;
    double seconds;
    const char *report_path;
    const char *dir; /* where the scratch folder goes */
    bool there[SUITE_CONTENDERS];
    struct sample samples[SUITE_CELLS][SUITE_CONTENDERS][SCORE_ROUNDS_MAX];
    struct sample idle_samples[SUITE_CONTENDERS], calls[SUITE_CELLS][SUITE_CONTENDERS];
    struct profile profiles[SUITE_CELLS][SUITE_CONTENDERS]; /* of what is ours */
    struct score score;
    /* Two for each cell and contender: throughput and CPU. */
    struct score_line lines[SUITE_CELLS * (SUITE_CONTENDERS * 2 + 3) + SUITE_CONTENDERS];
    size_t lines_n;
    double sync_us[SCORE_ROUNDS_MAX][2]; /* growing, overwriting */
};

/* Of the contenders of its sort, the one that is ours. */
size_t suite_ours(size_t contender);

bool suite_takes_part(const struct suite *s, size_t cell, size_t contender);

/* Puts all samples into the score. */
void suite_score(struct suite *s);

void suite_write_report(const struct suite *s);

#endif
