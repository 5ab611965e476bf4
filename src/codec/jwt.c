#include "codec/jwt.h"

#include "codec/base64.h"
#include "codec/json.h"

#include <stdio.h>

#define JWT_PART_MAX BASE64_DECODED_MAX(JWT_MAX)

const char *jwt_status_text(enum jwt_status status)
{
    switch (status) {
    case JWT_OK:
        return "the token is valid";
    case JWT_MALFORMED:
        return "the token is malformed";
    case JWT_BAD_ALGORITHM:
        return "the token is not signed with HS256";
    case JWT_BAD_SIGNATURE:
        return "the token's signature is wrong";
    case JWT_EXPIRED:
        return "the token has expired";
    case JWT_NOT_YET:
        return "the token is not valid yet";
    case JWT_BAD_CLAIM:
        return "a claim of the token is missing or not valid";
    case JWT_REFUSED:
        return "the token was refused";
    }
    return "unknown";
}

/* Takes what is in front of the first dot off the token; false if there is no dot. */
static bool jwt_take_part(struct slice *token, struct slice *part)
{
    const uint8_t *dot = token->n ? memchr(token->p, '.', token->n) : NULL;
    if (!dot)
        return false;
    *part = slice_of(token->p, (size_t)(dot - token->p));
    *token = slice_skip(*token, part->n + 1);
    return true;
}

/* Opens the JSON object of a part, decoded into buf. */
static bool jwt_open(struct json_reader *r, struct slice part, uint8_t buf[JWT_PART_MAX])
{
    ptrdiff_t n = base64url_decode(buf, part);
    return n >= 0 && json_open_object(r, slice_of(buf, (size_t)n));
}

/* JWT_OK, or why the signature need not be looked at. */
static enum jwt_status jwt_check_header(struct slice header)
{
    uint8_t buf[JWT_PART_MAX];
    struct json_reader r;
    struct json_value name, value;
    enum json_step step;
    bool hs256 = false, critical = false;
    if (!jwt_open(&r, header, buf))
        return JWT_MALFORMED;
    while ((step = json_next_member(&r, &name, &value)) == JSON_ITEM) {
        if (json_string_eq(name, SLICE("alg")))
            hs256 = json_string_eq(value, SLICE("HS256"));
        else if (json_string_eq(name, SLICE("crit")))
            critical = true; /* no extension is known here: RFC 7515 section 4.1.11 */
    }
    if (step == JSON_ERROR)
        return JWT_MALFORMED;
    return hs256 && !critical ? JWT_OK : JWT_BAD_ALGORITHM;
}

static enum jwt_status jwt_check_signature(struct slice signed_text, struct slice signature,
                                           const struct hmac_key *keys, size_t n_keys)
{
    uint8_t given[JWT_PART_MAX], expected[SHA256_SIZE];
    ptrdiff_t n = base64url_decode(given, signature);
    if (n < 0)
        return JWT_MALFORMED;
    if (n != SHA256_SIZE)
        return JWT_BAD_SIGNATURE;
    for (size_t i = 0; i < n_keys; i++) {
        hmac_sign(&keys[i], signed_text, expected);
        if (hmac_equal(given, expected))
            return JWT_OK;
    }
    return JWT_BAD_SIGNATURE;
}

/* The user id of a `sub`; its length, or 0 if it is none. */
static size_t jwt_user(struct json_value sub, uint8_t out[USERID_MAX])
{
    uint8_t id[6 * USERID_MAX]; /* every byte as \u00XX */
    if (sub.type != JSON_STRING || sub.raw.n > sizeof id)
        return 0;
    ptrdiff_t n = json_string_decode(sub, id);
    if (n < 0 || !userid_valid(slice_of(id, (size_t)n)))
        return 0;
    memcpy(out, id, (size_t)n);
    return (size_t)n;
}

/* A time in a claim; one that the token does not have leaves *ms alone. */
static bool jwt_time(struct json_value claim, int64_t *ms)
{
    return !claim.raw.p || json_number_ms(claim, ms);
}

static enum jwt_status jwt_check_claims(struct slice payload, int64_t now_ms, struct jwt *out)
{
    uint8_t buf[JWT_PART_MAX];
    struct json_reader r;
    struct json_value name, value, sub = {.raw.p = NULL}, exp = sub, nbf = sub, iat = sub;
    enum json_step step;
    if (!jwt_open(&r, payload, buf))
        return JWT_MALFORMED;
    while ((step = json_next_member(&r, &name, &value)) == JSON_ITEM) {
        if (json_string_eq(name, SLICE("sub")))
            sub = value;
        else if (json_string_eq(name, SLICE("exp")))
            exp = value;
        else if (json_string_eq(name, SLICE("nbf")))
            nbf = value;
        else if (json_string_eq(name, SLICE("iat")))
            iat = value;
    }
    if (step == JSON_ERROR)
        return JWT_MALFORMED;

    struct jwt token = {.expires_ms = INT64_MAX, .issued_ms = INT64_MIN};
    int64_t not_before = INT64_MIN;
    token.user_n = jwt_user(sub, token.user);
    if (token.user_n == 0 || !jwt_time(exp, &token.expires_ms) || !jwt_time(nbf, &not_before) ||
        !jwt_time(iat, &token.issued_ms))
        return JWT_BAD_CLAIM;
    if (now_ms >= token.expires_ms)
        return JWT_EXPIRED;
    if (now_ms < not_before)
        return JWT_NOT_YET;
    *out = token;
    return JWT_OK;
}

enum jwt_status jwt_verify(struct slice token, const struct hmac_key *keys, size_t n_keys,
                           int64_t now_ms, struct jwt *out)
{
    struct slice rest = token, header, payload;
    if (token.n > JWT_MAX || !jwt_take_part(&rest, &header) || !jwt_take_part(&rest, &payload))
        return JWT_MALFORMED;
    enum jwt_status status = jwt_check_header(header);
    if (status == JWT_OK)
        status =
            jwt_check_signature(slice_of(token.p, header.n + 1 + payload.n), rest, keys, n_keys);
    if (status == JWT_OK)
        status = jwt_check_claims(payload, now_ms, out);
    return status;
}

/* {"alg":"HS256","typ":"JWT"} */
#define JWT_HEADER "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9."

size_t jwt_sign(char *out, size_t room, const struct hmac_key *key, struct slice user,
                int64_t issued_ms, int64_t expires_ms)
{
    uint8_t id[JSON_ENCODED_MAX(USERID_MAX)], signature[SHA256_SIZE];
    char exp[32] = "", payload[sizeof id + 96];
    if (!userid_valid(user))
        return 0;
    size_t id_n = json_string_encode(id, user);
    if (expires_ms != INT64_MAX)
        snprintf(exp, sizeof exp, ",\"exp\":%lld", (long long)(expires_ms / 1000));
    int payload_n = snprintf(payload, sizeof payload, "{\"sub\":%.*s,\"iat\":%lld%s}", (int)id_n,
                             (const char *)id, (long long)(issued_ms / 1000), exp);

    size_t n = sizeof JWT_HEADER - 1;
    if (room < n + BASE64URL_SIZE((size_t)payload_n) + 1 + BASE64URL_SIZE(SHA256_SIZE))
        return 0;
    memcpy(out, JWT_HEADER, n);
    n += base64url_encode(out + n, slice_of(payload, (size_t)payload_n));
    hmac_sign(key, slice_of(out, n), signature);
    out[n++] = '.';
    return n + base64url_encode(out + n, slice_of(signature, sizeof signature));
}
