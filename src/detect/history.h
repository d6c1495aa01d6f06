/* The latest trials: see history.c. */
#pragma once

#include <weir/detect.h>

#include "base/index.h"

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
struct weir_item { /* one trial, as it is told and saved */
    struct weir_addr client, prefix;
    int64_t at_us; /* of its failure, or when it was first useful */
    uint8_t service, layer, kind, flags, role;
    uint8_t name;       /* that failed: of its hash enough to tell some apart; 0: none */
    uint16_t useful_ms; /* from at_us to its last useful attempt */
    /* when its latest failing attempt began; its first useful one after that; 0: none */
    int64_t began_us, back_us;
};
enum { WEIR_PAST_NONE = INT32_MIN };
struct weir_past { /* one trial, as it is kept */
    int64_t at_us;
    uint32_t client, place; /* numbers: of the client, of the prefix */
    uint8_t service, layer, kind, flags, role, name;
    uint16_t useful_ms;
    int32_t began_ms, back_ms; /* after at_us; WEIR_PAST_NONE: none */
};
struct weir_history {
    struct weir_past *items; /* ring of `size` (a power of two); positions count up for ever */
    size_t size;
    uint64_t n_closed, n;              /* items of closed slots; with those of the open slot */
    struct weir_index clients, places; /* all addresses that items name, and some that none does */
};

/* history.c */
int weir_history_init(struct weir_history *history, size_t max_items);
void weir_history_discard(struct weir_history *history);
void weir_history_rewind(struct weir_history *history); /* drops the open slot's items */
struct weir_numbers {                                   /* of an item's addresses */
    uint32_t client, place;
};
/* Without memory for its addresses the item is lost. `numbers`: where those are kept that it was
 * given before, or any; NULL: of an item that comes once. */
void weir_history_add(struct weir_history *history, const struct weir_item *item,
                      struct weir_numbers *numbers, bool closed);
/* The same of a trial that closes while a slot is open: the open ones stay behind it. */
void weir_history_insert(struct weir_history *history, const struct weir_item *item);
/* The first position with at_us that may be >= since; *ret_overrun when the history doesn't reach
 * back so far. */
uint64_t weir_history_since(const struct weir_history *history, int64_t since_us,
                            bool *ret_overrun);
static inline const struct weir_past *weir_history_at(const struct weir_history *history,
                                                      uint64_t position) {
    return &history->items[position & (history->size - 1)];
}
static inline const struct weir_addr *weir_history_client(const struct weir_history *history,
                                                          const struct weir_past *past) {
    return &history->clients.addrs[past->client];
}
static inline const struct weir_addr *weir_history_place(const struct weir_history *history,
                                                         const struct weir_past *past) {
    return &history->places.addrs[past->place];
}
/* One of its moments; 0: none. */
static inline int64_t weir_past_us(const struct weir_past *past, int32_t ms) {
    return ms == WEIR_PAST_NONE ? 0 : past->at_us + (int64_t)ms * 1000;
}
static inline struct weir_item weir_history_item(const struct weir_history *history,
                                                 uint64_t position) {
    const struct weir_past *past = weir_history_at(history, position);
    return (struct weir_item){.client = *weir_history_client(history, past),
                              .prefix = *weir_history_place(history, past),
                              .at_us = past->at_us,
                              .service = past->service,
                              .layer = past->layer,
                              .kind = past->kind,
                              .flags = past->flags,
                              .role = past->role,
                              .name = past->name,
                              .useful_ms = past->useful_ms,
                              .began_us = weir_past_us(past, past->began_ms),
                              .back_us = weir_past_us(past, past->back_ms)};
}
