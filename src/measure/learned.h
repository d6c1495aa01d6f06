/* What a service's normal is: quantiles of the last 1,000 samples, once there are 30 (METHODS 6.6). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/histogram.h"

enum { WEIR_LEARNED_SAMPLES = 1000, WEIR_LEARNED_MIN = 30 };

struct weir_learned {
    uint16_t ring[WEIR_LEARNED_SAMPLES]; /* buckets of the samples */
    uint16_t counts[WEIR_HISTOGRAM_BUCKETS];
    uint32_t n, next;
};

void weir_learned_add(struct weir_learned *learned, uint64_t value);
/* The q-quantile, or -1 below 30 samples. */
int64_t weir_learned_quantile(const struct weir_learned *learned, double q);
