/* The benchmarks of the store, in their smoke run: that they can be run, not what they measure. */
#include "../support/folder.h"
#include "../support/program.h"
#include "base/exit.h"

#include <dirent.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct folder folder;

static int setup(void **state)
{
    (void)state;
    folder_make(&folder);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    folder_remove(&folder);
    return 0;
}

static void start_bench(struct program *p, const char *option, const char *value)
{
    const char *const args[] = {"--dir", folder.path, "--json", option, value, NULL};
    if (getenv("PARLEY_WRAP")) {
        print_message("the benchmarks are not run under Valgrind\n");
        skip();
    }
    program_start(p, "store-bench", args);
}

static void expect_empty_folder(void)
{
    DIR *dir = opendir(folder.path);
    assert_non_null(dir);
    for (struct dirent *e; (e = readdir(dir));)
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            fail_msg("%s was left behind", e->d_name);
    closedir(dir);
}

static void a_quick_run_measures_every_part_and_leaves_nothing_behind(void **state)
{
    (void)state;
    static const char *const parts[] = {"recovery, large log",
                                        "start with a checkpoint, wide",
                                        "--sync always, one",
                                        "written a message, --sync none",
                                        "page of 100",
                                        "snippets of all",
                                        "cold conversation of 500",
                                        "live message beside",
                                        "live message through parleyd",
                                        "log and checkpoint on the disk"};
    struct program p;
    bool found[sizeof parts / sizeof *parts] = {false};
    start_bench(&p, "--quick", NULL);
    for (const char *line; (line = program_line(&p));)
        for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
            if (strstr(line, parts[i]) && strstr(line, "\"value\":{\"median\":"))
                found[i] = true;
    assert_int_equal(program_wait(&p), EXIT_CLEAN);
    program_free(&p);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (!found[i])
            fail_msg("\"%s\" was not measured", parts[i]);
    expect_empty_folder();
}

static void a_run_that_is_ended_leaves_nothing_behind(void **state)
{
    (void)state;
    struct program p;
    start_bench(&p, "--only", "read");
    assert_non_null(program_error_line(&p)); /* it writes its first log */
    assert_int_not_equal(program_terminate(&p), EXIT_CLEAN);
    program_free(&p);
    expect_empty_folder();
}

static void bad_options_are_named(void **state)
{
    (void)state;
    static const char *const wrong[][3] = {
        {"--only", "lunch", "store-bench: only: \"lunch\" is none of start, "},
        {"--rounds", "0", "store-bench: rounds: \"0\" is not a whole number from 1 to "},
        {"--messages", "10", "store-bench: messages: \"10\" is not a whole number from 1000000 "},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct program p;
        start_bench(&p, wrong[i][0], wrong[i][1]);
        const char *line = program_error_line(&p);
        assert_non_null(line);
        assert_memory_equal(line, wrong[i][2], strlen(wrong[i][2]));
        assert_int_equal(program_wait(&p), EXIT_USAGE_ERROR);
        program_free(&p);
    }
    expect_empty_folder();
}

int main(int argc, char **argv)
{
    (void)argc;
    program_init(argv[0]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_quick_run_measures_every_part_and_leaves_nothing_behind),
        cmocka_unit_test(a_run_that_is_ended_leaves_nothing_behind),
        cmocka_unit_test(bad_options_are_named),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
