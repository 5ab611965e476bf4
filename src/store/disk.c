#include "store/disk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define DISK_NOWAIT 8L /* RWF_NOWAIT of linux/fs.h */

struct folder {
    int fd;
    int lock; /* the file `lock`, held; -1: not held */
    bool reading;
};

static int disk_open(void *ctx, const char *name, int create)
{
    const struct folder *folder = ctx;
    int flags = (folder->reading ? O_RDONLY : O_RDWR) | (create ? O_CREAT | O_EXCL : 0);
    flags |= O_CLOEXEC | O_NOFOLLOW;
    int fd = openat(folder->fd, name, flags, 0600);
    return fd < 0 ? -errno : fd;
}

static void disk_close(void *ctx, int file)
{
    (void)ctx;
    close(file);
}

static int64_t disk_size(void *ctx, int file)
{
    (void)ctx;
    struct stat st;
    return fstat(file, &st) ? -errno : (int64_t)st.st_size;
}

static int64_t disk_pread(void *ctx, int file, void *p, size_t n, uint64_t at)
{
    (void)ctx;
    size_t done = 0;
    while (done < n) {
        ssize_t got = pread(file, (uint8_t *)p + done, n - done, (off_t)(at + done));
        if (got == 0)
            break;
        if (got > 0)
            done += (size_t)got;
        else if (errno != EINTR)
            return -errno;
    }
    return (int64_t)done;
}

/* preadv2(2) since Linux 4.6, with RWF_NOWAIT since 4.14, not on every file system: where it is
 * missing, the read waits. */
static int64_t disk_pread_now(void *ctx, int file, void *p, size_t n, uint64_t at)
{
    /* By number, since not every libc has a name for it. The place goes in two halves, of which a
     * 64-bit kernel takes the first alone. */
    struct iovec part = {p, n};
    long got = syscall(SYS_preadv2, file, &part, 1L, (long)at, (long)(at >> 32), DISK_NOWAIT);
    if (got >= 0)
        return got;
    return errno == EAGAIN ? -EAGAIN : disk_pread(ctx, file, p, n, at);
}

static int disk_pwrite(void *ctx, int file, const void *p, size_t n, uint64_t at)
{
    (void)ctx;
    size_t done = 0;
    while (done < n) {
        ssize_t put = pwrite(file, (const uint8_t *)p + done, n - done, (off_t)(at + done));
        if (put > 0)
            done += (size_t)put;
        else if (put == 0)
            return -EIO;
        else if (errno != EINTR)
            return -errno;
    }
    return 0;
}

static int disk_truncate(void *ctx, int file, uint64_t size)
{
    (void)ctx;
    int result;
    do
        result = ftruncate(file, (off_t)size);
    while (result && errno == EINTR);
    return result ? -errno : 0;
}

/* Never tried again, whatever it says: a second call may find the pages clean and their data lost. */
static int disk_sync(void *ctx, int file)
{
    (void)ctx;
    return fdatasync(file) ? -errno : 0;
}

static int disk_sync_dir(void *ctx)
{
    const struct folder *folder = ctx;
    return fsync(folder->fd) ? -errno : 0;
}

static int disk_rename(void *ctx, const char *from, const char *to)
{
    const struct folder *folder = ctx;
    return renameat(folder->fd, from, folder->fd, to) ? -errno : 0;
}

static int disk_remove(void *ctx, const char *name)
{
    const struct folder *folder = ctx;
    return unlinkat(folder->fd, name, 0) ? -errno : 0;
}

static int disk_list(void *ctx, void (*each)(void *arg, const char *name), void *arg)
{
    const struct folder *folder = ctx;
    /* A descriptor of its own: a duplicate would share the position of the one before. */
    int fd = openat(folder->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    DIR *dir = fdopendir(fd);
    if (!dir) {
        int result = -errno;
        close(fd);
        return result;
    }
    struct dirent *entry;
    while ((errno = 0, entry = readdir(dir)) != NULL)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            each(arg, entry->d_name);
    int result = -errno;
    closedir(dir);
    return result;
}

static uint64_t disk_room(void *ctx)
{
    const struct folder *folder = ctx;
    struct statvfs st;
    return fstatvfs(folder->fd, &st) ? UINT64_MAX : (uint64_t)st.f_bavail * st.f_frsize;
}

static int disk_lock(void *ctx)
{
    struct folder *folder = ctx;
    if (folder->lock >= 0)
        return 0;
    int fd = openat(folder->fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return -errno;
    if (flock(fd, LOCK_EX | LOCK_NB)) {
        int result = -errno;
        close(fd);
        return result;
    }
    folder->lock = fd;
    return 0;
}

bool disk_failed(int error)
{
    return error == -EIO || error == -ENOSPC || error == -EDQUOT || error == -EFBIG;
}

int disk_write_file(const struct disk *disk, const char *name, const void *p, size_t n)
{
    void *ctx = disk->ctx;
    char new_name[64];
    snprintf(new_name, sizeof new_name, "%s.new", name);
    disk->remove(ctx, new_name); /* of an earlier try */
    int file = disk->open(ctx, new_name, 1);
    if (file < 0)
        return file;
    int result = disk->pwrite(ctx, file, p, n, 0);
    if (!result)
        result = disk->sync(ctx, file);
    disk->close(ctx, file);
    if (!result)
        result = disk->rename(ctx, new_name, name);
    if (result)
        disk->remove(ctx, new_name);
    return result ? result : disk->sync_dir(ctx);
}

int disk_read_file(const struct disk *disk, const char *name, uint64_t most, struct buf *out)
{
    int file = disk->open(disk->ctx, name, 0);
    if (file < 0)
        return file;
    int64_t size = disk->size(disk->ctx, file), got = size;
    bool fits = size >= 0 && (uint64_t)size <= most;
    if (fits) {
        out->p = malloc((size_t)size + 1); /* no more than that: a checkpoint may be large */
        out->cap = (size_t)size + 1;
        got = out->p ? disk->pread(disk->ctx, file, out->p, (size_t)size, 0) : -ENOMEM;
    }
    disk->close(disk->ctx, file);
    if (got < 0)
        return (int)got;
    out->n = fits ? (size_t)got : 0;
    return fits && got == size ? 0 : -EBADMSG;
}

/* Makes the name of a new folder durable. Where its parent may not be read, it must do without. */
static void disk_sync_parent(int fd)
{
    int parent = openat(fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (parent < 0)
        return;
    fsync(parent);
    close(parent);
}

/* Takes the descriptor of the folder, which is closed if there is no memory. */
static int disk_of_folder(struct disk *disk, int fd, bool reading)
{
    struct folder *folder = malloc(sizeof *folder);
    if (!folder) {
        close(fd);
        return -ENOMEM;
    }
    *folder = (struct folder){fd, -1, reading};
    *disk = (struct disk){
        .open = disk_open,
        .close = disk_close,
        .size = disk_size,
        .pread = disk_pread,
        .pread_now = disk_pread_now,
        .pwrite = disk_pwrite,
        .truncate = disk_truncate,
        .sync = disk_sync,
        .sync_dir = disk_sync_dir,
        .rename = disk_rename,
        .remove = disk_remove,
        .list = disk_list,
        .room = disk_room,
        .lock = disk_lock,
        .ctx = folder,
    };
    return 0;
}

int disk_open_dir(struct disk *disk, const char *path)
{
    bool made = mkdir(path, 0700) == 0;
    if (!made && errno != EEXIST)
        return -errno;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    if (made)
        disk_sync_parent(fd);
    return disk_of_folder(disk, fd, false);
}

int disk_open_dir_reading(struct disk *disk, const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? -errno : disk_of_folder(disk, fd, true);
}

void disk_close_dir(struct disk *disk)
{
    struct folder *folder = disk->ctx;
    if (!folder)
        return;
    if (folder->lock >= 0)
        close(folder->lock);
    close(folder->fd);
    free(folder);
    *disk = (struct disk){0};
}
