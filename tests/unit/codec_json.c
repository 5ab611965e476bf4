/* json: what is accepted, what is refused, what is handed out, and never a byte too far. */
#include "../support/guard.h"
#include "codec/json.h"
#include "codec_json_texts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define ROOM 65536

/* Reads a text to its end, object or array; the number of items, or -1. */
static int walk(struct slice text, struct json_reader *r)
{
    struct json_value name, value;
    enum json_step step;
    int items = 0;
    if (json_open_object(r, text)) {
        while ((step = json_next_member(r, &name, &value)) == JSON_ITEM)
            items++;
    } else if (json_open_array(r, text)) {
        while ((step = json_next_element(r, &value)) == JSON_ITEM)
            items++;
    } else {
        step = JSON_ERROR;
    }
    assert_true((step == JSON_ERROR) == (r->error != NULL));
    assert_true(r->p >= r->start && r->p <= r->end);
    return step == JSON_END ? items : -1;
}

static bool accepts(struct guard *g, struct slice text)
{
    struct json_reader r;
    return walk(guard_copy(g, text), &r) >= 0;
}

static bool blank(uint8_t c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static struct slice trim(struct slice s)
{
    for (; s.n && blank(*s.p); s = slice_skip(s, 1))
        ;
    while (s.n && blank(s.p[s.n - 1]))
        s.n--;
    return s;
}

/* The text between two others. */
static struct slice wrap(char out[ROOM], const char *before, struct slice text, const char *after)
{
    int n = snprintf(out, ROOM, "%s", before);
    memcpy(out + n, text.p, text.n);
    int m = snprintf(out + n + text.n, 64, "%s", after);
    return slice_of(out, (size_t)n + text.n + (size_t)m);
}

static void valid_texts_are_accepted_also_inside_others(void **state)
{
    (void)state;
    static char text[ROOM];
    struct guard g;
    guard_init(&g, ROOM);
    for (size_t i = 0; i < COUNT(accepted); i++) {
        if (!accepts(&g, accepted[i]))
            fail_msg("refused: %.*s", SLICE_FMT(accepted[i]));
        struct json_reader r;
        struct json_value name, value;
        struct slice in = guard_copy(&g, wrap(text, "[1,", accepted[i], ",[]]"));
        assert_int_equal(walk(in, &r), 3);
        in = guard_copy(&g, wrap(text, "{\"a\":{\"b\":[", accepted[i], "]},\"c\":0}"));
        assert_int_equal(walk(in, &r), 2);
        in = guard_copy(&g, wrap(text, "{\"a\":", accepted[i], "}"));
        assert_true(json_open_object(&r, in));
        assert_int_equal(json_next_member(&r, &name, &value), JSON_ITEM);
        assert_true(slice_eq(value.raw, trim(accepted[i])));
        assert_int_equal(value.type, *value.raw.p == '{' ? JSON_OBJECT : JSON_ARRAY);
        assert_int_equal(json_next_member(&r, &name, &value), JSON_END);
    }
    guard_fini(&g);
}

/* Some of them are pieces of text that become valid between others; those are left out there. */
static bool fits_inside(struct slice text)
{
    static const char *const pieces[] = {"null", "true", "0", "\"a\""};
    text = trim(text);
    for (size_t i = 0; i < COUNT(pieces); i++)
        if (slice_eq(text, slice_str(pieces[i])))
            return true;
    return false;
}

static void invalid_texts_are_refused_also_inside_others(void **state)
{
    (void)state;
    static char text[ROOM];
    struct guard g;
    guard_init(&g, ROOM);
    for (size_t i = 0; i < COUNT(refused); i++) {
        if (accepts(&g, refused[i]))
            fail_msg("accepted: %.*s", SLICE_FMT(refused[i]));
        if (!fits_inside(refused[i])) {
            assert_false(accepts(&g, wrap(text, "{\"a\":{\"b\":", refused[i], "},\"c\":0}")));
            assert_false(accepts(&g, wrap(text, "[0,[", refused[i], ",1]]")));
        }
    }
    guard_fini(&g);
}

static void every_prefix_of_a_valid_text_is_refused(void **state)
{
    (void)state;
    struct guard g;
    guard_init(&g, ROOM);
    for (size_t i = 0; i < COUNT(accepted); i++) {
        struct slice whole = accepted[i];
        while (blank(whole.p[whole.n - 1]))
            whole.n--;
        for (size_t n = 0; n < whole.n; n++)
            assert_false(accepts(&g, slice_of(whole.p, n)));
    }
    guard_fini(&g);
}

static void members_come_in_order_with_their_types_and_spans(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        enum json_type type;
        bool escaped;
        const char *raw;
    } expected[] = {
        {"event", JSON_STRING, false, "message"},
        {"data", JSON_OBJECT, false, "{\"to\": [1, {\"x\":\"}]\"}]}"},
        {"n", JSON_NULL, false, "null"},
        {"t", JSON_TRUE, false, "true"},
        {"f", JSON_FALSE, false, "false"},
        {"ref", JSON_NUMBER, false, "-1.5e3"},
        {"s", JSON_STRING, true, "a\\\"b"},
        {"", JSON_ARRAY, false, "[ ]"},
        {"e", JSON_STRING, false, ""},
    };
    struct json_reader r;
    struct json_value name, value;
    assert_true(json_open_object(&r, SLICE(" {\"event\" : \"message\",\"data\":{\"to\": [1, "
                                           "{\"x\":\"}]\"}]} ,\"n\":null,"
                                           "\"t\":true,\"f\":false,\"ref\":-1.5e3,\"s\":\"a\\\"b\","
                                           "\"\":[ ],\"e\":\"\" } ")));
    for (size_t i = 0; i < COUNT(expected); i++) {
        assert_int_equal(json_next_member(&r, &name, &value), JSON_ITEM);
        assert_int_equal(name.type, JSON_STRING);
        assert_true(slice_eq(name.raw, slice_str(expected[i].name)));
        assert_int_equal(value.type, expected[i].type);
        assert_int_equal(value.escaped, expected[i].escaped);
        assert_true(slice_eq(value.raw, slice_str(expected[i].raw)));
    }
    assert_int_equal(json_next_member(&r, &name, &value), JSON_END);
    assert_null(r.error);
}

static void a_value_can_be_opened_with_a_reader_of_its_own(void **state)
{
    (void)state;
    struct json_reader r, inner;
    struct json_value name, value, element;
    uint64_t n;
    assert_true(json_open_object(&r, SLICE("{\"ids\":[1,2,3]}")));
    assert_int_equal(json_next_member(&r, &name, &value), JSON_ITEM);
    assert_true(json_open_array(&inner, value.raw));
    for (uint64_t i = 1; i <= 3; i++) {
        assert_int_equal(json_next_element(&inner, &element), JSON_ITEM);
        assert_true(json_integer(element, &n) && n == i);
    }
    assert_int_equal(json_next_element(&inner, &element), JSON_END);
    assert_int_equal(json_next_member(&r, &name, &value), JSON_END);
}

static void an_object_is_no_array_and_an_array_no_object(void **state)
{
    (void)state;
    struct json_reader r;
    assert_false(json_open_array(&r, SLICE("{}")));
    assert_string_equal(r.error, "an array was expected");
    assert_false(json_open_object(&r, SLICE("[]")));
    assert_string_equal(r.error, "an object was expected");
    assert_false(json_open_object(&r, slice_of(NULL, 0)));
    assert_false(json_open_array(&r, slice_of(NULL, 0)));
}

/* depth brackets of a kind, with or without the closing ones */
static struct slice nest(char out[ROOM], size_t depth, const char *open, const char *middle,
                         const char *close)
{
    char *at = out;
    for (size_t i = 0; i < depth; i++)
        at = stpcpy(at, open);
    at = stpcpy(at, middle);
    for (size_t i = 0; i < depth; i++)
        at = stpcpy(at, close);
    return slice_of(out, (size_t)(at - out));
}

static void nesting_ends_at_64_levels(void **state)
{
    (void)state;
    static char text[ROOM];
    struct guard g;
    guard_init(&g, ROOM);
    for (size_t depth = 1; depth < 70; depth++) {
        bool expected = depth <= JSON_MAX_DEPTH;
        assert_int_equal(accepts(&g, nest(text, depth, "[", "", "]")), expected);
        assert_int_equal(accepts(&g, nest(text, depth, "{\"a\":", "1", "}")), expected);
        assert_int_equal(accepts(&g, nest(text, depth, "[0,", "0", ",0]")), expected);
        if (depth % 2 == 0)
            assert_int_equal(accepts(&g, nest(text, depth / 2, "[{\"a\":", "1", "}]")), expected);
    }
    struct json_reader r;
    assert_int_equal(walk(nest(text, JSON_MAX_DEPTH + 1, "[", "", "]"), &r), -1);
    assert_string_equal(r.error, "nested too deeply");
    assert_int_equal(json_error_offset(&r), JSON_MAX_DEPTH);
    assert_false(accepts(&g, nest(text, 10000, "[", "", "")));
    assert_false(accepts(&g, nest(text, 10000, "{\"a\":", "", "")));
    guard_fini(&g);
}

/* Each of 63 inner levels an object or an array: the closing brackets must mirror the opening
 * ones, and any one of them changed is found. */
static void the_kind_of_every_level_is_remembered(void **state)
{
    (void)state;
    struct guard g;
    guard_init(&g, 1024);
    uint64_t kinds = UINT64_C(0x9e3779b97f4a7c15);
    char text[1024], *at = text;
    *at++ = '[';
    for (int i = 0; i < JSON_MAX_DEPTH - 1; i++)
        at = stpcpy(at, kinds >> i & 1 ? "{\"\":" : "[");
    *at++ = '0';
    char *closing = at;
    for (int i = JSON_MAX_DEPTH - 2; i >= 0; i--)
        *at++ = kinds >> i & 1 ? '}' : ']';
    *at++ = ']';
    struct slice s = slice_of(text, (size_t)(at - text));
    assert_true(accepts(&g, s));
    for (char *c = closing; c < at; c++) {
        *c ^= '}' ^ ']';
        assert_false(accepts(&g, s));
        *c ^= '}' ^ ']';
    }
    guard_fini(&g);
}

static void errors_say_what_and_where(void **state)
{
    (void)state;
    static const struct {
        const char *text, *error;
        size_t offset;
    } cases[] = {
        {"{\"a\":1", "the text ends too early", 6},
        {"{\"a\":", "the text ends too early", 5},
        {"{\"a\":1 \"b\":2}", "a comma or } was expected", 7},
        {"[1 2]", "a comma or ] was expected", 3},
        {"{\"a\" 1}", "a colon was expected", 5},
        {"{a:1}", "a name in quotes was expected", 1},
        {"{\"a\":1,}", "a name in quotes was expected", 7},
        {"[1,]", "a value was expected", 3},
        {"[nul]", "a value was expected", 1},
        {"[1.]", "a digit is missing in a number", 3},
        {"[-]", "a digit is missing in a number", 2},
        {"[\"abc", "a string without an end", 5},
        {"[\"a\nb\"]", "a control character in a string", 3},
        {"[\"a\\x\"]", "unknown escape in a string", 4},
        {"[\"\\u12g4\"]", "\\u must be followed by four hexadecimal digits", 6},
        {"[\"ab\xff\"]", "a string that is not UTF-8", 2},
        {"{} x", "something follows the end", 3},
        {"[1]]", "something follows the end", 3},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct json_reader r;
        assert_int_equal(walk(slice_str(cases[i].text), &r), -1);
        assert_string_equal(r.error, cases[i].error);
        assert_int_equal(json_error_offset(&r), cases[i].offset);
    }
}

static void an_error_stays(void **state)
{
    (void)state;
    struct json_reader r;
    struct json_value value;
    assert_true(json_open_array(&r, SLICE("[1,,2]")));
    assert_int_equal(json_next_element(&r, &value), JSON_ITEM);
    for (int i = 0; i < 3; i++)
        assert_int_equal(json_next_element(&r, &value), JSON_ERROR);
    assert_false(json_open_array(&r, SLICE("{}")));
    assert_int_equal(json_next_element(&r, &value), JSON_ERROR);
}

/* A quote, a backslash or a control character at every place of a long string: the scan by
 * words must neither pass over it nor stop before it. */
static void the_scan_by_words_stops_exactly_where_it_must(void **state)
{
    (void)state;
    struct guard g;
    struct json_reader r;
    struct json_value value;
    guard_init(&g, 256);
    for (size_t n = 1; n < 40; n++)
        for (size_t at = 0; at < n; at++)
            for (int c = 0; c < 256; c++) {
                uint8_t text[64] = "[\"";
                memset(text + 2, c % 2 ? '!' : '~', n);
                text[2 + at] = (uint8_t)c;
                memcpy(text + 2 + n, "\"]", 2);
                int items = walk(guard_copy(&g, slice_of(text, n + 4)), &r);
                bool plain = c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
                assert_int_equal(items, plain ? 1 : -1);
            }
    assert_true(json_open_array(&r, guard_copy(&g, SLICE("[\"0123456789abcdefghij\\u0041\"]"))));
    assert_int_equal(json_next_element(&r, &value), JSON_ITEM);
    assert_int_equal(value.raw.n, 26);
    guard_fini(&g);
}

/* ---- conversions ---------------------------------------------------------------------------- */

/* The only element of [text]; the span stays valid until the next call. */
static struct json_value only(const char *text)
{
    static char in[ROOM];
    struct json_reader r;
    struct json_value value, none;
    assert_true(json_open_array(&r, wrap(in, "[", slice_str(text), "]")));
    assert_int_equal(json_next_element(&r, &value), JSON_ITEM);
    assert_int_equal(json_next_element(&r, &none), JSON_END);
    return value;
}

static const struct {
    const char *text;
    struct slice value; /* p NULL: an unpaired surrogate */
} strings[] = {
#define V(literal)                                      \
    {                                                   \
        (const uint8_t *)(literal), sizeof(literal) - 1 \
    }
    {"\"\"", V("")},
    {"\"plain\"", V("plain")},
    {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", V("\"\\/\b\f\n\r\t")},
    {"\"\\u0041\\u00e9\\u20AC\"", V("A\xc3\xa9\xe2\x82\xac")},
    {"\"a\\u0000b\"", V("a\0b")},
    {"\"\\u007f\\u0080\\u07ff\\u0800\\uffff\"", V("\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf")},
    {"\"\\ud83d\\ude00\"", V("\xf0\x9f\x98\x80")},
    {"\"\\ud800\\udc00\\uDBFF\\uDFFF\"", V("\xf0\x90\x80\x80\xf4\x8f\xbf\xbf")},
    {"\"\\ud7ff\\ue000\"", V("\xed\x9f\xbf\xee\x80\x80")},
    {"\"\xc3\xa9 0123456789 \\n 0123456789\"", V("\xc3\xa9 0123456789 \n 0123456789")},
    {"\"\\ud800\"", {NULL, 0}},
    {"\"\\udc00\"", {NULL, 0}},
    {"\"\\ud800x\"", {NULL, 0}},
    {"\"\\ud800\\n\"", {NULL, 0}},
    {"\"\\ud800\\u0041\"", {NULL, 0}},
    {"\"\\ud800\\ud800\"", {NULL, 0}},
    {"\"\\ud800\\ud800\\udc00\"", {NULL, 0}},
    {"\"\\ude00\\ud83d\"", {NULL, 0}},
    {"\"\\udc00\\udc00\"", {NULL, 0}},
    {"\"\\ud800\\\\u0041\"", {NULL, 0}},
    {"\"\\ud83d\\ude00\\ude00\"", {NULL, 0}},
#undef V
};

static void strings_decode_to_their_value(void **state)
{
    (void)state;
    struct guard in, g;
    guard_init(&in, 256);
    guard_init(&g, 256);
    for (size_t i = 0; i < COUNT(strings); i++) {
        struct json_value v = only(strings[i].text);
        v.raw = guard_copy(&in, v.raw);
        uint8_t *out = guard_tail(&g, v.raw.n);
        ptrdiff_t n = json_string_decode(v, out);
        if (!strings[i].value.p) {
            assert_int_equal(n, -1);
            continue;
        }
        assert_int_equal(n, strings[i].value.n);
        assert_memory_equal(out, strings[i].value.p, strings[i].value.n);
    }
    guard_fini(&in);
    guard_fini(&g);
}

static void strings_are_compared_by_value(void **state)
{
    (void)state;
    struct guard g;
    guard_init(&g, 64);
    for (size_t i = 0; i < COUNT(strings); i++)
        for (size_t j = 0; j < COUNT(strings); j++)
            if (strings[j].value.p)
                assert_int_equal(json_string_eq(only(strings[i].text), strings[j].value), i == j);
    assert_true(json_string_eq(only("\"m\\u0065ssage\""), SLICE("message")));
    assert_false(json_string_eq(only("\"m\\u0065ssag\""), SLICE("message")));
    assert_false(json_string_eq(only("\"m\\u0065ssages\""), SLICE("message")));
    assert_false(json_string_eq(only("\"message\""), SLICE("messag")));
    assert_false(json_string_eq(only("\"\\ud83d\\ude00\""), guard_copy(&g, SLICE("\xf0\x9f\x98"))));
    assert_false(json_string_eq(only("true"), SLICE("true")));
    assert_false(json_string_eq(only("12"), SLICE("12")));
    guard_fini(&g);
}

static void strings_encode_with_no_escape_but_the_necessary_ones(void **state)
{
    (void)state;
    uint8_t out[JSON_ENCODED_MAX(64)];
    static const char expected[] = "\"\\\"\\\\/\\b\\f\\n\\r\\t\\u0000\\u0001\\u001f\x7f\xc3\xa9<\"";
    size_t n = json_string_encode(out, SLICE("\"\\/\b\f\n\r\t\0\x01\x1f\x7f\xc3\xa9<"));
    assert_int_equal(n, sizeof expected - 1);
    assert_memory_equal(out, expected, n);
    assert_int_equal(json_string_encode(out, slice_of(NULL, 0)), 2);
    assert_memory_equal(out, "\"\"", 2);
}

static void every_character_survives_encoding_and_decoding(void **state)
{
    (void)state;
    struct guard g, back;
    guard_init(&g, 1024);
    guard_init(&back, 1024);
    for (unsigned c = 0; c < 0x80; c++) {
        uint8_t in[24], text[JSON_ENCODED_MAX(sizeof in) + 2] = "[";
        memset(in, (int)c, sizeof in);
        size_t n = json_string_encode(text + 1, slice_of(in, sizeof in));
        assert_true(n <= JSON_ENCODED_MAX(sizeof in));
        text[n + 1] = ']';
        struct json_reader r;
        struct json_value v;
        assert_true(json_open_array(&r, guard_copy(&g, slice_of(text, n + 2))));
        assert_int_equal(json_next_element(&r, &v), JSON_ITEM);
        uint8_t *out = guard_tail(&back, v.raw.n);
        assert_int_equal(json_string_decode(v, out), sizeof in);
        assert_memory_equal(out, in, sizeof in);
    }
    guard_fini(&g);
    guard_fini(&back);
}

static void seconds_become_milliseconds_exactly(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ms;
    } cases[] = {
        {"0", 0},
        {"-0", 0},
        {"-0.0e5", 0},
        {"1", 1000},
        {"-1", -1000},
        {"1700000000", 1700000000000},
        {"1700000000.123", 1700000000123},
        {"1700000000.1230", 1700000000123},
        {"1700000000.1230000000000000000000000000001", 1700000000124},
        {"-1700000000.1239", -1700000000123},
        {"0.001", 1},
        {"0.0001", 1},
        {"-0.0001", 0},
        {"-0.001", -1},
        {"1.7e9", 1700000000000},
        {"17000000000000e-4", 1700000000000},
        {"1.7000000001239E+9", 1700000000124},
        {"0.0000000017e18", 1700000000000},
        {"1e-3", 1},
        {"1e-999999999999999999999999", 1},
        {"-1e-999999999999999999999999", 0},
        {"0e999999999999999999999999", 0},
        {"1e999999999999999999999999", INT64_MAX},
        {"-1e999999999999999999999999", INT64_MIN},
        {"1e400", INT64_MAX},
        {"1e18446744073709551616", INT64_MAX},
        {"1e-18446744073709551616", 1},
        {"18446744073709551.617", INT64_MAX},
        {"-18446744073709551.617", INT64_MIN},
        {"18446744073709551617", INT64_MAX},
        {"18446744073709551617e-20", 185},
        {"9223372036854775.806", INT64_MAX - 1},
        {"9223372036854775.807", INT64_MAX},
        {"9223372036854775.8061", INT64_MAX},
        {"9223372036854775.808", INT64_MAX},
        {"9223372036854776", INT64_MAX},
        {"-9223372036854775.807", -INT64_MAX},
        {"-9223372036854775.808", INT64_MIN},
        {"-9223372036854775.809", INT64_MIN},
        {"99999999999999999999999999999999999999", INT64_MAX},
        {"-99999999999999999999999999999999999999", INT64_MIN},
        {"9223372036854775807e-3", INT64_MAX},
        {"922337203685477580e-2", INT64_MAX - 7},
        {"1000000000000000000000000000000e-30", 1000},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        int64_t ms = 7;
        assert_true(json_number_ms(only(cases[i].text), &ms));
        if (ms != cases[i].ms)
            fail_msg("%s: %lld", cases[i].text, (long long)ms);
    }
    int64_t ms;
    assert_false(json_number_ms(only("\"1\""), &ms));
    assert_false(json_number_ms(only("null"), &ms));
}

static void a_number_of_any_length_is_converted(void **state)
{
    (void)state;
    static char text[ROOM];
    int64_t ms;
    memset(text, '0', 40000);
    memcpy(text, "0.", 2);
    strcpy(text + 20000, "1e20000"); /* 10^-19999 times 10^20000 */
    assert_true(json_number_ms(only(text), &ms));
    assert_true(ms == 10000);
    memset(text, '0', 40000);
    text[0] = '3';
    strcpy(text + 20001, "e-20000");
    assert_true(json_number_ms(only(text), &ms));
    assert_true(ms == 3000);
}

static void integers_are_digits_alone_up_to_2_to_the_53(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool ok;
        uint64_t value;
    } cases[] = {
        {"0", true, 0},
        {"7", true, 7},
        {"9007199254740991", true, JSON_INTEGER_MAX - 1},
        {"9007199254740992", true, JSON_INTEGER_MAX},
        {"9007199254740993", false, 0},
        {"18446744073709551616", false, 0},
        {"18446744073709551617", false, 0},
        {"99999999999999999999999999999999999999999", false, 0},
        {"-0", false, 0},
        {"-1", false, 0},
        {"1.0", false, 0},
        {"1e2", false, 0},
        {"\"1\"", false, 0},
        {"true", false, 0},
        {"[1]", false, 0},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        uint64_t n = 0;
        assert_int_equal(json_integer(only(cases[i].text), &n), cases[i].ok);
        assert_true(n == cases[i].value);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(valid_texts_are_accepted_also_inside_others),
        cmocka_unit_test(invalid_texts_are_refused_also_inside_others),
        cmocka_unit_test(every_prefix_of_a_valid_text_is_refused),
        cmocka_unit_test(members_come_in_order_with_their_types_and_spans),
        cmocka_unit_test(a_value_can_be_opened_with_a_reader_of_its_own),
        cmocka_unit_test(an_object_is_no_array_and_an_array_no_object),
        cmocka_unit_test(nesting_ends_at_64_levels),
        cmocka_unit_test(the_kind_of_every_level_is_remembered),
        cmocka_unit_test(errors_say_what_and_where),
        cmocka_unit_test(an_error_stays),
        cmocka_unit_test(the_scan_by_words_stops_exactly_where_it_must),
        cmocka_unit_test(strings_decode_to_their_value),
        cmocka_unit_test(strings_are_compared_by_value),
        cmocka_unit_test(strings_encode_with_no_escape_but_the_necessary_ones),
        cmocka_unit_test(every_character_survives_encoding_and_decoding),
        cmocka_unit_test(seconds_become_milliseconds_exactly),
        cmocka_unit_test(a_number_of_any_length_is_converted),
        cmocka_unit_test(integers_are_digits_alone_up_to_2_to_the_53),
    };
    return cmocka_run_group_tests_name("codec_json", tests, NULL, NULL);
}
