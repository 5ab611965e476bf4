/* confine: tried from inside. Each test confines a process of its own, then does what a running server
   needs, or what somebody who took it over would like. */
#include "../support/folder.h"
#include "../support/old_kernel.h"
#include "../support/test.h"
#include "server/confine.h"
#include "server/privileges.h"
#include "server/seccomp.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static struct folder data, keys;
static char secret[128], message[128], other[128];
static const struct log silent = {.level = LOG_ERROR, .program = "test"};
static struct confine_error error;

static void write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

static int setup(void **state)
{
    (void)state;
    folder_make(&data);
    folder_make(&keys);
    folder_file(&keys, secret, "secret");
    folder_file(&data, message, "message");
    folder_file(&keys, other, "other");
    write_file(secret, "key");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    folder_remove(&data);
    folder_remove(&keys);
    return 0;
}

static int confine_here(enum confine_mode mode)
{
    const struct confine_places places = {.data = data.path, .secret = secret};
    return confine(mode, &places, &silent, &error);
}

/* Runs it in a process of its own, whose exit status is what it returns: 0 where all is well. */
static void in_a_process(int (*run)(void))
{
    int status;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        _exit(run());
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        fail_msg("ended with status %x", (unsigned)status);
}

/* The builds of the sanitizers are not confined, Valgrind does not know the calls, and a kernel may be
   without them. */
static void skip_where_nothing_is_confined(void)
{
    int status;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        int result = confine_here(CONFINE_REQUIRE);
        _exit(result == -ENOSYS || result == -EOPNOTSUPP ? 1 : 0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (status != 0) {
        print_message("nothing can be confined here: not tried\n");
        skip();
    }
}

/* What is not as it should be is named, as far as standard error is still ours, and ends it. */
#define MUST(what)                                                                  \
    do {                                                                            \
        if (!(what)) {                                                              \
            fprintf(stderr, "line %d: %s: %s\n", __LINE__, #what, strerror(errno)); \
            return 1;                                                               \
        }                                                                           \
    } while (0)
#define REFUSED(what, with)    \
    do {                       \
        errno = 0;             \
        MUST((what) == -1);    \
        MUST(errno == (with)); \
    } while (0)

static void *thread_main(void *arg)
{
    return arg;
}

static int needs(void)
{
    char renamed[140], text[8];
    pthread_t thread;
    void *result;
    MUST(confine_here(CONFINE_REQUIRE) == 0);
    snprintf(renamed, sizeof renamed, "%s.new", message);
    int fd = open(renamed, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    MUST(fd >= 0 && write(fd, "text", 4) == 4 && fdatasync(fd) == 0 && ftruncate(fd, 2) == 0);
    MUST(flock(fd, LOCK_EX) == 0 && close(fd) == 0);
    MUST(rename(renamed, message) == 0 && unlink(message) == 0);
    MUST((fd = open(data.path, O_RDONLY | O_DIRECTORY)) >= 0 && fsync(fd) == 0);
    MUST((fd = open(secret, O_RDONLY)) >= 0 && read(fd, text, 3) == 3);
    MUST(pthread_create(&thread, NULL, thread_main, text) == 0);
    MUST(pthread_join(thread, &result) == 0 && result == text);
    MUST((result = malloc(1 << 20)) != NULL);
    free(result);
    return 0;
}

static void a_server_can_do_what_it_needs(void **state)
{
    (void)state;
    skip_where_nothing_is_confined();
    in_a_process(needs);
}

static int files(void)
{
    char outside[140];
    snprintf(outside, sizeof outside, "%s/../parley-test-outside", data.path);
    MUST(confine_here(CONFINE_REQUIRE) == 0);
    REFUSED(open("/etc/passwd", O_RDONLY), EACCES);
    REFUSED(open("/proc/self/mem", O_RDWR), EACCES);
    REFUSED(open("/", O_RDONLY | O_DIRECTORY), EACCES);
    REFUSED(open(outside, O_WRONLY | O_CREAT, 0600), EACCES);
    REFUSED(open(secret, O_WRONLY), EACCES);
    REFUSED(open(other, O_WRONLY | O_CREAT, 0600), EACCES);
    REFUSED(unlink(secret), EACCES);
    REFUSED(mkdir(message, 0700), EPERM);
    REFUSED(symlink("/etc/passwd", message), EPERM);
    REFUSED(chmod(data.path, 0777), EPERM);
    return 0;
}

static void no_file_outside_its_folders_can_be_opened_made_or_removed(void **state)
{
    (void)state;
    skip_where_nothing_is_confined();
    in_a_process(files);
}

static int calls(void)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    char *const argv[] = {NULL};
    int pair[2];
    MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    MUST(confine_here(CONFINE_REQUIRE) == 0);
    REFUSED(execve("/bin/sh", argv, argv), EPERM);
    REFUSED(fork(), EPERM);
    REFUSED(socket(AF_INET, SOCK_STREAM, 0), EPERM);
    REFUSED(socket(AF_UNIX, SOCK_STREAM, 0), EPERM);
    REFUSED(connect(pair[0], (struct sockaddr *)&un, sizeof un), EPERM);
    REFUSED(bind(pair[0], (struct sockaddr *)&un, sizeof un), EPERM);
    REFUSED(ptrace(PTRACE_ATTACH, getppid(), NULL, NULL), EPERM);
    REFUSED(kill(getppid(), SIGTERM), EPERM);
    REFUSED(prctl(PR_SET_DUMPABLE, 1L), EPERM);
    REFUSED(setuid(0), EPERM);
    /* New calls look as if the kernel were old. */
    REFUSED(syscall(435, NULL, 0), ENOSYS); /* clone3 */
    REFUSED(syscall(425, 1, NULL), ENOSYS); /* io_uring_setup */
    /* What is written is never executed. */
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    MUST(page != MAP_FAILED);
    REFUSED(mprotect(page, 4096, PROT_READ | PROT_EXEC), EPERM);
#ifndef __s390x__
    MUST(mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED);
#endif
    return 0;
}

static void no_program_process_connection_or_debugger_can_be_started(void **state)
{
    (void)state;
    skip_where_nothing_is_confined();
    in_a_process(calls);
}

static void *thread_opens(void *arg)
{
    (void)arg;
    return open("/etc/passwd", O_RDONLY) == -1 && syscall(SYS_socket, AF_INET, SOCK_STREAM, 0) == -1
               ? NULL
               : &data;
}

static int threads(void)
{
    pthread_t thread;
    void *result;
    MUST(confine_here(CONFINE_REQUIRE) == 0);
    MUST(pthread_create(&thread, NULL, thread_opens, NULL) == 0);
    MUST(pthread_join(thread, &result) == 0 && result == NULL);
    return 0;
}

static void threads_that_start_later_are_confined_too(void **state)
{
    (void)state;
    skip_where_nothing_is_confined();
    in_a_process(threads);
}

static unsigned warnings;

static void count_warning(void *ctx, enum log_level level, const char *line)
{
    (void)ctx;
    warnings += level == LOG_WARN && strstr(line, "Function not implemented");
}

static int old_kernel(void)
{
    static const struct log counting = {.level = LOG_WARN, .sink = count_warning};
    const struct confine_places places = {.data = data.path, .secret = secret};
    struct rlimit core;
    MUST(old_kernel_pretend());
    MUST(confine(CONFINE_REQUIRE, &places, &counting, &error) == -ENOSYS);
    MUST(strstr(error.text, "Landlock is refused: Function not implemented"));
    MUST(warnings == 0);
    MUST(prctl(PR_GET_DUMPABLE) == 0);
    MUST(getrlimit(RLIMIT_CORE, &core) == 0 && core.rlim_max == 0);
    MUST(confine(CONFINE_YES, &places, &counting, &error) == 0);
    MUST(warnings == 1);
    /* The rest is done all the same, also that for which there is another call today. */
    REFUSED(socket(AF_INET, SOCK_STREAM, 0), EPERM);
    MUST(open("/etc/passwd", O_RDONLY) >= 0);
    return 0;
}

static void what_the_kernel_lacks_is_a_warning_or_if_required_an_error(void **state)
{
    (void)state;
    skip_where_nothing_is_confined();
    in_a_process(old_kernel);
}

static int without_flags(void)
{
    MUST(old_kernel_filter(BPF_JEQ, SYS_seccomp, EINVAL));
    MUST(confine_here(CONFINE_REQUIRE) == 0);
    REFUSED(socket(AF_INET, SOCK_STREAM, 0), EPERM);
    return 0;
}

static void a_kernel_that_knows_fewer_flags_confines_the_calls_all_the_same(void **state)
{
    (void)state;
    skip_where_nothing_is_confined();
    in_a_process(without_flags);
}

static int off(void)
{
    MUST(confine_here(CONFINE_OFF) == 0);
    MUST(open("/etc/passwd", O_RDONLY) >= 0);
    MUST(prctl(PR_GET_DUMPABLE) == 1);
    return 0;
}

static void off_confines_nothing(void **state)
{
    (void)state;
    in_a_process(off);
}

/* A line of /proc/PID/status. */
static const char *status_line(pid_t pid, const char *name)
{
    static char text[8192];
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    assert_true(n > 0);
    text[n] = 0;
    const char *found = strstr(text, name);
    assert_non_null(found);
    return found + strlen(name) + 1;
}

static void the_kernel_says_that_nothing_but_the_files_of_others_is_left_to_root(void **state)
{
    (void)state;
    int up[2], down[2];
    char byte;
    skip_where_nothing_is_confined();
    assert_int_equal(pipe2(up, O_CLOEXEC) | pipe2(down, O_CLOEXEC), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        bool ready = confine_here(CONFINE_REQUIRE) == 0 && write(up[1], "x", 1) == 1;
        _exit(ready && read(down[0], &byte, 1) == 1 ? 0 : 1);
    }
    assert_int_equal(read(up[0], &byte, 1), 1);
    static const char *const sets[] = {"CapPrm:", "CapEff:", "CapInh:"};
    for (size_t i = 0; i < 3; i++) {
        uint64_t left = strtoull(status_line(pid, sets[i]), NULL, 16);
        assert_int_equal(left & ~(uint64_t)PRIVILEGE_ANY_FILE, 0);
    }
    assert_int_equal(atoi(status_line(pid, "NoNewPrivs:")), 1);
    assert_int_equal(atoi(status_line(pid, "Seccomp:")), 2);
    assert_int_equal(write(down[1], "x", 1), 1);
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    for (int i = 0; i < 2; i++) {
        close(up[i]);
        close(down[i]);
    }
}

static int nobody(void)
{
    gid_t groups[64];
    int n;
    MUST(setgroups(2, (const gid_t[]){0, 1}) == 0);
    MUST(privileges_drop("nobody") == 0);
    MUST(getuid() != 0 && geteuid() == getuid() && getgid() != 0 && getegid() == getgid());
    MUST((n = getgroups(64, groups)) >= 0);
    for (int i = 0; i < n; i++)
        MUST(groups[i] == getgid());
    REFUSED(setuid(0), EPERM);
    REFUSED(setgid(0), EPERM);
    REFUSED(open("/etc/shadow", O_RDONLY), EACCES);
    MUST(privileges_drop("no such user") == -ENOENT);
    return 0;
}

static void another_user_has_neither_roots_groups_nor_its_rights(void **state)
{
    (void)state;
    if (getuid() != 0) {
        print_message("not root: not tried\n");
        skip();
    }
    in_a_process(nobody);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_server_can_do_what_it_needs),
        TEST(no_file_outside_its_folders_can_be_opened_made_or_removed),
        TEST(no_program_process_connection_or_debugger_can_be_started),
        TEST(threads_that_start_later_are_confined_too),
        TEST(what_the_kernel_lacks_is_a_warning_or_if_required_an_error),
        TEST(a_kernel_that_knows_fewer_flags_confines_the_calls_all_the_same),
        TEST(off_confines_nothing),
        TEST(the_kernel_says_that_nothing_but_the_files_of_others_is_left_to_root),
        TEST(another_user_has_neither_roots_groups_nor_its_rights),
    };
    return cmocka_run_group_tests_name("server_confine", tests, NULL, NULL);
}
