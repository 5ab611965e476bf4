/*
 * suite-bench: parley beside other servers and beside the floor, in one run: a table, and a report in
 * HTML. `make bench` installs the peers and calls it.
 *
 * All servers run from the beginning to the end. In each round every cell is measured with every server
 * that can do it, one after the other, by parley-bench; so what disturbs one disturbs its neighbours. What
 * memory connections take is measured of new processes, and what system calls are made in runs of their
 * own, since strace makes a server slower.
 */
#include "base/args.h"
#include "base/exit.h"
#include "base/version.h"
#include "contender.h"
#include "histogram.h"
#include "report.h"
#include "run.h"
#include "score.h"
#include "scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#define SOCKETIO_PATH "/socket.io/?EIO=4&transport=websocket"
#define NODE "@node_modules/.bin/node"
#define BUN "@node_modules/.bin/bun"
#define PARLEYD(data, sync)                                                                        \
    {                                                                                              \
        "%parleyd", "--listen", "127.0.0.1:0", "--data", data, "--secret-file", "$secret",         \
            "--rate", "0", "--max-user-connections", "1000", "--log-level", "warn", "--sync", sync \
    }

static struct contender contenders[] = {
    {"parley", CONTENDER_ECHO, false, "ws", "/", {"%ws-echo", "--listen", "127.0.0.1:0"}, 0, ""},
    {"floor: fixed frames", CONTENDER_ECHO, true, "ws", "/", {"%floor-bench", "ws"}, 0, ""},
    {"floor: bare TCP", CONTENDER_ECHO, true, "tcp", "/", {"%floor-bench", "tcp"}, 0, ""},
    {"Bun (uWebSockets)", CONTENDER_ECHO, false, "ws", "/", {BUN, "@echo-bun.mjs"}, 0, ""},
    {"libwebsockets", CONTENDER_ECHO, false, "ws", "/", {"@echo-lws"}, 0, ""},
    {"ws on Node", CONTENDER_ECHO, false, "ws", "/", {NODE, "@echo-ws.mjs"}, 0, ""},
    {"Socket.IO on Node",
     CONTENDER_ECHO,
     false,
     "socketio",
     SOCKETIO_PATH,
     {NODE, "@echo-socketio.mjs"},
     0,
     ""},
    {"parley, durable", CONTENDER_DURABLE, false, "ws", "/chat", PARLEYD("$durable", "always"), 0,
     ""},
    {"Bun + SQLite, durable",
     CONTENDER_DURABLE,
     false,
     "ws",
     "/",
     {BUN, "@chat.mjs", "$bun-full.db", "$secret", "full"},
     0,
     ""},
    {"Node + ws + SQLite, durable",
     CONTENDER_DURABLE,
     false,
     "ws",
     "/",
     {NODE, "@chat.mjs", "$node-full.db", "$secret", "full"},
     0,
     ""},
    {"parley, --sync none", CONTENDER_MEMORY, false, "ws", "/chat", PARLEYD("$memory", "none"), 0,
     ""},
    {"Bun + SQLite, sync off",
     CONTENDER_MEMORY,
     false,
     "ws",
     "/",
     {BUN, "@chat.mjs", "$bun-off.db", "$secret", "off"},
     0,
     ""},
    {"Node + ws + SQLite, sync off",
     CONTENDER_MEMORY,
     false,
     "ws",
     "/",
     {NODE, "@chat.mjs", "$node-off.db", "$secret", "off"},
     0,
     ""},
};
#define CONTENDERS (sizeof contenders / sizeof *contenders)

enum { P50, P90, P99 }; /* of the histogram's percentiles */

#define CHAT (CONTENDER_DURABLE | CONTENDER_MEMORY)

/* What is measured; the goals are ratios of throughput to the peer that has this text in its name, or
   with OWN, of a percentile of the latency to that of write + fdatasync where a file grows. */
#define OWN "" /* no peer can do it, or ought to */
static const struct cell {
    const char *what;
    struct measure m;
    int sorts;
    bool large; /* not in a quick run */
    const char *peer;
    double goal;
    size_t percentile; /* with OWN: the number of it */
} cells[] = {
    {"echo, 20 B, 100 connections",
     {"echo", "echoed", 100, 1, 20, 0, 0, false},
     CONTENDER_ECHO,
     false,
     "Bun",
     1,
     0},
    {"echo, 20 B, 100 x 16 in flight",
     {"echo", "echoed", 100, 16, 20, 0, 0, false},
     CONTENDER_ECHO,
     false,
     "Bun",
     1,
     0},
    {"echo, 1 KiB, 100 connections",
     {"echo", "echoed", 100, 1, 1024, 0, 0, false},
     CONTENDER_ECHO,
     false,
     "Bun",
     1,
     0},
    {"echo, 20 B, 1000 connections",
     {"echo", "echoed", 1000, 1, 20, 0, 0, false},
     CONTENDER_ECHO,
     true,
     "Bun",
     1,
     0},
    {"echo, 20 B, 9000 connections",
     {"echo", "echoed", 9000, 1, 20, 0, 0, false},
     CONTENDER_ECHO,
     true,
     "Bun",
     1,
     0},
    {"echo, 20 B, 5000 a second",
     {"echo", "echoed", 100, 1, 20, 5000, 0, false},
     CONTENDER_ECHO,
     false,
     NULL,
     0,
     0},
    {"chat, one pair", {"chat", "delivered", 2, 1, 20, 0, 0, false}, CHAT, false, "Bun", 1, 0},
    {"chat, 100 pairs", {"chat", "delivered", 200, 1, 20, 0, 0, false}, CHAT, false, NULL, 0, 0},
    {"chat, 50 pairs x 16 in flight",
     {"chat", "delivered", 100, 16, 20, 0, 0, false},
     CHAT,
     false,
     "Node",
     100,
     0},
    {"chat, 1000 pairs",
     {"chat", "delivered", 2000, 1, 20, 0, 0, false},
     CHAT,
     true,
     "Node",
     15,
     0},
    {"chat, 1000 a second",
     {"chat", "delivered", 100, 1, 20, 1000, 0, false},
     CHAT,
     false,
     NULL,
     0,
     0},
    {"chat, 10000 a second",
     {"chat", "delivered", 100, 1, 20, 10000, 0, false},
     CONTENDER_DURABLE,
     false,
     OWN,
     3,
     P99},
    {"a mixed day, 1000 users",
     {"mixed", "delivered", 1000, 1, 20, 1000, 0, false},
     CHAT,
     true,
     OWN,
     0,
     0},
    {"fan-out, 20 devices",
     {"fan-out", "delivered", 21, 4, 20, 0, 0, false},
     CHAT,
     false,
     NULL,
     0,
     0},
    {"history, pages of 50",
     {"history", "pages", 10, 1, 100, 0, 0, false},
     CONTENDER_MEMORY,
     false,
     "SQLite",
     5,
     0},
    {"connect",
     {"connect", "connected", 10, 1, 20, 0, 0, false},
     CONTENDER_ECHO,
     false,
     NULL,
     0,
     0},
    {"connect and register",
     {"connect", "connected", 10, 1, 20, 0, 0, false},
     CONTENDER_MEMORY,
     false,
     NULL,
     0,
     0},
};
#define CELLS (sizeof cells / sizeof *cells)

struct suite {
    struct contender_places places;
    bool quick, json;
    uint32_t rounds, idle;
    double seconds;
    const char *report_path, *dir;
    bool there[CONTENDERS];
    struct sample samples[CELLS][CONTENDERS][SCORE_ROUNDS_MAX];
    struct sample idle_samples[CONTENDERS], calls[CELLS][CONTENDERS];
    struct score score;
    /* Two for each cell and contender: throughput and CPU. */
    struct score_line lines[CELLS * (CONTENDERS * 2 + 3) + CONTENDERS];
    size_t lines_n;
    double sync_us[SCORE_ROUNDS_MAX][2]; /* growing, overwriting */
};

/* The first of its sort is ours. */
static size_t ours(size_t i)
{
    size_t own = 0;
    while (contenders[own].sort != contenders[i].sort)
        own++;
    return own;
}

/* Of the protocols of echo servers, WebSockets alone are connected to again and again. */
static bool takes_part(const struct suite *s, size_t cell, size_t i)
{
    const struct contender *c = &contenders[i];
    const char *mode = cells[cell].m.mode;
    if (!s->there[i] || !(cells[cell].sorts & (int)c->sort) || (s->quick && cells[cell].large))
        return false;
    if (strcmp(mode, "connect") == 0)
        return strcmp(c->protocol, "ws") == 0;
    return !cells[cell].peer || strcmp(cells[cell].peer, OWN) != 0 || ours(i) == i;
}

/* ---- measuring --------------------------------------------------------------------------- */

static void measure_round(struct suite *s, uint32_t round)
{
    contender_sync_floor(&s->places, s->seconds / 2, s->sync_us[round]);
    for (size_t cell = 0; cell < CELLS; cell++)
        for (size_t i = 0; i < CONTENDERS; i++) {
            struct measure m = cells[cell].m;
            m.seconds = s->seconds;
            if (takes_part(s, cell, i))
                contender_measure(&contenders[i], &s->places, &m, &s->samples[cell][i][round]);
        }
}

static void measure_calls(struct suite *s)
{
    for (size_t cell = 0; cell < CELLS; cell++)
        for (size_t i = 0; i < CONTENDERS; i++) {
            struct measure m = cells[cell].m;
            m.seconds = 0.2;
            m.calls = true;
            if (takes_part(s, cell, i) && !cells[cell].large && !(s->quick && cell))
                contender_measure(&contenders[i], &s->places, &m, &s->calls[cell][i]);
        }
}

static void start_all(struct suite *s)
{
    for (size_t i = 0; i < CONTENDERS; i++) {
        s->there[i] = contender_start(&contenders[i], &s->places);
        if (!s->there[i])
            fprintf(stderr, "skipped: %s: it does not start here\n", contenders[i].name);
    }
}

static void end_all(void)
{
    for (size_t i = 0; i < CONTENDERS; i++)
        contender_end(&contenders[i]);
}

/* Of new processes: what an earlier load has left in them would hide it. */
static void measure_idle(struct suite *s)
{
    for (size_t i = 0; i < CONTENDERS; i++) {
        struct contender *c = &contenders[i];
        struct measure m = {.mode = "idle", .connections = s->idle, .seconds = 0.2};
        if (!s->there[i] || c->floor || strcmp(c->protocol, "ws") != 0 ||
            !contender_start(c, &s->places))
            continue;
        contender_measure(c, &s->places, &m, &s->idle_samples[i]);
        contender_end(c);
    }
}

static void write_secret(const struct suite *s)
{
    char path[300];
    snprintf(path, sizeof path, "%s/secret", s->places.scratch);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, "a secret for measuring and nothing else\n", 40) != 40)
        run_die(errno, "%s", path);
    close(fd);
}

/* ---- the score --------------------------------------------------------------------------- */

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

static char *text_of(const struct cell *c, enum contender_sort sort, const char *more)
{
    char *text;
    if (asprintf(&text, "%s%s%s", c->what, sort == CONTENDER_DURABLE ? ", durable" : "", more) < 0)
        run_die(ENOMEM, "the table");
    return text; /* it stays to the end */
}

/* An open loop is judged by its latencies, in the report. */
static void score_cell(struct suite *s, size_t cell, size_t i)
{
    const struct cell *c = &cells[cell];
    const struct contender *peer = &contenders[i];
    size_t own = ours(i);
    if (c->m.rate || !takes_part(s, cell, i) || own == i)
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
    while (contenders[durable].sort != CONTENDER_DURABLE)
        durable++;
    while (contenders[memory].sort != CONTENDER_MEMORY)
        memory++;
    if (cells[cell].m.rate || strcmp(cells[cell].m.mode, "chat") != 0 ||
        !takes_part(s, cell, memory))
        return;
    struct score_line *line =
        new_line(s, text_of(&cells[cell], CONTENDER_DURABLE, ""), "/s", contenders[memory].name);
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
    while (contenders[own].sort != CONTENDER_DURABLE)
        own++;
    struct score_line *line =
        new_line(s, text_of(&cells[cell], CONTENDER_DURABLE, percentile == P99 ? ": p99" : ": p50"),
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
    for (size_t i = 0; i < CONTENDERS; i++) {
        size_t own = ours(i);
        if (own == i || contenders[i].sort == CONTENDER_MEMORY || !s->idle_samples[i].known)
            continue;
        struct score_line *line = new_line(
            s,
            contenders[i].sort == CONTENDER_ECHO ? "idle connection" : "idle registered connection",
            "B", contenders[i].name);
        line->goal = SCORE_VALUE_MAX;
        line->bound = contenders[i].sort == CONTENDER_ECHO ? 257 : 200;
        score_add(&s->score, line, s->idle_samples[own].pss_each);
        score_add_peer(&s->score, line, s->idle_samples[i].pss_each);
    }
}

static void score_all(struct suite *s)
{
    for (size_t cell = 0; cell < CELLS; cell++) {
        for (size_t i = 0; i < CONTENDERS; i++)
            score_cell(s, cell, i);
        score_durability(s, cell);
        if (strcmp(cells[cell].what, "chat, one pair") == 0)
            score_waiting(s, cell, P50, 1, 0);
        if (cells[cell].goal > 0 && strcmp(cells[cell].peer, OWN) == 0)
            score_waiting(s, cell, cells[cell].percentile, 0, cells[cell].goal);
    }
    score_idle(s);
}

/* ---- the report -------------------------------------------------------------------------- */

/* One number of the known samples: their median and range. False: there are none. */
static bool fold(const struct suite *s, size_t cell, size_t i, size_t offset,
                 struct report_bar *bar)
{
    double values[SCORE_ROUNDS_MAX];
    size_t n = 0;
    for (uint32_t r = 0; r < s->rounds; r++)
        if (s->samples[cell][i][r].known)
            memcpy(&values[n++], (const char *)&s->samples[cell][i][r] + offset, sizeof *values);
    if (n == 0)
        return false;
    *bar = (struct report_bar){.name = contenders[i].name, .own = ours(i) == i};
    bar->value = score_median(values, n);
    score_range(values, n, &bar->low, &bar->high);
    return true;
}

static void plot_bars(FILE *f, const struct suite *s, size_t cell, const char *unit, size_t offset)
{
    struct report_bar bars[CONTENDERS];
    size_t n = 0;
    for (size_t i = 0; i < CONTENDERS; i++)
        n += fold(s, cell, i, offset, &bars[n]);
    if (n)
        report_bars(f, cells[cell].what, unit, bars, n);
}

static void plot_latencies(FILE *f, const struct suite *s, size_t cell)
{
    static const char *const labels[] = {"p50", "p90", "p99", "p99.9", "p99.99", "max"};
    static double y[CONTENDERS][SAMPLE_LATENCIES];
    struct report_curve curves[CONTENDERS];
    size_t n = 0;
    for (size_t i = 0; i < CONTENDERS; i++) {
        struct report_bar bar;
        bool known = true;
        for (size_t k = 0; k < SAMPLE_LATENCIES && known; k++) {
            known =
                fold(s, cell, i, offsetof(struct sample, latency_us) + k * sizeof(double), &bar);
            y[n][k] = bar.value;
        }
        if (known) {
            curves[n] = (struct report_curve){contenders[i].name, y[n]};
            n++;
        }
    }
    if (n)
        report_curves(f, cells[cell].what, "latency in us", labels, SAMPLE_LATENCIES, curves, n);
}

static void plot_memory(FILE *f, const struct suite *s, const char *title, size_t offset)
{
    struct report_bar bars[CONTENDERS];
    size_t n = 0;
    for (size_t i = 0; i < CONTENDERS; i++) {
        double value;
        if (!s->idle_samples[i].known)
            continue;
        memcpy(&value, (const char *)&s->idle_samples[i] + offset, sizeof value);
        bars[n++] = (struct report_bar){contenders[i].name, value, value, value, ours(i) == i};
    }
    report_bars(f, title, "bytes", bars, n);
}

static void write_profile(FILE *f, const struct suite *s)
{
    report_heading(f, "Where the time goes");
    fputs("<p>CPU time of the server a message, the share of it that is spent in user space (by "
          "the "
          "kernel's ticks), and the system calls of a message (by strace, in a run of their "
          "own).</p>\n"
          "<table><tr><th>what<th>server<th>us CPU<th>us in user space<th>system "
          "calls<th>which</tr>\n",
          f);
    for (size_t cell = 0; cell < CELLS; cell++)
        for (size_t i = 0; i < CONTENDERS; i++) {
            struct report_bar cpu, share;
            const struct sample *calls = &s->calls[cell][i];
            if (!fold(s, cell, i, offsetof(struct sample, cpu_us), &cpu) ||
                !fold(s, cell, i, offsetof(struct sample, user_share), &share))
                continue;
            fprintf(f, "<tr><td>%s<td>%s<td>%.2f<td>%.2f<td>", cells[cell].what, contenders[i].name,
                    cpu.value, cpu.value * share.value);
            fprintf(f, calls->calls > 0 ? "%.2f<td>" : "<td>", calls->calls);
            fprintf(f, "%s</tr>\n", calls->call_names);
        }
    fputs("</table>\n", f);
}

static void write_report(const struct suite *s)
{
    char intro[512];
    struct utsname kernel;
    uname(&kernel);
    snprintf(intro, sizeof intro,
             "parley %s on Linux %.60s, %s, %ld processors. %u rounds of %.2g s, interleaved; bars "
             "are "
             "medians, the lines on them the spread of the rounds.%s",
             PARLEY_VERSION, kernel.release, kernel.machine, sysconf(_SC_NPROCESSORS_ONLN),
             s->rounds, s->seconds,
             s->quick ? " <b>A smoke run, whose figures say nothing.</b>" : "");
    FILE *f = fopen(s->report_path, "we");
    if (!f)
        run_die(errno, "%s", s->report_path);
    report_begin(f, "parley beside others", intro);
    report_heading(f, "Throughput, and the server's CPU time a message");
    for (size_t cell = 0; cell < CELLS; cell++)
        if (!cells[cell].m.rate) {
            plot_bars(f, s, cell, "a second", offsetof(struct sample, per_second));
            plot_bars(f, s, cell, "us of CPU each", offsetof(struct sample, cpu_us));
        }
    report_heading(f, "Latency");
    fprintf(f,
            "<p>write + fdatasync here: %.0f us where the file grows, %.0f us where it is "
            "overwritten "
            "(p50).</p>\n",
            s->sync_us[0][0], s->sync_us[0][1]);
    for (size_t cell = 0; cell < CELLS; cell++)
        plot_latencies(f, s, cell);
    report_heading(f, "Memory of an idle connection");
    plot_memory(f, s, "the server's own (PSS)", offsetof(struct sample, pss_each));
    plot_memory(f, s, "the kernel's, both ends", offsetof(struct sample, kernel_each));
    write_profile(f, s);
    report_heading(f, "All of it");
    score_print_html(&s->score, f);
    report_end(f);
    fclose(f);
}

/* ---- the run ----------------------------------------------------------------------------- */

static int work(void *ctx, const char *path)
{
    struct suite *s = ctx;
    s->places.scratch = path;
    write_secret(s);
    start_all(s);
    for (uint32_t r = 0; r < s->rounds; r++) {
        fprintf(stderr, "suite-bench: round %u of %u\n", r + 1, s->rounds);
        measure_round(s, r);
    }
    measure_calls(s);
    end_all();
    measure_idle(s);
    score_all(s);
    write_report(s);
    if (s->json) {
        score_print_json(&s->score);
        puts("");
    } else {
        printf("%u rounds, interleaved; %s\n\n", s->rounds,
               s->quick ? "a smoke run, whose figures say nothing" : "medians of the rounds");
        score_print_table(&s->score);
        printf("\nwrite + fdatasync: %.0f us where the file grows, %.0f us where it is "
               "overwritten\n"
               "plots, latencies and profile: %s\n",
               s->sync_us[0][0], s->sync_us[0][1], s->report_path);
    }
    return EXIT_CLEAN;
}

static int wrong(const char *why)
{
    fprintf(stderr, "suite-bench: %s\n", why);
    return EXIT_USAGE_ERROR;
}

int main(int argc, char **argv)
{
    static struct suite s = {.rounds = 5, .idle = 10000};
    uint32_t ms = 0;
    bool help = false, version = false;
    s.places.peers = "build/bench";
    s.report_path = "build/bench/report.html";
    struct arg rows[] = {
        {"rounds", ARG_NUMBER, &s.rounds, 1, SCORE_ROUNDS_MAX, "N", "default 5", 0},
        {"ms", ARG_NUMBER, &ms, 10, 60000, "MS", "of each measurement; default 600", 0},
        {"idle", ARG_NUMBER, &s.idle, 1, 15000, "N", "idle connections; default 10000", 0},
        {"quick", ARG_FLAG, &s.quick, 0, 0, NULL,
         "one short round without the large cells: does it run?", 0},
        {"peers", ARG_TEXT, &s.places.peers, 0, 0, "DIR",
         "where bench/peers/install has put the peers; default build/bench", 0},
        {"report", ARG_TEXT, &s.report_path, 0, 0, "FILE", "default build/bench/report.html", 0},
        {"dir", ARG_TEXT, &s.dir, 0, 0, "DIR", "for the data; default: beside this program", 0},
        {"json", ARG_FLAG, &s.json, 0, 0, NULL, "print the table as JSON", 0},
        {"version", ARG_FLAG, &version, 0, 0, NULL, "print the version", 0},
        {"help", ARG_FLAG, &help, 0, 0, NULL, "print this", 0},
        {0}};
    struct args_error error;
    int rest = args_parse(rows, argc, argv, &error);
    if (rest < 0)
        return wrong(error.text);
    if (help) {
        printf("usage: suite-bench [OPTION]...\nparley beside other servers and the floor.\n\n");
        args_help(rows);
        return EXIT_CLEAN;
    }
    if (version) {
        printf("suite-bench %s\n", PARLEY_VERSION);
        return EXIT_CLEAN;
    }
    if (rest < argc)
        return wrong("there are no arguments but options; see --help");
    if (s.quick && !rows[0].given)
        s.rounds = 1;
    s.seconds = ms ? ms / 1000.0 : s.quick ? 0.1 : 0.6;
    if (s.quick && !rows[2].given)
        s.idle = 500;
    contender_find_places(&s.places);
    return scratch_run(s.dir, work, &s);
}
