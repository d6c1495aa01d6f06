/* QUIC connections that die in use, and all that only looks so. */
#include <stdlib.h>

#include "rig.h"

#define C  WEIR_CLIENT
#define SV WEIR_SERVER

enum { ASK = 402, PING = 30, ACKNOWLEDGE = 27, DATA = 1200 };

static void say(struct rig *rig, struct talk *talk, enum weir_side side, uint32_t len) {
    static const uint8_t bytes[3 * DATA] = {0x41, 1, 2, 3, 4, 5, 6, 7, 8};
    rig_udp(rig, talk, side, bytes, len);
}

/* A connection taken up in the middle, which has just answered. */
static struct rig *rig_new(struct talk *ret_talk) {
    static struct rig rig;
    rig_open(&rig, 1 << 20);
    rig.role = WEIR_ROLE_MEDIA;
    *ret_talk = talk_udp(1, 443);
    say(&rig, ret_talk, C, ASK);
    for (int i = 0; i < 20; i++) {
        rig_wait(&rig, 10 * MS);
        say(&rig, ret_talk, SV, DATA);
    }
    say(&rig, ret_talk, C, ACKNOWLEDGE);
    return &rig;
}

/* The client asks and hears nothing: it sends again after 60, 120, 240 .. ms, `n` times in all. */
static void ask_in_vain(struct rig *rig, struct talk *talk, uint32_t len, unsigned n) {
    for (unsigned i = 0; i < n; i++) {
        say(rig, talk, C, len);
        rig_wait(rig, (60 << i) * MS);
    }
}

static size_t n_dead(const struct rig *rig) {
    return rig_attempts(rig, WEIR_LAYER_QUIC, WEIR_OUTCOME_QUIC_TIMEOUT);
}

static void test_death(void **state) {
    struct talk talk;
    struct rig *rig = rig_new(&talk);
    rig_wait(rig, 4 * S);
    int64_t since_us = rig->us;
    ask_in_vain(rig, &talk, ASK, 6);
    rig_wait(rig, 1 * S);
    assert_int_equal(n_dead(rig), 1);
    const struct weir_event *death = rig_last(rig, WEIR_EVENT_ATTEMPT);
    assert_int_equal(death->attempt.layer, WEIR_LAYER_QUIC);
    assert_true(death->ts_us - since_us <= 4 * S);
    assert_true(llabs(death->attempt.first_us - since_us) <= 1 * S); /* the clock of ticks */
    size_t progress = rig_count(rig, WEIR_EVENT_PROGRESS),
           requests = rig_count(rig, WEIR_EVENT_REQUEST);
    ask_in_vain(rig, &talk, ASK, 8);
    rig_wait(rig, 20 * S);
    /* nobody waits for it any more */
    assert_int_equal(rig_count(rig, WEIR_EVENT_PROGRESS), progress);
    assert_int_equal(rig_count(rig, WEIR_EVENT_REQUEST), requests);
    rig_close(rig);
    assert_int_equal(rig_fails(rig), 1);
    assert_int_equal(rig_record(rig)->outcome, WEIR_OUTCOME_QUIC_TIMEOUT);
}

/* Where round trips are long, the request was timed out before the connection was given up: that is
 * taken back. */
static void test_death_after_the_time_out(void **state) {
    struct talk talk;
    struct rig *rig = rig_new(&talk);
    rig_wait(rig, 4 * S);
    int64_t asked_us = rig->us;
    for (int wait_s = 1; wait_s <= 16; wait_s *= 2) {
        say(rig, &talk, C, ASK);
        rig_wait(rig, wait_s * S);
    }
    assert_int_equal(rig_attempts(rig, WEIR_LAYER_SERVE, WEIR_OUTCOME_REQUEST_TIMEOUT), 1);
    assert_int_equal(n_dead(rig), 1);
    const struct weir_event *last = rig_last(rig, WEIR_EVENT_ATTEMPT);
    assert_int_equal(last->attempt.outcome, WEIR_OUTCOME_NEUTRAL);
    assert_int_equal(last->attempt.first_us, asked_us);
    rig_close(rig);
}

static void test_heard_again(void **state) {
    struct talk talk;
    struct rig *rig = rig_new(&talk);
    rig_wait(rig, 4 * S);
    ask_in_vain(rig, &talk, ASK, 6);
    rig_wait(rig, 1 * S);
    assert_int_equal(n_dead(rig), 1);
    for (int i = 0; i < 20; i++) say(rig, &talk, SV, DATA);
    size_t answers = rig_count(rig, WEIR_EVENT_FIRST_BYTE);
    say(rig, &talk, C, ASK);
    rig_wait(rig, 30 * MS);
    say(rig, &talk, SV, DATA);
    assert_int_equal(rig_count(rig, WEIR_EVENT_FIRST_BYTE), answers + 1);
    rig_wait(rig, 4 * S);
    ask_in_vain(rig, &talk, ASK, 6);
    rig_wait(rig, 1 * S);
    assert_int_equal(n_dead(rig), 2);
    rig_close(rig);
}

/* Only what the client sends is lost: the server does not hear that its last words came, and sends
 * them again, two at a time. `from_server` datagrams of `len` bytes come half a second after each
 * of the client's words. */
static size_t deaths_beside(uint32_t len, unsigned from_server) {
    struct talk talk;
    struct rig *rig = rig_new(&talk);
    rig_wait(rig, 4 * S);
    for (unsigned i = 0; i < 6; i++) {
        say(rig, &talk, C, ASK);
        rig_wait(rig, 500 * MS);
        for (unsigned n = 0; n < from_server; n++) say(rig, &talk, SV, len);
        say(rig, &talk, C, ACKNOWLEDGE);
        rig_wait(rig, (100 << i) * MS);
    }
    rig_wait(rig, 1 * S);
    size_t n = n_dead(rig);
    rig_close(rig);
    return n;
}

static void test_probes(void **state) {
    assert_int_equal(deaths_beside(DATA, 1), 1);
    assert_int_equal(deaths_beside(DATA, 2), 1);
    assert_int_equal(deaths_beside(DATA, 3), 0);        /* an answer */
    assert_int_equal(deaths_beside(ACKNOWLEDGE, 1), 0); /* it hears */
    assert_int_equal(deaths_beside(DATA - 1, 1), 0);    /* the end of an answer */
}

/* Small answers that fill just one datagram: each comes as soon as it can. */
static void test_full_answers(void **state) {
    struct talk talk;
    struct rig *rig = rig_new(&talk);
    for (unsigned i = 0; i < 12; i++) {
        rig_wait(rig, (200 << i % 6) * MS);
        say(rig, &talk, C, ASK);
        rig_wait(rig, 40 * MS);
        say(rig, &talk, SV, DATA);
        say(rig, &talk, C, ACKNOWLEDGE);
    }
    rig_wait(rig, 5 * S);
    rig_close(rig);
    assert_int_equal(n_dead(rig), 0);
}

/* Four are enough when their waits grow as a sender's do that hears nothing. */
static void test_growing(void **state) {
    struct talk talk;
    struct rig *rig = rig_new(&talk);
    rig_wait(rig, 4 * S);
    for (int ms = 450; ms <= 1800; ms *= 2) {
        say(rig, &talk, C, ASK);
        rig_wait(rig, ms * MS);
    }
    assert_int_equal(n_dead(rig), 0);
    say(rig, &talk, C, ASK);
    rig_wait(rig, 1 * S);
    assert_int_equal(n_dead(rig), 1);
    rig_close(rig);
}

/* An answer is under way, and what the client sends is lost: the server waits for acknowledgements,
 * and credit for more data is sent again. `first_ms` after the server's last datagram, then after
 * waits that are so many quarters of the one before. */
static size_t deaths_of_credit(int first_ms, int quarters) {
    struct talk talk;
    struct rig *rig = rig_new(&talk);
    rig_wait(rig, 4 * S);
    say(rig, &talk, C, ASK);
    for (int i = 0; i < 20; i++) {
        rig_wait(rig, 10 * MS);
        say(rig, &talk, SV, DATA);
    }
    rig_wait(rig, 2 * MS);
    say(rig, &talk, C, ACKNOWLEDGE);
    rig_wait(rig, first_ms * MS);
    for (int i = 0, ms = 200; i < 6; i++, ms = ms * quarters / 4) {
        say(rig, &talk, C, PING);
        rig_wait(rig, ms * MS);
    }
    rig_wait(rig, 1 * S);
    size_t n = n_dead(rig);
    rig_close(rig);
    return n;
}

static void test_credit_that_is_lost(void **state) {
    assert_int_equal(deaths_of_credit(110, 8), 1);
    assert_int_equal(deaths_of_credit(10, 8), 1);   /* the first may be an acknowledgement */
    assert_int_equal(deaths_of_credit(110, 4), 0);  /* an even measure */
    assert_int_equal(deaths_of_credit(110, 16), 0); /* no sender waits four times as long */
    assert_int_equal(deaths_of_credit(2500, 8), 0); /* nothing was under way */
}

/* Four datagrams, or five within two seconds that are answered then. */
static void test_not_yet(void **state) {
    struct talk talk;
    struct rig *rig = rig_new(&talk);
    rig_wait(rig, 4 * S);
    for (int i = 0; i < 4; i++) {
        say(rig, &talk, C, ASK);
        rig_wait(rig, 60 * MS);
    }
    rig_wait(rig, 2 * S);
    for (int i = 0; i < 3; i++) say(rig, &talk, SV, DATA);
    rig_wait(rig, 4 * S);
    ask_in_vain(rig, &talk, ASK, 5);
    for (int i = 0; i < 3; i++) say(rig, &talk, SV, DATA);
    rig_wait(rig, 9 * S);
    rig_close(rig);
    assert_int_equal(n_dead(rig), 0);
}

/* The player pauses, the connection lives: what keeps it open asks for nothing, answered or not. */
static void test_idle_pings(void **state) {
    struct talk talk;
    struct rig *rig = rig_new(&talk);
    rig_wait(rig, 15 * S);
    say(rig, &talk, C, PING);
    rig_wait(rig, 30 * MS);
    say(rig, &talk, SV, ACKNOWLEDGE);
    rig_wait(rig, 15 * S);
    ask_in_vain(rig, &talk, PING, 9);
    rig_wait(rig, 60 * S);
    rig_close(rig);
    assert_int_equal(rig_fails(rig), 0);
}

/* An answer stops. Behind a full datagram more was to come, behind another it may be over; that a
 * network card joined some of them before changes nothing. */
static void test_joined_datagrams(void **state) {
    static const uint32_t last[] = {DATA, 3 * DATA, DATA - 300, 3 * DATA - 300};
    for (int i = 0; i < 4; i++) {
        struct talk talk;
        struct rig *rig = rig_new(&talk);
        rig_knows(rig, ASK);
        rig_wait(rig, 4 * S);
        say(rig, &talk, C, ASK);
        rig_wait(rig, 40 * MS);
        say(rig, &talk, SV, DATA);
        say(rig, &talk, SV, 3 * DATA);
        say(rig, &talk, SV, last[i]);
        rig_wait(rig, 30 * S);
        assert_int_equal(rig_fails(rig), i < 2);
        rig_close(rig);
    }
}

/* A laptop is shut, and opened again after the server has forgotten it. */
static void test_suspended(void **state) {
    struct talk talk;
    struct rig *rig = rig_new(&talk);
    rig_wait(rig, 90 * S);
    ask_in_vain(rig, &talk, ASK, 7);
    rig_wait(rig, 3 * S);
    rig_close(rig);
    assert_int_equal(n_dead(rig), 0);
}

/* The client goes on from another port (a NAT that forgot) or address: silence of both sides is no
 * death. */
static void test_moved(void **state) {
    struct talk old, new = talk_udp(2, 443);
    struct rig *rig = rig_new(&old);
    rig_wait(rig, 4 * S);
    for (int i = 0; i < 20; i++) {
        say(rig, &new, C, ASK);
        rig_wait(rig, 30 * MS);
        say(rig, &new, SV, DATA);
        if (i < 3) say(rig, &old, SV, DATA);
        rig_wait(rig, 1 * S);
    }
    rig_close(rig);
    assert_int_equal(rig_fails(rig), 0);
}

/* From somewhere on the server's packets pass elsewhere: the client asks and acknowledges in even
 * measure. */
static void test_unseen(void **state) {
    struct talk talk, one_way = talk_udp(3, 443);
    struct rig *rig = rig_new(&talk);
    for (int i = 0; i < 400; i++) {
        say(rig, &talk, C, i % 100 ? ACKNOWLEDGE : ASK);
        say(rig, &one_way, C, i % 100 ? ACKNOWLEDGE : ASK);
        rig_wait(rig, 25 * MS);
    }
    assert_int_equal(n_dead(rig), 0);
    rig_close(rig);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_death),
        cmocka_unit_test(test_death_after_the_time_out),
        cmocka_unit_test(test_heard_again),
        cmocka_unit_test(test_not_yet),
        cmocka_unit_test(test_joined_datagrams),
        cmocka_unit_test(test_idle_pings),
        cmocka_unit_test(test_suspended),
        cmocka_unit_test(test_moved),
        cmocka_unit_test(test_unseen),
        cmocka_unit_test(test_probes),
        cmocka_unit_test(test_full_answers),
        cmocka_unit_test(test_growing),
        cmocka_unit_test(test_credit_that_is_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
