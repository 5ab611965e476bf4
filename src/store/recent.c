#include "store/recent.h"

#include <stdlib.h>

void recent_add(struct recent *r, uint64_t place, struct slice batch)
{
    if (batch.n == 0 || batch.n > r->size)
        return;
    if (!r->bytes && !(r->bytes = malloc(2 * (size_t)r->size)))
        return;
    uint32_t b = r->newer;
    if (place != r->place[b] + r->used[b] || batch.n > r->size - r->used[b]) {
        r->newer = b = !b;
        r->place[b] = place;
        r->used[b] = 0;
    }
    memcpy(r->bytes + (size_t)b * r->size + r->used[b], batch.p, batch.n);
    r->used[b] += (uint32_t)batch.n;
}

struct slice recent_find(const struct recent *r, uint64_t place, size_t need)
{
    for (uint32_t i = 0; i < 2; i++) {
        uint32_t b = r->newer ^ i;
        uint64_t from = place - r->place[b]; /* huge: it lies in front */
        if (from < r->used[b] && need <= r->used[b] - from)
            return slice_of(r->bytes + (size_t)b * r->size + from, r->used[b] - (size_t)from);
    }
    return (struct slice){0};
}

void recent_fini(struct recent *r)
{
    free(r->bytes);
    *r = (struct recent){0};
}
