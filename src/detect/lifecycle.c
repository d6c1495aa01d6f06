/* The life of an incident: raised once, updated seldom, cleared when it is over, one for one cause.
 *
 *     none --raise--> open --clear--> cleared
 *                     ^                  |
 *                     +---- reopened ----+
 *
 * - update, while open: another state, cause, scope or confidence; at most one a window
 * - reopened, within 10 minutes: the same id
 *
 * Where later evidence moves the blame (a service that turns out to be the uplink), the open
 * incident goes on under the new cause with its id, and others of the same cause are cleared as
 * parts of it: a person is told once.
 */
#include <stdio.h>
#include <string.h>

#include "detect/state.h"

enum { SPREAD_LEAST = 10 }; /* clients hit: below, a household's second and fourth would be told */
/* an onset this long before the uplink's may be of the same cause */
#define UNDER_US INT64_C(120000000)

static void emit(struct weir_detector *detector, struct weir_case *incident,
                 enum weir_incident_event event, const struct weir_case *part_of) {
    struct weir_incident *record = &incident->record;
    record->event = (uint8_t)event;
    record->ts_us = detector->now_us;
    incident->emitted_us = detector->now_us;
    incident->emitted_clients = record->n_clients;
    weir_systems_fill(detector, record);
    weir_sentence(detector, incident, part_of);
    *(event == WEIR_INCIDENT_RAISED    ? &detector->stats.raised
      : event == WEIR_INCIDENT_CLEARED ? &detector->stats.cleared
                                       : &detector->stats.updated) += 1;
    if (detector->observer) detector->observer(detector->context, record);
}

/* What the verdict says, under the incident's own identity. */
static void adopt(struct weir_case *incident, const struct weir_verdict *verdict) {
    struct weir_incident *record = &incident->record, old = *record;
    *record = verdict->record;
    memcpy(record->id, old.id, sizeof record->id);
    record->raised_us = old.raised_us;
    record->onset_us = old.onset_us;
    record->ts_us = old.ts_us;
    record->event = old.event;
    memcpy(record->text, old.text, sizeof record->text);
    incident->subject = verdict->subject;
}

/* Where there are many clients the first to fail raise the incident, and soon it is everybody. Told
 * each time that they have doubled: few times, however many they are. */
static bool has_spread(const struct weir_case *incident, const struct weir_incident *record) {
    return record->n_clients >= SPREAD_LEAST && record->n_clients >= 2 * incident->emitted_clients;
}

static bool is_changed(const struct weir_case *incident, const struct weir_verdict *verdict) {
    const struct weir_incident *old = &incident->record, *new = &verdict->record;
    bool path = new->cause == WEIR_CAUSE_CDN || new->cause == WEIR_CAUSE_CDN_PATH;
    return old->state != new->state || old->cause != new->cause ||
           old->confidence != new->confidence || has_spread(incident, new) ||
           (path && (weir_addr_compare(&incident->subject, &verdict->subject) != 0 ||
                     old->as.number != new->as.number));
}

static void open_new(struct weir_detector *detector, struct weir_case *incident,
                     const struct weir_verdict *verdict) {
    *incident =
        (struct weir_case){.record = verdict->record, .subject = verdict->subject, .exists = true};
    struct weir_incident *record = &incident->record;
    const char *what = record->service >= WEIR_SERVICE_FIRST
                           ? detector->services[record->service].name
                           : weir_cause_name(record->cause);
    snprintf(record->id, sizeof record->id, "%.20s-%lld", what,
             (long long)(record->onset_us / 1000));
    record->raised_us = detector->now_us;
}

/* What is down stays so until it is certain that less than four fifths fail: a few good trials are
 * not yet a recovery. That it was the way in alone shows only once viewers are seen to go on. */
static void keep_down(const struct weir_case *incident, struct weir_verdict *verdict) {
    if (incident->record.state == WEIR_STATE_DOWN && verdict->record.state == WEIR_STATE_PARTIAL &&
        incident->record.cause == verdict->record.cause &&
        verdict->record.part != WEIR_PART_CONTROL && verdict->record.trials.high > 0.8)
        verdict->record.state = WEIR_STATE_DOWN;
}

/* The same said with less to show for it: another layer's few failures, after those that it was
 * raised for. */
static bool is_weaker(const struct weir_case *incident, const struct weir_verdict *verdict) {
    const struct weir_incident *old = &incident->record, *new = &verdict->record;
    return old->state == new->state &&
           old->cause == new->cause &&weir_addr_compare(&incident->subject, &verdict->subject) ==
               0 &&
           new->trials.fail < old->trials.fail;
}

void weir_case_apply(struct weir_detector *detector, struct weir_case *incident,
                     const struct weir_verdict *said, int64_t evidence_us) {
    int64_t now_us = detector->now_us;
    struct weir_verdict judged = *said;
    const struct weir_verdict *verdict = &judged;
    if (incident->open) {
        keep_down(incident, &judged);
        bool changed = is_changed(incident, verdict);
        incident->judged_us = now_us;
        if (evidence_us > incident->evidence_us) incident->evidence_us = evidence_us;
        if ((changed && now_us - incident->emitted_us < WEIR_SLOT_US) ||
            is_weaker(incident, verdict))
            return;
        adopt(incident, verdict);
        if (changed) emit(detector, incident, WEIR_INCIDENT_UPDATED, NULL);
        return;
    }
    bool again =
        incident->exists && now_us - incident->record.cleared_us <= detector->config.reopen_us;
    if (again) {
        adopt(incident, verdict);
        incident->record.cleared_us = incident->record.recovered_us = 0;
        incident->reopened++;
    } else
        open_new(detector, incident, verdict);
    incident->open = true;
    incident->reraised_us = incident->judged_us = now_us;
    incident->evidence_us = evidence_us;
    emit(detector, incident, again ? WEIR_INCIDENT_REOPENED : WEIR_INCIDENT_RAISED, NULL);
}

void weir_case_clear(struct weir_detector *detector, struct weir_case *incident,
                     const struct weir_case *part_of) {
    struct weir_recovery recovery = weir_recovery_of(detector, incident);
    incident->open = false;
    incident->record.cleared_us = detector->now_us;
    incident->over_us = recovery.at_us ? recovery.at_us : incident->evidence_us;
    incident->record.recovered_us =
        recovery.at_us ? weir_recovery_end(detector, incident, &recovery) : incident->over_us;
    if (incident->record.recovered_us < incident->record.onset_us)
        incident->record.recovered_us = incident->record.onset_us;
    emit(detector, incident, WEIR_INCIDENT_CLEARED, part_of);
    if (part_of) incident->exists = false;
}

void weir_case_move(struct weir_case *from, struct weir_case *to) {
    *to = *from;
    from->open = from->exists = false;
}

void weir_case_report(struct weir_detector *detector, struct weir_case *incident) {
    struct weir_recovery recovery = weir_recovery_of(detector, incident);
    if (incident->record.cause == WEIR_CAUSE_CAPTURE) /* no trial tells its end */
        incident->record.recovered_us = detector->blind.back_us;
    else
        incident->record.recovered_us = incident->record.trials.fail && recovery.seems_over
                                            ? weir_recovery_end(detector, incident, &recovery)
                                            : 0;
    emit(detector, incident, WEIR_INCIDENT_UPDATED, NULL);
}

struct weir_case *weir_case_of(struct weir_detector *detector, struct weir_case *cases, size_t n,
                               const struct weir_addr *subject) {
    struct weir_case *free_case = NULL;
    for (size_t i = 0; i < n; i++) {
        if (cases[i].exists && weir_addr_compare(&cases[i].subject, subject) == 0) return &cases[i];
        if (!cases[i].open &&
            (!free_case || !cases[i].exists ||
             (free_case->exists && cases[i].record.cleared_us < free_case->record.cleared_us)))
            free_case = &cases[i];
    }
    if (free_case) free_case->exists = false;
    return free_case;
}

static struct weir_case *target_of(struct weir_detector *detector,
                                   const struct weir_verdict *verdict) {
    switch (verdict->record.cause) {
    case WEIR_CAUSE_UPLINK: return &detector->uplink_case;
    case WEIR_CAUSE_CLIENT:
        return weir_case_of(detector, detector->client_cases, WEIR_CLIENT_CASES, &verdict->subject);
    case WEIR_CAUSE_DNS_RESOLVER:
        return weir_case_of(detector, detector->resolver_cases, WEIR_RESOLVER_CASES,
                            &verdict->subject);
    case WEIR_CAUSE_CAPTURE: return &detector->capture_case;
    default: return &detector->services[verdict->record.service].incident;
    }
}

/* What began to fail while the uplink did is the uplink's, until that is over and it still fails.
 */
static bool is_under_uplink(const struct weir_detector *detector, const struct weir_case *home,
                            const struct weir_incident *record) {
    const struct weir_case *uplink = &detector->uplink_case;
    return uplink->open && !detector->uplink_disproven && !home->open &&
           record->cause != WEIR_CAUSE_UPLINK && record->cause != WEIR_CAUSE_CAPTURE &&
           record->onset_us >= uplink->record.onset_us - UNDER_US &&
           record->onset_us <= uplink->evidence_us;
}

/* The uplink's incident turned out to be services that fail each by itself: the first of them goes
 * on with it. */
static bool goes_on_as(const struct weir_detector *detector, const struct weir_case *home,
                       const struct weir_incident *record) {
    return detector->uplink_case.open && detector->uplink_disproven && !home->open &&
           record->service >= WEIR_SERVICE_FIRST && record->cause != WEIR_CAUSE_CLIENT;
}

void weir_case_route(struct weir_detector *detector, struct weir_case *home,
                     const struct weir_verdict *verdict, int64_t evidence_us) {
    if (verdict->open || is_under_uplink(detector, home, &verdict->record)) {
        home->judged_us = detector->now_us;
        return;
    }
    if (goes_on_as(detector, home, &verdict->record)) weir_case_move(&detector->uplink_case, home);
    struct weir_case *target = target_of(detector, verdict);
    if (!target) {
        detector->stats.incidents_refused++;
        return;
    }
    if (target != home && home->open && !target->open) {
        if (target->exists &&
            detector->now_us - target->record.cleared_us <= detector->config.reopen_us) {
            weir_case_apply(detector, target, verdict, evidence_us);
            weir_case_clear(detector, home, target);
            return;
        }
        weir_case_move(home, target);
    }
    bool part = target != home && home->open;
    weir_case_apply(detector, target, verdict, evidence_us);
    if (part) weir_case_clear(detector, home, target);
}
