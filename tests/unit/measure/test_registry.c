/* Is every signal complete, every field named once, and everything that windows promise there? */
#include "fake.h"
#include "measure/signal.h"

static void test_signals_are_complete(void **state) {
    const struct weir_signal *const *signals;
    size_t n = weir_signals(&signals), n_fields = 0;
    assert_true(n >= 12);
    for (size_t i = 0; i < n; i++) {
        const struct weir_signal *signal = signals[i];
        assert_non_null(signal->name);
        assert_true(signal->help && *signal->help);
        assert_true(signal->state_size > 0 && signal->merge != NULL && signal->n_fields > 0);
        assert_int_equal(signal->events != 0, signal->on_event != NULL);
        for (size_t f = 0; f < signal->n_fields; f++) assert_non_null(signal->fields[f].read);
        n_fields += signal->n_fields;
    }
    size_t n_all;
    weir_fields(&n_all);
    assert_int_equal(n_all, n_fields); /* none was cut off */
    assert_true(n_all <= WEIR_FIELDS_MAX);
}

static void test_fields_are_named_once_and_explained(void **state) {
    size_t n;
    const struct weir_field *fields = weir_fields(&n);
    for (size_t i = 0; i < n; i++) {
        assert_true(fields[i].name && *fields[i].name && fields[i].unit && *fields[i].unit &&
                    fields[i].help && *fields[i].help);
        assert_int_equal(weir_field_find(fields[i].group, fields[i].name), i);
        bool time = strcmp(fields[i].unit, "us") == 0;
        size_t length = strlen(fields[i].name);
        if (time) assert_string_equal(fields[i].name + length - 3, "_us");
    }
    assert_int_equal(weir_field_find(NULL, "no such"), -1);
    assert_int_equal(weir_field_find("trials_fail", "useful"), -1); /* useful is no failure */
}

static void test_promised_fields(void **state) {
    static const char *const promised[][2] = {
        {NULL, "trials_ok"},
        {NULL, "clients"},
        {NULL, "flows_new"},
        {NULL, "bytes_down"},
        {NULL, "bytes_up"},
        {NULL, "packets_down"},
        {"goodput", "p50_bps"},
        {"ttfb", "p50_us"},
        {"rtt_server", "p10_us"},
        {"rtt_client", "p95_us"},
        {"loss", "down_before_share"},
        {"loss", "down_beyond_share"},
        {"resets", "mid"},
        {"stalls", "count"},
        {NULL, "throughput_drops"},
        {NULL, "starved_us"},
        {"dns", "queries"},
        {"dns", "servfail"},
        {"dns_latency", "p50_us"},
        {"tls_handshake", "p50_us"},
    };
    for (size_t i = 0; i < sizeof promised / sizeof promised[0]; i++)
        assert_true(weir_field_find(promised[i][0], promised[i][1]) >= 0);
    for (int outcome = 0; outcome < WEIR_OUTCOME_N; outcome++)
        assert_int_equal(
            weir_field_find("trials_fail", weir_outcome_name((enum weir_outcome)outcome)) >= 0,
            weir_outcome_failed((enum weir_outcome)outcome));
}

/* Nothing measured is null with a reason where it is a measurement, and 0 where it is a count. */
static void test_empty_is_null_not_zero(void **state) {
    struct weir_accumulator *empty = weir_accumulators_new(1);
    struct weir_value values[WEIR_FIELDS_MAX];
    weir_accumulator_read(empty, values);
    size_t n;
    const struct weir_field *fields = weir_fields(&n);
    for (size_t i = 0; i < n; i++) {
        bool demand = strcmp(fields[i].name, "starved_us") == 0 ||
                      strcmp(fields[i].name, "throughput_drops") == 0;
        bool measured =
            fields[i].type != WEIR_FIELD_COUNT && strcmp(fields[i].name, "clients") != 0;
        assert_int_equal(values[i].reason != WEIR_REASON_NONE, demand || measured);
        if (values[i].reason == WEIR_REASON_NONE) assert_int_equal(values[i].integer, 0);
    }
    free(empty);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_signals_are_complete),
        cmocka_unit_test(test_fields_are_named_once_and_explained),
        cmocka_unit_test(test_promised_fields),
        cmocka_unit_test(test_empty_is_null_not_zero),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
