/*
 * store: every message ever sent, in an append-only log on disk, and an index of it in memory.
 *
 * One thread, the owner, calls everything here. Behind it a commit thread writes and syncs.
 *
 *   store_append   puts a message into the batch that gathers; nothing is promised yet
 *   store_mark     likewise, how far a user has read
 *   store_flush    once a turn of the loop: hands the batch to the commit thread if it is free
 *   store_fd       becomes readable when a batch is through
 *   store_collect  then calls back for every message and mark of the batch, in the order of their
 *                  ids: committed (and durable, with STORE_SYNC_ALWAYS), or failed
 *   store_read_*   what is committed, never more
 *
 * Users are named by their ids, 1 to 64 bytes; the caller has checked them. The conversation of two
 * users is the same from both sides; a user may have one with himself.
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "base/exit.h"
#include "base/log.h"
#include "base/slice.h"
#include "store/disk.h"

#include <stdint.h>

#define STORE_MAX_USER 64                        /* bytes of a user id */
#define STORE_MAX_KEY 64                         /* bytes of a key */
#define STORE_MAX_CONTENT (1 << 20)              /* bytes of a content as JSON, quotes included */
#define STORE_MAX_PAGE 1000                      /* messages of one page */
#define STORE_SEGMENT_SIZE (UINT64_C(128) << 20) /* bytes, where no other size is asked for */
#define STORE_PAGE_BYTES (4 << 20) /* a page ends before its messages' JSON passes this */

struct store;

enum store_sync {
    STORE_SYNC_ALWAYS, /* committed means durable: fdatasync for every batch */
    STORE_SYNC_TIMED,  /* fdatasync every sync_ms while there is something to sync */
    STORE_SYNC_NONE,   /* left to the kernel */
};

struct store_message {
    uint64_t id;           /* strictly increasing over the whole log, from 1, below 2^53 */
    int64_t date;          /* ms since the Unix epoch */
    struct slice from, to; /* valid as long as the store */
    struct slice json;     /* {"id":..,"from":"..","to":"..","content":"..","date":..} */
};

/* A user has read his conversation with another one, up to this id. */
struct store_mark {
    uint64_t id; /* of its own, as if it were a message */
    struct slice reader, other;
    uint64_t up_to;
    bool moved; /* false: he had said so before */
};

struct store_options {
    const struct disk *disk; /* stays the caller's; outlives the store */
    const struct log *log;
    enum store_sync sync;
    uint32_t sync_ms;      /* for STORE_SYNC_TIMED */
    uint64_t segment_size; /* bytes, at most 1 GiB; 0: STORE_SEGMENT_SIZE */
    uint32_t prepare;      /* bytes of zeros that are written ahead of the end; 0: none */
    uint64_t retain_bytes; /* of the log: the oldest segments above that are dropped; 0: none */
    uint32_t retain_days;  /* segments with nothing younger go, about a day a tick; 0: none */
    uint32_t max_keys;     /* that are remembered; 0: a million */
    uint32_t recent;    /* bytes of the newest records that stay in memory, up to twice; 0: none */
    bool arrange;       /* segments that are full are arranged: record.h */
    bool inline_commit; /* no threads: store_flush does all that is to be done itself (tests) */

    /* Called by store_collect and store_close only. json is valid during the call. They may append,
     * flush and read. Failed ids come in their order, and none of them comes again. */
    void (*committed)(void *ctx, const struct store_message *message);
    void (*marked)(void *ctx, const struct store_mark *mark);
    void (*failed)(void *ctx, uint64_t id, int error); /* -errno */
    /* What store_erase began is done, or cannot go on for now. Called also by store_flush and
     * store_tick; may be NULL. -EBADMSG: it is done but for a damaged file, what of it stands there is
     * hidden for good, and `damaged` is its name and an offset. */
    void (*erased)(void *ctx, struct slice user, uint64_t messages, int error, const char *damaged);
    /* The revocations up to this number are durable, or, with an error, may not be. Likewise. */
    void (*revoked)(void *ctx, uint64_t number, int error);
    /* Called by store_collect: reads that had to wait may go on. May be NULL. */
    void (*readable)(void *ctx);
    void *ctx;
};

enum store_status {
    STORE_OK = 0,
    STORE_END,  /* of a read */
    STORE_WAIT, /* a read waits for the disk: `readable` will tell when to try again */
    /* The failures are the exit statuses of a program that ends for them. */
    STORE_DAMAGED = EXIT_DAMAGED, /* the log is damaged, or not one of ours */
    STORE_LOCKED = EXIT_LOCKED,   /* another process holds the folder */
    STORE_SYSTEM = EXIT_SYSTEM,   /* the system refused */
    STORE_IO = EXIT_IO,           /* the disk failed */
};

/* Why opening failed: file, offset, what was found, what mends it. */
struct store_error {
    char text[512];
};

__attribute__((warn_unused_result)) enum store_status
store_open(struct store **out, const struct store_options *options, struct store_error *error);

/* Commits what gathers (calling back for it), syncs, ends the threads. Reads must have ended. 0, or
 * the -errno of what ended all writing. */
int store_close(struct store *s);

/*
 * Puts a message into the batch. content is a JSON string, quotes included, as clients shall see it;
 * now is the wall clock: the date of the message is now, or that of the message before it if the
 * clock went back. Its id and date come back. -ENOBUFS: as much as may gathers already, until the
 * batch before it is through; -ENOMEM; -EOVERFLOW: the ids are used up; any other: store_failure.
 *
 * A key, if it is not empty, makes sure that the message is stored once: STORE_KNOWN, it has been, and
 * its id and date come back; STORE_PENDING: the callback for this id is still to come; -EEXIST: `from`
 * gave the key to another message. The keys of one day are known, or else the newest max_keys; also
 * when the store has failed.
 */
#define STORE_KNOWN 1
#define STORE_PENDING 2
__attribute__((warn_unused_result)) int store_append(struct store *s, struct slice from,
                                                     struct slice to, struct slice content,
                                                     struct slice key, int64_t now, uint64_t *id,
                                                     int64_t *date);

/*
 * Puts it into the batch that the reader has read up to that id. Errors as of store_append; -ERANGE:
 * that is beyond the newest message of the conversation; STORE_KNOWN: he has said so, or the message
 * is not kept any longer, and there is nothing to be stored.
 */
__attribute__((warn_unused_result)) int store_mark(struct store *s, struct slice reader,
                                                   struct slice other, uint64_t up_to, int64_t now,
                                                   uint64_t *id);

/*
 * Erases all messages of a user, sent and received, from the disk for good: those of the others as well
 * as his own see nothing of them any more, and `erased` tells when it is done. Until then what is
 * appended to or from him fails with -EBUSY. Once it is noted on the disk, which is its first step, it is
 * never taken back, also by a crash; before that, a start forgets it, and so does a failure that `erased`
 * tells while store_is_erasing is false. To ask again for the same user is to wait for the same end. -EBUSY: another one is being erased; any other: store_failure.
 */
__attribute__((warn_unused_result)) int store_erase(struct store *s, struct slice user);
bool store_is_erasing(const struct store *s, struct slice user);

/*
 * Tokens of the user that were issued before that time, in seconds since 1970, count no more, from now
 * on; `revoked` tells when this number is durable. A time below one that was given says nothing new. 0,
 * -ENOSPC: it is so of too many users; -ENOMEM; any other: store_failure.
 */
__attribute__((warn_unused_result)) int store_revoke(struct store *s, struct slice user,
                                                     uint64_t before, uint64_t *number);
uint64_t store_revoked(const struct store *s, struct slice user); /* 0: never */

/* Whether so much gathers already that more would make all wait longer for the sync: a time to hold
   senders up. */
bool store_is_pressed(const struct store *s);

void store_flush(struct store *s);
int store_fd(const struct store *s);
void store_collect(struct store *s);

/* The wall clock, ms: for the age of what is kept. To be called once an hour or so, beside
 * store_append, which hears the time as well. */
void store_tick(struct store *s, int64_t now);

/* Arranges the whole log, as closely as can be, and waits for that. The store has been opened with
 * inline_commit, and nothing gathers. progress (or NULL) hears of bytes. 0, or store_failure;
 * -EIO: some of it could not be arranged; -EBADMSG: because it is damaged. */
__attribute__((warn_unused_result)) int
store_compact(struct store *s, void (*progress)(void *ctx, uint64_t done, uint64_t total),
              void *ctx);

/* After a failed sync the store takes nothing more until it is opened anew: 0, or the -errno. */
int store_failure(const struct store *s);

/* The newest id of this user, sent or received; 0: none. */
uint64_t store_newest(const struct store *s, struct slice user);

/* His conversations, as far as the index remembers. */
uint64_t store_count_conversations(const struct store *s, struct slice user);

/* A number for each user who has a conversation, from 0 on; it is his as long as he has one. STORE_NOBODY: he
   has none. */
#define STORE_NOBODY UINT32_MAX
uint32_t store_user(const struct store *s, struct slice user);

/* Whether a message between the two was ever committed, as far as the index remembers. */
bool store_has_conversation(const struct store *s, struct slice a, struct slice b);

/* For the metrics. */
struct store_stats {
    uint64_t messages; /* committed, also those dropped since */
    uint64_t conversations;
    uint64_t users;
    uint64_t bytes;    /* of log on disk */
    uint64_t first_id; /* no message below this one is kept */
    uint64_t segments;
    uint64_t batches; /* committed since the start */
};
void store_get_stats(const struct store *s, struct store_stats *out);

/*
 * A read under way: a list of places in the log, read one by one, at the pace of the caller. A
 * zeroed struct is an ended read; store_read_end may be called at any time, also twice.
 *
 * There are three kinds: a page is of one conversation, what came since an id of those in `merge`, and
 * snippets are of those in `numbers`. When segments are replaced or a user is erased, the store has a new
 * `layout`: all places are looked up once more, of what has not been read yet, and from then on `again`
 * is set. What holds over that: `numbers`, `conversation` and the numbers in `merge`, which nobody else is
 * given before the next start (index.h); `user`; the ids. Places, `stash` and what `merge` has begun do not.
 */
struct store_read {
    uint32_t count; /* messages in all */
    uint32_t next;  /* of them that have been read */
    uint64_t bytes; /* page: the messages' JSON, added up, when it was looked up; otherwise 0 */
    bool more;      /* older messages exist, or, but for a page, may have existed */
    /* Snippets, of the message that was read last: those from the other one that the user has not
     * read, and the id up to which that one has; 0: nothing that is kept. */
    uint32_t unread;
    uint64_t read_up_to;

    /* The store's. */
    struct store *waits_in;   /* NULL: it has asked for nothing */
    uint64_t asked;           /* the place that was to be brought in up to; 0: none */
    uint64_t *places;         /* but for snippets: of the messages, the oldest first */
    uint32_t *numbers;        /* snippets: of the conversations, the most recent first */
    uint32_t layout;          /* the store's when the places were looked up */
    uint32_t stash;           /* page: which one it is; 0: none */
    struct read_merge *merge; /* of several conversations; NULL: a page, or snippets */
    uint32_t user;            /* but for a page: the number of the user */
    uint64_t last;            /* id of what was read last; 0: nothing yet */

    /* What is being looked up; of snippets, a conversation in which is counted. */
    uint64_t place;                  /* the record to be looked at next; 0: it has been looked up */
    bool exact;                      /* it stands there; otherwise it is the last of its run */
    bool again;                      /* for a new layout, after it was looked up once */
    uint64_t before, newest, oldest; /* ids: it is in front of the first, and goes from the second
                                        back to the third */
    uint64_t step;                   /* bytes from one record to the one in front of it */
    uint32_t limit, conversation;    /* page: of this one; otherwise of the one that is looked at */
    uint64_t above;                  /* snippets: what is counted has ids above this */
    uint32_t counted, since;         /* so far; what the index said when this began */
};

/*
 * The newest messages of a conversation with an id below `before` (0: the newest of all), at most
 * `limit` (1 to STORE_MAX_PAGE); read oldest first. STORE_WAIT: store_read_look goes on.
 */
__attribute__((warn_unused_result)) enum store_status
store_read_page(struct store *s, struct store_read *read, struct slice user, struct slice other,
                uint64_t before, uint32_t limit);

/*
 * The newest messages of a user with an id above `since`, sent and received, at most `limit` (1 to
 * STORE_MAX_PAGE); read in the order of their ids. None that is committed after this call is among
 * them. `more`: there are others above `since`, or may have been before they were dropped. It costs
 * what is read, not what there is. STORE_WAIT: store_read_look goes on.
 */
__attribute__((warn_unused_result)) enum store_status
store_read_since(struct store *s, struct store_read *read, struct slice user, uint64_t since,
                 uint32_t limit);

/* Looks either up: STORE_OK when count, bytes and more are known; STORE_WAIT: again, later. */
__attribute__((warn_unused_result)) enum store_status store_read_look(struct store *s,
                                                                      struct store_read *read);

/* Whether looking up may go on in this turn, that is, until the next store_flush. */
bool store_can_look(const struct store *s);

/* The newest message of each conversation of the user, the most recent first. */
__attribute__((warn_unused_result)) enum store_status
store_read_snippets(struct store *s, struct store_read *read, struct slice user);

/* The next message; out->json is valid until the next call of the store. STORE_END after the last;
 * STORE_WAIT: again, later. */
__attribute__((warn_unused_result)) enum store_status
store_read_next(struct store *s, struct store_read *read, struct store_message *out);

void store_read_end(struct store_read *read);

#endif
