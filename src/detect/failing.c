/* Watches of trials that fail: of a service by layer, of one of its places, of connecting and
 * requesting together, of its QUIC; of the uplink; of a resolver. Each reads a track (track.h).
 *
 * What would be cleared at once is not raised: a failure must be fresh, and not yet followed by
 * enough useful trials. An open incident keeps its alarm down to a quarter of the threshold.
 */
#include <math.h>

#include "detect/state.h"

/* a raise needs a failure this fresh: what was held is not raised when it is over */
#define FRESH_US (2 * WEIR_SLOT_US)
static const double quic_share = 0.65;

static const struct weir_track_state *now_of(const struct weir_detector *detector,
                                             const struct weir_track *track) {
    return weir_track_now(track, detector->generation);
}

static bool is_failing(const struct weir_detector *detector, const struct weir_track_state *state) {
    return detector->now_us - state->last_fail_us <= FRESH_US &&
           (state->ok_run < (uint32_t)detector->config.clear_ok || state->slow_mixed > 0);
}

static bool is_open(const struct weir_subject *subject) {
    return subject->incident && subject->incident->open;
}

bool weir_track_is_over(const struct weir_detector *detector, const struct weir_track *track) {
    const struct weir_track_state *state = now_of(detector, track);
    return state->hard.s < detector->rule.h / 4 && !state->hard_alarm && !state->slow_alarm;
}

/* ---- one track ---- */

static void offer_hard(const struct weir_detector *detector, enum weir_watch_id watch,
                       const struct weir_track *track, bool open, struct weir_scope scope,
                       struct weir_alarm *best) {
    const struct weir_track_state *state = now_of(detector, track);
    bool raised =
        open ? state->hard_alarm : state->hard.s >= detector->rule.h && is_failing(detector, state);
    scope.since_us = state->hard.onset_us;
    scope.began_us = state->hard.began_us;
    scope.strength = state->hard.s / detector->rule.h;
    if (raised) weir_alarm_offer(best, watch, scope, state->last_fail_us);
}

static void offer_slow(const struct weir_detector *detector, enum weir_watch_id watch,
                       const struct weir_track *track, bool open, struct weir_scope scope,
                       struct weir_alarm *best) {
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
    if (raised) weir_alarm_offer(best, watch, scope, state->last_fail_us);
}

/* ---- a service, layer by layer ---- */

static void offer_failures(const struct weir_detector *detector, const struct weir_subject *subject,
                           struct weir_alarm *best) {
    const struct weir_service_state *service = &detector->services[subject->service];
    for (int layer = WEIR_LAYER_N - 1; layer >= 0; layer--) {
        struct weir_scope scope = {.service = subject->service, .layer = (uint8_t)layer};
        offer_hard(detector, WEIR_WATCH_failures, &service->layer[layer], is_open(subject), scope,
                   best);
    }
}

static void offer_slow_burn(const struct weir_detector *detector,
                            const struct weir_subject *subject, struct weir_alarm *best) {
    const struct weir_service_state *service = &detector->services[subject->service];
    for (int layer = WEIR_LAYER_N - 1; layer >= 0; layer--) {
        struct weir_scope scope = {.service = subject->service, .layer = (uint8_t)layer};
        offer_slow(detector, WEIR_WATCH_slow_burn, &service->layer[layer], is_open(subject), scope,
                   best);
    }
}

static bool layers_last(const struct weir_detector *detector, const struct weir_subject *subject) {
    const struct weir_service_state *service = &detector->services[subject->service];
    for (int layer = 0; layer < WEIR_LAYER_N; layer++)
        if (!weir_track_is_over(detector, &service->layer[layer])) return true;
    return false;
}

static void forget_layers(struct weir_detector *detector, weir_service_id id) {
    for (int layer = 0; layer < WEIR_LAYER_N; layer++)
        weir_track_reset(&detector->services[id].layer[layer]);
}

const struct weir_watch weir_watch_failures = {
    .name = "failures",
    .help = "trials of one layer that fail",
    .scope = WEIR_WATCHES_SERVICE,
    .rank = 100,
    .offer = offer_failures,
    .judge = weir_verdict_service,
    .lasts = layers_last, /* the slow burn's as well: it has the same tracks */
    .forget = forget_layers,
};
const struct weir_watch weir_watch_slow_burn = {
    .name = "slow_burn",
    .help = "a share of the trials that fails for minutes",
    .scope = WEIR_WATCHES_SERVICE,
    .rank = 50,
    .offer = offer_slow_burn,
    .judge = weir_verdict_service,
};

/* ---- one of its places ---- */

static const struct weir_prefix *hot_of(const struct weir_detector *detector,
                                        const struct weir_subject *subject) {
    const struct weir_prefix *hot = detector->services[subject->service].hot;
    return hot && hot->head.service == subject->service ? hot : NULL;
}

static void offer_place(const struct weir_detector *detector, const struct weir_subject *subject,
                        struct weir_alarm *best) {
    const struct weir_prefix *hot = hot_of(detector, subject);
    if (!hot) return;
    struct weir_scope scope = {
        .service = subject->service, .layer = hot->head.layer, .prefix = &hot->head.addr};
    offer_hard(detector, WEIR_WATCH_place, &hot->track, is_open(subject), scope, best);
}

/* What the outage left behind on single prefixes was the outage, too. */
static void forget_places(struct weir_detector *detector, weir_service_id id) {
    size_t cursor = 0;
    detector->services[id].hot = NULL;
    for (struct weir_prefix *prefix; (prefix = weir_assoc_next(&detector->prefixes, &cursor));)
        if (prefix->head.service == id) weir_track_reset(&prefix->track);
}

const struct weir_watch weir_watch_place = {
    .name = "place",
    .help = "trials at one prefix that fail",
    .scope = WEIR_WATCHES_SERVICE,
    .rank = 99.9,
    .offer = offer_place,
    .judge = weir_verdict_service,
    .forget = forget_places,
};

/* ---- connecting and requesting together ---- */

/* Connecting fails and requests hang: neither may be enough by itself yet. Their evidence is
 * summed, against a higher h; it is not pooled, for what is useful in one layer says nothing of the
 * other. Few clients only: of many each layer soon has enough, and the sum would be told before it
 * is seen where it fails. `tracks` of the layers above DNS; NULL: not seen. */
static void offer_sum(const struct weir_detector *detector, enum weir_watch_id watch,
                      const struct weir_track *const tracks[WEIR_LAYER_N], struct weir_scope scope,
                      struct weir_alarm *best) {
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
    if (scope.strength >= 1 && failing) weir_alarm_offer(best, watch, scope, fail_us);
}

static void offer_place_pooled(const struct weir_detector *detector,
                               const struct weir_subject *subject, struct weir_alarm *best) {
    const struct weir_track *tracks[WEIR_LAYER_N];
    const struct weir_prefix *hot = hot_of(detector, subject);
    if (!hot) return;
    for (uint8_t layer = 0; layer < WEIR_LAYER_N; layer++) {
        const struct weir_prefix *prefix =
            weir_keyed_find(&detector->prefixes, &hot->head.addr, subject->service, layer);
        tracks[layer] = prefix ? &prefix->track : NULL;
    }
    struct weir_scope scope = {
        .service = subject->service, .layer = hot->head.layer, .prefix = &hot->head.addr};
    offer_sum(detector, WEIR_WATCH_place_pooled, tracks, scope, best);
}

static void offer_pooled(const struct weir_detector *detector, const struct weir_subject *subject,
                         struct weir_alarm *best) {
    const struct weir_track *tracks[WEIR_LAYER_N];
    for (uint8_t layer = 0; layer < WEIR_LAYER_N; layer++)
        tracks[layer] = &detector->services[subject->service].layer[layer];
    struct weir_scope scope = {.service = subject->service};
    offer_sum(detector, WEIR_WATCH_pooled, tracks, scope, best);
}

const struct weir_watch weir_watch_place_pooled = {
    .name = "place_pooled",
    .help = "connections and requests at one prefix that fail, together",
    .scope = WEIR_WATCHES_SERVICE,
    .rank = 98.9,
    .offer = offer_place_pooled,
    .judge = weir_verdict_service,
};
const struct weir_watch weir_watch_pooled = {
    .name = "pooled",
    .help = "connections and requests that fail, together",
    .scope = WEIR_WATCHES_SERVICE,
    .rank = 99,
    .offer = offer_pooled,
    .judge = weir_verdict_service,
};

/* ---- its QUIC ---- */

/* QUIC against TCP to the same name at the same moment: a client that is its own comparison needs
 * less evidence. */
static void offer_quic(const struct weir_detector *detector, const struct weir_subject *subject,
                       struct weir_alarm *best) {
    const struct weir_track_state *state =
        now_of(detector, &detector->services[subject->service].quic_blocked);
    bool open = is_open(subject) && subject->incident->record.cause == WEIR_CAUSE_QUIC_BLOCKED;
    double h = quic_share * detector->rule.h;
    struct weir_scope scope = {.service = subject->service,
                               .layer = WEIR_STREAM_FALLBACK,
                               .since_us = state->hard.onset_us,
                               .began_us = state->hard.began_us,
                               .strength = state->hard.s / h};
    if (open ? state->hard.s >= h / 4 : state->hard.s >= h && is_failing(detector, state))
        weir_alarm_offer(best, WEIR_WATCH_quic, scope, state->last_fail_us);
}

static bool quic_lasts(const struct weir_detector *detector, const struct weir_subject *subject) {
    return !weir_track_is_over(detector, &detector->services[subject->service].quic_blocked);
}

static void forget_quic(struct weir_detector *detector, weir_service_id id) {
    weir_track_reset(&detector->services[id].quic_blocked);
}

const struct weir_watch weir_watch_quic = {
    .name = "quic",
    .help = "QUIC that fails where TCP to the same name is useful",
    .scope = WEIR_WATCHES_SERVICE,
    .rank = 20,
    .offer = offer_quic,
    .judge = weir_verdict_service,
    .lasts = quic_lasts,
    .forget = forget_quic,
};

/* ---- the uplink ---- */

static void offer_uplink(const struct weir_detector *detector, const struct weir_subject *subject,
                         struct weir_alarm *best) {
    struct weir_scope scope = {.layer = WEIR_LAYER_CONNECT};
    offer_hard(detector, WEIR_WATCH_uplink, &detector->uplink, is_open(subject), scope, best);
}

static void offer_uplink_slow(const struct weir_detector *detector,
                              const struct weir_subject *subject, struct weir_alarm *best) {
    struct weir_scope scope = {.layer = WEIR_LAYER_CONNECT};
    offer_slow(detector, WEIR_WATCH_uplink_slow, &detector->uplink, is_open(subject), scope, best);
}

/* Only where connecting works: what is cut off starves as well. */
static void offer_congestion(const struct weir_detector *detector,
                             const struct weir_subject *subject, struct weir_alarm *best) {
    struct weir_scope scope = {.layer = WEIR_LAYER_SERVE};
    if (best->rank <= 0 && !weir_uplink_is_out(detector) &&
        detector->now_us - detector->together_us <= 2 * WEIR_SLOT_US)
        offer_hard(detector, WEIR_WATCH_congestion, &detector->congestion, is_open(subject), scope,
                   best);
}

static bool uplink_lasts(const struct weir_detector *detector, const struct weir_subject *subject) {
    (void)subject;
    return !weir_track_is_over(detector, &detector->uplink);
}

static bool congestion_lasts(const struct weir_detector *detector,
                             const struct weir_subject *subject) {
    (void)subject;
    return !weir_track_is_over(detector, &detector->congestion);
}

const struct weir_watch weir_watch_uplink = {
    .name = "uplink",
    .help = "connections that fail, whoever is asked",
    .scope = WEIR_WATCHES_SITE,
    .rank = 100,
    .offer = offer_uplink,
    .judge = weir_verdict_uplink,
    .lasts = uplink_lasts,
};
const struct weir_watch weir_watch_uplink_slow = {
    .name = "uplink_slow",
    .help = "a share of all connections that fails for minutes",
    .scope = WEIR_WATCHES_SITE,
    .rank = 50,
    .offer = offer_uplink_slow,
    .judge = weir_verdict_uplink,
};
const struct weir_watch weir_watch_congestion = {
    .name = "congestion",
    .help = "requests of several services that starve at once",
    .scope = WEIR_WATCHES_SITE,
    .rank = 20,
    .offer = offer_congestion,
    .judge = weir_verdict_congestion,
    .lasts = congestion_lasts,
};

/* ---- a resolver ---- */

static void offer_resolver(const struct weir_detector *detector, const struct weir_subject *subject,
                           struct weir_alarm *best) {
    struct weir_scope scope = {.layer = WEIR_LAYER_DNS, .prefix = &subject->resolver->head.addr};
    offer_hard(detector, WEIR_WATCH_resolver, &subject->resolver->track, is_open(subject), scope,
               best);
}

static bool resolver_lasts(const struct weir_detector *detector,
                           const struct weir_subject *subject) {
    return !weir_track_is_over(detector, &subject->resolver->track);
}

const struct weir_watch weir_watch_resolver = {
    .name = "resolver",
    .help = "lookups at one resolver that fail",
    .scope = WEIR_WATCHES_RESOLVER,
    .rank = 100,
    .offer = offer_resolver,
    .judge = weir_verdict_resolver,
    .lasts = resolver_lasts,
};
