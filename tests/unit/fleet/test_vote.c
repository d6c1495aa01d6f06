/* Votes of made-up fleets, by hand-worked numbers: a failure weighs ln(0.5/0.02) = 3.22, a success
 * ln(0.5/0.98) = -0.67, the bounds are +-4.6: two failures are bad, seven successes good. */
#undef NDEBUG
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "fleet/cases.h"
#include "fleet/sample.h"
#include "fleet/vote.h"

static const struct weir_tally all_bad = {6, 6}, all_good = {0, 20}, too_few = {0, 3};
#define BALLOT(site, tally) \
    { site, weir_fleet_vote(tally), tally }

static void test_a_sites_vote(void **state) {
    assert_int_equal(weir_fleet_vote((struct weir_tally){1, 1}), WEIR_FLEET_UNKNOWN);
    assert_int_equal(weir_fleet_vote((struct weir_tally){2, 2}), WEIR_FLEET_BAD);
    assert_int_equal(weir_fleet_vote((struct weir_tally){0, 6}), WEIR_FLEET_UNKNOWN);
    assert_int_equal(weir_fleet_vote((struct weir_tally){0, 7}), WEIR_FLEET_GOOD);
    assert_int_equal(weir_fleet_vote((struct weir_tally){0, 0}), WEIR_FLEET_UNKNOWN);
    /* 8 * 3.22 - 16 * 0.67 */
    assert_int_equal(weir_fleet_vote((struct weir_tally){8, 24}), WEIR_FLEET_BAD);
    assert_int_equal(weir_fleet_vote((struct weir_tally){1, 30}), WEIR_FLEET_GOOD);
}

static void test_scopes(void **state) {
    struct weir_fleet_verdict v;
    const struct weir_fleet_ballot global[] = {BALLOT("a", all_bad), BALLOT("b", all_bad),
                                               BALLOT("c", too_few)};
    weir_fleet_judge(global, 3, &v);
    assert_int_equal(v.scope, WEIR_FLEET_GLOBAL);
    assert_int_equal(v.n_bad, 2);
    assert_int_equal(v.n_unknown, 1);
    assert_int_equal(v.bad.fail, 12);

    const struct weir_fleet_ballot regional[] = {BALLOT("us/a", all_bad), BALLOT("us/b", all_bad),
                                                 BALLOT("eu/c", all_good), BALLOT("us/d", too_few)};
    weir_fleet_judge(regional, 4, &v);
    assert_int_equal(v.scope, WEIR_FLEET_REGIONAL);
    assert_string_equal(v.region, "us"); /* an unknown site of the region says nothing against it */
    assert_true(v.p < 0.01);
    assert_string_equal(v.sites[1], "us/b");

    const struct weir_fleet_ballot mixed[] = {BALLOT("us/a", all_bad), BALLOT("us/b", all_good),
                                              BALLOT("plain", all_good)};
    weir_fleet_judge(mixed, 3, &v);
    assert_int_equal(v.scope, WEIR_FLEET_REGIONAL);
    assert_string_equal(v.region, "");

    const struct weir_fleet_ballot alone[] = {BALLOT("a", all_bad), BALLOT("b", too_few)};
    weir_fleet_judge(alone, 2, &v);
    assert_int_equal(v.scope, WEIR_FLEET_LOCAL);
    weir_fleet_judge(alone + 1, 1, &v);
    assert_int_equal(v.scope, WEIR_FLEET_NONE);
    weir_fleet_judge(NULL, 0, &v);
    assert_int_equal(v.scope, WEIR_FLEET_NONE);
}

/* Two failures of two against seven successes: Fisher gives 1/36, not below 1 %. */
static void test_a_difference_that_may_be_chance_is_not_regional(void **state) {
    struct weir_fleet_verdict v;
    const struct weir_tally two = {2, 2}, seven = {0, 7};
    const struct weir_fleet_ballot ballots[] = {BALLOT("a", two), BALLOT("b", seven)};
    weir_fleet_judge(ballots, 2, &v);
    assert_int_equal(v.scope, WEIR_FLEET_LOCAL);
    assert_true(v.p > 0.027 && v.p < 0.028);
}

static void test_when_it_speaks(void **state) {
    const int64_t s = 1000000;
    struct weir_fleet_said said = {0};
    struct weir_fleet_verdict local = {.scope = WEIR_FLEET_LOCAL, .n_bad = 1},
                              regional = {.scope = WEIR_FLEET_REGIONAL, .n_bad = 1, .n_good = 5},
                              global = {.scope = WEIR_FLEET_GLOBAL, .n_bad = 2},
                              hasty = {.scope = WEIR_FLEET_GLOBAL, .n_bad = 2, .n_waiting = 7},
                              none = {0};
    assert_int_equal(weir_fleet_decide(&said, &none, 1, 100 * s, 101 * s), WEIR_FLEET_QUIET);
    assert_int_equal(weir_fleet_decide(&said, &local, 1, 100 * s, 109 * s), WEIR_FLEET_QUIET);
    assert_int_equal(weir_fleet_decide(&said, &local, 1, 100 * s, 110 * s), WEIR_FLEET_RAISE);
    assert_int_equal(weir_fleet_decide(&said, &regional, 1, 100 * s, 100 * s), WEIR_FLEET_RAISE);
    assert_int_equal(weir_fleet_decide(&said, &global, 2, 100 * s, 100 * s), WEIR_FLEET_RAISE);
    /* seven seem well: let them show it */
    assert_int_equal(weir_fleet_decide(&said, &hasty, 2, 100 * s, 124 * s), WEIR_FLEET_QUIET);
    assert_int_equal(weir_fleet_decide(&said, &hasty, 2, 100 * s, 125 * s), WEIR_FLEET_RAISE);

    said = (struct weir_fleet_said){
        .revision = 1, .scope = WEIR_FLEET_REGIONAL, .n_bad = 1, .ts_us = 200 * s};
    assert_int_equal(weir_fleet_decide(&said, &regional, 1, 100 * s, 300 * s), WEIR_FLEET_QUIET);
    assert_int_equal(weir_fleet_decide(&said, &global, 2, 100 * s, 209 * s), WEIR_FLEET_QUIET);
    assert_int_equal(weir_fleet_decide(&said, &global, 2, 100 * s, 210 * s), WEIR_FLEET_UPDATE);
    /* its sites are silent: not over */
    assert_int_equal(weir_fleet_decide(&said, &none, 1, 100 * s, 300 * s), WEIR_FLEET_QUIET);
    assert_int_equal(weir_fleet_decide(&said, &none, 0, 0, 201 * s), WEIR_FLEET_CLEAR);
}

static void test_windows_of_others(void **state) {
    struct weir_fleet_member member = {.site = "a"};
    const int64_t onset = 1000000000, now = 1040000000;
    weir_fleet_sample_add(&member, "healthy", "990.0", "1000.0", "9", "0", onset,
                          now); /* began before the onset */
    assert_int_equal(member.trials.total, 0);
    assert_true(member.well);
    weir_fleet_sample_add(&member, "healthy", "1000.0", "1010.0", "4", "0", onset, now);
    weir_fleet_sample_add(&member, "healthy", "1000.0", "1010.0", "4", "0", onset,
                          now); /* the same once more */
    assert_int_equal(member.trials.total, 4);
    assert_int_equal(weir_fleet_sample_vote(&member), WEIR_FLEET_UNKNOWN);
    weir_fleet_sample_add(&member, "healthy", "1010.0", "1020.0", "4", "0", onset, now);
    assert_int_equal(weir_fleet_sample_vote(&member), WEIR_FLEET_GOOD);
    weir_fleet_sample_add(&member, "suspect", "1020.0", "1030.0", "4", "0", onset, now);
    /* not healthy by its own verdict */
    assert_int_equal(weir_fleet_sample_vote(&member), WEIR_FLEET_UNKNOWN);
    weir_fleet_sample_add(&member, "healthy", "1030.0", "1040.0", "", "x", onset, now);
    assert_int_equal(weir_fleet_sample_vote(&member), WEIR_FLEET_UNKNOWN);
    weir_fleet_sample_add(&member, "healthy", "1030.0", "1040.0", "4", "0", onset,
                          now + 60000000); /* a minute old: gone */
    assert_int_equal(weir_fleet_sample_vote(&member), WEIR_FLEET_UNKNOWN);
    weir_fleet_sample_add(&member, NULL, NULL, NULL, NULL, NULL, onset, now);
    assert_false(member.well);
}

static void test_cases_survive_being_written(void **state) {
    struct weir_fleet_case one, back;
    char text[WEIR_FLEET_CASE_TEXT];
    static const char json[] =
        "{\"id\":\"netflix-1\",\"event\":\"raised\",\"service\":\"netflix\",\"state\":\"down\",\"cause\":\"service\","
        "\"layer\":\"connect\",\"ts\":1000.5,\"onset_ts\":990.25,\"trials\":{\"fail\":6,\"total\":6}}";
    assert_int_equal(weir_fleet_case_read(&one, "eu/home", json, 1000600000), 0);
    assert_true(weir_fleet_case_counts(&one));
    assert_int_equal(one.onset_us, 990250000);
    assert_int_equal(weir_fleet_case_parse(&back, one.key, weir_fleet_case_write(&one, text)), 0);
    assert_string_equal(back.site, "eu/home");
    assert_string_equal(back.layer, "connect");
    assert_int_equal(back.onset_us, one.onset_us);
    assert_int_equal(back.trials.fail, 6);
    assert_int_equal(weir_fleet_case_read(&one, "eu/home", json, 900600000),
                     0); /* said 100 s before it was: the clock is ahead */
    assert_true(one.skewed);
    assert_int_equal(one.onset_us, 990250000 - 99900000);
    static const struct {
        const char *event;
        int64_t ended_us;
        int error;
    } events[] = {{"updated", 0, 0}, {"cleared", 77, 0}, {"reopened", 0, 0}, {"resolved", 0, -22}};
    for (size_t i = 0; i < sizeof events / sizeof events[0]; i++) {
        snprintf(text, sizeof text,
                 "{\"id\":\"netflix-1\",\"event\":\"%s\",\"service\":\"netflix\"}",
                 events[i].event);
        assert_int_equal(weir_fleet_case_read(&one, "eu/home", text, 77), events[i].error);
        assert_true(one.ended_us == events[i].ended_us);
    }
    assert_int_equal(weir_fleet_case_read(&one, "two words", json, 0), -22);
    assert_int_equal(weir_fleet_case_read(&one, "a", "[]", 0), -22);
    /* names that would steer the terminal of who is told */
    static const char good[] = "{\"id\": \"i-1\", \"event\": \"raised\"}",
                      evil[] = "{\"id\": \"i\\u001b[31m\", \"event\": \"raised\"}";
    assert_int_equal(weir_fleet_case_read(&one, "a", good, 0), 0);
    assert_int_equal(weir_fleet_case_read(&one, "a\x1b[31m", good, 0), -22);
    assert_int_equal(weir_fleet_case_read(&one, "a", evil, 0), -22);
    assert_int_equal(weir_fleet_case_read(&one, "a", "", 0), -22);
    assert_int_equal(weir_fleet_case_parse(&back, "a b", "one\ttwo"), -22);
    assert_int_equal(weir_fleet_case_parse(&back, "nospace", text), -22);
}

static void test_the_table(void **state) {
    struct weir_fleet_cases *cases = weir_fleet_cases_new();
    struct weir_fleet_case one = {.key = "a x", .site = "a", .arrived_us = 5, .ended_us = 0};
    size_t n;
    weir_fleet_cases_put(cases, &one);
    one.arrived_us = 9;
    assert_int_equal(weir_fleet_cases_put(cases, &one)->arrived_us, 5); /* of its first event */
    one.ended_us = 9;
    weir_fleet_cases_put(cases, &one);
    one = (struct weir_fleet_case){.key = "a x", .site = "a", .arrived_us = 12};
    assert_int_equal(weir_fleet_cases_put(cases, &one)->arrived_us, 12); /* opened again */
    weir_fleet_cases_all(cases, &n);
    assert_int_equal(n, 1);
    weir_fleet_cases_remove(cases, "a x");
    weir_fleet_cases_remove(cases, "a x");
    assert_null(weir_fleet_cases_find(cases, "a x"));
    weir_fleet_cases_free(cases);
    weir_fleet_cases_free(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_sites_vote),
        cmocka_unit_test(test_scopes),
        cmocka_unit_test(test_a_difference_that_may_be_chance_is_not_regional),
        cmocka_unit_test(test_when_it_speaks),
        cmocka_unit_test(test_windows_of_others),
        cmocka_unit_test(test_cases_survive_being_written),
        cmocka_unit_test(test_the_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
