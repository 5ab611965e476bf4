/* Whom the server takes a client for, behind a proxy that it trusts and behind one that it does not. */
#include "../support/client.h"
#include "../support/test.h"

#include <stdio.h>
#include <string.h>

#define OPTIONS(...) ((const char *const[]){__VA_ARGS__, NULL})
#define REQUEST(fields)                                               \
    "GET /chat HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n" \
    "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n" fields     \
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
#define BYTES(literal) literal, sizeof(literal) - 1

static struct server server;

static int prepare(void **state)
{
    (void)state;
    server_prepare(&server);
    return 0;
}

static int finish(void **state)
{
    (void)state;
    server_stop(&server);
    return 0;
}

/* Sends it in pieces of that size and expects that the client is known by this address. */
static void expect_known(const char *bytes, size_t n, size_t piece, const char *address)
{
    struct client c;
    char line[64];
    server.text_n = 0;
    client_connect(&c, server.port);
    for (size_t at = 0; at < n; at += piece)
        client_send_raw(&c, bytes + at, n - at < piece ? n - at : piece);
    client_expect_upgrade(&c);
    client_expect_nothing(&c);
    snprintf(line, sizeof line, "debug: %s: connected\n", address);
    server_wait_text(&server, line);
    client_close(&c);
}

static void a_trusted_proxy_says_for_whom_it_speaks_in_pieces_of_any_size(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t n;
        const char *address;
    } cases[] = {
        {BYTES(REQUEST("")), "127.0.0.1"},
        {BYTES(REQUEST("X-Forwarded-For: 1.1.1.1, 192.0.2.1\r\n")), "192.0.2.1"},
        {BYTES("PROXY TCP4 192.0.2.2 127.0.0.1 1 2\r\n" REQUEST("")), "192.0.2.2"},
        {BYTES("PROXY UNKNOWN\r\n" REQUEST("")), "127.0.0.1"},
        {BYTES("\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\2\3\x7f\0\0\1\0\1\0\2" REQUEST("")), "192."
                                                                                              "0.2."
                                                                                              "3"},
        /* Who is behind the PROXY header is not trusted to say more. */
        {BYTES("PROXY TCP4 192.0.2.4 127.0.0.1 1 2\r\n" REQUEST("X-Forwarded-For: 1.1.1.1\r\n")),
         "192.0.2.4"},
        /* Unless it is a trusted proxy as well. */
        {BYTES("PROXY TCP4 10.0.0.1 127.0.0.1 1 2\r\n" REQUEST("X-Forwarded-For: 192.0.2.5\r\n")),
         "192.0.2.5"},
    };
    server_start(&server, OPTIONS("--log-level", "debug", "--trusted-proxy", "127.0.0.1",
                                  "--trusted-proxy", "10.0.0.0/8"));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        expect_known(cases[i].bytes, cases[i].n, cases[i].n, cases[i].address);
        expect_known(cases[i].bytes, cases[i].n, 1, cases[i].address);
        expect_known(cases[i].bytes, cases[i].n, 7, cases[i].address);
    }
}

static void a_broken_proxy_header_is_400(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "PROXY TCP4 192.0.2.2 127.0.0.1 1 99999\r\n" REQUEST(""),
        "PROXY UNKNOWN\r\nPROXY UNKNOWN\r\n" REQUEST(""),
    };
    server_start(&server, OPTIONS("--trusted-proxy", "127.0.0.1"));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct client c;
        client_http(&c, server.port, cases[i]);
        assert_true(matches("HTTP/1.1 400 *Malformed request: *", c.text));
        client_close(&c);
    }
}

static void nobody_else_may_say_who_he_is(void **state)
{
    (void)state;
    struct client c;
    server_start(&server, OPTIONS("--log-level", "debug", "--trusted-proxy", "10.0.0.0/8"));
    expect_known(BYTES(REQUEST("X-Forwarded-For: 192.0.2.1\r\n")), 1000, "127.0.0.1");
    client_http(&c, server.port, "PROXY TCP4 192.0.2.2 127.0.0.1 1 2\r\n" REQUEST(""));
    assert_true(matches("HTTP/1.1 400 *", c.text));
    client_close(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            a_trusted_proxy_says_for_whom_it_speaks_in_pieces_of_any_size, prepare, finish),
        cmocka_unit_test_setup_teardown(a_broken_proxy_header_is_400, prepare, finish),
        cmocka_unit_test_setup_teardown(nobody_else_may_say_who_he_is, prepare, finish),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
