#include "server/landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Linux 5.13 and later, the same on every architecture. */
#define SYS_CREATE_RULESET 444
#define SYS_ADD_RULE 445
#define SYS_RESTRICT_SELF 446

#define VERSION_FLAG 1L
#define RULE_PATH_BENEATH 1L

/* What each version can take away, later members ignored by earlier ones while they are zero. */
struct ruleset {
    uint64_t files;
    uint64_t net;   /* version 4: binding, connecting */
    uint64_t scope; /* version 6: abstract unix sockets, signals of others */
};

struct path_rule {
    uint64_t access;
    int32_t folder;
} __attribute__((packed));

static uint64_t files_of(long version)
{
    return version >= 5 ? 0xffff : version >= 3 ? 0x7fff : version == 2 ? 0x3fff : 0x1fff;
}

int landlock_new(void)
{
    long version = syscall(SYS_CREATE_RULESET, NULL, 0L, VERSION_FLAG);
    if (version < 0)
        return -errno;
    struct ruleset rules = {
        .files = files_of(version), .net = version >= 4 ? 3 : 0, .scope = version >= 6 ? 3 : 0};
    long fd = syscall(SYS_CREATE_RULESET, &rules, sizeof rules, 0L);
    return fd < 0 ? -errno : (int)fd;
}

int landlock_allow(int rules, const char *folder, uint64_t access)
{
    struct path_rule rule = {access, open(folder, O_PATH | O_CLOEXEC | O_DIRECTORY)};
    if (rule.folder < 0)
        return errno == ENOENT ? 0 : -errno;
    long result = syscall(SYS_ADD_RULE, rules, RULE_PATH_BENEATH, &rule, 0L);
    if (result < 0 && errno == EINVAL && access & LANDLOCK_TRUNCATE) {
        rule.access &= ~(uint64_t)LANDLOCK_TRUNCATE; /* before version 3 it is not taken away */
        result = syscall(SYS_ADD_RULE, rules, RULE_PATH_BENEATH, &rule, 0L);
    }
    int error = errno;
    close(rule.folder);
    return result < 0 ? -error : 0;
}

int landlock_enforce(int rules)
{
    return syscall(SYS_RESTRICT_SELF, rules, 0L) < 0 ? -errno : 0;
}
