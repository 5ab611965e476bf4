/*
 * sha1: the hash of FIPS 180-4, for the WebSocket handshake alone (RFC 6455 section 1.3), which
 * asks nothing of its strength. Never for anything that must not be forged.
 */
#ifndef CODEC_SHA1_H
#define CODEC_SHA1_H

#include "base/slice.h"

#define SHA1_SIZE 20 /* bytes of a digest */

void sha1(struct slice in, uint8_t out[SHA1_SIZE]);

#endif
