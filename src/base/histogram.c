/* Log-linear buckets (as in HdrHistogram): the position of the highest bit gives the octave, the
 * next four bits the sub-bucket. No floating point on the way in. */
#include <stdlib.h>

#include "base/histogram.h"

unsigned weir_histogram_bucket(uint64_t value) {
    if (value < 16) return (unsigned)value;
    unsigned octave = 63u - (unsigned)__builtin_clzll(value);
    if (octave > 39) return WEIR_HISTOGRAM_BUCKETS - 1;
    return 16 + (octave - 4) * 16 + (unsigned)((value >> (octave - 4)) & 15);
}

uint64_t weir_histogram_middle(unsigned bucket) {
    if (bucket < 16) return bucket;
    unsigned octave = (bucket - 16) / 16 + 4;
    uint64_t width = UINT64_C(1) << (octave - 4);
    return (16 + (bucket - 16) % 16) * width + width / 2;
}

void weir_histogram_add(struct weir_histogram *histogram, uint64_t value) {
    if (histogram->n == 0 || value < histogram->min) histogram->min = value;
    if (histogram->n == 0 || value > histogram->max) histogram->max = value;
    histogram->n++;
    histogram->counts[weir_histogram_bucket(value)]++;
}

void weir_histogram_merge(struct weir_histogram *into, const struct weir_histogram *other) {
    if (other->n == 0) return;
    if (into->n == 0 || other->min < into->min) into->min = other->min;
    if (into->n == 0 || other->max > into->max) into->max = other->max;
    into->n += other->n;
    for (unsigned i = 0; i < WEIR_HISTOGRAM_BUCKETS; i++) into->counts[i] += other->counts[i];
}

uint64_t weir_histogram_quantile(const struct weir_histogram *histogram, double q) {
    if (histogram->n == 0) return 0;
    double exact_rank = q * (double)histogram->n;
    uint64_t rank = (uint64_t)exact_rank;
    if ((double)rank < exact_rank || rank == 0) rank++;
    if (rank >= histogram->n) return histogram->max;
    uint64_t seen = 0;
    for (unsigned i = 0; i < WEIR_HISTOGRAM_BUCKETS; i++) {
        seen += histogram->counts[i];
        if (seen >= rank) {
            uint64_t value = weir_histogram_middle(i);
            return value < histogram->min   ? histogram->min
                   : value > histogram->max ? histogram->max
                                            : value;
        }
    }
    return histogram->max;
}
