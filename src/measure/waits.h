/* Waiting that grows: what an open request says of its service. See waits.c. */
#pragma once

#include <weir/measure.h>

#include "base/assoc.h"
#include "measure/learned.h"

struct weir_waits {
    struct weir_learned *answers; /* by service id: times to the first byte */
    struct weir_assoc unserved;   /* by client and service */
};

struct weir_hang {
    int64_t us; /* for how long the client has been waiting */
    float nats; /* -ln of the share of its answers that took so long; 0: too few are known */
};

int weir_waits_init(struct weir_waits *waits, size_t clients_max); /* 0 or -ENOMEM */
void weir_waits_deinit(struct weir_waits *waits);
/* A chunk, or progress with bytes: the client is served. */
void weir_waits_served(struct weir_waits *waits, const struct weir_evidence *evidence);
/* Progress with a request that waits, or may be one: of such a one `us` is 0 until it is known that
 * its client asks in vain. */
struct weir_hang weir_waits_hanging(struct weir_waits *waits, const struct weir_evidence *evidence);
