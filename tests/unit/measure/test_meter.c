/* Events in, evidence and windows out: the same whatever number of workers they are spread over. */
#include "fake.h"

static struct weir_meter *new_meter(const struct weir_meter_config *more) {
    struct weir_meter_config config = more ? *more : (struct weir_meter_config){0};
    struct weir_meter *meter;
    config.set = fake_set();
    assert_int_equal(weir_meter_new(&meter, &config), 0);
    return meter;
}

static void rtt(struct weir_meter *meter, struct weir_flow *flow, enum weir_side side, int64_t us) {
    struct weir_event event = {
        .kind = WEIR_EVENT_RTT, .ts_us = T0, .now_us = T0, .rtt = {.side = side, .us = us}};
    weir_meter_event(meter, flow, &event);
}

static void plain(struct weir_meter *meter, struct weir_flow *flow, enum weir_event_kind kind) {
    struct weir_event event = {.kind = kind, .ts_us = T0, .now_us = T0};
    weir_meter_event(meter, flow, &event);
}

static void window_of(struct weir_meter *const *meters, size_t n, weir_service_id service,
                      struct weir_window_record *ret_window) {
    struct weir_rollup *rollup;
    assert_int_equal(weir_rollup_new(&rollup, N_SERVICES, 0), 0);
    for (size_t i = 0; i < n; i++) {
        struct weir_block block;
        weir_meter_take(meters[i], &block, T0 + 10 * S, true);
        weir_rollup_block(rollup, &block);
    }
    weir_rollup_window(rollup, service, T0 + 10 * S, ret_window);
    weir_rollup_free(rollup);
}

static void test_packets_are_counted_by_service_and_side(void **state) {
    struct weir_meter *meter = new_meter(NULL);
    struct weir_flow flow = fake_flow("10.0.0.1", "192.0.2.1", FILM, WEIR_ROLE_MEDIA);
    struct weir_packet packet = {
        .transport = WEIR_TRANSPORT_TCP, .ip_payload_len = 1032, .payload_len = 1000};
    weir_meter_packet(meter, &flow, WEIR_SERVER, &packet);
    weir_meter_packet(meter, &flow, WEIR_SERVER, &packet);
    weir_meter_packet(meter, &flow, WEIR_CLIENT, &packet);
    struct weir_event loss = {.kind = WEIR_EVENT_ANOMALY,
                              .anomaly = {WEIR_ANOMALY_LOST_BEFORE, WEIR_SERVER, 500, 1}};
    weir_meter_event(meter, &flow, &loss);
    struct weir_window_record window;
    window_of(&meter, 1, FILM, &window);
    assert_int_equal(fake_value(window.values, NULL, "packets_down").integer, 2);
    assert_int_equal(fake_value(window.values, NULL, "bytes_down").integer, 2064);
    assert_int_equal(fake_value(window.values, NULL, "bytes_up").integer, 1032);
    assert_true(fake_value(window.values, "loss", "down_before_share").real == 0.25);
    assert_true(fake_value(window.values, "loss", "up_before_share").real == 0);
    window_of(&meter, 1, FILM, &window); /* handed over: the next window begins empty */
    assert_int_equal(fake_value(window.values, NULL, "packets_down").integer, 0);
    weir_meter_free(meter);
}

static bool is_asked(struct weir_meter *meter, int64_t tick_us) {
    struct weir_block block;
    weir_meter_take(meter, &block, tick_us, false);
    assert_false(block.heard);
    return block.asking[FILM / 64] >> (FILM % 64) & 1;
}

/* A client that acknowledges, or closes with a RST what it no longer needs, asks for nothing. */
static void test_who_asks(void **state) {
    static const struct {
        uint8_t transport, flags;
        uint16_t payload;
        bool asks;
    } packets[] = {{WEIR_TRANSPORT_TCP, WEIR_TCP_ACK, 0, false},
                   {WEIR_TRANSPORT_TCP, WEIR_TCP_RST | WEIR_TCP_ACK, 0, false},
                   {WEIR_TRANSPORT_TCP, WEIR_TCP_SYN, 0, true},
                   {WEIR_TRANSPORT_TCP, WEIR_TCP_FIN | WEIR_TCP_ACK, 0, true},
                   {WEIR_TRANSPORT_TCP, WEIR_TCP_ACK, 100, true},
                   {WEIR_TRANSPORT_UDP, 0, 1200, true}};
    struct weir_meter *meter = new_meter(NULL);
    struct weir_flow flow = fake_flow("10.0.0.1", "192.0.2.1", FILM, WEIR_ROLE_MEDIA);
    for (size_t i = 0; i < sizeof packets / sizeof *packets; i++) {
        struct weir_packet packet = {.transport = packets[i].transport,
                                     .tcp_flags = packets[i].flags,
                                     .ip_payload_len = 32u + packets[i].payload,
                                     .payload_len = packets[i].payload};
        weir_meter_packet(meter, &flow, WEIR_CLIENT, &packet);
        assert_int_equal(is_asked(meter, T0 + (int64_t)i * S), packets[i].asks);
    }
    weir_meter_free(meter);
}

/* A flow and its handshake's RTT count for the service although the name came later. */
static void test_counts_wait_for_the_name(void **state) {
    struct weir_meter *meter = new_meter(NULL);
    struct weir_flow flow = fake_flow("10.0.0.1", "192.0.2.1", WEIR_SERVICE_NONE, WEIR_ROLE_OTHER);
    plain(meter, &flow, WEIR_EVENT_NEW);
    rtt(meter, &flow, WEIR_SERVER, 14);
    rtt(meter, &flow, WEIR_CLIENT, 3);
    flow.named.service = FILM;
    rtt(meter, &flow, WEIR_SERVER, 15);
    struct weir_flow silent =
        fake_flow("10.0.0.2", "192.0.2.1", WEIR_SERVICE_NONE, WEIR_ROLE_OTHER);
    plain(meter, &silent, WEIR_EVENT_NEW);
    plain(meter, &silent, WEIR_EVENT_END);
    struct weir_rollup *rollup;
    assert_int_equal(weir_rollup_new(&rollup, N_SERVICES, 0), 0);
    struct weir_block block;
    weir_meter_take(meter, &block, T0 + 10 * S, true);
    weir_rollup_block(rollup, &block);
    struct weir_window_record film, other;
    weir_rollup_window(rollup, FILM, T0 + 10 * S, &film);
    weir_rollup_window(rollup, WEIR_SERVICE_OTHER, T0 + 10 * S, &other);
    assert_int_equal(fake_value(film.values, NULL, "flows_new").integer, 1);
    assert_int_equal(fake_value(film.values, "rtt_server", "samples").integer, 2);
    assert_int_equal(fake_value(film.values, "rtt_server", "p10_us").integer, 14);
    assert_int_equal(fake_value(film.values, "rtt_client", "p50_us").integer, 3);
    assert_int_equal(fake_value(other.values, NULL, "flows_new").integer, 1); /* never named */
    weir_rollup_free(rollup);
    weir_meter_free(meter);
}

static void test_evidence_of_dns(void **state) {
    struct weir_meter *meter = new_meter(NULL);
    struct weir_addr client = fake_addr("10.0.0.1"), resolver = fake_addr("10.0.0.53");
    struct weir_event event = {.kind = WEIR_EVENT_DNS,
                               .ts_us = T0 + 7,
                               .now_us = T0 + 8,
                               .dns = {.client = &client,
                                       .resolver = &resolver,
                                       .qname = "CDN.film.net",
                                       .qtype = 1,
                                       .outcome = WEIR_OUTCOME_DNS_SERVFAIL,
                                       .first_us = T0,
                                       .latency_us = 7,
                                       .queries = 2}};
    weir_meter_event(meter, NULL, &event);
    struct weir_block block;
    weir_meter_take(meter, &block, T0 + S, false);
    assert_int_equal(block.n_evidence, 1);
    assert_null(block.accumulators);
    assert_int_equal(block.evidence[0].kind, WEIR_EVIDENCE_DNS);
    assert_int_equal(block.evidence[0].service, FILM);
    assert_int_equal(block.evidence[0].outcome, WEIR_OUTCOME_DNS_SERVFAIL);
    assert_int_equal(block.evidence[0].dns.queries, 2);
    weir_meter_take(meter, &block, T0 + 2 * S, false);
    assert_int_equal(block.n_evidence, 0);
    struct weir_window_record window;
    window_of(&meter, 1, FILM, &window);
    assert_int_equal(fake_value(window.values, "dns", "servfail").integer, 1);
    assert_int_equal(fake_value(window.values, "dns", "queries").integer, 2);
    weir_meter_free(meter);
}

/* What an API answers is no media; a megabyte makes a flow media whatever it is called. What is
 * neither says nothing. */
static void test_only_media_gives_chunks(void **state) {
    struct weir_meter *meter = new_meter(NULL);
    struct weir_flow flow = fake_flow("10.0.0.1", "192.0.2.1", FILM, WEIR_ROLE_CONTROL);
    struct weir_event chunk = {.kind = WEIR_EVENT_CHUNK, .chunk = {200000, T0, 1000, S}};
    struct weir_block block;
    weir_meter_event(meter, &flow, &chunk);
    weir_meter_take(meter, &block, T0 + S, false);
    assert_int_equal(block.n_evidence, 1);
    assert_int_equal(block.evidence[0].kind, WEIR_EVIDENCE_REPLY);
    flow.payload[WEIR_SERVER] = 1000000;
    weir_meter_event(meter, &flow, &chunk);
    weir_meter_take(meter, &block, T0 + 2 * S, true);
    assert_int_equal(block.n_evidence, 1);
    assert_int_equal(block.evidence[0].kind, WEIR_EVIDENCE_CHUNK);
    assert_true(block.evidence[0].media);
    flow = fake_flow("10.0.0.1", "192.0.2.1", FILM, WEIR_ROLE_OTHER);
    weir_meter_event(meter, &flow, &chunk);
    weir_meter_take(meter, &block, T0 + 3 * S, false);
    assert_int_equal(block.n_evidence, 0);
    weir_meter_free(meter);
}

static void test_end_tells_of_resets_in_mid_transfer(void **state) {
    struct weir_meter *meter = new_meter(&(struct weir_meter_config){.flow_records = true});
    struct weir_flow flow = fake_flow("10.0.0.1", "192.0.2.1", FILM, WEIR_ROLE_MEDIA);
    struct weir_event end = {.kind = WEIR_EVENT_END, .end = {WEIR_END_RST}};
    flow.payload[WEIR_SERVER] = 5;
    flow.outcome = WEIR_OUTCOME_RST_MID;
    weir_meter_event(meter, &flow, &end);
    struct weir_block block;
    weir_meter_take(meter, &block, T0 + S, false);
    assert_int_equal(block.n_flows, 1);
    assert_int_equal(block.n_evidence, 1);
    assert_int_equal(block.evidence[0].kind, WEIR_EVIDENCE_END);
    assert_true(block.evidence[0].end.rst_mid);
    weir_meter_free(meter);
}

/* What a host fails with that is never counted is evidence of nothing; that a resolver is silent is
 * the resolver's. */
static void test_never_counted(void **state) {
    static const struct {
        enum weir_outcome lookup, attempt;
        size_t n;
    } cases[] = {{WEIR_OUTCOME_USEFUL, WEIR_OUTCOME_USEFUL, 2},
                 {WEIR_OUTCOME_DNS_NXDOMAIN, WEIR_OUTCOME_USEFUL, 1},
                 {WEIR_OUTCOME_DNS_SERVFAIL, WEIR_OUTCOME_SYN_TIMEOUT, 0},
                 {WEIR_OUTCOME_DNS_TIMEOUT, WEIR_OUTCOME_REFUSED, 1}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct weir_meter *meter = new_meter(NULL);
        struct weir_addr client = fake_addr("10.0.0.1"), resolver = fake_addr("10.0.0.53");
        struct weir_event lookup = {.kind = WEIR_EVENT_DNS,
                                    .ts_us = T0,
                                    .now_us = T0,
                                    .dns = {.client = &client,
                                            .resolver = &resolver,
                                            .qname = "log.net",
                                            .qtype = 1,
                                            .outcome = cases[i].lookup,
                                            .first_us = T0,
                                            .queries = 1}};
        struct weir_event attempt = {.kind = WEIR_EVENT_ATTEMPT,
                                     .ts_us = T0,
                                     .now_us = T0,
                                     .attempt = {WEIR_LAYER_CONNECT, cases[i].attempt, T0}};
        struct weir_flow flow =
            fake_flow("10.0.0.1", "192.0.2.1", WEIR_SERVICE_OTHER, WEIR_ROLE_OTHER);
        flow.named.never_count = true;
        weir_meter_event(meter, NULL, &lookup);
        weir_meter_event(meter, &flow, &attempt);
        struct weir_block block;
        weir_meter_take(meter, &block, T0 + S, false);
        assert_int_equal(block.n_evidence, cases[i].n);
        weir_meter_free(meter);
    }
}

static void test_bounds_are_counted(void **state) {
    struct weir_meter *meter = new_meter(&(struct weir_meter_config){
        .evidence_max = 3, .records_max = 2, .pending_max = 1, .flow_records = true});
    struct weir_flow flows[5];
    struct weir_event attempt = {.kind = WEIR_EVENT_ATTEMPT,
                                 .attempt = {WEIR_LAYER_CONNECT, WEIR_OUTCOME_USEFUL, T0}};
    for (int i = 0; i < 5; i++) {
        flows[i] = fake_flow("10.0.0.1", "192.0.2.1", WEIR_SERVICE_NONE, WEIR_ROLE_OTHER);
        plain(meter, &flows[i], WEIR_EVENT_NEW);
        weir_meter_event(meter, &flows[i], &attempt);
    }
    /* half of the room is kept for such */
    flows[4].payload[WEIR_CLIENT] = flows[4].payload[WEIR_SERVER] = 1;
    for (int i = 0; i < 5; i++) plain(meter, &flows[i], WEIR_EVENT_END);
    struct weir_block block;
    weir_meter_take(meter, &block, T0 + 10 * S, true);
    assert_int_equal(block.n_evidence, 3);
    assert_int_equal(block.meter.evidence_refused, 2);
    assert_int_equal(block.meter.pending_refused, 4);
    assert_int_equal(block.n_flows, 2);
    assert_int_equal(block.meter.records_refused, 3);
    struct weir_rollup *rollup;
    assert_int_equal(weir_rollup_new(&rollup, N_SERVICES, 0), 0);
    weir_rollup_block(rollup, &block);
    struct weir_window_record window;
    weir_rollup_window(rollup, WEIR_SERVICE_OTHER, T0 + 10 * S, &window);
    assert_int_equal(fake_value(window.values, NULL, "flows_new").integer,
                     5); /* counted all the same */
    weir_rollup_free(rollup);
    weir_meter_free(meter);
}

static void test_one_way_share(void **state) {
    struct weir_meter *meter = new_meter(&(struct weir_meter_config){0});
    struct weir_flow flow = fake_flow("10.0.0.1", "192.0.2.1", FILM, WEIR_ROLE_MEDIA), scan = flow;
    flow.payload[WEIR_SERVER] = 1;
    struct weir_rollup *rollup;
    struct weir_block block;
    assert_int_equal(weir_rollup_new(&rollup, N_SERVICES, 0), 0);
    for (int i = 1; i <= 20; i++) {
        flow.one_way = scan.one_way = i % 4 == 0;
        plain(meter, &flow, WEIR_EVENT_END);
        plain(meter, &scan, WEIR_EVENT_END); /* without payload: not counted */
        if (i == 9 || i == 20) {
            weir_meter_take(meter, &block, T0 + i * 10 * S, true);
            weir_rollup_block(rollup, &block);
            /* of nine nothing is said */
            assert_true(weir_rollup_one_way_share(rollup) == (i == 9 ? 0 : 3.0 / 11));
            weir_rollup_window_done(rollup, T0 + i * 10 * S);
        }
    }
    weir_rollup_free(rollup);
    weir_meter_free(meter);
}

/* Many flows come and go: the table of unnamed ones finds each of them again, and is empty in the
 * end. */
static void test_pending_survives_churn(void **state) {
    enum { N = 600 };
    struct weir_meter *meter = new_meter(&(struct weir_meter_config){.pending_max = N});
    struct weir_flow *flows = calloc(N, sizeof *flows);
    for (int round = 0; round < 4; round++) {
        for (int i = 0; i < N; i++) {
            flows[i] = fake_flow("10.0.0.1", "192.0.2.1", WEIR_SERVICE_NONE, WEIR_ROLE_OTHER);
            plain(meter, &flows[i], WEIR_EVENT_NEW);
        }
        for (int i = 0; i < N; i++) {
            int at = (i * 7 + round) % N;
            flows[at].named.service = FILM;
            rtt(meter, &flows[at], WEIR_SERVER, 10);
        }
    }
    struct weir_window_record window;
    window_of(&meter, 1, FILM, &window);
    assert_int_equal(fake_value(window.values, NULL, "flows_new").integer, 4 * N);
    free(flows);
    weir_meter_free(meter);
}

/* The same samples over 1, 2 and 7 workers, and merged backwards, are the same window to the byte.
 */
static void test_workers_do_not_show(void **state) {
    struct weir_window_record windows[4];
    static const size_t n_workers[4] = {1, 2, 7, 7};
    for (int run = 0; run < 4; run++) {
        struct weir_meter *meters[7];
        for (size_t w = 0; w < n_workers[run]; w++) meters[w] = new_meter(NULL);
        struct weir_flow flow = fake_flow("10.0.0.1", "192.0.2.1", FILM, WEIR_ROLE_MEDIA);
        for (int i = 0; i < 500; i++)
            rtt(meters[(size_t)i % n_workers[run]], &flow, i & 1 ? WEIR_SERVER : WEIR_CLIENT,
                (i * 7919) % 200000);
        if (run == 3)
            for (int w = 0; w < 3; w++) {
                struct weir_meter *swap = meters[w];
                meters[w] = meters[6 - w];
                meters[6 - w] = swap;
            }
        memset(&windows[run], 0, sizeof windows[run]);
        window_of(meters, n_workers[run], FILM, &windows[run]);
        for (size_t w = 0; w < n_workers[run]; w++) weir_meter_free(meters[w]);
    }
    size_t n;
    weir_fields(&n);
    for (int run = 1; run < 4; run++)
        for (size_t i = 0; i < n; i++) {
            assert_int_equal(windows[0].values[i].integer, windows[run].values[i].integer);
            assert_int_equal(windows[0].values[i].reason, windows[run].values[i].reason);
        }
    assert_int_equal(fake_value(windows[0].values, "rtt_server", "samples").integer, 250);
}

static void test_gather_orders_by_clock_and_key(void **state) {
    struct weir_evidence all[6];
    for (int i = 0; i < 6; i++) {
        all[i] = fake_attempt(FILM, i & 1 ? "10.0.0.2" : "10.0.0.1", "192.0.2.1",
                              WEIR_LAYER_CONNECT, WEIR_OUTCOME_USEFUL, T0 + (i / 2) * S, 0);
        all[i].ts_us = T0 - i; /* stamps step back */
    }
    struct weir_block one = {.evidence = all, .n_evidence = 6};
    struct weir_evidence mixed[6] = {all[5], all[2], all[0], all[4], all[3], all[1]};
    struct weir_block three[3] = {{.evidence = mixed, .n_evidence = 2},
                                  {.evidence = mixed + 2, .n_evidence = 4},
                                  {.n_evidence = 0}};
    struct weir_gather *a = NULL, *b = NULL;
    struct weir_evidence **first, **second;
    size_t n_first, n_second;
    assert_int_equal(weir_evidence_gather(&a, &one, 1, &first, &n_first), 0);
    assert_int_equal(weir_evidence_gather(&b, three, 3, &second, &n_second), 0);
    assert_int_equal(n_first, 6);
    assert_int_equal(n_second, 6);
    for (int i = 0; i < 6; i++) assert_memory_equal(first[i], second[i], sizeof all[0]);
    for (int i = 1; i < 6; i++) assert_true(first[i - 1]->now_us <= first[i]->now_us);
    weir_gather_free(a);
    weir_gather_free(b);
}

/* Two requests time out at one tick: they go by when they were asked, whoever asked. */
static void test_gather_ignores_how_clients_are_numbered(void **state) {
    static const char *const clients[2][2] = {{"10.0.0.1", "10.0.0.2"}, {"10.0.0.2", "10.0.0.1"}};
    for (int way = 0; way < 2; way++) {
        struct weir_evidence all[2];
        for (int i = 0; i < 2; i++) {
            all[i] = fake_attempt(FILM, clients[way][i], "192.0.2.1", WEIR_LAYER_SERVE,
                                  WEIR_OUTCOME_REQUEST_TIMEOUT, T0, 0);
            all[i].first_us = T0 - (10 - i) * S;
        }
        struct weir_block one = {.evidence = all, .n_evidence = 2};
        struct weir_gather *gather = NULL;
        struct weir_evidence **sorted;
        size_t n;
        assert_int_equal(weir_evidence_gather(&gather, &one, 1, &sorted, &n), 0);
        assert_int_equal(n, 2);
        assert_true(sorted[0]->first_us < sorted[1]->first_us);
        weir_gather_free(gather);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_packets_are_counted_by_service_and_side),
        cmocka_unit_test(test_who_asks),
        cmocka_unit_test(test_counts_wait_for_the_name),
        cmocka_unit_test(test_evidence_of_dns),
        cmocka_unit_test(test_only_media_gives_chunks),
        cmocka_unit_test(test_end_tells_of_resets_in_mid_transfer),
        cmocka_unit_test(test_never_counted),
        cmocka_unit_test(test_bounds_are_counted),
        cmocka_unit_test(test_one_way_share),
        cmocka_unit_test(test_pending_survives_churn),
        cmocka_unit_test(test_workers_do_not_show),
        cmocka_unit_test(test_gather_orders_by_clock_and_key),
        cmocka_unit_test(test_gather_ignores_how_clients_are_numbered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
