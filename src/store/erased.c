#include "store/erased.h"

#include "base/endian.h"
#include "store/record.h"

#include <errno.h>
#include <stdlib.h>

#define ERASED_HEAD 9                  /* bytes in front of the id */
#define ERASED_MAX (UINT64_C(1) << 30) /* bytes; more is no file of ours */

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
    uint8_t n = (uint8_t)e->name_n;
    buf_append(&b, magic, sizeof magic);
    buf_append(&b, &n, 1);
    buf_append(&b, e->name, n);
    for (uint32_t i = 0; i < e->count; i++) {
        uint8_t number[4];
        le32_store(number, i);
        if (index_bit(e->numbers, i))
            buf_append(&b, number, sizeof number);
    }
    record_append_check(&b);
    int result = b.failed ? -ENOMEM : disk_write_file(disk, ERASED_NAME, b.p, b.n);
    buf_free(&b);
    return result;
}

/* 0, -EBADMSG or -ENOMEM. */
static int erased_read(struct erased *e, struct slice in)
{
    if (in.n < ERASED_HEAD + 4 || memcmp(in.p, magic, sizeof magic) != 0 ||
        in.p[8] > STORE_MAX_USER || in.n - ERASED_HEAD - 4 < in.p[8] ||
        !record_has_check(in.p, in.n))
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

int erased_load(struct erased *e, const struct disk *disk)
{
    struct buf file = {0};
    int result = disk_read_file(disk, ERASED_NAME, ERASED_MAX, &file);
    if (!result)
        result = erased_read(e, buf_slice(&file));
    buf_free(&file);
    return result == -ENOENT ? 0 : result;
}

void erased_clear(struct erased *e)
{
    free(e->numbers);
    e->numbers = NULL;
    e->count = 0;
}
