/* Where in a table does this go? Keys are addresses, ports and names that strangers choose, so the
 * place must be one that strangers can't foretell: SipHash-1-3 (Aumasson, Bernstein 2012; one round
 * a word and three at the end, as tables use it), under a key that the process draws for itself.
 * Every bit of it depends on every bit of the key and of the input: clients of one /16, which
 * differ in two bytes only, spread as well as any.
 *
 * The cost is about 8 ns for an address. A replay keeps the key zero: what is visited in table
 * order is then the same in every run. The hash never leaves the process and is in no saved state.
 */
#include <sys/random.h>

#include "base/hash.h"

struct weir_hash_key weir_hash_key;

void weir_hash_draw_key(void) {
    struct weir_hash_key key;
    if (getrandom(&key, sizeof key, 0) == (ssize_t)sizeof key) weir_hash_key = key;
}

uint64_t weir_hash_bytes(const void *bytes, size_t n) {
    uint64_t v0 = weir_hash_key.a ^ UINT64_C(0x736f6d6570736575),
             v1 = weir_hash_key.b ^ UINT64_C(0x646f72616e646f6d),
             v2 = weir_hash_key.a ^ UINT64_C(0x6c7967656e657261),
             v3 = weir_hash_key.b ^ UINT64_C(0x7465646279746573);
    const uint8_t *at = bytes;
    for (size_t left = n;; left -= 8, at += 8) {
        uint64_t word = 0;
        memcpy(&word, at, left < 8 ? left : 8);
        if (left < 8) word |= (uint64_t)n << 56;
        v3 ^= word;
        WEIR_HASH_ROUND(v0, v1, v2, v3);
        v0 ^= word;
        if (left < 8) break;
    }
    v2 ^= 0xff;
    for (int i = 0; i < 3; i++) WEIR_HASH_ROUND(v0, v1, v2, v3);
    return v0 ^ v1 ^ v2 ^ v3;
}
