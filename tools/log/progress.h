/*
 * progress: how far a long command has come, on standard error: on a terminal one line that is
 * overwritten, elsewhere at most a line a second. Nothing is shown in the first second.
 */
#ifndef LOG_PROGRESS_H
#define LOG_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
    const char *program; /* stands in front of the line */
    bool terminal;
    bool shown; /* a line stands on the terminal */
    int64_t began, next;
};

void progress_begin(struct progress *p, const char *program);

/* Bytes; total 0: not known. */
void progress_show(struct progress *p, uint64_t done, uint64_t total);

/* Clears the line, so that other output can follow. */
void progress_hide(struct progress *p);

#endif
