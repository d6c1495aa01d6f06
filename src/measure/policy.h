/* Names that a filter here answers for, so that they are no outage: see policy.c. */
#pragma once

#include <weir/measure.h>

#include "base/assoc.h"
#include "measure/known_names.h"

struct weir_policy {
    /* of services, that were refused or pointed to a local address */
    struct weir_assoc names;
    struct weir_assoc resolvers;     /* what each answered lately for each service */
    struct weir_known_names trusted; /* local addresses from which much has come */
    struct weir_policy_service *services;
    const struct weir_cidr *local;
    size_t n_local;
};

/* 0 or -ENOMEM */
int weir_policy_init(struct weir_policy *policy, const struct weir_cidr *local, size_t n_local);
void weir_policy_deinit(struct weir_policy *policy);
/* The text of a name, ahead of the evidence that has only its hash. */
void weir_policy_name(struct weir_policy *policy, const struct weir_heard_name *name,
                      int64_t now_us);
/* A lookup. True: a filter's doing, which says nothing of the service. */
bool weir_policy_lookup(struct weir_policy *policy, const struct weir_evidence *evidence);
/* Anything of a flow. True: its server is a local address that stands in for the service, and says
 * nothing of it. */
bool weir_policy_flow(struct weir_policy *policy, const struct weir_evidence *evidence);
/* Names of the service that were blocked at `since_us` or later, the first in alphabetical order.
 */
void weir_policy_blocked(const struct weir_policy *policy, weir_service_id service,
                         int64_t since_us, struct weir_blocked_names *ret_names);
