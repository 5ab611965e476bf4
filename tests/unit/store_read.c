/* store: what is appended and committed is read back, page by page. */
#include "../support/store_box.h"

#include "base/endian.h"
#include "store/record.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <poll.h>
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

static void test_a_message_comes_back_as_written(void **state)
{
    struct box *b = *state;
    uint64_t id;
    int64_t date;
    assert_int_equal(store_append(b->store, SLICE("b\"ob"), SLICE("al\\ice"), SLICE("\"hi\\n\""),
                                  SLICE(""), 1790000000123, &id, &date),
                     0);
    assert_int_equal(id, 1);
    assert_int_equal(date, 1790000000123);
    box_commit(b);
    const char *json = "{\"id\":1,\"from\":\"b\\\"ob\",\"to\":\"al\\\\ice\",\"content\":\"hi\\n\","
                       "\"date\":1790000000123}";
    assert_int_equal(b->committed_count, 1);
    assert_string_equal(b->committed[0].json, json);
    assert_string_equal(b->committed[0].from, "b\"ob");
    assert_string_equal(b->committed[0].to, "al\\ice");

    for (int i = 0; i < 2; i++) {
        struct store_read read;
        struct store_message m;
        assert_int_equal(store_read_page(b->store, &read, SLICE("al\\ice"), SLICE("b\"ob"), 0, 10),
                         STORE_OK);
        assert_int_equal(store_read_next(b->store, &read, &m), STORE_OK);
        assert_true(slice_eq(m.json, slice_str(json)));
        assert_true(slice_eq(m.from, SLICE("b\"ob")));
        assert_true(slice_eq(m.to, SLICE("al\\ice")));
        assert_int_equal(m.id, 1);
        assert_int_equal(m.date, 1790000000123);
        assert_int_equal(store_read_next(b->store, &read, &m), STORE_END);
        store_read_end(&read);
        box_reopen(b);
    }
}

static void test_nothing_is_readable_before_it_is_committed(void **state)
{
    struct box *b = *state;
    box_send(b, "alice", "bob", "one");
    box_put(b, "alice", "bob", "two");
    box_put(b, "alice", "carol", "three");
    assert_string_equal(box_page(b, "alice", "bob", 0, 10, NULL), "one");
    assert_string_equal(box_page(b, "alice", "carol", 0, 10, NULL), "");
    assert_string_equal(box_snippets(b, "alice"), "one");
    assert_string_equal(box_snippets(b, "carol"), "");
    assert_int_equal(store_newest(b->store, SLICE("alice")), 1);
    box_commit(b);
    assert_string_equal(box_page(b, "alice", "bob", 0, 10, NULL), "one two");
    assert_string_equal(box_snippets(b, "alice"), "three two");
    assert_int_equal(store_newest(b->store, SLICE("alice")), 3);
}

static void test_ids_increase_over_restarts(void **state)
{
    struct box *b = *state;
    for (uint64_t i = 1; i <= 6; i++) {
        assert_int_equal(box_send(b, "alice", i % 2 ? "bob" : "carol", "x"), i);
        box_reopen(b);
    }
    struct store_stats stats;
    store_get_stats(b->store, &stats);
    assert_int_equal(stats.messages, 6);
    assert_int_equal(stats.conversations, 2);
    assert_int_equal(stats.users, 3);
    assert_int_equal(stats.segments, 1);
}

static void test_dates_never_go_back(void **state)
{
    struct box *b = *state;
    uint64_t id;
    int64_t date;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(store_append(b->store, SLICE("a"), SLICE("b"), SLICE("\"\""), SLICE(""),
                                      i ? 4000 : 5000, &id, &date),
                         0);
        assert_int_equal(date, 5000);
        box_commit(b);
        box_reopen(b);
    }
}

static void check_pages(struct box *b)
{
    bool more;
    assert_string_equal(box_page(b, "alice", "bob", 0, 3, &more), "m5 m7 m9");
    assert_true(more);
    assert_string_equal(box_page(b, "bob", "alice", 5, 2, &more), "m1 m3");
    assert_false(more);
    assert_string_equal(box_page(b, "alice", "bob", 0, 5, &more), "m1 m3 m5 m7 m9");
    assert_false(more);
    assert_string_equal(box_page(b, "alice", "bob", 6, 1, &more), "m5");
    assert_true(more);
    assert_string_equal(box_page(b, "alice", "bob", 1, 5, &more), "");
    assert_false(more);
    assert_string_equal(box_page(b, "alice", "nobody", 0, 5, &more), "");
    assert_string_equal(box_page(b, "bob", "carol", 0, 5, &more), "");
    assert_string_equal(box_page(b, "carol", "alice", 0, 1000, &more), "m2 m4 m6 m8");
}

static void put_pages(struct box *b)
{
    for (int i = 1; i <= 9; i++) {
        char text[16];
        snprintf(text, sizeof text, "m%d", i);
        box_send(b,
                 i % 4 == 1 ? "alice"
                 : i % 2    ? "bob"
                            : "carol",
                 i % 4 == 1 ? "bob" : "alice", text);
    }
}

static void test_pages_end_at_the_limit_and_before_an_id(void **state)
{
    struct box *b = *state;
    put_pages(b);
    check_pages(b);
    box_reopen(b);
    check_pages(b);
}

static void test_pages_span_segments(void **state)
{
    struct box *b = *state;
    box_close(b);
    b->options.segment_size = 200;
    box_open(b);
    put_pages(b);
    struct store_stats stats;
    store_get_stats(b->store, &stats);
    assert_int_equal(stats.segments, 9);
    check_pages(b);
    box_reopen(b);
    check_pages(b);
    assert_int_equal(box_send(b, "alice", "bob", "m10"), 10);
    assert_true(box_exists(b, box_segment(10)));
}

static void test_a_page_ends_before_4_mib(void **state)
{
    struct box *b = *state;
    static char big[STORE_MAX_CONTENT];
    memset(big, 'x', sizeof big);
    big[0] = big[sizeof big - 1] = '"';
    for (int i = 0; i < 5; i++) {
        uint64_t id;
        int64_t date;
        assert_int_equal(store_append(b->store, SLICE("a"), SLICE("b"), slice_of(big, sizeof big),
                                      SLICE(""), 0, &id, &date),
                         0);
        box_commit(b);
    }
    struct store_read read;
    struct store_message m;
    assert_int_equal(store_read_page(b->store, &read, SLICE("a"), SLICE("b"), 0, 10), STORE_OK);
    assert_int_equal(read.count, 3);
    assert_true(read.more && read.bytes <= STORE_PAGE_BYTES);
    for (uint64_t id = 3; id <= 5; id++) {
        assert_int_equal(store_read_next(b->store, &read, &m), STORE_OK);
        assert_int_equal(m.id, id);
        assert_non_null(memmem(m.json.p, m.json.n, big, sizeof big));
    }
    store_read_end(&read);
}

static void test_snippets_come_with_the_most_recent_first(void **state)
{
    struct box *b = *state;
    box_send(b, "alice", "bob", "b1");
    box_send(b, "carol", "alice", "c1");
    box_send(b, "alice", "dave", "d1");
    assert_string_equal(box_snippets(b, "alice"), "d1 c1 b1");
    box_send(b, "alice", "carol", "c2");
    assert_string_equal(box_snippets(b, "alice"), "c2 d1 b1");
    box_send(b, "bob", "alice", "b2");
    box_send(b, "bob", "dave", "e1");
    for (int i = 0; i < 2; i++) {
        assert_string_equal(box_snippets(b, "alice"), "b2 c2 d1");
        assert_string_equal(box_snippets(b, "bob"), "e1 b2");
        assert_string_equal(box_snippets(b, "dave"), "e1 d1");
        assert_string_equal(box_snippets(b, "nobody"), "");
        assert_int_equal(store_newest(b->store, SLICE("carol")), 4);
        assert_int_equal(store_newest(b->store, SLICE("dave")), 6);
        assert_int_equal(store_newest(b->store, SLICE("nobody")), 0);
        box_reopen(b);
    }
}

static void test_a_conversation_with_oneself_is_listed_once(void **state)
{
    struct box *b = *state;
    box_send(b, "alice", "alice", "s1");
    box_send(b, "alice", "bob", "b1");
    box_send(b, "alice", "alice", "s2");
    for (int i = 0; i < 2; i++) {
        assert_string_equal(box_snippets(b, "alice"), "s2 b1");
        assert_string_equal(box_page(b, "alice", "alice", 0, 10, NULL), "s1 s2");
        box_reopen(b);
    }
}

static void test_a_record_damaged_under_way_is_an_io_error(void **state)
{
    struct box *b = *state;
    box_send(b, "alice", "bob", "one");
    size_t n;
    uint8_t *p = box_load(b, box_segment(1), &n);
    p[n - 2] ^= 1;
    box_save(b, box_segment(1), p, n);
    free(p);
    struct store_read read;
    struct store_message m;
    assert_int_equal(store_read_page(b->store, &read, SLICE("alice"), SLICE("bob"), 0, 10),
                     STORE_OK);
    assert_int_equal(store_read_next(b->store, &read, &m), STORE_IO);
    assert_non_null(strstr(b->last_log, "0000000000000001.seg at offset 64"));
    store_read_end(&read);
}

static void test_a_walk_back_cannot_turn_in_a_circle(void **state)
{
    struct box *b = *state;
    box_send(b, "alice", "bob", "one");
    size_t n;
    uint8_t *p = box_load(b, box_segment(1), &n);
    le64_store(p + SEGMENT_HEAD + 36, SEGMENT_HEAD); /* the message before it: itself */
    box_save(b, box_segment(1), p, n);
    free(p);
    struct store_read read;
    assert_int_equal(store_read_page(b->store, &read, SLICE("alice"), SLICE("bob"), 0, 10),
                     STORE_IO);
    store_read_end(&read);
}

/* How often a page in front of `before` has to take a break before it is looked up. */
static int breaks(struct box *b, uint64_t before, uint64_t *oldest)
{
    struct store_read read;
    struct store_message m;
    int n = 0;
    store_flush(b->store);
    enum store_status status =
        store_read_page(b->store, &read, SLICE("alice"), SLICE("bob"), before, 10);
    for (; status == STORE_WAIT; n++) {
        store_flush(b->store); /* the next turn */
        box_wait(b);
        store_collect(b->store);
        status = store_read_look(b->store, &read);
    }
    assert_int_equal(status, STORE_OK);
    assert_int_equal(read.count, 10);
    assert_int_equal(store_read_next(b->store, &read, &m), STORE_OK);
    *oldest = m.id;
    store_read_end(&read);
    return n;
}

static void test_a_walk_far_back_takes_breaks_and_the_next_page_is_near(void **state)
{
    struct box *b = *state;
    uint64_t oldest;
    for (int i = 0; i < 9000; i++)
        box_put(b, "alice", "bob", "x");
    box_commit(b);
    assert_int_equal(breaks(b, 0, &oldest), 0);
    assert_int_equal(oldest, 8991);
    assert_int_equal(breaks(b, 100, &oldest), 4); /* 8,900 records, 2,048 at a time */
    assert_int_equal(oldest, 90);
    assert_int_equal(breaks(b, 90, &oldest), 0);
    assert_int_equal(oldest, 80);
    assert_int_equal(breaks(b, 80, &oldest), 0);
    assert_int_equal(oldest, 70);
    assert_int_equal(breaks(b, 85, &oldest), 4); /* nobody asked for that before */
    assert_int_equal(oldest, 75);
}

/* Whoever takes a break is called in the next turn, also if a batch was collected in this one, or
 * somebody else took the last step. */
static void test_a_break_ends_with_the_turn(void **state)
{
    struct box *b = *state;
    struct pollfd p = {.events = POLLIN};
    struct store_read read;
    for (int i = 0; i < 9000; i++)
        box_put(b, "alice", "bob", "x");
    box_commit(b);
    p.fd = store_fd(b->store);
    store_flush(b->store);
    assert_int_equal(poll(&p, 1, 0), 0);
    assert_int_equal(store_read_page(b->store, &read, SLICE("alice"), SLICE("bob"), 100, 10),
                     STORE_WAIT);
    assert_int_equal(poll(&p, 1, 0), 1);
    store_collect(b->store);
    assert_false(store_can_look(b->store));
    assert_int_equal(poll(&p, 1, 0), 0);
    store_flush(b->store); /* the next turn */
    assert_int_equal(poll(&p, 1, 0), 1);
    store_read_end(&read);
}

/* One of 20 conversations, some of them silent for long; each message's text is its id. */
static void put_mixed(struct box *b, unsigned n)
{
    static unsigned seed;
    for (unsigned i = 1; i <= n; i++) {
        char name[8], text[16];
        seed = seed * 1103515245 + 12345;
        unsigned k = seed / 65536 % 20;
        snprintf(name, sizeof name, "u%u", k % (1 + i / 40));
        snprintf(text, sizeof text, "%u", i);
        if (seed & 1 << 20)
            box_put(b, "ann", k ? name : "ann", text);
        else
            box_put(b, name, k % 5 ? "ann" : "bob", text);
        if (i % 7 == 0)
            box_commit(b);
    }
    box_commit(b);
}

/* What was committed, seen by a simple eye. */
static const char *expected_since(struct box *b, const char *user, uint64_t since, uint32_t limit,
                                  bool *more)
{
    static char all[65536];
    size_t first = b->committed_count, n = 0;
    uint32_t count = 0;
    *more = false;
    for (; first && b->committed[first - 1].id > since && !*more; first--) {
        const struct box_message *m = &b->committed[first - 1];
        bool own = strcmp(m->from, user) == 0 || strcmp(m->to, user) == 0;
        *more = own && count == limit;
        count += own && !*more;
    }
    first += *more;
    all[0] = 0;
    for (; first < b->committed_count; first++) {
        const struct box_message *m = &b->committed[first];
        if (strcmp(m->from, user) == 0 || strcmp(m->to, user) == 0)
            n += (size_t)snprintf(all + n, sizeof all - n, "%s%llu", n ? " " : "",
                                  (unsigned long long)m->id);
    }
    return all;
}

static void test_what_came_since_an_id_comes_in_order_out_of_all_conversations(void **state)
{
    struct box *b = *state;
    box_close(b);
    b->options.segment_size = 4096;
    b->options.arrange = true;
    box_open(b);
    put_mixed(b, 600);
    for (uint64_t since = 0; since <= 602; since += 7) {
        static const uint32_t limits[] = {1, 2, 10, 100, 1000};
        for (size_t i = 0; i < 5; i++) {
            const char *user = since % 3 ? "ann" : since % 2 ? "bob" : "u3";
            bool more, expected_more;
            const char *expected = expected_since(b, user, since, limits[i], &expected_more);
            store_flush(b->store);
            assert_string_equal(box_since(b, user, since, limits[i], &more), expected);
            assert_int_equal(more, expected_more);
        }
    }
    assert_string_equal(box_since(b, "nobody", 0, 10, NULL), "");
}

/* Of 9,000 messages the newest ten are asked for: 186 times eleven records are all that is looked at. */
static void test_what_came_since_an_id_costs_no_more_than_it_is(void **state)
{
    struct box *b = *state;
    for (int i = 0; i < 9000; i++)
        box_put(b, i % 90 ? "alice" : "carol", "bob", "x");
    box_commit(b);
    store_flush(b->store);
    for (int i = 0; i < 186; i++)
        assert_string_equal(box_since(b, "alice", 8990, 1000, NULL), "x x x x x x x x x x");
    struct store_read read;
    assert_int_equal(store_read_since(b->store, &read, SLICE("alice"), 8990, 1000), STORE_WAIT);
    store_read_end(&read);
}

static void test_what_is_committed_while_it_waits_is_not_among_it(void **state)
{
    struct box *b = *state;
    struct store_read use, read;
    struct store_message m;
    enum store_status status;
    for (int i = 0; i < 3000; i++)
        box_put(b, "carol", "dave", "x");
    uint64_t first = box_put(b, "alice", "bob", "1");
    box_put(b, "carol", "alice", "2");
    box_put(b, "bob", "alice", "3");
    box_commit(b);
    store_flush(b->store);
    /* All that may be looked at in this turn is used up. */
    assert_int_equal(store_read_page(b->store, &use, SLICE("carol"), SLICE("dave"), 1, 10),
                     STORE_WAIT);
    store_read_end(&use);
    assert_int_equal(store_read_since(b->store, &read, SLICE("alice"), first - 1, 10), STORE_WAIT);
    box_send(b, "carol", "alice", "4");
    box_send(b, "erin", "alice", "5");
    box_send(b, "alice", "bob", "6");
    while ((status = store_read_look(b->store, &read)) == STORE_WAIT)
        store_flush(b->store);
    assert_int_equal(status, STORE_OK);
    assert_int_equal(read.count, 3);
    assert_false(read.more);
    for (uint64_t id = first; id < first + 3; id++) {
        assert_int_equal(store_read_next(b->store, &read, &m), STORE_OK);
        assert_int_equal(m.id, id);
    }
    assert_int_equal(store_read_next(b->store, &read, &m), STORE_END);
    store_read_end(&read);
}

static void test_there_is_a_conversation_once_a_message_is_committed(void **state)
{
    struct box *b = *state;
    box_put(b, "alice", "bob", "one");
    assert_false(store_has_conversation(b->store, SLICE("alice"), SLICE("bob")));
    box_commit(b);
    for (int i = 0; i < 2; i++) {
        assert_true(store_has_conversation(b->store, SLICE("alice"), SLICE("bob")));
        assert_true(store_has_conversation(b->store, SLICE("bob"), SLICE("alice")));
        assert_false(store_has_conversation(b->store, SLICE("alice"), SLICE("alice")));
        assert_false(store_has_conversation(b->store, SLICE("alice"), SLICE("carol")));
        box_reopen(b);
    }
}

/* The text "number padding", so that a record takes more than a hundred bytes. */
static void put_numbered(struct box *b, const char *to, int number)
{
    char text[64];
    snprintf(text, sizeof text, "%d-%050d", number, 0);
    box_send(b, "alice", to, text);
}

static int first_of(const char *page)
{
    return atoi(page);
}

static void test_what_was_just_written_is_read_from_memory(void **state)
{
    struct box *b = *state;
    box_close(b);
    b->options.recent = 4000;
    box_open(b);
    for (int i = 0; i < 200; i++)
        put_numbered(b, i % 2 ? "bob" : "carol", i);
    b->preads = 0;
    assert_int_equal(first_of(box_page(b, "alice", "bob", 0, 10, NULL)), 181);
    assert_int_equal(first_of(box_page(b, "alice", "carol", 0, 10, NULL)), 180);
    assert_int_equal(first_of(box_snippets(b, "alice")), 199);
    assert_int_equal(first_of(box_since(b, "alice", 190, 20, NULL)), 190);
    assert_int_equal(b->preads, 0);
    /* What is older comes from the disk, also in the middle of a page. */
    assert_int_equal(first_of(box_page(b, "alice", "bob", 0, 100, NULL)), 1);
    assert_in_range(b->preads, 1, 100);
    b->preads = 0;
    box_reopen(b);
    assert_int_equal(first_of(box_page(b, "alice", "bob", 0, 10, NULL)), 181);
    assert_true(b->preads > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_message_comes_back_as_written, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nothing_is_readable_before_it_is_committed, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_ids_increase_over_restarts, setup, teardown),
        cmocka_unit_test_setup_teardown(test_dates_never_go_back, setup, teardown),
        cmocka_unit_test_setup_teardown(test_pages_end_at_the_limit_and_before_an_id, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_pages_span_segments, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_page_ends_before_4_mib, setup, teardown),
        cmocka_unit_test_setup_teardown(test_snippets_come_with_the_most_recent_first, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_a_conversation_with_oneself_is_listed_once, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_a_record_damaged_under_way_is_an_io_error, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_a_walk_back_cannot_turn_in_a_circle, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_break_ends_with_the_turn, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_walk_far_back_takes_breaks_and_the_next_page_is_near,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_what_came_since_an_id_comes_in_order_out_of_all_conversations, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_came_since_an_id_costs_no_more_than_it_is, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_what_is_committed_while_it_waits_is_not_among_it,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_was_just_written_is_read_from_memory, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_there_is_a_conversation_once_a_message_is_committed,
                                        setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
