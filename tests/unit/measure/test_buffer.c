/* The buffer model, step by step: what one answer, one rest and one sign of demand change. Films as
 * a whole are in test_playout.c. */
#include "fake.h"
#include "measure/playout.h"

#define VALUE (4 * S)
#define MS    (S / 1000)

static struct weir_playout playout;

/* It plays, and has ten seconds at T0. */
static int begin(void **state) {
    weir_playout_deinit(&playout);
    playout = (struct weir_playout){.playing = true,
                                    .known = true,
                                    .answers = 9,
                                    .at_us = T0,
                                    .sign_us = T0,
                                    .begun_us = T0 - 60 * S,
                                    .buffer_us = 10 * S};
    return 0;
}

static void answered(int64_t request_us, int64_t done_us) {
    weir_playout_answer(&playout, request_us, done_us, VALUE);
    weir_playout_settle(&playout, done_us, VALUE);
}

static void wanted(int64_t since_us, int64_t until_us) {
    weir_playout_wanted(&playout, since_us, until_us, VALUE);
}

/* ---- now ---- */

static void it_sinks_while_it_rests(void **state) {
    assert_int_equal(weir_playout_buffer_us(&playout, T0, VALUE), 10 * S);
    assert_int_equal(weir_playout_buffer_us(&playout, T0 + 3 * S, VALUE), 7 * S);
    /* no player that plays waits for less than one answer's time */
    assert_int_equal(weir_playout_buffer_us(&playout, T0 + 60 * S, VALUE), VALUE);
    playout.buffer_us = 3 * S;
    assert_int_equal(weir_playout_buffer_us(&playout, T0 + 60 * S, VALUE), 3 * S);
    playout.buffer_us = 10 * S;
    playout.n_asks = 1;
    playout.ask_ms[0] = 8000; /* the level at which it asks */
    assert_int_equal(weir_playout_buffer_us(&playout, T0 + 3 * S, VALUE), 8 * S);
}

static void it_goes_on_sinking_while_it_asks(void **state) {
    wanted(T0 + 2 * S, T0 + 4 * S);
    assert_int_equal(weir_playout_buffer_us(&playout, T0 + 5 * S, VALUE), 5 * S);
    assert_int_equal(weir_playout_buffer_us(&playout, T0 + 10 * S, VALUE), 0);
    assert_int_equal(weir_playout_buffer_us(&playout, T0 + 30 * S, VALUE), 0);
    assert_int_equal(playout.buffer_us, 10 * S); /* to look ahead changes nothing */
    assert_int_equal(playout.n_queue, 1);
}

static void what_is_not_known(void **state) {
    playout.known = false;
    assert_int_equal(weir_playout_buffer_us(&playout, T0, VALUE), -1);
    wanted(T0, T0 + S);
    assert_int_equal(weir_playout_still_since_us(&playout, T0 + 20 * S, VALUE), 0);
    begin(state);
    playout.playing = false;
    assert_int_equal(weir_playout_buffer_us(&playout, T0, VALUE), -1);
    wanted(T0, T0 + S);
    assert_int_equal(weir_playout_still_since_us(&playout, T0 + 20 * S, VALUE), 0);
}

static void since_when_it_stands_still(void **state) {
    assert_int_equal(weir_playout_still_since_us(&playout, T0 + 60 * S, VALUE), 0); /* it rests */
    wanted(T0 + 2 * S, T0 + 12 * S); /* eight seconds were left */
    assert_int_equal(weir_playout_still_since_us(&playout, T0 + 10 * S - 1, VALUE), 0);
    assert_int_equal(weir_playout_still_since_us(&playout, T0 + 10 * S, VALUE), T0 + 10 * S);
    /* the last sign is 45 s old: nobody waits any more */
    assert_int_equal(weir_playout_still_since_us(&playout, T0 + 57 * S, VALUE), T0 + 10 * S);
    assert_int_equal(weir_playout_still_since_us(&playout, T0 + 57 * S + 1, VALUE), 0);
    begin(state);
    wanted(T0, T0 + 5 * S); /* from the last answer on: no rest */
    assert_int_equal(weir_playout_still_since_us(&playout, T0 + 12 * S, VALUE), T0 + 10 * S);
}

/* ---- answers ---- */

static void an_answer_adds_its_time(void **state) {
    answered(T0 + S, T0 + 2 * S);
    assert_int_equal(playout.buffer_us, 12 * S);
    assert_int_equal(playout.at_us, T0 + 2 * S);
    assert_int_equal(playout.answers, 10);
    playout.buffer_us = 600 * S - 1;
    answered(T0 + 2 * S, T0 + 2 * S); /* nobody holds more than ten minutes */
    assert_int_equal(playout.buffer_us, 604 * S - 1);
    answered(T0 + 2 * S, T0 + 2 * S);
    assert_int_equal(playout.buffer_us, 604 * S - 1);
}

static void it_plays_from_the_second_answer(void **state) {
    playout = (struct weir_playout){0};
    answered(T0, T0 + S);
    assert_false(playout.playing);
    assert_int_equal(playout.buffer_us, VALUE);
    answered(T0 + S, T0 + 3 * S);
    assert_true(playout.playing);
    assert_int_equal(playout.begun_us, T0 + 3 * S);
    assert_int_equal(playout.buffer_us, 2 * VALUE);
}

/* Once it is known what an answer carries, those before count with it, less what was played. */
static void what_came_before_it_was_known(void **state) {
    playout = (struct weir_playout){0};
    for (int i = 0; i < 4; i++) {
        weir_playout_answer(&playout, T0 + i * S, T0 + (i + 1) * S, 0);
        weir_playout_settle(&playout, T0 + 10 * S, 0);
    }
    assert_false(playout.known);
    assert_int_equal(playout.played_us, 2 * S);
    answered(T0 + 4 * S, T0 + 5 * S);
    assert_true(playout.known);
    assert_int_equal(playout.buffer_us, 4 * VALUE - 2 * S - S + VALUE);
}

static void answers_that_do_not_count(void **state) {
    weir_playout_take_back(&playout, 2);
    answered(T0 + S, T0 + S);
    assert_int_equal(playout.answers, 9);
    assert_int_equal(playout.debt, 1);
    weir_playout_give_up(&playout, VALUE); /* none waits: it is taken out of the buffer */
    assert_int_equal(playout.debt, 1);
    assert_int_equal(playout.buffer_us, 5 * S);
    playout.buffer_us = VALUE;
    weir_playout_give_up(&playout, VALUE);
    assert_int_equal(playout.buffer_us, 0);
    weir_playout_give_up(&playout, VALUE);
    assert_int_equal(playout.buffer_us, 0);
    weir_playout_answer(&playout, T0 + 3 * S, T0 + 4 * S, VALUE);
    weir_playout_give_up(&playout, VALUE); /* the one that waits */
    assert_int_equal(playout.debt, 2);
    playout.n_queue = 0;
    playout.known = false;
    weir_playout_give_up(&playout, VALUE);
    assert_int_equal(playout.debt, 3);
}

/* ---- stalls ---- */

static void how_long_a_stall_is(void **state) {
    static const struct {
        int64_t us;
        uint32_t n;
    } cases[] = {{200 * MS - 1, 0}, {200 * MS, 1}, {7 * S, 1}};
    for (size_t i = 0; i < 3; i++) {
        begin(state);
        answered(T0, T0 + 10 * S + cases[i].us); /* asked at once: ten seconds were left */
        assert_int_equal(playout.n_stalls, cases[i].n);
        assert_int_equal(playout.stalled_us, cases[i].n ? cases[i].us : 0);
        assert_int_equal(playout.story->stalls[0].start_us, cases[i].n ? T0 + 10 * S : 0);
        assert_int_equal(playout.story->stalls[0].duration_us, cases[i].n ? cases[i].us : 0);
        assert_int_equal(playout.buffer_us, VALUE);
    }
}

/* Two with less than half a second between them are one. */
static void stalls_that_are_one(void **state) {
    for (int apart = 0; apart < 2; apart++) {
        begin(state);
        playout.buffer_us = 0;
        answered(T0, T0 + S);
        playout.buffer_us = 500 * MS - 1 + apart; /* a very short answer */
        answered(T0 + S, T0 + 3 * S);
        assert_int_equal(playout.n_stalls, 1 + apart);
        assert_int_equal(playout.stalled_us, 2500 * MS + 1 - apart);
        assert_int_equal(playout.story->stalls[0].duration_us, apart ? S : 3 * S);
    }
}

static void more_stalls_than_are_listed(void **state) {
    int64_t at_us = T0;
    playout.buffer_us = 0;
    for (int i = 0; i < WEIR_PLAYOUT_STALLS + 2; i++, at_us += 5 * S) {
        assert_int_equal(playout.n_stalls, i);
        answered(at_us, at_us + 5 * S);
    }
    assert_int_equal(playout.n_stalls, WEIR_PLAYOUT_STALLS + 2);
    assert_int_equal(playout.story->stalls[WEIR_PLAYOUT_STALLS - 1].duration_us, S);
    assert_int_equal(playout.stalled_us, (WEIR_PLAYOUT_STALLS + 2 + 4) * S);
}

/* ---- demand ---- */

static void demand_that_goes_on_is_one_note(void **state) {
    wanted(T0 + 5 * S, T0 + 6 * S);
    wanted(T0 + 5 * S + 700 * MS, T0 + 8 * S);
    wanted(T0 + 5 * S - 700 * MS, T0 + 7 * S);
    assert_int_equal(playout.n_queue, 1);
    assert_int_equal(playout.story->queue[0].at_us, T0 + 8 * S);
    wanted(T0 + 5 * S + 701 * MS, T0 + 9 * S);
    assert_int_equal(playout.n_queue, 2);
    weir_playout_answer(&playout, T0, T0 + 3 * S, VALUE); /* before both */
    assert_true(playout.story->queue[0].answer);
    assert_int_equal(playout.story->queue[1].from_us, T0 + 5 * S);
}

static void what_is_older_than_the_buffer_says_nothing(void **state) {
    wanted(T0 - 2 * S, T0);
    weir_playout_settle(&playout, T0, VALUE);
    assert_int_equal(playout.wanted_us, 0);
    wanted(T0 - 2 * S, T0 + 1);
    weir_playout_settle(&playout, T0, VALUE);
    assert_int_equal(playout.wanted_us, T0); /* since the last answer, not since before it */
    assert_int_equal(playout.sign_us, T0 + 1);
}

/* A pause of 45 s between two signs ends demand: then he gave up, or has paused. */
static void demand_lapses(void **state) {
    for (int late = 0; late < 2; late++) {
        begin(state);
        wanted(T0 + S, T0 + 15 * S);
        wanted(T0 + 60 * S + late, T0 + 61 * S);
        weir_playout_settle(&playout, T0 + 62 * S, VALUE);
        assert_int_equal(playout.wanted_us, late ? T0 + 60 * S + 1 : T0 + S);
        assert_int_equal(playout.n_stalls, late); /* it ended with its last sign */
        if (late) assert_int_equal(playout.story->stalls[0].duration_us, 5 * S);
    }
}

static void the_end(void **state) {
    wanted(T0 + S, T0 + 15 * S);
    weir_playout_finish(&playout, VALUE);
    assert_int_equal(playout.n_queue, 0);
    assert_int_equal(playout.wanted_us, 0);
    assert_int_equal(playout.at_us, T0 + 15 * S);
    assert_int_equal(playout.stalled_us, 5 * S);
}

/* ---- the level at which it asks ---- */

/* After a rest of 0.7 s and more what is left is such a level. */
static void levels_are_noted(void **state) {
    answered(T0 + 700 * MS - 1, T0 + S);
    assert_int_equal(playout.n_asks, 0);
    begin(state);
    answered(T0 + 700 * MS, T0 + S);
    assert_int_equal(playout.n_asks, 1);
    assert_int_equal(playout.ask_ms[0], 9300);
}

/* Small errors are drawn towards the usual level, half of the way, once it is known well. */
static void drawn_to_its_level(void **state) {
    playout.n_asks = WEIR_PLAYOUT_ASKS;
    for (uint32_t i = 0; i < WEIR_PLAYOUT_ASKS; i++) playout.ask_ms[i] = 5000 + 1000 * (i % 2);
    answered(T0 + 3 * S, T0 + 3 * S); /* seven are left where five, the lower middle, are usual */
    assert_int_equal(playout.buffer_us, 6 * S + VALUE);
    playout.n_asks--;
    playout.at_us = T0, playout.buffer_us = 10 * S;
    answered(T0 + 3 * S, T0 + 3 * S);
    assert_int_equal(playout.buffer_us, 7 * S + VALUE);
}

/* Eight in a row that are far from it make a new one; one near it in between does not. */
static void a_new_level(void **state) {
    playout.n_asks = 3;
    for (int i = 0; i < 3; i++) playout.ask_ms[i] = 2000;
    for (int away = 1; away <= 8; away++) {
        playout.at_us = T0, playout.buffer_us = 20 * S;
        answered(T0 + S, T0 + S);
        if (away <= 4) assert_int_equal(playout.n_away, away);
    }
    /* its own levels had become the usual ones before it came to eight */
    assert_int_equal(playout.n_asks, WEIR_PLAYOUT_ASKS);
    for (int i = 0; i < WEIR_PLAYOUT_ASKS; i++) playout.ask_ms[i] = 2000;
    playout.n_away = 0;
    for (int away = 1; away <= 8; away++) {
        playout.at_us = T0, playout.buffer_us = 20 * S;
        answered(T0 + S, T0 + S);
        assert_int_equal(playout.n_away, away % 8);
    }
    assert_int_equal(playout.n_asks, 1);
    assert_int_equal(playout.ask_ms[0], 19000);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup(name, begin)
    const struct CMUnitTest tests[] = {
        TEST(it_sinks_while_it_rests),
        TEST(it_goes_on_sinking_while_it_asks),
        TEST(what_is_not_known),
        TEST(since_when_it_stands_still),
        TEST(an_answer_adds_its_time),
        TEST(it_plays_from_the_second_answer),
        TEST(what_came_before_it_was_known),
        TEST(answers_that_do_not_count),
        TEST(how_long_a_stall_is),
        TEST(stalls_that_are_one),
        TEST(more_stalls_than_are_listed),
        TEST(demand_that_goes_on_is_one_note),
        TEST(what_is_older_than_the_buffer_says_nothing),
        TEST(demand_lapses),
        TEST(the_end),
        TEST(levels_are_noted),
        TEST(drawn_to_its_level),
        TEST(a_new_level),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
