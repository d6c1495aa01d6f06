/* A hand-made site: trials put into slots, driven through the detector as the coordinator does. */
#pragma once

#include <weir/detect.h>

#include "detect/state.h"

enum { NETFLIX = WEIR_SERVICE_FIRST, YOUTUBE, HULU, TWITCH, N_SITE_SERVICES };
enum { SITE_TRIALS = 16384, SITE_EVENTS = 512 };
#define T0     (INT64_C(1750000000) * 1000000) /* a multiple of 10 s: 2025-06-15 15:06:40 UTC */
#define SECOND INT64_C(1000000)

struct site {
    struct weir_detector *detector;
    int64_t slot_us; /* the open slot */
    struct weir_trial trials[SITE_TRIALS];
    size_t n;
    struct weir_incident events[SITE_EVENTS];
    size_t n_events;
};

void site_begin(struct site *site);
void site_begin_with(struct site *site, const struct weir_detect_config *config);
void site_end(struct site *site);
void site_incident(void *site, const struct weir_incident *incident); /* the detector's observer */

struct weir_addr site_client(unsigned i); /* 192.168.x.y */
struct weir_addr site_prefix(unsigned i); /* 198.18.i.0 */
/* One trial `at` seconds into the open slot. Returns it, for what else is to be set. */
struct weir_trial *site_ok(struct site *site, weir_service_id service, enum weir_layer layer,
                           unsigned client, unsigned prefix, double at);
struct weir_trial *site_fail(struct site *site, weir_service_id service, enum weir_layer layer,
                             unsigned client, unsigned prefix, double at);
struct weir_trial *site_mixed(struct site *site, weir_service_id service, enum weir_layer layer,
                              unsigned client, unsigned prefix, double at);
/* The ten ticks of the slot: trials appear when they are decided; then it is closed. */
void site_slot(struct site *site);
/* The same, but only those ticks that follow a failure, and the last. */
void site_slot_of_failures(struct site *site);
/* `n` slots in which clients 0..clients-1 use NETFLIX (prefixes 1, 2), YOUTUBE (3), OTHER (9, 10)
 * and lookups (53), all well. */
void site_healthy(struct site *site, unsigned n, unsigned clients);
void site_well(struct site *site, weir_service_id service, unsigned prefix, unsigned clients);
void site_sick(struct site *site, weir_service_id service, unsigned prefix, unsigned clients);
/* What else goes on in a slot, all well: NETFLIX at prefix 1 (bit 1) and 2 (bit 2), YOUTUBE (3),
 * and `other`: OTHER (9). */
void site_rest(struct site *site, unsigned clients, unsigned netflix_prefixes, bool other);

size_t site_count(const struct site *site, enum weir_incident_event event);
/* NULL: none */
const struct weir_incident *site_last(const struct site *site, enum weir_incident_event event);
/* since T0 */
double site_seconds(const struct site *site, int64_t at_us);
