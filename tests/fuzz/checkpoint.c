/* The file of the checkpoint, its check put right where the first byte is odd: what was read from it is
   written and read again the same. */
#include "store/checkpoint.h"
#include "../sim/simdisk.h"
#include "../sim/world.h"
#include "base/endian.h"
#include "codec/crc32c.h"
#include "fuzz.h"

#define KEYS 16 /* at most */

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
            CHECK(x->mark[k] == y->mark[k] && x->unread[k] == y->unread[k]);
        for (int k = 0; k < 2; k++)
            CHECK(slice_eq(index_name(a, x->user[k]), index_name(b, y->user[k])));
        CHECK(index_find(b, index_name(a, x->user[1]), index_name(a, x->user[0])) == i);
    }
}

/* The keys that are in front of the head's next id. */
static void check_same_keys(const struct keys *a, const struct keys *b, uint64_t next_id)
{
    uint64_t count = 0;
    for (uint64_t i = a->first; i < a->next; i++) {
        const struct key *x = &a->ring[i % a->max];
        if (x->id >= next_id)
            break;
        const struct key *y = &b->ring[(b->first + count++) % b->max];
        CHECK(memcmp(x, y, sizeof *x) == 0);
    }
    CHECK(count == b->next - b->first);
}

static void check_good(struct simdisk *d, struct index *index, struct keys *keys,
                       const struct checkpoint_head *head)
{
    static const struct log log = {.level = LOG_ERROR};
    struct checkpoint c;
    struct checkpoint_head head_again;
    struct index again;
    struct keys keys_again;
    struct worker worker;
    struct checkpoint_head expected = *head;
    expected.reach = head->place;
    worker_init(&worker, -1, 0, false);
    CHECK(index_load_end(index, NULL, 0) == 0 && keys_load_end(keys) == 0);
    checkpoint_init(&c, &d->disk, &log, &worker, index, keys);
    checkpoint_begin(&c, head);
    worker_fini(&worker);
    checkpoint_fini(&c);
    CHECK(index_init(&again) == 0 && keys_init(&keys_again, KEYS) == 0);
    CHECK(checkpoint_load(&d->disk, &again, &keys_again, &head_again) == NULL);
    CHECK(keys_load_end(&keys_again) == 0);
    CHECK(memcmp(&expected, &head_again, sizeof expected) == 0);
    check_same(index, &again);
    check_same_keys(keys, &keys_again, head->next_id);
    index_fini(&again);
    keys_fini(&keys_again);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct slice in = slice_of(p, n);
    struct buf bytes = {0};
    struct simdisk disk;
    struct index index;
    struct keys keys;
    struct checkpoint_head head;
    world_begin(1);
    simdisk_init(&disk, 1);
    bool mend = fuzz_byte(&in) & 1;
    buf_append_slice(&bytes, in);
    if (mend && bytes.n > 4)
        le32_store(bytes.p + bytes.n - 4, crc32c(0, bytes.p, bytes.n - 4));
    put_file(&disk, "checkpoint", buf_slice(&bytes));
    CHECK(index_init(&index) == 0 && keys_init(&keys, KEYS) == 0);
    const char *why = checkpoint_load(&disk.disk, &index, &keys, &head);
    CHECK(!why || *why);
    if (!why)
        check_good(&disk, &index, &keys, &head);
    index_fini(&index);
    keys_fini(&keys);
    CHECK(disk.open_files == 0);
    simdisk_fini(&disk);
    buf_free(&bytes);
    return 0;
}
