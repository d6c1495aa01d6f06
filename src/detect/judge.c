/* Each tick: which tracks stand above h, what does the evidence say, and what is over?
 *
 * The site's own causes are asked first (capture, uplink, resolvers), so that a service is accused
 * last. A service has one incident: its worst stream of evidence gives scope and severity, in the
 * order hard failure, slow burn, degradation.
 */
#include <math.h>
#include <string.h>

#include "detect/state.h"

/* an incident that began this long before the uplink's may be a part of it */
#define MERGE_US    INT64_C(120000000)
#define REFILL_US   INT64_C(120000000)
#define FAILS_ON_US INT64_C(60000000) /* and must have failed as lately as this */
/* a raise needs a failure this fresh: what was held is not raised when it is over */
#define FRESH_US (2 * WEIR_SLOT_US)
/* evidence of a layer without trials for so long gives way to other layers' */
#define STALE_US INT64_C(300000000)
static const double quic_share = 0.65;
enum { ENDS_CLEAN = 30, OTHER_LAYERS_OK = 10 };

static const struct weir_track_state *now_of(const struct weir_detector *detector,
                                             const struct weir_track *track) {
    return weir_track_now(track, detector->generation);
}

/* ---- what is raised ---- */

struct candidate {
    double rank; /* 0: none */
    struct weir_scope scope;
    int64_t fail_us; /* last failure */
    /* What judges it. */
    void (*attribute)(struct weir_detector *detector, const struct weir_scope *scope,
                      struct weir_verdict *ret_verdict);
};

static void offer(struct candidate *best, double rank, struct weir_scope scope, int64_t fail_us) {
    if (rank > best->rank)
        *best = (struct candidate){
            .rank = rank, .scope = scope, .fail_us = fail_us, .attribute = weir_verdict_service};
}

/* What would be cleared at once isn't raised. */
static bool is_failing(const struct weir_detector *detector, const struct weir_track_state *state) {
    return detector->now_us - state->last_fail_us <= FRESH_US &&
           (state->ok_run < (uint32_t)detector->config.clear_ok || state->slow_mixed > 0);
}

static void offer_hard(const struct weir_detector *detector, const struct weir_track *track,
                       bool open, double base, struct weir_scope scope, struct candidate *best) {
    const struct weir_track_state *state = now_of(detector, track);
    bool raised =
        open ? state->hard_alarm : state->hard.s >= detector->rule.h && is_failing(detector, state);
    scope.since_us = state->hard.onset_us;
    scope.began_us = state->hard.began_us;
    scope.strength = state->hard.s / detector->rule.h;
    if (raised) offer(best, base + scope.strength, scope, state->last_fail_us);
}

/* Connecting fails and requests hang: neither may be enough by itself yet. Their evidence is
 * summed, against a higher h; it is not pooled, for what is useful in one layer says nothing of the
 * other. Few clients only: of many each layer soon has enough, and the sum would be told before it
 * is seen where it fails. `tracks` of the layers above DNS; NULL: not seen. */
static void offer_pooled(const struct weir_detector *detector,
                         const struct weir_track *const tracks[WEIR_LAYER_N], double base,
                         struct weir_scope scope, struct candidate *best) {
    double sum = 0, most = 0;
    bool failing = false;
    if (detector->h_level > 0) return;
    scope.pooled = true;
    scope.since_us = scope.began_us = INT64_MAX;
    int64_t fail_us = 0;
    for (uint8_t layer = WEIR_LAYER_CONNECT; layer < WEIR_LAYER_N; layer++) {
        const struct weir_track_state *state =
            tracks[layer] ? now_of(detector, tracks[layer]) : NULL;
        if (!state || state->hard.s <= 0) continue;
        sum += state->hard.s;
        failing |= is_failing(detector, state);
        fail_us = state->last_fail_us > fail_us ? state->last_fail_us : fail_us;
        scope.since_us =
            state->hard.onset_us < scope.since_us ? state->hard.onset_us : scope.since_us;
        scope.began_us =
            state->hard.began_us < scope.began_us ? state->hard.began_us : scope.began_us;
        if (state->hard.s > most) scope.layer = layer;
        most = fmax(most, state->hard.s);
    }
    scope.strength = sum / (detector->rule.h * detector->config.joint);
    if (scope.strength >= 1 && failing) offer(best, base + scope.strength, scope, fail_us);
}

/* QUIC against TCP to the same name at the same moment: a client that is its own comparison needs
 * less evidence. */
static void offer_quic(const struct weir_detector *detector, const struct weir_track *track,
                       bool open, struct weir_scope scope, struct candidate *best) {
    const struct weir_track_state *state = now_of(detector, track);
    double h = quic_share * detector->rule.h;
    scope.since_us = state->hard.onset_us;
    scope.began_us = state->hard.began_us;
    scope.strength = state->hard.s / h;
    if (open ? state->hard.s >= h / 4 : state->hard.s >= h && is_failing(detector, state))
        offer(best, 20 + scope.strength, scope, state->last_fail_us);
}

static void offer_slow(const struct weir_detector *detector, const struct weir_track *track,
                       bool open, double base, struct weir_scope scope, struct candidate *best) {
    const struct weir_track_state *state = now_of(detector, track);
    int64_t age_us = detector->now_us - state->slow.onset_us;
    bool old = age_us >= (state->slow_mixed >= state->slow_pure ? detector->config.slow_mixed_us
                                                                : detector->config.slow_pure_us);
    bool raised =
        open ? state->slow_alarm
             : state->slow.s >= detector->rule.h_slow && old && is_failing(detector, state);
    scope.slow = true;
    scope.since_us = state->slow.onset_us;
    scope.began_us = state->slow.began_us;
    scope.strength = state->slow.s / detector->rule.h_slow;
    if (raised) offer(best, base + scope.strength, scope, state->last_fail_us);
}

static void offer_ends(const struct weir_detector *detector,
                       const struct weir_service_state *service, bool open, struct weir_scope scope,
                       struct candidate *best) {
    const struct weir_ends *ends = &service->ends;
    bool raised = open ? ends->alarm
                       : ends->cusum.s >= detector->config.ends_h &&
                             ends->resets >= detector->config.ends_min &&
                             detector->now_us - ends->last_reset_us <= FRESH_US;
    scope.layer = WEIR_STREAM_ENDS;
    scope.since_us = ends->cusum.onset_us;
    scope.began_us = ends->cusum.began_us;
    scope.strength = ends->cusum.s / detector->config.ends_h;
    if (raised) offer(best, 100 + scope.strength, scope, ends->last_reset_us);
}

/* A rate is what players ask for: a lower one matters where somebody's picture stands still, or
 * whose requests starve. Where nobody is known to watch it is all that there is. */
static bool rate_matters(const struct weir_detector *detector,
                         const struct weir_service_state *service) {
    bool starved =
        service->starved_slot_us && detector->now_us - service->starved_slot_us <= 3 * WEIR_SLOT_US;
    return !service->viewers || service->viewers_stalled || starved;
}

static void offer_continuous(const struct weir_detector *detector,
                             const struct weir_service_state *service, struct weir_scope scope,
                             struct candidate *best) {
    for (int i = 0; i < WEIR_CONTINUOUS_N; i++) {
        const struct weir_baseline *baseline = service->continuous.signals[i];
        if (i == WEIR_CONTINUOUS_RTT_CLIENT || !baseline ||
            baseline->s < detector->config.z_raise ||
            detector->now_us - baseline->last_us > 3 * WEIR_SLOT_US ||
            (i == WEIR_CONTINUOUS_GOODPUT && !rate_matters(detector, service)))
            continue;
        scope.since_us = scope.began_us = baseline->onset_us;
        scope.layer = i == WEIR_CONTINUOUS_DNS          ? WEIR_LAYER_DNS
                      : i == WEIR_CONTINUOUS_RTT_SERVER ? WEIR_LAYER_CONNECT
                                                        : WEIR_LAYER_SERVE;
        if (best->rank <= 0) {
            offer(best, 1 + baseline->s / detector->config.z_raise, scope, baseline->last_us);
            best->attribute = weir_verdict_continuous;
        }
    }
}

/* Only where nothing fails: whoever is tried and fails is not silent. */
static void offer_silence(const struct weir_service_state *service, struct weir_scope scope,
                          struct candidate *best) {
    if (best->rank > 0 || !service->silence || !service->silence->alarm) return;
    scope.layer = WEIR_LAYER_CONNECT;
    scope.since_us = scope.began_us = service->silence->onset_us;
    offer(best, 0.5, scope, service->silence->last_us);
    best->attribute = weir_verdict_silence;
}

/* Hard failures rank above 100, slow burns above 50, QUIC alone above 20, continuous signals above
 * 1, then silence. */
static struct candidate worst_of(const struct weir_detector *detector, weir_service_id id) {
    const struct weir_service_state *service = &detector->services[id];
    struct candidate best = {0};
    bool open = service->incident.open;
    for (int layer = WEIR_LAYER_N - 1; layer >= 0; layer--) {
        struct weir_scope scope = {.service = id, .layer = (uint8_t)layer};
        offer_hard(detector, &service->layer[layer], open, 100, scope, &best);
        offer_slow(detector, &service->layer[layer], open, 50, scope, &best);
    }
    const struct weir_track *tracks[WEIR_LAYER_N];
    const struct weir_prefix *hot = service->hot;
    if (hot && hot->head.service == id) {
        struct weir_scope scope = {
            .service = id, .layer = hot->head.layer, .prefix = &hot->head.addr};
        offer_hard(detector, &hot->track, open, 99.9, scope, &best);
        for (uint8_t layer = 0; layer < WEIR_LAYER_N; layer++) {
            const struct weir_prefix *prefix =
                weir_keyed_find(&detector->prefixes, &hot->head.addr, id, layer);
            tracks[layer] = prefix ? &prefix->track : NULL;
        }
        offer_pooled(detector, tracks, 98.9, scope, &best);
    }
    struct weir_scope scope = {.service = id};
    for (uint8_t layer = 0; layer < WEIR_LAYER_N; layer++) tracks[layer] = &service->layer[layer];
    offer_pooled(detector, tracks, 99, scope, &best);
    offer_ends(detector, service, open, scope, &best);
    scope.layer = WEIR_STREAM_FALLBACK;
    offer_quic(detector, &service->quic_blocked,
               open && service->incident.record.cause == WEIR_CAUSE_QUIC_BLOCKED, scope, &best);
    offer_continuous(detector, service, scope, &best);
    offer_silence(service, scope, &best);
    return best;
}

/* ---- what is over ---- */

static bool track_is_over(const struct weir_detector *detector, const struct weir_track *track) {
    const struct weir_track_state *state = now_of(detector, track);
    return state->hard.s < detector->rule.h / 4 && !state->hard_alarm && !state->slow_alarm;
}

static bool continuous_is_over(const struct weir_detector *detector,
                               const struct weir_service_state *service) {
    for (int i = 0; i < WEIR_CONTINUOUS_N; i++) {
        const struct weir_baseline *baseline = service->continuous.signals[i];
        if (baseline && i != WEIR_CONTINUOUS_RTT_CLIENT &&
            baseline->s >= detector->config.z_raise / 4 &&
            detector->now_us - baseline->last_us < detector->config.silent_us)
            return false;
    }
    return true;
}

/* A layer that nobody tries any more gives way to the others: served requests say that connecting
 * works. */
static void forget_stale(const struct weir_detector *detector, struct weir_service_state *service) {
    if (service->ok_run < OTHER_LAYERS_OK) return;
    for (int layer = 0; layer < WEIR_LAYER_N; layer++)
        if (detector->now_us - service->layer[layer].committed.last_us > STALE_US)
            weir_track_reset(&service->layer[layer]);
    if (detector->now_us - service->quic_blocked.committed.last_us > STALE_US)
        weir_track_reset(&service->quic_blocked);
    if (service->hot && detector->now_us - service->hot->track.committed.last_us > STALE_US)
        weir_track_reset(&service->hot->track);
}

/* What the outage left behind on single prefixes was the outage, too. */
static void forget_paths(struct weir_detector *detector, weir_service_id id) {
    size_t cursor = 0;
    for (struct weir_prefix *prefix; (prefix = weir_assoc_next(&detector->prefixes, &cursor));)
        if (prefix->head.service == id) weir_track_reset(&prefix->track);
}

static void forget_ends(const struct weir_detector *detector, struct weir_ends *ends) {
    bool clean =
        ends->clean_run >= ENDS_CLEAN || (ends->clean_run >= (uint32_t)detector->config.clear_ok &&
                                          detector->now_us - ends->last_reset_us > STALE_US);
    if (clean)
        *ends =
            (struct weir_ends){.clean_run = ends->clean_run, .last_reset_us = ends->last_reset_us};
}

/* Quiet for long enough: a minute, and twice as long each time that it has come back. */
static bool is_quiet(const struct weir_detector *detector, const struct weir_case *incident) {
    int64_t quiet_us = detector->config.clear_us
                       << (incident->reopened < 3 ? incident->reopened : 3);
    return detector->now_us - incident->reraised_us >= detector->config.clear_us &&
           (incident->reopened == 0 || detector->now_us - incident->evidence_us >= quiet_us);
}

/* By its trials, asked once a slot. What no failing trial showed is asked elsewhere. */
static bool has_recovered(const struct weir_detector *detector, struct weir_case *incident) {
    if (!incident->record.trials.fail || incident->asked_us == detector->open_start_us ||
        !is_quiet(detector, incident))
        return false;
    incident->asked_us = detector->open_start_us;
    return weir_recovery_of(detector, incident).over;
}

/* The layer that failed is tried by nobody: after five minutes any other trial of the service
 * speaks for it. */
static bool has_faded(const struct weir_detector *detector,
                      const struct weir_service_state *service) {
    const struct weir_case *incident = &service->incident;
    if (!is_quiet(detector, incident)) return false;
    for (int layer = 0; layer < WEIR_LAYER_N; layer++)
        if (!track_is_over(detector, &service->layer[layer])) return false;
    if (!track_is_over(detector, &service->quic_blocked) || service->ends.alarm ||
        (service->silence && service->silence->alarm) || !continuous_is_over(detector, service))
        return false;
    const struct weir_track_state *state =
        now_of(detector, &service->layer[incident->record.layer]);
    if (incident->record.cause == WEIR_CAUSE_QUIC_BLOCKED)
        state = now_of(detector, &service->quic_blocked);
    bool stale = detector->now_us - state->last_us > STALE_US;
    return stale ? service->ok_run >= OTHER_LAYERS_OK
                 : !incident->record.trials.fail &&
                       state->ok_run >= (uint32_t)detector->config.clear_ok;
}

/* What is over is over in all that watched it: nothing of it is left to be raised again. */
static void clear_service(struct weir_detector *detector, weir_service_id id) {
    struct weir_service_state *service = &detector->services[id];
    weir_case_clear(detector, &service->incident, NULL);
    for (int layer = 0; layer < WEIR_LAYER_N; layer++) weir_track_reset(&service->layer[layer]);
    weir_track_reset(&service->quic_blocked);
    service->ends = (struct weir_ends){.clean_run = service->ends.clean_run,
                                       .last_reset_us = service->ends.last_reset_us};
    service->hot = NULL;
    forget_paths(detector, id);
}

/* When to ask again what stayed open: soon while little was seen, for a judgement reads all of it;
 * once a slot at the most. What turned out to be another's incident is asked again with that one.
 */
static int64_t ask_again(const struct weir_detector *detector, bool open) {
    static const int64_t trials_a_second = 20000;
    int64_t wait_us = (int64_t)detector->judgement.n_read * 1000000 / trials_a_second;
    return detector->now_us + (open && wait_us < WEIR_SLOT_US ? wait_us : WEIR_SLOT_US);
}

/* ---- services ---- */

static void judge_service(struct weir_detector *detector, weir_service_id id) {
    struct weir_service_state *service = &detector->services[id];
    if (service->hot && (service->hot->head.service != id ||
                         now_of(detector, &service->hot->track)->hard.s < detector->rule.h / 4))
        service->hot = NULL;
    struct weir_case *incident = &service->incident;
    if (incident->open) forget_stale(detector, service);
    forget_ends(detector, &service->ends);
    if (incident->open && has_recovered(detector, incident)) {
        clear_service(detector, id);
        return;
    }
    struct candidate worst = worst_of(detector, id);
    if (worst.rank <= 0) {
        if (incident->open && !service->hot && has_faded(detector, service))
            clear_service(detector, id);
        return;
    }
    /* Open: once a window, and only while it still fails: the good trials afterwards change no
     * blame. */
    if (incident->open && (detector->now_us - incident->judged_us < WEIR_SLOT_US ||
                           worst.fail_us <= incident->evidence_us))
        return;
    if (!incident->open && detector->now_us < service->ask_again_us) return;
    worst.scope.until_us = incident->open ? worst.fail_us : 0;
    struct weir_verdict verdict;
    worst.attribute(detector, &worst.scope, &verdict);
    if (worst.scope.layer == WEIR_STREAM_ENDS && verdict.record.n_clients_seen >= 2 &&
        verdict.record.n_clients < 2)
        verdict.open = true;
    weir_case_route(detector, incident, &verdict, worst.fail_us);
    service->ask_again_us = incident->open ? 0 : ask_again(detector, verdict.open);
}

/* ---- the site ---- */

/* A degraded service is part of an uplink that is degraded, too: congestion. What is degraded
 * beside a dead one is its own. */
static bool is_part_of_uplink(const struct weir_detector *detector,
                              const struct weir_case *incident,
                              const struct weir_incident *uplink) {
    return incident->open && incident->record.onset_us >= uplink->onset_us - MERGE_US &&
           detector->now_us - incident->evidence_us <= FAILS_ON_US &&
           (incident->record.state != WEIR_STATE_DEGRADED || uplink->state == WEIR_STATE_DEGRADED);
}

static struct weir_case *next_part(struct weir_detector *detector,
                                   const struct weir_incident *uplink) {
    for (size_t id = WEIR_SERVICE_FIRST; id < detector->n_services; id++)
        if (is_part_of_uplink(detector, &detector->services[id].incident, uplink))
            return &detector->services[id].incident;
    for (size_t i = 0; i < WEIR_RESOLVER_CASES; i++)
        if (is_part_of_uplink(detector, &detector->resolver_cases[i], uplink))
            return &detector->resolver_cases[i];
    return NULL;
}

/* Incidents that were raised before the uplink's verdict are its parts: the first goes on as the
 * uplink's. */
static void merge_into_uplink(struct weir_detector *detector, const struct weir_verdict *verdict,
                              int64_t evidence_us) {
    struct weir_case *part = next_part(detector, &verdict->record);
    weir_case_route(detector, part ? part : &detector->uplink_case, verdict, evidence_us);
    while ((part = next_part(detector, &verdict->record)))
        weir_case_clear(detector, part, &detector->uplink_case);
}

/* What it failed with, it last failed with while the uplink was down; an attempt of that time may
 * have ended in the slot after it. After congestion buffers fill slowly: what began to starve in it
 * and starves on is its as well, and will soon have evidence of its own if it is not. */
static bool failed_with_uplink(const struct weir_detector *detector,
                               const struct weir_track *track) {
    const struct weir_incident *uplink = &detector->uplink_case.record;
    const struct weir_track_state *state = now_of(detector, track);
    bool congestion = uplink->state == WEIR_STATE_DEGRADED && state->hard.s > 0;
    int64_t fail_us = congestion ? state->hard.onset_us : state->last_fail_us;
    return state->last_fail_us >= uplink->onset_us &&
           fail_us <= uplink->recovered_us + WEIR_SLOT_US;
}

static void forget_with_uplink(const struct weir_detector *detector, struct weir_track *track) {
    if (failed_with_uplink(detector, track)) weir_track_reset(track);
}

/* What services and their prefixes failed with meanwhile was the uplink's, and makes none of them
 * suspect. What fails on, or has an incident of its own, is kept. */
static void clear_uplink(struct weir_detector *detector) {
    weir_case_clear(detector, &detector->uplink_case, NULL);
    weir_track_reset(&detector->uplink);
    weir_track_reset(&detector->congestion);
    for (size_t id = WEIR_SERVICE_FIRST; id < detector->n_services; id++)
        for (int layer = 0; layer < WEIR_LAYER_N && !detector->services[id].incident.open; layer++)
            forget_with_uplink(detector, &detector->services[id].layer[layer]);
    size_t cursor = 0;
    for (struct weir_prefix *prefix; (prefix = weir_assoc_next(&detector->prefixes, &cursor));)
        if (!detector->services[prefix->head.service].incident.open)
            forget_with_uplink(detector, &prefix->track);
}

/* Once a slot, while it fails. */
static void ask_uplink_again(struct weir_detector *detector) {
    int64_t fail_us = now_of(detector, &detector->uplink)->last_fail_us;
    if (detector->now_us - detector->uplink_asked_us < WEIR_SLOT_US ||
        fail_us <= detector->uplink_asked_us)
        return;
    detector->uplink_asked_us = detector->now_us;
    detector->uplink_disproven = weir_uplink_is_disproven(detector);
}

/* After an outage or congestion all players fill their buffers at once, and queues run over. */
static bool is_refilling(const struct weir_detector *detector) {
    const struct weir_case *uplink = &detector->uplink_case;
    return uplink->exists && !uplink->open &&
           detector->now_us - uplink->record.cleared_us <= REFILL_US;
}

static void offer_losses(const struct weir_detector *detector, struct candidate *best) {
    const struct weir_losses *losses = &detector->losses;
    struct weir_scope scope = {.layer = WEIR_LAYER_SERVE,
                               .since_us = losses->onset_us,
                               .began_us = losses->onset_us,
                               .strength = 1};
    if (!weir_way_out_loses(detector) || is_refilling(detector) ||
        (!detector->uplink_case.open && !weir_viewers_suffer(detector)))
        return;
    offer(best, 10, scope, losses->bad_us);
    best->attribute = weir_verdict_losses;
}

static void judge_uplink(struct weir_detector *detector) {
    struct weir_case *incident = &detector->uplink_case;
    const struct weir_track_state *state = now_of(detector, &detector->uplink);
    struct candidate worst = {0};
    struct weir_scope scope = {.layer = WEIR_LAYER_CONNECT};
    if (incident->open && !weir_way_out_loses(detector) && has_recovered(detector, incident)) {
        clear_uplink(detector);
        return;
    }
    if (incident->open)
        ask_uplink_again(detector);
    else
        detector->uplink_disproven = false;
    offer_hard(detector, &detector->uplink, incident->open, 100, scope, &worst);
    offer_slow(detector, &detector->uplink, incident->open, 50, scope, &worst);
    worst.attribute = weir_verdict_uplink;
    if (worst.rank <= 0 && !weir_uplink_is_out(detector) &&
        detector->now_us - detector->together_us <= 2 * WEIR_SLOT_US) {
        scope.layer = WEIR_LAYER_SERVE;
        offer_hard(detector, &detector->congestion, incident->open, 20, scope, &worst);
        worst.attribute = weir_verdict_congestion;
    }
    if (worst.rank <= 0 && !weir_uplink_is_out(detector)) offer_losses(detector, &worst);
    if (worst.rank > 0) {
        if (incident->open && (detector->now_us - incident->judged_us < WEIR_SLOT_US ||
                               worst.fail_us <= incident->evidence_us))
            return;
        if (!incident->open && detector->now_us < detector->uplink_again_us) return;
        struct weir_verdict verdict;
        worst.attribute(detector, &worst.scope, &verdict);
        detector->uplink_again_us = ask_again(detector, verdict.open);
        if (!verdict.open && verdict.record.cause == WEIR_CAUSE_UPLINK)
            merge_into_uplink(detector, &verdict, worst.fail_us);
        else if (!incident->open)
            weir_case_route(detector, incident, &verdict, worst.fail_us);
        return;
    }
    if (incident->open && track_is_over(detector, &detector->uplink) &&
        track_is_over(detector, &detector->congestion) &&
        state->ok_run >= (uint32_t)detector->config.clear_ok && is_quiet(detector, incident) &&
        detector->now_us - incident->evidence_us >= detector->config.clear_us)
        clear_uplink(detector);
}

static void merge_into_resolver(struct weir_detector *detector, const struct weir_verdict *verdict,
                                int64_t evidence_us) {
    struct weir_case *home = weir_case_of(detector, detector->resolver_cases, WEIR_RESOLVER_CASES,
                                          &verdict->subject),
                     *first = home;
    if (!home) {
        detector->stats.incidents_refused++;
        return;
    }
    for (size_t id = WEIR_SERVICE_FIRST; id < detector->n_services; id++) {
        struct weir_case *part = &detector->services[id].incident;
        if (!part->open || part->record.cause != WEIR_CAUSE_DNS_SERVICE ||
            part->record.onset_us < verdict->record.onset_us - MERGE_US)
            continue;
        weir_case_route(detector, part, verdict, evidence_us);
        first = NULL;
    }
    if (first) weir_case_route(detector, home, verdict, evidence_us);
}

static void judge_resolver(struct weir_detector *detector, struct weir_resolver *resolver) {
    struct weir_case *incident = NULL;
    for (size_t i = 0; i < WEIR_RESOLVER_CASES; i++)
        if (detector->resolver_cases[i].open &&
            weir_addr_compare(&detector->resolver_cases[i].subject, &resolver->head.addr) == 0)
            incident = &detector->resolver_cases[i];
    struct candidate worst = {0};
    struct weir_scope scope = {.layer = WEIR_LAYER_DNS, .prefix = &resolver->head.addr};
    if (incident && has_recovered(detector, incident)) {
        weir_case_clear(detector, incident, NULL);
        weir_track_reset(&resolver->track);
        return;
    }
    offer_hard(detector, &resolver->track, incident != NULL, 100, scope, &worst);
    if (worst.rank > 0) {
        if (incident && (detector->now_us - incident->judged_us < WEIR_SLOT_US ||
                         worst.fail_us <= incident->evidence_us))
            return;
        if (!incident && detector->now_us < resolver->ask_again_us) return;
        struct weir_verdict verdict;
        weir_verdict_resolver(detector, &worst.scope, &verdict);
        resolver->ask_again_us = ask_again(detector, verdict.open);
        if (!verdict.open && verdict.record.cause == WEIR_CAUSE_DNS_RESOLVER)
            merge_into_resolver(detector, &verdict, worst.fail_us);
        else if (incident)
            weir_case_route(detector, incident, &verdict, worst.fail_us);
        else if (!verdict.open) {
            struct weir_case nobody = {0};
            weir_case_route(detector, &nobody, &verdict, worst.fail_us);
        }
        return;
    }
    if (incident && track_is_over(detector, &resolver->track) && is_quiet(detector, incident) &&
        now_of(detector, &resolver->track)->ok_run >= (uint32_t)detector->config.clear_ok)
        weir_case_clear(detector, incident, NULL);
}

/* Resolvers and clients can go away: nobody will ever try them again. */
static void clear_the_gone(struct weir_detector *detector) {
    for (size_t i = 0; i < WEIR_RESOLVER_CASES; i++) {
        struct weir_case *incident = &detector->resolver_cases[i];
        const struct weir_resolver *resolver =
            incident->open ? weir_keyed_find(&detector->resolvers, &incident->subject, 0, 0) : NULL;
        if (incident->open &&
            (!resolver || detector->now_us - resolver->head.last_us > detector->config.silent_us))
            weir_case_clear(detector, incident, NULL);
    }
    for (size_t i = 0; i < WEIR_CLIENT_CASES; i++) {
        struct weir_case *incident = &detector->client_cases[i];
        if (!incident->open) continue;
        const struct weir_client *client =
            weir_keyed_find(&detector->clients, &incident->subject, 0, 0);
        bool gone = !client || detector->now_us - client->head.last_us > detector->config.silent_us;
        bool well = weir_link_is_over(detector, incident) && client &&
                    client->ok_run >= (uint32_t)detector->config.clear_ok &&
                    is_quiet(detector, incident) &&
                    detector->now_us - incident->evidence_us >= detector->config.clear_us;
        if (gone || well) weir_case_clear(detector, incident, NULL);
    }
}

void weir_judge(struct weir_detector *detector) {
    weir_judge_capture(detector);
    for (unsigned i = 0; i < WEIR_FROZEN; i++)
        if (detector->frozen[i] == detector->open_start_us && detector->n_frozen > i) return;
    judge_uplink(detector);
    weir_links_judge(detector);
    size_t cursor = 0;
    for (struct weir_resolver *resolver;
         (resolver = weir_assoc_next(&detector->resolvers, &cursor));)
        judge_resolver(detector, resolver);
    for (size_t id = WEIR_SERVICE_FIRST; id < detector->n_services; id++)
        judge_service(detector, (weir_service_id)id);
    clear_the_gone(detector);
}
