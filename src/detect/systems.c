/* Autonomous systems: prefixes of one network often fail as one. With a database each prefix that a
 * judgement counts has the number of its system, and the prefixes of one system can be summed: what
 * several of them share, and those of others do not, is a better account of it than any one of
 * them.
 *
 * Without a database every number is 0, and nothing here changes a verdict.
 */
#include "detect/state.h"

void weir_detector_set_as_lookup(struct weir_detector *detector, weir_as_lookup lookup,
                                 void *context) {
    detector->as_lookup = lookup;
    detector->as_context = context;
}

struct weir_as weir_as_of(const struct weir_detector *detector, const struct weir_addr *addr) {
    struct weir_as as = {0};
    if (!detector->as_lookup || !detector->as_lookup(detector->as_context, addr, &as))
        return (struct weir_as){0};
    return as;
}

struct weir_system weir_system_of(const struct weir_judgement *judgement, uint32_t as) {
    struct weir_system system = {.as = as};
    for (size_t i = 0; as && i < judgement->places.n; i++) {
        const struct weir_sums *place = &judgement->by_place[i];
        if (place->as != as) {
            weir_tally_add(&system.rest, place->own);
            weir_tally_add(&system.outside, place->near);
            continue;
        }
        weir_tally_add(&system.own, place->own);
        weir_tally_add(&system.peer, place->peer);
        weir_tally_add(&system.near, place->near);
        if (place->own.fail > 0)
            system.failing++;
        else if (place->near.fail > 0)
            system.neighbours++;
    }
    return system;
}

void weir_system_list(const struct weir_judgement *judgement, uint32_t as,
                      struct weir_incident *record) {
    record->n_prefixes = 0;
    for (size_t i = 0; i < judgement->places.n; i++) {
        if (judgement->by_place[i].as != as || judgement->by_place[i].own.fail == 0) continue;
        if (record->n_prefixes < WEIR_INCIDENT_LIST_MAX)
            record->prefixes[record->n_prefixes] = judgement->places.addrs[i];
        record->n_prefixes++;
    }
}

void weir_systems_fill(const struct weir_detector *detector, struct weir_incident *record) {
    for (uint32_t i = 0; i < WEIR_INCIDENT_LIST_MAX; i++)
        record->prefix_as[i] = i < record->n_prefixes ? weir_as_of(detector, &record->prefixes[i])
                                                      : (struct weir_as){0};
}
