/* parley-bench in each of its modes, and suite-bench, both for a moment: that they measure something, not
   what it is. */
#include "../support/folder.h"
#include "../support/program.h"
#include "../support/server.h"
#include "base/exit.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static struct server server;
static char chat_url[64], chat_pid[16], secret_file[128];

static int setup(void **state)
{
    static const char *const options[] = {"--rate", "0", "--max-user-connections", "40", NULL};
    (void)state;
    server_prepare(&server);
    server_start(&server, options);
    snprintf(chat_url, sizeof chat_url, "ws://127.0.0.1:%u/chat", server.port);
    snprintf(chat_pid, sizeof chat_pid, "%d", (int)server.pid);
    snprintf(secret_file, sizeof secret_file, "%s/secret", server.data);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    server_stop(&server);
    return 0;
}

/* The number behind "name": in what comes after "series":{ ; series NULL: in all. */
static double number_of(const char *json, const char *series, const char *name)
{
    char text[64];
    if (series) {
        snprintf(text, sizeof text, "\"%s\":{", series);
        json = strstr(json, text);
    }
    snprintf(text, sizeof text, "\"%s\":", name);
    const char *found = json ? strstr(json, text) : NULL;
    if (!found)
        fail_msg("there is no \"%s\" of \"%s\"", name, series ? series : "all");
    return strtod(found + strlen(text), NULL);
}

/* Runs the load on the chat server; its result is valid until the next one. */
static const char *run_chat(const char *mode, const char *connections, const char *option,
                            const char *value)
{
    static char line[4096];
    const char *const args[] = {mode,       "--url",  chat_url,        "--secret-file", secret_file,
                                "--pid",    chat_pid, "--json",        "--duration",    "0.2",
                                "--warmup", "0.05",   "--connections", connections,     option,
                                value,      NULL};
    struct program p;
    program_start(&p, "parley-bench", args);
    int status = program_wait(&p);
    const char *error = program_error_line(&p);
    if (status != EXIT_CLEAN)
        fail_msg("%s ended with %d: %s", mode, status, error ? error : "");
    const char *found = program_line(&p);
    assert_non_null(found);
    snprintf(line, sizeof line, "%s", found);
    program_free(&p);
    assert_true(number_of(line, NULL, "server_cpu_percent") >= 0);
    return line;
}

static void chat_counts_what_is_acknowledged_and_delivered(void **state)
{
    (void)state;
    const char *line = run_chat("chat", "10", "--pipeline", "4");
    assert_true(number_of(line, "acknowledged", "count") > 0);
    assert_true(number_of(line, "delivered", "count") > 0);
    assert_true(number_of(line, "delivered", "p99.99") > 0);
}

static void chat_speaks_socket_io_as_well(void **state)
{
    (void)state;
    char url[sizeof chat_url];
    memcpy(url, chat_url, sizeof url);
    snprintf(chat_url, sizeof chat_url, "ws://127.0.0.1:%u/socket.io/?EIO=4&transport=websocket",
             server.port);
    const char *line = run_chat("chat", "10", "--protocol", "socketio");
    memcpy(chat_url, url, sizeof url);
    assert_true(number_of(line, "acknowledged", "count") > 0);
    assert_true(number_of(line, "delivered", "count") > 0);
}

static void an_open_loop_keeps_its_rate(void **state)
{
    (void)state;
    const char *line = run_chat("chat", "10", "--rate", "200");
    double count = number_of(line, "acknowledged", "count");
    if (!getenv("PARLEY_WRAP") && (count < 20 || count > 45))
        fail_msg("%.0f messages instead of 40", count);
}

/* Of 40 connections in a closed loop with one message each, those in flight are as many as send: what is
   done in a second times what one takes. */
static void only_the_active_ones_send(void **state)
{
    (void)state;
    const char *line = run_chat("chat", "40", "--active", "2");
    double in_flight = number_of(line, "acknowledged", "per_second") *
                       number_of(line, "acknowledged", "p50") / 1e6;
    assert_true(in_flight > 0);
    if (in_flight > 10)
        fail_msg("%.1f messages are in flight", in_flight);
}

/* One that says where it listens: as a URL. */
static void start_listening(struct program *p, const char *name, const char *const *args,
                            char url[160])
{
    program_start(p, name, args);
    const char *line = program_error_line(p), *found = line ? strstr(line, "listening on ") : NULL;
    assert_non_null(found);
    snprintf(url, 160, "ws://%s/", found + strlen("listening on "));
}

/* A server that stands still for a while delays all that was due meanwhile, in an open loop. */
static void a_stop_of_the_server_counts_for_all_that_was_due(void **state)
{
    static const char *const listen[] = {"--listen", "127.0.0.1:0", NULL};
    struct program echo, bench;
    char url[160];
    (void)state;
    start_listening(&echo, "ws-echo", listen, url);
    const char *const args[] = {"echo",     "--url",  url,    "--json",     "--connections",
                                "10",       "--rate", "1000", "--duration", "0.6",
                                "--warmup", "0",      NULL};
    program_start(&bench, "parley-bench", args);
    usleep(200000); /* into its measured time */
    kill(echo.pid, SIGSTOP);
    usleep(200000); /* what is to be found in its latencies */
    kill(echo.pid, SIGCONT);
    assert_int_equal(program_wait(&bench), EXIT_CLEAN);
    const char *line = program_line(&bench);
    assert_non_null(line);
    if (!getenv("PARLEY_WRAP"))
        assert_true(number_of(line, "echoed", "p90") > 50000);
    program_free(&bench);
    assert_int_equal(program_terminate(&echo), EXIT_CLEAN);
    program_free(&echo);
}

static void fan_out_counts_a_delivery_for_each_device(void **state)
{
    (void)state;
    const char *line = run_chat("fan-out", "11", NULL, NULL);
    double sent = number_of(line, "acknowledged", "count");
    double delivered = number_of(line, "delivered", "count");
    assert_true(sent > 0);
    /* Of those at either end of the measured time some are counted only. */
    if (delivered < (sent - 1) * 10 - 10 || delivered > (sent + 1) * 10 + 10)
        fail_msg("%.0f deliveries of %.0f messages to 10 devices", delivered, sent);
}

static void history_reads_pages_and_snippets(void **state)
{
    (void)state;
    assert_true(number_of(run_chat("history", "2", NULL, NULL), "pages", "count") > 0);
    assert_true(number_of(run_chat("snippets", "2", NULL, NULL), "lists", "count") > 0);
}

static void connect_opens_and_registers_again_and_again(void **state)
{
    (void)state;
    assert_true(number_of(run_chat("connect", "4", NULL, NULL), "connected", "count") > 4);
}

static void idle_tells_what_connections_take(void **state)
{
    (void)state;
    const char *line = run_chat("idle", "200", NULL, NULL);
    assert_true(number_of(line, NULL, "pss_each") < 65536);
    number_of(line, NULL, "kernel_each");
}

static void a_mixed_day_has_talks_readers_and_lost_connections(void **state)
{
    static const char *const series[] = {"acknowledged", "delivered", "read", "reconnected"};
    (void)state;
    const char *line = run_chat("mixed", "40", "--rate", "2000");
    for (size_t i = 0; i < sizeof series / sizeof *series; i++)
        assert_true(number_of(line, series[i], "count") > 0);
}

/* Runs the load on a floor of floor-bench, and looks for what ended there. */
static void expect_floor(const char *mode, const char *file, const char *const *load, size_t n,
                         const char *series)
{
    const char *const floor_args[] = {mode, file, NULL};
    const char *args[16] = {load[0], "--json", "--duration", "0.2", "--warmup", "0.05", "--url"};
    struct program floor, bench;
    char url[160];
    start_listening(&floor, "floor-bench", floor_args, url);
    args[7] = url;
    for (size_t i = 1; i < n; i++)
        args[7 + i] = load[i];
    program_start(&bench, "parley-bench", args);
    assert_int_equal(program_wait(&bench), EXIT_CLEAN);
    const char *line = program_line(&bench);
    assert_non_null(line);
    assert_true(number_of(line, series, "count") > 0);
    program_free(&bench);
    kill(floor.pid, SIGKILL);
    program_wait(&floor);
    program_free(&floor);
}

static void the_floors_answer_what_a_chat_server_does(void **state)
{
    static const char *const chat[] = {"chat", "--protocol", "tcp", "--connections", "4"};
    const char *const connect[] = {"connect", "--secret-file", secret_file};
    struct folder folder;
    char blocks[300];
    (void)state;
    folder_make(&folder);
    snprintf(blocks, sizeof blocks, "%s/blocks", folder.path);
    expect_floor("chat", NULL, chat, 5, "acknowledged");
    expect_floor("chat", blocks, chat, 5, "delivered");
    expect_floor("register", NULL, connect, 3, "connected");
    assert_int_equal(unlink(blocks), 0);
    assert_int_equal(rmdir(folder.path), 0);
}

static void the_suite_writes_its_report(void **state)
{
    struct folder folder;
    struct program p;
    char report[300];
    (void)state;
    if (getenv("PARLEY_WRAP")) {
        print_message("the suite is not run under Valgrind\n");
        skip();
    }
    folder_make(&folder);
    snprintf(report, sizeof report, "%s/report.html", folder.path);
    /* Without peers: the floors are still there. In 10 ms a busy machine may get nothing done. */
    static const char *const times[] = {"10", "50", "250"};
    bool echo = false;
    for (int i = 0; i < 3 && !echo; i++) {
        const char *const args[] = {"--quick", "--ms",      times[i], "--idle",    "50",
                                    "--peers", folder.path, "--dir",  folder.path, "--report",
                                    report,    "--json",    NULL};
        program_start(&p, "suite-bench", args);
        assert_int_equal(program_wait(&p), EXIT_CLEAN);
        for (const char *line; (line = program_line(&p));)
            echo |= strstr(line, "\"echo, 20 B, 100 connections\"") && strstr(line, "floor");
        program_free(&p);
    }
    assert_true(echo);
    FILE *f = fopen(report, "r");
    static char text[1 << 18];
    assert_non_null(f);
    assert_true(fread(text, 1, sizeof text - 1, f) > 1000);
    fclose(f);
    assert_non_null(strstr(text, "<svg "));
    assert_int_equal(unlink(report), 0);
    assert_int_equal(rmdir(folder.path), 0);
}

static void every_part_of_the_core_is_measured(void **state)
{
    static const char *const parts[] = {"envelope", "utf8", "frame", "crc32c",  "token", "hub",
                                        "append",   "page", "SHA-1", "SHA-256", "unmask"};
    static const char *const args[] = {"--quick", "--json", NULL};
    bool found[sizeof parts / sizeof *parts] = {false};
    struct program p;
    (void)state;
    if (getenv("PARLEY_WRAP")) {
        print_message("micro-bench is not run under Valgrind\n");
        skip();
    }
    program_start(&p, "micro-bench", args);
    for (const char *line; (line = program_line(&p));)
        for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
            found[i] = found[i] || (strstr(line, parts[i]) && strstr(line, "\"unit\":\"ns\""));
    assert_int_equal(program_wait(&p), EXIT_CLEAN);
    program_free(&p);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (!found[i])
            fail_msg("\"%s\" was not measured", parts[i]);
}

int main(int argc, char **argv)
{
    (void)argc;
    program_init(argv[0]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chat_counts_what_is_acknowledged_and_delivered),
        cmocka_unit_test(chat_speaks_socket_io_as_well),
        cmocka_unit_test(an_open_loop_keeps_its_rate),
        cmocka_unit_test(only_the_active_ones_send),
        cmocka_unit_test(a_stop_of_the_server_counts_for_all_that_was_due),
        cmocka_unit_test(fan_out_counts_a_delivery_for_each_device),
        cmocka_unit_test(history_reads_pages_and_snippets),
        cmocka_unit_test(connect_opens_and_registers_again_and_again),
        cmocka_unit_test(idle_tells_what_connections_take),
        cmocka_unit_test(a_mixed_day_has_talks_readers_and_lost_connections),
        cmocka_unit_test(the_floors_answer_what_a_chat_server_does),
        cmocka_unit_test(the_suite_writes_its_report),
        cmocka_unit_test(every_part_of_the_core_is_measured),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
