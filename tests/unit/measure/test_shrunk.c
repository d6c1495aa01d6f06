/* When is an API's small answer an error, and when is it what it always was? */
#include "fake.h"
#include "measure/shrunk.h"

#define SERVER "192.0.2.1"
enum { ASKED = 90, USUAL = 6000, ERROR = 300, MINUTE = 60 };

static struct weir_shrunk shrunk;

static int setup(void **state) { return weir_shrunk_init(&shrunk, 64); }

static int teardown(void **state) {
    weir_shrunk_deinit(&shrunk);
    return 0;
}

static enum weir_outcome reply(const char *client, int at_s, uint32_t asked, uint64_t bytes) {
    struct weir_evidence evidence =
        fake_chunk(FILM, client, SERVER, T0 + at_s * S, bytes, S / 20, S / 50);
    evidence.kind = WEIR_EVIDENCE_REPLY;
    evidence.role = WEIR_ROLE_CONTROL;
    evidence.media = false;
    evidence.chunk.request_bytes = asked;
    return weir_shrunk_take(&shrunk, &evidence);
}

/* One a dozen seconds, for a minute and more. Returns when it is over. */
static int works(int from_s, uint32_t asked, uint64_t bytes) {
    for (int i = 0; i < 6; i++)
        assert_int_equal(reply("10.0.0.1", from_s + 12 * i, asked + (uint32_t)i, bytes + 300u * i),
                         WEIR_OUTCOME_NEUTRAL);
    return from_s + 72;
}

static enum weir_outcome errors(int *at_s, int n, uint32_t asked, int apart_s) {
    static const char *const clients[] = {"10.0.0.1", "10.0.0.2"};
    enum weir_outcome outcome = WEIR_OUTCOME_NONE;
    for (int i = 0; i < n; i++, *at_s += apart_s)
        outcome = reply(clients[i % 2], *at_s, asked, ERROR);
    return outcome;
}

static void test_the_third_in_a_row_is_an_error(void **state) {
    int at_s = works(0, ASKED, USUAL);
    assert_int_equal(errors(&at_s, 2, ASKED, 4), WEIR_OUTCOME_NEUTRAL);
    assert_int_equal(errors(&at_s, 1, ASKED, 4), WEIR_OUTCOME_HOLLOW);
    assert_int_equal(errors(&at_s, 1, ASKED, 4), WEIR_OUTCOME_HOLLOW);
    assert_int_equal(reply("10.0.0.3", at_s, ASKED, USUAL), WEIR_OUTCOME_USEFUL);
    assert_int_equal(reply("10.0.0.3", at_s + MINUTE * 11, ASKED, USUAL), WEIR_OUTCOME_NEUTRAL);
}

static void test_a_usual_answer_ends_the_row(void **state) {
    int at_s = works(0, ASKED, USUAL);
    errors(&at_s, 2, ASKED, 4);
    reply("10.0.0.3", at_s, ASKED, USUAL);
    assert_int_equal(errors(&at_s, 2, ASKED, 4), WEIR_OUTCOME_NEUTRAL);
}

static void test_one_client_alone_says_nothing(void **state) {
    int at_s = works(0, ASKED, USUAL);
    for (int i = 0; i < 20; i++)
        assert_int_equal(reply("10.0.0.1", at_s + 10 * i, ASKED, ERROR), WEIR_OUTCOME_NEUTRAL);
}

static void test_a_page_that_has_not_changed_comes_at_once(void **state) {
    int at_s = works(0, ASKED, USUAL);
    assert_int_equal(errors(&at_s, 12, ASKED, 0), WEIR_OUTCOME_NEUTRAL);
}

static void test_receipts_of_beacons_are_small_from_the_start(void **state) {
    int at_s = works(0, ASKED, USUAL);
    at_s = works(at_s, ASKED * 8, 120); /* a size of its own */
    assert_int_equal(errors(&at_s, 8, ASKED * 8, 5), WEIR_OUTCOME_NEUTRAL);
}

static void test_small_among_usual_ones_is_nothing_new(void **state) {
    int at_s = works(0, ASKED, USUAL);
    errors(&at_s, 2, ASKED, 4);
    at_s = works(at_s, ASKED, USUAL); /* that was harmless */
    assert_int_equal(errors(&at_s, 12, ASKED, 4), WEIR_OUTCOME_NEUTRAL);
}

static void test_in_the_first_minute_nothing_is_known(void **state) {
    for (int i = 0; i < 8; i++) reply("10.0.0.1", i, ASKED, USUAL);
    int at_s = 10;
    assert_int_equal(errors(&at_s, 8, ASKED, 4), WEIR_OUTCOME_NEUTRAL);
}

/* A new version of the service: what is small from now on is usual in the end. */
static void test_a_service_that_changed_is_learned_anew(void **state) {
    int at_s = works(0, ASKED, USUAL), told = 0;
    for (int i = 0; i < 200; i++) told += errors(&at_s, 2, ASKED, 4) == WEIR_OUTCOME_HOLLOW;
    assert_in_range(told, 10, 40);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_the_third_in_a_row_is_an_error),
        TEST(test_a_usual_answer_ends_the_row),
        TEST(test_one_client_alone_says_nothing),
        TEST(test_a_page_that_has_not_changed_comes_at_once),
        TEST(test_receipts_of_beacons_are_small_from_the_start),
        TEST(test_small_among_usual_ones_is_nothing_new),
        TEST(test_in_the_first_minute_nothing_is_known),
        TEST(test_a_service_that_changed_is_learned_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
