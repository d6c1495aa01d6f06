/* See messages.h. Hellos have the extensions, the order of sizes and the GREASE of a present-day
 * browser, as these decide what a parser has to walk over; keys and randoms are noise, as nobody
 * computes with them. */
#undef NDEBUG
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "messages.h"
#include "unit/decode/quic_builder.h"

struct writer {
    uint8_t *bytes;
    size_t length;
    uint32_t noise;
};

static void put(struct writer *writer, const void *bytes, size_t length) {
    memcpy(writer->bytes + writer->length, bytes, length);
    writer->length += length;
}

static void put16(struct writer *writer, size_t value) {
    put(writer, (uint8_t[]){(uint8_t)(value >> 8), (uint8_t)value}, 2);
}

static void put_noise(struct writer *writer, size_t length) {
    while (length-- > 0) {
        writer->noise = writer->noise * 1664525 + 1013904223;
        writer->bytes[writer->length++] = (uint8_t)(writer->noise >> 24);
    }
}

static size_t open16(struct writer *writer) {
    put16(writer, 0);
    return writer->length;
}

static void close16(struct writer *writer, size_t start) {
    size_t length = writer->length - start;
    writer->bytes[start - 2] = (uint8_t)(length >> 8);
    writer->bytes[start - 1] = (uint8_t)length;
}

/* ---- DNS ---- */

size_t message_dns(uint8_t *bytes, const char *host, uint16_t id, uint32_t address) {
    struct writer writer = {.bytes = bytes};
    put16(&writer, id);
    put16(&writer, address ? 0x8180 : 0x0100);
    put16(&writer, 1);
    put16(&writer, address ? 1 : 0);
    put(&writer, "\0\0\0\0", 4);
    for (const char *label = host; *label; label += *label == '.') {
        uint8_t length = (uint8_t)strcspn(label, ".");
        put(&writer, &length, 1);
        put(&writer, label, length);
        label += length;
    }
    put(&writer, "\0\0\1\0\1", 5);
    if (address) {
        put(&writer, "\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4", 12);
        put16(&writer, address >> 16);
        put16(&writer, address & 0xffff);
    }
    return writer.length;
}

/* ---- TLS ---- */

static void put_extension(struct writer *writer, unsigned type, const void *bytes, size_t length) {
    put16(writer, type);
    put16(writer, length);
    put(writer, bytes, length);
}

static void put_sni(struct writer *writer, const char *host) {
    put16(writer, 0);
    size_t extension = open16(writer), list = open16(writer);
    put(writer, "", 1);
    put16(writer, strlen(host));
    put(writer, host, strlen(host));
    close16(writer, list);
    close16(writer, extension);
}

static void put_key_shares(struct writer *writer, bool hybrid) {
    put16(writer, 51);
    size_t extension = open16(writer), list = open16(writer);
    put(writer, "\x2a\x2a\0\1\0", 5); /* GREASE */
    if (hybrid) {
        put16(writer, 0x11ec); /* X25519MLKEM768 */
        put16(writer, 1216);
        put_noise(writer, 1216);
    }
    put16(writer, 0x001d);
    put16(writer, 32);
    put_noise(writer, 32);
    close16(writer, list);
    close16(writer, extension);
}

/* A browser's padding brings a small hello to 512 bytes. */
static void put_client_extensions(struct writer *writer, const char *host, bool hybrid, bool quic) {
    size_t extensions = open16(writer);
    put_extension(writer, 0x2a2a, "", 0);
    put_sni(writer, host);
    put_extension(writer, 23, "", 0);
    put_extension(writer, 0xff01, "", 1);
    put_extension(writer, 10, "\0\x08\x2a\x2a\x11\xec\0\x1d\0\x17", 10);
    put_extension(writer, 11, "\1\0", 2);
    put_extension(writer, 35, "", 0);
    if (quic)
        put_extension(writer, 16, "\0\3\2h3", 5);
    else
        put_extension(writer, 16, "\0\xc\2h2\x08http/1.1", 14);
    put_extension(writer, 5, "\1\0\0\0\0", 5);
    put_extension(writer, 13, "\0\x10\4\3\x08\4\4\1\5\3\x08\5\5\1\x08\6\6\1", 18);
    put_key_shares(writer, hybrid);
    put_extension(writer, 45, "\1\1", 2);
    put_extension(writer, 43, "\6\x2a\x2a\3\4\3\3", 7);
    if (quic) /* transport parameters: idle time-out, sizes and windows */
        put_extension(
            writer, 57,
            "\1\4\x80\0\x75\x30\3\2\x45\xc0\4\4\x80\xf0\0\0\5\4\x80\x60\0\0\x08\2\x40\x64", 26);
    if (!quic && !hybrid && writer->length < 517 - 4) {
        put16(writer, 21);
        size_t padding = open16(writer), length = 517 - writer->length;
        memset(writer->bytes + writer->length, 0, length);
        writer->length += length;
        close16(writer, padding);
    }
    close16(writer, extensions);
}

/* The message from its handshake header on. */
static void put_client_hello(struct writer *writer, const char *host, bool hybrid, bool quic) {
    put(writer, "\1\0", 2);
    size_t message = open16(writer);
    put(writer, "\3\3", 2);
    put_noise(writer, 32);
    put(writer, quic ? "" : "\x20", 1);
    put_noise(writer, quic ? 0 : 32);
    put(writer,
        "\0\x16\x2a\x2a\x13\1\x13\2\x13\3\xc0\x2b\xc0\x2f\xc0\x2c\xc0\x30\xcc\xa9\xcc\xa8\0\x2f",
        24);
    put(writer, "\1\0", 2);
    put_client_extensions(writer, host, hybrid, quic);
    close16(writer, message);
}

static void put_server_hello(struct writer *writer, bool quic) {
    put(writer, "\2\0", 2);
    size_t message = open16(writer);
    put(writer, "\3\3", 2);
    put_noise(writer, 32);
    put(writer, quic ? "" : "\x20", 1);
    put_noise(writer, quic ? 0 : 32);
    put(writer, "\x13\1\0", 3);
    size_t extensions = open16(writer);
    put16(writer, 51);
    put(writer, "\0\x24\0\x1d\0\x20", 6);
    put_noise(writer, 32);
    put_extension(writer, 43, "\3\4", 2);
    close16(writer, extensions);
    close16(writer, message);
}

size_t message_client_hello(uint8_t *bytes, const char *host, uint32_t salt, bool hybrid) {
    struct writer writer = {.bytes = bytes, .noise = salt};
    put(&writer, "\x16\3\1", 3);
    size_t record = open16(&writer);
    put_client_hello(&writer, host, hybrid, false);
    close16(&writer, record);
    assert(writer.length <= HELLO_MAX);
    return writer.length;
}

size_t message_server_hello(uint8_t *bytes, uint32_t salt) {
    struct writer writer = {.bytes = bytes, .noise = ~salt};
    put(&writer, "\x16\3\3", 3);
    size_t record = open16(&writer);
    put_server_hello(&writer, false);
    close16(&writer, record);
    put(&writer, "\x14\3\3\0\1\1", 6);
    return writer.length;
}

/* ---- QUIC ---- */

static struct weir_cid connection_id(uint32_t salt, bool servers) {
    uint8_t bytes[QUIC_ID];
    struct writer writer = {.bytes = bytes, .noise = servers ? salt ^ 0x5bd1e995 : salt};
    put_noise(&writer, QUIC_ID);
    return quic_cid(bytes, QUIC_ID);
}

size_t message_quic_client(uint8_t *bytes, const char *host, uint32_t salt, bool hybrid,
                           unsigned nth) {
    uint8_t hello[HELLO_MAX];
    struct writer writer = {.bytes = hello, .noise = salt};
    put_client_hello(&writer, host, hybrid, true);
    enum { FIRST = 1150 }; /* of the hello, in the first datagram */
    size_t from = nth * FIRST, to = writer.length < from + FIRST ? writer.length : from + FIRST;
    if (from >= to) return 0;
    struct quic_frames frames = {.length = 0};
    quic_add_crypto(&frames, hello, from, to - from);
    struct quic_initial_spec spec = {.version = QUIC_V1,
                                     .dcid = connection_id(salt, true),
                                     .scid = connection_id(salt, false),
                                     .first_dcid = connection_id(salt, true),
                                     .packet_number = nth,
                                     .packet_number_len = 1,
                                     .pad_to = DATAGRAM_MAX};
    return quic_build_initial(&spec, frames.bytes, frames.length, bytes, DATAGRAM_MAX);
}

size_t message_quic_server(uint8_t *bytes, uint32_t salt) {
    uint8_t hello[256];
    struct writer writer = {.bytes = hello, .noise = ~salt};
    put_server_hello(&writer, true);
    struct quic_frames frames = {.length = 0};
    quic_add_ack(&frames, 0, 0, false);
    quic_add_crypto(&frames, hello, 0, writer.length);
    struct weir_cid client = connection_id(salt, false), server = connection_id(salt, true);
    struct quic_initial_spec spec = {.version = QUIC_V1,
                                     .dcid = client,
                                     .scid = server,
                                     .first_dcid = server,
                                     .from_server = true,
                                     .packet_number_len = 1};
    size_t length = quic_build_initial(&spec, frames.bytes, frames.length, bytes, DATAGRAM_MAX);
    return length + quic_build_opaque(QUIC_V1, WEIR_QUIC_HANDSHAKE, &client, &server,
                                      DATAGRAM_MAX - 40 - length, bytes + length,
                                      DATAGRAM_MAX - length);
}

size_t message_quic_handshake(uint8_t *bytes, uint32_t salt, size_t length) {
    struct weir_cid client = connection_id(salt, false), server = connection_id(salt, true);
    return quic_build_opaque(QUIC_V1, WEIR_QUIC_HANDSHAKE, &server, &client, length, bytes,
                             DATAGRAM_MAX);
}

size_t message_quic_server_handshake(uint8_t *bytes, uint32_t salt, size_t length) {
    struct weir_cid client = connection_id(salt, false), server = connection_id(salt, true);
    return quic_build_opaque(QUIC_V1, WEIR_QUIC_HANDSHAKE, &client, &server, length, bytes,
                             DATAGRAM_MAX);
}

void message_quic_short(uint8_t *bytes, uint32_t salt, bool from_server) {
    struct weir_cid to = connection_id(salt, !from_server);
    bytes[0] = 0x40 | (bytes[0] & 0x1f);
    memcpy(bytes + 1, to.bytes, to.length);
}

/* ---- HTTP/1 ---- */

size_t message_http_request(uint8_t *bytes, size_t capacity, const char *host, uint32_t salt) {
    int length = snprintf(
        (char *)bytes, capacity,
        "GET /media/%08x/segment.m4s HTTP/1.1\r\nHost: %s\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\n"
        "Accept: */*\r\nAccept-Language: en\r\nConnection: keep-alive\r\n\r\n",
        salt, host);
    assert(length > 0 && (size_t)length < capacity);
    return (size_t)length;
}

size_t message_http_head(uint8_t *bytes, size_t capacity, size_t body_length) {
    int length = snprintf(
        (char *)bytes, capacity,
        "HTTP/1.1 200 OK\r\nServer: edge\r\nContent-Type: video/mp4\r\nContent-Length: %7zu\r\n\r\n",
        body_length);
    assert(length > 0 && (size_t)length < capacity);
    return (size_t)length;
}
