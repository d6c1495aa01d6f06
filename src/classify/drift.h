/* The most popular hosts of media CDNs that no signature knows (signature drift), by space-saving.
 */
#pragma once

#include <weir/classify.h>

struct drift {
    struct weir_drift_host hosts[WEIR_DRIFT_MAX];
    uint32_t n;
};

/* `flows` and `over` count for the host; 1 and 0 when a flow to it was named. */
void drift_add(struct drift *drift, const struct weir_host *host, uint64_t hash, uint64_t flows,
               uint64_t over);
/* Adds bytes to a host that is in the list. */
void drift_add_bytes(struct drift *drift, uint64_t hash, uint64_t bytes);
void drift_sort(struct weir_drift_host *hosts, uint32_t n); /* most flows first; then by name */
