/* Each tick: which watch is alarmed, what does the evidence say, and what is over?
 *
 * The site's own causes are asked first (capture, uplink, resolvers), so that a service is accused
 * last. A service has one incident: its worst alarm (watches.c) gives scope and severity, in the
 * order hard failure, slow burn, degradation.
 */
#include "detect/state.h"

/* an incident that began this long before the uplink's may be a part of it */
#define MERGE_US    INT64_C(120000000)
#define FAILS_ON_US INT64_C(60000000) /* and must have failed as lately as this */
/* evidence of a layer without trials for so long gives way to other layers' */
#define STALE_US INT64_C(300000000)
enum { OTHER_LAYERS_OK = 10 };

static const struct weir_track_state *now_of(const struct weir_detector *detector,
                                             const struct weir_track *track) {
    return weir_track_now(track, detector->generation);
}

/* ---- what is over ---- */

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
static bool has_faded(const struct weir_detector *detector, const struct weir_subject *subject) {
    const struct weir_service_state *service = &detector->services[subject->service];
    const struct weir_case *incident = &service->incident;
    if (!is_quiet(detector, incident)) return false;
    if (weir_watches_last(detector, WEIR_WATCHES_SERVICE, subject)) return false;
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
    weir_case_clear(detector, &detector->services[id].incident, NULL);
    for (int i = 0; i < WEIR_WATCH_N; i++)
        if (weir_watches[i]->forget) weir_watches[i]->forget(detector, id);
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
    if (incident->open && has_recovered(detector, incident)) {
        clear_service(detector, id);
        return;
    }
    struct weir_subject subject = {.service = id, .incident = incident};
    struct weir_alarm worst = weir_alarm_of(detector, WEIR_WATCHES_SERVICE, &subject);
    if (worst.rank <= 0) {
        if (incident->open && !service->hot && has_faded(detector, &subject))
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
    weir_alarm_judge(detector, &worst, &verdict);
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
           fail_us <= detector->uplink_case.over_us + WEIR_SLOT_US;
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

static void judge_uplink(struct weir_detector *detector) {
    struct weir_case *incident = &detector->uplink_case;
    const struct weir_track_state *state = now_of(detector, &detector->uplink);
    struct weir_subject subject = {.incident = incident};
    if (incident->open && !weir_way_out_loses(detector) && has_recovered(detector, incident)) {
        clear_uplink(detector);
        return;
    }
    if (incident->open)
        ask_uplink_again(detector);
    else
        detector->uplink_disproven = false;
    struct weir_alarm worst = weir_alarm_of(detector, WEIR_WATCHES_SITE, &subject);
    if (worst.rank > 0) {
        if (incident->open && (detector->now_us - incident->judged_us < WEIR_SLOT_US ||
                               worst.fail_us <= incident->evidence_us))
            return;
        if (!incident->open && detector->now_us < detector->uplink_again_us) return;
        struct weir_verdict verdict;
        weir_alarm_judge(detector, &worst, &verdict);
        detector->uplink_again_us = ask_again(detector, verdict.open);
        if (!verdict.open && verdict.record.cause == WEIR_CAUSE_UPLINK)
            merge_into_uplink(detector, &verdict, worst.fail_us);
        else if (!incident->open)
            weir_case_route(detector, incident, &verdict, worst.fail_us);
        return;
    }
    if (incident->open && !weir_watches_last(detector, WEIR_WATCHES_SITE, &subject) &&
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
    struct weir_subject subject = {.resolver = resolver, .incident = incident};
    if (incident && has_recovered(detector, incident)) {
        weir_case_clear(detector, incident, NULL);
        weir_track_reset(&resolver->track);
        return;
    }
    struct weir_alarm worst = weir_alarm_of(detector, WEIR_WATCHES_RESOLVER, &subject);
    if (worst.rank > 0) {
        if (incident && (detector->now_us - incident->judged_us < WEIR_SLOT_US ||
                         worst.fail_us <= incident->evidence_us))
            return;
        if (!incident && detector->now_us < resolver->ask_again_us) return;
        struct weir_verdict verdict;
        weir_alarm_judge(detector, &worst, &verdict);
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
    if (incident && !weir_watches_last(detector, WEIR_WATCHES_RESOLVER, &subject) &&
        is_quiet(detector, incident) &&
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
    weir_watches_tick(detector, WEIR_WATCHES_CAPTURE);
    for (unsigned i = 0; i < WEIR_FROZEN; i++)
        if (detector->frozen[i] == detector->open_start_us && detector->n_frozen > i) return;
    judge_uplink(detector);
    weir_watches_tick(detector, WEIR_WATCHES_CLIENT);
    weir_watches_tick(detector, WEIR_WATCHES_SERVICE);
    size_t cursor = 0;
    for (struct weir_resolver *resolver;
         (resolver = weir_assoc_next(&detector->resolvers, &cursor));)
        judge_resolver(detector, resolver);
    for (size_t id = WEIR_SERVICE_FIRST; id < detector->n_services; id++)
        judge_service(detector, (weir_service_id)id);
    clear_the_gone(detector);
}
