#include "suite.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* ---- numbers of the rounds --------------------------------------------------------------- */

static double number_of(const struct suite *s, size_t cell, size_t i, size_t field, uint32_t round)
{
    double value;
    memcpy(&value, (const char *)&s->samples[cell][i][round] + field, sizeof value);
    return value;
}

size_t suite_values(const struct suite *s, size_t cell, size_t i, size_t field,
                    double values[SCORE_ROUNDS_MAX])
{
    size_t n = 0;
    for (uint32_t r = 0; r < s->rounds; r++)
        if (number_of(s, cell, i, field, r) > 0)
            values[n++] = number_of(s, cell, i, field, r);
    return n;
}

double suite_median(const struct suite *s, size_t cell, size_t i, size_t field)
{
    double values[SCORE_ROUNDS_MAX];
    size_t n = suite_values(s, cell, i, field, values);
    return n ? score_median(values, n) : 0;
}

/* ---- the table --------------------------------------------------------------------------- */

static const char *text_of(char out[SUITE_TEXT], size_t cell, const struct suite_goal *g)
{
    bool durable = suite_contenders[g->own].sort == CONTENDER_DURABLE;
    snprintf(out, SUITE_TEXT, "%s%s%s", suite_cells[cell].what, durable ? ", durable" : "",
             g->label);
    return out;
}

static bool is_there(const struct suite *s, size_t cell, const struct suite_goal *g)
{
    char what[SUITE_TEXT];
    text_of(what, cell, g);
    for (size_t i = 0; i < s->lines_n; i++)
        if (s->lines[i].peer && strcmp(s->lines[i].what, what) == 0 &&
            strcmp(s->lines[i].peer, suite_contenders[g->peer].name) == 0)
            return true;
    return false;
}

/* All rounds in which both are known, or where the goal is one of the value alone, the value. */
static void add_row(struct suite *s, size_t cell, const struct suite_goal *g)
{
    size_t peer_cell = g->peer_cell ? g->peer_cell : cell;
    size_t peer_field = g->peer_field ? g->peer_field : g->field;
    const char *peer_text = g->peer_text ? g->peer_text : suite_contenders[g->peer].name;
    assert(s->lines_n < SUITE_LINES);
    struct score_line *line = &s->lines[s->lines_n++];
    *line = (struct score_line){.what = text_of(s->texts[line - s->lines], cell, g),
                                .unit = g->unit,
                                .peer = g->peer ? peer_text : NULL,
                                .goal = g->goal,
                                .bound = g->bound};
    bool found = false,
         alone = g->goal == SCORE_VALUE_MIN || g->goal == SCORE_VALUE_MAX || !g->peer;
    for (uint32_t r = 0; r < s->rounds; r++) {
        double value = number_of(s, cell, g->own, g->field, r) * (g->factor > 0 ? g->factor : 1);
        double peer = g->peer ? number_of(s, peer_cell, g->peer, peer_field, r) : 0;
        if (value <= 0 || (peer <= 0 && !alone))
            continue;
        found = true;
        score_add(&s->score, line, value);
        if (peer > 0)
            score_add_peer(&s->score, line, peer);
    }
    if (!found && !s->quick)
        fprintf(stderr, "not known: %s, %s\n", line->what, line->peer ? line->peer : "alone");
}

/* Cell by cell. */
static void score_group(struct suite *s, const struct suite_goal *first,
                        const struct suite_goal *end)
{
    s->score.group = first->group;
    for (size_t cell = 0; cell < SUITE_CELLS; cell++)
        for (const struct suite_goal *g = first; g < end; g++)
            if (g->cells & OF(cell))
                add_row(s, cell, g);
}

static void score_goals(struct suite *s)
{
    const struct suite_goal *end = suite_goals + suite_goals_n;
    for (const struct suite_goal *g = suite_goals, *next; g < end; g = next) {
        for (next = g + 1; next < end && !next->group;)
            next++;
        score_group(s, g, next);
    }
}

/* What else was measured, ours beside each of the others. An open loop is judged by its latencies, in the
   report. */
static void score_rest(struct suite *s)
{
    static const struct {
        const char *label, *unit;
        size_t field;
    } numbers[] = {{"", "/s", SUITE_FIELD(per_second)},
                   {": CPU", "us", SUITE_FIELD(cpu_us)},
                   {"", "B", SUITE_FIELD(pss_each)}};
    s->score.group = "Beside the others";
    for (size_t cell = 0; cell < SUITE_CELLS; cell++)
        for (size_t k = 0; k < sizeof numbers / sizeof *numbers; k++)
            for (size_t i = 0; i < SUITE_CONTENDERS; i++) {
                const struct suite_goal g = {.own = suite_ours(i),
                                             .field = numbers[k].field,
                                             .label = numbers[k].label,
                                             .unit = numbers[k].unit,
                                             .peer = (enum suite_contender)i};
                bool memory = numbers[k].field == SUITE_FIELD(pss_each);
                if (g.own != i && suite_contenders[i].sort <= CONTENDER_MEMORY &&
                    !suite_cells[cell].m.rate && memory == suite_cells[cell].fresh &&
                    suite_takes_part(s, cell, i) && suite_takes_part(s, cell, g.own) &&
                    !is_there(s, cell, &g))
                    add_row(s, cell, &g);
            }
}

void suite_score(struct suite *s)
{
    score_goals(s);
    score_rest(s);
}
