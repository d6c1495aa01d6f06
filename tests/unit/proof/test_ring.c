/* The ring keeps the newest, joins bulk segments, and is read while it is written. */
#undef NDEBUG
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>

#include "proof/ring.h"

struct seen {
    size_t n;
    int64_t first_us, last_us;
    uint32_t longest;
    bool ordered;
};

static int see(void *context, const struct weir_proof_entry *entry) {
    struct seen *seen = context;
    if (seen->n++ == 0) seen->first_us = entry->ts_us;
    seen->ordered &= entry->ts_us >= seen->last_us;
    seen->last_us = entry->ts_us;
    seen->longest = entry->payload_len > seen->longest ? entry->payload_len : seen->longest;
    return 0;
}

static struct seen read_all(const struct weir_proof_ring *ring) {
    struct seen seen = {.ordered = true, .last_us = INT64_MIN};
    assert_int_equal(weir_proof_ring_read(ring, 0, INT64_MAX, see, &seen), 0);
    return seen;
}

static const uint8_t payload[1500];

static struct weir_packet segment(int64_t ts_us, uint32_t seq, uint32_t length) {
    return (struct weir_packet){.ts_us = ts_us,
                                .src_port = 443,
                                .dst_port = 50000,
                                .transport = WEIR_TRANSPORT_TCP,
                                .tcp_flags = WEIR_TCP_ACK,
                                .payload_len = length,
                                .payload_captured = length,
                                .payload = payload,
                                .tcp = {.seq = seq, .window = 100}};
}

static void test_joins(void **state) {
    struct weir_proof_ring *ring = weir_proof_ring_new(1 << 20);
    for (uint32_t i = 0; i < 10; i++) {
        struct weir_packet packet = segment(1000 + i * 100, 5000 + i * 1400, 1400);
        weir_proof_keep(ring, &packet, 77, 2, false, false);
    }
    struct seen seen = read_all(ring);
    assert_int_equal(seen.n, 1);
    assert_int_equal(seen.longest, 14000);
    struct weir_packet hole = segment(2100, 5000 + 12 * 1400, 1400),
                       late = segment(9000, 5000 + 13 * 1400, 1400);
    weir_proof_keep(ring, &hole, 77, 2, false, false);
    weir_proof_keep(ring, &late, 77, 2, false, false); /* 7 ms later */
    struct weir_packet other = segment(9001, 5000 + 14 * 1400, 1400);
    weir_proof_keep(ring, &other, 78, 2, false, false); /* another flow */
    weir_proof_keep(ring, &other, 77, 2, false, true);  /* it may tell the name */
    assert_int_equal(read_all(ring).n, 5);
    weir_proof_ring_free(ring);
}

static void test_the_oldest_goes(void **state) {
    struct weir_proof_ring *ring = weir_proof_ring_new(1 << 20);
    for (int64_t i = 0; i < 100000; i++) {
        struct weir_packet packet = segment(i * 10000, (uint32_t)i, 1);
        weir_proof_keep(ring, &packet, (uint64_t)i, 2, false, false);
    }
    struct seen seen = read_all(ring);
    assert_true(seen.ordered && seen.last_us == 99999 * INT64_C(10000));
    assert_true(seen.n > 6000 && seen.n < 10000);
    weir_proof_ring_free(ring);
}

static atomic_bool over;

static void *write_on(void *context) {
    for (int64_t i = 0; !over; i++) {
        struct weir_packet packet = segment(i * 10000, (uint32_t)i, (uint32_t)(i % 200));
        weir_proof_keep(context, &packet, (uint64_t)i, 2, false, i % 7 == 0);
    }
    return NULL;
}

static void test_read_while_written(void **state) {
    struct weir_proof_ring *ring = weir_proof_ring_new(1 << 20);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, write_on, ring), 0);
    for (int i = 0; i < 200; i++) {
        struct seen seen = read_all(ring);
        assert_true(seen.ordered);
    }
    over = true;
    pthread_join(thread, NULL);
    weir_proof_ring_free(ring);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_joins),
                                       cmocka_unit_test(test_the_oldest_goes),
                                       cmocka_unit_test(test_read_while_written)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
