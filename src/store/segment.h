/*
 * segment: the files that the log is cut into. What stands in them: record.h.
 */
#ifndef STORE_SEGMENT_H
#define STORE_SEGMENT_H

#include "base/buf.h"
#include "store/disk.h"
#include "store/record.h"

#define SEGMENT_NAME 21 /* bytes of a file name: 16 digits, ".seg", the terminator */

struct segment {
    struct segment_head head;
    int file;
    uint64_t size; /* bytes of the file: of an arranged one; of others, when they were opened */
    bool stuck;    /* it could not be arranged */
};

/* In the order of their places; the last is the one that grows. */
struct segments {
    struct segment *at;
    uint32_t count, cap;
};

void segment_name(char name[SEGMENT_NAME], uint64_t first_id);

enum segment_name_status { SEGMENT_NAME_OTHER, SEGMENT_NAME_OURS, SEGMENT_NAME_WRONG };

/* WRONG: it ends in ".seg" and is none that segment_name makes. */
enum segment_name_status segment_name_parse(const char *name, uint64_t *first_id);

/* Makes the file and writes its head: 0, or -errno and the file is gone again, also after a crash;
 * if it is not, -EIO. */
__attribute__((warn_unused_result)) int segment_create(const struct disk *disk,
                                                       struct segment *segment);

/* Removes a file that nobody needs any more, if `now`; the first id of one that stays goes into `stayed`. The
 * next start removes it, if not erase.h does. */
void segment_leave(const struct disk *disk, uint64_t first_id, bool now, struct buf *stayed);

/* Makes a new segment durable, its name included. */
__attribute__((warn_unused_result)) int segment_sync(const struct disk *disk,
                                                     const struct segment *segment);

/* Makes room for two more, so that segments_push cannot fail for a batch that gathers, nor for the
 * one before it: 0 or -ENOMEM. */
__attribute__((warn_unused_result)) int segments_reserve(struct segments *s);
void segments_push(struct segments *s, const struct segment *segment);

/* The `count` segments from `first` on, closed by the caller, make way for one, or, NULL, for none. */
void segments_replace(struct segments *s, uint32_t first, uint32_t count, const struct segment *by);

/* The segment that a place lies in; NULL in front of the first. */
const struct segment *segments_find(const struct segments *s, uint64_t place);

/* Where the list of the runs begins in the file of an arranged segment. */
static inline uint64_t segment_runs_at(const struct segment *s)
{
    return s->size - SEGMENT_CHECK - (uint64_t)s->head.runs * SEGMENT_RUN;
}

/* The place behind a segment that is not the last. */
static inline uint64_t segments_end(const struct segments *s, uint32_t i)
{
    return s->at[i + 1].head.base;
}

static inline const struct segment *segments_last(const struct segments *s)
{
    return &s->at[s->count - 1];
}

/* Closes the files. */
void segments_fini(struct segments *s, const struct disk *disk);

#endif
