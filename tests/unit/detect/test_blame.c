/* From scores to what is told: which account leads, how probable it is beside the others, and what
 * proves the uplink by itself. */
#undef NDEBUG
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "detect/blame.h"
#include "detect/told.h"
#include "site.h"

#define NOW (T0 + 7200 * SECOND)

static struct site site;
static struct weir_detector *detector;
static struct weir_blame blame;

static void forget(void) {
    blame = (struct weir_blame){.client = WEIR_INDEX_NONE, .here = WEIR_INDEX_NONE};
    for (int i = 0; i < WEIR_HYPOTHESES; i++) blame.score[i] = -HUGE_VAL;
    blame.score[WEIR_BY_CHANCE] = 0;
}

static int begin(void **state) {
    site_begin(&site);
    detector = site.detector;
    detector->now_us = detector->open_start_us = NOW;
    forget();
    return 0;
}

static int end(void **state) {
    site_end(&site);
    return 0;
}

#define assert_near(a, b) assert_true(fabs((a) - (b)) < 1e-9)

/* Wide is what more than one person has: each kind has a best one of its own. */
static void the_best_of_each_kind(void **state) {
    assert_int_equal(weir_blame_best(&blame, false), WEIR_BY_CHANCE);
    assert_int_equal(weir_blame_best(&blame, true), WEIR_BY_UPLINK);
    for (int i = 0; i < WEIR_HYPOTHESES; i++) {
        forget();
        blame.score[i] = 3;
        assert_int_equal(weir_blame_best(&blame, i >= WEIR_BY_UPLINK), i);
        blame.score[WEIR_HYPOTHESES - 1] = 5; /* which is wide */
        assert_int_equal(weir_blame_best(&blame, false), i < WEIR_BY_UPLINK ? i : WEIR_BY_CHANCE);
    }
    forget();
    blame.score[WEIR_BY_CDN] = blame.score[WEIR_BY_NAMES] = 1; /* level: the one that is first */
    assert_int_equal(weir_blame_best(&blame, true), WEIR_BY_NAMES);
}

static void probabilities_add_up(void **state) {
    for (int i = 1; i < WEIR_HYPOTHESES; i++) blame.score[i] = 0.3 * i - 1;
    double sum = 0;
    for (int i = 0; i < WEIR_HYPOTHESES; i++)
        sum += weir_blame_probability(&blame, (enum weir_hypothesis)i);
    assert_near(sum, 1);
    assert_near(weir_blame_probability(&blame, WEIR_BY_NAMES) /
                    weir_blame_probability(&blame, WEIR_BY_RESOLVER),
                exp(0.3));
    forget();
    blame.score[WEIR_BY_SERVICE] = log(3);
    assert_near(weir_blame_probability(&blame, WEIR_BY_SERVICE), 0.75);
    blame.score[WEIR_BY_SERVICE] = 2000; /* beyond what a double can tell */
    assert_near(weir_blame_probability(&blame, WEIR_BY_SERVICE), 1);
    assert_true(weir_blame_probability(&blame, WEIR_BY_CHANCE) < 1e-300);
}

/* At a large site there is always somebody whose network fails: more is asked. */
static void the_lead_grows_with_the_site(void **state) {
    double medium = (double)detector->config.medium_clients;
    assert_near(weir_lead(detector), detector->config.lead);
    detector->n_known = (uint32_t)medium;
    assert_near(weir_lead(detector), detector->config.lead);
    detector->n_known = (uint32_t)(10 * medium);
    assert_near(weir_lead(detector), detector->config.lead + log(10));
}

static void each_account_has_a_cause(void **state) {
    static const uint8_t causes[][2] = {
        {WEIR_BY_CHANCE, WEIR_CAUSE_N},          {WEIR_BY_CLIENT, WEIR_CAUSE_CLIENT},
        {WEIR_BY_HERE, WEIR_CAUSE_CLIENT},       {WEIR_BY_CLIENTS, WEIR_CAUSE_CLIENT},
        {WEIR_BY_UPLINK, WEIR_CAUSE_UPLINK},     {WEIR_BY_RESOLVER, WEIR_CAUSE_DNS_RESOLVER},
        {WEIR_BY_NAMES, WEIR_CAUSE_DNS_SERVICE}, {WEIR_BY_CDN, WEIR_CAUSE_CDN},
        {WEIR_BY_PATH, WEIR_CAUSE_CDN_PATH},     {WEIR_BY_QUIC, WEIR_CAUSE_QUIC_BLOCKED},
        {WEIR_BY_SERVICE, WEIR_CAUSE_SERVICE}};
    assert_int_equal(sizeof causes / sizeof *causes, WEIR_HYPOTHESES);
    for (size_t i = 0; i < WEIR_HYPOTHESES; i++)
        assert_int_equal(weir_hypothesis_cause((enum weir_hypothesis)causes[i][0]), causes[i][1]);
}

/* Told are the probability of the cause, by all accounts that lead to it, and the others of at
 * least one in twenty, the likeliest first. Something that nobody asked for keeps its share. */
static void what_is_told(void **state) {
    struct weir_incident record = {.n_alternatives = 9};
    double known = 1 - detector->config.something_else;
    blame.score[WEIR_BY_SERVICE] = log(50);
    blame.score[WEIR_BY_UPLINK] = log(20);
    blame.score[WEIR_BY_CLIENT] = log(12);
    blame.score[WEIR_BY_HERE] = log(13);
    blame.score[WEIR_BY_CDN] = log(4); /* with chance 100 in all */
    weir_blame_tell(detector, &blame, WEIR_BY_SERVICE, &record);
    assert_near(record.probability, 0.5 * known);
    assert_int_equal(record.n_alternatives, 2);
    assert_int_equal(record.alternatives[0].cause, WEIR_CAUSE_CLIENT);
    assert_near(record.alternatives[0].probability, 0.25 * known);
    assert_int_equal(record.alternatives[1].cause, WEIR_CAUSE_UPLINK);
    assert_near(record.alternatives[1].probability, 0.2 * known);
    weir_blame_tell(detector, &blame, WEIR_BY_HERE, &record);
    assert_near(record.probability, 0.25 * known);
    assert_int_equal(record.alternatives[0].cause, WEIR_CAUSE_SERVICE);
    for (int i = WEIR_BY_UPLINK; i < WEIR_HYPOTHESES; i++) blame.score[i] = 5;
    weir_blame_tell(detector, &blame, WEIR_BY_SERVICE, &record);
    assert_int_equal(record.n_alternatives, WEIR_INCIDENT_ALTERNATIVES_MAX);
}

/* Scores are worth beside all being chance, which is nothing; where nothing was seen no account is
 * worth more than what it costs. */
static void chance_is_the_measure(void **state) {
    struct weir_scope scope = {.service = NETFLIX, .layer = WEIR_LAYER_SERVE, .since_us = NOW};
    weir_judgement_begin(detector, NOW);
    struct weir_blame all[] = {weir_blame_uplink(detector, &scope), weir_blame_resolver(detector)};
    for (int i = 0; i < 2; i++) {
        assert_true(all[i].score[WEIR_BY_CHANCE] == 0);
        assert_near(all[i].score[WEIR_BY_UPLINK], log(detector->config.prior_uplink));
    }
    assert_near(all[1].score[WEIR_BY_RESOLVER], log(detector->config.prior_resolver));
}

/* ---- the uplink ---- */

static struct weir_scope scope;

static void trial(weir_service_id service, unsigned client, unsigned place, uint8_t flags,
                  enum weir_outcome kind, int64_t at_us) {
    struct weir_item item = {
        .client = site_client(client), .prefix = site_prefix(place), .at_us = at_us};
    item.service = service;
    item.layer = WEIR_LAYER_CONNECT;
    item.kind = (uint8_t)kind;
    item.flags = (uint8_t)(flags | WEIR_ITEM_CONTROL);
    weir_history_insert(&detector->history, &item);
}

static bool is_proven(void) {
    scope = (struct weir_scope){
        .service = NETFLIX, .layer = WEIR_LAYER_SERVE, .since_us = NOW - 60 * SECOND};
    weir_judgement_begin(detector, NOW - 120 * SECOND);
    return weir_uplink_is_raised(detector) || weir_uplink_is_seen(detector, &scope);
}

static void its_own_alarm_proves_it(void **state) {
    detector->uplink_ok_us = NOW;
    assert_false(is_proven());
    detector->uplink.committed.hard_alarm = true;
    assert_false(is_proven()); /* not told yet */
    detector->uplink_case.open = true;
    assert_true(is_proven());
    assert_true(weir_uplink_is_out(detector));
    detector->uplink_case.record.state = WEIR_STATE_DEGRADED;
    assert_false(weir_uplink_is_out(detector));
    detector->uplink.committed.hard_alarm = false;
    assert_false(is_proven());
}

/* Congestion of the last two slots, since the onset, and for requests only. */
static void congestion_proves_it(void **state) {
    detector->uplink_ok_us = NOW;
    detector->congested_us = NOW - 2 * WEIR_SLOT_US;
    assert_true(is_proven());
    scope.layer = WEIR_LAYER_CONNECT;
    assert_false(weir_uplink_is_seen(detector, &scope));
    scope.layer = WEIR_LAYER_SERVE;
    scope.since_us = detector->congested_us + 1;
    assert_false(weir_uplink_is_seen(detector, &scope));
    detector->congested_us--;
    assert_false(is_proven());
}

/* Not one packet for five seconds, while clients ask two services. */
static void silence_from_outside_proves_it(void **state) {
    detector->uplink_ok_us = NOW;
    detector->asking[0] = 1u << NETFLIX | 1u << YOUTUBE;
    assert_false(is_proven()); /* nobody was ever heard */
    detector->heard_us = NOW - 5 * SECOND;
    assert_true(is_proven());
    scope.slow = true; /* a slow burn is no outage of now */
    assert_false(weir_uplink_is_seen(detector, &scope));
    detector->heard_us++;
    assert_false(is_proven());
    detector->heard_us = NOW - 9 * SECOND;
    detector->asking[0] = 1u << NETFLIX | 1u << WEIR_SERVICE_OTHER; /* which is no service */
    assert_false(is_proven());
}

/* Since the last connection of use more than a slot ago, others fail at two places. */
static void nothing_works(void **state) {
    detector->uplink_ok_us = NOW - WEIR_SLOT_US - 2;
    int64_t since_us = detector->uplink_ok_us + 1;
    trial(YOUTUBE, 1, 3, WEIR_ITEM_FAIL, WEIR_OUTCOME_SYN_TIMEOUT, since_us);
    trial(YOUTUBE, 1, 3, WEIR_ITEM_FAIL, WEIR_OUTCOME_SYN_TIMEOUT, since_us + 1);
    assert_false(is_proven()); /* one place */
    trial(NETFLIX, 1, 4, WEIR_ITEM_FAIL, WEIR_OUTCOME_SYN_TIMEOUT, since_us);
    trial(HULU, 1, 5, WEIR_ITEM_FAIL, WEIR_OUTCOME_REFUSED, since_us);
    trial(HULU, 1, 6, WEIR_ITEM_OK, WEIR_OUTCOME_USEFUL, since_us);
    trial(HULU, 1, 7, WEIR_ITEM_FAIL, WEIR_OUTCOME_SYN_TIMEOUT, since_us - 1);
    assert_false(is_proven()); /* itself, an answer, a success, before */
    trial(HULU, 1, 8, WEIR_ITEM_FAIL, WEIR_OUTCOME_SYN_TIMEOUT, since_us);
    assert_true(is_proven());
    detector->now_us -= 1; /* a slot, and no more */
    assert_false(is_proven());
}

/* It may be told where the others fail now, at two clients, or where there is one. */
static void when_it_may_be_told(void **state) {
    detector->n_active = 1;
    weir_judgement_begin(detector, NOW - 120 * SECOND);
    assert_false(weir_uplink_may_be_told(detector, NETFLIX)); /* no others: they are fine */
    for (int i = 0; i < 3; i++)
        trial(YOUTUBE, 1, 3, WEIR_ITEM_FAIL, WEIR_OUTCOME_SYN_TIMEOUT, NOW - 60 * SECOND);
    weir_judgement_begin(detector, NOW - 120 * SECOND);
    assert_true(weir_uplink_may_be_told(detector, NETFLIX));
    assert_false(weir_uplink_may_be_told(detector, YOUTUBE));
    detector->n_active = 2;
    assert_false(weir_uplink_may_be_told(detector, NETFLIX));
    trial(YOUTUBE, 2, 3, WEIR_ITEM_FAIL, WEIR_OUTCOME_SYN_TIMEOUT, NOW - 60 * SECOND);
    weir_judgement_begin(detector, NOW - 120 * SECOND);
    for (int i = 0; i < 2; i++) detector->judgement.by_client[i].other.fail = 1;
    assert_true(weir_uplink_may_be_told(detector, NETFLIX)); /* at two clients */
    detector->n_active = 1;
    detector->now_us++; /* a minute is past */
    assert_false(weir_uplink_may_be_told(detector, NETFLIX));
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(the_best_of_each_kind),
        TEST(probabilities_add_up),
        TEST(the_lead_grows_with_the_site),
        TEST(each_account_has_a_cause),
        TEST(what_is_told),
        TEST(chance_is_the_measure),
        TEST(its_own_alarm_proves_it),
        TEST(congestion_proves_it),
        TEST(silence_from_outside_proves_it),
        TEST(nothing_works),
        TEST(when_it_may_be_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
