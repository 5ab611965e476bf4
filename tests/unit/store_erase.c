/* erase: a user's messages leave the log for good, and nobody else can tell, whatever he is reading. */
#include "../support/store_box.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int setup(void **state)
{
    struct box *b = calloc(1, sizeof *b);
    assert_non_null(b);
    box_init(b);
    b->options.segment_size = 3000;
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

/* Who wrote the next message of the read; "-" at its end. Static memory. */
static const char *next(struct box *b, struct store_read *read)
{
    static char name[STORE_MAX_USER + 1];
    struct store_message m;
    enum store_status status = store_read_next(b->store, read, &m);
    if (status == STORE_END)
        return "-";
    assert_int_equal(status, STORE_OK);
    snprintf(name, sizeof name, "%.*s", SLICE_FMT(m.from));
    return name;
}

static void test_snippets_show_nothing_of_those_who_come_after_the_erased(void **state)
{
    struct box *b = *state;
    struct store_read reads[3];
    box_open(b);
    box_send(b, "gone", "ann", "1");
    box_send(b, "bob", "ann", "2");
    box_send(b, "cleo", "ann", "3");
    for (int i = 0; i < 3; i++)
        assert_int_equal(
            store_read_snippets(b->store, &reads[i], slice_str(i < 2 ? "ann" : "gone")), STORE_OK);
    for (int i = 0; i < 2; i++)
        assert_string_equal(next(b, &reads[i]), "cleo");
    assert_int_equal(box_erase(b, "gone"), 1);
    box_send(b, "dan", "eve", "for nobody else");
    box_send(b, "dan", "dan", "for nobody at all");
    assert_string_equal(next(b, &reads[0]), "bob");
    assert_string_equal(next(b, &reads[0]), "-");
    assert_string_equal(next(b, &reads[2]), "-");
    /* Nor after the reader has been erased himself. */
    box_erase(b, "ann");
    box_send(b, "eve", "fay", "nor this");
    assert_string_equal(next(b, &reads[1]), "-");
    for (int i = 0; i < 3; i++)
        store_read_end(&reads[i]);
}

/* A read that had to wait begins again, by its numbers, when he is gone and others have come. */
static void test_a_read_that_waited_shows_nothing_of_those_who_come_after_the_erased(void **state)
{
    struct box *b = *state;
    struct store_read page, since, use;
    b->options.segment_size = 0;
    box_open(b);
    for (int i = 0; i < 3000; i++)
        box_put(b, "x", "y", "z");
    box_put(b, "gone", "ann", "1");
    box_commit(b);
    store_flush(b->store);
    assert_int_equal(store_read_page(b->store, &use, SLICE("x"), SLICE("y"), 1, 10), STORE_WAIT);
    assert_int_equal(store_read_page(b->store, &page, SLICE("ann"), SLICE("gone"), 0, 10),
                     STORE_WAIT);
    assert_int_equal(store_read_since(b->store, &since, SLICE("gone"), 0, 10), STORE_WAIT);
    store_read_end(&use);
    box_erase(b, "gone");
    box_send(b, "dan", "eve", "for nobody else");
    store_flush(b->store);
    assert_int_equal(store_read_look(b->store, &page), STORE_OK);
    assert_int_equal(store_read_look(b->store, &since), STORE_OK);
    assert_string_equal(next(b, &page), "-");
    assert_string_equal(next(b, &since), "-");
    store_read_end(&page);
    store_read_end(&since);
}

/* 60 messages to ann, of which every third, of the newest 30, is from somebody who is erased when `seen` of
 * them have been read: `limit` at most are asked for, and what is left comes once and in order. */
static void resume(struct box *b, uint32_t limit, uint32_t seen)
{
    struct store_read read;
    struct store_message m;
    enum store_status status;
    uint64_t ids[60], last = 0;
    bool gone[60];
    uint32_t n = 0;
    char user[16];
    snprintf(user, sizeof user, "gone%u-%u", limit, seen);
    uint64_t since = store_newest(b->store, SLICE("ann"));
    for (int i = 0; i < 60; i++) {
        gone[i] = i >= 30 && i % 3 == 2; /* the newest of all, too */
        ids[i] = box_send(b, gone[i] ? user : i % 2 ? "bob" : "cleo", "ann", "m");
    }
    assert_int_equal(store_read_since(b->store, &read, SLICE("ann"), since, limit), STORE_OK);
    assert_int_equal(read.more, limit < 60);
    uint32_t at = limit < 60 ? 60 - limit : 0;
    for (; n < seen; n++, at++) {
        assert_int_equal(store_read_next(b->store, &read, &m), STORE_OK);
        assert_int_equal(m.id, ids[at]);
    }
    assert_int_equal(box_erase(b, user), 10);
    while ((status = store_read_next(b->store, &read, &m)) == STORE_OK) {
        while (at < 60 && gone[at])
            at++;
        assert_true(at < 60 && m.id > last);
        assert_int_equal(m.id, ids[at++]);
        last = m.id;
    }
    while (at < 60 && gone[at])
        at++;
    assert_int_equal(status, STORE_END);
    assert_int_equal(at, 60);
    store_read_end(&read);
}

static void test_a_resume_goes_on_with_what_is_left(void **state)
{
    struct box *b = *state;
    box_open(b);
    for (uint32_t seen = 0; seen <= 40; seen += 8) {
        resume(b, 40, seen);
        resume(b, 1000, seen);
    }
    resume(b, 1000, 60);
}

static void test_a_page_of_the_erased_ends(void **state)
{
    struct box *b = *state;
    struct store_read read;
    struct store_message m;
    box_open(b);
    for (int i = 0; i < 3; i++)
        box_send(b, "gone", "ann", "m");
    assert_int_equal(store_read_page(b->store, &read, SLICE("ann"), SLICE("gone"), 0, 10),
                     STORE_OK);
    assert_string_equal(next(b, &read), "gone");
    box_erase(b, "gone");
    box_send(b, "dan", "eve", "for nobody else");
    assert_int_equal(store_read_next(b->store, &read, &m), STORE_IO);
    store_read_end(&read);
}

/* Flips a bit of the first of these texts that stands in a file of the log: the file's first id. */
static uint64_t damage(struct box *b, const char *text, uint64_t last_id)
{
    for (uint64_t id = 1; id <= last_id; id++) {
        size_t n;
        if (!box_exists(b, box_segment(id)))
            continue;
        uint8_t *p = box_load(b, box_segment(id), &n), *at = memmem(p, n, text, strlen(text));
        if (at) {
            *at ^= 1;
            box_save(b, box_segment(id), p, n);
        }
        free(p);
        if (at)
            return id;
    }
    fail_msg("%s is in no file", text);
    return 0;
}

static unsigned count_files_with(struct box *b, const char *text, uint64_t last_id)
{
    unsigned count = 0;
    for (uint64_t id = 1; id <= last_id; id++) {
        size_t n;
        if (!box_exists(b, box_segment(id)))
            continue;
        uint8_t *p = box_load(b, box_segment(id), &n);
        count += memmem(p, n, text, strlen(text)) != NULL;
        free(p);
    }
    return count;
}

static void erase_and_meet_damage(struct box *b, const char *user, const char *file)
{
    unsigned before = b->erased;
    assert_int_equal(store_erase(b->store, slice_str(user)), 0);
    for (int i = 0; i < 1000 && b->erased == before; i++) {
        store_flush(b->store);
        store_collect(b->store);
    }
    assert_int_equal(b->erased_error, -EBADMSG);
    assert_memory_equal(b->erased_damaged, file, strlen(file));
    assert_false(store_is_erasing(b->store, slice_str(user)));
}

/* One flipped bit in an old segment: the other segments are rewritten, other users can be erased, the server
 * starts, and what is hidden stays so. */
static void test_damage_stops_neither_an_erase_nor_a_start(void **state)
{
    struct box *b = *state;
    b->checkpoints = true;
    box_open(b);
    for (int i = 0; i < 300; i++) {
        static const char *const from[] = {"bob", "gone", "dan"};
        char text[32];
        snprintf(text, sizeof text, "%s-%d", from[i % 3], i);
        box_send(b, from[i % 3], "ann", text);
    }
    box_close(b);
    char file[32];
    snprintf(file, sizeof file, "%s", box_segment(damage(b, "bob-90", 400)));
    box_open(b);
    unsigned all = count_files_with(b, "gone-", 400);
    assert_true(all > 10);
    erase_and_meet_damage(b, "gone", file);
    assert_in_range(b->erased_messages, 80, 99);
    assert_int_equal(count_files_with(b, "gone-", 400), 1);
    erase_and_meet_damage(b, "dan", file);
    assert_int_equal(count_files_with(b, "dan-", 400), 1);
    for (int i = 0; i < 3; i++) {
        assert_string_equal(box_page(b, "ann", "gone", 0, 10, NULL), "");
        assert_string_equal(box_snippets(b, "ann"), "bob-297");
        assert_int_equal(store_newest(b->store, SLICE("gone")), 0);
        box_reopen(b);
        for (int k = 0; k < 100; k++) { /* it is tried again */
            store_flush(b->store);
            store_collect(b->store);
        }
    }
    /* He may come back: what he says now is not what is to be left out. */
    box_send(b, "gone", "ann", "again");
    box_reopen(b);
    assert_string_equal(box_page(b, "ann", "gone", 0, 10, NULL), "again");
}

/* Whoever asks for the same user waits for the same end; another one has to ask again. */
static void test_the_same_user_may_be_asked_for_twice(void **state)
{
    struct box *b = *state;
    box_open(b);
    box_send(b, "gone", "ann", "1");
    assert_int_equal(store_erase(b->store, SLICE("gone")), 0);
    assert_int_equal(store_erase(b->store, SLICE("gone")), 0);
    assert_int_equal(store_erase(b->store, SLICE("ann")), -EBUSY);
    assert_int_equal(box_erase(b, "gone"), 1);
    assert_int_equal(b->erased, 1);
}

/* The disk refuses to remove what has been arranged; then somebody is erased whose messages stand there. */
static void test_files_that_could_not_be_removed_go_with_the_erased(void **state)
{
    struct box *b = *state;
    b->options.arrange = true;
    box_open(b);
    for (int i = 0; i < 300; i++)
        box_send(b, i % 3 ? "bob" : "gone", "ann", i % 3 ? "from bob" : "from gone");
    b->remove_error = EIO;
    assert_int_equal(store_compact(b->store, NULL, NULL), 0);
    assert_true(count_files_with(b, "from gone", 400) > 1);
    assert_int_equal(store_erase(b->store, SLICE("gone")), 0);
    for (int i = 0; i < 200; i++) {
        store_flush(b->store);
        store_collect(b->store);
    }
    assert_int_equal(b->erased_error, -EIO);
    b->remove_error = 0;
    box_erase(b, "gone");
    assert_int_equal(count_files_with(b, "from gone", 400), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            test_snippets_show_nothing_of_those_who_come_after_the_erased, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_a_read_that_waited_shows_nothing_of_those_who_come_after_the_erased, setup,
            teardown),
        cmocka_unit_test_setup_teardown(test_a_resume_goes_on_with_what_is_left, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_page_of_the_erased_ends, setup, teardown),
        cmocka_unit_test_setup_teardown(test_damage_stops_neither_an_erase_nor_a_start, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_the_same_user_may_be_asked_for_twice, setup, teardown),
        cmocka_unit_test_setup_teardown(test_files_that_could_not_be_removed_go_with_the_erased,
                                        setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
