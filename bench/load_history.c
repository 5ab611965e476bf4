/*
 * history: every user has written to CORRESPONDENTS others, who are not there, and asks for the newest
 * PAGE messages of one conversation after the other.
 * snippets: the same users ask for all their conversations, each with its newest message.
 *
 * What is asked is text of its own each time: it is masked as it is sent.
 */
#include "load.h"

#include <stdio.h>

#define CORRESPONDENTS 20
#define PAGE 50
#define WRITTEN (CORRESPONDENTS * PAGE)
#define WRITING 64 /* messages in flight meanwhile */

static void user(char out[32], size_t index)
{
    snprintf(out, 32, "bench-reader-%zu", index);
}

static void correspondent(char out[48], const struct peer *p, uint64_t n)
{
    snprintf(out, 48, "bench-writer-%zu-%llu", (size_t)(p - p->load->peers),
             (unsigned long long)n % CORRESPONDENTS);
}

static void write_more(struct peer *p)
{
    for (; p->sent < WRITTEN && p->sent - p->acknowledged < WRITING; p->sent++) {
        char to[48], head[128];
        struct buf frame = {0};
        correspondent(to, p, p->sent);
        snprintf(head, sizeof head, "{\"event\":\"message\",\"data\":{\"to\":\"%s\",\"content\":\"",
                 to);
        load_frame(&frame, slice_str(head), p->load->options.size, SLICE("\"}}"));
        stream_write(&p->ws.stream, buf_slice(&frame));
        buf_free(&frame);
    }
}

static void prepare(struct load *load)
{
    load->ready = 0;
    for (size_t i = 0; i < load->options.connections; i++)
        write_more(&load->peers[i]);
}

static void written(struct peer *p)
{
    struct load *load = p->load;
    load->until = histogram_now() + UINT64_C(20000000000);
    if (++p->acknowledged < WRITTEN) {
        write_more(p);
        return;
    }
    p->sent = p->acknowledged = p->delivered = 0;
    if (++load->ready == load->options.connections)
        load_begin(load);
}

static void answered(struct peer *p)
{
    load_count(p, p->acknowledged, 0);
    p->delivered = ++p->acknowledged;
    load_fill(p);
}

static void ask_page(struct peer *p)
{
    char id[48], text[128];
    correspondent(id, p, p->sent);
    int n =
        snprintf(text, sizeof text,
                 "{\"event\":\"conversation\",\"data\":{\"id\":\"%s\",\"limit\":%d}}", id, PAGE);
    websocket_send(&p->ws, FRAME_TEXT, slice_of(text, (size_t)n));
}

static void ask_snippets(struct peer *p)
{
    websocket_send(&p->ws, FRAME_TEXT, SLICE("{\"event\":\"snippets\",\"ref\":1}"));
}

/* Of a long answer, its last event ends it. */
static void message(struct peer *p, struct slice m)
{
    if (p->load->phase == LOAD_PREPARING) {
        if (load_begins(m, LOAD_ACKNOWLEDGED))
            written(p);
    } else if (load_begins(m, LOAD_PAGE) || load_begins(m, LOAD_END)) {
        answered(p);
    }
}

const struct load_mode load_history = {
    .name = "history",
    .help = "pages of 50 messages; a thousand are written for each connection before",
    .series = {"pages"},
    .connections = 10,
    .chat = true,
    .user = user,
    .prepare = prepare,
    .send = ask_page,
    .message = message,
};

const struct load_mode load_snippets = {
    .name = "snippets",
    .help = "lists of 20 conversations, each with its newest message",
    .series = {"lists"},
    .connections = 10,
    .chat = true,
    .user = user,
    .prepare = prepare,
    .send = ask_snippets,
    .message = message,
};
