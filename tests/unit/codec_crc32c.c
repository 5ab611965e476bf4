/* crc32c: RFC 3720 section B.4, and both ways of computing it against the definition. */
#include "../support/guard.h"
#include "../support/hex.h"
#include "codec/crc32c.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#define LONG 20000 /* bytes: every stage of the three-lane way, several times */

typedef uint32_t check(uint32_t crc, const void *p, size_t n);

static check *const ways[] = {crc32c, crc32c_portable};

#define WAYS (sizeof ways / sizeof *ways)

/* The definition, a bit at a time. */
static uint32_t plain(uint32_t crc, const uint8_t *p, size_t n)
{
    crc = ~crc;
    for (size_t i = 0; i < n; i++) {
        crc ^= p[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
    }
    return ~crc;
}

static const struct {
    const char *bytes; /* hexadecimal */
    uint32_t crc;
} vectors[] = {
    {"", 0},
    {"313233343536373839", 0xe3069283},
    {"0000000000000000000000000000000000000000000000000000000000000000", 0x8a9136aa},
    {"ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff", 0x62a8ab43},
    {"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f", 0x46dd794e},
    {"1f1e1d1c1b1a191817161514131211100f0e0d0c0b0a09080706050403020100", 0x113fdb5c},
    {"01c00000000000000000000000000000140000000000040000000014000000182800000000000000"
     "0200000000000000",
     0xd9963a56},
};

static void the_vectors_are_right_whole_and_at_each_split(void **state)
{
    (void)state;
    struct guard g;
    guard_init(&g, 64);
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++)
        for (size_t way = 0; way < WAYS; way++) {
            uint8_t bytes[64];
            size_t n = hex_bytes(bytes, vectors[i].bytes);
            for (size_t split = 0; split <= n; split++) {
                uint32_t crc = ways[way](0, guard_copy(&g, slice_of(bytes, split)).p, split);
                struct slice rest = guard_copy(&g, slice_of(bytes + split, n - split));
                assert_int_equal(ways[way](crc, rest.p, rest.n), vectors[i].crc);
            }
            uint32_t crc = 0;
            for (size_t at = 0; at < n; at++)
                crc = ways[way](crc, guard_copy(&g, slice_of(bytes + at, 1)).p, 1);
            assert_int_equal(crc, vectors[i].crc);
        }
    guard_fini(&g);
}

static void fill(uint8_t *p, size_t n)
{
    uint32_t x = 1;
    for (size_t i = 0; i < n; i++) {
        x = x * 1664525 + 1013904223;
        p[i] = (uint8_t)(x >> 24);
    }
}

static void every_length_and_alignment_agrees_with_the_definition(void **state)
{
    (void)state;
    struct guard g;
    guard_init(&g, LONG + 8);
    uint8_t *end = guard_tail(&g, 0);
    fill(end - LONG - 8, LONG + 8);
    for (size_t n = 0; n <= 1200; n++) {
        uint32_t expected = plain(0x12345678, end - n, n);
        for (size_t way = 0; way < WAYS; way++)
            assert_int_equal(ways[way](0x12345678, end - n, n), expected);
    }
    for (size_t shift = 0; shift < 8; shift++)
        for (size_t n = 3000; n <= LONG; n += 1699) {
            uint32_t expected = plain(0, end - n - shift, n);
            for (size_t way = 0; way < WAYS; way++)
                assert_int_equal(ways[way](0, end - n - shift, n), expected);
        }
    guard_fini(&g);
}

static void pieces_chain_to_the_check_of_the_whole(void **state)
{
    (void)state;
    uint8_t *p = malloc(LONG);
    assert_non_null(p);
    fill(p, LONG);
    for (size_t way = 0; way < WAYS; way++) {
        uint32_t whole = ways[way](0, p, LONG);
        for (size_t split = 0; split < LONG; split += 97)
            assert_int_equal(ways[way](ways[way](0, p, split), p + split, LONG - split), whole);
    }
    free(p);
}

static void a_single_flipped_bit_is_noticed(void **state)
{
    (void)state;
    uint8_t p[4096] = {0};
    uint32_t good = crc32c(0, p, sizeof p);
    for (size_t bit = 0; bit < 8 * sizeof p; bit += 13) {
        p[bit / 8] = (uint8_t)(1 << bit % 8);
        assert_int_not_equal(crc32c(0, p, sizeof p), good);
        p[bit / 8] = 0;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_vectors_are_right_whole_and_at_each_split),
        cmocka_unit_test(every_length_and_alignment_agrees_with_the_definition),
        cmocka_unit_test(pieces_chain_to_the_check_of_the_whole),
        cmocka_unit_test(a_single_flipped_bit_is_noticed),
    };
    return cmocka_run_group_tests_name("codec_crc32c", tests, NULL, NULL);
}
