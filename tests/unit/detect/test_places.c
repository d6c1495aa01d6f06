/* Who speaks for whom: what came by the way clears the way, what another place did meanwhile clears
 * the service, and what has nothing in common is no one trouble. */
#include "scenario.h"

static bool was_told(enum weir_cause cause) {
    bool told = false;
    for (size_t i = 0; i < site.n_events; i++) told |= site.events[i].cause == cause;
    return told;
}

static void at_six(struct weir_trial *trial) {
    static const uint8_t prefix[6] = {0x20, 0x01, 0x0d, 0xb8, 0, 7};
    memset(trial->prefix.bytes, 0, sizeof trial->prefix.bytes);
    memcpy(trial->prefix.bytes, prefix, sizeof prefix);
}

/* A place dies with both of its addresses, and is one place. */
static void a_place_has_two_names(void **state) {
    for (int i = 0; i < 16; i++) {
        for (unsigned client = 0; client < 3; client++) {
            bool dead = i >= 12;
            struct weir_trial *six =
                (dead ? site_fail : site_ok)(&site, NETFLIX, WEIR_LAYER_CONNECT, client, 1, 4.5);
            at_six(six);
            (dead ? site_fail : site_ok)(&site, NETFLIX, WEIR_LAYER_CONNECT, client, 1, 5);
        }
        site_well(&site, NETFLIX, 2, 3);
        site_well(&site, YOUTUBE, 3, 3);
        site_slot(&site);
    }
    const struct weir_incident *told = site_last(&site, WEIR_INCIDENT_UPDATED);
    assert_non_null(told);
    assert_int_equal(told->cause, WEIR_CAUSE_CDN_PATH);
    assert_int_equal(told->n_prefixes, 2);
}

/* Nobody connects to the other place, for all who are there hold connections: being served over one
 * says that connecting works. */
static void served_says_that_connecting_works(void **state) {
    site_healthy(&site, 12, 5);
    for (int i = 0; i < 4; i++) {
        site_sick(&site, NETFLIX, 1, 3);
        for (unsigned client = 3; client < 5; client++)
            site_ok(&site, NETFLIX, WEIR_LAYER_SERVE, client, 2, 6)->last_ok_us += 3 * SECOND;
        site_well(&site, YOUTUBE, 3, 5);
        site_slot(&site);
    }
    assert_int_equal(site_last(&site, WEIR_INCIDENT_RAISED)->cause, WEIR_CAUSE_CDN_PATH);
}

/* Those who are served elsewhere starve now and then, for they had to wait: that is no failure to
 * connect. */
static void starving_says_nothing_of_connecting(void **state) {
    site_healthy(&site, 12, 5);
    for (int i = 0; i < 4; i++) {
        site_sick(&site, NETFLIX, 1, 3);
        for (unsigned client = 3; client < 5; client++) {
            struct weir_trial *trial =
                (i % 2 ? site_mixed : site_ok)(&site, NETFLIX, WEIR_LAYER_SERVE, client, 2, 6);
            trial->last_ok_us += 3 * SECOND;
            if (i % 2) trial->kind = WEIR_OUTCOME_STARVED;
        }
        site_well(&site, YOUTUBE, 3, 5);
        site_slot(&site);
    }
    for (size_t i = 0; i < site.n_events; i++)
        assert_int_equal(site.events[i].cause, WEIR_CAUSE_CDN_PATH);
    assert_true(site.n_events > 0);
}

/* All new connections go to one place, and hang. Who watches over older ones is served, elsewhere
 * if servers there only do not greet, at the place itself if it takes no SYN: nothing new was tried
 * elsewhere, so it is not that place, and the service is not down. */
static void old_connections_say_nothing_of_new_ones(void **state) {
    static const struct {
        enum weir_outcome kind;
        unsigned served_at;
    } rows[] = {
        {WEIR_OUTCOME_TLS_NORESPONSE, 2}, {WEIR_OUTCOME_REFUSED, 2}, {WEIR_OUTCOME_SYN_TIMEOUT, 1}};
    for (size_t row = 0; row < sizeof rows / sizeof *rows; row++) {
        end(NULL);
        begin(NULL);
        site_healthy(&site, 12, 5);
        for (int i = 0; i < 4; i++) {
            site_sick(&site, NETFLIX, 1, 3);
            for (unsigned client = 0; client < 3; client++)
                site.trials[client].kind = (uint8_t)rows[row].kind;
            for (unsigned client = 3; client < 5; client++) {
                site_ok(&site, NETFLIX, WEIR_LAYER_SERVE, client, 2, 6)->last_ok_us += 3 * SECOND;
                site_ok(&site, NETFLIX, WEIR_LAYER_SERVE, client, rows[row].served_at, 6.5)
                    ->last_ok_us += 3 * SECOND;
            }
            site_well(&site, YOUTUBE, 3, 5);
            site_slot(&site);
        }
        const struct weir_incident *told = &site.events[site.n_events - 1];
        assert_int_equal(site_count(&site, WEIR_INCIDENT_RAISED), 1);
        assert_false(was_told(WEIR_CAUSE_CDN_PATH));
        assert_int_equal(told->cause, WEIR_CAUSE_SERVICE);
        assert_int_equal(told->state, WEIR_STATE_PARTIAL);
        assert_non_null(strstr(told->text, "lets nobody new in"));
    }
}

/* A place takes no SYN, and its clients connect to another one at once. Over older connections it
 * serves on all the while: that is no path that fails. */
static void a_place_that_serves_on(void **state) {
    for (int on = 0; on < 2; on++) {
        end(NULL);
        begin(NULL);
        site_healthy(&site, 12, 2);
        for (int i = 0; i < 4; i++) {
            site_sick(&site, NETFLIX, 1, 2);
            for (unsigned client = 0; client < 2; client++) {
                site_ok(&site, NETFLIX, WEIR_LAYER_CONNECT, client, 2, 5);
                if (on)
                    site_ok(&site, NETFLIX, WEIR_LAYER_SERVE, client, 1, 6)->last_ok_us +=
                        3 * SECOND;
            }
            site_well(&site, YOUTUBE, 3, 2);
            site_slot(&site);
        }
        assert_int_equal(was_told(WEIR_CAUSE_CDN_PATH), !on);
    }
}

/* One answers no SYN, the other lets clients in and then alerts: two troubles in one place. */
static void shared_only_at_the_same_depth(void **state) {
    for (int same = 0; same < 2; same++) {
        end(NULL);
        begin(NULL);
        for (int i = 0; i < 16; i++) {
            site_well(&site, HULU, i < 12 ? 1 : 5, i < 12 ? 3 : 0);
            site_well(&site, HULU, 5, 3);
            if (i < 12) {
                site_healthy(&site, 1, 3);
                continue;
            }
            site_sick(&site, NETFLIX, 1, 3);
            for (unsigned client = 0; client < 3; client++)
                site_fail(&site, HULU, WEIR_LAYER_CONNECT, client, 1, 4.7)->kind =
                    same ? WEIR_OUTCOME_SYN_TIMEOUT : WEIR_OUTCOME_TLS_ALERT;
            site_well(&site, NETFLIX, 2, 3);
            site_well(&site, YOUTUBE, 3, 3);
            site_slot(&site);
        }
        assert_int_equal(was_told(WEIR_CAUSE_CDN), same);
    }
}

/* QUIC that never got through at a place is a dead IPv6, whatever TCP does. */
static void quic_where_nothing_ever_got_through(void **state) {
    site_healthy(&site, 12, 3);
    for (int i = 0; i < 6; i++) {
        site_well(&site, YOUTUBE, 3, 3);
        for (unsigned client = 0; client < 3; client++) {
            struct weir_trial *trial = site_fail(&site, YOUTUBE, WEIR_LAYER_QUIC, client, 3, 4);
            trial->quic_fell_back = true;
            at_six(trial);
        }
        site_slot(&site);
    }
    assert_int_equal(site.n_events, 0);
}

/* A lower rate is what players ask for, unless a picture stands still. */
static void a_rate_matters_to_who_stalls(void **state) {
    for (unsigned stalled = 0; stalled < 2; stalled++) {
        end(NULL);
        begin(NULL);
        struct weir_detect_service_window service = {
            .service = NETFLIX, .loss_beyond = -1, .loss_before = -1};
        struct weir_detect_window window = {.services = &service, .n_services = 1};
        for (int i = 0; i < 60; i++) {
            service.value[WEIR_CONTINUOUS_GOODPUT].value =
                i < 40 ? 20e6 * (1 + 0.1 * (i % 3)) : 1.5e6;
            service.value[WEIR_CONTINUOUS_GOODPUT].samples = 12;
            service.value[WEIR_CONTINUOUS_GOODPUT].clients = 3;
            window.start_us = site.slot_us;
            weir_detector_window(site.detector, &window);
            weir_detector_demand(site.detector, &(struct weir_demand){.service = NETFLIX,
                                                                      .open = 3,
                                                                      .clients_open = 3,
                                                                      .viewers = 3,
                                                                      .viewers_stalled = stalled});
            site_healthy(&site, 1, 3);
        }
        assert_int_equal(site_count(&site, WEIR_INCIDENT_RAISED), stalled);
    }
}

/* One viewer goes to and fro: what fails fails at one place, what works works at the other, by
 * turns. A service that flaps takes turns as well, but where it is tried says nothing. */
static void by_turns(void **state) {
    for (int path = 0; path < 2; path++) {
        end(NULL);
        begin(NULL);
        site_healthy(&site, 12, 1);
        for (int i = 0; i < 24; i++) {
            bool fails = i % 3 > 0; /* two slots of failures, one that is well */
            unsigned place = path ? (fails ? 1 : 2) : 1;
            (fails ? site_fail : site_ok)(&site, NETFLIX, WEIR_LAYER_SERVE, 0, place, 5);
            site_ok(&site, WEIR_SERVICE_OTHER, WEIR_LAYER_CONNECT, 0, 9, 3);
            site_slot(&site);
        }
        const struct weir_incident *raised = site_last(&site, WEIR_INCIDENT_RAISED);
        assert_non_null(raised);
        assert_int_equal(raised->cause, path ? WEIR_CAUSE_CDN_PATH : WEIR_CAUSE_SERVICE);
    }
}

/* Names that are no service's have nothing in common but their resolver. One client alone may ask
 * for one dead name. */
static void names_of_no_service(void **state) {
    for (unsigned clients = 1; clients < 3; clients++) {
        end(NULL);
        begin(NULL);
        site_healthy(&site, 12, 3);
        for (int i = 0; i < 8; i++) {
            site_well(&site, NETFLIX, 1, 3);
            site_well(&site, YOUTUBE, 3, 3);
            for (unsigned client = 0; client < clients; client++)
                site_fail(&site, WEIR_SERVICE_OTHER, WEIR_LAYER_DNS, client, 53, 5);
            site_slot(&site);
        }
        assert_int_equal(was_told(WEIR_CAUSE_DNS_RESOLVER), clients == 2);
        assert_int_equal(site_count(&site, WEIR_INCIDENT_RAISED), clients == 2);
    }
}

/* A home of one: servers of no service fail, each at a place of its own. They have the way out in
 * common. At one place it is that server's trouble. */
static void servers_of_no_service(void **state) {
    for (int places = 1; places < 3; places++) {
        end(NULL);
        begin(NULL);
        site_healthy(&site, 12, 1);
        for (int i = 0; i < 4; i++) {
            site_fail(&site, WEIR_SERVICE_OTHER, WEIR_LAYER_CONNECT, 0, 9, 4);
            if (places == 2) {
                site_fail(&site, WEIR_SERVICE_OTHER, WEIR_LAYER_CONNECT, 0, 10, 5);
                site_fail(&site, NETFLIX, WEIR_LAYER_CONNECT, 0, 1, 6);
            }
            site_slot(&site);
        }
        assert_int_equal(was_told(WEIR_CAUSE_UPLINK), places == 2);
    }
}

/* hulu is dead for two clients, a third is in bad WiFi; the others rest. Nothing was useful for ten
 * seconds, at several places: but what fails elsewhere is all one client's. */
static void one_clients_failures_are_no_uplink(void **state) {
    for (int i = 0; i < 12; i++) {
        site_well(&site, HULU, 5, 3);
        site_healthy(&site, 1, 5);
    }
    for (int i = 0; i < 9; i++) {
        for (unsigned client = 1; client < 3; client++) {
            site_fail(&site, HULU, WEIR_LAYER_CONNECT, client, 5, 4 + client * 0.1);
            if (i < 5) site_ok(&site, WEIR_SERVICE_OTHER, WEIR_LAYER_CONNECT, client, 9, 2);
        }
        site_fail(&site, YOUTUBE, WEIR_LAYER_CONNECT, 0, 3, 5);
        if (i == 7) site_fail(&site, WEIR_SERVICE_OTHER, WEIR_LAYER_CONNECT, 0, 10, 6);
        site_slot(&site);
    }
    assert_true(site.n_events > 0);
    assert_false(was_told(WEIR_CAUSE_UPLINK));
}

/* Two services refuse every connection of three clients, and nothing else is tried: a refusal came
 * back, so that the way there and back works. Each is told as itself. */
static void all_that_is_tried_is_refused(void **state) {
    site_healthy(&site, 12, 3);
    for (int i = 0; i < 5; i++) {
        for (unsigned client = 0; client < 3; client++) {
            site_fail(&site, NETFLIX, WEIR_LAYER_CONNECT, client, 1, 4)->kind =
                WEIR_OUTCOME_REFUSED;
            site_fail(&site, YOUTUBE, WEIR_LAYER_CONNECT, client, 3, 5)->kind =
                WEIR_OUTCOME_REFUSED;
        }
        site_slot(&site);
    }
    assert_int_equal(site_count(&site, WEIR_INCIDENT_RAISED), 2);
    bool netflix = false, youtube = false;
    for (size_t i = 0; i < site.n_events; i++) {
        netflix |= site.events[i].service == NETFLIX;
        youtube |= site.events[i].service == YOUTUBE;
        assert_true(site.events[i].cause == WEIR_CAUSE_SERVICE ||
                    site.events[i].cause == WEIR_CAUSE_CDN_PATH);
    }
    assert_true(netflix && youtube);
}

/* One viewer, who keeps to one place. Half of what is tried there gets through, and what little is
 * tried at the other place is useful: rather the place than the service. */
static void a_place_that_lets_a_part_through(void **state) {
    for (int half = 0; half < 2; half++) {
        end(NULL);
        begin(NULL);
        site_healthy(&site, 12, 1);
        for (int i = 0; i < 12; i++) {
            if (i % 5 == 4) site_ok(&site, NETFLIX, WEIR_LAYER_SERVE, 0, 2, 8);
            (half && i % 2 ? site_ok : site_fail)(&site, NETFLIX, WEIR_LAYER_CONNECT, 0, 1, 4);
            (half && i % 3 ? site_ok : site_fail)(&site, NETFLIX, WEIR_LAYER_SERVE, 0, 1, 6);
            site_well(&site, YOUTUBE, 3, 1);
            site_slot(&site);
        }
        assert_true(site.n_events > 0);
        assert_int_equal(site.events[0].cause, half ? WEIR_CAUSE_CDN_PATH : WEIR_CAUSE_SERVICE);
    }
}

/* One viewer at one place, where every other request is tried again before it is served. Nobody
 * tried another place: who is served in part has no reason to. Such places are more frequent than
 * such services; the service is told beside it. */
static void a_part_that_nobody_went_round(void **state) {
    site_healthy(&site, 12, 1);
    for (int i = 0; i < 12; i++) {
        (i % 3 == 2 ? site_mixed : site_fail)(&site, NETFLIX, WEIR_LAYER_SERVE, 0, 1, 6);
        site_well(&site, YOUTUBE, 3, 1);
        site_slot(&site);
    }
    assert_true(site.n_events > 0);
    assert_int_equal(site.events[0].cause, WEIR_CAUSE_CDN_PATH);
    assert_int_equal(site.events[0].alternatives[0].cause, WEIR_CAUSE_SERVICE);
}

/* A viewer who was served by one place until a moment ago comes to another one, where nothing
 * works. The service would have had to die as the viewer came. Of one who stays nothing is known.
 */
static void it_began_with_a_move(void **state) {
    for (int moved = 0; moved < 2; moved++) {
        end(NULL);
        begin(NULL);
        site_healthy(&site, 12, 1);
        for (int i = 0; i < 12; i++) {
            site_ok(&site, NETFLIX, WEIR_LAYER_SERVE, 0, moved ? 2 : 1, 5);
            site_well(&site, YOUTUBE, 3, 1);
            site_slot(&site);
        }
        for (int i = 0; i < 5; i++) {
            site_fail(&site, NETFLIX, WEIR_LAYER_SERVE, 0, 1, 5);
            site_well(&site, YOUTUBE, 3, 1);
            site_slot(&site);
        }
        assert_true(site.n_events > 0);
        assert_int_equal(site.events[0].cause, moved ? WEIR_CAUSE_CDN_PATH : WEIR_CAUSE_SERVICE);
    }
}

/* One request of client 0 a slot: served at place 1 or 2; failing at place 1 (F, C: a connection).
 * All is well with what `witness` does elsewhere. */
static void live_by(const char *what, unsigned witness) {
    for (; *what; what++) {
        if (*what == 'F')
            site_fail(&site, NETFLIX, WEIR_LAYER_SERVE, 0, 1, 5);
        else if (*what == 'C')
            site_fail(&site, NETFLIX, WEIR_LAYER_CONNECT, 0, 1, 5);
        else
            site_ok(&site, NETFLIX, WEIR_LAYER_SERVE, 0, (unsigned)(*what - '0'), 5);
        site_ok(&site, YOUTUBE, WEIR_LAYER_CONNECT, witness, 3, 1);
        site_ok(&site, YOUTUBE, WEIR_LAYER_SERVE, witness, 3, 2);
        site_slot(&site);
    }
}

/* A television does nothing else, so that nothing vouches for its link. Its requests fail at one of
 * two places only: a bad link would spoil those at the other as well. */
static void one_place_is_no_clients_link(void **state) {
    live_by("121212121212", 1);
    live_by("FC222222221FF1CFFFFFFF", 1);
    assert_false(was_told(WEIR_CAUSE_CLIENT));
}

/* The place was told, with what the other one served. Then it fails on, and nobody tries the other:
 * that begins behind what spoke for the place, and takes nothing back. */
static void a_told_place_stays(void **state) {
    site_healthy(&site, 12, 1);
    live_by("C22222222FFC11F1FFF1F1FFFF", 0);
    assert_true(site.n_events > 0);
    for (size_t i = 0; i < site.n_events; i++)
        assert_int_equal(site.events[i].cause, WEIR_CAUSE_CDN_PATH);
}

/* A busy place fails by chance now and then, between many trials that are well. It is well by its
 * trials, however few turns these make, and proves which place is bad, for as long as that lasts.
 */
static void chance_elsewhere(void **state) {
    unsigned elsewhere = 0;
    site_healthy(&site, 12, 40);
    for (unsigned i = 0; i < 30; i++) {
        for (unsigned client = 0; client < 40; client++) {
            bool there = client % 4 == 0;
            bool fails = there ? (client / 4 + i) % 10 % 3 == 0 : elsewhere++ % 27 == 26;
            (fails ? site_fail : site_ok)(&site, NETFLIX, WEIR_LAYER_SERVE, client, there ? 1 : 2,
                                          client * 0.2 + 0.5);
            site_ok(&site, WEIR_SERVICE_OTHER, WEIR_LAYER_CONNECT, client, 9, 0.3);
        }
        site_slot(&site);
    }
    assert_true(site.n_events > 0);
    for (size_t i = 0; i < site.n_events; i++)
        assert_int_equal(site.events[i].cause, WEIR_CAUSE_CDN_PATH);
}

/* A browser that was served by QUIC goes on by TCP, where nobody connected before. */
static void a_place_known_by_quic(void **state) {
    for (int i = 0; i < 12; i++) {
        site_ok(&site, HULU, WEIR_LAYER_QUIC, 0, 6, 1);
        site_well(&site, HULU, 7, 3);
        site_rest(&site, 3, 3, true);
        site_slot(&site);
    }
    for (int i = 0; i < 6; i++) {
        site_fail(&site, HULU, WEIR_LAYER_CONNECT, 0, 6, 4);
        site_well(&site, HULU, 7, 3);
        site_rest(&site, 3, 3, true);
        site_slot(&site);
    }
    const struct weir_incident *raised = site_last(&site, WEIR_INCIDENT_RAISED);
    assert_non_null(raised);
    assert_int_equal(raised->service, HULU);
    assert_int_equal(raised->cause, WEIR_CAUSE_CDN_PATH);
}

/* One client, or one address for all of a house: the second service that fails is told beside the
 * first, of which it was said that it fails by itself. */
static void two_services_of_one_client(void **state) {
    site_healthy(&site, 12, 1);
    for (int i = 0; i < 9; i++) {
        site_fail(&site, NETFLIX, WEIR_LAYER_CONNECT, 0, 1, 4);
        site_fail(&site, NETFLIX, WEIR_LAYER_CONNECT, 0, 2, 4);
        if (i >= 3) site_fail(&site, YOUTUBE, WEIR_LAYER_CONNECT, 0, 3, 3);
        if (i >= 3) site_fail(&site, YOUTUBE, WEIR_LAYER_CONNECT, 0, 1, 3);
        site_ok(&site, WEIR_SERVICE_OTHER, WEIR_LAYER_CONNECT, 0, 9, 1);
        site_ok(&site, WEIR_SERVICE_OTHER, WEIR_LAYER_CONNECT, 0, 10, 2);
        site_slot(&site);
    }
    bool told[N_SITE_SERVICES] = {false};
    for (size_t i = 0; i < site.n_events; i++) {
        assert_int_equal(site.events[i].cause, WEIR_CAUSE_SERVICE);
        told[site.events[i].service] = true;
    }
    assert_true(told[NETFLIX] && told[YOUTUBE]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SCENARIO(a_place_has_two_names),
        SCENARIO(served_says_that_connecting_works),
        SCENARIO(starving_says_nothing_of_connecting),
        SCENARIO(old_connections_say_nothing_of_new_ones),
        SCENARIO(a_place_that_serves_on),
        SCENARIO(shared_only_at_the_same_depth),
        SCENARIO(quic_where_nothing_ever_got_through),
        SCENARIO(a_rate_matters_to_who_stalls),
        SCENARIO(by_turns),
        SCENARIO(names_of_no_service),
        SCENARIO(servers_of_no_service),
        SCENARIO(one_clients_failures_are_no_uplink),
        SCENARIO(all_that_is_tried_is_refused),
        SCENARIO(a_place_that_lets_a_part_through),
        SCENARIO(a_part_that_nobody_went_round),
        SCENARIO(it_began_with_a_move),
        SCENARIO(one_place_is_no_clients_link),
        SCENARIO(a_told_place_stays),
        SCENARIO(chance_elsewhere),
        SCENARIO(a_place_known_by_quic),
        SCENARIO(two_services_of_one_client),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
