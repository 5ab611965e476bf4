#include "server/config.h"

#include "base/version.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONFIG_FILE_MAX (64 << 10) /* bytes */

#define MAX_CONTENT_LIMIT (128u << 10)
#define MAX_FRAME_LIMIT (1u << 20)
#define MAX_QUEUE_LIMIT (1u << 30)

/* The text, terminated; the caller frees it. NULL with *error. */
static char *read_file(const char *path, struct args_error *error)
{
    FILE *f = fopen(path, "re");
    char *text = malloc(CONFIG_FILE_MAX + 1);
    size_t n = f && text ? fread(text, 1, CONFIG_FILE_MAX + 1, f) : 0;
    bool whole = f && text && !ferror(f);
    int cause = errno;
    if (f)
        fclose(f);
    if (whole && n <= CONFIG_FILE_MAX && !memchr(text, 0, n)) {
        text[n] = 0;
        return text;
    }
    free(text);
    snprintf(error->text, sizeof error->text, "config file %.100s: %s", path,
             !whole                ? strerror(cause)
             : n > CONFIG_FILE_MAX ? "it is over 64 KiB"
                                   : "it holds a zero byte");
    return NULL;
}

static int parse_sync(struct config *c, const char *text, struct args_error *error)
{
    struct arg ms[] = {
        {.name = "sync", .kind = ARG_NUMBER, .to = &c->sync_ms, .min = 1, .max = 60000}, {0}};
    char assignment[64];
    if (strcmp(text, "always") == 0) {
        c->sync = STORE_SYNC_ALWAYS;
    } else if (strcmp(text, "none") == 0) {
        c->sync = STORE_SYNC_NONE;
    } else {
        c->sync = STORE_SYNC_TIMED;
        snprintf(assignment, sizeof assignment, "sync = %.40s", text);
        if (args_parse_file(ms, assignment, error)) {
            snprintf(error->text, sizeof error->text,
                     "sync: \"%.40s\" is neither always, none, nor milliseconds from 1 to 60000",
                     text);
            return -1;
        }
    }
    return 0;
}

static int parse_confine(struct config *c, const char *name, struct args_error *error)
{
    static const char *const names[] = {
        [CONFINE_YES] = "yes", [CONFINE_OFF] = "off", [CONFINE_REQUIRE] = "require"};
    for (int i = 0; i < 3; i++) {
        c->confine = (enum confine_mode)i;
        if (strcmp(name, names[i]) == 0)
            return 0;
    }
    snprintf(error->text, sizeof error->text, "confine: \"%.40s\" is neither yes, off nor require",
             name);
    return -1;
}

static int parse_trusted(struct config *c, const struct arg_list *texts, struct args_error *error)
{
    for (size_t i = 0; i < texts->n; i++) {
        const char *why = ip_range_parse(&c->trusted[c->trusted_n++], texts->items[i]);
        if (why) {
            snprintf(error->text, sizeof error->text, "trusted-proxy: \"%.60s\": %s",
                     texts->items[i], why);
            return -1;
        }
    }
    return 0;
}

static int parse_log_level(struct config *c, const char *name, struct args_error *error)
{
    int level = log_level_parse(name);
    c->log_level = (enum log_level)level;
    if (level < 0)
        snprintf(error->text, sizeof error->text,
                 "log-level: \"%.40s\" is neither error, warn, info nor debug", name);
    return level < 0 ? -1 : 0;
}

static const struct config defaults = {.data = "data",
                                       .segment_size = 128 << 20,
                                       .prepare_segments = true,
                                       .arrange_segments = true,
                                       .max_user_connections = 32,
                                       .max_frame = 64 << 10,
                                       .max_content = 16 << 10,
                                       .max_queue = 1 << 20,
                                       .max_memory = 1u << 30,
                                       .rate = 100,
                                       .idle_timeout = 45,
                                       .drain = 3};

enum config_result config_parse(struct config *out, int argc, char **argv, char *text,
                                struct args_error *error)
{
    *out = defaults;
    out->file = text;
    const char *file = NULL, *sync = "always", *level = "info", *confine_name = "yes";
    struct arg_list trusted = {0};
    bool help = false, version = false;
    struct arg rows[] = {
        {"listen", ARG_LIST, &out->listen, 0, 0, "ADDR",
         "HOST:PORT, [V6]:PORT or unix:PATH; several times; default 127.0.0.1:8080", 0},
        {"data", ARG_TEXT, &out->data, 0, 0, "DIR", "where the messages are kept; default ./data",
         0},
        {"secret-file", ARG_TEXT, &out->secret_file, 0, 0, "FILE",
         "the key of the tokens, 32 bytes or more; default DIR/secret, made if missing", 0},
        {"sync", ARG_TEXT, &sync, 0, 0, "always|none|MS",
         "when messages are made durable; default always: before they are acknowledged", 0},
        {"segment-size", ARG_NUMBER, &out->segment_size, 1 << 20, 1 << 30, "BYTES",
         "of one file of the log; default 134217728", 0},
        {"prepare-segments", ARG_FLAG, &out->prepare_segments, 0, 0, "yes|no",
         "write zeros ahead of the log, which makes small writes faster; default yes", 0},
        {"arrange-segments", ARG_FLAG, &out->arrange_segments, 0, 0, "yes|no",
         "write full files of the log once more, so that history is read faster; default yes", 0},
        {"retain-days", ARG_NUMBER, &out->retain_days, 1, 36500, "N",
         "drop messages that are older; default: keep all", 0},
        {"retain-bytes", ARG_SIZE, &out->retain_bytes, 2 << 20, 0, "BYTES",
         "of the log: drop the oldest messages above; K, M, G may follow; default: keep all", 0},
        {"origin", ARG_LIST, &out->origins, 0, 0, "ORIGIN",
         "web pages of this origin may connect, beside the server's own; * for all", 0},
        {"trusted-proxy", ARG_LIST, &trusted, 0, 0, "CIDR|unix",
         "proxies whose PROXY header or X-Forwarded-For names the client; several times", 0},
        {"admin", ARG_TEXT, &out->admin, 0, 0, "ADDR",
         "a listener for /metrics, /healthz and, with a token, for your backend", 0},
        {"admin-token-file", ARG_TEXT, &out->admin_token_file, 0, 0, "FILE",
         "what your backend must show to use --admin's /v1: 32 bytes or more; default: closed", 0},
        {"demo", ARG_FLAG, &out->demo, 0, 0, NULL,
         "serve the web client and tokens for anybody; on loopback only", 0},
        {"config", ARG_TEXT, &file, 0, 0, "FILE", "options from a file, one NAME = VALUE a line",
         0},
        {"user", ARG_TEXT, &out->user, 0, 0, "NAME", "become this user once the ports are open", 0},
        {"confine", ARG_TEXT, &confine_name, 0, 0, "yes|off|require",
         "give up what is not needed after the start; require: or do not start; default yes", 0},
        {"max-connections", ARG_NUMBER, &out->max_connections, 1, 10000000, "N",
         "default: what the descriptor limit allows", 0},
        {"max-user-connections", ARG_NUMBER, &out->max_user_connections, 1, 100000, "N",
         "of one user; default 32", 0},
        {"max-frame", ARG_NUMBER, &out->max_frame, 1024, MAX_FRAME_LIMIT, "BYTES",
         "of one request; default 65536", 0},
        {"max-content", ARG_NUMBER, &out->max_content, 1, MAX_CONTENT_LIMIT, "BYTES",
         "of one message as UTF-8; default 16384", 0},
        {"max-queue", ARG_NUMBER, &out->max_queue, 4096, MAX_QUEUE_LIMIT, "BYTES",
         "of events that wait for a slow reader; default 1048576", 0},
        {"max-memory", ARG_SIZE, &out->max_memory, 0, 0, "BYTES",
         "of all connections, beyond which no more are taken; 0: no limit; default 1073741824", 0},
        {"rate", ARG_NUMBER, &out->rate, 0, 1000000, "N",
         "events a second and connection, four times that a user; 0: no limit; default 100", 0},
        {"idle-timeout", ARG_NUMBER, &out->idle_timeout, 2, 86400, "S",
         "silence, unanswered pings included, that ends a connection; default 45", 0},
        {"drain", ARG_NUMBER, &out->drain, 0, 3600, "S",
         "when the server ends, over which the clients are told to go; default 3", 0},
        {"log-level", ARG_TEXT, &level, 0, 0, "L", "error, warn, info or debug; default info", 0},
        {"version", ARG_FLAG, &version, 0, 0, NULL, "print the version", 0},
        {"help", ARG_FLAG, &help, 0, 0, NULL, "print this", 0},
        {0}};
    int rest = args_parse(rows, argc, argv, error);
    if (rest < 0)
        return CONFIG_BAD;
    if (help) {
        printf("usage: parleyd [OPTION]...\nA chat server: a JSON event API over WebSocket.\n\n");
        args_help(rows);
        return CONFIG_DONE;
    }
    if (version) {
        printf("parleyd %s\n", PARLEY_VERSION);
        return CONFIG_DONE;
    }
    if (rest < argc) {
        snprintf(error->text, sizeof error->text, "\"%.60s\" is no option; see --help", argv[rest]);
        return CONFIG_BAD;
    }
    if (file && !(out->file = read_file(file, error)))
        return CONFIG_BAD;
    if (out->file && args_parse_file(rows, out->file, error))
        return CONFIG_BAD;
    if (parse_sync(out, sync, error) || parse_trusted(out, &trusted, error) ||
        parse_log_level(out, level, error) || parse_confine(out, confine_name, error))
        return CONFIG_BAD;
    if (out->listen.n == 0)
        out->listen = (struct arg_list){{"127.0.0.1:8080"}, 1};
    return CONFIG_OK;
}

void config_free(struct config *config)
{
    free(config->file);
}
