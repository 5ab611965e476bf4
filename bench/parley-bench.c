/*
 * parley-bench: the load generator. The modes are the files load_*.c; what all of them do is told in
 * load.h.
 */
#include "base/args.h"
#include "base/version.h"
#include "load.h"
#include "server/secret.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static const struct load_mode *const modes[] = {&load_echo,    &load_chat,     &load_fan_out,
                                                &load_history, &load_snippets, &load_connect,
                                                &load_idle,    &load_mixed};
#define MODES (sizeof modes / sizeof *modes)

__attribute__((format(printf, 1, 2))) static int wrong(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("parley-bench: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    return EXIT_USAGE_ERROR;
}

static bool parse_seconds(const char *text, double *out)
{
    char *end;
    *out = strtod(text, &end);
    return strspn(text, "0123456789.") == strlen(text) && *text && !*end && *out <= 86400;
}

static int load_key(struct load *load)
{
    struct log log = {.level = LOG_WARN, .program = "parley-bench"};
    struct secret secret;
    struct secret_error error;
    if (!load->options.secret_file)
        return wrong("--secret-file is missing; expected the file that the server uses");
    int result = secret_load(&secret, load->options.secret_file, false, &log, &error);
    if (result == 0)
        hmac_key_init(&load->key, slice_of(secret.bytes, secret.n));
    secret_wipe(&secret);
    if (result == 0)
        return -1;
    wrong("%s", error.text);
    return result == -EINVAL || result == -ENOENT ? EXIT_USAGE_ERROR : EXIT_SYSTEM;
}

static bool judge_protocol(struct load_options *o, const char *name)
{
    static const char *const names[] = {"ws", "tcp", "socketio"};
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(name, names[i]) == 0) {
            o->protocol = (enum load_protocol)i;
            return i == LOAD_WEBSOCKET || o->mode == &load_echo || o->mode == &load_chat;
        }
    return false;
}

/* Judges the values: -1, or the exit status. */
static int take_options(struct load *load, const char *duration, const char *warmup,
                        const char *protocol)
{
    struct load_options *o = &load->options;
    if (!parse_seconds(duration, &o->duration) || o->duration < 0.01)
        return wrong("duration: \"%.40s\" is not seconds from 0.01 to 86400", duration);
    if (!parse_seconds(warmup, &o->warmup))
        return wrong("warmup: \"%.40s\" is not seconds from 0 to 86400", warmup);
    if (!judge_protocol(o, protocol))
        return wrong("protocol: \"%.40s\" is not ws, or, for echo and chat, ws, tcp or socketio",
                     protocol);
    if (!o->connections)
        o->connections = o->mode->connections;
    if (o->active > o->connections)
        return wrong("active: %u of %u connections; there are not so many", o->active,
                     o->connections);
    if (o->mode->pairs && o->connections % 2)
        return wrong("connections: %u is odd; %s takes pairs", o->connections, o->mode->name);
    if (o->mode == &load_fan_out && o->connections < 2)
        return wrong("connections: 1 is too few; fan-out takes a writer and readers");
    if (!o->url)
        o->url = o->mode->chat || o->secret_file ? "ws://127.0.0.1:8080/chat"
                 : o->protocol == LOAD_SOCKETIO  ? "ws://127.0.0.1:9001/socket.io/"
                                                   "?EIO=4&transport=websocket"
                                                 : "ws://127.0.0.1:9001/";
    const char *why = url_parse(&load->url, o->url);
    if (why)
        return wrong("url: \"%.100s\": %s", o->url, why);
    if (!address_is_loopback(&load->url.address) && !o->anywhere)
        return wrong("%.100s is not on this machine, and may not expect this load; if it is yours, "
                     "add --anywhere",
                     o->url);
    if (o->pid && !usage_read(o->pid).known)
        return wrong("pid: there is no process %u", o->pid);
    if (o->calls && !o->pid)
        return wrong("--calls needs the server's --pid");
    return (o->mode->chat && o->protocol != LOAD_TCP) || o->secret_file ? load_key(load) : -1;
}

static void print_help(const struct arg *rows)
{
    printf("usage: parley-bench MODE [OPTION]...\n"
           "Measures a parley server, or an echo server. The modes:\n\n");
    for (size_t i = 0; i < MODES; i++)
        printf("  %-9s %s\n", modes[i]->name, modes[i]->help);
    printf("\n");
    args_help(rows);
}

/* -1: go on; otherwise the exit status. */
static int parse(struct load *load, int argc, char **argv)
{
    struct load_options *o = &load->options;
    const char *duration = "5", *warmup = "1", *protocol = "ws", *mode = argc > 1 ? argv[1] : "";
    bool help = false, version = false;
    *o = (struct load_options){.pipeline = 1, .size = 20};
    struct arg rows[] = {
        {"url", ARG_TEXT, &o->url, 0, 0, "URL",
         "default ws://127.0.0.1:8080/chat with a secret, ws://127.0.0.1:9001/ without", 0},
        {"connections", ARG_NUMBER, &o->connections, 1, 1000000, "N",
         "default 100; history, connect: 10; fan-out: 21; idle: 5000; mixed: 1000", 0},
        {"active", ARG_NUMBER, &o->active, 1, 1000000, "N",
         "only the first so many of them send; default: all", 0},
        {"pipeline", ARG_NUMBER, &o->pipeline, 1, 65536, "N",
         "closed loop: messages in flight on each connection; default 1", 0},
        {"rate", ARG_NUMBER, &o->rate, 1, 100000000, "N",
         "open loop: so many messages a second in all, latencies from when each was due", 0},
        {"size", ARG_NUMBER, &o->size, 1, 16 << 20, "BYTES",
         "of the message, of the content for chat; default 20", 0},
        {"duration", ARG_TEXT, &duration, 0, 0, "S", "measured seconds; default 5", 0},
        {"warmup", ARG_TEXT, &warmup, 0, 0, "S", "seconds before that; default 1", 0},
        {"protocol", ARG_TEXT, &protocol, 0, 0, "P",
         "ws (default); echo and chat: or tcp (chat: of floor-bench), or socketio", 0},
        {"secret-file", ARG_TEXT, &o->secret_file, 0, 0, "FILE",
         "the server's, to make tokens with; start the server with --rate 0", 0},
        {"pid", ARG_NUMBER, &o->pid, 1, INT32_MAX, "PID", "report what the server's process used",
         0},
        {"calls", ARG_FLAG, &o->calls, 0, 0, NULL,
         "count its system calls by strace, which makes it slower; without a warm-up", 0},
        {"anywhere", ARG_FLAG, &o->anywhere, 0, 0, NULL, "also load another machine", 0},
        {"json", ARG_FLAG, &o->json, 0, 0, NULL, "print the result as one JSON object", 0},
        {"version", ARG_FLAG, &version, 0, 0, NULL, "print the version", 0},
        {"help", ARG_FLAG, &help, 0, 0, NULL, "print this", 0},
        {0}};
    struct args_error error;
    int skip = mode[0] && mode[0] != '-';
    int rest = args_parse(rows, argc - skip, argv + skip, &error);
    if (rest < 0)
        return wrong("%s", error.text);
    if (help) {
        print_help(rows);
        return EXIT_CLEAN;
    }
    if (version) {
        printf("parley-bench %s\n", PARLEY_VERSION);
        return EXIT_CLEAN;
    }
    for (size_t i = 0; i < MODES; i++)
        if (strcmp(mode, modes[i]->name) == 0)
            o->mode = modes[i];
    if (!o->mode)
        return wrong("\"%.40s\" is no mode; it comes first, see --help", mode);
    if (rest < argc - skip)
        return wrong("\"%.60s\" is no option; see --help", argv[skip + rest]);
    if (!o->rate)
        o->rate = o->mode->rate;
    return take_options(load, duration, warmup, protocol);
}

int main(int argc, char **argv)
{
    static struct load load; /* large: histograms, the loop's slots */
    int parsed = parse(&load, argc, argv);
    if (parsed >= 0)
        return parsed;
    load_run(&load);
    if (load.status != EXIT_CLEAN)
        fprintf(stderr, "parley-bench: %s\n", load.error);
    else if (load.options.json)
        load_print_json(&load);
    else
        load_print_table(&load);
    return (int)load.status;
}
