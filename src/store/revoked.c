#include "store/revoked.h"

#include "codec/sha256.h"
#include "store/inside.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define REVOKED_ENTRY 24
#define REVOKED_WHO 16 /* bytes of an entry that tell the user */
#define REVOKED_AROUND 12

static const uint8_t magic[8] = {'p', 'a', 'r', 'l', 'e', 'y', 'r', 'v'};

/* Where the user's entry is, or would be: its offset. */
static size_t revoked_find(const struct revoked *r, struct slice user, uint8_t who[SHA256_SIZE],
                           bool *found)
{
    struct sha256 h;
    sha256_init(&h);
    sha256_update(&h, user);
    sha256_final(&h, who);
    size_t low = 0, high = r->entries.n / REVOKED_ENTRY;
    *found = false;
    while (low < high && !*found) {
        size_t middle = low + (high - low) / 2;
        int order = memcmp(r->entries.p + middle * REVOKED_ENTRY, who, REVOKED_WHO);
        *found = order == 0;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return high * REVOKED_ENTRY;
}

uint64_t store_revoked(const struct store *s, struct slice user)
{
    const struct revoked *r = &s->revoked;
    uint8_t who[SHA256_SIZE];
    bool found = false;
    size_t at = r->entries.n ? revoked_find(r, user, who, &found) : 0;
    return found ? le64_load(r->entries.p + at + REVOKED_WHO) : 0;
}

int store_revoke(struct store *s, struct slice user, uint64_t before, uint64_t *number)
{
    struct revoked *r = &s->revoked;
    uint8_t who[SHA256_SIZE];
    bool found;
    if (s->failure)
        return s->failure;
    size_t at = revoked_find(r, user, who, &found);
    if (!found && r->entries.n == (size_t)REVOKED_MAX * REVOKED_ENTRY)
        return -ENOSPC;
    if (!found) {
        if (!buf_reserve(&r->entries, REVOKED_ENTRY)) {
            r->entries.failed = false;
            return -ENOMEM;
        }
        uint8_t *p = r->entries.p + at;
        memmove(p + REVOKED_ENTRY, p, r->entries.n - at);
        memcpy(p, who, REVOKED_WHO);
        le64_store(p + REVOKED_WHO, before);
        r->entries.n += REVOKED_ENTRY;
    } else if (before > le64_load(r->entries.p + at + REVOKED_WHO)) {
        le64_store(r->entries.p + at + REVOKED_WHO, before);
    }
    *number = ++r->asked;
    return 0;
}

static void revoked_run(struct worker_job *job)
{
    struct revoked *r = container_of(job, struct revoked, job);
    const struct disk *disk = container_of(r, struct store, revoked)->options.disk;
    r->result = disk_write_file(disk, REVOKED_NAME, r->bytes.p, r->bytes.n);
}

void revoked_step(struct store *s)
{
    struct revoked *r = &s->revoked;
    if (r->writing && worker_is_busy(&r->job))
        return;
    if (!r->writing && s->failure && r->asked != r->kept) { /* nothing is written any more */
        r->writing = true;
        r->given = r->asked;
        r->result = s->failure;
    }
    if (r->writing) {
        r->writing = false;
        r->kept = r->given;
        buf_free(&r->bytes);
        if (s->options.revoked)
            s->options.revoked(s->options.ctx, r->kept, r->result);
    }
    if (r->asked == r->kept || s->failure)
        return;
    buf_append(&r->bytes, magic, sizeof magic);
    buf_append_slice(&r->bytes, buf_slice(&r->entries));
    record_append_check(&r->bytes);
    r->given = r->asked;
    r->writing = true;
    r->result = -ENOMEM;
    r->job.run = revoked_run;
    if (!r->bytes.failed && worker_give(&s->worker, &r->job))
        r->result = -EAGAIN;
}

enum store_status revoked_load(struct store *s, struct store_error *error)
{
    struct buf *entries = &s->revoked.entries;
    uint64_t most = REVOKED_AROUND + (uint64_t)REVOKED_MAX * REVOKED_ENTRY;
    int result = disk_read_file(s->options.disk, REVOKED_NAME, most, entries);
    if (result == -ENOENT)
        return STORE_OK;
    if (result && result != -EBADMSG) {
        snprintf(error->text, sizeof error->text, "cannot read %s: %s", REVOKED_NAME,
                 strerror(-result));
        return disk_failed(result) ? STORE_IO : STORE_SYSTEM;
    }
    if (result || entries->n < REVOKED_AROUND || (entries->n - REVOKED_AROUND) % REVOKED_ENTRY ||
        memcmp(entries->p, magic, sizeof magic) != 0 || !record_has_check(entries->p, entries->n)) {
        snprintf(error->text, sizeof error->text,
                 "the file %s is damaged: it should say whose tokens are refused; nothing was "
                 "changed; bring it back, or remove it to take all tokens again",
                 REVOKED_NAME);
        return STORE_DAMAGED;
    }
    entries->n -= REVOKED_AROUND - sizeof magic;
    buf_drop(entries, sizeof magic);
    return STORE_OK;
}

void revoked_fini(struct revoked *r)
{
    buf_free(&r->entries);
    buf_free(&r->bytes);
}
