#include "net/loop.h"

#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

/* Events taken from the kernel at once: enough to share a turn's cost, few enough for the stack. */
#define LOOP_EVENTS 256

int loop_init(struct loop *loop, const struct clock *clock)
{
    *loop = (struct loop){.epoll = -1, .clock = clock};
    for (int i = 0; i < LOOP_SLOTS; i++)
        list_init(&loop->slots[i]);
    loop->now = clock_mono_ms(clock);
    loop->tick = (uint64_t)loop->now / LOOP_SLOT_MS;
    loop->epoll = epoll_create1(EPOLL_CLOEXEC);
    return loop->epoll < 0 ? -errno : 0;
}

void loop_fini(struct loop *loop)
{
    if (loop->epoll >= 0)
        close(loop->epoll);
}

int loop_watch(struct loop *loop, struct watch *w, uint32_t events)
{
    struct epoll_event e = {.events = events, .data.ptr = w};
    /* A new descriptor has no events yet; an old one may be watched for none for a while. */
    int result = epoll_ctl(loop->epoll, w->events ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, w->fd, &e);
    if (result < 0 && errno == EEXIST)
        result = epoll_ctl(loop->epoll, EPOLL_CTL_MOD, w->fd, &e);
    if (result < 0)
        return -errno;
    w->events = events;
    return 0;
}

int loop_unwatch(struct loop *loop, struct watch *w)
{
    int fd = w->fd;
    if (fd >= 0)
        epoll_ctl(loop->epoll, EPOLL_CTL_DEL, fd, NULL);
    w->fd = -1;
    w->events = 0;
    return fd;
}

void timer_init(struct timer *t, void (*fire)(struct timer *t))
{
    list_init(&t->link);
    t->fire = fire;
}

void timer_set(struct loop *loop, struct timer *t, int64_t after)
{
    t->due = loop->now + after;
    uint64_t slot = ((uint64_t)t->due + LOOP_SLOT_MS - 1) / LOOP_SLOT_MS;
    /* The slot of this moment has been looked through already. */
    if (slot <= loop->tick)
        slot = loop->tick + 1;
    slot %= LOOP_SLOTS;
    list_remove(&t->link);
    list_append(&loop->slots[slot], &t->link);
    loop->used[slot / 64] |= 1ULL << slot % 64;
}

void timer_stop(struct timer *t)
{
    list_remove(&t->link);
}

/* ms until the next slot that may hold a timer begins; -1: no timer at all. */
static int64_t loop_next_slot(const struct loop *loop)
{
    for (uint64_t i = 1; i <= LOOP_SLOTS; i++) {
        uint64_t slot = (loop->tick + i) % LOOP_SLOTS;
        uint64_t word = loop->used[slot / 64] >> slot % 64;
        if (word & 1 && !list_empty(&loop->slots[slot])) /* not one whose timers were all stopped */
            return (int64_t)((loop->tick + i) * LOOP_SLOT_MS) - loop->now;
        if (!word)
            i += 63 - slot % 64;
    }
    return -1;
}

static void loop_fire_slot(struct loop *loop, uint64_t slot)
{
    struct list due;
    list_init(&due);
    list_splice(&due, &loop->slots[slot]);
    loop->used[slot / 64] &= ~(1ULL << slot % 64);
    while (!list_empty(&due)) {
        struct timer *t = container_of(due.next, struct timer, link);
        list_remove(&t->link);
        if (t->due <= loop->now) {
            t->fire(t);
        } else { /* of a later round */
            list_append(&loop->slots[slot], &t->link);
            loop->used[slot / 64] |= 1ULL << slot % 64;
        }
    }
}

static void loop_fire_timers(struct loop *loop)
{
    uint64_t tick = (uint64_t)loop->now / LOOP_SLOT_MS;
    uint64_t passed = tick - loop->tick;
    if (passed > LOOP_SLOTS)
        passed = LOOP_SLOTS;
    loop->tick = tick;
    for (uint64_t i = passed; i > 0; i--)
        loop_fire_slot(loop, (tick + 1 - i) % LOOP_SLOTS);
}

int loop_wait_ms(const struct loop *loop, int max_ms)
{
    if (loop->busy)
        return 0;
    int64_t wait = loop_next_slot(loop);
    if (wait < 0)
        return max_ms;
    int64_t passed = clock_mono_ms(loop->clock) - loop->now;
    wait = wait > passed ? wait - passed : 0;
    return max_ms >= 0 && wait > max_ms ? max_ms : (int)wait;
}

static void loop_run(const struct loop_hook *hook)
{
    if (hook->run)
        hook->run(hook->ctx);
}

int loop_turn(struct loop *loop, int max_ms)
{
    struct epoll_event events[LOOP_EVENTS];
    int n = epoll_wait(loop->epoll, events, LOOP_EVENTS, loop_wait_ms(loop, max_ms));
    if (n < 0) {
        if (errno != EINTR)
            return -errno;
        n = 0;
    }
    loop->now = clock_mono_ms(loop->clock);
    loop->ready = n;
    for (int i = 0; i < n; i++) {
        struct watch *w = events[i].data.ptr;
        if (w->fd >= 0)
            w->ready(w, events[i].events);
    }
    loop_fire_timers(loop);
    loop->busy = false;
    loop_run(&loop->settle);
    loop_run(&loop->flush);
    return n;
}
