#include "server/privileges.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <unistd.h>

int privileges_drop(const char *user)
{
    errno = 0;
    const struct passwd *entry = getpwnam(user);
    if (!entry)
        return errno ? -errno : -ENOENT;
    if (initgroups(entry->pw_name, entry->pw_gid) < 0 || setgid(entry->pw_gid) < 0 ||
        setuid(entry->pw_uid) < 0)
        return -errno;
    /* The way back must be shut. */
    if (entry->pw_uid != 0 && setuid(0) == 0)
        return -EPERM;
    return 0;
}
