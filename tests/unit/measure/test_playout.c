/* The viewer's buffer, by hand: segments of four seconds, a player that holds sixteen. */
#include "fake.h"
#include "measure/playout.h"

#define VALUE (4 * S)

/* Four segments at once, then one each four seconds: `n` in all. Returns the time at which the next
 * one would be asked for. */
static int64_t play(struct weir_playout *playout, int64_t at_us, int n) {
    for (int i = 0; i < n; i++) {
        int64_t asked_us = i < 4 ? at_us + i * S / 10 : at_us + (i - 3) * VALUE;
        weir_playout_answer(playout, asked_us, asked_us + S / 10, VALUE);
        weir_playout_settle(playout, asked_us - S, VALUE);
    }
    return at_us + (n - 3) * VALUE;
}

static struct weir_playout started;
static int64_t next_us;

static int setup(void **state) {
    weir_playout_deinit(&started);
    started = (struct weir_playout){0};
    next_us = play(&started, T0, 20);
    return 0;
}

static int64_t seconds(int64_t us) { return (us + S / 2) / S; }

static void test_steady_playing(void **state) {
    weir_playout_finish(&started, VALUE);
    assert_int_equal(started.n_stalls, 0);
    assert_in_range(seconds(started.buffer_us), 15, 17);
}

/* Nothing is asked for: the buffer is full, or the viewer has paused. Then it goes on. */
static void test_a_long_pause(void **state) {
    weir_playout_answer(&started, next_us + 110 * S, next_us + 110 * S + S / 10, VALUE);
    weir_playout_finish(&started, VALUE);
    assert_int_equal(started.n_stalls, 0);
    assert_in_range(seconds(started.buffer_us), 14, 17); /* a pause plays nothing */
}

/* Twelve seconds are left when the first request fails; the next answer comes after thirty:
 * eighteen without a picture. */
static void test_an_outage(void **state) {
    for (int i = 0; i < 3; i++)
        weir_playout_wanted(&started, next_us + i * 9 * S, next_us + i * 9 * S + 3 * S, VALUE);
    assert_int_equal(weir_playout_still_since_us(&started, next_us + 11 * S, VALUE), 0);
    assert_int_equal(
        seconds(weir_playout_still_since_us(&started, next_us + 20 * S, VALUE) - next_us), 12);
    assert_int_equal(weir_playout_buffer_us(&started, next_us + 20 * S, VALUE), 0);
    weir_playout_answer(&started, next_us + 29 * S, next_us + 30 * S, VALUE);
    play(&started, next_us + 30 * S, 10);
    weir_playout_finish(&started, VALUE);
    assert_int_equal(started.n_stalls, 1);
    assert_int_equal(seconds(started.story->stalls[0].start_us - next_us), 12);
    assert_int_equal(seconds(started.story->stalls[0].duration_us), 18);
}

/* The same outage, over before the buffer is empty. */
static void test_an_outage_that_nobody_notices(void **state) {
    weir_playout_wanted(&started, next_us, next_us + 5 * S, VALUE);
    weir_playout_answer(&started, next_us + 9 * S, next_us + 10 * S, VALUE);
    play(&started, next_us + 10 * S, 6);
    weir_playout_finish(&started, VALUE);
    assert_int_equal(started.n_stalls, 0);
}

/* A pause, and the outage comes while it lasts: the buffer was full when the viewer came back. */
static void test_an_outage_after_a_pause(void **state) {
    int64_t back_us = next_us + 100 * S;
    weir_playout_wanted(&started, back_us, back_us + 5 * S, VALUE);
    weir_playout_answer(&started, back_us + 9 * S, back_us + 10 * S, VALUE);
    weir_playout_finish(&started, VALUE);
    assert_int_equal(started.n_stalls, 0);
}

/* The viewer tries for 25 s and leaves: it ends, it does not stall for ever. */
static void test_giving_up(void **state) {
    for (int i = 0; i < 5; i++)
        weir_playout_wanted(&started, next_us + i * 5 * S, next_us + (i + 1) * 5 * S, VALUE);
    weir_playout_settle(&started, next_us + 200 * S, VALUE);
    weir_playout_finish(&started, VALUE);
    assert_int_equal(started.n_stalls, 1);
    assert_int_equal(seconds(started.story->stalls[0].duration_us), 13);
}

/* One failure, and two minutes later the viewer looks on: demand does not last without a sign. */
static void test_demand_lapses(void **state) {
    weir_playout_wanted(&started, next_us, next_us + 3 * S, VALUE);
    weir_playout_answer(&started, next_us + 130 * S, next_us + 131 * S, VALUE);
    weir_playout_wanted(&started, next_us + 129 * S, next_us + 130 * S, VALUE);
    weir_playout_finish(&started, VALUE);
    assert_int_equal(started.n_stalls, 0);
}

/* Answers of two connections that become known in the wrong order. */
static void test_answers_come_to_be_known_late(void **state) {
    weir_playout_wanted(&started, next_us, next_us + 5 * S, VALUE);
    weir_playout_answer(&started, next_us + 16 * S, next_us + 17 * S, VALUE);
    weir_playout_answer(&started, next_us + 10 * S, next_us + 11 * S, VALUE);
    weir_playout_finish(&started, VALUE);
    assert_int_equal(started.n_stalls, 0);
}

/* Small errors of the value do not add up over an hour. */
static void test_no_drift(void **state) {
    for (int sign = -1; sign <= 1; sign += 2) {
        struct weir_playout playout = {0};
        int64_t at_us = T0;
        for (int i = 0; i < 1000; i++) {
            weir_playout_answer(&playout, at_us, at_us + S / 10, VALUE + sign * S / 50);
            weir_playout_settle(&playout, at_us - S, VALUE + sign * S / 50);
            at_us += i < 3 ? S / 10 : VALUE;
        }
        assert_int_equal(playout.n_stalls, 0);
        assert_in_range(seconds(playout.buffer_us), 8, 24);
        weir_playout_deinit(&playout);
    }
}

/* Live: one segment of two seconds is all that is held. */
static void test_live(void **state) {
    struct weir_playout playout = {0};
    int64_t at_us = T0;
    for (int i = 0; i < 30; i++, at_us += 2 * S)
        weir_playout_answer(&playout, at_us, at_us + S / 10, 2 * S);
    /* the last rest ends as the others */
    weir_playout_answer(&playout, at_us + 8 * S, at_us + 9 * S, 2 * S);
    weir_playout_wanted(&playout, at_us, at_us + 9 * S, 2 * S);
    weir_playout_finish(&playout, 2 * S);
    assert_int_equal(playout.n_stalls, 1);
    assert_int_equal(seconds(playout.story->stalls[0].start_us - at_us), 2);
    assert_int_equal(seconds(playout.story->stalls[0].duration_us), 7);
    weir_playout_deinit(&playout);
}

/* Sound was counted as picture: taken back. */
static void test_take_back(void **state) {
    struct weir_playout playout = {0};
    for (int i = 0; i < 6; i++)
        weir_playout_answer(&playout, T0 + i * S / 10, T0 + i * S / 10 + S / 10, 0);
    weir_playout_take_back(&playout, 3);
    weir_playout_finish(&playout, VALUE);
    assert_in_range(seconds(playout.buffer_us), 10, 12);
    weir_playout_deinit(&playout);
}

/* More stalls than are listed are counted; a queue that is full loses nothing. */
static void test_bounds(void **state) {
    struct weir_playout playout = {0};
    int64_t at_us = play(&playout, T0, 20);
    for (int i = 0; i < 40; i++) {
        weir_playout_wanted(&playout, at_us, at_us + 30 * S, VALUE);
        at_us += 30 * S;
        weir_playout_answer(&playout, at_us - S, at_us, VALUE);
    }
    weir_playout_finish(&playout, VALUE);
    assert_int_equal(playout.n_stalls, 40);
    assert_in_range(seconds(playout.stalled_us), 40 * 26 - 20, 40 * 26);
    weir_playout_finish(&playout, VALUE);
    assert_int_equal(playout.n_stalls, 40);
    weir_playout_deinit(&playout);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup(name, setup)
    const struct CMUnitTest tests[] = {
        TEST(test_steady_playing),
        TEST(test_a_long_pause),
        TEST(test_an_outage),
        TEST(test_an_outage_that_nobody_notices),
        TEST(test_an_outage_after_a_pause),
        TEST(test_giving_up),
        TEST(test_demand_lapses),
        TEST(test_answers_come_to_be_known_late),
        TEST(test_no_drift),
        TEST(test_live),
        TEST(test_take_back),
        TEST(test_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
