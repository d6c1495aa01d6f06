/* From trials to tracks: which trial speaks for what, and how much.
 *
 *     trial --+-- service, layer ------- hard and slow mixture
 *             +-- service, layer, prefix
 *             +-- resolver               (layer dns)
 *             +-- uplink                 (layer connect, any service; all layers' failures while
 *             |                           nothing is useful)
 *             +-- QUIC against TCP       (layer quic)
 *             +-- congestion             (starved requests, while several services are thin)
 *             +-- history                the trials that a judgement reads later
 *
 * Guards come first, because the first rule is never to call sick a service that is healthy: a
 * service, prefix or resolver that never worked here isn't scored; a prefix that never worked
 * isn't, while the service works from others; slots in which the capture lost packets aren't folded
 * at all; a client whose other trials fail weighs nothing.
 */
#include <math.h>

#include "base/hash.h"
#include "detect/fold.h"

#define BLACKOUT_US INT64_C(5000000) /* without anything useful: what fails may be the uplink's */
/* an attempt that began longer ago doesn't date the onset  */
#define BEGAN_MAX_US INT64_C(60000000)

bool weir_trial_is_sane(const struct weir_detector *detector, const struct weir_trial *trial) {
    return trial->service >= WEIR_SERVICE_OTHER && trial->service < detector->n_services &&
           trial->layer < WEIR_LAYER_N && trial->kind < WEIR_OUTCOME_N &&
           (trial->ok || trial->fail);
}

static uint32_t useful(const struct weir_service_state *service, enum weir_layer layer) {
    return service->layer[layer].useful;
}

/* The never-healthy guard. Lookups alone don't pass it for connections: what is blocked from the
 * start resolves. An API's answers fail only where they were useful before. */
static bool is_known(const struct weir_detector *detector, const struct weir_trial *trial) {
    const struct weir_service_state *service = &detector->services[trial->service];
    uint32_t connected = useful(service, WEIR_LAYER_CONNECT) + useful(service, WEIR_LAYER_QUIC) +
                         useful(service, WEIR_LAYER_SERVE);
    uint32_t n = trial->layer == WEIR_LAYER_CONNECT || trial->layer == WEIR_LAYER_API ? connected
                 : trial->layer == WEIR_LAYER_DNS ? connected + useful(service, WEIR_LAYER_DNS)
                                                  : useful(service, (enum weir_layer)trial->layer);
    return n >= (uint64_t)detector->config.guard_useful;
}

static bool resolver_is_known(const struct weir_detector *detector, const struct weir_trial *trial,
                              const struct weir_shown *shown) {
    const struct weir_resolver *resolver =
        weir_keyed_find_again(&detector->resolvers, shown->resolver, &trial->prefix, 0, 0);
    return resolver && resolver->track.useful >= (uint64_t)detector->config.guard_useful;
}

/* A prefix that never worked, while the service works from others in the same slot. */
static bool is_dead_alternative(const struct weir_detector *detector,
                                const struct weir_trial *trial, const struct weir_shown *shown,
                                int64_t slot_start_us) {
    if (trial->ok || trial->layer == WEIR_LAYER_DNS ||
        detector->services[trial->service].ok_slot_us[trial->layer] != slot_start_us)
        return false;
    const struct weir_destination *destination =
        weir_keyed_find_again(&detector->destinations, shown->destination, &trial->prefix, 0, 0);
    return !destination || destination->useful == 0;
}

/* Every open request of the service hangs while others are served: a total freeze. A trial that
 * goes on from the slot before (its requests may still be answered) failed in that one. */
static bool is_total_freeze(const struct weir_detector *detector, const struct weir_trial *trial,
                            int64_t slot_start_us) {
    const int64_t *hung_us = detector->services[trial->service].hang_slot_us;
    int64_t failed_us = trial->fail_us <= slot_start_us && trial->attempts_overdue
                            ? slot_start_us - WEIR_SLOT_US
                            : slot_start_us;
    if (trial->layer != WEIR_LAYER_SERVE || (hung_us[0] != failed_us && hung_us[1] != failed_us))
        return false;
    for (size_t id = WEIR_SERVICE_OTHER; id < detector->n_services; id++)
        for (int layer = WEIR_LAYER_CONNECT; id != trial->service && layer < WEIR_LAYER_N; layer++)
            if (detector->services[id].ok_slot_us[layer] >= failed_us) return true;
    return false;
}

/* What its failure says: that such a one is rare, or how rare it is that this service's answers
 * take so long. */
static double nats_of(const struct weir_detector *detector, const struct weir_trial *trial) {
    return fmax(detector->p0_nats, fmin(trial->wait_nats, 2 * detector->p0_nats));
}

static struct weir_track_trial step_of(const struct weir_trial *trial, double weight, double factor,
                                       double nats) {
    bool plausible = trial->first_us > 0 && trial->first_us <= trial->fail_us &&
                     trial->fail_us - trial->first_us <= BEGAN_MAX_US;
    return (struct weir_track_trial){
        .ok = trial->ok,
        .fail = trial->fail,
        .weight = weight * factor,
        .nats = nats,
        .slow_weight = weight,
        .client = (uint32_t)weir_hash_addr(&trial->client) | 1,
        .at_us = trial->fail && !trial->ok ? trial->fail_us : trial->ok_us,
        .began_us = plausible     ? trial->first_us
                    : trial->fail ? trial->fail_us
                                  : trial->ok_us,
    };
}

static void fold(struct weir_detector *detector, struct weir_track *track,
                 const struct weir_track_trial *step, bool scored, bool closed) {
    if (scored)
        weir_track_fold(track, &detector->rule, step, detector->generation, closed);
    else if (closed && step->ok)
        track->useful++;
}

/* A trial is one, however often its client was served in the slot: how long it went on. */
static uint16_t useful_ms(const struct weir_trial *trial) {
    int64_t ms = trial->ok ? (trial->last_ok_us - trial->ok_us) / 1000 : 0;
    return (uint16_t)(ms < 0 ? 0 : ms > UINT16_MAX ? UINT16_MAX : ms);
}

/* Of its latest failing attempt; who does not say when it began has seen it fail. */
static int64_t began_us(const struct weir_trial *trial) {
    bool plausible = trial->last_began_us > 0 && trial->last_began_us <= trial->fail_us &&
                     trial->fail_us - trial->last_began_us <= BEGAN_MAX_US;
    return !trial->fail ? 0 : plausible ? trial->last_began_us : trial->fail_us;
}

static uint8_t name_of(const struct weir_trial *trial) {
    return trial->fail && trial->host_hash ? (uint8_t)(1 + trial->host_hash % UINT8_MAX) : 0;
}

struct weir_item weir_item_of(const struct weir_trial *trial, uint8_t layer, uint8_t flags) {
    return (struct weir_item){
        .client = trial->client,
        .prefix = trial->prefix,
        .at_us = trial->fail && !trial->ok ? trial->fail_us : trial->ok_us,
        .service = trial->service,
        .layer = layer,
        .kind = trial->kind,
        .role = trial->role,
        .name = name_of(trial),
        .useful_ms = useful_ms(trial),
        .began_us = began_us(trial),
        .back_us = trial->fail ? trial->back_us : trial->ok_us,
        .flags =
            (uint8_t)((trial->ok ? WEIR_ITEM_OK : 0) | (trial->fail ? WEIR_ITEM_FAIL : 0) | flags),
    };
}

static void remember(struct weir_detector *detector, const struct weir_trial *trial, uint8_t layer,
                     uint8_t flags, struct weir_shown *shown, bool closed) {
    struct weir_item item = weir_item_of(trial, layer, flags);
    weir_history_add(&detector->history, &item, &shown->numbers, closed);
}

static uint64_t useful_at(const struct weir_detector *detector, const struct weir_trial *trial,
                          enum weir_layer layer) {
    const struct weir_prefix *prefix =
        weir_keyed_find(&detector->prefixes, &trial->prefix, trial->service, (uint8_t)layer);
    return prefix ? prefix->track.useful : 0;
}

/* Of a place as of its service: what was reached by QUIC, or served, is there for TCP as well. */
static bool place_is_known(const struct weir_detector *detector, const struct weir_trial *trial,
                           const struct weir_prefix *prefix) {
    uint64_t n = prefix->track.useful;
    if (trial->layer == WEIR_LAYER_API) return true;
    if (trial->layer == WEIR_LAYER_CONNECT && n < (uint64_t)detector->config.guard_useful)
        n += useful_at(detector, trial, WEIR_LAYER_QUIC) +
             useful_at(detector, trial, WEIR_LAYER_SERVE);
    return n >= (uint64_t)detector->config.guard_useful;
}

static void fold_prefix(struct weir_detector *detector, const struct weir_trial *trial,
                        const struct weir_track_trial *step, struct weir_shown *shown, bool scored,
                        bool closed) {
    struct weir_service_state *service = &detector->services[trial->service];
    struct weir_prefix *prefix =
        weir_keyed_get_again(&detector->prefixes, &shown->prefix, &trial->prefix, trial->service,
                             trial->layer, step->at_us);
    bool known = trial->ok || place_is_known(detector, trial, prefix);
    fold(detector, &prefix->track, step, scored && known, closed);
    double s = weir_track_now(&prefix->track, detector->generation)->hard.s;
    const struct weir_prefix *hot = service->hot;
    if (s >= detector->rule.h / 2 &&
        (!hot || hot->head.service != trial->service ||
         s >= weir_track_now(&hot->track, detector->generation)->hard.s))
        service->hot = prefix;
}

/* QUIC failed and TCP to the same name was useful: not the service's failure, but evidence of its
 * own kind. */
static void fold_fallback(struct weir_detector *detector, const struct weir_trial *trial,
                          struct weir_shown *shown, bool closed) {
    struct weir_service_state *service = &detector->services[trial->service];
    bool failed = trial->fail && !trial->ok && trial->quic_fell_back;
    if (!failed && !trial->ok) return;
    /* where nothing ever got through (a dead IPv6), it is not QUIC that is missing */
    const struct weir_destination *destination =
        weir_keyed_find_again(&detector->destinations, shown->destination, &trial->prefix, 0, 0);
    bool scored = useful(service, WEIR_LAYER_CONNECT) + useful(service, WEIR_LAYER_SERVE) >=
                      (uint64_t)detector->config.guard_useful &&
                  destination && destination->useful > 0;
    struct weir_track_trial step = step_of(trial, 1, 1, -log(WEIR_QUIC_P0));
    fold(detector, &service->quic_blocked, &step, scored, closed);
    remember(detector, trial, WEIR_STREAM_FALLBACK, scored ? WEIR_ITEM_SCORED : 0, shown, closed);
}

static void fold_resolver(struct weir_detector *detector, const struct weir_trial *trial,
                          double weight, struct weir_shown *shown, bool closed) {
    struct weir_track_trial step = step_of(trial, weight, 1, detector->p0_nats);
    struct weir_resolver *resolver = weir_keyed_get_again(&detector->resolvers, &shown->resolver,
                                                          &trial->prefix, 0, 0, step.at_us);
    fold(detector, &resolver->track, &step,
         resolver->track.useful >= (uint64_t)detector->config.guard_useful, closed);
}

static void fold_service(struct weir_detector *detector, const struct weir_trial *trial,
                         double weight, struct weir_shown *shown, bool scored,
                         int64_t slot_start_us, bool closed) {
    struct weir_service_state *service = &detector->services[trial->service];
    double factor =
        is_total_freeze(detector, trial, slot_start_us) ? detector->config.freeze_weight : 1;
    struct weir_track_trial step = step_of(trial, weight, factor, nats_of(detector, trial));
    fold(detector, &service->layer[trial->layer], &step, scored, closed);
    if (trial->layer != WEIR_LAYER_DNS) fold_prefix(detector, trial, &step, shown, scored, closed);
    if (closed && trial->layer != WEIR_LAYER_DNS && (scored || trial->ok))
        service->ok_run = trial->ok ? service->ok_run + 1 : 0;
    if (closed && step.at_us > service->last_us) service->last_us = step.at_us;
}

/* Nothing was useful anywhere while this failed. With the names gone nobody tries to connect any
 * more: then the requests and lookups that stay without an answer are all that tells of a dead
 * uplink. */
static bool is_blackout(const struct weir_detector *detector, const struct weir_trial *trial) {
    return trial->fail && !trial->ok && trial->fail_us - detector->uplink_ok_us > BLACKOUT_US;
}

/* Thin or late, while several services are and none is not: they have the way out in common. */
static bool is_of_congestion(const struct weir_detector *detector, const struct weir_trial *trial) {
    return detector->together_us && trial->fail_us - detector->together_us <= 2 * WEIR_SLOT_US &&
           (trial->kind == WEIR_OUTCOME_STARVED || trial->kind == WEIR_OUTCOME_REQUEST_TIMEOUT);
}

void weir_fold_trial(struct weir_detector *detector, const struct weir_trial *trial,
                     struct weir_shown *shown, int64_t slot_start_us, bool closed) {
    bool control = weir_controls_counts(detector, trial, shown),
         real = trial->service >= WEIR_SERVICE_FIRST, dns = trial->layer == WEIR_LAYER_DNS;
    double weight = trial->fail ? weir_controls_weight(detector, trial, shown) : 1;
    bool fell_back =
        trial->layer == WEIR_LAYER_QUIC && trial->fail && !trial->ok && trial->quic_fell_back;
    bool scored = (!real || is_known(detector, trial)) &&
                  (!dns || resolver_is_known(detector, trial, shown)) && !fell_back &&
                  !is_dead_alternative(detector, trial, shown, slot_start_us);
    detector->stats.trials_unscored += closed && !scored;
    control = control && (!real || scored);
    if (dns) fold_resolver(detector, trial, weight, shown, closed);
    if (real && !fell_back)
        fold_service(detector, trial, weight, shown, scored, slot_start_us, closed);
    if (real && trial->layer == WEIR_LAYER_QUIC) fold_fallback(detector, trial, shown, closed);
    if (real && trial->layer == WEIR_LAYER_SERVE &&
        (!trial->fail || trial->ok || is_of_congestion(detector, trial))) {
        struct weir_track_trial step = step_of(trial, 1, 1, detector->p0_nats);
        fold(detector, &detector->congestion, &step, scored, closed);
    }
    bool uplink = control ? trial->layer == WEIR_LAYER_CONNECT || is_blackout(detector, trial)
                          : dns && scored && trial->kind == WEIR_OUTCOME_DNS_TIMEOUT &&
                                is_blackout(detector, trial);
    if (uplink) {
        struct weir_track_trial step = step_of(trial, 1, 1, detector->p0_nats);
        if (step.fail && weir_is_answer(trial->kind)) { /* it came by the uplink */
            step.ok = true;
            step.fail = uplink = false;
        }
        fold(detector, &detector->uplink, &step, true, closed);
    }
    remember(detector, trial, trial->layer,
             (scored ? WEIR_ITEM_SCORED : 0) | (control ? WEIR_ITEM_CONTROL : 0) |
                 (uplink ? WEIR_ITEM_UPLINK : 0),
             shown, closed);
}
