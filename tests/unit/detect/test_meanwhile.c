/* What else happens while something fails, or just after: served elsewhere, still starved. */
#include "scenario.h"

/* Four clients hang at one prefix; a fifth is served at the other, first before the fault, and last
 * `last` seconds into the slot. The first attempt that hangs begins at 4 s, and ends in the slot
 * after. */
static const struct weir_incident *hang_beside(double last, bool fails) {
    end(NULL);
    begin(NULL);
    site_healthy(&site, 12, 5);
    site_well(&site, YOUTUBE, 3, 5);
    struct weir_trial *elsewhere = site_ok(&site, NETFLIX, WEIR_LAYER_SERVE, 4, 2, 1);
    elsewhere->last_ok_us = site.slot_us + (int64_t)(last * 1e6);
    if (fails) site_fail(&site, NETFLIX, WEIR_LAYER_SERVE, 3, 2, 9)->first_us -= 5 * SECOND;
    site_slot(&site);
    for (unsigned client = 0; client < 4; client++)
        site_fail(&site, NETFLIX, WEIR_LAYER_SERVE, client, 1, 1 + client * 0.1)->first_us -=
            7 * SECOND;
    site_well(&site, YOUTUBE, 3, 5);
    site_slot(&site);
    assert_int_equal(site_count(&site, WEIR_INCIDENT_RAISED), 1);
    return site_last(&site, WEIR_INCIDENT_RAISED);
}

static void served_elsewhere_meanwhile(void **state) {
    const struct weir_incident *raised = hang_beside(8, false);
    assert_int_equal(raised->cause, WEIR_CAUSE_CDN_PATH);
    assert_int_equal(raised->elsewhere_ok, 1);
    assert_int_equal(raised->state, WEIR_STATE_PARTIAL);
    assert_true(raised->n_alternatives > 0); /* one is no proof */
    assert_int_equal(raised->alternatives[0].cause, WEIR_CAUSE_SERVICE);
    assert_non_null(strstr(raised->text, "it may be all of it"));
}

/* The same client was last served when the first attempt began: perhaps before the fault. */
static void served_elsewhere_before(void **state) {
    const struct weir_incident *raised = hang_beside(4.5, false);
    assert_int_equal(raised->cause, WEIR_CAUSE_SERVICE);
    assert_int_equal(raised->alternatives[0].cause, WEIR_CAUSE_CDN_PATH);
    assert_non_null(strstr(raised->text, "nobody here has tried another of its places"));
}

/* Who is served there is one, and another isn't. */
static void elsewhere_fails_too(void **state) {
    assert_int_equal(hang_beside(8, true)->cause, WEIR_CAUSE_SERVICE);
}

static void starve(double at) {
    static const weir_service_id services[] = {NETFLIX, YOUTUBE};
    for (unsigned i = 0; i < 2; i++) {
        for (unsigned client = 0; client < 3; client++)
            site_fail(&site, services[i], WEIR_LAYER_SERVE, client, i ? 3 : 1, at)->kind =
                WEIR_OUTCOME_STARVED;
        weir_detector_demand(site.detector, &(struct weir_demand){.service = services[i],
                                                                  .open = 3,
                                                                  .clients_open = 3,
                                                                  .clients_starved = 3});
    }
}

/* The uplink was down; then all players fill their buffers at once. It was no mere congestion. */
static void an_outage_stays_one(void **state) {
    site_healthy(&site, 12, 3);
    for (int i = 0; i < 3; i++) {
        site_sick(&site, NETFLIX, 1, 3);
        site_sick(&site, YOUTUBE, 3, 3);
        for (unsigned client = 0; client < 3; client++)
            site_fail(&site, WEIR_SERVICE_OTHER, WEIR_LAYER_CONNECT, client, 9, 5);
        site_slot(&site);
    }
    assert_int_equal(site.detector->uplink_case.record.state, WEIR_STATE_DOWN);
    for (int i = 0; i < 2; i++) {
        site_well(&site, WEIR_SERVICE_OTHER, 9, 3);
        site_well(&site, WEIR_SERVICE_OTHER, 10, 3);
        starve(5);
        site_slot(&site);
    }
    for (size_t i = 0; i < site.n_events; i++)
        assert_int_not_equal(site.events[i].state, WEIR_STATE_DEGRADED);
    site_healthy(&site, 12, 3);
    assert_int_equal(site_last(&site, WEIR_INCIDENT_CLEARED)->state, WEIR_STATE_DOWN);
}

/* Four viewers of one service starve, and one of another's two; the second has asked for nothing
 * yet, or is `served`. Returns how many incidents are told in that slot. */
static size_t one_starves_first(bool served) {
    end(NULL);
    begin(NULL);
    site_healthy(&site, 12, 4);
    for (unsigned client = 0; client < 4; client++)
        site_fail(&site, NETFLIX, WEIR_LAYER_SERVE, client, 1, 5)->kind = WEIR_OUTCOME_STARVED;
    site_fail(&site, YOUTUBE, WEIR_LAYER_SERVE, 0, 3, 5)->kind = WEIR_OUTCOME_STARVED;
    if (served) site_ok(&site, YOUTUBE, WEIR_LAYER_SERVE, 1, 3, 8);
    site_well(&site, WEIR_SERVICE_OTHER, 9, 4);
    site_slot(&site);
    return site_count(&site, WEIR_INCIDENT_RAISED);
}

static void others_begin_to_starve(void **state) {
    assert_int_equal(one_starves_first(true), 1);
    assert_int_equal(site_last(&site, WEIR_INCIDENT_RAISED)->service, NETFLIX);
    assert_int_equal(one_starves_first(false), 0); /* it may be the uplink */
    for (int i = 0; i < 3; i++) {                  /* it is not: the rest is served */
        for (unsigned client = 0; client < 4; client++) {
            site_fail(&site, NETFLIX, WEIR_LAYER_SERVE, client, 1, 5)->kind = WEIR_OUTCOME_STARVED;
            site_ok(&site, YOUTUBE, WEIR_LAYER_SERVE, client, 3, 2);
        }
        site_well(&site, WEIR_SERVICE_OTHER, 9, 4);
        site_slot(&site);
    }
    assert_int_equal(site_count(&site, WEIR_INCIDENT_RAISED), 1);
    assert_int_equal(site_last(&site, WEIR_INCIDENT_RAISED)->cause, WEIR_CAUSE_SERVICE);
    assert_int_equal(one_starves_first(false), 0);
    for (int i = 0; i < 2; i++) { /* it is */
        starve(5);
        site_slot(&site);
    }
    assert_int_equal(site_last(&site, WEIR_INCIDENT_RAISED)->cause, WEIR_CAUSE_UPLINK);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SCENARIO(served_elsewhere_meanwhile), SCENARIO(served_elsewhere_before),
        SCENARIO(elsewhere_fails_too),        SCENARIO(an_outage_stays_one),
        SCENARIO(others_begin_to_starve),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
