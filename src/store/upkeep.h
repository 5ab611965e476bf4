/*
 * upkeep: what is done about old segments while the store goes on, one thing at a time, by the
 * worker: those that are not to be kept any longer are dropped, those that are sealed are arranged.
 *
 * What the worker has made durable the owner takes over in its next turn. Until then, and for reads
 * that are under way, the files that were replaced stay open.
 */
#ifndef STORE_UPKEEP_H
#define STORE_UPKEEP_H

#include "store/arrange.h"

struct store;

enum upkeep_kind { UPKEEP_NOTHING, UPKEEP_DROP, UPKEEP_ARRANGE };

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
    uint32_t to_close; /* of arrange.inputs: files that are to be closed, from the end */
    bool due;          /* there may be something to do */
    uint32_t rests;    /* something failed when there were so many segments; 0: nothing has */
};

/* Takes over what is done, and begins what is next. Whether something is under way. */
bool upkeep_step(struct store *s);

/* The worker has ended. */
void upkeep_fini(struct store *s);

#endif
