/* store: when a message counts as committed, and what a failing disk does. */
#include "../support/store_box.h"

#include "store/commit.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <errno.h>
#include <sched.h>
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

static void open_threaded(struct box *b, enum store_sync sync, uint32_t sync_ms)
{
    box_close(b);
    b->options.inline_commit = false;
    b->options.sync = sync;
    b->options.sync_ms = sync_ms;
    box_open(b);
    b->syncs = b->pwrites = 0;
}

static unsigned read_count(const unsigned *count)
{
    return __atomic_load_n(count, __ATOMIC_SEQ_CST);
}

static void test_a_batch_is_one_write_and_one_sync(void **state)
{
    struct box *b = *state;
    b->syncs = b->pwrites = 0;
    for (int i = 0; i < 5; i++)
        box_put(b, "alice", "bob", "x");
    assert_int_equal(b->pwrites, 0);
    box_commit(b);
    assert_int_equal(b->pwrites, 1);
    assert_int_equal(b->syncs, 1);
    assert_int_equal(b->committed_count, 5);
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(b->committed[i].id, i + 1);
    struct store_stats stats;
    store_get_stats(b->store, &stats);
    assert_int_equal(stats.batches, 1);
    size_t n;
    free(box_load(b, box_segment(1), &n));
    assert_int_equal(stats.bytes, n);
}

static void test_nothing_is_committed_before_its_sync_returns(void **state)
{
    struct box *b = *state;
    open_threaded(b, STORE_SYNC_ALWAYS, 0);
    pthread_mutex_lock(&b->gate);
    box_put(b, "alice", "bob", "one");
    store_flush(b->store);
    while (read_count(&b->pwrites) == 0)
        sched_yield();
    /* Written, and the sync has begun or will: nothing may be heard of it. */
    box_put(b, "alice", "bob", "two");
    store_flush(b->store);
    store_collect(b->store);
    assert_int_equal(b->committed_count, 0);
    assert_string_equal(box_page(b, "alice", "bob", 0, 10, NULL), "");
    pthread_mutex_unlock(&b->gate);
    box_wait(b);
    store_collect(b->store);
    assert_int_equal(read_count(&b->syncs), 1);
    assert_int_equal(b->committed_count, 1);
    box_commit(b);
    assert_int_equal(read_count(&b->syncs), 2);
    assert_int_equal(b->committed_count, 2);
    assert_string_equal(box_page(b, "alice", "bob", 0, 10, NULL), "one two");
    /* Also the second was written when all in front of it was durable, and says so. */
    size_t n;
    uint8_t *p = box_load(b, box_segment(1), &n);
    struct record first, second;
    assert_true(record_read(&first, p + SEGMENT_HEAD));
    assert_true(record_read(&second, p + SEGMENT_HEAD + first.length));
    assert_int_equal(first.back, 0);
    assert_int_equal(second.back, 0);
    free(p);
}

static void test_timed_commits_when_written_and_syncs_later(void **state)
{
    struct box *b = *state;
    open_threaded(b, STORE_SYNC_TIMED, 1);
    box_send(b, "alice", "bob", "one");
    assert_int_equal(read_count(&b->syncs), 1); /* the first batch, in every mode */
    pthread_mutex_lock(&b->gate);
    box_send(b, "alice", "bob", "two");
    assert_int_equal(b->committed_count, 2);
    assert_int_equal(read_count(&b->syncs), 1);
    pthread_mutex_unlock(&b->gate);
    while (read_count(&b->syncs) < 2)
        sched_yield();
}

static void test_without_sync_closing_syncs(void **state)
{
    struct box *b = *state;
    open_threaded(b, STORE_SYNC_NONE, 0);
    for (int i = 0; i < 4; i++)
        box_send(b, "alice", "bob", "x");
    assert_int_equal(read_count(&b->syncs), 1);
    box_close(b);
    assert_int_equal(b->syncs, 2);
}

static void test_a_new_segment_is_begun_when_the_old_one_is_durable(void **state)
{
    struct box *b = *state;
    box_close(b);
    b->options.segment_size = 1300;
    b->options.sync = STORE_SYNC_NONE;
    box_open(b);
    box_send(b, "alice", "bob", "one");
    box_send(b, "alice", "bob", "two");
    b->syncs = b->dir_syncs = 0;
    box_send(b, "alice", "bob", "three");
    assert_int_equal(b->syncs_at_create, 1);
    assert_int_equal(b->syncs, 3); /* the old one, the new one, its first batch */
    assert_int_equal(b->dir_syncs, 1);
    box_send(b, "alice", "bob", "four");
    assert_int_equal(b->syncs, 3);
}

static void test_closing_commits_what_gathers(void **state)
{
    struct box *b = *state;
    open_threaded(b, STORE_SYNC_ALWAYS, 0);
    box_put(b, "alice", "bob", "one");
    store_flush(b->store);
    box_put(b, "alice", "bob", "two");
    box_close(b);
    assert_int_equal(b->committed_count, 2);
    box_open(b);
    assert_string_equal(box_page(b, "alice", "bob", 0, 10, NULL), "one two");
}

static void test_a_full_disk_fails_both_batches_and_passes(void **state)
{
    struct box *b = *state;
    static const int errors[] = {ENOSPC, EDQUOT, EFBIG};
    box_send(b, "alice", "bob", "one");
    box_send(b, "alice", "carol", "c1");
    for (size_t i = 0; i < 3; i++) {
        b->pwrite_error = errors[i];
        b->pwrite_partial = 70;
        b->failed_count = 0;
        uint64_t first = box_put(b, "alice", "bob", "lost");
        box_put(b, "dave", "erin", "lost");
        store_flush(b->store);
        box_put(b, "alice", "carol", "lost too");
        box_put(b, "alice", "frank", "lost too");
        store_collect(b->store);
        assert_int_equal(b->failed_count, 4);
        for (size_t k = 0; k < 4; k++)
            assert_int_equal(b->failed[k], first + k);
        assert_int_equal(b->failed_error, -errors[i]);
        assert_int_equal(store_failure(b->store), 0);
        assert_string_equal(box_page(b, "alice", "bob", 0, 10, NULL), "one");
        struct store_stats stats;
        store_get_stats(b->store, &stats);
        assert_int_equal(stats.users, 3);
        assert_int_equal(stats.conversations, 2);
        size_t n;
        free(box_load(b, box_segment(1), &n));
        assert_int_equal(stats.bytes, n);
    }
    b->pwrite_error = 0;
    box_send(b, "bob", "alice", "two");
    box_send(b, "carol", "alice", "c2");
    box_send(b, "gina", "dave", "new");
    for (int i = 0; i < 2; i++) {
        assert_string_equal(box_page(b, "alice", "bob", 0, 10, NULL), "one two");
        assert_string_equal(box_page(b, "alice", "carol", 0, 10, NULL), "c1 c2");
        assert_string_equal(box_snippets(b, "dave"), "new");
        assert_string_equal(box_snippets(b, "erin"), "");
        box_reopen(b);
    }
}

static void test_a_full_disk_at_a_new_segment_passes(void **state)
{
    struct box *b = *state;
    box_close(b);
    b->options.segment_size = 200;
    box_open(b);
    box_send(b, "alice", "bob", "one");
    /* No room for the file; for its head; for the batch. */
    b->open_error = ENOSPC;
    box_send(b, "alice", "bob", "lost");
    assert_int_equal(b->failed_count, 1);
    b->open_error = 0;
    b->pwrite_error = ENOSPC;
    b->pwrite_partial = 10;
    box_send(b, "alice", "bob", "lost");
    assert_int_equal(b->failed_count, 2);
    assert_false(box_exists(b, box_segment(3)));
    b->pwrites_good = 1;
    box_send(b, "alice", "bob", "lost");
    assert_int_equal(b->failed_count, 3);
    assert_true(box_exists(b, box_segment(4)));
    b->pwrite_error = 0;
    assert_int_equal(box_send(b, "alice", "bob", "two"), 5);
    assert_false(box_exists(b, box_segment(5)));
    assert_int_equal(box_send(b, "alice", "bob", "three"), 6);
    assert_int_equal(store_failure(b->store), 0);
    for (int i = 0; i < 2; i++) {
        assert_string_equal(box_page(b, "alice", "bob", 0, 10, NULL), "one two three");
        struct store_stats stats;
        store_get_stats(b->store, &stats);
        assert_int_equal(stats.segments, 3);
        box_reopen(b);
    }
}

/* Else an unfinished head would come to stand in the middle of the log. */
static void test_a_new_segment_that_failed_is_gone_for_good_or_ends_all_writing(void **state)
{
    struct box *b = *state;
    box_close(b);
    b->options.segment_size = 200;
    box_open(b);
    box_send(b, "alice", "bob", "one");
    b->pwrite_error = ENOSPC;
    b->dir_syncs = 0;
    box_send(b, "alice", "bob", "lost");
    assert_int_equal(b->dir_syncs, 1);
    assert_int_equal(store_failure(b->store), 0);
    b->remove_error = ENOSPC;
    box_send(b, "alice", "bob", "lost");
    assert_true(box_exists(b, box_segment(3)));
    assert_int_equal(store_failure(b->store), -EIO);
    b->pwrite_error = b->remove_error = 0;
    box_reopen(b);
    assert_false(box_exists(b, box_segment(3)));
    box_send(b, "alice", "bob", "two");
    assert_string_equal(box_page(b, "alice", "bob", 0, 10, NULL), "one two");
}

/* Each makes room for its segment when it begins to gather, before the other has taken its own. */
static void test_two_batches_at_a_time_may_begin_segments(void **state)
{
    struct box *b = *state;
    box_close(b);
    b->options.segment_size = 200;
    box_open(b);
    box_send(b, "alice", "bob", "x");
    for (int i = 0; i < 20; i++) {
        box_put(b, "alice", "bob", "x");
        store_flush(b->store);
        box_put(b, "alice", "bob", "x");
        store_collect(b->store);
        box_commit(b);
    }
    box_reopen(b);
    struct store_stats stats;
    store_get_stats(b->store, &stats);
    assert_int_equal(stats.messages, 41);
    assert_int_equal(stats.segments, 41);
}

static void test_no_id_goes_below_the_name_of_an_empty_segment(void **state)
{
    struct box *b = *state;
    box_close(b);
    b->options.segment_size = 200;
    box_open(b);
    box_send(b, "alice", "bob", "one");
    b->open_error = ENOSPC;
    box_send(b, "alice", "bob", "lost");
    b->open_error = 0;
    b->pwrite_error = ENOSPC;
    b->pwrites_good = 1;
    box_send(b, "alice", "bob", "lost");
    assert_true(box_exists(b, box_segment(3)));
    b->pwrite_error = 0;
    box_reopen(b);
    assert_int_equal(box_send(b, "alice", "bob", "two"), 3);
    box_reopen(b);
    assert_string_equal(box_page(b, "alice", "bob", 0, 10, NULL), "one two");
}

static void check_final(struct box *b, int error)
{
    assert_int_equal(b->failed_count, 2);
    assert_int_equal(b->failed[0], 2);
    assert_int_equal(b->failed[1], 3);
    assert_int_equal(store_failure(b->store), error);
    assert_int_equal(box_try_put(b, "alice", "bob", "refused"), error);
    /* Reads go on. */
    assert_string_equal(box_page(b, "alice", "bob", 0, 10, NULL), "one");
    b->sync_error = b->pwrite_error = b->truncate_error = 0;
    assert_int_equal(box_try_put(b, "alice", "bob", "refused"), error);
    box_reopen(b);
    assert_int_equal(store_failure(b->store), 0);
    box_send(b, "alice", "bob", "last");
}

static void put_two(struct box *b)
{
    box_put(b, "alice", "bob", "two");
    store_flush(b->store);
    box_put(b, "alice", "bob", "three");
    box_wait(b);
    store_collect(b->store);
}

static void test_a_failed_sync_is_final(void **state)
{
    struct box *b = *state;
    box_send(b, "alice", "bob", "one");
    b->sync_error = EIO;
    b->syncs = 0;
    put_two(b);
    store_flush(b->store);
    store_collect(b->store);
    assert_int_equal(b->syncs, 1); /* no second try */
    check_final(b, -EIO);
    /* The batch was written whole, and is cut off: what was refused does not come back. */
    assert_string_equal(box_page(b, "alice", "bob", 0, 10, NULL), "one last");
}

static void test_a_full_disk_found_by_sync_is_final(void **state)
{
    struct box *b = *state;
    box_send(b, "alice", "bob", "one");
    b->sync_error = ENOSPC;
    put_two(b);
    check_final(b, -ENOSPC);
}

static void test_an_io_error_of_a_write_is_final(void **state)
{
    struct box *b = *state;
    box_send(b, "alice", "bob", "one");
    b->pwrite_error = EIO;
    b->pwrite_partial = 20;
    put_two(b);
    check_final(b, -EIO);
    assert_string_equal(box_page(b, "alice", "bob", 0, 10, NULL), "one last");
}

static void test_what_cannot_be_cut_off_is_final(void **state)
{
    struct box *b = *state;
    box_send(b, "alice", "bob", "one");
    b->pwrite_error = ENOSPC;
    b->pwrite_partial = 20;
    b->truncate_error = EIO;
    put_two(b);
    check_final(b, -EIO);
    assert_string_equal(box_page(b, "alice", "bob", 0, 10, NULL), "one last");
}

static void test_a_failed_timed_sync_is_heard_of(void **state)
{
    struct box *b = *state;
    open_threaded(b, STORE_SYNC_TIMED, 1);
    box_send(b, "alice", "bob", "one");
    pthread_mutex_lock(&b->gate);
    box_send(b, "alice", "bob", "two");
    b->sync_error = EIO;
    box_put(b, "alice", "bob", "three");
    pthread_mutex_unlock(&b->gate);
    box_wait(b);
    store_collect(b->store);
    assert_int_equal(store_failure(b->store), -EIO);
    assert_int_equal(b->failed_count, 1);
    assert_int_equal(b->failed[0], 3);
    assert_string_equal(box_page(b, "alice", "bob", 0, 10, NULL), "one two");
    b->sync_error = 0;
}

static void test_each_message_fails_once_when_a_timed_sync_does(void **state)
{
    struct box *b = *state;
    open_threaded(b, STORE_SYNC_TIMED, 1);
    box_send(b, "alice", "bob", "one");
    b->syncs_begun = 0;
    pthread_mutex_lock(&b->gate);
    b->sync_error = EIO;
    box_send(b, "alice", "bob", "two");
    while (read_count(&b->syncs_begun) == 0)
        sched_yield();
    /* The thread is in the sync; a batch waits for it, another gathers. */
    box_put(b, "alice", "bob", "three");
    store_flush(b->store);
    box_put(b, "alice", "bob", "four");
    pthread_mutex_unlock(&b->gate);
    while (b->failed_count < 2) {
        box_wait(b);
        store_collect(b->store);
    }
    store_collect(b->store);
    assert_int_equal(b->failed_count, 2);
    assert_int_equal(b->failed[0], 3);
    assert_int_equal(b->failed[1], 4);
    b->sync_error = 0;
}

static void test_a_failure_is_not_heard_of_before_the_batch_that_meets_it(void **state)
{
    struct box *b = *state;
    struct commit c;
    struct segment segment = {.head = {.first_id = 1}, .file = -1};
    int failure = 0;
    assert_int_equal(commit_init(&c, &b->options, &segment, SEGMENT_HEAD), 0);
    c.failure = -EIO;
    c.state = COMMIT_WRITING;
    assert_null(commit_take(&c, &failure));
    assert_int_equal(failure, 0);
    c.state = COMMIT_IDLE;
    assert_null(commit_take(&c, &failure));
    assert_int_equal(failure, -EIO);
    assert_int_equal(commit_fini(&c), -EIO);
}

static void test_what_gathers_is_bounded(void **state)
{
    struct box *b = *state;
    static char big[STORE_MAX_CONTENT];
    memset(big, 'x', sizeof big);
    big[0] = big[sizeof big - 1] = '"';
    uint64_t id;
    int64_t date;
    int result, count = 0;
    while ((result = store_append(b->store, SLICE("a"), SLICE("b"), slice_of(big, sizeof big),
                                  SLICE(""), 0, &id, &date)) == 0)
        count++;
    assert_int_equal(result, -ENOBUFS);
    assert_int_equal(count, 7);
    box_commit(b);
    assert_int_equal(b->committed_count, 7);
    assert_int_equal(box_send(b, "a", "b", "x"), 8);
}

static void answer(void *ctx, const struct store_message *message)
{
    struct box *b = ctx;
    b->committed_count++;
    char text[16];
    snprintf(text, sizeof text, "r%u", (unsigned)message->id);
    if (message->id < 4)
        box_put(b, "bob", "alice", text);
    store_flush(b->store);
    (void)box_page(b, "alice", "bob", 0, 100, NULL);
    assert_int_equal(message->json.p[0], '{');
}

static void again(void *ctx, uint64_t id, int error)
{
    struct box *b = ctx;
    b->failed_count++;
    assert_int_equal(error, -ENOSPC);
    b->pwrite_error = 0;
    char text[16];
    snprintf(text, sizeof text, "a%u", (unsigned)id);
    box_put(b, "alice", "bob", text);
    store_flush(b->store);
}

static void test_callbacks_may_append_and_read(void **state)
{
    struct box *b = *state;
    box_close(b);
    b->options.committed = answer;
    b->options.failed = again;
    box_open(b);
    box_put(b, "alice", "bob", "one");
    box_put(b, "alice", "bob", "two");
    box_commit(b);
    box_commit(b);
    box_commit(b);
    assert_string_equal(box_page(b, "alice", "bob", 0, 100, NULL), "one two r1 r2 r3");
    b->pwrite_error = ENOSPC;
    box_put(b, "alice", "bob", "lost");
    box_put(b, "carol", "bob", "lost");
    box_commit(b);
    box_commit(b);
    box_commit(b);
    assert_int_equal(b->failed_count, 2);
    assert_string_equal(box_page(b, "alice", "bob", 0, 100, NULL), "one two r1 r2 r3 a6 a7");
    box_reopen(b);
    assert_string_equal(box_page(b, "alice", "bob", 0, 100, NULL), "one two r1 r2 r3 a6 a7");
}

static size_t size_of(struct box *b, const char *name)
{
    size_t n;
    free(box_load(b, name, &n));
    return n;
}

static void test_small_batches_go_into_space_that_is_prepared(void **state)
{
    struct box *b = *state;
    box_close(b);
    b->options.prepare = 3000;
    b->options.segment_size = 5000;
    box_open(b);
    /* With the first batch, then only when it is used up. */
    box_send(b, "alice", "bob", "one");
    size_t prepared = size_of(b, box_segment(1));
    assert_in_range(prepared, 3000, 3300);
    unsigned writes = b->pwrites;
    for (int i = 0; i < 20; i++)
        box_send(b, "alice", "bob", "more");
    assert_int_equal(b->pwrites, writes + 20);
    assert_int_equal(size_of(b, box_segment(1)), prepared);
    /* Not behind the end of the segment; and what is left of it goes at a new one, and at the end. */
    uint64_t id = 21;
    while (!box_exists(b, box_segment(id + 1))) {
        id = box_send(b, "alice", "bob", "more");
        assert_true(size_of(b, box_segment(1)) <= 5000 + 200);
        if (box_exists(b, box_segment(id)))
            break;
    }
    assert_true(size_of(b, box_segment(1)) < 5000);
    assert_in_range(size_of(b, box_segment(id)), 3000, 3300);
    box_close(b);
    assert_true(size_of(b, box_segment(id)) < 400);
    box_open(b);
    struct store_stats stats;
    store_get_stats(b->store, &stats);
    assert_int_equal(stats.messages, id);
}

static void test_a_disk_without_room_to_prepare_takes_messages(void **state)
{
    struct box *b = *state;
    box_close(b);
    b->options.prepare = 40000;
    box_open(b);
    for (int i = 0; i < 3; i++) {
        b->pwrite_error = ENOSPC;
        b->pwrites_good = 2; /* the batch, and some zeros */
        b->pwrite_partial = 100;
        box_send(b, "alice", "bob", "text");
    }
    assert_int_equal(b->failed_count, 0);
    assert_int_equal(b->committed_count, 3);
    assert_true(size_of(b, box_segment(1)) < 1000);
    b->pwrite_error = 0;
    box_reopen(b);
    assert_string_equal(box_page(b, "alice", "bob", 0, 9, NULL), "text text text");
}

#define MANY 100000

/* Pairs of one sender each, so that the order within a conversation can be told. */
static void test_many_messages_come_back_in_order(void **state)
{
    struct box *b = *state;
    box_close(b);
    b->options.segment_size = 1 << 20;
    open_threaded(b, STORE_SYNC_ALWAYS, 0);
    for (int i = 0; i < MANY; i++) {
        char to[16], text[16];
        snprintf(to, sizeof to, "u%d", i % 100);
        snprintf(text, sizeof text, "%d", i);
        box_put(b, "alice", to, text);
        if (i % 50 == 0) {
            store_flush(b->store);
            store_collect(b->store);
        }
        if (i % 2000 == 1999) /* what gathers is bounded */
            box_commit(b);
        /* Reads and writes at the same time. */
        if (i % 5000 == 0)
            (void)box_page(b, "alice", to, 0, 20, NULL);
    }
    while (b->committed_count < MANY)
        box_commit(b);
    for (size_t i = 0; i < MANY; i++)
        assert_int_equal(b->committed[i].id, i + 1);
    for (int k = 0; k < 2; k++) {
        struct store_stats stats;
        store_get_stats(b->store, &stats);
        assert_int_equal(stats.messages, MANY);
        assert_true(stats.segments > 5);
        assert_string_equal(box_page(b, "u42", "alice", 0, 3, NULL), "99742 99842 99942");
        assert_string_equal(box_page(b, "u42", "alice", 1000, 2, NULL), "842 942");
        box_reopen(b);
    }
    assert_int_equal(b->failed_count, 0);
}

#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_a_batch_is_one_write_and_one_sync),
        T(test_nothing_is_committed_before_its_sync_returns),
        T(test_timed_commits_when_written_and_syncs_later),
        T(test_without_sync_closing_syncs),
        T(test_small_batches_go_into_space_that_is_prepared),
        T(test_a_disk_without_room_to_prepare_takes_messages),
        T(test_a_new_segment_is_begun_when_the_old_one_is_durable),
        T(test_closing_commits_what_gathers),
        T(test_a_full_disk_fails_both_batches_and_passes),
        T(test_a_full_disk_at_a_new_segment_passes),
        T(test_a_new_segment_that_failed_is_gone_for_good_or_ends_all_writing),
        T(test_two_batches_at_a_time_may_begin_segments),
        T(test_no_id_goes_below_the_name_of_an_empty_segment),
        T(test_a_failed_sync_is_final),
        T(test_a_full_disk_found_by_sync_is_final),
        T(test_an_io_error_of_a_write_is_final),
        T(test_what_cannot_be_cut_off_is_final),
        T(test_a_failed_timed_sync_is_heard_of),
        T(test_each_message_fails_once_when_a_timed_sync_does),
        T(test_a_failure_is_not_heard_of_before_the_batch_that_meets_it),
        T(test_what_gathers_is_bounded),
        T(test_callbacks_may_append_and_read),
        T(test_many_messages_come_back_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
