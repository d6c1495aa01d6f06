/* Guards and the life of an incident: what must not alarm, what comes back, what is open at the
 * end, what weir can't see. */
#include "scenario.h"

static void never_healthy_service(void **state) {
    for (int i = 0; i < 60; i++) { /* names resolve, connections never do */
        site_rest(&site, 3, 0, true);
        site_sick(&site, HULU, 6, 3);
        for (unsigned client = 0; client < 3; client++)
            site_ok(&site, HULU, WEIR_LAYER_DNS, client, 53, 1);
        site_slot(&site);
    }
    assert_int_equal(site.n_events, 0);
    assert_int_equal(weir_detector_state(site.detector, HULU), WEIR_STATE_UNKNOWN);
}

/* The capture begins in an outage of everything, and the first trials are failures. */
static void begins_in_an_outage(void **state) {
    for (int i = 0; i < 30; i++) {
        site_sick(&site, NETFLIX, 1, 3);
        site_sick(&site, YOUTUBE, 3, 3);
        for (unsigned client = 0; client < 3; client++)
            site_fail(&site, WEIR_SERVICE_OTHER, WEIR_LAYER_CONNECT, client, 9, 4.5);
        site_slot(&site);
    }
    assert_int_equal(site.n_events, 0);
}

/* Three useful trials, then the outage: that is enough to be scored. */
static void outage_after_three_trials(void **state) {
    site_well(&site, YOUTUBE, 3, 1);
    site_ok(&site, NETFLIX, WEIR_LAYER_CONNECT, 0, 1, 1);
    site_ok(&site, NETFLIX, WEIR_LAYER_CONNECT, 1, 1, 1);
    site_ok(&site, NETFLIX, WEIR_LAYER_CONNECT, 2, 1, 1);
    site_slot(&site);
    for (int i = 0; i < 4; i++) {
        site_rest(&site, 3, 0, true);
        site_sick(&site, NETFLIX, 1, 3);
        site_slot(&site);
    }
    assert_int_equal(site_count(&site, WEIR_INCIDENT_RAISED), 1);
}

static void dead_alternative_prefix(void **state) {
    for (int i = 0; i < 60; i++) { /* one prefix never worked; clients fall back to the other */
        site_healthy(&site, 0, 3);
        site_rest(&site, 3, 1, true);
        site_sick(&site, NETFLIX, 7, 3);
        site_slot(&site);
    }
    assert_int_equal(site.n_events, 0);
}

static void on_and_off_is_one_incident(void **state) {
    site_healthy(&site, 12, 3);
    for (int round = 0; round < 5; round++) {
        for (int i = 0; i < 6; i++) {
            site_sick(&site, NETFLIX, 1, 3);
            site_sick(&site, NETFLIX, 2, 3);
            site_rest(&site, 3, 0, true);
            site_slot(&site);
        }
        site_healthy(&site, 6, 3);
    }
    assert_int_equal(site_count(&site, WEIR_INCIDENT_RAISED), 1);
    for (size_t i = 0; i < site.n_events; i++)
        assert_string_equal(site.events[i].id, site.events[0].id);
}

static void capture_drops_freeze(void **state) {
    site_healthy(&site, 12, 3);
    for (int i = 0; i < 12; i++) {
        struct weir_detect_window window = {.start_us = site.slot_us, .drop_share = 0.05};
        weir_detector_window(site.detector, &window);
        site_sick(&site, NETFLIX, 1, 3);
        site_sick(&site, YOUTUBE, 3, 3);
        site_slot(&site);
    }
    assert_int_equal(site_count(&site, WEIR_INCIDENT_RAISED), 1);
    assert_int_equal(site.events[0].cause, WEIR_CAUSE_CAPTURE);
    assert_int_equal(weir_detector_stats(site.detector)->trials_frozen, 72);
    for (int i = 0; i < 6; i++) {
        struct weir_detect_window window = {.start_us = site.slot_us};
        weir_detector_window(site.detector, &window);
        if (i == 0) {
            weir_detector_finish(site.detector, site.slot_us);
            assert_non_null(strstr(site_last(&site, WEIR_INCIDENT_UPDATED)->text,
                                   "5.0 % of packets were lost before weir"));
        }
        site_healthy(&site, 1, 3);
    }
    const struct weir_incident *cleared = site_last(&site, WEIR_INCIDENT_CLEARED);
    assert_non_null(cleared);
    /* the first whole window's begin */
    assert_in_range((int)site_seconds(&site, cleared->recovered_us), 230, 240);
}

/* A link is down for three seconds, from the second tick of a slot on; `again`: and once more five
 * seconds later. */
static void lose_link(bool again) {
    for (int tick = 1; tick <= 10; tick++) {
        int64_t now_us = site.slot_us + tick * SECOND;
        struct weir_detect_sight sight = {.since_us = now_us};
        if ((tick >= 2 && tick < 5) || (again && tick >= 8)) {
            sight = (struct weir_detect_sight){.blindness = WEIR_BLIND_LINK_DOWN,
                                               .since_us = site.slot_us + 2 * SECOND};
            strcpy(sight.where, "eth7");
        }
        if (tick == 10) {
            struct weir_detect_window window = {.start_us = site.slot_us};
            weir_detector_window(site.detector, &window);
        }
        weir_detector_sight(site.detector, &sight);
        weir_detector_step(site.detector, now_us);
        struct weir_slot slot = {.start_us = site.slot_us};
        if (tick == 10) weir_detector_slot(site.detector, &slot, true);
    }
    site.slot_us += WEIR_SLOT_US;
}

static void sight_that_is_back_is_told_at_once(void **state) {
    site_healthy(&site, 12, 3);
    weir_detector_slot(site.detector, &(struct weir_slot){.start_us = site.slot_us}, false);
    lose_link(false);
    assert_int_equal(site.n_events, 2);
    assert_int_equal(site.events[0].event, WEIR_INCIDENT_RAISED);
    assert_true(site.events[0].probability == 1);
    assert_non_null(strstr(site.events[0].text, "interface eth7 is down, or has no carrier."));
    assert_int_equal(site.events[1].event, WEIR_INCIDENT_UPDATED);
    assert_true(site_seconds(&site, site.events[1].ts_us) == 125);
    assert_non_null(strstr(
        site.events[1].text,
        "interface eth7 is back since 15:08:45 UTC; judged again after 60 s of whole capture."));
    weir_detector_finish(site.detector, site.slot_us);
    assert_non_null(
        strstr(site.events[2].text, "interface eth7 is back since")); /* its reason is remembered */
    for (int i = 0; i < 6; i++) {
        struct weir_detect_window window = {.start_us = site.slot_us};
        weir_detector_window(site.detector, &window);
        site_healthy(&site, 1, 3);
    }
    const struct weir_incident *cleared = site_last(&site, WEIR_INCIDENT_CLEARED);
    assert_non_null(cleared);
    assert_true(site_seconds(&site, cleared->onset_us) == 122 &&
                site_seconds(&site, cleared->recovered_us) == 125);
    assert_non_null(strstr(cleared->text,
                           "The capture was incomplete from 15:08:42 to 15:08:45 UTC, for 3 s."));
    assert_int_equal(site.n_events, 4);
}

/* A link that goes up and down is told of once a slot. */
static void a_link_up_and_down(void **state) {
    site_healthy(&site, 12, 3);
    weir_detector_slot(site.detector, &(struct weir_slot){.start_us = site.slot_us}, false);
    for (int i = 0; i < 6; i++) lose_link(true);
    assert_int_equal(site_count(&site, WEIR_INCIDENT_RAISED), 1);
    assert_in_range(site_count(&site, WEIR_INCIDENT_UPDATED), 2, 7);
    assert_int_equal(site_count(&site, WEIR_INCIDENT_CLEARED), 0);
}

static void taken_back_failures(void **state) {
    site_healthy(&site, 12, 3);
    /* every slot begins with a failure that its retry takes back; seen tick by tick */
    for (int i = 0; i < 30; i++) {
        struct weir_trial trials[2];
        for (unsigned client = 0; client < 2; client++)
            trials[client] = *site_fail(&site, NETFLIX, WEIR_LAYER_CONNECT, client, 1, 1);
        site.n = 0;
        struct weir_slot open = {.start_us = site.slot_us, .trials = trials, .n_trials = 2};
        weir_detector_slot(site.detector, &open, false);
        weir_detector_step(site.detector, site.slot_us + 2 * SECOND);
        site_rest(&site, 3, 1, true);
        site_slot(&site);
    }
    assert_int_equal(site.n_events, 0);
}

/* Three clients in a window of two services each; client 0 loses `beyond` of 1,000 packets on the
 * last stretch, `before` before. */
static void links_window(uint32_t beyond, uint32_t before, uint32_t others) {
    struct weir_client_link links[3];
    for (unsigned i = 0; i < 3; i++)
        links[i] = (struct weir_client_link){.client = site_client(i),
                                             .services = {1u << NETFLIX | 1u << YOUTUBE},
                                             .segments_down = 1000,
                                             .lost_beyond = i ? others : beyond,
                                             .lost_before = i ? 0 : before};
    struct weir_detect_window window = {
        .start_us = site.slot_us - WEIR_SLOT_US, .links = links, .n_links = 3};
    weir_detector_window(site.detector, &window);
}

/* A tenth is lost to one client alone: its own link, after two windows, and no service; not where
 * all lose, nor behind a hole. */
static void one_clients_link(void **state) {
    static const struct {
        uint32_t beyond, before, others;
        bool raised;
    } rows[] = {{100, 0, 1, true},
                {250, 5, 10, true},
                {40, 0, 1, false},
                {100, 60, 1, false},
                {100, 0, 90, false}};
    for (size_t row = 0; row < sizeof rows / sizeof *rows; row++) {
        site_end(&site);
        site_begin(&site);
        site_healthy(&site, 12, 3);
        for (int i = 0; i < 3; i++) {
            site_healthy(&site, 1, 3);
            links_window(rows[row].beyond, rows[row].before, rows[row].others);
        }
        site_healthy(&site, 1, 3);
        assert_int_equal(site_count(&site, WEIR_INCIDENT_RAISED), rows[row].raised);
        if (!rows[row].raised) continue;
        const struct weir_incident *raised = site_last(&site, WEIR_INCIDENT_RAISED);
        assert_true(raised->cause == WEIR_CAUSE_CLIENT && raised->state == WEIR_STATE_DEGRADED &&
                    raised->service == WEIR_SERVICE_NONE);
        assert_int_equal(raised->link.lost_beyond, rows[row].beyond);
        for (int i = 0; i < 9; i++) {
            site_healthy(&site, 1, 3);
            links_window(5, 0, 1);
        }
        assert_int_equal(site_count(&site, WEIR_INCIDENT_CLEARED), 1);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SCENARIO(never_healthy_service),      SCENARIO(begins_in_an_outage),
        SCENARIO(outage_after_three_trials),  SCENARIO(dead_alternative_prefix),
        SCENARIO(on_and_off_is_one_incident), SCENARIO(one_clients_link),
        SCENARIO(capture_drops_freeze),       SCENARIO(sight_that_is_back_is_told_at_once),
        SCENARIO(a_link_up_and_down),         SCENARIO(taken_back_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
