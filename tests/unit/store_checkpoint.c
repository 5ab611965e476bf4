/* checkpoint: a start reads it and the end of the log; without a good one it reads all of the log, and
 * finds the same. */
#include "../support/store_box.h"

#include "base/endian.h"
#include "codec/crc32c.h"
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
    b->checkpoints = true;
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

/* Some messages between four users, in an order of their own. */
static void fill(struct box *b)
{
    static const char *const users[] = {"alice", "bob", "carol", "dave"};
    for (int i = 0; i < 40; i++) {
        char text[16];
        snprintf(text, sizeof text, "m%d", i);
        box_send(b, users[i % 4], users[i * i % 3], text);
    }
}

/* What the user's snippets say of what is unread, in all. */
static unsigned unread(struct box *b, const char *user)
{
    struct store_read read;
    struct store_message m;
    unsigned count = 0;
    assert_int_equal(store_read_snippets(b->store, &read, slice_str(user)), STORE_OK);
    while (store_read_next(b->store, &read, &m) == STORE_OK)
        count += read.unread;
    store_read_end(&read);
    return count;
}

/* All that can be read. */
static void check_same(struct box *b, const char *before)
{
    char now[4096];
    int n = 0;
    static const char *const users[] = {"alice", "bob", "carol", "dave"};
    for (int i = 0; i < 4; i++) {
        n += snprintf(now + n, sizeof now - (size_t)n, "%s|%u|", box_snippets(b, users[i]),
                      unread(b, users[i]));
        for (int k = 0; k < 4; k++)
            n += snprintf(now + n, sizeof now - (size_t)n, "%s|",
                          box_page(b, users[i], users[k], 0, 100, NULL));
    }
    struct store_stats stats;
    store_get_stats(b->store, &stats);
    snprintf(now + n, sizeof now - (size_t)n, "%d %d %d", (int)stats.messages, (int)stats.users,
             (int)stats.conversations);
    if (*before)
        assert_string_equal(now, before);
    else
        strcpy((char *)before, now);
}

static void test_a_start_reads_the_checkpoint_and_what_is_behind_it(void **state)
{
    struct box *b = *state;
    char before[4096] = "";
    size_t n;
    fill(b);
    check_same(b, before);
    box_close(b);
    assert_true(box_exists(b, "checkpoint"));
    /* A byte of an old message: nobody reads it at the start. */
    uint8_t *log = box_load(b, box_segment(1), &n);
    log[SEGMENT_HEAD + RECORD_HEAD + 3] ^= 1;
    box_save(b, box_segment(1), log, n);
    box_open(b);
    log[SEGMENT_HEAD + RECORD_HEAD + 3] ^= 1;
    box_save(b, box_segment(1), log, n);
    free(log);
    check_same(b, before);
    assert_int_equal(box_send(b, "alice", "bob", "on"), 41);
}

static void test_ids_and_dates_go_on_behind_it(void **state)
{
    struct box *b = *state;
    fill(b);
    for (uint64_t id = 41; id < 45; id++) {
        box_reopen(b);
        assert_int_equal(box_send(b, "dave", "alice", "x"), id);
    }
}

static void test_a_crash_behind_it_is_found_by_reading_on(void **state)
{
    struct box *b = *state;
    size_t n;
    char before[4096] = "";
    fill(b);
    box_close(b);
    uint8_t *old = box_load(b, "checkpoint", &n);
    box_open(b);
    fill(b);
    box_send(b, "eve", "alice", "new");
    check_same(b, before);
    box_close(b);
    box_save(b, "checkpoint", old, n); /* as if the second one had not been written */
    free(old);
    box_open(b);
    check_same(b, before);
}

/* The checkpoint with changed bytes, its check made good again where `seal` says so. */
static void spoil(struct box *b, size_t at, uint8_t change, bool seal)
{
    size_t n;
    box_close(b);
    uint8_t *p = box_load(b, "checkpoint", &n);
    p[at] ^= change;
    if (seal)
        le32_store(p + n - 4, crc32c(0, p, n - 4));
    box_save(b, "checkpoint", p, n);
    free(p);
}

static void test_one_that_is_not_good_costs_time_and_says_so(void **state)
{
    struct box *b = *state;
    char before[4096] = "";
    static const struct {
        size_t at;
        uint8_t change;
        bool seal;
        const char *why;
    } cases[] = {
        {0, 1, true, "it is none of ours"},
        {8, 2, true, "it has another version"},
        {100, 1, false, "its check does not match"},
        {16, 1, true, "it does not fit the log"},   /* of another log */
        {24, 1, true, "it does not fit the log"},   /* another place */
        {64, 1, true, "it does not fit the log"},   /* another last record */
        {104, 0x80, true, "it contradicts itself"}, /* a user that is not there */
        {94, 1, true, "it does not fit the log"},   /* something behind the end */
        {72, 0x80, true, "it is too short"},        /* another number of conversations */
    };
    fill(b);
    check_same(b, before);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        spoil(b, cases[i].at, cases[i].change, cases[i].seal);
        box_open(b);
        if (!strstr(b->last_log, cases[i].why))
            fail_msg("case %zu: %s", i, b->last_log);
        check_same(b, before);
    }
    box_close(b);
    box_remove(b, "checkpoint");
    b->last_log[0] = 0;
    box_open(b);
    assert_string_equal(b->last_log, "");
    check_same(b, before);
}

/* What a slice a turn makes: entries that are newer than the place the checkpoint begins from. */
static void make_older(struct box *b, uint64_t messages)
{
    size_t n, at = SEGMENT_HEAD, last = 0;
    box_close(b);
    uint8_t *log = box_load(b, box_segment(1), &n);
    for (uint64_t i = 0; i < messages; i++) {
        last = at;
        at += le32_load(log + at + 4);
    }
    struct record r;
    assert_true(record_read(&r, log + last));
    uint8_t *p = box_load(b, "checkpoint", &n);
    le64_store(p + 24, at);
    le64_store(p + 32, r.id + 1);
    le64_store(p + 40, (uint64_t)r.date);
    le64_store(p + 48, messages);
    le64_store(p + 56, last);
    le32_store(p + 64, le32_load(log + last));
    le32_store(p + n - 4, crc32c(0, p, n - 4));
    box_save(b, "checkpoint", p, n);
    free(p);
    free(log);
}

static void test_entries_may_be_newer_than_its_place(void **state)
{
    struct box *b = *state;
    char before[4096] = "";
    fill(b);
    check_same(b, before);
    for (uint64_t messages = 39; messages > 3; messages -= 6) {
        make_older(b, messages);
        b->last_log[0] = 0;
        box_open(b);
        assert_string_equal(b->last_log, "");
        check_same(b, before);
    }
}

/* It says of a conversation what reading on does not find. */
static void test_entries_behind_its_place_must_be_found(void **state)
{
    struct box *b = *state;
    char before[4096] = "";
    size_t n;
    fill(b);
    check_same(b, before);
    make_older(b, 20);
    uint8_t *p = box_load(b, "checkpoint", &n), *entry = p + 80 + 8;
    while (le64_load(entry) < le64_load(p + 24))
        entry += 24;
    le64_store(entry, le64_load(entry) + 1);
    le32_store(p + n - 4, crc32c(0, p, n - 4));
    box_save(b, "checkpoint", p, n);
    box_open(b);
    assert_non_null(strstr(b->last_log, "it does not fit the log"));
    check_same(b, before);
    free(p);
}

static void test_entries_of_messages_that_a_crash_took_are_not_believed(void **state)
{
    struct box *b = *state;
    size_t n;
    fill(b);
    make_older(b, 20);
    uint8_t *log = box_load(b, box_segment(1), &n);
    box_save(b, box_segment(1), log, n - 10); /* the last one is cut */
    free(log);
    box_open(b);
    assert_non_null(strstr(b->last_log, "unfinished write"));
    struct store_stats stats;
    store_get_stats(b->store, &stats);
    assert_int_equal(stats.messages, 39);
    assert_false(box_exists(b, "checkpoint"));
}

/* Where in the log the checkpoint on the disk was made; 0: there is none. */
static uint64_t place_of_checkpoint(struct box *b)
{
    size_t n;
    if (!box_exists(b, "checkpoint"))
        return 0;
    uint8_t *p = box_load(b, "checkpoint", &n);
    uint64_t place = le64_load(p + 24);
    free(p);
    return place;
}

static void test_one_is_written_at_a_new_segment_by_a_thread(void **state)
{
    struct box *b = *state;
    char before[4096] = "";
    size_t n;
    box_close(b);
    box_remove(b, "checkpoint");
    b->options.inline_commit = false;
    b->options.segment_size = 2000;
    box_open(b);
    fill(b);
    /* The next turns put it together; when its thread has it on the disk is for the machine to say. */
    for (int i = 0; i < 10000 && place_of_checkpoint(b) <= 2000; i++)
        box_send(b, "alice", "dave", "x");
    assert_true(place_of_checkpoint(b) > 2000);
    uint8_t *p = box_load(b, "checkpoint", &n);
    check_same(b, before);
    box_close(b);
    box_save(b, "checkpoint", p, n);
    free(p);
    box_open(b);
    check_same(b, before);
}

/* What is written of them is no more than what is written of the log. */
static void test_small_segments_do_not_each_bring_one(void **state)
{
    struct box *b = *state;
    uint64_t place = 0, written = 0;
    size_t n = 0;
    box_close(b);
    b->options.segment_size = 1000;
    box_open(b);
    for (int i = 0; i < 900; i++) {
        char user[16];
        snprintf(user, sizeof user, "u%d", i % 300);
        box_send(b, user, "ann", "x");
        if (!box_exists(b, "checkpoint"))
            continue;
        uint8_t *p = box_load(b, "checkpoint", &n);
        written += le64_load(p + 24) == place ? 0 : n;
        place = le64_load(p + 24);
        free(p);
    }
    struct store_stats stats;
    store_get_stats(b->store, &stats);
    assert_true(place > stats.bytes / 2);
    assert_in_range(written, 1, 2 * stats.bytes);
}

static void test_a_disk_that_takes_none_stops_nobody(void **state)
{
    struct box *b = *state;
    char before[4096] = "";
    fill(b);
    check_same(b, before);
    b->open_error = ENOSPC;
    box_close(b);
    assert_non_null(strstr(b->last_log, "cannot write a checkpoint"));
    b->open_error = 0;
    box_open(b);
    check_same(b, before);
}

/* Refused, with this text, and the segments stay as they are. */
static void check_refused(struct box *b, const char *text)
{
    size_t n, m;
    bool there = box_exists(b, box_segment(1));
    uint8_t *p = there ? box_load(b, box_segment(1), &n) : NULL;
    assert_int_equal(box_try_open(b), STORE_DAMAGED);
    if (!strstr(b->error.text, text))
        fail_msg("\"%s\" is not in: %s", text, b->error.text);
    assert_int_equal(box_exists(b, box_segment(1)), there);
    if (there) {
        uint8_t *again = box_load(b, box_segment(1), &m);
        assert_int_equal(m, n);
        assert_memory_equal(again, p, n);
        free(again);
    }
    free(p);
}

static void test_it_tells_that_the_end_of_the_log_is_missing(void **state)
{
    struct box *b = *state;
    size_t n;
    box_close(b);
    b->options.segment_size = 3000;
    box_open(b);
    fill(b);
    box_close(b);
    uint64_t last = 40;
    while (!box_exists(b, box_segment(last)))
        last--;
    assert_true(last > 1);
    uint8_t *p = box_load(b, box_segment(last), &n);
    size_t at = SEGMENT_HEAD;
    while (at + le32_load(p + at + 4) < n)
        at += le32_load(p + at + 4);
    p[at] ^= 1; /* it was durable: no write that was never finished */
    box_save(b, box_segment(last), p, n);
    check_refused(b, "its end is missing or damaged");
    box_save(b, box_segment(last), p, n / 2);
    check_refused(b, "its end is missing or damaged");
    box_remove(b, box_segment(last));
    check_refused(b, "its end is missing or damaged");
    while (last > 1)
        if (box_exists(b, box_segment(--last)))
            box_remove(b, box_segment(last));
    check_refused(b, "its end is missing or damaged");
    /* Without it nothing is known. */
    box_remove(b, "checkpoint");
    box_open(b);
    box_close(b);
    free(p);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_a_start_reads_the_checkpoint_and_what_is_behind_it),
        T(test_ids_and_dates_go_on_behind_it),
        T(test_a_crash_behind_it_is_found_by_reading_on),
        T(test_one_that_is_not_good_costs_time_and_says_so),
        T(test_entries_may_be_newer_than_its_place),
        T(test_entries_behind_its_place_must_be_found),
        T(test_entries_of_messages_that_a_crash_took_are_not_believed),
        T(test_one_is_written_at_a_new_segment_by_a_thread),
        T(test_small_segments_do_not_each_bring_one),
        T(test_a_disk_that_takes_none_stops_nobody),
        T(test_it_tells_that_the_end_of_the_log_is_missing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
