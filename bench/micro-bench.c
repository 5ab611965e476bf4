/*
 * micro-bench: the core's parts one by one, in nanoseconds a step and bytes a nanosecond, each beside the
 * plain way to do it (naive). The scenarios of tests/perf, whose instructions are counted there, are
 * measured here, and some more that are too plain to be counted.
 */
#include "../tests/perf/scenarios.h"
#include "../tests/sim/world.h"
#include "base/args.h"
#include "base/exit.h"
#include "base/version.h"
#include "codec/sha1.h"
#include "codec/sha256.h"
#include "histogram.h"
#include "naive.h"
#include "net/frame.h"
#include "score.h"

#include <stdio.h>
#include <string.h>

static const uint8_t key[4] = {0x5a, 0xa5, 0x3c, 0xc3};
static uint8_t block[16 << 10];

static void nothing(void)
{
}

static void unmask(void)
{
    frame_mask(block, sizeof block, key);
    scenario_found += block[0];
}

static void unmask_plainly(void)
{
    naive_unmask(block, sizeof block, key);
    scenario_found += block[0];
}

static void unmask_short(void)
{
    for (size_t at = 0; at + 20 <= sizeof block; at += 20)
        frame_mask(block + at, 20, key);
    scenario_found += block[0];
}

static void unmask_short_plainly(void)
{
    for (size_t at = 0; at + 20 <= sizeof block; at += 20)
        naive_unmask(block + at, 20, key);
    scenario_found += block[0];
}

static void write_heads(void)
{
    for (unsigned i = 0; i < 1000; i++) {
        uint8_t head[FRAME_MAX_HEAD];
        scenario_found += frame_write_head(head, FRAME_TEXT, i * 70);
        scenario_found += head[1];
    }
}

static void hash_sha1(void)
{
    uint8_t digest[SHA1_SIZE];
    sha1(slice_of(block, sizeof block), digest);
    scenario_found += digest[0];
}

static void hash_sha256(void)
{
    uint8_t digest[SHA256_SIZE];
    struct sha256 h;
    sha256_init(&h);
    sha256_update(&h, slice_of(block, sizeof block));
    sha256_final(&h, digest);
    scenario_found += digest[0];
}

static const struct scenario more[] = {
    {"unmask, 16 KiB", nothing, unmask, nothing, 1, sizeof block},
    {"unmask, 20 bytes", nothing, unmask_short, nothing, sizeof block / 20, 20},
    {"frame heads written", nothing, write_heads, nothing, 1000, 0},
    {"SHA-1, 16 KiB", nothing, hash_sha1, nothing, 1, sizeof block},
    {"SHA-256, 16 KiB", nothing, hash_sha256, nothing, 1, sizeof block},
    {0},
};

/* Those that have a plain way. */
static const struct naive {
    const char *name;
    void (*before)(void), (*run)(void), (*after)(void);
} naives[] = {
    {"envelope", nothing, naive_envelopes, nothing},
    {"utf8", nothing, naive_texts, nothing},
    {"frame", nothing, naive_frames, nothing},
    {"crc32c", nothing, naive_checks, nothing},
    {"token", nothing, naive_tokens, nothing},
    {"hub", nothing, naive_lookups, nothing},
    {"append", naive_open, naive_appends, naive_close},
    {"page", naive_open, naive_pages, naive_close},
    {"unmask, 16 KiB", nothing, unmask_plainly, nothing},
    {"unmask, 20 bytes", nothing, unmask_short_plainly, nothing},
};

/* Nanoseconds of one run, the best of those that fit into that time: what else the machine does only
   adds. */
static double measure(void (*before)(void), void (*run)(void), void (*after)(void), double seconds)
{
    uint64_t least = UINT64_MAX, began, now;
    before();
    run();
    began = now = histogram_now();
    while (now - began < (uint64_t)(seconds * 1e9)) {
        run();
        uint64_t then = now;
        now = histogram_now();
        least = now - then < least ? now - then : least;
    }
    after();
    return (double)least;
}

static struct score score;
static struct score_line lines[2 * 32];

static const struct naive *naive_of(const char *name)
{
    for (size_t i = 0; i < sizeof naives / sizeof *naives; i++)
        if (strcmp(naives[i].name, name) == 0)
            return &naives[i];
    return NULL;
}

/* The lines of a scenario are found again by its number; every round writes the same into them. */
static void measure_one(const struct scenario *s, size_t number, double seconds)
{
    const struct naive *naive = naive_of(s->name);
    struct score_line *time = &lines[2 * number], *speed = time + 1;
    double ns = measure(s->before, s->run, s->after, seconds) / s->steps;
    double plain = naive ? measure(naive->before, naive->run, naive->after, seconds) / s->steps : 0;
    *time = (struct score_line){s->name, "ns", naive ? "plain" : NULL, SCORE_NO_GOAL, 0};
    *speed = (struct score_line){s->name, "B/ns", naive ? "plain" : NULL, SCORE_NO_GOAL, 0};
    score_add(&score, time, ns);
    if (naive)
        score_add_peer(&score, time, plain);
    if (s->bytes)
        score_add(&score, speed, (double)s->bytes / ns);
    if (s->bytes && naive)
        score_add_peer(&score, speed, (double)s->bytes / plain);
}

static void measure_all(double seconds)
{
    size_t number = 0;
    for (const struct scenario *s = scenarios; s->name; s++)
        if (strcmp(s->name, "recover") !=
            0) /* a start of the server is what store-bench measures */
            measure_one(s, number++, seconds);
    for (const struct scenario *s = more; s->name; s++)
        measure_one(s, number++, seconds);
}

int main(int argc, char **argv)
{
    uint32_t rounds = 5, ms = 50;
    bool help = false, version = false, quick = false, json = false;
    struct arg rows[] = {
        {"rounds", ARG_NUMBER, &rounds, 1, SCORE_ROUNDS_MAX, "N", "default 5", 0},
        {"ms", ARG_NUMBER, &ms, 1, 60000, "MS", "for each in each round; default 50", 0},
        {"quick", ARG_FLAG, &quick, 0, 0, NULL, "one round of a millisecond: does it run?", 0},
        {"json", ARG_FLAG, &json, 0, 0, NULL, "print the table as JSON", 0},
        {"version", ARG_FLAG, &version, 0, 0, NULL, "print the version", 0},
        {"help", ARG_FLAG, &help, 0, 0, NULL, "print this", 0},
        {0}};
    struct args_error error;
    int rest = args_parse(rows, argc, argv, &error);
    if (rest < argc) {
        fprintf(stderr, "micro-bench: %s\n",
                rest < 0 ? error.text : "it takes no arguments but options");
        return EXIT_USAGE_ERROR;
    }
    if (help || version) {
        printf(help ? "usage: micro-bench [OPTION]...\nThe core's parts beside the plain way.\n\n"
                    : "micro-bench " PARLEY_VERSION "\n");
        if (help)
            args_help(rows);
        return EXIT_CLEAN;
    }
    world_begin(1);
    for (uint32_t i = 0; i < (quick ? 1 : rounds); i++)
        measure_all(quick ? 0.001 : ms / 1000.0);
    if (json)
        score_print_json(&score);
    else
        score_print_table(&score);
    return scenario_found ? EXIT_CLEAN : EXIT_SYSTEM;
}
