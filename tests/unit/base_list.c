/* list and endian: order, removal on the way, splicing; bytes in their fixed order. */
#include "base/endian.h"
#include "base/list.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

struct item {
    char name;
    struct list link;
};

static void add(struct list *head, const char *names)
{
    for (; *names; names++) {
        struct item *it = malloc(sizeof *it);
        assert_non_null(it);
        it->name = *names;
        list_init(&it->link);
        list_append(head, &it->link);
    }
}

/* The names in the list, forward; checks that backward is the same. */
static void assert_list(struct list *head, const char *names)
{
    char found[32];
    size_t n = 0;
    LIST_EACH(link, head)
    {
        assert_true(n < sizeof found - 1);
        found[n++] = container_of(link, struct item, link)->name;
    }
    found[n] = 0;
    assert_string_equal(found, names);
    for (struct list *l = head->prev; l != head; l = l->prev)
        assert_int_equal(container_of(l, struct item, link)->name, found[--n]);
    assert_int_equal(n, 0);
    assert_int_equal(list_empty(head), !*names);
}

static void drop(struct list *head, const char *names)
{
    LIST_EACH(link, head)
    {
        struct item *it = container_of(link, struct item, link);
        if (strchr(names, it->name)) {
            list_remove(link);
            free(it);
        }
    }
}

static void items_stand_in_the_order_they_came(void **state)
{
    (void)state;
    struct list head;
    list_init(&head);
    assert_list(&head, "");
    add(&head, "abc");
    assert_list(&head, "abc");
    drop(&head, "abc");
    assert_list(&head, "");
}

static void the_current_one_may_be_removed_and_freed_on_the_way(void **state)
{
    (void)state;
    struct list head;
    list_init(&head);
    add(&head, "abcdef");
    drop(&head, "ace"); /* the first, the middle */
    assert_list(&head, "bdf");
    drop(&head, "f"); /* the last */
    assert_list(&head, "bd");
    drop(&head, "bd");
    assert_list(&head, "");
}

static void removing_twice_does_no_harm(void **state)
{
    (void)state;
    struct list head;
    struct item it = {.name = 'x'};
    list_init(&head);
    list_init(&it.link);
    list_remove(&it.link);
    add(&head, "a");
    list_append(&head, &it.link);
    list_remove(&it.link);
    list_remove(&it.link);
    assert_true(list_empty(&it.link));
    assert_list(&head, "a");
    drop(&head, "a");
}

static void splicing_moves_all_behind_the_last(void **state)
{
    (void)state;
    struct list to, from;
    list_init(&to);
    list_init(&from);
    list_splice(&to, &from);
    assert_list(&to, "");
    add(&from, "cd");
    list_splice(&to, &from);
    assert_list(&to, "cd");
    assert_list(&from, "");
    add(&from, "e");
    list_splice(&to, &from);
    list_splice(&to, &from);
    assert_list(&to, "cde");
    assert_list(&from, "");
    drop(&to, "cde");
}

static void integers_have_the_same_bytes_on_every_machine(void **state)
{
    (void)state;
    uint8_t bytes[9] = {0}; /* from the second on: not aligned */
    uint8_t *p = bytes + 1;
    le32_store(p, 0x81828384);
    assert_memory_equal(p, "\x84\x83\x82\x81", 4);
    assert_true(le32_load(p) == 0x81828384 && be32_load(p) == 0x84838281);
    le64_store(p, UINT64_C(0x8182838485868788));
    assert_memory_equal(p, "\x88\x87\x86\x85\x84\x83\x82\x81", 8);
    assert_true(le64_load(p) == UINT64_C(0x8182838485868788));
    assert_true(be64_load(p) == UINT64_C(0x8887868584838281));
    be16_store(p, 0x8182);
    assert_memory_equal(p, "\x81\x82", 2);
    assert_int_equal(be16_load(p), 0x8182);
    be32_store(p, 0x81828384);
    assert_memory_equal(p, "\x81\x82\x83\x84", 4);
    be64_store(p, UINT64_C(0x8182838485868788));
    assert_memory_equal(p, "\x81\x82\x83\x84\x85\x86\x87\x88", 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(items_stand_in_the_order_they_came),
        cmocka_unit_test(the_current_one_may_be_removed_and_freed_on_the_way),
        cmocka_unit_test(removing_twice_does_no_harm),
        cmocka_unit_test(splicing_moves_all_behind_the_last),
        cmocka_unit_test(integers_have_the_same_bytes_on_every_machine),
    };
    return cmocka_run_group_tests_name("base_list", tests, NULL, NULL);
}
