/*
 * disk: the few file operations the store needs, as a table, so that tests can hand in a disk that
 * loses, tears and reorders what was not synced, or fails any call.
 *
 * All files live in one folder, which `ctx` stands for; a name is a plain file name in it. A file
 * is a small non-negative number. Every operation returns 0 or more on success, or -errno.
 * Once the store is open, the commit thread and the worker call all but list and lock, and the
 * prefetch thread pread and close, while its owner calls size, pread and pread_now, also for the same
 * file.
 */
#ifndef STORE_DISK_H
#define STORE_DISK_H

#include "base/buf.h"

struct disk {
    int (*open)(void *ctx, const char *name,
                int create); /* read and write; create: fails if it is there */
    void (*close)(void *ctx, int file);
    int64_t (*size)(void *ctx, int file);
    /* All n bytes or an error; a pread at the end of the file returns fewer bytes than asked. */
    int64_t (*pread)(void *ctx, int file, void *p, size_t n, uint64_t at);
    /* The same as far as nothing has to be waited for: -EAGAIN if the first byte would have to come
     * from the disk. NULL: nothing ever has to. */
    int64_t (*pread_now)(void *ctx, int file, void *p, size_t n, uint64_t at);
    int (*pwrite)(void *ctx, int file, const void *p, size_t n, uint64_t at);
    int (*truncate)(void *ctx, int file, uint64_t size);
    int (*sync)(void *ctx, int file); /* fdatasync */
    int (*sync_dir)(void *ctx);       /* makes names durable */
    int (*rename)(void *ctx, const char *from, const char *to);
    int (*remove)(void *ctx, const char *name);
    int (*list)(void *ctx, void (*each)(void *arg, const char *name), void *arg);
    /* Bytes that are free, for what can wait; NULL: nobody knows. */
    uint64_t (*room)(void *ctx);
    /* Keeps every other process out until the end of this one: -EWOULDBLOCK if one is there. */
    int (*lock)(void *ctx);
    void *ctx;
};

/* Whether this -errno says that the disk failed, or is full, and not that the system refused. */
bool disk_failed(int error);

/* Writes the file of this name, all of it or nothing, and makes it durable; until then it is called
 * NAME.new. 0 or -errno. */
__attribute__((warn_unused_result)) int disk_write_file(const struct disk *disk, const char *name,
                                                        const void *p, size_t n);

/* Puts all of a file into an empty buffer: 0 or -errno; -EBADMSG if it is over `most` bytes or becomes shorter. */
__attribute__((warn_unused_result)) int disk_read_file(const struct disk *disk, const char *name,
                                                       uint64_t most, struct buf *out);

/* A real folder, made (mode 0700) if it is missing. 0 or -errno; closed by disk_close_dir. */
__attribute__((warn_unused_result)) int disk_open_dir(struct disk *disk, const char *path);

/* A folder that must be there, to read alone: its files are opened for reading, and nobody is kept
 * out. 0 or -errno; closed by disk_close_dir. */
__attribute__((warn_unused_result)) int disk_open_dir_reading(struct disk *disk, const char *path);

void disk_close_dir(struct disk *disk);

#endif
