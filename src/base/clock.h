/*
 * clock: the time, as a parameter. Tests hand in one that they move themselves.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

struct clock {
    int64_t (*wall_ms)(void *ctx); /* milliseconds since the Unix epoch, UTC; may jump */
    int64_t (*mono_ms)(void *ctx); /* milliseconds since some start; never goes back */
    void *ctx;
};

/* The system's clock. */
extern const struct clock clock_system;

static inline int64_t clock_wall_ms(const struct clock *c)
{
    return c->wall_ms(c->ctx);
}

static inline int64_t clock_mono_ms(const struct clock *c)
{
    return c->mono_ms(c->ctx);
}

#endif
