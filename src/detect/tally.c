/* Counting the history: trials of one subject by client and by prefix, and the control trials beside them.
 *
 * Severity is judged over the last five minutes at the most, and only up to the last failure: the good trials after an
 * outage say that it is over, not that it was mild.
 */
#include <string.h>

#include "detect/state.h"

enum { FAMILY_FAILS = 3, FAMILY_OTHERS = 3 }; /* trials of which something is said */

static bool is_of_system(const struct weir_tallies *systems, uint32_t as, const struct weir_addr *prefix)
{
    const struct weir_tally_entry *entry = weir_tallies_find(systems, prefix);
    return entry && entry->as == as;
}

static bool has_layer(const struct weir_pick *pick, uint8_t layer)
{
    return pick->any_layer ? layer < WEIR_LAYER_N : pick->joint ? layer < WEIR_LAYER_N && layer != WEIR_LAYER_DNS : layer == pick->layer;
}

bool weir_pick_matches(const struct weir_pick *pick, const struct weir_item *item)
{
    return item->at_us >= pick->since_us && (!pick->until_us || item->at_us <= pick->until_us) && (item->flags & pick->need) == pick->need &&
           (pick->any_service || item->service == pick->service) &&
           has_layer(pick, item->layer) &&
           (!pick->client || weir_addr_compare(pick->client, &item->client) == 0) &&
           (!pick->prefix || weir_addr_compare(pick->prefix, &item->prefix) == 0) &&
           (!pick->as || is_of_system(pick->systems, pick->as, &item->prefix));
}

struct weir_tally weir_item_tally(const struct weir_item *item, bool slow)
{
    bool ok = item->flags & WEIR_ITEM_OK, fail = item->flags & WEIR_ITEM_FAIL;
    if (ok && fail && slow)
        return (struct weir_tally){.fail = 1, .total = 2};
    return (struct weir_tally){.fail = fail && !ok, .total = 1};
}

static void add(struct weir_tally *sum, struct weir_tally more)
{
    sum->fail += more.fail;
    sum->total += more.total;
}

static uint64_t begin(struct weir_detector *detector, int64_t since_us)
{
    bool overrun;
    uint64_t at = weir_history_since(&detector->history, since_us, &overrun);
    detector->stats.history_overrun += overrun;
    return at;
}

struct weir_tally weir_tally_severity(struct weir_detector *detector, const struct weir_pick *pick,
                                      struct weir_incident *record)
{
    struct weir_tally all = {0}, recent = {0}, tail = {0};
    memset(record->kinds, 0, sizeof record->kinds);
    for (uint64_t at = begin(detector, pick->since_us); at < detector->history.n; at++) {
        const struct weir_item *item = weir_history_at(&detector->history, at);
        if (!weir_pick_matches(pick, item))
            continue;
        struct weir_tally one = weir_item_tally(item, pick->slow);
        add(&all, one);
        if (one.fail)
            record->kinds[item->kind]++;
        if (item->at_us < detector->now_us - detector->config.severity_us)
            continue;
        add(&tail, one);
        if (one.fail) {
            add(&recent, tail);
            tail = (struct weir_tally){0};
        }
    }
    struct weir_interval interval = weir_wilson(all.fail, all.total);
    record->trials.fail = all.fail;
    record->trials.total = all.total;
    record->trials.low = interval.low;
    record->trials.high = interval.high;
    return recent;
}

static uint32_t list_failing(const struct weir_tallies *tallies, struct weir_addr list[WEIR_INCIDENT_LIST_MAX])
{
    uint32_t n = 0;
    for (size_t i = 0; i < tallies->n; i++) {
        if (tallies->order[i]->own.fail == 0)
            continue;
        if (n < WEIR_INCIDENT_LIST_MAX)
            list[n] = tallies->order[i]->addr;
        n++;
    }
    return n;
}

/* The entry of the item's prefix; a server's is of an autonomous system, a resolver's address of none. */
static struct weir_tally_entry *prefix_entry(struct weir_detector *detector, const struct weir_item *item)
{
    struct weir_tallies *prefixes = &detector->by_prefix;
    size_t n = prefixes->n;
    struct weir_tally_entry *entry = weir_tallies_get(prefixes, &item->prefix);
    if (entry && prefixes->n > n && item->layer != WEIR_LAYER_DNS)
        entry->as = weir_as_of(detector, &item->prefix).number;
    return entry;
}

/* Does one version of IP fail while the other doesn't? A lookup's prefix is its resolver's, and says nothing of it. */
static void compare_families(const struct weir_tally families[2], struct weir_incident *record)
{
    record->only_family = 0;
    record->other_family_ok = 0;
    for (int v6 = 0; v6 < 2; v6++) {
        const struct weir_tally *failing = &families[v6], *other = &families[!v6];
        if (failing->fail < FAMILY_FAILS || other->total < FAMILY_OTHERS || other->fail > 0)
            continue;
        record->only_family = v6 ? 6 : 4;
        record->other_family_ok = other->total;
    }
}

struct weir_tally weir_tally_own(struct weir_detector *detector, const struct weir_pick *pick,
                                 struct weir_incident *record)
{
    struct weir_tally sum = {0}, families[2] = {{0}};
    weir_tallies_begin(&detector->by_client);
    weir_tallies_begin(&detector->by_prefix);
    for (uint64_t at = begin(detector, pick->since_us); at < detector->history.n; at++) {
        const struct weir_item *item = weir_history_at(&detector->history, at);
        if (!weir_pick_matches(pick, item))
            continue;
        struct weir_tally one = weir_item_tally(item, pick->slow);
        struct weir_tally_entry *client = weir_tallies_get(&detector->by_client, &item->client);
        struct weir_tally_entry *prefix = prefix_entry(detector, item);
        if (client)
            add(&client->own, one);
        if (prefix)
            add(&prefix->own, one);
        if (item->layer != WEIR_LAYER_DNS)
            add(&families[!weir_addr_is_v4(&item->prefix)], one);
        add(&sum, one);
    }
    compare_families(families, record);
    detector->stats.tally_overrun += detector->by_client.overrun || detector->by_prefix.overrun;
    record->n_clients_seen = (uint32_t)detector->by_client.n;
    record->n_clients = list_failing(&detector->by_client, record->clients);
    record->n_prefixes = list_failing(&detector->by_prefix, record->prefixes);
    weir_regions_fill(detector, record);
    return sum;
}

/* Where the service fails: prefixes are found in by_prefix, their autonomous systems are listed. */
struct failing_systems {
    uint32_t list[WEIR_INCIDENT_LIST_MAX];
    unsigned n;
};

static bool holds(const struct failing_systems *systems, uint32_t as)
{
    for (unsigned i = 0; i < systems->n; i++)
        if (systems->list[i] == as)
            return true;
    return false;
}

static struct failing_systems failing_systems(const struct weir_tallies *prefixes)
{
    struct failing_systems systems = {.n = 0};
    for (size_t i = 0; i < prefixes->n && systems.n < WEIR_INCIDENT_LIST_MAX; i++) {
        const struct weir_tally_entry *entry = prefixes->order[i];
        if (entry->own.fail > 0 && entry->as && !holds(&systems, entry->as))
            systems.list[systems.n++] = entry->as;
    }
    return systems;
}

static bool is_control(const struct weir_item *item, weir_service_id service, int64_t since_us)
{
    return item->at_us >= since_us && item->service != service && item->layer < WEIR_LAYER_N && (item->flags & WEIR_ITEM_CONTROL);
}

static bool fails_here(struct weir_detector *detector, const struct failing_systems *systems, const struct weir_item *item)
{
    const struct weir_tally_entry *entry =
        systems->n ? prefix_entry(detector, item) : weir_tallies_find(&detector->by_prefix, &item->prefix);
    return entry && (entry->own.fail > 0 || (entry->as && holds(systems, entry->as)));
}

static struct weir_tally count_controls(struct weir_detector *detector, weir_service_id service, int64_t since_us, bool slow,
                                        const struct failing_systems *systems, struct weir_tally by_service[WEIR_SERVICES_MAX])
{
    struct weir_tally sum = {0};
    memset(by_service, 0, WEIR_SERVICES_MAX * sizeof *by_service);
    for (size_t i = 0; i < detector->by_client.n; i++)
        detector->by_client.order[i]->other = sum;
    for (uint64_t at = begin(detector, since_us); at < detector->history.n; at++) {
        const struct weir_item *item = weir_history_at(&detector->history, at);
        if (!is_control(item, service, since_us) || fails_here(detector, systems, item))
            continue;
        struct weir_tally one = weir_item_tally(item, slow);
        struct weir_tally_entry *client = weir_tallies_get(&detector->by_client, &item->client);
        if (client)
            add(&client->other, one);
        add(&by_service[item->service], one);
        add(&sum, one);
    }
    return sum;
}

struct weir_tally weir_tally_controls(struct weir_detector *detector, weir_service_id service, int64_t since_us,
                                      bool slow, struct weir_incident *record)
{
    struct weir_tally by_service[WEIR_SERVICES_MAX];
    struct failing_systems systems = failing_systems(&detector->by_prefix);
    struct weir_tally sum = count_controls(detector, service, since_us, slow, &systems, by_service);
    if (sum.total < 3 && systems.n) /* nearly everything is in there */
        sum = count_controls(detector, service, since_us, slow, &(struct failing_systems){.n = 0}, by_service);
    memset(&record->controls, 0, sizeof record->controls);
    record->controls.fail = sum.fail;
    record->controls.total = sum.total;
    for (unsigned i = 0; i < WEIR_SERVICES_MAX && record->controls.n < WEIR_INCIDENT_LIST_MAX; i++) {
        if (by_service[i].total == 0)
            continue;
        uint8_t n = record->controls.n++;
        record->controls.by_service[n].service = (weir_service_id)i;
        record->controls.by_service[n].fail = by_service[i].fail;
        record->controls.by_service[n].total = by_service[i].total;
    }
    return sum;
}

void weir_tally_neighbours(struct weir_detector *detector, weir_service_id service, int64_t since_us, bool slow)
{
    if (!detector->as_lookup)
        return;
    for (uint64_t at = begin(detector, since_us); at < detector->history.n; at++) {
        const struct weir_item *item = weir_history_at(&detector->history, at);
        struct weir_tally_entry *prefix = is_control(item, service, since_us) ? prefix_entry(detector, item) : NULL;
        if (prefix)
            add(&prefix->other, weir_item_tally(item, slow));
    }
}

void weir_tally_peers(struct weir_detector *detector, weir_service_id service, uint8_t layer, int64_t since_us, bool slow)
{
    for (uint64_t at = begin(detector, since_us); at < detector->history.n; at++) {
        const struct weir_item *item = weir_history_at(&detector->history, at);
        if (item->at_us < since_us || item->service != service || item->layer == layer || item->layer >= WEIR_LAYER_N ||
            !(item->flags & WEIR_ITEM_SCORED))
            continue;
        struct weir_tally one = weir_item_tally(item, slow);
        struct weir_tally_entry *client = weir_tallies_get(&detector->by_client, &item->client);
        struct weir_tally_entry *prefix =
            item->layer == WEIR_LAYER_DNS ? NULL : prefix_entry(detector, item);
        if (client)
            add(&client->peer, one);
        if (prefix)
            add(&prefix->peer, one);
    }
}

void weir_tally_lookups(struct weir_detector *detector, const struct weir_scope *scope)
{
    for (uint64_t at = begin(detector, scope->began_us); at < detector->history.n; at++) {
        const struct weir_item *item = weir_history_at(&detector->history, at);
        bool is_peer = !scope->joint && item->service == scope->service;
        if (item->at_us < scope->began_us || item->layer != WEIR_LAYER_DNS || is_peer || !(item->flags & WEIR_ITEM_SCORED))
            continue;
        struct weir_tally_entry *client = weir_tallies_get(&detector->by_client, &item->client);
        if (client)
            add(&client->lookups, weir_item_tally(item, scope->slow));
    }
}

struct weir_tally weir_tally_sum(const struct weir_detector *detector, const struct weir_pick *pick)
{
    struct weir_tally sum = {0};
    bool overrun;
    for (uint64_t at = weir_history_since(&detector->history, pick->since_us, &overrun); at < detector->history.n;
         at++) {
        const struct weir_item *item = weir_history_at(&detector->history, at);
        if (weir_pick_matches(pick, item))
            add(&sum, weir_item_tally(item, pick->slow));
    }
    return sum;
}

const struct weir_tally_entry *weir_tally_top(const struct weir_tallies *tallies, struct weir_tally *ret_rest)
{
    const struct weir_tally_entry *top = NULL;
    *ret_rest = (struct weir_tally){0};
    for (size_t i = 0; i < tallies->n; i++) {
        const struct weir_tally_entry *entry = tallies->order[i];
        add(ret_rest, entry->own);
        if (entry->own.fail > 0 && (!top || entry->own.fail > top->own.fail))
            top = entry;
    }
    if (top) {
        ret_rest->fail -= top->own.fail;
        ret_rest->total -= top->own.total;
    }
    return top;
}
