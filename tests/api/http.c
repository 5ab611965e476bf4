/* Plain HTTP and the upgrade on a real server: every status of the contract. */
#include "../support/client.h"
#include "../support/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OPTIONS(...) ((const char *const[]){__VA_ARGS__, NULL})

static struct server server;

static int start(void **state)
{
    (void)state;
    server_prepare(&server);
    server_start(&server,
                 OPTIONS("--demo", "--admin", "127.0.0.1:0", "--origin", "https://chat.example"));
    return 0;
}

static int stop(void **state)
{
    (void)state;
    server_stop(&server);
    return 0;
}

#define HOST "Host: 127.0.0.1\r\n"
#define KEY "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define UPGRADE \
    "GET /chat HTTP/1.1\r\n" HOST "Upgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n"
#define VERSION "Sec-WebSocket-Version: 13\r\n"

static const struct {
    const char *request;
    int status;
    const char *pattern; /* of the whole answer; NULL: any */
} cases[] = {
    {"GET /healthz HTTP/1.1\r\n" HOST "\r\n", 200, "*\r\nContent-Length: 3\r\n*\r\n\r\nok\n"},
    {"GET /healthz HTTP/1.0\r\n\r\n", 200, NULL},
    {"HEAD /healthz HTTP/1.1\r\n" HOST "\r\n", 200, "*Content-Length: 3\r\n*close\r\n\r\n"},
    {"GET /healthz?x=y HTTP/1.1\r\n" HOST "\r\n", 200, NULL},
    {"GET http://127.0.0.1/healthz HTTP/1.1\r\n" HOST "\r\n", 200, NULL},
    {"POST /healthz HTTP/1.1\r\n" HOST "\r\n", 405, "*\r\nAllow: GET, HEAD\r\n*"},
    {"OPTIONS /healthz HTTP/1.1\r\n" HOST "\r\n", 405, NULL},
    {"POST /chat HTTP/1.1\r\n" HOST "\r\n", 405, "*\r\nAllow: GET\r\n*"},
    {"GET /nothing HTTP/1.1\r\n" HOST "\r\n", 404, NULL},
    {"GET /chat/ HTTP/1.1\r\n" HOST "\r\n", 404, NULL},
    {"GET /metrics HTTP/1.1\r\n" HOST "\r\n", 404, NULL},
    {"GET / HTTP/1.1\r\n" HOST "\r\n", 200,
     "*Content-Security-Policy: default-src 'none';*</html>*"},
    {"GET /demo/token?user=alice HTTP/1.1\r\n" HOST "\r\n", 200,
     "*no-store*{\"token\":\"*.*.*\"}\n"},
    {"GET /demo/token?user=%c3%a9+x HTTP/1.1\r\nHost: localhost:8080\r\n\r\n", 200, NULL},
    {"GET /demo/token?user=a HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n", 200, NULL},
    {"GET /demo/token?user= HTTP/1.1\r\n" HOST "\r\n", 400, NULL},
    {"GET /demo/token?user=%0a HTTP/1.1\r\n" HOST "\r\n", 400, NULL},
    {"GET /demo/token?user=%ff HTTP/1.1\r\n" HOST "\r\n", 400, NULL},
    {"GET /demo/token?user=%4 HTTP/1.1\r\n" HOST "\r\n", 400, NULL},
    {"GET /demo/token HTTP/1.1\r\n" HOST "\r\n", 400, NULL},
    {"GET /demo/token?user=a HTTP/1.1\r\nHost: evil.example\r\n\r\n", 403, NULL},
    {"GET /demo/token?user=a HTTP/1.1\r\nHost: 127.0.0.1.evil.example\r\n\r\n", 403, NULL},
    {"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n", 403, NULL},
    {"GET /healthz HTTP/1.1\r\n\r\n", 400, "*no Host*"},
    {"GET /healthz HTTP/1.1\r\n" HOST HOST "\r\n", 400, NULL},
    {"GET /healthz HTTP/1.1\n" HOST "\r\n", 400, NULL},
    {"GET /healthz HTTP/1.1\r\n" HOST "X : y\r\n\r\n", 400, NULL},
    {"GET /healthz HTTP/1.1\r\n" HOST " folded\r\n\r\n", 400, "*folded*"},
    {"GET healthz HTTP/1.1\r\n" HOST "\r\n", 400, NULL},
    {"\x16\x03\x01\n", 400, NULL},
    {"GET /healthz HTTP/2.0\r\n" HOST "\r\n", 505, NULL},
    {"GET /healthz HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nabc", 413, NULL},
    {"GET /healthz HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n", 413, NULL},
    {"GET /healthz HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n", 200, NULL},
    {"GET /healthz HTTP/1.1\r\n" HOST "Content-Length: -1\r\n\r\n", 400, NULL},
    {UPGRADE VERSION KEY "\r\n", 101,
     "*\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n*"},
    {UPGRADE "Sec-WebSocket-Version: 8\r\n" KEY "\r\n", 426, "*\r\nSec-WebSocket-Version: 13\r\n*"},
    {UPGRADE KEY "\r\n", 400, NULL},
    {UPGRADE VERSION VERSION KEY "\r\n", 400, NULL},
    {UPGRADE VERSION "\r\n", 400, "*Sec-WebSocket-Key*"},
    {UPGRADE VERSION KEY KEY "\r\n", 400, NULL},
    {UPGRADE VERSION "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j\r\n\r\n", 400, NULL},
    {UPGRADE VERSION "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ!=\r\n\r\n", 400, NULL},
    {"GET /chat HTTP/1.1\r\n" HOST "\r\n", 400, "*Upgrade: websocket is missing*"},
    {"GET /chat HTTP/1.1\r\n" HOST "Upgrade: websocket\r\n" VERSION KEY "\r\n", 400, NULL},
    {UPGRADE VERSION KEY "Origin: http://127.0.0.1\r\n\r\n", 101, NULL},
    {UPGRADE VERSION KEY "Origin: https://127.0.0.1\r\n\r\n", 101, NULL},
    {UPGRADE VERSION KEY "Origin: https://chat.example\r\n\r\n", 101, NULL},
    {UPGRADE VERSION KEY "Origin: http://127.0.0.1:81\r\n\r\n", 403, NULL},
    {UPGRADE VERSION KEY "Origin: http://evil.example\r\n\r\n", 403, "*--origin*"},
    {UPGRADE VERSION KEY "Origin: https://chat.example.evil\r\n\r\n", 403, NULL},
    {UPGRADE VERSION KEY "Origin: null\r\n\r\n", 403, NULL},
    {UPGRADE VERSION KEY "Origin:\r\n\r\n", 403, NULL},
    {UPGRADE VERSION KEY "Origin: http://127.0.0.1\r\nOrigin: http://127.0.0.1\r\n\r\n", 403, NULL},
};

static void requests_get_the_status_of_the_contract(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct client c;
        char first[32];
        client_connect(&c, server.port);
        client_send_raw(&c, cases[i].request, strlen(cases[i].request));
        if (cases[i].status == 101)
            client_send_raw(&c, "\x88\x80\0\0\0", 6); /* a close, right behind the upgrade */
        client_read_all(&c);
        snprintf(first, sizeof first, "HTTP/1.1 %d ", cases[i].status);
        if (strncmp(c.text, first, strlen(first)) != 0 ||
            (cases[i].pattern && !matches(cases[i].pattern, c.text)))
            fail_msg("%s\nwas answered with\n%s\ninstead of %d %s", cases[i].request, c.text,
                     cases[i].status, cases[i].pattern ? cases[i].pattern : "");
        client_close(&c);
    }
}

static void a_head_over_8_kib_is_431(void **state)
{
    (void)state;
    char request[10000];
    for (size_t size = 8192; size <= 8193; size++) {
        struct client c;
        int n = snprintf(request, sizeof request, "GET /healthz HTTP/1.1\r\n" HOST "X: ");
        memset(request + n, 'x', size - (size_t)n - 4);
        memcpy(request + size - 4, "\r\n\r\n", 5);
        client_http(&c, server.port, request);
        assert_true(matches(size == 8192 ? "HTTP/1.1 200 *" : "HTTP/1.1 431 *", c.text));
        client_close(&c);
    }
}

static void a_request_may_come_byte_by_byte(void **state)
{
    (void)state;
    struct client c;
    client_connect(&c, server.port);
    for (const char *p = UPGRADE VERSION KEY "\r\n"; *p; p++)
        client_send_raw(&c, p, 1);
    client_send_frame(&c, 0x88, "", 0);
    client_read_all(&c);
    assert_true(matches("HTTP/1.1 101 *", c.text));
    client_close(&c);
}

static void the_admin_listener_has_the_metrics(void **state)
{
    (void)state;
    struct client c;
    client_http(&c, server.admin_port, "GET /metrics HTTP/1.1\r\n" HOST "\r\n");
    assert_true(matches("HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4*\n"
                        "parley_connections 0\n*parley_info{version=\"*\"} 1\n",
                        c.text));
    client_close(&c);
    client_http(&c, server.admin_port, "GET /healthz HTTP/1.1\r\n" HOST "\r\n");
    assert_true(matches("HTTP/1.1 200 *", c.text));
    client_close(&c);
    client_http(&c, server.admin_port, UPGRADE VERSION KEY "\r\n");
    assert_true(matches("HTTP/1.1 404 *", c.text));
    client_close(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_get_the_status_of_the_contract),
        cmocka_unit_test(a_head_over_8_kib_is_431),
        cmocka_unit_test(a_request_may_come_byte_by_byte),
        cmocka_unit_test(the_admin_listener_has_the_metrics),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
