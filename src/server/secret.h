/*
 * secret: the HS256 key in its file: the file's bytes without trailing newlines, 32 to 1,024 of them.
 */
#ifndef SERVER_SECRET_H
#define SERVER_SECRET_H

#include "base/log.h"
#include "store/disk.h"

#define SECRET_MIN 32
#define SECRET_MAX 1024
#define SECRET_NAME "secret" /* of one that is made */

struct secret {
    uint8_t bytes[SECRET_MAX];
    size_t n;
};

/* What is wrong with it, never its bytes. */
struct secret_error {
    char text[256];
};

/*
 * Reads it; where the file is missing, one is made (mode 0600, random) in the folder `make_in`, which path
 * must lead to; NULL: none is made. 0 or -errno: -EINVAL if it is too short or too long, -ENOENT if it is
 * missing. Warns if others can read it.
 */
__attribute__((warn_unused_result)) int secret_load(struct secret *out, const char *path,
                                                    const struct disk *make_in,
                                                    const struct log *log,
                                                    struct secret_error *error);

/* Forgets it, so that it stays in no memory. */
void secret_wipe(struct secret *secret);

#endif
