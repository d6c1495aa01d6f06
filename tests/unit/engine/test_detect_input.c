/* From measure to detect: the numbers of clients behind a window's delays and rates arrive, and
 * each client's link. */
#include "../measure/fake.h"

#include <weir/detect.h>

#include "engine/detect_input.h"

static struct {
    struct weir_detect_window window;
    struct weir_detect_service_window services[8];
    struct weir_detect_link links[8];
} seen;

/* In the detector's place. */
void weir_detector_window(struct weir_detector *detector, const struct weir_detect_window *window) {
    assert_true(window->n_services <= 8 && window->n_links <= 8);
    seen.window = *window;
    memcpy(seen.services, window->services, window->n_services * sizeof *window->services);
    memcpy(seen.links, window->links, window->n_links * sizeof *window->links);
}
void weir_detector_demand(struct weir_detector *detector, const struct weir_detect_demand *demand) {
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

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_three_clients)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
