#include "server.h"

#include "codec/base64.h"
#include "codec/hmac.h"
#include "folder.h"
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void server_prepare(struct server *s)
{
    memset(s, 0, sizeof *s);
    s->out = -1;
    folder_make_path(s->dir);
    snprintf(s->data, sizeof s->data, "%s/data", s->dir);
}

/* build/VARIANT/parleyd, beside build/VARIANT/tests/api/THIS. */
static const char *binary(void)
{
    static char path[4096];
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 32);
    assert_true(n > 0);
    path[n] = 0;
    for (int i = 0; i < 3; i++)
        *strrchr(path, '/') = 0;
    strcat(path, "/parleyd");
    return path;
}

static void spawn(struct server *s, const char *const *options)
{
    const char *argv[64];
    char wrap[512];
    size_t n = 0;
    bool listens = false;
    const char *wrapper = getenv("PARLEY_WRAP");
    if (wrapper) {
        snprintf(wrap, sizeof wrap, "%s", wrapper);
        for (char *word = strtok(wrap, " "); word; word = strtok(NULL, " "))
            argv[n++] = word;
    }
    argv[n++] = binary();
    argv[n++] = "--data";
    argv[n++] = s->data;
    for (; *options; options++) {
        listens |= strcmp(*options, "--listen") == 0;
        argv[n++] = *options;
    }
    if (!listens) {
        argv[n++] = "--listen";
        argv[n++] = "127.0.0.1:0";
    }
    if (wrapper) /* Valgrind would be confined itself */
        argv[n++] = "--confine=off";
    argv[n] = NULL;
    int pipes[2];
    assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
    s->text_n = 0;
    s->port = s->admin_port = 0;
    s->pid = fork();
    assert_true(s->pid >= 0);
    if (s->pid == 0) {
        dup2(pipes[1], STDERR_FILENO);
        dup2(pipes[1], STDOUT_FILENO);
        if (s->file_limit) {
            struct rlimit limit = {s->file_limit, s->file_limit};
            setrlimit(RLIMIT_FSIZE, &limit);
        }
        if (s->descriptor_limit) {
            struct rlimit limit = {s->descriptor_limit, s->descriptor_limit};
            setrlimit(RLIMIT_NOFILE, &limit);
        }
        if (s->before)
            s->before(argv);
        execvp(argv[0], (char **)argv);
        _exit(127);
    }
    close(pipes[1]);
    s->out = pipes[0];
}

/* Reads more of what it prints: false at its end. */
static bool read_more(struct server *s, int64_t deadline)
{
    struct pollfd p = {.fd = s->out, .events = POLLIN};
    int64_t left = deadline - now_ms();
    if (poll(&p, 1, left > 0 ? (int)left : 0) != 1)
        fail_msg("the server did not print what was awaited; it printed:\n%.*s", (int)s->text_n,
                 s->text);
    char buffer[1024];
    ssize_t n = read(s->out, buffer, sizeof buffer);
    if (n <= 0)
        return false;
    size_t room = sizeof s->text - 1 - s->text_n;
    if ((size_t)n > room)
        n = (ssize_t)room;
    memcpy(s->text + s->text_n, buffer, (size_t)n);
    s->text_n += (size_t)n;
    s->text[s->text_n] = 0;
    return true;
}

void server_wait_text(struct server *s, const char *text)
{
    int64_t deadline = now_ms() + DEADLINE_MS;
    s->text[s->text_n] = 0;
    while (!strstr(s->text, text))
        if (!read_more(s, deadline))
            fail_msg("the server ended; it printed:\n%s", s->text);
}

static uint16_t port_after(const char *text, const char *mark)
{
    const char *found = strstr(text, mark);
    return found ? (uint16_t)atoi(strrchr(strtok(strdupa(found), "\n"), ':') + 1) : 0;
}

void server_start(struct server *s, const char *const *options)
{
    bool admin = false;
    for (const char *const *o = options; *o; o++)
        admin |= strcmp(*o, "--admin") == 0;
    spawn(s, options);
    server_wait_text(s, admin ? "parleyd: admin on " : "parleyd: listening on ");
    while (s->text[s->text_n - 1] != '\n')
        assert_true(read_more(s, now_ms() + DEADLINE_MS));
    s->port = port_after(s->text, "listening on 127.0.0.1:");
    s->admin_port = port_after(s->text, "admin on 127.0.0.1:");
}

int server_start_fails(struct server *s, const char *const *options)
{
    spawn(s, options);
    return server_wait_end(s);
}

void server_signal(struct server *s, int signal)
{
    assert_true(s->pid > 0);
    assert_int_equal(kill(s->pid, signal), 0);
}

int server_wait_end(struct server *s)
{
    int status;
    int64_t deadline = now_ms() + DEADLINE_MS;
    while (read_more(s, deadline))
        ;
    assert_int_equal(waitpid(s->pid, &status, 0), s->pid);
    close(s->out);
    s->pid = 0;
    s->out = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void server_remove(struct server *s)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", s->dir);
    assert_int_equal(system(command), 0);
}

void server_stop(struct server *s)
{
    server_signal(s, SIGTERM);
    int status = server_wait_end(s);
    if (status != 0)
        fail_msg("exit status %d instead of 0; it printed:\n%s", status, s->text);
    server_remove(s);
}

const char *server_token_claims(const struct server *s, const char *claims)
{
    static char token[4096];
    char path[128];
    uint8_t secret[1024], signature[SHA256_SIZE];
    struct hmac_key key;
    snprintf(path, sizeof path, "%s/secret", s->data);
    FILE *f = fopen(path, "re");
    assert_non_null(f);
    size_t n = fread(secret, 1, sizeof secret, f);
    fclose(f);
    while (n && secret[n - 1] == '\n')
        n--;
    hmac_key_init(&key, slice_of(secret, n));
    size_t size = base64url_encode(token, SLICE("{\"alg\":\"HS256\",\"typ\":\"JWT\"}"));
    token[size++] = '.';
    size += base64url_encode(token + size, slice_str(claims));
    hmac_sign(&key, slice_of(token, size), signature);
    token[size++] = '.';
    size += base64url_encode(token + size, slice_of(signature, sizeof signature));
    token[size] = 0;
    return token;
}

const char *server_token(const struct server *s, const char *user)
{
    char claims[256];
    snprintf(claims, sizeof claims, "{\"sub\":\"%s\",\"exp\":%lld}", user,
             (long long)time(NULL) + 3600);
    return server_token_claims(s, claims);
}
