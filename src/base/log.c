#include "base/log.h"

#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

static const char *const level_names[] = {"error", "warn", "info", "debug"};
static const char *const level_marks[] = {"error: ", "warning: ", "", "debug: "};

void log_raw(const char *text, size_t n)
{
    struct pollfd p = {.fd = STDERR_FILENO, .events = POLLOUT};
    /* Not into a pipe that nobody reads: SIGPIPE is the process's to ignore. */
    if (poll(&p, 1, 0) == 1 && !(p.revents & POLLERR)) {
        ssize_t written = write(STDERR_FILENO, text, n);
        (void)written;
    }
}

void log_write(const struct log *log, enum log_level level, const char *format, ...)
{
    if (level > log->level)
        return;
    char line[1024];
    int head = snprintf(line, sizeof line, "%s: %s", log->program, level_marks[level]);
    if (head < 0 || (size_t)head >= sizeof line / 2)
        return;
    va_list args;
    va_start(args, format);
    int body = vsnprintf(line + head, sizeof line - (size_t)head - 1, format, args);
    va_end(args);
    if (body < 0)
        return;
    if (log->sink) {
        log->sink(log->ctx, level, line + head);
        return;
    }
    size_t n = strlen(line);
    line[n] = '\n';
    /* One write, so that lines of several threads and processes do not mix. */
    log_raw(line, n + 1);
}

int log_level_parse(const char *name)
{
    for (int i = 0; i < (int)(sizeof level_names / sizeof *level_names); i++)
        if (strcmp(name, level_names[i]) == 0)
            return i;
    return -1;
}

const char *log_safe(struct log_text *out, struct slice s)
{
    size_t n = s.n < 64 ? s.n : 64;
    char *to = out->s;
    for (size_t i = 0; i < n; i++) {
        if (s.p[i] >= 0x20 && s.p[i] < 0x7f && s.p[i] != '\\')
            *to++ = (char)s.p[i];
        else
            to += snprintf(to, 5, "\\x%02x", s.p[i]);
    }
    if (n < s.n) {
        memcpy(to, "...", 3);
        to += 3;
    }
    *to = 0;
    return out->s;
}
