/* Windows with few samples, added up: see sparse.c. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum { WEIR_SPARSE_WINDOWS = 12, WEIR_SPARSE_SAMPLES = 8, WEIR_DENSE_SAMPLES = 5 };

struct weir_sparse_window {
    int64_t start_us;
    float value;
    uint32_t samples, clients; /* samples 0: none */
};
struct weir_sparse { /* zeroed memory is an empty one, and so is any other that is not sane */
    struct weir_sparse_window windows[WEIR_SPARSE_WINDOWS]; /* a ring */
    uint32_t at;
    uint32_t added; /* the last value was that of several windows: 0 or 1 */
};

/* Takes a window's median, of `samples`. True when there is a value: this one, or that of the
 * windows of the last two minutes together, with the number of clients of the fullest of them. */
bool weir_sparse_take(struct weir_sparse *sparse, struct weir_sparse_window window,
                      struct weir_sparse_window *ret_window);
