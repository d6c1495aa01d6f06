/* A mergeable histogram of positive integers: 16 buckets an octave from 1 to 2^40, so a percentile
 * read from it is within 3.2 % of the sample's own (half a bucket: 2^(1/32) - 1 = 2.2 %, and up to
 * 3.2 % for linear sub-buckets); exact below 16. The smallest and largest sample are kept exact. */
#pragma once

#include <stdint.h>

enum { WEIR_HISTOGRAM_BUCKETS = 16 + 36 * 16 };

struct weir_histogram {
    uint64_t n;
    uint64_t min, max; /* valid when n > 0 */
    uint32_t counts[WEIR_HISTOGRAM_BUCKETS];
};

void weir_histogram_add(struct weir_histogram *histogram, uint64_t value);
void weir_histogram_merge(struct weir_histogram *into, const struct weir_histogram *other);
/* The q-quantile (0 <= q <= 1) by nearest rank, clamped to [min, max]; 0 when empty. */
uint64_t weir_histogram_quantile(const struct weir_histogram *histogram, double q);

/* The bucket of a value, and a bucket's middle: for callers that keep smaller counters of their
 * own. */
unsigned weir_histogram_bucket(uint64_t value);
uint64_t weir_histogram_middle(unsigned bucket);
