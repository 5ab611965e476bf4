/* parleyd as a program: options, config file, listeners, signals, exit statuses. */
#include "../support/client.h"
#include "../support/test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define OPTIONS(...) ((const char *const[]){__VA_ARGS__, NULL})
#define NONE ((const char *const[]){NULL})

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

static void write_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "we");
    assert_non_null(f);
    fputs(text, f);
    assert_int_equal(fclose(f), 0);
}

static void bad_options_are_named_and_end_with_64(void **state)
{
    (void)state;
    static const struct {
        const char *options[4];
        const char *text;
    } cases[] = {
        {{"--nope"}, "there is no option --nope"},
        {{"--rate", "fast"}, "rate: \"fast\" is not a whole number from 0 to 1000000"},
        {{"--rate", "1000001"}, "rate: \"1000001\" is not a whole number"},
        {{"--sync", "often"}, "sync: \"often\" is neither always, none, nor milliseconds"},
        {{"--log-level", "loud"}, "log-level: \"loud\" is neither error, warn, info nor debug"},
        {{"--listen", "nowhere"}, "\"nowhere\" is no address"},
        {{"--listen", "127.0.0.1:70000"}, "port from 0 to 65535"},
        {{"--demo", "--listen", "0.0.0.0:0"}, "listens on loopback only"},
        {{"--secret-file", "/nonexistent/secret"}, "/nonexistent/secret: No such file"},
        {{"--config", "/nonexistent/config"}, "/nonexistent/config: No such file"},
        {{"--user", "nobody-of-that-name"}, "there is none of that name"},
        {{"stray"}, "\"stray\" is no option"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int status = server_start_fails(&server, cases[i].options);
        if (status != 64 || !strstr(server.text, cases[i].text))
            fail_msg("case %zu: exit status %d; it printed:\n%s", i, status, server.text);
    }
}

static void help_and_version_are_printed(void **state)
{
    (void)state;
    assert_int_equal(server_start_fails(&server, OPTIONS("--help")), 0);
    assert_non_null(strstr(server.text, "--secret-file FILE"));
    assert_int_equal(server_start_fails(&server, OPTIONS("--version")), 0);
    assert_true(matches("parleyd *.*.*\n", server.text));
}

static void a_config_file_is_read_and_the_command_line_wins(void **state)
{
    (void)state;
    char path[128];
    struct client c;
    snprintf(path, sizeof path, "%s/parley.conf", server.dir);
    write_file(path, "# limits\n\nmax-content = 5\n  rate=0  \r\ndemo = yes\nlisten = "
                     "127.0.0.1:1\n");
    server_start(&server,
                 OPTIONS("--config", path, "--listen", "127.0.0.1:0", "--max-content", "7"));
    client_open_as(&c, &server, "alice");
    client_send(&c, "{\"event\":\"message\",\"data\":{\"to\":\"b\",\"content\":\"1234567\"}}");
    client_expect(&c, "*success*");
    client_send(&c, "{\"event\":\"message\",\"data\":{\"to\":\"b\",\"content\":\"12345678\"}}");
    client_expect(&c, "*has 8 bytes of UTF-8; at most 7*too_large*");
    client_close(&c);
    server_signal(&server, SIGTERM);
    assert_int_equal(server_wait_end(&server), 0);
    static const struct {
        const char *file, *text;
    } bad[] = {
        {"rate = 1\nspeed = 2\n", "line 2: there is no option \"speed\""},
        {"rate\n", "line 1: \"rate\" is not NAME = VALUE"},
        {"rate = x\n", "line 1: rate: \"x\" is not a whole number"},
        {"demo = maybe\n", "line 1: demo: \"maybe\" is neither yes nor no"},
        {"config = other\n", "line 1: a config file cannot name another one"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        write_file(path, bad[i].file);
        int status = server_start_fails(&server, OPTIONS("--config", path));
        if (status != 64 || !strstr(server.text, bad[i].text))
            fail_msg("case %zu: exit status %d; it printed:\n%s", i, status, server.text);
    }
}

static void the_secret_is_made_once_and_kept_from_others(void **state)
{
    (void)state;
    char path[128];
    struct stat before, after;
    snprintf(path, sizeof path, "%s/secret", server.data);
    server_start(&server, NONE);
    assert_int_equal(stat(path, &before), 0);
    assert_int_equal(before.st_mode & 0777, 0600);
    server_signal(&server, SIGTERM);
    assert_int_equal(server_wait_end(&server), 0);
    server_start(&server, NONE);
    assert_int_equal(stat(path, &after), 0);
    assert_int_equal(before.st_ino, after.st_ino);
    server_signal(&server, SIGTERM);
    assert_int_equal(server_wait_end(&server), 0);
    write_file(path, "0123456789012345678901234567890\n");
    assert_int_equal(server_start_fails(&server, NONE), 64);
    assert_non_null(strstr(server.text, "holds 31 bytes; expected 32 to 1024"));
    write_file(path, "01234567890123456789012345678901\n");
    assert_int_equal(chmod(path, 0644), 0);
    server_start(&server, NONE);
    assert_non_null(strstr(server.text, "can be read by others (mode 644)"));
    assert_null(strstr(server.text, "0123456789"));
}

static void a_second_process_on_the_same_folder_is_kept_out(void **state)
{
    (void)state;
    struct server second;
    server_start(&server, NONE);
    second = server;
    assert_int_equal(server_start_fails(&second, NONE), 66);
    assert_non_null(strstr(second.text, server.data));
}

static void a_port_in_use_is_71_with_the_reason(void **state)
{
    (void)state;
    char address[64];
    struct server second;
    server_start(&server, NONE);
    server_prepare(&second);
    snprintf(address, sizeof address, "127.0.0.1:%u", server.port);
    assert_int_equal(server_start_fails(&second, OPTIONS("--listen", address)), 71);
    assert_non_null(strstr(second.text, strerror(EADDRINUSE)));
    server_remove(&second);
}

static void a_data_directory_that_is_none_is_71(void **state)
{
    (void)state;
    write_file(server.data, "a file");
    assert_int_equal(server_start_fails(&server, NONE), 71);
    assert_non_null(strstr(server.text, "Not a directory; expected a folder, or the path of"));
}

static void a_damaged_log_is_65_and_nothing_is_changed(void **state)
{
    (void)state;
    struct client c;
    char path[128];
    server_start(&server, OPTIONS("--rate", "0"));
    client_open_as(&c, &server, "alice");
    for (int i = 0; i < 10; i++) {
        client_send(&c, "{\"event\":\"message\",\"data\":{\"to\":\"bob\",\"content\":\"hello\"}}");
        client_expect(&c, "*success*");
    }
    client_close(&c);
    server_signal(&server, SIGTERM);
    assert_int_equal(server_wait_end(&server), 0);
    /* With a checkpoint only the end of the log is read. */
    snprintf(path, sizeof path, "%s/checkpoint", server.data);
    assert_int_equal(unlink(path), 0);
    snprintf(path, sizeof path, "%s/0000000000000001.seg", server.data);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    uint8_t byte;
    assert_int_equal(pread(fd, &byte, 1, 200), 1);
    byte ^= 1;
    assert_int_equal(pwrite(fd, &byte, 1, 200), 1);
    off_t size = lseek(fd, 0, SEEK_END);
    for (int again = 0; again < 2; again++) {
        assert_int_equal(server_start_fails(&server, NONE), 65);
        assert_non_null(strstr(server.text, "0000000000000001.seg"));
        assert_non_null(strstr(server.text, "parley-log repair"));
        assert_int_equal(lseek(fd, 0, SEEK_END), size);
    }
    /* And whole again when the byte is as it was. */
    byte ^= 1;
    assert_int_equal(pwrite(fd, &byte, 1, 200), 1);
    close(fd);
    server_start(&server, NONE);
}

static void hup_takes_a_new_secret_and_the_old_tokens_stay_good_until_the_next(void **state)
{
    (void)state;
    char path[128], old[4096], middle[4096];
    struct client c;
    snprintf(path, sizeof path, "%s/secret", server.data);
    server_start(&server, NONE);
    strcpy(old, server_token(&server, "alice"));
    write_file(path, "the second secret, of 32 bytes or more");
    server_signal(&server, SIGHUP);
    server_wait_text(&server, "read the secret file again");
    strcpy(middle, server_token(&server, "alice"));
    const char *const tokens[] = {old, middle};
    for (int i = 0; i < 2; i++) {
        client_open(&c, server.port);
        client_sendf(&c, "{\"event\":\"registerMessages\",\"data\":{\"token\":\"%s\"}}", tokens[i]);
        client_expect(&c, "*\"OK\"*");
        client_close(&c);
    }
    /* One that is no good changes nothing. */
    write_file(path, "short");
    server.text_n = 0;
    server_signal(&server, SIGHUP);
    server_wait_text(&server, "holds 5 bytes; expected 32 to 1024; the present secret stays in "
                              "use");
    write_file(path, "the third secret, of 32 bytes or more!");
    server.text_n = 0;
    server_signal(&server, SIGHUP);
    server_wait_text(&server, "read the secret file again");
    for (int i = 0; i < 2; i++) {
        client_open(&c, server.port);
        client_sendf(&c, "{\"event\":\"registerMessages\",\"data\":{\"token\":\"%s\"}}", tokens[i]);
        client_expect(&c, i ? "*\"OK\"*" : "*bad_token*");
        client_close(&c);
    }
}

static void the_previous_secret_ends_with_the_next_hup_also_if_nothing_changed(void **state)
{
    (void)state;
    char path[128], old[4096];
    struct client c;
    snprintf(path, sizeof path, "%s/secret", server.data);
    server_start(&server, NONE);
    strcpy(old, server_token(&server, "alice"));
    write_file(path, "the second secret, of 32 bytes or more");
    for (int hups = 1; hups <= 2; hups++) {
        server.text_n = 0;
        server_signal(&server, SIGHUP);
        server_wait_text(&server, "read the secret file again");
        client_open(&c, server.port);
        client_sendf(&c, "{\"event\":\"registerMessages\",\"data\":{\"token\":\"%s\"}}", old);
        client_expect(&c, hups == 1 ? "*\"OK\"*" : "*bad_token*");
        client_close(&c);
    }
}

static void a_secret_elsewhere_may_be_replaced(void **state)
{
    (void)state;
    char folder[128], path[160], new[160];
    snprintf(folder, sizeof folder, "%s/keys", server.dir);
    snprintf(path, sizeof path, "%s/key", folder);
    snprintf(new, sizeof new, "%s/new", folder);
    assert_int_equal(mkdir(folder, 0700), 0);
    write_file(path, "the first secret, of 32 bytes or more!");
    server_start(&server, OPTIONS("--secret-file", path));
    write_file(new, "the second secret, of 32 bytes or more");
    assert_int_equal(rename(new, path), 0);
    server_signal(&server, SIGHUP);
    server_wait_text(&server, "read the secret file again");
}

static void hup_without_a_secret_makes_none(void **state)
{
    (void)state;
    char path[128], token[4096];
    struct client c;
    snprintf(path, sizeof path, "%s/secret", server.data);
    server_start(&server, NONE);
    strcpy(token, server_token(&server, "alice"));
    assert_int_equal(unlink(path), 0);
    for (int i = 0; i < 2; i++) {
        server.text_n = 0;
        server_signal(&server, SIGHUP);
        server_wait_text(&server, "No such file or directory; the present secret stays in use");
    }
    client_open(&c, server.port);
    client_sendf(&c, "{\"event\":\"registerMessages\",\"data\":{\"token\":\"%s\"}}", token);
    client_expect(&c, "*\"OK\"*");
    client_close(&c);
}

static void the_health_check_says_that_it_is_shutting_down(void **state)
{
    (void)state;
    struct client silent, probe;
    server_start(&server, OPTIONS("--admin", "127.0.0.1:0"));
    client_open(&silent, server.port); /* does not answer the close, so it takes a while */
    server_signal(&server, SIGTERM);
    server_wait_text(&server, "shutting down");
    client_http(&probe, server.admin_port, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_true(matches("HTTP/1.1 503 *draining\n", probe.text));
    client_close(&probe);
    client_close(&silent);
    assert_int_equal(server_wait_end(&server), 0);
}

static void usr1_prints_the_metrics(void **state)
{
    (void)state;
    server_start(&server, NONE);
    server_signal(&server, SIGUSR1);
    server_wait_text(&server, "parley_info{version=");
}

static void it_ends_clean_although_clients_do_not_answer(void **state)
{
    (void)state;
    struct client silent, head, c;
    int64_t start = now_ms();
    server_start(&server, NONE);
    client_open(&silent, server.port);  /* never answers the close */
    client_connect(&head, server.port); /* never sends its request */
    client_open_as(&c, &server, "alice");
    server_signal(&server, SIGTERM);
    assert_int_equal(server_wait_end(&server), 0);
    assert_true(now_ms() - start < 5000 + DEADLINE_MS / 3); /* 5 s, and what Valgrind takes */
    client_close(&silent);
    client_close(&head);
    client_close(&c);
}

static void it_listens_on_ipv6_and_unix_sockets_too(void **state)
{
    (void)state;
    char path[108], listen[128];
    struct client c = {0};
    struct stat info;
    int probe = socket(AF_INET6, SOCK_STREAM, 0);
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_addr = in6addr_loopback};
    bool has_v6 = probe >= 0 && bind(probe, (struct sockaddr *)&v6, sizeof v6) == 0;
    close(probe);
    snprintf(path, sizeof path, "%s/socket", server.dir);
    snprintf(listen, sizeof listen, "unix:%s", path);
    server_start(&server,
                 OPTIONS("--listen", listen, "--listen", has_v6 ? "[::1]:0" : "127.0.0.1:0"));
    server_wait_text(&server, has_v6 ? "listening on [::1]:" : "listening on 127.0.0.1:");
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    strcpy(un.sun_path, path);
    c.fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(connect(c.fd, (struct sockaddr *)&un, sizeof un), 0);
    static const char request[] = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
    client_send_raw(&c, request, sizeof request - 1);
    client_read_all(&c);
    assert_true(matches("HTTP/1.1 200 *ok\n", c.text));
    client_close(&c);
    if (has_v6) {
        v6.sin6_port = htons((uint16_t)atoi(strstr(server.text, "[::1]:") + 6));
        c.fd = socket(AF_INET6, SOCK_STREAM, 0);
        assert_int_equal(connect(c.fd, (struct sockaddr *)&v6, sizeof v6), 0);
        client_send_raw(&c, request, sizeof request - 1);
        client_read_all(&c);
        assert_true(matches("HTTP/1.1 200 *ok\n", c.text));
        client_close(&c);
    } else {
        print_message("no IPv6 here\n");
    }
    /* A live socket is left alone, a dead one is replaced, and it goes with the server. */
    struct server second;
    server_prepare(&second);
    assert_int_equal(server_start_fails(&second, OPTIONS("--listen", listen)), 71);
    server_signal(&server, SIGKILL);
    server_wait_end(&server);
    server_start(&second, OPTIONS("--listen", listen));
    server_stop(&second);
    assert_int_equal(stat(path, &info), -1);
}

static void systemd_is_notified(void **state)
{
    (void)state;
    char path[108], text[64];
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    snprintf(path, sizeof path, "%s/notify", server.dir);
    strcpy(un.sun_path, path);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&un, sizeof un), 0);
    setenv("NOTIFY_SOCKET", path, 1);
    server_start(&server, NONE);
    unsetenv("NOTIFY_SOCKET");
    ssize_t n = recv(fd, text, sizeof text, 0);
    assert_int_equal(n, 7);
    assert_memory_equal(text, "READY=1", 7);
    close(fd);
}

static void connections_over_the_limit_are_turned_away(void **state)
{
    (void)state;
    struct client c[3];
    server_start(&server, OPTIONS("--max-connections", "2"));
    client_open(&c[0], server.port);
    client_open(&c[1], server.port);
    client_connect(&c[2], server.port);
    client_read_all(&c[2]);
    assert_true(matches("HTTP/1.1 503 *Too many connections*", c[2].text));
    client_close(&c[2]);
    client_expect_nothing(&c[0]);
    for (int i = 0; i < 2; i++)
        client_close(&c[i]);
}

static const char handshake[] = "GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: "
                                "h\r\n\r\n";

/* Asks for one session after the other: how many there were, until the answer was this. */
static int sessions_until(struct client *c, const char *pattern)
{
    int opened = 0;
    client_connect(c, server.port);
    for (int i = 0; i < 4; i++)
        client_send_raw(c, handshake, sizeof handshake - 1);
    client_read_all(c);
    for (const char *p = c->text; (p = strstr(p, "0{\"sid\"")); p++)
        opened++;
    if (!matches(pattern, c->text))
        fail_msg("%s", c->text);
    client_close(c);
    return opened;
}

static void sessions_that_poll_count_as_connections(void **state)
{
    (void)state;
    struct client c, other;
    server_start(&server, OPTIONS("--max-connections", "4"));
    client_open(&other, server.port);
    /* Two sockets and two sessions are four. */
    assert_int_equal(sessions_until(&c, "*HTTP/1.1 503 *Too many connections*"), 2);
    client_close(&other);
}

static void sessions_that_have_not_registered_are_a_quarter_of_all_and_no_more(void **state)
{
    (void)state;
    struct client c;
    server_start(&server, OPTIONS("--max-connections", "20"));
    assert_int_equal(sessions_until(&c, "*Connection: close\r\n*"), 4); /* of one connection */
    assert_int_equal(sessions_until(&c, "*HTTP/1.1 503 *that poll have not registered*"), 2);
    client_open_as(&c, &server, "alice");
    client_close(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(bad_options_are_named_and_end_with_64, prepare, finish),
        cmocka_unit_test_setup_teardown(help_and_version_are_printed, prepare, finish),
        cmocka_unit_test_setup_teardown(a_config_file_is_read_and_the_command_line_wins, prepare,
                                        finish),
        cmocka_unit_test_setup_teardown(the_secret_is_made_once_and_kept_from_others, prepare,
                                        finish),
        cmocka_unit_test_setup_teardown(a_second_process_on_the_same_folder_is_kept_out, prepare,
                                        finish),
        cmocka_unit_test_setup_teardown(a_port_in_use_is_71_with_the_reason, prepare, finish),
        cmocka_unit_test_setup_teardown(a_data_directory_that_is_none_is_71, prepare, finish),
        cmocka_unit_test_setup_teardown(a_damaged_log_is_65_and_nothing_is_changed, prepare,
                                        finish),
        cmocka_unit_test_setup_teardown(
            hup_takes_a_new_secret_and_the_old_tokens_stay_good_until_the_next, prepare, finish),
        cmocka_unit_test_setup_teardown(
            the_previous_secret_ends_with_the_next_hup_also_if_nothing_changed, prepare, finish),
        cmocka_unit_test_setup_teardown(a_secret_elsewhere_may_be_replaced, prepare, finish),
        cmocka_unit_test_setup_teardown(hup_without_a_secret_makes_none, prepare, finish),
        cmocka_unit_test_setup_teardown(the_health_check_says_that_it_is_shutting_down, prepare,
                                        finish),
        cmocka_unit_test_setup_teardown(usr1_prints_the_metrics, prepare, finish),
        cmocka_unit_test_setup_teardown(it_ends_clean_although_clients_do_not_answer, prepare,
                                        finish),
        cmocka_unit_test_setup_teardown(it_listens_on_ipv6_and_unix_sockets_too, prepare, finish),
        cmocka_unit_test_setup_teardown(systemd_is_notified, prepare, finish),
        cmocka_unit_test_setup_teardown(connections_over_the_limit_are_turned_away, prepare,
                                        finish),
        cmocka_unit_test_setup_teardown(sessions_that_poll_count_as_connections, prepare, finish),
        cmocka_unit_test_setup_teardown(
            sessions_that_have_not_registered_are_a_quarter_of_all_and_no_more, prepare, finish),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
