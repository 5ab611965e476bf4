/* upkeep: old segments are arranged and dropped, and nobody who reads can tell. */
#include "../support/store_box.h"

#include "base/endian.h"
#include "store/inside.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define USERS 7
#define DAY INT64_C(86400000)

static int setup(void **state)
{
    struct box *b = calloc(1, sizeof *b);
    assert_non_null(b);
    box_init(b);
    box_close(b);
    b->options.segment_size = 3000;
    b->options.inline_commit = true;
    *state = b;
    return 0;
}

static int teardown(void **state)
{
    struct box *b = *state;
    box_fini(b);
    free(b);
    return 0;
}

static const char *user(unsigned i)
{
    static const char *const names[USERS] = {"ann", "bob", "cleo", "dan", "eve", "fay", "gus"};
    return names[i % USERS];
}

/* Messages among all of them, in an order that is always the same. */
static void talk(struct box *b, unsigned count)
{
    static const unsigned steps[] = {1, 3, 2, 5, 4};
    for (unsigned i = 0; i < count; i++) {
        char text[64];
        snprintf(text, sizeof text, "m%u", i);
        box_send(b, user(i * steps[i % 5]), user(i / 3), text);
    }
}

/* Every page and every list, as one text that the caller frees. */
static char *views(struct box *b)
{
    char *text = NULL;
    size_t n;
    FILE *f = open_memstream(&text, &n);
    assert_non_null(f);
    for (unsigned i = 0; i < USERS; i++) {
        for (unsigned k = 0; k < USERS; k++) {
            bool more;
            store_flush(b->store); /* the next turn */
            fprintf(f, "%s-%s: %s\n", user(i), user(k),
                    box_page(b, user(i), user(k), 0, 1000, &more));
            fprintf(f, "%s", box_page(b, user(i), user(k), 200, 7, &more));
            fprintf(f, " %d\n", more);
        }
        fprintf(f, "%s: %s, newest %llu\n", user(i), box_snippets(b, user(i)),
                (unsigned long long)store_newest(b->store, slice_str(user(i))));
    }
    fclose(f);
    return text;
}

static void check_views(struct box *b, const char *expected)
{
    char *now = views(b);
    assert_string_equal(now, expected);
    free(now);
}

static struct store_stats stats(struct box *b)
{
    struct store_stats s;
    store_get_stats(b->store, &s);
    return s;
}

/* Until nothing more is to be done. */
static void settle(struct box *b, int64_t now)
{
    for (int i = 0; i < 200; i++)
        store_tick(b->store, now);
}

static void test_arranged_history_is_the_same(void **state)
{
    struct box *b = *state;
    box_open(b);
    talk(b, 500);
    char *raw = views(b);
    uint64_t segments = stats(b).segments;
    assert_true(segments > 20);
    box_close(b);
    b->options.arrange = true;
    box_open(b);
    settle(b, 1000);
    assert_true(stats(b).segments <= segments / ARRANGE_MAX + ARRANGE_MAX);
    check_views(b, raw);
    for (int i = 0; i < 4; i++) {
        b->checkpoints = i % 2;
        if (i == 2)
            assert_int_equal(store_compact(b->store, NULL, NULL), 0);
        box_reopen(b);
        check_views(b, raw);
    }
    assert_int_equal(stats(b).messages, 500);
    assert_int_equal(box_send(b, "ann", "bob", "next"), 501);
    const char *page = box_page(b, "bob", "ann", 0, 1000, NULL);
    assert_string_equal(page + strlen(page) - 5, " next");
    free(raw);
}

/* The list of an arranged segment's runs has the places that are the next segment's. */
static void test_what_is_in_memory_does_not_stand_for_a_list_of_runs(void **state)
{
    struct box *b = *state;
    char name[32];
    b->options.recent = 1 << 20;
    b->options.arrange = true;
    b->options.segment_size = 20000;
    box_open(b);
    for (int i = 0; i < 1200; i++) {
        snprintf(name, sizeof name, "friend%d", i % 400);
        box_put(b, "ann", name, "x");
        if (i % 50 == 49)
            box_commit(b);
    }
    settle(b, 1000);
    for (int i = 0; i < 60; i++)
        box_send(b, "bob", "carol", "y");
    assert_true(stats(b).segments < 10);
    for (int i = 0; i < 400; i++) {
        snprintf(name, sizeof name, "friend%d", i);
        store_flush(b->store);
        assert_string_equal(box_page(b, "ann", name, 0, 10, NULL), "x x x");
    }
}

static void test_a_run_takes_one_read_where_its_messages_took_one_each(void **state)
{
    struct box *b = *state;
    box_close(b);
    b->options.segment_size = 100000;
    b->options.arrange = true;
    box_open(b);
    for (int i = 0; i < 600; i++) {
        box_send(b, "ann", i % 10 ? "bob" : "cleo", "what is said to one of them, of some length");
        for (int k = 0; k < 3 && i % 10 == 0; k++)
            box_send(b, "dan", "eve", "as much as puts the others out of the reach of one window");
    }
    assert_int_equal(store_compact(b->store, NULL, NULL), 0);
    struct store_read read;
    struct store_message m;
    assert_int_equal(store_read_page(b->store, &read, SLICE("cleo"), SLICE("ann"), 0, 1000),
                     STORE_OK);
    assert_int_equal(read.count, 60);
    for (uint32_t i = 1; i < read.count; i++)
        assert_in_range(read.places[i] - read.places[i - 1], 100, 200);
    while (store_read_next(b->store, &read, &m) == STORE_OK)
        continue;
    assert_int_equal(read.next, 60);
    store_read_end(&read);
}

static void test_a_damaged_segment_is_left_as_it_is(void **state)
{
    struct box *b = *state;
    box_open(b);
    talk(b, 200);
    box_close(b);
    size_t n;
    b->options.arrange = true;
    b->checkpoints = true;
    box_open(b);
    box_close(b); /* with a checkpoint, only the end of the log is read */
    uint8_t *p = box_load(b, box_segment(1), &n), *again;
    p[1000] ^= 1;
    box_save(b, box_segment(1), p, n);
    box_open(b);
    *b->last_log = 0;
    settle(b, 1000);
    assert_non_null(strstr(b->last_log, "0000000000000001.seg is damaged at offset "));
    size_t m;
    again = box_load(b, box_segment(1), &m);
    assert_int_equal(m, n);
    assert_memory_equal(p, again, n);
    assert_false(box_exists(b, ARRANGE_NAME));
    assert_true(stats(b).segments < 10); /* the others are arranged */
    box_send(b, "ann", "bob", "next");
    free(p);
    free(again);
}

static void test_a_disk_that_refuses_changes_nothing(void **state)
{
    struct box *b = *state;
    box_open(b);
    talk(b, 100);
    char *raw = views(b);
    uint64_t segments = stats(b).segments;
    box_close(b);
    b->options.arrange = true;
    b->options.retain_bytes = 0;
    box_open(b);
    b->pwrite_error = ENOSPC;
    settle(b, 1000);
    b->pwrite_error = 0;
    assert_non_null(strstr(b->last_log, "cannot arrange a segment: No space left"));
    assert_int_equal(stats(b).segments, segments);
    assert_false(box_exists(b, ARRANGE_NAME));
    check_views(b, raw);
    free(raw);
}

static void test_what_a_crash_left_of_the_replaced_is_removed(void **state)
{
    struct box *b = *state;
    box_open(b);
    talk(b, 200);
    char *raw = views(b);
    uint64_t second = 2;
    while (!box_exists(b, box_segment(second)))
        second++;
    size_t n;
    uint8_t *p = box_load(b, box_segment(second), &n);
    box_close(b);
    b->options.arrange = true;
    box_open(b);
    assert_int_equal(store_compact(b->store, NULL, NULL), 0);
    assert_false(box_exists(b, box_segment(second)));
    uint64_t segments = stats(b).segments;
    for (int i = 0; i < 2; i++) {
        b->checkpoints = i;
        box_close(b);
        box_save(b, box_segment(second), p, n);
        box_save(b, ARRANGE_NAME, p, n / 2);
        box_open(b);
        assert_false(box_exists(b, box_segment(second)));
        assert_int_equal(stats(b).segments, segments);
        check_views(b, raw);
    }
    free(p);
    free(raw);
}

/* Arranged segments, each by itself, behind a checkpoint: starting reads none of them. */
static void arrange_few(struct box *b)
{
    b->options.arrange = b->checkpoints = true;
    box_open(b);
    talk(b, 70);
    settle(b, 1000);
    assert_in_range(stats(b).segments, 3, ARRANGE_MAX - 1);
    box_close(b);
}

/* Where the list of the runs begins in the bytes of an arranged segment. */
static size_t list_of(const uint8_t *p, size_t n, size_t *runs)
{
    *runs = le32_load(p + 56);
    assert_true(*runs > 4);
    return n - SEGMENT_CHECK - *runs * SEGMENT_RUN;
}

static void test_no_run_is_left_out_for_a_wrong_list(void **state)
{
    struct box *b = *state;
    size_t n, m, runs;
    arrange_few(b);
    uint8_t *p = box_load(b, box_segment(1), &n);
    size_t list = list_of(p, n, &runs);
    for (size_t i = 0; i < runs; i++) {
        for (unsigned bit = 0; bit < 7; bit++) {
            p[list + i * SEGMENT_RUN] ^= (uint8_t)(1 << bit);
            box_save(b, box_segment(1), p, n);
            box_open(b);
            assert_int_equal(store_compact(b->store, NULL, NULL), -EBADMSG);
            assert_non_null(strstr(b->last_log, "0000000000000001.seg is damaged at offset "));
            box_close(b);
            uint8_t *again = box_load(b, box_segment(1), &m);
            assert_int_equal(m, n);
            assert_memory_equal(p, again, n);
            free(again);
            p[list + i * SEGMENT_RUN] ^= (uint8_t)(1 << bit);
        }
    }
    free(p);
}

static void test_a_wrong_list_shows_nobody_what_others_wrote(void **state)
{
    struct box *b = *state;
    size_t n, runs;
    arrange_few(b);
    b->options.arrange = false;
    uint64_t last = 70;
    while (!box_exists(b, box_segment(last)))
        last--;
    while (!box_exists(b, box_segment(--last)))
        continue;
    uint8_t *p = box_load(b, box_segment(last), &n);
    size_t list = list_of(p, n, &runs);
    unsigned refused = 0;
    for (size_t bit = 0; bit < runs * SEGMENT_RUN * 8; bit++) {
        if (bit / 8 % SEGMENT_RUN % 4 > 1) /* the others lead out of the file, or of the list */
            continue;
        p[list + bit / 8] ^= (uint8_t)(1 << bit % 8);
        box_save(b, box_segment(last), p, n);
        p[list + bit / 8] ^= (uint8_t)(1 << bit % 8);
        box_open(b);
        for (unsigned i = 0; i < USERS; i++) {
            struct store_read read;
            struct store_message message;
            enum store_status status;
            struct slice name = slice_str(user(i));
            assert_int_equal(store_read_snippets(b->store, &read, name), STORE_OK);
            while ((status = store_read_next(b->store, &read, &message)) == STORE_OK)
                assert_true(slice_eq(message.from, name) || slice_eq(message.to, name));
            refused += status == STORE_IO;
            store_read_end(&read);
        }
        box_close(b);
    }
    assert_true(refused > runs);
    free(p);
}

static void test_behind_an_arranged_end_a_segment_is_begun(void **state)
{
    struct box *b = *state;
    size_t n;
    struct segment_head head;
    uint32_t version;
    b->options.arrange = true;
    box_open(b);
    talk(b, 70);
    assert_int_equal(store_compact(b->store, NULL, NULL), 0);
    box_close(b);
    box_remove(b, box_segment(71)); /* the one that grows */
    box_open(b);
    uint8_t *p = box_load(b, box_segment(71), &n);
    assert_int_equal(segment_head_read(&head, p, &version), SEGMENT_HEAD_OK);
    assert_int_equal(head.date, 1000); /* the highest in front of it */
    free(p);
    assert_int_equal(box_send(b, "ann", "bob", "next"), 71);
}

static void test_every_flipped_bit_of_an_arranged_segment_is_damage(void **state)
{
    struct box *b = *state;
    b->options.arrange = true;
    box_open(b);
    talk(b, 40);
    assert_int_equal(store_compact(b->store, NULL, NULL), 0);
    box_close(b);
    size_t n;
    uint8_t *p = box_load(b, box_segment(1), &n);
    for (size_t i = 0; i < n; i++) {
        p[i] ^= (uint8_t)(1 << i % 8);
        box_save(b, box_segment(1), p, n);
        assert_int_equal(box_try_open(b), STORE_DAMAGED);
        assert_non_null(strstr(b->error.text, "0000000000000001.seg"));
        p[i] ^= (uint8_t)(1 << i % 8);
    }
    for (size_t cut = 1; cut < n; cut += 97) {
        box_save(b, box_segment(1), p, cut);
        assert_int_equal(box_try_open(b), STORE_DAMAGED);
    }
    box_save(b, box_segment(1), p, n);
    box_open(b);
    free(p);
}

/* What is dropped is the oldest; the rest is as it was. */
static void test_above_retain_bytes_the_oldest_go(void **state)
{
    struct box *b = *state;
    b->options.retain_bytes = 200000;
    b->options.segment_size = 0;
    for (int arrange = 0; arrange < 2; arrange++) {
        b->options.arrange = arrange;
        box_open(b);
        talk(b, 4000);
        settle(b, 1000);
        struct store_stats s = stats(b);
        assert_in_range(s.bytes, 150000, 200000 + 5000);
        assert_true(s.first_id > 1000);
        bool more = true;
        const char *page = box_page(b, "ann", "bob", 0, 1000, &more);
        assert_true(*page);
        assert_false(more);
        box_since(b, "ann", s.first_id - 2, 1, &more);
        assert_true(more); /* one that is gone may have been ann's */
        box_since(b, "ann", s.first_id - 1, 1000, &more);
        assert_false(more);
        box_since(b, "nobody", 0, 1000, &more);
        assert_true(more);
        char *before = views(b);
        uint64_t next = s.first_id + 0;
        assert_true(next > 0);
        for (int i = 0; i < 3; i++) {
            b->checkpoints = i == 1;
            box_reopen(b);
            check_views(b, before);
            assert_true(stats(b).first_id >= s.first_id);
        }
        free(before);
        uint64_t id = box_send(b, "ann", "bob", "next");
        assert_int_equal(id, arrange ? 8002 : 4001);
        box_close(b);
    }
}

static void test_a_conversation_that_is_all_gone_is_gone(void **state)
{
    struct box *b = *state;
    b->options.retain_bytes = 200000;
    box_open(b);
    box_send(b, "old", "older", "long ago");
    box_send(b, "old", "ann", "long ago");
    talk(b, 4000);
    settle(b, 1000);
    for (int i = 0; i < 3; i++) {
        assert_string_equal(box_page(b, "old", "older", 0, 10, NULL), "");
        assert_string_equal(box_snippets(b, "old"), "");
        assert_int_equal(store_newest(b->store, SLICE("old")), 0);
        b->checkpoints = i;
        box_reopen(b);
    }
    /* Its number is another's, after a restart. */
    uint64_t conversations = stats(b).conversations;
    box_send(b, "new", "newer", "now");
    assert_int_equal(stats(b).conversations, conversations + 1);
    assert_string_equal(box_page(b, "old", "older", 0, 10, NULL), "");
    box_send(b, "old", "older", "again");
    assert_string_equal(box_page(b, "old", "older", 0, 10, NULL), "again");
    assert_string_equal(box_page(b, "new", "newer", 0, 10, NULL), "now");
    box_reopen(b);
    assert_string_equal(box_page(b, "old", "older", 0, 10, NULL), "again");
    assert_string_equal(box_page(b, "new", "newer", 0, 10, NULL), "now");
}

static void test_what_is_older_than_retain_days_goes(void **state)
{
    struct box *b = *state;
    b->options.retain_days = 10;
    b->options.segment_size = 0;
    box_open(b);
    uint64_t id;
    int64_t date, now = 40000 * DAY; /* in front of the clock */
    for (int day = 0; day < 40; day++, now += DAY) {
        for (int i = 0; i < 5; i++)
            assert_int_equal(store_append(b->store, SLICE("ann"), SLICE("bob"), SLICE("\"x\""),
                                          SLICE(""), now + i, &id, &date),
                             0);
        box_commit(b);
    }
    settle(b, now);
    /* Whole segments, of a day here, since more is not written in one. */
    assert_in_range(stats(b).first_id, 5 * 28, 5 * 30 + 1);
    /* A server that nobody writes to drops them, too: all but the last. */
    settle(b, now + 30 * DAY);
    assert_int_equal(stats(b).segments, 1);
    assert_int_equal(box_send(b, "ann", "bob", "next"), 201);
}

static void test_a_clock_that_jumps_takes_no_more_than_a_day_an_hour(void **state)
{
    struct box *b = *state;
    b->options.retain_days = 10;
    b->options.segment_size = 0;
    box_open(b);
    uint64_t id;
    int64_t date, now = 40000 * DAY, right = now + 9 * DAY;
    for (int day = 0; day < 10; day++)
        for (int hour = 0; hour < 24; hour += 6) {
            assert_int_equal(store_append(b->store, SLICE("ann"), SLICE("bob"), SLICE("\"x\""),
                                          SLICE(""), now + day * DAY + hour * DAY / 24, &id, &date),
                             0);
            box_commit(b);
        }
    settle(b, right);
    uint64_t all = stats(b).segments;
    assert_int_equal(all, 40);
    /* In 1970 nothing is old. */
    settle(b, 0);
    assert_int_equal(stats(b).segments, all);
    /* Ten years ahead for three hours, and once more after a start: four messages each time. */
    for (int hour = 1; hour <= 3; hour++) {
        store_tick(b->store, right + 3650 * DAY);
        assert_in_range(stats(b).segments, all - (uint64_t)(4 * hour) - 1,
                        all - (uint64_t)(4 * hour) + 4);
    }
    settle(b, right);
    box_reopen(b);
    uint64_t before = stats(b).segments;
    store_tick(b->store, right + 3650 * DAY);
    assert_in_range(stats(b).segments, before - 5, before);
    settle(b, right);
    assert_in_range(stats(b).segments, before - 5, before);
    assert_int_equal(box_send(b, "ann", "bob", "next"), 41);
}

static void test_the_log_begins_where_the_file_begin_says(void **state)
{
    struct box *b = *state;
    box_open(b);
    talk(b, 3000);
    size_t n, m;
    uint8_t *first = box_load(b, box_segment(1), &n);
    box_close(b);
    b->options.retain_bytes = 200000;
    box_open(b);
    settle(b, 1000);
    assert_false(box_exists(b, box_segment(1)));
    char *before = views(b);
    /* The first segment's removal did not reach the disk. */
    box_close(b);
    box_save(b, box_segment(1), first, n);
    box_open(b);
    assert_false(box_exists(b, box_segment(1)));
    check_views(b, before);
    box_close(b);
    free(first);
    free(before);
    /* Another segment is missing, or the file. */
    uint8_t *begin = box_load(b, LOG_BEGIN_NAME, &m);
    box_remove(b, LOG_BEGIN_NAME);
    assert_int_equal(box_try_open(b), STORE_DAMAGED);
    assert_non_null(strstr(b->error.text, "a segment is missing"));
    begin[18] ^= 1;
    box_save(b, LOG_BEGIN_NAME, begin, m);
    assert_int_equal(box_try_open(b), STORE_DAMAGED);
    assert_non_null(strstr(b->error.text, "begin is damaged at offset 0: this does not say where"));
    begin[18] ^= 1;
    box_save(b, LOG_BEGIN_NAME, begin, m);
    box_open(b);
    box_close(b);
    for (uint64_t id = 1; id < 3100; id++)
        if (box_exists(b, box_segment(id)))
            box_remove(b, box_segment(id));
    assert_int_equal(box_try_open(b), STORE_DAMAGED);
    assert_non_null(strstr(b->error.text, "all segments behind it are missing"));
    free(begin);
}

static void test_a_thread_does_it_while_messages_come_and_go(void **state)
{
    struct box *b = *state;
    b->options.inline_commit = false;
    b->options.arrange = true;
    b->options.segment_size = 20000;
    for (int i = 0; i < 4; i++) {
        box_open(b);
        for (int k = 0; k < 1500; k++) {
            box_put(b, user((unsigned)k), user((unsigned)(k / 7 + 1)), "text");
            if (k % 10 == 9) {
                store_flush(b->store);
                store_collect(b->store);
            }
            if (k % 100 == 0)
                (void)box_page(b, user((unsigned)k), user((unsigned)k + 1), 0, 100, NULL);
        }
        while (b->committed_count < 1500)
            box_commit(b);
        box_close(b);
    }
    b->options.inline_commit = true;
    box_open(b);
    settle(b, 1000);
    assert_int_equal(stats(b).messages, 6000);
    assert_true(stats(b).segments < 20);
    char *before = views(b);
    box_reopen(b);
    check_views(b, before);
    free(before);
}

#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_arranged_history_is_the_same),
        T(test_what_is_in_memory_does_not_stand_for_a_list_of_runs),
        T(test_a_run_takes_one_read_where_its_messages_took_one_each),
        T(test_a_damaged_segment_is_left_as_it_is),
        T(test_a_disk_that_refuses_changes_nothing),
        T(test_what_a_crash_left_of_the_replaced_is_removed),
        T(test_no_run_is_left_out_for_a_wrong_list),
        T(test_a_wrong_list_shows_nobody_what_others_wrote),
        T(test_behind_an_arranged_end_a_segment_is_begun),
        T(test_every_flipped_bit_of_an_arranged_segment_is_damage),
        T(test_above_retain_bytes_the_oldest_go),
        T(test_a_conversation_that_is_all_gone_is_gone),
        T(test_what_is_older_than_retain_days_goes),
        T(test_a_clock_that_jumps_takes_no_more_than_a_day_an_hour),
        T(test_the_log_begins_where_the_file_begin_says),
        T(test_a_thread_does_it_while_messages_come_and_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
