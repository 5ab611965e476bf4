#include "net/loop.h"

#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

/* Events taken from the kernel at once: enough to share a turn's cost, few enough for the stack. */
#define LOOP_EVENTS 256
/* What is kept of the number of a slot: which of two comes first shows as long as they are at most half of
   it apart. */
#define DUE_MASK ((1U << 29) - 1)

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

void source_init(struct source *s, const struct source_kind *kind, int fd)
{
    *s = (struct source){.kind = kind, .fd = fd};
    list_init(&s->link);
}

int loop_watch(struct loop *loop, struct source *s, uint32_t events)
{
    struct epoll_event e = {.events = events, .data.ptr = s};
    /* A new descriptor has no events yet; an old one may be watched for none for a while. */
    int result = epoll_ctl(loop->epoll, s->events ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, s->fd, &e);
    if (result < 0 && errno == EEXIST)
        result = epoll_ctl(loop->epoll, EPOLL_CTL_MOD, s->fd, &e);
    if (result < 0)
        return -errno;
    s->events = events & 7;
    return 0;
}

int loop_unwatch(struct loop *loop, struct source *s)
{
    int fd = s->fd;
    if (fd >= 0)
        epoll_ctl(loop->epoll, EPOLL_CTL_DEL, fd, NULL);
    s->fd = -1;
    s->events = 0;
    return fd;
}

/* Into the slot where it is due, or that of an earlier round. */
static void loop_enter(struct loop *loop, struct source *s)
{
    uint32_t slot = s->due % LOOP_SLOTS;
    list_append(&loop->slots[slot], &s->link);
    loop->used[slot / 64] |= 1ULL << slot % 64;
}

void loop_set_timer(struct loop *loop, struct source *s, int64_t after)
{
    uint64_t due = (uint64_t)loop->now + (uint64_t)(after > 0 ? after : 0);
    uint64_t slot = (due + LOOP_SLOT_MS - 1) / LOOP_SLOT_MS;
    /* The slot of this moment has been looked through already. */
    if (slot <= loop->tick)
        slot = loop->tick + 1;
    if (slot - loop->tick > LOOP_FURTHEST)
        slot = loop->tick + LOOP_FURTHEST;
    s->due = slot & DUE_MASK;
    list_remove(&s->link);
    loop_enter(loop, s);
}

void loop_stop_timer(struct source *s)
{
    list_remove(&s->link);
}

/* ms until the next slot with a timer begins; -1: no timer at all. Those of a slot may all have been stopped. */
static int64_t loop_next_slot(const struct loop *loop)
{
    for (uint64_t i = 1; i <= LOOP_SLOTS; i++) {
        uint64_t slot = (loop->tick + i) % LOOP_SLOTS;
        uint64_t word = loop->used[slot / 64] >> slot % 64;
        uint64_t empty = word ? (uint64_t)__builtin_ctzll(word) : 63 - slot % 64;
        i += empty;
        if (word && !list_empty(&loop->slots[slot + empty]))
            return (int64_t)((loop->tick + i) * LOOP_SLOT_MS) - loop->now;
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
        struct source *s = container_of(due.next, struct source, link);
        list_remove(&s->link);
        if (((loop->tick - s->due) & DUE_MASK) <= LOOP_FURTHEST)
            s->kind->fire(s);
        else /* of a later round */
            loop_enter(loop, s);
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
        struct source *s = events[i].data.ptr;
        if (s->fd >= 0)
            s->kind->ready(s, events[i].events);
    }
    loop_fire_timers(loop);
    loop->busy = false;
    loop_run(&loop->settle);
    loop_run(&loop->flush);
    return n;
}
