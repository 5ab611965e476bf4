/* The programs beside the server, run as their users run them. */
#include "../../tools/client/url.h"
#include "../support/folder.h"
#include "../support/program.h"
#include "base/exit.h"
#include "codec/json.h"
#include "codec/jwt.h"
#include "net/listener.h"
#include "net/websocket.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static const char secret[] = "0123456789abcdef0123456789abcdef";

static char folder[64];
static char secret_file[128];
static struct program server;
static char server_url[160];

/* ---- running programs -------------------------------------------------------------------- */

#define START(p, name, ...) program_start(p, name, (const char *const[]){__VA_ARGS__, NULL})

static const char *path_in_folder(char out[128], const char *name)
{
    snprintf(out, 128, "%s/%s", folder, name);
    return out;
}

static void write_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    assert_int_equal(fclose(f), 0);
}

static void expect_prefix(const char *line, const char *prefix)
{
    if (!line || strncmp(line, prefix, strlen(prefix)) != 0)
        fail_msg("expected \"%s...\", found \"%s\"", prefix, line ? line : "no line");
}

static void expect_part(const char *line, const char *part)
{
    if (!line || !strstr(line, part))
        fail_msg("expected \"...%s...\", found \"%s\"", part, line ? line : "no line");
}

/* The address behind "listening on", of the line that says so. */
static void read_address(struct program *p, char out[128])
{
    const char *line;
    while ((line = program_error_line(p))) {
        const char *found = strstr(line, ": listening on ");
        if (found) {
            snprintf(out, 128, "%s", found + 15);
            return;
        }
    }
    fail_msg("the program ended before it listened");
}

static void start_server(struct program *p, const char *listen, const char *data, char url[160])
{
    char address[128];
    START(p, "parleyd", "--listen", listen, "--data", data, "--secret-file", secret_file, "--rate",
          "0");
    read_address(p, address);
    snprintf(url, 160, "ws://%s/chat", address);
}

/* Runs to the end and returns the exit status; the first line of its errors is in *error. */
static int run(const char *name, const char *const *args, char error[512])
{
    struct program p;
    program_start(&p, name, args);
    program_end_input(&p);
    int status = program_wait(&p);
    const char *line = program_error_line(&p);
    snprintf(error, 512, "%s", line ? line : "");
    program_free(&p);
    return status;
}

#define RUN(error, name, ...) run(name, (const char *const[]){__VA_ARGS__, NULL}, error)

/* A token file for that user; made once, since somebody may be reading it. */
static const char *token_file(char out[128], const char *user)
{
    struct program p;
    char name[48];
    snprintf(name, sizeof name, "%s.token", user);
    path_in_folder(out, name);
    if (access(out, F_OK) == 0)
        return out;
    START(&p, "parley-token", "--secret-file", secret_file, "--ttl", "600", user);
    assert_int_equal(program_wait(&p), EXIT_CLEAN);
    const char *token = program_line(&p);
    assert_non_null(token);
    write_file(out, token);
    program_free(&p);
    return out;
}

/* A client that is registered: its first event said so. */
static void start_reader(struct program *p, const char *url, const char *user)
{
    char file[128];
    START(p, "parley", "--json", "--url", url, "--token-file", token_file(file, user));
    expect_prefix(program_line(p), "{\"event\":\"registerMessages\",\"data\":\"OK\"");
}

/* Sends lines and expects that the client is content. */
static void send_lines(const char *url, const char *from, const char *to, const char *lines)
{
    struct program p;
    char file[128];
    START(&p, "parley", "--url", url, "--token-file", token_file(file, from), "--to", to);
    program_write(&p, lines);
    program_end_input(&p);
    assert_int_equal(program_wait(&p), EXIT_CLEAN);
    assert_null(program_error_line(&p));
    assert_null(program_line(&p));
    program_free(&p);
}

static int setup(void **state)
{
    char data[128];
    (void)state;
    folder_make_path(folder);
    write_file(path_in_folder(secret_file, "secret"), secret);
    chmod(secret_file, 0600);
    start_server(&server, "127.0.0.1:0", path_in_folder(data, "data"), server_url);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    int status = program_terminate(&server);
    program_free(&server);
    folder_remove_path(folder);
    return status;
}

/* ---- parley-token ------------------------------------------------------------------------ */

static void a_token_of_the_shell_registers(void **state)
{
    struct program p;
    (void)state;
    start_reader(&p, server_url, "t\xc3\xa9l");
    program_end_input(&p);
    assert_int_equal(program_wait(&p), EXIT_CLEAN);
    program_free(&p);
}

static void read_claims(struct jwt *out, const char *const *args)
{
    struct program p;
    struct hmac_key key;
    hmac_key_init(&key, slice_str(secret));
    program_start(&p, "parley-token", args);
    assert_int_equal(program_wait(&p), EXIT_CLEAN);
    const char *token = program_line(&p);
    assert_non_null(token);
    assert_int_equal(jwt_verify(slice_str(token), &key, 1, clock_wall_ms(&clock_system), out),
                     JWT_OK);
    program_free(&p);
}

static void a_token_ends_only_where_that_is_asked_for(void **state)
{
    struct jwt jwt;
    (void)state;
    read_claims(&jwt, (const char *const[]){"--secret-file", secret_file, "alice", NULL});
    assert_true(jwt.expires_ms == INT64_MAX);
    read_claims(&jwt,
                (const char *const[]){"--secret-file", secret_file, "--ttl", "60", "alice", NULL});
    int64_t left = jwt.expires_ms - clock_wall_ms(&clock_system);
    assert_true(left > 0 && left <= 60000);
    assert_true(slice_eq(slice_of(jwt.user, jwt.user_n), SLICE("alice")));
}

static void what_cannot_be_signed_is_bad_usage(void **state)
{
    char error[512], path[128];
    (void)state;
    assert_int_equal(
        RUN(error, "parley-token", "--secret-file", path_in_folder(path, "nowhere"), "alice"),
        EXIT_USAGE_ERROR);
    expect_part(error, "No such file");
    write_file(path_in_folder(path, "short"), "0123456789abcdef0123456789abcde");
    chmod(path, 0600);
    assert_int_equal(RUN(error, "parley-token", "--secret-file", path, "alice"), EXIT_USAGE_ERROR);
    expect_part(error, "31 bytes; expected 32");
    assert_int_equal(RUN(error, "parley-token", "--secret-file", secret_file, "a\x1b"),
                     EXIT_USAGE_ERROR);
    expect_part(error, "\"a\\x1b\" is no user id");
    assert_int_equal(RUN(error, "parley-token", "--secret-file", secret_file), EXIT_USAGE_ERROR);
    assert_int_equal(RUN(error, "parley-token", "alice"), EXIT_USAGE_ERROR);
}

/* ---- ws-echo ----------------------------------------------------------------------------- */

/* One connection of the test's own, as a client. */
struct echo_client {
    struct loop loop;
    struct stream_set streams;
    struct websocket_kind kind;
    struct websocket ws;
    struct buf message; /* the last one */
    enum frame_opcode opcode;
    unsigned messages;
    bool open, closed;
};

static void client_open(struct websocket *ws)
{
    container_of(ws, struct echo_client, ws)->open = true;
}

static void client_message(struct websocket *ws, enum frame_opcode opcode, struct slice message)
{
    struct echo_client *c = container_of(ws, struct echo_client, ws);
    buf_clear(&c->message);
    buf_append_slice(&c->message, message);
    c->opcode = opcode;
    c->messages++;
}

static void client_timer(struct websocket *ws)
{
    (void)ws;
}

static void client_closed(struct websocket *ws)
{
    container_of(ws, struct echo_client, ws)->closed = true;
}

static void turn(struct loop *loop)
{
    int64_t before = clock_mono_ms(&clock_system);
    assert_true(loop_turn(loop, PROGRAM_MS) >= 0);
    assert_true(clock_mono_ms(&clock_system) - before < PROGRAM_MS);
}

static void client_connect(struct echo_client *c, const char *address)
{
    char text[160];
    struct url url;
    snprintf(text, sizeof text, "ws://%s/any", address);
    assert_null(url_parse(&url, text));
    *c = (struct echo_client){.kind = {.max_message = 2 << 20,
                                       .on_open = client_open,
                                       .on_message = client_message,
                                       .on_timer = client_timer,
                                       .on_closed = client_closed}};
    assert_int_equal(loop_init(&c->loop, &clock_system), 0);
    assert_int_equal(stream_set_init(&c->streams, &c->loop), 0);
    websocket_kind_init(&c->kind, &c->streams, c);
    assert_int_equal(websocket_connect(&c->ws, &c->kind, &url.address, url.host, url.path), 0);
    while (!c->open && !c->closed)
        turn(&c->loop);
    assert_true(c->open);
}

static void client_end(struct echo_client *c)
{
    stream_close(&c->ws.stream);
    while (!c->closed)
        turn(&c->loop);
    buf_free(&c->message);
    stream_set_fini(&c->streams);
    loop_fini(&c->loop);
}

static void expect_echo(struct echo_client *c, enum frame_opcode opcode, struct slice message)
{
    unsigned before = c->messages;
    websocket_send(&c->ws, opcode, message);
    while (c->messages == before && !c->closed)
        turn(&c->loop);
    assert_int_equal(c->messages, before + 1);
    assert_int_equal(c->opcode, opcode);
    assert_true(slice_eq(buf_slice(&c->message), message));
}

static void every_message_comes_back_as_it_was(void **state)
{
    static uint8_t large[1 << 20];
    struct program echo;
    struct echo_client client;
    char first[128], second[128];
    (void)state;
    for (size_t i = 0; i < sizeof large; i++)
        large[i] = (uint8_t)(i * 31 >> 3);
    START(&echo, "ws-echo", "--listen", "127.0.0.1:0", "--listen", "127.0.0.1:0");
    read_address(&echo, first);
    read_address(&echo, second);
    assert_string_not_equal(first, second);
    client_connect(&client, second);
    expect_echo(&client, FRAME_TEXT, SLICE("h\xc3\xa9llo"));
    expect_echo(&client, FRAME_BINARY, SLICE("\0\xff\x80"));
    expect_echo(&client, FRAME_TEXT, SLICE(""));
    expect_echo(&client, FRAME_BINARY, SLICE(""));
    expect_echo(&client, FRAME_BINARY, slice_of(large, sizeof large));
    client_end(&client);
    assert_int_equal(program_terminate(&echo), EXIT_CLEAN);
    program_free(&echo);
}

static void the_end_of_ws_echo_is_told_to_its_clients(void **state)
{
    struct program echo;
    struct echo_client client;
    char address[128];
    (void)state;
    START(&echo, "ws-echo", "--listen", "127.0.0.1:0");
    read_address(&echo, address);
    client_connect(&client, address);
    kill(echo.pid, SIGTERM);
    while (!client.closed)
        turn(&client.loop);
    assert_int_equal(client.ws.code, CLOSE_GOING_AWAY);
    client_end(&client);
    assert_int_equal(program_wait(&echo), EXIT_CLEAN);
    program_free(&echo);
}

static void a_message_over_max_frame_is_refused(void **state)
{
    struct program echo;
    struct echo_client client;
    char address[128];
    (void)state;
    START(&echo, "ws-echo", "--listen", "127.0.0.1:0", "--max-frame", "10");
    read_address(&echo, address);
    client_connect(&client, address);
    expect_echo(&client, FRAME_TEXT, SLICE("0123456789"));
    websocket_send(&client.ws, FRAME_TEXT, SLICE("0123456789a"));
    while (!client.closed)
        turn(&client.loop);
    assert_int_equal(client.ws.code, CLOSE_TOO_BIG);
    client_end(&client);
    assert_int_equal(program_terminate(&echo), EXIT_CLEAN);
    program_free(&echo);
}

static void ws_echo_says_why_it_cannot_listen(void **state)
{
    char error[512];
    (void)state;
    assert_int_equal(RUN(error, "ws-echo", "--max-frame", "10"), EXIT_USAGE_ERROR);
    assert_int_equal(RUN(error, "ws-echo", "--listen", "here"), EXIT_USAGE_ERROR);
    expect_part(error, "\"here\" is no address");
    const char *taken = strstr(server_url, "127");
    char address[128];
    snprintf(address, sizeof address, "%.*s", (int)strcspn(taken, "/"), taken);
    assert_int_equal(RUN(error, "ws-echo", "--listen", address), EXIT_SYSTEM);
    expect_part(error, strerror(EADDRINUSE));
}

/* ---- parley ------------------------------------------------------------------------------ */

/* The plain reader says nothing when it is registered: its own message to itself tells. */
static void start_plain_reader(struct program *p, const char *url, const char *user)
{
    char file[128];
    START(p, "parley", "--url", url, "--token-file", token_file(file, user));
    /* From another connection of the same user, until it is there to see it. */
    for (bool seen = false; !seen;) {
        send_lines(url, user, user, "there?\n");
        struct pollfd fd = {.fd = p->out, .events = POLLIN};
        seen = poll(&fd, 1, 200) > 0;
    }
    expect_part(program_line(p), "there?");
}

/* The next line that is not of start_plain_reader's asking. */
static const char *next_plain_line(struct program *p)
{
    const char *line;
    while ((line = program_line(p)) && strstr(line, "there?"))
        ;
    return line;
}

static void a_line_reaches_the_other_terminal(void **state)
{
    struct program reader;
    (void)state;
    start_plain_reader(&reader, server_url, "bob");
    send_lines(server_url, "alice", "bob", "first\n\nsecond, without a newline");
    const char *line = next_plain_line(&reader);
    assert_non_null(line);
    assert_true(line[2] == ':' && strlen(line) > 6);
    assert_string_equal(line + 6, "alice: first");
    expect_part(program_line(&reader), " alice: second, without a newline");
    assert_int_equal(program_terminate(&reader), EXIT_CLEAN);
    program_free(&reader);
}

static void what_another_device_sent_shows_to_whom(void **state)
{
    struct program reader;
    (void)state;
    start_plain_reader(&reader, server_url, "dora");
    send_lines(server_url, "dora", "emil", "from my other one\n");
    expect_part(next_plain_line(&reader), " dora -> emil: from my other one");
    assert_int_equal(program_terminate(&reader), EXIT_CLEAN);
    program_free(&reader);
}

static void what_drives_a_terminal_is_shown_as_text(void **state)
{
    struct program reader;
    (void)state;
    start_plain_reader(&reader, server_url, "careful");
    send_lines(server_url, "mallory", "careful",
               "a\x1b[2J\x07\tb\x7f \xc2\x9b \xe2\x80\xae \xe2\x81\xa6 \xe2\x82\xac\n");
    expect_part(next_plain_line(&reader), " mallory: a\\x1B[2J\\x07\\x09b\\x7F \\u{9B} \\u{202E} "
                                          "\\u{2066} \xe2\x82\xac");
    assert_int_equal(program_terminate(&reader), EXIT_CLEAN);
    program_free(&reader);
}

static void a_refused_line_is_reported_and_the_next_is_sent(void **state)
{
    static char lines[20100];
    struct program reader, sender;
    char file[128];
    (void)state;
    memset(lines, 'y', 20000);
    memcpy(lines + 20000,
           "\nb\xff"
           "d\nafter\n",
           12);
    start_reader(&reader, server_url, "rita");
    START(&sender, "parley", "--url", server_url, "--token-file", token_file(file, "sam"), "--to",
          "rita");
    program_write(&sender, lines);
    program_end_input(&sender);
    assert_int_equal(program_wait(&sender), EXIT_CLEAN);
    expect_prefix(program_error_line(&sender), "parley: line 1 was refused: \"content\" has 20000 "
                                               "bytes of UTF-8; at most 16384");
    expect_prefix(program_error_line(&sender), "parley: line 2 is not UTF-8 and is not sent");
    assert_null(program_error_line(&sender));
    expect_part(program_line(&reader), "\"content\":\"after\"");
    program_end_input(&reader);
    assert_int_equal(program_wait(&reader), EXIT_CLEAN);
    program_free(&sender);
    program_free(&reader);
}

static void bad_usage_and_no_server_have_their_statuses(void **state)
{
    char error[512], file[128];
    (void)state;
    token_file(file, "alice");
    assert_int_equal(RUN(error, "parley", "--url", server_url), EXIT_USAGE_ERROR);
    expect_part(error, "either --token or --token-file");
    assert_int_equal(RUN(error, "parley", "--url", "http://x/", "--token-file", file),
                     EXIT_USAGE_ERROR);
    expect_part(error, "expected ws://HOST:PORT/PATH");
    assert_int_equal(RUN(error, "parley", "--url", server_url, "--token", "a.b.c", "--to", "\n"),
                     EXIT_USAGE_ERROR);
    assert_int_equal(RUN(error, "parley", "--url", server_url, "--token", "a.b.c"),
                     EXIT_USAGE_ERROR);
    expect_prefix(error, "parley: the server refused to register us: ");
    assert_int_equal(RUN(error, "parley", "--url", "ws://127.0.0.1:1/", "--token-file", file),
                     EXIT_SYSTEM);
    expect_prefix(error, "parley: cannot reach the server: Connection refused");
    char other[180];
    snprintf(other, sizeof other, "%s/no", server_url);
    assert_int_equal(RUN(error, "parley", "--url", other, "--token-file", file), EXIT_SYSTEM);
    expect_part(error, "no WebSocket is offered there");
}

static void a_client_comes_back_to_a_server_that_does(void **state)
{
    struct program first, second, reader, writer;
    char data[128], url[160], address[128], file[128];
    (void)state;
    path_in_folder(data, "again");
    start_server(&first, "127.0.0.1:0", data, url);
    start_reader(&reader, url, "bob");
    START(&writer, "parley", "--json", "--url", url, "--token-file", token_file(file, "alice"),
          "--to", "bob");
    expect_prefix(program_line(&writer), "{\"event\":\"registerMessages\"");
    kill(first.pid, SIGKILL);
    assert_int_equal(program_wait(&first), -1);
    expect_prefix(program_error_line(&reader), "parley: the connection is gone");
    expect_prefix(program_error_line(&writer), "parley: the connection is gone");
    program_write(&writer, "typed while nobody listened\n");
    program_end_input(&writer);
    snprintf(address, sizeof address, "%.*s", (int)strcspn(url + 5, "/"), url + 5);
    start_server(&second, address, data, url);
    expect_prefix(program_line(&reader), "{\"event\":\"registerMessages\"");
    assert_int_equal(program_wait(&writer), EXIT_CLEAN);
    send_lines(url, "alice", "bob", "and now\n");
    /* The writer may have been back before the reader was. */
    const char *line = program_line(&reader);
    if (line && strstr(line, "typed while nobody listened"))
        line = program_line(&reader);
    expect_part(line, "\"content\":\"and now\"");
    assert_int_equal(program_terminate(&reader), EXIT_CLEAN);
    assert_int_equal(program_terminate(&second), EXIT_CLEAN);
    struct program *all[] = {&first, &second, &reader, &writer};
    for (size_t i = 0; i < 4; i++)
        program_free(all[i]);
}

/* A server that registers whoever comes and hangs up on the first message. */
struct rude {
    struct loop loop;
    struct stream_set streams;
    struct websocket_kind kind;
    struct websocket ws;
    struct listener listener;
    bool closed;
};

static void rude_request(struct websocket *ws, const struct http_head *request)
{
    websocket_upgrade(ws, request);
}

static void rude_message(struct websocket *ws, enum frame_opcode opcode, struct slice message)
{
    if (memmem(message.p, message.n, "registerMessages", 16))
        websocket_send(ws, opcode,
                       SLICE("{\"event\":\"registerMessages\",\"data\":\"OK\",\"meta\":{}}"));
    else
        stream_close(&ws->stream);
}

static void rude_closed(struct websocket *ws)
{
    container_of(ws, struct rude, ws)->closed = true;
}

static void rude_accepted(struct listener *l, int fd, const struct address *peer)
{
    struct rude *r = l->ctx;
    (void)peer;
    assert_int_equal(websocket_accept(&r->ws, &r->kind, fd), 0);
}

static void a_line_without_an_answer_is_reported(void **state)
{
    static struct rude rude;
    struct address address;
    struct program p;
    char text[ADDRESS_TEXT], url[160], file[128];
    (void)state;
    rude.kind = (struct websocket_kind){.server = true,
                                        .max_message = 1 << 16,
                                        .on_request = rude_request,
                                        .on_message = rude_message,
                                        .on_timer = client_timer,
                                        .on_closed = rude_closed};
    assert_int_equal(loop_init(&rude.loop, &clock_system), 0);
    assert_int_equal(stream_set_init(&rude.streams, &rude.loop), 0);
    websocket_kind_init(&rude.kind, &rude.streams, &rude);
    assert_null(address_parse(&address, "127.0.0.1:0"));
    assert_int_equal(listener_open(&rude.listener, &rude.loop, &address, rude_accepted, &rude), 0);
    address_format(text, &rude.listener.address);
    snprintf(url, sizeof url, "ws://%s/chat", text);
    START(&p, "parley", "--url", url, "--token-file", token_file(file, "alice"), "--to", "bob");
    program_write(&p, "is it stored?");
    program_end_input(&p);
    while (!rude.closed)
        turn(&rude.loop);
    assert_int_equal(program_wait(&p), EXIT_SYSTEM);
    expect_prefix(program_error_line(&p), "parley: line 1 was not confirmed");
    program_free(&p);
    listener_close(&rude.listener);
    stream_set_fini(&rude.streams);
    loop_fini(&rude.loop);
}

/* ---- parley-bench ------------------------------------------------------------------------ */

static struct json_value json_member(struct slice object, const char *name)
{
    struct json_reader r;
    struct json_value key, value, found = {.type = JSON_NULL};
    enum json_step step = JSON_ERROR;
    assert_true(json_open_object(&r, object));
    while ((step = json_next_member(&r, &key, &value)) == JSON_ITEM)
        if (json_string_eq(key, slice_str(name)))
            found = value;
    assert_int_equal(step, JSON_END);
    return found;
}

static void expect_counted(const char *line, const char *series)
{
    uint64_t count = 0;
    assert_non_null(line);
    struct json_value v = json_member(slice_str(line), series);
    assert_int_equal(v.type, JSON_OBJECT);
    assert_true(json_integer(json_member(v.raw, "count"), &count));
    assert_true(count > 0);
    struct json_value latency = json_member(v.raw, "latency_us");
    assert_int_equal(json_member(latency.raw, "p99.9").type, JSON_NUMBER);
    assert_int_not_equal(json_member(latency.raw, "max").raw.p[0], '-');
}

static void the_bench_measures_an_echo_server(void **state)
{
    struct program echo, bench;
    char address[128], url[160], pid[16];
    (void)state;
    START(&echo, "ws-echo", "--listen", "127.0.0.1:0");
    read_address(&echo, address);
    snprintf(url, sizeof url, "ws://%s/", address);
    snprintf(pid, sizeof pid, "%d", (int)echo.pid);
    START(&bench, "parley-bench", "echo", "--url", url, "--connections", "10", "--pipeline", "4",
          "--duration", "0.2", "--warmup", "0.05", "--json", "--pid", pid);
    assert_int_equal(program_wait(&bench), EXIT_CLEAN);
    const char *line = program_line(&bench);
    expect_counted(line, "echoed");
    assert_int_equal(json_member(slice_str(line), "server_cpu_us").type, JSON_NUMBER);
    program_free(&bench);
    /* More than all buffers on the way hold: both ends must go on reading. */
    START(&bench, "parley-bench", "echo", "--url", url, "--connections", "1", "--pipeline", "8",
          "--size", "4194304", "--duration", "1", "--warmup", "0", "--json");
    assert_int_equal(program_wait(&bench), EXIT_CLEAN);
    expect_counted(program_line(&bench), "echoed");
    program_free(&bench);
    assert_int_equal(program_terminate(&echo), EXIT_CLEAN);
    program_free(&echo);
}

static void the_bench_measures_a_chat_server(void **state)
{
    struct program bench;
    (void)state;
    START(&bench, "parley-bench", "chat", "--url", server_url, "--secret-file", secret_file,
          "--connections", "10", "--pipeline", "4", "--duration", "0.2", "--warmup", "0", "--json");
    assert_int_equal(program_wait(&bench), EXIT_CLEAN);
    const char *line = program_line(&bench);
    expect_counted(line, "acknowledged");
    expect_counted(line, "delivered");
    program_free(&bench);
}

static void the_bench_says_what_spoils_a_measurement(void **state)
{
    struct program limited;
    char error[512], address[128], url[160], data[128], other[128];
    (void)state;
    START(&limited, "parleyd", "--listen", "127.0.0.1:0", "--data", path_in_folder(data, "limited"),
          "--secret-file", secret_file, "--rate", "1");
    read_address(&limited, address);
    snprintf(url, sizeof url, "ws://%s/chat", address);
    assert_int_equal(RUN(error, "parley-bench", "chat", "--url", url, "--secret-file", secret_file,
                         "--connections", "2", "--pipeline", "8", "--duration", "5"),
                     EXIT_USAGE_ERROR);
    expect_part(error, "start it with --rate 0");
    write_file(path_in_folder(other, "other"), "another secret of thirty-two bytes");
    chmod(other, 0600);
    assert_int_equal(RUN(error, "parley-bench", "chat", "--url", url, "--secret-file", other,
                         "--connections", "2"), /* of more, some are told to wait */
                     EXIT_USAGE_ERROR);
    expect_part(error, "--secret-file is not its secret");
    assert_int_equal(program_terminate(&limited), EXIT_CLEAN);
    program_free(&limited);
    assert_int_equal(RUN(error, "parley-bench", "echo", "--url", "ws://192.0.2.1:80/"),
                     EXIT_USAGE_ERROR);
    expect_part(error, "--anywhere");
    assert_int_equal(RUN(error, "parley-bench", "echo", "--url", "ws://127.0.0.1:1/"), EXIT_SYSTEM);
    expect_part(error, "cannot connect: Connection refused");
    assert_int_equal(RUN(error, "parley-bench", "sing"), EXIT_USAGE_ERROR);
}

/* ---- all --------------------------------------------------------------------------------- */

static void every_program_has_a_help_and_a_version(void **state)
{
    static const char *const names[] = {"parley-token", "ws-echo", "parley", "parley-bench"};
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct program p;
        char usage[64];
        snprintf(usage, sizeof usage, "usage: %s ", names[i]);
        START(&p, names[i], "--help");
        assert_int_equal(program_wait(&p), EXIT_CLEAN);
        expect_prefix(program_line(&p), usage);
        program_free(&p);
        START(&p, names[i], "--version");
        assert_int_equal(program_wait(&p), EXIT_CLEAN);
        snprintf(usage, sizeof usage, "%s ", names[i]);
        expect_prefix(program_line(&p), usage);
        program_free(&p);
        START(&p, names[i], "--nonsense");
        assert_int_equal(program_wait(&p), EXIT_USAGE_ERROR);
        expect_part(program_error_line(&p), "there is no option --nonsense");
        program_free(&p);
    }
}

int main(int argc, char **argv)
{
    (void)argc;
    program_init(argv[0]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_token_of_the_shell_registers),
        cmocka_unit_test(a_token_ends_only_where_that_is_asked_for),
        cmocka_unit_test(what_cannot_be_signed_is_bad_usage),
        cmocka_unit_test(every_message_comes_back_as_it_was),
        cmocka_unit_test(the_end_of_ws_echo_is_told_to_its_clients),
        cmocka_unit_test(a_message_over_max_frame_is_refused),
        cmocka_unit_test(ws_echo_says_why_it_cannot_listen),
        cmocka_unit_test(a_line_reaches_the_other_terminal),
        cmocka_unit_test(what_another_device_sent_shows_to_whom),
        cmocka_unit_test(what_drives_a_terminal_is_shown_as_text),
        cmocka_unit_test(a_refused_line_is_reported_and_the_next_is_sent),
        cmocka_unit_test(bad_usage_and_no_server_have_their_statuses),
        cmocka_unit_test(a_client_comes_back_to_a_server_that_does),
        cmocka_unit_test(a_line_without_an_answer_is_reported),
        cmocka_unit_test(the_bench_measures_an_echo_server),
        cmocka_unit_test(the_bench_measures_a_chat_server),
        cmocka_unit_test(the_bench_says_what_spoils_a_measurement),
        cmocka_unit_test(every_program_has_a_help_and_a_version),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
