/*
 * hub: who is connected: a user is in it while he has a session.
 *
 * A user's entry lies in a block of such, and its place there is his number. Blocks stay where they are;
 * places are used again. A name is found by its hash: a table, of as many heads as users were there at a
 * time, at most doubled, has the first number of those whose hashes end alike, and each knows the next.
 */
#ifndef CHAT_HUB_H
#define CHAT_HUB_H

#include "chat/limits.h"

struct online {
    struct session *sessions; /* the first, in the order of their registration */
    struct bucket bucket;     /* events of all of them together */
    union {
        uint8_t near[16];
        uint8_t *far; /* a longer one */
    } name;
    uint32_t next;       /* one whose hash ends alike, or that is vacant, too; or HUB_NONE */
    uint32_t count : 24; /* sessions */
    uint32_t name_n : 8; /* 0: the place is vacant */
};

#define HUB_BLOCK 64        /* places: malloc is content, and few are vacant */
#define HUB_NONE UINT32_MAX /* no number */

struct hub {
    struct online **blocks;
    uint32_t n;         /* places in them */
    uint32_t vacant;    /* the first one to give out, or HUB_NONE */
    uint32_t online;    /* those that are taken */
    uint32_t *heads;    /* by the end of the hash the first number, or HUB_NONE */
    uint32_t mask;      /* their number, a power of two, less one */
    uint64_t secret[2]; /* of the hash: nobody can choose names that collide */
    /* presence.c's: the watchers by their numbers, from 1 on, and by the store's number of a user the first
       link of those who watch him. */
    union watcher_place {
        struct watcher *watcher;
        uint32_t vacant; /* the next free place, watcher_n: there is none */
    } * watchers;
    uint32_t watcher_n, watcher_cap, watcher_vacant;
    uint32_t *watched;
    uint32_t watched_n;
    size_t *memory; /* what all users' entries and `watched` take is added to it */
};

__attribute__((warn_unused_result)) int hub_init(struct hub *hub, size_t *memory);
void hub_fini(struct hub *hub);

/* The user, or NULL if he is not connected. */
struct online *hub_find(const struct hub *hub, struct slice name);

/* The user, made if he was not there; NULL: out of memory. */
struct online *hub_enter(struct hub *hub, struct slice name);

/* Forgets a user without sessions. */
void hub_leave(struct hub *hub, struct online *user);

/* The user of that number, below hub->n, or NULL. */
static inline struct online *hub_user(const struct hub *hub, uint32_t number)
{
    struct online *user = &hub->blocks[number / HUB_BLOCK][number % HUB_BLOCK];
    return user->name_n ? user : NULL;
}

static inline struct slice online_name(const struct online *user)
{
    return slice_of(user->name_n > sizeof user->name.near ? user->name.far : user->name.near,
                    user->name_n);
}

#endif
