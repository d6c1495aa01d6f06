/* Windows of other sites, added up: see sample.h. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "fleet/sample.h"

static double number(const char *text) {
    char *end;
    double value = text && *text ? strtod(text, &end) : NAN;
    return isfinite(value) && value >= 0 && value < 1e11 ? value : NAN;
}

void weir_fleet_sample_add(struct weir_fleet_member *member, const char *state, const char *start,
                           const char *end, const char *ok, const char *fail, int64_t onset_us,
                           int64_t now_us) {
    double start_s = number(start), end_s = number(end), n_ok = number(ok), n_fail = number(fail);
    member->well = false;
    if (!state || isnan(start_s) || isnan(end_s) || isnan(n_ok) || isnan(n_fail) ||
        n_ok + n_fail > 1e6)
        return;
    int64_t end_us = (int64_t)(end_s * 1e6), start_us = (int64_t)(start_s * 1e6);
    member->well = strcmp(state, "healthy") == 0 && end_us >= now_us - WEIR_FLEET_FRESH_US &&
                   end_us <= now_us + WEIR_FLEET_SKEW_US;
    if (end_us <= member->end_us || start_us < onset_us - WEIR_FLEET_SKEW_US ||
        end_us > now_us + WEIR_FLEET_SKEW_US)
        return;
    member->end_us = end_us;
    member->trials.fail += (uint32_t)n_fail;
    member->trials.total += (uint32_t)(n_ok + n_fail);
}

enum weir_fleet_vote weir_fleet_sample_vote(const struct weir_fleet_member *member) {
    return member->well && weir_fleet_vote(member->trials) == WEIR_FLEET_GOOD ? WEIR_FLEET_GOOD
                                                                              : WEIR_FLEET_UNKNOWN;
}
