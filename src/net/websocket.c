#include "net/websocket.h"

#include "base/endian.h"
#include "codec/base64.h"
#include "codec/sha1.h"
#include "net/proxy.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

/* RFC 6455, 1.3. */
#define HANDSHAKE_GUID "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
#define HANDSHAKE_KEY 24    /* bytes of Sec-WebSocket-Key: 16 in base64 */
#define HANDSHAKE_ACCEPT 28 /* bytes of Sec-WebSocket-Accept: 20 in base64 */

static void respond(struct websocket *ws, unsigned status, const char *text)
{
    websocket_respond(ws, status, "text/plain; charset=utf-8", "", slice_str(text), false);
}

/* ---- sending ----------------------------------------------------------------------------- */

void websocket_send_head(struct websocket *ws, enum frame_opcode opcode, uint64_t size)
{
    uint8_t head[FRAME_MAX_HEAD];
    stream_write(&ws->stream, slice_of(head, frame_write_head(head, opcode, size)));
}

/* Clients mask what they send with a key nobody can foresee: RFC 6455, 10.3. */
static void send_masked(struct websocket *ws, enum frame_opcode opcode, struct slice message)
{
    uint32_t random;
    uint8_t key[4], head[FRAME_MAX_HEAD], piece[1024];
    if (random_u32(&ws->stream.kind->set->random, &random)) {
        stream_close(&ws->stream);
        return;
    }
    memcpy(key, &random, sizeof key);
    stream_write(&ws->stream,
                 slice_of(head, frame_write_masked_head(head, opcode, message.n, key)));
    /* The pieces' size is a multiple of the key's, so each begins with the key's first byte. */
    while (message.n) {
        size_t n = message.n < sizeof piece ? message.n : sizeof piece;
        memcpy(piece, message.p, n);
        frame_mask(piece, n, key);
        stream_write(&ws->stream, slice_of(piece, n));
        message = slice_skip(message, n);
    }
}

static void send_frame(struct websocket *ws, enum frame_opcode opcode, struct slice message)
{
    if (!websocket_kind(ws)->server) {
        send_masked(ws, opcode, message);
        return;
    }
    websocket_send_head(ws, opcode, message.n);
    stream_write(&ws->stream, message);
}

void websocket_send(struct websocket *ws, enum frame_opcode opcode, struct slice message)
{
    if (ws->state == WEBSOCKET_OPEN)
        send_frame(ws, opcode, message);
}

static void send_close(struct websocket *ws, uint16_t code, const char *reason)
{
    uint8_t payload[FRAME_MAX_CONTROL];
    size_t n = 0;
    if (code != CLOSE_NO_CODE) {
        be16_store(payload, code);
        n = strlen(reason);
        if (n > sizeof payload - 2)
            n = sizeof payload - 2;
        memcpy(payload + 2, reason, n);
        n += 2;
    }
    send_frame(ws, FRAME_CLOSE, slice_of(payload, n));
}

void websocket_close(struct websocket *ws, uint16_t code, const char *reason)
{
    if (ws->state < WEBSOCKET_OPEN) {
        stream_close(&ws->stream);
    } else if (ws->state == WEBSOCKET_OPEN) {
        send_close(ws, code, reason);
        ws->state = WEBSOCKET_CLOSING;
        ws->code = code;
        /* Whoever was paused for an answer is read again, for the peer's close. */
        stream_resume(&ws->stream);
        stream_set_timer(&ws->stream, WEBSOCKET_CLOSE_MS);
    }
}

/* ---- what comes in pieces ------------------------------------------------------------------- */

/* Puts more behind what has come of a message or a request: whether there was memory for it. */
static bool message_append(struct websocket *ws, struct slice bytes)
{
    struct stream_set *set = ws->stream.kind->set;
    struct websocket_more *more = stream_more(&ws->stream);
    if (!more)
        return false;
    set->memory -= more->message.cap;
    buf_append_slice(&more->message, bytes);
    set->memory += more->message.cap;
    return !more->message.failed;
}

static bool message_begun(const struct websocket *ws)
{
    return ws->stream.more && websocket_more(ws)->message.n;
}

static void message_free(struct websocket *ws)
{
    struct websocket_more *more = websocket_more(ws);
    if (!more)
        return;
    ws->stream.kind->set->memory -= more->message.cap;
    buf_free(&more->message);
    memset(&more->reader, 0, sizeof more->reader);
    stream_less(&ws->stream);
}

/* ---- requests and the handshake ---------------------------------------------------------- */

static void handshake_accept(char out[HANDSHAKE_ACCEPT], const char key[HANDSHAKE_KEY])
{
    uint8_t text[HANDSHAKE_KEY + sizeof HANDSHAKE_GUID - 1], digest[SHA1_SIZE];
    memcpy(text, key, HANDSHAKE_KEY);
    memcpy(text + HANDSHAKE_KEY, HANDSHAKE_GUID, sizeof HANDSHAKE_GUID - 1);
    sha1(slice_of(text, sizeof text), digest);
    char encoded[BASE64_SIZE(SHA1_SIZE)];
    base64_encode(encoded, slice_of(digest, sizeof digest));
    memcpy(out, encoded, HANDSHAKE_ACCEPT);
}

void websocket_respond_head(struct websocket *ws, unsigned status, const char *type,
                            const char *fields, uint64_t size)
{
    struct buf head = {0};
    buf_printf(&head, "HTTP/1.1 %u %s\r\nContent-Type: %s\r\nContent-Length: %llu\r\n", status,
               http_reason(status), type, (unsigned long long)size);
    buf_append(&head, fields, strlen(fields));
    buf_printf(&head, "X-Content-Type-Options: nosniff\r\nConnection: %s\r\n\r\n",
               ws->kept ? "keep-alive" : "close");
    if (head.failed)
        stream_close(&ws->stream);
    stream_write(&ws->stream, buf_slice(&head));
    buf_free(&head);
}

void websocket_responded(struct websocket *ws)
{
    if (ws->kept && !stream_ending(&ws->stream)) {
        ws->state = WEBSOCKET_KEPT;
        stream_set_timer(&ws->stream, WEBSOCKET_KEPT_MS);
        stream_resume(&ws->stream);
    } else {
        ws->state = WEBSOCKET_ENDED;
        stream_finish(&ws->stream);
    }
}

void websocket_respond(struct websocket *ws, unsigned status, const char *type, const char *fields,
                       struct slice body, bool head_only)
{
    websocket_respond_head(ws, status, type, fields, body.n);
    if (!head_only)
        stream_write(&ws->stream, body);
    websocket_responded(ws);
}

void websocket_keep(struct websocket *ws, const struct http_head *request)
{
    /* A proxy may send the next request for somebody else, and whom it spoke for is not the one who is to
       be asked whether he may. */
    ws->kept = !request->version_1_0 && !http_has_token(request, "connection", "close") &&
               !http_find(request, "x-forwarded-for", NULL);
}

/* NULL, or what is wrong with the upgrade: RFC 6455, 4.2.1. */
static const char *check_upgrade(const struct http_head *request, struct slice *key)
{
    size_t keys, versions;
    const struct http_field *field = http_find(request, "sec-websocket-key", &keys);
    const struct http_field *version = http_find(request, "sec-websocket-version", &versions);
    if (!slice_eq(request->method, SLICE("GET")))
        return "A WebSocket begins with GET.\n";
    if (request->version_1_0)
        return "A WebSocket begins with a request of HTTP/1.1.\n";
    if (!http_has_token(request, "upgrade", "websocket"))
        return "This path speaks WebSocket: Upgrade: websocket is missing.\n";
    if (!http_has_token(request, "connection", "upgrade"))
        return "This path speaks WebSocket: Connection: Upgrade is missing.\n";
    if (versions != 1)
        return "Expected one Sec-WebSocket-Version: 13.\n";
    if (!slice_eq(version->value, SLICE("13")))
        return "";
    uint8_t nonce[BASE64_DECODED_MAX(HANDSHAKE_KEY)];
    if (keys != 1 || field->value.n != HANDSHAKE_KEY || base64_decode(nonce, field->value) != 16)
        return "Expected one Sec-WebSocket-Key of 16 bytes in base64.\n";
    *key = field->value;
    return NULL;
}

static void handshake_opened(struct websocket *ws)
{
    ws->state = WEBSOCKET_OPEN;
    if (websocket_kind(ws)->on_open)
        websocket_kind(ws)->on_open(ws);
}

bool websocket_upgrade(struct websocket *ws, const struct http_head *request)
{
    struct slice key;
    const char *why = check_upgrade(request, &key);
    if (why && !*why) {
        websocket_respond(ws, 426, "text/plain; charset=utf-8",
                          "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n",
                          SLICE("This server speaks version 13 of the WebSocket protocol.\n"),
                          false);
        return false;
    }
    if (why) {
        respond(ws, 400, why);
        return false;
    }
    char accept[HANDSHAKE_ACCEPT];
    handshake_accept(accept, (const char *)key.p);
    stream_write(&ws->stream, SLICE("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                                    "Connection: Upgrade\r\nSec-WebSocket-Accept: "));
    stream_write(&ws->stream, slice_of(accept, sizeof accept));
    stream_write(&ws->stream, SLICE("\r\n\r\n"));
    handshake_opened(ws);
    return true;
}

static void refuse_request(struct websocket *ws, const char *why)
{
    char text[160];
    snprintf(text, sizeof text, "Malformed request: %s.\n", why);
    respond(ws, 400, text);
}

/* A trusted proxy may say first whom it speaks for: whether the request is next. */
static bool read_introduction(struct websocket *ws, struct slice *in)
{
    const struct websocket_kind *kind = websocket_kind(ws);
    struct proxy_header header;
    const char *why;
    enum proxy_result result = PROXY_NONE;
    if (!ws->introduced && ip_is_in(&ws->peer, &kind->trusted))
        result = proxy_parse(*in, &header, &why);
    if (result == PROXY_MORE)
        return false;
    if (result == PROXY_MALFORMED) {
        refuse_request(ws, why);
        return false;
    }
    ws->introduced = true;
    if (result == PROXY_OK) {
        *in = slice_skip(*in, header.size);
        if (header.forwarded)
            ws->peer = header.from;
    }
    return true;
}

static void hand_up_request(struct websocket *ws, const struct http_head *request)
{
    const struct websocket_kind *kind = websocket_kind(ws);
    ws->peer = proxy_forwarded(request, ws->peer, &kind->trusted);
    ws->state = WEBSOCKET_ASKED;
    loop_stop_timer(&ws->stream.source);
    kind->on_request(ws, request);
}

/* A request whose head has come. Its body is awaited only where all of it may be taken, so that what
   stands behind a request that was refused is never read as another one. */
static size_t read_body(struct websocket *ws, struct http_head *request, struct slice in)
{
    const struct websocket_kind *kind = websocket_kind(ws);
    struct slice behind = slice_skip(in, request->size);
    if (request->chunked) {
        respond(ws, 411, "A body is taken with a Content-Length only.\n");
        return request->size;
    }
    uint64_t limit = request->body_size && kind->body_limit ? kind->body_limit(ws, request) : 0;
    if (request->body_size > limit) {
        respond(ws, 413,
                limit ? "The body is over the limit.\n"
                      : "A request with a body is not taken here.\n");
        return request->size;
    }
    if (behind.n >= request->body_size) {
        request->body = slice_of(behind.p, (size_t)request->body_size);
        hand_up_request(ws, request);
        return request->size + request->body.n;
    }
    if (!message_append(ws, in)) {
        stream_close(&ws->stream);
        return in.n;
    }
    websocket_more(ws)->reader.left = request->body_size - behind.n;
    if (http_has_token(request, "expect", "100-continue"))
        stream_write(&ws->stream, SLICE("HTTP/1.1 100 Continue\r\n\r\n"));
    stream_set_timer(&ws->stream, WEBSOCKET_REQUEST_MS);
    return in.n;
}

/* More of a body that comes in pieces: how many bytes belong to it. */
static size_t read_more_body(struct websocket *ws, struct slice in)
{
    struct http_head request;
    const char *why;
    uint64_t *left = &websocket_more(ws)->reader.left;
    if (in.n > *left)
        in.n = (size_t)*left;
    *left -= in.n;
    if (!message_append(ws, in)) {
        stream_close(&ws->stream);
    } else if (*left == 0) {
        struct buf whole = websocket_more(ws)->message;
        if (http_parse_request(buf_slice(&whole), &request, &why) != HTTP_OK) {
            stream_close(&ws->stream); /* cannot be: it was one before */
        } else {
            request.body = slice_skip(buf_slice(&whole), request.size);
            hand_up_request(ws, &request);
        }
        message_free(ws);
    }
    return in.n;
}

/* How many bytes were used: less than all where more is needed, or it was refused. */
static size_t read_request(struct websocket *ws, struct slice all)
{
    struct http_head request;
    const char *why = NULL;
    struct slice in = all;
    if (message_begun(ws))
        return read_more_body(ws, in);
    if (!read_introduction(ws, &in))
        return 0;
    size_t used = all.n - in.n;
    switch (http_parse_request(in, &request, &why)) {
    case HTTP_OK:
        return used + read_body(ws, &request, in);
    case HTTP_MORE:
        break;
    case HTTP_MALFORMED:
        refuse_request(ws, why);
        break;
    case HTTP_TOO_LARGE:
        respond(ws, 431, "A request head has at most 8 KiB and 64 header lines.\n");
        break;
    case HTTP_VERSION:
        respond(ws, 505, "This server speaks HTTP/1.1.\n");
        break;
    }
    return used;
}

/* All requests that stand there, until one waits for its answer: how many bytes were used. */
static size_t read_requests(struct websocket *ws, struct slice in)
{
    size_t done = 0;
    while (done < in.n && ws->state <= WEBSOCKET_KEPT && stream_readable(&ws->stream)) {
        if (ws->state == WEBSOCKET_KEPT) {
            ws->state = WEBSOCKET_HANDSHAKE;
            ws->kept = false;
            stream_set_timer(&ws->stream, WEBSOCKET_REQUEST_MS);
        }
        size_t used = read_request(ws, slice_skip(in, done));
        done += used;
        if (used == 0 || (ws->state == WEBSOCKET_HANDSHAKE && !message_begun(ws)))
            break;
    }
    /* What comes in front of the answer is left to the kernel; but as long as nothing does, we listen, and
       notice that the client goes away. */
    if (ws->state == WEBSOCKET_ASKED && done < in.n)
        stream_pause(&ws->stream);
    return done;
}

static void send_request(struct websocket *ws, const char *host, const char *path)
{
    uint8_t nonce[16];
    char key[BASE64_SIZE(sizeof nonce)];
    if (random_bytes(nonce, sizeof nonce)) {
        stream_close(&ws->stream);
        return;
    }
    base64_encode(key, slice_of(nonce, sizeof nonce));
    /* Kept until the response comes. */
    if (!message_append(ws, slice_of(key, HANDSHAKE_KEY))) {
        stream_close(&ws->stream);
        return;
    }
    struct slice parts[] = {SLICE("GET "),
                            slice_str(path),
                            SLICE(" HTTP/1.1\r\nHost: "),
                            slice_str(host),
                            SLICE("\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                                  "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "),
                            slice_of(key, HANDSHAKE_KEY),
                            SLICE("\r\n\r\n")};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        stream_write(&ws->stream, parts[i]);
}

/* RFC 6455, 4.1: what a client must see before it believes the upgrade. */
static size_t read_response(struct websocket *ws, struct slice in)
{
    struct http_head response;
    const char *why = NULL;
    enum http_result result = http_parse_response(in, &response, &why);
    if (result == HTTP_MORE)
        return 0;
    char accept[HANDSHAKE_ACCEPT];
    handshake_accept(accept, (const char *)websocket_more(ws)->message.p);
    message_free(ws);
    size_t count;
    const struct http_field *field;
    if (result != HTTP_OK || response.status != 101 ||
        !http_has_token(&response, "upgrade", "websocket") ||
        !http_has_token(&response, "connection", "upgrade") ||
        !(field = http_find(&response, "sec-websocket-accept", &count)) || count != 1 ||
        !slice_eq(field->value, slice_of(accept, sizeof accept)) ||
        http_find(&response, "sec-websocket-extensions", NULL)) {
        stream_close(&ws->stream);
        return 0;
    }
    handshake_opened(ws);
    return response.size;
}

/* ---- receiving --------------------------------------------------------------------------- */

static void fail(struct websocket *ws, uint16_t code, const char *why)
{
    if (ws->state == WEBSOCKET_OPEN)
        send_close(ws, code, why);
    ws->code = code;
    ws->state = WEBSOCKET_ENDED;
    stream_finish(&ws->stream);
}

static void receive_control(struct websocket *ws, const struct frame *f)
{
    if (f->opcode == FRAME_PING) {
        websocket_send(ws, FRAME_PONG, f->payload);
    } else if (f->opcode == FRAME_CLOSE) {
        if (ws->state == WEBSOCKET_OPEN) {
            send_close(ws, f->code, "");
            ws->code = f->code;
        }
        ws->state = WEBSOCKET_ENDED;
        stream_finish(&ws->stream);
    }
}

/* A piece of a message: handed up as it lies when it is the whole, gathered otherwise. */
static void receive_data(struct websocket *ws, const struct frame *f)
{
    if (ws->state != WEBSOCKET_OPEN)
        return;
    if (f->opcode == FRAME_BINARY && websocket_kind(ws)->text_only) {
        fail(ws, CLOSE_UNSUPPORTED, "only text messages are understood here");
        return;
    }
    if (f->last && !message_begun(ws)) {
        websocket_kind(ws)->on_message(ws, f->opcode, f->payload);
        return;
    }
    if (!message_append(ws, f->payload)) {
        fail(ws, CLOSE_SERVER_ERROR, "out of memory");
        return;
    }
    if (f->last) {
        websocket_kind(ws)->on_message(ws, f->opcode, buf_slice(&websocket_more(ws)->message));
        message_free(ws);
    }
}

/* In the middle of a message the reader is kept; between two it is a fresh one. */
static void keep_reader(struct websocket *ws, const struct frame_reader *reader)
{
    struct websocket_more *more = websocket_more(ws);
    if (reader->message && !stream_ending(&ws->stream)) {
        more = stream_more(&ws->stream);
        if (more)
            more->reader = *reader;
        else
            fail(ws, CLOSE_SERVER_ERROR, "out of memory");
    } else if (more) {
        memset(&more->reader, 0, sizeof more->reader);
        stream_less(&ws->stream);
    }
}

static size_t read_frames(struct websocket *ws, uint8_t *p, size_t n)
{
    const struct websocket_kind *kind = websocket_kind(ws);
    struct frame_reader reader = {0};
    size_t done = 0;
    if (ws->stream.more)
        reader = websocket_more(ws)->reader;
    while (ws->state == WEBSOCKET_CLOSING ? !stream_ending(&ws->stream)
                                          : stream_readable(&ws->stream)) {
        struct frame f;
        size_t used;
        enum frame_event event =
            frame_read(&reader, kind->server, kind->max_message, p + done, n - done, &used, &f);
        done += used;
        if (event == FRAME_MORE)
            break;
        if (event == FRAME_ERROR)
            fail(ws, f.code, f.why);
        else if (event == FRAME_CONTROL)
            receive_control(ws, &f);
        else
            receive_data(ws, &f);
    }
    keep_reader(ws, &reader);
    return done;
}

/* ---- between stream and owner ------------------------------------------------------------ */

static size_t on_input(struct stream *s, uint8_t *p, size_t n)
{
    struct websocket *ws = websocket_of(s);
    size_t used = 0;
    if (websocket_kind(ws)->server)
        used = read_requests(ws, slice_of(p, n));
    else if (ws->state == WEBSOCKET_HANDSHAKE)
        used = read_response(ws, slice_of(p, n));
    if (ws->state == WEBSOCKET_ENDED)
        return n;
    if (ws->state < WEBSOCKET_OPEN)
        return used;
    return used + read_frames(ws, p + used, n - used);
}

static void on_drained(struct stream *s)
{
    struct websocket *ws = websocket_of(s);
    if (ws->state == WEBSOCKET_OPEN || ws->state == WEBSOCKET_ASKED)
        websocket_kind(ws)->on_drained(ws);
}

static void on_timer(struct stream *s)
{
    struct websocket *ws = websocket_of(s);
    uint32_t patience = ws->state == WEBSOCKET_KEPT ? WEBSOCKET_KEPT_MS : WEBSOCKET_CLOSE_MS;
    if ((ws->state == WEBSOCKET_CLOSING || ws->state == WEBSOCKET_KEPT) && stream_queued(s) &&
        stream_stuck_ms(s) < patience)
        stream_set_timer(s, patience); /* our close, or the answer, is still on its way */
    else if (ws->state == WEBSOCKET_CLOSING || ws->state == WEBSOCKET_KEPT)
        stream_close(s);
    else if (ws->state == WEBSOCKET_HANDSHAKE && websocket_kind(ws)->server)
        respond(ws, 408, "The request did not come within 10 s.\n");
    else if (websocket_kind(ws)->on_timer)
        websocket_kind(ws)->on_timer(ws);
}

static void on_closed(struct stream *s)
{
    struct websocket *ws = websocket_of(s);
    message_free(ws);
    ws->state = WEBSOCKET_ENDED;
    websocket_kind(ws)->on_closed(ws);
}

void websocket_kind_init(struct websocket_kind *kind, struct stream_set *set, void *ctx)
{
    kind->stream =
        (struct stream_kind){.source = stream_source,
                             .more = sizeof(struct websocket_more) - sizeof(struct stream_more),
                             .set = set,
                             .ctx = ctx,
                             .on_input = on_input,
                             .on_drained = on_drained,
                             .on_timer = on_timer,
                             .on_closed = on_closed};
}

static void websocket_init(struct websocket *ws)
{
    ws->code = CLOSE_ABNORMAL;
    ws->state = WEBSOCKET_HANDSHAKE;
    ws->introduced = false;
    ws->kept = false;
    ws->peer = (struct ip){0};
}

int websocket_accept(struct websocket *ws, const struct websocket_kind *kind, int fd)
{
    websocket_init(ws);
    int result = stream_open(&ws->stream, &kind->stream, fd, false);
    if (result == 0)
        stream_set_timer(&ws->stream, WEBSOCKET_REQUEST_MS);
    return result;
}

void websocket_open_detached(struct websocket *ws, const struct websocket_kind *kind)
{
    websocket_init(ws);
    ws->state = WEBSOCKET_OPEN;
    stream_open_detached(&ws->stream, &kind->stream);
}

void websocket_adopt(struct websocket *ws, struct websocket *from)
{
    struct websocket_more *had = websocket_more(from),
                          *more = had ? stream_more(&ws->stream) : NULL;
    if (had && !more) {
        stream_close(&ws->stream);
        stream_close(&from->stream);
        return;
    }
    if (had) {
        assert(!more->stream.rest);
        *more = *had;
        memset(had, 0, sizeof *had);
        stream_less(&from->stream);
    }
    stream_adopt(&ws->stream, &from->stream);
}

int websocket_connect(struct websocket *ws, const struct websocket_kind *kind,
                      const struct address *address, const char *host, const char *path)
{
    websocket_init(ws);
    int fd = address_connect(address);
    if (fd < 0)
        return fd;
    int result = stream_open(&ws->stream, &kind->stream, fd, true);
    if (result == 0)
        send_request(ws, host, path);
    return result;
}
