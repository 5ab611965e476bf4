#include "server/seccomp.h"

#include <errno.h>
#include <sched.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* AUDIT_ARCH_* of linux/audit.h. */
#if defined __x86_64__ && !defined __ILP32__
#define ARCH 0xc000003eu
#elif defined __i386__
#define ARCH 0x40000003u
#elif defined __aarch64__ && !defined __AARCH64EB__
#define ARCH 0xc00000b7u
#elif defined __arm__ && defined __ARM_EABI__ && !defined __ARMEB__
#define ARCH 0x40000028u
#elif defined __riscv && __riscv_xlen == 64
#define ARCH 0xc00000f3u
#elif defined __s390x__
#define ARCH 0x80000016u
#else
#define ARCH 0u /* not known */
#endif

/* The most frequent first: kernels before 5.11 go through them at every call. */
static const uint32_t allowed[] = {
    SYS_read, SYS_write, SYS_epoll_pwait, SYS_sendmsg, SYS_epoll_ctl, SYS_futex, SYS_pwrite64,
    SYS_fdatasync,
#ifdef SYS_epoll_wait
    SYS_epoll_wait,
#endif
#ifdef SYS_recvfrom
    SYS_recvfrom, SYS_sendto, SYS_accept4, SYS_recvmsg, SYS_shutdown, SYS_getsockopt,
    SYS_setsockopt, SYS_getsockname,
#endif
#ifdef SYS_recv
    SYS_recv, SYS_send,
#endif
#ifdef SYS_poll
    SYS_poll,
#endif
#ifdef SYS_ppoll
    SYS_ppoll,
#endif
    /* Files; which ones is for Landlock to say. */
    SYS_close, SYS_readv, SYS_writev, SYS_pread64, SYS_preadv2, SYS_lseek, SYS_fsync, SYS_ftruncate,
    SYS_openat, SYS_unlinkat, SYS_renameat2, SYS_getdents64, SYS_fcntl, SYS_flock, SYS_fstat,
    SYS_fstatfs, SYS_eventfd2,
#ifdef SYS_open
    SYS_open, SYS_unlink, SYS_rename,
#endif
#ifdef SYS_renameat
    SYS_renameat,
#endif
#ifdef SYS_newfstatat
    SYS_newfstatat,
#endif
#ifdef SYS_statx
    SYS_statx,
#endif
#ifdef SYS__llseek
    SYS__llseek, SYS_ftruncate64, SYS_fcntl64, SYS_fstat64, SYS_fstatfs64, SYS_fstatat64,
#endif
    /* Memory and threads; see `judged`. */
    SYS_brk, SYS_munmap, SYS_mremap, SYS_madvise, SYS_set_robust_list, SYS_sched_yield,
    SYS_sched_getaffinity, SYS_gettid, SYS_getpid, SYS_exit, SYS_exit_group, SYS_rt_sigprocmask,
    SYS_rt_sigaction, SYS_rt_sigreturn, SYS_getrandom,
#ifdef __s390x__
    SYS_mmap, /* its arguments lie in memory, where nobody can judge them */
#endif
#ifdef SYS_sigreturn
    SYS_sigreturn,
#endif
#ifdef SYS_rseq
    SYS_rseq,
#endif
/* Time, where the vDSO does not know it; each libc has its names for the calls of 32 bits. */
#ifdef SYS_clock_gettime
    SYS_clock_gettime,
#endif
#ifdef SYS_clock_gettime32
    SYS_clock_gettime32,
#endif
#ifdef SYS_clock_gettime64
    SYS_clock_gettime64, SYS_futex_time64, SYS_ppoll_time64,
#endif
    SYS_restart_syscall};

/* A call that is allowed if an argument has this value in the bits of the mask. */
static const struct judged {
    uint32_t call, argument, mask, value;
} judged[] = {
    /* Memory, but none to be executed. */
    {SYS_mprotect, 2, PROT_EXEC, 0},
#ifdef SYS_mmap2
    {SYS_mmap2, 2, PROT_EXEC, 0},
#elif !defined __s390x__
    {SYS_mmap, 2, PROT_EXEC, 0},
#endif
    /* A thread's own priority. */
    {SYS_setpriority, 1, UINT32_MAX, 0},
/* Threads, but no processes. */
#ifdef __s390x__
    {SYS_clone, 1, CLONE_THREAD, CLONE_THREAD},
#else
    {SYS_clone, 0, CLONE_THREAD, CLONE_THREAD},
#endif
/* linux/net.h: what can be done with a socket that is there: 6, and 9 to 18 (accept4). */
#ifdef SYS_socketcall
    {SYS_socketcall, 0, ~0u, 6},
    {SYS_socketcall, 0, ~0u, 9},
    {SYS_socketcall, 0, ~0u, 10},
    {SYS_socketcall, 0, ~3u, 12},
    {SYS_socketcall, 0, ~0u, 11},
    {SYS_socketcall, 0, ~1u, 16},
    {SYS_socketcall, 0, ~0u, 18},
#endif
};

#define ALLOWED (sizeof allowed / sizeof *allowed)
#define JUDGED (sizeof judged / sizeof *judged)

/* Numbers from here on are the same on every architecture: pidfd_send_signal, of Linux 5.1. */
#define FIRST_LATE_CALL 424

/* linux/filter.h and linux/seccomp.h. */
struct instruction {
    uint16_t code;
    uint8_t yes, no; /* how many to skip */
    uint32_t k;
};

struct program {
    unsigned short n;
    struct instruction *instructions;
};

enum { LOAD = 0x20, AND = 0x54, IF_EQUAL = 0x15, IF_AT_LEAST = 0x35, RETURN = 0x06 };
enum { DATA_NUMBER = 0, DATA_ARCH = 4, DATA_ARGUMENTS = 16 };

#define RETURN_KILL 0x80000000u
#define RETURN_ERROR 0x00050000u
#define RETURN_ALLOW 0x7fff0000u

#define SET_MODE_FILTER 1L
#define MODE_FILTER 2L     /* of prctl */
#define FLAG_LOG 2L        /* refused calls go to the audit log: Linux 4.14 */
#define FLAG_SPEC_ALLOW 4L /* no slower for it before Linux 5.16: no foreign code runs here */

#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define LOW_HALF 4
#else
#define LOW_HALF 0
#endif

/* In front of and behind each the number is loaded. */
static size_t append_judged(struct instruction *to, const struct judged *j)
{
    const struct instruction part[] = {
        {IF_EQUAL, 0, 5, j->call},    {LOAD, 0, 0, DATA_ARGUMENTS + 8 * j->argument + LOW_HALF},
        {AND, 0, 0, j->mask},         {IF_EQUAL, 0, 1, j->value},
        {RETURN, 0, 0, RETURN_ALLOW}, {LOAD, 0, 0, DATA_NUMBER},
    };
    memcpy(to, part, sizeof part);
    return sizeof part / sizeof *part;
}

int seccomp_enforce(void)
{
    struct instruction code[7 + 2 * ALLOWED + 6 * JUDGED];
    size_t n = 0;
    if (!ARCH)
        return -ENOSYS;
    code[n++] = (struct instruction){LOAD, 0, 0, DATA_ARCH};
    code[n++] = (struct instruction){IF_EQUAL, 1, 0, ARCH};
    code[n++] = (struct instruction){RETURN, 0, 0, RETURN_KILL};
    code[n++] = (struct instruction){LOAD, 0, 0, DATA_NUMBER};
    for (size_t i = 0; i < ALLOWED; i++) {
        code[n++] = (struct instruction){IF_EQUAL, 0, 1, allowed[i]};
        code[n++] = (struct instruction){RETURN, 0, 0, RETURN_ALLOW};
    }
    for (size_t i = 0; i < JUDGED; i++)
        n += append_judged(code + n, &judged[i]);
    code[n++] = (struct instruction){IF_AT_LEAST, 0, 1, FIRST_LATE_CALL};
    code[n++] = (struct instruction){RETURN, 0, 0, RETURN_ERROR | ENOSYS};
    code[n++] = (struct instruction){RETURN, 0, 0, RETURN_ERROR | EPERM};
    struct program program = {(unsigned short)n, code};
    if (syscall(SYS_seccomp, SET_MODE_FILTER, FLAG_LOG | FLAG_SPEC_ALLOW, &program) == 0)
        return 0;
    /* Older kernels know fewer flags, and those before 3.17 not the call. */
    return prctl(PR_SET_SECCOMP, MODE_FILTER, &program) < 0 ? -errno : 0;
}
