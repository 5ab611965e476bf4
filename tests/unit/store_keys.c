/* Keys: what was sent once is not stored again, as long as it is remembered. */
#include "../support/store_box.h"
#include "../support/test.h"

#include "store/keys.h"

#include <errno.h>
#include <stdio.h>

static struct box box, *const b = &box;
static uint64_t id;
static int64_t date;

static int start(void **state)
{
    (void)state;
    box_init(b);
    b->checkpoints = true;
    return 0;
}

static int stop(void **state)
{
    (void)state;
    box_fini(b);
    return 0;
}

static int put(const char *from, const char *to, const char *content, const char *key, int64_t now)
{
    return store_append(b->store, slice_str(from), slice_str(to), slice_str(content),
                        slice_str(key), now, &id, &date);
}

static void test_the_second_of_a_key_is_the_first(void **state)
{
    (void)state;
    box_open(b);
    assert_int_equal(put("ann", "bob", "\"x\"", "k", 1000), 0);
    assert_int_equal(put("ann", "bob", "\"x\"", "k", 2000), STORE_PENDING);
    assert_true(id == 1 && date == 1000);
    assert_int_equal(put("ann", "bob", "\"y\"", "k", 2000), -EEXIST);
    assert_int_equal(put("ann", "cid", "\"x\"", "k", 2000), -EEXIST);
    box_commit(b);
    assert_int_equal(put("ann", "bob", "\"x\"", "k", 3000), STORE_KNOWN);
    assert_true(id == 1 && date == 1000);
    assert_int_equal(put("bob", "ann", "\"x\"", "k", 3000), 0);
    assert_int_equal(put("ann", "bob", "\"x\"", "K", 3000), 0);
    box_commit(b);
    assert_int_equal(b->committed_count, 3);
    struct store_stats stats;
    store_get_stats(b->store, &stats);
    assert_int_equal(stats.users, 2); /* none is made for what is refused */
}

static void test_what_was_not_stored_gives_its_key_back(void **state)
{
    (void)state;
    box_open(b);
    b->pwrite_error = ENOSPC;
    assert_int_equal(put("ann", "bob", "\"x\"", "k", 1000), 0);
    box_commit(b);
    assert_int_equal(b->failed_count, 1);
    b->pwrite_error = 0;
    assert_int_equal(put("ann", "bob", "\"y\"", "k", 1000), 0);
    box_commit(b);
    assert_int_equal(put("ann", "bob", "\"y\"", "k", 1000), STORE_KNOWN);
    assert_int_equal(id, 2);
}

static void test_what_was_stored_is_known_when_the_store_has_failed(void **state)
{
    (void)state;
    box_open(b);
    assert_int_equal(put("ann", "bob", "\"x\"", "k", 1000), 0);
    box_commit(b);
    b->sync_error = EIO;
    assert_int_equal(put("ann", "bob", "\"y\"", "l", 2000), 0);
    box_commit(b);
    assert_int_equal(store_failure(b->store), -EIO);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(put("ann", "bob", "\"x\"", "k", 3000), STORE_KNOWN);
        assert_true(id == 1 && date == 1000);
        assert_int_equal(put("ann", "bob", "\"y\"", "k", 3000), -EEXIST);
        assert_int_equal(put("ann", "bob", "\"y\"", "l", 3000), -EIO);
        assert_int_equal(put("ann", "bob", "\"x\"", "", 3000), -EIO);
    }
    store_flush(b->store);
    assert_int_equal(b->committed_count, 1);
}

static void test_keys_are_known_after_a_start(void **state)
{
    (void)state;
    b->options.segment_size = 300;
    b->options.arrange = true;
    box_open(b);
    for (int i = 0; i < 20; i++) {
        char key[8];
        snprintf(key, sizeof key, "k%d", i);
        assert_int_equal(put("ann", i % 2 ? "bob" : "cid", "\"x\"", key, 1000), 0);
        box_commit(b);
    }
    for (int i = 0; i < 3; i++) { /* by the checkpoint, then by the log, then by a new checkpoint */
        box_close(b);
        if (i == 1)
            box_remove(b, "checkpoint");
        box_open(b);
        assert_int_equal(put("ann", "cid", "\"x\"", "k0", 1000), STORE_KNOWN);
        assert_int_equal(id, 1);
        assert_int_equal(put("ann", "bob", "\"x\"", "k19", 1000), STORE_KNOWN);
        assert_int_equal(id, 20);
        assert_int_equal(put("ann", "bob", "\"x\"", "k18", 1000), -EEXIST);
    }
}

static void test_the_oldest_are_forgotten_when_there_are_too_many(void **state)
{
    (void)state;
    b->options.max_keys = 3;
    box_open(b);
    const char *const keys[] = {"1", "2", "3", "4"};
    for (int i = 0; i < 4; i++)
        assert_int_equal(put("ann", "bob", "\"x\"", keys[i], 1000), 0);
    box_commit(b);
    for (int i = 3; i > 0; i--)
        assert_int_equal(put("ann", "bob", "\"x\"", keys[i], 1000), STORE_KNOWN);
    assert_int_equal(put("ann", "bob", "\"x\"", "1", 1000), 0);
}

static void put_many(int from, int to, int64_t now)
{
    char key[16];
    for (int i = from; i < to; i++) {
        snprintf(key, sizeof key, "%d", i);
        assert_int_equal(put("ann", "bob", "\"x\"", key, now), 0);
    }
    box_commit(b);
}

static void test_so_they_are_after_a_day_but_for_the_last_thousand(void **state)
{
    (void)state;
    box_open(b);
    put_many(0, KEYS_LEAST + 3, 1000);
    /* A clock that was put forward by half a century, from 1970, makes nobody forget what was just sent. */
    int64_t later = 20000 * KEYS_MS;
    assert_int_equal(put("ann", "bob", "\"x\"", "3", later), STORE_KNOWN);
    assert_int_equal(put("ann", "bob", "\"x\"", "0", later), STORE_KNOWN);
    put_many(5000, 5001, later);
    assert_int_equal(put("ann", "bob", "\"x\"", "3", later), STORE_KNOWN);
    assert_int_equal(put("ann", "bob", "\"x\"", "0", later), 0);
    box_commit(b);
    box_reopen(b);
    assert_int_equal(put("ann", "bob", "\"x\"", "4", later), STORE_KNOWN);
    assert_int_equal(put("ann", "bob", "\"x\"", "0", later), STORE_KNOWN);
    assert_int_equal(id, KEYS_LEAST + 5);
    assert_int_equal(put("ann", "bob", "\"x\"", "1", later), 0);
    /* And one that is put back forgets nothing either. */
    assert_int_equal(put("ann", "bob", "\"x\"", "5000", 1000), STORE_KNOWN);
}

static void test_loading_takes_any_order_and_keeps_the_newest(void **state)
{
    (void)state;
    struct keys k;
    assert_int_equal(keys_init(&k, 4), 0);
    for (uint64_t i = 0; i < 50; i++) {
        struct key key = {.who = {(uint8_t)(i * 7 % 50)}, .id = i * 7 % 50 + 1, .date = 1};
        assert_int_equal(keys_load(&k, &key), 0);
        assert_int_equal(keys_load(&k, &key), 0);
    }
    assert_int_equal(keys_load_end(&k), 0);
    for (uint8_t i = 0; i < 50; i++) {
        const struct key key = {.who = {i}}, *found = keys_find(&k, &key);
        assert_true(i < 46 ? !found : found && found->id == i + 1u);
    }
    keys_forget(&k, 49);
    const struct key last = {.who = {48}}, before = {.who = {47}};
    assert_null(keys_find(&k, &last));
    assert_non_null(keys_find(&k, &before));
    keys_fini(&k);
}

/* After it was forgotten it may have been used again: when the old one goes, the new one stays. */
static void test_a_key_that_was_used_again_outlives_its_first_message(void **state)
{
    (void)state;
    struct keys k;
    assert_int_equal(keys_init(&k, 4), 0);
    const struct key first = {.who = {1}, .id = 1}, again = {.who = {1}, .id = 2};
    assert_int_equal(keys_load(&k, &first), 0);
    assert_int_equal(keys_load(&k, &again), 0);
    assert_int_equal(keys_load_end(&k), 0);
    for (uint8_t i = 3; i < 6; i++) {
        const struct key other = {.who = {i}, .id = i};
        assert_int_equal(keys_add(&k, &other), 0);
    }
    const struct key *found = keys_find(&k, &first);
    assert_true(found && found->id == 2);
    keys_fini(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_the_second_of_a_key_is_the_first, start, stop),
        cmocka_unit_test_setup_teardown(test_what_was_not_stored_gives_its_key_back, start, stop),
        cmocka_unit_test_setup_teardown(test_what_was_stored_is_known_when_the_store_has_failed,
                                        start, stop),
        cmocka_unit_test_setup_teardown(test_keys_are_known_after_a_start, start, stop),
        cmocka_unit_test_setup_teardown(test_the_oldest_are_forgotten_when_there_are_too_many,
                                        start, stop),
        cmocka_unit_test_setup_teardown(test_so_they_are_after_a_day_but_for_the_last_thousand,
                                        start, stop),
        cmocka_unit_test(test_loading_takes_any_order_and_keeps_the_newest),
        cmocka_unit_test(test_a_key_that_was_used_again_outlives_its_first_message),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
