/*
 * inside: what the parts of the store share with one another, and with nobody else.
 */
#ifndef STORE_INSIDE_H
#define STORE_INSIDE_H

#include "base/list.h"
#include "store/checkpoint.h"
#include "store/commit.h"
#include "store/erase.h"
#include "store/index.h"
#include "store/keys.h"
#include "store/prefetch.h"
#include "store/recent.h"
#include "store/revoked.h"
#include "store/upkeep.h"

/* Where the page in front of a page begins: whoever reads a conversation back page by page does not
 * walk it from its end each time. */
struct bookmark {
    uint32_t conversation;
    uint64_t before; /* the oldest id of a page that was read */
    uint64_t place;  /* of the record in front of it */
};

#define BOOKMARKS 256 /* pages that are remembered; a power of two */

struct store {
    struct store_options options;
    struct segments segments;
    struct index index;
    struct keys keys;
    struct commit commit;
    struct prefetch prefetch;
    struct worker worker;
    struct checkpoint checkpoint;
    struct upkeep upkeep;
    struct erase erase;
    struct revoked revoked;
    bool sealing;    /* the next batch is to begin a segment, if the last one holds anything */
    bool compacting; /* few segments may become one as well */
    uint32_t layout; /* grows when segments are replaced */
    int64_t now;     /* the wall clock, as far as it was told */
    uint64_t checkpointed; /* the place of the last one that is known to be on the disk; 0: none */

    struct batch batches[2];
    struct batch *gathering;    /* one of them; the other is being committed, or rests */
    uint64_t gathering_durable; /* the place that its records count `back` from */

    uint64_t end;       /* of what is committed */
    uint64_t tail;      /* of what has been submitted: there the next batch goes */
    uint64_t tail_base; /* of the segment that `tail` lies in, */
    int64_t tail_date;  /* and when it was begun */
    uint64_t next_id;
    int64_t last_date; /* of what is appended */
    uint64_t committed_id;
    struct log_tip tip; /* of what is committed */
    int failure;        /* 0, or what ended all writing */

    uint64_t batch_count;
    int steps; /* records that were looked at in this turn */

    struct recent recent; /* records that were committed */
    /* What was read last: bytes of the segment that begins at scratch_base, from this offset on. */
    struct buf scratch;
    uint64_t scratch_base, scratch_at;
    /* The newest records of the page that was looked up last, in their order: it is likely to be
     * read next. */
    uint8_t *stash;
    uint32_t stash_of;                    /* store_read.stash */
    uint32_t stash_next;                  /* store_read.next of the first that is left */
    uint32_t stash_at;                    /* its offset */
    struct bookmark bookmarks[BOOKMARKS]; /* by conversation and id */
};

/* No message below this id is kept. */
static inline uint64_t store_first_id(const struct store *s)
{
    return s->segments.at[0].head.first_id;
}

/* The message of a record that stands at p. */
void store_message_of(const struct store *s, const struct record *r, const uint8_t *p,
                      struct store_message *out);

/* Opens the segments, cuts off a torn end, fills the index, end, next_id, last_date, messages.
 * What it has opened is the caller's to close, also when it fails. */
__attribute__((warn_unused_result)) enum store_status recover_log(struct store *s,
                                                                  struct store_error *error);

#endif
