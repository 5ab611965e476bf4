#include "net/ip.h"

#include <arpa/inet.h>
#include <netinet/in.h>

static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

struct ip ip_from_bytes(const uint8_t *p, size_t n)
{
    struct ip ip = {0};
    memcpy(ip.bytes, mapped, sizeof mapped);
    memcpy(ip.bytes + 16 - n, p, n);
    return ip;
}

struct ip ip_of(const struct address *a)
{
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    switch (a->storage.ss_family) {
    case AF_INET:
        memcpy(&v4, &a->storage, sizeof v4);
        return ip_from_bytes((const uint8_t *)&v4.sin_addr, 4);
    case AF_INET6:
        memcpy(&v6, &a->storage, sizeof v6);
        return ip_from_bytes((const uint8_t *)&v6.sin6_addr, 16);
    default:
        return (struct ip){0};
    }
}

bool ip_parse(struct ip *out, struct slice text)
{
    char copy[IP_TEXT];
    uint8_t bytes[16];
    if (text.n >= sizeof copy || memchr(text.p, 0, text.n))
        return false;
    memcpy(copy, text.p, text.n);
    copy[text.n] = 0;
    bool v6 = memchr(copy, ':', text.n);
    if (inet_pton(v6 ? AF_INET6 : AF_INET, copy, bytes) != 1)
        return false;
    *out = ip_from_bytes(bytes, v6 ? 16 : 4);
    return true;
}

static bool is_v4(const struct ip *ip)
{
    return memcmp(ip->bytes, mapped, sizeof mapped) == 0;
}

void ip_format(char out[IP_TEXT], const struct ip *ip)
{
    static const struct ip nowhere;
    if (memcmp(ip, &nowhere, sizeof nowhere) == 0)
        memcpy(out, "unix", 5);
    else if (is_v4(ip))
        inet_ntop(AF_INET, ip->bytes + 12, out, IP_TEXT);
    else
        inet_ntop(AF_INET6, ip->bytes, out, IP_TEXT);
}

static bool agrees(const struct ip *ip, const struct ip_range *range)
{
    unsigned whole = range->bits / 8, rest = range->bits % 8;
    return memcmp(ip->bytes, range->ip.bytes, whole) == 0 &&
           (rest == 0 || (ip->bytes[whole] ^ range->ip.bytes[whole]) >> (8 - rest) == 0);
}

bool ip_is_in(const struct ip *ip, const struct ip_ranges *ranges)
{
    for (size_t i = 0; i < ranges->n; i++)
        if (agrees(ip, &ranges->items[i]))
            return true;
    return false;
}

/* Whether the bits behind the prefix are all zero. */
static bool is_prefix(const struct ip_range *range)
{
    for (unsigned i = range->bits; i < 128; i++)
        if (range->ip.bytes[i / 8] >> (7 - i % 8) & 1)
            return false;
    return true;
}

const char *ip_range_parse(struct ip_range *out, const char *text)
{
    const char *slash = strchr(text, '/');
    size_t n = slash ? (size_t)(slash - text) : strlen(text);
    *out = (struct ip_range){.bits = 128};
    if (strcmp(text, "unix") == 0)
        return NULL;
    if (!ip_parse(&out->ip, slice_of(text, n)))
        return "expected an address (192.0.2.1), a range (192.0.2.0/24, 2001:db8::/32), or unix";
    if (!slash)
        return NULL;
    unsigned most = is_v4(&out->ip) ? 32 : 128, bits = 0;
    size_t digits = strspn(slash + 1, "0123456789");
    for (size_t i = 1; i <= digits && bits <= most; i++)
        bits = 10 * bits + (unsigned)(slash[i] - '0');
    if (digits == 0 || slash[digits + 1] || bits > most)
        return most == 32 ? "the length of the prefix is not a number from 0 to 32"
                          : "the length of the prefix is not a number from 0 to 128";
    out->bits = (uint8_t)(128 - most + bits);
    return is_prefix(out) ? NULL : "the address has bits set behind its prefix";
}
