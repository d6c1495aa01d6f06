/* What the detector said of a make-believe site, held against what was so: see score.c. */
#pragma once

#include <weir/detect.h>

#include "world.h"

enum { SCORE_TIMES = 65536 };
struct score {
    const struct world *world;
    double days;
    unsigned right[WEIR_CAUSE_N], wrong[WEIR_CAUSE_N]; /* accusations by cause, one an incident */
    unsigned beside; /* of the wrong ones, those that gave the truth as an alternative */
    /* wrong ones while: nothing, a client, a prefix, the uplink was bad */
    unsigned wrong_of[4];
    struct score_kind {
        /* put in, raised, raised with the service as the cause */
        unsigned n, found, blamed;
        double seconds[SCORE_TIMES]; /* from first failed trial to the incident */
        unsigned n_seconds;
    } full, intermittent, silent;
    bool found, blamed; /* the outage that goes on */
    double found_s;
    /* ids of incidents that were counted as wrong */
    char judged[64][40];
    unsigned n_judged;
    bool show;
};

/* the detector's observer */
void score_incident(void *score, const struct weir_incident *incident);
void score_outage_over(struct score *score);
double score_percentile(struct score_kind *kind, double share); /* seconds; < 0: none */
unsigned score_false_alarms(const struct score *score);
