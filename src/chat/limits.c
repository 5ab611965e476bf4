#include "chat/limits.h"

#include <stdlib.h>

/* ---- the bucket -------------------------------------------------------------------------- */

static uint32_t bucket_size(uint32_t rate)
{
    return 2000 * rate; /* fits 32 bits for a million */
}

void bucket_init(struct bucket *b, int64_t now, uint32_t rate)
{
    *b = (struct bucket){(uint32_t)now, bucket_size(rate)};
}

bool bucket_take(struct bucket *b, int64_t now, uint32_t rate)
{
    uint64_t passed = (uint32_t)now - b->refilled;
    uint64_t credit = b->credit + passed * rate;
    b->refilled = (uint32_t)now;
    b->credit = credit < bucket_size(rate) ? (uint32_t)credit : bucket_size(rate);
    if (b->credit < 1000)
        return false;
    b->credit -= 1000;
    return true;
}

/* ---- the back-off ------------------------------------------------------------------------ */

void backoff_fini(struct backoff *b)
{
    free(b->entries);
}

static struct ip network_of(const struct ip *ip)
{
    static const struct ip mapped = {{[10] = 0xff, [11] = 0xff}};
    struct ip network = *ip;
    if (memcmp(ip, &mapped, 12) != 0)
        memset(network.bytes + 8, 0, 8);
    return network;
}

static struct backoff_entry *backoff_find(const struct backoff *b, const struct ip *network)
{
    for (uint32_t i = 0; i < b->n; i++)
        if (memcmp(&b->entries[i].ip, network, sizeof *network) == 0)
            return &b->entries[i];
    return NULL;
}

int64_t backoff_wait(const struct backoff *b, const struct ip *ip, int64_t now)
{
    struct ip network = network_of(ip);
    const struct backoff_entry *e = backoff_find(b, &network);
    return e && e->until > now ? e->until - now : 0;
}

/* The address's entry, made if there is none; NULL: out of memory. */
static struct backoff_entry *backoff_enter(struct backoff *b, const struct ip *network)
{
    struct backoff_entry *e = backoff_find(b, network);
    if (e)
        return e;
    if (!b->entries)
        b->entries = calloc(BACKOFF_ADDRESSES, sizeof *b->entries);
    if (!b->entries)
        return NULL;
    if (b->n < BACKOFF_ADDRESSES) {
        e = &b->entries[b->n++];
    } else {
        e = b->entries;
        for (uint32_t i = 1; i < b->n; i++)
            if (b->entries[i].last < e->last)
                e = &b->entries[i];
    }
    *e = (struct backoff_entry){.ip = *network};
    return e;
}

int64_t backoff_count(struct backoff *b, const struct ip *ip, int64_t now)
{
    struct ip network = network_of(ip);
    struct backoff_entry *e = backoff_enter(b, &network);
    if (!e)
        return 0;
    /* A wait is no silence of the address's own. */
    int64_t since = e->until > e->last ? e->until : e->last;
    if (now - since > BACKOFF_WINDOW_MS)
        e->bad = 0;
    e->last = now;
    if (++e->bad <= BACKOFF_FREE)
        return 0;
    uint32_t doublings = e->bad - BACKOFF_FREE - 1;
    int64_t wait = 1000LL << (doublings < 6 ? doublings : 6);
    e->until = now + wait;
    return wait;
}
