#include "store/window.h"

#include <errno.h>
#include <stdlib.h>

static int window_read(struct window *w, uint64_t at, size_t n)
{
    size_t want = n > w->least ? n : w->least;
    w->n = 0;
    if (want > w->cap) {
        free(w->p);
        w->cap = 0;
        w->p = malloc(want);
        if (!w->p)
            return -ENOMEM;
        w->cap = want;
    }
    int64_t got = w->disk->pread(w->disk->ctx, w->file, w->p, want, at);
    if (got < 0)
        return (int)got;
    w->at = at;
    w->n = (size_t)got;
    return 0;
}

int window_get(struct window *w, uint64_t at, size_t n, const uint8_t **out)
{
    if (at < w->at || at + n > w->at + w->n) {
        int result = window_read(w, at, n);
        if (result)
            return result;
        if (w->n < n)
            return -ENODATA;
    }
    *out = w->p + (at - w->at);
    return 0;
}

void window_free(struct window *w)
{
    free(w->p);
    w->p = NULL;
    w->n = w->cap = 0;
}
