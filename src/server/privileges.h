/*
 * privileges: gives up root's, for good, once it is not needed any more.
 */
#ifndef SERVER_PRIVILEGES_H
#define SERVER_PRIVILEGES_H

/* Becomes that user with his groups. 0, -ENOENT: there is no such user, or another -errno. */
__attribute__((warn_unused_result)) int privileges_drop(const char *user);

#endif
