/* newdir: a folder has its name when it is finished, and not before. */
#include "../../tools/log/newdir.h"

#include "../support/folder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[64];
static char path[80], partial[80]; /* below dir */

static int setup(void **state)
{
    (void)state;
    folder_make_path(dir);
    snprintf(path, sizeof path, "%s/new", dir);
    snprintf(partial, sizeof partial, "%s/new.partial", dir);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    rmdir(path);
    assert_int_equal(rmdir(dir), 0);
    return 0;
}

static void put_file(struct newdir *d)
{
    int file = d->disk.open(d->disk.ctx, "file", 1);
    assert_true(file >= 0);
    d->disk.close(d->disk.ctx, file);
}

static bool has_file(void)
{
    char name[96];
    snprintf(name, sizeof name, "%s/file", path);
    return access(name, F_OK) == 0;
}

static void remove_file(void)
{
    char name[96];
    snprintf(name, sizeof name, "%s/file", path);
    assert_int_equal(unlink(name), 0);
}

static void test_it_gets_its_name_at_the_end(void **state)
{
    (void)state;
    struct newdir d;
    char slashes[96];
    snprintf(slashes, sizeof slashes, "%s//", path);
    assert_int_equal(newdir_open(&d, slashes, false), 0);
    put_file(&d);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(access(partial, F_OK), 0);
    assert_int_equal(newdir_finish(&d), 0);
    newdir_discard(&d);
    assert_true(has_file());
    assert_int_equal(access(partial, F_OK), -1);
    remove_file();
}

static void test_what_is_discarded_leaves_nothing(void **state)
{
    (void)state;
    struct newdir d;
    assert_int_equal(newdir_open(&d, path, false), 0);
    put_file(&d);
    newdir_discard(&d);
    newdir_discard(&d);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(access(partial, F_OK), -1);
}

static void test_nothing_that_is_there_is_overwritten(void **state)
{
    (void)state;
    struct newdir d;
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(newdir_open(&d, path, false), -EEXIST);
    assert_int_equal(newdir_open(&d, path, true), 0);
    put_file(&d);
    struct newdir other;
    assert_int_equal(newdir_open(&other, path, true), -EALREADY);
    assert_int_equal(newdir_finish(&d), 0);
    assert_true(has_file());
    assert_int_equal(newdir_open(&d, path, true), -EEXIST);
    remove_file();
    /* Something came in between. */
    assert_int_equal(newdir_open(&d, path, true), 0);
    char name[96];
    snprintf(name, sizeof name, "%s/file", path);
    assert_int_equal(mkdir(name, 0700), 0);
    assert_int_equal(newdir_finish(&d), -ENOTEMPTY);
    newdir_discard(&d);
    assert_int_equal(access(partial, F_OK), -1);
    assert_int_equal(rmdir(name), 0);
    assert_int_equal(newdir_open(&d, "/nonexistent/new", false), -ENOENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_it_gets_its_name_at_the_end, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_is_discarded_leaves_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nothing_that_is_there_is_overwritten, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
