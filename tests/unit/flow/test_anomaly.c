/* Sequence anomalies and round-trip times, by hand-worked numbers. */
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

static void server_at(struct rig *rig, struct talk *talk, uint32_t seq, uint32_t len) {
    struct weir_packet packet = talk_packet(talk, SV, ACK, len);
    packet.tcp.seq = seq;
    rig_send(rig, &packet);
}

static void test_plain_data_is_no_anomaly(void **state) {
    struct rig *rig = rig_new();
    struct talk talk = established(rig, UINT32_MAX - 3000, false); /* wraps on the way */
    for (unsigned i = 0; i < 10; i++) {
        rig_tcp(rig, &talk, SV, ACK, 1460);
        rig_tcp(rig, &talk, C, ACK, 0);
    }
    assert_int_equal(rig_count(rig, WEIR_EVENT_ANOMALY), 0);
    rig_close(rig);
}

static void test_lost_beyond(void **state) {
    struct rig *rig = rig_new();
    struct talk talk = established(rig, UINT32_MAX - 2000, false);
    uint32_t first = talk.seq[SV];
    rig_tcp(rig, &talk, SV, ACK, 1460);
    rig_tcp(rig, &talk, SV, ACK, 1460); /* behind the wrap */
    rig_wait(rig, 200 * MS);
    server_at(rig, &talk, first, 1460);
    assert_int_equal(rig_anomalies(rig, WEIR_ANOMALY_LOST_BEYOND, SV), 1);
    assert_int_equal(rig_last(rig, WEIR_EVENT_ANOMALY)->anomaly.bytes, 1460);
    server_at(rig, &talk, first + 1460, 2920); /* half of it is new */
    assert_int_equal(rig_last(rig, WEIR_EVENT_ANOMALY)->anomaly.bytes, 1460);
    rig_close(rig);
    assert_int_equal(rig_record(rig)->lost_beyond[SV], 2);
    assert_int_equal(rig_record(rig)->lost_bytes[SV], 2920);
    assert_int_equal(rig_record(rig)->lost_beyond[C], 0);
}

/* Two server segments, the second first; what the sender's clock and count say of each. */
struct filling {
    int64_t age_us;
    bool timestamps;
    int32_t ticks; /* of the late one's TSval beyond that of the early one */
    int16_t step;  /* of its IPv4 identification; 0: both are 0 */
    enum weir_anomaly what;
};

static void hole_case(const struct filling *filling) {
    struct rig *rig = rig_new();
    struct talk talk = established(rig, UINT32_MAX - 1500, filling->timestamps); /* iRTT 20 ms */
    struct weir_packet shows = talk_packet(&talk, SV, ACK, 1460), fills = shows;
    shows.tcp.seq += 1460;
    shows.ip_id = filling->step ? 1000 : 0;
    rig_send(rig, &shows);
    rig_wait(rig, filling->age_us);
    fills.ip_id = filling->step ? (uint16_t)(1000 + filling->step) : 0;
    if (filling->timestamps) fills.tcp.tsval += (uint32_t)filling->ticks;
    rig_send(rig, &fills);
    assert_int_equal(rig_count(rig, WEIR_EVENT_ANOMALY), 1);
    assert_int_equal(rig_anomalies(rig, filling->what, SV), 1);
    rig_wait(rig, 100 * MS);
    server_at(rig, &talk, fills.tcp.seq, 1460); /* now it has been seen */
    assert_int_equal(rig_anomalies(rig, WEIR_ANOMALY_LOST_BEYOND, SV), 1);
    rig_close(rig);
}

static void test_holes(void **state) {
    static const struct filling fillings[] = {
        {5 * MS, false, 0, 0, WEIR_ANOMALY_REORDERED}, /* nothing but its age to go by */
        {20 * MS, false, 0, 0, WEIR_ANOMALY_REORDERED},
        {21 * MS, false, 0, 0, WEIR_ANOMALY_LOST_BEFORE},
        /* nobody can have asked: the sender reversed them */
        {200, true, 1, 1, WEIR_ANOMALY_REORDERED},
        {9 * MS, false, 0, 1, WEIR_ANOMALY_REORDERED},
        /* a quick repair: the clock speaks first */
        {12 * MS, true, 1, -1, WEIR_ANOMALY_LOST_BEFORE},
        {90 * MS, true, -1, 1, WEIR_ANOMALY_REORDERED},
        {12 * MS, true, 0, 1, WEIR_ANOMALY_LOST_BEFORE},
        {12 * MS, true, 0, -1, WEIR_ANOMALY_REORDERED},
        {90 * MS, true, 0, -1, WEIR_ANOMALY_LOST_BEFORE}, /* a count is less than a round trip */
        {12 * MS, false, 0, 256, WEIR_ANOMALY_LOST_BEFORE},
        {90 * MS, false, 0, -256, WEIR_ANOMALY_LOST_BEFORE},
        {12 * MS, false, 0, 257, WEIR_ANOMALY_REORDERED}, /* no count: drawn at random */
        {90 * MS, false, 0, -257, WEIR_ANOMALY_LOST_BEFORE},
    };
    for (size_t i = 0; i < sizeof fillings / sizeof *fillings; i++) hole_case(&fillings[i]);
}

static void test_an_acknowledgement_shows_a_lost_tail(void **state) {
    struct rig *rig = rig_new();
    struct talk talk = established(rig, UINT32_MAX - 500, false);
    uint32_t tail = talk.seq[SV];
    server_at(rig, &talk, tail + 1000, 0);
    assert_int_equal(rig_count(rig, WEIR_EVENT_ANOMALY), 0);
    rig_wait(rig, 100 * MS);
    server_at(rig, &talk, tail, 1000);
    assert_int_equal(rig_anomalies(rig, WEIR_ANOMALY_LOST_BEFORE, SV), 1);
    rig_close(rig);
    assert_int_equal(rig_record(rig)->lost_bytes[SV], 1000);
}

static void test_hole_filled_in_pieces(void **state) {
    struct rig *rig = rig_new();
    struct talk talk = established(rig, 5000, false);
    uint32_t hole = talk.seq[SV];
    talk.seq[SV] += 3000;
    rig_tcp(rig, &talk, SV, ACK, 1000);
    rig_wait(rig, 100 * MS);
    server_at(rig, &talk, hole + 1000, 1000); /* the middle: two holes are left */
    server_at(rig, &talk, hole, 1000);
    server_at(rig, &talk, hole + 2000, 1000);
    rig_close(rig);
    assert_int_equal(rig_record(rig)->lost_before[SV], 3);
    assert_int_equal(rig_record(rig)->lost_beyond[SV], 0);
    assert_int_equal(rig_record(rig)->lost_bytes[SV], 3000);
}

static void test_spurious_keepalive_zero_window(void **state) {
    struct rig *rig = rig_new();
    struct talk talk = established(rig, 5000, false);
    uint32_t first = talk.seq[SV];
    rig_tcp(rig, &talk, SV, ACK, 1460);
    rig_tcp(rig, &talk, C, ACK, 0);
    rig_wait(rig, 300 * MS);
    server_at(rig, &talk, first, 1460);
    assert_int_equal(rig_anomalies(rig, WEIR_ANOMALY_SPURIOUS, SV), 1);
    server_at(rig, &talk, talk.seq[SV] - 1, 0);
    rig_wait(rig, 10 * MS);
    server_at(rig, &talk, talk.seq[SV] - 1, 1);
    struct weir_packet full = talk_packet(&talk, C, ACK, 0);
    full.tcp.window = 0;
    rig_send(rig, &full);
    struct weir_packet fin = talk_packet(&talk, SV, ACK | WEIR_TCP_FIN, 0);
    fin.tcp.window = 0; /* not with FIN */
    rig_send(rig, &fin);
    rig_close(rig);
    assert_int_equal(rig_record(rig)->spurious[SV], 1);
    assert_int_equal(rig_record(rig)->keepalives, 2);
    assert_int_equal(rig_record(rig)->zero_window[C], 1);
    assert_int_equal(rig_record(rig)->zero_window[SV], 0);
    assert_int_equal(rig_record(rig)->lost_beyond[SV], 0);
}

static void test_super_packets_count_as_segments(void **state) {
    struct rig *rig = rig_new();
    struct talk talk = established(rig, 5000, true); /* time stamps: 1,448 bytes a segment */
    uint32_t first = talk.seq[SV];
    rig_tcp(rig, &talk, SV, ACK, 14480);
    rig_wait(rig, 300 * MS);
    server_at(rig, &talk, first, 14480);
    assert_int_equal(rig_last(rig, WEIR_EVENT_ANOMALY)->anomaly.segments, 10);
    rig_close(rig);
    assert_int_equal(rig_record(rig)->lost_beyond[SV], 10);
}

static void test_out_of_window_moves_nothing(void **state) {
    struct rig *rig = rig_new();
    struct talk talk = established(rig, 5000, false);
    server_at(rig, &talk, talk.seq[SV] + 0x60000000u, 1000);
    rig_tcp(rig, &talk, SV, ACK, 1460);
    assert_int_equal(rig_count(rig, WEIR_EVENT_ANOMALY), 0);
    rig_close(rig);
}

/* ---- round trips ---- */

static void test_handshake_rtt(void **state) {
    struct rig *rig = rig_new();
    struct talk talk = talk_tcp(1);
    rig_tcp(rig, &talk, C, SYN, 0);
    rig_wait(rig, 30 * MS);
    rig_tcp(rig, &talk, SV, SYN | ACK, 0);
    rig_wait(rig, 4 * MS);
    rig_tcp(rig, &talk, C, ACK, 0);
    rig_close(rig);
    assert_int_equal(rig_record(rig)->handshake_rtt_us[SV], 30000);
    assert_int_equal(rig_record(rig)->handshake_rtt_us[C], 4000);
    assert_int_equal(rig_count(rig, WEIR_EVENT_RTT), 2);
}

static void test_handshake_rtt_karn(void **state) {
    struct rig *rig = rig_new();
    struct talk talk = talk_tcp(1);
    rig_tcp(rig, &talk, C, SYN, 0);
    rig_wait(rig, 1 * S);
    talk.seq[C] = 1000;
    rig_tcp(rig, &talk, C, SYN, 0);
    rig_tcp(rig, &talk, SV, SYN | ACK, 0);
    rig_wait(rig, 1 * S);
    talk.seq[SV] = 5000;
    rig_tcp(rig, &talk, SV, SYN | ACK, 0);
    rig_tcp(rig, &talk, C, ACK, 0);
    rig_close(rig);
    assert_int_equal(rig_record(rig)->handshake_rtt_us[SV], WEIR_NULL);
    assert_int_equal(rig_record(rig)->handshake_rtt_us[C], WEIR_NULL);
    assert_int_equal(rig_record(rig)->handshake_rtt_reason[SV], WEIR_REASON_RETRANSMITTED);
    assert_int_equal(rig_record(rig)->handshake_rtt_reason[C], WEIR_REASON_RETRANSMITTED);
}

static void test_rtt_by_numbers(void **state) {
    struct rig *rig = rig_new();
    struct talk talk = established(rig, 5000, false);
    rig_wait(rig, 25 * MS);
    /* acknowledges the client's 100 bytes: 25 ms on the server's side */
    rig_tcp(rig, &talk, SV, ACK, 1460);
    rig_wait(rig, 3 * MS);
    rig_tcp(rig, &talk, C, ACK, 0); /* 3 ms on the client's */
    assert_int_equal(rig_count(rig, WEIR_EVENT_RTT), 4);
    rig_tcp(rig, &talk, SV, ACK, 1460);
    rig_tcp(rig, &talk, SV, ACK, 1460);
    rig_wait(rig, 3 * MS);
    rig_tcp(rig, &talk, C, ACK, 0); /* of both: void */
    assert_int_equal(rig_count(rig, WEIR_EVENT_RTT), 4);
    uint32_t seq = talk.seq[SV];
    rig_tcp(rig, &talk, SV, ACK, 1460);
    rig_wait(rig, 300 * MS);
    server_at(rig, &talk, seq, 1460); /* sent again: void, whichever arrived */
    rig_wait(rig, 3 * MS);
    rig_tcp(rig, &talk, C, ACK, 0);
    assert_int_equal(rig_count(rig, WEIR_EVENT_RTT), 4);
    rig_close(rig);
    assert_int_equal(rig_record(rig)->rtt_us[SV].samples, 1);
    assert_int_equal(rig_record(rig)->rtt_us[SV].p50 / 100, 250);
    assert_int_equal(rig_record(rig)->rtt_us[C].samples, 1);
    assert_int_equal(rig_record(rig)->rtt_us[C].min, 3000);
}

static void test_rtt_by_timestamps(void **state) {
    struct rig *rig = rig_new();
    struct talk talk = established(rig, 5000, true);
    for (unsigned i = 0; i < 20; i++) {
        talk.tsval[SV] += 100;
        rig_tcp(rig, &talk, SV, ACK, 1460);
        rig_wait(rig, 1 * MS);
        rig_tcp(rig, &talk, SV, ACK, 1460); /* the same TSval: only the first sighting counts */
        rig_wait(rig, 6 * MS);
        talk.tsval[C] += 100;
        rig_tcp(rig, &talk, C, ACK, 0); /* 7 ms on the client's side */
        rig_wait(rig, 40 * MS);         /* its TSval comes back after 40 ms */
    }
    rig_close(rig);
    assert_in_range(rig_record(rig)->rtt_us[C].samples, 18, 21);
    assert_in_range(rig_record(rig)->rtt_us[C].p50, 6600, 7400);
    assert_int_equal(rig_record(rig)->rtt_us[C].min, 7000);
    assert_in_range(rig_record(rig)->rtt_us[SV].p50, 37500, 42500);
}

/* A bare acknowledgement right before the question must not cost its sample. */
static void test_rtt_data_before_bare(void **state) {
    struct rig *rig = rig_new();
    struct talk talk = established(rig, 5000, true);
    talk.tsval[C] += 1;
    rig_tcp(rig, &talk, C, ACK, 0);
    rig_wait(rig, 2 * MS);
    talk.tsval[C] += 2;
    rig_tcp(rig, &talk, C, ACK, 400);
    rig_wait(rig, 30 * MS);
    rig_tcp(rig, &talk, SV, ACK, 0);
    rig_close(rig);
    assert_int_equal(rig_record(rig)->rtt_us[SV].samples, 1);
    assert_int_equal(rig_record(rig)->rtt_us[SV].min, 30000);
}

static void test_rtt_echo_of_retransmission(void **state) {
    struct rig *rig = rig_new();
    struct talk talk = established(rig, 5000, true);
    rig_wait(rig, 10 * MS);
    talk.tsval[SV] += 10;
    uint32_t seq = talk.seq[SV];
    rig_tcp(rig, &talk, SV, ACK, 1460);
    rig_wait(rig, 300 * MS);
    talk.tsval[SV] += 300;
    server_at(rig, &talk, seq, 1460);
    talk.tsecr[C] = talk.tsval[SV];
    size_t before = rig_count(rig, WEIR_EVENT_RTT);
    rig_wait(rig, 5 * MS);
    /* echoes the second: the first is void, and 305 ms never reported */
    rig_tcp(rig, &talk, C, ACK, 0);
    for (size_t i = before; i < rig->n_events; i++)
        assert_false(rig->events[i].kind == WEIR_EVENT_RTT && rig->events[i].rtt.us > 100 * MS);
    rig_close(rig);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain_data_is_no_anomaly),
        cmocka_unit_test(test_lost_beyond),
        cmocka_unit_test(test_holes),
        cmocka_unit_test(test_an_acknowledgement_shows_a_lost_tail),
        cmocka_unit_test(test_hole_filled_in_pieces),
        cmocka_unit_test(test_spurious_keepalive_zero_window),
        cmocka_unit_test(test_super_packets_count_as_segments),
        cmocka_unit_test(test_out_of_window_moves_nothing),
        cmocka_unit_test(test_handshake_rtt),
        cmocka_unit_test(test_handshake_rtt_karn),
        cmocka_unit_test(test_rtt_by_numbers),
        cmocka_unit_test(test_rtt_by_timestamps),
        cmocka_unit_test(test_rtt_echo_of_retransmission),
        cmocka_unit_test(test_rtt_data_before_bare),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
