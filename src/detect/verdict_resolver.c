/* A resolver's own alarm: is it the resolver, the names of one service, one client's link, or the
 * uplink?
 *
 * Lookups alone never say which. Connections to addresses that are known already must work, or not
 * be tried; the lookups of several services must fail; and those of several clients where there are
 * several.
 */
#include <math.h>

#include "detect/blame.h"
#include "detect/told.h"

/* Connections to addresses that are known already must work, or not be tried: an uplink that loses
 * a third takes lookups, too. */
static bool is_beside_others(struct weir_tally controls) { return !weir_rest_is_fine(controls); }

static bool mostly_fail(struct weir_tally controls) {
    return controls.total >= 3 && weir_mostly_fails(controls);
}

/* While much fails, many resolvers' alarms are asked about each second, and all but a few are left
 * open for that reason alone: then no trial is told apart. */
static bool is_left_open(struct weir_detector *detector, const struct weir_scope *scope) {
    struct weir_glance glance;
    if (weir_uplink_is_raised(detector) || weir_uplink_may_be_seen(detector, scope) ||
        !weir_judgement_glance(detector, scope->prefix, weir_told_earliest(detector, scope),
                               scope->began_us, &glance) ||
        !is_beside_others(glance.controls) || mostly_fail(glance.controls))
        return false;
    detector->judgement.n_read = glance.n_read;
    detector->stats.history_overrun += glance.overrun;
    return true;
}

/* Do lookups of this client fail beside the names of which it was told that they do? Who asks for
 * these most often is no client with a bad link. */
static bool fails_beside_told_names(const struct weir_detector *detector,
                                    const struct weir_pick *pick, uint32_t client) {
    enum { FAILS_LEAST = 2 };
    const struct weir_judgement *judgement = &detector->judgement;
    unsigned fails = 0;
    for (size_t i = 0; i < judgement->n && fails < FAILS_LEAST; i++) {
        const struct weir_judged *trial = &judgement->trials[i];
        const struct weir_case *told = &detector->services[trial->service].incident;
        bool known = told->open && told->record.cause == WEIR_CAUSE_DNS_SERVICE;
        fails += !known && trial->client == client && weir_pick_matches(judgement, pick, trial) &&
                 weir_item_tally(trial->flags, false).fail;
    }
    return fails >= FAILS_LEAST;
}

void weir_verdict_resolver(struct weir_detector *detector, const struct weir_scope *scope,
                           struct weir_verdict *ret_verdict) {
    struct weir_verdict *verdict = ret_verdict;
    struct weir_incident *record = &verdict->record;
    struct weir_addr resolver = *scope->prefix;
    weir_told_begin(detector, scope, verdict);
    if (is_left_open(detector, scope)) {
        verdict->open = true;
        return;
    }
    weir_judgement_begin(detector, weir_told_earliest(detector, scope));
    uint32_t place = weir_judgement_place(detector, &resolver);
    struct weir_pick pick = {.any_service = true,
                             .layer = WEIR_LAYER_DNS,
                             .need = WEIR_ITEM_SCORED,
                             .place = place == WEIR_INDEX_NONE ? 0 : place + 1,
                             .since_us = scope->since_us};
    weir_judge_own(detector, &pick, record);
    struct weir_tally controls =
        weir_judge_controls(detector, WEIR_SERVICE_NONE, scope->began_us, false, record);
    bool uplink = weir_uplink_is_raised(detector) || weir_uplink_is_seen(detector, scope) ||
                  (mostly_fail(controls) && weir_uplink_may_be_told(detector, WEIR_SERVICE_NONE));
    if (!uplink && (place == WEIR_INDEX_NONE || is_beside_others(controls))) {
        verdict->open = true;
        return;
    }
    struct weir_blame blame = weir_blame_resolver(detector);
    if (uplink) {
        blame.score[WEIR_BY_UPLINK] = blame.score[WEIR_BY_RESOLVER] + WEIR_SETTLED;
        weir_blame_tell(detector, &blame, WEIR_BY_UPLINK, record);
        weir_told_uplink(detector, scope, verdict);
        return;
    }
    struct weir_tally rest;
    uint32_t top =
        weir_sums_top(detector->judgement.by_client, detector->judgement.clients.n, &rest);
    if (top != WEIR_INDEX_NONE && rest.total > 0 && weir_rest_is_fine(rest) &&
        weir_fisher(detector->judgement.by_client[top].own, rest) < detector->config.fisher_p &&
        fails_beside_told_names(detector, &pick, top)) {
        weir_told_client(detector, scope, &pick, top, verdict);
        return;
    }
    /* One service's names failing are that service's incident: the others must fail as well. */
    double lead = weir_lead(detector);
    if (blame.score[WEIR_BY_RESOLVER] - blame.score[WEIR_BY_NAMES] < lead) {
        verdict->open = true;
        return;
    }
    if (record->n_clients < 2) /* its lookups are answered, or not, by the same one: nothing tells
                                  its link apart but its connections */
        blame.score[WEIR_BY_CLIENTS] =
            fmin(blame.score[WEIR_BY_CLIENTS], blame.score[WEIR_BY_RESOLVER] - lead);
    blame.score[WEIR_BY_UPLINK] = fmin(blame.score[WEIR_BY_UPLINK],
                                       blame.score[WEIR_BY_RESOLVER] - (controls.total ? lead : 1));
    weir_blame_tell(detector, &blame, WEIR_BY_RESOLVER, record);
    record->cause = WEIR_CAUSE_DNS_RESOLVER;
    record->service = WEIR_SERVICE_NONE;
    record->layer = WEIR_LAYER_DNS;
    record->viewers = record->viewers_stalled = 0;
    record->n_prefixes = 1;
    record->prefixes[0] = verdict->subject = resolver;
    record->state = weir_severity(record, weir_judge_severity(detector, &pick, record), false);
    record->confidence = weir_confidence_of(record);
}
