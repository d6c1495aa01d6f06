/* Windows add up to the run; clients are counted once; what nobody measured is null. */
#include "fake.h"
#include "measure/signal.h"

static struct weir_rollup *new_rollup(size_t clients_max) {
    struct weir_rollup *rollup;
    assert_int_equal(weir_rollup_new(&rollup, N_SERVICES, clients_max), 0);
    return rollup;
}

static void evidence_from(struct weir_rollup *rollup, weir_service_id service, unsigned client) {
    struct weir_evidence evidence = fake_attempt(service, "10.0.0.0", "192.0.2.1",
                                                 WEIR_LAYER_CONNECT, WEIR_OUTCOME_USEFUL, T0, 0);
    evidence.client.bytes[14] = (uint8_t)(client >> 8);
    evidence.client.bytes[15] = (uint8_t)client;
    weir_rollup_evidence(rollup, &evidence);
}

static int64_t window_value(struct weir_rollup *rollup, weir_service_id service, const char *group,
                            const char *name) {
    struct weir_window_record window;
    weir_rollup_window(rollup, service, T0 + 10 * S, &window);
    struct weir_value value = fake_value(window.values, group, name);
    return value.reason ? WEIR_NULL : value.integer;
}

static int64_t run_value(struct weir_rollup *rollup, weir_service_id service, const char *group,
                         const char *name) {
    struct weir_service_record record;
    assert_true(weir_rollup_service(rollup, service, &record));
    struct weir_value value = fake_value(record.values, group, name);
    return value.reason ? WEIR_NULL : value.integer;
}

static void test_clients_are_distinct(void **state) {
    struct weir_rollup *rollup = new_rollup(0);
    for (unsigned i = 0; i < 30; i++) evidence_from(rollup, FILM, i % 3);
    evidence_from(rollup, SPORT, 0);
    assert_int_equal(window_value(rollup, FILM, NULL, "clients"), 3);
    assert_int_equal(window_value(rollup, SPORT, NULL, "clients"), 1);
    weir_rollup_window_done(rollup, T0 + 10 * S);
    assert_int_equal(window_value(rollup, FILM, NULL, "clients"), 0);
    for (unsigned i = 2; i < 5; i++) evidence_from(rollup, FILM, i);
    assert_int_equal(window_value(rollup, FILM, NULL, "clients"), 3);
    weir_rollup_window_done(rollup, T0 + 20 * S);
    assert_int_equal(run_value(rollup, FILM, NULL, "clients"), 5);
    weir_rollup_free(rollup);
}

static void test_clients_are_bounded_and_forgotten(void **state) {
    struct weir_rollup *rollup = new_rollup(100);
    struct weir_rollup_stats stats;
    for (unsigned i = 0; i < 150; i++) evidence_from(rollup, FILM, i);
    assert_int_equal(window_value(rollup, FILM, NULL, "clients"), 100);
    weir_rollup_read_stats(rollup, &stats);
    assert_int_equal(stats.clients_refused, 50);
    for (int window = 0; window < 400; window++) {
        if (window % 100 == 0) evidence_from(rollup, FILM, 7);
        weir_rollup_window_done(rollup, T0 + (window + 1) * 10 * S);
    }
    for (unsigned i = 1000; i < 1090; i++) /* an hour later there is room again */
        evidence_from(rollup, FILM, i);
    evidence_from(rollup, FILM, 7);
    assert_int_equal(window_value(rollup, FILM, NULL, "clients"), 91);
    weir_rollup_read_stats(rollup, &stats);
    assert_int_equal(stats.clients_refused, 50);
    weir_rollup_free(rollup);
}

static void test_trials_of_closed_slots(void **state) {
    struct weir_rollup *rollup = new_rollup(0);
    struct weir_trial trials[4] = {
        {.service = FILM,
         .layer = WEIR_LAYER_CONNECT,
         .ok = true,
         .fail = true,
         .kind = WEIR_OUTCOME_REFUSED},
        {.service = FILM,
         .layer = WEIR_LAYER_SERVE,
         .fail = true,
         .kind = WEIR_OUTCOME_REQUEST_TIMEOUT},
        {.service = FILM,
         .layer = WEIR_LAYER_QUIC,
         .fail = true,
         .kind = WEIR_OUTCOME_QUIC_TIMEOUT,
         .quic_fell_back = true},
        {.service = SPORT, .layer = WEIR_LAYER_DNS, .ok = true, .kind = WEIR_OUTCOME_USEFUL},
    };
    struct weir_slot slot = {T0, trials, 4};
    for (int window = 1; window <= 2; window++) {
        weir_rollup_slot(rollup, &slot);
        assert_true(weir_rollup_seen(rollup, FILM) && weir_rollup_seen(rollup, SPORT) &&
                    !weir_rollup_seen(rollup, RADIO));
        assert_int_equal(window_value(rollup, FILM, NULL, "trials_ok"), 1);
        assert_int_equal(window_value(rollup, FILM, NULL, "trials_mixed"), 1);
        assert_int_equal(window_value(rollup, FILM, "trials_fail", "total"), 2);
        assert_int_equal(window_value(rollup, FILM, "trials_fail", "request_timeout"), 1);
        assert_int_equal(window_value(rollup, FILM, "trials_fail", "refused"), 0); /* taken back */
        assert_int_equal(window_value(rollup, FILM, "trials_by_layer", "serve_fail"), 1);
        assert_int_equal(window_value(rollup, FILM, NULL, "quic_fell_back"), 1);
        weir_rollup_window_done(rollup, T0 + window * 10 * S);
    }
    assert_int_equal(run_value(rollup, FILM, "trials_fail", "total"), 4);
    assert_int_equal(run_value(rollup, SPORT, NULL, "trials_ok"), 2);
    struct weir_service_record record;
    assert_false(weir_rollup_service(rollup, RADIO, &record));
    assert_true(weir_rollup_service(rollup, FILM, &record));
    assert_int_equal(record.first_us, T0);
    assert_int_equal(record.last_us, T0 + 20 * S);
    weir_rollup_free(rollup);
}

static void test_windows_begin_on_their_slot(void **state) {
    struct weir_rollup *rollup = new_rollup(0);
    struct weir_window_record window;
    weir_rollup_window(rollup, FILM, T0 + 10 * S, &window);
    assert_int_equal(window.start_us, T0);
    weir_rollup_window(rollup, FILM, T0 + 14 * S, &window); /* the capture ended */
    assert_int_equal(window.start_us, T0 + 10 * S);
    assert_int_equal(window.end_us, T0 + 14 * S);
    weir_rollup_free(rollup);
}

static void test_starved_is_null_without_demand(void **state) {
    struct weir_rollup *rollup = new_rollup(0);
    weir_rollup_sums(rollup, FILM, &(struct weir_session_sums){0});
    assert_false(weir_rollup_seen(rollup, FILM));
    assert_int_equal(window_value(rollup, FILM, NULL, "starved_us"), WEIR_NULL);
    weir_rollup_sums(rollup, FILM, &(struct weir_session_sums){.demand = true});
    assert_int_equal(window_value(rollup, FILM, NULL, "starved_us"), 0);
    weir_rollup_sums(
        rollup, FILM,
        &(struct weir_session_sums){.demand = true, .starved_us = 5, .throughput_drops = 2});
    assert_int_equal(window_value(rollup, FILM, NULL, "starved_us"), 5);
    assert_int_equal(window_value(rollup, FILM, NULL, "throughput_drops"), 2);
    weir_rollup_free(rollup);
}

static struct weir_block block_of(struct weir_accumulator *accumulators) {
    return (struct weir_block){
        .window_end = true, .accumulators = accumulators, .n_services = N_SERVICES};
}

/* Unnamed flows count as other in windows, and as unnamed in the shares of naming. */
static void test_unnamed_is_measured_as_other(void **state) {
    struct weir_rollup *rollup = new_rollup(0);
    struct weir_accumulator *all = weir_accumulators_new(N_SERVICES);
    for (weir_service_id id = WEIR_SERVICE_NONE; id <= FILM; id++) {
        struct weir_accumulator *one = weir_accumulator_at(all, id);
        struct weir_event end = {.kind = WEIR_EVENT_END};
        one->traffic.bytes[WEIR_SERVER] = 100;
        one->traffic.named_bytes[id ? WEIR_NAMED_SNI : WEIR_NAMED_NONE] = 100;
        weir_accumulator_event(
            one, &(struct weir_sample){.event = &end,
                                       .named_by = id ? WEIR_NAMED_SNI : WEIR_NAMED_NONE});
    }
    struct weir_block block = block_of(all);
    weir_rollup_block(rollup, &block);
    assert_int_equal(window_value(rollup, WEIR_SERVICE_OTHER, NULL, "bytes_down"), 200);
    assert_int_equal(window_value(rollup, FILM, NULL, "bytes_down"), 100);
    weir_rollup_window_done(rollup, T0 + 10 * S);
    uint64_t flows[WEIR_NAMED_N] = {0}, bytes[WEIR_NAMED_N] = {0};
    weir_rollup_naming(rollup, flows, bytes);
    assert_int_equal(flows[WEIR_NAMED_NONE], 1);
    assert_int_equal(flows[WEIR_NAMED_SNI], 2);
    assert_int_equal(bytes[WEIR_NAMED_NONE], 100);
    assert_int_equal(bytes[WEIR_NAMED_SNI], 200);
    struct weir_service_record record;
    assert_true(weir_rollup_service(rollup, FILM, &record));
    assert_int_equal(record.named_flows[WEIR_NAMED_SNI], 1);
    free(all);
    weir_rollup_free(rollup);
}

/* Each signal's merge: two windows merged say the same as one window with all events. */
static void test_every_signal_merges(void **state) {
    struct weir_accumulator *parts = weir_accumulators_new(3), *whole = weir_accumulators_new(1),
                            *sum = weir_accumulators_new(1);
    struct weir_addr addr = fake_addr("10.0.0.1");
    for (int i = 0; i < 300; i++) {
        struct weir_event events[] = {
            {.kind = WEIR_EVENT_NEW},
            {.kind = WEIR_EVENT_RTT, .rtt = {i & 1, i * 37, false}},
            {.kind = WEIR_EVENT_ANOMALY,
             .anomaly = {(enum weir_anomaly)(i % WEIR_ANOMALY_N), i & 1, (uint32_t)i, 1}},
            {.kind = WEIR_EVENT_RESET,
             .reset = {i & 1, (enum weir_reset_kind)(i % WEIR_RESET_N), i % 3 == 0}},
            {.kind = WEIR_EVENT_HANDSHAKE, .handshake = {i * 100}},
            {.kind = WEIR_EVENT_FIRST_BYTE, .first_byte = {i * 55}},
            {.kind = WEIR_EVENT_CHUNK, .chunk = {100000 + (uint64_t)i, 0, 5, 1000 + i}},
            {.kind = WEIR_EVENT_STALL, .stall = {0, i * 1000}},
            {.kind = WEIR_EVENT_DNS, .dns = {&addr, &addr, "a", 1, WEIR_OUTCOME_USEFUL, 0, i, 1}},
            {.kind = WEIR_EVENT_END},
        };
        for (size_t e = 0; e < sizeof events / sizeof events[0]; e++) {
            struct weir_sample sample = {.event = &events[e],
                                         .media = true,
                                         .transport =
                                             i & 1 ? WEIR_TRANSPORT_TCP : WEIR_TRANSPORT_UDP};
            weir_accumulator_event(weir_accumulator_at(parts, (size_t)i % 3), &sample);
            weir_accumulator_event(whole, &sample);
        }
        struct weir_trial trial = {.layer = (uint8_t)(i % WEIR_LAYER_N),
                                   .ok = i & 1,
                                   .fail = !(i & 1),
                                   .kind = WEIR_OUTCOME_REFUSED};
        struct weir_session_sums sums = {
            .demand = true, .starved_us = (uint64_t)i, .throughput_drops = 1};
        weir_accumulator_trial(weir_accumulator_at(parts, (size_t)i % 3), &trial);
        weir_accumulator_trial(whole, &trial);
        weir_accumulator_sums(weir_accumulator_at(parts, (size_t)i % 3), &sums);
        weir_accumulator_sums(whole, &sums);
    }
    for (size_t i = 3; i-- > 0;) weir_accumulator_merge(sum, weir_accumulator_at(parts, i));
    struct weir_value a[WEIR_FIELDS_MAX] = {0}, b[WEIR_FIELDS_MAX] = {0};
    weir_accumulator_read(whole, a);
    weir_accumulator_read(sum, b);
    size_t n, moved = 0;
    const struct weir_field *fields = weir_fields(&n);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(a[i].integer, b[i].integer);
        assert_int_equal(a[i].reason, b[i].reason);
        moved += a[i].integer != 0 && fields[i].type != WEIR_FIELD_RATIO;
    }
    assert_true(moved > 45); /* the events reached the signals */
    free(parts);
    free(whole);
    free(sum);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clients_are_distinct),
        cmocka_unit_test(test_clients_are_bounded_and_forgotten),
        cmocka_unit_test(test_trials_of_closed_slots),
        cmocka_unit_test(test_windows_begin_on_their_slot),
        cmocka_unit_test(test_starved_is_null_without_demand),
        cmocka_unit_test(test_unnamed_is_measured_as_other),
        cmocka_unit_test(test_every_signal_merges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
