/* Engine.IO's polling where timing matters: silence, slow readers, upgrades, the server's leave; and what memory
 * and connections are left behind. */
#include "../support/chat_host.h"
#include "../support/test.h"
#include "chat/polling.h"
#include "codec/jwt.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define QUERY "/socket.io/?EIO=4&transport="
#define UPGRADE                                                             \
    " HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" \
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"

static char sid[64], text[200000];

static void turns(void)
{
    for (int i = 0; i < 6; i++)
        host_pump();
}

__attribute__((format(printf, 2, 3))) static void ask(struct client *c, const char *format, ...)
{
    char request[16384];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(request, sizeof request, format, args);
    va_end(args);
    assert_true(n > 0 && (size_t)n < sizeof request);
    client_send_raw(c, request, (size_t)n);
    turns();
}

/* All that has come on the connection; "": nothing. */
static const char *come(struct client *c)
{
    size_t n = 0;
    ssize_t got;
    turns();
    while ((got = recv(c->fd, text + n, sizeof text - 1 - n, MSG_DONTWAIT)) > 0) {
        n += (size_t)got;
        turns();
    }
    text[n] = 0;
    return text;
}

static void expect(struct client *c, const char *pattern)
{
    if (!matches(pattern, come(c)))
        fail_msg("got \"%s\"; expected \"%s\"", text, pattern);
}

static void get(struct client *c)
{
    ask(c, "GET " QUERY "polling&sid=%s HTTP/1.1\r\nHost: h\r\n\r\n", sid);
}

static void post(struct client *c, const char *body)
{
    ask(c, "POST " QUERY "polling&sid=%s HTTP/1.1\r\nHost: h\r\nContent-Length: %zu\r\n\r\n%s", sid,
        strlen(body), body);
}

/* A session that polls, on these connections: c for GETs, p for POSTs. */
static void open_polling(struct client *c, struct client *p)
{
    host_open(c);
    host_open(p);
    ask(c, "GET " QUERY "polling HTTP/1.1\r\nHost: h\r\n\r\n");
    const char *at = strstr(come(c), "0{\"sid\":\"");
    assert_non_null(at);
    snprintf(sid, sizeof sid, "%.22s", at + 9);
}

static void open_polling_as(struct client *c, struct client *p, const char *user)
{
    char token[512], body[600];
    struct hmac_key key;
    open_polling(c, p);
    hmac_key_init(&key, slice_str(host_secret));
    size_t n = jwt_sign(token, sizeof token, &key, slice_str(user), host_wall(NULL), INT64_MAX);
    snprintf(body, sizeof body, "40{\"token\":\"%.*s\"}", (int)n, token);
    post(p, body);
    expect(p, "HTTP/1.1 200 OK\r\n*\r\n\r\nok");
    get(c);
    expect(c, "*40{\"sid\":*42[\"registerMessages\",\"OK\",*");
}

static void drop(struct client *c)
{
    client_close(c);
    turns();
}

/* ---- the life of a session ----------------------------------------------------------------- */

static void the_handshake_is_the_references(void **state)
{
    (void)state;
    struct client c, p;
    host_open(&c);
    host_open(&p);
    ask(&c, "GET " QUERY "polling HTTP/1.1\r\nHost: h\r\n\r\n");
    expect(&c, "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=UTF-8\r\n*Cache-Control: "
               "no-store\r\n*Connection: keep-alive\r\n\r\n"
               "0{\"sid\":\"*\",\"upgrades\":[\"websocket\"],\"pingInterval\":25000,"
               "\"pingTimeout\":20000,\"maxPayload\":65536}");
    drop(&c);
    drop(&p);
}

static void a_session_nobody_asks_for_ends_after_45_s(void **state)
{
    (void)state;
    struct client c, p;
    open_polling_as(&c, &p, "alice");
    drop(&c);
    drop(&p);
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
    open_polling_as(&c, &p, "alice");
    for (int i = 0; i < 4; i++) {
        get(&c);
        host_advance(i ? 24000 : 24500);
        expect(&c, "");
        host_advance(1200);
        expect(&c, "HTTP/1.1 200 OK\r\n*\r\n\r\n2");
        post(&p, "3");
        expect(&p, "*ok");
    }
    get(&c);
    host_advance(25500);
    expect(&c, "*\r\n\r\n2");
    get(&c);
    host_advance(21000); /* no pong */
    expect(&c, "HTTP/1.1 200 OK\r\n*\r\n\r\n1");
    assert_int_equal(host_chat.polls_n, 0);
    drop(&c);
    drop(&p);
}

static void one_that_does_not_connect_ends_after_30_s(void **state)
{
    (void)state;
    struct client c, p;
    open_polling(&c, &p);
    get(&c);
    host_advance(24000);
    expect(&c, "");
    host_advance(2000);
    expect(&c, "*\r\n\r\n2");
    get(&c);
    host_advance(5000);
    expect(&c, "*\r\n\r\n1");
    drop(&c);
    drop(&p);
    assert_int_equal(host_streams.open, 0);
}

static void a_get_that_is_given_up_ends_the_session(void **state)
{
    (void)state;
    struct client c, p;
    open_polling_as(&c, &p, "alice");
    get(&c);
    drop(&c);
    assert_int_equal(host_chat.polls_n, 0);
    post(&p, "3");
    expect(&p, "HTTP/1.1 400 *{\"code\":1,\"message\":\"Session ID unknown\"}");
    drop(&p);
}

static void a_second_get_ends_the_session(void **state)
{
    (void)state;
    struct client c, p;
    open_polling_as(&c, &p, "alice");
    get(&c);
    get(&p);
    expect(&p, "HTTP/1.1 400 *Content-Length: 0\r\n*");
    expect(&c, "HTTP/1.1 200 *\r\n\r\n1");
    assert_int_equal(host_chat.polls_n, 0);
    drop(&c);
    drop(&p);
}

static void close_polling(struct client *c, struct client *p, const char *of)
{
    strcpy(sid, of);
    post(p, "1");
    expect(p, "*ok");
    drop(c);
    drop(p);
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
            open_polling(&c[at], &p[at]);
            strcpy(sids[at], sid);
            if (!round || at % 2 == 0)
                continue;
            open_polling(&c[at - 1], &p[at - 1]);
            strcpy(sids[at - 1], sid);
        }
        assert_int_equal(host_chat.polls_n, 40);
        for (int i = 0; i < 40; i++) {
            strcpy(sid, sids[i]);
            post(&p[i], "6");
            expect(&p[i], "*ok");
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
    open_polling_as(&c, &p, "alice");
    host_open_as(&bob, "bob");
    get(&c);
    for (int i = 0; i < 3; i++)
        client_sendf(&bob, "{\"event\":\"startWriting\",\"data\":{\"id\":\"alice\"}}");
    expect(&c, "*\r\n\r\n42[\"startWriting\",{\"id\":\"bob\"}]\x1e"
               "42[\"startWriting\",{\"id\":\"bob\"}]\x1e"
               "42[\"startWriting\",{\"id\":\"bob\"}]");
    drop(&bob);
    drop(&c);
    drop(&p);
}

static void who_does_not_poll_is_too_slow(void **state)
{
    (void)state;
    struct client c, p, bob;
    char content[16000];
    open_polling_as(&c, &p, "alice");
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
    drop(&bob);
    drop(&c);
    drop(&p);
}

static void a_post_waits_while_an_answer_is_under_way(void **state)
{
    (void)state;
    struct client c, p, bob;
    char content[16000];
    open_polling_as(&c, &p, "alice");
    host_open_as(&bob, "bob");
    memset(content, 'x', sizeof content);
    content[sizeof content - 1] = 0;
    for (int i = 0; i < 20; i++) {
        client_sendf(&bob, "{\"event\":\"message\",\"data\":{\"to\":\"alice\",\"content\":\"%s\"}}",
                     content);
        client_expect(&bob, "*success*");
        host_advance(200);
        get(&c);
        expect(&c, "*42[\"message\",*");
    }
    post(&p, "421[\"conversation\",{\"id\":\"bob\"}]\x1e"
             "422[\"startWriting\",{\"id\":\"bob\"}]");
    expect(&p, ""); /* the second is not read before the first's answer is taken */
    client_expect_nothing(&bob);
    get(&c);
    come(&c);
    assert_non_null(strstr(text, "431[{\"id\":\"bob\",\"messages\":["));
    char *end = strstr(text, "\r\n\r\n");
    assert_non_null(end);
    size_t body = strlen(end + 4), said = strtoul(strstr(text, "Content-Length: ") + 16, NULL, 10);
    assert_true(body > 300000 || body == said ||
                body == sizeof text - 1 - (size_t)(end + 4 - text));
    while (*come(&c)) /* the rest of it */
        ;
    expect(&p, "*ok");
    client_expect(&bob, "*startWriting*");
    get(&c);
    expect(&c, "*\r\n\r\n432[{\"success\":true}]");
    drop(&bob);
    drop(&c);
    drop(&p);
}

/* ---- the upgrade --------------------------------------------------------------------------- */

static void open_probe(struct client *w)
{
    host_open(w);
    ask(w, "GET " QUERY "websocket&sid=%s" UPGRADE, sid);
    client_expect_upgrade(w);
}

static void the_upgrade_loses_nothing_that_waits(void **state)
{
    (void)state;
    struct client c, p, w, bob;
    open_polling_as(&c, &p, "alice");
    host_open_as(&bob, "bob");
    get(&c);
    open_probe(&w);
    client_send(&w, "2probe");
    client_expect(&w, "3probe");
    expect(&c, "*\r\n\r\n6"); /* the GET is not in the way */
    client_sendf(&bob, "{\"event\":\"startWriting\",\"data\":{\"id\":\"alice\"}}");
    turns();
    client_send(&w, "5");
    client_send(&w, "421[\"startWriting\",{\"id\":\"bob\"}]"); /* right behind it */
    client_expect(&w, "42[\"startWriting\",{\"id\":\"bob\"}]");
    client_expect(&w, "431[{\"success\":true}]");
    client_expect(&bob, "*startWriting*");
    assert_int_equal(host_chat.polls_n, 0);
    client_sendf(&bob, "{\"event\":\"stopWriting\",\"data\":{\"id\":\"alice\"}}");
    client_expect(&w, "42[\"stopWriting\",{\"id\":\"bob\"}]");
    drop(&c);
    drop(&p);
    client_expect_nothing(&bob);
    drop(&w);
    client_expect(&bob, "*stopWriting*");
    drop(&bob);
    assert_int_equal(host_chat.stats.connections, 0);
    assert_int_equal(host_streams.open, 0);
}

static void a_get_that_comes_late_is_ended_for_the_upgrade(void **state)
{
    (void)state;
    struct client c, p, w;
    open_polling_as(&c, &p, "alice");
    open_probe(&w);
    client_send(&w, "2probe");
    client_expect(&w, "3probe");
    get(&c);
    host_advance(400);
    expect(&c, "*\r\n\r\n6");
    drop(&w);
    get(&c);
    host_advance(400);
    expect(&c, ""); /* nobody upgrades any more */
    drop(&c);
    drop(&p);
}

static void an_upgrade_that_takes_10_s_is_dropped_and_polling_goes_on(void **state)
{
    (void)state;
    struct client c, p, w;
    open_polling_as(&c, &p, "alice");
    open_probe(&w);
    host_advance(10500);
    client_expect_close(&w, 1008);
    drop(&w);
    post(&p, "421[\"startWriting\",{\"id\":\"bob\"}]");
    get(&c);
    expect(&c, "*431[{\"success\":true}]");
    drop(&c);
    drop(&p);
}

static void a_session_that_ends_takes_its_upgrade_with_it(void **state)
{
    (void)state;
    struct client c, p, w;
    open_polling_as(&c, &p, "alice");
    open_probe(&w);
    post(&p, "1");
    client_expect_close(&w, 1000);
    drop(&w);
    drop(&c);
    drop(&p);
    assert_int_equal(host_streams.open, 0);
}

static void an_upgrade_in_the_middle_of_a_post_ends_the_session(void **state)
{
    (void)state;
    struct client c, p, w;
    open_polling_as(&c, &p, "alice");
    open_probe(&w);
    client_send(&w, "2probe");
    client_expect(&w, "3probe");
    for (int i = 0; i < 40; i++) /* over the rate, so that the session rests with some unread */
        post(&p, "42[\"nonsense\"]\x1e"
                 "42[\"nonsense\"]");
    client_send(&w, "5");
    turns();
    host_advance(3000);
    drop(&w);
    drop(&c);
    drop(&p);
    assert_int_equal(host_streams.open == 0 || host_chat.polls_n <= 1, 1);
    host_advance(50000);
    assert_int_equal(host_streams.open, 0);
}

/* ---- leaving, origins ---------------------------------------------------------------------- */

static void a_client_that_polls_is_told_that_the_server_goes_away(void **state)
{
    (void)state;
    struct client c, p;
    open_polling_as(&c, &p, "alice");
    get(&c);
    chat_drain(&host_chat, 0);
    expect(&c, "HTTP/1.1 200 *\r\n\r\n42[\"info\",\"the server is shutting down; "
               "*\",{\"code\":\"going_away\",\"event\":null}]");
    get(&c);
    expect(&c, "HTTP/1.1 200 *Connection: close\r\n\r\n1");
    host_advance(2500);
    assert_int_equal(host_streams.open, 0);
    drop(&c);
    drop(&p);
}

static void one_that_is_between_two_polls_is_told_too(void **state)
{
    (void)state;
    struct client c, p;
    open_polling_as(&c, &p, "alice");
    chat_drain(&host_chat, 0);
    turns();
    get(&c);
    expect(&c, "HTTP/1.1 200 *going_away*");
    get(&c);
    expect(&c, "HTTP/1.1 200 *\r\n\r\n1");
    drop(&c);
    drop(&p);
    host_advance(2500);
    assert_int_equal(host_streams.open, 0);
}

static void pages_of_other_origins_are_refused_before_and_in_the_preflight(void **state)
{
    (void)state;
    struct client c;
    host_open(&c);
    ask(&c, "GET " QUERY "polling HTTP/1.1\r\nHost: h\r\nOrigin: http://evil\r\n\r\n");
    expect(&c, "HTTP/1.1 403 *{\"code\":4,\"message\":\"Forbidden\"}");
    assert_null(strstr(text, "Access-Control"));
    ask(&c, "OPTIONS " QUERY "polling HTTP/1.1\r\nHost: h\r\nOrigin: http://evil\r\n\r\n");
    expect(&c, "HTTP/1.1 403 *");
    assert_null(strstr(text, "Access-Control"));
    ask(&c, "OPTIONS " QUERY "polling HTTP/1.1\r\nHost: h\r\nOrigin: http://h\r\n"
            "Access-Control-Request-Headers: X-Own\r\n\r\n");
    expect(&c, "HTTP/1.1 200 *\r\nAccess-Control-Allow-Origin: http://h\r\nVary: Origin\r\n"
               "Access-Control-Allow-Methods: GET, POST\r\n"
               "Access-Control-Allow-Headers: X-Own\r\n*");
    ask(&c, "GET " QUERY "polling HTTP/1.1\r\nHost: h\r\nOrigin: http://h\r\n\r\n");
    expect(&c, "HTTP/1.1 200 *\r\nAccess-Control-Allow-Origin: http://h\r\nVary: Origin\r\n*");
    drop(&c);
}

/* ---- packets ------------------------------------------------------------------------------- */

static void an_event_is_read_from_its_packet(void **state)
{
    (void)state;
    static const struct {
        const char *packet, *code, *event, *data, *ref;
    } rows[] = {
        {"[\"x\"]", NULL, "x", "", ""},
        {"[\"x\",{\"a\":1}]", NULL, "x", "{\"a\":1}", ""},
        {"[\"x\",null]", NULL, "x", "null", ""},
        {" [ \"x\" , 1 , 2 ] ", NULL, "x", "1", ""},
        {"0[\"x\"]", NULL, "x", "", "0"},
        {"1234567890123456[\"x\",[]]", NULL, "x", "[]", "1234567890123456"},
        {"12345678901234567[\"x\"]", "bad_json", "", "", ""},
        {"", "bad_json", "", "", ""},
        {"1", "bad_json", "", "", ""},
        {"-1[\"x\"]", "bad_json", "", "", ""},
        {"1.5[\"x\"]", "bad_json", "", "", ""},
        {"[]", "bad_json", "", "", ""},
        {"[1]", "bad_json", "", "", ""},
        {"[null,{}]", "bad_json", "", "", ""},
        {"{}", "bad_json", "", "", ""},
        {"\"x\"", "bad_json", "", "", ""},
        {"[\"x\"", "bad_json", "", "", ""},
        {"[\"x\",]", "bad_json", "", "", ""},
        {"[\"x\"]]", "bad_json", "", "", ""},
        {"[\"x\"]1", "bad_json", "", "", ""},
        {"[\"x\",{]}", "bad_json", "", "", ""},
        {"[\"\\ud800\"]", "bad_request", "", "", ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct envelope e;
        const char *why = "";
        const char *code = wire_read(FRAMING_SOCKETIO, slice_str(rows[i].packet), &e, &why);
        if (!code != !rows[i].code || (code && strcmp(code, rows[i].code) != 0))
            fail_msg("%s: %s, %s", rows[i].packet, code, why);
        if (code)
            continue;
        assert_true(json_string_eq(e.event, slice_str(rows[i].event)));
        assert_true(slice_eq(e.data.raw, slice_str(rows[i].data)));
        assert_true(slice_eq(e.ref, slice_str(rows[i].ref)));
    }
}

static void an_event_is_written_in_both_framings(void **state)
{
    (void)state;
    static const struct {
        struct event event;
        const char *native, *socketio;
    } rows[] = {
        {{.name = {(const uint8_t *)"n", 1}, .data = {(const uint8_t *)"1", 1}},
         "{\"event\":\"n\",\"data\":1}",
         "42[\"n\",1]"},
        {{{(const uint8_t *)"n", 1},
          {(const uint8_t *)"1", 1},
          {(const uint8_t *)"7", 1},
          {(const uint8_t *)"{}", 2},
          EVENT_WHOLE},
         "{\"event\":\"n\",\"data\":1,\"ref\":7,\"meta\":{}}",
         "437[1,{}]"},
        {{{(const uint8_t *)"n", 1},
          {(const uint8_t *)"1", 1},
          {(const uint8_t *)"7", 1},
          {(const uint8_t *)"{}", 2},
          EVENT_PART},
         "{\"event\":\"n\",\"data\":1,\"ref\":7,\"meta\":{}}",
         "42[\"n\",1,{}]"},
        {{{(const uint8_t *)"n", 1},
          {(const uint8_t *)"{\"count\":2}", 11},
          {(const uint8_t *)"7", 1},
          {NULL, 0},
          EVENT_END},
         "{\"event\":\"end\",\"data\":{\"event\":\"n\",\"count\":2},\"ref\":7}",
         "437[{\"count\":2}]"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (int f = 0; f < FRAMINGS; f++) {
            struct buf out = {0};
            size_t end = wire_write(&out, (enum framing)f, &rows[i].event);
            const char *expected = f == FRAMING_NATIVE ? rows[i].native : rows[i].socketio;
            if (!slice_eq(buf_slice(&out), slice_str(expected)))
                fail_msg("%.*s; expected %s", SLICE_FMT(buf_slice(&out)), expected);
            assert_true(end <= out.n && (out.p[end - 1] == '1' || out.p[end - 1] == '}'));
            buf_free(&out);
        }
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
        TEST(the_upgrade_loses_nothing_that_waits),
        TEST(a_get_that_comes_late_is_ended_for_the_upgrade),
        TEST(an_upgrade_that_takes_10_s_is_dropped_and_polling_goes_on),
        TEST(a_session_that_ends_takes_its_upgrade_with_it),
        TEST(an_upgrade_in_the_middle_of_a_post_ends_the_session),
        TEST(a_client_that_polls_is_told_that_the_server_goes_away),
        TEST(one_that_is_between_two_polls_is_told_too),
        TEST(pages_of_other_origins_are_refused_before_and_in_the_preflight),
        cmocka_unit_test(an_event_is_read_from_its_packet),
        cmocka_unit_test(an_event_is_written_in_both_framings),
    };
    return cmocka_run_group_tests_name("chat_polling", tests, NULL, NULL);
}
