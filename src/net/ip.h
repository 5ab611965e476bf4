/*
 * ip: IP addresses without a port, and the ranges of them that are written as CIDR.
 *
 * IPv4 stands as its mapped IPv6 form (RFC 4291, 2.5.5.2), so that there is one kind to compare. All
 * bytes zero is the peer of a unix socket, whose text is "unix": nobody comes from the address ::.
 */
#ifndef NET_IP_H
#define NET_IP_H

#include "base/slice.h"
#include "net/address.h"

struct ip {
    uint8_t bytes[16];
};

/* One range, and a list of them. */
struct ip_range {
    struct ip ip;
    uint8_t bits; /* of the 128 that must be equal */
};

struct ip_ranges {
    const struct ip_range *items;
    size_t n;
};

#define IP_TEXT 46 /* bytes of a text form with its terminator */

struct ip ip_of(const struct address *a);

/* n is 4 or 16 bytes in network order. */
struct ip ip_from_bytes(const uint8_t *p, size_t n);

/* A bare address: 192.0.2.1, 2001:db8::1. No port, brackets, zone or leading zeros. */
bool ip_parse(struct ip *out, struct slice text);

void ip_format(char out[IP_TEXT], const struct ip *ip);

/* "10.0.0.0/8", "2001:db8::/32", an address alone, "unix". NULL, or what is wrong with it. */
__attribute__((warn_unused_result)) const char *ip_range_parse(struct ip_range *out,
                                                               const char *text);

bool ip_is_in(const struct ip *ip, const struct ip_ranges *ranges);

#endif
