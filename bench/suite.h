/*
 * suite: what suite-bench measures of whom, what it is asked for, and what it has found: shared by its
 * parts. All of it stands in tables (suite.c).
 */
#ifndef BENCH_SUITE_H
#define BENCH_SUITE_H

#include "contender.h"
#include "score.h"

#include <stddef.h>
#include <stdint.h>

enum { P50, P90, P99 }; /* of the histogram's percentiles */

enum suite_contender {
    PARLEY, /* ws-echo */
    FLOOR_WS,
    FLOOR_TCP,
    BUN,
    LWS,
    NODE_WS,
    SOCKETIO,
    PARLEY_DURABLE,
    FLOOR_DURABLE,
    BUN_DURABLE,
    NODE_DURABLE,
    SOCKETIO_DURABLE,
    PARLEY_MEMORY,
    FLOOR_MEMORY,
    FLOOR_REGISTER,
    BUN_MEMORY,
    NODE_MEMORY,
    SOCKETIO_MEMORY,
    PARLEY_EMPTY,
    PARLEY_FULL,
    DISK,
    SUITE_CONTENDERS
};

enum suite_cell_number {
    ECHO_20_100,
    ECHO_20_100_16,
    ECHO_20_1000,
    ECHO_20_1000_16,
    ECHO_20_10000,
    ECHO_20_10000_16,
    ECHO_1K_100,
    ECHO_1K_100_16,
    ECHO_1K_10000,
    ECHO_OPEN,
    CHAT_ONE,
    CHAT_100,
    CHAT_50_16,
    CHAT_1000,
    CHAT_OPEN,
    CHAT_OPEN_10000,
    DISK_GROWING,
    DISK_OVERWRITING,
    CHAT_50,
    CHAT_50_IDLE,
    MIXED,
    FAN_OUT,
    HISTORY,
    CONNECT,
    REGISTER,
    IDLE,
    IDLE_REGISTERED,
    IDLE_PINGS,
    SUITE_CELLS
};

/* Sets of contenders, of cells. */
#define OF(n) (UINT32_C(1) << (n))

extern struct contender suite_contenders[SUITE_CONTENDERS];

/* What is measured, and of whom. */
struct suite_cell {
    const char *what;
    uint32_t who;
    struct measure m;
    bool large; /* not in a quick run */
    bool fresh; /* once, of a process of its own: what an earlier load has left would hide it */
};

extern const struct suite_cell suite_cells[SUITE_CELLS];

/* A number of a sample: where it lies in it. */
#define SUITE_FIELD(name) offsetof(struct sample, name)

/* What is asked for: a row of the table for each of the cells. */
struct suite_goal {
    const char *group; /* the heading; NULL: that of the one before */
    uint32_t cells;
    enum suite_contender own;
    size_t field;
    double factor; /* of the value; 0: 1 */
    const char *label, *unit;
    enum score_goal goal;
    double bound;
    /* The value that it is held against; PARLEY: none. */
    enum suite_contender peer;
    enum suite_cell_number peer_cell; /* ECHO_20_100: the same one */
    size_t peer_field;                /* 0: the same one */
    const char *peer_text;            /* NULL: its name */
};

extern const struct suite_goal suite_goals[];
extern const size_t suite_goals_n;

#define SUITE_LINES SCORE_ROWS_MAX
#define SUITE_TEXT 96

struct suite {
    struct contender_places places;
    bool quick, json;
    uint32_t rounds, idle;
    double seconds;
    const char *report_path;
    const char *dir; /* where the scratch folder goes */
    bool there[SUITE_CONTENDERS];
    /* A number that is 0 is not known. Cells that are measured once have the first round alone. */
    struct sample samples[SUITE_CELLS][SUITE_CONTENDERS][SCORE_ROUNDS_MAX];
    struct profile profiles[SUITE_CELLS][SUITE_CONTENDERS];
    struct score score;
    struct score_line lines[SUITE_LINES];
    char texts[SUITE_LINES][SUITE_TEXT]; /* theirs */
    size_t lines_n;
};

/* Of the contenders of its sort, the one that is ours. */
enum suite_contender suite_ours(size_t contender);

bool suite_takes_part(const struct suite *s, size_t cell, size_t contender);

/* The median of a number over the rounds; 0: not known. */
double suite_median(const struct suite *s, size_t cell, size_t contender, size_t field);

/* All rounds in which it is known; returns how many. */
size_t suite_values(const struct suite *s, size_t cell, size_t contender, size_t field,
                    double values[SCORE_ROUNDS_MAX]);

/* Puts all samples into the score. */
void suite_score(struct suite *s);

void suite_write_report(const struct suite *s);

#endif
