/* kill -9 under load, again and again: no acknowledged message is ever missing. */
#include "../support/client.h"
#include "../support/test.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OPTIONS(...) ((const char *const[]){__VA_ARGS__, NULL})
#define ROUNDS (getenv("PARLEY_WRAP") ? 8 : 20) /* unless CRASH_ROUNDS says otherwise */
#define WRITERS 4
#define IN_FLIGHT 16

/* What is known of the messages of one writer to "reader", numbered in the order of sending. */
struct history {
    char *acknowledged; /* 1: the server said so */
    int sent, cap;
};

/* What the server is asked to do beside, and how long the messages are for that. */
struct plan {
    const char *const *options;
    int padding; /* bytes */
    bool drops;  /* the oldest messages may be gone */
};

static void send_next(struct client *c, struct history *h, int padding)
{
    if (h->sent == h->cap) {
        h->cap = 2 * h->cap + 1024;
        h->acknowledged = realloc(h->acknowledged, (size_t)h->cap);
        assert_non_null(h->acknowledged);
    }
    h->acknowledged[h->sent] = 0;
    client_sendf(c,
                 "{\"event\":\"message\",\"data\":{\"to\":\"reader\",\"content\":\"%d %0*d\"},"
                 "\"ref\":%d}",
                 h->sent, padding, 0, h->sent);
    h->sent++;
}

/* Every writer keeps some sends in flight until the server is killed, after `stop` answers in all. */
static void load(struct server *server, struct history *h, int stop, int padding)
{
    struct client c[WRITERS];
    char user[16];
    for (int w = 0; w < WRITERS; w++) {
        snprintf(user, sizeof user, "writer%d", w);
        client_open_as(&c[w], server, user);
        for (int i = 0; i < IN_FLIGHT; i++)
            send_next(&c[w], &h[w], padding);
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
        send_next(&c[w], &h[w], padding);
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

static void ask(struct client *c, int w, const char *position)
{
    client_sendf(c, "{\"event\":\"conversation\",\"data\":{\"id\":\"writer%d\",\"limit\":1000%s}}",
                 w, position);
}

/* Reads the whole conversation, page by page from the newest on: every acknowledged message once,
   every other at most once, ids rising; `drops`: from the oldest that is left on. Returns how many
   were acknowledged. */
static int check(struct server *server, int w, const struct history *h, bool drops)
{
    struct client c;
    char *seen = calloc((size_t)h->sent + 1, 1);
    unsigned long long before = 0, oldest;
    int acknowledged = 0, tries = 0;
    assert_non_null(seen);
    client_open_as(&c, server, "reader");
    do {
        char position[48] = "";
        if (before)
            snprintf(position, sizeof position, ",\"before\":%llu", before);
        ask(&c, w, position);
        while (!client_receive(&c)) { /* what it was to read was dropped under way */
            assert_true(drops && tries++ < 3);
            client_close(&c);
            client_open_as(&c, server, "reader");
            ask(&c, w, position);
        }
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
    int first = 0;
    while (drops && first < h->sent && !seen[first])
        first++;
    for (int i = first; i < h->sent; i++) {
        acknowledged += h->acknowledged[i];
        if (h->acknowledged[i] && !seen[i])
            fail_msg("message %d of writer %d was acknowledged and is missing", i, w);
    }
    free(seen);
    return acknowledged;
}

/* Bytes 48 to 55 of the first segment's head: the place behind it, if it is arranged. */
static bool is_arranged(const struct server *server)
{
    char path[128], head[56];
    snprintf(path, sizeof path, "%s/0000000000000001.seg", server->data);
    FILE *f = fopen(path, "re");
    assert_non_null(f);
    assert_int_equal(fread(head, 1, sizeof head, f), sizeof head);
    fclose(f);
    return memcmp(head + 48, "\0\0\0\0\0\0\0\0", 8) != 0;
}

static bool is_dropped(const struct server *server)
{
    char path[128];
    snprintf(path, sizeof path, "%s/begin", server->data);
    return access(path, F_OK) == 0;
}

static void crash_often(const struct plan *plan)
{
    struct server server;
    struct history h[WRITERS] = {{0}};
    int acknowledged = 0;
    const char *asked = getenv("CRASH_ROUNDS");
    int rounds = asked ? atoi(asked) : ROUNDS;
    server_prepare(&server);
    srand(1);
    for (int round = 0; round < rounds; round++) {
        server_start(&server, plan->options);
        load(&server, h, rand() % 400, plan->padding);
    }
    server_start(&server, plan->options);
    for (int w = 0; w < WRITERS; w++) {
        acknowledged += check(&server, w, &h[w], plan->drops);
        free(h[w].acknowledged);
    }
    assert_true(acknowledged > rounds);
    assert_int_equal(is_dropped(&server), plan->drops);
    bool arranges = !plan->drops && plan->padding > 1;
    for (int64_t end = now_ms() + DEADLINE_MS; arranges && !is_arranged(&server);) {
        assert_true(now_ms() < end);
        poll(NULL, 0, 10);
    }
    assert_true(plan->drops || is_arranged(&server) == arranges);
    print_message("%d acknowledged messages over %d kills, all there\n", acknowledged, rounds);
    server_stop(&server);
}

static void no_acknowledged_message_is_missing_after_kill_9(void **state)
{
    (void)state;
    crash_often(&(struct plan){.options = OPTIONS("--rate", "0"), .padding = 1});
}

static void nor_while_small_segments_are_arranged(void **state)
{
    (void)state;
    crash_often(&(struct plan){.options = OPTIONS("--rate", "0", "--segment-size", "1048576"),
                               .padding = 6000});
}

static void nor_while_old_ones_are_dropped(void **state)
{
    (void)state;
    crash_often(&(struct plan){
        .options = OPTIONS("--rate", "0", "--retain-bytes", "4M"), .padding = 4000, .drops = true});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_acknowledged_message_is_missing_after_kill_9),
        cmocka_unit_test(nor_while_small_segments_are_arranged),
        cmocka_unit_test(nor_while_old_ones_are_dropped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
