/*
 * wire: the native form of requests and answers, one JSON object a frame (PROTOCOL.md, section 1).
 */
#ifndef CHAT_WIRE_H
#define CHAT_WIRE_H

#include "base/buf.h"
#include "codec/json.h"

#define WIRE_MAX_REF 64 /* bytes of a ref's value; written in escapes it may take 6 for each */

#define WIRE_MAX_EVENT 64 /* bytes; no event has a longer name */

/* What a request holds; the spans point into the frame. */
struct envelope {
    struct json_value event; /* a string */
    struct json_value data;  /* null where there is none */
    struct slice ref;        /* as it was written, quotes included; empty: none */
};

/*
 * Reads a frame: NULL, or the code of what is wrong with it, and then *why tells more. What was
 * found good before the fault stands in *out (a ref, say), the rest is empty.
 */
const char *wire_read(struct slice frame, struct envelope *out, const char **why);

/* Appends an answer or an event. data is JSON; ref and meta are left out where they are empty. */
void wire_write(struct buf *out, struct slice event, struct slice data, struct slice ref,
                struct slice meta);

/* Appends a JSON string with this value, which is UTF-8. */
void wire_write_string(struct buf *out, struct slice utf8);

#endif
