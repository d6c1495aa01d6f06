/* Answers that shrank: an API that fails answers in errors, and an error is small. TLS hides the
 * words, but not how much such requests brought until now. See shrunk.c. */
#pragma once

#include <weir/measure.h>

#include "base/assoc.h"

/* Who of a service had small answers last, and when somebody else had. */
struct weir_met {
    uint64_t client; /* hashed */
    int64_t us, other_us;
};

struct weir_shrunk {
    struct weir_assoc hosts;   /* how much each host answers, by the request's size */
    struct weir_met *services; /* by id */
};

int weir_shrunk_init(struct weir_shrunk *shrunk, size_t hosts_max); /* 0 or -ENOMEM */
void weir_shrunk_deinit(struct weir_shrunk *shrunk);
/* A reply of a service's control host. HOLLOW: most likely an error. USEFUL: as much as usual, of a host that
 * answered in errors lately. NEUTRAL: it says nothing. */
enum weir_outcome weir_shrunk_take(struct weir_shrunk *shrunk, const struct weir_evidence *reply);
