/*
 * table: a hash table of 32-bit numbers, for things that live elsewhere under a number.
 *
 * Open addressing with linear probing; 8 bytes a slot, at most 7/8 full, doubled when fuller. The
 * hash is SipHash-1-3 with a secret key of each table (Aumasson, Bernstein: "SipHash: a fast
 * short-input PRF"), so that nobody can choose names that collide.
 */
#ifndef BASE_TABLE_H
#define BASE_TABLE_H

#include "base/slice.h"

#define TABLE_NONE UINT32_MAX /* not a number that can be stored */

struct table_slot {
    uint32_t hash;
    uint32_t value;
};

/* Whether the thing of that number has this key. */
typedef bool table_match(const void *ctx, uint32_t value, struct slice key);

struct table {
    struct table_slot *slots;
    uint32_t mask;  /* slots - 1; the number of slots is a power of two */
    uint32_t count; /* values held */
    uint64_t key[2];
    table_match *match;
    const void *ctx; /* handed to match */
};

/* An empty table: 0 or -errno (no memory, no random source). */
__attribute__((warn_unused_result)) int table_init(struct table *t, table_match *match,
                                                   const void *ctx);
void table_fini(struct table *t);

/* SipHash-1-3 of a slice with a secret key: 32 bits of it. */
uint32_t table_hash(const uint64_t secret[2], struct slice key);

/* The value of that key, or TABLE_NONE. */
uint32_t table_find(const struct table *t, struct slice key);

/* Adds a value whose key is not in the table yet: 0 or -ENOMEM, and then nothing has changed. */
__attribute__((warn_unused_result)) int table_add(struct table *t, struct slice key,
                                                  uint32_t value);

/* Removes that key, if it is there. */
void table_remove(struct table *t, struct slice key);

#endif
