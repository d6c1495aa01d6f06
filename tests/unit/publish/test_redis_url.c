/* Redis URLs: what is understood, what is refused, and that the password is never shown. */
#undef NDEBUG
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "publish/redis_url.h"

static void test_understood(void **state) {
    static const struct {
        const char *text, *user, *password, *host;
        int port, db;
        bool is_unix;
    } cases[] = {
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

static void test_tls(void **state) {
    struct weir_redis_url url;
    assert_int_equal(
        weir_redis_url_parse(
            &url, "rediss://u:p%3fw@h:6380/2?ca=/a%20b.pem&cert=/c&key=/k&name=r.example", NULL),
        0);
    assert_true(url.tls.on);
    assert_string_equal(url.host, "h");
    assert_string_equal(url.password, "p?w");
    assert_int_equal(url.port, 6380);
    assert_int_equal(url.db, 2);
    assert_string_equal(url.tls.ca, "/a b.pem");
    assert_string_equal(url.tls.cert, "/c");
    assert_string_equal(url.tls.key, "/k");
    assert_string_equal(url.tls.name, "r.example");
    assert_string_equal(url.shown, "rediss://h:6380");
    assert_int_equal(weir_redis_url_parse(&url, "rediss://h", NULL), 0);
    assert_string_equal(url.tls.ca, "");
    assert_int_equal(weir_redis_url_parse(&url, "redis://h", NULL), 0);
    assert_false(url.tls.on);
}

static void test_refused(void **state) {
    static const char *const bad[] = {"",
                                      "http://host",
                                      "redis:/host",
                                      "redis://host:0",
                                      "redis://host:65536",
                                      "redis://host:x",
                                      "redis://host/x",
                                      "redis://[::1",
                                      "redis://user:p%4@host",
                                      "unix://relative",
                                      "unix:///s?base=1",
                                      "rediss://host?cert=/c.pem",
                                      "rediss://host?ca=",
                                      "rediss://host/1?file=/ca.pem",
                                      "redis://host?ca=/ca.pem"};
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

static void test_sentinels(void **state) {
    static const char *const bad[] = {
        "redis+sentinel://host",  "redis+sentinel://host/", "redis+sentinel:///master",
        "redis+sentinel://a:0/m", "redis+sentinel://a/m/x", "redis+sentinel://a,b,c,d,e,f,g,h,i/m"};
    struct weir_redis_url url;
    assert_int_equal(weir_redis_url_parse(
                         &url, "redis+sentinel://u:pw@a,b:7000,[::1]:7001/the%20master/2", NULL),
                     0);
    assert_string_equal(url.master, "the master");
    assert_string_equal(url.password, "pw");
    assert_int_equal(url.db, 2);
    assert_int_equal(url.n_sentinels, 3);
    assert_string_equal(url.sentinels[0].host, "a");
    assert_int_equal(url.sentinels[0].port, 26379);
    assert_string_equal(url.sentinels[2].host, "::1");
    assert_int_equal(url.sentinels[2].port, 7001);
    assert_null(strstr(url.shown, "pw"));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_true(weir_redis_url_parse(&url, bad[i], NULL) < 0);
}

static void test_hidden(void **state) {
    char with[] = "redis://user:s:e@c@host/1", without[] = "redis://user@host:7",
         odd[] = "no url : @";
    weir_redis_url_hide(with);
    weir_redis_url_hide(without);
    weir_redis_url_hide(odd);
    assert_string_equal(with, "redis://user:*****@host/1");
    assert_string_equal(without, "redis://user@host:7");
    assert_string_equal(odd, "no url : @");
}

static void test_password_file(void **state) {
    char path[] = "/tmp/weir-password-XXXXXX";
    struct weir_redis_url url = {.password = "before"};
    struct weir_fault fault = {0};
    int fd = mkstemp(path);
    assert_true(weir_redis_password_read(&url, path, &fault) < 0);
    assert_string_equal(url.password, "before");
    assert_int_equal(write(fd, "open sesame\r\nmore\n", 19), 19);
    assert_int_equal(weir_redis_password_read(&url, path, &fault), 0);
    assert_string_equal(url.password, "open sesame");
    char line[400];
    memset(line, 'x', sizeof line);
    assert_int_equal(pwrite(fd, line, sizeof line, 0), sizeof line);
    assert_true(weir_redis_password_read(&url, path, &fault) < 0);
    assert_string_equal(url.password, "open sesame");
    close(fd);
    unlink(path);
    assert_true(weir_redis_password_read(&url, path, &fault) < 0);
    assert_non_null(strstr(fault.text, path));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_understood), cmocka_unit_test(test_tls),
        cmocka_unit_test(test_refused),    cmocka_unit_test(test_sentinels),
        cmocka_unit_test(test_hidden),     cmocka_unit_test(test_password_file)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
