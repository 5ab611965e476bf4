#include "progress.h"

#include "base/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#define PROGRESS_LINE_MS 1000     /* between two lines, and before the first */
#define PROGRESS_TERMINAL_MS 100  /* between two states of one line */
#define PROGRESS_CLEAR "\r\033[K" /* ECMA-48: EL, to the end of the line */

void progress_begin(struct progress *p, const char *program)
{
    int64_t now = clock_mono_ms(&clock_system);
    *p = (struct progress){program, isatty(STDERR_FILENO) == 1, false, now, now + PROGRESS_LINE_MS};
}

void progress_show(struct progress *p, uint64_t done, uint64_t total)
{
    int64_t now = clock_mono_ms(&clock_system);
    if (now < p->next)
        return;
    p->next = now + (p->terminal ? PROGRESS_TERMINAL_MS : PROGRESS_LINE_MS);
    uint64_t speed = done / 1000 / (uint64_t)(now - p->began);
    fputs(p->terminal ? PROGRESS_CLEAR : "", stderr);
    if (total)
        fprintf(stderr, "%s: %u %%, %" PRIu64 " MB/s", p->program,
                (unsigned)((double)done / (double)total * 100), speed);
    else
        fprintf(stderr, "%s: %" PRIu64 " MB, %" PRIu64 " MB/s", p->program, done / 1000000, speed);
    fputs(p->terminal ? "" : "\n", stderr);
    p->shown = p->terminal;
}

void progress_hide(struct progress *p)
{
    if (p->shown)
        fputs(PROGRESS_CLEAR, stderr);
    p->shown = false;
}
