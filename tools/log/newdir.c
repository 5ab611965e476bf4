#include "newdir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool newdir_is_empty(const char *path)
{
    DIR *dir = opendir(path);
    if (!dir)
        return false;
    int count = 0;
    while (count < 3 && readdir(dir))
        count++;
    closedir(dir);
    return count == 2; /* "." and ".." */
}

int newdir_open(struct newdir *d, const char *path, bool may_be_empty)
{
    struct stat st;
    size_t n = strlen(path);
    while (n > 1 && path[n - 1] == '/')
        n--;
    if (n >= sizeof d->path)
        return -ENAMETOOLONG;
    *d = (struct newdir){0};
    memcpy(d->path, path, n);
    snprintf(d->partial, sizeof d->partial, "%s.partial", d->path);
    if (lstat(d->path, &st) == 0 && !(may_be_empty && newdir_is_empty(d->path)))
        return -EEXIST;
    if (mkdir(d->partial, 0700))
        return errno == EEXIST ? -EALREADY : -errno;
    int result = disk_open_dir(&d->disk, d->partial);
    if (result)
        rmdir(d->partial);
    return result;
}

static int newdir_sync_parent(const char *path)
{
    char parent[NEWDIR_PATH + 8];
    snprintf(parent, sizeof parent, "%s/..", path);
    int fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    int result = fsync(fd) ? -errno : 0;
    close(fd);
    return result;
}

int newdir_finish(struct newdir *d)
{
    int result = d->disk.sync_dir(d->disk.ctx);
    /* Where an empty folder has the name, it gives way. */
    if (!result && rename(d->partial, d->path))
        result = -errno;
    if (result)
        return result;
    disk_close_dir(&d->disk);
    return newdir_sync_parent(d->path);
}

static void newdir_remove_each(void *arg, const char *name)
{
    const struct disk *disk = arg;
    disk->remove(disk->ctx, name);
}

void newdir_discard(struct newdir *d)
{
    if (!d->disk.ctx)
        return;
    d->disk.list(d->disk.ctx, newdir_remove_each, &d->disk);
    disk_close_dir(&d->disk);
    rmdir(d->partial);
}
