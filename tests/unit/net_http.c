/* http: heads that are taken and heads that are refused, each whole, by its prefixes, and flush
 * against an unreadable page. */
#include "../support/guard.h"
#include "net_http_heads.h"

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

static void bad_requests_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct http_head head;
        const char *why;
        check(http_parse_request, bad[i].in, bad[i].result, &head, &why);
    }
}

static bool is_letter_or_digit(int c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_visible_but(int c, const char *these)
{
    return c > ' ' && c < 0x7f && !strchr(these, c);
}

static bool fits_method(int c)
{
    return is_letter_or_digit(c) || (c && strchr("!#$%&'*+-.^_`|~", c));
}

static bool fits_target(int c)
{
    return is_visible_but(c, "#");
}

static bool fits_name(int c)
{
    return fits_method(c) || c == ':';
}

static bool fits_value(int c)
{
    return c == '\t' || (c >= ' ' && c != 0x7f);
}

static bool fits_host(int c)
{
    return is_visible_but(c, "/?#@\\,");
}

static void every_byte_is_judged_in_every_place(void **state)
{
    (void)state;
    static const struct {
        const char *before, *behind;
        bool (*fits)(int c);
    } places[] = {
        {"G", "T / HTTP/1.1\r\n" END, fits_method},
        {"GET /a", "b HTTP/1.1\r\n" END, fits_target},
        {"GET http://a/", " HTTP/1.1\r\n" END, fits_target},
        {"GET / HTTP/1.1\r\nA", "B: c\r\n" END, fits_name},
        {"GET / HTTP/1.1\r\nA: b", "c\r\n" END, fits_value},
        {"GET / HTTP/1.1\r\nA: ", "\r\n" END, fits_value},
        {"GET / HTTP/1.1\r\nHost: a", "b\r\n\r\n", fits_host},
    };
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        for (int c = 0; c < 256; c++) {
            char text[80];
            struct http_head head;
            const char *why;
            int n = snprintf(text, sizeof text, "%s.%s", places[i].before, places[i].behind);
            text[strlen(places[i].before)] = (char)c;
            check(http_parse_request, slice_of(text, (size_t)n),
                  places[i].fits(c) ? HTTP_OK : HTTP_MALFORMED, &head, &why);
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
    assert_int_equal(head.body_size, 12);
    assert_false(head.chunked);
    assert_int_equal(head.fields_n, 3);
    assert_true(slice_eq(head.fields[1].name, SLICE("X")));
    assert_true(slice_eq(head.fields[1].value, SLICE("y")));
    assert_int_equal(http_parse_request(SLICE("GET / HTTP/1.0\r\nTransfer-Encoding: "
                                              "chunked\r\n\r\n"),
                                        &head, &why),
                     HTTP_OK);
    assert_int_equal(head.body_size, 0);
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
        cmocka_unit_test(every_byte_is_judged_in_every_place),
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
