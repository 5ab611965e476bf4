/*
 * histogram: latencies in nanoseconds, log-linear: 256 steps in each power of two, so that a value is
 * known to 0.4 %. A zeroed struct is empty. It is large: not for the stack.
 */
#ifndef BENCH_HISTOGRAM_H
#define BENCH_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_STEPS 256
#define HISTOGRAM_SLOTS (57 * HISTOGRAM_STEPS)

struct histogram {
    uint64_t slots[HISTOGRAM_SLOTS];
    uint64_t count, max;
};

/* Nanoseconds of the clock that never goes back: latencies are differences of it. */
uint64_t histogram_now(void);

void histogram_add(struct histogram *h, uint64_t ns);

/* The greatest value of the slot that holds this share of all values, in microseconds. */
double histogram_us(const struct histogram *h, double percent);

/* The percentiles that are reported. */
#define HISTOGRAM_PERCENTS 5
extern const double histogram_percents[HISTOGRAM_PERCENTS];

/* "count", "per_second" and "latency_us" as members of a JSON object. */
void histogram_print_json(const struct histogram *h, double seconds);

#endif
