#include "server/door.h"

#include "chat/api.h"
#include "chat/backend.h"
#include "codec/userid.h"
#include "server/pages.h"
#include "server/server.h"

#include <stdio.h>

#define JSON_TYPE "application/json"
#define USERS "/v1/users/"

/* ---- answers ----------------------------------------------------------------------------- */

static struct door *door_of(struct websocket *ws)
{
    return container_of(ws, struct door, ws);
}

static void answered(void *ctx, unsigned status, struct slice json)
{
    struct door *door = ctx;
    struct buf body = {0};
    door->call = NULL;
    if (door->ws.state != WEBSOCKET_ASKED)
        return;
    buf_append_slice(&body, json);
    buf_append_lit(&body, "\n");
    if (body.failed)
        stream_close(&door->ws.stream);
    else
        websocket_respond(&door->ws, status, JSON_TYPE, "Cache-Control: no-store\r\n",
                          buf_slice(&body), false);
    buf_free(&body);
}

/* The text is ours, and needs no escapes but for the quotes that it comes with. */
static void refuse(struct websocket *ws, unsigned status, const char *fields, const char *code,
                   const char *text)
{
    char body[512];
    int n = snprintf(body, sizeof body, "{\"error\":{\"code\":\"%s\",\"message\":\"%s\"}}\n", code,
                     text);
    websocket_respond(ws, status, JSON_TYPE, fields, slice_of(body, (size_t)n), false);
}

void door_closed(struct door *door)
{
    if (door->call)
        door->call->ctx = NULL;
    door->call = NULL;
}

/* ---- who may ------------------------------------------------------------------------------ */

/* Compares what was made of both by a hash, in a time that tells nothing. */
static bool is_allowed(const struct server *server, const struct http_head *request)
{
    size_t count;
    const struct http_field *field = http_find(request, "authorization", &count);
    struct hmac_key key;
    uint8_t given[SHA256_SIZE];
    if (count != 1 || field->value.n < 7 ||
        !http_equal_fold(slice_of(field->value.p, 7), "bearer "))
        return false;
    hmac_key_init(&key, slice_skip(field->value, 7));
    hmac_sign(&key, SLICE("door"), given);
    return hmac_equal(given, server->door_token);
}

/* ---- what is there ------------------------------------------------------------------------ */

static void post(struct backend_call *call, const struct http_head *request)
{
    char name[16];
    struct slice rest = slice_skip(request->path, sizeof "/v1/" - 1);
    snprintf(name, sizeof name, "%.*s", SLICE_FMT(rest));
    api_backend(call, name, request->body);
}

/* About the user whose id stands in the path, percent-encoded. */
static void on_user(struct backend_call *call, const struct http_head *request)
{
    uint8_t room[USERID_MAX];
    struct slice rest = slice_skip(request->path, sizeof USERS - 1);
    ptrdiff_t n = pages_decode(room, sizeof room, rest, false);
    struct slice user = slice_of(room, n > 0 ? (size_t)n : 0);
    if (n <= 0 || !userid_valid(user)) {
        char text[192];
        snprintf(text, sizeof text,
                 "\"%.*s\" is no user id; expected 1 to 64 bytes of UTF-8 without control "
                 "characters, percent-encoded",
                 (int)(rest.n < 40 ? rest.n : 40), (const char *)rest.p);
        backend_refuse(call, "bad_request", slice_str(text));
    } else if (slice_eq(request->method, SLICE("DELETE"))) {
        backend_erase(call, user);
    } else {
        backend_describe(call, user);
    }
}

static const struct row {
    const char *method, *path; /* one that ends with a slash: whatever begins so */
    void (*handle)(struct backend_call *call, const struct http_head *request);
} rows[] = {
    {"POST", "/v1/message", post}, {"POST", "/v1/disconnect", post}, {"POST", "/v1/revoke", post},
    {"GET", USERS, on_user},       {"DELETE", USERS, on_user},
};

static bool row_fits(const struct row *row, struct slice path)
{
    size_t n = strlen(row->path);
    if (row->path[n - 1] == '/' && path.n > n)
        path.n = n;
    return slice_eq(path, slice_str(row->path));
}

/* The row of this request, or what the path would take. NULL: neither. */
static const struct row *find_row(const struct http_head *request, char allow[64])
{
    size_t n = 0;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (!row_fits(&rows[i], request->path))
            continue;
        if (slice_eq(request->method, slice_str(rows[i].method)))
            return &rows[i];
        n += (size_t)snprintf(allow + n, 32, "%s%s", n ? ", " : "Allow: ", rows[i].method);
    }
    if (n)
        snprintf(allow + n, 3, "\r\n");
    return NULL;
}

uint64_t door_body_limit(struct websocket *ws, const struct http_head *request)
{
    const struct server *server = ws->stream.kind->ctx;
    return slice_eq(request->method, SLICE("POST")) ? server->config->max_frame : 0;
}

bool door_request(struct server *server, struct websocket *ws, const struct http_head *request)
{
    char allow[64] = "";
    if (request->path.n < 4 || memcmp(request->path.p, "/v1/", 4) != 0)
        return false;
    const struct row *row = find_row(request, allow);
    if (!server->config->admin_token_file) {
        refuse(ws, 403, "", "closed",
               "this door is closed; parleyd opens it with --admin-token-file FILE");
    } else if (!is_allowed(server, request)) {
        refuse(ws, 401, "WWW-Authenticate: Bearer realm=\"parley\"\r\n", "unauthorized",
               "expected Authorization: Bearer TOKEN, with the token of --admin-token-file");
    } else if (!row && *allow) {
        char text[64];
        snprintf(text, sizeof text, "this path takes %.*s", (int)strcspn(allow + 7, "\r"),
                 allow + 7);
        refuse(ws, 405, allow, "bad_method", text);
    } else if (!row) {
        refuse(ws, 404, "", "not_found",
               "there are POST /v1/message, /v1/disconnect, /v1/revoke, and GET and DELETE "
               "/v1/users/ID");
    } else {
        struct door *door = door_of(ws);
        door->call = backend_call_new(&server->chat, answered, door);
        if (!server->draining)
            websocket_keep(ws, request);
        if (door->call)
            row->handle(door->call, request);
        else
            stream_close(&ws->stream);
    }
    return true;
}
