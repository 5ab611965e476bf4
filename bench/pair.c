#include "pair.h"

#include "base/log.h"
#include "run.h"

#include <errno.h>

#define PAIR_GAP_NS UINT64_C(10000000)

static const char *const names[] = {"pair-a", "pair-b"};

static struct pair_side *side_of(struct websocket *ws)
{
    return container_of(ws, struct pair_side, ws);
}

static bool begins(struct slice s, struct slice with)
{
    return s.n >= with.n && memcmp(s.p, with.p, with.n) == 0;
}

static void on_message(struct websocket *ws, enum frame_opcode opcode, struct slice m)
{
    struct pair_side *s = side_of(ws);
    struct log_text text;
    (void)opcode;
    uint64_t now = histogram_now();
    if (begins(m, SLICE("{\"event\":\"message\",\"data\":{\"success\":true}")))
        histogram_add(&s->pair->acknowledged, now - s->sent_at[s->acknowledged++ % PAIR_RING]);
    else if (begins(m, SLICE("{\"event\":\"message\",\"data\":{\"id\":")))
        histogram_add(&s->pair->delivered,
                      now - s->other->sent_at[s->other->delivered++ % PAIR_RING]);
    else if (begins(m, SLICE("{\"event\":\"registerMessages\",\"data\":\"OK\"")))
        s->ready = true;
    else
        run_die(0, "parleyd said to the pair: %s", log_safe(&text, m));
}

static void on_open(struct websocket *ws)
{
    struct pair_side *s = side_of(ws);
    parleyd_register(s->pair->server, ws, names[s - s->pair->sides]);
}

static void on_closed(struct websocket *ws)
{
    if (side_of(ws)->pair->next)
        run_die(ws->stream.error, "the pair lost a connection, close code %u", ws->code);
}

static void turn(struct pair *p, uint64_t until)
{
    uint64_t now = histogram_now();
    int result = loop_turn(&p->loop, now < until ? (int)((until - now) / 1000000 + 1) : 0);
    if (result < 0)
        run_die(-result, "the loop failed");
}

void pair_open(struct pair *p, const struct parleyd *server)
{
    *p = (struct pair){.server = server, .next = histogram_now()};
    int result = loop_init(&p->loop, &clock_system);
    if (!result)
        result = stream_set_init(&p->streams, &p->loop);
    p->kind = (struct websocket_kind){.max_message = 1 << 20,
                                      .on_open = on_open,
                                      .on_message = on_message,
                                      .on_closed = on_closed};
    websocket_kind_init(&p->kind, &p->streams, p);
    for (int i = 0; i < 2 && !result; i++) {
        p->sides[i].pair = p;
        p->sides[i].other = &p->sides[1 - i];
        result = parleyd_connect(server, &p->sides[i].ws, &p->kind);
    }
    if (result)
        run_die(-result, "cannot connect to parleyd");
    while (!p->sides[0].ready || !p->sides[1].ready)
        turn(p, histogram_now() + 1000000000);
    p->next = histogram_now();
}

void pair_close(struct pair *p)
{
    p->next = 0;
    for (int i = 0; i < 2; i++)
        stream_close(&p->sides[i].ws.stream);
    while (p->streams.open)
        turn(p, 0);
    stream_set_fini(&p->streams);
    loop_fini(&p->loop);
}

static void send_next(struct pair *p)
{
    struct pair_side *s = &p->sides[p->sides[1].sent < p->sides[0].sent];
    char text[160];
    uint64_t done = s->acknowledged < s->delivered ? s->acknowledged : s->delivered;
    if (s->sent - done == PAIR_RING)
        run_die(0, "the pair has waited for 20 s");
    int n = snprintf(text, sizeof text,
                     "{\"event\":\"message\",\"data\":{\"to\":\"%s\",\"content\":\"hello\"}}",
                     names[s->other - p->sides]);
    s->sent_at[s->sent++ % PAIR_RING] = histogram_now();
    websocket_send(&s->ws, FRAME_TEXT, slice_of(text, (size_t)n));
}

void pair_run(struct pair *p, double seconds)
{
    uint64_t until = histogram_now() + (uint64_t)(seconds * 1e9);
    for (uint64_t now; (now = histogram_now()) < until;) {
        if (now >= p->next) {
            send_next(p);
            p->next = now + PAIR_GAP_NS;
        }
        turn(p, p->next < until ? p->next : until);
    }
}

void pair_clear(struct pair *p)
{
    p->acknowledged = p->delivered = (struct histogram){.count = 0};
}
