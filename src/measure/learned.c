/* A ring of histogram buckets beside their counts: adding takes the oldest out. */
#include "measure/learned.h"

void weir_learned_add(struct weir_learned *learned, uint64_t value) {
    unsigned bucket = weir_histogram_bucket(value);
    if (learned->n == WEIR_LEARNED_SAMPLES)
        learned->counts[learned->ring[learned->next]]--;
    else
        learned->n++;
    learned->ring[learned->next] = (uint16_t)bucket;
    learned->counts[bucket]++;
    learned->next = (learned->next + 1) % WEIR_LEARNED_SAMPLES;
}

int64_t weir_learned_quantile(const struct weir_learned *learned, double q) {
    bool median = q >= 0.25 && q <= 0.75;
    if (learned->n < (median ? WEIR_LEARNED_MEDIAN_MIN : WEIR_LEARNED_MIN)) return -1;
    double exact = q * learned->n;
    uint32_t rank = (uint32_t)exact + ((double)(uint32_t)exact < exact), seen = 0;
    for (unsigned bucket = 0; bucket < WEIR_HISTOGRAM_BUCKETS; bucket++) {
        seen += learned->counts[bucket];
        if (seen && seen >= rank) return (int64_t)weir_histogram_middle(bucket);
    }
    return -1;
}
