/* Delays and rates of a service that deviate from what is normal here (baseline.c), by windows.
 *
 * A rate is what players ask for: a lower one matters where somebody's picture stands still, or
 * whose requests starve. Where nobody is known to watch it is all that there is.
 *
 * Blind spot: it is asked only where nothing fails, for failing trials say more.
 */
#include <stdlib.h>

#include "detect/state.h"

static void take(struct weir_detector *detector, const struct weir_detect_service_window *window,
                 int64_t start_us) {
    struct weir_continuous_state *state = &detector->services[window->service].continuous;
    for (int signal = 0; signal < WEIR_CONTINUOUS_N; signal++) {
        if (window->value[signal].samples == 0) continue;
        if (!state->signals[signal])
            state->signals[signal] = calloc(1, sizeof *state->signals[signal]);
        struct weir_baseline *baseline = state->signals[signal];
        if (!baseline) continue; /* without memory there is no baseline, and no alarm from it */
        struct weir_sparse_window value = {start_us, (float)window->value[signal].value,
                                           window->value[signal].samples,
                                           window->value[signal].clients};
        if (weir_sparse_take(&baseline->sparse, value, &value))
            weir_baseline_take(baseline, &detector->config, (enum weir_continuous)signal,
                               (double)value.value, value.clients, start_us);
    }
    if (window->loss_beyond >= 0 || window->loss_before >= 0) {
        state->loss_beyond = window->loss_beyond;
        state->loss_before = window->loss_before;
        state->loss_us = start_us;
    }
}

static void window(struct weir_detector *detector, const struct weir_detect_window *window) {
    for (size_t i = 0; i < window->n_services; i++)
        if (window->services[i].service < detector->n_services)
            take(detector, &window->services[i], window->start_us);
}

static bool rate_matters(const struct weir_detector *detector,
                         const struct weir_service_state *service) {
    bool starved =
        service->starved_slot_us && detector->now_us - service->starved_slot_us <= 3 * WEIR_SLOT_US;
    return !service->viewers || service->viewers_stalled || starved;
}

/* The first that deviates. */
static void offer(const struct weir_detector *detector, const struct weir_subject *subject,
                  struct weir_alarm *best) {
    const struct weir_service_state *service = &detector->services[subject->service];
    for (int i = 0; i < WEIR_CONTINUOUS_N && best->rank <= 0; i++) {
        const struct weir_baseline *baseline = service->continuous.signals[i];
        if (i == WEIR_CONTINUOUS_RTT_CLIENT || !baseline ||
            baseline->s < detector->config.z_raise ||
            detector->now_us - baseline->last_us > 3 * WEIR_SLOT_US ||
            (i == WEIR_CONTINUOUS_GOODPUT && !rate_matters(detector, service)))
            continue;
        struct weir_scope scope = {.service = subject->service,
                                   .layer = i == WEIR_CONTINUOUS_DNS          ? WEIR_LAYER_DNS
                                            : i == WEIR_CONTINUOUS_RTT_SERVER ? WEIR_LAYER_CONNECT
                                                                              : WEIR_LAYER_SERVE,
                                   .since_us = baseline->onset_us,
                                   .began_us = baseline->onset_us};
        weir_alarm_offer(best, WEIR_WATCH_delays, scope, baseline->last_us);
    }
}

static bool lasts(const struct weir_detector *detector, const struct weir_subject *subject) {
    const struct weir_service_state *service = &detector->services[subject->service];
    for (int i = 0; i < WEIR_CONTINUOUS_N; i++) {
        const struct weir_baseline *baseline = service->continuous.signals[i];
        if (baseline && i != WEIR_CONTINUOUS_RTT_CLIENT &&
            baseline->s >= detector->config.z_raise / 4 &&
            detector->now_us - baseline->last_us < detector->config.silent_us)
            return true;
    }
    return false;
}

/* What the outage was felt by. Players fill their buffers after it: what is still not normal then
 * has to show so by itself. */
static void forget(struct weir_detector *detector, weir_service_id id) {
    for (int i = 0; i < WEIR_CONTINUOUS_N; i++) {
        struct weir_baseline *baseline = detector->services[id].continuous.signals[i];
        if (baseline) baseline->s = 0;
    }
}

const struct weir_watch weir_watch_delays = {
    .name = "delays",
    .help = "delays or rates that are not normal here",
    .scope = WEIR_WATCHES_SERVICE,
    .rank = 1,
    .offer = offer,
    .judge = weir_verdict_continuous,
    .window = window,
    .lasts = lasts,
    .forget = forget,
};
