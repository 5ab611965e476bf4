/* record: what stands in the log, byte by byte. */
#include "store/record.h"
#include "store/segment.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdio.h>

/* The golden bytes of a record at place 64: whatever reads a log of version 1 must read this. */
static const uint8_t golden[RECORD_HEAD + 2] = {
    0xa8, 0x34, 0x89, 0xe1, 46,   0,    0, 0, 1,   3,  0, 0, /* check, length, kind.. */
    7,    0,    0,    0,    0x21, 0x43, 0, 0,                /* conversation, back */
    8,    7,    6,    5,    4,    3,    2, 0,                /* id */
    0x7b, 0x71, 0x03, 0xc4, 0xa0, 0x01, 0, 0,                /* date */
    0xff, 0,    0,    0,    0,    1,    0, 0, '{', '}'};

static const struct record fields = {
    .length = 46,
    .kind = 1,
    .flags = 3,
    .conversation = 7,
    .back = 0x4321,
    .id = 0x0002030405060708,
    .date = 0x01a0c403717b,
    .prev = 0x0000010000000000 + 0xff,
};

static void test_a_record_has_these_bytes(void **state)
{
    (void)state;
    uint8_t p[sizeof golden] = {0};
    memcpy(p + RECORD_HEAD, "{}", 2);
    record_seal(&fields, p, 64);
    assert_memory_equal(p, golden, sizeof golden);
    struct record r;
    assert_true(record_read(&r, p));
    assert_int_equal(r.length, fields.length);
    assert_int_equal(r.flags, fields.flags);
    assert_int_equal(r.conversation, fields.conversation);
    assert_int_equal(r.back, fields.back);
    assert_int_equal(r.id, fields.id);
    assert_int_equal(r.date, fields.date);
    assert_int_equal(r.prev, fields.prev);
    assert_true(slice_eq(record_json(&r, p), SLICE("{}")));
}

static void test_a_record_is_valid_only_where_it_was_written(void **state)
{
    (void)state;
    uint8_t p[sizeof golden] = {0};
    record_seal(&fields, p, 64);
    assert_true(record_valid(&fields, p, 64));
    assert_false(record_valid(&fields, p, 65));
    assert_false(record_valid(&fields, p, 64 + (UINT64_C(1) << 40)));
}

static void test_what_cannot_be_a_head_is_refused(void **state)
{
    (void)state;
    static const struct {
        int at;
        uint8_t value;
    } wrong[] = {{4, 44}, {4, 0},    {7, 1},  {8, 0},  {8, 2},
                 {9, 4},  {9, 0x80}, {10, 2}, {11, 1}, {26, 0x20}};
    struct record r;
    uint8_t p[sizeof golden];
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        memcpy(p, golden, sizeof p);
        assert_true(record_read(&r, p));
        p[wrong[i].at] = wrong[i].value;
        assert_false(record_read(&r, p));
    }
    memcpy(p, golden, sizeof p);
    memset(p + 20, 0, 8);
    assert_false(record_read(&r, p));
}

static void test_a_segment_head_comes_back(void **state)
{
    (void)state;
    struct segment_head h = {0x123456789abc, 77, 0xfedcba9876543210, 1790000000123,
                             0x123456789abd, 5},
                        again;
    uint8_t p[SEGMENT_HEAD];
    uint32_t version;
    segment_head_write(&h, p);
    assert_memory_equal(p, "parley\r\n\1\0\0\0\x40\0\0\0\xbc\x9a\x78\x56\x34\x12\0\0\x4d\0", 26);
    assert_int_equal(segment_head_read(&again, p, &version), SEGMENT_HEAD_OK);
    assert_int_equal(again.base, h.base);
    assert_int_equal(again.first_id, h.first_id);
    assert_int_equal(again.log, h.log);
    for (size_t i = 0; i < SEGMENT_HEAD * 8; i++) {
        p[i / 8] ^= (uint8_t)(1 << i % 8);
        enum segment_head_status status = segment_head_read(&again, p, &version);
        assert_int_equal(status, i < 64    ? SEGMENT_HEAD_FOREIGN
                                 : i == 64 ? SEGMENT_HEAD_BROKEN
                                 : i < 96  ? SEGMENT_HEAD_NEWER
                                           : SEGMENT_HEAD_BROKEN);
        p[i / 8] ^= (uint8_t)(1 << i % 8);
    }
}

static void test_segments_are_named_after_their_first_id(void **state)
{
    (void)state;
    char name[SEGMENT_NAME];
    uint64_t id;
    segment_name(name, 0x1f);
    assert_string_equal(name, "000000000000001f.seg");
    assert_int_equal(segment_name_parse(name, &id), SEGMENT_NAME_OURS);
    assert_int_equal(id, 0x1f);
    assert_int_equal(segment_name_parse("secret", &id), SEGMENT_NAME_OTHER);
    assert_int_equal(segment_name_parse("000000000000001f.segment", &id), SEGMENT_NAME_OTHER);
    assert_int_equal(segment_name_parse("000000000000001F.seg", &id), SEGMENT_NAME_WRONG);
    assert_int_equal(segment_name_parse("0x0000000000001f.seg", &id), SEGMENT_NAME_WRONG);
    assert_int_equal(segment_name_parse("-00000000000001f.seg", &id), SEGMENT_NAME_WRONG);
    assert_int_equal(segment_name_parse("1000000000000001f.seg", &id), SEGMENT_NAME_WRONG);
}

static void test_a_place_lies_in_the_segment_that_begins_before_it(void **state)
{
    (void)state;
    struct segments s = {0};
    for (uint64_t i = 0; i < 40; i++) {
        struct segment segment = {.head = {.base = i * 100 + 100, .first_id = i}, .file = -1};
        assert_int_equal(segments_reserve(&s), 0);
        segments_push(&s, &segment);
    }
    assert_null(segments_find(&s, 99));
    for (uint64_t place = 100; place < 4300; place++) {
        uint64_t first_id = place / 100 - 1 < 39 ? place / 100 - 1 : 39;
        assert_int_equal(segments_find(&s, place)->head.first_id, first_id);
    }
    s.count = 0;
    struct disk none = {0};
    segments_fini(&s, &none);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_record_has_these_bytes),
        cmocka_unit_test(test_a_record_is_valid_only_where_it_was_written),
        cmocka_unit_test(test_what_cannot_be_a_head_is_refused),
        cmocka_unit_test(test_a_segment_head_comes_back),
        cmocka_unit_test(test_segments_are_named_after_their_first_id),
        cmocka_unit_test(test_a_place_lies_in_the_segment_that_begins_before_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
