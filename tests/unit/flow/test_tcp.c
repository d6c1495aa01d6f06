/* Connection attempts and their ends. */
#include "rig.h"

#define SYN WEIR_TCP_SYN
#define ACK WEIR_TCP_ACK
#define FIN (WEIR_TCP_FIN | WEIR_TCP_ACK)
#define RST WEIR_TCP_RST
#define C   WEIR_CLIENT
#define SV  WEIR_SERVER

static struct rig *rig_new(void) {
    static struct rig rig;
    rig_open(&rig, 1 << 20);
    return &rig;
}

/* A plain protocol on another port, so that payload needs no bytes. */
static struct talk plain(unsigned n) {
    struct talk talk = talk_tcp(n);
    talk.port[1] = 8080;
    return talk;
}

static void syn_again(struct rig *rig, struct talk *talk, int64_t after_us) {
    rig_wait(rig, after_us);
    talk->seq[C] = 1000;
    rig_tcp(rig, talk, C, SYN, 0);
}

static void test_useful(void **state) {
    struct rig *rig = rig_new();
    struct talk talk = plain(1);
    rig_handshake(rig, &talk, 20 * MS);
    rig_tcp(rig, &talk, C, ACK, 100);
    assert_int_equal(rig_count(rig, WEIR_EVENT_ATTEMPT), 0);
    rig_wait(rig, 20 * MS);
    rig_tcp(rig, &talk, SV, ACK, 500);
    assert_int_equal(rig_attempts(rig, WEIR_LAYER_CONNECT, WEIR_OUTCOME_USEFUL), 1);
    /* then the request's own */
    assert_int_equal(rig->events[rig->n_events - 3].attempt.first_us, RIG_START_US);
    rig_tcp(rig, &talk, SV, ACK, 500);
    assert_int_equal(rig_attempts(rig, WEIR_LAYER_CONNECT, WEIR_OUTCOME_USEFUL), 1);
    rig_tcp(rig, &talk, C, FIN, 0);
    rig_tcp(rig, &talk, SV, FIN, 0);
    rig_wait(rig, 4 * S);
    assert_int_equal(rig_record(rig)->end, WEIR_END_FIN);
    assert_int_equal(rig_record(rig)->outcome, WEIR_OUTCOME_USEFUL);
    assert_int_equal(rig_record(rig)->payload[C], 100);
    assert_int_equal(rig_record(rig)->payload[SV], 1000);
    assert_int_equal(rig_record(rig)->packets[C], 4);
    assert_int_equal(rig_record(rig)->bytes[SV], 4 * 20 + 1000);
    assert_int_equal(rig_fails(rig), 0);
    rig_close(rig);
}

static void test_syn_timeout(void **state) {
    struct rig *rig = rig_new();
    struct talk talk = talk_tcp(1);
    rig_wait(rig, 500 * MS);
    rig_tcp(rig, &talk, C, SYN, 0);
    syn_again(rig, &talk, 1 * S);
    rig_wait(rig, 1400 * MS); /* age 2.4 s */
    assert_int_equal(rig_fails(rig), 0);
    rig_wait(rig, 1100 * MS); /* the tick at 4.0 s, age 3.5 s */
    assert_int_equal(rig_attempts(rig, WEIR_LAYER_CONNECT, WEIR_OUTCOME_SYN_TIMEOUT), 1);
    assert_int_equal(rig_last(rig, WEIR_EVENT_ATTEMPT)->ts_us, RIG_START_US + 4 * S);
    assert_int_equal(rig_last(rig, WEIR_EVENT_ATTEMPT)->attempt.first_us, RIG_START_US + 500 * MS);
    syn_again(rig, &talk, 2 * S);
    rig_wait(rig, 40 * S);
    assert_int_equal(rig_fails(rig), 1);
    assert_int_equal(rig_record(rig)->outcome, WEIR_OUTCOME_SYN_TIMEOUT);
    assert_int_equal(rig_record(rig)->syn, 3);
    assert_int_equal(rig_record(rig)->lost_beyond[C], 0);
    assert_int_equal(rig_record(rig)->end, WEIR_END_IDLE);
    rig_close(rig);
}

static void test_late_syn_ack_still_counts_as_useful(void **state) {
    struct rig *rig = rig_new();
    struct talk talk = plain(1);
    rig_tcp(rig, &talk, C, SYN, 0);
    syn_again(rig, &talk, 1 * S);
    rig_wait(rig, 3 * S);
    assert_int_equal(rig_fails(rig), 1);
    rig_tcp(rig, &talk, SV, SYN | ACK, 0);
    rig_tcp(rig, &talk, C, ACK, 50);
    rig_tcp(rig, &talk, SV, ACK, 50);
    assert_int_equal(rig_attempts(rig, WEIR_LAYER_CONNECT, WEIR_OUTCOME_USEFUL), 1);
    rig_close(rig);
    assert_int_equal(rig_record(rig)->outcome, WEIR_OUTCOME_USEFUL);
}

static void test_single_syn_is_neutral(void **state) {
    struct rig *rig = rig_new();
    struct talk talk = talk_tcp(1);
    rig_tcp(rig, &talk, C, SYN, 0);
    rig_wait(rig, 60 * S);
    assert_int_equal(rig_count(rig, WEIR_EVENT_ATTEMPT), 0);
    assert_int_equal(rig_record(rig)->outcome, WEIR_OUTCOME_NEUTRAL);
    rig_close(rig);
}

static void test_capture_end(void **state) {
    struct rig *rig = rig_new();
    struct talk two = talk_tcp(1), three = talk_tcp(2);
    rig_tcp(rig, &two, C, SYN, 0);
    rig_tcp(rig, &three, C, SYN, 0);
    syn_again(rig, &two, 400 * MS);
    syn_again(rig, &three, 0);
    syn_again(rig, &three, 800 * MS);
    rig_drain(rig);
    assert_int_equal(rig_attempts(rig, WEIR_LAYER_CONNECT, WEIR_OUTCOME_SYN_TIMEOUT), 1);
    assert_int_equal(rig->records[0].outcome, WEIR_OUTCOME_NEUTRAL);
    assert_int_equal(rig->records[0].end, WEIR_END_OPEN);
    assert_int_equal(rig->records[1].outcome, WEIR_OUTCOME_SYN_TIMEOUT);
    rig_close(rig);
}

static void test_refused(void **state) {
    struct rig *rig = rig_new();
    struct talk talk = talk_tcp(1);
    rig_tcp(rig, &talk, C, SYN, 0);
    struct weir_packet stray = talk_packet(&talk, SV, RST | ACK, 0);
    stray.tcp.ack = 4711;
    rig_send(rig, &stray);
    assert_int_equal(rig_fails(rig), 0);
    talk.seq[SV] = 0;
    rig_tcp(rig, &talk, SV, RST | ACK, 0);
    assert_int_equal(rig_attempts(rig, WEIR_LAYER_CONNECT, WEIR_OUTCOME_REFUSED), 1);
    assert_int_equal(rig_last(rig, WEIR_EVENT_RESET)->reset.what, WEIR_RESET_REFUSED);
    rig_close(rig);
    assert_int_equal(rig_record(rig)->outcome, WEIR_OUTCOME_REFUSED);
    assert_int_equal(rig_record(rig)->end, WEIR_END_RST);
    assert_true(rig_record(rig)->has_reset);
}

static struct weir_packet icmp_about(struct talk *talk, uint32_t seq, uint8_t type, uint8_t code) {
    struct weir_packet packet = {
        .src = talk->addr[1], .dst = talk->addr[0], .transport = WEIR_TRANSPORT_ICMP};
    packet.icmp.type = type;
    packet.icmp.code = code;
    packet.icmp.quoted_transport = talk->transport;
    packet.icmp.quoted_src = talk->addr[0];
    packet.icmp.quoted_dst = talk->addr[1];
    packet.icmp.quoted_src_port = talk->port[0];
    packet.icmp.quoted_dst_port = talk->port[1];
    packet.icmp.quoted_seq = seq;
    return packet;
}

static void test_icmp(void **state) {
    static const struct {
        uint8_t type, code;
        uint32_t seq;
        bool fails;
    } cases[] = {
        {3, 0, 1000, true},  {3, 1, 1000, true},   {3, 3, 1000, true},
        {3, 9, 1000, true},  {3, 10, 1000, true},  {3, 13, 1000, true},
        {3, 4, 1000, false}, {11, 0, 1000, false}, {3, 1, 999, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct rig *rig = rig_new();
        struct talk talk = talk_tcp(1);
        rig_tcp(rig, &talk, C, SYN, 0);
        struct weir_packet error = icmp_about(&talk, cases[i].seq, cases[i].type, cases[i].code);
        rig_send(rig, &error);
        assert_int_equal(rig->track, WEIR_TRACK_OK);
        rig_wait(rig, 2900 * MS);
        assert_int_equal(rig_fails(rig), 0);
        rig_wait(rig, 1 * S);
        assert_int_equal(rig_attempts(rig, WEIR_LAYER_CONNECT, WEIR_OUTCOME_ICMP), cases[i].fails);
        rig_close(rig);
    }
}

static void test_icmp_then_syn_ack(void **state) {
    struct rig *rig = rig_new();
    struct talk talk = talk_tcp(1);
    rig_tcp(rig, &talk, C, SYN, 0);
    struct weir_packet error = icmp_about(&talk, 1000, 3, 1);
    rig_send(rig, &error);
    rig_wait(rig, 2 * S);
    rig_tcp(rig, &talk, SV, SYN | ACK, 0);
    rig_tcp(rig, &talk, C, ACK, 0);
    rig_wait(rig, 20 * S);
    assert_int_equal(rig_fails(rig), 0);
    struct talk nobody = talk_tcp(9);
    struct weir_packet about_nobody = icmp_about(&nobody, 1000, 3, 1);
    rig_send(rig, &about_nobody);
    assert_int_equal(rig->track, WEIR_TRACK_NO_FLOW);
    rig_close(rig);
}

static void test_preconnect_is_neutral(void **state) {
    struct rig *rig = rig_new();
    struct talk talk = talk_tcp(1);
    rig_handshake(rig, &talk, 10 * MS);
    rig_wait(rig, 60 * S);
    rig_tcp(rig, &talk, SV, FIN, 0);
    rig_tcp(rig, &talk, C, FIN, 0);
    rig_close(rig);
    assert_int_equal(rig_count(rig, WEIR_EVENT_ATTEMPT), 0);
    assert_int_equal(rig_record(rig)->outcome, WEIR_OUTCOME_NEUTRAL);
    assert_int_equal(rig_record(rig)->end, WEIR_END_FIN);
}

/* After useful, who sends the RST and when? */
static void reset_case(enum weir_side by, int64_t silence_us, bool request_open, bool fin_before,
                       enum weir_reset_kind kind) {
    struct rig *rig = rig_new();
    struct talk talk = plain(1);
    rig_handshake(rig, &talk, 10 * MS);
    rig_tcp(rig, &talk, C, ACK, 400);
    rig_wait(rig, 10 * MS);
    rig_tcp(rig, &talk, SV, ACK, 1000);
    if (request_open) rig_tcp(rig, &talk, C, ACK, 400);
    if (fin_before) rig_tcp(rig, &talk, SV, FIN, 0);
    rig_wait(rig, silence_us);
    rig_tcp(rig, &talk, by, RST | ACK, 0);
    assert_int_equal(rig_last(rig, WEIR_EVENT_RESET)->reset.what, kind);
    assert_int_equal(rig_last(rig, WEIR_EVENT_RESET)->reset.by, by);
    assert_int_equal(rig_attempts(rig, WEIR_LAYER_SERVE, WEIR_OUTCOME_RST_MID),
                     kind == WEIR_RESET_MID);
    rig_close(rig);
    assert_int_equal(rig_record(rig)->outcome,
                     kind == WEIR_RESET_MID ? WEIR_OUTCOME_RST_MID : WEIR_OUTCOME_USEFUL);
    assert_int_equal(rig_record(rig)->reset.kind, kind);
}

static void test_reset_kinds(void **state) {
    reset_case(SV, 100 * MS, false, false, WEIR_RESET_MID);
    reset_case(SV, 3 * S, true, false, WEIR_RESET_MID);
    reset_case(SV, 1 * S, false, false, WEIR_RESET_IDLE);
    reset_case(SV, 100 * MS, false, true, WEIR_RESET_TEARDOWN);
    reset_case(C, 100 * MS, false, false, WEIR_RESET_TEARDOWN);
    reset_case(C, 3 * S, true, false, WEIR_RESET_TEARDOWN);
}

static const struct weir_event *last_pause(const struct rig *rig, bool reset) {
    const struct weir_event *event = rig_last(rig, WEIR_EVENT_PAUSE);
    assert_non_null(event);
    assert_int_equal(event->pause.reset, reset);
    return event;
}

/* Segments with rests between them, then a reset; what the server says of its own accord meanwhile
 * ends no rest. */
static void test_pauses(void **state) {
    struct rig *rig = rig_new();
    struct talk talk = plain(1);
    rig_handshake(rig, &talk, 10 * MS);
    for (int i = 0; i < 3; i++) {
        rig_tcp(rig, &talk, C, ACK, 400);
        rig_wait(rig, 10 * MS);
        rig_tcp(rig, &talk, SV, ACK, 1400);
        rig_wait(rig, i == 2 ? 6 * S : i * 4 * S);
    }
    assert_int_equal(rig_count(rig, WEIR_EVENT_PAUSE), 1);
    assert_int_equal(last_pause(rig, false)->pause.us, 4 * S);
    rig_tcp(rig, &talk, SV, ACK, 39);
    rig_tcp(rig, &talk, SV, ACK, 24);
    rig_wait(rig, 500 * MS);
    rig_tcp(rig, &talk, SV, RST | ACK, 0);
    assert_int_equal(rig_count(rig, WEIR_EVENT_PAUSE), 2);
    assert_int_equal(last_pause(rig, true)->pause.us, 6500 * MS);
    assert_int_equal(rig_last(rig, WEIR_EVENT_RESET)->reset.what, WEIR_RESET_IDLE);
    rig_close(rig);
    assert_int_equal(rig_record(rig)->reset_pause_us, 6500 * MS);
    assert_int_equal(rig_fails(rig), 0);
}

/* What a server is long in answering is no rest of the connection, nor is what it says unasked. */
static void test_no_pauses(void **state) {
    struct rig *rig = rig_new();
    struct talk talk = plain(1);
    rig_handshake(rig, &talk, 10 * MS);
    rig_tcp(rig, &talk, C, ACK, 400);
    rig_wait(rig, 9 * S);
    rig_tcp(rig, &talk, SV, ACK, 1400);
    rig_wait(rig, 9 * S);
    rig_tcp(rig, &talk, SV, ACK, 1400);
    assert_int_equal(rig_count(rig, WEIR_EVENT_PAUSE), 0);
    rig_tcp(rig, &talk, SV, FIN, 0);
    rig_wait(rig, 9 * S);
    rig_tcp(rig, &talk, SV, RST, 0);
    assert_int_equal(rig_count(rig, WEIR_EVENT_PAUSE), 0);
    rig_close(rig);
    assert_int_equal(rig_record(rig)->reset_pause_us, -1);
}

/* The byte before the next, sent again; so long afterwards the server says something. */
static size_t n_alive(int64_t after_us, uint32_t behind, uint32_t len) {
    struct rig *rig = rig_new();
    struct talk talk = plain(1);
    rig_handshake(rig, &talk, 10 * MS);
    rig_tcp(rig, &talk, C, ACK, 400);
    rig_wait(rig, 10 * MS);
    rig_tcp(rig, &talk, SV, ACK, 1400);
    rig_wait(rig, 45 * S);
    struct weir_packet ask = talk_packet(&talk, C, ACK, 0);
    ask.tcp.seq -= behind;
    rig_send(rig, &ask);
    rig_wait(rig, after_us);
    rig_tcp(rig, &talk, SV, ACK, len);
    rig_wait(rig, 10 * MS);
    rig_tcp(rig, &talk, SV, ACK, 0); /* once */
    rig_close(rig);
    return rig_count(rig, WEIR_EVENT_ALIVE);
}

static void test_kept_alive(void **state) {
    assert_int_equal(n_alive(10 * MS, 1, 0), 1);
    assert_int_equal(n_alive(400 * MS, 1, 0), 0);   /* a probe of the server's own */
    assert_int_equal(n_alive(10 * MS, 0, 0), 0);    /* nothing was asked */
    assert_int_equal(n_alive(10 * MS, 1, 1400), 0); /* more than alive: an answer */
    assert_int_equal(n_alive(10 * MS, 200, 0), 0);  /* old data, no keep-alive */
}

/* The first question after a long rest meets a connection that is gone. After a short one it is a
 * failure. */
static void asked_after(int64_t rest_us, enum weir_reset_kind kind) {
    struct rig *rig = rig_new();
    struct talk talk = plain(1);
    rig_handshake(rig, &talk, 10 * MS);
    rig_tcp(rig, &talk, C, ACK, 400);
    rig_wait(rig, 10 * MS);
    rig_tcp(rig, &talk, SV, ACK, 1400);
    rig_wait(rig, rest_us);
    rig_tcp(rig, &talk, C, ACK, 400);
    rig_wait(rig, 20 * MS);
    rig_tcp(rig, &talk, SV, RST, 0);
    assert_int_equal(rig_last(rig, WEIR_EVENT_RESET)->reset.what, kind);
    assert_int_equal(rig_fails(rig), kind == WEIR_RESET_MID);
    if (kind == WEIR_RESET_IDLE) assert_int_equal(last_pause(rig, true)->pause.us, rest_us);
    rig_close(rig);
}

static void test_asked_too_late(void **state) {
    asked_after(5 * S, WEIR_RESET_MID);
    asked_after(240 * S, WEIR_RESET_IDLE);
}

static void test_injected(void **state) {
    static const struct {
        int ttl;
        uint16_t id;
        bool injected;
    } cases[] = {
        {55, 9009, false}, {53, 9009, false}, {52, 9009, true},
        {60, 9009, true},  {55, 31000, true}, {55, 0, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct rig *rig = rig_new();
        struct talk talk = plain(1);
        rig_handshake(rig, &talk, 10 * MS);
        rig_tcp(rig, &talk, C, ACK, 400);
        for (unsigned n = 0; n < 5; n++) rig_tcp(rig, &talk, SV, ACK, 1000);
        struct weir_packet reset = talk_packet(&talk, SV, RST, 0);
        reset.ttl = (uint8_t)cases[i].ttl;
        reset.ip_id = cases[i].id;
        rig_send(rig, &reset);
        assert_int_equal(rig_last(rig, WEIR_EVENT_RESET)->reset.injected, cases[i].injected);
        assert_int_equal(rig_attempts(rig, WEIR_LAYER_SERVE, WEIR_OUTCOME_RST_MID), 1);
        rig_close(rig);
    }
}

static void test_resets_that_disagree(void **state) {
    struct rig *rig = rig_new();
    struct talk talk = plain(1);
    rig_handshake(rig, &talk, 10 * MS);
    rig_tcp(rig, &talk, C, ACK, 400);
    rig_tcp(rig, &talk, SV, ACK, 1000);
    rig_tcp(rig, &talk, SV, RST, 0);
    talk.seq[SV] += 1460;
    rig_wait(rig, 2 * MS);
    rig_tcp(rig, &talk, SV, RST, 0);
    assert_int_equal(rig_count(rig, WEIR_EVENT_RESET), 1);
    rig_close(rig);
    assert_true(rig_record(rig)->reset.injected);
}

static void test_port_reuse(void **state) {
    struct rig *rig = rig_new();
    struct talk talk = plain(1);
    rig_handshake(rig, &talk, 10 * MS);
    rig_tcp(rig, &talk, C, ACK, 400);
    rig_tcp(rig, &talk, SV, ACK, 900);
    struct weir_packet late = talk_packet(&talk, C, SYN, 0);
    late.tcp.seq = 1000; /* the old SYN, captured late */
    rig_wait(rig, 2 * S);
    rig_send(rig, &late);
    assert_int_equal(rig_count(rig, WEIR_EVENT_NEW), 1);
    talk.seq[C] = 777000;
    rig_wait(rig, 500 * MS);
    struct weir_packet early = talk_packet(&talk, C, SYN, 0);
    rig_send(rig, &early); /* half a second idle: not yet believed */
    assert_int_equal(rig_count(rig, WEIR_EVENT_NEW), 1);
    rig_wait(rig, 1100 * MS);
    rig_tcp(rig, &talk, C, SYN, 0);
    assert_int_equal(rig_count(rig, WEIR_EVENT_NEW), 2);
    assert_int_equal(rig_count(rig, WEIR_EVENT_END), 1);
    assert_int_equal(rig_record(rig)->outcome, WEIR_OUTCOME_USEFUL);
    rig_tcp(rig, &talk, SV, RST | ACK, 0);
    talk.seq[C] = 888000; /* closed: at once */
    rig_tcp(rig, &talk, C, SYN, 0);
    assert_int_equal(rig_count(rig, WEIR_EVENT_NEW), 3);
    assert_int_equal(rig_record(rig)->outcome, WEIR_OUTCOME_REFUSED);
    rig_close(rig);
}

static void test_reuse_decides_three_syns(void **state) {
    struct rig *rig = rig_new();
    struct talk talk = talk_tcp(1);
    rig_tcp(rig, &talk, C, SYN, 0);
    syn_again(rig, &talk, 300 * MS);
    syn_again(rig, &talk, 300 * MS);
    rig_wait(rig, 1100 * MS);
    talk.seq[C] = 999999;
    rig_tcp(rig, &talk, C, SYN, 0);
    assert_int_equal(rig_attempts(rig, WEIR_LAYER_CONNECT, WEIR_OUTCOME_SYN_TIMEOUT), 1);
    assert_int_equal(rig_record(rig)->outcome, WEIR_OUTCOME_SYN_TIMEOUT);
    rig_close(rig);
}

static void test_midstream(void **state) {
    struct rig *rig = rig_new();
    struct talk talk = plain(1);
    rig_tcp(rig, &talk, SV, ACK, 1000); /* the server is public, so the other is the client */
    assert_int_equal(rig->side, SV);
    assert_true(weir_flow_midstream(rig->flow));
    rig_tcp(rig, &talk, C, ACK, 100);
    rig_tcp(rig, &talk, SV, ACK, 1000);
    assert_int_equal(rig_attempts(rig, WEIR_LAYER_CONNECT, WEIR_OUTCOME_USEFUL), 0);
    rig_tcp(rig, &talk, SV, RST, 0);
    assert_int_equal(rig_attempts(rig, WEIR_LAYER_SERVE, WEIR_OUTCOME_RST_MID), 1);
    rig_close(rig);
    assert_int_equal(rig_record(rig)->handshake_rtt_us[SV], WEIR_NULL);
    assert_int_equal(rig_record(rig)->handshake_rtt_reason[SV], WEIR_REASON_NO_HANDSHAKE);
}

static void test_one_way(void **state) {
    struct rig *rig = rig_new();
    struct talk client = talk_tcp(1), server = talk_tcp(2);
    rig_tcp(rig, &client, C, SYN, 0);
    rig_wait(rig, 30 * MS);
    rig_tcp(rig, &client, C, ACK, 0); /* a SYN-ACK that was not seen */
    client.seq[SV] += 20000;
    rig_tcp(rig, &client, C, ACK, 517);
    rig_tcp(rig, &server, SV, SYN | ACK, 0);
    rig_tcp(rig, &server, SV, ACK, 900);
    rig_tcp(rig, &server, SV, RST, 0);
    rig_wait(rig, 20 * S);
    rig_close(rig);
    assert_int_equal(rig_fails(rig), 0);
    assert_true(rig->records[0].one_direction);
    assert_true(rig->records[1].one_direction);
    assert_int_equal(rig->records[0].handshake_rtt_reason[SV], WEIR_REASON_ONE_DIRECTION);
    assert_int_equal(rig->records[0].rtt_us[SV].reason, WEIR_REASON_ONE_DIRECTION);
}

/* Its end is known by the one FIN that can be seen, not when it has been idle for minutes. */
static void test_one_way_ends_by_its_only_fin(void **state) {
    (void)state;
    struct rig *rig = rig_new();
    struct talk up = talk_tcp(1), down = talk_tcp(2), both = talk_tcp(3);
    rig_tcp(rig, &up, C, SYN, 0);
    rig_tcp(rig, &up, C, ACK, 517);
    rig_tcp(rig, &up, C, FIN | ACK, 0);
    rig_tcp(rig, &down, SV, SYN | ACK, 0);
    rig_tcp(rig, &down, SV, ACK, 900);
    rig_tcp(rig, &down, SV, FIN | ACK, 0);
    rig_tcp(rig, &both, C, SYN, 0);
    rig_tcp(rig, &both, SV, SYN | ACK, 0);
    rig_tcp(rig, &both, C, ACK, 517);
    rig_tcp(rig, &both, C, FIN | ACK, 0); /* the server may go on */
    rig_wait(rig, 5 * S);
    assert_int_equal(rig->n_records, 2);
    assert_true(rig->records[0].one_direction && rig->records[1].one_direction);
    assert_int_equal(rig->records[0].end, WEIR_END_FIN);
    assert_int_equal(rig->records[1].end, WEIR_END_FIN);
    rig_close(rig);
    assert_int_equal(rig->n_records, 3);
}

static void test_unanswered_syn_is_not_one_way(void **state) {
    struct rig *rig = rig_new();
    struct talk talk = talk_tcp(1);
    rig_tcp(rig, &talk, C, SYN, 0);
    struct weir_flow_record record;
    rig_report(rig, &record);
    assert_false(record.one_direction);
    rig_close(rig);
}

static void test_expiry(void **state) {
    struct rig *rig = rig_new();
    struct talk open = plain(1), half = plain(2), closed = plain(3);
    rig_handshake(rig, &open, 0);
    rig_tcp(rig, &half, C, SYN, 0);
    rig_tcp(rig, &half, SV, SYN | ACK, 0);
    rig_handshake(rig, &closed, 0);
    rig_tcp(rig, &closed, C, RST, 0);
    rig_wait(rig, 2 * S);
    assert_int_equal(rig_count(rig, WEIR_EVENT_END), 1);
    rig_wait(rig, 27 * S);
    assert_int_equal(rig_count(rig, WEIR_EVENT_END), 1);
    rig_wait(rig, 1 * S);
    assert_int_equal(rig_count(rig, WEIR_EVENT_END), 2);
    rig_wait(rig, 269 * S);
    assert_int_equal(rig_count(rig, WEIR_EVENT_END), 2);
    rig_wait(rig, 1 * S);
    assert_int_equal(rig_count(rig, WEIR_EVENT_END), 3);
    assert_int_equal(rig_record(rig)->end, WEIR_END_IDLE);
    rig_close(rig);
}

static void test_stamps_out_of_order(void **state) {
    struct rig *rig = rig_new();
    struct talk talk = plain(1);
    rig_tcp(rig, &talk, C, SYN, 0);
    rig->skew_us = -5 * S; /* the clock of the capture was set back */
    rig_tcp(rig, &talk, SV, SYN | ACK, 0);
    rig_tcp(rig, &talk, C, ACK, 400);
    rig->skew_us = -6 * S;
    rig_tcp(rig, &talk, SV, ACK, 4000);
    rig->skew_us = -9 * S;
    rig_tcp(rig, &talk, SV, ACK, 4000);
    rig_wait(rig, 30 * S);
    rig_close(rig);
    for (size_t i = 0; i < rig->n_events; i++) {
        const struct weir_event *event = &rig->events[i];
        if (event->kind == WEIR_EVENT_RTT) assert_true(event->rtt.us >= 0);
        if (event->kind == WEIR_EVENT_FIRST_BYTE) assert_int_equal(event->first_byte.ttfb_us, 0);
        if (event->kind == WEIR_EVENT_CHUNK) assert_int_equal(event->chunk.transfer_us, 0);
    }
    struct weir_flow_record *record = &rig->records[0];
    assert_int_equal(record->last_ts_us - record->first_ts_us, 9 * S);
}

/* A server that trickles: each segment is a lone one, whose acknowledgement is held back. */
static void lone_case(unsigned n_segments, int64_t held_us, bool waited) {
    struct rig *rig = rig_new();
    struct talk talk = plain(1);
    rig_handshake(rig, &talk, 2 * MS);
    rig_tcp(rig, &talk, C, ACK, 400);
    size_t before = rig_count(rig, WEIR_EVENT_RTT);
    for (int i = 0; i < 4; i++) {
        rig_wait(rig, 300 * MS);
        for (unsigned k = 0; k < n_segments; k++) rig_tcp(rig, &talk, SV, ACK, 1448);
        rig_wait(rig, held_us);
        rig_tcp(rig, &talk, C, ACK, 0);
    }
    unsigned n = 0, n_waited = 0;
    for (size_t i = 0, seen = 0; i < rig->n_events; i++) {
        const struct weir_event *event = &rig->events[i];
        if (event->kind != WEIR_EVENT_RTT || seen++ < before || event->rtt.side != C) continue;
        n++;
        n_waited += event->rtt.waited;
    }
    assert_true(n >= 3);
    assert_int_equal(n_waited, waited ? n : 0);
    rig_close(rig);
}

static void test_acknowledgements_that_may_have_waited(void **state) {
    lone_case(1, 40 * MS, true);
    lone_case(1, 10 * MS, false); /* as bound as good as any */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_useful),
        cmocka_unit_test(test_syn_timeout),
        cmocka_unit_test(test_late_syn_ack_still_counts_as_useful),
        cmocka_unit_test(test_single_syn_is_neutral),
        cmocka_unit_test(test_capture_end),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_icmp),
        cmocka_unit_test(test_icmp_then_syn_ack),
        cmocka_unit_test(test_preconnect_is_neutral),
        cmocka_unit_test(test_reset_kinds),
        cmocka_unit_test(test_pauses),
        cmocka_unit_test(test_kept_alive),
        cmocka_unit_test(test_no_pauses),
        cmocka_unit_test(test_asked_too_late),
        cmocka_unit_test(test_injected),
        cmocka_unit_test(test_resets_that_disagree),
        cmocka_unit_test(test_port_reuse),
        cmocka_unit_test(test_reuse_decides_three_syns),
        cmocka_unit_test(test_midstream),
        cmocka_unit_test(test_one_way),
        cmocka_unit_test(test_one_way_ends_by_its_only_fin),
        cmocka_unit_test(test_unanswered_syn_is_not_one_way),
        cmocka_unit_test(test_expiry),
        cmocka_unit_test(test_stamps_out_of_order),
        cmocka_unit_test(test_acknowledgements_that_may_have_waited),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
