#include "report.h"

#include "score.h"

#include <math.h>

#define WIDTH 640
#define LEFT 190
#define ROW 22
#define PLOT 240 /* the height of a plot with curves */

static const char *const colours[] = {"#c0392b", "#7f8c8d", "#2980b9", "#27ae60",
                                      "#8e44ad", "#d68910", "#16a085", "#2c3e50"};
#define COLOURS (sizeof colours / sizeof *colours)

void report_begin(FILE *f, const char *title, const char *intro)
{
    fprintf(f,
            "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>%s</title>\n"
            "<style>body{font:15px/1.45 sans-serif;max-width:1340px;margin:2em auto;padding:0 1em}"
            "table{border-collapse:collapse;font-size:13px}td,th{padding:2px 8px;text-align:left;"
            "border-bottom:1px solid #ddd}svg{display:inline-block;margin:6px 8px 6px 0;"
            "background:#fafafa}svg text{font:12px "
            "sans-serif}.bad{color:#c0392b}.group{padding-top:14px}</style></head>\n"
            "<body><h1>%s</h1><p>%s</p>\n",
            title, title, intro);
}

void report_end(FILE *f)
{
    fputs("</body></html>\n", f);
}

void report_heading(FILE *f, const char *text)
{
    fprintf(f, "<h2>%s</h2>\n", text);
}

void report_bars(FILE *f, const char *title, const char *unit, const struct report_bar *bars,
                 size_t n)
{
    double most = 0;
    struct score_text text;
    for (size_t i = 0; i < n; i++)
        most = fmax(most, fmax(bars[i].high, bars[i].value));
    double scale = most > 0 ? (WIDTH - LEFT - 90) / most : 0;
    fprintf(f, "<svg width=\"%d\" height=\"%zu\"><text x=\"4\" y=\"16\" font-weight=\"bold\">%s",
            WIDTH, (n + 2) * ROW, title);
    fprintf(f, "%s%s</text>\n", *unit ? ", " : "", unit);
    for (size_t i = 0; i < n; i++) {
        const struct report_bar *b = &bars[i];
        size_t y = (i + 1) * ROW + 6;
        double low = LEFT + fmax(b->low, 0) * scale, high = LEFT + fmax(b->high, 0) * scale;
        fprintf(f, "<text x=\"4\" y=\"%zu\">%s</text><rect x=\"%d\" y=\"%zu\" width=\"%.1f\" ",
                y + 13, b->name, LEFT, y, fmax(b->value, 0) * scale);
        fprintf(f, "height=\"16\" fill=\"%s\"/>", b->own ? colours[0] : colours[1]);
        fprintf(f, "<line x1=\"%.1f\" x2=\"%.1f\" y1=\"%zu\" y2=\"%zu\" stroke=\"#000\"/>", low,
                high, y + 8, y + 8);
        fprintf(f, "<text x=\"%.1f\" y=\"%zu\">%s</text>\n", high + 6, y + 13,
                score_number(&text, b->value, ""));
    }
    fputs("</svg>\n", f);
}

/* The place of a value between 10^from and 10^to. */
static double height_of(double y, double from, double to)
{
    return PLOT + 30 - (log10(y) - from) / (to - from) * PLOT;
}

static void draw_curve(FILE *f, const struct report_curve *c, size_t points, double step, size_t i,
                       double from, double to)
{
    const char *colour = colours[i % COLOURS];
    fprintf(f, "<polyline fill=\"none\" stroke-width=\"2\" stroke=\"%s\" points=\"", colour);
    for (size_t k = 0; k < points; k++)
        if (c->y[k] > 0)
            fprintf(f, "%.1f,%.1f ", 60 + (double)k * step, height_of(c->y[k], from, to));
    fprintf(f, "\"/><text x=\"%d\" y=\"%zu\" fill=\"%s\">%s</text>\n", WIDTH - LEFT, 40 + i * 18,
            colour, c->name);
}

void report_curves(FILE *f, const char *title, const char *unit, const char *const *labels,
                   size_t points, const struct report_curve *curves, size_t n)
{
    double least = INFINITY, most = 0, step = (WIDTH - LEFT - 80) / (double)(points - 1);
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < points; k++) {
            most = fmax(most, curves[i].y[k]);
            if (curves[i].y[k] > 0)
                least = fmin(least, curves[i].y[k]);
        }
    if (most <= 0)
        return;
    double from = floor(log10(least)), to = fmax(ceil(log10(most)), from + 1);
    fprintf(f,
            "<svg width=\"%d\" height=\"%d\"><text x=\"4\" y=\"14\" font-weight=\"bold\">%s, "
            "%s</text>",
            WIDTH, PLOT + 60, title, unit);
    for (int i = 0; i <= (int)(to - from); i++) {
        double e = from + i;
        double y = height_of(pow(10, e), from, to);
        fprintf(f, "<line x1=\"60\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\" stroke=\"#ddd\"/>",
                WIDTH - LEFT - 10, y, y);
        fprintf(f, "<text x=\"4\" y=\"%.1f\">%.0f</text>\n", y + 4, pow(10, e));
    }
    for (size_t k = 0; k < points; k++)
        fprintf(f, "<text x=\"%.1f\" y=\"%d\">%s</text>", 50 + (double)k * step, PLOT + 40,
                labels[k]);
    for (size_t i = 0; i < n; i++)
        draw_curve(f, &curves[i], points, step, i, from, to);
    fputs("</svg>\n", f);
}
