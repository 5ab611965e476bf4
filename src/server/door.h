/*
 * door: HTTP for the application that owns the users (README.md, "For your backend"), on the admin
 * listener alone, and open to nobody but who shows the token of --admin-token-file.
 */
#ifndef SERVER_DOOR_H
#define SERVER_DOOR_H

#include "base/list.h"
#include "net/websocket.h"

struct backend_call;
struct server;

/* A connection of the admin listener. */
struct door {
    struct websocket ws;
    struct list link;
    struct backend_call *call; /* that waits for its answer; NULL: none */
};

/* How much body a request may have. */
uint64_t door_body_limit(struct websocket *ws, const struct http_head *request);

/* Answers it, at once or later, if it is about the door: false if not. */
bool door_request(struct server *server, struct websocket *ws, const struct http_head *request);

/* The connection is gone. */
void door_closed(struct door *door);

#endif
