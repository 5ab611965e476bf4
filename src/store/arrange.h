/*
 * arrange: writes segments that are sealed once more, as one in which the messages of each
 * conversation lie together: an arranged segment, as record.h describes it.
 *
 * While messages pour in, those of one conversation are spread over all the log, and reading its
 * history takes a read of the disk for each. Of an arranged segment it takes one for all of them.
 *
 * So are the messages of a user left out of the log for good (erase.h).
 *
 * Of the marks the newest of each user and conversation alone is kept, and none that says nothing.
 *
 * Memory: 12 bytes for each conversation of the log while a segment is read that is not arranged yet,
 * and 12 for each that has records in these. Every byte is written anew.
 */
#ifndef STORE_ARRANGE_H
#define STORE_ARRANGE_H

#include "base/buf.h"
#include "store/segment.h"
#include "store/worker.h"

#define ARRANGE_MAX 8 /* segments that become one */

/* While it is written; then it takes the name of the first it replaces. */
#define ARRANGE_NAME "arranged.new"

struct arrange {
    const struct disk *disk;
    const struct worker *worker;        /* tells when to end it */
    struct segment inputs[ARRANGE_MAX]; /* adjoining, in their order; their files stay open */
    uint32_t count;
    uint64_t end;           /* the place behind them */
    uint32_t conversations; /* their numbers are below this */
    uint64_t first_id;      /* of the log */
    /* NULL, or a set of conversations that are left out, and what that was. */
    const uint8_t *without;
    struct arrange_left *left;
    struct buf *stayed; /* segment_leave */
};

struct arrange_left {
    uint64_t messages;
    struct buf keyed; /* the ids of those with a key, 8 bytes each */
};

/*
 * 0, and *out is the open arranged segment, durable, under the name of the first input; the other
 * inputs have lost their names. Otherwise nothing has changed, and ARRANGE_NEEDLESS: of what is to be
 * left out, there is nothing in the one input; -ECANCELED: the worker stops;
 * -EBADMSG: an input is damaged, in which `damaged` says where; or another -errno.
 */
#define ARRANGE_NEEDLESS 1
struct arrange_damage {
    uint32_t input;
    uint64_t at; /* offset */
};
__attribute__((warn_unused_result)) int arrange_run(const struct arrange *a, struct segment *out,
                                                    struct arrange_damage *damaged);

#endif
