/* Which packets prove an incident. */
#pragma once

#include "proof/ring.h"

struct weir_proof_case {
    weir_service_id service; /* NONE: the incident is nobody's service, so all flows speak for it */
    int64_t onset_us, until_us;
    int64_t told_us;  /* when the verdict was said; what came later may be left out */
    size_t bytes_max; /* of the file */
    unsigned n_prefixes;
    const struct weir_addr *prefixes; /* where it fails: see weir_addr_prefix */
    unsigned n_clients;
    const struct weir_addr *clients; /* for whom it fails, as far as they are named */
};

/* Sorts `entries` by time, in place, and leaves in front those that are chosen; returns how many.
 * The entries' services are settled: that of the flow, as it was known last. < 0: no memory. */
long weir_proof_select(struct weir_proof_entry **entries, size_t n,
                       const struct weir_proof_case *about);
