/*
 * Live messages through a real parleyd, while another client reads history that is not in the page
 * cache. All clients are in this process: what they do themselves is in the latencies of both runs.
 */
#include "store_bench.h"

#include "codec/jwt.h"
#include "net/url.h"
#include "net/websocket.h"
#include "server/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define STUCK_MS 30000

static const struct score_line server_p99 = {"live message through parleyd, cold reader, p99", "us",
                                             "without the reader", SCORE_RATIO_MAX, 1.5};
static const struct score_line server_p50 = {"live message through parleyd, cold reader, p50", "us",
                                             "without the reader", SCORE_NO_GOAL, 0};
static const struct score_line server_pages = {"  pages of 100 it read meanwhile", "/s", NULL,
                                               SCORE_NO_GOAL, 0};

/* ---- the server -------------------------------------------------------------------------- */

struct server {
    pid_t pid;
    FILE *errors;
    char url[160];
    struct hmac_key key;
};

static void server_start(struct server *s, const char *data)
{
    char program[PATH_MAX], line[512], secret_path[300];
    ssize_t n = readlink("/proc/self/exe", program, sizeof program - 16);
    int ends[2];
    pid_t self = getpid();
    if (n < 0 || pipe2(ends, O_CLOEXEC))
        run_die(errno, "cannot start parleyd");
    program[n] = 0;
    snprintf(strrchr(program, '/'), 10, "/parleyd");
    s->pid = fork();
    if (s->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() == self && dup2(ends[1], STDERR_FILENO) >= 0)
            execl(program, program, "--listen", "127.0.0.1:0", "--data", data, "--rate", "0",
                  (char *)NULL);
        _exit(127);
    }
    close(ends[1]);
    s->errors = fdopen(ends[0], "re");
    const char *found = NULL;
    while (s->errors && !found && fgets(line, sizeof line, s->errors))
        found = strstr(line, ": listening on ");
    if (s->pid < 0 || !found)
        run_die(0, "%s does not start; it is built by make", program);
    snprintf(s->url, sizeof s->url, "ws://%.*s/chat", (int)strcspn(found + 15, "\n"), found + 15);

    struct log log = {.level = LOG_WARN, .program = "store-bench"};
    struct secret secret;
    struct secret_error error;
    snprintf(secret_path, sizeof secret_path, "%s/secret", data);
    if (secret_load(&secret, secret_path, false, &log, &error))
        run_die(0, "%s", error.text);
    hmac_key_init(&s->key, slice_of(secret.bytes, secret.n));
}

static void server_end(struct server *s)
{
    int status = -1;
    kill(s->pid, SIGTERM);
    fclose(s->errors);
    if (waitpid(s->pid, &status, 0) < 0 || status != 0)
        run_die(0, "parleyd did not end well");
}

/* ---- the clients ------------------------------------------------------------------------- */

enum role { WRITER, LISTENER, READER, ROLES };

struct scene;

struct client {
    struct websocket ws;
    struct scene *scene;
    enum role role;
};

struct scene {
    const struct server *server;
    struct loop loop;
    struct stream_set streams;
    struct websocket_kind kind;
    struct url url;
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
    char token[JWT_MAX], text[JWT_MAX + 64];
    int64_t now = clock_wall_ms(&clock_system);
    size_t n = jwt_sign(token, sizeof token, &c->scene->server->key, slice_str(names[c->role]), now,
                        INT64_MAX);
    snprintf(text, sizeof text, "{\"event\":\"registerMessages\",\"data\":{\"token\":\"%.*s\"}}",
             (int)n, token);
    send_text(c, text);
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
    const char *why = url_parse(&s->url, s->server->url);
    int result = why ? -EINVAL : loop_init(&s->loop, &clock_system);
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
        result = websocket_connect(&c->ws, &s->kind, &s->url.address, s->url.host, s->url.path);
    }
    if (result)
        run_die(-result, "cannot connect to %s", s->server->url);
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
    struct server server;
    server_start(&server, b->cold_path);
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
    server_end(&server);
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
