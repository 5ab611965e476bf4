/*
 * websocket: messages over a stream, for both roles.
 *
 * A server's connection begins with HTTP requests. Each is handed to on_request, which answers it
 * with websocket_respond, at once or later, or makes the connection a WebSocket with websocket_upgrade.
 * Until it is answered the next one is not looked at, and behind an answer there is a next one
 * only where the owner asked for it by websocket_keep. A client's connection begins by websocket_connect
 * and its upgrade, after which on_open is called. From there on messages come whole; pings are
 * answered, the closing handshake is done and the connection is ended here.
 */
#ifndef NET_WEBSOCKET_H
#define NET_WEBSOCKET_H

#include "base/buf.h"
#include "net/address.h"
#include "net/frame.h"
#include "net/http.h"
#include "net/ip.h"
#include "net/stream.h"

/* How long the peer may take to answer our close. */
#define WEBSOCKET_CLOSE_MS 2000
/* Servers: how long a request may take to come, its head and its body each, from its first byte on (the
   first one from the accept); how long a kept connection waits for the next one to begin. */
#define WEBSOCKET_REQUEST_MS 10000
#define WEBSOCKET_KEPT_MS 60000

struct websocket;

/* What the connections of one sort have in common; it outlives them. */
struct websocket_kind {
    struct stream_kind stream; /* filled in by websocket_kind_init, but for set and ctx */
    bool server;
    bool text_only;       /* a binary message is closed with 1003 */
    uint64_t max_message; /* bytes */
    /* Servers: the proxies that may say for whom they speak, in a PROXY header in front of the request
       or in its X-Forwarded-For. */
    struct ip_ranges trusted;
    /* Servers: how many bytes of body this request may have; NULL: none has one. */
    uint64_t (*body_limit)(struct websocket *ws, const struct http_head *request);
    /* Servers: a request has come whole; it is good until the return. Who answers later may set the timer,
       and hears by on_closed that nobody waits any more. */
    void (*on_request)(struct websocket *ws, const struct http_head *request);
    void (*on_open)(struct websocket *ws); /* the handshake is done; may be NULL for servers */
    void (*on_message)(struct websocket *ws, enum frame_opcode opcode, struct slice message);
    void (*on_drained)(
        struct websocket *ws); /* asked for by stream_want_drained; when as on_timer */
    /* Set by stream_set_timer, while it is open or a request waits for its answer; may be NULL. */
    void (*on_timer)(struct websocket *ws);
    void (*on_closed)(struct websocket *ws); /* may free it */
};

enum websocket_state {
    WEBSOCKET_HANDSHAKE, /* the request (server) or the response (client) is awaited */
    WEBSOCKET_KEPT,      /* answered; nothing of the next request has come */
    WEBSOCKET_ASKED,     /* a request was handed up and is not answered */
    WEBSOCKET_OPEN,
    WEBSOCKET_CLOSING, /* our close is sent, the peer's is awaited */
    WEBSOCKET_ENDED,
};

/* While a message or a request comes in pieces. */
struct websocket_more {
    struct stream_more stream;
    struct frame_reader reader; /* of a request's body: only `left` */
    struct buf message;         /* what has come of it */
};

struct websocket {
    struct stream stream;
    struct ip peer; /* whom it is known by: set by the owner, behind a trusted proxy its client */
    uint16_t code;  /* what the connection was closed with: a close_code */
    uint8_t state : 6;   /* enum websocket_state */
    bool introduced : 1; /* nothing but requests are awaited: no PROXY header any more */
    bool kept : 1;       /* the request under way is not the last */
};

/* Fills in what lies between the two layers. Behind a struct websocket_more its owner may have more. */
void websocket_kind_init(struct websocket_kind *kind, struct stream_set *set, void *ctx);

/* Takes over an accepted socket; -errno: it is closed, and on_closed is not called. */
__attribute__((warn_unused_result)) int websocket_accept(struct websocket *ws,
                                                         const struct websocket_kind *kind, int fd);

/* One that is open without a socket, on a kind whose stream has an on_output: whole frames gather in its
   queue. It may take over the socket of another one that is open and paused, within that one's
   on_drained; the other one is closed. */
void websocket_open_detached(struct websocket *ws, const struct websocket_kind *kind);
void websocket_adopt(struct websocket *ws, struct websocket *from);

/* Connects and asks for an upgrade of that path; `host` is for the Host header. 0 or -errno. */
__attribute__((warn_unused_result)) int websocket_connect(struct websocket *ws,
                                                          const struct websocket_kind *kind,
                                                          const struct address *address,
                                                          const char *host, const char *path);

/*
 * Answers an upgrade request with 101, or with what is wrong with it: whether it is open now. No
 * extension and no subprotocol is negotiated.
 */
bool websocket_upgrade(struct websocket *ws, const struct http_head *request);

/* Within on_request: the connection shall take further requests, if its client and the proxies allow
   that. */
void websocket_keep(struct websocket *ws, const struct http_head *request);

/*
 * Answers a request otherwise, and ends the connection unless it is kept. `fields` are more header lines,
 * each ended by CRLF; a HEAD request gets the head alone.
 */
void websocket_respond(struct websocket *ws, unsigned status, const char *type, const char *fields,
                       struct slice body, bool head_only);

/* The same for a body of that size which follows by stream_write, and when it is complete. */
void websocket_respond_head(struct websocket *ws, unsigned status, const char *type,
                            const char *fields, uint64_t size);
void websocket_responded(struct websocket *ws);

/* Queues a message. */
void websocket_send(struct websocket *ws, enum frame_opcode opcode, struct slice message);

/* Servers: queues the head of a message of that size; its bytes follow by stream_write. */
void websocket_send_head(struct websocket *ws, enum frame_opcode opcode, uint64_t size);

/* Sends a close, unless one was sent. The reason is cut at 123 bytes. */
void websocket_close(struct websocket *ws, uint16_t code, const char *reason);

static inline const struct websocket_kind *websocket_kind(const struct websocket *ws)
{
    return (const struct websocket_kind *)(const void *)ws->stream.kind;
}

static inline struct websocket_more *websocket_more(const struct websocket *ws)
{
    return (struct websocket_more *)(void *)ws->stream.more;
}

static inline struct websocket *websocket_of(struct stream *s)
{
    return (struct websocket *)(void *)s;
}

#endif
