/* Nobody asks any more (silence.c), and a downlink without room (downlink.c): hand-made days of a
 * site of 400 clients. */
#undef NDEBUG
#include <assert.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "site.h"

enum { CLIENTS = 400, HOUR = 360, MINUTE = 6 };
struct use { /* shares of the usual attempts that are made */
    double netflix, rest;
};
static const struct use usual = {1, 1}, no_netflix = {0, 1}, nothing = {0, 0};
static uint64_t seed;

static double draw(void) {
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (double)(seed >> 11) / 9007199254740992.0;
}

/* Each client tries each of four about every seven minutes: some fifty clients a minute. Slots are
 * told closed only. */
static void live(struct site *site, int slots, unsigned clients, struct use use) {
    for (int i = 0; i < slots; i++) {
        for (unsigned c = 0; c < clients; c++)
            for (weir_service_id service = WEIR_SERVICE_OTHER; service <= HULU; service++)
                if (draw() < 0.025 * (service == NETFLIX ? use.netflix : use.rest))
                    site_ok(site, service, WEIR_LAYER_CONNECT, c, 10 + service, 0.1 + 9.7 * draw());
        struct weir_slot slot = {
            .start_us = site->slot_us, .trials = site->trials, .n_trials = site->n};
        weir_detector_slot(site->detector, &slot, true);
        site->slot_us += WEIR_SLOT_US;
        weir_detector_step(site->detector, site->slot_us);
        site->n = 0;
    }
}

static void begin(struct site *site) {
    seed = 7;
    site_begin(site);
}

static void test_tail(void **state) {
    (void)state;
    assert_true(fabs(weir_silence_tail(0, 14, 1e-6) / exp(-14) - 1) < 1e-3); /* Poisson */
    assert_true(fabs(weir_silence_tail(0, 20, 0.05) / pow(2, -20) - 1) < 1e-9);
    assert_true(fabs(weir_silence_tail(400, 20, 0.05) - 1) < 1e-9);
    assert_true(weir_silence_tail(3, 20, 0.05) > weir_silence_tail(2, 20, 0.05));
}

static void test_silent_and_back(void **state) {
    (void)state;
    static struct site site;
    begin(&site);
    live(&site, 25 * HOUR, CLIENTS, usual);
    assert_int_equal(site.n_events, 0);
    int64_t from_us = site.slot_us;
    live(&site, 4 * MINUTE, CLIENTS, no_netflix);
    assert_int_equal(site_count(&site, WEIR_INCIDENT_RAISED), 1);
    const struct weir_incident *raised = site_last(&site, WEIR_INCIDENT_RAISED);
    assert_int_equal(raised->service, NETFLIX);
    assert_int_equal(raised->cause, WEIR_CAUSE_SERVICE);
    assert_int_equal(raised->confidence, WEIR_CONFIDENCE_LOW);
    assert_true(raised->ts_us - from_us <= 180 * SECOND &&
                llabs((long long)(raised->onset_us - from_us)) <= 60 * SECOND);
    assert_true(raised->silence.window_us > 0 && raised->silence.expected > 20 &&
                raised->silence.others_share > 0.8);
    assert_non_null(strstr(raised->text, "nobody asks for it any more"));
    assert_null(strstr(raised->text, "not DNS"));
    assert_int_equal(weir_detector_state(site.detector, NETFLIX), WEIR_STATE_DOWN);
    live(&site, 30 * MINUTE, CLIENTS, no_netflix);
    assert_int_equal(weir_detector_state(site.detector, NETFLIX), WEIR_STATE_DOWN);
    assert_int_equal(site_count(&site, WEIR_INCIDENT_CLEARED), 0);
    live(&site, 10 * MINUTE, CLIENTS, usual);
    assert_int_equal(site_count(&site, WEIR_INCIDENT_CLEARED), 1);
    assert_int_equal(site_count(&site, WEIR_INCIDENT_RAISED), 1);
    site_end(&site);
}

/* What must stay quiet: the first day, everybody gone, few clients, what fades, and what is tried
 * and fails. */
static void test_not_silence(void **state) {
    (void)state;
    static struct site site;
    begin(&site);
    live(&site, 6 * HOUR, CLIENTS, usual);
    live(&site, 30 * MINUTE, CLIENTS, no_netflix);
    assert_int_equal(site.n_events, 0); /* nothing is known of these hours yet */
    live(&site, 19 * HOUR, CLIENTS, usual);
    live(&site, 30 * MINUTE, CLIENTS, nothing);
    assert_int_equal(site.n_events, 0);
    live(&site, 2 * HOUR, CLIENTS, usual);
    for (int i = 0; i < 180; i++)
        live(&site, MINUTE, CLIENTS, (struct use){fmax(0.15, 1 - i / 170.0), 1});
    assert_int_equal(site.n_events, 0);
    site_end(&site);
    begin(&site);
    live(&site, 25 * HOUR, 150, usual);
    live(&site, 30 * MINUTE, 150, no_netflix);
    assert_int_equal(site.n_events, 0);
    site_end(&site);
}

static void test_failing_is_not_silent(void **state) {
    (void)state;
    static struct site site;
    begin(&site);
    live(&site, 25 * HOUR, CLIENTS, usual);
    for (int i = 0; i < 30; i++) {
        site_sick(&site, NETFLIX, 10 + NETFLIX, 60);
        live(&site, 1, CLIENTS, no_netflix);
    }
    assert_int_equal(site_count(&site, WEIR_INCIDENT_RAISED), 1);
    assert_int_equal(site_last(&site, WEIR_INCIDENT_RAISED)->silence.window_us, 0);
    live(&site, 20 * MINUTE, CLIENTS, no_netflix); /* and then nobody tries: the same incident */
    assert_int_equal(site_count(&site, WEIR_INCIDENT_RAISED), 1);
    site_end(&site);
}

static void restart(struct site *site) {
    struct weir_detect_config config;
    weir_detect_config_default(&config);
    uint8_t *bytes;
    size_t n;
    assert_int_equal(weir_detector_save(site->detector, &bytes, &n), 0);
    weir_detector_free(site->detector);
    static const char *const names[N_SITE_SERVICES] = {"none",    "other", "netflix",
                                                       "youtube", "hulu",  "twitch"};
    assert_int_equal(
        weir_detector_new(&site->detector, &config, names, N_SITE_SERVICES, site_incident, site),
        0);
    assert_int_equal(weir_detector_restore(site->detector, bytes, n), 0);
    free(bytes);
}

static void test_restart(void **state) {
    (void)state;
    static struct site site;
    begin(&site);
    live(&site, 25 * HOUR, CLIENTS, usual);
    restart(&site); /* what is normal survives; the hour before it must be seen again */
    live(&site, 50 * MINUTE, CLIENTS, usual);
    live(&site, 4 * MINUTE, CLIENTS, no_netflix);
    assert_int_equal(site_count(&site, WEIR_INCIDENT_RAISED), 1);
    restart(&site); /* in the middle of it */
    live(&site, 20 * MINUTE, CLIENTS, no_netflix);
    assert_int_equal(site_count(&site, WEIR_INCIDENT_CLEARED), 0);
    live(&site, 20 * MINUTE, CLIENTS, usual);
    assert_int_equal(site_count(&site, WEIR_INCIDENT_CLEARED), 1);
    site_end(&site);
}

/* ---- the downlink ---- */

static void window(struct site *site, double bps) {
    struct weir_detect_window window = {.start_us = site->slot_us - WEIR_SLOT_US, .down_bps = bps};
    weir_detector_window(site->detector, &window);
}

/* What the engine does each second: trials, demand, a decision. */
static void starve_two(struct site *site) {
    for (unsigned c = 0; c < 4; c++)
        for (weir_service_id service = NETFLIX; service <= YOUTUBE; service++)
            site_fail(site, service, WEIR_LAYER_SERVE, c, service == NETFLIX ? 1 : 3, 3)->kind =
                WEIR_OUTCOME_STARVED;
    struct weir_slot slot = {
        .start_us = site->slot_us, .trials = site->trials, .n_trials = site->n};
    for (int second = 3; second <= 10; second++) {
        weir_detector_slot(site->detector, &slot, second == 10);
        for (weir_service_id service = NETFLIX; service <= HULU; service++) {
            struct weir_demand demand = {.service = service,
                                         .open = 4,
                                         .clients_open = 4,
                                         .clients_starved = service == HULU ? 0 : 4};
            weir_detector_demand(site->detector, &demand);
        }
        weir_detector_step(site->detector, site->slot_us + second * SECOND);
    }
    site->slot_us += WEIR_SLOT_US;
    site->n = 0;
}

/* Three services are watched, two of them starve: with room left that is theirs, on a full link it
 * is the uplink's. */
static size_t starve_two_of_three(double bps) {
    static struct site site;
    begin(&site);
    for (int i = 0; i < 400; i++) {
        site_healthy(&site, 1, 4);
        window(&site, i % 20 ? 20e6 : 100e6); /* a twentieth of the time at what the link can do */
    }
    for (int i = 0; i < 12; i++) {
        starve_two(&site);
        window(&site, bps);
    }
    size_t uplinks = 0;
    for (size_t i = 0; i < site.n_events && !uplinks; i++)
        /* also of what was first taken for a service's */
        if (site.events[i].cause == WEIR_CAUSE_UPLINK) {
            uplinks = 1;
            assert_non_null(strstr(site.events[i].text, "it is full"));
        }
    assert_true(site_count(&site, WEIR_INCIDENT_RAISED) > 0);
    site_end(&site);
    return uplinks;
}

static void test_full_downlink(void **state) {
    (void)state;
    assert_int_equal(starve_two_of_three(98e6), 1);
    assert_int_equal(starve_two_of_three(40e6), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tail),        cmocka_unit_test(test_silent_and_back),
        cmocka_unit_test(test_not_silence), cmocka_unit_test(test_failing_is_not_silent),
        cmocka_unit_test(test_restart),     cmocka_unit_test(test_full_downlink),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
