/* Clients, prefixes, destinations, resolvers: whatever the network can make up without end,
 * remembered within a bound.
 *
 * Set-associative, as a processor's cache: a key belongs to one set of eight entries, and the entry
 * of the set that was unused for longest makes room. No deletion, no growth, no tombstones; an
 * entry's address never changes. An eviction forgets (a guard starts anew), it never invents. Which
 * keys share a set is the process's secret (hash.c), so nobody can push out another's entry at
 * will.
 *
 *     entry:  last_us | used | key ... | what is remembered ...
 *
 * A visit of all entries goes by a map with a bit an entry: tables are made for thousands and hold
 * a dozen. Each entry has a byte of its key's hash beside this map: a set's eight lie together, so
 * that only the entry that is meant is touched, and not the eight of the set, each a cache miss.
 *
 * Blind spot: a set may be full while the table is not. At half of its room one key in some 2,000
 * makes another one go.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/assoc.h"
#include "base/hash.h"

enum { WAYS = 8 };

int weir_assoc_init(struct weir_assoc *assoc, size_t entry_size, size_t key_size,
                    size_t max_entries) {
    size_t n_sets = 1;
    while (n_sets * WAYS * 2 <= max_entries) n_sets *= 2;
    *assoc = (struct weir_assoc){.entry_size = entry_size, .key_size = key_size, .n_sets = n_sets};
    assoc->entries = calloc(n_sets * WAYS, entry_size);
    assoc->taken = calloc(n_sets + sizeof(uint64_t), 1);
    assoc->tags = calloc(n_sets, WAYS);
    if (assoc->entries && assoc->taken && assoc->tags) return 0;
    weir_assoc_deinit(assoc);
    return -ENOMEM;
}

void weir_assoc_deinit(struct weir_assoc *assoc) {
    free(assoc->entries);
    free(assoc->taken);
    free(assoc->tags);
    assoc->entries = assoc->taken = assoc->tags = NULL;
}

static struct weir_assoc_mark *entry_at(const struct weir_assoc *assoc, size_t index) {
    return (struct weir_assoc_mark *)(void *)(assoc->entries + index * assoc->entry_size);
}

/* Where a key may be: the first of its set's entries, and what its own has for a tag. */
struct spot {
    size_t first;
    uint8_t tag;
};

static struct spot spot_of(const struct weir_assoc *assoc, const void *key) {
    uint64_t hash = weir_hash_bytes(key, assoc->key_size);
    return (struct spot){(size_t)(hash & (assoc->n_sets - 1)) * WAYS, (uint8_t)(hash >> 56)};
}

/* The entry with this key, or NULL. An entry that was never made has the tag 0 and no `used`. */
static struct weir_assoc_mark *look(const struct weir_assoc *assoc, struct spot spot,
                                    const void *key) {
    for (size_t at = spot.first; at < spot.first + WAYS; at++) {
        if (assoc->tags[at] != spot.tag) continue;
        struct weir_assoc_mark *mark = entry_at(assoc, at);
        if (mark->used && memcmp(mark + 1, key, assoc->key_size) == 0) return mark;
    }
    return NULL;
}

void *weir_assoc_find(const struct weir_assoc *assoc, const void *key) {
    return look(assoc, spot_of(assoc, key), key);
}

/* The way of a set for a new key: one that was never used, which the map tells, else the one that
 * was unused for longest. */
static size_t way_of(const struct weir_assoc *assoc, size_t first) {
    unsigned taken = assoc->taken[first / WAYS];
    size_t oldest = 0;
    if (taken != (1u << WAYS) - 1) return (size_t)__builtin_ctz(~taken);
    for (size_t way = 1; way < WAYS; way++)
        if (entry_at(assoc, first + way)->last_us < entry_at(assoc, first + oldest)->last_us)
            oldest = way;
    return oldest;
}

void *weir_assoc_get(struct weir_assoc *assoc, const void *key, int64_t now_us) {
    struct spot spot = spot_of(assoc, key);
    struct weir_assoc_mark *known = look(assoc, spot, key);
    if (known) {
        known->last_us = now_us;
        return known;
    }
    size_t victim_way = way_of(assoc, spot.first);
    struct weir_assoc_mark *victim = entry_at(assoc, spot.first + victim_way);
    assoc->evicted += victim->used;
    memset(victim, 0, assoc->entry_size);
    *victim = (struct weir_assoc_mark){.last_us = now_us, .used = 1};
    memcpy(victim + 1, key, assoc->key_size);
    assoc->tags[spot.first + victim_way] = spot.tag;
    assoc->taken[spot.first / WAYS] |= (uint8_t)(1u << victim_way);
    return victim;
}

void *weir_assoc_get_again(struct weir_assoc *assoc, void *before, const void *key,
                           int64_t now_us) {
    struct weir_assoc_mark *mark = before;
    if (!mark || memcmp(mark + 1, key, assoc->key_size) != 0)
        return weir_assoc_get(assoc, key, now_us);
    mark->last_us = now_us;
    return mark;
}

void *weir_assoc_find_again(const struct weir_assoc *assoc, void *before, const void *key) {
    struct weir_assoc_mark *mark = before;
    bool still = mark && memcmp(mark + 1, key, assoc->key_size) == 0;
    return still ? mark : weir_assoc_find(assoc, key);
}

void *weir_assoc_next(const struct weir_assoc *assoc, size_t *cursor) {
    while (*cursor < assoc->n_sets * WAYS) {
        size_t set = *cursor / WAYS;
        unsigned left = (unsigned)assoc->taken[set] >> *cursor % WAYS;
        if (!left) {
            uint64_t eight;
            memcpy(&eight, assoc->taken + set, sizeof eight);
            *cursor = (set + (eight ? 1 : sizeof eight)) * WAYS;
            continue;
        }
        *cursor += (size_t)__builtin_ctz(left) + 1;
        return entry_at(assoc, *cursor - 1);
    }
    return NULL;
}
