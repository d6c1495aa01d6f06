/* Whose number is this address? Sums by client or prefix are kept in plain arrays then, and looked
 * up once an item.
 *
 * Open addressing over a table that is at most half full; it doubles as it fills, up to a bound, so
 * that a home pays for five clients and a provider for a hundred thousand. Nothing is ever taken
 * out of it, only all at once: no tombstones. Places follow the process's secret (hash.c): no chain
 * can be made on purpose.
 */
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/index.h"

enum { FIRST_ROOM = 64 };

void weir_index_init(struct weir_index *index, size_t max) {
    *index = (struct weir_index){.max = max};
}

void weir_index_deinit(struct weir_index *index) {
    free(index->addrs);
    free(index->places);
    *index = (struct weir_index){.max = index->max};
}

/* The memory of a great outage is given back: the next judgement is mostly a small one, and
 * clearing costs by places. */
void weir_index_clear(struct weir_index *index) {
    if (index->n < index->room / 8 && index->room > FIRST_ROOM)
        weir_index_deinit(index);
    else if (index->n)
        memset(index->places, 0, index->n_places * sizeof *index->places);
    index->n = 0;
}

static size_t place_of(const struct weir_index *index, const struct weir_addr *addr) {
    size_t mask = index->n_places - 1;
    for (size_t at = weir_hash_addr(addr) & mask;; at = (at + 1) & mask)
        if (!index->places[at] ||
            weir_addr_compare(&index->addrs[index->places[at] - 1], addr) == 0)
            return at;
}

static bool grow(struct weir_index *index) {
    size_t room = index->room ? index->room * 2 : FIRST_ROOM;
    struct weir_addr *addrs = realloc(index->addrs, room * sizeof *addrs);
    if (!addrs) return false;
    index->addrs = addrs;
    uint32_t *places = calloc(room * 2, sizeof *places);
    if (!places) return false;
    free(index->places);
    index->places = places;
    index->room = room;
    index->n_places = room * 2;
    for (size_t i = 0; i < index->n; i++)
        index->places[place_of(index, &index->addrs[i])] = (uint32_t)i + 1;
    return true;
}

uint32_t weir_index_find(const struct weir_index *index, const struct weir_addr *addr) {
    if (!index->n) return WEIR_INDEX_NONE;
    uint32_t number = index->places[place_of(index, addr)];
    return number ? number - 1 : WEIR_INDEX_NONE;
}

uint32_t weir_index_get(struct weir_index *index, const struct weir_addr *addr) {
    uint32_t known = weir_index_find(index, addr);
    if (known != WEIR_INDEX_NONE) return known;
    if (index->n >= index->max || (index->n == index->room && !grow(index))) {
        index->refused++;
        return WEIR_INDEX_NONE;
    }
    index->addrs[index->n] = *addr;
    index->places[place_of(index, addr)] = (uint32_t)++index->n;
    return (uint32_t)index->n - 1;
}
