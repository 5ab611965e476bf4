#include "hex.h"

#include <stdlib.h>

static const char digits[] = "0123456789abcdef";

char *hex_text(char *out, struct slice bytes)
{
    char *at = out;
    for (size_t i = 0; i < bytes.n; i++) {
        *at++ = digits[bytes.p[i] >> 4];
        *at++ = digits[bytes.p[i] & 15];
    }
    *at = 0;
    return out;
}

static uint8_t hex_digit(char c)
{
    const char *at = c ? strchr(digits, c) : NULL;
    if (!at)
        abort();
    return (uint8_t)(at - digits);
}

size_t hex_bytes(uint8_t *out, const char *text)
{
    size_t n = 0;
    for (; *text; text += 2) {
        while (*text == ' ')
            text++;
        out[n++] = (uint8_t)(hex_digit(text[0]) << 4 | hex_digit(text[1]));
    }
    return n;
}
