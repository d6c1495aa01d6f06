/* Where the records of a run go: one row a sink (sinks.c). */
#pragma once

#include <weir/sink.h>

#include "engine/config.h"

struct weir_sinks_run {
    const struct weir_config *config;
    const struct weir_publish_context *shown; /* what this process shows ... */
    const struct weir_publish_context *sent;  /* ... and what it sends or keeps */
    const char *state;                        /* the directory where state is kept; NULL: nowhere */
    bool live;
};

/* Makes the sinks that the configuration asks for and adds them. `confined`: those that can be made
 * once rights are given up; else those whose file must be opened before. < 0 with a fault. */
int weir_sinks_add(struct weir_publisher *publisher, const struct weir_sinks_run *run,
                   bool confined, struct weir_fault *fault);
