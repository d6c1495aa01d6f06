/* One watched stream of trials: see track.c. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "detect/mixture.h"
#include "detect/sprt.h"

struct weir_track_state {
    struct weir_mixture hard, slow; /* mixed slots: useful; one of each */
    struct weir_sprt hard_sprt, slow_sprt;
    bool hard_alarm, slow_alarm; /* reached h, not back below h/4 */
    uint32_t fail_client;        /* of the latest failure */
    uint32_t ok_run;             /* trials since the last failure */
    /* failures since slow evidence was last at rest: in mixed slots, in slots without success */
    uint32_t slow_mixed, slow_pure;
    int64_t last_us, last_fail_us; /* trials that counted; 0: none */
    /* of closed slots outside alarms, the older ones halved now and then: what is usual here */
    float n_ok, n_fail;
};

struct weir_track {
    /* up to the last closed slot; with the open slot's trials */
    struct weir_track_state committed, open;
    uint64_t generation; /* of `open`: valid while it is the detector's */
    uint32_t useful;     /* useful trials in closed slots, for the guards */
};

struct weir_track_rule { /* the same for all tracks at one time */
    struct weir_mixture_rule hard_mixture, slow_mixture;
    struct weir_bernoulli hard, slow; /* for the tests that clear */
    double h, h_slow, sprt_bound;
    /* evidence older than a silence of this length isn't of the same event */
    int64_t stale_us;
};

struct weir_track_trial {
    bool ok, fail;              /* both: mixed */
    double weight, slow_weight; /* of the failure */
    double nats;                /* that it says at weight 1 */
    uint32_t client;            /* who: a hash; 0 nobody in particular */
    /* when it was decided; when the earliest failing attempt began */
    int64_t at_us, began_us;
};

void weir_track_fold(struct weir_track *track, const struct weir_track_rule *rule,
                     const struct weir_track_trial *trial, uint64_t generation, bool closed);
/* The state as of now. */
const struct weir_track_state *weir_track_now(const struct weir_track *track, uint64_t generation);
/* Evidence from elsewhere says that all is well: forgets the failures. */
void weir_track_reset(struct weir_track *track);
