/* QUIC connections that died in use: what the client turned to, and when that is known. */
#include "fake.h"

#define CLIENT       "10.0.0.1"
#define OTHER_CLIENT "10.0.0.2"
#define SERVER       "192.0.2.1"

static struct {
    struct weir_trial quic[64]; /* of all closed slots */
    size_t n_quic;
} seen;

static void on_slot(void *context, const struct weir_slot *slot, bool closed) {
    for (size_t i = 0; closed && i < slot->n_trials; i++)
        if (slot->trials[i].layer == WEIR_LAYER_QUIC &&
            (slot->trials[i].fail || slot->trials[i].ok))
            seen.quic[seen.n_quic++] = slot->trials[i];
}

static int setup(void **state) {
    memset(&seen, 0, sizeof seen);
    const struct weir_trials_config config = {.set = fake_set(), .on_slot = on_slot};
    return weir_trials_new((struct weir_trials **)state, &config);
}

static int teardown(void **state) {
    weir_trials_free(*state);
    return 0;
}

static int64_t ticked_us;

static void until(struct weir_trials *trials, int64_t us) {
    for (; ticked_us <= us; ticked_us += S) weir_trials_tick(trials, ticked_us);
}

/* The connection is two minutes old and was last heard before `died_us`. */
static void die(struct weir_trials *trials, int64_t died_us, int64_t now_us) {
    struct weir_evidence death = fake_attempt(FILM, CLIENT, SERVER, WEIR_LAYER_QUIC,
                                              WEIR_OUTCOME_QUIC_TIMEOUT, now_us, now_us - died_us);
    death.transport = WEIR_TRANSPORT_UDP;
    death.flow_first_us = died_us - 120 * S;
    ticked_us = now_us;
    weir_trials_take(trials, &death);
    until(trials, now_us);
}

static void serve(struct weir_trials *trials, const char *client, uint8_t transport,
                  int64_t asked_us) {
    struct weir_evidence served = fake_attempt(FILM, client, SERVER, WEIR_LAYER_SERVE,
                                               WEIR_OUTCOME_USEFUL, asked_us + S / 10, S / 10);
    served.transport = transport;
    served.flow_first_us = asked_us - 100 * S;
    until(trials, asked_us);
    weir_trials_take(trials, &served);
}

static const struct weir_trial *only(void) {
    assert_int_equal(seen.n_quic, 1);
    assert_true(seen.quic[0].fail && seen.quic[0].quic_died);
    return &seen.quic[0];
}

/* Over a TCP connection that was open before: no new one says so. */
static void test_served_on_an_old_connection(void **state) {
    struct weir_trials *trials = *state;
    die(trials, T0 + S, T0 + 3 * S);
    serve(trials, CLIENT, WEIR_TRANSPORT_TCP, T0 + 7 * S);
    until(trials, T0 + 60 * S);
    assert_true(only()->quic_fell_back);
    assert_true(only()->fail_us <= T0 + 9 * S);
}

/* What was served before, to another client or by QUIC is no fall-back. */
static void test_no_fall_back(void **state) {
    struct weir_trials *trials = *state;
    ticked_us = T0;
    serve(trials, CLIENT, WEIR_TRANSPORT_TCP, T0 + S);
    struct weir_evidence early = fake_attempt(FILM, CLIENT, SERVER, WEIR_LAYER_CONNECT,
                                              WEIR_OUTCOME_USEFUL, T0 + 2 * S, S / 2);
    weir_trials_take(trials, &early);
    die(trials, T0 + 3 * S, T0 + 5 * S);
    serve(trials, OTHER_CLIENT, WEIR_TRANSPORT_TCP, T0 + 7 * S);
    serve(trials, CLIENT, WEIR_TRANSPORT_UDP, T0 + 8 * S);
    until(trials, T0 + 12 * S);
    assert_int_equal(seen.n_quic, 0);
    until(trials, T0 + 60 * S);
    assert_false(only()->quic_fell_back);
}

/* A client that is slow to give up: the failure counts meanwhile, and again when the fall-back
 * shows. */
static void test_late_fall_back(void **state) {
    struct weir_trials *trials = *state;
    die(trials, T0 + S, T0 + 3 * S);
    until(trials, T0 + 20 * S);
    assert_false(only()->quic_fell_back);
    serve(trials, CLIENT, WEIR_TRANSPORT_TCP, T0 + 23 * S);
    until(trials, T0 + 90 * S);
    assert_int_equal(seen.n_quic, 2);
    assert_true(seen.quic[1].quic_fell_back && seen.quic[1].quic_died);
}

static void test_too_late(void **state) {
    struct weir_trials *trials = *state;
    die(trials, T0 + S, T0 + 3 * S);
    until(trials, T0 + 40 * S);
    serve(trials, CLIENT, WEIR_TRANSPORT_TCP, T0 + 41 * S);
    until(trials, T0 + 90 * S);
    assert_false(only()->quic_fell_back);
}

/* TCP to the name fails as well: known at once. */
static void test_both_fail(void **state) {
    struct weir_trials *trials = *state;
    die(trials, T0 + S, T0 + 3 * S);
    struct weir_evidence tcp = fake_attempt(FILM, CLIENT, SERVER, WEIR_LAYER_CONNECT,
                                            WEIR_OUTCOME_SYN_TIMEOUT, T0 + 5 * S, 3 * S);
    weir_trials_take(trials, &tcp);
    until(trials, T0 + 10 * S);
    assert_false(only()->quic_fell_back);
    until(trials, T0 + 60 * S);
    only();
}

/* A request that was timed out on the connection before it was given up is withdrawn with it. */
static void test_request_is_withdrawn(void **state) {
    struct weir_trials *trials = *state;
    struct weir_evidence request = fake_attempt(FILM, CLIENT, SERVER, WEIR_LAYER_SERVE,
                                                WEIR_OUTCOME_REQUEST_TIMEOUT, T0 + 6 * S, 5 * S);
    request.media = true;
    weir_trials_take(trials, &request);
    struct weir_trials_stats before, after;
    weir_trials_read_stats(trials, &before);
    request.outcome = WEIR_OUTCOME_NEUTRAL;
    request.now_us = T0 + 8 * S;
    weir_trials_take(trials, &request);
    die(trials, T0 + S, T0 + 8 * S);
    until(trials, T0 + 60 * S);
    weir_trials_read_stats(trials, &after);
    assert_int_equal(after.attempts, before.attempts + 1);
    only();
}

static void keep_alive(struct weir_trials *trials, int64_t at_us) {
    struct weir_evidence alive =
        fake_attempt(FILM, CLIENT, SERVER, WEIR_LAYER_CONNECT, WEIR_OUTCOME_NEUTRAL, at_us, 0);
    alive.kind = WEIR_EVIDENCE_ALIVE;
    weir_trials_take(trials, &alive);
}

/* The client still waits for QUIC, and its TCP connection to the name is known to live. */
static void test_lives_beside(void **state) {
    struct weir_trials *trials = *state;
    die(trials, T0 + 2 * S, T0 + 6 * S);
    until(trials, T0 + 8 * S);
    keep_alive(trials, T0 + 8 * S);
    until(trials, T0 + 10 * S);
    assert_true(only()->quic_fell_back);
}

static void test_lived_before(void **state) {
    struct weir_trials *trials = *state;
    keep_alive(trials, T0 + S);
    die(trials, T0 + 2 * S, T0 + 6 * S);
    until(trials, T0 + 20 * S);
    assert_false(only()->quic_fell_back);
}

/* Who lives there lets nobody else in. */
static void test_lives_beside_one_that_fails(void **state) {
    struct weir_trials *trials = *state;
    struct weir_evidence fails = fake_attempt(FILM, CLIENT, SERVER, WEIR_LAYER_CONNECT,
                                              WEIR_OUTCOME_SYN_TIMEOUT, T0 + 5 * S, 2 * S);
    weir_trials_take(trials, &fails);
    keep_alive(trials, T0 + 4 * S);
    die(trials, T0 + 2 * S, T0 + 6 * S);
    until(trials, T0 + 20 * S);
    assert_false(only()->quic_fell_back);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_served_on_an_old_connection, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_fall_back, setup, teardown),
        cmocka_unit_test_setup_teardown(test_late_fall_back, setup, teardown),
        cmocka_unit_test_setup_teardown(test_too_late, setup, teardown),
        cmocka_unit_test_setup_teardown(test_both_fail, setup, teardown),
        cmocka_unit_test_setup_teardown(test_request_is_withdrawn, setup, teardown),
        cmocka_unit_test_setup_teardown(test_lives_beside, setup, teardown),
        cmocka_unit_test_setup_teardown(test_lived_before, setup, teardown),
        cmocka_unit_test_setup_teardown(test_lives_beside_one_that_fails, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
