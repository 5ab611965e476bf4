#include "run.h"

#include "base/exit.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void run_die(int error, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fprintf(stderr, "%s: ", program_invocation_short_name);
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr, "%s%s\n", error ? ": " : "", error ? strerror(error) : "");
    /* No exit handlers: the threads of a store may be at work. */
    _exit(EXIT_SYSTEM);
}

uint64_t run_io(const char *name)
{
    char line[128];
    size_t n = strlen(name);
    uint64_t value = 0;
    FILE *f = fopen("/proc/self/io", "re");
    while (f && fgets(line, sizeof line, f))
        if (strncmp(line, name, n) == 0 && line[n] == ':')
            value = strtoull(line + n + 1, NULL, 10);
    if (f)
        fclose(f);
    return value;
}

void run_start(struct run *r, double seconds)
{
    memset(r, 0, sizeof *r);
    r->from = histogram_now() + (uint64_t)(seconds * 1e8);
    r->until = r->from + (uint64_t)(seconds * 1e9);
}

bool run_goes_on(struct run *r, uint64_t now)
{
    if (!r->measuring && now >= r->from) {
        r->measuring = true;
        r->until += now - r->from;
        r->from = now;
        r->written = run_io("write_bytes");
    }
    if (!r->measuring || now < r->until)
        return true;
    r->seconds = (double)(now - r->from) / 1e9;
    r->written = run_io("write_bytes") - r->written;
    return false;
}

void run_message(struct run *r, uint64_t ns)
{
    if (!r->measuring)
        return;
    r->messages++;
    histogram_add(&r->latency, ns);
}

double run_rate(const struct run *r)
{
    return (double)r->messages / r->seconds;
}

double run_written_each(const struct run *r)
{
    return r->messages ? (double)r->written / (double)r->messages : 0;
}
