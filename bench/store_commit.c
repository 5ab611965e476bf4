/* Writing: how much, how soon, and what it costs the disk. */
#include "store_bench.h"

#include "sqlite.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define MANY 1000       /* writers, and conversations */
#define BARE_RECORD 224 /* bytes: about what a message takes in the log */
#define BARE_BLOCKS ((size_t)4 << 20)

static const struct score_line many_single = {"--sync always, 1,000 writers", "/s",
                                              "SQLite, a transaction each", SCORE_RATIO_MIN, 100};
static const struct score_line many_batched = {"--sync always, 1,000 writers", "/s",
                                               "SQLite, 1,000 a transaction", SCORE_RATIO_MIN, 2};
static const struct score_line many_p50 = {"  latency p50", "us", NULL, SCORE_NO_GOAL, 0};
static const struct score_line many_p99 = {"  latency p99", "us", NULL, SCORE_NO_GOAL, 0};
static const struct score_line one_p50 = {"--sync always, one writer, p50", "us",
                                          "SQLite, a transaction each", SCORE_RATIO_MAX, 1};
static const struct score_line one_p99 = {"--sync always, one writer, p99", "us",
                                          "SQLite, a transaction each", SCORE_RATIO_MAX, 1};
static const struct score_line one_append = {"--sync always, one writer, p50", "us",
                                             "write, fdatasync; file grows", SCORE_NO_GOAL, 0};
static const struct score_line one_overwrite = {"--sync always, one writer, p50", "us",
                                                "write, fdatasync; blocks there", SCORE_NO_GOAL, 0};
static const struct score_line always_one = {"written a message, --sync always, one writer", "B",
                                             "SQLite, a transaction each", SCORE_NO_GOAL, 0};
static const struct score_line always_many = {"written a message, --sync always, 1,000 writers",
                                              "B", "SQLite, 1,000 a transaction", SCORE_NO_GOAL, 0};
static const struct score_line timed_one = {"written a message, --sync 100, one writer", "B", NULL,
                                            SCORE_NO_GOAL, 0};
static const struct score_line timed_many = {"written a message, --sync 100, 1,000 writers", "B",
                                             NULL, SCORE_NO_GOAL, 0};
static const struct score_line none_one = {"written a message, --sync none, one writer", "B", NULL,
                                           SCORE_NO_GOAL, 0};
static const struct score_line none_many = {"written a message, --sync none, 1,000 writers", "B",
                                            NULL, SCORE_NO_GOAL, 0};

/* Too large for the stack, and one is measured at a time. */
static struct run run;

static void write_store(const struct bench *b, enum store_sync sync, uint32_t writers,
                        double seconds)
{
    struct rig rig;
    rig_settle(b->path);
    rig_open(&rig, b->scratch, sync, false);
    rig_write(&rig, &run, writers, MANY, seconds);
    rig_close(&rig);
    rig_remove(b->scratch);
}

static void write_sqlite(const struct bench *b, unsigned per_transaction)
{
    char path[300];
    rig_settle(b->path);
    if (mkdir(b->scratch, 0700))
        run_die(errno, "cannot make %s", b->scratch);
    snprintf(path, sizeof path, "%s/db", b->scratch);
    sqlite_run(&run, path, per_transaction, slice_of(rig_content(0).p + 1, RIG_CONTENT),
               b->seconds);
    rig_remove(b->scratch);
}

/* Records behind each other, each of them synced; into blocks that were written before, or not. */
static void write_bare(const struct bench *b, bool blocks)
{
    rig_settle(b->path);
    int fd = open(b->scratch, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    uint8_t *zeros = calloc(1, BARE_BLOCKS);
    if (fd < 0 || !zeros)
        run_die(errno, "cannot make %s", b->scratch);
    if (blocks && (pwrite(fd, zeros, BARE_BLOCKS, 0) != (ssize_t)BARE_BLOCKS || fsync(fd)))
        run_die(errno, "cannot write %s", b->scratch);
    uint64_t now = histogram_now(), at = 0;
    run_start(&run, b->seconds);
    while (run_goes_on(&run, now)) {
        uint64_t before = now;
        if (pwrite(fd, zeros, BARE_RECORD, (off_t)at) != BARE_RECORD || fdatasync(fd))
            run_die(errno, "cannot write %s", b->scratch);
        at = blocks ? (at + BARE_RECORD) % (BARE_BLOCKS - BARE_RECORD) : at + BARE_RECORD;
        now = histogram_now();
        run_message(&run, now - before);
    }
    free(zeros);
    close(fd);
    unlink(b->scratch);
}

static void measure_many(struct bench *b)
{
    struct score *s = &b->score;
    write_store(b, STORE_SYNC_ALWAYS, MANY, b->seconds);
    score_add(s, &many_single, run_rate(&run));
    score_add(s, &many_batched, run_rate(&run));
    score_add(s, &many_p50, histogram_us(&run.latency, 50));
    score_add(s, &many_p99, histogram_us(&run.latency, 99));
    score_add(s, &always_many, run_written_each(&run));
    if (!b->sqlite)
        return;
    write_sqlite(b, 1000);
    score_add_peer(s, &many_batched, run_rate(&run));
    score_add_peer(s, &always_many, run_written_each(&run));
}

static void measure_one(struct bench *b)
{
    struct score *s = &b->score;
    write_store(b, STORE_SYNC_ALWAYS, 1, b->seconds);
    score_add(s, &one_p50, histogram_us(&run.latency, 50));
    score_add(s, &one_p99, histogram_us(&run.latency, 99));
    score_add(s, &one_append, histogram_us(&run.latency, 50));
    score_add(s, &one_overwrite, histogram_us(&run.latency, 50));
    score_add(s, &always_one, run_written_each(&run));
    if (b->sqlite) {
        write_sqlite(b, 1);
        score_add_peer(s, &many_single, run_rate(&run));
        score_add_peer(s, &one_p50, histogram_us(&run.latency, 50));
        score_add_peer(s, &one_p99, histogram_us(&run.latency, 99));
        score_add_peer(s, &always_one, run_written_each(&run));
    }
    write_bare(b, false);
    score_add_peer(s, &one_append, histogram_us(&run.latency, 50));
    write_bare(b, true);
    score_add_peer(s, &one_overwrite, histogram_us(&run.latency, 50));
}

void store_commit_round(struct bench *b)
{
    static const struct {
        const struct score_line *line;
        enum store_sync sync;
        uint32_t writers;
    } relaxed[] = {{&timed_one, STORE_SYNC_TIMED, 1},
                   {&timed_many, STORE_SYNC_TIMED, MANY},
                   {&none_one, STORE_SYNC_NONE, 1},
                   {&none_many, STORE_SYNC_NONE, MANY}};
    measure_many(b);
    measure_one(b);
    for (size_t i = 0; i < sizeof relaxed / sizeof *relaxed; i++) {
        write_store(b, relaxed[i].sync, relaxed[i].writers, b->seconds / 2);
        score_add(&b->score, relaxed[i].line, run_written_each(&run));
    }
}
