#include "server/pages.h"

#include "codec/jwt.h"
#include "server/metrics.h"
#include "server/server.h"

/* Tokens of the demo are good for a day. */
#define DEMO_TOKEN_MS (24LL * 3600 * 1000)

#define TEXT "text/plain; charset=utf-8"

/* The page needs nothing but itself and its own server. */
#define PAGE_FIELDS                                                                    \
    "Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'; "         \
    "script-src 'unsafe-inline'; connect-src 'self'; img-src data:; base-uri 'none'; " \
    "form-action 'none'; frame-ancestors 'none'\r\n"                                   \
    "Referrer-Policy: no-referrer\r\nCache-Control: no-cache\r\n"                      \
    "Content-Encoding: gzip\r\n"

struct call {
    struct server *server;
    struct websocket *ws;
    const struct http_head *request;
    bool head_only;
};

static void reply(const struct call *c, unsigned status, const char *type, const char *fields,
                  struct slice body)
{
    websocket_respond(c->ws, status, type, fields, body, c->head_only);
}

static void get_health(const struct call *c)
{
    if (c->server->draining)
        reply(c, 503, TEXT, "", SLICE("draining\n"));
    else if (chat_failure(&c->server->chat))
        reply(c, 503, TEXT, "", SLICE("the store has failed\n"));
    else
        reply(c, 200, TEXT, "", SLICE("ok\n"));
}

static void get_metrics(const struct call *c)
{
    struct buf text = {0};
    metrics_write(&text, c->server);
    reply(c, 200, "text/plain; version=0.0.4; charset=utf-8", "", buf_slice(&text));
    buf_free(&text);
}

/* A page of another site whose name was made to point here (DNS rebinding) sends its own name. */
static bool host_is_loopback(struct slice host)
{
    const uint8_t *colon = host.n && host.p[0] != '[' ? memchr(host.p, ':', host.n) : NULL;
    struct slice name = colon ? slice_of(host.p, (size_t)(colon - host.p)) : host;
    if (host.n >= 5 && memcmp(host.p, "[::1]", 5) == 0)
        return host.n == 5 || host.p[5] == ':';
    if (http_equal_fold(name, "localhost"))
        return true;
    if (name.n < 7 || name.n > 15 || memcmp(name.p, "127.", 4) != 0)
        return false;
    for (size_t i = 0; i < name.n; i++)
        if (name.p[i] != '.' && (name.p[i] < '0' || name.p[i] > '9'))
            return false;
    return true;
}

static bool demo_is_allowed(const struct call *c)
{
    if (host_is_loopback(c->request->host))
        return true;
    reply(c, 403, TEXT, "", SLICE("The demo answers to localhost, 127.0.0.1 and [::1] only.\n"));
    return false;
}

/* The web client, compressed (RFC 1952): the file as it is, between two symbols of its own. */
#if PARLEY_DEMO && defined PARLEY_PAGE
__asm__(".section .rodata\n"
        ".global pages_client\n"
        ".global pages_client_end\n"
        "pages_client:\n"
        ".incbin \"" PARLEY_PAGE "\"\n"
        "pages_client_end:\n"
        ".byte 0\n"
        ".previous\n");
extern const uint8_t pages_client[], pages_client_end[];
#else
static const uint8_t pages_client[1], *const pages_client_end = pages_client;
#endif

static void get_page(const struct call *c)
{
    if (demo_is_allowed(c))
        reply(c, 200, "text/html; charset=utf-8", PAGE_FIELDS,
              /* cppcheck-suppress comparePointers; both are symbols of the same section */
              slice_of(pages_client, (size_t)(pages_client_end - pages_client)));
}

static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

ptrdiff_t pages_decode(uint8_t *out, size_t room, struct slice in, bool form)
{
    size_t n = 0;
    for (size_t i = 0; i < in.n; i++) {
        uint8_t c = in.p[i];
        if (c == '%') {
            if (in.n - i < 3 || hex_digit(in.p[i + 1]) < 0 || hex_digit(in.p[i + 2]) < 0)
                return -1;
            c = (uint8_t)(hex_digit(in.p[i + 1]) << 4 | hex_digit(in.p[i + 2]));
            i += 2;
        } else if (c == '+' && form) {
            c = ' ';
        }
        if (n == room)
            return -1;
        out[n++] = c;
    }
    return (ptrdiff_t)n;
}

static void get_token(const struct call *c)
{
    struct slice query = c->request->query;
    uint8_t user[USERID_MAX];
    ptrdiff_t n = -1;
    if (!demo_is_allowed(c))
        return;
    const uint8_t *more = query.n ? memchr(query.p, '&', query.n) : NULL;
    if (more)
        query.n = (size_t)(more - query.p);
    if (query.n >= 5 && memcmp(query.p, "user=", 5) == 0)
        n = pages_decode(user, sizeof user, slice_skip(query, 5), true);
    char token[1024];
    int64_t now = clock_wall_ms(c->server->chat.options.clock);
    size_t size = 0;
    if (n > 0)
        size = jwt_sign(token, sizeof token, &c->server->chat.keys[0], slice_of(user, (size_t)n),
                        now, now + DEMO_TOKEN_MS);
    if (!size) {
        reply(c, 400, TEXT, "",
              SLICE("Expected ?user=ID, 1 to 64 bytes of UTF-8 without control characters.\n"));
        return;
    }
    struct buf body = {0};
    buf_append_lit(&body, "{\"token\":\"");
    buf_append(&body, token, size);
    buf_append_lit(&body, "\"}\n");
    reply(c, 200, "application/json", "Cache-Control: no-store\r\n", buf_slice(&body));
    buf_free(&body);
}

struct route {
    const char *path;
    void (*get)(const struct call *c);
    bool demo; /* there with --demo only */
};

static const struct route public_routes[] = {
    {"/healthz", get_health, false},
    {"/", get_page, true},
    {"/demo/token", get_token, true},
    {0},
};

static const struct route admin_routes[] = {
    {"/healthz", get_health, false},
    {"/metrics", get_metrics, false},
    {0},
};

static void dispatch(const struct route *routes, const struct call *c)
{
    for (const struct route *r = routes; r->path; r++) {
        if (!slice_eq(c->request->path, slice_str(r->path)) ||
            (r->demo && !c->server->config->demo))
            continue;
        if (slice_eq(c->request->method, SLICE("GET")) || c->head_only)
            r->get(c);
        else
            reply(c, 405, TEXT, "Allow: GET, HEAD\r\n",
                  SLICE("Only GET and HEAD are known here.\n"));
        return;
    }
    if (routes == public_routes && c->server->on_request)
        c->server->on_request(c->server, c->ws, c->request);
    /* Says nothing where that was an answer: a stream that is ending takes no more. */
    reply(c, 404, TEXT, "", SLICE("There is nothing here; the chat is at /chat.\n"));
}

static void serve(const struct route *routes, struct server *server, struct websocket *ws,
                  const struct http_head *request)
{
    struct call c = {server, ws, request, slice_eq(request->method, SLICE("HEAD"))};
    dispatch(routes, &c);
}

void pages_public(void *ctx, struct websocket *ws, const struct http_head *request)
{
    serve(public_routes, ctx, ws, request);
}

void pages_admin(struct server *server, struct websocket *ws, const struct http_head *request)
{
    serve(admin_routes, server, ws, request);
}
