#include "base/table.h"

#include "base/endian.h"
#include "base/random.h"

#include <errno.h>
#include <stdlib.h>

#define TABLE_MIN 16 /* slots of a new table */

static inline uint64_t rotl(uint64_t x, int n)
{
    return x << n | x >> (64 - n);
}

struct sip {
    uint64_t v0, v1, v2, v3;
};

static inline void sip_round(struct sip *s)
{
    s->v0 += s->v1;
    s->v1 = rotl(s->v1, 13) ^ s->v0;
    s->v0 = rotl(s->v0, 32);
    s->v2 += s->v3;
    s->v3 = rotl(s->v3, 16) ^ s->v2;
    s->v0 += s->v3;
    s->v3 = rotl(s->v3, 21) ^ s->v0;
    s->v2 += s->v1;
    s->v1 = rotl(s->v1, 17) ^ s->v2;
    s->v2 = rotl(s->v2, 32);
}

static uint64_t siphash13(const uint64_t key[2], const uint8_t *p, size_t n)
{
    struct sip s = {key[0] ^ 0x736f6d6570736575, key[1] ^ 0x646f72616e646f6d,
                    key[0] ^ 0x6c7967656e657261, key[1] ^ 0x7465646279746573};
    uint64_t last = (uint64_t)n << 56;
    for (; n >= 8; p += 8, n -= 8) {
        uint64_t m = le64_load(p);
        s.v3 ^= m;
        sip_round(&s);
        s.v0 ^= m;
    }
    for (size_t i = 0; i < n; i++)
        last |= (uint64_t)p[i] << (8 * i);
    s.v3 ^= last;
    sip_round(&s);
    s.v0 ^= last;
    s.v2 ^= 0xff;
    sip_round(&s);
    sip_round(&s);
    sip_round(&s);
    return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

static struct table_slot *table_slots_new(uint32_t n)
{
    struct table_slot *slots = reallocarray(NULL, n, sizeof *slots);
    if (slots)
        for (uint32_t i = 0; i < n; i++)
            slots[i] = (struct table_slot){0, TABLE_NONE};
    return slots;
}

int table_init(struct table *t, table_match *match, const void *ctx)
{
    *t = (struct table){.mask = TABLE_MIN - 1, .match = match, .ctx = ctx};
    int result = random_bytes(t->key, sizeof t->key);
    if (result)
        return result;
    t->slots = table_slots_new(TABLE_MIN);
    return t->slots ? 0 : -ENOMEM;
}

void table_fini(struct table *t)
{
    free(t->slots);
    t->slots = NULL;
}

uint32_t table_hash(const uint64_t secret[2], struct slice key)
{
    return (uint32_t)siphash13(secret, key.p, key.n);
}

/* The slot of that key, or the empty one where it would be put. */
static uint32_t table_slot(const struct table *t, struct slice key, uint32_t hash)
{
    uint32_t i = hash & t->mask;
    for (; t->slots[i].value != TABLE_NONE; i = (i + 1) & t->mask)
        if (t->slots[i].hash == hash && t->match(t->ctx, t->slots[i].value, key))
            break;
    return i;
}

uint32_t table_find(const struct table *t, struct slice key)
{
    return t->slots[table_slot(t, key, table_hash(t->key, key))].value;
}

static void table_put(struct table_slot *slots, uint32_t mask, struct table_slot entry)
{
    uint32_t i = entry.hash & mask;
    while (slots[i].value != TABLE_NONE) // NOLINT: table_slots_new has set them all
        i = (i + 1) & mask;
    slots[i] = entry;
}

static int table_grow(struct table *t)
{
    uint32_t size = t->mask + 1;
    if (size > UINT32_MAX / 4)
        return -ENOMEM;
    struct table_slot *slots = table_slots_new(size * 2);
    if (!slots)
        return -ENOMEM;
    for (uint32_t i = 0; i < size; i++)
        if (t->slots[i].value != TABLE_NONE)
            table_put(slots, size * 2 - 1, t->slots[i]);
    free(t->slots);
    t->slots = slots;
    t->mask = size * 2 - 1;
    return 0;
}

int table_add(struct table *t, struct slice key, uint32_t value)
{
    if (t->count + 1 > (t->mask + 1) / 8 * 7) {
        int result = table_grow(t);
        if (result)
            return result;
    }
    table_put(t->slots, t->mask, (struct table_slot){table_hash(t->key, key), value});
    t->count++;
    return 0;
}

void table_remove(struct table *t, struct slice key)
{
    uint32_t hole = table_slot(t, key, table_hash(t->key, key));
    if (t->slots[hole].value == TABLE_NONE)
        return;
    /* Close the gap: whoever was pushed past the hole by it moves back into it. */
    for (uint32_t i = (hole + 1) & t->mask; t->slots[i].value != TABLE_NONE;
         i = (i + 1) & t->mask) {
        uint32_t home = t->slots[i].hash & t->mask;
        if (((i - home) & t->mask) >= ((i - hole) & t->mask)) {
            t->slots[hole] = t->slots[i];
            hole = i;
        }
    }
    t->slots[hole].value = TABLE_NONE;
    t->count--;
}
