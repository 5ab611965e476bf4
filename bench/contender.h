/*
 * contender: a server that takes part in a comparison, and what parley-bench measures of it.
 *
 * Each is a process of its own, on a free port of 127.0.0.1, which it tells in a line "listening on ...".
 * Where there are two processors, the servers have the first one to themselves, and the load the second.
 */
#ifndef BENCH_CONTENDER_H
#define BENCH_CONTENDER_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Those of one sort can be compared; of each sort the first one is ours. */
enum contender_sort {
    CONTENDER_ECHO = 1,
    CONTENDER_DURABLE = 2, /* chat; what is acknowledged is on the disk */
    CONTENDER_MEMORY = 4,  /* chat; the kernel writes it when it likes */
    CONTENDER_STORED,      /* the same; ours with logs that differ */
    CONTENDER_DISK,        /* no server */
};

struct contender {
    const char *name;
    enum contender_sort sort;
    const char *protocol, *path;
    /* The command; the first letter says where a file is: '%' beside this program, '@' in the peers' folder,
       '$' in the scratch folder. */
    const char *command[20];
    pid_t pid;
    char url[200];
};

/* Where things are. */
struct contender_places {
    const char *peers, *scratch;
    char own[PATH_MAX]; /* this program's folder */
};

void contender_find_places(struct contender_places *places);

/* False: it cannot be had here. */
bool contender_start(struct contender *c, const struct contender_places *places);
void contender_end(struct contender *c);

/* One run of parley-bench, or of floor-bench where there is no server. */
struct measure {
    const char *mode, *series;
    unsigned connections, active, pipeline, size, rate; /* 0: as parley-bench has it */
    double seconds;
    bool calls;
};

#define SAMPLE_LATENCIES 6 /* the percentiles of the histogram, the greatest */

struct sample {
    double per_second;
    double cpu_us, user_us;  /* of a message */
    double calls, transfers; /* likewise; transfers: but epoll_wait */
    double cpu_percent, pss_each, kernel_each;
    double latency_us[SAMPLE_LATENCIES];
    char call_names[256];
};

/* What goes wrong is told on standard error. A number that is not known is 0. */
void contender_measure(const struct contender *c, const struct contender_places *places,
                       const struct measure *m, struct sample *out);

#define PROFILE_ROOMS 12

/* Where the server's time goes while it is measured: a part of it for each room of src, for the kernel,
   for the C library. For our own servers; none where perf is missing or may not look. */
struct profile {
    size_t n;
    struct {
        char name[16];
        double share;
    } rooms[PROFILE_ROOMS];
};

void contender_profile(const struct contender *c, const struct contender_places *places,
                       const struct measure *m, struct profile *out);

#endif
