/* Who says what a failure is worth: a client's other trials, its lookups, its link, and what is
 * normal here. */
#undef NDEBUG
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "detect/shown.h"
#include "site.h"

#define NOW (T0 + 7200 * SECOND)

static struct site site;
static struct weir_detector *detector;
static const struct weir_shown none; /* nothing is remembered of a trial */

static int begin(void **state) {
    site_begin(&site);
    detector = site.detector;
    detector->now_us = detector->open_start_us = NOW;
    return 0;
}

static int end(void **state) {
    site_end(&site);
    return 0;
}

/* ---- who else is fine ---- */

static struct weir_trial of(weir_service_id service, unsigned prefix, bool ok, int64_t at_us) {
    return (struct weir_trial){.client = site_client(1),
                               .prefix = site_prefix(prefix),
                               .service = service,
                               .layer = WEIR_LAYER_CONNECT,
                               .kind = ok ? WEIR_OUTCOME_USEFUL : WEIR_OUTCOME_SYN_TIMEOUT,
                               .ok = ok,
                               .fail = !ok,
                               .ok_us = at_us,
                               .fail_us = at_us};
}

/* What a tick remembers of a trial, right or of another client, changes nothing. */
static double weight_at(int64_t at_us) {
    struct weir_trial trial = of(NETFLIX, 1, false, at_us);
    double weight = weir_controls_weight(detector, &trial, &none);
    struct weir_addr other = site_client(2);
    struct weir_shown right = {.client = weir_keyed_find(&detector->clients, &trial.client, 0, 0)},
                      wrong = {.client = weir_keyed_get(&detector->clients, &other, 0, 0, at_us)};
    assert_true(weir_controls_weight(detector, &trial, &right) == weight);
    assert_true(weir_controls_weight(detector, &trial, &wrong) == weight);
    return weight;
}

static void beside(weir_service_id service, unsigned prefix, bool ok, int64_t at_us) {
    struct weir_trial trial = of(service, prefix, ok, at_us);
    weir_controls_note(detector, &trial, &(struct weir_shown){0}, true);
}

/* What a failure weighs, by what its client did elsewhere within a minute. */
static void what_a_failure_weighs(void **state) {
    double unknown = detector->config.weight_unknown;
    int64_t lately_us = detector->config.control_us;
    assert_true(weight_at(NOW) == unknown);
    beside(YOUTUBE, 3, true, NOW - lately_us);
    assert_true(weight_at(NOW) == 1);
    assert_true(weight_at(NOW + 1) == unknown);
    beside(YOUTUBE, 3, false, NOW); /* now that fails as well: it is the client's network */
    assert_true(weight_at(NOW) == 0);
    beside(YOUTUBE, 3, true, NOW + 1);
    assert_true(weight_at(NOW + 2) == unknown); /* bad WiFi lets some through */
    assert_true(weight_at(NOW + lately_us) == unknown);
    assert_true(weight_at(NOW + lately_us + 1) == 1);
    beside(NETFLIX, 3, true, NOW + 1); /* a place of its own after all: no other */
    assert_true(weight_at(NOW + lately_us + 1) == unknown);
    beside(HULU, 5, true, NOW);
    beside(TWITCH, 6, true, NOW);
    beside(TWITCH, 6, false, NOW + 1);
    assert_true(weight_at(NOW + 1) == 0);
    detector->services[TWITCH].incident.open = true; /* it was told: it is no witness any more */
    assert_true(weight_at(NOW + 1) == 1);
    struct weir_trial answer = of(NETFLIX, 1, false, NOW);
    answer.kind = WEIR_OUTCOME_REFUSED; /* it came through the client's network */
    assert_true(weir_controls_weight(detector, &answer, &none) == 1);
}

static void an_answered_lookup_is_a_witness(void **state) {
    struct weir_trial lookup = of(YOUTUBE, 53, true, NOW);
    lookup.layer = WEIR_LAYER_DNS;
    weir_controls_note(detector, &lookup, &(struct weir_shown){0}, true);
    assert_true(weight_at(NOW + detector->config.control_us) == 1);
    assert_true(weight_at(NOW + detector->config.control_us + 1) ==
                detector->config.weight_unknown);
    struct weir_trial failing = of(NETFLIX, 53, false, NOW);
    failing.layer = WEIR_LAYER_DNS; /* of lookups it is no other */
    assert_true(weir_controls_weight(detector, &failing, &none) == detector->config.weight_unknown);
}

/* A destination that never worked, or is long dead while others answer, says nothing of the way. */
static void dead_destinations(void **state) {
    struct weir_trial failing = of(WEIR_SERVICE_OTHER, 9, false, NOW);
    assert_false(weir_controls_counts(detector, &failing, &none));
    beside(WEIR_SERVICE_OTHER, 9, true, NOW - 1200 * SECOND);
    for (int i = 0; i < 5; i++) beside(WEIR_SERVICE_OTHER, 9, false, NOW - 700 * SECOND + i);
    beside(YOUTUBE, 3, true, NOW - 30 * SECOND);
    assert_true(weir_controls_counts(detector, &failing, &none)); /* five failures */
    beside(WEIR_SERVICE_OTHER, 9, false, NOW - 650 * SECOND);
    assert_false(weir_controls_counts(detector, &failing, &none));
    failing.fail_us = NOW - 600 * SECOND; /* of the ten minutes after it worked */
    assert_true(weir_controls_counts(detector, &failing, &none));
    failing.fail_us++;
    assert_false(weir_controls_counts(detector, &failing, &none));
    failing.fail_us = NOW + 1; /* nothing else has answered for 30 s */
    assert_true(weir_controls_counts(detector, &failing, &none));
    failing.kind = WEIR_OUTCOME_STARVED;
    assert_false(weir_controls_counts(detector, &failing, &none));
    failing.kind = WEIR_OUTCOME_HOLLOW;
    assert_false(weir_controls_counts(detector, &failing, &none));
}

/* A client's notes: one a service and prefix; a service with many gives up its own oldest. */
static void notes_of_a_client(void **state) {
    for (unsigned i = 0; i < 12; i++) beside(i < 4 ? YOUTUBE : HULU, 10 + i, true, NOW + i);
    struct weir_addr addr = site_client(1);
    const struct weir_client *client = weir_keyed_find(&detector->clients, &addr, 0, 0);
    for (int i = 0; i < WEIR_NOTES; i++) assert_int_equal(client->notes[i].at_us, NOW + i);
    beside(YOUTUBE, 13, true, NOW + 50); /* the same place again */
    assert_int_equal(client->notes[3].at_us, NOW + 50);
    beside(HULU, 40, true, NOW + 60); /* hulu's oldest goes */
    assert_int_equal(client->notes[4].at_us, NOW + 60);
    assert_int_equal(client->notes[0].at_us, NOW);
    beside(TWITCH, 41, true, NOW + 70); /* the oldest of all */
    assert_int_equal(client->notes[0].at_us, NOW + 70);
    assert_int_equal(client->ok_run, 15);
    beside(TWITCH, 41, false, NOW + 80);
    assert_int_equal(client->ok_run, 0);
    assert_int_equal(client->notes[0].fail_us, NOW + 80);
    assert_false(client->notes[0].ok);
}

/* Devices of one home by IPv6 are one client of the site, for how much evidence is asked. */
static void active_clients_by_network(void **state) {
    for (int i = 0; i < 4; i++) {
        struct weir_trial trial = of(NETFLIX, 1, true, NOW - detector->config.active_us + (i == 3));
        memset(trial.client.bytes, 0x20, sizeof trial.client.bytes);
        trial.client.bytes[i < 2 ? 15 : 7] = (uint8_t)i;
        weir_controls_note(detector, &trial, &(struct weir_shown){0}, true);
    }
    weir_controls_count_clients(detector, NOW);
    assert_int_equal(detector->n_active, 3);
    assert_int_equal(detector->n_known, 4);
    weir_controls_count_clients(detector, NOW + 1);
    assert_int_equal(detector->n_active, 1);
}

/* ---- clients' links ---- */

static struct weir_client_link rows[2];

static void one_window(uint32_t lost) {
    struct weir_detect_window one = {.start_us = NOW - WEIR_SLOT_US, .links = rows, .n_links = 2};
    rows[0].lost_beyond = lost;
    weir_watches[WEIR_WATCH_link]->window(detector, &one);
    detector->open_start_us++; /* judged once a window */
    weir_watches[WEIR_WATCH_link]->tick(detector);
}

static void bad_links(void **state) {
    const struct weir_client_link television = {.client = site_client(1),
                                                .services = {1u << NETFLIX | 1u << YOUTUBE},
                                                .segments_down = 200},
                                  others = {.client = site_client(2), .segments_down = 200};
    static const struct {
        uint32_t down, lost, before, others, others_lost;
        uint64_t services;
        bool raised;
    } cases[] = {{200, 20, 0, 200, 0, 3, true},
                 {199, 20, 0, 200, 0, 3, false},
                 {200, 20, 2, 200, 0, 3, true},
                 {200, 20, 3, 200, 0, 3, false},
                 {200, 20, 0, 199, 0, 3, false},
                 {200, 20, 0, 200, 4, 3, true},
                 {200, 20, 0, 200, 5, 3, false},
                 {200, 16, 0, 200, 0, 3, false},
                 {200, 17, 0, 200, 0, 3, true},
                 {200, 20, 0, 200, 0, 1, true}, /* the one thing that it does */
                 {200, 20, 0, 200, 0, 0, false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        end(state);
        begin(state);
        rows[0] = television, rows[1] = others;
        rows[0].services[0] = cases[i].services << NETFLIX;
        rows[0].segments_down = cases[i].down;
        rows[0].lost_before = cases[i].before;
        rows[1].segments_down = cases[i].others;
        rows[1].lost_beyond = cases[i].others_lost;
        one_window(cases[i].lost);
        assert_int_equal(site.n_events, 0); /* one window is none */
        one_window(cases[i].lost);
        assert_int_equal(site.n_events, cases[i].raised);
    }
    end(state);
    begin(state);
    rows[0] = television, rows[1] = others;
    one_window(20), one_window(40);
    const struct weir_incident *raised = &site.events[0];
    assert_int_equal(raised->cause, WEIR_CAUSE_CLIENT);
    assert_int_equal(raised->onset_us, NOW - WEIR_SLOT_US);
    assert_int_equal(raised->link.segments, 200);
    assert_int_equal(raised->link.lost_beyond, 40);
    assert_int_equal(raised->link.others_segments, 200);
    const struct weir_case *incident = NULL;
    for (int i = 0; i < WEIR_CLIENT_CASES; i++)
        if (detector->client_cases[i].open) incident = &detector->client_cases[i];
    one_window(5); /* one in forty is good: twice ends it */
    assert_false(weir_link_is_over(detector, incident));
    one_window(6); /* neither good nor bad */
    assert_false(weir_link_is_over(detector, incident));
    one_window(5);
    assert_true(weir_link_is_over(detector, incident));
}

/* Who is served by a bad link starves, whatever is watched. */
static void who_starves_behind_a_bad_link(void **state) {
    struct weir_trial starved = of(NETFLIX, 1, false, NOW);
    starved.kind = WEIR_OUTCOME_STARVED;
    rows[0] = (struct weir_client_link){.client = site_client(1),
                                        .services = {1u << NETFLIX | 1u << YOUTUBE},
                                        .segments_down = 200};
    rows[1] = (struct weir_client_link){.client = site_client(2), .segments_down = 200};
    one_window(20);
    assert_true(weir_controls_weight(detector, &starved, &(struct weir_shown){0}) >
                0); /* one window is none */
    one_window(20);
    assert_true(weir_controls_weight(detector, &starved, &(struct weir_shown){0}) == 0);
    assert_true(weight_at(NOW) > 0); /* what gets no answer at all */
    starved.client = site_client(2);
    assert_true(weir_controls_weight(detector, &starved, &(struct weir_shown){0}) > 0);
    starved.client = site_client(1);
    starved.fail_us = NOW + detector->config.control_us + 1;
    assert_true(weir_controls_weight(detector, &starved, &(struct weir_shown){0}) > 0);
}

/* What it does beside, and does well, speaks against its link. */
static void what_it_does_beside(void **state) {
    rows[0] = (struct weir_client_link){
        .client = site_client(1), .services = {1u << NETFLIX}, .segments_down = 300};
    rows[1] = (struct weir_client_link){.client = site_client(2), .segments_down = 300};
    beside(YOUTUBE, 3, true, NOW - detector->config.control_us);
    one_window(60), one_window(60);
    assert_int_equal(site.n_events, 0);
    detector->now_us++;
    one_window(60), one_window(60);
    assert_int_equal(site.n_events, 1);
}

static void a_link_that_is_fine(void **state) {
    struct weir_addr addr = site_client(1);
    rows[0] = (struct weir_client_link){.client = addr, .segments_down = 25};
    rows[1] = (struct weir_client_link){.client = site_client(2), .segments_down = 300};
    assert_false(weir_link_is_fine(detector, &addr, NOW));
    one_window(2);
    assert_false(weir_link_is_fine(detector, &addr, NOW));
    one_window(1); /* 4 % */
    assert_true(weir_link_is_fine(detector, &addr, NOW + detector->config.control_us));
    assert_false(weir_link_is_fine(detector, &addr, NOW + detector->config.control_us + 1));
    rows[0].segments_down = 19; /* says nothing, and takes nothing back */
    one_window(19);
    assert_true(weir_link_is_fine(detector, &addr, NOW));
    rows[0].segments_down = 20;
    one_window(1);
    assert_false(weir_link_is_fine(detector, &addr, NOW));
}

/* ---- what is normal ---- */

/* Without a day of past, the median of the last ten minutes: of an even number the mean of the two
 * in the middle. */
static void the_middle_of_an_even_number(void **state) {
    struct weir_baseline *baseline = calloc(1, sizeof *baseline);
    int64_t at_us = T0;
    for (int i = 0; i < 12; i++, at_us += WEIR_SLOT_US) /* half at 1 Mbit/s, half at 1.44 */
        weir_baseline_take(baseline, &detector->config, WEIR_CONTINUOUS_GOODPUT,
                           i < 6 ? 1e6 : 1.44e6, 3, at_us);
    assert_true(baseline->ratio == 0); /* eleven were not enough to compare with */
    weir_baseline_take(baseline, &detector->config, WEIR_CONTINUOUS_GOODPUT, 1.2e6, 3, at_us);
    assert_true(fabs(baseline->ratio - 1) < 1e-6);
    free(baseline);
}

static void the_least_of_ten_minutes(void **state) {
    struct weir_baseline *baseline = calloc(1, sizeof *baseline);
    int64_t at_us = T0;
#define TAKE(value)                                                                                \
    (weir_baseline_take(baseline, &detector->config, WEIR_CONTINUOUS_RTT_SERVER, value, 3, at_us), \
     at_us += WEIR_SLOT_US, baseline->against_least)
    for (int i = 0; i < 3; i++) assert_int_equal(TAKE(11e3), WEIR_LEAST_UNKNOWN);
    assert_int_equal(TAKE(32e3), WEIR_NEAR_LEAST); /* less than three times */
    assert_int_equal(TAKE(33.1e3), WEIR_ABOVE_LEAST);
    assert_int_equal(TAKE(9e3), WEIR_NEAR_LEAST);
    assert_int_equal(TAKE(28.9e3), WEIR_NEAR_LEAST); /* thrice, but not 20 ms */
    assert_int_equal(TAKE(29.1e3), WEIR_ABOVE_LEAST);
    at_us += 600 * SECOND; /* of what was before nothing is left */
    assert_int_equal(TAKE(500e3), WEIR_LEAST_UNKNOWN);
    free(baseline);
}

/* Longer by 20 ms than in any window before those that are so themselves. */
static void beyond_the_most_of_ten_minutes(void **state) {
    struct weir_baseline *baseline = calloc(1, sizeof *baseline);
    int64_t at_us = T0;
    for (int i = 0; i < 6; i++) (void)TAKE(i == 3 ? 50e3 : 10e3);
    assert_int_equal(TAKE(69e3), WEIR_ABOVE_LEAST);
    assert_int_equal(baseline->unseen_us, 0);
    assert_int_equal(TAKE(90e3), WEIR_ABOVE_LEAST);
    assert_int_equal(baseline->unseen_us, at_us - WEIR_SLOT_US);
    (void)TAKE(90e3); /* it goes on */
    assert_int_equal(baseline->unseen_us, at_us - 2 * WEIR_SLOT_US);
    (void)TAKE(80e3);
    assert_int_equal(baseline->unseen_us, 0);
    free(baseline);
}

static void a_full_downlink(void **state) {
    struct weir_downlink *downlink = weir_downlink_of(detector);
    for (int i = 0; i < 359; i++) weir_downlink_take(downlink, 10e6, NOW);
    weir_downlink_take(downlink, 10e6, NOW); /* the 360th: nothing is known yet */
    assert_false(weir_downlink_is_full(downlink, NOW));
    weir_downlink_take(downlink, NAN, NOW);
    weir_downlink_take(downlink, 0.5, NOW);
    assert_int_equal(downlink->windows.n, 360);
    weir_downlink_take(downlink, 8e6, NOW);
    assert_false(weir_downlink_is_full(downlink, NOW));
    weir_downlink_take(downlink, 9.5e6, NOW);
    assert_true(weir_downlink_is_full(downlink, NOW + 3 * WEIR_SLOT_US));
    assert_false(weir_downlink_is_full(downlink, NOW + 3 * WEIR_SLOT_US + 1));
    struct weir_downlink good = *downlink;
    weir_downlink_mend(downlink);
    assert_memory_equal(downlink, &good, sizeof good);
    downlink->windows.n++;
    weir_downlink_mend(downlink);
    assert_int_equal(downlink->windows.n, 0);
    *downlink = good;
    downlink->bps = NAN;
    weir_downlink_mend(downlink);
    assert_int_equal(downlink->windows.n, 0);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(what_a_failure_weighs),
        TEST(an_answered_lookup_is_a_witness),
        TEST(dead_destinations),
        TEST(notes_of_a_client),
        TEST(active_clients_by_network),
        TEST(bad_links),
        TEST(who_starves_behind_a_bad_link),
        TEST(what_it_does_beside),
        TEST(a_link_that_is_fine),
        TEST(the_middle_of_an_even_number),
        TEST(the_least_of_ten_minutes),
        TEST(beyond_the_most_of_ten_minutes),
        TEST(a_full_downlink),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
