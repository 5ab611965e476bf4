/*
 * erase: the messages of a user leave the log for good: every one that he sent or received, with
 * its mark and its key, and his name.
 *
 *   1. A new segment is begun. From now on messages to and from him are refused until this is over.
 *   2. When all that was under way is committed, his conversations leave the index: nobody sees them.
 *   3. The file `erase` says which ones these were. From here on a start that finds it goes on with 4.
 *   4. Every sealed segment that holds any of them is written anew without them, as arrange does it,
 *      the newest first: what a crash leaves of a conversation is its beginning, and so a whole log.
 *   5. The checkpoint goes, and what crashes or a failing disk may have left of files; then `erase`.
 *
 * A damaged segment is passed over. Then 5 is left out: a new checkpoint takes the place of the old one, so
 * that the damage stops no start, `erase` stays, and whoever asked hears where the damage is. The next
 * erase, for whomever, and the next start try those segments again.
 *
 * The key of a message that was too old to be kept is forgotten with its day (keys.h), not before; so is one
 * whose segment was written anew before a crash.
 *
 * What fails is tried again when there is another segment, when somebody asks again, and at a start.
 */
#ifndef STORE_ERASE_H
#define STORE_ERASE_H

#include "store/arrange.h"
#include "store/erased.h"

struct store;

enum erase_state { ERASE_NOTHING, ERASE_SEALS, ERASE_NOTES, ERASE_REWRITES, ERASE_ENDS };

struct erase {
    enum erase_state state;
    struct erased note; /* with what damaged segments still hold of others, also in ERASE_NOTHING */
    uint64_t sealed_id; /* of the first segment that holds nothing of him, or a later one */
    uint64_t below;     /* place: the segments behind it are done */
    struct arrange_left left;
    uint64_t messages; /* that are gone */
    char damaged[64];  /* "" or a segment that was passed over, and where it is damaged */
};

/* The log has been read, and `note` is what was begun and not ended: goes on. 0 or -ENOMEM. */
__attribute__((warn_unused_result)) int erase_resume(struct store *s);

/* Gives the worker what comes next. False: nothing can be done now. */
bool erase_step(struct store *s);

/* The worker's part of what is no arranging. */
int erase_run(struct store *s);

/* The worker has done it. */
void erase_took(struct store *s);

/* It cannot go on for now. */
void erase_failed(struct store *s, int error);

/* It goes on without this segment. */
void erase_met_damage(struct store *s, const char *name, uint64_t at);

/* Whether a checkpoint may be made: not while a start would know of nothing that it leaves out. */
static inline bool erase_is_noted(const struct erase *e)
{
    return e->state != ERASE_NOTES;
}

void erase_fini(struct erase *e);

#endif
