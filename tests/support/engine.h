/*
 * engine: clients of Engine.IO on the chat of chat_host: requests and packets as they are written, and what comes.
 */
#ifndef SUPPORT_ENGINE_H
#define SUPPORT_ENGINE_H

#include "chat_host.h"

#define ENGINE_QUERY "/socket.io/?EIO=4&transport="
/* Of a request for a WebSocket, what follows its target. */
#define ENGINE_HANDSHAKE                                                    \
    " HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" \
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"

extern char engine_sid[64];       /* the session whose turn it is */
extern char engine_text[1 << 20]; /* what came last */

/* Some turns of the loop, enough for all to happen. */
void engine_turns(void);

/* Sends a request, as it is. */
__attribute__((format(printf, 2, 3))) void engine_ask(struct client *c, const char *format, ...);

/* All that has come on the connection; "": nothing. That it is so; how often that is in it. */
const char *engine_come(struct client *c);
void engine_expect(struct client *c, const char *pattern);
size_t engine_count(const char *what);

/* All of one answer, which has come by now: its body. */
const char *engine_answer(struct client *c);

/* Requests of the session. */
void engine_get(struct client *c);
void engine_post(struct client *c, const char *body);

/* One session more on a connection: its answer in engine_text. */
void engine_shake_hands(struct client *c);

/* A session that polls, on these connections: c for GETs, p for POSTs; the same, registered; the same over
   a WebSocket alone. */
void engine_open(struct client *c, struct client *p);
void engine_open_as(struct client *c, struct client *p, const char *user);
void engine_open_socket_as(struct client *w, const char *user);

/* A CONNECT with a token. */
const char *engine_connect(const char *user);

/* The other end of one who has registered. */
struct session *engine_session(const char *user);

/* Sends alice so many messages of 16 kB; there is no rate from here on. */
void engine_send_long(struct client *bob, int n);

void engine_drop(struct client *c);

#endif
