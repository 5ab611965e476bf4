/*
 * connect: each of the connections is opened, registered where there is a secret, cut off (by a reset,
 * which leaves no port waiting) and opened again.
 * idle: connections that are open, registered where there is a secret, and silent: what they cost.
 */
#include "load.h"

#include <string.h>

static void cut(struct peer *p)
{
    const struct linger none = {.l_onoff = 1};
    setsockopt(p->ws.stream.watch.fd, SOL_SOCKET, SO_LINGER, &none, sizeof none);
    stream_close(&p->ws.stream);
}

static void begin(struct load *load)
{
    load_begin(load);
    for (size_t i = 0; i < load->options.connections; i++)
        cut(&load->peers[i]);
}

static void ready(struct peer *p)
{
    if (p->load->phase < LOAD_WARMUP)
        return;
    load_latency(p->load, 0, p->opened_at);
    cut(p);
}

static bool closed(struct peer *p)
{
    if (p->load->phase < LOAD_WARMUP || p->ws.stream.error)
        return false;
    int result = load_connect_peer(p->load, p);
    if (result)
        load_give_up(p->load, EXIT_SYSTEM, "cannot connect: %s", strerror(-result));
    return true;
}

const struct load_mode load_connect = {
    .name = "connect",
    .help = "connections that are opened (with --secret-file: registered), cut and opened again",
    .series = {"connected"},
    .connections = 10,
    .user = load_pair_user,
    .prepare = begin,
    .ready = ready,
    .closed = closed,
};

const struct load_mode load_idle = {
    .name = "idle",
    .help = "the memory of connections that say nothing; with --secret-file they are registered",
    .connections = 5000,
    .user = load_pair_user,
};
