#include "folder.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void folder_make_path(char out[64])
{
    const char *below = getenv("TMPDIR");
    if (!below || strlen(below) > 40)
        below = "/tmp";
    snprintf(out, 64, "%s/parley-XXXXXX", below);
    if (!mkdtemp(out))
        abort();
}

void folder_make(struct folder *f)
{
    folder_make_path(f->path);
}

static int remove_entry(const char *path, const struct stat *info, int flag, struct FTW *walk)
{
    (void)info;
    (void)flag;
    (void)walk;
    return remove(path);
}

void folder_remove_path(const char *path)
{
    nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

void folder_remove(struct folder *f)
{
    folder_remove_path(f->path);
}

char *folder_file(const struct folder *f, char out[128], const char *name)
{
    if (snprintf(out, 128, "%s/%s", f->path, name) >= 128)
        abort();
    return out;
}
