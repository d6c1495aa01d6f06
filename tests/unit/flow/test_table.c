/* The table: bounds, shedding, keys, order of timers, and the small distribution. */
#include <stdlib.h>

#include "flow/spread.h"
#include "rig.h"

#define SYN WEIR_TCP_SYN
#define ACK WEIR_TCP_ACK
#define C   WEIR_CLIENT
#define SV  WEIR_SERVER

static struct rig *rig_new(size_t bytes) {
    static struct rig rig;
    rig_open(&rig, bytes);
    return &rig;
}

static void test_too_small(void **state) {
    struct weir_flow_table *table = NULL;
    struct weir_flow_config config = {.memory_bytes = 10000};
    assert_true(weir_flow_table_new(&table, &config) < 0);
    assert_null(table);
    weir_flow_table_free(NULL);
}

static void test_flood(void **state) {
    struct rig *rig = rig_new(1 << 20);
    struct talk open[100];
    for (unsigned i = 0; i < 100; i++) {
        open[i] = talk_tcp(i);
        open[i].port[1] = 8080;
        rig_handshake(rig, &open[i], 0);
    }
    for (unsigned i = 0; i < 300000; i++) {
        struct talk talk = talk_tcp(1000 + i);
        talk.addr[0].bytes[15] = (uint8_t)(i >> 12);
        rig_tcp(rig, &talk, C, SYN, 0);
        assert_int_equal(rig->track, WEIR_TRACK_OK);
        if (i % 64 == 0) rig_wait(rig, 1 * MS);
    }
    struct weir_flow_stats stats;
    weir_flow_table_stats(rig->table, &stats);
    assert_true(stats.memory_bytes <= 1 << 20);
    assert_true(stats.flows_shed > 250000);
    assert_int_equal(stats.flows_refused, 0);
    assert_int_equal(stats.flows - stats.flows_shed - stats.flows_now, 0);
    uint64_t flows = stats.flows;
    for (unsigned i = 0; i < 100; i++) { /* they are all still there */
        rig_tcp(rig, &open[i], C, ACK, 400);
        rig_tcp(rig, &open[i], SV, ACK, 400);
        assert_false(weir_flow_midstream(rig->flow));
    }
    weir_flow_table_stats(rig->table, &stats);
    assert_int_equal(stats.flows, flows);
    rig_close(rig);
}

/* Buckets double from 1,024 while flows come and go: each is found again, none twice, and what
 * ended is not. */
static void test_buckets_grow(void **state) {
    enum { N = 40000 };
    struct rig *rig = rig_new(64 << 20);
    for (unsigned i = 0; i < N; i++) {
        struct talk talk = talk_tcp(i);
        talk.addr[0].bytes[13] = (uint8_t)(i >> 14);
        rig_tcp(rig, &talk, C, SYN, 0);
        if (i % 3 == 0) {
            rig_tcp(rig, &talk, SV, WEIR_TCP_RST | ACK, 0);
            rig_wait(rig, 1 * MS);
        }
    }
    struct weir_flow_stats before, after;
    weir_flow_table_stats(rig->table, &before);
    assert_int_equal(before.flows, N);
    assert_in_range(before.flows_now, N * 2 / 3, N);
    for (unsigned i = 0; i < N; i++) {
        struct talk talk = talk_tcp(i);
        talk.addr[0].bytes[13] = (uint8_t)(i >> 14);
        if (i % 3) rig_tcp(rig, &talk, SV, SYN | ACK, 0);
    }
    weir_flow_table_stats(rig->table, &after);
    assert_int_equal(after.flows, before.flows);
    rig_wait(rig, 600 * S);
    weir_flow_table_stats(rig->table, &after);
    assert_int_equal(after.flows_now, 0);
    rig_close(rig);
}

static void test_refused_when_all_are_established(void **state) {
    struct rig *rig = rig_new(1 << 18);
    unsigned n = 0;
    struct weir_flow_stats stats;
    do {
        struct talk talk = talk_tcp(n++);
        rig_tcp(rig, &talk, C, SYN, 0);
        rig_tcp(rig, &talk, SV, SYN | ACK, 0);
        rig_tcp(rig, &talk, C, ACK, 0);
        weir_flow_table_stats(rig->table, &stats);
    } while (rig->track == WEIR_TRACK_OK && n < 5000);
    assert_in_range(n, 100, 4000);
    assert_int_equal(rig->track, WEIR_TRACK_REFUSED);
    assert_true(stats.flows_refused > 0);
    assert_int_equal(stats.flows_shed, 0);
    assert_true(stats.memory_bytes <= 1 << 18);
    rig_wait(rig, 301 * S);
    struct talk talk = talk_tcp(n);
    rig_tcp(rig, &talk, C, SYN, 0); /* room again */
    assert_int_equal(rig->track, WEIR_TRACK_OK);
    rig_close(rig);
}

static void test_keys(void **state) {
    struct rig *rig = rig_new(1 << 20);
    struct talk talk = talk_tcp(1);
    struct weir_packet packet = talk_packet(&talk, C, SYN, 0);
    rig_send(rig, &packet);
    packet.domain = 7; /* another VLAN and another opening: another flow */
    packet.tcp.seq ^= UINT32_C(0x50000000);
    rig_send(rig, &packet);
    packet.domain = 0;
    packet.transport = WEIR_TRANSPORT_UDP;
    rig_send(rig, &packet);
    assert_int_equal(rig_count(rig, WEIR_EVENT_NEW), 3);
    rig_close(rig);
}

static void test_local(void **state) {
    struct weir_cidr local;
    assert_int_equal(weir_cidr_parse("198.18.0.0/15", &local), 0);
    struct rig *rig = rig_new(1 << 20);
    weir_flow_table_free(rig->table);
    struct weir_flow_config config = {.memory_bytes = 1 << 20, .local = &local, .n_local = 1};
    assert_int_equal(weir_flow_table_new(&rig->table, &config), 0);
    struct talk talk = talk_tcp(1);
    talk.port[0] = 443;
    talk.port[1] = 50000;
    rig_tcp(rig, &talk, SV, ACK, 100);
    /* --local says so, though the other address is private */
    assert_int_equal(rig->side, WEIR_CLIENT);
    rig_close(rig);
}

static void test_long_gap(void **state) {
    struct rig *rig = rig_new(1 << 20);
    struct talk talk = talk_tcp(1);
    rig_handshake(rig, &talk, 0);
    rig->us += INT64_C(10) * 365 * 86400 * S;
    weir_flow_tick(rig->table, rig->us); /* one tick after ten years */
    assert_int_equal(rig_count(rig, WEIR_EVENT_END), 1);
    struct talk next = talk_tcp(2);
    rig_tcp(rig, &next, C, SYN, 0);
    rig->ticked_us = rig->us;
    rig_wait(rig, 31 * S);
    assert_int_equal(rig_count(rig, WEIR_EVENT_END), 2);
    rig_close(rig);
}

/* Packets of many conversations, good and bad, dealt to `n` tables as the pipeline does: the same
 * records come out. */
static int record_compare(const void *a, const void *b) {
    return memcmp(a, b, sizeof(struct weir_flow_record));
}

static void flow_note(void *context, struct weir_flow *flow, const struct weir_event *event) {
    struct rig *rig = context;
    if (event->kind == WEIR_EVENT_NEW) weir_flow_named(flow)->role = WEIR_ROLE_MEDIA;
    if (event->kind == WEIR_EVENT_END && rig->n_records < RIG_RECORDS) {
        memset(&rig->records[rig->n_records], 0, sizeof rig->records[0]);
        weir_flow_report(flow, event->end.end, &rig->records[rig->n_records++]);
    }
}

static size_t run_workers(struct rig *rig, unsigned n_workers) {
    struct weir_flow_table *tables[4];
    struct weir_flow_config config = {
        .memory_bytes = 1 << 22, .observer = flow_note, .context = rig};
    for (unsigned i = 0; i < n_workers; i++)
        assert_int_equal(weir_flow_table_new(&tables[i], &config), 0);
    rig->n_records = 0;
    static struct talk talks[300];
    for (unsigned i = 0; i < 300; i++) {
        talks[i] = i % 5 ? talk_tcp(i) : talk_udp(i, i % 2 ? 53 : 9000);
        talks[i].port[SV] = i % 3 ? talks[i].port[SV] : 8080;
    }
    int64_t us = RIG_START_US;
    uint32_t x = 99;
    for (unsigned n = 0; n < 4000; n++) {
        x = x * 1664525 + 1013904223;
        struct talk *talk = &talks[(x >> 8) % 300];
        static const uint8_t flags[] = {ACK, ACK,       ACK,          ACK,
                                        SYN, SYN | ACK, WEIR_TCP_RST, ACK | WEIR_TCP_FIN};
        enum weir_side side = x >> 20 & 1;
        uint32_t len = x >> 21 & 1023;
        struct weir_packet packet = talk_packet(talk, side, flags[x >> 17 & 7], len);
        talk->seq[side] += x >> 31 ? 0 : len;
        int64_t before = us;
        us += x >> 12 & 0x3fff;
        packet.ts_us = packet.now_us = us;
        unsigned worker = weir_flow_worker(weir_flow_hash(tables[0], &packet), n_workers);
        for (unsigned i = 0; us / S != before / S && i < n_workers; i++)
            weir_flow_tick(tables[i], us / S * S);
        struct weir_flow *flow;
        assert_true(weir_flow_track(tables[worker], weir_flow_hash(tables[0], &packet), &packet,
                                    &flow, &side) <= 1);
    }
    for (unsigned i = 0; i < n_workers; i++) {
        weir_flow_drain(tables[i], us);
        weir_flow_table_free(tables[i]);
    }
    qsort(rig->records, rig->n_records, sizeof rig->records[0], record_compare);
    return rig->n_records;
}

static void test_workers(void **state) {
    static struct rig one, more;
    size_t n = run_workers(&one, 1);
    assert_in_range(n, 300, RIG_RECORDS - 1);
    for (unsigned n_workers = 2; n_workers <= 4; n_workers++) {
        assert_int_equal(run_workers(&more, n_workers), n);
        assert_memory_equal(one.records, more.records, n * sizeof one.records[0]);
    }
}

static void test_prefetch_is_harmless(void **state) {
    struct rig *rig = rig_new(1 << 20);
    struct weir_packet packet = {.transport = WEIR_TRANSPORT_UDP};
    for (uint64_t hash = 1; hash; hash <<= 1) {
        weir_flow_prefetch_bucket(rig->table, hash);
        weir_flow_prefetch_flow(rig->table, hash, &packet);
    }
    rig_close(rig);
}

/* ---- the small distribution ---- */

static int compare(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

static void spread_case(unsigned n, double error) {
    struct memory memory = {.max = 1 << 20};
    struct slab histograms;
    assert_int_equal(slab_init(&histograms, &memory, sizeof(struct spread_histogram), 4), 0);
    struct spread spread = {0};
    uint32_t *values = malloc(n * sizeof *values), x = 7;
    for (unsigned i = 0; i < n; i++) {
        x = x * 1664525 + 1013904223;
        values[i] = x >> (x % 24);
        assert_true(spread_add(&spread, &histograms, values[i]));
    }
    qsort(values, n, sizeof *values, compare);
    assert_int_equal(spread_count(&spread), n);
    assert_int_equal(spread.min, values[0]);
    static const unsigned percents[] = {1, 50, 95, 100};
    for (unsigned i = 0; i < 4; i++) {
        unsigned rank = (n * percents[i] + 99) / 100;
        double exact = values[(rank ? rank : 1) - 1],
               got = spread_quantile(&spread, &histograms, percents[i]);
        assert_true(got <= exact * (1 + error) + 1 && got >= exact * (1 - error) - 1);
    }
    spread_release(&spread, &histograms);
    free(values);
    slab_deinit(&histograms);
}

static void test_spread(void **state) {
    spread_case(1, 0.00025);
    spread_case(12, 0.00025);
    spread_case(13, 0.0625);
    spread_case(5000, 0.0625);
}

static void test_spread_saturates(void **state) {
    struct memory memory = {.max = 1 << 20};
    struct slab histograms;
    assert_int_equal(slab_init(&histograms, &memory, sizeof(struct spread_histogram), 4), 0);
    struct spread spread = {0};
    for (unsigned i = 0; i < 400000; i++) spread_add(&spread, &histograms, i % 10 ? 1000 : 100000);
    assert_in_range(spread_quantile(&spread, &histograms, 50), 938, 1063);
    assert_in_range(spread_quantile(&spread, &histograms, 95), 93800, 106300);
    struct spread full = {0};
    struct memory none = {0};
    struct slab empty;
    assert_int_equal(slab_init(&empty, &none, sizeof(struct spread_histogram), 4), 0);
    for (unsigned i = 0; i < 12; i++) assert_true(spread_add(&full, &empty, 50));
    assert_false(spread_add(&full, &empty, 20));
    assert_int_equal(full.min, 20);
    assert_int_equal(spread_quantile(&full, &empty, 50), 50);
    slab_deinit(&empty);
    slab_deinit(&histograms);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_too_small),
        cmocka_unit_test(test_flood),
        cmocka_unit_test(test_buckets_grow),
        cmocka_unit_test(test_refused_when_all_are_established),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_local),
        cmocka_unit_test(test_long_gap),
        cmocka_unit_test(test_workers),
        cmocka_unit_test(test_prefetch_is_harmless),
        cmocka_unit_test(test_spread),
        cmocka_unit_test(test_spread_saturates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
