/*
 * script: WebSocket frames as words, so that a table of cases can be read.
 *
 * A script is words with a blank between them, one for each frame of a client:
 *
 *     T B C     a text, a binary, a continuation frame with FIN; t b c: without it
 *     P O X     ping, pong, close; p o x: without FIN, which is forbidden
 *     #c1       any other first byte, in hexadecimal
 *
 * followed by its payload: nothing, or one of
 *
 *     :hello    these bytes
 *     =ce1f     these in hexadecimal
 *     *1000     so many letters of a pattern, which goes on through the fragments of a message
 *
 * Between the two may stand, of a close, its code (X1000:bye), and ">20": the head declares 20 bytes
 * whatever is sent. A "_" in front leaves the mask out. "!81ff" are bytes on the wire as they are.
 *
 * What a server sends is told in the same words, a close by its code alone; "EOF" is an end without a
 * close.
 */
#ifndef CONFORMANCE_SCRIPT_H
#define CONFORMANCE_SCRIPT_H

#include "base/buf.h"

/* Appends the bytes of a script. Aborts where it is no script: a case is never wrong. */
void script_encode(struct buf *out, const char *script);

/* Appends the word for a frame of a server. */
void script_tell(struct buf *out, uint8_t first, struct slice payload);

#endif
