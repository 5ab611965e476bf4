/* ip: addresses without a port, and the ranges of them. */
#include "../support/test.h"
#include "net/ip.h"

#include <stdio.h>
#include <string.h>

static struct ip ip(const char *text)
{
    struct ip found = {0};
    if (strcmp(text, "unix") != 0 && !ip_parse(&found, slice_str(text)))
        fail_msg("%s was refused", text);
    return found;
}

static void an_address_has_one_text(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"192.0.2.1", "192.0.2.1"},         {"0.0.0.0", "0.0.0.0"},          {"::1", "::1"},
        {"2001:DB8:0:0::1", "2001:db8::1"}, {"::ffff:10.1.2.3", "10.1.2.3"}, {"unix", "unix"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[IP_TEXT];
        struct ip found = ip(cases[i][0]);
        ip_format(text, &found);
        assert_string_equal(text, cases[i][1]);
    }
}

static void what_is_no_address_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {"",
                                        "1.2.3",
                                        "1.2.3.4.5",
                                        "1.2.3.256",
                                        "01.2.3.4",
                                        "1.2.3.4 ",
                                        " 1.2.3.4",
                                        "1.2.3.4:5",
                                        "[::1]",
                                        "::1%lo",
                                        "1:2:3",
                                        "x",
                                        "unix",
                                        "-1.2.3.4",
                                        ":::",
                                        "12345::",
                                        "11111111111111111111111111111111111111111111111"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct ip found;
        if (ip_parse(&found, slice_str(texts[i])))
            fail_msg("%s was taken", texts[i]);
    }
    struct ip found;
    assert_false(ip_parse(&found, SLICE("1.2.3.4\0")));
}

static void a_socket_address_gives_its_ip(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"192.0.2.7:80", "192.0.2.7"}, {"[::1]:80", "::1"}, {"unix:/x", "unix"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct address address;
        char text[IP_TEXT];
        assert_null(address_parse(&address, cases[i][0]));
        struct ip found = ip_of(&address);
        ip_format(text, &found);
        assert_string_equal(text, cases[i][1]);
    }
}

static void a_range_holds_what_shares_its_prefix(void **state)
{
    (void)state;
    static const struct {
        const char *range, *ip;
        bool in;
    } cases[] = {
        {"10.0.0.0/8", "10.255.0.1", true},
        {"10.0.0.0/8", "11.0.0.0", false},
        {"10.0.0.0/8", "::1", false},
        {"10.128.0.0/9", "10.128.0.1", true},
        {"10.128.0.0/9", "10.127.0.1", false},
        {"192.0.2.1", "192.0.2.1", true},
        {"192.0.2.1", "192.0.2.0", false},
        {"192.0.2.1/32", "192.0.2.1", true},
        {"0.0.0.0/0", "1.2.3.4", true},
        {"0.0.0.0/0", "::1", false},
        {"0.0.0.0/0", "unix", false},
        {"2001:db8::/32", "2001:db8:ff::1", true},
        {"2001:db8::/32", "2001:db9::", false},
        {"2001:db8::8/125", "2001:db8::f", true},
        {"2001:db8::8/125", "2001:db8::7", false},
        {"unix", "unix", true},
        {"unix", "127.0.0.1", false},
        {"::1", "unix", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct ip_range range;
        struct ip one = ip(cases[i].ip);
        assert_null(ip_range_parse(&range, cases[i].range));
        if (ip_is_in(&one, &(struct ip_ranges){&range, 1}) != cases[i].in)
            fail_msg("%s in %s", cases[i].ip, cases[i].range);
    }
    struct ip_range two[2];
    struct ip one = ip("::1");
    assert_null(ip_range_parse(&two[0], "10.0.0.0/8"));
    assert_null(ip_range_parse(&two[1], "::1"));
    assert_true(ip_is_in(&one, &(struct ip_ranges){two, 2}));
    assert_false(ip_is_in(&one, &(struct ip_ranges){two, 0}));
}

static void what_is_no_range_is_refused_with_the_reason(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"", "expected an address"},
        {"example.org", "expected an address"},
        {"10.0.0.0/", "from 0 to 32"},
        {"10.0.0.0/33", "from 0 to 32"},
        {"10.0.0.0/4294967297", "from 0 to 32"},
        {"10.0.0.0/8x", "from 0 to 32"},
        {"10.0.0.0/-1", "from 0 to 32"},
        {"2001:db8::/129", "from 0 to 128"},
        {"10.0.0.1/8", "bits set behind its prefix"},
        {"2001:db8::1/64", "bits set behind its prefix"},
        {"unix/8", "expected an address"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct ip_range range;
        const char *why = ip_range_parse(&range, cases[i][0]);
        if (!why || !strstr(why, cases[i][1]))
            fail_msg("%s: %s", cases[i][0], why ? why : "was taken");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_address_has_one_text),
        cmocka_unit_test(what_is_no_address_is_refused),
        cmocka_unit_test(a_socket_address_gives_its_ip),
        cmocka_unit_test(a_range_holds_what_shares_its_prefix),
        cmocka_unit_test(what_is_no_range_is_refused_with_the_reason),
    };
    return cmocka_run_group_tests_name("net_ip", tests, NULL, NULL);
}
