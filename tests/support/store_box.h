/*
 * store_box: a store in a folder of its own, on a disk that counts and fails on demand.
 */
#ifndef SUPPORT_STORE_BOX_H
#define SUPPORT_STORE_BOX_H

#include "store/store.h"

#include <pthread.h>

struct box_message {
    uint64_t id;
    int64_t date;
    char from[STORE_MAX_USER + 1], to[STORE_MAX_USER + 1];
    char json[256]; /* its beginning */
};

struct box {
    char path[64];
    struct disk real, disk; /* disk: real, with the faults below */
    struct log log;
    struct store_options options; /* may be changed before box_open */
    struct store *store;          /* NULL: closed */
    struct store_error error;

    /* What the callbacks heard since box_open. */
    struct box_message *committed;
    size_t committed_count, committed_cap;
    uint64_t failed[64];
    int failed_error;
    size_t failed_count;
    unsigned erased; /* answers, and the last one: */
    uint64_t erased_messages;
    int erased_error;
    char erased_damaged[64];
    char last_log[1024];

    bool
        checkpoints; /* set before box_open; otherwise none are written, and all of the log is read */

    /* Faults: an errno for the call, 0 for none. Set while no batch is under way. */
    int pwrite_error, sync_error, truncate_error, open_error, remove_error;
    size_t pwrite_partial; /* bytes that a failing pwrite does write */
    unsigned pwrites_good; /* writes that succeed before they fail */
    unsigned pwrites, preads;
    uint64_t pwrite_at, pwrite_n; /* of the last one */
    unsigned syncs_begun, syncs;  /* called; past the gate */

    unsigned dir_syncs;
    unsigned syncs_at_create; /* `syncs` when the last file was made */

    pthread_mutex_t gate; /* held: syncs wait */
};

void box_init(struct box *b);
void box_fini(struct box *b);

enum store_status box_try_open(struct box *b);
void box_open(struct box *b); /* must succeed */
void box_close(struct box *b);
void box_reopen(struct box *b);

/* Appends a message "text" (needs no escapes) at date 1000 and returns its id. */
uint64_t box_put(struct box *b, const char *from, const char *to, const char *text);
int box_try_put(struct box *b, const char *from, const char *to, const char *text);

/* Flushes, waits until the batch is through, collects. */
void box_commit(struct box *b);
void box_wait(struct box *b); /* until the descriptor is readable */

/* box_put and box_commit. */
uint64_t box_send(struct box *b, const char *from, const char *to, const char *text);

/* Erases the user, with all that this takes: how many messages are gone; it must not fail. */
uint64_t box_erase(struct box *b, const char *user);

/* The contents of a page, of what came since, or of the snippets: the texts, separated by spaces. Static memory. */
const char *box_page(struct box *b, const char *user, const char *other, uint64_t before,
                     uint32_t limit, bool *more);
const char *box_since(struct box *b, const char *user, uint64_t since, uint32_t limit, bool *more);
const char *box_snippets(struct box *b, const char *user);

/* Whole files of the folder; the caller frees. */
uint8_t *box_load(struct box *b, const char *name, size_t *n);
void box_save(struct box *b, const char *name, const void *p, size_t n);
void box_remove(struct box *b, const char *name);
bool box_exists(struct box *b, const char *name);

/* The name of the segment file with that first id. Static memory. */
const char *box_segment(uint64_t first_id);

#endif
