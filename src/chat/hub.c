#include "chat/hub.h"

#include <stdlib.h>

static bool hub_match(const void *ctx, uint32_t value, struct slice key)
{
    const struct hub *hub = ctx;
    return slice_eq(online_name(hub->users[value]), key);
}

int hub_init(struct hub *hub, size_t *memory)
{
    *hub = (struct hub){.watcher_n = 1, .watcher_vacant = 1, .memory = memory};
    return table_init(&hub->names, hub_match, hub);
}

void hub_fini(struct hub *hub)
{
    table_fini(&hub->names);
    free(hub->users);
    free(hub->vacant);
    free(hub->watchers);
    free(hub->watched);
    *hub->memory -= hub->watched_n * sizeof *hub->watched;
}

struct online *hub_find(const struct hub *hub, struct slice name)
{
    uint32_t number = table_find(&hub->names, name);
    return number == TABLE_NONE ? NULL : hub->users[number];
}

/* Room for one more number, both in use and vacant. */
static bool hub_reserve(struct hub *hub)
{
    if (hub->vacant_n || hub->n < hub->cap)
        return true;
    uint32_t cap = hub->cap ? 2 * hub->cap : 16;
    struct online **users = realloc(hub->users, cap * sizeof(struct online *));
    if (!users)
        return false;
    hub->users = users;
    uint32_t *vacant = realloc(hub->vacant, cap * sizeof *vacant);
    if (!vacant)
        return false;
    hub->vacant = vacant;
    hub->cap = cap;
    return true;
}

struct online *hub_enter(struct hub *hub, struct slice name)
{
    struct online *user = hub_find(hub, name);
    if (user)
        return user;
    if (!hub_reserve(hub))
        return NULL;
    user = malloc(sizeof *user + name.n);
    if (!user)
        return NULL;
    list_init(&user->sessions);
    user->count = 0;
    user->number = hub->vacant_n ? hub->vacant[hub->vacant_n - 1] : hub->n;
    user->name_n = (uint8_t)name.n;
    memcpy(user->name, name.p, name.n);
    if (table_add(&hub->names, name, user->number)) {
        free(user);
        return NULL;
    }
    hub->users[user->number] = user;
    *hub->memory += sizeof *user + name.n;
    if (hub->vacant_n)
        hub->vacant_n--;
    else
        hub->n++;
    return user;
}

void hub_leave(struct hub *hub, struct online *user)
{
    table_remove(&hub->names, online_name(user));
    *hub->memory -= sizeof *user + user->name_n;
    hub->users[user->number] = NULL;
    hub->vacant[hub->vacant_n++] = user->number;
    free(user);
}
