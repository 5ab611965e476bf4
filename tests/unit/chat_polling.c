/* Engine.IO's polling where timing matters: silence, slow readers, upgrades, the server's leave; and what memory
 * and connections are left behind. */
#include "../support/engine.h"
#include "../support/test.h"
#include "chat/polling.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the life of a session ----------------------------------------------------------------- */

static void the_handshake_is_the_references(void **state)
{
    (void)state;
    struct client c, p;
    host_open(&c);
    host_open(&p);
    engine_ask(&c, "GET " ENGINE_QUERY "polling HTTP/1.1\r\nHost: h\r\n\r\n");
    engine_expect(&c, "HTTP/1.1 200 OK\r\nContent-Type: text/plain; "
                      "charset=UTF-8\r\n*Cache-Control: "
                      "no-store\r\n*Connection: keep-alive\r\n\r\n"
                      "0{\"sid\":\"*\",\"upgrades\":[\"websocket\"],\"pingInterval\":25000,"
                      "\"pingTimeout\":20000,\"maxPayload\":65536}");
    engine_drop(&c);
    engine_drop(&p);
}

static void a_session_nobody_asks_for_ends_after_45_s(void **state)
{
    (void)state;
    struct client c, p;
    engine_open_as(&c, &p, "alice");
    engine_drop(&c);
    engine_drop(&p);
    assert_int_equal(host_chat.stats.connections, 1); /* it needs no socket to count */
    host_advance(44000);
    assert_int_equal(host_chat.polls_n, 1);
    host_advance(4000); /* and the 2 s that a goodbye may wait */
    assert_int_equal(host_chat.polls_n, 0);
    assert_int_equal(host_chat.stats.connections, 0);
    assert_int_equal(host_streams.open, 0);
}

static void a_ping_comes_every_25_s_and_a_pong_keeps_the_session(void **state)
{
    (void)state;
    struct client c, p;
    engine_open_as(&c, &p, "alice");
    for (int i = 0; i < 4; i++) {
        engine_get(&c);
        host_advance(i ? 24000 : 24500);
        engine_expect(&c, "");
        host_advance(1200);
        engine_expect(&c, "HTTP/1.1 200 OK\r\n*\r\n\r\n2");
        engine_post(&p, "3");
        engine_expect(&p, "*ok");
    }
    engine_get(&c);
    host_advance(25500);
    engine_expect(&c, "*\r\n\r\n2");
    engine_get(&c);
    host_advance(21000); /* no pong */
    engine_expect(&c, "HTTP/1.1 200 OK\r\n*\r\n\r\n1");
    assert_int_equal(host_chat.polls_n, 0);
    engine_drop(&c);
    engine_drop(&p);
}

static void one_that_does_not_connect_ends_after_30_s(void **state)
{
    (void)state;
    struct client c, p;
    engine_open(&c, &p);
    engine_get(&c);
    host_advance(24000);
    engine_expect(&c, "");
    host_advance(2000);
    engine_expect(&c, "*\r\n\r\n2");
    engine_get(&c);
    host_advance(5000);
    engine_expect(&c, "*\r\n\r\n1");
    engine_drop(&c);
    engine_drop(&p);
    assert_int_equal(host_streams.open, 0);
}

static void a_get_that_is_given_up_ends_the_session(void **state)
{
    (void)state;
    struct client c, p;
    engine_open_as(&c, &p, "alice");
    engine_get(&c);
    engine_drop(&c);
    assert_int_equal(host_chat.polls_n, 0);
    engine_post(&p, "3");
    engine_expect(&p, "HTTP/1.1 400 *{\"code\":1,\"message\":\"Session ID unknown\"}");
    engine_drop(&p);
}

static void a_second_get_ends_the_session(void **state)
{
    (void)state;
    struct client c, p;
    engine_open_as(&c, &p, "alice");
    engine_get(&c);
    engine_get(&p);
    engine_expect(&p, "HTTP/1.1 400 *Content-Length: 0\r\n*");
    engine_expect(&c, "HTTP/1.1 200 *\r\n\r\n1");
    assert_int_equal(host_chat.polls_n, 0);
    engine_drop(&c);
    engine_drop(&p);
}

static void close_polling(struct client *c, struct client *p, const char *of)
{
    strcpy(engine_sid, of);
    engine_post(p, "1");
    engine_expect(p, "*ok");
    engine_drop(c);
    engine_drop(p);
}

static void sids_are_found_whichever_went_before(void **state)
{
    (void)state;
    struct client c[40], p[40];
    char sids[40][64];
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 40; i++) {
            int at = i * 7 % 40;
            if (round && at % 3)
                continue;
            if (round)
                close_polling(&c[at], &p[at], sids[at]);
            if (round && at % 2)
                close_polling(&c[at - 1], &p[at - 1], sids[at - 1]);
            engine_open(&c[at], &p[at]);
            strcpy(sids[at], engine_sid);
            if (!round || at % 2 == 0)
                continue;
            engine_open(&c[at - 1], &p[at - 1]);
            strcpy(sids[at - 1], engine_sid);
        }
        assert_int_equal(host_chat.polls_n, 40);
        for (int i = 0; i < 40; i++) {
            strcpy(engine_sid, sids[i]);
            engine_post(&p[i], "6");
            engine_expect(&p[i], "*ok");
        }
    }
    for (int i = 0; i < 40; i++)
        close_polling(&c[i], &p[i], sids[i]);
    assert_int_equal(host_chat.polls_n, 0);
    assert_int_equal(host_streams.open, 0);
}

/* ---- what waits ---------------------------------------------------------------------------- */

static void what_came_in_one_turn_leaves_in_one_answer(void **state)
{
    (void)state;
    struct client c, p, bob;
    engine_open_as(&c, &p, "alice");
    host_open_as(&bob, "bob");
    engine_get(&c);
    for (int i = 0; i < 3; i++)
        client_sendf(&bob, "{\"event\":\"startWriting\",\"data\":{\"id\":\"alice\"}}");
    engine_expect(&c, "*\r\n\r\n42[\"startWriting\",{\"id\":\"bob\"}]\x1e"
                      "42[\"startWriting\",{\"id\":\"bob\"}]\x1e"
                      "42[\"startWriting\",{\"id\":\"bob\"}]");
    engine_drop(&bob);
    engine_drop(&c);
    engine_drop(&p);
}

static void who_does_not_poll_is_too_slow(void **state)
{
    (void)state;
    struct client c, p, bob;
    char content[16000];
    engine_open_as(&c, &p, "alice");
    host_open_as(&bob, "bob");
    memset(content, 'x', sizeof content);
    content[sizeof content - 1] = 0;
    for (int i = 0; i < 13; i++) { /* 64 KiB, and 128 KiB that may be an answer's end */
        client_sendf(&bob, "{\"event\":\"message\",\"data\":{\"to\":\"alice\",\"content\":\"%s\"}}",
                     content);
        client_expect(&bob, "*success*");
    }
    assert_int_equal(host_chat.stats.too_slow, 1);
    host_advance(2500);
    assert_int_equal(host_chat.polls_n, 0);
    engine_drop(&bob);
    engine_drop(&c);
    engine_drop(&p);
}

static void a_post_waits_while_an_answer_is_under_way(void **state)
{
    (void)state;
    struct client c, p, bob;
    host_open_as(&bob, "bob");
    engine_send_long(&bob, 20);
    engine_open_as(&c, &p, "alice");
    engine_post(&p, "421[\"conversation\",{\"id\":\"bob\"}]\x1e"
                    "422[\"startWriting\",{\"id\":\"bob\"}]");
    engine_expect(&p, ""); /* the second is not read before the first's answer is taken */
    client_expect_nothing(&bob);
    engine_get(&c);
    assert_true(
        matches("431[{\"id\":\"bob\",\"messages\":[{*}]},{\"more\":false}]", engine_answer(&c)));
    assert_int_equal(engine_count("\"from\":\"bob\""), 20);
    engine_expect(&p, "*ok");
    client_expect(&bob, "*startWriting*");
    engine_get(&c);
    engine_expect(&c, "*\r\n\r\n432[{\"success\":true}]");
    engine_drop(&bob);
    engine_drop(&c);
    engine_drop(&p);
}

static void a_close_at_the_end_of_a_batch_comes_whole(void **state)
{
    (void)state;
    static char packet[65536];
    memset(packet, 'x', sizeof packet);
    for (size_t over = 0; over < 9; over++) {
        struct client c, p;
        engine_open_as(&c, &p, "alice");
        struct session *s = engine_session("alice");
        /* Both have a head of 4 bytes; so much of the close is behind the first 64 KiB. */
        websocket_send(&s->ws, FRAME_TEXT, slice_of(packet, sizeof packet - 8 + over - 4));
        session_close(s, CLOSE_TOKEN_EXPIRED, "xxxx");
        engine_turns();
        engine_get(&c);
        assert_int_equal(strlen(engine_answer(&c)), sizeof packet - 12 + over);
        engine_get(&c);
        assert_string_equal(engine_answer(&c), "1");
        engine_drop(&c);
        engine_drop(&p);
        assert_int_equal(host_chat.polls_n, 0);
    }
}

static void what_a_get_that_died_was_to_have_ends_the_session(void **state)
{
    (void)state;
    struct client c, p, bob;
    engine_open_as(&c, &p, "alice");
    host_open_as(&bob, "bob");
    engine_get(&c);
    client_sendf(&bob, "{\"event\":\"startWriting\",\"data\":{\"id\":\"alice\"}}");
    client_close(&c); /* in the same turn: nobody can tell whether it arrived */
    engine_turns();
    engine_post(&p, "3");
    engine_expect(&p, "HTTP/1.1 400 *{\"code\":1,\"message\":\"Session ID unknown\"}");
    engine_drop(&bob);
    engine_drop(&p);
}

/* ---- the upgrade --------------------------------------------------------------------------- */

static void open_probe(struct client *w)
{
    host_open(w);
    engine_ask(w, "GET " ENGINE_QUERY "websocket&sid=%s" ENGINE_HANDSHAKE, engine_sid);
    client_expect_upgrade(w);
}

static void the_upgrade_loses_nothing_that_waits(void **state)
{
    (void)state;
    struct client c, p, w, bob;
    engine_open_as(&c, &p, "alice");
    host_open_as(&bob, "bob");
    engine_get(&c);
    open_probe(&w);
    client_send(&w, "2probe");
    client_expect(&w, "3probe");
    engine_expect(&c, "*\r\n\r\n6"); /* the GET is not in the way */
    client_sendf(&bob, "{\"event\":\"startWriting\",\"data\":{\"id\":\"alice\"}}");
    engine_turns();
    client_send(&w, "5");
    client_send(&w, "421[\"startWriting\",{\"id\":\"bob\"}]"); /* right behind it */
    client_expect(&w, "42[\"startWriting\",{\"id\":\"bob\"}]");
    client_expect(&w, "431[{\"success\":true}]");
    client_expect(&bob, "*startWriting*");
    assert_int_equal(host_chat.polls_n, 0);
    client_sendf(&bob, "{\"event\":\"stopWriting\",\"data\":{\"id\":\"alice\"}}");
    client_expect(&w, "42[\"stopWriting\",{\"id\":\"bob\"}]");
    engine_drop(&c);
    engine_drop(&p);
    client_expect_nothing(&bob);
    engine_drop(&w);
    client_expect(&bob, "*stopWriting*");
    engine_drop(&bob);
    assert_int_equal(host_chat.stats.connections, 0);
    assert_int_equal(host_streams.open, 0);
}

static void a_get_that_comes_late_is_ended_for_the_upgrade(void **state)
{
    (void)state;
    struct client c, p, w;
    engine_open_as(&c, &p, "alice");
    open_probe(&w);
    client_send(&w, "2probe");
    client_expect(&w, "3probe");
    engine_get(&c);
    host_advance(400);
    engine_expect(&c, "*\r\n\r\n6");
    engine_drop(&w);
    engine_get(&c);
    host_advance(400);
    engine_expect(&c, ""); /* nobody upgrades any more */
    engine_drop(&c);
    engine_drop(&p);
}

static void an_upgrade_that_takes_10_s_is_dropped_and_polling_goes_on(void **state)
{
    (void)state;
    struct client c, p, w;
    engine_open_as(&c, &p, "alice");
    open_probe(&w);
    host_advance(10500);
    client_expect_close(&w, 1008);
    engine_drop(&w);
    engine_post(&p, "421[\"startWriting\",{\"id\":\"bob\"}]");
    engine_get(&c);
    engine_expect(&c, "*431[{\"success\":true}]");
    engine_drop(&c);
    engine_drop(&p);
}

static void a_session_that_ends_takes_its_upgrade_with_it(void **state)
{
    (void)state;
    struct client c, p, w;
    engine_open_as(&c, &p, "alice");
    open_probe(&w);
    engine_post(&p, "1");
    client_expect_close(&w, 1000);
    engine_drop(&w);
    engine_drop(&c);
    engine_drop(&p);
    assert_int_equal(host_streams.open, 0);
}

static void an_upgrade_in_the_middle_of_a_post_ends_the_session(void **state)
{
    (void)state;
    struct client c, p, w;
    char body[2000] = "6";
    engine_open_as(&c, &p, "alice");
    open_probe(&w);
    client_send(&w, "2probe");
    client_expect(&w, "3probe");
    for (int i = 0; i < 40; i++) /* over the rate: it rests, with some unread */
        strcat(body, "\x1e"
                     "42[\"nonsense\"]");
    engine_post(&p, body);
    engine_expect(&p, "");
    client_send(&w, "5");
    client_expect_close(&w, 1000);
    engine_expect(&p, "*\r\n\r\nok");
    assert_int_equal(host_chat.polls_n, 0);
    engine_get(&c);
    engine_expect(&c, "HTTP/1.1 400 *{\"code\":1,\"message\":\"Session ID unknown\"}");
    engine_drop(&w);
    engine_drop(&c);
    engine_drop(&p);
    assert_int_equal(host_streams.open, 0);
}

/* ---- leaving, origins ---------------------------------------------------------------------- */

static void a_client_that_polls_is_told_that_the_server_goes_away(void **state)
{
    (void)state;
    struct client c, p;
    engine_open_as(&c, &p, "alice");
    engine_get(&c);
    chat_drain(&host_chat, 0);
    engine_expect(&c, "HTTP/1.1 200 *\r\n\r\n42[\"info\",\"the server is shutting down; "
                      "*\",{\"code\":\"going_away\",\"event\":null}]");
    engine_get(&c);
    engine_expect(&c, "HTTP/1.1 200 *Connection: close\r\n\r\n1");
    host_advance(2500);
    assert_int_equal(host_streams.open, 0);
    engine_drop(&c);
    engine_drop(&p);
}

static void one_that_is_between_two_polls_is_told_too(void **state)
{
    (void)state;
    struct client c, p;
    engine_open_as(&c, &p, "alice");
    chat_drain(&host_chat, 0);
    engine_turns();
    engine_get(&c);
    engine_expect(&c, "HTTP/1.1 200 *going_away*");
    engine_get(&c);
    engine_expect(&c, "HTTP/1.1 200 *\r\n\r\n1");
    engine_drop(&c);
    engine_drop(&p);
    host_advance(2500);
    assert_int_equal(host_streams.open, 0);
}

static void an_upgrade_under_way_when_the_server_goes_away_brings_the_word_of_it(void **state)
{
    (void)state;
    struct client c, p, w;
    engine_open_as(&c, &p, "alice");
    open_probe(&w);
    client_send(&w, "2probe");
    client_expect(&w, "3probe");
    chat_drain(&host_chat, 0);
    engine_turns();
    client_send(&w, "5");
    client_expect(&w, "42[\"info\",\"the server is shutting down; *");
    client_expect_close(&w, 1001);
    engine_drop(&w);
    engine_drop(&c);
    engine_drop(&p);
    host_advance(2500);
    assert_int_equal(host_streams.open, 0);
}

static void one_that_does_not_come_is_ended_with_its_session(void **state)
{
    (void)state;
    struct client c, p, w;
    engine_open_as(&c, &p, "alice");
    open_probe(&w);
    chat_drain(&host_chat, 0);
    host_advance(2500);
    client_expect_close(&w, 1000);
    engine_drop(&w);
    engine_drop(&c);
    engine_drop(&p);
    assert_int_equal(host_streams.open, 0);
}

static void a_server_that_goes_away_opens_nothing_on_a_connection_that_is_kept(void **state)
{
    (void)state;
    static const char *const requests[] = {
        "GET " ENGINE_QUERY "polling HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET " ENGINE_QUERY "websocket" ENGINE_HANDSHAKE,
        "GET " ENGINE_QUERY "websocket&sid=%s" ENGINE_HANDSHAKE,
        "GET /chat" ENGINE_HANDSHAKE,
    };
    enum { KINDS = sizeof requests / sizeof *requests };
    struct client c, p, more[KINDS];
    engine_open_as(&c, &p, "alice");
    for (int i = 0; i < KINDS; i++) {
        host_open(&more[i]);
        engine_ask(&more[i],
                   "POST " ENGINE_QUERY "polling&sid=%s HTTP/1.1\r\nHost: h\r\nContent-Length: "
                   "1\r\n\r\n3",
                   engine_sid);
        engine_expect(&more[i], "*ok");
    }
    chat_drain(&host_chat, 0);
    for (int i = 0; i < KINDS; i++) {
        char request[512];
        const char *at = strstr(requests[i], "%s");
        snprintf(request, sizeof request, "%.*s%s%s", at ? (int)(at - requests[i]) : 500,
                 requests[i], at ? engine_sid : "", at ? at + 2 : "");
        engine_ask(&more[i], "%s", request);
        engine_expect(&more[i], "HTTP/1.1 503 *Connection: close\r\n\r\nThe server is shutting "
                                "down.\n");
        engine_drop(&more[i]);
    }
    engine_ask(&p, "OPTIONS " ENGINE_QUERY "polling HTTP/1.1\r\nHost: h\r\nOrigin: "
                   "http://h\r\n\r\n");
    engine_expect(&p, "HTTP/1.1 200 *Connection: close\r\n\r\n");
    engine_get(&c);
    engine_expect(&c, "HTTP/1.1 200 *Connection: keep-alive\r\n*going_away*");
    host_advance(2500); /* it does not come for the rest */
    assert_int_equal(host_streams.open, 0);
    engine_drop(&c);
    engine_drop(&p);
}

static void pages_of_other_origins_are_refused_before_and_in_the_preflight(void **state)
{
    (void)state;
    struct client c;
    host_open(&c);
    engine_ask(&c, "GET " ENGINE_QUERY "polling HTTP/1.1\r\nHost: h\r\nOrigin: "
                   "http://evil\r\n\r\n");
    engine_expect(&c, "HTTP/1.1 403 *{\"code\":4,\"message\":\"Forbidden\"}");
    assert_null(strstr(engine_text, "Access-Control"));
    engine_drop(&c);
    host_open(&c);
    engine_ask(&c, "OPTIONS " ENGINE_QUERY "polling HTTP/1.1\r\nHost: h\r\nOrigin: "
                   "http://evil\r\n\r\n");
    engine_expect(&c, "HTTP/1.1 403 *");
    assert_null(strstr(engine_text, "Access-Control"));
    engine_drop(&c);
    host_open(&c);
    engine_ask(&c, "OPTIONS " ENGINE_QUERY "polling HTTP/1.1\r\nHost: h\r\nOrigin: http://h\r\n"
                   "Access-Control-Request-Headers: X-Own\r\n\r\n");
    engine_expect(&c, "HTTP/1.1 200 *\r\nAccess-Control-Allow-Origin: http://h\r\nVary: Origin\r\n"
                      "Access-Control-Allow-Methods: GET, POST\r\n"
                      "Access-Control-Allow-Headers: X-Own\r\n*");
    engine_ask(&c, "GET " ENGINE_QUERY "polling HTTP/1.1\r\nHost: h\r\nOrigin: http://h\r\n\r\n");
    engine_expect(&c, "HTTP/1.1 200 *\r\nAccess-Control-Allow-Origin: http://h\r\nVary: "
                      "Origin\r\n*");
    engine_drop(&c);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, host_start, host_stop)
    const struct CMUnitTest tests[] = {
        TEST(the_handshake_is_the_references),
        TEST(a_session_nobody_asks_for_ends_after_45_s),
        TEST(a_ping_comes_every_25_s_and_a_pong_keeps_the_session),
        TEST(one_that_does_not_connect_ends_after_30_s),
        TEST(a_get_that_is_given_up_ends_the_session),
        TEST(a_second_get_ends_the_session),
        TEST(sids_are_found_whichever_went_before),
        TEST(what_came_in_one_turn_leaves_in_one_answer),
        TEST(who_does_not_poll_is_too_slow),
        TEST(a_post_waits_while_an_answer_is_under_way),
        TEST(a_close_at_the_end_of_a_batch_comes_whole),
        TEST(what_a_get_that_died_was_to_have_ends_the_session),
        TEST(an_upgrade_under_way_when_the_server_goes_away_brings_the_word_of_it),
        TEST(one_that_does_not_come_is_ended_with_its_session),
        TEST(a_server_that_goes_away_opens_nothing_on_a_connection_that_is_kept),
        TEST(the_upgrade_loses_nothing_that_waits),
        TEST(a_get_that_comes_late_is_ended_for_the_upgrade),
        TEST(an_upgrade_that_takes_10_s_is_dropped_and_polling_goes_on),
        TEST(a_session_that_ends_takes_its_upgrade_with_it),
        TEST(an_upgrade_in_the_middle_of_a_post_ends_the_session),
        TEST(a_client_that_polls_is_told_that_the_server_goes_away),
        TEST(one_that_is_between_two_polls_is_told_too),
        TEST(pages_of_other_origins_are_refused_before_and_in_the_preflight),
    };
    return cmocka_run_group_tests_name("chat_polling", tests, NULL, NULL);
}
