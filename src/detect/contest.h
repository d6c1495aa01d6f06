/* Which story explains the trials since the onset: see contest.c. */
#pragma once

#include "detect/state.h"

enum weir_story { WEIR_STORY_CHANCE, WEIR_STORY_SERVICE, WEIR_STORY_PATH, WEIR_STORY_CLIENT, WEIR_STORY_HERE, WEIR_STORY_CLIENTS, WEIR_STORY_UPLINK, WEIR_STORY_N };

struct weir_contest {
    double score[WEIR_STORY_N];             /* log of likelihood times prior, beside chance */
    const struct weir_tally_entry *path, *client, *here; /* of these stories the best; NULL: none */
    struct weir_system system;              /* the autonomous system of the prefix that fails most */
    bool by_system;                         /* the path's story is better told of all its prefixes than of one */
};
/* Over the tallies that weir_tally_own and weir_tally_controls left. `paths`: prefixes are servers, not resolvers. */
struct weir_contest weir_contest(const struct weir_detector *detector, bool paths);
/* The score of `story` over the best of the others in `against` (a mask of 1 << story; CHANCE is always in it). */
double weir_contest_lead(const struct weir_contest *contest, enum weir_story story, unsigned against);
/* place.c: the prefix, or its whole system, whose fault it is; prefix NULL: neither's. */
struct weir_place {
    const struct weir_tally_entry *prefix; /* that fails most */
    uint32_t as;                           /* not 0: all of its system */
    bool shared;                           /* other services fail there as well */
    struct weir_tally rest;                /* own trials elsewhere */
};
struct weir_place weir_place_of(const struct weir_detector *detector, const struct weir_scope *scope,
                                const struct weir_contest *contest, const struct weir_incident *record);
/* Only what was tried there. */
void weir_place_narrow(const struct weir_detector *detector, const struct weir_place *place, struct weir_pick *pick);
/* Log odds by which a story must lead here. */
double weir_lead(const struct weir_detector *detector);
