/*
 * run: one session after another of a store on a simulated disk, held against the model.
 */
#ifndef SIM_RUN_H
#define SIM_RUN_H

#include "model.h"

/* What was wrong: "" if nothing was. */
struct run_result {
    char wrong[512];
    uint64_t calls, writes; /* of the disk */
};

/* A run in which everything is chosen by the seed. */
void run_seed(struct run_result *result, uint64_t seed, FILE *trace);

/* A small session, always the same, in which one call meets this, as in simdisk.h. Then the power is
 * cut, and all is looked at again. The seed chooses what remains of it. */
struct run_fault {
    uint64_t fail_at, fail_write;
    int fail_error;
    uint64_t stop_at, stop_write;
    enum simdisk_end stop_how;
    enum store_sync sync;
};
void run_script(struct run_result *result, uint64_t seed, const struct run_fault *fault,
                FILE *trace);

#endif
