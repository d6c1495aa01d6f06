/* How bad: the interval that holds the true failing share with 95 % confidence, given k of n
 * (Wilson 1927).
 *
 * It solves |k/n - p| <= z sqrt(p(1-p)/n) for p, and so stays within 0..1 and honest for small n
 * and for k = n, where the textbook interval has no width. It tells severity only: as a detector it
 * is slow and knows no onset.
 */
#include <math.h>

#include "detect/wilson.h"

struct weir_interval weir_wilson(uint64_t k, uint64_t n) {
    static const double z = 1.959963984540054;
    if (n == 0) return (struct weir_interval){0, 1};
    double share = (double)(k < n ? k : n) / (double)n, zz = z * z / (double)n;
    double centre = share + zz / 2,
           half = z * sqrt(share * (1 - share) / (double)n + zz / (4 * (double)n));
    struct weir_interval interval = {(centre - half) / (1 + zz), (centre + half) / (1 + zz)};
    interval.low = k == 0 ? 0 : fmax(0, interval.low);
    interval.high = k >= n ? 1 : fmin(1, interval.high);
    return interval;
}
