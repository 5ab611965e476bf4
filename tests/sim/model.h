/*
 * model: what the store must show, kept as plainly as can be: a list of messages in the order of
 * their ids, and one of the marks. It follows what the run does, and compares every view of the store with itself.
 *
 * The first contradiction is kept in `wrong`; nothing is checked after it.
 */
#ifndef SIM_MODEL_H
#define SIM_MODEL_H

#include "store/store.h"

#include "simdisk.h"

#define MODEL_USERS 6

enum message_state {
    MESSAGE_PENDING,   /* nothing was said about it yet */
    MESSAGE_COMMITTED, /* it is shown */
    MESSAGE_REFUSED,   /* by a store that goes on: it never comes */
    MESSAGE_DROPPED,   /* was committed, and is too old to be kept */
    MESSAGE_ERASED,    /* with one of its users */
    MESSAGE_OPEN,      /* by a store that ended: it may come when the store is opened anew */
};

struct message {
    uint64_t id;
    int64_t date;
    uint8_t from, to;
    enum message_state state;
    bool durable;   /* committed, and no crash may take it */
    bool synced;    /* written in a mode that syncs every batch */
    uint32_t batch; /* which one it went with */
    uint8_t key;    /* which one it was sent with; 0: none */
    uint32_t keyed; /* of those with a key, which one it is */
    char *json;
    size_t json_n;
};

struct mark {
    uint64_t id, up_to;
    uint8_t reader, other;
    enum message_state state;
    bool durable;
};

struct model {
    struct simdisk *disk;
    struct store *store; /* NULL: closed */
    struct message *all; /* ids rise */
    uint32_t count, cap;
    struct mark *marks;
    uint32_t mark_count, mark_cap;
    uint64_t mark_bytes;        /* that they took in all */
    uint32_t keyed;             /* messages with a key so far */
    uint32_t max_keys;          /* of the store */
    uint64_t called;            /* id of the last callback */
    uint32_t waiting;           /* the first that may be pending */
    int64_t dropped_date;       /* the highest of what was dropped */
    uint64_t first_id;          /* what is below was dropped */
    uint64_t retain_bytes;      /* of the store; 0: nothing is dropped for its size */
    uint32_t retain_days;       /* likewise for its age */
    int64_t highest;            /* date that any message was given */
    void (*between)(void *ctx); /* messages of a read; NULL: nothing happens */
    void *ctx;
    uint64_t shown; /* the highest id that anybody has seen */
    int64_t last_date;
    uint32_t batch;                /* number of the one that gathers */
    uint64_t revoked[MODEL_USERS]; /* what was asked for last, */
    uint64_t kept[MODEL_USERS];    /* and what was durable: it holds for good */
    uint64_t revocation;           /* the number of the last one */
    /* Who is being erased: nothing is known of him until that is over. MODEL_USERS: nobody. */
    unsigned erasing;
    unsigned
        reading; /* whose snippets are read: what is said to him now may be among them, or not */
    bool erased; /* somebody was, */
    bool interrupted; /* and it took more than one start */
    bool intact;      /* since the store was opened last, nothing took what was committed */
    enum store_sync sync;
    char wrong[512];
};

extern const char *const model_users[MODEL_USERS];

void model_init(struct model *m, struct simdisk *disk);
void model_fini(struct model *m);

__attribute__((format(printf, 2, 3))) void model_wrong(struct model *m, const char *format, ...);

/* What was appended, and what the callbacks say of it. key 0: none. */
void model_append(struct model *m, uint64_t id, int64_t date, int64_t now, unsigned from,
                  unsigned to, const char *content, unsigned key);

/* The newest message that this user sent with that key, and that may have been stored; or NULL. */
const struct message *model_keyed(const struct model *m, unsigned from, unsigned key);

/* Appending with a key ended so: may it? content as in model_append. */
void model_check_key(struct model *m, unsigned from, unsigned to, const char *content, unsigned key,
                     int result, uint64_t id, int64_t date);

/* What a mark must end with, but for the store's failure: as store_mark. */
int model_expect_mark(const struct model *m, unsigned reader, unsigned other, uint64_t up_to);
void model_mark(struct model *m, uint64_t id, int64_t now, unsigned reader, unsigned other,
                uint64_t up_to);
void model_marked(struct model *m, const struct store_mark *mark);

/* Whether something was appended of which nothing was heard yet. */
bool model_waits(const struct model *m);

void model_committed(struct model *m, const struct store_message *message);
void model_failed(struct model *m, uint64_t id, int error);

/* Segments may have been dropped: the messages in them are gone, and rightly. */
void model_retained(struct model *m, int64_t now);

/* The store has been opened: finds out what is there, which must be what may be there. False: the
 * disk refused a read, and nothing is known. */
bool model_opened(struct model *m, int64_t now);

/* A user is to be erased; the store's word on that; whether it is over, is asked from time to time. */
void model_erase(struct model *m, unsigned user);
void model_erased(struct model *m, struct slice user, int error);
void model_look_erasing(struct model *m);

/* A user's tokens are revoked; the store's word on the revocations up to a number. */
void model_revoke(struct model *m, unsigned user, uint64_t before, uint64_t number);
void model_revoked(struct model *m, uint64_t number, int error);

/* The store has been closed, and `clean`: nothing failed. */
void model_closed(struct model *m, bool clean);

/* Views. A read that the disk refused proves nothing and is passed over. */
void model_check_page(struct model *m, unsigned user, unsigned other, uint64_t before,
                      uint32_t limit);
void model_check_since(struct model *m, unsigned user, uint64_t since, uint32_t limit);
void model_check_user(struct model *m, unsigned user); /* snippets, newest id */
void model_check_all(struct model *m);

#endif
