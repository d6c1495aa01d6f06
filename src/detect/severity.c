/* How bad is it, how sure are we, and whose is it when it is one client's?
 *
 * Severity looks at the last five minutes up to the last failure. Confidence is a word for the
 * probability and for how much was seen.
 */
#include <string.h>

#include "detect/told.h"

#define RECENT_US INT64_C(60000000)
enum { MANY = 16 };

bool weir_is_starvation(const struct weir_incident *record) {
    return record->kinds[WEIR_OUTCOME_STARVED] * 2 > record->trials.fail;
}

bool weir_lets_nobody_in(const struct weir_incident *record) {
    return record->cause == WEIR_CAUSE_SERVICE && record->layer == WEIR_LAYER_CONNECT &&
           !record->pooled && record->state == WEIR_STATE_PARTIAL && record->trials.fail > 0 &&
           record->trials.fail == record->trials.total;
}

enum weir_state weir_severity(const struct weir_incident *record, struct weir_tally recent,
                              bool slow) {
    if (weir_is_starvation(record)) return WEIR_STATE_DEGRADED;
    if (slow || recent.total == 0) return WEIR_STATE_PARTIAL;
    if (recent.fail == recent.total ||
        (recent.total >= MANY && weir_wilson(recent.fail, recent.total).low > 0.8))
        return WEIR_STATE_DOWN;
    return WEIR_STATE_PARTIAL;
}

enum weir_confidence weir_confidence_of(const struct weir_incident *record) {
    bool client = record->cause == WEIR_CAUSE_CLIENT, uplink = record->cause == WEIR_CAUSE_UPLINK;
    if (record->probability < 0.7 || (record->n_clients_seen <= 1 && !client))
        return WEIR_CONFIDENCE_LOW;
    if (record->state == WEIR_STATE_DOWN && record->trials.total < MANY) return WEIR_CONFIDENCE_LOW;
    if (record->controls.total < 3 && !uplink) return WEIR_CONFIDENCE_LOW;
    bool many = record->trials.total >= MANY && (record->n_clients >= 2 || client);
    return many && record->probability >= 0.9 && (record->controls.total >= 10 || uplink)
               ? WEIR_CONFIDENCE_HIGH
               : WEIR_CONFIDENCE_MEDIUM;
}

void weir_told_begin(const struct weir_detector *detector, const struct weir_scope *scope,
                     struct weir_verdict *verdict) {
    *verdict =
        (struct weir_verdict){.record = {
                                  .service = scope->service,
                                  .ts_us = detector->now_us,
                                  .onset_us = scope->began_us,
                                  .pooled = scope->pooled,
                                  .probability = 1,
                                  .layer = scope->layer < WEIR_LAYER_N        ? scope->layer
                                           : scope->layer == WEIR_STREAM_ENDS ? WEIR_LAYER_SERVE
                                                                              : WEIR_LAYER_QUIC,
                              }};
    if (scope->service < detector->n_services) {
        const struct weir_service_state *service = &detector->services[scope->service];
        verdict->record.viewers = service->viewers;
        verdict->record.viewers_stalled = service->viewers_stalled;
        verdict->record.viewers_known = service->viewers_known;
        verdict->record.stalled_since_us = service->stalled_since_us;
    }
}

int64_t weir_told_earliest(const struct weir_detector *detector, const struct weir_scope *scope) {
    int64_t recent_us = detector->now_us - RECENT_US,
            own_us = scope->since_us < scope->began_us ? scope->since_us : scope->began_us;
    return own_us < recent_us ? own_us : recent_us;
}

/* The incident is the client's: the controls are the other clients of the same service. */
void weir_told_client(struct weir_detector *detector, const struct weir_scope *scope,
                      const struct weir_pick *own, uint32_t client, struct weir_verdict *verdict) {
    const struct weir_judgement *judgement = &detector->judgement;
    struct weir_incident *record = &verdict->record;
    struct weir_pick pick = *own;
    struct weir_tally all = weir_judgement_sum(judgement, &pick);
    verdict->subject = judgement->clients.addrs[client];
    pick.client = client + 1;
    record->cause = WEIR_CAUSE_CLIENT;
    record->service = WEIR_SERVICE_NONE;
    record->n_clients = 1;
    record->clients[0] = verdict->subject;
    record->viewers = record->viewers_stalled = 0;
    struct weir_tally recent = weir_judge_severity(detector, &pick, record);
    struct weir_tally rest = weir_tally_minus(all, weir_judgement_sum(judgement, &pick));
    memset(&record->controls, 0, sizeof record->controls);
    record->controls.fail = rest.fail;
    record->controls.total = rest.total;
    record->controls.n = own->any_service ? 0 : 1;
    record->controls.by_service[0].service = own->service;
    record->controls.by_service[0].fail = rest.fail;
    record->controls.by_service[0].total = rest.total;
    record->state = weir_severity(record, recent, scope->slow);
    record->confidence = weir_confidence_of(record);
    verdict->open = detector->now_us - scope->since_us < detector->config.client_us;
}
