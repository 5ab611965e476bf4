#include "client.h"

#include "test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

void client_connect(struct client *c, uint16_t port)
{
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    memset(c, 0, sizeof *c);
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(c->fd >= 0);
    if (connect(c->fd, (struct sockaddr *)&to, sizeof to) < 0)
        fail_msg("connect to port %u: %s", port, strerror(errno));
    /* Small frames one after the other must not wait for each other's acknowledgement. */
    assert_int_equal(setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int)), 0);
}

void client_connect_unix(struct client *c, const char *path)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    snprintf(to.sun_path, sizeof to.sun_path, "%s", path);
    memset(c, 0, sizeof *c);
    c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(c->fd, (struct sockaddr *)&to, sizeof to), 0);
}

void client_wait_taken(const struct client *c)
{
    int64_t deadline = now_ms() + DEADLINE_MS;
    int waiting = 1;
    while (ioctl(c->fd, TIOCOUTQ, &waiting) == 0 && waiting > 0) {
        sched_yield();
        if (now_ms() > deadline)
            fail_msg("the server reads no more");
    }
}

void client_send_raw(struct client *c, const void *p, size_t n)
{
    const uint8_t *from = p;
    while (n) {
        ssize_t sent = send(c->fd, from, n, MSG_NOSIGNAL);
        if (sent < 0)
            return; /* the server closed: what it said is in the socket */
        from += sent;
        n -= (size_t)sent;
    }
}

/* Receives more: false at the end. */
static bool receive_more(struct client *c)
{
    struct pollfd p = {.fd = c->fd, .events = POLLIN};
    for (int i = 0; c->pump && i < 100 && poll(&p, 1, 0) != 1; i++)
        c->pump();
    int patience = c->patience_ms ? c->patience_ms : DEADLINE_MS;
    if (poll(&p, 1, c->pump ? 0 : patience) != 1)
        fail_msg("nothing came within %d ms", patience);
    if (c->in_cap - c->in_n < 65536) {
        c->in_cap = 2 * c->in_cap + 65536;
        c->in = realloc(c->in, c->in_cap);
        assert_non_null(c->in);
    }
    ssize_t n = recv(c->fd, c->in + c->in_n, c->in_cap - c->in_n, 0);
    if (n <= 0)
        return false;
    c->in_n += (size_t)n;
    return true;
}

static void drop(struct client *c, size_t n)
{
    if (n == 0)
        return;
    c->in_n -= n;
    memmove(c->in, c->in + n, c->in_n);
}

const char client_request[] = "GET /chat HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
                              "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                              "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

void client_upgrade(struct client *c)
{
    client_send_raw(c, client_request, sizeof client_request - 1);
    client_expect_upgrade(c);
}

void client_expect_upgrade(struct client *c)
{
    uint8_t *end = NULL;
    while (!end) {
        assert_true(receive_more(c));
        end = memmem(c->in, c->in_n, "\r\n\r\n", 4);
    }
    /* RFC 6455, 1.3: the answer to that key. */
    assert_non_null(memmem(c->in, c->in_n, "101 Switching Protocols", 23));
    assert_non_null(memmem(c->in, c->in_n, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", 28));
    drop(c, (size_t)(end + 4 - c->in));
}

void client_open(struct client *c, uint16_t port)
{
    client_connect(c, port);
    client_upgrade(c);
}

void client_open_as(struct client *c, const struct server *s, const char *user)
{
    client_open(c, s->port);
    client_sendf(c, "{\"event\":\"registerMessages\",\"data\":{\"token\":\"%s\"}}",
                 server_token(s, user));
    client_expect(c, "{\"event\":\"registerMessages\",\"data\":\"OK\"*");
}

void client_send_frame(struct client *c, uint8_t first_byte, const void *p, size_t n)
{
    static const uint8_t key[4] = {0x12, 0x34, 0x56, 0x78};
    uint8_t *frame = malloc(n + 14);
    size_t at = 0;
    assert_non_null(frame);
    frame[at++] = first_byte;
    if (n < 126) {
        frame[at++] = (uint8_t)(0x80 | n);
    } else if (n < 65536) {
        frame[at++] = 0x80 | 126;
        frame[at++] = (uint8_t)(n >> 8);
        frame[at++] = (uint8_t)n;
    } else {
        frame[at++] = 0x80 | 127;
        for (int i = 7; i >= 0; i--)
            frame[at++] = (uint8_t)((uint64_t)n >> (8 * i));
    }
    memcpy(frame + at, key, 4);
    at += 4;
    for (size_t i = 0; i < n; i++)
        frame[at++] = ((const uint8_t *)p)[i] ^ key[i % 4];
    client_send_raw(c, frame, at);
    free(frame);
}

void client_send(struct client *c, const char *text)
{
    client_send_frame(c, 0x81, text, strlen(text));
}

void client_sendf(struct client *c, const char *format, ...)
{
    char *text;
    va_list args;
    va_start(args, format);
    assert_true(vasprintf(&text, format, args) >= 0);
    va_end(args);
    client_send(c, text);
    free(text);
}

/* One frame from the front of what was received: its payload, or false if it is not whole yet. */
static bool take_frame(struct client *c, uint8_t *first, uint8_t **payload, size_t *n,
                       size_t *whole)
{
    size_t at = 2;
    if (c->in_n < 2)
        return false;
    *first = c->in[0];
    *n = c->in[1];
    if (*n & 0x80)
        fail_msg("the server masked a frame");
    size_t wide = *n == 126 ? 2 : *n == 127 ? 8 : 0;
    if (c->in_n < at + wide)
        return false;
    if (wide) {
        *n = 0;
        for (size_t i = 0; i < wide; i++)
            *n = *n << 8 | c->in[at++];
    }
    *payload = c->in + at;
    *whole = at + *n;
    return c->in_n >= *whole;
}

static void take_close(struct client *c, struct slice payload)
{
    c->code = payload.n >= 2 ? payload.p[0] << 8 | payload.p[1] : 1005;
    if (payload.n >= 2)
        snprintf(c->reason, sizeof c->reason, "%.*s", (int)(payload.n - 2),
                 (const char *)payload.p + 2);
}

bool client_frame(struct client *c, uint8_t *first, struct slice *payload)
{
    uint8_t *p;
    size_t n, whole;
    drop(c, c->taken);
    c->taken = 0;
    while (!take_frame(c, first, &p, &n, &whole))
        if (!receive_more(c))
            return false;
    c->taken = whole;
    *payload = slice_of(p, n);
    return true;
}

bool client_has(struct client *c)
{
    struct pollfd now = {.fd = c->fd, .events = POLLIN};
    uint8_t first, *p;
    size_t n, whole;
    drop(c, c->taken);
    c->taken = 0;
    while (!take_frame(c, &first, &p, &n, &whole))
        if (poll(&now, 1, 0) != 1 || !receive_more(c))
            return false;
    return true;
}

bool client_receive(struct client *c)
{
    while (!c->code) {
        uint8_t first;
        struct slice payload;
        if (!client_frame(c, &first, &payload)) {
            c->code = 1006;
        } else if (first == 0x81) {
            c->text = realloc(c->text, payload.n + 1);
            assert_non_null(c->text);
            memcpy(c->text, payload.p, payload.n);
            c->text[payload.n] = 0;
            c->text_n = payload.n;
            return true;
        } else if (first == 0x89) {
            client_send_frame(c, 0x8a, payload.p, payload.n);
        } else if (first == 0x88) {
            take_close(c, payload);
        } else if (first != 0x8a) {
            fail_msg("a frame begins with %02x", first);
        }
    }
    return false;
}

bool matches(const char *pattern, const char *text)
{
    for (; *pattern && *pattern != '*'; pattern++, text++)
        if (*pattern != *text)
            return false;
    if (!*pattern)
        return !*text;
    do
        if (matches(pattern + 1, text))
            return true;
    while (*text++);
    return false;
}

void client_expect(struct client *c, const char *pattern)
{
    if (!client_receive(c))
        fail_msg("closed with %d %s instead of %s", c->code, c->reason, pattern);
    if (!matches(pattern, c->text))
        fail_msg("received %.2000s\ninstead of %s", c->text, pattern);
}

void client_expect_close(struct client *c, int code)
{
    if (client_receive(c))
        fail_msg("received %.2000s\ninstead of a close with %d", c->text, code);
    if (c->code != code)
        fail_msg("closed with %d %s instead of %d", c->code, c->reason, code);
}

void client_expect_nothing(struct client *c)
{
    client_send(c, "{\"event\":\"are you there\",\"ref\":\"nothing\"}");
    client_expect(c, "{\"event\":\"info\",*,\"ref\":\"nothing\",\"meta\":{\"code\":\"unknown_"
                     "event\",*}}");
}

void client_read_all(struct client *c)
{
    drop(c, c->taken);
    c->taken = 0;
    while (receive_more(c))
        ;
    c->text = realloc(c->text, c->in_n + 1);
    assert_non_null(c->text);
    memcpy(c->text, c->in, c->in_n);
    c->text[c->in_n] = 0;
    c->text_n = c->in_n;
}

const char *client_http(struct client *c, uint16_t port, const char *request)
{
    client_connect(c, port);
    client_send_raw(c, request, strlen(request));
    client_read_all(c);
    return c->text;
}

void client_close(struct client *c)
{
    close(c->fd);
    free(c->in);
    free(c->text);
    memset(c, 0, sizeof *c);
    c->fd = -1;
}
