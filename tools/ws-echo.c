/*
 * ws-echo: the WebSocket layer alone. Every path takes an upgrade, and every message comes back as
 * it was: for conformance suites and benchmarks.
 */
#include "base/args.h"
#include "base/exit.h"
#include "base/version.h"
#include "net/listener.h"
#include "net/websocket.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define DRAIN_MS 5000 /* how long the connections have for their goodbyes */

struct echo {
    struct loop loop;
    struct stream_set streams;
    struct websocket_kind kind;
    struct listener listeners[ARGS_LIST_MAX];
    size_t listeners_n;
    struct list open; /* struct connection */
    struct source signals;
    bool draining;
    int64_t drain_until; /* loop.now */
};

struct options {
    struct arg_list listen;
    uint32_t max_frame;
};

struct connection {
    struct websocket ws;
    struct list link;
};

/* ---- connections ------------------------------------------------------------------------- */

static void on_request(struct websocket *ws, const struct http_head *request)
{
    websocket_upgrade(ws, request);
}

static void on_message(struct websocket *ws, enum frame_opcode opcode, struct slice message)
{
    websocket_send(ws, opcode, message);
}

static void on_closed(struct websocket *ws)
{
    struct connection *c = container_of(ws, struct connection, ws);
    list_remove(&c->link);
    free(c);
}

static void accepted(struct listener *l, int fd, const struct address *peer)
{
    struct echo *e = l->ctx;
    struct connection *c = malloc(sizeof *c);
    (void)peer;
    if (!c) {
        close(fd);
    } else if (websocket_accept(&c->ws, &e->kind, fd)) {
        free(c);
    } else {
        list_init(&c->link);
        list_append(&e->open, &c->link);
    }
}

/* ---- beginning and end ------------------------------------------------------------------- */

static void close_listeners(struct echo *e)
{
    for (size_t i = 0; i < e->listeners_n; i++)
        listener_close(&e->listeners[i]);
}

static void on_signal(struct source *s, uint32_t events)
{
    struct echo *e = container_of(s, struct echo, signals);
    struct signalfd_siginfo info;
    (void)events;
    while (read(s->fd, &info, sizeof info) == (ssize_t)sizeof info) {
        /* Asked twice, it goes at once. */
        e->drain_until = e->draining ? 0 : e->loop.now + DRAIN_MS;
        e->draining = true;
    }
    close_listeners(e);
    LIST_EACH(link, &e->open)
    {
        websocket_close(&container_of(link, struct connection, link)->ws, CLOSE_GOING_AWAY,
                        "the server is shutting down");
    }
}

static int open_signals(struct echo *e)
{
    static const struct source_kind signals = {.ready = on_signal};
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigprocmask(SIG_BLOCK, &set, NULL);
    source_init(&e->signals, &signals, signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC));
    return e->signals.fd < 0 ? -errno : loop_watch(&e->loop, &e->signals, EPOLLIN);
}

static enum exit_status open_listener(struct echo *e, const char *text)
{
    struct address address;
    struct listener *l = &e->listeners[e->listeners_n];
    char found[ADDRESS_TEXT];
    const char *why = address_parse(&address, text);
    if (why) {
        fprintf(stderr, "ws-echo: \"%.100s\" is no address: %s\n", text, why);
        return EXIT_USAGE_ERROR;
    }
    int result = listener_open(l, &e->loop, &address, accepted, e);
    if (result) {
        fprintf(stderr, "ws-echo: cannot listen on %.100s: %s\n", text, strerror(-result));
        return EXIT_SYSTEM;
    }
    e->listeners_n++;
    address_format(found, &l->address);
    fprintf(stderr, "ws-echo: listening on %s\n", found);
    return EXIT_CLEAN;
}

static int start(struct echo *e, const struct options *options)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    list_init(&e->open);
    int result = loop_init(&e->loop, &clock_system);
    if (result == 0)
        result = stream_set_init(&e->streams, &e->loop);
    if (result == 0)
        result = open_signals(e);
    e->kind = (struct websocket_kind){.server = true,
                                      .max_message = options->max_frame,
                                      .on_request = on_request,
                                      .on_message = on_message,
                                      .on_closed = on_closed};
    websocket_kind_init(&e->kind, &e->streams, e);
    return result;
}

static enum exit_status run(struct echo *e)
{
    while (!e->draining || (e->streams.open && e->loop.now < e->drain_until)) {
        int result = loop_turn(&e->loop, e->draining ? 50 : -1);
        if (result < 0) {
            fprintf(stderr, "ws-echo: the loop failed: %s\n", strerror(-result));
            return EXIT_SYSTEM;
        }
    }
    return EXIT_CLEAN;
}

static void stop(struct echo *e)
{
    close_listeners(e);
    LIST_EACH(link, &e->open)
    {
        stream_close(&container_of(link, struct connection, link)->ws.stream);
    }
    while (e->streams.open && loop_turn(&e->loop, 0) >= 0)
        ;
    if (e->signals.fd >= 0)
        close(e->signals.fd);
    stream_set_fini(&e->streams);
    loop_fini(&e->loop);
}

static int wrong(const char *text)
{
    fprintf(stderr, "ws-echo: %s\n", text);
    return EXIT_USAGE_ERROR;
}

/* -1: go on; otherwise the exit status. */
static int parse(struct options *out, int argc, char **argv)
{
    bool help = false, version = false;
    *out = (struct options){.max_frame = 16 << 20};
    struct arg rows[] = {
        {"listen", ARG_LIST, &out->listen, 0, 0, "ADDR",
         "HOST:PORT, [V6]:PORT or unix:PATH; several times; port 0 takes a free one", 0},
        {"max-frame", ARG_NUMBER, &out->max_frame, 1, 1 << 30, "BYTES",
         "of one message; default 16777216", 0},
        {"version", ARG_FLAG, &version, 0, 0, NULL, "print the version", 0},
        {"help", ARG_FLAG, &help, 0, 0, NULL, "print this", 0},
        {0}};
    struct args_error error;
    int rest = args_parse(rows, argc, argv, &error);
    if (rest < 0)
        return wrong(error.text);
    if (help) {
        printf("usage: ws-echo --listen ADDR [OPTION]...\n"
               "Sends every WebSocket message back, on any path.\n\n");
        args_help(rows);
        return EXIT_CLEAN;
    }
    if (version) {
        printf("ws-echo %s\n", PARLEY_VERSION);
        return EXIT_CLEAN;
    }
    if (rest < argc) {
        fprintf(stderr, "ws-echo: \"%.60s\" is no option; see --help\n", argv[rest]);
        return EXIT_USAGE_ERROR;
    }
    if (out->listen.n == 0)
        return wrong("--listen is missing; expected an address like 127.0.0.1:9001");
    return -1;
}

int main(int argc, char **argv)
{
    static struct echo echo = {.signals = {.fd = -1}}; /* large: the loop's slots */
    struct options options;
    int parsed = parse(&options, argc, argv);
    if (parsed >= 0)
        return parsed;
    int result = start(&echo, &options);
    if (result) {
        fprintf(stderr, "ws-echo: cannot start: %s\n", strerror(-result));
        return EXIT_SYSTEM;
    }
    enum exit_status status = EXIT_CLEAN;
    for (size_t i = 0; i < options.listen.n && status == EXIT_CLEAN; i++)
        status = open_listener(&echo, options.listen.items[i]);
    if (status == EXIT_CLEAN)
        status = run(&echo);
    stop(&echo);
    return (int)status;
}
