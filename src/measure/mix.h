/* Small helpers of the coordinator's tables. */
#pragma once

#include <stdint.h>

#include <weir/packet.h>

static inline uint64_t weir_mix(uint64_t hash, uint64_t value) {
    hash = (hash ^ value) * UINT64_C(0x9e3779b97f4a7c15);
    return hash ^ hash >> 29;
}

static inline uint64_t weir_mix_addr(uint64_t hash, const struct weir_addr *addr) {
    uint64_t halves[2];
    memcpy(halves, addr->bytes, sizeof halves);
    return weir_mix(weir_mix(hash, halves[0]), halves[1]);
}

static inline uint64_t weir_mix_end(uint64_t hash) {
    hash *= UINT64_C(0xbf58476d1ce4e5b9);
    return hash ^ hash >> 32;
}
