/* Idempotent sends and read markers, on a real server. */
#include "../support/client.h"
#include "../support/test.h"

#include <signal.h>
#include <stdio.h>

#define OPTIONS(...) ((const char *const[]){__VA_ARGS__, NULL})
#define PLAIN OPTIONS("--rate", "0")

#define SIXTY_FOUR "0123456789012345678901234567890123456789012345678901234567890123"

static struct server server;

static int start(void **state)
{
    (void)state;
    server_prepare(&server);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    if (server.pid)
        server_stop(&server);
    return 0;
}

/* key is JSON. */
static void send_message(struct client *c, const char *to, const char *content, const char *key)
{
    client_sendf(c,
                 "{\"event\":\"message\",\"data\":{\"to\":\"%s\",\"content\":\"%s\",\"key\":%s}}",
                 to, content, key);
}

static void send_read(struct client *c, const char *id, const char *up_to)
{
    client_sendf(c, "{\"event\":\"read\",\"data\":{\"id\":\"%s\",\"upTo\":%s},\"ref\":1}", id,
                 up_to);
}

static void expect_bad(struct client *c, const char *text)
{
    char pattern[256];
    snprintf(pattern, sizeof pattern,
             "{\"event\":\"info\",\"data\":\"*%s*\"*\"code\":\"bad_request\"*", text);
    client_expect(c, pattern);
}

static void expect_snippet(struct client *c, const char *other, const char *meta)
{
    char pattern[256];
    client_send(c, "{\"event\":\"snippets\"}");
    snprintf(pattern, sizeof pattern, "*\"data\":{\"id\":\"%s\",*},\"meta\":{%s}}", other, meta);
    client_expect(c, pattern);
}

/* `kill` or not: the next one finds the same. */
static void restart(int with)
{
    server_signal(&server, with);
    server_wait_end(&server);
    server.pid = 0;
    server_start(&server, PLAIN);
}

static void a_second_send_with_the_key_stores_and_delivers_nothing(void **state)
{
    (void)state;
    struct client alice, bob;
    const int how[] = {0, SIGTERM, SIGKILL, SIGKILL};
    char first[256] = "";
    server_start(&server, PLAIN);
    for (size_t i = 0; i < sizeof how / sizeof *how; i++) {
        if (how[i])
            restart(how[i]);
        client_open_as(&alice, &server, "alice");
        client_open_as(&bob, &server, "bob");
        send_message(&alice, "bob", "hi", "\"k1\"");
        client_expect(&alice, "{\"event\":\"message\",\"data\":{\"success\":true},\"meta\":{\"id\":"
                              "1,\"date\":*}}");
        if (i == 0) {
            client_expect(&bob, "*\"content\":\"hi\"*");
            snprintf(first, sizeof first, "%s", alice.text);
        }
        assert_string_equal(alice.text, first);
        send_message(&alice, "bob", "h\\u0069", "\"\\u006b1\""); /* the same, in other words */
        client_expect(&alice, first);
        send_message(&alice, "bob", "ho", "\"k1\"");
        expect_bad(&alice, "belongs to another message");
        send_message(&alice, "carol", "hi", "\"k1\"");
        expect_bad(&alice, "belongs to another message");
        client_expect_nothing(&bob);
        client_close(&alice);
        client_close(&bob);
    }
    client_open_as(&bob, &server, "bob");
    send_message(&bob, "alice", "hi", "\"k1\""); /* a key is its sender's */
    client_expect(&bob, "*{\"success\":true}*");
    client_send(&bob, "{\"event\":\"conversation\",\"data\":{\"id\":\"alice\"}}");
    client_expect(&bob, "*\"messages\":[{\"id\":1,*,{*\"from\":\"bob\",*}]},*");
    client_close(&bob);
}

static void keys_are_strings_of_1_to_64_bytes(void **state)
{
    (void)state;
    struct client alice;
    static const char *const bad[] = {"\"\"", "5", "{}", "\"\\ud800\"", "\"" SIXTY_FOUR "4\""};
    static const char *const good[] = {"null", "\"" SIXTY_FOUR "\"", "\"\\u0000\"", "\" \""};
    server_start(&server, PLAIN);
    client_open_as(&alice, &server, "alice");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        send_message(&alice, "bob", "hi", bad[i]);
        expect_bad(&alice, "expected a string of 1 to 64 bytes");
    }
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        send_message(&alice, "bob", "hi", good[i]);
        client_expect(&alice, "*{\"success\":true}*");
    }
    client_close(&alice);
}

static void a_marker_reaches_both_users_and_never_moves_back(void **state)
{
    (void)state;
    struct client alice, bob[2];
    server_start(&server, PLAIN);
    client_open_as(&alice, &server, "alice");
    for (int i = 0; i < 2; i++)
        client_open_as(&bob[i], &server, "bob");
    for (int i = 0; i < 3; i++) {
        send_message(&alice, "bob", "hi", "null");
        client_expect(&alice, "*success*");
        for (int k = 0; k < 2; k++)
            client_expect(&bob[k], "*\"content\":\"hi\"*");
    }
    expect_snippet(&bob[0], "alice", "\"unread\":3,\"readUpTo\":0");
    expect_snippet(&alice, "bob", "\"unread\":0,\"readUpTo\":0");
    send_read(&bob[0], "alice", "2");
    client_expect(&bob[0], "{\"event\":\"read\",\"data\":{\"success\":true},\"ref\":1}");
    const char *const event = "{\"event\":\"read\",\"data\":{\"id\":\"bob\",\"with\":\"alice\","
                              "\"upTo\":2}}";
    for (int i = 0; i < 2; i++)
        client_expect(&bob[i], event);
    client_expect(&alice, event);
    expect_snippet(&bob[0], "alice", "\"unread\":1,\"readUpTo\":0");
    expect_snippet(&alice, "bob", "\"unread\":0,\"readUpTo\":2");
    send_read(&bob[0], "alice", "1");
    client_expect(&bob[0], "{\"event\":\"read\",\"data\":{\"success\":true},\"ref\":1}");
    client_expect_nothing(&alice);
    send_read(&bob[0], "alice", "4");
    expect_bad(&bob[0], "beyond the newest message");
    send_read(&bob[0], "carol", "1");
    expect_bad(&bob[0], "beyond the newest message");
    send_read(&bob[0], "alice", "null");
    expect_bad(&bob[0], "missing");
    send_read(&bob[0], "alice", "\"2\"");
    expect_bad(&bob[0], "whole number");
    client_expect_nothing(&bob[1]);
    client_close(&alice);
    for (int i = 0; i < 2; i++)
        client_close(&bob[i]);
}

static void markers_and_counts_are_there_after_a_kill(void **state)
{
    (void)state;
    struct client alice, bob;
    const int how[] = {0, SIGKILL, SIGTERM};
    server_start(&server, PLAIN);
    client_open_as(&alice, &server, "alice");
    client_open_as(&bob, &server, "bob");
    for (int i = 0; i < 5; i++) {
        send_message(&alice, "bob", "hi", "null");
        client_expect(&alice, "*success*");
        client_expect(&bob, "*\"content\":\"hi\"*");
    }
    send_message(&bob, "alice", "one's own is read", "null");
    client_expect(&bob, "*success*");
    client_expect(&alice, "*\"content\":*");
    send_read(&bob, "alice", "3");
    client_expect(&bob, "*success*");
    client_expect(&alice, "*\"upTo\":3*");
    client_close(&alice);
    client_close(&bob);
    for (size_t i = 0; i < sizeof how / sizeof *how; i++) {
        if (how[i])
            restart(how[i]);
        client_open_as(&alice, &server, "alice");
        client_open_as(&bob, &server, "bob");
        expect_snippet(&bob, "alice", "\"unread\":2,\"readUpTo\":0");
        expect_snippet(&alice, "bob", "\"unread\":1,\"readUpTo\":3");
        client_close(&alice);
        client_close(&bob);
    }
}

static void a_note_to_oneself_is_never_unread(void **state)
{
    (void)state;
    struct client alice;
    server_start(&server, PLAIN);
    client_open_as(&alice, &server, "alice");
    send_message(&alice, "alice", "milk", "null");
    client_expect(&alice, "*success*");
    expect_snippet(&alice, "alice", "\"unread\":0,\"readUpTo\":0");
    send_read(&alice, "alice", "1");
    client_expect(&alice, "*success*");
    client_expect(&alice, "*\"id\":\"alice\",\"with\":\"alice\",\"upTo\":1}}");
    expect_snippet(&alice, "alice", "\"unread\":0,\"readUpTo\":1");
    client_expect_nothing(&alice);
    client_close(&alice);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_second_send_with_the_key_stores_and_delivers_nothing,
                                        start, stop),
        cmocka_unit_test_setup_teardown(keys_are_strings_of_1_to_64_bytes, start, stop),
        cmocka_unit_test_setup_teardown(a_marker_reaches_both_users_and_never_moves_back, start,
                                        stop),
        cmocka_unit_test_setup_teardown(markers_and_counts_are_there_after_a_kill, start, stop),
        cmocka_unit_test_setup_teardown(a_note_to_oneself_is_never_unread, start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
