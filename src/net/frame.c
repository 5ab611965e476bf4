#include "net/frame.h"

#include "base/endian.h"
#include "codec/utf8.h"

bool close_code_valid(uint16_t code)
{
    if (code >= 3000 && code <= 4999)
        return true;
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014);
}

void frame_mask(uint8_t *p, size_t n, const uint8_t key[4])
{
    uint64_t wide;
    memcpy(&wide, key, 4);
    memcpy((uint8_t *)&wide + 4, key, 4);
    while (n >= 8) {
        uint64_t word;
        memcpy(&word, p, 8);
        word ^= wide;
        memcpy(p, &word, 8);
        p += 8;
        n -= 8;
    }
    for (size_t i = 0; i < n; i++)
        p[i] ^= key[i & 3];
}

/* Turns the key so that key[0] is for the byte behind the next n. */
static void turn_key(uint8_t key[4], size_t n)
{
    uint8_t turned[4];
    for (size_t i = 0; i < 4; i++)
        turned[i] = key[(n + i) & 3];
    memcpy(key, turned, 4);
}

static enum frame_event fail(struct frame *out, uint16_t code, const char *why)
{
    out->code = code;
    out->why = why;
    return FRAME_ERROR;
}

/* The head of the frame at p, as it stands on the wire. */
struct head {
    size_t size; /* bytes of the head; 0: incomplete */
    uint64_t payload;
    uint8_t opcode;
    bool fin;
    const uint8_t *key;
};

/* NULL, or what is wrong. What the first two bytes show is refused before the rest has come. */
static const char *parse_head(struct head *h, bool server, const uint8_t *p, size_t n)
{
    h->size = 0;
    if (n < 1)
        return NULL;
    h->fin = p[0] & 0x80;
    h->opcode = p[0] & 0x0f;
    if (p[0] & 0x70)
        return "a reserved bit is set, and no extension was negotiated";
    if ((h->opcode > FRAME_BINARY && h->opcode < FRAME_CLOSE) || h->opcode > FRAME_PONG)
        return "the opcode is reserved";
    if (h->opcode >= FRAME_CLOSE && !h->fin)
        return "a control frame is fragmented";
    if (n < 2)
        return NULL;
    bool masked = p[1] & 0x80;
    if (masked != server)
        return server ? "a client's frame is not masked" : "a server's frame is masked";
    h->payload = p[1] & 0x7f;
    if (h->opcode >= FRAME_CLOSE && h->payload > FRAME_MAX_CONTROL)
        return "a control frame is longer than 125 bytes";
    size_t wide = h->payload == 126 ? 2 : h->payload == 127 ? 8 : 0;
    if (n < 2 + wide)
        return NULL;
    if (wide == 2) {
        h->payload = be16_load(p + 2);
        if (h->payload < 126)
            return "the length is not in its shortest form";
    } else if (wide == 8) {
        h->payload = be64_load(p + 2);
        if (h->payload >> 63)
            return "the length has its top bit set";
        if (h->payload <= UINT16_MAX)
            return "the length is not in its shortest form";
    }
    if (n < 2 + wide + (masked ? 4 : 0))
        return NULL;
    h->key = masked ? p + 2 + wide : NULL;
    h->size = 2 + wide + (masked ? 4 : 0);
    return NULL;
}

static enum frame_event read_close(struct frame *out)
{
    struct slice payload = out->payload;
    out->code = CLOSE_NO_CODE;
    if (payload.n == 0)
        return FRAME_CONTROL;
    if (payload.n == 1)
        return fail(out, CLOSE_PROTOCOL, "a close has a payload of one byte");
    out->code = be16_load(payload.p);
    out->payload = slice_skip(payload, 2);
    if (!close_code_valid(out->code))
        return fail(out, CLOSE_PROTOCOL, "a close has a code that must not be sent");
    if (utf8_check(UTF8_ACCEPT, out->payload.p, out->payload.n) != UTF8_ACCEPT)
        return fail(out, CLOSE_NOT_UTF8, "the reason of a close is not UTF-8");
    return FRAME_CONTROL;
}

static enum frame_event read_control(const struct head *h, uint8_t *p, size_t n, size_t *used,
                                     struct frame *out)
{
    if (n < h->size + h->payload)
        return FRAME_MORE;
    if (h->key)
        frame_mask(p + h->size, (size_t)h->payload, h->key);
    *used = h->size + (size_t)h->payload;
    out->opcode = h->opcode;
    out->payload = slice_of(p + h->size, (size_t)h->payload);
    return h->opcode == FRAME_CLOSE ? read_close(out) : FRAME_CONTROL;
}

/* Begins a data frame; NULL, or what is wrong. */
static const char *begin_data(struct frame_reader *r, const struct head *h, struct frame *out)
{
    if (h->opcode == FRAME_CONTINUATION && !r->message)
        return "a continuation continues nothing";
    if (h->opcode != FRAME_CONTINUATION && r->message)
        return "a message begins inside another one";
    out->first = h->opcode != FRAME_CONTINUATION;
    if (out->first) {
        r->message = h->opcode;
        r->size = 0;
        r->utf8 = UTF8_ACCEPT;
    }
    r->left = h->payload;
    r->fin = h->fin;
    r->in_payload = true;
    if (h->key)
        memcpy(r->key, h->key, 4);
    return NULL;
}

/* The payload of the frame under way, as far as it is there. */
static enum frame_event read_data(struct frame_reader *r, bool server, uint8_t *p, size_t n,
                                  size_t *used, struct frame *out)
{
    size_t here = r->left < n ? (size_t)r->left : n;
    if (server && here) {
        frame_mask(p, here, r->key);
        turn_key(r->key, here);
    }
    *used += here;
    r->left -= here;
    out->opcode = r->message;
    out->payload = slice_of(p, here);
    out->last = r->left == 0 && r->fin;
    if (r->message == FRAME_TEXT) {
        r->utf8 = utf8_check(r->utf8, p, here);
        if (r->utf8 == UTF8_REJECT || (out->last && r->utf8 != UTF8_ACCEPT))
            return fail(out, CLOSE_NOT_UTF8, "a text message is not UTF-8");
    }
    if (r->left == 0) {
        r->in_payload = false;
        if (r->fin)
            r->message = 0;
    }
    return FRAME_DATA;
}

enum frame_event frame_read(struct frame_reader *r, bool server, uint64_t max_message, uint8_t *p,
                            size_t n, size_t *used, struct frame *out)
{
    *used = 0;
    *out = (struct frame){0};
    if (r->in_payload)
        return n ? read_data(r, server, p, n, used, out) : FRAME_MORE;

    struct head h;
    const char *why = parse_head(&h, server, p, n);
    if (why)
        return fail(out, CLOSE_PROTOCOL, why);
    if (!h.size)
        return FRAME_MORE;
    if (h.opcode >= FRAME_CLOSE)
        return read_control(&h, p, n, used, out);

    why = begin_data(r, &h, out);
    if (why)
        return fail(out, CLOSE_PROTOCOL, why);
    if (h.payload > max_message || r->size > max_message - h.payload)
        return fail(out, CLOSE_TOO_BIG, "the message is over the limit");
    r->size += h.payload;
    *used = h.size;
    return read_data(r, server, p + h.size, n - h.size, used, out);
}

static size_t write_head(uint8_t out[FRAME_MAX_HEAD], enum frame_opcode opcode, uint64_t size,
                         uint8_t mask_bit)
{
    out[0] = (uint8_t)(0x80 | opcode);
    if (size < 126) {
        out[1] = (uint8_t)(mask_bit | size);
        return 2;
    }
    if (size <= UINT16_MAX) {
        out[1] = mask_bit | 126;
        be16_store(out + 2, (uint16_t)size);
        return 4;
    }
    out[1] = mask_bit | 127;
    be64_store(out + 2, size);
    return 10;
}

size_t frame_write_head(uint8_t out[FRAME_MAX_HEAD], enum frame_opcode opcode, uint64_t size)
{
    return write_head(out, opcode, size, 0);
}

size_t frame_write_masked_head(uint8_t out[FRAME_MAX_HEAD], enum frame_opcode opcode, uint64_t size,
                               const uint8_t key[4])
{
    size_t n = write_head(out, opcode, size, 0x80);
    memcpy(out + n, key, 4);
    return n + 4;
}
