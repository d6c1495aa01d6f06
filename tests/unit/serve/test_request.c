/* Paths and headers of strangers. */
#include "serve/request.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void test_routes(void **state) {
    static const struct {
        const char *path;
        enum weir_route_kind kind;
        const char *name;
    } cases[] = {
        {"/", WEIR_ROUTE_INDEX, ""},
        {"/metrics", WEIR_ROUTE_METRICS, ""},
        {"/events", WEIR_ROUTE_EVENTS, ""},
        {"/healthz", WEIR_ROUTE_HEALTH, ""},
        {"/api/v2/summary.json", WEIR_ROUTE_SUMMARY, ""},
        {"/service/netflix", WEIR_ROUTE_SERVICE, "netflix"},
        {"/incident/netflix-1795469610854", WEIR_ROUTE_INCIDENT, "netflix-1795469610854"},
        {"/incident/dns_resolver-1", WEIR_ROUTE_INCIDENT, "dns_resolver-1"},
        {"", WEIR_ROUTE_NONE, ""},
        {"//", WEIR_ROUTE_NONE, ""},
        {"/metrics/", WEIR_ROUTE_NONE, ""},
        {"/service/", WEIR_ROUTE_NONE, ""},
        {"/service/a/b", WEIR_ROUTE_NONE, ""},
        {"/service/a b", WEIR_ROUTE_NONE, ""},
        {"/service/<b>", WEIR_ROUTE_NONE, ""},
        {"/status.json", WEIR_ROUTE_NONE, ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct weir_route route = weir_route_find(cases[i].path);
        assert_int_equal(route.kind, cases[i].kind);
        assert_string_equal(route.name, cases[i].name);
    }
}

static void test_names_fit(void **state) {
    char path[200] = "/service/";
    memset(path + 9, 'a', 63);
    assert_int_equal(weir_route_find(path).kind, WEIR_ROUTE_SERVICE);
    memset(path + 9, 'a', 64);
    assert_int_equal(weir_route_find(path).kind, WEIR_ROUTE_NONE);
}

static void test_token(void **state) {
    static const char token[] = "0123456789abcdef";
    assert_true(weir_request_allowed("Bearer 0123456789abcdef", token));
    assert_true(weir_request_allowed("bearer 0123456789abcdef", token));
    assert_true(weir_request_allowed("Basic bWU6MDEyMzQ1Njc4OWFiY2RlZg==",
                                     token)); /* me:0123456789abcdef */
    assert_true(
        weir_request_allowed("Basic OjAxMjM0NTY3ODlhYmNkZWY=", token)); /* :0123456789abcdef */
    static const char *const wrong[] = {NULL,
                                        "",
                                        "Bearer",
                                        "Bearer ",
                                        "Bearer 0123456789abcde",
                                        "Bearer 0123456789abcdef0",
                                        "Basic",
                                        "Basic MDEyMzQ1Njc4OWFiY2RlZg==",
                                        "Basic !",
                                        "Basic bWU6MDEyMzQ1Njc4OWFiY2RlZg",
                                        "0123456789abcdef",
                                        "Digest 0123456789abcdef"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_false(weir_request_allowed(wrong[i], token));
}

static void test_a_long_header(void **state) {
    char header[2000] = "Basic ";
    memset(header + 6, 'A', 1900);
    assert_false(weir_request_allowed(header, "0123456789abcdef"));
}

static void test_only_this_machine_s_names(void **state) {
    static const char *const own[] = {NULL,        "localhost",      "LOCALHOST:8470",
                                      "127.0.0.1", "127.0.0.1:8470", "[::1]:8470"},
                             *const others[] = {"",
                                                "evil.example",
                                                "localhost.evil.example",
                                                "127.0.0.1.evil.example:8470",
                                                "::1",
                                                "10.0.0.1"};
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++)
        assert_true(weir_request_is_local(own[i]));
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        assert_false(weir_request_is_local(others[i]));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_routes), cmocka_unit_test(test_names_fit),
        cmocka_unit_test(test_token), cmocka_unit_test(test_only_this_machine_s_names),
        cmocka_unit_test(test_a_long_header)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
