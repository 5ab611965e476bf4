/*
 * chat: pairs of users who write to each other; a message ends when it has been acknowledged to the one
 * and delivered to the other.
 * fan-out: one user writes to another one, who has many devices; a message ends when all have got it.
 */
#include "load.h"

#include <stdio.h>

void load_pair_user(char out[32], size_t index)
{
    snprintf(out, 32, "bench-%zu-%c", index / 2, index % 2 ? 'b' : 'a');
}

static bool make_one(struct load *load, size_t i, size_t to)
{
    char name[32], head[128];
    if (load->options.protocol == LOAD_TCP) {
        load_raw(&load->frames[i], load->options.size);
        return !load->frames[i].failed;
    }
    load->options.mode->user(name, to);
    bool socketio = load->options.protocol == LOAD_SOCKETIO;
    snprintf(head, sizeof head, "%s{\"to\":\"%s\",\"content\":\"",
             socketio ? "42[\"message\"," : "{\"event\":\"message\",\"data\":", name);
    load_frame(&load->frames[i], slice_str(head), load->options.size,
               socketio ? SLICE("\"}]") : SLICE("\"}}"));
    return !load->frames[i].failed;
}

bool load_make_pairs(struct load *load)
{
    bool good = true;
    for (size_t i = 0; i < load->options.connections; i++)
        good = good && make_one(load, i, i ^ 1);
    return good;
}

/* Of LOAD_TCP, what the other one has written, and what `floor-bench chat` writes. */
#define RAW_ACKNOWLEDGED SLICE("a")
#define RAW_DELIVERED SLICE("x")

static void chat_message(struct peer *p, struct slice m)
{
    if (load_begins(m, LOAD_ACKNOWLEDGED) || load_begins(m, RAW_ACKNOWLEDGED)) {
        load_count(p, p->acknowledged++, 0);
        load_fill(p);
    } else if (load_begins(m, LOAD_DELIVERED) || load_begins(m, RAW_DELIVERED)) {
        load_count(p->other, p->other->delivered++, 1);
        load_fill(p->other);
    }
}

const struct load_mode load_chat = {
    .name = "chat",
    .help = "pairs of users on a parley server, who write to each other",
    .series = {"acknowledged", "delivered"},
    .connections = 100,
    .chat = true,
    .pairs = true,
    .user = load_pair_user,
    .make = load_make_pairs,
    .message = chat_message,
};

/* ---- fan-out ------------------------------------------------------------------------------ */

static void fan_out_user(char out[32], size_t index)
{
    snprintf(out, 32, "bench-fan-%s", index ? "out" : "in");
}

static bool make_fan_out(struct load *load)
{
    load->senders = 1;
    load->behind = load->options.connections - 1;
    return make_one(load, 0, 1);
}

/* Each device gets the messages in order, and counts them in its `delivered`. That of the sender is the
   number that all have; `behind` of them lack the next one. */
static void count_behind(struct load *load)
{
    load->behind = 0;
    for (size_t i = 1; i < load->options.connections; i++)
        load->behind += load->peers[i].delivered <= load->peers[0].delivered;
}

static void fan_out_message(struct peer *p, struct slice m)
{
    struct load *load = p->load;
    struct peer *sender = &load->peers[0];
    if (load_begins(m, LOAD_ACKNOWLEDGED)) {
        load_count(p, p->acknowledged++, 0);
        load_fill(p);
    } else if (load_begins(m, LOAD_DELIVERED)) {
        load_count(sender, p->delivered++, 1);
        load->behind -= p->delivered == sender->delivered + 1;
        for (; load->behind == 0; count_behind(load))
            sender->delivered++;
        load_fill(sender);
    }
}

const struct load_mode load_fan_out = {
    .name = "fan-out",
    .help = "a user writes to another one, who has all other connections",
    .series = {"acknowledged", "delivered"},
    .connections = 21,
    .chat = true,
    .user = fan_out_user,
    .make = make_fan_out,
    .message = fan_out_message,
};
