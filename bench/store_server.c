/*
 * Live messages through a real parleyd, while another client reads history that is not in the page
 * cache. All clients are in this process: what they do themselves is in the latencies of both runs.
 */
#include "store_bench.h"

#include "parleyd.h"

#include <stdlib.h>

#define STUCK_MS 30000

static const struct score_line server_p99 = {"live message through parleyd, cold reader, p99", "us",
                                             "without the reader", SCORE_RATIO_MAX, 1.5};
static const struct score_line server_p50 = {"live message through parleyd, cold reader, p50", "us",
                                             "without the reader", SCORE_NO_GOAL, 0};
static const struct score_line server_pages = {"  pages of 100 it read meanwhile", "/s", NULL,
                                               SCORE_NO_GOAL, 0};

/* ---- the clients ------------------------------------------------------------------------- */

enum role { WRITER, LISTENER, READER, ROLES };

struct scene;

struct client {
    struct websocket ws;
    struct scene *scene;
    enum role role;
};

struct scene {
    const struct parleyd *server;
    struct loop loop;
    struct stream_set streams;
    struct websocket_kind kind;
    struct client clients[ROLES];
    unsigned roles, ready;
    uint32_t conversations;
    double seconds;   /* of the run */
    uint64_t sent_at; /* ns */
    bool over;

    uint32_t conversation, pages; /* where the reader is */
    uint64_t before;              /* id */
    uint64_t read_pages;
};

static struct run run;

static bool contains(struct slice s, struct slice part)
{
    return memmem(s.p, s.n, part.p, part.n) != NULL;
}

static void send_text(struct client *c, const char *text)
{
    websocket_send(&c->ws, FRAME_TEXT, slice_str(text));
}

static void send_token(struct client *c)
{
    static const char *const names[] = {"live-a", "live-b", "a000000"};
    parleyd_register(c->scene->server, &c->ws, names[c->role]);
}

static void send_live(struct scene *s)
{
    char text[256];
    snprintf(text, sizeof text,
             "{\"event\":\"message\",\"data\":{\"to\":\"live-b\",\"content\":%.*s}}",
             SLICE_FMT(rig_content(0)));
    s->sent_at = histogram_now();
    send_text(&s->clients[WRITER], text);
}

static void ask_page(struct scene *s)
{
    char text[256], room[8], before[40] = "";
    if (++s->pages > WALK_PAGES) {
        s->pages = 1;
        s->before = 0;
        s->conversation = (s->conversation + 1) % s->conversations;
    }
    if (s->before)
        snprintf(before, sizeof before, ",\"before\":%llu", (unsigned long long)s->before);
    snprintf(text, sizeof text,
             "{\"event\":\"conversation\",\"data\":{\"id\":\"%.*s\",\"limit\":%d%s}}",
             SLICE_FMT(rig_user(room, s->conversation, 1)), WALK_PAGE, before);
    send_text(&s->clients[READER], text);
}

static void take_page(struct scene *s, struct slice page)
{
    static const char first[] = "\"messages\":[{\"id\":";
    const char *p = memmem(page.p, page.n, first, sizeof first - 1);
    s->before = p ? strtoull(p + sizeof first - 1, NULL, 10) : 0; /* more text follows the digits */
    if (!p || !contains(page, SLICE("\"more\":true")))
        s->pages = WALK_PAGES; /* the first messages of all */
    s->read_pages++;
    ask_page(s);
}

static void take_registered(struct scene *s)
{
    if (++s->ready < s->roles)
        return;
    run_start(&run, s->seconds);
    send_live(s);
    if (s->roles == ROLES)
        ask_page(s);
}

static void on_message(struct websocket *ws, enum frame_opcode opcode, struct slice m)
{
    struct client *c = container_of(ws, struct client, ws);
    struct scene *s = c->scene;
    (void)opcode;
    if (s->over)
        return;
    if (contains(m, SLICE("\"event\":\"registerMessages\",\"data\":\"OK\""))) {
        take_registered(s);
    } else if (contains(m, SLICE("\"event\":\"info\""))) {
        struct log_text text;
        run_die(0, "parleyd refused: %s", log_safe(&text, m));
    } else if (c->role == READER && contains(m, SLICE("\"event\":\"conversation\""))) {
        take_page(s, m);
    } else if (c->role == WRITER && contains(m, SLICE("\"success\":true"))) {
        uint64_t now = histogram_now();
        run_message(&run, now - s->sent_at);
        s->over = !run_goes_on(&run, now);
        if (!s->over)
            send_live(s);
    }
}

static void on_open(struct websocket *ws)
{
    send_token(container_of(ws, struct client, ws));
}

static void on_closed(struct websocket *ws)
{
    if (!container_of(ws, struct client, ws)->scene->over)
        run_die(0, "parleyd closed a connection");
}

/* ---- a run ------------------------------------------------------------------------------- */

static void scene_open(struct scene *s)
{
    int result = loop_init(&s->loop, &clock_system);
    if (!result)
        result = stream_set_init(&s->streams, &s->loop);
    s->kind = (struct websocket_kind){.max_message = 16 << 20,
                                      .on_open = on_open,
                                      .on_message = on_message,
                                      .on_closed = on_closed};
    websocket_kind_init(&s->kind, &s->streams, s);
    for (unsigned i = 0; i < s->roles && !result; i++) {
        struct client *c = &s->clients[i];
        c->scene = s;
        c->role = (enum role)i;
        result = parleyd_connect(s->server, &c->ws, &s->kind);
    }
    if (result)
        run_die(-result, "cannot connect to parleyd");
}

static void scene_close(struct scene *s)
{
    for (unsigned i = 0; i < s->roles; i++)
        stream_close(&s->clients[i].ws.stream);
    while (s->streams.open && loop_turn(&s->loop, 0) >= 0)
        ;
    stream_set_fini(&s->streams);
    loop_fini(&s->loop);
}

/* One message in flight at a time; the pages read are the reader's. */
static double live(struct bench *b, bool reader)
{
    static struct scene scene; /* large: the loop's slots */
    struct parleyd server;
    parleyd_start(&server, b->cold_path, (const char *const[]){"--rate", "0", NULL});
    rig_drop_cache(b->cold_path);
    rig_settle(b->path);
    scene = (struct scene){.server = &server,
                           .roles = reader ? ROLES : READER,
                           .seconds = b->seconds,
                           .conversations = b->conversations};
    scene_open(&scene);
    while (!scene.over)
        if (loop_turn(&scene.loop, STUCK_MS) <= 0)
            run_die(0, "parleyd has said nothing for %d s", STUCK_MS / 1000);
    scene_close(&scene);
    parleyd_end(&server);
    return (double)scene.read_pages / (run.seconds * 1.1);
}

void store_server_round(struct bench *b)
{
    live(b, false);
    score_add_peer(&b->score, &server_p99, histogram_us(&run.latency, 99));
    score_add_peer(&b->score, &server_p50, histogram_us(&run.latency, 50));
    double pages = live(b, true);
    score_add(&b->score, &server_p99, histogram_us(&run.latency, 99));
    score_add(&b->score, &server_p50, histogram_us(&run.latency, 50));
    score_add(&b->score, &server_pages, pages);
}
