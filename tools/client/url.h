/*
 * url: where a WebSocket client connects to: ws://HOST:PORT/PATH, or ws+unix:SOCKET:/PATH.
 *
 * The port is 80 and the path is "/" where they are missing. Names are resolved by the
 * system, which may take its time.
 */
#ifndef CLIENT_URL_H
#define CLIENT_URL_H

#include "net/address.h"

struct url {
    struct address address;
    char host[264]; /* for the Host header */
    char path[512]; /* with its query */
};

/* NULL, or what is wrong with the text. */
__attribute__((warn_unused_result)) const char *url_parse(struct url *out, const char *text);

#endif
