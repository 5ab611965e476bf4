/*
 * keys: which messages were sent with a key lately, so that a second try is told from a second message.
 *
 * A key is known by the first half of the SHA-256 of its sender and itself, what was sent with it by
 * the first quarter of that of sender, recipient and content: nothing has to be read from the log to answer, and
 * nobody can make two that are taken for one another.
 *
 * Memory: 40 bytes a key and up to 18 in the table; at most `max` keys. They are forgotten in the
 * order of their ids, when there are too many, or after KEYS_MS if more than KEYS_LEAST are left.
 */
#ifndef STORE_KEYS_H
#define STORE_KEYS_H

#include "base/buf.h"
#include "base/table.h"

#define KEYS_MAX (1u << 20)                    /* where no other number is asked for */
#define KEYS_MS (INT64_C(24) * 60 * 60 * 1000) /* PROTOCOL.md, section 4 */
#define KEYS_LEAST 1000                        /* so many are known whatever the clock says */
#define KEYS_WHO 16
#define KEYS_WHAT 8

struct key {
    uint8_t who[KEYS_WHO];
    uint8_t what[KEYS_WHAT];
    uint64_t id; /* of its message */
    int64_t date;
};

struct keys {
    uint32_t max;
    struct key *ring;     /* of max; NULL: there was none yet */
    uint64_t first, next; /* numbers of the oldest, and of the one to come; n is at ring[n % max] */
    struct table by_who;  /* places in the ring */
    struct buf loaded;    /* what keys_load was given */
};

/* max: 0, or how many are kept at most. 0 or -errno. */
__attribute__((warn_unused_result)) int keys_init(struct keys *k, uint32_t max);
void keys_fini(struct keys *k);

/* Describes a message, whose JSON is as it stands in the log. */
struct key keys_describe(struct slice from, struct slice key, struct slice json, uint64_t id,
                         int64_t date);

/* The message with the same key, or NULL; valid until the next call. */
const struct key *keys_find(const struct keys *k, const struct key *key);

/* Adds one that was not found and whose id is above all: 0 or -ENOMEM. */
__attribute__((warn_unused_result)) int keys_add(struct keys *k, const struct key *key);

/* Forgets those with this id and above. */
void keys_forget(struct keys *k, uint64_t id);

/* Forgets the one of this message. Its place says nothing until its turn to be forgotten comes. */
void keys_erase(struct keys *k, uint64_t id);

/*
 * Filling it with what a log, or a checkpoint, says, in any order, also twice the same: 0 or -ENOMEM.
 * Nothing is found before keys_load_end has returned 0.
 */
__attribute__((warn_unused_result)) int keys_load(struct keys *k, const struct key *key);
__attribute__((warn_unused_result)) int keys_load_end(struct keys *k);

#endif
