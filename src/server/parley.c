#include "parley.h"

#include "chat/api.h"
#include "chat/backend.h"
#include "server/server.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

_Static_assert(PARLEY_ADDRESS == ADDRESS_TEXT, "an address has room");
_Static_assert(sizeof((struct parley_user){0}.id) == USERID_MAX, "a user id has room");

struct parley {
    struct server server;
    struct config config;
    struct parley_options options;
    struct source due; /* a timerfd, for whoever waits by parley_fd; -1: nobody does */
    struct source drain;
    unsigned drains;    /* asked for since the last turn */
    struct buf content; /* for `committed` */
    bool turning;       /* parley_run_once is under way */
    bool judging;       /* likewise a hook in the middle of a request */
    bool closing;
};

/* What stands behind a parley_request. */
struct asked {
    struct parley_request request;
    struct websocket *ws;
    const struct http_head *head;
};

/* A parley_send that wants to know. */
struct sent {
    void (*done)(void *ctx, unsigned status, struct parley_text json);
    void *ctx;
};

static struct parley *parley_of(void *server)
{
    return container_of((struct server *)server, struct parley, server);
}

static struct parley_text text_of(struct slice s)
{
    return (struct parley_text){(const char *)s.p, s.n};
}

static struct slice slice_of_text(struct parley_text text)
{
    return slice_of(text.p, text.n);
}

/* ---- hooks ------------------------------------------------------------------------------- */

static const char *on_authorise(void *ctx, struct slice from, struct slice to, struct slice content,
                                const char **why)
{
    struct parley *p = parley_of(ctx);
    struct parley_message message = {0, 0, text_of(from), text_of(to), text_of(content)};
    struct parley_refusal refusal = {"refused", "this message is not allowed"};
    p->judging = true;
    bool good = p->options.authorise(p->options.ctx, &message, &refusal);
    p->judging = false;
    *why = refusal.text;
    return good ? NULL : refusal.code;
}

static enum jwt_status on_verify(void *ctx, struct slice token, struct jwt *out)
{
    struct parley *p = parley_of(ctx);
    struct parley_user user = {.id_n = 0};
    if (token.n == 0)
        return JWT_MALFORMED;
    p->judging = true;
    bool good = p->options.verify(p->options.ctx, text_of(token), &user);
    p->judging = false;
    if (!good || user.id_n > sizeof user.id || !userid_valid(slice_of(user.id, user.id_n)))
        return JWT_REFUSED;
    if (user.expires && user.expires <= clock_wall_ms(p->server.chat.options.clock))
        return JWT_EXPIRED;
    *out = (struct jwt){.user_n = user.id_n,
                        .expires_ms = user.expires ? user.expires : INT64_MAX,
                        .issued_ms = user.issued ? user.issued : INT64_MIN};
    memcpy(out->user, user.id, user.id_n);
    return JWT_OK;
}

/* The value of the content in a message's JSON. */
static struct slice read_content(struct parley *p, struct slice json)
{
    struct json_reader reader;
    struct json_value name, value;
    buf_clear(&p->content);
    if (json_open_object(&reader, json))
        while (json_next_member(&reader, &name, &value) == JSON_ITEM) {
            uint8_t *to = json_string_eq(name, SLICE("content"))
                              ? buf_reserve(&p->content, value.raw.n)
                              : NULL;
            if (to)
                p->content.n = (size_t)json_string_decode(value, to);
        }
    return buf_slice(&p->content);
}

static void on_committed(void *ctx, const struct store_message *m)
{
    struct parley *p = parley_of(ctx);
    struct parley_message message = {m->id, m->date, text_of(m->from), text_of(m->to),
                                     text_of(read_content(p, m->json))};
    p->options.committed(p->options.ctx, &message);
}

static void on_log(void *ctx, enum log_level level, const char *line)
{
    const struct parley *p = ctx;
    p->options.log(p->options.ctx, (enum parley_level)level, line);
}

static void on_request(struct server *server, struct websocket *ws, const struct http_head *head)
{
    struct parley *p = parley_of(server);
    struct asked asked = {
        {text_of(head->method), text_of(head->path), text_of(head->query), text_of(head->body)},
        ws,
        head};
    p->options.request(p->options.ctx, &asked.request);
}

struct parley_text parley_header(const struct parley_request *request, const char *name)
{
    const struct asked *asked = container_of(request, struct asked, request);
    const struct http_field *field = http_find(asked->head, name, NULL);
    return field ? text_of(field->value) : (struct parley_text){NULL, 0};
}

void parley_respond(struct parley_request *request, unsigned status, const char *type,
                    const char *fields, struct parley_text body)
{
    const struct asked *asked = container_of(request, struct asked, request);
    websocket_respond(asked->ws, status, type, fields, slice_of_text(body),
                      slice_eq(asked->head->method, SLICE("HEAD")));
}

/* ---- opening ----------------------------------------------------------------------------- */

static enum exit_status read_settings(struct parley *p, struct server_error *error)
{
    struct args_error why;
    const char *settings = p->options.settings;
    char *text = strdup(settings ? settings : "");
    if (!text)
        return server_fail(error, EXIT_SYSTEM, "no memory for the settings");
    if (config_parse(&p->config, 0, NULL, text, &why) != CONFIG_OK)
        return server_fail(error, EXIT_USAGE_ERROR, "settings: %s", why.text);
    if (p->config.user || p->config.confine != CONFINE_YES)
        return server_fail(error, EXIT_USAGE_ERROR,
                           "settings: user and confine are parleyd's; the rights of this process "
                           "are its program's to give up");
    if (p->config.demo && p->options.verify)
        return server_fail(error, EXIT_USAGE_ERROR,
                           "settings: the tokens of demo are signed with the secret, which is not "
                           "looked at beside the hook that verifies tokens; take one of the two");
    return EXIT_CLEAN;
}

static enum exit_status start(struct parley *p, struct server_error *error)
{
    struct server *server = &p->server;
    enum exit_status status = read_settings(p, error);
    if (status != EXIT_CLEAN)
        return status;
    server->config = &p->config;
    server->log =
        (struct log){.sink = p->options.log ? on_log : NULL, .ctx = p, .program = "parley"};
    server->hooks = (struct chat_hooks){.authorise = p->options.authorise ? on_authorise : NULL,
                                        .verify = p->options.verify ? on_verify : NULL,
                                        .committed = p->options.committed ? on_committed : NULL};
    server->on_request = p->options.request ? on_request : NULL;
    status = server_listen(server, error);
    if (status == EXIT_CLEAN)
        status = server_open_data(server, error);
    if (status == EXIT_CLEAN)
        status = server_open_log(server, error);
    if (status != EXIT_CLEAN)
        server_close(server);
    return status;
}

static void parley_free(struct parley *p)
{
    buf_free(&p->content);
    config_free(&p->config);
    free(p);
}

static void on_drain(struct source *s)
{
    struct parley *p = container_of(s, struct parley, drain);
    for (; p->drains; p->drains--)
        server_drain(&p->server);
}

/* Nothing: setting it again, behind the turn, takes back that it is readable. */
static void on_due(struct source *s, uint32_t events)
{
    (void)s;
    (void)events;
}

static const struct source_kind due_kind = {.ready = on_due};
static const struct source_kind drain_kind = {.fire = on_drain};

struct parley *parley_open(const struct parley_options *options, struct parley_error *error)
{
    struct server_error why = {"no memory for a server"};
    enum exit_status status = EXIT_SYSTEM;
    struct parley *p = calloc(1, sizeof *p);
    if (p) {
        p->options = *options;
        source_init(&p->due, &due_kind, -1);
        source_init(&p->drain, &drain_kind, -1);
        status = start(p, &why);
    }
    if (status == EXIT_CLEAN)
        return p;
    if (p)
        parley_free(p);
    *error = (struct parley_error){.status = (int)status};
    snprintf(error->text, sizeof error->text, "%s", why.text);
    return NULL;
}

bool parley_address(const struct parley *p, size_t i, char out[PARLEY_ADDRESS])
{
    const struct server *server = &p->server;
    bool admin = i == server->listeners_n && server->admin.source.fd >= 0;
    if (i >= server->listeners_n && !admin)
        return false;
    address_format(out, admin ? &server->admin.address : &server->listeners[i].address);
    return true;
}

/* ---- running ----------------------------------------------------------------------------- */

/* When the loop has something to do by itself, the descriptor says so. */
static void set_due(struct parley *p)
{
    struct itimerspec when = {{0}, {0}};
    if (p->due.fd < 0)
        return;
    int ms = loop_wait_ms(&p->server.loop, -1);
    if (ms >= 0) {
        when.it_value.tv_sec = ms / 1000;
        when.it_value.tv_nsec = ms % 1000 * 1000000 + !ms; /* all zero would be never */
    }
    timerfd_settime(p->due.fd, 0, &when, NULL);
}

/* What was done outside of a turn is gone on with in one. */
static void wake(struct parley *p)
{
    if (p->turning)
        return;
    p->server.loop.busy = true;
    set_due(p);
}

int parley_fd(struct parley *p)
{
    if (p->due.fd >= 0)
        return p->server.loop.epoll;
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (fd < 0)
        return -errno;
    source_init(&p->due, &due_kind, fd);
    int result = loop_watch(&p->server.loop, &p->due, EPOLLIN);
    if (result) {
        close(p->due.fd);
        p->due.fd = -1;
        return result;
    }
    set_due(p);
    return p->server.loop.epoll;
}

int parley_run_once(struct parley *p, int timeout_ms)
{
    p->turning = true;
    int result = server_turn(&p->server, timeout_ms);
    p->turning = false;
    set_due(p);
    return result;
}

static void on_sent(void *ctx, unsigned status, struct slice json)
{
    struct sent *sent = ctx;
    sent->done(sent->ctx, status, text_of(json));
    free(sent);
}

/* The body of POST /v1/message. */
static void write_body(struct buf *out, struct parley_text from, struct parley_text to,
                       struct parley_text content, struct parley_text key)
{
    buf_append_lit(out, "{\"from\":");
    wire_write_string(out, slice_of_text(from));
    buf_append_lit(out, ",\"to\":");
    wire_write_string(out, slice_of_text(to));
    buf_append_lit(out, ",\"content\":");
    wire_write_string(out, slice_of_text(content));
    if (key.n) {
        buf_append_lit(out, ",\"key\":");
        wire_write_string(out, slice_of_text(key));
    }
    buf_append_lit(out, "}");
}

int parley_send(struct parley *p, struct parley_text from, struct parley_text to,
                struct parley_text content, struct parley_text key,
                void (*done)(void *ctx, unsigned status, struct parley_text json), void *ctx)
{
    struct buf body = {0};
    if (p->judging || p->closing)
        return p->judging ? -EBUSY : -ESHUTDOWN;
    write_body(&body, from, to, content, key);
    struct sent *sent = done ? malloc(sizeof *sent) : NULL;
    struct backend_call *call =
        body.failed || (done && !sent) ? NULL : backend_call_new(&p->server.chat, on_sent, sent);
    if (call) {
        if (sent)
            *sent = (struct sent){done, ctx};
        api_backend(call, "message", buf_slice(&body));
        wake(p);
    } else {
        free(sent);
    }
    buf_free(&body);
    return call ? 0 : -ENOMEM;
}

void parley_drain(struct parley *p)
{
    p->drains++;
    loop_set_timer(&p->server.loop, &p->drain, 0); /* in a turn, which knows what time it is */
    wake(p);
}

int parley_close(struct parley *p)
{
    if (!p)
        return 0;
    p->closing = true;
    loop_stop_timer(&p->drain);
    if (p->due.fd >= 0)
        close(loop_unwatch(&p->server.loop, &p->due));
    enum exit_status status = server_close(&p->server);
    parley_free(p);
    return status == EXIT_CLEAN ? 0 : -EIO;
}
