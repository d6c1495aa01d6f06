/* The scenarios at the level of trials: each cause of a service's failures, its scope, its onset.
 */
#include "scenario.h"

static void service_is_down(void **state) {
    site_healthy(&site, 12, 3);
    assert_int_equal(site.n_events, 0);
    assert_int_equal(weir_detector_state(site.detector, NETFLIX), WEIR_STATE_HEALTHY);
    for (int i = 0; i < 3; i++) { /* from 120 s on: SYNs begin at 121, are given up at 124 */
        site_sick(&site, NETFLIX, 1, 3);
        site_sick(&site, NETFLIX, 2, 3);
        site_rest(&site, 3, 0, true);
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
        site_rest(&site, 3, 3, true);
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
        site_rest(&site, 3, 3, true);
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

/* The names of one service are dead, and one client asks for them far more often than the others.
 * That is no link of its own: all else that it asks for is answered. */
static void who_asks_most_for_dead_names(void **state) {
    site_healthy(&site, 12, 5);
    for (int i = 0; i < 16; i++) {
        site_fail(&site, NETFLIX, WEIR_LAYER_DNS, 0, 53, 5);
        if (i % 8 == 2) site_fail(&site, NETFLIX, WEIR_LAYER_DNS, 1, 53, 5.2);
        for (unsigned client = 0; client < 5; client++) {
            if (i % 4 == 0) site_ok(&site, YOUTUBE, WEIR_LAYER_DNS, client, 53, 5.5);
            site_ok(&site, YOUTUBE, WEIR_LAYER_CONNECT, client, 3, 6);
        }
        site_slot(&site);
    }
    assert_true(site.n_events > 0);
    for (size_t i = 0; i < site.n_events; i++)
        assert_int_equal(site.events[i].cause, WEIR_CAUSE_DNS_SERVICE);
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
        site_rest(&site, 3, 0, true);
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
        site_rest(&site, 3, 0, true);
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
        site_rest(&site, 3, 2, true);
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
        site_rest(&site, 3, 2, true);
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
        site_rest(&site, 3, 3, true);
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
        site_rest(&site, 3, 0, true);
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

static void a_single_client(void **state) {
    site_healthy(&site, 12, 1);
    for (int i = 0; i < 6; i++) {
        site_sick(&site, NETFLIX, 1, 1);
        site_sick(&site, NETFLIX, 2, 1);
        site_rest(&site, 1, 0, true);
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

/* One connection of each of `hit` clients is reset in each slot, while `clients` are served. */
static void cut_off(unsigned hit, unsigned clients) {
    site_healthy(&site, 12, clients);
    for (int i = 0; i < 6; i++) {
        site_rest(&site, clients, 3, true);
        for (unsigned client = 0; client < hit; client++) {
            struct weir_connection_end end = {.client = site_client(client),
                                              .prefix = site_prefix(1),
                                              .service = NETFLIX,
                                              .rst_mid = true,
                                              .ts_us = site.slot_us};
            weir_detector_connection_end(site.detector, &end);
        }
        site_slot(&site);
    }
}

/* The others keep their connections, and are served over them: it is one client's. Of a client that
 * is alone nothing tells that. */
static void connections_of_one_client_end(void **state) {
    for (unsigned clients = 1; clients <= 3; clients += 2) {
        end(NULL);
        begin(NULL);
        cut_off(1, clients);
        assert_int_equal(site_count(&site, WEIR_INCIDENT_RAISED), clients == 1);
    }
}

/* Resets in mid-transfer that retries within the slot make up for. */
static void connection_ends(void **state) {
    cut_off(2, 3);
    const struct weir_incident *raised = site_last(&site, WEIR_INCIDENT_RAISED);
    assert_non_null(raised);
    assert_int_equal(site_count(&site, WEIR_INCIDENT_RAISED), 1);
    assert_int_equal(raised->service, NETFLIX);
    assert_int_equal(raised->layer, WEIR_LAYER_SERVE);
    assert_true(raised->kinds[WEIR_OUTCOME_RST_MID] >= 5);
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
        site_rest(&site, 3, 0, true);
        site_slot(&site);
    }
    assert_int_equal(weir_detector_state(site.detector, NETFLIX), WEIR_STATE_DOWN);
    for (int i = 0; i < 4; i++) {
        site_rest(&site, 3, 0, true);
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
            site_rest(&site, 3, 0, true);
            site_slot(&site);
        }
        assert_int_equal(site_count(&site, WEIR_INCIDENT_RAISED), 1 + round);
        assert_int_equal(strcmp(site.events[site.n_events - 1].id, id) == 0, round == 0);
        assert_int_equal(site.events[site.n_events - 1].event, WEIR_INCIDENT_UPDATED);
        site_healthy(&site, 90, 3);
        assert_int_equal(site.events[site.n_events - 1].event, WEIR_INCIDENT_CLEARED);
    }
}

/* All players keep to the prefix that died, while the other served a moment ago: nobody can know
 * yet; then the other fails, too. */
static void one_of_two_prefixes_is_dead(void **state) {
    site_healthy(&site, 12, 3);
    for (int i = 0; i < 3; i++) {
        site_sick(&site, NETFLIX, 1, 3);
        site_rest(&site, 3, 0, true);
        site_slot(&site);
    }
    assert_int_equal(site_count(&site, WEIR_INCIDENT_RAISED), 1);
    assert_int_equal(site_last(&site, WEIR_INCIDENT_RAISED)->cause, WEIR_CAUSE_SERVICE);
    assert_int_equal(site_last(&site, WEIR_INCIDENT_RAISED)->alternatives[0].cause,
                     WEIR_CAUSE_CDN_PATH);
    for (int i = 0; i < 4; i++) {
        site_sick(&site, NETFLIX, 1, 3);
        site_sick(&site, NETFLIX, 2, 3);
        site_rest(&site, 3, 0, true);
        site_slot(&site);
    }
    const struct weir_incident *updated = site_last(&site, WEIR_INCIDENT_UPDATED);
    assert_non_null(updated);
    assert_string_equal(updated->id, site.events[0].id);
    assert_int_equal(updated->cause, WEIR_CAUSE_SERVICE);
    assert_int_equal(updated->state, WEIR_STATE_DOWN);
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
        site_rest(&site, 6, 0, true);
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

int main(void) {
    const struct CMUnitTest tests[] = {
        SCENARIO(service_is_down),
        SCENARIO(recovery_clears),
        SCENARIO(names_of_one_service_fail),
        SCENARIO(who_asks_most_for_dead_names),
        SCENARIO(one_client_fails),
        SCENARIO(one_client_fails_alone),
        SCENARIO(one_prefix_fails),
        SCENARIO(shared_cdn),
        SCENARIO(quic_is_blocked),
        SCENARIO(partial_by_mixed_slots),
        SCENARIO(a_single_client),
        SCENARIO(starved_is_degraded),
        SCENARIO(served_until_the_slots_end),
        SCENARIO(an_answered_lookup_is_a_witness),
        SCENARIO(short_total_freeze),
        SCENARIO(freeze_over_the_slots_end),
        SCENARIO(connection_ends),
        SCENARIO(connections_of_one_client_end),
        SCENARIO(slow_answers_are_degraded),
        SCENARIO(open_at_the_end),
        SCENARIO(silence_is_unknown),
        SCENARIO(reopened_or_new),
        SCENARIO(one_of_two_prefixes_is_dead),
        SCENARIO(only_the_west_is_hit),
        SCENARIO(two_layers_together),
        SCENARIO(answers_weigh_in_full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
