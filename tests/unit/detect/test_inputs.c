/* What the detector takes in, and what it makes of it before anything is judged: windows, ends of
 * connections, demand, trials by what they speak for, clients' links. */
#undef NDEBUG
#include <errno.h>
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

static int begin(void **state) {
    site_begin(&site);
    detector = site.detector;
    detector->now_us = detector->open_start_us = NOW;
    netflix = &detector->services[NETFLIX];
    return 0;
}

static int end(void **state) {
    site_end(&site);
    return 0;
}

/* ---- made ---- */

static int made(const struct weir_detect_config *config, size_t n_services) {
    static const char *const names[WEIR_SERVICES_MAX + 1] = {"none", "other"};
    struct weir_detector *one = NULL;
    int error = weir_detector_new(&one, config, names, n_services, NULL, NULL);
    if (error == 0)
        assert_string_equal(one->services[n_services - 1].name, n_services == 2 ? "other" : "?");
    weir_detector_free(one);
    return error;
}

static void what_makes_no_detector(void **state) {
    struct weir_detect_config good, config;
    weir_detect_config_default(&good);
    assert_int_equal(made(&good, 1), -EINVAL);
    assert_int_equal(made(&good, WEIR_SERVICE_FIRST), 0);
    assert_int_equal(made(&good, WEIR_SERVICES_MAX), 0);
    assert_int_equal(made(&good, WEIR_SERVICES_MAX + 1), -EINVAL);
    config = good, config.p1 = config.p0;
    assert_int_equal(made(&config, 5), -EINVAL);
    config = good, config.p1_slow = config.p0;
    assert_int_equal(made(&config, 5), -EINVAL);
    config = good, config.ends_p1 = config.ends_p0;
    assert_int_equal(made(&config, 5), -EINVAL);
}

/* ---- windows ---- */

static void window(double drop_share, double one_way_share) {
    struct weir_detect_window one = {
        .start_us = NOW, .drop_share = drop_share, .one_way_share = one_way_share};
    weir_detector_window(detector, &one);
}

static void windows_that_cannot_be_judged(void **state) {
    const struct weir_detect_config *config = &detector->config;
    window(config->drop_share, config->one_way_share);
    assert_int_equal(detector->sound_run, 1);
    assert_int_equal(detector->frozen_run, 0);
    assert_int_equal(detector->n_frozen, 0);
    window(0, config->one_way_share + 0.01);
    assert_int_equal(detector->frozen_run, 1);
    assert_int_equal(detector->sound_run, 0);
    assert_int_equal(detector->n_frozen, 1);
    window(0, 0); /* the slot was frozen meanwhile */
    assert_int_equal(detector->frozen_run, 2);
    detector->frozen[0] = 0;
    window(0, 0);
    assert_int_equal(detector->sound_run, 1);
    window(config->drop_share + 0.001, 0);
    assert_int_equal(detector->frozen_run, 1);
    assert_true(detector->blind.drop_share == config->drop_share + 0.001);
}

/* The ring of slots that are not judged: each once, 64 of them. */
static void frozen_slots(void **state) {
    weir_detector_freeze(detector, NOW);
    weir_detector_freeze(detector, NOW);
    assert_int_equal(detector->n_frozen, 1);
    for (int i = 1; i <= WEIR_FROZEN; i++) weir_detector_freeze(detector, NOW + i * WEIR_SLOT_US);
    assert_int_equal(detector->n_frozen, WEIR_FROZEN + 1);
    struct weir_trial trial = {.service = NETFLIX, .layer = WEIR_LAYER_CONNECT, .ok = true};
    for (int i = 0; i <= WEIR_FROZEN; i++) {
        struct weir_slot slot = {NOW + i * WEIR_SLOT_US, &trial, 1};
        trial.ok_us = slot.start_us + SECOND;
        weir_detector_slot(detector, &slot, true);
        assert_int_equal(detector->stats.trials, i + 1);
        assert_int_equal(detector->stats.trials_frozen, i); /* the first was forgotten */
    }
}

static void delays_of_a_window(void **state) {
    struct weir_detect_service_window row = {
        .service = NETFLIX, .loss_beyond = -1, .loss_before = -1};
    struct weir_detect_window one = {.start_us = NOW, .services = &row, .n_services = 1};
    row.value[WEIR_CONTINUOUS_GOODPUT].value = row.value[WEIR_CONTINUOUS_TTFB].value = 1000;
    row.value[WEIR_CONTINUOUS_GOODPUT].samples = 5;
    row.value[WEIR_CONTINUOUS_TTFB].samples = 4; /* too few to speak by themselves */
    weir_detector_window(detector, &one);
    assert_int_equal(netflix->continuous.signals[WEIR_CONTINUOUS_GOODPUT]->n, 1);
    assert_int_equal(netflix->continuous.signals[WEIR_CONTINUOUS_TTFB]->n, 0);
    assert_null(netflix->continuous.signals[WEIR_CONTINUOUS_RTT_SERVER]);
    assert_true(netflix->continuous.loss_beyond < 0 && netflix->continuous.loss_us == 0);
    row.loss_before = 0;
    weir_detector_window(detector, &one);
    assert_int_equal(netflix->continuous.loss_us, NOW);
    assert_true(netflix->continuous.loss_before == 0);
    row.service = N_SITE_SERVICES; /* none of ours */
    weir_detector_window(detector, &one);
}

/* ---- ends of connections ---- */

static void ended(bool reset) {
    struct weir_connection_end one = {.service = NETFLIX, .rst_mid = reset, .ts_us = NOW};
    weir_detector_connection_end(detector, &one);
}

static void ends_of_connections(void **state) {
    ended(true);
    double step = netflix->ends.cusum.s;
    assert_true(step > 0);
    assert_int_equal(netflix->ends.resets, 1);
    assert_int_equal(netflix->ends.last_reset_us, NOW);
    ended(false);
    assert_int_equal(netflix->ends.clean_run, 1);
    assert_int_equal(netflix->ends.resets, 1);
    while (netflix->ends.cusum.s > 0) ended(false);
    assert_int_equal(netflix->ends.resets, 0); /* those were by chance */
    assert_true(netflix->ends.clean_run > 20);
    while (netflix->ends.cusum.s + step < detector->config.ends_h) ended(true);
    assert_false(netflix->ends.alarm);
    assert_int_equal(netflix->ends.clean_run, 0);
    ended(true);
    assert_true(netflix->ends.alarm);
    for (int i = 0; i < 20; i++) ended(true);
    assert_true(netflix->ends.cusum.s == 2 * detector->config.ends_h); /* no more is kept */
    while (netflix->ends.cusum.s >= detector->config.ends_h / 4) {
        assert_true(netflix->ends.alarm);
        ended(false);
    }
    assert_false(netflix->ends.alarm);
    uint64_t n = detector->history.n;
    struct weir_item item = weir_history_item(&detector->history, n - 1);
    assert_int_equal(item.layer, WEIR_STREAM_ENDS);
    assert_int_equal(item.flags, WEIR_ITEM_OK | WEIR_ITEM_SCORED);
    ended(true);
    item = weir_history_item(&detector->history, n);
    assert_int_equal(item.flags, WEIR_ITEM_FAIL | WEIR_ITEM_SCORED);
    assert_int_equal(item.kind, WEIR_OUTCOME_RST_MID);
    weir_detector_freeze(detector, NOW);
    ended(true); /* what a blind capture says of it is nothing */
    assert_int_equal(detector->history.n, n + 1);
}

/* ---- demand ---- */

static void demand(weir_service_id id, uint32_t open, uint32_t overdue, uint32_t clients_overdue,
                   uint32_t clients_open, uint32_t clients_starved) {
    struct weir_demand one = {.service = id,
                              .open = open,
                              .overdue = overdue,
                              .clients_overdue = clients_overdue,
                              .clients_open = clients_open,
                              .clients_starved = clients_starved};
    weir_detector_demand(detector, &one);
}

/* A total freeze: every open request hangs, two of them, or of two clients. */
static void all_requests_hang(void **state) {
    demand(NETFLIX, 2, 1, 1, 2, 1);
    demand(NETFLIX, 1, 1, 1, 1, 1);
    demand(NETFLIX, 0, 0, 2, 0, 0);
    assert_int_equal(netflix->hang_slot_us[0], 0);
    demand(NETFLIX, 2, 2, 1, 1, 1);
    assert_int_equal(netflix->hang_slot_us[0], NOW);
    demand(NETFLIX, 2, 2, 2, 1, 1);
    assert_int_equal(netflix->hang_slot_us[1], 0); /* the same slot */
    detector->open_start_us += WEIR_SLOT_US;
    demand(NETFLIX, 1, 1, 2, 1, 1);
    assert_int_equal(netflix->hang_slot_us[0], NOW + WEIR_SLOT_US);
    assert_int_equal(netflix->hang_slot_us[1], NOW);
    demand(N_SITE_SERVICES, 2, 2, 2, 2, 2);
    demand(WEIR_SERVICE_OTHER, 2, 2, 2, 2, 2);
    assert_int_equal(detector->services[WEIR_SERVICE_OTHER].hang_slot_us[0], 0);
}

static void who_starves(void **state) {
    demand(NETFLIX, 0, 0, 0, 0, 0);
    assert_true(netflix->starved_slot_us == 0 && netflix->demand_slot_us == 0);
    demand(NETFLIX, 3, 0, 0, 3, 3);
    assert_true(netflix->starved_slot_us == NOW && netflix->demand_slot_us == 0);
    assert_true(netflix->starved_since_us == NOW);
    detector->now_us = NOW + 1;
    demand(NETFLIX, 3, 0, 0, 3, 3); /* it goes on */
    assert_true(netflix->starved_since_us == NOW);
    netflix->starved_slot_us = NOW - 2 * WEIR_SLOT_US;
    demand(NETFLIX, 3, 0, 0, 3, 3); /* a slot without it lies between */
    assert_true(netflix->starved_since_us == NOW + 1);
    detector->open_start_us++;
    demand(NETFLIX, 3, 0, 0, 3, 2); /* one is served well */
    assert_true(netflix->starved_slot_us == NOW && netflix->demand_slot_us == NOW + 1);
}

static bool is_congested(void) {
    detector->congested_us = detector->together_us = 0;
    weir_detector_step(detector, NOW);
    assert_true(!detector->together_us || detector->congested_us);
    return detector->congested_us == NOW;
}

/* Two services and more starve, and none has what it needs; on a full link the more starve. */
static void services_starve_together(void **state) {
    struct weir_service_state *youtube = &detector->services[YOUTUBE],
                              *hulu = &detector->services[HULU];
    assert_false(is_congested());
    netflix->starved_slot_us = NOW - WEIR_SLOT_US;
    assert_false(is_congested());
    youtube->starved_slot_us = NOW - WEIR_SLOT_US;
    assert_true(is_congested());
    assert_int_equal(detector->together_us, NOW);
    youtube->starved_slot_us--; /* two slots ago */
    assert_false(is_congested());
    youtube->starved_slot_us = NOW;
    hulu->demand_slot_us = NOW - WEIR_SLOT_US;
    assert_false(is_congested());
    hulu->demand_slot_us--;
    assert_true(is_congested());
    hulu->demand_slot_us = NOW;
    weir_downlink_of(detector)->full_us = NOW;
    assert_true(is_congested());
    assert_int_equal(detector->together_us, 0);
    detector->services[TWITCH].demand_slot_us = NOW;
    assert_false(is_congested()); /* as many are served as starve */
}

static struct weir_baseline *delay(weir_service_id id, enum weir_against_least against) {
    struct weir_continuous_state *seen = &detector->services[id].continuous;
    if (!seen->signals[WEIR_CONTINUOUS_RTT_SERVER])
        seen->signals[WEIR_CONTINUOUS_RTT_SERVER] = calloc(1, sizeof(struct weir_baseline));
    struct weir_baseline *far = seen->signals[WEIR_CONTINUOUS_RTT_SERVER];
    far->against_least = against;
    far->unseen_us = against == WEIR_ABOVE_LEAST ? NOW : 0;
    far->last_us = NOW - 2 * WEIR_SLOT_US;
    return far;
}

/* A queue is shared where more of the others wait in it than do not. */
static void a_queue_that_is_shared(void **state) {
    assert_false(weir_queue_is_shared(detector, NETFLIX));
    delay(YOUTUBE, WEIR_ABOVE_LEAST);
    assert_true(weir_queue_is_shared(detector, NETFLIX));
    delay(NETFLIX, WEIR_ABOVE_LEAST);
    assert_true(weir_queue_is_shared(detector, NETFLIX));
    delay(NETFLIX, WEIR_NEAR_LEAST); /* it does not wait itself */
    assert_false(weir_queue_is_shared(detector, NETFLIX));
    delay(NETFLIX, WEIR_LEAST_UNKNOWN);
    delay(WEIR_SERVICE_OTHER, WEIR_NEAR_LEAST);
    assert_false(weir_queue_is_shared(detector, NETFLIX));
    delay(TWITCH, WEIR_ABOVE_LEAST);
    assert_true(weir_queue_is_shared(detector, NETFLIX));
    delay(TWITCH, WEIR_ABOVE_LEAST)->last_us--; /* of a while ago */
    assert_false(weir_queue_is_shared(detector, NETFLIX));
    delay(WEIR_SERVICE_OTHER, WEIR_LEAST_UNKNOWN);
    netflix->starved_slot_us = NOW; /* then one that starves is enough */
    assert_true(is_congested());
}

/* Far servers were asked before: that others are far above their least is a queue only where this
 * service waits, too. */
static void a_delay_that_was_seen_before(void **state) {
    delay(YOUTUBE, WEIR_ABOVE_LEAST)->unseen_us = 0;
    assert_false(weir_queue_is_shared(detector, NETFLIX));
    delay(NETFLIX, WEIR_ABOVE_LEAST)->unseen_us = 0;
    assert_true(weir_queue_is_shared(detector, NETFLIX));
}

/* Two services starve, and packets pass as fast as ever in a window in which they starved. */
static void a_way_out_that_is_free(void **state) {
    struct weir_service_state *youtube = &detector->services[YOUTUBE];
    netflix->starved_slot_us = youtube->starved_slot_us = NOW;
    netflix->starved_since_us = NOW - 2 * WEIR_SLOT_US;
    assert_true(is_congested());
    delay(NETFLIX, WEIR_NEAR_LEAST);
    assert_false(is_congested());
    netflix->starved_since_us++; /* it began to starve within that window */
    assert_true(is_congested());
    netflix->starved_since_us--;
    delay(HULU, WEIR_ABOVE_LEAST); /* somebody waits */
    assert_true(is_congested());
    delay(HULU, WEIR_LEAST_UNKNOWN);
    assert_false(is_congested());
    for (int i = 2; i > 0; i--) { /* both lose what was sent to them */
        struct weir_detect_service_window services[2] = {
            {.service = NETFLIX, .loss_before = 0.1, .segments_down = 1000},
            {.service = YOUTUBE, .loss_before = 0.1, .segments_down = 1000}};
        weir_detector_window(detector,
                             &(struct weir_detect_window){.start_us = NOW - i * WEIR_SLOT_US,
                                                          .services = services,
                                                          .n_services = 2});
    }
    netflix->starved_slot_us = youtube->starved_slot_us = NOW;
    assert_true(weir_way_out_loses(detector));
    assert_true(is_congested());
}

static void packets_that_come(void **state) {
    uint64_t asking[WEIR_SERVICES_MAX / 64] = {0};
    asking[0] = 1u << NETFLIX;
    asking[WEIR_SERVICES_MAX / 64 - 1] |= UINT64_C(1) << 63;
    weir_detector_traffic(detector, NOW, false, asking);
    assert_int_equal(detector->heard_us, 0);
    asking[0] = 1u << YOUTUBE;
    weir_detector_traffic(detector, NOW, false, asking);
    assert_int_equal(detector->asking[0], 1u << NETFLIX | 1u << YOUTUBE);
    assert_true(detector->asking[WEIR_SERVICES_MAX / 64 - 1] >> 63);
    weir_detector_traffic(detector, NOW + 1, true, asking);
    assert_int_equal(detector->heard_us, NOW + 1);
    assert_int_equal(detector->asking[0], 0);
}

/* ---- how many are here ---- */

/* h rises with the clients at once in the beginning, and falls only when they stay away. */
static void evidence_by_number_of_clients(void **state) {
    const struct weir_detect_config *config = &detector->config;
    int64_t medium = config->medium_clients, n = 0;
    detector->first_us = 0;
    for (; n < medium; n++) {
        struct weir_addr client = site_client((unsigned)n);
        weir_keyed_get(&detector->active, &client, 0, 0, NOW);
    }
    weir_detector_step(detector, NOW);
    assert_int_equal(detector->n_active, medium);
    assert_int_equal(detector->h_level, 0);
    struct weir_addr client = site_client((unsigned)n);
    weir_keyed_get(&detector->active, &client, 0, 0, NOW);
    weir_detector_step(detector, NOW + 9 * SECOND); /* counted once a slot */
    assert_int_equal(detector->n_active, medium);
    weir_detector_step(detector, NOW + 10 * SECOND);
    assert_int_equal(detector->n_active, medium + 1);
    assert_int_equal(detector->h_level, 1);
    assert_true(detector->rule.h == config->h_medium);
    /* nobody since: they are active for ten minutes, and h stays for ten more */
    int64_t at_us = NOW + config->active_us;
    weir_detector_step(detector, at_us);
    assert_int_equal(detector->n_active, medium + 1);
    weir_detector_step(detector, at_us + 60 * SECOND);
    assert_int_equal(detector->n_active, 0);
    assert_int_equal(detector->h_level, 1);
    weir_detector_step(detector, at_us + 60 * SECOND + config->active_us - SECOND);
    weir_detector_step(detector, at_us + 120 * SECOND + config->active_us);
    assert_int_equal(detector->h_level, 0);
    assert_true(detector->rule.h == config->h_small);
}

/* ---- states ---- */

static void states_of_a_service(void **state) {
    const struct weir_detect_config *config = &detector->config;
    double h = detector->rule.h;
#define STATE() weir_detector_state(detector, NETFLIX)
    netflix->last_us = NOW;
    netflix->layer[WEIR_LAYER_DNS].useful = 99; /* lookups alone are no health */
    assert_int_equal(STATE(), WEIR_STATE_UNKNOWN);
    netflix->layer[WEIR_LAYER_CONNECT].useful = netflix->layer[WEIR_LAYER_QUIC].useful = 1;
    assert_int_equal(STATE(), WEIR_STATE_UNKNOWN);
    netflix->layer[WEIR_LAYER_SERVE].useful = (uint32_t)config->guard_useful - 2;
    assert_int_equal(STATE(), WEIR_STATE_HEALTHY);
    netflix->last_us = NOW - config->silent_us;
    assert_int_equal(STATE(), WEIR_STATE_HEALTHY);
    netflix->last_us--;
    assert_int_equal(STATE(), WEIR_STATE_UNKNOWN);
    netflix->last_us = NOW;
    netflix->layer[WEIR_LAYER_DNS].committed.hard.s = h / 2;
    assert_int_equal(STATE(), WEIR_STATE_SUSPECT);
    netflix->layer[WEIR_LAYER_DNS].committed.hard.s = h / 2 - 0.01;
    assert_int_equal(STATE(), WEIR_STATE_HEALTHY);
    detector->uplink_case.open = true;
    detector->uplink_case.record.state = WEIR_STATE_DOWN;
    assert_int_equal(STATE(), WEIR_STATE_DOWN);
    netflix->ok_run = 1; /* this one gets through */
    assert_int_equal(STATE(), WEIR_STATE_HEALTHY);
    netflix->incident.open = true;
    netflix->incident.record.state = WEIR_STATE_PARTIAL;
    netflix->incident.record.layer = WEIR_LAYER_SERVE;
    netflix->ok_run = 2;
    assert_int_equal(STATE(), WEIR_STATE_PARTIAL);
    netflix->ok_run = 3;
    assert_int_equal(STATE(), WEIR_STATE_RECOVERING);
    netflix->layer[WEIR_LAYER_SERVE].committed.slow_alarm = true;
    assert_int_equal(STATE(), WEIR_STATE_PARTIAL);
    netflix->layer[WEIR_LAYER_SERVE].committed.slow_alarm = false;
    netflix->layer[WEIR_LAYER_CONNECT].committed.hard.s = h / 2;
    assert_int_equal(STATE(), WEIR_STATE_PARTIAL);
    netflix->layer[WEIR_LAYER_CONNECT].committed.hard.s = 0;
    netflix->incident.record.state = WEIR_STATE_DEGRADED; /* slow answers are useful, too */
    assert_int_equal(STATE(), WEIR_STATE_DEGRADED);
    detector->capture_case.open = true;
    assert_int_equal(STATE(), WEIR_STATE_UNKNOWN);
    detector->capture_case.open = false;
    assert_int_equal(weir_detector_state(detector, WEIR_SERVICE_OTHER), WEIR_STATE_UNKNOWN);
    assert_int_equal(weir_detector_state(detector, N_SITE_SERVICES), WEIR_STATE_UNKNOWN);
}

static void count_one(void *context, const struct weir_incident *incident) {
    *(unsigned *)context += 1u << incident->cause;
}

/* All that is open is visited, and reported once more. */
static void all_that_is_open(void **state) {
    struct weir_case *cases[] = {&detector->capture_case, &detector->uplink_case,
                                 &detector->resolver_cases[WEIR_RESOLVER_CASES - 1],
                                 &detector->client_cases[WEIR_CLIENT_CASES - 1],
                                 &detector->services[N_SITE_SERVICES - 1].incident};
    static const uint8_t causes[] = {WEIR_CAUSE_CAPTURE, WEIR_CAUSE_UPLINK, WEIR_CAUSE_DNS_RESOLVER,
                                     WEIR_CAUSE_CLIENT, WEIR_CAUSE_SERVICE};
    unsigned seen = 0, want = 0;
    for (int i = 0; i < 5; i++) {
        cases[i]->open = cases[i]->exists = true;
        cases[i]->record.cause = causes[i];
        want += 1u << causes[i];
    }
    weir_detector_open(detector, count_one, &seen);
    assert_int_equal(seen, want);
    weir_detector_finish(detector, NOW + 5);
    assert_int_equal(site.n_events, 5);
    assert_int_equal(site_count(&site, WEIR_INCIDENT_UPDATED), 5);
    assert_int_equal(site.events[0].ts_us, NOW + 5);
}

/* ---- trials ---- */

static void slot_of(const struct weir_trial *trials, size_t n) {
    struct weir_slot slot = {.start_us = NOW, .trials = trials, .n_trials = n};
    weir_detector_slot(detector, &slot, true);
}

static void senseless_trials_are_left_out(void **state) {
    const struct weir_trial good = {.client = site_client(1),
                                    .prefix = site_prefix(1),
                                    .service = NETFLIX,
                                    .layer = WEIR_LAYER_SERVE,
                                    .kind = WEIR_OUTCOME_USEFUL,
                                    .ok = true,
                                    .ok_us = NOW + 1};
    struct weir_trial trials[6];
    for (int i = 0; i < 6; i++) trials[i] = good;
    trials[1].service = WEIR_SERVICE_NONE;
    trials[2].service = N_SITE_SERVICES;
    trials[3].layer = WEIR_LAYER_N;
    trials[4].kind = WEIR_OUTCOME_N;
    trials[5].ok = false;
    slot_of(trials, 6);
    assert_int_equal(detector->history.n, 1);
    assert_int_equal(detector->stats.trials, 6);
    assert_int_equal(netflix->ok_slot_us[WEIR_LAYER_SERVE], NOW);
    assert_int_equal(netflix->last_us, NOW + 1);
}

/* What never worked here is not scored: three useful trials are asked. */
static void guards(void **state) {
    struct weir_trial trial = {.client = site_client(1),
                               .prefix = site_prefix(1),
                               .service = NETFLIX,
                               .layer = WEIR_LAYER_SERVE};
    for (int useful = 0; useful <= 3; useful++) {
        trial.ok = false, trial.fail = true, trial.fail_us = NOW + SECOND;
        trial.kind = WEIR_OUTCOME_REQUEST_TIMEOUT;
        uint64_t unscored = detector->stats.trials_unscored;
        slot_of(&trial, 1);
        bool scored = detector->stats.trials_unscored == unscored;
        assert_int_equal(scored, useful == 3);
        assert_int_equal(netflix->layer[WEIR_LAYER_SERVE].committed.hard.s > 0, scored);
        trial.ok = true, trial.fail = false, trial.ok_us = NOW + 2 * SECOND;
        trial.kind = WEIR_OUTCOME_USEFUL;
        netflix->layer[WEIR_LAYER_SERVE].committed = (struct weir_track_state){0};
        slot_of(&trial, 1);
        assert_int_equal(netflix->layer[WEIR_LAYER_SERVE].useful, useful + 1);
        assert_int_equal(netflix->ok_run, scored ? 1 : useful + 1);
    }
    trial.ok = false, trial.fail = true, trial.layer = WEIR_LAYER_QUIC;
    uint64_t unscored = detector->stats.trials_unscored;
    slot_of(&trial, 1); /* of each layer by itself */
    assert_int_equal(detector->stats.trials_unscored, unscored + 1);
    trial.layer = WEIR_LAYER_CONNECT; /* whoever was served has connected */
    slot_of(&trial, 1);
    assert_int_equal(detector->stats.trials_unscored, unscored + 1);
    assert_int_equal(netflix->ok_run, 0);
}

/* The onset is when the first failing attempt began, unless that is absurd. */
static void when_it_began(void **state) {
    static const struct {
        int64_t first_us, began_us;
    } cases[] = {{NOW + SECOND - 60 * SECOND, NOW + SECOND - 60 * SECOND},
                 {NOW + SECOND - 60 * SECOND - 1, NOW + SECOND},
                 {NOW + SECOND, NOW + SECOND},
                 {NOW + SECOND + 1, NOW + SECOND},
                 {0, NOW + SECOND}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        end(state);
        begin(state);
        netflix->layer[WEIR_LAYER_SERVE].useful = 3;
        struct weir_trial trial = {.client = site_client(1),
                                   .prefix = site_prefix(1),
                                   .service = NETFLIX,
                                   .layer = WEIR_LAYER_SERVE,
                                   .kind = WEIR_OUTCOME_REQUEST_TIMEOUT,
                                   .fail = true,
                                   .fail_us = NOW + SECOND,
                                   .first_us = cases[i].first_us};
        slot_of(&trial, 1);
        assert_int_equal(netflix->layer[WEIR_LAYER_SERVE].committed.hard.began_us,
                         cases[i].began_us);
        assert_int_equal(netflix->layer[WEIR_LAYER_SERVE].committed.hard.onset_us, NOW + SECOND);
    }
}

/* Thin or late while several services are: evidence of what they have in common. */
static void trials_of_congestion(void **state) {
    static const struct {
        int64_t after_us; /* they were thin together */
        uint8_t kind;
        bool counts;
    } cases[] = {{2 * WEIR_SLOT_US, WEIR_OUTCOME_STARVED, true},
                 {2 * WEIR_SLOT_US, WEIR_OUTCOME_REQUEST_TIMEOUT, true},
                 {2 * WEIR_SLOT_US, WEIR_OUTCOME_RST_MID, false},
                 {2 * WEIR_SLOT_US + 1, WEIR_OUTCOME_STARVED, false},
                 {NOW + SECOND, WEIR_OUTCOME_STARVED, false} /* never */};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        end(state);
        begin(state);
        netflix->layer[WEIR_LAYER_SERVE].useful = 3;
        detector->together_us = NOW + SECOND - cases[i].after_us;
        struct weir_trial trial = {.client = site_client(1),
                                   .prefix = site_prefix(1),
                                   .service = NETFLIX,
                                   .layer = WEIR_LAYER_SERVE,
                                   .kind = cases[i].kind,
                                   .fail = true,
                                   .fail_us = NOW + SECOND};
        slot_of(&trial, 1);
        assert_int_equal(detector->congestion.committed.hard.s > 0, cases[i].counts);
    }
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(what_makes_no_detector),
        TEST(windows_that_cannot_be_judged),
        TEST(frozen_slots),
        TEST(delays_of_a_window),
        TEST(ends_of_connections),
        TEST(all_requests_hang),
        TEST(who_starves),
        TEST(services_starve_together),
        TEST(a_queue_that_is_shared),
        TEST(a_delay_that_was_seen_before),
        TEST(a_way_out_that_is_free),
        TEST(packets_that_come),
        TEST(evidence_by_number_of_clients),
        TEST(states_of_a_service),
        TEST(all_that_is_open),
        TEST(senseless_trials_are_left_out),
        TEST(guards),
        TEST(when_it_began),
        TEST(trials_of_congestion),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
