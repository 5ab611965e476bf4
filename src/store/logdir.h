/*
 * logdir: finds the segments of a log in its folder, and opens them in the order of their places.
 *
 * A server may be writing the log. It replaces segments, and drops them, while they are being opened:
 * then all are opened anew. A crash may have left some that were replaced or dropped already; they are
 * told apart, and not opened.
 */
#ifndef STORE_LOGDIR_H
#define STORE_LOGDIR_H

#include "store/segment.h"

struct logdir {
    /* Set by the caller in a zeroed struct. */
    const struct disk *disk;
    struct segments *segments; /* empty; filled with open files, the caller's to close. Each has the
                                  first id of its name, and nothing else if its head is not whole */
    /* A file is none of the log's and has a name like theirs. */
    void (*stray)(void *ctx, const char *name);
    void *ctx;

    uint64_t total;            /* bytes of all of them */
    struct segments left_over; /* not open */
    struct log_begin begin;    /* what the file of this name says; zero: there is none */
    const char *begin_wrong;   /* NULL, or what is wrong with that file */

    /* After a failure: what could not be done with which file; "" is the folder. */
    const char *verb;
    char name[SEGMENT_NAME];
    int failed; /* of the listing: 0 or -ENOMEM */
};

/* 0; -errno; or 1: the files change all the time. */
__attribute__((warn_unused_result)) int logdir_open(struct logdir *d);
void logdir_fini(struct logdir *d);

#endif
