/* Has a stream of trials begun to fail, whatever the share? See mixture.c. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum { WEIR_ARMS = 3 };

struct weir_mixture_rule {
    double p0;
    /* failing shares that are looked for; weights sum to 1 */
    double share[WEIR_ARMS], weight[WEIR_ARMS];
    double ok[WEIR_ARMS];     /* likelihood ratio of a useful trial */
    double log_ok[WEIR_ARMS]; /* its logarithm */
    double cap, top;          /* of the evidence, in nats; and e^cap */
};
/* `shares`: descending. */
struct weir_mixture_rule weir_mixture_rule(double p0, const double shares[WEIR_ARMS], double cap);

struct weir_arm {
    double r; /* Shiryaev-Roberts statistic */
    double s; /* its CUSUM, for the onset: log, >= 0 */
    int64_t onset_us, began_us;
};
struct weir_mixture {
    struct weir_arm arm[WEIR_ARMS];
    double s; /* log of the weighted sum, >= 0: evidence in nats */
    /* when the failure was decided that the likeliest arm dates from; valid while s > 0 */
    int64_t onset_us;
    int64_t began_us; /* and when that attempt began: what a person means by "since" */
};
/* `nats`: what the failure says, ln P(seen | failing) - ln P(seen | healthy); 0: nothing. */
void weir_mixture_fail(struct weir_mixture *mixture, const struct weir_mixture_rule *rule,
                       double nats, int64_t decided_us, int64_t began_us);
void weir_mixture_ok(struct weir_mixture *mixture, const struct weir_mixture_rule *rule);
