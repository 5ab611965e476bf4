/* Plain HTTP and the upgrade on a real server: every status of the contract. */
#include "../support/client.h"
#include "../support/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OPTIONS(...) ((const char *const[]){__VA_ARGS__, NULL})

static struct server server;

static char path[96]; /* of its unix socket */

static int start(void **state)
{
    char address[128];
    (void)state;
    server_prepare(&server);
    snprintf(path, sizeof path, "%s/socket", server.dir);
    snprintf(address, sizeof address, "unix:%s", path);
    server_start(&server,
                 OPTIONS("--demo", "--admin", "127.0.0.1:0", "--origin", "https://chat.example",
                         "--listen", "127.0.0.1:0", "--listen", address));
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
/* Nothing but what has to be. */
#define PLAIN_101                                                          \
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"           \
    "Connection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK" \
    "+xOo=\r\n\r\n\x88*"

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
     "*Content-Security-Policy: default-src 'none';*Content-Encoding: gzip*"},
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
    {"GET /healthz HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n", 411, NULL},
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
    /* an empty line in front, absolute-form without a path */
    {"\r\nGET /healthz HTTP/1.1\r\n" HOST "\r\n", 200, NULL},
    {"\r\n\r\nGET /healthz HTTP/1.1\r\n" HOST "\r\n", 400, NULL},
    {"GET http://127.0.0.1 HTTP/1.1\r\n" HOST "\r\n", 200, "*Content-Encoding: gzip*"},
    {"GET http://evil.example HTTP/1.1\r\n" HOST "\r\n", 403, NULL},
    {"GET http://127.0.0.1?x HTTP/1.1\r\n" HOST "\r\n", 200, NULL},
    /* only the first of two requests is answered: the connection is closed behind it */
    {"GET /healthz HTTP/1.1\r\n" HOST "\r\nGET / HTTP/1.1\r\n" HOST "\r\n", 200, "*\r\n\r\nok\n"},
    {"GET /nothing HTTP/1.1\r\n" HOST "\r\nGET /healthz HTTP/1.1\r\n" HOST "\r\n", 404,
     "*at /chat.\n"},
    {"POST /healthz HTTP/1.1\r\n" HOST "Content-Length: 38\r\n\r\nGET /healthz HTTP/1.1\r\n" HOST
     "\r\n",
     413, "*not taken here.\n"},
    {"GET /healthz HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET / "
     "HTTP/1.1\r\n" HOST "\r\n",
     411, "*with a Content-Length only.\n"},
    {"GET /healthz HTTP/1.1\r\n" HOST "Content-Length: 5\r\nTransfer-Encoding: "
     "chunked\r\n\r\n0\r\n\r\n",
     400, "*beside a Transfer-Encoding*"},
    /* the handshake */
    {UPGRADE "Sec-WebSocket-Version: 13\r\n" KEY "\r\n", 101, NULL},
    {UPGRADE "sec-websocket-version:13\r\n" KEY "\r\n", 101, NULL},
    {UPGRADE "SEC-WEBSOCKET-VERSION: \t13\t\r\n" KEY "\r\n", 101, NULL},
    {UPGRADE "Sec-WebSocket-Version: \r\n" KEY "\r\n", 426, NULL},
    {UPGRADE "Sec-WebSocket-Version: 0\r\n" KEY "\r\n", 426, NULL},
    {UPGRADE "Sec-WebSocket-Version: 1\r\n" KEY "\r\n", 426, NULL},
    {UPGRADE "Sec-WebSocket-Version: 7\r\n" KEY "\r\n", 426, NULL},
    {UPGRADE "Sec-WebSocket-Version: 12\r\n" KEY "\r\n", 426, NULL},
    {UPGRADE "Sec-WebSocket-Version: 14\r\n" KEY "\r\n", 426, NULL},
    {UPGRADE "Sec-WebSocket-Version: 130\r\n" KEY "\r\n", 426, NULL},
    {UPGRADE "Sec-WebSocket-Version: 013\r\n" KEY "\r\n", 426, NULL},
    {UPGRADE "Sec-WebSocket-Version: +13\r\n" KEY "\r\n", 426, NULL},
    {UPGRADE "Sec-WebSocket-Version: -13\r\n" KEY "\r\n", 426, NULL},
    {UPGRADE "Sec-WebSocket-Version: 13.0\r\n" KEY "\r\n", 426, NULL},
    {UPGRADE "Sec-WebSocket-Version: 13,8\r\n" KEY "\r\n", 426, NULL},
    {UPGRADE "Sec-WebSocket-Version: 13, 13\r\n" KEY "\r\n", 426, NULL},
    {UPGRADE "Sec-WebSocket-Version: 8, 13\r\n" KEY "\r\n", 426, NULL},
    {UPGRADE "Sec-WebSocket-Version: 13;\r\n" KEY "\r\n", 426, NULL},
    {UPGRADE "Sec-WebSocket-Version: thirteen\r\n" KEY "\r\n", 426, NULL},
    {UPGRADE "Sec-WebSocket-Version: 0xd\r\n" KEY "\r\n", 426, NULL},
    {UPGRADE "Sec-WebSocket-Version: 13 13\r\n" KEY "\r\n", 426, NULL},
    {UPGRADE "Sec-WebSocket-Version: 99999999999999999999\r\n" KEY "\r\n", 426, NULL},
    {UPGRADE VERSION "Sec-WebSocket-Version: 8\r\n" KEY "\r\n", 400, NULL},
    {UPGRADE "Sec-WebSocket-Version : 13\r\n" KEY "\r\n", 400, NULL},
    {UPGRADE VERSION "Sec-WebSocket-Key: \r\n\r\n", 400, NULL},
    {UPGRADE VERSION "Sec-WebSocket-Key: =\r\n\r\n", 400, NULL},
    {UPGRADE VERSION "Sec-WebSocket-Key: ==\r\n\r\n", 400, NULL},
    {UPGRADE VERSION "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ\r\n\r\n", 400, NULL},
    {UPGRADE VERSION "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=\r\n\r\n", 400, NULL},
    {UPGRADE VERSION "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ===\r\n\r\n", 400, NULL},
    {UPGRADE VERSION "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZR==\r\n\r\n", 400, NULL},
    {UPGRADE VERSION "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j ZQ==\r\n\r\n", 400, NULL},
    {UPGRADE VERSION "Sec-WebSocket-Key: dGhl-HNhbXBsZSBub25jZQ==\r\n\r\n", 400, NULL},
    {UPGRADE VERSION "Sec-WebSocket-Key: dGhl_HNhbXBsZSBub25jZQ==\r\n\r\n", 400, NULL},
    {UPGRADE VERSION "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j\r\n\r\n", 400, NULL},
    {UPGRADE VERSION "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZTE=\r\n\r\n", 400, NULL},
    {UPGRADE VERSION "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZTEy\r\n\r\n", 400, NULL},
    {UPGRADE VERSION "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==, "
                     "dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
     400, NULL},
    {UPGRADE VERSION "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==;\r\n\r\n", 400, NULL},
    {UPGRADE VERSION "Sec-WebSocket-Key: \"dGhlIHNhbXBsZSBub25jZQ==\"\r\n\r\n", 400, NULL},
    {UPGRADE VERSION "Sec-WebSocket-Key: ========================\r\n\r\n", 400, NULL},
    {UPGRADE VERSION "Sec-WebSocket-Key: ????????????????????????\r\n\r\n", 400, NULL},
    {UPGRADE VERSION "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=\303\r\n\r\n", 400, NULL},
    {UPGRADE VERSION "Sec-WebSocket-Key:dGhlIHNhbXBsZSBub25jZQ==   \r\n\r\n", 101, NULL},
    {UPGRADE VERSION "SEC-WEBSOCKET-KEY: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n", 101, NULL},
    {UPGRADE VERSION KEY "Sec-WebSocket-Key:\r\n\r\n", 400, NULL},
    {UPGRADE VERSION "Sec-WebSocket-Key:\r\n dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", 400, NULL},
    /* no extension and no subprotocol is taken; what a server says is no matter in a request */
    {UPGRADE VERSION KEY "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n", 101, PLAIN_101},
    {UPGRADE VERSION KEY "Sec-WebSocket-Extensions: permessage-deflate; "
                         "client_max_window_bits\r\n\r\n",
     101, PLAIN_101},
    {UPGRADE VERSION KEY "Sec-WebSocket-Extensions:\r\n\r\n", 101, PLAIN_101},
    {UPGRADE VERSION KEY "Sec-WebSocket-Extensions: ;;;,,=\"\r\n\r\n", 101, PLAIN_101},
    {UPGRADE VERSION KEY "Sec-WebSocket-Extensions: a\r\nSec-WebSocket-Extensions: b\r\n\r\n", 101,
     PLAIN_101},
    {UPGRADE VERSION KEY "Sec-WebSocket-Protocol: chat, superchat\r\n\r\n", 101, PLAIN_101},
    {UPGRADE VERSION KEY "Sec-WebSocket-Protocol:\r\n\r\n", 101, PLAIN_101},
    {UPGRADE VERSION KEY "Sec-WebSocket-Protocol: (),/:;<=>?@\r\n\r\n", 101, PLAIN_101},
    {UPGRADE VERSION KEY "Sec-WebSocket-Accept: x\r\n\r\n", 101, PLAIN_101},
    {UPGRADE VERSION KEY "Sec-WebSocket-Nothing: x\r\n\r\n", 101, PLAIN_101},
    {UPGRADE VERSION KEY "Content-Length: 0\r\n\r\n", 101, PLAIN_101},
    {UPGRADE VERSION KEY "Sec-WebSocket-Key1: x\r\n\r\n", 101, PLAIN_101},
    {"GET /chat HTTP/1.1\r\n" HOST "Upgrade: WebSocket\r\nConnection: UPGRADE\r\n" VERSION KEY "\r"
     "\n",
     101, NULL},
    {"GET /chat HTTP/1.1\r\n" HOST "upgrade: h2c, websocket\r\nconnection: upgrade, "
     "keep-alive\r\n" VERSION KEY "\r\n",
     101, NULL},
    {"GET /chat HTTP/1.1\r\n" HOST "Upgrade: h2c\r\nUpgrade: websocket\r\nConnection: "
     "close\r\nConnection: upgrade\r\n" VERSION KEY "\r\n",
     101, NULL},
    {"GET /chat HTTP/1.1\r\n" HOST "Upgrade: websocket\r\nConnection: close\r\n" VERSION KEY "\r\n",
     400, NULL},
    {"GET /chat HTTP/1.1\r\n" HOST "Upgrade: websocket\r\nConnection:\r\n" VERSION KEY "\r\n", 400,
     NULL},
    {"GET /chat HTTP/1.1\r\n" HOST "Upgrade:\r\nConnection: Upgrade\r\n" VERSION KEY "\r\n", 400,
     NULL},
    {"GET /chat HTTP/1.1\r\n" HOST "Upgrade: websockets\r\nConnection: Upgrade\r\n" VERSION KEY
     "\r\n",
     400, NULL},
    {"GET /chat HTTP/1.1\r\n" HOST "Upgrade: web socket\r\nConnection: Upgrade\r\n" VERSION KEY
     "\r\n",
     400, NULL},
    {"GET /chat HTTP/1.1\r\n" HOST "Upgrade: websocket/13\r\nConnection: Upgrade\r\n" VERSION KEY
     "\r\n",
     400, NULL},
    {"GET /chat HTTP/1.1\r\n" HOST "Upgrade: h2c\r\nConnection: Upgrade\r\n" VERSION KEY "\r\n",
     400, NULL},
    {"GET /chat HTTP/1.1\r\n" HOST "Connection: Upgrade\r\n" VERSION KEY "\r\n", 400, NULL},
    {"GET /chat HTTP/1.1\r\n" HOST "Upgrade: websocket\r\nConnection: Up-grade\r\n" VERSION KEY
     "\r\n",
     400, NULL},
    {"GET http://127.0.0.1/chat HTTP/1.1\r\n" HOST "Upgrade: websocket\r\nConnection: "
     "Upgrade\r\n" VERSION KEY "\r\n",
     101, NULL},
    {"GET /chat?token=x HTTP/1.1\r\n" HOST
     "Upgrade: websocket\r\nConnection: Upgrade\r\n" VERSION KEY "\r\n",
     101, NULL},
    {"GET /chat HTTP/1.0\r\n" HOST "Upgrade: websocket\r\nConnection: Upgrade\r\n" VERSION KEY "\r"
     "\n",
     400, NULL},
    {"POST /chat HTTP/1.1\r\n" HOST "Upgrade: websocket\r\nConnection: Upgrade\r\n" VERSION KEY
     "\r\n",
     405, NULL},
    {"get /chat HTTP/1.1\r\n" HOST "Upgrade: websocket\r\nConnection: Upgrade\r\n" VERSION KEY "\r"
     "\n",
     405, NULL},
    {"GET /CHAT HTTP/1.1\r\n" HOST "Upgrade: websocket\r\nConnection: Upgrade\r\n" VERSION KEY "\r"
     "\n",
     404, NULL},
    {"GET //chat HTTP/1.1\r\n" HOST "Upgrade: websocket\r\nConnection: Upgrade\r\n" VERSION KEY
     "\r\n",
     404, NULL},
    {"GET /%63hat HTTP/1.1\r\n" HOST "Upgrade: websocket\r\nConnection: Upgrade\r\n" VERSION KEY
     "\r\n",
     404, NULL},
    {UPGRADE VERSION KEY "Content-Length: 5\r\n\r\nhello", 413, NULL},
    {UPGRADE VERSION KEY "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 411, NULL},
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

static void a_field_of_the_handshake_may_fill_the_head_and_no_more(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int status; /* while the head is not over its limit */
    } fields[] = {{"Sec-WebSocket-Key", 400},
                  {"Sec-WebSocket-Version", 400},
                  {"Sec-WebSocket-Extensions", 101},
                  {"Sec-WebSocket-Protocol", 101},
                  {"Upgrade", 101},
                  {"Connection", 101},
                  {"Origin", 403},
                  {"Cookie", 101},
                  {"Host", 400}};
    char request[10000], first[32];
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        for (size_t size = 8192; size <= 8193; size++) {
            struct client c;
            int n = snprintf(request, sizeof request, UPGRADE VERSION KEY "%s: ", fields[i].name);
            memset(request + n, 'x', size - (size_t)n - 4);
            memcpy(request + size - 4, "\r\n\r\n", 5);
            client_connect(&c, server.port);
            client_send_raw(&c, request, size);
            client_send_frame(&c, 0x88, "", 0);
            client_read_all(&c);
            snprintf(first, sizeof first, "HTTP/1.1 %d *", size == 8192 ? fields[i].status : 431);
            if (!matches(first, c.text))
                fail_msg("%s: %.60s instead of %s", fields[i].name, c.text, first);
            client_close(&c);
        }
}

/* A page of another site may open a WebSocket with its visitor's cookies; its Origin tells it. */
static void a_page_of_another_site_cannot_connect(void **state)
{
    (void)state;
    static const struct {
        const char *origin;
        int status;
    } origins[] = {
        {"http://127.0.0.1", 101},
        {"HTTP://127.0.0.1", 101},
        {"https://127.0.0.1", 101},
        {"https://chat.example", 101},
        {"", 403},
        {"null", 403},
        {"NULL", 403},
        {"undefined", 403},
        {"*", 403},
        {"http://", 403},
        {"https://", 403},
        {"http:", 403},
        {"//127.0.0.1", 403},
        {"127.0.0.1", 403},
        {"http:/127.0.0.1", 403},
        {"http:127.0.0.1", 403},
        {"http:///127.0.0.1", 403},
        {"ws://127.0.0.1", 403},
        {"ftp://127.0.0.1", 403},
        {"file://127.0.0.1", 403},
        {"file://", 403},
        {"data:text/html,x", 403},
        {"chrome-extension://abc", 403},
        {"http://127.0.0.1/", 403},
        {"http://127.0.0.1/chat", 403},
        {"http://127.0.0.1:80", 403},
        {"http://127.0.0.1:", 403},
        {"http://127.0.0.1.", 403},
        {"http://127.0.0.1.evil.example", 403},
        {"http://127.0.0.1@evil.example", 403},
        {"http://evil.example@127.0.0.1", 403},
        {"http://evil.example/127.0.0.1", 403},
        {"http://evil.example?127.0.0.1", 403},
        {"http://evil.example#127.0.0.1", 403},
        {"http://evil127.0.0.1", 403},
        {"http://localhost", 403},
        {"http://evil.example", 403},
        {"http://evil.example, http://127.0.0.1", 403},
        {"http://127.0.0.1, http://evil.example", 403},
        {"http://127.0.0.1 http://evil.example", 403},
        {"http://chat.example", 403},
        {"https://chat.example.", 403},
        {"https://chat.example:443", 403},
        {"https://chat.example/", 403},
        {"https://chat.example.evil.example", 403},
        {"https://evil-chat.example", 403},
        {"https://evil.chat.example", 403},
        {"https://chat.exampl", 403},
        {"https://chat-example", 403},
        {"https://chat.example\xff", 403},
        {"\xff", 403},
    };
    for (size_t i = 0; i < sizeof origins / sizeof *origins; i++) {
        struct client c;
        char request[512], first[32];
        int n =
            snprintf(request, sizeof request,
                     UPGRADE VERSION KEY "Cookie: a=b\r\nOrigin: %s\r\n\r\n", origins[i].origin);
        client_connect(&c, server.port);
        client_send_raw(&c, request, (size_t)n);
        client_send_frame(&c, 0x88, "", 0);
        client_read_all(&c);
        snprintf(first, sizeof first, "HTTP/1.1 %d *", origins[i].status);
        if (!matches(first, c.text))
            fail_msg("Origin: %s: %.40s instead of %s", origins[i].origin, c.text, first);
        client_close(&c);
    }
}

/* What a request and these frames behind it, cut in two, are answered with. */
static void expect_pipelined(const uint8_t *bytes, size_t n, size_t cut)
{
    struct client c;
    struct slice payload;
    uint8_t first;
    client_connect_unix(&c, path);
    client_send_raw(&c, bytes, cut);
    client_wait_taken(&c);
    client_send_raw(&c, bytes + cut, n - cut);
    client_expect_upgrade(&c);
    assert_true(client_frame(&c, &first, &payload));
    assert_int_equal(first, 0x8a);
    assert_true(slice_eq(payload, SLICE("ping")));
    client_expect(&c, "{\"event\":\"info\",*\"ref\":7,\"meta\":{\"code\":\"unregistered\",*");
    client_expect_close(&c, 1000);
    client_close(&c);
}

static void frames_right_behind_the_upgrade_are_read_in_every_split(void **state)
{
    (void)state;
    /* A mask of zeros; the close with 1000. */
    static const char frames[] = "\x89\x84\0\0\0\0ping"
                                 "\x81\x9c\0\0\0\0{\"event\":\"snippets\",\"ref\":7}"
                                 "\x88\x82\0\0\0\0\x03\xe8";
    uint8_t bytes[512];
    size_t head = strlen(client_request), n = head + sizeof frames - 1;
    memcpy(bytes, client_request, head);
    memcpy(bytes + head, frames, sizeof frames - 1);
    for (size_t cut = 0; cut <= n; cut++)
        expect_pipelined(bytes, n, cut);
}

static void a_request_behind_an_upgrade_is_no_frame(void **state)
{
    (void)state;
    struct client c;
    client_connect(&c, server.port);
    client_send_raw(&c, UPGRADE VERSION KEY "\r\nGET /healthz HTTP/1.1\r\n" HOST "\r\n",
                    strlen(UPGRADE VERSION KEY "\r\nGET /healthz HTTP/1.1\r\n" HOST "\r\n"));
    client_expect_upgrade(&c);
    client_expect_close(&c, 1002);
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
        cmocka_unit_test(a_field_of_the_handshake_may_fill_the_head_and_no_more),
        cmocka_unit_test(a_page_of_another_site_cannot_connect),
        cmocka_unit_test(frames_right_behind_the_upgrade_are_read_in_every_split),
        cmocka_unit_test(a_request_behind_an_upgrade_is_no_frame),
        cmocka_unit_test(the_admin_listener_has_the_metrics),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
