/* The rhythm of a session, by hand. */
#include "fake.h"
#include "measure/cadence.h"

#define MS (S / 1000)

/* `n` answers of 500 kB, one behind the other, a tenth of a second each; then nothing until
 * `every_us` after the first. */
static int64_t burst(struct weir_cadence *cadence, int64_t at_us, int n, int64_t every_us) {
    for (int i = 0; i < n; i++)
        weir_cadence_add(cadence, at_us + i * 100 * MS, at_us + (i + 1) * 100 * MS, 500000);
    return at_us + every_us;
}

static void test_one_segment_at_a_time(void **state) {
    struct weir_cadence cadence = {0};
    int64_t at_us = burst(&cadence, T0, 5, 4 * S); /* fills its buffer first */
    for (int i = 0; i < 3; i++) at_us = burst(&cadence, at_us, 1, 4 * S);
    assert_int_equal(cadence.value_us, 0); /* three whole ones so far */
    for (int i = 0; i < 20; i++) at_us = burst(&cadence, at_us, 1, 4 * S);
    assert_int_equal(cadence.value_us, 4 * S);
    assert_int_equal(cadence.need_bps, 1000000);
}

/* A player that lets its buffer sink, then asks for five segments of six seconds. */
static void test_several_segments_at_a_time(void **state) {
    struct weir_cadence cadence = {0};
    int64_t at_us = T0;
    for (int i = 0; i < 8; i++) at_us = burst(&cadence, at_us, 5, 30 * S);
    assert_int_equal(cadence.value_us, 6 * S);
}

/* A pause by the viewer and a buffer filled again change nothing. */
static void test_what_is_unlike_the_rest_does_not_count(void **state) {
    struct weir_cadence cadence = {0};
    int64_t at_us = T0;
    for (int i = 0; i < 30; i++) {
        at_us = burst(&cadence, at_us, 1, 4 * S);
        if (i % 6 == 5) {
            at_us = burst(&cadence, at_us, 1, 60 * S);
            at_us = burst(&cadence, at_us, 7, 5 * S);
        }
    }
    assert_int_equal(cadence.value_us, 4 * S);
}

/* Answers that take half of the time and more show the network's speed, and a spoilt burst shows
 * nothing. */
static void test_slow_and_spoilt_bursts_do_not_count(void **state) {
    struct weir_cadence cadence = {0};
    for (int i = 0; i < 20; i++)
        weir_cadence_add(&cadence, T0 + i * 4 * S, T0 + i * 4 * S + 2 * S, 500000);
    assert_int_equal(cadence.value_us, 0);
    int64_t at_us = T0 + 100 * S;
    for (int i = 0; i < 20; i++) {
        at_us = burst(&cadence, at_us, 1, 4 * S);
        weir_cadence_spoil(&cadence);
    }
    assert_int_equal(cadence.value_us, 0);
}

static void test_without_rest_nothing_is_known(void **state) {
    struct weir_cadence cadence = {0};
    burst(&cadence, T0, 1000, S);
    assert_int_equal(cadence.value_us, 0);
    assert_int_equal(cadence.need_bps, 0);
}

static void test_sound_adds_to_the_need_only(void **state) {
    struct weir_cadence cadence = {0};
    int64_t at_us = T0;
    for (int i = 0; i < 12; i++) {
        at_us = burst(&cadence, at_us, 1, 4 * S);
        weir_cadence_add_sound(&cadence, 65000);
    }
    assert_int_equal(cadence.value_us, 4 * S);
    assert_int_equal(cadence.need_bps, 1130000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_segment_at_a_time),
        cmocka_unit_test(test_several_segments_at_a_time),
        cmocka_unit_test(test_what_is_unlike_the_rest_does_not_count),
        cmocka_unit_test(test_slow_and_spoilt_bursts_do_not_count),
        cmocka_unit_test(test_without_rest_nothing_is_known),
        cmocka_unit_test(test_sound_adds_to_the_need_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
