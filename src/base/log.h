/*
 * log: lines for the operator, on standard error unless a sink is given.
 *
 * Text from outside goes through log_safe first, so that nobody can forge a line or drive the
 * terminal. Secrets and message contents are never logged.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/slice.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

struct log {
    enum log_level level; /* what is above it is dropped */
    void (*sink)(void *ctx, enum log_level level, const char *line); /* NULL: standard error */
    void *ctx;
    const char *program; /* stands in front of the lines on standard error, with their level */
};

/* One line, without a newline of its own; at most 1 KiB of it is kept. */
__attribute__((format(printf, 3, 4))) void log_write(const struct log *log, enum log_level level,
                                                     const char *format, ...);

/* Text as it is on standard error; what a full pipe does not take at once is lost. */
void log_raw(const char *text, size_t n);

/* The name of a level is "error", "warn", "info" or "debug"; -1 if it is none of them. */
int log_level_parse(const char *name);

/* Room for the printable form of an untrusted string: 64 bytes, each as \xHH at worst. */
struct log_text {
    char s[4 * 64 + 4];
};

/* At most 64 bytes of s; what is not printable ASCII stands as \xHH. Returns out->s. */
const char *log_safe(struct log_text *out, struct slice s);

#endif
