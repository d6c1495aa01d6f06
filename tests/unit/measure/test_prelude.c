/* Since when a viewer waits: what came before the first request for media, closely enough. */
#include "fake.h"

#include "measure/prelude.h"

#define CLIENT "192.168.1.20"
#define SERVER "198.51.100.7"

static int setup(void **state) {
    static struct weir_preludes preludes;
    *state = &preludes;
    return weir_preludes_init(&preludes);
}

static int teardown(void **state) {
    weir_preludes_deinit(*state);
    return 0;
}

/* An attempt from `from_us` to `to_us`, in ms behind T0. */
static void attempt(struct weir_preludes *preludes, enum weir_layer layer, enum weir_role role,
                    enum weir_outcome outcome, int64_t from_ms, int64_t to_ms) {
    struct weir_evidence evidence = fake_attempt(FILM, CLIENT, SERVER, layer, outcome,
                                                 T0 + to_ms * 1000, (to_ms - from_ms) * 1000);
    evidence.kind = layer == WEIR_LAYER_DNS ? WEIR_EVIDENCE_DNS : WEIR_EVIDENCE_ATTEMPT;
    evidence.role = (uint8_t)role;
    evidence.flow_first_us = T0 + from_ms * 1000;
    weir_preludes_take(preludes, &evidence);
}

static void lookup(struct weir_preludes *preludes, enum weir_role role, int64_t from_ms,
                   int64_t to_ms) {
    attempt(preludes, WEIR_LAYER_DNS, role, WEIR_OUTCOME_USEFUL, from_ms, to_ms);
}

/* When the startup begins of one who asks at `asked_ms`, on a connection of `opened_ms`. */
static int64_t begin_ms(struct weir_preludes *preludes, int64_t opened_ms, int64_t asked_ms) {
    struct weir_evidence evidence =
        fake_chunk(FILM, CLIENT, SERVER, T0 + (asked_ms + 500) * 1000, 300000, 0, S / 2);
    evidence.flow_first_us = T0 + opened_ms * 1000;
    evidence.chunk.request_us = T0 + asked_ms * 1000;
    return (weir_preludes_begin_us(preludes, &evidence) - T0) / 1000;
}

static void test_without_anything_before_it_is_the_connection(void **state) {
    assert_int_equal(begin_ms(*state, 1000, 1100), 1000);
}

static void test_the_lookup_is_waited_for(void **state) {
    lookup(*state, WEIR_ROLE_MEDIA, 1000, 1700);
    attempt(*state, WEIR_LAYER_CONNECT, WEIR_ROLE_MEDIA, WEIR_OUTCOME_USEFUL, 1720, 1800);
    assert_int_equal(begin_ms(*state, 1720, 1810), 1000);
}

static void test_the_page_and_its_lookup_are(void **state) {
    lookup(*state, WEIR_ROLE_CONTROL, 0, 30);
    attempt(*state, WEIR_LAYER_QUIC, WEIR_ROLE_CONTROL, WEIR_OUTCOME_USEFUL, 40, 100);
    lookup(*state, WEIR_ROLE_MEDIA, 2500, 2600);
    assert_int_equal(begin_ms(*state, 2610, 2700), 0);
}

/* Looked up by a browser for a link that nobody followed; a page of long ago; another's name. */
static void test_what_lies_further_back_is_not(void **state) {
    lookup(*state, WEIR_ROLE_MEDIA, 0, 30);
    assert_int_equal(begin_ms(*state, 3031, 3100), 3031);
    assert_int_equal(begin_ms(*state, 3030, 3100), 0);
    lookup(*state, WEIR_ROLE_OTHER, 9000, 9100);
    assert_int_equal(begin_ms(*state, 9200, 9300), 9200);
}

/* Who has looked around for longer than six seconds has not clicked yet. */
static void test_looking_around_is_no_wait(void **state) {
    for (int at = 0; at <= 8000; at += 2000)
        attempt(*state, WEIR_LAYER_CONNECT, WEIR_ROLE_CONTROL, WEIR_OUTCOME_USEFUL, at, at + 50);
    assert_int_equal(begin_ms(*state, 8100, 8200), 8100);
}

/* Three connections that nobody answers, with longer and longer rests between. */
static void test_failures_are_waited_for(void **state) {
    attempt(*state, WEIR_LAYER_CONNECT, WEIR_ROLE_MEDIA, WEIR_OUTCOME_SYN_TIMEOUT, 0, 10000);
    attempt(*state, WEIR_LAYER_CONNECT, WEIR_ROLE_MEDIA, WEIR_OUTCOME_SYN_TIMEOUT, 14000, 24000);
    attempt(*state, WEIR_LAYER_DNS, WEIR_ROLE_MEDIA, WEIR_OUTCOME_DNS_TIMEOUT, 40000, 45000);
    assert_int_equal(begin_ms(*state, 60000, 60100), 0);
    assert_int_equal(begin_ms(*state, 76000, 76100), 76000);
}

static void test_nobody_waits_for_two_minutes(void **state) {
    for (int at = 0; at <= 130000; at += 13000)
        attempt(*state, WEIR_LAYER_CONNECT, WEIR_ROLE_MEDIA, WEIR_OUTCOME_REFUSED, at, at + 50);
    assert_int_equal(begin_ms(*state, 131000, 131100), 131000);
}

/* Kept from an earlier session, or opened for what may be clicked: it begins with the request. But
 * a handshake that takes long is waited for. */
static void test_a_connection_of_long_ago_is_not_waited_for(void **state) {
    attempt(*state, WEIR_LAYER_CONNECT, WEIR_ROLE_MEDIA, WEIR_OUTCOME_USEFUL, 0, 80);
    assert_int_equal(begin_ms(*state, 0, 50000), 50000);
    assert_int_equal(begin_ms(*state, 0, 2900), 0);
    attempt(*state, WEIR_LAYER_CONNECT, WEIR_ROLE_MEDIA, WEIR_OUTCOME_USEFUL, 60000, 65000);
    assert_int_equal(begin_ms(*state, 60000, 65100), 60000);
}

/* Another service, another client. */
static void test_others_do_not_count(void **state) {
    lookup(*state, WEIR_ROLE_MEDIA, 0, 900);
    struct weir_evidence evidence = fake_chunk(SPORT, CLIENT, SERVER, T0 + 2 * S, 300000, 0, S / 2);
    evidence.flow_first_us = evidence.chunk.request_us = T0 + S;
    assert_int_equal(weir_preludes_begin_us(*state, &evidence), T0 + S);
    evidence.service = FILM;
    evidence.client = fake_addr("192.168.1.21");
    assert_int_equal(weir_preludes_begin_us(*state, &evidence), T0 + S);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_without_anything_before_it_is_the_connection),
        TEST(test_the_lookup_is_waited_for),
        TEST(test_the_page_and_its_lookup_are),
        TEST(test_what_lies_further_back_is_not),
        TEST(test_looking_around_is_no_wait),
        TEST(test_failures_are_waited_for),
        TEST(test_nobody_waits_for_two_minutes),
        TEST(test_a_connection_of_long_ago_is_not_waited_for),
        TEST(test_others_do_not_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
