/* Where entries of the bounded memories lie: sets of eight ways. A full set loses its oldest entry,
 * so that no key can grow a chain, and what is lost does not depend on who asks. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { ASSOC_WAYS = 8 };

static inline uint64_t assoc_mix(uint64_t x) {
    x ^= x >> 32;
    x *= UINT64_C(0xd6e8feb86659fd93);
    x ^= x >> 32;
    x *= UINT64_C(0xd6e8feb86659fd93);
    return x ^ x >> 32;
}

/* `length` is a multiple of 8. */
static inline uint64_t assoc_hash(uint64_t secret, const void *key, size_t length) {
    uint64_t hash = secret ^ length;
    for (size_t i = 0; i < length; i += 8) {
        uint64_t word;
        memcpy(&word, (const uint8_t *)key + i, sizeof word);
        hash = assoc_mix(hash ^ word) + UINT64_C(0x9e3779b97f4a7c15);
    }
    return assoc_mix(hash ^ secret);
}

/* Sets for about `entries`: a power of two, so that a mask finds them. */
static inline size_t assoc_sets(size_t entries) {
    size_t sets = 1;
    while (sets * ASSOC_WAYS < entries && sets < SIZE_MAX / 4 / ASSOC_WAYS) sets *= 2;
    return sets;
}
