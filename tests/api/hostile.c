/* What a hostile client, or a shortage, does to the process as a whole: its memory, its log, its
 * secret. */
#include "../support/client.h"
#include "../support/program.h"
#include "../support/test.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define OPTIONS(...) ((const char *const[]){__VA_ARGS__, NULL})

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

/* A line of /proc/PID/status in KiB. Valgrind and the sanitizers use memory of their own: 0 there. */
static long memory_kib(pid_t pid, const char *name)
{
    char path[64], line[256];
    long kib = -1;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    return 0;
#endif
    if (getenv("PARLEY_WRAP"))
        return 0;
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    FILE *f = fopen(path, "re");
    assert_non_null(f);
    while (fgets(line, sizeof line, f))
        if (strncmp(line, name, strlen(name)) == 0)
            kib = atol(line + strlen(name) + 1);
    fclose(f);
    assert_true(kib >= 0);
    return kib;
}

/* ---- memory ------------------------------------------------------------------------------ */

#define ANNOUNCERS 100

static void a_declared_length_takes_no_memory(void **state)
{
    (void)state;
    struct program echo;
    struct client c[ANNOUNCERS];
    program_start(&echo, "ws-echo", OPTIONS("--listen", "127.0.0.1:0"));
    const char *line = program_error_line(&echo);
    assert_non_null(line);
    uint16_t port = (uint16_t)atoi(strrchr(line, ':') + 1);
    client_open(&c[0], port);
    long before = memory_kib(echo.pid, "VmSize:");
    for (int i = 0; i < ANNOUNCERS; i++) {
        if (i)
            client_open(&c[i], port);
        /* One byte of a fragment of nearly 16 MiB. */
        client_send_frame(&c[i], 0x01, "x", 1);
        client_send_raw(&c[i], "\x00\xff\0\0\0\0\0\xff\xff\xf0\0\0\0\0y", 15);
    }
    struct client other;
    client_open(&other, port);
    client_send(&other, "all was read that came before");
    client_expect(&other, "all was read that came before");
    assert_in_range(memory_kib(echo.pid, "VmSize:") - before, 0, 8 << 10);
    for (int i = 0; i < ANNOUNCERS; i++)
        client_close(&c[i]);
    client_close(&other);
    assert_int_equal(program_terminate(&echo), 0);
    program_free(&echo);
}

/* Names that nobody has, answers to everything, and none of it stays. */
static void ids_and_refs_leave_nothing_behind(void **state)
{
    (void)state;
    struct client c;
    long before = 0;
    server_start(&server, OPTIONS("--rate", "0"));
    client_open_as(&c, &server, "alice");
    for (int i = 0; i < 10000; i++) {
        client_sendf(&c, "{\"event\":\"startWriting\",\"data\":{\"id\":\"nobody %d\"}}", i);
        client_sendf(
            &c, "{\"event\":\"conversation\",\"data\":{\"id\":\"none %d\"},\"ref\":\"r%d\"}", i, i);
        client_expect(&c, "*\"messages\":[]*");
        if (i == 2000)
            before = memory_kib(server.pid, "VmRSS:");
    }
    assert_in_range(memory_kib(server.pid, "VmRSS:"), 0, before + 512);
    client_close(&c);
}

/* ---- the log ----------------------------------------------------------------------------- */

static void no_client_can_write_into_the_log(void **state)
{
    (void)state;
    static const char *const requests[] = {
        "GET /\x1b[2J HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET /chat%0aparleyd:%20error: HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET /chat HTTP/1.1\r\nHost: h\r\nOrigin: http://a\xc2\x85parleyd: error: x\r\n\r\n",
        "GET /chat HTTP/1.1\r\nHost: h\r\nUser-Agent: \x1b]0;x\x07\r\n\r\n",
        "GET /chat HTTP/1.1\r\nHost: h\r\nX: a\nparleyd: error: forged\r\n\r\n",
        "\nparleyd: error: forged\n",
    };
    static const char *const frames[] = {
        "{\"event\":\"a\\nparleyd: error: forged\\u001b[2J\"}",
        "{\"event\":\"registerMessages\",\"data\":{\"token\":\"a\\nparleyd: error: forged\"}}",
        "{\"event\":\"message\",\"data\":{\"to\":\"a\\nparleyd: error: "
        "forged\",\"content\":\"x\"}}",
        "{\"event\":\"message\",\"data\":{\"to\":\"\xe2\x80\xae%s%n\",\"content\":\"\\u001b["
        "2J\\n\"}}",
        "{\"event\":\"startWriting\",\"data\":{\"id\":\"\xe2\x80\xa8parleyd: error: forged\"}}",
        "\x1b[2J",
    };
    struct client c;
    server_start(&server, OPTIONS("--log-level", "debug"));
    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
        client_http(&c, server.port, requests[i]);
        client_close(&c);
    }
    for (int registered = 0; registered < 2; registered++) {
        if (registered)
            client_open_as(&c, &server, "\xe2\x80\xaeparleyd: error: forged %n\xf3\xa0\x80\x81");
        else
            client_open(&c, server.port);
        for (size_t i = 0; i < sizeof frames / sizeof *frames; i++)
            client_send(&c, frames[i]);
        client_send_frame(&c, 0x88, "\x03\xe8", 2);
        while (client_receive(&c))
            ;
        assert_int_equal(c.code, 1000);
        client_close(&c);
    }
    server_signal(&server, SIGTERM);
    assert_int_equal(server_wait_end(&server), 0);
    assert_null(strstr(server.text, "forged"));
    for (const char *p = server.text; *p; p = strchr(p, '\n') + 1) {
        assert_memory_equal(p, "parleyd: ", 9);
        for (const char *byte = p; *byte != '\n'; byte++)
            assert_in_range(*byte, ' ', '~');
    }
}

/* ---- shortage ---------------------------------------------------------------------------- */

static void hup_without_a_free_descriptor_keeps_the_secret(void **state)
{
    (void)state;
    struct client c, waits;
    struct rlimit none, before;
    char said[128];
    server_start(&server, OPTIONS("--rate", "0"));
    client_open_as(&c, &server, "alice");
    assert_int_equal(prlimit(server.pid, RLIMIT_NOFILE, NULL, &before), 0);
    none = (struct rlimit){3, before.rlim_max};
    assert_int_equal(prlimit(server.pid, RLIMIT_NOFILE, &none, NULL), 0);
    server_signal(&server, SIGHUP);
    snprintf(said, sizeof said, "secret: %s; the present secret stays in use\n", strerror(EMFILE));
    server_wait_text(&server, said);
    client_expect_nothing(&c);
    client_connect(&waits, server.port); /* as far as the kernel; the listener rests */
    client_expect_nothing(&c);
    assert_int_equal(prlimit(server.pid, RLIMIT_NOFILE, &before, NULL), 0);
    client_upgrade(&waits);
    client_sendf(&waits, "{\"event\":\"registerMessages\",\"data\":{\"token\":\"%s\"}}",
                 server_token(&server, "bob"));
    client_expect(&waits, "*\"OK\"*");
    server_signal(&server, SIGHUP);
    server_wait_text(&server, "read the secret file again\n");
    client_close(&waits);
    client_close(&c);
}

/* ---- secrets ----------------------------------------------------------------------------- */

static void write_secret(const char *text, mode_t mode)
{
    char path[128];
    snprintf(path, sizeof path, "%s/secret", server.data);
    mkdir(server.data, 0700);
    FILE *f = fopen(path, "we");
    assert_non_null(f);
    fputs(text, f);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(chmod(path, mode), 0);
}

static void a_short_secret_is_refused_and_one_that_others_can_read_is_warned_of(void **state)
{
    (void)state;
    static const char good[] = "a secret of 32 bytes, or of more\n";
    for (size_t n = 0; n < 32; n += 31) {
        char text[40], said[80];
        snprintf(text, sizeof text, "%.*s\n", (int)n, good);
        write_secret(text, 0600);
        assert_int_equal(server_start_fails(&server, OPTIONS("--rate", "0")), 64);
        snprintf(said, sizeof said, "holds %zu bytes; expected 32 to 1024", n);
        assert_non_null(strstr(server.text, said));
    }
    write_secret(good, 0600);
    server_start(&server, OPTIONS("--rate", "0"));
    assert_null(strstr(server.text, "secret"));
    server_signal(&server, SIGTERM);
    assert_int_equal(server_wait_end(&server), 0);
    for (mode_t bit = 01; bit <= 040; bit <<= 1) {
        write_secret(good, 0600 | bit);
        server_start(&server, OPTIONS("--rate", "0"));
        assert_non_null(strstr(server.text, "warning: secret file"));
        assert_non_null(strstr(server.text, "can be read by others"));
        assert_null(strstr(server.text, "a secret of")); /* never its bytes */
        server_signal(&server, SIGTERM);
        assert_int_equal(server_wait_end(&server), 0);
    }
}

int main(int argc, char **argv)
{
    (void)argc;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_declared_length_takes_no_memory),
        cmocka_unit_test_setup_teardown(ids_and_refs_leave_nothing_behind, prepare, finish),
        cmocka_unit_test_setup_teardown(no_client_can_write_into_the_log, prepare, finish),
        cmocka_unit_test_setup_teardown(hup_without_a_free_descriptor_keeps_the_secret, prepare,
                                        finish),
        cmocka_unit_test_setup_teardown(
            a_short_secret_is_refused_and_one_that_others_can_read_is_warned_of, prepare, finish),
    };
    program_init(argv[0]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
