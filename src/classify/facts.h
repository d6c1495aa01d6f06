/* The facts of one window, each once, up to a bound. */
#pragma once

#include <weir/classify.h>

enum { FACTS_MAX = 8192, FACTS_SLOTS = 2 * FACTS_MAX };

struct facts {
    struct weir_address_fact list[FACTS_MAX];
    size_t n;
    uint16_t slots[FACTS_SLOTS]; /* index + 1 into list; 0: free */
    uint64_t refused;
};

void facts_add(struct facts *facts, const struct weir_address_fact *fact, uint64_t secret);
size_t facts_take(struct facts *facts, const struct weir_address_fact **ret_list);
