/* log: levels, the sink, the line on standard error; untrusted text made printable. */
#include "../support/guard.h"
#include "base/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct lines {
    unsigned n;
    enum log_level level;
    char last[2048];
};

static void keep(void *ctx, enum log_level level, const char *line)
{
    struct lines *lines = ctx;
    lines->n++;
    lines->level = level;
    snprintf(lines->last, sizeof lines->last, "%s", line);
}

static void what_is_above_the_level_is_dropped(void **state)
{
    (void)state;
    struct lines lines = {0};
    struct log log = {.sink = keep, .ctx = &lines, .program = "test"};
    for (int at = LOG_ERROR; at <= LOG_DEBUG; at++) {
        for (int level = LOG_ERROR; level <= LOG_DEBUG; level++) {
            lines.n = 0;
            log.level = (enum log_level)at;
            log_write(&log, (enum log_level)level, "%s %d", "line", level);
            assert_int_equal(lines.n, level <= at);
            if (lines.n) {
                char expected[32];
                snprintf(expected, sizeof expected, "line %d", level);
                assert_string_equal(lines.last, expected);
                assert_int_equal(lines.level, level);
            }
        }
    }
}

static void write_into(int fd, const struct log *log, const char *text)
{
    int real = dup(STDERR_FILENO);
    assert_true(real >= 0 && dup2(fd, STDERR_FILENO) >= 0);
    log_write(log, LOG_ERROR, "%s", text);
    assert_true(dup2(real, STDERR_FILENO) >= 0);
    close(real);
    close(fd);
}

/* What log_write puts on standard error, which is a pipe for the while. */
static void capture(char out[4096], const struct log *log, const char *text)
{
    int pipes[2];
    assert_int_equal(pipe(pipes), 0);
    write_into(pipes[1], log, text);
    ssize_t n = read(pipes[0], out, 4095);
    assert_true(n >= 0);
    out[n] = 0;
    close(pipes[0]);
}

static void without_a_sink_a_line_goes_to_standard_error_after_the_program(void **state)
{
    (void)state;
    struct log log = {.level = LOG_INFO, .program = "test"};
    char got[4096];
    capture(got, &log, "something happened");
    assert_string_equal(got, "test: error: something happened\n");
}

static void a_long_line_is_cut_and_still_ends_in_a_newline(void **state)
{
    (void)state;
    struct log log = {.level = LOG_INFO, .program = "test"};
    char got[4096], text[3000];
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = 0;
    capture(got, &log, text);
    assert_true(strlen(got) <= 1024 && strlen(got) > 1000);
    assert_int_equal(got[strlen(got) - 1], '\n');
    assert_ptr_equal(strchr(got, '\n'), got + strlen(got) - 1);

    char program[1024]; /* no room for a text behind it */
    memset(program, 'p', sizeof program);
    program[sizeof program - 1] = 0;
    log.program = program;
    capture(got, &log, "text");
    assert_string_equal(got, "");
}

static void a_line_that_nobody_reads_is_not_the_end_of_the_process(void **state)
{
    (void)state;
    struct log log = {.level = LOG_INFO, .program = "test"};
    int pipes[2];
    assert_int_equal(pipe(pipes), 0);
    close(pipes[0]);
    write_into(pipes[1], &log, "something happened"); /* no SIGPIPE */
}

static void the_names_of_the_levels_are_known(void **state)
{
    (void)state;
    assert_int_equal(log_level_parse("error"), LOG_ERROR);
    assert_int_equal(log_level_parse("warn"), LOG_WARN);
    assert_int_equal(log_level_parse("info"), LOG_INFO);
    assert_int_equal(log_level_parse("debug"), LOG_DEBUG);
    assert_int_equal(log_level_parse(""), -1);
    assert_int_equal(log_level_parse("warning"), -1);
    assert_int_equal(log_level_parse("Info"), -1);
}

static void untrusted_text_cannot_forge_a_line_or_drive_a_terminal(void **state)
{
    (void)state;
    struct log_text text;
    assert_string_equal(log_safe(&text, SLICE("plain ~text")), "plain ~text");
    assert_string_equal(log_safe(&text, slice_of(NULL, 0)), "");
    assert_string_equal(log_safe(&text, SLICE("a\nb\x1b[2J\x7f\xff\\x41")), "a\\x0ab\\x1b["
                                                                            "2J\\x7f\\xff\\x5cx41");
    struct guard g;
    guard_init(&g, 256);
    uint8_t *bytes = guard_tail(&g, 256);
    for (size_t i = 0; i < 256; i++)
        bytes[i] = (uint8_t)i;
    for (size_t at = 0; at < 256; at++) {
        const char *safe = log_safe(&text, slice_of(bytes + at, 1));
        assert_true(strlen(safe) == 1 || strlen(safe) == 4);
        for (; *safe; safe++)
            assert_true(*safe >= 0x20 && *safe < 0x7f);
    }
    guard_fini(&g);
}

static void at_most_64_bytes_are_shown(void **state)
{
    (void)state;
    struct guard g;
    guard_init(&g, 100);
    struct log_text text;
    uint8_t *worst = guard_tail(&g, 64);
    memset(worst, 0xff, 64);
    assert_int_equal(strlen(log_safe(&text, slice_of(worst, 64))), 256);
    worst = guard_tail(&g, 65);
    memset(worst, 0xff, 65);
    const char *safe = log_safe(&text, slice_of(worst, 65));
    assert_int_equal(strlen(safe), 259);
    assert_string_equal(safe + 256, "...");
    guard_fini(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_above_the_level_is_dropped),
        cmocka_unit_test(without_a_sink_a_line_goes_to_standard_error_after_the_program),
        cmocka_unit_test(a_long_line_is_cut_and_still_ends_in_a_newline),
        cmocka_unit_test(a_line_that_nobody_reads_is_not_the_end_of_the_process),
        cmocka_unit_test(the_names_of_the_levels_are_known),
        cmocka_unit_test(untrusted_text_cannot_forge_a_line_or_drive_a_terminal),
        cmocka_unit_test(at_most_64_bytes_are_shown),
    };
    return cmocka_run_group_tests_name("base_log", tests, NULL, NULL);
}
