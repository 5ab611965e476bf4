/*
 * simdisk: a disk in memory that forgets, tears and reorders what was not synced, and fails on
 * demand.
 *
 * Each file is what is durable, the list of changes since, and what reading it shows: the page
 * cache. Names are the same: durable ones, changes, and those that can be seen. A sync makes the
 * changes of one file durable, sync_dir those of the names; no other call does.
 *
 * A power cut keeps any part of the changes that were not synced: each one whole, torn at sectors
 * or at bytes, or not at all, whatever became of those around it; a file may have grown without
 * its bytes. The end of the process alone loses nothing.
 *
 * A sync that fails leaves the changes as they are, or takes them for written: parts of them are
 * on the disk, reading still shows them all, and no later sync writes them again. This holds for
 * bytes. A size that was cut, and names, go through the journal, which does not forget: a later
 * sync, or sync_dir, makes them durable.
 */
#ifndef SIM_SIMDISK_H
#define SIM_SIMDISK_H

#include "store/disk.h"

#include "simnames.h"

#include <stdio.h>

struct simdisk {
    struct disk disk; /* to hand to the store */
    struct rng rng;
    FILE *trace; /* NULL: none */

    /* Set at any time. Calls are told by their number, in `calls` or in `writes`; 0: none. */
    uint64_t fail_at, fail_write; /* this call fails */
    int fail_error;               /* with this -errno; 0: any that suits it */
    uint64_t stop_at, stop_write; /* at this call everything stops: `down` */
    uint64_t room;                /* bytes that the files may have in all */

    /* What has happened. */
    uint64_t calls;        /* all but close */
    uint64_t writes;       /* those of them that are to change something */
    unsigned faults;       /* failed on demand, or for want of room */
    unsigned failed_syncs; /* sync and sync_dir among them, but for those of the checkpoint */
    bool cache;            /* the last name that was made or taken away is the checkpoint's */
    bool names_refused;    /* the last sync_dir failed */
    unsigned open_files;
    bool down; /* every call fails, until simdisk_restart */
    bool gone; /* a failed sync has taken changes for written, since the power was cut last */

    struct simfile **files; /* all there ever were */
    size_t file_count, file_cap;
    struct simnames names;
    int *open; /* a file number of the store -> place in files; -1: closed */
    size_t open_count, open_cap;
    bool locked;
};

void simdisk_init(struct simdisk *d, uint64_t seed);
void simdisk_fini(struct simdisk *d);

enum simdisk_end { SIMDISK_KILL, SIMDISK_POWER };

/* The process, or the machine, has ended, whether or not `down`, and starts anew. */
void simdisk_restart(struct simdisk *d, enum simdisk_end how);

/* The kernel drops pages that it takes for written: reading shows what is really there. */
void simdisk_evict(struct simdisk *d);

/* Whether anything was changed, of a file that has a name, and not synced. */
bool simdisk_dirty(const struct simdisk *d);

/* Bytes of all files that have a name. */
uint64_t simdisk_used(const struct simdisk *d);

/* Removes a file, if it is there, for good. Everything else must be durable. */
void simdisk_drop(struct simdisk *d, const char *name);

/* Bytes of all segments. */
uint64_t simdisk_log(const struct simdisk *d);

/* The files that have a name, in no order: NULL behind the last. */
const char *simdisk_name(const struct simdisk *d, size_t i);

/* The bytes of a file, as reading shows them; NULL: there is none. */
const struct buf *simdisk_bytes(const struct simdisk *d, const char *name);

/* Flips one bit on the disk; bit 0 is the lowest of the first byte. The file has no changes. */
void simdisk_flip(struct simdisk *d, const char *name, uint64_t bit);

#endif
