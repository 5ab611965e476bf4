/*
 * proxy: whom a proxy in front says that it speaks for: the PROXY protocol's header, versions 1 and 2
 * (haproxy.org, proxy-protocol.txt), and the X-Forwarded-For of a request.
 *
 * Pure functions of bytes. Whoever calls them must trust the peer: anybody can write these lines.
 */
#ifndef NET_PROXY_H
#define NET_PROXY_H

#include "net/http.h"
#include "net/ip.h"

/* Bytes of a header that is taken: addresses and a few certificates' names. The protocol would allow
   64 KiB. */
#define PROXY_MAX (4 << 10)

struct proxy_header {
    size_t size;    /* bytes of the header in the input */
    bool forwarded; /* it names a client; otherwise the proxy speaks for itself (a health check) */
    struct ip from; /* the client */
};

enum proxy_result {
    PROXY_OK,
    PROXY_MORE,      /* incomplete so far */
    PROXY_NONE,      /* no header: something else begins here */
    PROXY_MALFORMED, /* it begins like one; *why is a short text */
};

__attribute__((warn_unused_result)) enum proxy_result
proxy_parse(struct slice in, struct proxy_header *out, const char **why);

/*
 * The address behind `peer`: X-Forwarded-For is read from its end, which the nearest proxy wrote, as
 * long as those who wrote it are trusted. What is no address ends it as well.
 */
struct ip proxy_forwarded(const struct http_head *request, struct ip peer,
                          const struct ip_ranges *trusted);

#endif
