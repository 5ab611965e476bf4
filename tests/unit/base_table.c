/* table: against a naive model; its hash against another writing of SipHash. */
#include "base/table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

/* ---- SipHash-c-d, as the paper writes it: an array of words, the input padded first ----------- */

static uint64_t rotate(uint64_t x, unsigned n)
{
    return x << n | x >> (64 - n);
}

static void rounds(uint64_t v[4], int n)
{
    while (n--) {
        v[0] += v[1];
        v[2] += v[3];
        v[1] = rotate(v[1], 13);
        v[3] = rotate(v[3], 16);
        v[1] ^= v[0];
        v[3] ^= v[2];
        v[0] = rotate(v[0], 32);
        v[2] += v[1];
        v[0] += v[3];
        v[1] = rotate(v[1], 17);
        v[3] = rotate(v[3], 21);
        v[1] ^= v[2];
        v[3] ^= v[0];
        v[2] = rotate(v[2], 32);
    }
}

static uint64_t siphash(int c, int d, const uint64_t key[2], const uint8_t *p, size_t n)
{
    static const char constants[] = "somepseudorandomlygeneratedbytes";
    uint64_t v[4] = {0};
    for (size_t i = 0; i < 32; i++)
        v[i / 8] = v[i / 8] << 8 | (uint8_t)constants[i];
    for (size_t i = 0; i < 4; i++)
        v[i] ^= key[i % 2];
    uint8_t padded[1024] = {0};
    assert_true(n + 8 <= sizeof padded);
    if (n)
        memcpy(padded, p, n);
    size_t words = n / 8 + 1;
    padded[words * 8 - 1] = (uint8_t)n;
    for (size_t w = 0; w < words; w++) {
        uint64_t m = 0;
        for (size_t i = 8; i-- > 0;)
            m = m << 8 | padded[w * 8 + i];
        v[3] ^= m;
        rounds(v, c);
        v[0] ^= m;
    }
    v[2] ^= 0xff;
    rounds(v, d);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

static bool match_nothing(const void *ctx, uint32_t value, struct slice key)
{
    (void)ctx;
    (void)value;
    (void)key;
    return false;
}

/* The vectors of appendix A of the paper are of SipHash-2-4: they vouch for the function here. */
static void the_reference_gives_the_vector_of_the_paper(void **state)
{
    (void)state;
    const uint64_t key[2] = {UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908)};
    uint8_t input[15];
    for (size_t i = 0; i < sizeof input; i++)
        input[i] = (uint8_t)i;
    assert_true(siphash(2, 4, key, input, sizeof input) == UINT64_C(0xa129ca6149be45e5));
}

static void the_hash_is_siphash_1_3_of_every_length(void **state)
{
    (void)state;
    struct table t;
    assert_int_equal(table_init(&t, match_nothing, NULL), 0);
    assert_true(t.key[0] || t.key[1]);
    uint8_t input[300];
    for (size_t i = 0; i < sizeof input; i++)
        input[i] = (uint8_t)(i * 151 + 3);
    for (size_t n = 0; n <= sizeof input; n++)
        assert_int_equal(table_hash(t.key, slice_of(input, n)),
                         (uint32_t)siphash(1, 3, t.key, input, n));
    table_fini(&t);
}

static void two_tables_have_two_keys(void **state)
{
    (void)state;
    struct table a, b;
    assert_int_equal(table_init(&a, match_nothing, NULL), 0);
    assert_int_equal(table_init(&b, match_nothing, NULL), 0);
    assert_memory_not_equal(a.key, b.key, sizeof a.key);
    table_fini(&a);
    table_fini(&b);
}

/* ---- against a model ---------------------------------------------------------------------- */

#define THINGS 5000

struct thing {
    char name[520];
    size_t n;
    bool there;
};

static struct thing *things;
static unsigned matches; /* calls of match_thing */

static bool match_thing(const void *ctx, uint32_t value, struct slice key)
{
    const struct thing *all = ctx;
    assert_true(value < THINGS);
    matches++;
    return slice_eq(slice_of(all[value].name, all[value].n), key);
}

static struct slice name_of(uint32_t i)
{
    return slice_of(things[i].name, things[i].n);
}

static int setup(void **state)
{
    (void)state;
    things = calloc(THINGS, sizeof *things);
    if (!things)
        return -1;
    for (uint32_t i = 0; i < THINGS; i++) {
        int n = snprintf(things[i].name, sizeof things[i].name, "%u", i);
        things[i].n = (size_t)n;
        if (i % 5 == 0) { /* long, with a zero byte inside */
            memset(things[i].name + n, i % 2 ? 0 : 'x', 500);
            things[i].n += 500;
        }
    }
    things[1].n = 0; /* the empty key */
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    free(things);
    return 0;
}

static void assert_as_model(const struct table *t)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < THINGS; i++) {
        assert_int_equal(table_find(t, name_of(i)), things[i].there ? i : TABLE_NONE);
        count += things[i].there;
    }
    assert_int_equal(t->count, count);
    assert_true(t->count <= (t->mask + 1) / 8 * 7);
}

static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525 + 1013904223;
    return *seed >> 8;
}

static void toggle(struct table *t, uint32_t i)
{
    if (things[i].there)
        table_remove(t, name_of(i));
    else
        assert_int_equal(table_add(t, name_of(i), i), 0);
    things[i].there = !things[i].there;
}

static void random_adds_and_removes_agree_with_a_model(void **state)
{
    (void)state;
    struct table t;
    uint32_t seed = 1;
    assert_int_equal(table_init(&t, match_thing, things), 0);
    for (uint32_t i = 0; i < THINGS; i++)
        things[i].there = false;
    assert_as_model(&t);
    for (int round = 0; round < 12; round++) {
        uint32_t range = round < 6 ? 40 : THINGS; /* small: full runs; large: growth */
        for (int i = 0; i < 6000; i++)
            toggle(&t, next_random(&seed) % range);
        assert_as_model(&t);
    }
    for (uint32_t i = 0; i < THINGS; i++) {
        table_remove(&t, name_of(i)); /* also those that are not there */
        things[i].there = false;
    }
    assert_as_model(&t);
    assert_int_equal(t.count, 0);
    table_fini(&t);
}

/* Keys whose home is the last slots of the first table: their run goes over its end. */
static void colliding_keys_keep_apart_over_the_end_of_the_table(void **state)
{
    (void)state;
    struct table t;
    assert_int_equal(table_init(&t, match_thing, things), 0);
    uint32_t chosen[12];
    size_t n = 0;
    for (uint32_t i = 0; i < THINGS; i++)
        things[i].there = false;
    for (uint32_t i = 0; i < THINGS && n < 12; i++)
        if ((table_hash(t.key, name_of(i)) & 15) >= 14)
            chosen[n++] = i;
    assert_int_equal(n, 12);
    for (size_t hole = 0; hole < n; hole++) {
        for (size_t i = 0; i < n; i++)
            toggle(&t, chosen[i]);
        assert_int_equal(t.mask, 15);
        toggle(&t, chosen[hole]);
        assert_as_model(&t);
        for (size_t i = 0; i < n; i++)
            if (things[chosen[i]].there)
                toggle(&t, chosen[i]);
        assert_as_model(&t);
    }
    table_fini(&t);
}

static void keys_are_compared_only_where_the_whole_hash_is_equal(void **state)
{
    (void)state;
    struct table t;
    assert_int_equal(table_init(&t, match_thing, things), 0);
    for (uint32_t i = 0; i < 14; i++)
        assert_int_equal(table_add(&t, name_of(i), i), 0);
    assert_int_equal(t.mask, 15);
    matches = 0;
    for (uint32_t i = 100; i < 1100; i++)
        assert_int_equal(table_find(&t, name_of(i)), TABLE_NONE);
    assert_true(matches <= 1); /* of 14,000 pairs; a 32-bit hash meets by chance once in 300,000 */
    table_fini(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_reference_gives_the_vector_of_the_paper),
        cmocka_unit_test(the_hash_is_siphash_1_3_of_every_length),
        cmocka_unit_test(two_tables_have_two_keys),
        cmocka_unit_test(random_adds_and_removes_agree_with_a_model),
        cmocka_unit_test(colliding_keys_keep_apart_over_the_end_of_the_table),
        cmocka_unit_test(keys_are_compared_only_where_the_whole_hash_is_equal),
    };
    return cmocka_run_group_tests_name("base_table", tests, setup, teardown);
}
