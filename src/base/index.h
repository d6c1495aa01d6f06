/* Numbers for addresses, 0, 1, 2.. in order of appearance: see index.c. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weir/packet.h>

#define WEIR_INDEX_NONE UINT32_MAX

struct weir_index {
    struct weir_addr *addrs;  /* by number */
    uint32_t *places;         /* hashed: number + 1, 0 where free */
    size_t n, room, n_places; /* room: of addrs */
    size_t max;
    uint64_t refused; /* asked for beyond `max`, or without memory */
};
/* Holds nothing yet, and no memory; `max` addresses at most. */
void weir_index_init(struct weir_index *index, size_t max);
void weir_index_deinit(struct weir_index *index);
/* Forgets all; the memory stays. */
void weir_index_clear(struct weir_index *index);
/* The number of the address, given now where it has none; WEIR_INDEX_NONE when there is no room. */
uint32_t weir_index_get(struct weir_index *index, const struct weir_addr *addr);
/* The same, begun at the number that the caller had for it before: where it is still that one
 * nothing is hashed. Any number will do. */
static inline uint32_t weir_index_get_again(struct weir_index *index, uint32_t before,
                                            const struct weir_addr *addr) {
    bool still = before < index->n && weir_addr_compare(&index->addrs[before], addr) == 0;
    return still ? before : weir_index_get(index, addr);
}
/* or WEIR_INDEX_NONE */
uint32_t weir_index_find(const struct weir_index *index, const struct weir_addr *addr);
