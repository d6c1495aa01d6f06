/* Is it over, and since when?
 *
 * Trials of what failed, from the last failure that spoke for the incident on: each useful one says
 * ln((1-p0)/(1-q)) for "over", each failure takes ln(q/p0) back, q the share that failed while it
 * lasted. Over it is at twice ln 99 (Wald's bound for an error of 1 %, twice, because it is asked
 * slot after slot) and five useful trials in a row: after an outage of everything that is five
 * trials, after one of a third 28, and where a hundredth fails for ever a failure now and then does
 * not keep it open. It recovered with the first useful trial of that run.
 *
 * A useful trial counts for the layer that failed and for those below it: a served request says
 * that connecting works, an opened connection says nothing of requests that hang, and a lookup
 * nothing of either. Where new connections failed while older ones were served, those that are
 * served speak only behind a new one that was opened. That a connection ended well says nothing,
 * unless it is that which failed. A path recovers where it failed.
 *
 * Blind spot: what nobody tries any more; after five minutes any other trial of the service speaks
 * for it (judge.c).
 */
#include <math.h>

#include "detect/told.h"

static const double least_share = 0.1, most_share = 0.9;
#define REACH_US INT64_C(60000000) /* an attempt that began longer ago dates nothing */
enum { SEEMS_OVER = 3 };

enum bearing { NO_BEARING, SPEAKS_BOTH_WAYS, SPEAKS_BEHIND, FAILURES_ONLY };

static bool is_at(const struct weir_detector *detector, const struct weir_case *incident,
                  const struct weir_past *item) {
    const struct weir_incident *record = &incident->record;
    if (record->cause != WEIR_CAUSE_CDN && record->cause != WEIR_CAUSE_CDN_PATH) return true;
    const struct weir_addr *place = weir_history_place(&detector->history, item);
    if (!record->as.number) /* a prefix and its twin */
        return weir_addr_compare(place, &incident->subject) == 0 ||
               (record->n_prefixes == 2 && weir_addr_compare(place, &record->prefixes[1]) == 0);
    return weir_as_of(detector, place).number == record->as.number;
}

static enum bearing of_service(const struct weir_detector *detector,
                               const struct weir_case *incident, const struct weir_past *item) {
    const struct weir_incident *record = &incident->record;
    static const uint8_t roles[WEIR_PART_N] = {
        [WEIR_PART_MEDIA] = WEIR_ROLE_MEDIA, [WEIR_PART_CONTROL] = WEIR_ROLE_CONTROL};
    if (item->service != record->service || !(item->flags & WEIR_ITEM_SCORED)) return NO_BEARING;
    if (record->cause == WEIR_CAUSE_QUIC_BLOCKED)
        return item->layer == WEIR_STREAM_FALLBACK ? SPEAKS_BOTH_WAYS : NO_BEARING;
    if (record->cause == WEIR_CAUSE_DNS_SERVICE || record->layer == WEIR_LAYER_DNS)
        return item->layer == WEIR_LAYER_DNS ? SPEAKS_BOTH_WAYS : NO_BEARING;
    if (item->layer == WEIR_LAYER_DNS || item->layer == WEIR_STREAM_FALLBACK ||
        !is_at(detector, incident, item) ||
        (record->part != WEIR_PART_ALL && item->role != roles[record->part]))
        return NO_BEARING;
    if (item->layer == WEIR_STREAM_ENDS)
        return record->watch == WEIR_WATCH_resets ? SPEAKS_BOTH_WAYS : FAILURES_ONLY;
    if (item->layer == WEIR_LAYER_SERVE && weir_lets_nobody_in(record)) return SPEAKS_BEHIND;
    bool below = record->layer == WEIR_LAYER_CONNECT || item->layer == record->layer ||
                 (record->pooled && item->layer == WEIR_LAYER_SERVE);
    return below ? SPEAKS_BOTH_WAYS : FAILURES_ONLY;
}

static enum bearing bearing_of(const struct weir_detector *detector,
                               const struct weir_case *incident, const struct weir_past *item) {
    const struct weir_incident *record = &incident->record;
    bool yes;
    switch (record->cause) {
    case WEIR_CAUSE_UPLINK:
        yes = record->state == WEIR_STATE_DEGRADED
                  ? item->layer == WEIR_LAYER_SERVE && (item->flags & WEIR_ITEM_SCORED)
                  : (item->flags & (WEIR_ITEM_CONTROL | WEIR_ITEM_UPLINK)) != 0;
        break;
    case WEIR_CAUSE_DNS_RESOLVER:
        yes = item->layer == WEIR_LAYER_DNS &&
              weir_addr_compare(weir_history_place(&detector->history, item), &incident->subject) ==
                  0;
        break;
    case WEIR_CAUSE_CLIENT:
        yes = item->layer < WEIR_LAYER_N &&
              weir_addr_compare(weir_history_client(&detector->history, item),
                                &incident->subject) == 0;
        break;
    default: return of_service(detector, incident, item);
    }
    return yes ? SPEAKS_BOTH_WAYS : NO_BEARING;
}

struct weir_recovery weir_recovery_of(const struct weir_detector *detector,
                                      const struct weir_case *incident) {
    const struct weir_incident *record = &incident->record;
    double share = record->trials.total ? (double)record->trials.fail / record->trials.total
                                        : most_share,
           d = 0;
    double q = fmin(most_share, fmax(least_share, share)), p0 = detector->config.p0;
    double ok = log((1 - p0) / (1 - q)), fail = log(q / p0);
    struct weir_recovery recovery = {.at_us = 0};
    int64_t failed_us = 0;
    bool overrun;
    for (uint64_t at = weir_history_since(&detector->history, incident->evidence_us, &overrun);
         at < detector->history.n; at++) {
        const struct weir_past *item = weir_history_at(&detector->history, at);
        enum bearing bearing = item->at_us >= incident->evidence_us
                                   ? bearing_of(detector, incident, item)
                                   : NO_BEARING;
        bool failed = weir_item_tally(item->flags, false).fail;
        if (bearing == NO_BEARING || (bearing == FAILURES_ONLY && !failed)) continue;
        if (failed) {
            d = fmax(0, d - fail);
            recovery.run = 0;
            if (d <= 0) recovery.at_us = 0;
            if (item->at_us > failed_us) failed_us = item->at_us;
            continue;
        }
        if (bearing == SPEAKS_BEHIND && !recovery.at_us) continue;
        /* trials of one slot are in no order: what was useful only before a failure of it */
        if (item->at_us + (int64_t)item->useful_ms * 1000 < failed_us) continue;
        if (d <= 0) recovery.at_us = item->at_us > failed_us ? item->at_us : failed_us;
        d += ok;
        recovery.run++;
    }
    recovery.over = d >= 2 * weir_sprt_bound(detector->config.sprt_error) &&
                    recovery.run >= (uint32_t)detector->config.clear_ok &&
                    detector->now_us - recovery.at_us >= WEIR_SLOT_US;
    recovery.seems_over = d > 0 && recovery.run >= SEEMS_OVER;
    return recovery;
}

/* ---- when it was over ---- */

/* An attempt that began before the end may still fail after it: a request that nobody answers
 * fails five seconds later, and its client hangs on, while others are served. So what counts is
 * when attempts began; of those that were tried again with success only as long as such ones spoke
 * for the incident. `at`: the first position that may bear on it. */
static int64_t last_began(const struct weir_detector *detector, const struct weir_case *incident,
                          int64_t over_us, uint64_t at) {
    int64_t last_us = 0;
    for (; at < detector->history.n; at++) {
        const struct weir_past *item = weir_history_at(&detector->history, at);
        int64_t began_us = weir_past_us(item, item->began_ms);
        bool again = item->flags & WEIR_ITEM_OK;
        if ((item->flags & WEIR_ITEM_FAIL) && began_us > last_us &&
            (again ? began_us <= incident->evidence_us : item->at_us <= over_us) &&
            bearing_of(detector, incident, item) != NO_BEARING)
            last_us = began_us;
    }
    return last_us;
}

static int64_t useful_since(const struct weir_past *item, int64_t since_us) {
    int64_t back_us = weir_past_us(item, item->back_ms),
            last_us = item->at_us + (int64_t)item->useful_ms * 1000;
    bool useful = item->flags & WEIR_ITEM_OK;
    return back_us >= since_us ? back_us : useful && last_us >= since_us ? last_us : INT64_MAX;
}

int64_t weir_recovery_end(const struct weir_detector *detector, const struct weir_case *incident,
                          const struct weir_recovery *recovery) {
    bool overrun;
    if (!recovery->at_us) return 0;
    uint64_t first =
        weir_history_since(&detector->history, incident->evidence_us - REACH_US, &overrun);
    int64_t began_us = last_began(detector, incident, recovery->at_us, first),
            end_us = recovery->at_us;
    for (uint64_t at = first; at < detector->history.n; at++) {
        const struct weir_past *item = weir_history_at(&detector->history, at);
        int64_t useful_us = useful_since(item, began_us);
        if (useful_us < end_us && bearing_of(detector, incident, item) == SPEAKS_BOTH_WAYS)
            end_us = useful_us;
    }
    return end_us;
}
