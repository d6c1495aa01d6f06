/* When a capture is blind, and when it is only quiet. */
#undef NDEBUG
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/sight.h"

static struct weir_sight sight;
static struct weir_source_stats stats;
static uint64_t decode[WEIR_DECODE_N];
static int64_t now_s;

static int set_up(void **state) {
    sight = (struct weir_sight){0};
    stats = (struct weir_source_stats){0};
    for (int i = 0; i < WEIR_DECODE_N; i++) decode[i] = 0;
    now_s = 1000;
    return 0;
}

/* One tick with so many packets. */
static enum weir_blindness tick(unsigned packets, unsigned refused) {
    now_s++;
    stats.packets += packets + refused;
    decode[WEIR_DECODE_OK] += packets;
    decode[WEIR_DECODE_LINK_UNKNOWN] += refused;
    weir_sight_look(&sight, now_s * 1000000, now_s % 10 == 0, &stats, decode);
    return sight.now.blindness;
}

static enum weir_blindness ticks(unsigned n, unsigned packets, unsigned refused) {
    enum weir_blindness last = WEIR_BLIND_NOT;
    while (n--) last = tick(packets, refused);
    return last;
}

static void test_no_packet_where_there_were_some(void **state) {
    assert_int_equal(ticks(60, 100, 0), WEIR_BLIND_NOT);
    assert_int_equal(ticks(9, 0, 0), WEIR_BLIND_NOT);
    assert_int_equal(tick(0, 0), WEIR_BLIND_SILENT);
    assert_int_equal(sight.now.since_us, INT64_C(1060000000));
    assert_int_equal(tick(1, 0), WEIR_BLIND_NOT);
}

static void test_a_quiet_link_is_not_blind(void **state) {
    for (int i = 0; i < 60; i++) { /* a packet in twenty seconds */
        assert_int_equal(ticks(19, 0, 0), WEIR_BLIND_NOT);
        assert_int_equal(tick(1, 0), WEIR_BLIND_NOT);
    }
    assert_int_equal(ticks(600, 0, 0), WEIR_BLIND_NOT);
}

static void test_a_gap_that_was_survived_makes_patient(void **state) {
    ticks(60, 100, 0);
    ticks(8, 0, 0);
    ticks(60, 100, 0);
    assert_int_equal(ticks(26, 0, 0), WEIR_BLIND_NOT); /* 3 x 9 s */
    assert_int_equal(tick(0, 0), WEIR_BLIND_SILENT);
}

static void test_a_link_that_is_down(void **state) {
    ticks(3, 1, 0);
    stats.links_down = 1;
    assert_int_equal(tick(0, 0), WEIR_BLIND_LINK_DOWN);
    int64_t since_us = sight.now.since_us;
    ticks(100, 0, 0);
    assert_int_equal(sight.now.since_us, since_us);
    stats.links_down = 0;
    assert_int_equal(tick(1, 0), WEIR_BLIND_NOT);
}

static void test_packets_that_cannot_be_decoded(void **state) {
    assert_int_equal(ticks(20, 56, 44), WEIR_BLIND_UNDECODED);
    assert_in_range((int)(sight.now.share * 100), 43, 44);
    assert_int_equal(ticks(20, 90, 10), WEIR_BLIND_NOT);
}

static void test_a_file_is_never_silent(void **state) {
    for (int i = 0; i < 100; i++) weir_sight_look(&sight, (++now_s) * 1000000, false, NULL, decode);
    assert_int_equal(sight.now.blindness, WEIR_BLIND_NOT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_no_packet_where_there_were_some, set_up),
        cmocka_unit_test_setup(test_a_quiet_link_is_not_blind, set_up),
        cmocka_unit_test_setup(test_a_gap_that_was_survived_makes_patient, set_up),
        cmocka_unit_test_setup(test_a_link_that_is_down, set_up),
        cmocka_unit_test_setup(test_packets_that_cannot_be_decoded, set_up),
        cmocka_unit_test_setup(test_a_file_is_never_silent, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
