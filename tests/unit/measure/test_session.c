/* One session, rule by rule: its numbers are written by hand, where test_sessions.c lives through
 * films. */
#include "fake.h"
#include "measure/session.h"

static struct weir_session session;

static int end(void **state) {
    weir_session_end(&session);
    return 0;
}

/* A film of 4 s segments and 2 Mbit/s that has gone on for a minute, well served. */
static int begin(void **state) {
    struct weir_evidence first = fake_chunk(FILM, "10.0.0.1", "192.0.2.1", T0, 1, 0, 0);
    weir_session_end(&session);
    weir_session_begin(&session, &first);
    session.answers = 5;
    session.first.from_us = T0;
    session.active_us = T0 + 60 * S;
    session.cadence.value_us = 4 * S;
    session.cadence.need_bps = 2000000;
    session.told = true;
    return 0;
}

static void what_it_begins_with(void **state) {
    struct weir_evidence first = fake_chunk(FILM, "10.0.0.1", "192.0.2.1", T0 + S, 1, 0, 0);
    first.flow_first_us = T0 - S;
    first.midstream = true;
    weir_session_end(&session);
    weir_session_begin(&session, &first);
    assert_memory_equal(&session.shown, &first.client, sizeof first.client);
    assert_true(session.midstream);
    assert_int_equal(session.start_us, T0 - S);
    assert_int_equal(session.active_us, T0 + S);
    assert_int_equal(session.answers, 0);
    first.client_seen = fake_addr("10.0.0.9"); /* the name is another of the device's addresses */
    weir_session_end(&session);
    weir_session_begin(&session, &first);
    assert_memory_equal(&session.shown, &first.client_seen, sizeof first.client);
}

/* ---- what it needs ---- */

static void need_is_known_after_a_while(void **state) {
    assert_int_equal(weir_session_need_bps(&session), 2000000);
    session.answers = 4;
    assert_int_equal(weir_session_need_bps(&session), 0);
    session.answers = 5;
    session.active_us = T0 + 20 * S;
    assert_int_equal(weir_session_need_bps(&session), 2000000);
    session.active_us--;
    assert_int_equal(weir_session_need_bps(&session), 0);
}

static void half_of_the_need_is_enough(void **state) {
    assert_true(weir_session_is_enough(&session, 125000, S));
    assert_false(weir_session_is_enough(&session, 124999, S));
    assert_true(weir_session_is_enough(&session, 1, 0));
    session.answers = 0; /* nobody knows its need */
    assert_true(weir_session_is_enough(&session, 0, S));
}

/* An answer serves it that comes faster than it plays, by its time or by its bytes. */
static void what_serves_it(void **state) {
    assert_true(weir_session_is_served(&session, 1000000, 4 * S - 1));
    assert_false(weir_session_is_served(&session, 1000000, 4 * S)); /* plays for 4 s */
    assert_true(weir_session_is_served(&session, 1000001, 4 * S));
    assert_false(weir_session_is_served(&session, 100000, S)); /* less than half of its need */
    session.slow = true;
    assert_false(weir_session_is_served(&session, 1000000, S));
    session.slow = false;
    session.cadence.value_us = 0;
    assert_true(weir_session_is_served(&session, 1000000, 7 * S));
}

static void what_is_serving_it(void **state) {
    struct weir_evidence tick =
        fake_progress(FILM, "10.0.0.1", "192.0.2.1", T0 + 70 * S, 130000, 0);
    tick.progress.open_us = 4 * S - 1;
    assert_true(weir_session_is_being_served(&session, &tick));
    tick.progress.open_us = 4 * S; /* late; but it has not waited */
    assert_true(weir_session_is_being_served(&session, &tick));
    for (int i = 0; i < 3; i++) weir_need_tick(&session.need, true, 0);
    assert_false(weir_session_is_being_served(&session, &tick));
    session.cadence.value_us = 0;
    assert_true(weir_session_is_being_served(&session, &tick));
    tick.progress.bytes = 124999;
    assert_false(weir_session_is_being_served(&session, &tick));
    session.answers = 0;
    assert_true(weir_session_is_being_served(&session, &tick));
    tick.progress.bytes = WEIR_SMALL_BYTES;
    assert_true(weir_session_is_being_served(&session, &tick));
    tick.progress.bytes--;
    assert_false(weir_session_is_being_served(&session, &tick));
}

/* Behind an answer the connection was reset: it had come whole if it had rested, and is as large as
 * the others are. */
static void whole_all_the_same(void **state) {
    struct weir_evidence cut = fake_chunk(FILM, "10.0.0.1", "192.0.2.1", T0, 700000, 0, S);
    cut.chunk.rest_us = WEIR_CADENCE_REST_US;
    assert_false(weir_session_has_all_the_same(&session, &cut)); /* nothing to compare with */
    session.ladder.bytes = 1000000;
    assert_true(weir_session_has_all_the_same(&session, &cut));
    cut.chunk.bytes--;
    assert_false(weir_session_has_all_the_same(&session, &cut));
    cut.chunk.bytes++;
    cut.chunk.rest_us--;
    assert_false(weir_session_has_all_the_same(&session, &cut));
}

/* ---- answers ---- */

static int64_t at_us; /* of the next request */

/* An answer that took `took_us`; whether it was slower than usual. */
static bool answer(uint64_t bytes, int64_t took_us) {
    struct weir_evidence chunk =
        fake_chunk(FILM, "10.0.0.1", "192.0.2.1", at_us + took_us, bytes, 0, took_us);
    bool slow = weir_session_chunk(&session, &chunk);
    session.active_us = at_us + took_us;
    at_us += took_us > 4 * S ? took_us : 4 * S;
    return slow;
}

static int begin_new(void **state) {
    struct weir_evidence first = fake_chunk(FILM, "10.0.0.1", "192.0.2.1", T0, 1, 0, 0);
    weir_session_end(&session);
    weir_session_begin(&session, &first);
    at_us = T0;
    return 0;
}

/* Slower than half of the median of its own rates, once five are known; only of large answers. */
static void slower_than_its_own_median(void **state) {
    for (int i = 0; i < 4; i++) assert_false(answer(1000000, S));
    assert_int_equal(weir_session_median_kbps(&session), -1);
    assert_false(answer(1000000, S));
    assert_int_equal(weir_session_median_kbps(&session), 8000);
    assert_false(answer(1000000, 2 * S));
    assert_true(answer(1000000, 2 * S + S / 100));
    assert_false(answer(99999, 2 * S)); /* a small one shows no rate */
    assert_int_equal(session.n_rates, 7);
    assert_true(answer(100000, 2 * S));
    assert_int_equal(session.n_rates, 8);
}

/* A step of quality is a third and more, and two answers make one. */
static void steps_of_quality(void **state) {
    static const struct {
        uint64_t bytes;
        uint32_t changes;
    } answers[] = {{1000000, 0}, {1200000, 0}, {2000000, 0}, {1000000, 0}, {2000000, 0},
                   {2000000, 1}, {2100000, 1}, {1000000, 1}, {700000, 1},  {700000, 2},
                   {900000, 2},  {900000, 2},  {900000, 2}};
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        answer(answers[i].bytes, S / 2);
        assert_int_equal(session.ladder.changes, answers[i].changes);
    }
}

/* The bit rate is the picture's over the time that it carries; before that is known, all bytes over
 * a minute of steady playing. */
static void bit_rates(void **state) {
    session.chunks = 10;
    session.picture_bytes = 10000000;
    session.media_bytes = 12000000;
    assert_int_equal(weir_session_bitrate_bps(&session), 2000000);
    session.cadence.value_us = 0;
    assert_int_equal(weir_session_bitrate_bps(&session), 1600000);
    session.on_us = 30 * S; /* half of the time it loads: that is the network's rate */
    assert_int_equal(weir_session_bitrate_bps(&session), WEIR_NULL);
    session.on_us--;
    session.active_us--;
    assert_int_equal(weir_session_bitrate_bps(&session), WEIR_NULL); /* not a minute */
    session.active_us++;
    session.answers = 1;
    assert_int_equal(weir_session_bitrate_bps(&session), WEIR_NULL);
    session.answers = 2;
    assert_int_equal(weir_session_bitrate_bps(&session), 1600000);
    session.cadence.value_us = 4 * S;
    session.chunks = 0;
    assert_int_equal(weir_session_bitrate_bps(&session), 1600000);
}

static void startup(void **state) {
    session.begun_us = T0 - 2 * S;
    session.second_chunk_us = T0 + S;
    assert_int_equal(weir_session_startup_us(&session), 3 * S);
    session.midstream = true; /* where it began was not seen */
    assert_int_equal(weir_session_startup_us(&session), S);
    session.second_chunk_us = 0; /* no second answer, nor a second burst of one that lasts */
    assert_int_equal(weir_session_startup_us(&session), WEIR_NULL);
    session.second_chunk_us = T0 - 5 * S;
    assert_int_equal(weir_session_startup_us(&session), 0);
    /* a segment on a bad network; a file that is played while it comes; one that rests in bursts */
    session.second_chunk_us = T0 + 60 * S;
    session.first.from_us = T0;
    session.first.done_us = T0 + 40 * S;
    session.first.bytes = 900000;
    assert_int_equal(weir_session_startup_us(&session), 60 * S);
    session.first.bytes = 20000000;
    assert_int_equal(weir_session_startup_us(&session), WEIR_NULL);
    session.lasts = true;
    assert_int_equal(weir_session_startup_us(&session), 60 * S);
}

/* ---- ticks ---- */

static void open_request(bool unanswered, int64_t wait_us, uint64_t bytes) {
    struct weir_evidence tick =
        fake_progress(FILM, "10.0.0.1", "192.0.2.1", session.active_us, bytes, wait_us);
    weir_session_progress(&session, &tick, unanswered ? wait_us : wait_us + 1);
}

static bool starves(enum weir_service_kind kind) {
    weir_session_tick(&session, kind, session.active_us);
    bool starved = session.starved;
    memset(&session.tick, 0, sizeof session.tick);
    return starved;
}

/* All open requests wait for longer than the service ever takes: at once of live streams, after ten
 * seconds of a film, whose buffer lasts for shorter waits. */
static void unanswered(void **state) {
    assert_false(starves(WEIR_KIND_VOD)); /* nothing is asked for */
    open_request(true, 10 * S - 1, 0);
    assert_false(starves(WEIR_KIND_VOD));
    assert_true(session.starving);
    open_request(true, 10 * S, 0);
    assert_true(starves(WEIR_KIND_VOD));
    open_request(true, 10 * S, 0);
    open_request(false, 2 * S, 0); /* another may still be answered */
    assert_false(starves(WEIR_KIND_VOD));
    open_request(true, 5 * S, 0);
    assert_true(starves(WEIR_KIND_LIVE));
}

/* A live stream has three segments at the most in its buffer. */
static void live_misses_its_rhythm(void **state) {
    open_request(false, 12 * S - 1, 0);
    assert_false(starves(WEIR_KIND_LIVE));
    open_request(false, 12 * S, 0);
    assert_true(starves(WEIR_KIND_LIVE));
    open_request(false, 12 * S, 0);
    open_request(false, 0, 1); /* something comes */
    assert_false(starves(WEIR_KIND_LIVE));
    session.cadence.value_us = S; /* four seconds at the least */
    open_request(false, 4 * S - 1, 0);
    assert_false(starves(WEIR_KIND_LIVE));
    open_request(false, 4 * S, 0);
    assert_true(starves(WEIR_KIND_LIVE));
    session.cadence.value_us = 0;
    open_request(false, 20 * S, 0);
    assert_false(starves(WEIR_KIND_LIVE));
}

/* A spell began before it was noticed; the time of all of them, and of the longest, is told. */
static void spells(void **state) {
    session.active_us = T0 + 100 * S;
    open_request(true, 10 * S, 0);
    assert_int_equal(weir_session_tick(&session, WEIR_KIND_VOD, session.active_us), 10 * S);
    assert_int_equal(session.spells, 1);
    session.active_us += S;
    assert_int_equal(weir_session_tick(&session, WEIR_KIND_VOD, session.active_us), S);
    assert_int_equal(session.starved_us, 11 * S);
    assert_int_equal(session.longest_us, 11 * S);
    memset(&session.tick, 0, sizeof session.tick);
    session.active_us += S;
    assert_int_equal(weir_session_tick(&session, WEIR_KIND_VOD, session.active_us), 0);
    session.active_us += 5 * S;
    open_request(true, 12 * S, 0); /* no second is counted twice */
    assert_int_equal(weir_session_tick(&session, WEIR_KIND_VOD, session.active_us), 6 * S);
    assert_int_equal(session.spells, 2);
    assert_int_equal(session.starved_us, 17 * S);
    assert_int_equal(session.longest_us, 11 * S);
}

/* A request that waits while the picture's later ones were answered waits for nothing. */
static void asked_for_again_elsewhere(void **state) {
    session.picture_request_us = session.active_us - 2 * S;
    open_request(true, 2 * S, 0);
    assert_int_equal(session.tick.open, 1);
    assert_int_equal(session.tick.unanswered, 1);
    open_request(true, 2 * S + 1, 0);
    assert_int_equal(session.tick.open, 1);
    open_request(false, 0, 0); /* neither waits nor comes */
    assert_int_equal(session.tick.open, 1);
    open_request(false, 0, 500);
    assert_int_equal(session.tick.open, 2);
    assert_int_equal(session.tick.bytes, 500);
    assert_int_equal(session.tick.longest_wait_us, 2 * S);
}

/* A wait of a second is one that the picture may feel, up to half a minute. */
static void waits_are_demand(void **state) {
    static const struct {
        int64_t wait_us;
        uint8_t notes;
    } cases[] = {{S - 1, 0}, {S, 1}, {30 * S - 1, 1}, {30 * S, 0}};
    for (size_t i = 0; i < 4; i++) {
        begin(state);
        session.active_us = T0 + 100 * S;
        open_request(false, cases[i].wait_us, 0);
        assert_int_equal(session.playout.n_queue, cases[i].notes);
        assert_int_equal(session.cadence.spoilt, cases[i].notes);
    }
    begin(state);
    struct weir_evidence small =
        fake_chunk(FILM, "10.0.0.1", "192.0.2.1", T0 + 90 * S, 100, S / 2, S / 2 - 1);
    weir_session_small(&session, &small);
    assert_int_equal(session.playout.n_queue, 0);
    small.chunk.transfer_us++;
    weir_session_small(&session, &small);
    assert_int_equal(session.playout.n_queue, 1);
}

/* ---- the record ---- */

static void a_record(void **state) {
    struct weir_session_record record;
    session.playout.known = session.playout.playing = true;
    session.playout.buffer_us = 0;
    session.playout.at_us = T0 + 50 * S;
    session.hollow_answers = 3;
    session.sound_chunks = 7;
    weir_session_report(&session, WEIR_KIND_VOD, &record);
    assert_int_equal(record.buffer_us, 0); /* empty is known */
    assert_int_equal(record.stalled_us, 0);
    assert_int_equal(record.segment_us, 4 * S);
    assert_int_equal(record.start_us, T0);
    assert_int_equal(record.end_us, T0 + 60 * S);
    assert_int_equal(record.goodput_p50_bps, WEIR_NULL);
    assert_int_equal(record.hollow, 3);
    assert_int_equal(record.sound_chunks, 7);
    assert_int_equal(record.confidence, WEIR_STALL_NONE);
    assert_int_equal(record.buffer_low_us, WEIR_NULL); /* no time was told yet */
    session.playout.known = false;
    session.cadence.value_us = 0;
    weir_session_report(&session, WEIR_KIND_VOD, &record);
    assert_int_equal(record.buffer_us, WEIR_NULL);
    assert_int_equal(record.stalled_us, WEIR_NULL);
    assert_int_equal(record.segment_us, WEIR_NULL);
}

/* A stall is likely once the rhythm and the level at which it asks are known well. */
static void how_sure_a_stall_is(void **state) {
    static const struct {
        uint32_t good;
        uint8_t n_asks;
        enum weir_stall_confidence confidence;
    } cases[] = {
        {6, 5, WEIR_STALL_LIKELY}, {5, 5, WEIR_STALL_POSSIBLE}, {6, 4, WEIR_STALL_POSSIBLE}};
    struct weir_session_record record;
    for (size_t i = 0; i < 3; i++) {
        begin(state);
        session.playout.known = session.playout.playing = true;
        session.playout.at_us = T0;
        session.playout.n_stalls = 20;
        session.playout.stalled_us = 30 * S;
        session.playout.story = calloc(1, sizeof *session.playout.story);
        assert_non_null(session.playout.story);
        session.playout.story->stalls[0] = (struct weir_standstill){T0, 2 * S};
        session.playout.n_asks = cases[i].n_asks;
        session.cadence.good = cases[i].good;
        weir_session_report(&session, WEIR_KIND_LIVE, &record);
        assert_int_equal(record.confidence, cases[i].confidence);
        assert_int_equal(record.n_stalls, 20);
        assert_int_equal(record.stalled_us, 30 * S);
        assert_int_equal(record.stalls[0].duration_us, 2 * S);
        weir_session_report(&session, WEIR_KIND_AUDIO, &record); /* music has no picture */
        assert_int_equal(record.n_stalls, 0);
        assert_int_equal(record.stalled_us, WEIR_NULL);
        assert_int_equal(record.confidence, WEIR_STALL_NONE);
    }
}

int main(void) {
#define TEST(name)     cmocka_unit_test_setup_teardown(name, begin, end)
#define TEST_NEW(name) cmocka_unit_test_setup_teardown(name, begin_new, end)
    const struct CMUnitTest tests[] = {
        TEST(what_it_begins_with),
        TEST(need_is_known_after_a_while),
        TEST(half_of_the_need_is_enough),
        TEST(what_serves_it),
        TEST(what_is_serving_it),
        TEST(whole_all_the_same),
        TEST_NEW(slower_than_its_own_median),
        TEST_NEW(steps_of_quality),
        TEST(bit_rates),
        TEST(startup),
        TEST(unanswered),
        TEST(live_misses_its_rhythm),
        TEST(spells),
        TEST(asked_for_again_elsewhere),
        TEST(waits_are_demand),
        TEST(a_record),
        TEST(how_sure_a_stall_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
