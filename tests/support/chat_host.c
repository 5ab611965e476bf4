#include "chat_host.h"

#include "codec/jwt.h"
#include "folder.h"
#include "test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define WALL_START INT64_C(1790000000000)

int64_t host_ms, host_jumped;

int64_t host_wall(void *ctx)
{
    (void)ctx;
    return WALL_START + host_ms + host_jumped;
}

static int64_t mono(void *ctx)
{
    (void)ctx;
    return 1000000 + host_ms;
}

static const struct clock moved_clock = {host_wall, mono, NULL};
struct loop host_loop;
struct stream_set host_streams;
struct chat host_chat;
static struct disk disk;
static char dir[64];
const char host_secret[] = "a secret of at least thirty-two bytes";

void host_pump(void)
{
    assert_true(loop_turn(&host_loop, 0) >= 0);
}

void host_pump_patiently(void)
{
    assert_true(loop_turn(&host_loop, 1000) >= 0);
}

void host_advance(int64_t ms)
{
    for (int64_t end = host_ms + ms; host_ms < end;) {
        host_ms += 100;
        host_pump();
        host_pump();
    }
}

/* A disk on which nothing is in memory before it was read once; blocks of 512 bytes. */
static struct disk real;
static uint8_t warm[1 << 16];
unsigned host_cold_reads;
bool host_cold, host_unreadable;

static int64_t cold_pread(void *ctx, int file, void *p, size_t n, uint64_t at)
{
    if (__atomic_load_n(&host_unreadable, __ATOMIC_ACQUIRE))
        return -EIO;
    for (uint64_t block = at / 512; block <= (at + n) / 512; block++)
        __atomic_store_n(&warm[block], 1, __ATOMIC_RELEASE);
    return real.pread(ctx, file, p, n, at);
}

void host_forget_all(void)
{
    for (size_t i = 0; i < sizeof warm; i++)
        __atomic_store_n(&warm[i], 0, __ATOMIC_RELEASE);
}

/* As far as the blocks from the first on are in memory. */
static int64_t cold_pread_now(void *ctx, int file, void *p, size_t n, uint64_t at)
{
    size_t have = 0;
    while (have < n && (!host_cold || __atomic_load_n(&warm[(at + have) / 512], __ATOMIC_ACQUIRE)))
        have += 512 - (size_t)((at + have) % 512);
    if (have == 0) {
        host_cold_reads++;
        return -EAGAIN;
    }
    return real.pread(ctx, file, p, have < n ? have : n, at);
}

pthread_mutex_t host_gate = PTHREAD_MUTEX_INITIALIZER;
static bool threaded; /* with a commit thread */

static int gated_sync(void *ctx, int file)
{
    pthread_mutex_lock(&host_gate);
    pthread_mutex_unlock(&host_gate);
    return real.sync(ctx, file);
}

static void no_route(void *ctx, struct websocket *ws, const struct http_head *request)
{
    (void)ctx;
    (void)request;
    websocket_respond(ws, 404, "text/plain", "", SLICE(""), false);
}

int host_start(void **state)
{
    (void)state;
    static const struct log log = {.level = LOG_ERROR, .program = "test"};
    const struct chat_options options = {.max_user_connections = 32,
                                         .max_frame = 65536,
                                         .max_content = 16384,
                                         .max_queue = 65536,
                                         .rate = 10,
                                         .idle_ms = 45000,
                                         .log = &log,
                                         .clock = &moved_clock,
                                         .on_request = no_route};
    const struct store_options store = {.disk = &disk, .log = &log, .inline_commit = !threaded};
    struct store_error error;
    host_ms = 0;
    folder_make_path(dir);
    assert_int_equal(disk_open_dir(&disk, dir), 0);
    real = disk;
    disk.pread = cold_pread;
    disk.pread_now = cold_pread_now;
    disk.sync = gated_sync;
    host_cold_reads = 0;
    host_cold = false;
    __atomic_store_n(&host_unreadable, false, __ATOMIC_RELEASE);
    assert_int_equal(loop_init(&host_loop, &moved_clock), 0);
    assert_int_equal(stream_set_init(&host_streams, &host_loop), 0);
    assert_int_equal(chat_open(&host_chat, &host_streams, &options, &store, &error), STORE_OK);
    chat_set_secret(&host_chat, slice_str(host_secret));
    return 0;
}

int host_start_threaded(void **state)
{
    threaded = true;
    int result = host_start(state);
    threaded = false;
    return result;
}

int host_stop(void **state)
{
    char command[128];
    (void)state;
    host_jumped = 0;
    chat_close(&host_chat);
    assert_int_equal(host_streams.memory, host_streams.spare_n * 4096); /* all is accounted for */
    stream_set_fini(&host_streams);
    loop_fini(&host_loop);
    disk_close_dir(&disk);
    snprintf(command, sizeof command, "rm -rf %s", dir);
    return system(command);
}

void host_open_from(struct client *c, const struct address *peer)
{
    int pair[2];
    memset(c, 0, sizeof *c);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
    chat_accept(&host_chat, pair[0], peer);
    c->fd = pair[1];
    c->pump = host_pump;
}

void host_open(struct client *c)
{
    host_open_from(c, &(struct address){0});
}

void host_show_token(struct client *c, const char *user, int64_t ttl_ms, const char *more)
{
    char token[1024];
    struct hmac_key key;
    hmac_key_init(&key, slice_str(host_secret));
    int64_t now = host_wall(NULL);
    size_t n = jwt_sign(token, sizeof token, &key, slice_str(user), now,
                        ttl_ms ? now + ttl_ms : INT64_MAX);
    assert_true(n > 0);
    client_sendf(c, "{\"event\":\"registerMessages\",\"data\":{\"token\":\"%.*s\"%s}}", (int)n,
                 token, more);
}

void host_register(struct client *c, const char *user, int64_t ttl_ms)
{
    host_show_token(c, user, ttl_ms, "");
    client_expect(c, "*\"OK\"*");
}

void host_open_as(struct client *c, const char *user)
{
    host_open(c);
    client_upgrade(c);
    host_register(c, user, 0);
}
