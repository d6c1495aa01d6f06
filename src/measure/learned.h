/* What a service's normal is: quantiles of the last 1,000 samples, a median once there are 8,
 * others once there are 30. A viewer of 4 s segments gives two or three samples in ten seconds:
 * what a home cannot reach helps no home. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/histogram.h"

enum { WEIR_LEARNED_SAMPLES = 1000, WEIR_LEARNED_MIN = 30, WEIR_LEARNED_MEDIAN_MIN = 8 };

struct weir_learned {
    uint16_t ring[WEIR_LEARNED_SAMPLES]; /* buckets of the samples */
    uint16_t counts[WEIR_HISTOGRAM_BUCKETS];
    uint32_t n, next;
};

void weir_learned_add(struct weir_learned *learned, uint64_t value);
/* The q-quantile, or -1 where there are too few samples. */
int64_t weir_learned_quantile(const struct weir_learned *learned, double q);
