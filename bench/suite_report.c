#include "base/version.h"
#include "report.h"
#include "run.h"
#include "suite.h"

#include <errno.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

/* One number of the known samples: their median and range. False: there are none. */
static bool fold(const struct suite *s, size_t cell, size_t i, size_t field, struct report_bar *bar)
{
    double values[SCORE_ROUNDS_MAX];
    size_t n = suite_values(s, cell, i, field, values);
    if (n == 0)
        return false;
    *bar = (struct report_bar){.name = suite_contenders[i].name, .own = suite_ours(i) == i};
    bar->value = score_median(values, n);
    score_range(values, n, &bar->low, &bar->high);
    return true;
}

static void plot_bars(FILE *f, const struct suite *s, size_t cell, const char *unit, size_t offset)
{
    struct report_bar bars[SUITE_CONTENDERS];
    size_t n = 0;
    for (size_t i = 0; i < SUITE_CONTENDERS; i++)
        n += fold(s, cell, i, offset, &bars[n]);
    if (n)
        report_bars(f, suite_cells[cell].what, unit, bars, n);
}

static void plot_latencies(FILE *f, const struct suite *s, size_t cell)
{
    static const char *const labels[] = {"p50", "p90", "p99", "p99.9", "p99.99", "max"};
    static double y[SUITE_CONTENDERS][SAMPLE_LATENCIES];
    struct report_curve curves[SUITE_CONTENDERS];
    size_t n = 0;
    for (size_t i = 0; i < SUITE_CONTENDERS; i++) {
        struct report_bar bar = {.name = NULL};
        bool known = true;
        for (size_t k = 0; k < SAMPLE_LATENCIES && known; k++) {
            known =
                fold(s, cell, i, offsetof(struct sample, latency_us) + k * sizeof(double), &bar);
            y[n][k] = bar.value;
        }
        if (known) {
            curves[n] = (struct report_curve){suite_contenders[i].name, y[n]};
            n++;
        }
    }
    if (n)
        report_curves(f, suite_cells[cell].what, "latency in us", labels, SAMPLE_LATENCIES, curves,
                      n);
}

/* Of ours, what each room takes of the time of a message. */
static void write_rooms(FILE *f, const struct suite *s)
{
    fputs("<p>parley's time by room, in ns of CPU a message: samples of perf in a run of their "
          "own, times the CPU time above. codec, net, store and chat are rooms of src; libc is "
          "mostly memcpy.</p>\n"
          "<table><tr><th>what<th>server<th>kernel<th>user space<th>of which</tr>\n",
          f);
    for (size_t cell = 0; cell < SUITE_CELLS; cell++)
        for (size_t i = 0; i < SUITE_CONTENDERS; i++) {
            const struct profile *p = &s->profiles[cell][i];
            double cpu = suite_median(s, cell, i, SUITE_FIELD(cpu_us)) * 1000;
            double user = suite_median(s, cell, i, SUITE_FIELD(user_us)) * 1000;
            if (!p->n)
                continue;
            fprintf(f, "<tr><td>%s<td>%s<td>%.0f<td>%.0f<td>", suite_cells[cell].what,
                    suite_contenders[i].name, cpu - user, user);
            for (size_t k = 0; k < p->n; k++)
                if (strcmp(p->rooms[k].name, "kernel") != 0)
                    fprintf(f, "%s %.0f ", p->rooms[k].name, cpu * p->rooms[k].share);
            fputs("</tr>\n", f);
        }
    fputs("</table>\n", f);
}

static void write_profile(FILE *f, const struct suite *s)
{
    report_heading(f, "Where the time goes");
    fputs("<p>CPU time of the server a message, how much of it is spent in user space (ours: by "
          "samples of perf, the others': by the kernel's ticks), and the system calls of a message "
          "(by strace, in a run of their own).</p>\n"
          "<table><tr><th>what<th>server<th>us CPU<th>us in user space<th>system "
          "calls<th>which</tr>\n",
          f);
    for (size_t cell = 0; cell < SUITE_CELLS; cell++)
        for (size_t i = 0; i < SUITE_CONTENDERS; i++) {
            double calls = suite_median(s, cell, i, SUITE_FIELD(calls));
            if (calls <= 0)
                continue;
            fprintf(f, "<tr><td>%s<td>%s<td>%.2f<td>%.2f<td>%.2f<td>%s</tr>\n",
                    suite_cells[cell].what, suite_contenders[i].name,
                    suite_median(s, cell, i, SUITE_FIELD(cpu_us)),
                    suite_median(s, cell, i, SUITE_FIELD(user_us)), calls,
                    s->samples[cell][i][0].call_names);
        }
    fputs("</table>\n", f);
}

static void plot_all(FILE *f, const struct suite *s)
{
    report_heading(f, "Throughput, and the server's CPU time a message");
    for (size_t cell = 0; cell < SUITE_CELLS; cell++)
        if (!suite_cells[cell].m.rate && suite_cells[cell].m.series) {
            plot_bars(f, s, cell, "a second", SUITE_FIELD(per_second));
            plot_bars(f, s, cell, "us of CPU each", SUITE_FIELD(cpu_us));
        }
    report_heading(f, "Latency");
    for (size_t cell = 0; cell < SUITE_CELLS; cell++)
        plot_latencies(f, s, cell);
    report_heading(f, "Memory of an idle connection: the server's own (PSS), the kernel's (both "
                      "ends)");
    for (size_t cell = 0; cell < SUITE_CELLS; cell++)
        if (suite_cells[cell].fresh) {
            plot_bars(f, s, cell, "bytes, its own", SUITE_FIELD(pss_each));
            plot_bars(f, s, cell, "bytes, the kernel's", SUITE_FIELD(kernel_each));
        }
}

void suite_write_report(const struct suite *s)
{
    char intro[512];
    struct utsname kernel;
    uname(&kernel);
    snprintf(intro, sizeof intro,
             "parley %s on Linux %.60s, %s, %ld processors. %u rounds of %.2g s, interleaved; bars "
             "are medians, the lines on them the spread of the rounds.%s",
             PARLEY_VERSION, kernel.release, kernel.machine, sysconf(_SC_NPROCESSORS_ONLN),
             s->rounds, s->seconds,
             s->quick ? " <b>A smoke run, whose figures say nothing.</b>" : "");
    FILE *f = fopen(s->report_path, "we");
    if (!f)
        run_die(errno, "%s", s->report_path);
    report_begin(f, "parley beside others", intro);
    report_heading(f, "What was asked for, and what is there");
    score_print_html(&s->score, f);
    plot_all(f, s);
    write_profile(f, s);
    write_rooms(f, s);
    report_end(f);
    fclose(f);
}
