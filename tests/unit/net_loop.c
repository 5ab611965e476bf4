/* loop: timers on a clock that the test moves; watches that change while events are dispatched. */
#include "../support/hand_clock.h"
#include "net/loop.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define START 1000003 /* ms: no multiple of a slot */

static struct hand_clock hand;
static struct loop loop;

static int setup(void **state)
{
    (void)state;
    hand_clock_init(&hand, START);
    return loop_init(&loop, &hand.clock);
}

static int teardown(void **state)
{
    (void)state;
    loop_fini(&loop);
    return 0;
}

static void turn_at(int64_t ms)
{
    hand.ms = ms;
    assert_true(loop_turn(&loop, 0) >= 0);
}

/* ---- timers ------------------------------------------------------------------------------- */

struct alarm {
    struct source timer;
    int64_t fired_at; /* -1: not yet */
    unsigned fired;
    int order;      /* the how-manieth of all to fire */
    int64_t repeat; /* ms; -1: no more */
};

static int fired_in_all;

static void on_alarm(struct source *t)
{
    struct alarm *a = container_of(t, struct alarm, timer);
    a->fired++;
    a->fired_at = loop.now;
    a->order = fired_in_all++;
    if (a->repeat >= 0)
        loop_set_timer(&loop, t, a->repeat);
}

static const struct source_kind alarm_kind = {.fire = on_alarm};

static void alarm_init(struct alarm *a)
{
    *a = (struct alarm){.fired_at = -1, .repeat = -1};
    source_init(&a->timer, &alarm_kind, -1);
}

static void a_timer_fires_once_never_early_and_at_most_one_slot_late(void **state)
{
    (void)state;
    static const int64_t afters[] = {0,     1,     2,     127,    128,    129,
                                     1000,  60000, 65407, 65408,  65535,  65536,
                                     65537, 65664, 65665, 131072, 200000, 1000000};
    for (size_t i = 0; i < sizeof afters / sizeof *afters; i++) {
        struct alarm a;
        alarm_init(&a);
        int64_t start = loop.now;
        loop_set_timer(&loop, &a.timer, afters[i]);
        int64_t last = start + afters[i] + LOOP_SLOT_MS;
        for (int64_t t = start; t <= last; t += afters[i] > 3000 && t < last - 1000 ? 50 : 1)
            turn_at(t);
        assert_int_equal(a.fired, 1);
        assert_true(a.fired_at >= start + afters[i]);
        assert_true(a.fired_at <= last);
        turn_at(last + 70000);
        assert_int_equal(a.fired, 1);
    }
}

static void a_loop_that_has_run_for_years_keeps_its_timers(void **state)
{
    (void)state;
    /* A timer keeps 29 bits of its slot's number. */
    turn_at(((INT64_C(1) << 29) - 50) * LOOP_SLOT_MS);
    a_timer_fires_once_never_early_and_at_most_one_slot_late(state);
    assert_true(loop.tick > UINT64_C(1) << 29);
}

static void the_furthest_timer_is_seven_weeks_away(void **state)
{
    (void)state;
    const int64_t furthest = (int64_t)LOOP_FURTHEST * LOOP_SLOT_MS;
    struct alarm a;
    alarm_init(&a);
    int64_t start = (int64_t)loop.tick * LOOP_SLOT_MS;
    loop_set_timer(&loop, &a.timer, 3 * furthest);
    turn_at(start + 1000);
    turn_at(start + furthest - 1);
    assert_int_equal(a.fired, 0);
    turn_at(start + furthest);
    assert_int_equal(a.fired, 1);
}

static void timers_of_different_slots_fire_in_their_order(void **state)
{
    (void)state;
    enum { N = 600 };
    static struct alarm alarms[N];
    fired_in_all = 0;
    for (int i = 0; i < N; i++)
        alarm_init(&alarms[i]);
    for (int i = 0; i < N; i++) { /* in a mixed order: 7 and N have no factor in common */
        int at = i * 7 % N;
        loop_set_timer(&loop, &alarms[at].timer, (int64_t)(at + 1) * LOOP_SLOT_MS);
    }
    for (int64_t t = loop.now; fired_in_all < N; t += 40)
        turn_at(t);
    for (int i = 0; i < N; i++)
        assert_int_equal(alarms[i].order, i);
}

static void a_jump_of_the_clock_fires_all_that_are_due_oldest_slot_first(void **state)
{
    (void)state;
    struct alarm a[4];
    static const int64_t afters[] = {900, 100, 400, 100000};
    fired_in_all = 0;
    for (int i = 0; i < 4; i++) {
        alarm_init(&a[i]);
        loop_set_timer(&loop, &a[i].timer, afters[i]);
    }
    turn_at(loop.now + 2000);
    assert_int_equal(fired_in_all, 3);
    assert_int_equal(a[1].order, 0);
    assert_int_equal(a[2].order, 1);
    assert_int_equal(a[0].order, 2);
    turn_at(loop.now + 10000000); /* many rounds at once */
    assert_int_equal(a[3].fired, 1);
    turn_at(loop.now + 10000000);
    assert_int_equal(fired_in_all, 4);
}

static void a_stopped_timer_does_not_fire_and_stopping_again_does_no_harm(void **state)
{
    (void)state;
    struct alarm a;
    alarm_init(&a);
    loop_stop_timer(&a.timer);
    loop_set_timer(&loop, &a.timer, 500);
    loop_stop_timer(&a.timer);
    loop_stop_timer(&a.timer);
    turn_at(loop.now + 100000);
    assert_int_equal(a.fired, 0);
    loop_set_timer(&loop, &a.timer, 500);
    turn_at(loop.now + 628);
    assert_int_equal(a.fired, 1);
}

static void a_timer_that_is_set_again_moves(void **state)
{
    (void)state;
    struct alarm a;
    alarm_init(&a);
    int64_t start = loop.now;
    loop_set_timer(&loop, &a.timer, 300);
    loop_set_timer(&loop, &a.timer, 5000); /* later */
    turn_at(start + 4999);
    assert_int_equal(a.fired, 0);
    turn_at(start + 5128);
    assert_int_equal(a.fired, 1);
    start = loop.now;
    loop_set_timer(&loop, &a.timer, 90000);
    loop_set_timer(&loop, &a.timer, 300); /* earlier */
    turn_at(start + 428);
    assert_int_equal(a.fired, 2);
    turn_at(start + 200000);
    assert_int_equal(a.fired, 2);
}

static void a_timer_set_inside_its_call_fires_in_a_later_turn(void **state)
{
    (void)state;
    static const int64_t repeats[] = {0, 1, 128, 1000, 65536, 70000};
    for (size_t i = 0; i < sizeof repeats / sizeof *repeats; i++) {
        struct alarm a;
        alarm_init(&a);
        a.repeat = repeats[i];
        loop_set_timer(&loop, &a.timer, 0);
        for (unsigned n = 1; n <= 5; n++) {
            int64_t before = a.fired_at;
            turn_at(loop.now + repeats[i] + LOOP_SLOT_MS);
            assert_int_equal(a.fired, n);
            if (n > 1)
                assert_true(a.fired_at - before >= repeats[i]);
        }
        a.repeat = -1;
        loop_stop_timer(&a.timer);
    }
}

static struct alarm victim;

static void stop_the_victim(struct source *t)
{
    (void)t;
    loop_stop_timer(&victim.timer);
}

static void move_the_victim(struct source *t)
{
    (void)t;
    loop_set_timer(&loop, &victim.timer, 1000);
}

static const struct source_kind stops = {.fire = stop_the_victim},
                                moves = {.fire = move_the_victim};

static void a_timer_may_stop_or_move_its_neighbour_of_the_same_slot(void **state)
{
    (void)state;
    struct source first;
    for (int move = 0; move <= 1; move++) {
        alarm_init(&victim);
        source_init(&first, move ? &moves : &stops, -1);
        int64_t start = loop.now;
        loop_set_timer(&loop, &first, 0); /* of two in a slot the one set first */
        loop_set_timer(&loop, &victim.timer, 0);
        turn_at(start + 128);
        assert_int_equal(victim.fired, 0);
        turn_at(start + 128 + 1128);
        assert_int_equal(victim.fired, move);
    }
}

/* A wall clock may have gone further than this one has. */
static void what_should_have_fired_long_ago_fires_at_once(void **state)
{
    (void)state;
    alarm_init(&victim);
    loop_set_timer(&loop, &victim.timer, -loop.now - 3600000);
    turn_at(loop.now + LOOP_SLOT_MS);
    assert_int_equal(victim.fired, 1);
}

static void many_random_timers_fire_when_they_should(void **state)
{
    (void)state;
    enum { N = 1024 };
    static struct alarm alarms[N];
    uint32_t seed = 7;
    for (int i = 0; i < N; i++)
        alarm_init(&alarms[i]);
    for (int step = 0; step < 4000; step++) {
        int64_t before = loop.now;
        for (int k = 0; k < 3; k++) {
            seed = seed * 1664525 + 1013904223;
            struct alarm *a = &alarms[(seed >> 8) % N];
            seed = seed * 1664525 + 1013904223;
            a->fired = 0;
            if (seed >> 30 == 0)
                loop_stop_timer(&a->timer);
            else
                loop_set_timer(&loop, &a->timer, seed >> 8 & (seed >> 29 == 7 ? 0x3ffff : 0x7ff));
        }
        turn_at(before + (seed >> 12 & 0xff));
        for (int i = 0; i < N; i++) {
            struct alarm *a = &alarms[i];
            if (list_empty(&a->timer.link))
                continue;
            assert_true(a->timer.due > loop.tick); /* else it was forgotten */
            assert_int_equal(a->fired, 0);
        }
    }
}

static void the_wait_is_that_for_the_next_timer_wherever_it_stands(void **state)
{
    (void)state;
    struct alarm stopped, next;
    alarm_init(&stopped);
    alarm_init(&next);
    assert_int_equal(loop_wait_ms(&loop, -1), -1);
    for (int round = 0; round < 70; round++) {
        for (int64_t after = 1; after <= LOOP_SLOT_MS * (LOOP_SLOTS - 1); after += 97) {
            loop_set_timer(&loop, &next.timer, after);
            loop_set_timer(&loop, &stopped.timer, after / 2); /* leaves its mark */
            loop_stop_timer(&stopped.timer);
            assert_in_range(loop_wait_ms(&loop, -1), after, after + LOOP_SLOT_MS);
        }
        loop_stop_timer(&next.timer);
        assert_int_equal(loop_wait_ms(&loop, -1), -1);
        turn_at(loop.now + 977);
    }
}

static void the_wait_ends_when_the_next_timer_is_due(void **state)
{
    (void)state;
    struct loop real; /* on the system's clock: nothing else can end a wait */
    assert_int_equal(loop_init(&real, &clock_system), 0);
    struct source t;
    source_init(&t, &stops, -1);
    alarm_init(&victim);
    int64_t start = real.now;
    loop_set_timer(&real, &t, 20);
    while (!list_empty(&t.link))
        assert_true(loop_turn(&real, -1) >= 0);
    assert_true(real.now >= start + 20);
    loop_fini(&real);
}

/* ---- watches ------------------------------------------------------------------------------ */

struct end {
    struct source watch;
    unsigned calls;
    uint32_t events;
    void (*then)(struct end *);
    struct end *other;
};

static void on_end(struct source *w, uint32_t events)
{
    struct end *e = container_of(w, struct end, watch);
    e->calls++;
    e->events = events;
    if (e->then)
        e->then(e);
}

static const struct source_kind end_kind = {.ready = on_end};

static void pair_init(struct end *a, struct end *b)
{
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    *a = *b = (struct end){0};
    source_init(&a->watch, &end_kind, fds[0]);
    source_init(&b->watch, &end_kind, fds[1]);
}

static void end_close(struct end *e)
{
    int fd = loop_unwatch(&loop, &e->watch);
    if (fd >= 0)
        close(fd);
}

static void a_watch_is_told_what_it_asked_for_and_as_long_as_it_lasts(void **state)
{
    (void)state;
    struct end a, b;
    pair_init(&a, &b);
    assert_int_equal(loop_watch(&loop, &a.watch, EPOLLIN), 0);
    assert_int_equal(loop_turn(&loop, 0), 0);
    assert_int_equal(write(b.watch.fd, "x", 1), 1);
    assert_int_equal(loop_turn(&loop, -1), 1);
    assert_int_equal(loop_turn(&loop, -1), 1); /* level-triggered: not read yet */
    assert_int_equal(a.calls, 2);
    assert_int_equal(a.events, EPOLLIN);
    assert_int_equal(loop_watch(&loop, &a.watch, EPOLLOUT), 0);
    assert_int_equal(loop_turn(&loop, -1), 1);
    assert_int_equal(a.events, EPOLLOUT);
    assert_int_equal(loop_watch(&loop, &a.watch, 0), 0); /* nothing for a while */
    assert_int_equal(loop_turn(&loop, 0), 0);
    assert_int_equal(loop_watch(&loop, &a.watch, EPOLLIN | EPOLLOUT), 0);
    assert_int_equal(loop_turn(&loop, -1), 1);
    assert_int_equal(a.events, EPOLLIN | EPOLLOUT);
    int fd = a.watch.fd;
    assert_int_equal(loop_unwatch(&loop, &a.watch), fd);
    assert_int_equal(a.watch.fd, -1);
    assert_int_equal(loop_unwatch(&loop, &a.watch), -1);
    assert_int_equal(loop_turn(&loop, 0), 0);
    close(fd);
    end_close(&b);
}

static void unwatch_the_other(struct end *e)
{
    end_close(e->other);
    e->other->then = NULL;
}

static void events_of_a_watch_that_ended_in_the_same_turn_are_dropped(void **state)
{
    (void)state;
    struct end a, b;
    pair_init(&a, &b);
    a.other = &b;
    b.other = &a;
    a.then = b.then = unwatch_the_other; /* whoever comes first */
    assert_int_equal(loop_watch(&loop, &a.watch, EPOLLOUT), 0);
    assert_int_equal(loop_watch(&loop, &b.watch, EPOLLOUT), 0);
    assert_int_equal(loop_turn(&loop, -1), 2); /* the kernel reported both */
    assert_int_equal(a.calls + b.calls, 1);
    end_close(&a);
    end_close(&b);
}

static void watch_the_other(struct end *e)
{
    assert_int_equal(loop_watch(&loop, &e->other->watch, EPOLLOUT), 0);
}

static void a_watch_that_begins_inside_a_call_is_ready_in_the_next_turn(void **state)
{
    (void)state;
    struct end a, b;
    pair_init(&a, &b);
    a.other = &b;
    a.then = watch_the_other;
    assert_int_equal(loop_watch(&loop, &a.watch, EPOLLOUT), 0);
    assert_int_equal(loop_turn(&loop, -1), 1);
    assert_int_equal(b.calls, 0);
    assert_int_equal(loop_turn(&loop, -1), 2);
    assert_int_equal(b.calls, 1);
    end_close(&a);
    end_close(&b);
}

static void what_cannot_be_watched_is_reported_with_its_reason(void **state)
{
    (void)state;
    struct source w;
    source_init(&w, &end_kind, 1 << 29);
    assert_int_equal(loop_watch(&loop, &w, EPOLLIN), -EBADF);
    FILE *file = tmpfile(); /* a regular file cannot be watched */
    assert_non_null(file);
    w.fd = fileno(file);
    assert_int_equal(loop_watch(&loop, &w, EPOLLIN), -EPERM);
    fclose(file);
}

/* ---- the turn ----------------------------------------------------------------------------- */

static char phases[16];

static void note(char phase)
{
    size_t n = strlen(phases);
    assert_true(n + 1 < sizeof phases);
    phases[n] = phase;
}

static void note_ready(struct end *e)
{
    (void)e;
    note('r');
}

static void note_timer(struct source *t)
{
    (void)t;
    note('t');
}

static void note_settle(void *ctx)
{
    assert_ptr_equal(ctx, &hand);
    note('s');
}

static void note_flush(void *ctx)
{
    assert_ptr_equal(ctx, &phases);
    note('f');
}

static void a_turn_goes_descriptors_timers_settle_flush(void **state)
{
    (void)state;
    struct end a, b;
    static const struct source_kind notes = {.fire = note_timer};
    struct source t;
    pair_init(&a, &b);
    a.then = note_ready;
    source_init(&t, &notes, -1);
    loop_set_timer(&loop, &t, 10);
    loop.settle = (struct loop_hook){note_settle, &hand};
    loop.flush = (struct loop_hook){note_flush, &phases};
    memset(phases, 0, sizeof phases);
    assert_int_equal(loop_watch(&loop, &a.watch, EPOLLOUT), 0);
    turn_at(loop.now + 200);
    assert_string_equal(phases, "rtsf");
    end_close(&a);
    turn_at(loop.now);
    assert_string_equal(phases, "rtsfsf");
    loop.settle.run = loop.flush.run = NULL;
    turn_at(loop.now);
    assert_string_equal(phases, "rtsfsf");
    end_close(&b);
}

static void a_busy_loop_does_not_wait(void **state)
{
    (void)state;
    loop.busy = true;
    assert_int_equal(loop_turn(&loop, -1), 0); /* would wait for ever */
    assert_false(loop.busy);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_timer_fires_once_never_early_and_at_most_one_slot_late),
        TEST(a_loop_that_has_run_for_years_keeps_its_timers),
        TEST(the_furthest_timer_is_seven_weeks_away),
        TEST(timers_of_different_slots_fire_in_their_order),
        TEST(a_jump_of_the_clock_fires_all_that_are_due_oldest_slot_first),
        TEST(a_stopped_timer_does_not_fire_and_stopping_again_does_no_harm),
        TEST(a_timer_that_is_set_again_moves),
        TEST(a_timer_set_inside_its_call_fires_in_a_later_turn),
        TEST(a_timer_may_stop_or_move_its_neighbour_of_the_same_slot),
        TEST(what_should_have_fired_long_ago_fires_at_once),
        TEST(many_random_timers_fire_when_they_should),
        TEST(the_wait_is_that_for_the_next_timer_wherever_it_stands),
        TEST(the_wait_ends_when_the_next_timer_is_due),
        TEST(a_watch_is_told_what_it_asked_for_and_as_long_as_it_lasts),
        TEST(events_of_a_watch_that_ended_in_the_same_turn_are_dropped),
        TEST(a_watch_that_begins_inside_a_call_is_ready_in_the_next_turn),
        TEST(what_cannot_be_watched_is_reported_with_its_reason),
        TEST(a_turn_goes_descriptors_timers_settle_flush),
        TEST(a_busy_loop_does_not_wait),
    };
    return cmocka_run_group_tests_name("net_loop", tests, NULL, NULL);
}
