#include "head.h"

#include <errno.h>

#define HEAD_READ (1u << 20) /* bytes of one read */

/* Whether the segment holds a record if it begins at that place: STORE_END if not. */
static enum store_status head_try(const struct walk *w, struct window *window, uint64_t base)
{
    struct record record;
    const uint8_t *p;
    int result = 0;
    for (uint64_t at = SEGMENT_HEAD; at + RECORD_HEAD <= w->size && !result; at++) {
        result = window_get(window, at, RECORD_HEAD, &p);
        if (result || !record_read(&record, p) || record.length > w->size - at)
            continue;
        result = window_get(window, at, record.length, &p);
        if (!result && record_valid(&record, p, base + at))
            return STORE_OK;
    }
    return result ? walk_refused(w, "read", w->name, result) : STORE_END;
}

enum store_status head_guess(void *ctx, const struct walk *w, uint64_t *base)
{
    (void)ctx;
    const struct segment *this = &w->segments->at[w->file];
    struct window window = {.disk = w->disk, .file = this->file, .least = HEAD_READ};
    enum store_status status = w->adrift ? STORE_END : head_try(w, &window, w->end);
    *base = w->end;
    /* A head behind it that is lost as well says place 0. */
    if (status == STORE_END && w->file + 1 < w->segments->count && this[1].head.base >= w->size) {
        *base = this[1].head.base - w->size;
        status = head_try(w, &window, *base);
    }
    window_free(&window);
    return status;
}
