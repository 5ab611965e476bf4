#include "base/clock.h"

#include <time.h>

static int64_t clock_read(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int64_t clock_wall(void *ctx)
{
    (void)ctx;
    return clock_read(CLOCK_REALTIME);
}

static int64_t clock_mono(void *ctx)
{
    (void)ctx;
    return clock_read(CLOCK_MONOTONIC);
}

const struct clock clock_system = {clock_wall, clock_mono, 0};
