/* Does one client (or prefix) fail more than the rest, or is that chance?
 *
 * With all margins held, the failures that fall on the suspect are hypergeometric; p is the upper
 * tail from what was seen. Exact for the handful of trials that a home has, where chi-squared
 * isn't. Terms are summed from the largest k down, each from the one before by a ratio, the first
 * by lgamma.
 *
 * Blind spot: asked of many suspects it finds one by chance, so at most one client and one prefix
 * are tested a raise.
 */
#include <math.h>

#include "detect/fisher.h"

static double log_choose(double n, double k) {
    return lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1);
}

double weir_fisher(struct weir_tally suspect, struct weir_tally rest) {
    double n = suspect.total, m = rest.total, fails = (double)suspect.fail + rest.fail;
    double most = fmin(n, fails);
    double term = exp(log_choose(n, most) + log_choose(m, fails - most) - log_choose(n + m, fails)),
           p = 0;
    for (double k = most; k >= suspect.fail; k--) {
        p += term;
        if (fails - k + 1 > m) break;
        term *= k * (m - fails + k) / ((n - k + 1) * (fails - k + 1));
    }
    return fmin(1, p);
}

int weir_rest_is_fine(struct weir_tally rest) {
    return rest.fail <= 1 || rest.fail * 100.0 <= rest.total * 15.0;
}
