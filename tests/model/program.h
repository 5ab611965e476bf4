/* program: what devices do, by chance. */
#ifndef MODEL_PROGRAM_H
#define MODEL_PROGRAM_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* A run in which everything is chosen by the seed; `wrong` says what was, "" if nothing. */
void program_run(char *wrong, size_t size, uint64_t seed, FILE *trace);

#endif
