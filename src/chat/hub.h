/*
 * hub: who is connected: a user is in it while he has a session.
 */
#ifndef CHAT_HUB_H
#define CHAT_HUB_H

#include "base/list.h"
#include "base/table.h"
#include "chat/limits.h"

struct online {
    struct list sessions; /* of struct session, by `link` */
    uint32_t number;      /* its place in the hub */
    uint32_t count;       /* sessions */
    struct bucket bucket; /* events of all of them together */
    uint8_t name_n;
    uint8_t name[];
};

struct hub {
    struct table names;
    struct online **users; /* by number; NULL: free */
    uint32_t n, cap;       /* numbers given out so far, room for */
    uint32_t *vacant;      /* numbers to give out again */
    uint32_t vacant_n;
    uint32_t online; /* users with a session */
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

static inline struct slice online_name(const struct online *user)
{
    return slice_of(user->name, user->name_n);
}

#endif
