/* proxy: every header whole, at every prefix and in front of other bytes; and X-Forwarded-For. */
#include "../support/guard.h"
#include "../support/test.h"
#include "net/proxy.h"

#include <stdio.h>
#include <string.h>

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define BYTES(literal) literal, sizeof(literal) - 1
#define V4 "\xc0\x00\x02\x01\x7f\0\0\1\x30\x39\0\x50" /* 192.0.2.1:12345 to 127.0.0.1:80 */
#define V6                                                                     \
    "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\7\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1" \
    "\x30\x39\0\x50"
#define ZEROS_36 "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
#define ZEROS_216 ZEROS_36 ZEROS_36 ZEROS_36 ZEROS_36 ZEROS_36 ZEROS_36

static struct guard guard;

struct header {
    const char *bytes;
    size_t n;
    const char *from; /* the client, or "" where the proxy speaks for itself */
};

static const struct header taken[] = {
    {BYTES("PROXY TCP4 192.0.2.1 127.0.0.1 12345 80\r\n"), "192.0.2.1"},
    {BYTES("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n"), "255.255.255.255"},
    {BYTES("PROXY TCP4 1.2.3.4 5.6.7.8 0 0\r\n"), "1.2.3.4"},
    {BYTES("PROXY TCP6 2001:db8::7 ::1 1 2\r\n"), "2001:db8::7"},
    {BYTES("PROXY TCP6 ::ffff:192.0.2.1 ::1 1 2\r\n"), "192.0.2.1"},
    {BYTES("PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
           "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n"),
     "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
    {BYTES("PROXY UNKNOWN\r\n"), ""},
    /* The longest line: 107 bytes. */
    {BYTES("PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
           "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n"),
     ""},
    {BYTES(SIGNATURE "\x21\x11\0\x0c" V4), "192.0.2.1"},
    {BYTES(SIGNATURE "\x21\x21\0\x24" V6), "2001:db8::7"},
    {BYTES(SIGNATURE "\x21\x31\0\xd8" ZEROS_216), ""}, /* a unix socket of the proxy's machine */
    {BYTES(SIGNATURE "\x21\0\0\0"), ""},
    {BYTES(SIGNATURE "\x20\0\0\0"), ""},
    {BYTES(SIGNATURE "\x20\x11\0\x0c" V4), ""},                   /* LOCAL: whatever it names */
    {BYTES(SIGNATURE "\x20\xff\0\3abc"), ""},                     /* and of whatever form */
    {BYTES(SIGNATURE "\x21\x11\0\x0f" V4 "\4\0\0"), "192.0.2.1"}, /* an empty field */
    {BYTES(SIGNATURE "\x21\x11\0\x16" V4 "\1\0\2h2\4\0\2xy"), "192.0.2.1"}, /* two */
};

static const struct header refused[] = {
    {BYTES("PROXY\x20\r\n"), "TCP4|TCP6"},
    {BYTES("PROXY TCP5 1.2.3.4 5.6.7.8 1 2\r\n"), "TCP4|TCP6"},
    {BYTES("PROXY tcp4 1.2.3.4 5.6.7.8 1 2\r\n"), "TCP4|TCP6"},
    {BYTES("PROXY UNKNOWNX\r\n"), "TCP4|TCP6"},
    {BYTES("PROXY TCP4 1.2.3.4 5.6.7.8 1\r\n"), "TCP4|TCP6"},
    {BYTES("PROXY TCP4 1.2.3.4 5.6.7.8 1 \r\n"), "TCP4|TCP6"},
    {BYTES("PROXY TCP4 1.2.3.4 5.6.7.8 1 2 \r\n"), "TCP4|TCP6"},
    {BYTES("PROXY TCP4 1.2.3.4 5.6.7.8 1 2 3\r\n"), "TCP4|TCP6"},
    {BYTES("PROXY TCP4  1.2.3.4 5.6.7.8 1 2\r\n"), "TCP4|TCP6"},
    {BYTES("PROXY TCP4 1.2.3.4\t5.6.7.8 1 2\r\n"), "TCP4|TCP6"},
    {BYTES("PROXY TCP4 1.2.3.04 5.6.7.8 1 2\r\n"), "TCP4|TCP6"},
    {BYTES("PROXY TCP4 1.2.3.4 5.6.7.8 01 2\r\n"), "TCP4|TCP6"},
    {BYTES("PROXY TCP4 1.2.3.4 5.6.7.8 65536 2\r\n"), "TCP4|TCP6"},
    {BYTES("PROXY TCP4 1.2.3.4 5.6.7.8 1 100000\r\n"), "TCP4|TCP6"},
    {BYTES("PROXY TCP4 1.2.3.4 5.6.7.8 1 +2\r\n"), "TCP4|TCP6"},
    {BYTES("PROXY TCP4 ::1 ::1 1 2\r\n"), "TCP4|TCP6"},
    {BYTES("PROXY TCP6 1.2.3.4 5.6.7.8 1 2\r\n"), "TCP4|TCP6"},
    {BYTES("PROXY TCP6 ::1 5.6.7.8 1 2\r\n"), "TCP4|TCP6"},
    {BYTES("PROXY TCP4 example.org 5.6.7.8 1 2\r\n"), "TCP4|TCP6"},
    {BYTES("PROXY TCP4 1.2.3.4\0 5.6.7.8 1 2\r\n"), "TCP4|TCP6"},
    {BYTES("PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\r\n"), "TCP4|TCP6"},
    {BYTES("PROXY UNKNOWN\rX"), "TCP4|TCP6"},
    {BYTES("PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
           "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 655351\r\n"),
     "more than 107"},
    {BYTES("PROXY TCP4 1.2.3.4 5.6.7.8 1 2\n                                      "
           "                                                       "),
     "more than 107"},
    {BYTES(SIGNATURE "\x11\x11\0\x0c" V4), "version 2"},
    {BYTES(SIGNATURE "\x31\x11\0\x0c" V4), "version 2"},
    {BYTES(SIGNATURE "\x22\x11\0\x0c" V4), "version 2"},    /* neither LOCAL nor PROXY */
    {BYTES(SIGNATURE "\x21\x12\0\x0c" V4), "for a stream"}, /* UDP */
    {BYTES(SIGNATURE "\x21\x10\0\x0c" V4), "for a stream"},
    {BYTES(SIGNATURE "\x21\x41\0\x0c" V4), "for a stream"},
    {BYTES(SIGNATURE "\x21\x11\0\x0b" V4), "does not fit"},
    {BYTES(SIGNATURE "\x21\x21\0\x0c" V4), "does not fit"},
    {BYTES(SIGNATURE "\x21\x31\0\x0c" V4), "does not fit"},
    {BYTES(SIGNATURE "\x21\x11\0\x0e" V4 "\4\0"), "does not fit"},    /* half a field */
    {BYTES(SIGNATURE "\x21\x11\0\x10" V4 "\4\0\2x"), "does not fit"}, /* longer than it has room */
    {BYTES(SIGNATURE "\x21\x11\x0f\xf1"), "more than 4 KiB"},         /* by the head alone */
    {BYTES(SIGNATURE "\x21\x11\xff\xff"), "more than 4 KiB"},
};

static enum proxy_result parse(const char *bytes, size_t n, struct proxy_header *out,
                               const char **why)
{
    return proxy_parse(guard_copy(&guard, slice_of(bytes, n)), out, why);
}

static void headers_are_taken_whole_and_awaited_at_every_prefix(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++) {
        const struct header *h = &taken[i];
        struct proxy_header out;
        const char *why = "";
        char text[IP_TEXT], more[512];
        for (size_t n = 0; n < h->n; n++)
            if (parse(h->bytes, n, &out, &why) != PROXY_MORE)
                fail_msg("header %zu: %zu bytes of it are not awaited: %s", i, n, why);
        memcpy(more, h->bytes, h->n);
        memcpy(more + h->n, "GET / ", 6);
        for (size_t extra = 0; extra <= 6; extra += 3) {
            if (parse(more, h->n + extra, &out, &why) != PROXY_OK)
                fail_msg("header %zu was refused: %s", i, why);
            assert_int_equal(out.size, h->n);
            assert_int_equal(out.forwarded, *h->from != 0);
            ip_format(text, &out.from);
            assert_string_equal(text, out.forwarded ? h->from : "unix");
        }
    }
}

static void
headers_that_are_wrong_are_refused_with_the_reason_at_the_latest_when_whole(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        const struct header *h = &refused[i];
        struct proxy_header out;
        const char *why = "";
        enum proxy_result result = PROXY_MORE;
        for (size_t n = 0; n <= h->n && result == PROXY_MORE; n++)
            result = parse(h->bytes, n, &out, &why);
        if (result != PROXY_MALFORMED || !strstr(why, h->from))
            fail_msg("refused header %zu: result %d, %s", i, (int)result, why);
        if (parse(h->bytes, h->n, &out, &why) != PROXY_MALFORMED)
            fail_msg("refused header %zu: taken when it comes at once", i);
    }
}

static void what_begins_otherwise_is_no_header(void **state)
{
    (void)state;
    static const struct header others[] = {
        {BYTES("GET /chat HTTP/1.1\r\n"), ""},
        {BYTES("POST / HTTP/1.1\r\n"), ""},
        {BYTES("PROXYX"), ""},
        {BYTES("\r\nGET"), ""},
        {BYTES("\r\n\r\n\0\r\nQUIT\r"), ""},
        {BYTES("proxy "), ""},
        {BYTES("\0"), ""},
        {BYTES("\x16\x03\x01"), ""},
    };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        struct proxy_header out;
        const char *why;
        if (parse(others[i].bytes, others[i].n, &out, &why) != PROXY_NONE)
            fail_msg("case %zu", i);
    }
}

static void the_rightmost_untrusted_address_of_x_forwarded_for_is_the_client(void **state)
{
    (void)state;
    static const struct {
        const char *peer, *lines, *client;
    } cases[] = {
        {"10.0.0.1", "", "10.0.0.1"},
        {"10.0.0.1", "X-Forwarded-For: 192.0.2.1\r\n", "192.0.2.1"},
        {"unix", "x-forwarded-for: 192.0.2.1\r\n", "192.0.2.1"},
        /* What stands further left the client may have written itself. */
        {"10.0.0.1", "X-Forwarded-For: 1.1.1.1, 192.0.2.1\r\n", "192.0.2.1"},
        {"10.0.0.1", "X-Forwarded-For: 1.1.1.1,192.0.2.1 ,\t10.0.0.2\r\n", "192.0.2.1"},
        {"10.0.0.1", "X-Forwarded-For: 1.1.1.1\r\nX-Forwarded-For: 192.0.2.1\r\n", "192.0.2.1"},
        {"10.0.0.1", "X-Forwarded-For: 192.0.2.1\r\nHost: x\r\nX-Forwarded-For: 10.9.9.9\r\n",
         "192.0.2.1"},
        {"10.0.0.1", "X-Forwarded-For: 2001:db8::1\r\n", "2001:db8::1"},
        {"10.0.0.1", "X-Forwarded-For: 10.0.0.3, 10.0.0.2\r\n", "10.0.0.3"},
        /* Nobody trusts that peer. */
        {"192.0.2.9", "X-Forwarded-For: 1.1.1.1\r\n", "192.0.2.9"},
        /* What is no address ends the walk. */
        {"10.0.0.1", "X-Forwarded-For: unknown\r\n", "10.0.0.1"},
        {"10.0.0.1", "X-Forwarded-For: 1.1.1.1, unknown\r\n", "10.0.0.1"},
        {"10.0.0.1", "X-Forwarded-For: 1.1.1.1, unix\r\n", "10.0.0.1"},
        {"10.0.0.1", "X-Forwarded-For: 1.1.1.1, x, 10.0.0.2\r\n", "10.0.0.2"},
        {"10.0.0.1", "X-Forwarded-For: 192.0.2.1,\r\n", "10.0.0.1"},
        {"10.0.0.1", "X-Forwarded-For:\r\n", "10.0.0.1"},
        {"10.0.0.1", "X-Forwarded-For: 192.0.2.1:80\r\n", "10.0.0.1"},
    };
    struct ip_range ranges[2];
    assert_null(ip_range_parse(&ranges[0], "10.0.0.0/8"));
    assert_null(ip_range_parse(&ranges[1], "unix"));
    const struct ip_ranges trusted = {ranges, 2};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char request[512], text[IP_TEXT];
        struct http_head head;
        const char *why;
        struct ip peer = {0};
        ip_parse(&peer, slice_str(cases[i].peer));
        snprintf(request, sizeof request, "GET / HTTP/1.1\r\nHost: x\r\n%s\r\n", cases[i].lines);
        if (strstr(cases[i].lines, "Host"))
            snprintf(request, sizeof request, "GET / HTTP/1.1\r\n%s\r\n", cases[i].lines);
        assert_int_equal(http_parse_request(slice_str(request), &head, &why), HTTP_OK);
        struct ip client = proxy_forwarded(&head, peer, &trusted);
        ip_format(text, &client);
        if (strcmp(text, cases[i].client) != 0)
            fail_msg("case %zu: %s instead of %s", i, text, cases[i].client);
    }
}

static int setup(void **state)
{
    (void)state;
    guard_init(&guard, 8192);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    guard_fini(&guard);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(headers_are_taken_whole_and_awaited_at_every_prefix),
        cmocka_unit_test(
            headers_that_are_wrong_are_refused_with_the_reason_at_the_latest_when_whole),
        cmocka_unit_test(what_begins_otherwise_is_no_header),
        cmocka_unit_test(the_rightmost_untrusted_address_of_x_forwarded_for_is_the_client),
    };
    return cmocka_run_group_tests_name("net_proxy", tests, setup, teardown);
}
