/* What else is wrong meanwhile: see beside.c. Nats, beside all of it being chance. */
#pragma once

#include "detect/judgement.h"

struct weir_beside {
    double clients;       /* clients alone explain so much */
    double causes;        /* services and places alone */
    double rest;          /* others explain so much more */
    double all;           /* the best account of all that is beside */
    bool several_clients; /* fail with the trials that are judged */
};
/* Of the controls and lookups of the judgement, counted as a slow alarm does or not. */
struct weir_beside weir_beside(const struct weir_detector *detector, bool slow);
/* Of the trials with this flag (WEIR_JUDGED_OWN, _OTHER): services, places and clients, each for
 * itself. `rest` is not set. */
struct weir_beside weir_each_for_itself(const struct weir_detector *detector, uint8_t flag,
                                        bool slow);
/* A trouble of its own, where the tally is worth its price; else 0. */
double weir_own_trouble(struct weir_tally tally, double prior, double p0);

/* Failures of other services that were told to fail by themselves are known: they say nothing of
 * the uplink, of a client or of a place that is asked about now, and are no controls in this
 * judgement. After the own sums, before the controls. */
void weir_set_aside(struct weir_detector *detector, weir_service_id service);
