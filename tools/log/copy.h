/*
 * copy: writes a new log into an empty folder.
 *
 * Either verbatim, segments and what is in them of another log, which keeps its places: copy_segment
 * and copy_bytes. Or message by message, with copy_message: ids, dates and JSON stay as they are, the
 * records get new places and the conversations new numbers, as a store would have given them.
 *
 * Nothing is promised before copy_finish has returned 0; then all of it is on the disk. What was
 * written without it is no log that a store may be opened on, for its records say that everything
 * in front of them is durable.
 */
#ifndef LOG_COPY_H
#define LOG_COPY_H

#include "base/buf.h"
#include "store/index.h"
#include "store/segment.h"

struct copy {
    const struct disk *disk;
    uint64_t segment_size;
    struct index index;
    struct segment segment; /* the one that grows; file -1: none yet */
    struct buf gathered;    /* its end, not written yet */
    uint64_t end;           /* place of the next byte */
    uint64_t next_id;       /* the lowest that copy_message takes */
    int64_t date;           /* the highest */
};

/* segment_size 0: that of a store. 0 or -errno, as from all that follow; copy_fini in any case. */
__attribute__((warn_unused_result)) int copy_init(struct copy *c, const struct disk *disk,
                                                  uint64_t segment_size);
void copy_fini(struct copy *c);

__attribute__((warn_unused_result)) int copy_segment(struct copy *c,
                                                     const struct segment_head *head);
__attribute__((warn_unused_result)) int copy_bytes(struct copy *c, const void *p, size_t n);

/* flags: RECORD_UNSYNCED or 0. The id is at least c->next_id. */
__attribute__((warn_unused_result)) int copy_message(struct copy *c, const struct store_message *m,
                                                     uint8_t flags, struct slice key);

/* Nothing is written for users without a message. */
__attribute__((warn_unused_result)) int copy_mark(struct copy *c, const struct store_mark *m,
                                                  uint8_t flags);

/* No id below this one will be given to a message that is appended to the copy. */
__attribute__((warn_unused_result)) int copy_skip_ids(struct copy *c, uint64_t next_id);

__attribute__((warn_unused_result)) int copy_finish(struct copy *c);

#endif
