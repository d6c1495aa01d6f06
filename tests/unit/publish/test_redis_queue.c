/* The queue: order, bounds, what is on its way, and what an answer is worth after a lost
 * connection. */
#undef NDEBUG
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>

#include "publish/redis_queue.h"

static void put(struct weir_queue *queue, enum weir_lane lane, uint8_t name, size_t size) {
    uint8_t bytes[1000] = {name};
    struct weir_item *item = weir_item_new(lane, bytes, size);
    item->tried = true;
    assert_int_equal(weir_queue_put(queue, item, 0), 0);
}

static struct weir_item *take(struct weir_queue *queue, enum weir_lane lane, int name) {
    struct weir_item *item = weir_queue_take(queue, lane);
    if (name < 0)
        assert_null(item);
    else
        assert_int_equal(item->bytes[0], name);
    return item;
}

static void test_order_survives_failures(void **state) {
    struct weir_queue *queue = weir_queue_new(100000, false);
    for (uint8_t i = 0; i < 3; i++) put(queue, WEIR_LANE_WINDOW, i, 10);
    struct weir_item *first = take(queue, WEIR_LANE_WINDOW, 0),
                     *second = take(queue, WEIR_LANE_WINDOW, 1);
    weir_queue_give_back(queue, second);
    weir_queue_give_back(queue, first);
    weir_queue_answered(queue, take(queue, WEIR_LANE_WINDOW, 0), 0);
    weir_queue_answered(queue, take(queue, WEIR_LANE_WINDOW, 1), 0);
    weir_queue_refuse(queue, take(queue, WEIR_LANE_WINDOW, 2));
    take(queue, WEIR_LANE_WINDOW, -1);
    assert_true(weir_queue_wait_empty(queue, 0));
    weir_queue_free(queue);
}

static void test_oldest_go_first_but_not_those_under_way(void **state) {
    struct weir_queue *queue = weir_queue_new(1000, false);
    put(queue, WEIR_LANE_WINDOW, 0, 300);
    struct weir_item *flying = take(queue, WEIR_LANE_WINDOW, 0);
    for (uint8_t i = 1; i < 10; i++) put(queue, WEIR_LANE_WINDOW, i, 300);
    struct weir_queue_stats stats = weir_queue_read_stats(queue);
    assert_int_equal(stats.depth[WEIR_LANE_WINDOW], 3);
    assert_int_equal(stats.dropped[WEIR_LANE_WINDOW], 7);
    assert_true(stats.bytes <= 1000);
    weir_queue_give_back(queue, flying);
    take(queue, WEIR_LANE_WINDOW, 0);
    take(queue, WEIR_LANE_WINDOW, 8);
    weir_queue_free(queue);
}

static void test_a_replay_waits(void **state) {
    struct weir_queue *queue = weir_queue_new(500, true);
    uint8_t bytes[300] = {0};
    put(queue, WEIR_LANE_WINDOW, 0, 300);
    assert_int_equal(weir_queue_put(queue, weir_item_new(WEIR_LANE_WINDOW, bytes, 300), 20),
                     -ETIMEDOUT);
    assert_false(weir_queue_wait_empty(queue, 20));
    put(queue, WEIR_LANE_PROBE, 1, 10);
    put(queue, WEIR_LANE_PROBE, 2, 10); /* only the newest matters */
    take(queue, WEIR_LANE_PROBE, 2);
    weir_queue_free(queue);
}

static void test_answered_incidents_can_be_doubted(void **state) {
    struct weir_queue *queue = weir_queue_new(1000, false);
    for (uint8_t i = 0; i < 3; i++) put(queue, WEIR_LANE_INCIDENT, i, 10);
    weir_queue_answered(queue, take(queue, WEIR_LANE_INCIDENT, 0), 100);
    weir_queue_answered(queue, take(queue, WEIR_LANE_INCIDENT, 1), 200);
    assert_int_equal(weir_queue_read_stats(queue).depth[WEIR_LANE_INCIDENT], 1);
    weir_queue_forget(queue, 150);
    weir_queue_doubt(queue);
    assert_int_equal(weir_queue_read_stats(queue).depth[WEIR_LANE_INCIDENT], 2);
    weir_queue_answered(queue, take(queue, WEIR_LANE_INCIDENT, 1), 300);
    weir_queue_answered(queue, take(queue, WEIR_LANE_INCIDENT, 2), 300);
    assert_true(weir_queue_wait_empty(queue, 0));
    assert_null(weir_queue_take_unsafe(queue, true)); /* has arrived: needs no spool any more */
    weir_queue_free(queue);
}

static void test_nothing_unsafe_is_sent(void **state) {
    struct weir_queue *queue = weir_queue_new(1000, false);
    uint8_t byte = 7;
    assert_int_equal(weir_queue_put(queue, weir_item_new(WEIR_LANE_INCIDENT, &byte, 1), 0), 0);
    take(queue, WEIR_LANE_INCIDENT, -1);
    struct weir_item *item = weir_queue_take_unsafe(queue, false);
    item->tried = true; /* the spool refused it */
    weir_queue_give_back(queue, item);
    assert_null(weir_queue_take_unsafe(queue, false));
    item = weir_queue_take_unsafe(queue, true);
    item->spool_seq = 1;
    weir_queue_give_back(queue, item);
    assert_null(weir_queue_take_unsafe(queue, true));
    take(queue, WEIR_LANE_INCIDENT, 7);
    weir_queue_free(queue);
}

static void test_incidents_are_bounded_too(void **state) {
    struct weir_queue *queue = weir_queue_new(1000, false);
    for (int i = 0; i < 10100; i++) put(queue, WEIR_LANE_INCIDENT, (uint8_t)i, 10);
    struct weir_queue_stats stats = weir_queue_read_stats(queue);
    assert_int_equal(stats.depth[WEIR_LANE_INCIDENT], 10000);
    assert_int_equal(stats.dropped[WEIR_LANE_INCIDENT], 100);
    take(queue, WEIR_LANE_INCIDENT, 100);
    weir_queue_free(queue);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order_survives_failures),
        cmocka_unit_test(test_oldest_go_first_but_not_those_under_way),
        cmocka_unit_test(test_a_replay_waits),
        cmocka_unit_test(test_answered_incidents_can_be_doubted),
        cmocka_unit_test(test_nothing_unsafe_is_sent),
        cmocka_unit_test(test_incidents_are_bounded_too)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
