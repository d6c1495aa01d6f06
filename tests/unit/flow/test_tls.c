/* TLS outcomes from record headers. */
#include <stdlib.h>

#include "rig.h"

#define ACK WEIR_TCP_ACK
#define FIN (WEIR_TCP_FIN | WEIR_TCP_ACK)
#define RST (WEIR_TCP_RST | WEIR_TCP_ACK)
#define C   WEIR_CLIENT
#define SV  WEIR_SERVER

static struct rig *rig_new(enum weir_role role) {
    static struct rig rig;
    rig_open(&rig, 1 << 20);
    rig.role = role;
    return &rig;
}

/* A segment of records put one behind the other. */
struct records {
    uint8_t bytes[40000];
    uint32_t n;
};

static void add(struct records *records, uint8_t type, uint8_t first, uint8_t second,
                uint16_t length) {
    uint8_t *at = records->bytes + records->n;
    memset(at, 0x5a, (size_t)length + 5);
    at[0] = type;
    at[1] = 3;
    at[2] = 3;
    at[3] = (uint8_t)(length >> 8);
    at[4] = (uint8_t)length;
    if (length > 0) at[5] = first;
    if (length > 1) at[6] = second;
    records->n += 5u + length;
}

static void say(struct rig *rig, struct talk *talk, enum weir_side side, struct records *records) {
    rig_bytes(rig, talk, side, records->bytes, records->n);
    records->n = 0;
}

static struct records out;

static void hello(struct rig *rig, struct talk *talk) {
    rig_handshake(rig, talk, 10 * MS);
    add(&out, 22, 1, 0, 512);
    say(rig, talk, C, &out);
    rig_wait(rig, 10 * MS);
}

static void server_flight_13(struct rig *rig, struct talk *talk) {
    add(&out, 22, 2, 0, 122);
    add(&out, 20, 1, 0, 1);
    add(&out, 23, 9, 9, 2500);
    say(rig, talk, SV, &out);
    rig_wait(rig, 10 * MS);
}

static void finished_13(struct rig *rig, struct talk *talk, uint16_t request) {
    add(&out, 20, 1, 0, 1);
    add(&out, 23, 9, 9, 53);
    if (request) add(&out, 23, 9, 9, request);
    say(rig, talk, C, &out);
    rig_wait(rig, 10 * MS);
}

static void test_useful_13(void **state) {
    struct rig *rig = rig_new(WEIR_ROLE_MEDIA);
    struct talk talk = talk_tcp(1);
    hello(rig, &talk);
    server_flight_13(rig, &talk);
    assert_int_equal(rig_count(rig, WEIR_EVENT_HANDSHAKE), 1);
    finished_13(rig, &talk, 500);
    assert_int_equal(rig_count(rig, WEIR_EVENT_ATTEMPT), 0);
    assert_int_equal(rig_count(rig, WEIR_EVENT_REQUEST), 1);
    add(&out, 23, 9, 9, 1300);
    say(rig, &talk, SV, &out);
    assert_int_equal(rig_attempts(rig, WEIR_LAYER_CONNECT, WEIR_OUTCOME_USEFUL), 1);
    assert_int_equal(rig_attempts(rig, WEIR_LAYER_SERVE, WEIR_OUTCOME_USEFUL), 1);
    rig_close(rig);
    assert_int_equal(rig_record(rig)->outcome, WEIR_OUTCOME_USEFUL);
    assert_int_equal(rig_record(rig)->tls_handshake_us, 10000);
    assert_int_equal(rig_record(rig)->named.app, WEIR_APP_TLS);
}

static void test_useful_12(void **state) {
    struct rig *rig = rig_new(WEIR_ROLE_MEDIA);
    struct talk talk = talk_tcp(1);
    hello(rig, &talk);
    add(&out, 22, 2, 0, 80);
    add(&out, 22, 11, 0, 3000);
    add(&out, 22, 14, 0, 4);
    say(rig, &talk, SV, &out);
    add(&out, 22, 16, 0, 66);
    add(&out, 20, 1, 0, 1);
    add(&out, 22, 0, 0, 40);
    say(rig, &talk, C, &out);
    add(&out, 20, 1, 0, 1);
    add(&out, 22, 0, 0, 40);
    say(rig, &talk, SV, &out);
    assert_int_equal(rig_count(rig, WEIR_EVENT_HANDSHAKE), 0);
    add(&out, 23, 0, 0, 600);
    say(rig, &talk, C, &out);
    assert_int_equal(rig_count(rig, WEIR_EVENT_ATTEMPT), 0);
    rig_wait(rig, 5 * MS);
    add(&out, 23, 0, 0, 400);
    say(rig, &talk, SV, &out);
    assert_int_equal(rig_attempts(rig, WEIR_LAYER_CONNECT, WEIR_OUTCOME_USEFUL), 1);
    assert_int_equal(rig_last(rig, WEIR_EVENT_HANDSHAKE)->handshake.us, 15000);
    rig_close(rig);
    assert_int_equal(rig_record(rig)->ttfb_p50_us / 10, 500);
}

/* Tickets after the Finished come by themselves: a server that then hangs has not answered. */
static void test_tickets_are_no_answer(void **state) {
    struct rig *rig = rig_new(WEIR_ROLE_MEDIA);
    struct talk talk = talk_tcp(1);
    rig_knows(rig, 6 + 58 + 505);
    hello(rig, &talk);
    server_flight_13(rig, &talk);
    finished_13(rig, &talk, 500);
    add(&out, 23, 9, 9, 42);
    add(&out, 23, 9, 9, 250);
    add(&out, 23, 9, 9, 250);
    say(rig, &talk, SV, &out);
    assert_int_equal(rig_attempts(rig, WEIR_LAYER_CONNECT, WEIR_OUTCOME_USEFUL), 1);
    assert_int_equal(rig_count(rig, WEIR_EVENT_FIRST_BYTE), 0);
    rig_wait(rig, 7 * S);
    assert_int_equal(rig_attempts(rig, WEIR_LAYER_SERVE, WEIR_OUTCOME_REQUEST_TIMEOUT), 1);
    rig_close(rig);
    assert_int_equal(rig_record(rig)->outcome, WEIR_OUTCOME_REQUEST_TIMEOUT);
    assert_int_equal(rig_record(rig)->request_timeouts, 1);
}

static void test_answer_behind_tickets(void **state) {
    struct rig *rig = rig_new(WEIR_ROLE_MEDIA);
    struct talk talk = talk_tcp(1);
    hello(rig, &talk);
    server_flight_13(rig, &talk);
    finished_13(rig, &talk, 500);
    add(&out, 23, 9, 9, 250);
    add(&out, 23, 9, 9, 250);
    add(&out, 23, 9, 9, 400); /* a small answer, in the same segment */
    say(rig, &talk, SV, &out);
    assert_int_equal(rig_count(rig, WEIR_EVENT_FIRST_BYTE), 1);
    rig_close(rig);
}

static void test_tickets_before_the_question(void **state) {
    struct rig *rig = rig_new(WEIR_ROLE_MEDIA);
    struct talk talk = talk_tcp(1);
    hello(rig, &talk);
    server_flight_13(rig, &talk);
    finished_13(rig, &talk, 0);
    add(&out, 23, 9, 9, 250);
    say(rig, &talk, SV, &out);
    assert_int_equal(rig_count(rig, WEIR_EVENT_ATTEMPT), 0); /* nothing asked yet */
    rig_wait(rig, 2 * S);
    add(&out, 23, 9, 9, 500);
    say(rig, &talk, C, &out);
    add(&out, 23, 9, 9, 245);
    say(rig, &talk, SV, &out);
    assert_int_equal(rig_count(rig, WEIR_EVENT_FIRST_BYTE), 1);
    rig_close(rig);
}

/* The client asks between two tickets: the second, of the same length and at once, is no answer; a
 * third such is. */
static void test_ticket_behind_the_question(void **state) {
    struct rig *rig = rig_new(WEIR_ROLE_MEDIA);
    struct talk talk = talk_tcp(1);
    hello(rig, &talk);
    server_flight_13(rig, &talk);
    finished_13(rig, &talk, 0);
    add(&out, 23, 9, 9, 250);
    say(rig, &talk, SV, &out);
    add(&out, 23, 9, 9, 500);
    say(rig, &talk, C, &out);
    rig_wait(rig, MS);
    add(&out, 23, 9, 9, 250);
    say(rig, &talk, SV, &out);
    assert_int_equal(rig_count(rig, WEIR_EVENT_FIRST_BYTE), 0);
    rig_wait(rig, MS);
    add(&out, 23, 9, 9, 250);
    say(rig, &talk, SV, &out);
    assert_int_equal(rig_count(rig, WEIR_EVENT_FIRST_BYTE), 1);
    rig_close(rig);
}

static void test_noresponse(void **state) {
    struct rig *rig = rig_new(WEIR_ROLE_OTHER);
    struct talk talk = talk_tcp(1);
    rig_handshake(rig, &talk, 10 * MS);
    add(&out, 22, 1, 0, 1800);
    uint8_t *hello_bytes = malloc(out.n);
    memcpy(hello_bytes, out.bytes, out.n);
    rig_bytes(rig, &talk, C, hello_bytes, 1400);
    rig_wait(rig, 7 * S);
    assert_int_equal(rig_fails(rig), 0); /* half a hello asks for nothing */
    rig_bytes(rig, &talk, C, hello_bytes + 1400, out.n - 1400);
    rig_wait(rig, 4 * S);
    assert_int_equal(rig_fails(rig), 0);
    rig_wait(rig, 2 * S);
    assert_int_equal(rig_attempts(rig, WEIR_LAYER_CONNECT, WEIR_OUTCOME_TLS_NORESPONSE), 1);
    assert_int_equal(rig_count(rig, WEIR_EVENT_REQUEST), 0);
    out.n = 0;
    free(hello_bytes);
    rig_close(rig);
    assert_int_equal(rig_record(rig)->outcome, WEIR_OUTCOME_TLS_NORESPONSE);
}

static void test_alert(void **state) {
    for (uint8_t level = 1; level <= 2; level++) {
        struct rig *rig = rig_new(WEIR_ROLE_OTHER);
        struct talk talk = talk_tcp(1);
        hello(rig, &talk);
        add(&out, 21, level, 40, 2);
        say(rig, &talk, SV, &out);
        assert_int_equal(rig_attempts(rig, WEIR_LAYER_CONNECT, WEIR_OUTCOME_TLS_ALERT), level == 2);
        rig_tcp(rig, &talk, SV, FIN, 0);
        rig_close(rig);
        assert_int_equal(rig_fails(rig), 1); /* the warning's FIN is a cut */
        assert_int_equal(rig_record(rig)->outcome,
                         level == 2 ? WEIR_OUTCOME_TLS_ALERT : WEIR_OUTCOME_TLS_CUT);
    }
}

static void cut_case(uint8_t flags, enum weir_side by, bool fails) {
    struct rig *rig = rig_new(WEIR_ROLE_OTHER);
    struct talk talk = talk_tcp(1);
    hello(rig, &talk);
    rig_tcp(rig, &talk, by, flags, 0);
    if (by == C) rig_tcp(rig, &talk, SV, FIN, 0); /* the server only says good-bye */
    assert_int_equal(rig_attempts(rig, WEIR_LAYER_CONNECT, WEIR_OUTCOME_TLS_CUT), fails);
    if (flags == RST && by == SV)
        assert_int_equal(rig_last(rig, WEIR_EVENT_RESET)->reset.what, WEIR_RESET_HANDSHAKE);
    rig_close(rig);
}

static void test_cut(void **state) {
    cut_case(FIN, SV, true);
    cut_case(RST, SV, true);
    cut_case(FIN, C, false);
    cut_case(RST, C, false);
}

static void test_cut_after_question(void **state) {
    struct rig *rig = rig_new(WEIR_ROLE_OTHER);
    struct talk talk = talk_tcp(1);
    hello(rig, &talk);
    server_flight_13(rig, &talk);
    finished_13(rig, &talk, 500);
    rig_tcp(rig, &talk, SV, FIN, 0);
    assert_int_equal(rig_attempts(rig, WEIR_LAYER_CONNECT, WEIR_OUTCOME_TLS_CUT), 1);
    rig_close(rig);
}

static void test_spare_connection_closed_by_the_server(void **state) {
    struct rig *rig = rig_new(WEIR_ROLE_OTHER);
    struct talk talk = talk_tcp(1);
    hello(rig, &talk);
    server_flight_13(rig, &talk);
    finished_13(rig, &talk, 0);
    rig_wait(rig, 60 * S);
    rig_tcp(rig, &talk, SV, RST, 0);
    assert_int_equal(rig_last(rig, WEIR_EVENT_RESET)->reset.what, WEIR_RESET_IDLE);
    rig_close(rig);
    assert_int_equal(rig_count(rig, WEIR_EVENT_ATTEMPT), 0);
    assert_int_equal(rig_record(rig)->outcome, WEIR_OUTCOME_NEUTRAL);
}

/* It says good-bye before it goes: GOAWAY, close_notify. */
static void test_spare_connection_with_good_bye(void **state) {
    for (int64_t rest_us = 500 * MS; rest_us < 20 * S; rest_us *= 20) {
        struct rig *rig = rig_new(WEIR_ROLE_OTHER);
        struct talk talk = talk_tcp(1);
        hello(rig, &talk);
        server_flight_13(rig, &talk);
        finished_13(rig, &talk, 0);
        rig_wait(rig, rest_us);
        add(&out, 23, 0, 0, 34);
        say(rig, &talk, SV, &out);
        add(&out, 23, 0, 0, 19);
        say(rig, &talk, SV, &out);
        rig_tcp(rig, &talk, SV, FIN, 0);
        rig_close(rig);
        assert_int_equal(rig_attempts(rig, WEIR_LAYER_CONNECT, WEIR_OUTCOME_TLS_CUT), rest_us < S);
    }
}

/* A client leaves a server that has said nothing, sooner or later. */
static void given_up_case(uint8_t flags, int64_t after_us, bool fails) {
    struct rig *rig = rig_new(WEIR_ROLE_OTHER);
    struct talk talk = talk_tcp(1);
    hello(rig, &talk);
    rig_wait(rig, after_us);
    rig_tcp(rig, &talk, C, flags, 0);
    rig_close(rig);
    assert_int_equal(rig_attempts(rig, WEIR_LAYER_CONNECT, WEIR_OUTCOME_TLS_NORESPONSE), fails);
    assert_int_equal(rig_fails(rig), fails);
}

static void test_given_up(void **state) {
    given_up_case(RST, 500 * MS, false);
    given_up_case(FIN, 500 * MS, false);
    given_up_case(RST, 3500 * MS, true);
    given_up_case(FIN, 3500 * MS, true);
}

/* A browser's second socket: reset as soon as the first speaks HTTP/2, in any part of its
 * handshake. */
static void test_client_changes_its_mind(void **state) {
    for (int part = 0; part < 3; part++) {
        struct rig *rig = rig_new(WEIR_ROLE_CONTROL);
        struct talk talk = talk_tcp(1);
        hello(rig, &talk);
        if (part > 0) server_flight_13(rig, &talk);
        if (part > 1) finished_13(rig, &talk, 0);
        rig_tcp(rig, &talk, C, RST, 0);
        rig_tcp(rig, &talk, SV, FIN, 0);
        rig_close(rig);
        assert_int_equal(rig_fails(rig), 0);
        assert_int_equal(rig_record(rig)->outcome, WEIR_OUTCOME_NEUTRAL);
    }
}

/* The segment with the Finished is lost before it comes here: what was taken for the Finished was
 * the question. */
static void test_finished_comes_late(void **state) {
    struct rig *rig = rig_new(WEIR_ROLE_OTHER);
    struct talk talk = talk_tcp(1);
    hello(rig, &talk);
    server_flight_13(rig, &talk);
    struct records finished = {.n = 0};
    add(&finished, 20, 1, 0, 1);
    add(&finished, 23, 0, 0, 69);
    struct weir_packet late = talk_packet(&talk, C, ACK, finished.n);
    late.payload = finished.bytes;
    late.payload_captured = finished.n;
    talk.seq[C] += finished.n;
    add(&out, 23, 0, 0, 133);
    say(rig, &talk, C, &out);
    rig_wait(rig, 50 * MS);
    late.ts_us = late.now_us = rig->us;
    rig_send(rig, &late);
    rig_wait(rig, 20 * MS);
    for (int i = 0; i < 3; i++) {
        add(&out, 23, 0, 0, i < 2 ? 298 : 631);
        say(rig, &talk, SV, &out);
    }
    rig_tcp(rig, &talk, SV, FIN, 0);
    rig_close(rig);
    assert_int_equal(rig_fails(rig), 0);
    assert_int_equal(rig_record(rig)->outcome, WEIR_OUTCOME_USEFUL);
}

static void reject_case(uint8_t type, uint16_t length, int64_t then_us, bool rejects) {
    struct rig *rig = rig_new(WEIR_ROLE_OTHER);
    struct talk talk = talk_tcp(1);
    hello(rig, &talk);
    server_flight_13(rig, &talk);
    add(&out, 20, 1, 0, 1);
    add(&out, type, 2, 42, length);
    say(rig, &talk, C, &out);
    rig_wait(rig, then_us);
    rig_tcp(rig, &talk, C, FIN, 0);
    assert_int_equal(rig_attempts(rig, WEIR_LAYER_CONNECT, WEIR_OUTCOME_SUSPECT_REJECT), rejects);
    rig_tcp(rig, &talk, SV, FIN, 0);
    rig_close(rig);
    assert_int_equal(rig_fails(rig), rejects);
}

static void test_suspect_reject(void **state) {
    reject_case(23, 19, 1 * MS, true);
    reject_case(21, 2, 1 * MS, true);   /* TLS 1.2 says so openly */
    reject_case(23, 53, 1 * MS, false); /* a Finished */
    reject_case(23, 19, 500 * MS, false);
}

/* Headers split anywhere between segments lead to the same reading. */
static void test_split_anywhere(void **state) {
    add(&out, 22, 2, 0, 122);
    add(&out, 20, 1, 0, 1);
    add(&out, 23, 9, 9, 300);
    add(&out, 23, 9, 9, 40);
    static struct records flight;
    flight = out;
    out.n = 0;
    for (uint32_t step = 1; step < 20; step++) {
        struct rig *rig = rig_new(WEIR_ROLE_OTHER);
        struct talk talk = talk_tcp(1);
        hello(rig, &talk);
        for (uint32_t at = 0; at < flight.n; at += step)
            rig_bytes(rig, &talk, SV, flight.bytes + at,
                      flight.n - at < step ? flight.n - at : step);
        finished_13(rig, &talk, 500);
        assert_int_equal(rig_count(rig, WEIR_EVENT_ATTEMPT), 0);
        add(&out, 23, 9, 9, 1300);
        say(rig, &talk, SV, &out);
        assert_int_equal(rig_attempts(rig, WEIR_LAYER_CONNECT, WEIR_OUTCOME_USEFUL), 1);
        assert_int_equal(rig_fails(rig), 0);
        rig_close(rig);
    }
}

static void cut_bytes(struct rig *rig, struct talk *talk, enum weir_side side,
                      struct records *records, uint32_t captured) {
    struct weir_packet packet = talk_packet(talk, side, ACK, records->n);
    packet.payload = records->bytes;
    packet.payload_captured = captured < records->n ? captured : records->n;
    rig_send(rig, &packet);
    talk->seq[side] += records->n;
    records->n = 0;
}

/* A snap length that leaves 0 to 60 bytes of each payload: no failure is made up, and the flow is
 * useful. */
static void test_snaplen(void **state) {
    for (uint32_t captured = 0; captured <= 60; captured++) {
        struct rig *rig = rig_new(WEIR_ROLE_MEDIA);
        struct talk talk = talk_tcp(1);
        rig_handshake(rig, &talk, 10 * MS);
        add(&out, 22, 1, 0, 512);
        cut_bytes(rig, &talk, C, &out, captured);
        add(&out, 22, 2, 0, 122);
        add(&out, 20, 1, 0, 1);
        add(&out, 23, 9, 9, 2500);
        cut_bytes(rig, &talk, SV, &out, captured);
        rig_wait(rig, 10 * MS);
        add(&out, 20, 1, 0, 1);
        add(&out, 23, 9, 9, 53);
        cut_bytes(rig, &talk, C, &out, captured);
        assert_int_equal(rig_count(rig, WEIR_EVENT_ATTEMPT), 0);
        add(&out, 23, 9, 9, 600);
        cut_bytes(rig, &talk, C, &out, captured);
        assert_int_equal(rig_count(rig, WEIR_EVENT_REQUEST), 1);
        add(&out, 23, 9, 9, 1300);
        cut_bytes(rig, &talk, SV, &out, captured);
        rig_wait(rig, 20 * S);
        assert_int_equal(rig_attempts(rig, WEIR_LAYER_CONNECT, WEIR_OUTCOME_USEFUL), 1);
        assert_int_equal(rig_attempts(rig, WEIR_LAYER_SERVE, WEIR_OUTCOME_USEFUL), 1);
        rig_tcp(rig, &talk, C, FIN, 0);
        rig_tcp(rig, &talk, SV, FIN, 0);
        rig_close(rig);
        assert_int_equal(rig_fails(rig), 0);
        const struct weir_flow_record *record = rig_record(rig);
        assert_true(record->tls_handshake_us != WEIR_NULL ||
                    record->tls_handshake_reason == WEIR_REASON_SNAPLEN);
    }
}

static void test_hole_in_the_flight(void **state) {
    struct rig *rig = rig_new(WEIR_ROLE_OTHER);
    struct talk talk = talk_tcp(1);
    hello(rig, &talk);
    talk.seq[SV] += 1460; /* the segment with the ServerHello comes later or never */
    uint8_t noise[1000];
    memset(noise, 0xee, sizeof noise);
    rig_bytes(rig, &talk, SV, noise, sizeof noise);
    finished_13(rig, &talk, 500);
    add(&out, 23, 9, 9, 1300);
    say(rig, &talk, SV, &out);
    rig_wait(rig, 20 * S);
    assert_int_equal(rig_fails(rig), 0);
    assert_int_equal(rig_attempts(rig, WEIR_LAYER_CONNECT, WEIR_OUTCOME_USEFUL), 1);
    rig_close(rig);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_useful_13),
        cmocka_unit_test(test_useful_12),
        cmocka_unit_test(test_tickets_are_no_answer),
        cmocka_unit_test(test_answer_behind_tickets),
        cmocka_unit_test(test_tickets_before_the_question),
        cmocka_unit_test(test_ticket_behind_the_question),
        cmocka_unit_test(test_noresponse),
        cmocka_unit_test(test_alert),
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_cut_after_question),
        cmocka_unit_test(test_spare_connection_closed_by_the_server),
        cmocka_unit_test(test_spare_connection_with_good_bye),
        cmocka_unit_test(test_given_up),
        cmocka_unit_test(test_client_changes_its_mind),
        cmocka_unit_test(test_finished_comes_late),
        cmocka_unit_test(test_suspect_reject),
        cmocka_unit_test(test_split_anywhere),
        cmocka_unit_test(test_snaplen),
        cmocka_unit_test(test_hole_in_the_flight),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
