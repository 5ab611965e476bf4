#include "store/index.h"

#include "base/endian.h"

#include <errno.h>
#include <stdlib.h>

/* The key of a pair: the two numbers, as in struct conversation. */
struct pair {
    uint8_t bytes[8];
};

static struct pair index_pair(uint32_t first, uint32_t second)
{
    struct pair pair = {0};
    le32_store(pair.bytes, first);
    le32_store(pair.bytes + 4, second);
    return pair;
}

static bool index_match_name(const void *ctx, uint32_t value, struct slice key)
{
    return slice_eq(index_name(ctx, value), key);
}

static bool index_match_pair(const void *ctx, uint32_t value, struct slice key)
{
    const struct index *ix = ctx;
    const struct conversation *c = &ix->conversations[value];
    return c->user[0] == le32_load(key.p) && c->user[1] == le32_load(key.p + 4);
}

int index_init(struct index *ix)
{
    *ix = (struct index){0};
    int result = table_init(&ix->names, index_match_name, ix);
    return result ? result : table_init(&ix->pairs, index_match_pair, ix);
}

void index_fini(struct index *ix)
{
    for (uint32_t i = 0; i < ix->user_count; i++)
        free(ix->users[i].name);
    free(ix->users);
    free(ix->conversations);
    table_fini(&ix->names);
    table_fini(&ix->pairs);
}

struct slice index_name(const struct index *ix, uint32_t user)
{
    return slice_of(ix->users[user].name, ix->users[user].name_length);
}

uint32_t index_find_user(const struct index *ix, struct slice name)
{
    return table_find(&ix->names, name);
}

uint32_t index_find(const struct index *ix, struct slice a, struct slice b)
{
    bool swap = slice_cmp(a, b) > 0;
    uint32_t first = index_find_user(ix, swap ? b : a);
    uint32_t second = index_find_user(ix, swap ? a : b);
    if (first == INDEX_NONE || second == INDEX_NONE)
        return INDEX_NONE;
    struct pair pair = index_pair(first, second);
    return table_find(&ix->pairs, slice_of(pair.bytes, sizeof pair.bytes));
}

/* An array of `count` entries with room for one more, or NULL. */
static void *index_grow(void *array, uint32_t count, uint32_t *cap, size_t size)
{
    if (count < *cap)
        return array;
    if (count >= INDEX_NONE / 2)
        return NULL;
    uint32_t more = count ? count * 2 : 64;
    void *grown = more > SIZE_MAX / size ? NULL : realloc(array, more * size);
    if (grown)
        *cap = more;
    return grown;
}

static int index_add_user(struct index *ix, struct slice name, uint32_t *number)
{
    void *users = index_grow(ix->users, ix->user_count, &ix->user_cap, sizeof *ix->users);
    if (!users)
        return -ENOMEM;
    ix->users = users;
    uint8_t *copy = malloc(name.n);
    if (!copy)
        return -ENOMEM;
    memcpy(copy, name.p, name.n);
    *number = ix->user_count;
    ix->users[*number] = (struct user){copy, (uint32_t)name.n, INDEX_NONE};
    if (table_add(&ix->names, name, *number)) {
        free(copy);
        return -ENOMEM;
    }
    ix->user_count++;
    return 0; // cppcheck-suppress memleak; the array owns the copy
}

static int index_add(struct index *ix, uint32_t first, uint32_t second, uint32_t *number)
{
    void *conversations = index_grow(ix->conversations, ix->conversation_count,
                                     &ix->conversation_cap, sizeof *ix->conversations);
    if (!conversations)
        return -ENOMEM;
    ix->conversations = conversations;
    *number = ix->conversation_count;
    ix->conversations[*number] = (struct conversation){
        .user = {first, second},
        .link = {{INDEX_NONE, INDEX_NONE}, {INDEX_NONE, INDEX_NONE}},
    };
    struct pair pair = index_pair(first, second);
    int result = table_add(&ix->pairs, slice_of(pair.bytes, sizeof pair.bytes), *number);
    if (!result)
        ix->conversation_count++;
    return result;
}

int index_intern(struct index *ix, struct slice a, struct slice b, uint32_t *number)
{
    struct slice names[2] = {a, b};
    uint32_t user[2];
    for (int i = 0; i < 2; i++) {
        user[i] = index_find_user(ix, names[i]);
        if (user[i] == INDEX_NONE && index_add_user(ix, names[i], &user[i]))
            return -ENOMEM;
    }
    int swap = slice_cmp(a, b) > 0;
    struct pair pair = index_pair(user[swap], user[!swap]);
    *number = table_find(&ix->pairs, slice_of(pair.bytes, sizeof pair.bytes));
    return *number == INDEX_NONE ? index_add(ix, user[swap], user[!swap], number) : 0;
}

/* Which of the conversation's links belongs to the user's list. */
static int index_side(const struct conversation *c, uint32_t user)
{
    return c->user[0] == user ? 0 : 1;
}

static void index_move_to_front(struct index *ix, uint32_t number, uint32_t user)
{
    struct user *u = &ix->users[user];
    if (u->head == number)
        return;
    struct conversation *all = ix->conversations, *c = &all[number];
    int side = index_side(c, user);
    uint32_t prev = c->link[side].prev, next = c->link[side].next;
    if (prev != INDEX_NONE)
        all[prev].link[index_side(&all[prev], user)].next = next;
    if (next != INDEX_NONE)
        all[next].link[index_side(&all[next], user)].prev = prev;
    c->link[side].prev = INDEX_NONE;
    c->link[side].next = u->head;
    if (u->head != INDEX_NONE)
        all[u->head].link[index_side(&all[u->head], user)].prev = number;
    u->head = number;
}

void index_commit(struct index *ix, uint32_t number, uint64_t place, uint64_t id)
{
    struct conversation *c = &ix->conversations[number];
    c->last = place;
    c->last_id = id;
    if (c->tail < place)
        c->tail = place;
    index_move_to_front(ix, number, c->user[0]);
    index_move_to_front(ix, number, c->user[1]);
}

uint32_t index_next(const struct index *ix, uint32_t number, uint32_t user)
{
    const struct conversation *c = &ix->conversations[number];
    return c->link[index_side(c, user)].next;
}

void index_forget_uncommitted(struct index *ix)
{
    while (ix->conversation_count && ix->conversations[ix->conversation_count - 1].last == 0) {
        const struct conversation *c = &ix->conversations[ix->conversation_count - 1];
        struct pair pair = index_pair(c->user[0], c->user[1]);
        table_remove(&ix->pairs, slice_of(pair.bytes, sizeof pair.bytes));
        ix->conversation_count--;
    }
    while (ix->user_count && ix->users[ix->user_count - 1].head == INDEX_NONE) {
        table_remove(&ix->names, index_name(ix, ix->user_count - 1));
        free(ix->users[--ix->user_count].name);
    }
}
