/* The file of the checkpoint, its check put right where the first byte is odd: what was read from it is
   written and read again the same. */
#include "store/checkpoint.h"
#include "../sim/simdisk.h"
#include "../sim/world.h"
#include "base/endian.h"
#include "codec/crc32c.h"
#include "fuzz.h"

static void put_file(struct simdisk *d, const char *name, struct slice bytes)
{
    int file = d->disk.open(d, name, 1);
    CHECK(file >= 0 && d->disk.pwrite(d, file, bytes.p, bytes.n, 0) == 0);
    CHECK(d->disk.sync(d, file) == 0 && d->disk.sync_dir(d) == 0);
    d->disk.close(d, file);
}

static void check_same(const struct index *a, const struct index *b)
{
    CHECK(a->conversation_count == b->conversation_count);
    for (uint32_t i = 0; i < a->conversation_count; i++) {
        const struct conversation *x = &a->conversations[i], *y = &b->conversations[i];
        CHECK(index_is_used(a, i) == index_is_used(b, i));
        if (!index_is_used(a, i))
            continue;
        CHECK(x->last == y->last && x->last_id == y->last_id);
        for (int k = 0; k < 2; k++)
            CHECK(slice_eq(index_name(a, x->user[k]), index_name(b, y->user[k])));
        CHECK(index_find(b, index_name(a, x->user[1]), index_name(a, x->user[0])) == i);
    }
}

static void check_good(struct simdisk *d, const struct index *index,
                       const struct checkpoint_head *head)
{
    static const struct log log = {.level = LOG_ERROR};
    struct checkpoint c;
    struct checkpoint_head head_again;
    struct index again;
    struct worker worker;
    worker_init(&worker, -1, false);
    checkpoint_init(&c, &d->disk, &log, &worker);
    checkpoint_now(&c, index, head);
    worker_fini(&worker);
    checkpoint_fini(&c);
    CHECK(index_init(&again) == 0);
    CHECK(checkpoint_load(&d->disk, &again, &head_again) == NULL);
    CHECK(memcmp(head, &head_again, sizeof *head) == 0);
    check_same(index, &again);
    index_fini(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct slice in = slice_of(p, n);
    struct buf bytes = {0};
    struct simdisk disk;
    struct index index;
    struct checkpoint_head head;
    world_begin(1);
    simdisk_init(&disk, 1);
    bool mend = fuzz_byte(&in) & 1;
    buf_append_slice(&bytes, in);
    if (mend && bytes.n > 4)
        le32_store(bytes.p + bytes.n - 4, crc32c(0, bytes.p, bytes.n - 4));
    put_file(&disk, "checkpoint", buf_slice(&bytes));
    CHECK(index_init(&index) == 0);
    const char *why = checkpoint_load(&disk.disk, &index, &head);
    CHECK(!why || *why);
    if (!why)
        check_good(&disk, &index, &head);
    index_fini(&index);
    CHECK(disk.open_files == 0);
    simdisk_fini(&disk);
    buf_free(&bytes);
    return 0;
}
