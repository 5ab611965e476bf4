/*
 * checkpoint: the index in a file, so that a start reads the end of the log only.
 *
 * It is a cache. It is written whole or not at all: under another name, synced, renamed, and the name
 * made durable; missing, damaged, of another version or of another log, it costs the time to read the
 * whole log and nothing else. But a log that ends in front of its place has lost what was durable.
 *
 * The file `checkpoint`, all integers little-endian:
 *
 *     0   8  "parleyck"
 *     8   4  version: 1
 *    12   4  bytes of this head: 104
 *    16   8  identity of the log
 *    24   8  place: the log in front of it was durable when this was begun, and is in here
 *    32   8  lowest id behind it
 *    40   8  highest date in front of it
 *    48   8  messages in front of it
 *    56   8  place of the last record in front of it; 0: none
 *    64   4  check of that record, as it stands in the log
 *    68   4  flags of that record
 *    72   4  conversations
 *    76   4  users
 *    80   8  place where the log began
 *    88   8  place in front of which everything is that is in here
 *    96   4  keys
 *   100   4  0
 *   104      for each conversation, in the order of their numbers, 48 bytes: two users (4 each, as
 *            places in the list below; 0xffffffff: a hole), place (8) and id (8) of the newest message,
 *            for each of the two the id up to which he has read (8 each), and how many he has not
 *            (4 each, as in index.h)
 *            for each user: bytes of the id (1), the id; "-" of one who has no conversation
 *            for each key, 40 bytes: what struct key holds, its numbers of 8 bytes each
 *            CRC-32C of everything in front of it (4)
 *
 * It is put together a slice a turn while messages go on: a conversation is as it was at a place behind
 * `place`, which its newest message tells. Reading the log from there finds what came later. Of the keys
 * those stand here whose messages lie in front of `place`.
 */
#ifndef STORE_CHECKPOINT_H
#define STORE_CHECKPOINT_H

#include "base/buf.h"
#include "base/log.h"
#include "store/disk.h"
#include "store/index.h"
#include "store/keys.h"
#include "store/record.h"
#include "store/worker.h"

#define CHECKPOINT_NAME "checkpoint"
#define CHECKPOINT_CONVERSATION 48 /* bytes */

struct checkpoint_head {
    uint64_t log;
    uint64_t place;
    uint64_t next_id;
    struct log_tip tip;
    uint64_t begin;
    uint64_t reach; /* where everything ends; of one that is written it is found out */
};

struct checkpoint {
    const struct disk *disk;
    const struct log *log;
    struct worker *worker;
    const struct index *index;
    const struct keys *keys;
    struct worker_job job;         /* it is written */
    bool open;                     /* one is being put together */
    uint64_t place;                /* of the last that was begun */
    uint32_t conversations, users; /* of it, in all; users as far as they are known */
    uint32_t done;                 /* of the conversations, then of the users, then of the keys */
    bool names;                    /* the users' turn, then the keys' */
    uint64_t key;                  /* the number of the one that is next */
    uint64_t next_id;              /* of the head */
    struct buf bytes;
};

void checkpoint_init(struct checkpoint *c, const struct disk *disk, const struct log *log,
                     struct worker *worker, const struct index *index, const struct keys *keys);

/* The worker has ended. */
void checkpoint_fini(struct checkpoint *c);

/* Of one, without the users' names. */
static inline uint64_t checkpoint_bytes(const struct index *ix)
{
    return (uint64_t)ix->conversation_count * CHECKPOINT_CONVERSATION;
}

/* Begins one, unless one is under way. Where the worker has no thread, or has ended, it is done at once. */
void checkpoint_begin(struct checkpoint *c, const struct checkpoint_head *head);

/* Puts the next slice together; hands it to its thread after the last. Nothing is under way: nothing.
 * end: the place behind all that is committed. */
void checkpoint_step(struct checkpoint *c, uint64_t end);

/*
 * Fills an empty index, which waits for index_load_end then, and likewise the keys. NULL, or why there
 * is none to be had, and both must be made anew ("": there is no file).
 */
const char *checkpoint_load(const struct disk *disk, struct index *ix, struct keys *keys,
                            struct checkpoint_head *head);

/* Removes it: it is not of this log any more. */
void checkpoint_remove(const struct disk *disk);

#endif
