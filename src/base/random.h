/*
 * random: bytes from the kernel's cryptographic source (getrandom(2), /dev/urandom where the
 * kernel is older than 3.17).
 */
#ifndef BASE_RANDOM_H
#define BASE_RANDOM_H

#include <stddef.h>

/* Fills p with n bytes: 0, or -errno where the system has no source. */
__attribute__((warn_unused_result)) int random_bytes(void *p, size_t n);

#endif
