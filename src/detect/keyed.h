/* What the detector remembers by address, service and layer: tables of base/assoc.h with one form
 * of key. */
#pragma once

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include <weir/packet.h>

#include "base/assoc.h"

/* First member of every entry. The rest of a new entry is zero. */
struct weir_keyed_head {
    int64_t last_us; /* as struct weir_assoc_mark */
    uint64_t used;
    struct weir_addr addr; /* the key, from here */
    uint8_t service, layer, none[6];
};
static_assert(offsetof(struct weir_keyed_head, addr) == sizeof(struct weir_assoc_mark),
              "the key follows the mark");

struct weir_key {
    struct weir_addr addr;
    uint8_t service, layer, none[6];
};
static_assert(sizeof(struct weir_key) == 24, "without padding");

static inline int weir_keyed_init(struct weir_assoc *keyed, size_t entry_size,
                                  size_t max_entries) /* 0 or -ENOMEM */
{
    return weir_assoc_init(keyed, entry_size, sizeof(struct weir_key), max_entries);
}
/* The entry, or NULL. */
static inline void *weir_keyed_find(const struct weir_assoc *keyed, const struct weir_addr *addr,
                                    uint8_t service, uint8_t layer) {
    const struct weir_key key = {.addr = *addr, .service = service, .layer = layer};
    return weir_assoc_find(keyed, &key);
}
/* The entry, made where there is none (for which the one unused for longest in its set may go).
 * Sets last_us. */
static inline void *weir_keyed_get(struct weir_assoc *keyed, const struct weir_addr *addr,
                                   uint8_t service, uint8_t layer, int64_t now_us) {
    const struct weir_key key = {.addr = *addr, .service = service, .layer = layer};
    return weir_assoc_get(keyed, &key, now_us);
}
/* The same, begun at *seen, which was given for this key before, or is NULL. */
static inline void *weir_keyed_get_again(struct weir_assoc *keyed, void **seen,
                                         const struct weir_addr *addr, uint8_t service,
                                         uint8_t layer, int64_t now_us) {
    const struct weir_key key = {.addr = *addr, .service = service, .layer = layer};
    return *seen = weir_assoc_get_again(keyed, *seen, &key, now_us);
}
/* The same, but makes none: NULL where there is none. */
static inline void *weir_keyed_find_again(const struct weir_assoc *keyed, void *seen,
                                          const struct weir_addr *addr, uint8_t service,
                                          uint8_t layer) {
    const struct weir_key key = {.addr = *addr, .service = service, .layer = layer};
    return weir_assoc_find_again(keyed, seen, &key);
}
