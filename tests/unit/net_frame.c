/* frame: every rule of RFC 6455, section 5, for both roles, in any split of the input. */
#include "../support/guard.h"
#include "base/buf.h"
#include "net/frame.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#define LIMIT 70000 /* bytes of a message, in most of these tests */

/* ---- writing input ------------------------------------------------------------------------ */

static const uint8_t test_key[4] = {0x37, 0xfa, 0x21, 0x3d};

/* The key of the i-th byte, the plain way: what frame_mask is held against. */
static void mask_plainly(uint8_t *p, size_t n, const uint8_t key[4])
{
    for (size_t i = 0; i < n; i++)
        p[i] ^= key[i % 4];
}

/* A frame with any first byte, in the form that the role wants to read. */
static void put_frame(struct buf *b, bool server, uint8_t first, const void *p, size_t n)
{
    uint8_t head[FRAME_MAX_HEAD];
    enum frame_opcode opcode = (enum frame_opcode)(first & 15);
    size_t size = server ? frame_write_masked_head(head, opcode, n, test_key)
                         : frame_write_head(head, opcode, n);
    head[0] = first;
    buf_append(b, head, size);
    buf_append(b, p, n);
    if (server && n)
        mask_plainly(b->p + b->n - n, n, test_key);
    assert_false(b->failed);
}

/* ---- reading it in pieces ----------------------------------------------------------------- */

/* What came out, as text: "T" begins a text, "B" a binary, their bytes, "." ends it; "<ping x>",
   "<pong x>", "<close 1000 x>"; "!1002" is an error, behind which nothing is read. */
struct reading {
    struct frame_reader reader;
    bool server;
    uint64_t limit;
    struct buf out;
    bool over;
    struct guard guard;
};

static void reading_init(struct reading *r, bool server, uint64_t limit, size_t room)
{
    *r = (struct reading){.server = server, .limit = limit};
    guard_init(&r->guard, room);
}

static void reading_fini(struct reading *r)
{
    buf_free(&r->out);
    guard_fini(&r->guard);
}

static void note(struct reading *r, enum frame_event event, const struct frame *f)
{
    if (event == FRAME_ERROR) {
        buf_printf(&r->out, "!%u", f->code);
        assert_non_null(f->why);
        assert_true(strlen(f->why) <= FRAME_MAX_CONTROL - 2);
        r->over = true;
    } else if (event == FRAME_DATA) {
        assert_true(f->opcode == FRAME_TEXT || f->opcode == FRAME_BINARY);
        if (f->first)
            buf_append(&r->out, f->opcode == FRAME_TEXT ? "T" : "B", 1);
        buf_append_slice(&r->out, f->payload);
        if (f->last)
            buf_append_lit(&r->out, ".");
    } else if (f->opcode == FRAME_CLOSE) {
        buf_printf(&r->out, "<close %u ", f->code);
        buf_append_slice(&r->out, f->payload);
        buf_append_lit(&r->out, ">");
        r->over = true;
    } else {
        buf_printf(&r->out, f->opcode == FRAME_PING ? "<ping " : "<pong ");
        buf_append_slice(&r->out, f->payload);
        buf_append_lit(&r->out, ">");
    }
}

/* Reads all of `in`; gives what is left over: at most an incomplete head or control frame. */
static size_t read_all(struct reading *r, struct slice in)
{
    /* In place, flush against the unreadable page. */
    struct slice copy = guard_copy(&r->guard, in);
    uint8_t *p = r->guard.map + (copy.p - r->guard.map);
    size_t n = in.n;
    while (!r->over) {
        struct frame f;
        size_t used;
        enum frame_event event = frame_read(&r->reader, r->server, r->limit, p, n, &used, &f);
        assert_true(used <= n);
        p += used;
        n -= used;
        if (event == FRAME_MORE) {
            assert_int_equal(used, 0);
            break;
        }
        note(r, event, &f);
    }
    if (!r->over)
        assert_true(n <= 131);
    return r->over ? 0 : n;
}

/* All of the input in pieces: chop gives the size of the next one. */
static void read_chopped(struct reading *r, struct slice in, size_t (*chop)(void *), void *ctx)
{
    struct buf waiting = {0};
    while (in.n && !r->over) {
        size_t n = chop(ctx);
        if (n > in.n)
            n = in.n;
        buf_append(&waiting, in.p, n);
        in = slice_skip(in, n);
        size_t left = read_all(r, buf_slice(&waiting));
        buf_drop(&waiting, waiting.n - left);
    }
    buf_free(&waiting);
}

static size_t chop_one(void *ctx)
{
    (void)ctx;
    return 1;
}

static size_t chop_at(void *ctx)
{
    size_t *at = ctx, n = *at;
    *at = SIZE_MAX;
    return n ? n : 1;
}

static void expect(struct reading *r, struct slice expected, const char *how)
{
    if (!slice_eq(buf_slice(&r->out), expected))
        fail_msg("%s: got \"%.*s\", expected \"%.*s\"", how, SLICE_FMT(buf_slice(&r->out)),
                 SLICE_FMT(expected));
}

/* The input whole, byte by byte, and split at every point gives the same. */
static void expect_in_every_split(bool server, uint64_t limit, struct slice in,
                                  struct slice expected)
{
    size_t points = in.n <= 400 ? in.n : 40; /* of long ones the head and some of the payload */
    for (size_t at = 0; at <= points + 1; at++) {
        struct reading r;
        size_t split = at;
        reading_init(&r, server, limit, in.n + 131);
        if (at == 0)
            read_all(&r, in);
        else if (at <= points)
            read_chopped(&r, in, chop_at, &split);
        else
            read_chopped(&r, in, chop_one, NULL);
        expect(&r, expected, at == 0 ? "whole" : at <= points ? "split" : "byte by byte");
        reading_fini(&r);
    }
}

/* ---- the table ---------------------------------------------------------------------------- */

/* Frames are written "FIRST PAYLOAD|", FIRST being the first byte in hexadecimal; the payload may
   hold C escapes. They are put into the form that each role wants to read. */
static void put_script(struct buf *b, bool server, const char *script, size_t n)
{
    const char *end = script + n;
    while (script < end) {
        const char *bar = memchr(script, '|', (size_t)(end - script));
        assert_non_null(bar);
        put_frame(b, server, (uint8_t)strtoul(script, NULL, 16), script + 3,
                  (size_t)(bar - script) - 3);
        script = bar + 1;
    }
}

#define SCRIPT(script) script, sizeof(script) - 1

static const struct {
    const char *script;
    size_t n;
    const char *expected;
} frames[] = {
    /* whole messages */
    {SCRIPT("81 hello|"), "Thello."},
    {SCRIPT("82 hello|"), "Bhello."},
    {SCRIPT("81 |"), "T."},
    {SCRIPT("82 |"), "B."},
    {SCRIPT("81 a|82 b|81 c|"), "Ta.Bb.Tc."},
    /* fragments */
    {SCRIPT("01 a|80 b|"), "Tab."},
    {SCRIPT("02 a|00 b|00 c|80 d|81 e|"), "Babcd.Te."},
    {SCRIPT("01 |00 |80 |"), "T."},
    {SCRIPT("01 |00 x|80 |"), "Tx."},
    {SCRIPT("01 a|80 |81 |"), "Ta.T."},
    {SCRIPT("01 unfinished|"), "Tunfinished"},
    /* control frames, alone and between fragments */
    {SCRIPT("89 |8a |"), "<ping ><pong >"},
    {SCRIPT("89 are you there|"), "<ping are you there>"},
    {SCRIPT("01 a|89 p|80 b|"), "Ta<ping p>b."},
    {SCRIPT("02 a|8a p|89 q|00 b|89 |80 |"), "Ba<pong p><ping q>b<ping >."},
    {SCRIPT("01 \xe2\x82|89 \xff|80 \xac|"), "T\xe2\x82<ping \xff>\xac."},
    {SCRIPT("88 |"), "<close 1005 >"},
    {SCRIPT("88 \x03\xe8|"), "<close 1000 >"},
    {SCRIPT("88 \x03\xe9going|81 ignored|"), "<close 1001 going>"},
    {SCRIPT("88 \x0f\xa0\xe2\x82\xac|"), "<close 4000 \xe2\x82\xac>"},
    {SCRIPT("01 a|88 \x03\xe8|"), "Ta<close 1000 >"},
    /* 5.2: reserved bits and opcodes */
    {SCRIPT("c1 x|"), "!1002"},
    {SCRIPT("a1 x|"), "!1002"},
    {SCRIPT("91 x|"), "!1002"},
    {SCRIPT("f1 x|"), "!1002"},
    {SCRIPT("c9 |"), "!1002"},
    {SCRIPT("83 |"), "!1002"},
    {SCRIPT("84 |"), "!1002"},
    {SCRIPT("85 |"), "!1002"},
    {SCRIPT("86 |"), "!1002"},
    {SCRIPT("87 |"), "!1002"},
    {SCRIPT("03 |"), "!1002"},
    {SCRIPT("8b |"), "!1002"},
    {SCRIPT("8c |"), "!1002"},
    {SCRIPT("8d |"), "!1002"},
    {SCRIPT("8e |"), "!1002"},
    {SCRIPT("8f |"), "!1002"},
    {SCRIPT("81 ok|c1 x|"), "Tok.!1002"},
    /* 5.4: fragmentation */
    {SCRIPT("80 x|"), "!1002"},
    {SCRIPT("00 x|"), "!1002"},
    {SCRIPT("80 |"), "!1002"},
    {SCRIPT("81 a|80 b|"), "Ta.!1002"},
    {SCRIPT("01 a|80 b|80 c|"), "Tab.!1002"},
    {SCRIPT("01 a|81 b|"), "Ta!1002"},
    {SCRIPT("01 a|01 b|"), "Ta!1002"},
    {SCRIPT("01 a|82 b|"), "Ta!1002"},
    {SCRIPT("02 a|00 b|02 c|"), "Bab!1002"},
    /* 5.5: control frames */
    {SCRIPT("09 |"), "!1002"},
    {SCRIPT("0a x|"), "!1002"},
    {SCRIPT("08 |"), "!1002"},
    {SCRIPT("01 a|09 p|80 b|"), "Ta!1002"},
    {SCRIPT("88 x|"), "!1002"},
    {SCRIPT("88 \x03\xed|"), "!1002"}, /* 1005 */
    {SCRIPT("88 \x03\xee|"), "!1002"}, /* 1006 */
    {SCRIPT("88 \x03\xe8\xff|"), "!1007"},
    {SCRIPT("88 \x03\xe8\xe2\x82|"), "!1007"},
    {SCRIPT("88 \x03\xe8\xed\xa0\x80|"), "!1007"},
    /* 8.1: UTF-8, also over the borders of fragments */
    {SCRIPT("81 \xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80|"), "T\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80."},
    {SCRIPT("01 \xf0|00 \x9f|00 \x98|80 \x80|"), "T\xf0\x9f\x98\x80."},
    {SCRIPT("01 \xf0|00 |80 \x9f\x98\x80|"), "T\xf0\x9f\x98\x80."},
    {SCRIPT("82 \xff\xfe\xc0|"), "B\xff\xfe\xc0."},
    {SCRIPT("02 \xe2|80 \xff|"), "B\xe2\xff."},
    {SCRIPT("01 \xe2\x82\xac|82 x|"), "T\xe2\x82\xac!1002"},
    {SCRIPT("81 \xc3\xa9|81 \xc3\xa9|"), "T\xc3\xa9.T\xc3\xa9."},
    {SCRIPT("01 \xe2\x82|80 |"), "T\xe2\x82!1007"}, /* ends inside a character */
};

static void the_table_of_frames_reads_the_same_in_every_split(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof frames / sizeof *frames; i++) {
        for (int server = 0; server <= 1; server++) {
            struct buf in = {0};
            put_script(&in, server, frames[i].script, frames[i].n);
            expect_in_every_split(server, LIMIT, buf_slice(&in), slice_str(frames[i].expected));
            buf_free(&in);
        }
    }
}

/* Heads as they stand on the wire, with the role that reads them. */
static const struct {
    bool server;
    const char *bytes;
    size_t n;
    const char *expected;
} heads[] = {
    /* 5.1: the mask bit, refused with the second byte */
    {true, SCRIPT("\x81\x05"), "!1002"},
    {true, SCRIPT("\x89\x00"), "!1002"},
    {true, SCRIPT("\x88\x02"), "!1002"},
    {true, SCRIPT("\x81\x7f"), "!1002"},
    {false, SCRIPT("\x81\x85"), "!1002"},
    {false, SCRIPT("\x89\x80"), "!1002"},
    {false, SCRIPT("\x82\xfe"), "!1002"},
    /* the first byte alone shows it */
    {true, SCRIPT("\xc1"), "!1002"},
    {true, SCRIPT("\x83"), "!1002"},
    {true, SCRIPT("\x09"), "!1002"},
    {false, SCRIPT("\xff"), "!1002"},
    /* 5.2: lengths in their shortest form */
    {false, SCRIPT("\x82\x7e\x00\x00"), "!1002"},
    {false, SCRIPT("\x82\x7e\x00\x7d"), "!1002"},
    {true, SCRIPT("\x82\xfe\x00\x7d"), "!1002"},
    {false, SCRIPT("\x82\x7f\0\0\0\0\0\0\0\0"), "!1002"},
    {false, SCRIPT("\x82\x7f\0\0\0\0\0\0\0\x7d"), "!1002"},
    {false, SCRIPT("\x82\x7f\0\0\0\0\0\0\0\x7e"), "!1002"},
    {false, SCRIPT("\x82\x7f\0\0\0\0\0\0\xff\xff"), "!1002"},
    {true, SCRIPT("\x82\xff\0\0\0\0\0\0\xff\xff"), "!1002"},
    /* the top bit */
    {false, SCRIPT("\x82\x7f\x80\0\0\0\0\0\0\0"), "!1002"},
    {false, SCRIPT("\x82\x7f\xff\xff\xff\xff\xff\xff\xff\xff"), "!1002"},
    {true, SCRIPT("\x82\xff\x80\0\0\0\0\1\0\0"), "!1002"},
    /* 5.5: control frames of more than 125 bytes, refused with the second byte */
    {true, SCRIPT("\x89\xfe"), "!1002"},
    {true, SCRIPT("\x8a\xff"), "!1002"},
    {false, SCRIPT("\x88\x7e"), "!1002"},
    {false, SCRIPT("\x89\x7f"), "!1002"},
    /* over the limit of 70,000 by the head alone; a client's with its key */
    {false, SCRIPT("\x82\x7f\0\0\0\0\0\1\x11\x71"), "!1009"},
    {true,
     SCRIPT("\x82\xff\0\0\0\0\0\1\x11\x71"
            "abcd"),
     "!1009"},
    {false, SCRIPT("\x81\x7f\x7f\xff\xff\xff\xff\xff\xff\xff"), "!1009"},
    {false,
     SCRIPT("\x01\x01"
            "a"
            "\x00\x7f\x7f\xff\xff\xff\xff\xff\xff\xff"),
     "Ta!1009"},
    {false, SCRIPT("\x02\x7f\0\0\0\0\0\1\x11\x70"), "B"}, /* exactly as much: it begins */
    /* incomplete heads say nothing yet */
    {true, SCRIPT(""), ""},
    {true, SCRIPT("\x81"), ""},
    {true,
     SCRIPT("\x81\x80"
            "abc"),
     ""},
    {true,
     SCRIPT("\x81\xfe\x01\x00"
            "abc"),
     ""},
    {false, SCRIPT("\x82\x7e\x01"), ""},
    {false, SCRIPT("\x82\x7f\0\0\0\0\0\1\0"), ""},
};

static void the_table_of_heads_is_judged_at_once(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++)
        expect_in_every_split(heads[i].server, LIMIT, slice_of(heads[i].bytes, heads[i].n),
                              slice_str(heads[i].expected));
}

static void every_size_of_payload_passes_in_both_roles(void **state)
{
    (void)state;
    static const size_t sizes[] = {0,   1,   2,   7,     8,     9,     124,  125,
                                   126, 127, 128, 65534, 65535, 65536, LIMIT};
    char *payload = malloc(LIMIT);
    assert_non_null(payload);
    for (size_t i = 0; i < LIMIT; i++)
        payload[i] = (char)('a' + i % 26);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        for (int server = 0; server <= 1; server++) {
            struct buf in = {0}, expected = {0};
            put_frame(&in, server, 0x81, payload, sizes[i]);
            put_frame(&in, server, 0x89, "x", 1);
            buf_append_lit(&expected, "T");
            buf_append(&expected, payload, sizes[i]);
            buf_append_lit(&expected, ".<ping x>");
            if (sizes[i] > 400) { /* byte by byte is for the small */
                struct reading r;
                reading_init(&r, server, LIMIT, in.n);
                read_all(&r, buf_slice(&in));
                expect(&r, buf_slice(&expected), "whole");
                reading_fini(&r);
                for (size_t at = 1; at < 20; at++) {
                    size_t split = at;
                    reading_init(&r, server, LIMIT, in.n + 131);
                    read_chopped(&r, buf_slice(&in), chop_at, &split);
                    expect(&r, buf_slice(&expected), "split");
                    reading_fini(&r);
                }
            } else {
                expect_in_every_split(server, LIMIT, buf_slice(&in), buf_slice(&expected));
            }
            buf_free(&in);
            buf_free(&expected);
        }
    }
    free(payload);
}

static void a_control_frame_of_125_bytes_passes_in_every_split(void **state)
{
    (void)state;
    char payload[FRAME_MAX_CONTROL], expected[160];
    memset(payload, 'p', sizeof payload);
    snprintf(expected, sizeof expected, "<ping %.125s>", payload);
    for (int server = 0; server <= 1; server++) {
        struct buf in = {0};
        put_frame(&in, server, 0x89, payload, sizeof payload);
        expect_in_every_split(server, 0, buf_slice(&in), slice_str(expected));
        buf_free(&in);
    }
}

static void the_limit_is_of_the_sum_of_all_fragments(void **state)
{
    (void)state;
    static const struct {
        const char *script;
        size_t n;
        const char *expected;
    } cases[] = {
        {SCRIPT("81 0123456789|"), "T0123456789."},
        {SCRIPT("81 0123456789a|"), "!1009"},
        {SCRIPT("01 01234|80 56789|81 0123456789|"), "T0123456789.T0123456789."},
        {SCRIPT("01 01234|80 56789a|"), "T01234!1009"},
        {SCRIPT("01 0123456789|80 |"), "T0123456789."},
        {SCRIPT("01 0123456789|00 |80 a|"), "T0123456789!1009"},
        {SCRIPT("01 01234|89 a ping does not count|80 56789|"), "T01234<ping a ping does not "
                                                                "count>56789."},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (int server = 0; server <= 1; server++) {
            struct buf in = {0};
            put_script(&in, server, cases[i].script, cases[i].n);
            expect_in_every_split(server, 10, buf_slice(&in), slice_str(cases[i].expected));
            buf_free(&in);
        }
    }
}

static void every_close_code_is_judged(void **state)
{
    (void)state;
    for (unsigned code = 0; code <= 5000; code++) {
        /* RFC 6455, 7.4.1 and 7.4.2, and the registry: 1012, 1013, 1014. */
        bool valid = (code >= 3000 && code <= 4999) ||
                     (code >= 1000 && code <= 1014 && code != 1004 && code != 1005 && code != 1006);
        assert_int_equal(close_code_valid((uint16_t)code), valid);
        struct buf in = {0};
        uint8_t payload[3] = {(uint8_t)(code >> 8), (uint8_t)code, 'x'};
        char expected[32];
        snprintf(expected, sizeof expected, valid ? "<close %u x>" : "!1002", code);
        put_frame(&in, true, 0x88, payload, sizeof payload);
        struct reading r;
        reading_init(&r, true, LIMIT, in.n);
        read_all(&r, buf_slice(&in));
        expect(&r, slice_str(expected), "close");
        reading_fini(&r);
        buf_free(&in);
    }
    assert_false(close_code_valid(UINT16_MAX));
}

/* The error comes with the first byte that shows it: not a byte before, not a byte later. */
static void text_that_is_not_utf_8_is_refused_at_its_first_wrong_byte(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t wrong; /* the index of that byte */
    } cases[] = {
        {"\xff", 0},         {"abc\x80", 3},         {"\xc0\x80", 0},
        {"\xe0\x80\x80", 1}, {"\xed\xa0\x80", 1},    {"\xf4\x90\x80\x80", 1},
        {"\xf5", 0},         {"\xe2\x82\x41zzz", 2}, {"0123456789\xf0\x9f\x98\x28zz", 13},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (int fragment = 0; fragment <= 1; fragment++) {
            /* The head promises 200 bytes; what lies behind the wrong byte never comes. */
            uint8_t head[FRAME_MAX_HEAD];
            struct reading r;
            reading_init(&r, false, LIMIT, 256);
            size_t n = frame_write_head(head, FRAME_TEXT, 200);
            if (fragment)
                head[0] &= 0x7f;
            assert_int_equal(read_all(&r, slice_of(head, n)), 0);
            for (size_t k = 0; k <= cases[i].wrong; k++) {
                assert_false(r.over);
                assert_int_equal(read_all(&r, slice_of(cases[i].text + k, 1)), 0);
            }
            assert_true(r.over);
            assert_non_null(strstr((char *)r.out.p, "!1007"));
            reading_fini(&r);
        }
    }
}

static size_t chop_random(void *ctx)
{
    uint32_t *seed = ctx;
    *seed = *seed * 1664525 + 1013904223;
    uint32_t n = *seed >> 8;
    return n % 8 ? n % 97 + 1 : n % 5000 + 1;
}

/* Random messages in random fragments with pings between them, chopped at random. */
static void random_messages_come_back_as_they_were_written(void **state)
{
    (void)state;
    uint32_t seed = 11;
    char *payload = malloc(LIMIT);
    assert_non_null(payload);
    for (int round = 0; round < 60; round++) {
        bool server = round % 2;
        struct buf in = {0}, expected = {0};
        for (int message = 0; message < 8; message++) {
            bool text = chop_random(&seed) % 2;
            size_t fragments = chop_random(&seed) % 4 + 1;
            for (size_t i = 0; i < fragments; i++) {
                size_t n = chop_random(&seed) - 1;
                for (size_t k = 0; k < n; k++)
                    payload[k] = (char)('a' + chop_random(&seed) % 26);
                uint8_t first = (uint8_t)((i ? 0 : text ? 1 : 2) | (i + 1 == fragments ? 0x80 : 0));
                if (i == 0)
                    buf_append(&expected, text ? "T" : "B", 1);
                buf_append(&expected, payload, n);
                put_frame(&in, server, first, payload, n);
                if (chop_random(&seed) % 3 == 0 && i + 1 < fragments) {
                    put_frame(&in, server, 0x89, "p", 1);
                    buf_append_lit(&expected, "<ping p>");
                }
            }
            buf_append_lit(&expected, ".");
        }
        struct reading r;
        reading_init(&r, server, LIMIT, 5300);
        read_chopped(&r, buf_slice(&in), chop_random, &seed);
        expect(&r, buf_slice(&expected), "random");
        reading_fini(&r);
        buf_free(&in);
        buf_free(&expected);
    }
    free(payload);
}

static void masking_agrees_with_the_plain_way_at_every_alignment(void **state)
{
    (void)state;
    struct guard g;
    guard_init(&g, 128);
    for (size_t n = 0; n <= 64; n++) {
        for (size_t end = 0; end < 16; end++) { /* 0: flush against the unreadable page */
            uint8_t *p = guard_tail(&g, n + end), expected[64];
            for (size_t i = 0; i < n + end; i++)
                p[i] = (uint8_t)(i * 89 + n);
            memcpy(expected, p, n);
            mask_plainly(expected, n, test_key);
            frame_mask(p, n, test_key);
            assert_memory_equal(p, expected, n);
            for (size_t i = n; i < n + end; i++)
                assert_int_equal(p[i], (uint8_t)(i * 89 + n));
        }
    }
    guard_fini(&g);
}

static void heads_are_written_in_the_shortest_form(void **state)
{
    (void)state;
    uint8_t head[FRAME_MAX_HEAD];
    assert_int_equal(frame_write_head(head, FRAME_TEXT, 125), 2);
    assert_memory_equal(head, "\x81\x7d", 2);
    assert_int_equal(frame_write_head(head, FRAME_BINARY, 126), 4);
    assert_memory_equal(head, "\x82\x7e\x00\x7e", 4);
    assert_int_equal(frame_write_head(head, FRAME_TEXT, 65535), 4);
    assert_memory_equal(head, "\x81\x7e\xff\xff", 4);
    assert_int_equal(frame_write_head(head, FRAME_TEXT, 65536), 10);
    assert_memory_equal(head, "\x81\x7f\0\0\0\0\0\1\0\0", 10);
    assert_int_equal(frame_write_masked_head(head, FRAME_PING, 5, test_key), 6);
    assert_memory_equal(head, "\x89\x85\x37\xfa\x21\x3d", 6);
    assert_int_equal(frame_write_masked_head(head, FRAME_TEXT, 65536, test_key), 14);
    assert_memory_equal(head, "\x81\xff\0\0\0\0\0\1\0\0\x37\xfa\x21\x3d", 14);
}

/* RFC 6455, 5.7. */
static void the_examples_of_the_rfc_are_read(void **state)
{
    (void)state;
    expect_in_every_split(false, LIMIT, SLICE("\x81\x05Hello"), SLICE("THello."));
    expect_in_every_split(true, LIMIT, SLICE("\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"),
                          SLICE("THello."));
    expect_in_every_split(false, LIMIT, SLICE("\x01\x03Hel\x80\x02lo"), SLICE("THello."));
    expect_in_every_split(false, LIMIT, SLICE("\x89\x05Hello"), SLICE("<ping Hello>"));
    expect_in_every_split(true, LIMIT, SLICE("\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"),
                          SLICE("<pong Hello>"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_examples_of_the_rfc_are_read),
        cmocka_unit_test(the_table_of_frames_reads_the_same_in_every_split),
        cmocka_unit_test(the_table_of_heads_is_judged_at_once),
        cmocka_unit_test(every_size_of_payload_passes_in_both_roles),
        cmocka_unit_test(a_control_frame_of_125_bytes_passes_in_every_split),
        cmocka_unit_test(the_limit_is_of_the_sum_of_all_fragments),
        cmocka_unit_test(every_close_code_is_judged),
        cmocka_unit_test(text_that_is_not_utf_8_is_refused_at_its_first_wrong_byte),
        cmocka_unit_test(random_messages_come_back_as_they_were_written),
        cmocka_unit_test(masking_agrees_with_the_plain_way_at_every_alignment),
        cmocka_unit_test(heads_are_written_in_the_shortest_form),
    };
    return cmocka_run_group_tests_name("net_frame", tests, NULL, NULL);
}
