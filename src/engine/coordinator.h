/* The one coordinator: takes every worker's block of a tick, and carries the evidence through trials, sessions, windows and
 * detectors to the sinks. All order-dependent work of the engine is here, so that the number of workers changes nothing. */
#pragma once

#include <weir/capture.h>
#include <weir/classify.h>
#include <weir/measure.h>

#include "engine/names_file.h"
#include "engine/pipeline.h"

/* What workers are told at each window's start: the same for all of them, learned up to the window before the last. */
struct weir_bulletin {
    const struct weir_address_fact *facts;
    size_t n_facts;
    const int64_t *request_timeout_us; /* by service id */
};

struct weir_coordinator; /* opaque */

int weir_coordinator_new(struct weir_coordinator **ret_coordinator, const struct weir_engine_options *options);
void weir_coordinator_free(struct weir_coordinator *coordinator);
/* Whose nDPI tells protocol numbers' names, and whose name memory is written (any worker's: they are all alike, and only read). */
void weir_coordinator_set_namer(struct weir_coordinator *coordinator, const struct weir_classifier *namer);
/* An interface whose drops freeze detectors, and of which a capture record is published each window. Files are not watched:
 * how far they are read ahead would change the answers. */
void weir_coordinator_watch(struct weir_coordinator *coordinator, struct weir_source *source);

/* With several lanes the coordinator has a thread of its own, from start to stop. Workers of one source do its work themselves: a
 * single one as it delivers a block, several when they are told to help or have to wait. After the last block and stop all are
 * used up. Returns 0 or a negative errno. */
int weir_coordinator_start(struct weir_coordinator *coordinator);
void weir_coordinator_stop(struct weir_coordinator *coordinator);
/* For a worker that has time: a part of the work on the next tick, if all blocks of it are there and nobody else is at it. */
void weir_coordinator_help(struct weir_coordinator *coordinator);

/* What an earlier run knew of names, for a worker to learn before its first packet; NULL: nothing. */
const struct weir_names_file *weir_coordinator_names(const struct weir_coordinator *coordinator);

/* Waits until there is room for one more block of this worker; at a window's end also until the window before is done, so
 * that the bulletin is that one's. */
void weir_coordinator_wait(struct weir_coordinator *coordinator, unsigned worker, bool window_end);
/* Hands over the block of a tick. What it points to must stay until engine_blocks() - 1 more are delivered. */
void weir_coordinator_deliver(struct weir_coordinator *coordinator, unsigned worker, const struct weir_block *block);
/* Between wait and deliver of a window's last tick: what to learn. Valid until deliver. */
struct weir_bulletin weir_coordinator_bulletin(const struct weir_coordinator *coordinator);

/* After the last block of every worker: ends sessions and held trials, writes services and the capture record. Returns the
 * first failure of a sink. */
int weir_coordinator_finish(struct weir_coordinator *coordinator, int64_t now_us, struct weir_source *source, struct weir_fault *fault);
/* True once a sink has failed for good: reading on is useless. */
bool weir_coordinator_failed(struct weir_coordinator *coordinator);
