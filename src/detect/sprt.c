/* Is it over? Wald's sequential test between "healthy" (p0) and "failing" (p1), as few trials as
 * the evidence allows.
 *
 * The same likelihood ratio as in the CUSUM, but with a bound on both sides: below
 * -ln((1-beta)/alpha) the share is p0, above it is p1 (Wald 1945). After an outage seven useful
 * trials in a row say "good" at alpha = beta = 0.01; S of the CUSUM, capped at 2h, would need
 * forty.
 */
#include <math.h>

#include "detect/sprt.h"

double weir_sprt_bound(double error) { return log((1 - error) / error); }

enum weir_sprt_verdict weir_sprt_step(struct weir_sprt *sprt, struct weir_bernoulli step,
                                      bool failed, double weight, double bound) {
    sprt->llr += failed ? weight * step.fail : step.ok;
    enum weir_sprt_verdict verdict = sprt->llr >= bound    ? WEIR_SPRT_BAD
                                     : sprt->llr <= -bound ? WEIR_SPRT_GOOD
                                                           : WEIR_SPRT_OPEN;
    if (verdict != WEIR_SPRT_OPEN) sprt->llr = 0;
    return verdict;
}
