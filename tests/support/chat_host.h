/*
 * chat_host: a chat in this process, on a clock that the test moves and a disk that is slow on demand;
 * its clients are at the other ends of socket pairs, and run it while they wait.
 */
#ifndef SUPPORT_CHAT_HOST_H
#define SUPPORT_CHAT_HOST_H

#include "chat/session.h"
#include "client.h"

#include <pthread.h>

extern struct loop host_loop;
extern struct stream_set host_streams;
extern struct chat host_chat;
extern const char host_secret[];

extern int64_t host_ms;     /* that have passed */
extern int64_t host_jumped; /* that the wall clock was put forward, or back, beside that */
int64_t host_wall(void *ctx);

/* With `host_cold`, nothing is in memory but what was read since host_forget_all. */
extern bool host_cold;
extern bool host_unreadable;     /* what is not in memory cannot be read at all; atomic */
extern unsigned host_cold_reads; /* that were told to wait */
void host_forget_all(void);

/* While it is locked no sync ends, and what is written is not committed. */
extern pthread_mutex_t host_gate;

/* Setup and teardown; rate 10, a queue of 64 KiB. Threaded: with a commit thread. */
int host_start(void **state);
int host_start_threaded(void **state);
int host_stop(void **state);

/* A turn of the loop; the second waits for the reading thread, too. */
void host_pump(void);
void host_pump_patiently(void);

/* Time passes in steps of a tenth of a second, so that everything happens in its order. */
void host_advance(int64_t ms);

/* A client who has connected, from there; registers (ttl_ms 0: the token never expires); asks for
   that with more members, and expects nothing; all in one. */
void host_open(struct client *c);
void host_open_from(struct client *c, const struct address *peer);
void host_register(struct client *c, const char *user, int64_t ttl_ms);
void host_show_token(struct client *c, const char *user, int64_t ttl_ms, const char *more);
void host_open_as(struct client *c, const char *user);

#endif
