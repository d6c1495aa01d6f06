/* Markup: what strangers named things must stay text. */
#include "page/html.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void expect(const char *text, const char *escaped) {
    struct weir_html html = {0};
    weir_html_add(&html, "%s", text);
    assert_string_equal(html.text ? html.text : "", escaped);
    weir_html_deinit(&html);
}

static void test_escapes(void **state) {
    expect("<script>alert('x')</script>", "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;");
    expect("a\" onload=\"b", "a&quot; onload=&quot;b");
    expect("A&B", "A&amp;B");
    expect("caf\xc3\xa9 \xe2\x9c\x93", "caf\xc3\xa9 \xe2\x9c\x93");
}

static void test_what_is_no_text(void **state) {
    expect("a\x01\x1b[2J\x7f", "a??[2J?");
    expect("\xff\xfe", "??");
    expect("\xc0\xbc", "??");      /* an overlong '<' */
    expect("\xed\xa0\x80", "???"); /* half of a surrogate pair */
    expect("\xc2\x9b", "??");      /* a control character of two bytes */
    expect("cut \xe2\x9c", "cut ??");
}

static void test_conversions(void **state) {
    struct weir_html html = {0};
    weir_html_add(&html, "<p class=\"%.*s\" x=\"%.2f%%\" n=%d z=%zu l=%lu>%s</p>", 2, "ab<c",
                  12.345, -7, (size_t)9, 10ul, "<&");
    assert_string_equal(html.text, "<p class=\"ab\" x=\"12.35%\" n=-7 z=9 l=10>&lt;&amp;</p>");
    weir_html_deinit(&html);
}

static void test_grows(void **state) {
    struct weir_html html = {0};
    for (int i = 0; i < 20000; i++) weir_html_add(&html, "%s", "0123456789");
    assert_int_equal(html.length, 200000);
    assert_int_equal(strlen(html.text), 200000);
    weir_html_deinit(&html);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_escapes), cmocka_unit_test(test_what_is_no_text),
        cmocka_unit_test(test_conversions), cmocka_unit_test(test_grows)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
