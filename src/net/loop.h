/*
 * loop: one thread's turn of waiting, dispatching, answering.
 *
 * A turn (loop_turn) has four phases, always in this order:
 *   1. wait for descriptors (epoll, level-triggered) or for the next timer
 *   2. descriptors that are ready, then timers that are due
 *   3. the hook `settle`: what is done once for all that came in (the store's batch)
 *   4. the hook `flush`: send what gathered for each connection, let go of the closed ones
 *
 * What it waits for are sources: each has a descriptor, or a timer, or both. They live inside the objects
 * they belong to; the loop allocates nothing for them. An object must not be freed during phase 2 of a
 * turn in which its descriptor was watched, since the kernel may already have reported it: streams
 * are let go of in phase 4 only.
 */
#ifndef NET_LOOP_H
#define NET_LOOP_H

#include "base/clock.h"
#include "base/list.h"

#include <stddef.h>
#include <stdint.h>

/* A timer fires up to one slot late and never early; those of one slot in the order they were set.
   1,024 slots of 16 ms pass in 16 s; a timer further away is looked at once in each round. One that is
   set further away than the furthest, 49 days, fires then. */
#define LOOP_SLOT_MS 16
#define LOOP_SLOTS 1024
#define LOOP_FURTHEST ((1 << 28) - 1) /* slots */

struct source;

/* What the sources of one sort do; NULL: it has no descriptor, or no timer. */
struct source_kind {
    void (*ready)(struct source *s, uint32_t events);
    void (*fire)(struct source *s);
};

struct source {
    const struct source_kind *kind;
    struct list link;    /* of those whose timers are set for the same slot */
    int fd;              /* -1: not watched, events that are still to be dispatched are dropped */
    uint32_t due : 29;   /* the number of that slot, truncated */
    uint32_t events : 3; /* EPOLLIN, EPOLLOUT as last told to the kernel */
};

/* What is done once a turn; run may be NULL. */
struct loop_hook {
    void (*run)(void *ctx);
    void *ctx;
};

struct loop {
    int epoll;
    bool busy; /* work is left over: the next turn does not wait */
    int ready; /* descriptors whose events are dispatched in this turn */
    const struct clock *clock;
    int64_t now;                    /* ms, monotonic: the start of phase 2 */
    struct loop_hook settle, flush; /* phases 3 and 4 */
    uint64_t tick;                  /* the slot number that was last looked through */
    uint64_t used[LOOP_SLOTS / 64]; /* slots that may hold timers */
    struct list slots[LOOP_SLOTS];
};

/* 0 or -errno. The clock stays the caller's. */
__attribute__((warn_unused_result)) int loop_init(struct loop *loop, const struct clock *clock);
void loop_fini(struct loop *loop);

/*
 * One turn; waits at most max_ms (-1: without limit). Returns how many descriptors were ready, or
 * -errno if waiting failed. loop->epoll is itself pollable, for a loop inside another one.
 */
__attribute__((warn_unused_result)) int loop_turn(struct loop *loop, int max_ms);

/* fd: non-blocking, or -1. */
void source_init(struct source *s, const struct source_kind *kind, int fd);

/* How long a turn would wait, of max_ms at most, if no descriptor became ready. */
int loop_wait_ms(const struct loop *loop, int max_ms);

/* Watches s->fd for these events, or changes what it is watched for; 0 or -errno. */
__attribute__((warn_unused_result)) int loop_watch(struct loop *loop, struct source *s,
                                                   uint32_t events);

/* Stops watching, and sets s->fd to -1. The descriptor stays open: the former s->fd is returned. */
int loop_unwatch(struct loop *loop, struct source *s);

/* Sets or moves the timer: it fires once, `after` ms from loop->now; what is negative is 0. */
void loop_set_timer(struct loop *loop, struct source *s, int64_t after);
void loop_stop_timer(struct source *s);

#endif
