/* When an incident is over, by the useful trials after it, and which of them speak for it; and
 * where those live that it hits. */
#undef NDEBUG
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "site.h"

#define NOW (T0 + 7200 * SECOND)

static struct site site;
static struct weir_detector *detector;

static int begin(void **state) {
    site_begin(&site);
    detector = site.detector;
    detector->now_us = NOW;
    return 0;
}

static int end(void **state) {
    site_end(&site);
    return 0;
}

/* ---- when it is over ---- */

static struct weir_case lasting;

static void tried(bool ok, enum weir_layer layer, unsigned place, int64_t at_us) {
    struct weir_item item = {
        .client = site_client(1), .prefix = site_prefix(place), .at_us = at_us};
    item.service = NETFLIX;
    item.layer = (uint8_t)layer;
    item.flags = (uint8_t)(WEIR_ITEM_SCORED | (ok ? WEIR_ITEM_OK : WEIR_ITEM_FAIL));
    item.role = WEIR_ROLE_MEDIA;
    weir_history_add(&detector->history, &item, NULL, true);
}

/* Half of netflix' requests failed, last two minutes ago at prefix 7. */
static void half_failed(void) {
    end(NULL);
    begin(NULL);
    lasting = (struct weir_case){.exists = true,
                                 .open = true,
                                 .subject = site_prefix(7),
                                 .evidence_us = NOW - 120 * SECOND,
                                 .record = {.service = NETFLIX,
                                            .cause = WEIR_CAUSE_SERVICE,
                                            .state = WEIR_STATE_PARTIAL,
                                            .layer = WEIR_LAYER_SERVE,
                                            .trials = {.fail = 10, .total = 20}}};
}

static unsigned needed(bool ok_layer_is_own, unsigned place) {
    for (unsigned n = 1; n <= 200; n++) {
        tried(true, ok_layer_is_own ? WEIR_LAYER_SERVE : WEIR_LAYER_CONNECT, place,
              NOW - 100 * SECOND + n);
        if (weir_recovery_of(detector, &lasting).over) return n;
    }
    return 0;
}

/* Each useful trial says ln((1 - p0) / (1 - share)); twice the bound of the test is asked, and five
 * in a row. */
static void how_many_useful_trials_end_it(void **state) {
    half_failed();
    double step = log((1 - detector->config.p0) / 0.5);
    unsigned want = (unsigned)ceil(2 * weir_sprt_bound(detector->config.sprt_error) / step);
    assert_int_equal(needed(true, 7), want);
    assert_int_equal(weir_recovery_of(detector, &lasting).at_us, NOW - 100 * SECOND + 1);
    assert_int_equal(weir_recovery_of(detector, &lasting).run, want);
    half_failed();
    lasting.record.trials.fail = 20; /* all failed: nine tenths at the most */
    assert_int_equal(needed(true, 7), 5);
    half_failed();
    lasting.record.trials.fail = lasting.record.trials.total = 0;
    assert_int_equal(needed(true, 7), 5);
    half_failed();
    lasting.record.trials.fail = 1; /* a tenth at the least: that takes long */
    step = log((1 - detector->config.p0) / 0.9);
    assert_int_equal(weir_recovery_of(detector, &lasting).at_us, 0);
    want = (unsigned)ceil(2 * weir_sprt_bound(detector->config.sprt_error) / step);
    assert_true(want > 60);
    assert_int_equal(needed(true, 7), want);
}

static void it_must_have_lasted_a_slot(void **state) {
    half_failed();
    lasting.record.trials.fail = 20;
    for (int i = 0; i < 8; i++) tried(true, WEIR_LAYER_SERVE, 7, NOW - WEIR_SLOT_US + 1);
    assert_false(weir_recovery_of(detector, &lasting).over);
    assert_true(weir_recovery_of(detector, &lasting).seems_over);
    detector->now_us++;
    assert_true(weir_recovery_of(detector, &lasting).over);
}

static void it_seems_over_after_three(void **state) {
    half_failed();
    for (int i = 0; i < 2; i++) tried(true, WEIR_LAYER_SERVE, 7, NOW - 60 * SECOND);
    assert_false(weir_recovery_of(detector, &lasting).seems_over);
    tried(true, WEIR_LAYER_SERVE, 7, NOW - 50 * SECOND);
    assert_true(weir_recovery_of(detector, &lasting).seems_over);
    tried(false, WEIR_LAYER_SERVE, 7, NOW - 40 * SECOND);
    assert_false(weir_recovery_of(detector, &lasting).seems_over);
    assert_int_equal(weir_recovery_of(detector, &lasting).run, 0);
    assert_int_equal(weir_recovery_of(detector, &lasting).at_us, 0);
    tried(true, WEIR_LAYER_SERVE, 7, NOW - 30 * SECOND);
    assert_int_equal(weir_recovery_of(detector, &lasting).at_us, NOW - 30 * SECOND);
}

/* ---- when it was over, as it is told ---- */

struct moments {
    bool ok, fail;
    unsigned layer;
    int64_t at, began,
        back; /* seconds after the last failure of the incident; began, back 0: none */
};

static void lived(struct moments moments) {
    struct weir_item item = {.client = site_client(2),
                             .prefix = site_prefix(7),
                             .at_us = lasting.evidence_us + moments.at * SECOND,
                             .service = NETFLIX,
                             .role = WEIR_ROLE_MEDIA};
    item.layer = (uint8_t)moments.layer;
    item.flags = (uint8_t)(WEIR_ITEM_SCORED | (moments.ok ? WEIR_ITEM_OK : 0) |
                           (moments.fail ? WEIR_ITEM_FAIL : 0));
    item.began_us = moments.began ? lasting.evidence_us + moments.began * SECOND : 0;
    item.back_us = moments.back ? lasting.evidence_us + moments.back * SECOND : 0;
    weir_history_add(&detector->history, &item, NULL, true);
}

static int64_t end_after(void) {
    struct weir_recovery recovery = weir_recovery_of(detector, &lasting);
    int64_t end_us = weir_recovery_end(detector, &lasting, &recovery);
    return end_us ? (end_us - lasting.evidence_us) / SECOND : INT64_MAX;
}

static void lasting_until_a_hang_fails(void) {
    half_failed();
    lived((struct moments){.ok = true, .layer = WEIR_LAYER_SERVE, .at = -12, .back = -12});
    lived((struct moments){.fail = true, .layer = WEIR_LAYER_SERVE, .at = 0, .began = -9});
}

/* A request that hung before the end fails after it. */
static void attempts_date_from_their_begin(void **state) {
    lasting_until_a_hang_fails();
    assert_int_equal(end_after(), INT64_MAX);
    lived((struct moments){.ok = true, .layer = WEIR_LAYER_SERVE, .at = 6, .back = 6});
    assert_int_equal(end_after(), 6);
    lived((struct moments){.ok = true, .layer = WEIR_LAYER_SERVE, .at = -5, .back = -5});
    assert_int_equal(end_after(), -5);
    lived((struct moments){.ok = true, .layer = WEIR_LAYER_CONNECT, .at = -8, .back = -8});
    lived((struct moments){.ok = true, .layer = WEIR_STREAM_ENDS, .at = -8, .back = -8});
    assert_int_equal(end_after(), -5); /* neither is an answer to a request */
    lived((struct moments){.ok = true, .layer = WEIR_STREAM_ENDS, .at = 7, .back = 7});
    lasting.record.watch = WEIR_WATCH_resets; /* connections that are cut off are over so */
    assert_int_equal(end_after(), -8);
}

/* Trials of one slot are in no order: one that was useful only before a failure is not behind it.
 */
static void useful_before_a_failure_of_its_slot(void **state) {
    lasting_until_a_hang_fails();
    lived((struct moments){.fail = true, .layer = WEIR_LAYER_SERVE, .at = 29, .began = 25});
    lived((struct moments){.ok = true, .layer = WEIR_LAYER_SERVE, .at = 21, .back = 21});
    assert_int_equal(weir_recovery_of(detector, &lasting).run, 0);
    assert_int_equal(end_after(), INT64_MAX);
    lived((struct moments){.ok = true, .layer = WEIR_LAYER_SERVE, .at = 32, .back = 32});
    assert_int_equal(end_after(), 32);
}

/* All new connections failed, and older ones were served all the while. */
static void served_behind_a_new_connection(void **state) {
    lasting_until_a_hang_fails();
    lasting.record.layer = WEIR_LAYER_CONNECT;
    lasting.record.trials.fail = lasting.record.trials.total;
    for (int i = 1; i <= 8; i++)
        lived((struct moments){.ok = true, .layer = WEIR_LAYER_SERVE, .at = i, .back = i});
    assert_int_equal(weir_recovery_of(detector, &lasting).run, 0);
    lived((struct moments){.ok = true, .layer = WEIR_LAYER_CONNECT, .at = 20, .back = 20});
    for (int i = 21; i <= 24; i++)
        lived((struct moments){.ok = true, .layer = WEIR_LAYER_SERVE, .at = i, .back = i});
    assert_true(weir_recovery_of(detector, &lasting).over);
    assert_int_equal(end_after(), 20);
}

/* Where what failed are requests, that connections ended well is no answer. */
static void ended_well_is_no_answer(void **state) {
    lasting_until_a_hang_fails();
    for (int i = 1; i <= 8; i++)
        lived((struct moments){.ok = true, .layer = WEIR_STREAM_ENDS, .at = i, .back = i});
    assert_int_equal(weir_recovery_of(detector, &lasting).run, 0);
    lasting.record.watch = WEIR_WATCH_resets;
    assert_int_equal(weir_recovery_of(detector, &lasting).run, 8);
}

static void mixed_slots_date_while_they_spoke(void **state) {
    lasting_until_a_hang_fails();
    lived((struct moments){.ok = true, .layer = WEIR_LAYER_SERVE, .at = -8, .back = -8});
    lived((struct moments){.ok = true, .layer = WEIR_LAYER_SERVE, .at = 9, .back = 9});
    assert_int_equal(end_after(), -8);
    lived((struct moments){
        .ok = true, .fail = true, .layer = WEIR_LAYER_SERVE, .at = -3, .began = -4, .back = -2});
    assert_int_equal(end_after(), -2);
    lived((struct moments){/* one that went wrong afterwards, as in health */
                           .ok = true,
                           .fail = true,
                           .layer = WEIR_LAYER_SERVE,
                           .at = 20,
                           .began = 21,
                           .back = 22});
    assert_int_equal(end_after(), -2);
}

/* What was useful before the last failure says nothing. */
static void only_what_came_after_it(void **state) {
    half_failed();
    for (int i = 0; i < 60; i++) tried(true, WEIR_LAYER_SERVE, 7, NOW - 120 * SECOND - 1);
    assert_int_equal(weir_recovery_of(detector, &lasting).run, 0);
    tried(true, WEIR_LAYER_SERVE, 7, NOW - 120 * SECOND);
    assert_int_equal(weir_recovery_of(detector, &lasting).run, 1);
}

/* A useful connection says nothing of requests that hang, and a request all of connecting; a lookup
 * speaks of lookups only. */
static void layers_that_speak(void **state) {
    half_failed();
    assert_int_equal(needed(false, 7), 0);
    tried(true, WEIR_LAYER_SERVE, 7, NOW - 50 * SECOND);
    tried(true, WEIR_LAYER_SERVE, 7, NOW - 50 * SECOND);
    tried(true, WEIR_LAYER_SERVE, 7, NOW - 50 * SECOND);
    assert_true(weir_recovery_of(detector, &lasting).seems_over);
    tried(false, WEIR_LAYER_CONNECT, 7,
          NOW - 45 * SECOND); /* but where that fails it is not over */
    assert_false(weir_recovery_of(detector, &lasting).seems_over);
    half_failed();
    lasting.record.layer = WEIR_LAYER_CONNECT;
    assert_true(needed(true, 7) > 0);
    half_failed();
    lasting.record.layer = WEIR_LAYER_CONNECT;
    tried(true, WEIR_LAYER_DNS, 7, NOW - 45 * SECOND);
    assert_int_equal(weir_recovery_of(detector, &lasting).run, 0);
    lasting.record.layer = WEIR_LAYER_DNS;
    assert_int_equal(weir_recovery_of(detector, &lasting).run, 1);
    tried(true, WEIR_LAYER_SERVE, 7, NOW - 44 * SECOND);
    assert_int_equal(weir_recovery_of(detector, &lasting).run, 1);
}

/* A path recovers where it failed: at its prefix, at the other version of IP, or in its network. */
static void places_that_speak(void **state) {
    half_failed();
    assert_true(needed(true, 9) > 0); /* a service, anywhere */
    half_failed();
    lasting.record.cause = WEIR_CAUSE_CDN_PATH;
    lasting.record.n_prefixes = 1;
    assert_int_equal(needed(true, 9), 0);
    half_failed();
    lasting.record.cause = WEIR_CAUSE_CDN_PATH;
    lasting.record.n_prefixes = 2;
    lasting.record.prefixes[1] = site_prefix(9);
    assert_true(needed(true, 9) > 0);
    half_failed();
    lasting.record.cause = WEIR_CAUSE_CDN;
    assert_true(needed(true, 7) > 0);
}

static void parts_that_speak(void **state) {
    half_failed();
    lasting.record.part = WEIR_PART_CONTROL;
    assert_int_equal(needed(true, 7), 0); /* these are media */
    half_failed();
    lasting.record.part = WEIR_PART_MEDIA;
    assert_true(needed(true, 7) > 0);
}

/* The uplink, a client and a resolver are spoken for by all that goes through them. */
static void whose_trials_speak(void **state) {
    half_failed();
    struct weir_item item = {.client = site_client(1), .prefix = site_prefix(53)};
    item.at_us = NOW - 60 * SECOND;
    item.service = YOUTUBE;
    item.layer = WEIR_LAYER_DNS;
    item.flags = WEIR_ITEM_OK;
    weir_history_add(&detector->history, &item, NULL, true);
    lasting.record.cause = WEIR_CAUSE_DNS_RESOLVER;
    assert_int_equal(weir_recovery_of(detector, &lasting).run, 0);
    lasting.subject = site_prefix(53);
    assert_int_equal(weir_recovery_of(detector, &lasting).run, 1);
    lasting.record.cause = WEIR_CAUSE_CLIENT;
    assert_int_equal(weir_recovery_of(detector, &lasting).run, 0);
    lasting.subject = site_client(1);
    assert_int_equal(weir_recovery_of(detector, &lasting).run, 1);
    lasting.record.cause = WEIR_CAUSE_UPLINK;
    assert_int_equal(weir_recovery_of(detector, &lasting).run, 0);
    static const uint8_t flags[] = {WEIR_ITEM_CONTROL, WEIR_ITEM_UPLINK};
    for (uint32_t i = 0; i < 2; i++) {
        item.flags = (uint8_t)(WEIR_ITEM_OK | flags[i]);
        weir_history_add(&detector->history, &item, NULL, true);
        assert_int_equal(weir_recovery_of(detector, &lasting).run, i + 1);
    }
    lasting.record.state = WEIR_STATE_DEGRADED; /* congestion: by what is served */
    assert_int_equal(weir_recovery_of(detector, &lasting).run, 0);
    item.layer = WEIR_LAYER_SERVE;
    weir_history_add(&detector->history, &item, NULL, true);
    assert_int_equal(weir_recovery_of(detector, &lasting).run, 0);
    item.flags = WEIR_ITEM_OK | WEIR_ITEM_SCORED;
    weir_history_add(&detector->history, &item, NULL, true);
    assert_int_equal(weir_recovery_of(detector, &lasting).run, 1);
}

/* ---- regions ---- */

static void regions(void **state) {
    struct weir_incident record = {.cause = WEIR_CAUSE_SERVICE};
    static const struct weir_detect_region known[] = {{.name = "house"}, {.name = "attic"}};
    struct weir_detect_region set[2];
    memcpy(set, known, sizeof set);
    for (unsigned i = 0; i < 2; i++) {
        set[i].prefix.addr = site_client(i ? 0x180 : 0x100);
        set[i].prefix.bits = i ? 121 : 120; /* /25 in /24 */
    }
    half_failed();
    assert_int_equal(weir_detector_set_regions(detector, set, 2), 0);
    static const struct {
        unsigned client;
        bool ok;
    } trials[] = {{0x101, true}, {0x102, false}, {0x181, false}, {0x182, false},
                  {0x182, true}, {0x300, false}, {0x181, false}};
    for (size_t i = 0; i < sizeof trials / sizeof *trials; i++) {
        struct weir_item item = {.client = site_client(trials[i].client),
                                 .prefix = site_prefix(7),
                                 .at_us = NOW - 30 * SECOND,
                                 .service = NETFLIX,
                                 .layer = WEIR_LAYER_SERVE};
        item.flags = (uint8_t)(WEIR_ITEM_SCORED | (trials[i].ok ? WEIR_ITEM_OK : WEIR_ITEM_FAIL));
        weir_history_add(&detector->history, &item, NULL, true);
    }
    struct weir_pick pick = {
        .service = NETFLIX, .layer = WEIR_LAYER_SERVE, .need = WEIR_ITEM_SCORED};
    weir_judgement_begin(detector, NOW - 60 * SECOND);
    weir_judge_own(detector, &pick, &record);
    weir_regions_fill(detector, &record);
    assert_int_equal(record.n_regions, 2);
    const struct weir_incident_region *house = &record.regions[0], *attic = &record.regions[1];
    assert_string_equal(house->name, "house");
    assert_int_equal(house->fail, 1);
    assert_int_equal(house->total, 2);
    assert_int_equal(house->clients, 1);
    assert_int_equal(house->clients_seen, 2);
    assert_string_equal(attic->name, "attic"); /* the longest prefix */
    assert_int_equal(attic->fail, 3);
    assert_int_equal(attic->total, 4);
    assert_int_equal(attic->clients, 2);
    assert_int_equal(attic->clients_seen, 2);
    assert_null(weir_regions_alone(detector, &record)); /* four trials may be chance */
    record.regions[1].fail = 12, record.regions[1].total = 14;
    record.regions[0].total = 20;
    assert_ptr_equal(weir_regions_alone(detector, &record), attic);
    record.regions[0].fail = 10; /* hit as well */
    assert_null(weir_regions_alone(detector, &record));
    record.regions[0].fail = record.regions[0].total = 0; /* nobody there tried */
    assert_null(weir_regions_alone(detector, &record));
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(how_many_useful_trials_end_it),
        TEST(it_must_have_lasted_a_slot),
        TEST(it_seems_over_after_three),
        TEST(attempts_date_from_their_begin),
        TEST(useful_before_a_failure_of_its_slot),
        TEST(served_behind_a_new_connection),
        TEST(ended_well_is_no_answer),
        TEST(mixed_slots_date_while_they_spoke),
        TEST(only_what_came_after_it),
        TEST(layers_that_speak),
        TEST(places_that_speak),
        TEST(parts_that_speak),
        TEST(whose_trials_speak),
        TEST(regions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
