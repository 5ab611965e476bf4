/* Some programs for every variant, and for valgrind; make model runs many more. */
#include "../support/test.h"
#include "program.h"

#include <stdlib.h>
#include <string.h>

static void test_no_program_sees_what_the_model_does_not(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 150; seed++) {
        char wrong[1500];
        program_run(wrong, sizeof wrong, seed, NULL);
        if (*wrong)
            fail_msg("seed %u: %s", (unsigned)seed, wrong);
    }
}

static char *trace(uint64_t seed)
{
    char *text, wrong[1500];
    size_t n;
    FILE *f = open_memstream(&text, &n);
    assert_non_null(f);
    program_run(wrong, sizeof wrong, seed, f);
    fclose(f);
    return text;
}

static void test_a_seed_is_always_the_same_program(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 10; seed++) {
        char *first = trace(seed), *second = trace(seed);
        assert_true(strlen(first) > 100);
        assert_string_equal(first, second);
        free(first);
        free(second);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_program_sees_what_the_model_does_not),
        cmocka_unit_test(test_a_seed_is_always_the_same_program),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
