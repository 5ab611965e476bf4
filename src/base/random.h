/*
 * random: bytes from the kernel's cryptographic source (getrandom(2), /dev/urandom where the
 * kernel is older than 3.17).
 */
#ifndef BASE_RANDOM_H
#define BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

/* Fills p with n bytes: 0, or -errno where the system has no source. */
__attribute__((warn_unused_result)) int random_bytes(void *p, size_t n);

/* Random numbers for many small uses: one system call for every 128 of them. Zeroed: empty. */
struct random_pool {
    uint8_t bytes[512];
    uint32_t left; /* bytes not handed out yet */
};

__attribute__((warn_unused_result)) int random_u32(struct random_pool *pool, uint32_t *out);

#endif
