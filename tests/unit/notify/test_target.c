/* Lines of `to:`, right and wrong, and quiet hours over midnight. */
#undef NDEBUG
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include <weir/incident.h>

#include "notify/target.h"

static struct weir_target parse(const char *line) {
    struct weir_target target;
    struct weir_fault fault = {0};
    if (weir_target_parse(&target, line, &fault) < 0) fail_msg("%s: %s", line, fault.text);
    return target;
}

static void refuse(const char *line) {
    struct weir_target target;
    struct weir_fault fault = {0};
    assert_true(weir_target_parse(&target, line, &fault) < 0);
    assert_true(fault.text[0]);
}

static void test_lines(void **state) {
    struct weir_target target = parse("slack  services=netflix,max state=down after=2m changes "
                                      "each https://hooks.example/T0/secret");
    assert_int_equal(target.format, WEIR_FORMAT_SLACK);
    assert_string_equal(target.url, "https://hooks.example/T0/secret");
    assert_null(strstr(target.shown, "secret"));
    assert_int_equal(target.least, WEIR_STATE_DOWN);
    assert_int_equal(target.after_us, 120000000);
    assert_true(target.changes && target.each);
    assert_true(weir_target_wants_service(&target, "max") &&
                weir_target_wants_service(&target, ""));
    assert_false(weir_target_wants_service(&target, "netflixx") ||
                 weir_target_wants_service(&target, "net"));
    target = parse("command state=partial /usr/bin/tell each -x");
    assert_string_equal(target.url, "/usr/bin/tell each -x");
    assert_false(target.each);
    assert_null(strstr(parse("json http://user:secret@host/x").shown, "secret"));
    assert_string_not_equal(parse("json http://a/").name, parse("slack http://a/").name);
}

static void test_refused(void **state) {
    static const char *const wrong[] = {"",
                                        "slack",
                                        "pager http://a/",
                                        "json file:///etc/passwd",
                                        "json http://a/ http://b/",
                                        "json after=2 http://a/",
                                        "json after=-2m http://a/",
                                        "json quiet=25:00/07:00 http://a/",
                                        "json quiet=22:00 http://a/",
                                        "json state=healthy http://a/",
                                        "json services= http://a/",
                                        "command ls",
                                        "json token-file=/nowhere http://a/"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) refuse(wrong[i]);
}

static void test_quiet_hours(void **state) {
    const int64_t minute_us = 60000000, day_us = 1440 * minute_us;
    struct weir_target night = parse("json quiet=22:00/07:00 http://a/"),
                       noon = parse("json quiet=12:00/13:30 http://a/"),
                       never = parse("json http://a/");
    assert_true(weir_target_is_quiet(&night, day_us + 22 * 60 * minute_us) &&
                weir_target_is_quiet(&night, day_us));
    assert_true(weir_target_is_quiet(&night, day_us + 419 * minute_us) &&
                !weir_target_is_quiet(&night, day_us + 420 * minute_us));
    assert_true(weir_target_is_quiet(&noon, 720 * minute_us) &&
                !weir_target_is_quiet(&noon, 810 * minute_us) && !weir_target_is_quiet(&never, 0));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_lines), cmocka_unit_test(test_refused),
                                       cmocka_unit_test(test_quiet_hours)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
