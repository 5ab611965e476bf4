#include "guard.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

void guard_init(struct guard *g, size_t n)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    g->room = (n / page + 1) * page;
    g->total = g->room + page;
    void *map = mmap(NULL, g->total, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (map == MAP_FAILED)
        abort();
    g->map = map;
    if (mprotect(g->map + g->room, page, PROT_NONE))
        abort();
}

void guard_fini(struct guard *g)
{
    munmap(g->map, g->total);
}

uint8_t *guard_tail(struct guard *g, size_t n)
{
    if (n > g->room)
        abort();
    return g->map + g->room - n;
}

struct slice guard_copy(struct guard *g, struct slice s)
{
    uint8_t *to = guard_tail(g, s.n);
    if (s.n)
        memmove(to, s.p, s.n);
    return slice_of(to, s.n);
}
