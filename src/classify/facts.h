/* The facts since the last tick, each once, up to a bound. There are two lists, which take turns:
 * the coordinator reads one while the worker goes on and fills the other. */
#pragma once

#include <weir/classify.h>

enum { FACTS_MAX = 8192, FACTS_SLOTS = 2 * FACTS_MAX };

struct facts {
    struct weir_address_fact lists[2][FACTS_MAX];
    unsigned filling; /* which of them */
    size_t n;
    uint16_t slots[FACTS_SLOTS]; /* index + 1 into the list that is filled; 0: free */
    uint64_t refused;
};

void facts_add(struct facts *facts, const struct weir_address_fact *fact, uint64_t secret);
size_t facts_take(struct facts *facts, const struct weir_address_fact **ret_list);
