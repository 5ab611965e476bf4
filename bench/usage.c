#include "usage.h"

#include "proc.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* The fields 14 and 15, in ticks. The name before may hold anything, but ends at the last parenthesis. */
static bool read_ticks(uint32_t pid, struct usage *u)
{
    char path[64], text[1024], *end;
    snprintf(path, sizeof path, "/proc/%u/stat", pid);
    const char *p = proc_read(path, text, sizeof text) ? strrchr(text, ')') : NULL;
    for (int field = 3; field <= 14 && p; field++)
        p = strchr(p + 1, ' ');
    if (!p)
        return false;
    u->user = strtoull(p, &end, 10);
    u->system = strtoull(end, NULL, 10);
    return true;
}

static void add_thread(struct usage *u, uint32_t pid, const char *thread)
{
    char path[320], text[4096];
    snprintf(path, sizeof path, "/proc/%u/task/%.200s/status", pid, thread);
    proc_read(path, text, sizeof text);
    u->switches += proc_number(text, "\nvoluntary_ctxt_switches:") + proc_number(text, "\nnonvolunt"
                                                                                       "ary_ctxt_"
                                                                                       "switches:");
    snprintf(path, sizeof path, "/proc/%u/task/%.200s/schedstat", pid, thread);
    proc_read(path, text, sizeof text);
    u->cpu_ns += strtoull(text, NULL, 10);
}

struct usage usage_read(uint32_t pid)
{
    struct usage u = {0};
    char path[64], text[4096];
    if (!pid || !read_ticks(pid, &u))
        return u;
    snprintf(path, sizeof path, "/proc/%u/task", pid);
    DIR *dir = opendir(path);
    for (struct dirent *e; dir && (e = readdir(dir));)
        if (e->d_name[0] != '.')
            add_thread(&u, pid, e->d_name);
    if (dir)
        closedir(dir);
    if (!u.cpu_ns) /* a kernel without schedstat */
        u.cpu_ns = (u.user + u.system) * UINT64_C(1000000000) / (uint64_t)sysconf(_SC_CLK_TCK);
    snprintf(path, sizeof path, "/proc/%u/smaps_rollup", pid);
    proc_read(path, text, sizeof text);
    u.pss = proc_number(text, "\nPss:") * 1024;
    proc_read("/proc/meminfo", text, sizeof text);
    u.kernel = proc_number(text, "\nSlab:") * 1024;
    u.known = true;
    return u;
}

/* ---- system calls ------------------------------------------------------------------------ */

static int calls_file = -1;

int usage_calls_begin(uint32_t pid)
{
    char path[32], number[16];
    calls_file = memfd_create("calls", 0);
    snprintf(path, sizeof path, "/dev/fd/%d", calls_file);
    snprintf(number, sizeof number, "%u", pid);
    pid_t child = calls_file < 0 ? -1 : fork();
    if (child == 0) {
        int null = open("/dev/null", O_RDWR);
        dup2(null, STDOUT_FILENO);
        dup2(null, STDERR_FILENO);
        execlp("strace", "strace", "-f", "-c", "-o", path, "-p", number, (char *)NULL);
        _exit(127);
    }
    /* It has to hold all threads before they are counted. */
    nanosleep(&(struct timespec){.tv_nsec = 200000000}, NULL);
    if (child > 0 && waitpid(child, NULL, WNOHANG) == 0)
        return child;
    if (calls_file >= 0)
        close(calls_file);
    return -1;
}

/* A line is "% time, seconds, usecs/call, calls, [errors,] name", the most time first. */
static void read_calls(char *text, struct usage_calls *out)
{
    size_t used = 0, room = sizeof out->names;
    for (char *save, *line = strtok_r(text, "\n", &save); line;
         line = strtok_r(NULL, "\n", &save)) {
        char *p = line;
        const char *name = strrchr(line, ' ');
        for (int column = 0; column < 3; column++)
            strtod(p, &p);
        unsigned long long calls = strtoull(p, NULL, 10);
        if (!calls || !name || strcmp(++name, "total") == 0)
            continue;
        out->all += calls;
        out->waits += strncmp(name, "epoll_", 6) == 0 && strcmp(name, "epoll_ctl") != 0 ? calls : 0;
        int n =
            snprintf(out->names + used, room - used, "%s%.40s %llu", used ? ", " : "", name, calls);
        used += n > 0 && (size_t)n < room - used ? (size_t)n : 0;
        out->names[used] = 0;
    }
}

struct usage_calls usage_calls_end(int counter)
{
    static char text[16384];
    struct usage_calls calls = {0};
    kill(counter, SIGINT);
    waitpid(counter, NULL, 0);
    ssize_t n = pread(calls_file, text, sizeof text - 1, 0);
    text[n > 0 ? n : 0] = 0;
    close(calls_file);
    read_calls(text, &calls);
    return calls;
}
