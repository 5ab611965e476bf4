/*
 * life: a whole server in this process, with its listeners on loopback, on a simulated disk and clock,
 * and peers that talk to it. Memory runs out on demand (tests/fuzz/scarce.h), for the server alone.
 *
 * A peer does not parse: what it received is bytes, in which a text is looked for. The server does not
 * mask, so that its frames can be read.
 */
#ifndef MEMORY_LIFE_H
#define MEMORY_LIFE_H

#include "../sim/simdisk.h"
#include "server/server.h"

struct peer {
    int fd;        /* -1: not connected */
    struct buf in; /* all that came since peer_forget, terminated */
};

extern struct server life_server;
extern struct simdisk life_disk;
extern struct config life_config; /* of life_begin; may be changed before life_open */

/* With a real disk and the store's threads, instead of a simulated one and all on one thread; may be set
   before life_open. Something may happen then when all has settled. */
extern bool life_threaded;

/* A disk with nothing on it, and a folder for the secrets. */
void life_begin(void);
void life_end(void);

/* The server starts, or says why not. It ends at once, and as it is: with all peers, which are cut off. */
enum exit_status life_open(struct server_error *error);
enum exit_status life_close(void);

/* Turns, and peers that read, until nothing happens any more. */
void life_settle(void);

/* From the first to the second call nothing settles: what is said meanwhile arrives in one turn. */
void life_together(bool begin);

/* Time passes, and all settles again and again. */
void life_pass(int64_t ms);

/* Nobody is connected: and nothing of anybody is left. */
void life_expect_empty(void);

/* ---- peers ------------------------------------------------------------------------------- */

/* At most so many at a time. */
#define PEERS 40

/* A connection to a listener on loopback: that of the API, or that of the application. */
void peer_open(struct peer *p);
void peer_open_admin(struct peer *p);
void peer_close(struct peer *p);
void peer_forget(struct peer *p);

/* Each ends when all has settled, and does nothing where the peer is not connected. */
__attribute__((format(printf, 2, 3))) void peer_send(struct peer *p, const char *format, ...);
__attribute__((format(printf, 2, 3))) void peer_say(struct peer *p, const char *format, ...);
void peer_frame(struct peer *p, uint8_t first_byte, struct slice payload);

/* Whether it has received that text since peer_forget. */
bool peer_saw(const struct peer *p, const char *text);

/* Connects, upgrades, registers; the token of a user, in static storage. */
void peer_open_as(struct peer *p, const char *user);
const char *life_token(const char *user);

#endif
