/*
 * rfc6455: the cases of cases.h against a real ws-echo and the /chat of a real parleyd.
 *
 * With --table it prints one row for each; with --full also those that take many thousand writes.
 * Chops go through a unix socket, each when the one before has been taken: so the server reads
 * every one by itself. Where they are too many for that, they go through TCP as they are.
 */
#include "../support/client.h"
#include "../support/folder.h"
#include "../support/program.h"
#include "../support/test.h"
#include "cases.h"
#include "script.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX_PACED 300   /* chops that wait for one another */
#define MAX_CHOPS 20000 /* of a case without --full */

/* The servers under test, each on TCP and on a unix socket. */
static struct target {
    enum where where;
    const char *name;
    uint16_t port;
    char path[96];
    struct program echo; /* the two ws-echo */
} targets[] = {{.where = ECHO, .name = "ws-echo"},
               {.where = SMALL, .name = "small"},
               {.where = CHAT, .name = "chat"}};

#define TARGETS (sizeof targets / sizeof *targets)

static struct server server;
static char folder[64];

/* One case at one target: a test. */
struct run {
    const struct conformance_case *k;
    struct target *target;
    char name[48];
    char *got; /* NULL: it has not come so far */
    bool passed;
};

static struct run *runs;
static size_t runs_n, left_out;
static struct buf wire; /* the bytes of the case under way */

/* ---- the servers ------------------------------------------------------------------------- */

static void start_echo(struct target *t, const char *max_frame)
{
    char address[128];
    snprintf(t->path, sizeof t->path, "%s/%s", folder, t->name);
    snprintf(address, sizeof address, "unix:%s", t->path);
    program_start(&t->echo, "ws-echo",
                  (const char *const[]){"--listen", "127.0.0.1:0", "--listen", address,
                                        "--max-frame", max_frame, NULL});
    const char *line = program_error_line(&t->echo);
    assert_non_null(line);
    t->port = (uint16_t)atoi(strrchr(line, ':') + 1);
    assert_non_null(program_error_line(&t->echo));
}

static int start(void **state)
{
    struct target *chat = &targets[2];
    char address[128];
    (void)state;
    folder_make_path(folder);
    start_echo(&targets[0], "16777216");
    start_echo(&targets[1], "1000");
    server_prepare(&server);
    snprintf(chat->path, sizeof chat->path, "%s/chat", folder);
    snprintf(address, sizeof address, "unix:%s", chat->path);
    server_start(&server, (const char *const[]){"--rate", "0", "--listen", "127.0.0.1:0",
                                                "--listen", address, NULL});
    server_wait_text(&server, address);
    chat->port = server.port;
    return 0;
}

static int stop(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(program_terminate(&targets[i].echo), 0);
        program_free(&targets[i].echo);
    }
    server_stop(&server);
    folder_remove_path(folder);
    buf_free(&wire);
    return 0;
}

/* ---- one case ---------------------------------------------------------------------------- */

static void send_chops(struct client *c, size_t chop, bool paced)
{
    for (size_t at = 0; at < wire.n; at += chop) {
        client_send_raw(c, wire.p + at, wire.n - at < chop ? wire.n - at : chop);
        if (paced)
            client_wait_taken(c);
    }
}

static void send_script(struct client *c, const struct run *r, const char *script)
{
    size_t chop = r->k->chop;
    buf_clear(&wire);
    script_encode(&wire, script);
    bool paced = chop && wire.n / chop < MAX_PACED;
    if (paced)
        client_connect_unix(c, r->target->path);
    else
        client_connect(c, r->target->port);
    client_upgrade(c);
    send_chops(c, chop ? chop : wire.n + 1, paced);
}

/* All that comes until the end, in words. */
static char *receive_words(struct client *c, bool without_texts)
{
    struct buf words = {0};
    struct slice payload;
    uint8_t first;
    bool closed = false;
    while (client_frame(c, &first, &payload)) {
        if (first != 0x81 || !without_texts)
            script_tell(&words, first, payload);
        closed |= first == 0x88;
    }
    if (!closed)
        buf_printf(&words, words.n ? " EOF" : "EOF");
    buf_append(&words, "", 1);
    assert_false(words.failed);
    return (char *)words.p;
}

/* What the case expects here. */
static char *expected_words(const struct run *r)
{
    const char *expect = r->k->expect;
    bool ends = strchr(expect, 'X') || strstr(expect, "EOF");
    char *all, *rest = NULL;
    struct buf words = {0};
    assert_true(asprintf(&all, "%s%s", expect, ends ? "" : " X1000") >= 0);
    for (char *word = strtok_r(all, " ", &rest); word; word = strtok_r(NULL, " ", &rest))
        if (*word != 'T' || r->target->where != CHAT)
            buf_printf(&words, words.n ? " %s" : "%s", word);
    buf_append(&words, "", 1);
    free(all);
    assert_false(words.failed);
    return (char *)words.p;
}

static void one_case(void **state)
{
    static bool
        in_vain; /* a case waited: this server is wrong, not slow, and is waited for no more */
    struct run *r = *state;
    struct client c;
    char *expected = expected_words(r), *script;
    bool ends = strchr(r->k->expect, 'X'), stops = strstr(r->k->expect, "EOF");
    assert_true(asprintf(&script, "%s%s", r->k->send, ends || stops ? "" : " X1000") >= 0);
    send_script(&c, r, script);
    if (stops)
        shutdown(c.fd, SHUT_WR);
    c.patience_ms = in_vain ? 300 : 0;
    in_vain = true;
    r->got = receive_words(&c, r->target->where == CHAT);
    in_vain = c.patience_ms != 0;
    r->passed = strcmp(r->got, expected) == 0;
    client_close(&c);
    free(script);
    if (!r->passed)
        print_error("%s: %s\n  sent %.300s\n  expected %.300s\n  got %.300s\n", r->name, r->k->what,
                    r->k->send, expected, r->got);
    free(expected);
    assert_true(r->passed);
}

/* ---- all of them ------------------------------------------------------------------------- */

/* /chat closes at a binary message. */
static bool has_binary(const char *script)
{
    for (const char *p = script; *p; p++)
        if ((p == script || p[-1] == ' ') && (*p == 'b' || *p == 'B'))
            return true;
    return false;
}

static bool makes_sense(const struct conformance_case *k, const struct target *t, bool full)
{
    if (!(k->where & t->where) || (t->where == CHAT && k->where != CHAT && has_binary(k->send)))
        return false;
    /* Valgrind takes minutes for them, and learns nothing that the smaller ones do not show. */
    if (getenv("PARLEY_WRAP") && (k->id[0] == '9' || k->chop > 1))
        return left_out++, false;
    if (k->chop && !full && k->send[1] == '*' &&
        strtoul(k->send + 2, NULL, 10) / k->chop > MAX_CHOPS)
        return left_out++, false;
    return true;
}

static struct CMUnitTest *make_tests(bool full)
{
    size_t n;
    struct conformance_case *cases = cases_make(&n);
    runs = calloc(n * TARGETS, sizeof *runs);
    struct CMUnitTest *tests = calloc(n * TARGETS, sizeof *tests);
    assert_true(runs && tests);
    for (size_t i = 0; i < n; i++)
        for (size_t t = 0; t < TARGETS; t++) {
            if (!makes_sense(&cases[i], &targets[t], full))
                continue;
            struct run *r = &runs[runs_n];
            *r = (struct run){.k = &cases[i], .target = &targets[t]};
            snprintf(r->name, sizeof r->name, "%s %s", cases[i].id, targets[t].name);
            tests[runs_n++] =
                (struct CMUnitTest){.name = r->name, .test_func = one_case, .initial_state = r};
        }
    return tests;
}

static void print_table(FILE *out)
{
    size_t passed = 0;
    fprintf(out, "%-9s %-7s %-6s %-46s %5s %-34s %-24s %-24s %s\n", "id", "at", "RFC", "what",
            "chops", "sent", "expected", "got", "");
    for (size_t i = 0; i < runs_n; i++) {
        const struct run *r = &runs[i];
        char *expected = expected_words(r), chop[24] = "";
        if (r->k->chop)
            snprintf(chop, sizeof chop, "%zu", r->k->chop);
        fprintf(out, "%-9s %-7s %-6s %-46.46s %5s %-34.34s %-24.24s %-24.24s %s\n", r->k->id,
                r->target->name, r->k->section, r->k->what, chop, r->k->send, expected,
                r->got ? r->got : "", r->passed ? "pass" : "FAIL");
        if (!r->passed)
            fprintf(out, "  sent     %s\n  expected %s\n  got      %s\n", r->k->send, expected,
                    r->got ? r->got : "nothing in time");
        passed += r->passed;
        free(expected);
    }
    fprintf(out, "\n%zu cases: %zu passed, %zu failed", runs_n, passed, runs_n - passed);
    if (left_out)
        fprintf(out, "; %zu of many thousand chops left out (--full runs them)", left_out);
    fprintf(out, "\n");
}

int main(int argc, char **argv)
{
    bool table = false, full = false;
    FILE *out = NULL;
    for (int i = 1; i < argc; i++) {
        table |= strcmp(argv[i], "--table") == 0;
        full |= strcmp(argv[i], "--full") == 0;
    }
    program_init(argv[0]);
    if (table) { /* in place of what cmocka prints */
        out = fdopen(dup(STDOUT_FILENO), "w");
        if (!out || !freopen("/dev/null", "w", stdout) || !freopen("/dev/null", "w", stderr))
            return 71;
    }
    struct CMUnitTest *tests = make_tests(full);
    int failed = _cmocka_run_group_tests("rfc6455", tests, runs_n, start, stop);
    if (table) {
        print_table(out);
        fclose(out);
    } else if (left_out) {
        printf("skipped: %zu cases of many thousand chops, or too slow under Valgrind\n", left_out);
    }
    for (size_t i = 0; i < runs_n; i++)
        free(runs[i].got);
    free(runs);
    free(tests);
    cases_free();
    return failed != 0;
}
