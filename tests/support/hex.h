/* hex: bytes as hexadecimal text, for test vectors. */
#ifndef SUPPORT_HEX_H
#define SUPPORT_HEX_H

#include "base/slice.h"

/* Writes 2n lower-case digits and a terminator to out, and returns it. */
char *hex_text(char *out, struct slice bytes);

/* Decodes digits; blanks are passed over. Aborts on anything else: a vector is never wrong. */
size_t hex_bytes(uint8_t *out, const char *text);

#endif
