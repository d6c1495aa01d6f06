/* The scenarios at the level of trials: each cause, its scope, its onset; and what must not alarm.
 */
#undef NDEBUG
#include <assert.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "site.h"

static struct site site;

static int begin(void **state) {
    site_begin(&site);
    return 0;
}

static int end(void **state) {
    site_end(&site);
    return 0;
}

static void rest_of_site(unsigned clients, unsigned netflix_prefixes, bool other) {
    if (netflix_prefixes & 1) site_well(&site, NETFLIX, 1, clients);
    if (netflix_prefixes & 2) site_well(&site, NETFLIX, 2, clients);
    site_well(&site, YOUTUBE, 3, clients);
    for (unsigned client = 0; other && client < clients; client++)
        site_ok(&site, WEIR_SERVICE_OTHER, WEIR_LAYER_CONNECT, client, 9, 3);
}

static void service_is_down(void **state) {
    site_healthy(&site, 12, 3);
    assert_int_equal(site.n_events, 0);
    assert_int_equal(weir_detector_state(site.detector, NETFLIX), WEIR_STATE_HEALTHY);
    for (int i = 0; i < 3; i++) { /* from 120 s on: SYNs begin at 121, are given up at 124 */
        site_sick(&site, NETFLIX, 1, 3);
        site_sick(&site, NETFLIX, 2, 3);
        rest_of_site(3, 0, true);
        site_slot(&site);
    }
    const struct weir_incident *raised = site_last(&site, WEIR_INCIDENT_RAISED);
    assert_non_null(raised);
    assert_int_equal(site_count(&site, WEIR_INCIDENT_RAISED), 1);
    assert_int_equal(raised->service, NETFLIX);
    assert_int_equal(raised->cause, WEIR_CAUSE_SERVICE);
    assert_int_equal(raised->state, WEIR_STATE_DOWN);
    assert_int_equal(raised->layer, WEIR_LAYER_CONNECT);
    assert_true(site_seconds(&site, raised->onset_us) == 121);
    assert_true(site_seconds(&site, raised->ts_us) <= 126);
    assert_int_equal(raised->confidence, WEIR_CONFIDENCE_LOW); /* few trials as yet */
    assert_string_equal(raised->id, "netflix-1750000121000");
    assert_int_equal(raised->n_clients, 3);
    assert_int_equal(raised->controls.fail, 0);
    const struct weir_incident *updated = site_last(&site, WEIR_INCIDENT_UPDATED);
    assert_non_null(updated);
    assert_int_equal(updated->state, WEIR_STATE_DOWN);
    assert_int_equal(updated->confidence, WEIR_CONFIDENCE_HIGH);
    assert_string_equal(updated->id, raised->id);
    assert_int_equal(updated->kinds[WEIR_OUTCOME_SYN_TIMEOUT], updated->trials.fail);
    assert_int_equal(weir_detector_state(site.detector, NETFLIX), WEIR_STATE_DOWN);
    assert_int_equal(weir_detector_state(site.detector, YOUTUBE), WEIR_STATE_HEALTHY);
    assert_non_null(
        strstr(updated->text, "netflix is down since 15:08:41 UTC for 3 of 3 clients: 0 of "));
    assert_non_null(strstr(updated->text, "SYNs unanswered"));
    assert_non_null(strstr(updated->text, "not your uplink"));
}

static void recovery_clears(void **state) {
    service_is_down(state);
    size_t before = site.n_events;
    site_healthy(&site, 12, 3);
    assert_int_equal(site_count(&site, WEIR_INCIDENT_CLEARED), 1);
    assert_int_equal(site.events[site.n_events - 1].event, WEIR_INCIDENT_CLEARED);
    assert_int_equal(site.n_events, before + 1); /* no "partial" on the way */
    assert_int_equal(weir_detector_state(site.detector, NETFLIX), WEIR_STATE_HEALTHY);
    double took = site_seconds(&site, site.events[before].cleared_us) - 150;
    assert_true(took >= 30 && took <= 60);
    assert_non_null(strstr(site.events[before].text, "well again"));
}

static void uplink_is_one_incident(void **state) {
    site_healthy(&site, 12, 3);
    for (int i = 0; i < 6; i++) {
        site_sick(&site, NETFLIX, 1, 3);
        site_sick(&site, YOUTUBE, 3, 3);
        for (unsigned client = 0; client < 3; client++) {
            site_fail(&site, WEIR_SERVICE_OTHER, WEIR_LAYER_CONNECT, client, 9, 4.5);
            site_fail(&site, NETFLIX, WEIR_LAYER_DNS, client, 53, 5);
            site_fail(&site, WEIR_SERVICE_OTHER, WEIR_LAYER_DNS, client, 53, 5);
        }
        site_slot(&site);
    }
    assert_int_equal(site_count(&site, WEIR_INCIDENT_RAISED), 1);
    const struct weir_incident *raised = site_last(&site, WEIR_INCIDENT_RAISED);
    assert_int_equal(raised->cause, WEIR_CAUSE_UPLINK);
    assert_int_equal(raised->service, WEIR_SERVICE_NONE);
    assert_int_equal(raised->state, WEIR_STATE_DOWN);
    assert_int_equal(weir_detector_state(site.detector, NETFLIX), WEIR_STATE_DOWN);
    site_healthy(&site, 15, 3);
    assert_int_equal(site_count(&site, WEIR_INCIDENT_RAISED), 1);
    assert_int_equal(site_count(&site, WEIR_INCIDENT_CLEARED), 1);
}

/* After the uplink nobody looks hulu's name up any more; its lookups failed with the uplink and do
 * not leave it suspect. Twitch's requests fail on: that is its own. */
static void what_failed_with_the_uplink_is_forgotten(void **state) {
    for (int i = 0; i < 48 && !site_count(&site, WEIR_INCIDENT_CLEARED); i++) {
        bool before = i < 12, down = i >= 12 && i < 18;
        for (unsigned client = 0; client < 3; client++) {
            if (before) site_ok(&site, HULU, WEIR_LAYER_DNS, client, 53, 0.8);
            if (i == 12 && client < 2) site_fail(&site, HULU, WEIR_LAYER_DNS, client, 53, 9);
            if (down && i > 12)
                site_fail(&site, WEIR_SERVICE_OTHER, WEIR_LAYER_CONNECT, client, 9, 4.5);
        }
        if (i == 12) { /* the uplink's first seconds */
            site_slot(&site);
            assert_int_equal(weir_detector_state(site.detector, HULU), WEIR_STATE_SUSPECT);
            continue;
        }
        (before ? site_well : site_sick)(&site, TWITCH, 6, before ? 3 : 1);
        if (!down) site_well(&site, HULU, 5, 3);
        if (down) {
            site_sick(&site, NETFLIX, 1, 3);
            site_sick(&site, YOUTUBE, 3, 3);
            site_slot(&site);
        } else
            site_healthy(&site, 1, 3);
    }
    const struct weir_incident *cleared = site_last(&site, WEIR_INCIDENT_CLEARED);
    assert_non_null(cleared);
    assert_int_equal(cleared->cause, WEIR_CAUSE_UPLINK);
    assert_int_equal(weir_detector_state(site.detector, HULU), WEIR_STATE_HEALTHY);
    assert_int_equal(weir_detector_state(site.detector, YOUTUBE), WEIR_STATE_HEALTHY);
    assert_true(weir_detector_state(site.detector, TWITCH) != WEIR_STATE_HEALTHY);
}

/* Only netflix is used when the uplink dies; the rest is tried a minute later. */
static void service_turns_out_to_be_the_uplink(void **state) {
    site_healthy(&site, 12, 3);
    for (int i = 0; i < 6; i++) {
        site_sick(&site, NETFLIX, 1, 3);
        site_sick(&site, NETFLIX, 2, 3);
        site_slot(&site);
    }
    assert_int_equal(site_count(&site, WEIR_INCIDENT_RAISED), 1);
    assert_int_equal(site_last(&site, WEIR_INCIDENT_RAISED)->cause, WEIR_CAUSE_SERVICE);
    assert_int_equal(site_last(&site, WEIR_INCIDENT_RAISED)->alternatives[0].cause,
                     WEIR_CAUSE_UPLINK);
    assert_int_equal(site_last(&site, WEIR_INCIDENT_RAISED)->confidence, WEIR_CONFIDENCE_LOW);
    for (int i = 0; i < 6; i++) {
        site_sick(&site, NETFLIX, 1, 3);
        site_sick(&site, YOUTUBE, 3, 3);
        for (unsigned client = 0; client < 3; client++)
            site_fail(&site, WEIR_SERVICE_OTHER, WEIR_LAYER_CONNECT, client, 9, 4.5);
        site_slot(&site);
    }
    assert_int_equal(site_count(&site, WEIR_INCIDENT_RAISED), 1);
    const struct weir_incident *updated = site_last(&site, WEIR_INCIDENT_UPDATED);
    assert_int_equal(updated->cause, WEIR_CAUSE_UPLINK);
    assert_int_equal(updated->service, WEIR_SERVICE_NONE);
    assert_string_equal(updated->id, site_last(&site, WEIR_INCIDENT_RAISED)->id);
    site_healthy(&site, 15, 3);
    assert_int_equal(site_count(&site, WEIR_INCIDENT_CLEARED), 1);
}

static void resolver_is_dead(void **state) {
    site_healthy(&site, 12, 3);
    for (int i = 0; i < 6; i++) {
        rest_of_site(3, 3, true); /* cached names go on */
        for (unsigned client = 0; client < 3; client++) {
            site_fail(&site, NETFLIX, WEIR_LAYER_DNS, client, 53, 5);
            site_fail(&site, YOUTUBE, WEIR_LAYER_DNS, client, 53, 5.5);
            site_fail(&site, WEIR_SERVICE_OTHER, WEIR_LAYER_DNS, client, 53, 6);
        }
        site_slot(&site);
    }
    assert_int_equal(site_count(&site, WEIR_INCIDENT_RAISED), 1);
    const struct weir_incident *raised = site_last(&site, WEIR_INCIDENT_RAISED);
    assert_int_equal(raised->cause, WEIR_CAUSE_DNS_RESOLVER);
    assert_int_equal(raised->service, WEIR_SERVICE_NONE);
    assert_int_equal(raised->layer, WEIR_LAYER_DNS);
    struct weir_addr resolver = site_prefix(53);
    assert_int_equal(weir_addr_compare(&raised->prefixes[0], &resolver), 0);
    assert_non_null(strstr(raised->text, "The DNS resolver 198.18.53.0 is down"));
    site_healthy(&site, 12, 3);
    assert_int_equal(site_count(&site, WEIR_INCIDENT_CLEARED), 1);
}

/* Only names fail yet; but while clients send to two services nothing at all is heard any more: not
 * the resolver, the uplink. */
static void nothing_is_heard(void **state) {
    const uint64_t asking[WEIR_SERVICES_MAX / 64] = {UINT64_C(1) << NETFLIX | UINT64_C(1)
                                                                                  << YOUTUBE};
    for (int i = 0; i < 12; i++) {
        weir_detector_traffic(site.detector, site.slot_us, true, asking);
        site_healthy(&site, 1, 3);
    }
    for (int i = 0; i < 3; i++) {
        for (unsigned client = 0; client < 3; client++) {
            site_fail(&site, NETFLIX, WEIR_LAYER_DNS, client, 53, 5);
            site_fail(&site, YOUTUBE, WEIR_LAYER_DNS, client, 53, 5.5);
            site_fail(&site, WEIR_SERVICE_OTHER, WEIR_LAYER_DNS, client, 53, 6);
        }
        weir_detector_traffic(site.detector, site.slot_us, false, asking);
        site_slot(&site);
    }
    assert_int_equal(site_count(&site, WEIR_INCIDENT_RAISED), 1);
    assert_int_equal(site_last(&site, WEIR_INCIDENT_RAISED)->cause, WEIR_CAUSE_UPLINK);
}

/* Three requests hang and three connections don't come about: neither is enough by itself. */
static void two_layers_together(void **state) {
    site_healthy(&site, 12, 3);
    for (unsigned client = 0; client < 3; client++) {
        site_fail(&site, NETFLIX, WEIR_LAYER_SERVE, client, 1 + client % 2, 6);
        site_fail(&site, NETFLIX, WEIR_LAYER_CONNECT, client, 1 + client % 2, 6.5)->first_us -=
            3 * SECOND;
        site_ok(&site, YOUTUBE, WEIR_LAYER_CONNECT, client, 3, 7);
    }
    site_slot(&site);
    assert_int_equal(site_count(&site, WEIR_INCIDENT_RAISED), 1);
    const struct weir_incident *raised = site_last(&site, WEIR_INCIDENT_RAISED);
    assert_true(raised->pooled && raised->trials.total == 6 && raised->cause == WEIR_CAUSE_SERVICE);
    assert_non_null(strstr(raised->text, "0 of 6 connection and request trials useful"));
}

/* Lookups of a client without any other trial (its connections are IPv6): SERVFAIL came all the way
 * to it, silence did not. */
static void answers_weigh_in_full(void **state) {
    double evidence[2];
    for (int servfail = 0; servfail < 2; servfail++) {
        end(state);
        begin(state);
        site_healthy(&site, 12, 3);
        rest_of_site(3, 3, true);
        site_fail(&site, NETFLIX, WEIR_LAYER_DNS, 100, 53, 5)->kind =
            servfail ? WEIR_OUTCOME_DNS_SERVFAIL : WEIR_OUTCOME_DNS_TIMEOUT;
        site_slot(&site);
        evidence[servfail] =
            site.detector->services[NETFLIX].layer[WEIR_LAYER_DNS].committed.hard.s;
    }
    assert_true(evidence[0] > 0 && evidence[1] > 1.8 * evidence[0]);
}

static void names_of_one_service_fail(void **state) {
    site_healthy(&site, 12, 3);
    for (int i = 0; i < 4; i++) {
        rest_of_site(3, 3, true);
        for (unsigned client = 0; client < 3; client++) {
            site_fail(&site, NETFLIX, WEIR_LAYER_DNS, client, 53, 5)->kind =
                WEIR_OUTCOME_DNS_SERVFAIL;
            site_ok(&site, YOUTUBE, WEIR_LAYER_DNS, client, 53, 5.5);
            site_ok(&site, WEIR_SERVICE_OTHER, WEIR_LAYER_DNS, client, 53, 6);
        }
        site_slot(&site);
    }
    assert_int_equal(site_count(&site, WEIR_INCIDENT_RAISED), 1);
    assert_int_equal(site_last(&site, WEIR_INCIDENT_RAISED)->cause, WEIR_CAUSE_DNS_SERVICE);
    assert_int_equal(site_last(&site, WEIR_INCIDENT_RAISED)->service, NETFLIX);
}

static void one_client_fails(void **state) {
    site_healthy(&site, 12, 3);
    for (int i = 0; i < 12; i++) { /* client 0 fails at netflix, its other trials are fine */
        site_sick(&site, NETFLIX, 1, 1);
        site_sick(&site, NETFLIX, 2, 1);
        for (unsigned client = 1; client < 3; client++) {
            site_ok(&site, NETFLIX, WEIR_LAYER_CONNECT, client, 1, 2);
            site_ok(&site, NETFLIX, WEIR_LAYER_CONNECT, client, 2, 2);
        }
        rest_of_site(3, 0, true);
        site_slot(&site);
    }
    for (size_t i = 0; i < site.n_events; i++)
        assert_int_equal(site.events[i].cause, WEIR_CAUSE_CLIENT);
    assert_int_not_equal(weir_detector_state(site.detector, NETFLIX), WEIR_STATE_DOWN);
}

/* The others are idle at netflix for a while: then the failures of one client get over h, and
 * Fisher's test says whose they are. */
static void one_client_fails_alone(void **state) {
    site_healthy(&site, 12, 3);
    for (int i = 0; i < 12; i++) {
        site_sick(&site, NETFLIX, 1, 1);
        site_sick(&site, NETFLIX, 2, 1);
        if (i % 3 == 0) site_ok(&site, NETFLIX, WEIR_LAYER_CONNECT, 1 + i / 3 % 2, 1, 2);
        rest_of_site(3, 0, true);
        site_slot(&site);
    }
    assert_int_equal(site_count(&site, WEIR_INCIDENT_RAISED), 1);
    const struct weir_incident *raised = site_last(&site, WEIR_INCIDENT_RAISED),
                               *updated = site_last(&site, WEIR_INCIDENT_UPDATED);
    /* while it is the only one to have tried */
    assert_int_equal(raised->confidence, WEIR_CONFIDENCE_LOW);
    assert_string_equal(updated->id, raised->id);
    assert_int_equal(updated->cause, WEIR_CAUSE_CLIENT);
    assert_int_equal(updated->service, WEIR_SERVICE_NONE);
    struct weir_addr client = site_client(0);
    assert_int_equal(weir_addr_compare(&updated->clients[0], &client), 0);
    assert_null(strstr(updated->text, "192.168")); /* no client's address in text */
    site_healthy(&site, 15, 3);
    assert_int_equal(site_count(&site, WEIR_INCIDENT_CLEARED), 1);
}

static void one_prefix_fails(void **state) {
    site_healthy(&site, 12, 3);
    for (int i = 0; i < 4; i++) {
        site_sick(&site, NETFLIX, 1, 3);
        rest_of_site(3, 2, true);
        site_slot(&site);
    }
    const struct weir_incident *raised = site_last(&site, WEIR_INCIDENT_RAISED);
    assert_non_null(raised);
    assert_int_equal(site_count(&site, WEIR_INCIDENT_RAISED), 1);
    assert_int_equal(raised->cause, WEIR_CAUSE_CDN_PATH);
    assert_int_equal(raised->service, NETFLIX);
    assert_int_equal(raised->n_prefixes, 1);
    struct weir_addr prefix = site_prefix(1);
    assert_int_equal(weir_addr_compare(&raised->prefixes[0], &prefix), 0);
    assert_int_not_equal(weir_detector_state(site.detector, NETFLIX), WEIR_STATE_DOWN);
}

static void shared_cdn(void **state) {
    for (int i = 0; i < 12; i++) { /* hulu lives on netflix' prefix 1, too */
        site_well(&site, HULU, 1, 3);
        site_well(&site, HULU, 5, 3);
        site_healthy(&site, 1, 3);
    }
    for (int i = 0; i < 4; i++) {
        site_sick(&site, NETFLIX, 1, 3);
        site_sick(&site, HULU, 1, 3);
        site_well(&site, HULU, 5, 3);
        rest_of_site(3, 2, true);
        site_slot(&site);
    }
    assert_int_equal(site_count(&site, WEIR_INCIDENT_RAISED), 2);
    bool seen[N_SITE_SERVICES] = {false};
    for (size_t i = 0; i < site.n_events; i++)
        if (site.events[i].cause == WEIR_CAUSE_CDN) seen[site.events[i].service] = true;
    assert_true(seen[NETFLIX] && seen[HULU]);
    for (size_t i = 0; i < site.n_events; i++)
        assert_int_not_equal(site.events[i].cause, WEIR_CAUSE_UPLINK);
}

static void quic_is_blocked(void **state) {
    site_healthy(&site, 12, 3);
    for (int i = 0; i < 6; i++) {
        rest_of_site(3, 3, true);
        for (unsigned client = 0; client < 3; client++)
            site_fail(&site, YOUTUBE, WEIR_LAYER_QUIC, client, 3, 4)->quic_fell_back = true;
        site_slot(&site);
    }
    const struct weir_incident *raised = site_last(&site, WEIR_INCIDENT_RAISED);
    assert_non_null(raised);
    assert_int_equal(site_count(&site, WEIR_INCIDENT_RAISED), 1);
    assert_int_equal(raised->cause, WEIR_CAUSE_QUIC_BLOCKED);
    assert_int_equal(raised->state, WEIR_STATE_DEGRADED);
    assert_int_equal(raised->service, YOUTUBE);
    assert_int_equal(raised->layer, WEIR_LAYER_QUIC);
}

/* 30 % of new connections are lost; retries make most slots mixed. */
static void partial_by_mixed_slots(void **state) {
    site_healthy(&site, 12, 3);
    for (unsigned i = 0; i < 30; i++) {
        for (unsigned client = 0; client < 3; client++) {
            if (client == i % 3)
                site_mixed(&site, NETFLIX, WEIR_LAYER_CONNECT, client, 1 + i / 3 % 2, 4);
            else
                site_ok(&site, NETFLIX, WEIR_LAYER_CONNECT, client, 1 + i / 3 % 2, 2);
        }
        rest_of_site(3, 0, true);
        site_slot(&site);
    }
    const struct weir_incident *raised = site_last(&site, WEIR_INCIDENT_RAISED);
    assert_non_null(raised);
    assert_int_equal(site_count(&site, WEIR_INCIDENT_RAISED), 1);
    assert_int_equal(raised->service, NETFLIX);
    assert_int_equal(raised->state, WEIR_STATE_PARTIAL);
    assert_int_equal(raised->cause, WEIR_CAUSE_SERVICE);
    assert_int_equal(weir_detector_state(site.detector, NETFLIX), WEIR_STATE_PARTIAL);
}

static void never_healthy_service(void **state) {
    for (int i = 0; i < 60; i++) { /* names resolve, connections never do */
        rest_of_site(3, 0, true);
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
        rest_of_site(3, 0, true);
        site_sick(&site, NETFLIX, 1, 3);
        site_slot(&site);
    }
    assert_int_equal(site_count(&site, WEIR_INCIDENT_RAISED), 1);
}

static void dead_alternative_prefix(void **state) {
    for (int i = 0; i < 60; i++) { /* one prefix never worked; clients fall back to the other */
        site_healthy(&site, 0, 3);
        rest_of_site(3, 1, true);
        site_sick(&site, NETFLIX, 7, 3);
        site_slot(&site);
    }
    assert_int_equal(site.n_events, 0);
}

/* A device knocks at a dead server all night, alone. */
static void dead_server_at_night(void **state) {
    site_healthy(&site, 30, 3);
    for (int i = 0; i < 360; i++) {
        site_fail(&site, WEIR_SERVICE_OTHER, WEIR_LAYER_CONNECT, 2, 10, 4);
        if (i % 30 == 0) site_ok(&site, WEIR_SERVICE_OTHER, WEIR_LAYER_CONNECT, 1, 9, 4);
        site_slot(&site);
    }
    assert_int_equal(site.n_events, 0);
    assert_int_equal(weir_detector_state(site.detector, NETFLIX), WEIR_STATE_UNKNOWN);
}

static void on_and_off_is_one_incident(void **state) {
    site_healthy(&site, 12, 3);
    for (int round = 0; round < 5; round++) {
        for (int i = 0; i < 6; i++) {
            site_sick(&site, NETFLIX, 1, 3);
            site_sick(&site, NETFLIX, 2, 3);
            rest_of_site(3, 0, true);
            site_slot(&site);
        }
        site_healthy(&site, 6, 3);
    }
    assert_int_equal(site_count(&site, WEIR_INCIDENT_RAISED), 1);
    for (size_t i = 0; i < site.n_events; i++)
        assert_string_equal(site.events[i].id, site.events[0].id);
}

static void a_single_client(void **state) {
    site_healthy(&site, 12, 1);
    for (int i = 0; i < 6; i++) {
        site_sick(&site, NETFLIX, 1, 1);
        site_sick(&site, NETFLIX, 2, 1);
        rest_of_site(1, 0, true);
        site_slot(&site);
    }
    const struct weir_incident *raised = site_last(&site, WEIR_INCIDENT_RAISED);
    assert_non_null(raised);
    assert_int_equal(raised->cause, WEIR_CAUSE_SERVICE);
    assert_int_equal(raised->confidence, WEIR_CONFIDENCE_LOW);
    assert_non_null(strstr(raised->text, "Seen by one client"));
}

static void starved_is_degraded(void **state) {
    site_healthy(&site, 12, 3);
    for (int i = 0; i < 6; i++) {
        for (unsigned client = 0; client < 3; client++) {
            site_ok(&site, NETFLIX, WEIR_LAYER_CONNECT, client, 1 + client % 2, 1);
            site_fail(&site, NETFLIX, WEIR_LAYER_SERVE, client, 1 + client % 2, 5)->kind =
                WEIR_OUTCOME_STARVED;
        }
        site_well(&site, YOUTUBE, 3, 3);
        site_slot(&site);
    }
    const struct weir_incident *raised = site_last(&site, WEIR_INCIDENT_RAISED);
    assert_non_null(raised);
    assert_int_equal(raised->state, WEIR_STATE_DEGRADED);
    assert_int_equal(raised->cause, WEIR_CAUSE_SERVICE);
    assert_int_equal(raised->layer, WEIR_LAYER_SERVE);
}

static void congestion_is_the_uplinks(void **state) {
    site_healthy(&site, 12, 3);
    for (int i = 0; i < 6; i++) {
        for (unsigned client = 0; client < 3; client++) {
            site_ok(&site, WEIR_SERVICE_OTHER, WEIR_LAYER_CONNECT, client, 9, 1);
            site_fail(&site, NETFLIX, WEIR_LAYER_SERVE, client, 1, 5)->kind = WEIR_OUTCOME_STARVED;
            site_fail(&site, YOUTUBE, WEIR_LAYER_SERVE, client, 3, 5)->kind = WEIR_OUTCOME_STARVED;
        }
        struct weir_demand demand = {.open = 3, .clients_open = 3, .clients_starved = 3};
        demand.service = NETFLIX;
        weir_detector_demand(site.detector, &demand);
        demand.service = YOUTUBE;
        weir_detector_demand(site.detector, &demand);
        site_slot(&site);
    }
    assert_int_equal(site_count(&site, WEIR_INCIDENT_RAISED), 1);
    assert_int_equal(site_last(&site, WEIR_INCIDENT_RAISED)->cause, WEIR_CAUSE_UPLINK);
    assert_int_equal(site_last(&site, WEIR_INCIDENT_RAISED)->state, WEIR_STATE_DEGRADED);
}

/* Two services hang, a third was served up to the end of the slot: a new slot in which nobody has
 * asked yet proves nothing. */
static void served_until_the_slots_end(void **state) {
    site_healthy(&site, 12, 3);
    for (size_t id = NETFLIX; id <= HULU; id++) {
        struct weir_demand demand = {.service = (weir_service_id)id,
                                     .open = 3,
                                     .clients_open = 3,
                                     .clients_starved = id == NETFLIX ? 0 : 3};
        weir_detector_demand(site.detector, &demand);
    }
    struct weir_slot empty = {.start_us = site.slot_us + WEIR_SLOT_US};
    weir_detector_slot(site.detector, &empty, false);
    weir_detector_step(site.detector, empty.start_us + SECOND);
    assert_int_equal(site.detector->congested_us, 0);
}

/* One client is at home. Five trials failed and one elsewhere was useful: the service leads by 1.85
 * nat, and 3 are asked for. With a lookup that was answered, of whatever name, by 3.09 (contest.c
 * has the numbers). */
static void an_answered_lookup_is_a_witness(void **state) {
    for (int answered = 0; answered < 2; answered++) {
        site_end(&site);
        site_begin(&site);
        site_healthy(&site, 12, 1);
        for (unsigned i = 0; i < 5; i++) {
            site_fail(&site, NETFLIX, WEIR_LAYER_SERVE, 0, 1 + i % 2, 6);
            if (i == 0) site_ok(&site, WEIR_SERVICE_OTHER, WEIR_LAYER_CONNECT, 0, 9, 8);
            if (i == 0 && answered) site_ok(&site, WEIR_SERVICE_OTHER, WEIR_LAYER_DNS, 0, 53, 7.9);
            site_slot(&site);
        }
        assert_int_equal(site_count(&site, WEIR_INCIDENT_RAISED), answered);
    }
    assert_int_equal(site_last(&site, WEIR_INCIDENT_RAISED)->cause, WEIR_CAUSE_SERVICE);
}

/* The low decile of round-trip times to the servers of those three in the open slot's window, ms.
 */
static void delays(double netflix, double youtube, double other) {
    struct weir_detect_service_window services[] = {
        {.service = WEIR_SERVICE_OTHER}, {.service = NETFLIX}, {.service = YOUTUBE}};
    const double ms[] = {other, netflix, youtube};
    for (int i = 0; i < 3; i++) {
        services[i].loss_beyond = services[i].loss_before = -1;
        services[i].value[WEIR_CONTINUOUS_RTT_SERVER].value = ms[i] * 1000;
        services[i].value[WEIR_CONTINUOUS_RTT_SERVER].samples = 20;
    }
    struct weir_detect_window window = {
        .start_us = site.slot_us - WEIR_SLOT_US, .services = services, .n_services = 3};
    weir_detector_window(site.detector, &window);
}

/* One service starves, the others do not, or not yet. Which of them waits in a queue says whose it
 * is: 20 ms before; 3 x and 20 ms above. Half of the others isn't most of them. */
static void first_to_starve(void **state) {
    static const struct {
        double netflix, youtube, other;
        enum weir_cause cause;
    } cases[] = {{200, 200, 200, WEIR_CAUSE_UPLINK}, {200, 20, 20, WEIR_CAUSE_SERVICE},
                 {200, 59, 59, WEIR_CAUSE_SERVICE},  {200, 200, 20, WEIR_CAUSE_SERVICE},
                 {61, 61, 61, WEIR_CAUSE_UPLINK},    {20, 200, 200, WEIR_CAUSE_SERVICE}};
    for (size_t at = 0; at < sizeof cases / sizeof *cases; at++) {
        site_end(&site);
        site_begin(&site);
        for (int i = 0; i < 4; i++) {
            site_healthy(&site, 3, 3);
            delays(20, 20, 20);
        }
        for (int i = 0; i < 3; i++) {
            for (unsigned client = 0; client < 3; client++) {
                site_ok(&site, WEIR_SERVICE_OTHER, WEIR_LAYER_CONNECT, client, 9, 1);
                site_ok(&site, YOUTUBE, WEIR_LAYER_SERVE, client, 3, 2);
                if (i > 0)
                    site_fail(&site, NETFLIX, WEIR_LAYER_SERVE, client, 1 + client % 2, 5)->kind =
                        WEIR_OUTCOME_STARVED;
            }
            site_slot(&site);
            delays(cases[at].netflix, cases[at].youtube, cases[at].other);
        }
        assert_int_equal(site_count(&site, WEIR_INCIDENT_RAISED), 1);
        assert_int_equal(site_last(&site, WEIR_INCIDENT_RAISED)->cause, cases[at].cause);
        assert_int_equal(site_last(&site, WEIR_INCIDENT_RAISED)->state, WEIR_STATE_DEGRADED);
    }
}

/* Two clients, 20 s: three failures, 10.8 < 14; in a total freeze they weigh more. */
static void short_total_freeze(void **state) {
    for (int with = 0; with < 2; with++) {
        site_end(&site);
        site_begin(&site);
        site_healthy(&site, 12, 2);
        for (int i = 0; i < 2; i++) {
            for (unsigned client = 0; client < 2 - (unsigned)i; client++)
                site_fail(&site, NETFLIX, WEIR_LAYER_SERVE, client, 1, 6);
            site_well(&site, YOUTUBE, 3, 2);
            struct weir_slot empty = {.start_us = site.slot_us};
            weir_detector_slot(site.detector, &empty, false);
            struct weir_demand demand = {.service = NETFLIX,
                                         .open = 2,
                                         .overdue = 2,
                                         .clients_overdue = 2,
                                         .clients_open = 2,
                                         .clients_starved = 2};
            if (with) weir_detector_demand(site.detector, &demand);
            site_slot(&site);
        }
        assert_int_equal(site_count(&site, WEIR_INCIDENT_RAISED), with);
    }
    assert_int_equal(site_last(&site, WEIR_INCIDENT_RAISED)->layer, WEIR_LAYER_SERVE);
}

/* The slot ended, and nobody knows yet whether the requests will be answered: they go on in the
 * next, and weigh what they weighed. */
static void freeze_over_the_slots_end(void **state) {
    site_healthy(&site, 12, 2);
    struct weir_demand demand = {.service = NETFLIX,
                                 .open = 2,
                                 .overdue = 2,
                                 .clients_overdue = 2,
                                 .clients_open = 2,
                                 .clients_starved = 2};
    struct weir_slot empty = {.start_us = site.slot_us};
    weir_detector_slot(site.detector, &empty, false);
    weir_detector_demand(site.detector, &demand);
    site_well(&site, YOUTUBE, 3, 2);
    site_slot(&site);
    for (unsigned client = 0; client < 2; client++) {
        struct weir_trial *trial = site_fail(&site, NETFLIX, WEIR_LAYER_SERVE, client, 1, 6);
        trial->fail_us -= WEIR_SLOT_US; /* carried: 2 x 2 x 3.22 = 12.9 */
        trial->first_us -= WEIR_SLOT_US;
        trial->attempts_overdue = 1;
    }
    site_fail(&site, NETFLIX, WEIR_LAYER_SERVE, 0, 1, 6); /* 16.1 */
    site_well(&site, YOUTUBE, 3, 2);
    site_slot(&site);
    assert_int_equal(site_count(&site, WEIR_INCIDENT_RAISED), 1);
}

/* Resets in mid-transfer that retries within the slot make up for. */
static void connection_ends(void **state) {
    site_healthy(&site, 12, 3);
    for (int i = 0; i < 6; i++) {
        rest_of_site(3, 3, true);
        for (unsigned client = 0; client < 2; client++) {
            struct weir_connection_end end = {.client = site_client(client),
                                              .prefix = site_prefix(1),
                                              .service = NETFLIX,
                                              .rst_mid = true,
                                              .ts_us = site.slot_us};
            weir_detector_connection_end(site.detector, &end);
        }
        site_slot(&site);
    }
    const struct weir_incident *raised = site_last(&site, WEIR_INCIDENT_RAISED);
    assert_non_null(raised);
    assert_int_equal(site_count(&site, WEIR_INCIDENT_RAISED), 1);
    assert_int_equal(raised->service, NETFLIX);
    assert_int_equal(raised->layer, WEIR_LAYER_SERVE);
    assert_true(raised->kinds[WEIR_OUTCOME_RST_MID] >= 5);
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

/* Time to first byte goes up tenfold for three clients while every request is answered. */
static void slow_answers_are_degraded(void **state) {
    struct weir_detect_service_window service = {
        .service = NETFLIX, .loss_beyond = -1, .loss_before = -1};
    struct weir_detect_window window = {.services = &service, .n_services = 1};
    for (int i = 0; i < 60; i++) {
        service.value[WEIR_CONTINUOUS_GOODPUT].value = i < 40 ? 20e6 * (1 + 0.1 * (i % 3)) : 1.5e6;
        service.value[WEIR_CONTINUOUS_GOODPUT].samples = 12;
        service.value[WEIR_CONTINUOUS_GOODPUT].clients = 3;
        window.start_us = site.slot_us;
        weir_detector_window(site.detector, &window);
        site_healthy(&site, 1, 3);
        assert_true(i >= 40 || site.n_events == 0);
    }
    assert_int_equal(site_count(&site, WEIR_INCIDENT_RAISED), 1);
    assert_int_equal(site.events[0].state, WEIR_STATE_DEGRADED);
    assert_int_equal(site.events[0].service, NETFLIX);
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
        rest_of_site(3, 1, true);
        site_slot(&site);
    }
    assert_int_equal(site.n_events, 0);
}

static void count_open(void *context, const struct weir_incident *incident) {
    (*(int *)context)++;
    assert_int_equal(incident->cleared_us, 0);
}

/* The capture ends within the outage: the incident is reported once more, and not as cleared. */
static void open_at_the_end(void **state) {
    service_is_down(state);
    size_t before = site.n_events;
    weir_detector_finish(site.detector, site.slot_us);
    assert_int_equal(site.n_events, before + 1);
    assert_int_equal(site.events[before].event, WEIR_INCIDENT_UPDATED);
    assert_int_equal(site.events[before].state, WEIR_STATE_DOWN);
    int open = 0;
    weir_detector_open(site.detector, count_open, &open);
    assert_int_equal(open, 1);
}

/* Nobody tries for a quarter of an hour: unknown, and neither cleared nor raised again. */
static void silence_is_unknown(void **state) {
    service_is_down(state);
    size_t before = site.n_events;
    for (int i = 0; i < 88; i++) {
        rest_of_site(3, 0, true);
        site_slot(&site);
    }
    assert_int_equal(weir_detector_state(site.detector, NETFLIX), WEIR_STATE_DOWN);
    for (int i = 0; i < 4; i++) {
        rest_of_site(3, 0, true);
        site_slot(&site);
    }
    assert_int_equal(weir_detector_state(site.detector, NETFLIX), WEIR_STATE_UNKNOWN);
    assert_int_equal(weir_detector_state(site.detector, YOUTUBE), WEIR_STATE_HEALTHY);
    assert_int_equal(site.n_events, before);
}

/* Cleared, and down again within ten minutes: the same incident. After that: a new one. */
static void reopened_or_new(void **state) {
    recovery_clears(state);
    char id[sizeof site.events[0].id];
    strcpy(id, site.events[0].id);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 3; i++) {
            site_sick(&site, NETFLIX, 1, 3);
            site_sick(&site, NETFLIX, 2, 3);
            rest_of_site(3, 0, true);
            site_slot(&site);
        }
        assert_int_equal(site_count(&site, WEIR_INCIDENT_RAISED), 1 + round);
        assert_int_equal(strcmp(site.events[site.n_events - 1].id, id) == 0, round == 0);
        assert_int_equal(site.events[site.n_events - 1].event, WEIR_INCIDENT_UPDATED);
        site_healthy(&site, 90, 3);
        assert_int_equal(site.events[site.n_events - 1].event, WEIR_INCIDENT_CLEARED);
    }
}

/* Players live on open connections and cached names: requests go on being served and nobody looks a
 * name up, while no new connection comes about. Three clients, each one connect trial a slot, first
 * decided at 4 s: 14 / 3.22 = 4.35, so the fifth failure, the second of the second slot, raises. */
static void open_connections_and_cached_names(void **state) {
    site_healthy(&site, 12, 3);
    for (int i = 0; i < 2; i++) {
        for (unsigned client = 0; client < 3; client++) {
            site_ok(&site, NETFLIX, WEIR_LAYER_SERVE, client, 1 + client % 2, 2);
            site_fail(&site, NETFLIX, WEIR_LAYER_CONNECT, client, 1 + client % 2, 4 + client * 0.1);
        }
        rest_of_site(3, 0, true);
        site_slot(&site);
    }
    const struct weir_incident *raised = site_last(&site, WEIR_INCIDENT_RAISED);
    assert_non_null(raised);
    assert_int_equal(site_count(&site, WEIR_INCIDENT_RAISED), 1);
    assert_int_equal(raised->service, NETFLIX);
    assert_int_equal(raised->cause, WEIR_CAUSE_SERVICE);
    assert_int_equal(raised->layer, WEIR_LAYER_CONNECT);
    assert_true(site_seconds(&site, raised->ts_us) <= 135);
    /* served requests don't water it down */
    assert_int_equal(raised->trials.fail, raised->trials.total);
}

/* All players keep to the prefix that died, while the other served a moment ago: nobody can know
 * yet; then the other fails, too. */
static void one_of_two_prefixes_is_dead(void **state) {
    site_healthy(&site, 12, 3);
    for (int i = 0; i < 3; i++) {
        site_sick(&site, NETFLIX, 1, 3);
        rest_of_site(3, 0, true);
        site_slot(&site);
    }
    assert_int_equal(site_count(&site, WEIR_INCIDENT_RAISED), 1);
    assert_int_equal(site_last(&site, WEIR_INCIDENT_RAISED)->cause, WEIR_CAUSE_SERVICE);
    assert_int_equal(site_last(&site, WEIR_INCIDENT_RAISED)->alternatives[0].cause,
                     WEIR_CAUSE_CDN_PATH);
    for (int i = 0; i < 4; i++) {
        site_sick(&site, NETFLIX, 1, 3);
        site_sick(&site, NETFLIX, 2, 3);
        rest_of_site(3, 0, true);
        site_slot(&site);
    }
    const struct weir_incident *updated = site_last(&site, WEIR_INCIDENT_UPDATED);
    assert_non_null(updated);
    assert_string_equal(updated->id, site.events[0].id);
    assert_int_equal(updated->cause, WEIR_CAUSE_SERVICE);
    assert_int_equal(updated->state, WEIR_STATE_DOWN);
}

/* A minute after the capture began there is no baseline to compare with: sessions judge themselves,
 * and the trials that they call starved are enough. Three a slot: the fifth is in the second slot.
 */
static void throttled_a_minute_after_the_start(void **state) {
    site_healthy(&site, 6, 3);
    for (int i = 0; i < 2; i++) {
        for (unsigned client = 0; client < 3; client++) {
            site_ok(&site, NETFLIX, WEIR_LAYER_CONNECT, client, 1 + client % 2, 1);
            site_fail(&site, NETFLIX, WEIR_LAYER_SERVE, client, 1 + client % 2, 5)->kind =
                WEIR_OUTCOME_STARVED;
        }
        rest_of_site(3, 0, true);
        site_slot(&site);
    }
    const struct weir_incident *raised = site_last(&site, WEIR_INCIDENT_RAISED);
    assert_non_null(raised);
    assert_int_equal(raised->cause, WEIR_CAUSE_SERVICE);
    assert_int_equal(raised->state, WEIR_STATE_DEGRADED);
    assert_true(site_seconds(&site, raised->ts_us) <= 80);
}

/* Clients 0 to 2 live in the west, 3 to 5 in the east; the west has it. The longer prefix names
 * client 0. */
static void only_the_west_is_hit(void **state) {
    struct weir_detect_region regions[] = {
        {.name = "east"}, {.name = "west"}, {.name = "west"}, {.name = "west"}};
    assert_int_equal(weir_cidr_parse("192.168.0.0/24", &regions[0].prefix), 0);
    for (unsigned i = 0; i < 3; i++)
        regions[i + 1].prefix = (struct weir_cidr){.addr = site_client(i), .bits = 128};
    assert_int_equal(weir_cidr_parse("192.168.0.0/32", &regions[1].prefix), 0);
    regions[2].prefix.bits = regions[3].prefix.bits = regions[1].prefix.bits;
    assert_int_equal(weir_detector_set_regions(site.detector, regions, 4), 0);
    site_healthy(&site, 12, 6);
    for (int i = 0; i < 6; i++) {
        for (unsigned client = 0; client < 6; client++)
            (client < 3 ? site_fail : site_ok)(&site, NETFLIX, WEIR_LAYER_CONNECT, client,
                                               1 + client % 2, 4 + client * 0.1);
        rest_of_site(6, 0, true);
        site_slot(&site);
    }
    const struct weir_incident *said = &site.events[site.n_events - 1];
    assert_int_equal(said->n_regions, 2);
    for (unsigned i = 0; i < 2; i++) {
        bool west = strcmp(said->regions[i].name, "west") == 0;
        assert_int_equal(said->regions[i].clients_seen, 3);
        assert_int_equal(said->regions[i].clients, west ? 3 : 0);
        assert_int_equal(said->regions[i].fail, west ? said->regions[i].total : 0);
    }
    assert_non_null(strstr(said->text, "Only west is hit ("));
}

#define SCENARIO(f) cmocka_unit_test_setup_teardown(f, begin, end)
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
        SCENARIO(service_is_down),
        SCENARIO(recovery_clears),
        SCENARIO(uplink_is_one_incident),
        SCENARIO(service_turns_out_to_be_the_uplink),
        SCENARIO(resolver_is_dead),
        SCENARIO(names_of_one_service_fail),
        SCENARIO(one_client_fails),
        SCENARIO(one_client_fails_alone),
        SCENARIO(one_prefix_fails),
        SCENARIO(shared_cdn),
        SCENARIO(quic_is_blocked),
        SCENARIO(partial_by_mixed_slots),
        SCENARIO(never_healthy_service),
        SCENARIO(begins_in_an_outage),
        SCENARIO(outage_after_three_trials),
        SCENARIO(dead_alternative_prefix),
        SCENARIO(dead_server_at_night),
        SCENARIO(on_and_off_is_one_incident),
        SCENARIO(one_clients_link),
        SCENARIO(a_single_client),
        SCENARIO(starved_is_degraded),
        SCENARIO(congestion_is_the_uplinks),
        SCENARIO(first_to_starve),
        SCENARIO(served_until_the_slots_end),
        SCENARIO(an_answered_lookup_is_a_witness),
        SCENARIO(short_total_freeze),
        SCENARIO(freeze_over_the_slots_end),
        SCENARIO(connection_ends),
        SCENARIO(capture_drops_freeze),
        SCENARIO(sight_that_is_back_is_told_at_once),
        SCENARIO(a_link_up_and_down),
        SCENARIO(what_failed_with_the_uplink_is_forgotten),
        SCENARIO(slow_answers_are_degraded),
        SCENARIO(taken_back_failures),
        SCENARIO(open_at_the_end),
        SCENARIO(silence_is_unknown),
        SCENARIO(reopened_or_new),
        SCENARIO(open_connections_and_cached_names),
        SCENARIO(one_of_two_prefixes_is_dead),
        SCENARIO(throttled_a_minute_after_the_start),
        SCENARIO(only_the_west_is_hit),
        SCENARIO(nothing_is_heard),
        SCENARIO(two_layers_together),
        SCENARIO(answers_weigh_in_full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
