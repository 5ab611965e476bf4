#include "program.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char folder[512]; /* of the programs */

static _Noreturn void give_up(const char *what)
{
    fprintf(stderr, "program: %s\n", what);
    abort();
}

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void program_init(const char *argv0)
{
    const char *slash = strrchr(argv0, '/');
    /* A program may end before it has read what we wrote. */
    signal(SIGPIPE, SIG_IGN);
    snprintf(folder, sizeof folder, "%.*s/../..", slash ? (int)(slash - argv0) : 1,
             slash ? argv0 : ".");
}

/* PARLEY_WRAP is a command that runs ours: valgrind and its options. */
static _Noreturn void become(const char *name, const char *const *args, int in, int out, int err)
{
    char path[640], wrap[512], confine_off[] = "--confine=off";
    char *argv[64];
    size_t n = 0;
    const char *command = getenv("PARLEY_WRAP");
    snprintf(wrap, sizeof wrap, "%s", command ? command : "");
    for (char *word = strtok(wrap, " "); word && n < 20; word = strtok(NULL, " "))
        argv[n++] = word;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    argv[n++] = path;
    if (command && strcmp(name, "parleyd") == 0)
        argv[n++] = confine_off; /* Valgrind would be confined itself */
    while (*args && n < 63)
        argv[n++] = (char *)(uintptr_t)*args++;
    argv[n] = NULL;
    dup2(in, STDIN_FILENO);
    dup2(out, STDOUT_FILENO);
    dup2(err, STDERR_FILENO);
    signal(SIGPIPE, SIG_DFL);
    /* A test that fails leaves nobody behind. */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    execvp(argv[0], argv);
    _exit(127);
}

void program_start(struct program *p, const char *name, const char *const *args)
{
    int in[2], out[2], err[2];
    if (pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC) || pipe2(err, O_CLOEXEC))
        give_up("no pipes");
    pid_t pid = fork();
    if (pid < 0)
        give_up("no fork");
    if (pid == 0)
        become(name, args, in[0], out[1], err[1]);
    close(in[0]);
    close(out[1]);
    close(err[1]);
    *p = (struct program){.pid = pid, .in = in[1], .out = out[0], .err = err[0]};
}

/* Takes what there is of one stream; its end closes it. */
static void take(int *fd, struct buf *to)
{
    uint8_t *room = buf_reserve(to, 4096);
    ssize_t n = room ? read(*fd, room, 4096) : -1;
    if (n < 0)
        give_up("reading failed");
    to->n += (size_t)n;
    if (n == 0) {
        close(*fd);
        *fd = -1;
    }
}

/* Waits for output of either stream; both are read, so that the program never waits for us. */
static void gather(struct program *p, int64_t deadline)
{
    struct pollfd fds[] = {{.fd = p->out, .events = POLLIN}, {.fd = p->err, .events = POLLIN}};
    int64_t left = deadline - now_ms();
    int n = left > 0 ? poll(fds, 2, (int)left) : 0;
    if (n < 0 && errno == EINTR)
        return;
    if (n <= 0) {
        kill(p->pid, SIGKILL);
        give_up("nothing came in time");
    }
    if (fds[0].revents)
        take(&p->out, &p->output);
    if (fds[1].revents)
        take(&p->err, &p->errors);
}

static const char *next_line(struct program *p, const int *fd, struct buf *from)
{
    static char line[1 << 20];
    int64_t deadline = now_ms() + PROGRAM_MS;
    for (;;) {
        const uint8_t *end = from->n ? memchr(from->p, '\n', from->n) : NULL;
        size_t n = end ? (size_t)(end - from->p) : from->n;
        if (n >= sizeof line)
            give_up("a line is too long");
        if (end || (*fd < 0 && from->n)) {
            memcpy(line, from->p, n);
            line[n] = 0;
            buf_drop(from, end ? n + 1 : n);
            return line;
        }
        if (*fd < 0)
            return NULL;
        gather(p, deadline);
    }
}

const char *program_line(struct program *p)
{
    return next_line(p, &p->out, &p->output);
}

const char *program_error_line(struct program *p)
{
    return next_line(p, &p->err, &p->errors);
}

void program_write(struct program *p, const char *text)
{
    for (size_t n = strlen(text); n;) {
        ssize_t written = write(p->in, text, n);
        if (written < 0)
            give_up("writing failed");
        text += written;
        n -= (size_t)written;
    }
}

void program_end_input(struct program *p)
{
    if (p->in >= 0)
        close(p->in);
    p->in = -1;
}

int program_wait(struct program *p)
{
    int status;
    int64_t deadline = now_ms() + PROGRAM_MS;
    while (p->out >= 0 || p->err >= 0)
        gather(p, deadline);
    program_end_input(p);
    if (waitpid(p->pid, &status, 0) != p->pid)
        give_up("waitpid failed");
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int program_terminate(struct program *p)
{
    kill(p->pid, SIGTERM);
    return program_wait(p);
}

void program_free(struct program *p)
{
    buf_free(&p->output);
    buf_free(&p->errors);
}
