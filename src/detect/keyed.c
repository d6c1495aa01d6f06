/* Clients, prefixes, destinations, resolvers: whatever the network can make up without end, remembered within a bound.
 *
 * Set-associative, as a processor's cache: a key belongs to one set of eight entries, and the entry of the set that was
 * unused for longest makes room. No deletion, no growth, no tombstones; an entry's address never changes. An eviction
 * forgets (a guard starts anew), it never invents.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "detect/keyed.h"

enum { WAYS = 8 };

int weir_keyed_init(struct weir_keyed *keyed, size_t entry_size, size_t max_entries)
{
    size_t n_sets = 1;
    while (n_sets * WAYS * 2 <= max_entries)
        n_sets *= 2;
    *keyed = (struct weir_keyed){.entry_size = entry_size, .n_sets = n_sets};
    keyed->entries = calloc(n_sets * WAYS, entry_size);
    return keyed->entries ? 0 : -ENOMEM;
}

void weir_keyed_deinit(struct weir_keyed *keyed)
{
    free(keyed->entries);
    keyed->entries = NULL;
}

static struct weir_keyed_head *entry_at(const struct weir_keyed *keyed, size_t index)
{
    return (struct weir_keyed_head *)(keyed->entries + index * keyed->entry_size);
}

static size_t set_of(const struct weir_keyed *keyed, const struct weir_addr *addr, uint8_t service, uint8_t layer)
{
    uint64_t a, b;
    memcpy(&a, addr->bytes, sizeof a);
    memcpy(&b, addr->bytes + 8, sizeof b);
    uint64_t hash =
        (a ^ (b * UINT64_C(0x9e3779b97f4a7c15)) ^ ((uint64_t)service << 8 | layer)) * UINT64_C(0xd6e8feb86659fd93);
    hash ^= hash >> 32;
    hash *= UINT64_C(0xd6e8feb86659fd93);
    hash ^= hash >> 32;
    return (size_t)(hash & (keyed->n_sets - 1)) * WAYS;
}

static int is_entry(const struct weir_keyed_head *head, const struct weir_addr *addr, uint8_t service, uint8_t layer)
{
    return head->used && head->service == service && head->layer == layer && weir_addr_compare(&head->addr, addr) == 0;
}

void *weir_keyed_find(const struct weir_keyed *keyed, const struct weir_addr *addr, uint8_t service, uint8_t layer)
{
    size_t set = set_of(keyed, addr, service, layer);
    for (size_t i = 0; i < WAYS; i++)
        if (is_entry(entry_at(keyed, set + i), addr, service, layer))
            return entry_at(keyed, set + i);
    return NULL;
}

void *weir_keyed_get(struct weir_keyed *keyed, const struct weir_addr *addr, uint8_t service, uint8_t layer,
                     int64_t now_us)
{
    size_t set = set_of(keyed, addr, service, layer);
    struct weir_keyed_head *victim = NULL;
    for (size_t i = 0; i < WAYS; i++) {
        struct weir_keyed_head *head = entry_at(keyed, set + i);
        if (is_entry(head, addr, service, layer)) {
            head->last_us = now_us;
            return head;
        }
        if (!victim || (victim->used && (!head->used || head->last_us < victim->last_us)))
            victim = head;
    }
    keyed->evicted += victim->used;
    memset(victim, 0, keyed->entry_size);
    *victim = (struct weir_keyed_head){.addr = *addr, .service = service, .layer = layer, .used = 1, .last_us = now_us};
    return victim;
}

void *weir_keyed_next(const struct weir_keyed *keyed, size_t *cursor)
{
    while (*cursor < keyed->n_sets * WAYS) {
        struct weir_keyed_head *head = entry_at(keyed, (*cursor)++);
        if (head->used)
            return head;
    }
    return NULL;
}
