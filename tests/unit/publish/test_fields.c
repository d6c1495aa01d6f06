/* Flat fields of a window: every one of measure's is there, under a name of its own, whatever its
 * value. */
#undef NDEBUG
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <weir/measure.h>

#include "publish/fields.h"

static void fill(struct weir_window_record *window, int64_t integer, double real,
                 enum weir_reason reason) {
    size_t n;
    const struct weir_field *all = weir_fields(&n);
    for (size_t i = 0; i < n; i++) {
        window->values[i].reason = (uint8_t)reason;
        if (all[i].type == WEIR_FIELD_RATIO)
            window->values[i].real = real;
        else
            window->values[i].integer = integer;
    }
}

static void check_complete(const struct weir_fields *fields) {
    size_t n;
    weir_fields(&n);
    assert_int_equal(fields->n, n + 4); /* start_ts, end_ts, state, blocked_names */
    for (size_t i = 0; i < fields->n; i++)
        for (size_t j = 0; j < i; j++) assert_string_not_equal(fields->names[i], fields->names[j]);
}

static void test_every_field_at_its_longest(void **state) {
    struct weir_window_record window = {.end_us = INT64_C(4294967295000000)};
    static struct weir_fields fields;
    fill(&window, INT64_MIN + 1, 1, WEIR_REASON_NONE);
    window.blocked.n = WEIR_BLOCKED_NAMES_MAX;
    for (unsigned i = 0; i < WEIR_BLOCKED_NAMES_MAX; i++)
        memset(window.blocked.text[i], 'a', WEIR_BLOCKED_NAME_MAX - 1);
    weir_fields_clear(&fields);
    weir_fields_window(&fields, NULL, &window);
    check_complete(&fields);
}

static void test_null_is_empty_not_zero(void **state) {
    struct weir_window_record window = {0};
    static struct weir_fields fields;
    fill(&window, 0, 0, WEIR_REASON_NO_SAMPLE);
    weir_fields_clear(&fields);
    weir_fields_window(&fields, NULL, &window);
    check_complete(&fields);
    for (size_t i = 4; i < fields.n; i++) assert_string_equal(fields.texts[i], "");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_field_at_its_longest),
                                       cmocka_unit_test(test_null_is_empty_not_zero)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
