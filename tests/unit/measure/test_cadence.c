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

/* A rest of 0.7 s ends a burst; one of 0.3 s is too short and one of two minutes too long to say
 * anything. */
static void test_what_is_a_burst(void **state) {
    struct weir_cadence cadence = {0};
    weir_cadence_add(&cadence, T0, T0 + 10 * MS, 1000);
    weir_cadence_add(&cadence, T0 + 709 * MS, T0 + 720 * MS, 1000); /* 699 ms: the same */
    assert_int_equal(cadence.n, 2);
    assert_int_equal(cadence.n_bursts, 0);
    weir_cadence_add(&cadence, T0 + 1420 * MS, T0 + 1430 * MS, 1000);
    assert_int_equal(cadence.n, 1);
    assert_int_equal(cadence.n_bursts, 1);
    assert_int_equal(cadence.bursts[0].ms, 1420);
    assert_int_equal(cadence.bursts[0].n, 2);
    assert_int_equal(cadence.bursts[0].bytes, 2000);
    weir_cadence_add(&cadence, T0 + 121420 * MS, T0 + 121430 * MS, 1000); /* 120 s */
    assert_int_equal(cadence.n_bursts, 2);
    weir_cadence_add(&cadence, T0 + 241421 * MS, T0 + 241430 * MS, 1000);
    assert_int_equal(cadence.n_bursts, 2);
}

/* Half of the time is too long; a little less is not. Answers side by side count once. */
static void test_time_of_arrival(void **state) {
    static const int64_t took_ms[] = {1999, 2000};
    for (int i = 0; i < 2; i++) {
        struct weir_cadence cadence = {0};
        weir_cadence_add(&cadence, T0, T0 + took_ms[i] * MS, 1000);
        weir_cadence_add(&cadence, T0 + 500 * MS, T0 + 1500 * MS, 1000);
        assert_int_equal(cadence.on_us, took_ms[i] * MS);
        weir_cadence_add(&cadence, T0 + 4 * S, T0 + 5 * S, 1000);
        assert_int_equal(cadence.n_bursts, 1 - i);
    }
}

/* The middle of an even number of bursts lies between two of them: 2, 2, 6 and 6 seconds have 4 for
 * their median, and none is like it; 3, 3, 5 and 5 all are. */
static void test_the_median_of_four(void **state) {
    static const int64_t pairs[][3] = {{2, 6, 0}, {3, 5, 4}};
    for (int i = 0; i < 2; i++) {
        struct weir_cadence cadence = {0};
        int64_t at_us = T0;
        for (int n = 0; n < 4; n++) at_us = burst(&cadence, at_us, 1, pairs[i][n / 2] * S);
        burst(&cadence, at_us, 1, S);
        assert_int_equal(cadence.n_bursts, 4);
        assert_int_equal(cadence.value_us, pairs[i][2] * S);
    }
}

/* Three of four must be like the median, and half of them all. */
static void test_how_many_must_agree(void **state) {
    struct weir_cadence cadence = {0};
    int64_t at_us = T0;
    for (int n = 0; n < 3; n++) at_us = burst(&cadence, at_us, 1, 4 * S);
    at_us = burst(&cadence, at_us, 1, 60 * S);
    burst(&cadence, at_us, 1, S);
    assert_int_equal(cadence.value_us, 4 * S);
    assert_int_equal(cadence.good, 3);
    memset(&cadence, 0, sizeof cadence);
    for (int n = 0; n < 4; n++) at_us = burst(&cadence, at_us, 1, n < 2 ? 4 * S : (n - 1) * 40 * S);
    burst(&cadence, at_us, 1, S);
    assert_int_equal(cadence.value_us, 0);
}

/* At the end two bursts that agree within a quarter are better than nothing. */
static void test_a_guess(void **state) {
    static const int64_t seconds[][3] = {{4, 5, 4500}, {5, 4, 4500}, {40, 51, 0}, {51, 40, 0}};
    for (int i = 0; i < 4; i++) {
        struct weir_cadence cadence = {0};
        int64_t at_us = burst(&cadence, T0, 1, seconds[i][0] * S);
        weir_cadence_guess(&cadence);
        assert_int_equal(cadence.value_us, 0);
        at_us = burst(&cadence, at_us, 1, seconds[i][1] * S);
        burst(&cadence, at_us, 1, S);
        weir_cadence_guess(&cadence);
        assert_int_equal(cadence.value_us, seconds[i][2] * MS);
        assert_int_equal(cadence.need_bps, seconds[i][2] ? INT64_C(1000000) * 8 / 9 : 0);
        weir_cadence_forget(&cadence);
        assert_int_equal(cadence.n_bursts, 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_segment_at_a_time),
        cmocka_unit_test(test_several_segments_at_a_time),
        cmocka_unit_test(test_what_is_unlike_the_rest_does_not_count),
        cmocka_unit_test(test_slow_and_spoilt_bursts_do_not_count),
        cmocka_unit_test(test_without_rest_nothing_is_known),
        cmocka_unit_test(test_sound_adds_to_the_need_only),
        cmocka_unit_test(test_what_is_a_burst),
        cmocka_unit_test(test_time_of_arrival),
        cmocka_unit_test(test_the_median_of_four),
        cmocka_unit_test(test_how_many_must_agree),
        cmocka_unit_test(test_a_guess),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
