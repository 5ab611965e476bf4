#include "crowd.h"

#include "run.h"
#include "scratch.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define OPENING_MAX 64 /* at a time: below any listener's backlog */
#define NICE 10
#define FLOOD_CONTENT 1000 /* bytes */
#define FLOOD_BURST 16     /* frames queued at once */
#define SLOW_ROOM 4096     /* bytes of a slow reader's socket buffer */
#define SLOW_MS 8000       /* it stays from one time to two times that */
#define COMER_MS 250       /* likewise */
#define COMER_MESSAGES 3

static const char *const names[] = {"idle", "flood", "slow", "comer"};

struct host;

enum state { AWAY, OPENING, READY, LEAVING };

struct client {
    struct websocket ws;
    struct host *host;
    uint32_t number; /* among those of its sort */
    enum crowd_sort sort;
    enum state state;
    bool was_ready;
    uint32_t turns; /* times that it came; a flood's next receiver */
};

/* The crowd in its own process. */
struct host {
    struct loop loop;
    struct stream_set streams;
    struct websocket_kind kind;
    const struct parleyd *server;
    struct crowd_counts *counts;
    const uint32_t *n; /* of each sort */
    struct client *clients;
    uint32_t *waiting; /* clients to be connected: a ring of all */
    uint32_t all, first, waiting_n, opening;
    struct buf *floods; /* frames, one to each slow reader */
    uint64_t random;
};

static struct client *client_of(struct websocket *ws)
{
    return container_of(ws, struct client, ws);
}

static uint32_t below(struct host *h, uint32_t n)
{
    h->random = h->random * UINT64_C(6364136223846793005) + 1442695040888963407;
    return (uint32_t)(h->random >> 33) % n;
}

static void name_of(char out[32], enum crowd_sort sort, uint32_t number)
{
    snprintf(out, 32, "%s-%u", names[sort], number);
}

/* ---- what each sort does ----------------------------------------------------------------- */

static void say(struct client *c, const char *event, const char *member, enum crowd_sort sort,
                uint32_t number, const char *rest)
{
    char text[256], name[32];
    name_of(name, sort, number);
    int n = snprintf(text, sizeof text, "{\"event\":\"%s\",\"data\":{\"%s\":\"%s\"%s}}", event,
                     member, name, rest);
    websocket_send(&c->ws, FRAME_TEXT, slice_of(text, (size_t)n));
}

static void make_flood(struct buf *out, uint32_t to)
{
    static const uint8_t key[4] = {0x5a, 0xa5, 0x3c, 0xc3};
    char text[FLOOD_CONTENT + 128], content[FLOOD_CONTENT + 1], name[32];
    memset(content, 'x', FLOOD_CONTENT);
    content[FLOOD_CONTENT] = 0;
    name_of(name, CROWD_SLOW, to);
    int n = snprintf(text, sizeof text,
                     "{\"event\":\"message\",\"data\":{\"to\":\"%s\",\"content\":\"%s\"}}", name,
                     content);
    uint8_t *p = buf_reserve(out, FRAME_MAX_HEAD + (size_t)n);
    if (!p)
        run_die(ENOMEM, "no memory for the floods");
    size_t head = frame_write_masked_head(p, FRAME_TEXT, (size_t)n, key);
    memcpy(p + head, text, (size_t)n);
    frame_mask(p + head, (size_t)n, key);
    out->n += head + (size_t)n;
}

static void flood(struct client *c)
{
    struct host *h = c->host;
    for (int i = 0; i < FLOOD_BURST; i++)
        stream_write(&c->ws.stream, buf_slice(&h->floods[c->turns++ % h->n[CROWD_SLOW]]));
    stream_want_drained(&c->ws.stream);
}

static void begin_slow(struct client *c)
{
    static const int room = SLOW_ROOM;
    setsockopt(c->ws.stream.source.fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
    if (c->number % 2 && c->host->n[CROWD_FLOOD])
        say(c, "conversation", "id", CROWD_FLOOD, c->number % c->host->n[CROWD_FLOOD], "");
    stream_pause(&c->ws.stream);
    stream_set_timer(&c->ws.stream, SLOW_MS + below(c->host, SLOW_MS));
}

static void begin_comer(struct client *c)
{
    uint32_t other = below(c->host, c->host->n[CROWD_COMER]);
    websocket_send(&c->ws, FRAME_TEXT, SLICE("{\"event\":\"snippets\"}"));
    say(c, "conversation", "id", CROWD_COMER, other, ",\"limit\":20");
    for (int i = 0; i < COMER_MESSAGES; i++)
        say(c, "message", "to", CROWD_COMER, other, ",\"content\":\"I was here\"");
    stream_set_timer(&c->ws.stream, COMER_MS + below(c->host, COMER_MS));
}

static void begin(struct client *c)
{
    struct crowd_counts *counts = c->host->counts;
    c->state = READY;
    c->host->opening--;
    counts->registered[c->sort]++;
    if (!c->was_ready)
        __atomic_add_fetch(&counts->ready, 1, __ATOMIC_RELEASE);
    c->was_ready = true;
    if (c->sort == CROWD_FLOOD)
        flood(c);
    else if (c->sort == CROWD_SLOW)
        begin_slow(c);
    else if (c->sort == CROWD_COMER)
        begin_comer(c);
}

/* A slow reader's or a comer's time is over. */
static void on_timer(struct websocket *ws)
{
    static const uint8_t half[] = {0x81, 0xfe, 0x10};
    struct client *c = client_of(ws);
    c->state = LEAVING;
    if (c->sort == CROWD_SLOW || c->turns++ % 3 == 0) {
        stream_close(&ws->stream);
    } else if (c->turns % 3 == 0) {
        stream_write(&ws->stream, slice_of(half, sizeof half));
        stream_finish(&ws->stream);
    } else {
        websocket_close(ws, 1000, "");
    }
}

/* ---- connections ------------------------------------------------------------------------- */

static void on_open(struct websocket *ws)
{
    struct client *c = client_of(ws);
    char name[32];
    name_of(name, c->sort, c->number);
    parleyd_register(c->host->server, ws, name);
}

static void on_message(struct websocket *ws, enum frame_opcode opcode, struct slice m)
{
    static const char ok[] = "{\"event\":\"registerMessages\",\"data\":\"OK\"";
    struct client *c = client_of(ws);
    (void)opcode;
    if (c->state == OPENING && m.n >= sizeof ok - 1 && memcmp(m.p, ok, sizeof ok - 1) == 0)
        begin(c);
}

static void on_drained(struct websocket *ws)
{
    if (client_of(ws)->sort == CROWD_FLOOD)
        flood(client_of(ws));
}

static void wait_again(struct client *c)
{
    struct host *h = c->host;
    h->waiting[(h->first + h->waiting_n++) % h->all] = (uint32_t)(c - h->clients);
}

static void on_closed(struct websocket *ws)
{
    struct client *c = client_of(ws);
    struct crowd_counts *counts = c->host->counts;
    counts->ended[c->sort] += c->state == READY;
    counts->refused += c->state == OPENING;
    counts->flooded += ws->code == CLOSE_POLICY;
    c->host->opening -= c->state == OPENING;
    wait_again(c);
}

/* In batches, so that no backlog runs over. Without a free port the rest waits for a turn. */
static void open_more(struct host *h)
{
    while (h->waiting_n && h->opening < OPENING_MAX) {
        struct client *c = &h->clients[h->waiting[h->first]];
        int result = parleyd_connect(h->server, &c->ws, &h->kind);
        if (result == -EADDRNOTAVAIL || result == -EAGAIN)
            return;
        if (result)
            run_die(-result, "cannot connect to parleyd");
        h->first = (h->first + 1) % h->all;
        h->waiting_n--;
        h->opening++;
        c->state = OPENING;
    }
}

/* ---- the process ------------------------------------------------------------------------- */

static void make_clients(struct host *h)
{
    for (int sort = 0; sort < CROWD_SORTS; sort++)
        h->all += h->n[sort];
    h->clients = calloc(h->all + 1, sizeof *h->clients);
    h->waiting = calloc(h->all + 1, sizeof *h->waiting);
    h->floods = calloc(h->n[CROWD_SLOW] + 1, sizeof *h->floods);
    if (!h->clients || !h->waiting || !h->floods)
        run_die(ENOMEM, "no memory for the crowd");
    struct client *c = h->clients;
    for (int sort = 0; sort < CROWD_SORTS; sort++)
        for (uint32_t i = 0; i < h->n[sort]; i++, c++) {
            c->host = h;
            c->sort = (enum crowd_sort)sort;
            c->number = i;
            wait_again(c);
        }
    for (uint32_t i = 0; i < h->n[CROWD_SLOW]; i++)
        make_flood(&h->floods[i], i);
}

__attribute__((noreturn)) static void run_host(struct host *h)
{
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    sched_setscheduler(0, SCHED_OTHER, &(struct sched_param){0}); /* if we had a better one */
    setpriority(PRIO_PROCESS, 0, NICE);
    int result = loop_init(&h->loop, &clock_system);
    if (!result)
        result = stream_set_init(&h->streams, &h->loop);
    h->kind = (struct websocket_kind){.max_message = 8 << 20,
                                      .on_open = on_open,
                                      .on_message = on_message,
                                      .on_drained = on_drained,
                                      .on_timer = on_timer,
                                      .on_closed = on_closed};
    websocket_kind_init(&h->kind, &h->streams, h);
    h->kind.stream.always_reads = true;
    make_clients(h);
    while (result >= 0) {
        open_more(h);
        result = loop_turn(&h->loop, 100);
    }
    run_die(-result, "the crowd's loop failed");
}

void crowd_start(struct crowd *c, const struct parleyd *server, const uint32_t n[CROWD_SORTS])
{
    static struct host host; /* large: the loop's slots */
    pid_t self = getpid();
    c->clients = 0;
    for (int i = 0; i < CROWD_SORTS; i++)
        c->clients += n[i];
    if (!c->counts)
        c->counts = mmap(NULL, sizeof *c->counts, PROT_READ | PROT_WRITE,
                         MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (c->counts == MAP_FAILED)
        run_die(errno, "no memory for the crowd");
    *c->counts = (struct crowd_counts){0};
    c->pid = fork();
    if (c->pid < 0)
        run_die(errno, "cannot fork");
    if (c->pid)
        return;
    scratch_end_with(self);
    host = (struct host){.server = server, .counts = c->counts, .n = n, .random = (uint64_t)self};
    run_host(&host);
}

bool crowd_ready(const struct crowd *c)
{
    int status;
    if (waitpid(c->pid, &status, WNOHANG) == c->pid)
        run_die(0, "the crowd has ended");
    return __atomic_load_n(&c->counts->ready, __ATOMIC_ACQUIRE) == c->clients;
}

void crowd_kill(struct crowd *c)
{
    kill(c->pid, SIGKILL);
    waitpid(c->pid, NULL, 0);
}
