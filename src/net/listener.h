/*
 * listener: accepts connections and hands their descriptors on.
 *
 * When descriptors or memory run out, it rests for a moment instead of spinning: the connections
 * wait in the kernel's queue and are taken when there is room again.
 */
#ifndef NET_LISTENER_H
#define NET_LISTENER_H

#include "net/address.h"
#include "net/loop.h"

struct listener {
    struct source source; /* its timer ends a rest */
    struct loop *loop;
    struct address address; /* as bound: with the real port */
    /* fd is non-blocking and the callee's to close. */
    void (*accepted)(struct listener *l, int fd, const struct address *peer);
    void *ctx;
    uint64_t rests; /* for the metrics */
};

/* Binds and listens; 0 or -errno. */
__attribute__((warn_unused_result)) int
listener_open(struct listener *l, struct loop *loop, const struct address *address,
              void (*accepted)(struct listener *, int, const struct address *), void *ctx);

/* Stops accepting; removes the file of a unix socket. Harmless on one that is closed. */
void listener_close(struct listener *l);

#endif
