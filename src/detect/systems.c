/* Autonomous systems: prefixes of one network often fail as one. With a database each prefix that a judgement counts has the
 * number of its system, and the prefixes of one system can be summed: what several of them share, and those of others do not,
 * is a better account of it than any one of them.
 *
 * Without a database every number is 0, and nothing here changes a verdict.
 */
#include "detect/state.h"

void weir_detector_set_as_lookup(struct weir_detector *detector, weir_as_lookup lookup, void *context)
{
    detector->as_lookup = lookup;
    detector->as_context = context;
}

struct weir_as weir_as_of(const struct weir_detector *detector, const struct weir_addr *addr)
{
    struct weir_as as = {0};
    if (!detector->as_lookup || !detector->as_lookup(detector->as_context, addr, &as))
        return (struct weir_as){0};
    return as;
}

static void add(struct weir_tally *sum, struct weir_tally more)
{
    sum->fail += more.fail;
    sum->total += more.total;
}

struct weir_system weir_system_of(const struct weir_detector *detector, uint32_t as)
{
    struct weir_system system = {.as = as};
    for (size_t i = 0; as && i < detector->by_prefix.n; i++) {
        const struct weir_tally_entry *entry = detector->by_prefix.order[i];
        if (entry->as != as) {
            add(&system.rest, entry->own);
            add(&system.outside, entry->other);
            continue;
        }
        add(&system.own, entry->own);
        add(&system.peer, entry->peer);
        add(&system.other, entry->other);
        if (entry->own.fail > 0)
            system.failing++;
        else if (entry->other.fail > 0)
            system.neighbours++;
    }
    return system;
}

void weir_system_list(const struct weir_detector *detector, uint32_t as, struct weir_incident *record)
{
    record->n_prefixes = 0;
    for (size_t i = 0; i < detector->by_prefix.n; i++) {
        const struct weir_tally_entry *entry = detector->by_prefix.order[i];
        if (entry->as != as || entry->own.fail == 0)
            continue;
        if (record->n_prefixes < WEIR_INCIDENT_LIST_MAX)
            record->prefixes[record->n_prefixes] = entry->addr;
        record->n_prefixes++;
    }
}

void weir_systems_fill(const struct weir_detector *detector, struct weir_incident *record)
{
    for (uint32_t i = 0; i < WEIR_INCIDENT_LIST_MAX; i++)
        record->prefix_as[i] = i < record->n_prefixes ? weir_as_of(detector, &record->prefixes[i]) : (struct weir_as){0};
}
