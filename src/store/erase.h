/*
 * erase: the messages of a user leave the log for good: every one that he sent or received, with
 * its mark and its key, and his name.
 *
 *   1. A new segment is begun. From now on messages to and from him are refused until this is over.
 *   2. When all that was under way is committed, his conversations leave the index: nobody sees them.
 *   3. The file `erase` says whom it is about. From here on a start that finds it goes on with 4.
 *   4. Every sealed segment that holds any of them is written anew without them, as arrange does it,
 *      the newest first: what a crash leaves of a conversation is its beginning, and so a whole log.
 *   5. The checkpoint goes, and what crashes may have left of a file half written; then `erase`.
 *
 * The key of a message that was too old to be kept is forgotten with its day (keys.h), not before.
 * An old segment that could not be removed once stays until the next start removes it.
 *
 * What fails is tried again when there is another segment, when somebody asks again, and at a start.
 *
 * The file `erase`: "parleyer" (8), bytes of the id (1), the id, CRC-32C of all in front of it (4).
 */
#ifndef STORE_ERASE_H
#define STORE_ERASE_H

#include "store/arrange.h"

#define ERASE_NAME "erase"

struct store;

enum erase_state { ERASE_NOTHING, ERASE_SEALS, ERASE_NOTES, ERASE_REWRITES, ERASE_ENDS };

struct erase {
    enum erase_state state;
    bool asked; /* somebody waits for the answer */
    uint8_t name[STORE_MAX_USER];
    size_t name_n;
    uint64_t sealed_id;     /* of the first segment that holds nothing of him, or a later one */
    uint64_t below;         /* place: the segments behind it are done */
    uint8_t *numbers;       /* the set of his conversations, */
    uint32_t conversations; /* and how many it has room for */
    struct arrange_left left;
    uint64_t messages; /* that are gone */
};

/* Before the log is read: what was begun and not ended. */
__attribute__((warn_unused_result)) enum store_status erase_load(struct store *s,
                                                                 struct store_error *error);

/* The log has been read: goes on with what erase_load found. 0 or -ENOMEM. */
__attribute__((warn_unused_result)) int erase_resume(struct store *s);

/* Gives the worker what comes next. False: nothing can be done now. */
bool erase_step(struct store *s);

/* The worker's part of what is no arranging. */
int erase_run(struct store *s);

/* The worker has done it. */
void erase_took(struct store *s);

/* It cannot go on for now. */
void erase_failed(struct store *s, int error);

/* Whether a checkpoint may be made: not while a start would know of nothing that it leaves out. */
static inline bool erase_is_noted(const struct erase *e)
{
    return e->state != ERASE_NOTES;
}

void erase_fini(struct erase *e);

#endif
