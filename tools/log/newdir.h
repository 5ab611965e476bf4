/*
 * newdir: a folder that gets its name when all that it holds is on the disk.
 *
 * Until then it is called NAME.partial. Its files are plain ones, written through `disk`.
 */
#ifndef LOG_NEWDIR_H
#define LOG_NEWDIR_H

#include "store/disk.h"

#include <stdbool.h>

#define NEWDIR_PATH 4096

struct newdir {
    struct disk disk;
    char path[NEWDIR_PATH];
    char partial[NEWDIR_PATH + 16];
};

/* 0 or -errno: -EEXIST, the path is there (and is no empty folder, if that would do); -EALREADY,
 * NAME.partial is there, from a time that was not finished. */
__attribute__((warn_unused_result)) int newdir_open(struct newdir *d, const char *path,
                                                    bool may_be_empty);

/* All files have been synced: gives the folder its name, for good. 0 or -errno. */
__attribute__((warn_unused_result)) int newdir_finish(struct newdir *d);

/* Removes it with its files. */
void newdir_discard(struct newdir *d);

#endif
