/* The detectors' arithmetic by hand-worked numbers. */
#undef NDEBUG
#include <assert.h>
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "detect/likelihood.h"
#include "site.h"

#define assert_near(a, b, by) assert_true(fabs((a) - (b)) <= (by))

static void bernoulli_steps(void **state) {
    struct weir_bernoulli trials = weir_bernoulli(0.02, 0.5), ends = weir_bernoulli(0.005, 0.1);
    assert_near(trials.fail, 3.218876, 1e-6); /* ln 25 */
    assert_near(trials.ok, -0.672944, 1e-6);  /* ln (0.5/0.98) */
    assert_near(ends.fail, 2.995732, 1e-6);   /* ln 20 */
    assert_near(ends.ok, -0.100348, 1e-6);    /* ln (0.9/0.995) */
}

static void cusum_by_hand(void **state) {
    struct weir_bernoulli step = weir_bernoulli(0.02, 0.5);
    struct weir_cusum cusum = {0};
    for (int i = 0; i < 4; i++) weir_cusum_fail(&cusum, step, 1, 28, 100 + i, 90);
    assert_near(cusum.s, 12.875503, 1e-5); /* four in a row: below 14 */
    weir_cusum_fail(&cusum, step, 1, 28, 104, 90);
    assert_near(cusum.s, 16.094379, 1e-5);
    assert_int_equal(cusum.onset_us, 100);
    assert_int_equal(cusum.began_us, 90);
    for (int i = 0; i < 9; i++) weir_cusum_fail(&cusum, step, 1, 28, 200, 200);
    assert_near(cusum.s, 28, 1e-9); /* the cap */
}

static void cusum_onset_is_the_last_zero(void **state) {
    struct weir_bernoulli step = weir_bernoulli(0.02, 0.5);
    struct weir_cusum cusum = {0};
    weir_cusum_fail(&cusum, step, 1, 28, 1, 1);
    weir_cusum_ok(&cusum, step);
    assert_near(cusum.s, 2.545932, 1e-5);
    for (int i = 0; i < 4; i++) weir_cusum_ok(&cusum, step);
    assert_true(cusum.s == 0);
    weir_cusum_fail(&cusum, step, 0, 28, 5, 5); /* weight 0: nothing */
    assert_true(cusum.s == 0);
    weir_cusum_fail(&cusum, step, 0.5, 28, 9, 8);
    assert_near(cusum.s, 1.609438, 1e-5);
    assert_int_equal(cusum.onset_us, 9);
}

static void wilson_by_hand(void **state) {
    struct weir_interval all = weir_wilson(14, 14);
    assert_near(all.low, 0.784689, 1e-5); /* 14/(14 + z^2) */
    assert_true(all.high == 1);
    assert_near(weir_wilson(16, 16).low, 0.806389, 1e-5); /* the 16 that DOWN asks for */
    assert_true(weir_wilson(15, 15).low < 0.8);
    struct weir_interval half = weir_wilson(5, 10);
    assert_near(half.low, 0.236593, 1e-5);
    assert_near(half.high, 0.763407, 1e-5);
    struct weir_interval none = weir_wilson(0, 10);
    assert_true(none.low == 0);
    assert_near(none.high, 0.277533, 1e-5);
    assert_true(weir_wilson(0, 0).low == 0 && weir_wilson(0, 0).high == 1);
}

static void fisher_by_hand(void **state) {
    assert_near(weir_fisher((struct weir_tally){5, 5}, (struct weir_tally){0, 3}), 1.0 / 56, 1e-9);
    assert_near(weir_fisher((struct weir_tally){5, 5}, (struct weir_tally){0, 2}), 1.0 / 21, 1e-9);
    assert_near(weir_fisher((struct weir_tally){3, 4}, (struct weir_tally){1, 4}), 17.0 / 70,
                1e-9); /* the lady tasting tea */
    assert_near(weir_fisher((struct weir_tally){0, 4}, (struct weir_tally){4, 4}), 1, 1e-9);
    assert_near(weir_fisher((struct weir_tally){4, 4}, (struct weir_tally){0, 0}), 1, 1e-9);
    assert_near(weir_fisher((struct weir_tally){2, 5}, (struct weir_tally){3, 20}), 0.2515, 1e-3);
    assert_true(weir_fisher((struct weir_tally){900, 1000}, (struct weir_tally){100, 60000}) <
                1e-100);
}

static void rest_not_failing(void **state) {
    assert_true(weir_rest_is_fine((struct weir_tally){1, 2}));
    assert_true(weir_rest_is_fine((struct weir_tally){3, 20}));
    assert_false(weir_rest_is_fine((struct weir_tally){2, 10}));
}

static void sprt_by_hand(void **state) {
    struct weir_bernoulli step = weir_bernoulli(0.02, 0.5);
    double bound = weir_sprt_bound(0.01);
    assert_near(bound, 4.595120, 1e-5); /* ln 99 */
    struct weir_sprt sprt = {0};
    for (int i = 0; i < 6; i++)
        assert_int_equal(weir_sprt_step(&sprt, step, false, 1, bound), WEIR_SPRT_OPEN);
    /* 7 x 0.673 = 4.71 */
    assert_int_equal(weir_sprt_step(&sprt, step, false, 1, bound), WEIR_SPRT_GOOD);
    assert_true(sprt.llr == 0);
    assert_int_equal(weir_sprt_step(&sprt, step, true, 1, bound), WEIR_SPRT_OPEN);
    assert_int_equal(weir_sprt_step(&sprt, step, true, 1, bound), WEIR_SPRT_BAD);
}

#define NATS 3.912023 /* -ln 0.02 */

/* n failures and nothing before: each arm has R_n = (1 + R_(n-1)) (1 - q + q / p0). */
static double evidence_of(int n) {
    static const double shares[] = {0.98, 0.5, 0.3}, weights[] = {0.4, 0.35, 0.25};
    double sum = 0;
    for (int arm = 0; arm < 3; arm++) {
        double r = 0;
        for (int i = 0; i < n; i++) r = (1 + r) * (1 - shares[arm] + shares[arm] / 0.02);
        sum += weights[arm] * r;
    }
    return log(sum);
}

/* Four failures are enough for a small site's 14, three are not; and what a useful trial takes
 * back. */
static void mixture_by_hand(void **state) {
    static const double shares[WEIR_ARMS] = {1, 0.5, 0.3};
    struct weir_mixture_rule rule = weir_mixture_rule(0.02, shares, 28);
    struct weir_mixture mixture = {.s = 0};
    for (int i = 1; i <= 4; i++) {
        weir_mixture_fail(&mixture, &rule, NATS, 100 + i, 50 + i);
        assert_near(mixture.s, evidence_of(i), 1e-4);
    }
    assert_true(evidence_of(3) < 14 && mixture.s > 14);
    assert_true(mixture.onset_us == 101 && mixture.began_us == 51);
    for (int i = 0; i < 3; i++) weir_mixture_ok(&mixture, &rule);
    /* "half fail" holds most of it, "all fail" is out */
    assert_true(mixture.s > 8 && mixture.s < 13);
    for (int i = 0; i < 60; i++) weir_mixture_ok(&mixture, &rule);
    assert_true(mixture.s < 1);
    weir_mixture_fail(&mixture, &rule, NATS, 999, 990);
    assert_true(mixture.onset_us == 999 && mixture.began_us == 990);
    for (int i = 0; i < 100; i++) weir_mixture_fail(&mixture, &rule, NATS, 2000, 2000);
    assert_near(mixture.s, 28, 1e-6);
}

/* By chance: at p0 a threshold of e^h is passed at most once in e^h trials. h = 5: 148. */
static void mixture_runs_long(void **state) {
    static const double shares[WEIR_ARMS] = {0.3, 0.1, 0.04};
    struct weir_mixture_rule rule = weir_mixture_rule(0.02, shares, 50);
    uint64_t seed = 88172645463325252, trials = 0;
    unsigned alarms = 0;
    struct weir_mixture mixture = {.s = 0};
    for (; trials < 300000; trials++) {
        seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
        if ((double)(seed >> 11) / 9007199254740992.0 < 0.02)
            weir_mixture_fail(&mixture, &rule, NATS, 1, 1);
        else
            weir_mixture_ok(&mixture, &rule);
        if (mixture.s >= 5) {
            alarms++;
            mixture = (struct weir_mixture){.s = 0};
        }
    }
    assert_true(alarms > 10 && alarms < trials / 148);
}

static struct weir_track_rule rule_of_methods(void) {
    static const double hard[WEIR_ARMS] = {1, 0.5, 0.3}, slow[WEIR_ARMS] = {0.3, 0.1, 0.04};
    return (struct weir_track_rule){.hard_mixture = weir_mixture_rule(0.02, hard, 28),
                                    .slow_mixture = weir_mixture_rule(0.02, slow, 50),
                                    .hard = weir_bernoulli(0.02, 0.5),
                                    .slow = weir_bernoulli(0.02, 0.1),
                                    .h = 14,
                                    .h_slow = 25,
                                    .sprt_bound = weir_sprt_bound(0.01),
                                    .stale_us = 300 * SECOND};
}

static void open_slot_is_provisional(void **state) {
    struct weir_track_rule rule = rule_of_methods();
    struct weir_track track = {0};
    struct weir_track_trial fail = {.fail = true,
                                    .weight = 1,
                                    .slow_weight = 1,
                                    .nats = NATS,
                                    .at_us = 5,
                                    .began_us = 5},
                            ok = {.ok = true, .at_us = 6};
    weir_track_fold(&track, &rule, &fail, 1, false);
    weir_track_fold(&track, &rule, &fail, 1, false);
    assert_near(weir_track_now(&track, 1)->hard.s, evidence_of(2), 1e-4);
    assert_true(weir_track_now(&track, 2)->hard.s == 0); /* the next tick begins anew */
    weir_track_fold(&track, &rule, &fail, 2, false);     /* one was taken back */
    assert_near(weir_track_now(&track, 2)->hard.s, evidence_of(1), 1e-4);
    weir_track_fold(&track, &rule, &ok, 3, true);
    assert_true(weir_track_now(&track, 4)->hard.s == 0 && track.useful == 1);
}

static void mixed_slot_counts_twice_in_the_slow_cusum(void **state) {
    struct weir_track_rule rule = rule_of_methods();
    struct weir_track track = {0};
    struct weir_track_trial mixed = {.ok = true,
                                     .fail = true,
                                     .weight = 1,
                                     .slow_weight = 1,
                                     .nats = NATS,
                                     .at_us = 5,
                                     .began_us = 5};
    weir_track_fold(&track, &rule, &mixed, 1, true);
    assert_true(track.committed.hard.s == 0);
    /* ln(0.4 x 11.93 + 0.35 x 6.337 + 0.25 x 3.879) */
    assert_near(track.committed.slow.s, 2.0744, 1e-3);
    assert_int_equal(track.committed.slow_mixed, 1);
}

static void sprt_ends_an_outage(void **state) {
    struct weir_track_rule rule = rule_of_methods();
    struct weir_track track = {0};
    struct weir_track_trial fail = {.fail = true,
                                    .weight = 1,
                                    .slow_weight = 1,
                                    .nats = NATS,
                                    .at_us = 5,
                                    .began_us = 5},
                            ok = {.ok = true, .at_us = 6};
    for (int i = 0; i < 20; i++) weir_track_fold(&track, &rule, &fail, 1, true);
    assert_true(track.committed.hard_alarm && track.committed.hard.s == 28);
    /* The test may stand just below its upper bound (one failure, 3.2) when the outage ends: at
     * most twelve good trials. */
    int n = 0;
    while (track.committed.hard_alarm) {
        weir_track_fold(&track, &rule, &ok, 1, true);
        n++;
        assert_true(n <= 12);
    }
    assert_true(n >= 7);
    assert_true(track.committed.hard.s == 0);
}

static void evidence_before_a_silence_is_dropped(void **state) {
    struct weir_track_rule rule = rule_of_methods();
    struct weir_track track = {0};
    struct weir_track_trial fail = {
        .fail = true, .weight = 1, .slow_weight = 1, .nats = NATS, .at_us = T0, .began_us = T0};
    for (int i = 0; i < 4; i++) weir_track_fold(&track, &rule, &fail, 1, true);
    fail.at_us = T0 + 300 * SECOND;
    weir_track_fold(&track, &rule, &fail, 1, true);
    assert_near(track.committed.hard.s, evidence_of(5), 1e-4);
    assert_true(track.committed.hard_alarm);
    fail.at_us += 301 * SECOND;
    weir_track_fold(&track, &rule, &fail, 1, true);
    assert_near(track.committed.hard.s, evidence_of(1), 1e-4);
    /* what an outage was hours ago doesn't raise the next */
    assert_false(track.committed.hard_alarm);
    assert_int_equal(track.committed.hard.onset_us, fail.at_us);
}

static void options_are_whole(void **state) {
    size_t n;
    const struct weir_detect_option *options = weir_detect_options(&n);
    assert_int_equal(n * sizeof(double), sizeof(struct weir_detect_config)); /* one row a member */
    bool covered[sizeof(struct weir_detect_config) / sizeof(double)] = {false};
    struct weir_detect_config config;
    weir_detect_config_default(&config);
    for (size_t i = 0; i < n; i++) {
        assert_false(covered[options[i].offset / sizeof(double)]);
        covered[options[i].offset / sizeof(double)] = true;
        assert_true(options[i].value >= options[i].min && options[i].value <= options[i].max);
        assert_true(*options[i].help);
        assert_int_equal(weir_detect_config_set(&config, options[i].name, options[i].max), 0);
        assert_int_equal(weir_detect_config_set(&config, options[i].name, options[i].max * 2 + 1),
                         -ERANGE);
        assert_int_equal(weir_detect_config_set(&config, options[i].name, NAN), -ERANGE);
    }
    assert_int_equal(weir_detect_config_set(&config, "nonsense", 1), -ENOENT);
    weir_detect_config_default(&config);
    assert_true(config.p0 == 0.02 && config.h_small == 14 && config.clear_us == 60 * SECOND &&
                config.clear_ok == 5);
}

static double feed(struct weir_baseline *baseline, const struct weir_detect_config *config,
                   double value, uint32_t clients, int64_t *at_us) {
    *at_us += WEIR_SLOT_US;
    return weir_baseline_take(baseline, config, WEIR_CONTINUOUS_GOODPUT, value, clients, *at_us);
}

static void baseline_of_ten_minutes(void **state) {
    struct weir_detect_config config;
    weir_detect_config_default(&config);
    struct weir_baseline *baseline = calloc(1, sizeof *baseline);
    int64_t at_us = T0;
    for (int i = 0; i < 30; i++) assert_true(feed(baseline, &config, 10e6, 3, &at_us) == 0);
    /* less than a factor of two never matters */
    assert_true(feed(baseline, &config, 6e6, 3, &at_us) == 0);
    assert_true(feed(baseline, &config, 1e6, 1, &at_us) == 0); /* one client is no service */
    /* ln 5 / 0.35 = 4.6, clipped to 4, drift 1 */
    assert_near(feed(baseline, &config, 2e6, 3, &at_us), 3, 1e-6);
    for (int i = 0; i < 3; i++) feed(baseline, &config, 2e6, 3, &at_us);
    assert_near(feed(baseline, &config, 2e6, 3, &at_us), 15, 1e-6);
    for (int i = 0; i < 5; i++) feed(baseline, &config, 10e6, 3, &at_us);
    assert_near(baseline->s, 10, 0.5); /* level again: the drift alone takes it down */
    free(baseline);
}

static void baseline_of_the_hour(void **state) {
    struct weir_detect_config config;
    weir_detect_config_default(&config);
    struct weir_baseline *baseline = calloc(1, sizeof *baseline);
    int64_t at_us = T0;
    /* Two weeks in which evenings carry a third of the rate: then an evening is normal, and a third
     * of it isn't. */
    for (int i = 0; i < 2 * 7 * 8640; i++) {
        int hour = (int)(at_us / (3600 * SECOND) % 24);
        double s = feed(baseline, &config, hour >= 18 && hour < 23 ? 3.5e6 : 10e6, 3, &at_us);
        assert_true(i < 8 * 8640 || s < config.z_raise);
    }
    while (at_us / (3600 * SECOND) % 24 != 20) feed(baseline, &config, 10e6, 3, &at_us);
    for (int i = 0; i < 6; i++) feed(baseline, &config, 1e6, 3, &at_us);
    assert_true(baseline->s >= config.z_raise);
    free(baseline);
}

/* Asked again or for the first time, within the table or beyond it: the same to the bit. */
static void gains_again(void **state) {
    struct weir_gains gains = {.p0 = 0.02};
    for (int round = 0; round < 2; round++)
        for (uint32_t total = 0; total < WEIR_GAINS_TOTAL + 2; total++)
            for (uint32_t fail = 0; fail <= total && fail < WEIR_GAINS_FAIL + 2; fail++) {
                struct weir_tally tally = {.fail = fail, .total = total};
                double once = weir_gain_of_client(tally, 0.02);
                assert_true(weir_gain_again(&gains, tally) == once);
            }
}

/* Services that feel one way out in shares of a half to all are one trouble. Of two, one that fails
 * always and one that never does are not: that one alone is likelier, and few trials say little. */
static void one_way_out_is_felt_unevenly(void **state) {
    static const struct weir_tally uneven[] = {{1260, 1676}, {262, 306}, {400, 427}, {110, 210}};
    static const struct weir_tally apart[] = {{3000, 3000}, {0, 3000}};
    struct weir_tally all = {0};
    double each = 0;
    for (size_t i = 0; i < sizeof uneven / sizeof *uneven; i++) {
        all.fail += uneven[i].fail;
        all.total += uneven[i].total;
        each += weir_gain_of_service(uneven[i], 0.02) + log(0.001);
    }
    double way = weir_gain_of_uneven(uneven, 4, 0.02);
    assert_true(way > weir_gain_of_wide(all, 0.02) + 20);
    assert_true(way > each);
    assert_true(weir_gain_of_uneven(apart, 2, 0.02) <
                weir_gain_of_service(apart[0], 0.02) + log(0.001));
    assert_true(weir_gain_of_uneven(NULL, 0, 0.02) == 0);
    struct weir_tally well = {0, 40};
    assert_true(weir_gain_of_uneven(&well, 1, 0.02) < 0);
}

static void names_are_whole(void **state) {
    for (int i = 0; i < WEIR_CAUSE_N; i++)
        assert_true(weir_cause_name((enum weir_cause)i) && *weir_cause_name((enum weir_cause)i));
    assert_string_equal(weir_cause_name(WEIR_CAUSE_CAPTURE), "capture");
    assert_string_equal(weir_state_name(WEIR_STATE_RECOVERING), "recovering");
    assert_string_equal(weir_incident_event_name(WEIR_INCIDENT_CLEARED), "cleared");
    assert_string_equal(weir_confidence_name(WEIR_CONFIDENCE_HIGH), "high");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bernoulli_steps),
        cmocka_unit_test(cusum_by_hand),
        cmocka_unit_test(cusum_onset_is_the_last_zero),
        cmocka_unit_test(wilson_by_hand),
        cmocka_unit_test(fisher_by_hand),
        cmocka_unit_test(rest_not_failing),
        cmocka_unit_test(sprt_by_hand),
        cmocka_unit_test(mixture_by_hand),
        cmocka_unit_test(mixture_runs_long),
        cmocka_unit_test(open_slot_is_provisional),
        cmocka_unit_test(mixed_slot_counts_twice_in_the_slow_cusum),
        cmocka_unit_test(sprt_ends_an_outage),
        cmocka_unit_test(evidence_before_a_silence_is_dropped),
        cmocka_unit_test(options_are_whole),
        cmocka_unit_test(baseline_of_ten_minutes),
        cmocka_unit_test(baseline_of_the_hour),
        cmocka_unit_test(gains_again),
        cmocka_unit_test(one_way_out_is_felt_unevenly),
        cmocka_unit_test(names_are_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
