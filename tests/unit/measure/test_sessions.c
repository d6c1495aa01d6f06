/* Sessions by hand: when is a client starved, when is an answer hollow, and when is silence just a
 * full buffer? */
#include "fake.h"
#include "measure/session.h"
#include "measure/learned.h"

static struct {
    struct weir_evidence attempts[2000];
    size_t n_attempts;
    struct weir_session_record sessions[64];
    size_t n_sessions;
} seen;

static void on_attempt(void *context, const struct weir_evidence *attempt) {
    assert_true(seen.n_attempts < 2000);
    assert_true(attempt->by_session && attempt->layer == WEIR_LAYER_SERVE &&
                attempt->kind == WEIR_EVIDENCE_ATTEMPT);
    seen.attempts[seen.n_attempts++] = *attempt;
}

static void on_session(void *context, const struct weir_session_record *session) {
    assert_true(seen.n_sessions < 64);
    seen.sessions[seen.n_sessions++] = *session;
}

static size_t count_of(enum weir_outcome outcome) {
    size_t n = 0;
    for (size_t i = 0; i < seen.n_attempts; i++) n += seen.attempts[i].outcome == outcome;
    return n;
}

static int setup(void **state) {
    memset(&seen, 0, sizeof seen);
    const struct weir_sessions_config config = {.set = fake_set(),
                                                .n_services = N_SERVICES,
                                                .sessions_max = 64,
                                                .on_attempt = on_attempt,
                                                .on_session = on_session};
    return weir_sessions_new((struct weir_sessions **)state, &config);
}

static int teardown(void **state) {
    weir_sessions_free(*state);
    return 0;
}

#define CLIENT "10.0.0.1"
#define SERVER "192.0.2.1"

static void chunk(struct weir_sessions *sessions, weir_service_id service, int64_t now_us,
                  uint64_t bytes, int64_t transfer_us) {
    struct weir_evidence evidence =
        fake_chunk(service, CLIENT, SERVER, now_us, bytes, S / 20, transfer_us);
    weir_sessions_take(sessions, &evidence);
}

static void progress(struct weir_sessions *sessions, weir_service_id service, int64_t now_us,
                     uint64_t bytes, int64_t waiting_us) {
    static struct weir_evidence of_tick[64]; /* sessions may look at it until the tick is over */
    static unsigned n;
    struct weir_evidence *evidence = &of_tick[n++ % 64];
    *evidence = fake_progress(service, CLIENT, SERVER, now_us, bytes, waiting_us);
    weir_sessions_take(sessions, evidence);
}

/* A healthy player: every `every` seconds a chunk of 1 MB that takes half a second (16 Mbit/s).
 * Returns the time after. */
static int64_t play(struct weir_sessions *sessions, weir_service_id service, int64_t from_us,
                    int n_chunks, int every) {
    for (int i = 0; i < n_chunks; i++)
        for (int tick = 1; tick <= every; tick++) {
            from_us += S;
            if (tick == 1) {
                progress(sessions, service, from_us, 1000000, 0);
                chunk(sessions, service, from_us, 1000000, S / 2);
            }
            weir_sessions_tick(sessions, from_us);
        }
    return from_us;
}

static int64_t trickle(struct weir_sessions *sessions, weir_service_id service, int64_t from_us,
                       int seconds, uint64_t bytes) {
    for (int i = 0; i < seconds; i++) {
        from_us += S;
        progress(sessions, service, from_us, bytes, 0);
        weir_sessions_tick(sessions, from_us);
    }
    return from_us;
}

static int64_t silence(struct weir_sessions *sessions, int64_t from_us, int seconds) {
    for (int i = 0; i < seconds; i++) weir_sessions_tick(sessions, from_us += S);
    return from_us;
}

static void test_startup_is_the_second_chunk(void **state) {
    struct weir_sessions *sessions = *state;
    chunk(sessions, FILM, T0 + 2 * S, 300000, S / 2);
    chunk(sessions, FILM, T0 + 3 * S, 300000, S / 4);
    chunk(sessions, FILM, T0 + 9 * S, 300000, S / 4);
    weir_sessions_finish(sessions, T0 + 10 * S);
    assert_int_equal(seen.n_sessions, 1);
    assert_int_equal(seen.sessions[0].start_us, T0);
    assert_int_equal(seen.sessions[0].startup_us, 3 * S);
    assert_int_equal(seen.sessions[0].media_bytes, 900000);
    assert_int_equal(seen.sessions[0].chunks, 3);
    /* 300 kB in 0.25 s, twice of three */
    assert_int_equal(seen.sessions[0].goodput_p50_bps, 9600000);
    assert_int_equal(seen.sessions[0].bitrate_bps, WEIR_NULL); /* too short to say */
    assert_int_equal(count_of(WEIR_OUTCOME_USEFUL), 3);
}

/* Rates are kept in 16 bits: below 4,096 kbit/s as they are, above to 0.05 %, in order up to what
 * 32 bits hold. */
static void test_rates_are_kept_closely(void **state) {
    static const struct {
        uint64_t bytes;
        int64_t transfer_us, least_bps, most_bps;
    } cases[] = {
        {100000, 200 * S, 4000, 4000}, /* 4 kbit/s */
        {511875, S, 4095000, 4095000}, /* the last that is exact */
        {512125, S, 4096000, 4097000},
        {1543209, S / 1000, 12345672000 / 10000 * 9995, 12345672000}, /* 12 Gbit/s */
        {UINT64_C(1) << 40, 1, INT64_C(4294967295000) / 10000 * 9995, INT64_C(4294967295000)},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct weir_session session = {0};
        struct weir_evidence evidence =
            fake_chunk(FILM, CLIENT, SERVER, T0, cases[i].bytes, S / 20, cases[i].transfer_us);
        struct weir_session_record record;
        weir_session_begin(&session, &evidence);
        weir_session_chunk(&session, &evidence);
        weir_session_report(&session, WEIR_KIND_VOD, &record);
        weir_session_end(&session);
        assert_in_range(record.goodput_p50_bps, cases[i].least_bps, cases[i].most_bps);
    }
}

/* Where the beginning of the first connection was not seen, startup is that from the first request,
 * and says so. */
static void test_startup_without_the_start(void **state) {
    struct weir_sessions *sessions = *state;
    struct weir_evidence evidence = fake_chunk(FILM, CLIENT, SERVER, T0 + S, 300000, 0, S / 2);
    evidence.midstream = true;
    weir_sessions_take(sessions, &evidence);
    weir_sessions_take(sessions, &evidence);
    chunk(sessions, SPORT, T0 + S, 300000, S / 2);
    weir_sessions_finish(sessions, T0 + 2 * S);
    assert_int_equal(seen.sessions[0].startup_us, S / 2);
    assert_int_equal(seen.sessions[0].startup_reason, WEIR_REASON_NO_HANDSHAKE);
    assert_int_equal(seen.sessions[1].startup_us, WEIR_NULL);
    assert_int_equal(seen.sessions[1].startup_reason, WEIR_REASON_NO_SAMPLE);
}

/* The page that was opened two seconds before the media belongs to the startup; one of a minute
 * before does not. */
static void test_startup_begins_with_the_page(void **state) {
    struct weir_sessions *sessions = *state;
    for (int i = 0; i < 2; i++) {
        struct weir_evidence page =
            fake_attempt(FILM, CLIENT, SERVER, WEIR_LAYER_CONNECT, WEIR_OUTCOME_USEFUL,
                         T0 + (i ? 0 : -60) * S, S / 10);
        page.role = WEIR_ROLE_CONTROL;
        page.flow_first_us = T0 + (i ? -2 : -60) * S;
        weir_sessions_take(sessions, &page);
    }
    chunk(sessions, FILM, T0 + S, 300000, S / 2);
    chunk(sessions, FILM, T0 + 2 * S, 300000, S / 2);
    weir_sessions_finish(sessions, T0 + 3 * S);
    assert_int_equal(seen.sessions[0].start_us, T0);
    assert_int_equal(seen.sessions[0].startup_us, 4 * S);
}

static void test_bitrate_is_that_of_the_picture(void **state) {
    struct weir_sessions *sessions = *state;
    int64_t now_us = play(sessions, FILM, T0, 16, 5);
    weir_sessions_finish(sessions, now_us);
    assert_int_equal(seen.sessions[0].bitrate_bps / 1000, 1600);
    assert_int_equal(seen.sessions[0].segment_us, 5 * S);
    assert_int_equal(seen.sessions[0].stalled_us, 0);
}

static void test_idle_ends_a_session(void **state) {
    struct weir_sessions *sessions = *state;
    int64_t now_us = play(sessions, FILM, T0, 2, 1);
    now_us = silence(sessions, now_us, 59);
    assert_int_equal(seen.n_sessions, 0);
    silence(sessions, now_us, 1);
    assert_int_equal(seen.n_sessions, 1);
    assert_int_equal(seen.sessions[0].end_us, T0 + 2 * S);
}

/* A film that had filled its buffer pauses for two minutes: the session lives, and nothing is a
 * stall. */
static void test_pause_with_a_full_buffer_is_no_stall(void **state) {
    struct weir_sessions *sessions = *state;
    int64_t now_us = play(sessions, FILM, T0, 16, 5);
    now_us = silence(sessions, now_us, 120);
    assert_int_equal(seen.n_sessions, 0);
    now_us = play(sessions, FILM, now_us, 5, 5);
    assert_int_equal(count_of(WEIR_OUTCOME_STARVED) + count_of(WEIR_OUTCOME_HOLLOW), 0);
    now_us = silence(sessions, now_us, 235);
    assert_int_equal(seen.n_sessions, 0);
    silence(sessions, now_us, 5);
    assert_int_equal(seen.n_sessions, 1);
    assert_int_equal(seen.sessions[0].starved_us, 0);
    assert_int_equal(seen.sessions[0].confidence, WEIR_STALL_NONE);
}

/* It needs 200 kB/s; 100 kB/s is just half, a byte less is below. */
static void test_starved_below_half_of_its_need(void **state) {
    struct weir_sessions *sessions = *state;
    int64_t now_us = play(sessions, FILM, T0, 8, 5);
    now_us = trickle(sessions, FILM, now_us, 6, 99999);
    assert_int_equal(count_of(WEIR_OUTCOME_STARVED), 0);
    /* and the last segment is ten seconds ago */
    now_us = trickle(sessions, FILM, now_us, 4, 99999);
    assert_int_equal(count_of(WEIR_OUTCOME_STARVED), 1);
    struct weir_demand demand = weir_sessions_demand(sessions, FILM);
    assert_int_equal(demand.clients_starved, 1);
    assert_int_equal(demand.clients_slow, 1);
    assert_int_equal(demand.open, 1);
    size_t useful = count_of(WEIR_OUTCOME_USEFUL);
    /* once a slot; and too little is not useful */
    now_us = trickle(sessions, FILM, now_us, 30, 99999);
    assert_int_equal(count_of(WEIR_OUTCOME_STARVED), 4);
    assert_int_equal(count_of(WEIR_OUTCOME_USEFUL), useful);
    struct weir_session_sums sums;
    weir_sessions_take_sums(sessions, FILM, &sums);
    assert_true(sums.demand);
    assert_in_range(sums.starved_us, 38 * S, 44 * S);
    weir_sessions_finish(sessions, now_us);
    assert_int_equal(seen.sessions[0].starved_us, sums.starved_us);
    assert_int_equal(seen.sessions[0].starved_spells, 1);
}

static void test_half_of_the_need_is_not_starved(void **state) {
    struct weir_sessions *sessions = *state;
    int64_t now_us = play(sessions, FILM, T0, 8, 5);
    trickle(sessions, FILM, now_us, 30, 100000);
    assert_int_equal(count_of(WEIR_OUTCOME_STARVED), 0);
}

static void test_starved_needs_five_chunks(void **state) {
    struct weir_sessions *sessions = *state;
    int64_t now_us = play(sessions, FILM, T0, 4, 5);
    trickle(sessions, FILM, now_us, 40, 100000);
    assert_int_equal(count_of(WEIR_OUTCOME_STARVED), 0);
}

/* Short segments with pauses between have a low average and are served well. */
static void test_short_segments_are_not_starved(void **state) {
    struct weir_sessions *sessions = *state;
    int64_t now_us = T0;
    for (int i = 0; i < 60; i++) {
        now_us += S;
        progress(sessions, SPORT, now_us, 100000, 0);
        /* 16 Mbit/s, one a second: 5 % of the time */
        chunk(sessions, SPORT, now_us, 100000, S / 20);
        weir_sessions_tick(sessions, now_us);
    }
    assert_int_equal(count_of(WEIR_OUTCOME_STARVED), 0);
}

/* Throttled to a fifth, but that is still four times what the film needs: each segment is done in a
 * quarter of its time. */
static void test_slower_than_before_but_enough(void **state) {
    struct weir_sessions *sessions = *state;
    int64_t now_us = play(sessions, FILM, T0, 40, 5);
    for (int i = 0; i < 40; i++) {
        struct weir_evidence segment =
            fake_chunk(FILM, CLIENT, SERVER, now_us + 2 * S, 200000, S / 20, S / 2);
        fake_asked(&segment, now_us);
        now_us = trickle(sessions, FILM, now_us, 1, 200000);
        now_us = silence(sessions, now_us, 1);
        weir_sessions_take(sessions, &segment); /* complete when the next one is asked for */
    }
    assert_int_equal(count_of(WEIR_OUTCOME_STARVED), 0);
}

/* The same in segments of a second, which leave no tick without bytes: that each rests says that it
 * was in time. */
static void test_short_segments_slower_than_before_but_enough(void **state) {
    struct weir_sessions *sessions = *state;
    int64_t now_us = play(sessions, FILM, T0, 40, 5);
    for (int i = 0; i < 60; i++) {
        struct weir_evidence segment =
            fake_chunk(FILM, CLIENT, SERVER, now_us + S, 120000, S / 20, S / 4);
        fake_asked(&segment, now_us);
        now_us = trickle(sessions, FILM, now_us, 1, 120000);
        weir_sessions_take(sessions, &segment);
    }
    assert_int_equal(count_of(WEIR_OUTCOME_STARVED), 0);
}

/* Only the sound is fetched, a little every other second: half of the ticks have no demand. */
static void test_demand_every_other_tick_is_not_open(void **state) {
    struct weir_sessions *sessions = *state;
    int64_t now_us = play(sessions, FILM, T0, 40, 5);
    for (int i = 0; i < 40; i++) {
        now_us = trickle(sessions, FILM, now_us, 1, 25000);
        now_us = silence(sessions, now_us, 1);
        struct weir_evidence sound = fake_chunk(FILM, CLIENT, SERVER, now_us, 25000, S / 20, S / 2);
        fake_asked(&sound, now_us - 2 * S);
        weir_sessions_take(sessions, &sound);
    }
    assert_int_equal(count_of(WEIR_OUTCOME_STARVED), 0);
}

/* The sound's small segments rest between, the picture does not: starved. */
static void test_resting_sound_hides_nothing(void **state) {
    struct weir_sessions *sessions = *state;
    int64_t now_us = play(sessions, FILM, T0, 6, 5);
    for (int i = 0; i < 10; i++) {
        struct weir_evidence sound =
            fake_chunk(FILM, CLIENT, SERVER, now_us + 8 * S, 40000, S / 20, 2 * S);
        fake_asked(&sound, now_us);
        sound.client_port = 40001;
        now_us = trickle(sessions, FILM, now_us, 8, 76923);
        weir_sessions_take(sessions, &sound);
    }
    assert_true(count_of(WEIR_OUTCOME_STARVED) >= 6);
}

/* A player that fetches little after a pause, at full speed, with quiet ticks between: no open
 * demand, no starvation. */
static void test_quiet_ticks_end_the_run(void **state) {
    struct weir_sessions *sessions = *state;
    int64_t now_us = play(sessions, FILM, T0, 6, 5);
    for (int i = 0; i < 30; i++) {
        now_us = trickle(sessions, FILM, now_us, 1, 20000);
        now_us = silence(sessions, now_us, 3);
    }
    assert_int_equal(count_of(WEIR_OUTCOME_STARVED), 0);
}

/* Throttled chunks stay out of the median: the session does not get used to it. */
static void test_throttled_for_long_stays_starved(void **state) {
    struct weir_sessions *sessions = *state;
    int64_t now_us = play(sessions, FILM, T0, 6, 5);
    for (int i = 0; i < 20; i++) { /* 1 MB in 13 s each */
        now_us = trickle(sessions, FILM, now_us, 13, 76923);
        chunk(sessions, FILM, now_us, 1000000, 13 * S);
    }
    /* 260 s less the first 15, one a slot */
    assert_in_range(count_of(WEIR_OUTCOME_STARVED), 24, 26);
    struct weir_session_sums sums;
    weir_sessions_take_sums(sessions, FILM, &sums);
    assert_int_equal(sums.throughput_drops, 20);
    play(sessions, FILM, now_us, 3, 5); /* and it ends */
    size_t starved = count_of(WEIR_OUTCOME_STARVED);
    play(sessions, FILM, now_us + 20 * S, 5, 5);
    assert_int_equal(count_of(WEIR_OUTCOME_STARVED), starved);
    weir_sessions_finish(sessions, now_us + 60 * S);
    assert_int_equal(seen.sessions[0].confidence, WEIR_STALL_LIKELY);
}

/* A service that lets each request wait for seven seconds and then gives its segment of five at
 * full speed: it feels like this for a while, until the buffer is empty; from then on each segment
 * is too late, though its bytes are many. */
static void test_each_answer_too_late(void **state) {
    struct weir_sessions *sessions = *state;
    int64_t now_us = play(sessions, FILM, T0, 12, 5);
    size_t useful = count_of(WEIR_OUTCOME_USEFUL);
    for (int i = 0; i < 20; i++) {
        for (int waited = 1; waited <= 7; waited++) {
            now_us += S;
            progress(sessions, FILM, now_us, 0, waited * S);
            weir_sessions_tick(sessions, now_us);
        }
        now_us += S;
        struct weir_evidence answering = fake_progress(FILM, CLIENT, SERVER, now_us, 1000000, 0);
        answering.progress.open_us = 8 * S;
        weir_sessions_take(sessions, &answering);
        struct weir_evidence late = fake_chunk(FILM, CLIENT, SERVER, now_us, 1000000, 7 * S, S / 2);
        weir_sessions_take(sessions, &late);
        weir_sessions_tick(sessions, now_us);
    }
    assert_int_equal(count_of(WEIR_OUTCOME_USEFUL), useful);
    assert_true(count_of(WEIR_OUTCOME_STARVED) >= 10);
    weir_sessions_finish(sessions, now_us);
    assert_in_range(seen.sessions[0].n_stalls, 15, 20);
    assert_in_range(seen.sessions[0].stalled_us, 45 * S, 60 * S);
    assert_int_equal(seen.sessions[0].confidence, WEIR_STALL_LIKELY);
}

/* The last byte came before the slot began, and the next request, behind which the answer is known
 * to be over, in it: it was useful then, not now. */
static void test_over_in_the_slot_before(void **state) {
    struct weir_sessions *sessions = *state;
    int64_t now_us = T0 + 12 * S; /* two seconds into a slot */
    size_t useful = count_of(WEIR_OUTCOME_USEFUL);
    for (int late = 0; late < 2; late++) {
        struct weir_evidence chunk =
            fake_chunk(FILM, CLIENT, SERVER, now_us - (late ? 3 : 1) * S, 300000, 0, S / 2);
        chunk.now_us = now_us;
        chunk.chunk.rest_us = S / 2;
        weir_sessions_take(sessions, &chunk);
        assert_int_equal(count_of(WEIR_OUTCOME_USEFUL), ++useful - (size_t)late);
    }
}

/* A service at 35 % of the need: the film's segments take fourteen seconds each, all the time. */
static void test_a_third_of_the_need(void **state) {
    struct weir_sessions *sessions = *state;
    int64_t now_us = play(sessions, FILM, T0, 12, 5);
    size_t useful = count_of(WEIR_OUTCOME_USEFUL);
    for (int i = 0; i < 6; i++) {
        now_us = trickle(sessions, FILM, now_us, 14, 70000);
        struct weir_evidence segment =
            fake_chunk(FILM, CLIENT, SERVER, now_us, 980000, S / 20, 14 * S - S / 20);
        weir_sessions_take(sessions, &segment);
    }
    assert_int_equal(count_of(WEIR_OUTCOME_USEFUL), useful);
    assert_in_range(count_of(WEIR_OUTCOME_STARVED), 7, 9); /* 84 s less the first ten, one a slot */
    weir_sessions_finish(sessions, now_us);
    assert_true(seen.sessions[0].n_stalls >= 5);
}

/* One request that is answered for minutes: bursts of 800 kB every ten seconds, paced by the
 * server. Then the network gives a fifth of it, without rest. */
static void test_a_stream_in_one_answer(void **state) {
    struct weir_sessions *sessions = *state;
    int64_t now_us = T0, bytes = 0;
    for (int second = 0; second < 240; second++) {
        now_us += S;
        uint64_t came = second >= 200 ? 15000 : second % 10 < 2 ? 400000 : 0;
        struct weir_evidence more = fake_progress(FILM, CLIENT, SERVER, now_us, came, 0);
        more.progress.open_us = now_us - T0;
        bytes += (int64_t)came;
        if (came) weir_sessions_take(sessions, &more);
        weir_sessions_tick(sessions, now_us);
        if (second == 199) {
            assert_int_equal(weir_sessions_demand(sessions, FILM).viewers_stalled, 0);
            assert_int_equal(count_of(WEIR_OUTCOME_STARVED), 0);
        }
    }
    assert_in_range(count_of(WEIR_OUTCOME_STARVED), 3, 4);
    struct weir_evidence all =
        fake_chunk(FILM, CLIENT, SERVER, now_us, (uint64_t)bytes, S / 10, now_us - T0 - S / 10);
    weir_sessions_take(sessions, &all);
    weir_sessions_finish(sessions, now_us);
    assert_int_equal(seen.sessions[0].media_bytes, bytes);
    assert_int_equal(seen.sessions[0].segment_us, WEIR_NULL); /* a burst is no segment */
    assert_in_range(seen.sessions[0].bitrate_bps, 560000, 720000);
    assert_int_equal(seen.sessions[0].chunks, 21); /* twenty bursts, and the trickle */
    assert_in_range(seen.sessions[0].startup_us, S, 3 * S);
    assert_int_equal(seen.sessions[0].n_stalls, 1);
}

/* A segment that took longer than it plays, and then another connection: it was given up. On the
 * same one it was not. */
static void test_given_up_with_its_connection(void **state) {
    struct weir_sessions *sessions = *state;
    for (int other = 0; other < 2; other++) {
        int64_t now_us = play(sessions, other ? SPORT : FILM, T0, 12, 5) + 8 * S;
        weir_service_id service = other ? SPORT : FILM;
        struct weir_evidence late = fake_chunk(service, CLIENT, SERVER, now_us, 700000, S, 7 * S);
        weir_sessions_take(sessions, &late);
        struct weir_evidence next =
            fake_chunk(service, CLIENT, SERVER, now_us + 30 * S, 1000000, S, S);
        next.client_port += (uint16_t)other;
        weir_sessions_tick(sessions, now_us + 20 * S);
        weir_sessions_take(sessions, &next);
    }
    weir_sessions_finish(sessions, T0 + 120 * S);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(seen.sessions[i].chunks, seen.sessions[i].service == SPORT ? 13 : 14);
}

/* Two players of one client pause and close in turn; whoever looks on is served. Nobody stalls. */
static void test_two_players_of_one_client(void **state) {
    struct weir_sessions *sessions = *state;
    int64_t now_us = T0;
    for (int second = 0; second < 300; second++) {
        now_us += S;
        bool first = second < 100 || second > 150, other = second > 20 && second < 200;
        if (first && second % 4 == 0) {
            progress(sessions, FILM, now_us, 500000, 0);
            chunk(sessions, FILM, now_us, 500000, S / 4);
        }
        if (other && second % 4 == 1) {
            struct weir_evidence more =
                fake_chunk(FILM, CLIENT, SERVER, now_us, 700000, S / 20, S / 4);
            more.client_port = 40002;
            weir_sessions_take(sessions, &more);
        }
        weir_sessions_tick(sessions, now_us);
        assert_int_equal(weir_sessions_demand(sessions, FILM).viewers_stalled, 0);
    }
    weir_sessions_finish(sessions, now_us);
    assert_int_equal(seen.sessions[0].n_stalls, 0);
    assert_int_equal(count_of(WEIR_OUTCOME_STARVED) + count_of(WEIR_OUTCOME_HOLLOW), 0);
}

/* A pause of 110 s, a seek that fills the buffer anew, and a close: nothing stands still. */
static void test_viewers_do_what_they_like(void **state) {
    struct weir_sessions *sessions = *state;
    int64_t now_us = play(sessions, FILM, T0, 16, 5);
    now_us = silence(sessions, now_us, 110);
    now_us = play(sessions, FILM, now_us, 4, 5);
    for (int i = 0; i < 6; i++) /* the seek */
        chunk(sessions, FILM, now_us + i * S / 2, 1000000, S / 4);
    now_us = play(sessions, FILM, now_us + 3 * S, 6, 5);
    silence(sessions, now_us, 300);
    assert_int_equal(seen.n_sessions, 1);
    assert_int_equal(seen.sessions[0].n_stalls, 0);
    assert_int_equal(seen.sessions[0].starved_us, 0);
    assert_int_equal(count_of(WEIR_OUTCOME_STARVED) + count_of(WEIR_OUTCOME_HOLLOW), 0);
}

/* Connections fail while the buffer drains: from then on the picture is known to stand still, and
 * since when. */
static void test_an_outage_stalls(void **state) {
    struct weir_sessions *sessions = *state;
    int64_t now_us = T0;
    for (int i = 0; i < 3; i++)
        chunk(sessions, FILM, now_us += S / 2, 1000000, S / 4); /* fills: about ten seconds */
    now_us = play(sessions, FILM, T0 + 5 * S, 12, 5);
    struct weir_demand demand = {0};
    int64_t failed_us = now_us, still_us = 0;
    for (int second = 1; second <= 40; second++) {
        now_us += S;
        if (second % 6 == 3) {
            struct weir_evidence failed = fake_attempt(FILM, CLIENT, SERVER, WEIR_LAYER_CONNECT,
                                                       WEIR_OUTCOME_SYN_TIMEOUT, now_us, 3 * S);
            failed.role = WEIR_ROLE_MEDIA;
            weir_sessions_take(sessions, &failed);
        }
        weir_sessions_tick(sessions, now_us);
        demand = weir_sessions_demand(sessions, FILM);
        assert_int_equal(demand.viewers, 1);
        if (demand.viewers_stalled && !still_us) still_us = now_us;
    }
    assert_int_equal(demand.viewers_stalled, 1);
    assert_in_range(demand.stalled_since_us - failed_us, 8 * S, 14 * S);
    assert_in_range(still_us - demand.stalled_since_us, 0, 2 * S);
}

/* No byte at all is a request time-out, which flow tells; here it counts as starved time, and as
 * demand. */
static void test_unanswered_demand(void **state) {
    struct weir_sessions *sessions = *state;
    int64_t now_us = play(sessions, FILM, T0, 6, 5);
    for (int i = 1; i <= 45; i++) {
        now_us += S;
        progress(sessions, FILM, now_us, 0, i * S);
        weir_sessions_tick(sessions, now_us);
        struct weir_demand demand = weir_sessions_demand(sessions, FILM);
        assert_int_equal(demand.clients_overdue, i >= 5);
        assert_int_equal(demand.overdue, i >= 5);
    }
    assert_int_equal(count_of(WEIR_OUTCOME_STARVED), 0);
    weir_sessions_finish(sessions, now_us);
    assert_int_equal(seen.sessions[0].starved_us, 45 * S); /* from the request on */
    assert_int_equal(seen.sessions[0].confidence, WEIR_STALL_POSSIBLE);
}

/* A live player that misses three cadences of 2 s starves, and has no buffer to hide it. */
static void test_live_misses_its_cadence(void **state) {
    struct weir_sessions *sessions = *state;
    int64_t now_us = play(sessions, SPORT, T0, 10, 2);
    for (int i = 1; i <= 9; i++) {
        now_us += S;
        progress(sessions, SPORT, now_us, i < 9 ? 0 : 100, i * S);
        weir_sessions_tick(sessions, now_us);
    }
    weir_sessions_finish(sessions, now_us);
    assert_int_equal(seen.sessions[0].starved_us, 9 * S);
    assert_int_equal(seen.sessions[0].confidence, WEIR_STALL_LIKELY);
}

/* ---- hollow answers ---- */

static int64_t learn_film(struct weir_sessions *sessions) {
    return play(sessions, FILM, T0, 30, 4);
}

static void small(struct weir_sessions *sessions, int64_t now_us, uint64_t bytes) {
    chunk(sessions, FILM, now_us, bytes, S / 100);
}

static void test_hollow_answers(void **state) {
    struct weir_sessions *sessions = *state;
    int64_t now_us = learn_film(sessions);
    small(sessions, now_us += S, 700);
    small(sessions, now_us += S, 700);
    assert_int_equal(count_of(WEIR_OUTCOME_HOLLOW), 0);
    struct weir_evidence other_flow =
        fake_chunk(FILM, CLIENT, SERVER, now_us += S, 700, S / 20, S / 100);
    other_flow.client_port = 50000;
    /* on any flow: players open new ones after an error */
    weir_sessions_take(sessions, &other_flow);
    assert_int_equal(count_of(WEIR_OUTCOME_HOLLOW), 1);
    small(sessions, now_us += S, 700);
    assert_int_equal(count_of(WEIR_OUTCOME_HOLLOW), 2);
    size_t useful = count_of(WEIR_OUTCOME_USEFUL);
    chunk(sessions, FILM, now_us += S, 1000000, S / 2);
    assert_int_equal(count_of(WEIR_OUTCOME_USEFUL), useful + 1);
    /* the run begins anew, and errors were not learned as usual */
    small(sessions, now_us += S, 700);
    small(sessions, now_us += S, 700);
    assert_int_equal(count_of(WEIR_OUTCOME_HOLLOW), 2);
    small(sessions, now_us += S, 700);
    assert_int_equal(count_of(WEIR_OUTCOME_HOLLOW), 3);
}

static void small_of_host(struct weir_sessions *sessions, int64_t now_us, uint64_t host) {
    struct weir_evidence answer = fake_chunk(FILM, CLIENT, SERVER, now_us, 900, S / 20, S / 100);
    answer.host_hash = host;
    weir_sessions_take(sessions, &answer);
}

/* After errors a player goes to another media host, which fails it, too. Small answers of a host
 * that is new to it are no errors by themselves. */
static void test_a_run_goes_on_at_the_next_host(void **state) {
    struct weir_sessions *sessions = *state;
    int64_t now_us = learn_film(sessions);
    for (int i = 0; i < 4; i++) small_of_host(sessions, now_us += S, 77);
    assert_int_equal(count_of(WEIR_OUTCOME_HOLLOW), 0);
    small(sessions, now_us += S, 700);
    small_of_host(sessions, now_us += S, 78);
    assert_int_equal(count_of(WEIR_OUTCOME_HOLLOW), 0);
    small_of_host(sessions, now_us += S, 78);
    assert_int_equal(count_of(WEIR_OUTCOME_HOLLOW), 1);
}

/* A first request on a connection has a size to which nobody answered much. Behind two errors it
 * counts on a connection that was opened since; on an older one it may be anything. */
static void test_behind_two_errors_first_words_count(void **state) {
    struct weir_sessions *sessions = *state;
    int64_t now_us = learn_film(sessions);
    struct weir_evidence first =
        fake_chunk(FILM, CLIENT, SERVER, now_us += S, 300, S / 20, S / 100);
    first.chunk.known = false;
    first.chunk.request_bytes = 1100;
    first.flow_first_us = now_us - S / 10;
    for (int i = 0; i < 3; i++) weir_sessions_take(sessions, &first);
    assert_int_equal(count_of(WEIR_OUTCOME_HOLLOW), 0);
    small(sessions, now_us += S, 700);
    small(sessions, now_us += S, 700);
    first.now_us = first.ts_us = now_us += S;
    weir_sessions_take(sessions, &first);
    assert_int_equal(count_of(WEIR_OUTCOME_HOLLOW), 0);
    first.flow_first_us = now_us - S / 10;
    weir_sessions_take(sessions, &first);
    assert_int_equal(count_of(WEIR_OUTCOME_HOLLOW), 1);
}

/* What the server's reset cut short is a failed request, not a useful one as well; its bytes did
 * come. */
static void test_a_cut_answer_is_not_useful(void **state) {
    struct weir_sessions *sessions = *state;
    struct weir_evidence chunk = fake_chunk(FILM, CLIENT, SERVER, T0 + S, 300000, S / 10, S / 2);
    chunk.chunk.cut = true;
    weir_sessions_take(sessions, &chunk);
    assert_int_equal(seen.n_attempts, 0);
    chunk.chunk.cut = false;
    weir_sessions_take(sessions, &chunk);
    assert_int_equal(seen.n_attempts, 1);
    weir_sessions_finish(sessions, T0 + 2 * S);
    assert_int_equal(seen.sessions[0].media_bytes, 600000);
    assert_int_equal((int)seen.sessions[0].chunks, 1);
}

static void test_a_chunk_between_breaks_the_run(void **state) {
    struct weir_sessions *sessions = *state;
    int64_t now_us = learn_film(sessions);
    for (int i = 0; i < 20; i++) {
        small(sessions, now_us += S, 300 + (uint64_t)i * 200);
        small(sessions, now_us += S, 310 + (uint64_t)i * 200);
        chunk(sessions, FILM, now_us += S, 1000000, S / 2);
    }
    assert_int_equal(count_of(WEIR_OUTCOME_HOLLOW), 0);
}

static void test_below_eight_chunks_nothing_is_hollow(void **state) {
    struct weir_sessions *sessions = *state;
    int64_t now_us = play(sessions, FILM, T0, 7, 4);
    for (int i = 0; i < 10; i++) small(sessions, now_us += S, 700);
    assert_int_equal(count_of(WEIR_OUTCOME_HOLLOW), 0);
}

static void test_a_service_of_small_chunks_is_not_judged(void **state) {
    struct weir_sessions *sessions = *state;
    int64_t now_us = T0;
    for (int i = 0; i < 40; i++) chunk(sessions, FILM, now_us += S, 40000, S / 10);
    for (int i = 0; i < 10; i++) small(sessions, now_us += S, 700);
    assert_int_equal(count_of(WEIR_OUTCOME_HOLLOW), 0);
}

/* Playlists of a size that this host's always had, five between two chunks, make no run... */
static void test_playlists_make_no_run(void **state) {
    struct weir_sessions *sessions = *state;
    int64_t now_us = T0;
    for (int i = 0; i < 40; i++) {
        for (int k = 0; k < 5; k++) small(sessions, now_us += S, 1500 + (uint64_t)(i % 3) * 10);
        chunk(sessions, FILM, now_us += S, 1000000, S / 2);
    }
    for (int k = 0; k < 30; k++) small(sessions, now_us += S, 1510);
    assert_int_equal(count_of(WEIR_OUTCOME_HOLLOW), 0);
}

/* ... nor do they break one of errors. */
static void test_playlists_do_not_break_a_run(void **state) {
    struct weir_sessions *sessions = *state;
    int64_t now_us = T0;
    for (int i = 0; i < 40; i++) {
        small(sessions, now_us += S, 1500);
        chunk(sessions, FILM, now_us += S, 1000000, S / 2);
    }
    for (int i = 0; i < 3; i++) {
        small(sessions, now_us += S, 400);
        small(sessions, now_us += S, 1500);
    }
    assert_int_equal(count_of(WEIR_OUTCOME_HOLLOW), 1);
}

/* A host that never gave this client a chunk may answer small all day (beacons, licences); so may
 * one after 10 min. */
static void test_only_hosts_with_recent_chunks(void **state) {
    struct weir_sessions *sessions = *state;
    int64_t now_us = learn_film(sessions);
    for (int i = 0; i < 10; i++) {
        struct weir_evidence beacon =
            fake_chunk(FILM, CLIENT, SERVER, now_us += S, 700, S / 20, S / 100);
        beacon.host_hash = 77;
        weir_sessions_take(sessions, &beacon);
    }
    assert_int_equal(count_of(WEIR_OUTCOME_HOLLOW), 0);
    now_us += 601 * S;
    for (int i = 0; i < 10; i++) small(sessions, now_us += S, 700);
    assert_int_equal(count_of(WEIR_OUTCOME_HOLLOW), 0);
}

static void test_the_rest_of_an_answer_is_not_hollow(void **state) {
    struct weir_sessions *sessions = *state;
    int64_t now_us = learn_film(sessions);
    for (int i = 0; i < 10; i++) {
        struct weir_evidence rest = fake_chunk(FILM, CLIENT, SERVER, now_us += S, 700, -1, S / 100);
        weir_sessions_take(sessions, &rest);
    }
    assert_int_equal(count_of(WEIR_OUTCOME_HOLLOW), 0);
}

/* Covers and words come between the tracks. A track that trickles serves nobody. */
static void test_audio_is_starved_and_never_hollow(void **state) {
    struct weir_sessions *sessions = *state;
    int64_t now_us = play(sessions, RADIO, T0, 40, 4);
    for (int i = 0; i < 10; i++) chunk(sessions, RADIO, now_us += S, 700, S / 100);
    assert_int_equal(count_of(WEIR_OUTCOME_HOLLOW), 0);
    assert_int_equal(count_of(WEIR_OUTCOME_STARVED), 0);
    assert_true(count_of(WEIR_OUTCOME_USEFUL) > 0);
    trickle(sessions, RADIO, now_us, 60, 1000);
    assert_true(count_of(WEIR_OUTCOME_STARVED) >= 4);
    weir_sessions_finish(sessions, now_us);
    assert_int_equal(seen.n_sessions, 1);
}

/* A player that has hardly rested yet: its need is not known, but a collapse is one. */
static size_t starved_at(struct weir_sessions *sessions, uint64_t bytes_per_s) {
    int64_t now_us = T0;
    for (int i = 0; i < 12; i++) chunk(sessions, FILM, now_us += 2 * S, 500000, 3 * S / 2);
    trickle(sessions, FILM, now_us, 30, bytes_per_s);
    return count_of(WEIR_OUTCOME_STARVED);
}

static void test_a_collapse_needs_no_rhythm(void **state) {
    assert_true(starved_at(*state, 20000) >= 2); /* of 250 kB/s that it used */
}

static void test_less_than_before_is_no_collapse(void **state) {
    assert_int_equal(starved_at(*state, 60000), 0); /* perhaps all that it needs */
}

/* Requests too short to be seen: no answer ends, segments of two seconds come for a minute. Then
 * `bytes_per_s` without a rest. What the last fifty seconds say. */
static void unseen_requests(struct weir_sessions *sessions, uint64_t bytes_per_s,
                            size_t *ret_starved, size_t *ret_useful) {
    int64_t now_us = T0;
    for (int second = 0; second < 60; second++) {
        now_us += S;
        if (second % 2) progress(sessions, FILM, now_us, 120000, 0);
        weir_sessions_tick(sessions, now_us);
    }
    assert_int_equal(count_of(WEIR_OUTCOME_STARVED), 0);
    now_us = trickle(sessions, FILM, now_us, 10, bytes_per_s);
    *ret_starved = count_of(WEIR_OUTCOME_STARVED);
    *ret_useful = count_of(WEIR_OUTCOME_USEFUL);
    trickle(sessions, FILM, now_us, 50, bytes_per_s);
    *ret_starved = count_of(WEIR_OUTCOME_STARVED) - *ret_starved;
    *ret_useful = count_of(WEIR_OUTCOME_USEFUL) - *ret_useful;
}

static void test_unseen_requests_collapse(void **state) {
    size_t starved, useful;
    unseen_requests(*state, 6000, &starved, &useful); /* a tenth of what came */
    assert_true(starved >= 4);
    assert_int_equal(useful, 0);
}

static void test_unseen_requests_that_are_doubtful(void **state) {
    size_t starved, useful;
    unseen_requests(*state, 10000, &starved, &useful); /* a sixth: neither well nor a failure */
    assert_int_equal(starved, 0);
    assert_int_equal(useful, 0);
}

static void test_unseen_requests_with_less_than_before(void **state) {
    size_t starved, useful;
    unseen_requests(*state, 20000, &starved, &useful); /* a third: a lower quality */
    assert_int_equal(starved, 0);
    assert_true(useful > 0);
}

/* A live player asks for its list before each segment, and no two lists are of one size. */
static void test_a_single_small_answer_keeps_the_rhythm(void **state) {
    struct weir_sessions *sessions = *state;
    int64_t now_us = T0;
    for (int i = 0; i < 12; i++) {
        chunk(sessions, FILM, now_us += S, 700 + (uint64_t)i * 230, S / 100);
        now_us = play(sessions, FILM, now_us, 1, 4);
    }
    weir_sessions_finish(sessions, now_us);
    assert_float_equal((double)seen.sessions[0].segment_us, 5e6, 3e5);
}

/* ---- learned ---- */

static void test_learned_needs_eight_or_thirty_and_keeps_a_thousand(void **state) {
    struct weir_learned learned = {0};
    for (int i = 0; i < 7; i++) weir_learned_add(&learned, 10);
    assert_int_equal(weir_learned_quantile(&learned, 0.5), -1);
    weir_learned_add(&learned, 10);
    assert_int_equal(weir_learned_quantile(&learned, 0.5), 10);
    for (int i = 0; i < 21; i++) weir_learned_add(&learned, 10);
    assert_int_equal(weir_learned_quantile(&learned, 0.99), -1);
    weir_learned_add(&learned, 10);
    assert_int_equal(weir_learned_quantile(&learned, 0.99), 10);
    for (int i = 0; i < 500; i++) weir_learned_add(&learned, 12);
    assert_int_equal(weir_learned_quantile(&learned, 0.5), 12);
    assert_int_equal(weir_learned_quantile(&learned, 0.05), 10);
    for (int i = 0; i < 500; i++)
        weir_learned_add(&learned, 14); /* 1,030 by now: the tens are gone */
    assert_int_equal(weir_learned_quantile(&learned, 0.0), 12);
    assert_int_equal(weir_learned_quantile(&learned, 0.5), 12);
    assert_int_equal(weir_learned_quantile(&learned, 0.51), 14);
    assert_int_equal(weir_learned_quantile(&learned, 1.0), 14);
}

/* max(5 s, 3 x p99 of TTFB), changed at window ends only. */
static void test_request_timeout_is_learned(void **state) {
    struct weir_sessions *sessions = *state;
    const int64_t *timeouts = weir_sessions_request_timeouts(sessions);
    assert_int_equal(timeouts[FILM], 5 * S);
    for (int i = 0; i < 100; i++) {
        struct weir_evidence held =
            fake_chunk(FILM, CLIENT, SERVER, T0 + 7 * S, 200000, 4 * S, S / 10);
        weir_sessions_take(sessions, &held);
        weir_sessions_tick(sessions, T0 + 7 * S);
        assert_int_equal(timeouts[FILM], 5 * S);
    }
    weir_sessions_tick(sessions, T0 + 10 * S);
    assert_in_range(timeouts[FILM], 12 * S - 12 * S / 25, 12 * S + 12 * S / 25);
    assert_int_equal(timeouts[SPORT], 5 * S);
    for (int i = 0; i < 1000; i++) {
        struct weir_evidence slow =
            fake_chunk(FILM, CLIENT, SERVER, T0 + 17 * S, 200000, 100 * S, S / 10);
        weir_sessions_take(sessions, &slow);
    }
    weir_sessions_tick(sessions, T0 + 20 * S);
    assert_int_equal(timeouts[FILM], 30 * S); /* an outage must not teach it to wait for ever */
}

/* ---- bounds, order ---- */

static void test_bounds_are_counted(void **state) {
    const struct weir_sessions_config config = {.set = fake_set(),
                                                .n_services = N_SERVICES,
                                                .on_session = on_session,
                                                .sessions_max = 8,
                                                .hosts_max = 2};
    struct weir_sessions *sessions;
    memset(&seen, 0, sizeof seen);
    assert_int_equal(weir_sessions_new(&sessions, &config), 0);
    for (unsigned i = 0; i < 20; i++) {
        struct weir_evidence evidence = fake_chunk(FILM, CLIENT, SERVER, T0 + S, 300000, 0, S / 2);
        evidence.client.bytes[15] = (uint8_t)i;
        weir_sessions_take(sessions, &evidence);
    }
    /* six hosts with small answers, then a chunk that vouches for them */
    for (unsigned i = 0; i < 6; i++) {
        struct weir_evidence evidence = fake_chunk(FILM, CLIENT, SERVER, T0 + S, 300, 0, S / 2);
        evidence.host_hash = 100 + i;
        weir_sessions_take(sessions, &evidence);
    }
    chunk(sessions, FILM, T0 + 2 * S, 300000, S / 2);
    struct weir_sessions_stats stats;
    weir_sessions_tick(sessions, T0 + 2 * S);
    weir_sessions_read_stats(sessions, &stats);
    assert_int_equal(stats.sessions, 8);
    assert_int_equal(stats.sessions_now, 8);
    assert_int_equal(stats.sessions_refused, 12);
    assert_int_equal(stats.hosts_refused, 4);
    weir_sessions_free(sessions);
}

/* Sessions come and go in any order: each is found again, and the rest end in the order of their
 * start. */
static void test_sessions_are_found_again(void **state) {
    struct weir_sessions *sessions = *state;
    for (unsigned i = 0; i < 40; i++) {
        struct weir_evidence evidence = fake_chunk(FILM, CLIENT, SERVER, T0 + S, 300000, 0, S / 2);
        evidence.client.bytes[15] = (uint8_t)i;
        evidence.flow_first_us = T0 - i;
        weir_sessions_take(sessions, &evidence);
    }
    for (unsigned i = 0; i < 40; i += 2) { /* every second one stays */
        struct weir_evidence evidence =
            fake_chunk(FILM, CLIENT, SERVER, T0 + 50 * S, 300000, 0, S / 2);
        evidence.client.bytes[15] = (uint8_t)i;
        weir_sessions_take(sessions, &evidence);
    }
    weir_sessions_tick(sessions, T0 + 61 * S);
    assert_int_equal(seen.n_sessions, 20);
    for (unsigned i = 0; i < 40; i += 2) {
        struct weir_evidence evidence =
            fake_chunk(FILM, CLIENT, SERVER, T0 + 62 * S, 300000, 0, S / 2);
        evidence.client.bytes[15] = (uint8_t)i;
        weir_sessions_take(sessions, &evidence);
    }
    struct weir_sessions_stats stats;
    weir_sessions_read_stats(sessions, &stats);
    assert_int_equal(stats.sessions, 40); /* none was begun twice */
    weir_sessions_finish(sessions, T0 + 63 * S);
    assert_int_equal(seen.n_sessions, 40);
    for (size_t i = 20; i < 40; i++) {
        assert_int_equal(seen.sessions[i].chunks, 3);
        assert_true(i == 20 || seen.sessions[i - 1].start_us < seen.sessions[i].start_us);
    }
}

static void test_other_is_no_service(void **state) {
    struct weir_sessions *sessions = *state;
    chunk(sessions, WEIR_SERVICE_OTHER, T0 + S, 1000000, S);
    chunk(sessions, 200, T0 + S, 1000000, S);
    weir_sessions_finish(sessions, T0 + 2 * S);
    assert_int_equal(seen.n_sessions, 0);
    assert_int_equal(weir_sessions_demand(sessions, 200).open, 0);
}

/* Numbers that lie: nothing overflows, nothing is negative. */
static void test_absurd_numbers(void **state) {
    struct weir_sessions *sessions = *state;
    chunk(sessions, FILM, T0 + S, UINT64_MAX, 1);
    chunk(sessions, FILM, T0 - 100 * S, 300000, -5);
    progress(sessions, FILM, T0 + 2 * S, UINT64_MAX / 2, 0);
    weir_sessions_tick(sessions, T0 + 2 * S);
    weir_sessions_finish(sessions, T0 + 3 * S);
    assert_int_equal(seen.n_sessions, 1);
    assert_true(seen.sessions[0].startup_us == WEIR_NULL || seen.sessions[0].startup_us >= 0);
    assert_true(seen.sessions[0].end_us >= seen.sessions[0].start_us);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_startup_is_the_second_chunk),
        TEST(test_rates_are_kept_closely),
        TEST(test_startup_without_the_start),
        TEST(test_startup_begins_with_the_page),
        TEST(test_bitrate_is_that_of_the_picture),
        TEST(test_idle_ends_a_session),
        TEST(test_pause_with_a_full_buffer_is_no_stall),
        TEST(test_starved_below_half_of_its_need),
        TEST(test_half_of_the_need_is_not_starved),
        TEST(test_starved_needs_five_chunks),
        TEST(test_short_segments_are_not_starved),
        TEST(test_quiet_ticks_end_the_run),
        TEST(test_slower_than_before_but_enough),
        TEST(test_demand_every_other_tick_is_not_open),
        TEST(test_short_segments_slower_than_before_but_enough),
        TEST(test_resting_sound_hides_nothing),
        TEST(test_throttled_for_long_stays_starved),
        TEST(test_unanswered_demand),
        TEST(test_each_answer_too_late),
        TEST(test_over_in_the_slot_before),
        TEST(test_a_third_of_the_need),
        TEST(test_a_stream_in_one_answer),
        TEST(test_two_players_of_one_client),
        TEST(test_given_up_with_its_connection),
        TEST(test_viewers_do_what_they_like),
        TEST(test_an_outage_stalls),
        TEST(test_live_misses_its_cadence),
        TEST(test_hollow_answers),
        TEST(test_a_run_goes_on_at_the_next_host),
        TEST(test_behind_two_errors_first_words_count),
        TEST(test_a_cut_answer_is_not_useful),
        TEST(test_a_chunk_between_breaks_the_run),
        TEST(test_below_eight_chunks_nothing_is_hollow),
        TEST(test_a_service_of_small_chunks_is_not_judged),
        TEST(test_playlists_make_no_run),
        TEST(test_playlists_do_not_break_a_run),
        TEST(test_only_hosts_with_recent_chunks),
        TEST(test_the_rest_of_an_answer_is_not_hollow),
        TEST(test_audio_is_starved_and_never_hollow),
        TEST(test_a_collapse_needs_no_rhythm),
        TEST(test_less_than_before_is_no_collapse),
        TEST(test_unseen_requests_collapse),
        TEST(test_unseen_requests_that_are_doubtful),
        TEST(test_unseen_requests_with_less_than_before),
        TEST(test_a_single_small_answer_keeps_the_rhythm),
        TEST(test_learned_needs_eight_or_thirty_and_keeps_a_thousand),
        TEST(test_request_timeout_is_learned),
        TEST(test_bounds_are_counted),
        TEST(test_sessions_are_found_again),
        TEST(test_other_is_no_service),
        TEST(test_absurd_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
