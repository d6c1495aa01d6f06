/* Products of 128 bits: known ones, and that both ways of multiplying agree. */
#undef NDEBUG
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/wide.h"

static const struct {
    uint64_t a, b, high, low;
} known[] = {
    {0, UINT64_MAX, 0, 0},
    {UINT64_MAX, UINT64_MAX, UINT64_MAX - 1, 1},
    {UINT64_C(1) << 32, UINT64_C(1) << 32, 1, 0},
    {UINT64_C(0xffffffff), UINT64_C(0xffffffff), 0, UINT64_C(0xfffffffe00000001)},
    {UINT64_C(0x0123456789abcdef), UINT64_C(0xfedcba9876543210), UINT64_C(0x0121fa00ad77d742),
     UINT64_C(0x2236d88fe5618cf0)},
};

static void test_known_products(void **state) {
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        struct weir_wide by_halves = weir_multiply_halves(known[i].a, known[i].b),
                         product = weir_multiply(known[i].a, known[i].b);
        assert_true(by_halves.high == known[i].high && by_halves.low == known[i].low);
        assert_true(product.high == known[i].high && product.low == known[i].low);
    }
}

static void test_both_ways_agree(void **state) {
    uint64_t a = 1, b = UINT64_MAX;
    for (int i = 0; i < 10000; i++) {
        struct weir_wide one = weir_multiply_halves(a, b), other = weir_multiply(a, b);
        assert_true(one.high == other.high && one.low == other.low);
        a = a * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        b = b * UINT64_C(3202034522624059733) + 1;
    }
}

static void test_shifts(void **state) {
    const struct weir_wide wide = {.high = 5, .low = UINT64_C(1) << 63};
    assert_true(weir_wide_shift(wide, 0) == UINT64_MAX);
    assert_true(weir_wide_shift(wide, 2) == UINT64_MAX);
    assert_true(weir_wide_shift(wide, 3) == (UINT64_C(5) << 61 | UINT64_C(1) << 60));
    assert_true(weir_wide_shift(wide, 63) == 11);
    assert_true(weir_wide_shift(wide, 64) == 5);
    assert_true(weir_wide_shift(wide, 66) == 1);
    assert_true(weir_wide_shift(wide, 127) == 0);
    assert_true(weir_wide_shift((struct weir_wide){.low = 7}, 0) == 7);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        {"known products", test_known_products},
        {"both ways of multiplying agree", test_both_ways_agree},
        {"shifts down, and beyond a word", test_shifts},
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
