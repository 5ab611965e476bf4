/* echo: any server that sends back what it gets; a message ends when it has come back. */
#include "load.h"

static bool make(struct load *load)
{
    const struct load_options *o = &load->options;
    struct buf *frame = &load->frames[0];
    if (o->protocol == LOAD_SOCKETIO)
        load_frame(frame, SLICE("42[\"message\",\""), o->size, SLICE("\"]"));
    else if (o->protocol == LOAD_WEBSOCKET)
        load_frame(frame, SLICE(""), o->size, SLICE(""));
    else
        load_raw(frame, o->size);
    for (size_t i = 0; i < o->connections; i++)
        load->peers[i].frame = frame;
    return !frame->failed;
}

static void message(struct peer *p, struct slice m)
{
    size_t expected =
        p->load->options.size +
        (p->load->options.protocol == LOAD_SOCKETIO ? sizeof "42[\"message\",\"\"]" - 1 : 0);
    if (m.n != expected || p->acknowledged == p->sent) {
        load_give_up(p->load, EXIT_SYSTEM,
                     "the server does not echo: %zu bytes came back instead of %zu", m.n, expected);
        return;
    }
    load_count(p, p->acknowledged, 0);
    p->delivered = ++p->acknowledged;
    load_fill(p);
}

const struct load_mode load_echo = {
    .name = "echo",
    .help = "any echo server; a message ends when it has come back",
    .series = {"echoed"},
    .connections = 100,
    .make = make,
    .message = message,
};
