/* Pages and snippets from the page cache, and whether the length of the log matters. */
#include "store_bench.h"

#include <stdlib.h>
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
    histogram_add(h, histogram_now() - begin);
}

/* The two logs take turns, so that both see the same machine; the numbers are those of conversations. */
static void read_both(struct rig logs[2], uint32_t times, const uint32_t *numbers, uint32_t count,
                      uint32_t limit, struct histogram h[2])
{
    memset(h, 0, 2 * sizeof *h);
    for (uint32_t i = 0; i < times; i++)
        for (int k = 0; k < 2; k++)
            read_timed(&logs[k], numbers[i * 7 % count], limit, &h[k]);
}

/* Conversations that have a whole page in both logs; all pages are in the cache then. */
static uint32_t find_full(struct rig logs[2], uint32_t conversations, uint32_t *numbers)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < conversations; i++)
        if (rig_read(&logs[0], i, PAGE) + rig_read(&logs[1], i, PAGE) == 2 * PAGE)
            numbers[count++] = i;
    if (count == 0)
        run_die(0, "no conversation has %d messages", PAGE);
    return count;
}

void store_read_round(struct bench *b)
{
    static struct histogram h[2];
    static const uint32_t first[] = {0};
    struct rig logs[2];
    struct score *s = &b->score;
    uint32_t *numbers = calloc(b->conversations, sizeof *numbers);
    if (!numbers)
        run_die(0, "no memory");
    rig_open(&logs[0], b->small_path, STORE_SYNC_ALWAYS, false);
    rig_open(&logs[1], b->large_path, STORE_SYNC_ALWAYS, false);
    uint32_t count = find_full(logs, b->conversations, numbers);
    read_both(logs, b->pages, numbers, count, PAGE, h);
    score_add(s, &page_small, histogram_us(&h[0], 50));
    score_add(s, &page_large, histogram_us(&h[1], 50));
    score_add_peer(s, &page_large, histogram_us(&h[0], 50));
    read_both(logs, b->pages / 10, first, 1, 0, h);
    score_add(s, &snippets_small, histogram_us(&h[0], 50));
    score_add(s, &snippets_large, histogram_us(&h[1], 50));
    score_add_peer(s, &snippets_large, histogram_us(&h[0], 50));
    rig_close(&logs[0]);
    rig_close(&logs[1]);
    free(numbers);
}
