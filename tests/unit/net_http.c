/* http: heads that are taken and heads that are refused, each whole, by its prefixes, and flush
 * against an unreadable page. */
#include "../support/guard.h"
#include "net/http.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

static struct guard guard;

static int setup(void **state)
{
    (void)state;
    guard_init(&guard, 16384);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    guard_fini(&guard);
    return 0;
}

typedef enum http_result parser(struct slice in, struct http_head *out, const char **why);

/* Every prefix of a good head is incomplete; a refused one is refused whole and, from the byte on
   that shows it, in every longer prefix: never taken, and never "incomplete" again. */
static void check_prefixes(parser *parse, struct slice in, enum http_result result, size_t size)
{
    struct http_head head;
    const char *why;
    bool refused = false;
    for (size_t n = 0; n < in.n; n++) {
        enum http_result got = parse(guard_copy(&guard, slice_of(in.p, n)), &head, &why);
        if (result == HTTP_OK) {
            assert_int_equal(got, n < size ? HTTP_MORE : HTTP_OK);
        } else if (got != HTTP_MORE || refused) {
            assert_int_equal(got, result);
            refused = true;
        }
    }
}

static void check(parser *parse, struct slice in, enum http_result result, struct http_head *head,
                  const char **why)
{
    enum http_result got = parse(guard_copy(&guard, in), head, why);
    if (got != result)
        fail_msg("\"%.*s\": result %d, expected %d", SLICE_FMT(in), got, result);
    if (got == HTTP_MALFORMED)
        assert_true(*why && **why);
    check_prefixes(parse, in, result, got == HTTP_OK ? head->size : in.n);
}

/* ---- requests ----------------------------------------------------------------------------- */

#define END "Host: h\r\n\r\n"
#define BYTES(text)                               \
    {                                             \
        (const uint8_t *)(text), sizeof(text) - 1 \
    }

static const struct {
    struct slice in;
    const char *method, *path, *query, *host;
} good[] = {
    {BYTES("GET / HTTP/1.1\r\n" END), "GET", "/", "", "h"},
    {BYTES("GET / HTTP/1.1\r\nHost: example.com:8080\r\n\r\n"), "GET", "/", "", "example.com:8080"},
    {BYTES("GET / HTTP/1.1\r\nhost:h\r\n\r\n"), "GET", "/", "", "h"},
    {BYTES("GET / HTTP/1.1\r\nHOST: h\r\n\r\n"), "GET", "/", "", "h"},
    {BYTES("GET / HTTP/1.1\r\nhOsT:\t h \t\r\n\r\n"), "GET", "/", "", "h"},
    {BYTES("GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n"), "GET", "/", "", "[::1]:80"},
    {BYTES("GET / HTTP/1.1\r\nHost:\r\n\r\n"), "GET", "/", "", ""},
    {BYTES("GET / HTTP/1.1\r\nHost: \r\n\r\n"), "GET", "/", "", ""},
    {BYTES("HEAD / HTTP/1.1\r\n" END), "HEAD", "/", "", "h"},
    {BYTES("POST /a HTTP/1.1\r\n" END), "POST", "/a", "", "h"},
    {BYTES("get / HTTP/1.1\r\n" END), "get", "/", "", "h"},
    {BYTES("M-SEARCH / HTTP/1.1\r\n" END), "M-SEARCH", "/", "", "h"},
    {BYTES("!#$%&'*+-.^_`|~09azAZ / HTTP/1.1\r\n" END), "!#$%&'*+-.^_`|~09azAZ", "/", "", "h"},
    {BYTES("GET /a/b/c HTTP/1.1\r\n" END), "GET", "/a/b/c", "", "h"},
    {BYTES("GET /?q HTTP/1.1\r\n" END), "GET", "/", "q", "h"},
    {BYTES("GET /? HTTP/1.1\r\n" END), "GET", "/", "", "h"},
    {BYTES("GET /a?b=c&d HTTP/1.1\r\n" END), "GET", "/a", "b=c&d", "h"},
    {BYTES("GET /a?b?c HTTP/1.1\r\n" END), "GET", "/a", "b?c", "h"},
    {BYTES("GET /a?/b HTTP/1.1\r\n" END), "GET", "/a", "/b", "h"},
    {BYTES("GET //a HTTP/1.1\r\n" END), "GET", "//a", "", "h"},
    {BYTES("GET /%20%00 HTTP/1.1\r\n" END), "GET", "/%20%00", "", "h"},
    {BYTES("GET /../x HTTP/1.1\r\n" END), "GET", "/../x", "", "h"},
    {BYTES("GET /\"<>[]^`{|}\\ HTTP/1.1\r\n" END), "GET", "/\"<>[]^`{|}\\", "", "h"},
    {BYTES("GET http://a/ HTTP/1.1\r\n" END), "GET", "/", "", "a"},
    {BYTES("GET http://a:80/p?q HTTP/1.1\r\n" END), "GET", "/p", "q", "a:80"},
    {BYTES("GET HTTP://a/p HTTP/1.1\r\n" END), "GET", "/p", "", "a"},
    {BYTES("GET / HTTP/1.0\r\n\r\n"), "GET", "/", "", ""},
    {BYTES("GET / HTTP/1.0\r\n" END), "GET", "/", "", "h"},
    {BYTES("GET / HTTP/1.1\r\nA:\r\n" END), "GET", "/", "", "h"},
    {BYTES("GET / HTTP/1.1\r\nA: b: c\r\n" END), "GET", "/", "", "h"},
    {BYTES("GET / HTTP/1.1\r\n!#$%&'*+-.^_`|~: x\r\n" END), "GET", "/", "", "h"},
    {BYTES("GET / HTTP/1.1\r\nA: b\tc\r\n" END), "GET", "/", "", "h"},
    {BYTES("GET / HTTP/1.1\r\nA: \x80\xff\xc3\xa9\r\n" END), "GET", "/", "", "h"},
    {BYTES("GET / HTTP/1.1\r\nA: 1\r\nA: 2\r\n" END), "GET", "/", "", "h"},
    {BYTES("GET / HTTP/1.1\r\nContent-Length: 0\r\n" END), "GET", "/", "", "h"},
    {BYTES("GET / HTTP/1.1\r\nContent-Length: 0007\r\n" END), "GET", "/", "", "h"},
    {BYTES("GET / HTTP/1.1\r\nContent-Length: 999999999999999\r\n" END), "GET", "/", "", "h"},
    {BYTES("GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" END), "GET", "/", "", "h"},
    {BYTES("GET / HTTP/1.1\r\n" END "behind it\n\r\0"), "GET", "/", "", "h"},
    {BYTES("GET / HTTP/1.1\r\n" END "GET"), "GET", "/", "", "h"},
};

static void good_requests_are_taken_with_their_parts(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct http_head head;
        const char *why;
        check(http_parse_request, good[i].in, HTTP_OK, &head, &why);
        check_prefixes(http_parse_request, good[i].in, HTTP_OK, head.size);
        assert_int_equal(http_parse_request(good[i].in, &head, &why), HTTP_OK);
        assert_true(slice_eq(head.method, slice_str(good[i].method)));
        assert_true(slice_eq(head.path, slice_str(good[i].path)));
        assert_true(slice_eq(head.query, slice_str(good[i].query)));
        assert_true(slice_eq(head.host, slice_str(good[i].host)));
        assert_memory_equal(good[i].in.p + head.size - 4, "\r\n\r\n", 4);
        assert_int_equal(head.version_1_0, !!strstr((const char *)good[i].in.p, "HTTP/1.0"));
    }
}

static const struct {
    struct slice in;
    enum http_result result;
} bad[] = {
    /* the request line */
    {BYTES("\r\n"), HTTP_MALFORMED},
    {BYTES("GET\r\n" END), HTTP_MALFORMED},
    {BYTES("GET /\r\n" END), HTTP_MALFORMED},
    {BYTES("GET / \r\n" END), HTTP_MALFORMED},
    {BYTES(" GET / HTTP/1.1\r\n" END), HTTP_MALFORMED},
    {BYTES("GET  / HTTP/1.1\r\n" END), HTTP_MALFORMED},
    {BYTES("GET /  HTTP/1.1\r\n" END), HTTP_MALFORMED},
    {BYTES("GET / HTTP/1.1 \r\n" END), HTTP_MALFORMED},
    {BYTES("GET\t/\tHTTP/1.1\r\n" END), HTTP_MALFORMED},
    {BYTES("/ HTTP/1.1\r\n" END), HTTP_MALFORMED},
    {BYTES("G(T / HTTP/1.1\r\n" END), HTTP_MALFORMED},
    {BYTES("G,T / HTTP/1.1\r\n" END), HTTP_MALFORMED},
    {BYTES("G\"T / HTTP/1.1\r\n" END), HTTP_MALFORMED},
    {BYTES("G@T / HTTP/1.1\r\n" END), HTTP_MALFORMED},
    {BYTES("G[T / HTTP/1.1\r\n" END), HTTP_MALFORMED},
    {BYTES("G{T / HTTP/1.1\r\n" END), HTTP_MALFORMED},
    {BYTES("G\x7fT / HTTP/1.1\r\n" END), HTTP_MALFORMED},
    {BYTES("G\xc3\x84T / HTTP/1.1\r\n" END), HTTP_MALFORMED},
    {BYTES("\x16\x03\x01\x02\x00\x01\xfc"), HTTP_MALFORMED}, /* the hello of TLS: a NUL */
    /* versions */
    {BYTES("GET / HTTP/2.0\r\n" END), HTTP_VERSION},
    {BYTES("GET / HTTP/0.9\r\n" END), HTTP_VERSION},
    {BYTES("GET / HTTP/1.2\r\n" END), HTTP_VERSION},
    {BYTES("GET / HTTP/9.9\r\n" END), HTTP_VERSION},
    {BYTES("GET / http/1.1\r\n" END), HTTP_MALFORMED},
    {BYTES("GET / HTTP/1\r\n" END), HTTP_MALFORMED},
    {BYTES("GET / HTTP/11\r\n" END), HTTP_MALFORMED},
    {BYTES("GET / HTTP/1.11\r\n" END), HTTP_MALFORMED},
    {BYTES("GET / HTTP/1,1\r\n" END), HTTP_MALFORMED},
    {BYTES("GET / HTTP/x.y\r\n" END), HTTP_MALFORMED},
    {BYTES("GET / HTTP1.1\r\n" END), HTTP_MALFORMED},
    {BYTES("GET / FTP/1.1\r\n" END), HTTP_MALFORMED},
    {BYTES("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), HTTP_VERSION},
    /* targets */
    {BYTES("GET * HTTP/1.1\r\n" END), HTTP_MALFORMED},
    {BYTES("OPTIONS * HTTP/1.1\r\n" END), HTTP_MALFORMED},
    {BYTES("CONNECT h:80 HTTP/1.1\r\n" END), HTTP_MALFORMED},
    {BYTES("GET a HTTP/1.1\r\n" END), HTTP_MALFORMED},
    {BYTES("GET ?a HTTP/1.1\r\n" END), HTTP_MALFORMED},
    {BYTES("GET /a b HTTP/1.1\r\n" END), HTTP_MALFORMED},
    {BYTES("GET /a#b HTTP/1.1\r\n" END), HTTP_MALFORMED},
    {BYTES("GET /a?b#c HTTP/1.1\r\n" END), HTTP_MALFORMED},
    {BYTES("GET /\x7f HTTP/1.1\r\n" END), HTTP_MALFORMED},
    {BYTES("GET /\x01 HTTP/1.1\r\n" END), HTTP_MALFORMED},
    {BYTES("GET /\t HTTP/1.1\r\n" END), HTTP_MALFORMED},
    {BYTES("GET /\xc3\xa9 HTTP/1.1\r\n" END), HTTP_MALFORMED},
    {BYTES("GET http:// HTTP/1.1\r\n" END), HTTP_MALFORMED},
    {BYTES("GET http:/// HTTP/1.1\r\n" END), HTTP_MALFORMED},
    {BYTES("GET http://a HTTP/1.1\r\n" END), HTTP_MALFORMED},
    {BYTES("GET http://a?b HTTP/1.1\r\n" END), HTTP_MALFORMED},
    {BYTES("GET http://a?b/ HTTP/1.1\r\n" END), HTTP_MALFORMED},
    {BYTES("GET http://user@a/ HTTP/1.1\r\n" END), HTTP_MALFORMED},
    {BYTES("GET http://a,b/ HTTP/1.1\r\n" END), HTTP_MALFORMED},
    {BYTES("GET http://a\\b/ HTTP/1.1\r\n" END), HTTP_MALFORMED},
    {BYTES("GET https://a/ HTTP/1.1\r\n" END), HTTP_MALFORMED},
    {BYTES("GET ws://a/ HTTP/1.1\r\n" END), HTTP_MALFORMED},
    {BYTES("GET http://a/ HTTP/1.1\r\n\r\n"), HTTP_MALFORMED}, /* Host all the same */
    /* line ends */
    {BYTES("GET / HTTP/1.1\n" END), HTTP_MALFORMED},
    {BYTES("GET / HTTP/1.1\r" END), HTTP_MALFORMED},
    {BYTES("GET / HTTP/1.1\r\r\n" END), HTTP_MALFORMED},
    {BYTES("GET / HTTP/1.1\n\r" END), HTTP_MALFORMED},
    {BYTES("GET / HTTP/1.1\r\nHost: h\n\n"), HTTP_MALFORMED},
    {BYTES("GET / HTTP/1.1\r\nHost: h\r\n\n"), HTTP_MALFORMED},
    {BYTES("GET / HTTP/1.1\r\nHost: h\r\n\rx"), HTTP_MALFORMED},
    {BYTES("GET / HTTP/1.1\r\nHost: h\rX: y\r\n\r\n"), HTTP_MALFORMED},
    {BYTES("GET / HTTP/1.1\r\nA: b\nContent-Length: 5\r\n" END), HTTP_MALFORMED},
    {BYTES("\nGET / HTTP/1.1\r\n" END), HTTP_MALFORMED},
    {BYTES("\r\nGET / HTTP/1.1\r\n" END), HTTP_MALFORMED},
    /* NUL */
    {BYTES("GET /\0 HTTP/1.1\r\n" END), HTTP_MALFORMED},
    {BYTES("G\0T / HTTP/1.1\r\n" END), HTTP_MALFORMED},
    {BYTES("GET / HTTP/1.1\r\nA\0: b\r\n" END), HTTP_MALFORMED},
    {BYTES("GET / HTTP/1.1\r\nA: \0\r\n" END), HTTP_MALFORMED},
    {BYTES("GET / HTTP/1.1\r\n\0" END), HTTP_MALFORMED},
    /* header lines */
    {BYTES("GET / HTTP/1.1\r\nA\r\n" END), HTTP_MALFORMED},
    {BYTES("GET / HTTP/1.1\r\n: b\r\n" END), HTTP_MALFORMED},
    {BYTES("GET / HTTP/1.1\r\n:\r\n" END), HTTP_MALFORMED},
    {BYTES("GET / HTTP/1.1\r\nA : b\r\n" END), HTTP_MALFORMED},
    {BYTES("GET / HTTP/1.1\r\nA\t: b\r\n" END), HTTP_MALFORMED},
    {BYTES("GET / HTTP/1.1\r\nA B: c\r\n" END), HTTP_MALFORMED},
    {BYTES("GET / HTTP/1.1\r\nA(: c\r\n" END), HTTP_MALFORMED},
    {BYTES("GET / HTTP/1.1\r\nA\xc3\xa9: c\r\n" END), HTTP_MALFORMED},
    {BYTES("GET / HTTP/1.1\r\n A: b\r\n" END), HTTP_MALFORMED},
    {BYTES("GET / HTTP/1.1\r\nA: b\r\n c\r\n" END), HTTP_MALFORMED},
    {BYTES("GET / HTTP/1.1\r\nA: b\r\n\tc\r\n" END), HTTP_MALFORMED},
    {BYTES("GET / HTTP/1.1\r\nA: b\r\n \r\n" END), HTTP_MALFORMED},
    {BYTES("GET / HTTP/1.1\r\nA: \x01\r\n" END), HTTP_MALFORMED},
    {BYTES("GET / HTTP/1.1\r\nA: \x0b\r\n" END), HTTP_MALFORMED},
    {BYTES("GET / HTTP/1.1\r\nA: \x1b[2J\r\n" END), HTTP_MALFORMED},
    {BYTES("GET / HTTP/1.1\r\nA: \x1f\r\n" END), HTTP_MALFORMED},
    {BYTES("GET / HTTP/1.1\r\nA: \x7f\r\n" END), HTTP_MALFORMED},
    /* Host */
    {BYTES("GET / HTTP/1.1\r\n\r\n"), HTTP_MALFORMED},
    {BYTES("GET / HTTP/1.1\r\nA: b\r\n\r\n"), HTTP_MALFORMED},
    {BYTES("GET / HTTP/1.1\r\nHost: h\r\n" END), HTTP_MALFORMED},
    {BYTES("GET / HTTP/1.1\r\nhost: g\r\n" END), HTTP_MALFORMED},
    {BYTES("GET / HTTP/1.0\r\nHost: h\r\n" END), HTTP_MALFORMED},
    {BYTES("GET / HTTP/1.1\r\nHost: a b\r\n\r\n"), HTTP_MALFORMED},
    {BYTES("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"), HTTP_MALFORMED},
    {BYTES("GET / HTTP/1.1\r\nHost: a?b\r\n\r\n"), HTTP_MALFORMED},
    {BYTES("GET / HTTP/1.1\r\nHost: a#b\r\n\r\n"), HTTP_MALFORMED},
    {BYTES("GET / HTTP/1.1\r\nHost: u@a\r\n\r\n"), HTTP_MALFORMED},
    {BYTES("GET / HTTP/1.1\r\nHost: a\\b\r\n\r\n"), HTTP_MALFORMED},
    {BYTES("GET / HTTP/1.1\r\nHost: a,b\r\n\r\n"), HTTP_MALFORMED},
    {BYTES("GET / HTTP/1.1\r\nHost: \xc3\xa9\r\n\r\n"), HTTP_MALFORMED},
    /* framing */
    {BYTES("GET / HTTP/1.1\r\nContent-Length:\r\n" END), HTTP_MALFORMED},
    {BYTES("GET / HTTP/1.1\r\nContent-Length: -1\r\n" END), HTTP_MALFORMED},
    {BYTES("GET / HTTP/1.1\r\nContent-Length: +1\r\n" END), HTTP_MALFORMED},
    {BYTES("GET / HTTP/1.1\r\nContent-Length: 1 1\r\n" END), HTTP_MALFORMED},
    {BYTES("GET / HTTP/1.1\r\nContent-Length: 1,1\r\n" END), HTTP_MALFORMED},
    {BYTES("GET / HTTP/1.1\r\nContent-Length: 0x1\r\n" END), HTTP_MALFORMED},
    {BYTES("GET / HTTP/1.1\r\nContent-Length: 1;\r\n" END), HTTP_MALFORMED},
    {BYTES("GET / HTTP/1.1\r\nContent-Length: 1000000000000000\r\n" END), HTTP_MALFORMED},
    {BYTES("GET / HTTP/1.1\r\nContent-Length: 18446744073709551616\r\n" END), HTTP_MALFORMED},
    {BYTES("GET / HTTP/1.1\r\nContent-Length: 0\r\nContent-Length: 0\r\n" END), HTTP_MALFORMED},
    {BYTES("GET / HTTP/1.1\r\nContent-Length: 1\r\ncontent-length: 2\r\n" END), HTTP_MALFORMED},
    {BYTES("GET / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n" END),
     HTTP_MALFORMED},
    {BYTES("GET / HTTP/1.1\r\nTransfer-Encoding: x\r\nContent-Length: 0\r\n" END), HTTP_MALFORMED},
};

static void bad_requests_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct http_head head;
        const char *why;
        check(http_parse_request, bad[i].in, bad[i].result, &head, &why);
    }
}

static void a_request_is_judged_the_same_whatever_was_parsed_before(void **state)
{
    (void)state;
    struct http_head head;
    const char *why;
    memset(&head, 0xa5, sizeof head);
    assert_int_equal(http_parse_request(SLICE("POST /p?q HTTP/1.1\r\nContent-Length: 12\r\n"
                                              "X: y\r\n" END),
                                        &head, &why),
                     HTTP_OK);
    assert_int_equal(head.body, 12);
    assert_false(head.chunked);
    assert_int_equal(head.fields_n, 3);
    assert_true(slice_eq(head.fields[1].name, SLICE("X")));
    assert_true(slice_eq(head.fields[1].value, SLICE("y")));
    assert_int_equal(http_parse_request(SLICE("GET / HTTP/1.0\r\nTransfer-Encoding: "
                                              "chunked\r\n\r\n"),
                                        &head, &why),
                     HTTP_OK);
    assert_int_equal(head.body, 0);
    assert_true(head.chunked);
    assert_true(head.version_1_0);
    assert_int_equal(head.fields_n, 1);
    assert_int_equal(head.query.n, 0);
    assert_int_equal(head.host.n, 0);
}

/* ---- limits ------------------------------------------------------------------------------- */

static size_t put_fields(char *out, size_t fields)
{
    size_t n = (size_t)sprintf(out, "GET / HTTP/1.1\r\nHost: h\r\n");
    for (size_t i = 1; i < fields; i++)
        n += (size_t)sprintf(out + n, "F: %zu\r\n", i);
    return n + (size_t)sprintf(out + n, "\r\n");
}

static void a_head_has_64_fields_at_most(void **state)
{
    (void)state;
    char text[2048];
    struct http_head head;
    const char *why;
    struct slice in = slice_of(text, put_fields(text, HTTP_MAX_FIELDS));
    check(http_parse_request, in, HTTP_OK, &head, &why);
    assert_int_equal(head.fields_n, 64);
    in = slice_of(text, put_fields(text, HTTP_MAX_FIELDS + 1));
    check(http_parse_request, in, HTTP_TOO_LARGE, &head, &why);
}

static void a_head_has_8192_bytes_at_most(void **state)
{
    (void)state;
    static char text[HTTP_MAX_HEAD + 200];
    struct http_head head;
    const char *why;
    for (size_t size = HTTP_MAX_HEAD - 1; size <= HTTP_MAX_HEAD + 1; size++) {
        memset(text, 'x', sizeof text);
        size_t n = (size_t)sprintf(text, "GET / HTTP/1.1\r\nHost: h\r\nA: ");
        text[n] = 'x'; /* the terminator */
        memcpy(text + size - 4, "\r\n\r\n", 4);
        enum http_result result = size <= HTTP_MAX_HEAD ? HTTP_OK : HTTP_TOO_LARGE;
        struct slice in = slice_of(text, size);
        assert_int_equal(http_parse_request(guard_copy(&guard, in), &head, &why), result);
        if (result == HTTP_OK)
            assert_int_equal(head.size, size);
        for (size_t k = size - 6; k < size; k++)
            assert_int_equal(http_parse_request(guard_copy(&guard, slice_of(text, k)), &head, &why),
                             k < HTTP_MAX_HEAD ? HTTP_MORE : HTTP_TOO_LARGE);
        /* What follows a head of the right size does not count. */
        assert_int_equal(
            http_parse_request(guard_copy(&guard, slice_of(text, size + 50)), &head, &why), result);
    }
    memset(text, 'x', sizeof text); /* a line without an end */
    assert_int_equal(http_parse_request(slice_of(text, HTTP_MAX_HEAD - 1), &head, &why), HTTP_MORE);
    assert_int_equal(http_parse_request(slice_of(text, HTTP_MAX_HEAD), &head, &why),
                     HTTP_TOO_LARGE);
}

/* ---- responses ---------------------------------------------------------------------------- */

static const struct {
    struct slice in;
    enum http_result result;
    unsigned status;
} responses[] = {
    {BYTES("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"), HTTP_OK, 101},
    {BYTES("HTTP/1.1 200 OK\r\n\r\n"), HTTP_OK, 200},
    {BYTES("HTTP/1.1 200 \r\n\r\n"), HTTP_OK, 200},
    {BYTES("HTTP/1.1 200\r\n\r\n"), HTTP_OK, 200},
    {BYTES("HTTP/1.0 404 Not  Found \xc3\xa9\r\n\r\n"), HTTP_OK, 404},
    {BYTES("HTTP/1.1 599 x\r\nContent-Length: 3\r\n\r\nabc"), HTTP_OK, 599},
    {BYTES("HTTP/1.1 100 Continue\r\n\r\n"), HTTP_OK, 100},
    {BYTES("HTTP/2.0 200 OK\r\n\r\n"), HTTP_VERSION, 0},
    {BYTES("HTTP/1.2 200 OK\r\n\r\n"), HTTP_VERSION, 0},
    {BYTES("HTTP/1.1 099 x\r\n\r\n"), HTTP_MALFORMED, 0},
    {BYTES("HTTP/1.1 600 x\r\n\r\n"), HTTP_MALFORMED, 0},
    {BYTES("HTTP/1.1 20 OK\r\n\r\n"), HTTP_MALFORMED, 0},
    {BYTES("HTTP/1.1 2000 OK\r\n\r\n"), HTTP_MALFORMED, 0},
    {BYTES("HTTP/1.1 -20 OK\r\n\r\n"), HTTP_MALFORMED, 0},
    {BYTES("HTTP/1.1 20x OK\r\n\r\n"), HTTP_MALFORMED, 0},
    {BYTES("HTTP/1.1  200 OK\r\n\r\n"), HTTP_MALFORMED, 0},
    {BYTES("HTTP/1.1\t200 OK\r\n\r\n"), HTTP_MALFORMED, 0},
    {BYTES("HTTP/1.1 200\tOK\r\n\r\n"), HTTP_MALFORMED, 0},
    {BYTES("HTTP/1.1 200OK\r\n\r\n"), HTTP_MALFORMED, 0},
    {BYTES("HTTP/1.1 200 \x1b[2J\r\n\r\n"), HTTP_MALFORMED, 0},
    {BYTES("HTTP/1.1\r\n\r\n"), HTTP_MALFORMED, 0},
    {BYTES("\r\n\r\n"), HTTP_MALFORMED, 0},
    {BYTES("http/1.1 200 OK\r\n\r\n"), HTTP_MALFORMED, 0},
    {BYTES("ICY 200 OK and more\r\n\r\n"), HTTP_MALFORMED, 0},
    {BYTES("HTTP/1.1 200 OK\n\n"), HTTP_MALFORMED, 0},
    {BYTES("HTTP/1.1 200 OK\r\nA : b\r\n\r\n"), HTTP_MALFORMED, 0},
    {BYTES("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n"), HTTP_MALFORMED, 0},
};

static void responses_are_taken_or_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof responses / sizeof *responses; i++) {
        struct http_head head;
        const char *why;
        check(http_parse_response, responses[i].in, responses[i].result, &head, &why);
        if (responses[i].result == HTTP_OK) {
            assert_int_equal(http_parse_response(responses[i].in, &head, &why), HTTP_OK);
            assert_int_equal(head.status, responses[i].status);
        }
    }
}

/* ---- looking things up --------------------------------------------------------------------- */

static void tokens_are_found_in_all_fields_of_a_name(void **state)
{
    (void)state;
    static const struct {
        const char *fields;
        bool found;
    } cases[] = {
        {"Connection: Upgrade\r\n", true},
        {"connection: upgrade\r\n", true},
        {"CONNECTION: UPGRADE\r\n", true},
        {"Connection: keep-alive, Upgrade\r\n", true},
        {"Connection: Upgrade,keep-alive\r\n", true},
        {"Connection: a,\t upgrade \t,b\r\n", true},
        {"Connection: keep-alive\r\nConnection: Upgrade\r\n", true},
        {"Connection: ,,upgrade\r\n", true},
        {"Connection: upgrade,\r\n", true},
        {"Connection:\r\n", false},
        {"Connection: ,\r\n", false},
        {"Connection: keep-alive\r\n", false},
        {"Connection: upgrades\r\n", false},
        {"Connection: upgrad\r\n", false},
        {"Connection: up grade\r\n", false},
        {"Connection: keep-alive upgrade\r\n", false},
        {"Connection: upgrade;q=1\r\n", false},
        {"Connections: upgrade\r\n", false},
        {"X: upgrade\r\n", false},
        {"", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[200];
        struct http_head head;
        const char *why;
        int n = snprintf(text, sizeof text, "GET / HTTP/1.1\r\n%s" END, cases[i].fields);
        assert_int_equal(http_parse_request(slice_of(text, (size_t)n), &head, &why), HTTP_OK);
        assert_int_equal(http_has_token(&head, "connection", "upgrade"), cases[i].found);
    }
}

static void fields_are_found_by_name_and_counted(void **state)
{
    (void)state;
    struct http_head head;
    const char *why;
    size_t count;
    assert_int_equal(
        http_parse_request(SLICE("GET / HTTP/1.1\r\nA: 1\r\nB: 2\r\na: 3\r\n" END), &head, &why),
        HTTP_OK);
    const struct http_field *field = http_find(&head, "a", &count);
    assert_int_equal(count, 2);
    assert_true(slice_eq(field->value, SLICE("1")));
    assert_non_null(http_find(&head, "b", NULL));
    assert_null(http_find(&head, "c", &count));
    assert_int_equal(count, 0);
    assert_true(http_equal_fold(SLICE("aBc-9"), "abc-9"));
    assert_false(http_equal_fold(SLICE("abc"), "abcd"));
    assert_false(http_equal_fold(SLICE("ab["), "ab{")); /* differ in the bit of the case */
}

static void statuses_have_their_reasons(void **state)
{
    (void)state;
    assert_string_equal(http_reason(101), "Switching Protocols");
    assert_string_equal(http_reason(404), "Not Found");
    assert_string_equal(http_reason(431), "Request Header Fields Too Large");
    assert_string_equal(http_reason(505), "HTTP Version Not Supported");
    assert_string_equal(http_reason(299), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_requests_are_taken_with_their_parts),
        cmocka_unit_test(bad_requests_are_refused),
        cmocka_unit_test(a_request_is_judged_the_same_whatever_was_parsed_before),
        cmocka_unit_test(a_head_has_64_fields_at_most),
        cmocka_unit_test(a_head_has_8192_bytes_at_most),
        cmocka_unit_test(responses_are_taken_or_refused),
        cmocka_unit_test(tokens_are_found_in_all_fields_of_a_name),
        cmocka_unit_test(fields_are_found_by_name_and_counted),
        cmocka_unit_test(statuses_have_their_reasons),
    };
    return cmocka_run_group_tests_name("net_http", tests, setup, teardown);
}
