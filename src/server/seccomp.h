/*
 * seccomp: takes away the system calls that a running server has no use for.
 *
 * The table is a list of what is allowed. Anything else fails with EPERM and does nothing: it ends in
 * the log of whoever called it, and in the kernel's (audit), whereas killing would turn a harmless call
 * of the next libc into an outage. Calls that came with Linux 5.1 or later fail with ENOSYS, so that a
 * libc falls back to the older ones (clone3 to clone, whose flags can be judged). Only a call for another
 * architecture kills: no honest code makes one.
 */
#ifndef SERVER_SECCOMP_H
#define SERVER_SECCOMP_H

/* For this thread and those it starts from now on; needs no_new_privs. 0, or -errno: -ENOSYS for a kernel
   without it or a processor that is not known here. */
__attribute__((warn_unused_result)) int seccomp_enforce(void);

#endif
