/*
 * chat: the API over the store, for any number of connections.
 *
 * The owner opens it on a stream_set, hands it accepted sockets, and runs the loop; everything else
 * happens in callbacks of the loop. It owns the store and the connections.
 */
#ifndef CHAT_CHAT_H
#define CHAT_CHAT_H

#include "base/table.h"
#include "chat/hub.h"
#include "chat/wire.h"
#include "codec/jwt.h"
#include "net/websocket.h"
#include "store/store.h"

/* PROTOCOL.md, sections 3 and 4: what is not an option is fixed there. */
#define CHAT_REGISTER_MS 30000 /* from the upgrade to the registration */
#define CHAT_STUCK_MS 20000    /* a reader that takes nothing while something waits */

enum chat_close_code {
    CLOSE_TOKEN_EXPIRED = 4001,
    CLOSE_UNREGISTERED = 4002,
    CLOSE_TOO_MANY = 4003,
    CLOSE_DISCONNECTED = 4004, /* by the application */
    CLOSE_TOO_SLOW = 4008,
};

/* What the program that hosts the server has a say in (parley.h); ctx is the options'. Each may be NULL. */
struct chat_hooks {
    /* NULL: a client may send this; or the code of the info, and *why its text. It calls nothing here. */
    const char *(*authorise)(void *ctx, struct slice from, struct slice to, struct slice content,
                             const char **why);
    /* Judges tokens, in the place of the secret; likewise. An empty one is too long. */
    enum jwt_status (*verify)(void *ctx, struct slice token, struct jwt *out);
    /* Hears of every message that is stored, in the order of their ids. */
    void (*committed)(void *ctx, const struct store_message *message);
};

struct chat_options {
    uint32_t max_user_connections;
    uint32_t max_frame;   /* bytes */
    uint32_t max_content; /* bytes of UTF-8 */
    uint32_t max_queue;   /* bytes of live events that wait for one reader */
    uint32_t rate;    /* events a second and connection, four times that of a user; 0: no limit */
    uint32_t idle_ms; /* silence that ends a connection; a ping is sent after 5/9 of it */
    struct ip_ranges trusted; /* proxies in front */
    const char **origins;     /* allowed ones besides the server's own; "*": all */
    size_t origins_n;
    const struct log *log;
    const struct clock *clock;
    /* Answers requests for other paths than /chat and /socket.io/, as websocket.h's on_request. */
    void (*on_request)(void *ctx, struct websocket *ws, const struct http_head *request);
    uint32_t max_body; /* bytes, of those requests */
    struct chat_hooks hooks;
    /* NULL, or why there can be no further session; may be NULL itself. Asked about those that need no
       further socket, while so many of them have not registered. */
    const char *(*full)(void *ctx, uint32_t strangers);
    void *ctx;
};

/* For the metrics; all but `connections` only grow. */
struct chat_stats {
    uint64_t connections; /* open now, any state */
    uint64_t accepted;    /* connections since the start */
    uint64_t requests;    /* events of clients */
    uint64_t refused;     /* of them answered with an info */
    uint64_t stored;      /* messages */
    uint64_t delivered;   /* live events, each receiver counted */
    uint64_t too_slow;    /* connections closed with 4008 */
};

struct chat {
    struct websocket_kind kind, polling; /* of sessions with a socket, of those that poll */
    struct chat_options options;
    struct store *store;
    struct source store_source; /* more is durable; once an hour: the store hears what time it is */
    struct hub hub;
    struct table sids; /* of Engine.IO sessions that poll: places in `polls` */
    struct poll **polls;
    uint32_t polls_n, polls_cap;
    uint32_t strangers; /* of these, the sessions without a user */
    struct backoff backoff;
    struct list waiting; /* answers that wait for the disk */
    struct list typing;  /* of struct typing, the next to be due first */
    struct source typing_due;
    struct session *unregistered;        /* the first session without a user */
    struct session *ended, **ended_last; /* those that were told to go in this turn */
    struct hmac_key keys[2];             /* of the tokens: the present secret, the one before it */
    size_t keys_n;
    struct buf pending;           /* sends that wait for their commit, in their order */
    size_t pending_at;            /* bytes of it that are done with */
    uint64_t committed;           /* the newest id that the store has called back for */
    struct buf frames[FRAMINGS];  /* where frames are put together */
    struct buf text;              /* likewise the strings in them */
    struct buf meta;              /* likewise their meta */
    struct buf content;           /* a content on its way into the store */
    struct list revokes, erases;  /* of struct backend_call, those that wait for the disk */
    uint32_t resumed_at, resumed; /* turn, and sessions whose rest ended in it */
    struct source drain;          /* the next ones are told to go */
    int64_t drain_begun, drain_ms;
    uint64_t drain_count; /* connections when it began */
    uint64_t drain_told;  /* connections so far, */
    uint32_t drain_next;  /* those of the users with a number below this one */
    struct chat_stats stats;
};

/*
 * Opens the store and joins the loop. store's callbacks are filled in here; the rest of it, and the
 * options, are the caller's. What it returns other than STORE_OK is the store's, with *error.
 */
__attribute__((warn_unused_result)) enum store_status
chat_open(struct chat *chat, struct stream_set *set, const struct chat_options *options,
          const struct store_options *store, struct store_error *error);

/* Takes a new secret; tokens of the one before it stay good until the next call, with the same again
   too. */
void chat_set_secret(struct chat *chat, struct slice secret);

/* Takes over an accepted socket; peer is who connected. */
void chat_accept(struct chat *chat, int fd, const struct address *peer);

/*
 * Tells every client that the server goes away as soon as what he sent is answered, and closes: one
 * after the other within spread_ms, so that they do not all come back at the same moment. Who has not
 * been told is served as ever. Owner: take no new connection; run the loop until none is left, or as
 * long as it likes.
 */
void chat_drain(struct chat *chat, int64_t spread_ms);

/* The store's failure, or 0 while it takes messages. */
int chat_failure(const struct chat *chat);

/* Cuts off whoever is still connected, commits what is pending. 0, or the store's failure. */
int chat_close(struct chat *chat);

#endif
