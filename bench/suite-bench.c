/*
 * suite-bench: parley beside other servers and beside the floor, in one run: a table, and a report in
 * HTML. `make bench` installs the peers and calls it.
 *
 * All servers run from the beginning to the end. In each round every cell is measured with every server
 * that takes part in it, one after the other, by parley-bench; so what disturbs one disturbs its neighbours.
 * What idle connections take is measured of new processes, and what system calls are made, and where the
 * time goes, in runs of their own, since strace and perf make a server slower.
 *
 * A server's threads share the first processor, the load has the second one: so they do not disturb each
 * other, but the kernel's own threads, those of the disk among them, run on both.
 */
#include "base/args.h"
#include "base/exit.h"
#include "base/version.h"
#include "rig.h"
#include "scratch.h"
#include "suite.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* ---- measuring --------------------------------------------------------------------------- */

static void measure(struct suite *s, size_t cell, size_t i, uint32_t round)
{
    struct measure m = suite_cells[cell].m;
    bool idle = strcmp(m.mode, "idle") == 0;
    if (m.seconds <= 0)
        m.seconds = idle ? 0.2 : s->seconds;
    if (idle && !m.connections)
        m.connections = s->idle;
    contender_measure(&suite_contenders[i], &s->places, &m, &s->samples[cell][i][round]);
}

static void measure_round(struct suite *s, uint32_t round)
{
    for (size_t cell = 0; cell < SUITE_CELLS; cell++)
        for (size_t i = 0; i < SUITE_CONTENDERS; i++)
            if (suite_takes_part(s, cell, i) && !suite_cells[cell].fresh)
                measure(s, cell, i, round);
}

/* The share of user space, more exactly than the kernel's ticks tell it. */
static void split_time(struct suite *s, size_t cell, size_t i)
{
    const struct profile *p = &s->profiles[cell][i];
    double kernel = 0;
    for (size_t k = 0; k < p->n; k++)
        if (strcmp(p->rooms[k].name, "kernel") == 0)
            kernel = p->rooms[k].share;
    for (uint32_t r = 0; p->n && r < s->rounds; r++)
        s->samples[cell][i][r].user_us = s->samples[cell][i][r].cpu_us * (1 - kernel);
}

/* System calls, and the rooms where our time goes. */
static void measure_profiles(struct suite *s)
{
    for (size_t cell = 0; cell < SUITE_CELLS; cell++)
        for (size_t i = 0; i < SUITE_CONTENDERS; i++) {
            struct measure m = suite_cells[cell].m;
            struct sample counted, *first = &s->samples[cell][i][0];
            enum contender_sort sort = suite_contenders[i].sort;
            m.seconds = s->quick ? 0.1 : 1.2; /* perf takes its time to begin */
            if (!suite_takes_part(s, cell, i) || suite_cells[cell].large ||
                suite_cells[cell].fresh || sort > CONTENDER_MEMORY || (s->quick && cell))
                continue;
            if (suite_ours(i) == i) {
                contender_profile(&suite_contenders[i], &s->places, &m, &s->profiles[cell][i]);
                split_time(s, cell, i);
            }
            if (suite_ours(i) != i && cell > ECHO_20_100_16)
                continue;
            m.calls = true;
            m.seconds = s->quick ? 0.1 : 0.4;
            contender_measure(&suite_contenders[i], &s->places, &m, &counted);
            first->calls = counted.calls;
            first->transfers = counted.transfers;
            memcpy(first->call_names, counted.call_names, sizeof first->call_names);
        }
}

static void start_all(struct suite *s)
{
    for (size_t i = 0; i < SUITE_CONTENDERS; i++) {
        s->there[i] = contender_start(&suite_contenders[i], &s->places);
        if (!s->there[i])
            fprintf(stderr, "skipped: %s: it does not start here\n", suite_contenders[i].name);
    }
}

static void end_all(void)
{
    for (size_t i = 0; i < SUITE_CONTENDERS; i++)
        contender_end(&suite_contenders[i]);
}

static void measure_fresh(struct suite *s)
{
    for (size_t cell = 0; cell < SUITE_CELLS; cell++)
        for (size_t i = 0; i < SUITE_CONTENDERS; i++) {
            struct contender *c = &suite_contenders[i];
            if (!suite_cells[cell].fresh || !suite_takes_part(s, cell, i) ||
                !contender_start(c, &s->places))
                continue;
            measure(s, cell, i, 0);
            contender_end(c);
        }
}

/* The log of PARLEY_FULL. What is left to the kernel is written before anybody is measured. */
static void fill_log(const struct suite *s)
{
    static struct rig rig;
    const struct rig_load load = {.conversations = 10000, .messages = s->quick ? 10000 : 10000000};
    char path[300];
    snprintf(path, sizeof path, "%s/full", s->places.scratch);
    rig_open(&rig, path, STORE_SYNC_NONE, false);
    rig_fill(&rig, &load);
    rig_close(&rig);
    rig_settle(path);
}

static void write_secret(const struct suite *s)
{
    char path[300];
    snprintf(path, sizeof path, "%s/secret", s->places.scratch);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, "a secret for measuring and nothing else\n", 40) != 40)
        run_die(errno, "%s", path);
    close(fd);
}

/* ---- the run ----------------------------------------------------------------------------- */

static int work(void *ctx, const char *path)
{
    struct suite *s = ctx;
    s->places.scratch = path;
    write_secret(s);
    fill_log(s);
    start_all(s);
    for (uint32_t r = 0; r < s->rounds; r++) {
        fprintf(stderr, "suite-bench: round %u of %u\n", r + 1, s->rounds);
        measure_round(s, r);
    }
    measure_profiles(s);
    end_all();
    measure_fresh(s);
    suite_score(s);
    suite_write_report(s);
    if (s->json) {
        score_print_json(&s->score);
        puts("");
    } else {
        printf("%u rounds, interleaved; %s\n\n", s->rounds,
               s->quick ? "a smoke run, whose figures say nothing" : "medians of the rounds");
        score_print_table(&s->score);
        printf("\nplots, latencies and profile: %s\n", s->report_path);
    }
    return EXIT_CLEAN;
}

static int wrong(const char *why)
{
    fprintf(stderr, "suite-bench: %s\n", why);
    return EXIT_USAGE_ERROR;
}

int main(int argc, char **argv)
{
    static struct suite s; /* large: not to be initialised data */
    uint32_t ms = 0;
    bool help = false, version = false;
    s.rounds = 5;
    s.idle = 15000;
    s.places.peers = "build/bench";
    s.report_path = "build/bench/report.html";
    struct arg rows[] = {
        {"rounds", ARG_NUMBER, &s.rounds, 1, SCORE_ROUNDS_MAX, "N", "default 5", 0},
        {"ms", ARG_NUMBER, &ms, 10, 60000, "MS", "of each measurement; default 600", 0},
        {"idle", ARG_NUMBER, &s.idle, 1, 15000, "N", "idle connections; default 15000", 0},
        {"quick", ARG_FLAG, &s.quick, 0, 0, NULL,
         "one short round without the large cells: does it run?", 0},
        {"peers", ARG_TEXT, &s.places.peers, 0, 0, "DIR",
         "where bench/peers/install has put the peers; default build/bench", 0},
        {"report", ARG_TEXT, &s.report_path, 0, 0, "FILE", "default build/bench/report.html", 0},
        {"dir", ARG_TEXT, &s.dir, 0, 0, "DIR", "for the data; default: beside this program", 0},
        {"json", ARG_FLAG, &s.json, 0, 0, NULL, "print the table as JSON", 0},
        {"version", ARG_FLAG, &version, 0, 0, NULL, "print the version", 0},
        {"help", ARG_FLAG, &help, 0, 0, NULL, "print this", 0},
        {0}};
    struct args_error error;
    int rest = args_parse(rows, argc, argv, &error);
    if (rest < 0)
        return wrong(error.text);
    if (help) {
        printf("usage: suite-bench [OPTION]...\nparley beside other servers and the floor.\n\n");
        args_help(rows);
        return EXIT_CLEAN;
    }
    if (version) {
        printf("suite-bench %s\n", PARLEY_VERSION);
        return EXIT_CLEAN;
    }
    if (rest < argc)
        return wrong("there are no arguments but options; see --help");
    if (s.quick && !rows[0].given)
        s.rounds = 1;
    s.seconds = ms ? ms / 1000.0 : s.quick ? 0.1 : 0.6;
    if (s.quick && !rows[2].given)
        s.idle = 500;
    contender_find_places(&s.places);
    return scratch_run(s.dir, work, &s);
}
