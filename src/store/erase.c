#include "store/erase.h"

#include "store/inside.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static struct slice erase_user(const struct store *s)
{
    return slice_of(s->erase.note.name, s->erase.note.name_n);
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
    if (e->state && !store_is_erasing(s, user))
        return -EBUSY;
    s->upkeep.due = true;
    s->upkeep.rests = 0;
    if (e->state)
        return 0;
    e->state = ERASE_SEALS;
    e->messages = 0;
    memcpy(e->note.name, user.p, user.n);
    e->note.name_n = user.n;
    e->sealed_id = s->next_id;
    s->sealing = true;
    return 0;
}

/* Ends it, for now or for good. */
static void erase_answer(struct store *s, int error)
{
    struct erase *e = &s->erase;
    if (s->options.erased)
        s->options.erased(s->options.ctx, erase_user(s), e->messages, error,
                          error == -EBADMSG ? e->damaged : NULL);
}

void erase_failed(struct store *s, int error)
{
    if (s->erase.state == ERASE_SEALS) /* nothing has been done yet */
        s->erase.state = ERASE_NOTHING;
    if (s->erase.state)
        log_write(s->options.log, LOG_ERROR,
                  "a user is hidden, and his messages cannot be erased yet: %s; it is tried again "
                  "with the next segment%s",
                  strerror(-error),
                  s->erase.state == ERASE_NOTES ? ", and a restart before that forgets it"
                                                : ", or at the next start");
    erase_answer(s, error);
}

void erase_met_damage(struct store *s, const char *name, uint64_t at)
{
    struct erase *e = &s->erase;
    snprintf(e->damaged, sizeof e->damaged, "%s at offset %" PRIu64, name, at);
    e->below = s->upkeep.arrange.inputs[0].head.base;
}

/* ---- the steps --------------------------------------------------------------------------- */

/* Whether all that was under way when it was asked for is in sealed segments, or failed. */
static bool erase_is_sealed(const struct store *s)
{
    const struct segment_head *last = &segments_last(&s->segments)->head;
    return last->first_id >= s->erase.sealed_id ||
           (s->tail == s->end && s->end == last->base + SEGMENT_HEAD && !s->gathering->records.n);
}

/* Everything is in sealed segments that is to be erased, and hidden. */
static int erase_begin(struct store *s)
{
    struct erase *e = &s->erase;
    e->below = segments_last(&s->segments)->head.base;
    e->damaged[0] = 0;
    return erased_reach(&e->note, s->index.conversation_count);
}

/* His conversations leave the index. */
static int erase_hide(struct store *s)
{
    uint32_t user = index_find_user(&s->index, erase_user(s));
    int result = erase_begin(s);
    if (result)
        return result;
    if (user != INDEX_NONE)
        index_erase(&s->index, user, s->erase.note.numbers);
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

/* It is over, but for what is damaged. A checkpoint is made that knows nothing of it. */
static void erase_over(struct store *s)
{
    struct erase *e = &s->erase;
    e->state = ERASE_NOTHING;
    s->checkpointed = s->checkpoint.place = 0;
    s->sealing = true;
    if (*e->damaged)
        log_write(s->options.log, LOG_ERROR,
                  "what damaged files hold of users that were erased is hidden, and is still "
                  "there; "
                  "parley-log repair DIR COPY leaves it out");
    else
        erased_clear(&e->note);
    erase_answer(s, *e->damaged ? -EBADMSG : 0);
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
    if (e->state == ERASE_REWRITES && i == UINT32_MAX && *e->damaged) {
        erase_over(s);
        return false;
    }
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
    upkeep_give(s, UPKEEP_REWRITE, i, 1);
    return true;
}

/* ---- the worker's part ------------------------------------------------------------------- */

/* 0 or -errno; it may be gone already. */
static int erase_remove(const struct disk *disk, const char *name)
{
    int result = disk->remove(disk->ctx, name);
    return result == -ENOENT ? 0 : result;
}

/* Files that nobody needs, and that could not be removed when they were replaced or dropped. */
static int erase_remove_stayed(const struct disk *disk, struct buf *stayed)
{
    char name[SEGMENT_NAME];
    int result = stayed->failed ? -ENOMEM : 0;
    while (stayed->n && !result) {
        uint64_t first_id;
        memcpy(&first_id, stayed->p + stayed->n - sizeof first_id, sizeof first_id);
        segment_name(name, first_id);
        result = erase_remove(disk, name);
        stayed->n -= result ? 0 : sizeof first_id;
    }
    return result;
}

/* What stayed goes when it is durable that it was replaced; the note goes last, when all else has gone for
 * good. */
static int erase_end(const struct disk *disk, struct buf *stayed)
{
    static const char *const names[] = {CHECKPOINT_NAME ".new", ARRANGE_NAME, ERASED_NAME ".new",
                                        CHECKPOINT_NAME};
    int result = 0;
    for (size_t i = 0; i < sizeof names / sizeof *names && !result; i++)
        result = erase_remove(disk, names[i]);
    if (!result)
        result = disk->sync_dir(disk->ctx);
    bool stay = stayed->n || stayed->failed;
    if (!result && stay)
        result = erase_remove_stayed(disk, stayed);
    if (!result && stay)
        result = disk->sync_dir(disk->ctx);
    if (!result)
        result = erase_remove(disk, ERASED_NAME);
    return result ? result : disk->sync_dir(disk->ctx);
}

int erase_run(struct store *s)
{
    const struct disk *disk = s->options.disk;
    return s->erase.state == ERASE_NOTES ? erased_save(&s->erase.note, disk)
                                         : erase_end(disk, &s->upkeep.stayed);
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
        erase_over(s);
    }
}

void erase_fini(struct erase *e)
{
    erased_clear(&e->note);
    buf_free(&e->left.keyed);
}

int erase_resume(struct store *s)
{
    if (!s->erase.note.numbers)
        return 0;
    log_write(s->options.log, LOG_INFO, "a user was being erased: this goes on");
    s->erase.state = ERASE_REWRITES;
    return erase_begin(s);
}
