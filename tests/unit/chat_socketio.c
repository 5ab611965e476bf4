/* Socket.IO where both transports are one: limits, heartbeat, refusals, farewells; and its packets beside the native
 * frames. */
#include "../support/engine.h"
#include "../support/test.h"
#include "chat/socketio.h"

#include <stdio.h>
#include <string.h>

/* ---- the heartbeat ------------------------------------------------------------------------- */

static void the_heartbeat_stands_in_front_of_the_rest_of_a_replay(void **state)
{
    (void)state;
    struct client c, p, bob;
    const char *ping = NULL;
    host_open_as(&bob, "bob");
    engine_send_long(&bob, 30);
    engine_open_as(&c, &p, "alice");
    char packet[700], *rest = packet + snprintf(packet, sizeof packet, "42[\"registerMessages\",%s",
                                                engine_connect("alice") + 2);
    strcpy(rest - 1, ",\"since\":0}]");
    engine_post(&p, packet);
    for (int i = 0; i < 3; i++) { /* who takes some of it is not too slow */
        engine_get(&c);
        engine_come(&c);
        host_advance(i < 2 ? 13000 : 0);
    }
    for (int i = 0; i < 9 && !ping; i++) {
        engine_get(&c);
        ping = strstr(engine_answer(&c), "\x1e"
                                         "2");
    }
    assert_non_null(ping);
    engine_get(&c);
    assert_non_null(strstr(engine_answer(&c), "{\"replay\":true}"));
    engine_drop(&bob);
    engine_drop(&c);
    engine_drop(&p);
}

static void the_heartbeat_waits_for_the_end_of_a_page_that_is_begun(void **state)
{
    (void)state;
    struct client c, p, bob;
    host_open_as(&bob, "bob");
    engine_send_long(&bob, 40);
    engine_open_as(&c, &p, "alice");
    engine_post(&p, "421[\"conversation\",{\"id\":\"bob\"}]");
    host_advance(15000);
    engine_get(&c); /* and takes as much of it as the socket does */
    host_advance(12000);
    assert_true(matches("431[{\"id\":\"bob\",*}]},{\"more\":false}]", engine_answer(&c)));
    engine_get(&c);
    engine_expect(&c, "*\r\n\r\n2");
    engine_drop(&bob);
    engine_drop(&c);
    engine_drop(&p);
}

static void a_quiet_reader_of_a_long_answer_is_pinged_in_time(void **state)
{
    (void)state;
    struct client w, bob;
    host_chat.options.idle_ms = 9000;
    host_open_as(&bob, "bob");
    engine_send_long(&bob, 40);
    engine_open_socket_as(&w, "alice");
    client_send(&w, "421[\"conversation\",{\"id\":\"bob\"}]");
    host_advance(4000);
    assert_false(stream_readable(&engine_session("alice")->ws.stream));
    client_expect(&w, "431[*");
    host_advance(1500);
    client_expect(&w, "2");
    engine_drop(&w);
    engine_drop(&bob);
}

/* ---- limits -------------------------------------------------------------------------------- */

static uint32_t strangers_allowed;

static const char *too_many_strangers(void *ctx, uint32_t strangers)
{
    (void)ctx;
    return strangers >= strangers_allowed ? "Full.\n" : NULL;
}

static void a_connection_opens_four_sessions_and_ends(void **state)
{
    (void)state;
    struct client c;
    host_open(&c);
    for (int i = 0; i < 4; i++) {
        engine_shake_hands(&c);
        assert_non_null(
            strstr(engine_text, i < 3 ? "Connection: keep-alive\r\n" : "Connection: close\r\n"));
    }
    engine_ask(&c, "GET " ENGINE_QUERY "polling HTTP/1.1\r\nHost: h\r\n\r\n");
    engine_expect(&c, "");
    assert_int_equal(host_chat.polls_n, 4);
    engine_drop(&c);
}

static void sessions_that_have_not_registered_have_a_limit(void **state)
{
    (void)state;
    struct client c[4], p[4], w;
    host_chat.options.full = too_many_strangers;
    strangers_allowed = 2;
    engine_open(&c[0], &p[0]);
    engine_open(&c[1], &p[1]);
    host_open(&c[2]);
    engine_ask(&c[2], "GET " ENGINE_QUERY "polling HTTP/1.1\r\nHost: h\r\n\r\n");
    engine_expect(&c[2], "HTTP/1.1 503 *Connection: close\r\n\r\nFull.\n");
    engine_drop(&c[2]);
    engine_post(&p[1], engine_connect("alice")); /* one registers, */
    engine_expect(&p[1], "*ok");
    engine_open(&c[2], &p[2]);
    engine_post(&p[2], "1"); /* one ends, */
    engine_open(&c[3], &p[3]);
    assert_int_equal(host_chat.strangers, 2);
    host_open(&w); /* one is upgraded */
    engine_ask(&w, "GET " ENGINE_QUERY "websocket&sid=%s" ENGINE_HANDSHAKE, engine_sid);
    client_expect_upgrade(&w);
    client_send(&w, "2probe");
    client_expect(&w, "3probe");
    client_send(&w, "5");
    engine_turns();
    assert_int_equal(host_chat.strangers, 1);
    client_send(&w, engine_connect("bob"));
    client_expect(&w, "*40{*");
    engine_drop(&w);
    for (int i = 0; i < 4; i++) {
        engine_drop(&c[i]);
        engine_drop(&p[i]);
    }
    host_advance(50000);
    assert_int_equal(host_chat.strangers, 0);
    assert_int_equal(host_streams.open, 0);
}

static void every_packet_but_a_pong_is_charged(void **state)
{
    (void)state;
    static const struct {
        const char *packet;
        bool charged;
    } rows[] = {{"3", false}, {"6", true},     {"0", true},
                {"5", true},  {"430[]", true}, {"40/b,", true}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct client w;
        engine_open_socket_as(&w, "alice"); /* and 19 of 20 are left */
        for (int n = 0; n < 19; n++) {
            client_send(&w, rows[i].packet);
            if (strcmp(rows[i].packet, "40/b,") == 0)
                client_expect(&w, "44/b,{\"message\":\"Invalid namespace\"}");
        }
        client_send(&w, "40/a,");
        client_send(&w, "421[\"startWriting\",{\"id\":\"bob\"}]");
        if (!rows[i].charged)
            client_expect(&w, "44/a,*");
        client_expect(&w, rows[i].charged ? "42[\"info\",\"slow down*" : "431[*");
        engine_drop(&w);
        host_advance(2000);
    }
}

static void a_websocket_that_probes_on_and_on_is_closed(void **state)
{
    (void)state;
    struct client c, p, w;
    engine_open_as(&c, &p, "alice");
    host_open(&w);
    engine_ask(&w, "GET " ENGINE_QUERY "websocket&sid=%s" ENGINE_HANDSHAKE, engine_sid);
    client_expect_upgrade(&w);
    for (int i = 0; i < 20; i++) {
        client_send(&w, "2probe");
        client_expect(&w, "3probe");
    }
    client_send(&w, "2probe");
    client_expect_close(&w, 1008);
    engine_drop(&w);
    engine_post(&p, "3");
    engine_expect(&p, "*ok");
    engine_drop(&c);
    engine_drop(&p);
}

/* ---- the end ------------------------------------------------------------------------------- */

static void a_refusal_is_the_last_answer_of_its_connection(void **state)
{
    (void)state;
#define HEAD_OF_UPGRADE "Upgrade: websocket\r\nConnection: Upgrade\r\n"
    static const struct {
        const char *request, *fields, *answer;
    } rows[] = {
        {"GET " ENGINE_QUERY "flash", "", "400 *{\"code\":0,\"message\":\"Transport unknown\"}"},
        {"GET " ENGINE_QUERY "polling&sid=x", "",
         "400 *{\"code\":1,\"message\":\"Session ID unknown\"}"},
        {"PUT " ENGINE_QUERY "polling", "",
         "400 *{\"code\":2,\"message\":\"Bad handshake method\"}"},
        {"GET " ENGINE_QUERY "websocket", "", "400 *{\"code\":3,\"message\":\"Bad request\"}"},
        {"GET /socket.io/?EIO=3&transport=polling", "",
         "400 *{\"code\":5,\"message\":\"Unsupported protocol version\"}"},
        {"GET " ENGINE_QUERY "polling", "Origin: http://evil\r\n",
         "403 *{\"code\":4,\"message\":\"Forbidden\"}"},
        {"OPTIONS " ENGINE_QUERY "polling", "Origin: http://evil\r\n", "403 *"},
        {"PUT " ENGINE_QUERY "polling&sid=SID", "", "405 *\r\nAllow: GET, POST, OPTIONS\r\n*"},
        {"HEAD " ENGINE_QUERY "polling&sid=SID", "", "405 *\r\n\r\n"},
        {"GET " ENGINE_QUERY "websocket&sid=x", HEAD_OF_UPGRADE, "400 *\r\n\r\nSession ID unknown"},
        {"HEAD " ENGINE_QUERY "websocket&sid=SID", HEAD_OF_UPGRADE, "400 *"},
        {"GET " ENGINE_QUERY "websocket", HEAD_OF_UPGRADE, "400 *Sec-WebSocket-Version: 13.\n"},
        {"GET " ENGINE_QUERY "websocket", HEAD_OF_UPGRADE "Sec-WebSocket-Version: 12\r\n", "426 *"},
        {"GET " ENGINE_QUERY "websocket", HEAD_OF_UPGRADE "Sec-WebSocket-Version: 13\r\n", "400 *"},
        {"GET " ENGINE_QUERY "websocket", HEAD_OF_UPGRADE "Origin: http://evil\r\n",
         "403 *\r\n\r\nForbidden"},
        {"GET " ENGINE_QUERY "websocket", HEAD_OF_UPGRADE "Origin: http://h\r\n", "400 *"},
    };
    struct client c, p, more;
    engine_open_as(&c, &p, "alice");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char pattern[256], request[256];
        const char *at = strstr(rows[i].request, "SID");
        snprintf(request, sizeof request, "%.*s%s", at ? (int)(at - rows[i].request) : 200,
                 rows[i].request, at ? engine_sid : "");
        snprintf(pattern, sizeof pattern, "HTTP/1.1 %s", rows[i].answer);
        host_open(&more);
        engine_ask(&more,
                   "%s HTTP/1.1\r\nHost: h\r\n%s\r\nGET " ENGINE_QUERY "polling HTTP/1.1\r\nHost: "
                   "h\r\n\r\n",
                   request, rows[i].fields);
        engine_expect(&more, pattern);
        assert_int_equal(engine_count("HTTP/1.1"), 1);
        assert_int_equal(engine_count("Connection: close\r\n"), 1);
        if (strstr(rows[i].fields, "evil") && strstr(engine_text, "evil"))
            fail_msg("%s: %s", request, engine_text);
        engine_drop(&more);
    }
    engine_post(&p, "3");
    engine_expect(&p, "*ok");
    engine_drop(&c);
    engine_drop(&p);
}

static void who_is_put_out_is_disconnected_for_good(void **state)
{
    (void)state;
    static const struct {
        uint16_t code;
        bool out;
    } rows[] = {{CLOSE_TOO_MANY, true},
                {CLOSE_DISCONNECTED, true},
                {CLOSE_POLICY, true},
                {CLOSE_TOKEN_EXPIRED, false},
                {CLOSE_GOING_AWAY, false}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct client c, p, w;
        engine_open_socket_as(&w, "alice");
        session_close(engine_session("alice"), rows[i].code, "");
        if (rows[i].out)
            client_expect(&w, "41");
        client_expect_close(&w, rows[i].code);
        engine_drop(&w);
        engine_open_as(&c, &p, "alice");
        engine_get(&c);
        session_close(engine_session("alice"), rows[i].code, "");
        if (rows[i].out) {
            engine_expect(&c, "*\r\n\r\n41");
            engine_get(&c);
        }
        engine_expect(&c, "*\r\n\r\n1");
        engine_drop(&c);
        engine_drop(&p);
    }
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

/* The linker leads the calls of wire_write here. */
static unsigned written[FRAMINGS]; /* live messages */
size_t __real_wire_write(struct buf *out, enum framing framing, const struct event *e);
size_t __wrap_wire_write(struct buf *out, enum framing framing, const struct event *e);

size_t __wrap_wire_write(struct buf *out, enum framing framing, const struct event *e)
{
    written[framing] += slice_eq(e->name, SLICE("message")) && !e->meta.n;
    return __real_wire_write(out, framing, e);
}

static void a_live_event_is_written_once_for_each_framing(void **state)
{
    (void)state;
    struct client alice, native[4], socketio[4];
    host_open_as(&alice, "alice");
    for (int i = 0; i < 4; i++) {
        host_open_as(&native[i], i % 2 ? "alice" : "bob");
        engine_open_socket_as(&socketio[i], i % 2 ? "alice" : "bob");
    }
    written[FRAMING_NATIVE] = written[FRAMING_SOCKETIO] = 0;
    client_send(&alice, "{\"event\":\"message\",\"data\":{\"to\":\"bob\",\"content\":\"hi\"}}");
    for (int i = 0; i < 4; i++) {
        client_expect(&native[i], "{\"event\":\"message\",\"data\":{*\"hi\"*}}");
        client_expect(&socketio[i], "42[\"message\",{*\"hi\"*}]");
    }
    assert_int_equal(written[FRAMING_NATIVE], 1);
    assert_int_equal(written[FRAMING_SOCKETIO], 1);
    for (int i = 0; i < 4; i++) {
        engine_drop(&native[i]);
        engine_drop(&socketio[i]);
    }
    engine_drop(&alice);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, host_start, host_stop)
    const struct CMUnitTest tests[] = {
        TEST(the_heartbeat_stands_in_front_of_the_rest_of_a_replay),
        TEST(the_heartbeat_waits_for_the_end_of_a_page_that_is_begun),
        TEST(a_quiet_reader_of_a_long_answer_is_pinged_in_time),
        TEST(a_connection_opens_four_sessions_and_ends),
        TEST(sessions_that_have_not_registered_have_a_limit),
        TEST(every_packet_but_a_pong_is_charged),
        TEST(a_websocket_that_probes_on_and_on_is_closed),
        TEST(a_refusal_is_the_last_answer_of_its_connection),
        TEST(who_is_put_out_is_disconnected_for_good),
        cmocka_unit_test(an_event_is_read_from_its_packet),
        cmocka_unit_test(an_event_is_written_in_both_framings),
        TEST(a_live_event_is_written_once_for_each_framing),
    };
    return cmocka_run_group_tests_name("chat_socketio", tests, NULL, NULL);
}
