/* What receivers say that they have, against what is sent again. */
#include "rig.h"

#define ACK WEIR_TCP_ACK
#define C   WEIR_CLIENT
#define SV  WEIR_SERVER

enum { MSS = 1400 };

struct path {
    struct rig *rig;
    struct talk talk;
    uint32_t first; /* of the server's bytes */
};

static struct path path_new(void) {
    static struct rig rig;
    struct path path = {.rig = &rig, .talk = talk_tcp(1)};
    rig_open(&rig, 1 << 20);
    path.talk.port[SV] = 8080;
    rig_handshake(&rig, &path.talk, 20 * MS);
    rig_tcp(&rig, &path.talk, C, ACK, 100);
    path.first = path.talk.seq[SV];
    return path;
}

/* The server's n-th segment passes here. */
static void data(struct path *path, uint32_t n) {
    struct weir_packet packet = talk_packet(&path->talk, SV, ACK, MSS);
    packet.tcp.seq = path->first + n * MSS;
    rig_send(path->rig, &packet);
    rig_wait(path->rig, 1 * MS);
}

/* The client has all before segment `ack`, and, where left < right, says that it has these, too. */
static void have(struct path *path, uint32_t ack, uint32_t left, uint32_t right) {
    struct weir_packet packet = talk_packet(&path->talk, C, ACK, 0);
    packet.tcp.ack = path->first + ack * MSS;
    packet.tcp.has_sack = left < right;
    packet.tcp.sack_left = path->first + left * MSS;
    packet.tcp.sack_right = path->first + right * MSS;
    rig_send(path->rig, &packet);
    rig_wait(path->rig, 1 * MS);
}

static size_t n_of(const struct path *path, enum weir_anomaly what) {
    return rig_anomalies(path->rig, what, SV);
}

/* Segment 1 is lost before us; the server's time-out sends everything again. */
static void hole_case(bool sacks, bool sacked_all, size_t beyond) {
    struct path path = path_new();
    data(&path, 0);
    for (uint32_t n = 2; n < 8; n++) {
        data(&path, n);
        have(&path, 1, sacks ? 2 : 0,
             sacks ? (sacked_all ? n
                      : n < 5    ? n
                                 : 5) +
                         (n < 5 || sacked_all)
                   : 0);
    }
    rig_wait(path.rig, 300 * MS);
    for (uint32_t n = 1; n < 8; n++) data(&path, n);
    assert_int_equal(n_of(&path, WEIR_ANOMALY_LOST_BEFORE), 1);
    assert_int_equal(n_of(&path, WEIR_ANOMALY_LOST_BEYOND), beyond);
    assert_int_equal(n_of(&path, WEIR_ANOMALY_SPURIOUS), 6 - beyond);
    have(&path, 8, 0, 0);
    rig_close(path.rig);
}

static void test_behind_a_hole(void **state) {
    hole_case(true, true, 0);
    hole_case(true, false, 3); /* it has segments 2 to 4: the others were lost on their way to it */
}

/* The first to fill the hole unblocks the acknowledgement; before that nobody can say what a client
 * without SACK has. */
static void test_behind_a_hole_without_sack(void **state) {
    struct path path = path_new();
    data(&path, 0);
    for (uint32_t n = 2; n < 8; n++) {
        data(&path, n);
        have(&path, 1, 0, 0);
    }
    rig_wait(path.rig, 300 * MS);
    for (uint32_t n = 3; n < 8; n++) data(&path, n);
    assert_int_equal(n_of(&path, WEIR_ANOMALY_LOST_BEYOND), 0);
    assert_int_equal(n_of(&path, WEIR_ANOMALY_SPURIOUS), 5);
    for (uint32_t n = 1; n < 8; n++)
        /* also when the hole has just been filled, and the acknowledgement is still on its way */
        data(&path, n);
    assert_int_equal(n_of(&path, WEIR_ANOMALY_LOST_BEFORE), 1);
    assert_int_equal(n_of(&path, WEIR_ANOMALY_LOST_BEYOND), 0);
    have(&path, 8, 0, 0);
    data(&path, 8);
    data(&path, 8);
    assert_int_equal(n_of(&path, WEIR_ANOMALY_LOST_BEYOND), 1);
    rig_close(path.rig);
}

/* Lost between here and the client: no hole here, and the client lacks just that. */
static void test_lost_beyond(void **state) {
    for (int sacks = 0; sacks < 2; sacks++) {
        struct path path = path_new();
        for (uint32_t n = 0; n < 8; n++) data(&path, n);
        have(&path, 3, sacks ? 4 : 0, sacks ? 8 : 0);
        rig_wait(path.rig, 50 * MS);
        data(&path, 3);
        assert_int_equal(n_of(&path, WEIR_ANOMALY_LOST_BEYOND), 1);
        have(&path, 8, 0, 0);
        data(&path, 3);
        assert_int_equal(n_of(&path, WEIR_ANOMALY_LOST_BEYOND), 1);
        assert_int_equal(n_of(&path, WEIR_ANOMALY_SPURIOUS), 1);
        rig_close(path.rig);
    }
}

/* A shaper drops every other segment of a hundred: more holes than are remembered, none of them the
 * client's fault. */
static void test_many_holes(void **state) {
    struct path path = path_new();
    for (uint32_t n = 0; n < 100; n += 2) {
        data(&path, n);
        have(&path, 1, n ? n : 0, n ? n + 1 : 0);
    }
    rig_wait(path.rig, 100 * MS);
    for (uint32_t n = 1; n < 99; n += 2) data(&path, n);
    assert_int_equal(n_of(&path, WEIR_ANOMALY_LOST_BEYOND), 0);
    assert_int_equal(n_of(&path, WEIR_ANOMALY_LOST_BEFORE), 49);
    rig_close(path.rig);
}

/* Into a closed window one byte is sent, thrown away, and sent again with the rest. */
static void test_window_probe(void **state) {
    struct path path = path_new();
    data(&path, 0);
    struct weir_packet closed = talk_packet(&path.talk, C, ACK, 0);
    closed.tcp.ack = path.first + MSS;
    closed.tcp.window = 0;
    rig_send(path.rig, &closed);
    struct weir_packet probe = talk_packet(&path.talk, SV, ACK, 1);
    probe.tcp.seq = path.first + MSS;
    rig_wait(path.rig, 300 * MS);
    rig_send(path.rig, &probe);
    rig_wait(path.rig, 10 * MS);
    closed.ts_us = closed.now_us = path.rig->us;
    rig_send(path.rig, &closed);
    rig_wait(path.rig, 600 * MS);
    have(&path, 1, 0, 0);
    data(&path, 1);
    have(&path, 2, 0, 0);
    assert_int_equal(n_of(&path, WEIR_ANOMALY_LOST_BEYOND), 0);
    assert_int_equal(n_of(&path, WEIR_ANOMALY_SPURIOUS), 1);
    data(&path, 2);
    data(&path, 2);
    assert_int_equal(n_of(&path, WEIR_ANOMALY_LOST_BEYOND), 1); /* the window is open again */
    rig_close(path.rig);
}

/* RFC 2883: a time-out that came too early. The first copy was there; the client reports the second
 * with its next acknowledgement, and the loss is taken back. */
static void test_reported_as_needless(void **state) {
    struct path path = path_new();
    for (uint32_t n = 0; n < 4; n++) data(&path, n);
    rig_wait(path.rig, 200 * MS);
    data(&path, 2);
    data(&path, 3);
    assert_int_equal(n_of(&path, WEIR_ANOMALY_LOST_BEYOND), 2);
    have(&path, 4, 0, 0); /* of the first copies */
    have(&path, 4, 2, 3);
    assert_int_equal(n_of(&path, WEIR_ANOMALY_NEEDLESS), 1);
    have(&path, 4, 2, 3); /* each copy is reported once: nothing is left to be taken back */
    assert_int_equal(n_of(&path, WEIR_ANOMALY_NEEDLESS), 1);
    have(&path, 4, 3, 4);
    assert_int_equal(n_of(&path, WEIR_ANOMALY_NEEDLESS), 2);
    rig_drain(path.rig);
    assert_int_equal(rig_record(path.rig)->lost_beyond[SV], 0);
    assert_int_equal(rig_record(path.rig)->lost_bytes[SV], 0);
    assert_int_equal(rig_record(path.rig)->spurious[SV], 2);
    rig_close(path.rig);
}

/* Lost, sent again, and sent again once more, too early: of two repetitions one was needed. */
static void test_one_of_two_was_needed(void **state) {
    struct path path = path_new();
    for (uint32_t n = 0; n < 3; n++) data(&path, n);
    have(&path, 2, 0, 0);
    rig_wait(path.rig, 200 * MS);
    data(&path, 2);
    rig_wait(path.rig, 50 * MS);
    data(&path, 2);
    have(&path, 3, 0, 0);
    have(&path, 3, 2, 3);
    rig_drain(path.rig);
    assert_int_equal(rig_record(path.rig)->lost_beyond[SV], 1);
    assert_int_equal(rig_record(path.rig)->spurious[SV], 1);
    rig_close(path.rig);
}

/* What is no report of it: of other bytes, above the acknowledgement, or long after. */
static void test_no_report(void **state) {
    static const struct {
        uint32_t ack, left, right;
        int64_t wait_us;
    } cases[] = {{4, 0, 2, 0}, {2, 3, 4, 0}, {4, 3, 4, 20 * S}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct path path = path_new();
        for (uint32_t n = 0; n < 4; n++) data(&path, n);
        have(&path, 2, 0, 0);
        rig_wait(path.rig, 200 * MS);
        data(&path, 3);
        rig_wait(path.rig, cases[i].wait_us);
        have(&path, cases[i].ack, cases[i].left, cases[i].right);
        assert_int_equal(n_of(&path, WEIR_ANOMALY_LOST_BEYOND), 1);
        assert_int_equal(n_of(&path, WEIR_ANOMALY_NEEDLESS), 0);
        rig_close(path.rig);
    }
}

/* A client without SACK, which lacks segment 1 (lost before us) and segment 5 (lost behind us).
 * Once 1 is there, its acknowledgement stops at 5. */
static void test_a_partial_acknowledgement_without_sack(void **state) {
    struct path path = path_new();
    data(&path, 0);
    for (uint32_t n = 2; n < 8; n++) {
        data(&path, n);
        have(&path, 1, 0, 0);
    }
    rig_wait(path.rig, 300 * MS);
    data(&path, 1);
    have(&path, 5, 0, 0);
    data(&path, 5);
    assert_int_equal(n_of(&path, WEIR_ANOMALY_LOST_BEFORE), 1);
    assert_int_equal(n_of(&path, WEIR_ANOMALY_LOST_BEYOND), 1);
    data(&path, 6); /* not asked for: it has it, as far as anybody knows */
    assert_int_equal(n_of(&path, WEIR_ANOMALY_LOST_BEYOND), 1);
    have(&path, 8, 0, 0);
    data(&path, 8);
    data(&path, 8);
    assert_int_equal(n_of(&path, WEIR_ANOMALY_LOST_BEYOND), 2);
    rig_close(path.rig);
}

/* A small client that throws away all that comes out of order. All must be sent again, and
 * nothing of it was lost. Its acknowledgements come each time, or for every other segment. */
static void test_a_client_that_keeps_nothing(void **state) {
    for (uint32_t each = 1; each <= 2; each++) {
        struct path path = path_new();
        data(&path, 0);
        for (uint32_t n = 2; n < 8; n++) {
            data(&path, n);
            have(&path, 1, 0, 0);
        }
        rig_wait(path.rig, 300 * MS);
        for (uint32_t n = 1; n < 8; n++) {
            data(&path, n);
            if (n % each == 0) have(&path, n + 1, 0, 0);
        }
        assert_int_equal(n_of(&path, WEIR_ANOMALY_LOST_BEFORE), 1);
        assert_int_equal(n_of(&path, WEIR_ANOMALY_LOST_BEYOND), 0);
        rig_close(path.rig);
    }
}

/* Numbers that wrap, and blocks that make no sense. */
static void test_odd_blocks(void **state) {
    struct path path = path_new();
    data(&path, 0);
    data(&path, 1);
    have(&path, 1, 2, 1000); /* what was never sent */
    struct weir_packet packet = talk_packet(&path.talk, C, ACK, 0);
    packet.tcp.ack = path.first + MSS;
    packet.tcp.has_sack = true;
    packet.tcp.sack_left = path.first + 2 * MSS;
    packet.tcp.sack_right = path.first + MSS;
    rig_send(path.rig, &packet);
    rig_wait(path.rig, 50 * MS);
    data(&path, 1);
    assert_int_equal(n_of(&path, WEIR_ANOMALY_LOST_BEYOND), 1);
    rig_close(path.rig);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_behind_a_hole),
        cmocka_unit_test(test_behind_a_hole_without_sack),
        cmocka_unit_test(test_lost_beyond),
        cmocka_unit_test(test_many_holes),
        cmocka_unit_test(test_window_probe),
        cmocka_unit_test(test_odd_blocks),
        cmocka_unit_test(test_reported_as_needless),
        cmocka_unit_test(test_one_of_two_was_needed),
        cmocka_unit_test(test_no_report),
        cmocka_unit_test(test_a_partial_acknowledgement_without_sack),
        cmocka_unit_test(test_a_client_that_keeps_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
