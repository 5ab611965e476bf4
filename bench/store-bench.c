/*
 * store-bench: what the store does on this machine and this disk, held against floors, peers and goals.
 *
 * It makes a few logs in a temporary folder, then measures all parts in rounds, one part after the
 * other in each round, and prints medians.
 *
 * Beside other work for the processors, a commit may wait for a tick of the scheduler (4 ms) instead of
 * the disk: there, run it with a priority of its own, `chrt -f 5 store-bench`.
 */
#include "base/args.h"
#include "base/exit.h"
#include "base/version.h"
#include "scratch.h"
#include "sqlite.h"
#include "store_bench.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#define RECORD_BYTES 240 /* more than a message takes in the log */

struct options {
    bool quick, json;
    uint32_t rounds, messages, cold_mib;
    const char *dir, *only;
};

/* ---- the parts --------------------------------------------------------------------------- */

enum part { START, COMMIT, READ, COLD, SERVER, MEMORY, PARTS };
static const char *const part_names[PARTS] = {"start", "commit", "read",
                                              "cold",  "server", "memory"};

static bool wanted(const struct options *o, enum part part)
{
    return !o->only || strcmp(o->only, part_names[part]) == 0;
}

static void tell(const char *what, uint64_t n)
{
    fprintf(stderr, "store-bench: %s: %llu\n", what, (unsigned long long)n);
}

/* Returns the bytes of its message objects. */
static uint64_t make_log(const char *path, uint64_t messages, uint32_t conversations,
                         uint64_t special_each)
{
    struct rig rig;
    const struct rig_load load = {conversations, messages, special_each};
    tell("messages are being written to a log", messages);
    rig_open(&rig, path, STORE_SYNC_ALWAYS, false);
    rig_fill(&rig, &load);
    uint64_t json = rig.json;
    rig_close(&rig);
    return json;
}

/* By a process that ends without closing its store. */
static void make_killed_log(struct bench *b)
{
    pid_t self = getpid(), writer = fork();
    if (writer == 0) {
        scratch_end_with(self);
        struct rig rig;
        const struct rig_load load = {b->wide_conversations, b->wide, 0};
        tell("messages are being written to a log", b->wide);
        rig_open(&rig, b->wide_path, STORE_SYNC_ALWAYS, false);
        rig_fill(&rig, &load);
        _exit(EXIT_CLEAN);
    }
    int status;
    if (writer < 0 || waitpid(writer, &status, 0) < 0 || status != 0)
        run_die(0, "the wide log was not written");
    rig_copy_checkpoint(b->wide_path, b->killed_path);
}

static void make_logs(struct bench *b, const struct options *o)
{
    if (wanted(o, START) || wanted(o, READ) || wanted(o, MEMORY)) {
        uint64_t json = make_log(b->large_path, b->large, b->conversations, 0);
        if (wanted(o, MEMORY))
            store_space_once(b, json);
    }
    if (wanted(o, READ))
        make_log(b->small_path, b->small, b->conversations, 0);
    if (wanted(o, START))
        make_killed_log(b);
    if (wanted(o, COLD) || wanted(o, SERVER))
        make_log(b->cold_path, b->cold, b->conversations, b->cold / 500);
    if (wanted(o, COLD)) {
        make_log(b->arranged_path, b->cold, b->conversations, b->cold / 500);
        tell("segments are being arranged", 1);
        rig_compact(b->arranged_path);
    }
}

static void measure(struct bench *b, const struct options *o)
{
    make_logs(b, o);
    for (uint32_t i = 0; i < b->rounds; i++) {
        tell("round", i + 1);
        if (wanted(o, START))
            store_start_round(b);
        if (wanted(o, COMMIT))
            store_commit_round(b);
        if (wanted(o, READ))
            store_read_round(b);
        if (wanted(o, COLD))
            store_cold_round(b);
        if (wanted(o, SERVER))
            store_server_round(b);
    }
    if (wanted(o, MEMORY))
        store_memory_once(b);
}

/* ---- the report -------------------------------------------------------------------------- */

static void print_table(const struct bench *b, const struct options *o)
{
    printf("messages of %d bytes of text; %u rounds, interleaved; %s\n"
           "logs: large %llu messages, small %llu, each of %u conversations; wide %llu of %u; "
           "cold %llu of %u\n",
           RIG_CONTENT, b->rounds,
           o->quick ? "a smoke run, whose figures say nothing" : "medians of the rounds",
           (unsigned long long)b->large, (unsigned long long)b->small, b->conversations,
           (unsigned long long)b->wide, b->wide_conversations, (unsigned long long)b->cold,
           b->conversations);
    if (!b->sqlite)
        printf("skipped: the comparison with SQLite: libsqlite3 is not installed "
               "(apt-get install libsqlite3-0)\n");
    printf("\n");
    score_print_table(&b->score);
}

static void print_json(const struct bench *b, const struct options *o)
{
    printf("{\"version\":\"%s\",\"quick\":%s,\"rounds\":%u,\"sqlite\":%s,\"large\":%llu,"
           "\"small\":%llu,\"wide\":%llu,\"cold\":%llu,\"rows\":",
           PARLEY_VERSION, o->quick ? "true" : "false", b->rounds, b->sqlite ? "true" : "false",
           (unsigned long long)b->large, (unsigned long long)b->small, (unsigned long long)b->wide,
           (unsigned long long)b->cold);
    score_print_json(&b->score);
    printf("}\n");
}

static void require_room(const struct bench *b, const char *path)
{
    struct statvfs fs;
    /* The logs, and what a writer leaves in one measured stretch: less than a gigabyte a second. */
    uint64_t need =
        (b->large + b->small + b->wide + b->cold) * RECORD_BYTES + (uint64_t)(b->seconds * 1e9);
    if (statvfs(path, &fs) == 0 && (uint64_t)fs.f_bavail * fs.f_frsize < need)
        run_die(0, "%s has %llu MiB free, %llu are needed; choose fewer with --messages, or --dir",
                path, (unsigned long long)((uint64_t)fs.f_bavail * fs.f_frsize >> 20),
                (unsigned long long)(need >> 20));
}

/* ---- options ----------------------------------------------------------------------------- */

__attribute__((format(printf, 1, 2))) static int wrong(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("store-bench: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    return EXIT_USAGE_ERROR;
}

/* -1: go on; otherwise the exit status. */
static int parse(struct options *o, int argc, char **argv)
{
    bool help = false, version = false;
    *o = (struct options){.rounds = 5, .messages = 10000000, .cold_mib = 1024};
    struct arg rows[] = {
        {"rounds", ARG_NUMBER, &o->rounds, 1, SCORE_ROUNDS_MAX, "N", "default 5", 0},
        {"messages", ARG_NUMBER, &o->messages, 1000000, 1000000000, "N",
         "in the large log; default 10000000, which takes 2.3 GB", 0},
        {"cold", ARG_NUMBER, &o->cold_mib, 16, 1 << 20, "MIB", "of the cold log; default 1024", 0},
        {"only", ARG_TEXT, &o->only, 0, 0, "PART", "start, commit, read, cold, server or memory",
         0},
        {"dir", ARG_TEXT, &o->dir, 0, 0, "DIR",
         "where the temporary folder goes; default: beside this program", 0},
        {"quick", ARG_FLAG, &o->quick, 0, 0, NULL, "a smoke run of a second or two", 0},
        {"json", ARG_FLAG, &o->json, 0, 0, NULL, "print the result as one JSON object", 0},
        {"version", ARG_FLAG, &version, 0, 0, NULL, "print the version", 0},
        {"help", ARG_FLAG, &help, 0, 0, NULL, "print this", 0},
        {0}};
    struct args_error error;
    int rest = args_parse(rows, argc, argv, &error);
    if (rest < 0)
        return wrong("%s", error.text);
    if (help) {
        printf("usage: store-bench [OPTION]...\n"
               "Measures the store on this disk, beside SQLite and bare files.\n\n");
        args_help(rows);
        return EXIT_CLEAN;
    }
    if (version) {
        printf("store-bench %s\n", PARLEY_VERSION);
        return EXIT_CLEAN;
    }
    if (rest < argc)
        return wrong("\"%.60s\" is no option; see --help", argv[rest]);
    bool known = !o->only;
    for (int i = 0; i < PARTS && !known; i++)
        known = wanted(o, (enum part)i);
    if (!known)
        return wrong("only: \"%.40s\" is none of start, commit, read, cold, server, memory",
                     o->only);
    return -1;
}

static void plan(struct bench *b, const struct options *o, const char *path)
{
    b->rounds = o->quick ? 1 : o->rounds;
    b->seconds = o->quick ? 0.05 : 1;
    b->pages = o->quick ? 20 : 2000;
    b->conversations = o->quick ? 20 : 1000;
    b->wide_conversations = o->quick ? 2000 : 200000;
    b->memory_conversations = o->quick ? 2000 : 100000;
    b->large = o->quick ? 20000 : o->messages;
    b->small = o->quick ? 2000 : 100000;
    b->wide = o->quick ? 20000 : o->messages < 10000000 ? o->messages : 10000000;
    b->cold = o->quick ? 5000 : ((uint64_t)o->cold_mib << 20) / 224;
    snprintf(b->arranged_path, sizeof b->arranged_path, "%.200s/arranged", path);
    snprintf(b->path, sizeof b->path, "%.200s", path);
    snprintf(b->large_path, sizeof b->large_path, "%.200s/large", path);
    snprintf(b->small_path, sizeof b->small_path, "%.200s/small", path);
    snprintf(b->wide_path, sizeof b->wide_path, "%.200s/wide", path);
    snprintf(b->cold_path, sizeof b->cold_path, "%.200s/cold", path);
    snprintf(b->killed_path, sizeof b->killed_path, "%.200s/killed", path);
    snprintf(b->scratch, sizeof b->scratch, "%.200s/scratch", path);
}

static int run_bench(void *ctx, const char *path)
{
    static struct bench b;
    const struct options *o = ctx;
    plan(&b, o, path);
    require_room(&b, path);
    b.sqlite = sqlite_load();
    measure(&b, o);
    if (o->json)
        print_json(&b, o);
    else
        print_table(&b, o);
    return EXIT_CLEAN;
}

int main(int argc, char **argv)
{
    struct options o;
    int parsed = parse(&o, argc, argv);
    return parsed >= 0 ? parsed : scratch_run(o.dir, run_bench, &o);
}
