/* Whose fault is it? The ordered tests of METHODS 7, each over the trials since the onset and nothing before it.
 *
 *     capture -> uplink -> client -> dns -> cdn -> one path -> quic -> the service
 *
 * The order is that of how many innocents an error would accuse: a dead uplink makes every service look dead, so it is
 * asked first. A test that lacks the trials to answer says nothing, and the next is asked; where a wrong answer is
 * likely and a right one near (one client failing for a few seconds, a quiet house), the verdict is held.
 *
 * Multiple tests: at most one client, one prefix and its autonomous system are tested a judgement, the ones that fail most.
 */
#include <string.h>

#include "detect/contest.h"

#define RECENT_US  INT64_C(60000000)
#define CUT_OFF_US INT64_C(5000000)
#define WITNESS_US INT64_C(5000000)
#define ELSEWHERE_US INT64_C(10000000)

bool weir_uplink_is_raised(const struct weir_detector *detector)
{
    return detector->uplink_case.open && weir_track_now(&detector->uplink, detector->generation)->hard_alarm;
}

/* ---- severity and confidence ---- */

static bool is_starvation(const struct weir_incident *record)
{
    return record->kinds[WEIR_OUTCOME_STARVED] * 2 > record->trials.fail;
}

static enum weir_state severity(const struct weir_incident *record, struct weir_tally recent, bool slow)
{
    if (is_starvation(record))
        return WEIR_STATE_DEGRADED;
    if (slow || recent.total == 0)
        return WEIR_STATE_PARTIAL;
    if (recent.fail == recent.total || (recent.total >= 16 && weir_wilson(recent.fail, recent.total).low > 0.8))
        return WEIR_STATE_DOWN;
    return WEIR_STATE_PARTIAL;
}

static enum weir_confidence confidence(const struct weir_incident *record)
{
    if (record->n_alternatives > 0 ||
        (record->n_clients_seen <= 1 && record->cause != WEIR_CAUSE_CLIENT))
        return WEIR_CONFIDENCE_LOW;
    if (record->state == WEIR_STATE_DOWN && record->trials.total < 16)
        return WEIR_CONFIDENCE_LOW;
    if (record->controls.total < 3 && record->cause != WEIR_CAUSE_UPLINK)
        return WEIR_CONFIDENCE_LOW;
    bool many = record->trials.total >= 16 && (record->n_clients >= 2 || record->cause == WEIR_CAUSE_CLIENT);
    return many && (record->controls.total >= 10 || record->cause == WEIR_CAUSE_UPLINK) ? WEIR_CONFIDENCE_HIGH :
                                                                                          WEIR_CONFIDENCE_MEDIUM;
}

static void begin(const struct weir_detector *detector, const struct weir_scope *scope, struct weir_verdict *verdict)
{
    *verdict = (struct weir_verdict){.record = {
                                         .service = scope->service,
                                         .ts_us = detector->now_us,
                                         .onset_us = scope->began_us,
                                         .pooled = scope->joint,
                                         .layer = scope->layer < WEIR_LAYER_N      ? scope->layer :
                                                  scope->layer == WEIR_STREAM_ENDS ? WEIR_LAYER_SERVE :
                                                                                     WEIR_LAYER_QUIC,
                                     }};
}

struct weir_pick weir_own_pick(const struct weir_scope *scope)
{
    return (struct weir_pick){.service = scope->service,
                              .layer = scope->layer,
                              .joint = scope->joint,
                              .need = WEIR_ITEM_SCORED,
                              .since_us = scope->since_us,
                              .until_us = scope->until_us,
                              .slow = scope->slow};
}

/* ---- test 1: the uplink ---- */

static unsigned clients_with_controls(const struct weir_detector *detector, bool failing)
{
    unsigned n = 0;
    for (size_t i = 0; i < detector->by_client.n; i++) {
        struct weir_tally other = detector->by_client.order[i]->other;
        n += failing ? other.fail > 0 : other.total > 0;
    }
    return n;
}

/* The controls of the last minute: what failed only earlier since the onset is over. */
static struct weir_tally controls_now(const struct weir_detector *detector, weir_service_id service)
{
    struct weir_pick all = {
        .any_service = true, .any_layer = true, .need = WEIR_ITEM_CONTROL, .since_us = detector->now_us - RECENT_US};
    struct weir_pick own = all;
    own.any_service = false;
    own.service = service;
    return weir_tally_minus(weir_tally_sum(detector, &all), weir_tally_sum(detector, &own));
}

/* Everything fails in part: its story leads, several clients and services have failing controls. */
static bool uplink_leads(const struct weir_detector *detector, const struct weir_contest *contest,
                         weir_service_id service, const struct weir_incident *record)
{
    unsigned failing = 0;
    for (unsigned i = 0; i < record->controls.n; i++)
        failing += record->controls.by_service[i].fail > 0;
    return failing >= 2 && clients_with_controls(detector, true) >= 2 && !weir_rest_is_fine(controls_now(detector, service)) &&
           weir_contest_lead(contest, WEIR_STORY_UPLINK, ~0u) >= weir_lead(detector);
}

/* Since the last connection that was of any use to anybody, others than this service fail as well, and of more than one place:
 * with the names gone few try to connect at all, but those that do would get through, were it only the resolver. */
static bool nothing_works(const struct weir_detector *detector, weir_service_id service)
{
    int64_t since_us = detector->uplink_ok_us + 1;
    const struct weir_addr *place = NULL;
    bool overrun;
    if (detector->now_us - since_us <= WEIR_SLOT_US)
        return false;
    for (uint64_t at = weir_history_since(&detector->history, since_us, &overrun); at < detector->history.n; at++) {
        const struct weir_item *item = weir_history_at(&detector->history, at);
        bool fails = item->at_us >= since_us && (item->flags & WEIR_ITEM_CONTROL) && (item->flags & WEIR_ITEM_FAIL) && item->service != service;
        if (!fails)
            continue;
        if (place && weir_addr_compare(place, &item->prefix) != 0)
            return true;
        place = &item->prefix;
    }
    return false;
}

/* Not one packet came from anywhere while clients went on sending to several services: more than names are missing. Who is only
 * heard in one direction was never heard. */
static bool is_cut_off(const struct weir_detector *detector)
{
    unsigned asking = 0;
    for (size_t id = WEIR_SERVICE_FIRST; id < detector->n_services; id++)
        asking += detector->asking[id / 64] >> (id % 64) & 1;
    return detector->heard_us && detector->now_us - detector->heard_us >= CUT_OFF_US && asking >= 2;
}

static bool uplink_explains(const struct weir_detector *detector, const struct weir_scope *scope,
                            const struct weir_contest *contest, const struct weir_incident *record, struct weir_tally own,
                            struct weir_tally controls, bool *ret_hold)
{
    *ret_hold = false;
    if (weir_uplink_is_raised(detector))
        return true;
    if (scope->layer == WEIR_LAYER_SERVE && detector->congested_us >= scope->since_us &&
        detector->now_us - detector->congested_us <= 2 * WEIR_SLOT_US)
        return true;
    if (!scope->slow && (is_cut_off(detector) || nothing_works(detector, scope->service)))
        return true;
    if (controls.total < 3 && clients_with_controls(detector, false) < 2)
        return false;
    if (scope->slow)
        return weir_wilson(controls.fail, controls.total).low > detector->config.p0 &&
               (double)controls.fail * own.total * 2 >= (double)own.fail * controls.total;
    if (!weir_mostly_fails(controls))
        return uplink_leads(detector, contest, scope->service, record);
    /* One client's failing network, or an outage that is over: neither is the uplink. */
    *ret_hold = !weir_mostly_fails(controls_now(detector, scope->service)) ||
                (clients_with_controls(detector, true) < 2 && detector->n_active > 1);
    return true;
}

/* The incident is the uplink's: published are the trials of everything. */
static void be_uplink(struct weir_detector *detector, const struct weir_scope *scope, struct weir_verdict *verdict)
{
    struct weir_incident *record = &verdict->record;
    struct weir_pick pick = {.any_service = true,
                             .any_layer = true,
                             .need = WEIR_ITEM_CONTROL,
                             .since_us = scope->since_us,
                             .slow = scope->slow};
    record->cause = WEIR_CAUSE_UPLINK;
    record->service = WEIR_SERVICE_NONE;
    record->pooled = true;
    struct weir_pick folded = pick;
    folded.need = WEIR_ITEM_UPLINK;
    if (weir_tally_sum(detector, &folded).fail > weir_tally_sum(detector, &pick).fail)
        pick = folded; /* lookups failed, too */
    weir_tally_own(detector, &pick, record);
    struct weir_tally recent = weir_tally_severity(detector, &pick, record);
    weir_tallies_begin(&detector->by_prefix);
    weir_tally_controls(detector, WEIR_SERVICE_NONE, scope->since_us, scope->slow, record);
    /* There is nothing beside the uplink: what is listed is what it hit. */
    record->controls.fail = record->controls.total = 0;
    bool congestion = record->trials.fail * 2 <= record->trials.total && detector->congested_us >= scope->since_us;
    record->state = congestion ? WEIR_STATE_DEGRADED : severity(record, recent, scope->slow);
    record->confidence = confidence(record);
}

/* ---- test 2: one client ---- */

/* The client's story leads: it is the client. Several clients' leads, or it is open: nobody is accused yet. */
static const struct weir_addr *client_explains(const struct weir_detector *detector, const struct weir_contest *contest,
                                               struct weir_tally controls, bool *ret_hold)
{
    const unsigned client = 1u << WEIR_STORY_CLIENT, clients = 1u << WEIR_STORY_CLIENTS,
                   uplink = controls.total ? 1u << WEIR_STORY_UPLINK : 0,
                   broken = 1u << WEIR_STORY_SERVICE | 1u << WEIR_STORY_PATH;
    enum weir_story best = contest->score[WEIR_STORY_PATH] > contest->score[WEIR_STORY_SERVICE] ? WEIR_STORY_PATH : WEIR_STORY_SERVICE;
    *ret_hold = weir_contest_lead(contest, best, client | clients | uplink) < weir_lead(detector);
    bool lone = contest->client && weir_contest_lead(contest, WEIR_STORY_CLIENT, broken | uplink) >= weir_lead(detector);
    bool here = contest->here && weir_contest_lead(contest, WEIR_STORY_HERE, broken | uplink) >= weir_lead(detector);
    return lone ? &contest->client->addr : here ? &contest->here->addr : NULL;
}

/* The incident is the client's: the controls are the other clients of the same service. */
static void be_client(struct weir_detector *detector, const struct weir_scope *scope, const struct weir_pick *own,
                      const struct weir_addr *client, struct weir_verdict *verdict)
{
    struct weir_incident *record = &verdict->record;
    struct weir_pick pick = *own;
    struct weir_tally all = weir_tally_sum(detector, &pick);
    verdict->subject = *client;
    pick.client = &verdict->subject;
    record->cause = WEIR_CAUSE_CLIENT;
    record->service = WEIR_SERVICE_NONE;
    record->n_clients = 1;
    record->clients[0] = verdict->subject;
    struct weir_tally recent = weir_tally_severity(detector, &pick, record);
    struct weir_tally rest = weir_tally_minus(all, weir_tally_sum(detector, &pick));
    memset(&record->controls, 0, sizeof record->controls);
    record->controls.fail = rest.fail;
    record->controls.total = rest.total;
    record->controls.n = own->any_service ? 0 : 1;
    record->controls.by_service[0].service = own->service;
    record->controls.by_service[0].fail = rest.fail;
    record->controls.by_service[0].total = rest.total;
    record->state = severity(record, recent, scope->slow);
    record->confidence = confidence(record);
    verdict->hold = detector->now_us - scope->since_us < detector->config.client_us;
}

/* ---- test 3: names ---- */

static bool lookups_alone_fail(const struct weir_detector *detector, const struct weir_scope *scope)
{
    struct weir_pick connect = {
        .service = scope->service, .layer = WEIR_LAYER_CONNECT, .need = WEIR_ITEM_SCORED, .since_us = scope->since_us};
    struct weir_tally tally = weir_tally_sum(detector, &connect);
    return tally.fail < 3 || !weir_mostly_fails(tally);
}

/* The resolver through which most of the service's lookups fail: do other names fail there as well? */
static bool resolver_explains(const struct weir_detector *detector, const struct weir_scope *scope,
                              struct weir_addr *ret_resolver)
{
    struct weir_tally rest;
    const struct weir_tally_entry *top = weir_tally_top(&detector->by_prefix, &rest);
    if (!top)
        return false;
    struct weir_pick all = {.any_service = true,
                            .layer = WEIR_LAYER_DNS,
                            .need = WEIR_ITEM_SCORED,
                            .prefix = &top->addr,
                            .since_us = scope->since_us};
    struct weir_pick own = all;
    own.any_service = false;
    own.service = scope->service;
    struct weir_tally others = weir_tally_minus(weir_tally_sum(detector, &all), weir_tally_sum(detector, &own));
    *ret_resolver = top->addr;
    return others.fail >= 2 && weir_mostly_fails(others);
}

/* ---- tests 4 and 5 (place.c), and all of them ---- */

/* At this place connections fail as well, and not one trial was useful: more than thin transfers. */
static bool nothing_gets_through(const struct weir_detector *detector, const struct weir_scope *scope, const struct weir_place *place)
{
    struct weir_pick pick = {
        .service = scope->service, .layer = WEIR_LAYER_CONNECT, .need = WEIR_ITEM_SCORED, .since_us = scope->since_us};
    weir_place_narrow(detector, place, &pick);
    struct weir_tally tally = weir_tally_sum(detector, &pick);
    return tally.fail >= 2 && tally.fail == tally.total;
}

static void be_path(struct weir_detector *detector, const struct weir_scope *scope, struct weir_pick *pick,
                    struct weir_verdict *verdict, const struct weir_place *place)
{
    struct weir_incident *record = &verdict->record;
    weir_place_narrow(detector, place, pick);
    record->cause = place->shared ? WEIR_CAUSE_CDN : WEIR_CAUSE_CDN_PATH;
    if (place->as) {
        record->as = weir_as_of(detector, &place->prefix->addr);
        weir_system_list(detector, place->as, record);
    } else {
        verdict->subject = record->prefixes[0] = place->prefix->addr;
        record->n_prefixes = 1;
    }
    record->state = severity(record, weir_tally_severity(detector, pick, record), scope->slow);
    if (record->state == WEIR_STATE_DEGRADED && nothing_gets_through(detector, scope, place))
        record->state = WEIR_STATE_PARTIAL;
    /* Nobody has tried it elsewhere yet: whoever fails here soon will. */
    verdict->hold = place->rest.total == 0 && detector->now_us - scope->since_us < ELSEWHERE_US;
    /* A service that works from its other prefixes is not down. */
    if (record->state == WEIR_STATE_DOWN && place->rest.total - place->rest.fail >= 3)
        record->state = WEIR_STATE_PARTIAL;
}

static void place_blame(struct weir_detector *detector, const struct weir_scope *scope, struct weir_pick *pick,
                        const struct weir_contest *contest, struct weir_tally controls, struct weir_verdict *verdict)
{
    struct weir_incident *record = &verdict->record;
    struct weir_tally recent = weir_tally_severity(detector, pick, record);
    bool names = scope->layer == WEIR_LAYER_DNS && lookups_alone_fail(detector, scope);
    if (!names && scope->layer != WEIR_LAYER_DNS && scope->layer != WEIR_STREAM_FALLBACK) {
        struct weir_place place = weir_place_of(detector, scope, contest, record);
        if (place.prefix) {
            be_path(detector, scope, pick, verdict, &place);
            return;
        }
    }
    record->cause = names                                ? WEIR_CAUSE_DNS_SERVICE :
                    scope->layer == WEIR_STREAM_FALLBACK ? WEIR_CAUSE_QUIC_BLOCKED :
                                                           WEIR_CAUSE_SERVICE;
    record->probability = 1;
    if (record->cause == WEIR_CAUSE_SERVICE && controls.total == 0) {
        record->probability = 0.58;
        record->n_alternatives = 1;
        record->alternatives[0] = (struct weir_incident_alternative){.cause = WEIR_CAUSE_UPLINK, .probability = 0.42};
    }
    record->state = severity(record, recent, scope->slow);
    if (scope->layer == WEIR_STREAM_FALLBACK)
        record->state = WEIR_STATE_DEGRADED;
    else if (scope->layer == WEIR_STREAM_ENDS && record->state == WEIR_STATE_DOWN && record->trials.total < 16)
        record->state = WEIR_STATE_PARTIAL; /* data did flow before the resets */
}

/* Starved or slow while the loss and the delay are on the client's side: its WiFi. */
static bool network_of_clients(const struct weir_detector *detector, weir_service_id service)
{
    const struct weir_continuous_state *continuous = &detector->services[service].continuous;
    const struct weir_baseline *near = continuous->signals[WEIR_CONTINUOUS_RTT_CLIENT],
                               *far = continuous->signals[WEIR_CONTINUOUS_RTT_SERVER];
    bool fresh = detector->now_us - continuous->loss_us <= 3 * WEIR_SLOT_US;
    if (fresh && continuous->loss_beyond >= 0.1 && continuous->loss_before >= 0 && continuous->loss_before < 0.01)
        return true;
    return near && detector->now_us - near->last_us <= 3 * WEIR_SLOT_US && near->s >= detector->config.z_raise &&
           (!far || far->ratio < 1.5);
}

void weir_attribute_service(struct weir_detector *detector, const struct weir_scope *scope,
                            struct weir_verdict *ret_verdict)
{
    struct weir_verdict *verdict = ret_verdict;
    begin(detector, scope, verdict);
    struct weir_pick pick = weir_own_pick(scope);
    struct weir_tally own = weir_tally_own(detector, &pick, &verdict->record);
    /* Controls count from when the first failing attempt began: what was useful while it hung speaks as well. */
    struct weir_tally controls =
        weir_tally_controls(detector, scope->service, scope->began_us, scope->slow, &verdict->record);
    if (scope->slow && verdict->record.n_clients < 2 && verdict->record.n_prefixes < 2) {
        verdict->hold = true;
        return;
    }
    if (!scope->joint)
        weir_tally_peers(detector, scope->service, scope->layer, scope->began_us, scope->slow);
    if (detector->h_level == 0 && scope->layer != WEIR_LAYER_DNS) /* where clients are many, so are witnesses; else what fails may be the resolver */
        weir_tally_lookups(detector, scope);
    weir_tally_neighbours(detector, scope->service, scope->began_us, scope->slow);
    struct weir_contest contest = weir_contest(detector, scope->layer != WEIR_LAYER_DNS);
    weir_tally_severity(detector, &pick, &verdict->record);
    if (is_starvation(&verdict->record) && weir_queue_is_shared(detector, scope->service))
        detector->congested_us = detector->now_us; /* also where not all who ask are starved yet */
    if (uplink_explains(detector, scope, &contest, &verdict->record, own, controls, &verdict->hold)) {
        be_uplink(detector, scope, verdict);
        return;
    }
    bool open_question;
    const struct weir_addr *client = client_explains(detector, &contest, controls, &open_question);
    if (client) {
        be_client(detector, scope, &pick, client, verdict);
        return;
    }
    if (scope->layer == WEIR_LAYER_DNS && lookups_alone_fail(detector, scope) &&
        resolver_explains(detector, scope, &verdict->subject)) {
        struct weir_scope resolver = *scope;
        struct weir_addr subject = verdict->subject;
        resolver.prefix = &subject;
        weir_attribute_resolver(detector, &resolver, verdict);
        const struct weir_resolver *known = weir_keyed_find(&detector->resolvers, &subject, 0, 0);
        verdict->hold |=
            known && weir_track_now(&known->track, detector->generation)->ok_run >= (uint32_t)detector->config.clear_ok;
        return;
    }
    place_blame(detector, scope, &pick, &contest, controls, verdict);
    /* What else is tried in the next seconds tells the one from the other. */
    bool early = verdict->record.n_alternatives > 0 && detector->now_us - scope->since_us < WITNESS_US;
    verdict->hold |= open_question || early;
    struct weir_tally rest;
    const struct weir_tally_entry *top = weir_tally_top(&detector->by_client, &rest);
    if (verdict->record.state == WEIR_STATE_DEGRADED && is_starvation(&verdict->record) && top && rest.fail == 0 &&
        network_of_clients(detector, scope->service)) {
        pick = weir_own_pick(scope);
        be_client(detector, scope, &pick, &top->addr, verdict);
        return;
    }
    verdict->record.confidence = confidence(&verdict->record);
}

/* What was tried outside the prefix that fails most; or, if it was enough, outside its whole system since the first failing attempt
 * began: what was useful while it hung speaks as well. */
static struct weir_tally rest_of_places(struct weir_detector *detector, const struct weir_scope *scope)
{
    struct weir_tally rest;
    const struct weir_tally_entry *top = weir_tally_top(&detector->by_prefix, &rest);
    if (!top || !top->as)
        return rest;
    weir_tally_neighbours(detector, WEIR_SERVICE_NONE, scope->began_us, scope->slow);
    struct weir_system system = weir_system_of(detector, top->as);
    return system.outside.total >= 3 ? system.outside : rest;
}

/* The busiest failing service may be what fails, not the uplink: what is left without it must fail as well. */
static bool fails_without_top_service(struct weir_detector *detector, const struct weir_scope *scope,
                                      struct weir_tally all)
{
    struct weir_tally by_service[WEIR_SERVICES_MAX] = {{0}}, rest;
    struct weir_pick pick = {.any_service = true,
                             .any_layer = true,
                             .need = WEIR_ITEM_UPLINK,
                             .since_us = scope->since_us,
                             .slow = scope->slow};
    bool overrun;
    for (uint64_t at = weir_history_since(&detector->history, scope->since_us, &overrun); at < detector->history.n;
         at++) {
        const struct weir_item *item = weir_history_at(&detector->history, at);
        if (!weir_pick_matches(&pick, item))
            continue;
        struct weir_tally one = weir_item_tally(item, scope->slow);
        by_service[item->service].fail += one.fail;
        by_service[item->service].total += one.total;
    }
    unsigned top = WEIR_SERVICE_FIRST;
    for (unsigned i = WEIR_SERVICE_FIRST; i < WEIR_SERVICES_MAX; i++)
        if (by_service[i].fail > by_service[top].fail)
            top = i;
    rest = weir_tally_minus(all, by_service[top]);
    struct weir_tally elsewhere = rest_of_places(detector, scope);
    if (rest.fail < 2 || elsewhere.fail < 2)
        return false;
    if (scope->slow)
        return weir_wilson(rest.fail, rest.total).low > detector->config.p0 &&
               weir_wilson(elsewhere.fail, elsewhere.total).low > detector->config.p0;
    return weir_mostly_fails(rest) && weir_mostly_fails(elsewhere);
}

void weir_attribute_uplink(struct weir_detector *detector, const struct weir_scope *scope,
                           struct weir_verdict *ret_verdict)
{
    begin(detector, scope, ret_verdict);
    struct weir_pick pick = {.any_service = true,
                             .any_layer = true,
                             .need = WEIR_ITEM_UPLINK,
                             .since_us = scope->since_us,
                             .slow = scope->slow};
    struct weir_tally all = weir_tally_own(detector, &pick, &ret_verdict->record);
    struct weir_tally rest;
    const struct weir_tally_entry *top = weir_tally_top(&detector->by_client, &rest);
    struct weir_pick lookups = pick;
    lookups.any_layer = false;
    lookups.layer = WEIR_LAYER_DNS;
    struct weir_tally names = weir_tally_sum(detector, &lookups);
    /* Lookups alone are the resolver's: something else must fail, and twice. */
    if (!top || all.fail - names.fail < 2 || !fails_without_top_service(detector, scope, all)) {
        ret_verdict->hold = true;
        return;
    }
    if (rest.total > 0 && weir_rest_is_fine(rest) && weir_fisher(top->own, rest) < detector->config.fisher_p) {
        be_client(detector, scope, &pick, &top->addr, ret_verdict);
        return;
    }
    /* Two clients in bad WiFi at once get some trials through: it must be certain that most fail, or be a third client's, too. */
    struct weir_pick every = pick;
    every.need = WEIR_ITEM_CONTROL;
    struct weir_tally other = weir_tally_sum(detector, &every);
    if (!scope->slow && ret_verdict->record.n_clients < 3 &&
        ((all.fail < all.total && weir_wilson(all.fail, all.total).low <= 0.5) ||
         (other.fail < other.total && weir_wilson(other.fail, other.total).low <= 0.5))) {
        ret_verdict->hold = true;
        return;
    }
    /* One client alone, in a house that has others: they have not been asked yet. */
    const struct weir_track_state *state = weir_track_now(&detector->uplink, detector->generation);
    ret_verdict->hold = ret_verdict->record.n_clients < 2 &&
                        (detector->n_active > 1 || (detector->n_known > 1 && state->hard.s < 2 * detector->rule.h));
    if (!ret_verdict->hold)
        be_uplink(detector, scope, ret_verdict);
}

void weir_attribute_resolver(struct weir_detector *detector, const struct weir_scope *scope,
                             struct weir_verdict *ret_verdict)
{
    begin(detector, scope, ret_verdict);
    struct weir_incident *record = &ret_verdict->record;
    struct weir_addr resolver = *scope->prefix;
    struct weir_pick pick = {.any_service = true,
                             .layer = WEIR_LAYER_DNS,
                             .need = WEIR_ITEM_SCORED,
                             .prefix = &resolver,
                             .since_us = scope->since_us};
    struct weir_tally all = weir_tally_own(detector, &pick, record);
    struct weir_tally controls = weir_tally_controls(detector, WEIR_SERVICE_NONE, scope->began_us, false, record);
    struct weir_contest contest = weir_contest(detector, false);
    if (uplink_explains(detector, scope, &contest, record, all, controls, &ret_verdict->hold)) {
        be_uplink(detector, scope, ret_verdict);
        return;
    }
    /* Connections to addresses that are known already must work, or not be tried: an uplink that loses a third takes lookups, too. */
    if (!weir_rest_is_fine(controls)) {
        ret_verdict->hold = true;
        return;
    }
    const struct weir_tally_entry *top;
    struct weir_tally rest;
    top = weir_tally_top(&detector->by_client, &rest);
    if (top && rest.total > 0 && weir_rest_is_fine(rest) && weir_fisher(top->own, rest) < detector->config.fisher_p) {
        be_client(detector, scope, &pick, &top->addr, ret_verdict);
        return;
    }
    /* One service's names failing are that service's incident: the others must fail as well. */
    for (unsigned id = WEIR_SERVICE_FIRST; id < detector->n_services; id++) {
        struct weir_pick one = pick;
        one.any_service = false;
        one.service = (weir_service_id)id;
        struct weir_tally others = weir_tally_minus(all, weir_tally_sum(detector, &one));
        if (others.total == all.total)
            continue;
        if (others.fail < 2 || !weir_mostly_fails(others)) {
            ret_verdict->hold = true;
            return;
        }
    }
    record->cause = WEIR_CAUSE_DNS_RESOLVER;
    record->service = WEIR_SERVICE_NONE;
    record->layer = WEIR_LAYER_DNS;
    record->n_prefixes = 1;
    record->prefixes[0] = ret_verdict->subject = resolver;
    record->state = severity(record, weir_tally_severity(detector, &pick, record), false);
    record->confidence = confidence(record);
}

/* The service is accused by other evidence than failing trials. */
static struct weir_incident *begin_without_failures(struct weir_detector *detector, const struct weir_scope *scope, enum weir_state state,
                                                    struct weir_verdict *verdict)
{
    begin(detector, scope, verdict);
    struct weir_incident *record = &verdict->record;
    struct weir_pick pick = weir_own_pick(scope);
    weir_tally_own(detector, &pick, record);
    weir_tally_controls(detector, scope->service, scope->since_us, false, record);
    weir_tally_severity(detector, &pick, record);
    record->n_clients = record->n_prefixes = 0; /* nobody's trial failed */
    record->state = state;
    record->confidence = WEIR_CONFIDENCE_LOW;
    record->cause = WEIR_CAUSE_SERVICE;
    return record;
}

void weir_attribute_continuous(struct weir_detector *detector, const struct weir_scope *scope,
                               struct weir_verdict *ret_verdict)
{
    struct weir_incident *record = begin_without_failures(detector, scope, WEIR_STATE_DEGRADED, ret_verdict);
    bool elsewhere = false;
    for (size_t i = WEIR_SERVICE_FIRST; i < detector->n_services; i++)
        for (int signal = 0; i != scope->service && signal < WEIR_CONTINUOUS_N; signal++) {
            const struct weir_baseline *other = detector->services[i].continuous.signals[signal];
            elsewhere |=
                other && other->s >= detector->config.z_raise && detector->now_us - other->last_us <= 3 * WEIR_SLOT_US;
        }
    if (weir_uplink_is_raised(detector) || elsewhere) {
        record->cause = WEIR_CAUSE_UPLINK;
        record->service = WEIR_SERVICE_NONE;
    }
    ret_verdict->hold = network_of_clients(detector, scope->service);
}

void weir_attribute_silence(struct weir_detector *detector, const struct weir_scope *scope, struct weir_verdict *ret_verdict)
{
    struct weir_incident *record = begin_without_failures(detector, scope, WEIR_STATE_DOWN, ret_verdict);
    record->silence = detector->services[scope->service].silence->found;
    ret_verdict->hold = weir_uplink_is_raised(detector);
}
