/* Is the downlink full? See downlink.c. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/histogram.h"

struct weir_detector;

struct weir_downlink {
    struct weir_histogram windows; /* bit/s of windows, those of the last week or two */
    double bps, p99_bps;           /* of the last window; of all, 0: not known yet */
    int64_t full_us;               /* end of the last full window */
};
struct weir_downlink *weir_downlink_of(const struct weir_detector *detector);
void weir_downlink_take(struct weir_downlink *downlink, double bps, int64_t start_us);
/* In the last two windows. */
bool weir_downlink_is_full(const struct weir_downlink *downlink, int64_t now_us);
/* After a restart: drops what is no number. */
void weir_downlink_mend(struct weir_downlink *downlink);
