/* Sums of trials by client and by prefix: see tally.c, systems.c, regions.c. */
#pragma once

#include <weir/detect.h>

#include "detect/fisher.h"
#include "detect/history.h"
#include "detect/wilson.h"

struct weir_detector;

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

int weir_tallies_init(struct weir_tallies *tallies);
void weir_tallies_begin(struct weir_tallies *tallies);
const struct weir_tally_entry *weir_tallies_find(const struct weir_tallies *tallies,
                                                 const struct weir_addr *addr);                        /* or NULL */
struct weir_tally_entry *weir_tallies_get(struct weir_tallies *tallies, const struct weir_addr *addr); /* NULL: full */



struct weir_scope;
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
