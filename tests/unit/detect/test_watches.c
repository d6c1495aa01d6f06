/* The table of watches: rows say what the rest is made from, and their memory outlasts a restart.
 */
#undef NDEBUG
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "detect/state.h"

static const char *const names[] = {"none", "other", "netflix"};
enum { N = 3, NETFLIX = 2 };

static struct weir_detector *make(void) {
    struct weir_detect_config config;
    struct weir_detector *detector;
    weir_detect_config_default(&config);
    assert_int_equal(weir_detector_new(&detector, &config, names, N, NULL, NULL), 0);
    return detector;
}

static void rows_are_whole(void **state) {
    for (unsigned i = 0; i < WEIR_WATCH_N; i++) {
        const struct weir_watch *watch = weir_watches[i];
        assert_string_equal(weir_watch_name(i), watch->name);
        assert_true(strlen(weir_watch_help(i)) > 5);
        for (unsigned j = 0; j < i; j++)
            assert_string_not_equal(watch->name, weir_watches[j]->name);
        assert_true(!watch->offer == !watch->judge); /* who is alarmed is judged */
        assert_true(!watch->offer || watch->rank > 0);
        assert_true(!watch->mend || watch->memory);
        assert_true(!watch->state[0] == !watch->state[1]); /* while it lasts, and afterwards */
    }
    assert_null(weir_watch_name(WEIR_WATCH_N));
    assert_null(weir_watch_help(WEIR_WATCH_N));
}

/* A site's memory is always there, a service's once it is asked for; both zeroed. */
static void memory(void **state) {
    struct weir_detector *detector = make();
    for (unsigned i = 0; i < WEIR_WATCH_N; i++) {
        enum weir_watch_id id = (enum weir_watch_id)i;
        const struct weir_watch *watch = weir_watches[i];
        if (!watch->memory) continue;
        bool of_service = watch->scope == WEIR_WATCHES_SERVICE;
        weir_service_id service = of_service ? NETFLIX : WEIR_SERVICE_NONE;
        assert_true(!weir_watch_recall(detector, service, id) == of_service);
        const uint8_t *bytes = weir_watch_memory(detector, service, id);
        assert_non_null(bytes);
        for (size_t at = 0; at < watch->memory; at++) assert_int_equal(bytes[at], 0);
        assert_ptr_equal(weir_watch_recall(detector, service, id), bytes);
    }
    weir_detector_free(detector);
}

/* What has a `mend` is kept; what has none begins anew. */
static void a_restart(void **state) {
    struct weir_detector *before = make(), *after = make();
    uint8_t *bytes;
    size_t n;
    struct weir_silence *silence = weir_watch_memory(before, NETFLIX, WEIR_WATCH_silence);
    struct weir_losses *losses = weir_watch_memory(before, WEIR_SERVICE_NONE, WEIR_WATCH_losses);
    silence->alarm = true;
    silence->onset_us = 77;
    losses->bad_run = 5;
    weir_downlink_of(before)->full_us = 99;
    assert_int_equal(weir_detector_save(before, &bytes, &n), 0);
    assert_int_equal(weir_detector_restore(after, bytes, n), 0);
    const struct weir_silence *kept = weir_watch_recall(after, NETFLIX, WEIR_WATCH_silence);
    assert_true(kept && kept->alarm && kept->onset_us == 77);
    assert_int_equal(weir_downlink_of(after)->full_us, 99);
    losses = weir_watch_recall(after, WEIR_SERVICE_NONE, WEIR_WATCH_losses);
    assert_int_equal(losses->bad_run, 0);
    free(bytes);
    weir_detector_free(before);
    weir_detector_free(after);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(rows_are_whole), cmocka_unit_test(memory),
                                       cmocka_unit_test(a_restart)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
