/* The coordinator's parts: trials, sessions, windows and detector, made and freed; and what each
 * hands on to the next, or to the sinks.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/asn.h"
#include "engine/bounds.h"
#include "engine/coordinator_inside.h"
#include "engine/maintenance.h"

void coordinator_publish(struct weir_coordinator *c, enum weir_record_type type, int64_t ts_us,
                         const void *body) {
    if (c->error) return;
    struct weir_record record = {.type = type, .ts_us = ts_us, .flow = body};
    c->error = weir_publisher_record(c->options->publisher, &record, &c->fault);
}

/* ---- what they hand on ---- */

static void fill_blocked(const struct weir_coordinator *c, struct weir_incident *incident) {
    struct weir_blocked_names names;
    if (!incident->service) return;
    weir_trials_blocked(c->trials, incident->service, incident->onset_us - BLOCKED_US, &names);
    incident->n_blocked_names =
        names.n < WEIR_INCIDENT_NAMES_MAX ? names.n : WEIR_INCIDENT_NAMES_MAX;
    memcpy(incident->blocked_names, names.text, incident->n_blocked_names * sizeof names.text[0]);
}

static void on_incident(void *context, const struct weir_incident *incident) {
    struct weir_coordinator *c = context;
    c->state_due = 0; /* a restart must know of it */
    c->incident_said = true;
    struct weir_incident said = *incident;
    fill_blocked(c, &said);
    const struct weir_service *service =
        said.service ? weir_service_get(c->options->set, said.service) : NULL;
    said.maintenance = weir_maintenance_covers(c->options->maintenance, c->options->n_maintenance,
                                               service ? service->id : NULL, said.raised_us);
    coordinator_publish(c, WEIR_RECORD_INCIDENT, said.ts_us, &said);
}

static void on_session(void *context, const struct weir_session_record *session) {
    coordinator_publish(context, WEIR_RECORD_SESSION, session->end_us, session);
}

static void on_attempt(void *context, const struct weir_evidence *attempt) {
    struct weir_coordinator *c = context;
    weir_trials_take(c->trials, attempt);
}

static void on_slot(void *context, const struct weir_slot *slot, bool closed) {
    struct weir_coordinator *c = context;
    weir_detector_slot(c->detector, slot, closed);
    if (closed) weir_rollup_slot(c->rollup, slot);
}

static void on_connection_end(void *context, const struct weir_connection_end *end) {
    struct weir_coordinator *c = context;
    weir_detector_connection_end(c->detector, end);
}

void coordinator_post_requests(struct weir_coordinator *c) {
    memcpy(c->bulletin_timeouts, weir_sessions_request_timeouts(c->sessions),
           c->n_services * sizeof c->bulletin_timeouts[0]);
    memcpy(c->bulletin_asks, weir_sessions_asks(c->sessions),
           c->n_services * sizeof c->bulletin_asks[0]);
}

/* ---- life ---- */

void weir_coordinator_set_namer(struct weir_coordinator *c, const struct weir_classifier *namer) {
    c->namer = namer;
}

void weir_coordinator_watch(struct weir_coordinator *c, struct weir_source *source) {
    c->live = source;
}

static int new_measure(struct weir_coordinator *c) {
    struct weir_service_set *set = c->options->set;
    const struct weir_engine_options *options = c->options;
    const struct weir_trials_config trials = {.set = set,
                                              .on_slot = on_slot,
                                              .on_connection_end = on_connection_end,
                                              .context = c,
                                              .local = options->local,
                                              .n_local = options->n_local,
                                              .trials_max = engine_bound(options, BOUND_TRIALS),
                                              .held_max = engine_bound(options, BOUND_HELD),
                                              .useful_max = engine_bound(options, BOUND_USEFUL),
                                              .names_max =
                                                  engine_bound(options, BOUND_KNOWN_NAMES)};
    const struct weir_sessions_config sessions = {
        .set = set,
        .n_services = c->n_services,
        .on_attempt = on_attempt,
        .on_session = on_session,
        .context = c,
        .sessions_max = engine_bound(options, BOUND_SESSIONS),
        .hosts_max = engine_bound(options, BOUND_SMALL_HOSTS)};
    int error = weir_trials_new(&c->trials, &trials);
    if (!error) error = weir_sessions_new(&c->sessions, &sessions);
    if (!error)
        error = weir_rollup_new(&c->rollup, c->n_services, engine_bound(options, BOUND_CLIENTS));
    return error;
}

int coordinator_new_detector(struct weir_coordinator *c) {
    const char *names[WEIR_SERVICES_MAX];
    for (size_t id = 0; id < c->n_services; id++)
        names[id] = weir_service_get(c->options->set, (weir_service_id)id)->id;
    int error =
        weir_detector_new(&c->detector, c->options->detect, names, c->n_services, on_incident, c);
    if (!error && c->options->asn)
        weir_detector_set_as_lookup(c->detector, weir_asn_lookup, c->options->asn);
    return error
               ? error
               : weir_detector_set_regions(c->detector, c->options->regions, c->options->n_regions);
}

int weir_coordinator_new(struct weir_coordinator **ret_coordinator,
                         const struct weir_engine_options *options) {
    struct weir_coordinator *c = calloc(1, sizeof *c);
    if (!c) return -ENOMEM;
    c->options = options;
    c->n_services = weir_service_set_count(options->set);
    c->facts_max = engine_bound(options, BOUND_ADDRESSES);
    c->facts = calloc(c->facts_max, sizeof *c->facts);
    c->bulletin_facts = calloc(c->facts_max, sizeof *c->bulletin_facts);
    int error = c->facts && c->bulletin_facts ? 0 : -ENOMEM;
    if (!error) error = weir_address_memory_new(&c->addresses, c->facts_max, 0);
    if (!error) error = weir_devices_new(&c->devices, 0);
    if (!error) error = new_measure(c);
    if (!error) weir_rollup_by_device(c->rollup, c->devices);
    if (!error) error = coordinator_new_detector(c);
    if (!error) error = coordinator_read_names(c);
    if (error) {
        weir_coordinator_free(c);
        return error;
    }
    coordinator_post_requests(c);
    *ret_coordinator = c;
    return 0;
}

void weir_coordinator_free(struct weir_coordinator *c) {
    if (!c) return;
    weir_detector_free(c->detector);
    weir_rollup_free(c->rollup);
    weir_sessions_free(c->sessions);
    weir_trials_free(c->trials);
    weir_gather_free(c->gather);
    weir_address_memory_free(c->addresses);
    weir_devices_free(c->devices);
    weir_names_file_free(c->names);
    weir_names_file_free(c->names_taken);
    free(c->flows);
    free(c->bulletin_facts);
    free(c->facts);
    free(c);
}
