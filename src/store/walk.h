/*
 * walk: reads a log from its first byte to its last, and tells of every record and every fault.
 *
 * Opening a store and all that reads a data directory without one walk the same way: what is a
 * record, what a torn end and what damage (record.h) is decided here alone.
 *
 *   walk_open    opens the segments; what is written behind their ends from then on is not seen
 *   walk_run     calls back, in the order of the log
 *   walk_close
 *
 * An arranged segment is read in the order of its runs: ids rise in each of them only.
 *
 * A callback that returns anything but STORE_OK ends the walk. One that lets it go on after a fault
 * hears of the next whole record. What follows from a loss is no fault of its own: a record may
 * say that the one before it in its conversation is in bytes that could not be read.
 */
#ifndef STORE_WALK_H
#define STORE_WALK_H

#include "store/checkpoint.h"
#include "store/erased.h"
#include "store/logdir.h"
#include "store/message.h"
#include "store/window.h"

enum walk_kind {
    WALK_DAMAGE,
    WALK_TORN,  /* a write that was never finished, at the very end: no damage */
    WALK_NEWER, /* a segment of a newer format: no damage, and not ours to read */
    WALK_STRAY, /* a file that is none of the log's and has a name like theirs */
};

struct walk_fault {
    enum walk_kind kind;
    const char *file;
    uint64_t at;    /* offset in it */
    uint64_t bytes; /* of the log that are lost there: passed over, or missing */
    const char *what;
};

struct walk_record {
    struct record head;
    const uint8_t *p; /* the whole record */
    uint64_t place;
    const struct store_message *message; /* of a thorough walk; NULL: it is a mark */
};

struct walk;

/* Any of the functions may be NULL. */
struct walk_handler {
    enum store_status (*segment)(void *ctx, const struct segment_head *head);
    enum store_status (*record)(void *ctx, const struct walk_record *record);
    /* Of an arranged segment, behind its records. */
    enum store_status (*runs)(void *ctx, struct slice bytes);
    enum store_status (*fault)(void *ctx, const struct walk_fault *fault);
    /* The head of this segment cannot be read: finds out its place. STORE_END: nobody can tell, and
     * the segment is passed over. */
    enum store_status (*lost_head)(void *ctx, const struct walk *w, uint64_t *base);
    void (*progress)(void *ctx, uint64_t done, uint64_t total); /* about once a MiB */
    void *ctx;
};

struct walk_range {
    uint64_t from, to; /* places */
};

struct walk {
    /* Set by the caller in a zeroed struct. */
    const struct disk *disk;
    const struct walk_handler *handler;
    struct segments *segments; /* empty; filled with open files, the caller's to close */
    struct index *index;       /* empty; loaded, without index_load_end */
    struct store_error *error; /* what the system refused */
    bool thorough;             /* looks into every message, not only a conversation's first */
    bool salvage;              /* looks for whole records in a torn end, too */
    bool unerased;             /* also what `erased` says is to leave the log */
    /* NULL, or the index is filled already, and the log is read from the place of this checkpoint on.
     * One that does not fit the log ends the walk with STORE_END. */
    const struct checkpoint_head *start;

    /* What has been read. */
    uint64_t end;     /* the place behind the last record */
    uint64_t next_id; /* above all ids */
    struct log_tip tip;
    uint64_t marks;
    uint64_t json_bytes; /* of all messages */
    uint64_t durable;    /* the last record, or segment, was written when the log was, up to here */
    uint64_t torn_bytes; /* behind the last whole record, and not zero */
    struct logdir dir;   /* its files */
    struct erased erased; /* what is passed over: not indexed, counted or told of */
    bool torn_head;       /* the last file is a segment whose head was not finished */

    /* The walk's own. */
    enum store_status listing; /* what was said of a file that is none of the log's */
    uint64_t done;             /* bytes of the files that are behind */
    uint64_t log;              /* identity of the log; from the first head that is whole */
    bool known;                /* there was one */
    bool head_read;            /* that of this segment is whole */
    bool begun;                /* the segment that `start` lies in has been reached */
    bool adrift;               /* where the next segment begins cannot be told */
    struct buf lost;           /* struct walk_range, each; in order */

    /* The file that is read. */
    uint32_t file;
    char name[SEGMENT_NAME];
    struct segment segment;
    uint64_t size;    /* of its records, and what is in front of them */
    uint64_t zero_at; /* the last file's: from this offset on it is zeros */
    struct window window;

    /* Of an arranged segment. */
    uint64_t least_id;    /* all in front of it have ids below this one */
    struct record before; /* the record in front; length 0: there is none */
    uint64_t before_at;   /* its offset */
    uint64_t held[2];     /* marks that wait for the first message of their run */
    struct buf runs;      /* the list that it should have */
};

__attribute__((warn_unused_result)) enum store_status walk_open(struct walk *w);
__attribute__((warn_unused_result)) enum store_status walk_run(struct walk *w);
void walk_close(struct walk *w);

/* No message below this id is in the log; 0: there is no segment. */
uint64_t walk_first_id(const struct walk *w);

/* The system refused to do something with a file, or, named "", with the folder. */
enum store_status walk_refused(const struct walk *w, const char *verb, const char *name, int error);

#endif
