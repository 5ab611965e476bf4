/*
 * landlock: takes the file system away from the process, but for a few folders (Linux 5.13), and new
 * connections over TCP (6.7).
 *
 * By number, since not every libc has the names, nor every kernel's headers are at hand.
 */
#ifndef SERVER_LANDLOCK_H
#define SERVER_LANDLOCK_H

#include <stdint.h>

/* What may be done in a folder and below it: bits of linux/landlock.h. */
enum landlock_access {
    LANDLOCK_WRITE_FILE = 1 << 1,
    LANDLOCK_READ_FILE = 1 << 2,
    LANDLOCK_READ_DIR = 1 << 3,
    LANDLOCK_REMOVE_FILE = 1 << 5,
    LANDLOCK_MAKE_FILE = 1 << 8,
    LANDLOCK_TRUNCATE = 1 << 14,
};

/* A descriptor of rules without any exception, or -errno: -ENOSYS, -EOPNOTSUPP without Landlock. */
__attribute__((warn_unused_result)) int landlock_new(void);

/* An exception. 0, also for a folder that is not there, or -errno. */
__attribute__((warn_unused_result)) int landlock_allow(int rules, const char *folder,
                                                       uint64_t access);

/* Puts them in force for this thread and those it starts from now on; needs no_new_privs. 0 or
   -errno. */
__attribute__((warn_unused_result)) int landlock_enforce(int rules);

#endif
