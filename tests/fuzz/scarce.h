/*
 * scarce: memory that runs out on demand, for what is run between scarce_begin and scarce_end. The
 * linker puts the functions of scarce.c in the place of malloc and its like (--wrap).
 */
#ifndef FUZZ_SCARCE_H
#define FUZZ_SCARCE_H

#include "store/disk.h"

/* The n-th time that memory is asked for from now on there is none, nor the next times, `times` in all;
   n 0: there always is. */
void scarce_fail(unsigned n, unsigned times);

void scarce_begin(void);
void scarce_end(void);

/* How often memory was asked for between them so far, by any thread. */
unsigned scarce_asked(void);

/* The same disk, whose own memory never runs out. One at a time. */
void scarce_disk(struct disk *out, const struct disk *inner);

#endif
