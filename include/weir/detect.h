/* detect: from trials to incidents. Touches no packet and reads no clock, so that a simulator
 * drives months of it with hand-made slots.
 *
 * Order of the calls in each tick (1 s of the engine's clock), by the coordinator:
 *   weir_detector_freeze       when the capture lost packets in a slot, as soon as that is known
 *   weir_detector_window       once for each window that ended, before that slot is given as closed
 *   weir_detector_slot         closed = true once for each slot that is over, in order of time;
 *                              then closed = false with the slot that is open now: all of its
 *                              trials so far, each tick
 *   weir_detector_connection_end, _demand, _traffic   as they come
 *   weir_detector_step         decides; incidents leave through the observer, during this call only
 * Only weir_detector_slot(closed) and weir_detector_step are indispensable.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weir/incident.h>
#include <weir/service.h>
#include <weir/trial.h>

/* Every constant of the detectors. Filled by weir_detect_config_default, changed by the rows of
 * weir_detect_options. */
struct weir_detect_config {
    /* failing share of trials: healthy, hard failure, slow burn */
    double p0, p1, p1_slow;
    /* hard CUSUM: evidence to raise, by number of active clients */
    double h_small, h_medium, h_large;
    int64_t medium_clients, large_clients; /* h_medium above the first, h_large above the second */
    double joint;                          /* h of several layers' evidence summed, as a multiple */
    double h_slow;
    double ends_p0, ends_p1, ends_h; /* connection ends */
    /* connections reset in mid-transfer before it may raise */
    int64_t ends_min;
    double weight_unknown; /* of a client without control trials */
    /* of a FAIL in a slot in which every open request of the service hangs */
    double freeze_weight;
    double fisher_p; /* client and prefix tests */
    /* share of the time that each is bad */
    double prior_service, prior_path, prior_client, prior_resolver, prior_uplink;
    /* log odds by which an explanation must beat the others */
    double lead;
    /* of the service's share: that one client's application fails at it, and not its link */
    double share_here;
    /* a path that nobody went round, against the service: served from several places lately; one */
    double share_path, share_path_only;
    double something_else; /* probability that the cause is none of those that are asked */
    double sprt_error;     /* alpha and beta of the clearing test */
    double drop_share, one_way_share; /* above: the capture can't be judged */
    double z_raise, z_clip, z_drift;  /* continuous CUSUM */
    double scale_min;                 /* least scale of log values */
    int64_t guard_useful;             /* useful trials before anything is scored */
    int64_t control_us;               /* how long a client's control trial speaks for it */
    /* a client with a trial in this time is active; also the hysteresis of h */
    int64_t active_us;
    int64_t slow_pure_us, slow_mixed_us; /* age of a slow burn before it may raise */
    int64_t clear_us;                    /* least time from raise to clear */
    int64_t clear_ok;                    /* trials in a row that must be OK to clear */
    /* a raise in this time after the clear reopens the incident */
    int64_t reopen_us;
    int64_t silent_us;   /* no trials in this time: unknown */
    int64_t severity_us; /* severity is judged over this much at the most */
    int64_t client_us;   /* age before a client alone is reported */
    /* failures before a silence of this length don't add to those after it */
    int64_t stale_us;
    /* before both, only the last 10 minutes are the baseline */
    int64_t baseline_us, baseline_samples;
    int64_t silence_clients; /* active clients below which silence says nothing */
    double silence_p;        /* chance at which a service is held to be silent */
    /* bounds of memory, entries */
    int64_t max_clients, max_prefixes, max_destinations, max_resolvers, max_history;
};

enum weir_detect_option_type { WEIR_DETECT_REAL, WEIR_DETECT_COUNT, WEIR_DETECT_SECONDS };

/* One option: what the configuration file and --help read. Values are in `unit`; seconds are kept
 * as microseconds. */
struct weir_detect_option {
    const char *name; /* "p0": key below `detect:` */
    enum weir_detect_option_type type;
    /* into struct weir_detect_config: a double, or an int64_t */
    size_t offset;
    double value, min, max; /* default and bounds */
    const char *unit, *help;
};
const struct weir_detect_option *weir_detect_options(size_t *ret_n);
void weir_detect_config_default(struct weir_detect_config *ret_config);
/* Sets one option by name, in its unit. 0, -ENOENT (no such option) or -ERANGE (outside its
 * bounds). */
int weir_detect_config_set(struct weir_detect_config *config, const char *name, double value);

struct weir_detect_service_window {
    weir_service_id service;
    struct {
        /* median of the window; us, goodput in bit/s; not read when samples == 0 */
        double value;
        uint32_t samples; /* fewer than 5: added up with other windows (sparse.c) */
        uint32_t clients; /* that gave samples; 0: not known, taken as one */
    } value[WEIR_CONTINUOUS_N];
    /* of what its servers sent over TCP: lost between here and the clients, on the way to here;
     * < 0: not known */
    double loss_beyond, loss_before;
    uint32_t segments_down; /* full TCP segments that came from its servers */
};

struct weir_detect_window {
    int64_t start_us;  /* of the window: a multiple of WEIR_SLOT_US */
    double drop_share; /* kernel and interface drops / packets received */
    /* established flows seen in one direction / all; 0 when too few to say */
    double one_way_share;
    double down_bps; /* to clients, all traffic; <= 0: not known */
    /* most servers are reached without a DNS answer that was seen: names are hidden */
    bool dns_blind;
    const struct weir_detect_service_window *services;
    size_t n_services;
    const struct weir_client_link *links; /* in order of their clients; may be empty */
    size_t n_links;
};

/* What keeps the capture from seeing, besides lost packets and one direction, which come with the
 * window. */
enum weir_blindness {
    WEIR_BLIND_NOT,
    WEIR_BLIND_LINK_DOWN,
    WEIR_BLIND_SILENT,
    WEIR_BLIND_UNDECODED,
    WEIR_BLINDNESS_N
};
struct weir_detect_sight {
    enum weir_blindness blindness;
    int64_t since_us;
    double share;   /* UNDECODED: of the packets */
    char where[16]; /* LINK_DOWN: the interface */
};

struct weir_detect_stats {
    /* seen; in frozen slots; kept back by a guard */
    uint64_t trials, trials_frozen, trials_unscored;
    /* bounds of memory that were hit */
    uint64_t evicted_clients, evicted_prefixes, evicted_destinations, evicted_resolvers;
    uint64_t history_overrun; /* judgements whose onset was older than the history */
    /* judgements with more clients or prefixes than could be told apart */
    uint64_t tally_overrun;
    uint64_t incidents_refused; /* no room for one more incident */
    uint64_t raised, updated, cleared;
};

struct weir_detector; /* opaque */

/* `names[id]` for id 0 .. n_services - 1, as in records ("netflix"); copied. `observer` may be
 * NULL. 0 or -ENOMEM, -EINVAL. */
int weir_detector_new(struct weir_detector **ret_detector, const struct weir_detect_config *config,
                      const char *const *names, size_t n_services, weir_incident_observer observer,
                      void *context);
void weir_detector_free(struct weir_detector *detector);

/* Client prefixes with names; copied. 0 or -ENOMEM. */
struct weir_detect_region {
    struct weir_cidr prefix;
    char name[32];
};
int weir_detector_set_regions(struct weir_detector *detector,
                              const struct weir_detect_region *regions, size_t n);

/* Names the autonomous system of a server's address; false: not known. Called in weir_detector_step
 * and _finish only; the same answer for the same address as long as the detector lives. Without one
 * prefixes are not grouped. */
typedef bool (*weir_as_lookup)(void *context, const struct weir_addr *addr, struct weir_as *ret_as);
void weir_detector_set_as_lookup(struct weir_detector *detector, weir_as_lookup lookup,
                                 void *context);

void weir_detector_freeze(struct weir_detector *detector, int64_t slot_start_us);
void weir_detector_window(struct weir_detector *detector, const struct weir_detect_window *window);
void weir_detector_slot(struct weir_detector *detector, const struct weir_slot *slot, bool closed);
void weir_detector_connection_end(struct weir_detector *detector,
                                  const struct weir_connection_end *end);
void weir_detector_demand(struct weir_detector *detector, const struct weir_demand *demand);
/* Since the tick before: whether any server's packet came; bit: clients asked that service. */
void weir_detector_traffic(struct weir_detector *detector, int64_t now_us, bool heard,
                           const uint64_t asking[WEIR_SERVICES_MAX / 64]);
/* Each tick, before the step: while blind nothing is judged, every service is UNKNOWN, and an
 * incident says why. */
void weir_detector_sight(struct weir_detector *detector, const struct weir_detect_sight *sight);
void weir_detector_step(struct weir_detector *detector, int64_t now_us);
/* The capture is over: incidents that are open stay so, and are reported once more as `updated`. */
void weir_detector_finish(struct weir_detector *detector, int64_t now_us);

/* What survives a restart, as bytes for the same build (equal layouts). *ret_bytes is the caller's
 * to free. 0 or -ENOMEM. */
uint32_t weir_detector_layout(void);
int weir_detector_save(struct weir_detector *detector, uint8_t **ret_bytes, size_t *ret_n);
/* Into a new detector, before its first slot. < 0: the bytes are not whole; the detector is then
 * fit only to be freed. */
int weir_detector_restore(struct weir_detector *detector, const uint8_t *bytes, size_t n);
/* Reports every open incident once more, as `updated`: after a restart. */
void weir_detector_report(struct weir_detector *detector, int64_t now_us);

/* UNKNOWN: not yet 3 useful trials, or none for 15 minutes. */
enum weir_state weir_detector_state(const struct weir_detector *detector, weir_service_id service);
/* Visits every open incident. */
void weir_detector_open(const struct weir_detector *detector, weir_incident_observer visit,
                        void *context);
const struct weir_detect_stats *weir_detector_stats(const struct weir_detector *detector);
