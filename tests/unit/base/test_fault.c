/* A fault is one line, whatever is quoted in it. */
#undef NDEBUG
#include <assert.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <weir/error.h>

static void test_says_and_passes_on(void **state) {
    struct weir_fault fault = {0};
    assert_int_equal(weir_fault_set(&fault, -EINVAL, "%s: line %d", "a.yaml", 7), -EINVAL);
    assert_string_equal(fault.text, "a.yaml: line 7");
    assert_int_equal(weir_fault_set(NULL, -EIO, "nobody listens"), -EIO);
}

static void test_quotes_no_control_character(void **state) {
    struct weir_fault fault = {0};
    weir_fault_set(&fault, -EINVAL, "key '%s'", "a\tb\n\x1b[31m\x7f");
    assert_string_equal(fault.text, "key 'a?b??[31m?'");
    weir_fault_set(&fault, -EINVAL, "site '%s'", "M\xc3\xbcnchen");
    assert_string_equal(fault.text, "site 'M\xc3\xbcnchen'");
}

static void test_is_cut_at_its_room(void **state) {
    struct weir_fault fault;
    char text[2 * sizeof fault.text];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    weir_fault_set(&fault, -EINVAL, "%s", text);
    assert_int_equal(strlen(fault.text), sizeof fault.text - 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_says_and_passes_on),
        cmocka_unit_test(test_quotes_no_control_character),
        cmocka_unit_test(test_is_cut_at_its_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
