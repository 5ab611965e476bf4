/* stream: bytes over a socket pair, with the pauses, the full buffers and the ends in between. */
#include "../support/hand_clock.h"
#include "net/stream.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define ROOM (1 << 20)
#define OWNERS_MORE 16

static struct hand_clock hand;
static struct loop loop;
static struct stream_set set;
static struct stream_kind kind;

/* A stream and what it saw; `peer` is the plain socket at the other end. */
static struct {
    struct stream s;
    int peer;
    uint8_t *got; /* ROOM bytes: what was used */
    size_t got_n;
    size_t largest; /* n of an on_input */
    size_t use;     /* at most so much is used of an on_input */
    unsigned inputs, drained, timers, closed;
    size_t pause_at;   /* pauses itself when so much was used; 0: never */
    bool close_inside; /* closes itself in its next on_input */
    bool answer;       /* sends back what it gets, 1,000 bytes a time, while it is readable */
    unsigned held;     /* how often it stopped before the end for that */
    bool refill;       /* on_drained writes 1,000 bytes and asks again, as long as `drained` < 20 */
} one;

static uint8_t pattern(size_t i)
{
    return (uint8_t)(i * 131 + (i >> 8));
}

static size_t on_input(struct stream *s, uint8_t *p, size_t n)
{
    assert_ptr_equal(s, &one.s);
    assert_int_equal(one.closed, 0);
    assert_true(stream_readable(s));
    one.inputs++;
    one.largest = n > one.largest ? n : one.largest;
    size_t used = n < one.use ? n : one.use;
    if (one.answer) {
        for (used = 0; used < n && stream_readable(s);) {
            size_t piece = n - used < 1000 ? n - used : 1000;
            stream_write(s, slice_of(p + used, piece));
            used += piece;
        }
        one.held += used < n;
    }
    if (one.pause_at && one.got_n + used >= one.pause_at) {
        used = one.pause_at - one.got_n;
        one.pause_at = 0;
        stream_pause(s);
    }
    assert_true(one.got_n + used <= ROOM);
    memcpy(one.got + one.got_n, p, used);
    one.got_n += used;
    memset(p, 0xee, used); /* it may be changed in place */
    if (one.close_inside)
        stream_close(s);
    return used;
}

static void on_drained(struct stream *s)
{
    assert_true(stream_queued(s) < STREAM_LOW);
    one.drained++;
    if (one.refill && one.drained < 20) {
        uint8_t bytes[1000] = {0};
        stream_write(s, slice_of(bytes, sizeof bytes));
        stream_want_drained(s);
    }
}

static void on_timer(struct stream *s)
{
    assert_ptr_equal(s, &one.s);
    one.timers++;
}

static void on_closed(struct stream *s)
{
    assert_ptr_equal(s, &one.s);
    one.closed++;
}

static int setup(void **state)
{
    (void)state;
    hand_clock_init(&hand, 100000);
    memset(&one, 0, sizeof one);
    one.use = SIZE_MAX;
    one.got = malloc(ROOM);
    kind = (struct stream_kind){.source = stream_source,
                                .set = &set,
                                .more = OWNERS_MORE,
                                .on_input = on_input,
                                .on_drained = on_drained,
                                .on_timer = on_timer,
                                .on_closed = on_closed};
    int fds[2];
    if (!one.got || loop_init(&loop, &hand.clock) || stream_set_init(&set, &loop) ||
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds))
        return -1;
    one.peer = fds[1];
    return stream_open(&one.s, &kind, fds[0], false);
}

/* A turn that does not wait; how many descriptors were ready. */
static int turn(void)
{
    int n = loop_turn(&loop, 0);
    assert_true(n >= 0);
    return n;
}

static void turns(int n)
{
    while (n--)
        turn();
}

static int teardown(void **state)
{
    (void)state;
    stream_close(&one.s);
    turn();
    assert_int_equal(one.closed, 1);
    assert_int_equal(set.open, 0);
    if (one.peer >= 0)
        close(one.peer);
    stream_set_fini(&set);
    loop_fini(&loop);
    free(one.got);
    return 0;
}

/* The peer writes bytes from..from + n - 1 of the pattern; they fit the kernel's buffer. */
static void peer_writes(size_t from, size_t n)
{
    uint8_t bytes[100000];
    assert_true(n <= sizeof bytes);
    for (size_t i = 0; i < n; i++)
        bytes[i] = pattern(from + i);
    assert_int_equal(write(one.peer, bytes, n), n);
}

static void assert_got(size_t n)
{
    assert_int_equal(one.got_n, n);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(one.got[i], pattern(i));
}

static void stream_writes(size_t from, size_t n)
{
    uint8_t bytes[100000];
    assert_true(n <= sizeof bytes);
    for (size_t i = 0; i < n; i++)
        bytes[i] = pattern(from + i);
    stream_write(&one.s, slice_of(bytes, n));
}

/* Turns until the peer has the next n bytes of the pattern behind `from`, checking each. */
static void peer_reads(size_t from, size_t n)
{
    uint8_t bytes[3000];
    size_t idle = 0;
    while (n) {
        ssize_t got = read(one.peer, bytes, n < sizeof bytes ? n : sizeof bytes);
        if (got < 0) {
            assert_int_equal(errno, EAGAIN);
            assert_true(idle++ < 10);
            turn();
            continue;
        }
        assert_true(got > 0);
        idle = 0;
        for (ssize_t i = 0; i < got; i++)
            assert_int_equal(bytes[i], pattern(from++));
        n -= (size_t)got;
    }
}

static void peer_sees_the_end(void)
{
    uint8_t c;
    assert_int_equal(read(one.peer, &c, 1), 0);
}

static void shrink_the_send_buffer(void)
{
    int small = 1; /* the kernel makes its least of it, some KiB */
    assert_int_equal(setsockopt(one.s.source.fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof small), 0);
}

/* ---- reading ------------------------------------------------------------------------------ */

static void input_is_handed_up_as_it_comes(void **state)
{
    (void)state;
    turn();
    assert_int_equal(one.inputs, 0);
    peer_writes(0, 10);
    turn();
    assert_got(10);
    peer_writes(10, 70000); /* more than one read */
    turns(2);
    assert_got(70010);
    assert_true(one.largest <= STREAM_READ);
    assert_int_equal(set.bytes_in, 70010);
    assert_null(one.s.more);
}

static void what_is_not_used_comes_again_with_what_follows(void **state)
{
    (void)state;
    one.use = 0;
    size_t sent = 0;
    for (size_t n = 1; n <= 300; n++) { /* set aside in a chunk, later in a larger one */
        peer_writes(sent, n);
        sent += n;
        turn();
        assert_int_equal(one.largest, sent);
        assert_int_equal(one.inputs, n);
    }
    one.use = SIZE_MAX;
    peer_writes(sent, 1);
    turn();
    assert_got(sent + 1);
    assert_null(one.s.more);
}

static void every_use_of_a_part_loses_nothing_and_gives_nothing_twice(void **state)
{
    (void)state;
    size_t sent = 0;
    for (size_t round = 0; round < 300; round++) {
        size_t n = round * 37 % 400 + 1;
        one.use = round * 53 % 450;
        peer_writes(sent, n);
        sent += n;
        turn();
    }
    one.use = SIZE_MAX;
    peer_writes(sent++, 1);
    turn();
    assert_got(sent);
}

static void nobody_is_there(struct source *s, uint32_t events)
{
    (void)s;
    (void)events;
}

static void where_many_are_ready_each_has_its_share_of_a_turn(void **state)
{
    (void)state;
    enum { OTHERS = 31 };
    static const struct source_kind other = {.ready = nobody_is_there};
    static struct source others[OTHERS]; /* the loop keeps them where a check fails */
    for (int i = 0; i < OTHERS; i++) {
        source_init(&others[i], &other, eventfd(1, EFD_CLOEXEC));
        assert_int_equal(loop_watch(&loop, &others[i], EPOLLIN), 0);
    }
    peer_writes(0, 50000);
    turn();
    assert_got(32768); /* it was quiet before: four times as much, up to this */
    turn();
    assert_got(32768 + 16384); /* of half a megabyte */
    for (int i = 0; i < OTHERS; i++)
        close(loop_unwatch(&loop, &others[i]));
    turn();
    assert_got(50000);
}

static void a_pause_inside_on_input_holds_the_rest_until_it_is_resumed(void **state)
{
    (void)state;
    one.pause_at = 100;
    peer_writes(0, 1000);
    turn();
    assert_got(100);
    assert_int_equal(one.s.flags & STREAM_HELD, STREAM_HELD);
    peer_writes(1000, 500);
    turns(3);
    assert_got(100); /* neither what was held nor what is new */
    assert_int_equal(one.inputs, 1);
    stream_resume(&one.s);
    assert_got(100); /* never from inside the caller */
    one.pause_at = 300;
    turn(); /* what was held, with another pause in it */
    assert_got(300);
    turns(2);
    assert_got(300);
    stream_resume(&one.s);
    turns(2);
    assert_got(1500);
}

static void a_pause_before_any_input_leaves_it_in_the_kernel(void **state)
{
    (void)state;
    stream_pause(&one.s);
    turn();
    peer_writes(0, 100);
    for (int i = 0; i < 3; i++)
        assert_int_equal(turn(), 0); /* not even reported */
    assert_int_equal(set.reads, 0);
    stream_resume(&one.s);
    turns(2);
    assert_got(100);
}

static void a_pause_that_is_resumed_at_once_changes_nothing(void **state)
{
    (void)state;
    peer_writes(0, 10);
    stream_pause(&one.s);
    stream_resume(&one.s);
    turns(2);
    assert_got(10);
}

/* Its owner may have begun work that waits for the settle of a turn. */
static void held_input_is_followed_by_another_turn_at_once(void **state)
{
    (void)state;
    one.pause_at = 1;
    peer_writes(0, 2);
    turns(3);
    assert_false(loop.busy);
    stream_resume(&one.s);
    turn();
    assert_got(2);
    assert_true(loop.busy);
    turn();
    assert_false(loop.busy);
}

static void back_pressure_stops_the_reading_above_the_high_mark(void **state)
{
    (void)state;
    shrink_the_send_buffer();
    stream_writes(0, STREAM_HIGH + 20000);
    turn(); /* the kernel takes some of it */
    assert_true(stream_queued(&one.s) > STREAM_HIGH);
    assert_false(stream_readable(&one.s));
    peer_writes(0, 100);
    turns(3);
    assert_int_equal(one.inputs, 0);
    peer_reads(0, STREAM_HIGH + 20000);
    turns(2);
    assert_int_equal(stream_queued(&one.s), 0);
    assert_got(100);
}

static void a_reader_that_answers_more_than_is_taken_is_held_and_loses_nothing(void **state)
{
    (void)state;
    enum { ALL = 400000 };
    shrink_the_send_buffer();
    one.answer = true;
    size_t sent = 0, back = 0;
    while (back < ALL) {
        uint8_t bytes[4000];
        for (size_t i = 0; i < sizeof bytes; i++)
            bytes[i] = pattern(sent + i);
        ssize_t n = sent < ALL ? write(one.peer, bytes, sizeof bytes) : 0;
        sent += n > 0 ? (size_t)n : 0;
        turn();
        assert_true(stream_queued(&one.s) <= STREAM_HIGH + 1000);
        n = read(one.peer, bytes, 3000);
        for (ssize_t i = 0; i < n; i++)
            assert_int_equal(bytes[i], pattern(back++));
    }
    assert_got(ALL);
    assert_true(one.held > 0);
}

/* ---- writing ------------------------------------------------------------------------------ */

static void all_that_was_written_in_a_turn_leaves_in_one_call(void **state)
{
    (void)state;
    for (size_t i = 0; i < 20000; i += 100) /* some chunks */
        stream_writes(i, 100);
    assert_int_equal(set.writes, 0);
    assert_int_equal(stream_queued(&one.s), 20000);
    turn();
    assert_int_equal(set.writes, 1);
    assert_int_equal(stream_queued(&one.s), 0);
    assert_int_equal(set.bytes_out, 20000);
    peer_reads(0, 20000);
    turn();
    assert_int_equal(set.writes, 1);
}

static void nothing_written_is_nothing_sent(void **state)
{
    (void)state;
    stream_write(&one.s, slice_of(NULL, 0));
    assert_false(loop.busy);
    turn();
    assert_int_equal(set.writes, 0);
}

static void a_full_kernel_buffer_is_waited_for_without_spinning(void **state)
{
    (void)state;
    shrink_the_send_buffer();
    for (size_t i = 0; i < 300000; i += 1000)
        stream_writes(i, 1000);
    turn();
    assert_true(stream_queued(&one.s) > 0 && stream_queued(&one.s) < 300000);
    uint64_t writes = set.writes;
    for (int i = 0; i < 5; i++)
        assert_int_equal(turn(), 0);
    assert_int_equal(set.writes, writes);
    stream_writes(300000, 100); /* joins the queue, without a call */
    turn();
    assert_int_equal(set.writes, writes);
    peer_reads(0, 300100);
    assert_int_equal(stream_queued(&one.s), 0);
    assert_int_equal(set.bytes_out, 300100);
}

static void a_queue_of_many_chunks_leaves_over_several_turns(void **state)
{
    (void)state;
    int large = 1 << 20;
    assert_int_equal(setsockopt(one.s.source.fd, SOL_SOCKET, SO_SNDBUF, &large, sizeof large), 0);
    for (size_t i = 0; i < 200000; i += 100)
        stream_writes(i, 100);
    peer_reads(0, 200000); /* nothing but the stream itself asks for the second turn */
    assert_true(set.writes >= 2);
}

static void large_writes_pass_in_one_piece(void **state)
{
    (void)state;
    stream_writes(0, 10);
    stream_writes(10, 100000);
    stream_writes(100010, 10);
    peer_reads(0, 100020);
    assert_true(set.writes <= 3);
}

static void on_drained_is_called_once_for_each_time_it_was_asked_for(void **state)
{
    (void)state;
    turn();
    assert_int_equal(one.drained, 0);
    stream_want_drained(&one.s); /* with nothing queued: at the end of this turn */
    assert_int_equal(one.drained, 0);
    turns(3);
    assert_int_equal(one.drained, 1);
    shrink_the_send_buffer();
    stream_writes(0, 90000);
    stream_want_drained(&one.s);
    turns(3);
    assert_true(stream_queued(&one.s) > STREAM_LOW);
    assert_int_equal(one.drained, 1);
    peer_reads(0, 90000);
    turns(3);
    assert_int_equal(one.drained, 2);
}

static void on_drained_may_write_and_ask_again(void **state)
{
    (void)state;
    one.refill = true;
    stream_want_drained(&one.s);
    turns(50);
    assert_int_equal(one.drained, 20);
    assert_int_equal(set.bytes_out, 19 * 1000);
}

static void silence_and_standstill_are_measured(void **state)
{
    (void)state;
    hand.ms += 1000;
    turn();
    assert_int_equal(stream_silent_ms(&one.s), 1000);
    assert_int_equal(stream_stuck_ms(&one.s), 0); /* nothing is queued */
    peer_writes(0, 1);
    turn();
    assert_int_equal(stream_silent_ms(&one.s), 0);
    shrink_the_send_buffer();
    stream_writes(0, 90000);
    turn();
    hand.ms += 700;
    turn();
    assert_int_equal(stream_stuck_ms(&one.s), 700);
    assert_int_equal(stream_silent_ms(&one.s), 700);
    stream_writes(90000, 1); /* more behind it does not hide it */
    turn();
    assert_int_equal(stream_stuck_ms(&one.s), 700);
    peer_reads(0, 50000);
    turn();
    assert_int_equal(stream_stuck_ms(&one.s), 0);
}

/* ---- the ends ----------------------------------------------------------------------------- */

static void the_timer_is_the_owners_until_it_ends(void **state)
{
    (void)state;
    stream_set_timer(&one.s, 500);
    hand.ms += 628;
    turn();
    assert_int_equal(one.timers, 1);
    stream_set_timer(&one.s, 500);
    stream_close(&one.s);
    stream_set_timer(&one.s, 500);
    hand.ms += 1000;
    turns(2);
    assert_int_equal(one.timers, 1);
    assert_int_equal(one.closed, 1);
}

static void closing_inside_on_input_ends_it_at_the_end_of_the_turn(void **state)
{
    (void)state;
    one.close_inside = true;
    one.use = 5;
    peer_writes(0, 10);
    turn();
    assert_int_equal(one.inputs, 1);
    assert_int_equal(one.closed, 1);
    assert_null(one.s.more);
    char c;
    ssize_t n = read(one.peer, &c, 1);
    assert_true(n == 0 || (n < 0 && errno == ECONNRESET)); /* the end of it */
}

static void every_call_on_a_closed_stream_is_harmless(void **state)
{
    (void)state;
    stream_writes(0, 100);
    stream_close(&one.s);
    stream_close(&one.s);
    stream_writes(0, 100);
    stream_pause(&one.s);
    stream_resume(&one.s);
    stream_want_drained(&one.s);
    stream_finish(&one.s);
    stream_set_timer(&one.s, 1);
    assert_true(stream_closed(&one.s));
    assert_true(stream_ending(&one.s));
    assert_false(stream_readable(&one.s));
    turns(3);
    assert_int_equal(one.closed, 1);
    assert_int_equal(one.drained, 0);
    assert_int_equal(set.writes, 0); /* what was queued is lost */
}

static void what_few_have_is_given_back_once_all_of_it_is_zero(void **state)
{
    (void)state;
    assert_null(one.s.more);
    stream_less(&one.s); /* harmless */
    struct {
        struct stream_more stream;
        char owners[OWNERS_MORE];
    } *more = stream_more(&one.s);
    assert_non_null(more);
    assert_int_equal(set.memory, sizeof *more);
    more->owners[OWNERS_MORE - 1] = 1;
    stream_less(&one.s);
    assert_ptr_equal(one.s.more, more);
    assert_ptr_equal(stream_more(&one.s), more);
    more->owners[OWNERS_MORE - 1] = 0;
    stream_less(&one.s);
    assert_null(one.s.more);
    assert_int_equal(set.memory, 0);
    /* What was set aside keeps it, too. */
    one.use = 0;
    peer_writes(0, 10);
    turn();
    assert_non_null(one.s.more);
    stream_less(&one.s);
    assert_non_null(one.s.more);
    one.use = SIZE_MAX;
    peer_writes(10, 10);
    turn();
    assert_got(20);
    assert_null(one.s.more);
}

static void on_closed_of_two(struct stream *s)
{
    one.closed += s == &one.s;
}

static void nothing_is_taken(struct stream *s)
{
    (void)s;
}

static void who_adopts_a_socket_sends_what_was_queued_there_first(void **state)
{
    (void)state;
    static struct stream detached;
    uint8_t behind[1000];
    kind.on_closed = on_closed_of_two;
    kind.on_output = nothing_is_taken;
    for (size_t i = 0; i < sizeof behind; i++)
        behind[i] = pattern(90000 + i);
    stream_open_detached(&detached, &kind);
    stream_write(&detached, slice_of(behind, sizeof behind));
    shrink_the_send_buffer();
    stream_writes(0, 90000);
    turn(); /* the kernel takes some of it */
    size_t left = stream_queued(&one.s);
    assert_true(left > 0);
    stream_adopt(&detached, &one.s);
    assert_int_equal(stream_queued(&detached), left + sizeof behind);
    assert_int_equal(stream_queued(&one.s), 0);
    peer_reads(0, 90000 + sizeof behind);
    assert_int_equal(stream_queued(&detached), 0);
    assert_int_equal(one.closed, 1);
    stream_close(&detached);
}

static void the_end_of_the_peer_closes_behind_its_last_bytes(void **state)
{
    (void)state;
    peer_writes(0, 100);
    close(one.peer);
    one.peer = -1;
    turn();
    assert_got(100);
    turn();
    assert_int_equal(one.closed, 1);
}

static void a_peer_that_ends_while_bytes_are_queued_closes(void **state)
{
    (void)state;
    shrink_the_send_buffer();
    stream_writes(0, 90000);
    turn();
    assert_true(stream_queued(&one.s) > 0);
    close(one.peer);
    one.peer = -1;
    turns(2);
    assert_int_equal(one.closed, 1);
}

static void a_paused_stream_notices_that_its_peer_is_gone(void **state)
{
    (void)state;
    stream_pause(&one.s);
    turn();
    close(one.peer);
    one.peer = -1;
    turns(2);
    assert_int_equal(one.closed, 1);
}

static void finishing_delivers_the_last_bytes_though_the_peer_still_sends(void **state)
{
    (void)state;
    shrink_the_send_buffer();
    stream_writes(0, 90000);
    stream_finish(&one.s);
    stream_writes(90000, 100); /* too late */
    stream_finish(&one.s);
    for (int i = 0; i < 20; i++) {
        peer_writes(0, 5000);
        turn();
    }
    peer_reads(0, 90000);
    turn();
    peer_sees_the_end();
    peer_writes(0, 5000);
    turns(2);
    assert_int_equal(one.inputs, 0); /* none of it is handed up */
    assert_int_equal(one.closed, 0); /* the peer's end is awaited */
    assert_int_equal(shutdown(one.peer, SHUT_WR), 0);
    turns(2);
    assert_int_equal(one.closed, 1);
}

static void finishing_delivers_the_last_bytes_though_the_peer_has_shut_its_end(void **state)
{
    (void)state;
    shrink_the_send_buffer();
    stream_writes(0, 90000);
    assert_int_equal(shutdown(one.peer, SHUT_WR), 0);
    stream_finish(&one.s);
    for (int i = 0; i < 5; i++)
        turn();
    assert_int_equal(turn(), 0); /* it does not spin on the end of its input */
    peer_reads(0, 90000);
    turn();
    peer_sees_the_end();
    assert_int_equal(one.closed, 1);
}

static void finishing_with_nothing_queued_shuts_our_end_at_once(void **state)
{
    (void)state;
    stream_finish(&one.s);
    turn();
    peer_sees_the_end();
    assert_int_equal(one.closed, 0);
    close(one.peer);
    one.peer = -1;
    turns(2);
    assert_int_equal(one.closed, 1);
}

static void a_peer_that_never_ends_is_cut_after_2_s(void **state)
{
    (void)state;
    stream_set_timer(&one.s, 100); /* taken over */
    stream_finish(&one.s);
    hand.ms += 1990;
    turns(2);
    assert_int_equal(one.closed, 0);
    hand.ms += 10 + LOOP_SLOT_MS;
    turns(2);
    assert_int_equal(one.closed, 1);
    assert_int_equal(one.timers, 0);
}

static void finishing_frees_what_was_held(void **state)
{
    (void)state;
    one.pause_at = 10;
    peer_writes(0, 60000);
    turn();
    assert_got(10);
    peer_writes(60000, 60000);
    stream_finish(&one.s);
    turns(3);
    assert_got(10);
    close(one.peer);
    one.peer = -1;
    turns(2);
    assert_int_equal(one.closed, 1);
}

/* ---- connecting --------------------------------------------------------------------------- */

static void connect_to(bool listening, int *fd)
{
    int l = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_storage a = {.ss_family = AF_INET};
    socklen_t n = 16; /* struct sockaddr_in: any address, any port */
    assert_int_equal(bind(l, (struct sockaddr *)&a, n), 0);
    n = sizeof a;
    assert_int_equal(getsockname(l, (struct sockaddr *)&a, &n), 0);
    if (listening)
        assert_int_equal(listen(l, 5), 0);
    *fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int result = connect(*fd, (struct sockaddr *)&a, n);
    assert_true(result == 0 || errno == EINPROGRESS);
    if (!listening) {
        close(l);
        return;
    }
    close(one.peer);
    one.peer = accept4(l, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    assert_true(one.peer >= 0);
    close(l);
}

static void reopen_connecting(bool listening)
{
    int fd;
    stream_close(&one.s);
    turn();
    assert_int_equal(one.closed, 1);
    one.closed = 0;
    connect_to(listening, &fd);
    assert_int_equal(stream_open(&one.s, &kind, fd, true), 0);
}

static void what_is_written_while_connecting_is_sent_then(void **state)
{
    (void)state;
    reopen_connecting(true);
    stream_writes(0, 100);
    stream_want_drained(&one.s);
    assert_int_equal(set.writes, 0);
    turns(3);
    peer_reads(0, 100);
    assert_int_equal(one.drained, 1);
    peer_writes(0, 50);
    while (one.inputs == 0) /* over TCP it may take a moment */
        assert_true(loop_turn(&loop, 1000) >= 0);
    assert_got(50);
}

static void a_connection_that_is_refused_closes(void **state)
{
    (void)state;
    reopen_connecting(false);
    stream_writes(0, 100);
    for (int i = 0; i < 100 && !one.closed; i++)
        assert_true(loop_turn(&loop, 1000) >= 0);
    assert_int_equal(one.closed, 1);
}

static void what_cannot_be_watched_is_closed_and_reported(void **state)
{
    (void)state;
    struct stream s;
    int fd = open("/dev/null", O_RDWR | O_CLOEXEC); /* epoll takes no such file */
    assert_true(fd >= 0);
    assert_int_equal(stream_open(&s, &kind, fd, false), -EPERM);
    assert_int_equal(fcntl(fd, F_GETFD), -1);
    assert_int_equal(set.open, 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(input_is_handed_up_as_it_comes),
        TEST(what_is_not_used_comes_again_with_what_follows),
        TEST(every_use_of_a_part_loses_nothing_and_gives_nothing_twice),
        TEST(where_many_are_ready_each_has_its_share_of_a_turn),
        TEST(a_pause_inside_on_input_holds_the_rest_until_it_is_resumed),
        TEST(a_pause_before_any_input_leaves_it_in_the_kernel),
        TEST(a_pause_that_is_resumed_at_once_changes_nothing),
        TEST(held_input_is_followed_by_another_turn_at_once),
        TEST(back_pressure_stops_the_reading_above_the_high_mark),
        TEST(a_reader_that_answers_more_than_is_taken_is_held_and_loses_nothing),
        TEST(all_that_was_written_in_a_turn_leaves_in_one_call),
        TEST(nothing_written_is_nothing_sent),
        TEST(a_full_kernel_buffer_is_waited_for_without_spinning),
        TEST(a_queue_of_many_chunks_leaves_over_several_turns),
        TEST(large_writes_pass_in_one_piece),
        TEST(on_drained_is_called_once_for_each_time_it_was_asked_for),
        TEST(on_drained_may_write_and_ask_again),
        TEST(silence_and_standstill_are_measured),
        TEST(the_timer_is_the_owners_until_it_ends),
        TEST(closing_inside_on_input_ends_it_at_the_end_of_the_turn),
        TEST(every_call_on_a_closed_stream_is_harmless),
        TEST(what_few_have_is_given_back_once_all_of_it_is_zero),
        TEST(who_adopts_a_socket_sends_what_was_queued_there_first),
        TEST(the_end_of_the_peer_closes_behind_its_last_bytes),
        TEST(a_peer_that_ends_while_bytes_are_queued_closes),
        TEST(a_paused_stream_notices_that_its_peer_is_gone),
        TEST(finishing_delivers_the_last_bytes_though_the_peer_still_sends),
        TEST(finishing_delivers_the_last_bytes_though_the_peer_has_shut_its_end),
        TEST(finishing_with_nothing_queued_shuts_our_end_at_once),
        TEST(a_peer_that_never_ends_is_cut_after_2_s),
        TEST(finishing_frees_what_was_held),
        TEST(what_is_written_while_connecting_is_sent_then),
        TEST(a_connection_that_is_refused_closes),
        TEST(what_cannot_be_watched_is_closed_and_reported),
    };
    return cmocka_run_group_tests_name("net_stream", tests, NULL, NULL);
}
