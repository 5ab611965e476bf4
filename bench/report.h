/* report: a page of HTML with plots in SVG, which needs nothing but itself. */
#ifndef BENCH_REPORT_H
#define BENCH_REPORT_H

#include <stddef.h>
#include <stdio.h>

void report_begin(FILE *f, const char *title, const char *intro);
void report_end(FILE *f);
void report_heading(FILE *f, const char *text);

struct report_bar {
    const char *name;
    double value, low, high; /* low and high: the spread of the rounds */
    int own;                 /* drawn in another colour */
};

void report_bars(FILE *f, const char *title, const char *unit, const struct report_bar *bars,
                 size_t n);

struct report_curve {
    const char *name;
    const double *y; /* one for each label */
};

/* Curves over labels that lie equally far apart; y is logarithmic. */
void report_curves(FILE *f, const char *title, const char *unit, const char *const *labels,
                   size_t points, const struct report_curve *curves, size_t n);

#endif
