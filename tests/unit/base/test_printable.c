/* What steers a terminal becomes '?', all else stays; UTF-8 stays whole. */
#undef NDEBUG
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/printable.h"

static void becomes(const char *from, const char *to) {
    char text[256];
    strcpy(text, from);
    assert_string_equal(weir_printable(text, false), to);
    assert_true(weir_is_printable(to));
    assert_int_equal(weir_is_printable(from), strcmp(from, to) == 0);
}

static void test_text_stays(void **state) {
    becomes("", "");
    becomes("caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x93\xba",
            "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x93\xba");
}

static void test_control_characters(void **state) {
    becomes("a\x1b[31mb\x7f\r\n\t", "a?[31mb????");
    becomes("\xc2\x9b"
            "31m",
            "?31m"); /* U+009B, CSI in one character */
    becomes("\xe2\x80\xae"
            "txt.exe",
            "?txt.exe"); /* right-to-left override */
}

static void test_broken_utf8(void **state) {
    becomes("\x9b", "?");                /* CSI as a single byte */
    becomes("\xc0\x9b", "??");           /* overlong ESC */
    becomes("\xed\xa0\x80", "???");      /* a surrogate */
    becomes("\xf4\x90\x80\x80", "????"); /* above U+10FFFF */
    becomes("a\xe2\x82", "a??");         /* cut */
}

static void test_lines_may_stay(void **state) {
    char text[] = "a\n\tb\x1b";
    assert_string_equal(weir_printable(text, true), "a\n\tb?");
}

static void test_a_copy_is_cut_between_characters(void **state) {
    char room[5];
    assert_string_equal(weir_printable_copy(room, sizeof room, "ab\xe2\x82\xac"), "ab");
    assert_string_equal(weir_printable_copy(room, sizeof room,
                                            "a\xe2\x82\xac"
                                            "b"),
                        "a\xe2\x82\xac");
    assert_string_equal(weir_printable_copy(room, sizeof room, "abcdef"), "abcd");
}

static void json_becomes(const char *json, const char *wanted) {
    char text[100];
    snprintf(text, sizeof text, "%s", json);
    assert_string_equal(weir_printable_json(text), wanted);
}

static void test_escapes_of_json(void **state) {
    json_becomes("{\"a\": \"\\u00e9 \\\\ \\\" \\/\"}", "{\"a\": \"\\u00e9 \\\\ \\\" \\/\"}");
    json_becomes("\"\\u001b[31m\\u009B\\u202e\\u007f\"", "\"?[31m???\"");
    json_becomes("\"\\n\\b\\\\u001b\"", "\"??\\\\u001b\""); /* a backslash, and then u001b */
    json_becomes("\"\\ud83d\\ude00\"", "\"\\ud83d\\ude00\"");
    json_becomes("\"\\u00", "\"\\u00"); /* cut */
    json_becomes("\"\\", "\"\\");
    json_becomes("\"\\u0\\u001b\"", "\"\\u0?\"");
    json_becomes("{\n\t\"a\x1b\": 1}", "{\n\t\"a?\": 1}");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text_stays),
        cmocka_unit_test(test_control_characters),
        cmocka_unit_test(test_broken_utf8),
        cmocka_unit_test(test_lines_may_stay),
        cmocka_unit_test(test_a_copy_is_cut_between_characters),
        cmocka_unit_test(test_escapes_of_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
