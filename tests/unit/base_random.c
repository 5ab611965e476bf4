/* random: filled to the last byte and no further, and no number handed out twice. */
#include "../support/guard.h"
#include "base/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

static void bytes_are_filled_to_the_last_and_no_further(void **state)
{
    (void)state;
    struct guard g;
    guard_init(&g, 600);
    for (size_t n = 0; n <= 600; n += n < 40 ? 1 : 80) {
        uint8_t *p = guard_tail(&g, n);
        uint8_t seen[600] = {0};
        /* A byte that stays zero in 16 fillings was not filled: by chance once in 2^128. */
        for (int round = 0; round < 16; round++) {
            memset(p, 0, n);
            assert_int_equal(random_bytes(p, n), 0);
            for (size_t i = 0; i < n; i++)
                seen[i] |= p[i];
        }
        for (size_t i = 0; i < n; i++)
            assert_int_not_equal(seen[i], 0);
    }
    guard_fini(&g);
}

static int by_value(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static void a_pool_refills_itself_and_hands_nothing_out_twice(void **state)
{
    (void)state;
    struct random_pool pool = {0};
    uint64_t pairs[1000]; /* 64 bits, so that two are equal by chance once in 10^13 */
    for (size_t i = 0; i < 1000; i++) {
        uint32_t a, b;
        assert_int_equal(random_u32(&pool, &a), 0);
        assert_int_equal(random_u32(&pool, &b), 0);
        assert_true(pool.left <= sizeof pool.bytes - 8);
        pairs[i] = (uint64_t)a << 32 | b;
    }
    qsort(pairs, 1000, sizeof *pairs, by_value);
    for (size_t i = 1; i < 1000; i++)
        assert_true(pairs[i - 1] != pairs[i]);
}

static void one_filling_lasts_for_128_numbers(void **state)
{
    (void)state;
    struct random_pool pool = {0};
    uint32_t number;
    assert_int_equal(random_u32(&pool, &number), 0);
    for (uint32_t left = 508; left > 0; left -= 4) {
        assert_int_equal(pool.left, left);
        assert_int_equal(random_u32(&pool, &number), 0);
    }
    assert_int_equal(pool.left, 0);
    assert_int_equal(random_u32(&pool, &number), 0);
    assert_int_equal(pool.left, 508);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_are_filled_to_the_last_and_no_further),
        cmocka_unit_test(a_pool_refills_itself_and_hands_nothing_out_twice),
        cmocka_unit_test(one_filling_lasts_for_128_numbers),
    };
    return cmocka_run_group_tests_name("base_random", tests, NULL, NULL);
}
