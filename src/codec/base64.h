/*
 * base64: RFC 4648, section 4 (base64, padded) and section 5 (base64url, here always without
 * padding, as RFC 7515 has it).
 *
 * Decoding is strict, so that every value has exactly one text: no foreign character, no white
 * space, no impossible length, and the bits that the last character has left over must be zero.
 * Results are not terminated. Input and output must not overlap.
 */
#ifndef CODEC_BASE64_H
#define CODEC_BASE64_H

#include "base/slice.h"

#define BASE64_SIZE(n) (((n) + 2) / 3 * 4)        /* characters of n bytes, padded */
#define BASE64URL_SIZE(n) (((n)*4 + 2) / 3)       /* characters of n bytes, without padding */
#define BASE64_DECODED_MAX(n) (((n) + 3) / 4 * 3) /* bytes of n characters, at most */

/* Each returns the number of characters written, exactly the SIZE above. */
size_t base64_encode(char *out, struct slice in);
size_t base64url_encode(char *out, struct slice in);

/* The number of bytes written, at most BASE64_DECODED_MAX(in.n), or -1 if in is not valid (out
 * may then have been written to). */
ptrdiff_t base64_decode(uint8_t *out, struct slice in);
ptrdiff_t base64url_decode(uint8_t *out, struct slice in);

#endif
