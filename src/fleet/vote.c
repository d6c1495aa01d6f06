/* Votes and verdicts: see vote.h. */
#include <stdio.h>
#include <string.h>

#include <weir/detect.h>

#include "detect/cusum.h"
#include "detect/sprt.h"
#include "fleet/vote.h"

static const double fisher_p = 0.01;

const char *weir_fleet_scope_name(enum weir_fleet_scope scope) {
    static const char *const names[] = {"none", "local", "regional", "global"};
    return names[scope];
}

enum weir_fleet_vote weir_fleet_vote(struct weir_tally trials) {
    struct weir_detect_config config;
    weir_detect_config_default(&config);
    const struct weir_bernoulli step = weir_bernoulli(config.p0, config.p1);
    double bound = weir_sprt_bound(config.sprt_error),
           llr = trials.fail * step.fail + (trials.total - trials.fail) * step.ok;
    return llr >= bound ? WEIR_FLEET_BAD : llr <= -bound ? WEIR_FLEET_GOOD : WEIR_FLEET_UNKNOWN;
}

size_t weir_fleet_region(const char *site) {
    const char *slash = strchr(site, '/');
    size_t length = slash ? (size_t)(slash - site) : 0;
    return length < WEIR_FLEET_REGION_MAX ? length : 0;
}

static bool same_region(const char *site, const char *other) {
    size_t length = weir_fleet_region(site);
    return length && length == weir_fleet_region(other) && memcmp(site, other, length) == 0;
}

/* The region that holds all bad sites and no good one. */
static void find_region(const struct weir_fleet_ballot *ballots, size_t n,
                        struct weir_fleet_verdict *verdict) {
    const char *first = verdict->n_listed ? verdict->sites[0] : "";
    for (size_t i = 0; i < n; i++)
        if (ballots[i].vote != WEIR_FLEET_UNKNOWN &&
            same_region(ballots[i].site, first) != (ballots[i].vote == WEIR_FLEET_BAD))
            return;
    snprintf(verdict->region, sizeof verdict->region, "%.*s", (int)weir_fleet_region(first), first);
}

static void pool(struct weir_tally *into, struct weir_tally trials) {
    into->fail += trials.fail;
    into->total += trials.total;
}

void weir_fleet_judge(const struct weir_fleet_ballot *ballots, size_t n,
                      struct weir_fleet_verdict *verdict) {
    *verdict = (struct weir_fleet_verdict){.p = 1};
    for (size_t i = 0; i < n; i++) {
        if (ballots[i].vote == WEIR_FLEET_BAD) {
            verdict->n_bad++;
            pool(&verdict->bad, ballots[i].trials);
            if (verdict->n_listed < WEIR_FLEET_SITES_LISTED)
                verdict->sites[verdict->n_listed++] = ballots[i].site;
        } else if (ballots[i].vote == WEIR_FLEET_GOOD) {
            verdict->n_good++;
            pool(&verdict->good, ballots[i].trials);
        } else {
            verdict->n_unknown++;
            verdict->n_waiting += ballots[i].waits;
        }
    }
    if (verdict->n_bad && verdict->n_good) verdict->p = weir_fisher(verdict->bad, verdict->good);
    if (!verdict->n_bad) return;
    verdict->scope = verdict->n_bad >= 2 && !verdict->n_good    ? WEIR_FLEET_GLOBAL
                     : verdict->n_good && verdict->p < fisher_p ? WEIR_FLEET_REGIONAL
                                                                : WEIR_FLEET_LOCAL;
    if (verdict->scope == WEIR_FLEET_REGIONAL) find_region(ballots, n, verdict);
}

/* Enough is known for this verdict, or it was waited for long enough. */
static bool is_settled(const struct weir_fleet_verdict *verdict, int64_t waited_us) {
    if (verdict->scope == WEIR_FLEET_REGIONAL) return true;
    return waited_us >= (verdict->n_waiting                   ? WEIR_FLEET_WAIT_US
                         : verdict->scope == WEIR_FLEET_LOCAL ? WEIR_FLEET_SETTLE_US
                                                              : 0);
}

enum weir_fleet_event weir_fleet_decide(const struct weir_fleet_said *said,
                                        const struct weir_fleet_verdict *verdict, size_t n_cases,
                                        int64_t first_us, int64_t now_us) {
    bool settled = is_settled(verdict, now_us - first_us);
    if (!said->revision)
        return verdict->scope != WEIR_FLEET_NONE && settled ? WEIR_FLEET_RAISE : WEIR_FLEET_QUIET;
    if (n_cases == 0) return WEIR_FLEET_CLEAR;
    if (verdict->scope == WEIR_FLEET_NONE) /* who said so is silent now: unknown, not over */
        return WEIR_FLEET_QUIET;
    bool moved = verdict->scope != said->scope || strcmp(verdict->region, said->region) != 0;
    bool grown = verdict->n_bad > said->n_bad + said->n_bad / 2 ||
                 verdict->n_bad + verdict->n_bad / 2 < said->n_bad;
    return (moved || grown) && settled && now_us - said->ts_us >= WEIR_FLEET_REPEAT_US
               ? WEIR_FLEET_UPDATE
               : WEIR_FLEET_QUIET;
}
