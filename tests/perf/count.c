/*
 * count: one scenario, for callgrind to count.
 *
 *   scenarios NAME      runs one; without a name, prints all names
 *
 * Nothing here is timed; only what happens in `measured` is counted.
 */
#include "../sim/world.h"
#include "scenarios.h"

#include <stdio.h>
#include <string.h>

/* Callgrind counts from its begin to its end. */
__attribute__((noinline)) void measured(const struct scenario *s);
__attribute__((noinline)) void measured(const struct scenario *s)
{
    s->run();
    __asm__ volatile("");
}

int main(int argc, char **argv)
{
    world_begin(1);
    for (const struct scenario *s = scenarios; s->name; s++) {
        if (argc < 2) {
            puts(s->name);
        } else if (strcmp(argv[1], s->name) == 0) {
            s->before();
            measured(s);
            s->after();
            return scenario_found ? 0 : 1;
        }
    }
    return argc < 2 ? 0 : 64;
}
