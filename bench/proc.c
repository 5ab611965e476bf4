#include "proc.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

size_t proc_read(const char *path, char *text, size_t room)
{
    FILE *f = fopen(path, "re");
    size_t n = f ? fread(text, 1, room - 1, f) : 0;
    if (f)
        fclose(f);
    text[n] = 0;
    return n;
}

uint64_t proc_number(const char *text, const char *name)
{
    const char *p = strstr(text, name);
    return p ? strtoull(p + strlen(name), NULL, 10) : 0;
}

uint64_t proc_resident(pid_t pid)
{
    char path[64], text[4096];
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    proc_read(path, text, sizeof text);
    return proc_number(text, "\nVmRSS:") * 1024;
}

unsigned proc_sockets(pid_t pid)
{
    char path[320], target[64];
    unsigned n = 0;
    snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
    DIR *dir = opendir(path);
    for (struct dirent *e; dir && (e = readdir(dir));) {
        snprintf(path, sizeof path, "/proc/%d/fd/%.200s", (int)pid, e->d_name);
        /* "socket:[4711]", but "/a/path". */
        n += readlink(path, target, sizeof target) > 0 && target[0] != '/';
    }
    if (dir)
        closedir(dir);
    return n;
}
