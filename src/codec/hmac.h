/*
 * hmac: HMAC-SHA-256 (RFC 2104), with the two blocks of the key hashed once and kept.
 *
 * A key is read-only after hmac_key_init and may be used by any number of threads. It is as
 * secret as the bytes it was made from.
 */
#ifndef CODEC_HMAC_H
#define CODEC_HMAC_H

#include "codec/sha256.h"

struct hmac_key {
    struct sha256 inner, outer; /* after the padded key, before the data */
};

/* A key of any length; the bytes are not referred to afterwards. */
void hmac_key_init(struct hmac_key *k, struct slice key);

void hmac_sign(const struct hmac_key *k, struct slice data, uint8_t out[SHA256_SIZE]);

/* Whether two signatures are the same, in a time that does not tell where they differ. */
bool hmac_equal(const uint8_t a[SHA256_SIZE], const uint8_t b[SHA256_SIZE]);

#endif
