/*
 * pair: two users who write to each other, a hundred messages a second, whatever else the server has to
 * do: the next one is sent when its time has come, not when the one before has arrived.
 *
 * It is large (histograms): not for the stack. Whatever goes wrong ends the process.
 */
#ifndef BENCH_PAIR_H
#define BENCH_PAIR_H

#include "histogram.h"
#include "parleyd.h"

#define PAIR_RING 1024 /* messages of one side that may be under way */

struct pair_side {
    struct websocket ws;
    struct pair *pair;
    struct pair_side *other;
    bool ready;
    uint64_t sent_at[PAIR_RING]; /* ns */
    uint64_t sent, acknowledged, delivered;
};

struct pair {
    struct loop loop;
    struct stream_set streams;
    struct websocket_kind kind;
    const struct parleyd *server;
    struct pair_side sides[2];
    uint64_t next; /* ns: when the next message is due */
    struct histogram acknowledged, delivered;
};

/* Connects and registers both. */
void pair_open(struct pair *p, const struct parleyd *server);
void pair_close(struct pair *p);

/* Goes on for that long. To be called without a pause: nobody else looks after the two. */
void pair_run(struct pair *p, double seconds);

/* Forgets what was measured so far. */
void pair_clear(struct pair *p);

#endif
