#include "load.h"

#include "base/log.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>

/* Connections that are being opened at a time, below any listener's backlog. */
#define OPENING_MAX 64
#define PROGRESS_S 20 /* before the warm-up, within which something has to happen */
#define MAX_MESSAGE (UINT64_C(64) << 20)
#define TOKEN_MS 86400000

static uint64_t own_cpu_us(void)
{
    struct rusage r;
    getrusage(RUSAGE_SELF, &r);
    return (uint64_t)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) * 1000000 +
           (uint64_t)(r.ru_utime.tv_usec + r.ru_stime.tv_usec);
}

void load_give_up(struct load *load, enum exit_status status, const char *format, ...)
{
    if (load->phase == LOAD_OVER)
        return;
    va_list args;
    va_start(args, format);
    vsnprintf(load->error, sizeof load->error, format, args);
    va_end(args);
    load->phase = LOAD_OVER;
    load->status = status;
}

static void progress(struct load *load)
{
    load->until = histogram_now() + PROGRESS_S * UINT64_C(1000000000);
}

/* ---- messages ---------------------------------------------------------------------------- */

uint64_t load_due(const struct load *load, uint64_t n)
{
    return load->first_due + (uint64_t)((double)n * 1e9 / (double)load->options.rate);
}

static void send_one(struct peer *p)
{
    const struct load *load = p->load;
    if (!load->options.rate)
        p->sent_at[p->sent % load->options.pipeline] = histogram_now();
    p->sent++;
    if (load->options.mode->send)
        load->options.mode->send(p);
    else
        stream_write(&p->ws.stream, buf_slice(p->frame));
}

/* Closed loop: up to the pipeline's depth. Large messages go out as the queue empties. */
void load_fill(struct peer *p)
{
    const struct load *load = p->load;
    uint64_t done = p->acknowledged < p->delivered ? p->acknowledged : p->delivered;
    if (load->options.rate || load->phase < LOAD_WARMUP ||
        (size_t)(p - load->peers) >= load->senders)
        return;
    while (p->sent - done < load->options.pipeline && !stream_ending(&p->ws.stream)) {
        if (stream_queued(&p->ws.stream) > STREAM_HIGH) {
            stream_want_drained(&p->ws.stream);
            return;
        }
        send_one(p);
    }
}

/* Open loop: what has become due. */
static void send_due(struct load *load, uint64_t now)
{
    for (; load_due(load, load->due) <= now && load->phase != LOAD_OVER; load->due++)
        send_one(&load->peers[load->due % load->senders]);
}

void load_latency(struct load *load, unsigned series, uint64_t since)
{
    uint64_t now = histogram_now();
    if (load->phase == LOAD_MEASURING)
        histogram_add(&load->series[series], now > since ? now - since : 0);
}

void load_count(struct peer *p, uint64_t n, unsigned series)
{
    struct load *load = p->load;
    uint64_t number = n * load->senders + (uint64_t)(p - load->peers);
    load_latency(load, series,
                 load->options.rate ? load_due(load, number)
                                    : p->sent_at[n % load->options.pipeline]);
}

void load_begin(struct load *load)
{
    load->phase = LOAD_WARMUP;
    /* System calls are counted from the first message on, which leaves no time to warm up. */
    if (load->options.calls)
        load->counter = usage_calls_begin(load->options.pid);
    load->first_due = histogram_now();
    load->until = load->first_due;
    if (!load->options.calls)
        load->until += (uint64_t)(load->options.warmup * 1e9);
    for (size_t i = 0; load->options.mode->series[0] && i < load->senders; i++)
        load_fill(&load->peers[i]);
}

void load_refused(struct load *load, struct slice text)
{
    struct log_text safe;
    if (memmem(text.p, text.n, "\"rate_limited\"", 14))
        load_give_up(load, EXIT_USAGE_ERROR,
                     "the server limits the rate of a connection; start it with --rate 0");
    else if (memmem(text.p, text.n, "\"bad_token\"", 11))
        load_give_up(load, EXIT_USAGE_ERROR,
                     "the server refuses our tokens: --secret-file is not its secret");
    else
        load_give_up(load, EXIT_SYSTEM, "the server refused: %s", log_safe(&safe, text));
}

void load_frame(struct buf *out, struct slice head, uint32_t size, struct slice tail)
{
    static const uint8_t key[4] = {0x5a, 0xa5, 0x3c, 0xc3};
    size_t n = head.n + size + tail.n;
    uint8_t *to = buf_reserve(out, FRAME_MAX_HEAD + n);
    if (!to)
        return;
    size_t at = frame_write_masked_head(to, FRAME_TEXT, n, key);
    memcpy(to + at, head.p, head.n);
    memset(to + at + head.n, 'x', size);
    memcpy(to + at + head.n + size, tail.p, tail.n);
    frame_mask(to + at, n, key);
    out->n += at + n;
}

void load_raw(struct buf *out, uint32_t size)
{
    uint8_t *to = buf_reserve(out, size);
    if (!to)
        return;
    memset(to, 'x', size);
    out->n += size;
}

/* ---- connections ------------------------------------------------------------------------- */

static void peer_ready(struct peer *p)
{
    struct load *load = p->load;
    bool again = p->ready;
    p->ready = true;
    if (load->options.mode->ready && load->phase != LOAD_OVER)
        load->options.mode->ready(p);
    if (again || load->phase != LOAD_OPENING)
        return;
    progress(load);
    if (++load->ready < load->options.connections)
        return;
    load->phase = LOAD_PREPARING;
    if (load->options.mode->prepare)
        load->options.mode->prepare(load);
    else
        load_begin(load);
}

static void send_token(struct peer *p)
{
    const struct load *load = p->load;
    char name[32], token[JWT_MAX], text[JWT_MAX + 64];
    int64_t now = clock_wall_ms(&clock_system);
    load->options.mode->user(name, (size_t)(p - load->peers));
    size_t n = jwt_sign(token, sizeof token, &load->key, slice_str(name), now, now + TOKEN_MS);
    int size = snprintf(text, sizeof text,
                        load->options.protocol == LOAD_SOCKETIO ? "42[\"registerMessages\",{"
                                                                  "\"token\":\"%.*s\"}]"
                                                                : "{\"event\":\"registerMessages\","
                                                                  "\"data\":{\"token\":\"%.*s\"}}",
                        (int)n, token);
    websocket_send(&p->ws, FRAME_TEXT, slice_of(text, (size_t)size));
}

static void peer_connected(struct peer *p)
{
    if (p->load->options.secret_file)
        send_token(p);
    else
        peer_ready(p);
}

static void on_open(struct websocket *ws)
{
    struct peer *p = container_of(ws, struct peer, ws);
    if (p->load->options.protocol == LOAD_SOCKETIO)
        websocket_send(ws, FRAME_TEXT, SLICE("40"));
    else
        peer_connected(p);
}

/* Engine.IO's packets in front of the mode: its open packet, the answer to our connect, pings. True: it
   was one of these. */
static bool take_packet(struct peer *p, struct slice m)
{
    if (load_begins(m, SLICE("42")))
        return false;
    if (load_begins(m, SLICE("40")))
        peer_connected(p);
    else if (load_begins(m, SLICE("2")))
        websocket_send(&p->ws, FRAME_TEXT, SLICE("3"));
    return true;
}

/* 42["EVENT",DATA] as a parley server's own framing has it, as far as it is looked at. */
static struct slice own_framing(char out[256], struct slice m)
{
    struct slice name = slice_skip(m, sizeof "42[\"" - 1);
    const uint8_t *end = memmem(name.p, name.n, "\",", 2);
    size_t n = end ? (size_t)(end - name.p) : 0;
    struct slice data = end ? slice_skip(name, n + 2) : SLICE("");
    int size = snprintf(out, 256, "{\"event\":\"%.*s\",\"data\":%.*s", (int)n, (const char *)name.p,
                        data.n < 128 ? (int)data.n : 128, (const char *)data.p);
    return slice_of(out, size < 256 ? (size_t)size : 255);
}

static void on_message(struct websocket *ws, enum frame_opcode opcode, struct slice message)
{
    struct peer *p = container_of(ws, struct peer, ws);
    struct load *load = p->load;
    char text[256];
    (void)opcode;
    if (load->phase == LOAD_OVER ||
        (load->options.protocol == LOAD_SOCKETIO && take_packet(p, message)))
        return;
    if (load->options.protocol == LOAD_SOCKETIO && load->options.secret_file)
        message = own_framing(text, message);
    if (load->options.secret_file && load_begins(message, LOAD_REGISTERED))
        peer_ready(p);
    else if (load_begins(message, SLICE("{\"event\":\"info\"")))
        load_refused(load, message);
    else if (load->options.mode->message)
        load->options.mode->message(p, message);
}

static void on_drained(struct websocket *ws)
{
    load_fill(container_of(ws, struct peer, ws));
}

static void on_closed(struct websocket *ws)
{
    struct peer *p = container_of(ws, struct peer, ws);
    struct load *load = p->load;
    char code[32];
    const char *why = "closed";
    if (load->phase == LOAD_OVER || (load->options.mode->closed && load->options.mode->closed(p)))
        return;
    if (ws->stream.error) {
        why = strerror(ws->stream.error);
    } else if (ws->code != CLOSE_ABNORMAL) {
        snprintf(code, sizeof code, "close code %u", ws->code);
        why = code;
    } else if (!p->ready) {
        why = "no WebSocket is offered there";
    }
    load_give_up(load, EXIT_SYSTEM, "%s: %s", p->ready ? "a connection was lost" : "cannot connect",
                 why);
}

/* LOAD_TCP: what comes is cut at the size of the messages. */
static size_t on_raw_input(struct stream *s, uint8_t *p, size_t n)
{
    struct peer *peer = container_of(websocket_of(s), struct peer, ws);
    size_t size = peer->load->options.size, used = 0;
    for (; n - used >= size && peer->load->phase != LOAD_OVER; used += size)
        peer->load->options.mode->message(peer, slice_of(p + used, size));
    return peer->load->phase == LOAD_OVER ? n : used;
}

static void on_raw_drained(struct stream *s)
{
    on_drained(websocket_of(s));
}

static void on_raw_closed(struct stream *s)
{
    on_closed(websocket_of(s));
}

/* 0 or -errno. */
static int connect_peer(struct load *load, struct peer *p)
{
    p->opened_at = histogram_now();
    if (load->options.protocol != LOAD_TCP)
        return websocket_connect(&p->ws, &load->kind, &load->url.address, load->url.host,
                                 load->url.path);
    int fd = address_connect(&load->url.address);
    int result = fd < 0 ? fd : stream_open(&p->ws.stream, &load->raw, fd, true);
    if (result == 0)
        peer_ready(p);
    return result;
}

void load_cut(struct peer *p)
{
    const struct linger none = {.l_onoff = 1};
    setsockopt(p->ws.stream.source.fd, SOL_SOCKET, SO_LINGER, &none, sizeof none);
    stream_close(&p->ws.stream);
}

bool load_reopen(struct peer *p)
{
    if (p->ws.stream.error)
        return false;
    int result = connect_peer(p->load, p);
    if (result)
        load_give_up(p->load, EXIT_SYSTEM, "cannot connect: %s", strerror(-result));
    return true;
}

/* In batches, so that no backlog runs over. */
static void open_more(struct load *load)
{
    while (load->phase == LOAD_OPENING && load->opened < load->options.connections &&
           load->opened - load->ready < OPENING_MAX) {
        int result = connect_peer(load, &load->peers[load->opened++]);
        if (result) {
            load->opened--;
            load_give_up(load, EXIT_SYSTEM, "cannot connect: %s", strerror(-result));
        }
    }
}

/* ---- the phases -------------------------------------------------------------------------- */

static void init_kinds(struct load *load)
{
    load->kind = (struct websocket_kind){.max_message = MAX_MESSAGE,
                                         .on_open = on_open,
                                         .on_message = on_message,
                                         .on_drained = on_drained,
                                         .on_closed = on_closed};
    websocket_kind_init(&load->kind, &load->streams, load);
    load->kind.stream.always_reads = true;
    load->raw = (struct stream_kind){.source = stream_source,
                                     .set = &load->streams,
                                     .ctx = load,
                                     .always_reads = true,
                                     .on_input = on_raw_input,
                                     .on_drained = on_raw_drained,
                                     .on_closed = on_raw_closed};
}

/* 0 or -errno. */
static int start(struct load *load)
{
    const struct load_options *o = &load->options;
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    prctl(PR_SET_TIMERSLACK, 1);
    int result = loop_init(&load->loop, &clock_system);
    if (result == 0)
        result = stream_set_init(&load->streams, &load->loop);
    init_kinds(load);
    load->counter = -1;
    load->senders = o->active ? o->active : o->connections;
    load->peers = calloc(o->connections, sizeof *load->peers);
    load->times = calloc((size_t)o->connections * o->pipeline, sizeof *load->times);
    load->frames = calloc(o->connections, sizeof *load->frames);
    if (!load->peers || !load->times || !load->frames)
        return -ENOMEM;
    for (size_t i = 0; i < o->connections; i++) {
        struct peer *p = &load->peers[i];
        p->load = load;
        p->other = o->mode->pairs ? &load->peers[i ^ 1] : p;
        p->sent_at = load->times + i * o->pipeline;
        p->frame = &load->frames[i];
    }
    if (o->mode->make && !o->mode->make(load))
        return -ENOMEM;
    load->opening = usage_read(o->pid);
    progress(load);
    return result;
}

static void stop(struct load *load)
{
    load->phase = LOAD_OVER;
    for (size_t i = 0; i < load->opened; i++)
        stream_close(&load->peers[i].ws.stream);
    while (load->streams.open && loop_turn(&load->loop, 0) >= 0)
        ;
    for (size_t i = 0; load->frames && i < load->options.connections; i++)
        buf_free(&load->frames[i]);
    free(load->own);
    free(load->frames);
    free(load->times);
    free(load->peers);
    stream_set_fini(&load->streams);
    loop_fini(&load->loop);
}

static void begin_measuring(struct load *load)
{
    load->before = usage_read(load->options.pid);
    load->own_cpu_us = own_cpu_us();
    load->phase = LOAD_MEASURING;
    load->began = histogram_now();
    load->until = load->began + (uint64_t)(load->options.duration * 1e9);
}

static void end_measuring(struct load *load)
{
    load->ended = histogram_now();
    load->own_cpu_us = own_cpu_us() - load->own_cpu_us;
    load->after = usage_read(load->options.pid);
    if (load->counter >= 0)
        load->calls = usage_calls_end(load->counter);
    if (load->options.mode->series[0] && load->series[0].count == 0)
        load_give_up(load, EXIT_SYSTEM, "nothing was answered in the measured time");
    load->phase = LOAD_OVER;
}

/* The end of a phase, when its time has come. */
static void advance(struct load *load, uint64_t now)
{
    if (now < load->until || load->phase == LOAD_OVER)
        return;
    if (load->phase == LOAD_OPENING)
        load_give_up(load, EXIT_SYSTEM,
                     "only %zu of %u connections were opened, then nothing came for %d s",
                     load->ready, load->options.connections, PROGRESS_S);
    else if (load->phase == LOAD_PREPARING)
        load_give_up(load, EXIT_SYSTEM, "nothing came for %d s", PROGRESS_S);
    else if (load->phase == LOAD_WARMUP)
        begin_measuring(load);
    else
        end_measuring(load);
}

/* What is due may come within the millisecond that the loop counts by. */
static void wait_until(struct load *load, uint64_t until)
{
    uint64_t now = histogram_now(), ns = until > now ? until - now : 0;
    struct pollfd ready = {.fd = load->loop.epoll, .events = POLLIN};
    struct timespec t = {(time_t)(ns / 1000000000), (long)(ns % 1000000000)};
    ppoll(&ready, 1, &t, NULL);
}

static void turn(struct load *load)
{
    bool sending = load->options.rate && load->phase >= LOAD_WARMUP;
    uint64_t now = histogram_now(), until = load->until;
    if (sending) {
        send_due(load, now);
        uint64_t next = load_due(load, load->due);
        wait_until(load, load->loop.busy || load->streams.dirty_n ? 0
                         : next < until                           ? next
                                                                  : until);
    }
    int wait = sending || now >= until ? 0 : (int)((until - now) / 1000000 + 1);
    int result = loop_turn(&load->loop, wait);
    if (result < 0)
        load_give_up(load, EXIT_SYSTEM, "the loop failed: %s", strerror(-result));
}

void load_run(struct load *load)
{
    int result = start(load);
    if (result)
        load_give_up(load, EXIT_SYSTEM, "cannot start: %s", strerror(-result));
    while (load->phase != LOAD_OVER) {
        open_more(load);
        turn(load);
        advance(load, histogram_now());
    }
    stop(load);
}
