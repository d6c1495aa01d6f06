/* One request that is answered for minutes: its bursts, from ticks. */
#include "fake.h"
#include "measure/lasting.h"

enum { PORT = 40000, BURST = 600000 };

static struct weir_lasting lasting;
static struct weir_lasting_burst bursts[WEIR_LASTING_BURSTS];

static int setup(void **state) {
    weir_lasting_deinit(&lasting);
    lasting = (struct weir_lasting){0};
    return 0;
}

static int tick(int64_t at_s, uint64_t bytes, bool known) {
    return weir_lasting_tick(&lasting, PORT, T0, T0 + at_s * S, bytes, known, bursts);
}

static void test_the_third_rest_behind_twenty_seconds_tells_all(void **state) {
    assert_int_equal(tick(1, 4 * BURST, false), 0);
    assert_int_equal(tick(2, 4 * BURST, false), 0);
    assert_int_equal(tick(8, BURST, false), 0);
    assert_int_equal(tick(14, BURST, false), 0);
    assert_false(weir_lasting_is_told(&lasting, PORT, T0));
    assert_int_equal(tick(20, BURST, false), 3);
    assert_true(weir_lasting_is_told(&lasting, PORT, T0));
    assert_int_equal(bursts[0].bytes, 8 * BURST);
    assert_int_equal(bursts[0].from_us, T0);
    assert_int_equal(bursts[0].done_us, T0 + 2 * S);
    assert_int_equal(bursts[0].rest_us, 6 * S);
    assert_int_equal(bursts[2].bytes, BURST);
    assert_int_equal(tick(26, BURST, false), 1);
    assert_int_equal(bursts[0].done_us, T0 + 20 * S);
}

static void test_a_later_one_of_the_session_at_its_first_rest(void **state) {
    assert_int_equal(tick(1, BURST, true), 0);
    assert_int_equal(tick(5, BURST, true), 1);
}

static void test_many_rests_in_the_first_seconds_are_kept(void **state) {
    uint64_t bytes = 0;
    int n = 0;
    for (int at_s = 1; at_s <= 19; at_s += 2, n++) assert_int_equal(tick(at_s, BURST, false), 0);
    int told = tick(21, BURST, false);
    assert_int_equal(told, WEIR_LASTING_BURSTS);
    for (int i = 0; i < told; i++) bytes += bursts[i].bytes;
    assert_int_equal(bytes, (uint64_t)n * BURST);
    assert_int_equal(bursts[0].bytes, BURST); /* the first stays itself: it fills the buffer */
}

static void test_the_end_tells_what_is_left(void **state) {
    for (int at_s = 1; at_s <= 25; at_s += 6) tick(at_s, BURST, false);
    assert_true(weir_lasting_end(&lasting, PORT, T0, 5 * BURST, bursts));
    assert_int_equal(bursts[0].bytes, BURST);
    assert_false(weir_lasting_is_told(&lasting, PORT, T0));
}

static void test_no_such_answer(void **state) {
    for (int at_s = 1; at_s < 60; at_s++) /* never rests */
        assert_int_equal(tick(at_s, BURST, false), 0);
    assert_false(weir_lasting_end(&lasting, PORT, T0, 60 * BURST, bursts));
    for (int at_s = 1; at_s < 60; at_s += 6) /* a trickle with rests, for less than a minute */
        assert_int_equal(tick(at_s, 20000, false), 0);
    assert_false(weir_lasting_is_told(&lasting, PORT, T0));
    assert_false(weir_lasting_end(&lasting, PORT + 1, T0, BURST, bursts));
}

/* A page or a sound on another connection is nothing to it, once it has rested; where it is silent
 * for long, it is. */
static void test_other_connections_leave_it_alone(void **state) {
    tick(2, BURST, false);
    for (int at_s = 8; at_s <= 20; at_s += 6) {
        tick(at_s, BURST, false);
        assert_int_equal(weir_lasting_tick(&lasting, PORT + 1, T0 + at_s * S, T0 + (at_s + 1) * S,
                                           BURST, false, bursts),
                         0);
    }
    assert_true(weir_lasting_is_told(&lasting, PORT, T0));
    weir_lasting_tick(&lasting, PORT + 1, T0 + 41 * S, T0 + 42 * S, BURST, false, bursts);
    assert_false(weir_lasting_is_told(&lasting, PORT, T0));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_the_third_rest_behind_twenty_seconds_tells_all, setup),
        cmocka_unit_test_setup(test_a_later_one_of_the_session_at_its_first_rest, setup),
        cmocka_unit_test_setup(test_many_rests_in_the_first_seconds_are_kept, setup),
        cmocka_unit_test_setup(test_the_end_tells_what_is_left, setup),
        cmocka_unit_test_setup(test_no_such_answer, setup),
        cmocka_unit_test_setup(test_other_connections_leave_it_alone, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
