/* The hash of every table: known values, and clients of one network that spread evenly. */
#undef NDEBUG
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/hash.h"

/* Of bytes 0, 1, 2.. under the key zero, as Python 3.11 has them (PYTHONHASHSEED=0; it never hashes
 * nothing). */
static void test_known_values(void **state) {
    static const struct {
        size_t n;
        uint64_t hash;
    } known[] = {{1, UINT64_C(0x68a914128e01e473)},  {7, UINT64_C(0x2f098ab0c751325a)},
                 {8, UINT64_C(0xead411e67ebe2eea)},  {15, UINT64_C(0xf30eb725bb91c9ea)},
                 {16, UINT64_C(0x8972188433a5c5b7)}, {20, UINT64_C(0x639e355ae68c0100)}};
    uint8_t bytes[32];
    for (unsigned i = 0; i < sizeof bytes; i++) bytes[i] = (uint8_t)i;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        assert_int_equal(weir_hash_bytes(bytes, known[i].n), known[i].hash);
    uint64_t pair[2];
    memcpy(pair, bytes, sizeof pair);
    assert_int_equal(weir_hash_pair(pair[0], pair[1]), weir_hash_bytes(bytes, 16));
}

/* 65,536 clients of one /16, or of one /48 that differ in their /64 only, over 8,192 places: no
 * place holds many more than eight. */
static void check_spread(struct weir_addr base, unsigned byte) {
    enum { PLACES = 8192, CLIENTS = 65536 };
    static unsigned held[PLACES];
    memset(held, 0, sizeof held);
    for (unsigned i = 0; i < CLIENTS; i++) {
        base.bytes[byte] = (uint8_t)(i >> 8);
        base.bytes[byte + 1] = (uint8_t)i;
        held[weir_hash_addr(&base) % PLACES]++;
    }
    unsigned most = 0, empty = 0;
    for (unsigned i = 0; i < PLACES; i++) {
        most = held[i] > most ? held[i] : most;
        empty += held[i] == 0;
    }
    assert_true(most < 30);
    assert_true(empty < 20);
}

static void test_spread(void **state) {
    struct weir_addr addr;
    assert_int_equal(weir_addr_parse("10.20.0.0", &addr), 0);
    check_spread(addr, 14);
    assert_int_equal(weir_addr_parse("2001:db8:7::", &addr), 0);
    check_spread(addr, 6);
    assert_int_equal(weir_addr_parse("2001:db8:7:8::", &addr), 0);
    check_spread(addr, 14);
}

static void test_key(void **state) {
    uint64_t plain = weir_hash_pair(1, 2);
    weir_hash_draw_key();
    assert_true(plain != weir_hash_pair(1, 2));
    weir_hash_key = (struct weir_hash_key){0};
    assert_int_equal(weir_hash_pair(1, 2), plain);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_known_values),
                                       cmocka_unit_test(test_spread), cmocka_unit_test(test_key)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
