/* Clients' links: counted by worker and window, added up, in an order that workers do not change.
 */
#include "fake.h"

enum { WORKERS = 3 };

static struct weir_meter *new_meter(size_t links_max) {
    struct weir_meter *meter;
    const struct weir_meter_config config = {.set = fake_set(), .links_max = links_max};
    assert_int_equal(weir_meter_new(&meter, &config), 0);
    return meter;
}

static void send(struct weir_meter *meter, struct weir_flow *flow, enum weir_side side,
                 uint32_t payload_len, unsigned n) {
    const struct weir_packet packet = {.transport = WEIR_TRANSPORT_TCP,
                                       .ip_payload_len = payload_len + 32,
                                       .payload_len = payload_len};
    for (unsigned i = 0; i < n; i++) weir_meter_packet(meter, flow, side, &packet);
}

static void lose(struct weir_meter *meter, struct weir_flow *flow, enum weir_side sender,
                 enum weir_anomaly what, uint32_t segments) {
    const struct weir_event event = {.kind = WEIR_EVENT_ANOMALY,
                                     .anomaly = {what, sender, segments * 1448, segments}};
    weir_meter_event(meter, flow, &event);
}

static void rtt(struct weir_meter *meter, struct weir_flow *flow, enum weir_side side, int64_t us) {
    const struct weir_event event = {.kind = WEIR_EVENT_RTT, .rtt = {.side = side, .us = us}};
    weir_meter_event(meter, flow, &event);
}

static void take(struct weir_rollup *rollup, struct weir_meter *const *meters, size_t n,
                 int64_t end_us) {
    for (size_t i = 0; i < n; i++) {
        struct weir_block block;
        weir_meter_take(meters[i], &block, end_us, true);
        weir_rollup_block(rollup, &block);
    }
}

static struct weir_rollup *new_rollup(void) {
    struct weir_rollup *rollup;
    assert_int_equal(weir_rollup_new(&rollup, N_SERVICES, 0), 0);
    return rollup;
}

/* Two services, one lossy client and one that is well, spread over `n` workers by flow. */
static void run(size_t n_workers, struct weir_client_link ret[2]) {
    struct weir_meter *meters[WORKERS];
    struct weir_flow flows[] = {
        fake_flow("10.0.0.2", "192.0.2.1", FILM, WEIR_ROLE_MEDIA),
        fake_flow("10.0.0.2", "198.51.100.1", SPORT, WEIR_ROLE_MEDIA),
        fake_flow("10.0.0.1", "192.0.2.1", FILM, WEIR_ROLE_MEDIA),
        fake_flow("10.0.0.2", "203.0.113.1", WEIR_SERVICE_NONE, WEIR_ROLE_OTHER),
    };
    for (size_t i = 0; i < n_workers; i++) meters[i] = new_meter(0);
    for (size_t i = 0; i < 4; i++) {
        struct weir_meter *meter = meters[i % n_workers];
        send(meter, &flows[i], WEIR_SERVER, 1448, 100);
        send(meter, &flows[i], WEIR_SERVER, 14000, 10); /* ten segments each, as cards join them */
        send(meter, &flows[i], WEIR_SERVER, 0, 7);
        send(meter, &flows[i], WEIR_CLIENT, 60, 5);
        for (int64_t us = 1000; us <= 100000; us += 1000) rtt(meter, &flows[i], WEIR_CLIENT, us);
        rtt(meter, &flows[i], WEIR_SERVER, 5);
        if (i == 2) continue;
        lose(meter, &flows[i], WEIR_SERVER, WEIR_ANOMALY_LOST_BEYOND, 8);
        lose(meter, &flows[i], WEIR_SERVER, WEIR_ANOMALY_LOST_BEFORE, 1);
        lose(meter, &flows[i], WEIR_SERVER, WEIR_ANOMALY_SPURIOUS, 50);
        lose(meter, &flows[i], WEIR_CLIENT, WEIR_ANOMALY_LOST_BEFORE, 2);
        lose(meter, &flows[i], WEIR_CLIENT, WEIR_ANOMALY_LOST_BEYOND, 50);
    }
    struct weir_rollup *rollup = new_rollup();
    const struct weir_client_link *links;
    take(rollup, meters, n_workers, T0 + 10 * S);
    assert_int_equal(weir_rollup_links(rollup, &links), 2);
    memcpy(ret, links, 2 * sizeof *links);
    weir_rollup_window_done(rollup, T0 + 10 * S);
    take(rollup, meters, n_workers, T0 + 20 * S);
    /* handed over: the next window begins empty */
    assert_int_equal(weir_rollup_links(rollup, &links), 0);
    weir_rollup_free(rollup);
    for (size_t i = 0; i < n_workers; i++) weir_meter_free(meters[i]);
}

static void test_sums_over_services_and_workers(void **state) {
    struct weir_client_link one[2], three[2];
    struct weir_addr well = fake_addr("10.0.0.1"), bad = fake_addr("10.0.0.2");
    run(1, one);
    run(3, three);
    assert_memory_equal(one, three, sizeof one);
    assert_memory_equal(&one[0].client, &well, sizeof well);
    assert_memory_equal(&one[1].client, &bad, sizeof bad);
    assert_int_equal(one[0].segments_down, 200);
    assert_int_equal(one[0].lost_beyond + one[0].lost_before + one[0].lost_up, 0);
    assert_int_equal(one[0].services[0], UINT64_C(1) << FILM);
    assert_int_equal(one[1].segments_down, 600);
    assert_int_equal(one[1].segments_up, 15);
    assert_int_equal(one[1].lost_beyond, 24);
    assert_int_equal(one[1].lost_before, 3);
    assert_int_equal(one[1].lost_up, 6);
    assert_int_equal(one[1].services[0], UINT64_C(1) << FILM | UINT64_C(1) << SPORT |
                                             UINT64_C(1) << WEIR_SERVICE_OTHER);
    assert_int_equal(one[0].rtt_samples, 100);
    assert_int_equal(one[1].rtt_samples, 300);
    for (int i = 0; i < 2; i++)
        assert_in_range(one[i].rtt_us, 8500, 11500); /* the low decile of 1 to 100 ms */
}

static void test_row_moves_with_the_window(void **state) {
    struct weir_meter *meter = new_meter(0);
    struct weir_rollup *rollup = new_rollup();
    struct weir_flow first = fake_flow("10.0.0.1", "192.0.2.1", FILM, WEIR_ROLE_MEDIA),
                     second = fake_flow("10.0.0.2", "192.0.2.1", FILM, WEIR_ROLE_MEDIA);
    const struct weir_client_link *links;
    for (int window = 1; window <= 5; window++) {
        /* the rows change places */
        send(meter, window % 2 ? &first : &second, WEIR_SERVER, 1000, 1);
        send(meter, window % 2 ? &second : &first, WEIR_SERVER, 1000, 2);
        take(rollup, &meter, 1, T0 + window * 10 * S);
        assert_int_equal(weir_rollup_links(rollup, &links), 2);
        assert_int_equal(links[0].segments_down, window % 2 ? 1 : 2);
        assert_int_equal(links[1].segments_down, window % 2 ? 2 : 1);
        weir_rollup_window_done(rollup, T0 + window * 10 * S);
    }
    weir_rollup_free(rollup);
    weir_meter_free(meter);
}

static void test_bound_is_counted(void **state) {
    struct weir_meter *meter = new_meter(2);
    struct weir_rollup *rollup = new_rollup();
    const struct weir_client_link *links;
    const char *const clients[] = {"10.0.0.1", "10.0.0.2", "10.0.0.3"};
    for (int window = 1; window <= 3; window++) {
        for (int i = 0; i < 3; i++) {
            struct weir_flow flow =
                fake_flow(clients[(i + window) % 3], "192.0.2.1", FILM, WEIR_ROLE_MEDIA);
            send(meter, &flow, WEIR_SERVER, 1000, 3);
        }
        take(rollup, &meter, 1, T0 + window * 10 * S);
        assert_int_equal(weir_rollup_links(rollup, &links), 2);
        weir_rollup_window_done(rollup, T0 + window * 10 * S);
    }
    struct weir_rollup_stats stats;
    weir_rollup_read_stats(rollup, &stats);
    assert_int_equal(stats.clients_refused, 3); /* a flow is refused once a window */
    weir_rollup_free(rollup);
    weir_meter_free(meter);
}

/* Samples of the signals are those that the windows count, and each client counts once. */
static void test_clients_behind_samples(void **state) {
    struct weir_meter *meters[] = {new_meter(0), new_meter(0)};
    struct weir_rollup *rollup = new_rollup();
    const char *const clients[] = {"10.0.0.1", "10.0.0.2", "10.0.0.3"};
    for (int i = 0; i < 6; i++) {
        struct weir_flow flow = fake_flow(clients[i % 3], "192.0.2.1", FILM, WEIR_ROLE_MEDIA);
        struct weir_meter *meter = meters[i % 2];
        struct weir_event first_byte = {.kind = WEIR_EVENT_FIRST_BYTE, .first_byte = {30000}},
                          chunk = {.kind = WEIR_EVENT_CHUNK,
                                   .chunk = {.bytes = i == 0 ? 200000 : 20000, .transfer_us = S}};
        rtt(meter, &flow, WEIR_SERVER, 20000);
        if (i % 3) weir_meter_event(meter, &flow, &first_byte);
        weir_meter_event(meter, &flow, &chunk);
    }
    take(rollup, meters, 2, T0 + 10 * S);
    assert_int_equal(weir_rollup_sampled(rollup, FILM, WEIR_CONTINUOUS_RTT_SERVER), 3);
    assert_int_equal(weir_rollup_sampled(rollup, FILM, WEIR_CONTINUOUS_RTT_CLIENT), 0);
    assert_int_equal(weir_rollup_sampled(rollup, FILM, WEIR_CONTINUOUS_TTFB), 2);
    assert_int_equal(weir_rollup_sampled(rollup, FILM, WEIR_CONTINUOUS_GOODPUT), 1);
    assert_int_equal(weir_rollup_sampled(rollup, SPORT, WEIR_CONTINUOUS_RTT_SERVER), 0);
    weir_rollup_free(rollup);
    weir_meter_free(meters[0]);
    weir_meter_free(meters[1]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sums_over_services_and_workers),
        cmocka_unit_test(test_row_moves_with_the_window),
        cmocka_unit_test(test_bound_is_counted),
        cmocka_unit_test(test_clients_behind_samples),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
