#include "chat/polling.h"

#include "base/endian.h"
#include "chat/socketio.h"
#include "codec/utf8.h"

#include <stdio.h>
#include <stdlib.h>

/* How long a WebSocket may take to become the transport, and how often the GET that is in its way is ended
   meanwhile: as the reference has it. */
#define POLLING_UPGRADE_MS 10000
#define POLLING_NOOP_MS 100
/* Bytes that one answer has at most, unless a single packet is longer. */
#define POLLING_BATCH (64 << 10)
#define POLLING_SEPARATOR "\x1e"
/* Sessions that one connection opens, at most: a client needs one, those that it leaves are held for 30 s. */
#define POLLING_HANDSHAKES 4

struct poll {
    char sid[SOCKETIO_SID];
    uint32_t number;         /* its place in chat->polls */
    struct session *session; /* the one that polls */
    struct session *get;     /* waits for packets, or takes a long one; NULL: nobody does */
    struct session *post;    /* brought packets that are not all read */
    struct session *probe;   /* a WebSocket that may take their place */
    bool probed;             /* it has been heard */
    uint64_t left;           /* bytes of the answer to `get` that are still to come */
    size_t origin_n;         /* of the handshake; 0: not a page, or its own server's */
    char origin[];
};

/* It has to do with that one now. Out of memory: it is closed. */
static bool join(struct session *s, struct poll *p)
{
    struct session_more *more = stream_more(&s->ws.stream);
    if (more)
        more->poll = p;
    else
        stream_close(&s->ws.stream);
    return more;
}

static void leave(struct session *s)
{
    if (session_more(s))
        session_more(s)->poll = NULL;
    stream_less(&s->ws.stream);
}

/* ---- answers ----------------------------------------------------------------------------- */

/* The header lines of an answer to a page of that origin. */
static const char *fields(struct chat *chat, struct slice origin, const char *more)
{
    struct buf *out = &chat->content;
    buf_clear(out);
    if (origin.n) {
        buf_append_lit(out, "Access-Control-Allow-Origin: ");
        buf_append_slice(out, origin);
        buf_append_lit(out, "\r\nVary: Origin\r\n");
    }
    buf_append(out, more, strlen(more));
    buf_append_lit(out, "Cache-Control: no-store\r\n");
    buf_append(out, "", 1);
    return out->failed ? "" : (const char *)out->p;
}

/* A connection that waits for the answer of this session's gets it. One that was told to go is kept for a moment
   where there is more to come for. */
static void answer(struct poll *p, struct session **waits, const char *type, struct slice body)
{
    struct session *c = *waits;
    *waits = NULL;
    leave(c);
    if (c->leaving && !stream_queued(&p->session->ws.stream))
        c->ws.kept = false;
    websocket_respond(&c->ws, 200, type,
                      fields(session_chat(c), slice_of(p->origin, p->origin_n), ""), body, false);
    if (c->leaving)
        session_leave(c);
}

#define TEXT "text/plain; charset=UTF-8"

static void answer_get(struct poll *p, struct slice packets)
{
    answer(p, &p->get, TEXT, packets);
}

static void answer_post(struct poll *p)
{
    answer(p, &p->post, "text/html", SLICE("ok"));
}

/* ---- what is sent ------------------------------------------------------------------------ */

struct frame_head {
    size_t head;
    uint64_t size;
    bool close;
};

/* The head of a frame of our own; false: it is not all there. */
static bool read_head(struct slice in, struct frame_head *out)
{
    if (in.n < 2)
        return false;
    uint8_t n = in.p[1];
    *out = (struct frame_head){n < 126 ? 2 : n == 126 ? 4 : 10, n, (in.p[0] & 15) == FRAME_CLOSE};
    if (in.n < out->head)
        return false;
    if (n == 126)
        out->size = be16_load(in.p + 2);
    else if (n == 127)
        out->size = be64_load(in.p + 2);
    return true;
}

/* The bytes that are there of the long packet that is the answer. */
static void continue_answer(struct poll *p)
{
    struct stream *from = &p->session->ws.stream, *to = &p->get->ws.stream;
    uint8_t piece[4096];
    while (p->left && stream_queued(from) && stream_queued(to) <= STREAM_HIGH &&
           !stream_ending(to)) {
        size_t n =
            stream_peek(from, piece, p->left < sizeof piece ? (size_t)p->left : sizeof piece);
        stream_write(to, slice_of(piece, n));
        stream_take(from, n);
        p->left -= n;
    }
    if (p->left == 0) {
        struct session *c = p->get;
        p->get = NULL;
        leave(c);
        websocket_responded(&c->ws);
        if (c->leaving)
            session_leave(c);
    } else if (stream_queued(to) > STREAM_HIGH) {
        stream_want_drained(to);
    }
}

/* The packets that wait, as far as they are whole, are the answer; or the first, if it is a long one. */
static void begin_answer(struct poll *p)
{
    struct session *s = p->session;
    struct chat *chat = session_chat(s);
    struct buf *in = &chat->text, *body = &chat->meta;
    struct frame_head f;
    size_t done = 0;
    bool closed = false;
    buf_clear(in);
    buf_clear(body);
    if (!buf_reserve(in, POLLING_BATCH)) {
        stream_close(&s->ws.stream);
        return;
    }
    in->n = stream_peek(&s->ws.stream, in->p, POLLING_BATCH);
    /* A close has an answer to itself: clients hear it before what stands in front of it. */
    while (read_head(slice_skip(buf_slice(in), done), &f) && f.head + f.size <= in->n - done &&
           !(f.close && done)) {
        if (body->n)
            buf_append_lit(body, POLLING_SEPARATOR);
        buf_append(body, f.close ? (const void *)"1" : in->p + done + f.head,
                   f.close ? 1 : (size_t)f.size);
        done += f.head + (size_t)f.size;
        closed = f.close;
    }
    if (body->failed) {
        stream_close(&s->ws.stream);
    } else if (done) {
        stream_take(&s->ws.stream, done);
        answer_get(p, buf_slice(body));
        if (closed)
            stream_close(&s->ws.stream);
    } else if (read_head(buf_slice(in), &f)) {
        stream_take(&s->ws.stream, f.head);
        p->left = f.size;
        websocket_respond_head(&p->get->ws, 200, TEXT,
                               fields(chat, slice_of(p->origin, p->origin_n), ""), f.size);
        continue_answer(p);
    }
}

static void on_output(struct stream *stream)
{
    struct poll *p = session_poll(session_of(websocket_of(stream)));
    /* A GET that went away takes the session with it: what is lost must not look as if it had arrived. */
    if (!p->get || stream_ending(&p->get->ws.stream) || stream_closed(stream) ||
        !stream_queued(stream))
        return;
    if (p->left)
        continue_answer(p);
    else
        begin_answer(p);
}

/* ---- what is received -------------------------------------------------------------------- */

/* The packets of a POST, until one of them has to be waited for. */
static size_t on_input(struct stream *stream, uint8_t *bytes, size_t n)
{
    struct session *s = session_of(websocket_of(stream));
    size_t done = 0;
    while (done < n && stream_readable(stream) && s->ws.state == WEBSOCKET_OPEN) {
        struct slice packet = slice_of(bytes + done, n - done);
        const uint8_t *end = memchr(packet.p, POLLING_SEPARATOR[0], packet.n);
        if (end)
            packet.n = (size_t)(end - packet.p);
        done += packet.n + (end != NULL);
        socketio_receive(s, packet);
        if (end && done == n)
            socketio_receive(s, SLICE("")); /* a separator with nothing behind it */
    }
    if (s->ws.state != WEBSOCKET_OPEN || stream_ending(stream))
        done = n;
    struct poll *p = session_poll(s);
    if (done == n && p->post)
        answer_post(p);
    return done;
}

/* ---- sessions ---------------------------------------------------------------------------- */

static struct poll *find(const struct chat *chat, struct slice sid)
{
    uint32_t number = table_find(&chat->sids, sid);
    if (number == TABLE_NONE || stream_ending(&chat->polls[number]->session->ws.stream))
        return NULL;
    return chat->polls[number];
}

static bool poll_match(const void *ctx, uint32_t value, struct slice key)
{
    const struct chat *chat = ctx;
    return slice_eq(slice_of(chat->polls[value]->sid, SOCKETIO_SID), key);
}

int polling_init(struct chat *chat)
{
    chat->polling = chat->kind;
    chat->polling.stream.on_input = on_input;
    chat->polling.stream.on_output = on_output;
    return table_init(&chat->sids, poll_match, chat);
}

static bool reserve_polls(struct chat *chat)
{
    if (chat->polls_n < chat->polls_cap)
        return true;
    uint32_t cap = chat->polls_cap ? 2 * chat->polls_cap : 16;
    struct poll **polls = realloc(chat->polls, cap * sizeof(struct poll *));
    if (!polls)
        return false;
    chat->polls = polls;
    chat->polls_cap = cap;
    return true;
}

static struct poll *poll_new(struct chat *chat, struct slice origin)
{
    struct poll *p = reserve_polls(chat) ? calloc(1, sizeof *p + origin.n) : NULL;
    if (!p)
        return NULL;
    p->number = chat->polls_n;
    chat->polls[p->number] = p;
    if (socketio_make_sid(p->sid) ||
        table_add(&chat->sids, slice_of(p->sid, sizeof p->sid), p->number)) {
        free(p);
        return NULL;
    }
    chat->polls_n++;
    chat->kind.stream.set->memory += sizeof *p + origin.n;
    p->origin_n = origin.n;
    if (origin.n)
        memcpy(p->origin, origin.p, origin.n);
    return p;
}

/* The last one takes its place. */
static void poll_free(struct chat *chat, struct poll *p)
{
    struct poll *last = chat->polls[chat->polls_n - 1];
    table_remove(&chat->sids, slice_of(p->sid, sizeof p->sid));
    if (last != p) {
        table_remove(&chat->sids, slice_of(last->sid, sizeof last->sid));
        last->number = p->number;
        chat->polls[p->number] = last;
        /* Two went, so there is room for one. */
        if (table_add(&chat->sids, slice_of(last->sid, sizeof last->sid), last->number))
            stream_close(&last->session->ws.stream);
    }
    chat->polls_n--;
    chat->strangers -= !p->session->registered;
    chat->kind.stream.set->memory -= sizeof *p + p->origin_n;
    free(p);
}

/* The client broke the rules of the transport: it is at its end, and so is the session. */
static void fail(struct poll *p)
{
    stream_close(&p->session->ws.stream);
}

/* Nobody is left without an answer. */
static void poll_end(struct poll *p)
{
    struct session *s = p->session;
    leave(s);
    if (p->get && p->left) {
        leave(p->get);
        stream_close(&p->get->ws.stream);
    } else if (p->get) {
        answer_get(p, SLICE("1"));
    }
    if (p->post)
        answer_post(p);
    if (p->probe) {
        leave(p->probe);
        websocket_close(&p->probe->ws, CLOSE_NORMAL, "");
    }
    poll_free(session_chat(s), p);
}

void polling_closed(struct session *s)
{
    struct poll *p = session_poll(s);
    if (!p)
        return;
    if (p->session == s) {
        poll_end(p);
    } else if (p->probe == s) {
        p->probe = NULL;
        p->probed = false;
    } else { /* it went away before its answer */
        if (p->get == s)
            p->get = NULL;
        else
            p->post = NULL;
        fail(p);
    }
    leave(s);
}

/* ---- the upgrade ------------------------------------------------------------------------- */

bool polling_is_probe(const struct session *s)
{
    const struct poll *p = session_poll(s);
    return p && p->probe == s;
}

/* The client holds back what it has to say until the GET that it has under way is over. */
static void end_get(struct poll *p)
{
    if (p->get && !p->left && !stream_queued(&p->session->ws.stream))
        answer_get(p, SLICE("6"));
}

void polling_timer(struct session *w)
{
    struct poll *p = session_poll(w);
    int64_t passed = (uint32_t)((uint32_t)w->ws.stream.kind->set->loop->now - w->opened);
    if (passed >= POLLING_UPGRADE_MS) {
        websocket_close(&w->ws, CLOSE_POLICY, "the upgrade took over 10 s");
        return;
    }
    if (p->probed)
        end_get(p);
    stream_set_timer(&w->ws.stream, p->probed ? POLLING_NOOP_MS : POLLING_UPGRADE_MS - passed);
}

/* At the end of a turn, so that nothing of either session is under way. */
static void take_over(struct session *w)
{
    struct poll *p = session_poll(w);
    struct session *s = p->session;
    if (stream_ending(&s->ws.stream))
        return; /* with this turn it ends, and w with it */
    if (p->post || p->left) {
        fail(p); /* it must have waited for these */
        return;
    }
    if (p->get)
        answer_get(p, SLICE("6"));
    leave(w);
    leave(s);
    poll_free(session_chat(s), p);
    websocket_adopt(&s->ws, &w->ws);
}

void polling_probe(struct session *w, struct slice packet)
{
    struct poll *p = session_poll(w);
    if (!session_charge(w)) {
        websocket_close(&w->ws, CLOSE_POLICY, "more packets than the rate allows");
    } else if (slice_eq(packet, SLICE("2probe"))) {
        websocket_send(&w->ws, FRAME_TEXT, SLICE("3probe"));
        p->probed = true;
        polling_timer(w);
    } else if (packet.n && packet.p[0] == '5') {
        stream_pause(&w->ws.stream);
        stream_want_drained(&w->ws.stream);
    } else {
        websocket_close(&w->ws, CLOSE_PROTOCOL, "expected a probe or an upgrade");
    }
}

bool polling_drained(struct session *c)
{
    struct poll *p = session_poll(c);
    if (!p || p->session == c)
        return false;
    if (p->get == c)
        on_output(&p->session->ws.stream);
    else if (p->probe == c)
        take_over(c);
    return true;
}

/* ---- requests ---------------------------------------------------------------------------- */

enum engine_error {
    UNKNOWN_TRANSPORT,
    UNKNOWN_SID,
    BAD_METHOD,
    BAD_REQUEST,
    FORBIDDEN,
    BAD_VERSION,
    NO_ERROR
};

struct call {
    struct session *c;
    const struct http_head *request;
    struct poll *poll; /* the sid's; NULL: there is no sid, or no session of it */
    struct slice origin, transport, eio, sid;
    bool polling, upgrade, jsonp, get, head_only;
};

/* The connection ends with a refusal: nobody is refused again and again for the price of one. */
static void refuse(const struct call *call, unsigned status, const char *type, const char *more,
                   struct slice body)
{
    struct session *c = call->c;
    c->ws.kept = false;
    websocket_respond(&c->ws, status, type,
                      fields(session_chat(c), status == 403 ? SLICE("") : call->origin, more), body,
                      call->head_only);
}

static void refuse_error(const struct call *call, enum engine_error error)
{
    static const char *const messages[] = {
        [UNKNOWN_TRANSPORT] = "Transport unknown",
        [UNKNOWN_SID] = "Session ID unknown",
        [BAD_METHOD] = "Bad handshake method",
        [BAD_REQUEST] = "Bad request",
        [FORBIDDEN] = "Forbidden",
        [BAD_VERSION] = "Unsupported protocol version",
    };
    char body[96];
    unsigned status = error == FORBIDDEN ? 403 : 400;
    if (call->upgrade) {
        refuse(call, status, "text/html", "", slice_str(messages[error]));
        return;
    }
    int n = snprintf(body, sizeof body, "{\"code\":%d,\"message\":\"%s\"}", error, messages[error]);
    refuse(call, status, "application/json", "", slice_of(body, (size_t)n));
}

/* The parameters that count; of one that is there twice, the last. */
static void read_query(struct slice query, struct call *out)
{
    while (query.n) {
        const uint8_t *end = memchr(query.p, '&', query.n);
        struct slice item = slice_of(query.p, end ? (size_t)(end - query.p) : query.n);
        query = slice_skip(query, item.n + (end != NULL));
        const uint8_t *equals = item.n ? memchr(item.p, '=', item.n) : NULL;
        if (!equals)
            continue;
        struct slice name = slice_of(item.p, (size_t)(equals - item.p));
        struct slice value = slice_skip(item, name.n + 1);
        if (slice_eq(name, SLICE("transport")))
            out->transport = value;
        else if (slice_eq(name, SLICE("EIO")))
            out->eio = value;
        else if (slice_eq(name, SLICE("sid")))
            out->sid = value;
        else if (slice_eq(name, SLICE("j")))
            out->jsonp = true;
    }
}

/* A page of another origin asks whether it may send what it is about to send. */
static void answer_preflight(const struct call *call)
{
    struct chat *chat = session_chat(call->c);
    const struct http_field *wanted =
        http_find(call->request, "access-control-request-headers", NULL);
    struct buf *more = &chat->text;
    buf_clear(more);
    buf_append_lit(more, "Access-Control-Allow-Methods: GET, POST\r\n");
    if (wanted) {
        buf_append_lit(more, "Access-Control-Allow-Headers: ");
        buf_append_slice(more, wanted->value);
        buf_append_lit(more, "\r\n");
    }
    buf_append(more, "", 1);
    if (call->c->leaving)
        call->c->ws.kept = false;
    websocket_respond(&call->c->ws, 200, TEXT,
                      fields(chat, call->origin, more->failed ? "" : (const char *)more->p),
                      SLICE(""), false);
}

static void take_get(const struct call *call, struct poll *p)
{
    if (p->get) {
        fail(p);
        refuse(call, 400, TEXT, "", SLICE(""));
        return;
    }
    if (!join(call->c, p))
        return;
    p->get = call->c;
    on_output(&p->session->ws.stream);
}

static void take_post(const struct call *call)
{
    struct poll *p = call->poll;
    const struct http_field *type = http_find(call->request, "content-type", NULL);
    bool binary = type && slice_eq(type->value, SLICE("application/octet-stream"));
    struct slice body = call->request->body;
    if (p->post || binary || !utf8_valid(body)) {
        fail(p);
        refuse(call, 400, TEXT, "", SLICE(""));
        return;
    }
    if (!join(call->c, p))
        return;
    p->post = call->c;
    if (body.n)
        stream_give(&p->session->ws.stream, body);
    else
        fail(p); /* no packet is no packet of a known type */
}

static void open_polling(const struct call *call)
{
    struct session *c = call->c;
    struct chat *chat = session_chat(c);
    const char *full =
        chat->options.full ? chat->options.full(chat->options.ctx, chat->strangers) : NULL;
    struct session *s = full ? NULL : session_new();
    struct poll *p = s ? poll_new(chat, call->origin) : NULL;
    if (!p) {
        free(s);
        refuse(call, 503, TEXT, "", slice_str(full ? full : "Out of memory.\n"));
        return;
    }
    websocket_open_detached(&s->ws, &chat->polling);
    s->ws.peer = c->ws.peer;
    p->session = s;
    chat->strangers++;
    session_start(s);
    session_opened(s);
    if (!join(s, p)) {
        poll_free(chat, p);
        refuse(call, 503, TEXT, "", SLICE("Out of memory.\n"));
        return;
    }
    socketio_open(s, p->sid);
    c->handshakes++;
    if (c->handshakes == POLLING_HANDSHAKES)
        c->ws.kept = false;
    take_get(call, p);
}

static void open_websocket(const struct call *call)
{
    struct session *c = call->c;
    struct poll *p = call->poll;
    if (!websocket_upgrade(&c->ws, call->request))
        return;
    session_opened(c);
    if (!p) {
        socketio_open(c, NULL);
    } else if (p->probe) {
        websocket_close(&c->ws, CLOSE_POLICY, "another upgrade of this session is under way");
    } else if (join(c, p)) {
        c->framing = FRAMING_SOCKETIO;
        p->probe = c;
        polling_timer(c);
    }
}

/* What is wrong with a request, in the reference's order. */
static enum engine_error judge(const struct call *call)
{
    bool version_4 = slice_eq(call->eio, SLICE("4"));
    if (!call->polling && !slice_eq(call->transport, SLICE("websocket")))
        return UNKNOWN_TRANSPORT;
    if (call->sid.n && !call->poll)
        return UNKNOWN_SID;
    if (!call->sid.n && !call->get)
        return BAD_METHOD;
    if (call->polling == call->upgrade || call->jsonp || (call->poll && !version_4))
        return BAD_REQUEST;
    return version_4 ? NO_ERROR : BAD_VERSION;
}

void polling_request(struct session *c, const struct http_head *request, bool allowed)
{
    struct call call = {.c = c, .request = request};
    const struct http_field *origin = http_find(request, "origin", NULL);
    if (origin)
        call.origin = origin->value;
    read_query(request->query, &call);
    call.get = slice_eq(request->method, SLICE("GET"));
    call.head_only = slice_eq(request->method, SLICE("HEAD"));
    call.upgrade = http_has_token(request, "upgrade", "websocket");
    call.polling = slice_eq(call.transport, SLICE("polling"));
    call.poll = call.sid.n ? find(session_chat(c), call.sid) : NULL;
    if (!call.upgrade && (call.poll || !c->leaving))
        websocket_keep(&c->ws, request);
    enum engine_error error = allowed ? judge(&call) : FORBIDDEN;
    if (allowed && origin && slice_eq(request->method, SLICE("OPTIONS")))
        answer_preflight(&call);
    else if (error != NO_ERROR)
        refuse_error(&call, error);
    else if (c->leaving && (call.upgrade || !call.poll))
        refuse(&call, 503, TEXT, "", SLICE("The server is shutting down.\n"));
    else if (!call.polling)
        open_websocket(&call);
    else if (!call.poll)
        open_polling(&call);
    else if (call.get)
        take_get(&call, call.poll);
    else if (slice_eq(request->method, SLICE("POST")))
        take_post(&call);
    else
        refuse(&call, 405, TEXT, "Allow: GET, POST, OPTIONS\r\n",
               SLICE("Only GET and POST are known here.\n"));
}
