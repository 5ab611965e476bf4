/* store: what opening makes of a log that a crash has cut, or that has been damaged. */
#include "../support/store_box.h"

#include "store/record.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static int setup(void **state)
{
    struct box *b = malloc(sizeof *b);
    assert_non_null(b);
    box_init(b);
    box_open(b);
    *state = b;
    return 0;
}

static int teardown(void **state)
{
    box_fini(*state);
    free(*state);
    return 0;
}

/* The file of a segment with the records that stand in it. */
struct image {
    uint8_t *p;
    size_t n;
    size_t at[16]; /* where its records begin; then its end */
    size_t count;
};

static struct image image_of(struct box *b, const char *name)
{
    struct image f = {0};
    f.p = box_load(b, name, &f.n);
    size_t at = SEGMENT_HEAD;
    struct record r;
    while (at < f.n) {
        assert_true(record_read(&r, f.p + at));
        f.at[f.count++] = at;
        at += r.length;
    }
    f.at[f.count] = at;
    return f;
}

/* Opens what stands in the folder, and tells how many messages are there. */
static uint64_t messages(struct box *b)
{
    struct store_stats stats;
    store_get_stats(b->store, &stats);
    return stats.messages;
}

/* Must be refused, for a reason in which `why` occurs; and the file stays as it is. */
static void check_damaged(struct box *b, const char *name, const char *why)
{
    size_t n, m;
    uint8_t *before = box_load(b, name, &n);
    assert_int_equal(box_try_open(b), STORE_DAMAGED);
    if (!strstr(b->error.text, why))
        fail_msg("%s: not found in: %s", why, b->error.text);
    uint8_t *after = box_load(b, name, &m);
    assert_int_equal(n, m);
    assert_memory_equal(before, after, n);
    free(before);
    free(after);
}

/* Batches of 1, 2 and 3 messages. */
static void put_batches(struct box *b)
{
    int i = 0;
    for (int batch = 1; batch <= 3; batch++) {
        for (int k = 0; k < batch; k++) {
            char text[16];
            snprintf(text, sizeof text, "m%d", ++i);
            box_put(b, i % 2 ? "alice" : "bob", i % 3 ? "bob" : "carol", text);
        }
        box_commit(b);
    }
}

static void test_a_torn_end_is_cut_off_wherever_the_cut_is(void **state)
{
    struct box *b = *state;
    put_batches(b);
    box_close(b);
    struct image f = image_of(b, box_segment(1));
    assert_int_equal(f.count, 6);
    for (size_t cut = f.at[3]; cut <= f.n; cut++) {
        /* Cut short, and with zeros or rubbish where the rest was to be. */
        for (int rest = 0; rest < 3; rest++) {
            uint8_t *p = malloc(f.n);
            assert_non_null(p);
            memcpy(p, f.p, f.n);
            memset(p + cut, rest == 1 ? 0 : 0x5a, f.n - cut);
            box_save(b, box_segment(1), p, rest ? f.n : cut);
            free(p);
            uint64_t whole = 3;
            while (whole < 6 && f.at[whole + 1] <= cut)
                whole++;
            box_open(b);
            assert_int_equal(messages(b), whole);
            assert_int_equal(box_send(b, "alice", "carol", "next"), whole + 1);
            box_reopen(b);
            assert_int_equal(messages(b), whole + 1);
            box_close(b);
        }
    }
    free(f.p);
}

static void test_prepared_space_is_told_from_the_log(void **state)
{
    struct box *b = *state;
    put_batches(b);
    box_close(b);
    struct image f = image_of(b, box_segment(1));
    static const size_t zeros[] = {1, 254, 255, 256, 5000, 3 << 20};
    for (size_t i = 0; i < sizeof zeros / sizeof *zeros; i++) {
        uint8_t *p = calloc(1, f.n + zeros[i]);
        assert_non_null(p);
        memcpy(p, f.p, f.n);
        box_save(b, box_segment(1), p, f.n + zeros[i]);
        *b->last_log = 0;
        box_open(b);
        assert_string_equal(b->last_log, "");
        assert_int_equal(messages(b), 6);
        box_close(b);
        size_t n;
        free(p);
        free(box_load(b, box_segment(1), &n));
        assert_int_equal(n, f.n);
    }
    free(f.p);
}

static void test_a_hole_in_the_last_batch_is_torn_and_before_it_is_damage(void **state)
{
    struct box *b = *state;
    put_batches(b);
    box_close(b);
    struct image f = image_of(b, box_segment(1));
    /* The pages of a batch that was being written reach the disk in any order. */
    uint8_t *p = malloc(f.n);
    assert_non_null(p);
    memcpy(p, f.p, f.n);
    memset(p + f.at[4], 0, f.at[5] - f.at[4]);
    box_save(b, box_segment(1), p, f.n);
    box_open(b);
    assert_int_equal(messages(b), 4);
    assert_non_null(strstr(b->last_log, "cut off"));
    box_close(b);
    /* The same hole when a batch was written behind it: that was after it was durable. */
    box_save(b, box_segment(1), f.p, f.n);
    box_open(b);
    box_send(b, "alice", "bob", "later");
    box_close(b);
    free(p);
    p = box_load(b, box_segment(1), &f.n);
    memset(p + f.at[4], 0, f.at[5] - f.at[4]);
    box_save(b, box_segment(1), p, f.n);
    check_damaged(b, box_segment(1), "message 7");
    free(p);
    free(f.p);
}

static void test_no_flipped_bit_goes_unseen(void **state)
{
    struct box *b = *state;
    put_batches(b);
    box_close(b);
    struct image f = image_of(b, box_segment(1));
    for (size_t i = 0; i < f.n; i++) {
        for (int bit = 0; bit < 8; bit++) {
            f.p[i] ^= (uint8_t)(1 << bit);
            box_save(b, box_segment(1), f.p, f.n);
            enum store_status status = box_try_open(b);
            if (i < f.at[3]) {
                assert_int_equal(status, STORE_DAMAGED);
                assert_non_null(strstr(b->error.text, "0000000000000001.seg"));
                assert_non_null(strstr(b->error.text, "parley-log repair DIR COPY"));
            } else {
                assert_int_equal(status, STORE_OK);
                assert_int_equal(messages(b), i < f.at[4] ? 3 : i < f.at[5] ? 4 : 5);
                box_close(b);
            }
            f.p[i] ^= (uint8_t)(1 << bit);
        }
    }
    free(f.p);
}

static void test_a_flipped_bit_in_an_older_segment_is_damage(void **state)
{
    struct box *b = *state;
    box_close(b);
    b->options.segment_size = 200;
    box_open(b);
    box_send(b, "alice", "bob", "one");
    box_send(b, "alice", "bob", "two");
    box_close(b);
    size_t n;
    uint8_t *p = box_load(b, box_segment(1), &n);
    for (size_t i = 0; i < n; i++) {
        p[i] ^= 4;
        box_save(b, box_segment(1), p, n);
        check_damaged(b, box_segment(1), "0000000000000001.seg");
        p[i] ^= 4;
    }
    /* Cut short at its end: the next segment does not join. */
    box_save(b, box_segment(1), p, n - 1);
    check_damaged(b, box_segment(1), "a later segment was begun");
    box_save(b, box_segment(1), p, SEGMENT_HEAD);
    check_damaged(b, box_segment(2), "a segment is missing or cut short");
    box_save(b, box_segment(1), p, 0);
    check_damaged(b, box_segment(1), "not the head of a segment");
    box_save(b, box_segment(1), p, n);
    box_open(b);
    free(p);
}

static void test_a_missing_segment_is_damage(void **state)
{
    struct box *b = *state;
    box_close(b);
    b->options.segment_size = 200;
    box_open(b);
    for (int i = 0; i < 3; i++)
        box_send(b, "alice", "bob", "x");
    box_close(b);
    for (uint64_t id = 1; id <= 2; id++) {
        size_t n;
        uint8_t *p = box_load(b, box_segment(id), &n);
        box_remove(b, box_segment(id));
        check_damaged(b, box_segment(3), "a segment is missing");
        box_save(b, box_segment(id), p, n);
        free(p);
    }
    box_open(b);
}

static void test_a_segment_of_another_log_is_damage(void **state)
{
    struct box *b = *state;
    struct box other;
    box_init(&other);
    struct box *both[] = {b, &other};
    for (int i = 0; i < 2; i++) {
        box_close(both[i]);
        both[i]->options.segment_size = 200;
        box_open(both[i]);
        box_send(both[i], "alice", "bob", "x");
        box_send(both[i], "alice", "bob", "x");
        box_close(both[i]);
    }
    size_t n;
    uint8_t *p = box_load(&other, box_segment(2), &n);
    box_save(b, box_segment(2), p, n);
    check_damaged(b, box_segment(2), "part of another log");
    free(p);
    box_fini(&other);
}

static void test_a_segment_under_another_name_is_damage(void **state)
{
    struct box *b = *state;
    box_send(b, "alice", "bob", "x");
    box_close(b);
    size_t n;
    uint8_t *p = box_load(b, box_segment(1), &n);
    box_remove(b, box_segment(1));
    box_save(b, box_segment(0), p, n);
    check_damaged(b, box_segment(0), "this is the segment of id 1");
    free(p);
}

static void test_a_newer_format_is_refused(void **state)
{
    struct box *b = *state;
    box_send(b, "alice", "bob", "x");
    box_close(b);
    size_t n;
    uint8_t *p = box_load(b, box_segment(1), &n);
    p[8] = 2;
    box_save(b, box_segment(1), p, n);
    check_damaged(b, box_segment(1), "version 2, and this program reads 1");
    /* Also if nothing but the head is there. */
    box_save(b, box_segment(1), p, SEGMENT_HEAD);
    check_damaged(b, box_segment(1), "version 2");
    /* With a check that is not ours, it is no damage. */
    p[60] ^= 1;
    box_save(b, box_segment(1), p, n);
    assert_int_equal(box_try_open(b), STORE_DAMAGED);
    assert_non_null(strstr(b->error.text, "start the parley that wrote it, or a newer one"));
    assert_null(strstr(b->error.text, "damaged"));
    free(p);
}

static void test_files_of_others_are_left_alone(void **state)
{
    struct box *b = *state;
    box_send(b, "alice", "bob", "x");
    box_save(b, "secret", "0123", 4);
    box_save(b, "seg", "0123", 4);
    box_save(b, "0000000000000001.seg.old", "0123", 4);
    box_reopen(b);
    assert_int_equal(messages(b), 1);
    assert_true(box_exists(b, "secret"));
    assert_true(box_exists(b, "0000000000000001.seg.old"));
}

static void test_a_file_named_seg_that_is_none_is_damage(void **state)
{
    struct box *b = *state;
    box_send(b, "alice", "bob", "x");
    box_close(b);
    static const char *const names[] = {"my.seg", "000000000000000A.seg", "12.seg", ".seg"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        box_save(b, names[i], "0123", 4);
        check_damaged(b, names[i], names[i]);
        box_remove(b, names[i]);
    }
    box_save(b, box_segment(9), "0123", 4);
    check_damaged(b, box_segment(9), "not the head of a segment");
}

static void test_a_segment_begun_and_never_used_is_removed(void **state)
{
    struct box *b = *state;
    box_send(b, "alice", "bob", "x");
    box_close(b);
    struct segment_head head = {.first_id = 2, .log = 7};
    uint8_t p[SEGMENT_HEAD];
    segment_head_write(&head, p);
    for (size_t n = 0; n <= SEGMENT_HEAD; n++) {
        uint8_t torn[SEGMENT_HEAD] = {0};
        memcpy(torn, p, n < SEGMENT_HEAD ? n : 20);
        box_save(b, box_segment(2), torn, n);
        box_open(b);
        assert_int_equal(messages(b), 1);
        assert_false(box_exists(b, box_segment(2)));
        box_close(b);
    }
    /* Behind it the log is whole, or it would not have been begun. */
    size_t n;
    uint8_t *log = box_load(b, box_segment(1), &n);
    box_save(b, box_segment(1), log, n - 1);
    box_save(b, box_segment(2), "", 0);
    check_damaged(b, box_segment(1), "a later segment was begun");
    assert_true(box_exists(b, box_segment(2)));
    free(log);
}

/* Its check ends in a zero byte, which the file does not have. */
static void test_a_head_that_lacks_a_zero_is_unfinished(void **state)
{
    struct box *b = *state;
    box_send(b, "alice", "bob", "x");
    struct store_stats stats;
    store_get_stats(b->store, &stats);
    box_close(b);
    size_t n;
    uint8_t *log = box_load(b, box_segment(1), &n), p[SEGMENT_HEAD], *end = p + SEGMENT_HEAD - 1;
    uint32_t version;
    struct segment_head head;
    assert_int_equal(segment_head_read(&head, log, &version), SEGMENT_HEAD_OK);
    head.base = stats.bytes;
    head.first_id = 1;
    do {
        head.first_id++;
        segment_head_write(&head, p);
    } while (*end);
    box_save(b, box_segment(head.first_id), p, SEGMENT_HEAD - 1);
    box_open(b);
    assert_int_equal(messages(b), 1);
    assert_false(box_exists(b, box_segment(head.first_id)));
    free(log);
}

static void test_a_first_segment_that_was_never_finished_is_begun_anew(void **state)
{
    struct box *b = *state;
    box_close(b);
    box_save(b, box_segment(1), "", 0);
    box_open(b);
    assert_int_equal(box_send(b, "alice", "bob", "x"), 1);
    box_reopen(b);
    assert_int_equal(messages(b), 1);
}

static void test_ids_skip_ahead_after_an_unsynced_end(void **state)
{
    struct box *b = *state;
    box_close(b);
    b->options.sync = STORE_SYNC_NONE;
    box_open(b);
    b->syncs = 0;
    box_send(b, "alice", "bob", "one");
    assert_int_equal(b->syncs, 1); /* the flag must be durable before more is shown */
    box_send(b, "alice", "bob", "two");
    assert_int_equal(b->syncs, 1);
    b->options.sync = STORE_SYNC_ALWAYS;
    box_reopen(b);
    assert_int_equal(box_send(b, "alice", "bob", "three"), 2 + (1 << 20) + 1);
    box_reopen(b);
    assert_int_equal(box_send(b, "alice", "bob", "four"), 2 + (1 << 20) + 2);
    assert_string_equal(box_page(b, "alice", "bob", 0, 10, NULL), "one two three four");
}

static void test_a_hole_in_what_was_never_synced_is_torn(void **state)
{
    struct box *b = *state;
    box_close(b);
    b->options.sync = STORE_SYNC_NONE;
    box_open(b);
    for (int i = 0; i < 5; i++)
        box_send(b, "alice", "bob", "x");
    box_close(b);
    struct image f = image_of(b, box_segment(1));
    f.p[f.at[2] + 50] ^= 1;
    box_save(b, box_segment(1), f.p, f.n);
    box_open(b);
    assert_int_equal(messages(b), 2);
    box_close(b);
    f.p[f.at[2] + 50] ^= 1;
    f.p[f.at[0] + 50] ^= 1; /* the first batch is synced, and the second knows it */
    box_save(b, box_segment(1), f.p, f.n);
    check_damaged(b, box_segment(1), "message 2");
    free(f.p);
}

static void test_what_may_not_be_durable_is_written_again(void **state)
{
    struct box *b = *state;
    b->sync_error = b->truncate_error = EIO;
    box_send(b, "alice", "bob", "x");
    assert_int_equal(b->failed_count, 1);
    b->sync_error = b->truncate_error = 0;
    box_close(b);
    b->pwrites = 0;
    box_open(b);
    struct image f = image_of(b, box_segment(1));
    assert_int_equal(f.count, 1);
    assert_int_equal(b->pwrites, 1);
    assert_int_equal(b->pwrite_at, SEGMENT_HEAD);
    assert_int_equal(b->pwrite_n, f.n - SEGMENT_HEAD);
    free(f.p);
    put_batches(b);
    box_close(b);
    b->pwrites = 0;
    box_open(b);
    f = image_of(b, box_segment(1));
    assert_int_equal(b->pwrites, 1);
    assert_int_equal(b->pwrite_at, f.at[4]); /* the last of 1, 1, 2 and 3 */
    assert_int_equal(b->pwrite_n, f.n - f.at[4]);
    free(f.p);
}

/* A whole record, checked, whose contents cannot be. */
static void test_a_record_that_contradicts_the_log_is_damage(void **state)
{
    struct box *b = *state;
    box_send(b, "alice", "bob", "one");
    box_send(b, "alice", "bob", "two");
    box_close(b);
    struct image f = image_of(b, box_segment(1));
    struct record good, bad;
    assert_true(record_read(&good, f.p + f.at[1]));
    static const char *const why[] = {"id 1 comes after 1",
                                      "conversation 7 cannot be: not so many were begun",
                                      "said to be at place 0", "is between users who have another"};
    for (int i = 0; i < 4; i++) {
        bad = good;
        if (i == 0)
            bad.id = 1;
        else if (i == 1)
            bad.conversation = 7;
        else if (i == 2)
            bad.prev = 0;
        else
            bad.conversation = 1;
        record_seal(&bad, f.p + f.at[1], f.at[1]);
        box_save(b, box_segment(1), f.p, f.n);
        check_damaged(b, box_segment(1), why[i]);
    }
    bad = good;
    bad.conversation = 1;
    f.p[f.at[1] + RECORD_HEAD] = '[';
    record_seal(&bad, f.p + f.at[1], f.at[1]);
    box_save(b, box_segment(1), f.p, f.n);
    check_damaged(b, box_segment(1), "does not say who wrote it");
    free(f.p);
}

static void test_a_failing_system_is_not_called_damage(void **state)
{
    struct box *b = *state;
    box_close(b);
    b->sync_error = EIO;
    assert_int_equal(box_try_open(b), STORE_IO);
    assert_non_null(strstr(b->error.text, "cannot sync 0000000000000001.seg"));
    b->sync_error = 0;
    box_remove(b, box_segment(1));
    b->open_error = EROFS;
    assert_int_equal(box_try_open(b), STORE_SYSTEM);
    assert_non_null(strstr(b->error.text, "cannot create 0000000000000001.seg"));
    b->open_error = 0;
    box_open(b);
}

static void test_a_folder_in_use_is_locked(void **state)
{
    struct box *b = *state;
    struct disk second;
    assert_int_equal(disk_open_dir(&second, b->path), 0);
    struct store_options options = b->options;
    options.disk = &second;
    struct store *store;
    struct store_error error;
    assert_int_equal(store_open(&store, &options, &error), STORE_LOCKED);
    assert_non_null(strstr(error.text, "another process"));
    box_close(b);
    assert_int_equal(store_open(&store, &options, &error), STORE_OK);
    store_close(store);
    disk_close_dir(&second);
}

#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_a_torn_end_is_cut_off_wherever_the_cut_is),
        T(test_prepared_space_is_told_from_the_log),
        T(test_a_hole_in_the_last_batch_is_torn_and_before_it_is_damage),
        T(test_no_flipped_bit_goes_unseen),
        T(test_a_flipped_bit_in_an_older_segment_is_damage),
        T(test_a_missing_segment_is_damage),
        T(test_a_segment_of_another_log_is_damage),
        T(test_a_segment_under_another_name_is_damage),
        T(test_a_newer_format_is_refused),
        T(test_files_of_others_are_left_alone),
        T(test_a_file_named_seg_that_is_none_is_damage),
        T(test_a_segment_begun_and_never_used_is_removed),
        T(test_a_head_that_lacks_a_zero_is_unfinished),
        T(test_a_first_segment_that_was_never_finished_is_begun_anew),
        T(test_ids_skip_ahead_after_an_unsynced_end),
        T(test_a_hole_in_what_was_never_synced_is_torn),
        T(test_what_may_not_be_durable_is_written_again),
        T(test_a_record_that_contradicts_the_log_is_damage),
        T(test_a_failing_system_is_not_called_damage),
        T(test_a_folder_in_use_is_locked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
