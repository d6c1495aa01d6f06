/* Small memories that measure keeps: each has a bound, an age, and a rule by which something makes
 * room. */
#include <stdio.h>

#include "fake.h"
#include "measure/early.h"
#include "measure/fullness.h"
#include "measure/known_names.h"
#include "measure/learned.h"
#include "measure/need.h"
#include "measure/race.h"

/* ---- names that resolved ---- */

static size_t known_of(const struct weir_known_names *names, uint64_t n, int64_t now_us) {
    size_t known = 0;
    for (uint64_t hash = 1; hash <= n; hash++) known += weir_known_names_has(names, hash, now_us);
    return known;
}

/* As many as were asked for, up to the next power of two. */
static void names_are_bounded(void **state) {
    struct weir_known_names names;
    assert_int_equal(weir_known_names_init(&names, 128), 0);
    for (uint64_t hash = 1; hash <= 2000; hash++) weir_known_names_add(&names, hash, T0);
    size_t known = known_of(&names, 2000, T0);
    assert_int_equal(known, 128);
    assert_int_equal(names.evicted, 2000 - 128);
    weir_known_names_deinit(&names);
    assert_int_equal(weir_known_names_init(&names, 129), 0);
    for (uint64_t hash = 1; hash <= 4000; hash++) weir_known_names_add(&names, hash, T0);
    assert_int_equal(known_of(&names, 4000, T0), 256);
    weir_known_names_deinit(&names);
}

/* A name is known for a week; the one that was not seen for longest makes room. */
static void names_grow_old(void **state) {
    const int64_t week_us = INT64_C(7) * 24 * 3600 * S;
    struct weir_known_names names;
    assert_int_equal(weir_known_names_init(&names, 1), 0); /* 16 buckets of four */
    weir_known_names_add(&names, 5, T0);
    weir_known_names_add(&names, 0, T0); /* no name */
    assert_false(weir_known_names_has(&names, 0, T0));
    assert_false(weir_known_names_has(&names, 6, T0));
    assert_true(weir_known_names_has(&names, 5, T0 + week_us - 1));
    assert_false(weir_known_names_has(&names, 5, T0 + week_us));
    for (uint64_t hash = 100; hash < 200; hash++)
        weir_known_names_add(&names, hash, T0 + (int64_t)hash);
    assert_false(weir_known_names_has(&names, 5, T0 + 200)); /* the oldest of its bucket */
    size_t newest = 0;
    for (uint64_t hash = 180; hash < 200; hash++)
        newest += weir_known_names_has(&names, hash, T0 + 200);
    assert_in_range(newest, 15, 20);
    uint64_t evicted = names.evicted;
    for (uint64_t hash = 1000; hash < 1064; hash++)
        weir_known_names_add(&names, hash, T0 + 200 + week_us);
    assert_in_range(names.evicted, evicted, evicted + 30); /* what is a week old is no loss */
    weir_known_names_deinit(&names);
}

/* ---- what is normal ---- */

static void quantiles(void **state) {
    static struct weir_learned learned;
    memset(&learned, 0, sizeof learned);
    for (uint64_t i = 1; i <= 7; i++) weir_learned_add(&learned, 1000 * i);
    assert_int_equal(weir_learned_quantile(&learned, 0.5), -1);
    weir_learned_add(&learned, 8000);
    assert_in_range(weir_learned_quantile(&learned, 0.5), 3900, 4100);
    assert_in_range(weir_learned_quantile(&learned, 0.25), 1950, 2050);
    assert_in_range(weir_learned_quantile(&learned, 0.75), 5850, 6150);
    assert_int_equal(weir_learned_quantile(&learned, 0.76), -1);
    assert_int_equal(weir_learned_quantile(&learned, 0.24), -1);
    for (uint64_t i = 9; i <= 29; i++) weir_learned_add(&learned, 1000 * i);
    assert_int_equal(weir_learned_quantile(&learned, 0.9), -1);
    weir_learned_add(&learned, 30000);
    assert_in_range(weir_learned_quantile(&learned, 0.9), 26400, 27600); /* the 27th of 30 */
    assert_in_range(weir_learned_quantile(&learned, 0), 980, 1020);
    assert_in_range(weir_learned_quantile(&learned, 1), 29300, 30700);
    for (int i = 0; i < WEIR_LEARNED_SAMPLES - 31; i++) weir_learned_add(&learned, 500);
    assert_int_equal(learned.n, WEIR_LEARNED_SAMPLES - 1);
    for (int i = 0; i < 32; i++) weir_learned_add(&learned, 500); /* the oldest go */
    assert_int_equal(learned.n, WEIR_LEARNED_SAMPLES);
    assert_in_range(weir_learned_quantile(&learned, 1), 490, 510);
}

/* ---- how full a buffer was ---- */

static void fullness_in_order(void **state) {
    static struct weir_fullness fullness;
    memset(&fullness, 0, sizeof fullness);
    weir_fullness_add(&fullness, WEIR_BUFFER_LOW, T0, T0); /* no time */
    assert_int_equal(fullness.n, 0);
    weir_fullness_add(&fullness, WEIR_BUFFER_LOW, T0, T0 + 4 * S);
    weir_fullness_add(&fullness, WEIR_BUFFER_LOW, T0 + 4 * S, T0 + 5 * S);
    weir_fullness_add(&fullness, WEIR_BUFFER_FULL, T0 + 3 * S, T0 + 9 * S);  /* from where it was */
    weir_fullness_add(&fullness, WEIR_BUFFER_EMPTY, T0 + 8 * S, T0 + 9 * S); /* of the past */
    assert_int_equal(fullness.n, 2);
    assert_int_equal(fullness.us[WEIR_BUFFER_LOW], 5 * S);
    assert_int_equal(fullness.us[WEIR_BUFFER_FULL], 4 * S);
    assert_int_equal(fullness.us[WEIR_BUFFER_EMPTY], 0);
    assert_int_equal(fullness.begun_us, T0);
    assert_int_equal(fullness.changes[0].ms, 0);
    assert_int_equal(fullness.changes[1].ms, 5000);
    assert_int_equal(fullness.changes[1].state, WEIR_BUFFER_FULL);
    for (int i = 0; i < 2 * WEIR_BUFFER_CHANGES_MAX; i++)
        weir_fullness_add(&fullness, i % 2 ? WEIR_BUFFER_FULL : WEIR_BUFFER_LOW, T0 + (9 + i) * S,
                          T0 + (10 + i) * S);
    assert_int_equal(fullness.n, WEIR_BUFFER_CHANGES_MAX);
    assert_int_equal(fullness.us[WEIR_BUFFER_LOW], (5 + WEIR_BUFFER_CHANGES_MAX) * S);
}

/* ---- what came early ---- */

static void early_notes(void **state) {
    static struct weir_early early;
    memset(&early, 0, sizeof early);
    weir_early_answer(&early, T0, T0 + S, 0); /* an answer all the same */
    assert_int_equal(early.notes[0].bytes, 1);
    assert_int_equal(weir_early_from_us(&early, &early.notes[0]), T0);
    assert_int_equal(weir_early_at_us(&early, &early.notes[0]), T0 + S);
    weir_early_wanted(&early, T0 + 2 * S, T0 + 3 * S);
    weir_early_wanted(&early, T0 + 2 * S + 700000, T0 + 5 * S); /* it goes on */
    weir_early_wanted(&early, T0 + 2 * S - 700000, T0 + 4 * S);
    assert_int_equal(early.n, 2);
    assert_int_equal(weir_early_at_us(&early, &early.notes[1]), T0 + 5 * S);
    weir_early_wanted(&early, T0 + 2 * S + 701000, T0 + 6 * S); /* another */
    assert_int_equal(early.n, 3);
    weir_early_answer(&early, T0 + 7 * S, T0 + 8 * S, 1000);
    weir_early_wanted(&early, T0 + 2 * S, T0 + 9 * S); /* after an answer a wait begins anew */
    assert_int_equal(early.n, 5);
    assert_true(weir_early_longer(&early, T0 + 7 * S, T0 + 11 * S, 3000));
    assert_int_equal(early.notes[3].bytes, 3000);
    assert_int_equal(weir_early_at_us(&early, &early.notes[3]), T0 + 11 * S);
    assert_false(weir_early_longer(&early, T0 + 2 * S, T0 + 11 * S, 3000)); /* which was a wait */
    assert_false(weir_early_longer(&early, T0 + 6 * S, T0 + 11 * S, 3000));
    weir_early_answer(&early, T0 - 100 * S, T0 - 99 * S, 5); /* long before the first */
    assert_int_equal(early.notes[5].from_ms, 0);
    for (int i = 6; i < WEIR_EARLY_NOTES; i++) weir_early_answer(&early, T0, T0, 5);
    assert_int_equal(early.n, WEIR_EARLY_NOTES);
    assert_false(early.full);
    weir_early_answer(&early, T0, T0, 5);
    assert_true(early.full);
    assert_int_equal(early.n, WEIR_EARLY_NOTES);
    weir_early_deinit(&early);
}

/* ---- need ---- */

static void asked_in_vain(void **state) {
    struct weir_need need = {.at = 0};
    weir_need_tick(&need, true, 0);
    weir_need_tick(&need, true, 0);
    assert_false(weir_need_waited(&need));
    weir_need_tick(&need, true, 0);
    assert_true(weir_need_waited(&need));
    weir_need_tick(&need, true, 1);
    assert_false(weir_need_waited(&need));
    for (int i = 0; i < 2; i++) weir_need_tick(&need, true, 0);
    assert_false(weir_need_waited(&need));
    weir_need_tick(&need, true, 0);
    assert_true(weir_need_waited(&need));
    weir_need_tick(&need, false, 0);
    assert_false(weir_need_waited(&need));
}

/* Seven of the last ten seconds it asks, and in the last one; half of its need is enough. */
static void below_half_of_its_need(void **state) {
    struct weir_need need = {.at = 0};
    for (int i = 0; i < 3; i++) weir_need_tick(&need, false, 0);
    for (int i = 0; i < 6; i++) weir_need_tick(&need, true, 1000);
    assert_false(weir_need_is_slow(&need, 1000000));
    weir_need_tick(&need, true, 1000);
    assert_int_equal(weir_need_bytes(&need), 7000);
    assert_true(weir_need_is_slow(&need, 16001));
    assert_false(weir_need_is_slow(&need, 16000)); /* 8 kbit/s of 16 */
    assert_false(weir_need_is_slow(&need, 0));
    for (int i = 0; i < 3; i++) weir_need_tick(&need, true, 0);
    assert_false(weir_need_is_slow(&need, 1000000)); /* unanswered, not slow */
    weir_need_tick(&need, true, UINT64_MAX);
    assert_int_equal(weir_need_bytes(&need), UINT32_MAX + UINT64_C(6000));
    weir_need_tick(&need, false, 0);
    assert_false(weir_need_is_slow(&need, INT64_MAX));
}

/* ---- races ---- */

static struct weir_race_memory races;

static struct weir_evidence attempt(const char *client, const char *server, enum weir_layer layer,
                                    enum weir_outcome outcome, int64_t first_us, int64_t now_us) {
    return fake_attempt(FILM, client, server, layer, outcome, now_us, now_us - first_us);
}

static int races_begin(void **state) { return weir_race_init(&races, 64); }

static int races_end(void **state) {
    weir_race_deinit(&races);
    return 0;
}

static void won(const char *client, const char *server, enum weir_layer layer, int64_t first_us,
                int64_t now_us) {
    struct weir_evidence useful =
        attempt(client, server, layer, WEIR_OUTCOME_USEFUL, first_us, now_us);
    weir_race_note(&races, &useful);
}

static enum weir_race judged(const char *client, const char *server, enum weir_layer layer,
                             int64_t first_us, int64_t now_us) {
    struct weir_evidence failed =
        attempt(client, server, layer, WEIR_OUTCOME_SYN_TIMEOUT, first_us, now_us);
    return weir_race_judge(&races, &failed);
}

/* The other address was useful within two seconds of this one's first packet, and set out no
 * earlier than that before it. */
static void another_address_wins(void **state) {
    won("10.0.0.1", "192.0.2.2", WEIR_LAYER_CONNECT, T0, T0 + 2 * S);
    const int64_t end_us = T0 + 20 * S;
    assert_int_equal(judged("10.0.0.1", "192.0.2.1", WEIR_LAYER_CONNECT, T0, end_us),
                     WEIR_RACE_LOST);
    assert_int_equal(judged("10.0.0.1", "192.0.2.1", WEIR_LAYER_CONNECT, T0 - 1, end_us),
                     WEIR_RACE_NONE);
    assert_int_equal(judged("10.0.0.1", "192.0.2.1", WEIR_LAYER_CONNECT, T0 + 2 * S, end_us),
                     WEIR_RACE_LOST);
    assert_int_equal(judged("10.0.0.1", "192.0.2.1", WEIR_LAYER_CONNECT, T0 + 2 * S + 1, end_us),
                     WEIR_RACE_NONE); /* it was useful before this one set out */
    assert_int_equal(judged("10.0.0.1", "192.0.2.2", WEIR_LAYER_CONNECT, T0, end_us),
                     WEIR_RACE_NONE); /* the same once more is a retry */
    assert_int_equal(judged("10.0.0.2", "192.0.2.1", WEIR_LAYER_CONNECT, T0, end_us),
                     WEIR_RACE_NONE); /* another client's */
}

/* Of IPv4 against IPv6 no packet says that the two addresses are one client's: half a second. */
static void families(void **state) {
    won("10.0.0.1", "192.0.2.2", WEIR_LAYER_CONNECT, T0, T0 + S / 10);
    assert_int_equal(judged("fd00::7", "2001:db8::1", WEIR_LAYER_CONNECT, T0 - S / 2, T0 + 9 * S),
                     WEIR_RACE_LOST);
    assert_int_equal(
        judged("fd00::7", "2001:db8::1", WEIR_LAYER_CONNECT, T0 - S / 2 - 1, T0 + 9 * S),
        WEIR_RACE_NONE);
    assert_int_equal(judged("10.0.0.7", "192.0.2.1", WEIR_LAYER_CONNECT, T0, T0 + 9 * S),
                     WEIR_RACE_NONE); /* the same family: another client */
}

/* QUIC stays silent, and TCP to the same name is useful within ten seconds of the verdict. */
static void quic_falls_back(void **state) {
    const int64_t failed_us = T0 + 20 * S;
    static const struct {
        int64_t useful_us;
        enum weir_race race;
    } cases[] = {{10 * S, WEIR_RACE_FELL_BACK},
                 {10 * S - 1, WEIR_RACE_NONE},
                 {30 * S, WEIR_RACE_FELL_BACK},
                 {30 * S + 1, WEIR_RACE_NONE}};
    for (size_t i = 0; i < 4; i++) {
        races_end(state);
        races_begin(state);
        won("10.0.0.1", "192.0.2.1", WEIR_LAYER_CONNECT, T0 + cases[i].useful_us,
            T0 + cases[i].useful_us);
        assert_int_equal(judged("10.0.0.1", "192.0.2.1", WEIR_LAYER_QUIC, T0, failed_us),
                         cases[i].race);
    }
}

/* TCP failed as well: then it is not QUIC that is blocked. */
static void both_fail(void **state) {
    struct weir_evidence tcp =
        attempt("10.0.0.1", "192.0.2.1", WEIR_LAYER_CONNECT, WEIR_OUTCOME_SYN_TIMEOUT, T0, T0 + S);
    weir_race_note(&races, &tcp);
    assert_int_equal(judged("10.0.0.1", "192.0.2.1", WEIR_LAYER_QUIC, T0 + S, T0 + 9 * S),
                     WEIR_RACE_BOTH_FAILED);
    assert_int_equal(judged("10.0.0.1", "192.0.2.1", WEIR_LAYER_QUIC, T0 + S + 1, T0 + 9 * S),
                     WEIR_RACE_NONE);
    assert_int_equal(judged("10.0.0.1", "192.0.2.1", WEIR_LAYER_CONNECT, T0, T0 + 9 * S),
                     WEIR_RACE_NONE);
}

/* The newest three wins of a name are kept; the oldest name of a bucket makes room. */
static void races_are_bounded(void **state) {
    static const char *const servers[] = {"192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4"};
    for (int i = 0; i < 4; i++) {
        int64_t won_us = T0 + 10 * i * S;
        won("10.0.0.1", servers[i], WEIR_LAYER_CONNECT, won_us, won_us);
    }
    won("10.0.0.1", servers[3], WEIR_LAYER_CONNECT, T0 + 50 * S, T0 + 50 * S); /* it anew */
    for (int i = 0; i < 6; i++) /* the first is gone, the fourth's win is renewed; none at 40 s */
        assert_int_equal(
            judged("10.0.0.1", "192.0.2.9", WEIR_LAYER_CONNECT, T0 + 10 * i * S, T0 + 60 * S),
            i == 1 || i == 2 || i == 5 ? WEIR_RACE_LOST : WEIR_RACE_NONE);
    size_t kept = 0;
    for (int i = 0; i < 400; i++) {
        char client[20];
        snprintf(client, sizeof client, "10.1.%d.%d", i / 200, i % 200);
        won(client, servers[0], WEIR_LAYER_CONNECT, T0 + 10 * S, T0 + 10 * S + i);
    }
    for (int i = 0; i < 400; i++) {
        char client[20];
        snprintf(client, sizeof client, "10.1.%d.%d", i / 200, i % 200);
        kept += judged(client, servers[1], WEIR_LAYER_CONNECT, T0 + 10 * S, T0 + 30 * S) ==
                WEIR_RACE_LOST;
    }
    assert_in_range(kept, 50, 64);
}

int main(void) {
#define RACE(name) cmocka_unit_test_setup_teardown(name, races_begin, races_end)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_bounded),
        cmocka_unit_test(names_grow_old),
        cmocka_unit_test(quantiles),
        cmocka_unit_test(fullness_in_order),
        cmocka_unit_test(early_notes),
        cmocka_unit_test(asked_in_vain),
        cmocka_unit_test(below_half_of_its_need),
        RACE(another_address_wins),
        RACE(families),
        RACE(quic_falls_back),
        RACE(both_fail),
        RACE(races_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
