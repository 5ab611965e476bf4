#include "codec/sha256.h"

#include "base/endian.h"

/* FIPS 180-4 section 4.2.2: the first 32 bits of the fractions of the cube roots of the first 64
 * primes. */
static const uint32_t sha256_k[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static inline uint32_t rotr(uint32_t x, int n)
{
    return x >> n | x << (32 - n);
}

/* FIPS 180-4 section 6.2.2, with its names of the variables. */
static void sha256_block(uint32_t state[8], const uint8_t *p)
{
    uint32_t w[64];
    for (size_t t = 0; t < 16; t++)
        w[t] = be32_load(p + 4 * t);
    for (size_t t = 16; t < 64; t++) {
        uint32_t s0 = rotr(w[t - 15], 7) ^ rotr(w[t - 15], 18) ^ w[t - 15] >> 3;
        uint32_t s1 = rotr(w[t - 2], 17) ^ rotr(w[t - 2], 19) ^ w[t - 2] >> 10;
        w[t] = s1 + w[t - 7] + s0 + w[t - 16];
    }

    uint32_t a = state[0], b = state[1], c = state[2], d = state[3];
    uint32_t e = state[4], f = state[5], g = state[6], h = state[7];
    for (size_t t = 0; t < 64; t++) {
        uint32_t s1 = rotr(e, 6) ^ rotr(e, 11) ^ rotr(e, 25);
        uint32_t t1 = h + s1 + ((e & f) ^ (~e & g)) + sha256_k[t] + w[t];
        uint32_t s0 = rotr(a, 2) ^ rotr(a, 13) ^ rotr(a, 22);
        uint32_t t2 = s0 + ((a & b) ^ (a & c) ^ (b & c));
        h = g;
        g = f;
        f = e;
        e = d + t1;
        d = c;
        c = b;
        b = a;
        a = t1 + t2;
    }
    state[0] += a;
    state[1] += b;
    state[2] += c;
    state[3] += d;
    state[4] += e;
    state[5] += f;
    state[6] += g;
    state[7] += h;
}

void sha256_init(struct sha256 *h)
{
    *h = (struct sha256){.state = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f,
                                   0x9b05688c, 0x1f83d9ab, 0x5be0cd19}};
}

void sha256_update(struct sha256 *h, struct slice in)
{
    size_t used = h->n % SHA256_BLOCK;
    h->n += in.n;
    if (used && in.n >= SHA256_BLOCK - used) {
        memcpy(h->block + used, in.p, SHA256_BLOCK - used);
        sha256_block(h->state, h->block);
        in = slice_skip(in, SHA256_BLOCK - used);
        used = 0;
    }
    for (; in.n >= SHA256_BLOCK; in = slice_skip(in, SHA256_BLOCK))
        sha256_block(h->state, in.p);
    if (in.n)
        memcpy(h->block + used, in.p, in.n);
}

void sha256_final(struct sha256 *h, uint8_t out[SHA256_SIZE])
{
    size_t used = h->n % SHA256_BLOCK;
    h->block[used++] = 0x80;
    memset(h->block + used, 0, SHA256_BLOCK - used);
    if (used > SHA256_BLOCK - 8) { /* no room for the length */
        sha256_block(h->state, h->block);
        memset(h->block, 0, SHA256_BLOCK);
    }
    be64_store(h->block + SHA256_BLOCK - 8, h->n * 8);
    sha256_block(h->state, h->block);
    for (size_t i = 0; i < 8; i++)
        be32_store(out + 4 * i, h->state[i]);
}
