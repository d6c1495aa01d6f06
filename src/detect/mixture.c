/* Has the share of failing trials risen above p0, to whatever value, and since when?
 *
 * For each share q that is looked for, R <- (1 + R) L: L is the likelihood ratio of the trial, 1 -
 * q + q e^nats for a failure that says so many nats (-ln p0 for a plain one), (1-q)/(1-p0) for a
 * useful trial. R sums the evidence over every moment at which the failing may have begun (Shiryaev
 * 1963, Roberts 1966), and so does a weighted mean over the shares. Under health R grows by one a
 * trial in the mean, whatever is mixed: the mean run to a false alarm at a threshold of e^h is at
 * least e^h trials, as long as each failure's probability given the past is at most p0 (an
 * e-detector: Shin, Ramdas, Rinaldo 2022).
 *
 * Mean delay in trials at p0 0.01 and a mean run of 10^6, shares {1, 0.5, 0.3, 0.1, 0.04}: all
 * fail 3.9, half 8.4, 0.3 16, 0.15 41, 0.07 130; a pair of CUSUMs for 0.5 and 0.1 needs 3.9, 8.1,
 * 17, 69, 779.
 *
 * The onset is the last time that the CUSUM of the likeliest arm stood at 0 (the maximum likelihood
 * estimate). Evidence is capped: without a cap an outage of an hour would need an hour of good
 * trials to be believed over.
 *
 * Blind spots: trials that fail together (one bad client, one prefix, one uplink) aren't
 * independent, which is why h is far above what chance alone asks for, and why blame weighs
 * clients.
 */
#include <assert.h>
#include <math.h>

#include "detect/mixture.h"

static const double all = 0.98; /* "every trial fails" bears one that doesn't */

struct weir_mixture_rule weir_mixture_rule(double p0, const double shares[WEIR_ARMS], double cap) {
    struct weir_mixture_rule rule = {.p0 = p0, .cap = cap, .top = exp(cap)};
    static const double weights[WEIR_ARMS] = {0.4, 0.35, 0.25};
    assert(p0 > 0 && p0 < 1 && cap < 500);
    for (int i = 0; i < WEIR_ARMS; i++) {
        rule.share[i] = fmin(all, fmax(shares[i], 1.5 * p0));
        rule.weight[i] = weights[i];
        rule.ok[i] = (1 - rule.share[i]) / (1 - p0);
        rule.log_ok[i] = log(rule.ok[i]);
    }
    return rule;
}

static void sum_up(struct weir_mixture *mixture, const struct weir_mixture_rule *rule) {
    double sum = 0, most = -1;
    for (int i = 0; i < WEIR_ARMS; i++) {
        const struct weir_arm *arm = &mixture->arm[i];
        double part = rule->weight[i] * arm->r;
        sum += part;
        if (arm->s > 0 && part > most) {
            most = part;
            mixture->onset_us = arm->onset_us;
            mixture->began_us = arm->began_us;
        }
    }
    mixture->s = sum > 1 ? fmin(rule->cap, log(sum)) : 0;
}

static void step(struct weir_arm *arm, const struct weir_mixture_rule *rule, double ratio,
                 int64_t decided_us, int64_t began_us) {
    if (arm->s <= 0) {
        arm->onset_us = decided_us;
        arm->began_us = began_us;
    }
    arm->r = fmin(rule->top, (1 + arm->r) * ratio);
    arm->s = fmin(rule->cap, fmax(0, arm->s + log(ratio)));
}

void weir_mixture_fail(struct weir_mixture *mixture, const struct weir_mixture_rule *rule,
                       double nats, int64_t decided_us, int64_t began_us) {
    if (nats <= 0) return;
    double times = exp(nats);
    for (int i = 0; i < WEIR_ARMS; i++)
        step(&mixture->arm[i], rule, 1 - rule->share[i] + rule->share[i] * times, decided_us,
             began_us);
    sum_up(mixture, rule);
}

void weir_mixture_ok(struct weir_mixture *mixture, const struct weir_mixture_rule *rule) {
    for (int i = 0; i < WEIR_ARMS; i++) {
        struct weir_arm *arm = &mixture->arm[i];
        arm->r = (1 + arm->r) * rule->ok[i];
        if (arm->s > 0) arm->s = fmax(0, arm->s + rule->log_ok[i]);
    }
    sum_up(mixture, rule);
}
