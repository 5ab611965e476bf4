/*
 * simnames: the names of the files of the simulated disk. A file is a number.
 */
#ifndef SIM_SIMNAMES_H
#define SIM_SIMNAMES_H

#include "simfile.h"

#define SIMNAMES_MAX 40 /* bytes of a name, its end included */

struct simname {
    char name[SIMNAMES_MAX];
    int file;
};

struct simnames_list {
    struct simname *at;
    size_t count, cap;
};

/* `from` is taken away, `to` is put there; either may be empty. */
struct simnames_change {
    char from[SIMNAMES_MAX], to[SIMNAMES_MAX];
    int file;
};

/* Zeroed: no names. */
struct simnames {
    struct simnames_list durable, now;
    struct simnames_change *changes;
    size_t change_count, change_cap;
};

void simnames_free(struct simnames *n);

/* As can be seen now; NULL: there is none. */
const struct simname *simnames_find(const struct simnames *n, const char *name);

void simnames_change(struct simnames *n, const char *from, const char *to, int file);
void simnames_sync(struct simnames *n);
void simnames_cut(struct simnames *n, struct rng *rng, enum simfile_loss loss);

#endif
