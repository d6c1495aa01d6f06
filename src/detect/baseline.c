/* Has a delay or a rate moved away from what is normal here, at this hour of the week?
 *
 * x is the logarithm of a 10 s median, so that twice as slow is the same step anywhere. Normal is
 * the median of that hour of the week, shrunk to the median of all hours while few samples are
 * there: m = (n m_hour + 20 m_all)/(n + 20); the scale is 1.4826 MAD of what was left over, at
 * least 0.1. S = max(0, S + clip(z, -4, 4) - 1) is a CUSUM (Page-Hinkley has the same form). Before
 * a day and 200 samples there is no normal: then the signal is held against its own last ten
 * minutes, with a scale that only a multiple gets past; and so in an hour of the week that was
 * never seen yet. Where windows hold few samples and are added up (sparse.c) it is the last hour.
 *
 * Guards against calling noise a fault: a deviation counts only if it also matters in itself (table
 * below), and if at least two clients show it: one client's WiFi, server or choice of quality isn't
 * the service's health. Learning stops while S > h/2, but not for ever: after a day the new level
 * is the normal one.
 *
 * Blind spots: an hour's median is of sixteen windows, one every four minutes, so mostly of its
 * last week; a service that was always slow is normal.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "detect/baseline.h"

static const struct {
    bool lower_is_worse;
    bool cold;          /* judged against the last 10 minutes while there is no baseline */
    bool raises;        /* else it is side evidence only */
    double least_ratio; /* a deviation below this factor never matters */
    double least_step;  /* nor one below this difference, in the signal's unit */
} signals[WEIR_CONTINUOUS_N] = {
    [WEIR_CONTINUOUS_RTT_SERVER] = {.cold = true,
                                    .raises = true,
                                    .least_ratio = 3,
                                    .least_step = 20e3},
    [WEIR_CONTINUOUS_RTT_CLIENT] = {.cold = true, .least_ratio = 3, .least_step = 20e3},
    [WEIR_CONTINUOUS_TTFB] = {.raises = true, .least_ratio = 3, .least_step = 200e3},
    [WEIR_CONTINUOUS_DNS] = {.raises = true, .least_ratio = 3, .least_step = 100e3},
    [WEIR_CONTINUOUS_GOODPUT] = {.lower_is_worse = true,
                                 .cold = true,
                                 .raises = true,
                                 .least_ratio = 2},
};

static const double cold_scale_min = 0.35; /* z reaches the clip at a factor of 4 */
enum { COLD_SAMPLES = 12, LEAST_SAMPLES = 3, HOUR_SAMPLES = 30, HOUR_WINDOWS = 360 };
#define RECENT_US   INT64_C(600000000)
#define WORK_OUT_US INT64_C(300000000)
#define HOUR_US     INT64_C(3600000000)

static int compare_floats(const void *a, const void *b) {
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

static double median(const float *values, size_t n) {
    float sorted[WEIR_GLOBAL];
    memcpy(sorted, values, n * sizeof *sorted);
    qsort(sorted, n, sizeof *sorted, compare_floats);
    return n % 2 ? sorted[n / 2] : (sorted[n / 2 - 1] + sorted[n / 2]) / 2;
}

static double spread(const float *values, size_t n) {
    double middle = median(values, n);
    float deviations[WEIR_GLOBAL];
    for (size_t i = 0; i < n; i++) deviations[i] = (float)fabs(values[i] - middle);
    return 1.4826 * median(deviations, n);
}

static size_t hour_of(int64_t start_us) {
    int64_t hour = start_us / HOUR_US % WEIR_HOURS;
    return (size_t)(hour < 0 ? hour + WEIR_HOURS : hour);
}

static double normal_of_hour(const struct weir_baseline *baseline, int64_t start_us) {
    const struct weir_baseline_hour *hour = &baseline->hours[hour_of(start_us)];
    double own =
        median(hour->values, hour->n_kept < WEIR_HOUR_KEEP ? hour->n_kept : WEIR_HOUR_KEEP);
    return (hour->n * own + 20 * baseline->median_all) / (hour->n + 20.0);
}

/* A rolling minimum, known long before a normal is: a minute's few windows have crossed an empty
 * queue. Far above it is also a window in which only the farther of several servers were asked; but
 * that was so before, and a queue that is full delays by more than any window did. */
static enum weir_against_least against_least(struct weir_baseline *baseline,
                                             enum weir_continuous signal, double value,
                                             int64_t start_us) {
    double least = HUGE_VAL, most = 0;
    size_t n = 0;
    for (size_t i = 0; i < WEIR_RECENT; i++) {
        if (!baseline->recent_us[i] || start_us - baseline->recent_us[i] > RECENT_US) continue;
        double then = exp(baseline->recent[i]);
        least = fmin(least, then);
        if (!baseline->unseen_us || baseline->recent_us[i] < baseline->unseen_us)
            most = fmax(most, then);
        n++;
    }
    bool above = n >= LEAST_SAMPLES && value >= signals[signal].least_ratio * least &&
                 value - least >= signals[signal].least_step;
    bool unseen = above && value - most >= signals[signal].least_step;
    baseline->unseen_us = !unseen ? 0 : baseline->unseen_us ? baseline->unseen_us : start_us;
    return n < LEAST_SAMPLES ? WEIR_LEAST_UNKNOWN : above ? WEIR_ABOVE_LEAST : WEIR_NEAR_LEAST;
}

/* True when there is a normal to compare with. */
static bool normal(const struct weir_baseline *baseline, const struct weir_detect_config *config,
                   bool cold, int64_t start_us, double *ret_normal, double *ret_scale) {
    if (start_us - baseline->first_us >= config->baseline_us &&
        baseline->n >= (uint64_t)config->baseline_samples &&
        baseline->hours[hour_of(start_us)].n >= HOUR_SAMPLES) {
        *ret_normal = normal_of_hour(baseline, start_us);
        *ret_scale = fmax(baseline->scale, config->scale_min);
        return true;
    }
    float values[WEIR_RECENT];
    int64_t within_us = baseline->sparse.added ? HOUR_US : RECENT_US;
    size_t n = 0;
    for (size_t i = 0; i < WEIR_RECENT; i++)
        if (baseline->recent_us[i] && start_us - baseline->recent_us[i] <= within_us)
            values[n++] = baseline->recent[i];
    if (!cold || n < COLD_SAMPLES) return false;
    *ret_normal = median(values, n);
    *ret_scale = fmax(spread(values, n), fmax(cold_scale_min, config->scale_min));
    return true;
}

static void work_out(struct weir_baseline *baseline, int64_t start_us) {
    if (baseline->worked_out_us && start_us - baseline->worked_out_us < WORK_OUT_US) return;
    size_t n = baseline->n < WEIR_GLOBAL ? (size_t)baseline->n : WEIR_GLOBAL;
    baseline->median_all = median(baseline->global, n);
    baseline->scale = spread(baseline->residual, n);
    baseline->worked_out_us = start_us;
}

static void learn_hour(struct weir_baseline_hour *hour, double x, int64_t start_us) {
    hour->n++;
    if (hour->n_kept && start_us - hour->kept_us < HOUR_US / WEIR_HOUR_KEEP) return;
    hour->values[hour->n_kept++ % WEIR_HOUR_KEEP] = (float)x;
    hour->kept_us = start_us;
}

static void learn(struct weir_baseline *baseline, double x, double residual, int64_t start_us) {
    if (!baseline->first_us) baseline->first_us = start_us;
    size_t i = baseline->n % WEIR_RECENT, g = baseline->n % WEIR_GLOBAL;
    baseline->recent[i] = (float)x;
    baseline->recent_us[i] = start_us;
    baseline->global[g] = (float)x;
    baseline->residual[g] = (float)residual;
    baseline->n++;
    work_out(baseline, start_us);
}

/* Learning stops while the signal deviates; after a day (an hour, without a baseline) the new level
 * is normal. */
static bool is_frozen(struct weir_baseline *baseline, const struct weir_detect_config *config,
                      int64_t start_us) {
    if (baseline->s <= config->z_raise / 2) {
        baseline->frozen_since_us = 0;
        return false;
    }
    if (!baseline->frozen_since_us) baseline->frozen_since_us = start_us;
    bool mature = start_us - baseline->first_us >= config->baseline_us;
    return start_us - baseline->frozen_since_us < (mature ? config->baseline_us : HOUR_US);
}

double weir_baseline_take(struct weir_baseline *baseline, const struct weir_detect_config *config,
                          enum weir_continuous signal, double value, uint32_t clients,
                          int64_t start_us) {
    if (!(value > 0) || !isfinite(value)) return baseline->s;
    double x = log(value), at, scale, z = 0;
    baseline->against_least = against_least(baseline, signal, value, start_us);
    bool known = normal(baseline, config, signals[signal].cold, start_us, &at, &scale);
    if (known) {
        double ratio = exp(signals[signal].lower_is_worse ? at - x : x - at);
        bool matters = ratio >= signals[signal].least_ratio &&
                       fabs(value - exp(at)) >= signals[signal].least_step;
        z = fmax(-config->z_clip,
                 fmin(config->z_clip, (signals[signal].lower_is_worse ? at - x : x - at) / scale));
        if (!matters || (signals[signal].raises && clients < 2)) z = fmin(z, 0);
        baseline->ratio = ratio;
    }
    if (baseline->s <= 0 && z > config->z_drift) baseline->onset_us = start_us;
    baseline->s = fmin(2 * config->z_raise, fmax(0, baseline->s + z - config->z_drift));
    baseline->last_us = start_us;
    bool frozen = is_frozen(baseline, config, start_us);
    struct weir_baseline_hour *hour = &baseline->hours[hour_of(start_us)];
    /* An hour of the week that was never seen has no normal to protect. */
    if (!frozen || hour->n < HOUR_WINDOWS) learn_hour(hour, x, start_us);
    if (!frozen) learn(baseline, x, known ? x - at : 0, start_us);
    return baseline->s;
}
