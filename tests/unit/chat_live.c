/* What is told without having been asked for: who writes, who is there, what was missed. */
#include "../support/chat_host.h"
#include "../support/test.h"

#include <stdio.h>
#include <string.h>

static void write_to(struct client *c, const char *event, const char *to)
{
    client_sendf(c, "{\"event\":\"%s\",\"data\":{\"id\":\"%s\"}}", event, to);
}

static void expect_writing(struct client *c, const char *event, const char *from)
{
    char pattern[128];
    snprintf(pattern, sizeof pattern, "{\"event\":\"%s\",\"data\":{\"id\":\"%s\"}}", event, from);
    client_expect(c, pattern);
}

/* ---- typing ------------------------------------------------------------------------------ */

static void typing_ends_30_s_after_the_last_start(void **state)
{
    (void)state;
    struct client alice, bob;
    host_open_as(&alice, "alice");
    host_open_as(&bob, "bob");
    for (int i = 0; i < 3; i++) {
        write_to(&alice, "startWriting", "bob");
        expect_writing(&bob, "startWriting", "alice");
        host_advance(i < 2 ? 20000 : 29900);
        client_expect_nothing(&alice);
        client_expect_nothing(&bob);
    }
    host_advance(300);
    expect_writing(&bob, "stopWriting", "alice");
    host_advance(40000);
    client_expect_nothing(&alice);
    client_expect_nothing(&bob);
    assert_true(list_empty(&host_chat.typing));
    client_close(&alice);
    client_close(&bob);
}

static void typing_ends_with_the_connection(void **state)
{
    (void)state;
    struct client alice, bob[2], carol;
    host_open_as(&alice, "alice");
    host_open_as(&bob[0], "bob");
    host_open_as(&bob[1], "bob");
    host_open_as(&carol, "carol");
    write_to(&alice, "startWriting", "bob");
    write_to(&alice, "startWriting", "carol");
    for (int i = 0; i < 2; i++)
        expect_writing(&bob[i], "startWriting", "alice");
    expect_writing(&carol, "startWriting", "alice");
    client_close(&alice);
    for (int i = 0; i < 2; i++)
        expect_writing(&bob[i], "stopWriting", "alice");
    expect_writing(&carol, "stopWriting", "alice");
    assert_true(list_empty(&host_chat.typing));
    for (int i = 0; i < 2; i++)
        client_close(&bob[i]);
    client_close(&carol);
}

static void typing_that_was_stopped_is_not_stopped_again(void **state)
{
    (void)state;
    struct client alice, bob;
    host_open_as(&alice, "alice");
    host_open_as(&bob, "bob");
    write_to(&alice, "startWriting", "bob");
    write_to(&alice, "stopWriting", "bob");
    expect_writing(&bob, "startWriting", "alice");
    expect_writing(&bob, "stopWriting", "alice");
    host_advance(40000);
    client_expect_nothing(&alice);
    client_expect_nothing(&bob);
    client_close(&alice);
    host_pump();
    host_pump();
    client_expect_nothing(&bob);
    client_close(&bob);
}

/* A fifth one: he who has waited longest for a word is told that it ended. */
static void a_connection_writes_to_four_at_a_time(void **state)
{
    (void)state;
    static const char *const names[] = {"b0", "b1", "b2", "b3", "b4"};
    struct client alice, b[5];
    host_chat.options.rate = 0;
    host_open_as(&alice, "alice");
    for (int i = 0; i < 5; i++)
        host_open_as(&b[i], names[i]);
    for (int i = 0; i < 4; i++) {
        write_to(&alice, "startWriting", names[i]);
        expect_writing(&b[i], "startWriting", "alice");
        host_advance(1000);
    }
    write_to(&alice, "startWriting", "b0"); /* goes on: b1 is the oldest now */
    expect_writing(&b[0], "startWriting", "alice");
    write_to(&alice, "startWriting", "b4");
    expect_writing(&b[4], "startWriting", "alice");
    expect_writing(&b[1], "stopWriting", "alice");
    for (int i = 0; i < 5; i++)
        client_expect_nothing(&b[i]);
    client_close(&alice);
    for (int i = 0; i < 5; i++) {
        if (i != 1)
            expect_writing(&b[i], "stopWriting", "alice");
        client_close(&b[i]);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, host_start, host_stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(typing_ends_30_s_after_the_last_start),
        TEST(typing_ends_with_the_connection),
        TEST(typing_that_was_stopped_is_not_stopped_again),
        TEST(a_connection_writes_to_four_at_a_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
