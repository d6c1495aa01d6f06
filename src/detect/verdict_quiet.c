/* Alarms without a failing trial: delays and rates that deviate, a service that nobody tries. The
 * probability is a stated guess, for no hypothesis speaks of them.
 */
#include "detect/told.h"

/* Starved or slow while the loss and the delay are on the client's side: its WiFi. */
bool weir_network_of_clients(const struct weir_detector *detector, weir_service_id service) {
    const struct weir_continuous_state *continuous = &detector->services[service].continuous;
    const struct weir_baseline *near = continuous->signals[WEIR_CONTINUOUS_RTT_CLIENT],
                               *far = continuous->signals[WEIR_CONTINUOUS_RTT_SERVER];
    bool fresh = detector->now_us - continuous->loss_us <= 3 * WEIR_SLOT_US;
    if (fresh && continuous->loss_beyond >= 0.1 && continuous->loss_before >= 0 &&
        continuous->loss_before < 0.01)
        return true;
    return near && detector->now_us - near->last_us <= 3 * WEIR_SLOT_US &&
           near->s >= detector->config.z_raise && (!far || far->ratio < 1.5);
}

/* The service is accused by other evidence than failing trials. */
static struct weir_incident *begin_without_failures(struct weir_detector *detector,
                                                    const struct weir_scope *scope,
                                                    enum weir_state state,
                                                    struct weir_verdict *verdict) {
    struct weir_incident *record = &verdict->record;
    struct weir_pick pick = weir_own_pick(scope);
    weir_told_begin(detector, scope, verdict);
    weir_judgement_begin(detector, weir_told_earliest(detector, scope));
    weir_judge_own(detector, &pick, record);
    weir_judge_controls(detector, scope->service, scope->since_us, false, record);
    weir_judge_severity(detector, &pick, record);
    record->n_clients = record->n_prefixes = 0; /* nobody's trial failed */
    record->state = (uint8_t)state;
    record->confidence = WEIR_CONFIDENCE_LOW;
    record->cause = WEIR_CAUSE_SERVICE;
    record->probability = 0.8;
    return record;
}

void weir_verdict_continuous(struct weir_detector *detector, const struct weir_scope *scope,
                             struct weir_verdict *ret_verdict) {
    struct weir_incident *record =
        begin_without_failures(detector, scope, WEIR_STATE_DEGRADED, ret_verdict);
    bool elsewhere = false;
    for (size_t i = WEIR_SERVICE_FIRST; i < detector->n_services; i++)
        for (int signal = 0; i != scope->service && signal < WEIR_CONTINUOUS_N; signal++) {
            const struct weir_baseline *other = detector->services[i].continuous.signals[signal];
            elsewhere |= other && other->s >= detector->config.z_raise &&
                         detector->now_us - other->last_us <= 3 * WEIR_SLOT_US;
        }
    if (weir_uplink_is_raised(detector) || elsewhere) {
        record->cause = WEIR_CAUSE_UPLINK;
        record->service = WEIR_SERVICE_NONE;
    }
    ret_verdict->open = weir_network_of_clients(detector, scope->service);
}

void weir_verdict_silence(struct weir_detector *detector, const struct weir_scope *scope,
                          struct weir_verdict *ret_verdict) {
    struct weir_incident *record =
        begin_without_failures(detector, scope, WEIR_STATE_DOWN, ret_verdict);
    const struct weir_silence *silence =
        weir_watch_recall(detector, scope->service, WEIR_WATCH_silence);
    record->silence = silence->found;
    ret_verdict->open = weir_uplink_is_raised(detector);
}
