#include "parleyd.h"

#include "proc.h"
#include "run.h"
#include "server/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define OPTIONS_MAX 32

static void load_key(struct parleyd *d, const char *data)
{
    struct log log = {.level = LOG_WARN, .program = program_invocation_short_name};
    struct secret secret;
    struct secret_error error;
    char path[300];
    snprintf(path, sizeof path, "%s/secret", data);
    if (secret_load(&secret, path, false, &log, &error))
        run_die(0, "%s", error.text);
    hmac_key_init(&d->key, slice_of(secret.bytes, secret.n));
    secret_wipe(&secret);
}

/* The child's part. */
static void become(const char *program, const char *data, const char *const *options, int errors,
                   pid_t parent)
{
    const char *args[OPTIONS_MAX + 10] = {program, "--listen",    "127.0.0.1:0", "--data",
                                          data,    "--log-level", "warn"};
    size_t n = 7;
    while (*options && n < OPTIONS_MAX)
        args[n++] = *options++;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() == parent && dup2(errors, STDERR_FILENO) >= 0)
        execv(program, (char *const *)args);
    _exit(127);
}

void parleyd_start(struct parleyd *d, const char *data, const char *const *options)
{
    char program[PATH_MAX], line[512] = "", url[160];
    ssize_t n = readlink("/proc/self/exe", program, sizeof program - 16);
    int ends[2];
    pid_t self = getpid();
    if (n < 0 || pipe2(ends, O_CLOEXEC))
        run_die(errno, "cannot start parleyd");
    program[n] = 0;
    snprintf(strrchr(program, '/'), 10, "/parleyd");
    d->pid = fork();
    if (d->pid == 0)
        become(program, data, options, ends[1], self);
    close(ends[1]);
    d->errors = fdopen(ends[0], "re");
    const char *found = NULL;
    while (d->errors && !found && fgets(line, sizeof line, d->errors))
        found = strstr(line, ": listening on ");
    if (d->pid < 0 || !found)
        run_die(0, "%s does not start; it is built by make (%.200s)", program,
                d->errors ? line : "");
    snprintf(url, sizeof url, "ws://%.*s/chat", (int)strcspn(found + 15, "\n"), found + 15);
    if (url_parse(&d->url, url))
        run_die(0, "parleyd says that it listens on %s", url);
    load_key(d, data);
}

void parleyd_end(struct parleyd *d)
{
    int status = -1;
    kill(d->pid, SIGTERM);
    fclose(d->errors);
    if (waitpid(d->pid, &status, 0) < 0 || status != 0)
        run_die(0, "parleyd did not end well: wait status %d", status);
}

int parleyd_connect(const struct parleyd *d, struct websocket *ws,
                    const struct websocket_kind *kind)
{
    return websocket_connect(ws, kind, &d->url.address, d->url.host, d->url.path);
}

void parleyd_register(const struct parleyd *d, struct websocket *ws, const char *user)
{
    char token[JWT_MAX], text[JWT_MAX + 64];
    int64_t now = clock_wall_ms(&clock_system);
    size_t n = jwt_sign(token, sizeof token, &d->key, slice_str(user), now, INT64_MAX);
    int size =
        snprintf(text, sizeof text,
                 "{\"event\":\"registerMessages\",\"data\":{\"token\":\"%.*s\"}}", (int)n, token);
    websocket_send(ws, FRAME_TEXT, slice_of(text, (size_t)size));
}

void parleyd_ask_metrics(struct parleyd *d)
{
    size_t n = 0;
    kill(d->pid, SIGUSR1);
    do {
        if (!fgets(d->metrics + n, (int)(sizeof d->metrics - n), d->errors))
            run_die(0, "parleyd prints no metrics");
        n += d->metrics[n] == '#' ? 0 : strlen(d->metrics + n);
    } while (!strstr(d->metrics, "parley_info{"));
}

uint64_t parleyd_metric(const struct parleyd *d, const char *name)
{
    char line[80];
    snprintf(line, sizeof line, "%.70s ", name);
    return proc_number(d->metrics, line);
}
