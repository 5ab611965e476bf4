#include "chat/hub.h"

#include "base/random.h"
#include "base/table.h"

#include <errno.h>
#include <stdlib.h>

#define HUB_MIN 16 /* heads of a new hub */

static struct online *hub_at(const struct hub *hub, uint32_t number)
{
    return &hub->blocks[number / HUB_BLOCK][number % HUB_BLOCK];
}

/* The head of those whose hashes end like that of this name. */
static uint32_t *hub_head(const struct hub *hub, struct slice name)
{
    return &hub->heads[table_hash(hub->secret, name) & hub->mask];
}

static void hub_link(struct hub *hub, uint32_t number)
{
    struct online *user = hub_at(hub, number);
    uint32_t *head = hub_head(hub, online_name(user));
    user->next = *head;
    *head = number;
}

static bool hub_set_heads(struct hub *hub, uint32_t n)
{
    uint32_t *heads = reallocarray(NULL, n, sizeof *heads);
    if (!heads)
        return false;
    memset(heads, 0xff, n * sizeof *heads); /* HUB_NONE */
    free(hub->heads);
    hub->heads = heads;
    hub->mask = n - 1;
    for (uint32_t i = 0; i < hub->n; i++)
        if (hub_user(hub, i))
            hub_link(hub, i);
    return true;
}

int hub_init(struct hub *hub, size_t *memory)
{
    *hub = (struct hub){.vacant = HUB_NONE, .watcher_n = 1, .watcher_vacant = 1, .memory = memory};
    int result = random_bytes(hub->secret, sizeof hub->secret);
    if (result == 0 && !hub_set_heads(hub, HUB_MIN))
        result = -ENOMEM;
    return result;
}

void hub_fini(struct hub *hub)
{
    for (uint32_t i = 0; i < hub->n; i += HUB_BLOCK)
        free(hub->blocks[i / HUB_BLOCK]);
    free(hub->blocks);
    free(hub->heads);
    free(hub->watchers);
    free(hub->watched);
    *hub->memory -= hub->watched_n * sizeof *hub->watched;
}

/* What holds the number of that user, or the HUB_NONE where he would have been found. */
static uint32_t *hub_find_number(const struct hub *hub, struct slice name)
{
    uint32_t *at = hub_head(hub, name);
    while (*at != HUB_NONE && !slice_eq(online_name(hub_at(hub, *at)), name))
        at = &hub_at(hub, *at)->next;
    return at;
}

struct online *hub_find(const struct hub *hub, struct slice name)
{
    uint32_t number = *hub_find_number(hub, name);
    return number == HUB_NONE ? NULL : hub_at(hub, number);
}

/* A place for one more, and a head. */
static bool hub_reserve(struct hub *hub)
{
    if (hub->online > hub->mask && !hub_set_heads(hub, 2 * (hub->mask + 1)))
        return false;
    if (hub->vacant != HUB_NONE)
        return true;
    uint32_t blocks = hub->n / HUB_BLOCK;
    struct online **grown = reallocarray(hub->blocks, blocks + 1, sizeof(struct online *));
    if (!grown)
        return false;
    hub->blocks = grown;
    struct online *block = calloc(HUB_BLOCK, sizeof *block);
    if (!block)
        return false;
    for (uint32_t i = 0; i < HUB_BLOCK; i++)
        block[i].next = i + 1 < HUB_BLOCK ? hub->n + i + 1 : HUB_NONE;
    hub->blocks[blocks] = block;
    hub->vacant = hub->n;
    hub->n += HUB_BLOCK;
    return true;
}

static size_t online_size(const struct online *user)
{
    return sizeof *user + (user->name_n > sizeof user->name.near ? user->name_n : 0);
}

struct online *hub_enter(struct hub *hub, struct slice name)
{
    struct online *user = hub_find(hub, name);
    if (user || !hub_reserve(hub))
        return user;
    uint32_t number = hub->vacant;
    user = hub_at(hub, number);
    uint8_t *to = user->name.near;
    if (name.n > sizeof user->name.near) {
        to = malloc(name.n);
        if (!to)
            return NULL;
        user->name.far = to;
    }
    memcpy(to, name.p, name.n);
    user->name_n = (uint8_t)name.n;
    user->count = 0;
    user->sessions = NULL;
    hub->vacant = user->next;
    hub_link(hub, number);
    hub->online++;
    *hub->memory += online_size(user);
    return user;
}

void hub_leave(struct hub *hub, struct online *user)
{
    uint32_t *at = hub_find_number(hub, online_name(user)), number = *at;
    *at = user->next;
    user->next = hub->vacant;
    hub->vacant = number;
    hub->online--;
    *hub->memory -= online_size(user);
    if (user->name_n > sizeof user->name.near)
        free(user->name.far);
    user->name_n = 0;
}
