/*
 * address: the text forms of socket addresses, HOST:PORT, [V6]:PORT and unix:PATH.
 *
 * HOST is a number or localhost, which is 127.0.0.1: a server that waits for the answer of another
 * machine before it listens is none for an appliance. V6 may have a zone, %eth0. Port 0 takes a free one.
 */
#ifndef NET_ADDRESS_H
#define NET_ADDRESS_H

#include <stdbool.h>
#include <sys/socket.h>

struct address {
    struct sockaddr_storage storage;
    socklen_t n; /* bytes of storage in use */
};

/* "[", an IPv6 address with its zone, "]:65535"; or "unix:" and a path of 108 bytes. */
#define ADDRESS_TEXT 128

/* NULL, or what is wrong with the text. */
__attribute__((warn_unused_result)) const char *address_parse(struct address *out,
                                                              const char *text);

/* The text form of a numeric address; a unix socket without a name is "unix:". */
void address_format(char out[ADDRESS_TEXT], const struct address *a);

/* Whether only this machine can reach it: 127.0.0.0/8, ::1, a unix socket. */
bool address_is_loopback(const struct address *a);

/*
 * A listening, non-blocking socket: the descriptor or -errno. *a becomes the address it really has.
 * A unix socket file that nobody listens on is replaced; one that is alive is left: -EADDRINUSE.
 */
__attribute__((warn_unused_result)) int address_listen(struct address *a);

/* A non-blocking socket that connects or is connected: the descriptor or -errno. */
__attribute__((warn_unused_result)) int address_connect(const struct address *a);

#endif
