/* Redis URLs: what is understood, what is refused, and that the password is never shown. */
#undef NDEBUG
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "publish/redis_url.h"

static void test_understood(void **state)
{
    static const struct { const char *text, *user, *password, *host; int port, db; bool is_unix; } cases[] = {
        {"redis://localhost", "", "", "localhost", 6379, 0, false},
        {"redis://", "", "", "127.0.0.1", 6379, 0, false},
        {"redis://10.0.0.1:7000/3", "", "", "10.0.0.1", 7000, 3, false},
        {"redis://[2001:db8::1]:7000", "", "", "2001:db8::1", 7000, 0, false},
        {"redis://probe:p%40ss%3a@host:1", "probe", "p@ss:", "host", 1, 0, false},
        {"redis://:secret@host", "", "secret", "host", 6379, 0, false},
        {"unix:///run/redis.sock?db=2", "", "", "/run/redis.sock", 6379, 2, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct weir_redis_url url;
        assert_int_equal(weir_redis_url_parse(&url, cases[i].text, NULL), 0);
        assert_string_equal(url.user, cases[i].user);
        assert_string_equal(url.password, cases[i].password);
        assert_string_equal(url.host, cases[i].host);
        assert_int_equal(url.port, cases[i].port);
        assert_int_equal(url.db, cases[i].db);
        assert_int_equal(url.is_unix, cases[i].is_unix);
        assert_null(url.password[0] ? strstr(url.shown, url.password) : NULL);
    }
}

static void test_refused(void **state)
{
    static const char *const bad[] = {"", "http://host", "redis:/host", "redis://host:0", "redis://host:65536", "redis://host:x", "redis://host/x",
                                      "redis://[::1", "redis://user:p%4@host", "unix://relative", "unix:///s?base=1", "rediss://host"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct weir_redis_url url;
        struct weir_fault fault = {0};
        assert_true(weir_redis_url_parse(&url, bad[i], &fault) < 0);
        assert_true(fault.text[0]);
    }
    struct weir_fault fault = {0};
    struct weir_redis_url url;
    assert_true(weir_redis_url_parse(&url, "redis://user:hunter2@host:notaport", &fault) < 0);
    assert_null(strstr(fault.text, "hunter2"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_understood), cmocka_unit_test(test_refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
