#include "server/privileges.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <sys/syscall.h>
#include <unistd.h>

/* linux/capability.h: version 3, 64 capabilities in two halves. */
#define CAPABILITY_VERSION 0x20080522u

struct capability_header {
    uint32_t version;
    int32_t pid;
};

struct capability_half {
    uint32_t effective, permitted, inheritable;
};

int privileges_limit(uint32_t keep)
{
    struct capability_header header = {CAPABILITY_VERSION, 0};
    struct capability_half halves[2];
    if (syscall(SYS_capget, &header, halves) < 0)
        return -errno;
    keep &= halves[0].permitted;
    halves[0] = (struct capability_half){keep, keep, 0};
    halves[1] = (struct capability_half){0};
    return syscall(SYS_capset, &header, halves) < 0 ? -errno : 0;
}

int privileges_drop(const char *user)
{
    errno = 0;
    const struct passwd *entry = getpwnam(user);
    if (!entry)
        return errno ? -errno : -ENOENT;
    if (initgroups(entry->pw_name, entry->pw_gid) < 0 || setgid(entry->pw_gid) < 0 ||
        setuid(entry->pw_uid) < 0)
        return -errno;
    int result = privileges_limit(0);
    if (result)
        return result;
    /* The way back must be shut. */
    if (entry->pw_uid != 0 && setuid(0) == 0)
        return -EPERM;
    return 0;
}
