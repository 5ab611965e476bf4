/*
 * run: one measured stretch of time, after a warm-up: messages, their latencies, and what the process
 * wrote to the disk meanwhile.
 *
 *   run_start(r, seconds);
 *   while (run_goes_on(r, histogram_now())) ... run_message(r, ns) for every message that ended
 *
 * It is large (a histogram): not for the stack.
 */
#ifndef BENCH_RUN_H
#define BENCH_RUN_H

#include "histogram.h"

#include <stdbool.h>

struct run {
    struct histogram latency;
    uint64_t messages;
    uint64_t written; /* bytes of pages that became dirty: write_bytes of proc(5) */
    double seconds;

    uint64_t from, until; /* ns; the measured time begins, ends */
    bool measuring;
};

/* The warm-up is a tenth of it, in front. */
void run_start(struct run *r, double seconds);

/* False when its time is over; the result stands then. */
bool run_goes_on(struct run *r, uint64_t now);

void run_message(struct run *r, uint64_t ns);

double run_rate(const struct run *r);
double run_written_each(const struct run *r);

/* A line of /proc/self/io, like "write_bytes"; 0 where the kernel does not tell. */
uint64_t run_io(const char *name);

/* Says what went wrong, with strerror(error) unless that is 0, and ends the process. */
__attribute__((noreturn, format(printf, 2, 3))) void run_die(int error, const char *format, ...);

#endif
