/*
 * seeds: the main of a program that makes one run for each seed and says which seeds found something
 * wrong.
 */
#ifndef SIM_SEEDS_H
#define SIM_SEEDS_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* One run; what was wrong, or "" if nothing was. trace NULL: none. */
typedef void seeds_run(char *wrong, size_t size, uint64_t seed, FILE *trace);

/* Reads the arguments, and runs: the status of the program. */
int seeds_main(int argc, char **argv, seeds_run *run);

#endif
