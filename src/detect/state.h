/* What the detector keeps: plain structs, so that guards, baselines and open incidents can be saved and restored.
 *
 * The parts, and who changes them: controls.c (clients, destinations), history.c (history, tallies), baseline.c
 * (continuous), silence.c, downlink.c, lifecycle.c (cases), detector.c (all tracks).
 */
#pragma once

#include <weir/detect.h>

#include "detect/baseline.h"
#include "detect/downlink.h"
#include "detect/fisher.h"
#include "detect/keyed.h"
#include "detect/silence.h"
#include "detect/track.h"
#include "detect/wilson.h"

/* ---- what was seen: clients and destinations (controls.c) ---- */

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
    uint32_t ok_run; /* trials of closed slots since the last failure, any service */
};
struct weir_destination { /* a prefix, whatever the service and layer (but DNS) */
    struct weir_keyed_head head;
    uint64_t services[WEIR_SERVICES_MAX / 64]; /* bit: the service was seen here */
    uint32_t useful, fail_run;                 /* closed slots: useful trials; failures since the last of them */
    int64_t last_ok_us;
};
struct weir_prefix { /* key: prefix, service, layer */
    struct weir_keyed_head head;
    struct weir_track track;
};
struct weir_resolver {
    struct weir_keyed_head head;
    struct weir_track track;
};

/* ---- history (history.c) ---- */

/* Streams of items beside the layers: connection ends; QUIC against the TCP that clients fell back to. */
enum { WEIR_STREAM_ENDS = WEIR_LAYER_N, WEIR_STREAM_FALLBACK };
enum weir_item_flag { WEIR_ITEM_OK = 1, WEIR_ITEM_FAIL = 2, WEIR_ITEM_SCORED = 4, WEIR_ITEM_CONTROL = 8, WEIR_ITEM_UPLINK = 16 };
struct weir_item { /* one trial */
    struct weir_addr client, prefix;
    int64_t at_us;
    uint8_t service, layer, kind, flags;
};
struct weir_history {
    struct weir_item *items; /* ring of `size` (a power of two); positions count up for ever */
    size_t size;
    uint64_t n_closed, n; /* items of closed slots; with those of the open slot */
};

struct weir_tally_entry { /* of one client or prefix, in one judgement */
    struct weir_addr addr;
    uint64_t generation;
    uint32_t as; /* of a server's prefix: its autonomous system; 0: not known */
    struct weir_tally own, peer, other; /* trials judged; of the same service's other layers; control trials */
    struct weir_tally lookups;          /* of a client: lookups of names that are in none of these */
};
enum { WEIR_TALLIES = 4096 };
struct weir_tallies {
    struct weir_tally_entry *table;               /* hashed, WEIR_TALLIES * 2 */
    struct weir_tally_entry *order[WEIR_TALLIES]; /* those in use, in order of appearance */
    size_t n;
    uint64_t generation;
    bool overrun;
};

/* ---- incidents (lifecycle.c) ---- */

struct weir_case {
    struct weir_incident record;
    struct weir_addr subject; /* client or resolver; for a service the failing prefix, when the cause says so and record.as is unset */
    bool exists, open;        /* exists && !open: cleared, may be reopened */
    int64_t reraised_us;      /* the last raise: record.raised_us is the first */
    int64_t evidence_us;      /* of the last failure that spoke for it */
    int64_t judged_us;        /* when its verdict was last worked out */
    int64_t emitted_us;
    uint32_t emitted_clients; /* hit, as told last */
    uint32_t reopened;
};

/* What judging evidence came to. */
struct weir_verdict {
    bool hold;                   /* not enough to say: nothing is raised */
    struct weir_incident record; /* all but id, event, raised_us, cleared_us, text */
    struct weir_addr subject;
};

/* ---- services ---- */

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
    struct weir_silence *silence;            /* NULL: never tried */
    int64_t hang_slot_us[2];                 /* slots in which every open request hung, the last two; 0: none */
    int64_t starved_slot_us, demand_slot_us; /* slots of the last starved, and of the last healthy demand */
    int64_t last_us;                         /* last trial */
    int64_t ok_slot_us[WEIR_LAYER_N];        /* slot in which a trial of that layer was useful last */
    uint32_t ok_run;                         /* trials of closed slots since the last failure, any layer but dns */
    struct weir_case incident;
};

enum { WEIR_CLIENT_CASES = 16, WEIR_RESOLVER_CASES = 16, WEIR_FROZEN = 64 };

struct weir_detector {
    struct weir_detect_config config;
    weir_incident_observer observer;
    void *context;
    size_t n_services;
    struct weir_service_state *services;

    struct weir_track_rule rule;
    struct weir_bernoulli ends_step;
    uint8_t h_level, h_wanted; /* 0 small, 1 medium, 2 large; h_wanted held since h_since_us */
    int64_t h_since_us;
    uint32_t n_active, n_known;   /* clients with a trial in active_us (IPv6: /64s); devices in a day */
    int64_t counted_us, known_us; /* when they were counted */
    int64_t first_us;             /* the first step */

    struct weir_assoc clients, active, destinations, prefixes, resolvers;
    struct weir_history history;
    struct weir_tallies by_client, by_prefix;

    struct weir_detect_region *regions;
    size_t n_regions;
    weir_as_lookup as_lookup; /* NULL: no database */
    void *as_context;

    uint64_t generation;
    int64_t now_us, open_start_us;
    int64_t frozen[WEIR_FROZEN]; /* ring of slots that aren't judged */
    unsigned n_frozen;
    unsigned frozen_run, sound_run; /* windows in a row */
    double drop_share, one_way_share;
    bool dns_blind;

    int64_t silence_minute, silence_open; /* the last that was over, the one that is open */
    unsigned silence_slots;               /* of the open one, judged */

    struct weir_downlink downlink;
    struct weir_track uplink;
    int64_t congested_us; /* several services starved, none with open demand healthy: the last time */
    int64_t uplink_ok_us; /* last useful connection anywhere */
    int64_t heard_us;     /* last time that any server's packet came; 0: never, or not known */
    uint64_t asking[WEIR_SERVICES_MAX / 64]; /* services that clients sent to since */
    struct weir_case uplink_case, capture_case;
    struct weir_case client_cases[WEIR_CLIENT_CASES], resolver_cases[WEIR_RESOLVER_CASES];
    struct weir_detect_stats stats;
};

/* controls.c */
void weir_controls_note(struct weir_detector *detector, const struct weir_trial *trial, bool closed);
/* 1, weight_unknown or 0: what a failure of this client at this service is worth (METHODS 6.1). */
double weir_controls_weight(const struct weir_detector *detector, const struct weir_trial *trial);
/* True when the trial may speak for the path to the world: its destination is known to have worked. */
bool weir_controls_counts(const struct weir_detector *detector, const struct weir_trial *trial);
void weir_controls_count_clients(struct weir_detector *detector, int64_t now_us);

/* Prefixes that served the service in this layer, in the ten minutes before. */
unsigned weir_prefixes_used(const struct weir_detector *detector, weir_service_id service, uint8_t layer, int64_t before_us);

/* history.c */
int weir_history_init(struct weir_history *history, size_t max_items);
void weir_history_rewind(struct weir_history *history); /* drops the open slot's items */
void weir_history_add(struct weir_history *history, const struct weir_item *item, bool closed);
/* The first position with at_us that may be >= since; *ret_overrun when the history doesn't reach back so far. */
uint64_t weir_history_since(const struct weir_history *history, int64_t since_us, bool *ret_overrun);
static inline const struct weir_item *weir_history_at(const struct weir_history *history, uint64_t position)
{
    return &history->items[position & (history->size - 1)];
}
int weir_tallies_init(struct weir_tallies *tallies);
void weir_tallies_begin(struct weir_tallies *tallies);
const struct weir_tally_entry *weir_tallies_find(const struct weir_tallies *tallies,
                                                 const struct weir_addr *addr);                        /* or NULL */
struct weir_tally_entry *weir_tallies_get(struct weir_tallies *tallies, const struct weir_addr *addr); /* NULL: full */

/* attribute.c: judge the evidence since `since_us` of one subject. */
struct weir_scope {
    weir_service_id service;
    uint8_t layer;
    bool slow;                      /* a slow burn: mixed slots count as one of each */
    bool joint;                     /* the evidence is of all layers above dns; `layer` is where it shows worst */
    const struct weir_addr *prefix; /* the evidence is of this prefix, or NULL */
    int64_t since_us, began_us;
    int64_t until_us; /* of an open incident the last failure: what is useful after it says that it is over; 0: now */
    double strength; /* S / h */
};
void weir_attribute_service(struct weir_detector *detector, const struct weir_scope *scope,
                            struct weir_verdict *ret_verdict);
void weir_attribute_uplink(struct weir_detector *detector, const struct weir_scope *scope,
                           struct weir_verdict *ret_verdict);
void weir_attribute_resolver(struct weir_detector *detector, const struct weir_scope *scope,
                             struct weir_verdict *ret_verdict);
/* Continuous signals of a service deviate: degraded, if it isn't the uplink or the clients' own network. */
void weir_attribute_continuous(struct weir_detector *detector, const struct weir_scope *scope,
                               struct weir_verdict *ret_verdict);
/* Nobody tries the service any more. */
void weir_attribute_silence(struct weir_detector *detector, const struct weir_scope *scope, struct weir_verdict *ret_verdict);
/* The path out as a whole fails now: by its own CUSUM. */
bool weir_uplink_is_raised(const struct weir_detector *detector);

/* queue.c: in the last window most of the others' packets waited as this service's did, and as never in ten minutes. */
bool weir_queue_is_shared(const struct weir_detector *detector, weir_service_id service);

/* tally.c: what an incident publishes of the evidence. */
struct weir_pick { /* items judged; unset members match all */
    bool any_service, any_layer, joint; /* joint: the layers above dns */
    weir_service_id service;
    uint8_t layer, need; /* need: flags that must be set */
    const struct weir_addr *client, *prefix;
    const struct weir_tallies *systems; /* with `as`: items at the prefixes that these hold under that number */
    uint32_t as;
    int64_t since_us, until_us; /* until_us 0: now */
    bool slow;
};
/* The trials that the scope speaks of (attribute.c). */
struct weir_pick weir_own_pick(const struct weir_scope *scope);
bool weir_pick_matches(const struct weir_pick *pick, const struct weir_item *item);
struct weir_tally weir_item_tally(const struct weir_item *item, bool slow);
/* Fills trials, kinds; returns the tally that severity is judged by: the last severity_us, up to the last failure. */
struct weir_tally weir_tally_severity(struct weir_detector *detector, const struct weir_pick *pick,
                                      struct weir_incident *record);
/* Fills by_client and by_prefix (own), and from them clients and prefixes of the record. Returns the sum. */
struct weir_tally weir_tally_own(struct weir_detector *detector, const struct weir_pick *pick,
                                 struct weir_incident *record);
/* Control trials since, outside `service` and outside prefixes with own failures, and where enough are left also outside
 * the autonomous systems of these: fills controls, by_client (other). */
struct weir_tally weir_tally_controls(struct weir_detector *detector, weir_service_id service, int64_t since_us,
                                      bool slow, struct weir_incident *record);
/* Trials of the same service in other layers: fills by_client and by_prefix (peer). */
void weir_tally_peers(struct weir_detector *detector, weir_service_id service, uint8_t layer, int64_t since_us, bool slow);
/* Lookups of clients, of all names that peers leave out: fills by_client (lookups). */
void weir_tally_lookups(struct weir_detector *detector, const struct weir_scope *scope);
/* With a database: control trials of all but `service` by prefix, whether or not these fail: fills by_prefix (other). */
void weir_tally_neighbours(struct weir_detector *detector, weir_service_id service, int64_t since_us, bool slow);
struct weir_tally weir_tally_sum(const struct weir_detector *detector, const struct weir_pick *pick);
/* The entry with most own failures, or NULL; *ret_rest all others. */
const struct weir_tally_entry *weir_tally_top(const struct weir_tallies *tallies, struct weir_tally *ret_rest);

/* lifecycle.c: raises, reopens or updates. `evidence_us`: of the last failure that speaks for it. */
void weir_case_apply(struct weir_detector *detector, struct weir_case *incident, const struct weir_verdict *verdict,
                     int64_t evidence_us);
void weir_case_clear(struct weir_detector *detector, struct weir_case *incident, const struct weir_case *part_of);
/* The open incident goes on under another cause: `to` takes its id. */
void weir_case_move(struct weir_case *from, struct weir_case *to);
/* Takes the verdict to the incident that its cause belongs to; an open `home` that turns out to be part of it goes along. */
void weir_case_route(struct weir_detector *detector, struct weir_case *home, const struct weir_verdict *verdict,
                     int64_t evidence_us);
/* The case of this client or resolver; else a free one; else NULL. */
struct weir_case *weir_case_of(struct weir_detector *detector, struct weir_case *cases, size_t n,
                               const struct weir_addr *subject);
/* Reports an open incident once more. */
void weir_case_report(struct weir_detector *detector, struct weir_case *incident);

/* judge.c: raises, updates and clears, by what the tracks say now. */
void weir_judge(struct weir_detector *detector);

/* regions.c: by_client's own trials by region; the one region that is hit alone, or NULL. */
void weir_regions_fill(const struct weir_detector *detector, struct weir_incident *record);
const struct weir_incident_region *weir_regions_alone(const struct weir_detector *detector, const struct weir_incident *record);

/* systems.c: by_prefix summed over one autonomous system. */
struct weir_system {
    uint32_t as;                  /* 0: not known, and all else is 0 */
    unsigned failing, neighbours; /* prefixes with own failures; and others where control trials fail */
    struct weir_tally own, peer, other;
    struct weir_tally rest, outside; /* own and other, of all else */
};
struct weir_system weir_system_of(const struct weir_detector *detector, uint32_t as);
struct weir_as weir_as_of(const struct weir_detector *detector, const struct weir_addr *addr);
/* Lists the failing prefixes of the system in the record. */
void weir_system_list(const struct weir_detector *detector, uint32_t as, struct weir_incident *record);
/* Names the systems of the listed prefixes. */
void weir_systems_fill(const struct weir_detector *detector, struct weir_incident *record);

/* sentence.c: fills record->text. `part_of`: the incident that it turned out to belong to, or NULL. */
void weir_sentence(const struct weir_detector *detector, struct weir_case *incident, const struct weir_case *part_of);
