/* The latest trials: see history.c. */
#pragma once

#include <weir/detect.h>

struct weir_detector;

/* Streams of items beside the layers: connection ends; QUIC against the TCP that clients fell back
 * to. */
enum { WEIR_STREAM_ENDS = WEIR_LAYER_N, WEIR_STREAM_FALLBACK };
enum weir_item_flag {
    WEIR_ITEM_OK = 1,
    WEIR_ITEM_FAIL = 2,
    WEIR_ITEM_SCORED = 4,
    WEIR_ITEM_CONTROL = 8,
    WEIR_ITEM_UPLINK = 16
};
struct weir_item { /* one trial */
    struct weir_addr client, prefix;
    int64_t at_us;
    uint8_t service, layer, kind, flags, role;
};
struct weir_history {
    struct weir_item *items; /* ring of `size` (a power of two); positions count up for ever */
    size_t size;
    uint64_t n_closed, n; /* items of closed slots; with those of the open slot */
};

/* history.c */
int weir_history_init(struct weir_history *history, size_t max_items);
void weir_history_rewind(struct weir_history *history); /* drops the open slot's items */
void weir_history_add(struct weir_history *history, const struct weir_item *item, bool closed);
/* The first position with at_us that may be >= since; *ret_overrun when the history doesn't reach
 * back so far. */
uint64_t weir_history_since(const struct weir_history *history, int64_t since_us,
                            bool *ret_overrun);
static inline const struct weir_item *weir_history_at(const struct weir_history *history,
                                                      uint64_t position) {
    return &history->items[position & (history->size - 1)];
}
