/* hmac: the test cases of RFC 4231. */
#include "../support/guard.h"
#include "../support/hex.h"
#include "codec/hmac.h"

#if __has_include(<valgrind/memcheck.h>)
#include <valgrind/memcheck.h>
#else
#define VALGRIND_MAKE_MEM_UNDEFINED(p, n) (void)(p)
#define VALGRIND_MAKE_MEM_DEFINED(p, n) (void)(p)
#endif

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define X10(s) s s s s s s s s s s
#define X131(s) X10(X10(s)) X10(s) X10(s) X10(s) s

static const struct {
    const char *key, *data; /* hexadecimal */
    const char *hmac;       /* its beginning: case 5 is cut to 128 bits */
} vectors[] = {
    {X10("0b") X10("0b"), "4869205468657265",
     "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
    {"4a656665", "7768617420646f2079612077616e7420666f72206e6f7468696e673f",
     "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
    {X10("aa") X10("aa"), X10("dd") X10("dd") X10("dd") X10("dd") X10("dd"),
     "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"},
    {"0102030405060708090a0b0c0d0e0f10111213141516171819",
     X10("cd") X10("cd") X10("cd") X10("cd") X10("cd"),
     "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"},
    {X10("0c") X10("0c"), "546573742057697468205472756e636174696f6e",
     "a3b6167473100ee06e0c796c2955552b"},
    {X131("aa"),
     "54657374205573696e67204c6172676572205468616e20426c6f636b2d53697a"
     "65204b6579202d2048617368204b6579204669727374",
     "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
    {X131("aa"),
     "5468697320697320612074657374207573696e672061206c6172676572207468"
     "616e20626c6f636b2d73697a65206b657920616e642061206c61726765722074"
     "68616e20626c6f636b2d73697a6520646174612e20546865206b6579206e6565"
     "647320746f20626520686173686564206265666f7265206265696e6720757365"
     "642062792074686520484d414320616c676f726974686d2e",
     "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"},
};

static void the_cases_of_rfc_4231_are_right(void **state)
{
    (void)state;
    struct guard keys, texts;
    guard_init(&keys, 256);
    guard_init(&texts, 256);
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        uint8_t bytes[256], signature[SHA256_SIZE];
        char text[2 * SHA256_SIZE + 1];
        struct hmac_key k;
        size_t n = hex_bytes(bytes, vectors[i].key);
        hmac_key_init(&k, guard_copy(&keys, slice_of(bytes, n)));
        n = hex_bytes(bytes, vectors[i].data);
        hmac_sign(&k, guard_copy(&texts, slice_of(bytes, n)), signature);
        hex_text(text, slice_of(signature, sizeof signature));
        assert_memory_equal(text, vectors[i].hmac, strlen(vectors[i].hmac));
    }
    guard_fini(&keys);
    guard_fini(&texts);
}

static void a_key_signs_any_number_of_times(void **state)
{
    (void)state;
    struct hmac_key k;
    uint8_t first[SHA256_SIZE], again[SHA256_SIZE];
    hmac_key_init(&k, SLICE("Jefe"));
    hmac_sign(&k, SLICE("one"), first);
    hmac_sign(&k, SLICE("two"), again);
    assert_false(hmac_equal(first, again));
    hmac_sign(&k, SLICE("one"), again);
    assert_true(hmac_equal(first, again));
}

static void a_single_bit_makes_signatures_different(void **state)
{
    (void)state;
    uint8_t a[SHA256_SIZE] = {0}, b[SHA256_SIZE] = {0};
    assert_true(hmac_equal(a, b));
    for (int bit = 0; bit < 8 * SHA256_SIZE; bit++) {
        b[bit / 8] = (uint8_t)(1 << bit % 8);
        assert_false(hmac_equal(a, b));
        b[bit / 8] = 0;
    }
}

/* To Valgrind, secret bytes are here bytes that were never set: it reports every branch and every
   address that depends on one. Elsewhere this shows the results alone. */
static void no_branch_depends_on_a_secret(void **state)
{
    (void)state;
    uint8_t secret[40] = "a secret of at least thirty-two bytes", right[SHA256_SIZE];
    uint8_t given[SHA256_SIZE];
    struct hmac_key k;
    hmac_key_init(&k, slice_of(secret, sizeof secret));
    hmac_sign(&k, SLICE("text"), given);
    for (int i = -1; i < SHA256_SIZE; i++) {
        VALGRIND_MAKE_MEM_UNDEFINED(secret, sizeof secret);
        hmac_key_init(&k, slice_of(secret, sizeof secret));
        hmac_sign(&k, SLICE("text"), right);
        if (i >= 0)
            given[i] ^= 1;
        bool equal = hmac_equal(given, right);
        VALGRIND_MAKE_MEM_DEFINED(&equal, sizeof equal);
        assert_int_equal(equal, i < 0);
        if (i >= 0)
            given[i] ^= 1;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_cases_of_rfc_4231_are_right),
        cmocka_unit_test(a_key_signs_any_number_of_times),
        cmocka_unit_test(a_single_bit_makes_signatures_different),
        cmocka_unit_test(no_branch_depends_on_a_secret),
    };
    return cmocka_run_group_tests_name("codec_hmac", tests, NULL, NULL);
}
