/*
 * confine: what the process gives up once it needs it no more, so that a flaw in it is worth little:
 * new privileges, core dumps and debuggers (the secret is in memory), capabilities, the file system but
 * for its own folders, programs, processes, new connections.
 *
 * Threads that run already are not bound: to be called before any is started.
 */
#ifndef SERVER_CONFINE_H
#define SERVER_CONFINE_H

#include "base/log.h"

enum confine_mode {
    CONFINE_YES, /* what the kernel lacks is a warning */
    CONFINE_OFF,
    CONFINE_REQUIRE, /* and here an error */
};

/* The places that are needed later. */
struct confine_places {
    const char *data;           /* a folder whose files may be made, changed and removed */
    const char *secret;         /* a file that may be read, and replaced by somebody else */
    const char *const *sockets; /* files that may be removed */
    size_t sockets_n;
};

/* What is missing, and why. */
struct confine_error {
    char text[256];
};

/* 0, or with CONFINE_REQUIRE -errno and *error. */
__attribute__((warn_unused_result)) int confine(enum confine_mode mode,
                                                const struct confine_places *places,
                                                const struct log *log, struct confine_error *error);

#endif
