/*
 * api: the events a client can send, one row of a table each, and what is answered.
 */
#ifndef CHAT_API_H
#define CHAT_API_H

#include "chat/session.h"

struct backend_call;

/* A frame has come. */
void api_receive(struct session *s, struct slice frame);

/* A CONNECT of Socket.IO has come, with an object or nothing: a token in it is a registration. */
void api_connect(struct session *s, struct json_value auth);

/* A call of the application's: "message", "disconnect" or "revoke", with this body. */
void api_backend(struct backend_call *call, const char *name, struct slice body);

/* The store's word on the oldest send that waits: what api_send put into chat->pending. */
void api_committed(void *ctx, const struct store_message *message);
void api_marked(void *ctx, const struct store_mark *mark);
void api_failed(void *ctx, uint64_t id, int error);

#endif
