/* Waiting that grows, sizes that were answered, filters: what requests say once they reach the
 * coordinator. */
#include "fake.h"

#include <math.h>
#include <stdio.h>

#include "measure/asks.h"
#include "measure/policy.h"
#include "measure/waits.h"

#define CLIENT   "192.168.1.10"
#define SERVER   "203.0.113.7"
#define RESOLVER "192.168.1.1"

static struct weir_evidence answered(int64_t now_us, uint32_t request_bytes, uint64_t bytes,
                                     int64_t ttfb_us) {
    struct weir_evidence chunk = fake_chunk(FILM, CLIENT, SERVER, now_us, bytes, ttfb_us, S / 10);
    chunk.chunk.request_bytes = request_bytes;
    return chunk;
}

/* ---- sizes ---- */

static uint16_t page_of(struct weir_asks *asks, uint32_t request_bytes) {
    static int64_t timeouts_us[WEIR_SERVICES_MAX];
    for (unsigned i = 0; i < WEIR_SERVICES_MAX; i++) timeouts_us[i] = 5 * S;
    weir_asks_publish(asks, timeouts_us);
    return asks->pages[FILM].timeout_ds[0][weir_ask_size(request_bytes)];
}

static void take(struct weir_asks *asks, unsigned n, uint32_t request_bytes, uint64_t bytes,
                 int64_t ttfb_us) {
    struct weir_evidence chunk = answered(T0, request_bytes, bytes, ttfb_us);
    for (unsigned i = 0; i < n; i++) weir_asks_chunk(asks, &chunk);
}

static void test_sizes_are_known_by_their_answers(void **state) {
    struct weir_asks asks;
    assert_int_equal(weir_asks_init(&asks, N_SERVICES), 0);
    assert_int_equal(page_of(&asks, 67), 0);
    take(&asks, 2, 67, 900000, S / 100);
    assert_int_equal(page_of(&asks, 67), 0);
    take(&asks, 1, 68, 60000, S / 100);
    assert_int_equal(page_of(&asks, 67), 50);
    assert_int_equal(page_of(&asks, 75), 0); /* small sizes vouch for themselves only */
    take(&asks, 50, 39, 39, S / 100);        /* pings */
    take(&asks, 3, 39, 9000, S / 100);       /* three of which stood before something else */
    assert_int_equal(page_of(&asks, 39), 0);
    take(&asks, 3, 401, 9000, S / 100);
    assert_int_equal(page_of(&asks, 409), 50); /* a name with more digits */
    assert_int_equal(page_of(&asks, 450), 0);
    take(&asks, 3, 0, 9000, S / 100); /* nobody knows which of several was answered */
    take(&asks, 3, 900, 9000, -1);    /* the rest of an answer */
    assert_int_equal(page_of(&asks, 900), 0);
    weir_asks_deinit(&asks);
}

static void test_sizes_that_are_held(void **state) {
    struct weir_asks asks;
    assert_int_equal(weir_asks_init(&asks, N_SERVICES), 0);
    take(&asks, 4, 180, 2000, 40 * S);
    assert_int_equal(page_of(&asks, 180), 800);
    take(&asks, 5, 180, 2000, S / 100); /* no longer the rule */
    assert_int_equal(page_of(&asks, 180), 50);
    weir_asks_deinit(&asks);
}

/* ---- waiting ---- */

static struct weir_hang hang(struct weir_waits *waits, int64_t now_us, int64_t waiting_us) {
    struct weir_evidence progress = fake_progress(FILM, CLIENT, SERVER, now_us, 0, waiting_us);
    return weir_waits_hanging(waits, &progress);
}

static void test_waiting_grows_with_its_rarity(void **state) {
    struct weir_waits waits;
    assert_int_equal(weir_waits_init(&waits, 0), 0);
    assert_true(hang(&waits, T0, 5 * S).nats == 0); /* nothing is known of this service */
    for (int i = 0; i < 99; i++) {
        /* 0.1 s to 9.9 s */
        struct weir_evidence chunk = answered(T0, 67, 900000, (i + 1) * S / 10);
        weir_waits_served(&waits, &chunk);
    }
    assert_float_equal(hang(&waits, T0 + 20 * S, 5 * S).nats, -logf(.5f), .05);
    assert_float_equal(hang(&waits, T0 + 28 * S, 13 * S).nats, logf(100), .01); /* and no further */
    assert_float_equal(hang(&waits, T0 + 60 * S, 45 * S).nats, logf(100), .01);
    weir_waits_deinit(&waits);
}

/* Given up after four seconds, asked again elsewhere, time after time. */
static void test_a_client_goes_on_waiting(void **state) {
    struct weir_waits waits;
    assert_int_equal(weir_waits_init(&waits, 0), 0);
    for (int i = 0; i < 5; i++)
        for (int s = 1; s <= 4; s++)
            assert_int_equal(hang(&waits, T0 + (i * 4 + s) * S, s * S).us, (i * 4 + s) * S);
    struct weir_evidence chunk = answered(T0 + 20 * S, 67, 900000, S / 100);
    weir_waits_served(&waits, &chunk);
    assert_int_equal(hang(&waits, T0 + 22 * S, S).us, S);
    assert_int_equal(hang(&waits, T0 + 60 * S, S).us, S); /* it had asked for nothing meanwhile */
    weir_waits_deinit(&waits);
}

static struct weir_hang doubt(struct weir_waits *waits, int64_t now_us, int64_t unsure_us) {
    struct weir_evidence progress = fake_progress(FILM, CLIENT, SERVER, now_us, 0, 0);
    progress.progress.unsure_us = unsure_us;
    return weir_waits_hanging(waits, &progress);
}

/* A connection that was opened ahead says something once; a player that is not answered asks again
 * and again. */
static void test_words_in_doubt_count_when_they_are_said_again(void **state) {
    struct weir_waits waits;
    assert_int_equal(weir_waits_init(&waits, 0), 0);
    for (int s = 1; s <= 30; s++) assert_int_equal(doubt(&waits, T0 + s * S, s * S).us, 0);
    struct weir_evidence chunk = answered(T0 + 31 * S, 67, 900000, S / 100);
    weir_waits_served(&waits, &chunk);

    int64_t now_us = T0 + 100 * S;
    for (int s = 1; s <= 8; s++) assert_int_equal(doubt(&waits, now_us + s * S, s * S).us, 0);
    now_us += 10 * S; /* given up; asked again two seconds later: it has been waiting since then */
    for (int s = 1; s <= 8; s++)
        assert_int_equal(doubt(&waits, now_us + s * S, s * S).us, (10 + s) * S);
    chunk = answered(now_us + 9 * S, 67, 900000, S / 100);
    weir_waits_served(&waits, &chunk);
    assert_int_equal(doubt(&waits, now_us + 11 * S, S).us, 0);
    weir_waits_deinit(&waits);
}

static void test_words_in_doubt_that_say_nothing(void **state) {
    struct weir_waits waits;
    assert_int_equal(weir_waits_init(&waits, 0), 0);
    for (int s = 1; s <= 8; s++) doubt(&waits, T0 + s * S, s * S);
    assert_int_equal(doubt(&waits, T0 + 20 * S, S).us, 0); /* too late to be the same wish */
    assert_int_equal(doubt(&waits, T0 + 22 * S, S).us, 0); /* too soon: several were opened */
    weir_waits_deinit(&waits);
}

/* The first request hangs on a connection whose sizes are known, the next ones on new ones. */
static void test_words_in_doubt_go_on_with_a_known_request(void **state) {
    struct weir_waits waits;
    assert_int_equal(weir_waits_init(&waits, 0), 0);
    for (int s = 1; s <= 8; s++) assert_int_equal(hang(&waits, T0 + s * S, s * S).us, s * S);
    assert_int_equal(doubt(&waits, T0 + 11 * S, S).us, 11 * S);
    assert_int_equal(doubt(&waits, T0 + 19 * S, 9 * S).us, 19 * S);
    assert_int_equal(hang(&waits, T0 + 25 * S, S).us, 25 * S);
    weir_waits_deinit(&waits);
}

/* ---- filters ---- */

enum { API = 1, TELEMETRY, VIDEO };

static struct weir_evidence lookup(int64_t now_us, uint64_t name, enum weir_outcome outcome) {
    struct weir_evidence evidence =
        fake_attempt(FILM, CLIENT, RESOLVER, WEIR_LAYER_DNS, outcome, now_us, 0);
    evidence.kind = WEIR_EVIDENCE_DNS;
    evidence.host_hash = name;
    evidence.dns.denied =
        outcome == WEIR_OUTCOME_DNS_NXDOMAIN || outcome == WEIR_OUTCOME_DNS_REFUSED;
    return evidence;
}

static bool look(struct weir_policy *policy, int64_t now_us, uint64_t name,
                 enum weir_outcome outcome, bool inside) {
    struct weir_evidence evidence = lookup(now_us, name, outcome);
    evidence.dns.inside = inside;
    return weir_policy_lookup(policy, &evidence);
}

static bool connection(struct weir_policy *policy, int64_t now_us, const char *server,
                       enum weir_outcome outcome) {
    struct weir_evidence evidence =
        fake_attempt(FILM, CLIENT, server, WEIR_LAYER_CONNECT, outcome, now_us, S);
    return weir_policy_flow(policy, &evidence);
}

static struct weir_policy *policy_new(void) {
    static struct weir_policy policy;
    assert_int_equal(weir_policy_init(&policy, NULL, 0), 0);
    return &policy;
}

static void serving(struct weir_policy *policy, int64_t now_us) {
    assert_false(look(policy, now_us, API, WEIR_OUTCOME_USEFUL, false));
    assert_false(connection(policy, now_us, SERVER, WEIR_OUTCOME_USEFUL));
}

static void denied_case(enum weir_outcome how) {
    struct weir_policy *policy = policy_new();
    struct weir_heard_name heard = {
        .hash = TELEMETRY, .service = FILM, .text = "telemetry.film.example"};
    struct weir_blocked_names names;
    serving(policy, T0);
    weir_policy_name(policy, &heard, T0 + S);
    /* another was answered a moment ago */
    assert_true(look(policy, T0 + S, TELEMETRY, how, false));
    assert_true(look(policy, T0 + 20 * S, TELEMETRY, how, false));
    serving(policy, T0 + 70 * S);
    for (int i = 0; i < 10; i++)
        assert_true(look(policy, T0 + (80 + 30 * i) * S, TELEMETRY, how, false));
    weir_policy_blocked(policy, FILM, T0 + 300 * S, &names);
    assert_int_equal(names.n, 1);
    assert_string_equal(names.text[0], "telemetry.film.example");
    /* allowed again */
    assert_false(look(policy, T0 + 400 * S, TELEMETRY, WEIR_OUTCOME_USEFUL, false));
    weir_policy_blocked(policy, FILM, T0, &names);
    assert_int_equal(names.n, 0);
    weir_policy_deinit(policy);
}

static void test_one_name_is_denied(void **state) {
    denied_case(WEIR_OUTCOME_DNS_NXDOMAIN);
    denied_case(WEIR_OUTCOME_DNS_REFUSED);
}

/* Nobody asks for another name, for players keep names and connections: what is served tells. */
static void test_one_name_is_denied_while_the_others_are_kept(void **state) {
    struct weir_policy *policy = policy_new();
    struct weir_evidence chunk = fake_chunk(FILM, CLIENT, SERVER, T0 + 52 * S, 900000, S / 100, S);
    serving(policy, T0);
    assert_false(look(policy, T0 + 50 * S, TELEMETRY, WEIR_OUTCOME_DNS_REFUSED, false));
    assert_false(weir_policy_flow(policy, &chunk));
    assert_true(look(policy, T0 + 55 * S, TELEMETRY, WEIR_OUTCOME_DNS_REFUSED, false));
    weir_policy_deinit(policy);
    policy = policy_new(); /* a second name is denied: the zone's doing */
    serving(policy, T0);
    assert_false(look(policy, T0 + 50 * S, TELEMETRY, WEIR_OUTCOME_DNS_REFUSED, false));
    assert_false(look(policy, T0 + 51 * S, API, WEIR_OUTCOME_DNS_REFUSED, false));
    assert_false(weir_policy_flow(policy, &chunk));
    assert_false(look(policy, T0 + 55 * S, TELEMETRY, WEIR_OUTCOME_DNS_REFUSED, false));
    weir_policy_deinit(policy);
}

/* The only name that is asked for is of a host of media: the filter's, while media come from
 * elsewhere; once they stop for all who want them it is an outage. Telemetry stops nobody. */
static void test_media_stop_for_a_name_that_is_denied(void **state) {
    static const struct {
        enum weir_role role;
        int media_until_s;
        bool blocked_at_last;
    } rows[] = {{WEIR_ROLE_MEDIA, 60, false},
                {WEIR_ROLE_MEDIA, 78, true},
                {WEIR_ROLE_OTHER, 60, true},
                {WEIR_ROLE_MEDIA, 10, true}}; /* nobody watched when it was first denied */
    for (size_t row = 0; row < sizeof rows / sizeof *rows; row++) {
        struct weir_policy *policy = policy_new();
        struct weir_evidence name = lookup(T0 + 50 * S, VIDEO, WEIR_OUTCOME_DNS_NXDOMAIN);
        name.role = rows[row].role;
        serving(policy, T0);
        for (int s = 1; s <= 90; s++) {
            struct weir_evidence progress =
                fake_progress(FILM, CLIENT, SERVER, T0 + s * S, 50000, 0);
            progress.media = true;
            if (s <= rows[row].media_until_s) assert_false(weir_policy_flow(policy, &progress));
            if (s == 45) serving(policy, T0 + s * S);
            if (s == 50) assert_true(weir_policy_lookup(policy, &name));
        }
        name.now_us = T0 + 90 * S;
        assert_int_equal(weir_policy_lookup(policy, &name), rows[row].blocked_at_last);
        weir_policy_deinit(policy);
    }
}

/* The zone is broken: one name after the other is denied, and none is answered any more. */
static void test_all_names_are_denied(void **state) {
    struct weir_policy *policy = policy_new();
    serving(policy, T0);
    look(policy, T0 + 5 * S, API, WEIR_OUTCOME_DNS_NXDOMAIN, false); /* nobody can know */
    for (int i = 0; i < 10; i++)
        assert_false(look(policy, T0 + (8 + i) * S, i % 2 ? VIDEO : TELEMETRY,
                          WEIR_OUTCOME_DNS_NXDOMAIN, false));
    weir_policy_deinit(policy);
    policy = policy_new(); /* one name only, but the service fails as well */
    serving(policy, T0);
    connection(policy, T0 + 65 * S, SERVER, WEIR_OUTCOME_SYN_TIMEOUT);
    assert_false(look(policy, T0 + 66 * S, TELEMETRY, WEIR_OUTCOME_DNS_NXDOMAIN, false));
    weir_policy_deinit(policy);
}

/* An answer with a local address, and what happens there: a refusal, silence, a page that explains.
 */
static void test_a_name_points_inside(void **state) {
    struct weir_policy *policy = policy_new();
    serving(policy, T0);
    assert_true(look(policy, T0 + S, TELEMETRY, WEIR_OUTCOME_USEFUL, true));
    assert_true(connection(policy, T0 + 2 * S, "192.168.1.1", WEIR_OUTCOME_REFUSED));
    assert_true(connection(policy, T0 + 3 * S, "192.168.1.1", WEIR_OUTCOME_SYN_TIMEOUT));
    assert_true(connection(policy, T0 + 4 * S, "192.168.1.1", WEIR_OUTCOME_USEFUL));
    assert_false(connection(policy, T0 + 5 * S, SERVER, WEIR_OUTCOME_REFUSED));
    weir_policy_deinit(policy);
}

/* A service that lives on local addresses (a laboratory, a cache of the provider's) is judged as
 * any other. */
static void test_services_may_live_inside(void **state) {
    struct weir_policy *policy = policy_new();
    assert_false(look(policy, T0, API, WEIR_OUTCOME_USEFUL, true));
    assert_false(connection(policy, T0 + S, "10.9.8.7", WEIR_OUTCOME_USEFUL));
    assert_false(connection(policy, T0 + 2 * S, "10.9.8.7", WEIR_OUTCOME_SYN_TIMEOUT));
    serving(policy, T0 + 3 * S); /* it also lives outside: but much has come from the cache */
    struct weir_evidence chunk =
        fake_chunk(FILM, CLIENT, "10.9.8.7", T0 + 4 * S, 900000, S / 100, S);
    assert_false(weir_policy_flow(policy, &chunk));
    assert_false(connection(policy, T0 + 5 * S, "10.9.8.7", WEIR_OUTCOME_SYN_TIMEOUT));
    weir_policy_deinit(policy);
}

static void test_names_are_listed_in_order_and_bounded(void **state) {
    struct weir_policy *policy = policy_new();
    struct weir_blocked_names names;
    serving(policy, T0);
    for (unsigned i = 0; i < 20; i++) {
        struct weir_heard_name heard = {.hash = 100 + i, .service = FILM};
        snprintf(heard.text, sizeof heard.text, "%c.film.example", 'a' + (int)(i * 7 % 20));
        weir_policy_name(policy, &heard, T0);
        assert_true(look(policy, T0 + S, 100 + i, WEIR_OUTCOME_USEFUL, true));
    }
    weir_policy_blocked(policy, FILM, T0, &names);
    assert_int_equal(names.n, WEIR_BLOCKED_NAMES_MAX);
    for (unsigned i = 0; i < names.n; i++) assert_int_equal(names.text[i][0], 'a' + i);
    weir_policy_deinit(policy);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes_are_known_by_their_answers),
        cmocka_unit_test(test_sizes_that_are_held),
        cmocka_unit_test(test_waiting_grows_with_its_rarity),
        cmocka_unit_test(test_a_client_goes_on_waiting),
        cmocka_unit_test(test_words_in_doubt_count_when_they_are_said_again),
        cmocka_unit_test(test_words_in_doubt_that_say_nothing),
        cmocka_unit_test(test_words_in_doubt_go_on_with_a_known_request),
        cmocka_unit_test(test_one_name_is_denied),
        cmocka_unit_test(test_one_name_is_denied_while_the_others_are_kept),
        cmocka_unit_test(test_media_stop_for_a_name_that_is_denied),
        cmocka_unit_test(test_all_names_are_denied),
        cmocka_unit_test(test_a_name_points_inside),
        cmocka_unit_test(test_services_may_live_inside),
        cmocka_unit_test(test_names_are_listed_in_order_and_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
