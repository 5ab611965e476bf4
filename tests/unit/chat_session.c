/* What time and a slow disk do to a connection, on a clock that the test moves. */
#include "../support/chat_host.h"
#include "../support/test.h"
#include "chat/backend.h"
#include "codec/jwt.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* The next frame's first byte, or -1 if there is none now. */
static int peek(struct client *c)
{
    uint8_t byte;
    return recv(c->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 1 ? byte : -1;
}

static void a_request_head_has_10_s(void **state)
{
    (void)state;
    struct client c;
    host_open(&c);
    client_send_raw(&c, "GET / HTTP/1.1\r\n", 16);
    host_advance(9900);
    assert_int_equal(host_chat.stats.connections, 1);
    host_advance(400);
    client_read_all(&c);
    assert_true(matches("HTTP/1.1 408 *", c.text));
    client_close(&c);
}

static void a_request_head_that_drips_has_no_more(void **state)
{
    (void)state;
    struct client c;
    host_open(&c);
    client_send_raw(&c, "GET / HTTP/1.1\r\nA: ", 19);
    for (int i = 0; i < 99; i++) {
        client_send_raw(&c, "b", 1);
        host_advance(100);
    }
    assert_int_equal(host_chat.stats.connections, 1);
    host_advance(400);
    client_read_all(&c);
    assert_true(matches("HTTP/1.1 408 *", c.text));
    client_close(&c);
}

/* Whatever it is that drips: the signature, a field of the longest header, the request behind it. */
static void a_proxy_header_that_drips_has_no_more_either(void **state)
{
    (void)state;
    static const struct ip_range unix_peers = {.bits = 128};
    static const char begin[] = "\r\n\r\n\0\r\nQUIT\n\x20\x00\x0f\xf0";
    struct client c;
    host_chat.kind.trusted = (struct ip_ranges){&unix_peers, 1};
    for (size_t n = 1; n < sizeof begin; n += 7) {
        host_open(&c);
        client_send_raw(&c, begin, n);
        for (int i = 0; i < 99; i++) {
            client_send_raw(&c, n + (size_t)i < sizeof begin - 1 ? begin + n + i : "b", 1);
            host_advance(100);
        }
        assert_int_equal(host_chat.stats.connections, 1);
        host_advance(400);
        client_read_all(&c);
        assert_true(matches("HTTP/1.1 408 *", c.text));
        client_close(&c);
        host_advance(100);
    }
}

/* The head of a text of 1,000 bytes, and a mask of zeros. */
static void begin_text(struct client *c)
{
    client_send_raw(c, "\x81\xfe\x03\xe8\0\0\0\0", 8);
}

static void a_frame_that_drips_does_not_put_off_the_registration(void **state)
{
    (void)state;
    struct client c;
    host_open(&c);
    client_upgrade(&c);
    begin_text(&c);
    for (int i = 0; i < 298; i++) {
        client_send_raw(&c, " ", 1);
        host_advance(100);
    }
    assert_int_equal(peek(&c), -1);
    host_advance(600);
    client_expect_close(&c, 4002);
    client_close(&c);
}

static void a_frame_that_drips_holds_nobody_up(void **state)
{
    (void)state;
    struct client slow, other;
    host_open_as(&slow, "slow");
    host_open_as(&other, "other");
    begin_text(&slow);
    for (int i = 0; i < 998; i++) {
        client_send_raw(&slow, " ", 1);
        host_advance(1000);
        if (i % 20 == 0)
            client_expect_nothing(&other);
    }
    client_send_raw(&slow, "{}", 2);
    client_expect(&slow, "*\"code\":\"bad_request\"*");
    client_close(&slow);
    client_close(&other);
}

/* Only what has come is kept, never what a head announces. */
static void a_message_that_never_ends_keeps_what_has_come_and_no_more(void **state)
{
    (void)state;
    struct client c;
    host_open_as(&c, "alice");
    struct session *s = hub_find(&host_chat.hub, SLICE("alice"))->sessions;
    client_send_raw(&c, "\x01\xff\0\0\0\0\0\0\xff\xff\0\0\0\0{", 15);
    host_pump();
    assert_null(s->ws.stream.more); /* the length is not in its shortest form */
    client_expect_close(&c, 1002);
    client_close(&c);

    host_open_as(&c, "bob");
    s = hub_find(&host_chat.hub, SLICE("bob"))->sessions;
    client_send_raw(&c, "\x01\xfe\xff\xff\0\0\0\0{", 9);
    host_pump();
    assert_int_equal(websocket_more(&s->ws)->message.n, 1);
    assert_in_range(websocket_more(&s->ws)->message.cap, 1, 1024);
    for (int i = 0; i < 65534; i += 1057) {
        uint8_t part[1057] = {0};
        client_send_raw(&c, part, sizeof part);
        host_pump();
    }
    for (int i = 0; i < 10000; i++) { /* empty fragments cost nothing that stays */
        client_send_frame(&c, 0x00, "", 0);
        host_pump();
    }
    assert_int_equal(websocket_more(&s->ws)->message.n, 65535);
    assert_in_range(websocket_more(&s->ws)->message.cap, 65535, 131072);
    client_send_frame(&c, 0x00, "xx", 2);
    client_expect_close(&c, 1009);
    client_close(&c);
}

static void who_leaves_during_the_handshake_harms_nobody(void **state)
{
    (void)state;
    struct client c;
    for (size_t cut = 0; cut <= strlen(client_request); cut++)
        for (int turns = 0; turns < 4; turns++) {
            host_open(&c);
            client_send_raw(&c, client_request, cut);
            for (int i = 0; i < turns; i++)
                host_pump();
            client_close(&c);
            host_pump();
            host_pump();
            assert_int_equal(host_chat.stats.connections, 0);
        }
    host_open_as(&c, "alice");
    client_close(&c);
}

static void the_registration_has_30_s(void **state)
{
    (void)state;
    struct client c, registered;
    host_open(&c);
    client_upgrade(&c);
    host_open_as(&registered, "alice");
    host_advance(29800);
    client_send(&c, "{\"event\":\"x\"}");
    client_expect(&c, "*unknown_event*");
    host_advance(600);
    client_expect_close(&c, 4002);
    client_expect_nothing(&registered);
    client_close(&c);
    client_close(&registered);
}

static void silence_is_asked_after_25_s_and_ended_after_45(void **state)
{
    (void)state;
    struct client c;
    host_open_as(&c, "alice");
    for (int i = 0; i < 3; i++) { /* who answers the pings stays */
        host_advance(24800);
        assert_int_equal(peek(&c), -1);
        host_advance(600);
        assert_int_equal(peek(&c), 0x89);
        client_expect_nothing(&c); /* its receiving answers the ping */
    }
    host_advance(24800 + 600);
    assert_int_equal(peek(&c), 0x89);
    host_advance(19000);
    assert_int_equal(host_chat.stats.connections, 1);
    host_advance(1000);
    assert_int_equal(host_chat.stats.connections, 0);
    client_close(&c);
}

static void an_expired_token_ends_the_connection_unless_renewed(void **state)
{
    (void)state;
    struct client c, renewed;
    host_open(&c);
    client_upgrade(&c);
    host_register(&c, "alice", 7000);
    host_open(&renewed);
    client_upgrade(&renewed);
    host_register(&renewed, "alice", 7000);
    host_advance(5000);
    host_register(&renewed, "alice", 12000);
    client_expect_nothing(&c);
    host_advance(2300);
    client_expect(&c, "{\"event\":\"info\",\"data\":\"*\",\"meta\":{\"code\":\"token_expired\","
                      "\"event\":null}}");
    client_expect_close(&c, 4001);
    client_expect_nothing(&renewed);
    host_advance(10000);
    client_expect(&renewed, "*token_expired*");
    client_expect_close(&renewed, 4001);
    client_close(&c);
    client_close(&renewed);
}

/* Bytes queued for a user. */
static uint64_t waiting(const char *user)
{
    uint64_t queued = 0;
    SESSION_EACH(s, hub_find(&host_chat.hub, slice_str(user))->sessions)
    {
        queued += stream_queued(&s->ws.stream);
    }
    return queued;
}

static void a_reader_that_takes_nothing_for_20_s_is_cut_off(void **state)
{
    (void)state;
    struct client reader, writer;
    char content[8000];
    host_open_as(&reader, "reader");
    host_open_as(&writer, "writer");
    memset(content, 'x', sizeof content - 1);
    content[sizeof content - 1] = 0;
    /* Until something waits for the reader, above what its socket takes. */
    while (waiting("reader") == 0) {
        client_sendf(&writer,
                     "{\"event\":\"message\",\"data\":{\"to\":\"reader\",\"content\":\"%s\"}}",
                     content);
        client_expect(&writer, "*success*");
        host_advance(100);
    }
    host_advance(19500);
    assert_int_equal(host_chat.stats.too_slow, 0);
    host_advance(1000);
    assert_int_equal(host_chat.stats.too_slow, 1);
    client_expect_nothing(&writer);
    client_close(&reader);
    client_close(&writer);
}

static void the_rate_refills_with_time(void **state)
{
    (void)state;
    struct client c;
    host_open(&c);
    client_upgrade(&c);
    for (int seconds = 0; seconds < 3; seconds++) {
        for (int i = 0; i < (seconds ? 10 : 20); i++) {
            client_send(&c, "{\"event\":\"snippets\"}");
            client_expect(&c, "*\"unregistered\"*");
        }
        client_send(&c, "{\"event\":\"snippets\"}");
        client_expect(&c, "*more than 10 events a second*\"rate_limited\"*");
        host_advance(1000);
    }
    client_close(&c);
}

/* How many of n events are carried out, rather than refused for the rate. */
static int carried_out(struct client *c, int n)
{
    int done = 0;
    for (int i = 0; i < n; i++) {
        client_send(c, "{\"event\":\"no such event\"}");
        assert_true(client_receive(c));
        done += strstr(c->text, "rate_limited") == NULL;
    }
    return done;
}

static void who_floods_is_not_listened_to_for_a_moment_and_closed_in_the_end(void **state)
{
    (void)state;
    struct client c;
    char bytes[4096];
    host_open(&c);
    client_upgrade(&c);
    for (int i = 0; i < 200; i++)
        client_send(&c, "{\"event\":\"no such event\"}");
    for (int i = 0; i < 10; i++)
        host_pump();
    assert_int_equal(host_chat.stats.requests,
                     20 + 16); /* two seconds' worth, and what is refused at once */
    host_advance(300);
    assert_in_range(host_chat.stats.requests, 20 + 16 + 16, 20 + 4 * 16);
    for (int i = 0; i < 150; i++) {
        for (int j = 0; j < 10; j++)
            client_send(&c, "{\"event\":\"no such event\"}");
        host_advance(100);
        while (recv(c.fd, bytes, sizeof bytes, MSG_DONTWAIT) > 0)
            ;
    }
    assert_int_equal(host_chat.stats.connections, 0);
    assert_in_range(host_chat.stats.requests, 500, 650);
    client_close(&c);
}

static void who_keeps_below_the_rate_again_is_no_flood(void **state)
{
    (void)state;
    struct client c;
    host_open(&c);
    client_upgrade(&c);
    host_register(&c, "eager", 0);
    host_advance(2000);
    for (int i = 0; i < 60; i++) { /* 900 refusals in all */
        carried_out(&c, 20 + 15);
        host_advance(2000);
    }
    client_expect_nothing(&c);
    client_close(&c);
}

static void a_user_has_four_times_the_rate_of_a_connection_however_many_he_has(void **state)
{
    (void)state;
    struct client c[8], other;
    for (int i = 0; i < 8; i++) {
        host_open_as(&c[i], "many");
    }
    host_open_as(&other, "other");
    host_advance(20000); /* every bucket is full */
    int done = 0;
    for (int i = 0; i < 8; i++)
        done += carried_out(&c[i], i < 4 ? 25 : 5);
    assert_int_equal(done, 4 * 20); /* two seconds' worth */
    assert_int_equal(carried_out(&other, 25), 20);
    host_advance(1000);
    done = 0;
    for (int i = 0; i < 8; i++)
        done += carried_out(&c[i], i < 4 ? 15 : 5);
    assert_int_equal(done, 4 * 10);
    for (int i = 0; i < 8; i++)
        client_close(&c[i]);
    client_close(&other);
}

static void show_token(struct client *c, const struct address *peer, const char *token,
                       const char *answer)
{
    host_open_from(c, peer);
    client_upgrade(c);
    client_sendf(c, "{\"event\":\"registerMessages\",\"data\":{\"token\":\"%s\"}}", token);
    client_expect(c, answer);
    client_close(c);
}

static void an_address_that_shows_many_bad_tokens_has_to_wait_longer_and_longer(void **state)
{
    (void)state;
    struct address bad, good, near, far;
    struct client c;
    char token[512];
    int64_t now = host_wall(NULL);
    struct hmac_key key;
    hmac_key_init(&key, slice_str(host_secret));
    token[jwt_sign(token, sizeof token - 1, &key, SLICE("alice"), now, now + 3600000)] = 0;
    assert_null(address_parse(&bad, "192.0.2.1:1"));
    assert_null(address_parse(&good, "192.0.2.2:1"));
    for (int i = 0; i < 9; i++)
        show_token(&c, &bad, "x.y.z", "*\"bad_token\"*");
    show_token(&c, &bad, token, "*\"OK\"*");
    for (int wait = 1; wait <= 64; wait *= 2) {
        char text[128];
        show_token(&c, &bad, "x.y.z", "*\"bad_token\"*");
        snprintf(text, sizeof text, "*many bad tokens*try again in %d s*\"rate_limited\"*", wait);
        show_token(&c, &bad, token, text);
        show_token(&c, &good, token, "*\"OK\"*");
        host_advance(wait * 1000 - 100);
        show_token(&c, &bad, token, "*try again in 1 s*");
        host_advance(100);
        show_token(&c, &bad, token, "*\"OK\"*");
    }
    show_token(&c, &bad, "x.y.z", "*\"bad_token\"*");
    show_token(&c, &bad, token, "*try again in 64 s*"); /* no longer than that */
    /* After a minute without any, all is forgotten. */
    host_advance(64000 + 61000);
    for (int i = 0; i < 9; i++)
        show_token(&c, &bad, "x.y.z", "*\"bad_token\"*");
    show_token(&c, &bad, token, "*\"OK\"*");
    /* Of IPv6 the network counts. */
    assert_null(address_parse(&near, "[2001:db8::1]:1"));
    for (int i = 0; i < 10; i++)
        show_token(&c, &near, "x.y.z", "*\"bad_token\"*");
    assert_null(address_parse(&near, "[2001:db8::ffff:0:0:2]:1"));
    assert_null(address_parse(&far, "[2001:db8:0:1::1]:1"));
    show_token(&c, &near, token, "*\"rate_limited\"*");
    show_token(&c, &far, token, "*\"OK\"*");
}

static void a_proxy_that_does_not_say_for_whom_it_speaks_never_has_to_wait(void **state)
{
    (void)state;
    static struct ip_range range;
    struct address proxy;
    struct client c;
    assert_null(ip_range_parse(&range, "10.0.0.0/8"));
    host_chat.options.trusted = (struct ip_ranges){&range, 1};
    assert_null(address_parse(&proxy, "10.0.0.1:1"));
    for (int i = 0; i < 20; i++) {
        show_token(&c, &proxy, "x.y.z", "*\"bad_token\"*");
        show_token(&c, &(struct address){.storage.ss_family = AF_UNIX}, "x", "*\"bad_token\"*");
    }
}

/* 1,024 addresses are remembered; beside them the rest of the table is not touched. */
static void bad_tokens_of_any_number_of_addresses_take_a_bounded_table(void **state)
{
    (void)state;
    struct backoff b = {0};
    struct ip ip, first = {0};
    for (uint32_t i = 0; i < 3 * BACKOFF_ADDRESSES; i++) {
        uint8_t bytes[4] = {10, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i};
        ip = ip_from_bytes(bytes, 4);
        first = i == 0 ? ip : first;
        for (int k = 0; k < 10; k++)
            backoff_count(&b, &ip, (int64_t)i);
    }
    assert_int_equal(b.n, BACKOFF_ADDRESSES);
    assert_int_equal(backoff_wait(&b, &ip, 3 * BACKOFF_ADDRESSES - 1), 1000);
    assert_int_equal(backoff_wait(&b, &first, 0), 0); /* the oldest made room */
    backoff_fini(&b);
}

/* One client has sent all that his socket takes, another one line: that is answered in the same turn. */
static void a_client_that_floods_does_not_hold_up_a_quiet_one(void **state)
{
    (void)state;
    static const char request[] = "{\"event\":\"x\"}";
    struct client flood, quiet;
    int sent = 0;
    host_chat.options.rate = 0;
    host_open(&flood);
    client_upgrade(&flood);
    host_open(&quiet);
    client_upgrade(&quiet);
    int size = 1 << 20;
    assert_int_equal(setsockopt(flood.fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size), 0);
    int flags = fcntl(flood.fd, F_GETFL);
    uint8_t frame[6 + sizeof request - 1] = {0x81, 0x80 | (sizeof request - 1)};
    memcpy(frame + 6, request, sizeof request - 1);
    uint8_t frames[sizeof frame * 100];
    for (size_t i = 0; i < 100; i++)
        memcpy(frames + i * sizeof frame, frame, sizeof frame);
    assert_int_equal(fcntl(flood.fd, F_SETFL, flags | O_NONBLOCK), 0);
    while (send(flood.fd, frames, sizeof frames, MSG_NOSIGNAL) == (ssize_t)sizeof frames)
        sent += 100;
    client_send(&quiet, "{\"event\":\"hello\"}");
    uint64_t before = host_chat.stats.requests;
    host_pump();
    uint8_t answer[64];
    assert_true(recv(quiet.fd, answer, sizeof answer, MSG_DONTWAIT) > 0);
    /* And the flood had its turn, of one read, but not more. */
    uint64_t carried = host_chat.stats.requests - before;
    assert_in_range(carried, 2, STREAM_READ / sizeof frame + 1);
    assert_true(sent > 2 * STREAM_READ / (int)sizeof frame);
    client_close(&flood);
    client_close(&quiet);
}

static void history_on_a_cold_disk_comes_whole_and_others_do_not_wait(void **state)
{
    (void)state;
    struct client reader, writer;
    char content[700];
    host_open_as(&reader, "reader");
    host_open_as(&writer, "writer");
    memset(content, 'x', sizeof content - 1);
    content[sizeof content - 1] = 0;
    for (int i = 0; i < 40; i++) {
        client_sendf(&writer,
                     "{\"event\":\"message\",\"data\":{\"to\":\"reader\",\"content\":\"%d%s\"}}", i,
                     content);
        client_expect(&writer, "*success*");
        client_expect(&reader, "*content*");
        host_advance(200);
    }
    host_cold = true;
    host_forget_all();
    client_send(&reader, "{\"event\":\"conversation\",\"data\":{\"id\":\"writer\"},\"ref\":1}");
    client_send(&reader, "{\"event\":\"snippets\",\"ref\":2}");
    /* The first read had to wait, and somebody else is answered meanwhile. */
    while (host_cold_reads == 0)
        host_pump();
    client_expect_nothing(&writer);
    reader.pump = host_pump_patiently;
    client_expect(&reader, "{\"event\":\"conversation\",*[{\"id\":1,*\"0xxx*,{\"id\":40,*\"39xxx*}]"
                           "},\"ref\":1,*");
    client_expect(&reader, "{\"event\":\"snippets\",*{\"id\":40,*,\"ref\":2,*}");
    client_expect(&reader, "{\"event\":\"end\",*");
    assert_true(host_cold_reads >= 2);
    client_close(&reader);
    client_close(&writer);
}

static void history_that_cannot_be_read_ends_the_connection_and_nothing_spins(void **state)
{
    (void)state;
    struct client reader, writer;
    host_open_as(&writer, "writer");
    client_send(&writer, "{\"event\":\"message\",\"data\":{\"to\":\"reader\",\"content\":\"x\"}}");
    client_expect(&writer, "*success*");
    host_open_as(&reader, "reader");
    host_cold = true;
    host_forget_all();
    __atomic_store_n(&host_unreadable, true, __ATOMIC_RELEASE);
    client_send(&reader, "{\"event\":\"conversation\",\"data\":{\"id\":\"writer\"}}");
    reader.pump = host_pump_patiently;
    client_expect_close(&reader, 1011);
    assert_in_range(host_cold_reads, 1, 3);
    client_expect_nothing(&writer);
    client_close(&reader);
    client_close(&writer);
}

static void who_leaves_while_the_disk_is_read_harms_nobody(void **state)
{
    (void)state;
    struct client reader, writer;
    host_open_as(&writer, "writer");
    for (int i = 0; i < 15; i++) {
        client_send(&writer, "{\"event\":\"message\",\"data\":{\"to\":\"reader\",\"content\":\"x\"}"
                             "}");
        client_expect(&writer, "*success*");
    }
    host_cold = true;
    for (int i = 0; i < 10; i++) {
        host_forget_all();
        host_open_as(&reader, "reader");
        client_send(&reader, "{\"event\":\"conversation\",\"data\":{\"id\":\"writer\"}}");
        for (int turns = 0; turns < i; turns++)
            host_pump();
        client_close(&reader);
        host_pump();
    }
    client_expect_nothing(&writer);
    client_close(&writer);
}

static void ask_for_the_page(struct client *reader, int64_t ttl_ms)
{
    host_open(reader);
    client_upgrade(reader);
    host_register(reader, "reader", ttl_ms);
    client_send(reader, "{\"event\":\"conversation\",\"data\":{\"id\":\"writer\"}}");
    host_advance(100);
    assert_true(waiting("reader") > 0);
}

/* Sixty messages of 15 kB, far more than a socket takes. */
static void write_much_to(const char *user)
{
    struct client writer;
    static char content[15000];
    host_open_as(&writer, "writer");
    memset(content, 'x', sizeof content - 1);
    for (int i = 0; i < 60; i++) {
        client_sendf(&writer, "{\"event\":\"message\",\"data\":{\"to\":\"%s\",\"content\":\"%s\"}}",
                     user, content);
        client_expect(&writer, "*success*");
        host_advance(100);
    }
    client_close(&writer);
    host_pump();
}

static void open_reader_of_a_long_page(struct client *reader, int64_t ttl_ms)
{
    write_much_to("reader");
    ask_for_the_page(reader, ttl_ms);
}

static void leaving_waits_for_the_end_of_an_answer(void **state)
{
    (void)state;
    struct client reader;
    open_reader_of_a_long_page(&reader, 0);
    chat_drain(&host_chat, 0);
    client_expect(&reader, "{\"event\":\"conversation\",*\"more\":false}}");
    client_expect(&reader, "*\"going_away\"*");
    client_expect_close(&reader, 1001);
    client_close(&reader);
}

/* One who resumes, with many messages to be read, and does not read. */
static void open_resuming(struct client *c, const char *user, int64_t ttl_ms)
{
    host_open(c);
    client_upgrade(c);
    host_show_token(c, user, ttl_ms, ",\"since\":0");
    host_advance(100);
    assert_true(waiting(user) > 0);
}

/* Whole messages, but not all of them, and nothing live; then, maybe, that info, and the close. */
static void expect_cut_short(struct client *c, const char *info, int code, const char *reason)
{
    int replayed = 0;
    client_expect(c, "*\"OK\"*");
    while (client_receive(c) && matches("*{\"replay\":true}}", c->text))
        replayed++;
    assert_in_range(replayed, 1, 50);
    if (info) {
        if (!matches(info, c->text))
            fail_msg("instead of %s: %s", info, c->text);
        assert_false(client_receive(c));
    }
    assert_int_equal(c->code, code);
    assert_string_equal(c->reason, reason);
}

static void say_live(struct client *writer, const char *to)
{
    client_sendf(writer, "{\"event\":\"message\",\"data\":{\"to\":\"%s\",\"content\":\"live\"}}",
                 to);
    client_expect(writer, "*success*");
}

static void a_token_that_expires_during_an_answer_ends_the_connection_at_once(void **state)
{
    (void)state;
    struct client reader, writer;
    write_much_to("reader");
    open_resuming(&reader, "reader", 5000);
    host_open_as(&writer, "writer");
    say_live(&writer, "reader"); /* waits behind the answer */
    host_advance(6000);
    assert_null(hub_find(&host_chat.hub, SLICE("reader")));
    say_live(&writer, "reader");
    expect_cut_short(&reader, "*\"token_expired\"*", 4001, "token expired");
    client_close(&reader);
    /* A page is one frame, which nothing can follow before its end. */
    ask_for_the_page(&reader, 5000);
    host_advance(6000);
    assert_null(hub_find(&host_chat.hub, SLICE("reader")));
    client_expect_close(&reader, 1006);
    client_close(&reader);
    client_close(&writer);
}

static struct loop_hook flush;
static struct session *victim;

static void end_the_victim_and_flush(void *ctx)
{
    if (victim) {
        session_close(victim, CLOSE_SERVER_ERROR, "the end of a turn");
        stream_close(&victim->ws.stream);
        victim = NULL;
    }
    flush.run(ctx);
}

/* As where a page cannot be read on: whoever was told to go is let go of before the hub has forgotten him. */
static void who_is_told_to_go_and_closed_at_the_end_of_a_turn_is_forgotten_with_it(void **state)
{
    (void)state;
    struct client c, other;
    host_open_as(&other, "bob");
    host_open_as(&c, "alice");
    struct loop *loop = host_chat.kind.stream.set->loop;
    flush = loop->flush;
    loop->flush.run = end_the_victim_and_flush;
    victim = hub_find(&host_chat.hub, SLICE("alice"))->sessions;
    assert_true(loop_turn(loop, 0) >= 0);
    loop->flush = flush;
    assert_null(host_chat.ended);
    assert_null(hub_find(&host_chat.hub, SLICE("alice")));
    assert_int_equal(host_chat.stats.connections, 1);
    client_expect_close(&c, 1006);
    client_close(&c);
    client_close(&other);
}

static void answered(void *ctx, unsigned status, struct slice json)
{
    assert_int_equal(status, 200);
    snprintf(ctx, 64, "%.*s", (int)json.n, (const char *)json.p);
}

/* Whatever it is that ends it; and each is told his own reason. */
static void who_is_told_to_go_during_an_answer_is_gone_at_once(void **state)
{
    (void)state;
    struct client ann, bob, carl, watcher;
    char answer[64] = "";
    host_chat.options.rate = 0;
    write_much_to("ann");
    write_much_to("bob");
    write_much_to("carl");
    host_open_as(&watcher, "writer");
    client_send(&watcher, "{\"event\":\"presence\",\"data\":{\"ids\":[\"ann\",\"bob\",\"carl\"]}}");
    for (int i = 0; i < 3; i++)
        client_expect(&watcher, "*\"online\":false*");
    open_resuming(&ann, "ann", 0);
    open_resuming(&bob, "bob", 0);
    open_resuming(&carl, "carl", 0);
    for (int i = 0; i < 3; i++)
        client_expect(&watcher, "*\"online\":true*");
    backend_disconnect(backend_call_new(&host_chat, answered, answer), SLICE("ann"),
                       SLICE("of ann's"));
    assert_string_equal(answer, "{\"connections\":1}");
    backend_disconnect(backend_call_new(&host_chat, answered, answer), SLICE("bob"),
                       SLICE("of bob's alone"));
    backend_revoke(backend_call_new(&host_chat, answered, answer), SLICE("carl"), UINT32_MAX);
    client_expect(&watcher, "*{\"id\":\"ann\",\"online\":false}*");
    client_expect(&watcher, "*{\"id\":\"bob\",\"online\":false}*");
    client_expect(&watcher, "*{\"id\":\"carl\",\"online\":false}*");
    assert_int_equal(host_chat.hub.online, 1);
    say_live(&watcher, "ann");
    say_live(&watcher, "bob");
    say_live(&watcher, "carl");
    expect_cut_short(&ann, NULL, 4004, "of ann's");
    expect_cut_short(&bob, NULL, 4004, "of bob's alone");
    expect_cut_short(&carl, NULL, 4004, "the token was revoked");
    client_close(&ann);
    client_close(&bob);
    client_close(&carl);
    client_close(&watcher);
}

/* Nor does it help to read a little now and then. */
static void connections_that_take_long_answers_count_against_the_limit(void **state)
{
    (void)state;
    struct client c[8];
    host_chat.options.rate = 0;
    host_chat.options.max_user_connections = 3;
    write_much_to("ann");
    for (int i = 0; i < 8; i++) {
        open_resuming(&c[i], "ann", 0);
        assert_true(hub_find(&host_chat.hub, SLICE("ann"))->count <= 3);
    }
    for (int i = 0; i < 5; i++) {
        expect_cut_short(&c[i], NULL, 4003, "too many connections of this user");
        client_close(&c[i]);
    }
    for (int i = 5; i < 8; i++) {
        client_expect(&c[i], "*\"OK\"*");
        for (int m = 0; m < 60; m++)
            client_expect(&c[i], "*{\"replay\":true}}");
        client_expect_nothing(&c[i]);
        client_close(&c[i]);
    }
}

static void what_was_sent_is_answered_before_leaving(void **state)
{
    (void)state;
    struct client c;
    host_open_as(&c, "alice");
    client_send(&c, "{\"event\":\"message\",\"data\":{\"to\":\"bob\",\"content\":\"last\"}}");
    while (host_chat.pending.n == host_chat.pending_at)
        host_pump();
    chat_drain(&host_chat, 0);
    client_send(&c, "{\"event\":\"message\",\"data\":{\"to\":\"bob\",\"content\":\"too late\"}}");
    int answered = 0, refused = 0;
    while (client_receive(&c)) {
        answered += strstr(c.text, "\"success\":true") != NULL;
        refused += matches("*\"going_away\",\"event\":\"message\"*", c.text);
    }
    assert_int_equal(c.code, 1001);
    assert_int_equal(answered, 1);
    assert_int_equal(refused, 1);
    client_close(&c);
}

#define MANY 200

/* Of so many the first 32 hear it at once, and the others evenly in the time that is given. Who has not
   heard it is served. */
static void leaving_is_spread(void **state)
{
    (void)state;
    static struct client c[MANY];
    host_chat.options.rate = 0;
    for (int i = 0; i < MANY; i++) {
        char user[16];
        snprintf(user, sizeof user, "u%d", i);
        host_open_as(&c[i], user);
    }
    chat_drain(&host_chat, 3000);
    for (int ms = 0; ms <= 3300; ms += 300) {
        int told = 0;
        for (int i = 0; i < MANY; i++)
            told += peek(&c[i]) != -1;
        int least = MANY * (ms - LOOP_SLOT_MS * 2) / 3000;
        assert_true(told >= (least < MANY ? least : MANY));
        assert_true(told <= 32 + MANY * ms / 3000);
        if (told < MANY)
            client_expect_nothing(&c[MANY - 1]);
        else
            assert_true(ms > 2000);
        host_advance(300);
    }
    for (int i = 0; i < MANY; i++) {
        client_expect(&c[i], "*\"going_away\"*");
        client_expect_close(&c[i], 1001);
        client_close(&c[i]);
    }
}

/* Takes what has come, at most a part of the page, without waiting. */
static void take_some(struct client *c)
{
    if (c->in_cap - c->in_n < 131072) {
        c->in_cap += 131072;
        c->in = realloc(c->in, c->in_cap);
        assert_non_null(c->in);
    }
    ssize_t n = recv(c->fd, c->in + c->in_n, 65536, MSG_DONTWAIT);
    if (n > 0)
        c->in_n += (size_t)n;
}

static void who_reads_a_long_answer_slowly_is_not_taken_for_dead(void **state)
{
    (void)state;
    struct client reader;
    open_reader_of_a_long_page(&reader, 0);
    for (int i = 0; i < 12; i++) {
        take_some(&reader);
        host_advance(5000);
    }
    client_expect(&reader, "{\"event\":\"conversation\",*\"more\":false}}");
    host_advance(20000);
    client_expect_nothing(&reader);
    client_close(&reader);
}

static void who_leaves_during_a_send_harms_nobody(void **state)
{
    (void)state;
    struct client reader, other;
    open_reader_of_a_long_page(&reader, 0);
    host_open(&other);
    client_upgrade(&other);
    for (int i = 0; i < 16; i++) {
        for (int taken = 0; taken < i / 2; taken++) {
            take_some(&reader);
            host_pump();
        }
        if (i % 2) { /* what is sent next meets nobody, which only its error tells */
            shutdown(reader.fd, SHUT_RD);
            host_pump();
            host_pump();
        }
        client_close(&reader);
        host_pump();
        host_pump();
        assert_int_equal(host_chat.stats.connections, 1);
        ask_for_the_page(&reader, 0);
    }
    client_close(&reader);
    host_register(&other, "other", 0);
    client_close(&other);
}

#define DEVICES 6

/* Of six devices two have gone, and nobody has noticed when the next message goes out; another one
   takes nothing, and is cut off in the middle of a message's way to all. */
static void who_leaves_during_a_fan_out_harms_nobody(void **state)
{
    (void)state;
    struct client writer, devices[DEVICES];
    static char content[15000];
    memset(content, 'x', sizeof content - 1);
    host_open_as(&writer, "writer");
    for (int d = 0; d < DEVICES; d++) {
        host_open_as(&devices[d], "reader");
    }
    for (int i = 0; i < 60; i++) {
        client_sendf(&writer,
                     "{\"event\":\"message\",\"data\":{\"to\":\"reader\",\"content\":\"%s\"}}",
                     content);
        if (i == 30) {
            client_close(&devices[0]);
            client_close(&devices[3]);
        }
        client_expect(&writer, "*success*");
        for (int d = 0; d < DEVICES; d++)
            if (d != 2 && (i < 30 || d % 3))
                client_expect(&devices[d], "*\"content\":\"xxx*");
        host_advance(100);
    }
    assert_int_equal(host_chat.stats.too_slow, 1);
    for (int d = 0; d < DEVICES; d++)
        if (d % 3)
            client_close(&devices[d]);
    client_expect_nothing(&writer);
    assert_int_equal(host_chat.stats.connections, 1);
    client_close(&writer);
}

/* What was taken is stored and delivered all the same. */
static void who_leaves_before_the_commit_harms_nobody(void **state)
{
    (void)state;
    struct client sender, reader;
    host_open_as(&reader, "reader");
    for (int i = 0; i < 10; i++) {
        char pattern[64];
        host_open_as(&sender, "sender");
        pthread_mutex_lock(&host_gate);
        for (int k = 0; k < 2; k++) /* the second gathers while the first is written */
            client_sendf(&sender,
                         "{\"event\":\"message\",\"data\":{\"to\":\"reader\",\"content\":"
                         "\"%d of %d\"}}",
                         k, i);
        for (int turns = 0; turns < i; turns++)
            host_pump();
        client_close(&sender);
        for (int turns = 0; turns < 4; turns++)
            host_pump();
        assert_int_equal(host_chat.stats.connections, 1);
        pthread_mutex_unlock(&host_gate);
        reader.pump = host_pump_patiently;
        for (int k = 0; k < 2; k++) {
            snprintf(pattern, sizeof pattern, "*\"content\":\"%d of %d\"*", k, i);
            client_expect(&reader, pattern);
        }
        host_advance(1000);
    }
    client_close(&reader);
}

static void while_much_waits_for_the_disk_a_sender_is_held_up_and_not_refused(void **state)
{
    (void)state;
    enum { SENDS = 18, SIZE = 16000 };
    static char content[SIZE + 1];
    struct client sender, other;
    memset(content, 'x', SIZE);
    host_open(&sender);
    client_upgrade(&sender);
    host_register(&sender, "sender", 0);
    host_open(&other);
    client_upgrade(&other);
    host_register(&other, "other", 0);
    host_advance(2000);
    pthread_mutex_lock(&host_gate);
    for (int i = 0; i < SENDS + 2; i++) {
        struct client *c = i < SENDS ? &sender : &other;
        client_sendf(c, "{\"event\":\"message\",\"data\":{\"to\":\"nobody\",\"content\":\"%s\"}}",
                     content);
        for (int turns = 0; turns < 4; turns++)
            host_pump();
    }
    /* One is being written, 256 KiB gather: 17; the other one has one under way. */
    uint64_t requests = host_chat.stats.requests;
    pthread_mutex_unlock(&host_gate);
    assert_int_equal(requests, 2 + 18 + 1);
    sender.pump = other.pump = host_pump_patiently;
    for (int i = 0; i < SENDS + 2; i++)
        client_expect(i < SENDS ? &sender : &other, "*\"success\":true*");
    client_close(&sender);
    client_close(&other);
}

static void send_with_key(struct client *c, const char *content, int ref)
{
    client_sendf(c,
                 "{\"event\":\"message\",\"data\":{\"to\":\"reader\",\"content\":\"%s\",\"key\":"
                 "\"once\"},\"ref\":%d}",
                 content, ref);
}

/* While the first waits for the disk, it is sent again, and so is something else behind it. */
static void one_key_sent_twice_at_a_time_is_one_message(void **state)
{
    (void)state;
    struct client phone, desk, reader;
    struct client *const all[] = {&phone, &desk, &reader};
    const char *const users[] = {"sender", "sender", "reader"};
    for (int i = 0; i < 3; i++) {
        host_open(all[i]);
        client_upgrade(all[i]);
        host_register(all[i], users[i], 0);
    }
    pthread_mutex_lock(&host_gate);
    send_with_key(&phone, "hi", 1);
    for (int turns = 0; turns < 4; turns++)
        host_pump();
    client_send(&desk, "{\"event\":\"message\",\"data\":{\"to\":\"reader\",\"content\":\"next\"}}");
    send_with_key(&desk, "hi", 2);
    send_with_key(&desk, "other", 3);
    client_expect(&desk, "*\"ref\":3,\"meta\":{\"code\":\"bad_request\"*");
    pthread_mutex_unlock(&host_gate);
    for (int i = 0; i < 3; i++)
        all[i]->pump = host_pump_patiently;
    client_expect(&phone, "*{\"success\":true},\"ref\":1,\"meta\":{\"id\":1,*");
    client_expect(&phone, "*\"content\":\"next\"*");
    client_expect(&desk, "*\"content\":\"hi\"*");
    client_expect(&desk, "*{\"success\":true},\"meta\":{\"id\":2,*");
    client_expect(&desk, "*{\"success\":true},\"ref\":2,\"meta\":{\"id\":1,*");
    client_expect(&reader, "*\"content\":\"hi\"*");
    client_expect(&reader, "*\"content\":\"next\"*");
    send_with_key(&phone, "hi", 4);
    client_expect(&phone, "*{\"success\":true},\"ref\":4,\"meta\":{\"id\":1,*");
    client_expect_nothing(&reader);
    assert_int_equal(host_chat.stats.stored, 2);
    for (int i = 0; i < 3; i++)
        client_close(all[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_key_sent_twice_at_a_time_is_one_message,
                                        host_start_threaded, host_stop),
        cmocka_unit_test_setup_teardown(a_request_head_has_10_s, host_start, host_stop),
        cmocka_unit_test_setup_teardown(a_request_head_that_drips_has_no_more, host_start,
                                        host_stop),
        cmocka_unit_test_setup_teardown(a_proxy_header_that_drips_has_no_more_either, host_start,
                                        host_stop),
        cmocka_unit_test_setup_teardown(the_registration_has_30_s, host_start, host_stop),
        cmocka_unit_test_setup_teardown(a_frame_that_drips_does_not_put_off_the_registration,
                                        host_start, host_stop),
        cmocka_unit_test_setup_teardown(a_frame_that_drips_holds_nobody_up, host_start, host_stop),
        cmocka_unit_test_setup_teardown(a_message_that_never_ends_keeps_what_has_come_and_no_more,
                                        host_start, host_stop),
        cmocka_unit_test_setup_teardown(who_leaves_during_the_handshake_harms_nobody, host_start,
                                        host_stop),
        cmocka_unit_test_setup_teardown(who_leaves_during_a_send_harms_nobody, host_start,
                                        host_stop),
        cmocka_unit_test_setup_teardown(who_leaves_during_a_fan_out_harms_nobody, host_start,
                                        host_stop),
        cmocka_unit_test_setup_teardown(who_leaves_before_the_commit_harms_nobody,
                                        host_start_threaded, host_stop),
        cmocka_unit_test_setup_teardown(silence_is_asked_after_25_s_and_ended_after_45, host_start,
                                        host_stop),
        cmocka_unit_test_setup_teardown(an_expired_token_ends_the_connection_unless_renewed,
                                        host_start, host_stop),
        cmocka_unit_test_setup_teardown(a_reader_that_takes_nothing_for_20_s_is_cut_off, host_start,
                                        host_stop),
        cmocka_unit_test_setup_teardown(the_rate_refills_with_time, host_start, host_stop),
        cmocka_unit_test_setup_teardown(
            while_much_waits_for_the_disk_a_sender_is_held_up_and_not_refused, host_start_threaded,
            host_stop),
        cmocka_unit_test_setup_teardown(
            who_floods_is_not_listened_to_for_a_moment_and_closed_in_the_end, host_start,
            host_stop),
        cmocka_unit_test_setup_teardown(who_keeps_below_the_rate_again_is_no_flood, host_start,
                                        host_stop),
        cmocka_unit_test_setup_teardown(
            a_user_has_four_times_the_rate_of_a_connection_however_many_he_has, host_start,
            host_stop),
        cmocka_unit_test_setup_teardown(
            an_address_that_shows_many_bad_tokens_has_to_wait_longer_and_longer, host_start,
            host_stop),
        cmocka_unit_test_setup_teardown(
            a_proxy_that_does_not_say_for_whom_it_speaks_never_has_to_wait, host_start, host_stop),
        cmocka_unit_test(bad_tokens_of_any_number_of_addresses_take_a_bounded_table),
        cmocka_unit_test_setup_teardown(a_client_that_floods_does_not_hold_up_a_quiet_one,
                                        host_start, host_stop),
        cmocka_unit_test_setup_teardown(history_on_a_cold_disk_comes_whole_and_others_do_not_wait,
                                        host_start, host_stop),
        cmocka_unit_test_setup_teardown(
            history_that_cannot_be_read_ends_the_connection_and_nothing_spins, host_start,
            host_stop),
        cmocka_unit_test_setup_teardown(who_leaves_while_the_disk_is_read_harms_nobody, host_start,
                                        host_stop),
        cmocka_unit_test_setup_teardown(leaving_waits_for_the_end_of_an_answer, host_start,
                                        host_stop),
        cmocka_unit_test_setup_teardown(
            who_is_told_to_go_and_closed_at_the_end_of_a_turn_is_forgotten_with_it, host_start,
            host_stop),
        cmocka_unit_test_setup_teardown(
            a_token_that_expires_during_an_answer_ends_the_connection_at_once, host_start,
            host_stop),
        cmocka_unit_test_setup_teardown(who_is_told_to_go_during_an_answer_is_gone_at_once,
                                        host_start, host_stop),
        cmocka_unit_test_setup_teardown(connections_that_take_long_answers_count_against_the_limit,
                                        host_start, host_stop),
        cmocka_unit_test_setup_teardown(what_was_sent_is_answered_before_leaving, host_start,
                                        host_stop),
        cmocka_unit_test_setup_teardown(leaving_is_spread, host_start, host_stop),
        cmocka_unit_test_setup_teardown(who_reads_a_long_answer_slowly_is_not_taken_for_dead,
                                        host_start, host_stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
