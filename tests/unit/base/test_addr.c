/* Addresses and prefixes: text, masks, and what counts as a client's address. */
#undef NDEBUG
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <weir/packet.h>

static struct weir_addr addr(const char *text) {
    struct weir_addr parsed;
    assert_int_equal(weir_addr_parse(text, &parsed), 0);
    return parsed;
}

static void test_text_and_back(void **state) {
    static const char *const texts[] = {"192.0.2.1",   "0.0.0.0", "255.255.255.255",
                                        "2001:db8::1", "::1",     "fe80::1"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        char text[WEIR_ADDR_TEXT_MAX];
        struct weir_addr a = addr(texts[i]);
        assert_string_equal(weir_addr_text(&a, text), texts[i]);
    }
    struct weir_addr bad;
    assert_true(weir_addr_parse("192.0.2.256", &bad) < 0);
    assert_true(weir_addr_parse("", &bad) < 0);
}

static void test_prefix(void **state) {
    struct weir_addr v4 = addr("198.51.100.77"), v6 = addr("2001:db8:1:2:3::4");
    struct weir_addr v4_prefix = weir_addr_prefix(&v4), v6_prefix = weir_addr_prefix(&v6);
    struct weir_addr v4_want = addr("198.51.100.0"), v6_want = addr("2001:db8:1::");
    assert_memory_equal(&v4_prefix, &v4_want, sizeof v4_want);
    assert_memory_equal(&v6_prefix, &v6_want, sizeof v6_want);
}

static void test_cidr(void **state) {
    struct weir_cidr cidr;
    struct weir_addr inside = addr("10.1.255.255"), outside = addr("10.2.0.0"),
                     v6 = addr("2001:db8::10");
    assert_int_equal(weir_cidr_parse("10.1.2.3/16", &cidr), 0);
    assert_true(weir_cidr_contains(&cidr, &inside));
    assert_false(weir_cidr_contains(&cidr, &outside));
    assert_false(weir_cidr_contains(&cidr, &v6));
    assert_int_equal(weir_cidr_parse("0.0.0.0/0", &cidr), 0);
    assert_true(weir_cidr_contains(&cidr, &outside));
    assert_false(weir_cidr_contains(&cidr, &v6));
    assert_int_equal(weir_cidr_parse("2001:db8::/124", &cidr), 0);
    assert_false(weir_cidr_contains(&cidr, &v6));
    static const char *const bad[] = {"10.0.0.0/33", "10.0.0.0/",      "10.0.0.0/x", "10.0.0.0/8x",
                                      "x/8",         "2001:db8::/129", "10.0.0.0/-1"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_true(weir_cidr_parse(bad[i], &cidr) < 0);
}

static void test_local_and_group(void **state) {
    static const char *const local[] = {
        "10.0.0.1",   "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.1.1",
        "100.64.0.1", "127.0.0.1",  "fd00::1",        "fe80::1",     "::1"};
    static const char *const global[] = {"9.255.255.255", "172.32.0.1",      "172.15.0.1",
                                         "192.169.0.1",   "100.128.0.1",     "198.18.0.1",
                                         "2001:db8::1",   "244.214.160.219", "240.0.0.1"};
    static const char *const group[] = {"224.0.0.1", "239.255.255.250", "0.0.0.0",
                                        "255.255.255.255", "ff02::1"};
    for (size_t i = 0; i < sizeof local / sizeof local[0]; i++) {
        struct weir_addr a = addr(local[i]);
        assert_true(weir_addr_is_local(&a));
        assert_false(weir_addr_is_group(&a));
    }
    for (size_t i = 0; i < sizeof global / sizeof global[0]; i++) {
        struct weir_addr a = addr(global[i]);
        assert_false(weir_addr_is_local(&a));
        /* 240.0.0.0/4: where a capture's addresses were disguised */
        assert_false(weir_addr_is_group(&a));
    }
    for (size_t i = 0; i < sizeof group / sizeof group[0]; i++) {
        struct weir_addr a = addr(group[i]);
        assert_true(weir_addr_is_group(&a));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_text_and_back),
                                       cmocka_unit_test(test_prefix), cmocka_unit_test(test_cidr),
                                       cmocka_unit_test(test_local_and_group)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
