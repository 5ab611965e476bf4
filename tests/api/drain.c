/* How a server with many connections ends. DRAIN_CONNECTIONS=N: another number of them, and figures. */
#include "../support/client.h"
#include "../support/test.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define OPTIONS(...) ((const char *const[]){__VA_ARGS__, NULL})
#define DRAIN_MS 2000

static struct server server;
static struct client *clients;
static int count = 300;

static int start(void **state)
{
    (void)state;
    server_prepare(&server);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    if (server.pid)
        server_stop(&server);
    else
        server_remove(&server);
    return 0;
}

static void open_all(void)
{
    char user[16];
    clients = calloc((size_t)count, sizeof *clients);
    assert_non_null(clients);
    for (int i = 0; i < count; i++) {
        snprintf(user, sizeof user, "u%d", i);
        client_open_as(&clients[i], &server, user);
    }
}

static void close_all(void)
{
    for (int i = 0; i < count; i++)
        client_close(&clients[i]);
    free(clients);
}

#define TOGETHER 32 /* may well come back at the same moment */

/* Until everybody has been told: ms from the first to the last. Never more have heard it than 32 and an even
   share of the time that has passed; that it took time, say for want of a processor, harms nothing. */
static int wait_for_all(int64_t begun)
{
    struct pollfd *polls = calloc((size_t)count, sizeof *polls);
    int64_t first = 0, now = begun;
    int told = 0;
    assert_non_null(polls);
    for (int i = 0; i < count; i++)
        polls[i] = (struct pollfd){clients[i].fd, POLLIN, 0};
    while (told < count) {
        assert_true(poll(polls, (nfds_t)count, DEADLINE_MS) > 0);
        now = now_ms();
        first = first ? first : now;
        for (int i = 0; i < count; i++) {
            if (!(polls[i].revents & POLLIN))
                continue;
            client_expect(&clients[i], "{\"event\":\"info\",*\"code\":\"going_away\",\"event\":"
                                       "null}}");
            client_expect_close(&clients[i], 1001);
            client_close(&clients[i]);
            polls[i].fd = -1;
            told++;
        }
        assert_in_range(told, 0, TOGETHER + 1 + count * (now - begun) / DRAIN_MS);
    }
    free(polls);
    return (int)(now - first);
}

static void all_are_told_one_after_the_other_and_nothing_is_lost(void **state)
{
    (void)state;
    struct client probe;
    char drain[16];
    snprintf(drain, sizeof drain, "%d", DRAIN_MS / 1000);
    server_start(&server, OPTIONS("--rate", "0", "--drain", drain, "--admin", "127.0.0.1:0"));
    open_all();
    int64_t begun = now_ms();
    server_signal(&server, SIGTERM);
    server_wait_text(&server, "shutting down");
    client_http(&probe, server.admin_port, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_true(matches("HTTP/1.1 503 *draining\n", probe.text));
    client_close(&probe);
    /* The last one has time to send something. */
    struct client *last = &clients[count - 1];
    client_send(last, "{\"event\":\"message\",\"data\":{\"to\":\"me\",\"content\":\"the last\"}}");
    client_expect(last, "*\"success\":true*");
    int spread = wait_for_all(begun);
    assert_int_equal(server_wait_end(&server), 0);
    int64_t took = now_ms() - begun;
    if (getenv("DRAIN_CONNECTIONS"))
        print_message("%d connections in %d ms; ended after %d ms\n", count, spread, (int)took);
    assert_true(spread >= DRAIN_MS * 3 / 4);
    free(clients);
    server_start(&server, OPTIONS("--rate", "0"));
    client_open_as(&probe, &server, "me");
    client_send(&probe, "{\"event\":\"snippets\"}");
    client_expect(&probe, "*\"the last\"*");
    client_close(&probe);
}

static void a_second_signal_ends_it_at_once(void **state)
{
    (void)state;
    struct client probe;
    server_start(&server, OPTIONS("--rate", "0", "--drain", "3600"));
    open_all();
    struct client *last = &clients[count - 1];
    server_signal(&server, SIGTERM);
    client_expect(&clients[0], "*\"going_away\"*");
    client_send(last, "{\"event\":\"message\",\"data\":{\"to\":\"me\",\"content\":\"the last\"}}");
    client_expect(last, "*\"success\":true*");
    server_signal(&server, SIGTERM);
    assert_int_equal(server_wait_end(&server), 0);
    close_all();
    server_start(&server, OPTIONS("--rate", "0"));
    client_open_as(&probe, &server, "me");
    client_send(&probe, "{\"event\":\"snippets\"}");
    client_expect(&probe, "*\"the last\"*");
    client_close(&probe);
}

int main(void)
{
    struct rlimit limit;
    const char *wanted = getenv("DRAIN_CONNECTIONS");
    if (wanted)
        count = atoi(wanted);
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    if ((rlim_t)count + 100 > limit.rlim_max) {
        count = (int)limit.rlim_max - 100;
        print_message("%d connections, since no more descriptors may be open\n", count);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(all_are_told_one_after_the_other_and_nothing_is_lost, start,
                                        stop),
        cmocka_unit_test_setup_teardown(a_second_signal_ends_it_at_once, start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
