#include "codec/utf8.h"

#include "base/endian.h"

/* Inside a character the state says which byte may come next: its lowest and its highest value,
 * and how many are missing, that one included. Only the second byte of a character has limits of
 * its own (RFC 3629 section 4); they keep out overlong forms, surrogates and what is too large. */
#define NEED(missing, low, high) \
    ((uint32_t)(missing) | (uint32_t)(low) << 8 | (uint32_t)(high) << 16)

static uint32_t utf8_lead(uint8_t c)
{
    if (c < 0x80)
        return UTF8_ACCEPT;
    if (c < 0xc2) /* a continuation byte, or the lead of an overlong form */
        return UTF8_REJECT;
    if (c < 0xe0)
        return NEED(1, 0x80, 0xbf);
    if (c < 0xf0)
        return NEED(2, c == 0xe0 ? 0xa0 : 0x80, c == 0xed ? 0x9f : 0xbf);
    if (c < 0xf5)
        return NEED(3, c == 0xf0 ? 0x90 : 0x80, c == 0xf4 ? 0x8f : 0xbf);
    return UTF8_REJECT;
}

static uint32_t utf8_next(uint32_t state, uint8_t c)
{
    uint32_t missing = state & 0xff;
    if (c < (state >> 8 & 0xff) || c > state >> 16)
        return UTF8_REJECT;
    return missing == 1 ? UTF8_ACCEPT : NEED(missing - 1, 0x80, 0xbf);
}

uint32_t utf8_check(uint32_t state, const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n && state != UTF8_REJECT; i++) {
        if (state != UTF8_ACCEPT) {
            state = utf8_next(state, p[i]);
            continue;
        }
        while (n - i > 8 && !(le64_load(p + i) & UINT64_C(0x8080808080808080)))
            i += 8;
        state = utf8_lead(p[i]);
    }
    return state;
}
