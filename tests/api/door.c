/* The backend's door on a real server: every call, who may, and that its word holds after a crash. */
#include "../support/client.h"
#include "../support/program.h"
#include "../support/test.h"

#include "base/clock.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define TOKEN "0123456789abcdef0123456789abcdef"
#define BEARER "Authorization: Bearer " TOKEN "\r\n"

static struct server server;
static char token_file[96];

static void start(void)
{
    server_start(&server, (const char *const[]){"--admin", "127.0.0.1:0", "--admin-token-file",
                                                token_file, NULL});
}

static int prepare(void **state)
{
    (void)state;
    server_prepare(&server);
    snprintf(token_file, sizeof token_file, "%s/token", server.dir);
    int fd = open(token_file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(write(fd, TOKEN "\n", sizeof TOKEN), sizeof TOKEN);
    close(fd);
    start();
    return 0;
}

static int stop(void **state)
{
    (void)state;
    server_stop(&server);
    return 0;
}

static void restart(int signal)
{
    server_signal(&server, signal);
    assert_int_equal(server_wait_end(&server), signal == SIGKILL ? 128 + SIGKILL : 0);
    start();
}

/* ---- asking ------------------------------------------------------------------------------ */

/* The status; the body is in *answer until the next call. */
static int ask_at(uint16_t port, const char *fields, const char *method, const char *path,
                  const char *body, const char **answer)
{
    static char text[4096];
    struct client c;
    char request[2048];
    snprintf(request, sizeof request,
             "%s %s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n%sContent-Length: %zu\r\n\r\n%s",
             method, path, fields, strlen(body), body);
    snprintf(text, sizeof text, "%s", client_http(&c, port, request));
    client_close(&c);
    *answer = text;
    return atoi(*answer + sizeof "HTTP/1.1");
}

static const char *ask(int status, const char *method, const char *path, const char *body)
{
    const char *answer;
    int got = ask_at(server.admin_port, BEARER, method, path, body, &answer);
    if (got != status)
        fail_msg("%s %s %s: %s", method, path, body, answer);
    return strstr(answer, "\r\n\r\n") + 4;
}

static void expect(const char *pattern, const char *answer)
{
    if (!matches(pattern, answer))
        fail_msg("expected %s, and this came: %s", pattern, answer);
}

/* ---- what may be asked -------------------------------------------------------------------- */

static void test_a_message_is_sent_and_delivered_as_if_by_the_user(void **state)
{
    (void)state;
    struct client ann, bob;
    client_open_as(&ann, &server, "ann");
    client_open_as(&bob, &server, "bob");
    expect("{\"id\":1,\"date\":*}\n", ask(200, "POST", "/v1/message",
                                          "{\"from\":\"ann\",\"to\":\"bob\",\"content\":"
                                          "\"h\\u00ef\",\"key\":\"k\"}"));
    static const char live[] = "{\"event\":\"message\",\"data\":{\"id\":1,\"from\":\"ann\",\"to\":"
                               "\"bob\",\"content\":\"h\xc3\xaf\",\"date\":*}}";
    client_expect(&ann, live);
    client_expect(&bob, live);
    expect("{\"id\":1,\"date\":*}\n", ask(200, "POST", "/v1/message",
                                          "{\"key\":\"k\",\"from\":\"ann\",\"to\":\"bob\","
                                          "\"content\":\"h\xc3\xaf\"}"));
    client_expect_nothing(&bob);
    expect("{\"error\":{\"code\":\"conflict\",*", ask(409, "POST", "/v1/message",
                                                      "{\"from\":\"ann\",\"to\":\"bob\","
                                                      "\"content\":\"other\",\"key\":\"k\"}"));
    /* His own client has the same keys. */
    client_send(&ann, "{\"event\":\"message\",\"data\":{\"to\":\"bob\",\"content\":\"h\xc3\xaf\","
                      "\"key\":\"k\"},\"ref\":1}");
    client_expect(&ann, "*\"success\":true*\"id\":1,*");
    client_close(&ann);
    client_close(&bob);
}

static void test_connections_are_ended_with_a_reason(void **state)
{
    (void)state;
    struct client one, two, other;
    client_open_as(&one, &server, "ann");
    client_open_as(&two, &server, "ann");
    client_open_as(&other, &server, "bob");
    expect("{\"user\":\"ann\",\"connections\":2,\"conversations\":*,\"newest\":*}\n",
           ask(200, "GET", "/v1/users/ann", ""));
    expect("{\"connections\":2}\n",
           ask(200, "POST", "/v1/disconnect", "{\"user\":\"ann\",\"reason\":\"banned\"}"));
    client_expect_close(&one, 4004);
    assert_string_equal(one.reason, "banned");
    client_expect_close(&two, 4004);
    client_expect_nothing(&other);
    expect("{\"connections\":0}\n", ask(200, "POST", "/v1/disconnect", "{\"user\":\"nobody\"}"));
    client_close(&one);
    client_close(&two);
    client_close(&other);
}

/* ---- revoking ----------------------------------------------------------------------------- */

static const char *token_of(const char *user, long issued)
{
    char claims[128];
    if (issued)
        snprintf(claims, sizeof claims, "{\"sub\":\"%s\",\"iat\":%ld}", user, issued);
    else
        snprintf(claims, sizeof claims, "{\"sub\":\"%s\"}", user);
    return server_token_claims(&server, claims);
}

static void registers(const char *user, long issued, const char *pattern)
{
    struct client c;
    client_open(&c, server.port);
    client_sendf(&c, "{\"event\":\"registerMessages\",\"data\":{\"token\":\"%s\"}}",
                 token_of(user, issued));
    client_expect(&c, pattern);
    client_close(&c);
}

#define GOOD "{\"event\":\"registerMessages\"*"
#define BAD "{\"event\":\"info\",\"data\":\"the token was revoked*\"code\":\"bad_token\"*"

static void test_a_revocation_holds_for_good(void **state)
{
    (void)state;
    struct client old, fresh;
    client_open(&old, server.port);
    client_sendf(&old, "{\"event\":\"registerMessages\",\"data\":{\"token\":\"%s\"}}",
                 token_of("rob", 1000));
    client_expect(&old, GOOD);
    client_open(&fresh, server.port);
    client_sendf(&fresh, "{\"event\":\"registerMessages\",\"data\":{\"token\":\"%s\"}}",
                 token_of("rob", 2000));
    client_expect(&fresh, GOOD);
    registers("rob", 0, GOOD);
    expect("{\"connections\":1}\n",
           ask(200, "POST", "/v1/revoke", "{\"user\":\"rob\",\"before\":2000}"));
    client_expect_close(&old, 4004);
    client_expect_nothing(&fresh);
    client_close(&old);
    client_close(&fresh);
    static const int ends[] = {0, SIGKILL, SIGTERM};
    for (int i = 0; i < 3; i++) {
        if (ends[i])
            restart(ends[i]);
        registers("rob", 1999, BAD);
        registers("rob", 0, BAD);
        registers("rob", 2000, GOOD);
        registers("ann", 1000, GOOD);
    }
    /* An earlier time takes nothing back; without one, it is now. */
    ask(200, "POST", "/v1/revoke", "{\"user\":\"rob\",\"before\":5}");
    registers("rob", 1999, BAD);
    long issued = (long)time(NULL); /* this second counts as too old */
    client_open(&old, server.port);
    client_sendf(&old, "{\"event\":\"registerMessages\",\"data\":{\"token\":\"%s\"}}",
                 token_of("ann", issued));
    client_expect(&old, GOOD);
    ask(200, "POST", "/v1/revoke", "{\"user\":\"ann\"}");
    client_expect_close(&old, 4004);
    client_close(&old);
    registers("ann", issued, BAD);
    registers("ann", (long)time(NULL) - 100, BAD);
    registers("ann", (long)time(NULL) + 1, GOOD);
}

/* ---- erasing ------------------------------------------------------------------------------ */

/* How many files of the data directory hold the text. */
static int files_with(const char *text)
{
    DIR *dir = opendir(server.data);
    struct dirent *entry;
    char path[512];
    int count = 0;
    assert_non_null(dir);
    while ((entry = readdir(dir)) != NULL) {
        struct stat st;
        snprintf(path, sizeof path, "%s/%s", server.data, entry->d_name);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0 &&
            errno == ENOENT) { /* the server has just replaced it: once more from the beginning */
            rewinddir(dir);
            count = 0;
            continue;
        }
        assert_true(fd >= 0 && fstat(fd, &st) == 0);
        char *bytes = malloc((size_t)st.st_size + 1);
        if (S_ISREG(st.st_mode)) {
            assert_int_equal(read(fd, bytes, (size_t)st.st_size), st.st_size);
            count += memmem(bytes, (size_t)st.st_size, text, strlen(text)) != NULL;
        }
        free(bytes);
        close(fd);
    }
    closedir(dir);
    return count;
}

static void say(const char *from, const char *to, const char *content)
{
    char body[256];
    snprintf(body, sizeof body, "{\"from\":\"%s\",\"to\":\"%s\",\"content\":\"%s\"}", from, to,
             content);
    ask(200, "POST", "/v1/message", body);
}

/* The answer to a request of that user, without its ref. */
static char *view(const char *user, const char *request)
{
    struct client c;
    client_open_as(&c, &server, user);
    client_send(&c, request);
    assert_true(client_receive(&c));
    char *text = strdup(c.text);
    client_close(&c);
    return text;
}

#define SNIPPETS "{\"event\":\"snippets\",\"ref\":1}"
#define PAGE "{\"event\":\"conversation\",\"data\":{\"id\":\"friend\"}}"

static void test_an_erased_user_is_in_no_file_and_others_see_no_difference(void **state)
{
    (void)state;
    say("victim", "friend", "SECRET one");
    say("friend", "other", "KEPT one");
    say("other", "victim", "SECRET two");
    say("victim", "victim", "SECRET three");
    say("other", "friend", "KEPT two");
    restart(SIGTERM); /* there is a checkpoint, with his name */
    assert_true(files_with("SECRET") && files_with("victim"));
    char *page = view("other", PAGE);
    assert_non_null(strstr(page, "KEPT two"));
    struct client friend;
    client_open_as(&friend, &server, "friend");
    expect("{\"messages\":3}\n", ask(200, "DELETE", "/v1/users/%76ictim", ""));
    assert_int_equal(files_with("SECRET"), 0);
    assert_int_equal(files_with("victim"), 0);
    assert_true(files_with("KEPT one") && files_with("KEPT two"));
    client_expect_nothing(&friend);
    client_close(&friend);
    static const int ends[] = {0, SIGKILL, SIGTERM};
    for (int i = 0; i < 3; i++) {
        if (ends[i])
            restart(ends[i]);
        char *again = view("other", PAGE), *snippets = view("victim", SNIPPETS);
        assert_string_equal(again, page);
        assert_null(strstr(snippets, "SECRET"));
        assert_int_equal(files_with("victim"), 0);
        expect("{\"user\":\"victim\",\"connections\":*,\"conversations\":0,\"newest\":0,*",
               ask(200, "GET", "/v1/users/victim", ""));
        free(again);
        free(snippets);
    }
    free(page);
    expect("{\"messages\":0}\n", ask(200, "DELETE", "/v1/users/victim", ""));
    /* He may come back, as somebody new. */
    say("victim", "friend", "anew");
    char *snippets = view("victim", SNIPPETS);
    assert_non_null(strstr(snippets, "anew"));
    free(snippets);
}

/* Flips a bit of the text where it stands in a segment, under the running server. */
static void damage(const char *text)
{
    DIR *dir = opendir(server.data);
    struct dirent *entry;
    char path[512];
    unsigned found = 0;
    assert_non_null(dir);
    while ((entry = readdir(dir)) != NULL) {
        static char bytes[1 << 20];
        if (!strstr(entry->d_name, ".seg"))
            continue;
        snprintf(path, sizeof path, "%s/%s", server.data, entry->d_name);
        int fd = open(path, O_RDWR | O_CLOEXEC);
        ssize_t n = read(fd, bytes, sizeof bytes);
        char *at = n > 0 ? memmem(bytes, (size_t)n, text, strlen(text)) : NULL;
        if (at) {
            *at ^= 1;
            assert_int_equal(pwrite(fd, at, 1, at - bytes), 1);
            found++;
        }
        close(fd);
    }
    closedir(dir);
    assert_int_equal(found, 1);
}

/* What a parley-log command prints, and its exit status. */
static int run_log(const char *command, const char *from, const char *to, char *out, size_t size)
{
    struct program log;
    const char *line;
    size_t n = 0;
    program_start(&log, "parley-log", (const char *const[]){command, from, to, NULL});
    int status = program_wait(&log);
    out[0] = 0;
    while ((line = program_line(&log)) != NULL)
        n += (size_t)snprintf(out + n, size - n, "%s\n", line);
    program_free(&log);
    return status;
}

/* One flipped bit in an old segment: that is said, others can be erased, the server starts, nobody is shown
 * what is hidden, and the repaired copy is without it. */
static void test_damage_is_said_and_repair_leaves_the_erased_out(void **state)
{
    (void)state;
    static char out[65536];
    char copy[200];
    say("broken", "friend3", "BROKEN");
    say("hidden", "friend3", "HIDDEN one");
    say("other3", "friend3", "LEFT THERE");
    damage("BROKEN");
    for (int i = 0; i < 3; i++) {
        if (i == 2) /* it is tried again, and waited for */
            restart(SIGTERM);
        expect("{\"error\":{\"code\":\"damaged\",\"message\":\"the log is damaged in *.seg at "
               "offset *",
               ask(500, "DELETE", i ? "/v1/users/nobody3" : "/v1/users/hidden", ""));
        expect("*\"conversations\":0,*", ask(200, "GET", "/v1/users/hidden", ""));
    }
    expect("*\"conversations\":1,*", ask(200, "GET", "/v1/users/other3", ""));
    say("other3", "friend3", "LEFT THERE, too");
    snprintf(copy, sizeof copy, "%s/copy", server.dir);
    restart(SIGTERM); /* what has just been said is in a checkpoint, too */
    assert_int_equal(run_log("repair", server.data, copy, out, sizeof out), 0);
    assert_int_equal(run_log("dump", copy, NULL, out, sizeof out), 0);
    assert_null(strstr(out, "HIDDEN"));
    assert_non_null(strstr(out, "LEFT THERE\""));
    assert_non_null(strstr(out, "LEFT THERE, too"));
}

static bool is_erasing(void)
{
    char path[128];
    snprintf(path, sizeof path, "%s/erase", server.data);
    return access(path, F_OK) == 0;
}

/* Sends the request and kills the server once that is noted: whether it was under way then. */
static bool kill_while_erasing(void)
{
    static const char request[] = "DELETE /v1/users/gone HTTP/1.1\r\nHost: a\r\n" BEARER "\r\n";
    int64_t deadline = now_ms() + DEADLINE_MS;
    struct client c;
    client_connect(&c, server.admin_port);
    client_send_raw(&c, request, sizeof request - 1);
    struct pollfd answered = {c.fd, POLLIN, 0};
    while (!is_erasing() && poll(&answered, 1, 0) == 0)
        assert_true(now_ms() < deadline);
    server_signal(&server, SIGKILL);
    assert_int_equal(server_wait_end(&server), 128 + SIGKILL);
    client_close(&c);
    return is_erasing();
}

/* The next start goes on by itself, and he is hidden from its first moment on. */
static void test_a_kill_while_erasing_loses_nothing_else_and_is_gone_on_with(void **state)
{
    (void)state;
    char content[150];
    memset(content, 'x', sizeof content - 1);
    content[sizeof content - 1] = 0;
    memcpy(content, "REMOVED", 7);
    int hits = 0;
    /* In memory it is over so soon that most kills are too late. */
    for (int64_t end = now_ms() + DEADLINE_MS; hits < 2 && now_ms() < end;) {
        int64_t deadline;
        say("bystander", "friend2", "LEFT ALONE");
        for (int i = 0; i < 20; i++)
            say("gone", i % 2 ? "friend2" : "gone2", content);
        bool hit = kill_while_erasing();
        hits += hit;
        start();
        if (hit)
            expect("*,\"conversations\":0,*", ask(200, "GET", "/v1/users/gone", ""));
        for (deadline = now_ms() + DEADLINE_MS; hit && is_erasing();) {
            ask(200, "GET", "/v1/users/gone", "");
            assert_true(now_ms() < deadline);
        }
        /* It was too early, or too late; or all but the last step is done, and this waits for that. */
        ask(200, "DELETE", "/v1/users/gone", "");
        assert_int_equal(files_with("REMOVED"), 0);
        assert_true(files_with("LEFT ALONE"));
        struct program log;
        program_start(&log, "parley-log", (const char *const[]){"verify", server.data, NULL});
        assert_int_equal(program_wait(&log), 0);
        program_free(&log);
    }
    assert_int_equal(hits, 2);
}

/* ---- who may, and what is refused ---------------------------------------------------------- */

static void test_what_is_wrong_is_said(void **state)
{
    (void)state;
    static const struct {
        int status;
        const char *method, *path, *body, *pattern;
    } cases[] = {
        {404, "GET", "/v1/", "", "{\"error\":{\"code\":\"not_found\",*"},
        {404, "POST", "/v1/messages", "{}", "{\"error\":{\"code\":\"not_found\",*"},
        {405, "GET", "/v1/message", "", "*takes POST*"},
        {405, "PUT", "/v1/users/ann", "", "*takes GET, DELETE*"},
        {405, "HEAD", "/v1/users/ann", "", "*"},
        {400, "POST", "/v1/message", "", "{\"error\":{\"code\":\"bad_json\",*"},
        {400, "POST", "/v1/message", "{\"from\":", "*at byte 8*"},
        {400, "POST", "/v1/message", "[]", "{\"error\":{\"code\":\"bad_json\",*"},
        {400, "POST", "/v1/message", "{}", "*\\\"from\\\" is missing; expected a user id*"},
        {400, "POST", "/v1/message", "{\"from\":\"\",\"to\":\"b\"}", "*\\\"from\\\" is \\\"\\\";*"},
        {400, "POST", "/v1/message", "{\"from\":\"a\",\"to\":\"b\"}", "*content*is missing*"},
        {400, "POST", "/v1/disconnect", "{\"user\":\"a\",\"reason\":5}", "*is 5; expected a str*"},
        {400, "POST", "/v1/revoke", "{\"user\":\"a\",\"before\":-1}", "*is -1; expected a whole*"},
        {400, "POST", "/v1/revoke", "{\"user\":\"a\",\"befor\":5}",
         "*\\\"befor\\\" is not known; expected user, before*"},
        {400, "POST", "/v1/disconnect", "{\"to\":\"a\",\"user\":\"a\"}",
         "*\\\"to\\\" is not known*"},
        {400, "POST", "/v1/message", "{\"before\":1}", "*expected from, to, content, key*"},
        {200, "POST", "/v1/disconnect", "{\"\\u0075ser\":\"a\"}", "{\"connections\":0}\n"},
        {400, "GET", "/v1/users/%0a", "", "*\\\"%0a\\\" is no user id*"},
        {400, "GET", "/v1/users/%f", "", "*is no user id*"},
        {400, "DELETE", "/v1/users/", "", "*is no user id*"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        expect(cases[i].pattern,
               ask(cases[i].status, cases[i].method, cases[i].path, cases[i].body));
    static char large[70000];
    struct client c;
    client_connect(&c, server.admin_port);
    snprintf(large, sizeof large,
             "POST /v1/message HTTP/1.1\r\nHost: a\r\n" BEARER "Content-Length: 65537\r\n\r\n");
    client_send_raw(&c, large, strlen(large));
    client_read_all(&c);
    expect("HTTP/1.1 413 *", c.text);
    client_close(&c);
}

static void test_nobody_passes_without_the_token(void **state)
{
    (void)state;
    static const char *const fields[] = {
        "",
        "Authorization: Bearer \r\n",
        "Authorization: Basic " TOKEN "\r\n",
        "Authorization: Bearer " TOKEN "0\r\n",
        "Authorization: Bearer 0123456789abcdef0123456789abcde\r\n",
        BEARER BEARER,
    };
    const char *answer;
    say("ann", "bob", "still there");
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        assert_int_equal(
            ask_at(server.admin_port, fields[i], "DELETE", "/v1/users/ann", "", &answer), 401);
        assert_non_null(strstr(answer, "\r\nWWW-Authenticate: Bearer "));
        assert_int_equal(ask_at(server.admin_port, fields[i], "POST", "/v1/revoke", "{}", &answer),
                         401);
    }
    assert_true(files_with("still there"));
    assert_int_equal(ask_at(server.admin_port, "authorization: bearer " TOKEN "\r\n", "GET",
                            "/v1/users/ann", "", &answer),
                     200);
    /* The public listener knows nothing of it. */
    assert_int_equal(ask_at(server.port, BEARER, "GET", "/v1/users/ann", "", &answer), 404);
    assert_int_equal(ask_at(server.port, BEARER, "DELETE", "/v1/users/ann", "", &answer), 404);
    assert_int_equal(ask_at(server.port, BEARER, "POST", "/v1/message", "", &answer), 404);
    assert_null(strstr(server.text, TOKEN));
}

static void test_without_a_token_file_the_door_is_closed(void **state)
{
    (void)state;
    struct server closed;
    const char *answer;
    server_prepare(&closed);
    server_start(&closed, (const char *const[]){"--admin", "127.0.0.1:0", NULL});
    assert_int_equal(ask_at(closed.admin_port, BEARER, "GET", "/v1/users/ann", "", &answer), 403);
    assert_non_null(strstr(answer, "--admin-token-file FILE"));
    assert_int_equal(ask_at(closed.admin_port, "", "GET", "/healthz", "", &answer), 200);
    server_stop(&closed);
}

static void test_a_connection_takes_more_than_one_call(void **state)
{
    (void)state;
    struct client c;
    client_connect(&c, server.admin_port);
    static const char two[] = "GET /v1/users/x HTTP/1.1\r\nHost: a\r\n" BEARER "\r\n"
                              "GET /v1/users/y HTTP/1.1\r\nHost: a\r\n" BEARER "\r\n";
    client_send_raw(&c, two, sizeof two - 1);
    ask(200, "GET", "/v1/users/z", ""); /* by now they have been answered */
    int64_t begun = clock_mono_ms(&clock_system);
    server_signal(&server, SIGTERM);
    client_read_all(&c);
    expect("HTTP/1.1 200 *{\"user\":\"x\",*HTTP/1.1 200 *{\"user\":\"y\",*", c.text);
    /* It does not hold up the end until --drain is over. */
    assert_int_equal(server_wait_end(&server), 0);
    assert_true(clock_mono_ms(&clock_system) - begun < 3000 || getenv("PARLEY_WRAP"));
    start();
    client_close(&c);
}

int main(int argc, char **argv)
{
    (void)argc;
    program_init(argv[0]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_message_is_sent_and_delivered_as_if_by_the_user,
                                        prepare, stop),
        cmocka_unit_test_setup_teardown(test_connections_are_ended_with_a_reason, prepare, stop),
        cmocka_unit_test_setup_teardown(test_a_revocation_holds_for_good, prepare, stop),
        cmocka_unit_test_setup_teardown(
            test_an_erased_user_is_in_no_file_and_others_see_no_difference, prepare, stop),
        cmocka_unit_test_setup_teardown(test_damage_is_said_and_repair_leaves_the_erased_out,
                                        prepare, stop),
        cmocka_unit_test_setup_teardown(
            test_a_kill_while_erasing_loses_nothing_else_and_is_gone_on_with, prepare, stop),
        cmocka_unit_test_setup_teardown(test_what_is_wrong_is_said, prepare, stop),
        cmocka_unit_test_setup_teardown(test_nobody_passes_without_the_token, prepare, stop),
        cmocka_unit_test_setup_teardown(test_a_connection_takes_more_than_one_call, prepare, stop),
        cmocka_unit_test(test_without_a_token_file_the_door_is_closed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
