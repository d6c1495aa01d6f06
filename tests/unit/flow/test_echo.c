/* Packets captured twice, and the same conversation in other tags. */
#include "rig.h"

#define SYN WEIR_TCP_SYN
#define ACK WEIR_TCP_ACK
#define C   WEIR_CLIENT
#define SV  WEIR_SERVER

static struct rig *rig_new(void) {
    static struct rig rig;
    rig_open(&rig, 1 << 20);
    return &rig;
}

static struct talk established(struct rig *rig, uint32_t server_isn, bool timestamps) {
    struct talk talk = talk_tcp(1);
    talk.port[1] = 8080;
    talk.seq[SV] = server_isn;
    talk.timestamps = timestamps;
    rig_handshake(rig, &talk, 10 * MS);
    rig_tcp(rig, &talk, C, ACK, 100);
    return talk;
}

static void test_duplicates(void **state) {
    struct rig *rig = rig_new();
    struct talk talk = established(rig, 5000, false);
    struct weir_packet data = talk_packet(&talk, SV, ACK, 1000);
    rig_send(rig, &data);
    rig_wait(rig, 900);
    data.ttl--;
    rig_send(rig, &data);
    assert_int_equal(rig->track, WEIR_TRACK_DUPLICATE);
    assert_int_equal(rig_anomalies(rig, WEIR_ANOMALY_DUPLICATE, SV), 1);
    rig_wait(rig, 300 * MS);
    data.ttl++;
    rig_send(rig, &data); /* late: sent again */
    assert_int_equal(rig->track, WEIR_TRACK_OK);
    data.ip_id++;
    rig_send(rig, &data);
    assert_int_equal(rig->track, WEIR_TRACK_OK);
    rig_close(rig);
    assert_int_equal(rig_record(rig)->duplicates, 1);
    assert_int_equal(rig_record(rig)->lost_beyond[SV], 2);
}

/* The cache's stamps begin anew every 2^26 us: the same packet then is none; a copy across the turn
 * is one. */
static void test_duplicates_when_stamps_begin_anew(void **state) {
    const int64_t round_us = INT64_C(1) << 26;
    struct rig *rig = rig_new();
    struct talk talk = established(rig, 5000, false);
    struct weir_packet data = talk_packet(&talk, SV, ACK, 1000);
    rig_send(rig, &data);
    rig_wait(rig, round_us);
    rig_send(rig, &data);
    assert_int_equal(rig->track, WEIR_TRACK_OK);
    rig_wait(rig, round_us - rig->us % round_us - 300);
    rig_send(rig, &data);
    assert_int_equal(rig->track, WEIR_TRACK_OK);
    rig_wait(rig, 600);
    rig_send(rig, &data);
    assert_int_equal(rig->track, WEIR_TRACK_DUPLICATE);
    rig_wait(rig, round_us / 2);
    rig_send(rig, &data);
    assert_int_equal(rig->track, WEIR_TRACK_OK);
    rig_wait(rig, round_us - 300); /* its stamp is just above the clock's: 67 s old, not young */
    rig_send(rig, &data);
    assert_int_equal(rig->track, WEIR_TRACK_OK);
    rig_wait(rig, round_us - rig->us % round_us + 100);
    rig_send(rig, &data);
    assert_int_equal(rig->track, WEIR_TRACK_OK);
    rig_wait(rig, round_us - 300); /* from one end of the round to the other */
    rig_send(rig, &data);
    assert_int_equal(rig->track, WEIR_TRACK_OK);
    rig_close(rig);
}

static void test_mirrored_burst(void **state) {
    struct rig *rig = rig_new();
    struct talk talk = established(rig, 5000, false);
    struct weir_packet burst[40];
    for (unsigned i = 0; i < 40; i++) {
        burst[i] = talk_packet(&talk, SV, ACK, 1000);
        talk.seq[SV] += 1000;
        rig_send(rig, &burst[i]);
        rig_wait(rig, 10);
    }
    for (unsigned i = 0; i < 40; i++) {
        rig_send(rig, &burst[i]);
        assert_int_equal(rig->track, WEIR_TRACK_DUPLICATE);
    }
    rig_close(rig);
    assert_int_equal(rig_record(rig)->lost_beyond[SV], 0);
    assert_int_equal(rig_record(rig)->payload[SV], 40000);
}

static void test_udp_without_checksums_is_no_duplicate(void **state) {
    struct rig *rig = rig_new();
    struct talk talk = talk_udp(1, 9999);
    uint8_t bytes[1200] = {0};
    for (unsigned i = 0; i < 5; i++) {
        struct weir_packet packet = talk_packet(&talk, C, 0, sizeof bytes);
        packet.ip_id = 0;
        packet.checksum = 0x1234;
        bytes[1199] = (uint8_t)i;
        packet.payload = bytes;
        packet.payload_captured = sizeof bytes;
        rig_send(rig, &packet);
        assert_int_equal(rig->track, WEIR_TRACK_OK);
        rig_send(rig, &packet);
        assert_int_equal(rig->track, WEIR_TRACK_DUPLICATE);
    }
    rig_close(rig);
}

/* A segment and what comes after it: captured again `late_us` later with `hops` less, the second
 * with another id. */
static enum weir_track copied(uint16_t id, int hops, int64_t late_us) {
    struct rig *rig = rig_new();
    struct talk talk = established(rig, 5000, false);
    struct weir_packet data = talk_packet(&talk, SV, ACK, 1000);
    data.ip_id = id;
    rig_send(rig, &data);
    rig_wait(rig, late_us);
    data.ttl = (uint8_t)(data.ttl - hops);
    rig_send(rig, &data);
    enum weir_track track = rig->track;
    rig_close(rig);
    assert_int_equal(rig_record(rig)->duplicates, track == WEIR_TRACK_DUPLICATE);
    assert_int_equal(rig_record(rig)->lost_beyond[SV], track != WEIR_TRACK_DUPLICATE);
    return track;
}

static void test_late_copies(void **state) {
    static const struct {
        uint16_t id;
        int hops;
        int64_t late_us;
        bool copy;
    } cases[] = {
        {7, 1, 0, true},
        {7, 1, 5 * MS, true},
        {7, 1, 40 * MS, true},
        {7, 3, 40 * MS, true},
        {7, 0, 20 * MS, false}, /* sent again by one that keeps its identification */
        /* the copy first: only an identification tells */
        {7, -1, 20 * MS, true},
        {0, -1, 20 * MS, false},
        {7, 1, 200 * MS, false}, /* as late as a sender that sends again */
        {0, 1, 40 * MS, true},
        {0, 2, 900, true},
        {0, 0, 900, true},
        {0, 0, 5 * MS, false}, /* nothing tells this from bytes sent again */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(copied(cases[i].id, cases[i].hops, cases[i].late_us),
                         cases[i].copy ? WEIR_TRACK_DUPLICATE : WEIR_TRACK_OK);
}

/* A fast retransmission, 10 ms later: a new identification, or (without one) the sender's own TTL.
 */
static void test_sent_again_is_no_copy(void **state) {
    struct rig *rig = rig_new();
    struct talk talk = established(rig, 5000, false);
    for (unsigned id = 0; id < 2; id++) {
        struct weir_packet data = talk_packet(&talk, SV, ACK, 1000);
        talk.seq[SV] += 1000;
        data.ip_id = id ? data.ip_id : 0;
        rig_send(rig, &data);
        rig_wait(rig, 10 * MS);
        data.ip_id = id ? (uint16_t)(data.ip_id + 1) : 0;
        rig_send(rig, &data);
        assert_int_equal(rig->track, WEIR_TRACK_OK);
    }
    rig_close(rig);
    assert_int_equal(rig_record(rig)->lost_beyond[SV], 2);
}

/* A copy overtakes its original where two interfaces' clocks differ, and a clamped SYN has another
 * checksum. */
static void test_copies_of_two_interfaces(void **state) {
    struct rig *rig = rig_new();
    struct talk talk = talk_tcp(1);
    struct weir_packet syn = talk_packet(&talk, C, SYN, 0);
    rig_send(rig, &syn);
    rig_wait(rig, 12 * MS);
    syn.ttl--;
    syn.tcp.mss = 1412;
    syn.checksum ^= 0x55aa;
    rig_send(rig, &syn);
    assert_int_equal(rig->track, WEIR_TRACK_DUPLICATE);
    rig->skew_us = -30 * MS;
    rig_send(rig, &syn);
    assert_int_equal(rig->track, WEIR_TRACK_DUPLICATE);
    rig_close(rig);
    assert_int_equal(rig_record(rig)->syn, 1);
}

/* ---- tags ---- */

static void send_in(struct rig *rig, struct talk *talk, enum weir_side side, uint8_t flags,
                    uint32_t len, uint32_t domain) {
    struct weir_packet packet = talk_packet(talk, side, flags, len);
    packet.domain = domain;
    rig_send(rig, &packet);
    talk->seq[side] += len + (flags & SYN ? 1 : 0);
}

/* Client and server in other tags each: one flow, whoever is seen first, from the handshake or in
 * the middle. */
static void test_tags_by_direction(void **state) {
    for (unsigned middle = 0; middle < 2; middle++) {
        struct rig *rig = rig_new();
        struct talk talk = talk_tcp(1);
        if (!middle) {
            send_in(rig, &talk, C, SYN, 0, 5);
            send_in(rig, &talk, SV, SYN | ACK, 0, 0);
        }
        for (unsigned i = 0; i < 5; i++) {
            send_in(rig, &talk, C, ACK, 200, 5);
            send_in(rig, &talk, SV, ACK, 1400, 0);
        }
        rig_close(rig);
        assert_int_equal(rig_count(rig, WEIR_EVENT_NEW), 1);
        assert_int_equal(rig_record(rig)->packets[SV], middle ? 5 : 6);
        assert_int_equal(rig_record(rig)->lost_beyond[SV], 0);
    }
}

static void test_udp_tags_by_direction(void **state) {
    struct rig *rig = rig_new();
    struct talk talk = talk_udp(1, 9000);
    for (unsigned i = 0; i < 4; i++) {
        send_in(rig, &talk, C, 0, 100, 5);
        send_in(rig, &talk, SV, 0, 500, 6);
    }
    send_in(rig, &talk, SV, 0, 500, 7); /* somebody else's */
    rig_close(rig);
    assert_int_equal(rig_count(rig, WEIR_EVENT_NEW), 2);
}

/* Two customers with the same endpoints, each in a VLAN of his own, are two flows. */
static void test_two_customers(void **state) {
    struct rig *rig = rig_new();
    struct talk talk[2] = {talk_tcp(1), talk_tcp(1)};
    talk[1].seq[C] = UINT32_C(0x40001000);
    talk[1].seq[SV] = UINT32_C(0x90001000);
    talk[1].id[C] = 30000;
    for (unsigned i = 0; i < 2; i++) {
        send_in(rig, &talk[i], C, SYN, 0, 5 + i);
        send_in(rig, &talk[i], SV, SYN | ACK, 0, 5 + i);
    }
    for (unsigned i = 0; i < 10; i++) {
        send_in(rig, &talk[i % 2], C, ACK, 200, 5 + i % 2);
        send_in(rig, &talk[i % 2], SV, ACK, 1400, 5 + i % 2);
    }
    rig_close(rig);
    assert_int_equal(rig_count(rig, WEIR_EVENT_NEW), 2);
    assert_int_equal(rig->records[0].packets[SV], 6);
    assert_int_equal(rig->records[1].packets[SV], 6);
    assert_int_equal(rig->records[0].duplicates + rig->records[1].duplicates, 0);
}

/* A router-on-a-stick: each packet again with another tag, some hops less. */
static void test_routed_between_tags(void **state) {
    struct rig *rig = rig_new();
    struct talk talk = talk_tcp(1);
    for (unsigned i = 0; i < 6; i++) {
        struct weir_packet packet =
            talk_packet(&talk, i % 2, i < 2 ? SYN | (i ? ACK : 0) : ACK, i < 2 ? 0 : 300);
        talk.seq[i % 2] += i < 2 ? 1 : 300;
        packet.domain = 5;
        rig_send(rig, &packet);
        rig_wait(rig, 3 * MS);
        packet.domain = 6;
        packet.ttl--;
        rig_send(rig, &packet);
        assert_int_equal(rig->track, WEIR_TRACK_DUPLICATE);
    }
    rig_close(rig);
    assert_int_equal(rig_count(rig, WEIR_EVENT_NEW), 1);
    assert_int_equal(rig_record(rig)->duplicates, 6);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_duplicates),
        cmocka_unit_test(test_duplicates_when_stamps_begin_anew),
        cmocka_unit_test(test_mirrored_burst),
        cmocka_unit_test(test_udp_without_checksums_is_no_duplicate),
        cmocka_unit_test(test_late_copies),
        cmocka_unit_test(test_sent_again_is_no_copy),
        cmocka_unit_test(test_copies_of_two_interfaces),
        cmocka_unit_test(test_tags_by_direction),
        cmocka_unit_test(test_udp_tags_by_direction),
        cmocka_unit_test(test_two_customers),
        cmocka_unit_test(test_routed_between_tags),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
