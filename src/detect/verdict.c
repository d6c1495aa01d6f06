/* What is said of an alarm: which hypothesis (blame.c), how bad, how sure, which part.
 *
 *     alarm --> judgement (sums) --> blame (scores) --> told, if it is news --> record
 *
 * Told is a cause that more than one person has, once it leads over chance and over clients' own
 * troubles by `lead`; which of several such causes it is need not be certain: the likeliest is
 * told, the others beside it with their probabilities. Where one client's link leads over all of
 * these, it is told as that client's, after a minute. Otherwise the question is open, and is asked
 * again when more was seen.
 *
 * Some evidence of the uplink is no trial: not one packet comes from anywhere, the queue on the way
 * out is full, several services starve at once, its own watch has raised. It settles the question
 * by itself.
 */
#include <math.h>
#include <string.h>

#include "detect/blame.h"
#include "detect/state.h"

#define RECENT_US  INT64_C(60000000)
#define CUT_OFF_US INT64_C(5000000)
#define WITNESS_US INT64_C(5000000)
enum { MANY = 16, PART_TRIALS = 2 };
/* nats: what settles a question by itself is worth at least so much more than the rest */
static const double settled = 10;

bool weir_uplink_is_raised(const struct weir_detector *detector) {
    return detector->uplink_case.open &&
           weir_track_now(&detector->uplink, detector->generation)->hard_alarm;
}

/* ---- severity and confidence ---- */

static bool is_starvation(const struct weir_incident *record) {
    return record->kinds[WEIR_OUTCOME_STARVED] * 2 > record->trials.fail;
}

static enum weir_state severity(const struct weir_incident *record, struct weir_tally recent,
                                bool slow) {
    if (is_starvation(record)) return WEIR_STATE_DEGRADED;
    if (slow || recent.total == 0) return WEIR_STATE_PARTIAL;
    if (recent.fail == recent.total ||
        (recent.total >= MANY && weir_wilson(recent.fail, recent.total).low > 0.8))
        return WEIR_STATE_DOWN;
    return WEIR_STATE_PARTIAL;
}

static enum weir_confidence confidence(const struct weir_incident *record) {
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

static void begin(const struct weir_detector *detector, const struct weir_scope *scope,
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
        verdict->record.viewers = detector->services[scope->service].viewers;
        verdict->record.viewers_stalled = detector->services[scope->service].viewers_stalled;
    }
}

static int64_t earliest(const struct weir_detector *detector, const struct weir_scope *scope) {
    int64_t recent_us = detector->now_us - RECENT_US,
            own_us = scope->since_us < scope->began_us ? scope->since_us : scope->began_us;
    return own_us < recent_us ? own_us : recent_us;
}

/* ---- the uplink ---- */

static unsigned clients_failing_elsewhere(const struct weir_judgement *judgement) {
    unsigned n = 0;
    for (size_t i = 0; i < judgement->clients.n; i++) n += judgement->by_client[i].other.fail > 0;
    return n;
}

/* The controls of the last minute: what failed only earlier since the onset is over. */
static struct weir_tally controls_now(const struct weir_detector *detector,
                                      weir_service_id service) {
    const struct weir_judgement *judgement = &detector->judgement;
    struct weir_tally sum = {0};
    for (size_t i = 0; i < judgement->n; i++) {
        const struct weir_judged *trial = &judgement->trials[i];
        if (trial->at_us >= detector->now_us - RECENT_US && trial->service != service &&
            trial->layer < WEIR_LAYER_N && (trial->flags & WEIR_ITEM_CONTROL))
            weir_tally_add(&sum, weir_item_tally(trial->flags, false));
    }
    return sum;
}

/* Since the last connection that was of any use to anybody, others than this service fail as well,
 * and at more than one place: with the names gone few try to connect at all, but those that do
 * would get through, were it only the resolver. */
static bool nothing_works(const struct weir_detector *detector, weir_service_id service) {
    const struct weir_judgement *judgement = &detector->judgement;
    int64_t since_us = detector->uplink_ok_us + 1;
    uint32_t place = WEIR_INDEX_NONE;
    if (detector->now_us - since_us <= WEIR_SLOT_US) return false;
    for (size_t i = 0; i < judgement->n; i++) {
        const struct weir_judged *trial = &judgement->trials[i];
        bool fails = trial->at_us >= since_us && (trial->flags & WEIR_ITEM_CONTROL) &&
                     (trial->flags & WEIR_ITEM_FAIL) && trial->service != service;
        if (!fails) continue;
        if (place != WEIR_INDEX_NONE && place != trial->place) return true;
        place = trial->place;
    }
    return false;
}

/* Not one packet came from anywhere while clients went on sending to several services: more than
 * names are missing. Who is only heard in one direction was never heard. */
static bool is_cut_off(const struct weir_detector *detector) {
    unsigned asking = 0;
    for (size_t id = WEIR_SERVICE_FIRST; id < detector->n_services; id++)
        asking += detector->asking[id / 64] >> (id % 64) & 1;
    return detector->heard_us && detector->now_us - detector->heard_us >= CUT_OFF_US && asking >= 2;
}

static bool is_congested(const struct weir_detector *detector, const struct weir_scope *scope) {
    return scope->layer == WEIR_LAYER_SERVE && detector->congested_us >= scope->since_us &&
           detector->now_us - detector->congested_us <= 2 * WEIR_SLOT_US;
}

static bool uplink_is_proven(const struct weir_detector *detector, const struct weir_scope *scope) {
    return weir_uplink_is_raised(detector) || is_congested(detector, scope) ||
           (!scope->slow && (is_cut_off(detector) || nothing_works(detector, scope->service)));
}

/* Its story leads; it must also be one of now, and of more than one client where there are more. */
static bool uplink_may_be_told(const struct weir_detector *detector, weir_service_id service) {
    return !weir_rest_is_fine(controls_now(detector, service)) &&
           (clients_failing_elsewhere(&detector->judgement) >= 2 || detector->n_active <= 1);
}

/* The incident is the uplink's: published are the trials of everything. */
static void be_uplink(struct weir_detector *detector, const struct weir_scope *scope,
                      struct weir_verdict *verdict) {
    struct weir_incident *record = &verdict->record;
    struct weir_pick pick = {.any_service = true,
                             .any_layer = true,
                             .need = WEIR_ITEM_CONTROL,
                             .since_us = scope->since_us,
                             .slow = scope->slow};
    /* starved requests are no controls, and are what there is to tell */
    if (is_congested(detector, scope)) {
        pick.any_layer = false;
        pick.layer = WEIR_LAYER_SERVE;
        pick.need = WEIR_ITEM_SCORED;
    }
    record->cause = WEIR_CAUSE_UPLINK;
    record->service = WEIR_SERVICE_NONE;
    record->pooled = true;
    record->viewers = record->viewers_stalled = 0;
    struct weir_pick folded = pick;
    folded.need = WEIR_ITEM_UPLINK;
    if (weir_judgement_sum(&detector->judgement, &folded).fail >
        weir_judgement_sum(&detector->judgement, &pick).fail)
        pick = folded; /* lookups failed, too */
    weir_judgement_forget_sums(&detector->judgement);
    weir_judge_own(detector, &pick, record);
    struct weir_tally recent = weir_judge_severity(detector, &pick, record);
    weir_judgement_forget_sums(&detector->judgement);
    weir_judge_controls(detector, WEIR_SERVICE_NONE, scope->since_us, scope->slow, record);
    /* There is nothing beside the uplink: what is listed is what it hit. */
    record->controls.fail = record->controls.total = 0;
    bool congestion = record->trials.fail * 2 <= record->trials.total &&
                      detector->congested_us >= scope->since_us;
    record->state = congestion ? WEIR_STATE_DEGRADED : severity(record, recent, scope->slow);
    record->confidence = confidence(record);
}

/* ---- one client ---- */

/* The incident is the client's: the controls are the other clients of the same service. */
static void be_client(struct weir_detector *detector, const struct weir_scope *scope,
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
    record->state = severity(record, recent, scope->slow);
    record->confidence = confidence(record);
    verdict->open = detector->now_us - scope->since_us < detector->config.client_us;
}

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
        pick->place = place->number + 1;
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
    }
    record->state = severity(record, weir_judge_severity(detector, &pick, record), scope->slow);
    if (record->state == WEIR_STATE_DEGRADED && nothing_gets_through(detector, scope, place))
        record->state = WEIR_STATE_PARTIAL;
    /* A service that works from its other places is not down. */
    if (record->state == WEIR_STATE_DOWN && rest.total - rest.fail >= 3)
        record->state = WEIR_STATE_PARTIAL;
}

/* ---- parts ---- */

static bool is_fine(struct weir_tally tally) {
    return tally.total - tally.fail >= PART_TRIALS && weir_rest_is_fine(tally);
}

static bool is_failing(struct weir_tally tally) {
    return tally.fail >= PART_TRIALS && weir_mostly_fails(tally);
}

/* Which part fails: media, control and the rest against each other since the onset, in all layers
 * above lookups. */
static enum weir_part part_of(const struct weir_judgement *judgement,
                              const struct weir_scope *scope) {
    struct weir_tally role[3] = {{0}};
    for (size_t i = 0; i < judgement->n; i++) {
        const struct weir_judged *trial = &judgement->trials[i];
        if (trial->service == scope->service && trial->at_us >= scope->since_us &&
            trial->layer < WEIR_LAYER_N && trial->layer != WEIR_LAYER_DNS &&
            (trial->flags & WEIR_ITEM_SCORED))
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

static void be_service(struct weir_detector *detector, const struct weir_scope *scope,
                       enum weir_cause cause, struct weir_verdict *verdict) {
    struct weir_incident *record = &verdict->record;
    struct weir_pick pick = weir_own_pick(scope);
    struct weir_tally recent = weir_judge_severity(detector, &pick, record);
    record->state = severity(record, recent, scope->slow);
    if (cause == WEIR_CAUSE_QUIC_BLOCKED)
        record->state = WEIR_STATE_DEGRADED;
    else if (scope->layer == WEIR_STREAM_ENDS && record->state == WEIR_STATE_DOWN)
        /* data did flow before the resets, and new connections open */
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

/* Starved or slow while the loss and the delay are on the client's side: its WiFi. */
static bool network_of_clients(const struct weir_detector *detector, weir_service_id service) {
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

static void tell_wide(struct weir_detector *detector, const struct weir_scope *scope,
                      const struct weir_blame *blame, enum weir_hypothesis told,
                      struct weir_verdict *verdict) {
    struct weir_incident *record = &verdict->record;
    enum weir_cause cause = weir_hypothesis_cause(told);
    weir_blame_tell(blame, told, record);
    record->cause = (uint8_t)cause;
    switch (told) {
    case WEIR_BY_UPLINK: be_uplink(detector, scope, verdict); return;
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
    record->confidence = confidence(record);
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

/* The sums of the judgement, and the record's numbers that don't depend on the cause. */
static void gather(struct weir_detector *detector, const struct weir_scope *scope,
                   struct weir_verdict *verdict) {
    struct weir_pick pick = weir_own_pick(scope);
    weir_judgement_begin(detector, earliest(detector, scope));
    weir_judge_own(detector, &pick, &verdict->record);
    /* Controls count from when the first failing attempt began: what was useful while it hung
     * speaks as well. */
    weir_judge_controls(detector, scope->service, scope->began_us, scope->slow, &verdict->record);
    if (!scope->pooled)
        weir_judge_peers(detector, scope->service, scope->layer, scope->began_us, scope->slow);
    if (detector->h_level == 0 ||
        scope->layer == WEIR_LAYER_DNS) /* where clients are many, so are witnesses */
        weir_judge_lookups(detector, scope);
    weir_judge_neighbours(detector, scope->service, scope->began_us, scope->slow);
    weir_judge_severity(detector, &pick, &verdict->record);
}

void weir_verdict_service(struct weir_detector *detector, const struct weir_scope *scope,
                          struct weir_verdict *ret_verdict) {
    struct weir_verdict *verdict = ret_verdict;
    struct weir_incident *record = &verdict->record;
    begin(detector, scope, verdict);
    gather(detector, scope, verdict);
    if (scope->slow && record->n_clients < 2 && record->n_prefixes < 2) {
        verdict->open = true;
        return;
    }
    struct weir_blame blame = weir_blame_service(detector, scope);
    if (is_starvation(record) && weir_queue_is_shared(detector, scope->service))
        detector->congested_us = detector->now_us; /* also where not all who ask are starved yet */
    if (scope->layer == WEIR_LAYER_DNS && !lookups_alone_fail(detector, scope)) {
        blame.score[WEIR_BY_SERVICE] = blame.score[WEIR_BY_NAMES];
        blame.score[WEIR_BY_NAMES] = blame.score[WEIR_BY_RESOLVER] = -HUGE_VAL;
    }
    enum weir_hypothesis wide = weir_blame_best(&blame, true),
                         narrow = weir_blame_best(&blame, false);
    if (uplink_is_proven(detector, scope)) {
        blame.score[WEIR_BY_UPLINK] = fmax(blame.score[wide], blame.score[narrow]) + settled;
        wide = WEIR_BY_UPLINK;
    } else if (wide == WEIR_BY_UPLINK && !uplink_may_be_told(detector, scope->service)) {
        verdict->open = true;
        return;
    }
    uint32_t client = narrow == WEIR_BY_CLIENT ? blame.client
                      : narrow == WEIR_BY_HERE ? blame.here
                                               : WEIR_INDEX_NONE;
    if (client != WEIR_INDEX_NONE &&
        detector->judgement.by_client[client].own.fail * 2 >= record->trials.fail &&
        blame.score[narrow] - blame.score[wide] >= weir_lead(detector)) {
        struct weir_pick pick = weir_own_pick(scope);
        weir_blame_tell(&blame, narrow, record);
        be_client(detector, scope, &pick, client, verdict);
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
    if (wide != WEIR_BY_UPLINK && record->state == WEIR_STATE_DEGRADED && is_starvation(record) &&
        top != WEIR_INDEX_NONE && rest.fail == 0 && network_of_clients(detector, scope->service)) {
        struct weir_pick pick = weir_own_pick(scope);
        be_client(detector, scope, &pick, top, verdict);
    }
}

/* ---- the uplink's own alarm ---- */

void weir_verdict_uplink(struct weir_detector *detector, const struct weir_scope *scope,
                         struct weir_verdict *ret_verdict) {
    struct weir_verdict *verdict = ret_verdict;
    begin(detector, scope, verdict);
    struct weir_pick pick = {.any_service = true,
                             .any_layer = true,
                             .need = WEIR_ITEM_UPLINK,
                             .since_us = scope->since_us,
                             .slow = scope->slow};
    weir_judgement_begin(detector, earliest(detector, scope));
    struct weir_tally all = weir_judge_own(detector, &pick, &verdict->record);
    struct weir_blame blame = weir_blame_uplink(detector, scope);
    struct weir_tally rest;
    uint32_t top =
        weir_sums_top(detector->judgement.by_client, detector->judgement.clients.n, &rest);
    struct weir_pick lookups = pick;
    lookups.any_layer = false;
    lookups.layer = WEIR_LAYER_DNS;
    struct weir_tally names = weir_judgement_sum(&detector->judgement, &lookups);
    double each = fmax(blame.score[WEIR_BY_SERVICE], blame.score[WEIR_BY_CDN]);
    if (verdict->record.n_clients >= 2) each = fmax(each, blame.score[WEIR_BY_CLIENTS]);
    /* Lookups alone are the resolver's: something else must fail, and twice. */
    if (top == WEIR_INDEX_NONE || all.fail - names.fail < 2 ||
        blame.score[WEIR_BY_UPLINK] - each < weir_lead(detector)) {
        verdict->open = true;
        return;
    }
    if (rest.total > 0 && weir_rest_is_fine(rest) &&
        weir_fisher(detector->judgement.by_client[top].own, rest) < detector->config.fisher_p) {
        be_client(detector, scope, &pick, top, verdict);
        return;
    }
    /* Two clients in bad WiFi at once get some trials through: it must be certain that most fail,
     * or be a third client's, too. */
    struct weir_pick every = pick;
    every.need = WEIR_ITEM_CONTROL;
    struct weir_tally other = weir_judgement_sum(&detector->judgement, &every);
    if (!scope->slow && verdict->record.n_clients < 3 &&
        ((all.fail < all.total && weir_wilson(all.fail, all.total).low <= 0.5) ||
         (other.fail < other.total && weir_wilson(other.fail, other.total).low <= 0.5))) {
        verdict->open = true;
        return;
    }
    /* One client alone, in a house that has others: they have not been asked yet. */
    const struct weir_track_state *state = weir_track_now(&detector->uplink, detector->generation);
    verdict->open =
        verdict->record.n_clients < 2 &&
        (detector->n_active > 1 || (detector->n_known > 1 && state->hard.s < 2 * detector->rule.h));
    if (verdict->open) return;
    if (verdict->record.n_clients < 2) /* nobody else was here to ask */
        blame.score[WEIR_BY_CLIENTS] =
            fmin(blame.score[WEIR_BY_CLIENTS], blame.score[WEIR_BY_UPLINK] - 1);
    weir_blame_tell(&blame, WEIR_BY_UPLINK, &verdict->record);
    be_uplink(detector, scope, verdict);
}

void weir_verdict_congestion(struct weir_detector *detector, const struct weir_scope *scope,
                             struct weir_verdict *ret_verdict) {
    begin(detector, scope, ret_verdict);
    weir_judgement_begin(detector, earliest(detector, scope));
    be_uplink(detector, scope, ret_verdict);
    ret_verdict->record.state = WEIR_STATE_DEGRADED;
}

/* ---- a resolver ---- */

void weir_verdict_resolver(struct weir_detector *detector, const struct weir_scope *scope,
                           struct weir_verdict *ret_verdict) {
    struct weir_verdict *verdict = ret_verdict;
    struct weir_incident *record = &verdict->record;
    struct weir_addr resolver = *scope->prefix;
    begin(detector, scope, verdict);
    weir_judgement_begin(detector, earliest(detector, scope));
    uint32_t place = weir_judgement_place(detector, &resolver);
    struct weir_pick pick = {.any_service = true,
                             .layer = WEIR_LAYER_DNS,
                             .need = WEIR_ITEM_SCORED,
                             .place = place == WEIR_INDEX_NONE ? 0 : place + 1,
                             .since_us = scope->since_us};
    weir_judge_own(detector, &pick, record);
    struct weir_tally controls =
        weir_judge_controls(detector, WEIR_SERVICE_NONE, scope->began_us, false, record);
    struct weir_blame blame = weir_blame_resolver(detector);
    bool mostly = controls.total >= 3 && weir_mostly_fails(controls) &&
                  uplink_may_be_told(detector, WEIR_SERVICE_NONE);
    if (uplink_is_proven(detector, scope) || mostly) {
        blame.score[WEIR_BY_UPLINK] = blame.score[WEIR_BY_RESOLVER] + settled;
        weir_blame_tell(&blame, WEIR_BY_UPLINK, record);
        be_uplink(detector, scope, verdict);
        return;
    }
    /* Connections to addresses that are known already must work, or not be tried: an uplink that
     * loses a third takes lookups, too. */
    if (place == WEIR_INDEX_NONE || !weir_rest_is_fine(controls)) {
        verdict->open = true;
        return;
    }
    struct weir_tally rest;
    uint32_t top =
        weir_sums_top(detector->judgement.by_client, detector->judgement.clients.n, &rest);
    if (top != WEIR_INDEX_NONE && rest.total > 0 && weir_rest_is_fine(rest) &&
        weir_fisher(detector->judgement.by_client[top].own, rest) < detector->config.fisher_p) {
        be_client(detector, scope, &pick, top, verdict);
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
    weir_blame_tell(&blame, WEIR_BY_RESOLVER, record);
    record->cause = WEIR_CAUSE_DNS_RESOLVER;
    record->service = WEIR_SERVICE_NONE;
    record->layer = WEIR_LAYER_DNS;
    record->viewers = record->viewers_stalled = 0;
    record->n_prefixes = 1;
    record->prefixes[0] = verdict->subject = resolver;
    record->state = severity(record, weir_judge_severity(detector, &pick, record), false);
    record->confidence = confidence(record);
}

/* ---- what no failing trial shows ---- */

/* The service is accused by other evidence than failing trials. */
static struct weir_incident *begin_without_failures(struct weir_detector *detector,
                                                    const struct weir_scope *scope,
                                                    enum weir_state state,
                                                    struct weir_verdict *verdict) {
    struct weir_incident *record = &verdict->record;
    struct weir_pick pick = weir_own_pick(scope);
    begin(detector, scope, verdict);
    weir_judgement_begin(detector, earliest(detector, scope));
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
    ret_verdict->open = network_of_clients(detector, scope->service);
}

void weir_verdict_silence(struct weir_detector *detector, const struct weir_scope *scope,
                          struct weir_verdict *ret_verdict) {
    struct weir_incident *record =
        begin_without_failures(detector, scope, WEIR_STATE_DOWN, ret_verdict);
    record->silence = detector->services[scope->service].silence->found;
    ret_verdict->open = weir_uplink_is_raised(detector);
}
