#include "codec/base64.h"

#define ALNUM "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

static const char base64_standard[] = ALNUM "+/";
static const char base64_url[] = ALNUM "-_";

/* Without padding. A group of three bytes becomes four characters, n bytes of it n + 1. */
static size_t base64_write(char *out, struct slice in, const char *alphabet)
{
    char *at = out;
    for (; in.n >= 3; in = slice_skip(in, 3)) {
        uint32_t group = (uint32_t)in.p[0] << 16 | (uint32_t)in.p[1] << 8 | in.p[2];
        *at++ = alphabet[group >> 18];
        *at++ = alphabet[group >> 12 & 63];
        *at++ = alphabet[group >> 6 & 63];
        *at++ = alphabet[group & 63];
    }
    if (in.n) {
        uint32_t group = (uint32_t)in.p[0] << 16 | (in.n == 2 ? (uint32_t)in.p[1] << 8 : 0);
        *at++ = alphabet[group >> 18];
        *at++ = alphabet[group >> 12 & 63];
        if (in.n == 2)
            *at++ = alphabet[group >> 6 & 63];
    }
    return (size_t)(at - out);
}

size_t base64_encode(char *out, struct slice in)
{
    size_t n = base64_write(out, in, base64_standard);
    while (n % 4)
        out[n++] = '=';
    return n;
}

size_t base64url_encode(char *out, struct slice in)
{
    return base64_write(out, in, base64_url);
}

/* The six bits of a character; 64 or more for one that is not in the alphabet, whose last two
 * characters are given. */
static inline uint32_t base64_bits(uint8_t c, const char last[2])
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26u;
    if (c >= '0' && c <= '9')
        return c - '0' + 52u;
    return c == (uint8_t)last[0] ? 62 : c == (uint8_t)last[1] ? 63 : 64;
}

/* Without padding. */
static ptrdiff_t base64_read(uint8_t *out, struct slice in, const char *alphabet)
{
    uint8_t *at = out;
    uint32_t bits = 0; /* the last `have` bits of it are not written yet */
    int have = 0;
    if (in.n % 4 == 1) /* six bits are no byte */
        return -1;
    for (size_t i = 0; i < in.n; i++) {
        uint32_t six = base64_bits(in.p[i], alphabet + 62);
        if (six > 63)
            return -1;
        bits = bits << 6 | six;
        have += 6;
        if (have >= 8) {
            have -= 8;
            *at++ = (uint8_t)(bits >> have);
        }
    }
    if (bits & ((1u << have) - 1))
        return -1;
    return at - out;
}

ptrdiff_t base64_decode(uint8_t *out, struct slice in)
{
    if (in.n % 4)
        return -1;
    for (int padding = 0; padding < 2 && in.n && in.p[in.n - 1] == '='; padding++)
        in.n--;
    return base64_read(out, in, base64_standard);
}

ptrdiff_t base64url_decode(uint8_t *out, struct slice in)
{
    return base64_read(out, in, base64_url);
}
