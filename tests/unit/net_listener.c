/* listener: connections are handed on; without descriptors it rests, and goes on. */
#include "../support/folder.h"
#include "../support/hand_clock.h"
#include "net/listener.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* In the place of the C library's: fails with that errno as long as there is one. */
static int accept_error;

int accept4(int fd, struct sockaddr *peer, socklen_t *n, int flags)
{
    if (!accept_error)
        return (int)syscall(SYS_accept4, fd, peer, n, flags);
    errno = accept_error;
    return -1;
}

static struct hand_clock hand;
static struct loop loop;
static struct listener listener;

static struct {
    int fds[200];
    int n;
    int close_after; /* close the listener with the n-th; 0: never */
} taken;

static void on_accepted(struct listener *l, int fd, const struct address *peer)
{
    assert_ptr_equal(l, &listener);
    assert_ptr_equal(l->ctx, &taken);
    assert_int_equal(peer->storage.ss_family, l->address.storage.ss_family);
    assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    taken.fds[taken.n++] = fd;
    if (taken.n == taken.close_after)
        listener_close(l);
}

static int setup(void **state)
{
    (void)state;
    hand_clock_init(&hand, 5000);
    taken.n = taken.close_after = 0;
    return loop_init(&loop, &hand.clock);
}

static int teardown(void **state)
{
    (void)state;
    while (taken.n)
        close(taken.fds[--taken.n]);
    listener_close(&listener);
    loop_fini(&loop);
    return 0;
}

static void open_listener(const char *text)
{
    struct address a;
    assert_null(address_parse(&a, text));
    assert_int_equal(listener_open(&listener, &loop, &a, on_accepted, &taken), 0);
}

static void connect_many(int *fds, int n)
{
    for (int i = 0; i < n; i++) {
        fds[i] = address_connect(&listener.address);
        assert_true(fds[i] >= 0);
    }
}

static void close_many(int *fds, int n)
{
    for (int i = 0; i < n; i++)
        close(fds[i]);
}

static void turn_until_taken(int n)
{
    for (int i = 0; i < 1000 && taken.n < n; i++)
        assert_true(loop_turn(&loop, 1000) >= 0);
    assert_int_equal(taken.n, n);
}

static void every_connection_is_handed_on_64_a_turn(void **state)
{
    (void)state;
    int fds[150];
    char path[128], text[160];
    struct folder folder;
    folder_make(&folder);
    snprintf(text, sizeof text, "unix:%s", folder_file(&folder, path, "socket"));
    open_listener(text); /* there a connection waits as soon as connect(2) is back */
    connect_many(fds, 150);
    assert_int_equal(loop_turn(&loop, 0), 1);
    assert_int_equal(taken.n, 64);
    assert_int_equal(loop_turn(&loop, 0), 1);
    assert_int_equal(taken.n, 128);
    assert_int_equal(loop_turn(&loop, 0), 1);
    assert_int_equal(taken.n, 150);
    assert_int_equal(loop_turn(&loop, 0), 0);
    close_many(fds, 150);
    listener_close(&listener);
    assert_int_equal(access(path, F_OK), -1); /* the file of the socket is gone */
    listener_close(&listener);
    folder_remove(&folder);
}

static void bytes_pass_over_an_accepted_connection(void **state)
{
    (void)state;
    int fd;
    char c = 0;
    open_listener("127.0.0.1:0");
    connect_many(&fd, 1);
    turn_until_taken(1);
    assert_int_equal(write(taken.fds[0], "x", 1), 1);
    assert_int_equal(fcntl(fd, F_SETFL, 0), 0); /* waits for the byte */
    assert_int_equal(read(fd, &c, 1), 1);
    assert_int_equal(c, 'x');
    close(fd);
}

static void a_listener_may_be_closed_by_what_it_hands_on(void **state)
{
    (void)state;
    int fds[5];
    open_listener("127.0.0.1:0");
    taken.close_after = 2;
    connect_many(fds, 5);
    turn_until_taken(2);
    assert_int_equal(listener.source.fd, -1);
    assert_int_equal(loop_turn(&loop, 0), 0);
    assert_int_equal(taken.n, 2);
    close_many(fds, 5);
}

static void a_port_that_is_taken_is_reported(void **state)
{
    (void)state;
    struct listener other;
    open_listener("127.0.0.1:0");
    assert_int_equal(listener_open(&other, &loop, &listener.address, on_accepted, &taken),
                     -EADDRINUSE);
    listener_close(&other); /* harmless */
}

static void without_descriptors_it_rests_and_goes_on_when_there_are_some(void **state)
{
    (void)state;
    int fds[3];
    struct rlimit before, low;
    open_listener("127.0.0.1:0");
    connect_many(fds, 3);
    int highest = dup(fds[0]); /* the lowest number that is free */
    assert_true(highest >= 0);
    close(highest);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    low = before;
    low.rlim_cur = (rlim_t)highest + 1; /* one is left */
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);

    if (getenv("PARLEY_WRAP")) { /* Valgrind keeps the limit for some calls, not for accept4 */
        close_many(fds, 3);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
        print_message("the limit of descriptors does not hold here: not tried\n");
        skip();
    }

    turn_until_taken(1);
    for (int i = 0; i < 1000 && listener.rests == 0; i++)
        assert_true(loop_turn(&loop, 1000) >= 0);
    assert_int_equal(listener.rests, 1);
    for (int i = 0; i < 5; i++)
        assert_int_equal(loop_turn(&loop, 0), 0); /* it does not spin */
    hand.ms += 400;
    assert_int_equal(loop_turn(&loop, 0),
                     0); /* looks again: the timer came behind the descriptors */
    assert_int_equal(loop_turn(&loop, 0), 1);
    assert_int_equal(listener.rests, 2);
    assert_int_equal(taken.n, 1);

    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    hand.ms += 400;
    assert_int_equal(loop_turn(&loop, 0), 0);
    turn_until_taken(3); /* those that waited in the kernel's queue */
    assert_int_equal(listener.rests, 2);
    close_many(fds, 3);
}

static void it_rests_whatever_the_system_is_short_of(void **state)
{
    (void)state;
    static const int errors[] = {ENFILE, EMFILE, ENOBUFS, ENOMEM};
    int fds[2];
    open_listener("127.0.0.1:0");
    connect_many(fds, 2);
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
        accept_error = errors[i];
        for (int turns = 0; turns < 1000 && listener.rests == i; turns++)
            assert_true(loop_turn(&loop, 1000) >= 0);
        assert_int_equal(listener.rests, i + 1);
        for (int turns = 0; turns < 5; turns++)
            assert_int_equal(loop_turn(&loop, 0), 0); /* it does not spin */
        hand.ms += 400;
        assert_int_equal(loop_turn(&loop, 0), 0); /* the timer comes behind the descriptors */
    }
    accept_error = 0;
    turn_until_taken(2);
    close_many(fds, 2);
}

static void an_end_while_it_waits_is_no_reason_to_rest(void **state)
{
    (void)state;
    int fds[1];
    open_listener("127.0.0.1:0");
    connect_many(fds, 1);
    accept_error = ECONNABORTED;
    assert_int_equal(loop_turn(&loop, 1000), 1);
    accept_error = 0;
    turn_until_taken(1);
    assert_int_equal(listener.rests, 0);
    close_many(fds, 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(every_connection_is_handed_on_64_a_turn),
        TEST(bytes_pass_over_an_accepted_connection),
        TEST(a_listener_may_be_closed_by_what_it_hands_on),
        TEST(a_port_that_is_taken_is_reported),
        TEST(without_descriptors_it_rests_and_goes_on_when_there_are_some),
        TEST(it_rests_whatever_the_system_is_short_of),
        TEST(an_end_while_it_waits_is_no_reason_to_rest),
    };
    return cmocka_run_group_tests_name("net_listener", tests, NULL, NULL);
}
