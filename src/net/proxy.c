#include "net/proxy.h"

#include "base/endian.h"

/* Section 2.1: "PROXY TCP6", two addresses, two ports, CRLF. */
#define V1_MAX 107
#define V2_HEAD 16 /* bytes: signature, version and command, family and transport, length */

static const uint8_t signature[12] = "\r\n\r\n\0\r\nQUIT\n";

/* Whether `in` begins with this, or may still do so when more has come. */
static bool may_begin(struct slice in, const void *with, size_t n)
{
    return memcmp(in.p, with, in.n < n ? in.n : n) == 0;
}

/* ---- version 1 --------------------------------------------------------------------------- */

/* Takes the word in front of the next blank, or the rest. */
static struct slice word(struct slice *line)
{
    const uint8_t *blank = line->n ? memchr(line->p, ' ', line->n) : NULL;
    struct slice found = slice_of(line->p, blank ? (size_t)(blank - line->p) : line->n);
    *line = slice_skip(*line, blank ? found.n + 1 : found.n);
    return found;
}

static bool is_port(struct slice text)
{
    unsigned value = 0;
    if (text.n == 0 || text.n > 5 || (text.n > 1 && text.p[0] == '0'))
        return false;
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] < '0' || text.p[i] > '9')
            return false;
        value = 10 * value + text.p[i] - '0';
    }
    return value <= 65535;
}

static bool is_family(struct slice address, bool v6)
{
    return (address.n && memchr(address.p, ':', address.n)) == v6;
}

static enum proxy_result parse_v1(struct slice in, struct proxy_header *out, const char **why)
{
    const uint8_t *end = memchr(in.p, '\r', in.n < V1_MAX - 1 ? in.n : V1_MAX - 1);
    if (!end || end + 1 == in.p + in.n) {
        *why = "a PROXY line of more than 107 bytes";
        return in.n < V1_MAX ? PROXY_MORE : PROXY_MALFORMED;
    }
    struct slice line = slice_of(in.p, (size_t)(end - in.p)), to_text;
    struct ip to;
    *why = "a PROXY line that is not PROXY TCP4|TCP6 FROM TO PORT PORT, or PROXY UNKNOWN";
    if (end[1] != '\n')
        return PROXY_MALFORMED;
    out->size = line.n + 2;
    word(&line);
    struct slice family = word(&line);
    if (slice_eq(family, SLICE("UNKNOWN")))
        return PROXY_OK; /* what follows says nothing */
    bool v6 = slice_eq(family, SLICE("TCP6"));
    struct slice from_text = word(&line);
    to_text = word(&line);
    if ((!v6 && !slice_eq(family, SLICE("TCP4"))) || !is_family(from_text, v6) ||
        !is_family(to_text, v6) || !ip_parse(&out->from, from_text) || !ip_parse(&to, to_text) ||
        !is_port(word(&line)) || line.n == 0 || !is_port(line))
        return PROXY_MALFORMED;
    out->forwarded = true;
    return PROXY_OK;
}

/* ---- version 2 --------------------------------------------------------------------------- */

/* Section 2.2.1: type, 16-bit length, value, until the end. */
static bool are_fields(struct slice s)
{
    while (s.n) {
        if (s.n < 3 || s.n - 3 < be16_load(s.p + 1))
            return false;
        s = slice_skip(s, 3 + (size_t)be16_load(s.p + 1));
    }
    return true;
}

static enum proxy_result parse_v2(struct slice in, struct proxy_header *out, const char **why)
{
    if (in.n < V2_HEAD)
        return PROXY_MORE;
    uint8_t command = in.p[12], family = in.p[13];
    size_t size = V2_HEAD + (size_t)be16_load(in.p + 14);
    *why = "a PROXY header that is not of version 2, LOCAL or PROXY";
    if (command != 0x20 && command != 0x21)
        return PROXY_MALFORMED;
    *why = "a PROXY header of more than 4 KiB";
    if (size > PROXY_MAX)
        return PROXY_MALFORMED;
    if (in.n < size)
        return PROXY_MORE;
    out->size = size;
    if (command == 0x20)
        return PROXY_OK; /* LOCAL: the rest is to be ignored */
    struct slice rest = slice_of(in.p + V2_HEAD, size - V2_HEAD);
    /* The addresses: from, to, and for IP two ports. */
    size_t addresses = family == 0x11 ? 12 : family == 0x21 ? 36 : family == 0x31 ? 216 : 0;
    *why = "a PROXY header that is not for a stream over IPv4, IPv6 or a unix socket";
    if (family != 0 && !addresses)
        return PROXY_MALFORMED;
    *why = "a PROXY header whose length does not fit what is in it";
    if (rest.n < addresses || !are_fields(slice_skip(rest, addresses)))
        return PROXY_MALFORMED;
    out->forwarded = family == 0x11 || family == 0x21;
    if (out->forwarded)
        out->from = ip_from_bytes(rest.p, family == 0x11 ? 4 : 16);
    return PROXY_OK;
}

enum proxy_result proxy_parse(struct slice in, struct proxy_header *out, const char **why)
{
    *out = (struct proxy_header){0};
    if (in.n == 0)
        return PROXY_MORE;
    if (may_begin(in, signature, sizeof signature))
        return parse_v2(in, out, why);
    if (may_begin(in, "PROXY ", 6))
        return in.n < 6 ? PROXY_MORE : parse_v1(in, out, why);
    return PROXY_NONE;
}

/* ---- X-Forwarded-For --------------------------------------------------------------------- */

/* Takes the last item off a list of the form "A, B, C". */
static struct slice last_item(struct slice *list)
{
    size_t at = list->n;
    while (at && list->p[at - 1] != ',')
        at--;
    struct slice item = slice_skip(*list, at);
    list->n = at ? at - 1 : 0;
    while (item.n && (*item.p == ' ' || *item.p == '\t'))
        item = slice_skip(item, 1);
    while (item.n && (item.p[item.n - 1] == ' ' || item.p[item.n - 1] == '\t'))
        item.n--;
    return item;
}

struct ip proxy_forwarded(const struct http_head *request, struct ip peer,
                          const struct ip_ranges *trusted)
{
    for (size_t i = request->fields_n; i > 0; i--) {
        struct slice list = request->fields[i - 1].value;
        if (!http_equal_fold(request->fields[i - 1].name, "x-forwarded-for"))
            continue;
        while (list.n) {
            struct ip before;
            if (!ip_is_in(&peer, trusted) || !ip_parse(&before, last_item(&list)))
                return peer;
            peer = before;
        }
    }
    return peer;
}
