/* The one coordinator: takes every worker's block of a tick, and carries the evidence through
 * trials, sessions, windows and detectors to the sinks. All order-dependent work of the engine is
 * here, so that the number of workers changes nothing. */
#pragma once

#include <weir/capture.h>
#include <weir/classify.h>
#include <weir/measure.h>

#include "engine/meeting.h"
#include "engine/names_file.h"
#include "engine/pipeline.h"

/* What workers are told at each window's start: the same for all of them, learned up to the window
 * before the last. */
struct weir_bulletin {
    const struct weir_address_fact *facts;
    size_t n_facts;
    const int64_t *request_timeout_us; /* by service id */
    const struct weir_ask_page *asks;  /* likewise */
    bool names_wanted;                 /* of the first worker, for the state directory */
};

struct weir_coordinator; /* opaque */

int weir_coordinator_new(struct weir_coordinator **ret_coordinator,
                         const struct weir_engine_options *options);
void weir_coordinator_free(struct weir_coordinator *coordinator);
/* Whose nDPI tells protocol numbers' names, and whose name memory is written at the end (any
 * worker's: they are all alike, and only read). */
void weir_coordinator_set_namer(struct weir_coordinator *coordinator,
                                const struct weir_classifier *namer);
/* An interface whose drops freeze detectors, and of which a capture record is published each
 * window. Files are not watched: how far they are read ahead would change the answers. */
void weir_coordinator_watch(struct weir_coordinator *coordinator, struct weir_source *source);

/* For weir_meeting_config: the work on a tick; the context is the coordinator. */
enum weir_meeting_part weir_coordinator_work(void *coordinator, const struct weir_block *blocks);

/* What an earlier run knew of names, for a worker to learn before its first packet; NULL: nothing.
 */
const struct weir_names_file *weir_coordinator_names(const struct weir_coordinator *coordinator);
/* Which addresses are one client (weir/device.h); for whoever works on ticks. */
struct weir_devices;
const struct weir_devices *weir_coordinator_devices(const struct weir_coordinator *coordinator);

/* Between the meeting's wait and deliver of a window's last tick: what to learn. Valid until
 * deliver. */
struct weir_bulletin weir_coordinator_bulletin(const struct weir_coordinator *coordinator);

/* There too, if names are wanted: copies what the classifier knows, which is written with that
 * tick.
 */
void weir_coordinator_take_names(struct weir_coordinator *coordinator,
                                 const struct weir_classifier *classifier, int64_t now_us);

/* After the last block of every worker: ends sessions and held trials, writes services and the
 * capture record. Returns the first failure of a sink. */
int weir_coordinator_finish(struct weir_coordinator *coordinator, int64_t now_us,
                            struct weir_source *source, struct weir_fault *fault);
