/* From measure to detect: the numbers of clients behind a window's delays and rates arrive, and
 * each client's link. */
#include "../measure/fake.h"

#include <weir/detect.h>

#include "engine/detect_input.h"

static struct {
    struct weir_detect_window window;
    struct weir_detect_service_window services[8];
    struct weir_client_link links[8];
    struct weir_demand demand[N_SERVICES];
    size_t n_demands;
} seen;

/* In the detector's place. */
void weir_detector_window(struct weir_detector *detector, const struct weir_detect_window *window) {
    assert_true(window->n_services <= 8 && window->n_links <= 8);
    seen.window = *window;
    memcpy(seen.services, window->services, window->n_services * sizeof *window->services);
    memcpy(seen.links, window->links, window->n_links * sizeof *window->links);
}
void weir_detector_demand(struct weir_detector *detector, const struct weir_demand *demand) {
    assert_true(demand->service < N_SERVICES);
    seen.demand[demand->service] = *demand;
    seen.n_demands++;
}

static const struct weir_detect_service_window *film(void) {
    for (size_t i = 0; i < seen.window.n_services; i++)
        if (seen.services[i].service == FILM) return &seen.services[i];
    fail();
    return NULL;
}

static void test_three_clients(void **state) {
    struct weir_meter *meter;
    struct weir_rollup *rollup;
    struct weir_block block;
    const struct weir_meter_config config = {.set = fake_set()};
    const char *const clients[] = {"10.0.0.3", "10.0.0.1", "10.0.0.2"};
    assert_int_equal(weir_meter_new(&meter, &config), 0);
    assert_int_equal(weir_rollup_new(&rollup, N_SERVICES, 0), 0);
    for (int i = 0; i < 9; i++) {
        struct weir_flow flow = fake_flow(clients[i % 3], "192.0.2.1", FILM, WEIR_ROLE_MEDIA);
        const struct weir_packet packet = {
            .transport = WEIR_TRANSPORT_TCP, .ip_payload_len = 1432, .payload_len = 1400};
        const struct weir_event rtt = {.kind = WEIR_EVENT_RTT,
                                       .rtt = {.side = WEIR_SERVER, .us = 30000}},
                                chunk = {.kind = WEIR_EVENT_CHUNK,
                                         .chunk = {.bytes = 1000000, .transfer_us = S}},
                                lost = {
                                    .kind = WEIR_EVENT_ANOMALY,
                                    .anomaly = {WEIR_ANOMALY_LOST_BEYOND, WEIR_SERVER, 1400, 1}};
        weir_meter_packet(meter, &flow, WEIR_SERVER, &packet);
        weir_meter_event(meter, &flow, &rtt);
        if (i % 3 != 1) weir_meter_event(meter, &flow, &chunk);
        if (i == 0) weir_meter_event(meter, &flow, &lost);
    }
    weir_meter_take(meter, &block, T0 + 10 * S, true);
    weir_rollup_block(rollup, &block);
    weir_detect_input_window(NULL, rollup, N_SERVICES, T0 + 10 * S, 0, false);
    assert_int_equal(film()->value[WEIR_CONTINUOUS_RTT_SERVER].samples, 9);
    assert_int_equal(film()->value[WEIR_CONTINUOUS_RTT_SERVER].clients, 3);
    assert_int_equal(film()->value[WEIR_CONTINUOUS_GOODPUT].samples, 6);
    assert_int_equal(film()->value[WEIR_CONTINUOUS_GOODPUT].clients, 2);
    assert_int_equal(film()->value[WEIR_CONTINUOUS_TTFB].clients, 0);
    assert_int_equal(seen.window.n_links, 3);
    for (int i = 0; i < 3; i++) {
        const char *const in_order[] = {"10.0.0.1", "10.0.0.2", "10.0.0.3"};
        struct weir_addr client = fake_addr(in_order[i]);
        assert_memory_equal(&seen.links[i].client, &client, sizeof client);
        assert_int_equal(seen.links[i].segments_down, 3);
        assert_int_equal(seen.links[i].lost_beyond, i == 2);
        assert_int_equal(seen.links[i].services[0], UINT64_C(1) << FILM);
    }
    weir_rollup_free(rollup);
    weir_meter_free(meter);
}

/* One of each event of a value of its own: a field that nobody fills would be 0, or another's. */
static void test_each_value_arrives_in_its_place(void **state) {
    struct weir_meter *meter;
    struct weir_rollup *rollup;
    struct weir_block block;
    const struct weir_meter_config config = {.set = fake_set()};
    struct weir_flow flow = fake_flow("10.0.0.1", "192.0.2.1", FILM, WEIR_ROLE_MEDIA);
    const struct weir_addr resolver = fake_addr("10.0.0.53");
    const struct weir_packet packet = {
        .transport = WEIR_TRANSPORT_TCP, .ip_payload_len = 100000, .payload_len = 100000};
    const struct weir_event events[] = {
        {.kind = WEIR_EVENT_RTT, .rtt = {.side = WEIR_SERVER, .us = 30000}},
        {.kind = WEIR_EVENT_RTT, .rtt = {.side = WEIR_CLIENT, .us = 4000}},
        {.kind = WEIR_EVENT_FIRST_BYTE, .first_byte = {.ttfb_us = 70000}},
        {.kind = WEIR_EVENT_CHUNK, .chunk = {.bytes = 1000000, .transfer_us = S}},
        {.kind = WEIR_EVENT_ANOMALY, .anomaly = {WEIR_ANOMALY_LOST_BEYOND, WEIR_SERVER, 1000, 1}},
        {.kind = WEIR_EVENT_ANOMALY, .anomaly = {WEIR_ANOMALY_LOST_BEFORE, WEIR_SERVER, 3000, 1}},
    };
    const struct weir_event lookup = {.kind = WEIR_EVENT_DNS,
                                      .ts_us = T0 + S,
                                      .now_us = T0 + S,
                                      .dns = {.client = &flow.addr[WEIR_CLIENT],
                                              .resolver = &resolver,
                                              .qname = "film.example",
                                              .qtype = WEIR_DNS_A,
                                              .outcome = WEIR_OUTCOME_USEFUL,
                                              .first_us = T0 + S - 9000,
                                              .latency_us = 9000,
                                              .queries = 1}};
    assert_int_equal(weir_meter_new(&meter, &config), 0);
    assert_int_equal(weir_rollup_new(&rollup, N_SERVICES, 0), 0);
    weir_meter_packet(meter, &flow, WEIR_SERVER, &packet);
    for (size_t i = 0; i < sizeof events / sizeof events[0]; i++)
        weir_meter_event(meter, &flow, &events[i]);
    weir_meter_event(meter, NULL, &lookup);
    weir_meter_take(meter, &block, T0 + 10 * S, true);
    weir_rollup_block(rollup, &block);
    weir_detect_input_window(NULL, rollup, N_SERVICES, T0 + 10 * S, .25, true);
    const struct weir_detect_service_window *window = film();
    assert_in_range(window->value[WEIR_CONTINUOUS_RTT_SERVER].value, 29000, 31000);
    assert_in_range(window->value[WEIR_CONTINUOUS_RTT_CLIENT].value, 3800, 4200);
    assert_in_range(window->value[WEIR_CONTINUOUS_TTFB].value, 68000, 72000);
    assert_in_range(window->value[WEIR_CONTINUOUS_GOODPUT].value, 7700000, 8300000);
    for (size_t i = 0, dns = 0; i < seen.window.n_services; i++) {
        dns += seen.services[i].value[WEIR_CONTINUOUS_DNS].samples;
        if (i + 1 == seen.window.n_services) assert_int_equal(dns, 1);
    }
    assert_true(window->loss_beyond > .009 && window->loss_beyond < .011);
    assert_true(window->loss_before > .028 && window->loss_before < .032);
    assert_int_equal(window->segments_down, 100000 / WEIR_SEGMENT_BYTES);
    assert_int_equal(seen.window.start_us, T0);
    assert_true(seen.window.drop_share == .25 && seen.window.dns_blind);
    assert_true(seen.window.down_bps > 0);
    weir_rollup_free(rollup);
    weir_meter_free(meter);
}

/* Every service is told of, each tick, also those of which nothing is open. */
static void test_open_demand(void **state) {
    struct weir_sessions *sessions;
    struct weir_evidence waits;
    const struct weir_sessions_config config = {.set = fake_set(), .n_services = N_SERVICES};
    assert_int_equal(weir_sessions_new(&sessions, &config), 0);
    for (int second = 1; second <= 3; second++) { /* an answer makes a session; the next hangs */
        struct weir_evidence chunk =
            fake_chunk(FILM, "10.0.0.1", "192.0.2.1", T0 + second * S, 1000000, S / 20, S / 4);
        weir_sessions_take(sessions, &chunk);
        weir_sessions_tick(sessions, T0 + second * S);
    }
    waits = fake_progress(FILM, "10.0.0.1", "192.0.2.1", T0 + 13 * S, 0, 10 * S);
    weir_sessions_take(sessions, &waits);
    weir_sessions_tick(sessions, T0 + 13 * S);
    seen.n_demands = 0;
    weir_detect_input_demand(NULL, sessions, N_SERVICES);
    assert_int_equal(seen.n_demands, N_SERVICES - WEIR_SERVICE_OTHER);
    for (size_t id = WEIR_SERVICE_OTHER; id < N_SERVICES; id++)
        assert_int_equal(seen.demand[id].service, id);
    assert_int_equal(seen.demand[FILM].open, 1);
    assert_int_equal(seen.demand[FILM].overdue, 1);
    assert_int_equal(seen.demand[FILM].clients_open, 1);
    assert_int_equal(seen.demand[FILM].clients_overdue, 1);
    assert_int_equal(seen.demand[FILM].viewers, 1);
    assert_int_equal(seen.demand[SPORT].open + seen.demand[SPORT].viewers, 0);
    weir_sessions_free(sessions);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_three_clients),
                                       cmocka_unit_test(test_each_value_arrives_in_its_place),
                                       cmocka_unit_test(test_open_demand)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
