/* config: the defaults, the limits of every option, and the file beside the command line. */
#include "../support/folder.h"
#include "server/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct config config;
static struct args_error error;

/* The words behind "parleyd", blanks between them. */
static enum config_result parse(const char *words)
{
    static char line[1024];
    static char program[] = "parleyd";
    char *argv[64] = {program};
    int argc = 1;
    snprintf(line, sizeof line, "%s", words);
    for (char *word = strtok(line, " "); word && argc < 63; word = strtok(NULL, " "))
        argv[argc++] = word;
    return config_parse(&config, argc, argv, NULL, &error);
}

static void the_defaults_are_those_of_the_help(void **state)
{
    (void)state;
    assert_int_equal(parse(""), CONFIG_OK);
    assert_int_equal(config.listen.n, 1);
    assert_string_equal(config.listen.items[0], "127.0.0.1:8080");
    assert_string_equal(config.data, "data");
    assert_null(config.secret_file);
    assert_int_equal(config.sync, STORE_SYNC_ALWAYS);
    assert_int_equal(config.origins.n, 0);
    assert_int_equal(config.trusted_n, 0);
    assert_null(config.admin);
    assert_null(config.user);
    assert_int_equal(config.confine, CONFINE_YES);
    assert_false(config.demo);
    assert_int_equal(config.max_connections, 0);
    assert_int_equal(config.max_user_connections, 32);
    assert_int_equal(config.max_frame, 65536);
    assert_int_equal(config.max_content, 16384);
    assert_int_equal(config.max_queue, 1048576);
    assert_int_equal(config.max_memory, 1u << 30);
    assert_int_equal(config.segment_size, 128 << 20);
    assert_int_equal(config.retain_bytes, 0);
    assert_int_equal(config.retain_days, 0);
    assert_true(config.prepare_segments && config.arrange_segments);
    assert_int_equal(config.rate, 100);
    assert_int_equal(config.idle_timeout, 45);
    assert_int_equal(config.drain, 3);
    assert_int_equal(config.log_level, LOG_INFO);
    assert_null(config.file);
    config_free(&config);
}

static void every_option_reaches_its_field(void **state)
{
    (void)state;
    assert_int_equal(parse("--listen a:1 --listen=unix:s --data d --secret-file s --sync 250 "
                           "--origin https://a --origin=* --admin b:2 --demo --user u "
                           "--confine require --trusted-proxy unix --trusted-proxy 10.0.0.0/8 "
                           "--max-connections 1000 --max-user-connections 7 --max-frame 2048 "
                           "--max-content 99 --max-queue 5000 --max-memory 7 --rate 0 "
                           "--retain-bytes 64M --retain-days 30 --prepare-segments no "
                           "--arrange-segments no --segment-size 2000000 "
                           "--idle-timeout 3 --drain 0 "
                           "--log-level debug"),
                     CONFIG_OK);
    assert_int_equal(config.listen.n, 2);
    assert_string_equal(config.listen.items[1], "unix:s");
    assert_string_equal(config.data, "d");
    assert_string_equal(config.secret_file, "s");
    assert_int_equal(config.sync, STORE_SYNC_TIMED);
    assert_int_equal(config.sync_ms, 250);
    assert_int_equal(config.origins.n, 2);
    assert_string_equal(config.origins.items[0], "https://a");
    assert_string_equal(config.admin, "b:2");
    assert_int_equal(config.trusted_n, 2);
    assert_int_equal(config.trusted[0].bits, 128);
    assert_int_equal(config.trusted[1].bits, 96 + 8);
    assert_int_equal(config.confine, CONFINE_REQUIRE);
    assert_true(config.demo);
    assert_string_equal(config.user, "u");
    assert_int_equal(config.max_connections, 1000);
    assert_int_equal(config.max_user_connections, 7);
    assert_int_equal(config.max_frame, 2048);
    assert_int_equal(config.max_content, 99);
    assert_int_equal(config.max_queue, 5000);
    assert_int_equal(config.max_memory, 7);
    assert_int_equal(config.segment_size, 2000000);
    assert_int_equal(config.retain_bytes, 64 << 20);
    assert_int_equal(config.retain_days, 30);
    assert_false(config.prepare_segments || config.arrange_segments);
    assert_int_equal(config.rate, 0);
    assert_int_equal(config.idle_timeout, 3);
    assert_int_equal(config.drain, 0);
    assert_int_equal(config.log_level, LOG_DEBUG);
    config_free(&config);
}

static void numbers_are_taken_from_their_least_to_their_most(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint32_t min, max;
    } numbers[] = {
        {"max-connections", 1, 10000000},
        {"max-user-connections", 1, 100000},
        {"max-frame", 1024, 1 << 20},
        {"max-content", 1, 128 << 10},
        {"max-queue", 4096, 1 << 30},
        {"rate", 0, 1000000},
        {"idle-timeout", 2, 86400},
        {"retain-days", 1, 36500},
        {"drain", 0, 3600},
    };
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        const int64_t values[] = {numbers[i].min, numbers[i].max, (int64_t)numbers[i].min - 1,
                                  (int64_t)numbers[i].max + 1};
        for (size_t k = 0; k < 4; k++) {
            char words[64], expected[128];
            snprintf(words, sizeof words, "--%s=%lld", numbers[i].name, (long long)values[k]);
            assert_int_equal(parse(words), k < 2 ? CONFIG_OK : CONFIG_BAD);
            snprintf(expected, sizeof expected, "%s: \"%lld\" is not a whole number from %u to %u",
                     numbers[i].name, (long long)values[k], numbers[i].min, numbers[i].max);
            if (k >= 2)
                assert_string_equal(error.text, expected);
            config_free(&config);
        }
    }
}

static void sizes_may_have_a_unit(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t bytes; /* 0: refused */
    } sizes[] = {
        {"2097152", 2097152},
        {"3000000000", 3000000000},
        {"4096K", 4 << 20},
        {"64M", 64 << 20},
        {"2G", UINT64_C(2) << 30},
        {"8000000000G", UINT64_C(8000000000) << 30},
        {"1125899906842623", 1125899906842623},
        {"2M", 2 << 20},
        {"1125899906842624", 0},
        {"99999999999999999999", 0},
        {"8589934592G", 0},
        {"64m", 0},
        {"64MB", 0},
        {"M", 0},
        {"-1", 0},
        {"1.5G", 0},
        {"64 M", 0},
    };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        char text[64], expected[160];
        char program[] = "parleyd";
        char *argv[] = {program, text, NULL};
        snprintf(text, sizeof text, "--retain-bytes=%s", sizes[i].text);
        enum config_result result = config_parse(&config, 2, argv, NULL, &error);
        assert_int_equal(result, sizes[i].bytes ? CONFIG_OK : CONFIG_BAD);
        if (sizes[i].bytes)
            assert_true(config.retain_bytes == sizes[i].bytes);
        snprintf(expected, sizeof expected,
                 "retain-bytes: \"%s\" is not a number of bytes, as 1000000, 512K, 64M or 2G",
                 sizes[i].text);
        if (!sizes[i].bytes)
            assert_string_equal(error.text, expected);
        config_free(&config);
    }
    assert_int_equal(parse("--retain-bytes 2097151"), CONFIG_BAD);
    assert_string_equal(error.text, "retain-bytes: \"2097151\" is less than 2097152 bytes");
    assert_int_equal(parse("--prepare-segments no --arrange-segments=no"), CONFIG_OK);
    assert_false(config.prepare_segments || config.arrange_segments);
    config_free(&config);
    assert_int_equal(parse("--arrange-segments"), CONFIG_BAD);
    assert_string_equal(error.text, "--arrange-segments needs a value, yes|no");
    assert_int_equal(parse("--arrange-segments maybe"), CONFIG_BAD);
    assert_string_equal(error.text, "arrange-segments: \"maybe\" is neither yes nor no");
}

static void what_is_wrong_is_named_with_what_is_right(void **state)
{
    (void)state;
    static const struct {
        const char *words, *error;
    } cases[] = {
        {"serve", "\"serve\" is no option; see --help"},
        {"--", NULL},
        {"-- x", "\"x\" is no option; see --help"},
        {"--port=1", "there is no option --port=1; see --help"},
        {"--sync=sometimes", "sync: \"sometimes\" is neither always, none, nor milliseconds from 1 "
                             "to 60000"},
        {"--sync=0", "sync: \"0\" is neither always, none, nor milliseconds from 1 to 60000"},
        {"--sync=60001", "sync: \"60001\" is neither always, none, nor milliseconds from 1 to "
                         "60000"},
        {"--sync=none", NULL},
        {"--sync=1", NULL},
        {"--sync=60000", NULL},
        {"--log-level=loud", "log-level: \"loud\" is neither error, warn, info nor debug"},
        {"--log-level=error", NULL},
        {"--confine=maybe", "confine: \"maybe\" is neither yes, off nor require"},
        {"--confine=off", NULL},
        {"--data=", "data: the value is empty; expected DIR"},
        {"--listen=", "listen: the value is empty; expected ADDR"},
        {"--origin=", "origin: the value is empty; expected ORIGIN"},
        {"--trusted-proxy=proxy", "trusted-proxy: \"proxy\": expected an address (192.0.2.1), a "
                                  "range (192.0.2.0/24, "
                                  "2001:db8::/32), or unix"},
        {"--demo=1", "demo: \"1\" is neither yes nor no"},
        {"--config=/no/such/file", "config file /no/such/file: No such file or directory"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(parse(cases[i].words), cases[i].error ? CONFIG_BAD : CONFIG_OK);
        if (cases[i].error)
            assert_string_equal(error.text, cases[i].error);
        config_free(&config);
    }
}

/* ---- the file ----------------------------------------------------------------------------- */

static struct folder folder;
static char path[128];

static int setup(void **state)
{
    (void)state;
    folder_make(&folder);
    folder_file(&folder, path, "config");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    folder_remove(&folder);
    return 0;
}

static enum config_result parse_with_file(const char *words, const char *text, size_t n)
{
    char line[512];
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, n), n);
    close(fd);
    snprintf(line, sizeof line, "--config=%s %s", path, words);
    return parse(line);
}

static void a_file_gives_what_the_command_line_leaves_open(void **state)
{
    (void)state;
    static const char text[] = "# parley\nlisten = 0.0.0.0:1\nlisten = [::]:1\nrate = 5\n"
                               "max-frame=4096\nsync = none\nlog-level = warn\ndemo = yes\n";
    assert_int_equal(parse_with_file("--rate=6 --demo=no", text, sizeof text - 1), CONFIG_OK);
    assert_int_equal(config.listen.n, 2);
    assert_string_equal(config.listen.items[1], "[::]:1");
    assert_int_equal(config.rate, 6);
    assert_false(config.demo);
    assert_int_equal(config.max_frame, 4096);
    assert_int_equal(config.sync, STORE_SYNC_NONE);
    assert_int_equal(config.log_level, LOG_WARN);
    config_free(&config);
    assert_int_equal(parse_with_file("--listen=x:1", text, sizeof text - 1), CONFIG_OK);
    assert_int_equal(config.listen.n, 1); /* the list of the command line is the whole list */
    assert_string_equal(config.listen.items[0], "x:1");
    assert_int_equal(config.rate, 5);
    config_free(&config);
}

static void what_is_wrong_in_a_file_is_named_with_its_line(void **state)
{
    (void)state;
    assert_int_equal(parse_with_file("", "rate = 1\nport = 2\n", 18), CONFIG_BAD);
    assert_string_equal(error.text, "line 2: there is no option \"port\"");
    config_free(&config);
    assert_int_equal(parse_with_file("", "rate = x\n", 9), CONFIG_BAD);
    assert_string_equal(error.text, "line 1: rate: \"x\" is not a whole number from 0 to 1000000");
    config_free(&config);
    assert_int_equal(parse_with_file("", "sync = 0", 8), CONFIG_BAD);
    assert_string_equal(error.text, "sync: \"0\" is neither always, none, nor milliseconds from 1 "
                                    "to 60000");
    config_free(&config);
}

static void a_file_has_64_KiB_at_most_and_no_zero_byte(void **state)
{
    (void)state;
    static char text[(64 << 10) + 1];
    char expected[256];
    memset(text, '\n', sizeof text);
    assert_int_equal(parse_with_file("", text, 64 << 10), CONFIG_OK);
    config_free(&config);
    assert_int_equal(parse_with_file("", text, (64 << 10) + 1), CONFIG_BAD);
    snprintf(expected, sizeof expected, "config file %s: it is over 64 KiB", path);
    assert_string_equal(error.text, expected);
    config_free(&config);
    assert_int_equal(parse_with_file("", "rate = 1\0", 9), CONFIG_BAD);
    snprintf(expected, sizeof expected, "config file %s: it holds a zero byte", path);
    assert_string_equal(error.text, expected);
    config_free(&config);
    assert_int_equal(parse_with_file("", "", 0), CONFIG_OK);
    config_free(&config);
    char line[256];
    snprintf(line, sizeof line, "--config=%s", folder.path);
    assert_int_equal(parse(line), CONFIG_BAD);
    snprintf(expected, sizeof expected, "config file %s: Is a directory", folder.path);
    assert_string_equal(error.text, expected);
    config_free(&config);
}

/* What a call prints on standard output. */
static void capture(const char *words, char *out, size_t room)
{
    fflush(stdout);
    int real = dup(STDOUT_FILENO);
    FILE *file = tmpfile();
    assert_true(real >= 0 && file && dup2(fileno(file), STDOUT_FILENO) >= 0);
    enum config_result result = parse(words);
    fflush(stdout);
    assert_true(dup2(real, STDOUT_FILENO) >= 0);
    close(real);
    rewind(file);
    size_t n = fread(out, 1, room - 1, file);
    out[n] = 0;
    fclose(file);
    assert_int_equal(result, CONFIG_DONE);
    config_free(&config);
}

static void help_and_version_are_printed_and_that_is_all(void **state)
{
    (void)state;
    char out[8192];
    capture("--help", out, sizeof out);
    assert_non_null(strstr(out, "usage: parleyd [OPTION]...\n"));
    static const char *const names[] = {"--listen ADDR",
                                        "--data DIR",
                                        "--secret-file FILE",
                                        "--sync always|none|MS",
                                        "--origin ORIGIN",
                                        "--admin ADDR",
                                        "--demo ",
                                        "--config FILE",
                                        "--user NAME",
                                        "--max-connections N",
                                        "--max-frame BYTES",
                                        "--rate N",
                                        "--idle-timeout S",
                                        "--drain S",
                                        "--log-level L",
                                        "--version ",
                                        "--help "};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        assert_non_null(strstr(out, names[i]));
    capture("--version", out, sizeof out);
    assert_memory_equal(out, "parleyd ", 8);
}

int main(void)
{
#define WITH_FOLDER(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_defaults_are_those_of_the_help),
        cmocka_unit_test(every_option_reaches_its_field),
        cmocka_unit_test(numbers_are_taken_from_their_least_to_their_most),
        cmocka_unit_test(sizes_may_have_a_unit),
        cmocka_unit_test(what_is_wrong_is_named_with_what_is_right),
        WITH_FOLDER(a_file_gives_what_the_command_line_leaves_open),
        WITH_FOLDER(what_is_wrong_in_a_file_is_named_with_its_line),
        WITH_FOLDER(a_file_has_64_KiB_at_most_and_no_zero_byte),
        cmocka_unit_test(help_and_version_are_printed_and_that_is_all),
    };
    return cmocka_run_group_tests_name("server_config", tests, NULL, NULL);
}
