#include "net/stream.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

/* A chunk of the queue with its head: a page, so that malloc and the kernel are content. */
#define CHUNK_SIZE 4096
/* Free chunks kept: what some hundred connections need in one turn, and at most, where turns need more. */
#define CHUNK_SPARE 64
#define CHUNK_SPARE_MAX 512
/* Chunks sent in one call; what is more waits for the next turn. */
#define CHUNK_SEND 32
/* Bytes read in a turn, as a goal: where many streams are ready each has its share, but the least is worth
   the call. What a turn reads, the quiet ones wait for. Of those that had less than their share the last time
   it is four times as much, and from each of them half as much at most: a burst is to be read whole. */
#define TURN_READ (512 << 10)
#define TURN_READ_QUIET (4 * TURN_READ)
#define READ_MIN (4 << 10)
/* How long a finished stream waits for its peer's end. */
#define FINISH_MS 2000

#define CHUNK_CAP (CHUNK_SIZE - sizeof(struct chunk))

static void stream_set_flush(void *ctx);
static void stream_feed_held(struct stream *s);

int stream_set_init(struct stream_set *set, struct loop *loop)
{
    *set = (struct stream_set){.loop = loop};
    list_init(&set->closed);
    set->in = malloc(2 * STREAM_READ);
    if (!set->in)
        return -ENOMEM;
    loop->flush = (struct loop_hook){stream_set_flush, set};
    return 0;
}

void stream_set_fini(struct stream_set *set)
{
    while (set->spare) {
        struct chunk *next = set->spare->next;
        free(set->spare);
        set->spare = next;
    }
    free(set->dirty);
    free(set->in);
}

/* ---- chunks ------------------------------------------------------------------------------ */

static struct chunk *chunk_alloc(struct stream_set *set, size_t cap)
{
    struct chunk *c = malloc(sizeof *c + cap);
    if (!c)
        return NULL;
    *c = (struct chunk){.next = c, .cap = (uint32_t)cap};
    set->memory += sizeof *c + cap;
    return c;
}

/* For the queue: at least a standard one, since more is likely to follow. */
static struct chunk *chunk_new(struct stream_set *set, size_t room)
{
    struct chunk *c = set->spare;
    if (!c || room > CHUNK_CAP)
        return chunk_alloc(set, room > CHUNK_CAP ? room : CHUNK_CAP);
    set->spare = c->next;
    if (--set->spare_n < set->spare_idle)
        set->spare_idle = set->spare_n;
    c->next = c;
    c->start = c->end = c->queued = 0;
    return c;
}

static void chunk_free(struct stream_set *set, struct chunk *c)
{
    if (!c)
        return;
    if (c->cap == CHUNK_CAP && set->spare_n < CHUNK_SPARE_MAX) {
        c->next = set->spare;
        set->spare = c;
        set->spare_n++;
    } else {
        set->memory -= sizeof *c + c->cap;
        free(c);
    }
}

/* Of those that no turn needs any more each turn gives half back. */
static void chunk_trim(struct stream_set *set)
{
    uint32_t idle = set->spare_idle > CHUNK_SPARE ? (set->spare_idle - CHUNK_SPARE + 1) / 2 : 0;
    for (; idle; idle--) {
        struct chunk *c = set->spare;
        set->spare = c->next;
        set->spare_n--;
        set->memory -= sizeof *c + c->cap;
        free(c);
    }
    set->spare_idle = set->spare_n;
}

/* ---- what few have ------------------------------------------------------------------------- */

static size_t more_size(const struct stream *s)
{
    return sizeof *s->more + s->kind->more;
}

void *stream_more(struct stream *s)
{
    if (!s->more) {
        s->more = calloc(1, more_size(s));
        s->kind->set->memory += s->more ? more_size(s) : 0;
    }
    return s->more;
}

void stream_less(struct stream *s)
{
    const char *bytes = (const char *)s->more;
    size_t n = more_size(s);
    if (!bytes || *bytes || memcmp(bytes, bytes + 1, n - 1) != 0)
        return;
    free(s->more);
    s->more = NULL;
    s->kind->set->memory -= n;
}

/* ---- the life of a stream ---------------------------------------------------------------- */

void stream_open_detached(struct stream *s, const struct stream_kind *kind)
{
    *s = (struct stream){.heard = (uint32_t)kind->set->loop->now};
    source_init(&s->source, &kind->source, -1);
    kind->set->open++;
}

int stream_open(struct stream *s, const struct stream_kind *kind, int fd, bool connecting)
{
    stream_open_detached(s, kind);
    s->source.fd = fd;
    s->flags = connecting ? STREAM_CONNECTING : 0;
    int result = loop_watch(kind->set->loop, &s->source, connecting ? EPOLLOUT : EPOLLIN);
    if (result) {
        kind->set->open--;
        close(fd);
        return result;
    }
    return 0;
}

void stream_close(struct stream *s)
{
    if (s->flags & STREAM_CLOSED)
        return;
    struct stream_set *set = s->kind->set;
    s->flags |= STREAM_CLOSED;
    int fd = loop_unwatch(set->loop, &s->source);
    if (fd >= 0)
        close(fd);
    loop_stop_timer(&s->source);
    list_append(&set->closed, &s->source.link);
    set->loop->busy = true;
}

static void stream_drop_queue(struct stream *s)
{
    while (s->out) {
        struct chunk *first = s->out->next;
        s->out->next = first->next;
        if (first == s->out)
            s->out = NULL;
        chunk_free(s->kind->set, first);
    }
}

/* What was set aside, no longer the stream's; or NULL. */
static struct chunk *stream_claim_rest(struct stream *s)
{
    struct chunk *rest = s->more ? s->more->rest : NULL;
    if (rest) {
        s->more->rest = NULL;
        stream_less(s);
    }
    return rest;
}

/* Sets bytes aside. Out of memory: the stream is closed. */
static void stream_set_aside(struct stream *s, struct slice bytes)
{
    struct chunk *rest = stream_more(s) ? chunk_alloc(s->kind->set, bytes.n) : NULL;
    if (!rest) {
        stream_less(s);
        stream_close(s);
        return;
    }
    rest->end = (uint32_t)bytes.n;
    memcpy(rest->bytes, bytes.p, bytes.n);
    s->more->rest = rest;
}

static void stream_let_go(struct stream *s)
{
    list_remove(&s->source.link);
    stream_drop_queue(s);
    chunk_free(s->kind->set, stream_claim_rest(s));
    s->kind->set->open--;
    s->kind->on_closed(s);
}

/* The socket has failed. */
static void stream_fail(struct stream *s, int error)
{
    s->error = (uint16_t)error;
    stream_close(s);
}

void stream_set_timer(struct stream *s, int64_t after_ms)
{
    if (!stream_ending(s))
        loop_set_timer(s->kind->set->loop, &s->source, after_ms);
}

static void stream_fire(struct source *source)
{
    struct stream *s = container_of(source, struct stream, source);
    if (s->flags & (STREAM_FINISHING | STREAM_FINISHED))
        stream_close(s);
    else
        s->kind->on_timer(s);
}

/* To hand it up, or to drop it while we end. */
static bool stream_wants_input(const struct stream *s)
{
    return stream_readable(s) ||
           (s->flags & (STREAM_FINISHING | STREAM_FINISHED) && !(s->flags & STREAM_HEARD_OUT));
}

/* The events this stream waits for follow from its flags and its queue. */
static void stream_rewatch(struct stream *s)
{
    if (s->source.fd < 0 || s->flags & STREAM_CONNECTING)
        return;
    uint32_t events = s->flags & STREAM_BLOCKED ? EPOLLOUT : 0;
    if (stream_wants_input(s))
        events |= EPOLLIN;
    /* While nobody listened, its silence was ours. */
    if (events & ~s->source.events & EPOLLIN)
        s->heard = (uint32_t)s->kind->set->loop->now;
    if (events != s->source.events && loop_watch(s->kind->set->loop, &s->source, events))
        stream_close(s);
}

static void stream_mark(struct stream *s)
{
    struct stream_set *set = s->kind->set;
    if (s->flags & (STREAM_DIRTY | STREAM_CLOSED))
        return;
    if (set->dirty_n == set->dirty_cap) {
        size_t cap = set->dirty_cap ? 2 * set->dirty_cap : 64;
        struct stream **grown = realloc(set->dirty, cap * sizeof(struct stream *));
        if (!grown) {
            stream_close(s);
            return;
        }
        set->dirty = grown;
        set->dirty_cap = cap;
    }
    set->dirty[set->dirty_n++] = s;
    s->flags |= STREAM_DIRTY;
    set->loop->busy = true;
}

void stream_finish(struct stream *s)
{
    if (stream_ending(s))
        return;
    s->flags |= STREAM_FINISHING;
    loop_set_timer(s->kind->set->loop, &s->source, FINISH_MS);
    stream_mark(s);
}

/* ---- output ------------------------------------------------------------------------------ */

void stream_write(struct stream *s, struct slice bytes)
{
    if (stream_ending(s) || bytes.n == 0)
        return;
    while (bytes.n) {
        struct chunk *last = s->out;
        if (!last || last->end == last->cap) {
            struct chunk *fresh = chunk_new(s->kind->set, bytes.n);
            if (!fresh) {
                stream_close(s);
                return;
            }
            if (last) {
                fresh->next = last->next;
                last->next = fresh;
                fresh->queued = last->queued;
                fresh->moved = last->moved;
            } else {
                fresh->moved = (uint32_t)s->kind->set->loop->now;
            }
            last = s->out = fresh;
        }
        size_t n = last->cap - last->end;
        if (n > bytes.n)
            n = bytes.n;
        memcpy(last->bytes + last->end, bytes.p, n);
        last->end += (uint32_t)n;
        last->queued += (uint32_t)n;
        bytes = slice_skip(bytes, n);
    }
    stream_mark(s);
}

/* Takes n sent bytes off the queue. */
static void stream_sent(struct stream *s, size_t n)
{
    s->out->queued -= (uint32_t)n;
    s->out->moved = (uint32_t)s->kind->set->loop->now;
    while (s->out) {
        struct chunk *first = s->out->next;
        uint32_t waiting = first->end - first->start;
        if (n < waiting) {
            first->start += (uint32_t)n;
            return;
        }
        n -= waiting;
        s->out->next = first->next;
        if (first == s->out)
            s->out = NULL;
        chunk_free(s->kind->set, first);
    }
}

/* One system call. Whether the kernel took all that was offered. */
static bool stream_send(struct stream *s)
{
    struct iovec parts[CHUNK_SEND];
    uint16_t n = 0; /* fits msg_iovlen in every libc */
    size_t offered = 0;
    for (struct chunk *c = s->out->next;; c = c->next) {
        parts[n++] = (struct iovec){c->bytes + c->start, c->end - c->start};
        offered += c->end - c->start;
        if (c == s->out || n == CHUNK_SEND)
            break;
    }
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = n};
    ssize_t sent = n == 1 ? send(s->source.fd, parts->iov_base, parts->iov_len, MSG_NOSIGNAL)
                          : sendmsg(s->source.fd, &message, MSG_NOSIGNAL);
    struct stream_set *set = s->kind->set;
    set->writes++;
    if (sent < 0) {
        if (errno != EAGAIN && errno != EINTR)
            stream_fail(s, errno);
        return false;
    }
    set->bytes_out += (uint64_t)sent;
    if (s->flags & STREAM_FINISHING)
        loop_set_timer(set->loop, &s->source, FINISH_MS);
    stream_sent(s, (size_t)sent);
    return (size_t)sent == offered;
}

/* At the end of a turn: sends what is queued, then asks for more or shuts our end. */
static void stream_flush(struct stream *s)
{
    if (s->flags & STREAM_CONNECTING)
        return;
    if (s->source.fd < 0) {
        if (s->out)
            s->kind->on_output(s);
    } else if (s->out && !(s->flags & STREAM_BLOCKED) && !stream_send(s)) {
        s->flags |= STREAM_BLOCKED;
    }
    if (s->out && s->source.fd >= 0 && !(s->flags & STREAM_BLOCKED))
        stream_mark(s); /* more chunks than one call takes: the next turn */
    if (s->flags & STREAM_WANTS && stream_queued(s) < STREAM_LOW && !stream_ending(s)) {
        s->flags &= (uint16_t)~STREAM_WANTS;
        s->kind->on_drained(s);
    }
    if (s->flags & STREAM_HELD && stream_readable(s))
        stream_feed_held(s);
    if (s->flags & STREAM_FINISHING && !s->out && !(s->flags & STREAM_CLOSED)) {
        s->flags = (uint16_t)((s->flags & ~STREAM_FINISHING) | STREAM_FINISHED);
        if (s->flags & STREAM_HEARD_OUT || shutdown(s->source.fd, SHUT_WR) < 0)
            stream_close(s);
    }
    stream_rewatch(s);
}

void stream_want_drained(struct stream *s)
{
    s->flags |= STREAM_WANTS;
    stream_mark(s);
}

static void stream_set_flush(void *ctx)
{
    struct stream_set *set = ctx;
    /* A stream that is marked on the way has its turn in the next round. */
    size_t n = set->dirty_n;
    for (size_t i = 0; i < n; i++) {
        struct stream *s = set->dirty[i];
        s->flags &= (uint16_t)~STREAM_DIRTY;
        if (!(s->flags & STREAM_CLOSED))
            stream_flush(s);
    }
    set->dirty_n -= n;
    if (set->dirty_n)
        memmove(set->dirty, set->dirty + n, set->dirty_n * sizeof *set->dirty);
    LIST_EACH(link, &set->closed)
    {
        struct stream *s = container_of(link, struct stream, source.link);
        if (!(s->flags & STREAM_DIRTY))
            stream_let_go(s);
    }
    if (!list_empty(&set->closed))
        set->loop->busy = true;
    chunk_trim(set);
}

/* ---- detached ---------------------------------------------------------------------------- */

size_t stream_peek(const struct stream *s, uint8_t *out, size_t n)
{
    size_t got = 0;
    for (struct chunk *c = s->out ? s->out->next : NULL; c && got < n; c = c->next) {
        size_t part = c->end - c->start < n - got ? c->end - c->start : n - got;
        memcpy(out + got, c->bytes + c->start, part);
        got += part;
        if (c == s->out)
            break;
    }
    return got;
}

void stream_take(struct stream *s, size_t n)
{
    stream_sent(s, n);
    stream_mark(s); /* there may be room for more */
}

void stream_give(struct stream *s, struct slice bytes)
{
    assert(!(s->more && s->more->rest) && bytes.n <= STREAM_READ);
    s->heard = (uint32_t)s->kind->set->loop->now;
    stream_set_aside(s, bytes);
    s->flags |= STREAM_HELD;
    stream_mark(s);
}

void stream_adopt(struct stream *s, struct stream *from)
{
    struct loop *loop = s->kind->set->loop;
    assert(s->source.fd < 0 && !stream_ending(s));
    s->source.kind = from->source.kind;
    s->heard = from->heard;
    if (from->out && s->out) { /* two rings become one */
        struct chunk *first = from->out->next;
        from->out->next = s->out->next;
        s->out->next = first;
        s->out->queued += from->out->queued;
    } else if (from->out) {
        s->out = from->out;
    }
    s->flags |= from->flags & STREAM_BLOCKED;
    if (s->more && s->more->rest)
        s->flags |= STREAM_HELD;
    from->out = NULL;
    s->source.fd = loop_unwatch(loop, &from->source);
    stream_close(from);
    if (loop_watch(loop, &s->source, EPOLLIN))
        stream_close(s);
    stream_mark(s);
}

/* ---- input ------------------------------------------------------------------------------- */

bool stream_readable(const struct stream *s)
{
    return !stream_ending(s) && !(s->flags & STREAM_PAUSED) &&
           (stream_queued(s) <= STREAM_HIGH || s->kind->always_reads);
}

/* Hands up n bytes of the receive buffer, and sets aside what is not used. */
static void stream_feed(struct stream *s, size_t n)
{
    struct stream_set *set = s->kind->set;
    size_t used = s->kind->on_input(s, set->in, n);
    if (used == n || stream_ending(s))
        return;
    stream_set_aside(s, slice_of(set->in + used, n - used));
    if (!stream_readable(s))
        s->flags |= STREAM_HELD;
}

/* Puts what was set aside at the head of the receive buffer: how many bytes. */
static size_t stream_take_rest(struct stream *s)
{
    struct chunk *rest = stream_claim_rest(s);
    if (!rest)
        return 0;
    size_t n = rest->end;
    memcpy(s->kind->set->in, rest->bytes, n);
    chunk_free(s->kind->set, rest);
    return n;
}

/* This turn's settle is over: what the owner begins now must not wait for another event. */
static void stream_feed_held(struct stream *s)
{
    s->kind->set->loop->busy = true;
    s->flags &= (uint16_t)~STREAM_HELD;
    stream_feed(s, stream_take_rest(s));
}

static size_t stream_share(const struct stream *s, const struct loop *loop)
{
    bool greedy = s->flags & STREAM_GREEDY;
    size_t most = greedy ? STREAM_READ : STREAM_READ / 2;
    size_t share =
        (greedy ? TURN_READ : TURN_READ_QUIET) / (size_t)(loop->ready > 0 ? loop->ready : 1);
    return share > most ? most : share < READ_MIN ? READ_MIN : share;
}

static void stream_read(struct stream *s)
{
    struct stream_set *set = s->kind->set;
    size_t kept = stream_take_rest(s);
    assert(kept <= STREAM_READ);
    size_t most = stream_share(s, set->loop);
    ssize_t got = recv(s->source.fd, set->in + kept, most, 0);
    set->reads++;
    s->flags &= (uint16_t)~STREAM_GREEDY;
    if (got == (ssize_t)most)
        s->flags |= STREAM_GREEDY;
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        got = 0;
    } else if (got == 0 && s->out && s->flags & STREAM_FINISHING) {
        /* It says no more, but may still listen: what is queued is for it. */
        s->flags |= STREAM_HEARD_OUT;
        stream_mark(s);
        return;
    } else if (got <= 0) {
        stream_fail(s, got < 0 ? errno : 0);
        return;
    }
    set->bytes_in += (uint64_t)got;
    s->heard = (uint32_t)set->loop->now;
    if (!stream_ending(s) && kept + (size_t)got > 0)
        stream_feed(s, kept + (size_t)got);
}

void stream_pause(struct stream *s)
{
    s->flags |= STREAM_PAUSED;
    stream_mark(s);
}

/* What was set aside is handed up by the flush of the next round, never from inside the caller. */
void stream_resume(struct stream *s)
{
    s->flags &= (uint16_t)~STREAM_PAUSED;
    stream_mark(s);
}

static void stream_connected(struct stream *s)
{
    int error = 0;
    socklen_t n = sizeof error;
    if (getsockopt(s->source.fd, SOL_SOCKET, SO_ERROR, &error, &n) < 0 || error) {
        stream_fail(s, error ? error : errno);
        return;
    }
    s->flags &= (uint16_t)~STREAM_CONNECTING;
    stream_mark(s);
}

static void stream_ready(struct source *source, uint32_t events)
{
    struct stream *s = container_of(source, struct stream, source);
    if (s->flags & STREAM_CONNECTING) {
        stream_connected(s);
        return;
    }
    if (events & EPOLLOUT) {
        s->flags &= (uint16_t)~STREAM_BLOCKED;
        stream_mark(s);
    }
    if (events & EPOLLIN && stream_wants_input(s))
        stream_read(s);
    else if (events & (EPOLLERR | EPOLLHUP))
        stream_close(s);
}

const struct source_kind stream_source = {.ready = stream_ready, .fire = stream_fire};
