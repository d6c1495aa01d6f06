/* Pseudonyms: stable under one key, different under another, IPv6 by /64, and the key file is made
 * once. */
#undef NDEBUG
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include <weir/sink.h>

static const char *text_of(const struct weir_publish_context *context, const char *addr,
                           char *text) {
    struct weir_addr parsed;
    assert_int_equal(weir_addr_parse(addr, &parsed), 0);
    return weir_client_text(context, &parsed, text);
}

static void test_modes(void **state) {
    char a[WEIR_CLIENT_TEXT_MAX], b[WEIR_CLIENT_TEXT_MAX];
    struct weir_publish_context context = {.clients = WEIR_CLIENTS_PLAIN};
    assert_string_equal(text_of(&context, "10.0.0.1", a), "10.0.0.1");
    context.clients = WEIR_CLIENTS_NONE;
    assert_string_equal(text_of(&context, "10.0.0.1", a), "");
    context.clients = WEIR_CLIENTS_PSEUDONYM;
    assert_string_equal(text_of(&context, "10.0.0.1", a), text_of(&context, "10.0.0.1", b));
    assert_string_not_equal(a, text_of(&context, "10.0.0.2", b));
    assert_int_equal(strlen(a), 18);
    struct weir_publish_context other = context;
    other.key[0] = 1;
    assert_string_not_equal(a, text_of(&other, "10.0.0.1", b));
    assert_string_equal(text_of(&context, "2001:db8::1", a),
                        text_of(&context, "2001:db8::ffff:2", b));
    assert_string_not_equal(a, text_of(&context, "2001:db8:0:1::1", b));
}

static void test_key_file(void **state) {
    char directory[] = "/tmp/weir-test-XXXXXX", path[64];
    uint8_t first[32], again[32];
    struct weir_fault fault = {0};
    struct stat info;
    assert_non_null(mkdtemp(directory));
    snprintf(path, sizeof path, "%s/key", directory);
    assert_int_equal(weir_client_key_load(first, path, &fault), 0);
    assert_int_equal(weir_client_key_load(again, path, &fault), 0);
    assert_memory_equal(first, again, sizeof first);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    assert_int_equal(truncate(path, 5), 0);
    assert_true(weir_client_key_load(again, path, &fault) < 0);
    assert_non_null(strstr(fault.text, path));
    unlink(path);
    rmdir(directory);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_modes),
                                       cmocka_unit_test(test_key_file)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
