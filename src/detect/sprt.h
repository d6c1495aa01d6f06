/* Sequential probability ratio test: see sprt.c. */
#pragma once

#include "detect/cusum.h"

enum weir_sprt_verdict { WEIR_SPRT_OPEN, WEIR_SPRT_GOOD, WEIR_SPRT_BAD };

struct weir_sprt {
    double llr;
};
/* The bound that goes with alpha = beta = error: ln((1-error)/error), 4.6 for 0.01. */
double weir_sprt_bound(double error);
/* Adds one trial; a verdict other than OPEN starts the test anew. */
enum weir_sprt_verdict weir_sprt_step(struct weir_sprt *sprt, struct weir_bernoulli step,
                                      bool failed, double weight, double bound);
