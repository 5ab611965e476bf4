#include "histogram.h"
#include "run.h"
#include "suite.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static struct score_line *new_line(struct suite *s, const char *what, const char *unit,
                                   const char *peer)
{
    struct score_line *line = &s->lines[s->lines_n++];
    *line = (struct score_line){what, unit, peer, SCORE_NO_GOAL, 0};
    return line;
}

/* All rounds in which both have a value. */
static void add_rounds(struct suite *s, const struct score_line *line, size_t cell, size_t own,
                       size_t peer, bool cpu)
{
    for (uint32_t r = 0; r < s->rounds; r++) {
        const struct sample *a = &s->samples[cell][own][r], *b = &s->samples[cell][peer][r];
        if (!a->known || !b->known)
            continue;
        score_add(&s->score, line, cpu ? a->cpu_us : a->per_second);
        if (own != peer)
            score_add_peer(&s->score, line, cpu ? b->cpu_us : b->per_second);
    }
}

static char *text_of(const struct suite_cell *c, enum contender_sort sort, const char *more)
{
    char *text;
    if (asprintf(&text, "%s%s%s", c->what, sort == CONTENDER_DURABLE ? ", durable" : "", more) < 0)
        run_die(ENOMEM, "the table");
    return text; /* it stays to the end */
}

/* An open loop is judged by its latencies, in the report. */
static void score_cell(struct suite *s, size_t cell, size_t i)
{
    const struct suite_cell *c = &suite_cells[cell];
    const struct contender *peer = &suite_contenders[i];
    size_t own = suite_ours(i);
    if (c->m.rate || !suite_takes_part(s, cell, i) || own == i)
        return;
    struct score_line *line = new_line(s, text_of(c, peer->sort, ""), "/s", peer->name);
    if (c->peer && (peer->sort != CONTENDER_MEMORY || c->sorts == CONTENDER_MEMORY) &&
        strstr(peer->name, c->peer)) {
        line->goal = SCORE_RATIO_MIN;
        line->bound = c->goal;
    }
    add_rounds(s, line, cell, own, i, false);
    line = new_line(s, text_of(c, peer->sort, ": server's CPU"), "us", peer->name);
    add_rounds(s, line, cell, own, i, true);
}

/* What it costs to wait for the disk. */
static void score_durability(struct suite *s, size_t cell)
{
    size_t durable = 0, memory = 0;
    while (suite_contenders[durable].sort != CONTENDER_DURABLE)
        durable++;
    while (suite_contenders[memory].sort != CONTENDER_MEMORY)
        memory++;
    if (suite_cells[cell].m.rate || strcmp(suite_cells[cell].m.mode, "chat") != 0 ||
        !suite_takes_part(s, cell, memory))
        return;
    struct score_line *line = new_line(s, text_of(&suite_cells[cell], CONTENDER_DURABLE, ""), "/s",
                                       suite_contenders[memory].name);
    line->goal = SCORE_RATIO_MIN;
    line->bound = 0.9;
    add_rounds(s, line, cell, durable, memory, false);
}

/* A percentile of ours beside the median of write + fdatasync in the same round. */
static void score_waiting(struct suite *s, size_t cell, size_t percentile, size_t floor,
                          double bound)
{
    static const char *const floors[] = {"write + fdatasync, growing", "write + fdatasync, "
                                                                       "overwriting"};
    size_t own = 0;
    while (suite_contenders[own].sort != CONTENDER_DURABLE)
        own++;
    struct score_line *line = new_line(
        s, text_of(&suite_cells[cell], CONTENDER_DURABLE, percentile == P99 ? ": p99" : ": p50"),
        "us", floors[floor]);
    line->goal = bound > 0 ? SCORE_RATIO_MAX : SCORE_NO_GOAL;
    line->bound = bound;
    for (uint32_t r = 0; r < s->rounds; r++) {
        const struct sample *a = &s->samples[cell][own][r];
        if (!a->known)
            continue;
        score_add(&s->score, line, a->latency_us[percentile]);
        score_add_peer(&s->score, line, s->sync_us[r][floor]);
    }
}

static void score_idle(struct suite *s)
{
    for (size_t i = 0; i < SUITE_CONTENDERS; i++) {
        size_t own = suite_ours(i);
        if (own == i || suite_contenders[i].sort == CONTENDER_MEMORY || !s->idle_samples[i].known)
            continue;
        struct score_line *line =
            new_line(s,
                     suite_contenders[i].sort == CONTENDER_ECHO ? "idle connection"
                                                                : "idle registered connection",
                     "B", suite_contenders[i].name);
        line->goal = SCORE_VALUE_MAX;
        line->bound = suite_contenders[i].sort == CONTENDER_ECHO ? 257 : 200;
        score_add(&s->score, line, s->idle_samples[own].pss_each);
        score_add_peer(&s->score, line, s->idle_samples[i].pss_each);
    }
}

void suite_score(struct suite *s)
{
    for (size_t cell = 0; cell < SUITE_CELLS; cell++) {
        for (size_t i = 0; i < SUITE_CONTENDERS; i++)
            score_cell(s, cell, i);
        score_durability(s, cell);
        if (strcmp(suite_cells[cell].what, "chat, one pair") == 0)
            score_waiting(s, cell, P50, 1, 0);
        if (suite_cells[cell].goal > 0 && strcmp(suite_cells[cell].peer, SUITE_OWN) == 0)
            score_waiting(s, cell, suite_cells[cell].percentile, 0, suite_cells[cell].goal);
    }
    score_idle(s);
}
