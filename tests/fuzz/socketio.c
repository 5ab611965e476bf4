/* Socket.IO over polling, WebSockets and the upgrade, by clients who do what they like: requests, packets, silence
 * and death in any order, on sessions of their own and of others. Nothing is left when they are
 * gone: no session, no memory.
 *
 * The first byte chooses the limits. Each step is a byte with the kind in its lower five bits and
 * the connection in the upper three, then what the kind takes.
 */
#include "chat/socketio.h"
#include "../sim/simdisk.h"
#include "../sim/world.h"
#include "chat/polling.h"
#include "codec/jwt.h"
#include "codec/utf8.h"
#include "fuzz.h"
#include "scarce.h"

#include <stdarg.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECTIONS 8
#define SIDS 4
#define STEPS 200 /* of an input, at most */

struct connection {
    int fd; /* -1: none */
    bool stuck;
    struct buf in;
};

static struct loop loop;
static struct stream_set streams;
static struct chat chat;
static struct simdisk disk;
static struct disk outer_disk;
static struct connection connections[CONNECTIONS];
static char sids[SIDS][SOCKETIO_SID + 1]; /* the last ones that were given out */
static unsigned sids_n;
static const char secret[] = "a secret of at least thirty-two bytes";

static void no_route(void *ctx, struct websocket *ws, const struct http_head *request)
{
    (void)ctx;
    (void)request;
    websocket_respond(ws, 404, "text/plain", "", SLICE(""), false);
}

static const char *full(void *ctx, uint32_t strangers)
{
    (void)ctx;
    return streams.open > 2 * CONNECTIONS || strangers > CONNECTIONS ? "Too many.\n" : NULL;
}

static void begin(uint8_t limits)
{
    static const struct log log = {.level = LOG_ERROR};
    const struct chat_options options = {.max_user_connections = 1 + (limits & 3),
                                         .max_frame = limits & 4 ? 1024 : 65536,
                                         .max_content = 16384,
                                         .max_queue = limits & 16 ? 4096 : 1 << 20,
                                         .rate = limits & 32 ? 10 : 0,
                                         .idle_ms = 45000,
                                         .log = &log,
                                         .clock = &clock_system,
                                         .on_request = no_route,
                                         .full = full};
    const struct store_options store = {
        .disk = &outer_disk, .log = &log, .segment_size = 20000, .inline_commit = true};
    struct store_error error;
    world_begin(1);
    simdisk_init(&disk, 1);
    scarce_disk(&outer_disk, &disk.disk);
    scarce_fail(0, 0);
    sids_n = 0;
    memset(sids, 0, sizeof sids);
    for (int i = 0; i < CONNECTIONS; i++)
        connections[i] = (struct connection){.fd = -1};
    CHECK(loop_init(&loop, &clock_system) == 0);
    CHECK(stream_set_init(&streams, &loop) == 0);
    CHECK(chat_open(&chat, &streams, &options, &store, &error) == STORE_OK);
    chat_set_secret(&chat, slice_str(secret));
}

/* ---- the clients --------------------------------------------------------------------------- */

static void drop(struct connection *c)
{
    if (c->fd >= 0)
        close(c->fd);
    buf_free(&c->in);
    *c = (struct connection){.fd = -1};
}

/* Answers and frames are text all through, but for the heads of frames: that is what is looked at. */
static void judge(struct connection *c)
{
    static const char mark[] = "0{\"sid\":\"";
    for (size_t i = 0; i + sizeof mark - 1 + SOCKETIO_SID <= c->in.n; i++) {
        if (memcmp(c->in.p + i, mark, sizeof mark - 1) != 0 || (i && c->in.p[i - 1] == '4'))
            continue;
        char *sid = sids[sids_n++ % SIDS];
        memcpy(sid, c->in.p + i + sizeof mark - 1, SOCKETIO_SID);
        sid[SOCKETIO_SID] = 0;
    }
    buf_clear(&c->in);
}

static void receive(struct connection *c)
{
    uint8_t bytes[16384];
    ssize_t n = 0;
    while (c->fd >= 0 && !c->stuck && (n = recv(c->fd, bytes, sizeof bytes, MSG_DONTWAIT)) > 0)
        buf_append(&c->in, bytes, (size_t)n);
    judge(c);
    if (c->fd >= 0 && !c->stuck && n == 0)
        drop(c);
}

static bool turn(void)
{
    uint64_t sent = streams.bytes_out;
    scarce_begin();
    CHECK(loop_turn(&loop, 0) >= 0);
    scarce_end();
    for (int i = 0; i < CONNECTIONS; i++)
        receive(&connections[i]);
    return streams.bytes_out != sent || loop.busy;
}

static void connect_client(struct connection *c)
{
    int pair[2], little = 1;
    drop(c);
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) == 0);
    setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &little, sizeof little);
    c->fd = pair[1];
    scarce_begin();
    chat_accept(&chat, pair[0], &(struct address){0});
    scarce_end();
}

static void send_bytes(struct connection *c, struct slice bytes)
{
    if (c->fd >= 0 && send(c->fd, bytes.p, bytes.n, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
        return;
}

__attribute__((format(printf, 2, 3))) static void send_text(struct connection *c,
                                                            const char *format, ...)
{
    char text[2048];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    CHECK(n >= 0 && (size_t)n < sizeof text);
    send_bytes(c, slice_of(text, (size_t)n));
}

#define QUERY "/socket.io/?EIO=4&transport="
#define UPGRADE                                                             \
    " HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" \
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"

static void post(struct connection *c, const char *sid, struct slice body)
{
    send_text(c, "POST " QUERY "polling&sid=%s HTTP/1.1\r\nHost: h\r\nContent-Length: %zu\r\n\r\n",
              sid, body.n);
    send_bytes(c, body);
}

static void send_frame(struct connection *c, struct slice payload)
{
    static const uint8_t key[4] = {0x12, 0x34, 0x56, 0x78};
    uint8_t frame[FRAME_MAX_HEAD + 2048];
    size_t n = frame_write_masked_head(frame, FRAME_TEXT, payload.n, key);
    CHECK(payload.n <= sizeof frame - n);
    if (payload.n)
        memcpy(frame + n, payload.p, payload.n);
    frame_mask(frame + n, payload.n, key);
    send_bytes(c, slice_of(frame, n + payload.n));
}

/* A packet that a client would send. */
static struct slice packet(uint8_t which)
{
    static char text[2048];
    static const char *const packets[] = {
        "2probe",
        "5",
        "3",
        "1",
        "6",
        "41",
        "40",
        "42[\"snippets\"]",
        "421[\"snippets\"]",
        "42[\"startWriting\",{\"id\":\"bob\"}]",
        "421[\"presence\",{\"ids\":[\"bob\",\"alice\"]}]",
        "421[\"conversation\",{\"id\":\"bob\"}]",
        "42[\"conversation\",{\"id\":\"alice\"}]",
        "421[\"read\",{\"id\":\"bob\",\"upTo\":1}]",
        "431[]",
        "40/x,",
    };
    struct hmac_key key;
    char token[512];
    if (which & 128) {
        int n =
            snprintf(text, sizeof text, "42%s[\"message\",{\"to\":\"%s\",\"content\":\"%0*d\"}]",
                     which & 1 ? "7" : "", which & 2 ? "bob" : "alice", 1 + (which & 124) * 12, 0);
        return slice_of(text, (size_t)n);
    }
    if (which & 64) {
        hmac_key_init(&key, slice_str(secret));
        size_t size = jwt_sign(token, sizeof token, &key, which & 1 ? SLICE("alice") : SLICE("bob"),
                               0, INT64_MAX);
        int n = snprintf(text, sizeof text, "40{\"token\":\"%.*s\"%s}", (int)size, token,
                         which & 2 ? ",\"since\":0" : "");
        return slice_of(text, (size_t)n);
    }
    return slice_str(packets[which % (sizeof packets / sizeof *packets)]);
}

static void post_many(struct connection *c, const char *sid, uint8_t which, uint8_t count)
{
    struct buf body = {0};
    for (int i = 0; i <= count % 16; i++) {
        if (i)
            buf_append_lit(&body, "\x1e");
        buf_append_slice(&body, packet(which));
    }
    post(c, sid, buf_slice(&body));
    buf_free(&body);
}

static void step(struct slice *in)
{
    uint8_t first = fuzz_byte(in), a;
    struct connection *c = &connections[first >> 5];
    const char *sid = sids[(first >> 5) % SIDS];
    switch (first & 31) {
    case 0:
        connect_client(c);
        break;
    case 1:
        send_bytes(c, fuzz_bytes(in, fuzz_byte(in)));
        break;
    case 2:
    case 3:
        connect_client(c);
        send_text(c, "GET " QUERY "polling HTTP/1.1\r\nHost: h\r\nOrigin: http://h\r\n\r\n");
        turn();
        break;
    case 4:
    case 5:
        send_text(c, "GET " QUERY "polling&sid=%s HTTP/1.1\r\nHost: h\r\n\r\n",
                  sids[fuzz_byte(in) % SIDS]);
        break;
    case 6:
        a = fuzz_byte(in);
        post(c, sids[a % SIDS], fuzz_bytes(in, fuzz_byte(in)));
        break;
    case 7:
    case 8:
    case 9:
        a = fuzz_byte(in);
        post_many(c, sids[a % SIDS], fuzz_byte(in), a / SIDS);
        break;
    case 10:
        connect_client(c);
        send_text(c, "GET " QUERY "websocket" UPGRADE);
        turn();
        break;
    case 11:
        connect_client(c);
        send_text(c, "GET " QUERY "websocket&sid=%s" UPGRADE, sids[fuzz_byte(in) % SIDS]);
        turn();
        break;
    case 12:
        send_frame(c, fuzz_bytes(in, fuzz_byte(in)));
        break;
    case 13:
    case 14:
        send_frame(c, packet(fuzz_byte(in)));
        break;
    case 15:
        world_pass(fuzz_byte(in) * INT64_C(200));
        turn();
        break;
    case 16:
        c->stuck = !c->stuck;
        break;
    case 17:
        drop(c);
        break;
    case 18:
        if (fuzz_byte(in) > 250)
            chat_drain(&chat, 0);
        break;
    case 19:
        a = fuzz_byte(in);
        scarce_fail(1u + a % 32, 1u << a / 32);
        break;
    case 20: /* all of an upgrade, in one go */
        send_frame(c, SLICE("2probe"));
        turn();
        send_frame(c, SLICE("5"));
        send_frame(c, packet(fuzz_byte(in)));
        break;
    case 21:
        send_text(c,
                  "OPTIONS " QUERY "polling&sid=%s HTTP/1.1\r\nHost: h\r\nOrigin: http://h\r\n\r\n",
                  sid);
        break;
    default:
        turn();
    }
}

static void check_nothing_left(void)
{
    for (int i = 0; i < CONNECTIONS; i++)
        drop(&connections[i]);
    for (int i = 0; i < 100 && turn(); i++)
        ;
    world_pass(60000); /* whoever polled and was forgotten */
    for (int i = 0; i < 100 && (streams.open || turn()); i++) {
        world_pass(1000);
        turn();
    }
    CHECK(streams.open == 0 && chat.stats.connections == 0 && chat.polls_n == 0);
    CHECK(!chat.unregistered && list_empty(&chat.waiting));
    CHECK(chat.pending_at == chat.pending.n);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct slice in = slice_of(p, n);
    uint8_t limits = fuzz_byte(&in);
    begin(limits);
    for (int i = 0; i < STEPS && in.n; i++)
        step(&in);
    scarce_fail(0, 0);
    if (!(limits & 128)) /* or it ends in the middle of everything */
        check_nothing_left();
    chat_close(&chat);
    CHECK(streams.open == 0 && chat.polls_n == 0);
    CHECK(streams.memory == streams.spare_n * 4096);
    for (int i = 0; i < CONNECTIONS; i++)
        drop(&connections[i]);
    stream_set_fini(&streams);
    loop_fini(&loop);
    simdisk_fini(&disk);
    return 0;
}
