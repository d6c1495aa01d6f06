/* What a server's address served before, as flows said by themselves: names flows of clients whose
 * DNS is not seen.
 *
 * CDN addresses serve several services, and naming one's failure as another's would be worse than
 * not naming it. So an address keeps its two newest different services, and while those were seen
 * within an hour of each other it names nothing. `other` is one of them: an address that also
 * served other things is shared.
 *
 * Facts are learned at the same place in every worker's packet order (see classify.h). Among facts
 * of one moment the order does not matter for whether an address is shared. */
#include <errno.h>
#include <stdlib.h>

#include <weir/classify.h>

#include "classify/assoc.h"

struct sighting {
    int64_t last_us;
    weir_service_id service; /* WEIR_SERVICE_NONE: free */
    uint8_t role;
};

struct address_entry {
    struct weir_addr addr;
    struct sighting seen[2]; /* the newest first, of different services */
};

struct weir_address_memory {
    struct address_entry *entries;
    size_t n_sets;
    uint64_t secret;
    uint64_t evicted;
};

int weir_address_memory_new(struct weir_address_memory **ret_memory, size_t addresses_max,
                            uint64_t hash_secret) {
    struct weir_address_memory *memory = calloc(1, sizeof *memory);
    if (!memory) return -ENOMEM;
    memory->n_sets = assoc_sets(addresses_max);
    memory->secret = hash_secret;
    memory->entries = calloc(memory->n_sets * ASSOC_WAYS, sizeof *memory->entries);
    if (!memory->entries) {
        free(memory);
        return -ENOMEM;
    }
    *ret_memory = memory;
    return 0;
}

void weir_address_memory_free(struct weir_address_memory *memory) {
    if (!memory) return;
    free(memory->entries);
    free(memory);
}

static struct address_entry *find_set(const struct weir_address_memory *memory,
                                      const struct weir_addr *addr) {
    return memory->entries +
           (assoc_hash(memory->secret, addr, sizeof *addr) & (memory->n_sets - 1)) * ASSOC_WAYS;
}

static bool entry_used(const struct address_entry *entry) {
    return entry->seen[0].service != WEIR_SERVICE_NONE;
}

static struct address_entry *take_entry(struct weir_address_memory *memory,
                                        const struct weir_addr *addr, int64_t now_us) {
    struct address_entry *set = find_set(memory, addr), *victim = set;
    for (size_t i = 0; i < ASSOC_WAYS; i++) {
        if (entry_used(&set[i]) && weir_addr_compare(&set[i].addr, addr) == 0) return &set[i];
        bool better = entry_used(victim) &&
                      (!entry_used(&set[i]) || set[i].seen[0].last_us < victim->seen[0].last_us);
        if (better) victim = &set[i];
    }
    if (entry_used(victim) && victim->seen[0].last_us + WEIR_ADDRESS_KEPT_US > now_us)
        memory->evicted++;
    *victim = (struct address_entry){.addr = *addr};
    return victim;
}

static void see_again(struct sighting *seen, const struct sighting *now) {
    bool stronger = now->last_us > seen->last_us || now->role > seen->role;
    if (stronger) seen->role = now->role;
    seen->last_us = now->last_us;
}

void weir_address_memory_learn(struct weir_address_memory *memory,
                               const struct weir_address_fact *fact, int64_t now_us) {
    if (fact->service == WEIR_SERVICE_NONE) return;
    struct address_entry *entry = take_entry(memory, &fact->addr, now_us);
    struct sighting now = {.last_us = now_us, .service = fact->service, .role = fact->role};
    if (entry->seen[0].service == fact->service) {
        see_again(&entry->seen[0], &now);
        return;
    }
    if (entry->seen[1].service == fact->service) {
        struct sighting again = entry->seen[1];
        see_again(&again, &now);
        now = again;
    }
    entry->seen[1] = entry->seen[0];
    entry->seen[0] = now;
}

enum weir_address_answer weir_address_memory_lookup(const struct weir_address_memory *memory,
                                                    const struct weir_addr *addr, int64_t now_us,
                                                    struct weir_match *ret_match) {
    const struct address_entry *set = find_set(memory, addr), *entry = NULL;
    for (size_t i = 0; i < ASSOC_WAYS && !entry; i++) {
        if (entry_used(&set[i]) && weir_addr_compare(&set[i].addr, addr) == 0) entry = &set[i];
    }
    if (!entry || entry->seen[0].last_us + WEIR_ADDRESS_KEPT_US <= now_us)
        return WEIR_ADDRESS_UNKNOWN;
    bool shared = entry->seen[1].service != WEIR_SERVICE_NONE &&
                  entry->seen[0].last_us - entry->seen[1].last_us < WEIR_ADDRESS_SHARED_US;
    if (shared) return WEIR_ADDRESS_AMBIGUOUS;
    *ret_match =
        (struct weir_match){.service = entry->seen[0].service, .role = entry->seen[0].role};
    return WEIR_ADDRESS_KNOWN;
}

uint64_t weir_address_memory_evictions(const struct weir_address_memory *memory) {
    return memory->evicted;
}

void weir_address_memory_each(const struct weir_address_memory *memory,
                              weir_address_visitor visitor, void *context) {
    for (size_t i = 0; i < memory->n_sets * ASSOC_WAYS; i++) {
        const struct address_entry *entry = &memory->entries[i];
        /* the older first, so that learning again gives the same entry */
        for (size_t k = 2; k-- > 0;) {
            const struct sighting *seen = &entry->seen[k];
            if (seen->service == WEIR_SERVICE_NONE) continue;
            struct weir_address_fact fact = {
                .addr = entry->addr, .service = seen->service, .role = seen->role};
            visitor(context, &fact, seen->last_us);
        }
    }
}
