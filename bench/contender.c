#include "contender.h"

#include "histogram.h"
#include "run.h"
#include "scratch.h"

#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define ARGS_MAX 32
#define WARMUP_MAX 0.25 /* seconds */

void contender_find_places(struct contender_places *places)
{
    ssize_t n = readlink("/proc/self/exe", places->own, sizeof places->own - 1);
    if (n < 0)
        run_die(errno, "/proc/self/exe");
    places->own[n] = 0;
    *strrchr(places->own, '/') = 0;
}

/* The n-th of the processors that this process may use; the last one where there are fewer. */
static void pin(unsigned n)
{
    cpu_set_t may, one;
    if (sched_getaffinity(0, sizeof may, &may))
        return;
    CPU_ZERO(&one);
    for (unsigned i = 0, found = 0; i < CPU_SETSIZE && found <= n; i++)
        if (CPU_ISSET(i, &may)) {
            CPU_ZERO(&one);
            CPU_SET(i, &one);
            found++;
        }
    sched_setaffinity(0, sizeof one, &one);
}

static const char *place(const struct contender_places *p, const char *arg, char out[PATH_MAX])
{
    const char *dir = arg[0] == '%'   ? p->own
                      : arg[0] == '@' ? p->peers
                      : arg[0] == '$' ? p->scratch
                                      : NULL;
    if (!dir)
        return arg;
    snprintf(out, PATH_MAX, "%.4000s/%.80s", dir, arg + 1);
    return out;
}

/* Starts a command on a processor; its standard output, and its errors where they are asked for. */
static FILE *start(const struct contender_places *places, const char *const *command,
                   unsigned processor, bool errors, pid_t *pid)
{
    int ends[2];
    pid_t self = getpid();
    if (pipe(ends))
        run_die(errno, "pipe");
    *pid = fork();
    if (*pid == 0) {
        static char paths[ARGS_MAX][PATH_MAX];
        const char *args[ARGS_MAX + 1] = {0};
        scratch_end_with(self);
        for (size_t i = 0; i < ARGS_MAX && command[i]; i++)
            args[i] = place(places, command[i], paths[i]);
        pin(processor);
        dup2(ends[1], STDOUT_FILENO);
        if (errors)
            dup2(ends[1], STDERR_FILENO);
        close(ends[0]);
        close(ends[1]);
        if (args[0])
            execvp(args[0], (char *const *)args);
        _exit(127);
    }
    close(ends[1]);
    FILE *f = fdopen(ends[0], "re");
    if (*pid < 0 || !f)
        run_die(errno, "cannot start %s", command[0]);
    return f;
}

/* Goes on reading what a server prints, so that it never waits for us. */
static void drain(FILE *f)
{
    char line[512];
    pid_t self = getpid();
    if (fork() == 0) {
        scratch_end_with(self);
        while (fgets(line, sizeof line, f))
            ;
        _exit(0);
    }
    fclose(f);
}

bool contender_start(struct contender *c, const struct contender_places *places)
{
    char line[512];
    const char *found = NULL;
    if (c->sort == CONTENDER_DISK)
        return true;
    FILE *f = start(places, c->command, 0, true, &c->pid);
    while (!found && fgets(line, sizeof line, f))
        found = strstr(line, "listening on ");
    if (found) {
        found += strlen("listening on ");
        snprintf(c->url, sizeof c->url, "ws://%.*s%s", (int)strcspn(found, "\n"), found, c->path);
        drain(f);
        return true;
    }
    fclose(f);
    waitpid(c->pid, NULL, 0);
    c->pid = 0;
    return false;
}

void contender_end(struct contender *c)
{
    if (!c->pid)
        return;
    kill(c->pid, SIGTERM);
    for (int i = 0; i < 500 && waitpid(c->pid, NULL, WNOHANG) == 0; i++)
        usleep(10000);
    kill(c->pid, SIGKILL);
    waitpid(c->pid, NULL, 0);
    c->pid = 0;
}

/* ---- measuring --------------------------------------------------------------------------- */

/* The number behind "name": at or behind the text of `from`; 0: none. */
static double number_of(const char *json, const char *from, const char *name)
{
    char text[64];
    const char *p = json;
    if (from) {
        snprintf(text, sizeof text, "\"%s\":{", from);
        p = strstr(json, text);
    }
    snprintf(text, sizeof text, "\"%s\":", name);
    p = p ? strstr(p, text) : NULL;
    return p ? strtod(p + strlen(text), NULL) : 0;
}

static void read_sample(const char *json, const struct measure *m, struct sample *out)
{
    const char *names = strstr(json, "\"call_names\":\"");
    out->cpu_us = number_of(json, NULL, "server_cpu_us");
    out->user_us = out->cpu_us * number_of(json, NULL, "server_user_share");
    out->calls = number_of(json, NULL, "server_calls");
    out->transfers = out->calls - number_of(json, NULL, "server_waits");
    out->cpu_percent = number_of(json, NULL, "server_cpu_percent");
    out->pss_each = number_of(json, NULL, "pss_each");
    out->kernel_each = number_of(json, NULL, "kernel_each");
    if (names) {
        names += strlen("\"call_names\":\"");
        snprintf(out->call_names, sizeof out->call_names, "%.*s", (int)strcspn(names, "\""), names);
    }
    if (!m->series)
        return;
    out->per_second = number_of(json, m->series, "per_second");
    for (size_t i = 0; i < HISTOGRAM_PERCENTS; i++) {
        char name[16];
        snprintf(name, sizeof name, "p%g", histogram_percents[i]);
        out->latency_us[i] = number_of(json, m->series, name);
    }
    out->latency_us[HISTOGRAM_PERCENTS] = number_of(json, m->series, "max");
}

/* A command as it is put together; options without a value, or with 0, are left out. */
struct command {
    const char *args[ARGS_MAX + 1];
    char numbers[ARGS_MAX][24];
    size_t n;
};

static void add(struct command *c, const char *arg)
{
    c->args[c->n++] = arg;
}

static void add_option(struct command *c, const char *name, double value)
{
    if (value <= 0)
        return;
    add(c, name);
    snprintf(c->numbers[c->n], sizeof c->numbers[0], "%.6g", value);
    add(c, c->numbers[c->n]);
}

static void make_command(struct command *c, const struct contender *of, const struct measure *m)
{
    double warmup = m->seconds / 4 < WARMUP_MAX ? m->seconds / 4 : WARMUP_MAX;
    *c = (struct command){
        .args = {"%parley-bench", m->mode, "--json", "--url", of->url, "--protocol", of->protocol},
        .n = 7};
    add_option(c, "--pid", of->pid);
    add_option(c, "--connections", m->connections);
    add_option(c, "--active", m->active);
    add_option(c, "--pipeline", m->pipeline);
    add_option(c, "--size", m->size);
    add_option(c, "--rate", m->rate);
    add_option(c, "--duration", m->seconds);
    add_option(c, "--warmup", warmup);
    if (of->sort != CONTENDER_ECHO) {
        add(c, "--secret-file");
        add(c, "$secret");
    }
    if (m->calls)
        add(c, "--calls");
}

/* On the servers' processor. */
static void make_disk_command(struct command *c, const struct measure *m)
{
    *c = (struct command){.args = {"%floor-bench", m->mode}, .n = 2};
    snprintf(c->numbers[0], sizeof c->numbers[0], "%.3f", m->seconds);
    add(c, c->numbers[0]);
    add(c, "$.");
}

void contender_measure(const struct contender *c, const struct contender_places *places,
                       const struct measure *m, struct sample *out)
{
    bool disk = c->sort == CONTENDER_DISK;
    char line[4096] = "";
    struct command command;
    pid_t pid;
    disk ? make_disk_command(&command, m) : make_command(&command, c, m);
    FILE *f = start(places, command.args, !disk, true, &pid);
    memset(out, 0, sizeof *out);
    if (fgets(line, sizeof line, f) && line[0] == '{')
        read_sample(line, m, out);
    else
        fprintf(stderr, "%s, %s: %s", c->name, m->mode,
                line[0] ? line : "parley-bench is missing\n");
    fclose(f);
    waitpid(pid, NULL, 0);
}

void contender_profile(const struct contender *c, const struct contender_places *places,
                       const struct measure *m, struct profile *out)
{
    char number[24], seconds[24], line[256];
    struct sample sample;
    pid_t pid;
    snprintf(number, sizeof number, "%d", (int)c->pid);
    snprintf(seconds, sizeof seconds, "%.3f", m->seconds);
    const char *const args[] = {"@rooms", number, seconds, "%obj/src", NULL};
    FILE *f = start(places, args, 1, false, &pid);
    contender_measure(c, places, m, &sample);
    for (*out = (struct profile){0}; out->n < PROFILE_ROOMS && fgets(line, sizeof line, f);
         out->n++) {
        size_t name_n = strcspn(line, " ");
        snprintf(out->rooms[out->n].name, sizeof out->rooms[out->n].name, "%.*s", (int)name_n,
                 line);
        out->rooms[out->n].share = strtod(line + name_n, NULL);
    }
    fclose(f);
    waitpid(pid, NULL, 0);
}
