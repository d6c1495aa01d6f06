/* Where does it fail: on a shared CDN, on one path (METHODS 7, tests 4 and 5), or wherever the service is?
 *
 * A place is the prefix that fails most; with a database of autonomous systems (systems.c) it is that prefix' whole system where
 * this tells more: several of its prefixes fail, and what is outside doesn't. Of a system it is always asked that the service
 * be useful outside of it while it fails; that it was so before is not enough, for many services live in one system only.
 */
#include "detect/contest.h"

void weir_place_narrow(const struct weir_detector *detector, const struct weir_place *place, struct weir_pick *pick)
{
    if (place->as) {
        pick->systems = &detector->by_prefix;
        pick->as = place->as;
    } else
        pick->prefix = &place->prefix->addr;
}

/* Counted from when the first failing attempt began, as controls are: the neighbours' attempts may have been decided a little sooner. */
static bool neighbours_fail(const struct weir_detector *detector, const struct weir_scope *scope, const struct weir_addr *prefix)
{
    struct weir_pick all = {.any_service = true,
                            .any_layer = true,
                            .need = WEIR_ITEM_CONTROL,
                            .prefix = prefix,
                            .since_us = scope->began_us};
    struct weir_pick own = all;
    own.any_service = false;
    own.service = scope->service;
    struct weir_tally others = weir_tally_minus(weir_tally_sum(detector, &all), weir_tally_sum(detector, &own));
    return others.fail >= 2 && weir_mostly_fails(others);
}

/* On several prefixes of the system this service and others mostly fail, and this one doesn't outside. */
static bool system_is_shared(const struct weir_system *system)
{
    return system->failing + system->neighbours >= 2 && system->other.fail >= 2 && weir_mostly_fails(system->other) &&
           weir_mostly_fails(system->own) && weir_rest_is_fine(system->rest);
}

/* Servers do answer, but thinly: nothing drives a player to another one. */
static bool is_answered(const struct weir_incident *record)
{
    return (record->kinds[WEIR_OUTCOME_STARVED] + record->kinds[WEIR_OUTCOME_HOLLOW]) * 2 > record->trials.fail;
}

/* Was the service useful from elsewhere, while this place failed? What is useful at the very end may already be the
 * recovery, of which some other prefix may be the first to tell; that moves no blame. */
static bool works_elsewhere(const struct weir_detector *detector, const struct weir_scope *scope, const struct weir_place *place)
{
    struct weir_pick all = weir_own_pick(scope);
    all.until_us = scope->until_us ? scope->until_us - WEIR_SLOT_US : 0;
    struct weir_pick here = all;
    weir_place_narrow(detector, place, &here);
    struct weir_tally rest = weir_tally_minus(weir_tally_sum(detector, &all), weir_tally_sum(detector, &here));
    return rest.total > rest.fail;
}

/* Where the service was served from other prefixes before, and all that is unanswered is of one, it is that path's until
 * the others fail, too: whoever gets no answer looks elsewhere. Who gets thin answers stays, and proves nothing. */
static bool is_path(const struct weir_detector *detector, const struct weir_scope *scope, const struct weir_contest *contest,
                    const struct weir_incident *record, const struct weir_place *place)
{
    const struct weir_case *incident = &detector->services[scope->service].incident;
    bool blamed = incident->open && incident->record.cause == WEIR_CAUSE_SERVICE; /* blame moves on proof only */
    if (weir_contest_lead(contest, WEIR_STORY_PATH, 1u << WEIR_STORY_SERVICE) <= (blamed ? weir_lead(detector) : 0))
        return false;
    return works_elsewhere(detector, scope, place) ||
           (!place->as && !blamed && !is_answered(record) &&
            weir_prefixes_used(detector, scope->service, scope->layer, scope->since_us) >= 2);
}

struct weir_place weir_place_of(const struct weir_detector *detector, const struct weir_scope *scope,
                                const struct weir_contest *contest, const struct weir_incident *record)
{
    struct weir_place prefix = {0};
    prefix.prefix = weir_tally_top(&detector->by_prefix, &prefix.rest);
    if (!prefix.prefix)
        return prefix;
    struct weir_place system = {.prefix = prefix.prefix, .as = contest->system.as, .rest = contest->system.rest};
    system.shared = system_is_shared(&contest->system);
    if (system.shared)
        return system;
    prefix.shared = neighbours_fail(detector, scope, &prefix.prefix->addr);
    if (prefix.shared)
        return prefix;
    const struct weir_place *path = contest->by_system ? &system : &prefix;
    bool told = contest->by_system || contest->path == prefix.prefix;
    return told && is_path(detector, scope, contest, record, path) ? *path : (struct weir_place){0};
}
