/* Log likelihoods of a tally, beside all of it failing by chance (share p0): see likelihood.c. */
#pragma once

#include "detect/fisher.h"

/* All of it, or a good part. */
double weir_gain_of_service(struct weir_tally tally, double p0);
/* About half of it, or all. */
double weir_gain_of_client(struct weir_tally tally, double p0);
/* Of a place, the uplink: any share, rather more. */
double weir_gain_of_wide(struct weir_tally tally, double p0);
