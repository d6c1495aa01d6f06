/* A pcapng file in memory: one section, one interface, Ethernet frames. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct weir_pcapng {
    uint8_t *bytes;
    size_t n, room;
    int error; /* -ENOMEM once there was no memory: nothing is added any more */
};

/* `comment` is of the whole file: lines of UTF-8. */
void weir_pcapng_begin(struct weir_pcapng *file, const char *comment);
void weir_pcapng_packet(struct weir_pcapng *file, int64_t ts_us, const uint8_t *frame,
                        size_t captured, uint32_t wire);
void weir_pcapng_deinit(struct weir_pcapng *file);
