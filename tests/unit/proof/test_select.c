/* Who finds room in a file: neighbours at the place that fails; and where it ends. */
#undef NDEBUG
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "proof/select.h"

enum { MANY = 40000, OURS = WEIR_SERVICE_OTHER + 1, NEIGHBOUR, CONTROL };
#define ONSET_US INT64_C(100000000)
#define TOLD_US  INT64_C(110000000)
#define UNTIL_US INT64_C(130000000)

static struct weir_proof_entry made[MANY], *list[MANY];
static size_t n_made;
static uint16_t port;

static struct weir_addr address(uint8_t net, uint8_t host) {
    return (struct weir_addr){
        {[10] = 0xff, [11] = 0xff, [12] = 198, [13] = 18, [14] = net, [15] = host}};
}

/* A flow of words that nothing can join, one each `every_us`. */
static void flow(uint8_t service, uint8_t net, int64_t begin_us, int64_t end_us, int64_t every_us) {
    port++;
    for (int64_t ts_us = begin_us; ts_us < end_us; ts_us += every_us) {
        assert_true(n_made < MANY);
        made[n_made] = (struct weir_proof_entry){.ts_us = ts_us,
                                                 .src = address(200, 1),
                                                 .dst = address(net, 1),
                                                 .flow = port,
                                                 .payload_len = 60,
                                                 .seq = (uint32_t)((ts_us - begin_us) / 1000) * 60,
                                                 .src_port = port,
                                                 .dst_port = 443,
                                                 .window = 500,
                                                 .size = sizeof made[0],
                                                 .transport = WEIR_TRANSPORT_TCP,
                                                 .tcp_flags = WEIR_TCP_ACK | WEIR_TCP_PSH,
                                                 .service = service,
                                                 .from_client = true};
        list[n_made] = &made[n_made];
        n_made++;
    }
}

static size_t select_with(const struct weir_addr *prefix, size_t bytes_max) {
    const struct weir_proof_case about = {.service = OURS,
                                          .onset_us = ONSET_US,
                                          .told_us = TOLD_US,
                                          .until_us = UNTIL_US,
                                          .bytes_max = bytes_max,
                                          .n_prefixes = prefix ? 1 : 0,
                                          .prefixes = prefix};
    long n = weir_proof_select(list, n_made, &about);
    assert_true(n >= 0);
    return (size_t)n;
}

static size_t count(size_t n, uint8_t service) {
    size_t found = 0;
    for (size_t i = 0; i < n; i++) found += list[i]->service == service;
    return found;
}

static int setup(void **state) {
    n_made = port = 0;
    return 0;
}

/* Of a control three flows come first. Where it fails beside the service all of them do, for the
 * older ones are those that failed first. */
static void test_neighbours(void **state) {
    const struct weir_addr prefix = address(30, 0);
    for (int told = 0; told < 2; told++) {
        setup(NULL);
        flow(OURS, 30, ONSET_US, TOLD_US, 10000);
        for (int i = 0; i < 8; i++)
            flow(NEIGHBOUR, 30, ONSET_US + i * 1000, ONSET_US + 8000000 + i, 100000);
        for (int i = 0; i < 2; i++) flow(CONTROL, 40, ONSET_US, TOLD_US, 20000);
        size_t n = select_with(told ? &prefix : NULL, 210000);
        if (told)
            assert_int_equal(count(n, NEIGHBOUR), 8 * 80);
        else
            assert_true(count(n, NEIGHBOUR) < 8 * 80);
        assert_true(count(n, CONTROL) > 0);
    }
}

/* All flows end together, behind the verdict, and none of the service's is left out. */
static void test_ends_earlier(void **state) {
    for (int i = 0; i < 10; i++) flow(OURS, 30, ONSET_US - 1000000, UNTIL_US, 100000);
    flow(CONTROL, 40, ONSET_US, UNTIL_US, 100000);
    size_t n = select_with(NULL, 250000), seen = 0;
    bool shown[16] = {false};
    int64_t last_us = list[n - 1]->ts_us;
    for (size_t i = 0; i < n; i++) {
        seen += list[i]->service == OURS && !shown[list[i]->src_port];
        shown[list[i]->src_port] |= list[i]->service == OURS;
    }
    assert_int_equal(seen, 10);
    assert_true(last_us >= TOLD_US && last_us < UNTIL_US - 2000000);
    assert_true(count(n, CONTROL) > 0);
}

static void test_not_before_the_verdict(void **state) {
    for (int i = 0; i < 10; i++) flow(OURS, 30, ONSET_US - 1000000, UNTIL_US, 100000);
    size_t n = select_with(NULL, 60000);
    assert_true(n > 0);
    assert_in_range(list[n - 1]->ts_us, TOLD_US + 2500000, TOLD_US + 5000000);
}

/* Of an incident of the way out those speak first for whom it fails, though they are neither the
 * newest nor of one service. */
static void test_those_hit_come_first(void **state) {
    for (int named = 0; named < 2; named++) {
        setup(NULL);
        flow(OURS, 30, ONSET_US - 1000000, TOLD_US - 2000000, 40000);
        size_t n_hit = n_made;
        for (size_t i = 0; i < n_hit; i++) made[i].src = address(200, 2);
        for (int i = 0; i < 10; i++) flow(OURS, 30, ONSET_US - 1000000, TOLD_US, 40000);
        const struct weir_addr hit = address(200, 2);
        const struct weir_proof_case about = {.onset_us = ONSET_US,
                                              .told_us = TOLD_US,
                                              .until_us = TOLD_US,
                                              .bytes_max = 150000,
                                              .n_clients = named ? 1 : 0,
                                              .clients = &hit};
        long n = weir_proof_select(list, n_made, &about);
        size_t found = 0;
        assert_true(n > 0);
        for (long i = 0; i < n; i++) found += weir_addr_compare(&list[i]->src, &hit) == 0;
        assert_int_equal(found, named ? n_hit : 0);
    }
}

static void test_all_where_there_is_room(void **state) {
    flow(OURS, 30, ONSET_US - 1000000, UNTIL_US, 100000);
    flow(CONTROL, 40, ONSET_US, UNTIL_US, 100000);
    assert_int_equal(select_with(NULL, 1000000), n_made);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test_setup(test_neighbours, setup),
                                       cmocka_unit_test_setup(test_ends_earlier, setup),
                                       cmocka_unit_test_setup(test_not_before_the_verdict, setup),
                                       cmocka_unit_test_setup(test_those_hit_come_first, setup),
                                       cmocka_unit_test_setup(test_all_where_there_is_room, setup)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
