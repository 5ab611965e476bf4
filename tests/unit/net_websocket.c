/* websocket: both our roles against each other, and each against a peer that does what it likes. */
#include "../support/hand_clock.h"
#include "net/websocket.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define LIMIT (1 << 20)

static struct hand_clock hand;
static struct loop loop;
static struct stream_set set;

/* One end, and what it saw. */
struct end {
    struct websocket ws;
    struct websocket_kind kind;
    unsigned opened, messages, drained, closed;
    enum frame_opcode opcode;
    struct buf last; /* the last message */
    bool echo;
};

static struct end server, client;
static int raw = -1; /* the plain socket in the place of one of them */
static struct buf got;

static struct end *end_of(struct websocket *ws)
{
    return container_of(ws, struct end, ws);
}

static uint64_t body_limit(struct websocket *ws, const struct http_head *request)
{
    (void)ws;
    return slice_eq(request->path, SLICE("/later")) ? 100000 : 0;
}

static void on_request(struct websocket *ws, const struct http_head *request)
{
    if (slice_eq(request->path, SLICE("/later")) || slice_eq(request->path, SLICE("/now"))) {
        struct end *e = end_of(ws);
        e->messages++;
        buf_clear(&e->last);
        buf_append_slice(&e->last, request->body);
        websocket_keep(ws, request);
        if (slice_eq(request->path, SLICE("/now")))
            websocket_respond(ws, 200, "text/plain", "", SLICE("now"), false);
    } else if (slice_eq(request->path, SLICE("/page")))
        websocket_respond(ws, 200, "text/html", "X-Own: 1\r\n", SLICE("<p>"),
                          slice_eq(request->method, SLICE("HEAD")));
    else
        end_of(ws)->opened += websocket_upgrade(ws, request);
}

static void on_open(struct websocket *ws)
{
    end_of(ws)->opened++;
}

static void on_message(struct websocket *ws, enum frame_opcode opcode, struct slice message)
{
    struct end *e = end_of(ws);
    e->messages++;
    e->opcode = opcode;
    buf_clear(&e->last);
    buf_append_slice(&e->last, message);
    if (e->echo)
        websocket_send(ws, opcode, message);
}

static void on_drained(struct websocket *ws)
{
    end_of(ws)->drained++;
}

static void on_timer(struct websocket *ws)
{
    stream_close(&ws->stream);
}

static void on_closed(struct websocket *ws)
{
    end_of(ws)->closed++;
}

static void end_init(struct end *e, bool is_server)
{
    *e = (struct end){.kind = {.server = is_server,
                               .max_message = LIMIT,
                               .body_limit = body_limit,
                               .on_request = on_request,
                               .on_open = is_server ? NULL : on_open,
                               .on_message = on_message,
                               .on_drained = on_drained,
                               .on_timer = on_timer,
                               .on_closed = on_closed}};
    websocket_kind_init(&e->kind, &set, e);
}

static void turns(int n)
{
    while (n--)
        assert_true(loop_turn(&loop, 0) >= 0);
}

static int setup(void **state)
{
    (void)state;
    hand_clock_init(&hand, 100000);
    if (loop_init(&loop, &hand.clock) || stream_set_init(&set, &loop))
        return -1;
    end_init(&server, true);
    end_init(&client, false);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    if (server.ws.stream.kind)
        stream_close(&server.ws.stream);
    if (client.ws.stream.kind)
        stream_close(&client.ws.stream);
    turns(2);
    assert_int_equal(set.open, 0);
    assert_int_equal(set.memory, set.spare_n * 4096); /* all is accounted for */
    if (raw >= 0)
        close(raw);
    raw = -1;
    buf_free(&got);
    buf_free(&server.last);
    buf_free(&client.last);
    stream_set_fini(&set);
    loop_fini(&loop);
    return 0;
}

/* ---- a plain peer of the server ------------------------------------------------------------ */

static void serve_raw(void)
{
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    assert_int_equal(websocket_accept(&server.ws, &server.kind, fds[0]), 0);
    raw = fds[1];
}

static void raw_send(struct slice bytes)
{
    assert_int_equal(write(raw, bytes.p, bytes.n), bytes.n);
    turns(3);
}

/* All that has come, behind what came before. Whether the other end is shut. */
static bool raw_receive(void)
{
    for (;;) {
        uint8_t *room = buf_reserve(&got, 4096);
        ssize_t n = read(raw, room, 4096);
        if (n <= 0)
            return n == 0;
        got.n += (size_t)n;
    }
}

static void expect_raw(struct slice expected)
{
    raw_receive();
    if (!slice_eq(buf_slice(&got), expected))
        fail_msg("got \"%.*s\"", SLICE_FMT(buf_slice(&got)));
    buf_clear(&got);
}

static void raw_send_frame(uint8_t first, const void *p, size_t n)
{
    static const uint8_t key[4] = {1, 2, 3, 4};
    uint8_t frame[FRAME_MAX_HEAD + 200];
    assert_true(n <= 200);
    size_t head = frame_write_masked_head(frame, (enum frame_opcode)(first & 15), n, key);
    frame[0] = first;
    if (n)
        memcpy(frame + head, p, n);
    frame_mask(frame + head, n, key);
    raw_send(slice_of(frame, head + n));
}

/* The example of RFC 6455, 1.3. */
#define UPGRADE                                                                \
    "GET /chat HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\n" \
    "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"   \
    "Sec-WebSocket-Version: 13\r\n\r\n"
#define UPGRADED                                                                        \
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" \
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"

static void serve_raw_open(void)
{
    serve_raw();
    raw_send(SLICE(UPGRADE));
    expect_raw(SLICE(UPGRADED));
    assert_int_equal(server.opened, 1);
    assert_int_equal(server.ws.state, WEBSOCKET_OPEN);
}

/* ---- the handshake ------------------------------------------------------------------------ */

static void the_example_of_the_rfc_is_upgraded_also_byte_by_byte(void **state)
{
    (void)state;
    serve_raw();
    for (size_t i = 0; i < sizeof UPGRADE - 1; i++) {
        assert_int_equal(server.opened, 0);
        raw_send(slice_of(&UPGRADE[i], 1));
    }
    assert_int_equal(server.opened, 1);
    expect_raw(SLICE(UPGRADED));
}

static void frames_right_behind_the_request_are_read(void **state)
{
    (void)state;
    serve_raw();
    raw_send(SLICE(UPGRADE "\x81\x82\0\0\0\0hi\x89\x80\0\0\0\0"));
    assert_int_equal(server.messages, 1);
    assert_true(slice_eq(buf_slice(&server.last), SLICE("hi")));
    expect_raw(SLICE(UPGRADED "\x8a\0"));
}

#define WITH "Host: h\r\n"
#define UP "Upgrade: websocket\r\n"
#define CONN "Connection: Upgrade\r\n"
#define KEY "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define V13 "Sec-WebSocket-Version: 13\r\n"

static const struct {
    const char *request;
    unsigned status;
    const char *body;
} refused[] = {
    {"GET / HTTP/1.1\r\n" WITH CONN KEY V13, 400,
     "This path speaks WebSocket: Upgrade: websocket is missing.\n"},
    {"GET / HTTP/1.1\r\n" WITH "Upgrade: h2c\r\n" CONN KEY V13, 400,
     "This path speaks WebSocket: Upgrade: websocket is missing.\n"},
    {"GET / HTTP/1.1\r\n" WITH UP KEY V13, 400,
     "This path speaks WebSocket: Connection: Upgrade is missing.\n"},
    {"GET / HTTP/1.1\r\n" WITH UP "Connection: close\r\n" KEY V13, 400,
     "This path speaks WebSocket: Connection: Upgrade is missing.\n"},
    {"POST / HTTP/1.1\r\n" WITH UP CONN KEY V13, 400, "A WebSocket begins with GET.\n"},
    {"GET / HTTP/1.0\r\n" WITH UP CONN KEY V13, 400,
     "A WebSocket begins with a request of HTTP/1.1.\n"},
    {"GET / HTTP/1.1\r\n" WITH UP CONN KEY, 400, "Expected one Sec-WebSocket-Version: 13.\n"},
    {"GET / HTTP/1.1\r\n" WITH UP CONN KEY V13 V13, 400,
     "Expected one Sec-WebSocket-Version: 13.\n"},
    {"GET / HTTP/1.1\r\n" WITH UP CONN KEY "Sec-WebSocket-Version: 8\r\n", 426,
     "This server speaks version 13 of the WebSocket protocol.\n"},
    {"GET / HTTP/1.1\r\n" WITH UP CONN V13, 400,
     "Expected one Sec-WebSocket-Key of 16 bytes in base64.\n"},
    {"GET / HTTP/1.1\r\n" WITH UP CONN KEY KEY V13, 400,
     "Expected one Sec-WebSocket-Key of 16 bytes in base64.\n"},
    {"GET / HTTP/1.1\r\n" WITH UP CONN V13 "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=\r\n", 400,
     "Expected one Sec-WebSocket-Key of 16 bytes in base64.\n"},
    {"GET / HTTP/1.1\r\n" WITH UP CONN V13 "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZ===\r\n", 400,
     "Expected one Sec-WebSocket-Key of 16 bytes in base64.\n"},
    {"GET / HTTP/1.1\r\n" WITH UP CONN V13 "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQAA\r\n", 400,
     "Expected one Sec-WebSocket-Key of 16 bytes in base64.\n"},
    {"GET / HTTP/1.1\r\n" WITH UP CONN KEY V13 "Content-Length: 1\r\n", 413,
     "A request with a body is not taken here.\n"},
    {"GET / HTTP/1.1\r\n" WITH "Transfer-Encoding: chunked\r\n", 411,
     "A body is taken with a Content-Length only.\n"},
    {"POST /later HTTP/1.1\r\n" WITH "Transfer-Encoding: chunked\r\n", 411,
     "A body is taken with a Content-Length only.\n"},
    {"POST /later HTTP/1.1\r\n" WITH "Content-Length: 5\r\nContent-Length: 5\r\n", 400,
     "Malformed request: more than one Content-Length.\n"},
    {"POST /later HTTP/1.1\r\n" WITH "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", 400,
     "Malformed request: a Content-Length beside a Transfer-Encoding.\n"},
    {"POST /later HTTP/1.1\r\n" WITH "Content-Length: 100001\r\n", 413,
     "The body is over the limit.\n"},
    {"GET / HTTP/1.1\r\nA : b\r\n", 400,
     "Malformed request: a header name with other characters than those of a token.\n"},
    {"GET / HTTP/1.1\r\n", 400, "Malformed request: no Host.\n"},
    {"GET / HTTP/3.0\r\n", 505, "This server speaks HTTP/1.1.\n"},
};

static void refuse(struct slice request, unsigned status, const char *body)
{
    char line[64], end[300];
    serve_raw();
    raw_send(request);
    assert_true(raw_receive()); /* and its end is shut */
    buf_append(&got, "", 1);
    snprintf(line, sizeof line, "HTTP/1.1 %u %s\r\n", status, http_reason(status));
    snprintf(end, sizeof end, "\r\nConnection: close\r\n\r\n%s", body);
    assert_memory_equal(got.p, line, strlen(line));
    assert_true(got.n > strlen(end));
    assert_string_equal((char *)got.p + got.n - 1 - strlen(end), end);
    snprintf(line, sizeof line, "Content-Length: %zu\r\n", strlen(body));
    assert_non_null(strstr((char *)got.p, line));
    if (status == 426)
        assert_non_null(strstr((char *)got.p, "\r\nSec-WebSocket-Version: 13\r\n"));
    assert_int_equal(server.opened, 0);
    buf_clear(&got);
    close(raw);
    raw = -1;
    turns(2);
    assert_int_equal(server.closed, 1);
    server.closed = 0;
}

static void wrong_requests_are_answered_with_what_is_wrong(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        char request[512];
        int n = snprintf(request, sizeof request, "%s\r\n", refused[i].request);
        refuse(slice_of(request, (size_t)n), refused[i].status, refused[i].body);
    }
    static char endless[HTTP_MAX_HEAD];
    memset(endless, 'x', sizeof endless);
    refuse(slice_of(endless, sizeof endless), 431,
           "A request head has at most 8 KiB and 64 header lines.\n");
}

static void a_page_is_answered_and_its_head_alone_to_HEAD(void **state)
{
    (void)state;
#define PAGE                                                                          \
    "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 3\r\nX-Own: 1\r\n" \
    "X-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n"
    serve_raw();
    raw_send(SLICE("GET /page HTTP/1.1\r\nHost: h\r\n\r\nGET /page HTTP/1.1\r\n"));
    expect_raw(SLICE(PAGE "<p>")); /* what follows is not looked at */
    close(raw);
    turns(2);
    serve_raw();
    raw_send(SLICE("HEAD /page HTTP/1.1\r\nHost: h\r\n\r\n"));
    expect_raw(SLICE(PAGE));
}

/* ---- a plain peer of the client ------------------------------------------------------------ */

static int listening = -1;
static struct address listening_at;

static void listen_here(void)
{
    assert_null(address_parse(&listening_at, "127.0.0.1:0"));
    listening = address_listen(&listening_at);
    assert_true(listening >= 0);
}

static int accept_here(void)
{
    int fd = -1;
    for (int i = 0; i < 1000 && fd < 0; i++) {
        fd = accept4(listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        assert_true(fd >= 0 || errno == EAGAIN);
        if (fd < 0)
            assert_true(loop_turn(&loop, 1) >= 0);
    }
    assert_true(fd >= 0);
    close(listening);
    return fd;
}

static void connect_client(void)
{
    listen_here();
    assert_int_equal(
        websocket_connect(&client.ws, &client.kind, &listening_at, "example.com", "/path?q"), 0);
}

static const char *const wrong_responses[] = {
    "HTTP/1.1 200 OK\r\n" UP CONN "Sec-WebSocket-Accept: %s\r\n\r\n",
    "HTTP/1.1 101 x\r\n" CONN "Sec-WebSocket-Accept: %s\r\n\r\n",
    "HTTP/1.1 101 x\r\n" UP "Sec-WebSocket-Accept: %s\r\n\r\n",
    "HTTP/1.1 101 x\r\n" UP CONN "X: %s\r\n\r\n",
    "HTTP/1.1 101 x\r\n" UP CONN "Sec-WebSocket-Accept: x%s\r\n\r\n",
    "HTTP/1.1 101 x\r\n" UP CONN "Sec-WebSocket-Accept: %s\r\nSec-WebSocket-Accept: x\r\n\r\n",
    "HTTP/1.1 101 x\r\n" UP CONN "Sec-WebSocket-Extensions: y\r\nSec-WebSocket-Accept: %s\r\n\r\n",
    "HTTP/1.1 101 x\n\n%s",
};

/* Reads the client's request and answers with the text, its %s being the right accept value: taken
   from the server's own code, which is held to the RFC's example above. */
static void answer_client(const char *format)
{
    raw = accept_here();
    for (int i = 0; i < 1000 && (got.n < 4 || memcmp(got.p + got.n - 4, "\r\n\r\n", 4) != 0); i++) {
        assert_true(loop_turn(&loop, 1) >= 0);
        assert_false(raw_receive());
    }
    buf_append(&got, "", 1);
    assert_memory_equal(got.p, "GET /path?q HTTP/1.1\r\nHost: example.com\r\n", 41);
    int request = raw, fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    assert_int_equal(websocket_accept(&server.ws, &server.kind, fds[0]), 0);
    raw = fds[1];
    raw_send(slice_of(got.p, got.n - 1));
    buf_clear(&got);
    raw_receive();
    const char mark[] = "Sec-WebSocket-Accept: ";
    buf_append(&got, "", 1);
    char *at = strstr((char *)got.p, mark), accept[29], response[512];
    assert_non_null(at);
    snprintf(accept, sizeof accept, "%s", at + sizeof mark - 1);
    close(raw);
    turns(3);
    raw = request;
    buf_clear(&got);
    const char *here = strstr(format, "%s");
    int n = snprintf(response, sizeof response, "%.*s%s%s", (int)(here - format), format, accept,
                     here + 2);
    raw_send(slice_of(response, (size_t)n));
    for (int i = 0; i < 1000 && !client.opened && !client.closed; i++)
        assert_true(loop_turn(&loop, 1) >= 0);
}

static void a_client_believes_the_right_response_only(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof wrong_responses / sizeof *wrong_responses; i++) {
        connect_client();
        answer_client(wrong_responses[i]);
        assert_int_equal(client.closed, 1);
        assert_int_equal(client.opened, 0);
        assert_int_equal(client.ws.code, CLOSE_ABNORMAL);
        client.closed = 0;
        close(raw);
        raw = -1;
    }
    connect_client();
    answer_client("HTTP/1.1 101 x\r\n" UP CONN "Sec-WebSocket-Accept: %s\r\n\r\n\x81\x02hi");
    assert_int_equal(client.opened, 1);
    assert_int_equal(client.messages, 1); /* right behind it */
}

static void a_client_whose_peer_ends_is_closed_abnormally(void **state)
{
    (void)state;
    connect_client();
    raw = accept_here();
    close(raw);
    raw = -1;
    for (int i = 0; i < 1000 && !client.closed; i++)
        assert_true(loop_turn(&loop, 1) >= 0);
    assert_int_equal(client.closed, 1);
    assert_int_equal(client.ws.code, CLOSE_ABNORMAL);
}

/* ---- our server and our client -------------------------------------------------------------- */

static void connect_both(void)
{
    connect_client();
    assert_int_equal(websocket_accept(&server.ws, &server.kind, accept_here()), 0);
    for (int i = 0; i < 1000 && !client.opened; i++)
        assert_true(loop_turn(&loop, 1) >= 0);
    assert_int_equal(client.opened, 1);
    assert_int_equal(server.opened, 1);
}

static void turn_until(const unsigned *count, unsigned n)
{
    for (int i = 0; i < 5000 && *count < n; i++)
        assert_true(loop_turn(&loop, 1) >= 0);
    assert_int_equal(*count, n);
}

static void messages_of_every_size_go_there_and_back(void **state)
{
    (void)state;
    static const size_t sizes[] = {0,     1,     125,   126,    127,    1023,      1024, 1025,
                                   65535, 65536, 65537, 100000, 300001, LIMIT - 1, LIMIT};
    uint8_t *bytes = malloc(LIMIT);
    assert_non_null(bytes);
    for (size_t i = 0; i < LIMIT; i++)
        bytes[i] = (uint8_t)('a' + i % 23);
    connect_both();
    server.echo = true;
    for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct slice message = slice_of(bytes, sizes[i]);
        websocket_send(&client.ws, i % 2 ? FRAME_BINARY : FRAME_TEXT, message);
        turn_until(&client.messages, i + 1);
        assert_int_equal(server.opcode, i % 2 ? FRAME_BINARY : FRAME_TEXT);
        assert_int_equal(client.opcode, server.opcode);
        assert_true(slice_eq(buf_slice(&server.last), message));
        assert_true(slice_eq(buf_slice(&client.last), message));
        assert_null(client.ws.stream.more);
    }
    free(bytes);
}

static void many_small_messages_leave_in_few_calls(void **state)
{
    (void)state;
    connect_both();
    uint64_t writes = set.writes;
    for (int i = 0; i < 1000; i++)
        websocket_send(&server.ws, FRAME_TEXT, SLICE("0123456789"));
    turn_until(&client.messages, 1000);
    assert_int_equal(set.writes - writes, 1);
}

static void a_close_is_answered_with_its_code_in_both_directions(void **state)
{
    (void)state;
    static const uint16_t codes[] = {CLOSE_NORMAL, CLOSE_GOING_AWAY, 4008, CLOSE_NO_CODE};
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        for (int by_server = 0; by_server <= 1; by_server++) {
            end_init(&server, true);
            end_init(&client, false);
            connect_both();
            websocket_close(by_server ? &server.ws : &client.ws, codes[i], "the reason");
            websocket_close(by_server ? &server.ws : &client.ws, 4000, "one is enough");
            websocket_send(by_server ? &server.ws : &client.ws, FRAME_TEXT, SLICE("too late"));
            turn_until(&client.closed, 1);
            turn_until(&server.closed, 1);
            assert_int_equal(server.ws.code, codes[i]);
            assert_int_equal(client.ws.code, codes[i]);
            assert_int_equal(server.messages + client.messages, 0);
        }
    }
}

/* ---- what the server does with a peer that does what it likes ------------------------------- */

static void a_ping_is_answered_with_its_payload(void **state)
{
    (void)state;
    serve_raw_open();
    raw_send_frame(0x89, "", 0);
    expect_raw(SLICE("\x8a\x00"));
    raw_send_frame(0x89, "are you there", 13);
    expect_raw(SLICE("\x8a\x0d"
                     "are you there"));
    raw_send_frame(0x01, "a", 1); /* also inside a message */
    raw_send_frame(0x89, "p", 1);
    raw_send_frame(0x80, "b", 1);
    expect_raw(SLICE("\x8a\x01p"));
    assert_int_equal(server.messages, 1);
    assert_true(slice_eq(buf_slice(&server.last), SLICE("ab")));
    raw_send_frame(0x8a, "unasked", 7);
    expect_raw(SLICE(""));
}

static void a_message_in_fragments_comes_whole(void **state)
{
    (void)state;
    serve_raw_open();
    raw_send_frame(0x01, "", 0);
    raw_send_frame(0x00, "one ", 4);
    raw_send_frame(0x00, "two ", 4);
    assert_int_equal(server.messages, 0);
    raw_send_frame(0x80, "", 0);
    assert_int_equal(server.messages, 1);
    assert_true(slice_eq(buf_slice(&server.last), SLICE("one two ")));
    assert_null(server.ws.stream.more);
    raw_send_frame(0x81, "three", 5);
    assert_int_equal(server.messages, 2);
    assert_true(slice_eq(buf_slice(&server.last), SLICE("three")));
    raw_send_frame(0x01, "", 0); /* nothing of it is kept but that it has begun */
    assert_non_null(server.ws.stream.more);
    raw_send_frame(0x80, "four", 4);
    assert_int_equal(server.messages, 3);
    assert_true(slice_eq(buf_slice(&server.last), SLICE("four")));
    assert_null(server.ws.stream.more);
    raw_send_frame(0x81, "five", 4);
    assert_int_equal(server.messages, 4);
}

/* A close frame of ours, then our end. */
static void expect_close(uint16_t code, const char *reason)
{
    uint8_t expected[200] = {0x88, (uint8_t)(2 + strlen(reason)), (uint8_t)(code >> 8),
                             (uint8_t)code};
    memcpy(expected + 4, reason, strlen(reason));
    assert_true(raw_receive());
    if (!slice_eq(buf_slice(&got), slice_of(expected, 4 + strlen(reason))))
        fail_msg("got \"%.*s\", expected %u %s", SLICE_FMT(buf_slice(&got)), code, reason);
    buf_clear(&got);
    assert_int_equal(server.ws.code, code);
    close(raw);
    raw = -1;
    turns(2);
    assert_int_equal(server.closed, 1);
    server.closed = server.opened = 0;
}

static void what_breaks_the_protocol_is_closed_with_code_and_reason(void **state)
{
    (void)state;
    serve_raw_open();
    raw_send(SLICE("\x81\x02hi"));
    expect_close(CLOSE_PROTOCOL, "a client's frame is not masked");
    serve_raw_open();
    raw_send_frame(0xc1, "x", 1);
    expect_close(CLOSE_PROTOCOL, "a reserved bit is set, and no extension was negotiated");
    serve_raw_open();
    raw_send_frame(0x80, "x", 1);
    expect_close(CLOSE_PROTOCOL, "a continuation continues nothing");
    serve_raw_open();
    raw_send_frame(0x88, "x", 1);
    expect_close(CLOSE_PROTOCOL, "a close has a payload of one byte");
    serve_raw_open();
    raw_send_frame(0x81, "\xff", 1);
    expect_close(CLOSE_NOT_UTF8, "a text message is not UTF-8");
    serve_raw_open();
    raw_send(SLICE("\x82\xff\0\0\0\0\0\x10\0\1abcd"));
    expect_close(CLOSE_TOO_BIG, "the message is over the limit");
    assert_int_equal(server.messages, 0);
    server.kind.text_only = true;
    serve_raw_open();
    raw_send_frame(0x02, "x", 1); /* by its first fragment */
    expect_close(CLOSE_UNSUPPORTED, "only text messages are understood here");
}

static void a_close_of_the_peer_is_answered_once_and_ends_it(void **state)
{
    (void)state;
    serve_raw_open();
    raw_send_frame(0x88,
                   "\x0f\xa1"
                   "bye",
                   5);
    expect_close(4001, "");
    serve_raw_open();
    raw_send_frame(0x88, "", 0);
    assert_true(raw_receive());
    assert_true(slice_eq(buf_slice(&got), SLICE("\x88\x00")));
    assert_int_equal(server.ws.code, CLOSE_NO_CODE);
}

static void after_our_close_messages_are_dropped_and_the_peers_is_awaited(void **state)
{
    (void)state;
    serve_raw_open();
    websocket_close(&server.ws, CLOSE_GOING_AWAY, "");
    turns(1);
    expect_raw(SLICE("\x88\x02\x03\xe9"));
    raw_send_frame(0x81, "late", 4);
    raw_send_frame(0x89, "late", 4);
    assert_int_equal(server.messages, 0);
    assert_false(raw_receive()); /* our end is open still */
    assert_int_equal(got.n, 0);
    raw_send_frame(0x88, "\x03\xe9", 2);
    assert_true(raw_receive());
    assert_int_equal(got.n, 0);
    assert_int_equal(server.ws.code, CLOSE_GOING_AWAY);
}

static void a_peer_that_never_answers_our_close_is_cut_after_2_s(void **state)
{
    (void)state;
    serve_raw_open();
    stream_set_timer(&server.ws.stream, 100); /* taken over */
    websocket_close(&server.ws, 4008, "too slow");
    hand.ms += WEBSOCKET_CLOSE_MS - 1;
    turns(2);
    assert_int_equal(server.closed, 0);
    hand.ms += 1 + LOOP_SLOT_MS;
    turns(2);
    assert_int_equal(server.closed, 1);
    assert_int_equal(server.ws.code, 4008);
}

static void a_paused_end_that_closes_hears_the_answer(void **state)
{
    (void)state;
    serve_raw_open();
    stream_pause(&server.ws.stream);
    raw_send_frame(0x81, "unread", 6);
    assert_int_equal(server.messages, 0);
    websocket_close(&server.ws, CLOSE_NORMAL, "");
    raw_send_frame(0x88, "\x03\xe8", 2);
    expect_close(CLOSE_NORMAL, "");
}

static void messages_behind_a_pause_come_when_it_ends(void **state)
{
    (void)state;
    serve_raw_open();
    stream_pause(&server.ws.stream);
    turns(1);
    for (int i = 0; i < 5; i++)
        raw_send_frame(0x81, "message", 7);
    assert_int_equal(server.messages, 0);
    stream_resume(&server.ws.stream);
    turns(3);
    assert_int_equal(server.messages, 5);
    stream_want_drained(&server.ws.stream);
    turns(1);
    assert_int_equal(server.drained, 1);
}

static void a_reason_is_cut_at_123_bytes(void **state)
{
    (void)state;
    char reason[200], cut[124];
    memset(reason, 'r', sizeof reason);
    reason[sizeof reason - 1] = 0;
    memcpy(cut, reason, 123);
    cut[123] = 0;
    serve_raw_open();
    websocket_close(&server.ws, CLOSE_POLICY, reason);
    raw_send_frame(0x88, "\x03\xf0", 2);
    expect_close(CLOSE_POLICY, cut);
}

static void closing_before_the_handshake_ends_it_at_once(void **state)
{
    (void)state;
    serve_raw();
    websocket_close(&server.ws, CLOSE_NORMAL, "");
    turns(1);
    assert_int_equal(server.closed, 1);
    assert_true(raw_receive());
    assert_int_equal(got.n, 0);
}

static void a_peer_that_goes_without_a_close_is_abnormal(void **state)
{
    (void)state;
    serve_raw_open();
    raw_send_frame(0x01, "half a message", 14);
    close(raw);
    raw = -1;
    turns(2);
    assert_int_equal(server.closed, 1);
    assert_int_equal(server.ws.code, CLOSE_ABNORMAL);
    assert_null(server.ws.stream.more);
}

static void a_trusted_proxy_names_its_client_once(void **state)
{
    (void)state;
    static const struct ip_range here = {.bits = 128}; /* a unix socket */
    char text[IP_TEXT];
    server.kind.trusted = (struct ip_ranges){&here, 1};
    serve_raw();
    raw_send(SLICE("PROXY TCP4 192.0.2.1 127.0.0.1"));
    raw_send(SLICE(" 1 2\r\nGET /page HTT"));
    ip_format(text, &server.ws.peer);
    assert_string_equal(text, "192.0.2.1");
    raw_send(SLICE("P/1.1\r\nHost: x\r\n\r\n"));
    raw_receive();
    assert_memory_equal(got.p, "HTTP/1.1 200", 12);
    close(raw);
    turns(3);
    buf_clear(&got);
    serve_raw();
    raw_send(SLICE("PROXY UNKNOWN\r\n"));
    raw_send(SLICE("PROXY UNKNOWN\r\n"));
    raw_receive();
    assert_memory_equal(got.p, "HTTP/1.1 400", 12);
}

/* ---- bodies, answers that come later, and further requests --------------------------------- */

/* How many answers have come so far, all of this status. */
static unsigned count_answers(const char *status)
{
    unsigned n = 0;
    char line[64];
    snprintf(line, sizeof line, "HTTP/1.1 %s ", status);
    raw_receive();
    buf_append(&got, "", 1);
    got.n--;
    for (const char *p = (char *)got.p; (p = strstr(p, "HTTP/1.1 ")); p++, n++)
        assert_memory_equal(p, line, strlen(line));
    return n;
}

static void respond_later(const char *text)
{
    websocket_respond(&server.ws, 200, "text/plain", "", slice_str(text), false);
    turns(3);
}

static void a_body_comes_whole_in_whatever_pieces(void **state)
{
    (void)state;
    struct buf request = {0};
    static char body[100000];
    memset(body, 'b', sizeof body);
    buf_append_lit(&request, "POST /later HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n");
    buf_append(&request, body, sizeof body);
    static const size_t cuts[] = {1, 20, 55, 56, 57, 58, 5000, 70000, 100056};
    serve_raw();
    for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++) {
        raw_send(slice_of(request.p, cuts[i]));
        assert_int_equal(server.messages, i);
        for (size_t at = cuts[i]; at < request.n; at += 50000)
            raw_send(slice_of(request.p + at, request.n - at < 50000 ? request.n - at : 50000));
        assert_int_equal(server.messages, i + 1);
        assert_int_equal(server.last.n, sizeof body);
        assert_memory_equal(server.last.p, body, sizeof body);
        assert_null(server.ws.stream.more);
        respond_later("ok");
        assert_int_equal(count_answers("200"), i + 1);
    }
    buf_free(&request);
}

static void who_waits_for_a_100_gets_it(void **state)
{
    (void)state;
    serve_raw();
    raw_send(SLICE("POST /later HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
                   "Content-Length: 4\r\n\r\n"));
    expect_raw(SLICE("HTTP/1.1 100 Continue\r\n\r\n"));
    raw_send(SLICE("body"));
    assert_true(slice_eq(buf_slice(&server.last), SLICE("body")));
}

static void what_stands_behind_a_body_is_the_next_request(void **state)
{
    (void)state;
    serve_raw();
    raw_send(SLICE("POST /later HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nGET "
                   "GET /now HTTP/1.1\r\nHost: x\r\n\r\nGET /now HTTP/1.1\r\n"));
    assert_int_equal(server.messages, 1);
    assert_true(slice_eq(buf_slice(&server.last), SLICE("GET ")));
    assert_int_equal(count_answers("200"), 0); /* the first comes first */
    respond_later("later");
    assert_int_equal(server.messages, 2);
    assert_int_equal(count_answers("200"), 2);
    raw_send(SLICE("Host: x\r\nConnection: close\r\n\r\nGET /now HTTP/1.1\r\nHost: x\r\n\r\n"));
    assert_int_equal(count_answers("200"), 3);
    assert_true(raw_receive());
}

static void what_stands_behind_the_last_piece_of_a_body_too(void **state)
{
    (void)state;
    serve_raw();
    raw_send(SLICE("POST /later HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nGE"));
    raw_send(SLICE("T GET /now HTTP/1.1\r\nHost: x\r\n\r\n"));
    assert_true(slice_eq(buf_slice(&server.last), SLICE("GET ")));
    respond_later("later");
    assert_int_equal(server.messages, 2);
    assert_int_equal(count_answers("200"), 2);
}

static void many_requests_in_one_go_are_answered_in_one_go(void **state)
{
    (void)state;
    struct buf request = {0};
    for (int i = 0; i < 100; i++)
        buf_append_lit(&request, "GET /now HTTP/1.1\r\nHost: x\r\n\r\n");
    serve_raw();
    raw_send(buf_slice(&request));
    assert_int_equal(count_answers("200"), 100);
    buf_free(&request);
}

static void a_connection_is_kept_only_where_its_client_can_and_no_proxy_may_share_it(void **state)
{
    (void)state;
    static const char *const last[] = {
        "GET /now HTTP/1.0\r\n\r\n",
        "GET /now HTTP/1.1\r\nHost: x\r\nConnection: Close\r\n\r\n",
        "GET /now HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 192.0.2.1\r\n\r\n",
    };
    for (size_t i = 0; i < sizeof last / sizeof *last; i++) {
        serve_raw();
        raw_send(slice_str(last[i]));
        assert_true(raw_receive());
        assert_int_equal(count_answers("200"), 1);
        buf_clear(&got);
        close(raw);
        turns(2);
    }
}

static void who_goes_away_before_his_answer_is_noticed(void **state)
{
    (void)state;
    serve_raw();
    raw_send(SLICE("GET /later HTTP/1.1\r\nHost: x\r\n\r\n"));
    assert_int_equal(server.ws.state, WEBSOCKET_ASKED);
    close(raw);
    raw = -1;
    turns(2);
    assert_int_equal(server.closed, 1);
}

static void each_request_has_its_deadline_and_the_pause_between_them_too(void **state)
{
    (void)state;
    serve_raw();
    raw_send(SLICE("GET /later HTTP/1.1\r\nHost: x\r\n\r\n"));
    hand.ms += 10 * WEBSOCKET_KEPT_MS; /* the answer may take as long as the owner likes */
    turns(2);
    respond_later("later");
    assert_int_equal(count_answers("200"), 1);
    hand.ms += WEBSOCKET_KEPT_MS - 1000;
    turns(2);
    raw_send(SLICE("POST /later HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n"));
    hand.ms += WEBSOCKET_REQUEST_MS - 1000;
    turns(2);
    raw_send(SLICE("body"));
    respond_later("later");
    assert_int_equal(count_answers("200"), 2);
    buf_clear(&got);
    raw_send(SLICE("G"));
    hand.ms += WEBSOCKET_REQUEST_MS + LOOP_SLOT_MS;
    turns(3);
    assert_int_equal(count_answers("408"), 1);
    close(raw);
    turns(3);
    serve_raw();
    raw_send(SLICE("GET /now HTTP/1.1\r\nHost: x\r\n\r\n"));
    buf_clear(&got);
    hand.ms += WEBSOCKET_KEPT_MS + LOOP_SLOT_MS;
    turns(3);
    assert_true(raw_receive()); /* without a word */
}

static void a_kept_connection_whose_answer_is_taken_slowly_is_not_ended(void **state)
{
    (void)state;
    static char body[200000];
    int little = 1;
    int64_t begun = hand.ms;
    memset(body, 'b', sizeof body - 1);
    serve_raw();
    setsockopt(server.ws.stream.source.fd, SOL_SOCKET, SO_SNDBUF, &little, sizeof little);
    raw_send(SLICE("GET /later HTTP/1.1\r\nHost: x\r\n\r\n"));
    respond_later(body);
    for (int i = 0; stream_queued(&server.ws.stream); i++) { /* a few KiB each time */
        assert_true(i < 100);
        hand.ms += WEBSOCKET_KEPT_MS / 4;
        raw_receive();
        turns(2);
        assert_int_equal(server.closed, 0);
    }
    assert_true(hand.ms - begun > 2 * WEBSOCKET_KEPT_MS);
    raw_receive();
    assert_true(got.n > sizeof body);
    buf_clear(&got);
    hand.ms += 2 * WEBSOCKET_KEPT_MS;
    turns(3);
    assert_int_equal(server.closed, 1);
    serve_raw(); /* but who takes nothing */
    setsockopt(server.ws.stream.source.fd, SOL_SOCKET, SO_SNDBUF, &little, sizeof little);
    raw_send(SLICE("GET /later HTTP/1.1\r\nHost: x\r\n\r\n"));
    respond_later(body);
    hand.ms += WEBSOCKET_KEPT_MS + LOOP_SLOT_MS;
    turns(3);
    assert_int_equal(server.closed, 2);
}

static void a_kept_connection_can_still_become_a_websocket(void **state)
{
    (void)state;
    serve_raw();
    raw_send(SLICE("GET /now HTTP/1.1\r\nHost: x\r\n\r\n"));
    assert_int_equal(count_answers("200"), 1);
    buf_clear(&got);
    raw_send(SLICE(UPGRADE));
    expect_raw(SLICE(UPGRADED));
    hand.ms += 2 * WEBSOCKET_KEPT_MS;
    turns(3);
    assert_int_equal(server.ws.state, WEBSOCKET_OPEN);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(the_example_of_the_rfc_is_upgraded_also_byte_by_byte),
        TEST(frames_right_behind_the_request_are_read),
        TEST(wrong_requests_are_answered_with_what_is_wrong),
        TEST(a_page_is_answered_and_its_head_alone_to_HEAD),
        TEST(a_client_believes_the_right_response_only),
        TEST(a_client_whose_peer_ends_is_closed_abnormally),
        TEST(messages_of_every_size_go_there_and_back),
        TEST(many_small_messages_leave_in_few_calls),
        TEST(a_close_is_answered_with_its_code_in_both_directions),
        TEST(a_ping_is_answered_with_its_payload),
        TEST(a_message_in_fragments_comes_whole),
        TEST(what_breaks_the_protocol_is_closed_with_code_and_reason),
        TEST(a_close_of_the_peer_is_answered_once_and_ends_it),
        TEST(after_our_close_messages_are_dropped_and_the_peers_is_awaited),
        TEST(a_peer_that_never_answers_our_close_is_cut_after_2_s),
        TEST(a_paused_end_that_closes_hears_the_answer),
        TEST(messages_behind_a_pause_come_when_it_ends),
        TEST(a_reason_is_cut_at_123_bytes),
        TEST(closing_before_the_handshake_ends_it_at_once),
        TEST(a_peer_that_goes_without_a_close_is_abnormal),
        TEST(a_trusted_proxy_names_its_client_once),
        TEST(a_body_comes_whole_in_whatever_pieces),
        TEST(who_waits_for_a_100_gets_it),
        TEST(what_stands_behind_a_body_is_the_next_request),
        TEST(what_stands_behind_the_last_piece_of_a_body_too),
        TEST(many_requests_in_one_go_are_answered_in_one_go),
        TEST(a_connection_is_kept_only_where_its_client_can_and_no_proxy_may_share_it),
        TEST(who_goes_away_before_his_answer_is_noticed),
        TEST(each_request_has_its_deadline_and_the_pause_between_them_too),
        TEST(a_kept_connection_whose_answer_is_taken_slowly_is_not_ended),
        TEST(a_kept_connection_can_still_become_a_websocket),
    };
    return cmocka_run_group_tests_name("net_websocket", tests, NULL, NULL);
}
