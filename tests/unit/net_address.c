/* address: text to address and back, listening, and what becomes of files in a socket's place. */
#include "../support/folder.h"
#include "net/address.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static void good_texts_are_parsed_and_formatted_back(void **state)
{
    (void)state;
    static const struct {
        const char *text, *back;
        bool loopback;
    } cases[] = {
        {"127.0.0.1:8080", "127.0.0.1:8080", true},
        {"127.255.255.254:1", "127.255.255.254:1", true},
        {"128.0.0.1:1", "128.0.0.1:1", false},
        {"0.0.0.0:0", "0.0.0.0:0", false},
        {"192.0.2.1:65535", "192.0.2.1:65535", false},
        {"192.0.2.1:00080", "192.0.2.1:80", false},
        {"localhost:80", "127.0.0.1:80", true},
        {"[::1]:8080", "[::1]:8080", true},
        {"[::]:0", "[::]:0", false},
        {"[fe80::1%lo]:80", "[fe80::1]:80", false},
        {"[2001:db8::1]:443", "[2001:db8::1]:443", false},
        {"[2001:DB8:0:0:0:0:0:1]:443", "[2001:db8::1]:443", false},
        {"[::ffff:127.0.0.1]:80", "[::ffff:127.0.0.1]:80", false},
        {"unix:/run/parley.sock", "unix:/run/parley.sock", true},
        {"unix:relative", "unix:relative", true},
        {"unix:127.0.0.1:80", "unix:127.0.0.1:80", true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct address a;
        char text[ADDRESS_TEXT];
        assert_null(address_parse(&a, cases[i].text));
        address_format(text, &a);
        assert_string_equal(text, cases[i].back);
        assert_int_equal(address_is_loopback(&a), cases[i].loopback);
    }
}

#define EXPECTED "expected HOST:PORT, [V6]:PORT or unix:PATH, with a port from 0 to 65535"
#define BRACKETS "expected HOST:PORT; an IPv6 address stands in brackets, [::1]:8080"
#define PATH "the path of a unix socket has 1 to 107 bytes"
#define NO_HOST "the host is no number; expected one like 192.0.2.1, [2001:db8::1], or localhost"

static void bad_texts_are_refused_with_what_is_right(void **state)
{
    (void)state;
    static const struct {
        const char *text, *why;
    } cases[] = {
        {"", EXPECTED},
        {"127.0.0.1", EXPECTED},
        {"8080", EXPECTED},
        {"127.0.0.1:", EXPECTED},
        {"127.0.0.1:65536", EXPECTED},
        {"127.0.0.1:99999", EXPECTED},
        {"127.0.0.1:100000", EXPECTED},
        {"127.0.0.1:-1", EXPECTED},
        {"127.0.0.1:+1", EXPECTED},
        {"127.0.0.1: 80", EXPECTED},
        {"127.0.0.1:80x", EXPECTED},
        {"127.0.0.1:http", EXPECTED},
        {"[::1]", EXPECTED},
        {":80", BRACKETS},
        {"[]:80", BRACKETS},
        {"::1:80", BRACKETS},
        {"2001:db8::1:80", BRACKETS},
        {"[127.0.0.1]:80", NO_HOST},
        {"[localhost]:80", NO_HOST},
        {"[::1:80", BRACKETS},
        {"256.0.0.1:80", NO_HOST},
        {"example.net:80", NO_HOST},
        {"[fe80::1%no-such-link]:80", NO_HOST},
        {"[fe80::1%]:80", NO_HOST},
        {"unix:", PATH},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct address a;
        const char *why = address_parse(&a, cases[i].text);
        if (!why || strcmp(why, cases[i].why) != 0)
            fail_msg("\"%s\": \"%s\"", cases[i].text, why ? why : "taken");
    }
    struct address a;
    char text[400];
    memset(text, 'x', sizeof text);
    memcpy(text, "unix:", 5);
    text[5 + 107] = 0;
    assert_null(address_parse(&a, text));
    text[5 + 107] = 'x';
    text[5 + 108] = 0;
    assert_string_equal(address_parse(&a, text), PATH);
    memset(text, 'x', 300);
    memcpy(text + 300, ":80", 4);
    assert_non_null(address_parse(&a, text));
}

/* ---- listening ---------------------------------------------------------------------------- */

/* Connects to a, which fd listens on, and accepts: what the other end is called. */
static void assert_connects(const struct address *a, int fd)
{
    int client = address_connect(a);
    assert_true(client >= 0);
    struct pollfd waiting = {.fd = fd, .events = POLLIN};
    assert_int_equal(poll(&waiting, 1, 5000), 1);
    int accepted = accept(fd, NULL, NULL);
    assert_true(accepted >= 0);
    assert_true(fcntl(client, F_GETFL) & O_NONBLOCK);
    assert_true(fcntl(client, F_GETFD) & FD_CLOEXEC);
    close(accepted);
    close(client);
}

static void listen_on(const char *text, unsigned port_at)
{
    struct address a, b;
    char got[ADDRESS_TEXT];
    assert_null(address_parse(&a, text));
    int fd = address_listen(&a);
    if (fd == -EAFNOSUPPORT || fd == -EADDRNOTAVAIL) {
        print_message("no IPv6 here: %s is not tried\n", text);
        skip();
    }
    assert_true(fd >= 0);
    assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    address_format(got, &a);
    assert_int_not_equal(atoi(got + port_at), 0); /* port 0 has become a real one */
    assert_connects(&a, fd);
    b = a; /* a second one on the same port */
    assert_int_equal(address_listen(&b), -EADDRINUSE);
    close(fd);
    int again = address_listen(&a); /* at once after the first has ended */
    assert_true(again >= 0);
    close(again);
    int refused = address_connect(&a);
    if (refused >= 0) { /* loopback may refuse at once or a moment later */
        struct pollfd waiting = {.fd = refused, .events = POLLOUT};
        assert_int_equal(poll(&waiting, 1, 5000), 1);
        assert_true(waiting.revents & POLLERR);
        close(refused);
    } else {
        assert_int_equal(refused, -ECONNREFUSED);
    }
}

static void a_free_port_of_ipv4_is_taken(void **state)
{
    (void)state;
    listen_on("127.0.0.1:0", 10);
}

static void a_free_port_of_ipv6_is_taken(void **state)
{
    (void)state;
    listen_on("[::1]:0", 6);
}

static void ipv4_and_ipv6_stand_side_by_side_on_one_port(void **state)
{
    (void)state;
    struct address v4, v6;
    char text[ADDRESS_TEXT], other[ADDRESS_TEXT];
    assert_null(address_parse(&v6, "[::]:0"));
    int fd6 = address_listen(&v6);
    if (fd6 < 0) {
        print_message("no IPv6 here\n");
        skip();
    }
    address_format(text, &v6);
    snprintf(other, sizeof other, "0.0.0.0:%.5s", text + 5);
    assert_null(address_parse(&v4, other));
    int fd4 = address_listen(&v4);
    assert_true(fd4 >= 0);
    close(fd4);
    close(fd6);
}

/* ---- unix sockets ------------------------------------------------------------------------- */

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

static void unix_address(struct address *a, const char *name)
{
    char path[128], text[160];
    snprintf(text, sizeof text, "unix:%s", folder_file(&folder, path, name));
    assert_null(address_parse(a, text));
}

static void a_stale_unix_socket_is_replaced_and_a_live_one_is_left(void **state)
{
    (void)state;
    struct address a;
    unix_address(&a, "socket");
    int fd = address_listen(&a);
    assert_true(fd >= 0);
    assert_connects(&a, fd);
    assert_int_equal(address_listen(&a), -EADDRINUSE);
    assert_connects(&a, fd); /* the first one is still there */
    close(fd);               /* and leaves its file behind */
    assert_int_equal(address_connect(&a), -ECONNREFUSED);
    fd = address_listen(&a);
    assert_true(fd >= 0);
    assert_connects(&a, fd);
    close(fd);
}

static void any_other_file_in_the_place_of_a_socket_is_left(void **state)
{
    (void)state;
    struct address a;
    char path[128];
    struct stat info;
    unix_address(&a, "notes");
    int fd = open(folder_file(&folder, path, "notes"), O_WRONLY | O_CREAT, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "precious", 8), 8);
    close(fd);
    assert_int_equal(address_listen(&a), -EADDRINUSE);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_size, 8);
    unix_address(&a, "link"); /* nor what a link leads to */
    char link[128];
    assert_int_equal(symlink("notes", folder_file(&folder, link, "link")), 0);
    assert_int_equal(address_listen(&a), -EADDRINUSE);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(lstat(link, &info), 0);
}

static void a_folder_that_is_missing_is_reported(void **state)
{
    (void)state;
    struct address a;
    unix_address(&a, "no/socket");
    assert_int_equal(address_listen(&a), -ENOENT);
    assert_int_equal(address_connect(&a), -ENOENT);
}

/* What accept(2) gives of a peer that is bound to as long a path as there can be. */
static void the_longest_name_of_a_peer_is_formatted(void **state)
{
    (void)state;
    struct address a, peer = {.n = sizeof peer.storage};
    struct {
        struct sockaddr_un un;
        char end[8]; /* zeros, for who reads on to a terminator (Valgrind) */
    } mine = {.un = {.sun_family = AF_UNIX}};
    char *path = mine.un.sun_path, text[ADDRESS_TEXT];
    unix_address(&a, "socket");
    int listening = address_listen(&a);
    int client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(listening >= 0 && client >= 0);
    memset(path, 'x', sizeof mine.un.sun_path); /* no terminator */
    size_t n = strlen(folder.path);
    memcpy(path, folder.path, n);
    path[n] = '/';
    assert_int_equal(bind(client, (struct sockaddr *)&mine.un, sizeof mine.un), 0);
    assert_int_equal(connect(client, (struct sockaddr *)&a.storage, a.n), 0);
    int fd = accept(listening, (struct sockaddr *)&peer.storage, &peer.n);
    assert_true(fd >= 0);
    assert_true(peer.n >= sizeof mine.un);
    address_format(text, &peer);
    assert_int_equal(strlen(text), 5 + 108);
    assert_memory_equal(text + 5, path, 108);
    close(fd);
    close(client);
    close(listening);
}

static void a_peer_without_a_name_is_unix(void **state)
{
    (void)state;
    int fds[2];
    char text[ADDRESS_TEXT];
    struct address a = {.n = sizeof a.storage};
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    assert_int_equal(getpeername(fds[0], (struct sockaddr *)&a.storage, &a.n), 0);
    address_format(text, &a);
    assert_string_equal(text, "unix:");
    close(fds[0]);
    close(fds[1]);
}

int main(void)
{
#define WITH_FOLDER(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_texts_are_parsed_and_formatted_back),
        cmocka_unit_test(bad_texts_are_refused_with_what_is_right),
        cmocka_unit_test(a_free_port_of_ipv4_is_taken),
        cmocka_unit_test(a_free_port_of_ipv6_is_taken),
        cmocka_unit_test(ipv4_and_ipv6_stand_side_by_side_on_one_port),
        WITH_FOLDER(a_stale_unix_socket_is_replaced_and_a_live_one_is_left),
        WITH_FOLDER(any_other_file_in_the_place_of_a_socket_is_left),
        WITH_FOLDER(a_folder_that_is_missing_is_reported),
        WITH_FOLDER(the_longest_name_of_a_peer_is_formatted),
        cmocka_unit_test(a_peer_without_a_name_is_unix),
    };
    return cmocka_run_group_tests_name("net_address", tests, NULL, NULL);
}
