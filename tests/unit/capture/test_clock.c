/* The engine's clock, by hand-worked numbers. */
#undef NDEBUG
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "capture/clock.h"
#include "capture/reader.h"

#define S INT64_C(1000000)

static void small_disorder_holds_the_clock(void **state) {
    struct weir_clock clock = {0};
    assert_int_equal(weir_clock_now(&clock, 100 * S), 100 * S);
    assert_int_equal(weir_clock_now(&clock, 99 * S), 100 * S);
    assert_int_equal(weir_clock_now(&clock, 40 * S), 100 * S); /* 60 s exactly is still disorder */
    assert_int_equal(weir_clock_now(&clock, 100 * S + 1), 100 * S + 1);
    assert_int_equal(clock.n_backwards, 2);
    assert_int_equal(clock.n_steps, 0);
    assert_int_equal(clock.offset_us, 0);
}

static void a_clock_set_back_goes_on_from_now(void **state) {
    struct weir_clock clock = {0};
    weir_clock_now(&clock, 4000 * S);
    assert_int_equal(weir_clock_now(&clock, 400 * S), 4000 * S);
    assert_int_equal(clock.n_steps, 1);
    assert_int_equal(clock.offset_us, 3600 * S);
    assert_int_equal(weir_clock_now(&clock, 401 * S), 4001 * S);
    assert_int_equal(weir_clock_now(&clock, 399 * S), 4001 * S);
    assert_int_equal(clock.n_backwards, 1);
    /* and again */
    assert_int_equal(weir_clock_now(&clock, 100 * S), 4001 * S);
    assert_int_equal(clock.offset_us, 3901 * S);
    assert_int_equal(clock.n_steps, 2);
    assert_int_equal(weir_clock_now(&clock, 160 * S), 4061 * S);
}

static void one_stamp_from_the_future_does_not_stop_time(void **state) {
    struct weir_clock clock = {0};
    weir_clock_now(&clock, 1700000000 * S);
    int64_t future_us = weir_clock_now(&clock, 4294967295 * S);
    assert_int_equal(weir_clock_now(&clock, 1700000001 * S), future_us);
    assert_int_equal(weir_clock_now(&clock, 1700000003 * S), future_us + 2 * S);
}

static void hostile_steps_neither_overflow_nor_go_back(void **state) {
    struct weir_clock clock = {0};
    int64_t before_us = 0;
    for (int i = 0; i < 1000; i++) {
        int64_t now_us = weir_clock_now(&clock, i % 2 ? WEIR_TS_MAX_US : 0);
        assert_true(now_us >= before_us);
        before_us = now_us;
    }
    assert_int_equal(before_us, WEIR_CLOCK_MAX_US);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_disorder_holds_the_clock),
        cmocka_unit_test(a_clock_set_back_goes_on_from_now),
        cmocka_unit_test(one_stamp_from_the_future_does_not_stop_time),
        cmocka_unit_test(hostile_steps_neither_overflow_nor_go_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
