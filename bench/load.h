/*
 * load: many connections to one server, opened, warmed up and measured: the engine of parley-bench. What
 * is sent and what counts is the mode's.
 *
 * Closed loop: every sender keeps `pipeline` messages in flight, and a latency is counted from the queueing
 * of the message. Open loop (`rate`): messages are due at fixed times, to the senders in turn, and a
 * latency is counted from the time at which the message was due: a server that stands still delays what
 * would have been sent meanwhile as well.
 *
 * All messages of a sender are the same bytes where that is possible, masked once, since what is measured
 * is the other end; what comes in is told apart by its first bytes. A count or a latency belongs to the
 * measured time if the message's end lies in it.
 */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include "../tools/client/url.h"
#include "base/buf.h"
#include "base/exit.h"
#include "codec/jwt.h"
#include "histogram.h"
#include "net/websocket.h"
#include "usage.h"

#define LOAD_SERIES 4

struct load;
struct load_mode;

struct peer {
    struct websocket ws;
    struct load *load;
    struct peer *other;      /* of a pair */
    const struct buf *frame; /* what it sends */
    uint64_t *sent_at;       /* ns, closed loop: of the messages in flight, a ring of `pipeline` */
    uint64_t opened_at;      /* ns */
    uint64_t sent, acknowledged, delivered; /* of its own messages */
    bool ready;
};

enum load_protocol { LOAD_WEBSOCKET, LOAD_TCP, LOAD_SOCKETIO };

struct load_options {
    const struct load_mode *mode;
    enum load_protocol protocol;
    bool json, anywhere, calls;
    const char *url, *secret_file;
    uint32_t connections, active, pipeline, size, rate, pid;
    double duration, warmup; /* seconds */
};

enum load_phase { LOAD_OPENING, LOAD_PREPARING, LOAD_WARMUP, LOAD_MEASURING, LOAD_OVER };

struct load {
    struct load_options options;
    struct url url;
    struct loop loop;
    struct stream_set streams;
    struct websocket_kind kind;
    struct stream_kind raw; /* of LOAD_TCP */
    struct hmac_key key;
    struct peer *peers;
    uint64_t *times;    /* all peers' sent_at */
    struct buf *frames; /* one for each connection, as far as the mode needs them */
    size_t opened, ready;
    size_t senders; /* the first so many peers: --active, or what the mode's `make` says */
    void *own;      /* the mode's; freed at the end */
    size_t behind;  /* fan-out: devices that lack the oldest message */
    enum load_phase phase;
    uint64_t until;        /* ns: the end of this phase */
    uint64_t first_due;    /* ns, open loop: of the first message */
    uint64_t due;          /* messages that have become due */
    uint64_t began, ended; /* ns: of the measuring */
    struct usage opening, before, after;
    uint64_t own_cpu_us;
    int counter; /* of system calls; -1: none */
    struct usage_calls calls;
    struct histogram series[LOAD_SERIES];
    enum exit_status status;
    char error[256]; /* why it ended early */
};

struct load_mode {
    const char *name, *help;
    const char
        *series[LOAD_SERIES]; /* the first one is what costs are told by; none: nothing is sent */
    uint32_t connections;     /* by default */
    bool chat;                /* on a parley server, whose users are registered */
    bool pairs;               /* an even number of connections */
    uint32_t rate;            /* by default; 0: the loop is closed */
    void (*user)(char out[32], size_t index); /* whose the connection is */
    bool (*make)(struct load *load);          /* the frames; false: no memory */
    void (*prepare)(struct load *load);       /* calls load_begin when it is done; or NULL */
    void (*send)(struct peer *p);             /* NULL: p->frame */
    void (*message)(struct peer *p, struct slice text); /* something has come */
    void (*ready)(struct peer *p);                      /* is open, or registered; again; or NULL */
    bool (*closed)(struct peer *p); /* whether that was to be expected; or NULL */
};

extern const struct load_mode load_echo, load_chat, load_fan_out, load_history, load_snippets,
    load_connect, load_idle, load_mixed;

/* ---- for modes ---------------------------------------------------------------------------- */

/* Everything is prepared: the warm-up begins. */
void load_begin(struct load *load);

/* Sends what the loop lets p send now. */
void load_fill(struct peer *p);

/* The n-th message of p has come to its end. */
void load_count(struct peer *p, uint64_t n, unsigned series);
void load_latency(struct load *load, unsigned series, uint64_t since);

/* ns, open loop: when the n-th message was due. */
uint64_t load_due(const struct load *load, uint64_t n);

/* Ends a connection by a reset, which leaves no port waiting; its mode's `closed` opens it again. */
void load_cut(struct peer *p);
bool load_reopen(struct peer *p);

/* What came is the answer to nothing: an error event, in most cases. */
void load_refused(struct load *load, struct slice text);

/* Ends the run; the first reason stands. */
__attribute__((format(printf, 3, 4))) void load_give_up(struct load *load, enum exit_status status,
                                                        const char *format, ...);

/* A masked text frame: head, size times 'x', tail. */
void load_frame(struct buf *out, struct slice head, uint32_t size, struct slice tail);

/* LOAD_TCP: the bare size times 'x'. */
void load_raw(struct buf *out, uint32_t size);

/* bench-0-a writes to bench-0-b, and so on. */
void load_pair_user(char out[32], size_t index);

/* The frames of pairs that write to each other: the mode's `make`. */
bool load_make_pairs(struct load *load);

static inline bool load_begins(struct slice s, struct slice with)
{
    return s.n >= with.n && memcmp(s.p, with.p, with.n) == 0;
}

/* Events of a parley server by their first bytes. */
#define LOAD_REGISTERED SLICE("{\"event\":\"registerMessages\",\"data\":\"OK\"")
#define LOAD_ACKNOWLEDGED SLICE("{\"event\":\"message\",\"data\":{\"success\":true}")
#define LOAD_DELIVERED SLICE("{\"event\":\"message\",\"data\":{\"id\":")
#define LOAD_PAGE SLICE("{\"event\":\"conversation\"")
#define LOAD_END SLICE("{\"event\":\"end\"")

/* ---- for the program ---------------------------------------------------------------------- */

/* The whole run; its status and error stand in *load then. */
void load_run(struct load *load);

void load_print_table(const struct load *load);
void load_print_json(const struct load *load);

#endif
