/* store: crashes and failures at every call of a simulated disk, and in many random runs. */
#include "../support/test.h"
#include "run.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SEEDS 3000
#define SEEDS_LEAST 50 /* however slow */
#define SECONDS 10

/* One call of so many is tried: Valgrind is slow, and the other builds try them all. */
static unsigned step = 1;

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void test_no_run_finds_anything_wrong(void **state)
{
    (void)state;
    struct run_result result;
    double end = seconds() + SECONDS;
    unsigned seed = 1;
    for (; seed <= SEEDS && (seed <= SEEDS_LEAST || seconds() < end); seed++) {
        run_seed(&result, seed, NULL);
        if (*result.wrong)
            fail_msg("seed %u: %s; repeat it with: build/release/tests/sim/store --seed %u "
                     "--verbose",
                     seed, result.wrong, seed);
    }
    print_message("%u seeds\n", seed - 1);
}

static char *trace_of(uint64_t seed)
{
    char *text;
    size_t n;
    struct run_result result;
    FILE *trace = open_memstream(&text, &n);
    assert_non_null(trace);
    run_seed(&result, seed, trace);
    fclose(trace);
    return text;
}

static void test_a_seed_is_always_the_same_run(void **state)
{
    (void)state;
    char *before = NULL;
    for (uint64_t seed = 1; seed <= 30; seed++) {
        char *one = trace_of(seed), *two = trace_of(seed);
        assert_string_equal(one, two);
        assert_true(!before || strcmp(before, one) != 0);
        free(before);
        free(two);
        before = one;
    }
    free(before);
}

/* ---- every call ------------------------------------------------------------------------- */

static struct run_result script(struct run_fault fault, uint64_t seed)
{
    static const char *const modes[] = {"always", "timed", "none"};
    struct run_result result;
    run_script(&result, seed, &fault, NULL);
    if (*result.wrong)
        fail_msg("sync %s, failing: call %d, write %d, with %d; stopping (%d): call %d, write %d; "
                 "seed %d: %s",
                 modes[fault.sync], (int)fault.fail_at, (int)fault.fail_write, fault.fail_error,
                 (int)fault.stop_how, (int)fault.stop_at, (int)fault.stop_write, (int)seed,
                 result.wrong);
    return result;
}

static const enum store_sync all_modes[] = {STORE_SYNC_ALWAYS, STORE_SYNC_TIMED, STORE_SYNC_NONE};

static void test_any_call_may_fail(void **state)
{
    (void)state;
    static const int errors[] = {-EIO, -ENOSPC, -EDQUOT, -EROFS};
    for (size_t m = 0; m < sizeof all_modes / sizeof *all_modes; m++) {
        struct run_fault fault = {.stop_how = SIMDISK_POWER, .sync = all_modes[m]};
        struct run_result whole = script(fault, 1);
        assert_true(whole.writes > 50);
        for (fault.fail_at = 1; fault.fail_at <= whole.calls; fault.fail_at += step)
            (void)script(fault, fault.fail_at);
        fault.fail_at = 0;
        for (fault.fail_write = 1; fault.fail_write <= whole.writes; fault.fail_write += step) {
            for (uint64_t e = 0; e < sizeof errors / sizeof *errors; e++) {
                fault.fail_error = errors[e];
                (void)script(fault, fault.fail_write * 10 + e);
            }
        }
    }
}

static void test_any_call_may_be_the_last(void **state)
{
    (void)state;
    for (size_t m = 0; m < sizeof all_modes / sizeof *all_modes; m++) {
        struct run_fault fault = {.stop_how = SIMDISK_POWER, .sync = all_modes[m]};
        struct run_result whole = script(fault, 1);
        for (fault.stop_at = 1; fault.stop_at <= whole.calls; fault.stop_at += step)
            (void)script(fault, fault.stop_at);
        fault.stop_at = 0;
        for (fault.stop_write = 1; fault.stop_write <= whole.writes; fault.stop_write += step) {
            fault.stop_how = SIMDISK_KILL;
            (void)script(fault, fault.stop_write);
            fault.stop_how = SIMDISK_POWER;
            for (uint64_t seed = 1; seed <= 8; seed++)
                (void)script(fault, seed);
        }
    }
}

/* ---- killed, and then without power ------------------------------------------------------ */

static void ignore_message(void *ctx, const struct store_message *message)
{
    (void)ctx;
    (void)message;
}

static void ignore_id(void *ctx, uint64_t id, int error)
{
    (void)ctx;
    (void)id;
    (void)error;
}

static void ignore_line(void *ctx, enum log_level level, const char *line)
{
    (void)ctx;
    (void)level;
    (void)line;
}

/* A store of a few dozen messages, which arranges, or drops, what is sealed. */
static struct store *busy_store(struct simdisk *d, const struct log *log, bool drops,
                                struct store_error *error)
{
    struct store *store = NULL;
    const struct store_options options = {.disk = &d->disk,
                                          .log = log,
                                          .segment_size = 400,
                                          .retain_bytes = drops ? 3000 : 0,
                                          .arrange = !drops,
                                          .inline_commit = true,
                                          .committed = ignore_message,
                                          .failed = ignore_id};
    enum store_status status = store_open(&store, &options, error);
    if (status == STORE_DAMAGED)
        fail_msg("%s", error->text);
    return store;
}

static void talk(struct store *store, struct simdisk *d)
{
    uint64_t id;
    int64_t date;
    for (int i = 0; i < 40 && !d->down; i++) {
        if (store_append(store, SLICE("ann"), SLICE("bob"), SLICE("\"x\""), SLICE(""), 1, &id,
                         &date))
            break;
        store_flush(store);
        store_collect(store);
    }
}

/* What a killed process left in the kernel's memory is read by the next one, which must make it
 * durable before it acts on it. */
static void test_a_kill_and_then_a_power_cut_lose_nothing(void **state)
{
    (void)state;
    const struct log log = {LOG_ERROR, ignore_line, NULL, NULL};
    struct store_error error;
    unsigned cuts = 0;
    for (uint64_t at = 1, more = 1; more; at += step) {
        for (uint64_t again = 1; again < 40; again++) {
            struct simdisk d;
            simdisk_init(&d, at * 100 + again);
            bool drops = again % 2;
            d.stop_write = at;
            struct store *store = busy_store(&d, &log, drops, &error);
            if (store) {
                talk(store, &d);
                store_close(store);
            }
            more = d.down;
            simdisk_restart(&d, SIMDISK_KILL);
            d.stop_write = d.writes + again / 2 % 10 + 1;
            store = busy_store(&d, &log, drops, &error);
            cuts += d.down;
            if (store)
                store_close(store);
            simdisk_restart(&d, SIMDISK_POWER);
            d.stop_write = 0;
            store = busy_store(&d, &log, drops, &error);
            assert_non_null(store);
            store_close(store);
            simdisk_fini(&d);
        }
    }
    assert_true(cuts > 1000);
}

/* ---- the disk itself -------------------------------------------------------------------- */

static int put(struct simdisk *d, int file, char c, size_t at)
{
    char bytes[512];
    memset(bytes, c, sizeof bytes);
    int result = d->disk.pwrite(d, file, bytes, sizeof bytes, at);
    memset(bytes, '#', sizeof bytes); /* they must have been copied */
    return result;
}

/* The contents of the file "a": one letter for each run of the same byte. */
static const char *get(struct simdisk *d)
{
    static char text[2048];
    const struct buf *b = simdisk_bytes(d, "a");
    size_t n = 0;
    if (!b)
        return "no file";
    assert_true(b->n < sizeof text);
    for (size_t i = 0; i < b->n; i++)
        if (i == 0 || b->p[i] != b->p[i - 1])
            text[n++] = b->p[i] ? (char)b->p[i] : '0';
    text[n] = 0;
    return text;
}

/* A file "a" of two sectors of 'x', durable, and its number. */
static int begin(struct simdisk *d, uint64_t seed)
{
    simdisk_init(d, seed);
    int file = d->disk.open(d, "a", 1);
    assert_int_equal(file, 0);
    assert_int_equal(put(d, file, 'x', 0), 0);
    assert_int_equal(put(d, file, 'x', 512), 0);
    assert_int_equal(d->disk.sync(d, file), 0);
    assert_int_equal(d->disk.sync_dir(d), 0);
    return file;
}

static void cut(struct simdisk *d, int file)
{
    d->disk.close(d, file);
    simdisk_restart(d, SIMDISK_POWER);
}

static void test_what_was_synced_survives_and_the_rest_may(void **state)
{
    (void)state;
    unsigned lost = 0, kept = 0, first = 0, second = 0, torn = 0, renamed = 0, both = 0;
    for (uint64_t seed = 1; seed <= 1000; seed++) {
        struct simdisk d;
        int file = begin(&d, seed);
        assert_int_equal(put(&d, file, 'y', 0), 0);
        assert_int_equal(put(&d, file, 'z', 512), 0);
        assert_string_equal(get(&d), "yz");
        cut(&d, file);
        const char *is = get(&d);
        lost += strcmp(is, "x") == 0;
        kept += strcmp(is, "yz") == 0;
        first += strcmp(is, "yx") == 0;
        second += strcmp(is, "xz") == 0;
        torn += strlen(is) > 2;
        simdisk_fini(&d);

        file = begin(&d, seed);
        assert_int_equal(put(&d, file, 'y', 0), 0);
        assert_int_equal(d.disk.sync(&d, file), 0);
        assert_int_equal(d.disk.rename(&d, "a", "b"), 0);
        assert_int_equal(d.disk.open(&d, "c", 1), 1);
        d.disk.close(&d, 1);
        assert_string_equal(get(&d), "no file");
        cut(&d, file);
        bool moved = simdisk_bytes(&d, "b") != NULL;
        assert_string_equal(get(&d), moved ? "no file" : "yx");
        renamed += moved;
        both += moved && simdisk_bytes(&d, "c");
        simdisk_fini(&d);
    }
    assert_true(lost > 50 && kept > 50 && first > 50 && second > 50 && torn > 50);
    assert_true(renamed > 50 && renamed < 950 && both > 50 && both < renamed);
}

static void test_the_end_of_the_process_loses_nothing(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct simdisk d;
        int file = begin(&d, seed);
        assert_int_equal(put(&d, file, 'y', 0), 0);
        d.disk.close(&d, file);
        simdisk_restart(&d, SIMDISK_KILL);
        assert_string_equal(get(&d), "yx");
        simdisk_fini(&d);
    }
}

static void test_a_failed_sync_may_forget_what_reading_still_shows(void **state)
{
    (void)state;
    unsigned forgotten = 0;
    for (uint64_t seed = 1; seed <= 200; seed++) {
        struct simdisk d;
        int file = begin(&d, seed);
        assert_int_equal(put(&d, file, 'y', 0), 0);
        d.fail_at = d.calls + 1;
        assert_true(d.disk.sync(&d, file) < 0);
        assert_string_equal(get(&d), "yx");
        assert_int_equal(d.disk.sync(&d, file), 0);
        cut(&d, file);
        forgotten += strcmp(get(&d), "x") == 0;
        simdisk_fini(&d);
    }
    assert_true(forgotten > 20 && forgotten < 180);
}

static void test_a_full_disk_takes_what_fits(void **state)
{
    (void)state;
    struct simdisk d;
    int file = begin(&d, 1);
    d.room = 1024 + 100;
    assert_int_equal(put(&d, file, 'y', 1024), -ENOSPC);
    assert_int_equal(d.disk.size(&d, file), 1124);
    assert_int_equal(d.disk.open(&d, "b", 1), -ENOSPC);
    assert_int_equal(put(&d, file, 'y', 0), 0);
    d.disk.close(&d, file);
    simdisk_fini(&d);
}

int main(void)
{
    if (getenv("PARLEY_WRAP"))
        step = 7;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_was_synced_survives_and_the_rest_may),
        cmocka_unit_test(test_the_end_of_the_process_loses_nothing),
        cmocka_unit_test(test_a_failed_sync_may_forget_what_reading_still_shows),
        cmocka_unit_test(test_a_full_disk_takes_what_fits),
        cmocka_unit_test(test_a_seed_is_always_the_same_run),
        cmocka_unit_test(test_any_call_may_fail),
        cmocka_unit_test(test_any_call_may_be_the_last),
        cmocka_unit_test(test_a_kill_and_then_a_power_cut_lose_nothing),
        cmocka_unit_test(test_no_run_finds_anything_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
