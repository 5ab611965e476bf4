/*
 * backend: what the application may do that owns the users: send as one of them, end his connections,
 * refuse his tokens, erase him.
 *
 * Each call is answered once, at once or when what it asked for is durable, with an HTTP status and JSON:
 * what it asked for, or {"error":{"code":"..","message":".."}}. Whoever no longer waits sets `ctx` to
 * NULL, and is not called.
 */
#ifndef CHAT_BACKEND_H
#define CHAT_BACKEND_H

#include "chat/chat.h"

struct backend_call {
    struct chat *chat;
    void (*answered)(void *ctx, unsigned status, struct slice json);
    void *ctx;
    struct list link; /* in chat->erases or chat->revokes, while it waits for the disk */
    /* Of a revocation. */
    uint64_t number;
    uint32_t connections;
};

/* NULL: no memory. */
struct backend_call *backend_call_new(struct chat *chat,
                                      void (*answered)(void *, unsigned, struct slice), void *ctx);

/* Answers and frees it. */
void backend_answer(struct backend_call *call, unsigned status, struct slice json);
void backend_refuse(struct backend_call *call, const char *code, struct slice text);

/* The user has been checked. reason: at most 123 bytes of UTF-8. before: seconds since 1970. */
void backend_disconnect(struct backend_call *call, struct slice user, struct slice reason);
void backend_revoke(struct backend_call *call, struct slice user, uint64_t before);
void backend_erase(struct backend_call *call, struct slice user);
void backend_describe(struct backend_call *call, struct slice user);

/* The store's word. */
void backend_erased(void *ctx, struct slice user, uint64_t messages, int error,
                    const char *damaged);
void backend_revoked(void *ctx, uint64_t number, int error);

#endif
