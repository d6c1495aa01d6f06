/* What the detector said of a make-believe site, held against what was so: see score.c. */
#pragma once

#include <weir/detect.h>

#include "world.h"

enum { SCORE_TIMES = 65536 };
struct score {
    const struct world *world;
    double days;
    unsigned right[WEIR_CAUSE_N], wrong[WEIR_CAUSE_N]; /* accusations by cause, one an incident */
    unsigned wrong_of[4];                              /* wrong ones while: nothing, a client, a prefix, the uplink was bad */
    struct score_kind {
        unsigned n, found, blamed;                     /* put in, raised, raised with the service as the cause */
        double seconds[SCORE_TIMES];                   /* from first failed trial to the incident */
        unsigned n_seconds;
    } full, intermittent, silent;
    bool found, blamed;                                /* the outage that goes on */
    double found_s;
    char judged[64][40];                               /* ids of incidents that were counted as wrong */
    unsigned n_judged;
    bool show;
};

void score_incident(void *score, const struct weir_incident *incident); /* the detector's observer */
void score_outage_over(struct score *score);
double score_percentile(struct score_kind *kind, double share);         /* seconds; < 0: none */
unsigned score_false_alarms(const struct score *score);
