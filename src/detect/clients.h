/* What was seen of clients and destinations, and what their other trials say of a failure: see
 * controls.c. */
#pragma once

#include <weir/detect.h>

#include "detect/keyed.h"

struct weir_detector;
struct weir_shown;

enum { WEIR_NOTES = 12 };
struct weir_note { /* the latest result of a client at one (service, prefix) */
    struct weir_addr prefix;
    int64_t at_us, fail_us; /* of the latest result, of the latest failure */
    uint8_t service;
    bool ok;
};
struct weir_client {
    struct weir_keyed_head head;
    struct weir_note notes[WEIR_NOTES];
    int64_t answered_us; /* the last lookup that was answered */
    uint32_t ok_run;     /* trials of closed slots since the last failure, any service */
};
struct weir_destination { /* a prefix, whatever the service and layer (but DNS) */
    struct weir_keyed_head head;
    uint64_t services[WEIR_SERVICES_MAX / 64]; /* bit: the service was seen here */
    /* closed slots: useful trials; failures since the last of them */
    uint32_t useful, fail_run;
    int64_t last_ok_us;
};

/* controls.c */
void weir_controls_note(struct weir_detector *detector, const struct weir_trial *trial,
                        struct weir_shown *shown, bool closed);
/* A failure that came all the way to the client as an answer: its link and the uplink carried it.
 */
static inline bool weir_is_answer(uint8_t kind) {
    return kind == WEIR_OUTCOME_REFUSED || kind == WEIR_OUTCOME_TLS_ALERT ||
           kind == WEIR_OUTCOME_QUIC_CLOSE || kind == WEIR_OUTCOME_HOLLOW ||
           kind == WEIR_OUTCOME_DNS_SERVFAIL || kind == WEIR_OUTCOME_DNS_REFUSED ||
           kind == WEIR_OUTCOME_DNS_NXDOMAIN;
}
/* 1, weight_unknown or 0: what a failure of this client at this service is worth. `shown`: of this
 * trial, or zero. */
double weir_controls_weight(const struct weir_detector *detector, const struct weir_trial *trial,
                            const struct weir_shown *shown);
/* True when the trial may speak for the path to the world: its destination is known to have worked.
 */
bool weir_controls_counts(const struct weir_detector *detector, const struct weir_trial *trial,
                          const struct weir_shown *shown);
void weir_controls_count_clients(struct weir_detector *detector, int64_t now_us);

/* Prefixes that served the service in this layer, in the ten minutes before. */
unsigned weir_prefixes_used(const struct weir_detector *detector, weir_service_id service,
                            uint8_t layer, int64_t before_us);
