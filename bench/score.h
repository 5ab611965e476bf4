/*
 * score: what was measured, in rounds, held against a peer or a floor and against a goal, as one table
 * or as JSON.
 *
 * A line says what is measured; it is static, and its address is its identity. Each round adds a value
 * to it and, where it has a peer, the peer's value of the same round, in the same unit. The ratio is the
 * median of the rounds' ratios, value by peer: so what disturbs one round disturbs both of its values.
 */
#ifndef BENCH_SCORE_H
#define BENCH_SCORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define SCORE_ROUNDS_MAX 31
#define SCORE_ROWS_MAX 192

enum score_goal {
    SCORE_NO_GOAL,
    SCORE_VALUE_MIN,
    SCORE_VALUE_MAX,
    SCORE_RATIO_MIN,
    SCORE_RATIO_MAX,
};

struct score_line {
    const char *what, *unit;
    const char *peer; /* NULL: none */
    enum score_goal goal;
    double bound;
};

struct score_row {
    const struct score_line *line;
    const char *group;
    double value[SCORE_ROUNDS_MAX], peer[SCORE_ROUNDS_MAX];
    size_t n, peers;
};

/* Zeroed: empty. */
struct score {
    struct score_row rows[SCORE_ROWS_MAX];
    size_t n;
    const char *group; /* the heading over lines that are added from here on; NULL: none */
};

void score_add(struct score *s, const struct score_line *line, double value);

/* The peer's value of the round whose own value was added just before, or comes next. */
void score_add_peer(struct score *s, const struct score_line *line, double value);

void score_print_table(const struct score *s);

/* The rows alone: a JSON array. */
void score_print_json(const struct score *s);

/* The same table in HTML. */
void score_print_html(const struct score *s, FILE *f);

/* ---- what it is made of -------------------------------------------------------------------- */

/* The lower one of two in the middle; 0 < n <= SCORE_ROUNDS_MAX. */
double score_median(const double *values, size_t n);
void score_range(const double *values, size_t n, double *least, double *most);

struct score_text {
    char s[64];
};

/* Three digits that count, the letter of the thousands; the unit. */
const char *score_number(struct score_text *out, double v, const char *unit);

#endif
