/* Space-saving (Metwally, Agrawal, El Abbadi 2005): a fixed list; a host that is not in it takes
 * the place and the count of the smallest, which is how much its own count may be too high
 * (`flows_over`). Whatever has more than flows/WEIR_DRIFT_MAX of all flows is surely in the list.
 * Its bytes are counted from when it entered. */
#include "classify/drift.h"

#include <stdlib.h>
#include <string.h>

static struct weir_drift_host *find(struct drift *drift, uint64_t hash) {
    for (uint32_t i = 0; i < drift->n; i++) {
        if (drift->hosts[i].hash == hash) return &drift->hosts[i];
    }
    return NULL;
}

static struct weir_drift_host *smallest(struct drift *drift) {
    struct weir_drift_host *least = &drift->hosts[0];
    for (uint32_t i = 1; i < drift->n; i++) {
        if (drift->hosts[i].flows < least->flows) least = &drift->hosts[i];
    }
    return least;
}

void drift_add(struct drift *drift, const struct weir_host *host, uint64_t hash, uint64_t flows,
               uint64_t over) {
    struct weir_drift_host *entry = find(drift, hash);
    if (entry) {
        entry->flows += flows;
        entry->flows_over += over;
        return;
    }
    uint64_t inherited = 0;
    if (drift->n < WEIR_DRIFT_MAX) {
        entry = &drift->hosts[drift->n++];
    } else {
        entry = smallest(drift);
        inherited = entry->flows;
    }
    *entry = (struct weir_drift_host){
        .host = *host,
        .hash = hash,
        .flows = inherited + flows,
        .flows_over = inherited + over,
    };
}

void drift_add_bytes(struct drift *drift, uint64_t hash, uint64_t bytes) {
    struct weir_drift_host *entry = find(drift, hash);
    if (entry) entry->bytes += bytes;
}

static int compare_hosts(const void *left, const void *right) {
    const struct weir_drift_host *a = left, *b = right;
    if (a->flows != b->flows) return a->flows > b->flows ? -1 : 1;
    return strcmp(a->host.text, b->host.text);
}

void drift_sort(struct weir_drift_host *hosts, uint32_t n) {
    qsort(hosts, n, sizeof *hosts, compare_hosts);
}

/* ---- merging the workers ---- */

static uint64_t larger(uint64_t a, uint64_t b) { return a > b ? a : b; }

static void merge_drift(struct weir_naming_stats *into, const struct weir_naming_stats *from) {
    struct drift drift = {.n = into->n_drift};
    memcpy(drift.hosts, into->drift, sizeof drift.hosts);
    for (uint32_t i = 0; i < from->n_drift; i++) {
        const struct weir_drift_host *host = &from->drift[i];
        drift_add(&drift, &host->host, host->hash, host->flows, host->flows_over);
        drift_add_bytes(&drift, host->hash, host->bytes);
    }
    drift_sort(drift.hosts, drift.n);
    into->n_drift = drift.n;
    memcpy(into->drift, drift.hosts, sizeof into->drift);
}

void weir_naming_stats_merge(struct weir_naming_stats *into, const struct weir_naming_stats *from) {
    into->hellos += from->hellos;
    into->hellos_ech += from->hellos_ech;
    into->names_over_sni += from->names_over_sni;
    into->dpi_flows += from->dpi_flows;
    into->dpi_packets += from->dpi_packets;
    into->dpi_giveups += from->dpi_giveups;
    into->naming_now += from->naming_now;
    into->naming_peak += from->naming_peak;
    into->naming_refused += from->naming_refused;
    into->names_evicted = larger(into->names_evicted, from->names_evicted);
    into->addresses_evicted = larger(into->addresses_evicted, from->addresses_evicted);
    into->facts_refused += from->facts_refused;
    into->hosts_refused += from->hosts_refused;
    into->https_flows += from->https_flows;
    into->https_blind += from->https_blind;
    into->doh_flows += from->doh_flows;
    into->dot_flows += from->dot_flows;
    into->tunnel_flows += from->tunnel_flows;
    merge_drift(into, from);
}
