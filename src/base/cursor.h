/* Bounded reading of bytes that may lie: a cursor remembers that it ran short, so that a parser
 * reads a whole header and asks once. After running short every read gives 0 and moves nothing. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct weir_cursor {
    const uint8_t *at, *end;
    bool short_of_bytes;
};

static inline struct weir_cursor weir_cursor_init(const void *bytes, size_t length) {
    const uint8_t *at = bytes;
    return (struct weir_cursor){.at = at, .end = at ? at + length : at};
}

static inline size_t weir_cursor_left(const struct weir_cursor *cursor) {
    return (size_t)(cursor->end - cursor->at);
}

/* The next `length` bytes, or NULL when there are fewer. */
static inline const uint8_t *weir_cursor_take(struct weir_cursor *cursor, size_t length) {
    if (cursor->short_of_bytes || length > weir_cursor_left(cursor)) {
        cursor->short_of_bytes = true;
        return NULL;
    }
    const uint8_t *bytes = cursor->at;
    cursor->at += length;
    return bytes;
}

static inline bool weir_cursor_skip(struct weir_cursor *cursor, size_t length) {
    return weir_cursor_take(cursor, length) != NULL;
}

static inline uint8_t weir_cursor_u8(struct weir_cursor *cursor) {
    const uint8_t *b = weir_cursor_take(cursor, 1);
    return b ? b[0] : 0;
}

static inline uint16_t weir_cursor_be16(struct weir_cursor *cursor) {
    const uint8_t *b = weir_cursor_take(cursor, 2);
    return b ? (uint16_t)(b[0] << 8 | b[1]) : 0;
}

static inline uint32_t weir_cursor_be24(struct weir_cursor *cursor) {
    const uint8_t *b = weir_cursor_take(cursor, 3);
    return b ? (uint32_t)b[0] << 16 | (uint32_t)b[1] << 8 | b[2] : 0;
}

static inline uint32_t weir_cursor_be32(struct weir_cursor *cursor) {
    const uint8_t *b = weir_cursor_take(cursor, 4);
    return b ? (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3] : 0;
}
