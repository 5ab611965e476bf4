/*
 * crc32c: the cyclic redundancy check with Castagnoli's polynomial (RFC 3720 section 12.1), which
 * guards the records of the log. It finds damage, not forgery.
 *
 * Begin with 0 and hand each result on: crc32c(crc32c(0, a), b) is the check of ab. The processor's
 * own instruction is used where there is one; every machine computes the same value.
 */
#ifndef CODEC_CRC32C_H
#define CODEC_CRC32C_H

#include <stddef.h>
#include <stdint.h>

uint32_t crc32c(uint32_t crc, const void *p, size_t n);

/* The same without any special instruction. For tests and for machines that have none. */
uint32_t crc32c_portable(uint32_t crc, const void *p, size_t n);

#endif
