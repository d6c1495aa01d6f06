/* What the tests of the header parsers share: hexadecimal text, and copies without a byte to spare.
 */
#pragma once

#undef NDEBUG
#include <assert.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Bytes of hexadecimal text; asserts that they fit. Their count. */
static inline size_t unhex(const char *text, uint8_t *bytes, size_t capacity) {
    size_t length = 0;
    unsigned byte;
    for (; sscanf(text, "%2x", &byte) == 1; text += 2) {
        assert(length < capacity);
        bytes[length++] = (uint8_t)byte;
    }
    return length;
}

/* A copy that ends where its bytes do, so that a sanitizer sees the first byte read behind them. */
static inline uint8_t *exact_copy(const void *bytes, size_t length) {
    uint8_t *copy = malloc(length);
    assert(copy || length == 0);
    if (length) memcpy(copy, bytes, length);
    return copy;
}

/* The captures to compare with; NULL (and the test should skip) where there are none. Free the
 * answer. */
static inline char *capture_path(const char *name) {
    const char *folder = getenv("WEIR_PCAPS");
    char *path;
    if (asprintf(&path, "%s/%s", folder ? folder : WEIR_PCAPS, name) < 0) abort();
    FILE *file = fopen(path, "r");
    if (file) {
        fclose(file);
        return path;
    }
    print_message("%s is absent: not compared\n", path);
    free(path);
    return NULL;
}

/* tshark's view of a capture, a line a packet, fields parted by '|'; NULL where tshark is not
 * installed. */
static inline FILE *tshark_fields(const char *path, const char *filter, const char *fields) {
    if (system("command -v tshark >/dev/null 2>&1") != 0) {
        print_message("tshark is absent: not compared\n");
        return NULL;
    }
    char command[1024];
    int length =
        snprintf(command, sizeof command,
                 "tshark -r '%s' -Y '%s' -T fields -E 'separator=|' -E occurrence=f %s 2>/dev/null",
                 path, filter, fields);
    assert(length > 0 && (size_t)length < sizeof command);
    return popen(command, "r");
}

/* The next field of a line, as strsep() but ends at the line's end too. */
static inline char *next_field(char **line) {
    char *field = strsep(line, "|");
    if (field) field[strcspn(field, "\n")] = '\0';
    return field;
}
