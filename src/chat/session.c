#include "chat/session.h"

#include "chat/answer.h"
#include "chat/polling.h"
#include "chat/presence.h"
#include "chat/socketio.h"
#include "chat/typing.h"
#include "chat/wire.h"

#include "codec/jwt.h"

#include <errno.h>
#include <stdlib.h>

/* Every session is looked at this often at least, so that a reader that gets stuck is noticed
   before its 20 s are over. */
#define SESSION_TICK_MS 10000
/* After so many of them it is not listened to for a moment: what a flood can cost has a limit, and the
   kernel holds it up meanwhile. */
#define SESSION_REST 16
#define SESSION_REST_MS 100
/* Of those whose rest is over so many are listened to again at a time: what all of them have waiting
   would hold up the others. */
#define SESSION_RESUMES 8

/* How many connections at their full rate one user may have: a device that floods does not silence
   his others, and many connections do not get him many times the rate. */
#define SESSION_USER_SHARE 4

/* There may be very many who say nothing: a connection takes its session, its share of a block of users and
   of their table, and nothing else. malloc gives 120 bytes where 128 are taken, and for one more 16. */
_Static_assert(sizeof(void *) != 8 || sizeof(struct stream) <= 56, "a stream is small");
_Static_assert(sizeof(void *) != 8 || sizeof(struct session) <= 120, "a session is small");
_Static_assert(sizeof(void *) != 8 || sizeof(struct online) <= 40, "a user's entry is small");

static uint32_t session_now(const struct session *s)
{
    return (uint32_t)s->ws.stream.kind->set->loop->now;
}

static int64_t min64(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

int64_t session_ping_ms(const struct chat *chat)
{
    return (int64_t)chat->options.idle_ms * 5 / 9;
}

/* When to look at it next at the latest: in time for the first ping, too. All are looked at together, with
   a whole second, so that those who say nothing wake nobody more often. */
static int64_t tick(const struct session *s)
{
    return min64(SESSION_TICK_MS - session_now(s) % 1000, session_ping_ms(session_chat(s)));
}

struct session *session_new(void)
{
    return calloc(1, sizeof(struct session));
}

/* ---- lists ------------------------------------------------------------------------------- */

/* A user has few sessions, those without a user may be many. */
static void session_unlist(struct session *s)
{
    struct session **at = s->registered ? &s->user->sessions : s->at;
    while (*at != s)
        at = &(*at)->next;
    *at = s->next;
    if (!s->registered && s->next)
        s->next->at = at;
}

static void session_list_unregistered(struct session *s)
{
    struct session **at = &session_chat(s)->unregistered;
    s->registered = false;
    s->at = at;
    s->next = *at;
    if (s->next)
        s->next->at = &s->next;
    *at = s;
}

static void session_list_registered(struct session *s, struct online *user)
{
    struct session **at = &user->sessions;
    while (*at)
        at = &(*at)->next;
    s->registered = true;
    s->user = user;
    s->next = NULL;
    *at = s;
}

static void session_list_ended(struct session *s)
{
    struct chat *chat = session_chat(s);
    s->ended = true;
    s->next = NULL;
    *chat->ended_last = s;
    chat->ended_last = &s->next;
}

/* ---- beginning and end ------------------------------------------------------------------- */

void session_start(struct session *s)
{
    struct chat *chat = session_chat(s);
    chat->stats.connections++;
    chat->kind.stream.set->memory += sizeof *s;
    chat->stats.accepted++;
    session_list_unregistered(s);
    s->opened = session_now(s);
    s->expires = UINT32_MAX;
}

void session_opened(struct session *s)
{
    s->opened = s->beat = session_now(s);
    bucket_init(&s->bucket, s->opened, session_chat(s)->options.rate);
    stream_set_timer(&s->ws.stream, tick(s));
}

static void held_free(struct session *s)
{
    if (!s->holding)
        return;
    struct buf *held = &session_more(s)->held;
    s->ws.stream.kind->set->memory -= held->cap;
    buf_free(held);
    s->holding = false;
    stream_less(&s->ws.stream);
}

static void session_free(struct session *s)
{
    if (s->gone && s->pending == 0)
        free(s);
}

/* It is nobody's any more. */
static void session_forget(struct session *s)
{
    struct chat *chat = session_chat(s);
    typing_end_all(s);
    presence_end(s);
    if (!s->ended)
        session_unlist(s);
    s->ended = false;
    struct online *user = s->registered ? s->user : NULL;
    session_list_unregistered(s);
    chat->strangers += user && session_poll(s);
    if (!user)
        return;
    user->count--;
    if (user->count)
        return;
    presence_changed(chat, user);
    hub_leave(&chat->hub, user);
}

void session_forget_ended(struct chat *chat)
{
    while (chat->ended) {
        struct session *s = chat->ended;
        chat->ended = s->next;
        if (!chat->ended)
            chat->ended_last = &chat->ended;
        session_forget(s);
    }
}

void session_closed(struct session *s)
{
    if (s->ended)
        session_forget_ended(session_chat(s));
    session_chat(s)->stats.connections--;
    s->ws.stream.kind->set->memory -= sizeof *s;
    answer_free(s);
    held_free(s);
    session_forget(s);
    session_unlist(s);
    s->gone = true;
    session_free(s);
}

/* Under pressure each has one send under way: nobody fills the batch that all wait for. */
static bool may_send(const struct session *s)
{
    return s->pending < (store_is_pressed(session_chat(s)->store) ? 1 : SESSION_PENDING);
}

void session_await(struct session *s)
{
    s->pending++;
    if (!may_send(s))
        stream_pause(&s->ws.stream);
}

void session_settled(struct session *s)
{
    s->pending--;
    if (s->gone)
        session_free(s);
    else if (s->leaving)
        session_leave(s);
    else
        session_resume(s);
}

void session_resume(struct session *s)
{
    if (s->ws.stream.flags & STREAM_PAUSED && !s->holding && !s->resting && may_send(s))
        stream_resume(&s->ws.stream);
}

/* Nobody shall wonder what became of what he sent: that is answered first. */
void session_leave(struct session *s)
{
    s->leaving = true;
    /* Who waits for the answer of another session gets it first; who is about to take its place brings the word of
       it. */
    if (s->pending || s->holding || s->ws.state == WEBSOCKET_ENDED ||
        s->ws.state == WEBSOCKET_ASKED || polling_is_probe(s))
        return;
    if (s->ws.state == WEBSOCKET_KEPT && session_chat(s)->polls_n) {
        stream_set_timer(&s->ws.stream, WEBSOCKET_CLOSE_MS); /* or is about to ask */
        return;
    }
    if (s->ws.state == WEBSOCKET_OPEN)
        session_info(s, "going_away",
                     SLICE("the server is shutting down; connect again in a moment"), SLICE("null"),
                     SLICE(""));
    session_close(s, CLOSE_GOING_AWAY, "the server is shutting down");
}

/* ---- frames ------------------------------------------------------------------------------ */

/* The event in the session's framing. */
static struct slice encode(const struct session *s, const struct event *e)
{
    struct buf *frame = &session_chat(s)->frames[s->framing];
    buf_clear(frame);
    wire_write(frame, s->framing, e);
    return wire_json(frame);
}

/* An empty text is one that memory ran out for. */
static void send_now(struct session *s, struct slice text)
{
    if (text.n == 0)
        stream_close(&s->ws.stream);
    else
        websocket_send(&s->ws, FRAME_TEXT, text);
}

static void send_in_turn(struct session *s, struct slice text)
{
    uint8_t head[FRAME_MAX_HEAD];
    if (!s->holding || text.n == 0) {
        send_now(s, text);
        return;
    }
    struct buf *frames = &session_more(s)->held;
    s->ws.stream.kind->set->memory -= frames->cap;
    buf_append(frames, head, frame_write_head(head, FRAME_TEXT, text.n));
    buf_append_slice(frames, text);
    s->ws.stream.kind->set->memory += frames->cap;
    if (frames->failed)
        stream_close(&s->ws.stream);
}

/* ---- deadlines --------------------------------------------------------------------------- */

/* Silence: asks whether anybody is there, later gives up. Returns ms until it has to look again,
   0: it gave up. While nothing is read, the queue's progress counts. */
static int64_t session_check_silence(struct session *s)
{
    int64_t idle = session_chat(s)->options.idle_ms, ping = session_ping_ms(session_chat(s));
    int64_t silent = stream_silent_ms(&s->ws.stream), next = SESSION_TICK_MS;
    if (s->framing == FRAMING_SOCKETIO) {
        if ((uint32_t)(session_now(s) - s->beat) >= ping) {
            (answer_is_in_frame(s) ? send_in_turn : send_now)(s, SLICE("2"));
            s->beat = session_now(s);
        }
        next = ping - (uint32_t)(session_now(s) - s->beat);
    }
    if (!stream_readable(&s->ws.stream))
        return next;
    if (silent >= idle) {
        stream_close(&s->ws.stream);
        return 0;
    }
    if (s->framing == FRAMING_SOCKETIO)
        return min64(idle - silent, next);
    if (silent < ping) {
        s->pinged = false;
        return ping - silent;
    }
    if (!s->pinged)
        websocket_send(&s->ws, FRAME_PING, SLICE(""));
    s->pinged = true;
    return idle - silent;
}

/* ms until the token expires, at most an hour. */
static int64_t until_expiry(const struct session *s)
{
    int64_t left = (int64_t)s->expires * 1000 - clock_wall_ms(session_chat(s)->options.clock);
    return s->expires == UINT32_MAX ? 3600000 : min64(left, 3600000);
}

/* Whether its turn has come among those whose rest is over. */
static bool session_may_resume(const struct session *s)
{
    struct chat *chat = session_chat(s);
    if (chat->resumed_at != session_now(s))
        chat->resumed = 0;
    chat->resumed_at = session_now(s);
    return chat->resumed++ < SESSION_RESUMES;
}

/* The answer that is under way and what waits behind it. In the middle of a frame nothing else can be said: the
   connection is cut. */
static void session_drop_answer(struct session *s)
{
    if (answer_is_in_frame(s))
        stream_close(&s->ws.stream);
    answer_free(s);
    held_free(s);
}

void session_timer(struct session *s)
{
    struct stream *stream = &s->ws.stream;
    int64_t next = tick(s);
    if (polling_is_probe(s)) {
        polling_timer(s);
        return;
    }
    if (s->resting && !session_may_resume(s)) {
        stream_set_timer(stream, 1);
        return;
    }
    if (s->resting) {
        s->resting = false;
        session_resume(s);
    }
    if (!s->registered) {
        int64_t left = CHAT_REGISTER_MS - (int64_t)(session_now(s) - s->opened);
        if (left <= 0) {
            session_close(s, CLOSE_UNREGISTERED, "not registered within 30 s");
            return;
        }
        next = min64(next, left);
    }
    if (until_expiry(s) <= 0) {
        session_drop_answer(s);
        session_info(s, "token_expired",
                     SLICE("the token has expired; register again with a fresh one"), SLICE("null"),
                     SLICE(""));
        session_close(s, CLOSE_TOKEN_EXPIRED, "token expired");
        return;
    }
    if (stream_stuck_ms(stream) >= CHAT_STUCK_MS) {
        session_chat(s)->stats.too_slow++;
        session_close(s, CLOSE_TOO_SLOW, "nothing was taken for 20 s");
        return;
    }
    next = min64(next, session_check_silence(s));
    next = min64(next, until_expiry(s));
    if (stream_queued(stream))
        next = min64(next, CHAT_STUCK_MS - (int64_t)stream_stuck_ms(stream));
    stream_set_timer(stream, next);
}

/* ---- limits ------------------------------------------------------------------------------ */

static uint32_t user_rate(const struct session *s)
{
    uint64_t rate = SESSION_USER_SHARE * (uint64_t)session_chat(s)->options.rate;
    return rate < 1000000 ? (uint32_t)rate : 1000000;
}

bool session_charge(struct session *s)
{
    uint32_t rate = session_chat(s)->options.rate;
    if (!rate)
        return true;
    if (bucket_take(&s->bucket, session_now(s), rate) &&
        (!s->registered || bucket_take(&s->user->bucket, session_now(s), user_rate(s)))) {
        if (s->bucket.credit >= 1000 * rate)
            s->refusals = 0;
        return true;
    }
    s->refusals++;
    if (s->refusals == SESSION_FLOOD) {
        session_close(s, CLOSE_POLICY, "far more events than the rate allows");
    } else if (s->refusals % SESSION_REST == 0 && s->ws.state == WEBSOCKET_OPEN) {
        s->resting = true;
        stream_pause(&s->ws.stream);
        stream_set_timer(&s->ws.stream, SESSION_REST_MS);
    }
    return false;
}

/* An address that stands for many: a proxy that does not say for whom it speaks. */
static bool is_shared(const struct chat *chat, const struct ip *ip)
{
    static const struct ip_range unix_peer = {.bits = 128};
    return ip_is_in(ip, &chat->options.trusted) || ip_is_in(ip, &(struct ip_ranges){&unix_peer, 1});
}

void session_count_bad_token(const struct session *s)
{
    struct chat *chat = session_chat(s);
    char peer[IP_TEXT];
    if (is_shared(chat, &s->ws.peer))
        return;
    int64_t wait = backoff_count(&chat->backoff, &s->ws.peer, s->ws.stream.kind->set->loop->now);
    if (wait == 0)
        return;
    ip_format(peer, &s->ws.peer);
    log_write(chat->options.log, LOG_WARN, "%s: many bad tokens; it has to wait for %d s", peer,
              (int)(wait / 1000));
}

/* Where there is one too many, closes the session of that user that was silent longest, other than s. */
static void session_evict(struct session *s)
{
    struct session *oldest = NULL;
    uint32_t staying = 0;
    SESSION_EACH(other, s->user->sessions)
    {
        if (other->ws.state != WEBSOCKET_OPEN) /* its client has said goodbye */
            continue;
        staying++;
        if (other == s)
            continue;
        if (!oldest || stream_silent_ms(&other->ws.stream) > stream_silent_ms(&oldest->ws.stream))
            oldest = other;
    }
    if (!oldest || staying <= session_chat(s)->options.max_user_connections)
        return;
    session_close(oldest, CLOSE_TOO_MANY, "too many connections of this user");
}

/* In whole seconds, the last one begun counts. */
static uint32_t expiry(const struct jwt *token)
{
    int64_t s = token->expires_ms / 1000 + (token->expires_ms % 1000 > 0);
    return s < UINT32_MAX ? (uint32_t)s : UINT32_MAX;
}

int session_register(struct session *s, const struct jwt *token)
{
    struct chat *chat = session_chat(s);
    s->expires = expiry(token);
    stream_set_timer(&s->ws.stream, min64(tick(s), until_expiry(s)));
    if (s->registered) {
        s->issued = jwt_issued(token);
        return 0;
    }
    struct online *online = hub_enter(&chat->hub, slice_of(token->user, token->user_n));
    if (!online)
        return -ENOMEM;
    session_unlist(s);
    session_list_registered(s, online);
    s->issued = jwt_issued(token);
    chat->strangers -= session_poll(s) != NULL;
    if (online->count++ == 0) {
        bucket_init(&online->bucket, session_now(s), user_rate(s));
        presence_changed(chat, online);
    }
    session_evict(s);
    return 0;
}

/* ---- sending ----------------------------------------------------------------------------- */

void session_send_now(struct session *s, const struct event *e)
{
    send_now(s, encode(s, e));
}

void session_send(struct session *s, const struct event *e)
{
    send_in_turn(s, encode(s, e));
}

int session_hold(struct session *s)
{
    s->holding = stream_more(&s->ws.stream);
    return s->holding ? 0 : -ENOMEM;
}

void session_release(struct session *s)
{
    stream_write(&s->ws.stream, buf_slice(&session_more(s)->held));
    held_free(s);
    if (s->leaving)
        session_leave(s);
    else
        session_resume(s);
}

void session_acknowledge(struct session *s, struct slice data, struct slice ref)
{
    if (s->framing == FRAMING_SOCKETIO && ref.n)
        session_send(s, &(struct event){.data = data, .ref = ref});
}

void session_info(struct session *s, const char *code, struct slice text, struct slice event,
                  struct slice ref)
{
    struct chat *chat = session_chat(s);
    if (s->framing == FRAMING_SOCKETIO && s->stage != SOCKETIO_CONNECTED) {
        socketio_refuse(s, code, text);
        return;
    }
    buf_clear(&chat->text);
    wire_write_string(&chat->text, text);
    buf_clear(&chat->meta);
    buf_printf(&chat->meta, "{\"code\":\"%s\",\"event\":", code);
    buf_append_slice(&chat->meta, event);
    buf_append_lit(&chat->meta, "}");
    struct event e = {SLICE("info"), chat->meta.failed ? SLICE("") : wire_json(&chat->text), ref,
                      wire_json(&chat->meta),
                      s->framing == FRAMING_SOCKETIO ? EVENT_PART : EVENT_WHOLE};
    session_send(s, &e);
    if (s->framing != FRAMING_SOCKETIO || !ref.n || chat->meta.failed)
        return;
    chat->meta.n--;
    buf_append_lit(&chat->meta, ",\"message\":");
    buf_append_slice(&chat->meta, buf_slice(&chat->text));
    buf_append_lit(&chat->meta, "}");
    session_send(s, &(struct event){.data = chat->meta.failed ? SLICE("") : SLICE("null"),
                                    .ref = ref,
                                    .meta = wire_json(&chat->meta)});
}

static void send_live(struct session *s, struct slice text)
{
    if (s->ws.state != WEBSOCKET_OPEN)
        return;
    /* In front of what is live there may be the end of an answer, which does not count. */
    size_t answers = s->holding ? 0 : 2 * STREAM_HIGH;
    size_t waiting = s->holding ? session_more(s)->held.n : stream_queued(&s->ws.stream);
    if (waiting + text.n > session_chat(s)->options.max_queue + answers) {
        session_chat(s)->stats.too_slow++;
        session_close(s, CLOSE_TOO_SLOW, "more events wait than --max-queue allows");
        return;
    }
    session_chat(s)->stats.delivered++;
    send_in_turn(s, text);
}

void session_send_live(struct session *s, const struct event *e)
{
    send_live(s, encode(s, e));
}

void session_deliver(struct chat *chat, const struct session *but, const struct event *e,
                     struct slice user, struct slice other)
{
    struct slice texts[FRAMINGS] = {{0}};
    bool encoded[FRAMINGS] = {false};
    for (int i = 0; i < (slice_eq(user, other) ? 1 : 2); i++) {
        struct online *online = hub_find(&chat->hub, i ? other : user);
        if (!online)
            continue;
        SESSION_EACH(s, online->sessions)
        {
            if (s == but)
                continue;
            if (!encoded[s->framing])
                texts[s->framing] = encode(s, e);
            encoded[s->framing] = true;
            send_live(s, texts[s->framing]);
        }
    }
}

void session_close(struct session *s, uint16_t code, const char *reason)
{
    session_drop_answer(s);
    bool out = code == CLOSE_TOO_MANY || code == CLOSE_DISCONNECTED || code == CLOSE_POLICY;
    if (out && s->stage == SOCKETIO_CONNECTED)
        websocket_send(&s->ws, FRAME_TEXT, SLICE("41"));
    websocket_close(&s->ws, code, reason);
    /* The hub is walked, and chat->text in use, where somebody is found to be too slow. */
    if (!s->ended) {
        session_unlist(s);
        session_list_ended(s);
    }
}
