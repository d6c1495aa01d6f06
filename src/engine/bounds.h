/* Bounds of every memory of a run but the flow table: these where 256 MiB or more are granted, in
 * proportion below that, so that `--memory` holds for a small gateway as a whole. They do not
 * depend on the number of workers. */
#pragma once

#include <weir/measure.h>

#include "engine/pipeline.h"

enum {
    BOUND_ADDRESSES = 65536,
    BOUND_NAMES = 65536,
    BOUND_HOSTS_BYTES = 8 << 20,
    BOUND_NAMING = 16384,
    BOUND_PENDING = 65536,
    BOUND_RECORDS = 65536,
    BOUND_EVIDENCE = 262144,
    BOUND_TRIALS = 65536,
    BOUND_HELD = 8192,
    BOUND_USEFUL = 16384,
    BOUND_KNOWN_NAMES = 65536,
    BOUND_SESSIONS = 16384,
    BOUND_SMALL_HOSTS = 4096,
    BOUND_CLIENTS = 65536,
};

static inline size_t engine_bound(const struct weir_engine_options *options, size_t most) {
    size_t granted = options->memory_bytes >> 20, full = 256;
    return granted >= full ? most : most / full * (granted ? granted : 1);
}

/* Blocks of a worker in use at a time: the only one's is used up before it goes on, or while it
 * fills another. */
static inline unsigned engine_blocks(const struct weir_engine_options *options) {
    unsigned of_one = options->ticks_aside ? 2 : 1;
    return options->n_workers == 1 ? of_one : WEIR_BLOCKS_MAX;
}
