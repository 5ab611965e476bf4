/* proc: numbers that the kernel tells of a process (proc(5)). */
#ifndef BENCH_PROC_H
#define BENCH_PROC_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* A whole small file as text; its size, 0 where it cannot be read. */
size_t proc_read(const char *path, char *text, size_t room);

/* The number behind this text; 0 where it is not found. */
uint64_t proc_number(const char *text, const char *name);

/* Bytes that it has in memory. */
uint64_t proc_resident(pid_t pid);

/* Descriptors but those of regular files: sockets, pipes, epoll and the like. */
unsigned proc_sockets(pid_t pid);

#endif
