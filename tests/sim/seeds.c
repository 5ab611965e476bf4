#include "seeds.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char *program;
static seeds_run *run_seed;
static volatile uint64_t current; /* the seed that runs */

static void print_usage(void)
{
    fprintf(stderr,
            "usage: %s [--seeds N] [--from N] [--jobs N]   runs N seeds (1000) from N (1) on\n"
            "       %s --seed N [--verbose]                runs one seed, with a trace\n"
            "Ends at the first seed that finds something wrong, with status 1.\n",
            program, program);
}

static void say_wrong(uint64_t seed, const char *what)
{
    printf("seed %" PRIu64 ": %s\nrepeat it with: %s --seed %" PRIu64 " --verbose\n", seed, what,
           program, seed);
    fflush(stdout);
}

/* A failed assertion, a bad access, a run without end: the seed is what matters. */
static void on_signal(int signal)
{
    say_wrong(current, strsignal(signal));
    _exit(1);
}

static int run_one(uint64_t seed, bool verbose)
{
    char wrong[1500] = "";
    current = seed;
    alarm(20);
    run_seed(wrong, sizeof wrong, seed, verbose ? stdout : NULL);
    alarm(0);
    if (*wrong)
        say_wrong(seed, wrong);
    return *wrong ? 1 : 0;
}

/* Every jobs-th seed; the first that fails ends it. */
static int run_some(uint64_t from, uint64_t seeds, unsigned jobs, unsigned job)
{
    for (uint64_t i = job; i < seeds; i += jobs)
        if (run_one(from + i, false))
            return 1;
    return 0;
}

static int run_all(uint64_t from, uint64_t seeds, unsigned jobs)
{
    struct timespec start, end;
    int failed = 0, status;
    clock_gettime(CLOCK_MONOTONIC, &start);
    for (unsigned job = 1; job < jobs; job++) {
        pid_t pid = fork();
        if (pid == 0)
            _exit(run_some(from, seeds, jobs, job));
        if (pid < 0)
            return perror("fork"), 71;
    }
    failed = run_some(from, seeds, jobs, 0);
    while (wait(&status) > 0)
        failed |= !WIFEXITED(status) || WEXITSTATUS(status);
    clock_gettime(CLOCK_MONOTONIC, &end);
    double seconds =
        (double)(end.tv_sec - start.tv_sec) + (double)(end.tv_nsec - start.tv_nsec) / 1e9;
    if (!failed)
        printf("%" PRIu64 " seeds from %" PRIu64 " on, nothing wrong, %.1f s, %.0f seeds/s\n",
               seeds, from, seconds, (double)seeds / seconds);
    return failed;
}

static bool number(const char *text, uint64_t *out)
{
    char *end;
    if (!text || *text < '0' || *text > '9')
        return false;
    errno = 0;
    *out = strtoull(text, &end, 10);
    return !errno && !*end;
}

int seeds_main(int argc, char **argv, seeds_run *run)
{
    uint64_t seed = 0, seeds = 1000, from = 1, jobs = 1;
    bool one = false, verbose = false, good = true;
    program = argv[0];
    run_seed = run;
    for (int i = 1; i < argc && good; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : NULL;
        if (strcmp(argv[i], "--verbose") == 0) {
            verbose = true;
            continue;
        }
        i++;
        if (strcmp(argv[i - 1], "--seed") == 0)
            good = one = number(value, &seed);
        else if (strcmp(argv[i - 1], "--seeds") == 0)
            good = number(value, &seeds);
        else if (strcmp(argv[i - 1], "--from") == 0)
            good = number(value, &from);
        else if (strcmp(argv[i - 1], "--jobs") == 0)
            good = number(value, &jobs) && jobs >= 1 && jobs <= 1024;
        else
            good = false;
    }
    if (!good || (verbose && !one)) {
        print_usage();
        return 64;
    }
    static const int signals[] = {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGALRM};
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        signal(signals[i], on_signal);
    return one ? run_one(seed, verbose) : run_all(from, seeds, (unsigned)jobs);
}
