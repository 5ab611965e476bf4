#include "world.h"

#include "base/clock.h"
#include "base/random.h"
#include "rng.h"

static struct rng chance;
static int64_t now;

static int64_t world_now(void *ctx)
{
    (void)ctx;
    return now;
}

const struct clock clock_system = {world_now, world_now, NULL};

int random_bytes(void *p, size_t n)
{
    for (uint8_t *to = p; n; n--)
        *to++ = (uint8_t)rng_next(&chance);
    return 0;
}

int random_u32(struct random_pool *pool, uint32_t *out)
{
    (void)pool;
    *out = (uint32_t)rng_next(&chance);
    return 0;
}

void world_begin(uint64_t seed)
{
    chance.state = seed;
    now = 1000;
}

void world_pass(int64_t ms)
{
    now += ms;
}
