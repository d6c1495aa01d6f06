/* Which story explains the trials since the onset: see contest.c. */
#pragma once

#include "detect/state.h"

enum weir_story { WEIR_STORY_CHANCE, WEIR_STORY_SERVICE, WEIR_STORY_PATH, WEIR_STORY_CLIENT, WEIR_STORY_HERE, WEIR_STORY_CLIENTS, WEIR_STORY_UPLINK, WEIR_STORY_N };

struct weir_contest {
    double score[WEIR_STORY_N];             /* log of likelihood times prior, beside chance */
    const struct weir_tally_entry *path, *client, *here; /* of these stories the best; NULL: none */
};
/* Over the tallies that weir_tally_own and weir_tally_controls left. `paths`: prefixes are servers, not resolvers. */
struct weir_contest weir_contest(const struct weir_detector *detector, bool paths);
/* The score of `story` over the best of the others in `against` (a mask of 1 << story; CHANCE is always in it). */
double weir_contest_lead(const struct weir_contest *contest, enum weir_story story, unsigned against);
/* Log odds by which a story must lead here. */
double weir_lead(const struct weir_detector *detector);
