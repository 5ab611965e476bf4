/*
 * crowd: the other clients of a server, of every sort, in a process of their own.
 *
 * Each sort comes again when it is cut off:
 *
 *   idle     is registered and says nothing more.
 *   flood    sends messages as fast as they are taken, to the slow readers in turn.
 *   slow     is registered, every second one asks for a long conversation; then it reads nothing for
 *            some seconds and is gone without a word.
 *   comer    asks for its snippets and a conversation, sends a few messages and leaves within half a
 *            second: in order, without a word, or in the middle of a frame.
 */
#ifndef BENCH_CROWD_H
#define BENCH_CROWD_H

#include "parleyd.h"

enum crowd_sort { CROWD_IDLE, CROWD_FLOOD, CROWD_SLOW, CROWD_COMER, CROWD_SORTS };

/* Shared by the two processes; they only grow. */
struct crowd_counts {
    uint32_t ready;                   /* of all clients, those that were registered once */
    uint64_t registered[CROWD_SORTS]; /* again and again */
    uint64_t
        ended[CROWD_SORTS]; /* registered ones that the server ended, or whose end was its answer */
    uint64_t flooded;       /* ended with 1008 */
    uint64_t refused;       /* connections that got no further than their request */
};

struct crowd {
    pid_t pid;
    uint32_t clients;
    struct crowd_counts *counts;
};

/* Starts one with so many clients of each sort. It does its work at a lower priority, so that it takes
   the processors' time from itself first. */
void crowd_start(struct crowd *c, const struct parleyd *server, const uint32_t n[CROWD_SORTS]);

/* Whether all have been registered once. */
bool crowd_ready(const struct crowd *c);

/* Kills it, with all its connections. The counts stay until the next start. */
void crowd_kill(struct crowd *c);

#endif
