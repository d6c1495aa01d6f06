/* Servers' resets of idle connections: premature by what connections survive at that place, and a
 * timer's otherwise. */
#include "fake.h"

#define CLIENT    "10.0.0.1"
#define SERVER    "192.0.2.1"
#define NEIGHBOUR "192.0.2.77"
#define ELSEWHERE "198.51.100.1"

static struct { size_t n_fails, n_ends, n_ends_mid; } seen;

static void on_slot(void *context, const struct weir_slot *slot, bool closed) {
    for (size_t i = 0; closed && i < slot->n_trials; i++) {
        seen.n_fails += slot->trials[i].attempts_fail;
        if (slot->trials[i].fail) assert_int_equal(slot->trials[i].kind, WEIR_OUTCOME_RST_MID);
    }
}

static void on_end(void *context, const struct weir_connection_end *end) {
    seen.n_ends++;
    seen.n_ends_mid += end->rst_mid;
}

static int setup(void **state) {
    memset(&seen, 0, sizeof seen);
    const struct weir_trials_config config = {
        .set = fake_set(), .on_slot = on_slot, .on_connection_end = on_end};
    return weir_trials_new((struct weir_trials **)state, &config);
}

static int teardown(void **state) {
    weir_trials_free(*state);
    return 0;
}

static void pause_at(struct weir_trials *trials, const char *server, int64_t pause_us, bool reset,
                     int64_t now_us) {
    struct weir_evidence evidence = fake_attempt(FILM, CLIENT, server, 0, 0, now_us, 0);
    evidence.kind = WEIR_EVIDENCE_PAUSE;
    evidence.role = WEIR_ROLE_MEDIA;
    evidence.media = true;
    evidence.transport = WEIR_TRANSPORT_TCP;
    evidence.pause.us = pause_us;
    evidence.pause.reset = reset;
    weir_trials_take(trials, &evidence);
    if (!reset) return;
    evidence.kind = WEIR_EVIDENCE_END;
    evidence.outcome = WEIR_OUTCOME_USEFUL;
    evidence.end.end = WEIR_END_RST;
    evidence.end.rst_mid = false;
    evidence.end.reset_pause_us = pause_us;
    weir_trials_take(trials, &evidence);
}

static void survive(struct weir_trials *trials, unsigned n, int64_t pause_us) {
    for (unsigned i = 0; i < n; i++) pause_at(trials, SERVER, pause_us, false, T0 + S);
}

static void expect(struct weir_trials *trials, const char *server, int64_t pause_us,
                   bool premature) {
    struct weir_trials_stats before, after;
    size_t ends = seen.n_ends, mid = seen.n_ends_mid;
    weir_trials_read_stats(trials, &before);
    pause_at(trials, server, pause_us, true, T0 + S);
    weir_trials_read_stats(trials, &after);
    assert_int_equal(after.resets_premature - before.resets_premature, premature);
    assert_int_equal(seen.n_ends, ends + 1);
    assert_int_equal(seen.n_ends_mid, mid + premature);
}

/* Between two segments of four seconds. */
static void test_sooner_than_connections_last(void **state) {
    struct weir_trials *trials = *state;
    expect(trials, SERVER, 2 * S, false); /* nothing is known yet */
    survive(trials, 8, 4 * S);
    expect(trials, SERVER, 2 * S, true);
    expect(trials, NEIGHBOUR, 2 * S, true); /* the same network */
    expect(trials, ELSEWHERE, 2 * S, false);
    weir_trials_tick(trials, T0 + 10 * S);
    assert_int_equal(seen.n_fails, 2);
}

static void test_several_times_over(void **state) {
    struct weir_trials *trials = *state;
    survive(trials, 7, 60 * S);
    survive(trials, 100, 3 * S);
    expect(trials, SERVER, 4 * S, false);
    survive(trials, 1, 60 * S);
    expect(trials, SERVER, 4 * S, true);
}

/* A server's keep-alive limit of five seconds beside segments of four; deploys that reset what
 * rests for long. */
static void test_a_timer_is_no_fault(void **state) {
    struct weir_trials *trials = *state;
    survive(trials, 500, 4 * S);
    expect(trials, SERVER, 5 * S, false);
    expect(trials, SERVER, 35 * S / 10, false); /* too close to be sure */
    expect(trials, SERVER, 120 * S, false);
    weir_trials_tick(trials, T0 + 10 * S);
    assert_int_equal(seen.n_fails, 0);
}

/* One server of the network closes what rests for three seconds, and always did; another keeps it.
 */
static void test_a_timer_beside_a_longer_one(void **state) {
    struct weir_trials *trials = *state;
    for (int i = 0; i < 8; i++) expect(trials, SERVER, 27 * S / 10 + i * S / 100, false);
    survive(trials, 50, 12 * S);
    expect(trials, SERVER, 27 * S / 10, false);
    expect(trials, SERVER, 5 * S, true);
    weir_trials_tick(trials, T0 + 10 * S);
    assert_int_equal(seen.n_fails, 1);
}

/* By role: the interface's host has another timer than the servers of media. */
static void test_other_roles_prove_nothing(void **state) {
    struct weir_trials *trials = *state;
    struct weir_addr server = fake_addr(SERVER);
    survive(trials, 50, 60 * S);
    assert_true(weir_trials_is_premature(trials, FILM, WEIR_ROLE_MEDIA, &server, 10 * S));
    assert_false(weir_trials_is_premature(trials, FILM, WEIR_ROLE_CONTROL, &server, 10 * S));
    assert_false(weir_trials_is_premature(trials, SPORT, WEIR_ROLE_MEDIA, &server, 10 * S));
    assert_false(weir_trials_is_premature(trials, FILM, WEIR_ROLE_MEDIA, &server, -1));
    assert_false(weir_trials_is_premature(trials, FILM, WEIR_ROLE_MEDIA, &server, 0));
}

/* Timers are changed: what was survived hours ago proves less and less. */
static void test_old_pauses_are_forgotten(void **state) {
    struct weir_trials *trials = *state;
    survive(trials, 30, 60 * S);
    struct weir_addr server = fake_addr(SERVER);
    pause_at(trials, SERVER, S, false, T0 + 3601 * S);
    assert_true(weir_trials_is_premature(trials, FILM, WEIR_ROLE_MEDIA, &server, 10 * S));
    pause_at(trials, SERVER, S, false, T0 + 2 * 3602 * S);
    assert_false(weir_trials_is_premature(trials, FILM, WEIR_ROLE_MEDIA, &server, 10 * S));
    survive(trials, 30, 60 * S);
    pause_at(trials, SERVER, S, false, T0 + 1000 * 3600 * S);
    assert_false(weir_trials_is_premature(trials, FILM, WEIR_ROLE_MEDIA, &server, 10 * S));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_sooner_than_connections_last, setup, teardown),
        cmocka_unit_test_setup_teardown(test_several_times_over, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_timer_is_no_fault, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_timer_beside_a_longer_one, setup, teardown),
        cmocka_unit_test_setup_teardown(test_other_roles_prove_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_old_pauses_are_forgotten, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
