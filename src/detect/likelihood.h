/* Log likelihoods of a tally, beside all of it failing by chance (share p0): see likelihood.c. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "detect/fisher.h"

/* All of it, or a good part. */
double weir_gain_of_service(struct weir_tally tally, double p0);
/* About half of it, or all. */
double weir_gain_of_client(struct weir_tally tally, double p0);
/* The same, asked of all clients of a judgement: most have made the same few trials, and logarithms
 * of the gamma function are dear. Zero but for `p0` at its begin. */
enum { WEIR_GAINS_FAIL = 16, WEIR_GAINS_TOTAL = 64 };
struct weir_gains {
    double p0;
    bool known[WEIR_GAINS_FAIL][WEIR_GAINS_TOTAL]; /* by fail and total */
    double gain[WEIR_GAINS_FAIL][WEIR_GAINS_TOTAL];
};
double weir_gain_again(struct weir_gains *gains, struct weir_tally tally);
/* How likely it is that the trouble spoils all of it, if it is a service's. */
double weir_share_whole(struct weir_tally tally);
/* Of a place, the uplink: any share, rather more. */
double weir_gain_of_wide(struct weir_tally tally, double p0);
/* The same where each part of it (a service, all lookups) has a share of its own, near that of all:
 * short connections fail more often than long ones, and far servers than near ones. As likely
 * beforehand as that all have one share. */
double weir_gain_of_uneven(const struct weir_tally *parts, size_t n, double p0);
