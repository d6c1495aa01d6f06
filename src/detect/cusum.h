/* Bernoulli CUSUM: see cusum.c. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Log likelihood ratios of one observation. */
struct weir_bernoulli {
    double fail, ok; /* ln(p1/p0) > 0, ln((1-p1)/(1-p0)) < 0 */
};
struct weir_bernoulli weir_bernoulli(double p0, double p1);

struct weir_cusum {
    double s;
    /* t_on: when the failure that lifted s from 0 was decided; valid while s > 0 */
    int64_t onset_us;
    int64_t began_us; /* and when that attempt began: what a person means by "since" */
};
/* `weight` scales a failure (0: it says nothing). `cap` bounds s, so that recovery is seen in time.
 */
void weir_cusum_fail(struct weir_cusum *cusum, struct weir_bernoulli step, double weight,
                     double cap, int64_t decided_us, int64_t began_us);
void weir_cusum_ok(struct weir_cusum *cusum, struct weir_bernoulli step);
