/*
 * old_kernel: for this process and what it starts, the kernel knows no system call that came after Linux
 * 3.10: they fail with ENOSYS, by a filter of seccomp. Or it knows a call, but refuses what it is asked for.
 */
#ifndef SUPPORT_OLD_KERNEL_H
#define SUPPORT_OLD_KERNEL_H

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

/* The last number of Linux 3.10, finit_module's. */
#if defined __x86_64__ && !defined __ILP32__
#define OLD_KERNEL_LAST 313
#elif defined __i386__
#define OLD_KERNEL_LAST 350
#elif defined __aarch64__ || defined __riscv
#define OLD_KERNEL_LAST 273
#elif defined __arm__
#define OLD_KERNEL_LAST 379
#elif defined __s390x__
#define OLD_KERNEL_LAST 344
#endif

/* Calls of which that holds (BPF_JGT, BPF_JEQ) fail so. */
static inline bool old_kernel_filter(unsigned short condition, unsigned number, unsigned error)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP((unsigned short)(BPF_JMP | BPF_K | condition), number, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof code / sizeof *code, code};
    return prctl(PR_SET_NO_NEW_PRIVS, 1L, 0L, 0L, 0L) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

/* False: that cannot be pretended here. */
static inline bool old_kernel_pretend(void)
{
#ifdef OLD_KERNEL_LAST
    return old_kernel_filter(BPF_JGT, OLD_KERNEL_LAST, ENOSYS);
#else
    return false;
#endif
}

#endif
