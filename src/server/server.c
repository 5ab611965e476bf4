#include "server/server.h"

#include "server/door.h"
#include "server/pages.h"
#include "server/secret.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

/* Descriptors that are not clients': log segments, listeners, epoll, and some to spare. */
#define SERVER_OWN_DESCRIPTORS 64

enum exit_status server_fail(struct server_error *error, enum exit_status status,
                             const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(error->text, sizeof error->text, format, args);
    va_end(args);
    return status;
}

/* ---- accepting --------------------------------------------------------------------------- */

/* A word to whoever comes too many, as far as the socket takes it at once. */
static void turn_away(struct server *server, int fd, const char *why)
{
    char text[256];
    int n = snprintf(text, sizeof text,
                     "HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain\r\n"
                     "Connection: close\r\nContent-Length: %zu\r\n\r\n%s",
                     strlen(why), why);
    ssize_t sent = send(fd, text, (size_t)n, MSG_NOSIGNAL | MSG_DONTWAIT);
    (void)sent;
    close(fd);
    server->turned_away++;
}

/* NULL, or why there is no room for another session. Those that poll cost their client no socket: he shall
   not fill the place with them before he has shown a token. */
static const char *full(void *ctx, uint32_t strangers)
{
    struct server *server = ctx;
    uint64_t max_memory = server->config->max_memory;
    if (server->streams.open >= server->max_connections)
        return "Too many connections are open.\n";
    if (strangers > server->max_connections / 4)
        return "Too many sessions that poll have not registered.\n";
    if (max_memory && server->streams.memory >= max_memory)
        return "The connections that are open hold too much memory.\n";
    return NULL;
}

static void accepted(struct listener *l, int fd, const struct address *peer)
{
    struct server *server = l->ctx;
    const char *why = full(server, 0);
    if (why)
        turn_away(server, fd, why);
    else
        chat_accept(&server->chat, fd, peer);
}

static void admin_accepted(struct listener *l, int fd, const struct address *peer)
{
    struct server *server = l->ctx;
    struct door *c = calloc(1, sizeof *c);
    (void)peer;
    if (!c) {
        close(fd);
    } else if (websocket_accept(&c->ws, &server->admin_kind, fd)) {
        free(c);
    } else {
        list_init(&c->link);
        list_append(&server->admin_open, &c->link);
    }
}

static void admin_request(struct websocket *ws, const struct http_head *request)
{
    struct server *server = ws->stream.kind->ctx;
    if (!door_request(server, ws, request))
        pages_admin(server, ws, request);
}

static void admin_closed(struct websocket *ws)
{
    struct door *c = container_of(ws, struct door, ws);
    door_closed(c);
    list_remove(&c->link);
    free(c);
}

static enum exit_status open_listener(struct server *server, struct listener *l, const char *text,
                                      void (*on_accept)(struct listener *, int,
                                                        const struct address *),
                                      struct server_error *error)
{
    struct address address;
    const char *why = address_parse(&address, text);
    if (why)
        return server_fail(error, EXIT_USAGE_ERROR, "\"%.100s\" is no address: %s", text, why);
    if (server->config->demo && !address_is_loopback(&address))
        return server_fail(error, EXIT_USAGE_ERROR,
                           "--demo gives tokens to anybody, so it listens on loopback only, not on "
                           "%.100s",
                           text);
    int result = listener_open(l, &server->loop, &address, on_accept, server);
    if (result)
        return server_fail(error, EXIT_SYSTEM, "cannot listen on %.100s: %s", text,
                           strerror(-result));
    return EXIT_CLEAN;
}

static enum exit_status open_listeners(struct server *server, struct server_error *error)
{
    const struct config *config = server->config;
    enum exit_status status = EXIT_CLEAN;
    for (size_t i = 0; i < config->listen.n && status == EXIT_CLEAN; i++) {
        status =
            open_listener(server, &server->listeners[i], config->listen.items[i], accepted, error);
        server->listeners_n += status == EXIT_CLEAN;
    }
    if (config->admin && status == EXIT_CLEAN)
        status = open_listener(server, &server->admin, config->admin, admin_accepted, error);
    return status;
}

/* ---- opening ----------------------------------------------------------------------------- */

/* How many connections the descriptors that we may have allow. */
static uint32_t count_descriptors(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return 1024 - SERVER_OWN_DESCRIPTORS;
    if (limit.rlim_cur > UINT32_MAX)
        return UINT32_MAX;
    if (limit.rlim_cur <= 2 * SERVER_OWN_DESCRIPTORS)
        return SERVER_OWN_DESCRIPTORS;
    return (uint32_t)limit.rlim_cur - SERVER_OWN_DESCRIPTORS;
}

/* A missing one is made at the start only: later, somebody may be about to replace it. */
static int load_secret(struct server *server, bool make, struct secret_error *error)
{
    struct secret secret;
    int result = secret_load(&secret, server->secret_path,
                             make && !server->config->secret_file ? &server->disk : NULL,
                             &server->log, error);
    if (result == 0)
        chat_set_secret(&server->chat, slice_of(secret.bytes, secret.n));
    secret_wipe(&secret);
    return result;
}

/* The token itself stays in no memory. */
static enum exit_status load_door_token(struct server *server, struct server_error *error)
{
    struct secret token;
    struct secret_error why;
    struct hmac_key key;
    const char *path = server->config->admin_token_file;
    int result = path ? secret_load(&token, path, NULL, &server->log, &why) : 0;
    if (result)
        return server_fail(error,
                           result == -EINVAL || result == -ENOENT ? EXIT_USAGE_ERROR : EXIT_SYSTEM,
                           "--admin-token-file: %s", why.text);
    if (!path)
        return EXIT_CLEAN;
    hmac_key_init(&key, slice_of(token.bytes, token.n));
    hmac_sign(&key, SLICE("door"), server->door_token);
    secret_wipe(&token);
    return EXIT_CLEAN;
}

/* Wakes the loop: server_turn knows that the time is up. */
static void on_drain_end(struct source *s)
{
    (void)s;
}

static const struct source_kind drain_end_kind = {.fire = on_drain_end};

enum exit_status server_listen(struct server *server, struct server_error *error)
{
    const struct config *config = server->config;
    server->log.level = config->log_level;
    server->admin.source.fd = -1;
    list_init(&server->admin_open);
    source_init(&server->drain_end, &drain_end_kind, -1);
    uint32_t allowed = count_descriptors();
    server->max_connections = config->max_connections && config->max_connections < allowed
                                  ? config->max_connections
                                  : allowed;
    server->admin_kind = (struct websocket_kind){.server = true,
                                                 .body_limit = door_body_limit,
                                                 .on_request = admin_request,
                                                 .on_closed = admin_closed};
    int result = loop_init(&server->loop, &clock_system);
    if (result == 0)
        result = stream_set_init(&server->streams, &server->loop);
    if (result)
        return server_fail(error, EXIT_SYSTEM, "cannot start: %s", strerror(-result));
    websocket_kind_init(&server->admin_kind, &server->streams, server);
    server->started = server->loop.now;
    return open_listeners(server, error);
}

enum exit_status server_open_data(struct server *server, struct server_error *error)
{
    const struct config *config = server->config;
    const char *secret = config->secret_file;
    int n = snprintf(server->secret_path, sizeof server->secret_path, "%s%s",
                     secret ? secret : config->data, secret ? "" : "/" SECRET_NAME);
    if (n < 0 || (size_t)n >= sizeof server->secret_path)
        return server_fail(error, EXIT_USAGE_ERROR, "the path of the secret file is too long");
    int result = disk_open_dir(&server->disk, config->data);
    if (result)
        return server_fail(error, EXIT_SYSTEM,
                           "data directory %.200s: %s; expected a folder, or the path of one that "
                           "can be made",
                           config->data, strerror(-result));
    return load_door_token(server, error);
}

/* The newest messages stay in memory: up to 8 MiB of them, but of 2 MiB that are allowed 16 KiB. */
static uint32_t server_recent(const struct config *config)
{
    uint64_t share = config->max_memory / 256;
    return config->max_memory && share < SERVER_RECENT ? (uint32_t)share : SERVER_RECENT;
}

enum exit_status server_open_log(struct server *server, struct server_error *error)
{
    const struct config *config = server->config;
    struct chat_options options = {.max_user_connections = config->max_user_connections,
                                   .max_frame = config->max_frame,
                                   .max_content = config->max_content,
                                   .max_queue = config->max_queue,
                                   .rate = config->rate,
                                   .idle_ms = config->idle_timeout * 1000,
                                   .trusted = {config->trusted, config->trusted_n},
                                   .origins = (const char **)config->origins.items,
                                   .origins_n = config->origins.n,
                                   .log = &server->log,
                                   .clock = &clock_system,
                                   .on_request = pages_public,
                                   .max_body = server->on_request ? config->max_frame : 0,
                                   .hooks = server->hooks,
                                   .full = full,
                                   .ctx = server};
    struct store_options store = {.disk = &server->disk,
                                  .log = &server->log,
                                  .sync = config->sync,
                                  .sync_ms = config->sync_ms,
                                  .segment_size = config->segment_size,
                                  .arrange = config->arrange_segments,
                                  .retain_days = config->retain_days,
                                  .retain_bytes = config->retain_bytes,
                                  .recent = server_recent(config),
                                  .prepare = config->prepare_segments ? SERVER_PREPARE : 0};
    struct store_error store_error;
    enum store_status status =
        chat_open(&server->chat, &server->streams, &options, &store, &store_error);
    if (status != STORE_OK)
        return server_fail(error, (enum exit_status)status, "data directory %.200s: %s",
                           config->data, store_error.text);
    struct secret_error secret_error;
    int result = server->hooks.verify ? 0 : load_secret(server, true, &secret_error);
    if (result == 0)
        return EXIT_CLEAN;
    return server_fail(error,
                       result == -EINVAL || result == -ENOENT ? EXIT_USAGE_ERROR : EXIT_SYSTEM,
                       "%s", secret_error.text);
}

/* ---- running ----------------------------------------------------------------------------- */

int server_turn(struct server *server, int max_ms)
{
    int result = loop_turn(&server->loop, max_ms);
    if (result < 0)
        return result;
    return !server->draining || (server->streams.open && server->loop.now < server->drain_until);
}

static void close_listeners(struct server *server)
{
    for (size_t i = 0; i < server->listeners_n; i++)
        listener_close(&server->listeners[i]);
}

void server_drain(struct server *server)
{
    if (server->draining) {
        server->drain_until = 0;
        return;
    }
    log_write(&server->log, LOG_INFO, "shutting down: %u connections", server->streams.open);
    server->draining = true;
    int64_t within = server->config->drain * 1000 + SERVER_LEAVE_MS;
    server->drain_until = server->loop.now + within;
    loop_set_timer(&server->loop, &server->drain_end, within);
    close_listeners(server);
    LIST_EACH(link, &server->admin_open) /* who waits for an answer gets it */
    {
        struct door *door = container_of(link, struct door, link);
        if (door->ws.state == WEBSOCKET_KEPT)
            stream_close(&door->ws.stream);
    }
    chat_drain(&server->chat, server->config->drain * 1000);
}

void server_reload(struct server *server)
{
    struct secret_error error;
    if (load_secret(server, false, &error))
        log_write(&server->log, LOG_ERROR, "%s; the present secret stays in use", error.text);
    else
        log_write(&server->log, LOG_INFO, "read the secret file again");
}

enum exit_status server_close(struct server *server)
{
    close_listeners(server);
    listener_close(&server->admin);
    LIST_EACH(link, &server->admin_open)
    {
        stream_close(&container_of(link, struct door, link)->ws.stream);
    }
    int failure = server->chat.store ? chat_close(&server->chat) : 0;
    while (server->streams.open && loop_turn(&server->loop, 0) >= 0)
        ;
    stream_set_fini(&server->streams);
    loop_fini(&server->loop);
    disk_close_dir(&server->disk);
    return failure ? EXIT_IO : EXIT_CLEAN;
}
