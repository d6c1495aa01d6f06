/* Delays and rates of a home, whose windows hold few samples. */
#undef NDEBUG
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "site.h"

static int64_t at_us;

static bool take(struct weir_sparse *sparse, float value, uint32_t samples, double *ret_value) {
    struct weir_sparse_window window = {at_us, value, samples, samples}, whole;
    at_us += WEIR_SLOT_US;
    bool there = weir_sparse_take(sparse, window, &whole);
    if (there) *ret_value = (double)whole.value;
    return there;
}

static void windows_add_up(void **state) {
    struct weir_sparse sparse = {0};
    double value = 0;
    at_us = T0;
    assert_true(take(&sparse, 7, 5, &value)); /* as it is */
    assert_true(value == 7);
    assert_false(take(&sparse, 10, 3, &value));
    assert_false(take(&sparse, 90, 1, &value));
    assert_false(take(&sparse, 11, 3, &value));
    assert_true(take(&sparse, 12, 1, &value)); /* eight samples: 10 10 10 11 11 11 12 90 */
    assert_true(value == 11);
    assert_false(take(&sparse, 13, 4, &value)); /* each is used once */
}

static void not_over_minutes(void **state) {
    struct weir_sparse sparse = {0};
    double value = 0;
    at_us = T0;
    for (int i = 0; i < 40; i++) { /* one in twenty seconds: six in two minutes */
        assert_false(take(&sparse, 10, 1, &value));
        assert_false(take(&sparse, 10, 0, &value));
    }
    assert_false(take(&sparse, 10, 1, &value));
    assert_true(take(&sparse, 20, 4, &value)); /* with the six of before ten */
}

/* What was saved may be anything. */
static void insane_memory(void **state) {
    struct weir_sparse sparse;
    struct weir_sparse_window window = {T0, 10, 3, 1}, whole;
    memset(&sparse, 0xff, sizeof sparse);
    assert_false(weir_sparse_take(&sparse, window, &whole));
}

/* Two viewers, three answers in ten seconds; from minute 20 on at a fifth of the rate. Their
 * pictures stand still, or do not. */
static size_t slow_home(uint32_t samples, uint32_t clients, unsigned stalled) {
    static struct site site;
    site_begin(&site);
    for (int i = 0; i < 180; i++) {
        struct weir_detect_service_window service = {
            .service = NETFLIX, .loss_beyond = -1, .loss_before = -1};
        service.value[WEIR_CONTINUOUS_GOODPUT].value = (i < 120 ? 20e6 : 4e6) * (1 + 0.1 * (i % 3));
        service.value[WEIR_CONTINUOUS_GOODPUT].samples = samples;
        service.value[WEIR_CONTINUOUS_GOODPUT].clients = clients;
        struct weir_detect_window window = {
            .start_us = site.slot_us, .services = &service, .n_services = 1};
        struct weir_demand demand = {
            .service = NETFLIX, .viewers = 2, .viewers_stalled = i < 120 ? 0 : stalled};
        site_well(&site, NETFLIX, 1, 2);
        weir_detector_window(site.detector, &window);
        weir_detector_demand(site.detector, &demand);
        site_slot(&site);
    }
    size_t n = site_count(&site, WEIR_INCIDENT_RAISED);
    if (n) assert_int_equal(site_last(&site, WEIR_INCIDENT_RAISED)->state, WEIR_STATE_DEGRADED);
    site_end(&site);
    return n;
}

static void a_home_that_becomes_slow(void **state) {
    assert_int_equal(slow_home(3, 2, 2), 1);
    assert_int_equal(slow_home(3, 2, 0), 0); /* nobody misses it */
    assert_int_equal(slow_home(3, 1, 2), 0); /* one client is no service */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(windows_add_up),
        cmocka_unit_test(not_over_minutes),
        cmocka_unit_test(insane_memory),
        cmocka_unit_test(a_home_that_becomes_slow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
