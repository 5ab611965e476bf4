/*
 * commit: writes batches of records at the end of the log and makes them durable, one at a time,
 * on a thread of its own or, inline, on the caller's.
 *
 * The owner submits a batch, commit_fd becomes readable when it is through, and commit_take hands
 * it back with its result; commit_release ends it, and the next one may be submitted.
 *
 * An append that makes the file longer also commits its size and its blocks: an fdatasync of a
 * small batch takes half as long where zeros were written before. So small batches are written
 * into space that is prepared, a piece at a time, behind the end of the log.
 *
 * A full disk leaves everything as before the batch. After any other failure, and any failure of
 * a sync, nothing is written again: which pages reached the disk is unknown from then on.
 */
#ifndef STORE_COMMIT_H
#define STORE_COMMIT_H

#include "base/buf.h"
#include "store/segment.h"

#include <pthread.h>

struct batch {
    struct buf records;
    uint64_t place;    /* of the first record */
    uint64_t first_id; /* its id */
    int64_t date;      /* the highest in front of it */
    bool rotate;       /* a new segment begins with it: its head stands in front of `place` */

    /* The result. */
    int error;             /* 0 or -errno */
    struct segment opened; /* the new segment, also when the write into it failed; file -1: none */
};

enum commit_state {
    COMMIT_IDLE,    /* a batch may be submitted */
    COMMIT_WRITING, /* the thread has it */
    COMMIT_DONE,    /* it waits for commit_take */
    COMMIT_TAKEN,   /* the owner has it until commit_release */
};

struct commit {
    const struct disk *disk;
    enum store_sync sync;
    uint32_t sync_ms;
    bool threaded;
    int fd; /* eventfd */
    pthread_t thread;

    /* Shared, under the lock. */
    pthread_mutex_t lock;
    pthread_cond_t wake; /* the state or `stop` has changed */
    enum commit_state state;
    bool stop;
    struct batch *batch;
    uint64_t durable; /* everything in front of this place is */
    int failure;      /* 0, or what ended all writing */

    /* Whoever writes: the thread, or the owner where there is none. */
    struct segment segment; /* the last one */
    uint64_t end;           /* place of the next byte */
    uint64_t size;          /* place behind the file's last byte: from `end` on it is zeros */
    uint32_t prepare;       /* bytes of one piece; 0: none */
    uint64_t segment_size;
    bool dirty;       /* something is written and not synced */
    int64_t sync_due; /* STORE_SYNC_TIMED, when dirty: monotonic ms */
    bool flagged;     /* a record that says "unsynced" is durable */
};

/* The log ends at `end`, in this segment, and is durable so far. 0 or -errno. */
__attribute__((warn_unused_result)) int commit_init(struct commit *c,
                                                    const struct store_options *options,
                                                    const struct segment *segment, uint64_t end);

/* Syncs what is left and ends the thread; no batch may be under way. 0, or the failure. */
int commit_fini(struct commit *c);

/* False if the one before is not released yet. The batch stays the owner's memory. */
bool commit_submit(struct commit *c, struct batch *batch);

/* The batch that is through, or NULL. *failure becomes what ended all writing, or 0; while a batch
 * is being written it stays as it is, for that batch will fail as well. */
struct batch *commit_take(struct commit *c, int *failure);
void commit_release(struct commit *c);

/* Waits until no batch is being written. */
void commit_wait(struct commit *c);

uint64_t commit_durable(struct commit *c);

#endif
