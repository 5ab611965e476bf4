/*
 * jwt: tokens (RFC 7519) that are signed with HS256 (RFC 7515, RFC 7518 section 3.2), and with
 * nothing else.
 *
 * The signature is judged before any claim is looked at. Of the claims, `sub` is the user id,
 * `exp`, `nbf` and `iat` are numbers where they are present; others are ignored. Of two members of
 * the same name the last one counts.
 */
#ifndef CODEC_JWT_H
#define CODEC_JWT_H

#include "codec/hmac.h"
#include "codec/userid.h"

#define JWT_MAX 4096 /* bytes of a token; ours are under 700 */

enum jwt_status {
    JWT_OK,
    JWT_MALFORMED,     /* not three parts of base64url, or not JSON objects inside, or too long */
    JWT_BAD_ALGORITHM, /* `alg` is not "HS256", or `crit` demands an extension */
    JWT_BAD_SIGNATURE,
    JWT_EXPIRED,   /* now >= exp */
    JWT_NOT_YET,   /* now < nbf */
    JWT_BAD_CLAIM, /* no valid user id in `sub`, or a time that is not a number */
    JWT_REFUSED,   /* by the program that hosts the server */
};

struct jwt {
    uint8_t user[USERID_MAX];
    size_t user_n;
    int64_t expires_ms; /* INT64_MAX: never */
    int64_t issued_ms;  /* INT64_MIN: the token does not say */
};

/* Seconds since 1970; 0 where the token does not say. */
static inline uint32_t jwt_issued(const struct jwt *token)
{
    int64_t s = token->issued_ms / 1000;
    return token->issued_ms < 0 ? 0 : s < UINT32_MAX ? (uint32_t)s : UINT32_MAX;
}

/* A sentence without a full stop, for people. */
const char *jwt_status_text(enum jwt_status status);

/* Judges a token: good if any of the keys has signed it. out is written only with JWT_OK. */
__attribute__((warn_unused_result)) enum jwt_status jwt_verify(struct slice token,
                                                               const struct hmac_key *keys,
                                                               size_t n_keys, int64_t now_ms,
                                                               struct jwt *out);

/* Writes a token for that user and returns its length, or 0 if it takes more than `room` bytes or
 * the user id is not valid. Times are cut to whole seconds; expires_ms INT64_MAX: no `exp`. */
size_t jwt_sign(char *out, size_t room, const struct hmac_key *key, struct slice user,
                int64_t issued_ms, int64_t expires_ms);

#endif
