/*
 * rig: a store in a folder, with writers that drive it.
 *
 * The writers are a closed loop: each has one message in flight, and writes the next one when it has
 * been committed. Conversation number i is that of the users rig_user(i, 0) and rig_user(i, 1):
 * 1,000 conversations with numbers in a row have one user in common.
 *
 * Whatever goes wrong ends the process.
 */
#ifndef BENCH_RIG_H
#define BENCH_RIG_H

#include "run.h"
#include "store/store.h"

#define RIG_CONTENT 100 /* bytes of text */

struct rig {
    char path[256];
    struct disk disk;
    struct log log;
    struct store *store;
    uint32_t writers;
    uint64_t *sent_at; /* ns, of the messages in flight: a ring */
    uint64_t sent, committed;
    uint64_t json; /* bytes of the message objects that were committed */
    uint64_t now;  /* ns: when this turn's commits were heard of; 0: not yet */
    uint64_t random;
    struct run *run;
};

/* Positional reads of the disk since the start, by any rig that counts them. */
uint64_t rig_reads(void);

/* Opens the store in a folder, which is made if it is missing. */
void rig_open(struct rig *r, const char *path, enum store_sync sync, bool count_reads);
void rig_close(struct rig *r);

/* Arranges the log in that folder, as parley-log compact does. */
void rig_compact(const char *path);

struct slice rig_user(char room[8], uint32_t conversation, int side);
struct slice rig_content(uint64_t n); /* a JSON string of RIG_CONTENT bytes; any n will do */

/* Messages in these conversations: one in each, then at random. */
struct rig_load {
    uint32_t conversations;
    uint64_t messages;     /* in all */
    uint64_t special_each; /* one in so many goes into the conversation behind them; 0: none */
};

/* Writes a log of durable messages, so that all but a last one need not be written again by whoever
 * opens it. */
void rig_fill(struct rig *r, const struct rig_load *load);

/* So many writers at random in so many conversations, until the run's time is over. */
void rig_write(struct rig *r, struct run *run, uint32_t writers, uint32_t conversations,
               double seconds);

/* One turn of the owner's loop: hands over what gathers, waits for the store, collects. */
void rig_turn(struct rig *r);

/* Puts one message into the batch. */
void rig_append(struct rig *r, uint32_t conversation);

/* Reads a page, or with limit 0 the snippets of the first user, to the end; returns their number. */
uint32_t rig_read(struct rig *r, uint32_t conversation, uint32_t limit);

/* ---- its files, while it is closed or open ------------------------------------------------ */

/* Calls for every file of the log, in their order. */
void rig_each_segment(const char *path, void (*each)(void *ctx, int fd, uint64_t size), void *ctx);

/* Bytes that all files of the folder take on the disk. */
uint64_t rig_disk_bytes(const char *path);

/* Takes the log's files out of the page cache, as far as the kernel does it. */
void rig_drop_cache(const char *path);

/* Waits until the file system has written what was left to it: the next to be measured does not pay. */
void rig_settle(const char *path);

/* Removes the index's checkpoint, so that the next start reads the whole log. */
void rig_remove_checkpoint(const char *path);

/* Copies it from one folder into another one, which is made if it is missing. False: there is none. */
bool rig_copy_checkpoint(const char *from, const char *to);

/* Removes a folder with its files. */
void rig_remove(const char *path);

#endif
