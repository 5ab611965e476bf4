/*
 * session: one connection of a client: its deadlines, its limits, what is sent to it.
 *
 * Whatever goes to a client passes session_send or session_send_live. While a long answer is under way
 * the session holds: everything else waits behind it, and no request is read. Whoever is told to go does
 * not get to its end: session_close drops it and what waits behind it, and from then on the session is
 * nobody's: not online, not counted, told of nothing. Only the leave of a server that goes away waits.
 */
#ifndef CHAT_SESSION_H
#define CHAT_SESSION_H

#include "chat/chat.h"
#include "chat/wire.h"

struct answer;
struct jwt;

/* What few sessions have. */
struct session_more {
    struct websocket_more ws;
    struct answer *answer;   /* answer.h's, while it holds; NULL: it is through */
    struct buf held;         /* likewise the frames that wait behind it */
    struct watcher *watcher; /* presence.h's: whom it watches; NULL: nobody */
    struct poll *poll;       /* polling.h's, of all that have to do with it; NULL: nothing */
    struct typing *typing;   /* typing.h's: whom it writes to, the latest first */
};

struct session {
    struct websocket ws;
    struct session *next; /* in its user's list, or in chat->ended or chat->unregistered */
    union {
        struct online *user; /* registered */
        struct session **at; /* not registered: what points to it in chat->unregistered */
    };
    struct bucket bucket; /* events that it may send now */
    uint32_t beat;        /* of Socket.IO: loop->now, truncated: the last heartbeat */
    uint32_t expires;     /* seconds since 1970: the token's end; UINT32_MAX: in 2106, or never */
    union {
        uint32_t issued; /* registered: seconds since 1970: the token; 0: it does not say */
        uint32_t opened; /* not registered: loop->now, truncated: upgraded, before that accepted */
    };
    uint32_t pending : 10;   /* sends of its that wait for their commit, SESSION_PENDING at most */
    uint32_t refusals : 9;   /* events over the rate, since it last kept well below it */
    uint32_t handshakes : 3; /* polling.h's: sessions that this connection opened */
    uint32_t framing : 1;    /* enum framing */
    uint32_t stage : 2;      /* of Socket.IO: enum socketio_stage */
    bool registered : 1;     /* has a user */
    bool ended : 1;          /* stands in chat->ended */
    bool pinged : 1;         /* since something last came in */
    bool resting : 1;        /* not listened to for a moment, since it floods */
    bool holding : 1;        /* a long answer is under way */
    bool leaving : 1;        /* the server goes away: told so, or as soon as nothing is under way */
    bool gone : 1;           /* closed; freed with the last pending send */
};

/* Events over the rate, since a second's worth of it was last left over, that are a flood. */
#define SESSION_FLOOD 500
/* Sends that wait for their commit before no more is read from a connection. */
#define SESSION_PENDING 1000

/* Walks a list of sessions; the current one may leave it on the way, others may not. */
#define SESSION_EACH(s, first)                                           \
    for (struct session *s = (first), *s##_next = s ? s->next : NULL; s; \
         s = s##_next, s##_next = s ? s->next : NULL)

struct session *session_new(void);

/* To be called once for each connection that was accepted. */
void session_start(struct session *s);
void session_opened(struct session *s);
void session_timer(struct session *s);

/* How often a quiet client is asked whether it is there, one of Socket.IO every client. */
int64_t session_ping_ms(const struct chat *chat);

/* Takes one event off the rate, its own and its user's: whether there was one. Floods are closed with 1008. */
bool session_charge(struct session *s);

/* It showed a bad token: the more of them come from an address, the longer it has to wait. */
void session_count_bad_token(const struct session *s);

/* Makes the session one of the token's user; a session too many is closed. -ENOMEM. */
__attribute__((warn_unused_result)) int session_register(struct session *s,
                                                         const struct jwt *token);

/* Begins to hold: 0 or -ENOMEM. Ends it: what was held is sent, and the connection is read on, or takes
   its leave. */
__attribute__((warn_unused_result)) int session_hold(struct session *s);
void session_release(struct session *s);

/* Queues an event, or holds it; or queues it in any case. One that memory ran out for closes the
   connection. */
void session_send(struct session *s, const struct event *e);
void session_send_now(struct session *s, const struct event *e);

/* Sends an info; event is JSON: the name of what it answers, or null. */
void session_info(struct session *s, const char *code, struct slice text, struct slice event,
                  struct slice ref);

/* Whoever waits for an acknowledgement of Socket.IO, which no answer of its own will call, has this one. */
void session_acknowledge(struct session *s, struct slice data, struct slice ref);

/* Queues a live event; a reader that is too slow for it is closed with 4008. */
void session_send_live(struct session *s, const struct event *e);

/* Queues the live event for every connection of these two users, who may be one, but for this connection. */
void session_deliver(struct chat *chat, const struct session *but, const struct event *e,
                     struct slice user, struct slice other);

/* Tells it to go: at once, whatever it was being sent. A client of Socket.IO that is put out is told so, or it would
   come back at once. */
void session_close(struct session *s, uint16_t code, const char *reason);

/* Once a turn: those that were told to go leave the hub. */
void session_forget_ended(struct chat *chat);

/* The server goes away: says so and closes, once nothing of this session is under way. */
void session_leave(struct session *s);

/* Ends and forgets it: called once by the websocket. */
void session_closed(struct session *s);

/* One send more, one send less waits for its commit; the last one frees a session that is gone. */
void session_await(struct session *s);
void session_settled(struct session *s);

/* Reads on, unless there is a reason left not to. */
void session_resume(struct session *s);

static inline struct session *session_of(struct websocket *ws)
{
    return container_of(ws, struct session, ws);
}

/* NULL: it has none of it. */
static inline struct session_more *session_more(const struct session *s)
{
    return (struct session_more *)(void *)s->ws.stream.more;
}

static inline struct poll *session_poll(const struct session *s)
{
    return s->ws.stream.more ? session_more(s)->poll : NULL;
}

static inline struct chat *session_chat(const struct session *s)
{
    return s->ws.stream.kind->ctx;
}

#endif
