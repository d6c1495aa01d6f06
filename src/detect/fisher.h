/* Fisher's exact test: see fisher.c. */
#pragma once

#include <stdint.h>

struct weir_tally {
    uint32_t fail, total;
};
/* One-sided: the chance that `suspect` would have at least so many of all failures if both failed alike. */
double weir_fisher(struct weir_tally suspect, struct weir_tally rest);
/* True when the rest isn't failing itself: at most one failure, or at most 15 %. */
int weir_rest_is_fine(struct weir_tally rest);
