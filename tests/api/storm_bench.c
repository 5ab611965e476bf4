/* storm-bench in its short runs: that it can be run, and that nothing stays behind; what it measures in
   so short a time says nothing. */
#include "../support/folder.h"
#include "../support/program.h"
#include "base/exit.h"

#include <dirent.h>
#include <setjmp.h>
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
    const char *const args[] = {"--dir", folder.path, option, value, NULL};
    if (getenv("PARLEY_WRAP")) {
        print_message("the benchmarks are not run under Valgrind\n");
        skip();
    }
    program_start(p, "storm-bench", args);
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

/* What the lines that begin with this text end with: "ok" in all, of which there is one. */
static bool is_ok(const char *line, const char *begin)
{
    size_t n = strlen(line);
    return strncmp(line, begin, strlen(begin)) == 0 && n > 3 && strcmp(line + n - 3, " ok") == 0;
}

static void a_quick_storm_measures_the_pair_and_loses_no_idle_connection(void **state)
{
    (void)state;
    struct program p;
    bool pair = false, memory = false, idle = false;
    start_bench(&p, "--quick", NULL);
    for (const char *line; (line = program_line(&p));) {
        pair |= strncmp(line, "a message's way to the other one, p99 ", 38) == 0;
        memory |= strncmp(line, "RSS at the peak ", 16) == 0;
        idle |= is_ok(line, "idle connections that were lost ");
    }
    assert_int_equal(program_wait(&p), EXIT_CLEAN);
    program_free(&p);
    assert_true(pair && memory && idle);
    expect_empty_folder();
}

/* Latencies are those of the machine: in so short a run they are not judged. */
static void in_a_short_soak_memory_and_descriptors_come_back(void **state)
{
    (void)state;
    struct program p;
    bool memory = false, descriptors = false;
    start_bench(&p, "--soak", "6");
    for (const char *line; (line = program_line(&p));) {
        if (strstr(line, " then "))
            print_message("%s\n", line);
        memory |= is_ok(line, "RSS ") && strstr(line, " then ");
        descriptors |= is_ok(line, "descriptors ");
    }
    int status = program_wait(&p);
    assert_true(status == EXIT_CLEAN || status == EXIT_SYSTEM);
    program_free(&p);
#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
    memory = true; /* what is freed is kept from use, and counts */
#endif
    assert_true(memory && descriptors);
    expect_empty_folder();
}

static void bad_options_are_named(void **state)
{
    (void)state;
    struct program p;
    start_bench(&p, "--soak", "never");
    assert_string_equal(program_error_line(&p), "storm-bench: soak: \"never\" is not a whole "
                                                "number "
                                                "from 5 to 1000000");
    assert_int_equal(program_wait(&p), EXIT_USAGE_ERROR);
    program_free(&p);
}

int main(int argc, char **argv)
{
    (void)argc;
    program_init(argv[0]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_quick_storm_measures_the_pair_and_loses_no_idle_connection),
        cmocka_unit_test(in_a_short_soak_memory_and_descriptors_come_back),
        cmocka_unit_test(bad_options_are_named),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
