#include "simfile.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define SECTOR 512

/* A write, or, without bytes, a new size. */
struct simfile_change {
    size_t at;
    size_t n;
    uint8_t *bytes;
};

void *simfile_grow(void *array, size_t count, size_t *cap, size_t size)
{
    if (count < *cap)
        return array;
    *cap = count ? count * 2 : 8;
    array = realloc(array, *cap * size);
    assert(array);
    return array;
}

/* New bytes are zero. */
static void bytes_resize(struct buf *b, size_t n)
{
    if (n > b->n) {
        uint8_t *p = buf_reserve(b, n - b->n);
        assert(p);
        memset(p, 0, n - b->n);
    }
    b->n = n;
}

static void bytes_write(struct buf *b, const uint8_t *p, size_t n, size_t at)
{
    if (at + n > b->n)
        bytes_resize(b, at + n);
    if (n)
        memcpy(b->p + at, p, n);
}

void simfile_change(struct simfile *f, const void *p, size_t n, uint64_t at)
{
    struct simfile_change c = {(size_t)at, n, NULL};
    if (n) {
        c.bytes = malloc(n);
        assert(c.bytes);
        memcpy(c.bytes, p, n);
        bytes_write(&f->now, p, n, c.at);
    } else {
        bytes_resize(&f->now, c.at);
    }
    f->changes = simfile_grow(f->changes, f->change_count, &f->change_cap, sizeof *f->changes);
    f->changes[f->change_count++] = c;
}

static void file_forget_changes(struct simfile *f)
{
    for (size_t i = 0; i < f->change_count; i++)
        free(f->changes[i].bytes);
    f->change_count = 0;
}

static void change_apply(struct buf *durable, const struct simfile_change *c)
{
    if (c->n)
        bytes_write(durable, c->bytes, c->n, c->at);
    else
        bytes_resize(durable, c->at);
}

void simfile_sync(struct simfile *f)
{
    for (size_t i = 0; i < f->change_count; i++)
        change_apply(&f->durable, &f->changes[i]);
    file_forget_changes(f);
}

static void change_keep(struct buf *durable, const struct simfile_change *c, size_t from, size_t to)
{
    if (from < to)
        bytes_write(durable, c->bytes + from, to - from, c->at + from);
}

static void change_tear(struct rng *rng, struct buf *durable, const struct simfile_change *c)
{
    size_t from = 0, to = c->n;
    switch (rng_below(rng, 6)) {
    case 0: /* sectors */
        for (size_t i = 0, k; i < c->n; i = k) {
            k = i + SECTOR - (c->at + i) % SECTOR;
            if (rng_percent(rng, 50))
                change_keep(durable, c, i, k < c->n ? k : c->n);
        }
        break;
    case 1: /* every byte for itself */
        for (size_t i = 0; i < c->n; i++)
            if (rng_percent(rng, 90))
                change_keep(durable, c, i, i + 1);
        break;
    case 2: /* a part in the middle */
        from = rng_below(rng, c->n);
        to = from + rng_below(rng, c->n - from + 1);
        change_keep(durable, c, from, to);
        break;
    case 3: /* all but a part in the middle */
        from = rng_below(rng, c->n);
        to = from + rng_below(rng, c->n - from + 1);
        change_keep(durable, c, 0, from);
        change_keep(durable, c, to, c->n);
        break;
    case 4: /* the beginning */
        change_keep(durable, c, 0, rng_below(rng, c->n + 1));
        break;
    case 5: /* its size alone */
        break;
    }
    if (c->at + c->n > durable->n && rng_percent(rng, 50))
        bytes_resize(durable, c->at + c->n);
}

void simfile_cut(struct simfile *f, struct rng *rng, enum simfile_loss loss)
{
    for (size_t i = 0; i < f->change_count; i++) {
        const struct simfile_change *c = &f->changes[i];
        bool whole =
            loss == SIMFILE_LOSE_NONE || (loss != SIMFILE_LOSE_ALL && rng_percent(rng, 50));
        if (whole)
            change_apply(&f->durable, c);
        else if (loss == SIMFILE_LOSE_PARTS && c->n)
            change_tear(rng, &f->durable, c);
    }
    file_forget_changes(f);
    simfile_evict(f);
}

/* Takes the writes for done, whatever reached the disk of them. A new size waits on. */
void simfile_fail_sync(struct simfile *f, struct rng *rng)
{
    size_t kept = 0;
    for (size_t i = 0; i < f->change_count; i++) {
        struct simfile_change *c = &f->changes[i];
        if (c->n == 0) {
            f->changes[kept++] = *c;
            continue;
        }
        if (rng_percent(rng, 30))
            change_tear(rng, &f->durable, c);
        else if (rng_percent(rng, 30))
            change_apply(&f->durable, c);
        free(c->bytes);
    }
    f->change_count = kept;
    f->gone = true;
}

void simfile_evict(struct simfile *f)
{
    bytes_resize(&f->now, 0);
    bytes_write(&f->now, f->durable.p, f->durable.n, 0);
    f->gone = false;
}

void simfile_free(struct simfile *f)
{
    file_forget_changes(f);
    free(f->changes);
    buf_free(&f->durable);
    buf_free(&f->now);
}
