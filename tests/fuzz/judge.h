/*
 * judge: the client's side of one connection. Whatever the server sends is held against RFC 9112,
 * RFC 6455 and PROTOCOL.md by a reader of its own; what breaks them ends the process, as CHECK does.
 */
#ifndef FUZZ_JUDGE_H
#define FUZZ_JUDGE_H

#include "base/buf.h"
#include "codec/userid.h"

struct judge {
    struct buf in; /* what came, and is not judged yet */
    bool upgraded;
    bool over; /* nothing more may come: a close, or an answer other than 101 */
    uint8_t user[USERID_MAX];
    size_t user_n;          /* 0: not registered */
    uint64_t last_live;     /* id of the newest live message */
    uint64_t last_replayed; /* likewise since it registered last; live ones are newer */
    uint64_t last_sent;     /* id of the newest message that was acknowledged */
    unsigned acknowledged;
};

void judge_bytes(struct judge *j, struct slice bytes);

/* Forgets what came. */
void judge_fini(struct judge *j);

#endif
