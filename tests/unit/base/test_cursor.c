/* The cursor never reads past its end, and remembers that it was asked to. */
#undef NDEBUG
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/cursor.h"

static void test_reads(void **state) {
    static const uint8_t bytes[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
    struct weir_cursor c = weir_cursor_init(bytes, sizeof bytes);
    assert_int_equal(weir_cursor_u8(&c), 1);
    assert_int_equal(weir_cursor_be16(&c), 0x0203);
    assert_int_equal(weir_cursor_be24(&c), 0x040506);
    assert_int_equal(weir_cursor_be32(&c), 0x0708090a);
    assert_int_equal(weir_cursor_left(&c), 0);
    assert_false(c.short_of_bytes);
    assert_int_equal(weir_cursor_u8(&c), 0);
    assert_true(c.short_of_bytes);
}

static void test_short_stays_short(void **state) {
    static const uint8_t bytes[] = {0xff, 0xff, 0xff};
    struct weir_cursor c = weir_cursor_init(bytes, sizeof bytes);
    assert_int_equal(weir_cursor_be32(&c), 0);
    /* there is a byte, but a field before it was missing */
    assert_int_equal(weir_cursor_u8(&c), 0);
    assert_false(weir_cursor_skip(&c, 0));
    struct weir_cursor none = weir_cursor_init(NULL, 0);
    assert_int_equal(weir_cursor_u8(&none), 0);
    assert_true(none.short_of_bytes);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_reads),
                                       cmocka_unit_test(test_short_stays_short)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
