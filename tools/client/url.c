#include "url.h"

#include <netdb.h>
#include <stdio.h>
#include <string.h>

#define URL_FORMS "expected ws://HOST:PORT/PATH or ws+unix:SOCKET:/PATH"

/* The target of a request: visible ASCII, and no fragment, which no client sends. */
static const char *parse_path(struct url *out, const char *path)
{
    size_t n = strlen(path);
    if (n == 0)
        path = "/";
    else if (path[0] != '/')
        return URL_FORMS;
    for (size_t i = 0; i < n; i++)
        if (path[i] <= ' ' || path[i] > '~' || path[i] == '#')
            return "the path holds a character that must be written as %XX";
    if (n >= sizeof out->path)
        return "the path is too long, at most 511 bytes are taken";
    snprintf(out->path, sizeof out->path, "%s", path);
    return NULL;
}

static const char *parse_unix(struct url *out, const char *text)
{
    char address[ADDRESS_TEXT];
    const char *path = strstr(text, ":/");
    size_t n = path ? (size_t)(path - text) : strlen(text);
    if (n >= sizeof address - sizeof "unix:")
        return "the path of the socket is too long, at most 107 bytes are taken";
    snprintf(address, sizeof address, "unix:%.*s", (int)n, text);
    snprintf(out->host, sizeof out->host, "localhost");
    const char *why = address_parse(&out->address, address);
    return why ? why : parse_path(out, path ? path + 1 : "");
}

/* "NAME:PORT" with the number that the name stands for in its place. */
static bool resolve(char *out, size_t size, const char *host, const char *port)
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found;
    char number[80];
    if (getaddrinfo(host, NULL, &hints, &found))
        return false;
    int result = getnameinfo(found->ai_addr, found->ai_addrlen, number, sizeof number, NULL, 0,
                             NI_NUMERICHOST);
    snprintf(out, size, found->ai_family == AF_INET6 ? "[%s]:%s" : "%s:%s", number, port);
    freeaddrinfo(found);
    return result == 0;
}

static const char *parse_host(struct address *out, const char *host)
{
    char name[264], text[264 + 8];
    const char *colon = strrchr(host, ':');
    bool has_port = colon && !strchr(colon, ']');
    size_t n = has_port ? (size_t)(colon - host) : strlen(host);
    snprintf(name, sizeof name, "%.*s", (int)n, host);
    snprintf(text, sizeof text, "%s:%s", name, has_port ? colon + 1 : "80");
    const char *why = address_parse(out, text);
    if (!why || *name == '[')
        return why;
    return resolve(text, sizeof text, name, has_port ? colon + 1 : "80") ? address_parse(out, text)
                                                                         : "the host has no "
                                                                           "address";
}

const char *url_parse(struct url *out, const char *text)
{
    if (strncmp(text, "ws+unix:", 8) == 0)
        return parse_unix(out, text + 8);
    if (strncmp(text, "wss://", 6) == 0)
        return "TLS is not spoken here; " URL_FORMS;
    if (strncmp(text, "ws://", 5) != 0)
        return URL_FORMS;
    text += 5;
    size_t n = strcspn(text, "/?#");
    /* A name "unix" with a port would be taken for the path of a socket. */
    if (n == 0 || n >= sizeof out->host || memchr(text, '@', n) || strncmp(text, "unix:", 5) == 0)
        return URL_FORMS;
    snprintf(out->host, sizeof out->host, "%.*s", (int)n, text);
    const char *why = parse_host(&out->address, out->host);
    return why ? why : parse_path(out, text + n);
}
