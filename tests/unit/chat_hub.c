/* hub: who enters is found, whatever the length of his name, and his place is used again. */
#include "../support/test.h"
#include "chat/hub.h"

#include <stdio.h>
#include <string.h>

enum { USERS = 1000, NAME_MAX_N = 64 };

static size_t memory;
static struct hub hub;

/* Names of all lengths that there are, with the number in front; of two users none is the same. */
static struct slice name_of(char text[NAME_MAX_N + 1], int user)
{
    memset(text, 'x', NAME_MAX_N);
    int digits = snprintf(text, NAME_MAX_N + 1, "%d.", user);
    text[digits] = 'x';
    return slice_of(text, (size_t)(digits + user % (NAME_MAX_N - digits + 1)));
}

static void expect(int user, bool there)
{
    char text[NAME_MAX_N + 1];
    struct slice name = name_of(text, user);
    const struct online *found = hub_find(&hub, name);
    assert_int_equal(found != NULL, there);
    if (found)
        assert_true(slice_eq(online_name(found), name));
}

static struct online *enter(int user)
{
    char text[NAME_MAX_N + 1];
    struct online *entered = hub_enter(&hub, name_of(text, user));
    assert_non_null(entered);
    return entered;
}

static void leave(int user)
{
    char text[NAME_MAX_N + 1];
    hub_leave(&hub, hub_find(&hub, name_of(text, user)));
}

static int setup(void **state)
{
    (void)state;
    memory = 0;
    return hub_init(&hub, &memory);
}

static int teardown(void **state)
{
    (void)state;
    hub_fini(&hub);
    return 0;
}

static void who_is_there_is_found_and_nobody_else(void **state)
{
    (void)state;
    for (int i = 0; i < USERS; i++) {
        expect(i, false);
        struct online *user = enter(i);
        assert_ptr_equal(enter(i), user);
    }
    for (int i = 0; i < USERS; i++)
        expect(i, true);
    for (int i = 0; i < USERS; i += 2)
        leave(i);
    for (int i = 0; i < USERS; i++)
        expect(i, i % 2);
    assert_int_equal(hub.online, USERS / 2);
    for (int i = 1; i < USERS; i += 2)
        leave(i);
    assert_int_equal(memory, 0);
}

static void places_stay_where_they_are_and_are_used_again(void **state)
{
    (void)state;
    struct online *first = enter(0);
    for (int round = 0; round < 10; round++) {
        for (int i = 1; i < USERS; i++)
            enter(i);
        for (int i = USERS - 1; i > 0; i--)
            leave(i);
    }
    assert_ptr_equal(enter(0), first);
    assert_in_range(hub.n, USERS, USERS + HUB_BLOCK);
    uint32_t there = 0;
    for (uint32_t i = 0; i < hub.n; i++)
        there += hub_user(&hub, i) != NULL;
    assert_int_equal(there, 1);
    leave(0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(who_is_there_is_found_and_nobody_else),
        TEST(places_stay_where_they_are_and_are_used_again),
    };
    return cmocka_run_group_tests_name("chat_hub", tests, NULL, NULL);
}
