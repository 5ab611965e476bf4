#include "codec/json.h"
#include "codec/json_scan.h"

/* ---- strings -------------------------------------------------------------------------------- */

static uint32_t json_hex4(const uint8_t *p)
{
    uint32_t v = 0;
    for (int i = 0; i < 4; i++)
        v = v << 4 | (uint32_t)json_hex(p[i]);
    return v;
}

static size_t json_put_utf8(uint8_t out[4], uint32_t c)
{
    if (c < 0x80) {
        out[0] = (uint8_t)c;
        return 1;
    }
    size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (size_t i = n - 1; i > 0; i--, c >>= 6)
        out[i] = (uint8_t)(0x80 | (c & 0x3f));
    out[0] = (uint8_t)(0xf00u >> n | c); /* n ones and a zero in front */
    return n;
}

/* Decodes the escape at p, which the reader has checked: sets out and returns its length, 0 for
 * an unpaired surrogate; p moves behind it. */
static size_t json_unescape(const uint8_t **p, const uint8_t *end, uint8_t out[4])
{
    static const char letters[] = "bfnrt", meanings[] = "\b\f\n\r\t";
    uint8_t c = (*p)[1];
    *p += 2;
    if (c != 'u') {
        const char *at = strchr(letters, c);
        out[0] = at ? (uint8_t)meanings[at - letters] : c;
        return 1;
    }
    uint32_t code = json_hex4(*p);
    *p += 4;
    if (code >= 0xd800 && code < 0xe000) {
        if (code >= 0xdc00 || end - *p < 6 || (*p)[0] != '\\' || (*p)[1] != 'u')
            return 0;
        uint32_t low = json_hex4(*p + 2);
        if (low < 0xdc00 || low >= 0xe000)
            return 0;
        *p += 6;
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
    }
    return json_put_utf8(out, code);
}

bool json_string_eq(struct json_value v, struct slice text)
{
    if (v.type != JSON_STRING)
        return false;
    if (!v.escaped)
        return slice_eq(v.raw, text);
    const uint8_t *p = v.raw.p, *end = p + v.raw.n;
    while (p < end) {
        uint8_t piece[4] = {*p};
        size_t n = 1;
        if (*p == '\\')
            n = json_unescape(&p, end, piece);
        else
            p++;
        if (n == 0 || n > text.n || memcmp(piece, text.p, n) != 0)
            return false;
        text = slice_skip(text, n);
    }
    return text.n == 0;
}

ptrdiff_t json_string_decode(struct json_value v, uint8_t *out)
{
    const uint8_t *p = v.raw.p, *end = v.raw.n ? p + v.raw.n : p;
    uint8_t *at = out;
    while (p < end) {
        const uint8_t *plain = p;
        p = v.escaped ? json_scan_plain(p, end, NULL) : end;
        memcpy(at, plain, (size_t)(p - plain));
        at += p - plain;
        if (p < end) {
            uint8_t piece[4];
            size_t n = json_unescape(&p, end, piece);
            if (n == 0)
                return -1;
            memcpy(at, piece, n);
            at += n;
        }
    }
    return at - out;
}

static size_t json_put_escape(uint8_t *out, uint8_t c)
{
    static const char plain[] = "\"\\\b\f\n\r\t", letters[] = "\"\\bfnrt",
                      digits[] = "0123456789abcdef";
    const char *at = c ? strchr(plain, c) : NULL;
    out[0] = '\\';
    if (at) {
        out[1] = (uint8_t)letters[at - plain];
        return 2;
    }
    out[1] = 'u';
    out[2] = out[3] = '0';
    out[4] = (uint8_t)digits[c >> 4];
    out[5] = (uint8_t)digits[c & 15];
    return 6;
}

size_t json_string_encode(uint8_t *out, struct slice utf8)
{
    const uint8_t *p = utf8.p, *end = utf8.n ? p + utf8.n : p;
    uint8_t *at = out;
    *at++ = '"';
    while (p < end) {
        const uint8_t *plain = p;
        p = json_scan_plain(p, end, NULL);
        memcpy(at, plain, (size_t)(p - plain));
        at += p - plain;
        if (p < end)
            at += json_put_escape(at, *p++);
    }
    *at++ = '"';
    return (size_t)(at - out);
}

/* ---- numbers -------------------------------------------------------------------------------- */

/* The exponent at p, a sign and digits up to end, or 0 if there is none. Bounded far from
 * overflow, and far beyond the number of digits that fit into memory in front of it. */
static int64_t json_exponent(const uint8_t *p, const uint8_t *end)
{
    const int64_t bound = INT64_C(1) << 60;
    if (p == end)
        return 0;
    p++; /* the e */
    bool negative = *p == '-';
    if (*p == '-' || *p == '+')
        p++;
    int64_t e = 0;
    for (; p < end; p++)
        e = e > bound / 10 - 1 ? bound : e * 10 + (*p - '0');
    return negative ? -e : e;
}

bool json_number_ms(struct json_value v, int64_t *ms)
{
    if (v.type != JSON_NUMBER)
        return false;
    const uint8_t *p = v.raw.p, *end = p + v.raw.n;
    bool negative = *p == '-';
    p += negative;

    /* The digits with the point and the exponent taken out; `point` of them, moved three places
     * for the milliseconds, are in front of the point. */
    const uint8_t *e = p, *dot = NULL;
    for (; e < end && *e != 'e' && *e != 'E'; e++)
        if (*e == '.')
            dot = e;
    int64_t point = (dot ? dot : e) - p + 3 + json_exponent(e, end);

    const uint64_t limit = UINT64_C(1) << 63;
    uint64_t whole = 0;
    bool more = false; /* a part of a millisecond */
    for (; p < e; p++) {
        if (p == dot)
            continue;
        uint64_t digit = *p - (uint64_t)'0';
        if (point-- > 0)
            whole = whole > (limit - digit) / 10 ? limit : whole * 10 + digit;
        else if (digit)
            more = true;
    }
    for (; point > 0 && whole && whole < limit; point--)
        whole = whole > limit / 10 ? limit : whole * 10;

    if (negative)
        *ms = whole < limit ? -(int64_t)whole : INT64_MIN;
    else
        *ms = whole + more < limit ? (int64_t)(whole + more) : INT64_MAX;
    return true;
}

bool json_integer(struct json_value v, uint64_t *out)
{
    uint64_t n = 0;
    if (v.type != JSON_NUMBER)
        return false;
    for (size_t i = 0; i < v.raw.n; i++) {
        if (v.raw.p[i] < '0' || v.raw.p[i] > '9')
            return false;
        n = n * 10 + (v.raw.p[i] - (uint64_t)'0');
        if (n > JSON_INTEGER_MAX)
            return false;
    }
    *out = n;
    return true;
}
