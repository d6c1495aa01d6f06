/* Attempts collapse to trials: retries, mixed slots, slots' edges, races, fall-back, names. */
#include "fake.h"

enum { SHOWN = 64 };
static struct {
    struct weir_slot closed[SHOWN];
    struct weir_trial trials[SHOWN][16];
    size_t n_closed;
    struct weir_trial open[16];
    size_t n_open;
    struct weir_connection_end ends[8];
    size_t n_ends;
} seen;

static void on_slot(void *context, const struct weir_slot *slot, bool closed) {
    assert_true(slot->n_trials <= 16);
    if (!closed) {
        seen.n_open = slot->n_trials;
        memcpy(seen.open, slot->trials, slot->n_trials * sizeof seen.open[0]);
        return;
    }
    assert_true(seen.n_closed < SHOWN);
    seen.closed[seen.n_closed] = *slot;
    memcpy(seen.trials[seen.n_closed++], slot->trials, slot->n_trials * sizeof seen.open[0]);
}

static void on_end(void *context, const struct weir_connection_end *end) {
    assert_true(seen.n_ends < 8);
    seen.ends[seen.n_ends++] = *end;
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

#define CLIENT "10.0.0.1"
#define SERVER "192.0.2.1"

static struct weir_evidence put(struct weir_trials *trials, enum weir_layer layer,
                                enum weir_outcome outcome, int64_t now_us, int64_t age_us) {
    struct weir_evidence evidence =
        fake_attempt(FILM, CLIENT, SERVER, layer, outcome, now_us, age_us);
    weir_trials_take(trials, &evidence);
    return evidence;
}

static void ticks(struct weir_trials *trials, int64_t from_us, int64_t to_us) {
    for (int64_t now_us = from_us; now_us <= to_us; now_us += S) weir_trials_tick(trials, now_us);
}

static struct weir_trials_stats stats_of(const struct weir_trials *trials) {
    struct weir_trials_stats stats;
    weir_trials_read_stats(trials, &stats);
    return stats;
}

static void test_retries_are_one_trial(void **state) {
    struct weir_trials *trials = *state;
    for (int i = 0; i < 4; i++)
        put(trials, WEIR_LAYER_CONNECT, WEIR_OUTCOME_SYN_TIMEOUT, T0 + (i + 4) * S, 3 * S);
    weir_trials_tick(trials, T0 + 8 * S);
    assert_int_equal(seen.n_open, 1);
    assert_true(seen.open[0].fail && !seen.open[0].ok);
    assert_int_equal(seen.open[0].attempts_fail, 4);
    assert_int_equal(seen.open[0].kind, WEIR_OUTCOME_SYN_TIMEOUT);
    assert_int_equal(seen.open[0].first_us, T0 + S);
    assert_int_equal(seen.open[0].fail_us, T0 + 4 * S);
}

/* The FAIL is there at once, and taken back in its slot. */
static void test_useful_takes_the_fail_back(void **state) {
    struct weir_trials *trials = *state;
    put(trials, WEIR_LAYER_CONNECT, WEIR_OUTCOME_SYN_TIMEOUT, T0 + 4 * S, 3 * S);
    weir_trials_tick(trials, T0 + 4 * S);
    assert_true(seen.n_open == 1 && seen.open[0].fail && !seen.open[0].ok);
    put(trials, WEIR_LAYER_CONNECT, WEIR_OUTCOME_USEFUL, T0 + 6 * S, S / 2);
    weir_trials_tick(trials, T0 + 6 * S);
    assert_int_equal(seen.n_open, 1);
    assert_true(seen.open[0].ok && seen.open[0].fail); /* mixed */
    assert_int_equal(seen.open[0].ok_us, T0 + 6 * S);
}

/* What worked before the fault does not answer what began after it; only what works later does. */
static void test_a_fault_sets_in(void **state) {
    struct weir_trials *trials = *state;
    put(trials, WEIR_LAYER_CONNECT, WEIR_OUTCOME_SYN_TIMEOUT, T0 + S, 3 * S);
    put(trials, WEIR_LAYER_CONNECT, WEIR_OUTCOME_USEFUL, T0 + 2 * S, S / 2);
    put(trials, WEIR_LAYER_CONNECT, WEIR_OUTCOME_REFUSED, T0 + 6 * S, 3 * S);
    weir_trials_tick(trials, T0 + 6 * S);
    assert_true(seen.n_open == 1 && seen.open[0].fail && !seen.open[0].ok);
    assert_int_equal(seen.open[0].kind, WEIR_OUTCOME_REFUSED);
    assert_int_equal(seen.open[0].first_us, T0 + 3 * S);
    assert_int_equal(seen.open[0].fail_us, T0 + 6 * S);
    assert_int_equal(seen.open[0].last_began_us, T0 + 3 * S);
    assert_int_equal(seen.open[0].back_us, 0); /* nothing was useful since it began */
    put(trials, WEIR_LAYER_CONNECT, WEIR_OUTCOME_USEFUL, T0 + 8 * S, S / 2);
    /* began before that */
    put(trials, WEIR_LAYER_CONNECT, WEIR_OUTCOME_SYN_TIMEOUT, T0 + 9 * S, 3 * S);
    weir_trials_tick(trials, T0 + 9 * S);
    assert_true(seen.open[0].fail && seen.open[0].ok);
    assert_int_equal(seen.open[0].last_began_us, T0 + 6 * S);
    assert_int_equal(seen.open[0].back_us, T0 + 8 * S);
}

/* Starving is seen late: it dates from five seconds before. A hollow answer is seen at once. */
static void test_when_an_answer_failed(void **state) {
    struct weir_trials *trials = *state;
    struct weir_evidence answer = fake_attempt(FILM, CLIENT, SERVER, WEIR_LAYER_SERVE,
                                               WEIR_OUTCOME_STARVED, T0 + 8 * S, 30 * S);
    answer.media = answer.by_session = true;
    weir_trials_take(trials, &answer);
    weir_trials_tick(trials, T0 + 8 * S);
    assert_int_equal(seen.open[0].first_us, T0 - 22 * S);
    assert_int_equal(seen.open[0].last_began_us, T0 + 3 * S);
    answer = fake_attempt(FILM, CLIENT, SERVER, WEIR_LAYER_SERVE, WEIR_OUTCOME_HOLLOW, T0 + 9 * S,
                          2 * S);
    answer.media = answer.by_session = true;
    weir_trials_take(trials, &answer);
    weir_trials_tick(trials, T0 + 9 * S);
    assert_int_equal(seen.open[0].last_began_us, T0 + 9 * S);
}

static void test_slots_have_edges(void **state) {
    struct weir_trials *trials = *state;
    put(trials, WEIR_LAYER_CONNECT, WEIR_OUTCOME_SYN_TIMEOUT, T0 + 10 * S - 1, 3 * S);
    weir_trials_tick(trials, T0 + 10 * S);
    assert_int_equal(seen.n_closed, 1);
    assert_int_equal(seen.closed[0].start_us, T0);
    assert_true(seen.trials[0][0].fail && !seen.trials[0][0].ok);
    assert_int_equal(seen.n_open, 0);
    /* too late to take anything back */
    put(trials, WEIR_LAYER_CONNECT, WEIR_OUTCOME_USEFUL, T0 + 10 * S + 1, S);
    weir_trials_tick(trials, T0 + 20 * S);
    assert_int_equal(seen.n_closed, 2);
    assert_int_equal(seen.closed[1].start_us, T0 + 10 * S);
    assert_true(seen.trials[1][0].ok && !seen.trials[1][0].fail);
}

/* What is decided on the tick that closes the slot still belongs to it: the tick's evidence comes
 * before the tick. */
static void test_the_closing_ticks_evidence_is_in(void **state) {
    struct weir_trials *trials = *state;
    weir_trials_tick(trials, T0 + 9 * S);
    put(trials, WEIR_LAYER_CONNECT, WEIR_OUTCOME_SYN_TIMEOUT, T0 + 10 * S, 3 * S);
    weir_trials_tick(trials, T0 + 10 * S);
    assert_int_equal(seen.n_closed, 1);
    assert_int_equal(seen.closed[0].n_trials, 1);
}

static void test_layers_are_never_pooled(void **state) {
    struct weir_trials *trials = *state;
    put(trials, WEIR_LAYER_DNS, WEIR_OUTCOME_USEFUL, T0 + S, S / 10);
    put(trials, WEIR_LAYER_CONNECT, WEIR_OUTCOME_USEFUL, T0 + 2 * S, S / 10);
    put(trials, WEIR_LAYER_SERVE, WEIR_OUTCOME_REQUEST_TIMEOUT, T0 + 8 * S, 5 * S);
    weir_trials_tick(trials, T0 + 8 * S);
    assert_int_equal(seen.n_open, 3);
    assert_int_equal(seen.open[2].layer, WEIR_LAYER_SERVE);
    assert_true(seen.open[2].fail && !seen.open[2].ok);
}

static void test_prefixes_and_clients_are_kept_apart(void **state) {
    struct weir_trials *trials = *state;
    static const char *const where[4][2] = {
        {CLIENT, SERVER}, {CLIENT, "192.0.2.200"}, {CLIENT, "192.0.3.1"}, {"10.0.0.2", SERVER}};
    for (int i = 0; i < 4; i++) {
        struct weir_evidence evidence =
            fake_attempt(FILM, where[i][0], where[i][1], WEIR_LAYER_CONNECT,
                         WEIR_OUTCOME_SYN_TIMEOUT, T0 + 5 * S, 3 * S);
        evidence.host_hash = 5000u + (unsigned)i;
        weir_trials_take(trials, &evidence);
    }
    weir_trials_tick(trials, T0 + 5 * S);
    assert_int_equal(seen.n_open, 3); /* the second server shares the first one's /24 */
}

/* A dead IPv6 address beside a living IPv4 one: the loser says nothing. */
static void test_happy_eyeballs(void **state) {
    struct weir_trials *trials = *state;
    struct weir_evidence loser = fake_attempt(FILM, CLIENT, "2001:db8::1", WEIR_LAYER_CONNECT,
                                              WEIR_OUTCOME_ICMP, T0 + S, S / 10);
    weir_trials_take(trials, &loser);
    weir_trials_tick(trials, T0 + S);
    assert_int_equal(seen.n_open, 0); /* held */
    put(trials, WEIR_LAYER_CONNECT, WEIR_OUTCOME_USEFUL, T0 + S + S / 2, S / 4);
    ticks(trials, T0 + 2 * S, T0 + 6 * S);
    assert_int_equal(seen.n_open, 1);
    assert_true(seen.open[0].ok && !seen.open[0].fail);
    assert_int_equal(stats_of(trials).race_losers, 1);

    /* A time-out comes after the winner: looked up, not held. */
    loser = fake_attempt(FILM, CLIENT, "2001:db8::1", WEIR_LAYER_CONNECT, WEIR_OUTCOME_SYN_TIMEOUT,
                         T0 + 4 * S + S / 4, 3 * S);
    weir_trials_take(trials, &loser);
    weir_trials_tick(trials, T0 + 7 * S);
    assert_int_equal(stats_of(trials).race_losers, 2);
    assert_int_equal(seen.n_open, 1);
}

/* Of the two families a client has an address each: the winner set out for the same name within
 * half a second. */
static void race_families(struct weir_trials *trials, int64_t loser_us, int64_t winner_us,
                          uint64_t name) {
    struct weir_evidence winner = fake_attempt(FILM, CLIENT, SERVER, WEIR_LAYER_CONNECT,
                                               WEIR_OUTCOME_USEFUL, winner_us + S / 10, S / 10);
    winner.host_hash = name;
    weir_trials_take(trials, &winner);
    struct weir_evidence loser =
        fake_attempt(FILM, "2001:db8:5::2", "2001:db8::1", WEIR_LAYER_CONNECT,
                     WEIR_OUTCOME_SYN_TIMEOUT, loser_us + 3 * S, 3 * S);
    loser.host_hash = 77;
    weir_trials_take(trials, &loser);
}

static void test_race_between_families(void **state) {
    struct weir_trials *trials = *state;
    race_families(trials, T0 + S, T0 + S + S / 4, 77);
    assert_int_equal(stats_of(trials).race_losers, 1);
    /* too late to be the other half of it */
    race_families(trials, T0 + 2 * S, T0 + 2 * S + 6 * S / 10, 77);
    assert_int_equal(stats_of(trials).race_losers, 1);
    race_families(trials, T0 + 3 * S, T0 + 3 * S + S / 4, 78); /* another name */
    assert_int_equal(stats_of(trials).race_losers, 1);
}

/* Nobody wins: held for two seconds from the first packet, then a FAIL. */
static void test_held_failure_is_released(void **state) {
    struct weir_trials *trials = *state;
    put(trials, WEIR_LAYER_CONNECT, WEIR_OUTCOME_REFUSED, T0 + S, S / 10);
    ticks(trials, T0 + S, T0 + 2 * S);
    assert_int_equal(seen.n_open, 0);
    weir_trials_tick(trials, T0 + 3 * S);
    assert_int_equal(seen.n_open, 1);
    assert_true(seen.open[0].fail);
    assert_int_equal(seen.open[0].fail_us, T0 + 3 * S);
}

/* The same address again is a retry, not a race: a third of the connections lost must not vanish.
 */
static void test_same_address_is_no_race(void **state) {
    struct weir_trials *trials = *state;
    put(trials, WEIR_LAYER_CONNECT, WEIR_OUTCOME_USEFUL, T0 + 2 * S, S / 2);
    put(trials, WEIR_LAYER_CONNECT, WEIR_OUTCOME_SYN_TIMEOUT, T0 + 4 * S, 3 * S);
    weir_trials_tick(trials, T0 + 4 * S);
    assert_true(seen.n_open == 1 && seen.open[0].ok && seen.open[0].fail);
    assert_int_equal(stats_of(trials).race_losers, 0);
}

/* A useful connection begun long before is no winner of this race. */
static void test_old_connection_wins_no_race(void **state) {
    struct weir_trials *trials = *state;
    struct weir_evidence old = fake_attempt(FILM, CLIENT, "198.51.100.1", WEIR_LAYER_CONNECT,
                                            WEIR_OUTCOME_USEFUL, T0 + 3 * S, 60 * S);
    weir_trials_take(trials, &old);
    put(trials, WEIR_LAYER_CONNECT, WEIR_OUTCOME_SYN_TIMEOUT, T0 + 5 * S, 3 * S);
    weir_trials_tick(trials, T0 + 5 * S);
    assert_int_equal(seen.n_open, 2);
    assert_true(seen.open[1].fail);
}

static void test_quic_falls_back(void **state) {
    struct weir_trials *trials = *state;
    put(trials, WEIR_LAYER_QUIC, WEIR_OUTCOME_QUIC_TIMEOUT, T0 + 4 * S, 3 * S);
    weir_trials_tick(trials, T0 + 4 * S);
    assert_int_equal(seen.n_open, 0);
    put(trials, WEIR_LAYER_CONNECT, WEIR_OUTCOME_USEFUL, T0 + 5 * S, S / 2);
    weir_trials_tick(trials, T0 + 5 * S);
    assert_int_equal(seen.n_open, 2);
    assert_int_equal(seen.open[1].layer, WEIR_LAYER_QUIC);
    assert_true(seen.open[1].fail && seen.open[1].quic_fell_back);
    assert_int_equal(stats_of(trials).fell_back, 1);
}

/* TCP raced and was useful before QUIC timed out: the same, at once, and not a lost race. */
static void test_quic_blocked_with_tcp_raced(void **state) {
    struct weir_trials *trials = *state;
    put(trials, WEIR_LAYER_CONNECT, WEIR_OUTCOME_USEFUL, T0 + S + S / 2, S / 4);
    put(trials, WEIR_LAYER_QUIC, WEIR_OUTCOME_QUIC_TIMEOUT, T0 + 4 * S, 3 * S);
    weir_trials_tick(trials, T0 + 4 * S);
    assert_int_equal(seen.n_open, 2);
    assert_true(seen.open[1].fail && seen.open[1].quic_fell_back);
}

static void test_quic_and_tcp_both_fail(void **state) {
    struct weir_trials *trials = *state;
    put(trials, WEIR_LAYER_QUIC, WEIR_OUTCOME_QUIC_TIMEOUT, T0 + 4 * S, 3 * S);
    put(trials, WEIR_LAYER_CONNECT, WEIR_OUTCOME_SYN_TIMEOUT, T0 + 5 * S, 3 * S);
    weir_trials_tick(trials, T0 + 5 * S);
    assert_int_equal(seen.n_open, 2);
    assert_true(seen.open[0].fail && seen.open[1].fail);
    assert_false(seen.open[0].quic_fell_back || seen.open[1].quic_fell_back);
}

static void test_quic_alone_fails_in_the_end(void **state) {
    struct weir_trials *trials = *state;
    put(trials, WEIR_LAYER_QUIC, WEIR_OUTCOME_QUIC_TIMEOUT, T0 + 4 * S, 3 * S);
    ticks(trials, T0 + 4 * S, T0 + 10 * S);
    assert_int_equal(seen.closed[0].n_trials, 0);
    ticks(trials, T0 + 11 * S, T0 + 12 * S);
    assert_true(seen.n_open == 1 && seen.open[0].fail && !seen.open[0].quic_fell_back);
}

static void test_tcp_loses_to_quic(void **state) {
    struct weir_trials *trials = *state;
    put(trials, WEIR_LAYER_QUIC, WEIR_OUTCOME_USEFUL, T0 + S + S / 5, S / 5);
    put(trials, WEIR_LAYER_CONNECT, WEIR_OUTCOME_SYN_TIMEOUT, T0 + 4 * S, 3 * S);
    weir_trials_tick(trials, T0 + 4 * S);
    assert_int_equal(seen.n_open, 1);
    assert_int_equal(seen.open[0].layer, WEIR_LAYER_QUIC);
}

static void test_nxdomain_needs_a_name_that_existed(void **state) {
    struct weir_trials *trials = *state;
    put(trials, WEIR_LAYER_DNS, WEIR_OUTCOME_DNS_NXDOMAIN, T0 + S, S / 10);
    weir_trials_tick(trials, T0 + S);
    assert_int_equal(seen.n_open, 0);
    put(trials, WEIR_LAYER_DNS, WEIR_OUTCOME_USEFUL, T0 + 2 * S, S / 10);
    ticks(trials, T0 + 2 * S, T0 + 10 * S);
    put(trials, WEIR_LAYER_DNS, WEIR_OUTCOME_DNS_NXDOMAIN, T0 + 11 * S, S / 10);
    weir_trials_tick(trials, T0 + 11 * S);
    assert_true(seen.n_open == 1 && seen.open[0].fail);
    struct weir_addr resolver = fake_addr(SERVER);
    /* itself, not its network */
    assert_int_equal(weir_addr_compare(&seen.open[0].prefix, &resolver), 0);
    int64_t later = T0 + 8 * INT64_C(86400) * S;
    put(trials, WEIR_LAYER_DNS, WEIR_OUTCOME_DNS_NXDOMAIN, later, S / 10);
    weir_trials_tick(trials, later);
    assert_int_equal(seen.n_open, 0);
}

/* A flood of random names under a service's own: each is asked once, and its authority does not
 * answer. */
static void test_silence_about_an_unknown_name_counts_when_it_is_asked_again(void **state) {
    struct weir_trials *trials = *state;
    struct weir_evidence lookup = fake_attempt(FILM, CLIENT, SERVER, WEIR_LAYER_DNS,
                                               WEIR_OUTCOME_DNS_TIMEOUT, T0 + 5 * S, 5 * S);
    lookup.dns.queries = 1;
    lookup.host_hash = 1;
    weir_trials_take(trials, &lookup);
    ticks(trials, T0 + 5 * S, T0 + 5 * S);
    assert_true(seen.n_open == 1 && seen.open[0].fail); /* the only one counts */
    for (lookup.host_hash = 2; lookup.host_hash < 100; lookup.host_hash++)
        weir_trials_take(trials, &lookup);
    ticks(trials, T0 + 6 * S, T0 + 20 * S);
    lookup.now_us = lookup.ts_us = T0 + 21 * S;
    weir_trials_take(trials, &lookup);
    weir_trials_tick(trials, T0 + 21 * S);
    assert_int_equal(seen.n_open, 0);
    lookup.host_hash = 50; /* again */
    weir_trials_take(trials, &lookup);
    weir_trials_tick(trials, T0 + 21 * S);
    assert_true(seen.n_open == 1 && seen.open[0].fail);
}

static void test_silence_counts_at_once_after_a_retry_or_for_a_known_name(void **state) {
    struct weir_trials *trials = *state;
    struct weir_evidence lookup = fake_attempt(FILM, CLIENT, SERVER, WEIR_LAYER_DNS,
                                               WEIR_OUTCOME_DNS_TIMEOUT, T0 + 5 * S, 5 * S);
    lookup.dns.queries = 2;
    weir_trials_take(trials, &lookup);
    weir_trials_tick(trials, T0 + 5 * S);
    assert_true(seen.n_open == 1 && seen.open[0].fail);
    struct weir_evidence known = fake_attempt(FILM, CLIENT, SERVER, WEIR_LAYER_DNS,
                                              WEIR_OUTCOME_USEFUL, T0 + 11 * S, S / 10);
    known.host_hash = 4711;
    weir_trials_take(trials, &known);
    ticks(trials, T0 + 6 * S, T0 + 20 * S);
    known = lookup;
    known.now_us = known.ts_us = T0 + 25 * S;
    known.first_us = T0 + 20 * S;
    known.host_hash = 4711;
    known.dns.queries = 1;
    weir_trials_take(trials, &known);
    weir_trials_tick(trials, T0 + 25 * S);
    assert_true(seen.n_open == 1 && seen.open[0].fail);
}

static void test_neutral_is_no_trial(void **state) {
    struct weir_trials *trials = *state;
    put(trials, WEIR_LAYER_CONNECT, WEIR_OUTCOME_NEUTRAL, T0 + S, S);
    put(trials, WEIR_LAYER_DNS, WEIR_OUTCOME_NEUTRAL, T0 + S, S);
    struct weir_evidence unnamed = fake_attempt(WEIR_SERVICE_NONE, CLIENT, SERVER,
                                                WEIR_LAYER_CONNECT, WEIR_OUTCOME_USEFUL, T0 + S, 0);
    weir_trials_take(trials, &unnamed);
    weir_trials_tick(trials, T0 + S);
    assert_int_equal(seen.n_open, 0);
}

/* Requests: media only, not of a young flow whose start was not seen; answers are
 * judged by sessions. */
static void test_which_requests_count(void **state) {
    struct weir_trials *trials = *state;
    struct weir_evidence request = fake_attempt(FILM, CLIENT, SERVER, WEIR_LAYER_SERVE,
                                                WEIR_OUTCOME_REQUEST_TIMEOUT, T0 + 6 * S, 5 * S);
    struct weir_evidence api = request, young = request, answered = request;
    api.media = false;
    young.midstream = true;
    answered.outcome = WEIR_OUTCOME_USEFUL;
    weir_trials_take(trials, &api);
    weir_trials_take(trials, &young);
    weir_trials_take(trials, &answered);
    weir_trials_tick(trials, T0 + 6 * S);
    assert_int_equal(seen.n_open, 0);
    struct weir_evidence served = young; /* that it works needs no past */
    served.by_session = true;
    served.outcome = WEIR_OUTCOME_USEFUL;
    weir_trials_take(trials, &served);
    weir_trials_tick(trials, T0 + 6 * S);
    assert_int_equal(seen.n_open, 1);
    assert_true(seen.open[0].ok && !seen.open[0].fail);
    young.flow_first_us = T0 - 60 * S;
    weir_trials_take(trials, &young);
    answered.by_session = true;
    weir_trials_take(trials, &answered);
    weir_trials_tick(trials, T0 + 7 * S);
    assert_int_equal(seen.n_open, 1);
    assert_true(seen.open[0].fail && seen.open[0].ok && seen.open[0].media);
    struct weir_evidence audio = request;
    audio.service = RADIO;
    weir_trials_take(trials, &audio);
    weir_trials_tick(trials, T0 + 8 * S);
    assert_int_equal(seen.n_open, 2);
}

/* Asked in vain with words of an unknown size, given up, asked again: a failure when the client has
 * been waiting for longer than the service takes. */
static void test_asked_again_in_vain(void **state) {
    struct weir_trials *trials = *state;
    struct weir_evidence progress = fake_progress(FILM, CLIENT, SERVER, T0 + 6 * S, 0, 0);
    progress.progress.timeout_us = 5 * S;
    progress.progress.unsure_us = 6 * S;
    weir_trials_take(trials, &progress);
    weir_trials_tick(trials, T0 + 6 * S);
    assert_int_equal(seen.n_open, 0);
    progress.now_us = progress.ts_us = T0 + 9 * S;
    progress.progress.unsure_us = S;
    weir_trials_take(trials, &progress);
    weir_trials_tick(trials, T0 + 9 * S);
    assert_int_equal(seen.n_open, 1);
    assert_true(seen.open[0].fail && !seen.open[0].ok);
    assert_int_equal(seen.open[0].kind, WEIR_OUTCOME_REQUEST_TIMEOUT);
    assert_int_equal(seen.open[0].wait_us, 9 * S);
}

static void test_rejects_need_two_clients(void **state) {
    struct weir_trials *trials = *state;
    for (int i = 0; i < 3; i++)
        put(trials, WEIR_LAYER_CONNECT, WEIR_OUTCOME_SUSPECT_REJECT, T0 + (3 + i) * S, 3 * S);
    weir_trials_tick(trials, T0 + 6 * S);
    assert_int_equal(seen.n_open, 0);
    struct weir_evidence other = fake_attempt(FILM, "10.0.0.2", SERVER, WEIR_LAYER_CONNECT,
                                              WEIR_OUTCOME_SUSPECT_REJECT, T0 + 7 * S, 3 * S);
    weir_trials_take(trials, &other);
    weir_trials_tick(trials, T0 + 7 * S);
    assert_int_equal(seen.n_open, 1);
}

static void test_connection_ends(void **state) {
    struct weir_trials *trials = *state;
    struct weir_evidence end =
        fake_attempt(FILM, CLIENT, SERVER, WEIR_LAYER_CONNECT, WEIR_OUTCOME_NONE, T0 + S, S);
    end.kind = WEIR_EVIDENCE_END;
    end.end.end = WEIR_END_FIN;
    weir_trials_take(trials, &end);
    end.end.end = WEIR_END_RST;
    end.end.rst_mid = true;
    weir_trials_take(trials, &end);
    end.end.end = WEIR_END_OPEN; /* the capture ended, not the connection */
    weir_trials_take(trials, &end);
    assert_int_equal(seen.n_ends, 2);
    assert_false(seen.ends[0].rst_mid);
    assert_true(seen.ends[1].rst_mid);
    weir_trials_tick(trials, T0 + S);
    assert_int_equal(seen.n_open, 0);
}

/* What a server repeats to a client that is gone; a long download that was running before. */
static void test_leftovers_did_not_end_well(void **state) {
    struct weir_trials *trials = *state;
    struct weir_evidence end =
        fake_attempt(FILM, CLIENT, SERVER, WEIR_LAYER_CONNECT, WEIR_OUTCOME_NONE, T0 + S, S);
    end.kind = WEIR_EVIDENCE_END;
    end.end.end = WEIR_END_RST;
    end.midstream = end.end.unasked = true;
    weir_trials_take(trials, &end);
    assert_int_equal(seen.n_ends, 0);
    end.end.rst_mid = true;
    weir_trials_take(trials, &end);
    assert_int_equal(seen.n_ends, 1);
    end.end.rst_mid = end.end.unasked = false;
    weir_trials_take(trials, &end);
    assert_int_equal(seen.n_ends, 2);
}

static void test_finish_decides_what_is_held(void **state) {
    struct weir_trials *trials = *state;
    put(trials, WEIR_LAYER_CONNECT, WEIR_OUTCOME_REFUSED, T0 + S, S / 10);
    weir_trials_finish(trials, T0 + S + 1);
    assert_int_equal(seen.n_closed, 1);
    assert_int_equal(seen.closed[0].n_trials, 1);
}

static void test_bounds_are_counted(void **state) {
    memset(&seen, 0, sizeof seen);
    struct weir_trials *trials;
    const struct weir_trials_config config = {
        .on_slot = on_slot, .trials_max = 2, .held_max = 1, .useful_max = 1, .names_max = 1};
    assert_int_equal(weir_trials_new(&trials, &config), 0);
    for (unsigned i = 0; i < 5; i++) {
        struct weir_evidence evidence = fake_attempt(FILM, CLIENT, SERVER, WEIR_LAYER_CONNECT,
                                                     WEIR_OUTCOME_REFUSED, T0 + S, S / 10);
        evidence.client.bytes[15] = (uint8_t)i;
        weir_trials_take(trials, &evidence);
    }
    assert_int_equal(stats_of(trials).held_refused, 4);
    weir_trials_tick(trials, T0 + 9 * S);
    assert_int_equal(seen.n_open, 2);
    assert_int_equal(stats_of(trials).trials_refused, 3);
    for (unsigned i = 0; i < 10000; i++) { /* names and races: the oldest make room */
        struct weir_evidence name =
            fake_attempt(FILM, CLIENT, SERVER, WEIR_LAYER_DNS, WEIR_OUTCOME_USEFUL, T0 + 9 * S, 0);
        name.host_hash = i + 1;
        weir_trials_take(trials, &name);
        struct weir_evidence winner = fake_attempt(FILM, CLIENT, SERVER, WEIR_LAYER_CONNECT,
                                                   WEIR_OUTCOME_USEFUL, T0 + 9 * S, 0);
        winner.host_hash = i + 1;
        weir_trials_take(trials, &winner);
    }
    assert_true(stats_of(trials).names_evicted > 9000);
    weir_trials_free(trials);
}

/* A media request of `port` at `asked` seconds after T0: timed out after 5 s; answered at `at`. */
static struct weir_evidence request_of(uint16_t port, double asked, double at,
                                       enum weir_outcome outcome) {
    struct weir_evidence evidence =
        fake_attempt(FILM, CLIENT, SERVER, WEIR_LAYER_SERVE, outcome, T0 + (int64_t)(at * 1e6),
                     (int64_t)((at - asked) * 1e6));
    evidence.client_port = port;
    evidence.media = true;
    return evidence;
}

static void hangs(struct weir_trials *trials, uint16_t port, double asked) {
    struct weir_evidence evidence =
        request_of(port, asked, asked + 5, WEIR_OUTCOME_REQUEST_TIMEOUT);
    weir_trials_take(trials, &evidence);
}

static void answers(struct weir_trials *trials, uint16_t port, double asked, double at) {
    struct weir_evidence evidence = request_of(port, asked, at, WEIR_OUTCOME_USEFUL);
    weir_trials_take(trials, &evidence);
}

static bool says_nothing(const struct weir_trial *trial) { return !trial->fail && !trial->ok; }

/* Held for 6 s: a FAIL for one second, and then nothing. */
static void test_a_late_answer_takes_the_fail_back(void **state) {
    struct weir_trials *trials = *state;
    hangs(trials, 1, 2);
    weir_trials_tick(trials, T0 + 7 * S);
    assert_true(seen.n_open == 1 && seen.open[0].fail);
    answers(trials, 1, 2, 8);
    weir_trials_tick(trials, T0 + 8 * S);
    assert_true(says_nothing(&seen.open[0]));
    weir_trials_tick(trials, T0 + 10 * S);
    assert_true(says_nothing(&seen.trials[0][0]));
    assert_int_equal(seen.n_open, 0);
}

/* Timed out in one slot and answered in the next: the first says nothing, in the second it stands
 * until the answer comes, beside what fails and works in that slot. */
static void test_a_late_answer_of_the_next_slot(void **state) {
    struct weir_trials *trials = *state;
    hangs(trials, 1, 4);
    hangs(trials, 2, 4.5);
    weir_trials_tick(trials, T0 + 10 * S);
    assert_true(says_nothing(&seen.trials[0][0]));
    assert_true(seen.n_open == 1 && seen.open[0].fail && seen.open[0].attempts_fail == 2);
    assert_int_equal(seen.open[0].fail_us, T0 + 9 * S);
    struct weir_evidence useful = request_of(3, 10, 10.5, WEIR_OUTCOME_USEFUL);
    useful.by_session = true;
    weir_trials_take(trials, &useful);
    answers(trials, 1, 4, 10.6);
    weir_trials_tick(trials, T0 + 11 * S);
    assert_true(seen.n_open == 2 && seen.open[0].fail && !seen.open[0].ok); /* the other one's */
    assert_true(seen.open[1].ok && !seen.open[1].fail);
    answers(trials, 2, 4.5, 11.5);
    weir_trials_tick(trials, T0 + 12 * S);
    assert_true(says_nothing(&seen.open[0]));
    weir_trials_tick(trials, T0 + 20 * S);
    assert_true(says_nothing(&seen.trials[1][0]) && seen.trials[1][1].ok);
}

/* Nobody answers for ten seconds: it stands, once, and an answer after that changes nothing. A
 * freeze over two slots leaves a FAIL of each, and none is ever out of sight. */
static void test_no_answer_stands(void **state) {
    struct weir_trials *trials = *state;
    hangs(trials, 1, 4); /* 9: stands from 14 on */
    ticks(trials, T0 + 9 * S, T0 + 10 * S);
    assert_true(seen.n_open == 1 && seen.open[0].fail);
    ticks(trials, T0 + 11 * S, T0 + 14 * S);
    answers(trials, 1, 4, 14.5);
    /* 14.5: asked again on another connection, it is a trial of its own slot */
    hangs(trials, 1, 9.5);
    weir_trials_tick(trials, T0 + 15 * S);
    assert_true(seen.n_open == 2 && seen.open[0].fail && seen.open[1].fail);
    ticks(trials, T0 + 16 * S, T0 + 20 * S);
    assert_int_equal(seen.n_closed, 2);
    assert_true(says_nothing(&seen.trials[0][0]));
    assert_true(seen.closed[1].n_trials == 2 && seen.trials[1][0].fail && seen.trials[1][1].fail);
    assert_int_equal(seen.n_open, 0);
}

/* One late trial of `n_useful` + 1 of its service: goes on into the next slot, or stands in its
 * own. */
static void one_late_of(struct weir_trials *trials, double asked, unsigned n_useful) {
    hangs(trials, 1, asked);
    for (unsigned i = 0; i < n_useful; i++) {
        struct weir_evidence useful = request_of(2, asked, asked + 5.1, WEIR_OUTCOME_USEFUL);
        useful.by_session = true;
        useful.client.bytes[15] = (uint8_t)(100 + i);
        weir_trials_take(trials, &useful);
    }
}

/* Among many it is one of the failures that a healthy service has, and those around it outweigh it:
 * six at the most. */
static void test_one_late_of_many_stands(void **state) {
    struct weir_trials *trials = *state;
    one_late_of(trials, 4, 4); /* one of five */
    weir_trials_tick(trials, T0 + 10 * S);
    assert_true(says_nothing(&seen.trials[0][0]) && seen.n_open == 1 && seen.open[0].fail);
    answers(trials, 1, 4, 10.5);
    one_late_of(trials, 14, 5); /* one of six */
    weir_trials_tick(trials, T0 + 20 * S);
    assert_int_equal(seen.closed[1].n_trials, 7); /* and what was taken back */
    assert_true(says_nothing(&seen.trials[1][0]) && seen.trials[1][1].fail);
    assert_int_equal(seen.n_open, 0);
}

/* What else failed in the slot is not answered by it; what was useful before it comes back. */
static void test_a_late_answer_answers_for_itself(void **state) {
    struct weir_trials *trials = *state;
    hangs(trials, 1, 2);
    struct weir_evidence reset = request_of(2, 7, 8, WEIR_OUTCOME_RST_MID);
    weir_trials_take(trials, &reset);
    answers(trials, 1, 2, 8.5);
    weir_trials_tick(trials, T0 + 10 * S);
    assert_true(seen.trials[0][0].fail && seen.trials[0][0].attempts_fail == 1);
    struct weir_evidence useful = request_of(3, 10, 10.5, WEIR_OUTCOME_USEFUL);
    useful.by_session = true;
    weir_trials_take(trials, &useful);
    hangs(trials, 4, 11);
    weir_trials_tick(trials, T0 + 16 * S);
    assert_true(seen.open[0].fail && !seen.open[0].ok);
    answers(trials, 4, 11, 17);
    weir_trials_tick(trials, T0 + 17 * S);
    assert_true(!seen.open[0].fail && seen.open[0].ok);
}

/* Media and telemetry behind one /24: the one's success does not answer for the other. */
static void test_roles_are_kept_apart(void **state) {
    struct weir_trials *trials = *state;
    struct weir_evidence media =
        fake_attempt(FILM, CLIENT, SERVER, WEIR_LAYER_CONNECT, WEIR_OUTCOME_USEFUL, T0 + S, S);
    struct weir_evidence control = fake_attempt(FILM, CLIENT, SERVER, WEIR_LAYER_CONNECT,
                                                WEIR_OUTCOME_TLS_ALERT, T0 + 4 * S, 3 * S);
    media.role = WEIR_ROLE_MEDIA;
    control.role = WEIR_ROLE_CONTROL;
    control.host_hash = 77;
    weir_trials_take(trials, &media);
    weir_trials_take(trials, &control);
    control.host_hash = 78; /* the first failing host is told */
    weir_trials_take(trials, &control);
    weir_trials_tick(trials, T0 + 5 * S);
    assert_int_equal(seen.n_open, 2);
    assert_true(seen.open[0].role == WEIR_ROLE_MEDIA && seen.open[0].ok && !seen.open[0].fail);
    assert_true(seen.open[1].role == WEIR_ROLE_CONTROL && seen.open[1].fail && !seen.open[1].ok);
    assert_int_equal(seen.open[1].host_hash, 77);
}

static void wait_one(struct weir_trials *trials, int64_t now_us, int64_t waiting_us) {
    struct weir_evidence progress = fake_progress(FILM, CLIENT, SERVER, now_us, 0, waiting_us);
    progress.progress.timeout_us = 5 * S;
    weir_trials_take(trials, &progress);
}

/* A request that hangs is not one failure: it fails in every slot, says how rare such a wait is,
 * and stops with the answer. */
static void test_a_request_that_hangs_fails_in_each_slot(void **state) {
    struct weir_trials *trials = *state;
    for (int i = 0; i < 99; i++) {
        struct weir_evidence chunk = fake_chunk(FILM, CLIENT, SERVER, T0, 900000, S / 100, S / 2);
        weir_trials_take(trials, &chunk);
    }
    float nats = 0;
    for (int s = 1; s <= 25; s++) { /* asked at T0 */
        wait_one(trials, T0 + s * S, s * S);
        weir_trials_tick(trials, T0 + s * S);
        /* the tick that closes a slot shows the next one, still empty */
        bool shown_closed = s % 10 == 0;
        if (shown_closed) continue;
        assert_int_equal(seen.n_open, 1);
        assert_int_equal(seen.open[0].wait_us, s * S);
        assert_true(seen.open[0].wait_nats >= nats);
        assert_int_equal(seen.open[0].fail, s >= 5);
        nats = seen.open[0].wait_nats;
    }
    assert_true(nats > 4.5f);
    weir_trials_tick(trials, T0 + 26 * S); /* answered: it waits no more */
    assert_true(seen.open[0].wait_us == 0 && seen.open[0].wait_nats == 0);
    assert_int_equal(seen.n_closed, 2);
    assert_true(seen.trials[0][0].fail && seen.trials[1][0].fail);
    wait_one(trials, T0 + 65 * S, 61 * S); /* forgotten by the client as well */
    weir_trials_tick(trials, T0 + 65 * S);
    assert_int_equal(seen.n_open, 0);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_retries_are_one_trial),
        TEST(test_useful_takes_the_fail_back),
        TEST(test_a_fault_sets_in),
        TEST(test_slots_have_edges),
        TEST(test_the_closing_ticks_evidence_is_in),
        TEST(test_layers_are_never_pooled),
        TEST(test_prefixes_and_clients_are_kept_apart),
        TEST(test_happy_eyeballs),
        TEST(test_race_between_families),
        TEST(test_held_failure_is_released),
        TEST(test_same_address_is_no_race),
        TEST(test_old_connection_wins_no_race),
        TEST(test_quic_falls_back),
        TEST(test_quic_blocked_with_tcp_raced),
        TEST(test_quic_and_tcp_both_fail),
        TEST(test_quic_alone_fails_in_the_end),
        TEST(test_tcp_loses_to_quic),
        TEST(test_nxdomain_needs_a_name_that_existed),
        TEST(test_neutral_is_no_trial),
        TEST(test_which_requests_count),
        TEST(test_asked_again_in_vain),
        TEST(test_silence_about_an_unknown_name_counts_when_it_is_asked_again),
        TEST(test_silence_counts_at_once_after_a_retry_or_for_a_known_name),
        TEST(test_rejects_need_two_clients),
        TEST(test_connection_ends),
        TEST(test_leftovers_did_not_end_well),
        TEST(test_finish_decides_what_is_held),
        TEST(test_a_late_answer_takes_the_fail_back),
        TEST(test_a_late_answer_of_the_next_slot),
        TEST(test_no_answer_stands),
        TEST(test_one_late_of_many_stands),
        TEST(test_a_late_answer_answers_for_itself),
        TEST(test_roles_are_kept_apart),
        TEST(test_a_request_that_hangs_fails_in_each_slot),
        TEST(test_when_an_answer_failed),
        cmocka_unit_test(test_bounds_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
