/* Requests, answers, silences, on a plain protocol. */
#include "rig.h"

#define ACK WEIR_TCP_ACK
#define C   WEIR_CLIENT
#define SV  WEIR_SERVER

static struct rig *rig_new(enum weir_role role) {
    static struct rig rig;
    rig_open(&rig, 1 << 20);
    rig.role = role;
    return &rig;
}

static struct talk established(struct rig *rig) {
    struct talk talk = talk_tcp(1);
    talk.port[1] = 8080;
    rig_handshake(rig, &talk, 10 * MS);
    return talk;
}

static void answer(struct rig *rig, struct talk *talk, unsigned n_packets, int64_t apart_us) {
    for (unsigned i = 0; i < n_packets; i++) {
        if (i) rig_wait(rig, apart_us);
        rig_tcp(rig, talk, SV, ACK, 1000);
    }
}

static void test_chunks(void **state) {
    struct rig *rig = rig_new(WEIR_ROLE_MEDIA);
    struct talk talk = established(rig);
    rig_tcp(rig, &talk, C, ACK, 67);
    assert_int_equal(rig_count(rig, WEIR_EVENT_REQUEST), 1);
    rig_wait(rig, 40 * MS);
    answer(rig, &talk, 201, 1 * MS); /* 201,000 bytes in 200 ms */
    assert_int_equal(rig_last(rig, WEIR_EVENT_FIRST_BYTE)->first_byte.ttfb_us, 40000);
    assert_int_equal(rig_count(rig, WEIR_EVENT_CHUNK), 0);
    rig_tcp(rig, &talk, C, ACK, 600);
    int64_t last_byte_us = rig->us;
    rig_wait(rig, 60 * MS);
    answer(rig, &talk, 1, 0);
    const struct weir_event *chunk = rig_last(rig, WEIR_EVENT_CHUNK);
    assert_int_equal(chunk->chunk.bytes, 201000);
    assert_int_equal(chunk->chunk.ttfb_us, 40000);
    assert_int_equal(chunk->chunk.transfer_us, 200000);
    assert_int_equal(chunk->chunk.request_bytes, 67);
    assert_int_equal(chunk->ts_us, last_byte_us);
    rig_wait(rig, 4 * S);
    assert_int_equal(rig_count(rig, WEIR_EVENT_CHUNK), 1);
    rig_wait(rig, 3 * S);
    assert_int_equal(rig_count(rig, WEIR_EVENT_CHUNK), 2); /* fell silent */
    assert_int_equal(rig_last(rig, WEIR_EVENT_CHUNK)->chunk.bytes, 1000);
    assert_int_equal(rig_last(rig, WEIR_EVENT_CHUNK)->ts_us, last_byte_us + 60 * MS);
    rig_close(rig);
    assert_int_equal(rig_count(rig, WEIR_EVENT_CHUNK), 2);
    assert_int_equal(rig_attempts(rig, WEIR_LAYER_SERVE, WEIR_OUTCOME_USEFUL), 2);
    const struct weir_flow_record *record = rig_record(rig);
    assert_int_equal(record->requests, 2);
    assert_in_range(record->ttfb_p50_us, 39900, 40100);
    assert_in_range(record->goodput_p50_bps, 8030000, 8050000);
    assert_int_equal(record->n_stalls, 0);
}

static void timeout_case(enum weir_role role, int64_t learned_us, bool megabyte, bool fails) {
    struct rig *rig = rig_new(role);
    rig->timeouts[WEIR_SERVICE_NONE] = learned_us;
    struct talk talk = established(rig);
    rig_knows(rig, 400);
    if (megabyte) {
        rig_tcp(rig, &talk, C, ACK, 400);
        answer(rig, &talk, 1000, 1 * MS);
    }
    rig_tcp(rig, &talk, C, ACK, 400);
    rig_wait(rig, 4 * S);
    assert_int_equal(rig_fails(rig), 0);
    rig_wait(rig, 2 * S);
    assert_int_equal(rig_attempts(rig, WEIR_LAYER_SERVE, WEIR_OUTCOME_REQUEST_TIMEOUT), fails);
    rig_wait(rig, 10 * S);
    assert_int_equal(rig_fails(rig), fails); /* once */
    size_t stalls = rig_count(rig, WEIR_EVENT_STALL);
    size_t served = rig_attempts(rig, WEIR_LAYER_SERVE, WEIR_OUTCOME_USEFUL);
    rig_tcp(rig, &talk, SV, ACK, 1000);
    assert_int_equal(rig_count(rig, WEIR_EVENT_STALL), stalls + fails);
    if (fails) assert_in_range(rig_last(rig, WEIR_EVENT_STALL)->stall.duration_us, 16 * S, 16 * S);
    /* Late, it is said as well: whoever counted the failure may take it back. */
    assert_int_equal(rig_attempts(rig, WEIR_LAYER_SERVE, WEIR_OUTCOME_USEFUL), served + 1);
    rig_close(rig);
    assert_int_equal(rig_record(rig)->request_timeouts, fails);
    assert_int_equal(rig_record(rig)->outcome,
                     fails ? WEIR_OUTCOME_REQUEST_TIMEOUT : WEIR_OUTCOME_USEFUL);
}

static void test_timeout(void **state) {
    timeout_case(WEIR_ROLE_MEDIA, 0, false, true);
    timeout_case(WEIR_ROLE_MEDIA, 5 * S, false, true);
    timeout_case(WEIR_ROLE_MEDIA, 60 * S, false, false); /* learned: this service is slow */
    timeout_case(WEIR_ROLE_CONTROL, 0, false, false);
    timeout_case(WEIR_ROLE_OTHER, 0, true, true);
}

static void test_client_that_leaves(void **state) {
    struct rig *rig = rig_new(WEIR_ROLE_MEDIA);
    struct talk talk = established(rig);
    rig_tcp(rig, &talk, C, ACK, 400);
    rig_wait(rig, 2 * S);
    rig_tcp(rig, &talk, C, ACK | WEIR_TCP_FIN, 0);
    size_t waited = rig_count(rig, WEIR_EVENT_PROGRESS);
    rig_wait(rig, 20 * S); /* a dead server doesn't answer the FIN either */
    assert_int_equal(rig_count(rig, WEIR_EVENT_PROGRESS), waited);
    rig_close(rig);
    assert_int_equal(rig_fails(rig), 0);
}

static void test_upload_is_not_waiting(void **state) {
    struct rig *rig = rig_new(WEIR_ROLE_MEDIA);
    struct talk talk = established(rig);
    rig_knows(rig, 1460);
    for (unsigned i = 0; i < 100; i++) {
        rig_tcp(rig, &talk, C, ACK, 1460);
        rig_wait(rig, 100 * MS);
    }
    assert_int_equal(rig_count(rig, WEIR_EVENT_REQUEST), 1);
    assert_int_equal(rig_fails(rig), 0);
    rig_wait(rig, 6 * S);
    assert_int_equal(rig_attempts(rig, WEIR_LAYER_SERVE, WEIR_OUTCOME_REQUEST_TIMEOUT), 1);
    rig_close(rig);
}

static void test_retransmitted_request_is_one(void **state) {
    struct rig *rig = rig_new(WEIR_ROLE_MEDIA);
    struct talk talk = established(rig);
    rig_tcp(rig, &talk, C, ACK, 400);
    rig_wait(rig, 300 * MS);
    talk.seq[C] -= 400;
    rig_tcp(rig, &talk, C, ACK, 400);
    answer(rig, &talk, 2, 1 * MS);
    rig_wait(rig, 300 * MS);
    talk.seq[C] -= 400;
    rig_tcp(rig, &talk, C, ACK, 400);
    assert_int_equal(rig_count(rig, WEIR_EVENT_REQUEST), 1);
    assert_int_equal(rig_last(rig, WEIR_EVENT_FIRST_BYTE)->first_byte.ttfb_us, 300000);
    rig_close(rig);
}

static void stall_case(unsigned before, int64_t gap_us, uint32_t after, bool window_closed,
                       bool stalls) {
    struct rig *rig = rig_new(WEIR_ROLE_MEDIA);
    struct talk talk = established(rig);
    rig_tcp(rig, &talk, C, ACK, 400);
    answer(rig, &talk, before, 1 * MS);
    int64_t silent_from = rig->us;
    if (window_closed) {
        struct weir_packet full = talk_packet(&talk, C, ACK, 0);
        full.tcp.window = 0;
        rig_send(rig, &full);
    }
    rig_wait(rig, gap_us);
    rig_tcp(rig, &talk, SV, ACK, after);
    assert_int_equal(rig_count(rig, WEIR_EVENT_STALL), stalls);
    rig_close(rig);
    assert_int_equal(rig_record(rig)->n_stalls, stalls);
    if (stalls) {
        assert_int_equal(rig_record(rig)->stalls[0].start_us, silent_from);
        assert_int_equal(rig_record(rig)->stalls[0].duration_us, gap_us);
    }
}

static void test_stalls(void **state) {
    stall_case(50, 3 * S, 1000, false, true);
    stall_case(50, 12 * S, 1000, false, true); /* longer than a chunk is waited for */
    stall_case(50, 900 * MS, 1000, false, false);
    stall_case(5, 3 * S, 1000, false, false); /* no transfer yet */
    stall_case(50, 3 * S, 60, false, false);  /* a sign of life only */
    stall_case(50, 3 * S, 1000, true, false); /* the player's buffer was full */
}

/* The capture missed the answer, or a part of it: the client's acknowledgements say so. */
static void test_bytes_that_the_capture_missed(void **state) {
    struct rig *rig = rig_new(WEIR_ROLE_MEDIA);
    struct talk talk = established(rig);
    rig_tcp(rig, &talk, C, ACK, 400);
    talk.seq[SV] += 5000;
    rig_tcp(rig, &talk, C, ACK, 0);
    rig_wait(rig, 7 * S);
    assert_int_equal(rig_fails(rig), 0);
    answer(rig, &talk, 50, 1 * MS);
    talk.seq[SV] += 5000;
    rig_tcp(rig, &talk, C, ACK, 0);
    rig_wait(rig, 3 * S);
    answer(rig, &talk, 50, 1 * MS);
    assert_int_equal(rig_count(rig, WEIR_EVENT_STALL), 0);
    rig_wait(rig, 3 * S);
    answer(rig, &talk, 50, 1 * MS);
    assert_int_equal(rig_count(rig, WEIR_EVENT_STALL), 1);
    rig_close(rig);
}

static void test_progress(void **state) {
    struct rig *rig = rig_new(WEIR_ROLE_MEDIA);
    struct talk talk = established(rig);
    rig_wait(rig, 980 * MS); /* on a tick now */
    rig_knows(rig, 400);
    rig_tcp(rig, &talk, C, ACK, 400);
    rig_wait(rig, 2 * S);
    assert_int_equal(rig_count(rig, WEIR_EVENT_PROGRESS), 2);
    const struct weir_event *last = rig_last(rig, WEIR_EVENT_PROGRESS);
    assert_true(last->progress.waiting);
    assert_int_equal(last->progress.waiting_us, 2 * S);
    assert_int_equal(last->progress.bytes, 0);
    answer(rig, &talk, 1, 0);
    rig_wait(rig, 500 * MS);
    answer(rig, &talk, 1, 0);
    rig_wait(rig, 500 * MS);
    last = rig_last(rig, WEIR_EVENT_PROGRESS);
    assert_false(last->progress.waiting);
    assert_int_equal(last->progress.bytes, 2000);
    assert_int_equal(last->progress.open_us, 3 * S);
    rig_wait(rig, 20 * S);
    assert_int_equal(rig_count(rig, WEIR_EVENT_PROGRESS), 3); /* nothing to say without bytes */
    rig_close(rig);
}

/* Words of a size that nobody has answered wait in doubt, until something answers them. */
static void test_unsure(void **state) {
    struct rig *rig = rig_new(WEIR_ROLE_MEDIA);
    struct talk talk = established(rig);
    rig_wait(rig, 980 * MS); /* on a tick now */
    rig_tcp(rig, &talk, C, ACK, 400);
    rig_wait(rig, 7 * S);
    assert_int_equal(rig_count(rig, WEIR_EVENT_PROGRESS), 7);
    const struct weir_event *last = rig_last(rig, WEIR_EVENT_PROGRESS);
    assert_false(last->progress.waiting);
    assert_int_equal(last->progress.unsure_us, 7 * S);
    assert_int_equal(last->progress.timeout_us, 5 * S);
    assert_int_equal(rig_attempts(rig, WEIR_LAYER_SERVE, WEIR_OUTCOME_REQUEST_TIMEOUT), 0);
    answer(rig, &talk, 1, 0);
    rig_wait(rig, S);
    last = rig_last(rig, WEIR_EVENT_PROGRESS);
    assert_int_equal(last->progress.unsure_us, 0);
    assert_int_equal(last->progress.bytes, 1000);
    rig_close(rig);
}

static void test_server_fin_ends_the_chunk(void **state) {
    struct rig *rig = rig_new(WEIR_ROLE_MEDIA);
    struct talk talk = established(rig);
    rig_tcp(rig, &talk, C, ACK, 400);
    answer(rig, &talk, 3, 1 * MS);
    rig_tcp(rig, &talk, SV, ACK | WEIR_TCP_FIN, 0);
    assert_int_equal(rig_count(rig, WEIR_EVENT_CHUNK), 1);
    rig_close(rig);
    assert_int_equal(rig_count(rig, WEIR_EVENT_CHUNK), 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_chunks),
        cmocka_unit_test(test_timeout),
        cmocka_unit_test(test_client_that_leaves),
        cmocka_unit_test(test_upload_is_not_waiting),
        cmocka_unit_test(test_retransmitted_request_is_one),
        cmocka_unit_test(test_stalls),
        cmocka_unit_test(test_bytes_that_the_capture_missed),
        cmocka_unit_test(test_progress),
        cmocka_unit_test(test_unsure),
        cmocka_unit_test(test_server_fin_ends_the_chunk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
