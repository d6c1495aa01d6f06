/* Where do the clients live that are hit? `regions:` names client prefixes (a street, a building,
 * an access point); with them an incident can say that only the west side has it, which is no
 * verdict on the service but tells where to look.
 *
 * The longest prefix names a client; clients of no region are not listed. One region is hit alone
 * when it fails, the others hardly do, and Fisher's test says that this isn't chance.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "detect/state.h"

int weir_detector_set_regions(struct weir_detector *detector,
                              const struct weir_detect_region *regions, size_t n) {
    struct weir_detect_region *copy = n ? calloc(n, sizeof *copy) : NULL;
    if (n && !copy) return -ENOMEM;
    if (n) memcpy(copy, regions, n * sizeof *copy);
    free(detector->regions);
    detector->regions = copy;
    detector->n_regions = n;
    return 0;
}

static const struct weir_detect_region *region_of(const struct weir_detector *detector,
                                                  const struct weir_addr *client) {
    const struct weir_detect_region *best = NULL;
    for (size_t i = 0; i < detector->n_regions; i++) {
        const struct weir_detect_region *region = &detector->regions[i];
        if (weir_cidr_contains(&region->prefix, client) &&
            (!best || region->prefix.bits > best->prefix.bits))
            best = region;
    }
    return best;
}

static struct weir_incident_region *entry_of(struct weir_incident *record, const char *name) {
    for (unsigned i = 0; i < record->n_regions; i++)
        if (strcmp(record->regions[i].name, name) == 0) return &record->regions[i];
    if (record->n_regions == WEIR_INCIDENT_REGIONS_MAX) return NULL;
    struct weir_incident_region *entry = &record->regions[record->n_regions++];
    *entry = (struct weir_incident_region){0};
    snprintf(entry->name, sizeof entry->name, "%s", name);
    return entry;
}

void weir_regions_fill(const struct weir_detector *detector, struct weir_incident *record) {
    record->n_regions = 0;
    for (size_t i = 0; detector->n_regions && i < detector->judgement.clients.n; i++) {
        const struct weir_sums *client = &detector->judgement.by_client[i];
        const struct weir_detect_region *region =
            client->own.total ? region_of(detector, &detector->judgement.clients.addrs[i]) : NULL;
        struct weir_incident_region *entry = region ? entry_of(record, region->name) : NULL;
        if (!entry) continue;
        entry->fail += client->own.fail;
        entry->total += client->own.total;
        entry->clients += client->own.fail > 0;
        entry->clients_seen++;
    }
}

const struct weir_incident_region *weir_regions_alone(const struct weir_detector *detector,
                                                      const struct weir_incident *record) {
    const struct weir_incident_region *top = NULL;
    struct weir_tally rest = {0};
    for (unsigned i = 0; i < record->n_regions; i++)
        if (record->regions[i].fail > 0 && (!top || record->regions[i].fail > top->fail))
            top = &record->regions[i];
    for (unsigned i = 0; i < record->n_regions; i++)
        if (&record->regions[i] != top) {
            rest.fail += record->regions[i].fail;
            rest.total += record->regions[i].total;
        }
    struct weir_tally own = {.fail = top ? top->fail : 0, .total = top ? top->total : 0};
    bool alone = top && rest.total > 0 && weir_rest_is_fine(rest) &&
                 weir_fisher(own, rest) < detector->config.fisher_p;
    return alone ? top : NULL;
}
