/* A worker: its own flow table, classifier and meter, fed by the batches of the source. */
#pragma once

#include "engine/coordinator.h"

struct weir_worker; /* opaque */

int weir_worker_new(struct weir_worker **ret_worker, unsigned index, struct weir_source *source,
                    struct weir_coordinator *coordinator, struct weir_meeting *meeting,
                    const struct weir_engine_options *options);
void weir_worker_free(struct weir_worker *worker);
/* Until the source ends: 0, or < 0 with the fault of the source. All ticks up to the last frame's,
 * and one more for what was still open, have then been delivered. */
int weir_worker_run(struct weir_worker *worker, struct weir_fault *fault);
/* Before any worker runs: what it is that one of them makes of a batch for all. */
const struct weir_flow_table *weir_worker_flows(const struct weir_worker *worker);
int64_t weir_worker_now_us(const struct weir_worker *worker); /* engine's clock of the last tick */
