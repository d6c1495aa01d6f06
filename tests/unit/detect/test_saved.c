/* What a restart keeps: all that was learned and all that is open; and what it puts right, when the
 * bytes are of other services or hold what is no number. */
#undef NDEBUG
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "site.h"

static struct site site;
static struct weir_detector *before, *after;
static struct weir_detect_config config;
static const char *const names[N_SITE_SERVICES] = {"none",    "other", "netflix",
                                                   "youtube", "hulu",  "twitch"};

static int begin(void **state) {
    weir_detect_config_default(&config);
    config.max_clients = config.max_prefixes = config.max_destinations = 256;
    config.max_resolvers = 64;
    config.max_history = 16384;
    site_begin_with(&site, &config);
    before = site.detector;
    after = NULL;
    return 0;
}

static int end(void **state) {
    site_end(&site);
    weir_detector_free(after);
    return 0;
}

static void restart_with(const char *const *now, size_t n_now) {
    uint8_t *bytes;
    size_t n;
    weir_detector_free(after);
    assert_int_equal(weir_detector_save(before, &bytes, &n), 0);
    assert_int_equal(weir_detector_new(&after, &config, now, n_now, NULL, NULL), 0);
    assert_int_equal(weir_detector_restore(after, bytes, n), 0);
    free(bytes);
}

static void restart(void) { restart_with(names, N_SITE_SERVICES); }

static struct weir_track track_of(double s) {
    struct weir_track track = {.useful = 77};
    track.committed = (struct weir_track_state){.hard_alarm = true,
                                                .slow_alarm = true,
                                                .ok_run = 3,
                                                .slow_mixed = 4,
                                                .slow_pure = 5,
                                                .last_us = T0,
                                                .last_fail_us = T0 - 1,
                                                .n_ok = 100,
                                                .n_fail = 7};
    track.committed.hard.s = s;
    track.committed.hard.arm[WEIR_ARMS - 1].r = 9;
    track.committed.slow.s = s + 1;
    track.committed.hard_sprt.llr = -0.5;
    return track;
}

static void assert_track(const struct weir_track *track, double s) {
    struct weir_track want = track_of(s);
    assert_memory_equal(&track->committed, &want.committed, sizeof want.committed);
    assert_memory_equal(&track->open, &want.committed, sizeof want.committed);
    assert_int_equal(track->useful, 77);
    assert_int_equal(track->generation, 0); /* what is open is not saved */
}

static struct weir_case case_of(enum weir_cause cause, weir_service_id service, unsigned number) {
    struct weir_case one = {.subject = site_client(number),
                            .exists = true,
                            .open = true,
                            .evidence_us = T0 + number,
                            .record = {.cause = (uint8_t)cause,
                                       .service = service,
                                       .state = WEIR_STATE_DOWN,
                                       .event = WEIR_INCIDENT_UPDATED}};
    snprintf(one.record.id, sizeof one.record.id, "case-%u", number);
    return one;
}

static void assert_case(const struct weir_case *one, enum weir_cause cause, unsigned number) {
    struct weir_case want = case_of(cause, one->record.service, number);
    assert_memory_equal(one, &want, sizeof want);
}

static struct weir_silence *silence_of(struct weir_detector *detector, weir_service_id id) {
    return weir_watch_memory(detector, id, WEIR_WATCH_silence);
}

static void services_are_kept(void **state) {
    for (weir_service_id id = WEIR_SERVICE_OTHER; id < N_SITE_SERVICES; id++) {
        struct weir_service_state *service = &before->services[id];
        for (int layer = 0; layer < WEIR_LAYER_N; layer++)
            service->layer[layer] = track_of(id * 10 + layer);
        service->quic_blocked = track_of(id * 10 + 9);
        service->ends = (struct weir_ends){
            .cusum = {.s = id}, .resets = 3, .clean_run = 4, .last_reset_us = T0, .alarm = true};
        for (int signal = 0; signal < WEIR_CONTINUOUS_N; signal++) {
            service->continuous.signals[signal] =
                calloc(1, sizeof *service->continuous.signals[signal]);
            service->continuous.signals[signal]->s = id * 10 + signal;
            service->continuous.signals[signal]->n = 500;
        }
        silence_of(before, id)->n_hour[WEIR_HOURS - 1] = id;
        service->last_us = T0 + id;
        service->ok_run = id + 20u;
        if (id >= WEIR_SERVICE_FIRST) service->incident = case_of(WEIR_CAUSE_SERVICE, id, id);
    }
    restart();
    for (weir_service_id id = WEIR_SERVICE_OTHER; id < N_SITE_SERVICES; id++) {
        const struct weir_service_state *service = &after->services[id];
        for (int layer = 0; layer < WEIR_LAYER_N; layer++)
            assert_track(&service->layer[layer], id * 10 + layer);
        assert_track(&service->quic_blocked, id * 10 + 9);
        assert_memory_equal(&service->ends, &before->services[id].ends, sizeof service->ends);
        for (int signal = 0; signal < WEIR_CONTINUOUS_N; signal++)
            assert_memory_equal(service->continuous.signals[signal],
                                before->services[id].continuous.signals[signal],
                                sizeof(struct weir_baseline));
        assert_int_equal(silence_of(after, id)->n_hour[WEIR_HOURS - 1], id);
        assert_int_equal(service->last_us, T0 + id);
        assert_int_equal(service->ok_run, id + 20u);
        if (id >= WEIR_SERVICE_FIRST) assert_case(&service->incident, WEIR_CAUSE_SERVICE, id);
    }
}

/* Only what was learned: what was never seen takes no memory afterwards. */
static void what_was_never_seen_is_not_made(void **state) {
    restart();
    assert_null(weir_watch_recall(after, NETFLIX, WEIR_WATCH_silence));
    for (int signal = 0; signal < WEIR_CONTINUOUS_N; signal++)
        assert_null(after->services[NETFLIX].continuous.signals[signal]);
    assert_false(after->uplink_case.exists);
}

static void the_site_is_kept(void **state) {
    before->uplink = track_of(5);
    before->uplink_case = case_of(WEIR_CAUSE_UPLINK, WEIR_SERVICE_NONE, 1000);
    before->capture_case = case_of(WEIR_CAUSE_CAPTURE, WEIR_SERVICE_NONE, 1001);
    before->blind.sight.blindness = WEIR_BLIND_LINK_DOWN;
    strcpy(before->blind.sight.where, "eth7");
    for (unsigned i = 0; i < WEIR_CLIENT_CASES; i++)
        before->client_cases[i] = case_of(WEIR_CAUSE_CLIENT, WEIR_SERVICE_NONE, i);
    for (unsigned i = 0; i < WEIR_RESOLVER_CASES; i++)
        before->resolver_cases[i] = case_of(WEIR_CAUSE_DNS_RESOLVER, WEIR_SERVICE_NONE, 100 + i);
    for (int i = 0; i < 500; i++) weir_downlink_take(weir_downlink_of(before), 1e6 + i, T0);
    before->now_us = T0 + 1, before->first_us = T0 + 2, before->uplink_ok_us = T0 + 3;
    before->n_known = 4, before->n_active = 5, before->h_level = 2;
    restart();
    assert_track(&after->uplink, 5);
    assert_case(&after->uplink_case, WEIR_CAUSE_UPLINK, 1000);
    assert_case(&after->capture_case, WEIR_CAUSE_CAPTURE, 1001);
    assert_memory_equal(&after->blind, &before->blind, sizeof after->blind);
    for (unsigned i = 0; i < WEIR_CLIENT_CASES; i++)
        assert_case(&after->client_cases[i], WEIR_CAUSE_CLIENT, i);
    for (unsigned i = 0; i < WEIR_RESOLVER_CASES; i++)
        assert_case(&after->resolver_cases[i], WEIR_CAUSE_DNS_RESOLVER, 100 + i);
    assert_memory_equal(weir_downlink_of(after), weir_downlink_of(before),
                        sizeof(struct weir_downlink));
    assert_int_equal(after->now_us, T0 + 1);
    assert_int_equal(after->first_us, T0 + 2);
    assert_int_equal(after->uplink_ok_us, T0 + 3);
    assert_int_equal(after->n_known, 4);
    assert_int_equal(after->n_active, 5);
    assert_int_equal(after->h_level, 2);
    before->h_level = 3;
    before->blind.sight.blindness = 77;
    restart();
    assert_int_equal(after->h_level, 0);
    assert_int_equal(after->blind.sight.blindness, WEIR_BLIND_NOT);
}

static void fill_tables(void) {
    struct weir_addr addr = site_client(1);
    struct weir_client *client = weir_keyed_get(&before->clients, &addr, 0, 0, T0);
    for (int i = 0; i < WEIR_NOTES; i++)
        client->notes[i] = (struct weir_note){.prefix = site_prefix((unsigned)i),
                                              .at_us = T0 + i,
                                              .fail_us = T0 - i,
                                              .service = i % 2 ? NETFLIX : TWITCH,
                                              .ok = i % 3 == 0};
    client->ok_run = 12;
    weir_keyed_get(&before->active, &addr, 0, 0, T0 + 9);
    addr = site_prefix(3);
    struct weir_destination *destination = weir_keyed_get(&before->destinations, &addr, 0, 0, T0);
    destination->services[0] = 1u << NETFLIX | 1u << TWITCH;
    destination->useful = 5;
    for (weir_service_id id = NETFLIX; id <= TWITCH; id += TWITCH - NETFLIX)
        ((struct weir_prefix *)weir_keyed_get(&before->prefixes, &addr, id, WEIR_LAYER_SERVE, T0))
            ->track = track_of(6);
    addr = site_prefix(53);
    struct weir_resolver *resolver = weir_keyed_get(&before->resolvers, &addr, 0, 0, T0 + 8);
    resolver->track = track_of(7);
}

static void tables_are_kept(void **state) {
    fill_tables();
    restart();
    struct weir_addr addr = site_client(1);
    const struct weir_client *client = weir_keyed_find(&after->clients, &addr, 0, 0);
    assert_non_null(client);
    assert_int_equal(client->ok_run, 12);
    assert_memory_equal(
        client->notes,
        ((struct weir_client *)weir_keyed_find(&before->clients, &addr, 0, 0))->notes,
        sizeof client->notes);
    const struct weir_keyed_head *active = weir_keyed_find(&after->active, &addr, 0, 0);
    assert_int_equal(active->last_us, T0 + 9);
    addr = site_prefix(3);
    const struct weir_destination *destination = weir_keyed_find(&after->destinations, &addr, 0, 0);
    assert_int_equal(destination->services[0], 1u << NETFLIX | 1u << TWITCH);
    assert_int_equal(destination->useful, 5);
    const struct weir_prefix *prefix =
        weir_keyed_find(&after->prefixes, &addr, NETFLIX, WEIR_LAYER_SERVE);
    assert_track(&prefix->track, 6);
    addr = site_prefix(53);
    const struct weir_resolver *resolver = weir_keyed_find(&after->resolvers, &addr, 0, 0);
    assert_track(&resolver->track, 7);
    assert_int_equal(resolver->head.last_us, T0 + 8);
}

/* Signatures changed: netflix has another id, twitch is gone. What was twitch's is dropped; beside
 * others it is told as one of the rest. */
static void services_are_known_by_name(void **state) {
    static const char *const now[] = {"none", "other", "paramount", "youtube", "netflix"};
    enum { NETFLIX_NOW = 4 };
    fill_tables();
    before->services[NETFLIX].layer[1] = track_of(11);
    before->services[NETFLIX].incident = case_of(WEIR_CAUSE_SERVICE, NETFLIX, 1);
    before->services[TWITCH].incident = case_of(WEIR_CAUSE_SERVICE, TWITCH, 2);
    assert_non_null(silence_of(before, TWITCH));
    struct weir_case *uplink = &before->uplink_case;
    *uplink = case_of(WEIR_CAUSE_UPLINK, WEIR_SERVICE_NONE, 3);
    uplink->record.controls.n = 2;
    uplink->record.controls.by_service[0].service = NETFLIX;
    uplink->record.controls.by_service[1].service = TWITCH;
    struct weir_item item = {.client = site_client(1), .prefix = site_prefix(3), .at_us = T0};
    for (weir_service_id id = NETFLIX; id <= TWITCH; id++) {
        item.service = id;
        weir_history_add(&before->history, &item, NULL, true);
    }
    restart_with(now, 5);
    assert_track(&after->services[NETFLIX_NOW].layer[1], 11);
    assert_string_equal(after->services[NETFLIX_NOW].incident.record.id, "case-1");
    assert_int_equal(after->services[NETFLIX_NOW].incident.record.service, NETFLIX_NOW);
    for (size_t id = 0; id < NETFLIX_NOW; id++) assert_false(after->services[id].incident.exists);
    assert_int_equal(after->uplink_case.record.controls.by_service[0].service, NETFLIX_NOW);
    assert_int_equal(after->uplink_case.record.controls.by_service[1].service, WEIR_SERVICE_OTHER);
    struct weir_addr addr = site_client(1);
    const struct weir_client *client = weir_keyed_find(&after->clients, &addr, 0, 0);
    for (int i = 0; i < WEIR_NOTES; i++) {
        assert_int_equal(client->notes[i].service, i % 2 ? NETFLIX_NOW : WEIR_SERVICE_NONE);
        assert_int_equal(client->notes[i].at_us, i % 2 ? T0 + i : 0);
    }
    addr = site_prefix(3);
    const struct weir_destination *destination = weir_keyed_find(&after->destinations, &addr, 0, 0);
    assert_int_equal(destination->services[0], 1u << NETFLIX_NOW);
    assert_non_null(weir_keyed_find(&after->prefixes, &addr, NETFLIX_NOW, WEIR_LAYER_SERVE));
    size_t cursor = 0, n = 0;
    while (weir_assoc_next(&after->prefixes, &cursor)) n++;
    assert_int_equal(n, 1);
    assert_int_equal(after->history.n, 2); /* netflix, youtube */
    assert_int_equal(weir_history_item(&after->history, 0).service, NETFLIX_NOW);
    assert_int_equal(weir_history_item(&after->history, 1).service, YOUTUBE);
}

/* The latest trials of closed slots, in their order, 8,192 at the most. */
static void the_latest_trials_are_kept(void **state) {
    struct weir_item item = {.client = site_client(1), .prefix = site_prefix(3)};
    item.service = NETFLIX;
    for (int i = 0; i < 9000; i++) {
        item.at_us = T0 + i;
        weir_history_add(&before->history, &item, NULL, true);
    }
    item.at_us = T0 + 999999;
    weir_history_add(&before->history, &item, NULL, false);
    restart();
    assert_int_equal(after->history.n, 8192);
    assert_int_equal(after->history.n_closed, 8192);
    for (unsigned i = 0; i < 8192; i++)
        assert_int_equal(weir_history_item(&after->history, i).at_us, T0 + 9000 - 8192 + i);
}

/* An incident that came back is open as any other. */
static void every_event_and_state_is_kept(void **state) {
    for (int event = 0; event < WEIR_INCIDENT_EVENT_N; event++) {
        before->uplink_case = case_of(WEIR_CAUSE_UPLINK, WEIR_SERVICE_NONE, 3);
        before->uplink_case.record.event = (uint8_t)event;
        restart();
        assert_true(after->uplink_case.open);
        assert_int_equal(after->uplink_case.record.event, event);
    }
    for (int one = 0; one <= WEIR_STATE_RECOVERING; one++) {
        before->uplink_case.record.state = (uint8_t)one;
        before->uplink_case.record.cause = (uint8_t)one; /* there are more causes than states */
        before->uplink_case.record.confidence = (uint8_t)(one % 3);
        before->uplink_case.record.layer = (uint8_t)(one % WEIR_LAYER_N);
        restart();
        assert_true(after->uplink_case.open);
    }
}

/* An enum or a bound that is none makes the whole incident worthless. */
static void a_senseless_incident_is_dropped(void **state) {
    const struct weir_case good = case_of(WEIR_CAUSE_UPLINK, WEIR_SERVICE_NONE, 3);
    struct weir_case *one = &before->uplink_case;
#define DROPPED(member, value)                   \
    do {                                         \
        *one = good;                             \
        one->record.member = value;              \
        restart();                               \
        assert_false(after->uplink_case.exists); \
    } while (0)
#define KEPT(member, value)                     \
    do {                                        \
        *one = good;                            \
        one->record.member = value;             \
        restart();                              \
        assert_true(after->uplink_case.exists); \
    } while (0)
    DROPPED(event, WEIR_INCIDENT_EVENT_N);
    DROPPED(state, WEIR_STATE_RECOVERING + 1);
    DROPPED(cause, WEIR_CAUSE_N);
    DROPPED(confidence, WEIR_CONFIDENCE_HIGH + 1);
    DROPPED(layer, WEIR_LAYER_N);
    DROPPED(service, N_SITE_SERVICES);
    KEPT(controls.n, WEIR_INCIDENT_LIST_MAX);
    DROPPED(controls.n, WEIR_INCIDENT_LIST_MAX + 1);
    KEPT(n_regions, WEIR_INCIDENT_REGIONS_MAX);
    DROPPED(n_regions, WEIR_INCIDENT_REGIONS_MAX + 1);
    *one = good;
    memset(one->record.id, 'x', sizeof one->record.id);
    memset(one->record.text, 'x', sizeof one->record.text);
    memset(one->record.as.name, 'x', sizeof one->record.as.name);
    memset(one->record.prefix_as[WEIR_INCIDENT_LIST_MAX - 1].name, 'x', 60);
    one->record.n_regions = 1;
    memset(one->record.regions[0].name, 'x', sizeof one->record.regions[0].name);
    restart();
    const struct weir_incident *record = &after->uplink_case.record;
    assert_int_equal(strlen(record->id), sizeof record->id - 1);
    assert_int_equal(strlen(record->text), sizeof record->text - 1);
    assert_int_equal(strlen(record->as.name), sizeof record->as.name - 1);
    assert_int_equal(strlen(record->prefix_as[WEIR_INCIDENT_LIST_MAX - 1].name), 59);
    assert_int_equal(strlen(record->regions[0].name), sizeof record->regions[0].name - 1);
}

/* Evidence that is no number is none; what else the track knows stays. */
static void what_is_no_number_is_put_right(void **state) {
    static const double wrong[] = {NAN, INFINITY, -1};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        before->uplink = track_of(5);
        before->uplink.committed.hard.s = wrong[i];
        before->services[NETFLIX].ends.cusum.s = wrong[i];
        restart();
        assert_true(after->uplink.committed.hard.s == 0);
        assert_true(after->uplink.committed.hard.arm[WEIR_ARMS - 1].r == 0);
        assert_true(after->uplink.committed.slow.s == 6 && after->uplink.committed.hard_alarm);
        assert_true(after->services[NETFLIX].ends.cusum.s == 0);
        for (int arm = 0; arm < WEIR_ARMS; arm++) {
            before->uplink = track_of(5);
            before->uplink.committed.slow.arm[arm].r = wrong[i];
            restart();
            assert_true(after->uplink.committed.slow.s == 0);
            before->uplink = track_of(5);
            before->uplink.committed.slow.arm[arm].s = wrong[i];
            restart();
            assert_true(after->uplink.committed.slow.s == 0);
        }
    }
    before->uplink = track_of(0);
    before->uplink.committed.hard.arm[0].s = 1000;
    before->services[NETFLIX].ends.cusum.s = 1000;
    before->uplink.committed.n_ok = 0, before->uplink.committed.n_fail = 0;
    restart();
    assert_true(after->uplink.committed.hard.arm[0].s == 1000);
    assert_true(after->services[NETFLIX].ends.cusum.s == 1000);
    before->uplink.committed.hard.arm[0].s = 1000.5;
    before->services[NETFLIX].ends.cusum.s = 1000.5;
    before->uplink.committed.hard_sprt.llr = 3;
    before->uplink.committed.slow_sprt.llr = NAN;
    before->uplink.committed.n_ok = 10;
    before->uplink.committed.n_fail = -1;
    before->uplink.committed.fail_client = 99; /* a hash of that process */
    restart();
    assert_true(after->uplink.committed.hard.arm[0].s == 0);
    assert_true(after->services[NETFLIX].ends.cusum.s == 0);
    assert_true(after->uplink.committed.hard_sprt.llr == 0);
    assert_true(after->uplink.committed.slow_sprt.llr == 0);
    assert_true(after->uplink.committed.n_ok == 0 && after->uplink.committed.n_fail == 0);
    assert_int_equal(after->uplink.committed.fail_client, 0);
}

static void a_senseless_baseline_is_learned_anew(void **state) {
    before->services[NETFLIX].continuous.signals[0] = calloc(1, sizeof(struct weir_baseline));
    struct weir_baseline *baseline = before->services[NETFLIX].continuous.signals[0];
    double *const members[] = {&baseline->s, &baseline->median_all, &baseline->scale};
    for (size_t i = 0; i < 3; i++) {
        baseline->n = 500;
        restart();
        assert_int_equal(after->services[NETFLIX].continuous.signals[0]->n, 500);
        *members[i] = NAN;
        restart();
        assert_int_equal(after->services[NETFLIX].continuous.signals[0]->n, 0);
        *members[i] = 0;
    }
    baseline->s = -1;
    restart();
    assert_int_equal(after->services[NETFLIX].continuous.signals[0]->n, 0);
}

/* Bytes that end early, or go on, are an error, and nothing else. */
static void bytes_that_are_not_whole(void **state) {
    uint8_t *bytes, *more;
    size_t n;
    fill_tables();
    assert_non_null(silence_of(before, NETFLIX));
    assert_int_equal(weir_detector_save(before, &bytes, &n), 0);
    for (size_t part = 0; part < n; part += part < 300 ? 7 : n / 150) {
        assert_int_equal(weir_detector_new(&after, &config, names, N_SITE_SERVICES, NULL, NULL), 0);
        uint8_t *exact = malloc(part + 1); /* so that a sanitizer sees what is read behind */
        memcpy(exact, bytes, part);
        assert_int_equal(weir_detector_restore(after, exact, part), -EBADMSG);
        free(exact);
        weir_detector_free(after);
    }
    more = realloc(bytes, n + 1);
    more[n] = 0;
    assert_int_equal(weir_detector_new(&after, &config, names, N_SITE_SERVICES, NULL, NULL), 0);
    assert_int_equal(weir_detector_restore(after, more, n + 1), -EBADMSG);
    weir_detector_free(after);
    assert_int_equal(weir_detector_new(&after, &config, names, N_SITE_SERVICES, NULL, NULL), 0);
    assert_int_equal(weir_detector_restore(after, more, n), 0);
    free(more);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(services_are_kept),
        TEST(what_was_never_seen_is_not_made),
        TEST(the_site_is_kept),
        TEST(tables_are_kept),
        TEST(services_are_known_by_name),
        TEST(the_latest_trials_are_kept),
        TEST(every_event_and_state_is_kept),
        TEST(a_senseless_incident_is_dropped),
        TEST(what_is_no_number_is_put_right),
        TEST(a_senseless_baseline_is_learned_anew),
        TEST(bytes_that_are_not_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
