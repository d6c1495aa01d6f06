/* The way out as a whole: what proves it, its own alarm, and congestion.
 *
 * Some evidence of the uplink is no trial: not one packet comes from anywhere, the queue on the way
 * out is full, several services starve at once, its own watch has raised. It settles the question
 * by itself.
 */
#include <math.h>

#include "detect/beside.h"
#include "detect/blame.h"
#include "detect/told.h"

/* several services starve together: a share of one place is what else it may be. A guess: no run
 * measured it. */
static const double of_congestion = 0.9;

#define RECENT_US  INT64_C(60000000)
#define CUT_OFF_US INT64_C(5000000)

bool weir_uplink_is_raised(const struct weir_detector *detector) {
    return detector->uplink_case.open && !detector->uplink_disproven &&
           weir_track_now(&detector->uplink, detector->generation)->hard_alarm;
}

/* Requests of an outage's time go on waiting after it, and all players fill their buffers at once:
 * that says neither that it lasts, nor that it was mild. */
bool weir_uplink_is_out(const struct weir_detector *detector) {
    const struct weir_case *incident = &detector->uplink_case;
    return incident->open && incident->record.state != WEIR_STATE_DEGRADED;
}

static unsigned clients_failing_elsewhere(const struct weir_judgement *judgement) {
    unsigned n = 0;
    for (size_t i = 0; i < judgement->clients.n; i++)
        n += judgement->by_client[i].other.fail > judgement->by_client[i].other_answers;
    return n;
}

/* What it says of the way there: an answer, of whatever kind, came by it. */
static struct weir_tally of_way(const struct weir_judged *trial) {
    struct weir_tally one = weir_item_tally(trial->flags, false);
    if (weir_is_answer(trial->kind)) one.fail = 0;
    return one;
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
            weir_tally_add(&sum, of_way(trial));
    }
    return sum;
}

static bool was_sick(const struct weir_detector *detector, uint8_t service, int64_t at_us) {
    const struct weir_case *incident = &detector->services[service].incident;
    return incident->open && incident->record.onset_us < at_us;
}

static bool long_useless(const struct weir_detector *detector) {
    return detector->now_us - (detector->uplink_ok_us + 1) > WEIR_SLOT_US;
}

/* Since the last connection that was of any use to anybody, others than this service fail as well,
 * and at more than one place: with the names gone few try to connect at all, but those that do
 * would get through, were it only the resolver. A dead service beside a client in bad WiFi looks
 * the same: so a service that was sick while others worked is no witness, and where several clients
 * are active not all of it may be one client's. */
static bool nothing_works(const struct weir_detector *detector, weir_service_id service) {
    const struct weir_judgement *judgement = &detector->judgement;
    int64_t since_us = detector->uplink_ok_us + 1;
    uint32_t place = WEIR_INDEX_NONE, client = WEIR_INDEX_NONE;
    bool places = false, clients = detector->n_active <= 1;
    if (!long_useless(detector)) return false;
    for (size_t i = 0; i < judgement->n; i++) {
        const struct weir_judged *trial = &judgement->trials[i];
        bool fails = trial->at_us >= since_us && (trial->flags & WEIR_ITEM_CONTROL) &&
                     (trial->flags & WEIR_ITEM_FAIL) && trial->service != service &&
                     !weir_is_answer(trial->kind);
        if (!fails || was_sick(detector, trial->service, since_us)) continue;
        places |= place != WEIR_INDEX_NONE && place != trial->place;
        clients |= client != WEIR_INDEX_NONE && client != trial->client;
        place = trial->place;
        client = trial->client;
    }
    return places && clients;
}

/* Not one packet came from anywhere while clients went on asking several services: more than
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

/* Others began to starve with this service, and not more of them were served since: whether it is
 * alone in this is known when the rest has asked, two slots later at most. */
bool weir_uplink_may_starve(const struct weir_detector *detector, const struct weir_scope *scope) {
    enum { STARVES = 1, SERVED = 2 };
    const struct weir_judgement *judgement = &detector->judgement;
    uint8_t seen[WEIR_SERVICES_MAX] = {0};
    int starving = 0, served = 0;
    if (detector->now_us - scope->since_us > 2 * WEIR_SLOT_US) return false;
    for (size_t i = 0; i < judgement->n; i++) {
        const struct weir_judged *trial = &judgement->trials[i];
        if (trial->service == scope->service || trial->service < WEIR_SERVICE_FIRST ||
            trial->layer != WEIR_LAYER_SERVE)
            continue;
        bool fails = trial->flags & WEIR_ITEM_FAIL, ok = trial->flags & WEIR_ITEM_OK;
        if (fails && !ok && trial->kind == WEIR_OUTCOME_STARVED && trial->at_us >= scope->since_us)
            seen[trial->service] |= STARVES;
        else if (ok && !fails && weir_judged_last_us(trial) >= scope->since_us + WEIR_BEFORE_US)
            seen[trial->service] |= SERVED;
    }
    for (size_t id = 0; id < WEIR_SERVICES_MAX; id++) {
        starving += seen[id] == STARVES;
        served += seen[id] == SERVED;
    }
    return starving > 0 && starving >= served;
}

bool weir_uplink_holds(const struct weir_detector *detector, const struct weir_scope *scope) {
    return weir_uplink_is_out(detector) && is_congested(detector, scope);
}

bool weir_uplink_may_be_seen(const struct weir_detector *detector, const struct weir_scope *scope) {
    return is_congested(detector, scope) ||
           (!scope->slow && (is_cut_off(detector) || long_useless(detector)));
}

bool weir_uplink_is_seen(const struct weir_detector *detector, const struct weir_scope *scope) {
    return is_congested(detector, scope) ||
           (!scope->slow && (is_cut_off(detector) || nothing_works(detector, scope->service)));
}

/* What else is in use was not tried as yet, or is not decided. */
static bool is_young(const struct weir_detector *detector, const struct weir_scope *scope) {
    return detector->now_us - scope->since_us <= 2 * WEIR_SLOT_US;
}

/* What is known of the services in use. */
struct in_use {
    bool before, fails; /* served in the minute before the onset; fails since */
    /* since the onset: its first failing attempt began; it was useful, for the last time */
    int64_t began_us, useful_us;
};

static void take_in_use(struct in_use *of, const struct weir_past *item, int64_t since_us) {
    bool fails = item->flags & WEIR_ITEM_FAIL;
    if (item->flags & WEIR_ITEM_OK && item->flags & WEIR_ITEM_CONTROL) {
        int64_t last_us = item->at_us + INT64_C(1000) * item->useful_ms;
        if (last_us > of->useful_us) of->useful_us = last_us;
        of->before |= !fails && item->at_us < since_us;
    }
    if (item->at_us < since_us || !fails || weir_is_answer(item->kind)) return;
    int64_t began_us = weir_past_us(item, item->began_ms);
    if (!of->fails || began_us < of->began_us) of->began_us = began_us;
    of->fails = true;
}

/* With the uplink everything fails that was in use. Two services that fail are two services while
 * most of the others were only not tried yet. So they are while another one goes on, served after
 * each of them had begun to fail: that way out is not down, and whether it loses a part of
 * everything the next trials show. */
bool weir_uplink_is_early(const struct weir_detector *detector, const struct weir_scope *scope) {
    struct in_use services[WEIR_SERVICES_MAX] = {{0}};
    unsigned served = 0, failing = 0, sick = 0, went_on = 0;
    int64_t all_began_us = scope->began_us;
    bool overrun;
    if (scope->slow || !is_young(detector, scope)) return false;
    for (uint64_t at =
             weir_history_since(&detector->history, scope->since_us - RECENT_US, &overrun);
         at < detector->history.n; at++) {
        const struct weir_past *item = weir_history_at(&detector->history, at);
        take_in_use(&services[item->service], item, scope->since_us);
    }
    for (size_t id = WEIR_SERVICE_FIRST; id < WEIR_SERVICES_MAX; id++) {
        served += services[id].before;
        failing += services[id].before && services[id].fails;
        sick += services[id].fails;
        if (services[id].fails && services[id].began_us > all_began_us)
            all_began_us = services[id].began_us;
    }
    for (size_t id = WEIR_SERVICE_FIRST; id < WEIR_SERVICES_MAX; id++)
        went_on += !services[id].fails && services[id].useful_us >= all_began_us + WEIR_BEFORE_US;
    return 2 * failing < served || (went_on > 0 && sick <= 2 * went_on);
}

/* Three services or more fail in shares that are not far apart. At a large site the small
 * differences between these would prove that each fails by itself, were it asked. */
static bool all_fail_alike(const struct weir_judgement *judgement) {
    enum { SEEN_MIN = 10, SERVICES_MIN = 3 };
    struct weir_tally services[WEIR_SERVICES_MAX] = {{0}}, all = {0};
    unsigned n = 0;
    for (size_t i = 0; i < judgement->n; i++) {
        const struct weir_judged *trial = &judgement->trials[i];
        struct weir_tally one = weir_item_tally(trial->flags, false);
        if (!(trial->flags & WEIR_JUDGED_OWN) || trial->layer == WEIR_LAYER_DNS) continue;
        weir_tally_add(&services[trial->service], one);
        weir_tally_add(&all, one);
    }
    for (size_t id = 0; id < WEIR_SERVICES_MAX; id++) {
        if (services[id].total < SEEN_MIN) continue;
        if (2.0 * services[id].fail * all.total < (double)all.fail * services[id].total)
            return false;
        n++;
    }
    return n >= SERVICES_MIN;
}

/* What speaks for services, or places, that fail each by itself. */
static double score_of_each(const struct weir_detector *detector, const struct weir_blame *blame) {
    return all_fail_alike(&detector->judgement)
               ? blame->score[WEIR_BY_CDN]
               : fmax(blame->score[WEIR_BY_SERVICE], blame->score[WEIR_BY_CDN]);
}

/* A way out that fails in part drops some of everything. Where more services are well than fail,
 * and were tried again, those that fail do so by themselves; so do sites that nobody here knows by
 * name, where no service fails and more places are well than not. One trial tells nothing of this;
 * the next ones would come out otherwise as often as not. */
static bool most_are_well(struct weir_detector *detector, const struct weir_scope *scope) {
    enum { AGAIN_MIN = 5 };
    const struct weir_judgement *judgement = &detector->judgement;
    struct weir_incident record = {0}; /* told of nobody */
    size_t sick = 0, well = 0, again = 0;
    weir_judge_controls(detector, WEIR_SERVICE_NONE, scope->since_us, scope->slow, &record);
    for (size_t id = WEIR_SERVICE_FIRST; id < WEIR_SERVICES_MAX; id++) {
        struct weir_tally all = judgement->by_service[id];
        sick += all.fail > 0;
        well += all.fail == 0 && all.total >= 2;
    }
    if (sick > 0) return well > sick;
    well = 0;
    for (size_t i = 0; i < judgement->places.n; i++) {
        struct weir_tally near = judgement->by_place[i].near;
        if (near.total == 0) continue;
        sick += near.fail > 0;
        well += near.fail == 0;
        again += near.total - 1;
    }
    return well > sick && again >= AGAIN_MIN;
}

/* Its story leads; it must also be one of now, and of more than one client where there are more. */
bool weir_uplink_may_be_told(const struct weir_detector *detector, weir_service_id service) {
    return !weir_rest_is_fine(controls_now(detector, service)) &&
           (clients_failing_elsewhere(&detector->judgement) >= 2 || detector->n_active <= 1);
}

/* The incident is the uplink's: published are the trials of everything. */
void weir_told_uplink(struct weir_detector *detector, const struct weir_scope *scope,
                      struct weir_verdict *verdict) {
    struct weir_incident *record = &verdict->record;
    struct weir_pick pick = {.any_service = true,
                             .any_layer = true,
                             .need = WEIR_ITEM_CONTROL,
                             .since_us = scope->since_us,
                             .useful_us = weir_useful_since(scope),
                             .slow = scope->slow};
    /* starved requests are no controls, and are what there is to tell */
    if (is_congested(detector, scope)) {
        pick.any_layer = false;
        pick.layer = WEIR_LAYER_SERVE;
        pick.need = WEIR_ITEM_SCORED;
        verdict->open |= weir_uplink_is_out(detector);
    }
    if (!scope->slow)
        weir_leave_out_recovery(detector, &pick, WEIR_ITEM_CONTROL | WEIR_ITEM_UPLINK);
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
    weir_judge_controls(detector, WEIR_SERVICE_NONE, weir_useful_since(scope), scope->slow, record);
    /* There is nothing beside the uplink: what is listed is what it hit. */
    record->controls.fail = record->controls.total = 0;
    bool congestion = record->trials.fail * 2 <= record->trials.total &&
                      detector->congested_us >= scope->since_us;
    record->state = congestion ? WEIR_STATE_DEGRADED : weir_severity(record, recent, scope->slow);
    if (record->state == WEIR_STATE_DEGRADED && weir_way_out_loses(detector))
        record->link = weir_losses_last(detector);
    record->confidence = weir_confidence_of(record);
}

/* ---- the uplink's own alarm ---- */

static bool several_clients_fail(const struct weir_judgement *judgement, int64_t since_us) {
    uint32_t first = WEIR_INDEX_NONE;
    for (size_t i = 0; i < judgement->n; i++) {
        const struct weir_judged *trial = &judgement->trials[i];
        if (trial->at_us < since_us || !(trial->flags & WEIR_ITEM_UPLINK) ||
            !weir_item_tally(trial->flags, false).fail)
            continue;
        if (first != WEIR_INDEX_NONE && first != trial->client) return true;
        first = trial->client;
    }
    return false;
}

/* Where requests fail with all the rest, all requests speak, and those that are served as well:
 * bytes that came after the first failing attempt had begun came by this way. Of one client alone
 * it is asked whether the others are well, and not what its link carries. */
static void take_requests(const struct weir_detector *detector, const struct weir_scope *scope) {
    const struct weir_judgement *judgement = &detector->judgement;
    if (!several_clients_fail(judgement, scope->since_us)) return;
    for (size_t i = 0; i < judgement->n; i++) {
        struct weir_judged *trial = &judgement->trials[i];
        if (trial->layer != WEIR_LAYER_SERVE || !(trial->flags & WEIR_ITEM_CONTROL)) continue;
        bool fails = weir_item_tally(trial->flags, false).fail;
        if (fails ? trial->at_us >= scope->since_us
                  : weir_judged_last_us(trial) >= weir_useful_since(scope))
            trial->flags |= WEIR_ITEM_UPLINK;
    }
}

/* The other version of IP has a way of its own, which works: it says nothing of this one. */
static struct weir_tally ask_one_version(struct weir_detector *detector,
                                         const struct weir_pick *pick,
                                         struct weir_incident *record) {
    struct weir_judgement *judgement = &detector->judgement;
    uint8_t only = record->only_family;
    for (size_t i = 0; i < judgement->n; i++) {
        struct weir_judged *trial = &judgement->trials[i];
        bool v4 = weir_addr_is_v4(&judgement->places.addrs[trial->place]);
        if (trial->layer != WEIR_LAYER_DNS && v4 != (only == 4))
            trial->flags &= (uint8_t) ~(WEIR_ITEM_UPLINK | WEIR_JUDGED_OWN);
    }
    weir_judgement_forget_sums(judgement);
    struct weir_tally all = weir_judge_own(detector, pick, record);
    record->only_family = only;
    return all;
}

/* Of the services that are tried over this version of IP more are well than fail. */
static bool version_is_well(const struct weir_judgement *judgement) {
    struct weir_tally services[WEIR_SERVICES_MAX] = {{0}};
    unsigned sick = 0, well = 0;
    for (size_t i = 0; i < judgement->n; i++) {
        const struct weir_judged *trial = &judgement->trials[i];
        if (trial->flags & WEIR_JUDGED_OWN && trial->layer != WEIR_LAYER_DNS)
            weir_tally_add(&services[trial->service], weir_item_tally(trial->flags, false));
    }
    for (size_t id = 0; id < WEIR_SERVICES_MAX; id++) {
        sick += services[id].fail > 0;
        well += services[id].fail == 0 && services[id].total > 0;
    }
    return well > sick;
}

void weir_verdict_uplink(struct weir_detector *detector, const struct weir_scope *scope,
                         struct weir_verdict *ret_verdict) {
    struct weir_verdict *verdict = ret_verdict;
    weir_told_begin(detector, scope, verdict);
    struct weir_pick pick = {.any_service = true,
                             .any_layer = true,
                             .need = WEIR_ITEM_UPLINK,
                             .since_us = scope->since_us,
                             .useful_us = weir_useful_since(scope),
                             .slow = scope->slow};
    weir_judgement_begin(detector, weir_told_earliest(detector, scope));
    weir_set_aside(detector, WEIR_SERVICE_NONE);
    take_requests(detector, scope);
    struct weir_tally all = weir_judge_own(detector, &pick, &verdict->record);
    bool one_version = verdict->record.only_family != 0;
    if (one_version) all = ask_one_version(detector, &pick, &verdict->record);
    struct weir_blame blame = weir_blame_uplink(detector, scope);
    struct weir_tally rest;
    uint32_t top =
        weir_sums_top(detector->judgement.by_client, detector->judgement.clients.n, &rest);
    struct weir_pick lookups = pick;
    lookups.any_layer = false;
    lookups.layer = WEIR_LAYER_DNS;
    struct weir_tally names = weir_judgement_sum(&detector->judgement, &lookups);
    double wide = score_of_each(detector, &blame),
           narrow = verdict->record.n_clients >= 2 ? blame.score[WEIR_BY_CLIENTS] : -HUGE_VAL,
           lead = weir_lead(detector);
    /* Lookups alone are the resolver's: something else must fail, and twice. Several services that
     * fail by themselves are told from the uplink by what else is tried; where nothing else is
     * tried for two slots, the likelier one is told, with the other beside it. */
    if (top == WEIR_INDEX_NONE || all.fail - names.fail < 2 ||
        blame.score[WEIR_BY_UPLINK] - wide < (is_young(detector, scope) ? lead : 0) ||
        blame.score[WEIR_BY_UPLINK] - narrow < lead ||
        (one_version ? version_is_well(&detector->judgement)
                     : weir_uplink_is_early(detector, scope) || most_are_well(detector, scope))) {
        verdict->open = true;
        return;
    }
    if (rest.total > 0 && weir_rest_is_fine(rest) &&
        weir_fisher(detector->judgement.by_client[top].own, rest) < detector->config.fisher_p) {
        weir_told_client(detector, scope, &pick, top, verdict);
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
    weir_blame_tell(detector, &blame, WEIR_BY_UPLINK, &verdict->record);
    weir_told_uplink(detector, scope, verdict);
}

/* Until its last failure: what is useful afterwards says that it is over. */
bool weir_uplink_is_disproven(struct weir_detector *detector) {
    const struct weir_track_state *state = weir_track_now(&detector->uplink, detector->generation);
    struct weir_scope scope = {.layer = WEIR_LAYER_CONNECT,
                               .since_us = detector->uplink_case.record.onset_us,
                               .until_us = state->last_fail_us};
    struct weir_pick pick = {.any_service = true,
                             .any_layer = true,
                             .need = WEIR_ITEM_UPLINK,
                             .since_us = scope.since_us,
                             .until_us = scope.until_us};
    struct weir_incident record = {0}; /* told of nobody */
    if (!weir_uplink_is_out(detector)) return false;
    weir_judgement_begin(detector, weir_told_earliest(detector, &scope));
    weir_judge_own(detector, &pick, &record);
    struct weir_blame blame = weir_blame_uplink(detector, &scope);
    return score_of_each(detector, &blame) - blame.score[WEIR_BY_UPLINK] >= weir_lead(detector);
}

void weir_verdict_congestion(struct weir_detector *detector, const struct weir_scope *scope,
                             struct weir_verdict *ret_verdict) {
    weir_told_begin(detector, scope, ret_verdict);
    weir_judgement_begin(detector, weir_told_earliest(detector, scope));
    weir_told_uplink(detector, scope, ret_verdict);
    ret_verdict->record.state = WEIR_STATE_DEGRADED;
    ret_verdict->record.probability = of_congestion;
}

void weir_verdict_losses(struct weir_detector *detector, const struct weir_scope *scope,
                         struct weir_verdict *ret_verdict) {
    weir_verdict_congestion(detector, scope, ret_verdict);
    ret_verdict->record.link = weir_losses_last(detector);
}
