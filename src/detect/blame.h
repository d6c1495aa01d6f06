/* How likely is what was seen, under each account of it: see blame.c. */
#pragma once

#include "detect/judgement.h"

enum weir_hypothesis {
    WEIR_BY_CHANCE,  /* nothing is wrong here */
    WEIR_BY_CLIENT,  /* one client's link: all that it does */
    WEIR_BY_HERE,    /* one client at this service only: its application, its account */
    WEIR_BY_CLIENTS, /* several clients' links, each for itself */
    WEIR_BY_UPLINK,
    WEIR_BY_RESOLVER,
    WEIR_BY_NAMES, /* the service's names, whoever is asked */
    WEIR_BY_CDN,   /* a place that it shares with others */
    WEIR_BY_PATH,  /* one of its places */
    WEIR_BY_QUIC,
    WEIR_BY_SERVICE,
    WEIR_HYPOTHESES
};

/* A prefix, with its twin; or the prefixes of one autonomous system. */
struct weir_place {
    uint32_t number; /* of the prefix that fails most; WEIR_INDEX_NONE: none */
    uint32_t twin;   /* of the other version of IP: the place's other name; WEIR_INDEX_NONE: none */
    uint32_t as;     /* not 0: all of its system */
};

struct weir_blame {
    /* log of likelihood times prior, beside all being chance; -HUGE_VAL: not asked */
    double score[WEIR_HYPOTHESES];
    /* the path's before it is held against the service: that is no matter to one client's link */
    double place;
    uint32_t client, here; /* who, by number; WEIR_INDEX_NONE: nobody */
    struct weir_place path, shared;
    /* the service's trials at its other places while `path` failed, or their turns */
    struct weir_tally elsewhere;
    bool proven; /* they were useful: it is the path */
};

/* Over the sums of the judgement. */
struct weir_blame weir_blame_service(struct weir_detector *detector,
                                     const struct weir_scope *scope);
/* Of the uplink's own alarm: the services, the places, the clients each for itself, against the
 * uplink. */
struct weir_blame weir_blame_uplink(struct weir_detector *detector, const struct weir_scope *scope);
/* Of a resolver's alarm. */
struct weir_blame weir_blame_resolver(struct weir_detector *detector);

/* A cause that more than one person has. */
static inline bool weir_is_wide(enum weir_hypothesis hypothesis) {
    return hypothesis >= WEIR_BY_UPLINK;
}
enum weir_hypothesis weir_blame_best(const struct weir_blame *blame, bool wide);
/* Of this hypothesis, among all that were asked. */
double weir_blame_probability(const struct weir_blame *blame, enum weir_hypothesis hypothesis);
/* Log odds by which a cause must lead over what would be no news before it is told. */
double weir_lead(const struct weir_detector *detector);
enum weir_cause weir_hypothesis_cause(enum weir_hypothesis hypothesis);
/* Fills probability and alternatives; together they leave room for something else. */
void weir_blame_tell(const struct weir_detector *detector, const struct weir_blame *blame,
                     enum weir_hypothesis hypothesis, struct weir_incident *record);
