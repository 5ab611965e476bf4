/*
 * program: the built programs, run by tests: started with pipes, read with a deadline, ended by their
 * process id. Whatever goes wrong fails the test.
 */
#ifndef SUPPORT_PROGRAM_H
#define SUPPORT_PROGRAM_H

#include "base/buf.h"

#include <sys/types.h>

#define PROGRAM_MS 30000 /* how long anything may take: valgrind and sanitizers included */

struct program {
    pid_t pid;
    int in, out, err;          /* our ends of its standard streams; -1: closed */
    struct buf output, errors; /* what came and is not taken yet */
};

/* Notes where the test lies; the programs are found from there. To be called first in main. */
void program_init(const char *argv0);

/* Starts a program of this build. args end with NULL and are without the name. */
void program_start(struct program *p, const char *name, const char *const *args);

/* The next line of its standard output, of its errors, without the newline; valid until the next
   call. NULL: there is none any more. */
const char *program_line(struct program *p);
const char *program_error_line(struct program *p);

void program_write(struct program *p, const char *text);

/* Closes its standard input. */
void program_end_input(struct program *p);

/* Waits for its end, keeps what it printed for program_line, and returns its exit status; -1: a
   signal. */
int program_wait(struct program *p);

/* SIGTERM, then program_wait. */
int program_terminate(struct program *p);

/* Forgets what was not taken. The program must have ended. */
void program_free(struct program *p);

#endif
