/*
 * json: a strict reader of RFC 8259, and the few conversions that the server needs.
 *
 * A reader walks the members of one object, or the elements of one array, in one pass, and hands
 * out spans of the text: nothing is copied, allocated or decoded. A nested object or array is
 * checked completely as it is passed over; its span can then be opened with a reader of its own.
 * So whatever is wrong anywhere in the text is found before JSON_END, and a caller that must not
 * act on a broken text reads to JSON_END first.
 *
 *     struct json_reader r;
 *     struct json_value name, value;
 *     enum json_step step = JSON_ERROR;
 *     if (json_open_object(&r, text))
 *         while ((step = json_next_member(&r, &name, &value)) == JSON_ITEM)
 *             ...
 *     if (step == JSON_ERROR)
 *         ... r.error, at json_error_offset(&r)
 *
 * Refused, beyond what the grammar refuses: text that is not UTF-8, a byte order mark, nesting
 * deeper than JSON_MAX_DEPTH. Not refused: the same name twice (the caller decides), numbers of
 * any size, the escape of an unpaired surrogate (the conversions below refuse it).
 */
#ifndef CODEC_JSON_H
#define CODEC_JSON_H

#include "base/slice.h"

#define JSON_MAX_DEPTH 64 /* open objects and arrays at a time, the outermost included */

enum json_type {
    JSON_NULL,
    JSON_FALSE,
    JSON_TRUE,
    JSON_NUMBER,
    JSON_STRING,
    JSON_ARRAY,
    JSON_OBJECT
};

enum json_step { JSON_ITEM, JSON_END, JSON_ERROR };

struct json_value {
    enum json_type type;
    bool escaped;     /* a string that holds a backslash: its text is not its value */
    struct slice raw; /* the text in the input; of a string, what is between the quotes */
};

struct json_reader {
    const uint8_t *start, *p, *end;
    const char *error; /* NULL, or what is wrong at p: a few words of English */
    bool first;        /* nothing has been read of the object or array */
};

/* Begins with a text that must be an object (an array), white space around it allowed. False
 * with r->error set if it does not even begin like one. The text must outlive the reader. */
__attribute__((warn_unused_result)) bool json_open_object(struct json_reader *r, struct slice text);
__attribute__((warn_unused_result)) bool json_open_array(struct json_reader *r, struct slice text);

/* The next member or element: JSON_ITEM, and name and value are set. JSON_END: it has been closed
 * and only white space follows. JSON_ERROR: r->error says why, and every later call says so too. */
enum json_step json_next_member(struct json_reader *r, struct json_value *name,
                                struct json_value *value);
enum json_step json_next_element(struct json_reader *r, struct json_value *value);

/* Bytes in front of the error. */
static inline size_t json_error_offset(const struct json_reader *r)
{
    return (size_t)(r->p - r->start);
}

/* ---- conversions of values that a reader has handed out ----------------------------------- */

/* Whether v is a string with this value, its escapes decoded. */
bool json_string_eq(struct json_value v, struct slice text);

/* Decodes a string to UTF-8 and returns its length, or -1 if it holds the escape of an unpaired
 * surrogate. out has room for v.raw.n bytes: a value is never longer than its text. It may hold
 * zero bytes (\u0000). */
ptrdiff_t json_string_decode(struct json_value v, uint8_t *out);

/* Writes well-formed UTF-8 as a string with its quotes and returns the length, at most
 * JSON_ENCODED_MAX(n). Only what must be escaped is. */
#define JSON_ENCODED_MAX(n) (6 * (n) + 2)
size_t json_string_encode(uint8_t *out, struct slice utf8);

/* A number of seconds (a NumericDate of RFC 7519 section 2, with fraction and exponent) in
 * milliseconds, computed in decimal: what is beyond the range becomes INT64_MIN or INT64_MAX,
 * and a part of a millisecond is rounded up, so that comparing a whole number of milliseconds
 * with the result is comparing it with the number itself. False if v is not a number. */
bool json_number_ms(struct json_value v, int64_t *ms);

/* A number written as digits alone, at most 2^53; false for anything else. */
#define JSON_INTEGER_MAX (UINT64_C(1) << 53)
bool json_integer(struct json_value v, uint64_t *out);

#endif
