/* See hello_builder.h: lengths are filled in when what they measure has been written. */
#undef NDEBUG
#include <assert.h>
#include <string.h>

#include "hello_builder.h"

struct writer {
    uint8_t *bytes;
    size_t length, capacity;
};

static void put(struct writer *writer, const void *bytes, size_t length) {
    assert(length <= writer->capacity - writer->length);
    memcpy(writer->bytes + writer->length, bytes, length);
    writer->length += length;
}

static void put_be(struct writer *writer, size_t value, unsigned size) {
    while (size-- > 0) put(writer, &(uint8_t){(uint8_t)(value >> 8 * size)}, 1);
}

/* Leaves room for a length of `size` bytes; close_length() fills it in. */
static size_t open_length(struct writer *writer, unsigned size) {
    put_be(writer, 0, size);
    return writer->length;
}

static void close_length(struct writer *writer, size_t start, unsigned size) {
    size_t length = writer->length - start;
    for (unsigned i = 0; i < size; i++) writer->bytes[start - 1 - i] = (uint8_t)(length >> 8 * i);
}

static void put_sni(struct writer *writer, const char *sni) {
    put_be(writer, 0, 2);
    size_t ext = open_length(writer, 2), list = open_length(writer, 2);
    put_be(writer, 0, 1);
    put_be(writer, strlen(sni), 2);
    put(writer, sni, strlen(sni));
    close_length(writer, list, 2);
    close_length(writer, ext, 2);
}

static void put_alpn(struct writer *writer, const char *const *alpn) {
    put_be(writer, 16, 2);
    size_t ext = open_length(writer, 2), list = open_length(writer, 2);
    for (; *alpn; alpn++) {
        put_be(writer, strlen(*alpn), 1);
        put(writer, *alpn, strlen(*alpn));
    }
    close_length(writer, list, 2);
    close_length(writer, ext, 2);
}

static void put_versions(struct writer *writer) {
    put_be(writer, 43, 2);
    size_t ext = open_length(writer, 2), list = open_length(writer, 1);
    put(writer, "\xfa\xfa\x03\x04\x03\x03", 6);
    close_length(writer, list, 1);
    close_length(writer, ext, 2);
}

static void put_filled(struct writer *writer, unsigned type, size_t length) {
    put_be(writer, type, 2);
    size_t ext = open_length(writer, 2);
    for (size_t i = 0; i < length; i++) put_be(writer, 0xff & (0x3c + 7 * i), 1);
    close_length(writer, ext, 2);
}

static void put_extensions(struct writer *writer, const struct hello_spec *spec) {
    size_t extensions = open_length(writer, 2);
    put_filled(writer, 0x2a2a, 0); /* GREASE */
    if (spec->sni && !spec->sni_last) put_sni(writer, spec->sni);
    if (spec->key_share_len) put_filled(writer, 51, spec->key_share_len + 6);
    if (spec->alpn) put_alpn(writer, spec->alpn);
    if (spec->tls13) put_versions(writer);
    if (spec->ech) put_filled(writer, 0xfe0d, 186);
    if (spec->sni && spec->sni_last) put_sni(writer, spec->sni);
    close_length(writer, extensions, 2);
}

size_t hello_build(const struct hello_spec *spec, uint8_t *bytes, size_t capacity) {
    struct writer writer = {bytes, 0, capacity};
    put_be(&writer, 1, 1);
    size_t message = open_length(&writer, 3);
    put_be(&writer, 0x0303, 2);
    for (unsigned i = 0; i < 32; i++) put_be(&writer, 0x10 + i, 1);
    put_be(&writer, 32, 1);
    for (unsigned i = 0; i < 32; i++) put_be(&writer, 0x80 + i, 1);
    put_be(&writer, 4, 2);
    put(&writer, "\x13\x01\x13\x02", 4);
    put(&writer, "\x01\x00", 2);
    if (!spec->no_extensions) put_extensions(&writer, spec);
    close_length(&writer, message, 3);
    return writer.length;
}
