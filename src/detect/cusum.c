/* Has the share of failing trials jumped from p0 to p1, and since when?
 *
 * Each trial adds its log likelihood ratio to S: ln(p1/p0) for a failure, ln((1-p1)/(1-p0)) for a
 * useful one; S never falls below 0. Among all detectors with the same mean time to a false alarm
 * this one finds the change soonest (Page 1954; Lorden 1971; Moustakides 1986), and the last time
 * that S stood at 0 is the maximum likelihood estimate of the onset. For independent trials the
 * mean run to a false alarm is at least e^h trials.
 *
 * Blind spots: trials that fail together (one bad client, one prefix, one uplink) aren't
 * independent, which is why h is far above what chance alone asks for, and why clients carry
 * weights. S is capped at 2h: without a cap an outage of an hour would need an hour of good trials
 * to be believed over.
 *
 * The open slot: a FAIL may be taken back within its slot, so its trials are folded over a copy of
 * the committed state.
 */
#include <assert.h>
#include <math.h>

#include "detect/cusum.h"

struct weir_bernoulli weir_bernoulli(double p0, double p1) {
    assert(p0 > 0 && p0 < p1 && p1 < 1);
    return (struct weir_bernoulli){.fail = log(p1 / p0), .ok = log((1 - p1) / (1 - p0))};
}

void weir_cusum_fail(struct weir_cusum *cusum, struct weir_bernoulli step, double weight,
                     double cap, int64_t decided_us, int64_t began_us) {
    if (weight <= 0) return;
    if (cusum->s <= 0) {
        cusum->onset_us = decided_us;
        cusum->began_us = began_us;
    }
    cusum->s = fmin(cap, cusum->s + weight * step.fail);
}

void weir_cusum_ok(struct weir_cusum *cusum, struct weir_bernoulli step) {
    cusum->s = fmax(0, cusum->s + step.ok);
}
