/* How likely are so many failures of so many trials under a kind of trouble, beside chance?
 *
 * The share that a trouble spoils isn't known, only what it is like: an outage takes all, or a good
 * part; bad WiFi lets about half through, or nothing at all. So the share is integrated out over
 * Beta distributions (the Beta-binomial marginal likelihood), the likelier kind three in four.
 */
#include <math.h>

#include "detect/likelihood.h"

struct share { /* Beta(a, b) of the failing share */
    double a, b;
};
static const struct share whole = {30, 1}, part = {2, 3}, wide = {2, 1}, lossy = {4, 5};

static double log_beta(double a, double b) {
    int sign;
    return lgamma_r(a, &sign) + lgamma_r(b, &sign) - lgamma_r(a + b, &sign);
}

/* Log likelihood of the tally with the share integrated out. */
static double marginal(struct weir_tally tally, struct share share) {
    double ok = tally.total - tally.fail;
    return log_beta(share.a + tally.fail, share.b + ok) - log_beta(share.a, share.b);
}

static double by_chance(struct weir_tally tally, double p0) {
    return tally.fail * log(p0) + (tally.total - tally.fail) * log(1 - p0);
}

static double gain(struct weir_tally tally, struct share share, double p0) {
    return tally.total ? marginal(tally, share) - by_chance(tally, p0) : 0;
}

/* Three in four are of the likelier kind. */
static double gain_of_either(struct weir_tally tally, struct share likelier, struct share other,
                             double p0) {
    if (!tally.total) return 0;
    double a = marginal(tally, likelier), b = marginal(tally, other), most = fmax(a, b);
    return most + log((3 * exp(a - most) + exp(b - most)) / 4) - by_chance(tally, p0);
}

double weir_gain_of_wide(struct weir_tally tally, double p0) { return gain(tally, wide, p0); }

/* Likelihoods are summed over SHARES shares of all; a part's own is about 0.17 beside it, at one
 * half. A guess: no run measured it. */
enum { SHARES = 20, ALIKE = 8 };

/* Chance is at most p0. What fails less often than that is held to its own share: it speaks
 * against a trouble, and not the louder for p0 the more is tried. */
static double gain_of_one(struct weir_tally one, struct share share, double p0) {
    return gain(one, share, fmin(p0, (one.fail + 0.5) / (one.total + 1.0)));
}

double weir_gain_of_uneven(const struct weir_tally *parts, size_t n, double p0) {
    struct weir_tally all = {0};
    double each[SHARES], most = -HUGE_VAL, sum = 0;
    for (size_t i = 0; i < n; i++) {
        all.fail += parts[i].fail;
        all.total += parts[i].total;
    }
    if (!all.total) return 0;
    for (int k = 0; k < SHARES; k++) {
        double share = (k + 0.5) / SHARES;
        struct share own = {ALIKE * share, ALIKE * (1 - share)};
        each[k] = log(2 * share / SHARES); /* the density of `wide` */
        for (size_t i = 0; i < n; i++) each[k] += gain_of_one(parts[i], own, p0);
        most = fmax(most, each[k]);
    }
    for (int k = 0; k < SHARES; k++) sum += exp(each[k] - most);
    double uneven = most + log(sum), even = weir_gain_of_wide(all, p0);
    most = fmax(uneven, even);
    return most + log((exp(uneven - most) + exp(even - most)) / 2);
}

double weir_gain_of_service(struct weir_tally tally, double p0) {
    return gain_of_either(tally, whole, part, p0);
}

double weir_share_whole(struct weir_tally tally) {
    return 1 / (1 + exp(marginal(tally, part) - marginal(tally, whole)) / 3);
}

double weir_gain_of_client(struct weir_tally tally, double p0) {
    return gain_of_either(tally, lossy, whole, p0);
}

double weir_gain_again(struct weir_gains *gains, struct weir_tally tally) {
    if (tally.fail >= WEIR_GAINS_FAIL || tally.total >= WEIR_GAINS_TOTAL)
        return weir_gain_of_client(tally, gains->p0);
    bool *known = &gains->known[tally.fail][tally.total];
    double *gain = &gains->gain[tally.fail][tally.total];
    if (!*known) *gain = weir_gain_of_client(tally, gains->p0);
    *known = true;
    return *gain;
}
