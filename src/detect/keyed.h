/* A bounded table of what is remembered by address: see keyed.c. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <weir/packet.h>

/* First member of every entry. The rest of a new entry is zero. */
struct weir_keyed_head {
    struct weir_addr addr;
    uint8_t service, layer, used;
    int64_t last_us;
};

struct weir_keyed {
    uint8_t *entries;
    size_t entry_size, n_sets;
    uint64_t evicted;
};
int weir_keyed_init(struct weir_keyed *keyed, size_t entry_size, size_t max_entries); /* 0 or -ENOMEM */
void weir_keyed_deinit(struct weir_keyed *keyed);
/* The entry, or NULL. */
void *weir_keyed_find(const struct weir_keyed *keyed, const struct weir_addr *addr, uint8_t service, uint8_t layer);
/* The entry, made where there is none (for which the one unused for longest in its set may go). Sets last_us. */
void *weir_keyed_get(struct weir_keyed *keyed, const struct weir_addr *addr, uint8_t service, uint8_t layer, int64_t now_us);
/* Visits all entries: *cursor begins at 0; NULL at the end. */
void *weir_keyed_next(const struct weir_keyed *keyed, size_t *cursor);
