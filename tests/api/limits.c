/* What ends a connection and with which code, and that one client's slowness stays its own. */
#include "../support/client.h"
#include "../support/test.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define OPTIONS(...) ((const char *const[]){__VA_ARGS__, NULL})

static struct server server;

static int start(void **state)
{
    (void)state;
    server_prepare(&server);
    server_start(&server,
                 OPTIONS("--rate", "0", "--max-user-connections", "3", "--max-queue", "65536"));
    return 0;
}

static int stop(void **state)
{
    (void)state;
    server_stop(&server);
    return 0;
}

static void broken_frames_close_with_their_code(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t n;
        int code;
    } cases[] = {
        {"\x81\x02hi", 4, 1002},                             /* not masked */
        {"\xc1\x80\0\0\0\0", 6, 1002},                       /* reserved bit */
        {"\x83\x80\0\0\0\0", 6, 1002},                       /* reserved opcode */
        {"\x8b\x80\0\0\0\0", 6, 1002},                       /* reserved control opcode */
        {"\x80\x80\0\0\0\0", 6, 1002},                       /* continues nothing */
        {"\x01\x80\0\0\0\0\x81\x80\0\0\0\0", 12, 1002},      /* a message inside a message */
        {"\x09\x80\0\0\0\0", 6, 1002},                       /* fragmented ping */
        {"\x89\xfe\0\x7e\0\0\0\0", 8, 1002},                 /* long ping */
        {"\x81\xfe\0\x05\0\0\0\0hello", 13, 1002},           /* length not in its shortest form */
        {"\x81\xff\x80\0\0\0\0\0\0\0\0\0\0\0", 14, 1002},    /* top bit of the length */
        {"\x88\x81\0\0\0\0x", 7, 1002},                      /* close of one byte */
        {"\x88\x82\0\0\0\0\x03\xed", 8, 1002},               /* close with 1005 */
        {"\x88\x82\0\0\0\0\x03\xe8", 8, 1000},               /* a proper close is echoed */
        {"\x88\x82\0\0\0\0\x0f\xa0", 8, 4000},               /* an application's code, too */
        {"\x88\x80\0\0\0\0", 6, 1005},                       /* and an empty one */
        {"\x88\x83\0\0\0\0\x03\xe8\xff", 9, 1007},           /* reason not UTF-8 */
        {"\x82\x80\0\0\0\0", 6, 1003},                       /* binary */
        {"\x81\xc0\0\0\0\0\xff", 7, 1007},                   /* not UTF-8, at its first byte */
        {"\x01\x81\0\0\0\0\xc3\x80\x81\0\0\0\0(", 14, 1007}, /* broken across fragments */
        {"\x81\x81\0\0\0\0\xc3", 7, 1007},                   /* ends inside a character */
        {"\x81\xff\0\0\0\0\0\x01\0\x01\0\0\0\0", 14, 1009},  /* 65,537 bytes, by the head alone */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct client c;
        client_open(&c, server.port);
        client_send_raw(&c, cases[i].bytes, cases[i].n);
        if (client_receive(&c) || c.code != cases[i].code)
            fail_msg("case %zu: closed with %d %s instead of %d", i, c.code, c.reason,
                     cases[i].code);
        client_close(&c);
    }
}

static void fragments_and_pings_between_them_are_fine(void **state)
{
    (void)state;
    struct client c;
    client_open(&c, server.port);
    client_send_frame(&c, 0x01, "{\"event\":", 9);
    client_send_frame(&c, 0x89, "are you there", 13);
    client_send_frame(&c, 0x00, "\"x\xc3", 3);
    client_send_frame(&c, 0x00, "", 0);
    client_send_frame(&c, 0x80, "\xa9\"}", 3);
    client_expect(&c, "{\"event\":\"info\",\"data\":\"there is no event \\\"x\xc3\xa9\\\"\"*");
    client_close(&c);
}

static void one_connection_too_many_closes_the_one_silent_longest(void **state)
{
    (void)state;
    struct client c[4];
    for (int i = 0; i < 3; i++)
        client_open_as(&c[i], &server, "many");
    usleep(20000); /* so that their silences differ by whole milliseconds */
    client_expect_nothing(&c[0]);
    client_expect_nothing(&c[2]);
    usleep(20000);
    client_open_as(&c[3], &server, "many");
    client_expect_close(&c[1], 4003);
    client_expect_nothing(&c[0]);
    for (int i = 0; i < 4; i++)
        client_close(&c[i]);
}

/* Sends n messages of `size` bytes, ten at a time, and reads their acknowledgements. */
static void send_many(struct client *c, const char *to, int n, size_t size)
{
    char *content = malloc(size + 1);
    assert_non_null(content);
    memset(content, 'x', size);
    content[size] = 0;
    for (int i = 0; i < n; i += 10) {
        for (int k = 0; k < 10; k++)
            client_sendf(c, "{\"event\":\"message\",\"data\":{\"to\":\"%s\",\"content\":\"%s\"}}",
                         to, content);
        for (int k = 0; k < 10; k++)
            client_expect(c, "*success*");
    }
    free(content);
}

/* Each resumes and does not read: a long answer under way is no reason to stay. */
static void one_connection_too_many_closes_one_in_the_middle_of_an_answer(void **state)
{
    (void)state;
    struct client c[4], sender;
    int replayed = 0;
    client_open_as(&sender, &server, "sender");
    send_many(&sender, "resumes", 1000, 16000);
    for (int i = 0; i < 4; i++) {
        client_open(&c[i], server.port);
        client_sendf(&c[i],
                     "{\"event\":\"registerMessages\",\"data\":{\"token\":\"%s\",\"since\":0}}",
                     server_token(&server, "resumes"));
        client_expect(&c[i], "*\"OK\"*");
    }
    for (; client_receive(&c[0]); replayed++)
        assert_true(matches("*{\"replay\":true}}", c[0].text));
    assert_int_equal(c[0].code, 4003);
    assert_in_range(replayed, 0, 999);
    for (int i = 0; i < 1000; i++)
        client_expect(&c[3], "*{\"replay\":true}}");
    for (int i = 0; i < 4; i++)
        client_close(&c[i]);
    client_close(&sender);
}

static void a_reader_that_takes_no_live_events_is_cut_off_and_others_are_served(void **state)
{
    (void)state;
    struct client slow, quick, sender;
    client_open_as(&slow, &server, "slow");
    client_open_as(&quick, &server, "quick");
    client_open_as(&sender, &server, "sender");
    /* More than the kernel's buffers of both ends and --max-queue together. */
    send_many(&sender, "slow", 1000, 16000);
    send_many(&sender, "quick", 10, 100);
    for (int i = 0; i < 10; i++)
        client_expect(&quick, "*\"to\":\"quick\"*");
    int received = 0;
    while (client_receive(&slow))
        received++;
    assert_in_range(received, 1, 999);
    assert_true(slow.code == 4008 || slow.code == 1006);
    /* What it missed is in the conversation. */
    client_close(&slow);
    client_open_as(&slow, &server, "slow");
    client_send(&slow, "{\"event\":\"conversation\",\"data\":{\"id\":\"sender\",\"limit\":1}}");
    client_expect(&slow, "{*\"messages\":[{\"id\":1000,*\"more\":true*");
    client_close(&slow);
    client_close(&quick);
    client_close(&sender);
}

static void a_page_comes_at_the_readers_pace_and_live_events_wait_behind_it(void **state)
{
    (void)state;
    struct client reader, writer;
    client_open_as(&writer, &server, "writer");
    send_many(&writer, "reader", 400, 16000);
    client_open_as(&reader, &server, "reader");
    client_send(&reader, "{\"event\":\"conversation\",\"data\":{\"id\":\"writer\"},\"ref\":1}");
    client_send(&reader, "{\"event\":\"snippets\",\"ref\":2}");
    /* The page is under way, most of it still in the log, when this is stored and delivered. */
    client_send(&writer, "{\"event\":\"message\",\"data\":{\"to\":\"reader\",\"content\":\"live\"}"
                         "}");
    client_expect(&writer, "*success*");
    client_expect(&reader, "{\"event\":\"conversation\",*");
    /* Ended early, at 4 MiB: 260 of 400. */
    assert_in_range(reader.text_n, (4 << 20) - 17000, (4 << 20) + 200);
    assert_true(matches("{*]},\"ref\":1,\"meta\":{\"more\":true}}", reader.text));
    client_expect(&reader, "{\"event\":\"message\",*\"content\":\"live\"*");
    client_expect(&reader, "{\"event\":\"snippets\",*\"content\":\"live\"*\"ref\":2,*}");
    client_expect(&reader, "{\"event\":\"end\",*\"count\":1*");
    client_close(&reader);
    client_close(&writer);
}

static void clients_that_vanish_at_any_moment_harm_nobody(void **state)
{
    (void)state;
    struct client stays, c;
    client_open_as(&stays, &server, "stays");
    for (int i = 0; i < 60; i++) {
        client_open_as(&c, &server, "goes");
        for (int k = 0; k <= i % 5; k++)
            client_send(&c, "{\"event\":\"message\",\"data\":{\"to\":\"stays\",\"content\":\"bye\"}"
                            "}");
        if (i % 3 == 1)
            client_send(&c, "{\"event\":\"conversation\",\"data\":{\"id\":\"stays\"}}");
        if (i % 3 == 2) {
            struct linger reset = {1, 0};
            setsockopt(c.fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
        }
        client_close(&c);
    }
    client_open_as(&c, &server, "last");
    client_send(&c, "{\"event\":\"message\",\"data\":{\"to\":\"stays\",\"content\":\"last\"}}");
    client_expect(&c, "*success*");
    do
        assert_true(client_receive(&stays));
    while (!strstr(stays.text, "\"last\""));
    client_close(&c);
    client_close(&stays);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(broken_frames_close_with_their_code),
        cmocka_unit_test(fragments_and_pings_between_them_are_fine),
        cmocka_unit_test(one_connection_too_many_closes_the_one_silent_longest),
        cmocka_unit_test(a_reader_that_takes_no_live_events_is_cut_off_and_others_are_served),
        cmocka_unit_test(a_page_comes_at_the_readers_pace_and_live_events_wait_behind_it),
        cmocka_unit_test(clients_that_vanish_at_any_moment_harm_nobody),
        cmocka_unit_test(one_connection_too_many_closes_one_in_the_middle_of_an_answer),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
