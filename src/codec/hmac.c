#include "codec/hmac.h"

void hmac_key_init(struct hmac_key *k, struct slice key)
{
    uint8_t pad[SHA256_BLOCK] = {0};
    if (key.n > SHA256_BLOCK) {
        struct sha256 h;
        sha256_init(&h);
        sha256_update(&h, key);
        sha256_final(&h, pad);
    } else if (key.n) {
        memcpy(pad, key.p, key.n);
    }

    for (size_t i = 0; i < sizeof pad; i++)
        pad[i] ^= 0x36;
    sha256_init(&k->inner);
    sha256_update(&k->inner, slice_of(pad, sizeof pad));

    for (size_t i = 0; i < sizeof pad; i++)
        pad[i] ^= 0x36 ^ 0x5c;
    sha256_init(&k->outer);
    sha256_update(&k->outer, slice_of(pad, sizeof pad));
}

void hmac_sign(const struct hmac_key *k, struct slice data, uint8_t out[SHA256_SIZE])
{
    struct sha256 h = k->inner;
    sha256_update(&h, data);
    sha256_final(&h, out);
    h = k->outer;
    sha256_update(&h, slice_of(out, SHA256_SIZE));
    sha256_final(&h, out);
}

bool hmac_equal(const uint8_t a[SHA256_SIZE], const uint8_t b[SHA256_SIZE])
{
    /* volatile: the compiler must not turn this into a comparison that stops early. */
    volatile uint8_t difference = 0;
    for (int i = 0; i < SHA256_SIZE; i++)
        difference |= a[i] ^ b[i];
    return difference == 0;
}
