/* What bears on one alarm, gathered in one pass over the history: see judgement.c. */
#pragma once

#include <weir/detect.h>

#include "detect/fisher.h"
#include "detect/history.h"
#include "detect/wilson.h"

struct weir_detector;

/* What is asked: the evidence since `since_us` of one subject. */
struct weir_scope {
    weir_service_id service;
    uint8_t layer;
    bool slow; /* a slow burn: mixed slots count as one of each */
    /* the evidence is of all layers above dns; `layer` is where it shows worst */
    bool pooled;
    const struct weir_addr *prefix; /* the evidence is of this prefix, or NULL */
    int64_t since_us, began_us;
    /* of an open incident the last failure: what is useful after it says that it is over; 0: now */
    int64_t until_us;
    double strength; /* S / h */
};

/* Flags beside those of the history: it is one of the trials judged; a control; a lookup beside. */
enum { WEIR_JUDGED_OWN = 128, WEIR_JUDGED_OTHER = 64, WEIR_JUDGED_LOOKUP = 32 };
struct weir_judged { /* one trial */
    int64_t at_us;
    uint32_t client, place; /* numbers */
    uint32_t next;          /* of the same service: its place in the list, or WEIR_JUDGED_NONE */
    uint16_t useful_ms;     /* from at_us to when it was last useful */
    uint8_t service, layer, kind, flags, role, name;
};
struct weir_sums { /* of one client, or of one place: a server's prefix, a resolver */
    /* trials judged; of the same service's other layers; control trials */
    struct weir_tally own, peer, other;
    struct weir_tally lookups; /* of names that are in none of these */
    /* of a place: all control trials there, also where this service fails */
    struct weir_tally near;
    /* failures that were answers, of own and peer, of other, of near: no link's fault */
    uint32_t own_answers, other_answers, near_answers;
    /* scratch of beside.c: trials that nothing else explains; it is a trouble by itself */
    struct weir_tally left;
    bool taken;
    /* of a server's prefix: its autonomous system; 0: not known */
    uint32_t as;
    bool is_server;
};
/* Addresses in order of their appearance in this judgement: 0, 1, 2.. */
struct weir_cast {
    struct weir_addr *addrs; /* by number */
    uint32_t *known;         /* by number: the history's */
    uint32_t *numbers;       /* by the history's number: number + 1; 0: has not appeared */
    size_t n, room, numbers_room;
};
struct weir_judgement {
    struct weir_cast clients, places;
    struct weir_sums *by_client, *by_place; /* by number */
    struct weir_judged *trials;             /* in order of time, nearly */
    size_t n, room;
    /* The first and the last trial of each service. An alarm asks for its own service's trials a
     * dozen times, and these are a twentieth of all. */
    uint32_t first[WEIR_SERVICES_MAX], last[WEIR_SERVICES_MAX];
    size_t n_read; /* items of the history that the last judgement, or glance, has read */
    struct weir_tally by_service[WEIR_SERVICES_MAX]; /* controls, as they are published */
    /* more than could be told apart, or the history does not reach back so far */
    bool overrun;
};
enum { WEIR_JUDGED_MAX = 1 << 18 }; /* clients, and places, that are told apart */
#define WEIR_JUDGED_NONE UINT32_MAX

void weir_judgement_deinit(struct weir_judgement *judgement);
/* All trials that were decided since then, at the earliest; forgets the judgement before. */
void weir_judgement_begin(struct weir_detector *detector, int64_t since_us);
/* What a judgement of a resolver would find its controls to be, read off the history: a tenth of
 * the work. False where that can't be told so: a server has the same address, or too much is there
 * to be judged. */
struct weir_glance {
    struct weir_tally controls;
    size_t n_read;
    bool overrun; /* the history does not reach back so far */
};
bool weir_judgement_glance(const struct weir_detector *detector, const struct weir_addr *resolver,
                           int64_t since_us, int64_t began_us, struct weir_glance *ret_glance);
/* The trials stay, nobody's own: they are summed anew, for another subject. */
void weir_judgement_forget_sums(struct weir_judgement *judgement);

/* The number of a place that appeared, or WEIR_INDEX_NONE. */
uint32_t weir_judgement_place(const struct weir_detector *detector, const struct weir_addr *addr);

/* An attempt may have begun this long before the fault: what was useful so soon after its begin
 * says nothing. */
#define WEIR_BEFORE_US INT64_C(1000000)

struct weir_pick {                       /* trials judged; unset members match all */
    bool any_service, any_layer, pooled; /* pooled: the layers above dns */
    weir_service_id service;
    uint8_t layer, need;        /* need: flags that must be set */
    uint32_t client, place;     /* number + 1 */
    uint32_t twin;              /* beside `place`, number + 1; 0: none */
    uint32_t as;                /* at the places of this autonomous system */
    int64_t since_us, until_us; /* until_us 0: now */
    int64_t useful_us;          /* not 0: older trials as well that were useful as late as this */
    bool slow;
};
/* Attempts fail some seconds after they began, all that began together in one tick, while useful
 * ones are decided at once. So what was useful counts since the first failing one began. */
int64_t weir_useful_since(const struct weir_scope *scope);
/* The trials that the scope speaks of. */
struct weir_pick weir_own_pick(const struct weir_scope *scope);
bool weir_pick_matches(const struct weir_judgement *judgement, const struct weir_pick *pick,
                       const struct weir_judged *trial);
/* Where trials that match the pick may be, in order: from the first on, while below judgement->n.
 */
static inline size_t weir_pick_first(const struct weir_judgement *judgement,
                                     const struct weir_pick *pick) {
    return pick->any_service ? 0 : judgement->first[pick->service];
}
static inline size_t weir_pick_next(const struct weir_judgement *judgement,
                                    const struct weir_pick *pick, size_t i) {
    return pick->any_service ? i + 1 : judgement->trials[i].next;
}
/* When it was last useful; else at_us. */
static inline int64_t weir_judged_last_us(const struct weir_judged *trial) {
    return trial->at_us + INT64_C(1000) * trial->useful_ms;
}
/* What one trial counts. */
static inline struct weir_tally weir_item_tally(uint8_t flags, bool slow) {
    bool ok = flags & WEIR_ITEM_OK, fail = flags & WEIR_ITEM_FAIL;
    if (ok && fail && slow) return (struct weir_tally){.fail = 1, .total = 2};
    return (struct weir_tally){.fail = fail && !ok, .total = 1};
}
struct weir_tally weir_judgement_sum(const struct weir_judgement *judgement,
                                     const struct weir_pick *pick);

/* Attempts that fail take seconds to do so. What was useful first after the last of these began may
 * be the recovery, and has no failures to be held against: such trials lose these flags. */
void weir_leave_out_recovery(struct weir_detector *detector, const struct weir_pick *pick,
                             uint8_t flags);

/* What follows fills the sums, each once a judgement. */
/* Trials, kinds; returns the tally that severity is judged by: the last severity_us, up to the last
 * failure. */
struct weir_tally weir_judge_severity(struct weir_detector *detector, const struct weir_pick *pick,
                                      struct weir_incident *record);
/* Own, and from it clients and prefixes of the record. Returns the sum. */
struct weir_tally weir_judge_own(struct weir_detector *detector, const struct weir_pick *pick,
                                 struct weir_incident *record);
/* Control trials since, outside `service` and outside places with own failures, and where enough
 * are left also outside the autonomous systems of these: fills controls, `other` of clients. Those
 * of all but `service` by place, whether or not these fail: `near`. */
struct weir_tally weir_judge_controls(struct weir_detector *detector, weir_service_id service,
                                      int64_t since_us, bool slow, struct weir_incident *record);
/* Trials of the same service in other layers: `peer`. */
void weir_judge_peers(struct weir_detector *detector, weir_service_id service, uint8_t layer,
                      int64_t since_us, bool slow);
/* Lookups of all names that peers leave out: `lookups`. */
void weir_judge_lookups(struct weir_detector *detector, const struct weir_scope *scope);

/* The number with most own failures, or WEIR_INDEX_NONE; *ret_rest all others. */
uint32_t weir_sums_top(const struct weir_sums *sums, size_t n, struct weir_tally *ret_rest);
static inline void weir_tally_add(struct weir_tally *sum, struct weir_tally more) {
    sum->fail += more.fail;
    sum->total += more.total;
}

/* regions.c: own trials of clients by region; the one region that is hit alone, or NULL. */
void weir_regions_fill(const struct weir_detector *detector, struct weir_incident *record);
const struct weir_incident_region *weir_regions_alone(const struct weir_detector *detector,
                                                      const struct weir_incident *record);

/* systems.c: places summed over one autonomous system. */
struct weir_system {
    uint32_t as; /* 0: not known, and all else is 0 */
    /* prefixes with own failures; and others where control trials fail */
    unsigned failing, neighbours;
    struct weir_tally own, peer, near;
    struct weir_tally rest, outside; /* own and near, of all else */
};
struct weir_system weir_system_of(const struct weir_judgement *judgement, uint32_t as);
struct weir_as weir_as_of(const struct weir_detector *detector, const struct weir_addr *addr);
/* Lists the failing prefixes of the system in the record. */
void weir_system_list(const struct weir_judgement *judgement, uint32_t as,
                      struct weir_incident *record);
/* Names the systems of the listed prefixes. */
void weir_systems_fill(const struct weir_detector *detector, struct weir_incident *record);
