/* Reading what is not in the page cache, and what it does to the messages of others. */
#include "store_bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct cold_lines {
    struct score_line time, reads, bytes;
};

static const struct cold_lines spread = {
    {"cold conversation of 500, spread over the cold log", "ms",
     "one sequential cold read of its bytes", SCORE_NO_GOAL, 0},
    {"  preads, spread", "", NULL, SCORE_NO_GOAL, 0},
    {"  bytes from the disk, spread", "B", NULL, SCORE_NO_GOAL, 0}};
static const struct cold_lines arranged = {
    {"the same in the log arranged", "ms", "one sequential cold read of its bytes", SCORE_NO_GOAL,
     0},
    {"  preads, arranged", "", NULL, SCORE_NO_GOAL, 0},
    {"  bytes from the disk, arranged", "B", NULL, SCORE_NO_GOAL, 0}};
struct live_lines {
    struct score_line p99, p50, pages;
};

static const struct live_lines live_spread = {
    {"live message beside a cold reader, p99", "us", "without the reader", SCORE_RATIO_MAX, 1.5},
    {"live message beside a cold reader, p50", "us", "without the reader", SCORE_NO_GOAL, 0},
    {"  pages of 100 it read meanwhile", "/s", NULL, SCORE_NO_GOAL, 0}};
static const struct live_lines live_arranged = {
    {"the same in the log arranged, p99", "us", "without the reader", SCORE_RATIO_MAX, 1.5},
    {"the same in the log arranged, p50", "us", "without the reader", SCORE_NO_GOAL, 0},
    {"  pages of 100, arranged", "/s", NULL, SCORE_NO_GOAL, 0}};

/* ---- one conversation -------------------------------------------------------------------- */

struct piece {
    uint64_t bytes; /* to be read; 0: done */
};

static void read_piece(void *ctx, int fd, uint64_t size)
{
    struct piece *p = ctx;
    uint8_t *room = p->bytes ? malloc((size_t)p->bytes) : NULL;
    uint64_t at = size / 2 > p->bytes ? size / 2 : 0;
    if (room && pread(fd, room, (size_t)p->bytes, (off_t)at) > 0)
        p->bytes = 0;
    free(room);
}

static void read_conversation(struct bench *b, const char *path, const struct cold_lines *lines)
{
    struct rig rig;
    rig_open(&rig, path, STORE_SYNC_ALWAYS, true);
    rig_drop_cache(path);
    uint64_t reads = rig_reads(), bytes = run_io("read_bytes"), begin = histogram_now();
    uint32_t count = rig_read(&rig, b->conversations, 500);
    score_add(&b->score, &lines->time, (double)(histogram_now() - begin) / 1e6);
    score_add(&b->score, &lines->reads, (double)(rig_reads() - reads));
    score_add(&b->score, &lines->bytes, (double)(run_io("read_bytes") - bytes));
    struct store_stats stats;
    store_get_stats(rig.store, &stats);
    rig_close(&rig);

    struct piece piece = {stats.bytes / stats.messages * count};
    rig_drop_cache(path);
    begin = histogram_now();
    rig_each_segment(path, read_piece, &piece);
    score_add_peer(&b->score, &lines->time, (double)(histogram_now() - begin) / 1e6);
}

/* ---- live messages ----------------------------------------------------------------------- */

/* Walks old history, a page after the other, as far as it goes without waiting. */
struct walker {
    struct store_read read;
    bool looking, reading; /* the page is being looked up; its messages are being read */
    uint32_t conversation, pages;
    uint64_t before; /* id */
    uint64_t read_pages;
};

static enum store_status walker_ask(struct walker *w, struct store *s, uint32_t conversations)
{
    char room[2][8];
    if (++w->pages > WALK_PAGES) {
        w->pages = 0;
        w->before = 0;
        w->conversation = (w->conversation + 1) % conversations;
    }
    return store_read_page(s, &w->read, rig_user(room[0], w->conversation, 0),
                           rig_user(room[1], w->conversation, 1), w->before, WALK_PAGE);
}

static enum store_status walker_take(struct walker *w, struct store *s)
{
    struct store_message message;
    enum store_status status;
    uint32_t first = w->read.next;
    while ((status = store_read_next(s, &w->read, &message)) == STORE_OK)
        if (first++ == 0)
            w->before = message.id;
    return status;
}

/* What one turn of a server's loop does for it: at most one page. */
static void walker_step(struct walker *w, struct store *s, uint32_t conversations)
{
    enum store_status status = STORE_OK;
    if (!w->reading) {
        status = w->looking ? store_read_look(s, &w->read) : walker_ask(w, s, conversations);
        w->looking = status == STORE_WAIT;
        w->reading = status == STORE_OK;
    }
    if (w->reading)
        status = walker_take(w, s);
    if (status == STORE_END) {
        if (w->read.count < WALK_PAGE) /* the first messages of all: the next conversation */
            w->pages = WALK_PAGES;
        store_read_end(&w->read);
        w->reading = false;
        w->read_pages++;
    } else if (status != STORE_WAIT) {
        run_die(0, "cannot read a conversation: status %d", status);
    }
}

static struct run run;

/* One message in flight at a time; the pages read are the reader's. */
static uint64_t live(struct bench *b, const char *path, bool reader)
{
    struct rig rig;
    struct walker walker = {0};
    rig_open(&rig, path, STORE_SYNC_ALWAYS, false);
    rig_drop_cache(path);
    rig_settle(b->path);
    run_start(&run, b->seconds);
    uint64_t now = histogram_now(), sent_at = 0;
    while (run_goes_on(&run, now)) {
        if (rig.committed == rig.sent) {
            if (sent_at)
                run_message(&run, now - sent_at);
            sent_at = now;
            rig_append(&rig, (uint32_t)(rig.sent % b->conversations));
        }
        if (reader)
            walker_step(&walker, rig.store, b->conversations);
        rig_turn(&rig);
        now = histogram_now();
    }
    store_read_end(&walker.read);
    while (rig.committed < rig.sent)
        rig_turn(&rig);
    rig_close(&rig);
    return walker.read_pages;
}

static void live_both(struct bench *b, const char *path, const struct live_lines *lines)
{
    live(b, path, false);
    score_add_peer(&b->score, &lines->p99, histogram_us(&run.latency, 99));
    score_add_peer(&b->score, &lines->p50, histogram_us(&run.latency, 50));
    uint64_t pages = live(b, path, true);
    score_add(&b->score, &lines->p99, histogram_us(&run.latency, 99));
    score_add(&b->score, &lines->p50, histogram_us(&run.latency, 50));
    score_add(&b->score, &lines->pages, (double)pages / (run.seconds * 1.1));
}

void store_cold_round(struct bench *b)
{
    read_conversation(b, b->cold_path, &spread);
    read_conversation(b, b->arranged_path, &arranged);
    live_both(b, b->cold_path, &live_spread);
    live_both(b, b->arranged_path, &live_arranged);
}
