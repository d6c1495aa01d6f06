/* Enough or far too little, by hand: a film that needs 1 Mbit/s. */
#include "fake.h"
#include "measure/need.h"

enum { NEED_BPS = 1000000 };

static bool after(int ticks, uint64_t bytes, int open_of_ten) {
    struct weir_need need = {0};
    for (int i = 0; i < ticks; i++)
        weir_need_tick(&need, i % 10 >= 10 - open_of_ten, i % 10 >= 10 - open_of_ten ? bytes : 0);
    return weir_need_is_slow(&need, NEED_BPS);
}

static void test_below_half(void **state) {
    assert_true(after(10, 62499, 10));
    assert_false(after(10, 62500, 10));
}

static void test_it_takes_seven_of_ten_seconds(void **state) {
    assert_false(after(6, 1000, 10));
    assert_true(after(7, 1000, 10));
    assert_false(after(40, 1000, 6)); /* rests in between: it has what it wants */
    assert_true(after(40, 1000, 7));
}

/* One segment that came in time, and then a request that waits: unanswered, not slow. */
static void test_waiting_is_not_slow(void **state) {
    struct weir_need need = {0};
    weir_need_tick(&need, true, 300000);
    for (int i = 0; i < 8; i++) weir_need_tick(&need, true, 0);
    assert_false(weir_need_is_slow(&need, NEED_BPS));
    weir_need_tick(&need, true, 10000); /* and then comes too little */
    assert_true(weir_need_is_slow(&need, NEED_BPS));
}

static void test_unknown_need(void **state) {
    struct weir_need need = {0};
    for (int i = 0; i < 20; i++) weir_need_tick(&need, true, 10);
    assert_false(weir_need_is_slow(&need, 0));
}

/* Well served until the link collapses, at any moment of the ten seconds: that is where it begins.
 */
static void test_since(void **state) {
    for (int since = 1; since < WEIR_NEED_TICKS; since++) {
        struct weir_need need = {0};
        for (int i = 0; i < WEIR_NEED_TICKS; i++)
            weir_need_tick(&need, true, i < WEIR_NEED_TICKS - since ? 125000 : 5000);
        assert_int_equal(weir_need_short_ticks(&need, NEED_BPS), since);
    }
    struct weir_need unknown = {0};
    weir_need_tick(&unknown, true, 10);
    assert_int_equal(weir_need_short_ticks(&unknown, 0), WEIR_NEED_TICKS);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_below_half),
        cmocka_unit_test(test_it_takes_seven_of_ten_seconds),
        cmocka_unit_test(test_waiting_is_not_slow),
        cmocka_unit_test(test_unknown_need),
        cmocka_unit_test(test_since),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
