/* Marks: how far a user has read, and how much he has not. */
#include "../support/store_box.h"
#include "../support/test.h"

#include <errno.h>

static struct box box, *const b = &box;
static unsigned marked, moved;
static struct store_mark last;

static void on_marked(void *ctx, const struct store_mark *mark)
{
    (void)ctx;
    marked++;
    moved += mark->moved;
    last = *mark;
}

static int start(void **state)
{
    (void)state;
    box_init(b);
    b->checkpoints = true;
    b->options.marked = on_marked;
    marked = moved = 0;
    return 0;
}

static int stop(void **state)
{
    (void)state;
    box_fini(b);
    return 0;
}

static int mark(const char *reader, const char *other, uint64_t up_to)
{
    uint64_t id;
    int result = store_mark(b->store, slice_str(reader), slice_str(other), up_to, 1000, &id);
    if (!result)
        box_commit(b);
    return result;
}

/* What the user's only snippet says. */
static void expect(const char *user, uint32_t unread, uint64_t read_up_to)
{
    struct store_read read;
    struct store_message m;
    assert_int_equal(store_read_snippets(b->store, &read, slice_str(user)), STORE_OK);
    assert_int_equal(store_read_next(b->store, &read, &m), STORE_OK);
    assert_int_equal(read.unread, unread);
    assert_int_equal(read.read_up_to, read_up_to);
    assert_int_equal(store_read_next(b->store, &read, &m), STORE_END);
    store_read_end(&read);
}

static void test_unread_is_what_the_other_one_sent_behind_the_mark(void **state)
{
    (void)state;
    box_open(b);
    for (int i = 0; i < 6; i++) /* 1, 3, 5 are ann's */
        box_send(b, i % 2 ? "bob" : "ann", i % 2 ? "ann" : "bob", "x");
    expect("ann", 3, 0);
    expect("bob", 3, 0);
    assert_int_equal(mark("bob", "ann", 3), 0);
    assert_true(marked == 1 && moved == 1 && last.up_to == 3);
    assert_true(slice_eq(last.reader, SLICE("bob")) && slice_eq(last.other, SLICE("ann")));
    expect("ann", 3, 3);
    expect("bob", 1, 0);
    assert_int_equal(mark("ann", "bob", 6), 0);
    expect("ann", 0, 3);
    expect("bob", 1, 6);
    box_send(b, "bob", "ann", "x");
    expect("ann", 1, 3);
    assert_string_equal(box_page(b, "ann", "bob", 0, 9, NULL), "x x x x x x x");
}

static void test_a_mark_never_moves_back_nor_beyond_the_conversation(void **state)
{
    (void)state;
    box_open(b);
    for (int i = 0; i < 4; i++)
        box_send(b, "ann", "bob", "x");
    box_send(b, "ann", "cid", "x");
    assert_int_equal(mark("bob", "ann", 5), -ERANGE);
    assert_int_equal(mark("bob", "cid", 1), -ERANGE);
    assert_int_equal(mark("bob", "dan", 1), -ERANGE);
    assert_int_equal(mark("bob", "ann", 3), 0);
    assert_int_equal(mark("bob", "ann", 3), STORE_KNOWN);
    assert_int_equal(mark("bob", "ann", 2), STORE_KNOWN);
    assert_int_equal(mark("bob", "ann", 4), 0);
    expect("bob", 0, 0);
    assert_true(marked == 2 && moved == 2);
}

/* Both are in one batch: the second is stored, and says nothing; also when the segment is arranged. */
static void test_the_highest_of_two_at_a_time_counts(void **state)
{
    (void)state;
    uint64_t id;
    b->options.arrange = true;
    box_open(b);
    for (int i = 0; i < 4; i++)
        box_send(b, "ann", "bob", "x");
    const uint64_t ids[] = {3, 1};
    for (int i = 0; i < 2; i++)
        assert_int_equal(store_mark(b->store, SLICE("bob"), SLICE("ann"), ids[i], 1000, &id), 0);
    box_commit(b);
    assert_true(marked == 2 && moved == 1);
    for (int i = 0; i < 4; i++) {
        expect("bob", 1, 0);
        box_close(b);
        if (i % 2)
            box_remove(b, "checkpoint");
        box_open(b);
        if (i == 1)
            assert_int_equal(store_compact(b->store, NULL, NULL), 0);
    }
    expect("bob", 1, 0);
    assert_int_equal(mark("bob", "ann", 3), STORE_KNOWN);
}

static void test_a_mark_that_is_not_stored_says_nothing(void **state)
{
    (void)state;
    box_open(b);
    box_send(b, "ann", "bob", "x");
    b->pwrite_error = ENOSPC;
    assert_int_equal(mark("bob", "ann", 1), 0);
    b->pwrite_error = 0;
    assert_true(marked == 0 && b->failed_count == 1);
    expect("bob", 1, 0);
    assert_int_equal(mark("bob", "ann", 1), 0);
    expect("bob", 0, 0);
    expect("ann", 0, 1);
}

static void test_what_is_dropped_is_neither_read_nor_unread(void **state)
{
    (void)state;
    struct store_stats stats;
    b->options.segment_size = 1;
    b->options.retain_bytes = 1500;
    box_open(b);
    for (int i = 0; i < 5; i++)
        box_send(b, "ann", "bob", "x");
    assert_int_equal(mark("bob", "ann", 2), 0);
    for (int i = 0; i < 12; i++) {
        box_send(b, "ann", "bob", "x");
        store_tick(b->store, 1000);
        store_get_stats(b->store, &stats);
        uint64_t count = 0;
        bool more;
        for (const char *p = box_page(b, "ann", "bob", 0, 99, &more); *p; p++)
            count += *p == 'x';
        if (stats.first_id > 3)
            expect("bob", (uint32_t)count, 0);
    }
    assert_true(stats.first_id > 3);
    box_reopen(b);
    assert_int_equal(mark("bob", "ann", stats.first_id - 1), STORE_KNOWN);
    assert_int_equal(mark("bob", "ann", 18), 0);
    expect("bob", 0, 0);
}

/* A mark may stay when the messages of its conversation are gone; it says nothing any more. */
static void check_outlived_mark(bool arranged)
{
    b->options.segment_size = 100;
    b->options.inline_commit = true;
    b->options.arrange = false;
    b->checkpoints = false; /* the numbers of conversations begin anew */
    box_open(b);
    box_send(b, "ann", "bob", "x");
    uint64_t id = box_send(b, "cleo", "dan", "x");
    for (int i = 0; i < 60; i++)
        box_send(b, "ann", "bob", "xxxxxxxxxxxxxxxxxxxx");
    assert_int_equal(mark("dan", "cleo", id), 0);
    box_send(b, "ann", "bob", "y");
    b->options.arrange = arranged;
    for (int i = 0; i < 2; i++, b->options.retain_bytes = 6400) {
        box_reopen(b);
        for (int k = 0; k < 200; k++)
            store_tick(b->store, 1000);
    }
    assert_string_equal(box_page(b, "cleo", "dan", 0, 9, NULL), "");
    assert_string_equal(strrchr(box_page(b, "ann", "bob", 0, 99, NULL), ' '), " y");
    b->options.arrange = true;
    box_reopen(b);
    box_send(b, "ann", "bob", "z");
    assert_int_equal(store_compact(b->store, NULL, NULL), 0);
    box_reopen(b);
    box_send(b, "cleo", "dan", "again");
    expect("dan", 1, 0);
}

static void test_compacting_passes_over_a_mark_that_outlived_its_messages(void **state)
{
    (void)state;
    check_outlived_mark(false);
}

static void test_merging_passes_over_a_mark_that_outlived_its_messages(void **state)
{
    (void)state;
    check_outlived_mark(true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_unread_is_what_the_other_one_sent_behind_the_mark,
                                        start, stop),
        cmocka_unit_test_setup_teardown(test_a_mark_never_moves_back_nor_beyond_the_conversation,
                                        start, stop),
        cmocka_unit_test_setup_teardown(test_the_highest_of_two_at_a_time_counts, start, stop),
        cmocka_unit_test_setup_teardown(test_a_mark_that_is_not_stored_says_nothing, start, stop),
        cmocka_unit_test_setup_teardown(test_what_is_dropped_is_neither_read_nor_unread, start,
                                        stop),
        cmocka_unit_test_setup_teardown(
            test_compacting_passes_over_a_mark_that_outlived_its_messages, start, stop),
        cmocka_unit_test_setup_teardown(test_merging_passes_over_a_mark_that_outlived_its_messages,
                                        start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
