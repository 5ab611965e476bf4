#include "folder.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void folder_make(struct folder *f)
{
    const char *below = getenv("TMPDIR");
    if (!below || strlen(below) > 40)
        below = "/tmp";
    snprintf(f->path, sizeof f->path, "%s/parley-XXXXXX", below);
    if (!mkdtemp(f->path))
        abort();
}

void folder_remove(struct folder *f)
{
    char file[128];
    DIR *dir = opendir(f->path);
    if (!dir)
        abort();
    for (struct dirent *e; (e = readdir(dir));)
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0 &&
            unlink(folder_file(f, file, e->d_name)))
            abort();
    closedir(dir);
    if (rmdir(f->path))
        abort();
}

char *folder_file(const struct folder *f, char out[128], const char *name)
{
    if (snprintf(out, 128, "%s/%s", f->path, name) >= 128)
        abort();
    return out;
}
