/* What is normal for a continuous signal, and how far from it: see baseline.c. */
#pragma once

#include <weir/detect.h>

#include "detect/sparse.h"

enum { WEIR_HOURS = 168, WEIR_HOUR_KEEP = 16, WEIR_RECENT = 60, WEIR_GLOBAL = 256 };

struct weir_baseline_hour {
    uint32_t n;                   /* windows ever */
    uint32_t n_kept;              /* those that went into `values` */
    int64_t kept_us;              /* the last of them */
    float values[WEIR_HOUR_KEEP]; /* logarithms, about an hour's worth */
};
enum weir_against_least { WEIR_LEAST_UNKNOWN, WEIR_NEAR_LEAST, WEIR_ABOVE_LEAST };
struct weir_baseline {
    double s;                          /* CUSUM of deviations */
    int64_t onset_us, frozen_since_us; /* of s; 0: learning */
    double ratio;                      /* last window's value / baseline */
    int64_t first_us, last_us;
    /* the last window, of the least in the ten minutes before */
    enum weir_against_least against_least;
    int64_t unseen_us;         /* since when it is above the most as well; 0: it is not */
    struct weir_sparse sparse; /* windows that wait for others */
    uint64_t n;
    /* the last 10 minutes' windows; an hour's, where they are added up */
    float recent[WEIR_RECENT];
    int64_t recent_us[WEIR_RECENT];
    float global[WEIR_GLOBAL];   /* the latest of all hours */
    float residual[WEIR_GLOBAL]; /* their deviations from the baseline of their time */
    double median_all, scale;    /* of the two above, worked out every 5 minutes */
    int64_t worked_out_us;
    struct weir_baseline_hour hours[WEIR_HOURS];
};
struct weir_continuous_state {
    struct weir_baseline *signals[WEIR_CONTINUOUS_N]; /* made when the first sample comes */
    double loss_beyond, loss_before;                  /* of the last window; < 0: not known */
    int64_t loss_us;
};

/* Takes a window's median, or that of several. Returns S afterwards. `clients` that gave it. */
double weir_baseline_take(struct weir_baseline *baseline, const struct weir_detect_config *config,
                          enum weir_continuous signal, double value, uint32_t clients,
                          int64_t start_us);
