/* What is told without having been asked for: who writes, who is there, what was missed. */
#include "../support/chat_host.h"
#include "../support/test.h"
#include "chat/backend.h"
#include "chat/presence.h"
#include "chat/session.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* And the chat knows of it. */
static void leave(struct client *c)
{
    client_close(c);
    host_pump();
    host_pump();
}

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
    leave(&alice);
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

/* ---- presence ---------------------------------------------------------------------------- */

static void expect_presence(struct client *c, const char *id, bool online)
{
    char pattern[128];
    snprintf(pattern, sizeof pattern,
             "{\"event\":\"presence\",\"data\":{\"id\":\"%s\",\"online\":%s}}", id,
             online ? "true" : "false");
    client_expect(c, pattern);
}

/* A client comes for a moment, and sends a message. */
static void put(const char *from, const char *to)
{
    struct client c;
    host_open_as(&c, from);
    client_sendf(&c, "{\"event\":\"message\",\"data\":{\"to\":\"%s\",\"content\":\"x\"}}", to);
    client_expect(&c, "*success*");
    leave(&c);
}

static void watch(struct client *c, const char *ids)
{
    client_sendf(c, "{\"event\":\"presence\",\"data\":{\"ids\":[%s]}}", ids);
}

static void presence_is_answered_once_for_each_id(void **state)
{
    (void)state;
    struct client alice, bob, carol;
    put("alice", "bob");
    put("dave", "alice");
    host_open_as(&bob, "bob");
    host_open_as(&carol, "carol");
    host_open_as(&alice, "alice");
    client_send(&alice, "{\"event\":\"presence\",\"data\":{\"ids\":[\"bob\",\"carol\",\"bob\","
                        "\"dave\",42,\"alice\"]},\"ref\":5}");
    /* carol is here, but has nothing to do with alice. */
    static const char *const answers[] = {"bob\",\"online\":true", "carol\",\"online\":false",
                                          "dave\",\"online\":false", "42\",\"online\":false",
                                          "alice\",\"online\":false"};
    for (int i = 0; i < 5; i++) {
        char pattern[128];
        snprintf(pattern, sizeof pattern,
                 "{\"event\":\"presence\",\"data\":{\"id\":\"%s},\"ref\":5}", answers[i]);
        client_expect(&alice, pattern);
    }
    client_expect_nothing(&alice);
    client_expect_nothing(&bob);
    client_close(&alice);
    client_close(&bob);
    client_close(&carol);
}

static void presence_is_told_at_the_first_connection_and_the_last_end(void **state)
{
    (void)state;
    struct client alice, bob[2], carol;
    put("alice", "bob");
    host_open_as(&alice, "alice");
    host_open_as(&carol, "carol");
    watch(&alice, "\"bob\",\"carol\"");
    expect_presence(&alice, "bob", false);
    expect_presence(&alice, "carol", false);
    watch(&carol, "\"bob\"");
    expect_presence(&carol, "bob", false);
    for (int round = 0; round < 2; round++) {
        host_open_as(&bob[0], "bob");
        expect_presence(&alice, "bob", true);
        host_open_as(&bob[1], "bob");
        leave(&bob[0]);
        client_expect_nothing(&alice);
        client_close(&bob[1]);
        expect_presence(&alice, "bob", false);
    }
    client_expect_nothing(&carol); /* a stranger */
    watch(&alice, "");
    client_expect_nothing(&alice);
    host_open_as(&bob[0], "bob");
    client_expect_nothing(&alice);
    client_close(&bob[0]);
    client_close(&alice);
    client_close(&carol);
}

static void a_conversation_that_begins_makes_presence_true(void **state)
{
    (void)state;
    struct client alice, bob;
    host_open_as(&alice, "alice");
    host_open_as(&bob, "bob");
    watch(&alice, "\"carol\",\"bob\",\"alice\"");
    expect_presence(&alice, "carol", false);
    expect_presence(&alice, "bob", false);
    expect_presence(&alice, "alice", false);
    watch(&bob, "\"alice\"");
    expect_presence(&bob, "alice", false);
    write_to(&bob, "startWriting", "alice"); /* is no conversation */
    expect_writing(&alice, "startWriting", "bob");
    for (int i = 0; i < 2; i++) {
        client_send(&bob, "{\"event\":\"message\",\"data\":{\"to\":\"alice\",\"content\":\"hi\"}}");
        client_expect(&bob, "*success*");
        client_expect(&alice, "*\"hi\"*");
        if (i == 0) {
            expect_presence(&alice, "bob", true);
            expect_presence(&bob, "alice", true);
        }
        client_expect_nothing(&alice);
        client_expect_nothing(&bob);
    }
    client_send(&alice, "{\"event\":\"message\",\"data\":{\"to\":\"alice\",\"content\":\"me\"}}");
    client_expect(&alice, "*success*");
    expect_presence(&alice, "alice", true);
    client_send(&alice, "{\"event\":\"message\",\"data\":{\"to\":\"carol\",\"content\":\"hi\"}}");
    client_expect(&alice, "*success*");
    client_expect_nothing(&alice); /* she is not there */
    leave(&bob);
    expect_writing(&alice, "stopWriting", "bob");
    expect_presence(&alice, "bob", false);
    host_open_as(&bob, "bob");
    expect_presence(&alice, "bob", true);
    client_close(&alice);
    client_close(&bob);
}

static void erased(void *ctx, unsigned status, struct slice json)
{
    (void)json;
    *(unsigned *)ctx = status;
}

/* And a stranger, until somebody writes again. */
static void an_erased_user_is_gone_for_his_watchers(void **state)
{
    (void)state;
    struct client alice, bob, carol;
    unsigned status = 0;
    put("alice", "bob");
    host_open_as(&alice, "alice");
    host_open_as(&bob, "bob");
    host_open_as(&carol, "carol");
    watch(&bob, "\"alice\"");
    expect_presence(&bob, "alice", true);
    watch(&carol, "\"alice\"");
    expect_presence(&carol, "alice", false);
    backend_erase(backend_call_new(&host_chat, erased, &status), SLICE("alice"));
    expect_presence(&bob, "alice", false);
    watch(&bob, "\"bob\",\"alice\""); /* while it is under way */
    expect_presence(&bob, "bob", false);
    expect_presence(&bob, "alice", false);
    while (status == 0)
        host_pump();
    assert_int_equal(status, 200);
    client_expect_close(&alice, 4004); /* or she would go on with what she was told before */
    client_close(&alice);
    host_open_as(&alice, "alice");
    client_expect_nothing(&bob);
    client_expect_nothing(&carol);
    client_send(&bob, "{\"event\":\"message\",\"data\":{\"to\":\"alice\",\"content\":\"anew\"}}");
    client_expect(&bob, "*success*");
    expect_presence(&bob, "alice", true);
    client_expect(&alice, "*\"anew\"*");
    leave(&alice);
    expect_presence(&bob, "alice", false);
    client_expect_nothing(&carol);
    client_close(&bob);
    client_close(&carol);
}

static void an_erase_that_is_refused_leaves_his_watchers_as_they_were(void **state)
{
    (void)state;
    struct client alice, bob;
    put("alice", "bob");
    host_open_as(&alice, "alice");
    host_open_as(&bob, "bob");
    watch(&bob, "\"alice\"");
    expect_presence(&bob, "alice", true);
    presence_erased(&host_chat, SLICE("alice"));
    expect_presence(&bob, "alice", false);
    backend_erased(&host_chat, SLICE("alice"), 0, -EMFILE, NULL);
    expect_presence(&bob, "alice", true);
    leave(&alice);
    expect_presence(&bob, "alice", false);
    client_close(&bob);
}

static void a_presence_that_is_refused_changes_nothing(void **state)
{
    (void)state;
    struct client alice, bob;
    char ids[8 * 257 + 1] = "";
    static const char *const bad[] = {"", "{\"ids\":null}", "{\"ids\":\"bob\"}", "{\"ids\":[\"\"]}",
                                      "{\"ids\":[\"carol\",{}]}"};
    put("alice", "bob");
    host_chat.options.rate = 0;
    host_open_as(&alice, "alice");
    watch(&alice, "\"bob\"");
    expect_presence(&alice, "bob", false);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        client_sendf(&alice, "{\"event\":\"presence\"%s%s}", i ? ",\"data\":" : "", bad[i]);
        client_expect(&alice, "{\"event\":\"info\",*ids*user id*\"bad_request\"*");
    }
    for (size_t i = 0; i < 257; i++)
        snprintf(ids + 5 * i, sizeof ids - 5 * i, "%s%zu", i ? "," : " ", 1000 + i);
    watch(&alice, ids);
    client_expect(&alice, "*holds 257 user ids; at most 256 *");
    host_open_as(&bob, "bob");
    expect_presence(&alice, "bob", true);
    ids[5 * 256] = 0;
    watch(&alice, ids);
    for (int i = 0; i < 256; i++)
        client_expect(&alice, "*\"online\":false*");
    leave(&bob);
    client_expect_nothing(&alice);
    client_close(&alice);
}

static size_t memory(void)
{
    host_pump();
    return host_streams.memory - host_streams.spare_n * 4096;
}

/* Whether they are there or not, strangers or not: beside the list's own 16 bytes, and the table in which
   the lists of the store's users begin. */
static void a_watched_id_costs_8_bytes(void **state)
{
    (void)state;
    struct client alice, bob, carol;
    char ids[23 * 254 + 1] = "";
    host_chat.options.rate = 0;
    put("alice", "bob");
    put("alice", "dave");
    put("carol", "bob");
    host_open_as(&bob, "bob");
    host_open_as(&alice, "alice");
    host_open_as(&carol, "carol");
    size_t before = memory();
    watch(&alice, "\"bob\",\"dave\"");
    expect_presence(&alice, "bob", true);
    expect_presence(&alice, "dave", false);
    size_t table = 4 * host_chat.hub.watched_n;
    const size_t one = 8 + sizeof(void *) + sizeof(struct session_more);
    assert_int_equal(table, 4 * 16);
    assert_int_equal(memory(), before + table + one + 2 * 8);
    /* Whatever the length of a name. */
    for (size_t i = 0; i < 254; i++)
        snprintf(ids + 23 * i, sizeof ids - 23 * i, ",\"a-contact-of-her-%03zu\"", i);
    char list[sizeof ids + 32];
    snprintf(list, sizeof list, "\"bob\",\"alice\"%s", ids);
    watch(&carol, list);
    expect_presence(&carol, "bob", true);
    for (size_t i = 0; i < 255; i++)
        client_expect(&carol, "*\"online\":false*");
    assert_int_equal(memory(), before + table + 2 * one + 2 * 8 + 256 * 8);
    /* And who writes to whom. */
    write_to(&alice, "startWriting", "dave");
    client_expect_nothing(&alice);
    assert_in_range(memory() - before - table - 2 * one - 258 * 8, 1, 150);
    write_to(&alice, "stopWriting", "dave");
    watch(&alice, "");
    watch(&carol, "");
    client_expect_nothing(&alice);
    client_expect_nothing(&carol);
    assert_int_equal(memory(), before + table);
    client_close(&alice);
    client_close(&bob);
    client_close(&carol);
}

#define WATCHERS 12
#define WATCHED 8

static unsigned seed;

static unsigned any(unsigned n)
{
    seed = seed * 1103515245 + 12345;
    return seed / 65536 % n;
}

/* Sessions watch, leave and come, users too; what each of them hears is what a table says. */
static void whoever_watches_whomever_hears_what_he_should(void **state)
{
    (void)state;
    struct client watchers[WATCHERS], users[WATCHED];
    bool watches[WATCHERS][WATCHED] = {{false}}, here[WATCHED] = {false};
    bool known[6][WATCHED] = {{false}};
    char name[16], id[16];
    host_chat.options.rate = 0;
    for (int w = 0; w < WATCHERS; w++) {
        snprintf(name, sizeof name, "w%d", w % 6); /* two of each */
        for (int u = 0; u < WATCHED; u++) {
            snprintf(id, sizeof id, "u%d", u);
            if ((w + u) % 3 && w < 6) {
                put(name, id);
                known[w][u] = true;
            }
        }
        host_open_as(&watchers[w], name);
    }
    for (int step = 0; step < 2000; step++) {
        unsigned w = any(WATCHERS), u = any(WATCHED);
        snprintf(id, sizeof id, "u%u", u);
        if (any(64) == 0) { /* of two watchers, who are one user, the one writes */
            client_sendf(&watchers[w],
                         "{\"event\":\"message\",\"data\":{\"to\":\"%s\",\"content\":\"x\"}}", id);
            client_expect(&watchers[w], "*success*");
            client_expect(&watchers[(w + 6) % WATCHERS], "*\"content\"*");
            if (here[u])
                client_expect(&users[u], "*\"content\"*");
            for (unsigned i = w % 6; i < WATCHERS; i += 6)
                if (watches[i][u] && here[u] && !known[w % 6][u])
                    expect_presence(&watchers[i], id, true);
            known[w % 6][u] = true;
        }
        switch (any(4)) {
        case 0: {
            char ids[128] = "";
            for (unsigned i = 0; i < WATCHED; i++) {
                watches[w][i] = any(2);
                if (watches[w][i])
                    snprintf(ids + strlen(ids), sizeof ids - strlen(ids), "%s\"u%u\"",
                             *ids ? "," : "", i);
            }
            watch(&watchers[w], ids);
            for (unsigned i = 0; i < WATCHED; i++) {
                snprintf(id, sizeof id, "u%u", i);
                if (watches[w][i])
                    expect_presence(&watchers[w], id, here[i] && known[w % 6][i]);
            }
            break;
        }
        case 1:
            leave(&watchers[w]);
            snprintf(name, sizeof name, "w%u", w % 6);
            host_open_as(&watchers[w], name);
            memset(watches[w], 0, sizeof watches[w]);
            break;
        default:
            if (here[u])
                leave(&users[u]);
            else
                host_open_as(&users[u], id);
            here[u] = !here[u];
            for (unsigned i = 0; i < WATCHERS; i++)
                if (watches[i][u] && known[i % 6][u])
                    expect_presence(&watchers[i], id, here[u]);
        }
    }
    for (int w = 0; w < WATCHERS; w++) {
        client_expect_nothing(&watchers[w]);
        client_close(&watchers[w]);
    }
    for (int u = 0; u < WATCHED; u++)
        if (here[u])
            client_close(&users[u]);
    for (int i = 0; i < 3; i++)
        host_pump();
    assert_int_equal(host_chat.hub.online, 0);
    assert_in_range(host_chat.hub.watcher_n, 2, WATCHERS + 1); /* numbers are used again */
}

/* ---- resume ------------------------------------------------------------------------------ */

static void say(struct client *c, const char *to, const char *content)
{
    client_sendf(c, "{\"event\":\"message\",\"data\":{\"to\":\"%s\",\"content\":\"%s\"}}", to,
                 content);
    client_expect(c, "*success*");
}

static void resume(struct client *c, const char *user, uint64_t since)
{
    char more[64];
    snprintf(more, sizeof more, ",\"since\":%llu", (unsigned long long)since);
    host_open(c);
    client_upgrade(c);
    host_show_token(c, user, 0, more);
}

static void expect_ok(struct client *c, const char *user, uint64_t last, bool gap)
{
    char pattern[160];
    snprintf(pattern, sizeof pattern,
             "{\"event\":\"registerMessages\",\"data\":\"OK\",\"meta\":{\"user\":\"%s\",\"last\":%"
             "llu%s}}",
             user, (unsigned long long)last, gap ? ",\"gap\":true" : "");
    client_expect(c, pattern);
}

static void expect_message(struct client *c, uint64_t id, bool replay)
{
    char pattern[128];
    snprintf(pattern, sizeof pattern, "{\"event\":\"message\",\"data\":{\"id\":%llu,*}%s}",
             (unsigned long long)id, replay ? ",\"meta\":{\"replay\":true}" : "");
    client_expect(c, pattern);
}

static void what_was_missed_comes_behind_the_ok_in_order(void **state)
{
    (void)state;
    struct client alice, bob, carol;
    host_chat.options.rate = 0;
    host_open_as(&bob, "bob");
    host_open_as(&carol, "carol");
    say(&bob, "alice", "1");
    say(&carol, "alice", "2");
    say(&carol, "bob", "3");
    client_expect(&bob, "*");
    say(&bob, "alice", "4");
    host_open_as(&alice, "alice");
    say(&alice, "carol", "5"); /* what one sent oneself, too */
    client_expect(&carol, "*");
    leave(&alice);
    say(&carol, "alice", "6");
    for (uint64_t since = 0; since <= 9; since++) {
        resume(&alice, "alice", since);
        expect_ok(&alice, "alice", 6, false);
        for (uint64_t id = since + 1; id <= 6; id++)
            if (id != 3)
                expect_message(&alice, id, true);
        client_expect_nothing(&alice);
        leave(&alice);
    }
    resume(&alice, "alice", 5);
    say(&bob, "alice", "7");
    expect_ok(&alice, "alice", 6, false);
    expect_message(&alice, 6, true);
    expect_message(&alice, 7, false);
    /* On a connection that lives, too. */
    host_show_token(&alice, "alice", 0, ",\"since\":6");
    expect_ok(&alice, "alice", 7, false);
    expect_message(&alice, 7, true);
    client_expect_nothing(&alice);
    client_close(&alice);
    client_close(&bob);
    client_close(&carol);
}

static void of_more_than_1000_the_newest_come(void **state)
{
    (void)state;
    struct client alice, bob;
    host_chat.options.rate = 0;
    host_open_as(&bob, "bob");
    for (int i = 0; i < 1010; i++)
        say(&bob, "alice", "x");
    for (uint64_t since = 9; since < 11; since++) {
        resume(&alice, "alice", since);
        expect_ok(&alice, "alice", 1010, since < 10);
        for (uint64_t id = 11; id <= 1010; id++)
            expect_message(&alice, id, true);
        client_expect_nothing(&alice);
        leave(&alice);
    }
    client_close(&bob);
}

static void a_since_that_is_no_id_registers_nobody(void **state)
{
    (void)state;
    struct client alice;
    static const char *const bad[] = {"-1", "1.5", "\"1\"", "9007199254740993", "[]"};
    host_open(&alice);
    client_upgrade(&alice);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char more[64];
        snprintf(more, sizeof more, ",\"since\":%s", bad[i]);
        host_show_token(&alice, "alice", 0, more);
        client_expect(&alice, "{\"event\":\"info\",\"data\":\"*since*whole number from "
                              "0*\"bad_request\"*");
    }
    client_send(&alice, "{\"event\":\"snippets\"}");
    client_expect(&alice, "*\"unregistered\"*");
    client_close(&alice);
}

/* The disk has to be waited for, and more is committed while it reads. */
static void messages_that_pour_in_during_a_replay_come_behind_it(void **state)
{
    (void)state;
    struct client alice, bob;
    char content[700];
    uint64_t stored = 41;
    memset(content, 'x', sizeof content - 1);
    content[sizeof content - 1] = 0;
    host_chat.options.rate = 0;
    host_open_as(&bob, "bob");
    for (int i = 0; i < 41; i++)
        say(&bob, i % 3 ? "alice" : "carol", content);
    host_cold = true;
    for (int round = 0; round < 8; round++) {
        host_forget_all();
        resume(&alice, "alice", 0);
        alice.pump = host_pump_patiently;
        for (int turn = 0; turn < round; turn++)
            host_pump();
        say(&bob, "alice", "meanwhile");
        stored++;
        /* What was there when it was registered is replayed, and nothing else. */
        client_expect(&alice, "*\"OK\"*");
        uint64_t last = strtoull(strstr(alice.text, "\"last\":") + 7, NULL, 10);
        assert_in_range(last, stored - 1, stored);
        for (uint64_t id = 1; id <= last; id++)
            if (id > 41 || (id - 1) % 3)
                expect_message(&alice, id, true);
        for (uint64_t id = last + 1; id <= stored; id++)
            expect_message(&alice, id, false);
        client_expect_nothing(&alice);
        leave(&alice);
    }
    assert_true(host_cold_reads > 8);
    client_close(&bob);
}

static void who_leaves_during_a_replay_harms_nobody(void **state)
{
    (void)state;
    struct client alice, bob;
    host_chat.options.rate = 0;
    host_open_as(&bob, "bob");
    for (int i = 0; i < 15; i++)
        say(&bob, "alice", "x");
    host_cold = true;
    for (int turns = 0; turns < 10; turns++) {
        host_forget_all();
        resume(&alice, "alice", 0);
        for (int i = 0; i < turns; i++)
            host_pump();
        leave(&alice);
    }
    client_expect_nothing(&bob);
    client_close(&bob);
}

static void a_replay_that_cannot_be_read_ends_the_connection(void **state)
{
    (void)state;
    struct client alice, bob;
    host_open_as(&bob, "bob");
    say(&bob, "alice", "x");
    host_cold = true;
    host_forget_all();
    __atomic_store_n(&host_unreadable, true, __ATOMIC_RELEASE);
    resume(&alice, "alice", 0);
    alice.pump = host_pump_patiently;
    client_expect_close(&alice, 1011);
    client_close(&alice);
    client_expect_nothing(&bob);
    client_close(&bob);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, host_start, host_stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(typing_ends_30_s_after_the_last_start),
        TEST(typing_ends_with_the_connection),
        TEST(typing_that_was_stopped_is_not_stopped_again),
        TEST(a_connection_writes_to_four_at_a_time),
        TEST(presence_is_answered_once_for_each_id),
        TEST(presence_is_told_at_the_first_connection_and_the_last_end),
        TEST(a_conversation_that_begins_makes_presence_true),
        TEST(an_erased_user_is_gone_for_his_watchers),
        TEST(an_erase_that_is_refused_leaves_his_watchers_as_they_were),
        TEST(a_presence_that_is_refused_changes_nothing),
        TEST(a_watched_id_costs_8_bytes),
        TEST(whoever_watches_whomever_hears_what_he_should),
        TEST(what_was_missed_comes_behind_the_ok_in_order),
        TEST(of_more_than_1000_the_newest_come),
        TEST(a_since_that_is_no_id_registers_nobody),
        TEST(messages_that_pour_in_during_a_replay_come_behind_it),
        TEST(who_leaves_during_a_replay_harms_nobody),
        TEST(a_replay_that_cannot_be_read_ends_the_connection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
