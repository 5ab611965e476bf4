#include "chat/backend.h"

#include "chat/presence.h"
#include "chat/session.h"
#include "chat/wire.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

struct backend_call *backend_call_new(struct chat *chat,
                                      void (*answered)(void *, unsigned, struct slice), void *ctx)
{
    struct backend_call *call = calloc(1, sizeof *call);
    if (!call)
        return NULL;
    *call = (struct backend_call){.chat = chat, .answered = answered, .ctx = ctx};
    list_init(&call->link);
    return call;
}

/* ---- answers ----------------------------------------------------------------------------- */

void backend_answer(struct backend_call *call, unsigned status, struct slice json)
{
    if (call->ctx)
        call->answered(call->ctx, status, json);
    list_remove(&call->link);
    free(call);
}

__attribute__((format(printf, 3, 4))) static void answer(struct backend_call *call, unsigned status,
                                                         const char *format, ...)
{
    char text[256];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    backend_answer(call, status, slice_of(text, (size_t)n));
}

void backend_refuse(struct backend_call *call, const char *code, struct slice text)
{
    static const struct {
        const char *code;
        unsigned status;
    } known[] = {{"bad_request", 400}, {"bad_json", 400},   {"too_large", 413},
                 {"conflict", 409},    {"not_stored", 503}, {NULL, 500}};
    struct buf json = {0};
    size_t i = 0;
    while (known[i].code && strcmp(known[i].code, code) != 0)
        i++;
    buf_printf(&json, "{\"error\":{\"code\":\"%s\",\"message\":", code);
    wire_write_string(&json, text);
    buf_append_lit(&json, "}}");
    backend_answer(call, known[i].status, buf_slice(&json));
    buf_free(&json);
}

static void refuse_not_stored(struct backend_call *call, const char *what, int error)
{
    char text[256];
    snprintf(text, sizeof text, "%s is not durable: %s; ask again", what, strerror(-error));
    backend_refuse(call, "not_stored", slice_str(text));
}

/* ---- connections ------------------------------------------------------------------------- */

/* Ends the sessions of a user whose tokens were issued before that time; how many. */
static uint32_t end_sessions(struct chat *chat, struct slice user, uint64_t before,
                             const char *reason)
{
    const struct online *online = hub_find(&chat->hub, user);
    uint32_t count = 0;
    if (!online)
        return 0;
    SESSION_EACH(s, online->sessions)
    {
        if (s->ws.state != WEBSOCKET_OPEN || s->issued >= before)
            continue;
        session_close(s, CLOSE_DISCONNECTED, reason);
        count++;
    }
    return count;
}

void backend_disconnect(struct backend_call *call, struct slice user, struct slice reason)
{
    char text[124];
    memcpy(text, reason.p, reason.n);
    text[reason.n] = 0;
    uint32_t count = end_sessions(call->chat, user, UINT64_MAX, text);
    answer(call, 200, "{\"connections\":%" PRIu32 "}", count);
}

void backend_revoke(struct backend_call *call, struct slice user, uint64_t before)
{
    struct chat *chat = call->chat;
    int result = store_revoke(chat->store, user, before, &call->number);
    if (result == -ENOSPC)
        backend_refuse(call, "conflict",
                       SLICE("the tokens of 65536 users are revoked, and no more can be noted; a "
                             "new --secret-file ends all tokens at once"));
    else if (result)
        refuse_not_stored(call, "the revocation", result);
    if (result)
        return;
    call->connections = end_sessions(chat, user, before, "the token was revoked");
    list_append(&chat->revokes, &call->link);
}

void backend_revoked(void *ctx, uint64_t number, int error)
{
    struct chat *chat = ctx;
    LIST_EACH(link, &chat->revokes)
    {
        struct backend_call *call = container_of(link, struct backend_call, link);
        if (call->number > number)
            break;
        if (error)
            refuse_not_stored(call, "the revocation", error);
        else
            answer(call, 200, "{\"connections\":%" PRIu32 "}", call->connections);
    }
}

/* ---- messages ---------------------------------------------------------------------------- */

void backend_erase(struct backend_call *call, struct slice user)
{
    struct chat *chat = call->chat;
    int result = store_erase(chat->store, user);
    if (result == -EBUSY)
        backend_refuse(call, "conflict",
                       SLICE("another user is being erased; one at a time: ask again when that is "
                             "done"));
    else if (result)
        refuse_not_stored(call, "the erasing", result);
    else {
        list_append(&chat->erases, &call->link);
        end_sessions(chat, user, UINT64_MAX, "the user is erased");
        presence_erased(chat, user);
    }
}

static void refuse_damaged(struct backend_call *call, const char *damaged)
{
    char text[256];
    snprintf(text, sizeof text,
             "the log is damaged in %s: what that file holds of users that were erased is hidden, "
             "and cannot be erased; parley-log repair DIR COPY leaves it out",
             damaged);
    backend_refuse(call, "damaged", slice_str(text));
}

/* All who wait have asked for the same user. */
void backend_erased(void *ctx, struct slice user, uint64_t messages, int error, const char *damaged)
{
    struct chat *chat = ctx;
    if (error && chat->store && !store_is_erasing(chat->store, user))
        presence_kept(chat, user);
    LIST_EACH(link, &chat->erases)
    {
        struct backend_call *call = container_of(link, struct backend_call, link);
        if (damaged)
            refuse_damaged(call, damaged);
        else if (error)
            refuse_not_stored(call, "the erasing", error);
        else
            answer(call, 200, "{\"messages\":%" PRIu64 "}", messages);
    }
}

void backend_describe(struct backend_call *call, struct slice user)
{
    struct chat *chat = call->chat;
    const struct online *online = hub_find(&chat->hub, user);
    struct buf json = {0};
    buf_append_lit(&json, "{\"user\":");
    wire_write_string(&json, user);
    buf_printf(&json,
               ",\"connections\":%" PRIu32 ",\"conversations\":%" PRIu64 ",\"newest\":%" PRIu64
               ",\"revokedBefore\":%" PRIu64 "}",
               online ? online->count : 0, store_count_conversations(chat->store, user),
               store_newest(chat->store, user), store_revoked(chat->store, user));
    backend_answer(call, json.failed ? 500 : 200, buf_slice(&json));
    buf_free(&json);
}
