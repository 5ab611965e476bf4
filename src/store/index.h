/*
 * index: the users and conversations of a log, in memory.
 *
 * Users and conversations have numbers, which are places in two arrays; the number of a
 * conversation is the one in its records. A number that no record in the log has is a hole, and
 * goes to the next new conversation. Each user has a list of the conversations in which something
 * has been committed, the most recent first. Pointers into the arrays hold until the next user or
 * conversation is added; names stay where they are.
 */
#ifndef STORE_INDEX_H
#define STORE_INDEX_H

#include "base/table.h"

#define INDEX_NONE TABLE_NONE

struct user {
    uint8_t *name;
    uint32_t name_length;
    uint32_t head; /* the most recent conversation, or INDEX_NONE */
};

struct conversation {
    uint32_t user[2]; /* in the byte order of their names; twice the same with oneself; a hole
                         has INDEX_NONE */
    struct {
        uint32_t prev, next; /* in the list of user[i]; a conversation with oneself uses link[0] */
    } link[2];
    uint64_t last;      /* place of the newest committed message; 0: none */
    uint64_t tail;      /* place of the newest message, committed or not */
    uint64_t last_id;   /* id of the one at `last` */
    uint64_t mark[2];   /* id up to which user[i] has read; 0: nothing */
    uint32_t unread[2]; /* messages of the other one behind it; see INDEX_UNCOUNTED */
};

/* In `unread`: how many there are must be counted, once somebody asks; the rest of the number counts
 * those that have come since this is so. */
#define INDEX_UNCOUNTED (UINT32_C(1) << 31)

struct index {
    uint64_t begin; /* place: the records in front of it are gone */
    struct user *users;
    struct conversation *conversations;
    uint32_t user_count, user_cap;
    uint32_t conversation_count, conversation_cap; /* of the array, with its holes */
    uint32_t hole;       /* the first, or INDEX_NONE; the next is in its link[0].next */
    uint32_t hole_count; /* of them, and of the numbers of those erased since the start */
    struct table names;  /* name -> user */
    struct table pairs;  /* two numbers of users -> conversation */
};

__attribute__((warn_unused_result)) int index_init(struct index *ix);
void index_fini(struct index *ix);

/* The number of a user, or INDEX_NONE. */
uint32_t index_find_user(const struct index *ix, struct slice name);

/* The number of the conversation of two users, in any order, or INDEX_NONE. */
uint32_t index_find(const struct index *ix, struct slice a, struct slice b);

/* The same, and makes what is missing: 0 or -ENOMEM. */
__attribute__((warn_unused_result)) int index_intern(struct index *ix, struct slice a,
                                                     struct slice b, uint32_t *number);

struct slice index_name(const struct index *ix, uint32_t user);

/* A record has been committed: it is the newest of its conversation, and that of its users. */
void index_commit(struct index *ix, uint32_t number, uint64_t place, uint64_t id);

/* And the user who did not send it has it to read, unless he has marked it. */
static inline void index_count(struct index *ix, uint32_t number, bool from_second, uint64_t id)
{
    struct conversation *c = &ix->conversations[number];
    uint32_t *unread = &c->unread[!from_second];
    if (id > c->mark[!from_second] && ~*unread & ~INDEX_UNCOUNTED)
        ++*unread;
}

/* One of its users has read up to this id. False: that was known. */
bool index_mark(struct index *ix, uint32_t number, bool second, uint64_t up_to);

/* Which of the conversation's users this is, and which link is his; with oneself, the first. */
static inline bool index_is_second(const struct conversation *c, uint32_t user)
{
    return c->user[0] != user;
}

/*
 * The messages with ids from `from` to below `to`, the oldest ones, are gone. gone: for each of the
 * first `count` conversations, how many each of its users had sent; NULL: nobody knows.
 */
void index_drop(struct index *ix, uint64_t from, uint64_t to, const uint32_t (*gone)[2],
                uint32_t count);

/* The conversation behind this one in the user's list, or INDEX_NONE. */
uint32_t index_next(const struct index *ix, uint32_t number, uint32_t user);

/* Bits of a set of conversations, by their numbers. */
static inline bool index_bit(const uint8_t *set, uint32_t number)
{
    return set[number / 8] >> number % 8 & 1;
}

/*
 * The user's conversations are gone, and are noted in a set that has room for all. Their numbers are
 * given to nobody before the next start: records that have them may still be in the log, and reads that
 * are under way may hold them for as long as they like. Until then they take their place in the array.
 */
void index_erase(struct index *ix, uint32_t user, uint8_t *set);

/* Forgets users and conversations of which nothing was committed. */
void index_forget_uncommitted(struct index *ix);

static inline bool index_is_used(const struct index *ix, uint32_t number)
{
    return number < ix->conversation_count && ix->conversations[number].user[0] != INDEX_NONE;
}

/* The conversation of this number, if there is one, will be asked for soon. */
static inline void index_prefetch(const struct index *ix, uint32_t number)
{
    if (number < ix->conversation_count)
        __builtin_prefetch(&ix->conversations[number], 1);
}

/*
 * Filling an empty index with what a log, or a checkpoint, says: in any order, the users of each
 * conversation once (-EEXIST: they have another number, or it has other users; -ENOMEM), its newest
 * record as often as a newer one is met. The lists are there when index_load_end has returned 0; it
 * may be called again. index_intern and index_commit wait for it.
 */
__attribute__((warn_unused_result)) int index_load_users(struct index *ix, struct slice a,
                                                         struct slice b, uint32_t number);

static inline void index_load_record(struct index *ix, uint32_t number, uint64_t place, uint64_t id)
{
    struct conversation *c = &ix->conversations[number];
    c->last = c->tail = place;
    c->last_id = id;
}

/* erased: NULL, or a set of `count` conversations that are gone as by index_erase. */
__attribute__((warn_unused_result)) int index_load_end(struct index *ix, const uint8_t *erased,
                                                       uint32_t count);

#endif
