/* The detector: plain structs, so that guards, baselines and open incidents can be saved and
 * restored. A file includes the header of the idea that it is about, and this one only where it
 * needs the whole.
 */
#pragma once

#include "detect/clients.h"
#include "detect/history.h"
#include "detect/incidents.h"
#include "detect/judgement.h"
#include "detect/links.h"
#include "detect/losses.h"
#include "detect/verdict.h"
#include "detect/watch.h"
#include "detect/watched.h"

enum { WEIR_CLIENT_CASES = 16, WEIR_RESOLVER_CASES = 16, WEIR_FROZEN = 64, WEIR_CAPTURE_RUN = 6 };

struct weir_shown;

/* What last kept the capture from seeing: remembered after it sees again. */
struct weir_blind {
    struct weir_detect_sight sight;   /* WEIR_BLIND_NOT: the shares below, or nothing yet */
    double drop_share, one_way_share; /* of the last window that was lost in part */
    int64_t back_us;                  /* since when it sees again; 0: it does not, or always did */
};

struct weir_detector {
    struct weir_detect_config config;
    weir_incident_observer observer;
    void *context;
    size_t n_services;
    struct weir_service_state *services;

    struct weir_track_rule rule;
    struct weir_bernoulli ends_step;
    double p0_nats; /* -ln p0: what one failure says, asked for each trial in each tick */
    uint8_t h_level, h_wanted; /* 0 small, 1 medium, 2 large; h_wanted held since h_since_us */
    int64_t h_since_us;
    /* clients with a trial in active_us (IPv6: /64s); devices in a day */
    uint32_t n_active, n_known;
    int64_t counted_us, known_us; /* when they were counted */
    int64_t first_us;             /* the first step */

    struct weir_assoc links, clients, active, destinations, prefixes, resolvers;
    struct weir_history history;
    struct weir_shown *shown; /* by the trial's position in its slot; `shown_room` of them */
    size_t shown_room;
    struct weir_judgement judgement; /* the last one */

    struct weir_detect_region *regions;
    size_t n_regions;
    weir_as_lookup as_lookup; /* NULL: no database */
    void *as_context;

    uint64_t generation;
    int64_t now_us, open_start_us;
    int64_t frozen[WEIR_FROZEN]; /* ring of slots that aren't judged */
    unsigned n_frozen;
    unsigned frozen_run, sound_run; /* windows in a row */
    bool dns_blind;
    struct weir_detect_sight sight;
    struct weir_blind blind;

    int64_t silence_minute, silence_open; /* the last that was over, the one that is open */
    unsigned silence_slots;               /* of the open one, judged */

    void *memory[WEIR_WATCH_N]; /* of the site's watches, by row */
    struct weir_track uplink;
    /* starved requests while several services starve and none is served well */
    struct weir_track congestion;
    int64_t together_us; /* when that was so last */
    int64_t links_judged_us, uplink_again_us;
    /* several services starved, none with open demand healthy: the last time */
    int64_t congested_us;
    int64_t uplink_ok_us; /* last useful connection anywhere */
    int64_t heard_us;     /* last time that any server's packet came; 0: never, or not known */
    uint64_t asking[WEIR_SERVICES_MAX / 64]; /* services that clients asked since */
    struct weir_case uplink_case, capture_case;
    bool uplink_disproven;   /* the open incident of the uplink; asked again once a slot */
    int64_t uplink_asked_us; /* at this time last */
    struct weir_case client_cases[WEIR_CLIENT_CASES], resolver_cases[WEIR_RESOLVER_CASES];
    struct weir_detect_stats stats;
};
