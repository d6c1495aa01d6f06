/* A distribution in 32 bytes: see spread.h. Most flows are short and have a dozen samples at most;
 * a histogram for each of them would be most of their memory. */
#include <stdlib.h>
#include <string.h>

#include "flow/spread.h"

/* Eleven bits below the highest one, and its position. */
static uint16_t code(uint32_t value) {
    if (value < 2048) return (uint16_t)value;
    unsigned shift = 31u - (unsigned)__builtin_clz(value) - 11;
    return (uint16_t)((shift + 1) << 11 | ((value >> shift) & 2047));
}

static uint32_t decoded(uint16_t from) {
    unsigned shift = from >> 11;
    if (shift == 0) return from;
    uint32_t value = (2048u | (from & 2047u)) << (shift - 1);
    return value + ((1u << (shift - 1)) >> 1);
}

static unsigned bucket(uint32_t value) {
    if (value < 8) return value;
    unsigned octave = 31u - (unsigned)__builtin_clz(value);
    return (octave - 2) * 8 + ((value >> (octave - 3)) & 7);
}

static uint32_t middle(unsigned from) {
    if (from < 8) return from;
    unsigned octave = from / 8 + 2;
    uint32_t width = 1u << (octave - 3);
    return (8 + from % 8) * width + width / 2;
}

static void count(struct spread_histogram *histogram, uint32_t value) {
    uint16_t *counter = &histogram->counts[bucket(value)];
    if (++*counter < UINT16_MAX) return;
    for (unsigned i = 0; i < SPREAD_BUCKETS; i++)
        histogram->counts[i] = (uint16_t)((histogram->counts[i] + 1) / 2);
}

static bool grow(struct spread *spread, struct slab *histograms) {
    uint32_t handle = slab_take(histograms);
    if (!handle) return false;
    for (unsigned i = 0; i < SPREAD_FIRST; i++)
        count(slab_at(histograms, handle), decoded(spread->first[i]));
    spread->histogram = handle;
    spread->n |= SPREAD_GROWN;
    return true;
}

bool spread_add(struct spread *spread, struct slab *histograms, uint32_t value) {
    uint32_t n = spread_count(spread);
    if (n == 0 || value < spread->min) spread->min = value;
    if (n < SPREAD_GROWN - 1) spread->n++;
    if (n < SPREAD_FIRST) {
        spread->first[n] = code(value);
        return true;
    }
    if (!(spread->n & SPREAD_GROWN) && !grow(spread, histograms)) return false;
    count(slab_at(histograms, spread->histogram), value);
    return true;
}

void spread_release(struct spread *spread, struct slab *histograms) {
    if (spread->n & SPREAD_GROWN) slab_give(histograms, spread->histogram);
    *spread = (struct spread){0};
}

static int code_compare(const void *a, const void *b) {
    return (int)*(const uint16_t *)a - (int)*(const uint16_t *)b;
}

static uint32_t rank_of(uint32_t n, unsigned percent) {
    uint32_t rank = (uint32_t)(((uint64_t)n * percent + 99) / 100);
    return rank ? rank : 1;
}

uint32_t spread_quantile(const struct spread *spread, const struct slab *histograms,
                         unsigned percent) {
    uint32_t n = spread_count(spread);
    if (n == 0) return 0;
    uint32_t value = 0;
    if (!(spread->n & SPREAD_GROWN)) {
        uint16_t sorted[SPREAD_FIRST];
        uint32_t n_kept = n < SPREAD_FIRST ? n : SPREAD_FIRST;
        memcpy(sorted, spread->first, sizeof sorted);
        qsort(sorted, n_kept, sizeof *sorted, code_compare);
        value = decoded(sorted[rank_of(n_kept, percent) - 1]);
    } else {
        const struct spread_histogram *histogram = slab_at(histograms, spread->histogram);
        uint32_t total = 0, seen = 0;
        for (unsigned i = 0; i < SPREAD_BUCKETS; i++) total += histogram->counts[i];
        uint32_t rank = rank_of(total, percent);
        for (unsigned i = 0; i < SPREAD_BUCKETS && seen < rank; i++) {
            seen += histogram->counts[i];
            value = middle(i);
        }
    }
    return value > spread->min ? value : spread->min;
}
