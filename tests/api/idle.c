/* A server that has nothing to do does nothing: it writes nothing, and hardly ever wakes. */
#include "../support/client.h"
#include "../support/test.h"

#include <dirent.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OPTIONS(...) ((const char *const[]){__VA_ARGS__, NULL})
#define CLIENTS 20
#define WINDOW_S 12 /* longer than it takes until each client has been looked at */

/* ThreadSanitizer has a thread of its own; so has Valgrind. */
#ifdef __SANITIZE_THREAD__
#define WAKES_BY_ITSELF true
#else
#define WAKES_BY_ITSELF false
#endif

static struct server server;

/* The number behind that name in a file of /proc. */
static uint64_t number_in(const char *path, const char *name)
{
    char text[4096];
    FILE *f = fopen(path, "re");
    if (!f)
        return 0; /* a thread that has ended */
    text[fread(text, 1, sizeof text - 1, f)] = 0;
    fclose(f);
    const char *found = strstr(text, name);
    assert_non_null(found);
    return strtoull(found + strlen(name), NULL, 10);
}

/* How often its threads have gone to sleep, which is how often they woke. */
static uint64_t wakes(void)
{
    char folder[64], path[384];
    uint64_t all = 0;
    struct dirent *entry;
    snprintf(folder, sizeof folder, "/proc/%d/task", (int)server.pid);
    DIR *d = opendir(folder);
    assert_non_null(d);
    while ((entry = readdir(d)) != NULL) {
        snprintf(path, sizeof path, "%s/%s/status", folder, entry->d_name);
        if (*entry->d_name != '.')
            all += number_in(path, "\nvoluntary_ctxt_switches:");
    }
    closedir(d);
    return all;
}

static uint64_t written(const char *what)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/io", (int)server.pid);
    return number_in(path, what);
}

/* Nobody says anything meanwhile. */
static void wait_for_silence(struct client *c, int ms)
{
    struct pollfd p[CLIENTS];
    for (int i = 0; i < CLIENTS; i++)
        p[i] = (struct pollfd){.fd = c[i].fd, .events = POLLIN};
    assert_int_equal(poll(p, CLIENTS, ms), 0);
}

static void with_idle_clients_it_writes_nothing_and_wakes_less_than_once_a_second(void **state)
{
    (void)state;
    struct client c[CLIENTS];
    char name[16];
    if (getenv("PARLEY_WRAP") || WAKES_BY_ITSELF) {
        print_message("not of the server alone: not tried\n");
        skip();
    }
    server_prepare(&server);
    server_start(&server, OPTIONS("--confine", "off"));
    for (int i = 0; i < CLIENTS; i++) {
        snprintf(name, sizeof name, "u%d", i);
        client_open_as(&c[i], &server, name);
        if (i)
            client_sendf(&c[i], "{\"event\":\"message\",\"data\":{\"to\":\"x\",\"content\":\"hi\"}"
                                "}");
        if (i)
            client_expect(&c[i], "*success*");
        poll(NULL, 0, 1000 / CLIENTS); /* they come one by one, each at another part of a second */
    }
    wait_for_silence(c, 1000);
    uint64_t woken = wakes(), calls = written("syscw: "), bytes = written("wchar: ");
    wait_for_silence(c, WINDOW_S * 1000);
    woken = wakes() - woken;
    print_message("%d wake-ups in %d s\n", (int)woken, WINDOW_S);
    assert_true(woken <= WINDOW_S);
    assert_int_equal(written("syscw: "), calls);
    assert_int_equal(written("wchar: "), bytes);
    for (int i = 0; i < CLIENTS; i++)
        client_close(&c[i]);
    server_stop(&server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(with_idle_clients_it_writes_nothing_and_wakes_less_than_once_a_second),
    };
    return cmocka_run_group_tests_name("idle", tests, NULL, NULL);
}
