#include "chat/wire.h"

/* A string of at most 64 bytes or an integer of at most 16 digits. */
static bool ref_is_valid(struct json_value v)
{
    uint8_t value[6 * WIRE_MAX_REF];
    if (v.type == JSON_STRING) {
        ptrdiff_t n = v.raw.n <= sizeof value ? json_string_decode(v, value) : -1;
        return n >= 0 && n <= WIRE_MAX_REF;
    }
    if (v.type != JSON_NUMBER)
        return false;
    size_t sign = v.raw.p[0] == '-';
    for (size_t i = sign; i < v.raw.n; i++)
        if (v.raw.p[i] < '0' || v.raw.p[i] > '9')
            return false;
    return v.raw.n - sign <= 16;
}

static const char *native_read(struct slice frame, struct envelope *out, const char **why)
{
    struct json_reader r;
    struct json_value name, value, event = {.type = JSON_NULL}, ref = {.type = JSON_NULL};
    bool has_ref = false;
    enum json_step step = JSON_ERROR;
    if (json_open_object(&r, frame)) {
        while ((step = json_next_member(&r, &name, &value)) == JSON_ITEM) {
            if (json_string_eq(name, SLICE("event"))) {
                event = value;
            } else if (json_string_eq(name, SLICE("data"))) {
                out->data = value;
            } else if (json_string_eq(name, SLICE("ref"))) {
                ref = value;
                has_ref = true;
            }
        }
    }
    if (step == JSON_ERROR) {
        *why = r.error;
        return "bad_json";
    }
    if (has_ref && !ref_is_valid(ref)) {
        *why = "\"ref\" must be a string of at most 64 bytes or an integer of at most 16 digits";
        return "bad_request";
    }
    if (has_ref) /* with its quotes */
        out->ref = ref.type == JSON_STRING ? slice_of(ref.raw.p - 1, ref.raw.n + 2) : ref.raw;
    if (event.type != JSON_STRING) {
        *why = "\"event\" must be a string, the name of an event";
        return "bad_request";
    }
    out->event = event;
    return NULL;
}

/* [ID]["EVENT", DATA]: the acknowledgement's id, digits, is the ref; further arguments are passed over. */
static const char *socketio_read(struct slice packet, struct envelope *out, const char **why)
{
    struct json_reader r;
    struct json_value event = {.type = JSON_NULL}, more;
    size_t digits = 0;
    while (digits < packet.n && packet.p[digits] >= '0' && packet.p[digits] <= '9')
        digits++;
    enum json_step step = JSON_ERROR;
    if (digits <= WIRE_MAX_ID && json_open_array(&r, slice_skip(packet, digits)))
        step = json_next_element(&r, &event);
    if (step == JSON_ITEM && event.type == JSON_STRING)
        step = json_next_element(&r, &out->data);
    while (step == JSON_ITEM)
        step = json_next_element(&r, &more);
    if (step != JSON_END || event.type != JSON_STRING) {
        *why = "expected an id of at most 16 digits or none, and an array that begins with a "
               "string";
        return "bad_json";
    }
    out->ref = slice_of(packet.p, digits);
    out->event = event;
    return NULL;
}

const char *wire_read(enum framing framing, struct slice frame, struct envelope *out,
                      const char **why)
{
    uint8_t decoded[6 * WIRE_MAX_EVENT];
    *out = (struct envelope){.data = {.type = JSON_NULL}};
    const char *code =
        framing == FRAMING_SOCKETIO ? socketio_read(frame, out, why) : native_read(frame, out, why);
    if (!code && out->event.raw.n <= sizeof decoded &&
        json_string_decode(out->event, decoded) < 0) {
        out->event = (struct json_value){.type = JSON_NULL};
        *why = "\"event\" holds half of a surrogate pair, which is no character";
        code = "bad_request";
    }
    return code;
}

static uint8_t *put(uint8_t *to, struct slice bytes)
{
    return buf_put(to, bytes.p, bytes.n);
}

static size_t native_write(struct buf *out, const struct event *e)
{
    const size_t around = 64; /* what is not one of the four */
    uint8_t *to = buf_reserve(out, around + e->name.n + e->data.n + e->ref.n + e->meta.n);
    if (!to)
        return 0;
    to = buf_put_lit(to, "{\"event\":\"");
    if (e->part == EVENT_END) {
        to = put(buf_put_lit(to, "end\",\"data\":{\"event\":\""), e->name);
        to = put(buf_put_lit(to, "\","), slice_skip(e->data, 1));
    } else {
        to = put(to, e->name);
        to = put(buf_put_lit(to, "\",\"data\":"), e->data);
    }
    size_t end = (size_t)(to - out->p);
    if (e->ref.n)
        to = put(buf_put_lit(to, ",\"ref\":"), e->ref);
    if (e->meta.n)
        to = put(buf_put_lit(to, ",\"meta\":"), e->meta);
    to = buf_put_lit(to, "}");
    out->n = (size_t)(to - out->p);
    return end;
}

/* An EVENT of the channel, or the ACK of a request that asked for one. The 4 in front is Engine.IO's: a
   message. */
static size_t socketio_write(struct buf *out, const struct event *e)
{
    if (e->ref.n && e->part != EVENT_PART) {
        buf_append_lit(out, "43");
        buf_append_slice(out, e->ref);
        buf_append_lit(out, "[");
    } else {
        buf_append_lit(out, "42[\"");
        buf_append_slice(out, e->name);
        buf_append_lit(out, "\",");
    }
    buf_append_slice(out, e->data);
    size_t end = out->n;
    if (e->meta.n) {
        buf_append_lit(out, ",");
        buf_append_slice(out, e->meta);
    }
    buf_append_lit(out, "]");
    return end;
}

size_t wire_write(struct buf *out, enum framing framing, const struct event *e)
{
    if (!e->data.n) {
        out->failed = true;
        return 0;
    }
    return framing == FRAMING_SOCKETIO ? socketio_write(out, e) : native_write(out, e);
}

void wire_write_string(struct buf *out, struct slice utf8)
{
    uint8_t *to = buf_reserve(out, JSON_ENCODED_MAX(utf8.n));
    if (to)
        out->n += json_string_encode(to, utf8);
}
