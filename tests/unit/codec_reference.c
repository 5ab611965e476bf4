/*
 * codec_reference: random cases, each answered here and by somebody else: openssl for the hashes,
 * node for the rest. A test whose program is missing says so and is skipped.
 *
 * The cases of a test are lines of a file, our answers lines of memory; the other program reads
 * the file and prints its answers, and the two must be the same. Bytes travel as hexadecimal.
 * CODEC_SEED=N in the environment chooses other cases; the seed is printed.
 */
#include "../support/folder.h"
#include "../support/guard.h"
#include "../support/hex.h"
#include "base/buf.h"
#include "codec/base64.h"
#include "codec/json.h"
#include "codec/jwt.h"
#include "codec/sha1.h"
#include "codec/utf8.h"
#include "codec_json_texts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define NOW INT64_C(1790000000500)
#define ROOM 8192 /* bytes of a case, at most */

static uint64_t seed = 20240611;
static uint64_t random_state;
static char folder[64];
static struct guard guard;

/* splitmix64: good enough, and the same everywhere. */
static uint64_t next(void)
{
    uint64_t x = random_state += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

/* 0 to n - 1 */
static size_t below(size_t n)
{
    return (size_t)(next() % n);
}

static struct slice random_slice(uint8_t *out, size_t max)
{
    size_t n = below(max + 1);
    for (size_t i = 0; i < n; i++)
        out[i] = (uint8_t)next();
    return slice_of(out, n);
}

/* ---- the other program ---------------------------------------------------------------------- */

static const char *path_of(const char *name)
{
    static char path[sizeof folder + 64];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static void write_file(const char *name, struct slice s)
{
    FILE *f = fopen(path_of(name), "w");
    assert_non_null(f);
    assert_int_equal(fwrite(s.p, 1, s.n, f), s.n);
    assert_int_equal(fclose(f), 0);
}

static struct buf output_of(const char *command)
{
    struct buf out = {0};
    FILE *f = popen(command, "r");
    assert_non_null(f);
    char piece[65536];
    for (size_t n; (n = fread(piece, 1, sizeof piece, f)) > 0;)
        buf_append(&out, piece, n);
    assert_int_equal(pclose(f), 0);
    assert_false(out.failed);
    return out;
}

static void need(const char *program)
{
    char command[64];
    snprintf(command, sizeof command, "command -v %s >/dev/null 2>&1", program);
    if (system(command) != 0) {
        print_message("%s is not installed: nothing to compare with, skipped\n", program);
        skip();
    }
}

static struct slice take_line(struct slice *s)
{
    const uint8_t *end = s->n ? memchr(s->p, '\n', s->n) : NULL;
    struct slice line = slice_of(s->p, end ? (size_t)(end - s->p) : s->n);
    *s = slice_skip(*s, line.n + (end != NULL));
    return line;
}

/* What is asked, and what we say to it: a line each, in the same order. */
struct cases {
    struct buf asked, ours;
    size_t n;
};

static void put_hex(struct buf *b, struct slice s)
{
    uint8_t *room = buf_reserve(b, 2 * s.n + 1);
    assert_non_null(room);
    hex_text((char *)room, s);
    b->n += 2 * s.n;
}

static void ask(struct cases *c, struct slice question)
{
    put_hex(&c->asked, question);
    buf_append_lit(&c->asked, "\n");
    c->n++;
}

static void answer(struct cases *c, const char *text)
{
    buf_append(&c->ours, text, strlen(text));
    buf_append_lit(&c->ours, "\n");
}

static void answer_hex(struct cases *c, struct slice s)
{
    put_hex(&c->ours, s);
    buf_append_lit(&c->ours, "\n");
}

/* Runs the body of a function of the bytes b over all questions and compares. */
static void compare_with_node(struct cases *c, const char *function)
{
    struct buf script = {0};
    buf_printf(&script, "'use strict'; const crypto = require('crypto');\n"
                        "const answer = (b) => {");
    buf_append(&script, function, strlen(function));
    buf_printf(&script,
               "};\nconst lines = require('fs').readFileSync('%s/cases', 'latin1').split('\\n');\n"
               "lines.pop();\n"
               "console.log(lines.map((l) => answer(Buffer.from(l, 'hex'))).join('\\n'));\n",
               folder);
    write_file("script.js", buf_slice(&script));
    write_file("cases", buf_slice(&c->asked));
    char command[sizeof folder + 64];
    snprintf(command, sizeof command, "node %s/script.js", folder);
    struct buf out = output_of(command);

    struct slice theirs = buf_slice(&out), ours = buf_slice(&c->ours), asked = buf_slice(&c->asked);
    for (size_t i = 0; i < c->n; i++) {
        struct slice question = take_line(&asked), a = take_line(&ours), b = take_line(&theirs);
        if (!slice_eq(a, b))
            fail_msg("case %zu, %.*s: %.*s here, %.*s there", i, SLICE_FMT(question), SLICE_FMT(a),
                     SLICE_FMT(b));
    }
    assert_int_equal(theirs.n + ours.n + asked.n, 0);
    print_message("%zu cases agree\n", c->n);
    buf_free(&out);
    buf_free(&script);
    buf_free(&c->asked);
    buf_free(&c->ours);
}

/* ---- hashes --------------------------------------------------------------------------------- */

#define FILES 150

/* Runs `openssl dgst` once over FILES files of random bytes, which are a case each. */
static void compare_with_openssl(const char *options, size_t size,
                                 void (*digest)(struct slice in, uint8_t *out))
{
    struct buf command = {0}, ours = {0};
    buf_printf(&command, "cd %s && openssl dgst -r %s", folder, options);
    for (int i = 0; i < FILES; i++) {
        uint8_t bytes[ROOM], out[SHA256_SIZE];
        char name[16];
        struct slice in = random_slice(bytes, i < 100 ? 200 : sizeof bytes);
        snprintf(name, sizeof name, "f%d", i);
        write_file(name, in);
        buf_printf(&command, " %s", name);
        digest(in, out);
        put_hex(&ours, slice_of(out, size));
        buf_printf(&ours, " *%s\n", name);
    }
    buf_append(&command, "", 1);
    struct buf theirs = output_of((char *)command.p);
    for (int i = 0; i < FILES; i++) {
        char name[16];
        snprintf(name, sizeof name, "f%d", i);
        unlink(path_of(name));
    }
    if (!slice_eq(buf_slice(&ours), buf_slice(&theirs)))
        fail_msg("here:\n%.*s\nthere:\n%.*s", SLICE_FMT(buf_slice(&ours)),
                 SLICE_FMT(buf_slice(&theirs)));
    print_message("%d cases agree\n", FILES);
    buf_free(&command);
    buf_free(&ours);
    buf_free(&theirs);
}

static void digest_sha256(struct slice in, uint8_t *out)
{
    struct sha256 h;
    sha256_init(&h);
    while (in.n) {
        size_t n = 1 + below(in.n);
        sha256_update(&h, guard_copy(&guard, slice_of(in.p, n)));
        in = slice_skip(in, n);
    }
    sha256_final(&h, out);
}

static void digest_hmac(struct slice in, uint8_t *out)
{
    struct hmac_key k;
    hmac_key_init(&k, SLICE("a secret"));
    hmac_sign(&k, in, out);
}

static void hashes_agree_with_openssl(void **state)
{
    (void)state;
    need("openssl");
    compare_with_openssl("-sha1", SHA1_SIZE, sha1);
    compare_with_openssl("-sha256", SHA256_SIZE, digest_sha256);
    compare_with_openssl("-sha256 -hmac 'a secret'", SHA256_SIZE, digest_hmac);
}

/* ---- base64 --------------------------------------------------------------------------------- */

static void base64_agrees_with_node(void **state)
{
    (void)state;
    need("node");
    struct cases c = {0};
    for (int i = 0; i < 1500; i++) {
        uint8_t bytes[300], back[BASE64_DECODED_MAX(BASE64_SIZE(300))];
        char text[BASE64_SIZE(300) + 1 + BASE64URL_SIZE(300) + 1];
        struct slice in = random_slice(bytes, sizeof bytes);
        size_t n = base64_encode(text, in);
        assert_int_equal(base64_decode(back, slice_of(text, n)), in.n);
        assert_memory_equal(back, bytes, in.n);
        text[n++] = ' ';
        n += base64url_encode(text + n, in);
        text[n] = 0;
        ask(&c, in);
        answer(&c, text);
    }
    compare_with_node(&c, "return b.toString('base64') + ' ' + b.toString('base64url');");
}

/* Node decodes whatever it is given; what encodes back to the same text was strictly right. */
static void strict_base64url_agrees_with_node(void **state)
{
    (void)state;
    need("node");
    static const char alphabet[] = "AQgwBCDEabcd0189-_-_+/= ";
    struct cases c = {0};
    for (int i = 0; i < 3000; i++) {
        uint8_t text[12], out[BASE64_DECODED_MAX(12)];
        size_t n = below(sizeof text + 1), letters = below(4) ? 20 : sizeof alphabet - 1;
        for (size_t k = 0; k < n; k++)
            text[k] = (uint8_t)alphabet[below(letters)];
        ask(&c, slice_of(text, n));
        ptrdiff_t length = base64url_decode(out, guard_copy(&guard, slice_of(text, n)));
        if (length < 0)
            answer(&c, "refused");
        else
            answer_hex(&c, slice_of(out, (size_t)length));
    }
    compare_with_node(&c, "const t = b.toString('latin1'), d = Buffer.from(t, 'base64url');"
                          "return d.toString('base64url') === t ? d.toString('hex') : 'refused';");
}

/* ---- UTF-8 ---------------------------------------------------------------------------------- */

static void utf8_agrees_with_node(void **state)
{
    (void)state;
    need("node");
    static const uint8_t edges[] = {0x00, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0,
                                    0xc2, 0xdf, 0xe0, 0xe1, 0xed, 0xef, 0xf0, 0xf1, 0xf4, 0xf5};
    struct cases c = {0};
    for (int i = 0; i < 4000; i++) {
        uint8_t text[40];
        size_t n = below(sizeof text), start = below(n + 1);
        memset(text, 'x', sizeof text);
        for (size_t k = start; k < n && k < start + 6; k++)
            text[k] = edges[below(sizeof edges)];
        ask(&c, slice_of(text, n));
        answer(&c, utf8_valid(guard_copy(&guard, slice_of(text, n))) ? "1" : "0");
    }
    compare_with_node(&c, "return require('buffer').isUtf8 ? +require('buffer').isUtf8(b)"
                          " : +b.equals(Buffer.from(b.toString('utf8')));");
}

/* ---- JSON ----------------------------------------------------------------------------------- */

static bool json_accepts(struct slice text)
{
    struct json_reader r;
    struct json_value value;
    enum json_step step = JSON_ERROR;
    if (json_open_array(&r, text))
        while ((step = json_next_element(&r, &value)) == JSON_ITEM)
            ;
    return step == JSON_END;
}

/* One small change: a byte changed, removed, put in or moved, or two pieces joined. */
static size_t mutate(uint8_t *text, size_t n, size_t room)
{
    static const char bytes[] = "{}[]\",:\\u0e+-.1 \nntx/\x01\x7f\x80\xc3\xa9\xed\xa0\xf4\xff";
    size_t at = below(n);
    uint8_t byte = (uint8_t)bytes[below(sizeof bytes)];
    switch (below(4)) {
    case 0:
        text[at] = byte;
        return n;
    case 1:
        memmove(text + at, text + at + 1, n - at - 1);
        return n - 1;
    case 2:
        if (n == room)
            return n;
        memmove(text + at + 1, text + at, n - at);
        text[at] = byte;
        return n + 1;
    default:
        text[at] = text[below(n)];
        return n;
    }
}

/* Every case is wrapped in brackets, so that scalars count as well. */
static void json_is_accepted_and_refused_as_node_does(void **state)
{
    (void)state;
    need("node");
    struct cases c = {0};
    size_t good = 0;
    for (int i = 0; i < 12000; i++) {
        uint8_t text[512] = "[";
        size_t n = 1;
        struct slice s = accepted[below(COUNT(accepted))];
        memcpy(text + n, s.p, s.n);
        n += s.n;
        text[n++] = ']';
        for (size_t changes = below(3); changes > 0 && n > 1; changes--)
            n = mutate(text, n, sizeof text);
        ask(&c, slice_of(text, n));
        /* Node is asked about arrays alone, as the reader is. */
        bool ok = json_accepts(guard_copy(&guard, slice_of(text, n)));
        good += ok;
        answer(&c, ok ? "1" : "0");
    }
    print_message("%zu of them accepted\n", good);
    assert_true(good > 1000 && good < c.n - 1000);
    compare_with_node(&c, "try { const t = new TextDecoder('utf-8', {fatal: true, ignoreBOM: "
                          "true}).decode(b);"
                          "return +Array.isArray(JSON.parse(t)); } catch (e) { return 0; }");
}

/* The text of a string: plain characters, escapes of every kind, surrogates paired and not. */
static size_t random_string(uint8_t *out)
{
    static const char *const pieces[] = {
        "a",       "message",      "0123456789", "\\n",      "\\\"",           "\\\\",
        "\\/",     "\\u0000",      "\\u001f",    "\\u0022",  "\\u005C",        "\\u00e9",
        "\\u20ac", "\\uFFFF",      "\\ud83d",    "\\uDE00",  "\\ud83d\\ude00", "\\b",
        "\\f",     "\\t",          "\\r",        "\xc3\xa9", "\xe2\x82\xac",   "\xf0\x9f\x98\x80",
        "\x7f",    "\xe2\x80\xa8", " ",          "/"};
    char *at = (char *)out;
    *at++ = '"';
    for (size_t n = below(8); n > 0; n--)
        at = stpcpy(at, pieces[below(COUNT(pieces))]);
    *at++ = '"';
    return (size_t)(at - (char *)out);
}

static void json_strings_decode_and_encode_as_node_does(void **state)
{
    (void)state;
    need("node");
    struct cases c = {0};
    for (int i = 0; i < 5000; i++) {
        uint8_t text[256] = "[", value[256], again[JSON_ENCODED_MAX(256)];
        size_t n = 1 + random_string(text + 1);
        text[n++] = ']';
        ask(&c, slice_of(text, n));
        struct json_reader r;
        struct json_value v;
        assert_true(json_open_array(&r, guard_copy(&guard, slice_of(text, n))));
        assert_int_equal(json_next_element(&r, &v), JSON_ITEM);
        ptrdiff_t length = json_string_decode(v, value);
        if (length < 0) {
            answer(&c, "unpaired");
            continue;
        }
        assert_true(json_string_eq(v, slice_of(value, (size_t)length)));
        n = json_string_encode(again, slice_of(value, (size_t)length));
        answer_hex(&c, slice_of(again, n));
    }
    compare_with_node(&c, "const s = JSON.parse(b.toString('utf8'))[0];"
                          "if "
                          "(/"
                          "[\\ud800-\\udbff](?![\\udc00-\\udfff])|(?<![\\ud800-\\udbff])[\\udc00-"
                          "\\udfff]/"
                          ".test(s)) return 'unpaired';"
                          "return Buffer.from(JSON.stringify(s)).toString('hex');");
}

static size_t random_number(char *out, size_t room)
{
    static const uint64_t limits[] = {10, 1000, 1790000000, UINT64_C(10000000000000000),
                                      UINT64_MAX};
    static const char *const signs[] = {"", "+", "-"};
    char fraction[32] = "", exponent[32] = "";
    if (below(2))
        snprintf(fraction, sizeof fraction, ".%0*llu", (int)below(6) + 1,
                 (unsigned long long)(next() % limits[below(3)]));
    if (below(3) == 0)
        snprintf(exponent, sizeof exponent, "%c%s%zu", below(2) ? 'e' : 'E', signs[below(3)],
                 below(24));
    return (size_t)snprintf(out, room, "%s%llu%s%s", below(4) ? "" : "-",
                            (unsigned long long)(next() % limits[below(COUNT(limits))]), fraction,
                            exponent);
}

static void json_numbers_become_milliseconds_as_whole_number_arithmetic_has_it(void **state)
{
    (void)state;
    need("node");
    struct cases c = {0};
    for (int i = 0; i < 5000; i++) {
        char text[128] = "[", ours[32];
        size_t n = 1 + random_number(text + 1, sizeof text - 2);
        struct json_reader r;
        struct json_value v;
        int64_t ms;
        ask(&c, slice_of(text + 1, n - 1));
        text[n++] = ']';
        assert_true(json_open_array(&r, guard_copy(&guard, slice_of(text, n))));
        assert_int_equal(json_next_element(&r, &v), JSON_ITEM);
        assert_true(json_number_ms(v, &ms));
        snprintf(ours, sizeof ours, "%lld", (long long)ms);
        answer(&c, ours);
    }
    compare_with_node(&c, "const [, sign, whole, fraction = '', exponent = '0'] ="
                          "  /^(-?)(\\d+)(?:\\.(\\d+))?(?:[eE](.+))?$/.exec(b.toString());"
                          "const digits = BigInt(sign + whole + fraction);"
                          "const scale = Number(exponent) - fraction.length + 3;"
                          "let ms = digits * 10n ** BigInt(Math.max(scale, 0));"
                          "if (scale < 0) { const by = 10n ** BigInt(-scale);"
                          "  ms = digits / by + (digits > 0n && digits % by ? 1n : 0n); }"
                          "const max = 2n ** 63n - 1n;"
                          "return String(ms > max ? max : ms < -max - 1n ? -max - 1n : ms);");
}

/* ---- tokens --------------------------------------------------------------------------------- */

#define SECRET "0123456789abcdef0123456789abcdef"

static void tokens_signed_here_are_those_node_signs(void **state)
{
    (void)state;
    need("node");
    static const char *const users[] = {
        "alice", "b", "\"q\"\\", "\xc3\xa9t\xc3\xa9", "\xf0\x9f\x98\x80", "a/b c"};
    struct cases c = {0};
    struct hmac_key key;
    hmac_key_init(&key, SLICE(SECRET));
    for (int i = 0; i < 1000; i++) {
        char question[256], token[JWT_MAX];
        const char *user = users[below(COUNT(users))];
        int64_t issued = (int64_t)below(4000000000), expires = (int64_t)below(4000000000);
        bool never = below(3) == 0;
        int n = snprintf(question, sizeof question, "%s\n%lld\n%lld", user, (long long)issued,
                         never ? -1 : (long long)expires);
        ask(&c, slice_of(question, (size_t)n));
        size_t length = jwt_sign(token, sizeof token - 1, &key, slice_str(user),
                                 issued * 1000 + (int64_t)below(1000),
                                 never ? INT64_MAX : expires * 1000 + (int64_t)below(1000));
        token[length] = 0;
        answer(&c, token);
    }
    compare_with_node(&c, "const [sub, iat, exp] = b.toString().split('\\n');"
                          "const part = (o) => "
                          "Buffer.from(JSON.stringify(o)).toString('base64url');"
                          "const claims = {sub, iat: +iat}; if (exp !== '-1') claims.exp = +exp;"
                          "const t = part({alg: 'HS256', typ: 'JWT'}) + '.' + part(claims);"
                          "return t + '.' + crypto.createHmac('sha256', '" SECRET "').update(t)"
                          ".digest('base64url');");
}

/* A header and claims with this and that wrong with them, signed or nearly so. */
static size_t random_token(char *out, const struct hmac_key *key)
{
    static const char *const headers[] = {"{\"alg\":\"HS256\"}",
                                          "{\"alg\":\"HS256\",\"typ\":\"JWT\"}",
                                          "{\"typ\":\"JWT\",\"alg\":\"HS256\"}",
                                          "{\"alg\":\"HS256\",\"kid\":[1,{}]}",
                                          "{\"alg\":\"none\"}",
                                          "{\"alg\":\"HS512\"}",
                                          "{\"alg\":\"HS256\",\"crit\":[]}",
                                          "{}",
                                          "[]",
                                          "{\"alg\":\"HS256\""};
    static const char *const subs[] = {"\"alice\"",   "\"\\u0061\\ud83d\\ude00\"",
                                       "\"\"",        "1",
                                       "null",        "\"a\\u0000\"",
                                       "\"\\u009f\"", "[]"};
    static const char *const times[] = {"1790000000",     "1790000000.5",
                                        "1790000000.501", "1790000001",
                                        "1.790000001e9",  "\"1790000001\"",
                                        "null",           "-5",
                                        "1790000000.499", "1e3"};
    char claims[256], *at = claims;
    at = stpcpy(at, "{");
    if (below(10))
        at += sprintf(at, "\"sub\":%s,", subs[below(below(2) ? 2 : COUNT(subs))]);
    if (below(2))
        at += sprintf(at, "\"exp\":%s,", times[below(2) ? 2 + below(3) : below(COUNT(times))]);
    if (below(3) == 0)
        at += sprintf(at, "\"nbf\":%s,", times[below(2) ? below(2) : below(COUNT(times))]);
    if (below(4) == 0)
        at += sprintf(at, "\"iat\":%s,", times[below(COUNT(times))]);
    sprintf(at, "\"x\":{\"sub\":\"eve\"}%s", below(20) ? "}" : "");

    uint8_t signature[SHA256_SIZE];
    size_t n = base64url_encode(out, slice_str(headers[below(below(3) ? 4 : COUNT(headers))]));
    out[n++] = '.';
    n += base64url_encode(out + n, slice_str(claims));
    hmac_sign(key, slice_of(out, n), signature);
    out[n++] = '.';
    n += base64url_encode(out + n,
                          slice_of(signature, below(20) ? SHA256_SIZE : below(SHA256_SIZE)));
    if (below(8) == 0)
        out[below(n)] = "AZaz09-_.=+ "[below(12)];
    return n;
}

static const char *const status_names[] = {
    [JWT_OK] = "ok",
    [JWT_MALFORMED] = "malformed",
    [JWT_BAD_ALGORITHM] = "algorithm",
    [JWT_BAD_SIGNATURE] = "signature",
    [JWT_EXPIRED] = "expired",
    [JWT_NOT_YET] = "not yet",
    [JWT_BAD_CLAIM] = "claim",
};

static void tokens_are_judged_as_a_second_implementation_does(void **state)
{
    (void)state;
    need("node");
    struct cases c = {0};
    struct hmac_key keys[2];
    hmac_key_init(&keys[0], SLICE("the key after the next rotation."));
    hmac_key_init(&keys[1], SLICE(SECRET));
    size_t seen[COUNT(status_names)] = {0};
    for (int i = 0; i < 5000; i++) {
        char token[2048];
        struct jwt out;
        struct slice t = slice_of(token, random_token(token, &keys[1]));
        ask(&c, t);
        enum jwt_status status = jwt_verify(guard_copy(&guard, t), keys, 2, NOW, &out);
        seen[status]++;
        if (status == JWT_OK) {
            buf_append_lit(&c.ours, "ok ");
            answer_hex(&c, slice_of(out.user, out.user_n));
        } else {
            answer(&c, status_names[status]);
        }
    }
    for (size_t i = 0; i < COUNT(seen); i++)
        assert_true(seen[i] > 20);
    compare_with_node(
        &c, "const part = (t) => { const d = Buffer.from(t, 'base64url');"
            "  if (d.toString('base64url') !== t) throw 0; return d; };"
            "const object = (t) => {"
            "  const o = JSON.parse(new TextDecoder('utf-8', {fatal: true}).decode(part(t)));"
            "  if (o === null || typeof o !== 'object' || Array.isArray(o)) throw 0; return o; };"
            "try {"
            "  const parts = b.toString('latin1').split('.'); if (parts.length < 3) throw 0;"
            "  const header = object(parts[0]);"
            "  if (header.alg !== 'HS256' || 'crit' in header) return 'algorithm';"
            "  if (parts.length > 3) throw 0;"
            "  const want = crypto.createHmac('sha256', '" SECRET "')"
            "    .update(parts[0] + '.' + parts[1]).digest();"
            "  if (!want.equals(part(parts[2]))) return 'signature';"
            "  const claims = object(parts[1]);"
            "  for (const name of ['exp', 'nbf', 'iat'])"
            "    if (name in claims && typeof claims[name] !== 'number') return 'claim';"
            "  const user = Buffer.from(typeof claims.sub === 'string' ? claims.sub : '');"
            "  if (!user.length || user.length > 64 || /[\\0-\\x1f\\x7f-\\x9f]/.test(claims.sub))"
            "    return 'claim';"
            "  if (1790000000500 >= claims.exp * 1000) return 'expired';"
            "  if (1790000000500 < claims.nbf * 1000) return 'not yet';"
            "  return 'ok ' + user.toString('hex');"
            "} catch (e) { return 'malformed'; }");
}

static int setup(void **state)
{
    (void)state;
    const char *chosen = getenv("CODEC_SEED");
    if (chosen)
        seed = strtoull(chosen, NULL, 10);
    random_state = seed;
    print_message("seed %llu\n", (unsigned long long)seed);
    guard_init(&guard, ROOM);
    folder_make_path(folder);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    guard_fini(&guard);
    unlink(path_of("cases"));
    unlink(path_of("script.js"));
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hashes_agree_with_openssl),
        cmocka_unit_test(base64_agrees_with_node),
        cmocka_unit_test(strict_base64url_agrees_with_node),
        cmocka_unit_test(utf8_agrees_with_node),
        cmocka_unit_test(json_is_accepted_and_refused_as_node_does),
        cmocka_unit_test(json_strings_decode_and_encode_as_node_does),
        cmocka_unit_test(json_numbers_become_milliseconds_as_whole_number_arithmetic_has_it),
        cmocka_unit_test(tokens_signed_here_are_those_node_signs),
        cmocka_unit_test(tokens_are_judged_as_a_second_implementation_does),
    };
    return cmocka_run_group_tests_name("codec_reference", tests, setup, teardown);
}
