/*
 * revoked: for each user, the time before which his tokens count no more.
 *
 * The file `revoked`: "parleyrv" (8); for each user, in the order of their bytes, the first half of the
 * SHA-256 of his id (16) and the time in seconds since 1970 (8); CRC-32C of all in front of it (4). An id
 * itself is not in there: it may have been erased. The file is written whole, by the worker, and what is
 * asked for while it is written goes into the next one.
 */
#ifndef STORE_REVOKED_H
#define STORE_REVOKED_H

#include "base/buf.h"
#include "store/worker.h"

#include <stdint.h>

#define REVOKED_NAME "revoked"
#define REVOKED_MAX 65536 /* users: 1.5 MiB that each revocation writes */

struct store;
struct store_error;

struct revoked {
    struct buf entries;
    struct buf bytes; /* the file that is being written */
    struct worker_job job;
    bool writing;
    int result;
    uint64_t asked, given, kept; /* revocations so far: all, those in `bytes`, those on the disk */
};

/* Reads the file. */
__attribute__((warn_unused_result)) enum store_status revoked_load(struct store *s,
                                                                   struct store_error *error);

/* Tells of what is written, and writes what has been asked for since. */
void revoked_step(struct store *s);

void revoked_fini(struct revoked *r);

#endif
