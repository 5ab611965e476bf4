/*
 * upkeep: what is done about old segments while the store goes on, one thing at a time, by the
 * worker: those that are not to be kept any longer are dropped, a user is erased, those that are
 * sealed are arranged.
 *
 * What the worker has made durable the owner takes over in its next turn. Until then, and for reads
 * that are under way, the files that were replaced stay open.
 */
#ifndef STORE_UPKEEP_H
#define STORE_UPKEEP_H

#include "store/arrange.h"

struct store;

/* Of erasing, a segment is written anew without the user, and the steps in front of that and behind it. */
enum upkeep_kind { UPKEEP_NOTHING, UPKEEP_DROP, UPKEEP_ARRANGE, UPKEEP_REWRITE, UPKEEP_ERASE };

struct upkeep {
    struct worker_job job;
    enum upkeep_kind kind; /* what is under way */
    uint32_t first;        /* of the segments that it is about: arrange.inputs */
    struct arrange arrange;
    int result;
    uint32_t (*gone)[2]; /* dropped: of each conversation, what each of its users had sent; NULL:
                            nobody knows */
    struct segment out;
    struct arrange_damage damaged;
    struct buf stayed; /* files that are not needed, and could not be removed: segment_leave */
    uint32_t to_close; /* of arrange.inputs: files that are to be closed, from the end */
    bool due;          /* there may be something to do */
    int64_t keeps;     /* with retain_days: the date that what is kept must reach */
    uint32_t rests;    /* something failed when there were so many segments; 0: nothing has */
};

/* The owner has heard from outside what time it is. */
void upkeep_tick(struct store *s);

/* Takes over what is done, and begins what is next. Whether something is under way. */
bool upkeep_step(struct store *s);

/* For erase.c: begins something about these segments, if that can be done at all; what is written anew
 * takes room that messages may need, which come first; and what was known of places holds no longer. */
void upkeep_give(struct store *s, enum upkeep_kind kind, uint32_t first, uint32_t count);
bool upkeep_has_room(const struct store *s, uint32_t first, uint32_t count);
void upkeep_forget_places(struct store *s);

/* The worker has ended. */
void upkeep_fini(struct store *s);

#endif
