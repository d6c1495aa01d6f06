/* The histogram against exact order statistics: the error that its header states, and merging. */
#undef NDEBUG
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/histogram.h"

static void test_empty_and_one(void **state) {
    struct weir_histogram h = {0};
    assert_int_equal(weir_histogram_quantile(&h, 0.5), 0);
    weir_histogram_add(&h, 12345);
    assert_int_equal(weir_histogram_quantile(&h, 0), 12345);
    assert_int_equal(weir_histogram_quantile(&h, 0.5), 12345);
    assert_int_equal(weir_histogram_quantile(&h, 1), 12345);
}

static void test_buckets_hold_their_middle(void **state) {
    for (unsigned bucket = 0; bucket < WEIR_HISTOGRAM_BUCKETS; bucket++)
        assert_int_equal(weir_histogram_bucket(weir_histogram_middle(bucket)), bucket);
    assert_int_equal(weir_histogram_bucket(UINT64_MAX), WEIR_HISTOGRAM_BUCKETS - 1);
}

static int compare(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void test_error_is_as_stated(void **state) {
    enum { N = 10000 };
    static uint64_t values[N];
    struct weir_histogram h = {0};
    uint64_t seed = 1;
    for (int i = 0; i < N; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        values[i] = (seed >> 33) >> (seed >> 28 & 15); /* many octaves */
        weir_histogram_add(&h, values[i]);
    }
    qsort(values, N, sizeof values[0], compare);
    for (int percent = 1; percent <= 100; percent++) {
        double exact = (double)values[percent * N / 100 - 1],
               said = (double)weir_histogram_quantile(&h, percent / 100.0);
        assert_true(said >= exact * (1 - 0.032) - 1 && said <= exact * (1 + 0.032) + 1);
    }
}

static void test_merge_is_order_free(void **state) {
    struct weir_histogram a = {0}, b = {0}, both = {0};
    for (uint64_t i = 1; i < 1000; i++) {
        weir_histogram_add(i % 3 ? &a : &b, i * i);
        weir_histogram_add(&both, i * i);
    }
    weir_histogram_merge(&b, &a);
    assert_memory_equal(&b, &both, sizeof both);
    struct weir_histogram empty = {0};
    weir_histogram_merge(&b, &empty);
    assert_memory_equal(&b, &both, sizeof both);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty_and_one), cmocka_unit_test(test_buckets_hold_their_middle),
        cmocka_unit_test(test_error_is_as_stated), cmocka_unit_test(test_merge_is_order_free)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
