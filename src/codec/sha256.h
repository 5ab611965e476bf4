/*
 * sha256: the hash of FIPS 180-4, in pieces.
 *
 * sha256_init, any number of sha256_update, one sha256_final; the struct may be copied at any
 * point, and each copy goes on by itself. Nothing to free.
 */
#ifndef CODEC_SHA256_H
#define CODEC_SHA256_H

#include "base/slice.h"

#define SHA256_SIZE 32  /* bytes of a digest */
#define SHA256_BLOCK 64 /* bytes hashed at a time */

struct sha256 {
    uint32_t state[8];
    uint64_t n; /* bytes taken so far; the last n % SHA256_BLOCK of them wait in block */
    uint8_t block[SHA256_BLOCK];
};

void sha256_init(struct sha256 *h);
void sha256_update(struct sha256 *h, struct slice in);

/* The digest of all that was taken. h must be initialised again before further use. */
void sha256_final(struct sha256 *h, uint8_t out[SHA256_SIZE]);

#endif
