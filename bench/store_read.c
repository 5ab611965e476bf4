/* Pages and snippets from the page cache, and whether the length of the log matters. */
#include "store_bench.h"

#include <assert.h>
#include <string.h>

#define PAGE 100

static const struct score_line page_small = {"page of 100 from the cache, small log", "us", NULL,
                                             SCORE_VALUE_MAX, 50};
static const struct score_line page_large = {"page of 100 from the cache, large log", "us",
                                             "the same in the small log", SCORE_RATIO_MAX, 1.2};
static const struct score_line snippets_small = {"snippets of all conversations, small log", "us",
                                                 NULL, SCORE_VALUE_MAX, 2000};
static const struct score_line snippets_large = {"snippets of all conversations, large log", "us",
                                                 "the same in the small log", SCORE_RATIO_MAX, 1.2};

static void read_timed(struct rig *r, uint32_t conversation, uint32_t limit, struct histogram *h)
{
    uint64_t begin = histogram_now();
    rig_read(r, conversation, limit);
    if (h)
        histogram_add(h, histogram_now() - begin);
}

/* The two logs take turns, so that both see the same machine. */
static void read_both(struct rig logs[2], uint32_t times, uint32_t conversations, uint32_t limit,
                      struct histogram h[2])
{
    assert(conversations > 0);
    memset(h, 0, 2 * sizeof *h);
    for (uint32_t i = 0; i < times; i++)
        for (int k = 0; k < 2; k++)
            read_timed(&logs[k], limit ? i * 7 % conversations : 0, limit, &h[k]);
}

void store_read_round(struct bench *b)
{
    static struct histogram h[2];
    struct rig logs[2];
    struct score *s = &b->score;
    rig_open(&logs[0], b->small_path, STORE_SYNC_ALWAYS, false);
    rig_open(&logs[1], b->large_path, STORE_SYNC_ALWAYS, false);
    for (int k = 0; k < 2; k++)
        for (uint32_t i = 0; i < b->conversations; i++)
            rig_read(&logs[k], i, PAGE); /* into the cache */
    read_both(logs, b->pages, b->conversations, PAGE, h);
    score_add(s, &page_small, histogram_us(&h[0], 50));
    score_add(s, &page_large, histogram_us(&h[1], 50));
    score_add_peer(s, &page_large, histogram_us(&h[0], 50));
    read_both(logs, b->pages / 10, b->conversations, 0, h);
    score_add(s, &snippets_small, histogram_us(&h[0], 50));
    score_add(s, &snippets_large, histogram_us(&h[1], 50));
    score_add_peer(s, &snippets_large, histogram_us(&h[0], 50));
    rig_close(&logs[0]);
    rig_close(&logs[1]);
}
