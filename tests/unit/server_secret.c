/* secret: made where it is missing, taken from 32 to 1,024 bytes, and named when it is wrong. */
#include "../support/folder.h"
#include "server/secret.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static struct folder folder;
static struct disk disk; /* the folder */
static char path[128];
static struct secret secret;
static struct secret_error error;
static char logged[2048];
static unsigned warnings;

static void keep(void *ctx, enum log_level level, const char *line)
{
    (void)ctx;
    warnings += level == LOG_WARN;
    snprintf(logged, sizeof logged, "%s", line);
}

static const struct log quiet = {.level = LOG_INFO, .sink = keep, .program = "test"};

static int setup(void **state)
{
    (void)state;
    folder_make(&folder);
    folder_file(&folder, path, "secret");
    assert_int_equal(disk_open_dir(&disk, folder.path), 0);
    memset(&error, 0, sizeof error);
    memset(&secret, 0, sizeof secret);
    logged[0] = 0;
    warnings = 0;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    disk_close_dir(&disk);
    folder_remove(&folder);
    return 0;
}

/* n times 'k', then the newlines. */
static void write_secret(size_t n, const char *newlines, mode_t mode)
{
    char bytes[2048];
    memset(bytes, 'k', n);
    memcpy(bytes + n, newlines, strlen(newlines));
    n += strlen(newlines);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, n), n);
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
}

static void a_missing_one_is_made_for_its_owner_alone_and_used_again(void **state)
{
    (void)state;
    struct stat info;
    mode_t before = umask(0);
    assert_int_equal(secret_load(&secret, path, &disk, &quiet, &error), 0);
    umask(before);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 07777, 0600);
    assert_int_equal(secret.n, 43); /* 32 bytes in base64url */
    assert_int_equal(info.st_size, 44);
    for (size_t i = 0; i < secret.n; i++)
        assert_non_null(strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_",
                               secret.bytes[i]));
    assert_non_null(strstr(logged, path));
    assert_null(strstr(logged, (char *)secret.bytes)); /* never its bytes */
    char left[160];
    snprintf(left, sizeof left, "%s.new", path);
    assert_int_equal(access(left, F_OK), -1);

    struct secret again;
    assert_int_equal(secret_load(&again, path, &disk, &quiet, &error), 0);
    assert_int_equal(again.n, secret.n);
    assert_memory_equal(again.bytes, secret.bytes, secret.n);
    assert_int_equal(warnings, 0);

    assert_int_equal(unlink(path), 0);
    assert_int_equal(secret_load(&again, path, &disk, &quiet, &error), 0);
    assert_memory_not_equal(again.bytes, secret.bytes, secret.n);
}

static void a_missing_one_is_reported_where_none_is_to_be_made(void **state)
{
    (void)state;
    char expected[256];
    assert_int_equal(secret_load(&secret, path, NULL, &quiet, &error), -ENOENT);
    snprintf(expected, sizeof expected, "secret file %s: No such file or directory", path);
    assert_string_equal(error.text, expected);
    assert_int_equal(access(path, F_OK), -1);
}

static void newlines_at_its_end_do_not_count(void **state)
{
    (void)state;
    static const char *const ends[] = {"", "\n", "\r\n", "\n\n\n", "\r\n\r\n"};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        write_secret(40, ends[i], 0600);
        assert_int_equal(secret_load(&secret, path, NULL, &quiet, &error), 0);
        assert_int_equal(secret.n, 40);
    }
    write_secret(40, "\nx\n", 0600); /* those inside do */
    assert_int_equal(secret_load(&secret, path, NULL, &quiet, &error), 0);
    assert_int_equal(secret.n, 42);
}

static void it_has_32_to_1024_bytes(void **state)
{
    (void)state;
    static const struct {
        size_t n;
        bool good;
    } cases[] = {{0, false}, {1, false},   {31, false},   {32, true},
                 {33, true}, {1024, true}, {1025, false}, {1060, false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (int newline = 0; newline <= 1; newline++) {
            write_secret(cases[i].n, newline ? "\n" : "", 0600);
            int result = secret_load(&secret, path, &disk, &quiet, &error);
            assert_int_equal(result, cases[i].good ? 0 : -EINVAL);
            if (cases[i].good) {
                assert_int_equal(secret.n, cases[i].n);
                continue;
            }
            char expected[256];
            snprintf(expected, sizeof expected,
                     "secret file %s holds %s%zu bytes; expected 32 to 1024", path,
                     cases[i].n > 1024 ? "over " : "", cases[i].n > 1024 ? 1024 : cases[i].n);
            assert_string_equal(error.text, expected);
        }
    }
}

static void one_that_others_can_read_is_taken_with_a_warning(void **state)
{
    (void)state;
    static const mode_t modes[] = {0644, 0640, 0604, 0660, 0666};
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        char expected[256];
        write_secret(32, "\n", modes[i]);
        assert_int_equal(secret_load(&secret, path, NULL, &quiet, &error), 0);
        assert_int_equal(warnings, i + 1);
        snprintf(expected, sizeof expected,
                 "secret file %s can be read by others (mode %03o); chmod 600 it", path,
                 (unsigned)modes[i]);
        assert_string_equal(logged, expected);
    }
    write_secret(32, "\n", 0400);
    assert_int_equal(secret_load(&secret, path, NULL, &quiet, &error), 0);
    assert_int_equal(warnings, 5);
}

static void what_cannot_be_read_or_made_is_reported(void **state)
{
    (void)state;
    char expected[256], inside[160];
    assert_int_equal(secret_load(&secret, folder.path, &disk, &quiet, &error), -EISDIR);
    snprintf(expected, sizeof expected, "secret file %s: Is a directory", folder.path);
    assert_string_equal(error.text, expected);
    snprintf(inside, sizeof inside, "%s/no/secret", folder.path);
    assert_int_equal(secret_load(&secret, inside, NULL, &quiet, &error), -ENOENT);
    static char endless[5000];
    memset(endless, '/', sizeof endless - 1);
    memset(endless + 1, 'x', 200);
    assert_int_equal(secret_load(&secret, endless, &disk, &quiet, &error), -ENAMETOOLONG);
    assert_true(strlen(error.text) < sizeof error.text - 1);
    assert_int_equal(rmdir(folder.path), 0); /* nothing can be made in it any more */
    assert_int_equal(secret_load(&secret, path, &disk, &quiet, &error), -ENOENT);
    folder_make(&folder);
}

static void wiping_leaves_no_byte(void **state)
{
    (void)state;
    static const struct secret nothing;
    write_secret(100, "", 0600);
    assert_int_equal(secret_load(&secret, path, NULL, &quiet, &error), 0);
    secret_wipe(&secret);
    assert_memory_equal(&secret, &nothing, sizeof secret);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_missing_one_is_made_for_its_owner_alone_and_used_again),
        TEST(a_missing_one_is_reported_where_none_is_to_be_made),
        TEST(newlines_at_its_end_do_not_count),
        TEST(it_has_32_to_1024_bytes),
        TEST(one_that_others_can_read_is_taken_with_a_warning),
        TEST(what_cannot_be_read_or_made_is_reported),
        TEST(wiping_leaves_no_byte),
    };
    return cmocka_run_group_tests_name("server_secret", tests, NULL, NULL);
}
