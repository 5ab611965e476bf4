/* usage: what a server's process has used so far, by proc(5); differences of it are what it costs. */
#ifndef BENCH_USAGE_H
#define BENCH_USAGE_H

#include <stdbool.h>
#include <stdint.h>

struct usage {
    uint64_t cpu_ns;       /* of all threads that live */
    uint64_t user, system; /* ticks: for the share of each, too coarse for more */
    uint64_t switches;     /* of contexts, voluntary or not */
    uint64_t pss;          /* bytes: its share of what it has in memory */
    uint64_t kernel;       /* bytes of the kernel's slabs, whoever's they are */
    bool known;
};

/* pid 0, or none that can be looked at: not known. */
struct usage usage_read(uint32_t pid);

/* Counts the system calls of a process from here on, by strace, which makes it slower; a pid to be given
   to usage_calls_end, or -1 where there is no strace. */
int usage_calls_begin(uint32_t pid);

struct usage_calls {
    uint64_t all;    /* 0: not known */
    uint64_t waits;  /* of them, those of epoll_wait */
    char names[512]; /* those that took most of the time, "name count, ..." */
};

struct usage_calls usage_calls_end(int counter);

#endif
