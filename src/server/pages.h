/*
 * pages: what is answered over plain HTTP: the health check, the demo's page and tokens, metrics.
 */
#ifndef SERVER_PAGES_H
#define SERVER_PAGES_H

#include "net/websocket.h"

struct server;

/* A request on a public listener for another path than chat's; ctx is the server. */
void pages_public(void *ctx, struct websocket *ws, const struct http_head *request);

/* A request on the admin listener. */
void pages_admin(struct server *server, struct websocket *ws, const struct http_head *request);

/* Percent-decodes (RFC 3986, 2.1), and, in a form, "+" for a space: the length, or -1. */
ptrdiff_t pages_decode(uint8_t *out, size_t room, struct slice in, bool form);

#endif
