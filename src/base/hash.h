/* One hash for every table: see hash.c. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <weir/packet.h>

/* Of the process. Set once, before the first table is made; all zero until then. */
struct weir_hash_key {
    uint64_t a, b;
};
extern struct weir_hash_key weir_hash_key;
/* Draws the key from the system: for a program that listens to strangers. A replay keeps zero, and
 * so its order. */
void weir_hash_draw_key(void);

/* SipHash-1-3 of any bytes under the process's key. All 64 bits are good. */
uint64_t weir_hash_bytes(const void *bytes, size_t n);

#define WEIR_HASH_ROTATE(x, n) ((x) << (n) | (x) >> (64 - (n)))
#define WEIR_HASH_ROUND(v0, v1, v2, v3)                                              \
    do {                                                                             \
        v0 += v1, v1 = WEIR_HASH_ROTATE(v1, 13) ^ v0, v0 = WEIR_HASH_ROTATE(v0, 32); \
        v2 += v3, v3 = WEIR_HASH_ROTATE(v3, 16) ^ v2;                                \
        v0 += v3, v3 = WEIR_HASH_ROTATE(v3, 21) ^ v0;                                \
        v2 += v1, v1 = WEIR_HASH_ROTATE(v1, 17) ^ v2, v2 = WEIR_HASH_ROTATE(v2, 32); \
    } while (0)

/* The same of two words: of an address, or of any two numbers. */
static inline uint64_t weir_hash_pair(uint64_t first, uint64_t second) {
    uint64_t v0 = weir_hash_key.a ^ UINT64_C(0x736f6d6570736575),
             v1 = weir_hash_key.b ^ UINT64_C(0x646f72616e646f6d),
             v2 = weir_hash_key.a ^ UINT64_C(0x6c7967656e657261),
             v3 = weir_hash_key.b ^ UINT64_C(0x7465646279746573);
    const uint64_t words[] = {first, second, UINT64_C(16) << 56};
    for (int i = 0; i < 3; i++) {
        v3 ^= words[i];
        WEIR_HASH_ROUND(v0, v1, v2, v3);
        v0 ^= words[i];
    }
    v2 ^= 0xff;
    for (int i = 0; i < 3; i++) WEIR_HASH_ROUND(v0, v1, v2, v3);
    return v0 ^ v1 ^ v2 ^ v3;
}

static inline uint64_t weir_hash_addr(const struct weir_addr *addr) {
    uint64_t a, b;
    memcpy(&a, addr->bytes, sizeof a);
    memcpy(&b, addr->bytes + 8, sizeof b);
    return weir_hash_pair(a, b);
}
