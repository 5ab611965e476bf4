#include "../../tools/client/url.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void expect_parts(const char *text, const char *address, const char *host, const char *path)
{
    struct url url;
    char found[ADDRESS_TEXT];
    assert_null(url_parse(&url, text));
    address_format(found, &url.address);
    assert_string_equal(found, address);
    assert_string_equal(url.host, host);
    assert_string_equal(url.path, path);
}

static void a_url_has_an_address_a_host_and_a_path(void **state)
{
    (void)state;
    expect_parts("ws://127.0.0.1:8080/chat", "127.0.0.1:8080", "127.0.0.1:8080", "/chat");
    expect_parts("ws://[::1]:8080/chat?a=1", "[::1]:8080", "[::1]:8080", "/chat?a=1");
    expect_parts("ws+unix:/tmp/a.sock:/chat", "unix:/tmp/a.sock", "localhost", "/chat");
}

static void what_is_missing_has_its_default(void **state)
{
    (void)state;
    expect_parts("ws://127.0.0.1:8080", "127.0.0.1:8080", "127.0.0.1:8080", "/");
    expect_parts("ws://127.0.0.1/x", "127.0.0.1:80", "127.0.0.1", "/x");
    expect_parts("ws://[::1]/x", "[::1]:80", "[::1]", "/x");
    expect_parts("ws://localhost/", "127.0.0.1:80", "localhost", "/");
    expect_parts("ws+unix:a.sock", "unix:a.sock", "localhost", "/");
}

static void what_is_no_url_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {"",
                                        "127.0.0.1:8080",
                                        "http://127.0.0.1/",
                                        "wss://127.0.0.1/",
                                        "ws://",
                                        "ws:///chat",
                                        "ws://me@127.0.0.1/",
                                        "ws://127.0.0.1:99999/",
                                        "ws://localhost:99999/",
                                        "ws://no-such-host.invalid/",
                                        "ws://127.0.0.1:1?a",
                                        "ws://127.0.0.1:1/a b",
                                        "ws://127.0.0.1:1/a\r\nX: y",
                                        "ws://127.0.0.1:1/#a",
                                        "ws+unix:"};
    struct url url;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (!url_parse(&url, texts[i]))
            fail_msg("%s was taken", texts[i]);
}

static void too_long_parts_are_refused(void **state)
{
    (void)state;
    static char text[1024];
    struct url url;
    memset(text, 'a', sizeof text - 1);
    memcpy(text, "ws://", 5);
    assert_non_null(url_parse(&url, text));
    memcpy(text, "ws://127.0.0.1:1/", 17);
    assert_non_null(url_parse(&url, text));
    memcpy(text, "ws+unix:", 8);
    assert_non_null(url_parse(&url, text));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_url_has_an_address_a_host_and_a_path),
        cmocka_unit_test(what_is_missing_has_its_default),
        cmocka_unit_test(what_is_no_url_is_refused),
        cmocka_unit_test(too_long_parts_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
