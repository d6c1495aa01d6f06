/* What `weir live` shows on standard output while it runs. */
#pragma once

#include <weir/sink.h>

#include "engine/config.h"

/* With --json: the records. Else the report at the
 * end, before it each incident event as a line the moment it happens, and on a terminal signs of
 * life: a service that is seen for the first time, and a line each minute. 0 or -errno. */
int weir_sink_live_stdout_new(void **ret_state, const struct weir_config *config,
                              const struct weir_publish_context *context);
extern const struct weir_sink weir_sink_live_stdout;
