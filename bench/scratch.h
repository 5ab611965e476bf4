/*
 * scratch: a temporary folder for a benchmark, removed however it ends.
 *
 * Two processes: the one that works, and its parent, which waits for it and for all that it has
 * started, and then removes the folder.
 */
#ifndef BENCH_SCRATCH_H
#define BENCH_SCRATCH_H

#include <sys/types.h>

/* Runs work(ctx, path of a new folder) in a process of its own; returns the exit status. dir is where
   the folder goes; NULL: beside this program, which is seldom in memory. */
int scratch_run(const char *dir, int (*work)(void *ctx, const char *path), void *ctx);

/* For a new process: whoever ends its parent ends it as well. */
void scratch_end_with(pid_t parent);

#endif
