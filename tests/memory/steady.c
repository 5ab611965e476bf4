/*
 * A message takes its way through the server without memory being asked for, once everything has the memory
 * that it needs.
 */
#include "../fuzz/scarce.h"
#include "../support/test.h"
#include "life.h"

#include <stdio.h>
#include <stdlib.h>

#define WARM 100                                          /* messages before it is counted */
#define MESSAGES (getenv("PARLEY_WRAP") ? 1000u : 10000u) /* Valgrind: fewer */

static struct peer alice, bob, socket_io, poller, poster;
static char sid[32];

static int begin(void **state)
{
    struct server_error error;
    life_begin();
    life_threaded = *state != NULL;
    life_config.segment_size = 0; /* the default: one lasts */
    assert_int_equal(life_open(&error), EXIT_CLEAN);
    alice = bob = socket_io = poller = poster = (struct peer){.fd = -1};
    peer_open_as(&alice, "alice");
    peer_open_as(&bob, "bob");
    return 0;
}

static int end(void **state)
{
    (void)state;
    assert_int_equal(life_close(), EXIT_CLEAN);
    life_end();
    return 0;
}

static void must_see(struct peer *p, const char *text)
{
    int64_t deadline = now_ms() + 20000;
    while (life_threaded && !peer_saw(p, text) && now_ms() < deadline)
        life_settle();
    if (!peer_saw(p, text))
        fail_msg("expected %s in: %.*s", text, (int)(p->in.n < 2000 ? p->in.n : 2000),
                 p->in.n ? (const char *)p->in.p : "");
    peer_forget(p);
}

/* How often memory is asked for while this is done, once it is warm. */
static unsigned count(void (*send)(unsigned number), unsigned messages)
{
    unsigned before = 0;
    for (unsigned i = 0; i < WARM + messages; i++) {
        if (i == WARM)
            before = scarce_asked();
        send(i);
    }
    return scarce_asked() - before;
}

/* Sent, stored, acknowledged, delivered. */
static void native_to_native(unsigned number)
{
    peer_say(&alice,
             "{\"event\":\"message\",\"ref\":%u,\"data\":{\"to\":\"bob\",\"content\":\"hi \\u00e9 "
             "%u\"}}",
             number, number);
    must_see(&alice, "{\"success\":true}");
    must_see(&bob, "\"from\":\"alice\",\"to\":\"bob\"");
}

static void native_messages_ask_for_no_memory(void **state)
{
    (void)state;
    assert_int_equal(count(native_to_native, MESSAGES), 0);
}

static void nor_do_they_on_a_real_disk_with_its_threads(void **state)
{
    (void)state;
    assert_int_equal(count(native_to_native, 400), 0);
}

/* All else that a conversation is made of, too. */
static void with_typing_and_read_markers(unsigned number)
{
    char text[32];
    peer_say(&bob, "{\"event\":\"startWriting\",\"data\":{\"id\":\"alice\"}}");
    must_see(&alice, "startWriting");
    peer_say(&bob, "{\"event\":\"stopWriting\",\"data\":{\"id\":\"alice\"}}");
    must_see(&alice, "stopWriting");
    native_to_native(number);
    peer_say(&bob, "{\"event\":\"read\",\"data\":{\"id\":\"alice\",\"upTo\":%u}}", 2 * number + 1);
    must_see(&bob, "{\"success\":true}");
    snprintf(text, sizeof text, "\"upTo\":%u}", 2 * number + 1);
    must_see(&alice, text);
}

static void typing_asks_twice_and_a_read_marker_never(void **state)
{
    (void)state;
    assert_int_equal(count(with_typing_and_read_markers, 1000), 2000);
}

static void handshake(void)
{
    peer_open(&poller);
    peer_send(&poller, "GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: h\r\n\r\n");
    const char *at = strstr((const char *)poller.in.p, "{\"sid\":\"");
    assert_non_null(at);
    snprintf(sid, sizeof sid, "%.22s", at + 8);
    peer_forget(&poller);
}

static void socket_io_and_back(unsigned number)
{
    peer_say(&socket_io, "42%u[\"message\",{\"to\":\"bob\",\"content\":\"hi %u\"}]", number,
             number);
    must_see(&socket_io, "[{\"success\":true},");
    must_see(&bob, "\"from\":\"carol\",\"to\":\"bob\"");
    peer_say(&bob, "{\"event\":\"message\",\"data\":{\"to\":\"carol\",\"content\":\"hi %u\"}}",
             number);
    must_see(&socket_io, "42[\"message\",{");
    must_see(&bob, "{\"success\":true}");
}

static void messages_over_socket_io_ask_for_no_memory(void **state)
{
    (void)state;
    peer_open(&socket_io);
    peer_send(&socket_io, "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: h\r\n"
                          "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: "
                          "13\r\n"
                          "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
    peer_say(&socket_io, "40{\"token\":\"%s\"}", life_token("carol"));
    assert_int_equal(count(socket_io_and_back, MESSAGES), 0);
}

static void poll_once(unsigned number)
{
    char packet[128];
    int n = snprintf(packet, sizeof packet, "42%u[\"message\",{\"to\":\"bob\",\"content\":\"hi\"}]",
                     number);
    peer_send(&poller, "GET /socket.io/?EIO=4&transport=polling&sid=%s HTTP/1.1\r\nHost: h\r\n\r\n",
              sid);
    peer_send(&poster,
              "POST /socket.io/?EIO=4&transport=polling&sid=%s HTTP/1.1\r\nHost: h\r\n"
              "Content-Length: %d\r\n\r\n%s",
              sid, n, packet);
    must_see(&poller, "[{\"success\":true},");
    must_see(&bob, "\"from\":\"carol\",\"to\":\"bob\"");
}

static void a_message_of_who_polls_asks_five_times(void **state)
{
    (void)state;
    char packet[600];
    handshake();
    peer_open(&poster);
    int n = snprintf(packet, sizeof packet, "40{\"token\":\"%s\"}", life_token("carol"));
    peer_send(&poster,
              "POST /socket.io/?EIO=4&transport=polling&sid=%s HTTP/1.1\r\nHost: h\r\n"
              "Content-Length: %d\r\n\r\n%s",
              sid, n, packet);
    peer_send(&poller, "GET /socket.io/?EIO=4&transport=polling&sid=%s HTTP/1.1\r\nHost: h\r\n\r\n",
              sid);
    peer_forget(&poller);
    assert_int_equal(count(poll_once, 1000), 5000);
}

int main(void)
{
    static bool threads = true;
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(native_messages_ask_for_no_memory),
        cmocka_unit_test_prestate_setup_teardown(nor_do_they_on_a_real_disk_with_its_threads, begin,
                                                 end, &threads),
        TEST(typing_asks_twice_and_a_read_marker_never),
        TEST(messages_over_socket_io_ask_for_no_memory),
        TEST(a_message_of_who_polls_asks_five_times),
    };
    return cmocka_run_group_tests_name("memory_steady", tests, NULL, NULL);
}
