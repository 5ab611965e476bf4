#include "explain.h"

#include <stdio.h>
#include <string.h>

/* Far more than any step that is right needs. */
#define ATTEMPTS 8000
/* The first attempts nearly always do; behind them it pays to know what has been tried already, since
   requests that have nothing to do with each other lead to the same in either order. */
#define FIRST_ATTEMPTS 40

struct search {
    struct model *found;
    uint32_t attempts, best;
    uint64_t tried[2 * ATTEMPTS]; /* fingerprints of models, at their place or behind it; 0: free */
    struct model_difference difference;
};

static uint32_t progress(const struct model *m)
{
    uint32_t n = 0;
    for (unsigned d = 0; d < DEVICES; d++)
        n += m->devices[d].at;
    return n;
}

static void remember(struct search *s, const struct model *m)
{
    if (progress(m) < s->best)
        return;
    s->best = progress(m);
    s->difference = model_difference;
}

/* All has happened that must; has everything been seen for a reason? */
static bool is_end(struct search *s, const struct model *m)
{
    if (m->done != (UINT64_C(1) << m->request_n) - 1 || model_is_late(m))
        return false;
    for (unsigned d = 0; d < DEVICES; d++) {
        if (m->devices[d].at == m->seen[d].n || m->devices[d].deaf)
            continue;
        model_difference.device = d;
        strcpy(model_difference.expected, "nothing");
        snprintf(model_difference.seen, sizeof model_difference.seen, "%s",
                 (const char *)m->seen[d].p + m->devices[d].at);
        remember(s, m);
        return false;
    }
    *s->found = *m;
    return true;
}

static bool was_tried(struct search *s, const struct model *m)
{
    uint64_t print = 1, words[sizeof *m / 8];
    memcpy(words, m, sizeof words);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        print = (print ^ words[i]) * UINT64_C(0x9e3779b97f4a7c15) ^ print >> 29;
    size_t at = (size_t)(print % (2 * ATTEMPTS));
    for (; s->tried[at]; at = (at + 1) % (2 * ATTEMPTS))
        if (s->tried[at] == print)
            return true;
    s->tried[at] = print;
    return false;
}

static bool search(struct search *s, const struct model *m);

/* Goes on from what `next` has become, if it could. */
static bool follow(struct search *s, const struct model *next, bool could)
{
    if (could)
        return search(s, next);
    if (next->wrong)
        remember(s, next);
    return false;
}

/* Whether a request of that kind has that choice. */
static bool has_choice(enum request_kind kind, uint32_t choice)
{
    return choice == 0 || choice == CHOICE_LOST || kind == REGISTER ||
           ((kind == MESSAGE || kind == READ) && choice <= CHOICE_CONFLICT);
}

static bool search(struct search *s, const struct model *m)
{
    struct model next;
    if (is_end(s, m))
        return true;
    if (++s->attempts > ATTEMPTS || (s->attempts > FIRST_ATTEMPTS && was_tried(s, m)))
        return false;
    for (uint32_t i = 0; i < m->request_n; i++)
        for (uint32_t choice = 0; !(m->done >> i & 1) && choice < CHOICES; choice++) {
            if (!has_choice(m->requests[i].kind, choice))
                continue;
            next = *m;
            if (follow(s, &next, model_request(&next, i, choice)))
                return true;
        }
    if (model_next_due(m) > m->now)
        return false;
    for (enum happening what = HAPPEN_TYPING; what <= HAPPEN_END; what++)
        for (unsigned d = 0; d < DEVICES; d++)
            for (unsigned to = 0; to < (what == HAPPEN_TYPING ? NAMES : 1); to++) {
                next = *m;
                if (follow(s, &next, model_happen(&next, what, d, to)))
                    return true;
            }
    return false;
}

bool explain(struct model *m)
{
    struct model found;
    static struct search s;
    if (s.attempts >= FIRST_ATTEMPTS)
        memset(s.tried, 0, sizeof s.tried);
    s.attempts = s.best = 0;
    s.found = &found;
    bool right = search(&s, m);
    if (right)
        *m = found;
    else
        model_difference = s.difference;
    return right;
}
