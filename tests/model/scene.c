#include "scene.h"

#include "../sim/world.h"
#include "base/clock.h"
#include "net/frame.h"

#include <assert.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <unistd.h>

struct scene scene;

const char scene_secret[] = "a secret of at least thirty-two bytes";

void scene_say(const char *format, ...)
{
    va_list args;
    if (!scene.trace)
        return;
    va_start(args, format);
    vfprintf(scene.trace, format, args);
    va_end(args);
}

static void on_line(void *ctx, enum log_level level, const char *line)
{
    (void)ctx;
    (void)level;
    scene_say("         log: %s\n", line);
}

static void on_request(void *ctx, struct websocket *ws, const struct http_head *request)
{
    (void)ctx;
    (void)request;
    websocket_respond(ws, 404, "text/plain", "", SLICE(""), false);
}

void scene_begin(uint64_t seed, FILE *trace)
{
    world_begin(seed);
    simdisk_init(&scene.disk, seed);
    scene.disk.trace = NULL;
    scene.disk.room = UINT64_MAX;
    scene.trace = trace;
    scene.little = false;
    scene.now = clock_wall_ms(&clock_system);
    scene.log = (struct log){.level = trace ? LOG_INFO : LOG_ERROR, .sink = on_line};
    scene.options = (struct chat_options){.max_user_connections = DEVICES,
                                          .max_frame = 65536,
                                          .max_content = 16384,
                                          .max_queue = 1 << 20,
                                          .idle_ms = SILENT_END,
                                          .log = &scene.log,
                                          .clock = &clock_system,
                                          .on_request = on_request};
    scene.store =
        (struct store_options){.disk = &scene.disk.disk, .log = &scene.log, .inline_commit = true};
    for (unsigned d = 0; d < DEVICES; d++)
        scene.devices[d].fd = -1;
}

void scene_end(void)
{
    for (unsigned d = 0; d < DEVICES; d++)
        scene_cut(d);
    simdisk_fini(&scene.disk);
}

bool scene_start(void)
{
    struct store_error error;
    scene.disk.fail_at = scene.disk.fail_write = scene.disk.stop_write = 0;
    scene.disk.room = UINT64_MAX;
    if (loop_init(&scene.loop, &clock_system) || stream_set_init(&scene.streams, &scene.loop))
        return false;
    if (chat_open(&scene.chat, &scene.streams, &scene.options, &scene.store, &error) != STORE_OK) {
        scene_say("         %s\n", error.text);
        return false;
    }
    chat_set_secret(&scene.chat, slice_str(scene_secret));
    return scene.running = true;
}

void scene_stop(void)
{
    if (!scene.running)
        return;
    scene.running = false;
    chat_close(&scene.chat);
    for (unsigned d = 0; d < DEVICES; d++)
        scene_cut(d);
    assert(scene.streams.memory == scene.streams.spare_n * 4096); /* nothing is left of anybody */
    stream_set_fini(&scene.streams);
    loop_fini(&scene.loop);
}

/* ---- a device ---------------------------------------------------------------------------- */

void scene_cut(unsigned d)
{
    struct scene_device *device = &scene.devices[d];
    if (device->fd >= 0)
        close(device->fd);
    device->fd = -1;
    buf_clear(&device->in);
}

static void send_bytes(unsigned d, const void *p, size_t n)
{
    if (scene.devices[d].fd >= 0)
        (void)!send(scene.devices[d].fd, p, n, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void send_frame(unsigned d, enum frame_opcode opcode, struct slice payload)
{
    static const uint8_t key[4] = {0x12, 0x34, 0x56, 0x78};
    static uint8_t frame[FRAME_MAX_HEAD + 65536];
    size_t n = frame_write_masked_head(frame, opcode, payload.n, key);
    assert(payload.n <= sizeof frame - n);
    memcpy(frame + n, payload.p, payload.n);
    frame_mask(frame + n, payload.n, key);
    send_bytes(d, frame, n + payload.n);
}

void scene_send(unsigned d, struct slice text)
{
    scene_say("%u ->     %.*s\n", d, (int)(text.n < 2000 ? text.n : 2000), (const char *)text.p);
    send_frame(d, FRAME_TEXT, text);
}

void scene_send_close(unsigned d)
{
    scene_say("%u ->     close\n", d);
    send_frame(d, FRAME_CLOSE, SLICE("\x03\xe8"));
}

void scene_send_part(unsigned d)
{
    scene_say("%u ->     a part of a frame\n", d);
    send_bytes(d, "\x81\xfe\x01\x00\x12\x34", 6);
}

static void saw(unsigned d, const void *p, size_t n)
{
    buf_append(&scene.seen[d], p, n);
    buf_append(&scene.seen[d], "", 1);
    scene_say("%u    <-  %.*s\n", d, (int)(n < 2000 ? n : 2000), (const char *)p);
}

static void take_frame(unsigned d, unsigned opcode, const uint8_t *p, size_t n)
{
    char text[32];
    if (opcode == FRAME_TEXT) {
        saw(d, p, n);
    } else if (opcode == FRAME_PING) {
        saw(d, "ping", 4);
        if (!scene.devices[d].asleep)
            send_frame(d, FRAME_PONG, slice_of(p, n));
    } else if (opcode == FRAME_CLOSE && n >= 2) {
        saw(d, text, (size_t)snprintf(text, sizeof text, "close %u", p[0] << 8 | p[1]));
        scene_cut(d);
    } else {
        saw(d, text, (size_t)snprintf(text, sizeof text, "a frame of opcode %u", opcode));
    }
}

/* Takes the whole frames out of what has come: servers do not mask, nor cut into pieces. */
static void take_frames(unsigned d)
{
    struct buf *in = &scene.devices[d].in;
    size_t at = 0;
    while (scene.devices[d].fd >= 0 && in->n - at >= 2) {
        const uint8_t *p = in->p + at;
        size_t head = p[1] == 126 ? 4 : p[1] == 127 ? 10 : 2, n = head == 2 ? p[1] : 0;
        if (in->n - at < head)
            break;
        for (size_t i = 2; i < head; i++)
            n = n << 8 | p[i];
        if (in->n - at < head + n)
            break;
        at += head + n;
        take_frame(d, p[0] & 15, p + head, n);
    }
    if (scene.devices[d].fd >= 0)
        buf_drop(in, at);
}

#define RECEIVE 16384 /* bytes at once */

static void receive(unsigned d)
{
    struct scene_device *device = &scene.devices[d];
    ssize_t n = RECEIVE;
    while (n == RECEIVE && device->fd >= 0) {
        uint8_t *to = buf_reserve(&device->in, RECEIVE);
        n = recv(device->fd, to, RECEIVE, MSG_DONTWAIT);
        if (n > 0) {
            device->in.n += (size_t)n;
            take_frames(d);
        } else if (n == 0) {
            saw(d, "end", 3);
            scene_cut(d);
        }
    }
}

bool scene_connect(unsigned d)
{
    static const char request[] = "GET /chat HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
                                  "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                                  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    struct scene_device *device = &scene.devices[d];
    char answer[512] = "";
    int pair[2], least = 1;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair))
        return false;
    if (scene.little)
        setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &least, sizeof least);
    *device = (struct scene_device){.fd = pair[1], .in = device->in};
    scene_say("%u         connects\n", d);
    chat_accept(&scene.chat, pair[0], &(struct address){0});
    send_bytes(d, request, sizeof request - 1);
    if (loop_turn(&scene.loop, 0) < 0)
        return false;
    ssize_t n = recv(device->fd, answer, sizeof answer - 1, MSG_DONTWAIT);
    return n > 16 && strncmp(answer, "HTTP/1.1 101 ", 13) == 0 &&
           strcmp(answer + n - 4, "\r\n\r\n") == 0;
}

/* ---- turns ------------------------------------------------------------------------------- */

bool scene_turn(void)
{
    return loop_turn(&scene.loop, 0) > 0 || scene.loop.busy;
}

static void run_until_quiet(void)
{
    while (scene_turn())
        ;
}

/* Devices read when the server has nothing to do any more: so a long answer is under way while others
   send, and waits until its reader takes more of it. */
void scene_settle(void)
{
    uint64_t sent = UINT64_MAX;
    size_t open = 0;
    for (run_until_quiet(); scene.streams.bytes_out != sent || scene.streams.open != open;
         run_until_quiet()) {
        sent = scene.streams.bytes_out;
        open = scene.streams.open;
        for (unsigned d = 0; d < DEVICES; d++)
            if (scene.devices[d].fd >= 0)
                receive(d);
    }
}

void scene_pass(int64_t ms)
{
    scene.now += ms;
    world_pass(ms);
}
