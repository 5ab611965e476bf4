/* kill -9 under load, again and again: no acknowledged message is ever missing. */
#include "../support/client.h"
#include "../support/test.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OPTIONS(...) ((const char *const[]){__VA_ARGS__, NULL})
#define ROUNDS 20 /* unless CRASH_ROUNDS says otherwise */
#define WRITERS 4
#define IN_FLIGHT 16

/* What is known of the messages of one writer to "reader", numbered in the order of sending. */
struct history {
    char *acknowledged; /* 1: the server said so */
    int sent, cap;
};

static void send_next(struct client *c, struct history *h)
{
    if (h->sent == h->cap) {
        h->cap = 2 * h->cap + 1024;
        h->acknowledged = realloc(h->acknowledged, (size_t)h->cap);
        assert_non_null(h->acknowledged);
    }
    h->acknowledged[h->sent] = 0;
    client_sendf(c,
                 "{\"event\":\"message\",\"data\":{\"to\":\"reader\",\"content\":\"%d\"},\"ref\":%"
                 "d}",
                 h->sent, h->sent);
    h->sent++;
}

/* Every writer keeps some sends in flight until the server is killed, after `stop` answers in all. */
static void load(struct server *server, struct history *h, int stop)
{
    struct client c[WRITERS];
    char user[16];
    for (int w = 0; w < WRITERS; w++) {
        snprintf(user, sizeof user, "writer%d", w);
        client_open_as(&c[w], server, user);
        for (int i = 0; i < IN_FLIGHT; i++)
            send_next(&c[w], &h[w]);
    }
    for (int answers = 0;; answers++) {
        int w = answers % WRITERS;
        if (answers == stop)
            server_signal(server, SIGKILL);
        if (!client_receive(&c[w]))
            break;
        char *ref = strstr(c[w].text, "\"success\":true},\"ref\":");
        assert_non_null(ref);
        h[w].acknowledged[atoi(ref + 22)] = 1;
        send_next(&c[w], &h[w]);
    }
    /* What was said before the end came counts, too. */
    for (int w = 0; w < WRITERS; w++) {
        while (client_receive(&c[w])) {
            char *ref = strstr(c[w].text, "\"success\":true},\"ref\":");
            assert_non_null(ref);
            h[w].acknowledged[atoi(ref + 22)] = 1;
        }
        client_close(&c[w]);
    }
    assert_int_equal(server_wait_end(server), 128 + SIGKILL);
}

/* Reads the whole conversation, page by page from the newest on: every acknowledged message once,
   every other at most once, ids rising. Returns how many were acknowledged. */
static int check(struct server *server, int w, const struct history *h)
{
    struct client c;
    char *seen = calloc((size_t)h->sent + 1, 1);
    unsigned long long before = 0, oldest;
    int acknowledged = 0;
    assert_non_null(seen);
    client_open_as(&c, server, "reader");
    do {
        char position[48] = "";
        if (before)
            snprintf(position, sizeof position, ",\"before\":%llu", before);
        client_sendf(&c,
                     "{\"event\":\"conversation\",\"data\":{\"id\":\"writer%d\",\"limit\":1000%s}}",
                     w, position);
        assert_true(client_receive(&c));
        unsigned long long last = 0;
        oldest = 0;
        for (char *p = c.text; (p = strstr(p, "{\"id\":")) != NULL; p++) {
            if (p[6] == '"')
                continue; /* the correspondent's */
            unsigned long long id = strtoull(p + 6, NULL, 10);
            int number = atoi(strstr(p, "\"content\":\"") + 11);
            assert_true(id > last);
            assert_true(!before || id < before);
            assert_in_range(number, 0, h->sent - 1);
            if (seen[number]++)
                fail_msg("message %d of writer %d is there twice", number, w);
            last = id;
            oldest = oldest ? oldest : id;
        }
        before = oldest;
    } while (strstr(c.text, "\"more\":true"));
    client_close(&c);
    for (int i = 0; i < h->sent; i++) {
        acknowledged += h->acknowledged[i];
        if (h->acknowledged[i] && !seen[i])
            fail_msg("message %d of writer %d was acknowledged and is missing", i, w);
    }
    free(seen);
    return acknowledged;
}

static void no_acknowledged_message_is_missing_after_kill_9(void **state)
{
    (void)state;
    struct server server;
    struct history h[WRITERS] = {{0}};
    int acknowledged = 0;
    const char *asked = getenv("CRASH_ROUNDS");
    int rounds = asked ? atoi(asked) : ROUNDS;
    server_prepare(&server);
    srand(1);
    for (int round = 0; round < rounds; round++) {
        server_start(&server, OPTIONS("--rate", "0"));
        load(&server, h, rand() % 400);
    }
    server_start(&server, OPTIONS("--rate", "0"));
    for (int w = 0; w < WRITERS; w++) {
        acknowledged += check(&server, w, &h[w]);
        free(h[w].acknowledged);
    }
    assert_true(acknowledged > rounds);
    print_message("%d acknowledged messages over %d kills, all there\n", acknowledged, rounds);
    server_stop(&server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_acknowledged_message_is_missing_after_kill_9),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
