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

const char *wire_read(struct slice frame, struct envelope *out, const char **why)
{
    struct json_reader r;
    struct json_value name, value, event = {.type = JSON_NULL}, ref = {.type = JSON_NULL};
    bool has_ref = false;
    *out = (struct envelope){.data = {.type = JSON_NULL}};
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
    uint8_t decoded[6 * WIRE_MAX_EVENT];
    if (event.raw.n <= sizeof decoded && json_string_decode(event, decoded) < 0) {
        *why = "\"event\" holds half of a surrogate pair, which is no character";
        return "bad_request";
    }
    out->event = event;
    return NULL;
}

void wire_write(struct buf *out, struct slice event, struct slice data, struct slice ref,
                struct slice meta)
{
    buf_append_lit(out, "{\"event\":\"");
    buf_append_slice(out, event);
    buf_append_lit(out, "\",\"data\":");
    buf_append_slice(out, data);
    if (ref.n) {
        buf_append_lit(out, ",\"ref\":");
        buf_append_slice(out, ref);
    }
    if (meta.n) {
        buf_append_lit(out, ",\"meta\":");
        buf_append_slice(out, meta);
    }
    buf_append_lit(out, "}");
}

void wire_write_string(struct buf *out, struct slice utf8)
{
    uint8_t *to = buf_reserve(out, JSON_ENCODED_MAX(utf8.n));
    if (to)
        out->n += json_string_encode(to, utf8);
}
