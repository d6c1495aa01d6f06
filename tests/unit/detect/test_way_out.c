/* The way out: the uplink, the resolver, congestion, and what is not theirs. */
#include "scenario.h"

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

/* A shop and a smart home's cloud die: sites that nobody here knows by name. All that watch are
 * served on connections that they keep. */
static void dead_sites_of_no_service_are_no_uplink(void **state) {
    for (int i = 0; i < 24; i++) {
        for (unsigned client = 0; client < 5; client++) {
            site_ok(&site, NETFLIX, WEIR_LAYER_SERVE, client, 1, 2);
            site_ok(&site, YOUTUBE, WEIR_LAYER_SERVE, client, 3, 3);
            site_ok(&site, TWITCH, WEIR_LAYER_SERVE, client, 6, 3);
            for (unsigned place = 9; place <= 14; place += 5)
                (i < 12 ? site_ok : site_fail)(&site, WEIR_SERVICE_OTHER, WEIR_LAYER_CONNECT,
                                               client, place, 4.5);
        }
        site_slot(&site);
    }
    assert_int_equal(site_count(&site, WEIR_INCIDENT_RAISED), 0);
}

/* One connection in three of all services fails, at a large site: those that began in one second
 * fail in one tick, four seconds later. What was served meanwhile counts as well, from the first
 * word on. */
static void what_fails_in_part_is_not_down_at_first(void **state) {
    site_healthy(&site, 12, 60);
    for (int i = 0; i < 2; i++) {
        for (unsigned client = 0; client < 60; client++) {
            double at = 0.1 + client * 0.06;
            for (int which = 0; which < 3; which++) {
                weir_service_id service = (weir_service_id)(NETFLIX + which);
                unsigned place = which == 1 ? 3 : which ? 5 : 1;
                if ((client + (unsigned)which) % 3)
                    site_ok(&site, service, WEIR_LAYER_CONNECT, client, place, at);
                else
                    site_fail(&site, service, WEIR_LAYER_CONNECT, client, place, (int)at + 4)
                        ->first_us = site.slot_us + (int64_t)(at * 1e6);
            }
        }
        site_slot(&site);
    }
    const struct weir_incident *raised = site_last(&site, WEIR_INCIDENT_RAISED);
    assert_non_null(raised);
    assert_int_equal(raised->state, WEIR_STATE_PARTIAL);
    assert_true(raised->trials.total > 2 * raised->trials.fail);
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

/* A service dies, and servers of no service fail in the first slot; three other services are not
 * tried in the first seconds. That is no uplink yet: when they are tried, they work. */
static void one_service_before_the_rest_is_tried(void **state) {
    for (int i = 0; i < 12; i++) {
        site_well(&site, HULU, 5, 3);
        site_well(&site, TWITCH, 6, 3);
        site_healthy(&site, 1, 3);
    }
    for (int i = 0; i < 6; i++) {
        site_sick(&site, NETFLIX, 1, 3);
        for (unsigned client = 0; i == 0 && client < 3; client++)
            site_fail(&site, WEIR_SERVICE_OTHER, WEIR_LAYER_CONNECT, client, 9, 4.5);
        if (i >= 2) {
            site_well(&site, YOUTUBE, 3, 3);
            site_well(&site, HULU, 5, 3);
            site_well(&site, TWITCH, 6, 3);
        }
        site_slot(&site);
        assert_true(i > 1 || !site_count(&site, WEIR_INCIDENT_RAISED));
    }
    assert_int_equal(site_count(&site, WEIR_INCIDENT_RAISED), 1);
    assert_int_equal(site_last(&site, WEIR_INCIDENT_RAISED)->service, NETFLIX);
}

/* Told as the uplink while nothing else was tried. Then the others are, and work: the incident goes
 * on as the service's, and the second one has its own. */
static void uplink_turns_out_to_be_two_services(void **state) {
    site_healthy(&site, 12, 3);
    for (int i = 0; i < 6; i++) {
        site_sick(&site, NETFLIX, 1, 3);
        site_sick(&site, YOUTUBE, 3, 3);
        site_slot(&site);
    }
    const struct weir_incident *raised = site_last(&site, WEIR_INCIDENT_RAISED);
    assert_non_null(raised);
    assert_int_equal(raised->cause, WEIR_CAUSE_UPLINK);
    char id[sizeof raised->id];
    memcpy(id, raised->id, sizeof id);
    for (int i = 0; i < 8; i++) {
        site_sick(&site, NETFLIX, 1, 3);
        site_sick(&site, YOUTUBE, 3, 3);
        site_well(&site, HULU, 5, 3);
        site_well(&site, TWITCH, 6, 3);
        for (unsigned client = 0; client < 3; client++)
            site_ok(&site, WEIR_SERVICE_OTHER, WEIR_LAYER_CONNECT, client, 9, 4.5);
        site_slot(&site);
    }
    const struct weir_incident *moved = NULL, *second = site_last(&site, WEIR_INCIDENT_RAISED);
    for (size_t i = 0; i < site.n_events; i++)
        if (strcmp(site.events[i].id, id) == 0) moved = &site.events[i];
    assert_int_equal(site_count(&site, WEIR_INCIDENT_RAISED), 2);
    assert_int_equal(moved->cause, WEIR_CAUSE_SERVICE);
    assert_int_equal(second->cause, WEIR_CAUSE_SERVICE);
    assert_int_equal(moved->service + second->service, NETFLIX + YOUTUBE);
    for (int i = 0; i < 15; i++) {
        site_well(&site, HULU, 5, 3);
        site_healthy(&site, 1, 3);
    }
    assert_int_equal(site_count(&site, WEIR_INCIDENT_CLEARED), 2);
}

/* Two of three services hang, and nobody connects anew. One that is served after they began to hang
 * was carried by the way out; of one that was served before that, nothing is known. */
static void one_service_goes_on_beside_two(void **state) {
    for (int goes_on = 0; goes_on < 2; goes_on++) {
        end(NULL);
        begin(NULL);
        for (int i = 0; i < 15; i++) {
            bool sick = i >= 12;
            for (unsigned client = 0; client < 4; client++) {
                struct weir_trial *(*put)(struct site *, weir_service_id, enum weir_layer, unsigned,
                                          unsigned, double) = sick ? site_fail : site_ok;
                weir_service_id service = client < 2 ? NETFLIX : HULU;
                put(&site, service, WEIR_LAYER_SERVE, client, client < 2 ? 1 : 5, 7)->first_us -=
                    5 * SECOND;
            }
            for (unsigned client = 2; client < 4 && (!sick || goes_on); client++)
                site_ok(&site, YOUTUBE, WEIR_LAYER_SERVE, client, 3, 1.5)->last_ok_us += 4 * SECOND;
            site_slot(&site);
        }
        const struct weir_incident *raised = site_last(&site, WEIR_INCIDENT_RAISED);
        assert_non_null(raised);
        assert_int_equal(raised->cause, goes_on ? WEIR_CAUSE_SERVICE : WEIR_CAUSE_UPLINK);
        assert_int_equal(site_count(&site, WEIR_INCIDENT_RAISED), goes_on ? 2 : 1);
        for (size_t i = 0; goes_on && i < site.n_events; i++)
            assert_int_not_equal(site.events[i].cause, WEIR_CAUSE_UPLINK);
    }
}

/* A way out that loses half of all: requests fail as connections do, and both are counted, or what
 * is served would speak alone. */
static void half_of_all_requests_fail_as_well(void **state) {
    static const weir_service_id ids[] = {NETFLIX, YOUTUBE};
    static const unsigned places[] = {1, 3};
    site_healthy(&site, 12, 4);
    for (unsigned i = 0; i < 8; i++) {
        for (unsigned client = 0; client < 4; client++) {
            struct weir_trial *(*put)(struct site *, weir_service_id, enum weir_layer, unsigned,
                                      unsigned, double) = (client + i) % 2 ? site_fail : site_ok;
            put(&site, WEIR_SERVICE_OTHER, WEIR_LAYER_CONNECT, client, 9 + i % 2, 4);
            for (unsigned service = 0; service < 2; service++)
                ((client + i) / 2 % 2 ? site_fail : site_ok)(&site, ids[service], WEIR_LAYER_SERVE,
                                                             client, places[service], 5);
        }
        site_slot(&site);
    }
    const struct weir_incident *raised = site_last(&site, WEIR_INCIDENT_RAISED);
    assert_non_null(raised);
    assert_int_equal(raised->cause, WEIR_CAUSE_UPLINK);
}

static void resolver_is_dead(void **state) {
    site_healthy(&site, 12, 3);
    for (int i = 0; i < 6; i++) {
        site_rest(&site, 3, 3, true); /* cached names go on */
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

/* One client asks for `names` names of no service, one a slot, in vain; a service that it watches
 * goes on. */
static bool told_of_one_client(unsigned names) {
    for (int i = 0; i < 12; i++) {
        site_ok(&site, WEIR_SERVICE_OTHER, WEIR_LAYER_DNS, 0, 53, 1);
        site_rest(&site, 1, 1, true);
        site_slot(&site);
    }
    for (unsigned i = 0; i < 8; i++) {
        struct weir_trial *trial = site_fail(&site, WEIR_SERVICE_OTHER, WEIR_LAYER_DNS, 0, 53, 6);
        trial->host_hash = 1000 + i % names;
        site_rest(&site, 1, 1, true);
        site_slot(&site);
    }
    const struct weir_incident *raised = site_last(&site, WEIR_INCIDENT_RAISED);
    assert_true(!raised || raised->cause == WEIR_CAUSE_DNS_RESOLVER);
    return raised;
}

static void one_client_asks_for_several_names(void **state) { assert_true(told_of_one_client(3)); }
static void one_client_asks_for_two_dead_names(void **state) {
    assert_false(told_of_one_client(2));
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
        site_rest(&site, 3, 0, true);
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
        site_rest(&site, 3, 0, true);
        site_slot(&site);
    }
    const struct weir_incident *raised = site_last(&site, WEIR_INCIDENT_RAISED);
    assert_non_null(raised);
    assert_int_equal(raised->cause, WEIR_CAUSE_SERVICE);
    assert_int_equal(raised->state, WEIR_STATE_DEGRADED);
    assert_true(site_seconds(&site, raised->ts_us) <= 80);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SCENARIO(uplink_is_one_incident),
        SCENARIO(what_fails_in_part_is_not_down_at_first),
        SCENARIO(service_turns_out_to_be_the_uplink),
        SCENARIO(dead_sites_of_no_service_are_no_uplink),
        SCENARIO(one_service_before_the_rest_is_tried),
        SCENARIO(uplink_turns_out_to_be_two_services),
        SCENARIO(one_service_goes_on_beside_two),
        SCENARIO(half_of_all_requests_fail_as_well),
        SCENARIO(resolver_is_dead),
        SCENARIO(dead_server_at_night),
        SCENARIO(congestion_is_the_uplinks),
        SCENARIO(first_to_starve),
        SCENARIO(what_failed_with_the_uplink_is_forgotten),
        SCENARIO(open_connections_and_cached_names),
        SCENARIO(throttled_a_minute_after_the_start),
        SCENARIO(one_client_asks_for_several_names),
        SCENARIO(one_client_asks_for_two_dead_names),
        SCENARIO(nothing_is_heard),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
