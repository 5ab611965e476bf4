/*
 * Memory that runs out, at every place where it is asked for, in the whole life of a server: one or some times
 * in a row, there is none. Whoever is concerned is told so or cut off; who was connected before and asks for
 * nothing meanwhile notices nothing; and afterwards everything works as ever, nothing that was acknowledged is lost, and
 * nothing is left of anybody.
 */
#include "../fuzz/scarce.h"
#include "../support/test.h"
#include "life.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- what is acknowledged ------------------------------------------------------------------ */

/* Messages are told by the number in their content, which is the ref as well. */
#define MESSAGES 4096
static unsigned sent;
static bool acknowledged[MESSAGES];

/* Whether the answer to the message of that number has come: what stands in front of the number and behind it. */
static void note(const struct peer *p, unsigned number, const char *front, const char *behind)
{
    char text[128];
    snprintf(text, sizeof text, "%s%u%s", front, number, behind);
    acknowledged[number] |= peer_saw(p, text);
}

static unsigned next_number(void)
{
    assert_true(sent + 1 < MESSAGES);
    return ++sent;
}

#define ACKNOWLEDGED "\"data\":{\"success\":true},\"ref\":", ","

static void send_message(struct peer *p, const char *to, size_t size)
{
    char filler[16001];
    unsigned number = next_number();
    memset(filler, 'x', size);
    filler[size] = 0;
    peer_say(p,
             "{\"event\":\"message\",\"ref\":%u,\"data\":{\"to\":\"%s\",\"key\":\"k%u\","
             "\"content\":\"m%u.%s\"}}",
             number, to, number, number, filler);
    note(p, number, ACKNOWLEDGED);
}

/* ---- the script ---------------------------------------------------------------------------- */

static struct peer alice, bob, device, poller, poster, socket_io, backend, stranger;
static struct peer crowd[12];
static bool strict; /* what it says is what must be seen */

static void expect(const struct peer *p, const char *text)
{
    if (strict && !peer_saw(p, text))
        fail_msg("expected %s in: %.*s", text, (int)(p->in.n < 2000 ? p->in.n : 2000),
                 p->in.n ? (const char *)p->in.p : "");
}

static void all_leave(void)
{
    struct peer *all[] = {&alice, &bob, &device, &poller, &poster, &socket_io, &backend, &stranger};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        peer_close(all[i]);
    for (size_t i = 0; i < sizeof crowd / sizeof *crowd; i++)
        peer_close(&crowd[i]);
}

static void native(void)
{
    peer_open_as(&alice, "alice");
    expect(&alice, "101 Switching");
    expect(&alice, "\"data\":\"OK\"");
    peer_open_as(&bob, "bob");
    peer_say(&alice, "{\"event\":\"presence\",\"data\":{\"ids\":[\"bob\",\"carol\",\"nobody\"]}}");
    expect(&alice, "{\"event\":\"presence\",\"data\":{\"id\":\"nobody\",\"online\":false}");
    peer_say(&alice, "{\"event\":\"startWriting\",\"data\":{\"id\":\"bob\"}}");
    expect(&bob, "{\"event\":\"startWriting\",\"data\":{\"id\":\"alice\"}}");
    send_message(&alice, "bob", 10);
    expect(&alice, "{\"success\":true}");
    expect(&bob, "\"from\":\"alice\",\"to\":\"bob\"");
    send_message(&bob, "alice", 2000);
    send_message(&bob, "carol\\u00e9", 300);
    for (int i = 0; i < 3; i++) /* segments are filled, and arranged */
        send_message(i & 1 ? &bob : &alice, i & 1 ? "alice" : "bob", 16000);
    expect(&alice, "\"from\":\"bob\",\"to\":\"alice\"");
    peer_say(&bob, "{\"event\":\"read\",\"data\":{\"id\":\"alice\",\"upTo\":1},\"ref\":\"r\"}");
    expect(&bob, "{\"event\":\"read\",\"data\":{\"success\":true}");
    life_together(true); /* many that wait for one commit */
    unsigned first = sent + 1;
    for (int i = 0; i < 20; i++)
        send_message(&alice, "bob", 10);
    life_together(false);
    for (unsigned number = first; number <= sent; number++)
        note(&alice, number, ACKNOWLEDGED);
    peer_forget(&alice);
    peer_say(&alice, "{\"event\":\"snippets\",\"ref\":\"s\"}");
    expect(&alice, "{\"event\":\"end\",");
    peer_say(&alice, "{\"event\":\"conversation\",\"data\":{\"id\":\"bob\"}}");
    expect(&alice, "{\"id\":\"bob\",\"messages\":[{");
    peer_say(&alice, "{\"event\":\"conversation\",\"data\":{\"id\":\"bob\",\"limit\":2,\"before\":"
                     "5}}");
    expect(&alice, "\"meta\":{\"more\":");
    /* In pieces: frames, and bytes. */
    peer_frame(&bob, 0x01, SLICE("{\"event\":\"conversation\",\"data\":"));
    peer_frame(&bob, 0x80, SLICE("{\"id\":\"alice\"},\"ref\":\"pieces\"}"));
    expect(&bob, "\"ref\":\"pieces\"");
    peer_send(&bob, "\x81\x85");
    peer_send(&bob, "%s", "1234+");
    peer_send(&bob, "%s", "abcd");
    expect(&bob, "bad_json");
    peer_say(&bob, "{\"event\":\"what\\u0020is this\"}");
    expect(&bob, "unknown_event");
}

static void resume(void)
{
    peer_open(&device);
    peer_send(&device, "GET /chat HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: "
                       "Upgrade\r\n"
                       "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==");
    peer_send(&device, "\r\n\r\n"); /* a head in two pieces */
    peer_say(&device, "{\"event\":\"registerMessages\",\"data\":{\"token\":\"%s\",\"since\":1}}",
             life_token("bob"));
    expect(&device, "\"replay\":true");
    peer_say(&device, "{\"event\":\"registerMessages\",\"data\":{\"token\":\"no.good.token\"}}");
    expect(&device, "bad_token");
    peer_say(&device, "{\"event\":\"startWriting\",\"data\":{\"id\":\"alice\"}}");
    peer_close(&device); /* who writes no more */
    expect(&alice, "{\"event\":\"stopWriting\",\"data\":{\"id\":\"bob\"}}");
}

static char sid[32];

static void post(const char *packets)
{
    peer_send(&poster,
              "POST /socket.io/?EIO=4&transport=polling&sid=%s HTTP/1.1\r\nHost: h\r\n"
              "Content-Length: %zu\r\n\r\n%s",
              sid, strlen(packets), packets);
}

static void get(void)
{
    peer_send(&poller, "GET /socket.io/?EIO=4&transport=polling&sid=%s HTTP/1.1\r\nHost: h\r\n\r\n",
              sid);
}

static void polling(void)
{
    char packets[1024];
    peer_open(&poller);
    peer_open(&poster);
    peer_send(&poller, "GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: h\r\n\r\n");
    const char *at = poller.in.n ? strstr((const char *)poller.in.p, "{\"sid\":\"") : NULL;
    snprintf(sid, sizeof sid, "%.22s", at ? at + 8 : "none");
    snprintf(packets, sizeof packets, "40{\"token\":\"%s\"}", life_token("carol"));
    post(packets);
    get();
    expect(&poller, "40{\"sid\":");
    unsigned number = next_number();
    snprintf(packets, sizeof packets,
             "42%u[\"message\",{\"to\":\"alice\",\"content\":\"m%u.\"}]\x1e"
             "427[\"conversation\",{\"id\":\"alice\"}]",
             number, number);
    post(packets);
    get();
    note(&poller, number, "43", "[{\"success\":true},");
    expect(&poller, "\"messages\":[");
    expect(&alice, "\"from\":\"carol\",\"to\":\"alice\"");
}

static void upgrade(void)
{
    peer_open(&socket_io);
    peer_send(&socket_io,
              "GET /socket.io/?EIO=4&transport=websocket&sid=%s HTTP/1.1\r\nHost: h\r\n"
              "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
              "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
              sid);
    get();
    peer_say(&socket_io, "2probe");
    expect(&socket_io, "3probe");
    expect(&poller, "\r\n\r\n6");
    peer_say(&socket_io, "5");
    unsigned number = next_number();
    peer_say(&socket_io, "42%u[\"message\",{\"to\":\"bob\",\"content\":\"m%u.\"}]", number, number);
    note(&socket_io, number, "43", "[{\"success\":true},");
    expect(&socket_io, "{\"success\":true}");
    peer_say(&socket_io, "429[\"snippets\"]");
    expect(&socket_io, "439[{\"count\":");
    send_message(&alice, "carol", 100);
    expect(&socket_io, "42[\"message\",{\"id\":");
}

static void ask(const char *method, const char *path, const char *body)
{
    if (backend.fd < 0)
        peer_open_admin(&backend);
    peer_forget(&backend);
    peer_send(&backend,
              "%s %s HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer "
              "a secret of at least thirty-two bytes\r\nContent-Length: %zu\r\n\r\n%s",
              method, path, strlen(body), body);
}

static void application(void)
{
    char body[128];
    unsigned number = next_number();
    snprintf(body, sizeof body, "{\"from\":\"shop\",\"to\":\"alice\",\"content\":\"m%u.\"}",
             number);
    ask("POST", "/v1/message", body);
    acknowledged[number] |= peer_saw(&backend, "200 OK");
    expect(&backend, "{\"id\":");
    ask("GET", "/v1/users/alice", "");
    expect(&backend, "\"connections\":1");
    ask("POST", "/v1/revoke", "{\"user\":\"mallory\",\"before\":1}");
    expect(&backend, "200 OK");
    ask("POST", "/v1/message", "{\"from\":\"mallory\",\"to\":\"victim\",\"content\":\"to go\"}");
    ask("DELETE", "/v1/users/mallory", "");
    expect(&backend, "{\"messages\":");
    ask("GET", "/metrics", "");
    expect(&backend, "parley_");
    ask("POST", "/v1/disconnect", "{\"user\":\"carol\",\"reason\":\"enough\"}");
    expect(&backend, "{\"connections\":1}");
    peer_open(&stranger);
    peer_send(&stranger, "GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n");
    expect(&stranger, "200 OK");
}

/* More users than there is room for at first. */
static void many(void)
{
    char name[16];
    for (unsigned i = 0; i < 12; i++) {
        snprintf(name, sizeof name, "user%u", i);
        peer_open_as(&crowd[i], name);
        expect(&crowd[i], "\"data\":\"OK\"");
        snprintf(name, sizeof name, "user%u", (i + 1) % 12);
        send_message(&crowd[i], name, i);
        expect(&crowd[i], "{\"success\":true}");
    }
    scarce_begin();
    server_reload(&life_server);
    scarce_end();
}

static void session(bool must)
{
    strict = must;
    native();
    resume();
    polling();
    upgrade();
    application();
    many();
    all_leave();
}

/* ---- the lives ----------------------------------------------------------------------------- */

static struct peer witness, friend;

static void connect_witnesses(void)
{
    peer_open_as(&witness, "witness");
    peer_open_as(&friend, "friend");
}

static void begin(void)
{
    struct server_error error;
    sent = 0;
    memset(acknowledged, 0, sizeof acknowledged);
    life_begin();
    all_leave();
    assert_int_equal(life_open(&error), EXIT_CLEAN);
}

static void witness_goes_on(void)
{
    unsigned number = sent + 1;
    char text[32];
    snprintf(text, sizeof text, "\"content\":\"m%u.", number);
    send_message(&witness, "friend", 20);
    assert_true(acknowledged[number]);
    assert_true(peer_saw(&friend, text));
}

/* All that was acknowledged is found by its recipient, though the power was cut at the end of it all. */
static void expect_acknowledged(void)
{
    static const char *const readers[][2] = {{"alice", "bob"},   {"bob", "carol\\u00e9"},
                                             {"alice", "carol"}, {"alice", "shop"},
                                             {"bob", "carol"},   {"witness", "friend"}};
    struct server_error error;
    struct buf all = {0};
    char name[16], other[16], text[32];
    life_disk.down = true;
    (void)life_close(); /* and says that it could not write */
    simdisk_restart(&life_disk, SIMDISK_POWER);
    if (life_open(&error) != EXIT_CLEAN)
        fail_msg("it does not start again: %s", error.text);
    for (unsigned i = 0; i < 6 + 12; i++) {
        snprintf(name, sizeof name, "user%u", i - 6);
        snprintf(other, sizeof other, "user%u", (i - 6 + 1) % 12);
        peer_open_as(&alice, i < 6 ? readers[i][0] : name);
        peer_say(&alice, "{\"event\":\"conversation\",\"data\":{\"limit\":1000,\"id\":\"%s\"}}",
                 i < 6 ? readers[i][1] : other);
        buf_append(&all, alice.in.p, alice.in.n);
    }
    peer_close(&alice);
    for (unsigned i = 1; i <= sent; i++) {
        snprintf(text, sizeof text, "\"content\":\"m%u.", i);
        if (acknowledged[i] && !memmem(all.p, all.n, text, strlen(text)))
            fail_msg("message %u was acknowledged, and is lost", i);
    }
    buf_free(&all);
}

/* alone: nobody is there before, and what all share has no memory yet. */
static void one_life(unsigned n, unsigned times, bool alone)
{
    begin();
    if (!alone) {
        connect_witnesses();
        witness_goes_on();
    }
    scarce_fail(n, times);
    session(false);
    scarce_fail(0, 0);
    if (!alone)
        witness_goes_on();
    life_pass(60000); /* who polls no more has gone, and who answers no ping */
    connect_witnesses();
    witness_goes_on();
    session(true);
    witness_goes_on();
    peer_close(&witness);
    peer_close(&friend);
    life_pass(60000);
    life_expect_empty();
    expect_acknowledged();
    assert_int_equal(life_close(), EXIT_CLEAN);
    life_end();
}

/* How often a whole session asks for memory. */
static unsigned count_session(void)
{
    begin();
    unsigned before = scarce_asked();
    session(true);
    unsigned asked = scarce_asked() - before;
    assert_int_equal(life_close(), EXIT_CLEAN);
    life_end();
    return asked;
}

static void survive(unsigned times, unsigned step, bool alone)
{
    unsigned asked = count_session();
    assert_in_range(asked, 100, 1000);
    if (getenv("PARLEY_WRAP")) /* Valgrind: a sample */
        step *= 12;
    for (unsigned n = 1; n <= asked; n += step)
        one_life(n, times, alone);
}

static void every_allocation_of_a_session_may_fail_and_nobody_else_notices(void **state)
{
    (void)state;
    survive(1, 1, false);
    survive(1, 1, true);
}

static void so_may_some_in_a_row(void **state)
{
    (void)state;
    survive(3, 3, false);
    survive(30, 3, true);
}

/* A start that fails says that it was for want of memory, harms nothing, and the next one is as ever. */
static void a_start_without_memory_says_so_and_spoils_nothing(void **state)
{
    (void)state;
    struct server_error error;
    begin();
    session(true);
    assert_int_equal(life_close(), EXIT_CLEAN);
    unsigned before = scarce_asked();
    assert_int_equal(life_open(&error), EXIT_CLEAN);
    unsigned asked = scarce_asked() - before;
    assert_int_equal(life_close(), EXIT_CLEAN);
    assert_in_range(asked, 20, 1000);
    for (unsigned n = 1; n <= asked; n += getenv("PARLEY_WRAP") ? 5 : 1) {
        scarce_fail(n, 1 + n % 3);
        enum exit_status status = life_open(&error);
        if (status != EXIT_CLEAN && status != EXIT_SYSTEM)
            fail_msg("allocation %u: exit status %d, %s", n, (int)status, error.text);
        scarce_fail(0, 0);
        if (status == EXIT_CLEAN)
            assert_int_equal(life_close(), EXIT_CLEAN);
    }
    assert_int_equal(life_open(&error), EXIT_CLEAN);
    expect_acknowledged();
    assert_int_equal(life_close(), EXIT_CLEAN);
    life_end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_allocation_of_a_session_may_fail_and_nobody_else_notices),
        cmocka_unit_test(so_may_some_in_a_row),
        cmocka_unit_test(a_start_without_memory_says_so_and_spoils_nothing),
    };
    return cmocka_run_group_tests_name("memory_survive", tests, NULL, NULL);
}
