#include "simdisk.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* ---- the fate of a call ----------------------------------------------------------------- */

enum call {
    CALL_OPEN,
    CALL_CREATE,
    CALL_SIZE,
    CALL_PREAD,
    CALL_PWRITE,
    CALL_TRUNCATE,
    CALL_SYNC,
    CALL_SYNC_DIR,
    CALL_RENAME,
    CALL_REMOVE,
    CALL_LIST,
    CALL_LOCK,
};

static const struct {
    const char *name;
    bool writes;
    int errors[4]; /* that suit it; 0 behind the last */
} calls[] = {
    [CALL_OPEN] = {"open", false, {EIO, EMFILE}},
    [CALL_CREATE] = {"create", true, {EIO, EMFILE, ENOSPC, EDQUOT}},
    [CALL_SIZE] = {"size", false, {EIO}},
    [CALL_PREAD] = {"pread", false, {EIO}},
    [CALL_PWRITE] = {"pwrite", true, {EIO, ENOSPC, EDQUOT, EFBIG}},
    [CALL_TRUNCATE] = {"truncate", true, {EIO, ENOSPC}},
    [CALL_SYNC] = {"sync", true, {EIO, ENOSPC, EDQUOT}},
    [CALL_SYNC_DIR] = {"sync_dir", true, {EIO, ENOSPC}},
    [CALL_RENAME] = {"rename", true, {EIO, ENOSPC}},
    [CALL_REMOVE] = {"remove", true, {EIO, EROFS, ENOSPC}},
    [CALL_LIST] = {"list", false, {EIO, EMFILE}},
    [CALL_LOCK] = {"lock", false, {EIO, ENOSPC}},
};

struct fate {
    int error; /* what the store hears: 0 or -errno */
    enum { EFFECT_NONE, EFFECT_PART, EFFECT_ALL } effect;
};

static struct fate simdisk_begin(struct simdisk *d, enum call call)
{
    if (d->down)
        return (struct fate){-EIO, EFFECT_NONE};
    bool writes = calls[call].writes;
    d->calls++;
    d->writes += writes;
    if (d->calls == d->stop_at || (writes && d->writes == d->stop_write)) {
        d->down = true;
        return (struct fate){-EIO, rng_percent(&d->rng, 50) ? EFFECT_ALL : EFFECT_PART};
    }
    if (d->calls != d->fail_at && !(writes && d->writes == d->fail_write))
        return (struct fate){0, EFFECT_ALL};
    d->faults++;
    if ((call == CALL_SYNC || call == CALL_SYNC_DIR) && !d->cache)
        d->failed_syncs++;
    int error = d->fail_error;
    while (!error)
        error = -calls[call].errors[rng_below(&d->rng, 4)];
    return (struct fate){error, EFFECT_PART};
}

static int64_t simdisk_say(struct simdisk *d, enum call call, const char *name, uint64_t at,
                           uint64_t n, int64_t result)
{
    if (d->trace)
        fprintf(d->trace, "%6" PRIu64 " %s %s %" PRIu64 " %" PRIu64 " = %" PRId64 "%s\n", d->calls,
                calls[call].name, name, at, n, result, d->down ? " (down)" : "");
    return result;
}

/* For the trace: a name, also of a file that has none any more. */
static const char *simdisk_name_of(const struct simdisk *d, int file)
{
    for (size_t i = 0; i < d->names.now.count; i++)
        if (d->names.now.at[i].file == d->open[file])
            return d->names.now.at[i].name;
    return "-";
}

/* ---- the calls -------------------------------------------------------------------------- */

static struct simfile *simdisk_file(struct simdisk *d, int file)
{
    assert(file >= 0 && (size_t)file < d->open_count && d->open[file] >= 0);
    return d->files[d->open[file]];
}

static int simdisk_new_file(struct simdisk *d)
{
    d->files = simfile_grow(d->files, d->file_count, &d->file_cap, sizeof *d->files);
    d->files[d->file_count] = calloc(1, sizeof *d->files[0]);
    assert(d->files[d->file_count]);
    return (int)d->file_count++;
}

static int simdisk_open_file(struct simdisk *d, int file)
{
    d->open = simfile_grow(d->open, d->open_count, &d->open_cap, sizeof *d->open);
    d->open[d->open_count] = file;
    d->open_files++;
    return (int)d->open_count++;
}

/* The checkpoint is a cache, and what is done about old segments may fail: the store goes on. */
static void simdisk_meet(struct simdisk *d, const char *name)
{
    d->cache = strncmp(name, "checkpoint", 10) == 0 || strncmp(name, "begin", 5) == 0 ||
               strncmp(name, "arranged", 8) == 0 || strncmp(name, "erase", 5) == 0 ||
               strncmp(name, "revoked", 7) == 0;
}

static int simdisk_call_open(void *ctx, const char *name, int create)
{
    struct simdisk *d = ctx;
    simdisk_meet(d, name);
    enum call call = create ? CALL_CREATE : CALL_OPEN;
    struct fate fate = simdisk_begin(d, call);
    const struct simname *found = simnames_find(&d->names, name);
    int result = fate.error, file = found ? found->file : -1;
    if (!result && !create == !found)
        result = create ? -EEXIST : -ENOENT;
    else if (!result && create && simdisk_used(d) >= d->room) {
        d->faults++;
        result = -ENOSPC;
    } else if (create && !found && fate.effect == EFFECT_ALL) {
        file = simdisk_new_file(d);
        simnames_change(&d->names, "", name, file);
    }
    if (!result)
        result = simdisk_open_file(d, file);
    return (int)simdisk_say(d, call, name, 0, 0, result);
}

static void simdisk_call_close(void *ctx, int file)
{
    struct simdisk *d = ctx;
    (void)simdisk_file(d, file);
    d->open[file] = -1;
    d->open_files--;
}

static int64_t simdisk_call_size(void *ctx, int file)
{
    struct simdisk *d = ctx;
    struct fate fate = simdisk_begin(d, CALL_SIZE);
    const struct simfile *f = simdisk_file(d, file);
    return simdisk_say(d, CALL_SIZE, simdisk_name_of(d, file), 0, 0,
                       fate.error ? fate.error : (int64_t)f->now.n);
}

static int64_t simdisk_call_pread(void *ctx, int file, void *p, size_t n, uint64_t at)
{
    struct simdisk *d = ctx;
    struct fate fate = simdisk_begin(d, CALL_PREAD);
    const struct simfile *f = simdisk_file(d, file);
    int64_t result = fate.error;
    if (!result && at < f->now.n) {
        size_t there = f->now.n - (size_t)at;
        result = (int64_t)(n < there ? n : there);
        memcpy(p, f->now.p + at, (size_t)result);
    }
    return simdisk_say(d, CALL_PREAD, simdisk_name_of(d, file), at, n, result);
}

static int simdisk_call_pwrite(void *ctx, int file, const void *p, size_t n, uint64_t at)
{
    struct simdisk *d = ctx;
    struct fate fate = simdisk_begin(d, CALL_PWRITE);
    struct simfile *f = simdisk_file(d, file);
    size_t part = 0;
    if (fate.effect == EFFECT_ALL)
        part = n;
    else if (fate.effect == EFFECT_PART)
        part = rng_below(&d->rng, n + 1);
    uint64_t used = simdisk_used(d), room = d->room > used ? d->room - used : 0;
    uint64_t most = at <= f->now.n ? f->now.n - at + room : 0;
    if (part > most) {
        part = (size_t)most;
        if (!fate.error) {
            d->faults++;
            fate.error = -ENOSPC;
        }
    }
    if (part)
        simfile_change(f, p, part, at);
    return (int)simdisk_say(d, CALL_PWRITE, simdisk_name_of(d, file), at, n, fate.error);
}

static int simdisk_call_truncate(void *ctx, int file, uint64_t size)
{
    struct simdisk *d = ctx;
    struct fate fate = simdisk_begin(d, CALL_TRUNCATE);
    if (fate.effect == EFFECT_ALL)
        simfile_change(simdisk_file(d, file), NULL, 0, size);
    return (int)simdisk_say(d, CALL_TRUNCATE, simdisk_name_of(d, file), size, 0, fate.error);
}

static int simdisk_call_sync(void *ctx, int file)
{
    struct simdisk *d = ctx;
    simdisk_meet(d, simdisk_name_of(d, file));
    struct fate fate = simdisk_begin(d, CALL_SYNC);
    struct simfile *f = simdisk_file(d, file);
    if (fate.effect == EFFECT_ALL) {
        simfile_sync(f);
    } else if (fate.effect == EFFECT_PART && !d->down && rng_percent(&d->rng, 70)) {
        simfile_fail_sync(f, &d->rng);
        d->gone = true;
    }
    return (int)simdisk_say(d, CALL_SYNC, simdisk_name_of(d, file), 0, 0, fate.error);
}

static int simdisk_call_sync_dir(void *ctx)
{
    struct simdisk *d = ctx;
    struct fate fate = simdisk_begin(d, CALL_SYNC_DIR);
    if (fate.effect == EFFECT_ALL)
        simnames_sync(&d->names);
    d->loose = fate.error && d->cache;
    return (int)simdisk_say(d, CALL_SYNC_DIR, "-", 0, 0, fate.error);
}

static int simdisk_call_rename(void *ctx, const char *from, const char *to)
{
    struct simdisk *d = ctx;
    simdisk_meet(d, from);
    struct fate fate = simdisk_begin(d, CALL_RENAME);
    const struct simname *found = simnames_find(&d->names, from);
    if (!found && !fate.error)
        fate.error = -ENOENT;
    else if (found && fate.effect == EFFECT_ALL)
        simnames_change(&d->names, from, to, found->file);
    return (int)simdisk_say(d, CALL_RENAME, from, 0, 0, fate.error);
}

static int simdisk_call_remove(void *ctx, const char *name)
{
    struct simdisk *d = ctx;
    simdisk_meet(d, name);
    for (size_t i = 0; i < d->names.now.count; i++) /* an old segment */
        d->cache |= strstr(name, ".seg") && strstr(d->names.now.at[i].name, ".seg") &&
                    strcmp(name, d->names.now.at[i].name) < 0;
    struct fate fate = simdisk_begin(d, CALL_REMOVE);
    bool found = simnames_find(&d->names, name) != NULL;
    if (!found && !fate.error)
        fate.error = -ENOENT;
    else if (found && fate.effect == EFFECT_ALL)
        simnames_change(&d->names, name, "", -1);
    return (int)simdisk_say(d, CALL_REMOVE, name, 0, 0, fate.error);
}

static int simdisk_call_list(void *ctx, void (*each)(void *arg, const char *name), void *arg)
{
    struct simdisk *d = ctx;
    struct fate fate = simdisk_begin(d, CALL_LIST);
    size_t n = d->names.now.count;
    if (fate.error)
        n = fate.effect == EFFECT_PART ? rng_below(&d->rng, n + 1) : 0;
    for (size_t i = 0; i < n; i++)
        each(arg, d->names.now.at[i].name);
    return (int)simdisk_say(d, CALL_LIST, "-", 0, n, fate.error);
}

static int simdisk_call_lock(void *ctx)
{
    struct simdisk *d = ctx;
    struct fate fate = simdisk_begin(d, CALL_LOCK);
    d->locked |= !fate.error;
    return (int)simdisk_say(d, CALL_LOCK, "-", 0, 0, fate.error);
}

/* ---- for the run ------------------------------------------------------------------------ */

void simdisk_init(struct simdisk *d, uint64_t seed)
{
    *d = (struct simdisk){.rng = {seed}, .room = UINT64_MAX};
    d->disk = (struct disk){
        .open = simdisk_call_open,
        .close = simdisk_call_close,
        .size = simdisk_call_size,
        .pread = simdisk_call_pread,
        .pwrite = simdisk_call_pwrite,
        .truncate = simdisk_call_truncate,
        .sync = simdisk_call_sync,
        .sync_dir = simdisk_call_sync_dir,
        .rename = simdisk_call_rename,
        .remove = simdisk_call_remove,
        .list = simdisk_call_list,
        .lock = simdisk_call_lock,
        .ctx = d,
    };
}

void simdisk_fini(struct simdisk *d)
{
    for (size_t i = 0; i < d->file_count; i++) {
        simfile_free(d->files[i]);
        free(d->files[i]);
    }
    free(d->files);
    simnames_free(&d->names);
    free(d->open);
}

static void simdisk_cut(struct simdisk *d)
{
    enum simfile_loss loss = rng_below(&d->rng, SIMFILE_LOSSES);
    for (size_t i = 0; i < d->file_count; i++)
        simfile_cut(d->files[i], &d->rng, loss);
    simnames_cut(&d->names, &d->rng, loss);
    d->gone = false;
}

void simdisk_restart(struct simdisk *d, enum simdisk_end how)
{
    assert(d->open_files == 0);
    d->down = d->locked = false;
    d->open_count = 0;
    d->failed_syncs = 0;
    if (how == SIMDISK_POWER)
        simdisk_cut(d);
    if (d->trace)
        fprintf(d->trace, "       ---- %s\n", how == SIMDISK_POWER ? "power cut" : "restart");
}

void simdisk_evict(struct simdisk *d)
{
    assert(d->open_files == 0);
    for (size_t i = 0; i < d->file_count; i++)
        if (d->files[i]->gone && d->files[i]->change_count == 0)
            simfile_evict(d->files[i]);
}

static bool simdisk_is_unfinished(const char *name)
{
    return strstr(name, ".new") != NULL;
}

bool simdisk_dirty(const struct simdisk *d)
{
    bool dirty = false; /* what is unfinished is never read */
    for (size_t i = 0; i < d->names.change_count && !d->loose; i++)
        dirty |= !simdisk_is_unfinished(*d->names.changes[i].to ? d->names.changes[i].to
                                                                : d->names.changes[i].from);
    for (size_t i = 0; i < d->names.now.count; i++)
        dirty |= !simdisk_is_unfinished(d->names.now.at[i].name) &&
                 d->files[d->names.now.at[i].file]->change_count != 0;
    return dirty;
}

uint64_t simdisk_used(const struct simdisk *d)
{
    uint64_t used = 0;
    for (size_t i = 0; i < d->names.now.count; i++)
        used += d->files[d->names.now.at[i].file]->now.n;
    return used;
}

uint64_t simdisk_log(const struct simdisk *d)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < d->names.now.count; i++)
        if (strstr(d->names.now.at[i].name, ".seg"))
            bytes += d->files[d->names.now.at[i].file]->now.n;
    return bytes;
}

const char *simdisk_name(const struct simdisk *d, size_t i)
{
    return i < d->names.now.count ? d->names.now.at[i].name : NULL;
}

const struct buf *simdisk_bytes(const struct simdisk *d, const char *name)
{
    const struct simname *found = simnames_find(&d->names, name);
    return found ? &d->files[found->file]->now : NULL;
}

void simdisk_drop(struct simdisk *d, const char *name)
{
    if (!simnames_find(&d->names, name))
        return;
    simnames_change(&d->names, name, "", -1);
    simnames_sync(&d->names);
}

void simdisk_flip(struct simdisk *d, const char *name, uint64_t bit)
{
    struct simfile *f = d->files[simnames_find(&d->names, name)->file];
    assert(f->change_count == 0 && bit / 8 < f->now.n && f->durable.n == f->now.n);
    f->now.p[bit / 8] ^= (uint8_t)(1 << bit % 8);
    f->durable.p[bit / 8] ^= (uint8_t)(1 << bit % 8);
}
