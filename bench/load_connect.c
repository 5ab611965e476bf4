/*
 * connect: each of the connections is opened, registered where there is a secret, cut off (by a reset,
 * which leaves no port waiting) and opened again.
 * idle: connections that are open, registered where there is a secret, and silent: what they cost.
 */
#include "load.h"

static void begin(struct load *load)
{
    load_begin(load);
    for (size_t i = 0; i < load->options.connections; i++)
        load_cut(&load->peers[i]);
}

static void ready(struct peer *p)
{
    if (p->load->phase < LOAD_WARMUP)
        return;
    load_latency(p->load, 0, p->opened_at);
    load_cut(p);
}

static bool closed(struct peer *p)
{
    return p->load->phase >= LOAD_WARMUP && load_reopen(p);
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
