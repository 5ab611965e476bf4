/*
 * wire: requests read and events written, in either framing: native, one JSON object a frame
 * (PROTOCOL.md, section 1), and Socket.IO, one packet a frame (section 5). Who makes an event does not know in
 * which one it will be written.
 */
#ifndef CHAT_WIRE_H
#define CHAT_WIRE_H

#include "base/buf.h"
#include "codec/json.h"

#define WIRE_MAX_REF 64 /* bytes of a ref's value; written in escapes it may take 6 for each */

#define WIRE_MAX_ID 16 /* digits of an acknowledgement's id */

#define WIRE_MAX_EVENT 64 /* bytes; no event has a longer name */

enum framing { FRAMING_NATIVE, FRAMING_SOCKETIO, FRAMINGS };

/* What a request holds; the spans point into the frame. */
struct envelope {
    struct json_value event; /* a string */
    struct json_value data;  /* null where there is none */
    struct slice ref;        /* as it was written, quotes included; empty: none */
};

/*
 * Reads a frame, of Socket.IO what stands behind the type of an EVENT: NULL, or the code of what is wrong
 * with it, and then *why tells more. What was found good before the fault stands in *out (a ref,
 * say), the rest is empty.
 */
const char *wire_read(enum framing framing, struct slice frame, struct envelope *out,
                      const char **why);

struct event {
    struct slice name;
    struct slice data; /* JSON; empty: there was no memory for it, and writing it fails */
    struct slice ref;  /* of the request that it answers; empty: none */
    struct slice meta; /* JSON, or empty */
    /* One of several that answer one request; what follows them and tells in `data`, an object, how
       many they were. */
    enum { EVENT_WHOLE, EVENT_PART, EVENT_END } part;
};

/* Appends an event: where in *out its data ends. */
size_t wire_write(struct buf *out, enum framing framing, const struct event *e);

/* What was written to be an event's data or meta: empty if there was no memory for it. */
static inline struct slice wire_json(const struct buf *b)
{
    return b->failed ? slice_of(b->p, 0) : buf_slice(b);
}

/* Appends a JSON string with this value, which is UTF-8. */
void wire_write_string(struct buf *out, struct slice utf8);

#endif
