/* Log likelihoods of a tally, beside all of it failing by chance (share p0): see likelihood.c. */
#pragma once

#include "detect/fisher.h"

/* All of it, or a good part. */
double weir_gain_of_service(struct weir_tally tally, double p0);
/* About half of it, or all. */
double weir_gain_of_client(struct weir_tally tally, double p0);
/* How likely it is that the trouble spoils all of it, if it is a service's. */
double weir_share_whole(struct weir_tally tally);
/* Of a place, the uplink: any share, rather more. */
double weir_gain_of_wide(struct weir_tally tally, double p0);
