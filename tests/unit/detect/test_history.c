/* The ring of the latest trials: what it keeps, in which order, and whose addresses. */
#undef NDEBUG
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "site.h"

/* The i-th trial of a site at which no client and no server comes twice. */
static struct weir_item item(unsigned i) {
    struct weir_item one = {.client = site_client(i), .prefix = site_client(0x8000 + i)};
    one.at_us = T0 + i * WEIR_SLOT_US;
    one.service = (uint8_t)(NETFLIX + i % 3);
    one.layer = (uint8_t)(i % WEIR_LAYER_N);
    one.kind = (uint8_t)(i % WEIR_OUTCOME_N);
    one.flags = WEIR_ITEM_OK;
    one.role = (uint8_t)(i % 3);
    one.useful_ms = (uint16_t)i;
    return one;
}

static void assert_is(const struct weir_history *history, uint64_t position, unsigned i) {
    struct weir_item want = item(i), got = weir_history_item(history, position);
    assert_int_equal(weir_addr_compare(&got.client, &want.client), 0);
    assert_int_equal(weir_addr_compare(&got.prefix, &want.prefix), 0);
    assert_int_equal(got.at_us, want.at_us);
    assert_int_equal(got.service, want.service);
    assert_int_equal(got.layer, want.layer);
    assert_int_equal(got.kind, want.kind);
    assert_int_equal(got.flags, want.flags);
    assert_int_equal(got.role, want.role);
    assert_int_equal(got.useful_ms, want.useful_ms);
}

static void add(struct weir_history *history, unsigned first, unsigned n, bool closed) {
    for (unsigned i = first; i < first + n; i++) {
        struct weir_item one = item(i);
        weir_history_add(history, &one, NULL, closed);
    }
}

static void the_bound_is_rounded_down(void **state) {
    static const size_t bounds[][2] = {{1, 1}, {2, 2}, {3, 2}, {255, 128}, {256, 256}, {257, 256}};
    for (size_t i = 0; i < sizeof bounds / sizeof *bounds; i++) {
        struct weir_history history;
        assert_int_equal(weir_history_init(&history, bounds[i][0]), 0);
        assert_int_equal(history.size, bounds[i][1]);
        weir_history_discard(&history);
    }
}

/* Far more addresses than the ring has places: those that no trial names any more make room, and
 * the numbers of the others change, but not their trials. */
static void forgotten_addresses_make_room(void **state) {
    struct weir_history history;
    unsigned renumbered = 0;
    assert_int_equal(weir_history_init(&history, 256), 0);
    for (unsigned i = 0; i < 2000; i++) {
        size_t before = history.clients.n;
        add(&history, i, 1, true);
        assert_int_equal(history.n, i + 1);
        assert_true(history.clients.n <= 512 && history.places.n <= 512);
        renumbered += history.clients.n < before;
        assert_is(&history, i, i);
        assert_is(&history, i < 255 ? 0 : i - 255, i < 255 ? 0 : i - 255);
    }
    /* once in as many new addresses as the ring holds: it costs two look-ups a trial */
    assert_in_range(renumbered, 5, 8);
    for (unsigned i = 2000 - 256; i < 2000; i++) assert_is(&history, i, i);
    weir_history_discard(&history);
}

/* Numbers that an item was given before may be another's by now, or none: they are only a hint. */
static void old_numbers_are_a_hint(void **state) {
    struct weir_history history;
    struct weir_numbers of_first = {WEIR_INDEX_NONE, WEIR_INDEX_NONE}, absurd = {1 << 20, 1 << 20};
    assert_int_equal(weir_history_init(&history, 256), 0);
    struct weir_item first = item(0);
    weir_history_add(&history, &first, &of_first, true);
    assert_int_equal(of_first.client, 0);
    add(&history, 1, 700, true); /* all are numbered anew */
    for (int again = 0; again < 2; again++) {
        weir_history_add(&history, &first, &of_first, true);
        assert_is(&history, history.n - 1, 0);
    }
    assert_true(of_first.client != 0 && of_first.place != 0);
    weir_history_add(&history, &first, &absurd, true);
    assert_is(&history, history.n - 1, 0);
    assert_memory_equal(&absurd, &of_first, sizeof absurd);
    weir_history_discard(&history);
}

static void the_open_slot_is_written_anew(void **state) {
    struct weir_history history;
    assert_int_equal(weir_history_init(&history, 16), 0);
    add(&history, 0, 3, true);
    add(&history, 10, 4, false);
    assert_int_equal(history.n, 7);
    weir_history_rewind(&history);
    assert_int_equal(history.n, 3);
    add(&history, 20, 1, false);
    assert_is(&history, 2, 2);
    assert_is(&history, 3, 20);
    weir_history_discard(&history);
}

/* A trial of a closed slot that comes while one is open goes before those of the open one. */
static void a_late_one_goes_before_the_open_slot(void **state) {
    struct weir_history history;
    assert_int_equal(weir_history_init(&history, 16), 0);
    add(&history, 0, 2, true);
    struct weir_item late = item(7);
    weir_history_insert(&history, &late); /* nothing is open */
    assert_int_equal(history.n_closed, 3);
    add(&history, 10, 2, false);
    late = item(8);
    weir_history_insert(&history, &late);
    assert_int_equal(history.n_closed, 4);
    assert_int_equal(history.n, 6);
    assert_is(&history, 2, 7);
    assert_is(&history, 3, 8);
    weir_history_rewind(&history);
    assert_int_equal(history.n, 4);
    weir_history_discard(&history);
}

/* Within a slot the order is that of decisions, so the search stops a slot early; it says when what
 * was asked for is gone. */
static void looking_back(void **state) {
    struct weir_history history;
    bool overrun;
    assert_int_equal(weir_history_init(&history, 16), 0);
    assert_int_equal(weir_history_since(&history, T0, &overrun), 0);
    assert_false(overrun);
    add(&history, 0, 10, true);
    assert_int_equal(weir_history_since(&history, T0 + 5 * WEIR_SLOT_US, &overrun), 4);
    assert_false(overrun);
    assert_int_equal(weir_history_since(&history, T0 + 5 * WEIR_SLOT_US + 1, &overrun), 5);
    assert_int_equal(weir_history_since(&history, T0, &overrun), 0);
    assert_false(overrun); /* all of it is there */
    add(&history, 10, 6, true);
    assert_int_equal(weir_history_since(&history, T0, &overrun), 0);
    assert_false(overrun); /* full to the last place, and nothing is gone */
    add(&history, 16, 1, true);
    assert_int_equal(weir_history_since(&history, T0, &overrun), 1);
    assert_true(overrun);
    assert_int_equal(weir_history_since(&history, T0 + 3 * WEIR_SLOT_US, &overrun), 2);
    assert_false(overrun);
    weir_history_discard(&history);
}

/* What is read off the history is what a judgement finds. */
static void a_glance_is_the_judgement(void **state) {
    static struct site site;
    site_begin(&site);
    struct weir_detector *detector = site.detector;
    struct weir_item one = {.service = NETFLIX};
    for (unsigned i = 0; i < 400; i++) {
        one.client = site_client(i % 37);
        one.layer = (uint8_t)(i % WEIR_LAYER_N);
        one.prefix = site_prefix(one.layer == WEIR_LAYER_DNS ? 90 : i % 7);
        one.at_us = T0 + i * SECOND / 10;
        one.flags = (uint8_t)(WEIR_ITEM_SCORED | (i % 3 ? WEIR_ITEM_OK : WEIR_ITEM_FAIL));
        if (one.layer != WEIR_LAYER_DNS && i % 5) one.flags |= WEIR_ITEM_CONTROL;
        weir_history_add(&detector->history, &one, NULL, true);
    }
    struct weir_addr resolver = site_prefix(90);
    int64_t since_us = T0 + 15 * SECOND, began_us = T0 + 18 * SECOND;
    struct weir_incident record = {.id = ""};
    struct weir_glance glance;
    assert_true(weir_judgement_glance(detector, &resolver, since_us, began_us, &glance));
    weir_judgement_begin(detector, since_us);
    struct weir_pick pick = {.any_service = true,
                             .layer = WEIR_LAYER_DNS,
                             .need = WEIR_ITEM_SCORED,
                             .place = weir_judgement_place(detector, &resolver) + 1,
                             .since_us = since_us};
    assert_true(weir_judge_own(detector, &pick, &record).fail > 0);
    struct weir_tally controls =
        weir_judge_controls(detector, WEIR_SERVICE_NONE, began_us, false, &record);
    assert_in_range(controls.fail, 1, controls.total - 1);
    assert_int_equal(glance.controls.fail, controls.fail);
    assert_int_equal(glance.controls.total, controls.total);
    assert_int_equal(glance.n_read, detector->judgement.n_read);
    /* a server of the resolver's address: then trials have to be told apart */
    one.layer = WEIR_LAYER_CONNECT;
    one.prefix = resolver;
    weir_history_add(&detector->history, &one, NULL, true);
    assert_false(weir_judgement_glance(detector, &resolver, since_us, began_us, &glance));
    site_end(&site);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_bound_is_rounded_down),
        cmocka_unit_test(forgotten_addresses_make_room),
        cmocka_unit_test(old_numbers_are_a_hint),
        cmocka_unit_test(the_open_slot_is_written_anew),
        cmocka_unit_test(a_late_one_goes_before_the_open_slot),
        cmocka_unit_test(looking_back),
        cmocka_unit_test(a_glance_is_the_judgement),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
