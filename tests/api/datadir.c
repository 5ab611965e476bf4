/* parleyd on data directories that are not as they should be: what it says, how it ends, and that it
 * changes nothing. */
#include "../support/client.h"
#include "../support/test.h"

#include "base/endian.h"
#include "codec/crc32c.h"
#include "store/record.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define OPTIONS(...) ((const char *const[]){__VA_ARGS__, NULL})
#define NONE ((const char *const[]){NULL})
#define FIRST "0000000000000001.seg"

static struct server server;

static int prepare(void **state)
{
    (void)state;
    server_prepare(&server);
    return 0;
}

static int finish(void **state)
{
    (void)state;
    if (server.pid)
        server_stop(&server);
    else
        server_remove(&server);
    return 0;
}

static const char *path(const char *name)
{
    static char text[512];
    snprintf(text, sizeof text, "%s/%s", server.data, name);
    return text;
}

static void save(const char *name, const void *p, size_t n)
{
    FILE *f = fopen(path(name), "we");
    assert_non_null(f);
    assert_int_equal(fwrite(p, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

static size_t load(const char *name, uint8_t *p, size_t room)
{
    FILE *f = fopen(path(name), "re");
    assert_non_null(f);
    size_t n = fread(p, 1, room, f);
    fclose(f);
    return n;
}

/* A data directory with messages, its server ended. */
static void fill(int messages)
{
    struct client c;
    server_start(&server, OPTIONS("--rate", "0"));
    client_open_as(&c, &server, "alice");
    for (int i = 0; i < messages; i++) {
        client_send(&c, "{\"event\":\"message\",\"data\":{\"to\":\"bob\",\"content\":\"hello\"}}");
        client_expect(&c, "*success*");
    }
    client_close(&c);
    server_signal(&server, SIGTERM);
    assert_int_equal(server_wait_end(&server), 0);
}

/* All names, and a check over all bytes: the same before and after. The lock is no part of the data. */
static uint32_t picture(void)
{
    static uint8_t bytes[1 << 20];
    uint32_t sum = 0;
    DIR *dir = opendir(server.data);
    assert_non_null(dir);
    for (struct dirent *e; (e = readdir(dir)) != NULL;) {
        struct stat st;
        if (e->d_name[0] == '.' || strcmp(e->d_name, "lock") == 0)
            continue;
        assert_int_equal(lstat(path(e->d_name), &st), 0);
        uint32_t one = crc32c(0, e->d_name, strlen(e->d_name));
        if (S_ISREG(st.st_mode))
            one = crc32c(one, bytes, load(e->d_name, bytes, sizeof bytes));
        sum += one; /* in any order */
    }
    closedir(dir);
    return sum;
}

static void check_refused(const char *const *options, int status, const char *what)
{
    uint32_t before = picture();
    int ended = server_start_fails(&server, options);
    if (ended != status || !strstr(server.text, what))
        fail_msg("it ended with %d, not %d, and said, not \"%s\":\n%s", ended, status, what,
                 server.text);
    assert_int_equal(picture(), before);
}

static void check_messages(int count)
{
    struct client c;
    char end[64];
    snprintf(end, sizeof end, "*{\"id\":%d,*]},\"ref\":1*", count);
    client_open_as(&c, &server, "alice");
    client_send(&c, "{\"event\":\"conversation\",\"data\":{\"id\":\"bob\"},\"ref\":1}");
    client_expect(&c, end);
    client_close(&c);
}

static void an_empty_folder_is_a_new_data_directory(void **state)
{
    (void)state;
    assert_int_equal(mkdir(server.data, 0700), 0);
    server_start(&server, NONE);
    assert_int_equal(access(path(FIRST), F_OK), 0);
}

static void files_of_others_are_left_alone(void **state)
{
    (void)state;
    fill(3);
    save("README.txt", "not ours", 8);
    save("old.seg.gz", "not ours either", 15);
    assert_int_equal(mkdir(path("folder"), 0700), 0);
    server_start(&server, NONE);
    check_messages(3);
    server_signal(&server, SIGTERM);
    assert_int_equal(server_wait_end(&server), 0);
    assert_int_equal(access(path("README.txt"), F_OK), 0);
    assert_int_equal(access(path("old.seg.gz"), F_OK), 0);
    assert_int_equal(rmdir(path("folder")), 0);
}

static void a_segment_that_is_none_is_damage(void **state)
{
    (void)state;
    static uint8_t head[4096];
    fill(3);
    size_t n = load(FIRST, head, sizeof head);
    save("messages.seg", "text", 4);
    check_refused(NONE, 65,
                  "messages.seg: this is no segment of the log, whose names are 16 hexadecimal "
                  "digits and .seg; move it away");
    assert_int_equal(unlink(path("messages.seg")), 0);
    assert_int_equal(unlink(path("checkpoint")), 0);
    static const char text[] = "this is a text that somebody wrote into a file of that name, of "
                               "more "
                               "than sixty-four bytes\n";
    save(FIRST, text, sizeof text - 1);
    check_refused(NONE, 65, FIRST " is damaged at offset 0: this is not the head of a segment");
    save(FIRST, head, n);
    save("0000000000000002.seg", head, n); /* a copy under another name */
    check_refused(NONE, 65, "0000000000000002.seg is damaged");
    assert_int_equal(unlink(path("0000000000000002.seg")), 0);
    server_start(&server, NONE);
    check_messages(3);
}

static void a_newer_format_is_named(void **state)
{
    (void)state;
    static uint8_t log[4096];
    fill(3);
    size_t n = load(FIRST, log, sizeof log);
    assert_int_equal(unlink(path("checkpoint")), 0);
    le32_store(log + 8, RECORD_VERSION + 1);
    le32_store(log + 60, crc32c(0, log, 60));
    save(FIRST, log, n);
    check_refused(NONE, 65, "its format is version 2, and this program reads 1");
}

static void a_checkpoint_of_another_directory_costs_time_alone(void **state)
{
    (void)state;
    static uint8_t other[4096];
    struct server first;
    fill(30);
    size_t n = load("checkpoint", other, sizeof other);
    first = server;
    server_prepare(&server);
    fill(3);
    save("checkpoint", other, n);
    server_start(&server, NONE);
    assert_non_null(strstr(server.text, "the checkpoint is not used: it does not fit the log; the "
                                        "whole log is read"));
    check_messages(3);
    server_remove(&first);
}

static void a_missing_segment_is_damage(void **state)
{
    (void)state;
    fill(3);
    server_start(&server, OPTIONS("--segment-size", "1048576"));
    struct client c;
    static char content[16001];
    memset(content, 'x', sizeof content - 1);
    client_open_as(&c, &server, "alice");
    for (int i = 0; i < 80; i++) {
        client_sendf(&c, "{\"event\":\"message\",\"data\":{\"to\":\"bob\",\"content\":\"%s\"}}",
                     content);
        client_expect(&c, "*success*");
    }
    client_close(&c);
    server_signal(&server, SIGTERM);
    assert_int_equal(server_wait_end(&server), 0);
    assert_int_equal(unlink(path(FIRST)), 0);
    check_refused(NONE, 65, "where the log before it ends: a segment is missing or cut short");
}

/* A file system that lets nothing be made, also for root. */
static void a_folder_that_cannot_be_written_is_71(void **state)
{
    (void)state;
    struct stat st;
    if (stat("/sys/kernel", &st) != 0)
        skip();
    int ended = server_start_fails(&server, OPTIONS("--data", "/sys/kernel"));
    assert_int_equal(ended, 71);
    assert_non_null(strstr(server.text, "data directory /sys/kernel: cannot lock the data "
                                        "directory: "));
}

static void a_full_disk_is_74_and_nothing_is_left(void **state)
{
    (void)state;
    if (getenv("PARLEY_WRAP")) /* Valgrind writes files of its own */
        skip();
    server.file_limit = 32;
    assert_int_equal(server_start_fails(&server, NONE), 74);
    assert_non_null(strstr(server.text, "cannot create " FIRST ": File too large"));
    assert_int_equal(access(path(FIRST), F_OK), -1);
    server.file_limit = 0;
    fill(3);
    server_start(&server, NONE);
    check_messages(3);
}

#define T(test) cmocka_unit_test_setup_teardown(test, prepare, finish)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(an_empty_folder_is_a_new_data_directory),
        T(files_of_others_are_left_alone),
        T(a_segment_that_is_none_is_damage),
        T(a_newer_format_is_named),
        T(a_checkpoint_of_another_directory_costs_time_alone),
        T(a_missing_segment_is_damage),
        T(a_folder_that_cannot_be_written_is_71),
        T(a_full_disk_is_74_and_nothing_is_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
