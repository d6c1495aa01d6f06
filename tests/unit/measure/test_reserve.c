/* Players that load minutes ahead in bursts of any size: stalls from the bytes alone. The player
 * here loads 130 s ahead, at 50 kB a second, and asks again 20 to 40 s below that. */
#include "fake.h"
#include "measure/reserve.h"

#define AHEAD_US (130 * S)
enum { RATE = 50000 }; /* bytes a second of playing */

static struct weir_reserve reserve;
static struct weir_reserve_found found;

static int setup(void **state) {
    weir_reserve_deinit(&reserve);
    reserve = (struct weir_reserve){0};
    return 0;
}

/* Bytes that play for `plays_s` come in `takes_s`, in four pieces; returns when they have come. */
static int64_t load(int64_t from_s, int plays_s, int takes_s) {
    for (int i = 0; i < 4; i++)
        weir_reserve_answer(&reserve, T0 + from_s * S + i * takes_s * S / 4,
                            T0 + from_s * S + (i + 1) * takes_s * S / 4,
                            (uint64_t)plays_s * RATE / 4);
    return from_s + takes_s;
}

/* Asks in vain from `from_s` to `to_s`, anew each ten seconds. */
static void in_vain(int64_t from_s, int64_t to_s) {
    for (int64_t at_s = from_s; at_s < to_s; at_s += 10)
        weir_reserve_wanted(&reserve, T0 + at_s * S, T0 + (at_s + 9) * S);
}

static uint32_t find(void) {
    struct weir_reserve_habits habits = {.ahead_us = AHEAD_US};
    found = (struct weir_reserve_found){0};
    assert_true(weir_reserve_find(&reserve, &habits, &found));
    return found.n;
}

/* Fills in twenty seconds and keeps full until `until_s`. */
static int64_t keep_full(int64_t from_s, int64_t until_s) {
    int64_t at_s = load(from_s, 138, 20);
    static const int rests_s[] = {20, 38, 25};
    for (int i = 0; at_s + rests_s[i % 3] + 2 < until_s; i++)
        at_s = load(at_s + rests_s[i % 3], rests_s[i % 3] + 2, 2);
    return at_s;
}

static void test_a_buffer_that_is_played_out(void **state) {
    int64_t full_s = keep_full(0, 300);
    in_vain(full_s + 25, full_s + 170);
    keep_full(full_s + 170, full_s + 400);
    assert_int_equal(find(), 1);
    assert_in_range(found.stalls[0].start_us, T0 + (full_s + 120) * S, T0 + (full_s + 140) * S);
    assert_in_range(found.stalls[0].start_us + found.stalls[0].duration_us, T0 + (full_s + 168) * S,
                    T0 + (full_s + 180) * S);
    assert_int_equal(found.stalled_us, found.stalls[0].duration_us);
}

/* The link fails while an answer is on its way: two seconds of picture take twelve. */
static void starve(int64_t full_s, int takes_s) {
    for (int at_s = 30; at_s < 120; at_s += 30)
        weir_reserve_answer(&reserve, T0 + (full_s + at_s) * S, T0 + (full_s + at_s) * S + S / 10,
                            RATE / 5);
    weir_reserve_answer(&reserve, T0 + (full_s + 122) * S, T0 + (full_s + 122 + takes_s) * S,
                        2 * RATE);
    keep_full(full_s + 160, full_s + 400);
}

static void test_an_answer_that_comes_slower_than_it_plays(void **state) {
    int64_t full_s = keep_full(0, 300);
    starve(full_s, 12);
    assert_int_equal(find(), 1);
    assert_in_range(found.stalls[0].start_us, T0 + (full_s + 120) * S, T0 + (full_s + 142) * S);
}

/* The same bytes, at once: who asked for no more than that wanted no more. */
static void test_an_answer_that_comes_at_once(void **state) {
    int64_t full_s = keep_full(0, 300);
    starve(full_s, 1);
    assert_int_equal(find(), 0);
}

static void test_an_outage_that_the_buffer_bridges(void **state) {
    int64_t full_s = keep_full(0, 300);
    in_vain(full_s + 25, full_s + 100);
    keep_full(full_s + 100, full_s + 400);
    assert_int_equal(find(), 0);
}

static void test_long_rests_and_short_waits(void **state) {
    int64_t at_s = load(0, 138, 20);
    for (int i = 0; i < 10; i++) {
        in_vain(at_s + 110, at_s + 120);
        at_s = load(at_s + 121, 115, 10);
    }
    assert_int_equal(find(), 0);
}

static void test_a_pause_of_the_viewer(void **state) {
    int64_t at_s = keep_full(0, 200);
    in_vain(at_s + 900, at_s + 920); /* asks again, and waits */
    keep_full(at_s + 920, at_s + 1100);
    assert_int_equal(find(), 0);
}

/* Never more than what is played: each byte is needed, none is missing. */
static void test_a_link_as_fast_as_the_picture(void **state) {
    for (int at_s = 0; at_s < 600;) at_s = (int)load(at_s, 10, 10);
    assert_int_equal(find(), 0);
}

/* A third of the rate for ten minutes, asked for all the time: a poorer picture, which runs. */
static void test_a_poorer_picture(void **state) {
    int64_t at_s = keep_full(0, 300);
    for (int i = 0; i < 60; i++) {
        weir_reserve_wanted(&reserve, T0 + at_s * S, T0 + (at_s + 2) * S);
        at_s = load(at_s, 4, 10);
    }
    assert_int_equal(find(), 0);
}

static void test_who_leaves_stands_still_no_longer(void **state) {
    int64_t full_s = keep_full(0, 300);
    in_vain(full_s + 25, full_s + 170);
    assert_int_equal(find(), 1);
    assert_in_range(found.stalls[0].start_us + found.stalls[0].duration_us, T0 + (full_s + 160) * S,
                    T0 + (full_s + 175) * S);
}

static void test_hours_are_kept_in_few_notes(void **state) {
    int64_t full_s = keep_full(0, 7200);
    in_vain(full_s + 25, full_s + 170);
    keep_full(full_s + 170, full_s + 3600);
    assert_true(reserve.n <= WEIR_RESERVE_NOTES);
    assert_int_equal(find(), 1);
    assert_in_range(found.stalls[0].start_us, T0 + (full_s + 110) * S, T0 + (full_s + 150) * S);
}

/* A player that is sent twelve seconds ahead of 30, burst by burst: how far ahead is learned. */
static void test_a_known_rate(void **state) {
    struct weir_reserve_habits habits = {.rate_bps = RATE * 8};
    weir_reserve_answer(&reserve, T0, T0 + 3 * S, 30 * RATE);
    int64_t at_s = 3;
    for (; at_s < 100; at_s += 6)
        weir_reserve_answer(&reserve, T0 + (at_s + 5) * S, T0 + (at_s + 6) * S, 6 * RATE);
    found = (struct weir_reserve_found){0};
    assert_true(weir_reserve_find(&reserve, &habits, &found));
    assert_int_equal(found.n, 0);
    assert_int_equal(found.still_us, 0);
    in_vain(at_s + 10, at_s + 50);
    weir_reserve_answer(&reserve, T0 + (at_s + 60) * S, T0 + (at_s + 64) * S, 30 * RATE);
    found = (struct weir_reserve_found){0};
    assert_true(weir_reserve_find(&reserve, &habits, &found));
    assert_int_equal(found.n, 1);
    assert_in_range(found.stalls[0].start_us, T0 + (at_s + 24) * S, T0 + (at_s + 31) * S);
    assert_in_range(found.stalls[0].start_us + found.stalls[0].duration_us, T0 + (at_s + 60) * S,
                    T0 + (at_s + 62) * S);
    assert_int_equal(found.fullness.us[WEIR_BUFFER_EMPTY], found.stalled_us);
    assert_true(found.fullness.us[WEIR_BUFFER_FULL] > 60 * S);
}

static void test_stands_still_now(void **state) {
    struct weir_reserve_habits habits = {.rate_bps = RATE * 8};
    for (int i = 0; i < 10; i++)
        weir_reserve_answer(&reserve, T0 + i * 6 * S, T0 + (i * 6 + 1) * S, 6 * RATE);
    in_vain(65, 100);
    found = (struct weir_reserve_found){0};
    assert_true(weir_reserve_find(&reserve, &habits, &found));
    assert_in_range(found.still_us, T0 + 57 * S, T0 + 64 * S);
}

static void test_who_never_rests_is_not_known(void **state) {
    struct weir_reserve_habits habits = {.rate_bps = RATE * 8};
    for (int i = 0; i < 30; i++) weir_reserve_answer(&reserve, T0 + i * S, T0 + (i + 1) * S, RATE);
    assert_false(weir_reserve_find(&reserve, &habits, &found));
}

static void test_nothing_of_nothing(void **state) {
    assert_int_equal(find(), 0);
    weir_reserve_wanted(&reserve, T0, T0 + S);
    assert_int_equal(find(), 0);
    weir_reserve_answer(&reserve, T0 - S, T0, UINT64_MAX); /* older than the first, and no size */
    assert_int_equal(find(), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_a_buffer_that_is_played_out, setup),
        cmocka_unit_test_setup(test_an_answer_that_comes_slower_than_it_plays, setup),
        cmocka_unit_test_setup(test_an_answer_that_comes_at_once, setup),
        cmocka_unit_test_setup(test_an_outage_that_the_buffer_bridges, setup),
        cmocka_unit_test_setup(test_long_rests_and_short_waits, setup),
        cmocka_unit_test_setup(test_a_pause_of_the_viewer, setup),
        cmocka_unit_test_setup(test_a_link_as_fast_as_the_picture, setup),
        cmocka_unit_test_setup(test_a_poorer_picture, setup),
        cmocka_unit_test_setup(test_who_leaves_stands_still_no_longer, setup),
        cmocka_unit_test_setup(test_hours_are_kept_in_few_notes, setup),
        cmocka_unit_test_setup(test_a_known_rate, setup),
        cmocka_unit_test_setup(test_stands_still_now, setup),
        cmocka_unit_test_setup(test_who_never_rests_is_not_known, setup),
        cmocka_unit_test_setup(test_nothing_of_nothing, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
