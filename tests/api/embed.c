/* Servers inside this program: what parley.h promises to whoever hosts them. */
#include "../fuzz/scarce.h"
#include "../support/client.h"
#include "../support/test.h"

#include "parley.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define HOSTS 2

static struct host {
    struct parley *p;
    struct server files; /* its folder and port, for the clients */
    struct parley_options options;
    unsigned committed, asked;
    uint64_t ids[8];    /* of those that were committed */
    char heard[8][256]; /* "FROM>TO:CONTENT" */
    pthread_mutex_t lock;
    char log[4096];
} hosts[HOSTS];

/* ---- helpers ----------------------------------------------------------------------------- */

static void open_again(struct host *h, const char *settings)
{
    struct parley_error error = {0};
    char text[1024], address[PARLEY_ADDRESS];
    snprintf(text, sizeof text, "listen = 127.0.0.1:0\ndata = %s\nlog-level = warn\n%s",
             h->files.data, settings);
    h->options.settings = text;
    h->options.ctx = h;
    h->p = parley_open(&h->options, &error);
    if (!h->p)
        fail_msg("%d: %s", error.status, error.text);
    assert_true(parley_address(h->p, 0, address));
    h->files.port = (uint16_t)atoi(strrchr(address, ':') + 1);
}

/* One with these hooks. */
static struct host *open_host(int i, const char *settings, const struct parley_options *hooks)
{
    struct host *h = &hosts[i];
    *h = (struct host){.lock = PTHREAD_MUTEX_INITIALIZER};
    if (hooks)
        h->options = *hooks;
    server_prepare(&h->files);
    open_again(h, settings);
    return h;
}

static void close_host(struct host *h)
{
    assert_int_equal(parley_close(h->p), 0);
    h->p = NULL;
    server_remove(&h->files);
}

/* All servers, once there is something to do. */
static void pump(void)
{
    struct pollfd fds[HOSTS];
    for (int i = 0; i < HOSTS; i++)
        fds[i] = (struct pollfd){hosts[i].p ? parley_fd(hosts[i].p) : -1, POLLIN, 0};
    poll(fds, HOSTS, 1000);
    for (int i = 0; i < HOSTS; i++)
        if (fds[i].revents)
            assert_true(parley_run_once(hosts[i].p, 0) >= 0);
}

static void pump_until(const unsigned *counter, unsigned value)
{
    int64_t deadline = now_ms() + DEADLINE_MS;
    while (*counter < value && now_ms() < deadline)
        pump();
    assert_int_equal(*counter, value);
}

static void enter(struct client *c, struct host *h)
{
    client_connect(c, h->files.port);
    c->pump = pump;
    client_upgrade(c);
}

static void show_token(struct client *c, const char *token)
{
    client_sendf(c, "{\"event\":\"registerMessages\",\"data\":{\"token\":\"%s\"}}", token);
}

static void enter_as(struct client *c, struct host *h, const char *user)
{
    enter(c, h);
    show_token(c, server_token(&h->files, user));
    client_expect(c, "*\"OK\"*");
}

static void say(struct client *c, const char *to, const char *content)
{
    client_sendf(c, "{\"event\":\"message\",\"data\":{\"to\":\"%s\",\"content\":\"%s\"}}", to,
                 content);
}

static struct parley_text none(void)
{
    return (struct parley_text){NULL, 0};
}

/* What a parley_send was answered. */
struct answer {
    unsigned status, count;
    char json[512];
};

static void on_answer(void *ctx, unsigned status, struct parley_text json)
{
    struct answer *a = ctx;
    a->status = status;
    a->count++;
    snprintf(a->json, sizeof a->json, "%.*s", (int)json.n, json.p);
}

static int send_inside(struct host *h, const char *from, const char *to, const char *content,
                       const char *key, struct answer *a)
{
    return parley_send(h->p, parley_string(from), parley_string(to), parley_string(content),
                       key ? parley_string(key) : none(), a ? on_answer : NULL, a);
}

static void hear(void *ctx, const struct parley_message *m)
{
    struct host *h = ctx;
    unsigned i = h->committed++ % 8;
    h->ids[i] = m->id;
    assert_true(m->date > 0);
    snprintf(h->heard[i], sizeof h->heard[i], "%.*s>%.*s:%.*s", (int)m->from.n, m->from.p,
             (int)m->to.n, m->to.p, (int)m->content.n, m->content.p);
}

static unsigned count_entries(const char *path)
{
    DIR *d = opendir(path);
    unsigned n = 0;
    assert_non_null(d);
    while (readdir(d))
        n++;
    closedir(d);
    return n;
}

/* ---- servers ----------------------------------------------------------------------------- */

static void servers_of_one_process_know_nothing_of_each_other(void **state)
{
    struct client c[HOSTS];
    (void)state;
    for (int i = 0; i < HOSTS; i++)
        enter_as(&c[i], open_host(i, "", NULL), "alice");
    for (int i = 0; i < HOSTS; i++) {
        say(&c[i], "bob", i ? "here" : "there");
        client_expect(&c[i], "*true*\"id\":1,*");
    }
    for (int i = 0; i < HOSTS; i++) {
        client_expect_nothing(&c[i]);
        client_send(&c[i], "{\"event\":\"conversation\",\"data\":{\"id\":\"bob\"}}");
        client_expect(&c[i], i ? "*[{*\"here\"*}]*" : "*[{*\"there\"*}]*");
    }
    /* The token of the one is nothing to the other. */
    struct client stranger;
    enter(&stranger, &hosts[1]);
    show_token(&stranger, server_token(&hosts[0].files, "alice"));
    client_expect(&stranger, "*bad_token*");
    client_close(&stranger);
    /* The end of the one is nothing to the other. */
    close_host(&hosts[0]);
    say(&c[1], "bob", "still here");
    client_expect(&c[1], "*true*\"id\":2,*");
    close_host(&hosts[1]);
    for (int i = 0; i < HOSTS; i++)
        client_close(&c[i]);
}

static void *serve(void *arg)
{
    struct host *h = arg;
    int result;
    while ((result = parley_run_once(h->p, -1)) > 0)
        ;
    return result == 0 && parley_close(h->p) == 0 ? h : NULL;
}

/* Drains the server when it hears "go". */
static void hear_go(void *ctx, const struct parley_message *m)
{
    struct host *h = ctx;
    if (m->content.n == 2 && memcmp(m->content.p, "go", 2) == 0)
        parley_drain(h->p);
}

static void servers_run_on_threads_of_their_own(void **state)
{
    static const struct parley_options hooks = {.committed = hear_go};
    pthread_t threads[HOSTS];
    struct client c[HOSTS];
    (void)state;
    for (int i = 0; i < HOSTS; i++) {
        open_host(i, "drain = 0\n", &hooks);
        assert_int_equal(pthread_create(&threads[i], NULL, serve, &hosts[i]), 0);
    }
    for (int i = 0; i < HOSTS; i++)
        client_open_as(&c[i], &hosts[i].files, "alice");
    for (int n = 0; n < 20; n++)
        for (int i = 0; i < HOSTS; i++)
            say(&c[i], "bob", n < 19 ? "stay" : "go");
    for (int i = 0; i < HOSTS; i++) {
        void *served;
        for (int n = 0; n < 20; n++)
            client_expect(&c[i], "*true*");
        client_expect(&c[i], "*going_away*");
        client_expect_close(&c[i], 1001);
        client_close(&c[i]);
        pthread_join(threads[i], &served);
        assert_ptr_equal(served, &hosts[i]);
        hosts[i].p = NULL;
        server_remove(&hosts[i].files);
    }
}

static void what_cannot_be_opened_is_told(void **state)
{
    static const struct {
        const char *settings;
        int status;
        const char *text;
    } cases[] = {
        {"listen = nonsense\n", 64, "*nonsense*"},
        {"colour = blue\n", 64, "settings: line 1:*\"colour\"*"},
        {"rate = fast\n", 64, "settings: line 1: *fast*"},
        {"user = nobody\n", 64, "*user and confine*"},
        {"confine = off\n", 64, "*user and confine*"},
        {"config = other\n", 64, "*cannot name another*"},
        {"listen = 127.0.0.1:0\ndata = /dev/null\n", 71, "data directory /dev/null: *"},
        {"listen = 127.0.0.1:0\ndata = /dev/shm/none/none\n", 71, "*"},
    };
    (void)state;
    unsigned before = count_entries("/proc/self/fd");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct parley_options options = {.settings = cases[i].settings};
        struct parley_error error = {0};
        assert_null(parley_open(&options, &error));
        if (!matches(cases[i].text, error.text))
            fail_msg("%s: %s", cases[i].settings, error.text);
        assert_int_equal(error.status, cases[i].status);
    }
    assert_int_equal(count_entries("/proc/self/fd"), before);
}

static void a_data_directory_has_one_server_in_the_same_process_too(void **state)
{
    struct parley_error error = {0};
    char settings[256], address[128];
    (void)state;
    struct host *h = open_host(0, "", NULL);
    snprintf(settings, sizeof settings, "listen = 127.0.0.1:0\ndata = %s\n", h->files.data);
    struct parley_options options = {.settings = settings};
    assert_null(parley_open(&options, &error));
    assert_int_equal(error.status, 66);
    snprintf(settings, sizeof settings, "listen = 127.0.0.1:%u\ndata = %s/other\n", h->files.port,
             h->files.dir);
    assert_null(parley_open(&options, &error));
    assert_int_equal(error.status, 71);
    assert_true(parley_address(h->p, 0, address) && !parley_address(h->p, 1, address));
    close_host(h);
}

static void closing_gives_back_all_it_took(void **state)
{
    static const struct parley_options hooks = {.committed = hear};
    struct client c[3];
    (void)state;
    unsigned fds = count_entries("/proc/self/fd");
    unsigned threads = count_entries("/proc/self/task");
    for (int round = 0; round < 3; round++) {
        struct answer a = {0};
        struct host *h = open_host(0, "admin = 127.0.0.1:0\n", &hooks);
        enter_as(&c[0], h, "alice");
        enter(&c[1], h);
        client_connect(&c[2], h->files.port);
        say(&c[0], "bob", "first");
        client_expect(&c[0], "*true*");
        /* What is under way is stored first, and answered. */
        assert_int_equal(send_inside(h, "alice", "bob", "last", NULL, &a), 0);
        assert_int_equal(a.count, 0);
        assert_int_equal(parley_close(h->p), 0);
        assert_int_equal(a.count, 1);
        assert_int_equal(a.status, 200);
        assert_int_equal(h->committed, 2);
        open_again(h, "");
        close_host(h);
        for (int i = 0; i < 3; i++)
            client_close(&c[i]);
    }
    assert_int_equal(parley_close(NULL), 0);
    assert_int_equal(count_entries("/proc/self/fd"), fds);
    assert_int_equal(count_entries("/proc/self/task"), threads);
}

static void no_line(void *ctx, enum parley_level level, const char *line)
{
    (void)ctx;
    (void)level;
    (void)line;
}

/* Opens, sends, closes: 0, or where memory ran out. */
static int live_shortly(struct host *h, struct answer *a)
{
    struct parley_error error = {0};
    h->p = parley_open(&h->options, &error);
    if (!h->p)
        return *error.text ? error.status : -1;
    int result = parley_fd(h->p) < 0 ? -1 : send_inside(h, "a", "b", "\"", "key", a);
    while (result == 0 && a->count == 0)
        if (parley_run_once(h->p, 1000) < 0)
            result = -1;
    return parley_close(h->p) ? -1 : result;
}

/* In whichever of its threads. */
static void memory_that_runs_out_anywhere_is_an_error_for_the_caller(void **state)
{
    char settings[256];
    (void)state;
#ifdef __SANITIZE_THREAD__
    print_message("skipped: what counts the failures has one thread\n");
    skip();
#endif
    struct host *h = &hosts[0];
    unsigned opened = 0, n = 1;
    *h = (struct host){.lock = PTHREAD_MUTEX_INITIALIZER,
                       .options = {.settings = settings, .log = no_line, .committed = hear}};
    h->options.ctx = h;
    server_prepare(&h->files);
    snprintf(settings, sizeof settings, "listen = 127.0.0.1:0\nadmin = 127.0.0.1:0\ndata = %s\n",
             h->files.data);
    for (bool failed = true; failed; n++) {
        struct answer a = {0};
        unsigned asked = scarce_asked();
        scarce_fail(n, 1);
        scarce_begin();
        int result = live_shortly(h, &a);
        scarce_end();
        failed = scarce_asked() - asked >= n;
        assert_true(result == 0 || result == -ENOMEM || result == 71);
        assert_int_equal(a.count, result == 0);
        opened += result != 71;
        if (!failed)
            assert_int_equal(a.status, 200);
    }
    assert_true(opened > 3);
    scarce_fail(0, 0);
    h->p = NULL;
    server_remove(&h->files);
}

/* ---- a loop of another's ----------------------------------------------------------------- */

static struct foreign {
    int epoll;
    unsigned turns;
} foreign;

/* Waits for the server's descriptor, and for nothing else. */
static void pump_foreign(void)
{
    struct epoll_event e;
    int n = epoll_wait(foreign.epoll, &e, 1, DEADLINE_MS);
    if (n < 0)
        return;
    assert_int_equal(n, 1);
    foreign.turns++;
    assert_true(parley_run_once(e.data.ptr, 0) >= 0);
}

static void join_loop(struct host *h)
{
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = h->p};
    foreign = (struct foreign){.epoll = epoll_create1(EPOLL_CLOEXEC)};
    assert_int_equal(epoll_ctl(foreign.epoll, EPOLL_CTL_ADD, parley_fd(h->p), &e), 0);
    assert_int_equal(parley_fd(h->p), parley_fd(h->p));
}

static void its_descriptor_alone_drives_it_in_another_loop(void **state)
{
    struct client c;
    struct answer a = {0};
    uint8_t first;
    struct slice payload;
    (void)state;
    struct host *h = open_host(0, "idle-timeout = 2\n", NULL);
    join_loop(h);
    enter(&c, h);
    c.pump = pump_foreign;
    show_token(&c, server_token(&h->files, "bob"));
    client_expect(&c, "*\"OK\"*");
    /* A client, the disk, */
    say(&c, "alice", "a");
    client_expect(&c, "*true*");
    /* a call from the outside of it, */
    assert_int_equal(send_inside(h, "alice", "bob", "b", NULL, &a), 0);
    client_expect(&c, "{\"event\":\"message\",\"data\":{\"id\":2,*\"b\"*");
    assert_int_equal(a.status, 200);
    /* and time: a ping after 5/9 of the timeout, without a turn that does nothing after the other. */
    foreign.turns = 0;
    int64_t begun = now_ms();
    assert_true(client_frame(&c, &first, &payload));
    assert_int_equal(first, 0x89);
    assert_true(now_ms() - begun > 900);
    assert_true(foreign.turns < 20);
    /* It goes quiet again: nothing is left readable. */
    while (poll(&(struct pollfd){parley_fd(h->p), POLLIN, 0}, 1, 0) == 1)
        pump_foreign();
    assert_true(foreign.turns < 25);
    client_close(&c);
    close(foreign.epoll);
    close_host(h);
}

static void draining_takes_leave_in_another_loop_too(void **state)
{
    struct client c[2];
    (void)state;
    for (int again = 0; again < 2; again++) {
        struct host *h = open_host(0, "drain = 1\n", NULL);
        for (int i = 0; i < 2; i++)
            enter_as(&c[i], h, "bob");
        join_loop(h);
        parley_drain(h->p);
        c[0].pump = c[1].pump = pump_foreign;
        client_expect(&c[0], "*going_away*");
        client_expect_close(&c[0], 1001);
        /* One answers the close; the other does not, and has his time, or is not waited for. */
        client_send_frame(&c[0], 0x88, "\x03\xe9", 2);
        client_close(&c[0]);
        int result = 1;
        int64_t begun = now_ms();
        while (result > 0) {
            assert_int_equal(poll(&(struct pollfd){parley_fd(h->p), POLLIN, 0}, 1, DEADLINE_MS), 1);
            if (again)
                parley_drain(h->p);
            result = parley_run_once(h->p, 0);
        }
        assert_int_equal(result, 0);
        if (again)
            assert_true(now_ms() - begun < 1000 || getenv("PARLEY_WRAP"));
        client_close(&c[1]);
        close(foreign.epoll);
        close_host(h);
    }
}

/* ---- hooks ------------------------------------------------------------------------------- */

static bool authorise(void *ctx, const struct parley_message *m, struct parley_refusal *refusal)
{
    struct host *h = ctx;
    h->asked++;
    assert_int_equal(m->id, 0);
    assert_int_equal(send_inside(h, "a", "b", "c", NULL, NULL), -EBUSY);
    if (m->content.n == 1)
        return false;
    if (m->to.n == 5 && memcmp(m->to.p, "carol", 5) == 0) {
        *refusal = (struct parley_refusal){"away", "\"carol\" is on holiday"};
        return false;
    }
    assert_true(m->from.n == 5 && memcmp(m->from.p, "alice", 5) == 0);
    assert_true(m->content.n == 4 && memcmp(m->content.p, "a\"\xc3\xa9", 4) == 0);
    return true;
}

static void a_message_may_be_refused_with_a_code_of_the_programs(void **state)
{
    static const struct parley_options hooks = {.authorise = authorise, .committed = hear};
    struct client c;
    struct answer a = {0};
    (void)state;
    struct host *h = open_host(0, "", &hooks);
    enter_as(&c, h, "alice");
    say(&c, "bob", "x");
    client_expect(&c, "{\"event\":\"info\",\"data\":\"this message is not allowed\","
                      "\"meta\":{\"code\":\"refused\",\"event\":\"message\"}}");
    say(&c, "carol", "hello");
    client_expect(&c, "*\"\\\"carol\\\" is on holiday\"*\"code\":\"away\"*");
    say(&c, "bob", "a\\\"\\u00e9");
    client_expect(&c, "*true*");
    assert_int_equal(h->asked, 3);
    /* What the program says itself it need not allow. */
    assert_int_equal(send_inside(h, "alice", "bob", "y", NULL, &a), 0);
    client_expect(&c, "*\"content\":\"y\"*");
    assert_int_equal(h->asked, 3);
    assert_int_equal(h->committed, 2);
    client_close(&c);
    close_host(h);
}

static int64_t wall_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* "good", "old", "soon", "nameless", "long". */
static bool verify(void *ctx, struct parley_text token, struct parley_user *user)
{
    struct host *h = ctx;
    assert_int_equal(send_inside(h, "a", "b", "c", NULL, NULL), -EBUSY);
    memcpy(user->id, "alice", 5);
    user->id_n = 5;
    if (token.p[0] == 'o')
        user->expires = wall_ms() - 1;
    if (token.p[0] == 's')
        user->expires = wall_ms() + 200;
    if (token.p[0] == 'n')
        user->id_n = 0;
    if (token.p[0] == 'l')
        user->id_n = 65;
    return token.p[0] != 'b';
}

static void tokens_are_judged_by_the_program(void **state)
{
    static const struct parley_options hooks = {.verify = verify};
    static const char *const refused[][2] = {{"bad", "*the token was refused*\"bad_token\"*"},
                                             {"nameless", "*\"bad_token\"*"},
                                             {"long", "*\"bad_token\"*"},
                                             {"", "*\"bad_token\"*"},
                                             {"old", "*\"token_expired\"*"}};
    struct client c;
    char path[128];
    (void)state;
    struct host *h = open_host(0, "", &hooks);
    enter(&c, h);
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        show_token(&c, refused[i][0]);
        client_expect(&c, refused[i][1]);
    }
    show_token(&c, "good");
    client_expect(&c, "*\"OK\"*\"user\":\"alice\"*");
    show_token(&c, "soon");
    client_expect(&c, "*\"OK\"*");
    client_expect(&c, "*\"token_expired\"*");
    client_expect_close(&c, 4001);
    snprintf(path, sizeof path, "%s/secret", h->files.data);
    assert_int_equal(access(path, F_OK), -1); /* nobody needs one */
    client_close(&c);
    close_host(h);
}

static void log_line(void *ctx, enum parley_level level, const char *line)
{
    struct host *h = ctx;
    pthread_mutex_lock(&h->lock);
    size_t n = strlen(h->log);
    snprintf(h->log + n, sizeof h->log - n, "%d %s\n", (int)level, line);
    pthread_mutex_unlock(&h->lock);
}

static void the_lines_of_the_log_go_to_the_program(void **state)
{
    static const struct parley_options hooks = {.log = log_line};
    (void)state;
    struct host *h = open_host(0, "log-level = debug\n", &hooks);
    struct client c;
    enter_as(&c, h, "alice");
    assert_non_null(strstr(h->log, "3 127.0.0.1: connected\n"));
    parley_drain(h->p);
    client_expect(&c, "*going_away*");
    assert_non_null(strstr(h->log, "2 shutting down: 1 connections\n"));
    client_close(&c);
    close_host(h);
}

static void request(void *ctx, struct parley_request *r)
{
    struct host *h = ctx;
    char text[256];
    struct parley_text who = parley_header(r, "x-who");
    h->asked++;
    if (r->path.n < 5 || memcmp(r->path.p, "/own/", 5) != 0)
        return;
    assert_null(parley_header(r, "x-nobody").p);
    snprintf(text, sizeof text, "%.*s %.*s?%.*s by %.*s: %.*s", (int)r->method.n, r->method.p,
             (int)r->path.n, r->path.p, (int)r->query.n, r->query.p, (int)who.n, who.p,
             (int)r->body.n, r->body.p);
    send_inside(h, "web", "bob", text, NULL, NULL);
    parley_respond(r, 201, "text/plain", "X-Own: yes\r\n", parley_string(text));
    parley_respond(r, 500, "text/plain", "", none()); /* says nothing any more */
}

static void a_path_of_ones_own_is_answered_by_the_program(void **state)
{
    static const struct parley_options hooks = {.request = request, .committed = hear};
    static const char *const cases[][2] = {
        {"GET /own/a?b=c HTTP/1.1\r\nHost: x\r\nX-Who: me\r\n\r\n", "HTTP/1.1 201 *X-Own: "
                                                                    "yes\r\n*\r\n\r\nGET "
                                                                    "/own/a?b=c by me: "},
        {"POST /own/ HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello", "HTTP/1.1 201 "
                                                                             "*\r\n\r\nPOST /own/? "
                                                                             "by : hello"},
        {"HEAD /own/ HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 201 *\r\n\r\n"},
        {"GET /else HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 404 *"},
        {"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 200 *\r\n\r\nok\n"},
        {"POST /own/ HTTP/1.1\r\nHost: x\r\nContent-Length: 2000\r\n\r\n", "HTTP/1.1 413 *"}};
    struct client bob, c;
    (void)state;
    struct host *h = open_host(0, "max-frame = 1024\n", &hooks);
    enter_as(&bob, h, "bob");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        client_connect(&c, h->files.port);
        c.pump = pump;
        client_send_raw(&c, cases[i][0], strlen(cases[i][0]));
        client_read_all(&c);
        if (!matches(cases[i][1], c.text))
            fail_msg("%s: %s", cases[i][0], c.text);
        client_close(&c);
    }
    assert_int_equal(h->asked, 4);
    client_expect(&bob, "*\"from\":\"web\",*\"GET /own/a?b=c by me: \"*");
    client_expect(&bob, "*\"POST /own/? by : hello\"*");
    client_close(&bob);
    close_host(h);
}

/* Says "you said CONTENT", once each; and is not heard while the server closes. */
static void answer_back(void *ctx, const struct parley_message *m)
{
    struct host *h = ctx;
    char text[64];
    hear(ctx, m);
    if (m->to.n != 3)
        return;
    snprintf(text, sizeof text, "you said %.*s", (int)m->content.n, m->content.p);
    int result = parley_send(h->p, m->to, m->from, parley_string(text), none(), NULL, NULL);
    assert_int_equal(result, h->asked ? -ESHUTDOWN : 0);
}

static void what_is_stored_is_heard_in_order_and_may_be_answered(void **state)
{
    static const struct parley_options hooks = {.committed = answer_back};
    struct client c;
    (void)state;
    struct host *h = open_host(0, "", &hooks);
    enter_as(&c, h, "alice");
    say(&c, "bot", "one");
    say(&c, "bot", "\\u00e9\\n\\\"");
    for (int i = 0; i < 4; i++)
        assert_true(client_receive(&c));
    pump_until(&h->committed, 4);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(h->ids[i], i + 1);
    assert_string_equal(h->heard[0], "alice>bot:one");
    client_send(&c, "{\"event\":\"conversation\",\"data\":{\"id\":\"bot\"}}");
    client_expect(&c, "*\"you said one\"*\"you said \xc3\xa9\\n\\\"\"*");
    assert_true(strcmp(h->heard[1], "alice>bot:\xc3\xa9\n\"") == 0 ||
                strcmp(h->heard[2], "alice>bot:\xc3\xa9\n\"") == 0);
    h->asked = 1;
    assert_int_equal(send_inside(h, "alice", "bot", "the end", NULL, NULL), 0);
    client_close(&c);
    close_host(h);
    assert_string_equal(h->heard[4], "alice>bot:the end");
    assert_int_equal(h->committed, 5);
}

/* ---- from the inside --------------------------------------------------------------------- */

static void a_message_from_the_inside_reaches_live_clients_and_the_log(void **state)
{
    struct client alice, bob;
    struct answer a = {0}, again = {0};
    (void)state;
    struct host *h = open_host(0, "", NULL);
    enter_as(&alice, h, "alice");
    enter_as(&bob, h, "bob");
    assert_int_equal(send_inside(h, "alice", "bob", "a \"b\" \xc3\xa9", "order 7", &a), 0);
    assert_int_equal(send_inside(h, "alice", "bob", "a \"b\" \xc3\xa9", "order 7", &again), 0);
    static const char event[] = "{\"event\":\"message\",\"data\":{\"id\":1,\"from\":\"alice\","
                                "\"to\":\"bob\",\"content\":\"a \\\"b\\\" \xc3\xa9\",\"date\":*}}";
    client_expect(&bob, event);
    client_expect(&alice, event);
    assert_int_equal(a.count, 1);
    assert_int_equal(a.status, 200);
    assert_true(matches("{\"id\":1,\"date\":*}", a.json));
    assert_string_equal(again.json, a.json);
    client_expect_nothing(&bob);
    client_close(&alice);
    client_close(&bob);
    assert_int_equal(parley_close(h->p), 0);
    open_again(h, "");
    enter_as(&bob, h, "bob");
    client_send(&bob, "{\"event\":\"conversation\",\"data\":{\"id\":\"alice\"}}");
    client_expect(&bob, "*\"messages\":[{\"id\":1,*\"a \\\"b\\\" \xc3\xa9\"*}]}*");
    client_close(&bob);
    close_host(h);
}

static void what_is_wrong_with_a_message_from_the_inside_is_told(void **state)
{
    static const struct {
        const char *from, *to, *content, *key;
        unsigned status;
        const char *json;
    } cases[] = {
        {"", "bob", "x", NULL, 400, "*\"bad_request\"*\\\"from\\\"*"},
        {"alice", "a\nb", "x", NULL, 400, "*\"bad_request\"*\\\"to\\\"*"},
        {"alice", "bob", "", NULL, 400, "*\"bad_request\"*empty*"},
        {"alice", "bob", "\xff\xfe", NULL, 400, "*\"bad_json\"*"},
        {"alice", "bob\"", "x", NULL, 200, "*"},
        {"alice", "bob", "123456789", NULL, 413, "*\"too_large\"*"},
        {"alice", "bob", "x", "k", 200, "*"},
        {"alice", "bob", "y", "k", 409, "*\"conflict\"*"},
    };
    (void)state;
    struct host *h = open_host(0, "max-content = 8\n", NULL);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct answer a = {0};
        assert_int_equal(
            send_inside(h, cases[i].from, cases[i].to, cases[i].content, cases[i].key, &a), 0);
        pump_until(&a.count, 1);
        assert_int_equal(a.status, cases[i].status);
        if (!matches(cases[i].json, a.json))
            fail_msg("%zu: %s", i, a.json);
    }
    close_host(h);
}

#define TEST(name) cmocka_unit_test(name)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(servers_of_one_process_know_nothing_of_each_other),
        TEST(servers_run_on_threads_of_their_own),
        TEST(what_cannot_be_opened_is_told),
        TEST(a_data_directory_has_one_server_in_the_same_process_too),
        TEST(closing_gives_back_all_it_took),
        TEST(memory_that_runs_out_anywhere_is_an_error_for_the_caller),
        TEST(its_descriptor_alone_drives_it_in_another_loop),
        TEST(draining_takes_leave_in_another_loop_too),
        TEST(a_message_may_be_refused_with_a_code_of_the_programs),
        TEST(tokens_are_judged_by_the_program),
        TEST(the_lines_of_the_log_go_to_the_program),
        TEST(a_path_of_ones_own_is_answered_by_the_program),
        TEST(what_is_stored_is_heard_in_order_and_may_be_answered),
        TEST(a_message_from_the_inside_reaches_live_clients_and_the_log),
        TEST(what_is_wrong_with_a_message_from_the_inside_is_told),
    };
    return cmocka_run_group_tests_name("embed", tests, NULL, NULL);
}
