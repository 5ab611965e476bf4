/*
 * mixed: a day in the life of a server, in an open loop. Most users are connected and silent. Ten talks
 * go on at a time, each of another pair, in ten steps: one of the two opens the app (its list of
 * conversations, the newest page of this one), both write, with what tells that they write, four messages
 * in all, and in every second talk the first one loses its connection at the end and comes back.
 *
 * The rate is that of steps; a latency counts from when its step was due. What is read is a list or a
 * page.
 */
#include "load.h"

#include <stdio.h>
#include <stdlib.h>

#define TALKS 10 /* at a time */
#define STEPS 10
#define STRIDE 7919 /* from pair to pair: a prime, so that all come in turn */
#define AWAITED 64

enum { ACKNOWLEDGED, DELIVERED, READ, RECONNECTED, KINDS };

/* When what a user waits for was due, first in first out. */
struct waiting {
    uint64_t since[KINDS][AWAITED];
    uint32_t asked[KINDS], answered[KINDS];
    bool away;     /* its connection is being opened again */
    uint64_t lost; /* its connection is to be cut, due at; 0: it is not */
};

static struct waiting *waiting_of(const struct peer *p)
{
    return (struct waiting *)p->load->own + (p - p->load->peers);
}

static void await(struct peer *p, unsigned kind, uint64_t since)
{
    struct waiting *w = waiting_of(p);
    if (w->asked[kind] - w->answered[kind] == AWAITED)
        load_give_up(p->load, EXIT_SYSTEM, "the server is %d answers to one user behind", AWAITED);
    w->since[kind][w->asked[kind]++ % AWAITED] = since;
}

/* Once all that it has sent is acknowledged: the other one waits for that. What is on its way to it is
   forgotten. */
static void reconnect(struct peer *p)
{
    struct waiting *w = waiting_of(p);
    uint64_t due = w->lost;
    if (!due || w->answered[ACKNOWLEDGED] != w->asked[ACKNOWLEDGED])
        return;
    *w = (struct waiting){.away = true};
    await(p, RECONNECTED, due);
    load_cut(p);
}

/* What comes without being awaited was on its way when the connection was cut. */
static void got(struct peer *p, unsigned kind)
{
    struct waiting *w = waiting_of(p);
    if (w->answered[kind] != w->asked[kind])
        load_latency(p->load, kind, w->since[kind][w->answered[kind]++ % AWAITED]);
}

static void tell(struct peer *p, const char *event)
{
    char other[32], text[160];
    load_pair_user(other, (size_t)(p->other - p->load->peers));
    int n = snprintf(text, sizeof text, "{\"event\":\"%s\",\"data\":{\"id\":\"%s\",\"limit\":50}}",
                     event, other);
    websocket_send(&p->ws, FRAME_TEXT, slice_of(text, (size_t)n));
}

static void write_message(struct peer *p, uint64_t due)
{
    await(p, ACKNOWLEDGED, due);
    await(p->other, DELIVERED, due);
    stream_write(&p->ws.stream, buf_slice(p->frame));
}

static void step(struct peer *a, unsigned step, bool loses, uint64_t due)
{
    struct peer *b = a->other;
    switch (step) {
    case 0:
        await(a, READ, due);
        websocket_send(&a->ws, FRAME_TEXT, SLICE("{\"event\":\"snippets\",\"ref\":1}"));
        break;
    case 1:
        await(a, READ, due);
        tell(a, "conversation");
        break;
    case 2:
        tell(a, "startWriting");
        break;
    case 4:
        tell(b, "startWriting");
        break;
    case 3:
    case 6:
        write_message(a, due);
        break;
    case 5:
    case 8:
        write_message(b, due);
        break;
    case 7:
        tell(a, "stopWriting");
        break;
    default:
        waiting_of(a)->lost = loses ? due : 0;
        reconnect(a);
    }
}

/* The engine's one sender stands for all of them: its messages are the steps. */
static void send_step(struct peer *p)
{
    struct load *load = p->load;
    uint64_t number = p->sent - 1, talk = number / (TALKS * STEPS) * TALKS + number % TALKS;
    size_t pair = (size_t)(talk * STRIDE % (load->options.connections / 2));
    struct peer *a = &load->peers[2 * pair];
    if (!waiting_of(a)->away)
        step(a, (unsigned)(number / TALKS % STEPS), talk % 2 == 0, load_due(load, number));
}

static bool make(struct load *load)
{
    load->senders = 1;
    load->own = calloc(load->options.connections, sizeof(struct waiting));
    return load->own && load_make_pairs(load);
}

static void message(struct peer *p, struct slice m)
{
    if (load_begins(m, LOAD_ACKNOWLEDGED)) {
        got(p, ACKNOWLEDGED);
        reconnect(p);
    } else if (load_begins(m, LOAD_DELIVERED)) {
        got(p, DELIVERED);
    } else if (load_begins(m, LOAD_PAGE) || load_begins(m, LOAD_END)) {
        got(p, READ);
    }
}

static void ready(struct peer *p)
{
    struct waiting *w = waiting_of(p);
    if (w->away)
        got(p, RECONNECTED);
    w->away = false;
}

static bool closed(struct peer *p)
{
    return waiting_of(p)->away && load_reopen(p);
}

const struct load_mode load_mixed = {
    .name = "mixed",
    .help = "a day: silent users, talks, typing, reading, lost connections, at a fixed rate",
    .series = {"acknowledged", "delivered", "read", "reconnected"},
    .connections = 1000,
    .chat = true,
    .pairs = true,
    .rate = 1000,
    .user = load_pair_user,
    .make = make,
    .send = send_step,
    .message = message,
    .ready = ready,
    .closed = closed,
};
