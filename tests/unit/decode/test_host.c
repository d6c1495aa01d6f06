/* Host names: one form, and nothing in it that no name has. */
#include "wire_test.h"

#include <weir/wire.h>

static bool set(struct weir_host *host, const char *text) {
    size_t length = strlen(text);
    char *copy = (char *)exact_copy(text, length);
    bool ok = weir_host_set(host, copy, length);
    free(copy);
    return ok;
}

static void test_form(void **state) {
    struct weir_host host;
    assert_true(set(&host, "Api-Global.NetFlix.COM."));
    assert_string_equal(host.text, "api-global.netflix.com");
    assert_int_equal(host.length, 22);
    assert_true(set(&host, "_dns.resolver.arpa"));
    assert_true(set(&host, "a"));
    assert_true(set(&host, "198.51.100.7"));
    assert_string_equal(host.text, "198.51.100.7");
}

static void test_refused(void **state) {
    static const char *const bad[] = {"",
                                      ".",
                                      "..",
                                      "a..b",
                                      ".a",
                                      "a..",
                                      "a b",
                                      "a/b",
                                      "a:80",
                                      "[::1]",
                                      "m\xc3\xbcnster.de",
                                      "a\tb",
                                      "a*b",
                                      "%41",
                                      "a\x7f",
                                      "a@b"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct weir_host host = {.length = 7, .text = "earlier"};
        assert_false(set(&host, bad[i]));
        assert_int_equal(host.length, 0);
        assert_string_equal(host.text, "");
    }
    struct weir_host host;
    assert_false(weir_host_set(&host, "a\0b", 3));
}

static void test_every_byte(void **state) {
    for (unsigned byte = 0; byte < 256; byte++) {
        char text[3] = {'a', (char)byte, 'b'};
        bool is_name = strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.",
                              (int)byte) &&
                       byte;
        struct weir_host host;
        assert_int_equal(weir_host_set(&host, text, 3), is_name);
    }
}

static void test_length(void **state) {
    char text[256];
    for (unsigned i = 0; i < sizeof text; i++) text[i] = i % 64 == 63 ? '.' : 'x';
    struct weir_host host;
    assert_true(weir_host_set(&host, text, 253));
    assert_int_equal(host.length, 253);
    assert_int_equal(strlen(host.text), 253);
    assert_false(weir_host_set(&host, text, 254));
    text[253] = '.'; /* the root's dot does not count */
    assert_true(weir_host_set(&host, text, 254));
    assert_int_equal(host.length, 253);
    assert_false(weir_host_set(&host, text, SIZE_MAX));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_form),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_every_byte),
        cmocka_unit_test(test_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
