/* Commands as bytes: written, read back, and nothing read beyond them whatever they say. */
#undef NDEBUG
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "publish/redis_message.h"

static struct weir_command command;

static void make(struct weir_message *message) {
    weir_message_clear(message);
    weir_message_command(message, WEIR_COMMAND_ENTRY, "XADD");
    for (const char *const *text =
             (const char *const[]){"key", "MAXLEN", "~", "10", "5-0", "ts", "1", "id", "i", "event",
                                   "raised", "json", "{}", NULL};
         *text; text++)
        weir_message_arg(message, *text);
    weir_message_command(message, WEIR_COMMAND_ALERT, "PUBLISH");
    weir_message_arg(message, "weir:alerts");
    weir_message_arg_ref(message, WEIR_REF_JSON);
    weir_message_command(message, WEIR_COMMAND_PLAIN, "EXPIRE");
    weir_message_arg(message, "key");
    weir_message_arg_int(message, -35);
}

static void test_there_and_back(void **state) {
    struct weir_message message = {0};
    size_t offset = 0;
    make(&message);
    assert_int_equal(weir_message_next(message.bytes, message.size, &offset, &command), 1);
    assert_int_equal(command.role, WEIR_COMMAND_ENTRY);
    assert_int_equal(command.argc, 14);
    assert_memory_equal(command.argv[WEIR_ENTRY_ID], "5-0", 3);
    assert_memory_equal(command.argv[WEIR_ENTRY_FIELDS], "ts", 2);
    assert_int_equal(weir_message_next(message.bytes, message.size, &offset, &command), 1);
    assert_null(command.argv[2]);
    assert_int_equal(command.lengths[2], WEIR_REF_JSON);
    assert_true(weir_command_is(&command, "PUBLISH"));
    assert_false(weir_command_is(&command, "PUBLISHED"));
    assert_int_equal(weir_message_next(message.bytes, message.size, &offset, &command), 1);
    assert_memory_equal(command.argv[2], "-35", 3);
    assert_int_equal(weir_message_next(message.bytes, message.size, &offset, &command), 0);
    weir_message_deinit(&message);
}

/* Every cut and every changed byte: read to an end or refused, never beyond (the copy is as large
 * as what is left). */
static void test_broken(void **state) {
    struct weir_message message = {0};
    make(&message);
    for (size_t cut = 0; cut <= message.size; cut++)
        for (int flip = 0; flip < 256; flip += cut == message.size ? 1 : 255) {
            for (size_t at = 0; at < (cut == message.size ? message.size : 1); at++) {
                uint8_t *copy = malloc(cut ? cut : 1);
                size_t offset = 0;
                int more;
                memcpy(copy, message.bytes, cut);
                if (cut == message.size) copy[at] ^= (uint8_t)flip;
                while ((more = weir_message_next(copy, cut, &offset, &command)) > 0)
                    ;
                assert_true(more == 0 || more == -EBADMSG);
                assert_true(offset <= cut);
                free(copy);
            }
        }
    weir_message_deinit(&message);
}

static void test_too_large(void **state) {
    struct weir_message message = {0};
    weir_message_command(&message, WEIR_COMMAND_PLAIN, "HSET");
    for (int i = 0; i < WEIR_COMMAND_ARGS_MAX; i++) weir_message_arg(&message, "x");
    assert_true(message.failed);
    weir_message_clear(&message);
    char *text = calloc(1, WEIR_MESSAGE_BYTES_MAX + 1);
    memset(text, 'x', WEIR_MESSAGE_BYTES_MAX);
    weir_message_command(&message, WEIR_COMMAND_PLAIN, "SET");
    weir_message_arg(&message, text);
    assert_true(message.failed);
    free(text);
    weir_message_deinit(&message);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_there_and_back),
                                       cmocka_unit_test(test_broken),
                                       cmocka_unit_test(test_too_large)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
