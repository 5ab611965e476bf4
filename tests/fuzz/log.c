/* A log: what is walked twice is told twice the same; what is saved of it makes a log without a fault,
   with the same messages; and a store is opened on it if and only if nothing is wrong.
   The first byte: 1, checks are put right. Then for each segment its length in two bytes and its
   bytes. */
#include "../../tools/log/copy.h"
#include "../../tools/log/head.h"
#include "../../tools/log/order.h"
#include "../sim/simdisk.h"
#include "../sim/world.h"
#include "base/endian.h"
#include "codec/crc32c.h"
#include "fuzz.h"
#include "store/walk.h"

#include <errno.h>

#define SEGMENTS 6 /* at most */

/* Gives head and records checks that match, as far as they can be found. The places, where the segment
   begins and where an arranged one ends, are kept small: they bound the numbers of conversations, and
   with them the memory that they take. */
static void mend(uint8_t *p, size_t n)
{
    struct segment_head head;
    struct record r;
    uint32_t version;
    if (n < SEGMENT_HEAD)
        return;
    memset(p + 16 + 3, 0, 5);
    memset(p + 48 + 3, 0, 5);
    le32_store(p + 60, crc32c(0, p, 60));
    if (segment_head_read(&head, p, &version) != SEGMENT_HEAD_OK)
        return;
    for (size_t at = SEGMENT_HEAD;
         n - at >= RECORD_HEAD && record_read(&r, p + at) && r.length <= n - at; at += r.length)
        record_seal(&r, p + at, head.base + at);
}

static void put_segment(struct simdisk *d, struct slice bytes, bool mended)
{
    char name[SEGMENT_NAME];
    uint8_t *p = malloc(bytes.n + 1);
    CHECK(p);
    if (bytes.n)
        memcpy(p, bytes.p, bytes.n);
    if (mended)
        mend(p, bytes.n);
    segment_name(name, bytes.n >= 32 ? le64_load(p + 24) : 1);
    int file = d->disk.open(d, name, 1);
    if (file >= 0) { /* two of one name: the first stays */
        CHECK(d->disk.pwrite(d, file, p, bytes.n, 0) == 0 && d->disk.sync(d, file) == 0);
        d->disk.close(d, file);
    }
    free(p);
}

/* What a walk has told. */
struct told {
    struct buf faults, messages;
    unsigned damage, torn, records, marks;
    struct copy *copy; /* NULL: nothing is copied */
};

static enum store_status on_record(void *ctx, const struct walk_record *r)
{
    struct told *t = ctx;
    if (r->head.kind == RECORD_KIND_MARK) {
        t->marks++;
        CHECK(!r->message && record_up_to(r->p) && record_up_to(r->p) < r->head.id);
        return STORE_OK;
    }
    t->records++;
    CHECK(r->message && r->message->id == r->head.id && r->head.id < RECORD_MAX_ID);
    buf_append_slice(&t->messages, r->message->json);
    if (t->copy)
        CHECK(copy_message(t->copy, r->message, r->head.flags & RECORD_UNSYNCED, SLICE("")) == 0);
    return STORE_OK;
}

static enum store_status on_fault(void *ctx, const struct walk_fault *f)
{
    struct told *t = ctx;
    CHECK(*f->what);
    t->damage += f->kind != WALK_TORN;
    t->torn += f->kind == WALK_TORN;
    buf_printf(&t->faults, "%s %llu %llu %s\n", f->file, (unsigned long long)f->at,
               (unsigned long long)f->bytes, f->what);
    return STORE_OK;
}

static void walk(struct simdisk *d, struct told *t, bool salvage)
{
    struct segments segments = {0};
    struct index index;
    struct store_error error = {{0}};
    const struct walk_handler handler = {
        .record = on_record, .fault = on_fault, .lost_head = head_guess, .ctx = t};
    CHECK(index_init(&index) == 0);
    struct walk w = {.disk = &d->disk,
                     .handler = &handler,
                     .segments = &segments,
                     .index = &index,
                     .error = &error,
                     .thorough = true,
                     .salvage = salvage};
    struct order order = {0};
    if (salvage)
        order_init(&order, &w);
    CHECK(walk_open(&w) == STORE_OK && walk_run(&w) == STORE_OK);
    order_fini(&order);
    CHECK((salvage || (w.tip.messages == t->records && w.marks == t->marks)) &&
          index.conversation_count - index.hole_count <= t->records);
    CHECK(!t->faults.failed && !t->messages.failed);
    walk_close(&w);
    segments_fini(&segments, &d->disk);
    index_fini(&index);
    CHECK(d->open_files == 0);
}

static void told_fini(struct told *t)
{
    buf_free(&t->faults);
    buf_free(&t->messages);
}

static void check_salvage(struct simdisk *d)
{
    struct simdisk to;
    struct copy copy;
    struct told told = {.copy = &copy}, again = {.copy = NULL};
    simdisk_init(&to, 1);
    CHECK(copy_init(&copy, &to.disk, 1000) == 0);
    walk(d, &told, true);
    CHECK(copy_finish(&copy) == 0);
    copy_fini(&copy);
    walk(&to, &again, false);
    CHECK(again.damage == 0 && again.torn == 0);
    CHECK(slice_eq(buf_slice(&told.messages), buf_slice(&again.messages)));
    told_fini(&told);
    told_fini(&again);
    simdisk_fini(&to);
}

/* The rest of what a store is asked to do. */
static void on_committed(void *ctx, const struct store_message *m)
{
    *(uint64_t *)ctx = m->id;
}

static void on_failed(void *ctx, uint64_t id, int error)
{
    (void)ctx;
    (void)id;
    CHECK(error < 0);
}

static void check_open(struct simdisk *d, const struct told *told)
{
    static const struct log log = {.level = LOG_ERROR};
    struct store *store;
    struct store_error error = {{0}};
    uint64_t committed = 0, id = 0;
    int64_t date;
    const struct store_options options = {.disk = &d->disk,
                                          .log = &log,
                                          .inline_commit = true,
                                          .segment_size = 2000,
                                          .committed = on_committed,
                                          .failed = on_failed,
                                          .ctx = &committed};
    enum store_status status = store_open(&store, &options, &error);
    if (status != STORE_OK) {
        CHECK(told->damage && *error.text && status == STORE_DAMAGED);
        return;
    }
    struct store_stats stats;
    store_get_stats(store, &stats);
    CHECK(told->damage || stats.messages == told->records);
    int result =
        store_append(store, SLICE("a"), SLICE("b"), SLICE("\"x\""), SLICE(""), 1, &id, &date);
    CHECK(result == 0 || result == -EOVERFLOW);
    store_flush(store);
    store_collect(store);
    CHECK(result || committed == id);
    CHECK(store_close(store) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct slice in = slice_of(p, n);
    struct simdisk disk;
    struct told once = {.copy = NULL}, twice = {.copy = NULL};
    world_begin(1);
    simdisk_init(&disk, 1);
    bool mended = fuzz_byte(&in) & 1;
    for (int i = 0; i < SEGMENTS && in.n; i++) {
        size_t low = fuzz_byte(&in);
        put_segment(&disk, fuzz_bytes(&in, low | (size_t)fuzz_byte(&in) << 8), mended);
    }
    CHECK(disk.disk.sync_dir(&disk) == 0);
    walk(&disk, &once, false);
    walk(&disk, &twice, false);
    CHECK(slice_eq(buf_slice(&once.faults), buf_slice(&twice.faults)));
    CHECK(slice_eq(buf_slice(&once.messages), buf_slice(&twice.messages)));
    check_salvage(&disk);
    check_open(&disk, &once);
    told_fini(&once);
    told_fini(&twice);
    simdisk_fini(&disk);
    return 0;
}
