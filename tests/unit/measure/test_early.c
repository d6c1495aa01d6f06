/* What a session's first minute meant is known in its second: answers and waits that came before
 * are told all the same. */
#include "fake.h"
#include "measure/early.h"
#include "measure/session.h"

#define CLIENT "10.0.0.1"
#define SERVER "192.0.2.1"

static struct weir_session session;

static int setup(void **state) {
    struct weir_evidence first = fake_chunk(FILM, CLIENT, SERVER, T0, 1000000, S / 20, S / 4);
    weir_session_begin(&session, &first);
    return 0;
}

static int teardown(void **state) {
    weir_session_end(&session);
    return 0;
}

static void answer(int64_t asked_us, uint64_t bytes) {
    struct weir_evidence chunk =
        fake_chunk(FILM, CLIENT, SERVER, asked_us + S / 4, bytes, S / 20, S / 5);
    fake_asked(&chunk, asked_us);
    chunk.chunk.ttfb_us = S / 20;
    chunk.chunk.rest_us = 0;
    chunk.ts_us = asked_us + S / 4;
    session.active_us = chunk.ts_us;
    weir_session_chunk(&session, &chunk);
    weir_session_tick(&session, WEIR_KIND_VOD, asked_us + S);
}

/* Three at once, then one each four seconds. Returns when the next one is asked for. */
static int64_t play(int64_t from_us, int n, uint64_t bytes) {
    for (int i = 0; i < n; i++)
        answer(i < 3 ? from_us + i * S / 3 : from_us + (i - 2) * 4 * S, bytes);
    return from_us + (n - 2) * 4 * S;
}

/* An outage of forty seconds behind the second rest: nobody knows yet what an answer carries. */
static void test_an_outage_before_the_rhythm_is_known(void **state) {
    int64_t from_us = play(T0, 5, 1000000);
    assert_int_equal(session.cadence.value_us, 0);
    for (int i = 0; i < 4; i++)
        weir_session_wanted(&session, from_us + i * 10 * S, from_us + (i * 10 + 3) * S);
    play(from_us + 40 * S, 12, 1000000);
    struct weir_session_record record;
    weir_session_report(&session, WEIR_KIND_VOD, &record);
    assert_int_equal(record.n_stalls, 1);
    assert_in_range(record.stalls[0].start_us - from_us, 7 * S, 13 * S);
    assert_in_range(record.stalls[0].start_us + record.stalls[0].duration_us - from_us, 39 * S,
                    41 * S);
}

/* The same without anything after it: two rests that agree are enough at the end. */
static void test_a_guess_at_the_end(void **state) {
    int64_t from_us = play(T0, 5, 1000000);
    answer(from_us, 1000000);
    for (int i = 0; i < 4; i++)
        weir_session_wanted(&session, from_us + (4 + i * 10) * S, from_us + (7 + i * 10) * S);
    struct weir_session_record record;
    weir_session_report(&session, WEIR_KIND_VOD, &record);
    assert_int_equal(record.segment_us, 4 * S);
    assert_int_equal(record.n_stalls, 1);
    assert_int_equal(record.confidence, WEIR_STALL_POSSIBLE);
}

/* Six tenths of an answer, a silence of a minute, and the rest: one answer, and a wait. */
static void test_the_rest_of_an_answer(void **state) {
    int64_t from_us = play(T0, 16, 1000000);
    uint32_t chunks = session.chunks;
    answer(from_us, 600000);
    struct weir_evidence rest =
        fake_chunk(FILM, CLIENT, SERVER, from_us + 60 * S, 400000, -1, S / 5);
    rest.chunk.request_us = from_us;
    rest.chunk.ttfb_us = -1;
    rest.ts_us = from_us + 60 * S;
    weir_session_chunk(&session, &rest);
    assert_int_equal(session.chunks, chunks + 1);
    struct weir_session_record record;
    weir_session_report(&session, WEIR_KIND_VOD, &record);
    assert_int_equal(record.n_stalls, 1);
    assert_in_range(record.stalls[0].duration_us, 45 * S, 55 * S);
}

/* As much again behind a silence is another answer, whose request was not seen. */
static void test_another_answer_is_no_rest(void **state) {
    int64_t from_us = play(T0, 16, 1000000);
    uint32_t chunks = session.chunks;
    answer(from_us, 1000000);
    struct weir_evidence next =
        fake_chunk(FILM, CLIENT, SERVER, from_us + 60 * S, 1000000, -1, S / 5);
    next.chunk.request_us = from_us;
    next.chunk.ttfb_us = -1;
    next.ts_us = from_us + 60 * S;
    weir_session_chunk(&session, &next);
    assert_int_equal(session.chunks, chunks + 2);
}

/* Sound on a connection of its own, as fast as it comes: it fills no buffer of the picture. */
static void test_sound_of_the_first_seconds(void **state) {
    for (int i = 0; i < 10; i++) {
        answer(T0 + i * S / 2, 900000 + (uint64_t)(i * 77) % 10 * 20000);
        answer(T0 + i * S / 2 + S / 5, 60000);
    }
    for (int i = 1; i < 12; i++) {
        answer(T0 + 5 * S + i * 4 * S, 900000 + (uint64_t)(i * 77) % 10 * 20000);
        answer(T0 + 5 * S + i * 4 * S + S / 5, 60000);
    }
    weir_playout_finish(&session.playout, session.cadence.value_us);
    assert_in_range(session.cadence.value_us, 4 * S - S / 10, 4 * S + S / 10);
    assert_in_range(session.playout.buffer_us, 32 * S, 42 * S); /* ten answers of four seconds */
}

/* States of the buffer: it fills, rests full, is low and empty in an outage, fills again. */
static void test_states_of_the_buffer(void **state) {
    int64_t from_us = play(T0, 16, 1000000);
    for (int i = 0; i < 4; i++)
        weir_session_wanted(&session, from_us + i * 10 * S, from_us + (i * 10 + 3) * S);
    play(from_us + 40 * S, 12, 1000000);
    struct weir_session_record record;
    weir_session_report(&session, WEIR_KIND_VOD, &record);
    static const uint8_t want[] = {WEIR_BUFFER_LOW,   WEIR_BUFFER_FULL, WEIR_BUFFER_LOW,
                                   WEIR_BUFFER_EMPTY, WEIR_BUFFER_LOW,  WEIR_BUFFER_FULL};
    assert_int_equal(record.n_buffer_changes, 6);
    for (int i = 0; i < 6; i++) assert_int_equal(record.buffer_changes[i].state, want[i]);
    assert_int_equal(record.buffer_changes[3].ts_us, record.stalls[0].start_us);
    assert_in_range(record.buffer_full_us, 80 * S, 110 * S);
    assert_in_range(record.buffer_low_us, S, 20 * S);
}

/* More changes than are listed: the sums go on. */
static void test_states_are_bounded(void **state) {
    struct weir_fullness fullness = {0};
    for (int i = 0; i < 100; i++)
        weir_fullness_add(&fullness, i % 2 ? WEIR_BUFFER_LOW : WEIR_BUFFER_FULL, T0 + i * S,
                          T0 + (i + 1) * S);
    weir_fullness_add(&fullness, WEIR_BUFFER_EMPTY, T0, T0 + 50 * S); /* never back */
    assert_int_equal(fullness.n, WEIR_BUFFER_CHANGES_MAX);
    assert_int_equal(fullness.us[WEIR_BUFFER_LOW], 50 * S);
    assert_int_equal(fullness.us[WEIR_BUFFER_FULL], 50 * S);
    assert_int_equal(fullness.us[WEIR_BUFFER_EMPTY], 0);
}

static void test_notes(void **state) {
    struct weir_early early = {0};
    weir_early_wanted(&early, T0, T0 + S);
    weir_early_wanted(&early, T0, T0 + 9 * S); /* goes on */
    assert_int_equal(early.n, 1);
    assert_int_equal(weir_early_at_us(&early, &early.notes[0]), T0 + 9 * S);
    weir_early_answer(&early, T0, T0 + 10 * S, 5000);
    weir_early_wanted(&early, T0, T0 + 12 * S); /* an answer came between */
    assert_int_equal(early.n, 3);
    assert_true(weir_early_longer(&early, T0, T0 + 11 * S, 6000));
    assert_int_equal(early.notes[1].bytes, 6000);
    assert_false(weir_early_longer(&early, T0 + S, T0 + 11 * S, 6000));
    for (int i = 0; i < 2 * WEIR_EARLY_NOTES; i++)
        weir_early_answer(&early, T0 + i * S, T0 + i * S, 7000);
    assert_true(early.full);
    assert_int_equal(early.n, WEIR_EARLY_NOTES);
    weir_early_deinit(&early);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_an_outage_before_the_rhythm_is_known),
        TEST(test_a_guess_at_the_end),
        TEST(test_the_rest_of_an_answer),
        TEST(test_another_answer_is_no_rest),
        TEST(test_sound_of_the_first_seconds),
        TEST(test_states_of_the_buffer),
        TEST(test_states_are_bounded),
        TEST(test_notes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
