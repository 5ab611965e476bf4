/*
 * Machines that have next to nothing: a kernel as old as Linux 3.10; and a container with nothing in it but the
 * static server, as its first process, and its data folder.
 *
 * What the server asks the kernel for, as strace tells (make VARIANT=musl), and since when there is more than
 * Linux 3.10 has:
 *
 *     getrandom               3.17  otherwise /dev/urandom
 *     seccomp                 3.17  otherwise prctl(PR_SET_SECCOMP), of 3.5
 *     preadv2                 4.6   otherwise pread64
 *     landlock_create_ruleset,
 *     _add_rule, _restrict_self 5.13  otherwise a warning: files are not confined
 *
 *     Of 3.10 and before: accept4 arch_prctl bind brk capget capset chmod clone close epoll_create1 epoll_ctl
 *     epoll_pwait eventfd2 execve exit exit_group fcntl fdatasync flock fstat fstatfs fsync ftruncate futex
 *     getdents64 getsockname getsockopt listen lseek lstat madvise mkdir mmap mprotect mremap munmap open
 *     openat poll prctl pread64 prlimit64 pwrite64 read readlink readv recvfrom rename renameat
 *     rt_sigaction rt_sigprocmask rt_sigreturn sendmsg sendto set_tid_address setgid setgroups setsockopt
 *     setuid shutdown signalfd4 socket unlink unlinkat write writev
 */
#include "../support/client.h"
#include "../support/old_kernel.h"
#include "../support/test.h"
#include "base/random.h"
#include "store/disk.h"

#include <fcntl.h>
#include <link.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static struct server server;

/* It serves as ever: what is sent is stored, delivered, read again after a start. */
static void expect_service(void)
{
    struct client alice, bob;
    client_open_as(&alice, &server, "alice");
    client_open_as(&bob, &server, "bob");
    client_send(&alice, "{\"event\":\"message\",\"data\":{\"to\":\"bob\",\"content\":\"hi\"}}");
    client_expect(&alice, "*{\"success\":true}*");
    client_expect(&bob, "*\"from\":\"alice\"*");
    client_send(&bob, "{\"event\":\"conversation\",\"data\":{\"id\":\"alice\"}}");
    client_expect(&bob, "*\"messages\":[{\"id\":1,\"from\":\"alice\"*");
    client_close(&alice);
    client_close(&bob);
}

/* ---- an old kernel ------------------------------------------------------------------------- */

static void pretend(const char **argv)
{
    (void)argv;
    if (!old_kernel_pretend())
        _exit(125);
}

static bool can_pretend(void)
{
    int status;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0 && getenv("PARLEY_WRAP")) /* Valgrind needs calls of its own */
        _exit(1);
    if (pid == 0) {
        errno = 0;
        _exit(old_kernel_pretend() && syscall(SYS_getrandom, &status, 1, 0) == -1 && errno == ENOSYS
                  ? 0
                  : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (status != 0)
        print_message("no old kernel can be pretended here: not tried\n");
    return status == 0;
}

static void on_linux_3_10_it_serves_as_ever(void **state)
{
    (void)state;
    const char *const none[] = {NULL};
    if (!can_pretend())
        skip();
    server_prepare(&server);
    server.before = pretend;
    server_start(&server, none);
    expect_service();
    server_signal(&server, SIGTERM);
    assert_int_equal(server_wait_end(&server), 0);
    server_start(&server, none); /* and reads the log, by pread alone */
    expect_service();
    server_stop(&server);
}

/* In a process of its own: 0, or the line that does not hold. */
#define MUST(what)           \
    do {                     \
        if (!(what))         \
            _exit(__LINE__); \
    } while (0)

static void each_call_that_is_not_there_has_another_in_its_place(void **state)
{
    (void)state;
    char path[128], text[4];
    uint8_t bytes[64] = {0}, none[64] = {0};
    struct disk disk;
    int status;
    if (!can_pretend())
        skip();
    server_prepare(&server);
    snprintf(path, sizeof path, "%s/data", server.dir);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        MUST(old_kernel_pretend());
        MUST(random_bytes(bytes, sizeof bytes) == 0 && memcmp(bytes, none, sizeof bytes) != 0);
        MUST(disk_open_dir(&disk, path) == 0);
        int file = disk.open(disk.ctx, "file", 1);
        MUST(file >= 0 && disk.pwrite(disk.ctx, file, "text", 4, 0) == 0);
        MUST(disk.pread_now(disk.ctx, file, text, 4, 0) == 4 && memcmp(text, "text", 4) == 0);
        /* Up to Linux 4.13, and on some file systems, the call is there, but does not know RWF_NOWAIT. */
        MUST(old_kernel_filter(BPF_JEQ, SYS_preadv2, EOPNOTSUPP));
        MUST(disk.pread_now(disk.ctx, file, text, 4, 0) == 4 && memcmp(text, "text", 4) == 0);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    server_remove(&server);
    if (status != 0)
        fail_msg("line %d", WEXITSTATUS(status));
}

/* ---- a container --------------------------------------------------------------------------- */

static bool is_static(const char *path)
{
    FILE *f = fopen(path, "re");
    ElfW(Ehdr) head;
    ElfW(Phdr) part;
    bool found = false;
    assert_non_null(f);
    assert_int_equal(fread(&head, sizeof head, 1, f), 1);
    assert_int_equal(fseek(f, (long)head.e_phoff, SEEK_SET), 0);
    for (int i = 0; i < head.e_phnum && fread(&part, sizeof part, 1, f) == 1; i++)
        found |= part.p_type == PT_INTERP;
    fclose(f);
    return !found;
}

/* The program comes by its descriptor: not even it lies in there. */
static void enter_container(const char **argv)
{
    extern char **environ;
    char data[] = "/data";
    int program = open(argv[0], O_RDONLY | O_CLOEXEC);
    argv[2] = data;
    if (program >= 0 && chroot(server.dir) == 0 && chdir("/") == 0)
        fexecve(program, (char *const *)argv, environ);
    _exit(126);
}

/* Someone in the container leaves a child behind, which becomes the server's, and ends. */
static void leave_orphan(void)
{
    int ends[2];
    char byte, path[64];
    struct pollfd p;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        snprintf(path, sizeof path, "/proc/%d/ns/pid", (int)server.pid);
        int space = open(path, O_RDONLY | O_CLOEXEC);
        if (space < 0 || setns(space, CLONE_NEWPID) < 0)
            _exit(1);
        pid_t parent = fork();
        if (parent == 0) {
            close(ends[0]);
            pid_t orphan = fork();
            if (orphan == 0) {
                while (getppid() != 1) /* until its parent has gone */
                    sched_yield();
                _exit(0);
            }
            _exit(orphan < 0);
        }
        int status;
        _exit(parent < 0 || waitpid(parent, &status, 0) != parent || status != 0);
    }
    close(ends[1]);
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    p = (struct pollfd){.fd = ends[0], .events = POLLIN};
    assert_int_equal(poll(&p, 1, DEADLINE_MS), 1);
    assert_int_equal(read(ends[0], &byte, 1), 0);
    close(ends[0]);
}

/* Ended or not. */
static bool has_children(void)
{
    char path[96], text[64];
    snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)server.pid, (int)server.pid);
    FILE *f = fopen(path, "re");
    if (!f)
        return false; /* a kernel that does not tell */
    bool any = fgets(text, sizeof text, f) != NULL;
    fclose(f);
    return any;
}

static void
in_an_empty_container_it_is_the_first_process_buries_orphans_and_ends_in_order(void **state)
{
    (void)state;
    char program[4096];
    const char *const none[] = {NULL};
    ssize_t n = readlink("/proc/self/exe", program, sizeof program - 1);
    assert_true(n > 0);
    program[n] = 0;
    int before = open("/proc/self/ns/pid", O_RDONLY | O_CLOEXEC);
    if (getenv("PARLEY_WRAP") || !is_static(program)) {
        print_message("the program is not static (VARIANT=musl), or not alone: not tried\n");
        skip();
    }
    if (before < 0 || unshare(CLONE_NEWPID) < 0) {
        print_message("there is no right to make a container: not tried\n");
        skip();
    }
    server_prepare(&server);
    server.before = enter_container;
    server_start(&server, none); /* the first process since unshare */
    assert_int_equal(setns(before, CLONE_NEWPID), 0);
    expect_service();
    leave_orphan();
    int64_t deadline = now_ms() + DEADLINE_MS;
    while (has_children())
        if (now_ms() > deadline)
            fail_msg("the server has a child that has ended");
    expect_service();
    server_signal(&server, SIGUSR1);
    server_wait_text(&server, "parley_info{");
    server_stop(&server); /* SIGTERM, though nobody else would end the first process by that */
    close(before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(on_linux_3_10_it_serves_as_ever),
        cmocka_unit_test(each_call_that_is_not_there_has_another_in_its_place),
        cmocka_unit_test(
            in_an_empty_container_it_is_the_first_process_buries_orphans_and_ends_in_order),
    };
    return cmocka_run_group_tests_name("bare", tests, NULL, NULL);
}
