/* What is watched: places, resolvers, services. See track.c, judge.c, queue.c. */
#pragma once

#include <weir/detect.h>

#include "detect/baseline.h"
#include "detect/downlink.h"
#include "detect/incidents.h"
#include "detect/keyed.h"
#include "detect/silence.h"
#include "detect/track.h"
#include "detect/watch.h"

struct weir_detector;

/* QUIC to a name dies, or is never answered, while TCP to the same name works: hardly ever in
 * health. */
#define WEIR_QUIC_P0 0.005
struct weir_prefix { /* key: prefix, service, layer */
    struct weir_keyed_head head;
    struct weir_track track;
};
struct weir_resolver {
    struct weir_keyed_head head;
    int64_t ask_again_us;
    struct weir_track track;
};

struct weir_ends { /* connection ends */
    struct weir_cusum cusum;
    uint32_t resets, clean_run; /* since s left 0; since the last reset */
    int64_t last_reset_us;
    bool alarm; /* reached h, not back below h/4 */
};

struct weir_service_state {
    char name[32];
    struct weir_track layer[WEIR_LAYER_N], quic_blocked;
    struct weir_prefix *hot; /* the prefix whose track stands highest; check head.service */
    struct weir_ends ends;
    struct weir_continuous_state continuous;
    void *memory[WEIR_WATCH_N]; /* of the service's watches, by row; NULL: none yet */
    /* slots in which every open request hung, the last two; 0: none */
    int64_t hang_slot_us[2];
    /* slots of the last starved, and of the last healthy demand */
    int64_t starved_slot_us, demand_slot_us;
    int64_t starved_since_us; /* when the starved slots in a row began */
    int64_t last_us;          /* last trial */
    /* slot in which a trial of that layer was useful last */
    int64_t ok_slot_us[WEIR_LAYER_N];
    /* trials of closed slots since the last failure, any layer but dns */
    uint32_t ok_run;
    /* a question that stayed open, or was another's, is not asked before */
    int64_t ask_again_us;
    /* who watches, whose picture stands still, as told last */
    uint32_t viewers, viewers_stalled;
    bool viewers_known;
    int64_t stalled_since_us;
    struct weir_case incident;
};

/* judge.c: raises, updates and clears, by what the tracks say now. */
void weir_judge(struct weir_detector *detector);

/* failing.c: nothing of it is left. */
bool weir_track_is_over(const struct weir_detector *detector, const struct weir_track *track);
/* resets.c: takes the end of a connection. */
void weir_resets_take(struct weir_detector *detector, const struct weir_connection_end *end);
/* fold.c: its service and layer exist, and it says something. */
bool weir_trial_is_sane(const struct weir_detector *detector, const struct weir_trial *trial);

/* queue.c: in the last window most of the others' packets waited as this service's did, and as
 * never in ten minutes. */
bool weir_queue_is_shared(const struct weir_detector *detector, weir_service_id service);
/* Packets of a service that starves pass as fast as ever, nobody's wait, none are lost. */
bool weir_way_out_is_free(const struct weir_detector *detector);
