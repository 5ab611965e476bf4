/* walk, copy, message: what is told of a damaged log, and what of it is saved. */
#include "../support/store_box.h"

#include "../../tools/log/copy.h"
#include "../../tools/log/head.h"
#include "store/walk.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What a walk has told. */
struct told {
    char text[4096]; /* a line for each fault, "FILE OFFSET WHAT BYTES" */
    size_t n;
    unsigned faults, torn, records;
    uint64_t lost;
    uint64_t ids[64];
    char json[64][160];
    struct walk walk;
    struct copy *copy; /* NULL: nothing is copied */
};

static enum store_status on_fault(void *ctx, const struct walk_fault *f)
{
    struct told *t = ctx;
    if (f->kind == WALK_TORN)
        t->torn++;
    else
        t->faults++;
    t->lost += f->bytes;
    if (t->n < sizeof t->text)
        t->n += (size_t)snprintf(t->text + t->n, sizeof t->text - t->n, "%s %u %s %u\n", f->file,
                                 (unsigned)f->at, f->what, (unsigned)f->bytes);
    return STORE_OK;
}

static enum store_status on_record(void *ctx, const struct walk_record *r)
{
    struct told *t = ctx;
    assert_true(t->records < 64);
    struct slice json = record_json(&r->head, r->p);
    assert_true(json.n < sizeof t->json[0]);
    t->ids[t->records] = r->head.id;
    memcpy(t->json[t->records], json.p, json.n);
    t->json[t->records++][json.n] = 0;
    if (t->copy)
        assert_int_equal(
            copy_message(t->copy, r->message, r->head.flags & RECORD_UNSYNCED, slice_of(NULL, 0)),
            0);
    return STORE_OK;
}

static enum store_status walk_folder(const char *path, struct told *t, struct copy *copy)
{
    struct disk disk;
    struct segments segments = {0};
    struct index index;
    struct store_error error = {{0}};
    *t = (struct told){.copy = copy};
    const struct walk_handler handler = {
        .record = on_record, .fault = on_fault, .lost_head = head_guess, .ctx = t};
    assert_int_equal(disk_open_dir_reading(&disk, path), 0);
    assert_int_equal(index_init(&index), 0);
    t->walk = (struct walk){.disk = &disk,
                            .handler = &handler,
                            .segments = &segments,
                            .index = &index,
                            .error = &error,
                            .thorough = true,
                            .salvage = copy != NULL};
    enum store_status status = walk_open(&t->walk);
    if (!status)
        status = walk_run(&t->walk);
    walk_close(&t->walk);
    segments_fini(&segments, &disk);
    index_fini(&index);
    disk_close_dir(&disk);
    return status;
}

static struct told walk_box(struct box *b)
{
    struct told t;
    assert_int_equal(walk_folder(b->path, &t, NULL), STORE_OK);
    return t;
}

static void check_told(const struct told *t, const char *text)
{
    if (!strstr(t->text, text))
        fail_msg("\"%s\" was not told, but:\n%s", text, t->text);
}

/* Copies all that is whole into a box of its own, in segments of that size. */
static struct told salvage(struct box *from, struct box *to, uint64_t segment_size)
{
    struct told t;
    struct disk disk;
    struct copy copy;
    box_init(to);
    assert_int_equal(disk_open_dir(&disk, to->path), 0);
    assert_int_equal(copy_init(&copy, &disk, segment_size), 0);
    assert_int_equal(walk_folder(from->path, &t, &copy), STORE_OK);
    assert_int_equal(copy_finish(&copy), 0);
    copy_fini(&copy);
    disk_close_dir(&disk);
    return t;
}

/* Nine messages in five conversations, in batches of one; segments of two messages. */
static void fill(struct box *b, uint64_t segment_size)
{
    static const char *const users[] = {"alice", "bob", "carol"};
    box_close(b);
    b->options.segment_size = segment_size;
    box_open(b);
    for (int i = 0; i < 9; i++) {
        char text[16];
        snprintf(text, sizeof text, "m%d", i + 1);
        box_send(b, users[i % 3], users[i / 2 % 3], text);
    }
    box_close(b);
}

static int setup(void **state)
{
    struct box *b = malloc(sizeof *b);
    assert_non_null(b);
    box_init(b);
    *state = b;
    return 0;
}

static int teardown(void **state)
{
    box_fini(*state);
    free(*state);
    return 0;
}

/* Changes a record, in the segment of that first id, and gives it a check that matches. */
static void change(struct box *b, uint64_t first_id, unsigned number,
                   void (*edit)(struct record *r, uint8_t *json))
{
    size_t n, at = SEGMENT_HEAD;
    uint8_t *p = box_load(b, box_segment(first_id), &n);
    struct segment_head head;
    uint32_t version;
    struct record r;
    assert_int_equal(segment_head_read(&head, p, &version), SEGMENT_HEAD_OK);
    for (;; at += r.length) {
        assert_true(at < n);
        assert_true(record_read(&r, p + at));
        if (number-- == 0)
            break;
    }
    edit(&r, p + at + RECORD_HEAD);
    record_seal(&r, p + at, head.base + at);
    box_save(b, box_segment(first_id), p, n);
    free(p);
}

static void test_a_whole_log_is_told_record_by_record(void **state)
{
    struct box *b = *state;
    fill(b, 1300);
    struct told t = walk_box(b);
    assert_int_equal(t.faults + t.torn, 0);
    assert_int_equal(t.records, 9);
    assert_int_equal(t.walk.tip.messages, 9);
    assert_int_equal(t.walk.next_id, 10);
    for (unsigned i = 0; i < 9; i++)
        assert_int_equal(t.ids[i], i + 1);
    assert_string_equal(t.json[1], "{\"id\":2,\"from\":\"bob\",\"to\":\"alice\",\"content\":\"m2\","
                                   "\"date\":1000}");
}

static void test_reading_changes_nothing_and_needs_no_right_to(void **state)
{
    struct box *b = *state;
    fill(b, 1300);
    size_t n;
    uint8_t *p = box_load(b, box_segment(9), &n);
    box_save(b, box_segment(9), p, n - 1);
    assert_int_equal(walk_box(b).torn, 1);
    free(p);
    p = box_load(b, box_segment(9), &n);
    free(p);
    struct disk disk;
    assert_int_equal(disk_open_dir_reading(&disk, b->path), 0);
    int file = disk.open(disk.ctx, box_segment(9), 0);
    assert_true(file >= 0);
    assert_int_equal(disk.pwrite(disk.ctx, file, "x", 1, 0), -EBADF);
    disk.close(disk.ctx, file);
    disk_close_dir(&disk);
    assert_int_equal(disk_open_dir_reading(&disk, "/nonexistent"), -ENOENT);
}

static struct box *cut_box;

/* What a server does with space that it has prepared, while it is read. */
static void cut_zeros(void *ctx, uint64_t done, uint64_t total)
{
    (void)ctx;
    (void)done;
    (void)total;
    size_t n;
    uint8_t *p = box_load(cut_box, box_segment(9), &n);
    while (n && !p[n - 1])
        n--;
    char path[128];
    snprintf(path, sizeof path, "%s/%s", cut_box->path, box_segment(9));
    assert_int_equal(truncate(path, (off_t)n), 0);
    free(p);
}

static void test_prepared_space_may_go_while_it_is_read(void **state)
{
    struct box *b = *state;
    fill(b, 1300);
    size_t n;
    uint8_t *p = box_load(b, box_segment(9), &n), *longer = calloc(1, n + (5 << 20));
    assert_non_null(longer);
    memcpy(longer, p, n);
    box_save(b, box_segment(9), longer, n + (5 << 20));
    free(p);
    free(longer);
    cut_box = b;
    struct disk disk;
    struct segments segments = {0};
    struct index index;
    struct store_error error;
    const struct walk_handler handler = {.progress = cut_zeros};
    assert_int_equal(disk_open_dir_reading(&disk, b->path), 0);
    assert_int_equal(index_init(&index), 0);
    struct walk w = {.disk = &disk,
                     .handler = &handler,
                     .segments = &segments,
                     .index = &index,
                     .error = &error,
                     .thorough = true};
    assert_int_equal(walk_open(&w), STORE_OK);
    cut_zeros(NULL, 0, 0);
    assert_int_equal(walk_run(&w), STORE_OK);
    assert_int_equal(w.tip.messages, 9);
    assert_int_equal(w.torn_bytes, 0);
    walk_close(&w);
    segments_fini(&segments, &disk);
    index_fini(&index);
    disk_close_dir(&disk);
}

static void test_every_flipped_bit_is_told_and_costs_one_message_at_most(void **state)
{
    struct box *b = *state;
    fill(b, 1300);
    struct told whole = walk_box(b);
    for (uint64_t first_id = 1; first_id <= 9; first_id += 2) {
        size_t n;
        uint8_t *p = box_load(b, box_segment(first_id), &n);
        for (size_t i = 0; i < n; i++) {
            p[i] ^= (uint8_t)(1 << i % 8);
            box_save(b, box_segment(first_id), p, n);
            p[i] ^= (uint8_t)(1 << i % 8);
            struct told t = walk_box(b);
            bool end = first_id == 9 && i >= SEGMENT_HEAD; /* nothing proves that it was durable */
            assert_int_equal(t.torn, end);
            if (!end && !t.faults)
                fail_msg("byte %zu of segment %u: no fault", i, (unsigned)first_id);
            if (!end)
                check_told(&t, box_segment(first_id));
            assert_true(t.records >= 8);
            if (i % 3)
                continue;
            /* The rest, unchanged and in order, makes a log that is whole. */
            struct box copy;
            t = salvage(b, &copy, 200);
            unsigned at = 0;
            for (unsigned k = 0; k < t.records; k++) {
                while (strcmp(whole.json[at], t.json[k]) != 0)
                    assert_true(++at < 9);
            }
            struct told again = walk_box(&copy);
            assert_int_equal(again.faults + again.torn, 0);
            assert_int_equal(again.records, t.records);
            if (i % 16 == 0) {
                box_open(&copy);
                box_send(&copy, "alice", "bob", "next");
            }
            box_fini(&copy);
        }
        box_save(b, box_segment(first_id), p, n);
        free(p);
    }
}

static void test_a_head_that_is_lost_is_told_by_its_neighbours(void **state)
{
    struct box *b = *state;
    fill(b, 1300);
    size_t n, m;
    uint8_t *p = box_load(b, box_segment(3), &n), *q = box_load(b, box_segment(1), &m);
    memset(p, 0x55, SEGMENT_HEAD);
    box_save(b, box_segment(3), p, n);
    struct told t = walk_box(b);
    assert_int_equal(t.records, 9);
    assert_int_equal(t.faults, 1);
    check_told(&t, "0000000000000003.seg 0 this is not the head of a segment of parley 0\n");
    /* The segment in front of it is cut short: the one behind it tells. */
    box_save(b, box_segment(1), q, m - 1);
    t = walk_box(b);
    assert_int_equal(t.records, 8);
    assert_int_equal(t.ids[1], 3);
    /* Both are gone: what stands there cannot be read, and the rest can. */
    box_save(b, box_segment(5), p, n);
    t = walk_box(b);
    assert_int_equal(t.records, 4);
    assert_int_equal(t.ids[1], 7);
    free(p);
    free(q);
}

static void test_a_missing_segment_is_told_once(void **state)
{
    struct box *b = *state;
    fill(b, 1300);
    size_t n;
    uint8_t *p = box_load(b, box_segment(3), &n);
    free(p);
    box_remove(b, box_segment(3));
    struct told t = walk_box(b);
    assert_int_equal(t.faults, 1);
    assert_int_equal(t.lost, n);
    assert_int_equal(t.records, 7);
    check_told(&t, "0000000000000005.seg 16 it begins at place");
    /* The first one: even who the conversations are between must be learnt later. */
    box_remove(b, box_segment(1));
    t = walk_box(b);
    assert_int_equal(t.faults, 1);
    assert_int_equal(t.records, 5);
}

static void test_a_middle_segment_cut_short_is_told(void **state)
{
    struct box *b = *state;
    fill(b, 1300);
    size_t n;
    uint8_t *p = box_load(b, box_segment(3), &n);
    box_save(b, box_segment(3), p, n - 5);
    struct told t = walk_box(b);
    assert_int_equal(t.faults, 2);
    assert_int_equal(t.records, 8);
    check_told(&t, "; a later segment was begun after it");
    check_told(&t, "it begins at place");
    assert_true(t.lost > 5);
    free(p);
}

static void test_segments_of_others_are_not_read(void **state)
{
    struct box *b = *state, other;
    box_init(&other);
    fill(&other, 1300);
    fill(b, 1300);
    size_t n;
    uint8_t *p = box_load(&other, box_segment(3), &n);
    box_save(b, box_segment(3), p, n);
    struct told t = walk_box(b);
    assert_int_equal(t.faults, 1);
    assert_int_equal(t.records, 7);
    check_told(&t, "0000000000000003.seg 32 it is part of another log");
    free(p);
    box_fini(&other);
    /* A newer format: its check matches. */
    p = box_load(b, box_segment(5), &n);
    p[8] = 2;
    p[60] ^= 1; /* no check of version 1 */
    box_save(b, box_segment(5), p, n);
    box_save(b, "my.seg", "x", 1);
    t = walk_box(b);
    check_told(&t, "0000000000000005.seg 8 its format is version 2, and this program reads 1 ");
    check_told(&t, "my.seg 0 this is no segment");
    assert_int_equal(t.faults, 3);
    assert_int_equal(t.records, 5);
    free(p);
}

static void test_a_copy_of_a_segment_under_another_name_is_not_read_twice(void **state)
{
    struct box *b = *state;
    fill(b, 1300);
    size_t n;
    uint8_t *p = box_load(b, box_segment(3), &n);
    box_save(b, box_segment(4), p, n);
    struct told t = walk_box(b);
    assert_int_equal(t.records, 9);
    assert_int_equal(t.faults, 2);
    check_told(&t, "0000000000000004.seg 24 this is the segment of id 3");
    check_told(&t, "0000000000000004.seg 16 it begins at place");
    free(p);
}

static void edit_prev(struct record *r, uint8_t *json)
{
    (void)json;
    r->prev = 64;
}

static void edit_id(struct record *r, uint8_t *json)
{
    (void)json;
    r->id = 1;
}

static void edit_date(struct record *r, uint8_t *json)
{
    (void)json;
    r->date++;
}

static void edit_conversation(struct record *r, uint8_t *json)
{
    (void)json;
    r->conversation++;
}

static void edit_new_conversation(struct record *r, uint8_t *json)
{
    (void)json;
    r->conversation = 2000000000;
}

static void edit_flags(struct record *r, uint8_t *json)
{
    (void)json;
    r->flags ^= RECORD_FROM_SECOND;
}

static void edit_name(struct record *r, uint8_t *json)
{
    uint8_t *to = memmem(json, r->length - RECORD_HEAD, "\"to\":\"", 6);
    assert_non_null(to);
    to[6] = 'b';
}

static void edit_message_id(struct record *r, uint8_t *json)
{
    (void)r;
    json[6] = '9';
}

static void edit_json(struct record *r, uint8_t *json)
{
    (void)r;
    json[1] = ' ';
}

static void test_what_a_record_must_not_say_is_told(void **state)
{
    static const struct {
        void (*edit)(struct record *r, uint8_t *json);
        const char *text;
        unsigned records;
    } cases[] = {
        {edit_prev, "the message before it is said to be at place 64 and is at ", 9},
        {edit_id, "id 1 comes after 7", 8},
        {edit_date, "its head says date 1001, its message says 1000", 9},
        {edit_message_id, "its head says id 8, its message says 9", 8},
        {edit_conversation, "its message is not between the users of conversation 2", 9},
        {edit_new_conversation, "conversation 2000000000 cannot be: not so many were begun", 9},
        {edit_flags, "its flags must say which of the two users sent it", 8},
        {edit_name, "its message is not between the users of conversation 1", 9},
        {edit_json, "does not say who wrote it to whom: ", 8},
    };
    struct box *b = *state;
    fill(b, 1300);
    size_t n;
    uint8_t *p = box_load(b, box_segment(7), &n);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        change(b, 7, 1, cases[i].edit);
        struct told t = walk_box(b);
        assert_true(t.faults >= 1);
        check_told(&t, cases[i].text);
        check_told(&t, "0000000000000007.seg 17");
        assert_int_equal(t.records, cases[i].records);
        struct box copy;
        salvage(b, &copy, 0);
        t = walk_box(&copy);
        assert_int_equal(t.faults, 0);
        assert_int_equal(t.records, cases[i].records);
        box_fini(&copy);
        box_save(b, box_segment(7), p, n);
    }
    free(p);
}

static void test_whole_records_in_a_torn_end_are_saved(void **state)
{
    struct box *b = *state;
    box_open(b);
    box_send(b, "alice", "bob", "one");
    box_put(b, "alice", "bob", "two");
    box_put(b, "bob", "alice", "three");
    box_commit(b);
    box_close(b);
    size_t n;
    uint8_t *p = box_load(b, box_segment(1), &n);
    struct record r;
    assert_true(record_read(&r, p + SEGMENT_HEAD));
    p[SEGMENT_HEAD + r.length] ^= 1;
    box_save(b, box_segment(1), p, n);
    free(p);
    struct told t = walk_box(b);
    assert_int_equal(t.records, 1);
    assert_int_equal(t.torn, 1);
    struct box copy;
    t = salvage(b, &copy, 0);
    assert_int_equal(t.records, 2);
    assert_int_equal(t.faults, 0);
    box_open(&copy);
    assert_string_equal(box_page(&copy, "alice", "bob", 0, 10, NULL), "one three");
    box_fini(&copy);
}

static void test_ids_of_a_copy_are_not_given_again(void **state)
{
    struct box *b = *state;
    struct disk disk;
    struct copy copy;
    struct store_message m = {.id = 5,
                              .date = 1000,
                              .from = SLICE("alice"),
                              .to = SLICE("bob"),
                              .json = SLICE("{\"id\":5,\"from\":\"alice\",\"to\":\"bob\","
                                            "\"content\":\"x\",\"date\":1000}")};
    assert_int_equal(disk_open_dir(&disk, b->path), 0);
    assert_int_equal(copy_init(&copy, &disk, 0), 0);
    assert_int_equal(copy_message(&copy, &m, 0, SLICE("key")), 0);
    assert_int_equal(copy_skip_ids(&copy, 100), 0);
    assert_int_equal(copy_finish(&copy), 0);
    copy_fini(&copy);
    disk_close_dir(&disk);
    box_open(b);
    assert_string_equal(box_page(b, "bob", "alice", 0, 10, NULL), "x");
    assert_int_equal(box_send(b, "bob", "alice", "y"), 100);
}

/* ---- beside a server -------------------------------------------------------------------- */

static struct box *beside; /* what its server does, it does when the files are listed */
static int (*list_really)(void *ctx, void (*each)(void *arg, const char *name), void *arg);

static int drop_and_list(void *ctx, void (*each)(void *arg, const char *name), void *arg)
{
    size_t n;
    uint64_t second = 2;
    uint8_t bytes[LOG_BEGIN];
    uint32_t version;
    struct segment_head head;
    while (!box_exists(beside, box_segment(second)))
        second++;
    uint8_t *p = box_load(beside, box_segment(second), &n);
    assert_int_equal(segment_head_read(&head, p, &version), SEGMENT_HEAD_OK);
    free(p);
    log_begin_write(&(struct log_begin){head.log, head.base}, bytes);
    box_save(beside, LOG_BEGIN_NAME, bytes, sizeof bytes);
    if (box_exists(beside, box_segment(1)))
        box_remove(beside, box_segment(1));
    return list_really(ctx, each, arg);
}

/* Walks the box on this disk, and cuts a file to its size when all are open. */
static struct told walk_beside(struct box *b, struct disk *disk, const char *name, size_t size)
{
    struct told t = {0};
    char file[128];
    struct segments segments = {0};
    struct index index;
    struct store_error error = {{0}};
    const struct walk_handler handler = {.record = on_record, .fault = on_fault, .ctx = &t};
    assert_int_equal(index_init(&index), 0);
    t.walk = (struct walk){
        .disk = disk, .handler = &handler, .segments = &segments, .index = &index, .error = &error};
    assert_int_equal(walk_open(&t.walk), STORE_OK);
    snprintf(file, sizeof file, "%s/%s", b->path, name);
    if (size)
        assert_int_equal(truncate(file, (off_t)size), 0);
    enum store_status status = walk_run(&t.walk);
    if (status)
        fail_msg("%s", error.text);
    walk_close(&t.walk);
    segments_fini(&segments, disk);
    index_fini(&index);
    return t;
}

static void test_a_segment_may_be_dropped_while_the_files_are_listed(void **state)
{
    struct box *b = *state;
    struct disk disk;
    fill(b, 1300);
    assert_int_equal(disk_open_dir_reading(&disk, b->path), 0);
    beside = b;
    list_really = disk.list;
    disk.list = drop_and_list;
    struct told t = walk_beside(b, &disk, "", 0);
    assert_string_equal(t.text, "");
    assert_in_range(t.records, 5, 8);
    disk_close_dir(&disk);
}

static void test_prepared_space_may_be_cut_off_while_the_log_is_read(void **state)
{
    struct box *b = *state;
    struct disk disk;
    size_t n, zeros = 100000;
    fill(b, 1 << 20);
    uint8_t *p = box_load(b, box_segment(1), &n), *longer = calloc(1, n + zeros);
    assert_non_null(longer);
    memcpy(longer, p, n);
    box_save(b, box_segment(1), longer, n + zeros);
    assert_int_equal(disk_open_dir_reading(&disk, b->path), 0);
    struct told t = walk_beside(b, &disk, box_segment(1), n);
    assert_string_equal(t.text, "");
    assert_int_equal(t.records, 9);
    disk_close_dir(&disk);
    free(longer);
    free(p);
}

static void test_messages_have_one_form_alone(void **state)
{
    (void)state;
    static const struct {
        const char *json, *right;
    } cases[] = {
        {"{\"id\":1,\"from\":\"a\",\"to\":\"\\u00e9\",\"content\":\"\",\"date\":0}", NULL},
        {"", "object"},
        {"{}", "in this order"},
        {"{\"id\":0,\"from\":\"a\",\"to\":\"b\",\"content\":\"\",\"date\":0}", "from 1 to"},
        {"{\"id\":9007199254740992,\"from\":\"a\",\"to\":\"b\",\"content\":\"\",\"date\":0}", "from"
                                                                                              " 1 "
                                                                                              "to"},
        {"{\"id\":1,\"to\":\"a\",\"from\":\"b\",\"content\":\"\",\"date\":0}", "in this order"},
        {"{\"id\":1,\"from\":\"\",\"to\":\"b\",\"content\":\"\",\"date\":0}", "1 to 64 bytes"},
        {"{\"id\":1,\"from\":\"a\",\"to\":\"\\u0001\",\"content\":\"\",\"date\":0}", "control "
                                                                                     "characters"},
        {"{\"id\":1,\"from\":\"a\",\"to\":\"\\ud800\",\"content\":\"\",\"date\":0}", "1 to 64 "
                                                                                     "bytes"},
        {"{\"id\":1,\"from\":7,\"to\":\"b\",\"content\":\"\",\"date\":0}", "must be a string"},
        {"{\"id\":1,\"from\":\"a\",\"to\":\"b\",\"content\":null,\"date\":0}", "must be a string"},
        {"{\"id\":1,\"from\":\"a\",\"to\":\"b\",\"content\":\"\",\"date\":-1}", "whole number"},
        {"{\"id\":1,\"from\":\"a\",\"to\":\"b\",\"content\":\"\",\"date\":0,\"x\":0}", "in this "
                                                                                       "order"},
        {"{\"id\": 1,\"from\":\"a\",\"to\":\"b\",\"content\":\"\",\"date\":0}", "white space"},
        {"{\"id\":1,\"from\":\"a\",\"to\":\"b\",\"content\":\"\",\"date\":0} ", "white space"},
        {"{\"i\\u0064\":1,\"from\":\"a\",\"to\":\"b\",\"content\":\"\",\"date\":0}", "in this "
                                                                                     "order"},
        {"{\"id\":1,\"from\":\"a\",\"to\":\"b\",\"content\":\"\",\"date\":0", ""},
    };
    struct store_message m;
    struct message_names room;
    size_t at;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *wrong = message_read(&m, &room, slice_str(cases[i].json), &at);
        if (!wrong != !cases[i].right || (wrong && !strstr(wrong, cases[i].right)))
            fail_msg("case %zu: %s", i, wrong ? wrong : "it was taken");
        assert_true(at <= strlen(cases[i].json));
    }
    assert_null(message_read(&m, &room, slice_str(cases[0].json), &at));
    assert_true(slice_eq(m.to, SLICE("\xc3\xa9")));
    assert_true(slice_eq(m.from, SLICE("a")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        TEST(test_a_whole_log_is_told_record_by_record),
        TEST(test_reading_changes_nothing_and_needs_no_right_to),
        TEST(test_prepared_space_may_go_while_it_is_read),
        TEST(test_every_flipped_bit_is_told_and_costs_one_message_at_most),
        TEST(test_a_head_that_is_lost_is_told_by_its_neighbours),
        TEST(test_a_missing_segment_is_told_once),
        TEST(test_a_middle_segment_cut_short_is_told),
        TEST(test_segments_of_others_are_not_read),
        TEST(test_a_copy_of_a_segment_under_another_name_is_not_read_twice),
        TEST(test_what_a_record_must_not_say_is_told),
        TEST(test_whole_records_in_a_torn_end_are_saved),
        TEST(test_ids_of_a_copy_are_not_given_again),
        TEST(test_a_segment_may_be_dropped_while_the_files_are_listed),
        TEST(test_prepared_space_may_be_cut_off_while_the_log_is_read),
        cmocka_unit_test(test_messages_have_one_form_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
