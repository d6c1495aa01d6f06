/* What is told, passed over and held; that the cursor remembers it. */
#undef NDEBUG
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "notify/mailbox.h"

#define S INT64_C(1000000)
enum { MAX = 16 };

struct world {
    struct weir_mailbox *box;
    struct weir_event_record events[MAX], *list[MAX];
    size_t n;
};

static struct world begin(const char *line) {
    struct world world = {.box = calloc(1, sizeof *world.box)};
    struct weir_fault fault;
    assert_int_equal(weir_target_parse(&world.box->target, line, &fault), 0);
    strcpy(world.box->at, "0");
    return world;
}

static void end(struct world *world) {
    for (size_t i = 0; i < world->n; i++) weir_event_deinit(&world->events[i]);
    free(world->box);
}

static void add(struct world *world, const char *id, const char *event, const char *state, int ts_s,
                int onset_s) {
    char json[512], position[48];
    snprintf(json, sizeof json,
             "{\"id\":\"%s\",\"event\":\"%s\",\"service\":\"netflix\",\"state\":\"%s\",\"cause\":"
             "\"cdn\",\"prefixes\":[\"198.18.7.0/24\"],\"ts\":%d,\"onset_ts\":%d,\"text\":\"\"}",
             id, event, state, ts_s, onset_s);
    snprintf(position, sizeof position, "%zu-0", world->n + 1);
    assert_int_equal(weir_event_read(&world->events[world->n], position, json), 0);
    world->list[world->n] = &world->events[world->n];
    world->n++;
}

/* The number (from 1) of the event that is told now, and taken; 0: none. */
static int tell(struct world *world, int now_s, bool taken) {
    bool changed = false;
    struct weir_event_record *event =
        weir_mailbox_next(world->box, world->list, world->n, now_s * S, NULL, NULL, &changed);
    if (!event) return 0;
    weir_mailbox_settle(world->box, world->list, world->n, event, taken);
    return atoi(event->position);
}

static void test_in_order(void **state) {
    struct world world = begin("json http://a/");
    add(&world, "a-1", "raised", "down", 10, 0);
    add(&world, "a-1", "updated", "down", 11, 0);
    add(&world, "a-1", "cleared", "down", 12, 0);
    assert_int_equal(tell(&world, 20, true), 1);
    assert_int_equal(tell(&world, 20, false), 2); /* refused for good: blocks nothing */
    assert_int_equal(tell(&world, 20, true), 3);
    assert_int_equal(tell(&world, 20, true), 0);
    assert_string_equal(world.box->at, "3-0");
    assert_int_equal(world.box->n_told, 0);
    assert_true(world.box->delivered == 2 && world.box->aside == 1);
    end(&world);
}

/* a-1 must last a minute; b-1, which did, passes by it, and the cursor says so. */
static void test_held(void **state) {
    struct world world = begin("json after=60s each http://a/");
    add(&world, "a-1", "raised", "down", 100, 90);
    add(&world, "a-1", "updated", "down", 101, 90);
    add(&world, "b-1", "raised", "down", 102, 20);
    assert_int_equal(tell(&world, 103, true), 3);
    assert_int_equal(tell(&world, 103, true), 0);
    assert_string_equal(world.box->at, "0");
    struct json_object *saved = weir_mailbox_save(world.box);
    struct weir_mailbox *again = calloc(1, sizeof *again);
    again->target = world.box->target;
    weir_mailbox_load(again, saved);
    json_object_put(saved);
    free(world.box);
    world.box = again;
    assert_int_equal(tell(&world, 149, true), 0);
    assert_int_equal(tell(&world, 150, true), 1);
    assert_int_equal(tell(&world, 150, true), 2);
    assert_string_equal(world.box->at, "3-0");
    assert_int_equal(world.box->n_settled, 0);
    end(&world);
}

static void test_over_before_it_was_told(void **state) {
    struct world world = begin("json after=60s http://a/");
    add(&world, "a-1", "raised", "down", 100, 90);
    assert_int_equal(tell(&world, 110, true), 0);
    add(&world, "a-1", "cleared", "down", 120, 90);
    assert_int_equal(tell(&world, 1000, true), 0);
    assert_string_equal(world.box->at, "2-0");
    end(&world);
}

static void test_least_state_and_one_cause(void **state) {
    struct world world = begin("json state=down http://a/");
    add(&world, "a-1", "raised", "partial", 10, 0);
    add(&world, "a-1", "updated", "down", 11, 0);
    add(&world, "b-1", "raised", "down", 12, 1); /* the same CDN */
    add(&world, "a-1", "updated", "partial", 13, 0);
    add(&world, "b-1", "cleared", "down", 14, 1);
    add(&world, "a-1", "cleared", "partial", 15, 0);
    assert_int_equal(tell(&world, 20, true), 2);
    assert_int_equal(tell(&world, 20, true), 4); /* what was told before stays of interest */
    assert_int_equal(tell(&world, 20, true), 6);
    assert_int_equal(tell(&world, 20, true), 0);
    end(&world);
}

static void test_positions(void **state) {
    assert_true(weir_position_compare("9", "10") < 0 &&
                weir_position_compare("1795469610854-1", "1795469610854-0") > 0);
    assert_true(weir_position_compare("5-0", "5") == 0 && weir_position_compare("0", "1-0") < 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_in_order), cmocka_unit_test(test_held),
                                       cmocka_unit_test(test_over_before_it_was_told),
                                       cmocka_unit_test(test_least_state_and_one_cause),
                                       cmocka_unit_test(test_positions)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
