/* When is a question asked at all? Evidence is written by hand, and one tick decides. What is asked
 * is not answered here: nobody has tried anything, so each verdict stays open, and is only noted.
 */
#undef NDEBUG
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "site.h"

#define NOW (T0 + 7200 * SECOND)

static struct site site;
static struct weir_detector *detector;
static struct weir_service_state *netflix;
static double h;

static int begin(void **state) {
    site_begin(&site);
    detector = site.detector;
    detector->now_us = NOW;
    detector->open_start_us = NOW;
    netflix = &detector->services[NETFLIX];
    h = detector->rule.h;
    return 0;
}

static int end(void **state) {
    site_end(&site);
    return 0;
}

static bool is_asked(void) {
    netflix->incident = (struct weir_case){.exists = false};
    netflix->ask_again_us = 0;
    weir_judge(detector);
    return netflix->incident.judged_us == NOW;
}

/* Failures up to now, with the strength `s`. */
static struct weir_track_state *failing(struct weir_track *track, double s) {
    track->committed.hard.s = s;
    track->committed.hard.onset_us = track->committed.hard.began_us = NOW - 5 * SECOND;
    track->committed.last_us = track->committed.last_fail_us = NOW;
    return &track->committed;
}

static void hard_failures(void **state) {
    for (int layer = 0; layer < WEIR_LAYER_N; layer++) {
        end(state);
        begin(state);
        assert_false(is_asked());
        struct weir_track_state *track = failing(&netflix->layer[layer], h - 0.01);
        assert_false(is_asked());
        track->hard.s = h;
        assert_true(is_asked());
        track->last_fail_us = NOW - 2 * WEIR_SLOT_US; /* what was held is old by then */
        assert_true(is_asked());
        track->last_fail_us--;
        assert_false(is_asked());
        track->last_fail_us = NOW;
        track->ok_run = (uint32_t)detector->config.clear_ok - 1;
        assert_true(is_asked());
        track->ok_run++; /* it would be cleared at once */
        assert_false(is_asked());
        track->slow_mixed = 1;
        assert_true(is_asked());
    }
}

/* Connecting and being served fail, neither enough alone. */
static void layers_together(void **state) {
    double both = h * detector->config.joint;
    failing(&netflix->layer[WEIR_LAYER_CONNECT], both / 2);
    assert_false(is_asked());
    struct weir_track_state *serve = failing(&netflix->layer[WEIR_LAYER_SERVE], both / 2 - 0.01);
    assert_false(is_asked());
    serve->hard.s = both / 2;
    assert_true(is_asked());
    detector->h_level = 1; /* where clients are many each layer soon has enough */
    assert_false(is_asked());
    detector->h_level = 0;
    netflix->layer[WEIR_LAYER_SERVE].committed = (struct weir_track_state){0};
    failing(&netflix->layer[WEIR_LAYER_DNS], both / 2);
    assert_false(is_asked()); /* lookups are no trials of the service's servers */
    failing(&netflix->layer[WEIR_LAYER_QUIC], both / 2);
    assert_true(is_asked());
    for (int layer = 0; layer < WEIR_LAYER_N; layer++)
        netflix->layer[layer].committed.last_fail_us = NOW - 3 * WEIR_SLOT_US;
    assert_false(is_asked());
    netflix->layer[WEIR_LAYER_QUIC].committed.last_fail_us = NOW; /* one of them fails now */
    assert_true(is_asked());
}

static struct weir_prefix *prefix_of(weir_service_id service, unsigned number, uint8_t layer) {
    struct weir_addr addr = site_prefix(number);
    return weir_keyed_get(&detector->prefixes, &addr, service, layer, NOW);
}

/* One prefix is enough, also where the service as a whole has little against it. */
static void a_prefix(void **state) {
    struct weir_prefix *hot = prefix_of(NETFLIX, 7, WEIR_LAYER_SERVE);
    failing(&hot->track, h);
    netflix->hot = hot;
    assert_true(is_asked());
    failing(&hot->track, h / 4); /* it stays the one that is watched */
    assert_false(is_asked());
    assert_ptr_equal(netflix->hot, hot);
    failing(&hot->track, h / 4 - 0.01);
    assert_false(is_asked());
    assert_null(netflix->hot);
    double both = h * detector->config.joint;
    netflix->hot = hot;
    failing(&hot->track, both / 2);
    failing(&prefix_of(NETFLIX, 7, WEIR_LAYER_CONNECT)->track, both / 2);
    assert_true(is_asked());
    failing(&prefix_of(NETFLIX, 7, WEIR_LAYER_CONNECT)->track, both / 2 - 0.01);
    assert_false(is_asked());
    netflix->hot = prefix_of(YOUTUBE, 7, WEIR_LAYER_SERVE); /* its place was taken by another's */
    failing(&netflix->hot->track, 2 * h);
    assert_false(is_asked());
    assert_null(netflix->hot);
}

static void quic_beside_tcp(void **state) {
    struct weir_track_state *track = failing(&netflix->quic_blocked, 0.65 * h - 0.01);
    assert_false(is_asked());
    track->hard.s = 0.65 * h + 1e-9;
    assert_true(is_asked());
    track->last_fail_us = NOW - 2 * WEIR_SLOT_US - 1;
    assert_false(is_asked());
}

/* A slow burn must also be old: longer where all fails that fails at all is not mixed. */
static void slow_burns(void **state) {
    struct weir_track_state *track = &netflix->layer[WEIR_LAYER_SERVE].committed;
    const struct weir_detect_config *config = &detector->config;
    track->slow.s = config->h_slow;
    track->last_us = track->last_fail_us = NOW;
    track->slow_mixed = track->slow_pure = 3;
    track->slow.onset_us = NOW - config->slow_mixed_us;
    assert_true(is_asked());
    track->slow.onset_us++;
    assert_false(is_asked());
    track->slow_pure = 4;
    track->slow.onset_us = NOW - config->slow_pure_us;
    assert_true(is_asked());
    track->slow.onset_us++;
    assert_false(is_asked());
    track->slow.onset_us = NOW - 2 * config->slow_pure_us;
    track->slow.s -= 0.01;
    assert_false(is_asked());
}

static void connections_that_are_reset(void **state) {
    struct weir_ends *ends = &netflix->ends;
    const struct weir_ends enough = {.cusum.s = detector->config.ends_h,
                                     .resets = (uint32_t)detector->config.ends_min,
                                     .last_reset_us = NOW - 2 * WEIR_SLOT_US};
    *ends = enough;
    assert_true(is_asked());
    ends->cusum.s -= 0.01;
    assert_false(is_asked());
    *ends = enough;
    ends->resets--;
    assert_false(is_asked());
    *ends = enough;
    ends->last_reset_us--;
    assert_false(is_asked());
    *ends = enough;
    ends->clean_run = 29;
    assert_true(is_asked());
    ends->clean_run = 30; /* so many that ended well forget them */
    assert_false(is_asked());
    assert_true(ends->cusum.s == 0 && ends->clean_run == 30);
    *ends = enough;
    ends->clean_run = (uint32_t)detector->config.clear_ok; /* or a few, after minutes */
    ends->last_reset_us = NOW - 300 * SECOND;
    is_asked();
    assert_true(ends->cusum.s > 0);
    ends->last_reset_us--;
    is_asked();
    assert_true(ends->cusum.s == 0);
}

static struct weir_baseline *deviating(enum weir_continuous signal) {
    struct weir_baseline *baseline = netflix->continuous.signals[signal];
    if (!baseline) baseline = netflix->continuous.signals[signal] = calloc(1, sizeof *baseline);
    baseline->s = detector->config.z_raise;
    baseline->last_us = NOW - 3 * WEIR_SLOT_US;
    baseline->onset_us = NOW - 60 * SECOND;
    return baseline;
}

static void delays_and_rates(void **state) {
    for (int signal = 0; signal < WEIR_CONTINUOUS_N; signal++) {
        struct weir_baseline *baseline = deviating((enum weir_continuous)signal);
        /* between here and a client is no service */
        bool counts = signal != WEIR_CONTINUOUS_RTT_CLIENT;
        assert_int_equal(is_asked(), counts);
        baseline->last_us--;
        assert_false(is_asked());
        deviating((enum weir_continuous)signal)->s -= 0.01;
        assert_false(is_asked());
        baseline->s = 0;
    }
}

/* A lower rate matters where somebody's picture stands still, where requests starve, or where
 * nobody is known to watch. */
static void rates_where_they_matter(void **state) {
    deviating(WEIR_CONTINUOUS_GOODPUT);
    netflix->viewers = 5;
    assert_false(is_asked());
    netflix->viewers_stalled = 1;
    assert_true(is_asked());
    netflix->viewers_stalled = 0;
    netflix->starved_slot_us = NOW - 3 * WEIR_SLOT_US;
    assert_true(is_asked());
    netflix->starved_slot_us--;
    assert_false(is_asked());
    deviating(WEIR_CONTINUOUS_TTFB); /* which says so by itself */
    assert_true(is_asked());
}

static void nobody_asks(void **state) {
    struct weir_silence *silence = weir_watch_memory(detector, NETFLIX, WEIR_WATCH_silence);
    assert_false(is_asked());
    silence->alarm = true;
    silence->onset_us = NOW - 60 * SECOND;
    silence->found.window_us = 60 * SECOND;
    weir_judge(detector);
    assert_int_equal(site.n_events, 1); /* this one needs no trial */
    assert_int_equal(site.events[0].service, NETFLIX);
    assert_true(site.events[0].silence.window_us > 0);
}

/* A slot in which the capture lost packets is not judged. */
static void a_frozen_slot(void **state) {
    failing(&netflix->layer[WEIR_LAYER_SERVE], 2 * h);
    weir_detector_freeze(detector, NOW);
    assert_false(is_asked());
    detector->open_start_us += WEIR_SLOT_US;
    assert_true(is_asked());
}

/* What stayed open is asked again soon: the sooner, the fewer trials there are to read. */
static void asked_again(void **state) {
    failing(&netflix->layer[WEIR_LAYER_SERVE], 2 * h);
    assert_true(is_asked());
    assert_int_equal(netflix->ask_again_us, NOW);
    netflix->incident.judged_us = 0;
    netflix->ask_again_us = NOW + 1;
    weir_judge(detector);
    assert_int_equal(netflix->incident.judged_us, 0);
    netflix->ask_again_us = NOW;
    weir_judge(detector);
    assert_int_equal(netflix->incident.judged_us, NOW);
}

/* ---- what is open ---- */

/* An incident of netflix, told a minute ago, of a fault without a failing trial. */
static struct weir_case *opened(void) {
    struct weir_case *incident = &netflix->incident;
    *incident = (struct weir_case){.exists = true,
                                   .open = true,
                                   .reraised_us = NOW - detector->config.clear_us,
                                   .judged_us = NOW - WEIR_SLOT_US,
                                   .evidence_us = NOW - 30 * SECOND,
                                   .emitted_us = NOW - 60 * SECOND,
                                   .asked_us = NOW,
                                   .record = {.service = NETFLIX,
                                              .cause = WEIR_CAUSE_SERVICE,
                                              .state = WEIR_STATE_DEGRADED,
                                              .layer = WEIR_LAYER_SERVE,
                                              .onset_us = NOW - 90 * SECOND,
                                              .raised_us = NOW - 60 * SECOND}};
    for (int layer = 0; layer < WEIR_LAYER_N; layer++) {
        netflix->layer[layer].committed.last_us = NOW;
        netflix->layer[layer].committed.ok_run = (uint32_t)detector->config.clear_ok;
    }
    return incident;
}

static bool is_over(void) {
    size_t before = site_count(&site, WEIR_INCIDENT_CLEARED);
    weir_judge(detector);
    assert_int_equal(netflix->incident.open, site_count(&site, WEIR_INCIDENT_CLEARED) == before);
    return !netflix->incident.open;
}

static void it_fades(void **state) {
    opened();
    assert_true(is_over());
    opened()->reraised_us++; /* for a minute at least */
    assert_false(is_over());
    opened();
    netflix->layer[WEIR_LAYER_SERVE].committed.ok_run--;
    assert_false(is_over());
    opened()->record.trials.fail = 1; /* then trials decide, not time */
    assert_false(is_over());
}

/* Each time that it has come back it must be quiet for twice as long. */
static void on_and_off(void **state) {
    for (uint32_t times = 1; times <= 4; times++) {
        int64_t quiet_us = detector->config.clear_us << (times < 3 ? times : 3);
        opened()->reopened = times;
        netflix->incident.evidence_us = NOW - quiet_us + 1;
        assert_false(is_over());
        netflix->incident.evidence_us--;
        assert_true(is_over());
    }
}

static void what_watches_it_must_be_at_rest(void **state) {
    for (int layer = 0; layer < WEIR_LAYER_N; layer++) {
        opened();
        netflix->layer[layer].committed.hard.s = h / 4 - 0.01;
        assert_true(is_over());
        assert_true(netflix->layer[layer].committed.hard.s == 0); /* nothing is left of it */
        opened();
        netflix->layer[layer].committed.hard.s = h / 4;
        assert_false(is_over());
        netflix->layer[layer].committed.hard.s = 0;
        netflix->layer[layer].committed.slow_alarm = true;
        assert_false(is_over());
        netflix->layer[layer].committed.slow_alarm = false;
        netflix->layer[layer].committed.hard_alarm = true;
        assert_false(is_over());
        netflix->layer[layer].committed = (struct weir_track_state){0};
    }
    opened();
    netflix->quic_blocked.committed.hard.s = h / 4;
    assert_false(is_over());
    netflix->quic_blocked.committed.hard.s = 0;
    struct weir_baseline *baseline = deviating(WEIR_CONTINUOUS_TTFB);
    baseline->s = detector->config.z_raise / 4;
    baseline->last_us = NOW - detector->config.silent_us + 1;
    assert_false(is_over());
    baseline->last_us--; /* nobody measures it any more */
    assert_true(is_over());
    assert_true(baseline->s == 0); /* what it was felt by is the outage, too */
    baseline->last_us = NOW;
    baseline->s = detector->config.z_raise / 4 - 0.01;
    opened();
    assert_true(is_over());
    struct weir_silence *silence = weir_watch_memory(detector, NETFLIX, WEIR_WATCH_silence);
    silence->alarm = true;
    opened();
    assert_false(is_over());
}

/* The layer that failed is tried by nobody: after five minutes others speak for it, ten times. */
static void another_layer_speaks(void **state) {
    opened()->record.trials.fail = 9;
    struct weir_track_state *serve = &netflix->layer[WEIR_LAYER_SERVE].committed;
    netflix->ok_run = 10;
    serve->last_us = NOW - 300 * SECOND;
    assert_false(is_over());
    serve->last_us--;
    netflix->ok_run = 9;
    assert_false(is_over());
    netflix->ok_run = 10;
    assert_true(is_over());
}

/* An open one is judged once a slot, and only while it fails on. */
static void an_open_one_is_judged_again(void **state) {
    static const struct {
        int64_t judged_us, fail_us;
        bool again;
    } cases[] = {{NOW - WEIR_SLOT_US, NOW, true},
                 {NOW - WEIR_SLOT_US + 1, NOW, false},
                 {NOW - WEIR_SLOT_US, NOW - 30 * SECOND + 1, true},
                 {NOW - WEIR_SLOT_US, NOW - 30 * SECOND, false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        opened()->judged_us = cases[i].judged_us;
        failing(&netflix->layer[WEIR_LAYER_SERVE], h)->hard_alarm = true;
        netflix->layer[WEIR_LAYER_SERVE].committed.last_fail_us = cases[i].fail_us;
        weir_judge(detector);
        assert_true(netflix->incident.open);
        assert_int_equal(netflix->incident.judged_us, cases[i].again ? NOW : cases[i].judged_us);
    }
}

/* ---- the capture ---- */

static void blind(enum weir_blindness blindness) {
    struct weir_detect_sight sight = {.blindness = blindness, .since_us = NOW - 20 * SECOND};
    weir_detector_sight(detector, &sight);
    weir_judge(detector);
}

/* Blind is told at once; that packets come again is told, too; and it is over a minute later. */
static void blind_and_back(void **state) {
    blind(WEIR_BLIND_SILENT);
    assert_int_equal(site.n_events, 1);
    assert_int_equal(site.events[0].event, WEIR_INCIDENT_RAISED);
    assert_int_equal(site.events[0].cause, WEIR_CAUSE_CAPTURE);
    assert_int_equal(site.events[0].onset_us, NOW - 20 * SECOND);
    assert_int_equal(weir_detector_state(detector, NETFLIX), WEIR_STATE_UNKNOWN);
    detector->now_us += 5 * SECOND;
    blind(WEIR_BLIND_NOT);
    assert_int_equal(site.n_events, 2);
    assert_int_equal(site.events[1].event, WEIR_INCIDENT_UPDATED);
    assert_int_equal(site.events[1].recovered_us, NOW + 5 * SECOND);
    for (int64_t second = 6; second < 10; second++) {
        detector->now_us = NOW + second * SECOND;
        blind(second % 2 ? WEIR_BLIND_SILENT : WEIR_BLIND_NOT); /* on and off: once a slot */
        assert_int_equal(site.n_events, 2);
    }
    detector->now_us = NOW + 16 * SECOND;
    blind(WEIR_BLIND_SILENT);
    assert_int_equal(site.n_events, 3);
    assert_int_equal(site.events[2].recovered_us, 0);
    detector->now_us = NOW + 27 * SECOND;
    blind(WEIR_BLIND_NOT);
    detector->open_start_us = NOW + 90 * SECOND;
    detector->now_us = NOW + 91 * SECOND;
    detector->sound_run = WEIR_CAPTURE_RUN - 1;
    blind(WEIR_BLIND_NOT);
    assert_true(detector->capture_case.open);
    detector->sound_run = WEIR_CAPTURE_RUN;
    blind(WEIR_BLIND_NOT);
    assert_false(detector->capture_case.open);
    /* it came back in the window before the first whole one */
    assert_int_equal(site_last(&site, WEIR_INCIDENT_CLEARED)->recovered_us, NOW + 27 * SECOND);
}

/* Gone again before the next word is due: what is told of it at the run's end is not that it is
 * back. */
static void blind_again_as_the_run_ends(void **state) {
    blind(WEIR_BLIND_SILENT);
    detector->now_us += 5 * SECOND;
    blind(WEIR_BLIND_NOT);
    detector->now_us += SECOND;
    blind(WEIR_BLIND_SILENT);
    weir_detector_finish(detector, detector->now_us + SECOND);
    assert_int_equal(site.n_events, 3);
    assert_int_equal(site.events[2].recovered_us, 0);
}

/* Sight came back long before the windows were whole: then these say when it is well again. */
static void whole_long_after_it_came_back(void **state) {
    blind(WEIR_BLIND_SILENT);
    detector->now_us += 5 * SECOND;
    blind(WEIR_BLIND_NOT);
    detector->open_start_us = NOW + 120 * SECOND;
    detector->now_us = NOW + 120 * SECOND;
    detector->sound_run = WEIR_CAPTURE_RUN;
    blind(WEIR_BLIND_NOT);
    assert_int_equal(site_last(&site, WEIR_INCIDENT_CLEARED)->recovered_us, NOW + 60 * SECOND);
}

/* Windows that are lost in part: six in a row are an incident, since the first of them. */
static void windows_lost_in_part(void **state) {
    detector->frozen_run = WEIR_CAPTURE_RUN - 1;
    weir_judge(detector);
    assert_int_equal(site.n_events, 0);
    detector->frozen_run = WEIR_CAPTURE_RUN;
    weir_judge(detector);
    assert_int_equal(site.n_events, 1);
    assert_int_equal(site.events[0].onset_us, NOW - WEIR_CAPTURE_RUN * WEIR_SLOT_US);
    assert_int_equal(site.events[0].confidence, WEIR_CONFIDENCE_HIGH);
    assert_true(site.events[0].probability == 1);
}

/* ---- who goes away ---- */

static void a_client_that_is_gone(void **state) {
    struct weir_addr addr = site_client(9);
    struct weir_client *client = weir_keyed_get(&detector->clients, &addr, 0, 0, NOW);
    struct weir_case *incident = &detector->client_cases[WEIR_CLIENT_CASES - 1];
    const struct weir_case open = {.exists = true,
                                   .open = true,
                                   .subject = addr,
                                   .reraised_us = NOW - detector->config.clear_us,
                                   .evidence_us = NOW - detector->config.clear_us,
                                   .record = {.cause = WEIR_CAUSE_CLIENT,
                                              .trials = {.fail = 5, .total = 5},
                                              .onset_us = NOW - 200 * SECOND}};
    *incident = open;
    client->head.last_us = NOW - detector->config.silent_us;
    weir_judge(detector);
    assert_true(incident->open);
    client->head.last_us--;
    weir_judge(detector);
    assert_false(incident->open);
    client->head.last_us = NOW;
    *incident = open;
    client->ok_run = (uint32_t)detector->config.clear_ok - 1;
    weir_judge(detector);
    assert_true(incident->open);
    client->ok_run++;
    incident->evidence_us++;
    weir_judge(detector);
    assert_true(incident->open);
    incident->evidence_us--;
    weir_judge(detector);
    assert_false(incident->open);
    *incident = open;
    incident->subject = site_client(10); /* whom nobody remembers */
    weir_judge(detector);
    assert_false(incident->open);
}

static void a_resolver_that_is_gone(void **state) {
    struct weir_addr addr = site_prefix(53);
    struct weir_resolver *resolver = weir_keyed_get(&detector->resolvers, &addr, 0, 0, NOW);
    struct weir_case *incident = &detector->resolver_cases[WEIR_RESOLVER_CASES - 1];
    const struct weir_case open = {
        .exists = true,
        .open = true,
        .subject = addr,
        .reraised_us = NOW - detector->config.clear_us,
        .asked_us = NOW,
        .record = {.cause = WEIR_CAUSE_DNS_RESOLVER, .onset_us = NOW - 200 * SECOND}};
    *incident = open;
    resolver->head.last_us = NOW - detector->config.silent_us;
    weir_judge(detector);
    assert_true(incident->open);
    resolver->head.last_us--;
    weir_judge(detector);
    assert_false(incident->open);
    *incident = open;
    resolver->head.last_us = NOW;
    resolver->track.committed.ok_run = (uint32_t)detector->config.clear_ok;
    resolver->track.committed.hard.s = h / 4;
    weir_judge(detector);
    assert_true(incident->open);
    resolver->track.committed.hard.s -= 0.01;
    incident->reraised_us++;
    weir_judge(detector);
    assert_true(incident->open);
    incident->reraised_us--;
    weir_judge(detector);
    assert_false(incident->open);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(hard_failures),
        TEST(layers_together),
        TEST(a_prefix),
        TEST(quic_beside_tcp),
        TEST(slow_burns),
        TEST(connections_that_are_reset),
        TEST(delays_and_rates),
        TEST(rates_where_they_matter),
        TEST(nobody_asks),
        TEST(a_frozen_slot),
        TEST(asked_again),
        TEST(it_fades),
        TEST(on_and_off),
        TEST(what_watches_it_must_be_at_rest),
        TEST(another_layer_speaks),
        TEST(an_open_one_is_judged_again),
        TEST(blind_and_back),
        TEST(blind_again_as_the_run_ends),
        TEST(whole_long_after_it_came_back),
        TEST(windows_lost_in_part),
        TEST(a_client_that_is_gone),
        TEST(a_resolver_that_is_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
