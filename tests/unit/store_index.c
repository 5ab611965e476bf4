/* index: users, conversations, and who talked last. */
#include "store/index.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>

static uint32_t intern(struct index *ix, const char *a, const char *b)
{
    uint32_t number;
    assert_int_equal(index_intern(ix, slice_str(a), slice_str(b), &number), 0);
    return number;
}

/* The user's conversations, most recent first, as digits. */
static const char *list(const struct index *ix, const char *user)
{
    static char text[64];
    size_t n = 0;
    uint32_t u = index_find_user(ix, slice_str(user));
    assert_true(u != INDEX_NONE);
    uint32_t before = INDEX_NONE;
    for (uint32_t c = ix->users[u].head; c != INDEX_NONE; c = index_next(ix, c, u)) {
        const struct conversation *conversation = &ix->conversations[c];
        assert_int_equal(conversation->link[conversation->user[0] == u ? 0 : 1].prev, before);
        before = c;
        text[n++] = (char)('0' + c);
    }
    text[n] = 0;
    return text;
}

static void test_a_conversation_is_the_same_from_both_sides(void **state)
{
    (void)state;
    struct index ix;
    assert_int_equal(index_init(&ix), 0);
    assert_int_equal(intern(&ix, "bob", "alice"), 0);
    assert_int_equal(intern(&ix, "alice", "bob"), 0);
    assert_int_equal(intern(&ix, "bob", "bob"), 1);
    assert_int_equal(index_find(&ix, SLICE("alice"), SLICE("bob")), 0);
    assert_int_equal(index_find(&ix, SLICE("bob"), SLICE("alice")), 0);
    assert_int_equal(index_find(&ix, SLICE("alice"), SLICE("alice")), INDEX_NONE);
    assert_int_equal(index_find(&ix, SLICE("alice"), SLICE("carol")), INDEX_NONE);
    assert_true(slice_eq(index_name(&ix, ix.conversations[0].user[0]), SLICE("alice")));
    assert_int_equal(ix.user_count, 2);
    index_fini(&ix);
}

static void test_a_commit_moves_to_the_front_of_both_lists(void **state)
{
    (void)state;
    struct index ix;
    assert_int_equal(index_init(&ix), 0);
    intern(&ix, "a", "b");
    intern(&ix, "a", "c");
    intern(&ix, "a", "a");
    intern(&ix, "c", "b");
    assert_string_equal(list(&ix, "a"), "");
    uint64_t place = 0;
    static const struct {
        uint32_t number;
        const char *a, *b, *c;
    } steps[] = {{0, "0", "0", ""},      {1, "10", "0", "1"},    {2, "210", "0", "1"},
                 {3, "210", "30", "31"}, {1, "120", "30", "13"}, {1, "120", "30", "13"},
                 {0, "012", "03", "13"}, {2, "201", "03", "13"}};
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        place++;
        index_commit(&ix, steps[i].number, place, place);
        assert_string_equal(list(&ix, "a"), steps[i].a);
        assert_string_equal(list(&ix, "b"), steps[i].b);
        assert_string_equal(list(&ix, "c"), steps[i].c);
    }
    index_fini(&ix);
}

static void test_what_was_never_committed_is_forgotten(void **state)
{
    (void)state;
    struct index ix;
    assert_int_equal(index_init(&ix), 0);
    index_commit(&ix, intern(&ix, "a", "b"), 64, 1);
    intern(&ix, "a", "c");
    intern(&ix, "d", "d");
    index_forget_uncommitted(&ix);
    assert_int_equal(ix.user_count, 2);
    assert_int_equal(ix.conversation_count - ix.hole_count, 1);
    assert_int_equal(index_find_user(&ix, SLICE("c")), INDEX_NONE);
    assert_int_equal(intern(&ix, "d", "d"), 1);
    index_forget_uncommitted(&ix);
    index_forget_uncommitted(&ix);
    assert_int_equal(index_find(&ix, SLICE("b"), SLICE("a")), 0);
    index_fini(&ix);
}

static void load(struct index *ix, const char *a, const char *b, uint32_t number, uint64_t id)
{
    assert_int_equal(index_load_users(ix, slice_str(a), slice_str(b), number), 0);
    index_load_record(ix, number, id * 100, id);
}

static void test_an_index_is_loaded_in_any_order(void **state)
{
    (void)state;
    struct index ix;
    assert_int_equal(index_init(&ix), 0);
    load(&ix, "a", "b", 7, 1);
    load(&ix, "a", "c", 2, 30);
    load(&ix, "c", "b", 0, 20);
    index_load_record(&ix, 7, 4000, 40);
    assert_int_equal(index_load_users(&ix, SLICE("d"), SLICE("e"), 2), -EEXIST);
    assert_int_equal(index_load_users(&ix, SLICE("b"), SLICE("a"), 5), -EEXIST);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(index_load_end(&ix, NULL, 0), 0);
        assert_string_equal(list(&ix, "a"), "72");
        assert_string_equal(list(&ix, "b"), "70");
        assert_string_equal(list(&ix, "c"), "20");
    }
    assert_int_equal(ix.conversations[7].last, 4000);
    assert_int_equal(ix.conversations[7].tail, 4000);
    index_fini(&ix);
}

static void test_new_conversations_take_the_numbers_that_are_free(void **state)
{
    (void)state;
    struct index ix;
    assert_int_equal(index_init(&ix), 0);
    load(&ix, "a", "b", 3, 1);
    load(&ix, "a", "c", 1, 2);
    assert_int_equal(index_load_end(&ix, NULL, 0), 0);
    assert_int_equal(ix.hole_count, 2);
    assert_int_equal(intern(&ix, "x", "y"), 0);
    assert_int_equal(intern(&ix, "x", "z"), 2);
    assert_int_equal(intern(&ix, "y", "z"), 4);
    assert_int_equal(ix.hole_count, 0);
    index_commit(&ix, 2, 99, 3);
    index_forget_uncommitted(&ix);
    assert_int_equal(ix.hole_count, 2);
    assert_int_equal(intern(&ix, "z", "x"), 2);
    assert_int_equal(intern(&ix, "p", "q"), 0);
    assert_int_equal(intern(&ix, "p", "r"), 4);
    index_fini(&ix);
}

static void test_many_users_keep_their_numbers(void **state)
{
    (void)state;
    struct index ix;
    assert_int_equal(index_init(&ix), 0);
    char name[16];
    for (int round = 0; round < 2; round++) {
        for (uint32_t i = 0; i < 5000; i++) {
            snprintf(name, sizeof name, "user%u", (unsigned)i);
            assert_int_equal(intern(&ix, name, "user0"), i);
        }
    }
    assert_int_equal(ix.user_count, 5000);
    assert_true(sizeof(struct conversation) <= 80);
    index_fini(&ix);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_conversation_is_the_same_from_both_sides),
        cmocka_unit_test(test_a_commit_moves_to_the_front_of_both_lists),
        cmocka_unit_test(test_what_was_never_committed_is_forgotten),
        cmocka_unit_test(test_an_index_is_loaded_in_any_order),
        cmocka_unit_test(test_new_conversations_take_the_numbers_that_are_free),
        cmocka_unit_test(test_many_users_keep_their_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
