/* sha1 and sha256: the examples of FIPS 180-4 and its NIST companions. */
#include "../support/guard.h"
#include "../support/hex.h"
#include "codec/base64.h"
#include "codec/sha1.h"
#include "codec/sha256.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#define MILLION 1000000

static const char bits448[] = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
static const char bits896[] = "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmn"
                              "hijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu";

static const struct {
    const char *text, *sha1, *sha256;
} vectors[] = {
    {"", "da39a3ee5e6b4b0d3255bfef95601890afd80709",
     "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
    {"abc", "a9993e364706816aba3e25717850c26c9cd0d89d",
     "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
    {bits448, "84983e441c3bd26ebaae4aa1f95129e5e54670f1",
     "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    {bits896, "a49b2446a02c645bf419f995b67091253a04a259",
     "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"},
};

#define VECTORS (sizeof vectors / sizeof *vectors)

static void assert_digest(const uint8_t *digest, size_t n, const char *expected)
{
    char text[2 * SHA256_SIZE + 1];
    assert_string_equal(hex_text(text, slice_of(digest, n)), expected);
}

static uint8_t *million(void)
{
    uint8_t *p = malloc(MILLION);
    assert_non_null(p);
    memset(p, 'a', MILLION);
    return p;
}

static void sha1_gives_the_published_digests(void **state)
{
    (void)state;
    struct guard g;
    uint8_t digest[SHA1_SIZE];
    guard_init(&g, MILLION);
    for (size_t i = 0; i < VECTORS; i++) {
        sha1(guard_copy(&g, slice_str(vectors[i].text)), digest);
        assert_digest(digest, sizeof digest, vectors[i].sha1);
    }
    uint8_t *m = million();
    sha1(guard_copy(&g, slice_of(m, MILLION)), digest);
    assert_digest(digest, sizeof digest, "34aa973cd4c4daa4f61eeb2bdbad27316534016f");
    free(m);
    guard_fini(&g);
}

/* RFC 6455 section 1.3 */
static void sha1_gives_the_accept_of_the_websocket_handshake(void **state)
{
    (void)state;
    uint8_t digest[SHA1_SIZE];
    char accept[BASE64_SIZE(SHA1_SIZE) + 1] = "";
    sha1(SLICE("dGhlIHNhbXBsZSBub25jZQ==258EAFA5-E914-47DA-95CA-C5AB0DC85B11"), digest);
    assert_int_equal(base64_encode(accept, slice_of(digest, sizeof digest)), 28);
    assert_string_equal(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

static void sha256_in(struct guard *g, struct slice in, size_t first, size_t step,
                      uint8_t digest[SHA256_SIZE])
{
    struct sha256 h;
    sha256_init(&h);
    sha256_update(&h, guard_copy(g, slice_of(in.p, first)));
    for (size_t at = first; at < in.n; at += step) {
        size_t n = in.n - at < step ? in.n - at : step;
        sha256_update(&h, guard_copy(g, slice_of(in.p + at, n)));
    }
    sha256_final(&h, digest);
}

static void sha256_gives_the_published_digests_however_it_is_fed(void **state)
{
    (void)state;
    struct guard g;
    uint8_t digest[SHA256_SIZE];
    guard_init(&g, 4096);
    for (size_t i = 0; i < VECTORS; i++) {
        struct slice text = slice_str(vectors[i].text);
        for (size_t split = 0; split <= text.n; split++) {
            sha256_in(&g, text, split, text.n + 1, digest);
            assert_digest(digest, sizeof digest, vectors[i].sha256);
        }
        sha256_in(&g, text, 0, 1, digest);
        assert_digest(digest, sizeof digest, vectors[i].sha256);
    }
    uint8_t *m = million();
    static const size_t steps[] = {1, 63, 64, 65, 1000, 4096};
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        sha256_in(&g, slice_of(m, MILLION), 0, steps[i], digest);
        assert_digest(digest, sizeof digest,
                      "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    }
    free(m);
    guard_fini(&g);
}

/* The padding changes its shape at 55, 56, 63 and 64 bytes: every length around them, against a
 * digest of the same bytes in two updates. */
static void sha256_does_not_depend_on_where_the_input_is_cut(void **state)
{
    (void)state;
    struct guard g;
    uint8_t text[200], whole[SHA256_SIZE], cut[SHA256_SIZE];
    guard_init(&g, sizeof text);
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (uint8_t)(i * 7);
    for (size_t n = 0; n <= sizeof text; n++) {
        sha256_in(&g, slice_of(text, n), n, 1, whole);
        for (size_t split = 0; split < n; split += 5) {
            sha256_in(&g, slice_of(text, n), split, n, cut);
            assert_memory_equal(cut, whole, sizeof whole);
        }
    }
    guard_fini(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sha1_gives_the_published_digests),
        cmocka_unit_test(sha1_gives_the_accept_of_the_websocket_handshake),
        cmocka_unit_test(sha256_gives_the_published_digests_however_it_is_fed),
        cmocka_unit_test(sha256_does_not_depend_on_where_the_input_is_cut),
    };
    return cmocka_run_group_tests_name("codec_sha", tests, NULL, NULL);
}
