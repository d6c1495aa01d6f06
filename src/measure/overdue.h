/* Requests that were timed out and may still be answered: see overdue.c. */
#pragma once

#include <weir/measure.h>

#define WEIR_OVERDUE_US INT64_C(10000000) /* after the request: the failure stands (severe) */

struct weir_overdue_request {
    struct weir_addr client, server;
    uint16_t client_port, server_port;
    int64_t asked_us;
    uint32_t place; /* of its trial in the slot */
};

struct weir_overdue {
    struct weir_overdue_request *list; /* in the order of timing out */
    size_t n, max;
    struct weir_trial *carried; /* at a slot's end: trials that go on in the next */
    size_t n_carried;
};

int weir_overdue_init(struct weir_overdue *overdue, size_t max); /* 0 or -ENOMEM */
void weir_overdue_deinit(struct weir_overdue *overdue);
static inline bool weir_overdue_may_be_answered(const struct weir_evidence *evidence) {
    return evidence->layer == WEIR_LAYER_SERVE &&
           evidence->outcome == WEIR_OUTCOME_REQUEST_TIMEOUT && !evidence->by_session &&
           evidence->now_us - evidence->first_us < WEIR_OVERDUE_US;
}
/* An answer to a request that some service would have timed out, or word that nobody waits for it
 * any more (neutral). */
static inline bool weir_overdue_is_answer(const struct weir_evidence *evidence) {
    return evidence->layer == WEIR_LAYER_SERVE && !evidence->by_session &&
           (evidence->outcome == WEIR_OUTCOME_USEFUL ||
            evidence->outcome == WEIR_OUTCOME_NEUTRAL) &&
           evidence->now_us - evidence->first_us >= WEIR_REQUEST_TIMEOUT_MIN_US;
}
/* The failure counts in trials[place], until it is taken back. */
void weir_overdue_add(struct weir_overdue *overdue, const struct weir_evidence *evidence,
                      struct weir_trial *trials, uint32_t place);
/* The answer came: takes the failure back, unless it stands already. */
void weir_overdue_answer(struct weir_overdue *overdue, const struct weir_evidence *evidence,
                         struct weir_trial *trials);
/* What has waited for long enough stands. */
void weir_overdue_settle(struct weir_overdue *overdue, struct weir_trial *trials, int64_t now_us);
/* The slot is over: moves trials of which nothing else is known out of `trials`, into `carried`,
 * where these are many of their service's; their places are what they will be when they alone are
 * put into the next slot, in order. */
void weir_overdue_carry(struct weir_overdue *overdue, struct weir_trial *trials, size_t n_trials);
