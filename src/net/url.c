#include "net/url.h"

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
    char address[sizeof out->host + 3];
    /* A name "unix" with a port would be taken for the path of a socket. */
    if (n == 0 || n >= sizeof out->host || memchr(text, '@', n) || strncmp(text, "unix:", 5) == 0)
        return URL_FORMS;
    snprintf(out->host, sizeof out->host, "%.*s", (int)n, text);
    const char *colon = strrchr(out->host, ':');
    bool has_port = colon && !strchr(colon, ']');
    snprintf(address, sizeof address, "%s%s", out->host, has_port ? "" : ":80");
    const char *why = address_parse(&out->address, address);
    return why ? why : parse_path(out, text + n);
}
