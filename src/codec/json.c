#include "codec/json.h"

#include "codec/json_scan.h"
#include "codec/utf8.h"

static bool json_fail(struct json_reader *r, const char *error)
{
    r->error = error;
    return false;
}

static enum json_step json_stop(struct json_reader *r, const char *error)
{
    r->error = error;
    return JSON_ERROR;
}

/* The byte at p, or -1 at the end of the text. */
static inline int json_peek(const struct json_reader *r)
{
    return r->p < r->end ? *r->p : -1;
}

static inline int json_peek_past_space(struct json_reader *r)
{
    while (r->p < r->end && (*r->p == ' ' || *r->p == '\n' || *r->p == '\r' || *r->p == '\t'))
        r->p++;
    return json_peek(r);
}

/* ---- scalars: p stands at the first byte, and behind the last one afterwards --------------- */

static bool json_escape(struct json_reader *r)
{
    r->p++;
    int c = json_peek(r);
    if (c <= 0 || !strchr("\"\\/bfnrtu", c))
        return json_fail(r, "unknown escape in a string");
    r->p++;
    if (c == 'u')
        for (int i = 0; i < 4; i++, r->p++)
            if (r->p == r->end || json_hex(*r->p) < 0)
                return json_fail(r, "\\u must be followed by four hexadecimal digits");
    return true;
}

static bool json_string(struct json_reader *r, struct json_value *v)
{
    const uint8_t *start = ++r->p;
    uint64_t seen = 0;
    v->type = JSON_STRING;
    v->escaped = false;
    for (;;) {
        r->p = json_scan_plain(r->p, r->end, &seen);
        int c = json_peek(r);
        if (c == '"')
            break;
        if (c != '\\')
            return json_fail(r,
                             c < 0 ? "a string without an end" : "a control character in a string");
        v->escaped = true;
        if (!json_escape(r))
            return false;
    }
    v->raw = slice_of(start, (size_t)(r->p - start));
    if (seen & JSON_NOT_ASCII && !utf8_valid(v->raw)) {
        r->p = start;
        return json_fail(r, "a string that is not UTF-8");
    }
    r->p++;
    return true;
}

static bool json_digits(struct json_reader *r)
{
    const uint8_t *start = r->p;
    while (r->p < r->end && *r->p >= '0' && *r->p <= '9')
        r->p++;
    return r->p > start || json_fail(r, "a digit is missing in a number");
}

static bool json_number(struct json_reader *r, struct json_value *v)
{
    const uint8_t *start = r->p;
    if (*r->p == '-')
        r->p++;
    if (json_peek(r) == '0')
        r->p++; /* no digit may follow, and none is a separator */
    else if (!json_digits(r))
        return false;
    if (json_peek(r) == '.') {
        r->p++;
        if (!json_digits(r))
            return false;
    }
    if (json_peek(r) == 'e' || json_peek(r) == 'E') {
        r->p++;
        if (json_peek(r) == '+' || json_peek(r) == '-')
            r->p++;
        if (!json_digits(r))
            return false;
    }
    *v = (struct json_value){.type = JSON_NUMBER, .raw = slice_of(start, (size_t)(r->p - start))};
    return true;
}

static bool json_literal(struct json_reader *r, struct json_value *v, enum json_type type,
                         struct slice text)
{
    if ((size_t)(r->end - r->p) < text.n || memcmp(r->p, text.p, text.n) != 0)
        return json_fail(r, "a value was expected");
    *v = (struct json_value){.type = type, .raw = slice_of(r->p, text.n)};
    r->p += text.n;
    return true;
}

static bool json_scalar(struct json_reader *r, struct json_value *v)
{
    int c = json_peek(r);
    switch (c) {
    case '"':
        return json_string(r, v);
    case 't':
        return json_literal(r, v, JSON_TRUE, SLICE("true"));
    case 'f':
        return json_literal(r, v, JSON_FALSE, SLICE("false"));
    case 'n':
        return json_literal(r, v, JSON_NULL, SLICE("null"));
    default:
        if (c == '-' || (c >= '0' && c <= '9'))
            return json_number(r, v);
        return json_fail(r, c < 0 ? "the text ends too early" : "a value was expected");
    }
}

/* ---- structure ------------------------------------------------------------------------------ */

/* From behind a value, or behind an opening bracket (first), to the beginning of the next value:
 * JSON_ITEM. JSON_END if the bracket closes instead; p is behind it. name is set in an object. */
static enum json_step json_between(struct json_reader *r, bool object, bool first,
                                   struct json_value *name)
{
    int c = json_peek_past_space(r);
    if (c == (object ? '}' : ']')) {
        r->p++;
        return JSON_END;
    }
    if (!first) {
        if (c != ',')
            return json_stop(r, c < 0    ? "the text ends too early"
                                : object ? "a comma or } was expected"
                                         : "a comma or ] was expected");
        r->p++;
        c = json_peek_past_space(r);
    }
    if (object) {
        if (c != '"')
            return json_stop(r,
                             c < 0 ? "the text ends too early" : "a name in quotes was expected");
        if (!json_string(r, name))
            return JSON_ERROR;
        if (json_peek_past_space(r) != ':')
            return json_stop(r, "a colon was expected");
        r->p++;
        json_peek_past_space(r);
    }
    return JSON_ITEM;
}

/* A value with all that is inside it. Which of the open brackets are objects is kept in a word, a
 * bit each, the innermost lowest: no recursion, so no input can exhaust the stack. */
static bool json_value(struct json_reader *r, struct json_value *v)
{
    const uint8_t *start = r->p;
    struct json_value ignored;
    uint64_t objects = 0;
    unsigned depth = 1; /* the reader's own bracket */
    do {
        int c = json_peek(r);
        bool first = c == '{' || c == '[';
        if (first) {
            if (depth == JSON_MAX_DEPTH)
                return json_fail(r, "nested too deeply");
            depth++;
            objects = objects << 1 | (c == '{');
            r->p++;
        } else if (!json_scalar(r, depth == 1 ? v : &ignored)) {
            return false;
        }
        enum json_step step = JSON_END;
        while (depth > 1 && (step = json_between(r, objects & 1, first, &ignored)) == JSON_END) {
            depth--;
            objects >>= 1;
            first = false;
        }
        if (step == JSON_ERROR)
            return false;
    } while (depth > 1);
    if (*start == '{' || *start == '[')
        *v = (struct json_value){.type = *start == '{' ? JSON_OBJECT : JSON_ARRAY,
                                 .raw = slice_of(start, (size_t)(r->p - start))};
    return true;
}

static bool json_open(struct json_reader *r, struct slice text, char bracket, const char *error)
{
    *r = (struct json_reader){
        .start = text.p, .p = text.p, .end = text.n ? text.p + text.n : text.p, .first = true};
    if (json_peek_past_space(r) != bracket)
        return json_fail(r, error);
    r->p++;
    return true;
}

bool json_open_object(struct json_reader *r, struct slice text)
{
    return json_open(r, text, '{', "an object was expected");
}

bool json_open_array(struct json_reader *r, struct slice text)
{
    return json_open(r, text, '[', "an array was expected");
}

static enum json_step json_next(struct json_reader *r, bool object, struct json_value *name,
                                struct json_value *value)
{
    if (r->error)
        return JSON_ERROR;
    enum json_step step = json_between(r, object, r->first, name);
    r->first = false;
    if (step == JSON_ITEM)
        return json_value(r, value) ? JSON_ITEM : JSON_ERROR;
    return step == JSON_END && json_peek_past_space(r) >= 0 ? json_stop(r, "something follows the "
                                                                           "end")
                                                            : step;
}

enum json_step json_next_member(struct json_reader *r, struct json_value *name,
                                struct json_value *value)
{
    return json_next(r, true, name, value);
}

enum json_step json_next_element(struct json_reader *r, struct json_value *value)
{
    return json_next(r, false, NULL, value);
}
