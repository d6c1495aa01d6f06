/* Prefixes grouped by autonomous system, with a made-up lookup: what is blamed when several fail as
 * one, and what is not. */
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

enum { OURS = 64500, THEIRS = 64501 };
static struct site site;
static uint32_t systems[64]; /* of prefix 198.18.i.0; 0: not in the database */

static bool look_up(void *context, const struct weir_addr *addr, struct weir_as *ret_as) {
    assert(context == systems);
    unsigned prefix = addr->bytes[14];
    if (addr->bytes[12] != 198 || prefix >= 64 || !systems[prefix]) return false;
    ret_as->number = systems[prefix];
    snprintf(ret_as->name, sizeof ret_as->name, "%s",
             systems[prefix] == OURS ? "Example Streaming" : "Example Transit");
    return true;
}

static int begin(void **state) {
    site_begin(&site);
    weir_detector_set_as_lookup(site.detector, look_up, systems);
    memset(systems, 0, sizeof systems);
    return 0;
}

static int end(void **state) {
    site_end(&site);
    return 0;
}

static void others_are_well(void) {
    site_well(&site, YOUTUBE, 3, 3);
    for (unsigned client = 0; client < 3; client++) {
        site_ok(&site, WEIR_SERVICE_OTHER, WEIR_LAYER_CONNECT, client, 9, 3);
        site_ok(&site, WEIR_SERVICE_OTHER, WEIR_LAYER_CONNECT, client, 10, 3.5);
    }
}

/* Netflix lives on prefixes 1 and 2 and, outside, on 4; two minutes in which all is well. */
static void netflix_on_three_prefixes(void) {
    for (int i = 0; i < 12; i++) {
        site_well(&site, NETFLIX, 4, 3);
        site_healthy(&site, 1, 3);
    }
    assert_int_equal(site.n_events, 0);
}

static void fail_at_1_and_2(bool also_at_4) {
    for (int i = 0; i < 4; i++) {
        site_sick(&site, NETFLIX, 1, 3);
        site_sick(&site, NETFLIX, 2, 3);
        (also_at_4 ? site_sick : site_well)(&site, NETFLIX, 4, 3);
        others_are_well();
        site_slot(&site);
    }
}

static const struct weir_incident *last_event(void) {
    assert_true(site.n_events > 0);
    return &site.events[site.n_events - 1];
}

static void two_prefixes_of_one_system(void **state) {
    systems[1] = systems[2] = OURS;
    systems[4] = THEIRS;
    netflix_on_three_prefixes();
    fail_at_1_and_2(false);
    assert_int_equal(site_count(&site, WEIR_INCIDENT_RAISED), 1);
    const struct weir_incident *said = last_event();
    assert_int_equal(said->service, NETFLIX);
    assert_int_equal(said->cause, WEIR_CAUSE_CDN_PATH);
    assert_int_equal(said->state, WEIR_STATE_PARTIAL);
    assert_int_equal(said->as.number, OURS);
    assert_int_equal(said->n_prefixes, 2);
    assert_int_equal(said->prefix_as[0].number, OURS);
    assert_int_equal(said->prefix_as[1].number, OURS);
    assert_int_equal(said->prefix_as[2].number, 0);
    assert_int_equal(said->trials.fail, said->trials.total); /* of these prefixes only */
    assert_non_null(strstr(said->text, "Only its 2 prefixes of AS64500 Example Streaming fail."));
    for (int i = 0; i < 12; i++) {
        site_well(&site, NETFLIX, 4, 3);
        site_healthy(&site, 1, 3);
    }
    assert_int_equal(last_event()->event, WEIR_INCIDENT_CLEARED);
    assert_int_equal(site_count(&site, WEIR_INCIDENT_RAISED), 1);
}

/* The same trials, and nobody to say that the prefixes belong together, or that they don't. */
static void without_a_database(void **state) {
    weir_detector_set_as_lookup(site.detector, NULL, NULL);
    netflix_on_three_prefixes();
    fail_at_1_and_2(false);
    for (size_t i = 0; i < site.n_events; i++) {
        assert_int_equal(site.events[i].as.number, 0);
        assert_null(strstr(site.events[i].text, " of AS"));
    }
    assert_int_not_equal(last_event()->cause, WEIR_CAUSE_CDN_PATH);
}

static void two_prefixes_of_two_systems(void **state) {
    systems[1] = OURS;
    systems[2] = systems[4] = THEIRS;
    netflix_on_three_prefixes();
    fail_at_1_and_2(false);
    for (size_t i = 0; i < site.n_events; i++) assert_int_equal(site.events[i].as.number, 0);
}

/* Another prefix of the system works: it is the one prefix, and whose that is stands beside it. */
static void one_prefix_of_a_system(void **state) {
    systems[1] = systems[2] = systems[4] = OURS;
    netflix_on_three_prefixes();
    for (int i = 0; i < 4; i++) {
        site_sick(&site, NETFLIX, 1, 3);
        site_well(&site, NETFLIX, 2, 3);
        site_well(&site, NETFLIX, 4, 3);
        others_are_well();
        site_slot(&site);
    }
    const struct weir_incident *said = last_event();
    assert_int_equal(said->cause, WEIR_CAUSE_CDN_PATH);
    assert_int_equal(said->as.number, 0);
    assert_int_equal(said->n_prefixes, 1);
    assert_int_equal(said->prefix_as[0].number, OURS);
    assert_non_null(
        strstr(said->text, "Only its prefix 198.18.1.0 (AS64500 Example Streaming) fails."));
}

/* All of the service is in the system, or it fails outside as well: the service is to blame, and no
 * network. */
static void nothing_works_outside(void **state) {
    systems[1] = systems[2] = systems[4] = OURS;
    netflix_on_three_prefixes();
    fail_at_1_and_2(true);
    const struct weir_incident *said = last_event();
    assert_int_equal(said->cause, WEIR_CAUSE_SERVICE);
    assert_int_equal(said->state, WEIR_STATE_DOWN);
    assert_int_equal(said->as.number, 0);
    assert_non_null(
        strstr(said->text, "SYNs unanswered, at 3 prefixes of AS64500 Example Streaming."));
}

static void outside_fails_as_well(void **state) {
    systems[1] = systems[2] = OURS;
    systems[4] = THEIRS;
    netflix_on_three_prefixes();
    fail_at_1_and_2(true);
    const struct weir_incident *said = last_event();
    assert_int_equal(said->cause, WEIR_CAUSE_SERVICE);
    assert_int_equal(said->as.number, 0);
    assert_null(strstr(said->text, " of AS"));
}

/* Netflix' prefix 1 and hulu's prefix 5 fail, and youtube's 3 if asked; what else is used works, at
 * last at `last_s`. */
static void shared_by(bool youtube, double last_s) {
    for (int i = 0; i < 12; i++) {
        site_well(&site, HULU, 5, 3);
        site_well(&site, HULU, 6, 3);
        site_healthy(&site, 1, 3);
    }
    for (int i = 0; i < 4; i++) {
        site_sick(&site, NETFLIX, 1, 3);
        site_sick(&site, HULU, 5, 3);
        (youtube ? site_sick : site_well)(&site, YOUTUBE, 3, 3);
        site_well(&site, NETFLIX, 2, 3);
        site_well(&site, HULU, 6, 3);
        for (unsigned client = 0; client < 3; client++)
            site_ok(&site, WEIR_SERVICE_OTHER, WEIR_LAYER_CONNECT, client, 9, last_s);
        site_slot(&site);
    }
}

static void assert_shared(weir_service_id service) {
    const struct weir_incident *said = NULL;
    for (size_t i = 0; i < site.n_events; i++) {
        assert_int_not_equal(site.events[i].cause, WEIR_CAUSE_UPLINK);
        if (site.events[i].service == service) said = &site.events[i];
    }
    assert_non_null(said);
    assert_int_equal(said->cause, WEIR_CAUSE_CDN);
    assert_int_equal(said->as.number, OURS);
    assert_int_equal(said->controls.fail, 0); /* controls are outside the failing system */
    assert_true(said->controls.total > 0);
    assert_non_null(strstr(
        said->text, "Other services fail on AS64500 Example Streaming as well: a shared CDN."));
}

static void a_system_of_two_services(void **state) {
    systems[1] = systems[5] = OURS;
    systems[2] = systems[3] = systems[6] = systems[9] = THEIRS;
    shared_by(false, 4.8);
    assert_int_equal(site_count(&site, WEIR_INCIDENT_RAISED), 2);
    assert_shared(NETFLIX);
    assert_shared(HULU);
}

/* Most of what the site uses is in the system: that is not the uplink either. */
static void a_system_of_most_services(void **state) {
    systems[1] = systems[3] = systems[5] = OURS;
    systems[2] = systems[6] = systems[9] = THEIRS;
    shared_by(true, 4.8);
    assert_shared(NETFLIX);
    assert_shared(HULU);
    assert_shared(YOUTUBE);
}

/* All that is decided in the last second of each slot's trials is of the system: what was useful
 * while those hung says that the uplink is fine. */
static void a_system_fails_in_one_second(void **state) {
    systems[1] = systems[5] = OURS;
    systems[2] = systems[3] = systems[6] = systems[9] = THEIRS;
    shared_by(false, 3);
    for (size_t i = 0; i < site.n_events; i++)
        assert_int_not_equal(site.events[i].cause, WEIR_CAUSE_UPLINK);
}

/* The uplink is dead, and everything but a few odd trials is in one system: still the uplink. */
static void all_of_the_site_in_one_system(void **state) {
    for (unsigned i = 1; i < 10; i++) systems[i] = OURS;
    site_healthy(&site, 12, 3);
    for (int i = 0; i < 6; i++) {
        site_sick(&site, NETFLIX, 1, 3);
        site_sick(&site, NETFLIX, 2, 3);
        site_sick(&site, YOUTUBE, 3, 3);
        for (unsigned client = 0; client < 3; client++)
            site_fail(&site, WEIR_SERVICE_OTHER, WEIR_LAYER_CONNECT, client, 9, 4.5);
        site_slot(&site);
    }
    assert_int_equal(site_count(&site, WEIR_INCIDENT_RAISED), 1);
    assert_int_equal(site.events[0].cause, WEIR_CAUSE_UPLINK);
    assert_int_equal(site.events[0].as.number, 0);
}

#define SCENARIO(f) cmocka_unit_test_setup_teardown(f, begin, end)
int main(void) {
    const struct CMUnitTest tests[] = {
        SCENARIO(two_prefixes_of_one_system),    SCENARIO(without_a_database),
        SCENARIO(two_prefixes_of_two_systems),   SCENARIO(one_prefix_of_a_system),
        SCENARIO(nothing_works_outside),         SCENARIO(outside_fails_as_well),
        SCENARIO(a_system_of_two_services),      SCENARIO(a_system_of_most_services),
        SCENARIO(all_of_the_site_in_one_system), SCENARIO(a_system_fails_in_one_second),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
