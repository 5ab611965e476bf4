/*
 * main: random programs of users, devices and reconnects against the real server, on a simulated clock
 * and disk, one run a seed, held against the model.
 */
#include "../sim/seeds.h"
#include "program.h"

int main(int argc, char **argv)
{
    return seeds_main(argc, argv, program_run);
}
