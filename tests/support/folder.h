/* folder: a folder of its own for a test, empty at first and removed with all in it. */
#ifndef SUPPORT_FOLDER_H
#define SUPPORT_FOLDER_H

struct folder {
    char path[64];
};

/* Makes it below $TMPDIR or /tmp. Aborts where it cannot. */
void folder_make(struct folder *f);
void folder_make_path(char out[64]);

/* With all in it. */
void folder_remove(struct folder *f);
void folder_remove_path(const char *path);

/* PATH/name, in the caller's room of 128 bytes. */
char *folder_file(const struct folder *f, char out[128], const char *name);

#endif
