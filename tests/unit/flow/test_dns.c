/* DNS transactions and the flows that carry them. */
#include "rig.h"

#include <stdio.h>

#include <weir/wire.h>

#define C  WEIR_CLIENT
#define SV WEIR_SERVER

static struct rig *rig_new(void) {
    static struct rig rig;
    rig_open(&rig, 1 << 20);
    return &rig;
}

static uint8_t wire[16384];

/* A question, or an answer with `n_addrs` A records. */
static uint32_t build(uint16_t id, const char *name, uint16_t qtype, bool response, uint8_t rcode,
                      unsigned n_addrs) {
    uint8_t *at = wire;
    const uint8_t head[12] = {(uint8_t)(id >> 8),
                              (uint8_t)id,
                              response ? 0x81 : 1,
                              (uint8_t)((response ? 0x80 : 0) | rcode),
                              0,
                              1,
                              (uint8_t)(n_addrs >> 8),
                              (uint8_t)n_addrs};
    memcpy(at, head, 12);
    at += 12;
    while (*name) {
        size_t n = strcspn(name, ".");
        *at++ = (uint8_t)n;
        memcpy(at, name, n);
        at += n;
        name += n + (name[n] == '.');
    }
    const uint8_t question[5] = {0, (uint8_t)(qtype >> 8), (uint8_t)qtype, 0, 1};
    memcpy(at, question, 5);
    at += 5;
    for (unsigned i = 0; i < n_addrs; i++) {
        const uint8_t record[16] = {
            0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 198, 18, (uint8_t)(i >> 8), (uint8_t)i};
        memcpy(at, record, 16);
        at += 16;
    }
    return (uint32_t)(at - wire);
}

static void ask(struct rig *rig, struct talk *talk, uint16_t id, const char *name) {
    rig_udp(rig, talk, C, wire, build(id, name, WEIR_DNS_A, false, 0, 0));
}

static void reply(struct rig *rig, struct talk *talk, uint16_t id, const char *name, uint8_t rcode,
                  unsigned n_addrs) {
    rig_udp(rig, talk, SV, wire, build(id, name, WEIR_DNS_A, true, rcode, n_addrs));
}

static enum weir_outcome outcome(const struct rig *rig) {
    return rig_last(rig, WEIR_EVENT_DNS)->dns.outcome;
}

static void test_answered(void **state) {
    struct rig *rig = rig_new();
    struct talk talk = talk_udp(1, 53);
    ask(rig, &talk, 7, "www.netflix.com");
    rig_wait(rig, 12 * MS);
    reply(rig, &talk, 7, "www.netflix.com", 0, 2);
    const struct weir_event *event = rig_last(rig, WEIR_EVENT_DNS);
    assert_int_equal(event->dns.outcome, WEIR_OUTCOME_USEFUL);
    assert_int_equal(event->dns.latency_us, 12000);
    assert_string_equal(event->dns.qname, "www.netflix.com");
    assert_int_equal(event->dns.qtype, WEIR_DNS_A);
    assert_int_equal(event->dns.queries, 1);
    rig_wait(rig, 1 * MS);
    reply(rig, &talk, 7, "www.netflix.com", 2, 0); /* a second answer says nothing */
    assert_int_equal(rig_count(rig, WEIR_EVENT_DNS), 1);
    rig_wait(rig, 11 * S);
    const struct weir_flow_record *record = rig_record(rig);
    assert_int_equal(record->outcome, WEIR_OUTCOME_USEFUL);
    assert_true(record->has_dns);
    assert_int_equal(record->requests, 1);
    assert_int_equal(record->dns.queries, 1);
    assert_int_equal(record->dns.answers, 1);
    assert_int_equal(record->dns.servfail, 0);
    assert_int_equal(record->end, WEIR_END_IDLE);
    assert_int_equal(record->named.app, WEIR_APP_DNS);
    rig_close(rig);
}

static void test_codes(void **state) {
    static const struct {
        uint8_t rcode;
        unsigned n;
        enum weir_outcome event, record;
    } cases[] = {
        {WEIR_DNS_SERVFAIL, 0, WEIR_OUTCOME_DNS_SERVFAIL, WEIR_OUTCOME_DNS_SERVFAIL},
        {WEIR_DNS_REFUSED, 0, WEIR_OUTCOME_DNS_REFUSED, WEIR_OUTCOME_DNS_REFUSED},
        {WEIR_DNS_NXDOMAIN, 0, WEIR_OUTCOME_NEUTRAL, WEIR_OUTCOME_USEFUL},
        {WEIR_DNS_NOERROR, 0, WEIR_OUTCOME_NEUTRAL, WEIR_OUTCOME_USEFUL}, /* no data */
        {WEIR_DNS_FORMERR, 0, WEIR_OUTCOME_NEUTRAL, WEIR_OUTCOME_USEFUL},
        {WEIR_DNS_NOERROR, 1, WEIR_OUTCOME_USEFUL, WEIR_OUTCOME_USEFUL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct rig *rig = rig_new();
        struct talk talk = talk_udp(1, 53);
        ask(rig, &talk, 7, "a.example");
        reply(rig, &talk, 7, "a.example", cases[i].rcode, cases[i].n);
        assert_int_equal(outcome(rig), cases[i].event);
        rig_close(rig);
        assert_int_equal(rig_record(rig)->outcome, cases[i].record);
    }
}

static void nxdomain_case(int64_t later_us, bool fails) {
    struct rig *rig = rig_new();
    struct talk talk = talk_udp(1, 53);
    ask(rig, &talk, 7, "a.example");
    reply(rig, &talk, 7, "a.example", 0, 1);
    rig_wait(rig, 20 * S);
    rig->us += later_us;
    rig->ticked_us += later_us;
    weir_flow_tick(rig->table, rig->ticked_us);
    struct talk again = talk_udp(2, 53);
    ask(rig, &again, 8, "a.example");
    reply(rig, &again, 8, "a.example", WEIR_DNS_NXDOMAIN, 0);
    assert_int_equal(outcome(rig), fails ? WEIR_OUTCOME_DNS_NXDOMAIN : WEIR_OUTCOME_NEUTRAL);
    ask(rig, &again, 9, "b.example");
    reply(rig, &again, 9, "b.example", WEIR_DNS_NXDOMAIN, 0);
    assert_int_equal(outcome(rig), WEIR_OUTCOME_NEUTRAL);
    rig_close(rig);
}

static void test_nxdomain(void **state) {
    nxdomain_case(0, true);
    nxdomain_case(6 * 86400 * S, true);
    nxdomain_case(8 * 86400 * S, false);
}

static void test_timeouts(void **state) {
    struct rig *rig = rig_new();
    struct talk once = talk_udp(1, 53), twice = talk_udp(2, 53), elsewhere = talk_udp(3, 53);
    ask(rig, &once, 1, "once.example");
    ask(rig, &twice, 2, "twice.example");
    rig_wait(rig, 2 * S);
    ask(rig, &elsewhere, 3, "twice.example"); /* another port and id: the same question */
    assert_int_equal(rig_count(rig, WEIR_EVENT_DNS), 0);
    rig_wait(rig, 1 * S);
    assert_int_equal(rig_count(rig, WEIR_EVENT_DNS), 1);
    assert_string_equal(rig_last(rig, WEIR_EVENT_DNS)->dns.qname, "twice.example");
    assert_int_equal(outcome(rig), WEIR_OUTCOME_DNS_TIMEOUT);
    assert_int_equal(rig_last(rig, WEIR_EVENT_DNS)->dns.latency_us, -1);
    assert_int_equal(rig_last(rig, WEIR_EVENT_DNS)->dns.queries, 2);
    rig_wait(rig, 2 * S);
    assert_int_equal(rig_count(rig, WEIR_EVENT_DNS), 2);
    rig_wait(rig, 20 * S);
    assert_int_equal(rig->records[0].outcome, WEIR_OUTCOME_REQUEST_TIMEOUT);
    assert_int_equal(rig->records[0].request_timeouts, 1);
    rig_close(rig);
}

static void test_capture_end(void **state) {
    struct rig *rig = rig_new();
    struct talk old = talk_udp(1, 53), retried = talk_udp(2, 53), young = talk_udp(3, 53),
                soon = talk_udp(4, 53);
    ask(rig, &old, 1, "old.example");
    rig_wait(rig, 1800 * MS);
    ask(rig, &retried, 2, "retried.example");
    rig_wait(rig, 100 * MS);
    ask(rig, &retried, 2, "retried.example");
    ask(rig, &young, 3, "young.example");
    rig_wait(rig, 3050 * MS); /* 4.95 s, 3.15 s, 3.05 s old */
    ask(rig, &soon, 4, "soon.example");
    rig_wait(rig, 10 * MS);
    ask(rig, &soon, 4, "soon.example");
    size_t before = rig_count(rig, WEIR_EVENT_DNS);
    assert_int_equal(before, 0);
    rig_drain(rig);
    assert_int_equal(rig_count(rig, WEIR_EVENT_DNS), 1);
    assert_string_equal(rig_last(rig, WEIR_EVENT_DNS)->dns.qname, "retried.example");
    assert_int_equal(rig->records[0].dns.timeout, 0);
    assert_int_equal(rig->records[1].dns.timeout, 1);
    assert_int_equal(rig->records[2].dns.timeout, 0);
    assert_int_equal(rig->records[3].dns.timeout, 1); /* sent twice: for the record only */
    assert_int_equal(rig->records[3].outcome, WEIR_OUTCOME_REQUEST_TIMEOUT);
    rig_close(rig);
}

static void test_many_questions_of_one_flow(void **state) {
    struct rig *rig = rig_new();
    struct talk talk = talk_udp(1, 53);
    ask(rig, &talk, 1, "a.example");
    ask(rig, &talk, 2, "b.example");
    rig_wait(rig, 2 * MS);
    ask(rig, &talk, 1, "a.example");
    reply(rig, &talk, 1, "a.example", 0, 1);
    rig_wait(rig, 30 * S);
    assert_int_equal(rig_record(rig)->dns.queries, 2);
    assert_int_equal(rig_record(rig)->dns.answers, 1);
    assert_int_equal(rig_record(rig)->dns.timeout, 1);
    assert_int_equal(rig_record(rig)->outcome, WEIR_OUTCOME_USEFUL);
    rig_close(rig);
}

static void test_answers_to_nobody(void **state) {
    struct rig *rig = rig_new();
    struct talk talk = talk_udp(1, 53);
    ask(rig, &talk, 1, "a.example");
    reply(rig, &talk, 2, "b.example", WEIR_DNS_SERVFAIL, 0);
    assert_int_equal(rig_count(rig, WEIR_EVENT_DNS), 0);
    reply(rig, &talk, 1, "a.example", 0, 1);
    rig_close(rig);
    assert_int_equal(rig_record(rig)->dns.queries, 1);
    assert_int_equal(rig_record(rig)->dns.answers, 1);
    assert_int_equal(rig_record(rig)->outcome, WEIR_OUTCOME_USEFUL);
}

static void test_one_worker_for_a_client(void **state) {
    struct rig *rig = rig_new();
    struct talk one = talk_udp(1, 53), two = talk_udp(2, 53), tcp = talk_tcp(3),
                not_dns = talk_udp(2, 443);
    tcp.port[1] = 53;
    struct weir_packet a = talk_packet(&one, C, 0, 0), b = talk_packet(&two, SV, 0, 0),
                       c = talk_packet(&tcp, C, 0, 0), d = talk_packet(&not_dns, C, 0, 0);
    assert_true(weir_flow_hash(rig->table, &a) == weir_flow_hash(rig->table, &b));
    assert_true(weir_flow_hash(rig->table, &a) == weir_flow_hash(rig->table, &c));
    assert_true(weir_flow_hash(rig->table, &a) != weir_flow_hash(rig->table, &d));
    rig_close(rig);
}

/* ---- over TCP ---- */

static uint32_t with_length(uint32_t n) {
    memmove(wire + 2, wire, n);
    wire[0] = (uint8_t)(n >> 8);
    wire[1] = (uint8_t)n;
    return n + 2;
}

static void tcp_case(uint32_t step, unsigned n_addrs, bool lose_one, size_t n_events) {
    struct rig *rig = rig_new();
    struct talk talk = talk_tcp(1);
    talk.port[1] = 53;
    rig_handshake(rig, &talk, 1 * MS);
    uint32_t n = with_length(build(5, "tcp.example", WEIR_DNS_A, false, 0, 0));
    rig_bytes(rig, &talk, C, wire, n);
    n = with_length(build(5, "tcp.example", WEIR_DNS_A, true, 0, n_addrs));
    for (uint32_t at = 0; at < n; at += step) {
        uint32_t len = n - at < step ? n - at : step;
        if (lose_one && at / step == 1)
            talk.seq[SV] += len;
        else
            rig_bytes(rig, &talk, SV, wire + at, len);
    }
    assert_int_equal(rig_count(rig, WEIR_EVENT_DNS), n_events);
    if (n_events) assert_int_equal(outcome(rig), WEIR_OUTCOME_USEFUL);
    rig_close(rig);
    assert_int_equal(rig_record(rig)->dns.queries, 1);
    assert_int_equal(rig_record(rig)->dns.answers, n_events);
}

static void test_tcp(void **state) {
    tcp_case(10000, 20, false, 1);
    tcp_case(1460, 240, false, 1); /* 3.9 kB in three segments */
    tcp_case(1, 3, false, 1);
    tcp_case(1460, 240, true, 0);
    tcp_case(1460, 400, false, 1);
    tcp_case(1460, 900, false, 1); /* 14.4 kB: the beginning tells */
}

static void test_garbage(void **state) {
    struct rig *rig = rig_new();
    struct talk talk = talk_udp(1, 53);
    uint8_t noise[600];
    uint32_t x = 1;
    for (unsigned round = 0; round < 500; round++) {
        for (size_t i = 0; i < sizeof noise; i++)
            noise[i] = (uint8_t)((x = x * 1664525 + 1013904223) >> 24);
        rig_udp(rig, &talk, round & 1, noise, x % sizeof noise);
        rig_wait(rig, 10 * MS);
    }
    rig_close(rig);
    assert_int_equal(rig_count(rig, WEIR_EVENT_DNS), 0);
}

static void test_bound(void **state) {
    struct rig *rig = rig_new();
    struct talk talk = talk_udp(1, 53);
    char name[32];
    for (unsigned i = 0; i < 1000; i++) {
        snprintf(name, sizeof name, "n%u.example", i);
        ask(rig, &talk, (uint16_t)i, name);
    }
    struct weir_flow_stats stats;
    weir_flow_table_stats(rig->table, &stats);
    assert_true(stats.dns_refused > 0 && stats.dns_refused < 1000);
    assert_true(stats.memory_bytes <= 1 << 20);
    rig_wait(rig, 6 * S);
    assert_int_equal(rig_count(rig, WEIR_EVENT_DNS), 1000 - stats.dns_refused);
    rig_close(rig);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answered),
        cmocka_unit_test(test_codes),
        cmocka_unit_test(test_nxdomain),
        cmocka_unit_test(test_timeouts),
        cmocka_unit_test(test_capture_end),
        cmocka_unit_test(test_many_questions_of_one_flow),
        cmocka_unit_test(test_answers_to_nobody),
        cmocka_unit_test(test_one_worker_for_a_client),
        cmocka_unit_test(test_tcp),
        cmocka_unit_test(test_garbage),
        cmocka_unit_test(test_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
