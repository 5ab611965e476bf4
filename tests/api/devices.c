/*
 * Two devices of one user while messages pour in: one of them loses its connection again and again, and
 * resumes. Every message is ann's, so each device has to see the ids 1, 2, 3, ... without a gap and without
 * a double. DEVICES_MESSAGES=N: another number of messages, a hundredth of it are disconnections.
 */
#include "../support/client.h"
#include "../support/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OPTIONS(...) ((const char *const[]){__VA_ARGS__, NULL})
#define BURST 64

struct device {
    struct client c;
    uint64_t last;  /* id */
    uint64_t *seen; /* by id: what stands for the message, all its bytes; 0: it was its own */
    uint64_t replays;
    bool registered;
};

static struct server server;
static unsigned seed = 1;

static unsigned any(unsigned n)
{
    seed = seed * 1103515245 + 12345;
    return seed / 65536 % n;
}

static int start(void **state)
{
    (void)state;
    server_prepare(&server);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    server_stop(&server);
    return 0;
}

static uint64_t id_in(const char *text)
{
    const char *id = strstr(text, "\"id\":");
    if (!id)
        fail_msg("there is no id in %s", text);
    return strtoull(id + 5, NULL, 10);
}

static uint64_t sum_of(const char *text)
{
    uint64_t sum = 14695981039346656037u; /* FNV-1a */
    const char *p = strstr(text, "\"data\":{\"id\""), *end = p ? strstr(p, ",\"date\":") : NULL;
    for (; p && end && (p < end || *p != '}'); p++)
        sum = (sum ^ (uint8_t)*p) * 1099511628211u;
    return p ? sum : 0;
}

/* Takes the next frame. What it sent itself it knows from the answer, or from a replay. */
static void take(struct device *d)
{
    assert_true(client_receive(&d->c));
    if (!d->registered) {
        if (!matches("{\"event\":\"registerMessages\",\"data\":\"OK\",\"meta\":{\"user\":\"ann\","
                     "\"last\":*",
                     d->c.text) ||
            strstr(d->c.text, "\"gap\""))
            fail_msg("instead of an OK without a gap: %s", d->c.text);
        d->registered = true;
        return;
    }
    uint64_t id = id_in(d->c.text);
    if (id != d->last + 1)
        fail_msg("behind %llu comes %s", (unsigned long long)d->last, d->c.text);
    d->last = id;
    d->seen[id] = sum_of(d->c.text);
    d->replays += strstr(d->c.text, "\"meta\":{\"replay\":true}") != NULL;
}

static void take_all(struct device *d)
{
    while (client_has(&d->c))
        take(d);
}

static void connect_device(struct device *d)
{
    client_open(&d->c, server.port);
    client_sendf(&d->c,
                 "{\"event\":\"registerMessages\",\"data\":{\"token\":\"%s\",\"since\":%llu}}",
                 server_token(&server, "ann"), (unsigned long long)d->last);
    d->registered = false;
}

static void say(struct client *c, const char *to, int n)
{
    /* Long enough that a replay takes more than one turn of the server's. */
    client_sendf(c, "{\"event\":\"message\",\"data\":{\"to\":\"%s\",\"content\":\"%0800d\"}}", to,
                 n);
}

/* Whatever its state: in the middle of a replay, with half of it unread, with an answer under way. */
static void lose_connection(struct device *d, int i)
{
    for (unsigned n = any(BURST); n && client_has(&d->c); n--)
        take(d);
    if (any(2))
        say(&d->c, "bob", i);
    client_close(&d->c);
    connect_device(d);
}

static void a_device_that_comes_and_goes_misses_nothing_and_sees_nothing_twice(void **state)
{
    (void)state;
    const char *wanted = getenv("DEVICES_MESSAGES");
    const int messages = wanted ? atoi(wanted) : 20000, losses = messages / 100;
    static const char *const names[] = {"bob", "cleo", "dan"};
    struct device steady = {.last = 0}, loose = {.last = 0};
    const size_t room = (size_t)messages + 1000;
    struct client writers[3];
    int sent = 0, lost = 0, unanswered[3] = {0};
    steady.seen = calloc(room, sizeof *steady.seen);
    loose.seen = calloc(room, sizeof *loose.seen);
    assert_true(steady.seen && loose.seen);
    server_start(&server, OPTIONS("--rate", "0", "--segment-size", "1048576"));
    for (int i = 0; i < 3; i++)
        client_open_as(&writers[i], &server, names[i]);
    connect_device(&steady);
    connect_device(&loose);
    while (sent < messages) {
        unsigned w = any(3);
        for (unsigned n = any(BURST); n && sent < messages; n--) {
            say(&writers[w], "ann", sent++);
            unanswered[w]++;
        }
        if (any(4) == 0)
            say(&steady.c, names[any(3)], sent++);
        /* More than 1,000 would be a gap. */
        while (steady.last > loose.last + 600)
            take(&loose);
        while (lost * (int64_t)messages < sent * (int64_t)losses) {
            lose_connection(&loose, sent++);
            lost++;
        }
        for (unsigned n = any(2 * BURST); n && client_has(&loose.c); n--)
            take(&loose);
        take_all(&steady);
        for (int i = 0; i < 3; i++)
            for (; unanswered[i] > BURST || client_has(&writers[i]);
                 unanswered[i] -= strstr(writers[i].text, "success") != NULL)
                assert_true(client_receive(&writers[i]));
    }
    /* An answer to each of them: all in front of it is stored. */
    for (int i = 0; i < 3; i++) {
        client_send(&writers[i], "{\"event\":\"message\",\"data\":{\"to\":\"ann\",\"content\":"
                                 "\"end\"},\"ref\":\"end\"}");
        do
            assert_true(client_receive(&writers[i]));
        while (!strstr(writers[i].text, "\"ref\":\"end\""));
    }
    client_send(&steady.c, "{\"event\":\"message\",\"data\":{\"to\":\"ann\",\"content\":\"end\"},"
                           "\"ref\":\"end\"}");
    do
        take(&steady);
    while (!strstr(steady.c.text, "\"ref\":\"end\""));
    while (loose.last < steady.last)
        take(&loose);
    client_expect_nothing(&steady.c);
    client_expect_nothing(&loose.c);
    assert_true(lost >= losses && loose.replays > 0 && steady.replays == 0);
    for (uint64_t id = 1; id <= steady.last; id++)
        if (steady.seen[id] && loose.seen[id])
            assert_true(steady.seen[id] == loose.seen[id]);
    for (int i = 0; i < 3; i++)
        client_close(&writers[i]);
    if (wanted)
        print_message("%llu messages, %d disconnections, %llu replayed\n",
                      (unsigned long long)loose.last, lost, (unsigned long long)loose.replays);
    free(steady.seen);
    free(loose.seen);
    client_close(&steady.c);
    client_close(&loose.c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            a_device_that_comes_and_goes_misses_nothing_and_sees_nothing_twice, start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
