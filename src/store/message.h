/*
 * message: reading a message object as it stands in the log.
 *
 * It has one form alone, which store_append writes: {"id":..,"from":"..","to":"..","content":"..",
 * "date":..}, in this order and without white space.
 */
#ifndef STORE_MESSAGE_H
#define STORE_MESSAGE_H

#include "store/store.h"

/* A name of STORE_MAX_USER bytes, each of them in an escape. */
#define MESSAGE_NAME_ROOM ((size_t)6 * STORE_MAX_USER)

struct message_names {
    uint8_t text[2][MESSAGE_NAME_ROOM];
};

/*
 * Fills *out; names that hold escapes are decoded into *room, everything else points into json.
 * NULL, or what would be right, and *at is the offset where it is not.
 */
const char *message_read(struct store_message *out, struct message_names *room, struct slice json,
                         size_t *at);

#endif
