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
 * a dozen.
 *
 * Blind spot: a set may be full while the table is not. At half of its room one key in some 2,000
 * makes another one go.
 */
#include <errno.h>
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
    if (assoc->entries && assoc->taken) return 0;
    weir_assoc_deinit(assoc);
    return -ENOMEM;
}

void weir_assoc_deinit(struct weir_assoc *assoc) {
    free(assoc->entries);
    free(assoc->taken);
    assoc->entries = assoc->taken = NULL;
}

static struct weir_assoc_mark *entry_at(const struct weir_assoc *assoc, size_t index) {
    return (struct weir_assoc_mark *)(void *)(assoc->entries + index * assoc->entry_size);
}

static size_t set_of(const struct weir_assoc *assoc, const void *key) {
    return (size_t)(weir_hash_bytes(key, assoc->key_size) & (assoc->n_sets - 1)) * WAYS;
}

static int holds(const struct weir_assoc *assoc, const struct weir_assoc_mark *mark,
                 const void *key) {
    return mark->used && memcmp(mark + 1, key, assoc->key_size) == 0;
}

void *weir_assoc_find(const struct weir_assoc *assoc, const void *key) {
    size_t set = set_of(assoc, key);
    for (size_t i = 0; i < WAYS; i++)
        if (holds(assoc, entry_at(assoc, set + i), key)) return entry_at(assoc, set + i);
    return NULL;
}

void *weir_assoc_get(struct weir_assoc *assoc, const void *key, int64_t now_us) {
    size_t set = set_of(assoc, key);
    struct weir_assoc_mark *victim = NULL;
    size_t victim_way = 0;
    for (size_t i = 0; i < WAYS; i++) {
        struct weir_assoc_mark *mark = entry_at(assoc, set + i);
        if (holds(assoc, mark, key)) {
            mark->last_us = now_us;
            return mark;
        }
        if (!victim || (victim->used && (!mark->used || mark->last_us < victim->last_us))) {
            victim = mark;
            victim_way = i;
        }
    }
    assoc->evicted += victim->used;
    memset(victim, 0, assoc->entry_size);
    *victim = (struct weir_assoc_mark){.last_us = now_us, .used = 1};
    memcpy(victim + 1, key, assoc->key_size);
    assoc->taken[set / WAYS] |= (uint8_t)(1u << victim_way);
    return victim;
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
