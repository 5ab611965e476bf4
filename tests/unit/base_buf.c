/* buf: what was appended is there, and a failure is remembered until it is cleared. */
#include "base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

static void appended_bytes_lie_in_order_over_every_growth(void **state)
{
    (void)state;
    struct buf b = {0};
    uint8_t piece[300];
    size_t total = 0;
    for (size_t n = 0; n < sizeof piece; n++) {
        for (size_t i = 0; i < n; i++)
            piece[i] = (uint8_t)((total + i) * 7);
        buf_append(&b, piece, n);
        total += n;
        assert_int_equal(b.n, total);
        assert_true(b.cap >= b.n);
    }
    for (size_t i = 0; i < total; i++)
        assert_int_equal(b.p[i], (uint8_t)(i * 7));
    buf_free(&b);
    assert_null(b.p);
    assert_int_equal(b.n, 0);
    assert_int_equal(b.cap, 0);
}

static void an_empty_buffer_allocates_nothing_for_nothing(void **state)
{
    (void)state;
    struct buf b = {0};
    buf_append(&b, NULL, 0);
    buf_append_slice(&b, slice_of(NULL, 0));
    buf_append_lit(&b, "");
    buf_drop(&b, 0);
    assert_null(b.p);
    assert_int_equal(buf_slice(&b).n, 0);
    buf_free(&b);
}

static void reserved_room_is_usable_and_counts_only_when_it_is_added(void **state)
{
    (void)state;
    struct buf b = {0};
    uint8_t *room = buf_reserve(&b, 5000);
    assert_non_null(room);
    memset(room, 'x', 5000);
    assert_int_equal(b.n, 0);
    b.n += 3;
    assert_true(slice_eq(buf_slice(&b), SLICE("xxx")));
    assert_ptr_equal(buf_reserve(&b, 4997), b.p + 3); /* still within what was allocated */
    buf_free(&b);
}

static void a_failure_is_remembered_and_keeps_the_contents(void **state)
{
    (void)state;
    struct buf b = {0};
    buf_append_lit(&b, "kept");
    assert_null(buf_reserve(&b, SIZE_MAX)); /* the sum overflows */
    assert_true(b.failed);
    buf_append_lit(&b, " more");
    buf_append_u64(&b, 1);
    buf_printf(&b, "%d", 2);
    assert_null(buf_reserve(&b, 1));
    assert_true(slice_eq(buf_slice(&b), SLICE("kept")));
    buf_clear(&b);
    assert_false(b.failed);
    assert_null(buf_reserve(&b, SIZE_MAX / 2 + 1)); /* no overflow, but no such memory */
    assert_true(b.failed);
    buf_clear(&b);
    buf_append_lit(&b, "again");
    assert_true(slice_eq(buf_slice(&b), SLICE("again")));
    buf_free(&b);
}

static void dropping_moves_the_rest_down(void **state)
{
    (void)state;
    struct buf b = {0};
    buf_append_lit(&b, "0123456789");
    buf_drop(&b, 0);
    assert_true(slice_eq(buf_slice(&b), SLICE("0123456789")));
    buf_drop(&b, 3);
    assert_true(slice_eq(buf_slice(&b), SLICE("3456789")));
    buf_drop(&b, 7);
    assert_int_equal(b.n, 0);
    buf_append_lit(&b, "x");
    assert_true(slice_eq(buf_slice(&b), SLICE("x")));
    buf_free(&b);
}

static void numbers_are_written_as_printf_writes_them(void **state)
{
    (void)state;
    static const uint64_t numbers[] = {0,         1, 9, 10, 99, 100, UINT32_MAX, UINT64_MAX - 1,
                                       UINT64_MAX};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        struct buf b = {0};
        char expected[24];
        snprintf(expected, sizeof expected, "%llu", (unsigned long long)numbers[i]);
        buf_append_u64(&b, numbers[i]);
        assert_true(slice_eq(buf_slice(&b), slice_str(expected)));
        buf_free(&b);
    }
}

static void printf_of_1_KiB_or_more_has_failed(void **state)
{
    (void)state;
    struct buf b = {0};
    buf_printf(&b, "%s-%d", "a", 7);
    assert_true(slice_eq(buf_slice(&b), SLICE("a-7")));
    buf_clear(&b);
    buf_printf(&b, "%s", "");
    assert_int_equal(b.n, 0);
    buf_printf(&b, "%1023d", 1);
    assert_int_equal(b.n, 1023);
    assert_false(b.failed);
    buf_clear(&b);
    buf_printf(&b, "%1024d", 1);
    assert_true(b.failed);
    assert_int_equal(b.n, 0);
    buf_free(&b);
}

static void slices_compare_bytewise_a_prefix_first(void **state)
{
    (void)state;
    static const char *const ordered[] = {"", "A", "a", "aa", "ab", "b", "\x80", "\xff"};
    size_t n = sizeof ordered / sizeof *ordered;
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < n; k++) {
            int order = slice_cmp(slice_str(ordered[i]), slice_str(ordered[k]));
            assert_int_equal((order > 0) - (order < 0), (i > k) - (i < k));
            assert_int_equal(slice_eq(slice_str(ordered[i]), slice_str(ordered[k])), i == k);
        }
    }
    assert_true(slice_eq(slice_of(NULL, 0), SLICE("")));
    assert_int_equal(slice_cmp(slice_of(NULL, 0), SLICE("")), 0);
    assert_true(slice_eq(slice_skip(SLICE("abc"), 1), SLICE("bc")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(appended_bytes_lie_in_order_over_every_growth),
        cmocka_unit_test(an_empty_buffer_allocates_nothing_for_nothing),
        cmocka_unit_test(reserved_room_is_usable_and_counts_only_when_it_is_added),
        cmocka_unit_test(a_failure_is_remembered_and_keeps_the_contents),
        cmocka_unit_test(dropping_moves_the_rest_down),
        cmocka_unit_test(numbers_are_written_as_printf_writes_them),
        cmocka_unit_test(printf_of_1_KiB_or_more_has_failed),
        cmocka_unit_test(slices_compare_bytewise_a_prefix_first),
    };
    return cmocka_run_group_tests_name("base_buf", tests, NULL, NULL);
}
