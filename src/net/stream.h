/*
 * stream: a non-blocking byte stream on a socket.
 *
 * Reading: what arrives lies in one receive buffer that all streams share; what its owner does not
 * use yet is set aside and comes again, with what follows. Writing: bytes gather in a queue, which
 * the end of the turn sends with one system call. An idle stream owns no memory but itself: what it and
 * its owner need only while something is under way lies in a struct stream_more, which comes and goes.
 *
 * A stream lies in its owner's object. It ends in one way only: stream_close marks it (by the owner,
 * or by an error of the socket, or by its peer's end), and at the end of the turn `on_closed` is
 * called once and may free the object. Until then every call on a closed stream is harmless.
 *
 * A detached stream has no socket. Its owner is the other end as well: takes what is written when
 * on_output says that there is something, and gives what is to be read. It may take over a socket later.
 */
#ifndef NET_STREAM_H
#define NET_STREAM_H

#include "base/random.h"
#include "base/slice.h"
#include "net/loop.h"

/* A read takes this much at most, so that nobody holds the others up for long. */
#define STREAM_READ (64 << 10)

/* Above this many bytes queued a stream is not read, so that whoever asks much must take it too;
   below the second mark on_drained calls for more. */
#define STREAM_HIGH (64 << 10)
#define STREAM_LOW (16 << 10)

struct stream;

/* A piece of a queue, or input that was set aside. */
struct chunk {
    struct chunk *next;
    uint32_t start, end; /* the bytes that wait */
    uint32_t cap;
    /* Of a queue's last one: the bytes in all of it; loop->now, truncated to 32 bits, when something last
       went out or began to wait. */
    uint32_t queued, moved;
    uint8_t bytes[];
};

/* What all streams of a loop share. */
struct stream_set {
    struct loop *loop;
    uint8_t *in;           /* 2 * STREAM_READ bytes: what was set aside, then what is read */
    struct stream **dirty; /* those with something to send or a call to make this turn */
    size_t dirty_n, dirty_cap;
    struct list closed;           /* those that end with this turn */
    struct chunk *spare;          /* chunks to use again */
    uint32_t spare_n, spare_idle; /* those that this turn has not needed */
    uint32_t open;                /* streams that are not let go of yet */
    /* Bytes that the connections own: here their queues and what is set aside of their input, spare
       chunks too; by their owners themselves, messages in pieces and what else waits for them. */
    size_t memory;
    struct random_pool random;
    uint64_t bytes_in, bytes_out, reads, writes; /* for the metrics */
};

/* What the streams of one sort have in common; it outlives them. */
struct stream_kind {
    struct source_kind source; /* stream_source */
    struct stream_set *set;
    void *ctx; /* the owner's */
    /* Also reads while much is queued. For a client: where both ends wait for the other to take what
       they queued, none ever reads. */
    bool always_reads;
    size_t more; /* bytes: what its owner has behind a struct stream_more */
    /* p holds n bytes, which may be changed in place. Returns how many were used: while it is
       readable all but STREAM_READ at most. */
    size_t (*on_input)(struct stream *s, uint8_t *p, size_t n);
    /* Detached: at the end of a turn something is queued. */
    void (*on_output)(struct stream *s);
    /* Less than STREAM_LOW is queued, asked for by stream_want_drained. */
    void (*on_drained)(struct stream *s);
    void (*on_timer)(struct stream *s);
    void (*on_closed)(struct stream *s);
};

enum stream_flag {
    STREAM_CLOSED = 1,    /* no descriptor any more; waits for on_closed */
    STREAM_PAUSED = 2,    /* by its owner: no input is handed up */
    STREAM_DIRTY = 4,     /* in the set's list */
    STREAM_FINISHING = 8, /* closes when all is sent */
    STREAM_WANTS = 16,    /* on_drained is asked for */
    STREAM_CONNECTING = 32,
    STREAM_FINISHED = 64,   /* our end is shut, the peer's is awaited */
    STREAM_BLOCKED = 128,   /* the kernel took less than was offered: waits for EPOLLOUT */
    STREAM_HELD = 256,      /* what is set aside was not looked at, since we were not readable */
    STREAM_HEARD_OUT = 512, /* finishing, and the peer's end has come already */
    STREAM_GREEDY = 1024,   /* the last read brought as much as it might */
};

/* What few have at a time. It is there from stream_more until stream_less finds that all of it is zero. */
struct stream_more {
    struct chunk *rest; /* input set aside; NULL: none */
};

struct stream {
    union {
        struct source source;           /* its timer is the owner's, by stream_set_timer */
        const struct stream_kind *kind; /* the source's, which it begins with */
    };
    struct chunk *out;        /* the last chunk of the queue, a ring; NULL: nothing queued */
    struct stream_more *more; /* NULL: it would be zero */
    uint32_t heard;           /* loop->now, truncated to 32 bits, when something last came in */
    uint16_t flags;           /* enum stream_flag */
    uint16_t error;           /* the errno that closed it; 0: its owner, or its peer's end */
};

extern const struct source_kind stream_source;

__attribute__((warn_unused_result)) int stream_set_init(struct stream_set *set, struct loop *loop);
/* All streams must have been closed and a turn run since. */
void stream_set_fini(struct stream_set *set);

/*
 * Takes over a connected (or, with connecting, connecting) non-blocking socket. -errno: it could not
 * be watched; the descriptor is closed then, and on_closed is not called.
 */
__attribute__((warn_unused_result)) int
stream_open(struct stream *s, const struct stream_kind *kind, int fd, bool connecting);

/* One without a socket. */
void stream_open_detached(struct stream *s, const struct stream_kind *kind);

/* Detached: copies the first bytes that are queued, at most n; takes so many off the queue. */
size_t stream_peek(const struct stream *s, uint8_t *out, size_t n);
void stream_take(struct stream *s, size_t n);

/* Detached: hands these bytes, at most STREAM_READ, up at the end of the turn. All that were given before must
   have been used. */
void stream_give(struct stream *s, struct slice bytes);

/* A detached one takes over the socket of another stream, with what is queued there, which comes first, and
   the input of the other one that its owner has moved to its stream_more; the other one is closed. */
void stream_adopt(struct stream *s, struct stream *from);

/* Queues bytes. Out of memory: the stream is closed. */
void stream_write(struct stream *s, struct slice bytes);

/* Calls on_drained at the end of this turn, or later as soon as less than STREAM_LOW is queued. */
void stream_want_drained(struct stream *s);

/* Stops handing input up, also within on_input after its return; and goes on. A peer that goes away
   meanwhile closes the stream, and what it sent last is not read. */
void stream_pause(struct stream *s);
void stream_resume(struct stream *s);

/* Whether on_input should go on with more of what it was given: open, not paused, queue not full. */
bool stream_readable(const struct stream *s);

void stream_set_timer(struct stream *s, int64_t after_ms);

/* Closes at once; what is queued is lost. */
void stream_close(struct stream *s);

/*
 * Sends what is queued, shuts our end, reads and drops what still comes until the peer closes too or
 * nothing has moved for 2 s: so the last bytes arrive even where the peer was still sending. The owner's timer
 * is taken over.
 */
void stream_finish(struct stream *s);

/* What few have, made if it is not there: NULL for want of memory. Given back, if it is all zero. */
void *stream_more(struct stream *s);
void stream_less(struct stream *s);

/* Bytes that wait to be sent. */
static inline size_t stream_queued(const struct stream *s)
{
    return s->out ? s->out->queued : 0;
}

/* ms since something came in; ms since something queued last went out. */
static inline uint32_t stream_silent_ms(const struct stream *s)
{
    return (uint32_t)s->kind->set->loop->now - s->heard;
}

static inline uint32_t stream_stuck_ms(const struct stream *s)
{
    return s->out ? (uint32_t)s->kind->set->loop->now - s->out->moved : 0;
}

static inline bool stream_closed(const struct stream *s)
{
    return s->flags & STREAM_CLOSED;
}

static inline bool stream_ending(const struct stream *s)
{
    return s->flags & (STREAM_CLOSED | STREAM_FINISHING | STREAM_FINISHED);
}

#endif
