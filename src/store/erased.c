#include "store/erased.h"

#include "base/buf.h"
#include "base/endian.h"
#include "codec/crc32c.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define ERASED_HEAD 9                 /* bytes in front of the id */
#define ERASED_MAX (INT64_C(1) << 30) /* bytes; more is no file of ours */

static const uint8_t magic[8] = {'p', 'a', 'r', 'l', 'e', 'y', 'e', '2'};

int erased_reach(struct erased *e, uint32_t count)
{
    size_t had = e->numbers ? e->count / 8 + 1 : 0, need = count / 8 + 1;
    if (had >= need)
        return 0;
    uint8_t *numbers = realloc(e->numbers, need);
    if (!numbers)
        return -ENOMEM;
    memset(numbers + had, 0, need - had);
    e->numbers = numbers;
    e->count = (uint32_t)(need * 8 - 1);
    return 0;
}

int erased_save(const struct erased *e, const struct disk *disk)
{
    struct buf b = {0};
    uint8_t n = (uint8_t)e->name_n, p[4];
    buf_append(&b, magic, sizeof magic);
    buf_append(&b, &n, 1);
    buf_append(&b, e->name, n);
    for (uint32_t i = 0; i < e->count; i++) {
        le32_store(p, i);
        if (index_bit(e->numbers, i))
            buf_append(&b, p, sizeof p);
    }
    le32_store(p, crc32c(0, b.p, b.n));
    buf_append(&b, p, sizeof p);
    int result = b.failed ? -ENOMEM : disk_write_file(disk, ERASED_NAME, b.p, b.n);
    buf_free(&b);
    return result;
}

/* 0, -EBADMSG or -ENOMEM. */
static int erased_read(struct erased *e, struct slice in)
{
    if (in.n < ERASED_HEAD + 4 || memcmp(in.p, magic, sizeof magic) != 0 ||
        in.p[8] > STORE_MAX_USER || in.n - ERASED_HEAD - 4 < in.p[8] ||
        le32_load(in.p + in.n - 4) != crc32c(0, in.p, in.n - 4))
        return -EBADMSG;
    e->name_n = in.p[8];
    memcpy(e->name, in.p + ERASED_HEAD, e->name_n);
    int result = erased_reach(e, 0);
    for (size_t at = ERASED_HEAD + e->name_n; at + 8 <= in.n && !result; at += 4) {
        uint32_t number = le32_load(in.p + at);
        result = number < INDEX_NONE - 8 ? erased_reach(e, number + 1) : -EBADMSG;
        if (!result)
            e->numbers[number / 8] |= (uint8_t)(1 << number % 8);
    }
    return result;
}

enum store_status erased_load(struct erased *e, const struct disk *disk, struct store_error *error)
{
    int file = disk->open(disk->ctx, ERASED_NAME, 0);
    if (file == -ENOENT)
        return STORE_OK;
    int64_t size = file < 0 ? file : disk->size(disk->ctx, file), got = size;
    bool ours = size > 0 && size < ERASED_MAX;
    uint8_t *p = ours ? calloc(1, (size_t)size) : NULL;
    int result = ours && !p ? -ENOMEM : -EBADMSG;
    if (p && (got = disk->pread(disk->ctx, file, p, (size_t)size, 0)) == size)
        result = erased_read(e, slice_of(p, (size_t)size));
    else if (got < 0)
        result = (int)got;
    if (file >= 0)
        disk->close(disk->ctx, file);
    free(p);
    if (result == -EBADMSG)
        snprintf(error->text, sizeof error->text,
                 "the file %s is damaged: it should say what is being erased; nothing was changed; "
                 "remove it to go on, and erase the user again",
                 ERASED_NAME);
    else if (result)
        snprintf(error->text, sizeof error->text, "cannot read %s: %s", ERASED_NAME,
                 strerror(-result));
    return !result               ? STORE_OK
           : result == -EBADMSG  ? STORE_DAMAGED
           : disk_failed(result) ? STORE_IO
                                 : STORE_SYSTEM;
}

void erased_clear(struct erased *e)
{
    free(e->numbers);
    e->numbers = NULL;
    e->count = 0;
}
