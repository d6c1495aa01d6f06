/* The life of an incident, how bad and how sure it is, and when it is over: verdicts and trials by
 * hand. */
#undef NDEBUG
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "detect/told.h"
#include "site.h"

#define NOW (T0 + 7200 * SECOND)

static struct site site;
static struct weir_detector *detector;
static struct weir_case *netflix;
static struct weir_verdict verdict;

static int begin(void **state) {
    site_begin(&site);
    detector = site.detector;
    detector->now_us = NOW;
    netflix = &detector->services[NETFLIX].incident;
    verdict = (struct weir_verdict){.record = {.service = NETFLIX,
                                               .cause = WEIR_CAUSE_SERVICE,
                                               .state = WEIR_STATE_DOWN,
                                               .confidence = WEIR_CONFIDENCE_MEDIUM,
                                               .layer = WEIR_LAYER_SERVE,
                                               .onset_us = NOW - 20 * SECOND,
                                               .n_clients = 3,
                                               .n_clients_seen = 4,
                                               .trials = {.fail = 20, .total = 20, .high = 1}}};
    return 0;
}

static int end(void **state) {
    site_end(&site);
    return 0;
}

static void say(void) { weir_case_route(detector, netflix, &verdict, detector->now_us); }

static void later(int64_t seconds) { detector->now_us += seconds * SECOND; }

/* Whether saying the verdict is news; the last event then is of this kind. */
static bool is_news(enum weir_incident_event event) {
    size_t before = site.n_events;
    say();
    if (site.n_events == before) return false;
    assert_int_equal(site.n_events, before + 1);
    assert_int_equal(site.events[before].event, event);
    return true;
}

static void raised_and_updated(void **state) {
    assert_true(is_news(WEIR_INCIDENT_RAISED));
    assert_string_equal(site.events[0].id, "netflix-1750007180000");
    assert_int_equal(site.events[0].raised_us, NOW);
    assert_int_equal(site.events[0].ts_us, NOW);
    later(10);
    assert_false(is_news(WEIR_INCIDENT_UPDATED)); /* the same again */
    verdict.record.state = WEIR_STATE_DEGRADED;
    assert_true(is_news(WEIR_INCIDENT_UPDATED));
    later(9);
    verdict.record.confidence = WEIR_CONFIDENCE_HIGH;
    assert_false(is_news(WEIR_INCIDENT_UPDATED)); /* at most once a window */
    later(1);
    assert_true(is_news(WEIR_INCIDENT_UPDATED));
    later(10);
    verdict.record.onset_us += SECOND; /* it began when it was raised to have begun */
    verdict.record.cause = WEIR_CAUSE_DNS_SERVICE;
    assert_true(is_news(WEIR_INCIDENT_UPDATED));
    const struct weir_incident *last = site_last(&site, WEIR_INCIDENT_UPDATED);
    assert_string_equal(last->id, "netflix-1750007180000");
    assert_int_equal(last->onset_us, NOW - 20 * SECOND);
    assert_int_equal(last->raised_us, NOW);
    assert_int_equal(detector->stats.raised, 1);
    assert_int_equal(detector->stats.updated, 3);
}

/* Told again each time that the clients hit have doubled, from ten on. */
static void it_spreads(void **state) {
    static const struct {
        uint32_t clients;
        bool news;
    } steps[] = {{9, false}, {10, true}, {19, false}, {20, true}, {39, false}, {80, true}};
    say();
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        later(10);
        verdict.record.n_clients = steps[i].clients;
        assert_int_equal(is_news(WEIR_INCIDENT_UPDATED), steps[i].news);
    }
}

static void another_place_is_news(void **state) {
    verdict.record.cause = WEIR_CAUSE_CDN_PATH;
    verdict.subject = site_prefix(1);
    say();
    later(10);
    verdict.subject = site_prefix(2);
    assert_true(is_news(WEIR_INCIDENT_UPDATED));
    later(10);
    verdict.record.as.number = 2906;
    assert_true(is_news(WEIR_INCIDENT_UPDATED));
    later(10);
    verdict.record.cause = WEIR_CAUSE_SERVICE;
    assert_true(is_news(WEIR_INCIDENT_UPDATED));
    later(10);
    verdict.subject = site_prefix(3); /* of a service it is no part */
    assert_false(is_news(WEIR_INCIDENT_UPDATED));
}

/* What is down stays down until it is certain that less than four fifths fail. */
static void down_stays_down(void **state) {
    say();
    later(10);
    verdict.record.state = WEIR_STATE_PARTIAL;
    verdict.record.trials.high = 0.81;
    assert_false(is_news(WEIR_INCIDENT_UPDATED));
    assert_int_equal(netflix->record.state, WEIR_STATE_DOWN);
    verdict.record.trials.high = 0.8;
    assert_true(is_news(WEIR_INCIDENT_UPDATED));
    assert_int_equal(netflix->record.state, WEIR_STATE_PARTIAL);
}

/* The same with less to show for it changes no number. */
static void less_of_the_same(void **state) {
    say();
    later(10);
    verdict.record.trials.fail = 19;
    say();
    assert_int_equal(netflix->record.trials.fail, 20);
    verdict.record.trials.fail = 21;
    say();
    assert_int_equal(netflix->record.trials.fail, 21);
}

static void nothing_is_said_of_what_is_open(void **state) {
    verdict.open = true;
    say();
    assert_int_equal(site.n_events, 0);
    assert_int_equal(netflix->judged_us, NOW);
}

/* Back within ten minutes it is the same incident. */
static void it_comes_back(void **state) {
    for (int too_late = 0; too_late < 2; too_late++) {
        end(state);
        begin(state);
        say();
        later(100);
        weir_case_clear(detector, netflix, NULL);
        assert_int_equal(site_last(&site, WEIR_INCIDENT_CLEARED)->recovered_us, NOW);
        detector->now_us += detector->config.reopen_us + too_late;
        verdict.record.onset_us = detector->now_us - 5 * SECOND;
        assert_true(is_news(too_late ? WEIR_INCIDENT_RAISED : WEIR_INCIDENT_REOPENED));
        const struct weir_incident *last = &site.events[site.n_events - 1];
        assert_int_equal(strcmp(last->id, site.events[0].id) == 0, !too_late);
        assert_int_equal(last->cleared_us, 0);
        assert_int_equal(last->recovered_us, 0);
        assert_int_equal(netflix->reopened, !too_late);
        assert_int_equal(detector->stats.raised, 1 + too_late);
        assert_int_equal(detector->stats.cleared, 1);
    }
}

/* What begins to fail while the uplink does is the uplink's. */
static void beside_the_uplink(void **state) {
    static const struct {
        int64_t after_us; /* of the onset, against the uplink's */
        bool told;
    } cases[] = {{-120 * SECOND - 1, true},
                 {-120 * SECOND, false},
                 {50 * SECOND, false},
                 {50 * SECOND + 1, true}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        end(state);
        begin(state);
        detector->uplink_case.open = detector->uplink_case.exists = true;
        detector->uplink_case.record.onset_us = NOW - 100 * SECOND;
        detector->uplink_case.record.cause = WEIR_CAUSE_UPLINK;
        detector->uplink_case.evidence_us = NOW - 50 * SECOND;
        verdict.record.onset_us = NOW - 100 * SECOND + cases[i].after_us;
        assert_int_equal(is_news(WEIR_INCIDENT_RAISED), cases[i].told);
    }
}

/* The blame moves: the open incident goes on as the uplink's, and is cleared where that one has an
 * incident already. */
static void the_blame_moves(void **state) {
    say();
    later(10);
    verdict.record.cause = WEIR_CAUSE_UPLINK;
    verdict.record.service = WEIR_SERVICE_NONE;
    assert_true(is_news(WEIR_INCIDENT_UPDATED));
    assert_false(netflix->open || netflix->exists);
    assert_true(detector->uplink_case.open);
    assert_string_equal(detector->uplink_case.record.id, site.events[0].id);
    struct weir_case *youtube = &detector->services[YOUTUBE].incident;
    *youtube = (struct weir_case){.exists = true,
                                  .open = true,
                                  .evidence_us = detector->now_us,
                                  .record = {.service = YOUTUBE, .onset_us = detector->now_us}};
    size_t before = site.n_events;
    weir_case_route(detector, youtube, &verdict, detector->now_us);
    assert_false(youtube->open || youtube->exists);
    assert_int_equal(site.n_events, before + 1);
    assert_int_equal(site.events[before].event, WEIR_INCIDENT_CLEARED);
    assert_non_null(strstr(site.events[before].text, "now counted as part of the incident"));
}

/* Of many clients: a free place first, else that of the one cleared longest ago; never an open one.
 */
static void room_for_clients(void **state) {
    struct weir_case cases[3] = {{.exists = false}};
    struct weir_addr one = site_client(1), two = site_client(2);
    struct weir_case *place = weir_case_of(detector, cases, 3, &one);
    assert_ptr_equal(place, &cases[2]);
    for (int i = 0; i < 3; i++) {
        cases[i].exists = true;
        cases[i].subject = site_client(10 + (unsigned)i);
        cases[i].record.cleared_us = NOW - i;
    }
    cases[1].subject = two;
    assert_ptr_equal(weir_case_of(detector, cases, 3, &two), &cases[1]);
    assert_true(cases[1].exists);
    assert_ptr_equal(weir_case_of(detector, cases, 3, &one), &cases[2]);
    assert_false(cases[2].exists);
    for (int i = 0; i < 3; i++) cases[i].open = cases[i].exists = true;
    assert_null(weir_case_of(detector, cases, 3, &one));
    cases[0].open = false;
    assert_ptr_equal(weir_case_of(detector, cases, 3, &one), &cases[0]);
    verdict.record.cause = WEIR_CAUSE_CLIENT;
    verdict.record.service = WEIR_SERVICE_NONE;
    for (unsigned i = 0; i <= WEIR_CLIENT_CASES; i++) {
        verdict.subject = site_client(100 + i);
        say();
    }
    assert_int_equal(site_count(&site, WEIR_INCIDENT_RAISED), WEIR_CLIENT_CASES);
    assert_int_equal(detector->stats.incidents_refused, 1);
}

/* ---- how bad, how sure ---- */

static void severity(void **state) {
    struct weir_incident record = {.trials = {.fail = 20, .total = 20}};
    assert_int_equal(weir_severity(&record, (struct weir_tally){4, 4}, false), WEIR_STATE_DOWN);
    assert_int_equal(weir_severity(&record, (struct weir_tally){4, 4}, true), WEIR_STATE_PARTIAL);
    assert_int_equal(weir_severity(&record, (struct weir_tally){3, 4}, false), WEIR_STATE_PARTIAL);
    assert_int_equal(weir_severity(&record, (struct weir_tally){0, 0}, false), WEIR_STATE_PARTIAL);
    /* one that got through, of many: down where four in five fail for certain */
    assert_int_equal(weir_severity(&record, (struct weir_tally){39, 40}, false), WEIR_STATE_DOWN);
    assert_int_equal(weir_severity(&record, (struct weir_tally){35, 40}, false),
                     WEIR_STATE_PARTIAL);
    assert_int_equal(weir_severity(&record, (struct weir_tally){15, 16}, false),
                     WEIR_STATE_PARTIAL);
    record.kinds[WEIR_OUTCOME_STARVED] = 10; /* half of them */
    assert_int_equal(weir_severity(&record, (struct weir_tally){4, 4}, false), WEIR_STATE_DOWN);
    record.kinds[WEIR_OUTCOME_STARVED] = 11;
    assert_int_equal(weir_severity(&record, (struct weir_tally){4, 4}, false), WEIR_STATE_DEGRADED);
}

static void confidence(void **state) {
    const struct weir_incident sure = {.cause = WEIR_CAUSE_SERVICE,
                                       .state = WEIR_STATE_DOWN,
                                       .probability = 0.9,
                                       .n_clients = 2,
                                       .n_clients_seen = 2,
                                       .trials = {.fail = 16, .total = 16},
                                       .controls = {.total = 10}};
    struct weir_incident record = sure;
#define CONFIDENCE(change, level)                                               \
    do {                                                                        \
        record = sure;                                                          \
        change;                                                                 \
        assert_int_equal(weir_confidence_of(&record), WEIR_CONFIDENCE_##level); \
    } while (0)
    CONFIDENCE((void)0, HIGH);
    CONFIDENCE(record.probability = 0.89, MEDIUM);
    CONFIDENCE(record.probability = 0.7, MEDIUM);
    CONFIDENCE(record.probability = 0.69, LOW);
    CONFIDENCE(record.n_clients_seen = 1, LOW);
    CONFIDENCE((record.n_clients_seen = 1, record.cause = WEIR_CAUSE_CLIENT), HIGH);
    CONFIDENCE(record.n_clients = 1, MEDIUM);
    CONFIDENCE((record.n_clients = 1, record.cause = WEIR_CAUSE_CLIENT), HIGH);
    CONFIDENCE(record.trials.total = 15, LOW); /* down, by a few trials */
    CONFIDENCE((record.trials.total = 15, record.state = WEIR_STATE_PARTIAL), MEDIUM);
    CONFIDENCE(record.controls.total = 9, MEDIUM);
    CONFIDENCE(record.controls.total = 3, MEDIUM);
    CONFIDENCE(record.controls.total = 2, LOW);
    CONFIDENCE((record.controls.total = 0, record.cause = WEIR_CAUSE_UPLINK), HIGH);
}

static void a_record_begins(void **state) {
    static const uint8_t layers[][2] = {{WEIR_LAYER_DNS, WEIR_LAYER_DNS},
                                        {WEIR_LAYER_SERVE, WEIR_LAYER_SERVE},
                                        {WEIR_STREAM_ENDS, WEIR_LAYER_SERVE},
                                        {WEIR_STREAM_FALLBACK, WEIR_LAYER_QUIC}};
    detector->services[TWITCH].viewers = 40;
    detector->services[TWITCH].viewers_stalled = 4;
    for (size_t i = 0; i < 4; i++) {
        struct weir_scope scope = {.service = TWITCH, .layer = layers[i][0], .began_us = NOW - 9};
        weir_told_begin(detector, &scope, &verdict);
        assert_int_equal(verdict.record.layer, layers[i][1]);
        assert_int_equal(verdict.record.onset_us, NOW - 9);
        assert_int_equal(verdict.record.viewers, 40);
        assert_int_equal(verdict.record.viewers_stalled, 4);
        assert_true(verdict.record.probability == 1);
        scope.service = N_SITE_SERVICES; /* none of ours */
        weir_told_begin(detector, &scope, &verdict);
        assert_int_equal(verdict.record.viewers, 0);
    }
    /* it looks back to the onset, and for a minute at the least */
    struct weir_scope scope = {.since_us = NOW - 90 * SECOND, .began_us = NOW - 95 * SECOND};
    assert_int_equal(weir_told_earliest(detector, &scope), NOW - 95 * SECOND);
    scope.began_us = NOW - 80 * SECOND;
    assert_int_equal(weir_told_earliest(detector, &scope), NOW - 90 * SECOND);
    scope.since_us = scope.began_us = NOW - 59 * SECOND;
    assert_int_equal(weir_told_earliest(detector, &scope), NOW - 60 * SECOND);
}

/* Loss and delay between here and the clients: their network, and no service. */
static void the_clients_own_network(void **state) {
    struct weir_continuous_state *seen = &detector->services[NETFLIX].continuous;
    /* the detector frees them */
    struct weir_baseline *near = calloc(1, sizeof *near), *far = calloc(1, sizeof *far);
    *near =
        (struct weir_baseline){.s = detector->config.z_raise, .last_us = NOW - 3 * WEIR_SLOT_US};
    far->ratio = 1.49;
#define OF_CLIENTS(beyond, before, age_us)                                                       \
    (seen->loss_beyond = (beyond), seen->loss_before = (before), seen->loss_us = NOW - (age_us), \
     weir_network_of_clients(detector, NETFLIX))
    assert_true(OF_CLIENTS(0.1, 0, 3 * WEIR_SLOT_US));
    assert_true(OF_CLIENTS(0.1, 0.009, 0));
    assert_false(OF_CLIENTS(0.1, 0.01, 0)); /* lost before here as well */
    assert_false(OF_CLIENTS(0.09, 0, 0));
    assert_false(OF_CLIENTS(0.1, -1, 0)); /* not known */
    assert_false(OF_CLIENTS(0.1, 0, 3 * WEIR_SLOT_US + 1));
    seen->signals[WEIR_CONTINUOUS_RTT_CLIENT] = near;
    assert_true(OF_CLIENTS(-1, -1, 0));
    seen->signals[WEIR_CONTINUOUS_RTT_SERVER] = far;
    assert_true(OF_CLIENTS(-1, -1, 0));
    far->ratio = 1.5; /* as much slower on the other side */
    assert_false(OF_CLIENTS(-1, -1, 0));
    far->ratio = 1;
    near->last_us--;
    assert_false(OF_CLIENTS(-1, -1, 0));
    near->last_us = NOW;
    near->s -= 0.01;
    assert_false(OF_CLIENTS(-1, -1, 0));
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(raised_and_updated),
        TEST(it_spreads),
        TEST(another_place_is_news),
        TEST(down_stays_down),
        TEST(less_of_the_same),
        TEST(nothing_is_said_of_what_is_open),
        TEST(it_comes_back),
        TEST(beside_the_uplink),
        TEST(the_blame_moves),
        TEST(room_for_clients),
        TEST(severity),
        TEST(confidence),
        TEST(a_record_begins),
        TEST(the_clients_own_network),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
