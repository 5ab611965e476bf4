#include "chat/chat.h"

#include "chat/answer.h"
#include "chat/api.h"
#include "chat/backend.h"
#include "chat/polling.h"
#include "chat/session.h"
#include "chat/socketio.h"
#include "chat/typing.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

/* ---- who may open a connection ----------------------------------------------------------- */

/* "http://HOST" or "https://HOST", whatever HOST's case, where HOST is the request's own. */
static bool origin_is_own(struct slice origin, struct slice host)
{
    size_t scheme = 0;
    if (origin.n > 7 && http_equal_fold(slice_of(origin.p, 7), "http://"))
        scheme = 7;
    else if (origin.n > 8 && http_equal_fold(slice_of(origin.p, 8), "https://"))
        scheme = 8;
    struct slice rest = slice_skip(origin, scheme);
    if (!scheme || rest.n != host.n)
        return false;
    for (size_t i = 0; i < host.n; i++) {
        struct slice a = slice_of(rest.p + i, 1);
        char lower[2] = {(char)host.p[i], 0};
        if (lower[0] >= 'A' && lower[0] <= 'Z')
            lower[0] = (char)(lower[0] | 0x20);
        if (!http_equal_fold(a, lower))
            return false;
    }
    return true;
}

static bool origin_is_allowed(const struct chat *chat, const struct http_head *request)
{
    size_t count;
    const struct http_field *origin = http_find(request, "origin", &count);
    if (count == 0)
        return true; /* not a browser */
    if (count > 1)
        return false;
    for (size_t i = 0; i < chat->options.origins_n; i++)
        if (strcmp(chat->options.origins[i], "*") == 0 ||
            slice_eq(origin->value, slice_str(chat->options.origins[i])))
            return true;
    return origin_is_own(origin->value, request->host);
}

static void log_peer(const struct websocket *ws)
{
    const struct chat *chat = ws->stream.kind->ctx;
    char peer[IP_TEXT];
    if (chat->options.log->level < LOG_DEBUG)
        return;
    ip_format(peer, &ws->peer);
    log_write(chat->options.log, LOG_DEBUG, "%s: connected", peer);
}

static uint64_t body_limit(struct websocket *ws, const struct http_head *request)
{
    const struct chat *chat = ws->stream.kind->ctx;
    return slice_eq(request->path, SLICE("/socket.io/")) ? socketio_max_payload(chat)
           : slice_eq(request->path, SLICE("/chat"))     ? 0
                                                         : chat->options.max_body;
}

static void on_request(struct websocket *ws, const struct http_head *request)
{
    struct chat *chat = ws->stream.kind->ctx;
    if (slice_eq(request->path, SLICE("/socket.io/"))) {
        polling_request(session_of(ws), request, origin_is_allowed(chat, request));
    } else if (!slice_eq(request->path, SLICE("/chat"))) {
        chat->options.on_request(chat->options.ctx, ws, request);
    } else if (session_of(ws)->leaving) {
        websocket_respond(ws, 503, "text/plain; charset=utf-8", "",
                          SLICE("The server is shutting down.\n"), false);
    } else if (!origin_is_allowed(chat, request)) {
        websocket_respond(ws, 403, "text/plain; charset=utf-8", "",
                          SLICE("This Origin is not allowed here; see --origin.\n"), false);
    } else if (!slice_eq(request->method, SLICE("GET"))) {
        websocket_respond(ws, 405, "text/plain; charset=utf-8", "Allow: GET\r\n",
                          SLICE("A WebSocket begins with GET.\n"), false);
    } else if (websocket_upgrade(ws, request)) {
        log_peer(ws);
        session_opened(session_of(ws));
    }
}

/* ---- from the websocket ------------------------------------------------------------------ */

static void on_message(struct websocket *ws, enum frame_opcode opcode, struct slice message)
{
    struct session *s = session_of(ws);
    (void)opcode; /* text_only */
    if (s->framing == FRAMING_SOCKETIO)
        socketio_receive(s, message);
    else
        api_receive(s, message);
}

static void on_drained(struct websocket *ws)
{
    if (!polling_drained(session_of(ws)))
        answer_continue(session_of(ws));
}

static void on_timer(struct websocket *ws)
{
    session_timer(session_of(ws));
}

static void on_closed(struct websocket *ws)
{
    polling_closed(session_of(ws));
    session_closed(session_of(ws));
}

void chat_accept(struct chat *chat, int fd, const struct address *peer)
{
    struct session *s = session_new();
    if (!s) {
        close(fd);
    } else if (websocket_accept(&s->ws, &chat->kind, fd)) {
        free(s);
    } else {
        s->ws.peer = ip_of(peer);
        session_start(s);
    }
}

/* ---- taking leave ------------------------------------------------------------------------ */

/* Connections that may well come back at the same moment. */
#define DRAIN_TOGETHER 32

static void leave_all(struct chat *chat, struct session *first)
{
    SESSION_EACH(s, first)
    {
        session_leave(s);
        chat->drain_told++;
    }
}

/* In the order of the users' numbers. Nobody registers any more, so that none is passed over. */
static void on_drain(struct source *timer)
{
    struct chat *chat = container_of(timer, struct chat, drain);
    struct hub *hub = &chat->hub;
    struct loop *loop = chat->kind.stream.set->loop;
    int64_t passed = loop->now - chat->drain_begun;
    uint64_t due = UINT64_MAX;
    if (passed < chat->drain_ms)
        due = DRAIN_TOGETHER + chat->drain_count * (uint64_t)passed / (uint64_t)chat->drain_ms;
    struct online *user;
    for (; chat->drain_next < hub->n && chat->drain_told < due; chat->drain_next++)
        if ((user = hub_user(hub, chat->drain_next)))
            leave_all(chat, user->sessions);
    if (chat->drain_next < hub->n)
        loop_set_timer(loop, timer, 1); /* that is, with the loop's next slot */
}

void chat_drain(struct chat *chat, int64_t spread_ms)
{
    chat->drain_begun = chat->kind.stream.set->loop->now;
    chat->drain_ms = spread_ms;
    chat->drain_count = chat->stats.connections;
    leave_all(chat, chat->unregistered);
    on_drain(&chat->drain);
}

/* ---- the store --------------------------------------------------------------------------- */

static void on_store_ready(struct source *s, uint32_t events)
{
    (void)events;
    store_collect(container_of(s, struct chat, store_source)->store);
}

static void on_readable(void *ctx)
{
    answer_continue_waiting(ctx);
}

static void on_settle(void *ctx)
{
    struct chat *chat = ctx;
    session_forget_ended(chat);
    store_flush(chat->store);
}

static void on_hour(struct source *s)
{
    struct chat *chat = container_of(s, struct chat, store_source);
    store_tick(chat->store, clock_wall_ms(chat->options.clock));
    loop_set_timer(chat->kind.stream.set->loop, s, 3600 * 1000);
}

static const struct source_kind store_kind = {.ready = on_store_ready, .fire = on_hour};
static const struct source_kind typing_kind = {.fire = typing_timer};
static const struct source_kind drain_kind = {.fire = on_drain};

enum store_status chat_open(struct chat *chat, struct stream_set *set,
                            const struct chat_options *options, const struct store_options *store,
                            struct store_error *error)
{
    *chat = (struct chat){.options = *options};
    chat->kind = (struct websocket_kind){.server = true,
                                         .text_only = true,
                                         .max_message = options->max_frame,
                                         .trusted = options->trusted,
                                         .body_limit = body_limit,
                                         .on_request = on_request,
                                         .on_message = on_message,
                                         .on_drained = on_drained,
                                         .on_timer = on_timer,
                                         .on_closed = on_closed};
    websocket_kind_init(&chat->kind, set, chat);
    chat->kind.stream.more = sizeof(struct session_more) - sizeof(struct stream_more);
    list_init(&chat->waiting);
    chat->ended_last = &chat->ended;
    list_init(&chat->typing);
    list_init(&chat->revokes);
    list_init(&chat->erases);
    source_init(&chat->typing_due, &typing_kind, -1);
    source_init(&chat->drain, &drain_kind, -1);
    struct store_options with_calls = *store;
    with_calls.committed = api_committed;
    with_calls.marked = api_marked;
    with_calls.failed = api_failed;
    with_calls.erased = backend_erased;
    with_calls.revoked = backend_revoked;
    with_calls.readable = on_readable;
    with_calls.ctx = chat;
    enum store_status status = store_open(&chat->store, &with_calls, error);
    if (status != STORE_OK)
        return status;
    source_init(&chat->store_source, &store_kind, store_fd(chat->store));
    on_hour(&chat->store_source);
    set->loop->settle = (struct loop_hook){on_settle, chat};
    if (hub_init(&chat->hub, &set->memory) || polling_init(chat) ||
        loop_watch(set->loop, &chat->store_source, EPOLLIN)) {
        chat_close(chat);
        snprintf(error->text, sizeof error->text, "no memory or no descriptors left");
        return STORE_SYSTEM;
    }
    return STORE_OK;
}

void chat_set_secret(struct chat *chat, struct slice secret)
{
    struct hmac_key key;
    uint8_t before[SHA256_SIZE], now[SHA256_SIZE];
    hmac_key_init(&key, secret);
    hmac_sign(&key, SLICE(""), now);
    hmac_sign(&chat->keys[0], SLICE(""), before);
    if (chat->keys_n && hmac_equal(before, now)) {
        chat->keys_n = 1;
        return;
    }
    chat->keys[1] = chat->keys[0];
    chat->keys[0] = key;
    if (chat->keys_n < 2)
        chat->keys_n++;
}

int chat_failure(const struct chat *chat)
{
    return store_failure(chat->store);
}

static void cut_all(struct session *first)
{
    SESSION_EACH(s, first)
    {
        stream_close(&s->ws.stream);
    }
}

/* Whoever has not taken his leave by now is cut off. */
static void chat_cut(struct chat *chat)
{
    struct online *user;
    for (uint32_t i = 0; i < chat->hub.n; i++)
        if ((user = hub_user(&chat->hub, i)))
            cut_all(user->sessions);
    cut_all(chat->unregistered);
    cut_all(chat->ended);
    while (chat->stats.connections)
        if (loop_turn(chat->kind.stream.set->loop, 0) < 0)
            break;
}

int chat_close(struct chat *chat)
{
    chat_cut(chat);
    loop_stop_timer(&chat->store_source);
    loop_stop_timer(&chat->typing_due);
    loop_stop_timer(&chat->drain);
    loop_unwatch(chat->kind.stream.set->loop, &chat->store_source);
    chat->kind.stream.set->loop->settle.run = NULL;
    int failure = store_close(chat->store);
    chat->store = NULL;
    backend_erased(chat, SLICE(""), 0, -ECANCELED,
                   NULL); /* the next start goes on with what is noted */
    backend_revoked(chat, UINT64_MAX, -ECANCELED);
    hub_fini(&chat->hub);
    table_fini(&chat->sids);
    free(chat->polls);
    backoff_fini(&chat->backoff);
    buf_free(&chat->pending);
    for (int i = 0; i < FRAMINGS; i++)
        buf_free(&chat->frames[i]);
    buf_free(&chat->text);
    buf_free(&chat->meta);
    buf_free(&chat->content);
    return failure;
}
