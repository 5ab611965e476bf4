/* jwt: the tokens of RFC 7515 and RFC 7519, and everything that must not pass. */
#include "../support/guard.h"
#include "codec/base64.h"
#include "codec/jwt.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#define NOW INT64_C(1790000000500) /* half a second after 1790000000 */

static struct hmac_key key, other;

static int setup(void **state)
{
    (void)state;
    hmac_key_init(&key, SLICE("0123456789abcdef0123456789abcdef"));
    hmac_key_init(&other, SLICE("another secret of thirty-two byte"));
    return 0;
}

/* Judges a token that ends at an unreadable page. */
static enum jwt_status verify(struct slice token, struct jwt *out)
{
    struct guard g;
    guard_init(&g, JWT_MAX + 1);
    enum jwt_status status = jwt_verify(guard_copy(&g, token), &key, 1, NOW, out);
    guard_fini(&g);
    return status;
}

/* A token of any header and payload, signed; out is long enough for JWT_MAX and more. */
static struct slice make(char out[2 * JWT_MAX], struct slice header, struct slice payload)
{
    uint8_t signature[SHA256_SIZE];
    size_t n = base64url_encode(out, header);
    out[n++] = '.';
    n += base64url_encode(out + n, payload);
    hmac_sign(&key, slice_of(out, n), signature);
    out[n++] = '.';
    n += base64url_encode(out + n, slice_of(signature, sizeof signature));
    return slice_of(out, n);
}

#define HS256 "{\"alg\":\"HS256\"}"

static enum jwt_status judge(const char *header, const char *payload, struct jwt *out)
{
    char text[2 * JWT_MAX];
    return verify(make(text, slice_str(header), slice_str(payload)), out);
}

static enum jwt_status judge_payload(const char *payload)
{
    struct jwt token;
    return judge(HS256, payload, &token);
}

static enum jwt_status judge_header(const char *header)
{
    struct jwt token;
    return judge(header, "{\"sub\":\"alice\"}", &token);
}

/* RFC 7515 section A.1, which is RFC 7519 section 3.1. Its claims name no `sub`: that this is
 * what is found wrong shows that the signature has been found right. */
#define RFC_HEADER "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9"
#define RFC_PAYLOAD                                                   \
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGF" \
    "tcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
#define RFC_SIGNATURE "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"

static void the_token_of_the_rfc_has_a_good_signature(void **state)
{
    (void)state;
    uint8_t secret[BASE64_DECODED_MAX(86)];
    ptrdiff_t n = base64url_decode(secret, SLICE("AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0"
                                                 "gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"));
    assert_int_equal(n, 64);
    struct hmac_key keys[3] = {other, key};
    hmac_key_init(&keys[2], slice_of(secret, 64));

    struct jwt token;
    struct slice text = SLICE(RFC_HEADER "." RFC_PAYLOAD "." RFC_SIGNATURE);
    assert_int_equal(jwt_verify(text, keys, 3, NOW, &token), JWT_BAD_CLAIM);
    assert_int_equal(jwt_verify(text, keys, 2, NOW, &token), JWT_BAD_SIGNATURE);
    assert_int_equal(jwt_verify(text, keys, 0, NOW, &token), JWT_BAD_SIGNATURE);
}

/* RFC 7519 section 6.1 */
static void the_unsecured_token_of_the_rfc_is_refused(void **state)
{
    (void)state;
    struct jwt token;
    assert_int_equal(verify(SLICE("eyJhbGciOiJub25lIn0." RFC_PAYLOAD "."), &token),
                     JWT_BAD_ALGORITHM);
}

static void any_algorithm_but_hs256_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "{\"alg\":\"none\"}",    "{\"alg\":\"None\"}",
        "{\"alg\":\"NONE\"}",    "{\"alg\":\"RS256\"}",
        "{\"alg\":\"HS384\"}",   "{\"alg\":\"hs256\"}",
        "{\"alg\":\"HS256 \"}",  "{\"alg\":\"\"}",
        "{\"alg\":null}",        "{\"alg\":256}",
        "{\"alg\":[\"HS256\"]}", "{}",
        "{\"Alg\":\"HS256\"}",   "{\"alg\":\"HS256\\u0000\"}",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(judge_header(bad[i]), JWT_BAD_ALGORITHM);
    assert_int_equal(judge_header("{\"alg\":\"none\",\"alg\":\"HS256\"}"), JWT_OK);
    assert_int_equal(judge_header("{\"alg\":\"HS256\",\"alg\":\"none\"}"), JWT_BAD_ALGORITHM);
    assert_int_equal(judge_header(" { \"typ\" : \"JWT\" , \"\\u0061lg\" : \"HS\\u003256\" } "),
                     JWT_OK);
}

/* A header cannot bring or choose the key that it is judged by. */
static void keys_in_a_header_are_not_used(void **state)
{
    (void)state;
    static const char *const headers[] = {
        "{\"alg\":\"HS256\",\"kid\":\"../../dev/null\"}",
        "{\"alg\":\"HS256\",\"kid\":\"' UNION SELECT 'key\"}",
        "{\"alg\":\"HS256\",\"jku\":\"http://evil.example/keys\"}",
        "{\"alg\":\"HS256\",\"x5u\":\"http://evil.example/key.pem\"}",
        "{\"alg\":\"HS256\",\"jwk\":{\"kty\":\"oct\",\"k\":\"\"}}",
    };
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
        char text[2 * JWT_MAX];
        uint8_t signature[SHA256_SIZE];
        struct hmac_key empty;
        struct jwt token;
        struct slice t = make(text, slice_str(headers[i]), SLICE("{\"sub\":\"alice\"}"));
        assert_int_equal(verify(t, &token), JWT_OK);
        /* The same, signed with the empty key that the last one names. */
        size_t n = t.n - BASE64URL_SIZE(SHA256_SIZE);
        hmac_key_init(&empty, SLICE(""));
        hmac_sign(&empty, slice_of(text, n - 1), signature);
        n += base64url_encode(text + n, slice_of(signature, sizeof signature));
        assert_int_equal(verify(slice_of(text, n), &token), JWT_BAD_SIGNATURE);
    }
}

static void a_critical_extension_is_refused(void **state)
{
    (void)state;
    assert_int_equal(judge_header("{\"alg\":\"HS256\",\"crit\":[\"exp\"],\"exp\":1}"),
                     JWT_BAD_ALGORITHM);
    assert_int_equal(judge_header("{\"alg\":\"HS256\",\"b64\":false,\"crit\":[\"b64\"]}"),
                     JWT_BAD_ALGORITHM);
}

static void what_is_not_a_token_is_malformed(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        ".",
        "..",
        "...",
        "abc",
        "eyJhbGciOiJIUzI1NiJ9",
        "eyJhbGciOiJIUzI1NiJ9.e30",
        ".e30.AAAA",
        "eyJhbGciOiJIUzI1NiJ9=.e30.AAAA",
        " eyJhbGciOiJIUzI1NiJ9.e30.AAAA",
        "eyJhbGciOiJIUzI1NiJ9.e30.AAAA.AAAA",
        "eyJhbGciOiJIUzI1NiJ9.e30.A",
        "eyJhbGciOiJIUzI1NiJ9.e30.AAAA\n",
        "eyJhbGciOiJIUzI1NiJ9.e30." RFC_SIGNATURE "=",
        "eyJhbGciOiJIUzI1NiJ8.e30." RFC_SIGNATURE,
        "W10.e30." RFC_SIGNATURE,
    };
    struct jwt token;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(verify(slice_str(bad[i]), &token), JWT_MALFORMED);
    assert_int_equal(judge_header("{\"alg\":\"HS256\"}x"), JWT_MALFORMED);
    assert_int_equal(judge_header("{\"alg\":\"HS256\",}"), JWT_MALFORMED);
    assert_int_equal(judge_header("[\"HS256\"]"), JWT_MALFORMED);
    assert_int_equal(judge_payload("{\"sub\":\"alice\"} {}"), JWT_MALFORMED);
    assert_int_equal(judge_payload("{\"sub\":\"al\xff\"}"), JWT_MALFORMED);
    assert_int_equal(judge_payload("\"alice\""), JWT_MALFORMED);
    assert_int_equal(judge_payload(""), JWT_MALFORMED);
}

static void the_signature_is_judged_before_the_claims(void **state)
{
    (void)state;
    char text[2 * JWT_MAX];
    struct jwt token;
    static const char *const payloads[] = {"{\"sub\":\"alice\"}", "{\"sub\":7}", "{\"exp\":1}",
                                           "not JSON at all"};
    for (size_t i = 0; i < sizeof payloads / sizeof *payloads; i++) {
        struct slice t = make(text, SLICE(HS256), slice_str(payloads[i]));
        text[t.n - 10] = text[t.n - 10] == 'A' ? 'B' : 'A';
        assert_int_equal(verify(t, &token), JWT_BAD_SIGNATURE);
        t.n = t.n - BASE64URL_SIZE(SHA256_SIZE);
        assert_int_equal(verify(t, &token), JWT_BAD_SIGNATURE);
    }
}

/* Nor is one that only begins with the right bytes. */
static void a_signature_of_another_length_is_wrong(void **state)
{
    (void)state;
    char text[2 * JWT_MAX];
    uint8_t signature[SHA256_SIZE + 3] = {0};
    struct jwt token;
    struct slice t = make(text, SLICE(HS256), SLICE("{\"sub\":\"alice\"}"));
    size_t n = t.n - BASE64URL_SIZE(SHA256_SIZE);
    hmac_sign(&key, slice_of(text, n - 1), signature);
    for (size_t size = 0; size <= sizeof signature; size++) {
        size_t more = base64url_encode(text + n, slice_of(signature, size));
        assert_int_equal(verify(slice_of(text, n + more), &token),
                         size == SHA256_SIZE ? JWT_OK : JWT_BAD_SIGNATURE);
    }
}

static void no_changed_or_shortened_token_passes(void **state)
{
    (void)state;
    char text[2 * JWT_MAX];
    struct jwt token;
    struct guard g;
    guard_init(&g, JWT_MAX);
    size_t n = jwt_sign(text, sizeof text, &key, SLICE("alice"), NOW, NOW + 5000);
    assert_int_equal(verify(slice_of(text, n), &token), JWT_OK);
    for (size_t at = 0; at < n; at++)
        for (int bit = 0; bit < 8; bit++) {
            text[at] ^= (char)(1 << bit);
            assert_int_not_equal(
                jwt_verify(guard_copy(&g, slice_of(text, n)), &key, 1, NOW, &token), JWT_OK);
            text[at] ^= (char)(1 << bit);
        }
    for (size_t shorter = 0; shorter < n; shorter++)
        assert_int_not_equal(
            jwt_verify(guard_copy(&g, slice_of(text, shorter)), &key, 1, NOW, &token), JWT_OK);
    guard_fini(&g);
}

static void the_subject_must_be_a_user_id(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "{}",
        "{\"sub\":\"\"}",
        "{\"sub\":42}",
        "{\"sub\":null}",
        "{\"sub\":[\"alice\"]}",
        "{\"sub\":{}}",
        "{\"sub\":\"a\\u0000b\"}",
        "{\"sub\":\"a\\nb\"}",
        "{\"sub\":\"\\u007f\"}",
        "{\"sub\":\"\\u0085\"}",
        "{\"sub\":\"\\ud800\"}",
        "{\"Sub\":\"alice\"}",
        "{\"sub\":\"alice\",\"sub\":1}",
        "{\"sub\":\"12345678901234567890123456789012345678901234567890123456789012345\"}",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(judge_payload(bad[i]), JWT_BAD_CLAIM);

    struct jwt token;
    assert_int_equal(
        judge(HS256, "{\"sub\":\"bob\",\"sub\":\"\\u0061lice \\ud83d\\ude00\"}", &token), JWT_OK);
    assert_true(slice_eq(slice_of(token.user, token.user_n), SLICE("alice \xf0\x9f\x98\x80")));

    char payload[512] = "{\"sub\":\"";
    for (int i = 0; i < USERID_MAX; i++)
        strcat(payload, "\\u0061");
    strcat(payload, "\"}");
    assert_int_equal(judge(HS256, payload, &token), JWT_OK);
    assert_int_equal(token.user_n, USERID_MAX);
}

static void times_are_honoured_to_the_millisecond(void **state)
{
    (void)state;
    static const struct {
        const char *claims;
        enum jwt_status status;
    } cases[] = {
        {"", JWT_OK},
        {",\"exp\":1790000001", JWT_OK},
        {",\"exp\":1790000000", JWT_EXPIRED},
        {",\"exp\":1790000000.501", JWT_OK},
        {",\"exp\":1790000000.5001", JWT_OK},
        {",\"exp\":1790000000.5", JWT_EXPIRED},
        {",\"exp\":1790000000.4999", JWT_EXPIRED},
        {",\"exp\":1.7900000006e9", JWT_OK},
        {",\"exp\":1e400", JWT_OK},
        {",\"exp\":-1", JWT_EXPIRED},
        {",\"exp\":-1e400", JWT_EXPIRED},
        {",\"exp\":0", JWT_EXPIRED},
        {",\"nbf\":1790000000", JWT_OK},
        {",\"nbf\":1790000000.5", JWT_OK},
        {",\"nbf\":1790000000.5001", JWT_NOT_YET},
        {",\"nbf\":1790000001", JWT_NOT_YET},
        {",\"nbf\":1e99", JWT_NOT_YET},
        {",\"iat\":1790000001", JWT_OK},
        {",\"exp\":1,\"exp\":1790000001", JWT_OK},
        {",\"exp\":1790000001,\"exp\":1", JWT_EXPIRED},
        {",\"exp\":\"1790000001\"", JWT_BAD_CLAIM},
        {",\"exp\":null", JWT_BAD_CLAIM},
        {",\"exp\":true", JWT_BAD_CLAIM},
        {",\"exp\":[]", JWT_BAD_CLAIM},
        {",\"nbf\":\"1\"", JWT_BAD_CLAIM},
        {",\"exp\":1790000000.50000000000000000000000000000001", JWT_OK},
        {",\"exp\":1790000000.49999999999999999999999999999999", JWT_EXPIRED},
        {",\"exp\":9223372036854775807", JWT_OK},
        {",\"exp\":9223372036854775808", JWT_OK},
        {",\"exp\":18446744073709551616", JWT_OK},
        {",\"exp\":-9223372036854775808", JWT_EXPIRED},
        {",\"exp\":-18446744073709551617", JWT_EXPIRED},
        {",\"exp\":1e99999999999999999999", JWT_OK},
        {",\"exp\":-1e99999999999999999999", JWT_EXPIRED},
        {",\"exp\":1e-99999999999999999999", JWT_EXPIRED},
        {",\"exp\":-0.0", JWT_EXPIRED},
        {",\"exp\":\"\"", JWT_BAD_CLAIM},
        {",\"exp\":\"never\"", JWT_BAD_CLAIM},
        {",\"exp\":false", JWT_BAD_CLAIM},
        {",\"exp\":{\"value\":1790000001}", JWT_BAD_CLAIM},
        {",\"exp\":NaN", JWT_MALFORMED},
        {",\"exp\":Infinity", JWT_MALFORMED},
        {",\"exp\":+1790000001", JWT_MALFORMED},
        {",\"exp\":01790000001", JWT_MALFORMED},
        {",\"exp\":0x7fffffff", JWT_MALFORMED},
        {",\"iat\":\"1\"", JWT_BAD_CLAIM},
        {",\"nbf\":{},\"exp\":1", JWT_BAD_CLAIM},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char payload[128];
        snprintf(payload, sizeof payload, "{\"sub\":\"alice\"%s}", cases[i].claims);
        if (judge_payload(payload) != cases[i].status)
            fail_msg("%s: %s", payload, jwt_status_text(judge_payload(payload)));
    }
}

static void what_the_token_says_is_handed_out(void **state)
{
    (void)state;
    struct jwt token;
    assert_int_equal(judge(HS256, "{\"sub\":\"alice\",\"exp\":1790000001.25,\"iat\":1e9}", &token),
                     JWT_OK);
    assert_true(token.expires_ms == INT64_C(1790000001250));
    assert_true(token.issued_ms == INT64_C(1000000000000));
    assert_int_equal(judge(HS256, "{\"sub\":\"alice\"}", &token), JWT_OK);
    assert_true(token.expires_ms == INT64_MAX && token.issued_ms == INT64_MIN);
}

static void nothing_is_written_unless_the_token_is_good(void **state)
{
    (void)state;
    struct jwt token = {.user_n = 77};
    assert_int_equal(judge(HS256, "{\"sub\":\"alice\",\"exp\":1}", &token), JWT_EXPIRED);
    assert_int_equal(token.user_n, 77);
}

static void a_token_over_the_limit_is_malformed(void **state)
{
    (void)state;
    char *text = malloc(4 * JWT_MAX), *payload = malloc(JWT_MAX);
    struct jwt token;
    size_t ok = 0, malformed = 0;
    assert_non_null(text);
    assert_non_null(payload);
    for (int room = 2980; room < 3040; room++) {
        int n = snprintf(payload, JWT_MAX, "{\"sub\":\"alice\",\"x\":\"%*s\"}", room, "");
        struct slice t = make(text, SLICE(HS256), slice_of(payload, (size_t)n));
        enum jwt_status status =
            verify(t.n <= JWT_MAX + 1 ? t : slice_of(t.p, JWT_MAX + 1), &token);
        assert_int_equal(status, t.n <= JWT_MAX ? JWT_OK : JWT_MALFORMED);
        ok += status == JWT_OK;
        malformed += status == JWT_MALFORMED;
    }
    assert_true(ok > 0 && malformed > 0);
    free(payload);
    free(text);
}

#define LONGEST "1234567890123456789012345678901234567890123456789012345678901234"

static void a_token_we_sign_is_one_we_accept(void **state)
{
    (void)state;
    static const char *const users[] = {"a", "alice", "\"\\\"", "\xf0\x9f\x98\x80", LONGEST};
    struct hmac_key keys[2] = {other, key};
    for (size_t i = 0; i < sizeof users / sizeof *users; i++) {
        char text[JWT_MAX];
        struct jwt token;
        struct slice user = slice_str(users[i]);
        size_t n = jwt_sign(text, sizeof text, &key, user, NOW, NOW + 2999);
        assert_int_equal(jwt_verify(slice_of(text, n), keys, 2, NOW, &token), JWT_OK);
        assert_true(slice_eq(slice_of(token.user, token.user_n), user));
        assert_true(token.issued_ms == INT64_C(1790000000000));
        assert_true(token.expires_ms == INT64_C(1790000003000));
        assert_int_equal(jwt_verify(slice_of(text, n), keys, 2, NOW + 2500, &token), JWT_EXPIRED);
        assert_int_equal(jwt_verify(slice_of(text, n), keys, 1, NOW, &token), JWT_BAD_SIGNATURE);
        n = jwt_sign(text, sizeof text, &key, user, NOW, INT64_MAX);
        assert_int_equal(jwt_verify(slice_of(text, n), keys, 2, INT64_MAX - 1, &token), JWT_OK);
        assert_true(token.expires_ms == INT64_MAX);
    }
}

static void signing_never_writes_beyond_the_room(void **state)
{
    (void)state;
    char text[JWT_MAX];
    struct guard g;
    guard_init(&g, JWT_MAX);
    size_t n = jwt_sign(text, sizeof text, &key, SLICE("alice"), NOW, NOW);
    for (size_t room = 0; room <= n; room++)
        assert_int_equal(
            jwt_sign((char *)guard_tail(&g, room), room, &key, SLICE("alice"), NOW, NOW),
            room == n ? n : 0);
    assert_int_equal(jwt_sign(text, sizeof text, &key, SLICE(""), NOW, NOW), 0);
    assert_int_equal(jwt_sign(text, sizeof text, &key, SLICE("a\n"), NOW, NOW), 0);
    guard_fini(&g);
}

static void every_status_has_a_text_of_its_own(void **state)
{
    (void)state;
    for (int a = JWT_OK; a <= JWT_BAD_CLAIM; a++)
        for (int b = JWT_OK; b < a; b++)
            assert_string_not_equal(jwt_status_text((enum jwt_status)a),
                                    jwt_status_text((enum jwt_status)b));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_token_of_the_rfc_has_a_good_signature),
        cmocka_unit_test(the_unsecured_token_of_the_rfc_is_refused),
        cmocka_unit_test(any_algorithm_but_hs256_is_refused),
        cmocka_unit_test(keys_in_a_header_are_not_used),
        cmocka_unit_test(a_critical_extension_is_refused),
        cmocka_unit_test(what_is_not_a_token_is_malformed),
        cmocka_unit_test(the_signature_is_judged_before_the_claims),
        cmocka_unit_test(a_signature_of_another_length_is_wrong),
        cmocka_unit_test(no_changed_or_shortened_token_passes),
        cmocka_unit_test(the_subject_must_be_a_user_id),
        cmocka_unit_test(times_are_honoured_to_the_millisecond),
        cmocka_unit_test(what_the_token_says_is_handed_out),
        cmocka_unit_test(nothing_is_written_unless_the_token_is_good),
        cmocka_unit_test(a_token_over_the_limit_is_malformed),
        cmocka_unit_test(a_token_we_sign_is_one_we_accept),
        cmocka_unit_test(signing_never_writes_beyond_the_room),
        cmocka_unit_test(every_status_has_a_text_of_its_own),
    };
    return cmocka_run_group_tests_name("codec_jwt", tests, setup, NULL);
}
