#include "store/erase.h"

#include "codec/crc32c.h"
#include "store/inside.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define ERASE_AROUND 13 /* bytes of the file around the id */

static const uint8_t magic[8] = {'p', 'a', 'r', 'l', 'e', 'y', 'e', 'r'};

static struct slice erase_user(const struct store *s)
{
    return slice_of(s->erase.name, s->erase.name_n);
}

bool store_is_erasing(const struct store *s, struct slice user)
{
    return s->erase.state && slice_eq(erase_user(s), user);
}

int store_erase(struct store *s, struct slice user)
{
    struct erase *e = &s->erase;
    if (s->failure)
        return s->failure;
    if (e->state && (e->asked || !slice_eq(erase_user(s), user)))
        return -EBUSY;
    e->asked = true;
    s->upkeep.due = true;
    s->upkeep.rests = 0;
    if (e->state)
        return 0;
    e->state = ERASE_SEALS;
    e->messages = 0;
    memcpy(e->name, user.p, user.n);
    e->name_n = user.n;
    e->sealed_id = s->next_id;
    s->sealing = true;
    return 0;
}

/* Ends it, for now or for good. */
static void erase_answer(struct store *s, int error)
{
    s->erase.asked = false;
    if (s->options.erased)
        s->options.erased(s->options.ctx, erase_user(s), s->erase.messages, error);
}

void erase_failed(struct store *s, int error)
{
    if (s->erase.state == ERASE_SEALS) /* nothing has been done yet */
        s->erase.state = ERASE_NOTHING;
    if (s->erase.state)
        log_write(s->options.log, LOG_ERROR,
                  "a user is hidden, and his messages cannot be erased yet: %s; it is tried again "
                  "with the next segment, or at the next start",
                  strerror(-error));
    erase_answer(s, error);
}

/* ---- the steps --------------------------------------------------------------------------- */

/* Whether all that was under way when it was asked for is in sealed segments, or failed. */
static bool erase_is_sealed(const struct store *s)
{
    const struct segment_head *last = &segments_last(&s->segments)->head;
    return last->first_id >= s->erase.sealed_id ||
           (s->tail == s->end && s->end == last->base + SEGMENT_HEAD && !s->gathering->records.n);
}

/* His conversations leave the index. */
static int erase_hide(struct store *s)
{
    struct erase *e = &s->erase;
    uint32_t user = index_find_user(&s->index, erase_user(s));
    e->conversations = s->index.conversation_count;
    e->numbers = calloc(e->conversations / 8 + 1, 1);
    if (!e->numbers)
        return -ENOMEM;
    if (user != INDEX_NONE)
        index_erase(&s->index, user, e->numbers);
    e->below = segments_last(&s->segments)->head.base;
    s->checkpoint.open = false; /* it may know of them */
    upkeep_forget_places(s);
    return 0;
}

/* The newest segment that is not done yet: its number, or UINT32_MAX. */
static uint32_t erase_next_segment(const struct store *s)
{
    uint32_t i = s->segments.count - 1;
    while (i > 0 && s->segments.at[i - 1].head.base >= s->erase.below)
        i--;
    return i - 1;
}

bool erase_step(struct store *s)
{
    struct erase *e = &s->erase;
    int result = 0;
    if (e->state == ERASE_SEALS) {
        s->sealing = !erase_is_sealed(s); /* a segment may have been begun for another reason */
        if (s->sealing)
            return false;
        result = erase_hide(s);
        if (result) {
            erase_failed(s, result);
            return false;
        }
        e->state = ERASE_NOTES;
    }
    uint32_t i = e->state == ERASE_REWRITES ? erase_next_segment(s) : 0;
    if (e->state == ERASE_REWRITES && i == UINT32_MAX)
        e->state = ERASE_ENDS;
    if (e->state != ERASE_REWRITES) {
        upkeep_give(s, UPKEEP_ERASE, 0, 0);
        return true;
    }
    if (!upkeep_has_room(s, i, 1)) {
        s->upkeep.rests = s->segments.count;
        erase_failed(s, -ENOSPC);
        return false;
    }
    e->left.messages = 0;
    buf_clear(&e->left.keyed);
    upkeep_give(s, UPKEEP_ARRANGE, i, 1);
    return true;
}

/* ---- the worker's part ------------------------------------------------------------------- */

static int erase_note(const struct disk *disk, struct slice user)
{
    uint8_t p[ERASE_AROUND + STORE_MAX_USER];
    size_t n = sizeof magic;
    memcpy(p, magic, n);
    p[n++] = (uint8_t)user.n;
    memcpy(p + n, user.p, user.n);
    n += user.n;
    le32_store(p + n, crc32c(0, p, n));
    return disk_write_file(disk, ERASE_NAME, p, n + 4);
}

/* 0 or -errno; it may be gone already. */
static int erase_remove(const struct disk *disk, const char *name)
{
    int result = disk->remove(disk->ctx, name);
    return result == -ENOENT ? 0 : result;
}

/* The note goes last, when all else has gone for good. */
static int erase_end(const struct disk *disk)
{
    int result = erase_remove(disk, CHECKPOINT_NAME ".new");
    if (!result)
        result = erase_remove(disk, ARRANGE_NAME);
    if (!result)
        result = erase_remove(disk, CHECKPOINT_NAME);
    if (!result)
        result = disk->sync_dir(disk->ctx);
    if (!result)
        result = erase_remove(disk, ERASE_NAME);
    return result ? result : disk->sync_dir(disk->ctx);
}

int erase_run(struct store *s)
{
    const struct disk *disk = s->options.disk;
    return s->erase.state == ERASE_NOTES ? erase_note(disk, erase_user(s)) : erase_end(disk);
}

/* ---- the owner's part -------------------------------------------------------------------- */

static void erase_took_segment(struct store *s)
{
    struct erase *e = &s->erase;
    e->below = s->upkeep.arrange.inputs[0].head.base;
    e->messages += e->left.messages;
    for (size_t at = 0; at < e->left.keyed.n; at += sizeof(uint64_t)) {
        uint64_t id;
        memcpy(&id, e->left.keyed.p + at, sizeof id);
        keys_erase(&s->keys, id);
    }
}

void erase_took(struct store *s)
{
    struct erase *e = &s->erase;
    if (e->state == ERASE_REWRITES) {
        erase_took_segment(s);
    } else if (e->state == ERASE_NOTES) {
        e->state = ERASE_REWRITES;
    } else {
        erase_fini(e);
        e->state = ERASE_NOTHING;
        s->checkpointed = s->checkpoint.place = 0;
        s->sealing = true; /* and a checkpoint is made */
        erase_answer(s, 0);
    }
}

void erase_fini(struct erase *e)
{
    free(e->numbers);
    e->numbers = NULL;
    buf_free(&e->left.keyed);
}

/* ---- at a start -------------------------------------------------------------------------- */

enum store_status erase_load(struct store *s, struct store_error *error)
{
    const struct disk *disk = s->options.disk;
    struct erase *e = &s->erase;
    uint8_t p[ERASE_AROUND + STORE_MAX_USER + 1];
    int file = disk->open(disk->ctx, ERASE_NAME, 0);
    if (file == -ENOENT)
        return STORE_OK;
    int64_t got = file < 0 ? file : disk->pread(disk->ctx, file, p, sizeof p, 0);
    if (file >= 0)
        disk->close(disk->ctx, file);
    if (got < 0) {
        snprintf(error->text, sizeof error->text, "cannot read %s: %s", ERASE_NAME,
                 strerror((int)-got));
        return disk_failed((int)got) ? STORE_IO : STORE_SYSTEM;
    }
    size_t n = (size_t)got;
    if (n <= ERASE_AROUND || n > sizeof p - 1 || memcmp(p, magic, sizeof magic) != 0 ||
        p[sizeof magic] != n - ERASE_AROUND || le32_load(p + n - 4) != crc32c(0, p, n - 4)) {
        snprintf(error->text, sizeof error->text,
                 "the file %s is damaged: it should say which user's messages are being erased; "
                 "nothing was changed; remove it to go on, and erase him again",
                 ERASE_NAME);
        return STORE_DAMAGED;
    }
    e->name_n = p[sizeof magic];
    memcpy(e->name, p + sizeof magic + 1, e->name_n);
    e->state = ERASE_REWRITES;
    return STORE_OK;
}

int erase_resume(struct store *s)
{
    if (!s->erase.state)
        return 0;
    log_write(s->options.log, LOG_INFO, "a user was being erased: this goes on");
    return erase_hide(s);
}
