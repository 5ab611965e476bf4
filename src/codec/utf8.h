/*
 * utf8: whether bytes are well-formed UTF-8 (RFC 3629), in pieces of any size.
 *
 * Begin with UTF8_ACCEPT and hand each result on to the next piece. Only shortest forms, no
 * surrogates, nothing above U+10FFFF; the first byte that can belong to no character is refused
 * at once and not at the end of its character. The bytes up to here are
 *   UTF8_ACCEPT   whole characters,
 *   UTF8_REJECT   not UTF-8, whatever follows; it stays that way,
 *   another value whole characters and the beginning of one.
 */
#ifndef CODEC_UTF8_H
#define CODEC_UTF8_H

#include "base/slice.h"

#define UTF8_ACCEPT 0u
#define UTF8_REJECT 1u

uint32_t utf8_check(uint32_t state, const uint8_t *p, size_t n);

/* Whether s is well-formed as a whole. */
static inline bool utf8_valid(struct slice s)
{
    return utf8_check(UTF8_ACCEPT, s.p, s.n) == UTF8_ACCEPT;
}

#endif
