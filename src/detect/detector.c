/* The detector's life and its inputs: made, given windows, slots, ends of connections and demand,
 * asked each tick, freed. Trials go on to fold.c, the decision is judge.c's.
 */
#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "detect/fold.h"
#include "detect/state.h"

enum { SHOW_AHEAD = 4 }; /* trials whose memory is asked for in advance */

void weir_detector_free(struct weir_detector *detector) {
    if (!detector) return;
    for (size_t i = 0; detector->services && i < detector->n_services; i++) {
        for (int signal = 0; signal < WEIR_CONTINUOUS_N; signal++)
            free(detector->services[i].continuous.signals[signal]);
    }
    weir_watches_deinit(detector);
    free(detector->services);
    free(detector->regions);
    weir_assoc_deinit(&detector->links);
    weir_assoc_deinit(&detector->clients);
    weir_assoc_deinit(&detector->active);
    weir_assoc_deinit(&detector->destinations);
    weir_assoc_deinit(&detector->prefixes);
    weir_assoc_deinit(&detector->resolvers);
    weir_history_discard(&detector->history);
    free(detector->shown);
    weir_judgement_deinit(&detector->judgement);
    free(detector);
}

static void apply_h(struct weir_detector *detector) {
    const double h[] = {detector->config.h_small, detector->config.h_medium,
                        detector->config.h_large};
    const struct weir_detect_config *config = &detector->config;
    static const double hard[WEIR_ARMS] = {1, 0.5, 0.3}, slow[WEIR_ARMS] = {0.3, 0.1, 0.04};
    detector->rule.h = h[detector->h_level];
    detector->rule.hard_mixture = weir_mixture_rule(config->p0, hard, 2 * detector->rule.h);
    detector->rule.slow_mixture = weir_mixture_rule(config->p0, slow, 2 * config->h_slow);
}

static int allocate(struct weir_detector *detector) {
    const struct weir_detect_config *config = &detector->config;
    detector->services = calloc(detector->n_services, sizeof *detector->services);
    if (!detector->services ||
        weir_keyed_init(&detector->links, sizeof(struct weir_link), (size_t)config->max_clients) <
            0 ||
        weir_keyed_init(&detector->clients, sizeof(struct weir_client),
                        (size_t)config->max_clients) < 0 ||
        weir_keyed_init(&detector->active, sizeof(struct weir_keyed_head),
                        (size_t)config->max_clients) < 0 ||
        weir_keyed_init(&detector->destinations, sizeof(struct weir_destination),
                        (size_t)config->max_destinations) < 0 ||
        weir_keyed_init(&detector->prefixes, sizeof(struct weir_prefix),
                        (size_t)config->max_prefixes) < 0 ||
        weir_keyed_init(&detector->resolvers, sizeof(struct weir_resolver),
                        (size_t)config->max_resolvers) < 0 ||
        weir_history_init(&detector->history, (size_t)config->max_history) < 0 ||
        weir_watches_init(detector) < 0)
        return -ENOMEM;
    return 0;
}

int weir_detector_new(struct weir_detector **ret_detector, const struct weir_detect_config *config,
                      const char *const *names, size_t n_services, weir_incident_observer observer,
                      void *context) {
    if (n_services < WEIR_SERVICE_FIRST || n_services > WEIR_SERVICES_MAX ||
        config->p0 >= config->p1 || config->p0 >= config->p1_slow ||
        config->ends_p0 >= config->ends_p1)
        return -EINVAL;
    struct weir_detector *detector = calloc(1, sizeof *detector);
    if (!detector) return -ENOMEM;
    detector->config = *config;
    detector->observer = observer;
    detector->context = context;
    detector->n_services = n_services;
    if (allocate(detector) < 0) {
        weir_detector_free(detector);
        return -ENOMEM;
    }
    for (size_t i = 0; i < n_services; i++) {
        snprintf(detector->services[i].name, sizeof detector->services[i].name, "%s",
                 names[i] ? names[i] : "?");
        detector->services[i].continuous.loss_beyond =
            detector->services[i].continuous.loss_before = -1;
    }
    detector->rule = (struct weir_track_rule){.hard = weir_bernoulli(config->p0, config->p1),
                                              .slow = weir_bernoulli(config->p0, config->p1_slow),
                                              .h_slow = config->h_slow,
                                              .sprt_bound = weir_sprt_bound(config->sprt_error),
                                              .stale_us = config->stale_us};
    detector->p0_nats = -log(config->p0);
    detector->ends_step = weir_bernoulli(config->ends_p0, config->ends_p1);
    detector->generation = 1; /* tracks begin at 0: their open state isn't valid */
    apply_h(detector);
    *ret_detector = detector;
    return 0;
}

/* ---- the capture's own health ---- */

static bool is_frozen(const struct weir_detector *detector, int64_t slot_start_us) {
    for (unsigned i = 0; i < WEIR_FROZEN && i < detector->n_frozen; i++)
        if (detector->frozen[i] == slot_start_us) return true;
    return false;
}

void weir_detector_freeze(struct weir_detector *detector, int64_t slot_start_us) {
    if (!is_frozen(detector, slot_start_us))
        detector->frozen[detector->n_frozen++ % WEIR_FROZEN] = slot_start_us;
}

void weir_detector_window(struct weir_detector *detector, const struct weir_detect_window *window) {
    detector->dns_blind = window->dns_blind;
    bool whole = window->drop_share <= detector->config.drop_share &&
                 window->one_way_share <= detector->config.one_way_share;
    bool sound = whole && !detector->sight.blindness;
    if (!whole && !detector->sight.blindness)
        detector->blind = (struct weir_blind){.drop_share = window->drop_share,
                                              .one_way_share = window->one_way_share};
    if (!sound) weir_detector_freeze(detector, window->start_us);
    sound = sound && !is_frozen(detector, window->start_us);
    detector->frozen_run = sound ? 0 : detector->frozen_run + 1;
    detector->sound_run = sound ? detector->sound_run + 1 : 0;
    for (int i = 0; sound && i < WEIR_WATCH_N; i++)
        if (weir_watches[i]->window) weir_watches[i]->window(detector, window);
}

void weir_detector_sight(struct weir_detector *detector, const struct weir_detect_sight *sight) {
    detector->sight = *sight;
    if (sight->blindness) weir_detector_freeze(detector, detector->open_start_us);
}

/* ---- trials ---- */

/* Room for what is looked up for `n` trials. Without memory nothing is remembered. */
static void show_room(struct weir_detector *detector, size_t n) {
    if (n <= detector->shown_room) return;
    size_t room = n + n / 2;
    free(detector->shown);
    detector->shown = calloc(room, sizeof *detector->shown);
    detector->shown_room = detector->shown ? room : 0;
}

void weir_detector_slot(struct weir_detector *detector, const struct weir_slot *slot, bool closed) {
    detector->generation++;
    weir_history_rewind(&detector->history);
    detector->open_start_us = closed ? slot->start_us + WEIR_SLOT_US : slot->start_us;
    if (closed) detector->stats.trials += slot->n_trials;
    if (is_frozen(detector, slot->start_us)) {
        if (closed) detector->stats.trials_frozen += slot->n_trials;
        return;
    }
    show_room(detector, slot->n_trials);
    struct weir_shown *shown = detector->shown, once;
    for (size_t i = 0; i < slot->n_trials; i++) {
        const struct weir_trial *trial = &slot->trials[i];
        if (i + SHOW_AHEAD < detector->shown_room) weir_shown_prefetch(&shown[i + SHOW_AHEAD]);
        if (!weir_trial_is_sane(detector, trial)) continue;
        if (!detector->shown) once = (struct weir_shown){0};
        weir_controls_note(detector, trial, detector->shown ? &shown[i] : &once, closed);
        if (trial->ok) detector->services[trial->service].ok_slot_us[trial->layer] = slot->start_us;
    }
    for (size_t i = 0; i < slot->n_trials; i++) {
        if (!weir_trial_is_sane(detector, &slot->trials[i])) continue;
        if (!detector->shown) once = (struct weir_shown){0};
        weir_fold_trial(detector, &slot->trials[i], detector->shown ? &shown[i] : &once,
                        slot->start_us, closed);
    }
    for (int i = 0; closed && i < WEIR_WATCH_N; i++)
        if (weir_watches[i]->slot) weir_watches[i]->slot(detector, slot);
}

/* ---- what isn't a trial ---- */

void weir_detector_connection_end(struct weir_detector *detector,
                                  const struct weir_connection_end *end) {
    if (end->service < WEIR_SERVICE_FIRST || end->service >= detector->n_services ||
        is_frozen(detector, detector->open_start_us))
        return;
    weir_resets_take(detector, end);
}

static void note_hang(struct weir_service_state *service, int64_t slot_us) {
    if (service->hang_slot_us[0] == slot_us) return;
    service->hang_slot_us[1] = service->hang_slot_us[0];
    service->hang_slot_us[0] = slot_us;
}

void weir_detector_demand(struct weir_detector *detector, const struct weir_demand *demand) {
    if (demand->service < WEIR_SERVICE_FIRST || demand->service >= detector->n_services) return;
    struct weir_service_state *service = &detector->services[demand->service];
    service->viewers = demand->viewers;
    service->viewers_stalled = demand->viewers_stalled;
    service->viewers_known = demand->viewers_known == demand->viewers;
    service->stalled_since_us = demand->stalled_since_us;
    if (demand->open > 0 && demand->overdue >= demand->open &&
        (demand->clients_overdue >= 2 || demand->overdue >= 2))
        note_hang(service, detector->open_start_us);
    if (demand->clients_starved > 0 && demand->clients_starved >= demand->clients_open) {
        if (detector->open_start_us - service->starved_slot_us > WEIR_SLOT_US)
            service->starved_since_us = detector->now_us;
        service->starved_slot_us = detector->open_start_us;
    } else if (demand->clients_open > demand->clients_starved)
        service->demand_slot_us = detector->open_start_us;
}

void weir_detector_traffic(struct weir_detector *detector, int64_t now_us, bool heard,
                           const uint64_t asking[WEIR_SERVICES_MAX / 64]) {
    if (heard) {
        detector->heard_us = now_us;
        memset(detector->asking, 0, sizeof detector->asking);
        return;
    }
    for (size_t i = 0; i < WEIR_SERVICES_MAX / 64; i++) detector->asking[i] |= asking[i];
}

/* Several services starve at once, and nothing shows that the way out is free; or one does, and
 * what goes to the others waits in a queue that it did not use to wait in, or is lost as its own
 * is. */
static void note_congestion(struct weir_detector *detector) {
    unsigned starved = 0, healthy = 0;
    bool queued = false;
    /* in its first seconds the open slot has seen nobody yet */
    int64_t lately_us = detector->open_start_us - WEIR_SLOT_US;
    for (size_t id = WEIR_SERVICE_FIRST; id < detector->n_services; id++) {
        const struct weir_service_state *service = &detector->services[id];
        bool is_starved = service->starved_slot_us && service->starved_slot_us >= lately_us;
        starved += is_starved;
        queued |= is_starved && weir_queue_is_shared(detector, (weir_service_id)id);
        healthy += !is_starved && service->demand_slot_us && service->demand_slot_us >= lately_us;
    }
    bool full = weir_downlink_is_full(weir_downlink_of(detector), detector->now_us);
    bool loses = starved && weir_way_out_loses(detector);
    bool together = starved >= 2 && healthy == 0 && !weir_way_out_is_free(detector);
    if (together) detector->together_us = detector->now_us;
    if (queued || loses || together || (starved >= 2 && full && starved > healthy))
        detector->congested_us = detector->now_us;
}

/* ---- time ---- */

/* h follows the number of active clients once it has stayed on the other side of a bound; upwards
 * at once in the beginning. */
static void choose_h(struct weir_detector *detector) {
    uint8_t level = detector->n_active > detector->config.large_clients    ? 2
                    : detector->n_active > detector->config.medium_clients ? 1
                                                                           : 0;
    bool beginning = detector->now_us - detector->first_us < detector->config.active_us;
    if (level != detector->h_wanted) {
        detector->h_wanted = level;
        detector->h_since_us = detector->now_us;
    }
    if (level != detector->h_level &&
        ((beginning && level > detector->h_level) ||
         detector->now_us - detector->h_since_us >= detector->config.active_us)) {
        detector->h_level = level;
        apply_h(detector);
    }
}

static void count_clients(struct weir_detector *detector) {
    bool beginning = detector->now_us - detector->first_us < detector->config.active_us;
    if (detector->counted_us &&
        detector->now_us - detector->counted_us < (beginning ? WEIR_SLOT_US : 6 * WEIR_SLOT_US))
        return;
    detector->counted_us = detector->now_us;
    weir_controls_count_clients(detector, detector->now_us);
    choose_h(detector);
}

void weir_detector_step(struct weir_detector *detector, int64_t now_us) {
    if (!detector->first_us) detector->first_us = now_us;
    detector->now_us = now_us;
    count_clients(detector);
    note_congestion(detector);
    weir_judge(detector);
}

/* ---- who asks ---- */

static void for_each_open(const struct weir_detector *detector,
                          void (*visit)(void *context, struct weir_case *incident), void *context) {
    struct weir_detector *all = (struct weir_detector *)detector;
    struct weir_case *site[] = {&all->capture_case, &all->uplink_case};
    for (size_t i = 0; i < 2; i++)
        if (site[i]->open) visit(context, site[i]);
    for (size_t i = 0; i < WEIR_RESOLVER_CASES; i++)
        if (all->resolver_cases[i].open) visit(context, &all->resolver_cases[i]);
    for (size_t i = 0; i < WEIR_CLIENT_CASES; i++)
        if (all->client_cases[i].open) visit(context, &all->client_cases[i]);
    for (size_t i = 0; i < all->n_services; i++)
        if (all->services[i].incident.open) visit(context, &all->services[i].incident);
}

struct visit_open {
    weir_incident_observer visit;
    void *context;
};

static void visit_record(void *context, struct weir_case *incident) {
    const struct visit_open *visit = context;
    visit->visit(visit->context, &incident->record);
}

void weir_detector_open(const struct weir_detector *detector, weir_incident_observer visit,
                        void *context) {
    struct visit_open all = {visit, context};
    for_each_open(detector, visit_record, &all);
}

static void report(void *context, struct weir_case *incident) {
    weir_case_report(context, incident);
}

void weir_detector_report(struct weir_detector *detector, int64_t now_us) {
    detector->now_us = now_us;
    for_each_open(detector, report, detector);
}

void weir_detector_finish(struct weir_detector *detector, int64_t now_us) {
    weir_detector_report(detector, now_us);
}

enum weir_state weir_detector_state(const struct weir_detector *detector, weir_service_id id) {
    if (id < WEIR_SERVICE_FIRST || id >= detector->n_services) return WEIR_STATE_UNKNOWN;
    if (detector->sight.blindness || detector->capture_case.open) return WEIR_STATE_UNKNOWN;
    const struct weir_service_state *service = &detector->services[id];
    if (service->incident.open && weir_silence_lasts(detector, id))
        return (enum weir_state)service->incident.record.state;
    uint32_t known = service->layer[WEIR_LAYER_CONNECT].useful +
                     service->layer[WEIR_LAYER_QUIC].useful +
                     service->layer[WEIR_LAYER_SERVE].useful;
    if (known < (uint64_t)detector->config.guard_useful ||
        detector->now_us - service->last_us > detector->config.silent_us)
        return WEIR_STATE_UNKNOWN;
    double worst = 0;
    uint32_t ok_run = service->ok_run;
    for (int layer = 0; layer < WEIR_LAYER_N; layer++) {
        double s = weir_track_now(&service->layer[layer], detector->generation)->hard.s;
        worst = s > worst ? s : worst;
    }
    if (service->incident.open)
        return worst < detector->rule.h / 2 && ok_run >= 3 &&
                       service->incident.record.state != WEIR_STATE_DEGRADED &&
                       !service->layer[service->incident.record.layer].committed.slow_alarm
                   ? WEIR_STATE_RECOVERING
                   : (enum weir_state)service->incident.record.state;
    if (detector->uplink_case.open && ok_run == 0)
        return (enum weir_state)detector->uplink_case.record.state;
    return worst >= detector->rule.h / 2 ? WEIR_STATE_SUSPECT : WEIR_STATE_HEALTHY;
}

const struct weir_detect_stats *weir_detector_stats(const struct weir_detector *detector) {
    struct weir_detect_stats *stats = &((struct weir_detector *)detector)->stats;
    stats->evicted_clients = detector->clients.evicted;
    stats->evicted_prefixes = detector->prefixes.evicted;
    stats->evicted_destinations = detector->destinations.evicted;
    stats->evicted_resolvers = detector->resolvers.evicted;
    return stats;
}
