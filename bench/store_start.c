/* How long a start takes. */
#include "store_bench.h"

#include "codec/crc32c.h"

#include <stdlib.h>
#include <unistd.h>

#define CHUNK ((size_t)1 << 20) /* as dd with bs=1M */

#define FLOOR "reading 1 MiB at a time, CRC-32C"

static const struct lines {
    struct score_line rate, speed, checkpoint;
} large = {{"recovery, large log", "/s", NULL, SCORE_VALUE_MIN, 10e6},
           {"recovery, large log", "B/s", FLOOR, SCORE_RATIO_MIN, 0.8},
           {"start with a checkpoint, large log, each 10 M", "s", NULL, SCORE_VALUE_MAX, 1}},
  wide = {{"recovery, wide log", "/s", NULL, SCORE_VALUE_MIN, 10e6},
          {"recovery, wide log", "B/s", FLOOR, SCORE_RATIO_MIN, 0.8},
          {"start with a checkpoint, wide log, each 10 M", "s", NULL, SCORE_VALUE_MAX, 1}};

static const struct score_line killed = {"start after kill -9, wide log", "s", NULL,
                                         SCORE_VALUE_MAX, 1};

struct scan {
    uint8_t *room;
    uint64_t bytes;
    uint32_t crc;
};

static void scan(void *ctx, int fd, uint64_t size)
{
    struct scan *s = ctx;
    for (uint64_t at = 0; at < size; at += CHUNK) {
        ssize_t n = pread(fd, s->room, CHUNK, (off_t)at);
        if (n <= 0)
            run_die(0, "a segment cannot be read");
        s->crc = crc32c(s->crc, s->room, (size_t)n);
        s->bytes += (uint64_t)n;
    }
}

static double seconds_since(uint64_t start)
{
    return (double)(histogram_now() - start) / 1e9;
}

/* Seconds until the store is open, and what it holds then. */
static double start(const char *path, struct store_stats *stats)
{
    struct rig rig;
    uint64_t begin = histogram_now();
    rig_open(&rig, path, STORE_SYNC_ALWAYS, false);
    double seconds = seconds_since(begin);
    store_get_stats(rig.store, stats);
    rig_close(&rig);
    return seconds;
}

static void measure(struct bench *b, const char *path, const struct lines *lines)
{
    struct scan s = {.room = malloc(CHUNK)};
    if (!s.room)
        run_die(0, "no memory");
    uint64_t begin = histogram_now();
    rig_each_segment(path, scan, &s);
    score_add_peer(&b->score, &lines->speed, (double)s.bytes / seconds_since(begin));
    free(s.room);

    struct store_stats stats;
    rig_remove_checkpoint(path);
    double seconds = start(path, &stats);
    score_add(&b->score, &lines->rate, (double)stats.messages / seconds);
    score_add(&b->score, &lines->speed, (double)s.bytes / seconds);
    seconds = start(path, &stats); /* the close before has left one */
    score_add(&b->score, &lines->checkpoint, seconds * 10e6 / (double)stats.messages);
}

void store_start_round(struct bench *b)
{
    measure(b, b->large_path, &large);
    measure(b, b->wide_path, &wide);
    struct store_stats stats;
    if (rig_copy_checkpoint(b->killed_path, b->wide_path))
        score_add(&b->score, &killed, start(b->wide_path, &stats));
}
