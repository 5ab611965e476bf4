/*
 * floor-bench: the least that a server can do, to hold real ones against.
 *
 *   tcp       sends every byte back, over epoll: what the system calls cost.
 *   ws        a WebSocket echo for frames of one size, the connection's first: no fragments, no control
 *             frames, no limits, one read and one write for all that has come.
 *   register  the same handshake; then one HMAC over what comes, and the answer to a registration.
 *   chat [FILE]
 *             connections are pairs, as they come: what one sends is acknowledged to it in as many bytes,
 *             and goes on to the other one. With a FILE it is on the disk before, in blocks that were
 *             written once.
 *   append, overwrite SECONDS FOLDER
 *             write + fdatasync one after the other, growing a file or overwriting one: a line of JSON.
 *
 * The others listen on a free port of 127.0.0.1, say which, and go on until they are ended.
 */
#include "base/exit.h"
#include "codec/base64.h"
#include "codec/hmac.h"
#include "codec/sha1.h"
#include "histogram.h"
#include "net/address.h"
#include "net/frame.h"
#include "run.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#define IN_MAX (128 << 10)
#define EVENTS 1024
#define BLOCKS_END (4 << 20) /* bytes of a file that is overwritten from its start to its end */

struct client {
    int fd;
    struct client *other; /* chat: of its pair; NULL: none yet, or gone */
    bool open;            /* ws: the handshake is done */
    size_t rest_n;        /* bytes of a frame that has not come whole */
    uint8_t *rest;
};

static uint8_t in[IN_MAX], out[IN_MAX];
static struct client *single; /* chat: the one that came last, as long as it is alone */
static int blocks = -1;       /* chat: the file */
static off_t block_at;
static struct hmac_key hmac;

static void send_all(struct client *c, const uint8_t *p, size_t n)
{
    while (n) {
        ssize_t sent = write(c->fd, p, n);
        if (sent < 0 && errno == EAGAIN)
            continue; /* the load generator always reads */
        if (sent <= 0)
            return;
        p += sent;
        n -= (size_t)sent;
    }
}

/* Of a request that comes whole, as that of the load generator does. */
static void answer_upgrade(struct client *c, size_t n)
{
    static const char name[] = "Sec-WebSocket-Key: ", id[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    char text[256], accept[BASE64_SIZE(SHA1_SIZE)];
    uint8_t digest[SHA1_SIZE];
    const char *key = memmem(in, n, name, sizeof name - 1);
    if (!key || key + sizeof name - 1 + 24 > (const char *)in + n)
        return;
    int size = snprintf(text, sizeof text, "%.24s%s", key + sizeof name - 1, id);
    sha1(slice_of(text, (size_t)size), digest);
    base64_encode(accept, slice_of(digest, sizeof digest));
    size = snprintf(text, sizeof text,
                    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: "
                    "Upgrade\r\nSec-WebSocket-Accept: %.*s\r\n\r\n",
                    (int)sizeof accept, accept);
    send_all(c, (const uint8_t *)text, (size_t)size);
    c->open = true;
}

/* Bytes of payload, by the frame's first bytes; 0: they have not come. */
static size_t payload_of(const uint8_t *p, size_t n)
{
    if (n < 4)
        return 0;
    return (p[1] & 127) < 126 ? p[1] & 127 : (size_t)p[2] << 8 | p[3];
}

static void echo_frames(struct client *c, size_t n)
{
    size_t at = 0, size = payload_of(in, n), head = size < 126 ? 2 : 4, used = 0;
    while (size && n - at >= head + 4 + size) {
        const uint8_t *p = in + at;
        memcpy(out + used, p, head);
        out[used + 1] &= 127;
        memcpy(out + used + head, p + head + 4, size);
        frame_mask(out + used + head, size, p + head);
        at += head + 4 + size;
        used += head + size;
    }
    send_all(c, out, used);
    c->rest_n = n - at;
    if (c->rest_n && (c->rest = malloc(c->rest_n)))
        memcpy(c->rest, in + at, c->rest_n);
}

/* As in a frame of the load generator. */
static void answer_registration(struct client *c, size_t n)
{
    static const char ok[] = "\x81\x28{\"event\":\"registerMessages\",\"data\":\"OK\"}";
    _Static_assert(sizeof ok - 3 == 0x28, "the length in its head");
    uint8_t mark[SHA256_SIZE];
    if (payload_of(in, n) + 8 > n)
        return;
    frame_mask(in + 8, n - 8, in + 4);
    hmac_sign(&hmac, slice_of(in + 8, n - 8), mark);
    if (hmac_equal(mark, in))
        return;
    send_all(c, (const uint8_t *)ok, sizeof ok - 1);
}

static void upgrade_and_echo(struct client *c, size_t n)
{
    c->open ? echo_frames(c, n) : answer_upgrade(c, n);
}

static void upgrade_and_register(struct client *c, size_t n)
{
    c->open ? answer_registration(c, n) : answer_upgrade(c, n);
}

static void echo_bytes(struct client *c, size_t n)
{
    send_all(c, in, n);
}

/* Returns where the next ones go. */
static off_t write_down(int fd, const void *p, size_t n, off_t at)
{
    if (pwrite(fd, p, n, at) != (ssize_t)n || fdatasync(fd))
        run_die(errno, "cannot write");
    return at + (off_t)n;
}

static void pass_on(struct client *c, size_t n)
{
    static uint8_t acknowledgement[IN_MAX];
    if (!acknowledgement[0])
        memset(acknowledgement, 'a', sizeof acknowledgement);
    if (blocks >= 0)
        block_at = write_down(blocks, in, n, block_at + (off_t)n > BLOCKS_END ? 0 : block_at);
    send_all(c, acknowledgement, n);
    if (c->other)
        send_all(c->other, in, n);
}

static void leave(struct client *c)
{
    if (c->other)
        c->other->other = NULL;
    if (single == c)
        single = NULL;
    close(c->fd);
    free(c);
}

typedef void (*taker)(struct client *c, size_t n);

static void serve(struct client *c, taker take)
{
    size_t before = c->rest_n;
    if (before) {
        memcpy(in, c->rest, before);
        free(c->rest);
        c->rest_n = 0;
    }
    ssize_t n = read(c->fd, in + before, sizeof in / 2 - before);
    if (n <= 0) {
        if (n < 0 && errno == EAGAIN)
            return;
        leave(c);
        return;
    }
    take(c, before + (size_t)n);
}

static void accept_all(int listener, int epoll)
{
    for (int fd; (fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0;) {
        struct client *c = calloc(1, sizeof *c);
        struct epoll_event event = {.events = EPOLLIN, .data = {.ptr = c}};
        if (!c || epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event))
            run_die(errno, "cannot take a connection");
        c->fd = fd;
        c->other = single;
        if (single)
            single->other = c;
        single = single ? NULL : c;
    }
}

static int serve_all(taker take)
{
    struct address address;
    char text[ADDRESS_TEXT];
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    signal(SIGPIPE, SIG_IGN);
    if (address_parse(&address, "127.0.0.1:0"))
        return EXIT_SYSTEM;
    int listener = address_listen(&address), epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event events[EVENTS], first = {.events = EPOLLIN};
    if (listener < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &first))
        run_die(errno, "cannot listen");
    address_format(text, &address);
    fprintf(stderr, "floor-bench: listening on %s\n", text);
    for (;;) {
        int n = epoll_wait(epoll, events, EVENTS, -1);
        for (int i = 0; i < n; i++) {
            if (events[i].data.ptr)
                serve(events[i].data.ptr, take);
            else
                accept_all(listener, epoll);
        }
    }
}

/* ---- the disk ----------------------------------------------------------------------------- */

/* A file of blocks that have been written. */
static int make_blocks(const char *path, off_t end)
{
    static char block[4096];
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    memset(block, 'x', sizeof block);
    for (off_t at = 0; at < end; at += (off_t)sizeof block)
        if (pwrite(fd, block, sizeof block, at) < 0)
            run_die(errno, "%s", path);
    if (fd < 0 || fsync(fd))
        run_die(errno, "%s", path);
    return fd;
}

static int sync_loop(const char *mode, double seconds, const char *folder)
{
    static struct histogram h;
    static const char block[256];
    char path[300];
    bool grows = strcmp(mode, "append") == 0;
    snprintf(path, sizeof path, "%s/floor-bench.tmp", folder);
    int fd = make_blocks(path, grows ? 0 : BLOCKS_END);
    off_t at = 0;
    uint64_t began = histogram_now(), until = began + (uint64_t)(seconds * 1e9), now = began;
    while (now < until) {
        at = write_down(fd, block, sizeof block, grows ? at : at % BLOCKS_END);
        uint64_t after = histogram_now();
        histogram_add(&h, after - now);
        now = after;
    }
    printf("{\"mode\":\"%s\",\"synced\":{", mode);
    histogram_print_json(&h, (double)(now - began) / 1e9);
    printf("}}\n");
    close(fd);
    unlink(path);
    return EXIT_CLEAN;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        taker take;
    } servers[] = {{"tcp", echo_bytes},
                   {"ws", upgrade_and_echo},
                   {"register", upgrade_and_register},
                   {"chat", pass_on}};
    const char *mode = argc > 1 ? argv[1] : "";
    double seconds = argc == 4 ? strtod(argv[2], NULL) : 0;
    if ((strcmp(mode, "append") == 0 || strcmp(mode, "overwrite") == 0) && seconds > 0)
        return sync_loop(mode, seconds, argv[3]);
    hmac_key_init(&hmac, SLICE("any key costs the same"));
    if (strcmp(mode, "chat") == 0 && argc == 3)
        blocks = make_blocks(argv[2], BLOCKS_END);
    for (size_t i = 0; i < sizeof servers / sizeof *servers; i++)
        if (strcmp(mode, servers[i].name) == 0 && argc == 2 + (blocks >= 0))
            return serve_all(servers[i].take);
    fprintf(stderr, "usage: floor-bench tcp | ws | register | chat [FILE]\n"
                    "       floor-bench append | overwrite SECONDS FOLDER\n");
    return EXIT_USAGE_ERROR;
}
