#include "store/keys.h"

#include "codec/sha256.h"

#include <errno.h>
#include <stdlib.h>

static struct slice keys_who(const struct key *key)
{
    return slice_of(key->who, sizeof key->who);
}

static bool keys_match(const void *ctx, uint32_t value, struct slice who)
{
    const struct keys *k = ctx;
    return slice_eq(keys_who(&k->ring[value]), who);
}

int keys_init(struct keys *k, uint32_t max)
{
    *k = (struct keys){.max = max ? max : KEYS_MAX};
    return table_init(&k->by_who, keys_match, k);
}

void keys_fini(struct keys *k)
{
    free(k->ring);
    table_fini(&k->by_who);
    buf_free(&k->loaded);
}

struct key keys_describe(struct slice from, struct slice key, struct slice json, uint64_t id,
                         int64_t date)
{
    struct key out = {.id = id, .date = date};
    uint8_t digest[SHA256_SIZE];
    struct sha256 h;
    /* No name holds a control character. */
    sha256_init(&h);
    sha256_update(&h, from);
    sha256_update(&h, slice_of("", 1));
    sha256_update(&h, key);
    sha256_final(&h, digest);
    memcpy(out.who, digest, sizeof out.who);
    /* All but the id in front and the date behind. */
    const uint8_t *begin = memchr(json.p, ',', json.n), *end = memrchr(json.p, ',', json.n);
    sha256_init(&h);
    if (begin)
        sha256_update(&h, slice_of(begin, (size_t)(end - begin)));
    sha256_final(&h, digest);
    memcpy(out.what, digest, sizeof out.what);
    return out;
}

const struct key *keys_find(const struct keys *k, const struct key *key)
{
    uint32_t place = table_find(&k->by_who, keys_who(key));
    return place == TABLE_NONE ? NULL : &k->ring[place];
}

/* Its place in the ring may be given to another. */
static void keys_remove(struct keys *k, uint64_t number)
{
    uint32_t place = (uint32_t)(number % k->max);
    struct slice who = keys_who(&k->ring[place]);
    if (table_find(&k->by_who, who) == place)
        table_remove(&k->by_who, who);
}

/* A log may say any date. */
static bool keys_is_over(const struct key *key, int64_t now)
{
    return key->date < now && (uint64_t)now - (uint64_t)key->date > KEYS_MS;
}

int keys_add(struct keys *k, const struct key *key)
{
    if (!k->ring)
        k->ring = calloc(k->max, sizeof *k->ring); /* what is not used is not there */
    if (!k->ring)
        return -ENOMEM;
    while (k->next - k->first == k->max || (k->next - k->first > KEYS_LEAST &&
                                            keys_is_over(&k->ring[k->first % k->max], key->date)))
        keys_remove(k, k->first++);
    uint32_t place = (uint32_t)(k->next % k->max);
    k->ring[place] = *key;
    int result = table_add(&k->by_who, keys_who(key), place);
    if (!result)
        k->next++;
    return result;
}

void keys_forget(struct keys *k, uint64_t id)
{
    while (k->first < k->next && k->ring[(k->next - 1) % k->max].id >= id)
        keys_remove(k, --k->next);
}

void keys_erase(struct keys *k, uint64_t id)
{
    uint64_t low = k->first, high = k->next;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (k->ring[middle % k->max].id < id)
            low = middle + 1;
        else
            high = middle;
    }
    struct key *key = low < k->next ? &k->ring[low % k->max] : NULL;
    if (!key || key->id != id)
        return;
    keys_remove(k, low);
    memset(key->who, 0, sizeof key->who);
    memset(key->what, 0, sizeof key->what);
}

/* ---- loading ----------------------------------------------------------------------------- */

static int keys_compare(const void *a, const void *b)
{
    const struct key *x = a, *y = b;
    return (x->id > y->id) - (x->id < y->id);
}

/* In the order of their ids, each once, and the newest ones only. */
static void keys_sort(struct keys *k)
{
    struct key *all = (struct key *)(void *)k->loaded.p;
    size_t count = k->loaded.n / sizeof *all, kept = 0;
    if (count)
        qsort(all, count, sizeof *all, keys_compare);
    for (size_t i = 0; i < count; i++)
        if (!kept || all[kept - 1].id != all[i].id)
            all[kept++] = all[i];
    size_t over = kept > k->max ? kept - k->max : 0;
    k->loaded.n = kept * sizeof *all;
    buf_drop(&k->loaded, over * sizeof *all);
}

int keys_load(struct keys *k, const struct key *key)
{
    if (k->loaded.n / sizeof *key >= (size_t)k->max * 2)
        keys_sort(k);
    buf_append(&k->loaded, key, sizeof *key);
    return k->loaded.failed ? -ENOMEM : 0;
}

int keys_load_end(struct keys *k)
{
    keys_sort(k);
    const struct key *all = (const struct key *)(const void *)k->loaded.p;
    int result = 0;
    for (size_t i = 0; i < k->loaded.n / sizeof *all && !result; i++) {
        /* One that was forgotten may have been used again. */
        table_remove(&k->by_who, keys_who(&all[i]));
        result = keys_add(k, &all[i]);
    }
    buf_free(&k->loaded);
    return result;
}
