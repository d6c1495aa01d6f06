/* What is said of an alarm of a service: which hypothesis (blame.c), how bad, how sure, which part.
 *
 *     alarm --> judgement (sums) --> blame (scores) --> told, if it is news --> record
 *
 * Told is a cause that more than one person has, once it leads over chance and over clients' own
 * troubles by `lead`; which of several such causes it is need not be certain: the likeliest is
 * told, the others beside it with their probabilities. Where one client's link leads over all of
 * these, it is told as that client's, after a minute. Otherwise the question is open, and is asked
 * again when more was seen.
 *
 * Some evidence of the uplink settles the question by itself (verdict_uplink.c).
 */
#include <math.h>

#include "detect/beside.h"
#include "detect/blame.h"
#include "detect/told.h"

#define WITNESS_US INT64_C(5000000)
enum { PART_TRIALS = 2 };

/* ---- names ---- */

static bool lookups_alone_fail(const struct weir_detector *detector,
                               const struct weir_scope *scope) {
    struct weir_pick connect = {.service = scope->service,
                                .layer = WEIR_LAYER_CONNECT,
                                .need = WEIR_ITEM_SCORED,
                                .since_us = scope->since_us};
    struct weir_tally tally = weir_judgement_sum(&detector->judgement, &connect);
    return tally.fail < 3 || !weir_mostly_fails(tally);
}

/* ---- places ---- */

static void narrow(const struct weir_place *place, struct weir_pick *pick) {
    if (place->as)
        pick->as = place->as;
    else
        pick->place = place->number + 1, pick->twin = place->twin + 1;
}

/* At this place connections fail as well, and not one trial was useful: more than thin transfers.
 */
static bool nothing_gets_through(const struct weir_detector *detector,
                                 const struct weir_scope *scope, const struct weir_place *place) {
    struct weir_pick pick = {.service = scope->service,
                             .layer = WEIR_LAYER_CONNECT,
                             .need = WEIR_ITEM_SCORED,
                             .since_us = scope->since_us};
    narrow(place, &pick);
    struct weir_tally tally = weir_judgement_sum(&detector->judgement, &pick);
    return tally.fail >= 2 && tally.fail == tally.total;
}

static void be_path(struct weir_detector *detector, const struct weir_scope *scope,
                    const struct weir_place *place, struct weir_verdict *verdict) {
    const struct weir_judgement *judgement = &detector->judgement;
    struct weir_incident *record = &verdict->record;
    struct weir_pick pick = weir_own_pick(scope);
    struct weir_tally all = weir_judgement_sum(judgement, &pick);
    narrow(place, &pick);
    struct weir_tally rest = weir_tally_minus(all, weir_judgement_sum(judgement, &pick));
    if (place->as) {
        record->as = weir_as_of(detector, &judgement->places.addrs[place->number]);
        weir_system_list(judgement, place->as, record);
    } else {
        verdict->subject = record->prefixes[0] = judgement->places.addrs[place->number];
        record->n_prefixes = 1;
        if (place->twin != WEIR_INDEX_NONE)
            record->prefixes[record->n_prefixes++] = judgement->places.addrs[place->twin];
    }
    record->state =
        weir_severity(record, weir_judge_severity(detector, &pick, record), scope->slow);
    if (record->state == WEIR_STATE_DEGRADED && nothing_gets_through(detector, scope, place))
        record->state = WEIR_STATE_PARTIAL;
    /* A service that works from its other places is not down. */
    bool elsewhere = record->cause == WEIR_CAUSE_CDN_PATH && record->elsewhere_ok;
    if (record->state == WEIR_STATE_DOWN && (rest.total - rest.fail >= 3 || elsewhere))
        record->state = WEIR_STATE_PARTIAL;
}

/* ---- parts ---- */

static bool is_fine(struct weir_tally tally) {
    return tally.total - tally.fail >= PART_TRIALS && weir_rest_is_fine(tally);
}

static bool is_failing(struct weir_tally tally) {
    return tally.fail >= PART_TRIALS && weir_mostly_fails(tally);
}

static bool is_of_parts(const struct weir_judged *trial, const struct weir_scope *scope) {
    return trial->at_us >= scope->since_us && trial->layer < WEIR_LAYER_N &&
           trial->layer != WEIR_LAYER_DNS && (trial->flags & WEIR_ITEM_SCORED);
}

/* Which part fails: media, control and the rest against each other since the onset, in all layers
 * above lookups. Up to the last failure: a part that works again behind it did not go on. */
static enum weir_part part_of(const struct weir_judgement *judgement,
                              const struct weir_scope *scope) {
    if (scope->layer == WEIR_LAYER_API) return WEIR_PART_CONTROL;
    struct weir_tally role[3] = {{0}};
    const struct weir_pick its = {.service = scope->service};
    int64_t until_us = 0;
    for (size_t i = weir_pick_first(judgement, &its); i < judgement->n;
         i = weir_pick_next(judgement, &its, i)) {
        const struct weir_judged *trial = &judgement->trials[i];
        if (is_of_parts(trial, scope) && weir_item_tally(trial->flags, false).fail &&
            trial->at_us > until_us)
            until_us = trial->at_us;
    }
    for (size_t i = weir_pick_first(judgement, &its); i < judgement->n;
         i = weir_pick_next(judgement, &its, i)) {
        const struct weir_judged *trial = &judgement->trials[i];
        if (is_of_parts(trial, scope) && trial->at_us <= until_us)
            weir_tally_add(&role[trial->role % 3], weir_item_tally(trial->flags, false));
    }
    bool media_fine = is_fine(role[WEIR_ROLE_MEDIA]);
    if (media_fine && is_failing(role[WEIR_ROLE_CONTROL])) return WEIR_PART_CONTROL;
    if (media_fine && is_failing(role[WEIR_ROLE_OTHER])) return WEIR_PART_OTHER;
    if (is_failing(role[WEIR_ROLE_MEDIA]) && is_fine(role[WEIR_ROLE_CONTROL]))
        return WEIR_PART_MEDIA;
    return WEIR_PART_ALL;
}

/* ---- a service ---- */

/* Those whose connections were open before are served on, after the first attempt had failed. */
static bool others_watch_on(const struct weir_detector *detector, const struct weir_scope *scope) {
    struct weir_pick pick = {.service = scope->service,
                             .layer = WEIR_LAYER_SERVE,
                             .need = WEIR_ITEM_SCORED,
                             .since_us = scope->since_us,
                             .until_us = scope->until_us,
                             .useful_us = scope->since_us};
    return scope->layer == WEIR_LAYER_CONNECT && !scope->pooled &&
           is_fine(weir_judgement_sum(&detector->judgement, &pick));
}

static void be_service(struct weir_detector *detector, const struct weir_scope *scope,
                       enum weir_cause cause, struct weir_verdict *verdict) {
    struct weir_incident *record = &verdict->record;
    struct weir_pick pick = weir_own_pick(scope);
    struct weir_tally recent = weir_judge_severity(detector, &pick, record);
    record->state = weir_severity(record, recent, scope->slow);
    if (cause == WEIR_CAUSE_QUIC_BLOCKED)
        record->state = WEIR_STATE_DEGRADED;
    else if (scope->layer == WEIR_STREAM_ENDS && record->state == WEIR_STATE_DOWN)
        /* data did flow before the resets, and new connections open */
        record->state = WEIR_STATE_PARTIAL;
    else if (record->state == WEIR_STATE_DOWN && others_watch_on(detector, scope))
        record->state = WEIR_STATE_PARTIAL;
}

static void narrow_to_part(const struct weir_detector *detector, const struct weir_scope *scope,
                           struct weir_verdict *verdict) {
    struct weir_incident *record = &verdict->record;
    record->part = scope->layer < WEIR_LAYER_N && scope->layer != WEIR_LAYER_DNS
                       ? part_of(&detector->judgement, scope)
                       : WEIR_PART_ALL;
    if (record->part == WEIR_PART_MEDIA && record->cause != WEIR_CAUSE_SERVICE)
        record->part = WEIR_PART_ALL; /* told by its place already */
    /* Who watches goes on, nobody new gets in. A host of neither kind is a note at the most. */
    if (record->part == WEIR_PART_CONTROL && record->state == WEIR_STATE_DOWN)
        record->state = WEIR_STATE_PARTIAL;
    verdict->open |= record->part == WEIR_PART_OTHER;
}

static void tell_wide(struct weir_detector *detector, const struct weir_scope *scope,
                      const struct weir_blame *blame, enum weir_hypothesis told,
                      struct weir_verdict *verdict) {
    struct weir_incident *record = &verdict->record;
    enum weir_cause cause = weir_hypothesis_cause(told);
    weir_blame_tell(detector, blame, told, record);
    record->cause = (uint8_t)cause;
    record->elsewhere_ok = blame->elsewhere.total - blame->elsewhere.fail;
    switch (told) {
    case WEIR_BY_UPLINK: weir_told_uplink(detector, scope, verdict); return;
    case WEIR_BY_CDN: be_path(detector, scope, &blame->shared, verdict); break;
    case WEIR_BY_PATH: be_path(detector, scope, &blame->path, verdict); break;
    default: be_service(detector, scope, cause, verdict);
    }
    narrow_to_part(detector, scope, verdict);
    /* What else is tried in the next seconds tells the one from the other. */
    if (told == WEIR_BY_QUIC && record->n_clients < 2) /* one moment of one client proves nothing */
        verdict->open |= detector->services[scope->service].quic_blocked.committed.last_fail_us -
                             scope->since_us <
                         WEIR_SLOT_US;
    verdict->open |= record->controls.total == 0 && record->n_alternatives &&
                     detector->now_us - scope->since_us < WITNESS_US;
    record->confidence = weir_confidence_of(record);
}

static void be_resolver(struct weir_detector *detector, const struct weir_scope *scope,
                        const struct weir_blame *blame, struct weir_verdict *verdict) {
    struct weir_tally rest;
    uint32_t top = weir_sums_top(detector->judgement.by_place, detector->judgement.places.n, &rest);
    struct weir_addr subject = detector->judgement.places.addrs[top];
    struct weir_scope resolver = *scope;
    resolver.prefix = &subject;
    (void)blame;
    weir_verdict_resolver(detector, &resolver, verdict);
    const struct weir_resolver *known = weir_keyed_find(&detector->resolvers, &subject, 0, 0);
    verdict->open |= known && weir_track_now(&known->track, detector->generation)->ok_run >=
                                  (uint32_t)detector->config.clear_ok;
}

/* The service's own sums, and the record's numbers that don't depend on the cause. */
static void gather_own(struct weir_detector *detector, const struct weir_scope *scope,
                       struct weir_incident *record) {
    struct weir_pick pick = weir_own_pick(scope);
    weir_judgement_begin(detector, weir_told_earliest(detector, scope));
    if (scope->until_us && !scope->slow) weir_leave_out_recovery(detector, &pick, WEIR_ITEM_SCORED);
    weir_judge_own(detector, &pick, record);
    weir_judge_severity(detector, &pick, record);
}

/* The sums of all else. */
static void gather_rest(struct weir_detector *detector, const struct weir_scope *scope,
                        struct weir_incident *record) {
    weir_set_aside(detector, scope->service);
    /* Controls count from when the first failing attempt began: what was useful while it hung
     * speaks as well. */
    weir_judge_controls(detector, scope->service, scope->began_us, scope->slow, record);
    if (!scope->pooled)
        weir_judge_peers(detector, scope->service, scope->layer, scope->began_us, scope->slow);
    if (detector->h_level == 0 ||
        scope->layer == WEIR_LAYER_DNS) /* where clients are many, so are witnesses */
        weir_judge_lookups(detector, scope);
}

void weir_verdict_service(struct weir_detector *detector, const struct weir_scope *scope,
                          struct weir_verdict *ret_verdict) {
    struct weir_verdict *verdict = ret_verdict;
    struct weir_incident *record = &verdict->record;
    weir_told_begin(detector, scope, verdict);
    gather_own(detector, scope, record);
    verdict->open = scope->slow && record->n_clients < 2 && record->n_prefixes < 2;
    if (verdict->open) return;
    if (weir_is_starvation(record) && weir_queue_is_shared(detector, scope->service))
        detector->congested_us = detector->now_us; /* also where not all who ask are starved yet */
    /* Asked by every service in each slot of an outage: the rest, most of the work, is not read. */
    verdict->open = weir_uplink_holds(detector, scope);
    if (verdict->open) return;
    gather_rest(detector, scope, record);
    struct weir_blame blame = weir_blame_service(detector, scope);
    if (scope->layer == WEIR_LAYER_DNS && !lookups_alone_fail(detector, scope)) {
        blame.score[WEIR_BY_SERVICE] = blame.score[WEIR_BY_NAMES];
        blame.score[WEIR_BY_NAMES] = blame.score[WEIR_BY_RESOLVER] = -HUGE_VAL;
    }
    enum weir_hypothesis wide = weir_blame_best(&blame, true),
                         narrow = weir_blame_best(&blame, false);
    if (weir_uplink_is_raised(detector) || weir_uplink_is_seen(detector, scope)) {
        blame.score[WEIR_BY_UPLINK] = fmax(blame.score[wide], blame.score[narrow]) + WEIR_SETTLED;
        wide = WEIR_BY_UPLINK;
    } else if ((wide == WEIR_BY_UPLINK && (!weir_uplink_may_be_told(detector, scope->service) ||
                                           weir_uplink_is_early(detector, scope))) ||
               (weir_is_starvation(record) && weir_uplink_may_starve(detector, scope))) {
        verdict->open = true;
        return;
    }
    uint32_t client = narrow == WEIR_BY_CLIENT ? blame.client
                      : narrow == WEIR_BY_HERE ? blame.here
                                               : WEIR_INDEX_NONE;
    if (client != WEIR_INDEX_NONE &&
        detector->judgement.by_client[client].own.fail * 2 >= record->trials.fail &&
        blame.score[narrow] - fmax(blame.score[wide], blame.place) >= weir_lead(detector)) {
        struct weir_pick pick = weir_own_pick(scope);
        weir_blame_tell(detector, &blame, narrow, record);
        weir_told_client(detector, scope, &pick, client, verdict);
        return;
    }
    /* That it is one client's application stays an alternative: where there is one client nothing
     * tells it from the service. */
    double rival = fmax(blame.score[WEIR_BY_CHANCE],
                        fmax(blame.score[WEIR_BY_CLIENT], blame.score[WEIR_BY_CLIENTS]));
    if (blame.score[wide] - rival < weir_lead(detector)) {
        verdict->open = true;
        return;
    }
    if (wide == WEIR_BY_RESOLVER) {
        be_resolver(detector, scope, &blame, verdict);
        return;
    }
    tell_wide(detector, scope, &blame, wide, verdict);
    struct weir_tally rest;
    uint32_t top =
        weir_sums_top(detector->judgement.by_client, detector->judgement.clients.n, &rest);
    if (wide != WEIR_BY_UPLINK && record->state == WEIR_STATE_DEGRADED &&
        weir_is_starvation(record) && top != WEIR_INDEX_NONE && rest.fail == 0 &&
        weir_network_of_clients(detector, scope->service)) {
        struct weir_pick pick = weir_own_pick(scope);
        weir_told_client(detector, scope, &pick, top, verdict);
    }
}
