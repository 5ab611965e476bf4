/*
 * parley: a chat client for the terminal, in its plain form: lines in, lines out.
 *
 * One line is under way at a time: the next one is read when the server has answered for the last. So
 * no line is lost without a word, none overtakes another, and standard input waits while the server
 * cannot be reached. A line whose answer the connection took with it is reported and not sent again,
 * since it may have been stored.
 */
#include "base/args.h"
#include "base/buf.h"
#include "base/exit.h"
#include "base/version.h"
#include "chat/wire.h"
#include "client/url.h"
#include "codec/jwt.h"
#include "codec/utf8.h"
#include "net/websocket.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#define BACKOFF_FIRST_MS 500
#define BACKOFF_LAST_MS 15000
/* A connection that held this long was a good one: the next attempt begins at the first again. */
#define STEADY_MS 15000
/* Answers are this far away at most; else we ask, and after twice that we give up. */
#define SILENCE_MS 30000
#define CONNECT_MS 10000
/* A line the server had no time for is offered again. */
#define SLOW_DOWN_MS 1000

#define LINE_ROOM (128 << 10) /* bytes of a line; servers take 16 KiB unless told otherwise */
#define MAX_EVENT (UINT64_C(8) << 20) /* bytes of an event; a page of a conversation has 4 MiB */

enum state { OFFLINE, CONNECTING, REGISTERING, READY };

struct client {
    struct loop loop;
    struct stream_set streams;
    struct websocket_kind kind;
    struct websocket ws;
    struct source input, signals;
    struct source later; /* the next attempt, or a line's next offer */
    struct url url;
    const char *to;
    bool json;
    uint8_t token[JWT_MAX];
    size_t token_n;

    enum state state;
    bool reached;    /* some connection was opened */
    bool quitting;   /* nothing more is to be done but the goodbye */
    bool done;       /* and that is said */
    bool eof;        /* of standard input */
    bool under_way;  /* `line` was sent and is not answered */
    bool held;       /* `line` is offered again later */
    bool skipping;   /* the rest of a line that is too long */
    int64_t steady;  /* loop.now when we registered */
    int64_t backoff; /* ms */
    uint32_t number; /* of the line, from 1 */
    struct buf user; /* who we are */
    struct buf typed, line, frame, text;
    enum exit_status status;
};

/* ---- what people see --------------------------------------------------------------------- */

/* One character of well-formed UTF-8; returns its bytes. */
static size_t decode(struct slice s, uint32_t *c)
{
    static const uint8_t masks[] = {0x7f, 0x1f, 0x0f, 0x07};
    size_t more = s.p[0] < 0xc0 ? 0 : s.p[0] < 0xe0 ? 1 : s.p[0] < 0xf0 ? 2 : 3;
    *c = s.p[0] & masks[more];
    for (size_t i = 1; i <= more; i++)
        *c = *c << 6 | (s.p[i] & 0x3f);
    return more + 1;
}

/*
 * Text of somebody else: nothing in it may drive the terminal, forge a line or turn the reading
 * direction around. s is well-formed.
 */
static void print_safe(FILE *out, struct slice s)
{
    while (s.n) {
        uint32_t c;
        size_t n = decode(s, &c);
        if (c == '\n')
            fputs("\\n", out);
        else if (c < 0x20 || c == 0x7f)
            fprintf(out, "\\x%02X", (unsigned)c);
        else if ((c >= 0x80 && c < 0xa0) || (c >= 0x2028 && c <= 0x202e) ||
                 (c >= 0x2066 && c <= 0x2069))
            fprintf(out, "\\u{%X}", (unsigned)c);
        else
            fwrite(s.p, 1, n, out);
        s = slice_skip(s, n);
    }
}

__attribute__((format(printf, 1, 2))) static void say(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("parley: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
}

/* Says something about the present line, of which it shows the beginning. */
static void say_of_line(const struct client *c, const char *what, struct slice why)
{
    size_t n = c->line.n;
    if (n > 60) /* not inside a character */
        for (n = 60; n && (c->line.p[n] & 0xc0) == 0x80; n--)
            ;
    fprintf(stderr, "parley: line %u %s", c->number, what);
    if (why.n)
        fputs(": ", stderr);
    print_safe(stderr, why);
    fputs(" (\"", stderr);
    print_safe(stderr, slice_of(c->line.p, n));
    fputs(n < c->line.n ? "...\")\n" : "\")\n", stderr);
}

/* ---- what the server says ---------------------------------------------------------------- */

/* The last member of that name; null if there is none. The text was checked by wire_read. */
static struct json_value member(struct json_value object, const char *name)
{
    struct json_reader r;
    struct json_value key, value, found = {.type = JSON_NULL};
    if (object.type == JSON_OBJECT && json_open_object(&r, object.raw))
        while (json_next_member(&r, &key, &value) == JSON_ITEM)
            if (json_string_eq(key, slice_str(name)))
                found = value;
    return found;
}

/* The text of a string; empty where it is none. It lies in c->text until the next call. */
static struct slice text_of(struct client *c, struct json_value v)
{
    buf_clear(&c->text);
    uint8_t *to = v.type == JSON_STRING ? buf_reserve(&c->text, v.raw.n) : NULL;
    ptrdiff_t n = to ? json_string_decode(v, to) : 0;
    return n > 0 ? slice_of(to, (size_t)n) : SLICE("");
}

static void print_user(struct client *c, struct json_value id)
{
    print_safe(stdout, text_of(c, id));
}

static void print_message(struct client *c, struct json_value m)
{
    uint64_t date = 0;
    struct tm tm;
    char when[16] = "--:--";
    if (!json_integer(member(m, "date"), &date))
        date = 0;
    time_t seconds = (time_t)(date / 1000);
    if (localtime_r(&seconds, &tm))
        strftime(when, sizeof when, "%H:%M", &tm);
    printf("%s ", when);
    struct json_value from = member(m, "from");
    print_user(c, from);
    /* What another device of ours sent. */
    if (json_string_eq(from, buf_slice(&c->user))) {
        fputs(" -> ", stdout);
        print_user(c, member(m, "to"));
    }
    fputs(": ", stdout);
    print_user(c, member(m, "content"));
    putchar('\n');
}

static void print_event(struct client *c, const struct envelope *e)
{
    if (json_string_eq(e->event, SLICE("message"))) {
        print_message(c, e->data);
    } else if (json_string_eq(e->event, SLICE("startWriting"))) {
        print_user(c, member(e->data, "id"));
        puts(" is writing");
    } else if (json_string_eq(e->event, SLICE("stopWriting"))) {
        print_user(c, member(e->data, "id"));
        puts(" stopped writing");
    }
}

static void send_line(struct client *c)
{
    char ref[16];
    int n = snprintf(ref, sizeof ref, "%u", c->number);
    buf_clear(&c->text);
    buf_clear(&c->frame);
    buf_append_lit(&c->text, "{\"to\":");
    wire_write_string(&c->text, slice_str(c->to));
    buf_append_lit(&c->text, ",\"content\":");
    wire_write_string(&c->text, buf_slice(&c->line));
    buf_append_lit(&c->text, "}");
    wire_write(&c->frame, FRAMING_NATIVE,
               &(struct event){.name = SLICE("message"),
                               .data = wire_json(&c->text),
                               .ref = slice_of(ref, (size_t)n)});
    websocket_send(&c->ws, FRAME_TEXT, buf_slice(&c->frame));
    c->under_way = true;
    c->held = false;
}

static void quit(struct client *c)
{
    c->quitting = true;
    if (c->state == OFFLINE)
        c->done = true;
    else
        websocket_close(&c->ws, CLOSE_NORMAL, "");
}

static void registered(struct client *c, struct json_value meta)
{
    struct slice user = text_of(c, member(meta, "user"));
    buf_clear(&c->user);
    buf_append_slice(&c->user, user);
    c->state = READY;
    c->steady = c->loop.now;
    if (c->held)
        send_line(c);
}

static bool is_fatal(struct json_value code)
{
    return json_string_eq(code, SLICE("bad_token")) ||
           json_string_eq(code, SLICE("token_expired")) ||
           json_string_eq(code, SLICE("bad_request"));
}

static void refused(struct client *c, const struct envelope *e, struct json_value code)
{
    if (c->state == REGISTERING && is_fatal(code)) {
        fputs("parley: the server refused to register us: ", stderr);
        print_safe(stderr, text_of(c, e->data));
        fputc('\n', stderr);
        c->status = EXIT_USAGE_ERROR;
        quit(c);
    } else if (c->under_way && e->ref.n) {
        c->under_way = false;
        c->held = json_string_eq(code, SLICE("rate_limited"));
        if (c->held)
            loop_set_timer(&c->loop, &c->later, SLOW_DOWN_MS);
        else
            say_of_line(c, "was refused", text_of(c, e->data));
    } else {
        fputs("parley: ", stderr);
        print_safe(stderr, text_of(c, e->data));
        fputc('\n', stderr);
    }
}

/* Answers bear the ref of what they answer; of those there is one at a time. */
static void on_message(struct websocket *ws, enum frame_opcode opcode, struct slice message)
{
    struct client *c = container_of(ws, struct client, ws);
    struct envelope e;
    const char *why;
    (void)opcode; /* text_only */
    if (wire_read(FRAMING_NATIVE, message, &e, &why)) {
        say("the server sent what is no event: %s", why);
        websocket_close(ws, CLOSE_POLICY, "events are expected");
        return;
    }
    struct json_value meta = member((struct json_value){.type = JSON_OBJECT, .raw = message}, "met"
                                                                                              "a");
    if (json_string_eq(e.event, SLICE("info"))) {
        refused(c, &e, member(meta, "code"));
    } else if (json_string_eq(e.event, SLICE("registerMessages"))) {
        registered(c, meta);
    } else if (e.ref.n) {
        c->under_way = false;
    } else if (!c->json) {
        print_event(c, &e);
    }
    if (c->json)
        printf("%.*s\n", SLICE_FMT(message));
    fflush(stdout);
}

/* ---- the connection ---------------------------------------------------------------------- */

static void begin_attempt(struct client *c)
{
    c->state = CONNECTING;
    int result = websocket_connect(&c->ws, &c->kind, &c->url.address, c->url.host, c->url.path);
    if (result == 0) {
        stream_set_timer(&c->ws.stream, CONNECT_MS);
    } else { /* as if it had been closed at once */
        c->ws.stream.error = (uint16_t)-result;
        c->kind.on_closed(&c->ws);
    }
}

static void on_open(struct websocket *ws)
{
    struct client *c = container_of(ws, struct client, ws);
    c->state = REGISTERING;
    c->reached = true;
    buf_clear(&c->text);
    buf_clear(&c->frame);
    buf_append_lit(&c->text, "{\"token\":");
    wire_write_string(&c->text, slice_of(c->token, c->token_n));
    buf_append_lit(&c->text, "}");
    wire_write(&c->frame, FRAMING_NATIVE,
               &(struct event){.name = SLICE("registerMessages"), .data = wire_json(&c->text)});
    websocket_send(ws, FRAME_TEXT, buf_slice(&c->frame));
    stream_set_timer(&ws->stream, SILENCE_MS);
}

/* The server may have gone without a word: whoever is silent is asked. */
static void on_timer(struct websocket *ws)
{
    struct client *c = container_of(ws, struct client, ws);
    uint32_t silent = stream_silent_ms(&ws->stream);
    if (c->state <= CONNECTING || silent >= 2 * SILENCE_MS) {
        ws->stream.error = ETIMEDOUT;
        stream_close(&ws->stream);
        return;
    }
    if (silent >= SILENCE_MS)
        websocket_send(ws, FRAME_PING, SLICE(""));
    stream_set_timer(&ws->stream, SILENCE_MS);
}

/* Between half of the time and the whole, so that not all clients of a server come back at once. */
static int64_t jittered(struct client *c, int64_t ms)
{
    uint32_t random;
    if (random_u32(&c->streams.random, &random))
        random = 0;
    return ms / 2 + (int64_t)(random % (uint32_t)(ms / 2 + 1));
}

static void come_back(struct client *c, const char *why)
{
    if (c->state == READY && c->loop.now - c->steady >= STEADY_MS)
        c->backoff = BACKOFF_FIRST_MS;
    int64_t wait = jittered(c, c->backoff);
    say("the connection is gone (%s); next attempt in %.1f s", why, (double)wait / 1000);
    c->backoff = 2 * c->backoff < BACKOFF_LAST_MS ? 2 * c->backoff : BACKOFF_LAST_MS;
    loop_set_timer(&c->loop, &c->later, wait);
}

static void on_closed(struct websocket *ws)
{
    struct client *c = container_of(ws, struct client, ws);
    char code[32];
    const char *why = "closed by the server";
    if (ws->stream.error)
        why = strerror(ws->stream.error);
    else if (c->state == CONNECTING)
        why = "no WebSocket is offered there";
    else if (ws->code != CLOSE_ABNORMAL) {
        snprintf(code, sizeof code, "close code %u", ws->code);
        why = code;
    }
    if (c->under_way) {
        say_of_line(c, "was not confirmed; it may have been sent or not", SLICE(""));
        c->under_way = false;
        c->status = EXIT_SYSTEM;
    }
    if (c->quitting || (c->eof && c->typed.n == 0 && !c->held)) {
        c->done = true;
    } else if (!c->reached) {
        say("cannot reach the server: %s", why);
        c->status = EXIT_SYSTEM;
        c->done = true;
    } else {
        come_back(c, why);
    }
    c->state = OFFLINE;
}

static void on_later(struct source *s)
{
    struct client *c = container_of(s, struct client, later);
    if (c->state == OFFLINE)
        begin_attempt(c);
    else if (c->state == READY && c->held)
        send_line(c);
}

/* ---- standard input ---------------------------------------------------------------------- */

/* Watched only while a line is wanted: a pipe whose other end is gone is always ready. */
static void watch_input(struct client *c, bool wanted)
{
    if (!wanted) {
        loop_unwatch(&c->loop, &c->input);
    } else if (c->input.fd < 0) {
        c->input.fd = STDIN_FILENO;
        /* Regular files cannot be watched; they are always ready. */
        if (loop_watch(&c->loop, &c->input, EPOLLIN)) {
            c->input.fd = -1;
            c->input.kind->ready(&c->input, EPOLLIN);
            c->loop.busy = true;
        }
    }
}

static void on_input(struct source *s, uint32_t events)
{
    struct client *c = container_of(s, struct client, input);
    (void)events;
    uint8_t *to = buf_reserve(&c->typed, 16 << 10);
    ssize_t n = to ? read(STDIN_FILENO, to, 16 << 10) : -1;
    if (n > 0)
        c->typed.n += (size_t)n;
    else if (n == 0 || (errno != EAGAIN && errno != EINTR))
        c->eof = true;
}

/* Moves the next line to c->line; false: none is whole yet. */
static bool take_line(struct client *c)
{
    uint8_t *end = c->typed.n ? memchr(c->typed.p, '\n', c->typed.n) : NULL;
    bool cut = !end && c->typed.n > LINE_ROOM;
    if (!end && !cut && (!c->eof || c->typed.n == 0))
        return false;
    size_t n = end ? (size_t)(end - c->typed.p) : c->typed.n;
    bool rest_of_long = c->skipping;
    buf_clear(&c->line);
    buf_append(&c->line, c->typed.p, n);
    buf_drop(&c->typed, end ? n + 1 : n);
    c->skipping = cut;
    c->number += !rest_of_long;
    if (cut && !rest_of_long)
        say("line %u is over 128 KiB and is not sent", c->number);
    if (cut || rest_of_long)
        buf_clear(&c->line);
    return true;
}

/* Whether this line can be sent; without --to nothing is. */
static bool line_is_good(const struct client *c)
{
    if (!c->to || c->line.n == 0)
        return false;
    if (utf8_valid(buf_slice(&c->line)))
        return true;
    say("line %u is not UTF-8 and is not sent", c->number);
    return false;
}

/* Once a turn, when all that came in is known: what is to be sent, or whether that was all. */
static void settle(void *ctx)
{
    struct client *c = ctx;
    bool idle = c->state == READY && !c->under_way && !c->held && !c->quitting;
    while (idle && take_line(c)) {
        if (line_is_good(c)) {
            send_line(c);
            idle = false;
        }
    }
    if (idle && c->eof)
        quit(c);
    watch_input(c, idle && !c->eof);
}

/* ---- beginning and end ------------------------------------------------------------------- */

static void on_signal(struct source *s, uint32_t events)
{
    struct client *c = container_of(s, struct client, signals);
    struct signalfd_siginfo info;
    (void)events;
    while (read(s->fd, &info, sizeof info) == (ssize_t)sizeof info) {
        c->done = c->quitting; /* asked twice, it goes at once */
        quit(c);
    }
}

static int open_signals(struct client *c)
{
    static const struct source_kind signals = {.ready = on_signal};
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigprocmask(SIG_BLOCK, &set, NULL);
    source_init(&c->signals, &signals, signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC));
    return c->signals.fd < 0 ? -errno : loop_watch(&c->loop, &c->signals, EPOLLIN);
}

static int start(struct client *c)
{
    static const struct source_kind input = {.ready = on_input}, later = {.fire = on_later};
    int result = loop_init(&c->loop, &clock_system);
    if (result == 0)
        result = stream_set_init(&c->streams, &c->loop);
    if (result == 0)
        result = open_signals(c);
    c->kind = (struct websocket_kind){.text_only = true,
                                      .max_message = MAX_EVENT,
                                      .on_open = on_open,
                                      .on_message = on_message,
                                      .on_timer = on_timer,
                                      .on_closed = on_closed};
    websocket_kind_init(&c->kind, &c->streams, c);
    c->loop.settle = (struct loop_hook){settle, c};
    source_init(&c->input, &input, -1);
    source_init(&c->later, &later, -1);
    c->backoff = BACKOFF_FIRST_MS;
    return result;
}

static void stop(struct client *c)
{
    c->loop.settle.run = NULL;
    c->quitting = true;
    if (c->state != OFFLINE)
        stream_close(&c->ws.stream);
    while (c->streams.open && loop_turn(&c->loop, 0) >= 0)
        ;
    explicit_bzero(c->token, sizeof c->token);
    struct buf *bufs[] = {&c->user, &c->typed, &c->line, &c->frame, &c->text};
    for (size_t i = 0; i < sizeof bufs / sizeof *bufs; i++)
        buf_free(bufs[i]);
    if (c->signals.fd >= 0)
        close(c->signals.fd);
    stream_set_fini(&c->streams);
    loop_fini(&c->loop);
}

/* ---- options ----------------------------------------------------------------------------- */

struct options {
    const char *url, *token, *token_file, *to;
    bool json;
};

/* The token without what editors put around it: NULL, or what is wrong with it. */
static const char *take_token(struct client *c, struct slice text)
{
    while (text.n && strchr(" \t\r\n", text.p[text.n - 1]))
        text.n--;
    if (text.n == 0 || text.n > sizeof c->token)
        return "expected 1 to 4096 bytes";
    for (size_t i = 0; i < text.n; i++)
        if (text.p[i] <= ' ' || text.p[i] > '~')
            return "expected base64url and dots, as parley-token prints it";
    memcpy(c->token, text.p, text.n);
    c->token_n = text.n;
    return NULL;
}

static const char *read_token(struct client *c, const char *path)
{
    uint8_t bytes[JWT_MAX + 64]; /* with some newlines */
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, bytes, sizeof bytes);
    const char *why = n < 0 ? strerror(errno) : take_token(c, slice_of(bytes, (size_t)n));
    if (fd >= 0)
        close(fd);
    explicit_bzero(bytes, sizeof bytes);
    return why;
}

static int wrong(const char *what, const char *why)
{
    say("%s%s", what, why);
    return EXIT_USAGE_ERROR;
}

/* Judges the values: -1, or the exit status. */
static int take_options(struct client *c, const struct options *o)
{
    const char *why = url_parse(&c->url, o->url);
    if (why)
        return wrong("--url: ", why);
    if (!o->token == !o->token_file)
        return wrong("expected either --token or --token-file; parley-token makes a token", "");
    why = o->token ? take_token(c, slice_str(o->token)) : read_token(c, o->token_file);
    if (why)
        return wrong(o->token ? "--token: " : "--token-file: ", why);
    if (o->to && !userid_valid(slice_str(o->to)))
        return wrong("--to is no user id; ", "expected 1 to 64 bytes of UTF-8 without control "
                                             "characters");
    c->to = o->to;
    c->json = o->json;
    return -1;
}

/* -1: go on; otherwise the exit status. */
static int parse(struct client *c, int argc, char **argv)
{
    bool help = false, version = false;
    struct options o = {.url = "ws://127.0.0.1:8080/chat"};
    struct arg rows[] = {
        {"url", ARG_TEXT, &o.url, 0, 0, "URL",
         "ws://HOST:PORT/chat or ws+unix:SOCKET:/chat; default ws://127.0.0.1:8080/chat", 0},
        {"token", ARG_TEXT, &o.token, 0, 0, "TOKEN",
         "who you are; other users of the machine see it", 0},
        {"token-file", ARG_TEXT, &o.token_file, 0, 0, "FILE", "the same, from a file", 0},
        {"to", ARG_TEXT, &o.to, 0, 0, "USER", "whom to write to; without it nothing is sent", 0},
        {"json", ARG_FLAG, &o.json, 0, 0, NULL,
         "print what the server sends as it came, one JSON text a line", 0},
        {"version", ARG_FLAG, &version, 0, 0, NULL, "print the version", 0},
        {"help", ARG_FLAG, &help, 0, 0, NULL, "print this", 0},
        {0}};
    struct args_error error;
    int rest = args_parse(rows, argc, argv, &error);
    if (rest < 0)
        return wrong(error.text, "");
    if (help) {
        printf("usage: parley --token-file FILE [--url URL] [--to USER] [--json]\n"
               "Prints what arrives, and sends the lines of standard input to USER.\n"
               "Ends with standard input, when the server has answered for every line.\n\n");
        args_help(rows);
        return EXIT_CLEAN;
    }
    if (version) {
        printf("parley %s\n", PARLEY_VERSION);
        return EXIT_CLEAN;
    }
    if (rest < argc)
        return wrong("there is an argument that is no option; see --help", "");
    return take_options(c, &o);
}

int main(int argc, char **argv)
{
    static struct client c = {.signals = {.fd = -1}}; /* large: the loop's slots */
    int parsed = parse(&c, argc, argv);
    if (parsed >= 0)
        return parsed;
    int result = start(&c);
    if (result) {
        say("cannot start: %s", strerror(-result));
        return EXIT_SYSTEM;
    }
    begin_attempt(&c);
    while (!c.done && result >= 0)
        result = loop_turn(&c.loop, -1);
    if (result < 0) {
        say("the loop failed: %s", strerror(-result));
        c.status = EXIT_SYSTEM;
    }
    stop(&c);
    return (int)c.status;
}
