/*
 * parley-bench: the load generator. Closed loop: every connection keeps a fixed number of messages in
 * flight and sends the next one when one has come to its end.
 *
 *   echo  N connections to any WebSocket echo server; a message ends when it has come back.
 *   chat  N/2 pairs of users on a parley server. Both sides of a pair write to each other; a message
 *         ends when it has been acknowledged to the one and delivered to the other.
 *
 * All messages of a connection are the same bytes, masked once, since what is measured is the other
 * end; what comes in is told apart by its first bytes. A count or a latency belongs to the measured
 * time if the message's end lies in it. Latencies are from the queueing of a message on.
 */
#include "base/args.h"
#include "base/buf.h"
#include "base/exit.h"
#include "base/version.h"
#include "codec/jwt.h"
#include "histogram.h"
#include "net/url.h"
#include "net/websocket.h"
#include "proc.h"
#include "server/secret.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

/* Connections that are being opened at a time, below any listener's backlog. */
#define OPENING_MAX 64
#define OPENING_S 20 /* for all of them, while none gets any further */
#define MAX_MESSAGE (UINT64_C(64) << 20)
#define TOKEN_MS 86400000

/* ---- the state --------------------------------------------------------------------------- */

struct bench;

struct peer {
    struct websocket ws;
    struct peer *other; /* chat: the other one of the pair */
    struct bench *bench;
    const struct buf *frame; /* what it sends */
    uint64_t *sent_at;       /* ns, of the messages in flight: a ring of `pipeline` */
    uint64_t sent, acknowledged, delivered; /* of its own messages */
    bool ready;
};

/* What the process behind --server-pid has used so far. */
struct usage {
    uint64_t cpu_us;
    uint64_t switches;
    bool known;
};

enum phase { OPENING, WARMUP, MEASURING, OVER };

struct options {
    bool chat, json, anywhere;
    const char *url, *secret_file;
    uint32_t connections, pipeline, size, server_pid;
    double duration, warmup; /* seconds */
};

struct bench {
    struct options options;
    struct url url;
    struct loop loop;
    struct stream_set streams;
    struct websocket_kind kind;
    struct hmac_key key;
    struct peer *peers;
    uint64_t *times;    /* all peers' sent_at */
    struct buf *frames; /* echo: one; chat: one for each */
    size_t opened, ready;
    enum phase phase;
    uint64_t until;        /* ns: the end of this phase */
    uint64_t began, ended; /* ns: of the measuring */
    struct usage before, after;
    uint64_t own_cpu_us;
    struct histogram first, second; /* echo: round trip; chat: acknowledgement, delivery */
    enum exit_status status;
    char error[256]; /* why it ended early */
};

static uint64_t own_cpu_us(void)
{
    struct rusage r;
    getrusage(RUSAGE_SELF, &r);
    return (uint64_t)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) * 1000000 +
           (uint64_t)(r.ru_utime.tv_usec + r.ru_stime.tv_usec);
}

/* Ends the run; the first reason stands. */
__attribute__((format(printf, 3, 4))) static void give_up(struct bench *b, enum exit_status status,
                                                          const char *format, ...)
{
    if (b->phase == OVER)
        return;
    va_list args;
    va_start(args, format);
    vsnprintf(b->error, sizeof b->error, format, args);
    va_end(args);
    b->phase = OVER;
    b->status = status;
}

/* ---- the server's costs ------------------------------------------------------------------ */

/* proc(5): user and system time are the fields 14 and 15, in ticks. The name before may hold anything,
   but ends at the last parenthesis. */
static bool read_cpu(uint32_t pid, uint64_t *us)
{
    char path[64], text[1024];
    snprintf(path, sizeof path, "/proc/%u/stat", pid);
    const char *p = proc_read(path, text, sizeof text) ? strrchr(text, ')') : NULL;
    for (int field = 3; field <= 14 && p; field++)
        p = strchr(p + 1, ' ');
    if (!p)
        return false;
    char *end;
    uint64_t user = strtoull(p, &end, 10), system = strtoull(end, NULL, 10);
    *us = (user + system) * 1000000 / (uint64_t)sysconf(_SC_CLK_TCK);
    return true;
}

/* Of all threads, voluntary or not. */
static uint64_t read_switches(uint32_t pid)
{
    char path[320], text[4096];
    uint64_t sum = 0;
    snprintf(path, sizeof path, "/proc/%u/task", pid);
    DIR *dir = opendir(path);
    for (struct dirent *e; dir && (e = readdir(dir));) {
        if (e->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "/proc/%u/task/%.200s/status", pid, e->d_name);
        if (proc_read(path, text, sizeof text))
            sum += proc_number(text, "\nvoluntary_ctxt_switches:") + proc_number(text, "\nnonvolunt"
                                                                                       "ary_ctxt_"
                                                                                       "switches:");
    }
    if (dir)
        closedir(dir);
    return sum;
}

static struct usage read_usage(uint32_t pid)
{
    struct usage u = {0};
    u.known = pid && read_cpu(pid, &u.cpu_us);
    if (u.known)
        u.switches = read_switches(pid);
    return u;
}

/* ---- messages ---------------------------------------------------------------------------- */

/* Sends up to the pipeline's depth. Large messages go out as the queue empties. */
static void fill(struct peer *p)
{
    uint32_t pipeline = p->bench->options.pipeline;
    uint64_t done = p->acknowledged < p->delivered ? p->acknowledged : p->delivered;
    while (p->sent - done < pipeline && !stream_ending(&p->ws.stream)) {
        if (p->ws.stream.queued > STREAM_HIGH) {
            stream_want_drained(&p->ws.stream);
            return;
        }
        p->sent_at[p->sent++ % pipeline] = histogram_now();
        stream_write(&p->ws.stream, buf_slice(p->frame));
    }
}

/* The n-th message of p has arrived somewhere. */
static void count(struct peer *p, uint64_t n, struct histogram *h)
{
    struct bench *b = p->bench;
    if (b->phase == MEASURING)
        histogram_add(h, histogram_now() - p->sent_at[n % b->options.pipeline]);
}

static bool begins(struct slice s, struct slice with)
{
    return s.n >= with.n && memcmp(s.p, with.p, with.n) == 0;
}

static bool contains(struct slice s, struct slice part)
{
    return memmem(s.p, s.n, part.p, part.n) != NULL;
}

static void start_measuring(struct bench *b)
{
    b->phase = WARMUP;
    b->until = histogram_now() + (uint64_t)(b->options.warmup * 1e9);
    for (size_t i = 0; i < b->options.connections; i++)
        fill(&b->peers[i]);
}

static void peer_ready(struct peer *p)
{
    struct bench *b = p->bench;
    p->ready = true;
    b->until = histogram_now() + OPENING_S * UINT64_C(1000000000);
    if (++b->ready == b->options.connections)
        start_measuring(b);
}

static void echo_message(struct peer *p, struct slice message)
{
    struct bench *b = p->bench;
    if (message.n != b->options.size || p->acknowledged == p->sent) {
        give_up(b, EXIT_SYSTEM, "the server does not echo: %zu bytes came back instead of %u",
                message.n, b->options.size);
        return;
    }
    count(p, p->acknowledged, &b->first);
    p->delivered = ++p->acknowledged;
    fill(p);
}

static void chat_refused(struct bench *b, struct slice info)
{
    struct log_text text;
    if (contains(info, SLICE("\"rate_limited\"")))
        give_up(b, EXIT_USAGE_ERROR,
                "the server limits the rate of a connection; start it with --rate 0");
    else if (contains(info, SLICE("\"bad_token\"")))
        give_up(b, EXIT_USAGE_ERROR,
                "the server refuses our tokens: --secret-file is not its secret");
    else
        give_up(b, EXIT_SYSTEM, "the server refused: %s", log_safe(&text, info));
}

static void chat_message(struct peer *p, struct slice m)
{
    struct bench *b = p->bench;
    if (begins(m, SLICE("{\"event\":\"message\",\"data\":{\"success\":true}"))) {
        count(p, p->acknowledged++, &b->first);
        fill(p);
    } else if (begins(m, SLICE("{\"event\":\"message\",\"data\":{\"id\":"))) {
        count(p->other, p->other->delivered++, &b->second);
        fill(p->other);
    } else if (begins(m, SLICE("{\"event\":\"registerMessages\",\"data\":\"OK\""))) {
        peer_ready(p);
    } else if (begins(m, SLICE("{\"event\":\"info\""))) {
        chat_refused(b, m);
    }
}

static void on_message(struct websocket *ws, enum frame_opcode opcode, struct slice message)
{
    struct peer *p = container_of(ws, struct peer, ws);
    (void)opcode;
    if (p->bench->phase == OVER)
        return;
    if (p->bench->options.chat)
        chat_message(p, message);
    else
        echo_message(p, message);
}

static void on_drained(struct websocket *ws)
{
    struct peer *p = container_of(ws, struct peer, ws);
    if (p->bench->phase != OVER)
        fill(p);
}

/* ---- connections ------------------------------------------------------------------------- */

/* bench-0-a writes to bench-0-b, and so on. */
static void name_of(char out[32], size_t index)
{
    snprintf(out, 32, "bench-%zu-%c", index / 2, index % 2 ? 'b' : 'a');
}

static void send_token(struct peer *p)
{
    struct bench *b = p->bench;
    char name[32], token[JWT_MAX], text[JWT_MAX + 64];
    int64_t now = clock_wall_ms(&clock_system);
    name_of(name, (size_t)(p - b->peers));
    size_t n = jwt_sign(token, sizeof token, &b->key, slice_str(name), now, now + TOKEN_MS);
    int size =
        snprintf(text, sizeof text,
                 "{\"event\":\"registerMessages\",\"data\":{\"token\":\"%.*s\"}}", (int)n, token);
    websocket_send(&p->ws, FRAME_TEXT, slice_of(text, (size_t)size));
}

static void on_open(struct websocket *ws)
{
    struct peer *p = container_of(ws, struct peer, ws);
    if (p->bench->options.chat)
        send_token(p);
    else
        peer_ready(p);
}

static void on_closed(struct websocket *ws)
{
    struct peer *p = container_of(ws, struct peer, ws);
    char code[32];
    const char *why = "closed";
    if (ws->stream.error) {
        why = strerror(ws->stream.error);
    } else if (ws->code != CLOSE_ABNORMAL) {
        snprintf(code, sizeof code, "close code %u", ws->code);
        why = code;
    } else if (!p->ready) {
        why = "no WebSocket is offered there";
    }
    give_up(p->bench, EXIT_SYSTEM, "%s: %s", p->ready ? "a connection was lost" : "cannot connect",
            why);
}

/* In batches, so that no backlog runs over. */
static void open_more(struct bench *b)
{
    while (b->phase == OPENING && b->opened < b->options.connections &&
           b->opened - b->ready < OPENING_MAX) {
        struct peer *p = &b->peers[b->opened];
        int result = websocket_connect(&p->ws, &b->kind, &b->url.address, b->url.host, b->url.path);
        if (result)
            give_up(b, EXIT_SYSTEM, "cannot connect: %s", strerror(-result));
        else
            b->opened++;
    }
}

static void make_frame(struct buf *out, struct slice head, uint32_t size, struct slice tail)
{
    static const uint8_t key[4] = {0x5a, 0xa5, 0x3c, 0xc3};
    size_t n = head.n + size + tail.n;
    uint8_t *to = buf_reserve(out, FRAME_MAX_HEAD + n);
    if (!to)
        return;
    size_t at = frame_write_masked_head(to, FRAME_TEXT, n, key);
    memcpy(to + at, head.p, head.n);
    memset(to + at + head.n, 'x', size);
    memcpy(to + at + head.n + size, tail.p, tail.n);
    frame_mask(to + at, n, key);
    out->n += at + n;
}

static bool make_frames(struct bench *b)
{
    const struct options *o = &b->options;
    bool good = true;
    if (!o->chat)
        make_frame(&b->frames[0], SLICE(""), o->size, SLICE(""));
    for (size_t i = 0; o->chat && i < o->connections; i++) {
        char name[32], head[128];
        name_of(name, i ^ 1);
        snprintf(head, sizeof head, "{\"event\":\"message\",\"data\":{\"to\":\"%s\",\"content\":\"",
                 name);
        make_frame(&b->frames[i], slice_str(head), o->size, SLICE("\"}}"));
    }
    for (size_t i = 0; i < o->connections; i++) {
        b->peers[i].frame = &b->frames[o->chat ? i : 0];
        good = good && !b->peers[i].frame->failed;
    }
    return good;
}

/* 0 or -errno. */
static int start(struct bench *b)
{
    const struct options *o = &b->options;
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    int result = loop_init(&b->loop, &clock_system);
    if (result == 0)
        result = stream_set_init(&b->streams, &b->loop);
    b->kind = (struct websocket_kind){.max_message = MAX_MESSAGE,
                                      .on_open = on_open,
                                      .on_message = on_message,
                                      .on_drained = on_drained,
                                      .on_closed = on_closed};
    websocket_kind_init(&b->kind, &b->streams, b);
    b->kind.stream.always_reads = true;
    b->peers = calloc(o->connections, sizeof *b->peers);
    b->times = calloc((size_t)o->connections * o->pipeline, sizeof *b->times);
    b->frames = calloc(o->connections, sizeof *b->frames);
    if (!b->peers || !b->times || !b->frames || !make_frames(b))
        return -ENOMEM;
    for (size_t i = 0; i < o->connections; i++) {
        b->peers[i].bench = b;
        b->peers[i].other = &b->peers[o->chat ? i ^ 1 : i];
        b->peers[i].sent_at = b->times + i * o->pipeline;
    }
    b->until = histogram_now() + OPENING_S * UINT64_C(1000000000);
    return result;
}

static void stop(struct bench *b)
{
    b->phase = OVER;
    for (size_t i = 0; i < b->opened; i++)
        stream_close(&b->peers[i].ws.stream);
    while (b->streams.open && loop_turn(&b->loop, 0) >= 0)
        ;
    for (size_t i = 0; b->frames && i < b->options.connections; i++)
        buf_free(&b->frames[i]);
    free(b->frames);
    free(b->times);
    free(b->peers);
    stream_set_fini(&b->streams);
    loop_fini(&b->loop);
}

/* The end of a phase, when its time has come. */
static void advance(struct bench *b, uint64_t now)
{
    if (now < b->until)
        return;
    switch (b->phase) {
    case OPENING:
        give_up(b, EXIT_SYSTEM,
                "only %zu of %u connections were opened, then nothing came for %d s", b->ready,
                b->options.connections, OPENING_S);
        break;
    case WARMUP:
        b->before = read_usage(b->options.server_pid);
        b->own_cpu_us = own_cpu_us();
        b->phase = MEASURING;
        b->began = histogram_now();
        b->until = b->began + (uint64_t)(b->options.duration * 1e9);
        break;
    case MEASURING:
        b->ended = histogram_now();
        b->own_cpu_us = own_cpu_us() - b->own_cpu_us;
        b->after = read_usage(b->options.server_pid);
        if (b->first.count == 0)
            give_up(b, EXIT_SYSTEM, "nothing was answered in the measured time");
        b->phase = OVER;
        break;
    case OVER:
        break;
    }
}

static void run(struct bench *b)
{
    while (b->phase != OVER) {
        open_more(b);
        uint64_t now = histogram_now();
        int wait = now < b->until ? (int)((b->until - now) / 1000000 + 1) : 0;
        int result = loop_turn(&b->loop, wait);
        if (result < 0)
            give_up(b, EXIT_SYSTEM, "the loop failed: %s", strerror(-result));
        advance(b, histogram_now());
    }
}

/* ---- the report -------------------------------------------------------------------------- */

static const double percents[] = {50, 90, 99, 99.9, 99.99};
#define PERCENTS (sizeof percents / sizeof *percents)

/* A message of the chat costs the server its acknowledgement and its delivery. */
struct costs {
    double seconds, own_percent, cpu_us, switches; /* the last two for a message */
};

static struct costs costs_of(const struct bench *b)
{
    double seconds = (double)(b->ended - b->began) / 1e9;
    double messages = b->first.count ? (double)b->first.count : 1;
    return (struct costs){seconds, (double)b->own_cpu_us / 1e4 / seconds,
                          (double)(b->after.cpu_us - b->before.cpu_us) / messages,
                          (double)(b->after.switches - b->before.switches) / messages};
}

static void print_row(const char *name, const struct histogram *h, double seconds)
{
    printf("%-13s %12.0f", name, (double)h->count / seconds);
    for (size_t i = 0; i < PERCENTS; i++)
        printf(" %9.1f", histogram_us(h, percents[i]));
    printf(" %9.1f\n", (double)h->max / 1000);
}

static void print_table(const struct bench *b)
{
    const struct options *o = &b->options;
    struct costs c = costs_of(b);
    printf("%s, %u connections, %u in flight each, %u bytes, %.1f s\n\n", o->chat ? "chat" : "echo",
           o->connections, o->pipeline, o->size, c.seconds);
    printf("%-13s %12s %9s %9s %9s %9s %9s %9s\n", "", "per second", "p50 us", "p90", "p99",
           "p99.9", "p99.99", "max");
    print_row(o->chat ? "acknowledged" : "echoed", &b->first, c.seconds);
    if (o->chat)
        print_row("delivered", &b->second, c.seconds);
    printf("\nload generator: %.0f %% of a core\n", c.own_percent);
    if (b->after.known)
        printf("server: %.2f us of CPU and %.3f context switches a message\n", c.cpu_us,
               c.switches);
}

static void print_series(const char *name, const struct histogram *h, double seconds)
{
    printf(",\"%s\":{\"count\":%llu,\"per_second\":%.1f,\"latency_us\":{", name,
           (unsigned long long)h->count, (double)h->count / seconds);
    for (size_t i = 0; i < PERCENTS; i++)
        printf("\"p%g\":%.1f,", percents[i], histogram_us(h, percents[i]));
    printf("\"max\":%.1f}}", (double)h->max / 1000);
}

static void print_json(const struct bench *b)
{
    const struct options *o = &b->options;
    struct costs c = costs_of(b);
    printf("{\"mode\":\"%s\",\"connections\":%u,\"pipeline\":%u,\"size\":%u,\"seconds\":%.3f",
           o->chat ? "chat" : "echo", o->connections, o->pipeline, o->size, c.seconds);
    print_series(o->chat ? "acknowledged" : "echoed", &b->first, c.seconds);
    if (o->chat)
        print_series("delivered", &b->second, c.seconds);
    printf(",\"load_cpu_percent\":%.1f", c.own_percent);
    if (b->after.known)
        printf(",\"server_cpu_us\":%.3f,\"server_switches\":%.4f", c.cpu_us, c.switches);
    printf("}\n");
}

/* ---- options ----------------------------------------------------------------------------- */

__attribute__((format(printf, 1, 2))) static int wrong(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("parley-bench: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    return EXIT_USAGE_ERROR;
}

static bool parse_seconds(const char *text, double *out)
{
    char *end;
    *out = strtod(text, &end);
    return strspn(text, "0123456789.") == strlen(text) && *text && !*end && *out <= 86400;
}

static int load_key(struct bench *b)
{
    struct log log = {.level = LOG_WARN, .program = "parley-bench"};
    struct secret secret;
    struct secret_error error;
    if (!b->options.secret_file)
        return wrong("--secret-file is missing; expected the file that the server uses");
    int result = secret_load(&secret, b->options.secret_file, false, &log, &error);
    if (result == 0)
        hmac_key_init(&b->key, slice_of(secret.bytes, secret.n));
    secret_wipe(&secret);
    if (result == 0)
        return -1;
    wrong("%s", error.text);
    return result == -EINVAL || result == -ENOENT ? EXIT_USAGE_ERROR : EXIT_SYSTEM;
}

/* Judges the values: -1, or the exit status. */
static int take_options(struct bench *b, const char *duration, const char *warmup)
{
    struct options *o = &b->options;
    if (!parse_seconds(duration, &o->duration) || o->duration < 0.01)
        return wrong("duration: \"%.40s\" is not seconds from 0.01 to 86400", duration);
    if (!parse_seconds(warmup, &o->warmup))
        return wrong("warmup: \"%.40s\" is not seconds from 0 to 86400", warmup);
    if (o->chat && o->connections % 2)
        return wrong("connections: %u is odd; chat takes pairs", o->connections);
    if (!o->url)
        o->url = o->chat ? "ws://127.0.0.1:8080/chat" : "ws://127.0.0.1:9001/";
    const char *why = url_parse(&b->url, o->url);
    if (why)
        return wrong("url: \"%.100s\": %s", o->url, why);
    if (!address_is_loopback(&b->url.address) && !o->anywhere)
        return wrong("%.100s is not on this machine, and may not expect this load; if it is yours, "
                     "add --anywhere",
                     o->url);
    if (o->server_pid && !read_usage(o->server_pid).known)
        return wrong("server-pid: there is no process %u", o->server_pid);
    return o->chat ? load_key(b) : -1;
}

/* -1: go on; otherwise the exit status. */
static int parse(struct bench *b, int argc, char **argv)
{
    struct options *o = &b->options;
    const char *duration = "5", *warmup = "1", *mode = argc > 1 ? argv[1] : "";
    bool help = false, version = false;
    *o = (struct options){.connections = 100, .pipeline = 1, .size = 20};
    struct arg rows[] = {
        {"url", ARG_TEXT, &o->url, 0, 0, "URL",
         "default ws://127.0.0.1:9001/ for echo, ws://127.0.0.1:8080/chat for chat", 0},
        {"connections", ARG_NUMBER, &o->connections, 1, 1000000, "N", "default 100", 0},
        {"pipeline", ARG_NUMBER, &o->pipeline, 1, 65536, "N",
         "messages in flight on each connection; default 1", 0},
        {"size", ARG_NUMBER, &o->size, 1, 16 << 20, "BYTES",
         "of the message, of the content for chat; default 20", 0},
        {"duration", ARG_TEXT, &duration, 0, 0, "S", "measured seconds; default 5", 0},
        {"warmup", ARG_TEXT, &warmup, 0, 0, "S", "seconds before that; default 1", 0},
        {"secret-file", ARG_TEXT, &o->secret_file, 0, 0, "FILE",
         "chat: the server's, to make tokens with; start the server with --rate 0", 0},
        {"server-pid", ARG_NUMBER, &o->server_pid, 1, INT32_MAX, "PID",
         "report what the server's process used", 0},
        {"anywhere", ARG_FLAG, &o->anywhere, 0, 0, NULL, "also load another machine", 0},
        {"json", ARG_FLAG, &o->json, 0, 0, NULL, "print the result as one JSON object", 0},
        {"version", ARG_FLAG, &version, 0, 0, NULL, "print the version", 0},
        {"help", ARG_FLAG, &help, 0, 0, NULL, "print this", 0},
        {0}};
    struct args_error error;
    int skip = mode[0] && mode[0] != '-';
    int rest = args_parse(rows, argc - skip, argv + skip, &error);
    if (rest < 0)
        return wrong("%s", error.text);
    if (help) {
        printf("usage: parley-bench echo|chat [OPTION]...\n"
               "Measures a WebSocket echo server, or a parley server, by a closed loop.\n\n");
        args_help(rows);
        return EXIT_CLEAN;
    }
    if (version) {
        printf("parley-bench %s\n", PARLEY_VERSION);
        return EXIT_CLEAN;
    }
    o->chat = strcmp(mode, "chat") == 0;
    if (!o->chat && strcmp(mode, "echo") != 0)
        return wrong("\"%.40s\" is neither echo nor chat, which come first; see --help", mode);
    if (rest < argc - skip)
        return wrong("\"%.60s\" is no option; see --help", argv[skip + rest]);
    return take_options(b, duration, warmup);
}

int main(int argc, char **argv)
{
    static struct bench b; /* large: histograms, the loop's slots */
    int parsed = parse(&b, argc, argv);
    if (parsed >= 0)
        return parsed;
    int result = start(&b);
    if (result)
        give_up(&b, EXIT_SYSTEM, "cannot start: %s", strerror(-result));
    run(&b);
    stop(&b);
    if (b.status != EXIT_CLEAN)
        fprintf(stderr, "parley-bench: %s\n", b.error);
    else if (b.options.json)
        print_json(&b);
    else
        print_table(&b);
    return (int)b.status;
}
