/*
 * prefetch: brings parts of the log into the page cache, by a worker of its own, so that the owner
 * never waits for the disk: what its reading did not find there it asks for, and tries again when the
 * descriptor has become readable. Nothing is handed over but that moment.
 */
#ifndef STORE_PREFETCH_H
#define STORE_PREFETCH_H

#include "store/disk.h"
#include "store/worker.h"

/* Parts that may wait at a time. Whoever finds no place is called with the others, and asks again. */
#define PREFETCH_MAX 256
#define PREFETCH_BYTES (256u << 10) /* of one part, at most */

struct prefetch_part {
    struct worker_job job;
    const struct disk *disk;
    const void *owner; /* who asked; NULL: it is not needed any more; atomic */
    int file;
    uint32_t n; /* 0: the file is closed */
    uint64_t at;
};

struct prefetch {
    const struct disk *disk;
    struct worker worker;
    bool yielded;
    uint32_t first, next; /* the parts are done in their order: n is at parts[n % PREFETCH_MAX] */
    struct prefetch_part parts[PREFETCH_MAX];
};

/* fd: the owner's eventfd. */
void prefetch_init(struct prefetch *p, const struct disk *disk, int fd);
void prefetch_fini(struct prefetch *p);

/* Asks for n bytes of a file. 0; 1: there is no place just now, ask again; -errno: no thread could be
 * started. An owner has one part at most. */
__attribute__((warn_unused_result)) int prefetch_ask(struct prefetch *p, const void *owner,
                                                     int file, uint64_t at, size_t n);

/* Whether what this owner has asked for is still to come. */
bool prefetch_pending(struct prefetch *p, const void *owner);

/* Drops what this owner has asked for. */
void prefetch_cancel(struct prefetch *p, const void *owner);

/* Closes the file when nobody's part of it is being read or waits. False: there is no place just now. */
bool prefetch_close(struct prefetch *p, int file);

/* Counts as something that was brought: the owner takes a break and goes on in its next turn. */
void prefetch_yield(struct prefetch *p);

/* Whether something has been brought since the last call. */
bool prefetch_take(struct prefetch *p);

#endif
