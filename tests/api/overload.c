/* More than there is room for: of memory, of descriptors, of what waits for readers that stopped. */
#include "../support/client.h"
#include "../support/test.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define OPTIONS(...) ((const char *const[]){__VA_ARGS__, NULL})

static struct server server;

static int prepare(void **state)
{
    (void)state;
    server_prepare(&server);
    return 0;
}

static int finish(void **state)
{
    (void)state;
    server_stop(&server);
    return 0;
}

static long metric(const char *name)
{
    struct client c;
    char line[96];
    snprintf(line, sizeof line, "\n%s ", name);
    const char *found = strstr(
        client_http(&c, server.admin_port, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"), line);
    assert_non_null(found);
    long value = atol(found + strlen(line));
    client_close(&c);
    return value;
}

/* Waits until the metric is at most that. */
static void wait_for(const char *name, long most)
{
    int64_t deadline = now_ms() + DEADLINE_MS;
    while (metric(name) > most)
        if (now_ms() > deadline)
            fail_msg("%s is %ld still, not %ld", name, metric(name), most);
}

/* Bytes of memory that the server's process has. */
static long resident(void)
{
    char path[64], text[4096];
    snprintf(path, sizeof path, "/proc/%d/status", (int)server.pid);
    FILE *f = fopen(path, "re");
    assert_non_null(f);
    text[fread(text, 1, sizeof text - 1, f)] = 0;
    fclose(f);
    const char *found = strstr(text, "VmRSS:");
    assert_non_null(found);
    return atol(found + 6) * 1024;
}

/* Clients who do not read, with little room in their sockets. */
static void open_readers(struct client *c, int n, const char *user)
{
    int room = 4096;
    for (int i = 0; i < n; i++) {
        client_open_as(&c[i], &server, user);
        setsockopt(c[i].fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
    }
}

static void close_all(struct client *c, int n)
{
    for (int i = 0; i < n; i++)
        client_close(&c[i]);
}

static void send_message(struct client *c, const char *to)
{
    static char content[15001];
    memset(content, 'x', sizeof content - 1);
    client_sendf(c, "{\"event\":\"message\",\"data\":{\"to\":\"%s\",\"content\":\"%s\"}}", to,
                 content);
    client_expect(c, "*success*");
}

static void readers_that_stop_are_cut_off_and_their_memory_comes_back(void **state)
{
    (void)state;
    enum { READERS = 16, QUEUE = 2 << 20 };
    struct client sender, readers[READERS];
    server_start(&server,
                 OPTIONS("--admin", "127.0.0.1:0", "--rate", "0", "--max-queue", "2097152"));
    client_open_as(&sender, &server, "sender");
    for (int i = 0; i < 100; i++)
        send_message(&sender, "nobody"); /* so that the store has what it needs */
    long before = resident(), most = 0, counted = metric("parley_connection_memory_bytes");
    open_readers(readers, READERS, "slow");
    while (metric("parley_readers_too_slow_total") < READERS) {
        for (int i = 0; i < 20; i++)
            send_message(&sender, "slow");
        long now = metric("parley_connection_memory_bytes");
        most = now > most ? now : most;
    }
    /* They held much, within the limit; the close they do not read either is given up after 2 s. */
    assert_in_range(most - counted, READERS * QUEUE / 2, READERS * (QUEUE + (256 << 10)));
    wait_for("parley_connections", 1);
    /* Some turns later, for what is kept to be used again is given back by and by. */
    wait_for("parley_connection_memory_bytes", counted + (300 << 10));
    long after = resident();
    print_message("RSS: %ld KiB, %ld KiB held for readers, then %ld KiB\n", before >> 10,
                  most >> 10, after >> 10);
#if !defined __SANITIZE_ADDRESS__ && !defined __SANITIZE_THREAD__
    if (!getenv("PARLEY_WRAP"))
        assert_true(after < before + READERS * QUEUE / 4);
#endif
    send_message(&sender, "nobody");
    close_all(readers, READERS);
    client_close(&sender);
}

static void over_max_memory_new_connections_get_503_and_old_ones_go_on(void **state)
{
    (void)state;
    struct client sender, reader, late;
    server_start(&server, OPTIONS("--admin", "127.0.0.1:0", "--rate", "0", "--max-memory",
                                  "1048576", "--max-queue", "8388608"));
    client_open_as(&sender, &server, "sender");
    open_readers(&reader, 1, "slow");
    while (metric("parley_connection_memory_bytes") < 1048576)
        for (int i = 0; i < 10; i++)
            send_message(&sender, "slow");
    client_connect(&late, server.port);
    client_read_all(&late);
    assert_true(matches("HTTP/1.1 503 *hold too much memory.\n", late.text));
    client_close(&late);
    assert_int_equal(metric("parley_connections_refused_total"), 1);
    send_message(&sender, "slow");
    /* With the one that held it the memory comes back. */
    client_close(&reader);
    wait_for("parley_connection_memory_bytes", 1048575);
    client_open_as(&late, &server, "late");
    client_close(&late);
    client_close(&sender);
}

enum { CHATTERS = 200 };

/* Everyone sends to his neighbour, and reads the answer and what his other neighbour wrote: all at once. */
static void all_chat(struct client *c)
{
    static char content[1001];
    memset(content, 'x', sizeof content - 1);
    for (int i = 0; i < CHATTERS; i++)
        client_sendf(&c[i], "{\"event\":\"message\",\"data\":{\"to\":\"u%d\",\"content\":\"%s\"}}",
                     (i + 1) % CHATTERS, content);
    for (int i = 0; i < 2 * CHATTERS; i++) {
        assert_true(client_receive(&c[i / 2]));
        bool answer = matches("*{\"success\":true}*", c[i / 2].text);
        assert_true(answer || matches("{\"event\":\"message\",\"data\":{\"id\":*", c[i / 2].text));
    }
}

static void
with_2_MiB_it_serves_200_that_chat_and_turns_away_who_comes_when_it_is_full(void **state)
{
    (void)state;
    static struct client chatters[CHATTERS];
    struct client sender, reader, late;
    char name[16];
    server_start(&server, OPTIONS("--admin", "127.0.0.1:0", "--rate", "0", "--max-memory", "2M",
                                  "--max-queue", "8388608", "--sync", "none"));
    for (int i = 0; i < CHATTERS; i++) {
        snprintf(name, sizeof name, "u%d", i);
        client_open_as(&chatters[i], &server, name);
    }
    for (int i = 0; i < 3; i++)
        all_chat(chatters);
    assert_int_equal(metric("parley_connections_refused_total"), 0);
    long chatting = metric("parley_connection_memory_bytes"), before = resident();
    assert_in_range(chatting, 1, 1 << 20);
    /* One who does not read fills it. */
    client_open_as(&sender, &server, "sender");
    open_readers(&reader, 1, "slow");
    while (metric("parley_connection_memory_bytes") < 2 << 20)
        for (int i = 0; i < 10; i++)
            send_message(&sender, "slow");
    for (int i = 0; i < 10; i++) {
        client_connect(&late, server.port);
        client_read_all(&late);
        assert_true(matches("HTTP/1.1 503 *hold too much memory.\n", late.text));
        client_close(&late);
    }
    assert_int_equal(metric("parley_connections_refused_total"), 10);
    for (int i = 0; i < 3; i++)
        all_chat(chatters);
    print_message("RSS: %ld KiB with 200 that chat, %ld KiB when it is full\n", before >> 10,
                  resident() >> 10);
#if !defined __SANITIZE_ADDRESS__ && !defined __SANITIZE_THREAD__
    if (!getenv("PARLEY_WRAP"))
        assert_true(resident() < before + (4 << 20));
#endif
    client_close(&reader);
    wait_for("parley_connection_memory_bytes", (2 << 20) - 1);
    client_open_as(&late, &server, "late");
    client_close(&late);
    client_close(&sender);
    close_all(chatters, CHATTERS);
}

static int64_t cpu_ns(void)
{
    clockid_t clock;
    struct timespec used;
    assert_int_equal(clock_getcpuclockid(server.pid, &clock), 0);
    assert_int_equal(clock_gettime(clock, &used), 0);
    return (int64_t)used.tv_sec * 1000000000 + used.tv_nsec;
}

static void without_descriptors_it_rests_serves_on_and_takes_the_waiting_ones_later(void **state)
{
    (void)state;
    enum { MANY = 60 };
    struct client talks, waits[MANY];
    struct pollfd ping;
    char byte;
    if (getenv("PARLEY_WRAP")) { /* it has descriptors of its own */
        print_message("the limit of descriptors does not hold here: not tried\n");
        server_start(&server, OPTIONS("--rate", "0"));
        return;
    }
    server.descriptor_limit = 48;
    server_start(&server, OPTIONS("--rate", "0", "--idle-timeout", "2"));
    client_open_as(&talks, &server, "talks");
    for (int i = 0; i < MANY; i++)
        client_connect(&waits[i], server.port);
    client_expect_nothing(&talks); /* the connections were there before */
    /* Over a second of rests, until the ping comes. */
    int64_t before = cpu_ns();
    ping = (struct pollfd){.fd = talks.fd, .events = POLLIN};
    assert_int_equal(poll(&ping, 1, DEADLINE_MS), 1);
    assert_int_equal(recv(talks.fd, &byte, 1, MSG_PEEK), 1);
    assert_int_equal(byte & 0xff, 0x89);
    int64_t used = cpu_ns() - before;
    print_message("CPU in 1.1 s without descriptors: %d us\n", (int)(used / 1000));
    assert_true(used < 200000000);
    server_signal(&server, SIGUSR1);
    server_wait_text(&server, "\nparley_accept_rests_total ");
    const char *rests = strstr(server.text, "\nparley_accept_rests_total ");
    while (!strchr(rests + 1, '\n'))
        server_wait_text(&server, "parley_info{");
    assert_in_range(atoi(rests + 27), 2, 20);
    client_expect_nothing(&talks);
    /* Those that waited in the kernel's queue are served when others go. */
    close_all(waits, MANY - 1);
    client_upgrade(&waits[MANY - 1]);
    client_expect_nothing(&waits[MANY - 1]);
    client_close(&waits[MANY - 1]);
    client_close(&talks);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(readers_that_stop_are_cut_off_and_their_memory_comes_back,
                                        prepare, finish),
        cmocka_unit_test_setup_teardown(over_max_memory_new_connections_get_503_and_old_ones_go_on,
                                        prepare, finish),
        cmocka_unit_test_setup_teardown(
            with_2_MiB_it_serves_200_that_chat_and_turns_away_who_comes_when_it_is_full, prepare,
            finish),
        cmocka_unit_test_setup_teardown(
            without_descriptors_it_rests_serves_on_and_takes_the_waiting_ones_later, prepare,
            finish),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
