/*
 * world: time and randomness of a simulated run. What is defined here takes the place of
 * base/clock and base/random in the programs it is linked into, so that a run depends on nothing
 * but its seed.
 */
#ifndef SIM_WORLD_H
#define SIM_WORLD_H

#include <stdint.h>

void world_begin(uint64_t seed);

/* Lets time pass. */
void world_pass(int64_t ms);

#endif
