/* Blocks of draft-ietf-opsawg-pcapng, in this machine's byte order, as the format wants it; stamps
 * in microseconds, its default. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proof/pcapng.h"

enum {
    SECTION = 0x0a0d0d0a,
    INTERFACE = 1,
    PACKET = 6,
    MAGIC = 0x1a2b3c4d,
    LINKTYPE_ETHERNET = 1,
    COMMENT = 1,
    APPLICATION = 4
};

static void put(struct weir_pcapng *file, const void *bytes, size_t n) {
    static const uint8_t zeros[4];
    size_t padded = (n + 3) & ~(size_t)3;
    if (file->error) return;
    if (file->n + padded > file->room) {
        size_t room = 2 * (file->n + padded) + 4096;
        uint8_t *larger = realloc(file->bytes, room);
        if (!larger) {
            file->error = -ENOMEM;
            return;
        }
        file->bytes = larger;
        file->room = room;
    }
    memcpy(file->bytes + file->n, bytes, n);
    memcpy(file->bytes + file->n + n, zeros, padded - n);
    file->n += padded;
}

static void put32(struct weir_pcapng *file, uint32_t value) { put(file, &value, sizeof value); }

static size_t begin_block(struct weir_pcapng *file, uint32_t type) {
    size_t at = file->n;
    put32(file, type);
    put32(file, 0);
    return at;
}

static void end_block(struct weir_pcapng *file, size_t at) {
    uint32_t length = (uint32_t)(file->n + 4 - at);
    put32(file, length);
    if (!file->error) memcpy(file->bytes + at + 4, &length, sizeof length);
}

static void put_option(struct weir_pcapng *file, uint16_t code, const char *text) {
    size_t n = strlen(text) < 60000 ? strlen(text) : 60000;
    const uint16_t head[2] = {code, (uint16_t)n};
    put(file, head, sizeof head);
    put(file, text, n);
}

void weir_pcapng_begin(struct weir_pcapng *file, const char *comment) {
    size_t at = begin_block(file, SECTION);
    const uint16_t version[2] = {1, 0};
    const int64_t unknown_length = -1;
    put32(file, MAGIC);
    put(file, version, sizeof version);
    put(file, &unknown_length, sizeof unknown_length);
    put_option(file, COMMENT, comment);
    put_option(file, APPLICATION, "weir " WEIR_VERSION);
    put32(file, 0);
    end_block(file, at);
    at = begin_block(file, INTERFACE);
    put32(file, LINKTYPE_ETHERNET);
    put32(file, 0); /* no snap length of its own */
    end_block(file, at);
}

void weir_pcapng_packet(struct weir_pcapng *file, int64_t ts_us, const uint8_t *frame,
                        size_t captured, uint32_t wire) {
    size_t at = begin_block(file, PACKET);
    put32(file, 0);
    put32(file, (uint32_t)((uint64_t)ts_us >> 32));
    put32(file, (uint32_t)ts_us);
    put32(file, (uint32_t)captured);
    put32(file, wire);
    put(file, frame, captured);
    end_block(file, at);
}

void weir_pcapng_deinit(struct weir_pcapng *file) {
    free(file->bytes);
    *file = (struct weir_pcapng){0};
}
