/* disk: the real folder. */
#include "store/disk.h"

#include "../support/folder.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct place {
    char base[64], path[80];
    struct disk disk;
};

static int setup(void **state)
{
    struct place *f = calloc(1, sizeof *f);
    assert_non_null(f);
    folder_make_path(f->base);
    snprintf(f->path, sizeof f->path, "%s/data", f->base);
    assert_int_equal(disk_open_dir(&f->disk, f->path), 0);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct place *f = *state;
    f->disk.remove(f->disk.ctx, "lock");
    f->disk.remove(f->disk.ctx, "one");
    disk_close_dir(&f->disk);
    disk_close_dir(&f->disk);
    assert_int_equal(rmdir(f->path), 0);
    assert_int_equal(rmdir(f->base), 0);
    free(f);
    return 0;
}

static void test_a_missing_folder_is_made_for_its_owner_alone(void **state)
{
    struct place *f = *state;
    struct stat st;
    assert_int_equal(stat(f->path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
}

static void test_what_is_no_folder_is_refused(void **state)
{
    struct place *f = *state;
    struct disk disk;
    char path[120];
    snprintf(path, sizeof path, "%s/no/data", f->base);
    assert_int_equal(disk_open_dir(&disk, path), -ENOENT);
    int file = f->disk.open(f->disk.ctx, "one", 1);
    assert_true(file >= 0);
    f->disk.close(f->disk.ctx, file);
    snprintf(path, sizeof path, "%s/one", f->path);
    assert_int_equal(disk_open_dir(&disk, path), -ENOTDIR);
}

static void test_a_file_is_made_once_written_read_and_cut(void **state)
{
    struct place *f = *state;
    struct disk *d = &f->disk;
    assert_int_equal(d->open(d->ctx, "one", 0), -ENOENT);
    int file = d->open(d->ctx, "one", 1);
    assert_true(file >= 0);
    assert_int_equal(d->open(d->ctx, "one", 1), -EEXIST);
    assert_true(fcntl(file, F_GETFD) & FD_CLOEXEC);
    struct stat st;
    assert_int_equal(fstat(file, &st), 0);
    assert_int_equal(st.st_mode & 07777 & ~0600u, 0);

    char p[16];
    assert_int_equal(d->pwrite(d->ctx, file, "abcdef", 6, 2), 0);
    assert_int_equal(d->size(d->ctx, file), 8);
    assert_int_equal(d->pread(d->ctx, file, p, 4, 3), 4);
    assert_memory_equal(p, "bcde", 4);
    assert_int_equal(d->pread(d->ctx, file, p, 16, 4), 4);
    assert_int_equal(d->pread(d->ctx, file, p, 16, 8), 0);
    assert_int_equal(d->truncate(d->ctx, file, 5), 0);
    assert_int_equal(d->size(d->ctx, file), 5);
    assert_int_equal(d->sync(d->ctx, file), 0);
    assert_int_equal(d->sync_dir(d->ctx), 0);
    d->close(d->ctx, file);
    assert_int_equal(d->pread(d->ctx, file, p, 1, 0), -EBADF);
}

struct names {
    int one, two, all;
};

static void count_names(void *arg, const char *name)
{
    struct names *n = arg;
    n->one += strcmp(name, "one") == 0;
    n->two += strcmp(name, "two") == 0;
    n->all++;
}

static void test_names_are_listed_changed_and_removed(void **state)
{
    struct place *f = *state;
    struct disk *d = &f->disk;
    d->close(d->ctx, d->open(d->ctx, "two", 1));
    for (int i = 0; i < 2; i++) {
        struct names n = {0, 0, 0};
        assert_int_equal(d->list(d->ctx, count_names, &n), 0);
        assert_true(n.one == 0 && n.two == 1 && n.all == 1);
    }
    assert_int_equal(d->rename(d->ctx, "two", "one"), 0);
    struct names n = {0, 0, 0};
    assert_int_equal(d->list(d->ctx, count_names, &n), 0);
    assert_true(n.one == 1 && n.two == 0 && n.all == 1);
    assert_int_equal(d->remove(d->ctx, "one"), 0);
    assert_int_equal(d->remove(d->ctx, "one"), -ENOENT);
}

static void test_a_lock_keeps_others_out_until_it_is_closed(void **state)
{
    struct place *f = *state;
    struct disk other;
    assert_int_equal(disk_open_dir(&other, f->path), 0);
    assert_int_equal(f->disk.lock(f->disk.ctx), 0);
    assert_int_equal(f->disk.lock(f->disk.ctx), 0);
    assert_int_equal(other.lock(other.ctx), -EWOULDBLOCK);
    disk_close_dir(&f->disk);
    assert_int_equal(other.lock(other.ctx), 0);
    f->disk = other;
}

static void test_a_link_is_not_followed(void **state)
{
    struct place *f = *state;
    char path[120];
    snprintf(path, sizeof path, "%s/one", f->path);
    assert_int_equal(symlink("/dev/null", path), 0);
    assert_int_equal(f->disk.open(f->disk.ctx, "one", 0), -ELOOP);
}

#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_a_missing_folder_is_made_for_its_owner_alone),
        T(test_what_is_no_folder_is_refused),
        T(test_a_file_is_made_once_written_read_and_cut),
        T(test_names_are_listed_changed_and_removed),
        T(test_a_lock_keeps_others_out_until_it_is_closed),
        T(test_a_link_is_not_followed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
