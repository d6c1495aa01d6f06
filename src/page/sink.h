/* The sink that makes a page of a replay. */
#pragma once

#include <weir/sink.h>

extern const struct weir_sink weir_sink_report;
/* Writes `path` when the capture is over. < 0 with a fault where it can't be written to. `context`
 * outlives the sink. */
int weir_sink_report_new(void **ret_state, const struct weir_publish_context *context,
                         const char *path, struct weir_fault *fault);
