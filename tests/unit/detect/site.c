#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "site.h"

void site_incident(void *context, const struct weir_incident *incident) {
    struct site *site = context;
    if (site->n_events < SITE_EVENTS) site->events[site->n_events++] = *incident;
    if (getenv("WEIR_TEST_SHOW")) /* for whoever looks into a failing scenario */
        fprintf(stderr, "%6.0f %-8s %-9s %-17s %-6s %s\n", site_seconds(site, incident->ts_us),
                weir_incident_event_name(incident->event), weir_state_name(incident->state),
                weir_cause_name(incident->cause), weir_confidence_name(incident->confidence),
                incident->text);
}

void site_begin_with(struct site *site, const struct weir_detect_config *config) {
    static const char *const names[N_SITE_SERVICES] = {"none",    "other", "netflix",
                                                       "youtube", "hulu",  "twitch"};
    memset(site, 0, sizeof *site);
    site->slot_us = T0;
    if (weir_detector_new(&site->detector, config, names, N_SITE_SERVICES, site_incident, site) < 0)
        abort();
}

void site_begin(struct site *site) {
    struct weir_detect_config config;
    weir_detect_config_default(&config);
    site_begin_with(site, &config);
}

void site_end(struct site *site) {
    weir_detector_free(site->detector);
    site->detector = NULL;
}

struct weir_addr site_client(unsigned i) {
    struct weir_addr addr = {
        {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 168, (uint8_t)(i >> 8), (uint8_t)i}};
    return addr;
}

struct weir_addr site_prefix(unsigned i) {
    struct weir_addr addr = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 198, 18, (uint8_t)i, 0}};
    return addr;
}

static struct weir_trial *put(struct site *site, weir_service_id service, enum weir_layer layer,
                              unsigned client, unsigned prefix, double at) {
    static const uint8_t kinds[WEIR_LAYER_N] = {WEIR_OUTCOME_DNS_TIMEOUT, WEIR_OUTCOME_SYN_TIMEOUT,
                                                WEIR_OUTCOME_QUIC_TIMEOUT,
                                                WEIR_OUTCOME_REQUEST_TIMEOUT, WEIR_OUTCOME_HOLLOW};
    struct weir_trial *trial = &site->trials[site->n++];
    if (site->n > SITE_TRIALS) abort();
    int64_t at_us = site->slot_us + (int64_t)(at * 1e6);
    *trial = (struct weir_trial){.client = site_client(client),
                                 .prefix = site_prefix(prefix),
                                 .service = service,
                                 .layer = (uint8_t)layer,
                                 .kind = kinds[layer],
                                 .ok_us = at_us,
                                 .fail_us = at_us,
                                 .first_us = at_us};
    return trial;
}

struct weir_trial *site_ok(struct site *site, weir_service_id service, enum weir_layer layer,
                           unsigned client, unsigned prefix, double at) {
    struct weir_trial *trial = put(site, service, layer, client, prefix, at);
    trial->ok = true;
    trial->fail_us = trial->first_us = 0;
    trial->kind = WEIR_OUTCOME_USEFUL;
    return trial;
}

struct weir_trial *site_fail(struct site *site, weir_service_id service, enum weir_layer layer,
                             unsigned client, unsigned prefix, double at) {
    struct weir_trial *trial = put(site, service, layer, client, prefix, at);
    trial->fail = true;
    trial->ok_us = 0;
    return trial;
}

struct weir_trial *site_mixed(struct site *site, weir_service_id service, enum weir_layer layer,
                              unsigned client, unsigned prefix, double at) {
    struct weir_trial *trial = put(site, service, layer, client, prefix, at);
    trial->ok = trial->fail = true;
    return trial;
}

static int64_t decided_us(const struct weir_trial *trial) {
    return trial->fail && (!trial->ok || trial->fail_us < trial->ok_us) ? trial->fail_us
                                                                        : trial->ok_us;
}

static int by_decision(const void *a, const void *b) {
    int64_t x = decided_us(a), y = decided_us(b);
    return (x > y) - (x < y);
}

static void tick_through(struct site *site, bool failures_only) {
    qsort(site->trials, site->n, sizeof *site->trials, by_decision);
    struct weir_slot slot = {.start_us = site->slot_us, .trials = site->trials};
    for (int tick = 1; tick <= 10; tick++) {
        int64_t now_us = site->slot_us + tick * SECOND;
        bool failed = false;
        while (slot.n_trials < site->n && decided_us(&site->trials[slot.n_trials]) <= now_us)
            failed |= site->trials[slot.n_trials++].fail;
        if (tick == 10) slot.n_trials = site->n;
        if (failures_only && !failed && tick < 10) continue;
        weir_detector_slot(site->detector, &slot, tick == 10);
        weir_detector_step(site->detector, now_us);
    }
    site->slot_us += WEIR_SLOT_US;
    site->n = 0;
}

void site_slot(struct site *site) { tick_through(site, false); }

void site_slot_of_failures(struct site *site) { tick_through(site, true); }

void site_well(struct site *site, weir_service_id service, unsigned prefix, unsigned clients) {
    for (unsigned client = 0; client < clients; client++) {
        site_ok(site, service, WEIR_LAYER_CONNECT, client, prefix, 1 + client * 0.1);
        site_ok(site, service, WEIR_LAYER_SERVE, client, prefix, 2 + client * 0.1);
    }
}

void site_sick(struct site *site, weir_service_id service, unsigned prefix, unsigned clients) {
    for (unsigned client = 0; client < clients; client++) {
        struct weir_trial *trial =
            site_fail(site, service, WEIR_LAYER_CONNECT, client, prefix, 4 + client * 0.1);
        trial->first_us = trial->fail_us - 3 * SECOND;
    }
}

void site_rest(struct site *site, unsigned clients, unsigned netflix_prefixes, bool other) {
    if (netflix_prefixes & 1) site_well(site, NETFLIX, 1, clients);
    if (netflix_prefixes & 2) site_well(site, NETFLIX, 2, clients);
    site_well(site, YOUTUBE, 3, clients);
    for (unsigned client = 0; other && client < clients; client++)
        site_ok(site, WEIR_SERVICE_OTHER, WEIR_LAYER_CONNECT, client, 9, 3);
}

void site_healthy(struct site *site, unsigned n, unsigned clients) {
    for (unsigned i = 0; i < n; i++) {
        site_well(site, NETFLIX, 1, clients);
        site_well(site, NETFLIX, 2, clients);
        site_well(site, YOUTUBE, 3, clients);
        for (unsigned client = 0; client < clients; client++) {
            site_ok(site, WEIR_SERVICE_OTHER, WEIR_LAYER_CONNECT, client, 9, 3);
            site_ok(site, WEIR_SERVICE_OTHER, WEIR_LAYER_CONNECT, client, 10, 3.5);
            site_ok(site, NETFLIX, WEIR_LAYER_DNS, client, 53, 0.5);
            site_ok(site, YOUTUBE, WEIR_LAYER_DNS, client, 53, 0.6);
            site_ok(site, WEIR_SERVICE_OTHER, WEIR_LAYER_DNS, client, 53, 0.7);
        }
        site_slot(site);
    }
}

size_t site_count(const struct site *site, enum weir_incident_event event) {
    size_t n = 0;
    for (size_t i = 0; i < site->n_events; i++) n += site->events[i].event == event;
    return n;
}

const struct weir_incident *site_last(const struct site *site, enum weir_incident_event event) {
    for (size_t i = site->n_events; i-- > 0;)
        if (site->events[i].event == event) return &site->events[i];
    return NULL;
}

double site_seconds(const struct site *site, int64_t at_us) { return (double)(at_us - T0) / 1e6; }
