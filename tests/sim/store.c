/*
 * store: runs the store on a simulated disk, one run a seed, and says which seeds found it wrong.
 */
#include "run.h"
#include "seeds.h"

static void run(char *wrong, size_t size, uint64_t seed, FILE *trace)
{
    struct run_result result;
    run_seed(&result, seed, trace);
    snprintf(wrong, size, "%s", result.wrong);
}

int main(int argc, char **argv)
{
    return seeds_main(argc, argv, run);
}
