/* Connections that end in the middle of what they carry: of finished media connections those that a
 * reset cut off, against any other end. Retries inside a slot cannot hide it, for it is no trial of
 * the service: what was cut off is asked again, and served.
 *
 * Blind spot: it needs three of them, and two clients where there are two.
 */
#include "detect/fold.h"

enum { ENDS_CLEAN = 30 };
#define FRESH_US (2 * WEIR_SLOT_US)
#define STALE_US INT64_C(300000000) /* the last reset, before a few clean ends are enough */

void weir_resets_take(struct weir_detector *detector, const struct weir_connection_end *end) {
    struct weir_ends *ends = &detector->services[end->service].ends;
    if (end->rst_mid) {
        weir_cusum_fail(&ends->cusum, detector->ends_step, 1, 2 * detector->config.ends_h,
                        end->ts_us, end->ts_us);
        ends->resets++;
        ends->clean_run = 0;
        ends->last_reset_us = end->ts_us;
    } else {
        weir_cusum_ok(&ends->cusum, detector->ends_step);
        ends->clean_run++;
    }
    if (ends->cusum.s <= 0) ends->resets = 0;
    ends->alarm = ends->cusum.s >= detector->config.ends_h ||
                  (ends->alarm && ends->cusum.s >= detector->config.ends_h / 4);
    struct weir_trial trial = {.client = end->client,
                               .prefix = end->prefix,
                               .service = end->service,
                               .ok = !end->rst_mid,
                               .fail = end->rst_mid,
                               .kind = end->rst_mid ? WEIR_OUTCOME_RST_MID : WEIR_OUTCOME_USEFUL,
                               .ok_us = end->ts_us,
                               .fail_us = end->ts_us};
    struct weir_item item = weir_item_of(&trial, WEIR_STREAM_ENDS, WEIR_ITEM_SCORED);
    weir_history_insert(&detector->history, &item);
}

static void forget(struct weir_detector *detector, weir_service_id id) {
    struct weir_ends *ends = &detector->services[id].ends;
    *ends = (struct weir_ends){.clean_run = ends->clean_run, .last_reset_us = ends->last_reset_us};
}

/* What is long ago, or has ended well often since, is no alarm any more. */
static void tick(struct weir_detector *detector) {
    for (size_t id = WEIR_SERVICE_FIRST; id < detector->n_services; id++) {
        const struct weir_ends *ends = &detector->services[id].ends;
        bool enough = ends->clean_run >= (uint32_t)detector->config.clear_ok;
        if (ends->clean_run >= ENDS_CLEAN ||
            (enough && detector->now_us - ends->last_reset_us > STALE_US))
            forget(detector, (weir_service_id)id);
    }
}

static void offer(const struct weir_detector *detector, const struct weir_subject *subject,
                  struct weir_alarm *best) {
    const struct weir_ends *ends = &detector->services[subject->service].ends;
    bool raised = subject->incident->open ? ends->alarm
                                          : ends->cusum.s >= detector->config.ends_h &&
                                                ends->resets >= detector->config.ends_min &&
                                                detector->now_us - ends->last_reset_us <= FRESH_US;
    struct weir_scope scope = {.service = subject->service,
                               .layer = WEIR_STREAM_ENDS,
                               .since_us = ends->cusum.onset_us,
                               .began_us = ends->cusum.began_us,
                               .strength = ends->cusum.s / detector->config.ends_h};
    if (raised) weir_alarm_offer(best, WEIR_WATCH_resets, scope, ends->last_reset_us);
}

/* Is anybody else served, whose connections last or end well? */
static bool serves_others(const struct weir_judgement *judgement, const struct weir_scope *scope) {
    const struct weir_pick served = {.service = scope->service,
                                     .layer = WEIR_LAYER_SERVE,
                                     .need = WEIR_ITEM_SCORED | WEIR_ITEM_OK,
                                     .since_us = scope->since_us};
    for (size_t i = weir_pick_first(judgement, &served); i < judgement->n;
         i = weir_pick_next(judgement, &served, i))
        if (weir_pick_matches(judgement, &served, &judgement->trials[i]) &&
            !judgement->by_client[judgement->trials[i].client].own.fail)
            return true;
    return false;
}

/* Where there are two clients, two must have been cut off. */
static void judge(struct weir_detector *detector, const struct weir_scope *scope,
                  struct weir_verdict *ret_verdict) {
    weir_verdict_service(detector, scope, ret_verdict);
    const struct weir_incident *record = &ret_verdict->record;
    ret_verdict->open |= record->n_clients < 2 && (record->n_clients_seen >= 2 ||
                                                   serves_others(&detector->judgement, scope));
}

static bool lasts(const struct weir_detector *detector, const struct weir_subject *subject) {
    return detector->services[subject->service].ends.alarm;
}

const struct weir_watch weir_watch_resets = {
    .name = "resets",
    .help = "connections cut off in mid-transfer",
    .scope = WEIR_WATCHES_SERVICE,
    .rank = 100,
    .offer = offer,
    .judge = judge,
    .tick = tick,
    .lasts = lasts,
    .forget = forget,
};
