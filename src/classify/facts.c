/* Collects what flows said of their servers until the coordinator fetches it. A busy address says
 * the same thing hundreds of times a window, so a small hash table drops doubles as they come. */
#include "classify/facts.h"

#include <stdlib.h>
#include <string.h>

#include "classify/assoc.h"

static int compare_facts(const void *left, const void *right) {
    const struct weir_address_fact *a = left, *b = right;
    int order = weir_addr_compare(&a->addr, &b->addr);
    if (order != 0) return order;
    if (a->service != b->service) return a->service < b->service ? -1 : 1;
    return (a->role > b->role) - (a->role < b->role);
}

size_t weir_address_facts_unify(struct weir_address_fact *facts, size_t n_facts) {
    if (n_facts == 0) return 0;
    qsort(facts, n_facts, sizeof *facts, compare_facts);
    size_t n = 1;
    for (size_t i = 1; i < n_facts; i++) {
        if (compare_facts(&facts[i], &facts[n - 1]) != 0) facts[n++] = facts[i];
    }
    return n;
}

void facts_add(struct facts *facts, const struct weir_address_fact *fact, uint64_t secret) {
    uint64_t hash = assoc_hash(secret, &fact->addr, sizeof fact->addr);
    hash = assoc_mix(hash ^ ((uint64_t)fact->service << 8 | fact->role));
    struct weir_address_fact *list = facts->lists[facts->filling];
    size_t at = hash & (FACTS_SLOTS - 1);
    while (facts->slots[at]) {
        if (compare_facts(&list[facts->slots[at] - 1], fact) == 0) return;
        at = (at + 1) & (FACTS_SLOTS - 1);
    }
    if (facts->n == FACTS_MAX) {
        facts->refused++;
        return;
    }
    list[facts->n++] = *fact;
    facts->slots[at] = (uint16_t)facts->n;
}

size_t facts_take(struct facts *facts, const struct weir_address_fact **ret_list) {
    size_t n = facts->n;
    *ret_list = facts->lists[facts->filling];
    facts->filling ^= 1;
    facts->n = 0;
    if (n > 0) memset(facts->slots, 0, sizeof facts->slots);
    return n;
}
