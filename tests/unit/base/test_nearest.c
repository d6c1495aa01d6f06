/* Hand-worked distances. */
#undef NDEBUG
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/nearest.h"

static const char *const words[] = {"live", "replay", "status", "netflix", "max"};

static const char *near(const char *word) { return weir_nearest(word, words, 5); }

static void test_near(void **state) {
    assert_string_equal(near("repaly"), "replay");   /* swapped */
    assert_string_equal(near("netflx"), "netflix");  /* left out */
    assert_string_equal(near("statuss"), "status");  /* added */
    assert_string_equal(near("nteflex"), "netflix"); /* two */
    assert_string_equal(near("mac"), "max");
    assert_string_equal(near("ma"), "max"); /* one of three */
}

static void test_not_near(void **state) {
    assert_null(near("replay")); /* it is one */
    assert_null(near("xyz"));
    assert_null(near(""));
    assert_null(near("m")); /* two of three letters */
    assert_null(near("a-word-that-is-much-longer-than-any-command-could-be"));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_near),
                                       cmocka_unit_test(test_not_near)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
