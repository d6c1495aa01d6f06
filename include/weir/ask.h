/* What a request's size tells: whether one of that size has been answered with data before.
 *
 * No size by itself tells a request from a control frame, so sizes are learned, in buckets a few
 * bytes wide, by service and transport. Flows learn by themselves as well; what the coordinator
 * learned of a service reaches them as a page.
 */
#pragma once

#include <stdint.h>

enum {
    WEIR_ASK_SIZES = 96,
    /* Sizes from here (128 bytes) on hold names that vary: a neighbour's answers count as well. */
    WEIR_ASK_NEAR = 16,
};

/* The bucket of a size: 8 bytes wide below 512, 64 up to 1,536, one for all above. 0: no size. */
static inline unsigned weir_ask_size(uint32_t bytes) {
    if (bytes == 0) return 0;
    if (bytes < 512) return bytes < 8 ? 1 : bytes / 8;
    return bytes < 1536 ? 64 + (bytes - 512) / 64 : 80;
}

/* A size of that bucket: its least. */
static inline uint32_t weir_ask_bytes(unsigned size) {
    return size < 64 ? size * 8 : size < 80 ? 512 + (size - 64) * 64 : 1536;
}

/* One page a service. */
struct weir_ask_page {
    /* TCP, UDP: a request of that size counts as unanswered after so many tenths of a second; 0: no
     * such request was ever answered with data. */
    uint16_t timeout_ds[2][WEIR_ASK_SIZES];
};
