/* A home has two or three answers in ten seconds where a site has hundreds. The median of so few is
 * no measure, but that of a minute is one:
 *
 *     5 samples and more    the window speaks for itself
 *     fewer                 windows wait for each other, two minutes at most, until they have eight
 *                           samples together: their value is the middle one of these, each window
 *                           with as many votes as it has samples
 *
 * What was added up once is not used again, so that values stay independent of each other.
 * Blind spot: clients are not known by name here, so of several windows the one with most counts.
 */
#include <stdlib.h>
#include <string.h>

#include "detect/sparse.h"

#define TOGETHER_US INT64_C(120000000)

static int compare(const void *a, const void *b) {
    const struct weir_sparse_window *x = a, *y = b;
    return (x->value > y->value) - (x->value < y->value);
}

/* The value that half of the votes do not exceed. */
static double middle(const struct weir_sparse_window *windows, size_t n, uint32_t votes) {
    struct weir_sparse_window sorted[WEIR_SPARSE_WINDOWS];
    uint32_t below = 0;
    memcpy(sorted, windows, n * sizeof *windows);
    qsort(sorted, n, sizeof *sorted, compare);
    for (size_t i = 0; i < n; i++) {
        below += sorted[i].samples;
        if (below * 2 >= votes) return sorted[i].value;
    }
    return sorted[n - 1].value;
}

bool weir_sparse_take(struct weir_sparse *sparse, struct weir_sparse_window window,
                      struct weir_sparse_window *ret_window) {
    if (window.samples == 0) return false;
    if (window.samples >= WEIR_DENSE_SAMPLES) {
        *sparse = (struct weir_sparse){0};
        *ret_window = window;
        return true;
    }
    sparse->windows[sparse->at++ % WEIR_SPARSE_WINDOWS] = window;
    struct weir_sparse_window together[WEIR_SPARSE_WINDOWS];
    uint32_t votes = 0, clients = 0;
    size_t n = 0;
    for (size_t i = 0; i < WEIR_SPARSE_WINDOWS; i++) {
        const struct weir_sparse_window *one = &sparse->windows[i];
        int64_t age_us = window.start_us - one->start_us;
        if (one->samples == 0 || one->samples >= WEIR_DENSE_SAMPLES || age_us < 0 ||
            age_us >= TOGETHER_US)
            continue;
        together[n++] = *one;
        votes += one->samples;
        clients = one->clients > clients ? one->clients : clients;
    }
    if (votes < WEIR_SPARSE_SAMPLES) return false;
    *ret_window = (struct weir_sparse_window){window.start_us, (float)middle(together, n, votes),
                                              votes, clients};
    *sparse = (struct weir_sparse){.added = 1};
    return true;
}
