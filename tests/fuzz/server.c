/*
 * The whole server, all but its listeners and threads: up to eight connections, whatever they send in
 * whatever pieces, closes, a clock that jumps, a disk that fails, memory that runs out. What the server says is judged by
 * judge.h; what it acknowledged is in the log afterwards; and nothing is left of any connection.
 *
 * An input is a first byte with the limits, then steps: a byte with the kind in its lower five bits and
 * the connection in the upper three, then what the kind takes.
 */
#include "server/server.h"
#include "../sim/simdisk.h"
#include "../sim/world.h"
#include "codec/jwt.h"
#include "fuzz.h"
#include "judge.h"
#include "scarce.h"
#include "server/pages.h"

#include <stdarg.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECTIONS 8
#define STEPS 200 /* of an input, at most */

struct connection {
    int fd;     /* -1: none */
    bool stuck; /* reads nothing */
    uint8_t chop;
    struct judge judge;
};

static struct server server;
static struct simdisk disk;
static struct disk outer_disk;
static struct connection connections[CONNECTIONS];
static unsigned acknowledged;
static const char secret[] = "a secret of at least thirty-two bytes";
static const char *const users[] = {"alice", "bob", "c\"\xc3\xa9", "42"};

/* ---- the server ---------------------------------------------------------------------------- */

static void on_line(void *ctx, enum log_level level, const char *line)
{
    (void)ctx;
    (void)level;
    for (; *line; line++)
        CHECK((uint8_t)*line >= 0x20 && (uint8_t)*line < 0x7f);
}

static void on_request(void *ctx, struct websocket *ws, const struct http_head *request)
{
    if (slice_eq(request->path, SLICE("/metrics")))
        pages_admin(ctx, ws, request);
    else
        pages_public(ctx, ws, request);
}

static enum store_status open_chat(uint8_t limits)
{
    static const struct ip_range unix_peers = {.bits = 128}; /* everybody: a proxy in front */
    const struct chat_options options = {.max_user_connections = 1 + (limits & 3),
                                         .max_frame = limits & 4 ? 1024 : 65536,
                                         .max_content = limits & 8 ? 100 : 16384,
                                         .max_queue = limits & 16 ? 4096 : 65536,
                                         .rate = limits & 32 ? 10 : 0,
                                         .idle_ms = 45000,
                                         .trusted = {&unix_peers, 1},
                                         .log = &server.log,
                                         .clock = &clock_system,
                                         .on_request = on_request,
                                         .ctx = &server};
    const struct store_options store = {.disk = &outer_disk,
                                        .log = &server.log,
                                        .segment_size = 20000,
                                        .sync = limits & 64 ? STORE_SYNC_NONE : STORE_SYNC_ALWAYS,
                                        .inline_commit = true};
    struct store_error error;
    return chat_open(&server.chat, &server.streams, &options, &store, &error);
}

static void begin(uint8_t limits)
{
    static const struct config config = {.demo = true};
    world_begin(1);
    simdisk_init(&disk, 1);
    scarce_disk(&outer_disk, &disk.disk);
    server = (struct server){.config = &config, .log = {.level = LOG_DEBUG, .sink = on_line}};
    acknowledged = 0;
    scarce_fail(0, 0);
    for (int i = 0; i < CONNECTIONS; i++)
        connections[i] = (struct connection){.fd = -1};
    CHECK(loop_init(&server.loop, &clock_system) == 0);
    CHECK(stream_set_init(&server.streams, &server.loop) == 0);
    CHECK(open_chat(limits) == STORE_OK);
    chat_set_secret(&server.chat, slice_str(secret));
}

/* ---- the clients --------------------------------------------------------------------------- */

static void drop(struct connection *c)
{
    if (c->fd >= 0)
        close(c->fd);
    acknowledged += c->judge.acknowledged;
    judge_fini(&c->judge);
    *c = (struct connection){.fd = -1};
}

static void receive(struct connection *c)
{
    static uint8_t bytes[65536];
    ssize_t n = sizeof bytes;
    while (c->fd >= 0 && !c->stuck && n == sizeof bytes) {
        n = recv(c->fd, bytes, sizeof bytes, MSG_DONTWAIT);
        if (n > 0)
            judge_bytes(&c->judge, slice_of(bytes, (size_t)n));
        else if (n == 0)
            drop(c);
    }
}

/* Whether anything was sent. */
static bool turn(void)
{
    uint64_t sent = server.streams.bytes_out;
    scarce_begin();
    CHECK(loop_turn(&server.loop, 0) >= 0);
    scarce_end();
    if (server.streams.bytes_out == sent)
        return false;
    for (int i = 0; i < CONNECTIONS; i++)
        receive(&connections[i]);
    return true;
}

static void connect_client(struct connection *c)
{
    int pair[2], little = 1;
    drop(c);
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) == 0);
    /* The least that there is, so that much waits in the server. */
    setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &little, sizeof little);
    c->fd = pair[1];
    scarce_begin();
    chat_accept(&server.chat, pair[0], &(struct address){0});
    scarce_end();
}

/* In pieces of the size that was asked for, the first fifty, with a turn behind each. What does not go
   is lost. */
static void send_bytes(struct connection *c, struct slice bytes)
{
    for (int i = 0; c->fd >= 0 && bytes.n; i++) {
        struct slice chop = fuzz_bytes(&bytes, c->chop && i < 50 ? c->chop : bytes.n);
        if (send(c->fd, chop.p, chop.n, MSG_DONTWAIT | MSG_NOSIGNAL) != (ssize_t)chop.n)
            return;
        if (c->chop)
            turn();
    }
}

static void send_frame(struct connection *c, uint8_t first, struct slice payload)
{
    static const uint8_t key[4] = {0x12, 0x34, 0x56, 0x78};
    uint8_t head[FRAME_MAX_HEAD];
    struct buf frame = {0};
    size_t n = frame_write_masked_head(head, FRAME_TEXT, payload.n, key);
    head[0] = first;
    buf_append(&frame, head, n);
    buf_append_slice(&frame, payload);
    CHECK(!frame.failed);
    frame_mask(frame.p + n, payload.n, key);
    send_bytes(c, buf_slice(&frame));
    buf_free(&frame);
}

__attribute__((format(printf, 2, 3))) static void send_text(struct connection *c,
                                                            const char *format, ...)
{
    char *text;
    va_list args;
    va_start(args, format);
    int n = vasprintf(&text, format, args);
    va_end(args);
    CHECK(n >= 0);
    send_frame(c, 0x81, slice_of(text, (size_t)n));
    free(text);
}

static void upgrade(struct connection *c)
{
    send_bytes(c, SLICE("GET /chat HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
                        "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"));
}

/* seconds 0: the token never expires. */
static void register_client(struct connection *c, const char *user, uint8_t seconds,
                            const char *more)
{
    char token[1024];
    struct hmac_key key;
    int64_t now = clock_wall_ms(&clock_system);
    hmac_key_init(&key, slice_str(secret));
    size_t n = jwt_sign(token, sizeof token, &key, slice_str(user), now,
                        seconds ? now + seconds * 1000 : INT64_MAX);
    send_text(c, "{\"event\":\"registerMessages\",\"data\":{\"token\":\"%.*s\"%s}}", (int)n, token,
              more);
}

/* ---- steps --------------------------------------------------------------------------------- */

static const char *user_json(uint8_t i)
{
    static const char *const json[] = {"alice", "bob", "c\\\"\\u00e9", "42", "nobody"};
    return json[i % 5];
}

static void send_message(struct connection *c, uint8_t to, uint8_t size)
{
    char content[255 * 64 + 1];
    memset(content, 'x', sizeof content);
    content[size * 64] = 0;
    send_text(c, "{\"event\":\"message\",\"ref\":%u,\"data\":{\"to\":\"%s\",\"content\":\"m%s\"}}",
              size, user_json(to), content);
}

static void spoil_disk(uint8_t how)
{
    if (how & 128)
        disk.room = how & 1 ? UINT64_MAX : simdisk_used(&disk) + (how & 127) * 64;
    else
        disk.fail_write = disk.writes + 1 + how % 16;
}

static void step(struct slice *in)
{
    uint8_t first = fuzz_byte(in);
    struct connection *c = &connections[first >> 5];
    uint8_t a;
    char since[32];
    switch (first & 31) {
    case 0:
        connect_client(c);
        break;
    case 1:
        connect_client(c);
        upgrade(c);
        break;
    case 2:
        connect_client(c);
        upgrade(c);
        register_client(c, users[(first >> 5) & 3], 0, "");
        break;
    case 3:
        a = fuzz_byte(in); /* compilers differ in which argument they look at first */
        register_client(c, users[a & 3], fuzz_byte(in), "");
        break;
    case 4:
        send_bytes(c, fuzz_bytes(in, fuzz_byte(in)));
        break;
    case 5:
        send_frame(c, 0x81, fuzz_bytes(in, fuzz_byte(in)));
        break;
    case 6:
        a = fuzz_byte(in);
        send_frame(c, a, fuzz_bytes(in, fuzz_byte(in)));
        break;
    case 7:
    case 8:
    case 9:
        a = fuzz_byte(in);
        send_message(c, a, fuzz_byte(in));
        break;
    case 10:
        send_text(c, "{\"event\":\"conversation\",\"data\":{\"id\":\"%s\"}}",
                  user_json(fuzz_byte(in)));
        break;
    case 11:
        a = fuzz_byte(in);
        send_text(c,
                  "{\"event\":\"conversation\",\"ref\":\"r\",\"data\":{\"id\":\"%s\","
                  "\"limit\":%u,\"before\":%u}}",
                  user_json(a), 1u + a / 5 % 8, 1u + fuzz_byte(in));
        break;
    case 12:
        send_text(c, "{\"event\":\"snippets\",\"ref\":7}");
        break;
    case 13:
        send_text(c, "{\"event\":\"startWriting\",\"data\":{\"id\":\"%s\"}}",
                  user_json(fuzz_byte(in)));
        break;
    case 14:
        send_text(c, "{\"event\":\"stopWriting\",\"data\":{\"id\":\"%s\"}}",
                  user_json(fuzz_byte(in)));
        break;
    case 15:
        drop(c);
        break;
    case 16:
        if (c->fd >= 0)
            shutdown(c->fd, SHUT_WR);
        break;
    case 17:
        world_pass(fuzz_byte(in) * INT64_C(100));
        turn();
        break;
    case 18:
        c->stuck = !c->stuck;
        receive(c);
        break;
    case 19:
        c->chop = fuzz_byte(in);
        break;
    case 20:
        spoil_disk(fuzz_byte(in));
        break;
    case 21:
        if (fuzz_byte(in) == 255) {
            chat_drain(&server.chat, first & 64 ? 1000 : 0);
            server.draining = true;
        }
        break;
    case 22:
        chat_set_secret(&server.chat, fuzz_byte(in) & 1 ? slice_str(secret) : SLICE("another"));
        break;
    case 24:
        a = fuzz_byte(in);
        scarce_fail(1u + a % 32, 1u << a / 32);
        break;
    case 25:
        a = fuzz_byte(in);
        send_text(c, "{\"event\":\"presence\",\"data\":{\"ids\":[\"%s\",\"%s\"%s]}}", user_json(a),
                  user_json(a / 5), a & 64 ? ",\"x\"" : "");
        break;
    case 26:
        a = fuzz_byte(in);
        snprintf(since, sizeof since, ",\"since\":%u", a >> 2);
        register_client(c, users[a & 3], 0, since);
        break;
    default:
        turn();
    }
}

/* ---- the end ------------------------------------------------------------------------------- */

/* Everybody takes what is left for him. */
static void read_all(void)
{
    for (int i = 0; i < CONNECTIONS; i++) {
        connections[i].stuck = false;
        receive(&connections[i]);
    }
    turn();
    for (int i = 0; i < 300 && turn(); i++)
        ;
}

static void check_nothing_left(void)
{
    const struct chat *chat = &server.chat;
    for (int i = 0; i < CONNECTIONS; i++)
        drop(&connections[i]);
    for (int i = 0; i < 100 && (server.streams.open || chat->pending_at < chat->pending.n); i++) {
        if (chat->polls_n) /* sessions that poll outlive their connections */
            world_pass(1000);
        turn();
    }
    CHECK(chat->stats.connections == 0 && server.streams.open == 0);
    CHECK(!chat->unregistered && list_empty(&chat->waiting));
    for (uint32_t i = 0; i < chat->hub.n; i++)
        CHECK(!hub_user(&chat->hub, i));
    CHECK(chat->pending_at == chat->pending.n);
}

/* What was acknowledged is in the log. */
static void check_log(void)
{
    struct store_stats stats;
    disk.fail_write = 0;
    disk.room = UINT64_MAX;
    CHECK(disk.open_files == 0);
    disk.locked = false;
    CHECK(open_chat(0) == STORE_OK);
    store_get_stats(server.chat.store, &stats);
    CHECK(stats.messages >= acknowledged);
    CHECK(chat_close(&server.chat) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct slice in = slice_of(p, n);
    int descriptor = dup(0);
    close(descriptor);
    uint8_t limits = fuzz_byte(&in);
    begin(limits);
    for (int i = 0; i < STEPS && in.n; i++)
        step(&in);
    if (!(limits & 128)) { /* or it ends in the middle of everything */
        read_all();
        check_nothing_left();
    }
    chat_close(&server.chat);
    CHECK(server.streams.open == 0);
    for (int i = 0; i < CONNECTIONS; i++)
        drop(&connections[i]);
    check_log();
    stream_set_fini(&server.streams);
    loop_fini(&server.loop);
    simdisk_fini(&disk);
    CHECK(dup(0) == descriptor);
    close(descriptor);
    return 0;
}
