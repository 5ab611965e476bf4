/* utf8 and userid: every sequence against a reference that knows nothing but how a character is
 * written (RFC 3629 section 3). */
#include "../support/guard.h"
#include "codec/userid.h"
#include "codec/utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

/* What a sequence of one to three bytes is. */
enum { NOTHING, BEGINNING, CHARACTER };

/* Filled from all characters that there are: their bytes, and the beginnings of their bytes. */
static uint8_t *kind[4]; /* kind[n]: of n bytes, by their value as a big-endian number */

static size_t encode(uint8_t out[4], uint32_t c)
{
    if (c < 0x80) {
        out[0] = (uint8_t)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (uint8_t)(0xc0 | c >> 6);
        out[1] = (uint8_t)(0x80 | (c & 0x3f));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (uint8_t)(0xe0 | c >> 12);
        out[1] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
        out[2] = (uint8_t)(0x80 | (c & 0x3f));
        return 3;
    }
    out[0] = (uint8_t)(0xf0 | c >> 18);
    out[1] = (uint8_t)(0x80 | (c >> 12 & 0x3f));
    out[2] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
    out[3] = (uint8_t)(0x80 | (c & 0x3f));
    return 4;
}

static int setup(void **state)
{
    (void)state;
    for (size_t n = 1; n <= 3; n++)
        if (!(kind[n] = calloc((size_t)1 << 8 * n, 1)))
            return -1;
    for (uint32_t c = 0; c <= 0x10ffff; c++) {
        if (c >= 0xd800 && c <= 0xdfff)
            continue;
        uint8_t bytes[4];
        size_t n = encode(bytes, c), value = 0;
        for (size_t i = 1; i <= n && i <= 3; i++) {
            value = value << 8 | bytes[i - 1];
            kind[i][value] = i == n ? CHARACTER : BEGINNING;
        }
    }
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    for (size_t n = 1; n <= 3; n++)
        free(kind[n]);
    return 0;
}

static uint8_t kind_of(uint32_t state)
{
    return state == UTF8_ACCEPT ? CHARACTER : state == UTF8_REJECT ? NOTHING : BEGINNING;
}

static uint32_t step(uint32_t state, uint8_t byte)
{
    return utf8_check(state, &byte, 1);
}

/* Also that every byte is judged as soon as it comes: a beginning that no character has is
 * refused at once. A whole character in front is as good as nothing in front, so only the
 * beginnings need to be followed further. */
static void every_sequence_of_up_to_three_bytes_is_judged_as_the_reference_does(void **unused)
{
    (void)unused;
    size_t wrong = 0;
    for (size_t a = 0; a < 256; a++) {
        uint32_t one = step(UTF8_ACCEPT, (uint8_t)a);
        wrong += kind_of(one) != kind[1][a];
        for (size_t b = 0; b < 256; b++) {
            uint32_t two = step(one, (uint8_t)b);
            uint8_t before = kind[1][a];
            uint8_t expected = before == BEGINNING   ? kind[2][a << 8 | b]
                               : before == CHARACTER ? kind[1][b]
                                                     : NOTHING;
            wrong += kind_of(two) != expected;
            for (size_t c = 0; before == BEGINNING && c < 256; c++) {
                uint8_t next = expected == BEGINNING   ? kind[3][a << 16 | b << 8 | c]
                               : expected == CHARACTER ? kind[1][c]
                                                       : NOTHING;
                wrong += kind_of(step(two, (uint8_t)c)) != next;
            }
        }
    }
    assert_int_equal(wrong, 0);
}

static void every_sequence_of_three_bytes_at_once_is_judged_as_byte_by_byte(void **unused)
{
    (void)unused;
    size_t wrong = 0;
    uint8_t p[3];
    for (int a = 0; a < 256; a++)
        for (int b = 0; b < 256; b++) {
            p[0] = (uint8_t)a;
            p[1] = (uint8_t)b;
            uint32_t two = step(step(UTF8_ACCEPT, p[0]), p[1]);
            wrong += utf8_check(UTF8_ACCEPT, p, 2) != two;
            for (int c = 0; c < 256; c++) {
                p[2] = (uint8_t)c;
                wrong += utf8_check(UTF8_ACCEPT, p, 3) != step(two, p[2]);
            }
        }
    assert_int_equal(wrong, 0);
}

/* Behind every beginning of three bytes just the bytes 80 to BF end a character: there is no
 * other limit to a fourth byte (RFC 3629 section 4). */
static void every_lead_second_and_third_of_four_bytes_is_judged_as_the_reference_does(void **unused)
{
    (void)unused;
    size_t wrong = 0, found = 0;
    for (size_t lead = 0xf0; lead < 256; lead++)
        for (size_t rest = 0; rest < 65536; rest++) {
            uint8_t p[3] = {(uint8_t)lead, (uint8_t)(rest >> 8), (uint8_t)rest};
            uint32_t three = utf8_check(UTF8_ACCEPT, p, 3);
            wrong += kind_of(three) != kind[3][lead << 16 | rest];
            for (int d = 0; three > UTF8_REJECT && d < 256; d++) {
                uint32_t four = step(three, (uint8_t)d);
                wrong += four != (d >= 0x80 && d <= 0xbf ? UTF8_ACCEPT : UTF8_REJECT);
                found += four == UTF8_ACCEPT;
            }
        }
    assert_int_equal(wrong, 0);
    assert_int_equal(found, 0x110000 - 0x10000);
}

static const struct {
    const char *text;
    uint32_t state; /* UTF8_ACCEPT, UTF8_REJECT, or 2 for the inside of a character */
} texts[] = {
    {"", 0},
    {"a", 0},
    {"Hello-\xc2\xb5@\xc3\x9f\xc3\xb6\xc3\xa4\xc3\xbc\xc3\xa0\xc3\xa1-UTF-8!!", 0},
    {"12345678", 0},
    {"123456789012345678901234567890", 0},
    {"1234567\xc3\xa9"
     "12345678\xe2\x82\xac"
     "1234567890123456\xf0\x9f\x98\x80",
     0},
    {"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5", 0},
    {"\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf\xef\xbf\xbf", 0},
    {"12345678\xe2\x82", 2},
    {"12345678\xf0", 2},
    {"1234567890\xf0\x9f\x98", 2},
    {"12345678\x80", 1},
    {"12345678\xff"
     "12345678",
     1},
    {"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80\x65\x64\x69\x74\x65\x64", 1},
    {"123456789\xc0\xaf", 1},
    {"\xe0\x9f\xbf", 1},
    {"\xf0\x8f\xbf\xbf", 1},
    {"\xf4\x90\x80\x80", 1},
    {"\xc3(12345678", 1},
};

static void any_split_of_a_text_gives_the_same_answer(void **unused)
{
    (void)unused;
    struct guard g;
    guard_init(&g, 256);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct slice s = slice_str(texts[i].text);
        struct slice copy = guard_copy(&g, s);
        uint32_t whole = utf8_check(UTF8_ACCEPT, copy.p, copy.n), state = UTF8_ACCEPT;
        assert_int_equal(whole < 2 ? whole : 2, texts[i].state);
        assert_int_equal(utf8_valid(copy), texts[i].state == UTF8_ACCEPT);
        for (size_t split = 0; split <= s.n; split++) {
            copy = guard_copy(&g, slice_of(s.p, split));
            state = utf8_check(UTF8_ACCEPT, copy.p, copy.n);
            copy = guard_copy(&g, slice_of(s.p + split, s.n - split));
            assert_int_equal(utf8_check(state, copy.p, copy.n), whole);
        }
        state = UTF8_ACCEPT;
        for (size_t at = 0; at < s.n; at++)
            state = step(state, s.p[at]);
        assert_int_equal(state, whole);
    }
    guard_fini(&g);
}

static void the_fast_path_does_not_pass_over_a_bad_byte(void **unused)
{
    (void)unused;
    uint8_t p[40];
    for (size_t n = 1; n <= sizeof p; n++)
        for (size_t at = 0; at < n; at++) {
            memset(p, 'x', sizeof p);
            p[at] = 0xff;
            assert_int_equal(utf8_check(UTF8_ACCEPT, p, n), UTF8_REJECT);
            assert_int_equal(utf8_check(UTF8_ACCEPT, p, at), UTF8_ACCEPT);
        }
}

static void user_ids_are_1_to_64_bytes(void **unused)
{
    (void)unused;
    uint8_t id[USERID_MAX + 1];
    memset(id, 'u', sizeof id);
    assert_false(userid_valid(slice_of(id, 0)));
    for (size_t n = 1; n <= USERID_MAX; n++)
        assert_true(userid_valid(slice_of(id, n)));
    assert_false(userid_valid(slice_of(id, USERID_MAX + 1)));
}

static void user_ids_have_no_control_characters_and_are_utf8(void **unused)
{
    (void)unused;
    struct guard g;
    guard_init(&g, 64);
    for (uint32_t c = 0; c <= 0x3000; c++) {
        uint8_t id[6] = {'a'};
        size_t n = 1 + encode(id + 1, c);
        bool control = c < 0x20 || (c >= 0x7f && c <= 0x9f);
        assert_int_equal(userid_valid(guard_copy(&g, slice_of(id, n))), !control);
    }
    assert_true(userid_valid(guard_copy(&g, SLICE("\xf0\x9f\x98\x80 \xc3\x84 \"quoted\" <b>"))));
    assert_false(userid_valid(guard_copy(&g, SLICE("alice\xc2"))));
    assert_false(userid_valid(guard_copy(&g, SLICE("\xed\xa0\x80"))));
    assert_false(userid_valid(guard_copy(&g, SLICE("a\xff"))));
    guard_fini(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_sequence_of_up_to_three_bytes_is_judged_as_the_reference_does),
        cmocka_unit_test(every_sequence_of_three_bytes_at_once_is_judged_as_byte_by_byte),
        cmocka_unit_test(every_lead_second_and_third_of_four_bytes_is_judged_as_the_reference_does),
        cmocka_unit_test(any_split_of_a_text_gives_the_same_answer),
        cmocka_unit_test(the_fast_path_does_not_pass_over_a_bad_byte),
        cmocka_unit_test(user_ids_are_1_to_64_bytes),
        cmocka_unit_test(user_ids_have_no_control_characters_and_are_utf8),
    };
    return cmocka_run_group_tests_name("codec_utf8", tests, setup, teardown);
}
