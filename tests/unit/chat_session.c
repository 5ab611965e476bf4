/* What time and a slow disk do to a connection, on a clock that the test moves. */
#include "../support/client.h"
#include "../support/test.h"
#include "chat/session.h"
#include "codec/jwt.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int64_t moved_ms;
#define WALL_START INT64_C(1790000000000)

static int64_t wall(void *ctx)
{
    (void)ctx;
    return WALL_START + moved_ms;
}

static int64_t mono(void *ctx)
{
    (void)ctx;
    return 1000000 + moved_ms;
}

static const struct clock moved_clock = {wall, mono, NULL};
static struct loop loop;
static struct stream_set streams;
static struct disk disk;
static struct chat chat;
static char dir[64];
static const char secret[] = "a secret of at least thirty-two bytes";

static void pump(void)
{
    assert_true(loop_turn(&loop, 0) >= 0);
}

/* Time passes in steps of a tenth of a second, so that everything happens in its order. */
static void advance(int64_t ms)
{
    for (int64_t end = moved_ms + ms; moved_ms < end;) {
        moved_ms += 100;
        pump();
        pump();
    }
}

/* A disk on which nothing is in memory before it was read once; blocks of 512 bytes. */
static struct disk real;
static uint8_t warm[1 << 16];
static unsigned cold_reads; /* that were told to wait */
static bool cold;
static bool unreadable; /* what is not in memory cannot be read at all */

static int64_t cold_pread(void *ctx, int file, void *p, size_t n, uint64_t at)
{
    if (__atomic_load_n(&unreadable, __ATOMIC_ACQUIRE))
        return -EIO;
    for (uint64_t block = at / 512; block <= (at + n) / 512; block++)
        __atomic_store_n(&warm[block], 1, __ATOMIC_RELEASE);
    return real.pread(ctx, file, p, n, at);
}

static void forget_all(void)
{
    for (size_t i = 0; i < sizeof warm; i++)
        __atomic_store_n(&warm[i], 0, __ATOMIC_RELEASE);
}

/* As far as the blocks from the first on are in memory. */
static int64_t cold_pread_now(void *ctx, int file, void *p, size_t n, uint64_t at)
{
    size_t have = 0;
    while (have < n && (!cold || __atomic_load_n(&warm[(at + have) / 512], __ATOMIC_ACQUIRE)))
        have += 512 - (at + have) % 512;
    if (have == 0) {
        cold_reads++;
        return -EAGAIN;
    }
    return real.pread(ctx, file, p, have < n ? have : n, at);
}

/* While the gate is locked no sync ends, and what is written is not committed. */
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static bool threaded; /* with a commit thread */

static int gated_sync(void *ctx, int file)
{
    pthread_mutex_lock(&gate);
    pthread_mutex_unlock(&gate);
    return real.sync(ctx, file);
}

static void no_route(void *ctx, struct websocket *ws, const struct http_head *request)
{
    (void)ctx;
    (void)request;
    websocket_respond(ws, 404, "text/plain", "", SLICE(""), false);
}

static int start(void **state)
{
    (void)state;
    static const struct log log = {.level = LOG_ERROR, .program = "test"};
    const struct chat_options options = {.max_user_connections = 32,
                                         .max_frame = 65536,
                                         .max_content = 16384,
                                         .max_queue = 65536,
                                         .rate = 10,
                                         .idle_ms = 45000,
                                         .log = &log,
                                         .clock = &moved_clock,
                                         .on_request = no_route};
    const struct store_options store = {.disk = &disk, .log = &log, .inline_commit = !threaded};
    struct store_error error;
    moved_ms = 0;
    strcpy(dir, "/tmp/parley-test-XXXXXX");
    assert_non_null(mkdtemp(dir));
    assert_int_equal(disk_open_dir(&disk, dir), 0);
    real = disk;
    disk.pread = cold_pread;
    disk.pread_now = cold_pread_now;
    disk.sync = gated_sync;
    cold_reads = 0;
    cold = false;
    __atomic_store_n(&unreadable, false, __ATOMIC_RELEASE);
    assert_int_equal(loop_init(&loop, &moved_clock), 0);
    assert_int_equal(stream_set_init(&streams, &loop), 0);
    assert_int_equal(chat_open(&chat, &streams, &options, &store, &error), STORE_OK);
    chat_set_secret(&chat, slice_str(secret));
    return 0;
}

static int start_threaded(void **state)
{
    threaded = true;
    int result = start(state);
    threaded = false;
    return result;
}

static int stop(void **state)
{
    char command[128];
    (void)state;
    chat_close(&chat);
    assert_int_equal(streams.memory, streams.spare_n * 4096); /* all is accounted for */
    stream_set_fini(&streams);
    loop_fini(&loop);
    disk_close_dir(&disk);
    snprintf(command, sizeof command, "rm -rf %s", dir);
    return system(command);
}

/* A client who connects from there. */
static void open_client_from(struct client *c, const struct address *peer)
{
    int pair[2];
    memset(c, 0, sizeof *c);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
    chat_accept(&chat, pair[0], peer);
    c->fd = pair[1];
    c->pump = pump;
}

static void open_client(struct client *c)
{
    open_client_from(c, &(struct address){0});
}

/* ttl_ms 0: the token never expires. */
static void register_client(struct client *c, const char *user, int64_t ttl_ms)
{
    char token[1024];
    struct hmac_key key;
    hmac_key_init(&key, slice_str(secret));
    int64_t now = wall(NULL);
    size_t n = jwt_sign(token, sizeof token, &key, slice_str(user), now,
                        ttl_ms ? now + ttl_ms : INT64_MAX);
    assert_true(n > 0);
    client_sendf(c, "{\"event\":\"registerMessages\",\"data\":{\"token\":\"%.*s\"}}", (int)n,
                 token);
    client_expect(c, "*\"OK\"*");
}

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
    open_client(&c);
    client_send_raw(&c, "GET / HTTP/1.1\r\n", 16);
    advance(9900);
    assert_int_equal(chat.stats.connections, 1);
    advance(400);
    client_read_all(&c);
    assert_true(matches("HTTP/1.1 408 *", c.text));
    client_close(&c);
}

static void a_request_head_that_drips_has_no_more(void **state)
{
    (void)state;
    struct client c;
    open_client(&c);
    client_send_raw(&c, "GET / HTTP/1.1\r\nA: ", 19);
    for (int i = 0; i < 99; i++) {
        client_send_raw(&c, "b", 1);
        advance(100);
    }
    assert_int_equal(chat.stats.connections, 1);
    advance(400);
    client_read_all(&c);
    assert_true(matches("HTTP/1.1 408 *", c.text));
    client_close(&c);
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
    open_client(&c);
    client_upgrade(&c);
    begin_text(&c);
    for (int i = 0; i < 298; i++) {
        client_send_raw(&c, " ", 1);
        advance(100);
    }
    assert_int_equal(peek(&c), -1);
    advance(600);
    client_expect_close(&c, 4002);
    client_close(&c);
}

static void a_frame_that_drips_holds_nobody_up(void **state)
{
    (void)state;
    struct client slow, other;
    open_client(&slow);
    client_upgrade(&slow);
    register_client(&slow, "slow", 0);
    open_client(&other);
    client_upgrade(&other);
    register_client(&other, "other", 0);
    begin_text(&slow);
    for (int i = 0; i < 998; i++) {
        client_send_raw(&slow, " ", 1);
        advance(1000);
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
    open_client(&c);
    client_upgrade(&c);
    register_client(&c, "alice", 0);
    struct session *s =
        container_of(hub_find(&chat.hub, SLICE("alice"))->sessions.next, struct session, link);
    client_send_raw(&c, "\x01\xff\0\0\0\0\0\0\xff\xff\0\0\0\0{", 15);
    pump();
    assert_null(s->ws.message); /* the length is not in its shortest form */
    client_expect_close(&c, 1002);
    client_close(&c);

    open_client(&c);
    client_upgrade(&c);
    register_client(&c, "bob", 0);
    s = container_of(hub_find(&chat.hub, SLICE("bob"))->sessions.next, struct session, link);
    client_send_raw(&c, "\x01\xfe\xff\xff\0\0\0\0{", 9);
    pump();
    assert_int_equal(s->ws.message->n, 1);
    assert_in_range(s->ws.message->cap, 1, 1024);
    for (int i = 0; i < 65534; i += 1057) {
        uint8_t part[1057] = {0};
        client_send_raw(&c, part, sizeof part);
        pump();
    }
    for (int i = 0; i < 10000; i++) { /* empty fragments cost nothing that stays */
        client_send_frame(&c, 0x00, "", 0);
        pump();
    }
    assert_int_equal(s->ws.message->n, 65535);
    assert_in_range(s->ws.message->cap, 65535, 131072);
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
            open_client(&c);
            client_send_raw(&c, client_request, cut);
            for (int i = 0; i < turns; i++)
                pump();
            client_close(&c);
            pump();
            pump();
            assert_int_equal(chat.stats.connections, 0);
        }
    open_client(&c);
    client_upgrade(&c);
    register_client(&c, "alice", 0);
    client_close(&c);
}

static void the_registration_has_30_s(void **state)
{
    (void)state;
    struct client c, registered;
    open_client(&c);
    client_upgrade(&c);
    open_client(&registered);
    client_upgrade(&registered);
    register_client(&registered, "alice", 0);
    advance(29800);
    client_send(&c, "{\"event\":\"x\"}");
    client_expect(&c, "*unknown_event*");
    advance(600);
    client_expect_close(&c, 4002);
    client_expect_nothing(&registered);
    client_close(&c);
    client_close(&registered);
}

static void silence_is_asked_after_25_s_and_ended_after_45(void **state)
{
    (void)state;
    struct client c;
    open_client(&c);
    client_upgrade(&c);
    register_client(&c, "alice", 0);
    for (int i = 0; i < 3; i++) { /* who answers the pings stays */
        advance(24800);
        assert_int_equal(peek(&c), -1);
        advance(600);
        assert_int_equal(peek(&c), 0x89);
        client_expect_nothing(&c); /* its receiving answers the ping */
    }
    advance(24800 + 600);
    assert_int_equal(peek(&c), 0x89);
    advance(19000);
    assert_int_equal(chat.stats.connections, 1);
    advance(1000);
    assert_int_equal(chat.stats.connections, 0);
    client_close(&c);
}

static void an_expired_token_ends_the_connection_unless_renewed(void **state)
{
    (void)state;
    struct client c, renewed;
    open_client(&c);
    client_upgrade(&c);
    register_client(&c, "alice", 7000);
    open_client(&renewed);
    client_upgrade(&renewed);
    register_client(&renewed, "alice", 7000);
    advance(5000);
    register_client(&renewed, "alice", 12000);
    client_expect_nothing(&c);
    advance(2300);
    client_expect(&c, "{\"event\":\"info\",\"data\":\"*\",\"meta\":{\"code\":\"token_expired\","
                      "\"event\":null}}");
    client_expect_close(&c, 4001);
    client_expect_nothing(&renewed);
    advance(10000);
    client_expect(&renewed, "*token_expired*");
    client_expect_close(&renewed, 4001);
    client_close(&c);
    client_close(&renewed);
}

/* Bytes queued for a user. */
static uint64_t waiting(const char *user)
{
    uint64_t queued = 0;
    LIST_EACH(link, &hub_find(&chat.hub, slice_str(user))->sessions)
    {
        queued += container_of(link, struct session, link)->ws.stream.queued;
    }
    return queued;
}

static void a_reader_that_takes_nothing_for_20_s_is_cut_off(void **state)
{
    (void)state;
    struct client reader, writer;
    char content[8000];
    open_client(&reader);
    client_upgrade(&reader);
    register_client(&reader, "reader", 0);
    open_client(&writer);
    client_upgrade(&writer);
    register_client(&writer, "writer", 0);
    memset(content, 'x', sizeof content - 1);
    content[sizeof content - 1] = 0;
    /* Until something waits for the reader, above what its socket takes. */
    while (waiting("reader") == 0) {
        client_sendf(&writer,
                     "{\"event\":\"message\",\"data\":{\"to\":\"reader\",\"content\":\"%s\"}}",
                     content);
        client_expect(&writer, "*success*");
        advance(100);
    }
    advance(19500);
    assert_int_equal(chat.stats.too_slow, 0);
    advance(1000);
    assert_int_equal(chat.stats.too_slow, 1);
    client_expect_nothing(&writer);
    client_close(&reader);
    client_close(&writer);
}

static void the_rate_refills_with_time(void **state)
{
    (void)state;
    struct client c;
    open_client(&c);
    client_upgrade(&c);
    for (int seconds = 0; seconds < 3; seconds++) {
        for (int i = 0; i < (seconds ? 10 : 20); i++) {
            client_send(&c, "{\"event\":\"snippets\"}");
            client_expect(&c, "*\"unregistered\"*");
        }
        client_send(&c, "{\"event\":\"snippets\"}");
        client_expect(&c, "*more than 10 events a second*\"rate_limited\"*");
        advance(1000);
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

static void a_user_has_four_times_the_rate_of_a_connection_however_many_he_has(void **state)
{
    (void)state;
    struct client c[8], other;
    for (int i = 0; i < 8; i++) {
        open_client(&c[i]);
        client_upgrade(&c[i]);
        register_client(&c[i], "many", 0);
    }
    open_client(&other);
    client_upgrade(&other);
    register_client(&other, "other", 0);
    advance(20000); /* every bucket is full */
    int done = 0;
    for (int i = 0; i < 8; i++)
        done += carried_out(&c[i], 25);
    assert_int_equal(done, 4 * 20); /* two seconds' worth */
    assert_int_equal(carried_out(&other, 25), 20);
    advance(1000);
    done = 0;
    for (int i = 0; i < 8; i++)
        done += carried_out(&c[i], 25);
    assert_int_equal(done, 4 * 10);
    for (int i = 0; i < 8; i++)
        client_close(&c[i]);
    client_close(&other);
}

static void show_token(struct client *c, const struct address *peer, const char *token,
                       const char *answer)
{
    open_client_from(c, peer);
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
    int64_t now = wall(NULL);
    struct hmac_key key;
    hmac_key_init(&key, slice_str(secret));
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
        advance(wait * 1000 - 100);
        show_token(&c, &bad, token, "*try again in 1 s*");
        advance(100);
        show_token(&c, &bad, token, "*\"OK\"*");
    }
    show_token(&c, &bad, "x.y.z", "*\"bad_token\"*");
    show_token(&c, &bad, token, "*try again in 64 s*"); /* no longer than that */
    /* After a minute without any, all is forgotten. */
    advance(64000 + 61000);
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
    chat.options.trusted = (struct ip_ranges){&range, 1};
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
    chat.options.rate = 0;
    open_client(&flood);
    client_upgrade(&flood);
    open_client(&quiet);
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
    uint64_t before = chat.stats.requests;
    pump();
    uint8_t answer[64];
    assert_true(recv(quiet.fd, answer, sizeof answer, MSG_DONTWAIT) > 0);
    /* And the flood had its turn, of one read, but not more. */
    uint64_t carried = chat.stats.requests - before;
    assert_in_range(carried, 2, STREAM_READ / sizeof frame + 1);
    assert_true(sent > 2 * STREAM_READ / (int)sizeof frame);
    client_close(&flood);
    client_close(&quiet);
}

/* Waits for the reading thread, too. */
static void pump_patiently(void)
{
    assert_true(loop_turn(&loop, 1000) >= 0);
}

static void history_on_a_cold_disk_comes_whole_and_others_do_not_wait(void **state)
{
    (void)state;
    struct client reader, writer;
    char content[700];
    open_client(&reader);
    client_upgrade(&reader);
    register_client(&reader, "reader", 0);
    open_client(&writer);
    client_upgrade(&writer);
    register_client(&writer, "writer", 0);
    memset(content, 'x', sizeof content - 1);
    content[sizeof content - 1] = 0;
    for (int i = 0; i < 40; i++) {
        client_sendf(&writer,
                     "{\"event\":\"message\",\"data\":{\"to\":\"reader\",\"content\":\"%d%s\"}}", i,
                     content);
        client_expect(&writer, "*success*");
        client_expect(&reader, "*content*");
        advance(200);
    }
    cold = true;
    forget_all();
    client_send(&reader, "{\"event\":\"conversation\",\"data\":{\"id\":\"writer\"},\"ref\":1}");
    client_send(&reader, "{\"event\":\"snippets\",\"ref\":2}");
    /* The first read had to wait, and somebody else is answered meanwhile. */
    while (cold_reads == 0)
        pump();
    client_expect_nothing(&writer);
    reader.pump = pump_patiently;
    client_expect(&reader, "{\"event\":\"conversation\",*[{\"id\":1,*\"0xxx*,{\"id\":40,*\"39xxx*}]"
                           "},\"ref\":1,*");
    client_expect(&reader, "{\"event\":\"snippets\",*{\"id\":40,*,\"ref\":2,*}");
    client_expect(&reader, "{\"event\":\"end\",*");
    assert_true(cold_reads >= 2);
    client_close(&reader);
    client_close(&writer);
}

static void history_that_cannot_be_read_ends_the_connection_and_nothing_spins(void **state)
{
    (void)state;
    struct client reader, writer;
    open_client(&writer);
    client_upgrade(&writer);
    register_client(&writer, "writer", 0);
    client_send(&writer, "{\"event\":\"message\",\"data\":{\"to\":\"reader\",\"content\":\"x\"}}");
    client_expect(&writer, "*success*");
    open_client(&reader);
    client_upgrade(&reader);
    register_client(&reader, "reader", 0);
    cold = true;
    forget_all();
    __atomic_store_n(&unreadable, true, __ATOMIC_RELEASE);
    client_send(&reader, "{\"event\":\"conversation\",\"data\":{\"id\":\"writer\"}}");
    reader.pump = pump_patiently;
    client_expect_close(&reader, 1011);
    assert_in_range(cold_reads, 1, 3);
    client_expect_nothing(&writer);
    client_close(&reader);
    client_close(&writer);
}

static void who_leaves_while_the_disk_is_read_harms_nobody(void **state)
{
    (void)state;
    struct client reader, writer;
    open_client(&writer);
    client_upgrade(&writer);
    register_client(&writer, "writer", 0);
    for (int i = 0; i < 15; i++) {
        client_send(&writer, "{\"event\":\"message\",\"data\":{\"to\":\"reader\",\"content\":\"x\"}"
                             "}");
        client_expect(&writer, "*success*");
    }
    cold = true;
    for (int i = 0; i < 10; i++) {
        forget_all();
        open_client(&reader);
        client_upgrade(&reader);
        register_client(&reader, "reader", 0);
        client_send(&reader, "{\"event\":\"conversation\",\"data\":{\"id\":\"writer\"}}");
        for (int turns = 0; turns < i; turns++)
            pump();
        client_close(&reader);
        pump();
    }
    client_expect_nothing(&writer);
    client_close(&writer);
}

static void ask_for_the_page(struct client *reader, int64_t ttl_ms)
{
    open_client(reader);
    client_upgrade(reader);
    register_client(reader, "reader", ttl_ms);
    client_send(reader, "{\"event\":\"conversation\",\"data\":{\"id\":\"writer\"}}");
    advance(100);
    assert_true(waiting("reader") > 0);
}

/* A reader and what was written to it: sixty messages of 15 kB, far more than a socket takes. */
static void open_reader_of_a_long_page(struct client *reader, int64_t ttl_ms)
{
    struct client writer;
    static char content[15000];
    open_client(&writer);
    client_upgrade(&writer);
    register_client(&writer, "writer", 0);
    memset(content, 'x', sizeof content - 1);
    for (int i = 0; i < 60; i++) {
        client_sendf(&writer,
                     "{\"event\":\"message\",\"data\":{\"to\":\"reader\",\"content\":\"%s\"}}",
                     content);
        client_expect(&writer, "*success*");
        advance(100);
    }
    client_close(&writer);
    pump();
    ask_for_the_page(reader, ttl_ms);
}

static void leaving_waits_for_the_end_of_an_answer(void **state)
{
    (void)state;
    struct client reader;
    open_reader_of_a_long_page(&reader, 0);
    chat_drain(&chat);
    client_expect(&reader, "{\"event\":\"conversation\",*\"more\":false}}");
    client_expect(&reader, "*\"going_away\"*");
    client_expect_close(&reader, 1001);
    client_close(&reader);
}

static void a_token_that_expires_during_an_answer_ends_the_connection_behind_it(void **state)
{
    (void)state;
    struct client reader;
    open_reader_of_a_long_page(&reader, 5000);
    advance(16000);
    client_expect(&reader, "{\"event\":\"conversation\",*\"more\":false}}");
    client_expect(&reader, "*\"token_expired\"*");
    client_expect_close(&reader, 4001);
    client_close(&reader);
}

static void what_was_sent_is_answered_before_leaving(void **state)
{
    (void)state;
    struct client c;
    open_client(&c);
    client_upgrade(&c);
    register_client(&c, "alice", 0);
    client_send(&c, "{\"event\":\"message\",\"data\":{\"to\":\"bob\",\"content\":\"last\"}}");
    while (chat.pending.n == chat.pending_at)
        pump();
    chat_drain(&chat);
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
        advance(5000);
    }
    client_expect(&reader, "{\"event\":\"conversation\",*\"more\":false}}");
    advance(20000);
    client_expect_nothing(&reader);
    client_close(&reader);
}

static void who_leaves_during_a_send_harms_nobody(void **state)
{
    (void)state;
    struct client reader, other;
    open_reader_of_a_long_page(&reader, 0);
    open_client(&other);
    client_upgrade(&other);
    for (int i = 0; i < 16; i++) {
        for (int taken = 0; taken < i / 2; taken++) {
            take_some(&reader);
            pump();
        }
        if (i % 2) { /* what is sent next meets nobody, which only its error tells */
            shutdown(reader.fd, SHUT_RD);
            pump();
            pump();
        }
        client_close(&reader);
        pump();
        pump();
        assert_int_equal(chat.stats.connections, 1);
        ask_for_the_page(&reader, 0);
    }
    client_close(&reader);
    register_client(&other, "other", 0);
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
    open_client(&writer);
    client_upgrade(&writer);
    register_client(&writer, "writer", 0);
    for (int d = 0; d < DEVICES; d++) {
        open_client(&devices[d]);
        client_upgrade(&devices[d]);
        register_client(&devices[d], "reader", 0);
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
        advance(100);
    }
    assert_int_equal(chat.stats.too_slow, 1);
    for (int d = 0; d < DEVICES; d++)
        if (d % 3)
            client_close(&devices[d]);
    client_expect_nothing(&writer);
    assert_int_equal(chat.stats.connections, 1);
    client_close(&writer);
}

/* What was taken is stored and delivered all the same. */
static void who_leaves_before_the_commit_harms_nobody(void **state)
{
    (void)state;
    struct client sender, reader;
    open_client(&reader);
    client_upgrade(&reader);
    register_client(&reader, "reader", 0);
    for (int i = 0; i < 10; i++) {
        char pattern[64];
        open_client(&sender);
        client_upgrade(&sender);
        register_client(&sender, "sender", 0);
        pthread_mutex_lock(&gate);
        for (int k = 0; k < 2; k++) /* the second gathers while the first is written */
            client_sendf(&sender,
                         "{\"event\":\"message\",\"data\":{\"to\":\"reader\",\"content\":"
                         "\"%d of %d\"}}",
                         k, i);
        for (int turns = 0; turns < i; turns++)
            pump();
        client_close(&sender);
        for (int turns = 0; turns < 4; turns++)
            pump();
        assert_int_equal(chat.stats.connections, 1);
        pthread_mutex_unlock(&gate);
        reader.pump = pump_patiently;
        for (int k = 0; k < 2; k++) {
            snprintf(pattern, sizeof pattern, "*\"content\":\"%d of %d\"*", k, i);
            client_expect(&reader, pattern);
        }
        advance(1000);
    }
    client_close(&reader);
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
        open_client(all[i]);
        client_upgrade(all[i]);
        register_client(all[i], users[i], 0);
    }
    pthread_mutex_lock(&gate);
    send_with_key(&phone, "hi", 1);
    for (int turns = 0; turns < 4; turns++)
        pump();
    client_send(&desk, "{\"event\":\"message\",\"data\":{\"to\":\"reader\",\"content\":\"next\"}}");
    send_with_key(&desk, "hi", 2);
    send_with_key(&desk, "other", 3);
    client_expect(&desk, "*\"ref\":3,\"meta\":{\"code\":\"bad_request\"*");
    pthread_mutex_unlock(&gate);
    for (int i = 0; i < 3; i++)
        all[i]->pump = pump_patiently;
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
    assert_int_equal(chat.stats.stored, 2);
    for (int i = 0; i < 3; i++)
        client_close(all[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_key_sent_twice_at_a_time_is_one_message, start_threaded,
                                        stop),
        cmocka_unit_test_setup_teardown(a_request_head_has_10_s, start, stop),
        cmocka_unit_test_setup_teardown(a_request_head_that_drips_has_no_more, start, stop),
        cmocka_unit_test_setup_teardown(the_registration_has_30_s, start, stop),
        cmocka_unit_test_setup_teardown(a_frame_that_drips_does_not_put_off_the_registration, start,
                                        stop),
        cmocka_unit_test_setup_teardown(a_frame_that_drips_holds_nobody_up, start, stop),
        cmocka_unit_test_setup_teardown(a_message_that_never_ends_keeps_what_has_come_and_no_more,
                                        start, stop),
        cmocka_unit_test_setup_teardown(who_leaves_during_the_handshake_harms_nobody, start, stop),
        cmocka_unit_test_setup_teardown(who_leaves_during_a_send_harms_nobody, start, stop),
        cmocka_unit_test_setup_teardown(who_leaves_during_a_fan_out_harms_nobody, start, stop),
        cmocka_unit_test_setup_teardown(who_leaves_before_the_commit_harms_nobody, start_threaded,
                                        stop),
        cmocka_unit_test_setup_teardown(silence_is_asked_after_25_s_and_ended_after_45, start,
                                        stop),
        cmocka_unit_test_setup_teardown(an_expired_token_ends_the_connection_unless_renewed, start,
                                        stop),
        cmocka_unit_test_setup_teardown(a_reader_that_takes_nothing_for_20_s_is_cut_off, start,
                                        stop),
        cmocka_unit_test_setup_teardown(the_rate_refills_with_time, start, stop),
        cmocka_unit_test_setup_teardown(
            a_user_has_four_times_the_rate_of_a_connection_however_many_he_has, start, stop),
        cmocka_unit_test_setup_teardown(
            an_address_that_shows_many_bad_tokens_has_to_wait_longer_and_longer, start, stop),
        cmocka_unit_test_setup_teardown(
            a_proxy_that_does_not_say_for_whom_it_speaks_never_has_to_wait, start, stop),
        cmocka_unit_test(bad_tokens_of_any_number_of_addresses_take_a_bounded_table),
        cmocka_unit_test_setup_teardown(a_client_that_floods_does_not_hold_up_a_quiet_one, start,
                                        stop),
        cmocka_unit_test_setup_teardown(history_on_a_cold_disk_comes_whole_and_others_do_not_wait,
                                        start, stop),
        cmocka_unit_test_setup_teardown(
            history_that_cannot_be_read_ends_the_connection_and_nothing_spins, start, stop),
        cmocka_unit_test_setup_teardown(who_leaves_while_the_disk_is_read_harms_nobody, start,
                                        stop),
        cmocka_unit_test_setup_teardown(leaving_waits_for_the_end_of_an_answer, start, stop),
        cmocka_unit_test_setup_teardown(
            a_token_that_expires_during_an_answer_ends_the_connection_behind_it, start, stop),
        cmocka_unit_test_setup_teardown(what_was_sent_is_answered_before_leaving, start, stop),
        cmocka_unit_test_setup_teardown(who_reads_a_long_answer_slowly_is_not_taken_for_dead, start,
                                        stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
