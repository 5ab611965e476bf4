#include "simnames.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static struct simname *simnames_find_in(const struct simnames_list *list, const char *name)
{
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(list->at[i].name, name) == 0)
            return &list->at[i];
    return NULL;
}

const struct simname *simnames_find(const struct simnames *n, const char *name)
{
    return simnames_find_in(&n->now, name);
}

static void simnames_apply(struct simnames_list *list, const struct simnames_change *c)
{
    struct simname *from = simnames_find_in(list, c->from);
    if (from)
        *from = list->at[--list->count];
    if (!*c->to)
        return;
    struct simname *to = simnames_find_in(list, c->to);
    if (!to) {
        list->at = simfile_grow(list->at, list->count, &list->cap, sizeof *list->at);
        to = &list->at[list->count++];
        memcpy(to->name, c->to, sizeof to->name);
    }
    to->file = c->file;
}

static void simnames_copy(struct simnames_list *to, const struct simnames_list *from)
{
    to->count = 0;
    for (size_t i = 0; i < from->count; i++) {
        to->at = simfile_grow(to->at, to->count, &to->cap, sizeof *to->at);
        to->at[to->count++] = from->at[i];
    }
}

void simnames_change(struct simnames *n, const char *from, const char *to, int file)
{
    struct simnames_change c = {"", "", file};
    assert(strlen(from) < SIMNAMES_MAX && strlen(to) < SIMNAMES_MAX);
    memcpy(c.from, from, strlen(from));
    memcpy(c.to, to, strlen(to));
    n->changes = simfile_grow(n->changes, n->change_count, &n->change_cap, sizeof *n->changes);
    n->changes[n->change_count++] = c;
    simnames_apply(&n->now, &c);
}

void simnames_sync(struct simnames *n)
{
    simnames_copy(&n->durable, &n->now);
    n->change_count = 0;
}

/* Each is kept or lost for itself. */
void simnames_cut(struct simnames *n, struct rng *rng, enum simfile_loss loss)
{
    for (size_t i = 0; i < n->change_count; i++)
        if (loss == SIMFILE_LOSE_NONE || (loss != SIMFILE_LOSE_ALL && rng_percent(rng, 50)))
            simnames_apply(&n->durable, &n->changes[i]);
    n->change_count = 0;
    simnames_copy(&n->now, &n->durable);
}

void simnames_free(struct simnames *n)
{
    free(n->durable.at);
    free(n->now.at);
    free(n->changes);
}
