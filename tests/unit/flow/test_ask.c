/* What is a request, and what is none: control frames, keep-alives, uploads, held answers, pushes.
 */
#include "rig.h"

#define ACK WEIR_TCP_ACK
#define C   WEIR_CLIENT
#define SV  WEIR_SERVER

enum {
    REQUEST = 67,
    SETTINGS_ACK = 31,
    WINDOW_UPDATE = 35,
    RST_STREAM = 35,
    PING = 39,
    TWO_FRAMES = 48
};

static struct talk talk;

static struct rig *media(void) {
    static struct rig rig;
    rig_open(&rig, 1 << 20);
    rig.role = WEIR_ROLE_MEDIA;
    talk = talk_tcp(1);
    talk.port[1] = 8080;
    rig_handshake(&rig, &talk, 10 * MS);
    return &rig;
}

static void say(struct rig *rig, uint32_t bytes) { rig_tcp(rig, &talk, C, ACK, bytes); }

/* `n` packets of 1,000 bytes, `apart_us` between them, after one round trip. */
static void answer(struct rig *rig, unsigned n, int64_t apart_us) {
    rig_wait(rig, 10 * MS);
    for (unsigned i = 0; i < n; i++) {
        rig_tcp(rig, &talk, SV, ACK, 1000);
        rig_tcp(rig, &talk, C, ACK, 0);
        if (i + 1 < n) rig_wait(rig, apart_us);
    }
}

static size_t chunks(const struct rig *rig) { return rig_count(rig, WEIR_EVENT_CHUNK); }

/* Chunks of 1,000 bytes and more. */
static size_t answers(const struct rig *rig) {
    size_t n = 0;
    for (size_t i = 0; i < rig->n_events; i++)
        n += rig->events[i].kind == WEIR_EVENT_CHUNK && rig->events[i].chunk.bytes >= 1000;
    return n;
}

static size_t waits(const struct rig *rig) {
    size_t n = 0;
    for (size_t i = 0; i < rig->n_events; i++)
        n += rig->events[i].kind == WEIR_EVENT_PROGRESS && rig->events[i].progress.waiting;
    return n;
}

static void nothing_waits(const struct rig *rig) {
    assert_int_equal(waits(rig), 0);
    assert_int_equal(rig_fails(rig), 0);
}

/* Every one of a player's small requests is a chunk, with its own time to the first byte. */
static void test_a_browsers_requests(void **state) {
    struct rig *rig = media();
    for (unsigned i = 0; i < 10; i++) {
        say(rig, REQUEST + i % 3);
        answer(rig, 200, 1 * MS);
        rig_wait(rig, i % 2 ? 2 * S : 1 * MS);
    }
    rig_wait(rig, 6 * S);
    assert_int_equal(chunks(rig), 10);
    for (size_t i = 0; i < rig->n_events; i++)
        if (rig->events[i].kind == WEIR_EVENT_CHUNK)
            assert_int_equal(rig->events[i].chunk.ttfb_us, 10 * MS);
    rig_close(rig);
    assert_int_equal(rig_record(rig)->requests, 10);
}

/* A frame of the client's while the answer runs does not end it, single or several in one record.
 */
static void test_control_frames_split_no_answer(void **state) {
    static const uint32_t frames[] = {WINDOW_UPDATE, PING, TWO_FRAMES, SETTINGS_ACK};
    struct rig *rig = media();
    say(rig, REQUEST);
    for (unsigned i = 0; i < 4; i++) {
        answer(rig, 50, 1 * MS);
        say(rig, frames[i]);
    }
    answer(rig, 50, 1 * MS);
    rig_wait(rig, 6 * S);
    assert_int_equal(chunks(rig), 1);
    assert_int_equal(rig_last(rig, WEIR_EVENT_CHUNK)->chunk.bytes, 250000);
    nothing_waits(rig);
    rig_close(rig);
}

/* A request that is multiplexed with a running answer: the answer goes on, and the two are one
 * chunk. */
static void test_multiplexed_requests_are_one_chunk(void **state) {
    struct rig *rig = media();
    say(rig, REQUEST);
    answer(rig, 50, 1 * MS);
    say(rig, REQUEST);
    for (unsigned i = 0; i < 50; i++) {
        rig_wait(rig, 1 * MS);
        rig_tcp(rig, &talk, SV, ACK, 1000);
    }
    rig_wait(rig, 6 * S);
    assert_int_equal(chunks(rig), 1);
    nothing_waits(rig);
    rig_close(rig);
}

/* Pings on an idle connection, each acknowledged by a frame of its own size: no requests, however
 * often. */
static void test_pings(void **state) {
    struct rig *rig = media();
    say(rig, REQUEST);
    answer(rig, 50, 1 * MS);
    rig_wait(rig, 10 * S);
    for (unsigned i = 0; i < 10; i++) {
        say(rig, PING);
        rig_wait(rig, 10 * MS);
        rig_tcp(rig, &talk, SV, ACK, PING);
        rig_wait(rig, 15 * S);
    }
    say(rig, PING); /* and one that nobody answers */
    rig_wait(rig, 30 * S);
    assert_int_equal(answers(rig), 1);
    for (size_t i = 0; i < rig->n_events; i++) /* told, so that the size is known for little */
        if (rig->events[i].kind == WEIR_EVENT_CHUNK && rig->events[i].chunk.bytes == PING)
            assert_false(rig->events[i].chunk.known);
    nothing_waits(rig);
    rig_close(rig);
    assert_int_equal(rig_record(rig)->requests, 1);
}

/* The same frames behind an answer, and then the next request: its clock is its own. */
static void test_frames_before_a_request_do_not_start_its_clock(void **state) {
    static const uint32_t frames[] = {WINDOW_UPDATE, SETTINGS_ACK, PING};
    struct rig *rig = media();
    say(rig, REQUEST);
    answer(rig, 50, 1 * MS);
    for (unsigned i = 0; i < 3; i++) {
        rig_wait(rig, i * 6 * S + 500 * MS);
        say(rig, frames[i]);
        rig_wait(rig, 3 * S);
        say(rig, REQUEST);
        answer(rig, 50, 1 * MS);
        assert_int_equal(rig_last(rig, WEIR_EVENT_FIRST_BYTE)->first_byte.ttfb_us, 10 * MS);
    }
    nothing_waits(rig);
    rig_close(rig);
}

/* Opened ahead: HTTP/2's preface and settings, and the first request long after. */
static void test_preconnects(void **state) {
    struct rig *rig = media();
    say(rig, 92);
    rig_wait(rig, 20 * S);
    nothing_waits(rig);
    say(rig, 401);
    answer(rig, 50, 1 * MS);
    assert_int_equal(rig_last(rig, WEIR_EVENT_FIRST_BYTE)->first_byte.ttfb_us, 10 * MS);
    rig_close(rig);
    rig = media(); /* and never used */
    say(rig, 92);
    rig_wait(rig, 60 * S);
    nothing_waits(rig);
    rig_close(rig);
    assert_int_equal(rig_record(rig)->outcome, WEIR_OUTCOME_NEUTRAL);
}

/* A connection opened, greeted, and asked for the first time: preface and settings, then a request
 * with the acknowledgement of the server's settings. `bytes`: of the server's first frame behind.
 */
static struct rig *greeted(uint32_t bytes) {
    enum { PREFACE = 125, SETTINGS = 73, FIRST_REQUEST = 121 };
    struct rig *rig = media();
    say(rig, PREFACE);
    rig_wait(rig, 10 * MS);
    rig_tcp(rig, &talk, SV, ACK, SETTINGS);
    rig_wait(rig, 1 * MS);
    say(rig, FIRST_REQUEST);
    say(rig, SETTINGS_ACK);
    rig_wait(rig, 10 * MS);
    rig_tcp(rig, &talk, SV, ACK, bytes);
    return rig;
}

/* The server's acknowledgement of the client's settings answers no request: one that hangs behind
 * it is in doubt as any first request, and an answer is timed from its request on. */
static void test_settings_answer_no_request(void **state) {
    struct rig *rig = greeted(SETTINGS_ACK + 9);
    rig_wait(rig, 4 * S);
    assert_true(rig_last(rig, WEIR_EVENT_PROGRESS)->progress.unsure_us >= 3 * S);
    answer(rig, 50, 1 * MS);
    rig_wait(rig, 6 * S);
    const struct weir_event *chunk = rig_last(rig, WEIR_EVENT_CHUNK);
    assert_int_equal(chunks(rig), 2);
    assert_int_equal(chunk->chunk.bytes, 50000);
    assert_true(chunk->chunk.ttfb_us >= 4 * S);
    nothing_waits(rig);
    rig_close(rig);
}

/* The shortest first answer has more than a frame to say. */
static void test_a_short_first_answer(void **state) {
    struct rig *rig = greeted(90);
    rig_wait(rig, 4 * S);
    assert_int_equal(rig_last(rig, WEIR_EVENT_PROGRESS)->progress.unsure_us, 0);
    rig_close(rig);
    assert_int_equal(rig_last(rig, WEIR_EVENT_CHUNK)->chunk.bytes, 90);
}

/* A poll that is held: its size was never answered, so it waits for nothing that counts; what the
 * page says of it does. */
static void test_long_polls(void **state) {
    struct rig *rig = media();
    say(rig, 180);
    rig_wait(rig, 55 * S);
    rig_tcp(rig, &talk, SV, ACK, 1000);
    nothing_waits(rig);
    rig_close(rig);
    rig = media();
    /* held for a minute as a rule */
    rig->asks[WEIR_SERVICE_NONE].timeout_ds[0][weir_ask_size(180)] = 1200;
    for (unsigned i = 0; i < 3; i++) {
        say(rig, 180);
        rig_wait(rig, 55 * S);
        rig_tcp(rig, &talk, SV, ACK, 1000);
        rig_wait(rig, 1 * S);
    }
    assert_int_equal(rig_fails(rig), 0);
    rig_close(rig);
}

/* Playlists that are held until there is a new part: within what this service's answers take. */
static void test_held_playlists(void **state) {
    struct rig *rig = media();
    rig->timeouts[WEIR_SERVICE_NONE] = 9 * S; /* three times the longest of its answers */
    for (unsigned i = 0; i < 8; i++) {
        say(rig, 190);
        rig_wait(rig, (i % 2 ? 6 : 3) * S);
        answer(rig, 3, 1 * MS);
        rig_wait(rig, 100 * MS);
    }
    assert_int_equal(rig_fails(rig), 0);
    assert_int_equal(chunks(rig), 7);
    rig_close(rig);
}

/* A web socket: both sides speak when they like. Once the server has spoken unasked, nothing on it
 * is a request that waits. */
static void test_web_sockets(void **state) {
    struct rig *rig = media();
    say(rig, 480);
    answer(rig, 1, 0);
    for (unsigned i = 0; i < 6; i++) {
        rig_wait(rig, 7 * S);
        rig_tcp(rig, &talk, SV, ACK, 700); /* pushed */
        rig_tcp(rig, &talk, C, ACK, 0);
    }
    rig_wait(rig, 6 * S);
    for (unsigned i = 0; i < 6; i++) {
        say(rig, 480);
        rig_wait(rig, 8 * S);
        rig_tcp(rig, &talk, SV, ACK, 700);
        rig_wait(rig, 6 * S);
    }
    nothing_waits(rig);
    rig_close(rig);
}

/* Seeking: the player gives a request up, with a frame that the server takes without a word. */
static void test_a_request_that_is_given_up(void **state) {
    struct rig *rig = media();
    say(rig, REQUEST);
    answer(rig, 50, 1 * MS);
    rig_wait(rig, 1 * S);
    say(rig, REQUEST);
    rig_wait(rig, 40 * MS);
    say(rig, RST_STREAM);
    rig_wait(rig, 10 * MS);
    rig_tcp(rig, &talk, SV, ACK, 0);
    rig_wait(rig, 30 * S);
    assert_int_equal(rig_fails(rig), 0);
    rig_close(rig);
}

/* A ping while a request hangs is acknowledged: that is no answer, and the request goes on waiting.
 */
static void test_a_ping_while_a_request_hangs(void **state) {
    struct rig *rig = media();
    say(rig, REQUEST);
    answer(rig, 50, 1 * MS);
    rig_wait(rig, 1 * S);
    say(rig, REQUEST);
    rig_wait(rig, 2 * S);
    say(rig, PING);
    rig_wait(rig, 10 * MS);
    rig_tcp(rig, &talk, SV, ACK, PING);
    rig_wait(rig, 5 * S);
    assert_int_equal(rig_attempts(rig, WEIR_LAYER_SERVE, WEIR_OUTCOME_REQUEST_TIMEOUT), 1);
    assert_in_range(waits(rig), 6, 8);
    rig_close(rig);
}

/* Asked while an answer ran, and then nothing came any more: it hangs since it was asked. */
static void test_a_request_behind_an_answer_hangs(void **state) {
    struct rig *rig = media();
    say(rig, REQUEST);
    answer(rig, 50, 1 * MS);
    int64_t asked_us = rig->us += 300 * MS;
    say(rig, REQUEST);
    rig_wait(rig, 7 * S);
    assert_int_equal(rig_attempts(rig, WEIR_LAYER_SERVE, WEIR_OUTCOME_REQUEST_TIMEOUT), 1);
    assert_int_equal(rig_last(rig, WEIR_EVENT_ATTEMPT)->attempt.first_us, asked_us);
    assert_int_equal(chunks(rig), 1);
    rig_close(rig);
}

/* ---- an answer that stops in the middle ---- */

static void frozen_case(uint32_t last_bytes, bool window_closed, bool missing, bool fails) {
    struct rig *rig = media();
    for (unsigned i = 0; i < 2; i++) {
        say(rig, REQUEST);
        answer(rig, 50, 1 * MS);
        rig_wait(rig, 1 * S);
    }
    say(rig, REQUEST);
    answer(rig, 50, 1 * MS);
    rig_tcp(rig, &talk, SV, ACK, last_bytes);
    talk.seq[SV] += missing ? 3000 : 0; /* bytes that passed elsewhere */
    struct weir_packet ack = talk_packet(&talk, C, ACK, 0);
    ack.tcp.window = window_closed ? 0 : 1000;
    rig_send(rig, &ack);
    int64_t frozen_us = rig->us;
    rig_wait(rig, 8 * S);
    assert_int_equal(rig_attempts(rig, WEIR_LAYER_SERVE, WEIR_OUTCOME_REQUEST_TIMEOUT), fails);
    if (fails) assert_int_equal(rig_last(rig, WEIR_EVENT_ATTEMPT)->attempt.first_us, frozen_us);
    assert_int_equal(waits(rig) > 0, fails);
    rig_tcp(rig, &talk, SV, ACK, 1000);
    if (fails) { /* its failure may be taken back */
        assert_int_equal(rig_last(rig, WEIR_EVENT_ATTEMPT)->attempt.outcome, WEIR_OUTCOME_USEFUL);
        assert_int_equal(rig_last(rig, WEIR_EVENT_ATTEMPT)->attempt.first_us, frozen_us);
    }
    rig_close(rig);
}

static void test_an_answer_that_freezes(void **state) {
    frozen_case(1460, false, false, true);     /* a full segment: more was to come */
    frozen_case(3 * 1460, false, false, true); /* several at once, as offloading shows them */
    frozen_case(1300, false, false, false);    /* the end of an answer */
    frozen_case(1460, true, false, false);     /* the player's buffer is full */
    frozen_case(1460, false, true, false);     /* the capture missed the rest */
}

/* ---- what nobody acknowledges ---- */

static void copy(struct rig *rig, int64_t after_us) {
    rig_wait(rig, after_us);
    talk.seq[C] -= REQUEST;
    say(rig, REQUEST);
}

static void unacked_case(unsigned copies, bool acked, int64_t idle_us, bool leaves, bool fails) {
    struct rig *rig = media();
    say(rig, REQUEST);
    answer(rig, 50, 1 * MS);
    rig_wait(rig, idle_us);
    int64_t asked_us = rig->us;
    say(rig, REQUEST);
    int64_t apart_us = 200 * MS;
    for (unsigned i = 0; i < copies; i++, apart_us *= 2) copy(rig, apart_us);
    if (acked) rig_tcp(rig, &talk, SV, ACK, 0);
    if (leaves) rig_tcp(rig, &talk, C, ACK | WEIR_TCP_FIN, 0);
    rig_wait(rig, 4 * S - (rig->us - asked_us));
    assert_int_equal(rig_attempts(rig, WEIR_LAYER_SERVE, WEIR_OUTCOME_UNACKED), fails);
    if (fails) assert_int_equal(rig_last(rig, WEIR_EVENT_ATTEMPT)->attempt.first_us, asked_us);
    rig_wait(rig, 20 * S);
    assert_int_equal(rig_attempts(rig, WEIR_LAYER_SERVE, WEIR_OUTCOME_UNACKED), fails); /* once */
    rig_close(rig);
}

static void test_data_that_nobody_acknowledges(void **state) {
    unacked_case(3, false, 1 * S, false, true);
    unacked_case(1, false, 1 * S, false, false); /* sent again once: a probe for its tail */
    unacked_case(3, true, 1 * S, false, false);  /* acknowledged, if late */
    /* a connection that any box may have forgotten */
    unacked_case(3, false, 130 * S, false, false);
    unacked_case(3, false, 1 * S, true, false); /* the client leaves */
}

/* A PING is no request; that it is sent again five times says that nobody is there, unless the
 * connection had rested for two minutes. */
static void ping_case(unsigned copies, int64_t idle_us, bool fails) {
    struct rig *rig = media();
    say(rig, REQUEST);
    answer(rig, 50, 1 * MS);
    rig_wait(rig, idle_us);
    say(rig, PING);
    int64_t apart_us = 200 * MS;
    for (unsigned i = 0; i < copies; i++, apart_us *= 2) {
        rig_wait(rig, apart_us);
        talk.seq[C] -= PING;
        say(rig, PING);
    }
    rig_wait(rig, 20 * S);
    assert_int_equal(rig_attempts(rig, WEIR_LAYER_SERVE, WEIR_OUTCOME_UNACKED), fails);
    rig_close(rig);
}

static void test_words_that_nobody_acknowledges(void **state) {
    ping_case(6, 1 * S, true);
    ping_case(6, 20 * S, true);
    ping_case(3, 20 * S, false);
    ping_case(6, 130 * S, false);
}

/* Of a size that was never answered, and of a host without media: a failure of the connection. */
static void test_first_request_that_nobody_acknowledges(void **state) {
    struct rig *rig = media();
    weir_flow_named(rig->flow)->role = WEIR_ROLE_CONTROL;
    weir_flow_named(rig->flow)->done = true;
    say(rig, REQUEST);
    copy(rig, 200 * MS);
    copy(rig, 400 * MS);
    rig_wait(rig, 4 * S);
    assert_int_equal(rig_attempts(rig, WEIR_LAYER_CONNECT, WEIR_OUTCOME_UNACKED), 1);
    rig_close(rig);
    assert_int_equal(rig_record(rig)->outcome, WEIR_OUTCOME_UNACKED);
}

/* ---- QUIC ---- */

static void datagram(struct rig *rig, enum weir_side side, uint32_t bytes) {
    static uint8_t short_header[1500] = {0x40};
    rig_udp(rig, &talk, side, short_header, bytes);
}

static struct rig *quic(void) {
    static struct rig rig;
    rig_open(&rig, 1 << 20);
    rig.role = WEIR_ROLE_MEDIA;
    talk = talk_udp(1, 443);
    return &rig;
}

static void quic_answer(struct rig *rig, unsigned n, uint32_t acknowledgement) {
    rig_wait(rig, 10 * MS);
    for (unsigned i = 0; i < n; i++) {
        datagram(rig, SV, i + 1 < n ? 1250 : 700);
        datagram(rig, C, acknowledgement + i / 2);
        rig_wait(rig, 6 * MS);
    }
}

/* Acknowledgements, also those that grow by the ranges that they list, are no requests. */
static void test_quic_acknowledgements(void **state) {
    struct rig *rig = quic();
    datagram(rig, C, 400);
    quic_answer(rig, 100, 30);
    rig_wait(rig, 1 * S);
    datagram(rig, C, 402);
    quic_answer(rig, 150, 60); /* up to 134 bytes */
    rig_wait(rig, 6 * S);
    assert_int_equal(answers(rig), 2);
    for (unsigned i = 0; i < 4; i++) { /* keep-alives */
        datagram(rig, C, 32);
        datagram(rig, SV, 28);
        rig_wait(rig, 15 * S);
    }
    assert_int_equal(rig_fails(rig), 0);
    rig_close(rig);
    assert_int_equal(rig_record(rig)->requests, 2);
}

/* Control streams of HTTP/3 at the start, then a request: its clock is its own. */
static void test_quic_control_streams(void **state) {
    struct rig *rig = quic();
    datagram(rig, C, 110); /* settings and the encoder's stream */
    rig_wait(rig, 10 * S);
    nothing_waits(rig);
    datagram(rig, C, 400);
    quic_answer(rig, 50, 30);
    assert_int_equal(rig_last(rig, WEIR_EVENT_FIRST_BYTE)->first_byte.ttfb_us, 10 * MS);
    rig_close(rig);
}

/* A request that the server took, and then something as small as an acknowledgement, with nothing
 * to acknowledge. What follows tells a close from a PING. */
static struct rig *quic_speaks_unasked(void) {
    struct rig *rig = quic();
    for (unsigned i = 0; i < 2; i++) {
        datagram(rig, C, 400);
        quic_answer(rig, 50, 30);
        rig_wait(rig, 1 * S);
    }
    datagram(rig, C, 400);
    rig_wait(rig, 40 * MS);
    datagram(rig, SV, 33);
    rig_wait(rig, 170 * MS);
    datagram(rig, C, 40);
    return rig;
}

static void test_quic_is_closed(void **state) {
    struct rig *rig = quic_speaks_unasked();
    rig_wait(rig, 30 * S);
    assert_int_equal(rig_fails(rig), 0);
    rig_close(rig);
}

static void test_quic_pings(void **state) {
    struct rig *rig = quic_speaks_unasked();
    rig_wait(rig, 10 * MS);
    datagram(rig, SV, 33);
    rig_wait(rig, 30 * S);
    assert_int_equal(rig_attempts(rig, WEIR_LAYER_SERVE, WEIR_OUTCOME_REQUEST_TIMEOUT), 1);
    rig_close(rig);
}

static void test_quic_pings_in_vain(void **state) {
    struct rig *rig = quic_speaks_unasked();
    for (int64_t wait_us = 400 * MS; wait_us < 4 * S; wait_us *= 2) {
        rig_wait(rig, wait_us);
        datagram(rig, C, 40);
    }
    rig_wait(rig, 30 * S);
    assert_true(rig_fails(rig) > 0);
    rig_close(rig);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_browsers_requests),
        cmocka_unit_test(test_control_frames_split_no_answer),
        cmocka_unit_test(test_multiplexed_requests_are_one_chunk),
        cmocka_unit_test(test_pings),
        cmocka_unit_test(test_frames_before_a_request_do_not_start_its_clock),
        cmocka_unit_test(test_preconnects),
        cmocka_unit_test(test_settings_answer_no_request),
        cmocka_unit_test(test_a_short_first_answer),
        cmocka_unit_test(test_long_polls),
        cmocka_unit_test(test_held_playlists),
        cmocka_unit_test(test_web_sockets),
        cmocka_unit_test(test_a_request_that_is_given_up),
        cmocka_unit_test(test_a_ping_while_a_request_hangs),
        cmocka_unit_test(test_a_request_behind_an_answer_hangs),
        cmocka_unit_test(test_an_answer_that_freezes),
        cmocka_unit_test(test_data_that_nobody_acknowledges),
        cmocka_unit_test(test_words_that_nobody_acknowledges),
        cmocka_unit_test(test_first_request_that_nobody_acknowledges),
        cmocka_unit_test(test_quic_acknowledgements),
        cmocka_unit_test(test_quic_is_closed),
        cmocka_unit_test(test_quic_pings),
        cmocka_unit_test(test_quic_pings_in_vain),
        cmocka_unit_test(test_quic_control_streams),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
