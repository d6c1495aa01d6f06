/* Days, weeks and months of UTC, and shares of the judged time. */
#undef NDEBUG
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include <math.h>

#include "history/history.h"

#define S INT64_C(1000000)
enum { MAX = 64 };
/* 2026-11-30 00:00 UTC, a Monday. */
static const int64_t monday_us = 1795996800 * S;

static void test_steps(void **state) {
    struct weir_history_hour hours[] = {
        {.start_us = monday_us - WEIR_HOUR_US, .judged_s = 3600, .healthy_s = 3600},
        {.start_us = monday_us,
         .judged_s = 1800,
         .healthy_s = 900,
         .degraded_s = 300,
         .partial_s = 150,
         .down_s = 450},
        {.start_us = monday_us + 24 * WEIR_HOUR_US, .judged_s = 3600, .down_s = 3600}};
    const struct weir_history_service service = {.name = "netflix", .n_hours = 3, .hours = hours};
    struct weir_history_span spans[MAX];
    int64_t from_us = monday_us - S, until_us = monday_us + 24 * WEIR_HOUR_US + 1;
    assert_int_equal(weir_history_spans(&service, WEIR_HISTORY_DAY, from_us, until_us, spans, MAX),
                     3);
    assert_int_equal(spans[0].judged_s, 3600);
    assert_int_equal(spans[1].start_us, monday_us);
    assert_int_equal(spans[1].judged_s, 1800);
    assert_int_equal(spans[2].down_s, 3600);
    assert_true(fabs(weir_history_up(&spans[1]) - 0.75) < 1e-12);
    assert_true(fabs(weir_history_well(&spans[1]) - 0.5) < 1e-12);
    assert_int_equal(weir_history_spans(&service, WEIR_HISTORY_WEEK, from_us, until_us, spans, MAX),
                     2);
    assert_int_equal(spans[1].start_us, monday_us);
    assert_int_equal(spans[1].judged_s, 5400);
    /* The first of December is the Tuesday. */
    assert_int_equal(
        weir_history_spans(&service, WEIR_HISTORY_MONTH, from_us, until_us, spans, MAX), 2);
    assert_int_equal(spans[0].judged_s, 5400);
    assert_int_equal(spans[1].start_us, monday_us + 24 * WEIR_HOUR_US);
    assert_int_equal(weir_history_spans(&service, WEIR_HISTORY_HOUR, from_us, until_us, spans, 2),
                     2);
}

static void test_nothing_judged_is_not_a_number(void **state) {
    const struct weir_history_service service = {.name = "netflix"};
    struct weir_history_span span;
    assert_int_equal(
        weir_history_spans(&service, WEIR_HISTORY_DAY, monday_us, monday_us + 1, &span, 1), 1);
    assert_true(isnan(weir_history_up(&span)) && isnan(weir_history_well(&span)));
}

static void test_durations(void **state) {
    struct weir_history_incident incident = {.onset_us = 100 * S};
    assert_int_equal(weir_history_duration_us(&incident, 400 * S), 300 * S);
    incident.cleared_us = 250 * S;
    assert_int_equal(weir_history_duration_us(&incident, 400 * S), 150 * S);
    incident.recovered_us = 180 * S;
    assert_int_equal(weir_history_duration_us(&incident, 400 * S), 80 * S);
    incident.recovered_us = 90 * S; /* nonsense */
    assert_int_equal(weir_history_duration_us(&incident, 400 * S), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_steps),
                                       cmocka_unit_test(test_nothing_judged_is_not_a_number),
                                       cmocka_unit_test(test_durations)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
