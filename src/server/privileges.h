/*
 * privileges: gives up root's, for good, once it is not needed any more.
 */
#ifndef SERVER_PRIVILEGES_H
#define SERVER_PRIVILEGES_H

#include <stdint.h>

/* A capability: CAP_DAC_OVERRIDE, to open files whatever their mode and owner. */
#define PRIVILEGE_ANY_FILE (UINT32_C(1) << 1)

/* Becomes that user with his groups and without capabilities. 0, -ENOENT: there is no such user, or
   another -errno. */
__attribute__((warn_unused_result)) int privileges_drop(const char *user);

/* Gives up all capabilities but these, as far as we have them. 0 or -errno. */
__attribute__((warn_unused_result)) int privileges_limit(uint32_t keep);

#endif
