/*
 * record: the format of the log, version 1.
 *
 * The log is one sequence of bytes, cut into segment files. A place is an offset into the whole
 * sequence, from its very first byte on; it never changes. A segment is named after the lowest id
 * it may hold, "%016x.seg", and begins where the one before it ends; the first one begins at place
 * 0, or at the place that the file `begin` names, when older ones are gone. It is a head, then
 * records without a gap. All integers are little-endian.
 *
 *   head of a segment       64 bytes
 *     0   8  "parley" 0x0d 0x0a
 *     8   4  format version: 1
 *    12   4  bytes of this head: 64
 *    16   8  place of the first byte of this head
 *    24   8  lowest id, as in the file's name
 *    32   8  identity of the log: a random number, the same in all its segments
 *    40   8  highest date in front of it; in the first one, when the log was begun
 *    48   8  place behind it; 0: it is not arranged, and ends with its file
 *    56   4  runs of an arranged one; 0
 *    60   4  CRC-32C of bytes 0 to 59
 *
 *   record                  44 bytes, then the body
 *     0   4  CRC-32C of the record's place (8 bytes), then of bytes 4 to the end of the record
 *     4   4  bytes of the whole record
 *     8   1  kind: 1, a message; 2, a mark: how far a user has read a conversation
 *     9   1  flags: 1, the second user of the conversation sent it, or has read
 *                   2, written in a mode that does not sync every batch
 *    10   1  bytes of the key
 *    11   1  zero
 *    12   4  number of the conversation
 *    16   4  back: bytes in front of this record that were not known to be durable when it was
 *            written; 0xffffffff: unknown
 *    20   8  id
 *    28   8  date, ms since the Unix epoch
 *    36   8  place of the message before it in the same conversation; 0: none, or a mark
 *    44      the message as clients see it: {"id":..,"from":"..","to":"..","content":..,"date":..}
 *            then the key, which its sender gave it to tell a second try from a second message;
 *            of a mark the id up to which was read (8), below its own
 *
 * A mark counts if it lies above those of the same user in front of it. One below the lowest id of
 * the log says nothing: what it says was read is gone. So it is told apart from one that a number
 * of conversation brings along from the users that had it before.
 *
 *   arranged segment        what one or more segments held, which it replaces
 *         head; the name and the first 40 bytes are those of the first one it replaces
 *         records as above, at new places, in runs: those of one conversation, first the newest
 *         mark of each user, then the messages, both in the order of their ids; the runs are in the
 *         order of their numbers. The first message of a run says of the one before it only which
 *         segment it is in: the last one of its run there
 *         for each run 12 bytes: number of the conversation (4), offset of its last record (8)
 *         CRC-32C of the runs' bytes (4)
 *
 *   begin                   28 bytes
 *     0   8  "parleybg"
 *     8   8  identity of the log
 *    16   8  place: what was in front of it is gone
 *    24   4  CRC-32C of bytes 0 to 23
 *
 * The place in the check makes a record valid only where it stands. Message text holds no byte
 * below 0x20 and a record's head always does, so no content can pass for a record.
 *
 * Behind the last record of the last segment there may be zeros, which are prepared space.
 *
 * Conversations are numbered from 0 in the order of their first records; the number of one whose
 * records are all gone may be given to another, at a later start. The two users are ordered
 * by the bytes of their ids; who they are stands in the messages alone. A mark whose conversation has
 * no message says nothing.
 *
 * A record in which `back` reaches less far than to place P says that the log was durable beyond P
 * when it was written. An invalid record at P with no such record behind it is the torn end of a
 * write that was never acknowledged; otherwise the log is damaged.
 *
 * Versions: a reader refuses a segment of a version above its own, and says so. A change of the
 * meaning of any byte, a new kind or flag included, is a new version.
 */
#ifndef STORE_RECORD_H
#define STORE_RECORD_H

#include "base/endian.h"
#include "store/store.h"

#define RECORD_VERSION 1
#define RECORD_HEAD 44
/* What is around the content: the longest form of two ids (each byte escaped), numbers, names. */
#define RECORD_AROUND 1024
#define RECORD_MAX (RECORD_HEAD + STORE_MAX_CONTENT + RECORD_AROUND)
#define RECORD_MAX_ID (UINT64_C(1) << 53)

/* Ids that are passed over after records that were not synced, or are lost: more may have been seen
 * than the disk kept. */
#define RECORD_SKIP_IDS (UINT64_C(1) << 20)

#define RECORD_KIND_MESSAGE 1
#define RECORD_KIND_MARK 2
#define RECORD_MARK (RECORD_HEAD + 8) /* bytes of a mark */
#define RECORD_FROM_SECOND 1
#define RECORD_UNSYNCED 2
#define RECORD_BACK_UNKNOWN UINT32_MAX

struct record {
    uint32_t length;
    uint8_t kind, flags, key_length;
    uint32_t conversation;
    uint32_t back;
    uint64_t id;
    int64_t date;
    uint64_t prev;
};

/* Reads RECORD_HEAD bytes; false if they cannot be the head of a record. */
__attribute__((warn_unused_result)) bool record_read(struct record *r, const uint8_t *p);

/* Whether the r->length bytes at p are the record that was written at this place. */
bool record_valid(const struct record *r, const uint8_t *p, uint64_t place);

/* Writes head and check of a record whose body stands already. */
void record_seal(const struct record *r, uint8_t *p, uint64_t place);

static inline struct slice record_json(const struct record *r, const uint8_t *p)
{
    return slice_of(p + RECORD_HEAD, r->length - RECORD_HEAD - r->key_length);
}

/* Of a mark: the id up to which was read. */
static inline uint64_t record_up_to(const uint8_t *p)
{
    return le64_load(p + RECORD_HEAD);
}

/* The place up to which the log was durable when this record was written there; 0: unknown. */
static inline uint64_t record_durable(const struct record *r, uint64_t place)
{
    return r->back < RECORD_BACK_UNKNOWN && r->back <= place ? place - r->back : 0;
}

#define SEGMENT_HEAD 64

struct segment_head {
    uint64_t base;     /* place of its first byte */
    uint64_t first_id; /* lowest id */
    uint64_t log;      /* identity of the log */
    int64_t date;      /* highest in front of it */
    uint64_t end;      /* of an arranged one: the place behind it */
    uint32_t runs;
};

#define SEGMENT_RUN 12  /* bytes of a run in the list behind the records */
#define SEGMENT_CHECK 4 /* bytes behind that list */

/* A run that ends with the record at this offset. */
void record_append_run(struct buf *runs, uint32_t conversation, uint64_t last);

/* The check of all that is in the buffer: the last bytes of a list of runs, and of every small file. */
void record_append_check(struct buf *b);

/* Whether the last bytes are the check of those in front of them; n >= SEGMENT_CHECK. */
bool record_has_check(const uint8_t *p, size_t n);

enum segment_head_status {
    SEGMENT_HEAD_OK,
    SEGMENT_HEAD_FOREIGN, /* not a segment of ours */
    SEGMENT_HEAD_NEWER,   /* a version above ours, which comes back in *version */
    SEGMENT_HEAD_BROKEN,
};

enum segment_head_status segment_head_read(struct segment_head *h, const uint8_t p[SEGMENT_HEAD],
                                           uint32_t *version);
void segment_head_write(const struct segment_head *h, uint8_t p[SEGMENT_HEAD]);

/* What is known of a log that has been read, or written, up to some record. */
struct log_tip {
    int64_t date;      /* the highest */
    uint64_t messages; /* all that ever were */
    uint64_t place;    /* of that record; 0: there is none */
    uint32_t check;    /* its check */
    uint32_t flags;    /* its flags */
};

#define LOG_BEGIN 28 /* bytes */
#define LOG_BEGIN_NAME "begin"

struct log_begin {
    uint64_t log, place;
};

/* False: these are not the bytes of such a file. */
bool log_begin_read(struct log_begin *b, const uint8_t p[LOG_BEGIN]);
void log_begin_write(const struct log_begin *b, uint8_t p[LOG_BEGIN]);

/* Whether n bytes could be what a crash left of a head: nothing, zeros, or its beginning. */
bool segment_head_torn(const uint8_t *p, size_t n);

#endif
