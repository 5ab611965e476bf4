/*
 * scene: the real server in this process, all but its listeners, and its devices at the other ends of
 * socket pairs; its clock, its disk and its random numbers are simulated (tests/sim).
 *
 * A device parses no more than frames. What it sees in a step is kept as texts, each with its 0: the
 * text messages as they are, and "ping", "close CODE" and "end" for the rest.
 */
#ifndef MODEL_SCENE_H
#define MODEL_SCENE_H

#include "model.h"

#include "../sim/simdisk.h"
#include "chat/chat.h"

struct scene_device {
    int fd;      /* -1: not connected */
    bool asleep; /* answers no ping */
    struct buf in;
};

struct scene {
    struct loop loop;
    struct stream_set streams;
    struct chat chat;
    struct log log;
    struct simdisk disk;
    struct scene_device devices[DEVICES];
    struct buf seen[DEVICES];
    int64_t now;
    bool running;
    bool little; /* the kernel holds little for each connection */
    FILE *trace; /* NULL: none */
    struct store_options store;
    struct chat_options options;
};

/* One at a time, since the clock is the program's. */
extern struct scene scene;
extern const char scene_secret[]; /* of the tokens */

void scene_begin(uint64_t seed, FILE *trace);
void scene_end(void);

__attribute__((format(printf, 1, 2))) void scene_say(const char *format, ...);

/* The server starts, and ends as it has to: with all that is connected. False: it does not start. */
bool scene_start(void);
void scene_stop(void);

/* Connects and upgrades: whether that went well. */
bool scene_connect(unsigned d);

/* The connection is lost, what was sent before may arrive. */
void scene_cut(unsigned d);

/* Sends a text, a close, a part of a frame. */
void scene_send(unsigned d, struct slice text);
void scene_send_close(unsigned d);
void scene_send_part(unsigned d);

/* A turn of the loop: whether there may be more to do. Turns, and devices that read, until all is quiet. */
bool scene_turn(void);
void scene_settle(void);

/* Time passes. */
void scene_pass(int64_t ms);

#endif
