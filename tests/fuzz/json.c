/* JSON: what is accepted is accepted again from its values, with the same values, and no part of it is
   accepted for the whole. */
#include "codec/json.h"
#include "codec/utf8.h"
#include "fuzz.h"

static void write_value(struct buf *out, struct json_value v, unsigned depth);

/* A string from its value, or as it is where it has none (half of a surrogate pair). */
static void write_string(struct buf *out, struct json_value v)
{
    uint8_t *value = malloc(v.raw.n + 1);
    CHECK(value);
    ptrdiff_t n = json_string_decode(v, value);
    CHECK(n <= (ptrdiff_t)v.raw.n && (v.escaped || n == (ptrdiff_t)v.raw.n));
    if (n >= 0) {
        struct slice decoded = slice_of(value, (size_t)n);
        CHECK(utf8_valid(decoded) && json_string_eq(v, decoded));
        uint8_t *to = buf_reserve(out, JSON_ENCODED_MAX((size_t)n));
        CHECK(to);
        out->n += json_string_encode(to, decoded);
    } else {
        buf_append_lit(out, "\"");
        buf_append_slice(out, v.raw);
        buf_append_lit(out, "\"");
    }
    free(value);
}

static void write_number(struct buf *out, struct json_value v)
{
    uint64_t integer;
    int64_t ms;
    CHECK(json_number_ms(v, &ms));
    if (json_integer(v, &integer)) {
        CHECK(integer <= JSON_INTEGER_MAX);
        CHECK(ms == (integer <= INT64_MAX / 1000 ? (int64_t)integer * 1000 : INT64_MAX));
    }
    buf_append_slice(out, v.raw);
}

static void write_items(struct buf *out, struct slice text, bool object, unsigned depth)
{
    struct json_reader r;
    struct json_value name, value;
    enum json_step step;
    bool first = true;
    CHECK(depth <= JSON_MAX_DEPTH);
    CHECK(object ? json_open_object(&r, text) : json_open_array(&r, text));
    buf_append(out, object ? "{" : "[", 1);
    while ((step = object ? json_next_member(&r, &name, &value) : json_next_element(&r, &value)) ==
           JSON_ITEM) {
        if (!first)
            buf_append_lit(out, ",");
        first = false;
        if (object) {
            CHECK(fuzz_within(name.raw, text));
            write_string(out, name);
            buf_append_lit(out, ":");
        }
        CHECK(fuzz_within(value.raw, text));
        write_value(out, value, depth + 1);
    }
    CHECK(step == JSON_END);
    buf_append(out, object ? "}" : "]", 1);
}

static void write_value(struct buf *out, struct json_value v, unsigned depth)
{
    if (v.type == JSON_STRING)
        write_string(out, v);
    else if (v.type == JSON_NUMBER)
        write_number(out, v);
    else if (v.type == JSON_OBJECT || v.type == JSON_ARRAY)
        write_items(out, v.raw, v.type == JSON_OBJECT, depth);
    else
        buf_append_slice(out, v.raw);
}

/* Reads it to its end: JSON_OBJECT, JSON_ARRAY, or JSON_NULL for neither. */
static enum json_type judge(struct slice text)
{
    struct json_reader r;
    struct json_value name, value;
    enum json_step step = JSON_ERROR;
    enum json_type type = JSON_OBJECT;
    if (json_open_object(&r, text)) {
        while ((step = json_next_member(&r, &name, &value)) == JSON_ITEM)
            ;
    } else if (json_open_array(&r, text)) {
        type = JSON_ARRAY;
        while ((step = json_next_element(&r, &value)) == JSON_ITEM)
            ;
    }
    CHECK((step == JSON_ERROR) == (r.error != NULL) && json_error_offset(&r) <= text.n);
    return step == JSON_END ? type : JSON_NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct slice in = slice_of(p, n);
    enum json_type type = judge(in);
    if (type == JSON_NULL)
        return 0;
    struct buf once = {0}, twice = {0};
    struct json_value v = {.type = type, .raw = in};
    write_value(&once, v, 1);
    v.raw = buf_slice(&once);
    CHECK(judge(v.raw) == type && once.n <= 6 * n);
    write_value(&twice, v, 1);
    CHECK(!once.failed && !twice.failed && slice_eq(v.raw, buf_slice(&twice)));
    CHECK(judge(slice_of(v.raw.p, v.raw.n - 1)) == JSON_NULL);
    CHECK(judge(slice_of(v.raw.p, v.raw.n / 2)) == JSON_NULL);
    buf_append_lit(&twice, ",");
    CHECK(judge(buf_slice(&twice)) == JSON_NULL);
    buf_free(&once);
    buf_free(&twice);
    return 0;
}
