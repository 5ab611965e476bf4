/* The six events of the documented API, and every code of its errors, on a real server. */
#include "../support/client.h"
#include "../support/test.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OPTIONS(...) ((const char *const[]){__VA_ARGS__, NULL})
#define PLAIN OPTIONS("--rate", "0")

#define SIXTY_FOUR "0123456789012345678901234567890123456789012345678901234567890123"

static struct server server;

static int start(void **state)
{
    (void)state;
    server_prepare(&server);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    if (server.pid)
        server_stop(&server);
    return 0;
}

static void expect_info(struct client *c, const char *code, const char *event)
{
    char pattern[256];
    snprintf(pattern, sizeof pattern,
             "{\"event\":\"info\",\"data\":\"*\"*,\"meta\":{\"code\":\"%s\",\"event\":%s}}", code,
             event);
    client_expect(c, pattern);
}

static void a_message_is_acknowledged_and_delivered(void **state)
{
    (void)state;
    struct client alice, bob;
    server_start(&server, PLAIN);
    client_open_as(&alice, &server, "alice");
    client_open_as(&bob, &server, "bob");
    client_send(&alice, "{\"event\":\"message\",\"data\":{\"to\":\"bob\",\"content\":\"hi\"},"
                        "\"ref\":7}");
    client_expect(&alice, "{\"event\":\"message\",\"data\":{\"success\":true},\"ref\":7,"
                          "\"meta\":{\"id\":1,\"date\":*}}");
    client_expect(&bob, "{\"event\":\"message\",\"data\":{\"id\":1,\"from\":\"alice\",\"to\":"
                        "\"bob\","
                        "\"content\":\"hi\",\"date\":*}}");
    client_expect_nothing(&alice);
    client_close(&alice);
    client_close(&bob);
}

static void every_other_connection_of_both_users_receives_once(void **state)
{
    (void)state;
    struct client alice[3], bob[2], carol;
    server_start(&server, PLAIN);
    for (int i = 0; i < 3; i++)
        client_open_as(&alice[i], &server, "alice");
    for (int i = 0; i < 2; i++)
        client_open_as(&bob[i], &server, "bob");
    client_open_as(&carol, &server, "carol");
    client_send(&alice[1], "{\"event\":\"message\",\"data\":{\"to\":\"bob\",\"content\":\"hi\"}}");
    client_expect(&alice[1], "{\"event\":\"message\",\"data\":{\"success\":true}*");
    client_expect(&alice[0], "{\"event\":\"message\",\"data\":{\"id\":1,*");
    client_expect(&alice[2], "{\"event\":\"message\",\"data\":{\"id\":1,*");
    client_expect(&bob[0], "{\"event\":\"message\",\"data\":{\"id\":1,*");
    client_expect(&bob[1], "{\"event\":\"message\",\"data\":{\"id\":1,*");
    for (int i = 0; i < 3; i++)
        client_expect_nothing(&alice[i]);
    for (int i = 0; i < 2; i++)
        client_expect_nothing(&bob[i]);
    client_expect_nothing(&carol);
    for (int i = 0; i < 3; i++)
        client_close(&alice[i]);
    for (int i = 0; i < 2; i++)
        client_close(&bob[i]);
    client_close(&carol);
}

static void a_note_to_oneself_comes_once_to_the_other_device(void **state)
{
    (void)state;
    struct client phone, desk;
    server_start(&server, PLAIN);
    client_open_as(&phone, &server, "alice");
    client_open_as(&desk, &server, "alice");
    client_send(&phone, "{\"event\":\"message\",\"data\":{\"to\":\"alice\",\"content\":\"milk\"}}");
    client_expect(&phone, "*{\"success\":true}*");
    client_expect(&desk, "*\"content\":\"milk\"*");
    client_expect_nothing(&phone);
    client_expect_nothing(&desk);
    client_send(&desk, "{\"event\":\"conversation\",\"data\":{\"id\":\"alice\"}}");
    client_expect(&desk, "{\"event\":\"conversation\",\"data\":{\"id\":\"alice\",\"messages\":[{*"
                         "\"milk\"*}]}*");
    client_send(&desk, "{\"event\":\"snippets\",\"ref\":1}");
    client_expect(&desk, "{\"event\":\"snippets\",\"data\":{\"id\":\"alice\",\"message\":{*}},"
                         "\"ref\":1,\"meta\":{\"unread\":0,\"readUpTo\":0}}");
    client_expect(&desk, "{\"event\":\"end\",\"data\":{\"event\":\"snippets\",\"count\":1},\"ref\":"
                         "1}");
    client_close(&phone);
    client_close(&desk);
}

static void a_conversation_comes_oldest_first_and_in_pages(void **state)
{
    (void)state;
    struct client alice, bob;
    server_start(&server, PLAIN);
    client_open_as(&alice, &server, "alice");
    client_open_as(&bob, &server, "bob");
    client_send(&bob, "{\"event\":\"conversation\",\"data\":{\"id\":\"alice\"}}");
    client_expect(&bob, "{\"event\":\"conversation\",\"data\":{\"id\":\"alice\",\"messages\":[]},"
                        "\"meta\":{\"more\":false}}");
    for (int i = 1; i <= 5; i++) {
        client_sendf(&alice,
                     "{\"event\":\"message\",\"data\":{\"to\":\"bob\",\"content\":\"m%d\"}}", i);
        client_expect(&alice, "*success*");
        client_expect(&bob, "*content*");
    }
    client_send(&bob, "{\"event\":\"conversation\",\"data\":{\"id\":\"alice\"},\"ref\":\"r\"}");
    client_expect(&bob, "{*[{\"id\":1,*\"m1\"*,{\"id\":2,*,{\"id\":3,*,{\"id\":4,*,{\"id\":5,*"
                        "\"m5\"*}]},"
                        "\"ref\":\"r\",\"meta\":{\"more\":false}}");
    client_send(&bob, "{\"event\":\"conversation\",\"data\":{\"id\":\"alice\",\"limit\":2}}");
    client_expect(&bob, "{*[{\"id\":4,*},{\"id\":5,*}]},\"meta\":{\"more\":true}}");
    client_send(&bob, "{\"event\":\"conversation\",\"data\":{\"id\":\"alice\",\"before\":4,"
                      "\"limit\":2}}");
    client_expect(&bob, "{*[{\"id\":2,*},{\"id\":3,*}]},\"meta\":{\"more\":true}}");
    client_send(&bob, "{\"event\":\"conversation\",\"data\":{\"id\":\"alice\",\"before\":2}}");
    client_expect(&bob, "{*[{\"id\":1,*}]},\"meta\":{\"more\":false}}");
    client_close(&alice);
    client_close(&bob);
}

static void nobody_else_can_read_a_conversation(void **state)
{
    (void)state;
    struct client alice, carol;
    server_start(&server, PLAIN);
    client_open_as(&alice, &server, "alice");
    client_open_as(&carol, &server, "carol");
    client_send(&alice, "{\"event\":\"message\",\"data\":{\"to\":\"bob\",\"content\":\"secret\"}}");
    client_expect(&alice, "*success*");
    client_send(&carol, "{\"event\":\"conversation\",\"data\":{\"id\":\"bob\"}}");
    client_expect(&carol, "*\"messages\":[]*");
    client_send(&carol, "{\"event\":\"conversation\",\"data\":{\"id\":\"alice\"}}");
    client_expect(&carol, "*\"messages\":[]*");
    client_send(&carol, "{\"event\":\"snippets\",\"ref\":1}");
    client_expect(&carol, "*\"count\":0*");
    client_close(&alice);
    client_close(&carol);
}

static void snippets_come_most_recent_first_with_the_newest_message(void **state)
{
    (void)state;
    struct client alice;
    server_start(&server, PLAIN);
    client_open_as(&alice, &server, "alice");
    const char *const to[] = {"bob", "carol", "dave", "bob"};
    for (int i = 0; i < 4; i++) {
        client_sendf(&alice, "{\"event\":\"message\",\"data\":{\"to\":\"%s\",\"content\":\"m%d\"}}",
                     to[i], i);
        client_expect(&alice, "*success*");
    }
    client_send(&alice, "{\"event\":\"snippets\"}");
    client_expect(&alice, "{\"event\":\"snippets\",\"data\":{\"id\":\"bob\",\"message\":{\"id\":4,*"
                          "\"m3\"*}},\"meta\":{*}}");
    client_expect(&alice, "{\"event\":\"snippets\",\"data\":{\"id\":\"dave\",\"message\":{\"id\":3,"
                          "*}},\"meta\":{*}}");
    client_expect(&alice, "{\"event\":\"snippets\",\"data\":{\"id\":\"carol\",\"message\":{\"id\":"
                          "2,*}},\"meta\":{*}}");
    client_expect_nothing(&alice);
    client_send(&alice, "{\"event\":\"snippets\",\"data\":null,\"ref\":2}");
    for (int i = 0; i < 3; i++)
        client_expect(&alice, "{\"event\":\"snippets\",*,\"ref\":2,\"meta\":{*}}");
    client_expect(&alice, "{\"event\":\"end\",\"data\":{\"event\":\"snippets\",\"count\":3},"
                          "\"ref\":2}");
    client_close(&alice);
}

static void writing_is_seen_by_every_connection_of_the_correspondent(void **state)
{
    (void)state;
    struct client alice, bob[2];
    server_start(&server, PLAIN);
    client_open_as(&alice, &server, "alice");
    client_open_as(&bob[0], &server, "bob");
    client_open_as(&bob[1], &server, "bob");
    client_send(&alice, "{\"event\":\"startWriting\",\"data\":{\"id\":\"bob\"}}");
    for (int i = 0; i < 2; i++)
        client_expect(&bob[i], "{\"event\":\"startWriting\",\"data\":{\"id\":\"alice\"}}");
    client_send(&alice, "{\"event\":\"stopWriting\",\"data\":{\"id\":\"bob\"}}");
    for (int i = 0; i < 2; i++)
        client_expect(&bob[i], "{\"event\":\"stopWriting\",\"data\":{\"id\":\"alice\"}}");
    client_sendf(&alice, "{\"event\":\"stopWriting\",\"data\":{\"id\":\"bob\",\"token\":\"%s\"}}",
                 server_token(&server, "alice"));
    client_expect(&bob[0], "{\"event\":\"stopWriting\",*");
    client_sendf(&alice, "{\"event\":\"stopWriting\",\"data\":{\"id\":\"bob\",\"token\":\"%s\"}}",
                 server_token(&server, "bob"));
    expect_info(&alice, "bad_token", "\"stopWriting\"");
    client_send(&alice, "{\"event\":\"stopWriting\",\"data\":{\"id\":\"bob\",\"token\":\"no\"}}");
    expect_info(&alice, "bad_token", "\"stopWriting\"");
    client_send(&alice, "{\"event\":\"startWriting\",\"data\":{\"id\":\"nobody\"}}");
    client_expect_nothing(&alice);
    client_expect_nothing(&bob[0]);
    client_close(&alice);
    for (int i = 0; i < 2; i++)
        client_close(&bob[i]);
}

static void ids_may_be_integers_and_come_back_as_strings(void **state)
{
    (void)state;
    struct client alice, fortytwo;
    server_start(&server, PLAIN);
    client_open_as(&alice, &server, "alice");
    client_open_as(&fortytwo, &server, "42");
    client_send(&alice, "{\"event\":\"message\",\"data\":{\"to\":42,\"content\":\"hi\"}}");
    client_expect(&alice, "*success*");
    client_expect(&fortytwo, "{*\"to\":\"42\",*");
    client_send(&alice, "{\"event\":\"conversation\",\"data\":{\"id\":42}}");
    client_expect(&alice, "{\"event\":\"conversation\",\"data\":{\"id\":\"42\",\"messages\":[{*}]}"
                          "*");
    client_close(&alice);
    client_close(&fortytwo);
}

/* What is sent, and how the shortest JSON string with the same value looks. */
static const struct {
    const char *sent, *stored;
} contents[] = {
    {"plain", "plain"},
    {"\\u0000 NUL", "\\u0000 NUL"},
    {"quote \\\" backslash \\\\ slash \\/", "quote \\\" backslash \\\\ slash /"},
    {"\\ud83d\\ude00", "\xf0\x9f\x98\x80"},
    {"\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80"},
    {"line\\nbreak\\r\\ttab\\b\\f", "line\\nbreak\\r\\ttab\\b\\f"},
    {"\\u001f\\u007f\\u0080", "\\u001f\x7f\xc2\x80"},
    {"\\u2028\\u2029\\uffff", "\xe2\x80\xa8\xe2\x80\xa9\xef\xbf\xbf"},
    {"{\\\"event\\\":\\\"x\\\"}", "{\\\"event\\\":\\\"x\\\"}"},
    {"</script><b>", "</script><b>"},
    {"\\u0041\\u00e9", "A\xc3\xa9"},
    {" ", " "},
};

static void content_comes_back_as_the_same_string(void **state)
{
    (void)state;
    struct client alice, bob;
    char pattern[512];
    server_start(&server, PLAIN);
    client_open_as(&alice, &server, "alice");
    client_open_as(&bob, &server, "bob");
    for (size_t i = 0; i < sizeof contents / sizeof *contents; i++) {
        client_sendf(&alice, "{\"event\":\"message\",\"data\":{\"to\":\"bob\",\"content\":\"%s\"}}",
                     contents[i].sent);
        client_expect(&alice, "*success*");
        client_expect(&bob, "*");
        snprintf(pattern, sizeof pattern, "\"content\":\"%s\",\"date\":", contents[i].stored);
        if (!strstr(bob.text, pattern))
            fail_msg("%s came back in %s", contents[i].sent, bob.text);
        /* Byte for byte the same object wherever it appears. */
        char *object = strdup(strchr(strchr(bob.text, '{') + 1, '{'));
        object[strlen(object) - 1] = 0;
        client_send(&alice, "{\"event\":\"conversation\",\"data\":{\"id\":\"bob\",\"limit\":1}}");
        client_expect(&alice, "*");
        assert_non_null(strstr(alice.text, object));
        client_send(&alice, "{\"event\":\"snippets\"}");
        client_expect(&alice, "*");
        assert_non_null(strstr(alice.text, object));
        free(object);
    }
    client_close(&alice);
    client_close(&bob);
}

static void refs_come_back_to_the_letter(void **state)
{
    (void)state;
    struct client c;
    static const char *const good[] = {"1",
                                       "-5",
                                       "0",
                                       "9999999999999999",
                                       "\"\"",
                                       "\"abc\"",
                                       "\"\\u0041\\n\\\"\"",
                                       "\"\xc3\xa9\"",
                                       "\"" SIXTY_FOUR "\""};
    static const char *const bad[] = {"1.5",
                                      "1e3",
                                      "true",
                                      "null",
                                      "[]",
                                      "{}",
                                      "12345678901234567",
                                      "\"\\ud800\"",
                                      "\"" SIXTY_FOUR "4\""};
    server_start(&server, PLAIN);
    client_open(&c, server.port);
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        char pattern[256];
        client_sendf(&c, "{\"ref\":%s,\"event\":\"snippets\"}", good[i]);
        client_expect(&c, "*\"code\":\"unregistered\"*");
        snprintf(pattern, sizeof pattern, ",\"ref\":%s,\"meta\"", good[i]);
        if (!strstr(c.text, pattern))
            fail_msg("ref %s came back in %s", good[i], c.text);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        client_sendf(&c, "{\"ref\":%s,\"event\":\"snippets\"}", bad[i]);
        client_expect(&c, "{\"event\":\"info\",\"data\":\"*\",\"meta\":{\"code\":\"bad_request\","
                          "*");
    }
    client_close(&c);
}

static void what_is_no_request_is_answered_with_its_code(void **state)
{
    (void)state;
    struct client c;
    static const struct {
        const char *frame, *code, *event;
    } cases[] = {
        {"", "bad_json", "null"},
        {"{", "bad_json", "null"},
        {"[]", "bad_json", "null"},
        {"null", "bad_json", "null"},
        {"{\"event\":\"snippets\"} x", "bad_json", "null"},
        {"{'event':1}", "bad_json", "null"},
        {"{\"event\":\"snippets\",}", "bad_json", "null"},
        {"\xef\xbb\xbf{}", "bad_json", "null"},
        {"{}", "bad_request", "null"},
        {"{\"event\":1}", "bad_request", "null"},
        {"{\"event\":null}", "bad_request", "null"},
        {"{\"event\":\"nope\"}", "unknown_event", "\"nope\""},
        {"{\"event\":\"\"}", "unknown_event", "\"\""},
        {"{\"event\":\"Message\"}", "unknown_event", "\"Message\""},
        {"{\"event\":\"mess\\u0061ge\"}", "bad_request", "\"message\""},
        {"{\"event\":\"nope\",\"event\":\"message\"}", "bad_request", "\"message\""},
        {"{\"event\":\"message\",\"data\":5}", "bad_request", "\"message\""},
        {"{\"event\":\"message\",\"data\":\"x\"}", "bad_request", "\"message\""},
        {"{\"event\":\"message\",\"data\":{}}", "bad_request", "\"message\""},
        {"{\"event\":\"message\",\"data\":{\"to\":\"bob\"}}", "bad_request", "\"message\""},
        {"{\"event\":\"message\",\"data\":{\"content\":\"x\"}}", "bad_request", "\"message\""},
        {"{\"event\":\"message\",\"data\":{\"to\":\"\",\"content\":\"x\"}}", "bad_request",
         "\"message\""},
        {"{\"event\":\"message\",\"data\":{\"to\":\"a\\nb\",\"content\":\"x\"}}", "bad_request",
         "\"message\""},
        {"{\"event\":\"message\",\"data\":{\"to\":\"\\u0085\",\"content\":\"x\"}}", "bad_request",
         "\"message\""},
        {"{\"event\":\"message\",\"data\":{\"to\":1.5,\"content\":\"x\"}}", "bad_request",
         "\"message\""},
        {"{\"event\":\"message\",\"data\":{\"to\":[],\"content\":\"x\"}}", "bad_request",
         "\"message\""},
        {"{\"event\":\"message\",\"data\":{\"to\":\"bob\",\"content\":\"\"}}", "bad_request",
         "\"message\""},
        {"{\"event\":\"message\",\"data\":{\"to\":\"bob\",\"content\":5}}", "bad_request",
         "\"message\""},
        {"{\"event\":\"message\",\"data\":{\"to\":\"bob\",\"content\":\"\\ud800\"}}", "bad_request",
         "\"message\""},
        {"{\"event\":\"conversation\"}", "bad_request", "\"conversation\""},
        {"{\"event\":\"conversation\",\"data\":{\"id\":\"bob\",\"limit\":0}}", "bad_request",
         "\"conversation\""},
        {"{\"event\":\"conversation\",\"data\":{\"id\":\"bob\",\"limit\":1001}}", "bad_request",
         "\"conversation\""},
        {"{\"event\":\"conversation\",\"data\":{\"id\":\"bob\",\"before\":-1}}", "bad_request",
         "\"conversation\""},
        {"{\"event\":\"conversation\",\"data\":{\"id\":\"bob\",\"before\":\"1\"}}", "bad_request",
         "\"conversation\""},
        {"{\"event\":\"startWriting\",\"data\":{}}", "bad_request", "\"startWriting\""},
        {"{\"event\":\"registerMessages\"}", "bad_request", "\"registerMessages\""},
        {"{\"event\":\"registerMessages\",\"data\":{\"token\":5}}", "bad_request",
         "\"registerMessages\""},
        {"{\"event\":\"registerMessages\",\"data\":{\"token\":\"\"}}", "bad_token",
         "\"registerMessages\""},
        {"{\"event\":\"registerMessages\",\"data\":{\"token\":\"a.b.c\"}}", "bad_token",
         "\"registerMessages\""},
    };
    server_start(&server, PLAIN);
    client_open_as(&c, &server, "alice");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        client_send(&c, cases[i].frame);
        expect_info(&c, cases[i].code, cases[i].event);
    }
    client_expect_nothing(&c);
    client_close(&c);
}

static void nesting_of_65_levels_is_bad_json_and_64_are_not(void **state)
{
    (void)state;
    struct client c;
    char frame[512];
    server_start(&server, PLAIN);
    client_open(&c, server.port);
    for (int levels = 64; levels <= 65; levels++) {
        int n = levels - 1; /* the frame's own object counts */
        memcpy(frame, "{\"event\":\"x\",\"y\":", 17);
        memset(frame + 17, '[', (size_t)n);
        memset(frame + 17 + n, ']', (size_t)n);
        strcpy(frame + 17 + 2 * n, "}");
        client_send(&c, frame);
        expect_info(&c, levels == 64 ? "unknown_event" : "bad_json",
                    levels == 64 ? "\"x\"" : "null");
    }
    client_close(&c);
}

static void unregistered_connections_can_only_register(void **state)
{
    (void)state;
    struct client c;
    static const char *const names[] = {"snippets", "conversation", "message", "startWriting",
                                        "stopWriting"};
    server_start(&server, PLAIN);
    client_open(&c, server.port);
    for (size_t i = 0; i < 5; i++) {
        char event[64];
        client_sendf(&c, "{\"event\":\"%s\",\"data\":{\"id\":\"bob\"}}", names[i]);
        snprintf(event, sizeof event, "\"%s\"", names[i]);
        expect_info(&c, "unregistered", event);
    }
    client_sendf(&c, "{\"event\":\"registerMessages\",\"data\":{\"token\":\"%s\"},\"ref\":0}",
                 server_token(&server, "alice"));
    client_expect(&c, "{\"event\":\"registerMessages\",\"data\":\"OK\",\"ref\":0,"
                      "\"meta\":{\"user\":\"alice\",\"last\":0}}");
    client_close(&c);
}

static void tokens_are_judged(void **state)
{
    (void)state;
    struct client c;
    char far[64], past[64];
    static const char *const bad[] = {"{}",
                                      "{\"sub\":5}",
                                      "{\"sub\":\"\"}",
                                      "{\"sub\":\"a\\n\"}",
                                      "[]",
                                      "{\"sub\":\"a\",\"exp\":\"9999999999\"}",
                                      "{\"sub\":\"a\",\"nbf\":99999999999}"};
    server_start(&server, PLAIN);
    client_open(&c, server.port);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        client_sendf(&c, "{\"event\":\"registerMessages\",\"data\":{\"token\":\"%s\"}}",
                     server_token_claims(&server, bad[i]));
        expect_info(&c, "bad_token", "\"registerMessages\"");
    }
    snprintf(past, sizeof past, "{\"sub\":\"a\",\"exp\":1500000000.5}");
    client_sendf(&c, "{\"event\":\"registerMessages\",\"data\":{\"token\":\"%s\"}}",
                 server_token_claims(&server, past));
    expect_info(&c, "token_expired", "\"registerMessages\"");
    /* alg: none */
    client_send(&c, "{\"event\":\"registerMessages\",\"data\":{\"token\":"
                    "\"eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0.\"}}");
    expect_info(&c, "bad_token", "\"registerMessages\"");
    snprintf(far, sizeof far, "{\"sub\":\"a\",\"exp\":1e12,\"nbf\":0}");
    client_sendf(&c, "{\"event\":\"registerMessages\",\"data\":{\"token\":\"%s\"}}",
                 server_token_claims(&server, far));
    client_expect(&c, "*\"OK\"*");
    /* The same user again: a renewal. Another one: refused. */
    client_sendf(&c, "{\"event\":\"registerMessages\",\"data\":{\"token\":\"%s\"}}",
                 server_token(&server, "a"));
    client_expect(&c, "*\"OK\"*");
    client_sendf(&c, "{\"event\":\"registerMessages\",\"data\":{\"token\":\"%s\"}}",
                 server_token(&server, "b"));
    expect_info(&c, "already_registered", "\"registerMessages\"");
    client_close(&c);
}

static void content_over_the_limit_is_too_large(void **state)
{
    (void)state;
    struct client c;
    char content[17 * 1024];
    memset(content, 'x', sizeof content);
    server_start(&server, PLAIN);
    client_open_as(&c, &server, "alice");
    content[16384] = 0;
    client_sendf(&c, "{\"event\":\"message\",\"data\":{\"to\":\"bob\",\"content\":\"%s\"}}",
                 content);
    client_expect(&c, "*success*");
    content[16384] = 'x';
    content[16385] = 0;
    client_sendf(&c, "{\"event\":\"message\",\"data\":{\"to\":\"bob\",\"content\":\"%s\"}}",
                 content);
    expect_info(&c, "too_large", "\"message\"");
    client_close(&c);
}

static void events_over_the_rate_are_refused_and_floods_closed(void **state)
{
    (void)state;
    struct client c;
    int ok = 0, limited = 0;
    server_start(&server, OPTIONS("--rate", "1"));
    client_open(&c, server.port);
    for (int i = 0; i < 1200; i++)
        client_send(&c, "{\"event\":\"snippets\",\"ref\":1}");
    while (client_receive(&c)) {
        ok += strstr(c.text, "\"unregistered\"") != NULL;
        limited += matches(
            "*\"ref\":1,\"meta\":{\"code\":\"rate_limited\",\"event\":\"snippets\"}}", c.text);
    }
    assert_in_range(ok, 2, 40); /* the burst, and what a slow machine's seconds allow */
    assert_in_range(limited, 480, 500);
    assert_int_equal(c.code, 1008);
    client_close(&c);
}

static void what_the_disk_refuses_is_not_stored_and_reads_go_on(void **state)
{
    (void)state;
    struct client c;
    char content[4001];
    int stored = 0;
    memset(content, 'x', 4000);
    content[4000] = 0;
    server.file_limit = 64 << 10;
    server_start(&server, PLAIN);
    client_open_as(&c, &server, "alice");
    for (;;) {
        client_sendf(&c,
                     "{\"event\":\"message\",\"data\":{\"to\":\"bob\",\"content\":\"%s\"},\"ref\":"
                     "5}",
                     content);
        assert_true(client_receive(&c));
        if (!strstr(c.text, "success"))
            break;
        stored++;
    }
    if (!matches("{\"event\":\"info\",*\"ref\":5,\"meta\":{\"code\":\"not_stored\",\"event\":"
                 "\"message\"}}",
                 c.text))
        fail_msg("instead of not_stored: %s", c.text);
    assert_in_range(stored, 10, 17);
    client_send(&c, "{\"event\":\"conversation\",\"data\":{\"id\":\"bob\",\"limit\":1}}");
    client_expect(&c, "*\"messages\":[{*}]*");
    client_close(&c);
    server_signal(&server, SIGTERM);
    server_wait_end(&server);
    /* Started again where there is room: all that was acknowledged is there, and it goes on. */
    server.file_limit = 0;
    server_start(&server, PLAIN);
    client_open_as(&c, &server, "alice");
    client_send(&c, "{\"event\":\"message\",\"data\":{\"to\":\"bob\",\"content\":\"y\"}}");
    client_expect(&c, "*success*");
    client_send(&c, "{\"event\":\"conversation\",\"data\":{\"id\":\"bob\"}}");
    client_expect(&c, "*");
    int found = 0;
    for (const char *p = c.text; (p = strstr(p, "\"from\"")); p++)
        found++;
    assert_int_equal(found, stored + 1);
    client_close(&c);
}

static void shutting_down_tells_the_clients(void **state)
{
    (void)state;
    struct client registered, fresh;
    server_start(&server, PLAIN);
    client_open_as(&registered, &server, "alice");
    client_open(&fresh, server.port);
    server_signal(&server, SIGTERM);
    expect_info(&registered, "going_away", "null");
    client_expect_close(&registered, 1001);
    expect_info(&fresh, "going_away", "null");
    client_expect_close(&fresh, 1001);
    client_close(&registered);
    client_close(&fresh);
    assert_int_equal(server_wait_end(&server), 0);
    server_remove(&server);
}

static void history_and_ids_go_on_after_a_restart(void **state)
{
    (void)state;
    struct client c;
    server_start(&server, PLAIN);
    client_open_as(&c, &server, "alice");
    for (int i = 1; i <= 3; i++) {
        client_send(&c, "{\"event\":\"message\",\"data\":{\"to\":\"bob\",\"content\":\"x\"}}");
        client_expect(&c, "*success*");
    }
    client_close(&c);
    for (int end = 0; end < 2; end++) {
        server_signal(&server, end ? SIGKILL : SIGTERM);
        assert_int_equal(server_wait_end(&server), end ? 128 + SIGKILL : 0);
        server_start(&server, PLAIN);
    }
    client_open(&c, server.port);
    client_sendf(&c, "{\"event\":\"registerMessages\",\"data\":{\"token\":\"%s\"}}",
                 server_token(&server, "bob"));
    client_expect(&c, "{*\"meta\":{\"user\":\"bob\",\"last\":3}}");
    client_send(&c, "{\"event\":\"conversation\",\"data\":{\"id\":\"alice\"}}");
    client_expect(&c, "{*[{\"id\":1,*},{\"id\":2,*},{\"id\":3,*}]},*");
    client_send(&c, "{\"event\":\"message\",\"data\":{\"to\":\"alice\",\"content\":\"y\"}}");
    client_expect(&c, "*\"meta\":{\"id\":4,*");
    client_close(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_message_is_acknowledged_and_delivered, start, stop),
        cmocka_unit_test_setup_teardown(every_other_connection_of_both_users_receives_once, start,
                                        stop),
        cmocka_unit_test_setup_teardown(a_note_to_oneself_comes_once_to_the_other_device, start,
                                        stop),
        cmocka_unit_test_setup_teardown(a_conversation_comes_oldest_first_and_in_pages, start,
                                        stop),
        cmocka_unit_test_setup_teardown(nobody_else_can_read_a_conversation, start, stop),
        cmocka_unit_test_setup_teardown(snippets_come_most_recent_first_with_the_newest_message,
                                        start, stop),
        cmocka_unit_test_setup_teardown(writing_is_seen_by_every_connection_of_the_correspondent,
                                        start, stop),
        cmocka_unit_test_setup_teardown(ids_may_be_integers_and_come_back_as_strings, start, stop),
        cmocka_unit_test_setup_teardown(content_comes_back_as_the_same_string, start, stop),
        cmocka_unit_test_setup_teardown(refs_come_back_to_the_letter, start, stop),
        cmocka_unit_test_setup_teardown(what_is_no_request_is_answered_with_its_code, start, stop),
        cmocka_unit_test_setup_teardown(nesting_of_65_levels_is_bad_json_and_64_are_not, start,
                                        stop),
        cmocka_unit_test_setup_teardown(unregistered_connections_can_only_register, start, stop),
        cmocka_unit_test_setup_teardown(tokens_are_judged, start, stop),
        cmocka_unit_test_setup_teardown(content_over_the_limit_is_too_large, start, stop),
        cmocka_unit_test_setup_teardown(events_over_the_rate_are_refused_and_floods_closed, start,
                                        stop),
        cmocka_unit_test_setup_teardown(what_the_disk_refuses_is_not_stored_and_reads_go_on, start,
                                        stop),
        cmocka_unit_test_setup_teardown(shutting_down_tells_the_clients, start, stop),
        cmocka_unit_test_setup_teardown(history_and_ids_go_on_after_a_restart, start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
