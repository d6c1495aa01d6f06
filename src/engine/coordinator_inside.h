/* What the coordinator holds, for the files that are one with it: coordinator.c (a tick's work),
 * coordinator_parts.c (its stages and what they hand on), coordinator_saved.c (what outlasts the
 * run). Nobody else includes it.
 */
#pragma once

#include <weir/classify.h>
#include <weir/detect.h>
#include <weir/device.h>
#include <weir/measure.h>

#include "engine/coordinator.h"
#include "engine/counters.h"
#include "engine/sight.h"
#include "engine/state_file.h"

#define BLOCKED_US INT64_C(600000000) /* a name that was blocked within this is told of */

struct weir_coordinator {
    const struct weir_engine_options *options;
    size_t n_services;
    const struct weir_classifier *namer;

    const struct weir_block *blocks; /* of the tick that is worked on, one a worker */
    enum { PART_BEGIN, PART_EVIDENCE, PART_SESSIONS, PART_DECIDE } part; /* the next of it */
    double dropped;                                   /* of the window up to this tick, a share */
    struct weir_evidence **evidence;                  /* of the tick, in order */
    size_t n_evidence, evidence_seen, evidence_taken; /* seen: of looked ahead at */
    int error;                                        /* of a sink: first one */
    struct weir_fault fault;

    struct weir_names_file *names; /* an earlier run's; NULL: none */
    struct weir_address_memory *addresses;
    struct weir_devices *devices;
    /* of the window that is open, and of the one before (what workers may learn) */
    struct weir_address_fact *facts;
    size_t n_facts, facts_max;
    struct weir_address_fact *bulletin_facts;
    size_t n_bulletin_facts;
    int64_t bulletin_timeouts[WEIR_SERVICES_MAX];
    struct weir_ask_page bulletin_asks[WEIR_SERVICES_MAX];

    struct weir_gather *gather;
    struct weir_sessions *sessions;
    struct weir_trials *trials;
    struct weir_rollup *rollup;
    struct weir_detector *detector;
    struct weir_counters counters;         /* all workers', at the last tick */
    const struct weir_flow_record **flows; /* of a tick, sorted */
    size_t flows_room;
    int64_t now_us;
    struct weir_source *live; /* or NULL */
    struct {
        uint64_t packets, dropped;
    } before; /* the open window began */
    struct weir_sight sight;
    bool state_read;
    bool state_failed;             /* and said so */
    unsigned state_due, names_due; /* windows until the state is written, and names are wanted */
    struct weir_names_file *names_taken; /* to be written; or NULL */
    bool incident_said;                  /* since the last flush */
};

/* coordinator_parts.c: a record for all sinks; the first error stays in c->error. */
void coordinator_publish(struct weir_coordinator *c, enum weir_record_type type, int64_t ts_us,
                         const void *body);
/* Time-outs and pages of the sessions, for the workers' next bulletin. */
void coordinator_post_requests(struct weir_coordinator *c);
/* 0 or -ENOMEM. */
int coordinator_new_detector(struct weir_coordinator *c);

/* coordinator_saved.c: at the first tick, for only then it is known what time it is. False: the
 * detector holds half a file, and must be made anew. */
bool coordinator_read_state(struct weir_coordinator *c);
void coordinator_write_state(struct weir_coordinator *c);
/* Those that a worker gave, if it did. */
void coordinator_write_names(struct weir_coordinator *c);
/* What an earlier run knew of names. 0 or < 0. */
int coordinator_read_names(struct weir_coordinator *c);
