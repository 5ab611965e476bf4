/* hand_clock: a clock that stands still until the test moves it. */
#ifndef SUPPORT_HAND_CLOCK_H
#define SUPPORT_HAND_CLOCK_H

#include "base/clock.h"

struct hand_clock {
    int64_t ms; /* both times */
    struct clock clock;
};

static inline int64_t hand_clock_read(void *ctx)
{
    return ((struct hand_clock *)ctx)->ms;
}

static inline void hand_clock_init(struct hand_clock *h, int64_t ms)
{
    h->ms = ms;
    h->clock = (struct clock){hand_clock_read, hand_clock_read, h};
}

#endif
