/* A downlink that carries what it carries at its busiest has no room for more (at least 90 % of the
 * learned p99).
 *
 * By itself that is no fault, and never an incident: a hundredth of all windows is at the p99 by
 * definition. Beside several starved services it says that these starve for want of room, also
 * where another still gets its share.
 *
 * Blind spot: where the link was never full its p99 is a busy evening, not its capacity.
 */
#include <math.h>
#include <string.h>

#include "detect/state.h"

enum { WINDOWS_MIN = 360, WINDOWS_A_WEEK = 60480 };
static const double full_share = 0.9;

/* Half of what is older goes as often as a week was added, so that a link that was made faster is
 * learned. */
static void forget(struct weir_histogram *windows) {
    windows->n = 0;
    for (unsigned i = 0; i < WEIR_HISTOGRAM_BUCKETS; i++) windows->n += windows->counts[i] /= 2;
}

void weir_downlink_take(struct weir_downlink *downlink, double bps, int64_t start_us) {
    if (!(bps >= 1) || !isfinite(bps)) return;
    downlink->bps = bps;
    downlink->p99_bps = downlink->windows.n >= WINDOWS_MIN
                            ? (double)weir_histogram_quantile(&downlink->windows, 0.99)
                            : 0;
    if (downlink->p99_bps > 0 && bps >= full_share * downlink->p99_bps)
        downlink->full_us = start_us + WEIR_SLOT_US;
    weir_histogram_add(&downlink->windows, (uint64_t)bps);
    if (downlink->windows.n >= 2 * WINDOWS_A_WEEK) forget(&downlink->windows);
}

bool weir_downlink_is_full(const struct weir_downlink *downlink, int64_t now_us) {
    return downlink->full_us && now_us - downlink->full_us <= 2 * WEIR_SLOT_US;
}

void weir_downlink_mend(struct weir_downlink *downlink) {
    uint64_t n = 0;
    for (unsigned i = 0; i < WEIR_HISTOGRAM_BUCKETS; i++) n += downlink->windows.counts[i];
    if (n != downlink->windows.n || !isfinite(downlink->bps) || !isfinite(downlink->p99_bps))
        memset(downlink, 0, sizeof *downlink);
}

struct weir_downlink *weir_downlink_of(const struct weir_detector *detector) {
    return weir_watch_recall(detector, WEIR_SERVICE_NONE, WEIR_WATCH_downlink);
}

static void take(struct weir_detector *detector, const struct weir_detect_window *window) {
    weir_downlink_take(weir_downlink_of(detector), window->down_bps, window->start_us);
}

static void mend(void *memory) { weir_downlink_mend(memory); }

const struct weir_watch weir_watch_downlink = {
    .name = "downlink",
    .help = "none by itself: it says that the downlink is full",
    .scope = WEIR_WATCHES_SITE,
    .window = take,
    .memory = sizeof(struct weir_downlink),
    .mend = mend,
};
