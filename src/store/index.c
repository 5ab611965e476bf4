#include "store/index.h"

#include <errno.h>
#include <stdlib.h>

/* Of the table of pairs: the numbers of two users, as in struct conversation. */
static struct slice index_key(const uint32_t user[2])
{
    return slice_of(user, 2 * sizeof *user);
}

static bool index_match_name(const void *ctx, uint32_t value, struct slice key)
{
    return slice_eq(index_name(ctx, value), key);
}

static bool index_match_pair(const void *ctx, uint32_t value, struct slice key)
{
    const struct index *ix = ctx;
    return slice_eq(index_key(ix->conversations[value].user), key);
}

int index_init(struct index *ix)
{
    *ix = (struct index){.hole = INDEX_NONE};
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
    const uint32_t user[2] = {index_find_user(ix, swap ? b : a), index_find_user(ix, swap ? a : b)};
    if (user[0] == INDEX_NONE || user[1] == INDEX_NONE)
        return INDEX_NONE;
    return table_find(&ix->pairs, index_key(user));
}

/* The array with room for `need` entries, or NULL. It grows by little, for it is most of what a
 * conversation costs; where it is large, realloc moves pages and not bytes. */
static void *index_grow(void *array, uint32_t need, uint32_t *cap, size_t size)
{
    if (need <= *cap)
        return array;
    uint32_t more = need + need / 16 + 256;
    void *grown = more < INDEX_NONE / 2 ? reallocarray(array, more, size) : NULL;
    if (grown)
        *cap = more;
    return grown;
}

static int index_add_user(struct index *ix, struct slice name, uint32_t *number)
{
    void *users = index_grow(ix->users, ix->user_count + 1, &ix->user_cap, sizeof *ix->users);
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

/* The numbers of two users, who are added if they are new. */
static int index_intern_pair(struct index *ix, struct slice a, struct slice b, uint32_t out[2])
{
    struct slice names[2] = {a, b};
    uint32_t user[2];
    for (int i = 0; i < 2; i++) {
        user[i] = index_find_user(ix, names[i]);
        if (user[i] == INDEX_NONE && index_add_user(ix, names[i], &user[i]))
            return -ENOMEM;
    }
    int swap = slice_cmp(a, b) > 0;
    out[0] = user[swap];
    out[1] = user[!swap];
    return 0;
}

static void index_push_hole(struct index *ix, uint32_t number)
{
    ix->conversations[number] = (struct conversation){
        .user = {INDEX_NONE, INDEX_NONE},
        .link = {{INDEX_NONE, ix->hole}, {INDEX_NONE, INDEX_NONE}},
    };
    ix->hole = number;
    ix->hole_count++;
}

static void index_remove(struct index *ix, uint32_t number)
{
    table_remove(&ix->pairs, index_key(ix->conversations[number].user));
    index_push_hole(ix, number);
}

/* Makes the array longer, so that it holds this number. */
static int index_reach(struct index *ix, uint32_t number)
{
    void *conversations =
        index_grow(ix->conversations, number + 1, &ix->conversation_cap, sizeof *ix->conversations);
    if (!conversations)
        return -ENOMEM;
    ix->conversations = conversations;
    while (ix->conversation_count <= number)
        index_push_hole(ix, ix->conversation_count++);
    return 0;
}

/* The hole of this number becomes the conversation of the pair. */
static int index_add(struct index *ix, const uint32_t pair[2], uint32_t number)
{
    int result = table_add(&ix->pairs, index_key(pair), number);
    if (result)
        return result;
    ix->hole_count--;
    ix->conversations[number] = (struct conversation){
        .user = {pair[0], pair[1]},
        .link = {{INDEX_NONE, INDEX_NONE}, {INDEX_NONE, INDEX_NONE}},
    };
    return 0;
}

int index_intern(struct index *ix, struct slice a, struct slice b, uint32_t *number)
{
    uint32_t pair[2];
    int result = index_intern_pair(ix, a, b, pair);
    if (result)
        return result;
    *number = table_find(&ix->pairs, index_key(pair));
    if (*number != INDEX_NONE)
        return 0;
    if (ix->hole == INDEX_NONE)
        result = index_reach(ix, ix->conversation_count);
    if (result)
        return result;
    *number = ix->hole;
    uint32_t next = ix->conversations[*number].link[0].next;
    result = index_add(ix, pair, *number);
    if (!result)
        ix->hole = next;
    return result;
}

int index_load_users(struct index *ix, struct slice a, struct slice b, uint32_t number)
{
    uint32_t pair[2];
    int result = index_intern_pair(ix, a, b, pair);
    if (result)
        return result;
    if (table_find(&ix->pairs, index_key(pair)) != INDEX_NONE || index_is_used(ix, number))
        return -EEXIST;
    if (number >= ix->conversation_count)
        result = index_reach(ix, number);
    return result ? result : index_add(ix, pair, number);
}

/* Takes it out of the user's list, if it is there. */
static void index_unlink(struct index *ix, uint32_t number, uint32_t user)
{
    struct user *u = &ix->users[user];
    struct conversation *all = ix->conversations, *c = &all[number];
    int side = index_is_second(c, user);
    uint32_t prev = c->link[side].prev, next = c->link[side].next;
    if (prev != INDEX_NONE)
        all[prev].link[index_is_second(&all[prev], user)].next = next;
    if (next != INDEX_NONE)
        all[next].link[index_is_second(&all[next], user)].prev = prev;
    if (u->head == number)
        u->head = next;
}

static void index_move_to_front(struct index *ix, uint32_t number, uint32_t user)
{
    struct user *u = &ix->users[user];
    if (u->head == number)
        return;
    struct conversation *all = ix->conversations, *c = &all[number];
    int side = index_is_second(c, user);
    index_unlink(ix, number, user);
    c->link[side].prev = INDEX_NONE;
    c->link[side].next = u->head;
    if (u->head != INDEX_NONE)
        all[u->head].link[index_is_second(&all[u->head], user)].prev = number;
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

bool index_mark(struct index *ix, uint32_t number, bool second, uint64_t up_to)
{
    struct conversation *c = &ix->conversations[number];
    if (up_to <= c->mark[second])
        return false;
    c->mark[second] = up_to;
    if (c->unread[second])
        c->unread[second] = up_to >= c->last_id ? 0 : INDEX_UNCOUNTED;
    return true;
}

/* What has not been read are the newest ones, and those that are gone the oldest. */
void index_drop(struct index *ix, uint64_t from, uint64_t to, const uint32_t (*gone)[2],
                uint32_t count)
{
    for (uint32_t i = 0; i < ix->conversation_count; i++) {
        struct conversation *c = &ix->conversations[i];
        for (int k = 0; k < 2; k++) {
            if (!c->unread[k] || c->unread[k] & INDEX_UNCOUNTED || c->mark[k] >= to)
                continue;
            if (gone && c->mark[k] < from)
                c->unread[k] -= i < count ? gone[i][!k] : 0;
            else
                c->unread[k] = INDEX_UNCOUNTED;
        }
    }
}

/* Neither used nor a hole. What is being read knows it still: `last_id` stays, and there is nothing at
 * `last`. */
static void index_bury(struct index *ix, uint32_t number)
{
    struct conversation *c = &ix->conversations[number];
    *c = (struct conversation){.user = {INDEX_NONE, INDEX_NONE}, .last_id = c->last_id};
    ix->hole_count++;
}

void index_erase(struct index *ix, uint32_t user, uint8_t *set)
{
    uint32_t number;
    while ((number = ix->users[user].head) != INDEX_NONE) {
        struct conversation *c = &ix->conversations[number];
        index_unlink(ix, number, c->user[0]);
        if (c->user[1] != c->user[0])
            index_unlink(ix, number, c->user[1]);
        table_remove(&ix->pairs, index_key(c->user));
        index_bury(ix, number);
        set[number / 8] |= (uint8_t)(1 << number % 8);
    }
}

uint32_t index_next(const struct index *ix, uint32_t number, uint32_t user)
{
    const struct conversation *c = &ix->conversations[number];
    return c->link[index_is_second(c, user)].next;
}

/* ---- loading ----------------------------------------------------------------------------- */

struct newest {
    uint64_t id;
    uint32_t number;
};

static int index_compare(const void *a, const void *b)
{
    const struct newest *x = a, *y = b;
    return (x->id > y->id) - (x->id < y->id);
}

int index_load_end(struct index *ix, const uint8_t *erased, uint32_t erased_count)
{
    uint32_t count = 0;
    if (erased_count && index_reach(ix, erased_count - 1))
        return -ENOMEM;
    struct newest *all = calloc((size_t)ix->conversation_count + 1, sizeof *all);
    if (!all)
        return -ENOMEM;
    ix->hole = INDEX_NONE;
    ix->hole_count = 0;
    for (uint32_t i = ix->conversation_count; i-- > 0;) {
        bool used = index_is_used(ix, i), gone = i < erased_count && index_bit(erased, i);
        if (used && gone)
            table_remove(&ix->pairs, index_key(ix->conversations[i].user));
        if (gone)
            index_bury(ix, i);
        else if (used && ix->conversations[i].last < ix->begin)
            index_remove(ix, i);
        else if (!used)
            index_push_hole(ix, i);
        else
            all[count++] = (struct newest){ix->conversations[i].last_id, i};
    }
    qsort(all, count, sizeof *all, index_compare);
    for (uint32_t i = 0; i < count; i++) {
        const struct conversation *c = &ix->conversations[all[i].number];
        index_commit(ix, all[i].number, c->last, c->last_id);
    }
    free(all);
    return 0;
}

/* From the highest on, so that the lowest numbers are given first: the place of a record bounds them. */
void index_forget_uncommitted(struct index *ix)
{
    for (uint32_t i = ix->conversation_count; i-- > 0;) {
        if (index_is_used(ix, i) && !ix->conversations[i].last)
            index_remove(ix, i);
    }
    while (ix->user_count && ix->users[ix->user_count - 1].head == INDEX_NONE) {
        table_remove(&ix->names, index_name(ix, ix->user_count - 1));
        free(ix->users[--ix->user_count].name);
    }
}
