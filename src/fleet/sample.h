/* Sites that did not say that a service is bad: are they well? Sick sites announce themselves, so
 * only the well have to be asked, and of them a sample will do: what it costs does not grow with
 * the fleet. */
#pragma once

#include <stdint.h>

#include "fleet/cases.h"
#include "fleet/vote.h"

enum { WEIR_FLEET_SAMPLE_MAX = 256 };

struct weir_fleet_member {
    char site[WEIR_FLEET_SITE_MAX];
    int64_t end_us;           /* of the newest window added */
    bool well;                /* its newest window is fresh and says healthy */
    struct weir_tally trials; /* of the windows since the onset */
};
struct weir_fleet_sample {
    size_t n;
    struct weir_fleet_member members[WEIR_FLEET_SAMPLE_MAX];
};

/* One window: its state and trials as they stand in Redis (NULL: gone). Windows before the onset,
 * seen before, or of a clock that is ahead, add nothing; one that is not fresh is unknown. */
void weir_fleet_sample_add(struct weir_fleet_member *member, const char *state, const char *start,
                           const char *end, const char *ok, const char *fail, int64_t onset_us,
                           int64_t now_us);
enum weir_fleet_vote weir_fleet_sample_vote(const struct weir_fleet_member *member);
