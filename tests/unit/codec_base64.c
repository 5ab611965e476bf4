/* base64: RFC 4648 section 10, and everything that strict decoding refuses. */
#include "../support/guard.h"
#include "codec/base64.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const struct {
    const char *bytes, *text, *url;
} vectors[] = {
    {"", "", ""},
    {"f", "Zg==", "Zg"},
    {"fo", "Zm8=", "Zm8"},
    {"foo", "Zm9v", "Zm9v"},
    {"foob", "Zm9vYg==", "Zm9vYg"},
    {"fooba", "Zm9vYmE=", "Zm9vYmE"},
    {"foobar", "Zm9vYmFy", "Zm9vYmFy"},
    {"\xfb\xff\xbf", "+/+/", "-_-_"},
    {"\xff\xff\xff", "////", "____"},
};

#define VECTORS (sizeof vectors / sizeof *vectors)

static void the_vectors_encode_to_their_text(void **state)
{
    (void)state;
    struct guard in, out;
    guard_init(&in, 64);
    guard_init(&out, 64);
    for (size_t i = 0; i < VECTORS; i++) {
        struct slice bytes = guard_copy(&in, slice_str(vectors[i].bytes));
        char *text = (char *)guard_tail(&out, BASE64_SIZE(bytes.n));
        assert_int_equal(base64_encode(text, bytes), strlen(vectors[i].text));
        assert_memory_equal(text, vectors[i].text, strlen(vectors[i].text));
        text = (char *)guard_tail(&out, BASE64URL_SIZE(bytes.n));
        assert_int_equal(base64url_encode(text, bytes), strlen(vectors[i].url));
        assert_memory_equal(text, vectors[i].url, strlen(vectors[i].url));
    }
    guard_fini(&in);
    guard_fini(&out);
}

static void the_vectors_decode_to_their_bytes(void **state)
{
    (void)state;
    struct guard in, out;
    guard_init(&in, 64);
    guard_init(&out, 64);
    for (size_t i = 0; i < VECTORS; i++) {
        struct slice bytes = slice_str(vectors[i].bytes);
        struct slice text = guard_copy(&in, slice_str(vectors[i].text));
        uint8_t *got = guard_tail(&out, BASE64_DECODED_MAX(text.n));
        assert_int_equal(base64_decode(got, text), bytes.n);
        assert_memory_equal(got, bytes.p, bytes.n);
        text = guard_copy(&in, slice_str(vectors[i].url));
        got = guard_tail(&out, BASE64_DECODED_MAX(text.n));
        assert_int_equal(base64url_decode(got, text), bytes.n);
        assert_memory_equal(got, bytes.p, bytes.n);
    }
    guard_fini(&in);
    guard_fini(&out);
}

typedef ptrdiff_t decode(uint8_t *out, struct slice in);

static void assert_refused(decode *d, struct slice text)
{
    struct guard in, out;
    guard_init(&in, 64);
    guard_init(&out, 64);
    if (d(guard_tail(&out, BASE64_DECODED_MAX(text.n)), guard_copy(&in, text)) != -1)
        fail_msg("accepted: %.*s", SLICE_FMT(text));
    guard_fini(&in);
    guard_fini(&out);
}

static void every_character_outside_the_alphabet_is_refused(void **state)
{
    (void)state;
    static const char common[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    for (int c = 0; c < 256; c++)
        for (size_t at = 0; at < 4; at++) {
            uint8_t text[4] = "AAAA", out[6];
            text[at] = (uint8_t)c;
            bool both = c && strchr(common, c);
            bool last = at == 3 && c == '=';
            bool standard = both || c == '+' || c == '/' || last;
            bool url = both || c == '-' || c == '_';
            assert_int_equal(base64_decode(out, slice_of(text, 4)) >= 0, standard);
            assert_int_equal(base64url_decode(out, slice_of(text, 4)) >= 0, url);
        }
}

static void bits_left_over_must_be_zero(void **state)
{
    (void)state;
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-"
                                   "_";
    uint8_t out[3];
    for (size_t i = 0; i < 64; i++) {
        uint8_t two[2] = {'A', (uint8_t)alphabet[i]}, three[3] = {'A', 'A', (uint8_t)alphabet[i]};
        assert_int_equal(base64url_decode(out, slice_of(two, 2)), i % 16 ? -1 : 1);
        assert_int_equal(base64url_decode(out, slice_of(three, 3)), i % 4 ? -1 : 2);
    }
    assert_refused(base64_decode, SLICE("Zh=="));
    assert_refused(base64_decode, SLICE("Zm9="));
}

static void padding_and_lengths_that_cannot_be_are_refused(void **state)
{
    (void)state;
    static const char *const standard[] = {
        "Z",        "Zg",       "Zg=",      "Zg===",  "Zm8",      "Zm9vY", "=",
        "==",       "===",      "====",     "Z===",   "A=A=",     "=AAA",  "Zg==Zg==",
        "Zm8=Zm8=", "Zm9v====", "Zm9vZ===", "Zm9v\n", "Zm9v Zg=", " Zm9v", "Zm\n9v=="};
    static const char *const url[] = {"A",         "AAAAA", "Z",     "Zg==",  "Zm8=", "Zm9vY",
                                      "Zm9vYmFyZ", "Zm9v=", "Zm9v ", "Zm9v.", "+/+/", "="};
    for (size_t i = 0; i < sizeof standard / sizeof *standard; i++)
        assert_refused(base64_decode, slice_str(standard[i]));
    for (size_t i = 0; i < sizeof url / sizeof *url; i++)
        assert_refused(base64url_decode, slice_str(url[i]));
}

/* RFC 6455 section 4.1: the key of a handshake is 16 bytes. */
static void the_key_of_a_handshake_decodes_to_16_bytes(void **state)
{
    (void)state;
    uint8_t out[BASE64_DECODED_MAX(24)];
    assert_int_equal(base64_decode(out, SLICE("dGhlIHNhbXBsZSBub25jZQ==")), 16);
    assert_memory_equal(out, "the sample nonce", 16);
}

static void whatever_is_encoded_decodes_to_itself(void **state)
{
    (void)state;
    uint8_t bytes[100], back[BASE64_DECODED_MAX(BASE64_SIZE(100))];
    char text[BASE64_SIZE(100)];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 167 + 13);
    for (size_t n = 0; n <= sizeof bytes; n++) {
        size_t length = base64_encode(text, slice_of(bytes, n));
        assert_int_equal(length, BASE64_SIZE(n));
        assert_int_equal(base64_decode(back, slice_of(text, length)), n);
        assert_memory_equal(back, bytes, n);
        length = base64url_encode(text, slice_of(bytes, n));
        assert_int_equal(length, BASE64URL_SIZE(n));
        assert_int_equal(base64url_decode(back, slice_of(text, length)), n);
        assert_memory_equal(back, bytes, n);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_vectors_encode_to_their_text),
        cmocka_unit_test(the_vectors_decode_to_their_bytes),
        cmocka_unit_test(every_character_outside_the_alphabet_is_refused),
        cmocka_unit_test(bits_left_over_must_be_zero),
        cmocka_unit_test(padding_and_lengths_that_cannot_be_are_refused),
        cmocka_unit_test(the_key_of_a_handshake_decodes_to_16_bytes),
        cmocka_unit_test(whatever_is_encoded_decodes_to_itself),
    };
    return cmocka_run_group_tests_name("codec_base64", tests, NULL, NULL);
}
