#include "score.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct score_row *score_row(struct score *s, const struct score_line *line)
{
    for (size_t i = 0; i < s->n; i++)
        if (s->rows[i].line == line)
            return &s->rows[i];
    assert(s->n < SCORE_ROWS_MAX);
    s->rows[s->n].line = line;
    s->rows[s->n].group = s->group;
    return &s->rows[s->n++];
}

void score_add(struct score *s, const struct score_line *line, double value)
{
    struct score_row *row = score_row(s, line);
    assert(row->n < SCORE_ROUNDS_MAX);
    row->value[row->n++] = value;
}

void score_add_peer(struct score *s, const struct score_line *line, double value)
{
    struct score_row *row = score_row(s, line);
    assert(row->peers < SCORE_ROUNDS_MAX);
    row->peer[row->peers++] = value;
}

/* ---- medians ----------------------------------------------------------------------------- */

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double score_median(const double *values, size_t n)
{
    double sorted[SCORE_ROUNDS_MAX];
    memcpy(sorted, values, n * sizeof *values);
    qsort(sorted, n, sizeof *sorted, compare);
    return sorted[(n - 1) / 2];
}

void score_range(const double *values, size_t n, double *least, double *most)
{
    *least = *most = values[0];
    for (size_t i = 1; i < n; i++) {
        *least = values[i] < *least ? values[i] : *least;
        *most = values[i] > *most ? values[i] : *most;
    }
}

/* False: there is none. */
static bool ratio_of(const struct score_row *row, double *out)
{
    double ratios[SCORE_ROUNDS_MAX];
    size_t n = row->n < row->peers ? row->n : row->peers, found = 0;
    for (size_t i = 0; i < n; i++)
        if (row->peer[i] > 0)
            ratios[found++] = row->value[i] / row->peer[i];
    if (found)
        *out = score_median(ratios, found);
    return found > 0;
}

enum verdict { NOTHING_ASKED, NOT_KNOWN, KEPT, MISSED };

static enum verdict judge(const struct score_row *row)
{
    double value = score_median(row->value, row->n), ratio = 0, bound = row->line->bound;
    bool known = ratio_of(row, &ratio);
    switch (row->line->goal) {
    case SCORE_NO_GOAL:
        break;
    case SCORE_VALUE_MIN:
        return value >= bound ? KEPT : MISSED;
    case SCORE_VALUE_MAX:
        return value <= bound ? KEPT : MISSED;
    case SCORE_RATIO_MIN:
        return !known ? NOT_KNOWN : ratio >= bound ? KEPT : MISSED;
    case SCORE_RATIO_MAX:
        return !known ? NOT_KNOWN : ratio <= bound ? KEPT : MISSED;
    }
    return NOTHING_ASKED;
}

/* ---- the table --------------------------------------------------------------------------- */

const char *score_number(struct score_text *out, double v, const char *unit)
{
    static const char *const letters[] = {"", "k", "M", "G"};
    size_t i = 0;
    for (; v >= 9999.5 && i < 3; i++)
        v /= 1000;
    int digits = v >= 99.95 || v == 0 ? 0 : v >= 9.995 ? 1 : v >= 0.9995 ? 2 : 3;
    snprintf(out->s, sizeof out->s, "%.*f%s%s%.20s", digits, v, letters[i], *unit ? " " : "", unit);
    return out->s;
}

static const char *goal_text(struct score_text *out, const struct score_line *line)
{
    static const char *const signs[] = {"", ">=", "<=", "ratio >=", "ratio <="};
    struct score_text bound;
    out->s[0] = 0;
    if (line->goal != SCORE_NO_GOAL)
        snprintf(out->s, sizeof out->s, "%.10s %.20s", signs[line->goal],
                 score_number(&bound, line->bound, ""));
    return out->s;
}

/* The row above this one, of those that are shown; NULL: none. */
static const struct score_row *above(const struct score *s, size_t i)
{
    while (i-- > 0)
        if (s->rows[i].n)
            return &s->rows[i];
    return NULL;
}

/* A row as it is shown. */
struct cells {
    const char *heading; /* over the first line of its group; NULL: this one is not it */
    const char *what, *peer_name, *verdict;
    struct score_text value, spread, peer, ratio, goal;
};

/* False: it is not shown. What is measured is told once, where only the peer is another one. */
static bool make_cells(struct cells *c, const struct score *s, size_t i)
{
    static const char *const verdicts[] = {"", "not known", "ok", "FALLS SHORT"};
    const struct score_row *row = &s->rows[i], *last = above(s, i);
    struct score_text low, high;
    double least, most, r;
    memset(c, 0, sizeof *c);
    if (!row->n)
        return false;
    if (row->group && (!last || last->group != row->group))
        c->heading = row->group;
    bool again = last && !c->heading && strcmp(last->line->what, row->line->what) == 0 &&
                 last->value[0] == row->value[0];
    c->what = again ? "" : row->line->what;
    if (!again) {
        score_number(&c->value, score_median(row->value, row->n), row->line->unit);
        score_range(row->value, row->n, &least, &most);
        snprintf(c->spread.s, sizeof c->spread.s, "%.20s .. %.20s", score_number(&low, least, ""),
                 score_number(&high, most, ""));
        if (row->n == 1)
            strcpy(c->spread.s, "once");
    }
    c->peer_name = row->line->peer ? row->line->peer : "";
    if (row->peers)
        score_number(&c->peer, score_median(row->peer, row->peers), "");
    if (ratio_of(row, &r))
        score_number(&c->ratio, r, "");
    goal_text(&c->goal, row->line);
    c->verdict = verdicts[judge(row)];
    return true;
}

void score_print_table(const struct score *s)
{
    static const char format[] = "%-50s %10s  %-16s  %-37s %6s  %6s  %-14s %s\n";
    struct cells c;
    printf(format, "what", "median", "spread", "peer or floor", "median", "ratio", "goal", "");
    for (size_t i = 0; i < s->n; i++) {
        if (!make_cells(&c, s, i))
            continue;
        if (c.heading)
            printf("\n%s\n", c.heading);
        printf(format, c.what, c.value.s, c.spread.s, c.peer_name, c.peer.s, c.ratio.s, c.goal.s,
               c.verdict);
    }
}

void score_print_html(const struct score *s, FILE *f)
{
    struct cells c;
    fputs("<table><tr><th>what<th>median<th>spread<th>peer or "
          "floor<th>median<th>ratio<th>goal<th></tr>\n",
          f);
    for (size_t i = 0; i < s->n; i++) {
        if (!make_cells(&c, s, i))
            continue;
        if (c.heading)
            fprintf(f, "<tr><th colspan=\"8\" class=\"group\">%s</tr>\n", c.heading);
        fprintf(f, "<tr><td>%s<td>%s<td>%s<td>%s", c.what, c.value.s, c.spread.s, c.peer_name);
        fprintf(f, "<td>%s<td>%s<td>%s<td class=\"%s\">%s</tr>\n", c.peer.s, c.ratio.s, c.goal.s,
                judge(&s->rows[i]) == MISSED ? "bad" : "", c.verdict);
    }
    fputs("</table>\n", f);
}

/* ---- JSON -------------------------------------------------------------------------------- */

static void print_values(const char *name, const double *values, size_t n)
{
    printf(",\"%s\":{\"median\":%.6g,\"rounds\":[", name, score_median(values, n));
    for (size_t i = 0; i < n; i++)
        printf("%s%.6g", i ? "," : "", values[i]);
    printf("]}");
}

void score_print_json(const struct score *s)
{
    static const char *const goals[] = {"", "value_min", "value_max", "ratio_min", "ratio_max"};
    static const char *const verdicts[] = {"null", "null", "true", "false"};
    const char *comma = "";
    printf("[");
    for (size_t i = 0; i < s->n; i++) {
        const struct score_row *row = &s->rows[i];
        double ratio;
        if (!row->n)
            continue;
        printf("%s\n{\"what\":\"%s\",\"unit\":\"%s\"", comma, row->line->what, row->line->unit);
        print_values("value", row->value, row->n);
        if (row->peers) {
            printf(",\"peer\":\"%s\"", row->line->peer);
            print_values("peer_value", row->peer, row->peers);
        }
        if (ratio_of(row, &ratio))
            printf(",\"ratio\":%.6g", ratio);
        if (row->line->goal != SCORE_NO_GOAL)
            printf(",\"goal\":{\"%s\":%.6g}", goals[row->line->goal], row->line->bound);
        printf(",\"ok\":%s}", verdicts[judge(row)]);
        comma = ",";
    }
    printf("\n]");
}
