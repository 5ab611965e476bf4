/*
 * parleyd: options, signals, systemd; the rest is server.h.
 */
#include "server/metrics.h"
#include "server/server.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct daemon {
    struct server server;
    struct watch signals;
    int manager; /* connected to the service manager; -1: there is none */
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

static void on_signal(struct watch *w, uint32_t events)
{
    struct daemon *d = container_of(w, struct daemon, signals);
    struct signalfd_siginfo info;
    (void)events;
    while (read(w->fd, &info, sizeof info) == (ssize_t)sizeof info) {
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
    signal(SIGXFSZ, SIG_IGN); /* a write over the limit fails with EFBIG instead */
    return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

static enum exit_status run(struct daemon *d, const struct config *config)
{
    struct server_error error;
    d->signals = (struct watch){.fd = open_signals(), .ready = on_signal};
    if (d->signals.fd < 0) {
        fprintf(stderr, "parleyd: signalfd: %s\n", strerror(errno));
        return EXIT_SYSTEM;
    }
    d->manager = open_manager();
    enum exit_status status = server_open(&d->server, config, &error);
    if (status != EXIT_CLEAN) {
        fprintf(stderr, "parleyd: %s\n", error.text);
        return status;
    }
    int result = loop_watch(&d->server.loop, &d->signals, EPOLLIN);
    if (result == 0) {
        notify(d, "READY=1");
        result = server_run(&d->server);
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
    switch (config_parse(&config, argc, argv, &error)) {
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
