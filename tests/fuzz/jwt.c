/* Tokens, as they come (first byte even) or signed here (odd): a header and a payload, a zero byte
   between them. None is good without its signature, none is refused for a good one. */
#include "codec/jwt.h"
#include "codec/base64.h"
#include "fuzz.h"

#define NOW INT64_C(1790000000000)

static struct hmac_key key;

static void put_encoded(struct buf *out, struct slice s)
{
    char *to = (char *)buf_reserve(out, BASE64URL_SIZE(s.n) + 1);
    CHECK(to);
    out->n += base64url_encode(to, s);
}

/* Both alphabets: one value has one text. */
static void check_base64(struct slice in)
{
    uint8_t *value = malloc(BASE64_DECODED_MAX(in.n) + 1);
    char *text = malloc(BASE64_SIZE(in.n) + 4);
    CHECK(value && text);
    ptrdiff_t n = base64url_decode(value, in);
    if (n >= 0)
        CHECK(slice_eq(slice_of(text, base64url_encode(text, slice_of(value, (size_t)n))), in));
    n = base64_decode(value, in);
    if (n >= 0)
        CHECK(slice_eq(slice_of(text, base64_encode(text, slice_of(value, (size_t)n))), in));
    size_t written = base64_encode(text, slice_of(in.p, in.n / 2));
    CHECK(written == BASE64_SIZE(in.n / 2));
    CHECK(base64_decode(value, slice_of(text, written)) == (ptrdiff_t)(in.n / 2));
    CHECK(in.n < 2 || memcmp(value, in.p, in.n / 2) == 0);
    free(value);
    free(text);
}

static void check_good(const struct jwt *jwt)
{
    CHECK(userid_valid(slice_of(jwt->user, jwt->user_n)) && jwt->expires_ms > NOW);
    char token[1024];
    struct jwt again;
    struct slice user = slice_of(jwt->user, jwt->user_n);
    size_t n = jwt_sign(token, sizeof token, &key, user, NOW, jwt->expires_ms);
    CHECK(n > 0);
    enum jwt_status status = jwt_verify(slice_of(token, n), &key, 1, NOW, &again);
    /* The part of a second is cut off. */
    CHECK(status == JWT_OK || (status == JWT_EXPIRED && jwt->expires_ms < NOW + 1000));
    CHECK(status != JWT_OK || slice_eq(slice_of(again.user, again.user_n), user));
}

static void check_signed(struct slice in)
{
    const uint8_t *end = in.n ? memchr(in.p, 0, in.n) : NULL;
    struct slice header = slice_of(in.p, end ? (size_t)(end - in.p) : in.n);
    struct slice payload = slice_skip(in, header.n + (end != NULL));
    struct buf token = {0};
    uint8_t signature[SHA256_SIZE];
    struct jwt jwt = {.user_n = 0};
    put_encoded(&token, header);
    buf_append_lit(&token, ".");
    put_encoded(&token, payload);
    hmac_sign(&key, buf_slice(&token), signature);
    buf_append_lit(&token, ".");
    put_encoded(&token, slice_of(signature, sizeof signature));
    enum jwt_status status = jwt_verify(buf_slice(&token), &key, 1, NOW, &jwt);
    CHECK(status != JWT_BAD_SIGNATURE);
    if (status == JWT_OK) {
        check_good(&jwt);
        token.p[token.n - 8] ^= 1;
        CHECK(jwt_verify(buf_slice(&token), &key, 1, NOW, &jwt) != JWT_OK);
    } else {
        CHECK(jwt.user_n == 0 && *jwt_status_text(status));
    }
    buf_free(&token);
}

static void check_raw(struct slice in)
{
    struct jwt jwt;
    if (jwt_verify(in, &key, 1, NOW, &jwt) != JWT_OK)
        return;
    const uint8_t *dot = memrchr(in.p, '.', in.n);
    uint8_t signature[SHA256_SIZE];
    char text[BASE64URL_SIZE(SHA256_SIZE)];
    CHECK(dot);
    hmac_sign(&key, slice_of(in.p, (size_t)(dot - in.p)), signature);
    size_t n = base64url_encode(text, slice_of(signature, sizeof signature));
    CHECK(slice_eq(slice_of(text, n), slice_skip(in, (size_t)(dot - in.p) + 1)));
    check_good(&jwt);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct slice in = slice_of(p, n);
    hmac_key_init(&key, SLICE("a secret of at least thirty-two bytes"));
    bool sign = fuzz_byte(&in) & 1;
    check_base64(in);
    if (sign)
        check_signed(in);
    else
        check_raw(in);
    return 0;
}
