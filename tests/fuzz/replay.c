/* Every input that is kept in corpus/TARGET, once more: what was found stays mended. Inputs may also be
   named on the command line. */
#include "../support/test.h"
#include "fuzz.h"

#include <dirent.h>
#include <string.h>

static char folder[256];
static char **named;

static void replay_file(const char *path)
{
    FILE *f = fopen(path, "rb");
    if (!f || fseek(f, 0, SEEK_END) != 0)
        fail_msg("%s cannot be read", path);
    /* Of its own size, so that the sanitizers see a byte too far. */
    size_t n = (size_t)ftell(f);
    uint8_t *p = malloc(n ? n : 1);
    assert_non_null(p);
    rewind(f);
    assert_int_equal(fread(p, 1, n, f), n);
    fclose(f);
    assert_int_equal(LLVMFuzzerTestOneInput(p, n), 0);
    free(p);
}

static void kept_inputs_pass(void **state)
{
    (void)state;
    unsigned files = 0;
    for (; *named; named++, files++)
        replay_file(*named);
    DIR *dir = files ? NULL : opendir(folder);
    for (struct dirent *e; dir && (e = readdir(dir));) {
        char path[600];
        if (e->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
        replay_file(path);
        files++;
    }
    if (dir)
        closedir(dir);
    if (!files)
        fail_msg("there is no input in %s", folder);
    printf("%u inputs\n", files);
}

int main(int argc, char **argv)
{
    (void)argc;
    const char *slash = strrchr(argv[0], '/');
    snprintf(folder, sizeof folder, "tests/fuzz/corpus/%s", slash ? slash + 1 : argv[0]);
    named = argv + 1;
    const struct CMUnitTest tests[] = {cmocka_unit_test(kept_inputs_pass)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
