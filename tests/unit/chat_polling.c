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

static char sid[64], text[1 << 20];

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

/* Another session on a connection: its answer in `text`, its sid in `sid`. */
static void shake_hands(struct client *c)
{
    ask(c, "GET " QUERY "polling HTTP/1.1\r\nHost: h\r\n\r\n");
    const char *at = strstr(come(c), "0{\"sid\":\"");
    assert_non_null(at);
    snprintf(sid, sizeof sid, "%.22s", at + 9);
}

/* A session that polls, on these connections: c for GETs, p for POSTs. */
static void open_polling(struct client *c, struct client *p)
{
    host_open(c);
    host_open(p);
    shake_hands(c);
}

/* A CONNECT with a token. */
static const char *connect_as(const char *user)
{
    static char packet[600];
    char token[512];
    struct hmac_key key;
    hmac_key_init(&key, slice_str(host_secret));
    size_t n = jwt_sign(token, sizeof token, &key, slice_str(user), host_wall(NULL), INT64_MAX);
    snprintf(packet, sizeof packet, "40{\"token\":\"%.*s\"}", (int)n, token);
    return packet;
}

static void open_polling_as(struct client *c, struct client *p, const char *user)
{
    open_polling(c, p);
    post(p, connect_as(user));
    expect(p, "HTTP/1.1 200 OK\r\n*\r\n\r\nok");
    get(c);
    expect(c, "*40{\"sid\":*42[\"registerMessages\",\"OK\",*");
}

/* The same over a WebSocket alone. */
static void open_socket_as(struct client *w, const char *user)
{
    host_open(w);
    ask(w, "GET " QUERY "websocket" UPGRADE);
    client_expect_upgrade(w);
    client_expect(w, "0{\"sid\":*");
    client_send(w, connect_as(user));
    client_expect(w, "40{\"sid\":*");
    client_expect(w, "42[\"registerMessages\",\"OK\",*");
}

static void drop(struct client *c)
{
    client_close(c);
    turns();
}

static struct session *session_of_user(const char *user)
{
    struct online *online = hub_find(&host_chat.hub, slice_str(user));
    assert_non_null(online);
    return container_of(online->sessions.next, struct session, link);
}

/* Messages of 16 kB from bob to alice. */
static void send_long_messages(struct client *bob, int n)
{
    char content[16000];
    memset(content, 'x', sizeof content);
    content[sizeof content - 1] = 0;
    host_chat.options.rate = 0;
    while (n--) {
        client_sendf(bob, "{\"event\":\"message\",\"data\":{\"to\":\"alice\",\"content\":\"%s\"}}",
                     content);
        client_expect(bob, "*success*");
    }
}

static size_t count(const char *what)
{
    size_t n = 0;
    for (const char *p = text; (p = strstr(p, what)); p++)
        n++;
    return n;
}

/* All of one answer, which has come by now; its body. */
static const char *whole_answer(struct client *c)
{
    come(c);
    const char *body = strstr(text, "\r\n\r\n"), *size = strstr(text, "Content-Length: ");
    assert_non_null(body);
    assert_non_null(size);
    assert_int_equal(strlen(body + 4), strtoul(size + 16, NULL, 10));
    return body + 4;
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
    host_open_as(&bob, "bob");
    send_long_messages(&bob, 20);
    open_polling_as(&c, &p, "alice");
    post(&p, "421[\"conversation\",{\"id\":\"bob\"}]\x1e"
             "422[\"startWriting\",{\"id\":\"bob\"}]");
    expect(&p, ""); /* the second is not read before the first's answer is taken */
    client_expect_nothing(&bob);
    get(&c);
    assert_true(
        matches("431[{\"id\":\"bob\",\"messages\":[{*}]},{\"more\":false}]", whole_answer(&c)));
    assert_int_equal(count("\"from\":\"bob\""), 20);
    expect(&p, "*ok");
    client_expect(&bob, "*startWriting*");
    get(&c);
    expect(&c, "*\r\n\r\n432[{\"success\":true}]");
    drop(&bob);
    drop(&c);
    drop(&p);
}

static void the_heartbeat_stands_in_front_of_the_rest_of_a_replay(void **state)
{
    (void)state;
    struct client c, p, bob;
    const char *ping = NULL;
    host_open_as(&bob, "bob");
    send_long_messages(&bob, 30);
    open_polling_as(&c, &p, "alice");
    char packet[700], *rest = packet + snprintf(packet, sizeof packet, "42[\"registerMessages\",%s",
                                                connect_as("alice") + 2);
    strcpy(rest - 1, ",\"since\":0}]");
    post(&p, packet);
    for (int i = 0; i < 3; i++) { /* who takes some of it is not too slow */
        get(&c);
        come(&c);
        host_advance(i < 2 ? 13000 : 0);
    }
    for (int i = 0; i < 9 && !ping; i++) {
        get(&c);
        ping = strstr(whole_answer(&c), "\x1e"
                                        "2");
    }
    assert_non_null(ping);
    get(&c);
    assert_non_null(strstr(whole_answer(&c), "{\"replay\":true}"));
    drop(&bob);
    drop(&c);
    drop(&p);
}

static void the_heartbeat_waits_for_the_end_of_a_page_that_is_begun(void **state)
{
    (void)state;
    struct client c, p, bob;
    host_open_as(&bob, "bob");
    send_long_messages(&bob, 40);
    open_polling_as(&c, &p, "alice");
    post(&p, "421[\"conversation\",{\"id\":\"bob\"}]");
    host_advance(15000);
    get(&c); /* and takes as much of it as the socket does */
    host_advance(12000);
    assert_true(matches("431[{\"id\":\"bob\",*}]},{\"more\":false}]", whole_answer(&c)));
    get(&c);
    expect(&c, "*\r\n\r\n2");
    drop(&bob);
    drop(&c);
    drop(&p);
}

static void a_quiet_reader_of_a_long_answer_is_pinged_in_time(void **state)
{
    (void)state;
    struct client w, bob;
    host_chat.options.idle_ms = 9000;
    host_open_as(&bob, "bob");
    send_long_messages(&bob, 40);
    open_socket_as(&w, "alice");
    client_send(&w, "421[\"conversation\",{\"id\":\"bob\"}]");
    host_advance(4000);
    assert_false(stream_readable(&session_of_user("alice")->ws.stream));
    client_expect(&w, "431[*");
    host_advance(1500);
    client_expect(&w, "2");
    drop(&w);
    drop(&bob);
}

static void a_close_at_the_end_of_a_batch_comes_whole(void **state)
{
    (void)state;
    static char packet[65536];
    memset(packet, 'x', sizeof packet);
    for (size_t over = 0; over < 9; over++) {
        struct client c, p;
        open_polling_as(&c, &p, "alice");
        struct session *s = session_of_user("alice");
        /* Both have a head of 4 bytes; so much of the close is behind the first 64 KiB. */
        websocket_send(&s->ws, FRAME_TEXT, slice_of(packet, sizeof packet - 8 + over - 4));
        session_close(s, CLOSE_TOKEN_EXPIRED, "xxxx");
        turns();
        get(&c);
        assert_int_equal(strlen(whole_answer(&c)), sizeof packet - 12 + over);
        get(&c);
        assert_string_equal(whole_answer(&c), "1");
        drop(&c);
        drop(&p);
        assert_int_equal(host_chat.polls_n, 0);
    }
}

static void what_a_get_that_died_was_to_have_ends_the_session(void **state)
{
    (void)state;
    struct client c, p, bob;
    open_polling_as(&c, &p, "alice");
    host_open_as(&bob, "bob");
    get(&c);
    client_sendf(&bob, "{\"event\":\"startWriting\",\"data\":{\"id\":\"alice\"}}");
    client_close(&c); /* in the same turn: nobody can tell whether it arrived */
    turns();
    post(&p, "3");
    expect(&p, "HTTP/1.1 400 *{\"code\":1,\"message\":\"Session ID unknown\"}");
    drop(&bob);
    drop(&p);
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
        shake_hands(&c);
        assert_non_null(
            strstr(text, i < 3 ? "Connection: keep-alive\r\n" : "Connection: close\r\n"));
    }
    ask(&c, "GET " QUERY "polling HTTP/1.1\r\nHost: h\r\n\r\n");
    expect(&c, "");
    assert_int_equal(host_chat.polls_n, 4);
    drop(&c);
}

static void sessions_that_have_not_registered_have_a_limit(void **state)
{
    (void)state;
    struct client c[4], p[4], w;
    host_chat.options.full = too_many_strangers;
    strangers_allowed = 2;
    open_polling(&c[0], &p[0]);
    open_polling(&c[1], &p[1]);
    host_open(&c[2]);
    ask(&c[2], "GET " QUERY "polling HTTP/1.1\r\nHost: h\r\n\r\n");
    expect(&c[2], "HTTP/1.1 503 *Connection: close\r\n\r\nFull.\n");
    drop(&c[2]);
    post(&p[1], connect_as("alice")); /* one registers, */
    expect(&p[1], "*ok");
    open_polling(&c[2], &p[2]);
    post(&p[2], "1"); /* one ends, */
    open_polling(&c[3], &p[3]);
    assert_int_equal(host_chat.strangers, 2);
    host_open(&w); /* one is upgraded */
    ask(&w, "GET " QUERY "websocket&sid=%s" UPGRADE, sid);
    client_expect_upgrade(&w);
    client_send(&w, "2probe");
    client_expect(&w, "3probe");
    client_send(&w, "5");
    turns();
    assert_int_equal(host_chat.strangers, 1);
    client_send(&w, connect_as("bob"));
    client_expect(&w, "*40{*");
    drop(&w);
    for (int i = 0; i < 4; i++) {
        drop(&c[i]);
        drop(&p[i]);
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
        open_socket_as(&w, "alice"); /* and 19 of 20 are left */
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
        drop(&w);
        host_advance(2000);
    }
}

static void a_websocket_that_probes_on_and_on_is_closed(void **state)
{
    (void)state;
    struct client c, p, w;
    open_polling_as(&c, &p, "alice");
    host_open(&w);
    ask(&w, "GET " QUERY "websocket&sid=%s" UPGRADE, sid);
    client_expect_upgrade(&w);
    for (int i = 0; i < 20; i++) {
        client_send(&w, "2probe");
        client_expect(&w, "3probe");
    }
    client_send(&w, "2probe");
    client_expect_close(&w, 1008);
    drop(&w);
    post(&p, "3");
    expect(&p, "*ok");
    drop(&c);
    drop(&p);
}

static void a_refusal_is_the_last_answer_of_its_connection(void **state)
{
    (void)state;
#define HEAD_OF_UPGRADE "Upgrade: websocket\r\nConnection: Upgrade\r\n"
    static const struct {
        const char *request, *fields, *answer;
    } rows[] = {
        {"GET " QUERY "flash", "", "400 *{\"code\":0,\"message\":\"Transport unknown\"}"},
        {"GET " QUERY "polling&sid=x", "", "400 *{\"code\":1,\"message\":\"Session ID unknown\"}"},
        {"PUT " QUERY "polling", "", "400 *{\"code\":2,\"message\":\"Bad handshake method\"}"},
        {"GET " QUERY "websocket", "", "400 *{\"code\":3,\"message\":\"Bad request\"}"},
        {"GET /socket.io/?EIO=3&transport=polling", "",
         "400 *{\"code\":5,\"message\":\"Unsupported protocol version\"}"},
        {"GET " QUERY "polling", "Origin: http://evil\r\n",
         "403 *{\"code\":4,\"message\":\"Forbidden\"}"},
        {"OPTIONS " QUERY "polling", "Origin: http://evil\r\n", "403 *"},
        {"PUT " QUERY "polling&sid=SID", "", "405 *\r\nAllow: GET, POST, OPTIONS\r\n*"},
        {"HEAD " QUERY "polling&sid=SID", "", "405 *\r\n\r\n"},
        {"GET " QUERY "websocket&sid=x", HEAD_OF_UPGRADE, "400 *\r\n\r\nSession ID unknown"},
        {"HEAD " QUERY "websocket&sid=SID", HEAD_OF_UPGRADE, "400 *"},
        {"GET " QUERY "websocket", HEAD_OF_UPGRADE, "400 *Sec-WebSocket-Version: 13.\n"},
        {"GET " QUERY "websocket", HEAD_OF_UPGRADE "Sec-WebSocket-Version: 12\r\n", "426 *"},
        {"GET " QUERY "websocket", HEAD_OF_UPGRADE "Sec-WebSocket-Version: 13\r\n", "400 *"},
        {"GET " QUERY "websocket", HEAD_OF_UPGRADE "Origin: http://evil\r\n",
         "403 *\r\n\r\nForbidden"},
        {"GET " QUERY "websocket", HEAD_OF_UPGRADE "Origin: http://h\r\n", "400 *"},
    };
    struct client c, p, more;
    open_polling_as(&c, &p, "alice");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char pattern[256], request[256];
        const char *at = strstr(rows[i].request, "SID");
        snprintf(request, sizeof request, "%.*s%s", at ? (int)(at - rows[i].request) : 200,
                 rows[i].request, at ? sid : "");
        snprintf(pattern, sizeof pattern, "HTTP/1.1 %s", rows[i].answer);
        host_open(&more);
        ask(&more,
            "%s HTTP/1.1\r\nHost: h\r\n%s\r\nGET " QUERY "polling HTTP/1.1\r\nHost: h\r\n\r\n",
            request, rows[i].fields);
        expect(&more, pattern);
        assert_int_equal(count("HTTP/1.1"), 1);
        assert_int_equal(count("Connection: close\r\n"), 1);
        if (strstr(rows[i].fields, "evil") && strstr(text, "evil"))
            fail_msg("%s: %s", request, text);
        drop(&more);
    }
    post(&p, "3");
    expect(&p, "*ok");
    drop(&c);
    drop(&p);
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
        open_socket_as(&w, "alice");
        session_close(session_of_user("alice"), rows[i].code, "");
        if (rows[i].out)
            client_expect(&w, "41");
        client_expect_close(&w, rows[i].code);
        drop(&w);
        open_polling_as(&c, &p, "alice");
        get(&c);
        session_close(session_of_user("alice"), rows[i].code, "");
        if (rows[i].out) {
            expect(&c, "*\r\n\r\n41");
            get(&c);
        }
        expect(&c, "*\r\n\r\n1");
        drop(&c);
        drop(&p);
    }
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
    char body[2000] = "6";
    open_polling_as(&c, &p, "alice");
    open_probe(&w);
    client_send(&w, "2probe");
    client_expect(&w, "3probe");
    for (int i = 0; i < 40; i++) /* over the rate: it rests, with some unread */
        strcat(body, "\x1e"
                     "42[\"nonsense\"]");
    post(&p, body);
    expect(&p, "");
    client_send(&w, "5");
    client_expect_close(&w, 1000);
    expect(&p, "*\r\n\r\nok");
    assert_int_equal(host_chat.polls_n, 0);
    get(&c);
    expect(&c, "HTTP/1.1 400 *{\"code\":1,\"message\":\"Session ID unknown\"}");
    drop(&w);
    drop(&c);
    drop(&p);
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

static void a_server_that_goes_away_opens_nothing_on_a_connection_that_is_kept(void **state)
{
    (void)state;
    static const char *const requests[] = {
        "GET " QUERY "polling HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET " QUERY "websocket" UPGRADE,
        "GET " QUERY "websocket&sid=%s" UPGRADE,
        "GET /chat" UPGRADE,
    };
    enum { KINDS = sizeof requests / sizeof *requests };
    struct client c, p, more[KINDS];
    open_polling_as(&c, &p, "alice");
    for (int i = 0; i < KINDS; i++) {
        host_open(&more[i]);
        ask(&more[i],
            "POST " QUERY "polling&sid=%s HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\n3", sid);
        expect(&more[i], "*ok");
    }
    chat_drain(&host_chat, 0);
    for (int i = 0; i < KINDS; i++) {
        char request[512];
        const char *at = strstr(requests[i], "%s");
        snprintf(request, sizeof request, "%.*s%s%s", at ? (int)(at - requests[i]) : 500,
                 requests[i], at ? sid : "", at ? at + 2 : "");
        ask(&more[i], "%s", request);
        expect(&more[i], "HTTP/1.1 503 *Connection: close\r\n\r\nThe server is shutting down.\n");
        drop(&more[i]);
    }
    get(&c);
    expect(&c, "HTTP/1.1 200 *Connection: keep-alive\r\n*going_away*");
    host_advance(2500); /* it does not come for the rest */
    assert_int_equal(host_streams.open, 0);
    drop(&c);
    drop(&p);
}

static void pages_of_other_origins_are_refused_before_and_in_the_preflight(void **state)
{
    (void)state;
    struct client c;
    host_open(&c);
    ask(&c, "GET " QUERY "polling HTTP/1.1\r\nHost: h\r\nOrigin: http://evil\r\n\r\n");
    expect(&c, "HTTP/1.1 403 *{\"code\":4,\"message\":\"Forbidden\"}");
    assert_null(strstr(text, "Access-Control"));
    drop(&c);
    host_open(&c);
    ask(&c, "OPTIONS " QUERY "polling HTTP/1.1\r\nHost: h\r\nOrigin: http://evil\r\n\r\n");
    expect(&c, "HTTP/1.1 403 *");
    assert_null(strstr(text, "Access-Control"));
    drop(&c);
    host_open(&c);
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
        open_socket_as(&socketio[i], i % 2 ? "alice" : "bob");
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
        drop(&native[i]);
        drop(&socketio[i]);
    }
    drop(&alice);
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
        TEST(the_heartbeat_stands_in_front_of_the_rest_of_a_replay),
        TEST(the_heartbeat_waits_for_the_end_of_a_page_that_is_begun),
        TEST(a_quiet_reader_of_a_long_answer_is_pinged_in_time),
        TEST(a_close_at_the_end_of_a_batch_comes_whole),
        TEST(what_a_get_that_died_was_to_have_ends_the_session),
        TEST(a_connection_opens_four_sessions_and_ends),
        TEST(sessions_that_have_not_registered_have_a_limit),
        TEST(every_packet_but_a_pong_is_charged),
        TEST(a_websocket_that_probes_on_and_on_is_closed),
        TEST(a_refusal_is_the_last_answer_of_its_connection),
        TEST(who_is_put_out_is_disconnected_for_good),
        TEST(a_server_that_goes_away_opens_nothing_on_a_connection_that_is_kept),
        TEST(a_live_event_is_written_once_for_each_framing),
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
