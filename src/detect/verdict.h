/* From an alarm to what is said about it: see verdict.c. */
#pragma once

#include "detect/judgement.h"

/* What judging evidence came to. */
struct weir_verdict {
    bool open;                   /* not enough to say: nothing is raised */
    struct weir_incident record; /* all but id, event, raised_us, cleared_us, text */
    /* client or resolver; for a service the failing prefix, when the cause says so and record.as is
     * unset */
    struct weir_addr subject;
};

void weir_verdict_service(struct weir_detector *detector, const struct weir_scope *scope,
                          struct weir_verdict *ret_verdict);
void weir_verdict_uplink(struct weir_detector *detector, const struct weir_scope *scope,
                         struct weir_verdict *ret_verdict);
/* Several services starve in the same slots, and none is served well. */
void weir_verdict_congestion(struct weir_detector *detector, const struct weir_scope *scope,
                             struct weir_verdict *ret_verdict);
/* Packets of several services are lost on their way here, and pictures stand still. */
void weir_verdict_losses(struct weir_detector *detector, const struct weir_scope *scope,
                         struct weir_verdict *ret_verdict);
void weir_verdict_resolver(struct weir_detector *detector, const struct weir_scope *scope,
                           struct weir_verdict *ret_verdict);
/* Continuous signals of a service deviate: degraded, if it isn't the uplink or the clients' own
 * network. */
void weir_verdict_continuous(struct weir_detector *detector, const struct weir_scope *scope,
                             struct weir_verdict *ret_verdict);
/* Nobody tries the service any more. */
void weir_verdict_silence(struct weir_detector *detector, const struct weir_scope *scope,
                          struct weir_verdict *ret_verdict);
/* The open incident of the uplink is told better, by as much as would be told, as services or
 * places that fail each by itself: what was tried since then works. */
bool weir_uplink_is_disproven(struct weir_detector *detector);
/* The path out as a whole fails now: by its own watch, and nothing disproves it. */
bool weir_uplink_is_raised(const struct weir_detector *detector);
/* An open incident of it is an outage, not congestion: congestion changes it no more. */
bool weir_uplink_is_out(const struct weir_detector *detector);
