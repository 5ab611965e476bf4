/*
 * erased: the file `erase`, which says what is to leave the log: the conversations of whom erase.h is
 * about, by their numbers. Nobody who reads the log takes any notice of what has one of them, but for a
 * backup, which takes the file along. It stays as long as a damaged segment keeps any of it from being
 * erased, and until then these numbers are nobody else's.
 *
 * "parleye2" (8), bytes of the id of the user who is being erased (1), the id, each number (4), CRC-32C of
 * all in front of it (4).
 */
#ifndef STORE_ERASED_H
#define STORE_ERASED_H

#include "store/index.h"
#include "store/store.h"

#define ERASED_NAME "erase"

struct erased {
    uint8_t name[STORE_MAX_USER];
    size_t name_n;
    uint8_t *numbers; /* a set; NULL: there is nothing to be erased, and no file */
    uint32_t count;   /* all numbers in the set are below this one */
};

/* Makes the set, or makes it larger: 0 or -ENOMEM. */
__attribute__((warn_unused_result)) int erased_reach(struct erased *e, uint32_t count);

/* Fills a zeroed one, if there is a file: 0 or -errno; -EBADMSG: it is damaged. */
__attribute__((warn_unused_result)) int erased_load(struct erased *e, const struct disk *disk);

__attribute__((warn_unused_result)) int erased_save(const struct erased *e,
                                                    const struct disk *disk);

static inline bool erased_has(const struct erased *e, uint32_t number)
{
    return number < e->count && index_bit(e->numbers, number);
}

/* But for the name. */
void erased_clear(struct erased *e);

#endif
