/* What a trusted proxy says: the PROXY header, which must read the same in every split, and the
   X-Forwarded-For of a request. The first byte chooses which ranges are trusted. */
#include "net/proxy.h"
#include "fuzz.h"

static struct ip_ranges trusted(uint8_t choice, struct ip_range room[2])
{
    static const char *const texts[] = {"10.0.0.0/8", "unix", "2001:db8::/32", "0.0.0.0/0"};
    CHECK(!ip_range_parse(&room[0], texts[choice & 3]));
    CHECK(!ip_range_parse(&room[1], texts[choice >> 2 & 3]));
    return (struct ip_ranges){room, choice >> 4 & 3 ? 2 : 0};
}

static enum proxy_result parse(struct slice in, size_t n, struct proxy_header *out)
{
    const char *why = "";
    /* Of its own size, so that a byte too far is seen. */
    uint8_t *copy = malloc(n + !n);
    CHECK(copy);
    memcpy(copy, in.p, n);
    enum proxy_result result = proxy_parse(slice_of(copy, n), out, &why);
    CHECK(result != PROXY_MALFORMED || *why);
    free(copy);
    return result;
}

/* The header is judged the same however much of it and of what follows has come: "more" up to a place,
   from there on one answer. */
static void check_header(struct slice in)
{
    struct proxy_header whole, part;
    enum proxy_result result = parse(in, in.n, &whole);
    CHECK(result != PROXY_MORE || in.n < PROXY_MAX);
    CHECK(result != PROXY_OK || (whole.size > 0 && whole.size <= in.n && whole.size <= PROXY_MAX));
    size_t limit = in.n < 256 ? in.n : 256;
    bool decided = false;
    for (size_t n = 0; n <= limit; n++) {
        enum proxy_result early = parse(in, n, &part);
        CHECK(early == result || (early == PROXY_MORE && !decided));
        decided |= early != PROXY_MORE;
        if (early != PROXY_OK)
            continue;
        CHECK(n >= whole.size && part.size == whole.size && part.forwarded == whole.forwarded);
        CHECK(memcmp(&part.from, &whole.from, sizeof part.from) == 0);
    }
    if (result == PROXY_OK && whole.forwarded) {
        char text[IP_TEXT];
        struct ip again;
        ip_format(text, &whole.from);
        CHECK(strcmp(text, "unix") == 0 || (ip_parse(&again, slice_str(text)) &&
                                            memcmp(&again, &whole.from, sizeof again) == 0));
    }
}

/* What comes out is the peer itself, or an address that stands in a field; and nothing is taken from
   one who is not trusted. */
static void check_forwarded(struct slice in, const struct ip_ranges *ranges)
{
    struct http_head request;
    const char *why;
    static const uint8_t ten[] = {10, 0, 0, 1};
    struct ip peer = ip_from_bytes(ten, sizeof ten);
    if (http_parse_request(in, &request, &why) != HTTP_OK)
        return;
    struct ip found = proxy_forwarded(&request, peer, ranges);
    if (!ip_is_in(&peer, ranges))
        CHECK(memcmp(&found, &peer, sizeof peer) == 0);
    if (memcmp(&found, &peer, sizeof peer) != 0)
        CHECK(http_find(&request, "x-forwarded-for", NULL));
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct slice in = slice_of(p, n);
    struct ip_range room[2];
    struct ip_ranges ranges = trusted(fuzz_byte(&in), room);
    check_header(in);
    check_forwarded(in, &ranges);
    return 0;
}
