#include "chat/api.h"

#include "chat/answer.h"
#include "chat/backend.h"
#include "chat/presence.h"
#include "chat/request.h"
#include "chat/socketio.h"
#include "chat/typing.h"
#include "chat/wire.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>

/* Messages of a page where the client names no limit. */
#define API_PAGE 500

#define API_REASON 123       /* bytes of a close reason: RFC 6455, 5.5 */
#define NOT_SINCE UINT64_MAX /* a registration that resumes nothing */

/* ---- the events -------------------------------------------------------------------------- */

static void on_register(const struct request *r)
{
    struct session *s = r->session;
    struct jwt token;
    uint64_t since;
    if (!request_number(r, "since", 0, JSON_INTEGER_MAX, NOT_SINCE, &since) ||
        !request_token(r, request_member(r, "token"), &token))
        return;
    struct slice user = slice_of(token.user, token.user_n);
    if (s->registered && !slice_eq(online_name(s->user), user)) {
        request_refuse(r, "already_registered",
                       "this connection belongs to another user; open a new one for this token");
        return;
    }
    if (session_register(s, &token)) {
        stream_close(&s->ws.stream);
        return;
    }
    if (s->stage == SOCKETIO_CONNECTING)
        socketio_connected(s);
    /* What is committed by now is replayed; what is committed from here on comes live. */
    if (since == NOT_SINCE)
        answer_registered(s, r->ref);
    else
        answer_resumed(s, since, r->ref);
}

static void on_snippets(const struct request *r)
{
    answer_snippets(r->session, r->ref);
}

static void on_conversation(const struct request *r)
{
    struct userid id;
    uint64_t before, limit;
    if (request_user(r, "id", &id) &&
        request_number(r, "before", 1, JSON_INTEGER_MAX, 0, &before) &&
        request_number(r, "limit", 1, STORE_MAX_PAGE, API_PAGE, &limit))
        answer_page(r->session, userid_slice(&id), before, (uint32_t)limit, r->ref);
}

static void not_stored(const struct request *r, int error)
{
    const char *why = error == -ENOSPC || error == -EDQUOT ? "the disk is full"
                      : error == -EBUSY                    ? "a user is being erased"
                      : error == -ENOBUFS                  ? "too much waits for the disk"
                                                           : "the disk failed";
    request_refuse(r, "not_stored", "the %s was not stored: %s; it can be sent again",
                   strcmp(r->name, "read") == 0 ? "read marker" : r->name, why);
}

/* There is no memory. */
static void give_up(const struct request *r)
{
    if (r->session)
        stream_close(&r->session->ws.stream);
    else
        not_stored(r, -ENOBUFS);
}

/* The value of the content, in the frame or in chat->text. */
static bool read_content(const struct request *r, struct slice *out)
{
    struct chat *chat = r->chat;
    struct json_value v = request_member(r, "content");
    if (v.type != JSON_STRING || v.raw.n == 0) {
        request_refuse(r, "bad_request", "\"content\" %s; expected a string that is not empty",
                       v.type == JSON_STRING ? "is empty"
                       : v.type == JSON_NULL ? "is missing"
                                             : "is no string");
        return false;
    }
    struct slice text = v.raw;
    buf_clear(&chat->text);
    if (v.escaped) {
        uint8_t *to = buf_reserve(&chat->text, v.raw.n);
        if (!to) {
            give_up(r);
            return false;
        }
        ptrdiff_t n = json_string_decode(v, to);
        if (n < 0) {
            request_refuse(r, "bad_request",
                           "\"content\" holds half of a surrogate pair, which is no character");
            return false;
        }
        text = slice_of(to, (size_t)n);
    }
    if (text.n > chat->options.max_content) {
        request_refuse(r, "too_large", "\"content\" has %zu bytes of UTF-8; at most %u are taken",
                       text.n, chat->options.max_content);
        return false;
    }
    *out = text;
    return true;
}

/* The host's word on what a client sends. */
static bool may_send(const struct request *r, struct slice from, struct slice to,
                     struct slice content)
{
    const struct chat_options *options = &r->chat->options;
    const char *why = NULL, *code = NULL;
    if (r->session && options->hooks.authorise)
        code = options->hooks.authorise(options->ctx, from, to, content, &why);
    if (code)
        request_refuse(r, code, "%s", why);
    return !code;
}

/* A key is known by its value, whatever escapes it is written in. Empty: there is none. */
static bool read_key(const struct request *r, uint8_t room[6 * STORE_MAX_KEY], struct slice *out)
{
    struct json_value v = request_member(r, "key");
    struct quoted q;
    *out = slice_of(room, 0);
    if (v.type == JSON_NULL)
        return true;
    ptrdiff_t n =
        v.type == JSON_STRING && v.raw.n <= 6 * STORE_MAX_KEY ? json_string_decode(v, room) : 0;
    if (n >= 1 && n <= STORE_MAX_KEY) {
        out->n = (size_t)n;
        return true;
    }
    request_refuse(r, "bad_request", "\"key\" is %s; expected a string of 1 to %d bytes of UTF-8",
                   request_quote(&q, v), STORE_MAX_KEY);
    return false;
}

/* What waits for its commit, as it stands in chat->pending, the ref behind it. An echo is a send whose
 * key another one in front of it has: it is answered as that one is. */
struct pending {
    struct session *session;   /* NULL: the application's */
    struct backend_call *call; /* which waits for this */
    enum { PENDING_SEND, PENDING_ECHO, PENDING_MARK } kind;
    bool first; /* maybe the first one between the two */
    uint64_t id;
    int64_t date;
    size_t ref_n;
};

/* Room for one more that waits. */
static bool reserve_pending(const struct request *r)
{
    struct chat *chat = r->chat;
    /* While messages pour in the list never runs empty: what is done with goes when it is half. */
    if (chat->pending_at > chat->pending.n / 2) {
        buf_drop(&chat->pending, chat->pending_at);
        chat->pending_at = 0;
    }
    if (buf_reserve(&chat->pending, sizeof(struct pending) + r->ref.n))
        return true;
    chat->pending.failed = false;
    give_up(r);
    return false;
}

static void put_pending(const struct request *r, struct pending *p)
{
    struct chat *chat = r->chat;
    p->session = r->session;
    p->call = r->call;
    p->ref_n = r->ref.n;
    buf_append(&chat->pending, p, sizeof *p);
    buf_append_slice(&chat->pending, r->ref);
    if (r->session)
        session_await(r->session);
}

static void answer_sent(const struct request *r, uint64_t id, int64_t date)
{
    uint8_t text[64], *p = buf_put_lit(text, "{\"id\":");
    p = buf_put_lit(buf_put_u64(p, id), ",\"date\":");
    p = buf_put_lit(buf_put_u64(p, (uint64_t)date), "}");
    struct slice meta = slice_of(text, (size_t)(p - text));
    if (r->session)
        request_answer(r, SLICE("{\"success\":true}"), meta);
    else
        backend_answer(r->call, 200, meta);
}

static void send_as(const struct request *r, struct slice from)
{
    struct chat *chat = r->chat;
    struct userid to;
    struct slice content, key;
    uint8_t room[6 * STORE_MAX_KEY];
    struct pending p = {.kind = PENDING_SEND};
    if (!request_user(r, "to", &to) || !read_key(r, room, &key) || !read_content(r, &content) ||
        !may_send(r, from, userid_slice(&to), content) || !reserve_pending(r))
        return;
    /* Stored as the shortest JSON string with that value. */
    buf_clear(&chat->content);
    wire_write_string(&chat->content, content);
    if (chat->content.failed) {
        give_up(r);
        return;
    }
    p.first =
        !presence_is_used(chat) || !store_has_conversation(chat->store, from, userid_slice(&to));
    int result = store_append(chat->store, from, userid_slice(&to), buf_slice(&chat->content), key,
                              clock_wall_ms(chat->options.clock), &p.id, &p.date);
    if (result == STORE_KNOWN) {
        answer_sent(r, p.id, p.date);
    } else if (result == -EEXIST) {
        request_refuse(r, r->session ? "bad_request" : "conflict",
                       "\"key\" belongs to another message of yours: a message that is sent again "
                       "must "
                       "have the same \"to\" and \"content\", a new one needs a new key");
    } else if (result < 0) {
        not_stored(r, result);
    } else {
        if (result == STORE_PENDING)
            p.kind = PENDING_ECHO;
        put_pending(r, &p);
    }
}

static void on_message(const struct request *r)
{
    send_as(r, online_name(r->session->user));
}

static void on_read(const struct request *r)
{
    struct session *s = r->session;
    struct chat *chat = session_chat(s);
    struct userid id;
    struct quoted q;
    uint64_t up_to;
    struct pending p = {.kind = PENDING_MARK};
    if (!request_user(r, "id", &id) || !request_number(r, "upTo", 1, JSON_INTEGER_MAX, 0, &up_to))
        return;
    if (up_to == 0) {
        request_refuse(r, "bad_request", "\"upTo\" is missing; expected the id of a message");
        return;
    }
    if (!reserve_pending(r))
        return;
    int result = store_mark(chat->store, online_name(s->user), userid_slice(&id), up_to,
                            clock_wall_ms(chat->options.clock), &p.id);
    if (result == STORE_KNOWN)
        request_answer(r, SLICE("{\"success\":true}"), SLICE(""));
    else if (result == -ERANGE)
        request_refuse(r, "bad_request",
                       "\"upTo\" is %s, beyond the newest message of this conversation; expected "
                       "the id "
                       "of a message in it",
                       request_quote(&q, request_member(r, "upTo")));
    else if (result)
        not_stored(r, result);
    else
        put_pending(r, &p);
}

static void on_start_writing(const struct request *r)
{
    struct userid id;
    if (!request_user(r, "id", &id))
        return;
    typing_begin(r->session, userid_slice(&id));
    session_acknowledge(r->session, SLICE("{\"success\":true}"), r->ref);
}

static void on_stop_writing(const struct request *r)
{
    struct session *s = r->session;
    struct userid id;
    struct jwt token;
    if (!request_user(r, "id", &id))
        return;
    struct json_value v = request_member(r, "token");
    if (v.type != JSON_NULL) {
        if (!request_token(r, v, &token))
            return;
        if (!slice_eq(slice_of(token.user, token.user_n), online_name(s->user))) {
            request_refuse(r, "bad_token",
                           "\"token\" belongs to another user than this connection");
            return;
        }
    }
    typing_end(s, userid_slice(&id));
    session_acknowledge(s, SLICE("{\"success\":true}"), r->ref);
}

/* How many there are, all of them user ids; or refuses the request, and is negative. */
static int count_ids(const struct request *r, struct json_value ids)
{
    struct json_reader reader;
    struct json_value v;
    struct userid id;
    struct quoted q;
    int count = 0;
    if (ids.type != JSON_ARRAY || !json_open_array(&reader, ids.raw)) {
        request_refuse(r, "bad_request", "\"ids\" is %s; expected an array of at most %d user ids",
                       ids.type == JSON_NULL ? "missing" : request_quote(&q, ids), PRESENCE_MAX);
        return -1;
    }
    for (; json_next_element(&reader, &v) == JSON_ITEM; count++)
        if (!request_id(r, "ids", v, &id))
            return -1;
    if (count <= PRESENCE_MAX)
        return count;
    request_refuse(r, "bad_request", "\"ids\" holds %d user ids; at most %d are taken", count,
                   PRESENCE_MAX);
    return -1;
}

static void on_presence(const struct request *r)
{
    struct session *s = r->session;
    struct json_value v, ids = request_member(r, "ids");
    struct json_reader reader;
    struct userid id;
    int count = count_ids(r, ids);
    if (count < 0)
        return;
    int result = presence_begin(s, (uint32_t)count);
    bool open = json_open_array(&reader, ids.raw);
    count = 0;
    while (open && result >= 0 && json_next_element(&reader, &v) == JSON_ITEM &&
           request_id(r, "ids", v, &id)) {
        result = presence_add(s, userid_slice(&id));
        if (result > 0) {
            count++;
            presence_write(s, userid_slice(&id));
            session_send(s, &(struct event){SLICE("presence"), wire_json(&session_chat(s)->text),
                                            r->ref, SLICE(""), EVENT_PART});
        }
    }
    if (result < 0) {
        stream_close(&s->ws.stream);
        return;
    }
    char data[32];
    int n = snprintf(data, sizeof data, "{\"count\":%d}", count);
    session_acknowledge(s, slice_of(data, (size_t)n), r->ref);
}

/* ---- what the store says ----------------------------------------------------------------- */

/* Takes the oldest that waits off the list; its ref is valid until the next append. */
static struct pending take_pending(struct chat *chat, struct slice *ref)
{
    struct pending p;
    assert(chat->pending.n - chat->pending_at >= sizeof p);
    memcpy(&p, chat->pending.p + chat->pending_at, sizeof p);
    *ref = slice_of(chat->pending.p + chat->pending_at + sizeof p, p.ref_n);
    chat->pending_at += sizeof p + p.ref_n;
    return p;
}

static bool echo_is_next(const struct chat *chat)
{
    struct pending p;
    if (chat->pending.n == chat->pending_at)
        return false;
    memcpy(&p, chat->pending.p + chat->pending_at, sizeof p);
    return p.kind == PENDING_ECHO;
}

/* The request that it was, if it is still to be answered. */
static bool request_of(struct chat *chat, const struct pending *p, struct slice ref,
                       struct request *out)
{
    *out = (struct request){.chat = chat,
                            .session = p->session,
                            .call = p->call,
                            .name = p->kind == PENDING_MARK ? "read" : "message",
                            .ref = ref};
    return !p->session || !p->session->gone;
}

static void settled(const struct pending *p)
{
    if (p->session)
        session_settled(p->session);
}

/* The echoes behind the one that was taken: what became of those that they repeat is known by now, for
 * these stood in front of them, and what fails does so together with all behind it. */
static void settle_echoes(struct chat *chat, int error)
{
    while (echo_is_next(chat)) {
        struct slice ref;
        struct request r;
        struct pending p = take_pending(chat, &ref);
        bool heard = request_of(chat, &p, ref, &r);
        if (heard && p.id <= chat->committed)
            answer_sent(&r, p.id, p.date);
        else if (heard)
            not_stored(&r, error);
        settled(&p);
    }
}

void api_committed(void *ctx, const struct store_message *m)
{
    struct chat *chat = ctx;
    struct slice ref;
    struct pending p = take_pending(chat, &ref);
    assert(p.kind == PENDING_SEND && p.id == m->id);
    chat->stats.stored++;
    chat->committed = m->id;
    struct request r;
    if (request_of(chat, &p, ref, &r))
        answer_sent(&r, m->id, m->date);
    struct event e = {.name = SLICE("message"), .data = m->json};
    session_deliver(chat, p.session, &e, m->from, m->to);
    if (p.first && presence_is_used(chat))
        presence_met(chat, m->from, m->to);
    settled(&p);
    settle_echoes(chat, 0);
    if (chat->options.hooks.committed)
        chat->options.hooks.committed(chat->options.ctx, m);
}

void api_marked(void *ctx, const struct store_mark *m)
{
    struct chat *chat = ctx;
    struct slice ref;
    struct pending p = take_pending(chat, &ref);
    assert(p.kind == PENDING_MARK && p.id == m->id);
    chat->committed = m->id;
    struct request r;
    if (request_of(chat, &p, ref, &r))
        request_answer(&r, SLICE("{\"success\":true}"), SLICE(""));
    if (m->moved) {
        buf_clear(&chat->text);
        buf_append_lit(&chat->text, "{\"id\":");
        wire_write_string(&chat->text, m->reader);
        buf_append_lit(&chat->text, ",\"with\":");
        wire_write_string(&chat->text, m->other);
        buf_append_lit(&chat->text, ",\"upTo\":");
        buf_append_u64(&chat->text, m->up_to);
        buf_append_lit(&chat->text, "}");
        struct event e = {.name = SLICE("read"), .data = wire_json(&chat->text)};
        session_deliver(chat, NULL, &e, m->reader, m->other);
    }
    settled(&p);
    settle_echoes(chat, 0);
}

void api_failed(void *ctx, uint64_t id, int error)
{
    struct chat *chat = ctx;
    struct slice ref;
    struct pending p = take_pending(chat, &ref);
    assert(p.id == id);
    struct request r;
    if (request_of(chat, &p, ref, &r))
        not_stored(&r, error);
    settled(&p);
    settle_echoes(chat, error);
}

/* ---- dispatch ---------------------------------------------------------------------------- */

struct handler {
    const char *name;
    void (*handle)(const struct request *r);
    const char *members[REQUEST_MEMBERS];
};

/* The first one is also for a connection that is not registered. */
static const struct handler handlers[] = {
    {"registerMessages", on_register, {"token", "since"}},
    {"snippets", on_snippets, {NULL}},
    {"conversation", on_conversation, {"id", "before", "limit"}},
    {"message", on_message, {"to", "content", "key"}},
    {"startWriting", on_start_writing, {"id"}},
    {"stopWriting", on_stop_writing, {"id", "token"}},
    {"presence", on_presence, {"ids"}},
    {"read", on_read, {"id", "upTo"}},
};

static const struct handler *find_handler(struct json_value name)
{
    for (size_t i = 0; i < sizeof handlers / sizeof *handlers; i++)
        if (json_string_eq(name, slice_str(handlers[i].name)))
            return &handlers[i];
    return NULL;
}

/* What cannot be called by a name of ours is answered with the name the client gave, or null. */
static void refuse_frame(struct session *s, const struct envelope *e, const char *code,
                         const char *text)
{
    struct slice name = SLICE("null");
    if (e->event.type == JSON_STRING && !e->event.escaped && e->event.raw.n <= 64)
        name = slice_of(e->event.raw.p - 1, e->event.raw.n + 2);
    session_chat(s)->stats.refused++;
    session_info(s, code, slice_str(text), name, e->ref);
}

/* The data has been found to be good JSON already. */
static void begin_request(struct request *r, struct session *s, const struct handler *handler,
                          struct json_value data, struct slice ref)
{
    struct json_reader reader;
    struct json_value unknown;
    *r = (struct request){.chat = session_chat(s), .session = s, .name = handler->name, .ref = ref};
    request_read(r, handler->members, data.type == JSON_OBJECT ? data.raw : SLICE("{}"), &reader,
                 &unknown);
}

void api_receive(struct session *s, struct slice frame)
{
    struct envelope e;
    struct quoted q;
    const char *why;
    char text[256];
    session_chat(s)->stats.requests++;
    bool affordable = session_charge(s);
    const char *code = wire_read(s->framing, frame, &e, &why);
    const struct handler *handler = code ? NULL : find_handler(e.event);
    if (s->leaving) {
        refuse_frame(s, &e, "going_away", "the server is shutting down; this was not carried out");
    } else if (!affordable) {
        snprintf(text, sizeof text,
                 "slow down: more than %u events a second; this one was not carried out",
                 session_chat(s)->options.rate);
        refuse_frame(s, &e, "rate_limited", text);
    } else if (code && s->framing == FRAMING_SOCKETIO) {
        session_close(s, CLOSE_PROTOCOL, why);
    } else if (code) {
        snprintf(text, sizeof text, "the frame %s: %s",
                 strcmp(code, "bad_json") == 0 ? "is not one JSON object" : "is not a request",
                 why);
        refuse_frame(s, &e, code, text);
    } else if (!handler) {
        snprintf(text, sizeof text, "there is no event %s", request_quote(&q, e.event));
        refuse_frame(s, &e, "unknown_event", text);
    } else {
        struct request r;
        begin_request(&r, s, handler, e.data, e.ref);
        if (!s->registered && handler != handlers)
            request_refuse(&r, "unregistered",
                           "register first: send registerMessages with a token");
        else if (e.data.type != JSON_NULL && e.data.type != JSON_OBJECT)
            request_refuse(&r, "bad_request", "\"data\" is %s; expected an object",
                           request_quote(&q, e.data));
        else
            handler->handle(&r);
    }
}

void api_connect(struct session *s, struct json_value auth)
{
    struct request r;
    begin_request(&r, s, handlers, auth, SLICE(""));
    session_chat(s)->stats.requests++;
    if (!session_charge(s))
        request_refuse(&r, "rate_limited", "slow down: too many events");
    else if (s->leaving)
        request_refuse(&r, "going_away", "the server is shutting down");
    else if (request_member(&r, "token").type == JSON_NULL)
        socketio_connected(s);
    else
        on_register(&r);
}

/* ---- the application --------------------------------------------------------------------- */

static void backend_message(const struct request *r)
{
    struct userid from;
    if (request_user(r, "from", &from))
        send_as(r, userid_slice(&from));
}

static void on_disconnect(const struct request *r)
{
    struct userid user;
    struct json_value v = request_member(r, "reason");
    struct quoted q;
    uint8_t reason[6 * API_REASON];
    ptrdiff_t n = 0;
    if (!request_user(r, "user", &user))
        return;
    if (v.type != JSON_NULL)
        n = v.type == JSON_STRING && v.raw.n <= sizeof reason ? json_string_decode(v, reason) : -1;
    if (n < 0 || n > API_REASON || (n && memchr(reason, 0, (size_t)n)))
        request_refuse(r, "bad_request",
                       "\"reason\" is %s; expected a string of at most %d bytes of UTF-8",
                       request_quote(&q, v), API_REASON);
    else
        backend_disconnect(r->call, userid_slice(&user), slice_of(reason, (size_t)n));
}

/* Without a time, the tokens of this second are too old as well: "iat" does not say whether they are. */
static void on_revoke(const struct request *r)
{
    struct userid user;
    uint64_t before, now = (uint64_t)clock_wall_ms(r->chat->options.clock) / 1000;
    if (request_user(r, "user", &user) &&
        request_number(r, "before", 0, UINT32_MAX, now + 1, &before))
        backend_revoke(r->call, userid_slice(&user), before);
}

static const struct handler calls[] = {
    {"message", backend_message, {"from", "to", "content", "key"}},
    {"disconnect", on_disconnect, {"user", "reason"}},
    {"revoke", on_revoke, {"user", "before"}},
};

static void refuse_unknown(const struct request *r, struct json_value name)
{
    char known[64];
    struct quoted q;
    for (size_t i = 0, n = 0; i < REQUEST_MEMBERS && r->names[i]; i++)
        n += (size_t)snprintf(known + n, sizeof known - n, "%s%s", i ? ", " : "", r->names[i]);
    request_refuse(r, "bad_request", "%s is not known; expected %s", request_quote(&q, name),
                   known);
}

void api_backend(struct backend_call *call, const char *name, struct slice body)
{
    struct request r = {.chat = call->chat, .call = call, .name = name};
    struct json_reader reader;
    struct json_value unknown = {.type = JSON_NULL};
    const struct handler *c = calls;
    while (strcmp(c->name, name) != 0)
        c++;
    if (!request_read(&r, c->members, body, &reader, &unknown))
        request_refuse(&r, "bad_json", "the body is not one JSON object: %s, at byte %zu",
                       reader.error, json_error_offset(&reader));
    else if (unknown.type == JSON_STRING)
        refuse_unknown(&r, unknown);
    else
        c->handle(&r);
}
