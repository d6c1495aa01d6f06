/* Hours worked by hand: windows booked, gaps, and what events put right. */
#undef NDEBUG
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include <math.h>

#include <weir/measure.h>
#include <weir/trial.h>

#include "history/hours.h"

#define HOUR  INT64_C(3600000000)
#define BEGIN (500000 * HOUR)
enum { NETFLIX = 3 };

struct seen {
    size_t n;
    struct weir_history_hour hour[8];
};

static void see(void *context, weir_service_id service, const struct weir_history_hour *hour) {
    struct seen *seen = context;
    assert_int_equal(service, NETFLIX);
    assert_true(seen->n < 8);
    seen->hour[seen->n++] = *hour;
}

static void set(struct weir_window_record *window, const char *group, const char *name,
                double value) {
    size_t n;
    int field = weir_field_find(group, name);
    assert_true(field >= 0);
    const struct weir_field *fields = weir_fields(&n);
    window->values[field].reason = WEIR_REASON_NONE;
    if (fields[field].type == WEIR_FIELD_RATIO)
        window->values[field].real = value;
    else
        window->values[field].integer = (int64_t)value;
}

static void book(struct weir_hours *hours, int64_t start_s, enum weir_state state, double goodput) {
    struct weir_window_record window = {.start_us = BEGIN + start_s * 1000000,
                                        .end_us = BEGIN + start_s * 1000000 + WEIR_SLOT_US,
                                        .service = NETFLIX,
                                        .state = (uint8_t)state};
    for (size_t i = 0; i < WEIR_FIELDS_MAX; i++) window.values[i].reason = WEIR_REASON_NO_SAMPLE;
    set(&window, NULL, "trials_ok", 2);
    set(&window, "trials_fail", "total", 1);
    if (!isnan(goodput)) set(&window, "goodput", "p50_bps", goodput);
    set(&window, NULL, "bytes_down", 1000);
    set(&window, "loss", "down_before_share", 0.01);
    set(&window, "loss", "down_beyond_share", 0.03);
    assert_int_equal(weir_hours_window(hours, &window), 0);
}

static struct weir_history_hour read_one(struct weir_hours *hours, int64_t now_s) {
    struct seen seen = {0};
    weir_hours_changed(hours, BEGIN + now_s * 1000000, true, see, &seen);
    assert_int_equal(seen.n, 1);
    return seen.hour[0];
}

static void event(struct weir_hours *hours, enum weir_incident_event kind, enum weir_state state,
                  enum weir_cause cause, int64_t onset_s, int64_t ts_s, int64_t recovered_s) {
    struct weir_incident incident = {
        .id = "netflix-1",
        .event = (uint8_t)kind,
        .state = (uint8_t)state,
        .cause = (uint8_t)cause,
        .service = cause == WEIR_CAUSE_UPLINK ? WEIR_SERVICE_NONE : NETFLIX,
        .onset_us = BEGIN + onset_s * 1000000,
        .ts_us = BEGIN + ts_s * 1000000,
        .recovered_us = recovered_s ? BEGIN + recovered_s * 1000000 : 0};
    weir_hours_incident(hours, &incident);
}

static void test_windows_and_medians(void **state) {
    struct weir_hours *hours = weir_hours_new();
    book(hours, 0, WEIR_STATE_HEALTHY, 100);
    book(hours, 10, WEIR_STATE_DEGRADED, 300);
    book(hours, 20, WEIR_STATE_PARTIAL, 200);
    book(hours, 30, WEIR_STATE_UNKNOWN, NAN);
    struct weir_history_hour hour = read_one(hours, 40);
    assert_int_equal(hour.start_us, BEGIN);
    assert_int_equal(hour.judged_s, 30);
    assert_int_equal(hour.healthy_s, 10);
    assert_int_equal(hour.degraded_s, 10);
    assert_int_equal(hour.partial_s, 10);
    assert_int_equal(hour.trials_ok, 8);
    assert_int_equal(hour.trials_fail, 4);
    assert_true(hour.goodput_bps == 200);
    assert_true(isnan(hour.ttfb_us));
    assert_true(fabs(hour.loss_server - 0.01) < 1e-9 && fabs(hour.loss_client - 0.03) < 1e-9);
    weir_hours_free(hours);
}

/* 15 minutes of silence keep the state; a longer one says nothing. */
static void test_gaps(void **state) {
    struct weir_hours *hours = weir_hours_new();
    book(hours, 0, WEIR_STATE_HEALTHY, 1);
    book(hours, 910, WEIR_STATE_HEALTHY, 1);
    assert_int_equal(read_one(hours, 920).judged_s, 920);
    book(hours, 1830, WEIR_STATE_HEALTHY, 1);
    assert_int_equal(read_one(hours, 1840).judged_s, 930);
    book(hours, 1840, WEIR_STATE_UNKNOWN, 1);
    book(hours, 1860, WEIR_STATE_HEALTHY, 1); /* what was unknown stands for nothing */
    assert_int_equal(read_one(hours, 1870).judged_s, 940);
    weir_hours_free(hours);
}

/* Raised 30 s after its onset, cleared 40 s after the recovery: 60 s were down. */
static void test_an_incident_puts_right(void **state) {
    struct weir_hours *hours = weir_hours_new();
    for (int s = 0; s < 60; s += 10)
        book(hours, s, s < 30 ? WEIR_STATE_HEALTHY : WEIR_STATE_SUSPECT, 1);
    event(hours, WEIR_INCIDENT_RAISED, WEIR_STATE_DOWN, WEIR_CAUSE_SERVICE, 30, 60, 0);
    for (int s = 60; s < 130; s += 10) book(hours, s, WEIR_STATE_DOWN, 1);
    struct weir_history_hour hour = read_one(hours, 130);
    assert_int_equal(hour.down_s, 100);
    assert_int_equal(hour.healthy_s, 30);
    event(hours, WEIR_INCIDENT_CLEARED, WEIR_STATE_DOWN, WEIR_CAUSE_SERVICE, 30, 130, 90);
    hour = read_one(hours, 130);
    assert_int_equal(hour.down_s, 60);
    assert_int_equal(hour.healthy_s, 70);
    assert_int_equal(hour.judged_s, 130);
    weir_hours_free(hours);
}

static void test_the_uplink_judges_no_service(void **state) {
    struct weir_hours *hours = weir_hours_new();
    book(hours, 0, WEIR_STATE_HEALTHY, 1);
    book(hours, 10, WEIR_STATE_SUSPECT, 1);
    event(hours, WEIR_INCIDENT_RAISED, WEIR_STATE_DOWN, WEIR_CAUSE_UPLINK, 10, 20, 0);
    book(hours, 20, WEIR_STATE_HEALTHY, 1);
    assert_int_equal(read_one(hours, 30).judged_s, 10);
    event(hours, WEIR_INCIDENT_CLEARED, WEIR_STATE_DOWN, WEIR_CAUSE_UPLINK, 10, 30, 25);
    book(hours, 30, WEIR_STATE_HEALTHY, 1);
    assert_int_equal(read_one(hours, 40).judged_s, 20);
    weir_hours_free(hours);
}

/* An hour that is over is visited once, the older one first; again when an event changes it. */
static void test_hours_in_order(void **state) {
    struct weir_hours *hours = weir_hours_new();
    struct seen seen = {0};
    book(hours, 3580, WEIR_STATE_HEALTHY, 1);
    book(hours, 3590, WEIR_STATE_SUSPECT, 1);
    book(hours, 3600, WEIR_STATE_DOWN, 1);
    weir_hours_changed(hours, BEGIN + HOUR + 10000000, false, see, &seen);
    assert_int_equal(seen.n, 1);
    assert_int_equal(seen.hour[0].healthy_s, 20);
    event(hours, WEIR_INCIDENT_RAISED, WEIR_STATE_DOWN, WEIR_CAUSE_SERVICE, 3590, 3610, 0);
    weir_hours_changed(hours, BEGIN + HOUR + 10000000, true, see, &seen);
    assert_int_equal(seen.n, 3);
    assert_int_equal(seen.hour[1].start_us, BEGIN);
    assert_int_equal(seen.hour[1].down_s, 10);
    assert_int_equal(seen.hour[2].down_s, 10);
    weir_hours_changed(hours, BEGIN + HOUR + 10000000, true, see, &seen);
    assert_int_equal(seen.n, 3);
    book(hours, 7200, WEIR_STATE_HEALTHY, 1); /* the page of the first hour is used again */
    weir_hours_changed(hours, BEGIN + 2 * HOUR + 10000000, true, see, &seen);
    assert_int_equal(seen.hour[seen.n - 1].judged_s, 10);
    weir_hours_free(hours);
}

static void test_the_clock_going_back(void **state) {
    struct weir_hours *hours = weir_hours_new();
    book(hours, 20, WEIR_STATE_HEALTHY, 1);
    book(hours, 0, WEIR_STATE_DOWN, 1);
    book(hours, 20, WEIR_STATE_DOWN, 1);
    assert_int_equal(read_one(hours, 30).down_s, 0);
    weir_hours_free(hours);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_windows_and_medians),
                                       cmocka_unit_test(test_gaps),
                                       cmocka_unit_test(test_an_incident_puts_right),
                                       cmocka_unit_test(test_the_uplink_judges_no_service),
                                       cmocka_unit_test(test_hours_in_order),
                                       cmocka_unit_test(test_the_clock_going_back)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
