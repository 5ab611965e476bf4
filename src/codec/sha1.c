#include "codec/sha1.h"

#include "base/endian.h"

#define SHA1_BLOCK 64

static inline uint32_t rotl(uint32_t x, int n)
{
    return x << n | x >> (32 - n);
}

/* FIPS 180-4 section 6.1.2, with its names of the variables. */
static void sha1_block(uint32_t state[5], const uint8_t *p)
{
    uint32_t w[80];
    for (size_t t = 0; t < 16; t++)
        w[t] = be32_load(p + 4 * t);
    for (size_t t = 16; t < 80; t++)
        w[t] = rotl(w[t - 3] ^ w[t - 8] ^ w[t - 14] ^ w[t - 16], 1);

    uint32_t a = state[0], b = state[1], c = state[2], d = state[3], e = state[4];
    for (size_t t = 0; t < 80; t++) {
        uint32_t f;
        if (t < 20)
            f = ((b & c) | (~b & d)) + 0x5a827999;
        else if (t < 40)
            f = (b ^ c ^ d) + 0x6ed9eba1;
        else if (t < 60)
            f = ((b & c) | (b & d) | (c & d)) + 0x8f1bbcdc;
        else
            f = (b ^ c ^ d) + 0xca62c1d6;
        f += rotl(a, 5) + e + w[t];
        e = d;
        d = c;
        c = rotl(b, 30);
        b = a;
        a = f;
    }
    state[0] += a;
    state[1] += b;
    state[2] += c;
    state[3] += d;
    state[4] += e;
}

void sha1(struct slice in, uint8_t out[SHA1_SIZE])
{
    uint32_t state[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
    uint64_t bits = (uint64_t)in.n * 8;
    for (; in.n >= SHA1_BLOCK; in = slice_skip(in, SHA1_BLOCK))
        sha1_block(state, in.p);

    /* The rest, a one bit, zeros and the length: one block, or two where it does not fit. */
    uint8_t tail[2 * SHA1_BLOCK] = {0};
    size_t tail_n = in.n + 9 <= SHA1_BLOCK ? SHA1_BLOCK : 2 * SHA1_BLOCK;
    if (in.n)
        memcpy(tail, in.p, in.n);
    tail[in.n] = 0x80;
    be64_store(tail + tail_n - 8, bits);
    for (size_t at = 0; at < tail_n; at += SHA1_BLOCK)
        sha1_block(state, tail + at);

    for (size_t i = 0; i < 5; i++)
        be32_store(out + 4 * i, state[i]);
}
