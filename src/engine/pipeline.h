/* The engine: wires the stages, one set of them a worker, and one coordinator behind all workers.
 */
#pragma once

#include <weir/capture.h>
#include <weir/detect.h>
#include <weir/error.h>
#include <weir/service.h>
#include <weir/sink.h>

struct weir_engine_options {
    struct weir_service_set *set;
    const struct weir_cidr *local;
    size_t n_local;
    unsigned n_workers;
    size_t memory_bytes;
    bool want_flows; /* make flow records */
    /* the source is an interface: heed what it drops, and tell of the capture each window */
    bool live;
    /* a source for each worker, which has its share of the flows; NULL: all workers share the one
     */
    struct weir_source *const *lanes;
    /* a thread of its own works on ticks: what the source holds back meanwhile would be lost */
    bool ticks_aside;
    const struct weir_detect_config *detect;
    const struct weir_detect_region *regions;
    size_t n_regions;
    struct weir_asn *asn; /* NULL: no database of autonomous systems */
    const struct weir_maintenance *maintenance;
    size_t n_maintenance;
    struct weir_hosts *hosts; /* learns what devices call themselves; NULL: does not */
    /* keeps the last packets' headers for evidence; NULL: does not */
    struct weir_proof *proof;
    /* directory of engine.state; NULL: what was learned ends with the run */
    const char *state;
    struct weir_publisher *publisher;
    /* called now and then by one worker, for a progress bar, and with NULL when all is read and
     * nothing reported yet; may be NULL */
    void (*progress)(void *context, struct weir_source *source);
    void *progress_context;
};

/* Runs a source (the first lane, if there are lanes) to its end and publishes everything. Returns
 * 0; < 0 when the source or a sink failed (what was read before is published all the same). */
int weir_engine_run(struct weir_source *source, const struct weir_engine_options *options,
                    struct weir_fault *fault);
