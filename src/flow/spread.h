/* A distribution in 32 bytes, for quantiles of one flow: the first twelve samples each to 1 in
 * 4,096, and from the thirteenth on a histogram of eight buckets an octave, so that a quantile is
 * within 6.3 % of a sample. The smallest sample is exact. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "flow/slab.h"

enum { SPREAD_FIRST = 12, SPREAD_BUCKETS = 240 };

struct spread {
    uint32_t n, min;
    union {
        uint16_t first[SPREAD_FIRST]; /* while n <= SPREAD_FIRST or no histogram was to be had */
        uint32_t histogram;           /* a handle, when `grown` */
    };
};
struct spread_histogram {
    uint16_t counts[SPREAD_BUCKETS];
};

#define SPREAD_GROWN UINT32_C(0x80000000) /* in n */

/* False when there was no room to grow: the sample is counted, and bears on min only. */
bool spread_add(struct spread *spread, struct slab *histograms, uint32_t value);
void spread_release(struct spread *spread, struct slab *histograms);
static inline uint32_t spread_count(const struct spread *spread) {
    return spread->n & ~SPREAD_GROWN;
}
/* By nearest rank; 0 without samples. */
uint32_t spread_quantile(const struct spread *spread, const struct slab *histograms,
                         unsigned percent);
