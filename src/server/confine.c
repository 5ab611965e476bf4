#include "server/confine.h"

#include "server/landlock.h"
#include "server/privileges.h"
#include "server/seccomp.h"

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

/* The sanitizers and the coverage read and write files of their own, at the end and in between: their
   builds (Makefile) set it to 0. */
#ifndef PARLEY_CONFINE
#define PARLEY_CONFINE 1
#endif

static int no_core(const struct confine_places *places)
{
    struct rlimit none = {0, 0};
    (void)places;
    return setrlimit(RLIMIT_CORE, &none) < 0 || prctl(PR_SET_DUMPABLE, 0L) < 0 ? -errno : 0;
}

static int no_new_privileges(const struct confine_places *places)
{
    (void)places;
    return prctl(PR_SET_NO_NEW_PRIVS, 1L, 0L, 0L, 0L) < 0 ? -errno : 0;
}

/* Root without --user may depend on files of somebody else. */
static int no_capabilities(const struct confine_places *places)
{
    (void)places;
    return privileges_limit(PRIVILEGE_ANY_FILE);
}

static int allow_folder_of(int rules, const char *path, uint64_t access)
{
    char folder[PATH_MAX];
    int n = snprintf(folder, sizeof folder, "%s", path);
    return n < 0 || (size_t)n >= sizeof folder ? -ENAMETOOLONG
                                               : landlock_allow(rules, dirname(folder), access);
}

static int allow_places(int rules, const struct confine_places *places)
{
    int result = landlock_allow(rules, places->data,
                                LANDLOCK_WRITE_FILE | LANDLOCK_READ_FILE | LANDLOCK_READ_DIR |
                                    LANDLOCK_REMOVE_FILE | LANDLOCK_MAKE_FILE | LANDLOCK_TRUNCATE);
    if (result == 0)
        result = allow_folder_of(rules, places->secret, LANDLOCK_READ_FILE);
    /* It may be a link to where the real one lies. */
    char *real = realpath(places->secret, NULL);
    if (real && result == 0)
        result = allow_folder_of(rules, real, LANDLOCK_READ_FILE);
    free(real);
    for (size_t i = 0; i < places->sockets_n && result == 0; i++)
        result = allow_folder_of(rules, places->sockets[i], LANDLOCK_REMOVE_FILE);
    return result;
}

static int no_other_files(const struct confine_places *places)
{
    int rules = landlock_new();
    if (rules < 0)
        return rules;
    int result = allow_places(rules, places);
    if (result == 0)
        result = landlock_enforce(rules);
    close(rules);
    return result;
}

static int no_other_calls(const struct confine_places *places)
{
    (void)places;
    return seccomp_enforce();
}

/* In this order: the last two need the second, and each forbids what those above it do. */
static const struct {
    int (*give_up)(const struct confine_places *places);
    const char *name;
} steps[] = {
    {no_core, "core dumps cannot be switched off"},
    {no_new_privileges, "no_new_privs is refused"},
    {no_capabilities, "capabilities cannot be dropped"},
    {no_other_files, "Landlock is refused"},
    {no_other_calls, "seccomp is refused"},
};

int confine(enum confine_mode mode, const struct confine_places *places, const struct log *log,
            struct confine_error *error)
{
    if (mode == CONFINE_OFF || (!PARLEY_CONFINE && mode == CONFINE_YES))
        return 0;
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        int result = PARLEY_CONFINE ? steps[i].give_up(places) : -ENOTSUP;
        if (result == 0)
            continue;
        snprintf(error->text, sizeof error->text, "not confined: %s: %s", steps[i].name,
                 strerror(-result));
        if (mode == CONFINE_REQUIRE)
            return result;
        log_write(log, LOG_WARN, "%s", error->text);
    }
    return 0;
}
