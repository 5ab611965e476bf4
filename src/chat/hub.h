/*
 * hub: who is connected, or watched: a user is in it while he has a session, or a watcher.
 */
#ifndef CHAT_HUB_H
#define CHAT_HUB_H

#include "base/list.h"
#include "base/table.h"
#include "chat/limits.h"

/* A link in the list of those who watch a user, which begins and ends at the user. The links have names,
   not addresses, so that a watched id costs 8 bytes: that of a user's own is HUB_USER_LINK | number, the
   others' are presence.c's. */
struct watch_link {
    uint32_t prev, next;
};

#define HUB_USER_LINK (UINT32_C(1) << 31)

struct online {
    struct list sessions; /* of struct session, by `link` */
    struct watch_link watchers;
    uint32_t number;      /* its place in the hub */
    uint32_t count;       /* sessions; 0: he is not connected, but watched */
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
    union watcher_place {
        struct watcher *watcher; /* presence.c's */
        uint32_t vacant;         /* the next free place, watcher_n: there is none */
    } * watchers;
    uint32_t watcher_n, watcher_cap, watcher_vacant;
    size_t *memory; /* what all users' entries take is added to it */
};

__attribute__((warn_unused_result)) int hub_init(struct hub *hub, size_t *memory);
void hub_fini(struct hub *hub);

/* The user, or NULL if he is neither connected nor watched. */
struct online *hub_find(const struct hub *hub, struct slice name);

/* The user, made if he was not there; NULL: out of memory. */
struct online *hub_enter(struct hub *hub, struct slice name);

/* Forgets a user without sessions and watchers. */
void hub_leave(struct hub *hub, struct online *user);

static inline struct slice online_name(const struct online *user)
{
    return slice_of(user->name, user->name_n);
}

#endif
