/* The wall clock is wrong, and is put right: forwards, backwards, from 1970 on. Nobody waits for it. */
#include "../support/chat_host.h"
#include "../support/test.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOUR INT64_C(3600000)
#define DAY (24 * HOUR)

static const int64_t jumps[] = {1000, -1000, HOUR, -HOUR, 400 * DAY, -400 * DAY, 30000 * DAY};

static void to_1970(void)
{
    host_jumped = 0;
    host_jumped = -host_wall(NULL);
}

static int start_in_1970(void **state)
{
    host_ms = 0;
    to_1970();
    return host_start(state);
}

static uint64_t number_behind(const char *text, const char *name)
{
    const char *found = strstr(text, name);
    assert_non_null(found);
    return strtoull(found + strlen(name), NULL, 10);
}

static uint64_t last_id, last_date;

/* One is sent, acknowledged and delivered: with a greater id and no lesser date than the one before. */
static void chat_once(struct client *from, struct client *to)
{
    host_advance(1000); /* within the rate */
    client_send(from, "{\"event\":\"message\",\"data\":{\"to\":\"bob\",\"content\":\"hi\"}}");
    client_expect(from, "*{\"success\":true}*");
    uint64_t id = number_behind(from->text, "\"id\":"), date = number_behind(from->text, "\"date\""
                                                                                         ":");
    if (id <= last_id || date < last_date)
        fail_msg("id %" PRIu64 " behind %" PRIu64 ", date %" PRIu64 " behind %" PRIu64, id, last_id,
                 date, last_date);
    last_id = id;
    last_date = date;
    client_expect(to, "{\"event\":\"message\",\"data\":{\"id\":*");
    assert_int_equal(number_behind(to->text, "\"id\":"), id);
}

static void ids_grow_and_dates_never_go_back_however_it_jumps(void **state)
{
    (void)state;
    struct client alice, bob;
    last_id = last_date = 0;
    host_open_as(&alice, "alice");
    host_open_as(&bob, "bob");
    chat_once(&alice, &bob);
    for (size_t i = 0; i < sizeof jumps / sizeof *jumps; i++) {
        host_jumped += jumps[i];
        chat_once(&alice, &bob);
        chat_once(&alice, &bob);
    }
    to_1970();
    chat_once(&alice, &bob);
    client_close(&alice);
    client_close(&bob);
}

/* Time that passes by the wall alone is none: nobody is pinged, closed or forgotten by it. */
static void no_timeout_follows_the_wall_clock(void **state)
{
    (void)state;
    struct client alice, bob, silent;
    host_open_as(&alice, "alice");
    host_open_as(&bob, "bob");
    host_open(&silent);
    client_upgrade(&silent);
    client_send(&alice, "{\"event\":\"startWriting\",\"data\":{\"id\":\"bob\"}}");
    client_expect(&bob, "*startWriting*");
    for (size_t i = 0; i < sizeof jumps / sizeof *jumps; i++) {
        host_jumped += jumps[i];
        host_advance(3000);
        client_expect_nothing(&alice);
        client_expect_nothing(&bob);
    }
    to_1970();
    /* 30 s after the last start, and 30 s after the upgrade, by the clock that does not jump. */
    host_advance(8900);
    client_expect_nothing(&bob);
    assert_int_equal(host_chat.stats.connections, 3);
    host_advance(400);
    client_expect(&bob, "*stopWriting*");
    client_expect_close(&silent, 4002);
    client_close(&alice);
    client_close(&bob);
    client_close(&silent);
}

static void a_token_is_judged_by_the_date_of_the_moment(void **state)
{
    (void)state;
    struct client alice, bob;
    host_open(&alice);
    client_upgrade(&alice);
    host_register(&alice, "alice", HOUR);
    host_jumped = -HOUR;
    host_advance(12000);
    client_expect_nothing(&alice);
    host_jumped = 2 * HOUR; /* looked at again within 10 s */
    host_advance(10100);
    client_expect(&alice, "*\"token_expired\"*");
    client_expect_close(&alice, 4001);
    client_close(&alice);
    host_open(&bob);
    client_upgrade(&bob);
    host_jumped = 0;
    host_register(&bob, "bob", HOUR);
    client_expect_nothing(&bob);
    client_close(&bob);
}

/* A machine without a clock of its own: it starts in 1970, and later somebody tells it what time it is. */
static void a_start_in_1970_serves_and_forgets_nothing_when_the_clock_is_set(void **state)
{
    (void)state;
    static const char keyed[] = "{\"event\":\"message\",\"data\":{\"to\":\"bob\",\"content\":"
                                "\"once\",\"key\":\"k\"}}";
    struct client alice, bob, late;
    int64_t wrong = host_jumped;
    last_id = last_date = 0;
    host_open(&alice);
    client_upgrade(&alice);
    host_jumped = 0; /* who issues tokens knows the time */
    host_show_token(&alice, "alice", HOUR, "");
    host_jumped = wrong;
    client_expect(&alice, "*\"OK\"*");
    host_open_as(&bob, "bob");
    chat_once(&alice, &bob);
    client_send(&alice, keyed);
    client_expect(&alice, "*{\"success\":true}*");
    uint64_t id = number_behind(alice.text, "\"id\":");
    client_expect(&bob, "*once*");
    host_jumped = 0;
    host_advance(20000);
    client_expect_nothing(&alice); /* its token is good for the hour still */
    client_send(&alice, "{\"event\":\"message\",\"data\":{\"to\":\"bob\",\"content\":\"next\","
                        "\"key\":\"l\"}}");
    client_expect(&alice, "*{\"success\":true}*");
    client_expect(&bob, "*next*");
    client_send(&alice, keyed);
    client_expect(&alice, "*{\"success\":true}*");
    assert_int_equal(number_behind(alice.text, "\"id\":"), id);
    client_expect_nothing(&bob);
    last_id = id;
    chat_once(&alice, &bob);
    assert_true(last_date > 1790000000000);
    host_open_as(&late, "late");
    client_expect_nothing(&late);
    client_close(&alice);
    client_close(&bob);
    client_close(&late);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, host_start, host_stop)
    const struct CMUnitTest tests[] = {
        TEST(ids_grow_and_dates_never_go_back_however_it_jumps),
        TEST(no_timeout_follows_the_wall_clock),
        TEST(a_token_is_judged_by_the_date_of_the_moment),
        cmocka_unit_test_setup_teardown(
            a_start_in_1970_serves_and_forgets_nothing_when_the_clock_is_set, start_in_1970,
            host_stop),
    };
    return cmocka_run_group_tests_name("chat_clock", tests, NULL, NULL);
}
