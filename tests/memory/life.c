#include "life.h"

#include "../fuzz/scarce.h"
#include "../sim/world.h"
#include "../support/folder.h"
#include "../support/test.h"
#include "codec/jwt.h"
#include "net/frame.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static const char secret[] = "a secret of at least thirty-two bytes";

struct server life_server;
struct simdisk life_disk;
struct config life_config;
bool life_threaded;
static struct folder folder;
static char secret_file[128];
static struct peer *peers[PEERS];

/* ---- the server -------------------------------------------------------------------------- */

/* The linker puts these in the place of the store's. */
int __real_disk_open_dir(struct disk *disk, const char *path);
int __wrap_disk_open_dir(struct disk *disk, const char *path);
void __real_disk_close_dir(struct disk *disk);
void __wrap_disk_close_dir(struct disk *disk);
enum store_status __real_store_open(struct store **out, const struct store_options *options,
                                    struct store_error *error);
enum store_status __wrap_store_open(struct store **out, const struct store_options *options,
                                    struct store_error *error);

/* What it says is not for the log of the tests. */
static void no_line(void *ctx, enum log_level level, const char *line)
{
    (void)ctx;
    (void)level;
    (void)line;
}

int __wrap_disk_open_dir(struct disk *disk, const char *path)
{
    if (life_threaded)
        return __real_disk_open_dir(disk, path);
    scarce_disk(disk, &life_disk.disk);
    return 0;
}

void __wrap_disk_close_dir(struct disk *disk)
{
    if (life_threaded)
        __real_disk_close_dir(disk);
}

enum store_status __wrap_store_open(struct store **out, const struct store_options *options,
                                    struct store_error *error)
{
    struct store_options here = *options;
    here.inline_commit = !life_threaded;
    return __real_store_open(out, &here, error);
}

void life_begin(void)
{
    life_threaded = false;
    world_begin(1);
    simdisk_init(&life_disk, 1);
    life_disk.room = UINT64_MAX;
    folder_make(&folder);
    FILE *f = fopen(folder_file(&folder, secret_file, "secret"), "we");
    assert_non_null(f);
    assert_true(fputs(secret, f) >= 0);
    assert_int_equal(fclose(f), 0);
    life_config = (struct config){.listen = {{"127.0.0.1:0"}, 1},
                                  .data = folder.path,
                                  .secret_file = secret_file,
                                  .sync = STORE_SYNC_ALWAYS,
                                  .segment_size = 32768,
                                  .arrange_segments = true,
                                  .admin = "127.0.0.1:0",
                                  .admin_token_file = secret_file,
                                  .confine = CONFINE_OFF,
                                  .max_user_connections = 4,
                                  .max_frame = 65536,
                                  .max_content = 16384,
                                  .max_queue = 65536,
                                  .idle_timeout = 45,
                                  .log_level = LOG_ERROR};
}

void life_end(void)
{
    simdisk_fini(&life_disk);
    folder_remove(&folder);
}

enum exit_status life_open(struct server_error *error)
{
    life_server = (struct server){.config = &life_config,
                                  .log = {.sink = no_line, .level = life_config.log_level}};
    scarce_begin();
    enum exit_status status = server_listen(&life_server, error);
    if (status == EXIT_CLEAN)
        status = server_open_data(&life_server, error);
    if (status == EXIT_CLEAN)
        status = server_open_log(&life_server, error);
    if (status != EXIT_CLEAN)
        server_close(&life_server);
    scarce_end();
    return status;
}

static void hang_up(size_t i)
{
    struct peer *p = peers[i];
    peers[i] = NULL;
    if (!p)
        return;
    if (p->fd >= 0)
        close(p->fd);
    buf_free(&p->in);
    p->fd = -1;
}

enum exit_status life_close(void)
{
    scarce_begin();
    enum exit_status status = server_close(&life_server);
    scarce_end();
    for (size_t i = 0; i < PEERS; i++)
        hang_up(i);
    return status;
}

/* Whether anything happened. */
static bool turn(void)
{
    scarce_begin();
    int ready = loop_turn(&life_server.loop, life_threaded ? 1 : 0);
    scarce_end();
    assert_true(ready >= 0);
    return ready > 0 || life_server.loop.busy;
}

static void receive(struct peer *p)
{
    uint8_t *to = buf_reserve(&p->in, 65536 + 1);
    assert_non_null(to);
    ssize_t n = recv(p->fd, to, 65536, MSG_DONTWAIT);
    if (n == 0) {
        close(p->fd);
        p->fd = -1;
    }
    if (n > 0)
        p->in.n += (size_t)n;
    p->in.p[p->in.n] = 0;
}

/* Whether any peer has received something. */
static bool receive_all(void)
{
    struct pollfd polled[PEERS];
    for (size_t i = 0; i < PEERS; i++)
        polled[i] = (struct pollfd){.fd = peers[i] ? peers[i]->fd : -1, .events = POLLIN};
    if (poll(polled, PEERS, 0) <= 0)
        return false;
    for (size_t i = 0; i < PEERS; i++)
        if (polled[i].revents)
            receive(peers[i]);
    return true;
}

/* What changes when a peer has something to receive. */
static uint64_t told(void)
{
    return life_server.streams.bytes_out + life_server.chat.stats.accepted +
           life_server.turned_away - life_server.streams.open;
}

static bool together;

void life_together(bool begin)
{
    together = begin;
    life_settle();
}

void life_settle(void)
{
    if (together)
        return;
    for (bool moved = true; moved;) {
        uint64_t before = told();
        moved = turn();
        while (told() != before && receive_all())
            moved = true;
    }
}

void life_pass(int64_t ms)
{
    for (; ms > 0; ms -= 5000) {
        world_pass(ms < 5000 ? ms : 5000);
        life_settle();
    }
}

void life_expect_empty(void)
{
    const struct chat *chat = &life_server.chat;
    assert_int_equal(life_server.streams.open, 0);
    assert_int_equal(chat->stats.connections, 0);
    assert_int_equal(chat->polls_n, 0);
    assert_true(!chat->unregistered && list_empty(&chat->waiting) && list_empty(&chat->typing) &&
                list_empty(&life_server.admin_open));
    for (uint32_t i = 0; i < chat->hub.n; i++)
        assert_null(hub_user(&chat->hub, i));
    assert_int_equal(chat->pending_at, chat->pending.n);
    assert_int_equal(life_server.streams.memory,
                     life_server.streams.spare_n * 4096 +
                         chat->hub.watched_n * sizeof *chat->hub.watched);
}

/* ---- peers ------------------------------------------------------------------------------- */

static void enter(struct peer *p, const struct address *at)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = ((const struct sockaddr_in *)&at->storage)->sin_port,
                             .sin_addr = {htonl(INADDR_LOOPBACK)}};
    size_t i = 0;
    peer_close(p);
    while (i < PEERS && peers[i] && peers[i] != p)
        i++;
    assert_true(i < PEERS);
    peers[i] = p;
    p->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(p->fd >= 0);
    assert_int_equal(connect(p->fd, (struct sockaddr *)&to, sizeof to), 0);
    assert_int_equal(setsockopt(p->fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int)), 0);
    life_settle();
}

void peer_open(struct peer *p)
{
    enter(p, &life_server.listeners[0].address);
}

void peer_open_admin(struct peer *p)
{
    enter(p, &life_server.admin.address);
}

void peer_forget(struct peer *p)
{
    buf_clear(&p->in);
}

void peer_close(struct peer *p)
{
    for (size_t i = 0; i < PEERS; i++) {
        if (peers[i] != p)
            continue;
        hang_up(i);
        life_settle();
    }
    *p = (struct peer){.fd = -1};
}

static void send_bytes(struct peer *p, const void *bytes, size_t n)
{
    if (p->fd >= 0)
        (void)!send(p->fd, bytes, n, MSG_NOSIGNAL | MSG_DONTWAIT);
    life_settle();
}

void peer_send(struct peer *p, const char *format, ...)
{
    static char text[32768];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    assert_true(n >= 0 && (size_t)n < sizeof text);
    send_bytes(p, text, (size_t)n);
}

void peer_frame(struct peer *p, uint8_t first_byte, struct slice payload)
{
    static const uint8_t key[4] = {0x12, 0x34, 0x56, 0x78};
    static uint8_t frame[FRAME_MAX_HEAD + 32768];
    size_t n = frame_write_masked_head(frame, FRAME_TEXT, payload.n, key);
    assert_true(payload.n <= sizeof frame - n);
    frame[0] = first_byte;
    memcpy(frame + n, payload.p, payload.n);
    frame_mask(frame + n, payload.n, key);
    send_bytes(p, frame, n + payload.n);
}

void peer_say(struct peer *p, const char *format, ...)
{
    static char text[32768];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    assert_true(n >= 0 && (size_t)n < sizeof text);
    peer_frame(p, 0x81, slice_of(text, (size_t)n));
}

bool peer_saw(const struct peer *p, const char *text)
{
    return p->in.n && memmem(p->in.p, p->in.n, text, strlen(text));
}

const char *life_token(const char *user)
{
    static char token[512];
    struct hmac_key key;
    int64_t now = clock_wall_ms(&clock_system);
    hmac_key_init(&key, slice_str(secret));
    size_t n = jwt_sign(token, sizeof token - 1, &key, slice_str(user), now, now + 3600000);
    assert_true(n > 0);
    token[n] = 0;
    return token;
}

void peer_open_as(struct peer *p, const char *user)
{
    peer_open(p);
    peer_send(p, "GET /chat HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                 "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "
                 "dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
    peer_say(p, "{\"event\":\"registerMessages\",\"data\":{\"token\":\"%s\"}}", life_token(user));
}
