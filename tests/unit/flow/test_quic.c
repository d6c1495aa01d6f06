/* QUIC stages and outcomes, with packets that the decoder's own tests build. */
#include "../decode/quic_builder.h"
#include "rig.h"

#define C  WEIR_CLIENT
#define SV WEIR_SERVER

static struct rig *rig_new(void) {
    static struct rig rig;
    rig_open(&rig, 1 << 20);
    rig.role = WEIR_ROLE_MEDIA;
    return &rig;
}

static struct weir_cid id(char c) {
    char bytes[8];
    memset(bytes, c, sizeof bytes);
    return quic_cid(bytes, sizeof bytes);
}

static uint8_t datagram[2048];

static size_t initial(bool from_server, char first, bool close, size_t pad_to) {
    struct quic_frames frames = {.length = 0};
    if (close)
        quic_add_close(&frames, 0x128, "no");
    else
        quic_add_ping(&frames);
    struct quic_initial_spec spec = {.version = QUIC_V1,
                                     .dcid = from_server ? id('c') : id(first),
                                     .scid = from_server ? id('s') : id('c'),
                                     .first_dcid = id(first),
                                     .from_server = from_server,
                                     .packet_number_len = 2,
                                     .pad_to = pad_to};
    return quic_build_initial(&spec, frames.bytes, frames.length, datagram, sizeof datagram);
}

static void client_initial(struct rig *rig, struct talk *talk, char first) {
    rig_udp(rig, talk, C, datagram, (uint32_t)initial(false, first, false, 1200));
}

static void short_packet(struct rig *rig, struct talk *talk, enum weir_side side, size_t body) {
    struct weir_cid to = side == C ? id('s') : id('c');
    rig_udp(rig, talk, side, datagram,
            (uint32_t)quic_build_short(&to, body, datagram, sizeof datagram));
}

static void server_flight(struct rig *rig, struct talk *talk) {
    struct weir_cid to = id('c'), from = id('s');
    size_t n = initial(true, 'f', false, 0);
    n += quic_build_opaque(QUIC_V1, WEIR_QUIC_HANDSHAKE, &to, &from, 900, datagram + n,
                           sizeof datagram - n);
    rig_udp(rig, talk, SV, datagram, (uint32_t)n);
}

static void client_finish(struct rig *rig, struct talk *talk) {
    struct weir_cid to = id('s'), from = id('c');
    size_t n =
        quic_build_opaque(QUIC_V1, WEIR_QUIC_HANDSHAKE, &to, &from, 60, datagram, sizeof datagram);
    n += quic_build_short(&to, 500, datagram + n, sizeof datagram - n);
    rig_udp(rig, talk, C, datagram, (uint32_t)n);
}

static void test_useful(void **state) {
    struct rig *rig = rig_new();
    struct talk talk = talk_udp(1, 443);
    client_initial(rig, &talk, 'f');
    assert_memory_equal(weir_flow_first_dcid(rig->flow)->bytes, "ffffffff", 8);
    rig_wait(rig, 30 * MS);
    server_flight(rig, &talk);
    rig_wait(rig, 5 * MS);
    client_finish(rig, &talk);
    assert_int_equal(rig_count(rig, WEIR_EVENT_REQUEST), 1);
    assert_int_equal(rig_count(rig, WEIR_EVENT_ATTEMPT), 0);
    rig_wait(rig, 30 * MS);
    short_packet(rig, &talk, SV, 300); /* tickets */
    assert_int_equal(rig_attempts(rig, WEIR_LAYER_QUIC, WEIR_OUTCOME_USEFUL), 1);
    assert_int_equal(rig_count(rig, WEIR_EVENT_FIRST_BYTE), 0);
    short_packet(rig, &talk, SV, 1200);
    assert_int_equal(rig_attempts(rig, WEIR_LAYER_SERVE, WEIR_OUTCOME_USEFUL), 1);
    assert_null(weir_flow_first_dcid(rig->flow));
    rig_wait(rig, 129 * S);
    assert_int_equal(rig_count(rig, WEIR_EVENT_END), 0);
    rig_wait(rig, 3 * S);
    assert_int_equal(rig_count(rig, WEIR_EVENT_END), 1);
    const struct weir_flow_record *record = rig_record(rig);
    assert_int_equal(record->named.app, WEIR_APP_QUIC);
    assert_int_equal(record->handshake_rtt_us[SV], 30000);
    assert_int_equal(record->handshake_rtt_us[C], 5000);
    assert_int_equal(record->tls_handshake_us, 35000);
    assert_int_equal(record->outcome, WEIR_OUTCOME_USEFUL);
    assert_int_equal(record->rtt_us[SV].reason, WEIR_REASON_TRANSPORT);
    rig_close(rig);
}

static void test_hung_after_handshake(void **state) {
    struct rig *rig = rig_new();
    struct talk talk = talk_udp(1, 443);
    rig_knows(rig, 509);
    client_initial(rig, &talk, 'f');
    server_flight(rig, &talk);
    client_finish(rig, &talk);
    short_packet(rig, &talk, SV, 300);
    for (unsigned i = 0; i < 6; i++) {
        rig_wait(rig, 1 * S);
        short_packet(rig, &talk, SV, 30); /* acknowledgements are no answer */
    }
    assert_int_equal(rig_attempts(rig, WEIR_LAYER_SERVE, WEIR_OUTCOME_REQUEST_TIMEOUT), 1);
    rig_close(rig);
}

static void test_timeout(void **state) {
    struct rig *rig = rig_new();
    struct talk talk = talk_udp(1, 443), burst = talk_udp(2, 443);
    client_initial(rig, &talk, 'f');
    client_initial(rig, &burst, 'g');
    rig_wait(rig, 2 * MS);
    client_initial(rig, &burst, 'g'); /* a hello in two datagrams, then given up */
    rig_wait(rig, 998 * MS);
    client_initial(rig, &talk, 'f');
    rig_wait(rig, 1500 * MS);
    assert_int_equal(rig_fails(rig), 0);
    rig_wait(rig, 1 * S);
    assert_int_equal(rig_attempts(rig, WEIR_LAYER_QUIC, WEIR_OUTCOME_QUIC_TIMEOUT), 1);
    rig_wait(rig, 5 * S);
    rig_close(rig);
    assert_int_equal(rig_fails(rig), 1);
    assert_int_equal(rig->records[0].outcome, WEIR_OUTCOME_QUIC_TIMEOUT);
    assert_int_equal(rig->records[1].outcome, WEIR_OUTCOME_NEUTRAL);
}

static void test_close(void **state) {
    struct rig *rig = rig_new();
    struct talk talk = talk_udp(1, 443);
    client_initial(rig, &talk, 'f');
    rig_udp(rig, &talk, SV, datagram,
            (uint32_t)initial(true, 'x', true, 0)); /* keys of another connection: a forgery */
    assert_int_equal(rig_fails(rig), 0);
    rig_udp(rig, &talk, SV, datagram, (uint32_t)initial(true, 'f', false, 0));
    assert_int_equal(rig_fails(rig), 0);
    rig_udp(rig, &talk, SV, datagram, (uint32_t)initial(true, 'f', true, 0));
    assert_int_equal(rig_attempts(rig, WEIR_LAYER_QUIC, WEIR_OUTCOME_QUIC_CLOSE), 1);
    rig_close(rig);
    assert_int_equal(rig_record(rig)->outcome, WEIR_OUTCOME_QUIC_CLOSE);
}

static void send_retry(struct rig *rig, struct talk *talk) {
    struct weir_cid to = id('c'), from = id('r');
    rig_udp(rig, talk, SV, datagram,
            (uint32_t)quic_build_retry(QUIC_V1, &to, &from, (const uint8_t *)"token", 5, datagram,
                                       sizeof datagram));
    rig_wait(rig, 10 * MS);
}

static void test_retry(void **state) {
    struct rig *rig = rig_new();
    struct talk good = talk_udp(1, 443), gone = talk_udp(2, 443), twice = talk_udp(3, 443);
    client_initial(rig, &good, 'f');
    send_retry(rig, &good);
    client_initial(rig, &good, 'r');
    assert_memory_equal(weir_flow_first_dcid(rig->flow)->bytes, "rrrrrrrr", 8);
    client_initial(rig, &gone, 'g');
    send_retry(rig, &gone);
    client_initial(rig, &twice, 'h');
    send_retry(rig, &twice);
    client_initial(rig, &twice, 'r');
    send_retry(rig, &twice);
    assert_int_equal(rig_attempts(rig, WEIR_LAYER_QUIC, WEIR_OUTCOME_QUIC_CLOSE), 1);
    rig_wait(rig, 5 * S);
    assert_int_equal(rig_attempts(rig, WEIR_LAYER_QUIC, WEIR_OUTCOME_QUIC_TIMEOUT), 1);
    rig_close(rig);
    assert_int_equal(rig->records[0].outcome, WEIR_OUTCOME_NEUTRAL);
    assert_int_equal(rig->records[1].outcome, WEIR_OUTCOME_QUIC_TIMEOUT);
    assert_int_equal(rig->records[2].outcome, WEIR_OUTCOME_QUIC_CLOSE);
}

static void test_negotiation(void **state) {
    for (unsigned follows = 0; follows < 2; follows++) {
        struct rig *rig = rig_new();
        struct talk talk = talk_udp(1, 443);
        client_initial(rig, &talk, 'f');
        struct weir_cid to = id('c'), from = id('f');
        const uint32_t versions[] = {QUIC_V2};
        rig_udp(
            rig, &talk, SV, datagram,
            (uint32_t)quic_build_negotiation(&to, &from, versions, 1, datagram, sizeof datagram));
        rig_wait(rig, 100 * MS);
        if (follows) client_initial(rig, &talk, 'n');
        rig_wait(rig, 5 * S);
        assert_int_equal(rig_fails(rig), follows ? 0 : 1);
        rig_close(rig);
    }
}

/* The exchange that was answered is measured: behind a Retry or negotiation, and of several
 * openings the one whose keys open the answer, whichever came first. */
static void test_clock_begins_anew(void **state) {
    for (unsigned how = 0; how < 4; how++) {
        struct rig *rig = rig_new();
        struct talk talk = talk_udp(1, 443);
        struct weir_cid to = id('c'), from = id('x');
        const uint32_t versions[] = {QUIC_V1};
        client_initial(rig, &talk, how == 3 ? 'f' : 'x');
        rig_wait(rig, 30 * MS);
        if (how == 0) send_retry(rig, &talk);
        if (how == 1)
            rig_udp(rig, &talk, SV, datagram,
                    (uint32_t)quic_build_negotiation(&to, &from, versions, 1, datagram,
                                                     sizeof datagram));
        client_initial(rig, &talk, how == 3 ? 'x' : 'f');
        rig_wait(rig, 20 * MS);
        server_flight(rig, &talk);
        assert_memory_equal(weir_flow_first_dcid(rig->flow)->bytes, "ffffffff", 8);
        assert_true(weir_flow_answered(rig->flow));
        client_finish(rig, &talk);
        int64_t wanted_us = (how == 3 ? 50 : 20) * MS;
        rig_wait(rig, 20 * MS);
        short_packet(rig, &talk, SV, 1200);
        rig_close(rig);
        const struct weir_event *useful = rig_last(rig, WEIR_EVENT_ATTEMPT);
        assert_int_equal(rig_record(rig)->handshake_rtt_us[SV], wanted_us);
        assert_int_equal(rig_record(rig)->tls_handshake_us, wanted_us);
        assert_non_null(useful);
    }
}

/* What comes before the first Initial: an older connection's packet, noise, 0-RTT that overtook it.
 */
static void test_stray_before(void **state) {
    for (unsigned what = 0; what < 3; what++) {
        struct rig *rig = rig_new();
        struct talk talk = talk_udp(1, 443);
        struct weir_cid to = id('f'), from = id('c');
        static const uint8_t noise[24] = {0xc3, 7, 7};
        if (what == 0)
            short_packet(rig, &talk, C, 40);
        else if (what == 1)
            rig_udp(rig, &talk, C, noise, sizeof noise);
        else
            rig_udp(rig, &talk, C, datagram,
                    (uint32_t)quic_build_opaque(QUIC_V1, WEIR_QUIC_ZERO_RTT, &to, &from, 900,
                                                datagram, sizeof datagram));
        rig_wait(rig, 50 * MS);
        client_initial(rig, &talk, 'f');
        assert_false(weir_flow_midstream(rig->flow));
        rig_wait(rig, 20 * MS);
        server_flight(rig, &talk);
        client_finish(rig, &talk);
        rig_wait(rig, 20 * MS);
        short_packet(rig, &talk, SV, 1200);
        assert_int_equal(rig_attempts(rig, WEIR_LAYER_QUIC, WEIR_OUTCOME_USEFUL), 1);
        rig_close(rig);
        assert_int_equal(rig_record(rig)->handshake_rtt_us[SV], 20 * MS);
        assert_int_equal(rig_record(rig)->named.app, WEIR_APP_QUIC);
    }
}

static void test_icmp(void **state) {
    struct rig *rig = rig_new();
    struct talk talk = talk_udp(1, 443);
    client_initial(rig, &talk, 'f');
    struct weir_packet error = {
        .src = talk.addr[1], .dst = talk.addr[0], .transport = WEIR_TRANSPORT_ICMP};
    error.icmp.type = 3;
    error.icmp.code = 3;
    error.icmp.quoted_transport = WEIR_TRANSPORT_UDP;
    error.icmp.quoted_src = talk.addr[0];
    error.icmp.quoted_dst = talk.addr[1];
    error.icmp.quoted_src_port = talk.port[0];
    error.icmp.quoted_dst_port = talk.port[1];
    rig_send(rig, &error);
    rig_wait(rig, 1 * S);
    client_initial(rig, &talk, 'f');
    rig_wait(rig, 5 * S);
    assert_int_equal(rig_attempts(rig, WEIR_LAYER_QUIC, WEIR_OUTCOME_ICMP), 1);
    rig_close(rig);
    assert_int_equal(rig_fails(rig), 1);
}

static void test_midstream(void **state) {
    struct rig *rig = rig_new();
    struct talk talk = talk_udp(1, 443);
    short_packet(rig, &talk, SV, 1200);
    assert_int_equal(rig->side, SV);
    assert_true(weir_flow_midstream(rig->flow));
    short_packet(rig, &talk, C, 500);
    short_packet(rig, &talk, SV, 1200);
    rig_close(rig);
    assert_int_equal(rig_attempts(rig, WEIR_LAYER_QUIC, WEIR_OUTCOME_USEFUL), 0);
    assert_int_equal(rig_record(rig)->named.app, WEIR_APP_QUIC);
    assert_int_equal(rig_record(rig)->requests, 1);
}

static void test_google(void **state) {
    struct rig *rig = rig_new();
    struct talk talk = talk_udp(1, 443);
    uint8_t hello[1350] = {0x0d, 1, 2, 3, 4, 5, 6, 7, 8, 'Q', '0', '4', '3'}, data[1350] = {0x0c};
    rig_udp(rig, &talk, C, hello, sizeof hello);
    rig_udp(rig, &talk, SV, data, 1200);
    rig_udp(rig, &talk, C, data, 500);
    rig_wait(rig, 20 * MS);
    rig_udp(rig, &talk, SV, data, 1300);
    rig_close(rig);
    assert_int_equal(rig_record(rig)->named.app, WEIR_APP_QUIC);
    assert_int_equal(rig_record(rig)->requests, 1);
    assert_int_equal(rig_attempts(rig, WEIR_LAYER_QUIC, WEIR_OUTCOME_USEFUL), 0);
    assert_int_equal(rig_attempts(rig, WEIR_LAYER_SERVE, WEIR_OUTCOME_USEFUL), 1);
}

static void test_headers_not_captured(void **state) {
    struct rig *rig = rig_new();
    struct talk talk = talk_udp(1, 443);
    struct weir_packet cut = talk_packet(&talk, C, 0, (uint32_t)initial(false, 'f', false, 1200));
    cut.payload = datagram;
    cut.payload_captured = 40;
    rig_send(rig, &cut);
    cut = talk_packet(&talk, SV, 0, 1200);
    rig_send(rig, &cut);
    rig_wait(rig, 6 * S);
    rig_close(rig);
    assert_int_equal(rig_fails(rig), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_useful),
        cmocka_unit_test(test_hung_after_handshake),
        cmocka_unit_test(test_timeout),
        cmocka_unit_test(test_close),
        cmocka_unit_test(test_retry),
        cmocka_unit_test(test_negotiation),
        cmocka_unit_test(test_clock_begins_anew),
        cmocka_unit_test(test_stray_before),
        cmocka_unit_test(test_icmp),
        cmocka_unit_test(test_midstream),
        cmocka_unit_test(test_google),
        cmocka_unit_test(test_headers_not_captured),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
