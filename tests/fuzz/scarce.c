#include "scarce.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

void *__real_malloc(size_t n);
void *__real_realloc(void *p, size_t n);
void *__real_reallocarray(void *p, size_t count, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t count, size_t n);
void *__wrap_realloc(void *p, size_t n);
void *__wrap_reallocarray(void *p, size_t count, size_t n);

/* More is not to be had in one piece, so that what a forged file asks for is refused by a machine as small
 * as those that are meant to read it. */
#define LARGEST (256u << 20)

static bool counted; /* atomic, as `asked` is: a server's threads ask for memory, too */
static unsigned fail_in, fail_times, asked;
static struct disk disk;

void scarce_fail(unsigned n, unsigned times)
{
    fail_in = n;
    fail_times = times;
}

void scarce_begin(void)
{
    __atomic_store_n(&counted, true, __ATOMIC_RELAXED);
}

void scarce_end(void)
{
    __atomic_store_n(&counted, false, __ATOMIC_RELAXED);
}

unsigned scarce_asked(void)
{
    return __atomic_load_n(&asked, __ATOMIC_RELAXED);
}

/* ---- memory -------------------------------------------------------------------------------- */

static bool is_out(size_t count, size_t n)
{
    if (n && count > LARGEST / n)
        return true;
    if (!__atomic_load_n(&counted, __ATOMIC_RELAXED))
        return false;
    __atomic_add_fetch(&asked, 1, __ATOMIC_RELAXED);
    if (!fail_in)
        return false;
    if (fail_in > 1) {
        fail_in--;
        return false;
    }
    if (--fail_times == 0)
        fail_in = 0;
    return true;
}

void *__wrap_malloc(size_t n)
{
    return is_out(1, n) ? NULL : __real_malloc(n);
}

/* Not by the real one: that of musl calls malloc, and would be counted twice. */
void *__wrap_calloc(size_t count, size_t n)
{
    void *p = is_out(count, n) ? NULL : __real_malloc(count * n);
    return p ? memset(p, 0, count * n) : NULL;
}

void *__wrap_realloc(void *p, size_t n)
{
    return is_out(1, n) ? NULL : __real_realloc(p, n);
}

void *__wrap_reallocarray(void *p, size_t count, size_t n)
{
    return is_out(count, n) ? NULL : __real_reallocarray(p, count, n);
}

/* ---- the disk ------------------------------------------------------------------------------ */

#define CALL(type, name, params, args) \
    static type disk_##name params     \
    {                                  \
        bool before = counted;         \
        counted = false;               \
        type result = disk.name args;  \
        counted = before;              \
        return result;                 \
    }

CALL(int, open, (void *ctx, const char *name, int create), (ctx, name, create))
CALL(int64_t, size, (void *ctx, int file), (ctx, file))
CALL(int64_t, pread, (void *ctx, int file, void *p, size_t n, uint64_t at), (ctx, file, p, n, at))
CALL(int, pwrite, (void *ctx, int file, const void *p, size_t n, uint64_t at),
     (ctx, file, p, n, at))
CALL(int, truncate, (void *ctx, int file, uint64_t size), (ctx, file, size))
CALL(int, sync, (void *ctx, int file), (ctx, file))
CALL(int, sync_dir, (void *ctx), (ctx))
CALL(int, rename, (void *ctx, const char *from, const char *to), (ctx, from, to))
CALL(int, remove, (void *ctx, const char *name), (ctx, name))

void scarce_disk(struct disk *out, const struct disk *inner)
{
    *out = disk = *inner;
    out->open = disk_open;
    out->size = disk_size;
    out->pread = disk_pread;
    out->pwrite = disk_pwrite;
    out->truncate = disk_truncate;
    out->sync = disk_sync;
    out->sync_dir = disk_sync_dir;
    out->rename = disk_rename;
    out->remove = disk_remove;
}
