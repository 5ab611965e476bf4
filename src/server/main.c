/*
 * parleyd: what is the process's: options, signals, limits, rights, systemd; the rest is server.h.
 */
#include "server/metrics.h"
#include "server/privileges.h"
#include "server/server.h"

#include <errno.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* Bytes of connections' memory whose giving back is worth some work. */
#define MUCH_MEMORY (8 << 20)

struct daemon {
    struct server server;
    struct source signals;
    int manager;        /* connected to the service manager; -1: there is none */
    size_t most_memory; /* of the connections since it was last given back */
};

/* sd_notify(3): a socket for datagrams, at the path that the service manager names; "@" stands for a
   zero. Connected at the start, since later there are no new connections. */
static int open_manager(void)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    size_t n = path ? strlen(path) : 0;
    if (n < 2 || n >= sizeof un.sun_path)
        return -1;
    memcpy(un.sun_path, path, n);
    if (un.sun_path[0] == '@')
        un.sun_path[0] = 0;
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (const struct sockaddr *)&un,
                           (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n)) < 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static void notify(const struct daemon *d, const char *text)
{
    if (d->manager >= 0)
        send(d->manager, text, strlen(text), MSG_NOSIGNAL);
}

static void print_metrics(const struct server *server)
{
    struct buf text = {0};
    metrics_write(&text, server);
    log_raw((const char *)text.p, text.n);
    buf_free(&text);
}

static void on_signal(struct source *s, uint32_t events)
{
    struct daemon *d = container_of(s, struct daemon, signals);
    struct signalfd_siginfo info;
    (void)events;
    while (read(s->fd, &info, sizeof info) == (ssize_t)sizeof info) {
        switch (info.ssi_signo) {
        case SIGHUP:
            server_reload(&d->server);
            break;
        case SIGUSR1:
            print_metrics(&d->server);
            break;
        default:
            notify(d, "STOPPING=1");
            server_drain(&d->server);
        }
    }
}

/* Signals are read from a descriptor, by the loop; blocked before any thread starts. */
static int open_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGCHLD, SIG_IGN); /* a container's first process inherits children of others */
    signal(SIGXFSZ, SIG_IGN); /* a write over the limit fails with EFBIG instead */
    return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

/* Takes as many descriptors as we may have. */
static void raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

static enum exit_status become_user(const char *user, struct server_error *error)
{
    int result = user ? privileges_drop(user) : 0;
    if (!result)
        return EXIT_CLEAN;
    return server_fail(error, result == -ENOENT ? EXIT_USAGE_ERROR : EXIT_SYSTEM,
                       "cannot become user %.64s: %s", user,
                       result == -ENOENT ? "there is none of that name" : strerror(-result));
}

static enum exit_status confine_process(const struct server *server, struct server_error *error)
{
    const struct config *config = server->config;
    const char *sockets[ARGS_LIST_MAX + 1];
    struct confine_places places = {config->data, server->secret_path, sockets, 0};
    struct confine_error why;
    for (size_t i = 0; i <= config->listen.n; i++) {
        const char *text = i < config->listen.n ? config->listen.items[i] : config->admin;
        if (text && strncmp(text, "unix:", 5) == 0)
            sockets[places.sockets_n++] = text + 5;
    }
    if (confine(config->confine, &places, &server->log, &why))
        return server_fail(error, EXIT_SYSTEM, "%s; --confine=yes would start all the same",
                           why.text);
    return EXIT_CLEAN;
}

static enum exit_status start(struct server *server, struct server_error *error)
{
    enum exit_status status = server_listen(server, error);
    if (status == EXIT_CLEAN)
        status = become_user(server->config->user, error);
    if (status == EXIT_CLEAN)
        status = server_open_data(server, error);
    /* Before the first thread, and before a byte from outside is read: the log is the first. */
    if (status == EXIT_CLEAN)
        status = confine_process(server, error);
    return status == EXIT_CLEAN ? server_open_log(server, error) : status;
}

static void print_ready(const struct server *server)
{
    char text[ADDRESS_TEXT];
    for (size_t i = 0; i < server->listeners_n; i++) {
        address_format(text, &server->listeners[i].address);
        fprintf(stderr, "parleyd: listening on %s\n", text);
    }
    if (server->admin.source.fd >= 0) {
        address_format(text, &server->admin.address);
        fprintf(stderr, "parleyd: admin on %s\n", text);
    }
}

/* glibc keeps what lies below anything that is in use: after a great deal was given up, it is told to
   return it. Other libcs return it by themselves. */
static void give_memory_back(struct daemon *d)
{
    size_t now = d->server.streams.memory;
    if (now > d->most_memory)
        d->most_memory = now;
    if (d->most_memory < MUCH_MEMORY || now > d->most_memory / 2)
        return;
    d->most_memory = now;
#ifdef __GLIBC__
    malloc_trim(0);
#endif
}

static enum exit_status run(struct daemon *d, const struct config *config)
{
    static const struct source_kind signals = {.ready = on_signal};
    struct server_error error;
    source_init(&d->signals, &signals, open_signals());
    if (d->signals.fd < 0) {
        fprintf(stderr, "parleyd: signalfd: %s\n", strerror(errno));
        return EXIT_SYSTEM;
    }
    d->manager = open_manager();
    raise_descriptor_limit();
    d->server.config = config;
    d->server.log.program = "parleyd";
    enum exit_status status = start(&d->server, &error);
    if (status != EXIT_CLEAN) {
        fprintf(stderr, "parleyd: %s\n", error.text);
        server_close(&d->server);
        return status;
    }
    print_ready(&d->server);
    int result = loop_watch(&d->server.loop, &d->signals, EPOLLIN);
    if (result == 0) {
        notify(d, "READY=1");
        while ((result = server_turn(&d->server, -1)) > 0)
            give_memory_back(d);
    }
    if (result)
        fprintf(stderr, "parleyd: the loop failed: %s\n", strerror(-result));
    status = server_close(&d->server);
    return result ? EXIT_SYSTEM : status;
}

int main(int argc, char **argv)
{
    static struct daemon daemon; /* large: the loop's slots */
    struct config config;
    struct args_error error;
    enum exit_status status = EXIT_CLEAN;
    switch (config_parse(&config, argc, argv, NULL, &error)) {
    case CONFIG_OK:
        status = run(&daemon, &config);
        break;
    case CONFIG_BAD:
        fprintf(stderr, "parleyd: %s\n", error.text);
        status = EXIT_USAGE_ERROR;
        break;
    case CONFIG_DONE:
        break;
    }
    config_free(&config);
    return (int)status;
}
