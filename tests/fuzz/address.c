/* Addresses and URLs: what was understood is written in a form that means the same. Names are not
   resolved here: only numbers are hosts. */
#include "../../tools/client/url.h"
#include "fuzz.h"

#include <netdb.h>

int __real_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
                       struct addrinfo **out);
int __wrap_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
                       struct addrinfo **out);

/* In the place of the C library's: with no question to any server. */
int __wrap_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
                       struct addrinfo **out)
{
    struct addrinfo numeric = *hints;
    numeric.ai_flags |= AI_NUMERICHOST;
    return __real_getaddrinfo(host, service, &numeric, out);
}

static void check_address(const struct address *a)
{
    char text[ADDRESS_TEXT], twice[ADDRESS_TEXT];
    struct address again = {.n = 0};
    address_format(text, a);
    CHECK(address_parse(&again, text) == NULL);
    address_format(twice, &again);
    CHECK(strcmp(text, twice) == 0);
    CHECK(a->n == again.n && address_is_loopback(a) == address_is_loopback(&again));
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    char *text = malloc(n + 1);
    struct address address = {.n = 0};
    struct url url = {.address = {.n = 0}};
    CHECK(text);
    memcpy(text, p, n);
    text[n] = 0;
    const char *why = address_parse(&address, text);
    CHECK(!why || *why);
    if (!why)
        check_address(&address);
    why = url_parse(&url, text);
    CHECK(!why || *why);
    if (!why) {
        CHECK(url.path[0] == '/' && *url.host && strlen(url.path) < sizeof url.path);
        CHECK(!strpbrk(url.path, " \r\n#") && !strpbrk(url.host, " \r\n/"));
        check_address(&url.address);
    }
    free(text);
    return 0;
}
