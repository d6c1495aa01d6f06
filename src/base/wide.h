/* Products of 128 bits, on machines of 32 bits too, where the compiler has no such type. */
#pragma once

#include <stdint.h>

struct weir_wide {
    uint64_t high, low;
};

/* By four products of halves: what a machine of 32 bits does. */
static inline struct weir_wide weir_multiply_halves(uint64_t a, uint64_t b) {
    uint64_t a_low = (uint32_t)a, a_high = a >> 32, b_low = (uint32_t)b, b_high = b >> 32;
    uint64_t low = a_low * b_low, left = a_high * b_low, right = a_low * b_high;
    uint64_t middle = (low >> 32) + (uint32_t)left + (uint32_t)right;
    return (struct weir_wide){.high =
                                  a_high * b_high + (left >> 32) + (right >> 32) + (middle >> 32),
                              .low = middle << 32 | (uint32_t)low};
}

static inline struct weir_wide weir_multiply(uint64_t a, uint64_t b) {
#ifdef __SIZEOF_INT128__
    unsigned __int128 product = (unsigned __int128)a * b;
    return (struct weir_wide){.high = (uint64_t)(product >> 64), .low = (uint64_t)product};
#else
    return weir_multiply_halves(a, b);
#endif
}

/* The product shifted down by 0 to 127 bits; UINT64_MAX where the rest does not fit a word. */
static inline uint64_t weir_wide_shift(struct weir_wide product, unsigned bits) {
    if (bits >= 64) return product.high >> (bits - 64);
    if (product.high >> bits) return UINT64_MAX;
    return bits ? product.high << (64 - bits) | product.low >> bits : product.low;
}

/* One step of a hash by multiplying and folding, as in wyhash. */
static inline uint64_t weir_multiply_fold(uint64_t a, uint64_t b) {
    struct weir_wide product = weir_multiply(a, b);
    return product.high ^ product.low;
}
