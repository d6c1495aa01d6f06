/* Fisher's exact test: see fisher.c. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct weir_tally {
    uint32_t fail, total;
};
static inline struct weir_tally weir_tally_minus(struct weir_tally a, struct weir_tally b) {
    return (struct weir_tally){.fail = a.fail - b.fail, .total = a.total - b.total};
}
static inline bool weir_mostly_fails(struct weir_tally tally) {
    return tally.fail * 2 > tally.total;
}
/* One-sided: the chance that `suspect` would have at least so many of all failures if both failed
 * alike. */
double weir_fisher(struct weir_tally suspect, struct weir_tally rest);
/* True when the rest isn't failing itself: at most one failure, or at most 15 %. */
int weir_rest_is_fine(struct weir_tally rest);
