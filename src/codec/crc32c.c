#include "codec/crc32c.h"

#include "base/endian.h"

#include <stdbool.h>

#if defined __x86_64__
#include <cpuid.h>
#include <immintrin.h>
#elif defined __aarch64__
#include <sys/auxv.h>
#endif

/* ---- everywhere: eight bytes at a time by table ------------------------------------------- */

/* The check is linear: the entry of a nibble is the sum of the entries of its bits, so eight numbers
 * say what a byte does. x is the sum so far; a is the lowest bit's entry. */
#define ROW1(x, a) (x), (x) ^ (a)
#define ROW2(x, a, b) ROW1(x, a), ROW1((x) ^ (b), a)
#define ROW3(x, a, b, c) ROW2(x, a, b), ROW2((x) ^ (c), a, b)
#define ROW4(a, b, c, d)                           \
    {                                              \
        ROW3(0u, a, b, c), ROW3(0u ^ (d), a, b, c) \
    }
#define ROW(a, b, c, d, e, f, g, h) ROW4(a, b, c, d), ROW4(e, f, g, h)

/* crc32c_table[k]: a byte whose low or high nibble is the index, followed by k zero bytes, modulo the
 * polynomial 0x1edc6f41, whose bits stand in reverse order as everywhere here. 1 KiB in all: a table of
 * whole bytes takes eight times that of the program and of the processor's cache. */
static const uint32_t crc32c_table[8][2][16] = {
    {ROW(0xf26b8303, 0xe13b70f7, 0xc79a971f, 0x8ad958cf, 0x105ec76f, 0x20bd8ede, 0x417b1dbc,
         0x82f63b78)},
    {ROW(0x13a29877, 0x274530ee, 0x4e8a61dc, 0x9d14c3b8, 0x3fc5f181, 0x7f8be302, 0xff17c604,
         0xfbc3faf9)},
    {ROW(0xa541927e, 0x4f6f520d, 0x9edea41a, 0x38513ec5, 0x70a27d8a, 0xe144fb14, 0xc76580d9,
         0x8b277743)},
    {ROW(0xdd45aab8, 0xbf672381, 0x7b2231f3, 0xf64463e6, 0xe964b13d, 0xd725148b, 0xaba65fe7,
         0x52a0c93f)},
    {ROW(0x38116fac, 0x7022df58, 0xe045beb0, 0xc5670b91, 0x8f2261d3, 0x1ba8b557, 0x37516aae,
         0x6ea2d55c)},
    {ROW(0xef306b19, 0xdb8ca0c3, 0xb2f53777, 0x6006181f, 0xc00c303e, 0x85f4168d, 0x0e045beb,
         0x1c08b7d6)},
    {ROW(0x68032cc8, 0xd0065990, 0xa5e0c5d1, 0x4e2dfd53, 0x9c5bfaa6, 0x3d5b83bd, 0x7ab7077a,
         0xf56e0ef4)},
    {ROW(0x493c7d27, 0x9278fa4e, 0x211d826d, 0x423b04da, 0x847609b4, 0x0d006599, 0x1a00cb32,
         0x34019664)},
};

static inline uint32_t crc32c_look(unsigned k, uint32_t byte)
{
    return crc32c_table[k][0][byte & 15] ^ crc32c_table[k][1][byte >> 4 & 15];
}

uint32_t crc32c_portable(uint32_t crc, const void *data, size_t n)
{
    const uint8_t *p = data;
    crc = ~crc;
    for (; n >= 8; p += 8, n -= 8) {
        uint32_t low = crc ^ le32_load(p), high = le32_load(p + 4);
        crc = crc32c_look(7, low) ^ crc32c_look(6, low >> 8) ^ crc32c_look(5, low >> 16) ^
              crc32c_look(4, low >> 24) ^ crc32c_look(3, high) ^ crc32c_look(2, high >> 8) ^
              crc32c_look(1, high >> 16) ^ crc32c_look(0, high >> 24);
    }
    for (; n; p++, n--)
        crc = crc >> 8 ^ crc32c_look(0, crc ^ *p);
    return ~crc;
}

/* ---- where the processor has an instruction ----------------------------------------------- */

#if defined __x86_64__

#define CRC32C_TARGET __attribute__((target("sse4.2,pclmul")))

/* The instruction takes three cycles but can begin one every cycle, so three lanes of the input
 * are read side by side. The lane in front is then moved up by the length of what follows it: to
 * append n zero bytes is to multiply by x^8n, and the instruction itself reduces the product. */
struct crc32c_lanes {
    size_t n;          /* bytes of a lane */
    uint32_t one, two; /* x^(8n - 33) and x^(16n - 33): the reduction brings the other 33 */
};

static const struct crc32c_lanes crc32c_long = {1024, 0x170076fa, 0xa51b6135};
static const struct crc32c_lanes crc32c_short = {64, 0x9e4addf8, 0x0d3b6092};

CRC32C_TARGET static inline uint64_t crc32c_multiply(uint64_t crc, uint32_t by)
{
    __m128i product = _mm_clmulepi64_si128(_mm_cvtsi64_si128((long long)crc),
                                           _mm_cvtsi64_si128((long long)by), 0);
    return (uint64_t)_mm_cvtsi128_si64(product);
}

CRC32C_TARGET static inline uint64_t crc32c_three(uint64_t a, const uint8_t *p,
                                                  const struct crc32c_lanes *lanes)
{
    uint64_t b = 0, c = 0;
    for (size_t i = 0; i < lanes->n; i += 8) {
        a = _mm_crc32_u64(a, le64_load(p + i));
        b = _mm_crc32_u64(b, le64_load(p + i + lanes->n));
        c = _mm_crc32_u64(c, le64_load(p + i + 2 * lanes->n));
    }
    return c ^ _mm_crc32_u64(0, crc32c_multiply(a, lanes->two) ^ crc32c_multiply(b, lanes->one));
}

CRC32C_TARGET static uint32_t crc32c_native(uint32_t crc, const uint8_t *p, size_t n)
{
    uint64_t state = ~crc;
    for (; n >= 3 * crc32c_long.n; p += 3 * crc32c_long.n, n -= 3 * crc32c_long.n)
        state = crc32c_three(state, p, &crc32c_long);
    for (; n >= 3 * crc32c_short.n; p += 3 * crc32c_short.n, n -= 3 * crc32c_short.n)
        state = crc32c_three(state, p, &crc32c_short);
    for (; n >= 8; p += 8, n -= 8)
        state = _mm_crc32_u64(state, le64_load(p));
    for (; n; p++, n--)
        state = _mm_crc32_u8((uint32_t)state, *p);
    return ~(uint32_t)state;
}

/* SSE 4.2 and the carry-less product. CPUID is slow, all the more in a virtual machine, so it is asked
 * once; whoever asks at the same moment finds the same. */
static _Atomic signed char crc32c_known; /* 1, -1: there is none; 0: nobody has asked */

static inline bool crc32c_has_native(void)
{
    if (!crc32c_known) {
        unsigned a, b, c = 0, d;
        crc32c_known = __get_cpuid(1, &a, &b, &c, &d) && c & bit_SSE4_2 && c & bit_PCLMUL ? 1 : -1;
    }
    return crc32c_known > 0;
}

#elif defined __aarch64__

/* Assembly, for compilers hide the intrinsics unless the whole file is built for the extension. */
static uint32_t crc32c_native(uint32_t crc, const uint8_t *p, size_t n)
{
    crc = ~crc;
    for (; n >= 8; p += 8, n -= 8)
        __asm__(".arch_extension crc\n\tcrc32cx %w0, %w0, %x1" : "+r"(crc) : "r"(le64_load(p)));
    for (; n; p++, n--)
        __asm__(".arch_extension crc\n\tcrc32cb %w0, %w0, %w1" : "+r"(crc) : "r"(*p));
    return ~crc;
}

static inline bool crc32c_has_native(void)
{
    return getauxval(AT_HWCAP) & HWCAP_CRC32;
}

#else

static uint32_t crc32c_native(uint32_t crc, const uint8_t *p, size_t n)
{
    return crc32c_portable(crc, p, n);
}

static inline bool crc32c_has_native(void)
{
    return false;
}

#endif

uint32_t crc32c(uint32_t crc, const void *p, size_t n)
{
    return crc32c_has_native() ? crc32c_native(crc, p, n) : crc32c_portable(crc, p, n);
}
