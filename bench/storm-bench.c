/*
 * storm-bench: a well-behaved pair of users beside thousands of others, floods and readers that do not
 * read: what the server still does for the pair, and what it takes. With --soak it goes on for a long
 * time instead, and looks whether anything grows.
 *
 * Server, crowd and pair are three processes. The crowd gives way to the others, so that the pair's
 * latencies are the server's and not those of a machine with too few processors. Beside other work, run it
 * with a priority of its own, `chrt -f 5 storm-bench`; the crowd does not take it over.
 */
#include "base/args.h"
#include "base/exit.h"
#include "base/version.h"
#include "scratch.h"
#include "storm.h"

#include <stdarg.h>
#include <stdio.h>

struct options {
    struct storm storm;
    uint32_t rounds, seconds, soak;
    bool quick, json;
    const char *dir;
};

static int run_storm(void *ctx, const char *path)
{
    static struct score score;
    const struct options *o = ctx;
    char data[512];
    for (uint32_t i = 0; i < o->rounds; i++) {
        fprintf(stderr, "storm-bench: round: %u\n", i + 1);
        snprintf(data, sizeof data, "%.400s/data-%u", path, i);
        storm_round(&o->storm, data, &score);
    }
    if (o->json) {
        score_print_json(&score);
        printf("\n");
        return EXIT_CLEAN;
    }
    printf("a pair beside %u idle connections, %u floods and %u readers that do not read; %s\n\n",
           o->storm.idle, o->storm.floods, o->storm.slow,
           o->quick ? "a smoke run, whose figures say nothing" : "medians of the rounds");
    score_print_table(&score);
    return EXIT_CLEAN;
}

static int run_soak(void *ctx, const char *path)
{
    const struct options *o = ctx;
    char data[512];
    snprintf(data, sizeof data, "%.400s/data", path);
    return storm_soak(o->soak, data) ? EXIT_CLEAN : EXIT_SYSTEM;
}

__attribute__((format(printf, 1, 2))) static int wrong(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("storm-bench: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    return EXIT_USAGE_ERROR;
}

/* -1: go on; otherwise the exit status. */
static int parse(struct options *o, int argc, char **argv)
{
    bool help = false, version = false;
    *o = (struct options){.storm = {10000, 100, 100, 256, 0}, .rounds = 3, .seconds = 20};
    struct arg rows[] = {
        {"idle", ARG_NUMBER, &o->storm.idle, 0, 1000000, "N", "connections; default 10000", 0},
        {"floods", ARG_NUMBER, &o->storm.floods, 0, 10000, "N", "default 100", 0},
        {"slow", ARG_NUMBER, &o->storm.slow, 1, 10000, "N", "readers that do not read; default 100",
         0},
        {"max-memory", ARG_NUMBER, &o->storm.memory, 1, 4095, "MIB", "the server's; default 256",
         0},
        {"seconds", ARG_NUMBER, &o->seconds, 1, 86400, "S", "of the storm; default 20", 0},
        {"rounds", ARG_NUMBER, &o->rounds, 1, SCORE_ROUNDS_MAX, "N", "default 3", 0},
        {"soak", ARG_NUMBER, &o->soak, 5, 1000000, "S",
         "a mixed load for so long instead; exit status 71 if anything grows", 0},
        {"dir", ARG_TEXT, &o->dir, 0, 0, "DIR",
         "where the temporary folder goes; default: beside this program", 0},
        {"quick", ARG_FLAG, &o->quick, 0, 0, NULL, "a smoke run of a few seconds", 0},
        {"json", ARG_FLAG, &o->json, 0, 0, NULL, "print the result as JSON", 0},
        {"version", ARG_FLAG, &version, 0, 0, NULL, "print the version", 0},
        {"help", ARG_FLAG, &help, 0, 0, NULL, "print this", 0},
        {0}};
    struct args_error error;
    int rest = args_parse(rows, argc, argv, &error);
    if (rest < 0)
        return wrong("%s", error.text);
    if (help) {
        printf("usage: storm-bench [OPTION]...\n"
               "Measures what a parleyd does for a pair of users beside a crowd.\n\n");
        args_help(rows);
        return EXIT_CLEAN;
    }
    if (version) {
        printf("storm-bench %s\n", PARLEY_VERSION);
        return EXIT_CLEAN;
    }
    if (rest < argc)
        return wrong("\"%.60s\" is no option; see --help", argv[rest]);
    o->storm.seconds = o->seconds;
    if (o->quick) {
        o->storm = (struct storm){100, 5, 5, 64, 1};
        o->rounds = 1;
    }
    return -1;
}

int main(int argc, char **argv)
{
    struct options o;
    int parsed = parse(&o, argc, argv);
    return parsed >= 0 ? parsed : scratch_run(o.dir, o.soak ? run_soak : run_storm, &o);
}
